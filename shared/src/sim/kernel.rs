//! The simulated machine as a whole: processes with their programs, groups, CPUs, memory, and one tree
//! of files through which all of it is read and written.
//!
//! Every call takes the process that asks, as a system call does, and fails with the kernel's error.

mod files;
mod life;
mod mounts;
mod of_cgroup;
mod of_machine;
mod of_proc;
mod outside;
mod tree;

#[cfg(test)]
mod tests;

use std::collections::BTreeMap;

use super::cpu::{Cpus, Hardware, TaskKey};
use super::errno::Errno;
use super::groups::{Groups, Machine};
use super::memory::Memory;
use super::procs::{Proc, Procs, Signal, SpaceKey};
use crate::cgroup::Dialect;
use crate::namespace::Namespace;

pub use files::{Entry, Kind};
pub use mounts::{Mount, MountWhat};
use tree::Tree;

/// What machine is simulated.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Setup {
    /// Its CPUs, and the seed of what is drawn.
    pub hardware: Hardware,
    /// Bytes of memory.
    pub memory_bytes: u64,
    /// Bytes of swap.
    pub swap_bytes: u64,
    /// How groups are mounted.
    pub dialect: Dialect,
}

impl Default for Setup {
    fn default() -> Self {
        Setup {
            hardware: Hardware::default(),
            memory_bytes: 4 << 30,
            swap_bytes: 0,
            dialect: Dialect::V1,
        }
    }
}

/// What a process is besides its place among others.
#[derive(Clone, Debug)]
struct About {
    argv: Vec<String>,
    /// `/proc/PID/comm`.
    name: String,
    started_nsec: u64,
    task: Option<TaskKey>,
    /// Its root directory in its mount namespace, without a slash at the end: empty for `/`.
    root: String,
    /// The directory it is in, seen from its root.
    cwd: String,
    /// Handed on to children, so that all that a command has started can be found (`setsid(2)`).
    session: u32,
}

/// The machine.
#[derive(Clone, Debug)]
pub struct Kernel {
    setup: Setup,
    cpus: Cpus,
    memory: Memory,
    procs: Procs,
    groups: Groups,
    about: BTreeMap<Proc, About>,
    /// The mounts of each mount namespace, the oldest first.
    mounts: BTreeMap<SpaceKey, Vec<Mount>>,
    trees: Vec<Tree>,
    /// Signals for those who are frozen: from whom, to whom.
    pending: Vec<(Proc, Proc, Signal)>,
    /// Where each cgroup namespace has its root, by hierarchy.
    cgroup_roots: BTreeMap<SpaceKey, Vec<super::groups::GroupKey>>,
}

impl Kernel {
    /// A machine that has started: one process, the usual mounts.
    pub fn new(setup: Setup) -> Self {
        let mut cpus = Cpus::new(setup.hardware);
        let mut memory = Memory::new(setup.memory_bytes, setup.swap_bytes);
        let groups = Groups::new(setup.dialect, &Machine { cpus: &mut cpus, memory: &mut memory });
        let mut kernel = Kernel {
            setup,
            cpus,
            memory,
            procs: Procs::new(),
            groups,
            about: BTreeMap::new(),
            mounts: BTreeMap::new(),
            trees: vec![Tree::of_a_machine()],
            pending: Vec::new(),
            cgroup_roots: BTreeMap::new(),
        };
        kernel.boot();
        kernel
    }

    /// The first process.
    pub fn init(&self) -> Proc {
        self.procs.init()
    }

    /// Processes and namespaces, to look at.
    pub fn procs(&self) -> &Procs {
        &self.procs
    }

    /// Groups, to look at.
    pub fn groups(&self) -> &Groups {
        &self.groups
    }

    /// What machine it is.
    pub fn setup(&self) -> Setup {
        self.setup
    }

    /// Nanoseconds since it started.
    pub fn now_nsec(&self) -> u64 {
        self.cpus.now_nsec()
    }

    /// A hash of who ran where and when: the same for the same inputs, on every platform.
    pub fn trace_hash(&self) -> u64 {
        self.cpus.trace_hash()
    }

    /// The command line of a process; empty when it has gone.
    pub fn argv(&self, proc: Proc) -> &[String] {
        self.about.get(&proc).map_or(&[], |about| &about.argv)
    }

    /// Its name (`comm`).
    pub fn name(&self, proc: Proc) -> &str {
        self.about.get(&proc).map_or("", |about| &about.name)
    }

    /// CPU time that it has used.
    pub fn used_nsec(&self, proc: Proc) -> u64 {
        let task = self.about.get(&proc).and_then(|about| about.task);
        task.and_then(|task| self.cpus.used_nsec(task).ok()).unwrap_or(0)
    }

    /// Nanoseconds from the machine's start to the process's.
    pub fn started_nsec(&self, proc: Proc) -> u64 {
        self.about.get(&proc).map_or(0, |about| about.started_nsec)
    }

    /// Bytes of its own memory.
    pub fn anon_bytes(&self, proc: Proc) -> u64 {
        self.groups.anon_of(proc)
    }

    /// The CPUs of the machine.
    pub fn n_cpus(&self) -> usize {
        self.cpus.n_cpus()
    }

    /// On how many of them a process may run.
    pub fn cpus_allowed(&self, proc: Proc) -> usize {
        self.groups.cpus_allowed(proc)
    }

    /// `sethostname(2)`.
    pub fn set_hostname(&mut self, proc: Proc, name: &str) -> Result<(), Errno> {
        self.procs.set_hostname(proc, name)
    }

    /// A process's user id in its own user namespace.
    pub fn uid_inside(&self, proc: Proc) -> u32 {
        let own = self.procs.space_of(proc, Namespace::User);
        own.map_or(super::procs::OVERFLOW_ID, |own| self.procs.uid_in(proc, own))
    }

    /// Writes the map of a process's own new user namespace.
    pub fn map_own(&mut self, proc: Proc, map: &[super::procs::IdRange]) -> Result<(), Errno> {
        let user = self.space(proc, Namespace::User)?;
        self.procs.write_id_map(proc, user, map)
    }

    fn machine(&mut self) -> (&mut Groups, Machine<'_>) {
        (&mut self.groups, Machine { cpus: &mut self.cpus, memory: &mut self.memory })
    }

    fn about(&self, proc: Proc) -> Result<&About, Errno> {
        self.about.get(&proc).ok_or(Errno::Esrch)
    }

    fn space(&self, proc: Proc, kind: Namespace) -> Result<SpaceKey, Errno> {
        self.procs.space_of(proc, kind).ok_or(Errno::Esrch)
    }
}
