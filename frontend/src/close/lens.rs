//! The picture of the last periods: the tank, what each sample used, a row for each CPU and thread.

use vitrine_shared::cpu::Reading;
use vitrine_shared::focus::CpuSample;

use super::{Close, float};
use crate::draw::{Path, Scale};

/// CPUs with a row of their own.
const CPU_LANES: usize = 8;
/// Threads with a row of their own.
const THREAD_LANES: usize = 6;
/// Height of such a row, in CSS pixels.
pub(crate) const LANE: f64 = 16.0;
/// Where the tank, the strip of run and wait, the columns and the rows are.
pub(crate) const TANK: (f64, f64) = (3.0, 47.0);
pub(crate) const STRIP: (f64, f64) = (53.0, 63.0);
pub(crate) const COLUMNS: (f64, f64) = (69.0, 101.0);
pub(crate) const ROWS: f64 = 106.0;

/// Whose time a row is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Lane {
    /// One CPU's, by its number; only where the kernel counts it so.
    Cpu(usize),
    /// One thread's, by its TID on the host.
    Thread(u32),
}

/// The period lens's paths.
#[derive(Clone, Debug, Default, PartialEq)]
pub(crate) struct Periods {
    pub(crate) height: f64,
    /// Ends of periods, modelled.
    pub(crate) ends: Path,
    /// Where the quota is in a tank that holds more: what lies above was saved up.
    pub(crate) quota: Path,
    /// The tank's level, modelled.
    pub(crate) tank: Path,
    /// The tank's level at each reading, measured.
    pub(crate) dots: Path,
    /// Run and wait, modelled.
    pub(crate) run: Path,
    pub(crate) wait: Path,
    /// CPU used in each sample, and the share of its periods that were throttled: measured.
    pub(crate) used: Path,
    pub(crate) throttled: Path,
    /// The rows: time used on a CPU or by a thread, and a thread's time of waiting. Measured.
    pub(crate) ran: Path,
    pub(crate) waited: Path,
    /// Whose the rows are, from the top.
    pub(crate) lanes: Vec<Lane>,
}

impl Close {
    /// The last so many periods on so many CPUs, at this width.
    pub(crate) fn periods(&self, width: f64, periods: u32, cpus: u64) -> Periods {
        let mut picture = Periods { height: ROWS, ..Periods::default() };
        let Some(last) = self.last() else { return picture };
        picture.lanes = self.lanes(last);
        picture.height = ROWS + LANE * float(picture.lanes.len() as u64);
        let now = float(last.at_nsec);
        let span = float(self.span_nsec(periods));
        let x = Scale { values: (now - span, now), pixels: (0.0, width) };
        self.measured(&mut picture, x);
        self.modelled(&mut picture, x, cpus, last.at_nsec);
        picture
    }

    /// CPUs that were used while it was looked at, or all of a few; then its first threads.
    fn lanes(&self, last: &CpuSample) -> Vec<Lane> {
        let first = self.samples.iter().next();
        let was_used = |cpu: &usize| {
            let of = |sample: &CpuSample| sample.cpus_nsec.get(*cpu).copied().unwrap_or(0);
            last.cpus_nsec.len() <= CPU_LANES || first.is_some_and(|first| of(last) > of(first))
        };
        let cpus = (0..last.cpus_nsec.len()).filter(was_used).take(CPU_LANES).map(Lane::Cpu);
        let threads = last.threads.iter().take(THREAD_LANES);
        cpus.chain(threads.map(|thread| Lane::Thread(thread.tid))).collect()
    }

