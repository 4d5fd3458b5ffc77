//! Settings, and the files that they stand for in each dialect.

use serde::{Deserialize, Serialize};

use super::{Controller, Dialect};
use crate::spec::Limits;

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
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
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
    /// A line of `io.max`: a device and any of its four keys; what is not said is not limited.
    pub fn parse(line: &str) -> Option<Self> {
        let mut words = line.split_whitespace();
        let (major, minor) = parse_device(words.next()?)?;
        let mut io = IoMax { major, minor, ..IoMax::default() };
        for word in words {
            let (key, value) = word.split_once('=')?;
            let value = match value {
                "max" => None,
                value => Some(value.parse().ok().filter(|&value: &u64| value > 0)?),
            };
            match key {
                "rbps" => io.read_bps = value,
                "wbps" => io.write_bps = value,
                "riops" => io.read_iops = value,
                "wiops" => io.write_iops = value,
                _ => return None,
            }
        }
        Some(io)
    }

    /// As `io.max` writes it, all four keys.
    pub fn line(&self) -> String {
        let values = [self.read_bps, self.write_bps, self.read_iops, self.write_iops];
        let words =
            ["rbps", "wbps", "riops", "wiops"].into_iter().zip(values).map(|(name, value)| {
                match value {
                    Some(value) => format!("{name}={value}"),
                    None => format!("{name}=max"),
                }
            });
        let words: Vec<_> = words.collect();
        format!("{}:{} {}", self.major, self.minor, words.join(" "))
    }

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
            Dialect::V2 => vec![write("io.max", self.line())],
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

/// The device numbers of `MAJOR:MINOR`.
pub fn parse_device(text: &str) -> Option<(u32, u32)> {
    let (major, minor) = text.split_once(':')?;
    let (major, minor) = (major.parse().ok()?, minor.parse().ok()?);
    // As many bits as `dev_t` has for each.
    (major < 1 << 12 && minor < 1 << 20).then_some((major, minor))
}

/// The v2 weight for v1 shares (2 to 262144 → 1 to 10000), as container runtimes turn them since
/// 2025: a curve through both ends and both defaults, 1024 and 100. Before, a straight line made
/// 39 of the default, and containers got less than their part.
///
/// See <https://github.com/opencontainers/cgroups/pull/20> (runc 1.3.2) and
/// <https://github.com/containers/crun/pull/1767> (crun 1.23).
#[expect(
    clippy::cast_possible_truncation,
    clippy::cast_sign_loss,
    reason = "between 1 and 262144 by the arms before"
)]
pub fn weight_of_shares(shares: u64) -> u64 {
    match shares {
        0..=2 => 1,
        262_144.. => 10_000,
        shares => {
            // Exact: below 2^18.
            let log2 = (shares as f64).log2();
            let exponent = (log2 * log2 + 125.0 * log2) / 612.0 - 7.0 / 34.0;
            // The last bits differ between machines; the default must be the default on all.
            (10_f64.powf(exponent) - 1e-6).ceil() as u64
        }
    }
}

/// The v1 shares for a v2 weight: the most of those that give it.
#[expect(
    clippy::cast_possible_truncation,
    clippy::cast_sign_loss,
    reason = "between 1 and 262144 by the arms before"
)]
pub fn shares_of_weight(weight: u64) -> u64 {
    match weight {
        0..=1 => 2,
        10_000.. => 262_144,
        weight => {
            let target = ((weight as f64).log10() + 7.0 / 34.0) * 612.0;
            let log2 = ((125.0_f64 * 125.0 + 4.0 * target).sqrt() - 125.0) / 2.0;
            (log2.exp2() + 1e-6).floor() as u64
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

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
        // The last two are from the runtimes' own tests and reports.
        for (shares, weight) in [(2, 1), (1_024, 100), (262_144, 10_000), (2_000, 170), (512, 59)] {
            assert_eq!(weight_of_shares(shares), weight, "{shares}");
        }
        assert_eq!([1, 100, 10_000].map(shares_of_weight), [2, 1_024, 262_144]);
        assert_eq!((weight_of_shares(0), shares_of_weight(u64::MAX)), (1, 262_144));
    }
}
