//! Which CPU a task stands on.
//!
//! A plain form of `select_idle_sibling`, `newidle_balance` and `load_balance`: the same aims, without
//! domains of caches and without averages of the past.

use super::queue::Child;
use super::{CPUS_MAX, CpuMask, Cpus, NICE_0_WEIGHT};

/// Ticks from one look at a CPU's load to the next, in the mean: 32 ms at 250 Hz, the kernel's for two busy CPUs.
const BALANCE_TICKS: u64 = 8;
/// After so many looks that found nothing better, a move that only changes who waits is made.
const PATIENCE: u32 = 1;
/// Load is counted in this much a CPU's worth of the root group.
const LOAD_SCALE: u64 = 1 << 20;

impl Cpus {
    /// The CPUs that a task may run on: its own, those of its groups that are there, or else all
    /// that its groups allow.
    pub(super) fn allowed(&self, task: usize) -> CpuMask {
        let mut groups = u64::MAX >> (CPUS_MAX - self.hardware.n_cpus);
        let mut at = Some(self.tasks[task].group);
        while let Some(here) = at {
            groups &= self.groups[here].allowed.0;
            at = self.groups[here].parent;
        }
        if groups == 0 {
            groups = u64::MAX >> (CPUS_MAX - self.hardware.n_cpus);
        }
        let own = groups & self.tasks[task].allowed.0;
        CpuMask(if own == 0 { groups } else { own })
    }

    pub(super) fn is_frozen(&self, task: usize) -> bool {
        if self.tasks[task].stopped {
            return true;
        }
        let mut at = Some(self.tasks[task].group);
        while let Some(here) = at {
            if self.groups[here].frozen {
                return true;
            }
            at = self.groups[here].parent;
        }
        false
    }

    /// The CPU for a task that wakes: its last one if idle, any idle one, else the one with the least load.
    pub(super) fn choose_cpu(&self, task: usize) -> usize {
        let allowed = self.allowed(task);
        let last = self.tasks[task].cpu;
        if allowed.has(last) && self.is_idle(last) {
            return last;
        }
        let may = |cpu: &usize| allowed.has(*cpu);
        let idle = (0..self.cpus.len()).filter(may).find(|cpu| self.is_idle(*cpu));
        let least = || (0..self.cpus.len()).filter(may).min_by_key(|cpu| self.load(*cpu));
        idle.or_else(least).unwrap_or(0)
    }

    fn is_idle(&self, cpu: usize) -> bool {
        self.cpus[cpu].current.is_none() && self.groups[0].queues[cpu].children.is_empty()
    }

    /// What those who may run on a CPU weigh, seen from the root.
    fn load(&self, cpu: usize) -> u64 {
        self.groups[0].queues[cpu].load
    }

    /// A CPU without work takes a task from the one where most wait.
    pub(super) fn pull(&mut self, cpu: usize) -> Option<()> {
        let waiting = |other: usize| (self.candidates(other, cpu), other);
        let others = (0..self.cpus.len()).filter(|other| *other != cpu);
        let (mut candidates, _) = others
            .map(waiting)
            .filter(|(tasks, _)| !tasks.is_empty())
            .max_by_key(|(tasks, other)| (tasks.len(), usize::MAX - other))?;
        candidates.sort_by_key(|task| (self.tasks[*task].ran_at, *task));
        self.migrate(*candidates.first()?, cpu);
        Some(())
    }

    /// Now and then each CPU looks whether another one has more to do. When is drawn: were it every
    /// eighth tick, those who take turns by ticks would always be met in the same order.
    pub(super) fn balance_tick(&mut self) {
        let n_cpus = self.cpus.len();
        if n_cpus == 1 {
            return;
        }
        for cpu in 0..n_cpus {
            if self.draw(BALANCE_TICKS) == 0 {
                self.balance(cpu);
            }
        }
    }

    /// A CPU with one task or none looks at how many there are elsewhere; one that has more looks at
    /// their load (`calculate_imbalance`: `group_has_spare` and `group_overloaded`).
    fn balance(&mut self, cpu: usize) {
        let spare = self.n_tasks(cpu) <= 1;
        let full = |other: usize| if spare { self.n_tasks(other) } else { self.load(other) };
        let others = (0..self.cpus.len()).filter(|other| *other != cpu);
        let Some(busiest) = others.max_by_key(|other| (full(*other), usize::MAX - other)) else {
            return;
        };
        let more = full(busiest).saturating_sub(full(cpu));
        if more == 0 {
            return;
        }
        let failed = self.cpus[cpu].balance_failed;
        let fits = |task: &usize| match spare {
            true => more >= 2 || failed >= PATIENCE,
            false => self.task_load(*task) >> failed.min(16) <= more / 2,
        };
        let mut candidates = self.candidates(busiest, cpu);
        candidates.sort_by_key(|task| (self.tasks[*task].ran_at, *task));
        match candidates.into_iter().find(fits) {
            Some(task) => {
                self.cpus[cpu].balance_failed = 0;
                self.migrate(task, cpu);
                self.schedule(busiest);
                self.schedule(cpu);
            }
            None => self.cpus[cpu].balance_failed = failed.saturating_add(1),
        }
    }

    /// How many on a CPU run or wait for it, without those that are throttled.
    fn n_tasks(&self, cpu: usize) -> u64 {
        self.count_below(0, cpu)
    }

    fn count_below(&self, group: usize, cpu: usize) -> u64 {
        let children = self.groups[group].queues[cpu].children.iter();
        children
            .map(|child| match *child {
                Child::Task(_) => 1,
                Child::Group(below) => self.count_below(below, cpu),
            })
            .sum()
    }

    fn migrate(&mut self, task: usize, cpu: usize) {
        self.account(self.tasks[task].cpu);
        self.account(cpu);
        self.dequeue_task(task);
        self.enqueue_task(task, cpu);
    }

    /// Who waits on CPU `from`, not throttled, and may run on CPU `to`.
    fn candidates(&self, from: usize, to: usize) -> Vec<usize> {
        let mut found = Vec::new();
        self.collect(0, from, to, &mut found);
        found
    }

    fn collect(&self, group: usize, from: usize, to: usize, found: &mut Vec<usize>) {
        for child in &self.groups[group].queues[from].children {
            match *child {
                Child::Group(below) => self.collect(below, from, to, found),
                Child::Task(task) => {
                    let waits = self.cpus[from].current != Some(task);
                    if waits && self.allowed(task).has(to) && !self.is_throttled_on(group, to) {
                        found.push(task);
                    }
                }
            }
        }
    }

    /// Does a group, or one above it, wait for runtime on a CPU (`throttled_lb_pair`)?
    fn is_throttled_on(&self, group: usize, cpu: usize) -> bool {
        let mut at = Some(group);
        while let Some(here) = at {
            if self.groups[here].queues[cpu].throttled_at.is_some() {
                return true;
            }
            at = self.groups[here].parent;
        }
        false
    }

    /// A task's part of the load of its CPU, seen from the root.
    fn task_load(&self, task: usize) -> u64 {
        let it = &self.tasks[task];
        let mut part = u128::from(LOAD_SCALE);
        let mut weight = u128::from(it.weight);
        let mut at = it.group;
        loop {
            let queue = &self.groups[at].queues[it.cpu];
            let Some(parent) = self.groups[at].parent else { break };
            part = part * weight / u128::from(queue.load.max(1));
            weight = u128::from(queue.weight);
            at = parent;
        }
        let load = part * weight / u128::from(LOAD_SCALE);
        u64::try_from(load).unwrap_or(NICE_0_WEIGHT)
    }
}
