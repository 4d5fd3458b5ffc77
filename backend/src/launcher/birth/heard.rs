//! What the launcher hears of a birth, in whatever order it comes.

use std::os::fd::{AsFd as _, AsRawFd as _, BorrowedFd, OwnedFd};
use std::time::Duration;

use nix::errno::Errno;
use serde::{Deserialize, Serialize};
use vitrine_shared::message::{Step, StepName};

use super::PATIENCE;
use crate::launcher::kill::RootId;
use crate::launcher::step::{At as _, StepError};
use crate::launcher::sys;
use crate::launcher::talk::{Talk, Told};

/// How long, after a failure, the others may take to say that they were there.
const LAST_WORDS: Duration = Duration::from_secs(1);

#[derive(Debug, Serialize, Deserialize)]
pub(super) enum Word {
    /// A second helper, by pidfd, to be reaped.
    Helper,
    /// From the launcher: the network namespace, by descriptor, with its loopback device up.
    Net,
    /// The new process, by pidfd.
    Child,
    /// Everything is prepared; `execve` is next. Comes with the PTY master when there is one.
    Ready(Vec<Step>, RootId),
}

/// What a new process says of itself before it executes its program.
pub(super) struct Ready {
    pub(super) steps: Vec<Step>,
    pub(super) root: RootId,
    pub(super) pty: Option<OwnedFd>,
}

/// What has been heard of a birth. Each word has another sender, so they come in any order: the
/// new process may be ready before its helper has said that it made it.
#[derive(Default)]
pub(super) struct Heard {
    pub(super) helpers: Vec<OwnedFd>,
    pub(super) child: Option<OwnedFd>,
    ready: Option<Ready>,
}

impl Heard {
    /// Waits until everybody has closed their end: helpers by ending, the new process by
    /// executing its program, or by failing. Only then is listened: each waking costs as much as
    /// a few mounts.
    pub(super) fn all(&mut self, talk: &Talk) -> Result<(), StepError> {
        let in_time = talk.wait_closed(PATIENCE).at(StepName::Execve, "wait for execve");
        let mut failed = None;
        loop {
            match talk.hear::<Word>(StepName::Execve, Duration::ZERO) {
                Ok(Told::Closed) => break,
                Ok(Told::Word(word, fds)) => self.note(word, fds),
                Err(err) if err.errno() == Errno::ETIMEDOUT => break,
                Err(err) => failed = failed.or(Some(err)),
            }
        }
        failed.map_or(in_time, Err)
    }

    fn note(&mut self, word: Word, mut fds: Vec<OwnedFd>) {
        match word {
            Word::Helper => self.helpers.append(&mut fds),
            Word::Child => self.child = fds.pop(),
            // Said by this side only.
            Word::Net => {}
            Word::Ready(steps, root) => self.ready = Some(Ready { steps, root, pty: fds.pop() }),
        }
    }

    /// What was born: its PID, and what it said.
    pub(super) fn born(&mut self, pid: Option<i32>) -> Result<(i32, Ready), StepError> {
        let unmade = || StepError::new(StepName::Clone, "no process was made", Errno::EPROTO);
        let ended =
            || StepError::new(StepName::Execve, "it ended before it was ready", Errno::ECHILD);
        let child = self.child.as_ref().ok_or_else(unmade)?;
        let ready = self.ready.take().ok_or_else(ended)?;
        let pid = match pid {
            Some(pid) => pid,
            None => pid_of(child.as_fd()).at(StepName::Clone, "read the pidfd's pid")?,
        };
        Ok((pid, ready))
    }

    /// After a failure, hears who else was made: a process that nobody reaps would keep PID 1 of
    /// its machine from ending.
    pub(super) fn out(&mut self, talk: &Talk) {
        if let Some(child) = &self.child {
            // It may have ended by itself.
            let _ = sys::pidfd_signal(child.as_fd(), libc::SIGKILL);
        }
        for _ in 0..8 {
            match talk.hear::<Word>(StepName::Clone, LAST_WORDS) {
                Ok(Told::Word(word, fds)) => self.note(word, fds),
                Ok(Told::Closed) => return,
                Err(err) if err.errno() == Errno::ETIMEDOUT => return,
                // The failure was told once already.
                Err(_) => {}
            }
        }
    }
}

/// The PID behind a pidfd, as this process's `/proc` numbers it.
pub(crate) fn pid_of(pidfd: BorrowedFd<'_>) -> nix::Result<i32> {
    let info = std::fs::read_to_string(format!("/proc/self/fdinfo/{}", pidfd.as_raw_fd()))
        .map_err(|_| Errno::EBADF)?;
    let pid = info.lines().find_map(|line| line.strip_prefix("Pid:"));
    pid.and_then(|pid| pid.trim().parse().ok()).filter(|&pid| pid > 0).ok_or(Errno::ESRCH)
}
