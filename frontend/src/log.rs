//! What the person at this page has asked for, in order, and the machines that it was about.
//!
//! Scripts are made from it, so it outlives what it tells of: containers that have ended, machines
//! that have gone.

use std::collections::BTreeMap;
use std::rc::Rc;

use vitrine_shared::id::{ContainerId, MachineId};
use vitrine_shared::message::{Answer, Command, ContainerState, Machine, Made};
use vitrine_shared::script::Known;

use crate::state::Told;

/// Actions that are kept; the oldest go first.
const KEPT: usize = 300;

/// What was asked for, and of which machines.
#[derive(Clone, Debug, Default, PartialEq)]
pub(crate) struct Log {
    /// In order.
    told: Vec<(Option<MachineId>, Rc<Told>)>,
    places: BTreeMap<MachineId, Place>,
}

/// A machine, as far as a script must know it.
#[derive(Clone, Debug, PartialEq)]
pub(crate) struct Place {
    pub(crate) cgroup_path: String,
    pub(crate) uid_base: u32,
    pub(crate) containers: BTreeMap<ContainerId, Known>,
}

impl Log {
    /// One more answer.
    pub(crate) fn push(&mut self, told: Rc<Told>) {
        self.told.push((machine_of(&told), told));
        let surplus = self.told.len().saturating_sub(KEPT);
        self.told.drain(..surplus);
    }

    /// Is nothing of a machine new?
    pub(crate) fn knows(&self, machine: &Machine) -> bool {
        self.places.get(&machine.id).is_some_and(|place| {
            machine.containers.iter().all(|c| place.containers.contains_key(&c.id))
        })
    }

    /// Takes in what is new of a machine.
    pub(crate) fn learn(&mut self, machine: &Machine) {
        let place = self.places.entry(machine.id).or_insert_with(|| Place {
            cgroup_path: machine.cgroup_path.clone(),
            uid_base: machine.uid_base,
            containers: BTreeMap::new(),
        });
        for one in &machine.containers {
            let pid = match one.state {
                ContainerState::Running { pid } => pid,
                ContainerState::Exited { .. } => 0,
            };
            let (name, spec) = (one.name.clone(), one.spec.clone());
            place.containers.entry(one.id).or_insert(Known { name, pid, spec });
        }
    }

    /// A machine has gone: it is kept only for what was done to it.
    pub(crate) fn gone(&mut self, machine: MachineId) {
        if !self.told.iter().any(|(of, _)| *of == Some(machine)) {
            self.places.remove(&machine);
        }
    }

    /// All answers, newest first.
    pub(crate) fn newest_first(&self) -> impl Iterator<Item = &Rc<Told>> {
        self.told.iter().rev().map(|(_, told)| told)
    }

    /// What was asked of one machine, in order.
    pub(crate) fn of(&self, machine: MachineId) -> impl Iterator<Item = &Rc<Told>> {
        self.told.iter().filter(move |(of, _)| *of == Some(machine)).map(|(_, told)| told)
    }

    /// What is known of a machine.
    pub(crate) fn place(&self, machine: MachineId) -> Option<&Place> {
        self.places.get(&machine)
    }
}

/// The machine that an answer is about: the one that was asked, or that was made.
pub(crate) fn machine_of(told: &Told) -> Option<MachineId> {
    match (&told.answer, &told.command) {
        (Answer::Done { made: Some(Made::Machine { machine }), .. }, _)
        | (Answer::Done { made: Some(Made::Container { machine, .. }), .. }, _) => Some(*machine),
        (_, Command::StartContainer { machine, .. } | Command::Subscribe { machine, .. }) => {
            *machine
        }
        (_, Command::Exec { machine, .. })
        | (_, Command::StopContainer { machine, .. })
        | (_, Command::StopExecs { machine, .. })
        | (_, Command::EndMachine { machine })
        | (_, Command::SetKnob { machine, .. })
        | (_, Command::WriteFile { machine, .. })
        | (_, Command::MakeGroup { machine, .. })
        | (_, Command::RemoveGroup { machine, .. })
        | (_, Command::MoveProcess { machine, .. })
        | (_, Command::ShowFiles { machine, .. })
        | (_, Command::Probe { machine, .. })
        | (_, Command::RunBoth { machine, .. })
        | (_, Command::SetProcView { machine, .. })
        | (_, Command::Discover { machine }) => Some(*machine),
        (_, Command::Ping { .. } | Command::StartMachine { .. } | Command::Focus { .. }) => None,
    }
}

#[cfg(test)]
mod tests {
    use vitrine_shared::cgroup::GroupId;

    use super::*;

    fn told(number: u32, machine: u128) -> Rc<Told> {
        let (machine, name) = (MachineId(machine), format!("g{number}"));
        let command = Command::MakeGroup { machine, parent: GroupId::Root, name };
        Rc::new(Told { number, command, answer: Answer::Done { deeds: Vec::new(), made: None } })
    }

    #[test]
    fn each_machine_has_its_own_in_order_and_the_oldest_go() {
        let mut log = Log::default();
        for number in 0..=KEPT {
            log.push(told(u32::try_from(number).unwrap(), number as u128 % 2));
        }
        let of = |machine| log.of(MachineId(machine)).map(|told| told.number).collect::<Vec<_>>();
        assert_eq!((of(0).first(), of(0).last()), (Some(&2), Some(&300)));
        assert_eq!((of(1).first(), of(1).len()), (Some(&1), KEPT / 2));
        assert_eq!(log.newest_first().next().unwrap().number, 300);
        assert!(of(7).is_empty());
    }

    #[test]
    fn a_machine_that_is_made_is_what_it_is_about() {
        let machine = MachineId(9);
        let answer = Answer::Done { deeds: Vec::new(), made: Some(Made::Machine { machine }) };
        let profile = vitrine_shared::message::Profile::Lab;
        let told = Told { number: 1, command: Command::StartMachine { profile }, answer };
        assert_eq!(machine_of(&told), Some(machine));
    }
}
