//! The feed: what has happened in a machine.

use serde::{Deserialize, Serialize};

use crate::birth::Attempt;

/// Something that happened in a machine.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
pub struct FeedEntry {
    /// Counts up from 1 in each machine.
    pub seq: u64,
    /// Unix time, in milliseconds.
    pub at_msec: u64,
    /// What.
    pub what: Happening,
}

/// What happened.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
pub enum Happening {
    /// The machine was born.
    MachineBorn {
        /// How long it took, in microseconds.
        took_usec: u32,
    },
    /// A container was born.
    ContainerBorn {
        /// Its name.
        name: String,
        /// How long it took, in microseconds.
        took_usec: u32,
    },
    /// The birth of a container failed, and what it had made was undone.
    BirthFailed(Box<Attempt>),
    /// A container ended.
    ContainerExited {
        /// Its name.
        name: String,
        /// As a shell writes it.
        status: i32,
    },
    /// A command was started in a container.
    ExecStarted {
        /// The container's name.
        name: String,
        /// The command line.
        command: String,
        /// Its host PID.
        pid: u32,
    },
    /// A line was run in a container and in its machine.
    RanBoth {
        /// The container's name.
        name: String,
        /// The line.
        line: String,
    },
    /// A file was written.
    Wrote {
        /// Its full path.
        path: String,
        /// What it said before.
        old: String,
        /// What it says now.
        new: String,
        /// The shell line that does the same.
        shell: String,
    },
    /// A group was made.
    GroupMade {
        /// Its path below the machine's cap.
        path: String,
    },
    /// A group was removed.
    GroupRemoved {
        /// Its path below the machine's cap.
        path: String,
    },
    /// A process was moved.
    ProcessMoved {
        /// Its PID on the host.
        pid: u32,
        /// Where it was, below the machine's cap; in v1 where it was for its CPU.
        from: String,
        /// Where it is.
        to: String,
    },
    /// The kernel refused a write.
    KernelRefused {
        /// The full path.
        path: String,
        /// What was to be written.
        text: String,
        /// The error's name.
        errno: String,
    },
    /// The kernel killed a process for memory.
    OomKilled {
        /// The container's name; empty for the machine.
        name: String,
        /// Whom, where the kernel's log says it and can be read.
        victim: Option<Victim>,
    },
    /// A group had used up its quota before a period was over, for the first time in a while.
    ThrottleBegan {
        /// The container's name; empty for the machine.
        name: String,
    },
    /// For three seconds no period of it was throttled.
    ThrottleEnded {
        /// The container's name; empty for the machine.
        name: String,
        /// How it was until then.
        spell: Spell,
    },
}

/// A time in which a group was throttled, by the counters of its `cpu.stat`, read once a second.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
pub struct Spell {
    /// From the first to the last reading that had throttled periods, in milliseconds.
    pub lasted_msec: u64,
    /// Periods that passed in it.
    pub periods: u64,
    /// Of these, the throttled ones.
    pub throttled: u64,
}

/// Who was killed for memory, as the kernel's log has it.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
pub struct Victim {
    /// The PID on the host.
    pub pid: u32,
    /// The process's name, at most 15 bytes of its own choice, made printable.
    pub name: String,
}
