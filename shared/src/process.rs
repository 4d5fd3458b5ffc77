//! One process as the kernel tells it, and what each eye sees of it.

use serde::{Deserialize, Serialize};

use crate::id::ContainerId;

/// One process, from one reading of `/proc`.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
pub struct Process {
    /// `NSpid`: its PID in each PID namespace, the host's first, the innermost last.
    pub pids: Vec<u32>,
    /// The parent's PID on the host.
    pub parent: u32,
    /// The container it belongs to; `None` for the machine's own.
    pub container: Option<ContainerId>,
    /// Effective user id on the host.
    pub host_uid: u32,
    /// The same user seen from its own user namespace.
    pub uid: u32,
    /// State letter of `proc_pid_stat(5)`.
    pub state: char,
    /// The command's name (`comm`).
    pub name: String,
    /// The command line, cut; empty for a zombie.
    pub command: String,
    /// CPU used since the last reading, in thousandths of one CPU.
    pub cpu_permille: u32,
    /// CPU time used so far, in milliseconds.
    pub cpu_msec: u64,
    /// Resident memory, in bytes.
    pub rss_bytes: u64,
    /// Clock ticks from boot to its start: with the PID, its identity.
    pub start_ticks: u64,
    /// Inode numbers of its namespaces, in the order of [`crate::namespace::Namespace::ALL`];
    /// 0 where it vanished before it could be read.
    pub namespaces: [u64; 8],
}

impl Process {
    /// The PID on the host.
    pub fn host_pid(&self) -> u32 {
        self.pids.first().copied().unwrap_or(0)
    }

    /// The PID in the namespace `depth` levels below the host's, if it is visible there.
    pub fn pid_at(&self, depth: usize) -> Option<u32> {
        self.pids.get(depth).copied()
    }
}
