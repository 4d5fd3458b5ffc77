//! The pictures of the CPU lens: close samples in, paths and figures out. Pure.
//!
//! Two inks: what is measured is drawn solid, what is modelled in outline (`shared::cpu`).

use vitrine_shared::cpu::overview::{Axis, bins};
use vitrine_shared::cpu::ring::Ring;
use vitrine_shared::cpu::tank::{Period, Tank, tank};
use vitrine_shared::cpu::{Passed, Reading};
use vitrine_shared::focus::CpuSample;

use crate::draw::{Path, Scale};

/// Length of the overview's bins: a whole number of the usual periods, so that each holds as many
/// refills as the next.
const BIN_NSEC: u64 = 500_000_000;
/// Bins of the overview: a minute.
const BINS: usize = 120;
/// Readings that are kept: a minute and some more of them, at nineteen a second.
const READINGS: usize = 1_280;
/// Samples that are kept whole: more than three seconds.
const SAMPLES: usize = 64;
/// Threads with a row of their own.
pub(crate) const LANES: usize = 6;
/// Height of such a row, in CSS pixels.
const LANE: f64 = 14.0;
/// Where the tank, the strip of run and wait, the columns and the rows of threads are.
const TANK: (f64, f64) = (4.0, 54.0);
const STRIP: (f64, f64) = (60.0, 70.0);
const COLUMNS: (f64, f64) = (76.0, 114.0);
const THREADS: f64 = 120.0;
/// Time that a figure is of.
const FIGURE_NSEC: u64 = 1_000_000_000;

/// What was heard of one group.
#[derive(Clone, Debug)]
pub(crate) struct Close {
    readings: Ring<Reading>,
    samples: Ring<CpuSample>,
}

/// The overview's paths.
#[derive(Clone, Debug, Default, PartialEq)]
pub(crate) struct Overview {
    pub(crate) area: Path,
    pub(crate) edge: Path,
    pub(crate) quota: Path,
    pub(crate) throttled: Path,
    /// What its height stands for, in thousandths of one CPU.
    pub(crate) top_permille: f64,
}

/// The period lens's paths.
#[derive(Clone, Debug, Default, PartialEq)]
pub(crate) struct Periods {
    pub(crate) height: f64,
    /// Ends of periods, modelled.
    pub(crate) ends: Path,
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
    /// Threads: time on a CPU, and time of waiting. Measured.
    pub(crate) ran: Path,
    pub(crate) waited: Path,
    /// The TIDs of the rows.
    pub(crate) lanes: Vec<u32>,
}

/// The figures of the last second.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(crate) struct Figures {
    /// In thousandths of one CPU.
    pub(crate) permille: f64,
    /// In per cent of the quota; `None` without one.
    pub(crate) of_quota: Option<f64>,
    /// Periods, and those that were throttled.
    pub(crate) passed: Passed,
    /// Periods in which saved quota was used, so far.
    pub(crate) nr_bursts: u64,
}

/// One period in numbers, for its sentence.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(crate) struct InWords {
    /// How long ago its refill was, in milliseconds.
    pub(crate) ago_msec: f64,
    pub(crate) threads: u64,
    pub(crate) used_msec: f64,
    pub(crate) quota_msec: f64,
    /// How long it ran until the tank was empty, and how long all waited then; modelled.
    pub(crate) dry: Option<(f64, f64)>,
    /// How far off these can be.
    pub(crate) uncertain_msec: f64,
}

/// One sample in numbers, for the table: since the one before it.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(crate) struct Row {
    pub(crate) ago_msec: f64,
    pub(crate) permille: f64,
    pub(crate) periods: u64,
    pub(crate) throttled: u64,
    pub(crate) ran_msec: f64,
    pub(crate) waited_msec: f64,
}

impl Default for Close {
    fn default() -> Self {
        Close { readings: Ring::new(READINGS), samples: Ring::new(SAMPLES) }
    }
}

impl Close {
    /// Begins with what is known from samples of the whole machine.
    pub(crate) fn begin(&mut self, readings: impl Iterator<Item = Reading>) {
        self.readings.clear();
        self.samples.clear();
        readings.for_each(|reading| self.readings.push(reading));
    }

    /// Adds a sample; one of a clock that began anew begins everything anew.
    pub(crate) fn push(&mut self, sample: CpuSample) {
        let last = self.readings.last().map_or(0, |reading| reading.at_nsec);
        if sample.at_nsec <= last {
            // The latest seed may be a few milliseconds late.
            if last - sample.at_nsec < FIGURE_NSEC {
                return;
            }
            self.begin(std::iter::empty());
        }
        self.readings.push(Reading::from(&sample));
        self.samples.push(sample);
    }

