//! Controllers, the typed knobs of a cgroup and the files they stand for, in both dialects.

mod files;
mod group;
mod knobs;
mod sample;
mod set;

use serde::{Deserialize, Serialize};

pub use files::{BadWrite, FILES, FileRule, Takes, check_write, file_rule};
pub use group::{BadGroup, BadPath, GROUP_PATH_BYTES, GROUP_PATH_DEPTH, GroupId, GroupPath};
pub use knobs::{IoMax, Knob, Write, parse_device, shares_of_weight, weight_of_shares};
pub use sample::{CgroupSample, CpuBandwidth, Member, Met, RawFile};
pub use set::ControllerSet;

/// Which of the kernel's two cgroup interfaces a controller is mounted with.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
pub enum Dialect {
    /// One hierarchy a controller.
    V1,
    /// The unified hierarchy.
    #[default]
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
