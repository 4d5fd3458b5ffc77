//! Reads machines: from what the launcher said of them to samples, with no channel in between.

mod watched;

use std::cell::Cell;
use std::collections::{BTreeMap, HashMap};
use std::io;
use std::os::fd::OwnedFd;
use std::path::Path;

use nix::dir::Dir;
use vitrine_shared::cgroup::{CgroupSample, Controller, GroupId};
use vitrine_shared::focus::CpuSample;
use vitrine_shared::id::{ContainerId, MachineId};
use vitrine_shared::message::Sample;
use vitrine_shared::uses::UseSample;

use super::clock::{self, CpuClock};
use super::command_line::CommandLines;
use super::discover::Scene;
use super::file::{self, Ledger};
use super::focus::Focuses;
use super::group::{self, Depth, Group};
use super::made::Made;
use super::oom::{Killed, OomWatch};
use super::parse;
use super::process::{Means, Processes};
use super::roots::{self, OwnIds, Roots};
use super::standing::Standings;
use super::throttle::ThrottleWatch;
use super::uses::Uses;
use crate::ipc::ObservedMachine;

/// How old the number of all processes may be.
const LISTING_NSEC: u64 = 450_000_000;
/// Most processes of one machine that are read.
const MAX_PROCESSES: usize = 4_096;
/// Groups that somebody made whose limits are read again in one tick: some 100 µs each.
const SETTINGS_READ: usize = 16;
/// Most machines of which raw files are asked for: web cannot make this table grow for ever.
const MAX_SHOWN: usize = 1_024;

/// Everything that is known and kept open.
#[derive(Debug)]
pub struct Reader {
    means: Means,
    listing: Dir,
    listed_at_nsec: Option<u64>,
    machines: BTreeMap<MachineId, Machine>,
    roots: Roots,
    /// Of the groups that somebody made, those whose raw files are looked at. By machine, and known
    /// or not: web and the launcher speak on lines of their own.
    shown: BTreeMap<MachineId, Vec<GroupId>>,
    buffer: Vec<u8>,
}

#[derive(Debug)]
struct Machine {
    observed: ObservedMachine,
    groups: Vec<Group>,
    /// Which groups somebody made below its root, and what is kept of them.
    made: Made,
    made_groups: Vec<Group>,
    /// The one whose limits are read next.
    turn: usize,
    standings: Standings,
    processes: Processes,
    oom: OomWatch,
    throttle: ThrottleWatch,
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
            means: Means {
                proc,
                cpu_clock,
                commands: CommandLines::new(),
                ledger,
                own_ids,
                kernel: Cell::default(),
            },
            listing,
            listed_at_nsec: None,
            machines: BTreeMap::new(),
            roots: Roots::default(),
            shown: BTreeMap::new(),
            buffer,
        })
    }

    /// Takes a machine as it is now; gives what was killed for memory until then, while the
    /// counters of groups that are going away may still be read.
    pub fn machine(&mut self, observed: ObservedMachine) -> Vec<Killed> {
        let Some(machine) = self.machines.get_mut(&observed.machine) else {
            let mut oom = OomWatch::default();
            oom.follow(&observed);
            oom.check(&mut self.buffer);
            let mut machine = Machine::new(observed, oom);
            machine.throttle.follow(&machine.observed);
            self.machines.insert(machine.observed.machine, machine);
            return Vec::new();
        };
        let mut killed = machine.oom.check(&mut self.buffer);
        if machine.observed.hierarchies != observed.hierarchies {
            machine.groups.clear();
            machine.made_groups.clear();
            machine.oom = OomWatch::default();
            machine.throttle = ThrottleWatch::default();
        }
        machine.throttle.follow(&observed);
        machine.oom.follow(&observed);
        machine.observed = observed;
        killed.extend(machine.oom.check(&mut self.buffer));
        killed
    }

    /// Forgets a machine; gives what was last killed for memory in it.
    pub fn gone(&mut self, machine: MachineId) -> Vec<Killed> {
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
                machine.made = Made::default();
                machine.made_groups = Vec::new();
                machine.standings = Standings::default();
                machine.processes = Processes::default();
                machine.others = None;
            }
        }
    }

    /// Sends the raw files of these groups that somebody made in a machine.
    pub(super) fn show_files(&mut self, machine: MachineId, groups: Vec<GroupId>) {
        if groups.is_empty() {
            self.shown.remove(&machine);
        } else if self.shown.len() < MAX_SHOWN || self.shown.contains_key(&machine) {
            self.shown.insert(machine, groups);
        }
    }

    /// Forgets what web asked for.
    pub(super) fn show_no_files(&mut self) {
        self.shown.clear();
    }

    /// Reads the groups that are looked at closely, when it is time.
    pub(super) fn cpu_samples(&mut self, focuses: &mut Focuses) -> Vec<CpuSample> {
        let Reader { means, machines, buffer, .. } = self;
        let machine = |focus: vitrine_shared::focus::Focus| {
            machines.get(&focus.machine).map(|machine| &machine.observed)
        };
        focuses.read_due(clock::monotonic_nsec(), &means.proc, machine, buffer)
    }

    /// Reads what else the groups in focus use, when it is time.
    pub(super) fn use_samples(&mut self, uses: &mut Uses) -> Vec<UseSample> {
        let Reader { machines, buffer, .. } = self;
        let machine = |focus: vitrine_shared::focus::Focus| {
            machines.get(&focus.machine).map(|machine| &machine.observed)
        };
        uses.read_due(clock::monotonic_nsec(), machine, buffer)
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
                let shown = self.shown.get(id).map_or(&[][..], Vec::as_slice);
                let (roots, buffer) = (&self.roots, &mut self.buffer);
                samples.push(machine.sample(&self.means, roots, shown, n_processes, buffer));
            }
        }
        self.means.commands.supervise();
        samples
    }
}

