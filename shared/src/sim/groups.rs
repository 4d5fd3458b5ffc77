//! The cgroup tree: directories that are made and removed, files that are read and written, and who
//! is in which group. In v1 a hierarchy for each controller, in v2 one for all.
//!
//! What is not here of a group's files is in [`super::cpu`] and [`super::memory`]: this module turns
//! text into their values and back, with the kernel's own errors.

mod charge;
mod files;
mod members;
mod write;

#[cfg(test)]
mod tests;

use std::collections::BTreeMap;

use super::cpu::{self, CpuMask, Cpus, TaskKey};
use super::errno::Errno;
use super::memory::{AccountKey, Memory, Page};
use super::procs::Proc;
use crate::cgroup::{Controller, ControllerSet, Dialect};

/// Directories of all hierarchies, at most.
pub const GROUPS_MAX: usize = 4_096;
/// The controllers that the model has. In v1 `cpu` and `cpuacct` are mounted together.
const HIERARCHIES_V1: [&[Controller]; 5] = [
    &[Controller::Cpu, Controller::Cpuacct],
    &[Controller::Cpuset],
    &[Controller::Memory],
    &[Controller::Pids],
    &[Controller::Freezer],
];
const UNIFIED: &[Controller] =
    &[Controller::Cpu, Controller::Cpuset, Controller::Memory, Controller::Pids];

/// The key of a directory.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct GroupKey(usize);

/// What `pids` counts.
#[derive(Clone, Copy, Debug, Default)]
struct Pids {
    max: Option<u64>,
    refused: u64,
}

#[derive(Clone, Debug)]
struct Directory {
    hierarchy: usize,
    parent: Option<GroupKey>,
    name: String,
    gone: bool,
    cpu: Option<cpu::Group>,
    account: Option<AccountKey>,
    pids: Pids,
    /// `cpuset.cpus` as it was written; empty in a new v1 group, and in v2 means: as above.
    cpus: Vec<usize>,
    mems: bool,
    frozen: bool,
    oom_group: bool,
    /// v1 shares.
    shares: u64,
    /// `cpu.max` or the two v1 files, in microseconds.
    quota_usec: Option<u64>,
    period_usec: u64,
    burst_usec: u64,
    /// v2: what the children have.
    handed_on: ControllerSet,
    /// v1: two switches that nothing here looks at.
    notify_on_release: bool,
    clone_children: bool,
}

/// A process as the controllers know it.
#[derive(Clone, Debug)]
struct Member {
    /// Its directory in each hierarchy.
    at: Vec<GroupKey>,
    task: Option<TaskKey>,
    /// By a signal.
    stopped: bool,
    /// Bytes of its own memory, by the account that they were charged to.
    charged: Vec<(AccountKey, u64)>,
}

/// All hierarchies.
#[derive(Clone, Debug)]
pub struct Groups {
    dialect: Dialect,
    all: Vec<Directory>,
    members: BTreeMap<Proc, Member>,
    n_cpus: usize,
}

/// What the controllers act on.
pub struct Machine<'a> {
    /// The scheduler.
    pub cpus: &'a mut Cpus,
    /// The memory.
    pub memory: &'a mut Memory,
}

impl Groups {
    /// The root directories.
    pub fn new(dialect: Dialect, machine: &Machine<'_>) -> Self {
        let n_cpus = machine.cpus.n_cpus();
        let mut groups = Groups { dialect, all: Vec::new(), members: BTreeMap::new(), n_cpus };
        for hierarchy in 0..groups.hierarchies().len() {
            let mut root = Directory::new(hierarchy, None, String::new());
            root.cpu = Some(cpu::ROOT).filter(|_| groups.has(hierarchy, Controller::Cpu));
            root.account =
                Some(machine.memory.root()).filter(|_| groups.has(hierarchy, Controller::Memory));
            root.cpus = (0..n_cpus).collect();
            root.mems = true;
            groups.all.push(root);
        }
        groups
    }

    /// Which dialect it speaks.
    pub fn dialect(&self) -> Dialect {
        self.dialect
    }

