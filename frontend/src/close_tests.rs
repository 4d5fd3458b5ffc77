//! The lens of a group that one thread keeps busy under 20 of 100 ms.

use vitrine_shared::cgroup::GroupId;
use vitrine_shared::focus::{Focus, Look, ThreadTime};
use vitrine_shared::id::MachineId;
use vitrine_shared::sim::Bandwidth;

use super::*;

const MS: u64 = 1_000_000;

fn throttled(n: u64) -> Close {
    let mut group = Bandwidth::new(Some(20 * MS), 100 * MS, 1);
    let mut close = Close::default();
    for i in 1..=n {
        group.advance(53 * MS);
        let (nr_periods, nr_throttled) = group.periods();
        close.push(CpuSample {
            focus: Focus { machine: MachineId(1), group: GroupId::Root, look: Look::Cpu },
            at_nsec: i * 53 * MS,
            usage_nsec: group.usage_nsec(),
            cpus_nsec: Vec::new(),
            threads: vec![ThreadTime {
                tid: 42,
                run_nsec: group.usage_nsec(),
                wait_nsec: i * 53 * MS - group.usage_nsec(),
            }],
            n_threads: 1,
            quota_usec: Some(20_000),
            period_usec: 100_000,
            burst_usec: 0,
            nr_periods,
            nr_throttled,
            throttled_usec: 0,
            nr_bursts: 0,
            burst_used_usec: 0,
        });
    }
    close
}

#[test]
fn its_figures_are_of_the_quota_and_of_one_cpu() {
    let figures = throttled(60).figures().unwrap();
    assert!((figures.permille - 200.0).abs() < 15.0, "{figures:?}");
    assert!((figures.of_quota.unwrap() - 100.0).abs() < 8.0, "{figures:?}");
    assert_eq!(figures.passed.periods, figures.passed.throttled);
    assert_eq!(Close::default().figures(), None);
}

#[test]
fn the_overview_hatches_what_was_throttled_and_leaves_out_what_nobody_read() {
    let picture = throttled(60).overview((600.0, 100.0), None);
    assert_eq!(picture.top_permille, 1_000.0);
    // Three seconds of a minute: seven bins, the first and the last not whole.
    assert_eq!(picture.area.0.matches('Z').count(), 7, "{picture:?}");
    assert_eq!(picture.throttled.0.matches('Z').count(), 7, "{picture:?}");
    assert!(!picture.quota.0.is_empty());
    let empty = Close::default().overview((600.0, 100.0), Some(200.0));
    assert_eq!((empty.area, empty.top_permille), (Path::default(), 1_000.0));
}

#[test]
fn the_lens_has_what_is_measured_and_what_is_modelled_apart() {
    let close = throttled(60);
    let picture = close.periods(800.0, 10, 2);
    assert_eq!(picture.lanes, [42]);
    assert_eq!(picture.height, THREADS + LANE);
    let count = |path: &Path, shape| path.0.matches(shape).count();
    assert!((18..=20).contains(&count(&picture.used, 'Z')), "{}", picture.used.0);
    assert!((10..=11).contains(&count(&picture.wait, 'Z')), "{}", picture.wait.0);
    assert!(count(&picture.dots, 'Z') >= 16, "{}", picture.dots.0);
    assert!(!picture.ran.0.is_empty() && !picture.waited.0.is_empty());
    assert_eq!(Close::default().periods(800.0, 10, 2).tank, Path::default());
}

#[test]
fn a_period_in_words() {
    let close = throttled(60);
    let words = close.in_words(None, 10, 2).unwrap();
    assert_eq!((words.threads, words.quota_msec), (1, 20.0));
    let (ran, waited) = words.dry.unwrap();
    assert!((ran - 20.0).abs() < 8.0 && (waited - 80.0).abs() < 8.0, "{words:?}");
    assert!(words.uncertain_msec < 4.0, "{words:?}");
    let earlier = close.in_words(Some(0.5), 10, 2).unwrap();
    assert!(earlier.ago_msec > 400.0 && earlier.ago_msec < 610.0, "{earlier:?}");
}

#[test]
fn rows_of_the_table_are_the_newest_first_and_no_more_than_asked_for() {
    let rows = throttled(60).rows(20);
    assert_eq!((rows.len(), rows[0].ago_msec), (20, 0.0));
    assert!(rows.iter().any(|row| row.periods == 1 && row.throttled == 1));
    let used: f64 = rows.iter().map(|row| row.ran_msec).sum();
    assert!((used - 210.0).abs() < 25.0, "{used} ms in about a second");
}

#[test]
fn an_old_sample_is_ignored_and_a_new_clock_begins_anew() {
    let mut close = throttled(60);
    let mut again = close.last().unwrap().clone();
    close.push(again.clone());
    assert_eq!(close.samples.len(), 60);
    again.at_nsec = MS;
    close.push(again);
    assert_eq!((close.samples.len(), close.readings.len()), (1, 1));
}

#[test]
fn it_never_grows_beyond_its_rings() {
    let close = throttled(3_000);
    assert_eq!((close.readings.len(), close.samples.len()), (READINGS, SAMPLES));
}
