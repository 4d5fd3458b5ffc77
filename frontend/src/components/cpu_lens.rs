//! The CPU lens: a minute of the group's CPU over its last periods.
//!
//! What changes twenty times a second is set on elements that stand already (`paint`); the virtual
//! DOM has the controls, and changes with the samples of the whole machine.

mod number;
mod paint;
mod shares;

use gloo::timers::callback::Interval;
use vitrine_shared::cgroup::{CgroupSample, Controller, GroupId, Knob};
use vitrine_shared::focus::{Focus, Look};
use vitrine_shared::id::{ContainerId, MachineId};
use vitrine_shared::message::{Command, Missing};
use web_sys::{Element, KeyboardEvent, PointerEvent};
use yew::prelude::*;

use super::busy::busy;
use super::cpu::use_wanted;
use super::figure::use_width;
use super::quota::Quota;
use crate::history::{self, History};
use crate::host::lacks_controller;
use crate::kinds::is_running;
use crate::lens::Scene;
use crate::place::{Place, Trouble};
use crate::route;
use crate::tap::Tap;
use crate::text::cpu_lens::{self as text, words};
use crate::text::host::why_missing;
use crate::ui::{input_text, use_desk, use_ui};
use number::Number;
use paint::{Ink, Paint, Scenery, Words};
use shares::{Rival, shares};

/// Height of the overview, in CSS pixels.
const OVERVIEW: f64 = 72.0;
/// Samples in the table.
const ROWS: usize = 20;
/// How near to the quota's line a hand must be to take it, in CSS pixels.
const REACH: f64 = 14.0;

/// What the lens shows.
#[derive(Properties, PartialEq)]
pub(crate) struct Props {
    machine: MachineId,
    container: Option<ContainerId>,
    group: CgroupSample,
    history: Option<History>,
    missing: Option<Missing>,
    cpus: u32,
    /// Times the server has welcomed us: a new connection has no focus.
    welcomes: u32,
    may_change: bool,
    /// May this page look closely?
    may_focus: bool,
    /// Groups that run out, as the last second's periods say.
    limited_by: Vec<String>,
    rivals: Vec<Rival>,
    quota_trouble: Option<Trouble>,
    exec_trouble: Option<Trouble>,
}

/// The lens of the group that is looked at.
pub(crate) fn cpu_lens(scene: &Scene<'_>) -> Html {
    let state = scene.state;
    let (Some(machine), Some(group)) = (state.focus, scene.group) else {
        return html! { <div class="cpu-lens" key="cpu"></div> };
    };
    let id = group.group;
    let host = state.host.as_deref();
    let container = state.container().filter(|one| crate::kinds::group_of(one) == id);
    let runs = container.is_none_or(is_running) && id != GroupId::Cap;
    let trouble = |place| state.troubles.get(&place).cloned();
    html! {
        <CpuLens key="cpu" {machine} container={container.map(|one| one.id)} group={group.clone()}
            history={state.histories.get(&id).cloned()}
            missing={lacks_controller(host, Controller::Cpu).cloned()}
            cpus={host.map_or(1, |host| host.cpus)} welcomes={state.welcomes}
            may_change={state.may_ask() && runs} may_focus={state.may_change()}
            limited_by={shares::limited_by(state, id)} rivals={shares::rivals(state)}
            quota_trouble={trouble(Place::Quota(id))}
            exec_trouble={container.and_then(|one| trouble(Place::Exec(one.id)))} />
    }
}

