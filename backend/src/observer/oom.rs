//! Watches the counters of processes killed for memory, also while nobody looks.
//!
//! v1 counts a kill in the victim's group only. v2 counts it in every group above, too; what the
//! known groups below already count is taken off, so that a kill is told once, of the group it
//! happened in (or of the nearest one that is still there).

use std::os::fd::OwnedFd;
use std::path::PathBuf;

use vitrine_shared::cgroup::{Dialect, GroupId};

use super::{file, group, parse};
use crate::ipc::ObservedMachine;

/// The counters of one machine's groups.
#[derive(Debug, Default)]
pub(super) struct OomWatch {
    counters: Vec<Counter>,
    dialect: Option<Dialect>,
}

/// A group in which something was killed.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Killed {
    /// Which.
    pub group: GroupId,
    /// Where it is in the hierarchy of the memory controller.
    pub directory: PathBuf,
}

/// Where a machine's memory is counted, and what is below it that has a counter of its own here.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct MemoryRoot {
    /// The directory of the machine's root.
    pub(super) directory: PathBuf,
    /// Whose counters tell of kills below a group, too.
    pub(super) dialect: Dialect,
    /// The groups that the server made, as paths below that root.
    known: Vec<String>,
}

impl MemoryRoot {
    pub(super) fn of(machine: &ObservedMachine) -> Option<Self> {
        let (hierarchy, _) = group::oom_file(machine)?;
        let below = |(_, path): &(GroupId, String)| Some(path.strip_prefix("root/")?.to_owned());
        Some(MemoryRoot {
            directory: group::directory(hierarchy, "root"),
            dialect: hierarchy.dialect,
            known: machine.groups.iter().filter_map(below).collect(),
        })
    }

    /// A group that somebody made, by its path below the root: no counter here is its own.
    pub(super) fn made(&self, path: &str) -> Option<GroupId> {
        let is_known = self.known.iter().any(|known| known == path);
        path.parse().ok().filter(|_| !is_known).map(GroupId::Made)
    }
}

#[derive(Debug)]
struct Counter {
    group: GroupId,
    path: String,
    file_path: PathBuf,
    file: Option<OwnedFd>,
    /// What the file said last.
    total: i64,
    /// The group's own share of that, as far as it has been told; `None` takes the first reading
    /// for old news.
    told: Option<i64>,
}

impl OomWatch {
    /// Follows a change of the machine's groups. What happened before the machine was first heard
    /// of is old news; in a group that is added later, everything is new.
    pub(super) fn follow(&mut self, machine: &ObservedMachine) {
        let Some((hierarchy, name)) = group::oom_file(machine) else {
            *self = OomWatch::default();
            return;
        };
        let first = self.dialect.is_none();
        self.dialect = Some(hierarchy.dialect);
        let mut old = std::mem::take(&mut self.counters);
        for (group, path) in &machine.groups {
            let same = |counter: &Counter| counter.group == *group && counter.path == *path;
            let counter = match old.iter().position(same) {
                Some(at) => old.swap_remove(at),
                None => Counter {
                    group: *group,
                    path: path.clone(),
                    file_path: group::directory(hierarchy, path).join(name),
                    file: None,
                    total: 0,
                    told: if first { None } else { Some(0) },
                },
            };
            self.counters.push(counter);
        }
        for gone in old {
            self.inherit(&gone);
        }
    }

    /// v2: what a group that is gone had counted is from now on its parent's own share.
    fn inherit(&mut self, gone: &Counter) {
        if self.dialect != Some(Dialect::V2) {
            return;
        }
        let parent = self.counters.iter_mut().find(|counter| is_parent(&counter.path, &gone.path));
        if let Some(told) = parent.and_then(|parent| parent.told.as_mut()) {
            *told += gone.total;
        }
    }

    /// Reads all counters and gives the groups whose own share rose, with their directories.
    pub(super) fn check(&mut self, buffer: &mut Vec<u8>) -> Vec<Killed> {
        // Parents before children: a kill in between is then seen below first, where it belongs.
        for counter in &mut self.counters {
            counter.read(buffer);
        }
        let mut killed = Vec::new();
        for i in 0..self.counters.len() {
            let own = self.counters[i].total - self.counted_below(i);
            let counter = &mut self.counters[i];
            if counter.told.is_some_and(|told| own > told) {
                let directory = counter.file_path.parent().unwrap_or(&counter.file_path).into();
                killed.push(Killed { group: counter.group, directory });
            }
            counter.told = Some(counter.told.map_or(own, |told| told.max(own)));
        }
        killed
    }

    fn counted_below(&self, i: usize) -> i64 {
        if self.dialect != Some(Dialect::V2) {
            return 0;
        }
        let parent = &self.counters[i].path;
        let children = self.counters.iter().filter(|child| is_parent(parent, &child.path));
        children.map(|child| child.total).sum()
    }
}

impl Counter {
    fn read(&mut self, buffer: &mut Vec<u8>) {
        if self.file.is_none() {
            self.file = file::open(&self.file_path).ok();
        }
        let Some(file) = &self.file else { return };
        match file::read_page(file, buffer) {
            Ok(()) => {
                let total = parse::oom_kill(buffer).and_then(|total| i64::try_from(total).ok());
                self.total = total.unwrap_or(self.total);
            }
            // The group was removed; its counter keeps what it said.
            Err(_) => self.file = None,
        }
    }
}

/// Is the first path directly above the second?
fn is_parent(parent: &str, child: &str) -> bool {
    match child.rsplit_once('/') {
        Some((above, _)) => above == parent,
        None => parent.is_empty() && !child.is_empty(),
    }
}

#[cfg(test)]
#[path = "tests/oom.rs"]
mod tests;
