//! A spell is told twice: when it begins and when it is over.

use vitrine_shared::cgroup::Dialect;

use super::super::tests_tree::{C1, Tree};
use super::*;

const SEC: u64 = 1_000_000_000;

#[test]
fn the_groups_of_a_machine_are_followed_by_their_files() {
    for dialect in [Dialect::V1, Dialect::V2] {
        let tree = Tree::new();
        let machine = tree.machine(&[("cpu", &["cpu"], dialect)]);
        let says = |path: &str, throttled: u64| {
            let text = format!("nr_periods 9\nnr_throttled {throttled}\n");
            tree.write(&format!("cpu/{path}cpu.stat"), &text);
        };
        says("", 5);
        says("root/", 5);
        let mut watch = ThrottleWatch::default();
        let mut without = machine.clone();
        without.groups.pop();
        watch.follow(&without);
        let check = |watch: &mut ThrottleWatch, second: u64| {
            let turns = watch.check(second * SEC, &mut Vec::new());
            turns.into_iter().map(|turn| (turn.group, turn.ended.is_some())).collect::<Vec<_>>()
        };
        assert_eq!(check(&mut watch, 1), [], "{dialect:?}");
        says("root/c1/", 3);
        watch.follow(&machine);
        assert_eq!(check(&mut watch, 2), [(GroupId::Container(C1), false)], "all is new in it");
        says("root/", 6);
        assert_eq!(check(&mut watch, 3), [(GroupId::Root, false)]);
        assert_eq!(check(&mut watch, 5), [(GroupId::Container(C1), true)]);
        // One that goes while it is held is told of as what it is: ended.
        watch.follow(&without);
        assert_eq!(check(&mut watch, 6), [(GroupId::Root, true)]);
    }
}
