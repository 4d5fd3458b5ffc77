//! Who waits on one CPU in one group, and how groups stand in each other's queues.
//!
//! A group that has somebody to run on a CPU stands in its parent's queue there with a weight that is
//! its part of its shares (`calc_group_shares`); one that is out of runtime does not.

use super::{Bandwidth, Cpus, NICE_0_WEIGHT, Pool, State};

/// What stands in a queue.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Child {
    Task(usize),
    Group(usize),
}

/// A group on one CPU, and what it is in its parent's queue there.
#[derive(Clone, Debug, Default)]
pub(super) struct Queue {
    /// The running one too.
    pub(super) children: Vec<Child>,
    /// The weights of its children, summed.
    pub(super) load: u64,
    /// No child has had less; never goes back.
    min_vruntime: u64,
    /// What is left of the slices taken; below 0 it is owed.
    pub(super) runtime: i64,
    /// Since when it waits for runtime.
    pub(super) throttled_at: Option<u64>,
    /// It stands in its parent's queue.
    pub(super) queued: bool,
    /// Its own virtual time there.
    pub(super) vruntime: u64,
    /// Its weight there.
    pub(super) weight: u64,
    /// CPU time used on this CPU, with that of the groups below.
    pub(super) used_nsec: u64,
}

impl Queue {
    fn remove(&mut self, child: Child, weight: u64) {
        self.children.retain(|other| *other != child);
        self.load = self.load.saturating_sub(weight);
    }
}

impl Cpus {
    /// Puts a task that wants to run into the queue of a CPU.
    pub(super) fn enqueue_task(&mut self, task: usize, cpu: usize) {
        let group = self.tasks[task].group;
        let queue = &mut self.groups[group].queues[cpu];
        let it = &mut self.tasks[task];
        it.cpu = cpu;
        it.state = State::Queued;
        it.queued_at = self.now;
        it.vruntime = queue.min_vruntime.saturating_add_signed(it.lag);
        queue.children.push(Child::Task(task));
        queue.load += it.weight;
        self.groups[group].load += self.tasks[task].weight;
        self.enqueue_group(group, cpu);
        self.reweigh(group, cpu);
    }

    /// Takes a task out of its queue.
    pub(super) fn dequeue_task(&mut self, task: usize) {
        let (cpu, group, weight) =
            (self.tasks[task].cpu, self.tasks[task].group, self.tasks[task].weight);
        let most = i64::try_from(self.hardware.tick_nsec).unwrap_or(i64::MAX);
        let queue = &mut self.groups[group].queues[cpu];
        let it = &mut self.tasks[task];
        it.queued_nsec += self.now - it.queued_at;
        // Who slept long gets no more than a tick of credit.
        let ahead = i128::from(it.vruntime) - i128::from(queue.min_vruntime);
        it.lag = i64::try_from(ahead).unwrap_or(i64::MAX).clamp(-most, most.saturating_mul(4));
        queue.remove(Child::Task(task), weight);
        self.groups[group].load = self.groups[group].load.saturating_sub(weight);
        self.emptied(group, cpu);
        self.reweigh(group, cpu);
    }

    /// The queue of `group` has lost a child: an empty one gives its runtime back and leaves its parent's.
    fn emptied(&mut self, group: usize, cpu: usize) {
        let mut group = group;
        while self.groups[group].queues[cpu].children.is_empty() {
            self.return_slack(group, cpu);
            let Some(parent) = self.dequeue_group(group, cpu) else { return };
            group = parent;
        }
    }

    /// Takes a group out of its parent's queue, if it stands there; tells whose that was.
    fn dequeue_group(&mut self, group: usize, cpu: usize) -> Option<usize> {
        let parent = self.groups[group].parent?;
        let queue = &mut self.groups[group].queues[cpu];
        if !std::mem::replace(&mut queue.queued, false) {
            return None;
        }
        let weight = queue.weight;
        self.groups[parent].queues[cpu].remove(Child::Group(group), weight);
        self.groups[parent].load = self.groups[parent].load.saturating_sub(weight);
        Some(parent)
    }

