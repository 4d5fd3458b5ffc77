//! The cgroup files of one group, read through kept descriptors.

use std::os::fd::OwnedFd;
use std::path::{Path, PathBuf};

use vitrine_shared::cgroup::{
    CgroupSample, CpuBandwidth, Dialect, FILES, FileRule, GroupId, RawFile,
};

use super::{clock, file, parse};
use crate::ipc::{ObservedHierarchy, ObservedMachine};

/// Files that are missing are tried again so often: a controller can be enabled later.
const RETRY_NSEC: u64 = 1_000_000_000;
/// Bytes of a file's text that are shown.
const VALUE_BYTES: usize = 512;

/// One group and its files in all hierarchies.
#[derive(Debug)]
pub(crate) struct Group {
    id: GroupId,
    path: String,
    dialect: Dialect,
    files: Vec<GroupFile>,
    retry_at_nsec: u64,
    last_cpu: Option<(u64, u64)>,
}

#[derive(Debug)]
struct GroupFile {
    rule: &'static FileRule,
    path: PathBuf,
    file: Option<OwnedFd>,
}

impl Group {
    /// The group at this path below the machine's cap; nothing is opened yet.
    pub(crate) fn new(id: GroupId, path: &str, hierarchies: &[ObservedHierarchy]) -> Self {
        let files = FILES.iter().filter_map(|rule| {
            let hierarchy = home(rule, hierarchies)?;
            Some(GroupFile { rule, path: directory(hierarchy, path).join(rule.name), file: None })
        });
        let cpu = hierarchies.iter().find(|hierarchy| mounts(hierarchy, "cpu"));
        let dialect = cpu.or(hierarchies.first()).map_or(Dialect::V2, |found| found.dialect);
        Group {
            id,
            path: path.into(),
            dialect,
            files: files.collect(),
            retry_at_nsec: 0,
            last_cpu: None,
        }
    }

    /// Is this still the group that the launcher means?
    pub(crate) fn is(&self, id: GroupId, path: &str) -> bool {
        self.id == id && self.path == path
    }

    /// Reads every file that exists.
    pub(crate) fn read(&mut self, buffer: &mut Vec<u8>) -> CgroupSample {
        let mut sample = CgroupSample {
            group: self.id,
            path: self.path.clone(),
            dialect: self.dialect,
            cpu_permille: 0,
            cpu_nsec: 0,
            cpu: CpuBandwidth::default(),
            memory_bytes: 0,
            memory_max: None,
            pids: 0,
            pids_max: None,
            files: Vec::with_capacity(self.files.len()),
        };
        let now_nsec = clock::monotonic_nsec();
        let retry = now_nsec >= self.retry_at_nsec;
        if retry {
            self.retry_at_nsec = now_nsec + RETRY_NSEC;
        }
        let mut used = None;
        for file in &mut self.files {
            if file.read(buffer, retry) {
                used = measure(&mut sample, file.rule, buffer).or(used.take());
                sample.files.push(raw(file.rule, buffer, self.id));
            }
        }
        if let Some((cpu_nsec, at_nsec)) = used {
            sample.cpu_nsec = cpu_nsec;
            sample.cpu_permille = self.last_cpu.map_or(0, |(last_nsec, last_at_nsec)| {
                let elapsed_nsec = at_nsec.saturating_sub(last_at_nsec);
                clock::permille(cpu_nsec.saturating_sub(last_nsec), elapsed_nsec)
            });
        }
        self.last_cpu = used;
        sample
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

fn mounts(hierarchy: &ObservedHierarchy, controller: &str) -> bool {
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
