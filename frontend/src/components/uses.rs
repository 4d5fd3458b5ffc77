//! Memory, processes and devices of one group: the last minute of each over one time axis, their
//! limits, and what it met at them.
//!
//! Pictures and figures are set four times a second on elements that stand already (`paint`); the
//! virtual DOM has the fields, and changes when a limit does or something was met (`facts`).

mod charts;
mod facts;
mod limit;
mod paint;
mod table;
mod tools;

use std::rc::Rc;

use vitrine_shared::cgroup::{GroupId, IoMax, Knob};
use vitrine_shared::focus::{Focus, Look};
use vitrine_shared::id::{ContainerId, MachineId};
use vitrine_shared::message::{Command, FeedEntry, Happening};
use yew::prelude::*;

use self::charts::Board;
use self::facts::Facts;
use self::limit::LimitField;
use self::paint::{Paint, Scenery, Words};
use self::table::Table;
use self::tools::tools;
use super::easel::GUTTER;
use super::figure::use_width;
use super::parts::TroubleText;
use crate::kinds::{group_of, is_running};
use crate::lens::Scene;
use crate::place::{Place, Trouble};
use crate::tap::{Near, Tap};
use crate::text::{happening, uses as words};
use crate::ui::{Ui, input_text, use_desk, use_ui};

const MIB: u64 = 1 << 20;
const KIB: u64 = 1 << 10;

/// The lens of the group that is looked at.
pub(crate) fn uses(scene: &Scene<'_>) -> Html {
    let (ui, state) = (scene.ui, scene.state);
    let t = words::words(ui.lang);
    let Some((group, machine)) = scene.group.zip(state.focus) else {
        return html! { <p key="none" class="muted">{t.waiting}</p> };
    };
    if !state.may_change() {
        return html! { <p key="none" class="muted">{t.not_allowed}</p> };
    }
    let id = group.group;
    let container = state.container().filter(|one| is_running(one) && group_of(one) == id);
    let name = state.container().filter(|one| group_of(one) == id).map(|one| one.name.clone());
    let killed = |entry: &&FeedEntry| match &entry.what {
        Happening::OomKilled { name: of, .. } => *of == name.clone().unwrap_or_default(),
        _ => false,
    };
    let feed = state.feeds.get(&machine).map(|feed| feed.as_slice()).unwrap_or_default();
    let kills: Vec<FeedEntry> = feed.iter().filter(killed).rev().take(3).cloned().collect();
    let trouble = |place| state.troubles.get(&place).cloned();
    html! {
        <Uses key="uses" {machine} group={id}
            pids_max={group.pids_max} {kills} container={container.map(|one| one.id)}
            may_change={state.may_ask() && id != GroupId::Cap} welcomes={state.welcomes}
            knob_trouble={trouble(Place::Quota(id))}
            exec_trouble={container.and_then(|one| trouble(Place::Exec(one.id)))} />
    }
}

/// What the lens shows.
#[derive(Properties, PartialEq)]
struct Props {
    machine: MachineId,
    group: GroupId,
    pids_max: Option<u64>,
    /// The latest kills in it, latest first.
    kills: Vec<FeedEntry>,
    /// The container whose group it is, while it runs.
    container: Option<ContainerId>,
    may_change: bool,
    welcomes: u32,
    knob_trouble: Option<Trouble>,
    exec_trouble: Option<Trouble>,
}