    /// Has a close sample been heard?
    pub(crate) fn is_close(&self) -> bool {
        !self.samples.is_empty()
    }

    /// The latest sample.
    pub(crate) fn last(&self) -> Option<&CpuSample> {
        self.samples.last()
    }

    /// The last minute, at this size; `wanted` is a quota that a hand asks for.
    pub(crate) fn overview(&self, (width, height): (f64, f64), wanted: Option<f64>) -> Overview {
        let Some(now) = self.readings.last().map(|reading| reading.at_nsec) else {
            return Overview { top_permille: 1_000.0, ..Overview::default() };
        };
        let axis = Axis::ending(now, BIN_NSEC, BINS);
        let bins = bins(self.readings.iter(), axis);
        let most = bins.iter().filter_map(|bin| bin.used_permille).fold(0.0, f64::max);
        let quota = bins.last().and_then(|bin| bin.quota_permille).or(wanted).unwrap_or(0.0);
        let cpus = ((most - 50.0).max(quota) / 1_000.0).ceil().max(1.0);
        let mut picture = Overview { top_permille: cpus * 1_000.0, ..Overview::default() };
        let span = float(BIN_NSEC * BINS as u64);
        let x = Scale { values: (float(now) - span, float(now)), pixels: (0.0, width) };
        let y = Scale { values: (0.0, picture.top_permille), pixels: (height, 0.0) };
        let mut at = axis.start_nsec;
        for bin in &bins {
            let xs = (x.at(float(at)), x.at(float(at + BIN_NSEC)));
            at += BIN_NSEC;
            let used = bin.used_permille.unwrap_or(0.0);
            if bin.used_permille.is_some() {
                picture.area.bar(xs, (height, y.at(used)));
                picture.edge.level(xs, y.at(used));
            }
            if let Some(quota) = bin.quota_permille {
                picture.quota.level(xs, y.at(quota));
            }
            if let Some(share) = bin.throttled.filter(|share| *share > 0.0) {
                let floor = y.at(used.max(bin.quota_permille.unwrap_or(0.0)));
                picture.throttled.bar(xs, (0.0, share * floor));
            }
        }
        picture
    }

    /// The last so many periods; without a quota, as long as they would last at 100 ms.
    fn span_nsec(&self, periods: u32) -> u64 {
        let usec =
            self.last().filter(|last| last.quota_usec.is_some()).map(|last| last.period_usec);
        let usec = usec.filter(|usec| *usec > 0).unwrap_or(100_000);
        (usec * 1_000 * u64::from(periods)).clamp(400_000_000, 3_200_000_000)
    }

    /// How many of its threads could run at once, of those that wanted to.
    fn parallel(&self, cpus: u64) -> u64 {
        let (Some(last), Some(first)) = (self.last(), self.samples.iter().rev().nth(10)) else {
            return 1;
        };
        let wants = last.threads.iter().filter(|now| {
            let before = first.threads.iter().find(|before| before.tid == now.tid);
            before.is_some_and(|b| now.run_nsec > b.run_nsec || now.wait_nsec > b.wait_nsec)
        });
        (wants.count() as u64).clamp(1, cpus.max(1))
    }

    fn tank(&self, cpus: u64) -> Option<Tank> {
        let readings: Vec<_> = self.samples.iter().map(Reading::from).collect();
        tank(&readings, self.parallel(cpus), self.last()?.burst_usec)
    }

