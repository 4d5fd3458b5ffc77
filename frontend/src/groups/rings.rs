//! The last half minute of every group, kept while their view is open: hundreds of groups, so each
//! reading is a few numbers and nothing is copied when another comes.

use std::collections::{HashMap, VecDeque};

use vitrine_shared::cgroup::GroupId;
use vitrine_shared::message::Sample;

/// How far back a line goes.
pub(crate) const SPAN_MSEC: u64 = 30_000;
/// Readings of one group that are kept.
const POINTS: usize = 128;

#[derive(Clone, Copy, Debug)]
struct Point {
    at_msec: u64,
    cpu_nsec: u64,
    permille: u32,
    periods: u64,
    throttled: u64,
}

/// The readings of all groups.
#[derive(Debug, Default)]
pub(crate) struct Rings {
    rings: HashMap<GroupId, VecDeque<Point>>,
    last_msec: u64,
}

impl Rings {
    /// Adds a sample; one that was heard already changes nothing.
    pub(crate) fn push(&mut self, sample: &Sample) {
        let at_msec = sample.at_msec;
        if at_msec + SPAN_MSEC < self.last_msec {
            // The server's clock began anew.
            self.rings.clear();
        } else if at_msec <= self.last_msec {
            return;
        }
        self.last_msec = at_msec;
        for group in &sample.groups {
            let ring = self.rings.entry(group.group).or_default();
            ring.push_back(Point {
                at_msec,
                cpu_nsec: group.cpu_nsec,
                permille: group.cpu_permille,
                periods: group.cpu.nr_periods,
                throttled: group.cpu.nr_throttled,
            });
            while ring.len() > POINTS
                || ring.front().is_some_and(|first| first.at_msec + SPAN_MSEC < at_msec)
            {
                ring.pop_front();
            }
        }
        if self.rings.len() > sample.groups.len() {
            self.rings.retain(|_, ring| ring.back().is_some_and(|last| last.at_msec == at_msec));
        }
    }

    /// CPU over about the last second, in thousandths of one CPU: a quarter second holds two
    /// periods of 100 ms or three.
    pub(crate) fn permille(&self, group: GroupId) -> Option<u32> {
        let ring = self.rings.get(&group)?;
        let now = ring.back()?;
        let from = ring.iter().rev().find(|point| point.at_msec + 1_000 <= now.at_msec)?;
        let used_usec = now.cpu_nsec.checked_sub(from.cpu_nsec)? / 1_000;
        u32::try_from(used_usec / (now.at_msec - from.at_msec)).ok()
    }

    /// Periods that passed while it was looked at (at most half a minute), and how many of them
    /// were throttled; `None` where none passed.
    pub(crate) fn periods(&self, group: GroupId) -> Option<(u64, u64)> {
        let ring = self.rings.get(&group)?;
        let (first, last) = (ring.front()?, ring.back()?);
        let periods = last.periods.checked_sub(first.periods)?;
        let throttled = last.throttled.checked_sub(first.throttled)?;
        (periods > 0).then_some((periods, throttled))
    }

    /// A path in a box of `width` × `height` that is `full` thousandths of a CPU high; the right
    /// edge is now. Breaks where nothing was heard.
    pub(crate) fn path(&self, group: GroupId, width: u32, height: u32, full: u32) -> String {
        use std::fmt::Write as _;
        let mut path = String::new();
        let Some(ring) = self.rings.get(&group) else { return path };
        let full = u64::from(full.max(1));
        let mut before: Option<u64> = None;
        for point in ring {
            let age = self.last_msec.saturating_sub(point.at_msec).min(SPAN_MSEC);
            let x = u64::from(width) * (SPAN_MSEC - age) / SPAN_MSEC;
            let up = u64::from(height) * u64::from(point.permille).min(full) / full;
            let y = u64::from(height) - up;
            let joins = before.is_some_and(|at| point.at_msec.saturating_sub(at) < 2_500);
            // Writing to a string does not fail.
            let _ = write!(path, "{}{x} {y}", if joins { 'L' } else { 'M' });
            before = Some(point.at_msec);
        }
        path
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::fixture;

    fn sample(at_msec: u64, permille: u32, cpu_msec: u64, periods: (u64, u64)) -> Sample {
        let mut group = fixture::group(permille, Some(20_000), periods.0, periods.1);
        group.cpu_nsec = cpu_msec * 1_000_000;
        Sample { groups: vec![group], ..fixture::sample(at_msec) }
    }

    fn id() -> GroupId {
        fixture::group(0, None, 0, 0).group
    }

    #[test]
    fn rates_over_a_second_and_shares_over_all_that_was_seen() {
        let mut rings = Rings::default();
        assert_eq!((rings.permille(id()), rings.periods(id())), (None, None));
        for i in 0..=8 {
            rings.push(&sample(1_000 + i * 250, 200, 100 + i * 50, (i * 5, i * 4)));
            rings.push(&sample(1_000 + i * 250, 999, 0, (0, 0)));
        }
        assert_eq!(rings.permille(id()), Some(200));
        assert_eq!(rings.periods(id()), Some((40, 32)));
    }

    #[test]
    fn a_line_has_a_gap_where_nothing_was_heard_and_never_grows() {
        let mut rings = Rings::default();
        for at in [1_000, 2_000, 20_000, 21_000] {
            rings.push(&sample(at, 500, 0, (0, 0)));
        }
        let path = rings.path(id(), 120, 20, 1_000);
        assert_eq!(path.matches('M').count(), 2, "{path}");
        assert!(path.ends_with("L120 10"), "{path}");
        for i in 0..1_000 {
            rings.push(&sample(21_000 + i * 50, 2_000, 0, (0, 0)));
        }
        assert!(rings.rings[&id()].len() <= POINTS);
        assert!(rings.path(id(), 120, 20, 1_000).ends_with("120 0"), "cut at the top");
        rings.push(&Sample { groups: Vec::new(), ..fixture::sample(200_000) });
        assert!(rings.rings.is_empty());
        rings.push(&sample(5, 0, 0, (0, 0)));
        assert_eq!(rings.rings.len(), 1, "another server's clock");
    }
}
