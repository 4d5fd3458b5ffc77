//! Terminals: the far end of a PTY, a session's own terminal, the size of a window.

use std::os::fd::{AsRawFd as _, BorrowedFd, OwnedFd};

use nix::errno::Errno;

use super::new_fd;

/// The far end of a PTY master, without a path that anybody could have replaced: `TIOCGPTPEER`.
pub(crate) fn pty_peer(master: BorrowedFd<'_>) -> nix::Result<OwnedFd> {
    let flags = libc::O_RDWR | libc::O_NOCTTY | libc::O_CLOEXEC;
    // SAFETY: both ioctls are for PTY masters; the second gives a new descriptor, which is ours.
    unsafe {
        let unlocked: libc::c_int = 0;
        Errno::result(libc::ioctl(master.as_raw_fd(), libc::TIOCSPTLCK, &raw const unlocked))?;
        new_fd(libc::ioctl(master.as_raw_fd(), libc::TIOCGPTPEER, flags).into())
    }
}

/// Makes a terminal the controlling one of this session.
pub(crate) fn set_controlling_tty(tty: BorrowedFd<'_>) -> nix::Result<()> {
    // SAFETY: TIOCSCTTY takes an integer.
    Errno::result(unsafe { libc::ioctl(tty.as_raw_fd(), libc::TIOCSCTTY, 0) }).map(drop)
}

/// The size of a terminal window; `None` when this is no terminal.
pub(crate) fn window_size(tty: BorrowedFd<'_>) -> Option<libc::winsize> {
    // SAFETY: TIOCGWINSZ fills in a `winsize`, for which zero is a value.
    unsafe {
        let mut size = std::mem::zeroed::<libc::winsize>();
        (libc::ioctl(tty.as_raw_fd(), libc::TIOCGWINSZ, &raw mut size) == 0).then_some(size)
    }
}

/// Sets the size of a terminal window.
pub(crate) fn set_window_size(tty: BorrowedFd<'_>, size: libc::winsize) -> nix::Result<()> {
    // SAFETY: TIOCSWINSZ reads a `winsize`.
    Errno::result(unsafe { libc::ioctl(tty.as_raw_fd(), libc::TIOCSWINSZ, &raw const size) })
        .map(drop)
}
