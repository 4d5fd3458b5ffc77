//! What a container should be. Checked at the edge (web) and again by the launcher.

use std::fmt;

use serde::{Deserialize, Serialize};

use crate::limits::{ARGV_BYTES, ARGV_WORDS};
use crate::namespace::{Namespace, NamespaceSet};
use crate::truth::ProcView;

/// Shortest and longest CFS period the kernel takes, in microseconds (`sched-bwc.rst`).
pub const PERIOD_USEC: std::ops::RangeInclusive<u64> = 1_000..=1_000_000;
/// Smallest CFS quota the kernel takes, in microseconds.
pub const MIN_QUOTA_USEC: u64 = 1_000;
/// Largest CFS quota this program writes: far above what any machine has, well below overflow.
pub const MAX_QUOTA_USEC: u64 = 1_000_000_000;
/// The kernel's default period.
pub const DEFAULT_PERIOD_USEC: u64 = 100_000;

/// Where a container's root file system comes from.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
pub enum Rootfs {
    /// One static binary and its links; starts fastest.
    Busybox,
    /// A small system put together from the server's own tools: bash, procps, util-linux and more.
    Lab,
    /// An image that was added under this name (`vitrine image add`).
    Image(String),
    /// The machine's own root: a shell in the machine itself, beside its PID 1. It takes no
    /// namespaces and no limits of its own.
    Machine,
    /// A directory of the host, as a read-only layer. Only from the command line, by root.
    Directory(String),
}

/// Limits written into the container's cgroup before it starts; `None` leaves the kernel's default.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
pub struct Limits {
    /// CPU time allowed in each period, in microseconds.
    pub cpu_quota_usec: Option<u64>,
    /// Length of the enforcement period, in microseconds.
    pub cpu_period_usec: Option<u64>,
    /// Unused quota that may be saved up and used beyond it, in microseconds.
    pub cpu_burst_usec: Option<u64>,
    /// Relative weight as v1 writes it (2 to 262144, default 1024).
    pub cpu_shares: Option<u64>,
    /// CPUs it may run on, as the kernel writes lists: `0-1,3`.
    pub cpuset_cpus: Option<String>,
    /// Memory, in bytes.
    pub memory_bytes: Option<u64>,
    /// Memory above which it is slowed down and reclaimed from, in bytes (v2 only).
    pub memory_high_bytes: Option<u64>,
    /// Swap, in bytes, beside the memory.
    pub memory_swap_bytes: Option<u64>,
    /// Processes and threads.
    pub pids_max: Option<u64>,
}

impl Limits {
    /// Is nothing limited?
    pub fn is_empty(&self) -> bool {
        *self == Limits::default()
    }
}

/// What a container should be.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
pub struct ContainerSpec {
    /// The namespaces that are new; the others are the machine's.
    pub namespaces: NamespaceSet,
    /// Mount a `/proc` of its own; without it the machine's stays in view.
    pub remount_proc: bool,
    /// Host name inside; needs a UTS namespace.
    pub hostname: Option<String>,
    /// The root file system.
    pub rootfs: Rootfs,
    /// The program and its arguments.
    pub argv: Vec<String>,
    /// A terminal as standard input, output and error.
    pub tty: bool,
    /// Put a tiny reaping init in the place of PID 1.
    pub init: bool,
    /// What it may use.
    pub limits: Limits,
    /// Seconds added to the boot-time and monotonic clocks; needs a time namespace.
    pub time_offset_secs: i64,
    /// What lies on the files of `/proc` that tell of the whole host; needs `remount_proc`.
    #[serde(default)]
    pub proc_view: ProcView,
}

impl ContainerSpec {
    /// A shell in the machine itself: the host of the lessons.
    pub fn machine_shell() -> Self {
        ContainerSpec {
            namespaces: NamespaceSet::NONE,
            remount_proc: false,
            hostname: None,
            rootfs: Rootfs::Machine,
            argv: vec!["/bin/bash".into(), "-l".into()],
            tty: true,
            init: false,
            limits: Limits::default(),
            time_offset_secs: 0,
            proc_view: ProcView::Host,
        }
    }

    /// What the large button starts: `busybox sh` in eight new namespaces.
    pub fn one_click() -> Self {
        ContainerSpec {
            namespaces: NamespaceSet::ALL,
            remount_proc: true,
            hostname: Some("container".into()),
            rootfs: Rootfs::Busybox,
            argv: vec!["/bin/sh".into()],
            tty: true,
            init: false,
            limits: Limits::default(),
            time_offset_secs: 0,
            proc_view: ProcView::Host,
        }
    }

