//! `vitrine run`: one container straight on this host, without a server.

use std::os::fd::{AsFd, BorrowedFd, OwnedFd};
use std::path::{Path, PathBuf};
use std::rc::Rc;
use std::time::Duration;

use anyhow::Context as _;
use nix::errno::Errno;
use nix::poll::{PollFd, PollFlags, PollTimeout, poll};
use nix::sys::signalfd::SignalFd;
use nix::sys::termios::{SetArg, Termios, cfmakeraw, tcgetattr, tcsetattr};
use nix::unistd::{isatty, read, write};
use serde::Serialize;
use vitrine_shared::cgroup::{Controller, IoMax, Knob};
use vitrine_shared::message::{Step, StepName};
use vitrine_shared::namespace::Namespace;
use vitrine_shared::spec::{ContainerSpec, Rootfs};

use super::birth::{self, Born, Plan, Program, Rights, Root, Stage, Stdio};
use super::cgroup::{BASE, Cgroup, Entrance, Hierarchies};
use super::images::{Image, Images};
use super::kill::RootId;
use super::mounts::{self, ProcView};
use super::privilege::{self, Privilege};
use super::step::{StepError, Steps};
use super::uids::{Pool, UidRange};
use super::{directories, kill, memfd, missing, signals, sweep, sys, systemd, userns};

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
            error: Some(format!("{:#}", with_hint(err))),
        },
    }
}

