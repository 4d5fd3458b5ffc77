//! Ids that are drawn from a seed: whoever begins with the same seed gets the same ones.

use crate::id::{ContainerId, MachineId, ParticipantId, TerminalId};

/// The next id.
#[derive(Clone, Debug)]
pub(super) struct Ids {
    state: u64,
}

impl Ids {
    pub(super) fn new(seed: u64) -> Self {
        Ids { state: seed }
    }

    /// SplitMix64, twice.
    fn next(&mut self) -> u128 {
        let mut half = || {
            self.state = self.state.wrapping_add(0x9e37_79b9_7f4a_7c15);
            let mixed = (self.state ^ (self.state >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
            let mixed = (mixed ^ (mixed >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
            u128::from(mixed ^ (mixed >> 31))
        };
        half() << 64 | half()
    }

    pub(super) fn participant(&mut self) -> ParticipantId {
        ParticipantId(self.next())
    }

    pub(super) fn machine(&mut self) -> MachineId {
        MachineId(self.next())
    }

    pub(super) fn container(&mut self) -> ContainerId {
        ContainerId(self.next())
    }

    pub(super) fn terminal(&mut self) -> TerminalId {
        TerminalId(self.next())
    }
}