    /// Checks what can be checked without a kernel.
    pub fn check(&self) -> Result<(), SpecError> {
        check_argv(&self.argv)?;
        if self.remount_proc && !self.namespaces.has(Namespace::Mount) {
            return Err(SpecError::RemountNeedsMount);
        }
        if let Some(hostname) = &self.hostname {
            if !self.namespaces.has(Namespace::Uts) {
                return Err(SpecError::HostnameNeedsUts);
            }
            check_hostname(hostname)?;
        }
        if self.time_offset_secs != 0 && !self.namespaces.has(Namespace::Time) {
            return Err(SpecError::OffsetNeedsTime);
        }
        self.check_view(self.proc_view)?;
        match &self.rootfs {
            Rootfs::Machine if !self.is_plain() => return Err(SpecError::MachineTakesNone),
            Rootfs::Image(name) => check_image_name(name)?,
            _ => {}
        }
        in_range(Quantity::TimeOffset, self.time_offset_secs.unsigned_abs(), 0, 10 * 365 * 86_400)?;
        self.limits.check()
    }
}

impl ContainerSpec {
    /// Can its `/proc` have this view? The files are laid on a `/proc` of its own, and lxcfs answers
    /// by the group of the first process of the reader's PID namespace.
    pub fn check_view(&self, view: ProcView) -> Result<(), SpecError> {
        match view {
            ProcView::Host => Ok(()),
            _ if !self.remount_proc => Err(SpecError::ViewNeedsRemount),
            ProcView::Lxcfs if !self.namespaces.has(Namespace::Pid) => {
                Err(SpecError::LxcfsNeedsPid)
            }
            ProcView::Lxcfs | ProcView::Own => Ok(()),
        }
    }

    /// Does it ask for nothing but a program?
    fn is_plain(&self) -> bool {
        self.namespaces == NamespaceSet::NONE
            && self.hostname.is_none()
            && !self.init
            && self.limits.is_empty()
    }
}

/// Checks the name of an image: it becomes a file name, and a word of the command line.
pub fn check_image_name(name: &str) -> Result<(), SpecError> {
    let first = name.bytes().next().is_some_and(|b| b.is_ascii_lowercase() || b.is_ascii_digit());
    let good = |b: u8| b.is_ascii_lowercase() || b.is_ascii_digit() || b"._-".contains(&b);
    if !first || name.len() > 64 || !name.bytes().all(good) {
        return Err(SpecError::ImageName { given: name.chars().take(40).collect() });
    }
    Ok(())
}

/// The command line of a shell that runs one line.
pub fn shell_argv(line: &str) -> Vec<String> {
    ["/bin/sh", "-c", line].map(String::from).into()
}

/// Checks a line that a shell is to run: something to run, within the limits of a command line.
pub fn check_line(line: &str) -> Result<(), SpecError> {
    if line.trim().is_empty() {
        return Err(SpecError::NoProgram);
    }
    check_argv(&shell_argv(line))
}

/// Checks a command line: neither empty nor too long, no NUL.
pub fn check_argv(argv: &[String]) -> Result<(), SpecError> {
    if argv.first().is_none_or(String::is_empty) {
        return Err(SpecError::NoProgram);
    }
    in_range(Quantity::ArgvWords, argv.len() as u64, 1, ARGV_WORDS.value)?;
    in_range(
        Quantity::ArgvBytes,
        argv.iter().map(|word| word.len() as u64 + 1).sum(),
        1,
        ARGV_BYTES.value,
    )?;
    if argv.iter().any(|word| word.contains('\0')) {
        return Err(SpecError::Nul);
    }
    Ok(())
}

