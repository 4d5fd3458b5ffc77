//! One look at the namespaces of a machine: what a page is told beyond the eight numbers that
//! each [`crate::process::Process`] carries.
//!
//! It is asked for ([`crate::message::Command::Discover`]) and not part of a sample: reading
//! descriptors, mounts and maps of every process takes longer than a tick may.
//!
//! Only the machine's own processes are looked at. What they share with the host is told as a
//! number and nothing more.

use serde::{Deserialize, Serialize};

use crate::id::{ContainerId, MachineId};
use crate::namespace::Namespace;

/// Everything that one look found.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
pub struct Discovery {
    /// Of which machine.
    pub machine: MachineId,
    /// Monotonic time of the look, in milliseconds; the clock of [`crate::message::Sample`].
    pub at_msec: u64,
    /// The namespaces that are there from boot, in the order of [`Namespace::ALL`]; 0 where they
    /// cannot be told from others.
    pub initial: [u64; 8],
    /// Those of the machine's PID 1; 0 where they cannot be read.
    pub machines: [u64; 8],
    /// By type, then by number.
    pub namespaces: Vec<Found>,
    /// The id maps of the user namespaces that somebody is in.
    pub id_maps: Vec<IdMaps>,
    /// What is mounted in the mount namespaces that somebody is in.
    pub mounts: Vec<MountTable>,
    /// The network devices of the net namespaces that somebody is in, but for the host's own.
    pub devices: Vec<NetDevices>,
    /// Was there more than a look may take?
    pub cut: bool,
}

/// One namespace.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
pub struct Found {
    /// Its type.
    pub kind: Namespace,
    /// Its inode number, as in `/proc/PID/ns`.
    pub id: u64,
    /// Whose it is.
    pub whose: Whose,
    /// How many of the machine's processes are in it.
    pub processes: u32,
    /// The lowest PID of these on the host; `None` when only a holder keeps it.
    pub pid: Option<u32>,
    /// What keeps it besides its processes.
    pub held_by: Vec<Holder>,
    /// The user namespace that owns it (`NS_GET_USERNS`); of a user namespace its parent. `None`
    /// where the kernel (before 6.11) or the holder does not let it be asked.
    pub owner: Option<u64>,
    /// The user on the host who made that user namespace (`NS_GET_OWNER_UID`); of a user
    /// namespace the one who made it.
    pub owner_uid: Option<u32>,
    /// The parent of a PID or user namespace (`NS_GET_PARENT`).
    pub parent: Option<u64>,
}

/// Whose a namespace is.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
pub enum Whose {
    /// It is there from boot: nothing separates the machine from the host here.
    Initial,
    /// The machine's: its PID 1 is in it, or processes of several containers.
    Machine,
    /// Only this container's processes are in it, or hold it.
    Container {
        /// Which.
        container: ContainerId,
    },
    /// Made by hand in the machine, outside its containers.
    Made,
}

/// What keeps a namespace besides the processes in it.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
pub enum Holder {
    /// An open descriptor.
    Descriptor {
        /// Of this process, by its PID on the host.
        pid: u32,
        /// Its number.
        fd: u32,
    },
    /// A file that it is mounted on.
    Mount {
        /// A process that sees the mount, by its PID on the host.
        pid: u32,
        /// Where, as that process sees it.
        path: String,
    },
    /// A process whose next children will be born in it.
    Children {
        /// Which, by its PID on the host.
        pid: u32,
    },
    /// A namespace that belongs to it, or is below it.
    Namespace {
        /// Its number.
        id: u64,
    },
}

/// The maps of a user namespace.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
pub struct IdMaps {
    /// The user namespace.
    pub namespace: u64,
    /// `uid_map`, its outer ids as the host has them.
    pub uids: Vec<Extent>,
    /// `gid_map`, the same.
    pub gids: Vec<Extent>,
}

/// One line of a map: so many ids from `inside` on are those from `outside` on.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
pub struct Extent {
    /// The first id inside.
    pub inside: u32,
    /// The first id on the host.
    pub outside: u32,
    /// How many.
    pub count: u32,
}

/// What is mounted in a mount namespace.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
pub struct MountTable {
    /// The mount namespace.
    pub namespace: u64,
    /// The process that sees it so, by its PID on the host: paths begin at its root.
    pub pid: u32,
    /// In the kernel's order; [`Discovery::cut`] when some are missing.
    pub mounts: Vec<Mount>,
}

/// One line of `proc_pid_mountinfo(5)`, printable and cut.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
pub struct Mount {
    /// Its number.
    pub id: u32,
    /// The number of the mount that it is mounted on.
    pub parent: u32,
    /// `major:minor` of the file system.
    pub device: String,
    /// The directory of the file system that is seen.
    pub root: String,
    /// Where, as the process sees it.
    pub path: String,
    /// Options of this mount.
    pub options: String,
    /// `shared:N`, `master:N` and so on; empty for a private one.
    pub propagation: String,
    /// The file system's type.
    pub kind: String,
    /// What is mounted.
    pub source: String,
}

/// The devices of a network namespace.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
pub struct NetDevices {
    /// The network namespace.
    pub namespace: u64,
    /// In the kernel's order.
    pub devices: Vec<NetDevice>,
}

/// A network device. Which device is at the other end of a `veth` is told by netlink alone; in a
/// machine there is none to tell of, because nothing in it may make one.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
pub struct NetDevice {
    /// Its name.
    pub name: String,
    /// Its `ifindex`, where IPv6 tells it.
    pub index: Option<u32>,
    /// Bytes received.
    pub rx_bytes: u64,
    /// Bytes sent.
    pub tx_bytes: u64,
}

impl Discovery {
    /// The namespace of this type and number.
    pub fn find(&self, kind: Namespace, id: u64) -> Option<&Found> {
        self.namespaces.iter().find(|found| found.kind == kind && found.id == id)
    }
}
