//! The two pictures of the CPU lens, and the hands on them: the quota's line is dragged, the time
//! cursor follows the pointer.

use std::rc::Rc;

use web_sys::PointerEvent;
use yew::prelude::*;

use super::paint::{Ink, Paint, Words};
use crate::close::{COLUMNS, LANE, Lane, ROWS, STRIP, TANK};
use crate::components::cpu::{Phase, whole_percents};
use crate::components::easel::{GUTTER, place};
use crate::text::cpu_lens::{self as text, Text};
use crate::ui::Ui;

/// Height of the overview, in CSS pixels.
pub(super) const OVERVIEW: f64 = 64.0;
/// How near to the quota's line a hand must be to take it, in CSS pixels.
const REACH: f64 = 14.0;

/// The last minute: used, the quota's line, what was throttled.
pub(super) fn overview(
    ui: &Ui,
    paint: &Rc<Paint>,
    (width, scale): (f64, f64),
    want: Option<&Callback<u32>>,
) -> Html {
    let w = text::words(ui.lang);
    let ink = |ink: Ink| paint.node(ink);
    let drag = |phase| drag(phase, paint, want.cloned(), scale);
    let x = (-8.0_f64).to_string();
    let view = format!("-{GUTTER} 0 {:.0} {OVERVIEW}", width + GUTTER);
    html! {
        <>
            <h2 class="cpu-head">{w.minute}<span class="legend" aria-hidden="true">
                <span class="key key-used">{ui.lab().legend_used}</span>
                <span class="key key-quota">{ui.lab().legend_quota}</span>
                <span class="key key-hatched">{ui.lab().legend_throttled}</span>
            </span></h2>
            <svg class="chart-svg cpu-overview" height={(OVERVIEW * scale).to_string()} viewBox={view}
                preserveAspectRatio="none" role="img" ref={ink(Ink::Overview)} data-test="cpu-overview"
                onpointerdown={drag(Phase::Down)} onpointermove={drag(Phase::Move)}
                onpointerup={drag(Phase::Up)} onpointercancel={drag(Phase::Up)}
                onpointerleave={leave(paint)}>
                <text class="cpu-mark" x={x.clone()} y="12" ref={paint.word(Words::Top)}></text>
                <text class="cpu-mark is-quota" {x} y="12" ref={paint.word(Words::QuotaMark)}></text>
                <path class="hatched" fill="url(#hatch)" ref={ink(Ink::Hatched)} />
                <path class="chart-area" ref={ink(Ink::Area)} />
                <path class="chart-edge" ref={ink(Ink::Edge)} />
                <path class="chart-past-quota" ref={ink(Ink::Quota)} />
                <path class="time-cursor" ref={ink(Ink::Moment)} />
                <g class="quota-hand"><path ref={ink(Ink::Hand)} data-test="ink-line" /><path class="quota-knob" ref={ink(Ink::Knob)} /></g>
            </svg>
        </>
    }
}

/// The last periods: what is measured solid, what is modelled in outline, each row with its name.
pub(super) fn periods(ui: &Ui, paint: &Rc<Paint>, lanes: &[Lane], scale: f64) -> Html {
    let w = text::words(ui.lang);
    let ink = |ink: Ink| paint.node(ink);
    html! {
        <svg class="chart-svg cpu-periods" role="img" ref={ink(Ink::Periods)} data-test="cpu-periods"
            onpointermove={point(paint, scale)} onpointerleave={leave(paint)}>
            {marks(w, lanes)}
            <path class="period-end" ref={ink(Ink::Ends)} />
            <path class="tank-quota" ref={ink(Ink::Full)} data-test="ink-full" />
            <path class="chart-area" ref={ink(Ink::Used)} data-test="ink-used" />
            <path class="hatched" fill="url(#hatch)" ref={ink(Ink::Throttled)} />
            <path class="chart-area" ref={ink(Ink::Ran)} data-test="ink-ran" />
            <path class="hatched" fill="url(#hatch)" ref={ink(Ink::Waited)} data-test="ink-waited" />
            <path class="modelled" ref={ink(Ink::Run)} />
            <path class="modelled is-wait" fill="url(#hatch)" ref={ink(Ink::Wait)} data-test="ink-wait" />
            <path class="modelled" ref={ink(Ink::Tank)} data-test="ink-tank" />
            <path class="tank-dot" ref={ink(Ink::Dots)} />
            <path class="time-cursor" ref={ink(Ink::Cursor)} />
        </svg>
    }
}

/// The names of the rows, left of them.
fn marks(w: &'static Text, lanes: &[Lane]) -> Html {
    let mark = |(top, bottom): (f64, f64), class: Option<&'static str>, word: String| {
        let y = f64::midpoint(top, bottom) + 5.0;
        html! { <text key={word.clone()} class={classes!("cpu-mark", class)} x="-8" y={format!("{y:.1}")}>{word}</text> }
    };
    let middle = f64::midpoint(TANK.0, TANK.1);
    let modelled = Some("is-modelled");
    html! {
        <g data-test="cpu-lanes">
            {mark((TANK.0, middle), modelled, w.row_tank.into())}
            {mark((middle, TANK.1), modelled, w.row_modelled.into())}
            {mark(STRIP, modelled, w.row_wait.into())}
            {mark(COLUMNS, None, if crate::sim::is_on() { w.row_counted } else { w.row_used }.into())}
            {for lanes.iter().enumerate().map(|(at, lane)| {
                #[allow(clippy::cast_precision_loss)] // At most fourteen.
                let top = ROWS + LANE * at as f64;
                let name = match lane {
                    Lane::Cpu(cpu) => format!("CPU {cpu}"),
                    Lane::Thread(tid) => format!("TID {tid}"),
                };
                mark((top, top + LANE), None, name)
            })}
        </g>
    }
}

/// Drags the quota's line, as the slider does; elsewhere the time cursor follows the pointer.
fn drag(
    phase: Phase,
    paint: &Rc<Paint>,
    want: Option<Callback<u32>>,
    scale: f64,
) -> Callback<PointerEvent> {
    let paint = paint.clone();
    Callback::from(move |event: PointerEvent| {
        let Some((element, x, y)) = place(&paint.node(Ink::Overview), &event, scale) else {
            return;
        };
        if !paint.is_held() {
            paint.point(Ink::Overview, Some(x / paint.width()));
        }
        let Some(want) = &want else { return };
        if phase == Phase::Down && (paint.line_y() - y).abs() <= REACH {
            paint.hold(true);
            // Without the capture a drag ends at the edge, which is bearable.
            let _ = element.set_pointer_capture(event.pointer_id());
        }
        if paint.is_held() && phase != Phase::Up {
            want.emit(whole_percents(paint.permille_at(y)));
        }
        if phase == Phase::Up {
            paint.hold(false);
        }
    })
}

/// The time cursor follows the pointer.
fn point(paint: &Rc<Paint>, scale: f64) -> Callback<PointerEvent> {
    let paint = paint.clone();
    Callback::from(move |event: PointerEvent| {
        if let Some((_, x, _)) = place(&paint.node(Ink::Periods), &event, scale) {
            paint.point(Ink::Periods, Some(x / paint.width()));
        }
    })
}

fn leave(paint: &Rc<Paint>) -> Callback<PointerEvent> {
    let paint = paint.clone();
    Callback::from(move |_: PointerEvent| paint.point(Ink::Periods, None))
}
