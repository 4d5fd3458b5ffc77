//! Reads machines: from what the launcher said of them to samples, with no channel in between.

use std::collections::BTreeMap;
use std::io;
use std::os::fd::OwnedFd;
use std::path::Path;

use nix::dir::Dir;
use vitrine_shared::cgroup::GroupId;
use vitrine_shared::focus::CpuSample;
use vitrine_shared::id::{ContainerId, MachineId};
use vitrine_shared::message::Sample;

use super::clock::{self, CpuClock};
use super::command_line::CommandLines;
use super::discover::Scene;
use super::file::{self, Ledger};
use super::focus::Focuses;
use super::group::{self, Group};
use super::oom::OomWatch;
use super::parse;
use super::process::{Means, Processes};
use super::roots::{self, OwnIds, Roots};
use crate::ipc::{ObservedHierarchy, ObservedMachine};

/// How old the number of all processes may be.
const LISTING_NSEC: u64 = 450_000_000;
/// Most processes of one machine that are read.
const MAX_PROCESSES: usize = 4_096;
/// Groups of a machine's owner that are looked at; the machine has room for more.
const MAX_OWNERS_GROUPS: usize = 256;

/// Everything that is known and kept open.
#[derive(Debug)]
pub struct Reader {
    means: Means,
    listing: Dir,
    listed_at_nsec: Option<u64>,
    machines: BTreeMap<MachineId, Machine>,
    roots: Roots,
    buffer: Vec<u8>,
}

#[derive(Debug)]
struct Machine {
    observed: ObservedMachine,
    groups: Vec<Group>,
    processes: Processes,
    oom: OomWatch,
    /// Processes that are not this machine's; kept between two listings, because a new number of
    /// ours and an old number of all give a wrong difference.
    others: Option<u32>,
}

impl Reader {
    /// A reader of this `/proc`; the cgroup directories come with each machine.
    pub fn new(proc: &Path) -> io::Result<Self> {
        let ledger = Ledger::of_this_process();
        Reader::with(proc, clock::process_cpu_nsec, ledger)
    }

    pub(super) fn with(proc: &Path, cpu_clock: CpuClock, ledger: Ledger) -> io::Result<Self> {
        let listing = Dir::from_fd(file::open_directory(proc)?)?;
        let proc: OwnedFd = file::open_directory(proc)?;
        let mut buffer = Vec::new();
        let own_ids = OwnIds::read(&proc, &mut buffer);
        Ok(Reader {
            means: Means { proc, cpu_clock, commands: CommandLines::new(), ledger, own_ids },
            listing,
            listed_at_nsec: None,
            machines: BTreeMap::new(),
            roots: Roots::default(),
            buffer,
        })
    }

    /// Takes a machine as it is now; gives what was killed for memory until then, while the
    /// counters of groups that are going away may still be read.
    pub fn machine(&mut self, observed: ObservedMachine) -> Vec<GroupId> {
        let Some(machine) = self.machines.get_mut(&observed.machine) else {
            let mut oom = OomWatch::default();
            oom.follow(&observed);
            oom.check(&mut self.buffer);
            let (groups, processes) = (Vec::new(), Processes::default());
            let id = observed.machine;
            self.machines.insert(id, Machine { observed, groups, processes, oom, others: None });
            return Vec::new();
        };
        let mut killed = machine.oom.check(&mut self.buffer);
        if machine.observed.hierarchies != observed.hierarchies {
            machine.groups.clear();
            machine.oom = OomWatch::default();
        }
        machine.oom.follow(&observed);
        machine.observed = observed;
        killed.extend(machine.oom.check(&mut self.buffer));
        killed
    }

    /// Forgets a machine; gives what was last killed for memory in it.
    pub fn gone(&mut self, machine: MachineId) -> Vec<GroupId> {
        let gone = self.machines.remove(&machine);
        gone.map(|mut gone| gone.oom.check(&mut self.buffer)).unwrap_or_default()
    }

