//! Where a process may run, and whether it may.

use super::{Controller, CpuMask, GroupKey, Groups, Machine, Member, Proc, cpu, files};

impl Groups {
    /// The CPU group that a process's task belongs to.
    pub fn cpu_group_of(&self, proc: Proc) -> cpu::Group {
        let at = self.members.get(&proc).into_iter().flat_map(|member| &member.at);
        at.filter_map(|key| self.all[key.0].cpu).next().unwrap_or(cpu::ROOT)
    }

    /// On how many CPUs a process may run.
    pub fn cpus_allowed(&self, proc: Proc) -> usize {
        self.members.get(&proc).map_or(0, |member| self.cpus_of(member).len())
    }

    /// The same, as `/proc/PID/status` lists them.
    pub fn cpu_list_of(&self, proc: Proc) -> String {
        let cpus = self.members.get(&proc).map(|member| self.cpus_of(member));
        files::list(&cpus.unwrap_or_else(|| (0..self.n_cpus).collect()))
    }

    /// Is a process in a group that is frozen?
    pub fn is_frozen_proc(&self, proc: Proc) -> bool {
        let at = self.members.get(&proc).into_iter().flat_map(|member| &member.at);
        at.copied().any(|key| self.way_up(key).any(|at| self.all[at.0].frozen))
    }

    /// Stops a process, or lets it go on, as signals do.
    pub fn stop(&mut self, machine: &mut Machine<'_>, proc: Proc, stopped: bool) {
        if let Some(member) = self.members.get_mut(&proc)
            && member.stopped != stopped
        {
            member.stopped = stopped;
            self.place(machine, proc);
        }
    }

    pub(super) fn place_all(&self, machine: &mut Machine<'_>, below: GroupKey) {
        for (proc, member) in &self.members {
            if member.at.iter().any(|at| self.is_below(*at, below)) {
                self.place(machine, *proc);
            }
        }
    }

    fn cpus_of(&self, member: &Member) -> Vec<usize> {
        let set =
            member.at.iter().find(|key| self.has(self.all[key.0].hierarchy, Controller::Cpuset));
        set.map(|key| self.effective_cpus(*key)).unwrap_or_else(|| (0..self.n_cpus).collect())
    }

    /// Puts the task of a process where its groups say: its CPU group, its CPUs, the freezer.
    pub(super) fn place(&self, machine: &mut Machine<'_>, proc: Proc) {
        let Some(member) = self.members.get(&proc) else { return };
        let Some(task) = member.task else { return };
        let mask = self.cpus_of(member).into_iter().fold(0, |mask, cpu| mask | 1 << cpu);
        let held = member.stopped || self.is_frozen_proc(proc);
        // A task that has ended meanwhile needs no place.
        let _ = machine.cpus.move_task(task, self.cpu_group_of(proc));
        let _ = machine.cpus.set_affinity(task, CpuMask(mask));
        let _ = machine.cpus.freeze_task(task, held);
    }

    /// v2: controllers that count threads (all but memory) do not mind processes beside groups, as long as
    /// nobody is in those (`cgroup_can_be_thread_root`).
    pub(super) fn can_be_thread_root(&self, key: GroupKey) -> bool {
        let it = &self.all[key.0];
        let is_populated = |child: GroupKey| self.count(child) > 0;
        it.parent.is_some()
            && !it.handed_on.has(Controller::Memory)
            && !self.children(key).any(is_populated)
    }
}