    /// Puts a group, and those above it, into their parents' queues, as far as they may run.
    pub(super) fn enqueue_group(&mut self, group: usize, cpu: usize) {
        let mut group = group;
        while let Some(parent) = self.groups[group].parent {
            let queue = &self.groups[group].queues[cpu];
            if queue.queued || queue.children.is_empty() || queue.throttled_at.is_some() {
                return;
            }
            if self.is_out(group, cpu) {
                self.throttle(group, cpu);
                return;
            }
            let weight = self.group_weight(group, cpu);
            let least = self.groups[parent].queues[cpu].min_vruntime;
            let queue = &mut self.groups[group].queues[cpu];
            queue.queued = true;
            queue.weight = weight;
            queue.vruntime = queue.vruntime.max(least);
            self.groups[parent].queues[cpu].children.push(Child::Group(group));
            self.groups[parent].queues[cpu].load += weight;
            self.groups[parent].load += weight;
            group = parent;
        }
    }

    /// A group's weight on one CPU: its shares, by the part of its load that is there.
    fn group_weight(&self, group: usize, cpu: usize) -> u64 {
        let state = &self.groups[group];
        let here = u128::from(state.queues[cpu].load);
        let part = u128::from(state.shares) * here / u128::from(state.load.max(1));
        u64::try_from(part).unwrap_or(u64::MAX).clamp(2, state.shares)
    }

    /// Weighs a group and those above it anew on one CPU.
    pub(super) fn reweigh(&mut self, group: usize, cpu: usize) {
        let mut group = group;
        while let Some(parent) = self.groups[group].parent {
            if self.groups[group].queues[cpu].queued {
                let new = self.group_weight(group, cpu);
                let old = std::mem::replace(&mut self.groups[group].queues[cpu].weight, new);
                let above = &mut self.groups[parent];
                above.queues[cpu].load = (above.queues[cpu].load + new).saturating_sub(old);
                above.load = (above.load + new).saturating_sub(old);
            }
            group = parent;
        }
    }

    /// Whose turn it is on a CPU. Groups that turn out to have no runtime are throttled on the way.
    pub(super) fn pick(&mut self, cpu: usize) -> Option<usize> {
        let mut group = 0;
        loop {
            let child = self.first(group, cpu)?;
            let vruntime = self.vruntime(child, cpu);
            let queue = &mut self.groups[group].queues[cpu];
            queue.min_vruntime = queue.min_vruntime.max(vruntime);
            match child {
                Child::Task(task) => return Some(task),
                Child::Group(below) if self.is_out(below, cpu) => {
                    self.throttle(below, cpu);
                    group = 0;
                }
                Child::Group(below) => group = below,
            }
        }
    }

    /// The child of a queue that has had the least time for its weight.
    fn first(&self, group: usize, cpu: usize) -> Option<Child> {
        let children = &self.groups[group].queues[cpu].children;
        children.iter().copied().min_by_key(|child| self.vruntime(*child, cpu))
    }

    fn vruntime(&self, child: Child, cpu: usize) -> u64 {
        match child {
            Child::Task(task) => self.tasks[task].vruntime,
            Child::Group(group) => self.groups[group].queues[cpu].vruntime,
        }
    }

    /// Books what the current task of a CPU has used since it was looked at last (`update_curr`).
    pub(super) fn account(&mut self, cpu: usize) {
        let used = self.now - std::mem::replace(&mut self.cpus[cpu].accounted_at, self.now);
        let Some(task) = self.cpus[cpu].current else { return };
        if used == 0 {
            return;
        }
        let it = &mut self.tasks[task];
        it.used_nsec += used;
        it.ran_at = self.now;
        it.vruntime = it.vruntime.saturating_add(weighed(used, it.weight));
        if it.wants_nsec != u64::MAX {
            it.wants_nsec = it.wants_nsec.saturating_sub(used);
        }
        let mut at = Some(it.group);
        while let Some(group) = at {
            let state = &mut self.groups[group];
            at = state.parent;
            let queue = &mut state.queues[cpu];
            queue.used_nsec += used;
            queue.vruntime = queue.vruntime.saturating_add(weighed(used, queue.weight));
            if state.pool.is_some() {
                queue.runtime = queue.runtime.saturating_sub_unsigned(used);
                if queue.runtime <= 0 {
                    self.assign(group, cpu, self.hardware.slice_nsec);
                }
            }
        }
    }

    /// Fills a queue up to `target` from its group's pool; tells whether there is some runtime now.
    fn assign(&mut self, group: usize, cpu: usize, target: u64) -> bool {
        self.start_period(group);
        let state = &mut self.groups[group];
        let Some(pool) = &mut state.pool else { return true };
        let queue = &mut state.queues[cpu];
        let target = i64::try_from(target).unwrap_or(i64::MAX);
        let wanted = u64::try_from(target.saturating_sub(queue.runtime)).unwrap_or(0);
        queue.runtime = queue.runtime.saturating_add_unsigned(pool.take(wanted));
        queue.runtime > 0
    }

