//! What somebody does to the machine who is no process of it: the launcher and the observer of a
//! simulated server. What they may do, the host's root may.

use super::mounts::MountWhat;
use super::tree::Tree;
use super::{Errno, Kernel, Mount, Namespace, Proc};
use crate::cgroup::Dialect;
use crate::sim::cpu::Stat;
use crate::sim::groups::GroupKey;
use crate::sim::memory::Charged;

/// The files that hold processes.
const MEMBERS: [&str; 2] = ["cgroup.procs", "tasks"];

impl Kernel {
    /// Makes a group.
    pub fn make_group(&mut self, parent: GroupKey, name: &str) -> Result<GroupKey, Errno> {
        let (groups, mut machine) = self.machine();
        groups.make(&mut machine, parent, name)
    }

    /// Removes one that has nothing in it.
    pub fn remove_group(&mut self, group: GroupKey) -> Result<(), Errno> {
        let (groups, mut machine) = self.machine();
        groups.remove(&mut machine, group)
    }

    /// What a file of a group says.
    pub fn group_file(&self, group: GroupKey, file: &str) -> Result<String, Errno> {
        if MEMBERS.contains(&file) {
            let pids = self.groups.procs(group).map(|proc| self.procs.pids(proc)[0]);
            return Ok(pids.map(|pid| format!("{pid}\n")).collect());
        }
        self.groups.read(&self.cpus, &self.memory, group, file)
    }

    /// Writes to one.
    pub fn write_group(&mut self, group: GroupKey, file: &str, text: &str) -> Result<(), Errno> {
        let (groups, mut machine) = self.machine();
        groups.write(&mut machine, group, file, text)
    }

    /// Moves a process into a group.
    pub fn enter_group(&mut self, proc: Proc, group: GroupKey) -> Result<(), Errno> {
        let (groups, mut machine) = self.machine();
        groups.enter(&mut machine, proc, group)
    }

    /// What the scheduler has counted for a group, and its time on each CPU.
    pub fn group_cpu(&self, group: GroupKey) -> Option<(Stat, Vec<u64>)> {
        let cpu = self.groups.cpu(group)?;
        Some((self.cpus.stat(cpu).ok()?, self.cpus.usage_by_cpu(cpu).ok()?))
    }

    /// What a group has of memory.
    pub fn group_memory(&self, group: GroupKey) -> Option<Charged> {
        self.groups.account(group).map(|account| self.memory.charged(account))
    }

    /// Time in which a process wanted to run and did not.
    pub fn waited_nsec(&self, proc: Proc) -> u64 {
        let task = self.about.get(&proc).and_then(|about| about.task);
        task.and_then(|task| self.cpus.waited_nsec(task).ok()).unwrap_or(0)
    }

    /// A new root file system with these programs in it, to be mounted.
    pub fn new_system(&mut self, programs: &[&str]) -> MountWhat {
        let mut tree = Tree::of_a_machine();
        for program in programs {
            // There is room in a fresh tree.
            let _ = tree.write(&format!("/bin/{program}"), "", false);
        }
        self.new_tree(tree)
    }

    /// `pivot_root(".", ".")` in a process's mount namespace, and `umount2(".", MNT_DETACH)` of what was
    /// there: from now on nothing is mounted but this, from the root on.
    pub fn switch_root(
        &mut self,
        proc: Proc,
        root: MountWhat,
        proc_of: Option<Proc>,
    ) -> Result<(), Errno> {
        let space = self.space(proc, Namespace::Mount)?;
        let mut mounts = vec![new_mount("overlay", "", root)];
        if let Some(of) = proc_of {
            let pids = self.space(of, Namespace::Pid)?;
            mounts.push(new_mount("proc", "/proc", MountWhat::Proc(pids)));
        }
        self.mounts.insert(space, mounts);
        if let Some(about) = self.about.get_mut(&proc) {
            (about.root, about.cwd) = (String::new(), String::new());
        }
        Ok(())
    }

    /// Mounts the groups below `/sys/fs/cgroup` for a process.
    pub fn mount_cgroups(&mut self, proc: Proc) -> Result<(), Errno> {
        self.mount(proc, "sysfs", "/sys", MountWhat::Sys)?;
        match self.groups.dialect() {
            Dialect::V2 => {
                self.mount(proc, "cgroup2", "/sys/fs/cgroup", MountWhat::Cgroup { hierarchy: 0 })
            }
            Dialect::V1 => {
                let tmpfs = self.new_tmpfs();
                self.mount(proc, "tmpfs", "/sys/fs/cgroup", tmpfs)?;
                self.mount_hierarchies(proc);
                Ok(())
            }
        }
    }

    /// Where a process's cgroup namespace begins. In v2 nobody can stand there once its controllers
    /// are handed on, so the root of a machine is said and not taken from where its first process is.
    pub fn root_cgroups_at(&mut self, proc: Proc, roots: Vec<GroupKey>) {
        if let Some(space) = self.procs.space_of(proc, Namespace::Cgroup) {
            self.cgroup_roots.insert(space, roots);
        }
    }

    /// The text of a process's `mountinfo`.
    pub fn mountinfo(&self, of: Proc) -> String {
        self.mountinfo_lines(of).unwrap_or_default()
    }

    /// A process and whoever it starts from now on can be found together.
    pub fn begin_session(&mut self, proc: Proc) -> u32 {
        let last = self.about.values().map(|about| about.session).max().unwrap_or(0);
        if let Some(about) = self.about.get_mut(&proc) {
            about.session = last + 1;
        }
        last + 1
    }

    /// Who lives of a session.
    pub fn session(&self, session: u32) -> Vec<Proc> {
        let alive = |proc: &Proc| self.procs.life(*proc) == crate::sim::procs::Life::Alive;
        let of = self.about.iter().filter(|(_, about)| about.session == session);
        of.map(|(proc, _)| *proc).filter(alive).collect()
    }

    /// `setresuid(2)` to an id of its own user namespace.
    pub fn set_uid(&mut self, proc: Proc, inside: u32) -> Result<(), Errno> {
        self.procs.set_uid(proc, inside)
    }

    /// Writes the id map of the user namespace of another process.
    pub fn map_ids(
        &mut self,
        writer: Proc,
        of: Proc,
        map: &[crate::sim::procs::IdRange],
    ) -> Result<(), Errno> {
        let user = self.space(of, Namespace::User)?;
        self.procs.write_id_map(writer, user, map)
    }
}

fn new_mount(source: &str, at: &str, what: MountWhat) -> Mount {
    Mount { at: at.into(), what, source: source.into(), read_only: false }
}