    /// The last so many periods on so many CPUs, at this width.
    pub(crate) fn periods(&self, width: f64, periods: u32, cpus: u64) -> Periods {
        let mut picture = Periods { height: THREADS, ..Periods::default() };
        let Some(last) = self.last() else { return picture };
        picture.lanes = last.threads.iter().take(LANES).map(|thread| thread.tid).collect();
        picture.height = THREADS + LANE * float(picture.lanes.len() as u64);
        let now = float(last.at_nsec);
        let span = float(self.span_nsec(periods));
        let x = Scale { values: (now - span, now), pixels: (0.0, width) };
        self.measured(&mut picture, x);
        if let Some(tank) = self.tank(cpus) {
            let height = picture.height;
            let y = Scale { values: (0.0, float(tank.full_nsec.max(1))), pixels: (TANK.1, TANK.0) };
            let shown = |period: &&Period| float(period.end_nsec) > now - span;
            for period in tank.periods.iter().filter(shown) {
                picture.ends.upright(x.at(float(period.start_nsec)), (0.0, height));
                let at = |&(at, level): &(u64, u64)| (x.at(float(at)), y.at(float(level)));
                picture.tank.line(period.line.iter().map(at));
                let is_shown = |dot: &&(u64, u64)| float(dot.0) >= now - span;
                period.dots.iter().filter(is_shown).for_each(|dot| picture.dots.dot(at(dot), 2.5));
                let until = float(period.end_nsec.min(last.at_nsec));
                let dry = period.empty_nsec.map_or(until, float);
                let strip = |from: f64, to: f64| (x.at(from), x.at(to));
                if period.used_nsec > 0 {
                    picture.run.bar(strip(float(period.start_nsec), dry), STRIP);
                }
                picture.wait.bar(strip(dry, until), STRIP);
            }
        }
        picture
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
            for (lane, tid) in picture.lanes.iter().enumerate() {
                let of =
                    |sample: &CpuSample| sample.threads.iter().find(|t| t.tid == *tid).copied();
                let (Some(a), Some(b)) = (of(before), of(now)) else { continue };
                let top = THREADS + LANE * float(lane as u64);
                let share = |from: u64, to: u64| {
                    (float(to.saturating_sub(from)) / float(passed.nsec)).min(1.0) * (LANE - 3.0)
                };
                let ran = share(a.run_nsec, b.run_nsec);
                let waited = share(a.wait_nsec, b.wait_nsec).min(LANE - 3.0 - ran);
                let floor = top + LANE - 3.0;
                if ran > 0.0 {
                    picture.ran.bar(xs, (floor, floor - ran));
                }
                if waited > 0.0 {
                    picture.waited.bar(xs, (top, top + waited));
                }
            }
        }
    }

    /// The figures of the last second.
    pub(crate) fn figures(&self) -> Option<Figures> {
        let now = self.readings.last()?;
        let is_old = |r: &&Reading| r.at_nsec + FIGURE_NSEC <= now.at_nsec;
        let from = self.readings.iter().rev().find(is_old).or(self.readings.iter().next())?;
        let passed = now.since(from)?;
        let permille = passed.permille();
        let of_quota = now.quota_permille().filter(|quota| *quota > 0.0);
        let of_quota = of_quota.map(|quota| permille / quota * 100.0);
        let nr_bursts = self.last().map_or(0, |last| last.nr_bursts);
        Some(Figures { permille, of_quota, passed, nr_bursts })
    }

    /// The period at a share of the lens's width, or else the last that is over.
    pub(crate) fn in_words(&self, at: Option<f64>, periods: u32, cpus: u64) -> Option<InWords> {
        let tank = self.tank(cpus)?;
        let now = self.last()?.at_nsec;
        let span = float(self.span_nsec(periods));
        #[allow(clippy::cast_possible_truncation, clippy::cast_sign_loss)] // Below three seconds.
        let back = at.map(|at| ((1.0 - at.clamp(0.0, 1.0)) * span) as u64);
        let pointed = back.and_then(|back| tank.period_at(now.saturating_sub(back)));
        let period = pointed.or_else(|| tank.last_over())?;
        let msec = |nsec: u64| float(nsec) / 1e6;
        let until = period.end_nsec.min(now);
        Some(InWords {
            ago_msec: msec(now.saturating_sub(period.start_nsec)),
            threads: self.parallel(cpus),
            used_msec: msec(period.used_nsec),
            quota_msec: msec(tank.quota_nsec),
            dry: period
                .empty_nsec
                .map(|dry| (msec(dry - period.start_nsec), msec(until.saturating_sub(dry)))),
            uncertain_msec: tank.phase.uncertain_msec(),
        })
    }

    /// The last samples in numbers, newest first.
    pub(crate) fn rows(&self, most: usize) -> Vec<Row> {
        let Some(now) = self.last().map(|last| last.at_nsec) else { return Vec::new() };
        let pairs = self.samples.iter().rev().zip(self.samples.iter().rev().skip(1));
        let sum = |sample: &CpuSample| {
            sample.threads.iter().fold((0_u64, 0_u64), |sum, thread| {
                (sum.0.saturating_add(thread.run_nsec), sum.1.saturating_add(thread.wait_nsec))
            })
        };
        let row = |(after, before): (&CpuSample, &CpuSample)| {
            let passed = Reading::from(after).since(&Reading::from(before))?;
            let (from, to) = (sum(before), sum(after));
            Some(Row {
                ago_msec: float(now - after.at_nsec) / 1e6,
                permille: passed.permille(),
                periods: passed.periods,
                throttled: passed.throttled,
                ran_msec: float(to.0.saturating_sub(from.0)) / 1e6,
                waited_msec: float(to.1.saturating_sub(from.1)) / 1e6,
            })
        };
        pairs.filter_map(row).take(most).collect()
    }
}

#[allow(clippy::cast_precision_loss)] // Nanoseconds since boot: exact for 104 days.
fn float(number: u64) -> f64 {
    number as f64
}

#[cfg(test)]
#[path = "close_tests.rs"]
mod tests;
