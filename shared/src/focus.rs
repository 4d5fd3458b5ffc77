//! A close look at one group's CPU: what is read of it some twenty times a second.
//!
//! Counters and settings, never rates: whoever hears two of these takes the difference, and one
//! that got lost is made up for by the next. Rates are exact because each reading carries the
//! moment at which the CPU time was read.

use serde::{Deserialize, Serialize};

use crate::cgroup::GroupId;
use crate::id::MachineId;

/// Milliseconds between two readings: some twenty a second. At the usual period of 100 ms each
/// holds one period's end at most, and the two keep no step with each other: so readings sweep
/// over the period, and tell when it ends ([`crate::cpu::phase`]).
pub const STEP_MSEC: u64 = 53;
/// Threads of a group that are told of one by one.
pub const THREADS: usize = 16;
/// CPUs that are told of one by one.
pub const CPUS: usize = 64;

/// The group that is looked at closely.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
pub struct Focus {
    /// Its machine.
    pub machine: MachineId,
    /// Which group of it.
    pub group: GroupId,
    /// What of it.
    pub look: Look,
}

/// What is looked at closely.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
pub enum Look {
    /// Its CPU, some twenty times a second: [`CpuSample`].
    Cpu,
    /// Its memory, processes and block devices, four times a second:
    /// [`UseSample`](crate::uses::UseSample).
    Use,
}

/// The CPU of one group at one moment. Every counter goes on for as long as the group lives.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
pub struct CpuSample {
    /// Whose.
    pub focus: Focus,
    /// Monotonic time at which `usage_nsec` was read, in nanoseconds.
    pub at_nsec: u64,
    /// CPU time used, in nanoseconds. The kernel brings it up to date at each of its ticks (1 to
    /// 10 ms), for each CPU.
    pub usage_nsec: u64,
    /// The same for each CPU, where the kernel counts it so (v1); of the first 64.
    pub cpus_nsec: Vec<u64>,
    /// Its threads, by TID; the first 16.
    pub threads: Vec<ThreadTime>,
    /// How many threads it has.
    pub n_threads: u32,
    /// CPU time allowed in each period; `None` is no limit.
    pub quota_usec: Option<u64>,
    /// Length of the period; 0 where there is no cpu controller.
    pub period_usec: u64,
    /// Unused quota that may be saved up.
    pub burst_usec: u64,
    /// Periods that have passed while the group wanted CPU under a quota.
    pub nr_periods: u64,
    /// Of these, the ones in which it was throttled.
    pub nr_throttled: u64,
    /// Time its run queues stood throttled, in microseconds, summed over CPUs.
    pub throttled_usec: u64,
    /// Periods in which saved quota was used.
    pub nr_bursts: u64,
    /// CPU time used beyond the quota in these, in microseconds.
    pub burst_used_usec: u64,
}

impl CpuSample {
    /// A reading in which nothing has been counted yet, and without a cpu controller.
    pub fn new(focus: Focus, at_nsec: u64) -> Self {
        CpuSample {
            focus,
            at_nsec,
            usage_nsec: 0,
            cpus_nsec: Vec::new(),
            threads: Vec::new(),
            n_threads: 0,
            quota_usec: None,
            period_usec: 0,
            burst_usec: 0,
            nr_periods: 0,
            nr_throttled: 0,
            throttled_usec: 0,
            nr_bursts: 0,
            burst_used_usec: 0,
        }
    }
}

/// One thread's time, as `/proc/TID/schedstat` has it.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
pub struct ThreadTime {
    /// Its TID on the host; that of a process's first thread is the process's PID.
    pub tid: u32,
    /// Time on a CPU, in nanoseconds.
    pub run_nsec: u64,
    /// Time it could have run and did not, throttled or behind others, in nanoseconds. The kernel
    /// counts a wait when it is over.
    pub wait_nsec: u64,
}

impl CpuSample {
    /// CPU used since an earlier reading, in thousandths of one CPU; `None` when that was not
    /// earlier, or of another group, or the counter began anew.
    pub fn permille_since(&self, earlier: &CpuSample) -> Option<f64> {
        let nsec = self.at_nsec.checked_sub(earlier.at_nsec).filter(|nsec| *nsec > 0)?;
        let used = self.usage_nsec.checked_sub(earlier.usage_nsec)?;
        (self.focus == earlier.focus).then(|| nsec_f64(used) / nsec_f64(nsec) * 1_000.0)
    }
}

/// Nanoseconds as a number that can be divided: exact for 104 days, and close enough after that.
#[expect(clippy::cast_precision_loss, reason = "as the comment says")]
pub(crate) fn nsec_f64(nsec: u64) -> f64 {
    nsec as f64
}

#[cfg(test)]
pub(crate) mod tests {
    use super::*;

    /// A reading of a group with one thread.
    pub(crate) fn sample(at_msec: u64, used_msec: u64) -> CpuSample {
        let focus = Focus { machine: MachineId(1), group: GroupId::Root, look: Look::Cpu };
        CpuSample {
            usage_nsec: used_msec * 1_000_000,
            cpus_nsec: vec![used_msec * 1_000_000, 0],
            threads: vec![ThreadTime { tid: 7, run_nsec: used_msec * 1_000_000, wait_nsec: 0 }],
            n_threads: 1,
            period_usec: 100_000,
            ..CpuSample::new(focus, at_msec * 1_000_000)
        }
    }

    #[test]
    fn a_rate_is_what_was_used_in_the_time_that_really_passed() {
        let (first, last) = (sample(1_000, 10), sample(1_050, 35));
        assert_eq!(last.permille_since(&first), Some(500.0));
        assert_eq!(first.permille_since(&last), None);
        assert_eq!(first.permille_since(&first), None);
        assert_eq!(sample(1_060, 5).permille_since(&first), None, "the counter began anew");
        let mut other = sample(1_050, 35);
        other.focus.group = GroupId::Cap;
        assert_eq!(other.permille_since(&first), None);
    }
}
