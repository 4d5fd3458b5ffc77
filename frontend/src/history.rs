//! The last sixty seconds of one group's CPU, in a ring that never grows.

use std::collections::VecDeque;
use std::rc::Rc;

use vitrine_shared::cgroup::CgroupSample;
use vitrine_shared::cpu::Reading;

/// How far back the picture goes.
pub(crate) const SPAN_MSEC: u64 = 60_000;
/// Points that are kept: sixty seconds at 10 a second.
const POINTS: usize = 600;

/// One reading.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(crate) struct Point {
    /// Monotonic time, in milliseconds.
    pub(crate) at_msec: u64,
    /// CPU used, in thousandths of one CPU.
    pub(crate) cpu_permille: u32,
    /// The quota, in thousandths of one CPU.
    pub(crate) quota_permille: Option<u32>,
    /// Share of the periods since the last reading that were throttled; `None`: no period passed.
    pub(crate) throttled: Option<f64>,
    periods: (u64, u64),
    cpu_nsec: u64,
}

/// The readings, oldest first. Handed about in every render, so a copy is the same ring until one
/// of them gets another reading.
#[derive(Clone, Debug, Default)]
pub(crate) struct History {
    points: Rc<VecDeque<Point>>,
}

impl PartialEq for History {
    fn eq(&self, other: &Self) -> bool {
        Rc::ptr_eq(&self.points, &other.points) || self.points == other.points
    }
}

impl History {
    /// Adds a reading; one that is not newer than the last is ignored, unless the clock began anew.
    pub(crate) fn push(&mut self, at_msec: u64, group: &CgroupSample) {
        let last = self.points.back().copied();
        let anew = last.is_some_and(|last| last.at_msec >= at_msec + SPAN_MSEC);
        if !anew && last.is_some_and(|last| last.at_msec >= at_msec) {
            return;
        }
        let points = Rc::make_mut(&mut self.points);
        if anew {
            points.clear();
        }
        let periods = (group.cpu.nr_periods, group.cpu.nr_throttled);
        let throttled = last.and_then(|last| share(last.periods, periods));
        points.push_back(Point {
            at_msec,
            cpu_permille: group.cpu_permille,
            quota_permille: permille(group.cpu.quota_usec, group.cpu.period_usec),
            throttled,
            periods,
            cpu_nsec: group.cpu_nsec,
        });
        while points.len() > POINTS
            || points.front().is_some_and(|first| first.at_msec + SPAN_MSEC * 2 < at_msec)
        {
            points.pop_front();
        }
    }

    /// What was read, for the CPU lens to begin with. Of quota and period the ratio is kept.
    pub(crate) fn readings(&self) -> impl Iterator<Item = Reading> + '_ {
        self.points.iter().map(|point| Reading {
            at_nsec: point.at_msec * 1_000_000,
            usage_nsec: point.cpu_nsec,
            quota_usec: point.quota_permille.map(|quota| u64::from(quota) * 100),
            period_usec: 100_000,
            nr_periods: point.periods.0,
            nr_throttled: point.periods.1,
        })
    }

    /// CPU time used in about the last `msec`, and the time that really was.
    pub(crate) fn used_nsec(&self, msec: u64) -> Option<(u64, u64)> {
        let now = self.points.back()?;
        let from = self.points.iter().rev().find(|point| point.at_msec + msec <= now.at_msec)?;
        Some((now.cpu_nsec.checked_sub(from.cpu_nsec)?, (now.at_msec - from.at_msec) * 1_000_000))
    }

    /// The readings, oldest first.
    pub(crate) fn points(&self) -> impl DoubleEndedIterator<Item = &Point> + Clone {
        self.points.iter()
    }

    /// The last reading, and the one about a second before.
    fn last_second(&self) -> Option<(&Point, &Point)> {
        let now = self.points.back()?;
        let from = self.points.iter().rev().find(|point| point.at_msec + 1_000 <= now.at_msec)?;
        Some((from, now))
    }

    /// CPU used in about the last second, in thousandths of one CPU. A single reading of a quarter
    /// second holds two periods of 100 ms or three, and would jump between 16 % and 24 %.
    pub(crate) fn recent_permille(&self) -> Option<u32> {
        let (from, now) = self.last_second()?;
        let used_usec = now.cpu_nsec.checked_sub(from.cpu_nsec)? / 1_000;
        u32::try_from(used_usec / (now.at_msec - from.at_msec)).ok()
    }

    /// Periods in about the last second, and those of them that were throttled.
    pub(crate) fn recent_periods(&self) -> Option<(u64, u64)> {
        let (from, now) = self.last_second()?;
        let periods = now.periods.0.checked_sub(from.periods.0)?;
        let throttled = now.periods.1.checked_sub(from.periods.1)?;
        (periods > 0).then_some((periods, throttled))
    }

    /// The share of the recent periods that were throttled, 0 to 1; `None`: no period passed.
    pub(crate) fn recent_share(&self) -> Option<f64> {
        self.recent_periods().map(|(periods, throttled)| ratio(throttled, periods))
    }
}

