//! Where the CPU time went: the figure now, the last sixty seconds, and the quota on its line.

use std::rc::Rc;

use gloo::timers::callback::Timeout;
use vitrine_shared::cgroup::{CgroupSample, GroupId, Knob};
use vitrine_shared::id::{ContainerId, MachineId};
use vitrine_shared::message::{Command, Missing};
use web_sys::{Element, PointerEvent};
use yew::prelude::*;

use super::busy::busy;
use super::figure::use_width;
use super::quota::Quota;
use crate::chart::{self, Frame};
use crate::format;
use crate::history::{self, History};
use crate::place::Trouble;
use crate::text::host::why_missing;
use crate::text::{chart_in_words, throttled_in};
use crate::ui::{Desk, use_desk, use_ui};

/// Milliseconds between two writes while a quota is dragged.
const PACE_MSEC: u32 = 200;

/// Milliseconds after which the kernel's word counts again, whatever was asked.
const GIVE_UP_MSEC: u32 = 2_000;

/// What the figure shows.
#[derive(Properties, PartialEq)]
pub(crate) struct Props {
    pub(crate) machine: MachineId,
    pub(crate) container: ContainerId,
    /// Its group.
    pub(crate) id: GroupId,
    pub(crate) group: Option<CgroupSample>,
    /// Why there is no cpu controller, where there is none.
    pub(crate) missing: Option<Missing>,
    pub(crate) history: Option<History>,
    pub(crate) quota_trouble: Option<Trouble>,
    pub(crate) exec_trouble: Option<Trouble>,
    /// May this page change it, and does it run?
    pub(crate) may_change: bool,
}

/// The CPU figure and its controls.
#[component]
pub(crate) fn Cpu(props: &Props) -> Html {
    let (ui, desk) = (use_ui(), use_desk());
    let t = ui.t();
    let cpu = props.group.as_ref().map(|group| group.cpu).unwrap_or_default();
    let period = if cpu.period_usec > 0 { cpu.period_usec } else { 100_000 };
    let measured = history::permille(cpu.quota_usec, period);
    let may_limit = props.may_change && props.missing.is_none();
    let trouble = props.quota_trouble.is_some();
    let (wanted, want) = use_wanted((props.machine, props.id), measured, period, trouble);
    let steady = props.history.as_ref().and_then(History::recent_permille);
    let now = steady.or(props.group.as_ref().map(|group| group.cpu_permille)).map(format::percent);
    // Without the controller, nothing counted is not the same as nothing used.
    let counted = props.missing.is_none() || props.group.as_ref().is_some_and(|g| g.cpu_nsec > 0);
    let now = now.filter(|_| counted);
    let recent = props.history.as_ref().and_then(History::recent_periods);
    html! {
        <section class="lens" aria-labelledby="cpu-title">
            <h2 id="cpu-title">{ui.lab().cpu_question}</h2>
            <div class="lens-now">
                <p class="lens-number" data-test="cpu-now">
                    <strong>{now.unwrap_or_else(|| "–".into())}{" %"}</strong>{" "}
                    <span>{t.of_one_cpu}</span>
                </p>
                <p class={if recent.is_some_and(|r| r.1 > 0) { "refused" } else { "muted" }}>
                    {match recent {
                        Some((_, 0)) => ui.lab().not_throttled.into(),
                        Some((periods, throttled)) => throttled_in(ui.lang, periods, throttled),
                        None if measured.is_none() => ui.lab().no_quota.into(),
                        None => ui.lab().no_periods.into(),
                    }}
                </p>
                {busy(&ui, &desk, (props.machine, props.container), props.may_change, props.exec_trouble.clone())}
            </div>
            <div class="lens-picture">
                <Chart history={props.history.clone().unwrap_or_default()} quota={wanted.or(measured)}
                    want={may_limit.then(|| want.clone())} />
            </div>
            <div class="lens-quota">
                <Quota machine={props.machine} group={props.id} quota_usec={cpu.quota_usec}
                    period_usec={period} wanted={wanted} {want} may_change={may_limit}
                    trouble={props.quota_trouble.clone()} />
                <p class="muted" data-test="no-quota" hidden={props.missing.is_none()}>
                    {props.missing.as_ref().map(|missing| why_missing(ui.lang, missing))}
                </p>
            </div>
        </section>
    }
}

/// What waits while a quota is dragged.
#[derive(Default)]
struct Pace {
    permille: u32,
    send: Option<Timeout>,
    give_up: Option<Timeout>,
}

/// The quota that a hand asks for, until the kernel has it; writes are paced while it moves.
#[hook]
pub(crate) fn use_wanted(
    whose: (MachineId, GroupId),
    measured: Option<u32>,
    period: u64,
    trouble: bool,
) -> (Option<u32>, Callback<u32>) {
    let desk = use_desk();
    let wanted = use_state_eq(|| None::<u32>);
    let pace = use_mut_ref(Pace::default);
    let clear = wanted.clone();
    use_effect_with((measured, *wanted, trouble), move |(measured, wanted, trouble)| {
        if wanted.is_some() && (measured == wanted || *trouble) {
            clear.set(None);
        }
    });
    let (machine, group) = whose;
    let set = wanted.setter();
    let want = use_callback((machine, group, period, desk), move |permille: u32, deps| {
        let (machine, group, period, desk): (MachineId, GroupId, u64, Desk) = deps.clone();
        set.set(Some(permille));
        let mut slot = pace.borrow_mut();
        slot.permille = permille;
        let done = set.clone();
        slot.give_up = Some(Timeout::new(GIVE_UP_MSEC, move || done.set(None)));
        if slot.send.is_none() {
            let later = Rc::clone(&pace);
            slot.send = Some(Timeout::new(PACE_MSEC, move || {
                let permille = {
                    let mut slot = later.borrow_mut();
                    slot.send = None;
                    slot.permille
                };
                let knob = knob(permille, period);
                desk.send.emit(Command::SetKnob { machine, group, knob });
            }));
        }
    });
    (*wanted, want)
}

