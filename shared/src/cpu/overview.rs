//! The last minute in bins of equal length: all of it measured.

use super::{Passed, Reading, float};

/// Two readings further apart than this have a gap between them, in which nothing is known.
const GAP_NSEC: u64 = 1_500_000_000;

/// One bin.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub struct Bin {
    /// CPU used, in thousandths of one CPU; `None`: nothing was read.
    pub used_permille: Option<f64>,
    /// The quota, in thousandths of one CPU; `None`: no quota.
    pub quota_permille: Option<f64>,
    /// Share of its periods that were throttled, 0 to 1; `None`: no period passed, which is not
    /// the same as none being throttled.
    pub throttled: Option<f64>,
}

/// The time that bins stand for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Axis {
    /// Where the first bin begins.
    pub start_nsec: u64,
    /// How long each is.
    pub bin_nsec: u64,
    /// How many there are.
    pub bins: usize,
}

impl Axis {
    /// The bins of this length that end with the one that `now_nsec` is in. Bins begin at
    /// multiples of their length, so that what is in a bin never changes once it is over.
    pub fn ending(now_nsec: u64, bin_nsec: u64, bins: usize) -> Self {
        let bin_nsec = bin_nsec.max(1);
        let end = (now_nsec / bin_nsec + 1).saturating_mul(bin_nsec);
        let whole = bin_nsec.saturating_mul(bins as u64);
        Axis { start_nsec: end.saturating_sub(whole), bin_nsec, bins }
    }
}

/// Sums of one bin.
#[derive(Clone, Copy, Default)]
struct Sum {
    nsec: f64,
    used: f64,
    periods: f64,
    throttled: f64,
    quota: Option<f64>,
}

/// Puts readings, oldest first, into bins. What lies between two readings is spread evenly.
pub fn bins<'a>(readings: impl Iterator<Item = &'a Reading>, axis: Axis) -> Vec<Bin> {
    let mut sums = vec![Sum::default(); axis.bins];
    let mut last: Option<&Reading> = None;
    for now in readings {
        let passed = last.and_then(|last| now.since(last)).filter(|p| p.nsec <= GAP_NSEC);
        if let Some(passed) = passed {
            spread(&mut sums, axis, now, passed);
        }
        last = Some(now);
    }
    sums.iter().map(Sum::bin).collect()
}

fn spread(sums: &mut [Sum], axis: Axis, now: &Reading, passed: Passed) {
    let mut from = (now.at_nsec - passed.nsec).max(axis.start_nsec);
    while from < now.at_nsec {
        let Ok(at) = usize::try_from((from - axis.start_nsec) / axis.bin_nsec) else { return };
        let Some(sum) = sums.get_mut(at) else { return };
        let end = axis.start_nsec + (at as u64 + 1) * axis.bin_nsec;
        let until = end.min(now.at_nsec);
        let share = float(until - from) / float(passed.nsec);
        sum.nsec += float(until - from);
        sum.used += share * float(passed.used_nsec);
        sum.periods += share * float(passed.periods);
        sum.throttled += share * float(passed.throttled);
        sum.quota = now.quota_permille();
        from = until;
    }
}

impl Sum {
    fn bin(&self) -> Bin {
        Bin {
            used_permille: (self.nsec > 0.0).then(|| self.used / self.nsec * 1_000.0),
            quota_permille: self.quota,
            throttled: (self.periods > 0.0).then(|| (self.throttled / self.periods).min(1.0)),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::cpu::tests::{MS, reading};

    fn axis() -> Axis {
        Axis::ending(1_999 * MS, 500 * MS, 4)
    }

    #[test]
    fn bins_stand_at_multiples_of_their_length() {
        assert_eq!(axis(), Axis { start_nsec: 0, bin_nsec: 500 * MS, bins: 4 });
        assert_eq!(Axis::ending(2_000 * MS, 500 * MS, 4).start_nsec, 500 * MS);
        assert_eq!(Axis::ending(100, 0, 4).bin_nsec, 1);
    }

    #[test]
    fn use_is_spread_over_the_bins_that_it_lies_in() {
        let readings =
            [reading(250, 0, (0, 0)), reading(750, 100, (5, 5)), reading(1_000, 150, (7, 5))];
        let bins = bins(readings.iter(), axis());
        let used: Vec<_> = bins.iter().map(|bin| bin.used_permille).collect();
        assert_eq!(used, [Some(200.0), Some(200.0), None, None]);
        assert_eq!(bins[0].throttled, Some(1.0));
        assert!((bins[1].throttled.unwrap() - 2.5 / 4.5).abs() < 1e-9, "{bins:?}");
        assert_eq!((bins[1].quota_permille, bins[2].quota_permille), (Some(200.0), None));
    }

    #[test]
    fn no_periods_and_no_readings_are_not_nought() {
        let readings = [reading(0, 5, (3, 3)), reading(400, 5, (3, 3))];
        let bin = bins(readings.iter(), axis())[0];
        assert_eq!((bin.used_permille, bin.throttled), (Some(0.0), None));
        // Nobody looked for two seconds.
        let readings = [reading(0, 5, (3, 3)), reading(1_600, 500, (13, 3))];
        assert!(bins(readings.iter(), axis()).iter().all(|bin| *bin == Bin::default()));
        // A new observer, a new clock.
        let readings = [reading(1_000, 5, (3, 3)), reading(400, 5, (3, 3))];
        assert!(bins(readings.iter(), axis()).iter().all(|bin| *bin == Bin::default()));
    }

    #[test]
    fn readings_from_before_and_after_the_axis_count_for_what_lies_on_it() {
        let axis = Axis { start_nsec: 1_000 * MS, bin_nsec: 500 * MS, bins: 1 };
        let readings = [reading(900, 0, (0, 0)), reading(1_600, 70, (7, 0))];
        let bins = bins(readings.iter(), axis);
        assert!((bins[0].used_permille.unwrap() - 100.0).abs() < 1e-9, "{bins:?}");
    }
}
