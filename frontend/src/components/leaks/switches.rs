//! The nine switches beside what they decide, and the button that starts the container anew.

use vitrine_shared::leaks::Row;
use vitrine_shared::message::Command;
use vitrine_shared::namespace::Namespace;
use yew::prelude::*;

use super::{Choice, Props, name_of, remounts};
use crate::leaks::anew;
use crate::text::{kernel, leaks as words};
use crate::ui::{Ui, use_desk};

/// The switch of a row; that of processes has the one of `/proc` beside it.
pub(super) fn of_row(ui: &Ui, row: Row, choice: &Choice, may: bool) -> Html {
    let t = words::words(ui.lang);
    let (namespaces, remount) = **choice;
    let namespace = row.namespace();
    let name = kernel::namespace_name(ui.lang, namespace);
    let flip = {
        let choice = choice.clone();
        Callback::from(move |_: Event| {
            let on = namespaces.has(namespace);
            choice.set((namespaces.with(namespace, !on), remount));
        })
    };
    let proc = {
        let choice = choice.clone();
        Callback::from(move |_: Event| choice.set((namespaces, !remount)))
    };
    let test = name_of(row);
    html! {
        <div class="leak-switches">
            <label>
                <input type="checkbox" role="switch" class="switch" data-test={format!("flag-{test}")} aria-label={name}
                    checked={namespaces.has(namespace)} disabled={!may} onchange={flip} />
                <code aria-hidden="true">{namespace.option()}</code>
            </label>
            {(row == Row::Processes).then(|| html! {
                <label>
                    <input type="checkbox" role="switch" class="switch" data-test="flag-proc" aria-label={t.remount}
                        checked={remounts(**choice)} disabled={!may || !namespaces.has(Namespace::Mount)} onchange={proc} />
                    <code aria-hidden="true">{"/proc"}</code>
                </label>
            })}
        </div>
    }
}

/// The button, once something differs.
pub(super) fn start(ui: &Ui, props: &Props, choice: &Choice, may: bool) -> Html {
    html! { <Start key="start" lang={ui.lang} {may} starting={props.starting} machine={props.machine.id}
    container={props.container.id} spec={props.container.spec.clone()} choice={**choice} /> }
}

/// What [`Start`] starts.
#[derive(Properties, PartialEq)]
struct StartProps {
    lang: crate::prefs::Lang,
    may: bool,
    starting: bool,
    machine: vitrine_shared::id::MachineId,
    container: vitrine_shared::id::ContainerId,
    spec: vitrine_shared::spec::ContainerSpec,
    choice: (vitrine_shared::namespace::NamespaceSet, bool),
}

#[component]
fn Start(props: &StartProps) -> Html {
    let desk = use_desk();
    let t = words::words(props.lang);
    let spec = anew(&props.spec, props.choice.0, props.choice.1);
    let is_new = spec != props.spec;
    let (machine, container) = (props.machine, props.container);
    let onclick = Callback::from(move |_: MouseEvent| {
        desk.send.emit(Command::StopContainer { machine, container });
        desk.send.emit(Command::StartContainer { machine: Some(machine), spec: spec.clone() });
    });
    html! {
        <div class="truth-tools">
            <button type="button" data-test="leaks-start" {onclick}
                disabled={!is_new || !props.may || props.starting}>{t.start_anew}</button>
            <p class="muted" hidden={is_new}>{t.unchanged}</p>
        </div>
    }
}
