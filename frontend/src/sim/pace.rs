//! How much simulated time is due in a frame, and whether the page keeps up.

/// Time that a page was away for is not made up for beyond this, in milliseconds.
const CATCH_UP_MSEC: f64 = 250.0;
/// How long is looked at to say what was kept up.
const WINDOW_MSEC: f64 = 1_000.0;
const NSEC_PER_MSEC: f64 = 1e6;

/// How fast simulated time passes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Pace {
    /// Not at all.
    Paused,
    /// A period of 100 ms takes 20 s.
    Slowest,
    /// A period of 100 ms takes a second.
    Slow,
    /// As time passes outside.
    Real,
}

impl Pace {
    /// Those that are chosen from.
    pub(crate) const ALL: [Pace; 3] = [Pace::Real, Pace::Slow, Pace::Slowest];

    /// How many times slower than time outside; when it stands still, as at real pace.
    pub(crate) const fn slower(self) -> u32 {
        match self {
            Pace::Paused | Pace::Real => 1,
            Pace::Slow => 10,
            Pace::Slowest => 200,
        }
    }

    /// What the tests and the list know it by.
    pub(crate) const fn name(self) -> &'static str {
        match self {
            Pace::Paused => "paused",
            Pace::Slowest => "slowest",
            Pace::Slow => "slow",
            Pace::Real => "real",
        }
    }

    fn nsec_per_msec(self) -> f64 {
        match self {
            Pace::Paused => 0.0,
            other => NSEC_PER_MSEC / f64::from(other.slower()),
        }
    }
}

/// The time that is due.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Due {
    pace: Pace,
    nsec: f64,
    last_msec: Option<f64>,
    /// Of this second so far: how long it is, what was wanted, what was given.
    window: (f64, f64, f64),
    kept_percent: u32,
}

impl Due {
    /// Nothing is due yet.
    pub(crate) fn new(pace: Pace) -> Self {
        Due { pace, nsec: 0.0, last_msec: None, window: (0.0, 0.0, 0.0), kept_percent: 100 }
    }

    pub(crate) fn pace(&self) -> Pace {
        self.pace
    }

    /// How much of the pace was kept up in the last whole second, in per cent.
    pub(crate) fn kept_percent(&self) -> u32 {
        self.kept_percent
    }

    pub(crate) fn set_pace(&mut self, pace: Pace) {
        *self = Due { last_msec: self.last_msec, ..Due::new(pace) };
    }

    /// So much more is due, whatever the pace.
    pub(crate) fn owe(&mut self, nsec: u64) {
        self.nsec += as_f64(nsec);
    }

    /// A frame begins.
    pub(crate) fn frame(&mut self, now_msec: f64) {
        let passed = self.last_msec.map_or(0.0, |last| (now_msec - last).max(0.0));
        self.last_msec = Some(now_msec);
        let wanted = passed.min(CATCH_UP_MSEC) * self.pace.nsec_per_msec();
        self.nsec += wanted;
        if self.pace != Pace::Paused {
            self.nsec = self.nsec.min(CATCH_UP_MSEC * self.pace.nsec_per_msec());
        }
        let (msec, all, given) = self.window;
        self.window = (msec + passed, all + wanted, given);
        if self.window.0 >= WINDOW_MSEC {
            self.kept_percent = percent(self.window.2, self.window.1);
            self.window = (0.0, 0.0, 0.0);
        }
    }

    /// Takes a slice of what is due; `None` when there is none.
    pub(crate) fn take(&mut self, most_nsec: u64) -> Option<u64> {
        if self.nsec < 1.0 {
            return None;
        }
        let nsec = self.nsec.min(as_f64(most_nsec)).floor();
        self.nsec -= nsec;
        self.window.2 += nsec;
        Some(as_u64(nsec))
    }
}

fn percent(given: f64, wanted: f64) -> u32 {
    if wanted < 1.0 {
        return 100;
    }
    u32::try_from(as_u64((given / wanted * 100.0).round())).unwrap_or(100).min(100)
}

#[expect(clippy::cast_precision_loss, reason = "less than a minute of nanoseconds")]
fn as_f64(nsec: u64) -> f64 {
    nsec as f64
}

#[expect(
    clippy::cast_possible_truncation,
    clippy::cast_sign_loss,
    reason = "less than a minute of nanoseconds, never negative"
)]
fn as_u64(nsec: f64) -> u64 {
    nsec as u64
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Frames of 60 Hz for so long, each taking at most so many slices; gives the time that passed.
    fn run(due: &mut Due, frames: u32, slices: u32) -> u64 {
        let mut passed = 0;
        let from = due.last_msec.unwrap_or(0.0);
        for frame in 0..=frames {
            due.frame(from + f64::from(frame) * 1_000.0 / 60.0);
            for _ in 0..slices {
                passed += due.take(2_000_000).unwrap_or(0);
            }
        }
        passed
    }

    #[test]
    fn a_second_is_a_second_or_a_two_hundredth() {
        for (pace, msec) in
            [(Pace::Real, 1_000.0), (Pace::Slow, 100.0), (Pace::Slowest, 5.0), (Pace::Paused, 0.0)]
        {
            let passed = as_f64(run(&mut Due::new(pace), 60, 100)) / 1e6;
            assert!((passed - msec).abs() < 0.5, "{pace:?}: {passed} ms");
        }
        assert_eq!(Pace::Slowest.slower() * 100, 20_000, "a period of 100 ms takes 20 s");
    }

    #[test]
    fn a_page_that_is_too_slow_says_so_and_does_not_pile_up() {
        let mut due = Due::new(Pace::Real);
        // 4 ms in each frame of 16.7.
        let passed = run(&mut due, 120, 2);
        assert!((480_000_000..=500_000_000).contains(&passed), "{passed}");
        assert!((22..=26).contains(&due.kept_percent()), "{}", due.kept_percent());
        assert!(due.nsec <= CATCH_UP_MSEC * NSEC_PER_MSEC);
        due.set_pace(Pace::Real);
        run(&mut due, 120, 100);
        assert_eq!(due.kept_percent(), 100);
    }

    #[test]
    fn time_away_is_not_made_up_for() {
        let mut due = Due::new(Pace::Real);
        due.frame(0.0);
        due.frame(60_000.0);
        assert_eq!(due.take(u64::MAX), Some(250_000_000));
        assert_eq!(due.take(u64::MAX), None);
    }

    #[test]
    fn a_step_is_exact() {
        let mut due = Due::new(Pace::Paused);
        due.owe(100_000_000);
        assert_eq!(run(&mut due, 60, 1), 100_000_000);
    }
}
