//! The pictures of the CPU lens: close samples in, paths and figures out. Pure.
//!
//! Two inks: what is measured is drawn solid, what is modelled in outline (`shared::cpu`).

mod lens;

use vitrine_shared::cpu::overview::{Axis, Bin, bins};
use vitrine_shared::cpu::ring::Ring;
use vitrine_shared::cpu::tank::{Tank, tank};
use vitrine_shared::cpu::{Passed, Reading};
use vitrine_shared::focus::CpuSample;

use crate::draw::{Path, Scale};

pub(crate) use lens::{COLUMNS, LANE, Lane, Periods, ROWS, STRIP, TANK};

/// Length of the overview's bins: a whole number of the usual periods, so that each holds as many
/// refills as the next.
const BIN_NSEC: u64 = 500_000_000;
/// Bins of the overview: a minute.
const BINS: usize = 120;
/// The time that the overview is of.
pub(crate) const MINUTE_NSEC: u64 = BIN_NSEC * BINS as u64;
/// Readings that are kept: a minute and some more of them, at nineteen a second.
const READINGS: usize = 1_280;
/// Samples that are kept whole: more than three seconds.
const SAMPLES: usize = 64;
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
        let span = float(MINUTE_NSEC);
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

    /// How long the last so many periods are; without a quota, as long as they would last at
    /// 100 ms.
    pub(crate) fn span_nsec(&self, periods: u32) -> u64 {
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

    /// The period that was so long ago, or else the last that is over.
    pub(crate) fn in_words(&self, ago_nsec: Option<u64>, cpus: u64) -> Option<InWords> {
        let tank = self.tank(cpus)?;
        let now = self.last()?.at_nsec;
        let period = match ago_nsec {
            Some(ago) => tank.period_at(now.saturating_sub(ago))?,
            None => tank.last_over()?,
        };
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

    /// The bin of the overview that was so long ago; `None` where nothing was read.
    pub(crate) fn minute_at(&self, ago_nsec: u64) -> Option<Bin> {
        let now = self.readings.last()?.at_nsec;
        let axis = Axis::ending(now, BIN_NSEC, BINS);
        let since = now.checked_sub(ago_nsec)?.checked_sub(axis.start_nsec)?;
        let at = usize::try_from(since / BIN_NSEC).ok()?;
        let bin = *bins(self.readings.iter(), axis).get(at)?;
        bin.used_permille.is_some().then_some(bin)
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
mod tests;
