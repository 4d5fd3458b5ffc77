//! The cgroup files of one group, read through kept descriptors.

use std::os::fd::OwnedFd;
use std::path::{Path, PathBuf};

use vitrine_shared::cgroup::{
    CgroupSample, Controller, ControllerSet, Dialect, FILES, FileRule, GroupId, GroupPath, RawFile,
};

use super::file::{Ledger, Place};
use super::made::Directories;
use super::standing::controllers;
use super::{clock, file, parse};
use crate::ipc::{ObservedHierarchy, ObservedMachine};

/// Files that are missing are tried again so often: a controller can be enabled later.
const RETRY_NSEC: u64 = 1_000_000_000;
/// Bytes of a file's text that are shown.
const VALUE_BYTES: usize = 512;
/// What is read of a group that somebody made, when nobody looks at its files: in each tick …
const QUICK: [&str; 6] = [
    "cpu.stat",
    "cpuacct.usage",
    "memory.usage_in_bytes",
    "memory.current",
    "pids.current",
    "cpu.cfs_quota_us",
];
/// … and in its turn.
const SLOW: [&str; 16] = [
    "cpu.cfs_period_us",
    "cpu.shares",
    "cpu.max",
    "cpu.weight",
    "cpuset.effective_cpus",
    "cpuset.cpus.effective",
    "memory.limit_in_bytes",
    "memory.memsw.usage_in_bytes",
    "memory.failcnt",
    "memory.oom_control",
    "memory.max",
    "memory.high",
    "memory.swap.current",
    "memory.events",
    "pids.max",
    "pids.events",
];
/// Most descriptors that are kept of such a group: v1's five of [`QUICK`].
const PLACES: usize = 3;

/// One group and its files in all hierarchies.
#[derive(Debug)]
pub(crate) struct Group {
    id: GroupId,
    path: String,
    dialect: Dialect,
    files: Vec<GroupFile>,
    /// v2: what says which controllers there are and which are handed on.
    core: Option<PathBuf>,
    available: ControllerSet,
    retry_at_nsec: u64,
    last_cpu: Option<(u64, u64)>,
    /// Of a group that somebody made: what was last read of it.
    kept: Option<Box<CgroupSample>>,
    /// Its directories, of a group that somebody made.
    directories: Directories,
    places: Vec<Place>,
}

#[derive(Debug)]
struct GroupFile {
    rule: &'static FileRule,
    path: PathBuf,
    file: Option<OwnedFd>,
    quick: bool,
    slow: bool,
}

/// How much of a group is read.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Depth {
    /// Every file, and their text.
    Whole,
    /// Of a group that somebody made, only what is needed for its row; with its settings?
    Row {
        /// Its limits and rarer counters too: it is its turn.
        settings: bool,
    },
}

impl Group {
    /// The group at this path below the machine's cap; nothing is opened yet.
    pub(crate) fn new(id: GroupId, path: &str, hierarchies: &[ObservedHierarchy]) -> Self {
        let files = FILES.iter().filter_map(|rule| {
            let hierarchy = home(rule, hierarchies)?;
            let path = directory(hierarchy, path).join(rule.name);
            let (quick, slow) = (QUICK.contains(&rule.name), SLOW.contains(&rule.name));
            Some(GroupFile { rule, path, file: None, quick, slow })
        });
        let cpu = hierarchies.iter().find(|hierarchy| mounts(hierarchy, "cpu"));
        let dialect = cpu.or(hierarchies.first()).map_or(Dialect::V2, |found| found.dialect);
        let v1 = hierarchies.iter().filter(|hierarchy| hierarchy.dialect == Dialect::V1);
        let available = v1.map(controllers).fold(ControllerSet::NONE, ControllerSet::and);
        let unified = hierarchies.iter().find(|hierarchy| hierarchy.dialect == Dialect::V2);
        Group {
            id,
            path: path.into(),
            dialect,
            files: files.collect(),
            core: unified.map(|hierarchy| directory(hierarchy, path)),
            available,
            retry_at_nsec: 0,
            last_cpu: None,
            kept: None,
            directories: Vec::new(),
            places: Vec::new(),
        }
    }

    /// A group that somebody made, in these of the machine's hierarchies.
    pub(crate) fn made(
        path: GroupPath,
        directories: &Directories,
        hierarchies: &[ObservedHierarchy],
        ledger: &Ledger,
    ) -> Self {
        let of_group = |(i, _): &(usize, u64)| hierarchies.get(*i).cloned();
        let hierarchies: Vec<_> = directories.iter().filter_map(of_group).collect();
        let mut group = Group::new(GroupId::Made(path), &format!("root/{path}"), &hierarchies);
        group.directories.clone_from(directories);
        group.places = (0..PLACES).map_while(|_| ledger.take()).collect();
        group
    }

    /// Is this still the group that the launcher means?
    pub(crate) fn is(&self, id: GroupId, path: &str) -> bool {
        self.id == id && self.path == path
    }

    /// Are these still its directories? Another group can have come to its name.
    pub(crate) fn is_in(&self, directories: &Directories) -> bool {
        self.directories == *directories
    }

