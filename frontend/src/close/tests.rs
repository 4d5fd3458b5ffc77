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
    assert_eq!(picture.lanes, [Lane::Thread(42)], "this kernel does not count by CPU");
    assert_eq!(picture.height, ROWS + LANE);
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
    let words = close.in_words(None, 2).unwrap();
    assert_eq!((words.threads, words.quota_msec), (1, 20.0));
    let (ran, waited) = words.dry.unwrap();
    assert!((ran - 20.0).abs() < 8.0 && (waited - 80.0).abs() < 8.0, "{words:?}");
    assert!(words.uncertain_msec < 4.0, "{words:?}");
    let earlier = close.in_words(Some(500 * MS), 2).unwrap();
    assert!(earlier.ago_msec > 400.0 && earlier.ago_msec < 610.0, "{earlier:?}");
}

#[test]
fn each_cpu_has_a_row_where_the_kernel_tells_and_of_many_those_that_were_used() {
    let mut close = throttled(60);
    let last = close.last().unwrap().clone();
    let with = |at: u64, cpus_nsec: Vec<u64>| CpuSample {
        at_nsec: last.at_nsec + at * MS,
        cpus_nsec,
        ..last.clone()
    };
    close.begin(std::iter::empty());
    close.push(with(53, vec![0, 5 * MS]));
    close.push(with(106, vec![53 * MS, 5 * MS]));
    let picture = close.periods(800.0, 10, 2);
    assert_eq!(picture.lanes, [Lane::Cpu(0), Lane::Cpu(1), Lane::Thread(42)]);
    let floor = ROWS + LANE - 2.0;
    assert!(picture.ran.0.contains(&format!(" {floor:.1}H")), "{}", picture.ran.0);
    assert!(picture.ran.0.contains(&format!("V{:.1}H", ROWS + 2.0)), "all of it");
    assert_eq!(picture.ran.0.matches('Z').count(), 1, "the other was not used");

    let mut many = vec![MS; 64];
    close.push(with(159, many.clone()));
    close.begin(std::iter::empty());
    close.push(with(212, many.clone()));
    many[63] += MS;
    close.push(with(265, many));
    let picture = close.periods(800.0, 10, 64);
    assert_eq!(picture.lanes, [Lane::Cpu(63), Lane::Thread(42)]);
}

#[test]
fn what_is_saved_up_has_the_quota_marked_below_it() {
    let mut close = throttled(60);
    assert_eq!(close.periods(800.0, 10, 2).quota, Path::default());
    let burst = CpuSample { burst_usec: 20_000, ..close.last().unwrap().clone() };
    close.push(CpuSample { at_nsec: burst.at_nsec + 53 * MS, ..burst });
    let middle = f64::midpoint(TANK.0, TANK.1);
    assert_eq!(close.periods(800.0, 10, 2).quota.0, format!("M0.0 {middle:.1}H800.0"));
}

#[test]
fn a_moment_of_the_minute() {
    let close = throttled(60);
    let bin = close.minute_at(1_500 * MS).unwrap();
    assert!((bin.used_permille.unwrap() - 200.0).abs() < 30.0, "{bin:?}");
    assert_eq!((bin.quota_permille, bin.throttled), (Some(200.0), Some(1.0)));
    assert_eq!(close.minute_at(20_000 * MS), None, "nobody looked then");
    assert_eq!(close.in_words(Some(20_000 * MS), 2), None);
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
