//! Controllers, the typed knobs of a cgroup and the files they stand for, in both dialects.
//!
//! One table says which files a page may write, with what range and unit; the launcher looks
//! every write up in it again. Sources: `Documentation/admin-guide/cgroup-v1/`, `cgroup-v2.rst`
//! and `Documentation/scheduler/sched-bwc.rst` of the kernel.

use serde::{Deserialize, Serialize};

use crate::id::ContainerId;
use crate::spec::{Limits, MAX_QUOTA_USEC, MIN_QUOTA_USEC, PERIOD_USEC, parse_cpu_list};

/// Which of the kernel's two cgroup interfaces a controller is mounted with.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
pub enum Dialect {
    /// One hierarchy a controller.
    V1,
    /// The unified hierarchy.
    V2,
}

/// A controller this program knows.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
pub enum Controller {
    /// Quota, period, weight.
    Cpu,
    /// Usage counters (v1 only; part of `cpu` in v2).
    Cpuacct,
    /// Which CPUs.
    Cpuset,
    /// Memory.
    Memory,
    /// Number of processes.
    Pids,
    /// Stop and go (v1 only; built into every group in v2).
    Freezer,
    /// Reads and writes of block devices (`blkio` in v1).
    Io,
}

impl Controller {
    /// All of them.
    pub const ALL: [Controller; 7] = [
        Controller::Cpu,
        Controller::Cpuacct,
        Controller::Cpuset,
        Controller::Memory,
        Controller::Pids,
        Controller::Freezer,
        Controller::Io,
    ];

    /// The kernel's name.
    pub const fn name(self) -> &'static str {
        match self {
            Controller::Cpu => "cpu",
            Controller::Cpuacct => "cpuacct",
            Controller::Cpuset => "cpuset",
            Controller::Memory => "memory",
            Controller::Pids => "pids",
            Controller::Freezer => "freezer",
            Controller::Io => "io",
        }
    }

    /// The controller of that name, in either dialect.
    pub fn named(name: &str) -> Option<Self> {
        if name == "blkio" {
            return Some(Controller::Io);
        }
        Controller::ALL.into_iter().find(|controller| controller.name() == name)
    }
}

/// What a file takes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Takes {
    /// An integer in a range; `unlimited` is the word for none (`-1` or `max`).
    Integer {
        /// Least allowed.
        min: u64,
        /// Most allowed.
        max: u64,
        /// How the kernel writes "no limit" here, if it can be.
        unlimited: Option<&'static str>,
    },
    /// `cpu.max`: a quota or `max`, and a period.
    QuotaAndPeriod,
    /// A list of CPUs.
    CpuList,
}

/// A cgroup file that the page shows; with `takes`, one that it may write.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct FileRule {
    /// Which controller's hierarchy.
    pub controller: Controller,
    /// Which dialect has it.
    pub dialect: Dialect,
    /// The file's name.
    pub name: &'static str,
    /// The unit of its number; empty for a table.
    pub unit: &'static str,
    /// What may be written; `None` for a file that is only read.
    pub takes: Option<Takes>,
}

const fn rule(
    controller: Controller,
    dialect: Dialect,
    name: &'static str,
    unit: &'static str,
    takes: Option<Takes>,
) -> FileRule {
    FileRule { controller, dialect, name, unit, takes }
}

const fn integer(min: u64, max: u64, unlimited: Option<&'static str>) -> Option<Takes> {
    Some(Takes::Integer { min, max, unlimited })
}