    /// Its id.
    pub(crate) fn id(&self) -> GroupId {
        self.id
    }

    /// Does it have a file in the hierarchy of this controller?
    pub(crate) fn has(&self, controller: Controller) -> bool {
        self.files.iter().any(|file| file.rule.controller == controller)
    }

    /// Reads every file that exists.
    pub(crate) fn read(&mut self, buffer: &mut Vec<u8>) -> CgroupSample {
        self.read_to(Depth::Whole, buffer)
    }

    /// Reads what is wanted of it.
    pub(crate) fn read_to(&mut self, depth: Depth, buffer: &mut Vec<u8>) -> CgroupSample {
        let settings = depth != Depth::Row { settings: false } || self.kept.is_none();
        let mut sample = match self.kept.take() {
            Some(kept) if !settings => *kept,
            _ => CgroupSample {
                group: self.id,
                path: self.path.clone(),
                dialect: self.dialect,
                available: self.available,
                enabled: self.available,
                ..CgroupSample::default()
            },
        };
        let now_nsec = clock::monotonic_nsec();
        let retry = now_nsec >= self.retry_at_nsec;
        if retry {
            self.retry_at_nsec = now_nsec + RETRY_NSEC;
        }
        if settings {
            self.read_core(&mut sample, buffer);
        }
        let keep = matches!(self.id, GroupId::Made(_)).then_some(self.places.len() * 2);
        let mut kept_files = 0;
        let mut used = None;
        let mut swap = None;
        for file in &mut self.files {
            if depth != Depth::Whole && !file.quick && !(file.slow && settings) {
                continue;
            }
            let keeps = keep.is_none_or(|places| file.quick && kept_files < places);
            kept_files += usize::from(keeps);
            if file.read(buffer, retry || keep.is_some()) {
                used = measure(&mut sample, file.rule, buffer).or(used.take());
                if file.rule.name == "memory.memsw.usage_in_bytes" {
                    swap = parse::value(buffer);
                }
                if depth == Depth::Whole {
                    sample.files.push(raw(file.rule, buffer, self.id));
                }
            }
            if !keeps {
                file.file = None;
            }
        }
        if let Some(both) = swap {
            // v1 counts memory and swap together.
            sample.swap_bytes = both.saturating_sub(sample.memory_bytes);
        }
        if let Some((cpu_nsec, at_nsec)) = used {
            sample.cpu_nsec = cpu_nsec;
            sample.cpu_permille = self.last_cpu.map_or(0, |(last_nsec, last_at_nsec)| {
                let elapsed_nsec = at_nsec.saturating_sub(last_at_nsec);
                clock::permille(cpu_nsec.saturating_sub(last_nsec), elapsed_nsec)
            });
        }
        self.last_cpu = used;
        if keep.is_some() {
            let row = CgroupSample { files: Vec::new(), ..sample.clone() };
            self.kept = Some(Box::new(row));
        }
        sample
    }

    /// v2: the controllers that it has and hands on.
    fn read_core(&self, sample: &mut CgroupSample, buffer: &mut Vec<u8>) {
        let Some(core) = &self.core else { return };
        let mut read = |name: &str| {
            let file = file::open(&core.join(name)).ok()?;
            file::read_page(&file, buffer).ok()?;
            Some(ControllerSet::named(&String::from_utf8_lossy(buffer)))
        };
        let has = read("cgroup.controllers").unwrap_or_default();
        let hands_on = read("cgroup.subtree_control").unwrap_or_default();
        // Every v2 group can be frozen.
        sample.available = sample.available.and(has).with(Controller::Freezer);
        sample.enabled = sample.enabled.and(hands_on).with(Controller::Freezer);
    }
}

impl GroupFile {
    fn read(&mut self, buffer: &mut Vec<u8>, retry: bool) -> bool {
        if self.file.is_none() && retry {
            self.file = file::open(&self.path).ok();
        }
        let Some(file) = &self.file else { return false };
        if file::read_page(file, buffer).is_err() {
            // ENODEV: the group was removed. The name may come back as another group.
            self.file = None;
            return false;
        }
        true
    }
}

/// The directory of a group in a hierarchy.
pub(crate) fn directory(hierarchy: &ObservedHierarchy, path: &str) -> PathBuf {
    // Joining an empty path would add a slash.
    if path.is_empty() { hierarchy.directory.clone() } else { hierarchy.directory.join(path) }
}

/// A group's path below the machine's cap; `None` when there is no such group.
pub(crate) fn path_of(machine: &ObservedMachine, group: GroupId) -> Option<String> {
    let known = machine.groups.iter().find(|(known, _)| *known == group);
    match (known, group) {
        (Some((_, path)), _) => Some(path.clone()),
        // The name of a path that somebody made never leads up.
        (None, GroupId::Made(path)) => Some(format!("root/{path}")),
        (None, _) => None,
    }
}

