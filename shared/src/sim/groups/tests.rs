//! Files and errors, one at a time.

use super::*;
use crate::sim::cpu::{Demand, Hardware};
use crate::sim::procs::{Birth, Procs};

const MIB: u64 = 1 << 20;

struct Stage {
    cpus: Cpus,
    memory: Memory,
    procs: Procs,
    groups: Groups,
}

impl Stage {
    fn new(dialect: Dialect) -> Self {
        let mut cpus = Cpus::new(Hardware::default());
        let mut memory = Memory::new(1_024 * MIB, 0);
        let groups = Groups::new(dialect, &Machine { cpus: &mut cpus, memory: &mut memory });
        let mut stage = Stage { cpus, memory, procs: Procs::new(), groups };
        let first = stage.procs.init();
        stage.groups.born(first, None).unwrap();
        stage
    }

    fn with<T>(&mut self, act: impl FnOnce(&mut Groups, &mut Machine<'_>) -> T) -> T {
        let Stage { cpus, memory, groups, .. } = self;
        act(groups, &mut Machine { cpus, memory })
    }

    fn make(&mut self, parent: GroupKey, name: &str) -> Result<GroupKey, Errno> {
        self.with(|groups, machine| groups.make(machine, parent, name))
    }

    fn write(&mut self, key: GroupKey, file: &str, text: &str) -> Result<(), Errno> {
        self.with(|groups, machine| groups.write(machine, key, file, text))
    }

    fn read(&mut self, key: GroupKey, file: &str) -> String {
        self.groups.read(&self.cpus, &self.memory, key, file).unwrap()
    }

    fn enter(&mut self, proc: Proc, key: GroupKey) -> Result<(), Errno> {
        self.with(|groups, machine| groups.enter(machine, proc, key))
    }

    /// A process below the first one, with a task.
    fn busy(&mut self) -> Proc {
        let first = self.procs.init();
        let proc = self.procs.fork(first, Birth::default()).unwrap();
        self.groups.born(proc, Some(first)).unwrap();
        let task = self.cpus.spawn(cpu::ROOT, Demand::Busy).unwrap();
        self.with(|groups, machine| groups.set_task(machine, proc, task));
        proc
    }
}

fn v1(controller: Controller) -> (Stage, GroupKey) {
    let mut stage = Stage::new(Dialect::V1);
    let root = stage.groups.root(controller).unwrap();
    let group = stage.make(root, "test_container").unwrap();
    (stage, group)
}

/// A v2 group with all controllers.
fn v2() -> (Stage, GroupKey) {
    let mut stage = Stage::new(Dialect::V2);
    let root = stage.groups.root(Controller::Cpu).unwrap();
    stage.write(root, "cgroup.subtree_control", "+cpu +cpuset +memory +pids").unwrap();
    let group = stage.make(root, "test_container").unwrap();
    (stage, group)
}

#[test]
fn the_tutorials_group() {
    let (mut stage, group) = v1(Controller::Cpu);
    assert_eq!(stage.read(group, "cpu.cfs_period_us"), "100000\n");
    assert_eq!(stage.read(group, "cpu.cfs_quota_us"), "-1\n");
    stage.write(group, "cpu.cfs_quota_us", "20000\n").unwrap();
    let busy = stage.busy();
    stage.enter(busy, group).unwrap();
    stage.cpus.advance(1_000_000_000);
    let stat = stage.read(group, "cpu.stat");
    assert!(stat.starts_with("nr_periods 10\nnr_throttled 10\n"), "{stat}");
    let used: u64 = stage.read(group, "cpuacct.usage").trim().parse().unwrap();
    assert!(used.abs_diff(200_000_000) < 10_000_000, "{used}");
    assert_eq!(stage.groups.path(group), "/test_container");
    stage.with(|groups, machine| groups.ended(machine, busy));
    assert_eq!(stage.with(|groups, machine| groups.remove(machine, group)), Ok(()));
}

#[track_caller]
fn refuses(stage: &mut Stage, key: GroupKey, file: &str, text: &str, errno: Errno) {
    let before = stage.groups.read(&stage.cpus, &stage.memory, key, file);
    assert_eq!(stage.write(key, file, text), Err(errno), "{text} > {file}");
    assert_eq!(stage.groups.read(&stage.cpus, &stage.memory, key, file), before);
}

#[test]
fn cpu_files_say_no_as_the_kernel_does() {
    let (mut stage, group) = v1(Controller::Cpu);
    for (file, text, errno) in [
        ("cpu.cfs_quota_us", "999", Errno::Einval),
        ("cpu.cfs_quota_us", "much", Errno::Einval),
        ("cpu.cfs_period_us", "999", Errno::Einval),
        ("cpu.cfs_period_us", "1000001", Errno::Einval),
        ("cpu.cfs_burst_us", "-1", Errno::Einval),
        ("cpu.shares", "-1", Errno::Einval),
        ("cpu.max", "max", Errno::Enoent),
    ] {
        refuses(&mut stage, group, file, text, errno);
    }
    stage.write(group, "cpu.shares", "0").unwrap();
    assert_eq!(stage.read(group, "cpu.shares"), "2\n");
    stage.write(group, "cpu.cfs_quota_us", "50000").unwrap();
    let child = stage.make(group, "child").unwrap();
    refuses(&mut stage, child, "cpu.cfs_quota_us", "50001", Errno::Einval);
    stage.write(child, "cpu.cfs_quota_us", "40000").unwrap();
    refuses(&mut stage, group, "cpu.cfs_quota_us", "39999", Errno::Einval);
}

#[test]
fn a_v1_cpuset_with_nothing_in_it_takes_nobody() {
    let (mut stage, group) = v1(Controller::Cpuset);
    let busy = stage.busy();
    assert_eq!(stage.enter(busy, group), Err(Errno::Enospc));
    stage.write(group, "cpuset.cpus", "1").unwrap();
    assert_eq!(stage.enter(busy, group), Err(Errno::Enospc));
    stage.write(group, "cpuset.mems", "0").unwrap();
    stage.enter(busy, group).unwrap();
    stage.cpus.advance(100_000_000);
    assert!(stage.cpus.current(0).is_none() && stage.cpus.current(1).is_some());
    refuses(&mut stage, group, "cpuset.cpus", "", Errno::Enospc);
    refuses(&mut stage, group, "cpuset.cpus", "7", Errno::Erange);
    let child = stage.make(group, "child").unwrap();
    refuses(&mut stage, child, "cpuset.cpus", "0", Errno::Eacces);
}

#[test]
fn one_process_too_many_is_refused() {
    let (mut stage, group) = v1(Controller::Pids);
    stage.write(group, "pids.max", "2").unwrap();
    let busy = stage.busy();
    stage.enter(busy, group).unwrap();
    let child = stage.procs.fork(busy, Birth::default()).unwrap();
    stage.groups.born(child, Some(busy)).unwrap();
    let more = stage.procs.fork(busy, Birth::default()).unwrap();
    assert_eq!(stage.groups.born(more, Some(busy)), Err(Errno::Eagain));
    assert_eq!(stage.read(group, "pids.events"), "max 1\n");
    assert_eq!(stage.read(group, "pids.current"), "2\n");
}

#[test]
fn whoever_has_most_is_killed_for_memory() {
    let (mut stage, group) = v2();
    stage.write(group, "memory.max", "8M").unwrap();
    let (small, large) = (stage.busy(), stage.busy());
    for (proc, bytes) in [(small, MIB), (large, 6 * MIB)] {
        stage.enter(proc, group).unwrap();
        stage.with(|groups, machine| groups.allocate(machine, proc, bytes)).unwrap();
    }
    let killed = stage.with(|groups, machine| groups.allocate(machine, small, 2 * MIB));
    assert_eq!(killed, Err(vec![large]));
    stage.with(|groups, machine| groups.ended(machine, large));
    stage.with(|groups, machine| groups.allocate(machine, small, 2 * MIB)).unwrap();
    assert_eq!(stage.read(group, "memory.current"), format!("{}\n", 3 * MIB));
    assert!(stage.read(group, "memory.events").contains("oom_kill 1\n"));
    stage.write(group, "memory.oom.group", "1").unwrap();
    let other = stage.busy();
    stage.enter(other, group).unwrap();
    let killed = stage.with(|groups, machine| groups.allocate(machine, small, 9 * MIB));
    assert_eq!(killed, Err(vec![small, other]));
}

#[test]
fn v2_hands_controllers_on() {
    let (mut stage, group) = v2();
    let root = stage.groups.root(Controller::Cpu).unwrap();
    assert_eq!(stage.read(group, "cgroup.controllers"), "cpu cpuset memory pids\n");
    assert_eq!(stage.read(group, "cgroup.subtree_control"), "");
    let child = stage.make(group, "child").unwrap();
    assert_eq!(stage.groups.files(child).iter().filter(|name| name.starts_with("cpu.")).count(), 0);
    refuses(&mut stage, group, "cgroup.subtree_control", "+io", Errno::Einval);
    refuses(&mut stage, child, "cgroup.subtree_control", "+cpu", Errno::Enoent);
    let busy = stage.busy();
    // Without memory among them, processes beside groups are fine as long as nobody is in these.
    stage.write(group, "cgroup.subtree_control", "+cpu").unwrap();
    stage.enter(busy, group).unwrap();
    refuses(&mut stage, group, "cgroup.subtree_control", "+memory", Errno::Ebusy);
    stage.enter(busy, child).unwrap();
    let other = stage.busy();
    assert_eq!(stage.enter(other, group), Err(Errno::Ebusy));
    stage.write(group, "cgroup.subtree_control", "+memory").unwrap();
    refuses(&mut stage, root, "cgroup.subtree_control", "-cpu", Errno::Ebusy);
    assert_eq!(stage.enter(busy, group), Err(Errno::Ebusy));
    refuses(&mut stage, child, "cgroup.subtree_control", "+memory", Errno::Ebusy);
    stage.write(child, "cpu.max", "20000 100000").unwrap();
    stage.cpus.advance(1_000_000_000);
    assert!(stage.read(child, "cpu.stat").contains("\nnr_throttled 10\n"));
    assert_eq!(stage.with(|groups, machine| groups.remove(machine, child)), Err(Errno::Ebusy));
}

#[test]
fn a_v1_limit_below_the_use_is_busy() {
    let (mut stage, group) = v1(Controller::Memory);
    let busy = stage.busy();
    stage.enter(busy, group).unwrap();
    stage.with(|groups, machine| groups.allocate(machine, busy, 8 * MIB)).unwrap();
    refuses(&mut stage, group, "memory.limit_in_bytes", "4M", Errno::Ebusy);
    assert_eq!(stage.read(group, "memory.limit_in_bytes"), "9223372036854771712\n");
    stage.write(group, "memory.limit_in_bytes", "16M").unwrap();
    stage.write(group, "memory.limit_in_bytes", "-1").unwrap();
}

#[test]
fn frozen_groups_and_those_below_stand_still() {
    let (mut stage, group) = v1(Controller::Freezer);
    let child = stage.make(group, "child").unwrap();
    let busy = stage.busy();
    stage.enter(busy, child).unwrap();
    stage.write(group, "freezer.state", "FROZEN").unwrap();
    assert_eq!(stage.read(child, "freezer.state"), "FROZEN\n");
    stage.cpus.advance(100_000_000);
    assert_eq!(stage.cpus.current(0).or(stage.cpus.current(1)), None);
    refuses(&mut stage, group, "freezer.state", "FREEZING", Errno::Einval);
    stage.write(group, "freezer.state", "THAWED").unwrap();
    assert!(stage.cpus.current(0).or(stage.cpus.current(1)).is_some());
}

#[test]
fn names_and_directories() {
    let (mut stage, group) = v1(Controller::Cpu);
    let root = stage.groups.root(Controller::Cpu).unwrap();
    for (name, errno) in
        [("test_container", Errno::Eexist), ("cpu.stat", Errno::Eexist), ("a\nb", Errno::Einval)]
    {
        assert_eq!(stage.make(root, name), Err(errno));
    }
    let child = stage.make(group, "child").unwrap();
    assert_eq!(stage.with(|groups, machine| groups.remove(machine, group)), Err(Errno::Ebusy));
    stage.with(|groups, machine| groups.remove(machine, child)).unwrap();
    stage.with(|groups, machine| groups.remove(machine, group)).unwrap();
    assert_eq!(stage.groups.children(root).count(), 0);
}

#[test]
fn lists_of_cpus() {
    assert_eq!(files::list(&[0, 1, 2, 4, 6, 7]), "0-2,4,6-7");
    assert_eq!(files::list(&[]), "");
}
