//! The model of CFS bandwidth control that plays on the start page.
//!
//! Deterministic, integer nanoseconds, no clock of its own. It follows
//! `Documentation/scheduler/sched-bwc.rst`: a group may use `quota` of CPU time in each `period`;
//! when the quota is used up, its threads wait for the next refill.

pub mod cpu;
#[cfg(test)]
mod dice;
pub mod errno;
pub mod groups;
pub mod host;
pub mod kernel;
pub mod memory;
pub mod procs;
pub mod shell;

/// A busy group of `threads` threads, each on a CPU of its own.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Bandwidth {
    /// CPU time allowed in each period; `None` is no limit.
    pub quota_nsec: Option<u64>,
    /// Length of the period.
    pub period_nsec: u64,
    /// Threads that always want to run.
    pub threads: u64,
    now_nsec: u64,
    runtime_nsec: u64,
    usage_nsec: u64,
    throttled_nsec: u64,
    nr_periods: u64,
    nr_throttled: u64,
    throttled_now: bool,
}

/// A stretch of time in which nothing changed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Slice {
    /// How long.
    pub nsec: u64,
    /// Running, or waiting for the refill.
    pub running: bool,
}

impl Bandwidth {
    /// A group that starts at a refill. A period of 0 is taken as 1 ns.
    pub fn new(quota_nsec: Option<u64>, period_nsec: u64, threads: u64) -> Self {
        Bandwidth {
            quota_nsec,
            period_nsec: period_nsec.max(1),
            threads,
            now_nsec: 0,
            runtime_nsec: quota_nsec.unwrap_or(0),
            usage_nsec: 0,
            throttled_nsec: 0,
            nr_periods: 0,
            nr_throttled: 0,
            throttled_now: false,
        }
    }

    /// Changes the quota now: as in the kernel, the new quota is there at once and is full.
    pub fn set_quota(&mut self, quota_nsec: Option<u64>) {
        if self.quota_nsec != quota_nsec {
            self.quota_nsec = quota_nsec;
            self.runtime_nsec = quota_nsec.unwrap_or(0);
            self.throttled_now = false;
        }
    }

    /// Lets time pass and tells what happened in it.
    pub fn advance(&mut self, nsec: u64) -> Vec<Slice> {
        let mut slices = Vec::new();
        let end = self.now_nsec.saturating_add(nsec);
        while self.now_nsec < end {
            let slice = self.step(end);
            match slices.last_mut() {
                Some(Slice { nsec, running }) if *running == slice.running => *nsec += slice.nsec,
                _ => slices.push(slice),
            }
        }
        slices
    }

    /// Goes to the next moment at which something changes, at most to `end`.
    fn step(&mut self, end: u64) -> Slice {
        let period_end = (self.now_nsec / self.period_nsec + 1).saturating_mul(self.period_nsec);
        let mut until = end.min(period_end);
        let running = self.threads > 0 && !self.throttled_now;
        if running && self.quota_nsec.is_some() {
            let lasts = self.runtime_nsec.div_ceil(self.threads).max(1);
            until = until.min(self.now_nsec.saturating_add(lasts));
        }
        let nsec = until - self.now_nsec;
        self.now_nsec = until;
        if running {
            let used = nsec.saturating_mul(self.threads);
            self.usage_nsec = self.usage_nsec.saturating_add(used);
            self.runtime_nsec = self.runtime_nsec.saturating_sub(used);
            self.throttled_now = self.quota_nsec.is_some() && self.runtime_nsec == 0;
        } else if self.throttled_now {
            self.throttled_nsec = self.throttled_nsec.saturating_add(nsec);
        }
        if until == period_end {
            self.refill();
        }
        Slice { nsec, running }
    }

    fn refill(&mut self) {
        let Some(quota) = self.quota_nsec else { return };
        if self.threads > 0 {
            self.nr_periods += 1;
            self.nr_throttled += u64::from(self.throttled_now);
        }
        self.runtime_nsec = quota;
        self.throttled_now = quota == 0;
    }

    /// CPU time used so far, all threads together.
    pub fn usage_nsec(&self) -> u64 {
        self.usage_nsec
    }

    /// What is left of the quota in this period; 0 without a quota.
    pub fn runtime_nsec(&self) -> u64 {
        self.runtime_nsec
    }

    /// Periods so far, and those in which the group was throttled.
    pub fn periods(&self) -> (u64, u64) {
        (self.nr_periods, self.nr_throttled)
    }

    /// Is the group waiting for a refill?
    pub fn is_throttled(&self) -> bool {
        self.throttled_now
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const MS: u64 = 1_000_000;

    #[track_caller]
    fn check(quota_ms: Option<u64>, period_ms: u64, threads: u64, usage_ms: u64, throttled: u64) {
        let mut group = Bandwidth::new(quota_ms.map(|q| q * MS), period_ms * MS, threads);
        group.advance(1_000 * MS);
        assert_eq!(group.usage_nsec(), usage_ms * MS);
        assert_eq!(group.periods().1, throttled);
    }

    #[test]
    fn the_tutorials_twenty_percent() {
        check(Some(20), 100, 1, 200, 10);
    }

    #[test]
    fn without_a_quota_one_thread_fills_one_cpu() {
        check(None, 100, 1, 1_000, 0);
    }

    #[test]
    fn two_threads_use_the_quota_up_twice_as_fast() {
        let mut group = Bandwidth::new(Some(50 * MS), 100 * MS, 2);
        let slices = group.advance(100 * MS);
        assert_eq!(
            slices,
            [Slice { nsec: 25 * MS, running: true }, Slice { nsec: 75 * MS, running: false }]
        );
    }

    #[test]
    fn a_quota_of_a_whole_period_never_waits() {
        let mut group = Bandwidth::new(Some(100 * MS), 100 * MS, 1);
        assert!(group.advance(1_000 * MS).iter().all(|slice| slice.running));
    }

    #[test]
    fn small_steps_are_the_same_as_one_large_step() {
        let mut whole = Bandwidth::new(Some(13 * MS), 70 * MS, 3);
        let mut steps = whole.clone();
        whole.advance(999 * MS);
        for _ in 0..999 {
            steps.advance(MS);
        }
        assert_eq!(whole, steps);
    }

    #[test]
    fn no_input_makes_it_panic() {
        for quota in [None, Some(0), Some(1), Some(u64::MAX)] {
            for threads in [0, 1, u64::MAX] {
                let mut group = Bandwidth::new(quota, 0, threads);
                group.advance(1_000);
                group.set_quota(Some(0));
                group.advance(1_000);
            }
        }
    }
}
