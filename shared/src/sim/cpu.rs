//! CPUs, tasks and groups in virtual time: the kernel's fair scheduler with bandwidth control.
//!
//! Discrete events, integer nanoseconds, no clock of its own: [`Cpus::advance`] lets time pass.
//! The rules, and where they are from:
//!
//! * *Who runs*: of what is queued on a CPU, whatever has had the least time for its weight
//!   (`Documentation/scheduler/sched-design-CFS.rst`), group by group from the root down. Since 6.6
//!   the kernel asks for the earliest deadline among those that are owed time (EEVDF,
//!   `sched-eevdf.rst`): the order within some milliseconds differs, the sums are alike.
//! * *Bandwidth*: a pool for each group, slices of 5 ms for each CPU, slack given back, periods that
//!   are counted only while somebody uses them, burst (`sched-bwc.rst`; `pool`).
//! * *When it is looked at*: at each tick, and when somebody wakes or sleeps. A group can therefore
//!   run longer than it may, by up to a tick on each CPU, and owes it in the next period.
//! * *Which CPU*: an idle one that is allowed; a CPU with nothing to do takes work from the fullest;
//!   now and then tasks move from a CPU with more load to one with less (`balance`).
//!
//! Not modelled: time that the kernel itself uses, caches, frequencies, other classes than the fair one.

mod balance;
mod demand;
mod pool;
mod queue;
mod run;
mod told;

#[cfg(test)]
mod tests;

use std::cmp::Reverse;
use std::collections::BinaryHeap;

pub use demand::Demand;
use demand::{State, Task};
use pool::Pool;
use queue::Queue;
use run::Timer;

use crate::spec::{MIN_QUOTA_USEC, PERIOD_USEC};

/// The most CPUs of a model.
pub const CPUS_MAX: usize = 64;
/// Virtual time passes at the pace of real time for this weight.
pub const NICE_0_WEIGHT: u64 = 1024;
/// The shortest and the longest period that the kernel takes.
pub const PERIOD_NSEC: std::ops::RangeInclusive<u64> =
    *PERIOD_USEC.start() * 1_000..=*PERIOD_USEC.end() * 1_000;
/// The least quota that the kernel takes.
pub const QUOTA_MIN_NSEC: u64 = MIN_QUOTA_USEC * 1_000;
/// Weights of groups, as `cpu.shares` has them.
pub const SHARES: std::ops::RangeInclusive<u64> = 2..=262_144;
/// The group that all others are below.
pub const ROOT: Group = Group(0);

/// A set of CPUs, one bit each.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct CpuMask(pub u64);

impl CpuMask {
    /// Every CPU there is.
    pub const ALL: CpuMask = CpuMask(u64::MAX);

    fn has(self, cpu: usize) -> bool {
        cpu < CPUS_MAX && self.0 & (1 << cpu) != 0
    }
}

/// The key of a task. It is valid in the model that gave it.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct TaskKey(usize);

/// The key of a group. It is valid in the model that gave it.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Group(usize);

/// What the model does not do, as the kernel's `errno` would tell it.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum Refused {
    /// `EINVAL`: a value out of its range.
    #[error("invalid argument")]
    Invalid,
    /// `ENOENT`: no such task or group, or one that has ended.
    #[error("no such task or group")]
    Missing,
    /// `EBUSY`: the group has tasks or groups in it.
    #[error("device or resource busy")]
    Busy,
}

/// A quota: so much CPU time in each period.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Bandwidth {
    /// CPU time in each period.
    pub quota_nsec: u64,
    /// The length of a period.
    pub period_nsec: u64,
    /// What may be saved up for later periods, at most.
    pub burst_nsec: u64,
}

/// What `cpu.stat` tells of a group.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Stat {
    /// CPU time used, with that of the groups below.
    pub usage_nsec: u64,
    /// Periods that were counted.
    pub nr_periods: u64,
    /// Those at whose end the group waited on some CPU.
    pub nr_throttled: u64,
    /// Time waited, summed over the CPUs.
    pub throttled_nsec: u64,
    /// Periods in which more than the quota was used.
    pub nr_bursts: u64,
    /// What was used above the quota.
    pub burst_nsec: u64,
}

/// The machine that is modelled.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Hardware {
    /// 1 to [`CPUS_MAX`]; others are clamped.
    pub n_cpus: usize,
    /// From one tick to the next: 4 ms where the kernel has `CONFIG_HZ=250`.
    pub tick_nsec: u64,
    /// The slice that a CPU takes from a pool (`sched_cfs_bandwidth_slice_us`).
    pub slice_nsec: u64,
    /// What random waits are drawn from.
    pub seed: u64,
}

