//! Probes asked for one after the other: a machine runs few at a time.

use std::rc::Rc;

use vitrine_shared::id::{ContainerId, MachineId};
use vitrine_shared::message::Command;
use vitrine_shared::truth::Probe;
use yew::prelude::*;

use crate::ui::use_desk;

/// What is still to be asked, and the way to ask.
#[derive(Clone, PartialEq)]
pub(crate) struct Asking {
    /// Asks for these instead of what was still to be asked.
    pub(crate) ask: Callback<Vec<(Option<ContainerId>, Probe)>>,
    /// How many have not been answered.
    pub(crate) to_come: usize,
}

/// Asks for probes of a machine; `answered` counts the answers that have come.
#[hook]
pub(crate) fn use_asking(machine: MachineId, answered: u32) -> Asking {
    let desk = use_desk();
    let queue = use_state_eq(Vec::<(Option<ContainerId>, Probe)>::new);
    // The count at which the last one was asked: it has changed when that is answered.
    let asked_at = use_mut_ref(|| None::<u32>);
    {
        let (queue, asked_at) = (queue.clone(), Rc::clone(&asked_at));
        use_effect_with(((*queue).clone(), answered), move |(left, answered)| {
            if *asked_at.borrow() == Some(*answered) {
                return;
            }
            let next = left.split_first();
            *asked_at.borrow_mut() = next.map(|_| *answered);
            if let Some((&(container, probe), rest)) = next {
                desk.send.emit(Command::Probe { machine, container, probe });
                queue.set(rest.to_vec());
            }
        });
    }
    let is_out = *asked_at.borrow() == Some(answered);
    let to_come = queue.len() + usize::from(is_out);
    let set = queue.setter();
    let ask = use_callback((), move |all, ()| set.set(all));
    Asking { ask, to_come }
}
