//! Signals as a descriptor: blocked for this process, and read in its loop.

use nix::sys::signal::{SigSet, Signal};
use nix::sys::signalfd::{SfdFlags, SignalFd, siginfo};

/// What a signal asks a server for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Asked {
    /// To end.
    End,
    /// To read again what may have changed: `SIGHUP` that somebody sent.
    Reload,
}

impl Asked {
    /// `SIGHUP` of the kernel's means that the terminal is gone (`signal(7)`, `sigaction(2)`).
    pub(crate) fn by(signal: &siginfo) -> Self {
        let is_hangup = i32::try_from(signal.ssi_signo) == Ok(libc::SIGHUP);
        if is_hangup && signal.ssi_code != libc::SI_KERNEL { Asked::Reload } else { Asked::End }
    }
}

/// Those that ask this process to end, or to reload.
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