impl Limits {
    /// Checks ranges; the kernel has the last word.
    pub fn check(&self) -> Result<(), SpecError> {
        let check = |what, value: Option<u64>, min, max| match value {
            Some(value) => in_range(what, value, min, max),
            None => Ok(()),
        };
        check(Quantity::CpuQuota, self.cpu_quota_usec, MIN_QUOTA_USEC, MAX_QUOTA_USEC)?;
        check(Quantity::CpuPeriod, self.cpu_period_usec, *PERIOD_USEC.start(), *PERIOD_USEC.end())?;
        check(Quantity::CpuBurst, self.cpu_burst_usec, 0, MAX_QUOTA_USEC)?;
        check(Quantity::CpuShares, self.cpu_shares, 2, 262_144)?;
        check(Quantity::Memory, self.memory_bytes, 1 << 20, 1 << 50)?;
        check(Quantity::MemoryHigh, self.memory_high_bytes, 1 << 20, 1 << 50)?;
        check(Quantity::MemorySwap, self.memory_swap_bytes, 0, 1 << 50)?;
        check(Quantity::Pids, self.pids_max, 1, 4_194_304)?;
        match &self.cpuset_cpus {
            Some(list) if parse_cpu_list(list).is_none() => {
                Err(SpecError::CpuList { given: list.chars().take(40).collect() })
            }
            _ => Ok(()),
        }
    }
}

/// The CPUs of a kernel list such as `0-2,5`; `None` when it is not one.
pub fn parse_cpu_list(list: &str) -> Option<Vec<u32>> {
    let mut cpus = Vec::new();
    for part in list.trim().split(',') {
        let (first, last) = part.split_once('-').unwrap_or((part, part));
        let number = |text: &str| text.parse::<u32>().ok().filter(|&cpu| cpu < 8_192);
        let (first, last) = (number(first)?, number(last)?);
        if last < first {
            return None;
        }
        // No host has more, and "0-8191" is seven bytes that can be said a thousand times.
        if cpus.len() as u64 + u64::from(last - first) >= 8_192 {
            return None;
        }
        cpus.extend(first..=last);
    }
    Some(cpus)
}

fn check_hostname(name: &str) -> Result<(), SpecError> {
    let good = |b: u8| b.is_ascii_alphanumeric() || b == b'-' || b == b'.';
    if name.is_empty() || name.len() > 64 || !name.bytes().all(good) {
        return Err(SpecError::Hostname { given: name.chars().take(40).collect() });
    }
    Ok(())
}

fn in_range(what: Quantity, given: u64, min: u64, max: u64) -> Result<(), SpecError> {
    if (min..=max).contains(&given) {
        return Ok(());
    }
    Err(SpecError::OutOfRange { what, given, min, max })
}

/// A number that has a range.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
pub enum Quantity {
    /// Seconds added to a clock.
    TimeOffset,
    /// Words of a command line.
    ArgvWords,
    /// Bytes of a command line.
    ArgvBytes,
    /// CPU quota, in microseconds.
    CpuQuota,
    /// CPU period, in microseconds.
    CpuPeriod,
    /// CPU burst, in microseconds.
    CpuBurst,
    /// CPU shares, as v1 writes them.
    CpuShares,
    /// Memory, in bytes.
    Memory,
    /// Memory above which it is slowed down, in bytes.
    MemoryHigh,
    /// Swap, in bytes.
    MemorySwap,
    /// Processes and threads.
    Pids,
    /// Bytes, reads or writes of a block device a second.
    IoRate,
    /// Samples a second.
    Hertz,
}

impl Quantity {
    /// All of them.
    pub const ALL: [Quantity; 13] = [
        Quantity::TimeOffset,
        Quantity::ArgvWords,
        Quantity::ArgvBytes,
        Quantity::CpuQuota,
        Quantity::CpuPeriod,
        Quantity::CpuBurst,
        Quantity::CpuShares,
        Quantity::Memory,
        Quantity::MemoryHigh,
        Quantity::MemorySwap,
        Quantity::Pids,
        Quantity::IoRate,
        Quantity::Hertz,
    ];
}

impl fmt::Display for Quantity {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Quantity::TimeOffset => "time offset",
            Quantity::ArgvWords => "argv words",
            Quantity::ArgvBytes => "argv bytes",
            Quantity::CpuQuota => "cpu quota",
            Quantity::CpuPeriod => "cpu period",
            Quantity::CpuBurst => "cpu burst",
            Quantity::CpuShares => "cpu shares",
            Quantity::Memory => "memory",
            Quantity::MemoryHigh => "memory high",
            Quantity::MemorySwap => "memory swap",
            Quantity::Pids => "pids",
            Quantity::IoRate => "io rate",
            Quantity::Hertz => "hertz",
        })
    }
}

