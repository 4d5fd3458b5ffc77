//! A kill is told once, of the group it happened in.

use super::super::tests_tree::{C1, Tree};
use super::*;

const MEMORY: &[&str] = &["memory"];

struct Bench {
    tree: Tree,
    machine: ObservedMachine,
    watch: OomWatch,
}

impl Bench {
    /// A machine that is already known, without its container, and with old kills in its root.
    fn new(dialect: Dialect) -> Self {
        let tree = Tree::new();
        let machine = tree.machine(&[("m", MEMORY, dialect)]);
        let mut bench = Bench { tree, machine, watch: OomWatch::default() };
        bench.says(dialect, [1, 1, 0]);
        let mut without = bench.machine.clone();
        without.groups.pop();
        bench.watch.follow(&without);
        assert_eq!(bench.check(), [], "what was before is old news");
        bench
    }

    fn says(&self, dialect: Dialect, counts: [u64; 3]) {
        let file = if dialect == Dialect::V1 { "memory.oom_control" } else { "memory.events" };
        for (directory, count) in ["m", "m/root", "m/root/c1"].iter().zip(counts) {
            let text = format!("oom_kill_disable 0\noom_kill {count}\n");
            self.tree.write(&format!("{directory}/{file}"), &text);
        }
    }

    fn check(&mut self) -> Vec<GroupId> {
        self.watch.check(&mut Vec::new()).into_iter().map(|killed| killed.group).collect()
    }
}

#[test]
fn version_1_counts_in_the_group_only() {
    let mut bench = Bench::new(Dialect::V1);
    bench.says(Dialect::V1, [1, 1, 2]);
    let machine = bench.machine.clone();
    bench.watch.follow(&machine);
    assert_eq!(bench.check(), [GroupId::Container(C1)], "all is new in a new group");
    assert_eq!(bench.check(), []);
    bench.says(Dialect::V1, [1, 2, 2]);
    assert_eq!(bench.check(), [GroupId::Root]);
    assert_eq!(bench.check(), []);
}

#[test]
fn version_2_counts_in_every_group_above_and_it_is_told_once() {
    let mut bench = Bench::new(Dialect::V2);
    let machine = bench.machine.clone();
    bench.watch.follow(&machine);
    assert_eq!(bench.check(), []);
    bench.says(Dialect::V2, [2, 2, 1]);
    assert_eq!(bench.check(), [GroupId::Container(C1)]);
    bench.says(Dialect::V2, [3, 3, 1]);
    assert_eq!(bench.check(), [GroupId::Root]);
    assert_eq!(bench.check(), []);

    let mut without = bench.machine.clone();
    without.groups.pop();
    bench.watch.follow(&without);
    assert_eq!(bench.check(), [], "what the removed group had counted was told already");
    bench.says(Dialect::V2, [4, 4, 0]);
    assert_eq!(bench.check(), [GroupId::Root]);
}

#[test]
fn version_2_tells_of_a_container_that_is_gone_before_it_was_read() {
    let mut bench = Bench::new(Dialect::V2);
    let machine = bench.machine.clone();
    bench.watch.follow(&machine);
    bench.says(Dialect::V2, [2, 2, 0]);
    let mut without = bench.machine.clone();
    without.groups.pop();
    bench.watch.follow(&without);
    assert_eq!(bench.check(), [GroupId::Root], "the nearest group that is still there");
}

#[test]
fn no_memory_controller_no_news() {
    let tree = Tree::new();
    let mut watch = OomWatch::default();
    watch.follow(&tree.machine(&[("m", &["cpu"], Dialect::V1)]));
    assert_eq!(watch.check(&mut Vec::new()), []);
}

#[test]
fn who_is_above_whom() {
    assert!(is_parent("", "root"));
    assert!(is_parent("root", "root/c1"));
    assert!(!is_parent("", "root/c1"));
    assert!(!is_parent("", ""));
    assert!(!is_parent("roo", "root/c1"));
}
