//! A channel to another process, in the runtime's care.

use std::io;
use std::os::fd::OwnedFd;

use serde::Serialize;
use serde::de::DeserializeOwned;
use tokio::io::unix::AsyncFd;

use crate::ipc::{Channel, Inbox};

/// One end of a channel; both directions may be used at once.
pub(crate) struct Link {
    channel: AsyncFd<Channel>,
}

impl Link {
    /// Takes a channel, which is non-blocking by birth ([`Channel::pair`]).
    pub(crate) fn new(channel: Channel) -> io::Result<Link> {
        // SAFETY: a `Channel` owns its descriptor, always gives out the same number, and closes
        // it only when it is dropped, after the registration.
        Ok(Link { channel: unsafe { AsyncFd::register(channel) }? })
    }

    /// The next message, or `None` when the other side has gone. What has come of a message is
    /// in `inbox`, so nothing is lost when this is dropped before it is done.
    pub(crate) async fn recv<T: DeserializeOwned>(
        &self,
        inbox: &mut Inbox,
    ) -> io::Result<Option<(T, Vec<OwnedFd>)>> {
        loop {
            let mut ready = self.channel.readable().await?;
            if let Ok(result) = ready.try_io(|channel| channel.get_ref().recv(inbox)) {
                return result;
            }
        }
    }

    /// Sends a message, when there is room.
    pub(crate) async fn send<T: Serialize>(&self, message: &T) -> io::Result<()> {
        loop {
            let mut ready = self.channel.writable().await?;
            if let Ok(result) = ready.try_io(|channel| channel.get_ref().send(message, &[])) {
                return result;
            }
        }
    }
}
