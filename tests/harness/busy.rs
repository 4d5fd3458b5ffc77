//! Busy loops under limits, and the CPU that a page shows of them beside the kernel's own counter.

use std::fs;
use std::path::{Path, PathBuf};
use std::sync::Barrier;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::{Duration, Instant};

use nix::time::{ClockId, clock_gettime};
use vitrine_shared::cgroup::{GroupId, Knob};
use vitrine_shared::focus::{CpuSample, Focus, Look};
use vitrine_shared::message::{Command, Event};
use vitrine_shared::spec::ContainerSpec;

use super::cgroup::{self, Dialect, by_dialect};
use super::client::{Client, Started};
use super::server::Server;

/// Limits, and how many loops run under them.
#[derive(Clone, Debug)]
pub(crate) struct Setting {
    /// CPU time in each period; `None` is no limit.
    pub(crate) quota_usec: Option<u64>,
    /// The period.
    pub(crate) period_usec: u64,
    /// Loops.
    pub(crate) threads: u32,
    /// The CPUs they may run on.
    pub(crate) cpus: String,
}

/// A source of settings: the same seed gives the same ones.
pub(crate) struct Dice {
    /// Said with every failure, so that it can be had again.
    pub(crate) seed: u64,
    state: u64,
}

impl Dice {
    /// `VITRINE_SEED`, or this one.
    pub(crate) fn new(seed: u64) -> Self {
        let given = std::env::var("VITRINE_SEED").ok().and_then(|seed| seed.parse().ok());
        let seed = given.unwrap_or(seed);
        Dice { seed, state: seed.max(1) }
    }

    /// A number from 0 to one less than `below` (xorshift, Marsaglia 2003).
    pub(crate) fn roll(&mut self, below: u64) -> u64 {
        self.state ^= self.state << 13;
        self.state ^= self.state >> 7;
        self.state ^= self.state << 17;
        self.state % below.max(1)
    }

    /// A setting; quotas stay below what a machine has (1.5 CPUs).
    pub(crate) fn setting(&mut self, cpus: &[u32]) -> Setting {
        let period_usec = self.one_of(&[5_000, 10_000, 25_000, 50_000, 100_000, 200_000]);
        let quota_usec =
            (self.roll(8) > 0).then(|| (period_usec * (20 + self.roll(1_300)) / 1_000).max(1_000));
        let one = cpus[self.index(cpus.len() as u64)].to_string();
        let cpus = match self.roll(2) {
            0 => one,
            _ => cpus.iter().map(u32::to_string).collect::<Vec<_>>().join(","),
        };
        let threads = 1 + u32::try_from(self.roll(4)).unwrap_or(0);
        Setting { quota_usec, period_usec, threads, cpus }
    }

    /// One of some.
    pub(crate) fn one_of<T: Copy>(&mut self, some: &[T]) -> T {
        some[self.index(some.len() as u64)]
    }

    fn index(&mut self, below: u64) -> usize {
        usize::try_from(self.roll(below)).unwrap_or(0)
    }
}

/// What a page shows and what the kernel counted over the same time, in percent of one CPU.
#[derive(Clone, Debug)]
pub(crate) struct Compared {
    /// By the first and the last reading that the page has heard.
    pub(crate) shown: f64,
    /// By the group's own file, read here.
    pub(crate) counted: f64,
    /// All that the page has heard.
    pub(crate) samples: Vec<CpuSample>,
}

impl Compared {
    /// How far apart they are, in points.
    pub(crate) fn points(&self) -> f64 {
        (self.shown - self.counted).abs()
    }
}

/// A container that does nothing by itself.
pub(crate) struct Busy {
    /// The page that made it.
    pub(crate) page: Client,
    /// It.
    pub(crate) started: Started,
    directory: PathBuf,
    cpus: Vec<u32>,
}

impl Busy {
    /// In a machine of its own.
    pub(crate) fn new(server: &Server) -> Self {
        let mut page = server.client();
        let started = page.start(None, idle());
        let name = started.machine.to_string()[..12].to_string();
        let machine = |controller| cgroup::of_instance_in(server.pid(), controller).join(&name);
        let controller = by_dialect("cpu", "cpuacct", "cpu");
        let effective = by_dialect("cpuset", "cpuset.effective_cpus", "cpuset.cpus.effective");
        let cpus = cpu_list(&cgroup::read(&machine("cpuset").join("root"), effective));
        Busy { page, started, directory: machine(controller).join("root/c1"), cpus }
    }

    /// The CPUs that there are for it.
    pub(crate) fn cpus(&self) -> &[u32] {
        &self.cpus
    }

    /// Its group.
    pub(crate) fn focus(&self) -> Focus {
        let group = GroupId::Container(self.started.container);
        Focus { machine: self.started.machine, group, look: Look::Cpu }
    }

    /// Turns a knob of its group.
    #[track_caller]
    pub(crate) fn knob(&mut self, knob: Knob) {
        let Focus { machine, group, .. } = self.focus();
        self.page.done(Command::SetKnob { machine, group, knob });
    }