/// A step that failed, with what to do about it.
fn with_hint(err: anyhow::Error) -> anyhow::Error {
    match err.downcast_ref::<StepError>().and_then(StepError::hint) {
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
    let mut ground = Ground::prepare(options, privilege)?;
    let born = ground.start(options)?;
    ground.root = Some(born.root);
    if let Some(master) = &born.pty {
        let _raw = RawMode::enter(options.interactive)?;
        relay(master, &born.pidfd, &signals, options.interactive)?;
    } else {
        pass_signals(&born.pidfd, &signals)?;
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

/// What the container stands on; cleared on every path.
struct Ground {
    privilege: Privilege,
    instance: String,
    /// What is still to be killed by its root, where there is no cgroup.
    root: Option<RootId>,
    hierarchies: Rc<Hierarchies>,
    /// In which killed runs may have left something.
    all: Rc<Hierarchies>,
    /// Everybody who was in the group has been reaped.
    is_empty: bool,
    group: Option<Cgroup>,
    uids: Option<UidRange>,
    /// Made by a process that is ended and reaped with the rest, while nobody waits for it.
    making: Option<userns::Making>,
    userns: Option<OwnedFd>,
    /// Mounted on the host itself: without a mount namespace there is no other place.
    stage: Option<PathBuf>,
    /// Its files stay as long as the container runs.
    image: Option<Image>,
}

impl Ground {
    fn prepare(options: &Options, privilege: Privilege) -> anyhow::Result<Self> {
        let spec = &options.spec;
        let mut ground = Ground {
            privilege,
            instance: String::new(),
            root: None,
            is_empty: false,
            hierarchies: Rc::default(),
            all: Rc::default(),
            group: None,
            uids: None,
            making: None,
            userns: None,
            stage: None,
            image: None,
        };
        // Before anybody is forked: in a delegated group this process goes down into a leaf, and a
        // child that stayed above would keep the group from handing out controllers (EBUSY).
        let all = Hierarchies::of(privilege)?;
        directories::prepare(privilege)?;
        let mut pool = Pool::open(privilege)?;
        if spec.namespaces.has(Namespace::User) {
            let uids = pool.take()?.context("all uid ranges are taken")?;
            ground.making = Some(userns::Making::for_run(&uids, privilege)?);
            ground.uids = Some(uids);
        }
        // The pids group is what its processes are found and killed by.
        let mut controllers = vec![Controller::Pids];
        let mut knobs = spec.limits.knobs();
        knobs.extend(options.io.iter().copied().map(Knob::IoMax));
        controllers.extend(knobs.iter().map(Knob::controller));
        ground.hierarchies = Rc::new(all.only(&controllers));
        ground.all = Rc::new(all);
        let run_directory = privilege.run_directory();
        ground.instance = sweep::instance_name();
        let group = Cgroup::create(&ground.hierarchies, &format!("{BASE}/{}", ground.instance))?;
        ground.group = Some(group.clone());
        for knob in knobs {
            let set = group.set(&knob).with_context(|| advice(&knob))?;
            set.with_context(|| match group.lacks(&knob) {
                Some(lack) => lack,
                None => missing::no_controller(knob.controller(), privilege),
            })?;
        }
        if !spec.namespaces.has(Namespace::Mount) {
            let stage = run_directory.join(format!("stage-{}", ground.instance));
            ground.stage = Some(stage);
        }
        ground.userns = ground.making.as_ref().map(userns::Making::map).transpose()?;
        Ok(ground)
    }

    fn start(&mut self, options: &Options) -> anyhow::Result<Born> {
        let spec = &options.spec;
        let data = options.data.clone().unwrap_or_else(|| self.privilege.data_directory());
        let image = self.image.insert(Images::open(&data)?.find(&spec.rootfs)?);
        let userns = self.userns.as_ref().map(AsFd::as_fd);
        let lower = mounts::lower_layer(&image.root, userns, self.privilege)?;
        let init = spec.init.then(|| memfd::sealed(c"vitrine-init", memfd::INIT)).transpose()?;
        // Of the host's own PID namespace a user may bind `/proc`, which shows the same.
        let own_pids = spec.namespaces.has(Namespace::Pid);
        let remount = spec.remount_proc && (own_pids || self.privilege.mounts_hosts_proc());
        let here = self.privilege.run_directory();
        let run_directory = std::fs::File::open(&here)?;
        let stage = match self.stage.as_ref().and_then(|path| path.file_name()?.to_str()) {
            Some(name) => Stage::New(run_directory.as_fd(), name),
            None => Stage::On(&here),
        };
        let plan = Plan {
            into: None,
            namespaces: spec.namespaces,
            join_all: false,
            net_apart: spec.namespaces.has(Namespace::Net) && !self.privilege.is_rootless(),
            time_offset_secs: spec.time_offset_secs,
            procs: self.group.as_ref().map_or_else(|| Ok(Entrance::default()), Cgroup::procs)?,
            then_procs: Vec::new(),
            hostname: spec.hostname.as_deref(),
            root: Root::New {
                stage,
                lower: &lower,
                proc: if remount { ProcView::Remounted } else { ProcView::Inherited },
                stages: None,
            },
            userns,
            uid_base: self.uids.as_ref().map_or(0, UidRange::base),
            privilege: self.privilege,
            stdio: if spec.tty {
                Stdio::Terminal
            } else {
                Stdio::Inherit { stdin: options.interactive }
            },
            program: match &init {
                Some(init) => Program::Init(init, &spec.argv),
                None => Program::Argv(&spec.argv),
            },
            env: image.config.variables(),
            rights: if options.seccomp { Rights::Strict } else { Rights::Unfiltered },
        };
        let (all, making) = (&self.all, self.making.take());
        let meanwhile = || {
            // Its namespace is held by now; it has been killed and is reaped here.
            drop(making);
            sweep_others(all, &here);
        };
        Ok(birth::start_while(&plan, Steps::begin(), meanwhile)?)
    }

    fn clear(mut self) -> anyhow::Result<()> {
        self.release()
    }

    fn release(&mut self) -> anyhow::Result<()> {
        let mut released = Ok(());
        if let Some(group) = self.group.take() {
            // Somebody of the host's may have been put into it: then they are killed as ever.
            if !self.is_empty || group.remove_empty().is_err() {
                released = group.kill_all(Duration::from_secs(5)).and_then(|()| group.remove());
            }
        }
        if let Some(root) = self.root.take().filter(|_| self.hierarchies.is_empty()) {
            let killed = kill::by_root(root, Duration::from_secs(5));
            return self.release().and(Ok(killed?));
        }
        if let Some(stage) = self.stage.take() {
            sweep::remove_stage(&stage);
        }
        if !std::mem::take(&mut self.instance).is_empty() {
            sweep::remove_common(&self.hierarchies);
        }
        Ok(released?)
    }
}

impl Drop for Ground {
    fn drop(&mut self) {
        // On the way out of an error; that error is the one to tell.
        let _ = self.release();
    }
}

/// Removes what killed runs have left, while the new process puts its root together.
///
/// In all hierarchies: what was left may be throttled or frozen in one that is not used here. If
/// it cannot be swept now, that is no reason not to run; the next one tries again.
fn sweep_others(all: &Rc<Hierarchies>, run_directory: &Path) {
    let _ = sweep::sweep(all);
    sweep::sweep_stages(run_directory);
}

/// What to do when the kernel does not take a limit.
fn advice(knob: &Knob) -> String {
    let name = knob.controller().name();
    let todo = match knob {
        Knob::MemorySwap { .. } => {
            "leave out --memory-swap, or boot with swapaccount=1 where swap is not counted"
        }
        Knob::CpuBurst(_) => "--cpu-burst is at most the quota, and wants one",
        Knob::CpusetCpus(_) => "nproc and /sys/devices/system/cpu/online say which CPUs there are",
        Knob::IoMax(_) => "the device is a whole disk, not a partition: see lsblk",
        _ => "try another value",
    };
    format!("the {name} controller does not take it; {todo}")
}

/// Passes signals on until the program has ended.
fn pass_signals(pidfd: &OwnedFd, signals: &SignalFd) -> anyhow::Result<()> {
    loop {
        let mut fds = [readable(pidfd.as_fd()), readable(signals.as_fd())];
        wait(&mut fds)?;
        if is_ready(&fds[0]) {
            return Ok(());
        }
        pass_pending(pidfd, signals)?;
    }
}

/// Passes on what has come; gives true when the window has changed.
fn pass_pending(pidfd: &OwnedFd, signals: &SignalFd) -> anyhow::Result<bool> {
    let mut resized = false;
    while let Some(info) = signals.read_signal()? {
        let signal = info.ssi_signo.cast_signed();
        match signal {
            libc::SIGCHLD => {}
            libc::SIGWINCH => resized = true,
            // What stops this program is meant for it.
            libc::SIGTSTP | libc::SIGTTIN | libc::SIGTTOU => {}
            _ => match sys::pidfd_signal(pidfd.as_fd(), signal) {
                Ok(()) | Err(Errno::ESRCH) => {}
                Err(errno) => return Err(errno.into()),
            },
        }
    }
    Ok(resized)
}

/// Copies between this terminal and the container's until the program has ended.
fn relay(
    master: &OwnedFd,
    pidfd: &OwnedFd,
    signals: &SignalFd,
    interactive: bool,
) -> anyhow::Result<()> {
    let (stdin, stdout) = (sys::borrow_stdio(0), sys::borrow_stdio(1));
    let mut typed: Vec<u8> = Vec::new();
    let mut reading = interactive;
    copy_window_size(master);
    loop {
        let wanted = if typed.is_empty() {
            PollFlags::POLLIN
        } else {
            PollFlags::POLLIN | PollFlags::POLLOUT
        };
        let mut fds = vec![
            PollFd::new(master.as_fd(), wanted),
            readable(signals.as_fd()),
            readable(pidfd.as_fd()),
        ];
        if reading && typed.is_empty() {
            fds.push(readable(stdin));
        }
        wait(&mut fds)?;
        let ready: Vec<bool> = fds.iter().map(is_ready).collect();
        if ready[1] && pass_pending(pidfd, signals)? {
            copy_window_size(master);
        }
        if ready.get(3) == Some(&true) {
            let mut buffer = [0; 4096];
            match read(stdin, &mut buffer)? {
                // End of input: for a terminal that is Ctrl-D.
                0 => {
                    reading = false;
                    typed.push(4);
                }
                len => typed.extend_from_slice(&buffer[..len]),
            }
        }
        if !typed.is_empty() {
            match write(master, &typed) {
                Ok(len) => drop(typed.drain(..len)),
                Err(Errno::EAGAIN | Errno::EINTR) => {}
                Err(Errno::EIO) => typed.clear(),
                Err(errno) => return Err(errno.into()),
            }
        }
        let more = copy_output(master, stdout)?;
        if ready[2] && !more {
            return Ok(());
        }
    }
}

/// Copies what is there; false when there is nothing (or nobody to write any more).
fn copy_output(master: &OwnedFd, stdout: BorrowedFd<'_>) -> anyhow::Result<bool> {
    let mut buffer = [0; 16 * 1024];
    let len = match read(master, &mut buffer) {
        Ok(0) | Err(Errno::EAGAIN | Errno::EIO) => return Ok(false),
        Err(Errno::EINTR) => return Ok(true),
        other => other?,
    };
    let mut rest = &buffer[..len];
    while !rest.is_empty() {
        match write(stdout, rest) {
            Ok(len) => rest = &rest[len..],
            Err(Errno::EINTR) => {}
            Err(Errno::EAGAIN) => wait(&mut [PollFd::new(stdout, PollFlags::POLLOUT)])?,
            Err(errno) => return Err(errno.into()),
        }
    }
    Ok(true)
}

fn copy_window_size(master: &OwnedFd) {
    if let Some(size) = sys::window_size(sys::borrow_stdio(0)) {
        // A terminal that cannot be resized keeps its size.
        let _ = sys::set_window_size(master.as_fd(), size);
    }
}

fn readable(fd: BorrowedFd<'_>) -> PollFd<'_> {
    PollFd::new(fd, PollFlags::POLLIN)
}

fn is_ready(fd: &PollFd<'_>) -> bool {
    fd.revents().is_some_and(|events| !events.is_empty())
}

fn wait(fds: &mut [PollFd<'_>]) -> anyhow::Result<()> {
    match poll(fds, PollTimeout::NONE) {
        Ok(_) | Err(Errno::EINTR) => Ok(()),
        Err(errno) => Err(errno.into()),
    }
}

/// The caller's terminal in raw mode; put back on drop.
struct RawMode(Option<Termios>);

impl RawMode {
    fn enter(interactive: bool) -> anyhow::Result<Self> {
        let stdin = sys::borrow_stdio(0);
        if !interactive || !isatty(stdin)? {
            return Ok(RawMode(None));
        }
        let before = tcgetattr(stdin)?;
        let mut raw = before.clone();
        cfmakeraw(&mut raw);
        tcsetattr(stdin, SetArg::TCSANOW, &raw)?;
        Ok(RawMode(Some(before)))
    }
}

impl Drop for RawMode {
    fn drop(&mut self) {
        if let Some(before) = &self.0 {
            // A terminal that has gone needs no putting back.
            let _ = tcsetattr(sys::borrow_stdio(0), SetArg::TCSADRAIN, before);
        }
    }
}
