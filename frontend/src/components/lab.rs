//! The lab: the shelf, the two eyes over the CPU figure and the terminal, and what happened.

use std::rc::Rc;

use gloo::events::EventListener;
use vitrine_shared::cgroup::{CgroupSample, GroupId};
use vitrine_shared::id::MachineId;
use vitrine_shared::message::{Container, FeedEntry};
use yew::prelude::*;

use super::bar::{self, bar};
use super::missing_note::MissingNote;
use super::notes::Notes;
use super::raw::{self, raw_files};
use super::shelf::{self, shelf};
use super::terminal::TerminalArea;
use super::watch::Watch;
use crate::kinds::group_of;
use crate::lens::{self, Lens, Scene};
use crate::prefs::Lang;
use crate::route;
use crate::state::{Action, Link, State};
use crate::ui::{Desk, Ui, use_desk, use_ui};

/// What the lab shows.
#[derive(Properties, PartialEq)]
pub(crate) struct Props {
    pub(crate) state: Rc<State>,
}

/// The lab.
#[component]
pub(crate) fn Lab(props: &Props) -> Html {
    let (ui, desk) = (use_ui(), use_desk());
    let state = &props.state;
    // Which container's screen asked for another; a new container ends that by itself.
    let forging = use_state_eq(|| None);
    let container = state.container().cloned();
    let another = {
        let (forging, now) = (forging.clone(), (state.chosen, state.made));
        Callback::from(move |()| forging.set(Some(now)))
    };
    let leave = container.is_some().then(|| {
        let forging = forging.clone();
        Callback::from(move |()| forging.set(None))
    });
    // Two eyes, unless a lens was chosen.
    let view = use_state_eq(|| lens::named(route::spot().view.as_deref()));
    let look = {
        let view = view.clone();
        Callback::from(move |next: Option<Lens>| {
            view.set(next);
            let bar = lens::on_the_bar(Lang::En);
            let name = bar.iter().find(|one| Some(one.lens) == next).map(|one| one.name.into());
            route::keep(|spot| spot.view = name);
        })
    };
    // A birth can be looked at that gave no container.
    let is_empty = container.is_none() && (*view != Some(Lens::Birth) || state.focus.is_none());
    let forge = is_empty || *forging == Some((state.chosen, state.made));
    let to_birth = {
        let forging = forging.clone();
        Callback::from(move |birth: String| {
            forging.set(None);
            let name = lens::on_the_bar(Lang::En).into_iter().find(|one| one.lens == Lens::Birth);
            route::to_spot(|spot| {
                spot.view = name.map(|one| one.name.into());
                (spot.birth, spot.frame) = (Some(birth), None);
            });
        })
    };
    let by_hand = use_state_eq(|| None::<GroupId>);
    let choose = {
        let by_hand = by_hand.clone();
        Callback::from(move |group| by_hand.set(Some(group)))
    };
    use_spot(state, &desk, &view, &by_hand);
    let group = shown_group(state, *by_hand);
    let scene = Scene { ui: &ui, desk: &desk, state, group, leave };
    let stale = state.welcomes > 0 && state.link != Link::Live;
    let class =
        classes!("lab", stale.then_some("is-stale"), state.focus.is_none().then_some("is-empty"));
    html! {
        <main {class} id="main" tabindex="-1">
            <div class="lab-notes">
                <p class="stale" role="status" hidden={!stale}>{ui.lab().stale}</p>
                <MissingNote state={state.clone()} />
            </div>
            <div class="lab-left">
                {left(&ui, state, group, choose, forge || view.is_none())}
            </div>
            <div class={classes!("lab-centre", forge.then_some("is-forging"))}>
                <div key="bar" class="lab-bar">{bar(&ui, &desk, &bar::Props { state, another, forge, view: *view, look })}</div>
                <div class="lab-figure" key="figure">
                    {match (&container, forge, *view) {
                        (Some(_), false, Some(lens)) | (None, false, Some(lens @ Lens::Birth)) => lens::show(&scene, lens),
                        (Some(container), false, None) => html! {
                            <Watch key="watch" state={state.clone()} container={container.clone()} />
                        },
                        _ => lens::show(&scene, Lens::Forge),
                    }}
                </div>
                <div class="lab-terminal" key="terminal" hidden={container.is_none()} inert={forge}>
                    {terminal(state, container.as_ref())}
                </div>
            </div>
            <div class="lab-right">
                <Notes told={state.last.clone()} entries={entries(state)} {to_birth} machine={state.machine().cloned()}
                    log={Rc::clone(&state.log)} explain={lens::show(&scene, Lens::Explain)}
                    container_steps={container.map(|c| c.steps).unwrap_or_default()}
                    machine_steps={state.machine().map(|m| m.steps.clone()).unwrap_or_default()} />
            </div>
        </main>
    }
}

