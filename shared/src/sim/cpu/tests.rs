//! The rules, one at a time, in numbers that can be worked out by hand.

use super::*;

const MS: u64 = 1_000_000;
const S: u64 = 1_000 * MS;

fn cpus(n_cpus: usize) -> Cpus {
    Cpus::new(Hardware { n_cpus, ..Hardware::default() })
}

fn quota(quota_ms: u64, period_ms: u64) -> Option<Bandwidth> {
    Some(Bandwidth { quota_nsec: quota_ms * MS, period_nsec: period_ms * MS, burst_nsec: 0 })
}

/// A group with busy threads.
fn busy(model: &mut Cpus, parent: Group, threads: usize) -> Group {
    let group = model.make_group(parent).unwrap();
    for _ in 0..threads {
        model.spawn(group, Demand::Busy).unwrap();
    }
    group
}

#[track_caller]
fn near(got: u64, wanted: u64, within: u64) {
    assert!(got.abs_diff(wanted) <= within, "{got} is not within {within} of {wanted}");
}

/// Use in percent of one CPU and the throttled part of the periods, over 10 s.
fn over_ten_seconds(quota_ms: u64, period_ms: u64, threads: usize, n_cpus: usize) -> (u64, u64) {
    let mut model = cpus(n_cpus);
    let group = busy(&mut model, ROOT, threads);
    model.set_bandwidth(group, quota(quota_ms, period_ms)).unwrap();
    model.advance(10 * S);
    let stat = model.stat(group).unwrap();
    (stat.usage_nsec * 100 / (10 * S), stat.nr_throttled * 100 / stat.nr_periods)
}

#[test]
fn the_tutorials_twenty_percent() {
    let (used, throttled) = over_ten_seconds(20, 100, 1, 2);
    near(used, 20, 1);
    near(throttled, 100, 1);
}

#[test]
fn quotas_hold_whatever_the_period_and_the_threads() {
    for (quota_ms, period_ms, threads, n_cpus, percent) in [
        (50, 100, 2, 2, 50),
        (150, 100, 2, 2, 150),
        (5, 10, 1, 2, 50),
        (300, 1_000, 4, 2, 30),
        (100, 100, 8, 8, 100),
        (1, 100, 1, 1, 1),
    ] {
        let (used, throttled) = over_ten_seconds(quota_ms, period_ms, threads, n_cpus);
        near(used, percent, 1);
        assert!(throttled > 60, "{quota_ms}/{period_ms}: {throttled} %");
    }
}

#[test]
fn a_quota_that_is_not_reached_throttles_nobody() {
    let (used, throttled) = over_ten_seconds(150, 100, 1, 2);
    near(used, 100, 0);
    assert_eq!(throttled, 0);
}

#[test]
fn shares_are_shared() {
    let mut model = cpus(1);
    let large = busy(&mut model, ROOT, 1);
    let small = busy(&mut model, ROOT, 3);
    model.set_shares(small, 512).unwrap();
    model.advance(9 * S);
    near(model.stat(large).unwrap().usage_nsec, 6 * S, 20 * MS);
    near(model.stat(small).unwrap().usage_nsec, 3 * S, 20 * MS);
}

#[test]
fn three_busy_tasks_on_two_cpus_get_alike() {
    let mut model = cpus(2);
    let tasks: Vec<_> = (0..3).map(|_| model.spawn(ROOT, Demand::Busy).unwrap()).collect();
    model.advance(12 * S);
    for task in tasks {
        near(model.used_nsec(task).unwrap(), 8 * S, 1_200 * MS);
    }
}

#[test]
fn a_cpuset_keeps_two_on_one_cpu() {
    let mut model = cpus(2);
    let group = busy(&mut model, ROOT, 2);
    model.set_cpus(group, CpuMask(0b10)).unwrap();
    model.advance(S);
    near(model.stat(group).unwrap().usage_nsec, S, 0);
    assert_eq!(model.current(0), None);
    assert!(model.current(1).is_some());
}

#[test]
fn the_limit_above_binds() {
    let mut model = cpus(2);
    let parent = model.make_group(ROOT).unwrap();
    model.set_bandwidth(parent, quota(30, 100)).unwrap();
    let child = busy(&mut model, parent, 2);
    model.set_bandwidth(child, quota(150, 100)).unwrap();
    model.advance(10 * S);
    near(model.stat(child).unwrap().usage_nsec, 3 * S, 100 * MS);
    near(model.stat(parent).unwrap().usage_nsec, 3 * S, 100 * MS);
    assert_eq!(model.stat(child).unwrap().nr_throttled, 0);
    assert!(model.stat(parent).unwrap().nr_throttled > 90);
}