/// A quota in thousandths of one CPU.
pub(crate) fn permille(quota_usec: Option<u64>, period_usec: u64) -> Option<u32> {
    let quota = quota_usec?;
    u32::try_from(quota.saturating_mul(1_000) / period_usec.max(1)).ok()
}

fn share(before: (u64, u64), now: (u64, u64)) -> Option<f64> {
    let periods = now.0.checked_sub(before.0)?;
    let throttled = now.1.checked_sub(before.1)?;
    (periods > 0).then(|| ratio(throttled, periods))
}

#[allow(clippy::cast_precision_loss)] // Counts of periods are far below 2^52.
fn ratio(part: u64, whole: u64) -> f64 {
    (part as f64 / whole as f64).clamp(0.0, 1.0)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::fixture;

    #[test]
    fn the_figure_does_not_jump_with_the_periods_in_a_reading() {
        let mut history = History::default();
        let mut group = fixture::group(160, Some(20_000), 0, 0);
        // 40 ms and 60 ms of CPU in turn.
        for (at, used_msec) in
            [(0, 0), (250, 40), (500, 100), (750, 140), (1_000, 200), (1_250, 240)]
        {
            group.cpu_nsec = used_msec * 1_000_000;
            history.push(at, &group);
            let expected = (at >= 1_000).then_some(200);
            assert_eq!(history.recent_permille(), expected, "at {at}");
        }
    }

    #[test]
    fn the_share_is_of_the_periods_that_passed() {
        let mut history = History::default();
        for (at, periods, throttled) in [(0, 0, 0), (500, 5, 0), (1_000, 10, 5), (1_500, 10, 5)] {
            history.push(at, &fixture::group(200, Some(20_000), periods, throttled));
        }
        let shares: Vec<_> = history.points().map(|point| point.throttled).collect();
        assert_eq!(shares, [None, Some(0.0), Some(1.0), None]);
        assert_eq!(history.recent_periods(), Some((5, 5)));
    }

    #[test]
    fn an_old_reading_is_ignored_and_a_new_clock_begins_anew() {
        let mut history = History::default();
        let group = fixture::group(200, None, 0, 0);
        history.push(100_000, &group);
        history.push(99_000, &group);
        history.push(100_000, &group);
        assert_eq!(history.points().count(), 1);
        history.push(10, &group);
        assert_eq!(history.points().map(|p| p.at_msec).collect::<Vec<_>>(), [10]);
    }

    #[test]
    fn it_never_grows_beyond_its_ring() {
        let mut history = History::default();
        for at in 0..5_000 {
            history.push(at * 50, &fixture::group(0, None, 0, 0));
        }
        assert!(history.points().count() <= POINTS);
    }

    #[test]
    fn quotas_are_thousandths_of_one_cpu() {
        assert_eq!(permille(Some(20_000), 100_000), Some(200));
        assert_eq!(permille(None, 100_000), None);
        assert_eq!(permille(Some(1), 0), Some(1_000));
    }
}
