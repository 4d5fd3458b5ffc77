//! What the three processes say to each other, and the channel they say it over.
//!
//! A channel is one end of a `SOCK_SEQPACKET` socket pair. A message is postcard, cut into
//! packets of at most [`PACKET_BYTES`] (a single packet cannot pass about 212 KB on a default
//! kernel); each packet begins with a byte that says whether more follow. Descriptors travel by
//! `SCM_RIGHTS` with the first packet.
//!
//! **Invariant:** a receiver never trusts a sender: lengths, counts and contents are checked, and
//! a message that cannot be read is an error of the channel, never a panic.

mod words;

use std::io::{self, IoSlice, IoSliceMut};
use std::os::fd::{AsFd, AsRawFd, BorrowedFd, FromRawFd, OwnedFd, RawFd};
use std::time::{Duration, Instant};

use nix::errno::Errno;
use nix::sys::socket::{
    AddressFamily, ControlMessage, ControlMessageOwned, MsgFlags, SockFlag, SockType, recv,
    recvmsg, sendmsg, socketpair,
};
use serde::Serialize;
use serde::de::DeserializeOwned;

pub use words::{
    FromObserver, FromWeb, ObservedHierarchy, ObservedMachine, ObserverToWeb, TlsSetup, ToObserver,
    ToWeb, WebSetup, WebToObserver,
};

/// Largest packet, its first byte included.
pub const PACKET_BYTES: usize = 64 * 1024;
/// Largest message, all packets together.
pub const MESSAGE_BYTES: usize = 8 * 1024 * 1024;
/// How long a whole message may wait for room; the launcher has one thread to wait with.
const SEND_PATIENCE: Duration = Duration::from_secs(1);
/// Most descriptors with one message.
pub const MESSAGE_FDS: usize = 4;
/// The descriptor on which `web` and `observer` find their channel to the launcher.
pub const CHANNEL_FD: RawFd = 3;

/// Size of a terminal's ring file: a page of counters, then the latest output.
///
/// The launcher makes the file (a memfd whose size is sealed) and never looks into it; web owns
/// the contents (`web::ring`). It outlives web, which is why a restart loses no output.
#[expect(clippy::cast_possible_truncation, reason = "a constant of 256 KiB")]
pub const RING_FILE_BYTES: usize =
    4096 + vitrine_shared::limits::TERMINAL_RING_BYTES.value as usize;

/// One end of a channel. Non-blocking; closed on `execve` unless it is made to stay.
#[derive(Debug)]
pub struct Channel {
    socket: OwnedFd,
}

/// Packets of a message that has begun to arrive.
#[derive(Debug, Default)]
pub struct Inbox {
    bytes: Vec<u8>,
    fds: Vec<OwnedFd>,
}

impl Channel {
    /// Two connected ends.
    pub fn pair() -> io::Result<(Channel, Channel)> {
        let flags = SockFlag::SOCK_CLOEXEC | SockFlag::SOCK_NONBLOCK;
        let (a, b) = socketpair(AddressFamily::Unix, SockType::SeqPacket, None, flags)?;
        Ok((Channel { socket: a }, Channel { socket: b }))
    }

    /// The end that was inherited or received as a descriptor.
    pub fn from_fd(socket: OwnedFd) -> Self {
        Channel { socket }
    }

    /// The descriptor itself, to hand it on.
    pub fn into_fd(self) -> OwnedFd {
        self.socket
    }