#[test]
fn burst_lets_a_quiet_group_catch_up() {
    let bursts = Demand::Bursts { run_nsec: 40 * MS, every_nsec: 200 * MS };
    let throttled = |burst_ms: u64| {
        let mut model = cpus(2);
        let group = model.make_group(ROOT).unwrap();
        let limit = Bandwidth { burst_nsec: burst_ms * MS, ..quota(25, 100).unwrap() };
        model.set_bandwidth(group, Some(limit)).unwrap();
        model.spawn(group, bursts).unwrap();
        model.advance(10 * S);
        model.stat(group).unwrap()
    };
    assert!(throttled(0).nr_throttled > 40);
    assert_eq!(throttled(25).nr_throttled, 0);
    assert!(throttled(25).nr_bursts > 40);
}

#[test]
fn periods_are_counted_only_while_somebody_runs() {
    let mut model = cpus(1);
    let group = busy(&mut model, ROOT, 0);
    model.set_bandwidth(group, quota(20, 100)).unwrap();
    model.advance(10 * S);
    assert!(model.stat(group).unwrap().nr_periods <= 2);
}

#[test]
fn the_frozen_do_not_run_and_go_on_afterwards() {
    let mut model = cpus(2);
    let above = model.make_group(ROOT).unwrap();
    let group = busy(&mut model, above, 2);
    model.advance(S);
    model.freeze(above, true).unwrap();
    model.advance(S);
    near(model.stat(group).unwrap().usage_nsec, 2 * S, 0);
    model.freeze(above, false).unwrap();
    model.advance(S);
    near(model.stat(group).unwrap().usage_nsec, 4 * S, 0);
}

#[test]
fn requests_take_longer_when_the_group_is_throttled() {
    let served = |limit: Option<Bandwidth>| {
        let mut model = cpus(2);
        let group = model.make_group(ROOT).unwrap();
        model.set_bandwidth(group, limit).unwrap();
        let demand = Demand::Requests { run_nsec: 5 * MS, think_nsec: 5 * MS };
        let task = model.spawn(group, demand).unwrap();
        model.advance(10 * S);
        model.used_nsec(task).unwrap()
    };
    near(served(None), 5 * S, 300 * MS);
    near(served(quota(20, 100)), 2 * S, 100 * MS);
}

#[test]
fn a_moved_task_counts_where_it_is() {
    let mut model = cpus(1);
    let (from, to) = (model.make_group(ROOT).unwrap(), model.make_group(ROOT).unwrap());
    let task = model.spawn(from, Demand::Busy).unwrap();
    model.advance(S);
    model.move_task(task, to).unwrap();
    model.advance(S);
    assert_eq!(model.stat(from).unwrap().usage_nsec, S);
    assert_eq!(model.stat(to).unwrap().usage_nsec, S);
    assert_eq!(model.remove_group(from), Ok(()));
    assert_eq!(model.remove_group(to), Err(Refused::Busy));
    assert_eq!(model.spawn(from, Demand::Busy), Err(Refused::Missing));
}

#[test]
fn what_the_kernel_refuses_is_refused() {
    let mut model = cpus(1);
    let group = model.make_group(ROOT).unwrap();
    for limit in [
        Bandwidth { quota_nsec: 999_999, period_nsec: 100 * MS, burst_nsec: 0 },
        Bandwidth { quota_nsec: MS, period_nsec: 999_999, burst_nsec: 0 },
        Bandwidth { quota_nsec: MS, period_nsec: S + 1, burst_nsec: 0 },
        Bandwidth { quota_nsec: MS, period_nsec: S, burst_nsec: MS + 1 },
    ] {
        assert_eq!(model.set_bandwidth(group, Some(limit)), Err(Refused::Invalid));
    }
    assert_eq!(model.set_bandwidth(ROOT, quota(20, 100)), Err(Refused::Invalid));
    assert_eq!(model.set_cpus(group, CpuMask(0b10)), Err(Refused::Invalid));
}

#[test]
fn small_steps_are_the_same_as_one_large_step() {
    let build = || {
        let mut model = cpus(4);
        let group = busy(&mut model, ROOT, 3);
        model.set_bandwidth(group, quota(70, 50)).unwrap();
        let demand = Demand::Requests { run_nsec: 3 * MS, think_nsec: 7 * MS };
        model.spawn(group, demand).unwrap();
        model
    };
    let (mut whole, mut steps) = (build(), build());
    whole.advance(999 * MS);
    for _ in 0..999 {
        steps.advance(MS);
    }
    assert_eq!(whole.trace_hash(), steps.trace_hash());
}
