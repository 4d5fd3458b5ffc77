//! Starts `web` and `observer` from the sealed own binary, each with just its privilege.

use std::ffi::CString;
use std::io;
use std::mem::ManuallyDrop;
use std::os::fd::{AsFd, AsRawFd, OwnedFd};

use nix::errno::Errno;
use nix::unistd::{Gid, Uid, dup2_raw, setresgid, setresuid};
use serde::{Deserialize, Serialize};

use super::confine::{self, CAP_DAC_READ_SEARCH, CAP_SYS_PTRACE, SECUREBITS_NONE};
use super::privilege::Privilege;
use super::sys::{self, Side};
use super::{memfd, mounts};
use crate::ipc::{CHANNEL_FD, Channel, Inbox};

/// One of the two.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Role {
    /// HTTP and WebSocket; no capability at all.
    Web,
    /// `/proc` and cgroup files; two capabilities.
    Observer,
}

impl Role {
    /// `argv[0]`, by which the program knows what it is.
    pub(crate) const fn name(self) -> &'static str {
        match self {
            Role::Web => "vitrine-web",
            Role::Observer => "vitrine-observer",
        }
    }

    fn capabilities(self) -> &'static [u32] {
        match self {
            Role::Web => &[],
            Role::Observer => &[CAP_DAC_READ_SEARCH, CAP_SYS_PTRACE],
        }
    }
}

/// A running one.
#[derive(Debug)]
pub(crate) struct Service {
    /// Its process.
    pub(crate) pidfd: OwnedFd,
    /// The way to it.
    pub(crate) channel: Channel,
    /// What has arrived of its next message.
    pub(crate) inbox: Inbox,
}

/// The own binary, sealed: what runs is what was started, whatever happens to the file.
pub(crate) fn own_binary() -> io::Result<OwnedFd> {
    memfd::sealed(c"vitrine", &std::fs::read("/proc/self/exe")?)
}

/// Whom a service becomes, and what its launcher may do: it hears it by its command line.
#[derive(Clone, Copy, Debug, Serialize, Deserialize)]
pub(crate) struct Place {
    /// Its uid, its own and outside every machine's range; 0 where there is a single id.
    pub(crate) uid: u32,
    /// The launcher's.
    pub(crate) privilege: Privilege,
}

impl Place {
    /// From the command line.
    pub(crate) fn of_this_process() -> Option<Self> {
        let word = std::env::args().nth(1)?;
        let place: Place = serde_json::from_str(&word).ok()?;
        (place.uid > 0 || place.privilege.is_rootless()).then_some(place)
    }
}

/// Starts one.
pub(crate) fn start(
    role: Role,
    binary: &OwnedFd,
    place: Place,
    env: &[CString],
) -> io::Result<Service> {
    let (here, there) = Channel::pair()?;
    match sys::clone3(0)? {
        Side::Child => {
            let Err(errno) = become_service(role, binary, place, there, env);
            tracing::error!(%errno, "{} does not start", role.name());
            sys::exit_now(1);
        }
        Side::Parent { pidfd, .. } => Ok(Service { pidfd, channel: here, inbox: Inbox::default() }),
    }
}

fn become_service(
    role: Role,
    binary: &OwnedFd,
    place: Place,
    channel: Channel,
    env: &[CString],
) -> nix::Result<std::convert::Infallible> {
    // Never dropped: they are closed wholesale, and this process ends by execve or _exit.
    let channel = ManuallyDrop::new(channel.into_fd());
    // A copy out of the way of CHANNEL_FD, and the binary out of the way too.
    // SAFETY: the copies are made for this process, which owns its descriptor table alone.
    let (channel, binary) = unsafe {
        let far = |fd: &OwnedFd, to| dup2_raw(fd, to);
        (ManuallyDrop::new(far(&channel, 200)?), ManuallyDrop::new(far(binary, 201)?))
    };
    // SAFETY: as above; the result has no CLOEXEC, so it stays through execve.
    let kept = ManuallyDrop::new(unsafe { dup2_raw(&*channel, CHANNEL_FD)? });
    sys::close_all_but(&[0, 1, 2, kept.as_raw_fd(), binary.as_raw_fd()])?;
    let null = nix::fcntl::open(
        "/dev/null",
        nix::fcntl::OFlag::O_RDONLY | nix::fcntl::OFlag::O_CLOEXEC,
        nix::sys::stat::Mode::empty(),
    )?;
    nix::unistd::dup2_stdin(null.as_fd())?;
    nix::unistd::chdir("/")?;
    nix::unistd::setsid()?;
    // The observer's root has no loader for it in it, so it goes there after execve, by itself:
    // see `enter_observers_root`.
    if role == Role::Web {
        give_up_privileges(role, place)?;
    }
    confine::reset_signals()?;
    confine::die_with_parent()?;
    nix::fcntl::fcntl(&*binary, nix::fcntl::FcntlArg::F_SETFD(nix::fcntl::FdFlag::FD_CLOEXEC))?;
    let place = serde_json::to_string(&place).map_err(|_| Errno::EINVAL)?;
    let argv = [role.name().into(), place].map(|word| CString::new(word).unwrap_or_default());
    memfd::execute(binary.as_fd(), &argv, env)
}

/// The rest of the observer's start, before it hears a word from anybody: an empty root with
/// `/proc` and the cgroup hierarchies in it, its own uid, two capabilities.
pub(crate) fn enter_observers_root(place: Place) -> nix::Result<()> {
    mounts::observers_root(place.privilege)?;
    give_up_privileges(Role::Observer, place)?;
    // The change of ids has cleared it; a launcher that went meanwhile has closed the channel.
    confine::die_with_parent()
}

fn give_up_privileges(role: Role, place: Place) -> nix::Result<()> {
    let uid = place.uid;
    let keep = role.capabilities();
    let set = keep.iter().fold(0, |set, capability| set | 1u64 << capability);
    confine::drop_bounding(keep)?;
    // With NO_SETUID_FIXUP a change of ids takes no capability away; capset does.
    sys::prctl(libc::PR_SET_SECUREBITS, SECUREBITS_NONE, 0)?;
    place.privilege.drop_groups()?;
    setresgid(Gid::from_raw(uid), Gid::from_raw(uid), Gid::from_raw(uid))?;
    setresuid(Uid::from_raw(uid), Uid::from_raw(uid), Uid::from_raw(uid))?;
    confine::clear_ambient()?;
    sys::capset(set, 0)?;
    confine::no_new_privs()
}
