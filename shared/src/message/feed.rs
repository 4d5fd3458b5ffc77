//! The feed: what has happened in a machine.

use serde::{Deserialize, Serialize};

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