    /// What it takes to look at a machine's namespaces elsewhere.
    pub(super) fn scene(&self, machine: MachineId) -> Option<Scene> {
        let machine = self.machines.get(&machine)?.observed.clone();
        let proc = self.means.proc.try_clone().ok()?;
        Some(Scene { proc, own_ids: self.means.own_ids.clone(), machine })
    }

    /// Closes what was kept open for machines that nobody looks at.
    pub fn release(&mut self, is_watched: impl Fn(MachineId) -> bool) {
        for (&id, machine) in &mut self.machines {
            if !is_watched(id) {
                machine.groups = Vec::new();
                machine.processes = Processes::default();
                machine.others = None;
            }
        }
    }

    /// What was killed for memory since the last look, in all machines.
    pub fn oom_kills(&mut self) -> Vec<(MachineId, GroupId)> {
        let mut kills = Vec::new();
        for (&id, machine) in &mut self.machines {
            let killed = machine.oom.check(&mut self.buffer);
            kills.extend(killed.into_iter().map(|group| (id, group)));
        }
        kills
    }

    /// Reads the groups that are looked at closely, when it is time.
    pub(super) fn cpu_samples(&mut self, focuses: &mut Focuses) -> Vec<CpuSample> {
        let Reader { means, machines, buffer, .. } = self;
        let machine = |focus: vitrine_shared::focus::Focus| {
            machines.get(&focus.machine).map(|machine| &machine.observed)
        };
        focuses.read_due(&means.proc, machine, buffer)
    }

    /// How many processes the whole host has, when it is time to count them again.
    fn list_processes(&mut self, machines: &[MachineId]) -> Option<usize> {
        let now_nsec = clock::monotonic_nsec();
        let is_new = |id| self.machines.get(id).is_some_and(|machine| machine.others.is_none());
        let is_fresh = |at_nsec| now_nsec.saturating_sub(at_nsec) < LISTING_NSEC;
        if self.listed_at_nsec.is_some_and(is_fresh) && !machines.iter().any(is_new) {
            return None;
        }
        self.listed_at_nsec = Some(now_nsec);
        Some(count_processes(&mut self.listing))
    }

    /// Who has which root, when one of these machines has no cgroup.
    fn look_at_roots(&mut self, machines: &[MachineId]) {
        let wanted = machines.iter().filter_map(|id| self.machines.get(id));
        let without = wanted.map(|machine| &machine.observed);
        let without = without.filter(|machine| machine.hierarchies.is_empty());
        if without.clone().next().is_some() {
            let now_nsec = clock::monotonic_nsec();
            let (proc, listing) = (&self.means.proc, &mut self.listing);
            self.roots.look(proc, listing, without, now_nsec, &mut self.buffer);
        }
    }

    /// Reads these machines, those of them that are known.
    pub fn sample(&mut self, machines: &[MachineId]) -> Vec<Sample> {
        let n_processes = self.list_processes(machines);
        self.look_at_roots(machines);
        let mut samples = Vec::with_capacity(machines.len());
        for id in machines {
            if let Some(machine) = self.machines.get_mut(id) {
                let members = match machine.observed.hierarchies.is_empty() {
                    true => self.roots.members(&machine.observed),
                    false => members(&machine.observed, &mut self.buffer),
                };
                samples.push(machine.sample(&self.means, n_processes, &members, &mut self.buffer));
            }
        }
        self.means.commands.supervise();
        samples
    }
}

impl Machine {
    fn sample(
        &mut self,
        means: &Means,
        n_processes: Option<usize>,
        members: &[(u32, Option<ContainerId>)],
        buffer: &mut Vec<u8>,
    ) -> Sample {
        let processes = self.processes.read(means, members, self.observed.uid_base);
        self.match_groups();
        let mut groups: Vec<_> = self.groups.iter_mut().map(|group| group.read(buffer)).collect();
        if self.observed.hierarchies.is_empty() {
            roots::measure(&mut groups, &processes);
        }
        if let Some(n_processes) = n_processes {
            let others = n_processes.saturating_sub(processes.len());
            self.others = Some(u32::try_from(others).unwrap_or(u32::MAX));
        }
        Sample {
            machine: self.observed.machine,
            at_msec: clock::monotonic_nsec() / 1_000_000,
            processes,
            groups,
            other_processes: self.others.unwrap_or(0),
        }
    }