/// The files that are shown, and which of them may be written.
pub const FILES: &[FileRule] = &{
    use Controller::{Cpu, Cpuacct, Cpuset, Freezer, Memory, Pids};
    use Dialect::{V1, V2};
    [
        rule(
            Cpu,
            V1,
            "cpu.cfs_quota_us",
            "µs",
            integer(MIN_QUOTA_USEC, MAX_QUOTA_USEC, Some("-1")),
        ),
        rule(
            Cpu,
            V1,
            "cpu.cfs_period_us",
            "µs",
            integer(*PERIOD_USEC.start(), *PERIOD_USEC.end(), None),
        ),
        rule(Cpu, V1, "cpu.cfs_burst_us", "µs", integer(0, MAX_QUOTA_USEC, None)),
        rule(Cpu, V1, "cpu.shares", "", integer(2, 262_144, None)),
        rule(Cpu, V1, "cpu.stat", "", None),
        rule(Cpuacct, V1, "cpuacct.usage", "ns", None),
        rule(Cpuset, V1, "cpuset.cpus", "", Some(Takes::CpuList)),
        rule(Memory, V1, "memory.limit_in_bytes", "bytes", integer(1 << 20, 1 << 50, Some("-1"))),
        rule(Memory, V1, "memory.usage_in_bytes", "bytes", None),
        rule(Memory, V1, "memory.failcnt", "", None),
        rule(Pids, V1, "pids.max", "", integer(1, 4_194_304, Some("max"))),
        rule(Pids, V1, "pids.current", "", None),
        rule(Freezer, V1, "freezer.state", "", None),
        rule(Cpu, V2, "cpu.max", "µs", Some(Takes::QuotaAndPeriod)),
        rule(Cpu, V2, "cpu.max.burst", "µs", integer(0, MAX_QUOTA_USEC, None)),
        rule(Cpu, V2, "cpu.weight", "", integer(1, 10_000, None)),
        rule(Cpu, V2, "cpu.stat", "", None),
        rule(Cpuset, V2, "cpuset.cpus", "", Some(Takes::CpuList)),
        rule(Memory, V2, "memory.max", "bytes", integer(1 << 20, 1 << 50, Some("max"))),
        rule(Memory, V2, "memory.current", "bytes", None),
        rule(Memory, V2, "memory.events", "", None),
        rule(Pids, V2, "pids.max", "", integer(1, 4_194_304, Some("max"))),
        rule(Pids, V2, "pids.current", "", None),
    ]
};

/// The rule for a file, if it is one of ours.
pub fn file_rule(name: &str, dialect: Dialect) -> Option<&'static FileRule> {
    FILES.iter().find(|rule| rule.name == name && rule.dialect == dialect)
}

/// Why a value may not be written.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
pub enum BadWrite {
    /// Not in the table.
    #[error("{file:?} is not a cgroup file that can be written here")]
    UnknownFile {
        /// What was asked for, cut.
        file: String,
    },
    /// In the table, but only for reading.
    #[error("{file} can only be read")]
    ReadOnly {
        /// The file.
        file: String,
    },
    /// Not what the file takes.
    #[error("{file} takes {allowed}, not {given:?}")]
    Value {
        /// The file.
        file: String,
        /// What was given, cut.
        given: String,
        /// What it takes, in words.
        allowed: String,
    },
}

/// Checks a write from a page against the table and gives the text that is really written.
pub fn check_write(file: &str, dialect: Dialect, value: &str) -> Result<String, BadWrite> {
    let cut = |text: &str| text.chars().take(40).collect::<String>();
    let rule = file_rule(file, dialect).ok_or_else(|| BadWrite::UnknownFile { file: cut(file) })?;
    let takes = rule.takes.ok_or_else(|| BadWrite::ReadOnly { file: file.into() })?;
    takes.normalise(value.trim()).ok_or_else(|| BadWrite::Value {
        file: file.into(),
        given: cut(value),
        allowed: takes.in_words(rule.unit),
    })
}

impl Takes {
    fn normalise(self, value: &str) -> Option<String> {
        match self {
            Takes::Integer { unlimited: Some(word), .. } if value == word => Some(word.into()),
            Takes::Integer { min, max, .. } => {
                value.parse::<u64>().ok().filter(|v| (min..=max).contains(v)).map(|v| v.to_string())
            }
            Takes::QuotaAndPeriod => {
                let (quota, period) = match value.split_once(' ') {
                    Some((quota, period)) => (quota, Some(period.trim())),
                    None => (value, None),
                };
                let quota_ok = quota == "max"
                    || quota.parse().is_ok_and(|q| (MIN_QUOTA_USEC..=MAX_QUOTA_USEC).contains(&q));
                let period_ok =
                    period.is_none_or(|p| p.parse().is_ok_and(|p: u64| PERIOD_USEC.contains(&p)));
                (quota_ok && period_ok).then(|| match period {
                    Some(period) => format!("{quota} {period}"),
                    None => quota.into(),
                })
            }
            Takes::CpuList => parse_cpu_list(value).map(|_| value.into()),
        }
    }

