//! What probes have printed: of each the last reading, for each view of `/proc`.

use std::rc::Rc;

use vitrine_shared::id::ContainerId;
use vitrine_shared::message::{Answer, Command, Made};
use vitrine_shared::truth::{Output, Probe, ProcView};

use crate::place::Trouble;

/// In a container, or (`None`) in the machine itself.
type Whose = Option<ContainerId>;

/// What a command printed, and the shell line that does the same.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Reading {
    pub(crate) output: Output,
    pub(crate) shell: String,
}

/// The readings of one machine.
#[derive(Clone, Debug, Default, PartialEq)]
pub(crate) struct Readings {
    /// Answers so far, of whatever kind: who asks for one after the other waits for it to change.
    pub(crate) answered: u32,
    /// Some dozens: a list is searched as quickly as a map, and takes less to load.
    kept: Vec<((Whose, Probe), Rc<Reading>)>,
    troubles: Vec<((Whose, Probe), Trouble)>,
}

impl Readings {
    /// The last reading under a view.
    pub(crate) fn of(
        &self,
        whose: impl Into<Whose>,
        probe: Probe,
        view: ProcView,
    ) -> Option<&Rc<Reading>> {
        let at = (whose.into(), probe);
        let mut kept = self.kept.iter();
        kept.find(|(one, kept)| *one == at && kept.output.view == view).map(|(_, kept)| kept)
    }

    /// Why there is no newer one.
    pub(crate) fn trouble(&self, whose: impl Into<Whose>, probe: Probe) -> Option<&Trouble> {
        let at = (whose.into(), probe);
        self.troubles.iter().find(|(one, _)| *one == at).map(|(_, trouble)| trouble)
    }

    /// Takes in the answer to a command, if that was a probe; `None` is no answer at all.
    pub(crate) fn heard(&mut self, command: &Command, answer: Option<&Answer>) {
        let Command::Probe { container, probe, .. } = command else { return };
        let at = (*container, *probe);
        self.answered = self.answered.wrapping_add(1);
        self.troubles.retain(|(one, _)| *one != at);
        let trouble = match answer {
            Some(Answer::Done { made: Some(Made::Output(output)), deeds }) => {
                let shell = deeds.last().map(|deed| deed.shell.clone()).unwrap_or_default();
                let reading = Reading { output: output.clone(), shell };
                self.kept.retain(|(one, old)| *one != at || old.output.view != output.view);
                self.kept.push((at, Rc::new(reading)));
                return;
            }
            // No other is an answer to a probe.
            Some(Answer::Done { .. }) => return,
            Some(Answer::Refused { reason, hint }) => {
                Trouble::Refused { reason: reason.clone(), hint: hint.clone() }
            }
            Some(Answer::Failed { step, what, errno, .. }) => {
                Trouble::Failed { step: *step, what: what.clone(), errno: errno.clone() }
            }
            None => Trouble::NoAnswer,
        };
        self.troubles.push((at, trouble));
    }

    /// Forgets those of containers that are not there any more.
    pub(crate) fn keep(&mut self, is_there: impl Fn(ContainerId) -> bool) {
        self.kept.retain(|((id, _), _)| id.is_none_or(&is_there));
        self.troubles.retain(|((id, _), _)| id.is_none_or(&is_there));
    }

    /// Is there anything of a container that is not there any more?
    pub(crate) fn has_other_than(&self, is_there: impl Fn(ContainerId) -> bool) -> bool {
        let kept = self.kept.iter().map(|((id, _), _)| *id);
        let mut ids = kept.chain(self.troubles.iter().map(|((id, _), _)| *id));
        ids.any(|id| !id.is_none_or(&is_there))
    }
}

#[cfg(test)]
mod tests {
    use vitrine_shared::message::{Refusal, StepName};
    use vitrine_shared::refusal::Thing;

    use super::*;
    use crate::fixture::{CONTAINER, MACHINE};

    fn ask(probe: Probe) -> Command {
        Command::Probe { machine: MACHINE, container: Some(CONTAINER), probe }
    }

    fn printed(text: &str, view: ProcView) -> Answer {
        let output =
            Output { text: text.into(), cut: false, status: 0, busybox: false, view, at_msec: 1 };
        Answer::Done { deeds: Vec::new(), made: Some(Made::Output(output)) }
    }

    #[test]
    fn the_last_of_each_view_is_kept_beside_the_other() {
        let mut readings = Readings::default();
        let text = |readings: &Readings, view| {
            readings.of(CONTAINER, Probe::Free, view).map(|one| one.output.text.clone())
        };
        readings.heard(&ask(Probe::Free), Some(&printed("24", ProcView::Host)));
        readings.heard(&ask(Probe::Free), Some(&printed("64", ProcView::Own)));
        readings.heard(&ask(Probe::Free), Some(&printed("65", ProcView::Own)));
        assert_eq!(text(&readings, ProcView::Host).as_deref(), Some("24"));
        assert_eq!(text(&readings, ProcView::Own).as_deref(), Some("65"));
        assert_eq!(text(&readings, ProcView::Lxcfs), None);
        assert_eq!(readings.answered, 3);
        readings.keep(|id| id != CONTAINER);
        assert_eq!(readings, Readings { answered: 3, ..Readings::default() });
    }

    #[test]
    fn what_went_wrong_stands_until_the_next_answer_and_the_old_reading_stays() {
        let mut readings = Readings::default();
        readings.heard(&ask(Probe::Free), Some(&printed("24", ProcView::Host)));
        let reason = Refusal::NotRunning { what: Thing::Container };
        let refused = Answer::Refused { reason, hint: String::new() };
        let failed = Answer::Failed {
            step: StepName::Execve,
            what: "execve".into(),
            errno: "ENOENT".into(),
            hint: String::new(),
        };
        for answer in [Some(&refused), Some(&failed), None] {
            readings.heard(&ask(Probe::Free), answer);
            assert!(readings.trouble(CONTAINER, Probe::Free).is_some());
            assert!(readings.of(CONTAINER, Probe::Free, ProcView::Host).is_some());
        }
        readings.heard(&ask(Probe::Free), Some(&printed("24", ProcView::Host)));
        assert_eq!(readings.trouble(CONTAINER, Probe::Free), None);
        assert_eq!(readings.answered, 5);
    }
}
