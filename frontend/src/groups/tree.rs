//! From a sample to the lines of the table: who is in whom, in which order, and what is left out.

use std::collections::{BTreeSet, HashMap};

use vitrine_shared::cgroup::{CgroupSample, GroupId};
use vitrine_shared::process::Process;

/// What a line stands for.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) enum Key {
    /// A group.
    Group(GroupId),
    /// A process in a group, by its PID on the host. In v1 it can be in several.
    Process(u32, GroupId),
}

impl Key {
    /// The group that it is, or is in.
    pub(crate) fn group(self) -> GroupId {
        match self {
            Key::Group(group) | Key::Process(_, group) => group,
        }
    }
}

/// One line.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(crate) struct Line {
    pub(crate) key: Key,
    /// Of the sample's groups, or of its processes.
    pub(crate) at: usize,
    /// 1 for the cap.
    pub(crate) level: usize,
    /// `None` where nothing is below it.
    pub(crate) open: Option<bool>,
    /// Counting from 1 among its siblings, and how many they are.
    pub(crate) place: (usize, usize),
}

/// In which order siblings stand.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) enum Sort {
    /// By name.
    #[default]
    Name,
    /// Most CPU first.
    Cpu,
    /// Most memory first.
    Memory,
    /// Most processes first.
    Pids,
}

impl Sort {
    pub(crate) const ALL: [Sort; 4] = [Sort::Name, Sort::Cpu, Sort::Memory, Sort::Pids];
}

/// What is shown of the tree.
#[derive(Clone, Debug, Default, PartialEq)]
pub(crate) struct Wish {
    pub(crate) sort: Sort,
    /// Part of a group's path, of a process's name, or a PID; groups above what is found are shown.
    pub(crate) filter: String,
    pub(crate) closed: BTreeSet<GroupId>,
    pub(crate) without_processes: bool,
}

/// The lines from top to bottom.
pub(crate) fn lines(groups: &[CgroupSample], processes: &[Process], wish: &Wish) -> Vec<Line> {
    let mut tree = Tree::new(groups, processes, wish);
    let tops = std::mem::take(&mut tree.tops);
    tree.put(&tops, 1);
    tree.lines
}

struct Tree<'a> {
    groups: &'a [CgroupSample],
    wish: &'a Wish,
    below: Vec<Vec<usize>>,
    tops: Vec<usize>,
    by_pid: HashMap<u32, usize>,
    /// Found by the filter, or above what was found.
    shown: Vec<bool>,
    found: Vec<bool>,
    filter: String,
    processes: &'a [Process],
    lines: Vec<Line>,
}

impl<'a> Tree<'a> {
    fn new(groups: &'a [CgroupSample], processes: &'a [Process], wish: &'a Wish) -> Self {
        let places: HashMap<&str, usize> =
            groups.iter().enumerate().map(|(at, group)| (group.path.as_str(), at)).collect();
        let mut below = vec![Vec::new(); groups.len()];
        let mut tops = Vec::new();
        let mut parents = vec![None; groups.len()];
        for (at, group) in groups.iter().enumerate() {
            match nearest_above(&group.path, |path| places.get(path).copied()) {
                Some(parent) => {
                    below[parent].push(at);
                    parents[at] = Some(parent);
                }
                None => tops.push(at),
            }
        }
        for siblings in &mut below {
            siblings.sort_by(|&a, &b| order(&groups[a], &groups[b], wish.sort));
        }
        let by_pid = processes.iter().enumerate().map(|(at, p)| (p.host_pid(), at)).collect();
        let filter = wish.filter.trim().to_lowercase();
        let mut tree = Tree {
            groups,
            wish,
            below,
            tops,
            by_pid,
            shown: vec![filter.is_empty(); groups.len()],
            found: vec![filter.is_empty(); groups.len()],
            filter,
            processes,
            lines: Vec::new(),
        };
        if !tree.filter.is_empty() {
            tree.find(&parents);
        }
        tree
    }

    fn find(&mut self, parents: &[Option<usize>]) {
        for (at, group) in self.groups.iter().enumerate() {
            let found = group.path.to_lowercase().contains(&self.filter);
            self.found[at] = found;
            if !found && !group.members.iter().any(|member| self.names(member.pid)) {
                continue;
            }
            let mut next = Some(at);
            while let Some(at) = next.filter(|&at| !self.shown[at]) {
                self.shown[at] = true;
                next = parents[at];
            }
        }
    }

    /// Does the filter name this process?
    fn names(&self, pid: u32) -> bool {
        let process = self.by_pid.get(&pid).and_then(|&at| self.processes.get(at));
        process.is_some_and(|process| {
            pid.to_string() == self.filter || process.name.to_lowercase().contains(&self.filter)
        })
    }

    /// Groups below others before processes: a group's own processes stand directly under it.
    fn put(&mut self, siblings: &[usize], level: usize) {
        let siblings: Vec<usize> = siblings.iter().copied().filter(|&at| self.shown[at]).collect();
        let of = siblings.len();
        for (i, at) in siblings.into_iter().enumerate() {
            let group = &self.groups[at];
            let members = self.members(at);
            let below = std::mem::take(&mut self.below[at]);
            let is_empty = members.is_empty() && !below.iter().any(|&at| self.shown[at]);
            // What is looked for is not to be hidden.
            let is_open = !self.wish.closed.contains(&group.group) || !self.filter.is_empty();
            self.lines.push(Line {
                key: Key::Group(group.group),
                at,
                level,
                open: (!is_empty).then_some(is_open),
                place: (i + 1, of),
            });
            if is_open {
                let count = members.len();
                for (i, (pid, at)) in members.into_iter().enumerate() {
                    let key = Key::Process(pid, group.group);
                    let place = (i + 1, count);
                    self.lines.push(Line { key, at, level: level + 1, open: None, place });
                }
                self.put(&below, level + 1);
            }
        }
    }

