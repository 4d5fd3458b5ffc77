//! Which groups a process stands in: one of each hierarchy, as `/proc/PID/cgroup` tells them.
//!
//! In v1 a process can be in one group for its CPU and in another for its memory, and the list of
//! one hierarchy does not tell. So each process is asked, some of them in each tick.

use std::collections::{BTreeMap, HashMap};
use std::ffi::CString;
use std::os::fd::AsFd;

use vitrine_shared::cgroup::{ControllerSet, Dialect, Member};

use super::file;
use crate::ipc::{ObservedHierarchy, ObservedMachine};

/// Processes that are asked in one tick: some 5 µs each.
const ASKED: usize = 64;

/// Where the processes of one machine stand.
#[derive(Debug, Default)]
pub(super) struct Standings {
    known: HashMap<u32, Known>,
    round: u64,
}

#[derive(Debug)]
struct Known {
    /// Paths below the machine's cap, each with the controllers that it is the group for.
    groups: Vec<(String, ControllerSet)>,
    asked_in: u64,
    seen_in: u64,
}

impl Standings {
    /// Asks those of these processes who are new, and of the others those who were asked longest
    /// ago; forgets all that are not among them.
    pub(super) fn ask(
        &mut self,
        proc: impl AsFd,
        machine: &ObservedMachine,
        pids: &[u32],
        buffer: &mut Vec<u8>,
    ) {
        self.round += 1;
        let mut turn: Vec<(u64, u32)> =
            pids.iter().map(|pid| (self.known.get(pid).map_or(0, |k| k.asked_in), *pid)).collect();
        turn.sort_unstable();
        for &(_, pid) in turn.iter().take(ASKED) {
            let groups = groups_of(&proc, machine, pid, buffer).unwrap_or_default();
            let (asked_in, seen_in) = (self.round, self.round);
            self.known.insert(pid, Known { groups, asked_in, seen_in });
        }
        for pid in pids {
            if let Some(known) = self.known.get_mut(pid) {
                known.seen_in = self.round;
            }
        }
        self.known.retain(|_, known| known.seen_in == self.round);
    }

    /// The processes of each group, by its path below the cap.
    pub(super) fn members(&self) -> BTreeMap<&str, Vec<Member>> {
        let mut members = BTreeMap::<&str, Vec<Member>>::new();
        for (&pid, known) in &self.known {
            for (path, controllers) in &known.groups {
                members.entry(path).or_default().push(Member { pid, controllers: *controllers });
            }
        }
        for list in members.values_mut() {
            list.sort_unstable_by_key(|member| member.pid);
        }
        members
    }
}

fn groups_of(
    proc: impl AsFd,
    machine: &ObservedMachine,
    pid: u32,
    buffer: &mut Vec<u8>,
) -> Option<Vec<(String, ControllerSet)>> {
    let name = CString::new(format!("{pid}/cgroup")).ok()?;
    let file = file::open_in(proc, &name).ok()?;
    file::read_page(&file, buffer).ok()?;
    Some(parse(&String::from_utf8_lossy(buffer), machine))
}

fn parse(text: &str, machine: &ObservedMachine) -> Vec<(String, ControllerSet)> {
    let mut groups: Vec<(String, ControllerSet)> = Vec::new();
    for hierarchy in &machine.hierarchies {
        let Some(path) = line_of(text, hierarchy).and_then(|line| below(line, hierarchy)) else {
            continue;
        };
        let controllers = controllers(hierarchy);
        match groups.iter_mut().find(|(known, _)| known == path) {
            Some((_, known)) => *known = known.and(controllers),
            None => groups.push((path.into(), controllers)),
        }
    }
    groups
}

/// The controllers of a hierarchy.
pub(super) fn controllers(hierarchy: &ObservedHierarchy) -> ControllerSet {
    hierarchy
        .controllers
        .iter()
        .map(|name| ControllerSet::named(name))
        .fold(ControllerSet::NONE, ControllerSet::and)
}

