//! The lab: the shelf, the two eyes over the CPU figure and the terminal, and what happened.

use std::rc::Rc;

use vitrine_shared::cgroup::{CgroupSample, GroupId};
use vitrine_shared::message::{Command, Container, ContainerState, FeedEntry, Machine};
use yew::prelude::*;

use super::cpu::Cpu;
use super::eyes::Eyes;
use super::forge::Forge;
use super::notes::Notes;
use super::parts::TroubleText;
use super::raw::RawFiles;
use super::shelf::Shelf;
use super::start::why_not;
use super::terminal::TerminalArea;
use crate::place::Place;
use crate::state::{Action, Link, State};
use crate::text::ended_with;
use crate::ui::{use_desk, use_ui};

/// What the lab shows.
#[derive(Properties, PartialEq)]
pub(crate) struct Props {
    pub(crate) state: Rc<State>,
}

/// The lab.
#[component]
pub(crate) fn Lab(props: &Props) -> Html {
    let ui = use_ui();
    let state = &props.state;
    // Which container's screen asked for another; a new container ends that by itself.
    let forging = use_state_eq(|| None);
    let container = state.container().cloned();
    let forge = container.is_none() || *forging == Some((state.chosen, state.made));
    let another = {
        let (forging, now) = (forging.clone(), (state.chosen, state.made));
        Callback::from(move |()| forging.set(Some(now)))
    };
    let cancel = container.is_some().then(|| {
        let forging = forging.clone();
        Callback::from(move |()| forging.set(None))
    });
    let stale = state.welcomes > 0 && state.link != Link::Live;
    let class =
        classes!("lab", stale.then_some("is-stale"), state.focus.is_none().then_some("is-empty"));
    html! {
        <main {class} id="main" tabindex="-1">
            <p class="stale" role="status" hidden={!stale}>{ui.t().stale}</p>
            <div class="lab-left"><Left state={state.clone()} /></div>
            <div class={classes!("lab-centre", forge.then_some("is-forging"))}>
                <Bar key="bar" state={state.clone()} {another} {forge} />
                <div class="lab-figure" key="figure">
                    {match (&container, forge) {
                        (Some(container), false) => html! {
                            <Watch key="watch" state={state.clone()} container={container.clone()} />
                        },
                        _ => html! {
                            <Forge key="forge" machine={state.focus} why={why_not(state, ui.t())}
                                starting={state.is_starting()} {cancel}
                                trouble={state.troubles.get(&Place::Start).cloned()} />
                        },
                    }}
                </div>
                <div class="lab-terminal" key="terminal" hidden={container.is_none()} inert={forge}>
                    {terminal(state, container.as_ref())}
                </div>
            </div>
            <div class="lab-right">
                <Notes told={state.last.clone()} entries={entries(state)}
                    container_steps={container.map(|c| c.steps).unwrap_or_default()}
                    machine_steps={state.machine().map(|m| m.steps.clone()).unwrap_or_default()} />
            </div>
        </main>
    }
}

fn entries(state: &State) -> Vec<FeedEntry> {
    state.focus.and_then(|id| state.feeds.get(&id)).cloned().unwrap_or_default()
}

fn terminal(state: &State, container: Option<&Container>) -> Html {
    let name = container.map_or_else(String::new, |container| container.name.clone());
    let terminal = container.and_then(|container| container.terminal);
    html! { <TerminalArea {name} {terminal} may_type={state.may_change()} /> }
}

#[derive(Properties, PartialEq)]
struct StateProps {
    state: Rc<State>,
}

/// The left column: the shelf, and the files of the group that is chosen on it.
#[component]
fn Left(props: &StateProps) -> Html {
    let state = &props.state;
    let by_hand = use_state_eq(|| None::<GroupId>);
    let choose = {
        let by_hand = by_hand.clone();
        Callback::from(move |group| by_hand.set(Some(group)))
    };
    let groups = state.sample.as_ref().map(|sample| sample.groups.as_slice()).unwrap_or_default();
    let named = |id: GroupId| groups.iter().find(|group| group.group == id);
    let group = by_hand
        .and_then(named)
        .or_else(|| named(GroupId::Container(state.chosen?)))
        .or_else(|| named(GroupId::Root));
    let id = group.map_or(GroupId::Root, |group| group.group);
    html! {
        <>
            <Shelf sample={state.sample.clone()} histories={state.histories.clone()} group={id} {choose} />
            <div class="raw-slot">{group.zip(state.focus).map(|(group, machine)| html! {
                <RawFiles {machine} group={group.clone()} troubles={state.troubles.clone()}
                    may_change={state.may_ask()} />
            })}</div>
        </>
    }
}