    /// The allowed values as a sentence fragment.
    pub fn in_words(self, unit: &str) -> String {
        let unit = if unit.is_empty() { String::new() } else { format!(" {unit}") };
        match self {
            Takes::Integer { min, max, unlimited: None } => format!("{min} to {max}{unit}"),
            Takes::Integer { min, max, unlimited: Some(word) } => {
                format!("{min} to {max}{unit}, or {word} for no limit")
            }
            Takes::QuotaAndPeriod => format!(
                "a quota of at least {MIN_QUOTA_USEC} µs or max, then a period of {} to {} µs",
                PERIOD_USEC.start(),
                PERIOD_USEC.end()
            ),
            Takes::CpuList => "a list of CPUs such as 0-1,3".into(),
        }
    }
}

/// A setting, whatever the dialect writes for it.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
pub enum Knob {
    /// CPU bandwidth; `quota_usec: None` is no limit.
    CpuMax {
        /// CPU time allowed in each period.
        quota_usec: Option<u64>,
        /// Length of the period.
        period_usec: u64,
    },
    /// Relative weight, as v1 shares (2 to 262144).
    CpuShares(u64),
    /// CPUs it may run on.
    CpusetCpus(String),
    /// Memory in bytes; `None` is no limit.
    MemoryMax(Option<u64>),
    /// Number of processes; `None` is no limit.
    PidsMax(Option<u64>),
    /// Unused quota that may be saved up, in microseconds.
    CpuBurst(u64),
    /// Run only when nobody else wants the CPU.
    CpuIdle(bool),
    /// Memory above which it is slowed down, in bytes (v2 only); `None` is no limit.
    MemoryHigh(Option<u64>),
    /// Swap. v1 counts it together with memory, so the memory limit is said again.
    MemorySwap {
        /// Swap in bytes; `None` is no limit.
        swap_bytes: Option<u64>,
        /// The memory limit beside it.
        memory_bytes: Option<u64>,
    },
    /// When memory runs out, kill all of the group and not one process (v2 only).
    OomGroup(bool),
    /// Stop every process, or let them go on.
    Freeze(bool),
    /// Bandwidth of one block device.
    IoMax(IoMax),
}

/// Limits on one block device; `None` is no limit.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
pub struct IoMax {
    /// Major number.
    pub major: u32,
    /// Minor number.
    pub minor: u32,
    /// Bytes read a second.
    pub read_bps: Option<u64>,
    /// Bytes written a second.
    pub write_bps: Option<u64>,
    /// Reads a second.
    pub read_iops: Option<u64>,
    /// Writes a second.
    pub write_iops: Option<u64>,
}

/// One line to write: the controller, the file, the text.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Write {
    /// Which hierarchy.
    pub controller: Controller,
    /// Which file.
    pub file: &'static str,
    /// What to write.
    pub text: String,
}

impl Knob {
    /// The controller that has this knob.
    pub const fn controller(&self) -> Controller {
        match self {
            Knob::CpuMax { .. } | Knob::CpuShares(_) | Knob::CpuBurst(_) | Knob::CpuIdle(_) => {
                Controller::Cpu
            }
            Knob::CpusetCpus(_) => Controller::Cpuset,
            Knob::MemoryMax(_)
            | Knob::MemoryHigh(_)
            | Knob::MemorySwap { .. }
            | Knob::OomGroup(_) => Controller::Memory,
            Knob::PidsMax(_) => Controller::Pids,
            Knob::Freeze(_) => Controller::Freezer,
            Knob::IoMax(_) => Controller::Io,
        }
    }