    /// Starts a loop.
    #[track_caller]
    pub(crate) fn spin(&mut self) {
        let Started { machine, container, .. } = self.started;
        let argv = ["sh", "-c", "while : ; do : ; done"].map(String::from).to_vec();
        self.page.done(Command::Exec { machine, container, argv });
    }

    /// Ends the loops.
    #[track_caller]
    pub(crate) fn rest(&mut self) {
        let Started { machine, container, .. } = self.started;
        self.page.done(Command::StopExecs { machine, container });
    }

    /// Runs loops under a setting for a while, looks at them closely, and counts beside it.
    #[track_caller]
    pub(crate) fn compare(&mut self, setting: &Setting, how_long: Duration) -> Compared {
        let Setting { quota_usec, period_usec, ref cpus, threads } = *setting;
        self.knob(Knob::CpuMax { quota_usec, period_usec });
        self.knob(Knob::CpusetCpus(cpus.clone()));
        (0..threads).for_each(|_| self.spin());
        self.page.done(Command::Focus { on: Some(self.focus()) });
        let (end, begun) = (AtomicBool::new(false), Barrier::new(2));
        let (samples, counted) = std::thread::scope(|scope| {
            let (directory, end, begun) = (&self.directory, &end, &begun);
            let counting = scope.spawn(move || count(directory, end, begun));
            begun.wait();
            let samples = listen(&mut self.page, how_long);
            end.store(true, Ordering::Relaxed);
            (samples, counting.join().expect("the count"))
        });
        self.page.done(Command::Focus { on: None });
        self.rest();
        let [first, .., last] = &samples[..] else { panic!("{} samples", samples.len()) };
        let shown = last.permille_since(first).expect("a rate") / 10.0;
        let used = usage_at(&counted, last.at_nsec) - usage_at(&counted, first.at_nsec);
        let counted = used / (nsec(last.at_nsec) - nsec(first.at_nsec)) * 100.0;
        Compared { shown, counted, samples }
    }
}

/// A container whose first process sleeps.
pub(crate) fn idle() -> ContainerSpec {
    ContainerSpec {
        argv: vec!["sleep".into(), "1000".into()],
        tty: false,
        ..ContainerSpec::one_click()
    }
}

/// The close samples of a while; the first comes after the count has begun.
fn listen(page: &mut Client, how_long: Duration) -> Vec<CpuSample> {
    page.listen(Duration::from_millis(100));
    page.forget();
    let deadline = Instant::now() + how_long;
    let mut samples = Vec::new();
    while Instant::now() < deadline {
        samples.push(page.event("a close sample", |event| match event {
            Event::Cpu(sample) => Some(sample),
            _ => None,
        }));
    }
    // The count goes on for a moment, so that the last sample lies within it.
    std::thread::sleep(Duration::from_millis(20));
    samples
}

/// The kernel's counter every two milliseconds: when, and how much. Tells when it has begun.
fn count(directory: &Path, end: &AtomicBool, begun: &Barrier) -> Vec<(f64, f64)> {
    let dialect = cgroup::dialect("cpu");
    let path = directory.join(by_dialect("cpu", "cpuacct.usage", "cpu.stat"));
    let read = || {
        let at = clock_gettime(ClockId::CLOCK_MONOTONIC).expect("the clock");
        let text = fs::read_to_string(&path).expect("the counter");
        let used = match dialect {
            Dialect::V1 => text.trim().parse::<u64>().ok(),
            Dialect::V2 => text.lines().find_map(|line| {
                Some(line.strip_prefix("usage_usec ")?.parse::<u64>().ok()? * 1_000)
            }),
        };
        let used = used.expect("a number");
        let sec = u64::try_from(at.tv_sec()).expect("after boot");
        let at = sec * 1_000_000_000 + u64::try_from(at.tv_nsec()).expect("nanoseconds");
        (nsec(at), nsec(used))
    };
    let mut counted = vec![read()];
    begun.wait();
    while !end.load(Ordering::Relaxed) {
        std::thread::sleep(Duration::from_millis(2));
        counted.push(read());
    }
    counted
}

/// What had been used at a moment: between two counts, as if it was used evenly.
#[track_caller]
fn usage_at(counted: &[(f64, f64)], at_nsec: u64) -> f64 {
    let at = nsec(at_nsec);
    let after = counted.iter().position(|count| count.0 >= at).expect("counted long enough");
    let (from, to) = (counted[after.checked_sub(1).expect("counted early enough")], counted[after]);
    from.1 + (to.1 - from.1) * (at - from.0) / (to.0 - from.0)
}

#[expect(clippy::cast_precision_loss, reason = "hours, in nanoseconds")]
fn nsec(nsec: u64) -> f64 {
    nsec as f64
}

/// `0-1,4` as numbers.
pub(crate) fn cpu_list(text: &str) -> Vec<u32> {
    let number = |text: &str| text.parse::<u32>().expect("a CPU");
    let range = |part: &str| match part.split_once('-') {
        Some((from, to)) => number(from)..=number(to),
        None => number(part)..=number(part),
    };
    text.split(',').flat_map(range).collect()
}
