//! The play of the start page: what is where at which moment. Pure; the clock is a parameter.
//!
//! The CPU in it is [`Bandwidth`], five times slowed, so that a period of 100 ms can be seen.

use std::collections::VecDeque;

use vitrine_shared::sim::{Bandwidth, Slice};

const MS: u64 = 1_000_000;
/// Length of the simulated period.
const PERIOD_NSEC: u64 = 100 * MS;
/// Periods in the strip under the bar.
pub(crate) const PERIODS: u64 = 5;
/// The page's milliseconds for one of the simulation's.
const SLOWED: f64 = 5.0;

/// Nothing moves for so long, in milliseconds.
pub(crate) const STILL_MSEC: u32 = 350;

/// When each scene begins and ends, in milliseconds.
mod scene {
    pub(super) const LIFT: (f64, f64) = (super::STILL_MSEC as f64, 1_350.0);
    pub(super) const RENUMBER: (f64, f64) = (1_000.0, 1_300.0);
    pub(super) const BUSY: (f64, f64) = (1_900.0, 2_200.0);
    pub(super) const QUOTA: (f64, f64) = (3_600.0, 5_000.0);
    pub(super) const END: f64 = 8_600.0;
    /// How long it goes on after the quota was moved by hand.
    pub(super) const AFTER_HAND: f64 = 5_000.0;
}

/// The quota at which the play settles, in percent of one CPU.
const SETTLES_AT: u32 = 20;

/// The play at one moment.
#[derive(Clone, Debug, PartialEq)]
pub(crate) struct Play {
    at_msec: f64,
    until_msec: f64,
    by_hand: Option<u32>,
    group: Bandwidth,
    left_nsec: f64,
    past: VecDeque<Slice>,
}

impl Play {
    /// The play before its first moment.
    pub(crate) fn new() -> Self {
        Play {
            at_msec: 0.0,
            until_msec: scene::END,
            by_hand: None,
            group: Bandwidth::new(None, PERIOD_NSEC, 0),
            left_nsec: 0.0,
            past: VecDeque::new(),
        }
    }

    /// Lets time pass. Long pauses (a hidden tab) are played in small steps, so that the
    /// simulation sees the quota slide.
    pub(crate) fn advance(&mut self, msec: f64) {
        let mut left = msec.clamp(0.0, scene::END);
        while left > 0.0 && !self.is_over() {
            let step = left.min(16.0);
            left -= step;
            self.at_msec += step;
            self.simulate(step);
        }
    }

    #[allow(clippy::cast_possible_truncation, clippy::cast_sign_loss, clippy::cast_precision_loss)]
    fn simulate(&mut self, msec: f64) {
        let threads = u64::from(self.at_msec >= scene::BUSY.0);
        if self.group.threads != threads {
            self.group.threads = threads;
            // Nothing wanted to run before: that was no waiting.
            self.past.clear();
        }
        if let Some(quota) = self.quota_percent() {
            self.group.set_quota(Some((quota * 10_000.0) as u64 * 100));
        }
        self.left_nsec += msec / SLOWED * MS as f64;
        let whole = self.left_nsec as u64;
        self.left_nsec -= whole as f64;
        self.past.extend(self.group.advance(whole));
        let mut kept: u64 = self.past.iter().map(|slice| slice.nsec).sum();
        while let Some(first) = self.past.front_mut() {
            let surplus = kept.saturating_sub(PERIODS * PERIOD_NSEC);
            if surplus < first.nsec {
                first.nsec -= surplus;
                break;
            }
            kept -= first.nsec;
            self.past.pop_front();
        }
    }

    /// Takes the quota in hand, in percent of one CPU.
    pub(crate) fn take_quota(&mut self, percent: u32) {
        self.at_msec = self.at_msec.max(scene::QUOTA.1);
        self.until_msec = self.at_msec + scene::AFTER_HAND;
        self.by_hand = Some(percent.clamp(1, 100));
    }

    /// Goes to its last moment at once, for those who want no motion.
    pub(crate) fn finish(&mut self) {
        self.advance(scene::END);
    }

    /// Stops where it is.
    pub(crate) fn pause(&mut self) {
        self.until_msec = self.at_msec;
    }

    /// Does nothing move any more?
    pub(crate) fn is_over(&self) -> bool {
        self.at_msec >= self.until_msec
    }

    /// How far the row has been lifted into its pane, 0 to 1.
    pub(crate) fn lifted(&self) -> f64 {
        smooth(self.progress(scene::LIFT))
    }

    /// How far the PID has turned from the host's to 1.
    pub(crate) fn renumbered(&self) -> f64 {
        self.progress(scene::RENUMBER)
    }

