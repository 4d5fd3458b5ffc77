//! The modelled tank beside the simulated one, of which everything is known.

use super::*;
use crate::cpu::tests::{MS, reading};
use crate::sim::Bandwidth;

/// Readings of a simulated group, a step apart.
fn simulated(quota_ms: u64, threads: u64, step_msec: u64, n: u64) -> Vec<Reading> {
    let mut group = Bandwidth::new(Some(quota_ms * MS), 100 * MS, threads);
    let at = |i: u64| i * step_msec;
    let mut readings = Vec::new();
    for i in 0..n {
        let (nr_periods, nr_throttled) = group.periods();
        readings.push(Reading {
            usage_nsec: group.usage_nsec(),
            quota_usec: Some(quota_ms * 1_000),
            ..reading(at(i), 0, (nr_periods, nr_throttled))
        });
        group.advance(step_msec * MS);
    }
    readings
}

/// Every period that is over: throttled, and empty after so many milliseconds.
#[track_caller]
fn check_throttled(quota_ms: u64, threads: u64) {
    let tank = tank(&simulated(quota_ms, threads, 53, 60), threads, 0).unwrap();
    assert!(tank.periods.len() >= 19, "{}", tank.periods.len());
    let within = tank.phase.window_nsec + MS;
    for period in &tank.periods[1..] {
        if period.throttled.is_none() {
            continue;
        }
        assert_eq!(period.throttled, Some(true), "{period:?}");
        assert!(period.used_nsec.abs_diff(quota_ms * MS) <= within * threads, "{period:?}");
        let ran = period.empty_nsec.expect("it ran dry") - period.start_nsec;
        assert!(ran.abs_diff(quota_ms * MS / threads) <= 2 * within, "{ran} {period:?}");
        assert!(period.line.windows(2).all(|two| two[0].0 <= two[1].0 && two[0].1 >= two[1].1));
        assert_eq!(period.line.last().map(|last| last.1), Some(0));
    }
}

#[test]
fn it_runs_dry_when_the_simulated_group_is_throttled() {
    check_throttled(20, 1);
    check_throttled(50, 2);
    check_throttled(60, 4);
    check_throttled(90, 1);
}

#[test]
fn with_quota_to_spare_nobody_waits() {
    let tank = tank(&simulated(150, 1, 53, 60), 1, 0).unwrap();
    for period in &tank.periods[1..tank.periods.len() - 1] {
        assert_eq!((period.throttled, period.empty_nsec), (Some(false), None), "{period:?}");
        assert!(period.used_nsec.abs_diff(100 * MS) < 5 * MS, "{period:?}");
    }
    assert_eq!(tank.last_over().unwrap().throttled, Some(false));
}

#[test]
fn dots_are_the_quota_less_what_was_used() {
    let readings = simulated(50, 1, 53, 60);
    let tank = tank(&readings, 1, 0).unwrap();
    let period = tank.last_over().unwrap();
    assert!(!period.dots.is_empty());
    for &(at, level) in &period.dots {
        assert!(readings.iter().any(|reading| reading.at_nsec == at));
        let expected = (50 * MS).saturating_sub(at - period.start_nsec);
        assert!(level.abs_diff(expected) <= tank.phase.window_nsec + MS, "{level} {expected}");
    }
    let middle = period.start_nsec + 1;
    assert_eq!(tank.period_at(middle), Some(period));
    assert_eq!(tank.period_at(0), None);
}

#[test]
fn what_is_saved_up_fills_the_tank_beyond_the_quota() {
    // 5 ms of 20 used in each period, and 10 may be saved.
    let readings: Vec<_> =
        (0..60).map(|i| reading(i * 53, i * 53 / 20, (i * 53 / 100, 0))).collect();
    let tank = tank(&readings, 1, 10_000).unwrap();
    assert_eq!((tank.quota_nsec, tank.full_nsec), (20 * MS, 30 * MS));
    let refills: Vec<_> = tank.periods.iter().map(|period| period.line[0].1 / MS).collect();
    assert_eq!((refills[0], refills.last()), (20, Some(&30)));
}

#[test]
fn a_new_quota_is_a_new_picture() {
    let mut readings = simulated(50, 1, 53, 60);
    for reading in &mut readings[..50] {
        reading.quota_usec = Some(20_000);
    }
    let few = tank(&readings, 1, 0).unwrap();
    assert!(few.periods.len() <= 6, "{}", few.periods.len());
    assert!(few.periods[0].start_nsec + 100 * MS >= readings[50].at_nsec);
    assert_eq!(tank(&readings[..1], 1, 0), None);
    assert_eq!(tank(&[], 1, 0), None);
}

#[test]
fn short_periods_many_to_a_reading() {
    let mut readings = simulated(20, 1, 53, 60);
    // The same, ten times as fast: twenty periods are two readings.
    for reading in &mut readings {
        (reading.quota_usec, reading.period_usec) = (Some(2_000), 10_000);
        (reading.nr_periods, reading.nr_throttled) =
            (reading.at_nsec / (10 * MS), reading.at_nsec / (10 * MS));
        reading.usage_nsec = reading.nr_periods * 2 * MS;
    }
    let tank = tank(&readings, 1, 0).unwrap();
    assert_eq!(tank.periods.len(), PERIODS);
    let dry = tank.periods.iter().filter(|period| period.empty_nsec.is_some()).count();
    assert!(dry >= PERIODS - 2, "{tank:?}");
}

#[test]
fn nothing_makes_it_panic() {
    for quota_usec in [Some(0), Some(1), Some(u64::MAX)] {
        for period_usec in [0, 1, 1_000, u64::MAX / 1_000] {
            let mut readings = simulated(20, 1, 53, 60);
            for reading in &mut readings {
                (reading.quota_usec, reading.period_usec) = (quota_usec, period_usec);
            }
            let _ = tank(&readings, 0, u64::MAX);
            readings.reverse();
            let _ = tank(&readings, u64::MAX, 0);
        }
    }
}
