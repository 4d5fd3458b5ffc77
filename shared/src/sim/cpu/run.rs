//! Time passes: ticks, timers, ends of spells, and who runs next.

use std::cmp::Reverse;

use super::demand::State;
use super::pool::Refilled;
use super::{Cpus, Demand, Task, TaskKey};

/// What happens at a moment that was set before. The second number says which setting it is of.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(super) enum Timer {
    /// A task wakes.
    Wake(usize, u64),
    /// A period of a group ends.
    Period(usize, u64),
    /// Slack that was given back is handed out.
    Slack(usize, u64),
}

impl Cpus {
    /// Lets time pass.
    pub fn advance(&mut self, nsec: u64) {
        let end = self.now.saturating_add(nsec);
        self.done.clear();
        loop {
            let next = self.next_moment();
            if next > end {
                break;
            }
            self.now = next;
            self.happen();
        }
        self.now = end;
    }

    /// Lets time pass until a task has done what [`Demand::Once`] asked for, at most so much. Tells which
    /// tasks have.
    pub fn advance_until_done(&mut self, nsec: u64) -> Vec<TaskKey> {
        let end = self.now.saturating_add(nsec);
        while self.done.is_empty() {
            let next = self.next_moment();
            if next > end {
                self.now = end;
                break;
            }
            self.now = next;
            self.happen();
        }
        std::mem::take(&mut self.done)
    }

    /// When something happens next: a timer, the end of a spell, a tick if anybody runs.
    fn next_moment(&self) -> u64 {
        let timer = self.timers.peek().map_or(u64::MAX, |Reverse((at, _, _))| *at);
        let tick = self.hardware.tick_nsec;
        let mut next = timer;
        for cpu in &self.cpus {
            let Some(task) = cpu.current else { continue };
            let spell = cpu.accounted_at.saturating_add(self.tasks[task].wants_nsec);
            next = next.min(spell).min((self.now / tick + 1).saturating_mul(tick));
        }
        next
    }

    /// Everything that is due now: first ends of spells, then timers, then the tick.
    fn happen(&mut self) {
        for cpu in 0..self.cpus.len() {
            let Some(task) = self.cpus[cpu].current else { continue };
            if self.cpus[cpu].accounted_at.saturating_add(self.tasks[task].wants_nsec) <= self.now {
                self.end_spell(cpu, task);
            }
        }
        while let Some(Reverse((at, _, timer))) = self.timers.peek().copied() {
            if at > self.now {
                break;
            }
            self.timers.pop();
            self.fire(timer);
        }
        if self.now.is_multiple_of(self.hardware.tick_nsec) {
            self.tick();
        }
    }

    /// All CPUs tick at the same moment, and whose turn it is to take from a pool first is a matter of
    /// chance: drawn here, so that no CPU is always the first.
    fn tick(&mut self) {
        let n_cpus = self.cpus.len();
        let first = usize::try_from(self.draw(n_cpus as u64)).unwrap_or(0);
        for turn in 0..n_cpus {
            let cpu = (first + turn) % n_cpus;
            if let Some(task) = self.cpus[cpu].current {
                self.schedule(cpu);
                self.reweigh(self.tasks[task].group, cpu);
            }
        }
        self.balance_tick();
        self.count_load();
    }

    /// Every five seconds, as in `kernel/sched/loadavg.c`: an average that forgets by e each minute,
    /// each five and each fifteen. Ticks of an idle machine are made up for when it wakes.
    fn count_load(&mut self) {
        const EVERY_NSEC: u64 = 5_000_000_000;
        const FIXED: u64 = 1 << 11;
        const DECAY: [u64; 3] = [1_884, 2_014, 2_037];
        while self.load_counted_at + EVERY_NSEC <= self.now {
            self.load_counted_at += EVERY_NSEC;
            let active = self.n_runnable() * FIXED;
            for (load, decay) in self.loads.iter_mut().zip(DECAY) {
                let new = *load * decay + active * (FIXED - decay);
                *load = (new + if active >= *load { FIXED - 1 } else { 0 }) / FIXED;
            }
        }
    }

    fn fire(&mut self, timer: Timer) {
        match timer {
            Timer::Wake(task, alarm) if self.tasks[task].alarm == alarm => self.wake(task),
            Timer::Period(group, alarm) => self.end_period(group, alarm),
            Timer::Slack(group, alarm) => self.hand_slack_out(group, alarm),
            Timer::Wake(..) => {}
        }
    }

    pub(super) fn set_timer(&mut self, at: u64, timer: Timer) {
        self.count += 1;
        self.timers.push(Reverse((at, self.count, timer)));
    }

    /// A new task, or one with a new demand, has its first spell or waits for it.
    pub(super) fn begin(&mut self, task: usize) {
        match self.tasks[task].demand {
            Demand::Busy | Demand::Once { .. } => self.wake(task),
            _ => self.sleep(task),
        }
    }

    fn sleep(&mut self, task: usize) {
        self.tasks[task].state = State::Asleep;
        let demand = self.tasks[task].demand;
        let wakes = demand.wakes(self.now, |bound| self.draw(bound));
        if let Some(at) = wakes {
            self.count += 1;
            let alarm = self.count;
            self.tasks[task].alarm = alarm;
            self.set_timer(at, Timer::Wake(task, alarm));
        }
    }

    fn wake(&mut self, task: usize) {
        let Some(spell) = self.tasks[task].demand.spell() else { return };
        self.tasks[task].wants_nsec = spell;
        self.settle(task);
    }

