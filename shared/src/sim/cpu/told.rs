//! What can be read of the model: use, waits, who runs, load.

use super::{Cpu, Cpus, Group, Refused, Stat, State, TaskKey};

impl Cpus {
    /// CPU time that a group has used on each CPU (`cpuacct.usage_percpu`).
    pub fn usage_by_cpu(&self, group: Group) -> Result<Vec<u64>, Refused> {
        let queues = self.group(group)?.queues.iter().enumerate();
        let running = |cpu: usize| {
            let below = |task: usize| self.is_below(self.tasks[task].group, group.0);
            let current = self.cpus[cpu].current.is_some_and(below);
            if current { self.now - self.cpus[cpu].accounted_at } else { 0 }
        };
        Ok(queues.map(|(cpu, queue)| queue.used_nsec + running(cpu)).collect())
    }

    /// What `cpu.stat` tells of a group now.
    pub fn stat(&self, group: Group) -> Result<Stat, Refused> {
        let state = self.group(group)?;
        let mut stat = state.stat;
        // What runs is counted up to now, what waits only when it goes on.
        stat.usage_nsec = self.usage_by_cpu(group)?.iter().sum();
        Ok(stat)
    }

    /// CPU time that a task has used.
    pub fn used_nsec(&self, task: TaskKey) -> Result<u64, Refused> {
        let state = self.tasks.get(task.0).ok_or(Refused::Missing)?;
        let running = |cpu: &&Cpu| cpu.current == Some(task.0);
        let since = self.cpus.iter().find(running).map_or(0, |cpu| self.now - cpu.accounted_at);
        Ok(state.used_nsec + since)
    }

    /// Time in which a task wanted to run and did not: behind others, or throttled.
    pub fn waited_nsec(&self, task: TaskKey) -> Result<u64, Refused> {
        let state = self.tasks.get(task.0).ok_or(Refused::Missing)?;
        let now = if state.state == State::Queued { self.now - state.queued_at } else { 0 };
        Ok((state.queued_nsec + now).saturating_sub(self.used_nsec(task)?))
    }

    /// Who runs on a CPU now.
    pub fn current(&self, cpu: usize) -> Option<TaskKey> {
        self.cpus.get(cpu)?.current.map(TaskKey)
    }

    /// Does a task run, or wait for a CPU?
    pub fn is_runnable(&self, task: TaskKey) -> bool {
        self.tasks.get(task.0).is_some_and(|task| task.state == State::Queued)
    }

    /// How many tasks run or wait for a CPU.
    pub fn n_runnable(&self) -> u64 {
        self.tasks.iter().filter(|task| task.state == State::Queued).count() as u64
    }

    /// The three numbers of `/proc/loadavg`, in thousandths.
    pub fn load_average(&self) -> [u64; 3] {
        self.loads.map(|load| load * 1_000 / 2_048)
    }

    /// Does a group wait for runtime on some CPU?
    pub fn is_throttled(&self, group: Group) -> bool {
        let pool = self.groups.get(group.0).and_then(|state| state.pool.as_ref());
        pool.is_some_and(|pool| !pool.throttled.is_empty())
    }
}