#[component]
fn Uses(props: &Props) -> Html {
    let (ui, desk) = (use_ui(), use_desk());
    let t = words::words(ui.lang);
    let region = use_node_ref();
    let scale = if ui.projector { 1.4 } else { 1.0 };
    let plot = (use_width(&region) / scale - GUTTER).max(1.0);
    let paint = use_memo((), |()| Paint::new()).as_ref().clone();
    let paused = use_state_eq(|| false);
    let table = use_state_eq(|| false);
    let facts = use_state_eq(Facts::default);
    paint.set(Scenery { width: plot, lang: ui.lang, paused: *paused });
    use_look(props, &paint, &facts);
    use_effect_with((plot.to_bits(), ui.lang, *paused, (*facts).clone()), {
        let paint = paint.clone();
        move |_| paint.ask(true)
    });
    let board = Board { ui: &ui, paint: &paint, facts: &facts, size: (plot, scale) };
    let counted = |is: bool, why: &'static str| {
        html! { <p class="muted" hidden={is || !facts.heard}>{why}</p> }
    };
    let io = facts.io.as_ref();
    let has_device = io.is_some_and(|io| io.device.is_some());
    html! {
        <section class="uses" aria-labelledby="figure-title" data-test="uses">
            <p class="muted" hidden={facts.heard}>{t.waiting}</p>
            <div class="use-pictures" ref={region}>
                <div hidden={facts.heard && facts.memory.is_none()}>{charts::memory(&board)}</div>
                {counted(facts.memory.is_some(), t.no_memory)}
                <div hidden={facts.heard && facts.pids.is_none()}>{charts::pids(&board)}</div>
                {counted(facts.pids.is_some(), t.no_pids)}
                <div hidden={!has_device}>{charts::io(&board)}</div>
                <h2 class="cpu-head" hidden={has_device}>{t.io}</h2>
                {counted(io.is_some(), t.no_io)}
                <p class="muted" hidden={has_device || io.is_none()} data-test="no-devices">{t.no_devices}</p>
                <p class="cpu-caption" ref={paint.word(Words::Caption)} data-test="use-caption"></p>
                {controls(&ui, &paint, &paused, &table)}
                {tools(props, &ui, &desk)}
                <div hidden={!*table}>{table.then(|| html! { <Table paint={paint.clone()} /> })}</div>
            </div>
            <div class="use-side">
                {memory_side(props, &board)}
                {pids_side(props, &board)}
                {io_side(props, &board)}
                <TroubleText place={Place::Quota(props.group)} trouble={props.knob_trouble.clone()} />
                {met(props, &facts, &ui)}
            </div>
            <p class="muted uses-note" hidden={io.is_none_or(|io| io.counted)}>{t.io_v1}</p>
        </section>
    }
}

/// Looks closely for as long as the lens is shown, again after each welcome.
#[hook]
fn use_look(props: &Props, paint: &Rc<Paint>, facts: &UseStateHandle<Facts>) {
    let desk = use_desk();
    let focus = Focus { machine: props.machine, group: props.group, look: Look::Use };
    let (paint, facts) = (paint.clone(), facts.setter());
    use_effect_with((focus, props.welcomes), move |(focus, _)| {
        let focus = *focus;
        let tap = Tap::new(move |near| match near {
            Near::Use(sample) if sample.focus == focus => {
                paint.hear(*sample);
                facts.set(paint.newest(Facts::of));
            }
            _ => {}
        });
        desk.send.emit(Command::Focus { on: Some(focus) });
        move || {
            desk.send.emit(Command::Focus { on: None });
            drop(tap);
        }
    });
}

/// Stand still, the time cursor, the numbers.
fn controls(
    ui: &Ui,
    paint: &Rc<Paint>,
    paused: &UseStateHandle<bool>,
    table: &UseStateHandle<bool>,
) -> Html {
    let t = words::words(ui.lang);
    let turn = |of: &UseStateHandle<bool>| {
        let of = of.clone();
        Callback::from(move |_: MouseEvent| of.set(!*of))
    };
    // By keyboard the pictures stand still, so that they can be read.
    let oninput = {
        let (paint, paused) = (paint.clone(), paused.clone());
        Callback::from(move |event: InputEvent| {
            paused.set(true);
            if let Ok(half_seconds) = input_text(&event).parse::<f64>() {
                paint.point(Some(half_seconds / 120.0));
            }
        })
    };
    html! {
        <div class="cpu-controls">
            <button type="button" data-test="use-pause" aria-pressed={paused.to_string()} onclick={turn(paused)}>
                {if **paused { t.go_on } else { t.pause }}
            </button>
            <label class="field cpu-cursor-field"><span>{t.cursor}</span>
                <input type="range" min="0" max="120" step="1" data-test="use-cursor" ref={paint.word(Words::CursorInput)} {oninput} />
            </label>
            <button type="button" class="plain" data-test="use-table-open" aria-expanded={table.to_string()} onclick={turn(table)}>
                {if **table { t.hide_table } else { t.table }}
            </button>
        </div>
    }
}

type Turn = Callback<Option<u64>, Knob>;

