//! The quota as a tank: full at each refill, drained by the threads that run, empty when all wait.
//!
//! At the moment of a reading the level is measured, but for when the period began: quota, less
//! what was used since. Those are the dots. The line through them is modelled: between two dots
//! use is spread evenly, and where the tank was found empty, it is drained as if so many threads
//! had run from the dot before on.

use super::Reading;
use super::phase::{Phase, phase};

/// Periods that are drawn at most.
const PERIODS: usize = 20;

/// The latest periods of a group.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Tank {
    /// When periods end.
    pub phase: Phase,
    /// CPU time that each refill brings.
    pub quota_nsec: u64,
    /// What the tank holds: the quota, and what may be saved up.
    pub full_nsec: u64,
    /// Oldest first; the last one is not over.
    pub periods: Vec<Period>,
}

/// One period.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Period {
    /// Its refill.
    pub start_nsec: u64,
    /// The next one.
    pub end_nsec: u64,
    /// Moments and levels, measured: one a reading.
    pub dots: Vec<(u64, u64)>,
    /// Moments and levels from its refill on, modelled.
    pub line: Vec<(u64, u64)>,
    /// What was used of the quota.
    pub used_nsec: u64,
    /// Was it throttled when it ended? Measured; `None` while it is not over.
    pub throttled: Option<bool>,
    /// When the tank ran empty and all waited, modelled.
    pub empty_nsec: Option<u64>,
}

impl Tank {
    /// The period that this moment is in.
    pub fn period_at(&self, at_nsec: u64) -> Option<&Period> {
        self.periods.iter().find(|p| (p.start_nsec..p.end_nsec).contains(&at_nsec))
    }

    /// The last period that is over.
    pub fn last_over(&self) -> Option<&Period> {
        self.periods.iter().rev().find(|period| period.throttled.is_some())
    }
}

/// The tank of a group of which `parallel` threads can run at once, from its readings, oldest
/// first. `None` without a quota, or before a period has ended.
pub fn tank(readings: &[Reading], parallel: u64, burst_usec: u64) -> Option<Tank> {
    let newest = readings.last()?;
    // A new setting fills the tank: what was before it is another picture.
    let set =
        |r: &Reading| (r.quota_usec, r.period_usec) == (newest.quota_usec, newest.period_usec);
    let first = readings.iter().rposition(|reading| !set(reading)).map_or(0, |at| at + 1);
    let readings = &readings[first..];
    let phase = phase(readings.iter())?;
    let quota_nsec = newest.quota_usec?.saturating_mul(1_000);
    let full_nsec = quota_nsec.saturating_add(burst_usec.saturating_mul(1_000));
    let now_nsec = newest.at_nsec;
    let mut start_nsec = phase.end_before(now_nsec);
    let mut starts = vec![start_nsec];
    while starts.len() < PERIODS && start_nsec >= readings[0].at_nsec + phase.period_nsec {
        start_nsec -= phase.period_nsec;
        starts.push(start_nsec);
    }
    starts.reverse();
    let drain = Drain { parallel: parallel.max(1), empty_nsec: (quota_nsec / 20).max(200_000) };
    let mut level = quota_nsec;
    let mut base = first_base(readings, &starts, quota_nsec);
    let mut periods = Vec::with_capacity(starts.len());
    for start_nsec in starts {
        let end_nsec = start_nsec + phase.period_nsec;
        let over = end_nsec <= now_nsec;
        let throttled = over.then(|| was_throttled(readings, end_nsec)).flatten();
        let empty = base.saturating_add(level.saturating_sub(drain.empty_nsec));
        let full_use = match throttled {
            // All waited at the last reading before the end: it says what was used, to the point.
            Some(true) if reached(readings, end_nsec, empty) => Some(0),
            Some(true) => Some(base.saturating_add(level)),
            Some(false) | None => None,
        };
        let until_nsec = end_nsec.min(now_nsec);
        let used = usage_at(readings, until_nsec, full_use).saturating_sub(base);
        let within = |reading: &&Reading| {
            reading.at_nsec > start_nsec && reading.at_nsec < end_nsec && reading.usage_nsec >= base
        };
        let dots: Vec<_> = readings
            .iter()
            .filter(within)
            .map(|reading| (reading.at_nsec, level.saturating_sub(reading.usage_nsec - base)))
            .collect();
        let mut ends = dots.clone();
        ends.push((until_nsec, level.saturating_sub(used)));
        let (line, empty_nsec) = drain.line((start_nsec, level), &ends, throttled != Some(false));
        periods.push(Period {
            start_nsec,
            end_nsec,
            dots,
            line,
            used_nsec: used,
            throttled,
            empty_nsec,
        });
        base = base.saturating_add(used);
        level = level.saturating_sub(used).saturating_add(quota_nsec).min(full_nsec);
    }
    Some(Tank { phase, quota_nsec, full_nsec, periods })
}