/// Goes where the address says, as far as that is there; then the address says where one is.
#[hook]
fn use_spot(
    state: &Rc<State>,
    desk: &Desk,
    view: &UseStateHandle<Option<Lens>>,
    by_hand: &UseStateHandle<Option<GroupId>>,
) {
    let sought = use_state_eq(|| Some(route::spot()));
    {
        let (sought, view) = (sought.clone(), view.clone());
        use_effect_with((), move |()| {
            let window = web_sys::window().expect("a page has a window");
            let listener = EventListener::new(&window, "hashchange", move |_| {
                let spot = route::spot();
                view.set(lens::named(spot.view.as_deref()));
                sought.set(Some(spot));
            });
            move || drop(listener)
        });
    }
    let shown = shown_group(state, **by_hand).map(|group| short_name(&group.path).to_owned());
    let deps = ((*sought).clone(), state.focus, shown, state.chosen);
    let (state, desk, by_hand) = (Rc::clone(state), desk.clone(), by_hand.clone());
    use_effect_with(deps, move |(spot, focus, shown, _)| {
        let Some(focus) = focus else { return };
        let Some(spot) = spot else {
            let id = focus.to_string()[..12].to_owned();
            let shown = shown.clone();
            return route::keep(|spot| (spot.machine, spot.group) = (Some(id), shown));
        };
        let is_meant = |id: &MachineId| {
            spot.machine.as_ref().is_none_or(|start| id.to_string().starts_with(start))
        };
        if let Some(other) =
            state.machines.keys().find(|id| is_meant(id)).filter(|_| !is_meant(focus))
        {
            return desk.act.emit(Action::Focus(*other));
        }
        let Some(sample) = state.sample.as_ref() else { return };
        let is_named =
            |group: &&CgroupSample| Some(short_name(&group.path)) == spot.group.as_deref();
        match sample.groups.iter().find(is_named).map(|group| group.group) {
            Some(GroupId::Container(id)) => desk.act.emit(Action::Choose(id)),
            Some(other) => by_hand.set(Some(other)),
            None => {}
        }
        sought.set(None);
    });
}

/// What a group is called in the address.
fn short_name(path: &str) -> &str {
    match path {
        "" => "cap",
        path => path.strip_prefix("root/").unwrap_or(path),
    }
}

fn entries(state: &State) -> Rc<Vec<FeedEntry>> {
    state.focus.and_then(|id| state.feeds.get(&id)).cloned().unwrap_or_default()
}

fn terminal(state: &State, container: Option<&Container>) -> Html {
    let name = container.map_or_else(String::new, |container| container.name.clone());
    let terminal = container.and_then(|container| container.terminal);
    html! { <TerminalArea {name} {terminal} may_type={state.may_change()} /> }
}

/// The group that is looked at: chosen by hand, else the container's, else the machine's.
fn shown_group(state: &State, by_hand: Option<GroupId>) -> Option<&CgroupSample> {
    let groups = state.sample.as_ref()?.groups.as_slice();
    let named = |id: GroupId| groups.iter().find(|group| group.group == id);
    by_hand
        .and_then(named)
        .or_else(|| named(group_of(state.container()?)))
        .or_else(|| named(GroupId::Root))
}

/// The left column: the shelf, and the files of the group that is chosen on it.
fn left(
    ui: &Ui,
    state: &State,
    group: Option<&CgroupSample>,
    choose: Callback<GroupId>,
    raw: bool,
) -> Html {
    let id = group.map_or(GroupId::Root, |group| group.group);
    let raw = group.filter(|_| raw).zip(state.focus);
    html! {
        <>
            {shelf(ui, &shelf::Props {
                sample: state.sample.as_deref(), histories: &state.histories, group: id, choose, host: state.host.as_deref(),
            })}
            <div class="raw-slot">{raw.map(|(group, machine)| raw_files(ui, &raw::Props {
                machine, group, troubles: &state.troubles, may_change: state.may_ask(),
            }))}</div>
        </>
    }
}