    /// The writes that turn it, in order; none where the dialect has no such knob.
    ///
    /// On v1 the quota is lifted before the period is changed: the kernel checks each of the two
    /// writes by itself, and an old quota with a new period can be above the parent's ratio.
    pub fn writes(&self, dialect: Dialect) -> Vec<Write> {
        let write = |file, text: String| Write { controller: self.controller(), file, text };
        let or =
            |value: &Option<u64>, none: &str| value.map_or_else(|| none.into(), |v| v.to_string());
        match (self, dialect) {
            (Knob::CpuMax { quota_usec, period_usec }, Dialect::V1) => {
                let mut writes = vec![
                    write("cpu.cfs_quota_us", "-1".into()),
                    write("cpu.cfs_period_us", period_usec.to_string()),
                ];
                if let Some(quota) = quota_usec {
                    writes.push(write("cpu.cfs_quota_us", quota.to_string()));
                }
                writes
            }
            (Knob::CpuMax { quota_usec, period_usec }, Dialect::V2) => {
                vec![write("cpu.max", format!("{} {period_usec}", or(quota_usec, "max")))]
            }
            (Knob::CpuShares(shares), Dialect::V1) => vec![write("cpu.shares", shares.to_string())],
            (Knob::CpuShares(shares), Dialect::V2) => {
                vec![write("cpu.weight", weight_of_shares(*shares).to_string())]
            }
            (Knob::CpusetCpus(list), _) => vec![write("cpuset.cpus", list.clone())],
            (Knob::MemoryMax(max), Dialect::V1) => {
                vec![write("memory.limit_in_bytes", or(max, "-1"))]
            }
            (Knob::MemoryMax(max), Dialect::V2) => vec![write("memory.max", or(max, "max"))],
            (Knob::PidsMax(max), _) => vec![write("pids.max", or(max, "max"))],
            (Knob::CpuBurst(usec), Dialect::V1) => {
                vec![write("cpu.cfs_burst_us", usec.to_string())]
            }
            (Knob::CpuBurst(usec), Dialect::V2) => vec![write("cpu.max.burst", usec.to_string())],
            (Knob::CpuIdle(idle), _) => vec![write("cpu.idle", u8::from(*idle).to_string())],
            (Knob::MemoryHigh(_) | Knob::OomGroup(_), Dialect::V1) => Vec::new(),
            (Knob::MemoryHigh(high), Dialect::V2) => vec![write("memory.high", or(high, "max"))],
            (Knob::OomGroup(all), Dialect::V2) => {
                vec![write("memory.oom.group", u8::from(*all).to_string())]
            }
            (Knob::MemorySwap { swap_bytes, memory_bytes }, Dialect::V1) => {
                let both = swap_bytes.zip(*memory_bytes).map(|(swap, memory)| swap + memory);
                vec![write("memory.memsw.limit_in_bytes", or(&both, "-1"))]
            }
            (Knob::MemorySwap { swap_bytes, .. }, Dialect::V2) => {
                vec![write("memory.swap.max", or(swap_bytes, "max"))]
            }
            (Knob::Freeze(frozen), Dialect::V1) => {
                let state = if *frozen { "FROZEN" } else { "THAWED" };
                vec![write("freezer.state", state.into())]
            }
            (Knob::Freeze(frozen), Dialect::V2) => {
                vec![write("cgroup.freeze", u8::from(*frozen).to_string())]
            }
            (Knob::IoMax(io), dialect) => io.writes(dialect),
        }
    }
}

impl IoMax {
    fn writes(&self, dialect: Dialect) -> Vec<Write> {
        let device = format!("{}:{}", self.major, self.minor);
        let write = |file, text| Write { controller: Controller::Io, file, text };
        let values = [self.read_bps, self.write_bps, self.read_iops, self.write_iops];
        match dialect {
            // In v1 zero is no limit (blkio-controller.rst).
            Dialect::V1 => [
                "blkio.throttle.read_bps_device",
                "blkio.throttle.write_bps_device",
                "blkio.throttle.read_iops_device",
                "blkio.throttle.write_iops_device",
            ]
            .into_iter()
            .zip(values)
            .map(|(file, value)| write(file, format!("{device} {}", value.unwrap_or(0))))
            .collect(),
            Dialect::V2 => {
                let one = |(name, value): (&str, Option<u64>)| match value {
                    Some(value) => format!("{name}={value}"),
                    None => format!("{name}=max"),
                };
                let names = ["rbps", "wbps", "riops", "wiops"];
                let words: Vec<_> = names.into_iter().zip(values).map(one).collect();
                vec![write("io.max", format!("{device} {}", words.join(" ")))]
            }
        }
    }
}