/// How a tank is drained.
struct Drain {
    parallel: u64,
    /// A tank with no more than this is empty: the kernel hands the quota out in slices, and what
    /// is left of them is of no use.
    empty_nsec: u64,
}

impl Drain {
    /// The line from the refill through the levels that are known, and when it came to the bottom.
    fn line(
        &self,
        refill: (u64, u64),
        known: &[(u64, u64)],
        may_wait: bool,
    ) -> (Vec<(u64, u64)>, Option<u64>) {
        let mut line = vec![refill];
        let mut empty_at = None;
        let (mut at, mut level) = refill;
        for &(next_at, next_level) in known {
            if may_wait && empty_at.is_none() && next_level <= self.empty_nsec {
                let dry = at.saturating_add(level / self.parallel).min(next_at);
                line.push((dry, 0));
                empty_at = Some(dry);
            }
            let next_level = if empty_at.is_some() { 0 } else { next_level };
            line.push((next_at, next_level));
            (at, level) = (next_at, next_level);
        }
        (line, empty_at)
    }
}

/// The readings on both sides of a moment.
fn around(readings: &[Reading], at_nsec: u64) -> Option<(usize, usize)> {
    let after = readings.iter().position(|reading| reading.at_nsec >= at_nsec)?;
    (after > 0).then(|| (after - 1, after))
}

/// What had been used at a moment: where that is known otherwise, as far as the readings around
/// agree; else as if it had been used evenly between them.
fn usage_at(readings: &[Reading], at_nsec: u64, known: Option<u64>) -> u64 {
    let Some((before, after)) = around(readings, at_nsec) else {
        let outside = if readings.first().is_some_and(|r| r.at_nsec >= at_nsec) {
            readings.first()
        } else {
            readings.last()
        };
        return outside.map_or(0, |reading| reading.usage_nsec);
    };
    let (before, after) = (&readings[before], &readings[after]);
    let (low, high) = (before.usage_nsec, after.usage_nsec.max(before.usage_nsec));
    if let Some(known) = known {
        return known.clamp(low, high);
    }
    let whole = u128::from(after.at_nsec - before.at_nsec).max(1);
    let part = u128::from(high - low) * u128::from(at_nsec - before.at_nsec) / whole;
    low + u64::try_from(part).unwrap_or(0)
}

/// What had been used at the first refill. Between refills at which all waited, a quota was used
/// each; the reading that lies latest in its period tells best how much it was before.
fn first_base(readings: &[Reading], starts: &[u64], quota_nsec: u64) -> u64 {
    let mut refilled: u64 = 0;
    let mut known = None;
    for &start_nsec in starts {
        if was_throttled(readings, start_nsec) != Some(true) {
            break;
        }
        let Some((before, _)) = around(readings, start_nsec) else { break };
        let at_first = readings[before].usage_nsec.saturating_sub(refilled);
        known = known.max(Some(at_first));
        refilled = refilled.saturating_add(quota_nsec);
    }
    usage_at(readings, starts[0], known)
}

/// Had so much been used at the last reading before a moment?
fn reached(readings: &[Reading], at_nsec: u64, usage_nsec: u64) -> bool {
    around(readings, at_nsec).is_some_and(|(before, _)| readings[before].usage_nsec >= usage_nsec)
}

/// Was the period that ended at about this moment throttled? The moment is modelled: where no
/// period ended between the readings around it, one did just beside them.
fn was_throttled(readings: &[Reading], end_nsec: u64) -> Option<bool> {
    let (_, after) = around(readings, end_nsec)?;
    let passed = |at: usize| {
        let (before, now) = (readings.get(at.checked_sub(1)?)?, readings.get(at)?);
        now.since(before).filter(|passed| passed.periods > 0)
    };
    let late = readings[after].at_nsec - end_nsec < end_nsec - readings[after - 1].at_nsec;
    let beside = if late { [after + 1, after - 1] } else { [after - 1, after + 1] };
    let found = passed(after).or_else(|| beside.into_iter().find_map(passed));
    found.map(|passed| passed.throttled * 2 >= passed.periods)
}

#[cfg(test)]
#[path = "tank_tests.rs"]
mod tests;