impl Default for Hardware {
    fn default() -> Self {
        Hardware { n_cpus: 2, tick_nsec: 4_000_000, slice_nsec: 5_000_000, seed: 1 }
    }
}

/// A group and what it has on each CPU.
#[derive(Clone, Debug)]
struct GroupState {
    /// `None` is the root.
    parent: Option<usize>,
    shares: u64,
    allowed: CpuMask,
    frozen: bool,
    gone: bool,
    pool: Option<Pool>,
    stat: Stat,
    queues: Vec<Queue>,
    /// The load of all its queues.
    load: u64,
}

/// One CPU.
#[derive(Clone, Debug, Default)]
struct Cpu {
    current: Option<usize>,
    /// Until when the current task's time is accounted.
    accounted_at: u64,
    /// Balancing that found nothing that would have made it better.
    balance_failed: u32,
}

/// The model. See the module for its rules.
#[derive(Clone, Debug)]
pub struct Cpus {
    hardware: Hardware,
    now: u64,
    cpus: Vec<Cpu>,
    tasks: Vec<Task>,
    groups: Vec<GroupState>,
    timers: BinaryHeap<Reverse<(u64, u64, Timer)>>,
    /// Numbers for timers, so that those of one moment fire in the order in which they were set.
    count: u64,
    random: u64,
    trace: u64,
    /// Tasks that have done what was asked for once.
    done: Vec<TaskKey>,
    /// Load averages in 2048ths, and when they were counted last.
    loads: [u64; 3],
    load_counted_at: u64,
}

impl Cpus {
    /// Idle CPUs and the root group.
    pub fn new(hardware: Hardware) -> Self {
        let n_cpus = hardware.n_cpus.clamp(1, CPUS_MAX);
        let tick_nsec = hardware.tick_nsec.clamp(100_000, 1_000_000_000);
        let slice_nsec = hardware.slice_nsec.clamp(1_000, 1_000_000_000);
        let mut model = Cpus {
            hardware: Hardware { n_cpus, tick_nsec, slice_nsec, ..hardware },
            now: 0,
            cpus: vec![Cpu::default(); n_cpus],
            tasks: Vec::new(),
            groups: Vec::new(),
            timers: BinaryHeap::new(),
            count: 0,
            random: hardware.seed | 1,
            trace: 0xcbf2_9ce4_8422_2325,
            done: Vec::new(),
            loads: [0; 3],
            load_counted_at: 0,
        };
        model.push_group(None);
        model
    }

    /// Nanoseconds since the beginning.
    pub fn now_nsec(&self) -> u64 {
        self.now
    }

    /// The CPUs of the machine.
    pub fn n_cpus(&self) -> usize {
        self.hardware.n_cpus
    }

    /// A hash of every change of who runs where: two runs that agree in it went the same way.
    pub fn trace_hash(&self) -> u64 {
        self.trace
    }

    /// Makes a group below `parent`, with no quota and the usual weight.
    pub fn make_group(&mut self, parent: Group) -> Result<Group, Refused> {
        self.group(parent)?;
        Ok(self.push_group(Some(parent.0)))
    }

    fn push_group(&mut self, parent: Option<usize>) -> Group {
        let queues = vec![Queue::default(); self.hardware.n_cpus];
        self.groups.push(GroupState {
            parent,
            shares: NICE_0_WEIGHT,
            allowed: CpuMask::ALL,
            frozen: false,
            gone: false,
            pool: None,
            stat: Stat::default(),
            queues,
            load: 0,
        });
        Group(self.groups.len() - 1)
    }

    /// Removes an empty group.
    pub fn remove_group(&mut self, group: Group) -> Result<(), Refused> {
        self.group(group)?;
        let child = |other: &GroupState| !other.gone && other.parent == Some(group.0);
        let member = |task: &Task| task.state != State::Ended && task.group == group.0;
        if group == ROOT || self.groups.iter().any(child) || self.tasks.iter().any(member) {
            return Err(Refused::Busy);
        }
        self.groups[group.0].gone = true;
        self.groups[group.0].pool = None;
        Ok(())
    }

    /// Starts a task of the usual weight.
    pub fn spawn(&mut self, group: Group, demand: Demand) -> Result<TaskKey, Refused> {
        self.group(group)?;
        self.tasks.push(Task::new(demand, group.0, CpuMask::ALL, NICE_0_WEIGHT));
        let task = self.tasks.len() - 1;
        self.begin(task);
        Ok(TaskKey(task))
    }

    /// Ends a task.
    pub fn kill(&mut self, task: TaskKey) -> Result<(), Refused> {
        self.task(task)?;
        self.leave(task.0);
        self.tasks[task.0].state = State::Ended;
        Ok(())
    }

