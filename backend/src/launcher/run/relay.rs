//! While the program of `vitrine run` runs: signals are passed on, and its terminal is ours.

use std::os::fd::{AsFd as _, BorrowedFd, OwnedFd};
use std::time::Duration;

use nix::errno::Errno;
use nix::poll::{PollFd, PollFlags, PollTimeout, poll};
use nix::sys::signalfd::SignalFd;
use nix::sys::termios::{SetArg, Termios, cfmakeraw, tcgetattr, tcsetattr};
use nix::unistd::{isatty, read, write};

use crate::launcher::sys;
use crate::launcher::truth::Own;

/// Passes signals on until the program has ended.
pub(super) fn pass_signals(
    pidfd: &OwnedFd,
    signals: &SignalFd,
    own: &mut Option<Own>,
) -> anyhow::Result<()> {
    loop {
        let mut fds = [readable(pidfd.as_fd()), readable(signals.as_fd())];
        wait_writing(&mut fds, own)?;
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
pub(super) fn relay(
    master: &OwnedFd,
    pidfd: &OwnedFd,
    signals: &SignalFd,
    interactive: bool,
    own: &mut Option<Own>,
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
        wait_writing(&mut fds, own)?;
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

/// The same, writing the files of the container's `/proc` when it is time.
fn wait_writing(fds: &mut [PollFd<'_>], own: &mut Option<Own>) -> anyhow::Result<()> {
    let Some(own) = own else { return wait(fds) };
    own.refresh();
    let left = own.due_in() + Duration::from_millis(1);
    match poll(fds, PollTimeout::try_from(left).unwrap_or(PollTimeout::MAX)) {
        Ok(_) | Err(Errno::EINTR) => Ok(()),
        Err(errno) => Err(errno.into()),
    }
}

fn wait(fds: &mut [PollFd<'_>]) -> anyhow::Result<()> {
    match poll(fds, PollTimeout::NONE) {
        Ok(_) | Err(Errno::EINTR) => Ok(()),
        Err(errno) => Err(errno.into()),
    }
}

/// The caller's terminal in raw mode; put back on drop.
pub(super) struct RawMode(Option<Termios>);

impl RawMode {
    pub(super) fn enter(interactive: bool) -> anyhow::Result<Self> {
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