    /// Puts a task that wants to run where it belongs: a queue, or the freezer.
    fn settle(&mut self, task: usize) {
        if self.is_frozen(task) {
            self.tasks[task].state = State::Frozen;
            return;
        }
        let cpu = self.choose_cpu(task);
        self.account(cpu);
        self.enqueue_task(task, cpu);
        self.schedule(cpu);
    }

    /// A task has used what it wanted.
    fn end_spell(&mut self, cpu: usize, task: usize) {
        self.account(cpu);
        self.dequeue_task(task);
        self.sleep(task);
        if matches!(self.tasks[task].demand, Demand::Once { .. }) {
            self.done.push(TaskKey(task));
        }
        self.schedule(cpu);
    }

    /// Takes a task out of the queue, wherever it is.
    pub(super) fn leave(&mut self, task: usize) {
        self.count += 1;
        self.tasks[task].alarm = self.count;
        if self.tasks[task].state == State::Queued {
            let cpu = self.tasks[task].cpu;
            self.account(cpu);
            self.dequeue_task(task);
            self.schedule(cpu);
        }
    }

    /// Changes something about a task that decides where it stands.
    pub(super) fn requeue(&mut self, task: usize, change: impl FnOnce(&mut Task)) {
        match self.tasks[task].state {
            State::Queued => {
                let cpu = self.tasks[task].cpu;
                self.account(cpu);
                self.dequeue_task(task);
                self.tasks[task].state = State::Frozen;
                self.schedule(cpu);
                change(&mut self.tasks[task]);
                self.settle(task);
            }
            State::Frozen => {
                change(&mut self.tasks[task]);
                self.settle(task);
            }
            State::Asleep | State::Ended => change(&mut self.tasks[task]),
        }
    }

    /// Looks who runs on a CPU now.
    pub(super) fn schedule(&mut self, cpu: usize) {
        self.account(cpu);
        let next = match self.pick(cpu) {
            None => self.pull(cpu).and_then(|()| self.pick(cpu)),
            some => some,
        };
        if next != self.cpus[cpu].current {
            self.cpus[cpu].current = next;
            self.note(cpu, next);
        }
        self.cpus[cpu].accounted_at = self.now;
    }

    /// Adds a change to the trace (FNV-1a over time, CPU and task).
    fn note(&mut self, cpu: usize, task: Option<usize>) {
        let task = task.map_or(u64::MAX, |task| task as u64);
        for word in [self.now, cpu as u64, task] {
            self.trace = (self.trace ^ word).wrapping_mul(0x0100_0000_01b3);
        }
    }

    /// Starts the period timer of a group that begins to use its pool.
    pub(super) fn start_period(&mut self, group: usize) {
        let now = self.now;
        let Some(pool) = &mut self.groups[group].pool else { return };
        if pool.active {
            return;
        }
        pool.active = true;
        // The kernel's timer keeps its phase while it is stopped.
        let period = pool.limit.period_nsec;
        let late = now.saturating_sub(pool.refill_at) / period + 1;
        pool.refill_at = if pool.refill_at > now {
            pool.refill_at
        } else {
            pool.refill_at.saturating_add(late.saturating_mul(period))
        };
        let (at, alarm) = (pool.refill_at, pool.alarm);
        self.set_timer(at, Timer::Period(group, alarm));
    }

    fn end_period(&mut self, group: usize, alarm: u64) {
        let state = &mut self.groups[group];
        let Some(pool) = &mut state.pool else { return };
        if pool.alarm != alarm {
            return;
        }
        let refilled = pool.refill(&mut state.stat);
        if refilled == Refilled::Stop {
            pool.active = false;
            return;
        }
        pool.refill_at = pool.refill_at.saturating_add(pool.limit.period_nsec);
        let at = pool.refill_at;
        self.set_timer(at, Timer::Period(group, alarm));
        if refilled == Refilled::Distribute {
            self.go_on(group);
        }
    }

    fn go_on(&mut self, group: usize) {
        let waiting = self.groups[group].pool.as_ref().map(|pool| pool.throttled.clone());
        // On those CPUs others run: what they used is booked before the queues change. On the others
        // it is not: whoever runs there must not take from the pool before those who wait.
        for cpu in waiting.into_iter().flatten() {
            self.account(cpu);
        }
        for cpu in self.distribute(group) {
            self.schedule(cpu);
        }
    }

    /// Slack is handed out 5 ms later, unless the period ends within 2 ms of that (`start_cfs_slack_bandwidth`).
    pub(super) fn arm_slack(&mut self, group: usize) {
        const LATER_NSEC: u64 = 5_000_000;
        const TOO_LATE_NSEC: u64 = 2_000_000;
        let now = self.now;
        let Some(pool) = &mut self.groups[group].pool else { return };
        let refill_in = pool.refill_at.saturating_sub(now);
        if pool.slack_armed || (pool.active && refill_in < LATER_NSEC + TOO_LATE_NSEC) {
            return;
        }
        pool.slack_armed = true;
        let alarm = pool.alarm;
        self.set_timer(now.saturating_add(LATER_NSEC), Timer::Slack(group, alarm));
    }

    fn hand_slack_out(&mut self, group: usize, alarm: u64) {
        const TOO_LATE_NSEC: u64 = 2_000_000;
        let (now, slice) = (self.now, self.hardware.slice_nsec);
        let Some(pool) = &mut self.groups[group].pool else { return };
        if pool.alarm != alarm {
            return;
        }
        pool.slack_armed = false;
        let soon = pool.active && pool.refill_at.saturating_sub(now) < TOO_LATE_NSEC;
        if !soon && pool.runtime > slice {
            self.go_on(group);
        }
    }
}