    /// Changes what a task wants from now on.
    pub fn set_demand(&mut self, task: TaskKey, demand: Demand) -> Result<(), Refused> {
        self.task(task)?;
        self.leave(task.0);
        self.tasks[task.0].state = State::Asleep;
        self.tasks[task.0].demand = demand;
        self.begin(task.0);
        Ok(())
    }

    /// Moves a task to another group.
    pub fn move_task(&mut self, task: TaskKey, group: Group) -> Result<(), Refused> {
        self.task(task)?;
        self.group(group)?;
        self.requeue(task.0, |it| {
            it.group = group.0;
            it.lag = 0;
        });
        Ok(())
    }

    /// Sets on which CPUs a task may run (`sched_setaffinity`).
    pub fn set_affinity(&mut self, task: TaskKey, allowed: CpuMask) -> Result<(), Refused> {
        self.task(task)?;
        self.some_cpu(allowed)?;
        self.requeue(task.0, |it| it.allowed = allowed);
        Ok(())
    }

    /// Sets on which CPUs the tasks of a group may run (`cpuset.cpus`).
    pub fn set_cpus(&mut self, group: Group, allowed: CpuMask) -> Result<(), Refused> {
        self.group(group)?;
        self.some_cpu(allowed)?;
        self.groups[group.0].allowed = allowed;
        self.requeue_below(group.0);
        Ok(())
    }

    /// Sets the weight of a group, as `cpu.shares` (1024 is the usual; v2's `cpu.weight` 100).
    pub fn set_shares(&mut self, group: Group, shares: u64) -> Result<(), Refused> {
        self.group(group)?;
        if group == ROOT {
            return Err(Refused::Invalid);
        }
        // The kernel clamps instead of refusing.
        self.groups[group.0].shares = shares.clamp(*SHARES.start(), *SHARES.end());
        Ok(())
    }

    /// Sets or takes away the quota of a group.
    pub fn set_bandwidth(&mut self, group: Group, limit: Option<Bandwidth>) -> Result<(), Refused> {
        self.group(group)?;
        let sound = |limit: &Bandwidth| {
            PERIOD_NSEC.contains(&limit.period_nsec)
                && limit.quota_nsec >= QUOTA_MIN_NSEC
                && limit.burst_nsec <= limit.quota_nsec
        };
        if group == ROOT || limit.as_ref().is_some_and(|limit| !sound(limit)) {
            return Err(Refused::Invalid);
        }
        self.change_pool(group.0, limit);
        Ok(())
    }

    /// Stops the tasks of a group, or lets them go on.
    pub fn freeze(&mut self, group: Group, frozen: bool) -> Result<(), Refused> {
        self.group(group)?;
        if group == ROOT {
            return Err(Refused::Invalid);
        }
        self.groups[group.0].frozen = frozen;
        self.requeue_below(group.0);
        Ok(())
    }

    /// Stops one task, or lets it go on: what a freezer of a hierarchy of its own does.
    pub fn freeze_task(&mut self, task: TaskKey, frozen: bool) -> Result<(), Refused> {
        if self.task(task)?.stopped != frozen {
            self.requeue(task.0, |it| it.stopped = frozen);
        }
        Ok(())
    }

    fn group(&self, group: Group) -> Result<&GroupState, Refused> {
        self.groups.get(group.0).filter(|state| !state.gone).ok_or(Refused::Missing)
    }

    fn task(&self, task: TaskKey) -> Result<&Task, Refused> {
        let there = |state: &&Task| state.state != State::Ended;
        self.tasks.get(task.0).filter(there).ok_or(Refused::Missing)
    }

    fn some_cpu(&self, allowed: CpuMask) -> Result<(), Refused> {
        let some = (0..self.hardware.n_cpus).any(|cpu| allowed.has(cpu));
        if some { Ok(()) } else { Err(Refused::Invalid) }
    }

    /// Something has changed that decides where the tasks of a group, and of those below it, stand.
    fn requeue_below(&mut self, group: usize) {
        for task in 0..self.tasks.len() {
            if self.is_below(self.tasks[task].group, group) {
                self.requeue(task, |_| {});
            }
        }
    }

    /// Is `group` the group `above`, or below it?
    fn is_below(&self, group: usize, above: usize) -> bool {
        let mut at = Some(group);
        while let Some(here) = at {
            if here == above {
                return true;
            }
            at = self.groups[here].parent;
        }
        false
    }

    /// An even number below `bound`, by xorshift64*.
    fn draw(&mut self, bound: u64) -> u64 {
        self.random ^= self.random >> 12;
        self.random ^= self.random << 25;
        self.random ^= self.random >> 27;
        self.random.wrapping_mul(0x2545_f491_4f6c_dd1d) % bound.max(1)
    }
}
