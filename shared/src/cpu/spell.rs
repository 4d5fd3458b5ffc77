//! Spells of throttling, from counters that are read now and then: a group that is held in every
//! period is one spell, and not ten events a second.

use crate::message::Spell;

/// A spell is over when no period was throttled for so long.
const QUIET_NSEC: u64 = 3_000_000_000;

/// `nr_periods` and `nr_throttled` of `cpu.stat`.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Counters {
    /// Periods that have passed.
    pub periods: u64,
    /// Periods in which the group was throttled.
    pub throttled: u64,
}

/// What the counters of one group have said so far. By default the group was there before it was
/// looked at.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Run {
    last: Option<Counters>,
    spell: Option<Open>,
}

/// A spell that is not over.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
struct Open {
    from: Counters,
    from_nsec: u64,
    /// At the last reading that had throttled periods.
    to: Counters,
    to_nsec: u64,
}

impl Run {
    /// Of a group that has just been made: in it everything is new.
    pub fn of_new_group() -> Self {
        Run { last: Some(Counters::default()), spell: None }
    }

    /// Hears the counters; says what began (`None`) or ended.
    pub fn hear(&mut self, now: Counters, now_nsec: u64) -> Option<Option<Spell>> {
        // The first reading of a group that was there before says nothing new.
        let last = self.last.replace(now)?;
        if now.throttled > last.throttled {
            let open = Open { from: last, from_nsec: now_nsec, to: now, to_nsec: now_nsec };
            let known = self.spell.is_some();
            let spell = self.spell.get_or_insert(open);
            (spell.to, spell.to_nsec) = (now, now_nsec);
            return (!known).then_some(None);
        }
        let over = |open: &mut Open| now_nsec.saturating_sub(open.to_nsec) >= QUIET_NSEC;
        self.spell.take_if(over).map(|open| Some(open.close()))
    }
}

impl Open {
    fn close(self) -> Spell {
        Spell {
            lasted_msec: self.to_nsec.saturating_sub(self.from_nsec) / 1_000_000,
            periods: self.to.periods.saturating_sub(self.from.periods),
            throttled: self.to.throttled.saturating_sub(self.from.throttled),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const SEC: u64 = 1_000_000_000;

    fn counters(periods: u64, throttled: u64) -> Counters {
        Counters { periods, throttled }
    }

    #[test]
    fn a_loop_that_is_held_in_every_period_is_one_spell() {
        let mut run = Run::of_new_group();
        assert_eq!(run.hear(counters(4, 0), SEC), None, "it ran, and was not held");
        assert_eq!(run.hear(counters(14, 8), 2 * SEC), Some(None), "it begins");
        for second in 3..10 {
            let n = (second - 2) * 10;
            assert_eq!(run.hear(counters(14 + n, 8 + n), second * SEC), None, "it goes on");
        }
        assert_eq!(run.hear(counters(89, 78), 10 * SEC), None, "quiet, but not for long");
        assert_eq!(run.hear(counters(95, 78), 11 * SEC), None);
        let spell = Spell { lasted_msec: 7_000, periods: 80, throttled: 78 };
        assert_eq!(run.hear(counters(95, 78), 12 * SEC), Some(Some(spell)), "and over");
        assert_eq!(run.hear(counters(95, 78), 13 * SEC), None, "told once");
        assert_eq!(run.hear(counters(96, 79), 14 * SEC), Some(None), "another one");
    }

    #[test]
    fn what_was_before_is_old_news_and_counters_that_begin_anew_are_no_spell() {
        let mut run = Run::default();
        assert_eq!(run.hear(counters(100, 90), SEC), None);
        assert_eq!(run.hear(counters(100, 90), 2 * SEC), None);
        assert_eq!(run.hear(counters(0, 0), 3 * SEC), None);
        assert_eq!(run.hear(counters(1, 1), 4 * SEC), Some(None));
    }
}
