//! When to read: rates are steps of one clock, so that machines are read together.

use std::collections::BTreeMap;

use vitrine_shared::id::MachineId;

const SEC_NSEC: u64 = 1_000_000_000;
/// Most samples a second.
pub(super) const MAX_HERTZ: u8 = 20;
/// Most machines asked for: web cannot make this table grow for ever.
const MAX_WISHES: usize = 1_024;

/// What web has asked for.
#[derive(Debug, Default)]
pub(super) struct Schedule {
    wishes: BTreeMap<MachineId, Wish>,
}

#[derive(Debug)]
struct Wish {
    hertz: u8,
    due_nsec: u64,
}

impl Schedule {
    /// Reads this machine so often from now on; 0 stops. The first reading is due at once.
    pub(super) fn watch(&mut self, machine: MachineId, hertz: u8, now_nsec: u64) {
        let hertz = hertz.min(MAX_HERTZ);
        if hertz == 0 {
            self.wishes.remove(&machine);
        } else if let Some(wish) = self.wishes.get_mut(&machine) {
            wish.due_nsec = wish.due_nsec.min(next_step(hertz, now_nsec));
            wish.hertz = hertz;
        } else if self.wishes.len() < MAX_WISHES {
            self.wishes.insert(machine, Wish { hertz, due_nsec: now_nsec });
        }
    }

    /// Forgets everything.
    pub(super) fn clear(&mut self) {
        self.wishes.clear();
    }

    /// Does anybody look at this machine?
    pub(super) fn is_watched(&self, machine: MachineId) -> bool {
        self.wishes.contains_key(&machine)
    }

    /// The moment of the next reading.
    pub(super) fn next_nsec(&self) -> Option<u64> {
        self.wishes.values().map(|wish| wish.due_nsec).min()
    }

    /// The machines to read now; each is due again at its next step.
    pub(super) fn take_due(&mut self, now_nsec: u64) -> Vec<MachineId> {
        let mut due = Vec::new();
        for (&machine, wish) in &mut self.wishes {
            if wish.due_nsec <= now_nsec {
                wish.due_nsec = next_step(wish.hertz, now_nsec);
                due.push(machine);
            }
        }
        due
    }
}

/// The next step that leaves at least half a period to measure in. What was missed is missed.
fn next_step(hertz: u8, now_nsec: u64) -> u64 {
    step_after(SEC_NSEC / u64::from(hertz.max(1)), now_nsec)
}

/// The same for steps of this length.
pub(super) fn step_after(period_nsec: u64, now_nsec: u64) -> u64 {
    let earliest_nsec = now_nsec + period_nsec / 2;
    earliest_nsec.div_ceil(period_nsec) * period_nsec
}

#[cfg(test)]
mod tests {
    use super::*;

    const MSEC: u64 = 1_000_000;
    const A: MachineId = MachineId(1);
    const B: MachineId = MachineId(2);

    #[test]
    fn at_once_and_then_on_common_steps() {
        let mut schedule = Schedule::default();
        schedule.watch(A, 4, 1_010 * MSEC);
        schedule.watch(B, 2, 1_020 * MSEC);
        assert_eq!(schedule.next_nsec(), Some(1_010 * MSEC));
        assert_eq!(schedule.take_due(1_020 * MSEC), [A, B]);
        assert_eq!(schedule.take_due(1_249 * MSEC), []);
        assert_eq!(schedule.take_due(1_250 * MSEC), [A]);
        assert_eq!(schedule.take_due(1_500 * MSEC), [A, B]);
    }

    #[test]
    fn too_fast_is_twenty_and_zero_stops() {
        let mut schedule = Schedule::default();
        schedule.watch(A, 255, 0);
        schedule.take_due(0);
        assert_eq!(schedule.next_nsec(), Some(50 * MSEC));
        schedule.watch(A, 0, 0);
        assert!(!schedule.is_watched(A));
        assert_eq!(schedule.next_nsec(), None);
    }

    #[test]
    fn a_late_tick_is_not_made_up_for() {
        let mut schedule = Schedule::default();
        schedule.watch(A, 20, 0);
        assert_eq!(schedule.take_due(930 * MSEC), [A]);
        assert_eq!(schedule.next_nsec(), Some(1_000 * MSEC));
    }

    #[test]
    fn a_faster_rate_does_not_wait_for_the_slow_step() {
        let mut schedule = Schedule::default();
        schedule.watch(A, 1, 0);
        schedule.take_due(0);
        schedule.watch(A, 20, 100 * MSEC);
        assert_eq!(schedule.next_nsec(), Some(150 * MSEC));
    }

    #[test]
    fn web_cannot_make_it_grow_for_ever() {
        let mut schedule = Schedule::default();
        for id in 0..5_000 {
            schedule.watch(MachineId(id), 1, 0);
        }
        assert_eq!(schedule.take_due(0).len(), MAX_WISHES);
    }
}
