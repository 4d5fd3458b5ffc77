//! The Rosetta stone: every v1 file beside its v2 form, and values turned from one into the other.
//!
//! One row of [`PAIRS`] is one meaning. Each side names the places where it is written: a whole
//! file, or one key of a table such as `cpu.stat`. A row with an empty side has no counterpart,
//! and its [`Note`] says why. Sources: the kernel's `Documentation/admin-guide/cgroup-v1/`,
//! `cgroup-v2.rst`, and what container runtimes do where the kernel gives no rule.

mod convert;
mod pairs;

use crate::cgroup::{Controller, Dialect};

pub use convert::{BYTES_PER_PAGE, UNLIMITED_V1};
pub use pairs::PAIRS;

/// Names and texts of a group's files, as a sample has them.
pub type Texts<'a> = &'a [(&'a str, &'a str)];

/// Where something is written: a file, or one line of it.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct Place {
    /// The file.
    pub file: &'static str,
    /// The key of a line of `key value`; `None` is the whole file.
    pub key: Option<&'static str>,
}

/// One meaning in both dialects.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Pair {
    /// Whose files they are; `None` for those that every group has.
    pub controller: Option<Controller>,
    /// Where v1 has it.
    pub v1: &'static [Place],
    /// Where v2 has it.
    pub v2: &'static [Place],
    /// How a value is turned.
    pub how: How,
    /// What to know about it, for words in any language.
    pub note: Note,
}

/// How a value of one side becomes one of the other.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum How {
    /// The same text.
    Same,
    /// A number or no limit: `-1` and `max`; v1 reads "no limit" as a very large number of bytes.
    Limit {
        /// Counted in bytes, which the kernel rounds down to whole pages.
        bytes: bool,
    },
    /// `cpu.cfs_quota_us` and `cpu.cfs_period_us` are the two words of `cpu.max`.
    QuotaAndPeriod,
    /// Shares 2 to 262144 (1024) are weights 1 to 10000 (100).
    Weight,
    /// A v1 unit is so many v2 units, as a fraction: 1 ns is 1/1000 µs, one tick is 10000 µs.
    Scale {
        /// Multiplied by this on the way to v2.
        times: u64,
        /// And divided by this.
        by: u64,
    },
    /// v1 counts memory and swap together; v2 swap alone. The memory's own file is needed beside.
    Swap {
        /// The v1 file with the memory alone.
        memory_v1: &'static str,
        /// The v2 file with the memory alone.
        memory_v2: &'static str,
    },
    /// `FROZEN` and `THAWED` are `1` and `0`.
    Freezer,
    /// Four files with a device a line are one file with four keys a device.
    IoMax,
    /// Two files with a direction a line are one file with keys.
    IoStat,
    /// Weights 10 to 1000 are weights 1 to 10000.
    IoWeight,
    /// A CPU set of one's own: `1` and `0` are `root` and `member`.
    Exclusive,
    /// Values are not turned: the [`Note`] says why.
    Never,
}

/// What to know about a row. The page says it in words.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Note {
    /// The same name and the same text.
    Same,
    /// Another name, the same text.
    Renamed,
    /// Two files became one line, and `-1` became `max`.
    QuotaAndPeriod,
    /// Another scale with other defaults (1024 and 100); the kernel gives no rule, runtimes since
    /// 2025 use a curve through both defaults and both ends.
    Weight,
    /// Nanoseconds became microseconds: what is below one is lost.
    Microseconds,
    /// Ticks of a hundredth of a second became microseconds.
    Ticks,
    /// In v1 an empty set holds nobody; in v2 an empty one means the parent's.
    EmptyInherits,
    /// What it really has, after the parent's word.
    Effective,
    /// A set for this group alone: in v2 a partition, which also leaves the load balancer.
    Partition,
    /// `-1` became `max`; the kernel rounds bytes down to whole pages.
    Bytes,
    /// v1 limits memory and swap together, v2 swap alone.
    SwapApart,
    /// A counter of its own became a line of an events file.
    Events,
    /// In v1 a hint of what to take back first; in v2 the nearest is memory that is protected.
    SoftLimit,
    /// v2 has no swappiness of a group: limit its swap instead.
    Swappiness,
    /// In v1 the killer can be switched off and the group then hangs; in v2 it cannot.
    OomDisable,
    /// Words became numbers; a v2 freezer also lets a frozen process be killed.
    Freezer,
    /// Threads can be moved alone only inside a threaded subtree in v2.
    Threads,
    /// Four files became four keys of one; `0` for no limit became `max`.
    IoMax,
    /// Lines by direction became keys; v2 does not tell synchronous from asynchronous.
    IoStat,
    /// Another scale: 10 to 1000 became 1 to 10000.
    IoWeight,
    /// v1 only: v2 counts no CPU by itself.
    PerCpu,
    /// v1 only: v2 always counts children too.
    UseHierarchy,
    /// In v1 counted (and once limited) apart; in v2 always part of the memory.
    KernelMemory,
    /// v1 only: in v2 memory stays with the group that touched it first.
    MoveCharge,
    /// v1 takes back everything; v2 as many bytes as are written.
    Reclaim,
    /// In v1 the kernel starts a program when a group is empty; in v2 a file says so.
    Release,
    /// v1 only: in v2 a child inherits by being empty.
    CloneChildren,
    /// v2 only: above it the group is slowed down before anybody is killed.
    High,
    /// v2 only: the killer takes the whole group.
    OomGroup,
    /// v2 only: one write kills everybody below.
    Kill,
    /// v2 only: a parent hands its controllers out; in v1 each has its own hierarchy.
    Subtree,
    /// v2 only: how long somebody had to wait for it.
    Pressure,
}