/// A limit as a field: its name for tests, its words, its unit, and how it becomes a knob.
fn field(
    props: &Props,
    (name, label, short): (&'static str, &'static str, &'static str),
    (unit, scale): (&'static str, u64),
    value: Option<u64>,
    knob: Turn,
) -> Html {
    html! {
        <LimitField key={name} {name} {label} {short} {unit} {scale} {value} {knob}
            machine={props.machine} group={props.group} may_change={props.may_change} />
    }
}

fn memory_side(props: &Props, board: &Board<'_>) -> Html {
    let (t, paint) = (words::words(board.ui.lang), board.paint);
    let Some(memory) = board.facts.memory else {
        return html! { <div class="use-of" key="memory" hidden=true /> };
    };
    html! {
        <div class="use-of" key="memory">
            <p class="lens-number" data-test="use-memory-now">
                <strong ref={paint.word(Words::MemoryNow)}></strong>{" "}<span>{t.in_use}</span>{" · "}<span ref={paint.word(Words::MemoryLimit)}></span>
            </p>
            {field(props, ("memory-max", t.memory_field, t.max), ("MiB", MIB), memory.max, Callback::from(Knob::MemoryMax))}
            {for memory.high.map(|high| field(props, ("memory-high", t.high_field, t.high), ("MiB", MIB), high, Callback::from(Knob::MemoryHigh)))}
            {for memory.soft.map(|soft| html! { <p key="soft" class="muted">{t.soft}{" "}{crate::format::bytes(soft)}</p> })}
        </div>
    }
}

fn pids_side(props: &Props, board: &Board<'_>) -> Html {
    let (t, paint) = (words::words(board.ui.lang), board.paint);
    let Some(max) = board.facts.pids else {
        return html! { <div class="use-of" key="pids" hidden=true /> };
    };
    html! {
        <div class="use-of" key="pids">
            <p class="lens-number" data-test="use-pids-now">
                <strong ref={paint.word(Words::PidsNow)}></strong>{" "}<span>{t.running}</span>{" · "}<span ref={paint.word(Words::PidsLimit)}></span>{" · "}
                <span data-test="refused" ref={paint.word(Words::PidsCount)}></span>
            </p>
            {field(props, ("pids-max", t.pids_field, t.max), ("", 1), max, Callback::from(Knob::PidsMax))}
        </div>
    }
}

fn io_side(props: &Props, board: &Board<'_>) -> Html {
    let (t, paint) = (words::words(board.ui.lang), board.paint);
    let Some(limits) = board.facts.io.as_ref().and_then(|io| io.device) else {
        return Html::default();
    };
    let read: Turn = Callback::from(move |read_bps| Knob::IoMax(IoMax { read_bps, ..limits }));
    let write: Turn = Callback::from(move |write_bps| Knob::IoMax(IoMax { write_bps, ..limits }));
    html! {
        <div class="use-of" key="io">
            <p class="lens-number" data-test="use-io-now">
                {t.device}{" "}<code>{format!("{}:{}", limits.major, limits.minor)}</code>{" · "}
                {t.read}{" "}<span class="num" ref={paint.word(Words::IoRead)}></span>{" · "}
                {t.written}{" "}<span class="num" ref={paint.word(Words::IoWritten)}></span>
            </p>
            {field(props, ("read-max", t.read_field, t.read), ("KiB/s", KIB), limits.read_bps, read)}
            {field(props, ("write-max", t.write_field, t.written), ("KiB/s", KIB), limits.write_bps, write)}
        </div>
    }
}

/// What the group met: by its counters, and who was killed by the feed.
fn met(props: &Props, facts: &Facts, ui: &Ui) -> Html {
    let t = words::words(ui.lang);
    let is_named = !props.kills.is_empty();
    html! {
        <div class="uses-met">
            <h2 class="cpu-head">{t.met}</h2>
            <p class="muted" hidden={!facts.met.is_empty() || is_named}>{t.met_nothing}</p>
            <ul data-test="use-met">
                {for props.kills.iter().map(|entry| html! {
                    <li key={format!("kill {}", entry.seq)} class="refused">
                        <span aria-hidden="true">{"✕ "}</span>{happening::happening(ui.lang, &entry.what)}
                    </li>
                })}
                {for facts.met.iter().map(|(mark, ago)| html! {
                    <li key={format!("{:?} {}", mark.what, mark.at_nsec)}>
                        <span aria-hidden="true">{mark.what.sign()}{" "}</span>
                        {words::met(ui.lang, mark)}{" "}<span class="muted">{words::ago(ui.lang, *ago)}</span>
                    </li>
                })}
            </ul>
        </div>
    }
}
