//! What web, observer and launcher say to each other.

use std::net::SocketAddr;
use std::path::PathBuf;

use ipnet::IpNet;
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
