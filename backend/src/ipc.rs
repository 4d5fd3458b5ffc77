//! What the three processes say to each other, and the channel they say it over.
//!
//! A channel is one end of a `SOCK_SEQPACKET` socket pair. A message is postcard, cut into
//! packets of at most [`PACKET_BYTES`] (a single packet cannot pass about 212 KB on a default
//! kernel); each packet begins with a byte that says whether more follow. Descriptors travel by
//! `SCM_RIGHTS` with the first packet.
//!
//! **Invariant:** a receiver never trusts a sender: lengths, counts and contents are checked, and
//! a message that cannot be read is an error of the channel, never a panic.

use std::io::{self, IoSlice, IoSliceMut};
use std::net::SocketAddr;
use std::os::fd::{AsFd, AsRawFd, BorrowedFd, FromRawFd, OwnedFd, RawFd};
use std::path::PathBuf;
use std::time::{Duration, Instant};

use ipnet::IpNet;
use nix::errno::Errno;
use nix::sys::socket::{
    AddressFamily, ControlMessage, ControlMessageOwned, MsgFlags, SockFlag, SockType, recv,
    recvmsg, sendmsg, socketpair,
};
use serde::de::DeserializeOwned;
use serde::{Deserialize, Serialize};
use vitrine_shared::cgroup::{Dialect, GroupId};
use vitrine_shared::discovery::Discovery;
use vitrine_shared::focus::{CpuSample, Focus};
use vitrine_shared::id::{ContainerId, MachineId, ParticipantId, TerminalId};
use vitrine_shared::message::{
    Answer, Command, FeedEntry, HostInfo, Machine, Sample, Spell, Victim,
};
use vitrine_shared::role::Identity;
use vitrine_shared::uses::UseSample;

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

/// From the launcher to web.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub enum ToWeb {
    /// The first message. Descriptors: the listening socket, the channel to the observer.
    Hello(Box<WebSetup>),
    /// A machine as it is now (on start: one for each that lives).
    Machine(Box<Machine>),
    /// A machine is gone.
    MachineGone {
        /// Which.
        machine: MachineId,
    },
    /// New entries of a machine's feed (on start: the latest it has).
    Feed {
        /// Whose.
        machine: MachineId,
        /// In order.
        entries: Vec<FeedEntry>,
    },
    /// A terminal to serve. Descriptors: the PTY master, the ring (see `web::ring`).
    Terminal {
        /// Its id.
        terminal: TerminalId,
        /// Its container's machine.
        machine: MachineId,
        /// Its container.
        container: ContainerId,
    },
    /// The program on a terminal has ended; what it wrote may still be read from the PTY.
    TerminalEnded {
        /// Which.
        terminal: TerminalId,
        /// As a shell writes it.
        status: i32,
    },
    /// The answer to a request.
    Answer {
        /// The request's number.
        request: u64,
        /// What came of it.
        answer: Answer,
    },
    /// Everything that was there at the start has been told.
    Synced,
    /// Images were added or removed: these are there now.
    Images {
        /// Their names, in order.
        names: Vec<String>,
    },
    /// The certificate and key from now on, looked at already: those of the setup are renewed.
    Tls(Box<TlsSetup>),
    /// The observer was restarted. Descriptor: the new channel to it.
    Observer,
}

/// What web needs to know.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct WebSetup {
    /// Signs cookies; drawn once by the launcher, so that sessions outlive web.
    pub cookie_key: [u8; 32],
    /// The one-time token that has not been exchanged yet, as text.
    pub token: Option<String>,
    /// Whom the token makes its bearer.
    pub teacher: ParticipantId,
    /// Where the listening socket is bound.
    pub listen: SocketAddr,
    /// Origins allowed beside the listening address itself.
    pub allowed_origins: Vec<String>,
    /// Proxies whose word about where a request comes from is believed.
    pub trusted_proxies: Vec<IpNet>,
    /// Certificate and key, when TLS is spoken.
    pub tls: Option<TlsSetup>,
    /// Serve the page from here and not from the binary (for development).
    pub assets: Option<PathBuf>,
    /// Told to every page.
    pub host: HostInfo,
}

