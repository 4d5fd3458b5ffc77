//! The busy loop: a button that starts one in the container, and one that ends them.

use vitrine_shared::id::{ContainerId, MachineId};
use vitrine_shared::message::Command;
use yew::prelude::*;

use super::parts::TroubleText;
use crate::place::{Place, Trouble};
use crate::ui::{Desk, Ui};

/// The text's busy loop, as a shell runs it.
const LOOP: [&str; 3] = ["/bin/sh", "-c", "while : ; do : ; done"];

/// Start and stop.
pub(crate) fn busy(
    ui: &Ui,
    desk: &Desk,
    (machine, container): (MachineId, ContainerId),
    may_change: bool,
    trouble: Option<Trouble>,
) -> Html {
    let t = ui.lab();
    let start = desk.send.reform(move |_: MouseEvent| Command::Exec {
        machine,
        container,
        argv: LOOP.map(String::from).to_vec(),
    });
    let stop = desk.send.reform(move |_: MouseEvent| Command::StopExecs { machine, container });
    html! {
        <div class="busy">
            <button type="button" data-test="busy" onclick={start} title={LOOP[2]}
                disabled={!may_change}>{t.busy}</button>
            <button type="button" class="plain" data-test="busy-stop" onclick={stop}
                disabled={!may_change}>{t.busy_stop}</button>
            <TroubleText place={Place::Exec(container)} {trouble} />
        </div>
    }
}
