//! The rules, one at a time.

use super::*;
use crate::namespace::NamespaceSet;

fn new(kinds: &[Namespace]) -> Birth {
    let new = kinds.iter().fold(NamespaceSet::NONE, |set, kind| set.with(*kind, true));
    Birth { new, ..Birth::default() }
}

fn set(kinds: &[Namespace]) -> NamespaceSet {
    new(kinds).new
}

fn range(inside: u32, outside: u32, count: u32) -> IdRange {
    IdRange { inside, outside, count }
}

#[test]
fn a_process_has_a_pid_on_each_level() {
    let mut procs = Procs::new();
    let shell = procs.fork(procs.init(), Birth::default()).unwrap();
    let inner = procs.fork(shell, new(&[Namespace::Pid])).unwrap();
    let below = procs.fork(inner, new(&[Namespace::Pid])).unwrap();
    assert_eq!(procs.pids(shell), [2]);
    assert_eq!(procs.pids(inner), [3, 1]);
    assert_eq!(procs.pids(below), [4, 2, 1]);
    let space = procs.space_of(inner, Namespace::Pid).unwrap();
    assert_eq!(procs.find(space, 2), Some(below));
    assert_eq!(procs.pid_in(shell, space), None);
    assert_eq!((procs.ppid(inner), procs.ppid(below)), (0, 0));
}

#[test]
fn unshare_of_pids_is_for_the_children() {
    let mut procs = Procs::new();
    let shell = procs.fork(procs.init(), Birth::default()).unwrap();
    procs.unshare(shell, set(&[Namespace::Pid])).unwrap();
    assert_eq!(procs.pids(shell), [2]);
    assert_eq!(procs.unshare(shell, set(&[Namespace::Pid])), Err(Errno::Einval));
    let first = procs.fork(shell, Birth::default()).unwrap();
    assert_eq!(procs.pids(first), [3, 1]);
    procs.exit(first, 0);
    procs.wait(shell).unwrap();
    // The shell of `unshare --pid` without `--fork`: the second command fails.
    assert_eq!(procs.fork(shell, Birth::default()), Err(Errno::Enomem));
}

#[test]
fn with_pid_1_everybody_in_its_namespace_ends() {
    let mut procs = Procs::new();
    let init = procs.fork(procs.init(), new(&[Namespace::Pid])).unwrap();
    let child = procs.fork(init, Birth::default()).unwrap();
    let below = procs.fork(child, new(&[Namespace::Pid])).unwrap();
    let mut ended = procs.exit(init, 3);
    ended.sort();
    assert_eq!(ended, [init, child, below]);
    assert_eq!(procs.wait(procs.init()), Ok(Some((init, End::Exited(3)))));
    assert_eq!(procs.all().count(), 1);
    assert_eq!(procs.wait(procs.init()), Err(Errno::Echild));
}

#[test]
fn pid_1_hears_from_inside_only_what_it_handles() {
    let mut procs = Procs::new();
    let init = procs.fork(procs.init(), new(&[Namespace::Pid])).unwrap();
    let child = procs.fork(init, Birth::default()).unwrap();
    for signal in [Signal::Term, Signal::Kill] {
        assert_eq!(procs.kill(child, init, signal), Ok(Vec::new()));
    }
    assert_eq!(procs.kill(procs.init(), init, Signal::Term), Ok(Vec::new()));
    assert_eq!(procs.life(init), Life::Alive);
    assert_eq!(procs.kill(procs.init(), init, Signal::Kill).unwrap().len(), 2);
    // The first of all is out of everybody's reach.
    assert_eq!(procs.kill(procs.init(), procs.init(), Signal::Kill), Ok(Vec::new()));
}

#[test]
fn orphans_become_children_of_pid_1_and_zombies_stay_until_waited_for() {
    let mut procs = Procs::new();
    let init = procs.fork(procs.init(), new(&[Namespace::Pid])).unwrap();
    let parent = procs.fork(init, Birth::default()).unwrap();
    let orphan = procs.fork(parent, Birth::default()).unwrap();
    procs.exit(parent, 0);
    assert_eq!(procs.parent(orphan), Some(init));
    assert_eq!(procs.life(parent), Life::Zombie(End::Exited(0)));
    procs.kill(init, orphan, Signal::Term).unwrap();
    assert_eq!(procs.wait(init), Ok(Some((parent, End::Exited(0)))));
    assert_eq!(procs.wait(init), Ok(Some((orphan, End::Killed(Signal::Term)))));
}

