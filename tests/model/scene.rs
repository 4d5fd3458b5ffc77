//! What is run in both: groups with limits, and busy loops in them. And the model's side of it.

use std::fmt;
use std::time::Duration;

use vitrine_shared::sim::cpu::{Bandwidth, CpuMask, Cpus, Demand, Hardware, ROOT};

use crate::harness::busy::Dice;

/// A group of a scene.
#[derive(Clone, Debug, Default)]
pub(crate) struct GroupScene {
    /// An earlier group of the scene.
    pub(crate) parent: Option<usize>,
    /// CPU time in each period; `None` is no limit.
    pub(crate) quota_usec: Option<u64>,
    /// The period.
    pub(crate) period_usec: u64,
    /// Burst.
    pub(crate) burst_usec: u64,
    /// Weight.
    pub(crate) shares: u64,
    /// The CPUs.
    pub(crate) cpus: Vec<usize>,
    /// Busy loops.
    pub(crate) threads: usize,
}

/// Some groups.
#[derive(Clone, Debug)]
pub(crate) struct Scene {
    /// Parents before their children.
    pub(crate) groups: Vec<GroupScene>,
}

/// What a group has done in a while.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Measured {
    /// Percent of one CPU.
    pub(crate) usage: f64,
    /// Percent of its periods.
    pub(crate) throttled: f64,
}

impl Measured {
    /// How far the two are apart in points: of one CPU, of the periods.
    pub(crate) fn apart(&self, other: &Measured) -> (f64, f64) {
        ((self.usage - other.usage).abs(), (self.throttled - other.throttled).abs())
    }
}

impl fmt::Display for Measured {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{:6.1} % {:5.1} %", self.usage, self.throttled)
    }
}

impl fmt::Display for GroupScene {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.quota_usec {
            Some(quota) => write!(f, "{quota}/{}+{}", self.period_usec, self.burst_usec)?,
            None => f.write_str("no quota")?,
        }
        write!(f, " shares {} cpus {:?} threads {}", self.shares, self.cpus, self.threads)?;
        self.parent.map_or(Ok(()), |parent| write!(f, " in {parent}"))
    }
}

impl Scene {
    /// One group, two that compete, or two below one with a quota of its own.
    pub(crate) fn draw(dice: &mut Dice, cpus: &[usize]) -> Self {
        let groups = match dice.roll(4) {
            0 | 1 => vec![leaf(dice, cpus, None)],
            2 => vec![leaf(dice, cpus, None), leaf(dice, cpus, None)],
            _ => {
                let parent =
                    GroupScene { threads: 0, cpus: cpus.to_vec(), ..leaf(dice, cpus, None) };
                let child = |dice: &mut Dice| leaf(dice, cpus, Some(0)).below(&parent);
                let (one, other) = (child(dice), child(dice));
                vec![parent, one, other]
            }
        };
        Scene { groups }
    }
}

impl GroupScene {
    /// v1 refuses a child more than its parent has.
    fn below(mut self, parent: &GroupScene) -> Self {
        if let (Some(quota), Some(above)) = (self.quota_usec, parent.quota_usec) {
            let most = above * self.period_usec / parent.period_usec;
            self.quota_usec = (most >= 1_000).then_some(quota.min(most));
            self.burst_usec = self.burst_usec.min(self.quota_usec.unwrap_or(0));
        }
        self
    }
}

fn leaf(dice: &mut Dice, cpus: &[usize], parent: Option<usize>) -> GroupScene {
    let period_usec = dice.one_of(&[5_000, 10_000, 25_000, 50_000, 100_000, 200_000]);
    let most = 1_000 * cpus.len() as u64;
    let quota_usec =
        (dice.roll(5) > 0).then(|| (period_usec * (50 + dice.roll(most)) / 1_000).max(1_000));
    let burst_usec = if dice.roll(4) == 0 { quota_usec.unwrap_or(0) / 2 } else { 0 };
    let one = vec![dice.one_of(cpus)];
    let cpus = if dice.roll(3) == 0 { one } else { cpus.to_vec() };
    let threads = 1 + usize::try_from(dice.roll(3)).unwrap();
    GroupScene {
        parent,
        quota_usec,
        period_usec,
        burst_usec,
        shares: dice.one_of(&[1_024, 1_024, 512, 2_048]),
        cpus,
        threads,
    }
}

/// The scene in the model.
#[expect(clippy::cast_precision_loss, reason = "seconds, in nanoseconds")]
pub(crate) fn run(scene: &Scene, cpus: &[usize], how_long: Duration) -> Vec<Measured> {
    let nsec = u64::try_from(how_long.as_nanos()).unwrap();
    let n_cpus = cpus.iter().max().unwrap() + 1;
    let mut model = Cpus::new(Hardware { n_cpus, ..Hardware::default() });
    let mut groups = Vec::new();
    for it in &scene.groups {
        let group = model.make_group(it.parent.map_or(ROOT, |parent| groups[parent])).unwrap();
        groups.push(group);
        model.set_shares(group, it.shares).unwrap();
        let limit = it.quota_usec.map(|quota| Bandwidth {
            quota_nsec: quota * 1_000,
            period_nsec: it.period_usec * 1_000,
            burst_nsec: it.burst_usec * 1_000,
        });
        // As on the kernel: the quota first, then the burst.
        let plain = limit.map(|limit| Bandwidth { burst_nsec: 0, ..limit });
        model.set_bandwidth(group, plain).unwrap();
        model.set_bandwidth(group, limit).unwrap();
        let mask = it.cpus.iter().fold(0, |mask, cpu| mask | 1 << cpu);
        model.set_cpus(group, CpuMask(mask)).unwrap();
        for _ in 0..it.threads {
            model.spawn(group, Demand::Busy).unwrap();
        }
    }
    // As on the kernel, the beginning is not looked at.
    model.advance(300_000_000);
    let read =
        |model: &Cpus| groups.iter().map(|group| model.stat(*group).unwrap()).collect::<Vec<_>>();
    let before = read(&model);
    model.advance(nsec);
    let measured =
        |(before, after): (&vitrine_shared::sim::cpu::Stat, &vitrine_shared::sim::cpu::Stat)| {
            Measured {
                usage: (after.usage_nsec - before.usage_nsec) as f64 / nsec as f64 * 100.0,
                throttled: part(
                    after.nr_throttled - before.nr_throttled,
                    after.nr_periods - before.nr_periods,
                ),
            }
        };
    before.iter().zip(&read(&model)).map(measured).collect()
}

/// In percent; nothing of nothing is nothing.
#[expect(clippy::cast_precision_loss, reason = "hundreds")]
pub(crate) fn part(some: u64, all: u64) -> f64 {
    some as f64 * 100.0 / all.max(1) as f64
}