/// The path in the line of a hierarchy (`cgroups(7)`).
fn line_of<'a>(text: &'a str, hierarchy: &ObservedHierarchy) -> Option<&'a str> {
    text.lines().find_map(|line| {
        let mut words = line.splitn(3, ':').skip(1);
        let (controllers, path) = (words.next()?, words.next()?);
        let is_it = match hierarchy.dialect {
            Dialect::V2 => controllers.is_empty(),
            Dialect::V1 => {
                let named = ControllerSet::named(controllers);
                self::controllers(hierarchy).iter().any(|controller| named.has(controller))
            }
        };
        is_it.then_some(path)
    })
}

/// What of a path is below the machine's cap, whose directory is named for it: the first time that
/// this name comes, because what follows may be anybody's.
fn below<'a>(path: &'a str, hierarchy: &ObservedHierarchy) -> Option<&'a str> {
    let cap = hierarchy.directory.file_name()?.to_str()?;
    let mut rest = path.strip_prefix('/')?;
    loop {
        let (name, after) = rest.split_once('/').unwrap_or((rest, ""));
        if name == cap {
            return Some(after);
        }
        if after.is_empty() {
            return None;
        }
        rest = after;
    }
}

#[cfg(test)]
mod tests {
    use vitrine_shared::cgroup::Controller;

    use super::super::tests_tree::Tree;
    use super::*;

    #[test]
    fn one_group_a_hierarchy_and_one_line_a_group() {
        let tree = Tree::new();
        let machine = tree.machine(&[
            ("cpu/m", &["cpu", "cpuacct"], Dialect::V1),
            ("pids/m", &["pids"], Dialect::V1),
            ("mem/m", &["memory"], Dialect::V1),
        ]);
        let text = "4:memory:/vitrine/1-2/m/root/shell\n3:cpu,cpuacct:/vitrine/1-2/m/root/a b/m\n\
                    2:pids:/vitrine/1-2/m/root/shell\n0::/\n";
        let shell = ControllerSet::named("memory pids");
        let found = parse(text, &machine);
        assert_eq!(found[0], ("root/a b/m".into(), ControllerSet::named("cpu cpuacct")));
        assert_eq!(found[1], ("root/shell".into(), shell));
        assert_eq!(found.len(), 2);
        assert_eq!(parse("2:pids:/elsewhere\n", &machine), []);
        assert_eq!(parse("2:pids:/vitrine/1-2/m\n", &machine)[0].0, "");
        let unified = tree.machine(&[("u/m", &["cpu", "memory"], Dialect::V2)]);
        let found = parse("0::/x.scope/vitrine/1-2/m/root/c1\n", &unified);
        assert_eq!(found, [("root/c1".into(), ControllerSet::named("cpu memory"))]);
        assert!(found[0].1.has(Controller::Cpu));
    }

    #[test]
    fn everybody_has_a_turn_and_who_has_gone_is_forgotten() {
        let tree = Tree::new();
        let machine = tree.machine(&[("pids/m", &["pids"], Dialect::V1)]);
        let pids: Vec<u32> = (1..=100).collect();
        for pid in &pids {
            tree.write(&format!("proc/{pid}/cgroup"), "2:pids:/m/root/shell\n");
        }
        let proc = file::open_directory(&tree.proc()).unwrap();
        let mut standings = Standings::default();
        let mut buffer = Vec::new();
        standings.ask(&proc, &machine, &pids, &mut buffer);
        assert_eq!(standings.members()["root/shell"].len(), ASKED);
        standings.ask(&proc, &machine, &pids, &mut buffer);
        assert_eq!(standings.members()["root/shell"].len(), 100);
        tree.write("proc/100/cgroup", "2:pids:/m/root/a\n");
        for _ in 0..2 {
            standings.ask(&proc, &machine, &pids, &mut buffer);
        }
        assert_eq!(standings.members()["root/a"][0].pid, 100);
        standings.ask(&proc, &machine, &pids[99..], &mut buffer);
        assert_eq!(standings.members().len(), 1);
    }
}