/// The lens.
#[component]
fn CpuLens(props: &Props) -> Html {
    let (ui, desk) = (use_ui(), use_desk());
    let w = words(ui.lang);
    let id = props.group.group;
    let cpu = props.group.cpu;
    let period = if cpu.period_usec > 0 { cpu.period_usec } else { 100_000 };
    let measured = history::permille(cpu.quota_usec, period);
    let may_limit = props.may_change && props.missing.is_none();
    let (wanted, want) =
        use_wanted((props.machine, id), measured, period, props.quota_trouble.is_some());
    let region = use_node_ref();
    let width = use_width(&region);
    let scale = if ui.projector { 1.4 } else { 1.0 };
    let paint = use_memo((), |()| Paint::new()).as_ref().clone();
    let paused = use_state_eq(|| false);
    let table = use_state_eq(|| false);
    let n_periods = use_state_eq(|| route::spot().periods);
    paint.set(Scenery {
        width: width / scale,
        overview: OVERVIEW,
        quota: wanted.or(measured),
        periods: *n_periods,
        cpus: props.cpus,
        lang: ui.lang,
        paused: *paused,
    });
    use_close_look(props, &paint);
    use_effect_with((width.to_bits(), wanted, *n_periods, ui.lang, *paused), {
        let paint = paint.clone();
        move |_| paint.ask()
    });
    // Samples of the whole machine stand in until there are closer ones, and where there are none.
    use_effect_with(props.history.clone(), {
        let paint = paint.clone();
        move |history| paint.stand_in(history.as_ref())
    });
    let pause = {
        let paused = paused.clone();
        Callback::from(move |_: MouseEvent| paused.set(!*paused))
    };
    let window = {
        let n_periods = n_periods.clone();
        Callback::from(move |number: u64| {
            let periods = route::clamp_periods(u32::try_from(number).ok());
            n_periods.set(periods);
            route::keep(|spot| spot.periods = periods);
        })
    };
    let drag = |phase| drag(phase, &paint, may_limit.then(|| want.clone()), scale);
    let refs = |ink: Ink| paint.node(ink);
    html! {
        <section class="cpu-lens" data-test="cpu-lens" aria-labelledby="figure-title">
            <div class="cpu-figures">
                <p class="lens-number" data-test="of-quota"><strong ref={paint.word(Words::OfQuota)}></strong>{" "}<span>{w.of_quota}</span></p>
                <p class="lens-number" data-test="of-one"><strong ref={paint.word(Words::OfOne)}></strong>{" "}<span>{w.of_one}</span></p>
                <p class="lens-number" data-test="of-machine"><strong ref={paint.word(Words::OfMachine)}></strong>{" "}<span>{text::of_machine(ui.lang, props.cpus)}</span></p>
                <p class="cpu-passed" ref={paint.word(Words::Passed)} data-test="cpu-passed"></p>
                <p class="refused" hidden={props.limited_by.is_empty()} data-test="limited-by">
                    {w.limited_by}{" "}<code>{props.limited_by.join(", ")}</code>
                </p>
            </div>
            <div class="cpu-charts" ref={region}>
                <h2 class="cpu-head">{w.minute}<span class="legend" aria-hidden="true">
                    <span class="key key-used">{ui.lab().legend_used}</span>
                    <span class="key key-quota">{ui.lab().legend_quota}</span>
                    <span class="key key-hatched">{ui.lab().legend_throttled}</span>
                </span><span class="legend-top muted" ref={paint.word(Words::Top)}></span></h2>
                <svg class="chart-svg cpu-overview" height={(OVERVIEW * scale).to_string()} viewBox={format!("0 0 {:.0} {OVERVIEW}", (width / scale).max(1.0))}
                    preserveAspectRatio="none" role="img" ref={refs(Ink::Overview)} data-test="cpu-overview"
                    onpointerdown={drag(Phase::Down)} onpointermove={drag(Phase::Move)}
                    onpointerup={drag(Phase::Up)} onpointercancel={drag(Phase::Up)}>
                    <path class="hatched" fill="url(#hatch)" ref={refs(Ink::Hatched)} />
                    <path class="chart-area" ref={refs(Ink::Area)} />
                    <path class="chart-edge" ref={refs(Ink::Edge)} />
                    <path class="chart-past-quota" ref={refs(Ink::Quota)} />
                    <g class="quota-hand"><path ref={refs(Ink::Hand)} /><path class="quota-knob" ref={refs(Ink::Knob)} /></g>
                </svg>
                <h2 class="cpu-head">{w.periods}<span class="muted">{w.close_only}</span><span class="muted">{w.measured}</span><span class="muted">{w.modelled}</span></h2>
                <p class="muted" hidden={props.may_focus}>{w.viewer}</p>
                <svg class="chart-svg cpu-periods" role="img" ref={refs(Ink::Periods)} data-test="cpu-periods"
                    onpointermove={point(&paint, scale)} onpointerleave={leave(&paint)}>
                    <path class="period-end" ref={refs(Ink::Ends)} />
                    <path class="chart-area" ref={refs(Ink::Used)} data-test="ink-used" />
                    <path class="hatched" fill="url(#hatch)" ref={refs(Ink::Throttled)} />
                    <path class="chart-area" ref={refs(Ink::Ran)} />
                    <path class="hatched" fill="url(#hatch)" ref={refs(Ink::Waited)} />
                    <path class="modelled" ref={refs(Ink::Run)} />
                    <path class="modelled is-wait" fill="url(#hatch)" ref={refs(Ink::Wait)} data-test="ink-wait" />
                    <path class="modelled" ref={refs(Ink::Tank)} data-test="ink-tank" />
                    <path class="tank-dot" ref={refs(Ink::Dots)} />
                    <path class="cpu-cursor" ref={refs(Ink::Cursor)} />
                </svg>
                <p class="cpu-caption" ref={paint.word(Words::Caption)} data-test="cpu-caption"></p>
                <p class="legend cpu-legend" aria-hidden="true">
                    <span class="key key-modelled">{w.key_tank}</span>
                    <span class="key key-dot">{w.key_dots}</span>
                    <span class="key key-modelled">{w.key_run}</span>
                    <span class="key key-used">{w.key_used}</span>
                    <span class="key key-hatched">{w.key_throttled}</span>
                    <span class="key key-used">{w.key_threads}</span>
                </p>
                <div class="cpu-controls">
                    <button type="button" data-test="cpu-pause" aria-pressed={paused.to_string()} onclick={pause}>
                        {if *paused { w.go_on } else { w.pause }}
                    </button>
                    <label class="field cpu-cursor-field"><span>{w.cursor}</span>
                        <input type="range" min="0" max="100" step="1" data-test="cpu-cursor" ref={paint.word(Words::CursorInput)}
                            oninput={cursor(&paint, &paused)} onkeydown={hold(&paused)} />
                    </label>
                    <Number word={w.shown_periods} test="cpu-window" value={u64::from(*n_periods)} min={5} enter={window} />
                    <button type="button" class="plain" data-test="cpu-table-open" aria-expanded={table.to_string()}
                        onclick={let table = table.clone(); move |_: MouseEvent| table.set(!*table)}>
                        {if *table { w.as_picture } else { w.as_table }}
                    </button>
                </div>
                <div hidden={!*table}>{table.then(|| html! { <Table paint={paint.clone()} paused={*paused} /> })}</div>
            </div>
            <div class="lens-quota">
                <Quota machine={props.machine} group={id} quota_usec={cpu.quota_usec} period_usec={period}
                    {wanted} {want} may_change={may_limit} trouble={props.quota_trouble.clone()} />
                <p class="muted" hidden={props.missing.is_none()}>
                    {props.missing.as_ref().map(|missing| why_missing(ui.lang, missing))}
                </p>
            </div>
            <div class="cpu-more">
                {burst(props, may_limit, w, &desk)}
                {props.container.map(|container| busy(&ui, &desk, (props.machine, container), props.may_change, props.exec_trouble.clone()))}
            </div>
            {shares(&ui, &desk, props.machine, &props.rivals, props.may_change)}
        </section>
    }
}

