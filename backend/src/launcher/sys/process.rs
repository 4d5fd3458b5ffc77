//! Processes by descriptor: made by `clone3`, signalled, waited for.

use std::os::fd::{AsFd as _, AsRawFd as _, BorrowedFd, FromRawFd as _, OwnedFd, RawFd};
use std::time::{Duration, Instant};

use nix::errno::Errno;

use super::new_fd;

/// From `linux/sched.h`.
pub(crate) const CLONE_PARENT: u64 = 0x8000;
const CLONE_PIDFD: u64 = 0x1000;
/// The same constant of the `libc` crate is 0 here: it does not fit the C int it is computed in.
const CLONE_INTO_CGROUP: u64 = 0x2_0000_0000;

/// Which side of a [`clone3`] this is.
pub(crate) enum Side {
    /// The new process.
    Child,
    /// The caller.
    Parent {
        /// The new process, in the caller's PID namespace.
        pid: i32,
        /// A descriptor for it.
        pidfd: OwnedFd,
    },
}

/// `struct clone_args` up to `cgroup`, from `linux/sched.h`.
#[repr(C)]
#[derive(Default)]
struct CloneArgs {
    flags: u64,
    pidfd: u64,
    child_tid: u64,
    parent_tid: u64,
    exit_signal: u64,
    stack: u64,
    stack_size: u64,
    tls: u64,
    set_tid: u64,
    set_tid_size: u64,
    cgroup: u64,
}

/// Makes a process with a pidfd for it, like `fork` with flags.
///
/// The launcher has one thread, so the child may go on in ordinary Rust: no lock can be held by a
/// thread that does not exist there. With [`CLONE_PARENT`] the child is the caller's sibling, and
/// its exit signal is the caller's own.
pub(crate) fn clone3(flags: u64) -> nix::Result<Side> {
    clone3_into(flags, None)
}

/// The same, born in a group of the unified hierarchy when one is given by its directory.
pub(crate) fn clone3_into(flags: u64, group: Option<BorrowedFd<'_>>) -> nix::Result<Side> {
    let mut pidfd: RawFd = -1;
    let exit_signal = if flags & CLONE_PARENT != 0 { 0 } else { libc::SIGCHLD as u64 };
    let mut args = CloneArgs {
        flags: flags | CLONE_PIDFD | if group.is_some() { CLONE_INTO_CGROUP } else { 0 },
        pidfd: (&raw mut pidfd) as u64,
        exit_signal,
        cgroup: group.map_or(0, |group| u64::from(group.as_raw_fd().unsigned_abs())),
        ..CloneArgs::default()
    };
    // SAFETY: without CLONE_VM the child runs on its own copy of everything; `args` and `pidfd`
    // live through the call, and the size is that of the structure passed.
    let pid = unsafe { libc::syscall(libc::SYS_clone3, &raw mut args, size_of::<CloneArgs>()) };
    match Errno::result(pid)? {
        0 => Ok(Side::Child),
        pid => {
            // SAFETY: on success the kernel has stored a new descriptor, which is ours alone.
            let pidfd = unsafe { OwnedFd::from_raw_fd(pidfd) };
            Ok(Side::Parent { pid: i32::try_from(pid).unwrap_or(i32::MAX), pidfd })
        }
    }
}

/// Ends this process at once: no destructors, no output flushed. For children that share the
/// launcher's memory image.
pub(crate) fn exit_now(status: i32) -> ! {
    // SAFETY: `_exit` has no preconditions.
    unsafe { libc::_exit(status) }
}

/// `pidfd_send_signal(2)`.
pub(crate) fn pidfd_signal(pidfd: BorrowedFd<'_>, signal: i32) -> nix::Result<()> {
    let null = std::ptr::null::<libc::siginfo_t>();
    // SAFETY: a null siginfo asks the kernel to fill in the usual one.
    let result =
        unsafe { libc::syscall(libc::SYS_pidfd_send_signal, pidfd.as_raw_fd(), signal, null, 0) };
    Errno::result(result).map(drop)
}

/// `pidfd_open(2)`.
pub(crate) fn pidfd_open(pid: i32) -> nix::Result<OwnedFd> {
    // SAFETY: both arguments are integers; on success the kernel gives a descriptor that is ours.
    unsafe { new_fd(libc::syscall(libc::SYS_pidfd_open, pid, 0)) }
}

