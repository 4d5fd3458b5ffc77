//! When periods end, found out from when `nr_periods` moves: modelled, with how sure it is.
//!
//! The kernel refills a group's quota at fixed steps of its period and tells nobody when. But each
//! reading says how many steps lie behind it. Between two readings `length` apart lie either
//! `⌊length ÷ period⌋` ends of periods or one more, and which of the two it is says in which part
//! of the period the readings lie. Readings that do not keep step with the period sweep over it,
//! so a few dozen leave a window of a few milliseconds.

use super::{Reading, float};

/// Readings that are looked at: three seconds of them. Longer, and the drift of timers counts.
const READINGS: usize = 60;

/// When periods end: at one moment of this window, and at every period's length from it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Phase {
    /// The earliest it can be, in nanoseconds, less than a period.
    pub earliest_nsec: u64,
    /// How much later it can be.
    pub window_nsec: u64,
    /// The period.
    pub period_nsec: u64,
}

impl Phase {
    /// The middle of the window.
    fn middle_nsec(&self) -> u64 {
        self.earliest_nsec + self.window_nsec / 2
    }

    /// The last end of a period that is not after this moment.
    pub fn end_before(&self, at_nsec: u64) -> u64 {
        let offset = self.middle_nsec() % self.period_nsec;
        let behind = (at_nsec + self.period_nsec - offset) % self.period_nsec;
        at_nsec.saturating_sub(behind)
    }

    /// How far off an end can be, in milliseconds, either way.
    pub fn uncertain_msec(&self) -> f64 {
        float(self.window_nsec) / 2e6
    }
}

/// Readings, oldest first. `None` when no period has ended, or there is no quota.
pub fn phase<'a>(readings: impl DoubleEndedIterator<Item = &'a Reading> + Clone) -> Option<Phase> {
    let newest = readings.clone().next_back()?;
    newest.quota_usec?;
    let period_nsec = newest.period_usec.checked_mul(1_000).filter(|period| *period > 0)?;
    let mut found: Option<Phase> = None;
    let earlier = readings.clone().rev().skip(1);
    for (now, before) in readings.rev().zip(earlier).take(READINGS) {
        let same = (now.quota_usec, now.period_usec) == (before.quota_usec, before.period_usec);
        if !same || now.quota_usec.is_none() || now.period_usec != newest.period_usec {
            break;
        }
        let Some(window) = window(before, now, period_nsec) else { continue };
        match found {
            None => found = Some(window),
            Some(known) => match meet(&known, &window) {
                Some(both) => found = Some(both),
                // The timer was started anew: what was before says nothing of now.
                None => break,
            },
        }
    }
    found
}

/// What two readings say of it.
fn window(before: &Reading, now: &Reading, period_nsec: u64) -> Option<Phase> {
    let passed = now.since(before)?;
    // Beyond three centuries nothing is a time.
    before.at_nsec.checked_add(period_nsec).filter(|sum| *sum < u64::MAX / 4)?;
    let (whole, rest) = (passed.nsec / period_nsec, passed.nsec % period_nsec);
    let (from, window_nsec) = if passed.periods == whole.saturating_add(1) {
        (before.at_nsec, rest)
    } else if passed.periods == whole && passed.periods > 0 {
        (before.at_nsec + rest, period_nsec - rest)
    } else {
        // Without the timer (an idle group) no periods end, whenever they would have.
        return None;
    };
    Some(Phase { earliest_nsec: from % period_nsec, window_nsec, period_nsec })
}

