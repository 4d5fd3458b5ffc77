//! What is watched in every machine, also while nobody looks at it.

use vitrine_shared::id::MachineId;

use super::super::clock;
use super::super::oom::{Killed, MemoryRoot};
use super::super::throttle::Turn;
use super::Reader;

impl Reader {
    /// Groups that are throttled since the last look, or have not been for a while.
    pub(in crate::observer) fn throttled(&mut self) -> Vec<(MachineId, Turn)> {
        let now_nsec = clock::monotonic_nsec();
        let mut turns = Vec::new();
        for (&id, machine) in &mut self.machines {
            let told = machine.throttle.check(now_nsec, &mut self.buffer);
            turns.extend(told.into_iter().map(|turn| (id, turn)));
        }
        turns
    }

    /// The machines in which somebody may have made groups, and where their memory is counted.
    pub(in crate::observer) fn with_made_groups(&self) -> Vec<(MachineId, MemoryRoot)> {
        let made = self.machines.iter().filter(|(_, machine)| machine.observed.delegated);
        made.filter_map(|(&id, machine)| Some((id, MemoryRoot::of(&machine.observed)?))).collect()
    }

    /// What was killed for memory since the last look, in all machines.
    pub fn oom_kills(&mut self) -> Vec<(MachineId, Killed)> {
        let mut kills = Vec::new();
        for (&id, machine) in &mut self.machines {
            let killed = machine.oom.check(&mut self.buffer);
            kills.extend(killed.into_iter().map(|killed| (id, killed)));
        }
        kills
    }
}
