//! Births and ends of processes with everything that belongs to them, and time.

use super::mounts::MountWhat;
use super::{About, Errno, Kernel, Mount, Namespace, Proc};
use crate::cgroup::Dialect;
use crate::namespace::NamespaceSet;
use crate::sim::cpu::Demand;
use crate::sim::procs::{Birth, End, Signal, SpaceKey};

impl Kernel {
    pub(super) fn boot(&mut self) {
        let init = self.init();
        let argv = vec!["/sbin/init".to_owned()];
        // The first process is born into root groups that are without limits.
        let _ = self.groups.born(init, None);
        self.about.insert(
            init,
            About {
                argv,
                name: "init".into(),
                started_nsec: 0,
                task: None,
                root: String::new(),
                cwd: String::new(),
                session: 0,
            },
        );
        let Some(pids) = self.procs.space_of(init, Namespace::Pid) else { return };
        let Some(space) = self.procs.space_of(init, Namespace::Mount) else { return };
        let mount = |source: &str, at: &str, what| Mount {
            at: at.into(),
            what,
            source: source.into(),
            read_only: false,
        };
        let root = MountWhat::Tree { tree: 0, from: String::new() };
        let mut mounts = vec![
            mount("/dev/vda", "", root),
            mount("proc", "/proc", MountWhat::Proc(pids)),
            mount("sysfs", "/sys", MountWhat::Sys),
        ];
        match self.groups.dialect() {
            Dialect::V2 => {
                mounts.push(mount("cgroup2", "/sys/fs/cgroup", MountWhat::Cgroup { hierarchy: 0 }))
            }
            Dialect::V1 => {
                let tmpfs = self.new_tmpfs();
                mounts.push(mount("tmpfs", "/sys/fs/cgroup", tmpfs));
            }
        }
        self.mounts.insert(space, mounts);
        if self.groups.dialect() == Dialect::V1 {
            self.mount_hierarchies(init);
        }
    }

    /// The v1 hierarchies below `/sys/fs/cgroup`, with links for those that are mounted together.
    pub(super) fn mount_hierarchies(&mut self, init: Proc) {
        for (hierarchy, controllers) in self.groups.hierarchies().iter().enumerate() {
            let names: Vec<&str> = controllers.iter().map(|it| it.name()).collect();
            let name = names.join(",");
            let at = format!("/sys/fs/cgroup/{name}");
            // A fresh tmpfs takes all of them.
            let _ = self.mkdir(init, &at);
            let _ = self.mount(init, "cgroup", &at, MountWhat::Cgroup { hierarchy });
            if names.len() > 1 {
                for link in names {
                    let _ = self.symlink(init, &name, &format!("/sys/fs/cgroup/{link}"));
                }
            }
        }
    }

    /// `clone(2)`. The child is in the same groups, at the same place in the tree of files, and asleep.
    pub fn fork(&mut self, parent: Proc, new: NamespaceSet) -> Result<Proc, Errno> {
        self.born(parent, Birth { new, beside: false })
    }

    /// `clone(2)` with `CLONE_PARENT`: whatever the process is, its parent has one more child.
    pub fn fork_beside(&mut self, proc: Proc, new: NamespaceSet) -> Result<Proc, Errno> {
        self.born(proc, Birth { new, beside: true })
    }

    fn born(&mut self, parent: Proc, birth: Birth) -> Result<Proc, Errno> {
        let new = birth.new;
        let mut about = self.about(parent)?.clone();
        let child = self.procs.fork(parent, birth)?;
        if let Err(errno) = self.groups.born(child, Some(parent)) {
            self.procs.undo(child);
            return Err(errno);
        }
        self.spaces_made(parent, child, new);
        about.started_nsec = self.now_nsec();
        let group = self.groups.cpu_group_of(child);
        let task = self.cpus.spawn(group, Demand::Sleeping).map_err(|_| Errno::Enomem)?;
        about.task = Some(task);
        self.about.insert(child, about);
        let (groups, mut machine) = self.machine();
        groups.set_task(&mut machine, child, task);
        Ok(child)
    }

    /// `execve(2)`, as far as others see it: another name and command line.
    pub fn exec(&mut self, proc: Proc, argv: &[String]) {
        if let (Some(about), Some(first)) = (self.about.get_mut(&proc), argv.first()) {
            let name = first.rsplit('/').next().unwrap_or(first);
            about.name = name.chars().take(15).collect();
            about.argv = argv.to_vec();
            self.procs.exec(proc);
        }
    }

    /// `unshare(2)`.
    pub fn unshare(&mut self, proc: Proc, new: NamespaceSet) -> Result<(), Errno> {
        self.procs.unshare(proc, new)?;
        self.spaces_made(proc, proc, new);
        Ok(())
    }

    /// `setns(2)` into the namespace of another process.
    pub fn setns(&mut self, proc: Proc, space: SpaceKey, kind: Namespace) -> Result<(), Errno> {
        self.procs.setns(proc, space)?;
        if kind == Namespace::Mount
            && let Some(about) = self.about.get_mut(&proc)
        {
            about.root = String::new();
            about.cwd = String::new();
        }
        Ok(())
    }

