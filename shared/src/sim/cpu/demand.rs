//! What a task wants of the CPU, and where it stands with it.

use super::CpuMask;

/// When a task wants to run, and for how long.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Demand {
    /// Always: `while :; do :; done`.
    Busy,
    /// Never: it waits for something that does not come.
    Sleeping,
    /// So much, and then nothing more. [`super::Cpus::advance_until_done`] tells when it is done.
    Once {
        /// CPU time.
        run_nsec: u64,
    },
    /// At every multiple of `every_nsec` it wants `run_nsec`. Moments that pass while it is still
    /// at work are missed, as the frames of a game are.
    Bursts {
        /// CPU time of one burst.
        run_nsec: u64,
        /// From one burst to the next.
        every_nsec: u64,
    },
    /// It works on a request for `run_nsec`, then waits for the next: a time that is drawn evenly
    /// from 0 to twice `think_nsec`.
    Requests {
        /// CPU time of one request.
        run_nsec: u64,
        /// The mean of the waits.
        think_nsec: u64,
    },
}

/// Spells of work and rest are at least so long: shorter ones would be the kernel's own time, which
/// is not modelled.
const SPELL_MIN_NSEC: u64 = 10_000;

impl Demand {
    /// The CPU time of its next spell, and `None` if it never wants any.
    pub(super) fn spell(self) -> Option<u64> {
        match self {
            Demand::Busy => Some(u64::MAX),
            Demand::Sleeping => None,
            Demand::Once { run_nsec }
            | Demand::Bursts { run_nsec, .. }
            | Demand::Requests { run_nsec, .. } => Some(run_nsec.max(SPELL_MIN_NSEC)),
        }
    }

    /// When it wakes after it has gone to sleep at `now`; `draw` gives an even number below its
    /// argument.
    pub(super) fn wakes(self, now: u64, draw: impl FnOnce(u64) -> u64) -> Option<u64> {
        match self {
            Demand::Busy | Demand::Sleeping | Demand::Once { .. } => None,
            Demand::Bursts { every_nsec, .. } => {
                let every = every_nsec.max(SPELL_MIN_NSEC);
                Some((now / every + 1).saturating_mul(every))
            }
            Demand::Requests { think_nsec, .. } => {
                let drawn = draw(think_nsec.saturating_mul(2));
                Some(now.saturating_add(drawn.max(SPELL_MIN_NSEC)))
            }
        }
    }
}

/// Where a task is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum State {
    /// It wants nothing now.
    Asleep,
    /// It stands in a queue, or runs.
    Queued,
    /// It wants to run; its group is frozen.
    Frozen,
    /// It has ended. Its key is never used again.
    Ended,
}

/// A task.
#[derive(Clone, Debug)]
pub(super) struct Task {
    pub(super) demand: Demand,
    pub(super) group: usize,
    pub(super) allowed: CpuMask,
    pub(super) weight: u64,
    pub(super) state: State,
    /// Frozen by itself, whatever its group is.
    pub(super) stopped: bool,
    /// The CPU in whose queue it stands or stood last.
    pub(super) cpu: usize,
    /// CPU time until it sleeps again; `u64::MAX` for one that never does.
    pub(super) wants_nsec: u64,
    /// Virtual time while it is queued.
    pub(super) vruntime: u64,
    /// What it is ahead of its queue (or behind), kept while it is in none.
    pub(super) lag: i64,
    pub(super) used_nsec: u64,
    /// Since when it has run or waited for a CPU, and how long it had done so before.
    pub(super) queued_at: u64,
    pub(super) queued_nsec: u64,
    /// When it ran last, for choosing who moves to another CPU.
    pub(super) ran_at: u64,
    /// Timers that were set before this number are stale.
    pub(super) alarm: u64,
}

impl Task {
    pub(super) fn new(demand: Demand, group: usize, allowed: CpuMask, weight: u64) -> Self {
        Task {
            demand,
            group,
            allowed,
            weight,
            state: State::Asleep,
            stopped: false,
            cpu: 0,
            wants_nsec: 0,
            vruntime: 0,
            lag: 0,
            used_nsec: 0,
            queued_at: 0,
            queued_nsec: 0,
            ran_at: 0,
            alarm: 0,
        }
    }
}
