//! A spell is told twice: when it begins and when it is over.

use vitrine_shared::cgroup::Dialect;

use super::super::tests_tree::{C1, Tree};
use super::*;

const SEC: u64 = 1_000_000_000;

fn counters(periods: u64, throttled: u64) -> Counters {
    Counters { periods, throttled }
}

#[test]
fn a_loop_that_is_held_in_every_period_is_one_spell() {
    let mut run = Run { last: Some(Counters::default()), spell: None };
    assert_eq!(run.hear(counters(4, 0), SEC), None, "it ran, and was not held");
    assert_eq!(run.hear(counters(14, 8), 2 * SEC), Some(None), "it begins");
    for second in 3..10 {
        let n = (second - 2) * 10;
        assert_eq!(run.hear(counters(14 + n, 8 + n), second * SEC), None, "it goes on");
    }
    assert_eq!(run.hear(counters(89, 78), 10 * SEC), None, "quiet, but not for long");
    assert_eq!(run.hear(counters(95, 78), 11 * SEC), None);
    let spell = Spell { lasted_msec: 7_000, periods: 80, throttled: 78 };
    assert_eq!(run.hear(counters(95, 78), 12 * SEC), Some(Some(spell)), "and over");
    assert_eq!(run.hear(counters(95, 78), 13 * SEC), None, "told once");
    assert_eq!(run.hear(counters(96, 79), 14 * SEC), Some(None), "another one");
}

#[test]
fn what_was_before_is_old_news_and_counters_that_begin_anew_are_no_spell() {
    let mut run = Run::default();
    assert_eq!(run.hear(counters(100, 90), SEC), None);
    assert_eq!(run.hear(counters(100, 90), 2 * SEC), None);
    assert_eq!(run.hear(counters(0, 0), 3 * SEC), None);
    assert_eq!(run.hear(counters(1, 1), 4 * SEC), Some(None));
}

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
