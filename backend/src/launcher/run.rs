//! `vitrine run`: one container straight on this host, without a server.

mod ground;
mod relay;

use std::os::fd::AsFd as _;
use std::path::PathBuf;

use anyhow::Context as _;
use nix::errno::Errno;
use nix::unistd::isatty;
use serde::Serialize;
use vitrine_shared::cgroup::IoMax;
use vitrine_shared::message::{Step, StepName};
use vitrine_shared::namespace::Namespace;
use vitrine_shared::spec::{ContainerSpec, Rootfs};
use vitrine_shared::truth::{LXCFS_DIRECTORY, ProcView as View};

use self::ground::Ground;
use self::relay::{RawMode, pass_signals, relay};
use super::images::Images;
use super::privilege::{self, Privilege};
use super::step::StepError;
use super::{signals, sys, systemd, truth};

/// What `vitrine run` was asked for.
#[derive(Clone, Debug)]
pub struct Options {
    /// The container.
    pub spec: ContainerSpec,
    /// Keep standard input open.
    pub interactive: bool,
    /// Load the strict seccomp filter.
    pub seccomp: bool,
    /// Limits on block devices.
    pub io: Vec<IoMax>,
    /// Where images are kept.
    pub data: Option<PathBuf>,
}

/// Our own errors, as `docker run` numbers them.
const OWN_FAILURE: i32 = 125;

/// How a container was born and how it ended; `docs/cli-json.md` has every field.
#[derive(Debug, Serialize)]
pub struct Report {
    version: u8,
    /// What to exit with: the program's own status, or 125 (we failed), 126 (it cannot be
    /// executed), 127 (it is not there).
    pub status: i32,
    pid: Option<i32>,
    steps: Vec<Step>,
    cpu_msec: Option<u64>,
    max_rss_bytes: Option<u64>,
    /// Why there was no container, or why something of it is left.
    pub error: Option<String>,
}

/// Runs the container to its end.
pub fn run(options: &Options) -> Report {
    match with_command(options).and_then(|options| try_run(&options)) {
        Ok(report) => report,
        Err(err) => Report {
            version: 1,
            status: status_of(&err),
            pid: None,
            steps: Vec::new(),
            cpu_msec: None,
            max_rss_bytes: None,
            error: Some(format!("{:#}", with_hint(err, &options.spec))),
        },
    }
}

/// A step that failed, with what to do about it.
fn with_hint(err: anyhow::Error, spec: &ContainerSpec) -> anyhow::Error {
    let failed = err.downcast_ref::<StepError>();
    if let (Some(StepError { step: StepName::Execve, .. }), Some(word)) =
        (failed, spec.argv.first())
        && spec.namespaces.has(Namespace::User)
        && word.starts_with(|first: char| first.is_ascii_digit())
    {
        // Docker's `--user 1000:1000`.
        return anyhow::anyhow!(
            "{err}; --user is a new user namespace; to run as somebody: -u {word}"
        );
    }
    match failed.and_then(StepError::hint) {
        Some(hint) => anyhow::anyhow!("{err}; {hint}"),
        None => err,
    }
}

fn status_of(err: &anyhow::Error) -> i32 {
    match err.downcast_ref::<StepError>() {
        Some(err) if err.step == StepName::Execve => match err.errno() {
            Errno::ENOENT | Errno::ENOTDIR => 127,
            Errno::EACCES | Errno::ENOEXEC | Errno::EISDIR | Errno::EPERM => 126,
            _ => OWN_FAILURE,
        },
        _ => OWN_FAILURE,
    }
}

/// Without a command it is the image's own.
fn with_command(options: &Options) -> anyhow::Result<Options> {
    let mut options = options.clone();
    if options.spec.argv.is_empty() {
        if let Rootfs::Image(name) = &options.spec.rootfs {
            let host = privilege::Host::default();
            let data = options.data.clone();
            let data = data.unwrap_or_else(|| Privilege::foresee(&host).data_directory());
            let image = Images::look(&data).find(&options.spec.rootfs)?;
            options.spec.argv = image.config.command();
            anyhow::ensure!(
                !options.spec.argv.is_empty(),
                "the image {name} names no command; give one: vitrine run --rootfs {name} -- <CMD>"
            );
        }
        anyhow::ensure!(
            !options.spec.argv.is_empty(),
            "no program is named; give one: vitrine run [OPTIONS] -- <CMD>..."
        );
    }
    Ok(options)
}

fn try_run(options: &Options) -> anyhow::Result<Report> {
    let spec = &options.spec;
    spec.check()?;
    systemd::enter_scope()?;
    let privilege =
        privilege::enter(&privilege::Host::default()).map_err(|refused| refused.told())?;
    let tty = std::io::stdin();
    if spec.tty && options.interactive && !isatty(&tty)? {
        anyhow::bail!("the input device is not a terminal; leave out -t, or run it in one");
    }
    let signals = signals::from_others()?;
    if spec.proc_view == View::Lxcfs {
        anyhow::ensure!(
            truth::lxcfs_is_running(),
            "lxcfs does not run at {LXCFS_DIRECTORY}; start it (apt-get install lxcfs, systemctl \
             start lxcfs), or use --proc-view own"
        );
    }
    let mut ground = Ground::prepare(options, privilege)?;
    let born = ground.start(options)?;
    ground.root = Some(born.root);
    if let Some(master) = &born.pty {
        let _raw = RawMode::enter(options.interactive)?;
        relay(master, &born.pidfd, &signals, options.interactive, &mut ground.own)?;
    } else {
        pass_signals(&born.pidfd, &signals, &mut ground.own)?;
    }
    let ended = sys::wait_pidfd(born.pidfd.as_fd(), 0)?.context("it has not ended")?;
    if spec.namespaces.has(Namespace::Pid) {
        // Whatever it started has ended with it.
        ground.root = None;
        ground.is_empty = true;
    }
    ground.clear()?;
    Ok(Report {
        version: 1,
        status: ended.status,
        pid: Some(born.pid),
        steps: born.steps,
        cpu_msec: Some(ended.cpu_msec),
        max_rss_bytes: Some(ended.max_rss_bytes),
        error: None,
    })
}
