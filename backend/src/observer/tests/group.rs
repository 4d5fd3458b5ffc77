//! The meters of one group in both dialects, out of the same raw files that are shown.

use vitrine_shared::cgroup::CpuBandwidth;
use vitrine_shared::id::ContainerId;

use super::super::tests_tree::Tree;
use super::*;

const V1: [(&str, &str); 12] = [
    ("cpu/g/cpu.cfs_quota_us", "20000\n"),
    ("cpu/g/cpu.cfs_period_us", "100000\n"),
    ("cpu/g/cpu.shares", "1024\n"),
    ("cpu/g/cpu.stat", include_str!("../../../tests/fixtures/observer/v1.cpu.stat")),
    ("acct/g/cpuacct.usage", "1000000000\n"),
    ("memory/g/memory.limit_in_bytes", "9223372036854771712\n"),
    ("memory/g/memory.usage_in_bytes", "4096\n"),
    ("memory/g/memory.failcnt", "2\n"),
    ("pids/g/pids.max", "max\n"),
    ("pids/g/pids.current", "3\n"),
    ("pids/g/cgroup.procs", "1\n"),
    ("memory/g/memory.stat", "cache 0\n"),
];

const V2: [(&str, &str); 8] = [
    ("u/g/cpu.max", "20000 100000\n"),
    ("u/g/cpu.weight", "100\n"),
    ("u/g/cpu.stat", include_str!("../../../tests/fixtures/observer/v2.cpu.stat")),
    ("u/g/memory.max", "16777216\n"),
    ("u/g/memory.current", "8192\n"),
    ("u/g/memory.events", include_str!("../../../tests/fixtures/observer/v2.memory.events")),
    ("u/g/pids.max", "64\n"),
    ("u/g/pids.current", "5\n"),
];

fn hierarchy(tree: &Tree, dir: &str, controllers: &[&str], dialect: Dialect) -> ObservedHierarchy {
    ObservedHierarchy {
        controllers: controllers.iter().map(ToString::to_string).collect(),
        dialect,
        directory: tree.path(dir),
    }
}

fn v1(tree: &Tree) -> Vec<ObservedHierarchy> {
    V1.iter().for_each(|(path, text)| tree.write(path, text));
    [("cpu", "cpu"), ("acct", "cpuacct"), ("memory", "memory"), ("pids", "pids")]
        .map(|(dir, controller)| hierarchy(tree, dir, &[controller], Dialect::V1))
        .into()
}

fn v2(tree: &Tree, controllers: &[&str]) -> ObservedHierarchy {
    V2.iter().for_each(|(path, text)| tree.write(path, text));
    hierarchy(tree, "u", controllers, Dialect::V2)
}

fn root(hierarchies: &[ObservedHierarchy]) -> Group {
    Group::new(GroupId::Root, "g", hierarchies)
}

fn names(sample: &CgroupSample) -> Vec<&str> {
    sample.files.iter().map(|file| file.name.as_str()).collect()
}

#[test]
fn version_1() {
    let tree = Tree::new();
    let sample = root(&v1(&tree)).read(&mut Vec::new());
    assert_eq!(sample.dialect, Dialect::V1);
    assert_eq!((sample.cpu_nsec, sample.cpu_permille), (1_000_000_000, 0));
    let cpu = CpuBandwidth {
        quota_usec: Some(20_000),
        period_usec: 100_000,
        nr_periods: 52,
        nr_throttled: 51,
        throttled_usec: 4_067_318,
    };
    assert_eq!(sample.cpu, cpu);
    assert_eq!((sample.memory_bytes, sample.memory_max), (4_096, None));
    assert_eq!((sample.pids, sample.pids_max), (3, None));
    assert_eq!(sample.files.len(), 10, "what is not in the table is not shown: {sample:?}");
    let quota = &sample.files[0];
    let expected =
        RawFile { name: "cpu.cfs_quota_us".into(), value: "20000".into(), writable: true };
    assert_eq!(*quota, expected);
    assert!(sample.files.iter().any(|file| file.name == "cpu.stat" && !file.writable));
}

#[test]
fn version_2() {
    let tree = Tree::new();
    let sample = root(&[v2(&tree, &["cpu", "memory", "pids"])]).read(&mut Vec::new());
    assert_eq!(sample.dialect, Dialect::V2);
    assert_eq!(sample.cpu_nsec, 1_040_112_000);
    assert_eq!((sample.cpu.quota_usec, sample.cpu.period_usec), (Some(20_000), 100_000));
    assert_eq!((sample.cpu.nr_throttled, sample.cpu.throttled_usec), (51, 4_067_318));
    assert_eq!((sample.memory_bytes, sample.memory_max), (8_192, Some(16_777_216)));
    assert_eq!((sample.pids, sample.pids_max), (5, Some(64)));
    assert_eq!(sample.files.len(), 8);
}

