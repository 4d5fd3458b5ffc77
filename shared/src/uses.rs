//! A look at what one group uses besides the CPU: memory and what it is made of, processes, block
//! devices; four times a second.
//!
//! Values and counters, never rates, as in [`crate::focus`]. What a kernel does not count is
//! `None`, and never 0.

use serde::{Deserialize, Serialize};

use crate::cgroup::{Dialect, IoMax};
use crate::focus::Focus;

/// Milliseconds between two readings.
pub const STEP_MSEC: u64 = 250;
/// Devices that are told of one by one.
pub const DEVICES: usize = 8;

/// What one group uses at one moment. A part is `None` where its controller is not there.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
pub struct UseSample {
    /// Whose.
    pub focus: Focus,
    /// Monotonic time of the reading, in nanoseconds.
    pub at_nsec: u64,
    /// Its memory.
    pub memory: Option<MemoryUse>,
    /// Its processes and threads.
    pub pids: Option<PidsUse>,
    /// Its reads and writes.
    pub io: Option<IoUse>,
}

/// Memory of a group and all below it, in bytes.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
pub struct MemoryUse {
    /// In which dialect.
    pub dialect: Dialect,
    /// All that is counted, without swap.
    pub current_bytes: u64,
    /// Of it, what processes have of their own.
    pub anon_bytes: u64,
    /// Of it, cached files, tmpfs and shared memory.
    pub file_bytes: u64,
    /// Of it, what the kernel holds for them: stacks, page tables, slab; `None` where this kernel
    /// does not count it.
    pub kernel_bytes: Option<u64>,
    /// Of the kernel's, its slab; `None` where it is not said (v1).
    pub slab_bytes: Option<u64>,
    /// Beside it, what was put out to swap; `None` where swap is not counted.
    pub swap_bytes: Option<u64>,
    /// Above this it is slowed down and must give back (v2 `memory.high`); `None` is no limit.
    pub high_bytes: Option<u64>,
    /// Above this it gives back first when the machine runs short (v1's soft limit, which slows
    /// nobody down); `None` is none.
    pub soft_bytes: Option<u64>,
    /// More than this it never has; `None` is no limit.
    pub max_bytes: Option<u64>,
    /// Times that a process was slowed down above `memory.high` (v2).
    pub met_high: Option<u64>,
    /// Times that it stood at its limit (v1 `memory.failcnt`, v2 `max` of `memory.events`): each
    /// time the kernel takes pages back, and kills when there are none.
    pub met_max: u64,
    /// Processes killed for memory.
    pub oom_kills: u64,
    /// Pages that the kernel has taken back (`pgsteal`); `None` where it does not count them for a
    /// group (v1).
    pub reclaimed_pages: Option<u64>,
    /// Time that its tasks stood still for want of memory; `None` where the kernel does not say.
    pub pressure: Option<Pressure>,
}

/// Pressure stall information: time stood still, in microseconds, since the group was made.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
pub struct Pressure {
    /// At least one task did.
    pub some_usec: u64,
    /// All of them did.
    pub full_usec: u64,
}

/// Processes and threads of a group and all below it.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
pub struct PidsUse {
    /// How many there are.
    pub current: u64,
    /// How many there may be; `None` is no limit.
    pub max: Option<u64>,
    /// Forks that were refused (`max` of `pids.events`); `None` where it is not counted.
    pub refused: Option<u64>,
}

/// Reads and writes of a group and all below it.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
pub struct IoUse {
    /// In which dialect. v1 counts what a process does with a device itself; what the kernel writes
    /// out later for it counts to nobody.
    pub dialect: Dialect,
    /// Each device that was used or has a limit; the first 8.
    pub devices: Vec<DeviceUse>,
    /// Time that its tasks stood still for want of a device: the only place where a kernel counts
    /// what throttling costs; `None` where it does not say (v1).
    pub pressure: Option<Pressure>,
}

/// One block device, as one group uses it.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
pub struct DeviceUse {
    /// Which one, and its limits.
    pub limits: IoMax,
    /// Bytes read.
    pub read_bytes: u64,
    /// Bytes written.
    pub written_bytes: u64,
    /// Reads.
    pub reads: u64,
    /// Writes.
    pub writes: u64,
}

impl IoUse {
    /// The entry of a device; made when there is room for it.
    pub fn device(&mut self, major: u32, minor: u32) -> Option<&mut DeviceUse> {
        let is_it = |one: &DeviceUse| (one.limits.major, one.limits.minor) == (major, minor);
        let at = match self.devices.iter().position(is_it) {
            Some(at) => at,
            None if self.devices.len() >= DEVICES => return None,
            None => {
                let limits = IoMax { major, minor, ..IoMax::default() };
                self.devices.push(DeviceUse { limits, ..DeviceUse::default() });
                self.devices.len() - 1
            }
        };
        self.devices.get_mut(at)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn devices_have_one_entry_each_and_there_are_not_too_many() {
        let mut io = IoUse::default();
        for minor in 0..20 {
            for _ in 0..2 {
                if let Some(device) = io.device(8, minor) {
                    device.reads += 1;
                }
            }
        }
        assert_eq!(io.devices.len(), DEVICES);
        assert!(io.devices.iter().all(|device| device.reads == 2));
    }
}
