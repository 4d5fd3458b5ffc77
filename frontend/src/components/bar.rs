//! The bar over the figure: the containers, and what may be done to them.

use vitrine_shared::cgroup::{Controller, GroupId, Knob};
use vitrine_shared::message::{Command, Container, ContainerState};
use yew::prelude::*;

use super::parts::TroubleText;
use crate::host::lacks_controller;
use crate::kinds::{group_of, is_frozen, is_machine_shell, is_running};
use crate::lens::{self, Lens};
use crate::place::Place;
use crate::state::{Action, State};
use crate::text::{ended_with, host as words};
use crate::ui::{Desk, Ui};

/// What the bar shows.
pub(crate) struct Props<'a> {
    pub(crate) state: &'a State,
    /// Opens the forge.
    pub(crate) another: Callback<()>,
    /// Is the forge open?
    pub(crate) forge: bool,
    /// Which lens is over the figure; `None` for two eyes over the CPU.
    pub(crate) view: Option<Lens>,
    pub(crate) look: Callback<Option<Lens>>,
}

/// The bar.
pub(crate) fn bar(ui: &Ui, desk: &Desk, props: &Props<'_>) -> Html {
    let t = ui.lab();
    let state = props.state;
    let machine = state.machine().cloned();
    let containers =
        machine.as_ref().map(|machine| machine.containers.as_slice()).unwrap_or_default();
    let running = state.container().filter(|container| is_running(container));
    let may = state.may_ask();
    let lenses = lens::on_the_bar(ui.lang);
    let shown = lenses.iter().find(|one| Some(one.lens) == props.view);
    let question = shown.map_or(t.eyes_question, |one| one.question);
    let id = machine.as_ref().map(|machine| machine.id);
    let end_container = {
        let ids = id.zip(running.map(|container| container.id));
        let send = desk.send.clone();
        Callback::from(move |_: MouseEvent| {
            if let Some((machine, container)) = ids {
                send.emit(Command::StopContainer { machine, container });
            }
        })
    };
    let end_word = match state.container() {
        Some(container) if is_machine_shell(container) => t.end_shell,
        _ => t.end_container,
    };
    html! {
        <div class="bar" hidden={machine.is_none()}>
            if !props.forge { <h1 key="question" id="figure-title">{question}</h1> }
            <div class="views" role="group" aria-label={t.views} hidden={props.forge}>
                {view_button(None, props, t.view_eyes, "eyes")}
                {for lenses.iter().map(|one| view_button(Some(one.lens), props, one.word, one.name))}
            </div>
            <div class="bar-names" role="group" aria-label={t.containers}>
                {for containers.iter().map(|one| {
                    let id = one.id;
                    let chosen = Some(id) == state.chosen;
                    html! {
                        <button key={id.to_string()} type="button" class={classes!("name", (!is_running(one)).then_some("is-ended"))}
                            aria-pressed={chosen.to_string()}
                            onclick={desk.act.reform(move |_: MouseEvent| Action::Choose(id))}>
                            {&one.name}
                        </button>
                    }
                })}
            </div>
            <span class="bar-state muted">{state.container().and_then(|one| ended(ui, one)).or_else(|| frozen(state).filter(|frozen| *frozen).map(|_| t.frozen.into()))}</span>
            <div class="bar-buttons">
                <button type="button" class="plain" disabled={!may || props.forge || machine.is_none()} data-test="another"
                    onclick={props.another.reform(|_: MouseEvent| ())}>{t.another}</button>
                {freeze(ui, desk, state)}
                <button type="button" class="plain" data-test="end-container" disabled={!may || running.is_none()}
                    onclick={end_container}>{end_word}</button>
            </div>
            <TroubleText place={Place::End} trouble={state.troubles.get(&Place::End).cloned()} />
        </div>
    }
}

fn view_button(
    view: Option<Lens>,
    props: &Props<'_>,
    word: &'static str,
    name: &'static str,
) -> Html {
    let look = props.look.reform(move |_: MouseEvent| view);
    html! {
        <button key={name} type="button" data-test={format!("view-{name}")} aria-pressed={(view == props.view).to_string()}
            onclick={look}>{word}</button>
    }
}

fn ended(ui: &Ui, container: &Container) -> Option<String> {
    match container.state {
        ContainerState::Running { .. } => None,
        ContainerState::Exited { status, .. } => Some(ended_with(ui.lang, status)),
    }
}

/// The group that may be frozen. The machine's own holds its PID 1: that is not ours to stop.
fn freezable(state: &State) -> Option<GroupId> {
    let container = state.container().filter(|one| is_running(one) && !is_machine_shell(one));
    container.map(group_of)
}

/// Is it frozen? `None` where there is nothing to freeze.
fn frozen(state: &State) -> Option<bool> {
    let id = freezable(state)?;
    let groups = &state.sample.as_ref()?.groups;
    groups.iter().find(|group| group.group == id).and_then(is_frozen)
}

/// Stops every process of the container, or lets them go on.
fn freeze(ui: &Ui, desk: &Desk, state: &State) -> Html {
    let t = ui.lab();
    let group = freezable(state);
    let frozen = frozen(state);
    let missing = lacks_controller(state.host.as_deref(), Controller::Freezer);
    let why = missing.map(|missing| words::because(ui.lang, missing.because));
    let ids = state.focus.zip(group);
    let send = desk.send.clone();
    let turn = Callback::from(move |_: MouseEvent| {
        if let (Some((machine, group)), Some(frozen)) = (ids, frozen) {
            send.emit(Command::SetKnob { machine, group, knob: Knob::Freeze(!frozen) });
        }
    });
    let word = if frozen == Some(true) { t.thaw } else { t.freeze };
    html! {
        <button type="button" class="plain" data-test="freeze" title={why} onclick={turn}
            disabled={!state.may_ask() || frozen.is_none()}>{word}</button>
    }
}
