//! Signals as a descriptor: blocked for this process, and read in its loop.

use nix::sys::signal::{SigSet, Signal};
use nix::sys::signalfd::{SfdFlags, SignalFd};

/// Those that ask this process to end.
pub(crate) fn that_end() -> nix::Result<SignalFd> {
    blocked([Signal::SIGTERM, Signal::SIGINT, Signal::SIGHUP].into_iter().collect())
}

/// All that somebody else can mean.
pub(crate) fn from_others() -> nix::Result<SignalFd> {
    let mut set = SigSet::all();
    // What the kernel sends for this process's own faults stays deadly.
    for own in [
        Signal::SIGSEGV,
        Signal::SIGBUS,
        Signal::SIGFPE,
        Signal::SIGILL,
        Signal::SIGTRAP,
        Signal::SIGPIPE,
    ] {
        set.remove(own);
    }
    blocked(set)
}

fn blocked(set: SigSet) -> nix::Result<SignalFd> {
    set.thread_block()?;
    SignalFd::with_flags(&set, SfdFlags::SFD_CLOEXEC | SfdFlags::SFD_NONBLOCK)
}