impl Limits {
    /// The knobs to turn before a container starts.
    pub fn knobs(&self) -> Vec<Knob> {
        let mut knobs = Vec::new();
        if self.cpu_quota_usec.is_some() || self.cpu_period_usec.is_some() {
            knobs.push(Knob::CpuMax {
                quota_usec: self.cpu_quota_usec,
                period_usec: self.cpu_period_usec.unwrap_or(crate::spec::DEFAULT_PERIOD_USEC),
            });
        }
        knobs.extend(self.cpu_burst_usec.map(Knob::CpuBurst));
        knobs.extend(self.cpu_shares.map(Knob::CpuShares));
        knobs.extend(self.cpuset_cpus.clone().map(Knob::CpusetCpus));
        knobs.extend(self.memory_bytes.map(|bytes| Knob::MemoryMax(Some(bytes))));
        knobs.extend(self.memory_high_bytes.map(|bytes| Knob::MemoryHigh(Some(bytes))));
        knobs.extend(self.memory_swap_bytes.map(|bytes| Knob::MemorySwap {
            swap_bytes: Some(bytes),
            memory_bytes: self.memory_bytes,
        }));
        knobs.extend(self.pids_max.map(|max| Knob::PidsMax(Some(max))));
        knobs
    }
}

/// The v2 weight for v1 shares: the mapping that container runtimes use (2..262144 → 1..10000).
pub fn weight_of_shares(shares: u64) -> u64 {
    1 + (shares.clamp(2, 262_144) - 2) * 9_999 / 262_142
}

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

#[cfg(test)]
mod tests {
    use super::*;

    #[track_caller]
    fn accepts(file: &str, dialect: Dialect, value: &str, written: &str) {
        assert_eq!(check_write(file, dialect, value), Ok(written.into()));
    }

    #[track_caller]
    fn refuses(file: &str, dialect: Dialect, value: &str) {
        assert!(check_write(file, dialect, value).is_err(), "{file} took {value:?}");
    }

    #[test]
    fn quota_and_period() {
        accepts("cpu.cfs_quota_us", Dialect::V1, " 20000\n", "20000");
        accepts("cpu.cfs_quota_us", Dialect::V1, "-1", "-1");
        refuses("cpu.cfs_quota_us", Dialect::V1, "999");
        refuses("cpu.cfs_quota_us", Dialect::V1, "-2");
        refuses("cpu.cfs_quota_us", Dialect::V1, "20000; reboot");
        refuses("cpu.cfs_period_us", Dialect::V1, "-1");
        accepts("cpu.max", Dialect::V2, "20000 100000", "20000 100000");
        accepts("cpu.max", Dialect::V2, "max", "max");
        refuses("cpu.max", Dialect::V2, "20000 5");
    }

    #[test]
    fn only_files_in_the_table() {
        refuses("cgroup.procs", Dialect::V1, "1");
        refuses("../cpu.shares", Dialect::V1, "2");
        refuses("cpu.stat", Dialect::V1, "0");
        refuses("cpu.max", Dialect::V1, "max");
    }

    #[test]
    fn one_knob_two_dialects() {
        let knob = Knob::CpuMax { quota_usec: Some(20_000), period_usec: 100_000 };
        let v1: Vec<_> = knob.writes(Dialect::V1).into_iter().map(|w| (w.file, w.text)).collect();
        assert_eq!(
            v1,
            [
                ("cpu.cfs_quota_us", "-1".to_string()),
                ("cpu.cfs_period_us", "100000".to_string()),
                ("cpu.cfs_quota_us", "20000".to_string()),
            ]
        );
        assert_eq!(knob.writes(Dialect::V2)[0].text, "20000 100000");
    }

    #[test]
    fn shares_and_weight_meet_at_both_ends() {
        assert_eq!(weight_of_shares(2), 1);
        assert_eq!(weight_of_shares(262_144), 10_000);
        assert_eq!(weight_of_shares(1024), 39);
    }
}
