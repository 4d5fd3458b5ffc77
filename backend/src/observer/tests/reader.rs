//! Whole machines out of fixture trees: v1, v2 and hybrid.

use vitrine_shared::cgroup::Dialect;
use vitrine_shared::message::Sample;

use super::super::tests_tree::{C1, MACHINE, Tree, open_below};
use super::*;

type Hierarchies<'a> = &'a [(&'a str, &'a [&'a str], Dialect)];

const V1: Hierarchies<'_> = &[
    ("cpu", &["cpu", "cpuacct"], Dialect::V1),
    ("memory", &["memory"], Dialect::V1),
    ("freezer", &["freezer"], Dialect::V1),
    ("pids", &["pids"], Dialect::V1),
];
const V2: Hierarchies<'_> = &[("pids", &["cpu", "memory", "pids"], Dialect::V2)];
const HYBRID: Hierarchies<'_> = &[
    ("unified", &["hugetlb"], Dialect::V2),
    ("cpu", &["cpu"], Dialect::V1),
    ("pids", &["pids"], Dialect::V1),
];

fn tree() -> Tree {
    let tree = Tree::new();
    [11, 12, 300, 301, 302].iter().for_each(|&pid| tree.process(pid, "sh", 0, 5));
    tree.write("proc/cpuinfo", "");
    for other in ["cpu", "memory", "freezer", "unified"] {
        tree.write(&format!("{other}/cgroup.procs"), "11\n12\n");
    }
    tree.write("pids/cgroup.procs", "");
    tree.write("pids/root/cgroup.procs", "300\n301\n999\n");
    tree.write("pids/root/c1/cgroup.procs", "302\n301\n");
    tree
}

fn only(mut samples: Vec<Sample>) -> Sample {
    assert_eq!(samples.len(), 1);
    samples.remove(0)
}

#[track_caller]
fn check(hierarchies: Hierarchies<'_>) {
    let tree = tree();
    let mut reader = tree.reader(100);
    assert!(reader.sample(&[MACHINE]).is_empty(), "nobody has told of the machine");
    reader.machine(tree.machine(hierarchies));
    let sample = only(reader.sample(&[MACHINE]));
    let who: Vec<_> =
        sample.processes.iter().map(|process| (process.host_pid(), process.container)).collect();
    assert_eq!(who, [(300, None), (301, Some(C1)), (302, Some(C1))]);
    assert_eq!(sample.other_processes, 2);
    let paths: Vec<_> = sample.groups.iter().map(|group| group.path.as_str()).collect();
    assert_eq!(paths, ["", "root", "root/c1"]);
}

#[test]
fn membership_on_v1_v2_and_hybrid_hosts() {
    check(V1);
    check(V2);
    check(HYBRID);
}

/// v2 counts the processes of a group only where the one above hands `pids` on.
#[test]
fn a_made_group_that_is_not_counted_is_looked_into() {
    let tree = tree();
    for (group, controllers, pid) in [("deep", "cpu", 303), ("idle", "cpu pids", 304)] {
        tree.process(pid, "sh", 0, 5);
        tree.write(&format!("pids/root/{group}/cgroup.controllers"), controllers);
        tree.write(&format!("pids/root/{group}/cgroup.procs"), &format!("{pid}\n"));
    }
    // What is counted as empty is passed over: the kernel would not list anybody.
    tree.write("pids/root/idle/pids.current", "0\n");
    let mut reader = tree.reader(100);
    reader.machine(ObservedMachine { delegated: true, ..tree.machine(V2) });
    let sample = only(reader.sample(&[MACHINE]));
    let who: Vec<u32> = sample.processes.iter().map(|process| process.host_pid()).collect();
    assert_eq!(who, [300, 301, 302, 303]);
}

#[test]
fn the_command_line_comes_a_tick_later() {
    let tree = tree();
    let mut reader = tree.reader(100);
    reader.machine(tree.machine(V1));
    let start = std::time::Instant::now();
    loop {
        let sample = only(reader.sample(&[MACHINE]));
        match sample.processes[0].command.as_str() {
            "sh --flag" => return,
            other => assert_eq!(other, "[sh]"),
        }
        assert!(start.elapsed().as_secs() < 20, "no command line");
        std::thread::sleep(std::time::Duration::from_millis(5));
    }
}

#[test]
fn groups_come_and_go_and_nothing_stays_open() {
    let tree = tree();
    tree.write("pids/root/c1/pids.max", "64\n");
    let mut reader = tree.reader(100);
    let with = tree.machine(V1);
    let mut without = with.clone();
    without.groups.pop();
    for _ in 0..5 {
        reader.machine(with.clone());
        let sample = only(reader.sample(&[MACHINE]));
        assert_eq!((sample.groups.len(), sample.groups[2].pids_max), (3, Some(64)));
        reader.machine(without.clone());
        assert_eq!(only(reader.sample(&[MACHINE])).groups.len(), 2);
        assert_eq!(open_below(&tree.path("pids")), 0, "the group that went had a file open");
    }
    reader.machine(with);
    reader.sample(&[MACHINE]);
    assert_eq!(open_below(&tree.path("pids")), 1);
    reader.release(|_| true);
    assert_eq!(open_below(&tree.path("pids")), 1);
    reader.release(|_| false);
    assert_eq!(open_below(&tree.path("pids")), 0);
    assert_eq!(reader.means.ledger.free(), 100);
    reader.gone(MACHINE);
    assert!(reader.sample(&[MACHINE]).is_empty());
}

#[test]
fn kills_are_seen_while_nobody_looks() {
    let tree = tree();
    tree.write("memory/root/c1/memory.oom_control", "oom_kill 4\n");
    let mut reader = tree.reader(100);
    assert_eq!(reader.machine(tree.machine(V1)), []);
    assert_eq!(reader.oom_kills(), []);
    tree.write("memory/root/c1/memory.oom_control", "oom_kill 5\n");
    let kills = reader.oom_kills();
    assert_eq!((kills.len(), kills[0].0, kills[0].1.group), (1, MACHINE, GroupId::Container(C1)));
    assert_eq!(reader.oom_kills(), []);
    tree.write("memory/root/c1/memory.oom_control", "oom_kill 6\n");
    let killed: Vec<GroupId> =
        reader.gone(MACHINE).into_iter().map(|killed| killed.group).collect();
    assert_eq!(killed, [GroupId::Container(C1)]);
}
