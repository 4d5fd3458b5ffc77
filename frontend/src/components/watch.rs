//! The first view: two eyes, and below them the CPU, or a line that is run in both.

use std::rc::Rc;

use vitrine_shared::cgroup::{CgroupSample, Controller};
use vitrine_shared::message::Container;
use yew::prelude::*;

use super::cpu::Cpu;
use super::eyes::Eyes;
use crate::host::lacks_controller;
use crate::kept::use_kept;
use crate::kinds::{group_of, is_running};
use crate::lens::{self, Lens, Scene};
use crate::place::Place;
use crate::prefs;
use crate::state::State;
use crate::ui::{Ui, use_desk, use_ui};

/// What it looks at.
#[derive(Properties, PartialEq)]
pub(crate) struct Props {
    pub(crate) state: Rc<State>,
    pub(crate) container: Container,
}

/// Two eyes over what is chosen below them.
#[component]
pub(crate) fn Watch(props: &Props) -> Html {
    let (ui, desk) = (use_ui(), use_desk());
    let (tree, set_tree) = use_kept(|spot| spot.tree, |spot, tree| spot.tree = *tree);
    let (both, set_both) = use_kept(|spot| spot.both, |spot, both| spot.both = *both);
    let moves = use_state_eq(|| !prefs::motion_is_off());
    let set_moves = {
        let moves = moves.clone();
        Callback::from(move |_: Event| {
            prefs::set_motion(!*moves);
            moves.set(!*moves);
        })
    };
    let state = &props.state;
    let scene = Scene { ui: &ui, desk: &desk, state, group: None, leave: None };
    html! {
        <div class="watch">
            <section class="two-eyes" aria-labelledby="figure-title">
                <div class="eyes-tools">
                    {shape(&ui, tree, &set_tree)}
                    <label><input type="checkbox" class="switch" role="switch" data-test="motion"
                        checked={*moves} onchange={set_moves} />{ui.lab().motion}</label>
                    {below(&ui, both, &set_both)}
                </div>
                <Eyes key={props.container.id.to_string()} sample={state.sample.clone()}
                    container={props.container.clone()} {tree} />
            </section>
            {if both { lens::show(&scene, Lens::Both) } else { cpu(state, &props.container) }}
        </div>
    }
}

/// One of two, as two buttons.
fn either(
    label: &'static str,
    words: [(&'static str, &'static str); 2],
    second: bool,
    set: &Callback<bool>,
) -> Html {
    let button = |(at, (name, word)): (usize, (&'static str, &'static str))| {
        let this = at == 1;
        html! {
            <button key={name} type="button" data-test={name} aria-pressed={(this == second).to_string()}
                onclick={set.reform(move |_: MouseEvent| this)}>{word}</button>
        }
    };
    html! {
        <span class="views" role="group" aria-label={label}>
            {for words.into_iter().enumerate().map(button)}
        </span>
    }
}

/// A list, or a tree.
fn shape(ui: &Ui, tree: bool, set: &Callback<bool>) -> Html {
    let t = ui.lab();
    either(t.shape, [("as-list", t.as_list), ("as-tree", t.as_tree)], tree, set)
}

/// What stands below the eyes.
fn below(ui: &Ui, both: bool, set: &Callback<bool>) -> Html {
    let t = ui.lab();
    either(t.below, [("below-cpu", t.below_cpu), ("below-both", t.below_both)], both, set)
}

fn cpu(state: &State, container: &Container) -> Html {
    let id = group_of(container);
    let missing = lacks_controller(state.host.as_deref(), Controller::Cpu).cloned();
    let group: Option<CgroupSample> = state
        .sample
        .as_ref()
        .and_then(|sample| sample.groups.iter().find(|group| group.group == id).cloned());
    let may_change = state.may_ask() && is_running(container);
    let trouble = |place| state.troubles.get(&place).cloned();
    html! {
        {for state.focus.map(|machine| html! {
            <Cpu key={container.id.to_string()} {machine} container={container.id} id={id} {group} {missing}
                history={state.histories.get(&id).cloned()} {may_change}
                quota_trouble={trouble(Place::Quota(id))} exec_trouble={trouble(Place::Exec(container.id))} />
        })}
    }
}
