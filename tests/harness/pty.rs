//! A real terminal for `vitrine run -it`, and a person who types into it.

use std::fs::File;
use std::io::{Read as _, Write as _};
use std::os::fd::{AsFd as _, AsRawFd as _, OwnedFd};
use std::os::unix::process::CommandExt as _;
use std::process::{Child, Command};
use std::time::{Duration, Instant};

use nix::poll::{PollFd, PollFlags, PollTimeout, poll};
use nix::pty::{Winsize, openpty};

use super::{binary, data};

/// A `vitrine` on a terminal.
pub(crate) struct OnTerminal {
    child: Child,
    master: File,
    /// Kept open, so that its settings can be looked at after the program has ended.
    slave: OwnedFd,
    /// What has been read and not asked for.
    seen: String,
}

impl OnTerminal {
    /// Starts `vitrine run` on a terminal of this size.
    pub(crate) fn start(words: &[&str], rows: u16, columns: u16) -> Self {
        OnTerminal::command(&[&["run"], words].concat(), &[], rows, columns)
    }

    /// Starts any `vitrine`, with these variables besides those that there are.
    pub(crate) fn command(
        words: &[&str],
        variables: &[(&str, &str)],
        rows: u16,
        columns: u16,
    ) -> Self {
        let size = Winsize { ws_row: rows, ws_col: columns, ws_xpixel: 0, ws_ypixel: 0 };
        let pty = openpty(&size, None).expect("openpty");
        let copy = || pty.slave.try_clone().expect("dup");
        let mut command = Command::new(binary());
        command.env("VITRINE_DATA", data()).envs(variables.iter().copied()).args(words);
        command.stdin(copy()).stdout(copy()).stderr(copy());
        // SAFETY: two system calls, no allocation, as is allowed between fork and exec.
        unsafe {
            command.pre_exec(|| {
                nix::unistd::setsid()?;
                match libc::ioctl(0, libc::TIOCSCTTY, 0) {
                    0 => Ok(()),
                    _ => Err(std::io::Error::last_os_error()),
                }
            });
        }
        let child = command.spawn().expect("start vitrine");
        OnTerminal { child, master: pty.master.into(), slave: pty.slave, seen: String::new() }
    }

    /// Its PID.
    pub(crate) fn pid(&self) -> u32 {
        self.child.id()
    }

    /// Sends a signal to it.
    pub(crate) fn signal(&self, signal: nix::sys::signal::Signal) {
        let pid = nix::unistd::Pid::from_raw(self.pid().cast_signed());
        nix::sys::signal::kill(pid, signal).expect("kill");
    }

    /// What has been read and not asked for.
    pub(crate) fn seen(&self) -> &str {
        &self.seen
    }

    /// Types.
    pub(crate) fn type_in(&mut self, text: &str) {
        self.master.write_all(text.as_bytes()).expect("type");
    }

    /// Reads until the text appears, and gives everything up to its end.
    #[track_caller]
    pub(crate) fn read_until(&mut self, text: &str) -> String {
        let deadline = Instant::now() + super::bound(Duration::from_secs(20));
        loop {
            if let Some(at) = self.seen.find(text) {
                let rest = self.seen.split_off(at + text.len());
                return std::mem::replace(&mut self.seen, rest);
            }
            assert!(Instant::now() < deadline, "no {text:?} in {:?}", self.seen);
            self.read_some();
        }
    }

    fn read_some(&mut self) {
        let mut fds = [PollFd::new(self.master.as_fd(), PollFlags::POLLIN)];
        if poll(&mut fds, PollTimeout::from(100u16)).expect("poll") > 0 {
            let mut buffer = [0; 4096];
            let len = self.master.read(&mut buffer).expect("read the terminal");
            self.seen.push_str(&String::from_utf8_lossy(&buffer[..len]));
        }
    }

    /// What was written before it ended.
    fn read_rest(&mut self) {
        let mut before = usize::MAX;
        while before != self.seen.len() {
            before = self.seen.len();
            self.read_some();
        }
    }

    /// Changes the size of the window, as a terminal emulator does.
    pub(crate) fn resize(&self, rows: u16, columns: u16) {
        let size = libc::winsize { ws_row: rows, ws_col: columns, ws_xpixel: 0, ws_ypixel: 0 };
        // SAFETY: the descriptor is open, and the kernel only reads the structure.
        let done =
            unsafe { libc::ioctl(self.master.as_raw_fd(), libc::TIOCSWINSZ, &raw const size) };
        assert_eq!(done, 0, "TIOCSWINSZ");
    }

    /// Is the terminal as a shell wants it: lines, echo?
    pub(crate) fn is_cooked(&self) -> bool {
        use nix::sys::termios::{LocalFlags, tcgetattr};
        let flags = tcgetattr(&self.slave).expect("tcgetattr").local_flags;
        flags.contains(LocalFlags::ICANON | LocalFlags::ECHO)
    }

    /// Waits until it ends; gives its exit status.
    #[track_caller]
    pub(crate) fn end(mut self) -> (Option<i32>, Self) {
        let deadline = Instant::now() + super::bound(Duration::from_secs(20));
        loop {
            if let Some(status) = self.child.try_wait().expect("wait") {
                self.read_rest();
                return (status.code(), self);
            }
            assert!(Instant::now() < deadline, "it does not end: {:?}", self.seen);
            self.read_some();
        }
    }
}

impl Drop for OnTerminal {
    fn drop(&mut self) {
        // By its own handle; it may have ended.
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}
