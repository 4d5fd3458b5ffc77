//! The machine in the header: which one, a shell in it, and its end.

use vitrine_shared::message::{Command, Machine};
use vitrine_shared::spec::ContainerSpec;
use yew::prelude::*;

use super::modal::Modal;
use crate::kinds::is_running;
use crate::lens::Scene;
use crate::state::{Action, Dialog, State};
use crate::text::{host as words, refusal::profile_name};
use crate::ui::{Desk, Ui, select_value};

/// The machine that is looked at, and what may be done to it.
pub(crate) fn machine_tools(scene: &Scene<'_>) -> Html {
    let (ui, desk, state) = (scene.ui, scene.desk, scene.state);
    let t = ui.lab();
    let id = state.machine().map(|machine| machine.id);
    let may = state.may_ask() && id.is_some();
    let open = desk.send.reform(move |_: MouseEvent| Command::StartContainer {
        machine: id,
        spec: ContainerSpec::machine_shell(),
    });
    let end = desk.act.reform(move |_: MouseEvent| Action::Dialog(id.map(Dialog::EndMachine)));
    html! {
        <div class="top-machine">
            {machine_choice(ui, desk, state)}
            <span class="machine-tools" hidden={id.is_none()}>
                <button type="button" class="plain" data-test="open-shell" onclick={open}
                    disabled={!may || state.is_starting()}>{t.open_shell}</button>
                <button type="button" class="plain" data-test="end-machine" onclick={end}
                    disabled={!may}>{t.end_machine}</button>
            </span>
            {end_machine(ui, desk, state)}
        </div>
    }
}

/// The machine; a choice where there are several.
fn machine_choice(ui: &Ui, desk: &Desk, state: &State) -> Html {
    if state.machines.len() < 2 {
        let name = state.machine().map_or(ui.lab().no_machine.into(), |machine| label(machine));
        let meaning = state.machine().map(|one| words::profile_meaning(ui.lang, one.profile));
        return html! { <span class="machine" data-test="machine" title={meaning}>{name}</span> };
    }
    let machines: Vec<_> = state.machines.values().cloned().collect();
    let act = desk.act.clone();
    let onchange = Callback::from(move |event: Event| {
        let id = select_value(&event);
        if let Some(machine) = machines.iter().find(|machine| machine.id.to_string() == id) {
            act.emit(Action::Focus(machine.id));
        }
    });
    html! {
        <label class="machine">
            <span class="visually-hidden">{ui.lab().machine}</span>
            <select {onchange} data-test="machine">
                {for state.machines.values().map(|machine| html! {
                    <option key={machine.id.to_string()} value={machine.id.to_string()}
                        selected={Some(machine.id) == state.focus}>{label(machine)}</option>
                })}
            </select>
        </label>
    }
}

/// A short name for a machine: what its cgroups are called, its profile, and its PID 1.
fn label(machine: &Machine) -> String {
    let name = machine.cgroup_path.rsplit('/').find(|part| !part.is_empty());
    let id = machine.id.to_string();
    let name = name.unwrap_or(&id);
    let short: String = name.chars().take(12).collect();
    format!("{short} · {} · init {}", profile_name(machine.profile), machine.init_pid)
}

/// Asks whether a machine is really to end.
fn end_machine(ui: &Ui, desk: &Desk, state: &State) -> Html {
    let t = ui.lab();
    let asked = match state.dialog {
        Some(Dialog::EndMachine(id)) => Some(id),
        _ => None,
    };
    let containers = asked
        .and_then(|id| state.machines.get(&id))
        .map_or(0, |machine| machine.containers.iter().filter(|one| is_running(one)).count());
    let close = desk.act.reform(|()| Action::Dialog(None));
    let keep = close.reform(|_: MouseEvent| ());
    let desk = desk.clone();
    let end = Callback::from(move |_: MouseEvent| {
        if let Some(machine) = asked {
            desk.send.emit(Command::EndMachine { machine });
        }
        desk.act.emit(Action::Dialog(None));
    });
    html! {
        <Modal open={asked.is_some()} title="end-title" test="end-dialog" {close}>
            <h2 id="end-title">{t.end_machine_question}</h2>
            <p>{words::end_question(ui.lang, containers)}</p>
            <div class="modal-buttons">
                <button type="button" data-test="end-no" autofocus=true onclick={keep}>{t.keep_machine}</button>
                <button type="button" class="danger" data-test="end-yes" onclick={end}>{t.end_machine}</button>
            </div>
        </Modal>
    }
}
