//! The limits of machines that whoever starts the server may set.

use vitrine_shared::limits::{self, Limit};

/// Limits with the values in force; a refusal quotes them.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Limits {
    /// Machines on the server.
    pub machines: Limit,
    /// Machines of one participant.
    pub machines_per_participant: Limit,
    /// Memory of one machine, in bytes.
    pub machine_memory: Limit,
    /// CPU of one machine, in thousandths of one CPU.
    pub machine_cpu: Limit,
    /// Processes in one machine.
    pub machine_pids: Limit,
    /// How long a machine lives, in seconds.
    pub machine_lifetime: Limit,
}

impl Default for Limits {
    fn default() -> Self {
        Limits {
            machines: limits::MACHINES,
            machines_per_participant: limits::MACHINES_PER_PARTICIPANT,
            machine_memory: limits::MACHINE_MEMORY,
            machine_cpu: limits::MACHINE_CPU,
            machine_pids: limits::MACHINE_PIDS,
            machine_lifetime: limits::MACHINE_LIFETIME,
        }
    }
}
