//! A machine and its containers, as everybody is told of them.

use serde::{Deserialize, Serialize};

use super::birth::Step;
use crate::birth::Newborn;
use crate::id::{ContainerId, MachineId, ParticipantId, TerminalId};
use crate::spec::ContainerSpec;

/// A machine.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
pub struct Machine {
    /// Its id.
    pub id: MachineId,
    /// Whose it is.
    pub owner: ParticipantId,
    /// What it lets its owner do.
    pub profile: Profile,
    /// The host PID of its PID 1.
    pub init_pid: u32,
    /// The first of its 65,536 uids on the host.
    pub uid_base: u32,
    /// Where its cgroups are below each hierarchy.
    pub cgroup_path: String,
    /// Unix time of its birth, in milliseconds.
    pub born_msec: u64,
    /// How it was born.
    pub steps: Vec<Step>,
    /// What the kernel said of its PID 1 then.
    #[serde(default)]
    pub newborn: Newborn,
    /// Its containers, oldest first; a few that have ended among them.
    pub containers: Vec<Container>,
}

/// What a machine lets its owner do.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
pub enum Profile {
    /// Safe to expose to strangers: no capabilities, no nested namespaces, no cgroupfs inside.
    Strict,
    /// For people one knows: inside its own user namespace the machine's root may mount, unshare
    /// and write to the machine's own cgroups.
    Lab,
}

/// A container.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
pub struct Container {
    /// Its id.
    pub id: ContainerId,
    /// Its short name in the machine: `c1`, `c2` …
    pub name: String,
    /// What was asked for.
    pub spec: ContainerSpec,
    /// Alive or not.
    pub state: ContainerState,
    /// Its terminal, while it lives.
    pub terminal: Option<TerminalId>,
    /// Which level of `Process::pids` its `/proc` shows: 2 for a PID namespace of its own with
    /// `/proc` remounted, 1 (the machine's) otherwise.
    pub proc_depth: u8,
    /// Unix time of its birth, in milliseconds.
    pub born_msec: u64,
    /// How it was born.
    pub steps: Vec<Step>,
    /// What the kernel said of its first process then.
    #[serde(default)]
    pub newborn: Newborn,
}

/// Alive or not.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
pub enum ContainerState {
    /// It runs; its first process has this PID on the host.
    Running {
        /// The PID.
        pid: u32,
    },
    /// It has ended.
    Exited {
        /// As a shell writes it: 128 + n for signal n.
        status: i32,
        /// CPU time it used, in milliseconds.
        cpu_msec: u64,
        /// Its largest resident set, in bytes.
        max_rss_bytes: u64,
    },
}