    fn members(&self, at: usize) -> Vec<(u32, usize)> {
        if self.wish.without_processes {
            return Vec::new();
        }
        let named = |pid: u32| self.found[at] || self.names(pid);
        let members = self.groups[at].members.iter().map(|member| member.pid);
        members
            .filter(|&pid| named(pid))
            .filter_map(|pid| Some((pid, *self.by_pid.get(&pid)?)))
            .collect()
    }
}

/// The nearest group above a path that is there.
pub(crate) fn nearest_above<T>(path: &str, find: impl Fn(&str) -> Option<T>) -> Option<T> {
    let mut rest = path;
    while !rest.is_empty() {
        rest = rest.rsplit_once('/').map_or("", |(above, _)| above);
        if let Some(found) = find(rest) {
            return Some(found);
        }
    }
    None
}

fn order(a: &CgroupSample, b: &CgroupSample, sort: Sort) -> std::cmp::Ordering {
    let by_use = match sort {
        Sort::Name => std::cmp::Ordering::Equal,
        Sort::Cpu => b.cpu_permille.cmp(&a.cpu_permille),
        Sort::Memory => b.memory_bytes.cmp(&a.memory_bytes),
        Sort::Pids => b.pids.cmp(&a.pids),
    };
    by_use.then_with(|| a.path.cmp(&b.path))
}

#[cfg(test)]
mod tests {
    use vitrine_shared::cgroup::{ControllerSet, Member};

    use super::*;
    use crate::fixture;

    fn made(path: &str) -> GroupId {
        GroupId::Made(path.parse().unwrap())
    }

    fn group(id: GroupId, path: &str, cpu: u32, pids: &[u32]) -> CgroupSample {
        let member = |&pid| Member { pid, controllers: ControllerSet::NONE };
        CgroupSample {
            group: id,
            path: path.into(),
            cpu_permille: cpu,
            members: pids.iter().map(member).collect(),
            ..fixture::group(0, None, 0, 0)
        }
    }

    fn groups() -> Vec<CgroupSample> {
        vec![
            group(GroupId::Cap, "", 90, &[]),
            group(GroupId::Root, "root", 90, &[]),
            group(GroupId::Shell, "root/shell", 10, &[4100]),
            group(made("a"), "root/a", 20, &[]),
            group(made("a/x"), "root/a/x", 20, &[4821]),
            group(made("b"), "root/b", 60, &[]),
            group(made("z/deep"), "root/z/deep", 0, &[]),
        ]
    }

    fn shown(wish: &Wish) -> Vec<String> {
        let (groups, sample) = (groups(), fixture::sample(0));
        let text = |line: Line| {
            let mark = match line.open {
                Some(true) => "-",
                Some(false) => "+",
                None => " ",
            };
            let what = match line.key {
                Key::Group(_) => groups[line.at].path.clone(),
                Key::Process(pid, _) => pid.to_string(),
            };
            format!("{}{mark}{what} {}/{}", line.level, line.place.0, line.place.1)
        };
        lines(&groups, &sample.processes, wish).into_iter().map(text).collect()
    }

    #[test]
    fn groups_stand_below_those_they_are_in_and_processes_in_theirs() {
        let expected = [
            "1- 1/1",
            "2-root 1/1",
            "3-root/a 1/4",
            "4-root/a/x 1/1",
            "5 4821 1/1",
            "3 root/b 2/4",
            "3-root/shell 3/4",
            "4 4100 1/1",
            "3 root/z/deep 4/4",
        ];
        assert_eq!(shown(&Wish::default()), expected, "one whose parent is not shown too");
    }

    #[test]
    fn sorted_closed_and_without_processes() {
        let closed = BTreeSet::from([made("a")]);
        let wish = Wish { sort: Sort::Cpu, closed, without_processes: true, ..Wish::default() };
        let expected = [
            "1- 1/1",
            "2-root 1/1",
            "3 root/b 1/4",
            "3+root/a 2/4",
            "3 root/shell 3/4",
            "3 root/z/deep 4/4",
        ];
        assert_eq!(shown(&wish), expected);
    }

    #[test]
    fn what_is_looked_for_is_shown_with_what_it_is_in() {
        let looked = |filter: &str| {
            let closed = BTreeSet::from([made("a")]);
            shown(&Wish { filter: filter.into(), closed, ..Wish::default() })
        };
        assert_eq!(
            looked("4821"),
            ["1- 1/1", "2-root 1/1", "3-root/a 1/1", "4-root/a/x 1/1", "5 4821 1/1"]
        );
        assert_eq!(looked(" B "), ["1- 1/1", "2-root 1/1", "3 root/b 1/1"]);
        assert_eq!(looked("no such"), Vec::<String>::new());
    }

    #[test]
    fn five_hundred_groups_take_no_time_worth_counting() {
        let mut many = groups();
        for i in 0..500 {
            many.push(group(made(&format!("g{i}")), &format!("root/g{i}"), i, &[]));
        }
        let begun = std::time::Instant::now();
        for _ in 0..20 {
            assert_eq!(lines(&many, &[], &Wish::default()).len(), 507);
        }
        assert!(begun.elapsed() < std::time::Duration::from_secs(1), "{:?}", begun.elapsed());
    }
}