    /// Is a group without runtime on a CPU? Before that is said, a last nanosecond is asked for
    /// (`throttle_cfs_rq`).
    fn is_out(&mut self, group: usize, cpu: usize) -> bool {
        let state = &self.groups[group];
        state.pool.is_some() && state.queues[cpu].runtime <= 0 && !self.assign(group, cpu, 1)
    }

    /// A group waits on a CPU until its pool is filled.
    fn throttle(&mut self, group: usize, cpu: usize) {
        let state = &mut self.groups[group];
        let Some(pool) = &mut state.pool else { return };
        pool.throttled.push_back(cpu);
        state.queues[cpu].throttled_at = Some(self.now);
        if let Some(parent) = self.dequeue_group(group, cpu) {
            self.emptied(parent, cpu);
            self.reweigh(parent, cpu);
        }
    }

    /// A group goes on.
    pub(super) fn unthrottle(&mut self, group: usize, cpu: usize) {
        let state = &mut self.groups[group];
        let Some(since) = state.queues[cpu].throttled_at.take() else { return };
        state.stat.throttled_nsec += self.now - since;
        if let Some(pool) = &mut state.pool {
            pool.throttled.retain(|other| *other != cpu);
        }
        self.enqueue_group(group, cpu);
        self.reweigh(group, cpu);
    }

    /// Gives those who wait what they owe and a nanosecond more, as far as it lasts
    /// (`distribute_cfs_runtime`); tells on which CPUs somebody goes on.
    pub(super) fn distribute(&mut self, group: usize) -> Vec<usize> {
        let state = &mut self.groups[group];
        let Some(pool) = &mut state.pool else { return Vec::new() };
        let mut go_on = Vec::new();
        for cpu in pool.throttled.clone() {
            let queue = &mut state.queues[cpu];
            let owed = u64::try_from(queue.runtime.saturating_neg().saturating_add(1)).unwrap_or(0);
            queue.runtime = queue.runtime.saturating_add_unsigned(pool.take(owed));
            if queue.runtime > 0 {
                go_on.push(cpu);
            }
            if pool.runtime == 0 {
                break;
            }
        }
        for cpu in &go_on {
            self.unthrottle(group, *cpu);
        }
        go_on
    }

    /// What an empty queue does not need goes back, but for a millisecond
    /// (`__return_cfs_rq_runtime`); if somebody waits, it is handed out a little later.
    fn return_slack(&mut self, group: usize, cpu: usize) {
        const KEPT_NSEC: i64 = 1_000_000;
        let slice = self.hardware.slice_nsec;
        let state = &mut self.groups[group];
        let (Some(pool), queue) = (&mut state.pool, &mut state.queues[cpu]) else { return };
        let Ok(slack @ 1..) = u64::try_from(queue.runtime.saturating_sub(KEPT_NSEC)) else {
            return;
        };
        queue.runtime = KEPT_NSEC;
        pool.runtime = pool.runtime.saturating_add(slack);
        if pool.runtime > slice && !pool.throttled.is_empty() {
            self.arm_slack(group);
        }
    }

    /// A new quota (`tg_set_cfs_bandwidth`): everybody goes on with a nanosecond each.
    pub(super) fn change_pool(&mut self, group: usize, limit: Option<Bandwidth>) {
        for cpu in 0..self.hardware.n_cpus {
            self.account(cpu);
        }
        self.count += 1;
        let before = self.groups[group].pool.take().map(|pool| (pool.runtime, pool.throttled));
        let (left, waiting) = before.unwrap_or_default();
        self.groups[group].pool = limit.map(|limit| Pool::new(limit, left, self.count));
        if limit.is_some() {
            self.start_period(group);
        }
        for queue in &mut self.groups[group].queues {
            queue.runtime = 1;
        }
        for cpu in waiting {
            self.unthrottle(group, cpu);
            self.schedule(cpu);
        }
    }
}

/// Time in a queue's virtual time.
fn weighed(nsec: u64, weight: u64) -> u64 {
    if weight == NICE_0_WEIGHT { nsec } else { nsec.saturating_mul(NICE_0_WEIGHT) / weight.max(1) }
}