/// The hierarchy whose `cgroup.procs` says who belongs to the machine: one that containers are
/// always moved in. On v2 there is only the one.
pub(crate) fn membership(hierarchies: &[ObservedHierarchy]) -> Option<&ObservedHierarchy> {
    ["pids", "freezer", "cpu"]
        .iter()
        .find_map(|name| hierarchies.iter().find(|hierarchy| mounts(hierarchy, name)))
        .or(hierarchies.first())
}

/// The file that counts the processes killed for memory.
pub(crate) fn oom_file(machine: &ObservedMachine) -> Option<(&ObservedHierarchy, &'static Path)> {
    let hierarchy = machine.hierarchies.iter().find(|hierarchy| mounts(hierarchy, "memory"))?;
    let name = match hierarchy.dialect {
        Dialect::V1 => "memory.oom_control",
        Dialect::V2 => "memory.events",
    };
    Some((hierarchy, Path::new(name)))
}

pub(super) fn mounts(hierarchy: &ObservedHierarchy, controller: &str) -> bool {
    hierarchy.controllers.iter().any(|name| name == controller)
}

/// The hierarchy that has a file. v2 counts CPU time in every group, with no controller at all:
/// that must do where nothing else counts it.
pub(crate) fn home<'a>(
    rule: &FileRule,
    hierarchies: &'a [ObservedHierarchy],
) -> Option<&'a ObservedHierarchy> {
    let mut speaking = hierarchies.iter().filter(|hierarchy| hierarchy.dialect == rule.dialect);
    let controller = rule.controller.name();
    let found = speaking.clone().find(|hierarchy| mounts(hierarchy, controller));
    let is_counted = hierarchies.iter().any(|h| mounts(h, "cpu") || mounts(h, "cpuacct"));
    let is_core = rule.dialect == Dialect::V2 && rule.name == "cpu.stat" && !is_counted;
    found.or_else(|| speaking.next().filter(|_| is_core))
}

/// Takes the meters out of a file's text; gives CPU time used and the moment it was read.
fn measure(sample: &mut CgroupSample, rule: &FileRule, text: &[u8]) -> Option<(u64, u64)> {
    let at = |cpu_nsec| (cpu_nsec, clock::monotonic_nsec());
    match rule.name {
        "cpu.cfs_quota_us" => sample.cpu.quota_usec = parse::limit(text),
        "cpu.cfs_period_us" => sample.cpu.period_usec = parse::value(text).unwrap_or(0),
        "cpu.max" => {
            if let Some((quota_usec, period_usec)) = parse::cpu_max(text) {
                sample.cpu.quota_usec = quota_usec;
                sample.cpu.period_usec = period_usec;
            }
        }
        "cpu.stat" => {
            let stat = parse::cpu_stat(text);
            sample.cpu.nr_periods = stat.nr_periods;
            sample.cpu.nr_throttled = stat.nr_throttled;
            sample.cpu.throttled_usec = stat.throttled_usec;
            return stat.usage_nsec.map(at);
        }
        "cpuacct.usage" => return parse::value(text).map(at),
        "cpu.shares" | "cpu.weight" => sample.cpu_weight = parse::value(text).unwrap_or(0),
        "cpuset.effective_cpus" | "cpuset.cpus.effective" => {
            let text = text.strip_suffix(b"\n").unwrap_or(text);
            sample.cpus =
                String::from_utf8_lossy(&text[..text.len().min(VALUE_BYTES)]).into_owned();
        }
        "memory.high" => sample.memory_high = parse::limit(text),
        "memory.swap.current" => sample.swap_bytes = parse::value(text).unwrap_or(0),
        "memory.failcnt" => sample.met.memory_max = parse::value(text).unwrap_or(0),
        "memory.oom_control" => sample.met.oom_kills = parse::oom_kill(text).unwrap_or(0),
        "memory.events" => {
            sample.met.memory_high = parse::field(text, "high").unwrap_or(0);
            sample.met.memory_max = parse::field(text, "max").unwrap_or(0);
            sample.met.oom_kills = parse::oom_kill(text).unwrap_or(0);
        }
        "pids.events" => sample.met.pids_max = parse::field(text, "max").unwrap_or(0),
        "memory.limit_in_bytes" | "memory.max" => sample.memory_max = parse::limit(text),
        "memory.usage_in_bytes" | "memory.current" => {
            sample.memory_bytes = parse::value(text).unwrap_or(0);
        }
        "pids.max" => sample.pids_max = parse::limit(text),
        "pids.current" => sample.pids = parse::value(text).unwrap_or(0),
        _ => {}
    }
    None
}

fn raw(rule: &FileRule, text: &[u8], group: GroupId) -> RawFile {
    let text = text.strip_suffix(b"\n").unwrap_or(text);
    let text = &text[..text.len().min(VALUE_BYTES)];
    RawFile {
        name: rule.name.into(),
        // Only the kernel writes here; a character cut in half must not be an error.
        value: String::from_utf8_lossy(text).into_owned(),
        writable: rule.takes.is_some() && group != GroupId::Cap,
    }
}

#[cfg(test)]
#[path = "tests/group.rs"]
mod tests;