#[test]
fn ids_are_mapped_and_who_is_not_is_nobody() {
    let mut procs = Procs::new();
    let child = procs.fork(procs.init(), new(&[Namespace::User])).unwrap();
    let user = procs.space_of(child, Namespace::User).unwrap();
    assert_eq!(procs.uid_in(child, user), OVERFLOW_ID);
    let map = [range(0, 100_000, 65_536)];
    procs.write_id_map(procs.init(), user, &map).unwrap();
    assert_eq!(procs.id_outside(5, user), Some(100_005));
    assert_eq!(procs.id_outside(65_536, user), None);
    // Root of the host is nobody inside.
    assert_eq!(procs.uid_in(child, user), OVERFLOW_ID);
    assert_eq!(procs.write_id_map(procs.init(), user, &map), Err(Errno::Eperm));
}

#[test]
fn maps_that_cannot_be_are_refused() {
    let mut procs = Procs::new();
    let child = procs.fork(procs.init(), new(&[Namespace::User])).unwrap();
    let user = procs.space_of(child, Namespace::User).unwrap();
    for map in [
        vec![],
        vec![range(0, 0, 0)],
        vec![range(0, u32::MAX, 2)],
        vec![range(0, 0, 2), range(1, 10, 1)],
        vec![range(0, 5, 2), range(10, 6, 1)],
    ] {
        assert_eq!(procs.write_id_map(procs.init(), user, &map), Err(Errno::Einval), "{map:?}");
    }
}

#[test]
fn only_root_of_the_owner_may() {
    let mut procs = Procs::new();
    let rootless = procs.fork(procs.init(), Birth::default()).unwrap();
    procs.all[rootless.0].uid = 1_000;
    procs.all[rootless.0].privileged = false;
    assert_eq!(procs.unshare(rootless, set(&[Namespace::Uts])), Err(Errno::Eperm));
    assert_eq!(procs.set_hostname(rootless, "mine"), Err(Errno::Eperm));
    // With a user namespace of its own it is root there, and of what belongs to that.
    procs.unshare(rootless, set(&[Namespace::User, Namespace::Uts])).unwrap();
    procs.set_hostname(rootless, "mine").unwrap();
    assert_eq!((procs.hostname(rootless), procs.hostname(procs.init())), ("mine", "vitrine"));
    let user = procs.space_of(rootless, Namespace::User).unwrap();
    let init_uts = procs.space_of(procs.init(), Namespace::Uts).unwrap();
    assert_eq!(procs.setns(rootless, init_uts), Err(Errno::Eperm));
    assert_eq!(procs.write_id_map(rootless, user, &[range(0, 0, 1)]), Err(Errno::Eperm));
    procs.write_id_map(rootless, user, &[range(0, 1_000, 1)]).unwrap();
    assert_eq!(procs.uid_in(rootless, user), 0);
}

#[test]
fn setns_leads_into_what_is_there_and_down() {
    let mut procs = Procs::new();
    let inner = procs.fork(procs.init(), new(&[Namespace::Pid, Namespace::Uts])).unwrap();
    let outer = procs.fork(procs.init(), Birth::default()).unwrap();
    let (pid, uts) = (
        procs.space_of(inner, Namespace::Pid).unwrap(),
        procs.space_of(inner, Namespace::Uts).unwrap(),
    );
    procs.setns(outer, pid).unwrap();
    procs.setns(outer, uts).unwrap();
    let child = procs.fork(outer, Birth::default()).unwrap();
    assert_eq!(procs.pids(child).len(), 2);
    assert_eq!(procs.space_of(child, Namespace::Uts), Some(uts));
    let first = procs.space_of(procs.init(), Namespace::Pid).unwrap();
    assert_eq!(procs.setns(child, first), Err(Errno::Einval));
}

#[test]
fn nesting_has_an_end() {
    let mut procs = Procs::new();
    let mut at = procs.init();
    let deepest = loop {
        match procs.fork(at, new(&[Namespace::Pid])) {
            Ok(child) => at = child,
            Err(errno) => break errno,
        }
    };
    assert_eq!(deepest, Errno::Enospc);
    assert_eq!(procs.pids(at).len(), NESTED_MAX);
}