/// The knob for a share of one CPU; the kernel takes no quota below 1000 µs.
fn knob(permille: u32, period_usec: u64) -> Knob {
    let quota =
        (u64::from(permille) * period_usec / 1_000).max(vitrine_shared::spec::MIN_QUOTA_USEC);
    Knob::CpuMax { quota_usec: Some(quota), period_usec }
}

#[derive(Properties, PartialEq)]
struct ChartProps {
    history: History,
    quota: Option<u32>,
    /// Where a dragged quota goes, in thousandths of one CPU.
    want: Option<Callback<u32>>,
}

/// The last sixty seconds. The quota's line can be dragged; the slider below does the same.
#[component]
fn Chart(props: &ChartProps) -> Html {
    let ui = use_ui();
    let t = ui.lab();
    let region = use_node_ref();
    let width = use_width(&region);
    let held = use_mut_ref(|| false);
    let height = 96.0 * if ui.projector { 1.3 } else { 1.0 };
    let frame = Frame { width, height, top_permille: chart::top_permille(&props.history) };
    let paths = chart::paths(&props.history, &frame);
    let now = props.history.points().next_back().map_or(0, |point| point.cpu_permille);
    let quota = props.quota.map(format::short_percent);
    let label = chart_in_words(ui.lang, &format::percent(now), quota.as_deref());
    let line_y = props.quota.map(|quota| frame.y(f64::from(quota)));
    let drag = |phase: Phase| drag(phase, &region, &held, frame, props.want.clone());
    html! {
        <div class="chart" ref={region.clone()}>
            <svg class="chart-svg" width={width.to_string()} height={height.to_string()}
                role="img" aria-label={label}
                onpointerdown={drag(Phase::Down)} onpointermove={drag(Phase::Move)}
                onpointerup={drag(Phase::Up)} onpointercancel={drag(Phase::Up)}>
                <path class="chart-grid" d={format!("M0 {h:.1}H{width:.1}M0 0.5H{width:.1}", h = height - 0.5)} />
                <path class="hatched" fill="url(#hatch)" d={paths.throttled} />
                <path class="chart-area" d={paths.area} />
                <path class="chart-edge" d={paths.edge} />
                <path class="chart-past-quota" d={paths.quota} />
                <g class="quota-hand" visibility={if line_y.is_some() { "visible" } else { "hidden" }}>
                    <path d={line_y.map(|y| format!("M0 {y:.1}H{width:.1}")).unwrap_or_default()} />
                    <circle cx={(width - 8.0).to_string()} cy={line_y.unwrap_or_default().to_string()} r="6" />
                </g>
            </svg>
            <p class="legend" aria-hidden="true">
                <span>{"60 s"}</span>
                <span class="key key-used">{t.legend_used}</span>
                <span class="key key-quota">{t.legend_quota}</span>
                <span class="key key-hatched">{t.legend_throttled}</span>
                <span class="legend-top">{format!("↑ {:.0} %", frame.top_permille / 10.0)}</span>
            </p>
        </div>
    }
}

/// What a pointer does to the line of a quota.
#[derive(Clone, Copy, PartialEq)]
pub(super) enum Phase {
    Down,
    Move,
    Up,
}

/// A share in whole per cent, in thousandths: nobody's hand is steadier. It is at least one.
#[allow(clippy::cast_possible_truncation, clippy::cast_sign_loss)] // 0 to a few thousand.
pub(super) fn whole_percents(permille: f64) -> u32 {
    (permille / 10.0).round().max(1.0) as u32 * 10
}

fn drag(
    phase: Phase,
    region: &NodeRef,
    held: &Rc<std::cell::RefCell<bool>>,
    frame: Frame,
    want: Option<Callback<u32>>,
) -> Callback<PointerEvent> {
    let (held, region) = (Rc::clone(held), region.clone());
    Callback::from(move |event: PointerEvent| {
        // An event's current target is the page's root: Yew listens there.
        let svg = region.cast::<Element>().and_then(|region| region.first_element_child());
        let (Some(want), Some(svg)) = (&want, svg) else { return };
        if phase == Phase::Down {
            *held.borrow_mut() = true;
            // Without the capture a drag ends at the edge, which is bearable.
            let _ = svg.set_pointer_capture(event.pointer_id());
        }
        if *held.borrow() && phase != Phase::Up {
            let y = f64::from(event.client_y()) - svg.get_bounding_client_rect().top();
            want.emit(whole_percents(frame.permille(y)));
        }
        if phase == Phase::Up {
            *held.borrow_mut() = false;
        }
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_share_becomes_a_quota_that_the_kernel_takes() {
        let quota = |permille, period| match knob(permille, period) {
            Knob::CpuMax { quota_usec, .. } => quota_usec,
            _ => None,
        };
        assert_eq!(quota(200, 100_000), Some(20_000));
        assert_eq!(quota(10, 10_000), Some(1_000));
    }
}