/// What TLS needs, as the files have it (PEM).
#[derive(Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct TlsSetup {
    /// The certificate and those between it and the authority.
    pub certificate: Vec<u8>,
    /// The private key.
    pub key: Vec<u8>,
}

impl std::fmt::Debug for TlsSetup {
    /// The key is not for logs.
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("TlsSetup").finish_non_exhaustive()
    }
}

/// From web to the launcher.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub enum FromWeb {
    /// Web serves.
    Ready,
    /// A command that web has found allowed; the launcher looks again.
    Request {
        /// Chosen by web.
        request: u64,
        /// Who asks.
        by: Identity,
        /// What.
        command: Command,
    },
    /// The one-time token has been exchanged.
    TokenSpent,
}

/// From the launcher to the observer.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub enum ToObserver {
    /// A machine as the observer must know it; repeated when its containers change.
    Machine(ObservedMachine),
    /// A machine is gone.
    MachineGone {
        /// Which.
        machine: MachineId,
    },
    /// Web was (re)started. Descriptor: the new channel to it. What the old one asked for is
    /// forgotten.
    Web,
}

/// What the observer must know of a machine.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct ObservedMachine {
    /// Its id.
    pub machine: MachineId,
    /// The host PID of its PID 1.
    pub init_pid: u32,
    /// The first of its uids, as the launcher numbers them.
    pub uid_base: u32,
    /// Its hierarchies: controller names, dialect, and the directory of the machine's cap there
    /// (such as `/sys/fs/cgroup/cpu/vitrine/…`).
    pub hierarchies: Vec<ObservedHierarchy>,
    /// May there be more groups below `root`, which its owner made there or through a page?
    pub delegated: bool,
    /// Its groups, parents first: the id and the path below the cap (``, `root`, `root/c1`).
    pub groups: Vec<(GroupId, String)>,
    /// The file systems (`major:minor`) that are roots in it: the machine's own, and its
    /// containers'. They say who belongs to whom where there are no hierarchies.
    pub roots: Vec<(Option<ContainerId>, String)>,
}

/// One mounted hierarchy.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct ObservedHierarchy {
    /// Names of the controllers that are mounted together here.
    pub controllers: Vec<String>,
    /// Its dialect.
    pub dialect: Dialect,
    /// The directory of the machine's cap.
    pub directory: PathBuf,
}

/// From the observer to the launcher.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub enum FromObserver {
    /// The kernel killed something for memory in this group.
    OomKilled {
        /// Which machine.
        machine: MachineId,
        /// Which group.
        group: GroupId,
        /// Whom, if the kernel's log says it.
        victim: Option<Victim>,
    },
    /// A group is being throttled, or has not been for a while.
    Throttled {
        /// Which machine.
        machine: MachineId,
        /// Which group.
        group: GroupId,
        /// How it was, when it is over.
        ended: Option<Spell>,
    },
}

/// From web to the observer.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub enum WebToObserver {
    /// Read this machine at this rate; 0 stops.
    Watch {
        /// Which.
        machine: MachineId,
        /// Samples a second, at most 20.
        hertz: u8,
    },
    /// Of the groups that somebody made in a machine, send the raw files of these.
    Files {
        /// Which machine.
        machine: MachineId,
        /// Which groups; none of the others any longer.
        groups: Vec<GroupId>,
    },
    /// Look once at this machine's namespaces.
    Discover {
        /// Which.
        machine: MachineId,
    },
    /// Read this group's CPU, or what else it uses, closely, or no longer.
    Focus {
        /// Which.
        focus: Focus,
        /// From now on?
        on: bool,
    },
}

/// From the observer to web.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub enum ObserverToWeb {
    /// A reading.
    Sample(Box<Sample>),
    /// The CPU of a group that is looked at closely.
    Cpu(Box<CpuSample>),
    /// What else a group uses that is looked at closely.
    Use(Box<UseSample>),
    /// What a look at namespaces found.
    Discovery(Box<Discovery>),
}

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