/// How a process ended and what it used.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Ended {
    /// As a shell writes it: 128 + n for signal n.
    pub(crate) status: i32,
    /// CPU time, in milliseconds.
    pub(crate) cpu_msec: u64,
    /// Largest resident set, in bytes.
    pub(crate) max_rss_bytes: u64,
}

/// Reaps a child by its pidfd. `None`: it still runs (only with `WNOHANG` in `options`).
pub(crate) fn wait_pidfd(pidfd: BorrowedFd<'_>, options: i32) -> nix::Result<Option<Ended>> {
    // SAFETY: both structures are plain data for which zero is a value.
    let (mut info, mut usage) =
        unsafe { (std::mem::zeroed::<libc::siginfo_t>(), std::mem::zeroed::<libc::rusage>()) };
    let (info_ptr, usage_ptr) = (&raw mut info, &raw mut usage);
    let options = libc::WEXITED | options;
    loop {
        // SAFETY: both pointers are to structures of the right type that outlive the call.
        let result = unsafe {
            libc::syscall(
                libc::SYS_waitid,
                libc::P_PIDFD,
                pidfd.as_raw_fd(),
                info_ptr,
                options,
                usage_ptr,
            )
        };
        match Errno::result(result) {
            Err(Errno::EINTR) => {}
            Err(errno) => return Err(errno),
            Ok(_) => break,
        }
    }
    // SAFETY: waitid filled these fields in, or left them zero when nothing has ended.
    let (pid, status) = unsafe { (info.si_pid(), info.si_status()) };
    if pid == 0 {
        return Ok(None);
    }
    let status = if info.si_code == libc::CLD_EXITED { status } else { 128 + status };
    let msec = |t: libc::timeval| {
        u64::try_from(t.tv_sec).unwrap_or(0) * 1000 + u64::try_from(t.tv_usec).unwrap_or(0) / 1000
    };
    Ok(Some(Ended {
        status,
        cpu_msec: msec(usage.ru_utime) + msec(usage.ru_stime),
        max_rss_bytes: u64::try_from(usage.ru_maxrss).unwrap_or(0) * 1024,
    }))
}

/// Reaps a child within a time. The launcher has one thread, and nobody may hold it up: a PID 1
/// that waits for somebody else's zombie would.
///
/// Who is not dead by then is kept, and reaped by [`reap_given_up`] when they are: a zombie that
/// nobody reaps would keep PID 1 of its machine from ending.
pub(crate) fn wait_pidfd_within(pidfd: BorrowedFd<'_>, patience: Duration) -> nix::Result<Ended> {
    let ended = wait_pidfd_until(pidfd, patience);
    if ended == Err(Errno::ETIMEDOUT)
        && let Ok(copy) = pidfd.try_clone_to_owned()
    {
        GIVEN_UP.with_borrow_mut(|all| all.push(copy));
    }
    ended
}

thread_local! {
    /// Children that did not die in time.
    static GIVEN_UP: std::cell::RefCell<Vec<OwnedFd>> = const { std::cell::RefCell::new(Vec::new()) };
}

/// Reaps those of the children that were given up which have ended meanwhile.
pub(crate) fn reap_given_up() {
    GIVEN_UP.with_borrow_mut(|all| {
        all.retain(|pidfd| matches!(wait_pidfd(pidfd.as_fd(), libc::WNOHANG), Ok(None)));
    });
}

/// The same for a child that the caller goes on to watch.
pub(crate) fn wait_pidfd_until(pidfd: BorrowedFd<'_>, patience: Duration) -> nix::Result<Ended> {
    use nix::poll::{PollFd, PollFlags, PollTimeout, poll};
    let deadline = Instant::now() + patience;
    loop {
        if let Some(ended) = wait_pidfd(pidfd, libc::WNOHANG)? {
            return Ok(ended);
        }
        // It may itself wait for one that was given up.
        reap_given_up();
        let left = deadline.saturating_duration_since(Instant::now());
        let turn = left.min(Duration::from_millis(50));
        let turn = PollTimeout::try_from(turn).unwrap_or(PollTimeout::ZERO);
        match poll(&mut [PollFd::new(pidfd, PollFlags::POLLIN)], turn) {
            Ok(0) if left.is_zero() => return Err(Errno::ETIMEDOUT),
            Ok(_) | Err(Errno::EINTR) => {}
            Err(errno) => return Err(errno),
        }
    }
}
