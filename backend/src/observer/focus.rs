//! The groups whose CPU is read some twenty times a second, each through descriptors that are kept.
//!
//! A reading is six reads of cgroup files at most and one a thread, about 0.1 ms; it shares nothing
//! with the samples of whole machines, so that neither waits for the other's steps.

use std::collections::BTreeMap;
use std::os::fd::{AsFd, OwnedFd};
use std::path::PathBuf;

use vitrine_shared::cgroup::{Dialect, FILES, GroupId};
use vitrine_shared::focus::{CPUS, CpuSample, Focus, STEP_MSEC, THREADS, ThreadTime};
use vitrine_shared::limits::FOCUSES;

use super::schedule::step_after;
use super::{clock, file, group, parse};
use crate::ipc::ObservedMachine;

/// How old the list of a group's threads may be.
const LISTING_NSEC: u64 = 250_000_000;
/// Files that are missing are looked for again so often.
const RETRY_NSEC: u64 = 1_000_000_000;
/// A read that took longer than this says too little about when it was: it is done again.
const SLOW_NSEC: u64 = 500_000;
/// Times that a slow read is done again.
const TRIES: u32 = 3;

/// What web wants to be read closely, and what is kept open for it.
#[derive(Debug, Default)]
pub(super) struct Focuses {
    kept: BTreeMap<Focus, Kept>,
    due_nsec: u64,
}

impl Focuses {
    /// Reads this group from now on, or no longer.
    pub(super) fn set(&mut self, focus: Focus, on: bool) {
        if !on {
            self.kept.remove(&focus);
        } else if (self.kept.len() as u64) < FOCUSES.value {
            self.kept.entry(focus).or_default();
        }
    }

    /// Forgets everything.
    pub(super) fn clear(&mut self) {
        self.kept.clear();
    }

    /// The moment of the next reading.
    pub(super) fn next_nsec(&self) -> Option<u64> {
        (!self.kept.is_empty()).then_some(self.due_nsec)
    }

    /// Reads all groups, when it is time now; `machine` knows the machines.
    pub(super) fn read_due<'a>(
        &mut self,
        now_nsec: u64,
        proc: &impl AsFd,
        machine: impl Fn(Focus) -> Option<&'a ObservedMachine>,
        buffer: &mut Vec<u8>,
    ) -> Vec<CpuSample> {
        if self.kept.is_empty() || now_nsec < self.due_nsec {
            return Vec::new();
        }
        self.due_nsec = step_after(STEP_MSEC * 1_000_000, now_nsec);
        let read = |(focus, kept): (&Focus, &mut Kept)| {
            kept.read(*focus, proc.as_fd(), machine(*focus), buffer)
        };
        self.kept.iter_mut().filter_map(read).collect()
    }
}

/// One group's files and threads.
#[derive(Debug, Default)]
struct Kept {
    path: String,
    files: Vec<(What, OwnedFd)>,
    /// Where its threads are listed.
    tasks: Option<PathBuf>,
    retry_at_nsec: u64,
    threads: Vec<(u32, OwnedFd)>,
    n_threads: usize,
    listed_at_nsec: u64,
}

/// What a file says.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum What {
    Usage,
    UsageOfEachCpu,
    Stat,
    Quota,
    Period,
    QuotaAndPeriod,
    Burst,
}

/// The files, in the order in which they are read: CPU time and counters close to each other.
const NAMES: [(&str, What); 7] = [
    ("cpuacct.usage", What::Usage),
    ("cpu.stat", What::Stat),
    ("cpu.cfs_quota_us", What::Quota),
    ("cpu.cfs_period_us", What::Period),
    ("cpu.cfs_burst_us", What::Burst),
    ("cpu.max", What::QuotaAndPeriod),
    ("cpu.max.burst", What::Burst),
];

impl Kept {
    /// `None` while there is no such group, or nothing that counts its CPU time.
    fn read(
        &mut self,
        focus: Focus,
        proc: impl AsFd,
        machine: Option<&ObservedMachine>,
        buffer: &mut Vec<u8>,
    ) -> Option<CpuSample> {
        let Some((machine, path)) = machine.and_then(|machine| {
            let known = machine.groups.iter().find(|(group, _)| *group == focus.group);
            let path = match (known, focus.group) {
                (Some((_, path)), _) => path.clone(),
                // A name of a path that somebody made never leads up.
                (None, GroupId::Made(path)) => format!("root/{path}"),
                (None, _) => return None,
            };
            Some((machine, path))
        }) else {
            *self = Kept::default();
            return None;
        };
        let now_nsec = clock::monotonic_nsec();
        if path != self.path {
            *self = Kept { path, ..Kept::default() };
        }
        if self.files.is_empty() {
            if now_nsec < self.retry_at_nsec {
                return None;
            }
            self.retry_at_nsec = now_nsec + RETRY_NSEC;
            self.open(machine);
        }
        let sample = self.counters(focus, buffer);
        if sample.is_none() {
            // ENODEV: the group was removed. The name may come back as another group.
            self.files.clear();
        }
        let mut sample = sample?;
        if now_nsec.saturating_sub(self.listed_at_nsec) >= LISTING_NSEC {
            self.listed_at_nsec = now_nsec;
            self.list_threads(&proc, buffer);
        }
        sample.n_threads = u32::try_from(self.n_threads).unwrap_or(u32::MAX);
        sample.threads = self.read_threads(buffer);
        Some(sample)
    }

