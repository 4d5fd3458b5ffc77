//! The namespace matrix: who is in which namespace, two processes compared, and what the
//! namespaces are like.

mod compare;
mod pictures;
mod table;

use std::hash::{DefaultHasher, Hash as _, Hasher as _};
use std::rc::Rc;

use vitrine_shared::discovery::Discovery;
use vitrine_shared::message::{Command, Machine, Sample};
use vitrine_shared::namespace::Namespace;
use yew::prelude::*;

use self::table::Table;
use crate::lens::Scene;
use crate::matrix::names::Names;
use crate::matrix::{Choice, Sources, matrix as table_of};
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
    let choice = use_state_eq(Choice::default);
    let names = use_mut_ref(Names::default);
    let pair = use_state_eq(|| [None::<u32>; 2]);
    let lit = use_state_eq(|| None::<(Namespace, u64)>);
    let region = use_node_ref();
    let light = {
        let lit = lit.setter();
        use_callback((), move |found, ()| lit.set(Some(found)))
    };
    let seen = signature(&props.sample);
    use_looks(props, seen);
    let discovery = use_same(props.discovery.as_ref());
    // Most samples change nothing of this.
    let matrix = use_memo((seen, *choice, discovery.clone(), props.machine.clone()), |_| {
        let processes = &props.sample.processes;
        discovery.as_deref().map_or_else(Default::default, |discovery| {
            let sources = Sources { machine: &props.machine, processes, discovery };
            table_of(&sources, *choice, &mut names.borrow_mut())
        })
    });
    {
        let region = region.clone();
        use_effect_with((*lit, matrix.clone()), move |(lit, _)| {
            if let Some(region) = region.cast::<web_sys::Element>() {
                table::mark(&region, *lit);
                table::keep_a_stop(&region);
            }
        });
    }
    let Some(discovery) = &discovery else {
        return html! { <p class="muted matrix-none" role="status">{t.waiting}</p> };
    };
    let sources =
        Sources { machine: &props.machine, processes: &props.sample.processes, discovery };
    let pick = {
        let pair = pair.clone();
        Callback::from(move |(at, pid): (usize, u32)| {
            let mut next = *pair;
            next[at] = Some(pid);
            pair.set(next);
        })
    };
    html! {
        <section class="matrix" aria-labelledby="matrix-title" data-test="matrix">
            <h2 id="matrix-title" class="visually-hidden">{t.caption}</h2>
            {tools(&ui, &choice)}
            <div class="matrix-scroll" ref={region}>
                <Table matrix={matrix.clone()} {light} />
            </div>
            <p class="mx-said" role="status" data-test="matrix-said">{table::said(&ui, &matrix, discovery, *lit)}</p>
            {table::legend(&ui, &matrix)}
            <p class="muted" hidden={!discovery.cut}>{t.cut}</p>
            {compare::compare(&ui, &sources, *pair, &pick)}
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
fn tools(ui: &Ui, choice: &UseStateHandle<Choice>) -> Html {
    let t = words::words(ui.lang);
    let toggle = {
        let choice = choice.clone();
        Callback::from(move |_: Event| {
            choice.set(Choice { only_different: !choice.only_different, ..*choice });
        })
    };
    let group = {
        let choice = choice.clone();
        Callback::from(move |event: Event| {
            let name = select_value(&event);
            let by = Namespace::ALL.into_iter().find(|kind| kind.proc_name() == name);
            choice.set(Choice { by, ..*choice });
        })
    };
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
        </div>
    }
}