impl Machine {
    fn new(observed: ObservedMachine, oom: OomWatch) -> Self {
        Machine {
            observed,
            groups: Vec::new(),
            made: Made::default(),
            made_groups: Vec::new(),
            turn: 0,
            standings: Standings::default(),
            processes: Processes::default(),
            oom,
            throttle: ThrottleWatch::default(),
            others: None,
        }
    }

    fn sample(
        &mut self,
        means: &Means,
        roots: &Roots,
        shown: &[GroupId],
        n_processes: Option<usize>,
        buffer: &mut Vec<u8>,
    ) -> Sample {
        self.match_groups();
        let made = self.read_made(means, shown, buffer);
        let members = match self.observed.hierarchies.is_empty() {
            true => roots.members(&self.observed),
            false => self.members(&made, buffer),
        };
        let processes = self.processes.read(means, &members, self.observed.uid_base);
        let mut groups: Vec<_> = self.groups.iter_mut().map(|group| group.read(buffer)).collect();
        groups.extend(made);
        if self.observed.hierarchies.is_empty() {
            roots::measure(&mut groups, &processes);
        } else {
            let pids: Vec<u32> = members.iter().map(|(pid, _)| *pid).collect();
            self.standings.ask(&means.proc, &self.observed, &pids, buffer);
            let mut standing = self.standings.members();
            for group in &mut groups {
                group.members = standing.remove(group.path.as_str()).unwrap_or_default();
            }
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
            more_groups: self.made.more,
            other_processes: self.others.unwrap_or(0),
        }
    }

    /// The groups that somebody made: their rows, the limits of some of them in turn, and the raw
    /// files of those that somebody looks at.
    fn read_made(
        &mut self,
        means: &Means,
        shown: &[GroupId],
        buffer: &mut Vec<u8>,
    ) -> Vec<CgroupSample> {
        if self.made.look(&self.observed) {
            let mut old: HashMap<GroupId, Group> =
                self.made_groups.drain(..).map(|group| (group.id(), group)).collect();
            let hierarchies = &self.observed.hierarchies;
            for (path, directories) in &self.made.found {
                let known = old.remove(&GroupId::Made(*path));
                let known = known.filter(|group| group.is_in(directories));
                self.made_groups.push(known.unwrap_or_else(|| {
                    Group::made(*path, directories, hierarchies, &means.ledger)
                }));
            }
        }
        let count = self.made_groups.len();
        let begin = if self.turn < count { self.turn } else { 0 };
        self.turn = begin + SETTINGS_READ;
        let turn = begin..self.turn;
        let read = |(i, group): (usize, &mut Group)| {
            let depth = match shown.contains(&group.id()) {
                true => Depth::Whole,
                false => Depth::Row { settings: turn.contains(&i) },
            };
            group.read_to(depth, buffer)
        };
        self.made_groups.iter_mut().enumerate().map(read).collect()
    }

    /// Host PIDs of the machine's processes in order, each with its container.
    fn members(
        &self,
        made: &[CgroupSample],
        buffer: &mut Vec<u8>,
    ) -> Vec<(u32, Option<ContainerId>)> {
        // Where the kernel counts them, empty groups are passed over: there can be many. It counts
        // in a v2 group only when the one above hands `pids` on.
        let hierarchy = group::membership(&self.observed.hierarchies);
        let counts = hierarchy.is_some_and(|hierarchy| group::mounts(hierarchy, "pids"));
        let groups = made.iter().zip(&self.made_groups);
        let has_some = |(sample, group): &(&CgroupSample, &Group)| {
            let is_empty = sample.available.has(Controller::Pids) && sample.pids == 0;
            !counts || (group.has(Controller::Pids) && !is_empty)
        };
        let paths = groups.filter(has_some).map(|(sample, _)| sample.path.as_str());
        members_in(&self.observed, paths, buffer)
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

/// The same, for those who look once: whoever is in a group that somebody made is found by a walk.
pub(super) fn members(
    machine: &ObservedMachine,
    buffer: &mut Vec<u8>,
) -> Vec<(u32, Option<ContainerId>)> {
    let mut made = Made::default();
    made.look(machine);
    let paths: Vec<String> = made.found.keys().map(|path| format!("root/{path}")).collect();
    members_in(machine, paths.iter().map(String::as_str), buffer)
}

/// The processes of the machine's groups, and of these that somebody made.
///
/// `cgroup.procs` is opened anew each time: v1 keeps the list of an open file for a second after
/// the last read, so that a kept one that is read often never changes.
fn members_in<'a>(
    machine: &ObservedMachine,
    made: impl Iterator<Item = &'a str>,
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
            GroupId::Cap | GroupId::Root | GroupId::Shell | GroupId::Made(_) => None,
        };
        read(path, container);
    }
    made.for_each(|path| read(path, None));
    members.into_iter().take(MAX_PROCESSES).collect()
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
