//! The files that a page shows and may write, with range and unit: one table for both ends.
//!
//! The launcher looks every write up in it again. Sources: `Documentation/admin-guide/cgroup-v1/`,
//! `cgroup-v2.rst` and `Documentation/scheduler/sched-bwc.rst` of the kernel.

use serde::{Deserialize, Serialize};

use super::{Controller, Dialect, IoMax, parse_device};
use crate::spec::{MAX_QUOTA_USEC, MIN_QUOTA_USEC, PERIOD_USEC, parse_cpu_list};

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
    /// A list of CPUs, or of memory nodes.
    CpuList,
    /// One of these words.
    Word(&'static [&'static str]),
    /// `MAJOR:MINOR RATE`, where 0 is no limit.
    DeviceRate,
    /// `io.max`: `MAJOR:MINOR` and any of `rbps= wbps= riops= wiops=`.
    IoMax,
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
///
/// v1 files first; each controller's settings before its counters. A file that a kernel does not
/// have (no swap counted, no `cpu.idle` before 5.15) is not shown.
pub const FILES: &[FileRule] = &{
    use Controller::{Cpu, Cpuacct, Cpuset, Freezer, Io, Memory, Pids};
    use Dialect::{V1, V2};
    [
        rule(Cpu, V1, "cpu.cfs_quota_us", "µs", integer(MIN_QUOTA_USEC, MAX_QUOTA_USEC, MINUS_1)),
        rule(Cpu, V1, "cpu.cfs_period_us", "µs", PERIOD),
        rule(Cpu, V1, "cpu.cfs_burst_us", "µs", integer(0, MAX_QUOTA_USEC, None)),
        rule(Cpu, V1, "cpu.shares", "", integer(2, 262_144, None)),
        rule(Cpu, V1, "cpu.idle", "", SWITCH),
        rule(Cpu, V1, "cpu.stat", "", None),
        rule(Cpuacct, V1, "cpuacct.usage", "ns", None),
        rule(Cpuacct, V1, "cpuacct.stat", "", None),
        rule(Cpuset, V1, "cpuset.cpus", "", Some(Takes::CpuList)),
        rule(Cpuset, V1, "cpuset.mems", "", Some(Takes::CpuList)),
        rule(Cpuset, V1, "cpuset.effective_cpus", "", None),
        rule(Memory, V1, "memory.limit_in_bytes", "bytes", bytes(MINUS_1)),
        rule(Memory, V1, "memory.soft_limit_in_bytes", "bytes", bytes(MINUS_1)),
        rule(Memory, V1, "memory.memsw.limit_in_bytes", "bytes", bytes(MINUS_1)),
        rule(Memory, V1, "memory.swappiness", "", integer(0, 200, None)),
        rule(Memory, V1, "memory.usage_in_bytes", "bytes", None),
        rule(Memory, V1, "memory.max_usage_in_bytes", "bytes", None),
        rule(Memory, V1, "memory.memsw.usage_in_bytes", "bytes", None),
        rule(Memory, V1, "memory.failcnt", "", None),
        rule(Memory, V1, "memory.oom_control", "", None),
        rule(Pids, V1, "pids.max", "", integer(1, 4_194_304, MAX)),
        rule(Pids, V1, "pids.current", "", None),
        rule(Pids, V1, "pids.events", "", None),
        rule(Freezer, V1, "freezer.state", "", Some(Takes::Word(&["FROZEN", "THAWED"]))),
        rule(Io, V1, "blkio.throttle.read_bps_device", "bytes/s", Some(Takes::DeviceRate)),
        rule(Io, V1, "blkio.throttle.write_bps_device", "bytes/s", Some(Takes::DeviceRate)),
        rule(Io, V1, "blkio.throttle.read_iops_device", "/s", Some(Takes::DeviceRate)),
        rule(Io, V1, "blkio.throttle.write_iops_device", "/s", Some(Takes::DeviceRate)),
        rule(Io, V1, "blkio.throttle.io_service_bytes", "bytes", None),
        rule(Io, V1, "blkio.throttle.io_serviced", "", None),
        rule(Cpu, V2, "cpu.max", "µs", Some(Takes::QuotaAndPeriod)),
        rule(Cpu, V2, "cpu.max.burst", "µs", integer(0, MAX_QUOTA_USEC, None)),
        rule(Cpu, V2, "cpu.weight", "", integer(1, 10_000, None)),
        rule(Cpu, V2, "cpu.idle", "", SWITCH),
        rule(Cpu, V2, "cpu.stat", "", None),
        rule(Cpuset, V2, "cpuset.cpus", "", Some(Takes::CpuList)),
        rule(Cpuset, V2, "cpuset.mems", "", Some(Takes::CpuList)),
        rule(Cpuset, V2, "cpuset.cpus.effective", "", None),
        rule(Memory, V2, "memory.max", "bytes", bytes(MAX)),
        rule(Memory, V2, "memory.high", "bytes", bytes(MAX)),
        rule(Memory, V2, "memory.swap.max", "bytes", integer(0, 1 << 50, MAX)),
        rule(Memory, V2, "memory.oom.group", "", SWITCH),
        rule(Memory, V2, "memory.current", "bytes", None),
        rule(Memory, V2, "memory.peak", "bytes", None),
        rule(Memory, V2, "memory.swap.current", "bytes", None),
        rule(Memory, V2, "memory.events", "", None),
        rule(Pids, V2, "pids.max", "", integer(1, 4_194_304, MAX)),
        rule(Pids, V2, "pids.current", "", None),
        rule(Pids, V2, "pids.events", "", None),
        rule(Io, V2, "io.max", "", Some(Takes::IoMax)),
        rule(Io, V2, "io.stat", "", None),
        // Every v2 group has these, whatever controllers it has.
        rule(Freezer, V2, "cgroup.freeze", "", SWITCH),
        rule(Freezer, V2, "cgroup.events", "", None),
    ]
};

