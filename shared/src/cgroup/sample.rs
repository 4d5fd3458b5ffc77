//! A machine's groups, and one of them at one moment.

use serde::{Deserialize, Serialize};

use super::Dialect;
use crate::id::ContainerId;

/// Which group of a machine's subtree. There are no others, so a path cannot be forged.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
pub enum GroupId {
    /// The cap, one level above what the machine can write.
    Cap,
    /// The machine's own root.
    Root,
    /// Below it, where the machine's PID 1 and its shells are: in v2 a group with processes in
    /// it cannot have controllers for its children.
    Shell,
    /// A container's.
    Container(ContainerId),
}

/// One group at one moment. Values, never differences, but for the two CPU rates, which are
/// computed once for all viewers from real elapsed time.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
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
    /// The raw files that are shown, with their text.
    pub files: Vec<RawFile>,
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
