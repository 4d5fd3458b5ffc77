//! The close look on files that stand still.

use vitrine_shared::cgroup::GroupId;
use vitrine_shared::focus::Look;
use vitrine_shared::id::{ContainerId, MachineId};

use super::*;
use crate::observer::tests_tree::{C1, MACHINE, Tree, open_below};

const FOCUS: Focus = Focus { machine: MACHINE, group: GroupId::Container(C1), look: Look::Cpu };
const V1: &[(&str, &[&str], Dialect)] =
    &[("cpu", &["cpu"], Dialect::V1), ("cpuacct", &["cpuacct"], Dialect::V1)];
const V2: &[(&str, &[&str], Dialect)] = &[("all", &["cpu", "pids"], Dialect::V2)];

fn v1() -> Tree {
    let tree = Tree::new();
    for (file, text) in [
        ("cpuacct/root/c1/cpuacct.usage", "5000000\n"),
        ("cpuacct/root/c1/cpuacct.usage_percpu", "4000000 1000000 0 0 \n"),
        ("cpu/root/c1/cpu.cfs_quota_us", "20000\n"),
        ("cpu/root/c1/cpu.cfs_period_us", "100000\n"),
        ("cpu/root/c1/cpu.cfs_burst_us", "10000\n"),
        (
            "cpu/root/c1/cpu.stat",
            "nr_periods 5\nnr_throttled 4\nthrottled_time 3000\nnr_bursts 2\nburst_time 1000\n",
        ),
        ("cpu/root/c1/tasks", "300\n301\n302\n"),
        ("proc/300/schedstat", "4000000 70 5\n"),
        ("proc/302/schedstat", "nonsense\n"),
    ] {
        tree.write(file, text);
    }
    tree
}

/// What one reading says.
fn read(tree: &Tree, focuses: &mut Focuses, machine: Option<&ObservedMachine>) -> Vec<CpuSample> {
    let proc = file::open_directory(&tree.proc()).unwrap();
    focuses.due_nsec = 0;
    focuses.read_due(clock::monotonic_nsec(), &proc, |_| machine, &mut Vec::new())
}

#[test]
fn version_one_says_it_in_six_files() {
    let tree = v1();
    let machine = tree.machine(V1);
    let mut focuses = Focuses::default();
    focuses.set(FOCUS, true);
    let before_nsec = clock::monotonic_nsec();
    let samples = read(&tree, &mut focuses, Some(&machine));
    let [sample] = &samples[..] else { panic!("{samples:?}") };
    assert!((before_nsec..clock::monotonic_nsec()).contains(&sample.at_nsec));
    assert_eq!(
        (sample.usage_nsec, &sample.cpus_nsec[..]),
        (5_000_000, &[4_000_000, 1_000_000][..])
    );
    assert_eq!(
        (sample.quota_usec, sample.period_usec, sample.burst_usec),
        (Some(20_000), 100_000, 10_000)
    );
    assert_eq!((sample.nr_periods, sample.nr_throttled, sample.throttled_usec), (5, 4, 3));
    assert_eq!((sample.nr_bursts, sample.burst_used_usec), (2, 1));
    assert_eq!(sample.n_threads, 3, "301 has gone meanwhile, 302 is unreadable");
    assert_eq!(sample.threads, [ThreadTime { tid: 300, run_nsec: 4_000_000, wait_nsec: 70 }]);
}

#[test]
fn version_two_says_it_in_three() {
    let tree = Tree::new();
    let stat = "usage_usec 5\nuser_usec 5\nnr_periods 5\nnr_throttled 4\nthrottled_usec 3\nnr_bursts 2\nburst_usec 1\n";
    tree.write("all/root/c1/cpu.stat", stat);
    tree.write("all/root/c1/cpu.max", "max 50000\n");
    tree.write("all/root/c1/cpu.max.burst", "0\n");
    tree.write("all/root/c1/cgroup.threads", "");
    let machine = tree.machine(V2);
    let mut focuses = Focuses::default();
    focuses.set(FOCUS, true);
    let sample = read(&tree, &mut focuses, Some(&machine)).remove(0);
    assert_eq!((sample.usage_nsec, sample.cpus_nsec.len()), (5_000, 0));
    assert_eq!((sample.quota_usec, sample.period_usec), (None, 50_000));
    assert_eq!((sample.nr_bursts, sample.burst_used_usec, sample.n_threads), (2, 1, 0));
}

#[test]
fn what_is_kept_open_is_closed_with_the_focus_and_with_the_group() {
    let tree = v1();
    let machine = tree.machine(V1);
    let mut focuses = Focuses::default();
    focuses.set(FOCUS, true);
    read(&tree, &mut focuses, Some(&machine));
    assert_eq!(open_below(&tree.path("")), 7, "six files and a thread");
    assert!(read(&tree, &mut focuses, None).is_empty());
    assert_eq!(open_below(&tree.path("")), 0);
    read(&tree, &mut focuses, Some(&machine));
    focuses.set(FOCUS, false);
    assert_eq!(open_below(&tree.path("")), 0);
    assert_eq!(focuses.next_nsec(), None);
}

#[test]
fn a_group_whose_time_nobody_counts_gives_nothing() {
    let tree = Tree::new();
    let machine = tree.machine(&[("pids", &["pids"], Dialect::V1)]);
    let mut focuses = Focuses::default();
    focuses.set(FOCUS, true);
    focuses.set(Focus { group: GroupId::Container(ContainerId(99)), ..FOCUS }, true);
    assert!(read(&tree, &mut focuses, Some(&machine)).is_empty());
}

#[test]
fn readings_are_a_step_apart_and_groups_no_more_than_the_limit() {
    let tree = v1();
    let machine = tree.machine(V1);
    let mut focuses = Focuses::default();
    for id in 0..1_000 {
        focuses.set(Focus { machine: MachineId(id), ..FOCUS }, true);
    }
    assert_eq!(focuses.kept.len() as u64, FOCUSES.value);
    let proc = file::open_directory(&tree.proc()).unwrap();
    let mut n_samples_at =
        |nsec| focuses.read_due(nsec, &proc, |_| Some(&machine), &mut Vec::new()).len() as u64;
    let begun_nsec = 1_000_000_000;
    assert_eq!(n_samples_at(begun_nsec), FOCUSES.value);
    assert_eq!(n_samples_at(begun_nsec + 20_000_000), 0, "too early");
    assert_eq!(n_samples_at(begun_nsec + 80_000_000), FOCUSES.value);
}
