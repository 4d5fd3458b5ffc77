//! The first moments of web and observer: confinement before the first byte from anybody.

use std::ffi::OsStr;
use std::os::fd::OwnedFd;

use anyhow::Context as _;
use landlock::{
    ABI, Access as _, AccessFs, AccessNet, PathBeneath, PathFd, Ruleset, RulesetAttr as _,
    RulesetCreatedAttr as _, RulesetStatus,
};
use nix::sys::resource::{Resource, setrlimit};
use tracing_subscriber::EnvFilter;

use crate::ipc::{CHANNEL_FD, Channel};
use crate::kernel_log::KernelLog;
use crate::launcher::confine::filter;
use crate::launcher::serve::ASSETS_VARIABLE;
use crate::launcher::supervise::{self, Place};
use crate::launcher::sys;

/// Threads and processes that a service's user may have.
const THREADS: u64 = 64;
/// The newest Landlock interface that is asked for; an older kernel gives what it has.
const LANDLOCK: ABI = ABI::V5;

fn begin(name: &str) -> anyhow::Result<(Channel, Place)> {
    let by_hand = "this is a part of `vitrine serve` and is not started by hand";
    let place = Place::of_this_process().context(by_hand)?;
    let fd = sys::inherited_fd(CHANNEL_FD).context(by_hand)?;
    let filter = std::env::var("VITRINE_LOG").unwrap_or_default();
    let filter = EnvFilter::try_new(filter).unwrap_or_else(|_| EnvFilter::new("warn"));
    let log = tracing_subscriber::fmt().with_env_filter(filter).with_writer(std::io::stderr);
    log.log_internal_errors(false).init();
    // For `ps` and `top`, which else call it by the name of its memfd.
    std::fs::write("/proc/self/comm", name).context("set the process's name")?;
    sys::prctl(libc::PR_SET_DUMPABLE, 0, 0)?;
    // Counted per user, which must not be anybody else's.
    if place.uid > 0 {
        setrlimit(Resource::RLIMIT_NPROC, THREADS, THREADS).context("setrlimit(RLIMIT_NPROC)")?;
    }
    let fd: OwnedFd = fd;
    nix::fcntl::fcntl(&fd, nix::fcntl::FcntlArg::F_SETFD(nix::fcntl::FdFlag::FD_CLOEXEC))?;
    Ok((Channel::from_fd(fd), place))
}

/// `vitrine-web`.
pub fn web() -> anyhow::Result<()> {
    let (channel, _) = begin("vitrine-web")?;
    restrict_files(std::env::var_os(ASSETS_VARIABLE).as_deref())?;
    sys::seccomp(filter::WEB).context("seccomp(web)")?;
    crate::web::run(channel)
}

/// `vitrine-observer`.
pub fn observer() -> anyhow::Result<()> {
    let (channel, place) = begin("vitrine-observe")?;
    // No Landlock here: it would hide /proc/PID/ns of every process outside its own domain.
    // Only who may read the kernel's log may open it, and it is not in the observer's root: it is
    // opened before both are given up. Where it cannot be, a victim has no name.
    let log = KernelLog::from_now().ok();
    supervise::enter_observers_root(place).context("enter its root")?;
    sys::seccomp(filter::OBSERVER).context("seccomp(observer)")?;
    crate::observer::run(channel, log)
}

/// Landlock: no file at all, and no TCP of one's own. What web serves is in it, or (for
/// development) in a directory that may be read.
fn restrict_files(assets: Option<&OsStr>) -> anyhow::Result<()> {
    let mut rules = Ruleset::default()
        .handle_access(AccessFs::from_all(LANDLOCK))?
        .handle_access(AccessNet::from_all(LANDLOCK))?
        .create()?;
    if let Some(assets) = assets {
        // The directory above it: a page that was built anew takes the old one's place, and a
        // rule is about the directory that was there.
        let assets = std::path::Path::new(assets);
        let directory = PathFd::new(assets.parent().unwrap_or(assets)).context("--assets")?;
        rules = rules.add_rule(PathBeneath::new(directory, AccessFs::from_read(LANDLOCK)))?;
    }
    let status = rules.restrict_self()?;
    if status.ruleset == RulesetStatus::NotEnforced {
        // The filter still lets files be read only; a kernel without Landlock is told about.
        tracing::error!("this kernel has no Landlock: web is held by its filter alone");
    }
    Ok(())
}