    fn open(&mut self, machine: &ObservedMachine) {
        let hierarchies = &machine.hierarchies;
        // `cpu.stat` has a rule in each dialect; the hierarchy has one of them.
        let rules = NAMES.iter().flat_map(|(name, what)| {
            FILES.iter().filter(move |rule| rule.name == *name).map(move |rule| (rule, *what))
        });
        for (rule, what) in rules {
            let Some(home) = group::home(rule, hierarchies) else { continue };
            let directory = group::directory(home, &self.path);
            if let Ok(file) = file::open(&directory.join(rule.name)) {
                self.files.push((what, file));
            }
            if what == What::Usage
                && let Ok(file) = file::open(&directory.join("cpuacct.usage_percpu"))
            {
                self.files.push((What::UsageOfEachCpu, file));
            }
        }
        self.tasks = group::membership(hierarchies).map(|hierarchy| {
            let name = match hierarchy.dialect {
                Dialect::V1 => "tasks",
                Dialect::V2 => "cgroup.threads",
            };
            group::directory(hierarchy, &self.path).join(name)
        });
    }

    fn counters(&self, focus: Focus, buffer: &mut Vec<u8>) -> Option<CpuSample> {
        let mut sample = CpuSample::new(focus, 0);
        for (what, file) in &self.files {
            let at_nsec = read_timed(file, buffer)?;
            match what {
                What::Usage => {
                    sample.usage_nsec = parse::value(buffer)?;
                    sample.at_nsec = at_nsec;
                }
                What::UsageOfEachCpu => sample.cpus_nsec = parse::values(buffer, CPUS),
                What::Stat => {
                    let stat = parse::cpu_stat(buffer);
                    sample.nr_periods = stat.nr_periods;
                    sample.nr_throttled = stat.nr_throttled;
                    sample.throttled_usec = stat.throttled_usec;
                    sample.nr_bursts = stat.nr_bursts;
                    sample.burst_used_usec = stat.burst_usec;
                    if let Some(usage_nsec) = stat.usage_nsec {
                        sample.usage_nsec = usage_nsec;
                        sample.at_nsec = at_nsec;
                    }
                }
                What::Quota => sample.quota_usec = parse::limit(buffer),
                What::Period => sample.period_usec = parse::value(buffer)?,
                What::QuotaAndPeriod => {
                    (sample.quota_usec, sample.period_usec) = parse::cpu_max(buffer)?;
                }
                What::Burst => sample.burst_usec = parse::value(buffer)?,
            }
        }
        (sample.at_nsec > 0).then_some(sample)
    }

    /// The list is opened anew each time: v1 keeps that of an open file for a second.
    fn list_threads(&mut self, proc: impl AsFd, buffer: &mut Vec<u8>) {
        let mut old = std::mem::take(&mut self.threads);
        self.n_threads = 0;
        let Some(tasks) = self.tasks.as_ref().and_then(|path| file::open(path).ok()) else {
            return;
        };
        if file::read_list(&tasks, buffer).is_err() {
            return;
        }
        for tid in parse::procs(buffer) {
            self.n_threads += 1;
            if self.threads.len() >= THREADS {
                continue;
            }
            let file = match old.iter().position(|(known, _)| *known == tid) {
                Some(at) => Some(old.swap_remove(at).1),
                None => open_schedstat(&proc, tid),
            };
            self.threads.extend(file.map(|file| (tid, file)));
        }
    }

    /// A thread that has ended is left out, and looked for in the next list.
    fn read_threads(&mut self, buffer: &mut Vec<u8>) -> Vec<ThreadTime> {
        let mut times = Vec::with_capacity(self.threads.len());
        self.threads.retain(|(tid, file)| {
            let read = file::read_page(file, buffer).ok().and_then(|()| parse::schedstat(buffer));
            let time =
                read.map(|(run_nsec, wait_nsec)| ThreadTime { tid: *tid, run_nsec, wait_nsec });
            times.extend(time);
            time.is_some()
        });
        times
    }
}

fn open_schedstat(proc: impl AsFd, tid: u32) -> Option<OwnedFd> {
    let name = std::ffi::CString::new(tid.to_string()).ok()?;
    let directory = file::enter_in(proc, &name).ok()?;
    file::open_in(directory, c"schedstat").ok()
}

/// Reads a file; gives the middle of the time that took.
fn read_timed(file: impl AsFd, buffer: &mut Vec<u8>) -> Option<u64> {
    for attempt in 1.. {
        let before_nsec = clock::monotonic_nsec();
        file::read_page(&file, buffer).ok()?;
        let took_nsec = clock::monotonic_nsec().saturating_sub(before_nsec);
        if took_nsec < SLOW_NSEC || attempt >= TRIES {
            return Some(before_nsec + took_nsec / 2);
        }
    }
    None
}

#[cfg(test)]
#[path = "tests/focus.rs"]
mod tests;