#[derive(Properties, PartialEq)]
struct BarProps {
    state: Rc<State>,
    another: Callback<()>,
    forge: bool,
}

/// The bar over the figure: the containers, and what may be done to them.
#[component]
fn Bar(props: &BarProps) -> Html {
    let (ui, desk) = (use_ui(), use_desk());
    let t = ui.t();
    let state = &props.state;
    let machine = state.machine().cloned();
    let containers =
        machine.as_ref().map(|machine| machine.containers.as_slice()).unwrap_or_default();
    let running = state.container().filter(|container| is_running(container));
    let may = state.may_ask();
    let ids = state.focus.zip(running.map(|container| container.id));
    let end_container =
        desk.send.reform(move |(machine, container)| Command::StopContainer { machine, container });
    let end_machine = desk.send.reform(|machine| Command::EndMachine { machine });
    html! {
        <div class="bar" hidden={machine.is_none()}>
            if !props.forge { <h1 key="eyes" id="eyes-title">{t.eyes_question}</h1> }
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
            <span class="bar-state muted">{state.container().and_then(|one| ended(&ui, one))}</span>
            <div class="bar-buttons">
                <button type="button" class="plain" disabled={!may || props.forge || machine.is_none()} data-test="another"
                    onclick={props.another.reform(|_: MouseEvent| ())}>{t.another}</button>
                <button type="button" class="plain" data-test="end-container" disabled={!may || ids.is_none()}
                    onclick={Callback::from(move |_: MouseEvent| if let Some(ids) = ids { end_container.emit(ids) })}>
                    {t.end_container}</button>
                <button type="button" class="plain" data-test="end-machine" disabled={!may || machine.is_none()}
                    onclick={end(machine.as_deref(), &end_machine)}>{t.end_machine}</button>
            </div>
            <TroubleText place={Place::End} trouble={state.troubles.get(&Place::End).cloned()} />
        </div>
    }
}

fn end(
    machine: Option<&Machine>,
    send: &Callback<vitrine_shared::id::MachineId>,
) -> Callback<MouseEvent> {
    let (id, send) = (machine.map(|machine| machine.id), send.clone());
    Callback::from(move |_| {
        if let Some(id) = id {
            send.emit(id);
        }
    })
}

fn is_running(container: &Container) -> bool {
    matches!(container.state, ContainerState::Running { .. })
}

fn ended(ui: &crate::ui::Ui, container: &Container) -> Option<String> {
    match container.state {
        ContainerState::Running { .. } => None,
        ContainerState::Exited { status, .. } => Some(ended_with(ui.lang, status)),
    }
}

#[derive(Properties, PartialEq)]
struct WatchProps {
    state: Rc<State>,
    container: Container,
}

/// The figure: two eyes over the CPU.
#[component]
fn Watch(props: &WatchProps) -> Html {
    let (state, container) = (&props.state, &props.container);
    let id = GroupId::Container(container.id);
    let group: Option<CgroupSample> = state
        .sample
        .as_ref()
        .and_then(|sample| sample.groups.iter().find(|group| group.group == id).cloned());
    let may_change = state.may_ask() && is_running(container);
    let trouble = |place| state.troubles.get(&place).cloned();
    html! {
        <div class="watch">
            <section class="two-eyes" aria-labelledby="eyes-title">
                <Eyes sample={state.sample.clone()} container={container.clone()} />
            </section>
            {state.focus.map(|machine| html! {
                <Cpu key={container.id.to_string()} {machine} container={container.id} {group}
                    history={state.histories.get(&id).cloned()} {may_change}
                    quota_trouble={trouble(Place::Quota(id))} exec_trouble={trouble(Place::Exec(container.id))} />
            })}
        </div>
    }
}
