//! What changes seldom: which of it the kernel counts, the limits, and what was met. The virtual
//! DOM is asked only when one of these is another.

use vitrine_shared::cgroup::IoMax;

use crate::uses::{Mark, Track, busiest, marks};

/// What was met that is told of.
const MET_SHOWN: usize = 5;

/// Of the newest reading, and of the minute before it.
#[derive(Clone, Debug, Default, PartialEq)]
pub(super) struct Facts {
    /// Has anything been read yet?
    pub(super) heard: bool,
    pub(super) memory: Option<MemoryFacts>,
    /// The limit of processes, where they are counted.
    pub(super) pids: Option<Option<u64>>,
    pub(super) io: Option<IoFacts>,
    /// What was met, latest first, and how many seconds ago.
    pub(super) met: Vec<(Mark, u64)>,
}

/// The limits of memory.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(super) struct MemoryFacts {
    pub(super) max: Option<u64>,
    /// `memory.high`, where there is such a thing.
    pub(super) high: Option<Option<u64>>,
    pub(super) soft: Option<u64>,
    /// Does the kernel tell how long its tasks stood still?
    pub(super) pressure: bool,
}

/// The device that is shown.
#[derive(Clone, Debug, PartialEq)]
pub(super) struct IoFacts {
    /// Its limits; `None`: none has been used.
    pub(super) device: Option<IoMax>,
    /// Does the kernel tell what throttling costs?
    pub(super) counted: bool,
}

impl Facts {
    pub(super) fn of(track: &Track) -> Self {
        let Some(last) = track.last() else { return Facts::default() };
        let ago = |mark: &Mark| last.at_nsec.saturating_sub(mark.at_nsec) / 1_000_000_000;
        let met = marks(track).into_iter().rev().take(MET_SHOWN);
        Facts {
            heard: true,
            memory: last.memory.as_ref().map(|memory| MemoryFacts {
                max: memory.max_bytes,
                high: memory.met_high.map(|_| memory.high_bytes),
                soft: memory.soft_bytes,
                pressure: memory.pressure.is_some(),
            }),
            pids: last.pids.map(|pids| pids.max),
            io: last.io.as_ref().map(|io| IoFacts {
                device: busiest(last).map(|device| device.limits),
                counted: io.pressure.is_some(),
            }),
            met: met.map(|mark| (mark, ago(&mark))).collect(),
        }
    }
}
