//! One group at one moment.

use serde::{Deserialize, Serialize};

use super::{ControllerSet, Dialect, GroupId};

/// One group at one moment. Values, never differences, but for the two CPU rates, which are
/// computed once for all viewers from real elapsed time.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
pub struct CgroupSample {
    /// Which group.
    pub group: GroupId,
    /// Its path below the machine's cap: ``, `root`, `root/c1`.
    pub path: String,
    /// Which dialect its cpu controller speaks.
    pub dialect: Dialect,
    /// CPU used since the last reading, in thousandths of one CPU.
    pub cpu_permille: u32,
    /// CPU time used so far, in nanoseconds.
    pub cpu_nsec: u64,
    /// Bandwidth settings and counters.
    pub cpu: CpuBandwidth,
    /// Memory in use, in bytes.
    pub memory_bytes: u64,
    /// Its limit; `None` is no limit.
    pub memory_max: Option<u64>,
    /// Processes and threads.
    pub pids: u64,
    /// Their limit; `None` is no limit.
    pub pids_max: Option<u64>,
    /// Memory above which it is slowed down (v2 `memory.high`), in bytes; `None` is no limit. The
    /// soft limit of v1 slows nobody down and is not this.
    pub memory_high: Option<u64>,
    /// Swap in use, in bytes; 0 where it is not counted.
    pub swap_bytes: u64,
    /// Its weight for the CPU as the dialect has it: v1 shares (1024 by default), v2 weight (100);
    /// 0 where the controller is not there.
    pub cpu_weight: u64,
    /// The CPUs that it may really run on (`cpuset.effective_cpus`, `cpuset.cpus.effective`); empty
    /// where the controller is not there.
    pub cpus: String,
    /// How often limits have been met.
    pub met: Met,
    /// The controllers that it has: v2 `cgroup.controllers`, v1 those of the hierarchies that it
    /// exists in.
    pub available: ControllerSet,
    /// The controllers that its children have: v2 `cgroup.subtree_control`; in v1 there is no such
    /// switch, and they are the same.
    pub enabled: ControllerSet,
    /// The processes in it, not in a group below, by host PID.
    pub members: Vec<Member>,
    /// The raw files that are shown, with their text; of a group that somebody made in the machine
    /// ([`GroupId::Made`]) only when [`crate::message::Command::ShowFiles`] asks for them.
    pub files: Vec<RawFile>,
}

/// A process in a group. A process is in one group of each hierarchy: in v1 it can be in one group
/// for its CPU and in another for its memory.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
pub struct Member {
    /// Its PID on the host.
    pub pid: u32,
    /// The controllers whose group this is for it; in v2 all that there are.
    pub controllers: ControllerSet,
}

/// How often the limits of a group have been met since it was made; 0 where the kernel does not
/// count it.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
pub struct Met {
    /// Processes slowed down above `memory.high` (v2).
    pub memory_high: u64,
    /// Memory asked for at the limit (v1 `memory.failcnt`, v2 `max` of `memory.events`).
    pub memory_max: u64,
    /// Processes killed for memory.
    pub oom_kills: u64,
    /// Forks refused for the number of processes (`max` of `pids.events`).
    pub pids_max: u64,
}

/// `cpu.cfs_*`/`cpu.max` and `cpu.stat`, in one form for both dialects.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
pub struct CpuBandwidth {
    /// CPU time allowed in each period; `None` is no limit.
    pub quota_usec: Option<u64>,
    /// Length of the period.
    pub period_usec: u64,
    /// Periods that have passed while the group wanted CPU under a quota.
    pub nr_periods: u64,
    /// Of these, the ones in which it was throttled.
    pub nr_throttled: u64,
    /// Time its run queues stood throttled, in microseconds, summed over CPUs.
    pub throttled_usec: u64,
}

/// A file of a group and what it says.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
pub struct RawFile {
    /// The file's name.
    pub name: String,
    /// Its text, without the last newline.
    pub value: String,
    /// May this page write it?
    pub writable: bool,
}
