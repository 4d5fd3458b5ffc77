//! The busy loop: a button that starts one in the container, and one that ends them.

use vitrine_shared::id::{ContainerId, MachineId};
use vitrine_shared::message::Command;
use yew::prelude::*;

use super::parts::TroubleText;
use crate::place::{Place, Trouble};
use crate::ui::{use_desk, use_ui};

/// The text's busy loop, as a shell runs it.
const LOOP: [&str; 3] = ["/bin/sh", "-c", "while : ; do : ; done"];

/// Where it runs.
#[derive(Properties, PartialEq)]
pub(crate) struct Props {
    pub(crate) machine: MachineId,
    pub(crate) container: ContainerId,
    pub(crate) may_change: bool,
    pub(crate) trouble: Option<Trouble>,
}

/// Start and stop.
#[component]
pub(crate) fn Busy(props: &Props) -> Html {
    let (ui, desk) = (use_ui(), use_desk());
    let t = ui.t();
    let (machine, container) = (props.machine, props.container);
    let start = desk.send.reform(move |_: MouseEvent| Command::Exec {
        machine,
        container,
        argv: LOOP.map(String::from).to_vec(),
    });
    let stop = desk.send.reform(move |_: MouseEvent| Command::StopExecs { machine, container });
    html! {
        <div class="busy">
            <button type="button" data-test="busy" onclick={start} title={LOOP[2]}
                disabled={!props.may_change}>{t.busy}</button>
            <button type="button" class="plain" data-test="busy-stop" onclick={stop}
                disabled={!props.may_change}>{t.busy_stop}</button>
            <TroubleText place={Place::Exec(container)} trouble={props.trouble.clone()} />
        </div>
    }
}
