//! What a close look at a group's CPU tells: rates, bins, and a model of what happened in between.
//!
//! `cpu.stat` counts, and does not trace: *how much* was used between two readings is measured,
//! *when* within that time is not known. So what is computed here comes in two kinds, which are
//! drawn in different ink:
//!
//! - measured: [`overview`], [`shares`], the dots of [`tank`];
//! - modelled: when periods end ([`phase`]), and the line between the dots ([`tank`]).

pub mod overview;
pub mod phase;
pub mod ring;
pub mod shares;
pub mod spell;
pub mod tank;

use crate::cgroup::CgroupSample;
use crate::focus::CpuSample;

/// The counters of one reading that the pictures are drawn from.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Reading {
    /// Monotonic time, in nanoseconds.
    pub at_nsec: u64,
    /// CPU time used.
    pub usage_nsec: u64,
    /// CPU time allowed in each period; `None` is no limit.
    pub quota_usec: Option<u64>,
    /// Length of the period.
    pub period_usec: u64,
    /// Periods that have passed.
    pub nr_periods: u64,
    /// Of these, the throttled ones.
    pub nr_throttled: u64,
}

impl From<&CpuSample> for Reading {
    fn from(sample: &CpuSample) -> Self {
        Reading {
            at_nsec: sample.at_nsec,
            usage_nsec: sample.usage_nsec,
            quota_usec: sample.quota_usec,
            period_usec: sample.period_usec,
            nr_periods: sample.nr_periods,
            nr_throttled: sample.nr_throttled,
        }
    }
}

impl Reading {
    /// The reading in a sample of the whole machine. Its time is that of the machine's reading, a
    /// few milliseconds off.
    pub fn of_group(at_msec: u64, group: &CgroupSample) -> Self {
        Reading {
            at_nsec: at_msec.saturating_mul(1_000_000),
            usage_nsec: group.cpu_nsec,
            quota_usec: group.cpu.quota_usec,
            period_usec: group.cpu.period_usec,
            nr_periods: group.cpu.nr_periods,
            nr_throttled: group.cpu.nr_throttled,
        }
    }

    /// The quota in thousandths of one CPU; `None` is no limit.
    #[expect(clippy::cast_precision_loss, reason = "microseconds, below a minute")]
    pub fn quota_permille(&self) -> Option<f64> {
        let period = self.period_usec.max(1) as f64;
        self.quota_usec.map(|quota| quota as f64 * 1_000.0 / period)
    }

    /// What happened since an earlier reading; `None` when it was not earlier, or the counters
    /// began anew.
    pub fn since(&self, earlier: &Reading) -> Option<Passed> {
        Some(Passed {
            nsec: self.at_nsec.checked_sub(earlier.at_nsec).filter(|nsec| *nsec > 0)?,
            used_nsec: self.usage_nsec.checked_sub(earlier.usage_nsec)?,
            periods: self.nr_periods.checked_sub(earlier.nr_periods)?,
            throttled: self.nr_throttled.checked_sub(earlier.nr_throttled)?,
        })
    }
}

/// What happened between two readings.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Passed {
    /// Time.
    pub nsec: u64,
    /// CPU time used.
    pub used_nsec: u64,
    /// Periods that ended.
    pub periods: u64,
    /// Of these, the throttled ones.
    pub throttled: u64,
}

impl Passed {
    /// CPU used, in thousandths of one CPU.
    pub fn permille(&self) -> f64 {
        float(self.used_nsec) / float(self.nsec.max(1)) * 1_000.0
    }

    /// The share of the periods that were throttled, 0 to 1; `None`: no period ended.
    pub fn throttled_share(&self) -> Option<f64> {
        (self.periods > 0).then(|| (float(self.throttled) / float(self.periods)).min(1.0))
    }
}

/// Counters and nanoseconds as numbers that can be divided: exact below 2⁵³.
#[expect(clippy::cast_precision_loss, reason = "as the comment says")]
pub(crate) fn float(number: u64) -> f64 {
    number as f64
}

#[cfg(test)]
pub(crate) mod tests {
    use super::*;

    pub(crate) const MS: u64 = 1_000_000;

    /// A reading under 20 of 100 ms.
    pub(crate) fn reading(at_msec: u64, used_msec: u64, periods: (u64, u64)) -> Reading {
        Reading {
            at_nsec: at_msec * MS,
            usage_nsec: used_msec * MS,
            quota_usec: Some(20_000),
            period_usec: 100_000,
            nr_periods: periods.0,
            nr_throttled: periods.1,
        }
    }

    #[test]
    fn what_passed_between_two_readings() {
        let (a, b) = (reading(1_000, 100, (10, 9)), reading(1_500, 200, (15, 14)));
        let passed = b.since(&a).unwrap();
        assert_eq!((passed.permille(), passed.throttled_share()), (200.0, Some(1.0)));
        assert_eq!(b.quota_permille(), Some(200.0));
        assert_eq!(a.since(&b), None);
        assert_eq!(a.since(&a), None);
        assert_eq!(reading(2_000, 50, (15, 14)).since(&b), None, "the counters began anew");
        let idle = reading(1_500, 100, (10, 9)).since(&a).unwrap();
        assert_eq!((idle.permille(), idle.throttled_share()), (0.0, None), "no periods is not 0 %");
    }
}