/// Looks closely for as long as the lens is shown, again after each welcome.
#[hook]
fn use_close_look(props: &Props, paint: &std::rc::Rc<Paint>) {
    let desk = use_desk();
    let focus = Focus { machine: props.machine, group: props.group.group, look: Look::Cpu };
    let may = props.may_focus && props.welcomes > 0;
    let (paint, history) = (paint.clone(), props.history.clone());
    use_effect_with((focus, props.welcomes, may), move |(focus, _, may)| {
        let focus = *focus;
        paint.begin(history.as_ref());
        let tap = may.then(|| {
            let paint = paint.clone();
            let tap = Tap::new(move |sample| {
                if sample.focus == focus {
                    paint.hear(sample);
                }
            });
            desk.send.emit(Command::Focus { on: Some(focus) });
            tap
        });
        move || {
            if tap.is_some() {
                desk.send.emit(Command::Focus { on: None });
            }
            drop(tap);
        }
    });
}

#[derive(Clone, Copy, PartialEq)]
enum Phase {
    Down,
    Move,
    Up,
}

/// Where a pointer is in an element, in the figure's own pixels. (An event's current target is the
/// page's root: Yew listens there.)
fn place(paint: &Paint, ink: Ink, event: &PointerEvent, scale: f64) -> Option<(Element, f64, f64)> {
    let element = paint.node(ink).cast::<Element>()?;
    let rect = element.get_bounding_client_rect();
    let at = |client: i32, edge: f64| (f64::from(client) - edge) / scale;
    let (x, y) = (at(event.client_x(), rect.left()), at(event.client_y(), rect.top()));
    Some((element, x, y))
}

