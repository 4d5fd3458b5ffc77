//! Why a spec cannot be, in sentences that say what is allowed.

use std::fmt;

use serde::{Deserialize, Serialize};

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
    /// Not a user.
    #[error(
        "{given:?} is not a user: a name or a number, or two with a colon between them (USER:GROUP)"
    )]
    User {
        /// What was given, cut.
        given: String,
    },
    /// Not a working directory.
    #[error("{given:?} is not a working directory: it is an absolute path, such as /srv")]
    Workdir {
        /// What was given, cut.
        given: String,
    },
    /// The machine's own root is for a plain program.
    #[error(
        "a shell in the machine takes no namespaces, host name, user, directory, init or limits of its own"
    )]
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
