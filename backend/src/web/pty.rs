//! The master side of a pseudo-terminal: read, write and size, without blocking.

use std::io;
use std::os::fd::{AsFd, AsRawFd, OwnedFd};

use nix::fcntl::{FcntlArg, OFlag, fcntl};
use tokio::io::Interest;
use tokio::io::unix::AsyncFd;

/// A PTY master in the runtime's care.
pub(crate) struct Pty {
    master: AsyncFd<OwnedFd>,
}

impl Pty {
    /// Takes a master. `O_NONBLOCK` belongs to the open file description, which the launcher
    /// shares; it has set the flag already, and setting it again changes nothing there.
    pub(crate) fn new(master: OwnedFd) -> io::Result<Pty> {
        let flags = OFlag::from_bits_retain(fcntl(master.as_fd(), FcntlArg::F_GETFL)?);
        fcntl(master.as_fd(), FcntlArg::F_SETFL(flags | OFlag::O_NONBLOCK))?;
        let interest = Interest::READABLE | Interest::WRITABLE;
        // SAFETY: an `OwnedFd` keeps its number and is open until it is dropped, which happens
        // after the registration is.
        Ok(Pty { master: unsafe { AsyncFd::register_with_interest(master, interest) }? })
    }

    /// Reads once, when there is something, into the buffer that `target` gives at that moment.
    ///
    /// `EIO` means that no process has the other side open and everything was read.
    pub(crate) async fn read_with(
        &self,
        mut read: impl FnMut(&dyn Fn(&mut [u8]) -> io::Result<usize>) -> io::Result<usize>,
    ) -> io::Result<usize> {
        loop {
            let mut ready = self.master.readable().await?;
            let result = ready.try_io(|master| {
                read(&|buffer| Ok(nix::unistd::read(master.get_ref().as_fd(), buffer)?))
            });
            if let Ok(result) = result {
                return result;
            }
        }
    }

    /// Writes once, when there is room. Does nothing if it is dropped before it is done.
    pub(crate) async fn write_with(
        &self,
        mut write: impl FnMut(&dyn Fn(&[u8]) -> io::Result<usize>) -> io::Result<usize>,
    ) -> io::Result<usize> {
        loop {
            let mut ready = self.master.writable().await?;
            let result = ready.try_io(|master| {
                write(&|bytes| Ok(nix::unistd::write(master.get_ref().as_fd(), bytes)?))
            });
            if let Ok(result) = result {
                return result;
            }
        }
    }

    /// Sets the size; the kernel tells the foreground process (`SIGWINCH`).
    pub(crate) fn resize(&self, columns: u16, rows: u16) -> io::Result<()> {
        let size = libc::winsize { ws_row: rows, ws_col: columns, ws_xpixel: 0, ws_ypixel: 0 };
        let fd = self.master.get_ref().as_raw_fd();
        // SAFETY: TIOCSWINSZ only reads a `winsize` from the pointer, which lives until then.
        match unsafe { libc::ioctl(fd, libc::TIOCSWINSZ, &raw const size) } {
            0 => Ok(()),
            _ => Err(io::Error::last_os_error()),
        }
    }
}