/// Drags the quota's line; the slider below does the same.
#[allow(clippy::cast_possible_truncation, clippy::cast_sign_loss)] // 0 to a few thousand.
fn drag(
    phase: Phase,
    paint: &std::rc::Rc<Paint>,
    want: Option<Callback<u32>>,
    scale: f64,
) -> Callback<PointerEvent> {
    let paint = paint.clone();
    Callback::from(move |event: PointerEvent| {
        let (Some(want), Some((element, _, y))) =
            (&want, place(&paint, Ink::Overview, &event, scale))
        else {
            return;
        };
        if phase == Phase::Down && (paint.line_y() - y).abs() <= REACH {
            paint.hold(true);
            // Without the capture a drag ends at the edge, which is bearable.
            let _ = element.set_pointer_capture(event.pointer_id());
        }
        if paint.is_held() && phase != Phase::Up {
            // Whole percents: nobody's hand is steadier.
            let percent = (paint.permille_at(y) / 10.0).round().max(1.0) as u32;
            want.emit(percent * 10);
        }
        if phase == Phase::Up {
            paint.hold(false);
        }
    })
}

/// The time cursor follows the pointer.
fn point(paint: &std::rc::Rc<Paint>, scale: f64) -> Callback<PointerEvent> {
    let paint = paint.clone();
    Callback::from(move |event: PointerEvent| {
        if let Some((_, x, _)) = place(&paint, Ink::Periods, &event, scale) {
            paint.point(Some(x));
        }
    })
}

fn leave(paint: &std::rc::Rc<Paint>) -> Callback<PointerEvent> {
    let paint = paint.clone();
    Callback::from(move |_: PointerEvent| paint.point(None))
}

/// The time cursor by its slider; the picture stands still, so that it can be read.
fn cursor(paint: &std::rc::Rc<Paint>, paused: &UseStateHandle<bool>) -> Callback<InputEvent> {
    let (paint, paused) = (paint.clone(), paused.clone());
    Callback::from(move |event: InputEvent| {
        paused.set(true);
        if let Ok(percent) = input_text(&event).parse::<f64>() {
            paint.cursor(percent / 100.0);
        }
    })
}

fn hold(paused: &UseStateHandle<bool>) -> Callback<KeyboardEvent> {
    let paused = paused.clone();
    Callback::from(move |event: KeyboardEvent| {
        if event.key().starts_with("Arrow") {
            paused.set(true);
        }
    })
}

/// What may be saved up.
fn burst(props: &Props, may: bool, w: &'static text::Text, desk: &crate::ui::Desk) -> Html {
    let file = props
        .group
        .files
        .iter()
        .find(|file| file.name == "cpu.cfs_burst_us" || file.name == "cpu.max.burst");
    let (machine, group) = (props.machine, props.group.group);
    let send = desk.send.clone();
    let enter = Callback::from(move |usec: u64| {
        send.emit(Command::SetKnob { machine, group, knob: Knob::CpuBurst(usec) });
    });
    let value = file.and_then(|file| file.value.trim().parse().ok()).unwrap_or(0);
    html! {
        <Number word={w.burst} label={w.burst_label.to_owned()} test="cpu-burst" {value} min={0} step={1_000}
            hidden={file.is_none()} disabled={!may} {enter} />
    }
}

#[derive(Properties)]
struct TableProps {
    paint: std::rc::Rc<Paint>,
    paused: bool,
}

impl PartialEq for TableProps {
    fn eq(&self, other: &Self) -> bool {
        std::rc::Rc::ptr_eq(&self.paint, &other.paint) && self.paused == other.paused
    }
}

/// The last samples in numbers, renewed each second.
#[component]
fn Table(props: &TableProps) -> Html {
    let ui = use_ui();
    let w = words(ui.lang);
    let tick = use_force_update();
    use_effect_with((), move |()| {
        let timer = Interval::new(1_000, move || tick.force_update());
        move || drop(timer)
    });
    html! {
        <div class="cpu-table" tabindex="0" role="region" aria-label={w.table}>
            <table data-test="cpu-table">
                <caption>{w.table}</caption>
                <thead><tr>{for [w.col_ago, w.col_used, w.col_periods, w.col_throttled, w.col_ran, w.col_waited].map(|word| html! {
                    <th key={word} scope="col">{word}</th>
                })}</tr></thead>
                <tbody>{for props.paint.rows(ROWS).into_iter().enumerate().map(|(at, row)| html! {
                    <tr key={at}>
                        <td>{format!("{:.0}", row.ago_msec)}</td>
                        <td>{format!("{:.1}", row.permille / 10.0)}</td>
                        <td>{row.periods}</td>
                        <td>{row.throttled}</td>
                        <td>{format!("{:.1}", row.ran_msec)}</td>
                        <td>{format!("{:.1}", row.waited_msec)}</td>
                    </tr>
                })}</tbody>
            </table>
        </div>
    }
}