const MINUS_1: Option<&str> = Some("-1");
const MAX: Option<&str> = Some("max");
const SWITCH: Option<Takes> = integer(0, 1, None);
const PERIOD: Option<Takes> = integer(*PERIOD_USEC.start(), *PERIOD_USEC.end(), None);

const fn bytes(unlimited: Option<&'static str>) -> Option<Takes> {
    integer(1 << 20, 1 << 50, unlimited)
}

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
    /// The machine's cap is above what its owner may write.
    #[error("the machine's cap can only be read")]
    Cap,
    /// `memory.swappiness` where the kernel does not count swap.
    #[error("memory.swappiness takes 0, because this kernel does not count swap; not {given:?}")]
    SwapNotCounted {
        /// What was given.
        given: String,
    },
    /// Not what the file takes.
    #[error("{file} takes {allowed}, not {given:?}")]
    Value {
        /// The file.
        file: String,
        /// What was given, cut.
        given: String,
        /// What it takes, in English.
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
            Takes::Word(words) => words.contains(&value).then(|| value.into()),
            Takes::DeviceRate => {
                let (device, rate) = value.split_once(' ')?;
                let rate: u64 = rate.trim().parse().ok()?;
                parse_device(device).map(|(major, minor)| format!("{major}:{minor} {rate}"))
            }
            // As it was said: the kernel keeps the keys that are not named.
            Takes::IoMax => {
                IoMax::parse(value).map(|_| value.split_whitespace().collect::<Vec<_>>().join(" "))
            }
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
            Takes::Word(words) => words.join(" or "),
            Takes::DeviceRate => {
                "a block device and a number such as 8:0 1048576, where 0 is no limit".into()
            }
            Takes::IoMax => {
                "a block device and what is limited, such as 8:0 rbps=1048576 wiops=max".into()
            }
        }
    }
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
    fn words_switches_and_devices() {
        accepts("freezer.state", Dialect::V1, "FROZEN\n", "FROZEN");
        refuses("freezer.state", Dialect::V1, "FREEZING");
        accepts("cgroup.freeze", Dialect::V2, "1", "1");
        refuses("memory.oom.group", Dialect::V2, "2");
        accepts("memory.swap.max", Dialect::V2, "0", "0");
        accepts("blkio.throttle.read_bps_device", Dialect::V1, "8:0  1048576", "8:0 1048576");
        refuses("blkio.throttle.read_bps_device", Dialect::V1, "8:0");
        refuses("blkio.throttle.read_bps_device", Dialect::V1, "sda 1");
        accepts("io.max", Dialect::V2, "8:0  rbps=1 wiops=max", "8:0 rbps=1 wiops=max");
        refuses("io.max", Dialect::V2, "8:0 rbps=1\n8:16 rbps=1");
        refuses("io.max", Dialect::V2, "8:0 speed=1");
    }

    #[test]
    fn only_files_in_the_table() {
        refuses("cgroup.procs", Dialect::V1, "1");
        refuses("../cpu.shares", Dialect::V1, "2");
        refuses("cpu.stat", Dialect::V1, "0");
        refuses("cpu.max", Dialect::V1, "max");
    }
}
