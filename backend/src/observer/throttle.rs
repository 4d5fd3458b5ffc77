//! Watches whether groups are throttled, also while nobody looks: when it begins, and when it has
//! been over for a while. What is told are the kernel's own counters, read once a second; a group
//! that is held in every period is one spell, and not ten events a second.

use std::os::fd::OwnedFd;
use std::path::PathBuf;

use vitrine_shared::cgroup::{Controller, FILES, GroupId};
use vitrine_shared::cpu::spell::{Counters, Run};
use vitrine_shared::message::Spell;

use super::{file, group, parse};
use crate::ipc::ObservedMachine;

/// A turn of a group's fate.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Turn {
    /// Which group.
    pub(crate) group: GroupId,
    /// The spell that is over; none when one has begun.
    pub(crate) ended: Option<Spell>,
}

/// The groups of one machine.
#[derive(Debug, Default)]
pub(super) struct ThrottleWatch {
    groups: Vec<Watched>,
    /// Has the machine been heard of before?
    known: bool,
}

#[derive(Debug)]
struct Watched {
    group: GroupId,
    path: String,
    file_path: PathBuf,
    file: Option<OwnedFd>,
    run: Run,
}

impl ThrottleWatch {
    /// Follows a change of the machine's groups.
    pub(super) fn follow(&mut self, machine: &ObservedMachine) {
        let mut rules = FILES.iter().filter(|rule| rule.name == "cpu.stat");
        let home = rules.find_map(|rule| {
            let is_cpu = rule.controller == Controller::Cpu;
            group::home(rule, &machine.hierarchies).filter(|_| is_cpu)
        });
        let Some(hierarchy) = home else {
            *self = ThrottleWatch::default();
            return;
        };
        let first = !std::mem::replace(&mut self.known, true);
        let mut old = std::mem::take(&mut self.groups);
        for (group, path) in &machine.groups {
            let same = |one: &Watched| one.group == *group && one.path == *path;
            let watched = match old.iter().position(same) {
                Some(at) => old.swap_remove(at),
                None => {
                    let file_path = group::directory(hierarchy, path).join("cpu.stat");
                    // A group that is being made may not have it yet: it is tried again.
                    let file = file::open(&file_path).ok();
                    let run = if first { Run::default() } else { Run::of_new_group() };
                    Watched { group: *group, path: path.clone(), file_path, file, run }
                }
            };
            self.groups.push(watched);
        }
    }

    /// Reads all counters and gives what began or ended.
    pub(super) fn check(&mut self, now_nsec: u64, buffer: &mut Vec<u8>) -> Vec<Turn> {
        let turn = |watched: &mut Watched| {
            let counters = watched.read(buffer)?;
            let ended = watched.run.hear(counters, now_nsec)?;
            Some(Turn { group: watched.group, ended })
        };
        self.groups.iter_mut().filter_map(turn).collect()
    }
}

impl Watched {
    fn read(&mut self, buffer: &mut Vec<u8>) -> Option<Counters> {
        if self.file.is_none() {
            self.file = file::open(&self.file_path).ok();
        }
        if file::read_page(self.file.as_ref()?, buffer).is_err() {
            // The group was removed.
            self.file = None;
            return None;
        }
        let stat = parse::cpu_stat(buffer);
        Some(Counters { periods: stat.nr_periods, throttled: stat.nr_throttled })
    }
}

#[cfg(test)]
#[path = "tests/throttle.rs"]
mod tests;
