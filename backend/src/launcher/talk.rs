//! The conversation between the launcher and a process that is being born.

use std::io;
use std::os::fd::{AsFd, AsRawFd, BorrowedFd, OwnedFd, RawFd};
use std::time::{Duration, Instant};

use nix::errno::Errno;
use nix::poll::{PollFd, PollFlags, PollTimeout, poll};
use serde::de::DeserializeOwned;
use serde::{Deserialize, Serialize};
use vitrine_shared::message::StepName;

use super::step::StepError;
use crate::ipc::{Channel, Inbox};

/// One end.
#[derive(Debug)]
pub(crate) struct Talk {
    channel: Channel,
}

/// What was heard.
#[derive(Debug)]
pub(crate) enum Told<T> {
    /// A word, and descriptors with it.
    Word(T, Vec<OwnedFd>),
    /// The other side has closed its end: it has ended, or executed its program.
    Closed,
}

#[derive(Serialize, Deserialize)]
enum Packet<T> {
    Word(T),
    Failed(StepError),
}

impl Talk {
    /// Two ends; the one that is not used must be dropped on each side, or closing goes unheard.
    pub(crate) fn pair() -> nix::Result<(Talk, Talk)> {
        match Channel::pair() {
            Ok((a, b)) => Ok((Talk { channel: a }, Talk { channel: b })),
            Err(err) => Err(Errno::from_raw(err.raw_os_error().unwrap_or(libc::EIO))),
        }
    }

    /// Says a word.
    pub(crate) fn tell<T: Serialize>(&self, word: &T, fds: &[BorrowedFd<'_>]) -> io::Result<()> {
        self.channel.send(&Packet::Word(word), fds)
    }

    /// Says which step failed.
    pub(crate) fn fail(&self, err: &StepError) -> io::Result<()> {
        self.channel.send(&Packet::<()>::Failed(err.clone()), &[])
    }

    /// Waits until the other side is closed, whatever it has said before.
    pub(crate) fn wait_closed(&self, patience: Duration) -> nix::Result<()> {
        let deadline = Instant::now() + patience;
        loop {
            let left = deadline.saturating_duration_since(Instant::now());
            let left = PollTimeout::try_from(left).unwrap_or(PollTimeout::MAX);
            // No events are asked for: the kernel tells of POLLHUP unasked.
            match poll(&mut [PollFd::new(self.channel.as_fd(), PollFlags::empty())], left) {
                Ok(0) => return Err(Errno::ETIMEDOUT),
                Ok(_) => return Ok(()),
                Err(Errno::EINTR) => {}
                Err(errno) => return Err(errno),
            }
        }
    }

    /// Has the other side gone?
    pub(crate) fn is_closed(&self) -> bool {
        self.wait_closed(Duration::ZERO).is_ok()
    }

    /// Waits for a word. A failure of the other side is this side's error, and so is silence.
    pub(crate) fn hear<T: DeserializeOwned>(
        &self,
        step: StepName,
        patience: Duration,
    ) -> Result<Told<T>, StepError> {
        let deadline = Instant::now() + patience;
        let mut inbox = Inbox::default();
        let broken = |what: &str, errno| StepError::new(step, what, errno);
        loop {
            match self.channel.recv::<Packet<T>>(&mut inbox) {
                Ok(Some((Packet::Word(word), fds))) => return Ok(Told::Word(word, fds)),
                Ok(Some((Packet::Failed(err), _))) => return Err(err),
                Ok(None) => return Ok(Told::Closed),
                Err(err) if err.kind() == io::ErrorKind::WouldBlock => {}
                // The other side was killed with words of ours unread.
                Err(err) if err.kind() == io::ErrorKind::ConnectionReset => {
                    return Ok(Told::Closed);
                }
                Err(_) => return Err(broken("unreadable word", Errno::EPROTO)),
            }
            let left = deadline.saturating_duration_since(Instant::now());
            let left = PollTimeout::try_from(left).unwrap_or(PollTimeout::MAX);
            let mut fds = [PollFd::new(self.channel.as_fd(), PollFlags::POLLIN)];
            match poll(&mut fds, left) {
                Ok(0) => return Err(broken("no word in time", Errno::ETIMEDOUT)),
                Ok(_) | Err(Errno::EINTR) => {}
                Err(errno) => return Err(broken("poll", errno)),
            }
        }
    }
}

impl AsRawFd for Talk {
    fn as_raw_fd(&self) -> RawFd {
        self.channel.as_raw_fd()
    }
}