    /// Sends a message and descriptors with it.
    ///
    /// A full socket before the first packet is `WouldBlock` and nothing was sent; once a message
    /// has begun, the rest of it is waited for (the other side reads it at once or is broken).
    pub fn send<T: Serialize>(&self, message: &T, fds: &[BorrowedFd<'_>]) -> io::Result<()> {
        let bytes = postcard::to_stdvec(message).map_err(io::Error::other)?;
        if bytes.len() > MESSAGE_BYTES || fds.len() > MESSAGE_FDS {
            return Err(io::Error::new(io::ErrorKind::InvalidInput, "message too large"));
        }
        let raw: Vec<RawFd> = fds.iter().map(AsRawFd::as_raw_fd).collect();
        let mut parts = bytes.chunks(PACKET_BYTES - 1).peekable();
        let mut first = true;
        let deadline = Instant::now() + SEND_PATIENCE;
        if parts.peek().is_none() {
            return self.send_packet(0, &[], &raw, None);
        }
        while let Some(part) = parts.next() {
            let more = u8::from(parts.peek().is_some());
            let (fds, wait) = if first { (&raw[..], None) } else { (&[][..], Some(deadline)) };
            self.send_packet(more, part, fds, wait)?;
            first = false;
        }
        Ok(())
    }

    /// Sends a message, and waits for room when there is none: a burst is no reason to think that
    /// the other side is broken. One that makes no room for a second is.
    pub fn send_waiting<T: Serialize>(
        &self,
        message: &T,
        fds: &[BorrowedFd<'_>],
    ) -> io::Result<()> {
        let deadline = Instant::now() + SEND_PATIENCE;
        loop {
            match self.send(message, fds) {
                Err(err) if err.kind() == io::ErrorKind::WouldBlock => {
                    self.wait_writable(deadline)?
                }
                other => return other,
            }
        }
    }

    fn send_packet(
        &self,
        more: u8,
        part: &[u8],
        fds: &[RawFd],
        wait_until: Option<Instant>,
    ) -> io::Result<()> {
        let head = [more];
        let iov = [IoSlice::new(&head), IoSlice::new(part)];
        let rights = [ControlMessage::ScmRights(fds)];
        let control = if fds.is_empty() { &[][..] } else { &rights[..] };
        loop {
            match sendmsg::<()>(
                self.socket.as_raw_fd(),
                &iov,
                control,
                MsgFlags::MSG_NOSIGNAL,
                None,
            ) {
                Ok(_) => return Ok(()),
                Err(Errno::EINTR) => {}
                Err(errno) => match wait_until {
                    Some(deadline) if errno == Errno::EAGAIN => self.wait_writable(deadline)?,
                    _ => return Err(errno.into()),
                },
            }
        }
    }

    fn wait_writable(&self, deadline: Instant) -> io::Result<()> {
        use nix::poll::{PollFd, PollFlags, PollTimeout, poll};
        let mut fds = [PollFd::new(self.socket.as_fd(), PollFlags::POLLOUT)];
        let left = deadline.saturating_duration_since(Instant::now());
        match poll(&mut fds, PollTimeout::try_from(left).unwrap_or(PollTimeout::MAX)) {
            Ok(0) => Err(io::Error::new(io::ErrorKind::BrokenPipe, "the other side does not read")),
            Ok(_) | Err(Errno::EINTR) => Ok(()),
            Err(errno) => Err(errno.into()),
        }
    }

    /// The next whole message, or `None` when the other side has gone.
    ///
    /// `WouldBlock` when there is none yet; what has arrived of it waits in `inbox`.
    pub fn recv<T: DeserializeOwned>(
        &self,
        inbox: &mut Inbox,
    ) -> io::Result<Option<(T, Vec<OwnedFd>)>> {
        loop {
            let Some(more) = self.recv_packet(inbox)? else { return Ok(None) };
            if more {
                continue;
            }
            let bytes = std::mem::take(&mut inbox.bytes);
            let fds = std::mem::take(&mut inbox.fds);
            let message = postcard::from_bytes(&bytes)
                .map_err(|err| io::Error::new(io::ErrorKind::InvalidData, err))?;
            return Ok(Some((message, fds)));
        }
    }

    /// The length of the packet that is there (at least 1, so that the end is seen as the end).
    fn next_packet_bytes(&self) -> io::Result<usize> {
        let flags = MsgFlags::MSG_PEEK | MsgFlags::MSG_TRUNC | MsgFlags::MSG_DONTWAIT;
        loop {
            match recv(self.socket.as_raw_fd(), &mut [], flags) {
                Err(Errno::EINTR) => {}
                Err(errno) => return Err(errno.into()),
                Ok(len) => return Ok(len.clamp(1, PACKET_BYTES)),
            }
        }
    }

    fn recv_packet(&self, inbox: &mut Inbox) -> io::Result<Option<bool>> {
        // As large as the packet: most are small, and each birth sends a few of them.
        let mut buffer = vec![0u8; self.next_packet_bytes()?];
        let mut space = nix::cmsg_space!([RawFd; MESSAGE_FDS]);
        let (len, truncated) = {
            let mut iov = [IoSliceMut::new(&mut buffer)];
            let flags = MsgFlags::MSG_CMSG_CLOEXEC | MsgFlags::MSG_DONTWAIT;
            let message = loop {
                match recvmsg::<()>(self.socket.as_raw_fd(), &mut iov, Some(&mut space), flags) {
                    Err(Errno::EINTR) => {}
                    other => break other?,
                }
            };
            for control in message.cmsgs()? {
                if let ControlMessageOwned::ScmRights(fds) = control {
                    // SAFETY: the kernel has just made these descriptors for us, and nobody else
                    // has seen their numbers.
                    inbox.fds.extend(fds.into_iter().map(|fd| unsafe { OwnedFd::from_raw_fd(fd) }));
                }
            }
            (message.bytes, message.flags.intersects(MsgFlags::MSG_TRUNC | MsgFlags::MSG_CTRUNC))
        };
        if len == 0 {
            return Ok(None);
        }
        // A sender fills every packet but the last; many small ones would hold the receiver up.
        if buffer[0] != 0 && len != PACKET_BYTES {
            return Err(io::Error::new(io::ErrorKind::InvalidData, "a short packet in the middle"));
        }
        inbox.bytes.extend_from_slice(&buffer[1..len]);
        if truncated || inbox.bytes.len() > MESSAGE_BYTES || inbox.fds.len() > MESSAGE_FDS {
            return Err(io::Error::new(io::ErrorKind::InvalidData, "message too large"));
        }
        Ok(Some(buffer[0] != 0))
    }
}

impl AsFd for Channel {
    fn as_fd(&self) -> BorrowedFd<'_> {
        self.socket.as_fd()
    }
}

impl AsRawFd for Channel {
    fn as_raw_fd(&self) -> RawFd {
        self.socket.as_raw_fd()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn round_trip(message: &str, fds: &[BorrowedFd<'_>]) -> (String, usize) {
        let (a, b) = Channel::pair().unwrap();
        let text = message.to_string();
        std::thread::scope(|scope| {
            scope.spawn(|| a.send(&text, fds).unwrap());
            let mut inbox = Inbox::default();
            loop {
                match b.recv::<String>(&mut inbox) {
                    Ok(Some((message, fds))) => return (message, fds.len()),
                    Err(err) if err.kind() == io::ErrorKind::WouldBlock => std::thread::yield_now(),
                    other => panic!("{other:?}"),
                }
            }
        })
    }

    #[test]
    fn small_and_large_messages_arrive_whole() {
        for len in [0, 1, PACKET_BYTES - 2, PACKET_BYTES, 1_000_000] {
            let message = "x".repeat(len);
            assert_eq!(round_trip(&message, &[]).0.len(), len);
        }
    }

    #[test]
    fn a_burst_waits_for_room_and_nobody_waits_for_ever() {
        let (a, b) = Channel::pair().unwrap();
        let text = "x".repeat(10_000);
        let reader = std::thread::spawn(move || {
            // Late, when the socket has long been full.
            std::thread::sleep(std::time::Duration::from_millis(200));
            let mut inbox = Inbox::default();
            let mut count = 0;
            while count < 100 {
                match b.recv::<String>(&mut inbox) {
                    Ok(Some(_)) => count += 1,
                    Err(err) if err.kind() == io::ErrorKind::WouldBlock => std::thread::yield_now(),
                    other => panic!("{other:?}"),
                }
            }
            b
        });
        for _ in 0..100 {
            a.send_waiting(&text, &[]).unwrap();
        }
        let silent = reader.join().unwrap();
        let stuck = (0..100).find_map(|_| a.send_waiting(&text, &[]).err());
        assert_eq!(stuck.map(|err| err.kind()), Some(io::ErrorKind::BrokenPipe));
        drop(silent);
    }

    #[test]
    fn a_receiver_is_not_held_up_by_empty_packets() {
        let (a, b) = Channel::pair().unwrap();
        a.send_packet(1, &[], &[], None).unwrap();
        let err = b.recv::<String>(&mut Inbox::default()).unwrap_err();
        assert_eq!(err.kind(), io::ErrorKind::InvalidData);
    }

    #[test]
    fn descriptors_travel_with_it() {
        let null = std::fs::File::open("/dev/null").unwrap();
        assert_eq!(round_trip("fds", &[null.as_fd(), null.as_fd()]).1, 2);
    }

    #[test]
    fn a_closed_channel_is_none_and_nonsense_an_error() {
        let (a, b) = Channel::pair().unwrap();
        a.send(&7u8, &[]).unwrap();
        assert!(b.recv::<String>(&mut Inbox::default()).is_err());
        drop(a);
        assert!(matches!(b.recv::<String>(&mut Inbox::default()), Ok(None)));
    }
}