/// Why a spec cannot be. The sentences say what is allowed.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
pub enum SpecError {
    /// No program to run.
    #[error("no program is named; give one, for example /bin/sh")]
    NoProgram,
    /// A NUL byte in a word.
    #[error("a word of the command line contains a NUL byte")]
    Nul,
    /// `/proc` cannot be mounted without a mount namespace.
    #[error("remounting /proc needs a mount namespace: otherwise the mount would be the machine's")]
    RemountNeedsMount,
    /// Another view of `/proc` needs one of one's own.
    #[error("another view of /proc needs a mount namespace and /proc remounted in it")]
    ViewNeedsRemount,
    /// lxcfs answers for a whole PID namespace.
    #[error(
        "lxcfs needs a PID namespace: it answers by the cgroup of the PID 1 that a reader sees"
    )]
    LxcfsNeedsPid,
    /// A host name needs a UTS namespace.
    #[error("a hostname needs a UTS namespace: otherwise it would be the machine's")]
    HostnameNeedsUts,
    /// A clock offset needs a time namespace.
    #[error("a time offset needs a time namespace")]
    OffsetNeedsTime,
    /// Not a host name.
    #[error("{given:?} is not a hostname: 1 to 64 letters, digits, '-' and '.'")]
    Hostname {
        /// What was given, cut.
        given: String,
    },
    /// The machine's own root is for a plain program.
    #[error("a shell in the machine takes no namespaces, host name, init or limits of its own")]
    MachineTakesNone,
    /// A directory of the host is for root on the command line.
    #[error("a directory of the host is a rootfs only for vitrine run, by root")]
    OnlyByRun,
    /// Not the name of an image.
    #[error(
        "{given:?} is not the name of an image: 1 to 64 of a-z, 0-9, '.', '_' and '-', a letter or digit first"
    )]
    ImageName {
        /// What was given, cut.
        given: String,
    },
    /// Not a list of CPUs.
    #[error("{given:?} is not a list of CPUs; write it like 0-1,3")]
    CpuList {
        /// What was given, cut.
        given: String,
    },
    /// A number outside its range.
    #[error("{what} is {given}; allowed is {min} to {max}")]
    OutOfRange {
        /// Which number.
        what: Quantity,
        /// What was given.
        given: u64,
        /// Least allowed.
        min: u64,
        /// Most allowed.
        max: u64,
    },
}

#[cfg(test)]
mod tests {
    use super::*;

    fn with(change: impl FnOnce(&mut ContainerSpec)) -> Result<(), SpecError> {
        let mut spec = ContainerSpec::one_click();
        change(&mut spec);
        spec.check()
    }

    #[test]
    fn the_one_click_container_is_sound() {
        assert_eq!(with(|_| ()), Ok(()));
    }

    #[test]
    fn what_needs_a_namespace_says_so() {
        let without = |n| move |s: &mut ContainerSpec| s.namespaces = s.namespaces.with(n, false);
        assert_eq!(with(without(Namespace::Mount)), Err(SpecError::RemountNeedsMount));
        assert_eq!(with(without(Namespace::Uts)), Err(SpecError::HostnameNeedsUts));
        let offset = with(|s| {
            s.time_offset_secs = 60;
            s.namespaces = s.namespaces.with(Namespace::Time, false);
        });
        assert_eq!(offset, Err(SpecError::OffsetNeedsTime));
    }

    #[test]
    fn command_lines() {
        assert_eq!(with(|s| s.argv.clear()), Err(SpecError::NoProgram));
        assert_eq!(with(|s| s.argv = vec!["a\0b".into()]), Err(SpecError::Nul));
        assert!(with(|s| s.argv = vec!["x".into(); 65]).is_err());
        assert!(with(|s| s.argv = vec!["x".repeat(5000)]).is_err());
    }

    #[test]
    fn numbers_have_ranges() {
        assert!(with(|s| s.limits.cpu_quota_usec = Some(999)).is_err());
        assert!(with(|s| s.limits.cpu_period_usec = Some(1_000_001)).is_err());
        assert!(with(|s| s.limits.cpuset_cpus = Some("1-0".into())).is_err());
        assert!(with(|s| s.limits.cpuset_cpus = Some("0,1-3".into())).is_ok());
        assert!(with(|s| s.limits.cpuset_cpus = Some("0-8191,0-8191".into())).is_err());
        assert!(with(|s| s.hostname = Some("a b".into())).is_err());
        assert!(with(|s| s.time_offset_secs = i64::MIN).is_err());
    }
}
