//! The CPU lens: a minute of the group's CPU over its last periods.
//!
//! What changes twenty times a second is set on elements that stand already (`paint`); the virtual
//! DOM has the controls, and changes with the samples of the whole machine.

mod number;
mod paint;
mod picture;
mod shares;
mod table;

use vitrine_shared::cgroup::{CgroupSample, Controller, Dialect, GroupId, Knob};
use vitrine_shared::focus::{Focus, Look};
use vitrine_shared::id::{ContainerId, MachineId};
use vitrine_shared::message::{Command, Missing};
use web_sys::KeyboardEvent;
use yew::prelude::*;

use super::busy::busy;
use super::cpu::use_wanted;
use super::easel::GUTTER;
use super::figure::use_width;
use super::quota::Quota;
use crate::chart;
use crate::close::Lane;
use crate::history::{self, History};
use crate::host::lacks_controller;
use crate::kinds::is_running;
use crate::lens::Scene;
use crate::place::{Place, Trouble};
use crate::route;
use crate::sim;
use crate::tap::{Near, Tap};
use crate::text::cpu_lens::{self as text, words};
use crate::text::host::why_missing;
use crate::ui::{Ui, input_text, use_desk, use_ui};
use number::Number;
use paint::{Ink, Paint, Scenery, Words};
use picture::OVERVIEW;
use shares::{Rival, shares};
use table::Table;

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
    let lanes = use_state_eq(Vec::<Lane>::new);
    let paint = use_memo((), |()| Paint::new(lanes.setter())).as_ref().clone();
    let paused = use_state_eq(|| false);
    let table = use_state_eq(|| false);
    let n_periods = use_state_eq(|| route::spot().periods);
    let plot = (width / scale - GUTTER).max(1.0);
    paint.set(Scenery {
        width: plot,
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
    let want_line = may_limit.then_some(&want);
    html! {
        <section class="cpu-lens" data-test="cpu-lens" aria-labelledby="figure-title">
            <div class="cpu-charts" ref={region}>
                {picture::overview(&ui, &paint, (plot, scale), want_line)}
                <h2 class="cpu-head">{w.periods}<span class="muted">{w.close_only}</span><span class="muted">{if sim::is_on() { w.counted } else { w.measured }}</span><span class="muted">{w.modelled}</span></h2>
                <p class="muted" hidden={props.may_focus}>{w.viewer}</p>
                {picture::periods(&ui, &paint, &lanes, scale)}
                <p class="muted cpu-note" hidden={props.group.dialect == Dialect::V1} data-test="no-cpus">{w.no_cpus}</p>
                <p class="cpu-caption" ref={paint.word(Words::Caption)} data-test="cpu-caption"></p>
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
            <div class="cpu-side">
                {figures(&ui, props, &paint)}
                <div class="cpu-more">
                    {props.container.map(|container| busy(&ui, &desk, (props.machine, container), props.may_change, props.exec_trouble.clone()))}
                    {burst(props, may_limit, w, &desk)}
                </div>
                {shares(&ui, &desk, props.machine, &props.rivals, props.may_change)}
            </div>
            <div class="lens-quota">
                <Quota machine={props.machine} group={id} quota_usec={cpu.quota_usec} period_usec={period}
                    most={most_percent(props, wanted.or(measured))}
                    {wanted} {want} may_change={may_limit} trouble={props.quota_trouble.clone()} />
                <p class="muted" hidden={props.missing.is_none()}>
                    {props.missing.as_ref().map(|missing| why_missing(ui.lang, missing))}
                </p>
            </div>
        </section>
    }
}

/// How much the last second was, of each whole; and who limits it.
fn figures(ui: &Ui, props: &Props, paint: &Paint) -> Html {
    let w = words(ui.lang);
    let figure = |test: &'static str, number: Words, of: String| {
        html! {
            <p class="lens-number" data-test={test}><strong ref={paint.word(number)}></strong>{" "}<span>{of}</span></p>
        }
    };
    html! {
        <div class="cpu-figures">
            {figure("of-quota", Words::OfQuota, w.of_quota.into())}
            {figure("of-one", Words::OfOne, w.of_one.into())}
            {figure("of-machine", Words::OfMachine, text::of_machine(ui.lang, props.cpus))}
            <p class="cpu-passed" ref={paint.word(Words::Passed)} data-test="cpu-passed"></p>
            <p class="refused" hidden={props.limited_by.is_empty()} data-test="limited-by">
                {w.limited_by}{" "}<code>{props.limited_by.join(", ")}</code>
            </p>
        </div>
    }
}

/// As far as the slider goes, in per cent of one CPU: as the picture does, in whole CPUs.
fn most_percent(props: &Props, quota: Option<u32>) -> u32 {
    let used = props.history.as_ref().map_or(1_000.0, chart::top_permille);
    #[allow(clippy::cast_possible_truncation, clippy::cast_sign_loss)] // A few thousand.
    let used = used as u32;
    used.max(quota.unwrap_or(0)).div_ceil(1_000).clamp(1, props.cpus.max(1)) * 100
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
            let tap = Tap::new(move |near| match near {
                Near::Cpu(sample) if sample.focus == focus => paint.hear(sample),
                _ => {}
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

/// The time cursor by its slider; the picture stands still, so that it can be read.
fn cursor(paint: &std::rc::Rc<Paint>, paused: &UseStateHandle<bool>) -> Callback<InputEvent> {
    let (paint, paused) = (paint.clone(), paused.clone());
    Callback::from(move |event: InputEvent| {
        paused.set(true);
        if let Ok(percent) = input_text(&event).parse::<f64>() {
            paint.point(Ink::Periods, Some(percent / 100.0));
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
