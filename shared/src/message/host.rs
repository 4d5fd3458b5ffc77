//! The host that a server stands on, and what it does not have.

use serde::{Deserialize, Serialize};

use super::machine::Profile;
use crate::cgroup::{Controller, Dialect};

/// What this server stands on.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
pub struct HostInfo {
    /// Version of Vitrine.
    pub version: String,
    /// Kernel release.
    pub kernel: String,
    /// CPUs online.
    pub cpus: u32,
    /// Memory, in bytes.
    pub memory_bytes: u64,
    /// The dialect of the cpu controller.
    pub cpu_dialect: Dialect,
    /// The profiles that machines can have here; the first is what a machine has when none is named.
    pub profiles: Vec<Profile>,
    /// The images that containers can have, by name, beside `busybox` and `lab`.
    pub images: Vec<String>,
    /// Was it started by an ordinary user?
    pub rootless: bool,
    /// Did lxcfs run when the server started? Else its view of `/proc` is refused until it does.
    pub lxcfs: bool,
    /// Can it be reached from other hosts without TLS?
    pub plain_http: bool,
    /// What it cannot do, why, and what mends it.
    pub missing: Vec<Missing>,
    /// Is it a model, and none of its numbers measured?
    #[serde(default)]
    pub simulated: bool,
}

/// Something that this host or this user does not have.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
pub struct Missing {
    /// What.
    pub feature: Feature,
    /// Why.
    pub because: Because,
    /// The command that mends it; empty where there is none.
    pub mend: String,
}

/// What can be missing.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
pub enum Feature {
    /// A cgroup controller: its limits cannot be set and its numbers not be read.
    Controller(Controller),
    /// 65,536 ids of its own for each machine: they share those of the user who started the server.
    OwnIds,
    /// More than one id in a machine.
    ManyIds,
    /// Images whose files belong to the machine's root, whatever that is on the host.
    IdMappedMounts,
    /// Users of their own for the server's parts that talk to the network and read `/proc`.
    ServiceUsers,
    /// Landlock around the part that talks to the network.
    Landlock,
    /// The static busybox that the smallest image is made from.
    Busybox,
    /// Time namespaces.
    TimeNamespaces,
}

/// Why it is missing.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
pub enum Because {
    /// The kernel is too old, or was built without it.
    Kernel,
    /// It is not mounted.
    NotMounted,
    /// The cgroup was not delegated to this user.
    NotDelegated,
    /// `/etc/subuid` and `/etc/subgid` have no range for this user.
    NoSubIds,
    /// `newuidmap` and `newgidmap` are not installed, or have lost their privilege.
    NoNewIdMap,
    /// Only root has it.
    NotRoot,
    /// It is not installed.
    NotInstalled,
    /// The file system that holds the data cannot.
    FileSystem,
    /// The host is simulated, and the model does without it.
    NotModelled,
}