    /// The controllers of each hierarchy.
    pub fn hierarchies(&self) -> &'static [&'static [Controller]] {
        match self.dialect {
            Dialect::V1 => &HIERARCHIES_V1,
            Dialect::V2 => &[UNIFIED],
        }
    }

    /// The root directory of each hierarchy.
    pub fn roots(&self) -> Vec<GroupKey> {
        (0..self.hierarchies().len()).map(GroupKey).collect()
    }

    /// How many directories a hierarchy has.
    pub fn count_in(&self, hierarchy: usize) -> usize {
        self.all.iter().filter(|it| !it.gone && it.hierarchy == hierarchy).count()
    }

    fn has(&self, hierarchy: usize, controller: Controller) -> bool {
        self.hierarchies()[hierarchy].contains(&controller)
    }

    /// The root directory of a controller's hierarchy.
    pub fn root(&self, controller: Controller) -> Option<GroupKey> {
        (0..self.hierarchies().len()).find(|at| self.has(*at, controller)).map(GroupKey)
    }

    /// The directory of that name in another one.
    pub fn child(&self, parent: GroupKey, name: &str) -> Option<GroupKey> {
        self.children(parent).find(|child| self.all[child.0].name == name)
    }

    /// The directories in a directory, in the order in which they were made.
    pub fn children(&self, parent: GroupKey) -> impl Iterator<Item = GroupKey> {
        let is = move |(_, it): &(usize, &Directory)| !it.gone && it.parent == Some(parent);
        self.all.iter().enumerate().filter(is).map(|(at, _)| GroupKey(at))
    }

    /// A directory's name; empty for a root.
    pub fn name(&self, key: GroupKey) -> &str {
        &self.all[key.0].name
    }

    /// The directory above.
    pub fn parent(&self, key: GroupKey) -> Option<GroupKey> {
        self.all[key.0].parent
    }

    /// Its path below the root, as `/proc/PID/cgroup` has it.
    pub fn path(&self, key: GroupKey) -> String {
        let mut names: Vec<&str> = self.way_up(key).map(|at| self.name(at)).collect();
        names.pop();
        names.reverse();
        format!("/{}", names.join("/"))
    }

    fn way_up(&self, key: GroupKey) -> impl Iterator<Item = GroupKey> {
        std::iter::successors(Some(key), |at| self.parent(*at))
    }

    /// Is a directory another one, or below it?
    pub fn is_below(&self, key: GroupKey, above: GroupKey) -> bool {
        self.way_up(key).any(|at| at == above)
    }

    /// `mkdir(2)`.
    pub fn make(
        &mut self,
        machine: &mut Machine<'_>,
        parent: GroupKey,
        name: &str,
    ) -> Result<GroupKey, Errno> {
        if name.is_empty() || name.contains(['/', '\n']) || name.len() > 255 {
            return Err(Errno::Einval);
        }
        if self.child(parent, name).is_some() || self.files(parent).contains(&name) {
            return Err(Errno::Eexist);
        }
        if self.all.iter().filter(|it| !it.gone).count() >= GROUPS_MAX {
            return Err(Errno::Enospc);
        }
        let above = &self.all[parent.0];
        let mut it = Directory::new(above.hierarchy, Some(parent), name.to_owned());
        // In v2 a group without a controller is a part of the one above for it: so it is given its own,
        // which nobody limits.
        it.cpu = above
            .cpu
            .map(|cpu| machine.cpus.make_group(cpu))
            .transpose()
            .map_err(|_| Errno::Enomem)?;
        it.account = above.account.map(|account| machine.memory.open(account));
        self.all.push(it);
        Ok(GroupKey(self.all.len() - 1))
    }

    /// `rmdir(2)`: nobody in it, and no directory.
    pub fn remove(&mut self, machine: &mut Machine<'_>, key: GroupKey) -> Result<(), Errno> {
        let used = self.members.values().any(|member| member.at.contains(&key));
        if used || self.parent(key).is_none() || self.children(key).next().is_some() {
            return Err(Errno::Ebusy);
        }
        let it = &mut self.all[key.0];
        it.gone = true;
        if let Some(cpu) = it.cpu {
            machine.cpus.remove_group(cpu).map_err(|_| Errno::Ebusy)?;
        }
        if let Some(account) = it.account {
            machine.memory.close(account);
        }
        Ok(())
    }

    /// A process is born where its parent is; `None` is the first one. A limit of `pids` on the way up
    /// refuses it.
    pub fn born(&mut self, proc: Proc, parent: Option<Proc>) -> Result<(), Errno> {
        let at = match parent.and_then(|parent| self.members.get(&parent)) {
            Some(parent) => parent.at.clone(),
            None => (0..self.hierarchies().len()).map(GroupKey).collect(),
        };
        let full = at
            .iter()
            .flat_map(|key| self.way_up(*key))
            .find(|key| self.all[key.0].pids.max.is_some_and(|max| self.count(*key) >= max));
        if let Some(full) = full {
            self.refused(&at, full);
            return Err(Errno::Eagain);
        }
        self.members.insert(proc, Member { at, task: None, stopped: false, charged: Vec::new() });
        Ok(())
    }

    /// v1 counts a birth that was refused where it would have been; v2, since 6.12, at the limit and above.
    fn refused(&mut self, at: &[GroupKey], full: GroupKey) {
        let counts: Vec<GroupKey> = match self.dialect {
            Dialect::V1 => {
                let own = |key: &&GroupKey| self.is_below(**key, full);
                at.iter().find(own).copied().into_iter().collect()
            }
            Dialect::V2 => self.way_up(full).collect(),
        };
        for key in counts {
            self.all[key.0].pids.refused += 1;
        }
    }

    /// A process has ended: its memory is given back.
    pub fn ended(&mut self, machine: &mut Machine<'_>, proc: Proc) {
        if let Some(member) = self.members.remove(&proc) {
            for (account, bytes) in member.charged {
                machine.memory.uncharge(account, Page::Anon, bytes);
            }
            if let Some(task) = member.task {
                // It may have ended there already.
                let _ = machine.cpus.kill(task);
            }
        }
    }

    /// The task that is a process for the scheduler.
    pub fn set_task(&mut self, machine: &mut Machine<'_>, proc: Proc, task: TaskKey) {
        if let Some(member) = self.members.get_mut(&proc) {
            member.task = Some(task);
            self.place(machine, proc);
        }
    }

    /// The directory of a process in one hierarchy.
    pub fn group_of(&self, proc: Proc, hierarchy: usize) -> Option<GroupKey> {
        self.members.get(&proc)?.at.get(hierarchy).copied()
    }

    /// What a directory is for the scheduler; in v1 only one of its hierarchy is anything.
    pub fn cpu(&self, key: GroupKey) -> Option<cpu::Group> {
        self.all[key.0].cpu
    }

    /// What a directory is for the memory.
    pub fn account(&self, key: GroupKey) -> Option<AccountKey> {
        self.all[key.0].account
    }

    /// Who is in a directory, not below it.
    pub fn procs(&self, key: GroupKey) -> impl Iterator<Item = Proc> {
        let inside = move |(_, member): &(&Proc, &Member)| member.at.contains(&key);
        self.members.iter().filter(inside).map(|(proc, _)| *proc)
    }

    fn count(&self, key: GroupKey) -> u64 {
        let inside = |member: &&Member| member.at.iter().any(|at| self.is_below(*at, key));
        self.members.values().filter(inside).count() as u64
    }

    /// Writes a process to `cgroup.procs` or `tasks`.
    pub fn enter(
        &mut self,
        machine: &mut Machine<'_>,
        proc: Proc,
        key: GroupKey,
    ) -> Result<(), Errno> {
        let it = &self.all[key.0];
        let hierarchy = it.hierarchy;
        let is_cpuset = self.has(hierarchy, Controller::Cpuset);
        // A v1 cpuset with nothing in it takes nobody.
        if self.dialect == Dialect::V1 && is_cpuset && (it.cpus.is_empty() || !it.mems) {
            return Err(Errno::Enospc);
        }
        // v2: no processes in a group that hands controllers on, but for the root.
        if self.dialect == Dialect::V2
            && it.parent.is_some()
            && !it.handed_on.is_empty()
            && !self.can_be_thread_root(key)
        {
            return Err(Errno::Ebusy);
        }
        let old = self.group_of(proc, hierarchy).ok_or(Errno::Esrch)?;
        // What it has charged stays charged where it was; what it charges from now on is charged here.
        if old != key
            && let Some(member) = self.members.get_mut(&proc)
        {
            member.at[hierarchy] = key;
        }
        self.place(machine, proc);
        Ok(())
    }

    /// The CPUs that are really there for a group: its own, else those above (v2), never more.
    fn effective_cpus(&self, key: GroupKey) -> Vec<usize> {
        let it = &self.all[key.0];
        let Some(parent) = it.parent else { return it.cpus.clone() };
        let above = self.effective_cpus(parent);
        let own: Vec<usize> = it.cpus.iter().copied().filter(|cpu| above.contains(cpu)).collect();
        if own.is_empty() && self.dialect == Dialect::V2 { above } else { own }
    }
}

impl Directory {
    fn new(hierarchy: usize, parent: Option<GroupKey>, name: String) -> Self {
        Directory {
            hierarchy,
            parent,
            name,
            gone: false,
            cpu: None,
            account: None,
            pids: Pids::default(),
            cpus: Vec::new(),
            mems: false,
            frozen: false,
            oom_group: false,
            shares: cpu::NICE_0_WEIGHT,
            quota_usec: None,
            period_usec: 100_000,
            burst_usec: 0,
            handed_on: ControllerSet::default(),
            notify_on_release: false,
            clone_children: false,
        }
    }
}