#[test]
fn a_hybrid_host_shows_each_file_once_from_where_its_controller_is() {
    let tree = Tree::new();
    let mut hierarchies = v1(&tree);
    hierarchies.retain(|hierarchy| hierarchy.controllers != ["pids"]);
    hierarchies.insert(0, v2(&tree, &["pids"]));
    let sample = root(&hierarchies).read(&mut Vec::new());
    assert_eq!(sample.dialect, Dialect::V1, "the cpu controller's");
    assert_eq!(sample.cpu_nsec, 1_000_000_000, "from cpuacct.usage");
    assert_eq!((sample.pids, sample.pids_max), (5, Some(64)), "from version 2");
    assert_eq!(names(&sample).iter().filter(|name| **name == "cpu.stat").count(), 1);
}

#[test]
fn version_2_counts_cpu_time_without_a_controller() {
    let tree = Tree::new();
    let sample = root(&[v2(&tree, &["memory"])]).read(&mut Vec::new());
    assert_eq!(sample.cpu_nsec, 1_040_112_000);
    assert_eq!(names(&sample), ["cpu.stat", "memory.max", "memory.current", "memory.events"]);
}

#[test]
fn cpu_between_two_readings_and_a_group_that_was_removed() {
    let tree = Tree::new();
    let mut group = root(&v1(&tree));
    group.read(&mut Vec::new());
    std::thread::sleep(std::time::Duration::from_millis(50));
    tree.write("acct/g/cpuacct.usage", "1100000000\n");
    let permille = group.read(&mut Vec::new()).cpu_permille;
    assert!((100..=2_000).contains(&permille), "100 ms of CPU in some 50 ms: {permille}");

    // A counter that falls is another group's; it is no use of CPU below zero, or above.
    tree.write("acct/g/cpuacct.usage", "5\n");
    assert_eq!(group.read(&mut Vec::new()).cpu_permille, 0);
    assert!(Group::new(GroupId::Root, "none", &v1(&tree)).read(&mut Vec::new()).files.is_empty());
}

#[test]
fn a_long_text_is_cut_and_the_cap_is_not_writable() {
    let tree = Tree::new();
    let hierarchies = v1(&tree);
    tree.write("cpu/g/cpu.shares", &"9".repeat(9_000));
    let mut cap = Group::new(GroupId::Cap, "g", &hierarchies);
    let sample = cap.read(&mut Vec::new());
    assert!(sample.files.iter().all(|file| !file.writable && file.value.len() <= VALUE_BYTES));
    let mut container = Group::new(GroupId::Container(ContainerId(1)), "g", &hierarchies);
    assert!(container.read(&mut Vec::new()).files.iter().any(|file| file.writable));
}

#[test]
fn of_a_group_that_somebody_made_its_row_is_read_and_its_limits_in_turn() {
    let tree = Tree::new();
    let hierarchies = v1(&tree);
    for (path, text) in V1 {
        tree.write(&path.replace("/g/", "/root/a/"), text);
    }
    let directories: Directories = (0..hierarchies.len()).map(|i| (i, 7)).collect();
    let ledger = Ledger::new(PLACES as u64 + 1);
    let path: GroupPath = "a".parse().unwrap();
    let mut group = Group::made(path, &directories, &hierarchies, &ledger);
    assert_eq!(ledger.free(), 1);
    let row = |group: &mut Group, settings| group.read_to(Depth::Row { settings }, &mut Vec::new());
    let first = row(&mut group, false);
    assert_eq!((first.cpu.period_usec, first.met.memory_max, first.pids), (100_000, 2, 3));
    assert_eq!(first.cpu_weight, 1_024);
    assert!(first.files.is_empty() && first.path == "root/a");
    tree.write("pids/root/a/pids.current", "4\n");
    tree.write("memory/root/a/memory.failcnt", "9\n");
    let second = row(&mut group, false);
    assert_eq!((second.pids, second.met.memory_max, second.cpu.period_usec), (4, 2, 100_000));
    assert_eq!(row(&mut group, true).met.memory_max, 9);
    let whole = group.read_to(Depth::Whole, &mut Vec::new());
    assert_eq!(whole.files.len(), 10);
    assert_eq!(whole.available, ControllerSet::named("cpu cpuacct memory pids"));
    let kept = super::super::tests_tree::open_below(&tree.path(""));
    assert!(kept <= PLACES * 2, "{kept} descriptors");
    // Without places nothing is kept, and everything is read all the same.
    let mut poor = Group::made(path, &directories, &hierarchies, &Ledger::new(0));
    assert_eq!(row(&mut poor, false).pids, 4);
    assert_eq!(super::super::tests_tree::open_below(&tree.path("")), kept);
    drop(group);
    assert_eq!(ledger.free(), PLACES as u64 + 1);
}

#[test]
fn what_version_2_hands_on() {
    let tree = Tree::new();
    let hierarchy = v2(&tree, &["cpu", "memory", "pids"]);
    tree.write("u/g/cgroup.controllers", "cpuset cpu memory pids\n");
    tree.write("u/g/cgroup.subtree_control", "cpu\n");
    let sample = root(&[hierarchy]).read(&mut Vec::new());
    assert_eq!(sample.available, ControllerSet::named("cpuset cpu memory pids freezer"));
    assert_eq!(sample.enabled, ControllerSet::named("cpu freezer"));
    assert_eq!((sample.met.oom_kills, sample.met.memory_max), (2, 31));
}
