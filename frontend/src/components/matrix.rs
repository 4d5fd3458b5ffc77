//! The namespace matrix: who is in which namespace, two processes compared, and what the
//! namespaces are like.

mod board;
mod compare;
mod pictures;
mod table;

use std::hash::{DefaultHasher, Hash as _, Hasher as _};
use std::rc::Rc;

use vitrine_shared::discovery::Discovery;
use vitrine_shared::message::{Command, Machine, Sample};
use vitrine_shared::namespace::Namespace;
use yew::prelude::*;

use self::board::Board;
use self::compare::Compare;
use super::parts::letter;
use crate::kept::use_kept;
use crate::lens::Scene;
use crate::matrix::names::Names;
use crate::matrix::{Choice, Sources, matrix as table_of};
use crate::route::Spaces;
use crate::state::Link;
use crate::text::matrix as words;
use crate::ui::{Ui, select_value, use_desk, use_ui};

/// What nobody's coming or going tells of (a descriptor that was opened) is looked for so often.
const LOOK_MSEC: u64 = 3_000;

/// The matrix of the machine that is looked at.
pub(crate) fn matrix(scene: &Scene<'_>) -> Html {
    let state = scene.state;
    let (Some(machine), Some(sample)) = (state.machine(), &state.sample) else {
        return html! { <p key="none" class="muted">{scene.ui.lab().waiting_for_sample}</p> };
    };
    html! {
        <View key="matrix" machine={machine.clone()} sample={sample.clone()}
            discovery={state.discovery.clone()} live={state.link == Link::Live} />
    }
}

/// What the matrix shows.
#[derive(Properties, PartialEq)]
struct Props {
    machine: Rc<Machine>,
    sample: Rc<Sample>,
    discovery: Option<Rc<Discovery>>,
    /// Can the server be asked?
    live: bool,
}

#[component]
fn View(props: &Props) -> Html {
    let ui = use_ui();
    let t = words::words(ui.lang);
    let (spaces, keep) = use_kept(|spot| spot.spaces, |spot, spaces| spot.spaces = *spaces);
    let Spaces { choice, chosen, pair } = spaces;
    let names = use_mut_ref(Names::default);
    let seen = signature(&props.sample);
    use_looks(props, seen);
    let discovery = use_same(props.discovery.as_ref());
    // Most samples change nothing of this.
    let matrix = use_memo((seen, choice, discovery.clone(), props.machine.clone()), |_| {
        let processes = &props.sample.processes;
        discovery.as_deref().map_or_else(Default::default, |discovery| {
            let sources = Sources { machine: &props.machine, processes, discovery };
            table_of(&sources, choice, &mut names.borrow_mut())
        })
    });
    let legend = use_memo((matrix.clone(), ui.lang), |(matrix, _)| table::legend(&ui, matrix));
    let choose = {
        let keep = keep.clone();
        use_callback(spaces, move |chosen, spaces| keep.emit(Spaces { chosen, ..*spaces }))
    };
    let pick = {
        let keep = keep.clone();
        use_callback(spaces, move |(at, pid): (usize, u32), spaces| {
            let mut next = *spaces;
            next.pair[at] = Some(pid);
            keep.emit(next);
        })
    };
    let Some(discovery) = discovery else {
        return html! { <p class="muted matrix-none" role="status">{t.waiting}</p> };
    };
    let show = keep.reform(move |choice| Spaces { choice, ..spaces });
    html! {
        <section class="matrix" aria-labelledby="matrix-title" data-test="matrix">
            <h2 id="matrix-title" class="visually-hidden">{t.caption}</h2>
            {tools(&ui, choice, &show)}
            <Board matrix={matrix} discovery={discovery.clone()} {chosen} {choose} />
            {(*legend).clone()}
            <p class="muted" hidden={!discovery.cut}>{t.cut}</p>
            <Compare machine={props.machine.clone()} sample={props.sample.clone()} {discovery} {seen} {pair} {pick} />
        </section>
    }
}

/// A number that changes with what the table shows of a sample.
fn signature(sample: &Sample) -> u64 {
    let mut hasher = DefaultHasher::new();
    for process in &sample.processes {
        let container = process.container.map(|id| id.to_string());
        (&process.pids, process.namespaces, container, &process.command).hash(&mut hasher);
    }
    hasher.finish()
}

/// The last discovery that differs from the one before in more than its time.
#[hook]
fn use_same(now: Option<&Rc<Discovery>>) -> Option<Rc<Discovery>> {
    let kept = use_mut_ref(|| None::<Rc<Discovery>>);
    let mut kept = kept.borrow_mut();
    let is_same = |old: &Rc<Discovery>, new: &Rc<Discovery>| {
        **old == Discovery { at_msec: old.at_msec, ..(**new).clone() }
    };
    match (kept.as_ref(), now) {
        (Some(old), Some(new)) if Rc::ptr_eq(old, new) || is_same(old, new) => {}
        _ => *kept = now.cloned(),
    }
    kept.clone()
}

/// Asks the server to look: when somebody comes, goes or changes a namespace, and now and then.
#[hook]
fn use_looks(props: &Props, seen: u64) {
    let desk = use_desk();
    let turn = props.sample.at_msec / LOOK_MSEC;
    let seen = (props.machine.id, props.live, seen, turn);
    use_effect_with(seen, move |&(machine, live, ..)| {
        if live {
            desk.send.emit(Command::Discover { machine });
        }
    });
}

/// What is shown, and in which order.
fn tools(ui: &Ui, choice: Choice, show: &Callback<Choice>) -> Html {
    let t = words::words(ui.lang);
    let toggle =
        show.reform(move |_: Event| Choice { only_different: !choice.only_different, ..choice });
    let group = show.reform(move |event: Event| {
        let name = select_value(&event);
        let by = Namespace::ALL.into_iter().find(|kind| kind.proc_name() == name);
        Choice { by, ..choice }
    });
    html! {
        <div class="matrix-tools">
            <label><input type="checkbox" class="switch" role="switch" data-test="only-different"
                checked={choice.only_different} onchange={toggle} />{t.only_different}</label>
            <label>{t.by}
                <select data-test="group-by" onchange={group}>
                    <option key="container" value="container" selected={choice.by.is_none()}>{t.by_container}</option>
                    {for Namespace::ALL.into_iter().map(|kind| html! {
                        <option key={kind.proc_name()} value={kind.proc_name()}
                            selected={choice.by == Some(kind)}>{kind.proc_name()}</option>
                    })}
                </select>
            </label>
            <span class="mx-types" role="group" aria-label={t.types}>
                <span aria-hidden="true">{t.types}</span>
                {for Namespace::ALL.into_iter().map(|kind| one_type(choice, kind, show))}
            </span>
        </div>
    }
}

/// The button of a type: its column is there or not.
fn one_type(choice: Choice, kind: Namespace, show: &Callback<Choice>) -> Html {
    let on = choice.types.has(kind);
    let turn = show.reform(move |_: MouseEvent| choice.turned(kind));
    html! {
        <button key={kind.proc_name()} type="button" class={classes!("mx-type", (!on).then_some("is-off"))}
            data-test={format!("type-{}", kind.proc_name())} aria-pressed={on.to_string()}
            aria-label={kind.proc_name()} title={kind.proc_name()} onclick={turn}>{letter(kind)}</button>
    }
}