    /// What new namespaces begin with: the mounts of before, the groups of who is in them.
    fn spaces_made(&mut self, from: Proc, to: Proc, new: NamespaceSet) {
        if new.has(Namespace::Mount)
            && let Some(space) = self.procs.space_of(to, Namespace::Mount)
        {
            // `unshare` of oneself has replaced the namespace already: the one before is the newest other.
            let before = self.mounts_before(from, space);
            self.mounts.insert(space, before);
        }
        if new.has(Namespace::Cgroup)
            && let Some(space) = self.procs.space_of(to, Namespace::Cgroup)
        {
            let count = self.groups.hierarchies().len();
            let roots = (0..count).filter_map(|at| self.groups.group_of(to, at)).collect();
            self.cgroup_roots.insert(space, roots);
        }
    }

    fn mounts_before(&self, from: Proc, made: SpaceKey) -> Vec<Mount> {
        let of_parent = self.procs.space_of(from, Namespace::Mount).filter(|space| *space != made);
        let origin = of_parent.or_else(|| self.procs.made_from(made));
        origin.and_then(|space| self.mounts.get(&space)).cloned().unwrap_or_default()
    }

    /// `exit(2)`. With PID 1 of a PID namespace everybody in it ends. Tells who.
    pub fn exit(&mut self, proc: Proc, status: u8) -> Vec<Proc> {
        let ended = self.procs.exit(proc, status);
        self.release(&ended);
        ended
    }

    /// `kill(2)`. Tells who ended by it.
    pub fn kill(&mut self, sender: Proc, target: Proc, signal: Signal) -> Result<Vec<Proc>, Errno> {
        // In v1 a frozen process dies when it is thawed; in v2 it dies.
        if self.groups.dialect() == Dialect::V1 && self.groups.is_frozen_proc(target) {
            let known = |it: &(_, Proc, Signal)| (it.1, it.2) == (target, signal);
            if !self.pending.iter().any(known) {
                self.pending.push((sender, target, signal));
            }
            return Ok(Vec::new());
        }
        let ended = self.procs.kill(sender, target, signal)?;
        let stopped = self.procs.is_stopped(target);
        let (groups, mut machine) = self.machine();
        groups.stop(&mut machine, target, stopped);
        self.release(&ended);
        Ok(ended)
    }

    /// Signals that were sent to those who were frozen and are not any more.
    pub(super) fn deliver(&mut self) {
        for (sender, target, signal) in std::mem::take(&mut self.pending) {
            // Either may have gone meanwhile.
            let _ = self.kill(sender, target, signal);
        }
    }

    /// Is a process kept from running, by the freezer or by a signal?
    pub fn is_held(&self, proc: Proc) -> bool {
        self.groups.is_frozen_proc(proc) || self.procs.is_stopped(proc)
    }

    /// `wait(2)` for one child: how it ended, or `None` while it lives.
    pub fn wait_for(&mut self, parent: Proc, child: Proc) -> Result<Option<End>, Errno> {
        self.procs.wait_for(parent, child)
    }

    /// `wait(2)` for any child that has ended, which is then gone.
    pub fn reap(&mut self, parent: Proc) -> Option<(Proc, End)> {
        let ended = self.procs.wait(parent).ok().flatten();
        self.release(&[]);
        ended
    }

    fn release(&mut self, ended: &[Proc]) {
        for proc in ended {
            let (groups, mut machine) = self.machine();
            groups.ended(&mut machine, *proc);
            if let Some(about) = self.about.get_mut(proc) {
                about.task = None;
            }
        }
        self.forget_mounts(ended);
        let gone = |proc: &Proc| self.procs.life(*proc) == crate::sim::procs::Life::Gone;
        let gone: Vec<Proc> = self.about.keys().copied().filter(gone).collect();
        for proc in gone {
            self.about.remove(&proc);
        }
    }

    /// The mounts of a mount namespace that nobody is in any more.
    fn forget_mounts(&mut self, ended: &[Proc]) {
        for proc in ended {
            let Some(space) = self.procs.space_of(*proc, Namespace::Mount) else { continue };
            let lives = |other: Proc| self.procs.life(other) == crate::sim::procs::Life::Alive;
            let inside = |other: Proc| self.procs.space_of(other, Namespace::Mount) == Some(space);
            if !self.procs.all().any(|other| lives(other) && inside(other)) {
                self.mounts.remove(&space);
                self.forget_trees();
            }
        }
    }

    /// A process takes memory; those who are killed for it are told.
    pub fn allocate(&mut self, proc: Proc, bytes: u64) -> Result<(), Vec<Proc>> {
        let (groups, mut machine) = self.machine();
        groups.allocate(&mut machine, proc, bytes)
    }

    /// Says what a process wants of the CPU from now on.
    pub fn demand(&mut self, proc: Proc, demand: Demand) {
        if let Some(task) = self.about.get(&proc).and_then(|about| about.task) {
            // A task that has ended wants nothing.
            let _ = self.cpus.set_demand(task, demand);
        }
    }

    /// Lets time pass, at most so much: until a process has used what it asked for by
    /// [`Demand::Once`]. Tells who that was.
    pub fn advance(&mut self, nsec: u64) -> Vec<Proc> {
        let tasks = self.cpus.advance_until_done(nsec);
        let by_task = |(proc, about): (&Proc, &About)| {
            about.task.filter(|task| tasks.contains(task)).map(|_| *proc)
        };
        self.about.iter().filter_map(by_task).collect()
    }
}
