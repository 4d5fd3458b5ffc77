//! What came of a command: one answer each, with what was really done.

use serde::{Deserialize, Serialize};

use super::birth::StepName;
use crate::cgroup::GroupId;
use crate::id::{ContainerId, MachineId, TerminalId};
use crate::refusal::Refusal;
use crate::truth::Output;

/// What came of a command.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
pub enum Answer {
    /// It was done.
    Done {
        /// What was really done, in order.
        deeds: Vec<Deed>,
        /// What it made, if anything.
        made: Option<Made>,
    },
    /// The request was wrong; nothing changed.
    Refused {
        /// Why.
        reason: Refusal,
        /// What to do, in English.
        hint: String,
    },
    /// The server failed; what had been done was undone.
    Failed {
        /// The step that failed.
        step: StepName,
        /// What exactly was being done, to what; in English, for the log and for programs.
        what: String,
        /// The kernel's error, by name (`EPERM`); empty when it was not the kernel's.
        errno: String,
        /// What to do, in English.
        hint: String,
    },
}

/// What a command made.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
pub enum Made {
    /// A machine.
    Machine {
        /// Its id.
        machine: MachineId,
    },
    /// A container.
    Container {
        /// In this machine.
        machine: MachineId,
        /// Its id.
        container: ContainerId,
        /// Its terminal, if it has one.
        terminal: Option<TerminalId>,
    },
    /// A process, by its PID on the host.
    Process {
        /// The PID.
        pid: u32,
    },
    /// A group.
    Group {
        /// In this machine.
        machine: MachineId,
        /// Which.
        group: GroupId,
    },
    /// What a command printed.
    Output(Output),
    /// What one line printed in two places.
    Both {
        /// In the container.
        inside: Output,
        /// In its machine.
        outside: Output,
    },
}

/// One thing that was really done, and the shell line that does the same.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
pub struct Deed {
    /// What.
    pub act: Act,
    /// The shell equivalent; empty where there is none.
    pub shell: String,
}

/// What was done.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
pub enum Act {
    /// A system call, as `strace` would write it.
    Syscall {
        /// The call.
        call: String,
    },
    /// A file was written.
    Wrote {
        /// Its full path.
        path: String,
        /// What it said before.
        old: String,
        /// What it says now, read back.
        new: String,
    },
}
