//! A group's CPU time, as CFS bandwidth control hands it out.
//!
//! Follows `Documentation/scheduler/sched-bwc.rst` and `kernel/sched/fair.c`
//! (`__refill_cfs_bandwidth_runtime`, `__assign_cfs_rq_runtime`, `do_sched_cfs_period_timer`);
//! Turner, Rao, Rao: *CPU bandwidth control for CFS*, Linux Symposium 2010.

use std::collections::VecDeque;

use super::Bandwidth;

/// The global pool of a group with a quota.
#[derive(Clone, Debug)]
pub(super) struct Pool {
    pub(super) limit: Bandwidth,
    /// What is left for the CPUs to take in this period.
    pub(super) runtime: u64,
    /// What there was after the last refill, to see how much of the burst was used.
    snapshot: u64,
    /// Nobody took anything since the last refill.
    idle: bool,
    /// The period timer runs.
    pub(super) active: bool,
    /// The slack timer runs.
    pub(super) slack_armed: bool,
    /// When the period timer fires next.
    pub(super) refill_at: u64,
    /// CPUs on which the group waits for runtime, those that wait longest first.
    pub(super) throttled: VecDeque<usize>,
    /// Timers that were set before this number are stale.
    pub(super) alarm: u64,
}

/// What the period timer does next.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Refilled {
    /// Somebody waits: hand the runtime out.
    Distribute,
    /// Nobody waits.
    Nothing,
    /// A whole period without use: the timer stops.
    Stop,
}

impl Pool {
    /// A pool that is filled, on top of what was left of the one before (`tg_set_cfs_bandwidth`): whoever
    /// sets a quota and then a burst begins with both.
    pub(super) fn new(limit: Bandwidth, left: u64, alarm: u64) -> Self {
        let most = limit.quota_nsec.saturating_add(limit.burst_nsec);
        let runtime = left.saturating_add(limit.quota_nsec).min(most);
        Pool {
            limit,
            runtime,
            snapshot: runtime,
            idle: false,
            active: false,
            slack_armed: false,
            refill_at: 0,
            throttled: VecDeque::new(),
            alarm,
        }
    }

    /// Takes at most `wanted`, and tells how much it was.
    pub(super) fn take(&mut self, wanted: u64) -> u64 {
        let amount = self.runtime.min(wanted);
        if amount > 0 {
            self.runtime -= amount;
            self.idle = false;
        }
        amount
    }

    /// The end of a period: counts it and fills the pool up.
    pub(super) fn refill(&mut self, stat: &mut super::Stat) -> Refilled {
        stat.nr_periods += 1;
        let full = self.runtime.saturating_add(self.limit.quota_nsec);
        if let Some(over @ 1..) = self.snapshot.checked_sub(full) {
            stat.nr_bursts += 1;
            stat.burst_nsec = stat.burst_nsec.saturating_add(over);
        }
        self.runtime = full.min(self.limit.quota_nsec.saturating_add(self.limit.burst_nsec));
        self.snapshot = self.runtime;
        if !self.throttled.is_empty() {
            stat.nr_throttled += 1;
            self.idle = false;
            return Refilled::Distribute;
        }
        if std::mem::replace(&mut self.idle, true) { Refilled::Stop } else { Refilled::Nothing }
    }
}