    /// How far the busy loop has appeared.
    pub(crate) fn busy(&self) -> f64 {
        self.progress(scene::BUSY)
    }

    /// The quota, in percent of one CPU; `None` before it is set.
    pub(crate) fn quota_percent(&self) -> Option<f64> {
        if let Some(percent) = self.by_hand {
            return Some(f64::from(percent));
        }
        let slid = self.progress(scene::QUOTA);
        (slid > 0.0).then(|| 100.0 - (100.0 - f64::from(SETTLES_AT)) * smooth(slid))
    }

    /// CPU used in the last two periods, in percent of one CPU.
    #[allow(clippy::cast_precision_loss)] // Nanoseconds of half a second.
    pub(crate) fn used_percent(&self) -> f64 {
        let window = 2 * PERIOD_NSEC;
        let mut left = window;
        let mut ran = 0;
        for slice in self.past.iter().rev() {
            let nsec = slice.nsec.min(left);
            ran += if slice.running { nsec } else { 0 };
            left -= nsec;
        }
        ran as f64 / window as f64 * 100.0
    }

    /// Does the group wait for refills?
    pub(crate) fn is_throttled(&self) -> bool {
        self.quota_percent().is_some_and(|quota| quota < 100.0) && self.group.periods().1 > 0
    }

    /// The strip of the last periods: what it did, from and to, as shares of the strip.
    #[allow(clippy::cast_precision_loss)] // Nanoseconds of half a second.
    pub(crate) fn strip(&self) -> Vec<(f64, f64, bool)> {
        let whole = (PERIODS * PERIOD_NSEC) as f64;
        let known: u64 = self.past.iter().map(|slice| slice.nsec).sum();
        let mut at = 1.0 - known as f64 / whole;
        let mut strip: Vec<(f64, f64, bool)> = Vec::new();
        for slice in &self.past {
            let to = at + slice.nsec as f64 / whole;
            match strip.last_mut() {
                Some(last) if last.2 == slice.running => last.1 = to,
                _ => strip.push((at, to, slice.running)),
            }
            at = to;
        }
        strip
    }

    /// Where in the strip the periods begin, as shares of it.
    #[allow(clippy::cast_precision_loss)] // At most one period.
    pub(crate) fn boundaries(&self) -> Vec<f64> {
        let nsec = (self.at_msec / SLOWED * MS as f64) % PERIOD_NSEC as f64;
        let into = nsec / PERIOD_NSEC as f64;
        (0..=PERIODS)
            .map(|period| 1.0 - (into + period as f64) / PERIODS as f64)
            .filter(|share| (0.0..=1.0).contains(share))
            .collect()
    }

    fn progress(&self, (from, to): (f64, f64)) -> f64 {
        ((self.at_msec - from) / (to - from)).clamp(0.0, 1.0)
    }
}

fn smooth(t: f64) -> f64 {
    t * t * (3.0 - 2.0 * t)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn settled() -> Play {
        let mut play = Play::new();
        play.finish();
        play
    }

    fn at(msec: f64) -> Play {
        let mut play = Play::new();
        play.advance(msec);
        play
    }

    #[test]
    fn it_is_alive_within_a_second() {
        assert!(at(900.0).lifted() > 0.3);
        assert!(at(0.0).lifted() == 0.0);
    }

    #[test]
    fn the_loop_takes_a_whole_cpu_until_the_quota_comes() {
        assert!((at(3_550.0).used_percent() - 100.0).abs() < 5.0, "{}", at(3_550.0).used_percent());
        assert_eq!(at(3_550.0).quota_percent(), None);
    }

    #[test]
    fn it_settles_at_twenty_percent() {
        let end = settled();
        assert!(end.is_over() && end.is_throttled());
        assert!((end.used_percent() - 20.0).abs() < 1.0, "{}", end.used_percent());
        assert_eq!(end.quota_percent(), Some(20.0));
    }

    #[test]
    fn a_quota_in_hand_is_obeyed() {
        let mut play = settled();
        play.take_quota(50);
        assert!(!play.is_over());
        play.advance(5_000.0);
        assert!((play.used_percent() - 50.0).abs() < 2.0, "{}", play.used_percent());
        play.take_quota(1_000);
        assert_eq!(play.quota_percent(), Some(100.0));
    }

    #[test]
    fn the_strip_covers_its_width_without_gaps() {
        let strip = settled().strip();
        assert!((strip[0].0).abs() < 0.01 && (strip[strip.len() - 1].1 - 1.0).abs() < 0.01);
        assert!(strip.windows(2).all(|pair| (pair[0].1 - pair[1].0).abs() < 1e-9));
        assert!(strip.iter().any(|slice| slice.2) && strip.iter().any(|slice| !slice.2));
    }
}