    /// Keeps the groups that are still meant, opens the new ones, drops the others.
    fn match_groups(&mut self) {
        let mut old = std::mem::take(&mut self.groups);
        for (id, path) in &self.observed.groups {
            let group = match old.iter().position(|group| group.is(*id, path)) {
                Some(at) => old.swap_remove(at),
                None => Group::new(*id, path, &self.observed.hierarchies),
            };
            self.groups.push(group);
        }
    }
}

/// Host PIDs of the machine's processes in order, each with its container.
///
/// `cgroup.procs` is opened anew each time: v1 keeps the list of an open file for a second after
/// the last read, so that a kept one that is read often never changes.
pub(super) fn members(
    machine: &ObservedMachine,
    buffer: &mut Vec<u8>,
) -> Vec<(u32, Option<ContainerId>)> {
    let Some(hierarchy) = group::membership(&machine.hierarchies) else { return Vec::new() };
    let mut members = BTreeMap::new();
    let mut read = |path: &str, container: Option<ContainerId>| {
        let procs = group::directory(hierarchy, path).join("cgroup.procs");
        let Ok(file) = file::open(&procs) else { return };
        if file::read_list(&file, buffer).is_ok() {
            // A process that moves down meanwhile is met twice; the deeper group is where it is
            // now.
            members.extend(parse::procs(buffer).map(|pid| (pid, container)));
        }
    };
    for (group, path) in &machine.groups {
        let container = match group {
            GroupId::Container(id) => Some(*id),
            GroupId::Cap | GroupId::Root | GroupId::Shell => None,
        };
        read(path, container);
    }
    if machine.delegated {
        for path in owners_groups(machine, hierarchy) {
            read(&path, None);
        }
    }
    members.into_iter().take(MAX_PROCESSES).collect()
}

/// The groups that a machine's owner has made below its root, as many as can be looked at in a
/// tick.
fn owners_groups(machine: &ObservedMachine, hierarchy: &ObservedHierarchy) -> Vec<String> {
    let is_ours = |path: &String| machine.groups.iter().any(|(_, ours)| ours == path);
    let mut found: Vec<String> = vec!["root".into()];
    let mut at = 0;
    while at < found.len() && found.len() < MAX_OWNERS_GROUPS {
        let dir = group::directory(hierarchy, &found[at]);
        let entries = std::fs::read_dir(dir).into_iter().flatten().flatten();
        let is_group = |entry: &std::fs::DirEntry| entry.file_type().is_ok_and(|t| t.is_dir());
        let names = entries.filter(is_group).filter_map(|e| e.file_name().into_string().ok());
        let below: Vec<_> = names.map(|name| format!("{}/{name}", found[at])).collect();
        // Nobody but the launcher makes groups in a container's.
        let is_container = |path: &String| is_ours(path) && path != "root/shell";
        let room = MAX_OWNERS_GROUPS - found.len();
        found.extend(below.into_iter().filter(|path| !is_container(path)).take(room));
        at += 1;
    }
    found.retain(|path| !is_ours(path));
    found
}

/// How many processes the whole host has.
fn count_processes(proc: &mut Dir) -> usize {
    let is_process = |name: &[u8]| name.first().is_some_and(u8::is_ascii_digit);
    proc.iter().flatten().filter(|entry| is_process(entry.file_name().to_bytes())).count()
}

#[cfg(test)]
#[path = "tests/live.rs"]
mod live;
#[cfg(test)]
#[path = "tests/reader.rs"]
mod tests;