    fn modelled(&self, picture: &mut Periods, x: Scale, cpus: u64, now_nsec: u64) {
        let Some(tank) = self.tank(cpus) else { return };
        let begin = x.values.0;
        let height = picture.height;
        let y = Scale { values: (0.0, float(tank.full_nsec.max(1))), pixels: (TANK.1, TANK.0) };
        if tank.full_nsec > tank.quota_nsec {
            picture.quota.level(x.pixels, y.at(float(tank.quota_nsec)));
        }
        for period in tank.periods.iter().filter(|period| float(period.end_nsec) > begin) {
            picture.ends.upright(x.at(float(period.start_nsec)), (0.0, height));
            let at = |&(at, level): &(u64, u64)| (x.at(float(at)), y.at(float(level)));
            picture.tank.line(period.line.iter().map(at));
            let is_shown = |dot: &&(u64, u64)| float(dot.0) >= begin;
            period.dots.iter().filter(is_shown).for_each(|dot| picture.dots.dot(at(dot), 2.5));
            let until = float(period.end_nsec.min(now_nsec));
            let dry = period.empty_nsec.map_or(until, float);
            let strip = |from: f64, to: f64| (x.at(from), x.at(to));
            if period.used_nsec > 0 {
                picture.run.bar(strip(float(period.start_nsec), dry), STRIP);
            }
            picture.wait.bar(strip(dry, until), STRIP);
        }
    }

    fn measured(&self, picture: &mut Periods, x: Scale) {
        let pairs = || self.samples.iter().zip(self.samples.iter().skip(1));
        let since = |(before, now): (&CpuSample, &CpuSample)| {
            Reading::from(now).since(&Reading::from(before))
        };
        let most = pairs().filter_map(since).map(|passed| passed.permille()).fold(0.0, f64::max);
        let cpus = ((most - 50.0) / 1_000.0).ceil().max(1.0);
        let y = Scale { values: (0.0, cpus * 1_000.0), pixels: (COLUMNS.1, COLUMNS.0) };
        for (before, now) in pairs() {
            let Some(passed) = since((before, now)) else { continue };
            let (from, to) = (x.at(float(before.at_nsec)), x.at(float(now.at_nsec)));
            if to <= x.pixels.0 {
                continue;
            }
            // A hair of air between two samples: each is one.
            let xs = (from, (to - 1.0).max(from));
            picture.used.bar(xs, (COLUMNS.1, y.at(passed.permille())));
            if let Some(share) = passed.throttled_share().filter(|share| *share > 0.0) {
                let room = y.at(passed.permille()) - COLUMNS.0;
                picture.throttled.bar(xs, (COLUMNS.0, COLUMNS.0 + share * room));
            }
            rows(picture, xs, (before, now), passed.nsec);
        }
    }
}

/// What each row has of the time between two samples: used from its floor up, waited from its top
/// down.
fn rows(picture: &mut Periods, xs: (f64, f64), two: (&CpuSample, &CpuSample), nsec: u64) {
    for (at, lane) in picture.lanes.iter().enumerate() {
        let Some((ran, waited)) = lane.passed(two) else { continue };
        let share = |of: u64| (float(of) / float(nsec.max(1))).min(1.0) * (LANE - 4.0);
        let ran = share(ran);
        let waited = share(waited).min(LANE - 4.0 - ran);
        let top = ROWS + LANE * float(at as u64) + 2.0;
        let floor = top + LANE - 4.0;
        if ran > 0.0 {
            picture.ran.bar(xs, (floor, floor - ran));
        }
        if waited > 0.0 {
            picture.waited.bar(xs, (top, top + waited));
        }
    }
}

impl Lane {
    /// Nanoseconds that it was used and that it waited between two samples; `None` where it is not
    /// in both. The kernel does not say who waits for a CPU.
    fn passed(self, (before, now): (&CpuSample, &CpuSample)) -> Option<(u64, u64)> {
        match self {
            Lane::Cpu(cpu) => {
                let (from, to) = (before.cpus_nsec.get(cpu)?, now.cpus_nsec.get(cpu)?);
                Some((to.saturating_sub(*from), 0))
            }
            Lane::Thread(tid) => {
                let of = |sample: &CpuSample| sample.threads.iter().find(|t| t.tid == tid).copied();
                let (from, to) = (of(before)?, of(now)?);
                let (ran, waited) = (to.run_nsec, to.wait_nsec);
                Some((ran.saturating_sub(from.run_nsec), waited.saturating_sub(from.wait_nsec)))
            }
        }
    }
}