/// Where both windows are; the wider one where they meet in two places.
fn meet(a: &Phase, b: &Phase) -> Option<Phase> {
    let period = a.period_nsec;
    let ahead = (b.earliest_nsec + period - a.earliest_nsec) % period;
    let first = (ahead < a.window_nsec).then(|| Phase {
        earliest_nsec: b.earliest_nsec,
        window_nsec: (a.window_nsec - ahead).min(b.window_nsec),
        period_nsec: period,
    });
    let second = (ahead + b.window_nsec > period)
        .then(|| Phase { window_nsec: (ahead + b.window_nsec - period).min(a.window_nsec), ..*a });
    match (first, second) {
        (Some(_), Some(_)) => Some(*a),
        (one, other) => one.or(other),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::cpu::tests::{MS, reading};

    /// Readings of a busy group whose periods end at `offset` + n · 100 ms.
    fn busy(step_msec: u64, offset: u64, n: u64) -> Vec<Reading> {
        let at = |i| 10_000 + i * step_msec;
        (0..n).map(|i| reading(at(i), i, ((at(i) + 100 - offset) / 100, 0))).collect()
    }

    #[track_caller]
    fn check(readings: &[Reading], end_msec: u64, within_msec: f64) {
        let phase = phase(readings.iter()).unwrap();
        assert!(phase.uncertain_msec() <= within_msec, "{phase:?}");
        let now = readings.last().unwrap().at_nsec;
        let ends = phase.end_before(now);
        assert!(ends <= now && now - ends < 100 * MS);
        let off = (ends + 100 * MS - end_msec * MS) % (100 * MS);
        let off = off.min(100 * MS - off);
        assert!(float(off) / 1e6 <= within_msec, "{off} ns off: {phase:?}");
    }

    #[test]
    fn a_few_dozen_readings_that_keep_no_step_find_it_to_some_milliseconds() {
        for offset in [0, 1, 37, 50, 99] {
            check(&busy(53, offset, 60), offset, 3.5);
        }
    }

    #[test]
    fn readings_in_step_with_the_period_know_no_better_than_their_step() {
        check(&busy(50, 37, 60), 37, 25.0);
    }

    #[test]
    fn an_idle_group_and_one_without_a_quota_have_none() {
        let idle: Vec<_> = (0..60).map(|i| reading(i * 53, 0, (7, 0))).collect();
        assert_eq!(phase(idle.iter()), None);
        let mut free = busy(53, 0, 60);
        free.iter_mut().for_each(|reading| reading.quota_usec = None);
        assert_eq!(phase(free.iter()), None);
        assert_eq!(phase([].iter()), None);
    }

    #[test]
    fn periods_shorter_than_the_step_are_found_too() {
        let mut readings: Vec<_> = (0..60).map(|i| reading(1_000 + i * 53, i, (0, 0))).collect();
        for reading in &mut readings {
            (reading.quota_usec, reading.period_usec) = (Some(2_000), 10_000);
            reading.nr_periods = (reading.at_nsec / MS + 10 - 4) / 10;
        }
        let phase = phase(readings.iter()).unwrap();
        assert!(phase.uncertain_msec() <= 1.0, "{phase:?}");
        assert!(phase.end_before(1_000 * MS).abs_diff(994 * MS) <= MS, "{phase:?}");
    }

    #[test]
    fn a_new_setting_begins_anew_and_a_timer_that_jumped_is_believed_from_then_on() {
        let mut readings = busy(53, 20, 60);
        for reading in &mut readings[..40] {
            reading.quota_usec = Some(50_000);
        }
        check(&readings, 20, 10.0);
        // Other ends of periods, 40 ms later, for the last twenty readings.
        let mut jumped = busy(53, 20, 60);
        let later = busy(53, 60, 60);
        jumped[40..].copy_from_slice(&later[40..]);
        check(&jumped, 60, 26.0);
    }

    #[test]
    fn nothing_makes_it_panic() {
        let mut wild =
            [reading(u64::MAX / MS, u64::MAX / MS, (u64::MAX, 0)), reading(0, 0, (0, 0))];
        wild[0].period_usec = u64::MAX;
        wild[1].period_usec = 0;
        assert_eq!(phase(wild.iter()), None);
        assert_eq!(phase(wild.iter().rev()), None);
    }
}