impl Place {
    /// As a person would say it: `cpu.stat nr_throttled`.
    pub fn label(self) -> String {
        self.key.map_or_else(|| self.file.into(), |key| format!("{} {key}", self.file))
    }

    /// Its text in these files.
    pub fn find<'a>(self, texts: Texts<'a>) -> Option<&'a str> {
        let (_, text) = texts.iter().find(|(name, _)| *name == self.file)?;
        let Some(key) = self.key else { return Some(text.trim()) };
        let value = |line: &'a str| line.strip_prefix(key)?.strip_prefix(' ').map(str::trim);
        text.lines().find_map(value)
    }
}

impl Pair {
    /// Its places in a dialect.
    pub const fn places(&self, dialect: Dialect) -> &'static [Place] {
        match dialect {
            Dialect::V1 => self.v1,
            Dialect::V2 => self.v2,
        }
    }

    /// What v2 would say, from what the v1 files say. `None`: it cannot be told from these.
    pub fn to_v2(&self, v1: Texts<'_>) -> Option<Vec<(Place, String)>> {
        convert::to_v2(self, v1)
    }

    /// What v1 would say, from what the v2 files say. `None`: it cannot be told from these.
    pub fn to_v1(&self, v2: Texts<'_>) -> Option<Vec<(Place, String)>> {
        convert::to_v1(self, v2)
    }
}

/// The other dialect.
pub const fn other(dialect: Dialect) -> Dialect {
    match dialect {
        Dialect::V1 => Dialect::V2,
        Dialect::V2 => Dialect::V1,
    }
}

/// The rows that have a place in this file.
pub fn rows_of(file: &str, dialect: Dialect) -> impl Iterator<Item = &'static Pair> {
    let has = move |pair: &&Pair| pair.places(dialect).iter().any(|place| place.file == file);
    PAIRS.iter().filter(has)
}

/// What `echo VALUE > FILE` is in the other dialect, where the group's files now say `now`.
///
/// `None` when the file has no counterpart, or when the value is none that it takes.
pub fn translate(
    file: &str,
    dialect: Dialect,
    value: &str,
    now: Texts<'_>,
) -> Option<Vec<(Place, String)>> {
    let pair = rows_of(file, dialect).find(|pair| pair.how != How::Never)?;
    let mut texts: Vec<(&str, &str)> =
        now.iter().copied().filter(|(name, _)| *name != file).collect();
    if matches!(pair.how, How::IoMax) {
        // Only the device that is written, and only what is said of it.
        texts.retain(|(name, _)| !pair.places(dialect).iter().any(|place| place.file == *name));
    }
    texts.push((file, value.trim()));
    match (dialect, pair.how) {
        (Dialect::V1, How::IoMax) => convert::write_io_v2(&texts),
        (Dialect::V2, How::IoMax) => convert::write_io_v1(value),
        (Dialect::V1, _) => pair.to_v2(&texts),
        (Dialect::V2, _) => pair.to_v1(&texts),
    }
}

#[cfg(test)]
mod tests;
