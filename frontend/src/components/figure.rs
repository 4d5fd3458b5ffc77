//! The figure of the start page: [`Play`] drawn, frame by frame, at the width there is.

use gloo::render::{AnimationFrame, request_animation_frame};
use gloo::timers::callback::Timeout;
use wasm_bindgen::JsCast;
use wasm_bindgen::prelude::Closure;
use web_sys::{HtmlElement, HtmlInputElement, ResizeObserver};
use yew::prelude::*;

use crate::eyes::{between, thread_path};
use crate::play::{Play, STILL_MSEC};
use crate::prefs;
use crate::text::Text;
use crate::ui::{Ui, use_ui};

/// Half the width of the slider's thumb: the bar begins and ends under its centre.
const THUMB: f64 = 12.0;
/// Where the host's PIDs end.
const HOST_PID: f64 = 118.0;
/// How much larger letters are for a projector, as in style.css.
const PROJECTOR: f64 = 1.4;
/// Height of a row of the process lists.
const ROW: f64 = 30.0;
/// The host's processes; the last is the one that is lifted.
const HOST: [(u32, &str); 4] = [(1, "systemd"), (812, "sshd"), (1377, "nginx"), (4821, "sh")];
/// The busy loop, once it runs.
const BUSY: (u32, &str) = (4907, "while…");
/// The PIDs that the two have in the container.
const INSIDE: [u32; 2] = [1, 7];

struct Stage {
    play: Play,
    begins: Option<Timeout>,
    last: Option<f64>,
    frame: Option<AnimationFrame>,
}

/// The figure.
#[component]
pub(crate) fn Figure() -> Html {
    let ui = use_ui();
    let t = ui.t();
    let region = use_node_ref();
    let width = use_width(&region);
    let stage = use_mut_ref(|| Stage { play: Play::new(), begins: None, last: None, frame: None });
    let ticked = use_force_update();
    use_first_run(&stage, &ticked);
    let (drawn, over) = {
        let stage = stage.borrow();
        (drawing(&stage.play, width, &ui), stage.play.is_over())
    };
    let press = {
        let (stage, ticked) = (stage.clone(), ticked.clone());
        Callback::from(move |_: MouseEvent| {
            {
                let mut stage = stage.borrow_mut();
                match stage.play.is_over() {
                    true => stage.play = Play::new(),
                    false => stage.play.pause(),
                }
            }
            run(&stage, &ticked);
        })
    };
    let drag = Callback::from(move |event: InputEvent| {
        let input = event.target_dyn_into::<HtmlInputElement>();
        if let Some(percent) = input.and_then(|input| input.value().parse().ok()) {
            stage.borrow_mut().play.take_quota(percent);
            run(&stage, &ticked);
        }
    });
    html! {
        <section class="figure" aria-labelledby="figure-question">
            <p class="ribbon">{t.simulated}</p>
            <h2 id="figure-question">{t.figure_question}</h2>
            <div class="figure-body" ref={region}>{drawn.lists}</div>
            <div class="meter">
                <p class="meter-words">
                    <span>{t.fig_cpu}</span>
                    <span class="number"><strong>{drawn.used}</strong>{" % "}{t.of_one_cpu}</span>
                </p>
                <div class="meter-bar">
                    {drawn.bar}
                    <input type="range" class="quota-thumb" min="1" max="100" step="1"
                        aria-label={t.fig_quota_label} value={drawn.quota.clone()}
                        aria-valuetext={format!("{} %", drawn.quota)} oninput={drag} />
                </div>
                {drawn.strip}
                <p class="caption">{t.fig_periods}{" "}<strong>{t.fig_drag}</strong></p>
            </div>
            <button type="button" class="plain" onclick={press}>
                {if over { t.play_again } else { t.pause }}
            </button>
        </section>
    }
}

/// Starts the play when the figure appears, or shows its end to those who want no motion.
#[hook]
fn use_first_run(stage: &std::rc::Rc<std::cell::RefCell<Stage>>, ticked: &UseForceUpdateHandle) {
    let (stage, ticked) = (stage.clone(), ticked.clone());
    use_effect_with((), move |()| {
        let first = {
            let (stage, ticked) = (stage.clone(), ticked.clone());
            move || {
                stage.borrow_mut().play.advance(f64::from(STILL_MSEC));
                run(&stage, &ticked);
            }
        };
        // What does not move needs no frames, and the page has other things to do now.
        let wait = if prefs::reduced_motion() { 0 } else { STILL_MSEC };
        stage.borrow_mut().begins = Some(Timeout::new(wait, first));
        move || {
            let mut stage = stage.borrow_mut();
            (stage.begins, stage.frame) = (None, None);
        }
    });
}

/// Goes on, a frame at a time, until the play is over.
fn run(stage: &std::rc::Rc<std::cell::RefCell<Stage>>, ticked: &UseForceUpdateHandle) {
    if prefs::reduced_motion() {
        stage.borrow_mut().play.finish();
        ticked.force_update();
        return;
    }
    stage.borrow_mut().last = None;
    next(stage, ticked);
}

fn next(stage: &std::rc::Rc<std::cell::RefCell<Stage>>, ticked: &UseForceUpdateHandle) {
    let (again, update) = (stage.clone(), ticked.clone());
    let frame = request_animation_frame(move |now| {
        let over = {
            let mut stage = again.borrow_mut();
            let passed = stage.last.map_or(0.0, |last| now - last);
            stage.last = Some(now);
            stage.play.advance(passed);
            stage.play.is_over()
        };
        update.force_update();
        if !over {
            next(&again, &update);
        }
    });
    stage.borrow_mut().frame = Some(frame);
}

/// The width of an element, followed as it changes.
#[hook]
pub(crate) fn use_width(region: &NodeRef) -> f64 {
    let width = use_state_eq(|| 0.0_f64);
    let set = width.setter();
    use_effect_with(region.clone(), move |region| {
        let element = region.cast::<HtmlElement>();
        let observed = element.clone();
        let measure = Closure::<dyn Fn()>::new(move || {
            if let Some(element) = &element {
                set.set(f64::from(element.client_width()));
            }
        });
        let observer = ResizeObserver::new(measure.as_ref().unchecked_ref()).ok();
        if let (Some(observer), Some(element)) = (&observer, &observed) {
            observer.observe(element);
        }
        move || {
            if let Some(observer) = observer {
                observer.disconnect();
            }
            drop(measure);
        }
    });
    *width
}

/// The parts of one frame.
struct Drawn {
    lists: Html,
    bar: Html,
    strip: Html,
    used: String,
    quota: String,
}

fn drawing(play: &Play, width: f64, ui: &Ui) -> Drawn {
    let quota = play.quota_percent().unwrap_or(100.0);
    Drawn {
        lists: lists(play, width, if ui.projector { PROJECTOR } else { 1.0 }, ui.t()),
        bar: bar(play, width),
        strip: strip(play, width),
        used: format!("{:.0}", play.used_percent()),
        quota: format!("{quota:.0}"),
    }
}

/// Both process lists, the pane and the threads.
fn lists(play: &Play, width: f64, scale: f64, t: &'static Text) -> Html {
    if width < 1.0 {
        return html! { <svg class="play" height="204" aria-hidden="true"></svg> };
    }
    let (whole, width) = (width, width / scale);
    let column = (width * 0.42).min(270.0);
    let pane_x = width - column;
    let host_y = |row: usize| 56.0 + ROW * index(row);
    let inside_y = |row: usize| 116.0 + ROW * index(row);
    // Beside a short pane the title would be cut.
    let title = if column < 190.0 { (width, "end") } else { (pane_x, "start") };
    let lifted = play.lifted();
    let at = between((HOST_PID - 38.0, host_y(3)), (pane_x + 14.0, inside_y(0)), lifted);
    let from = |row: usize| (HOST_PID + 11.0, host_y(row) - 5.0);
    let second = (pane_x + 4.0, inside_y(1) - 5.0);
    let first = (at.0 - 10.0, at.1 - 5.0);
    let inside = if play.renumbered() >= 0.5 { INSIDE[0] } else { HOST[3].0 };
    html! {
        <svg class="play" width={px(whole)} height={px(204.0 * scale)} viewBox={format!("0 0 {width:.0} 204")}
            role="img" aria-label={t.figure_label}>
            <text class="play-title" x="0" y="22">{t.fig_host}</text>
            <text class="play-title" x={px(title.0)} y="22" text-anchor={title.1} opacity={share(lifted)}>{t.fig_container}</text>
            <path class="play-pane" d={pane(pane_x, 70.0, column, 104.0)} pathLength="1"
                stroke-dasharray="1" stroke-dashoffset={share(1.0 - lifted)}
                fill-opacity={share(lifted)} />
            <text class="play-letter" x={px(pane_x + column - 20.0)} y="92" opacity={share(lifted)}>{"P"}</text>
            <g>{for (0..4).map(|row| html! {
                <g key={row}>{host_process(host_y(row), HOST[row], row == 3)}</g>
            })}</g>
            <g opacity={share(play.busy())}>
                {host_process(host_y(4), BUSY, true)}
                {thread(from(4), second)}
                {process((pane_x + 14.0, inside_y(1)), INSIDE[1], BUSY.1, true)}
            </g>
            <g opacity={share((lifted * 6.0).min(1.0))}>
                {thread(from(3), first)}
                {process(at, inside, HOST[3].1, true)}
            </g>
        </svg>
    }
}

fn thread(from: (f64, f64), to: (f64, f64)) -> Html {
    html! {
        <>
            <path class="thread" d={thread_path(from, to)} />
            <circle class="thread-end" cx={px(from.0)} cy={px(from.1)} r="3.5" />
            <circle class="thread-end" cx={px(to.0)} cy={px(to.1)} r="3.5" />
        </>
    }
}

/// A row of the host's list: the PID stands on the side of the thread, as in the lab.
fn host_process(y: f64, (pid, name): (u32, &'static str), ours: bool) -> Html {
    let class = if ours { "play-row is-ours" } else { "play-row" };
    html! {
        <>
            <text {class} x="0" y={px(y)}>{name}</text>
            <text class={classes!(class, "play-pid")} x={px(HOST_PID)} y={px(y)} text-anchor="end">{pid}</text>
        </>
    }
}

fn process((x, y): (f64, f64), pid: u32, name: &'static str, ours: bool) -> Html {
    let class = if ours { "play-row is-ours" } else { "play-row" };
    html! {
        <>
            <text class={classes!(class, "play-pid")} x={px(x + 38.0)} y={px(y)} text-anchor="end">{pid}</text>
            <text {class} x={px(x + 50.0)} y={px(y)}>{name}</text>
        </>
    }
}

/// A rounded rectangle that is drawn from its top left corner, clockwise.
fn pane(x: f64, y: f64, w: f64, h: f64) -> String {
    let (x, w) = (x + 1.0, w - 2.0);
    format!(
        "M{:.1} {y}H{:.1}q10 0 10 10V{:.1}q0 10 -10 10H{:.1}q-10 0 -10 -10V{:.1}q0 -10 10 -10",
        x + 10.0,
        x + w - 10.0,
        y + h - 10.0,
        x + 10.0,
        y + 10.0
    )
}

/// The bar: what is used, what waits, where the quota is.
fn bar(play: &Play, width: f64) -> Html {
    let whole = (width - THUMB * 2.0).max(0.0);
    let used = play.used_percent() / 100.0 * whole;
    let quota = play.quota_percent().map(|percent| percent / 100.0 * whole);
    let waits = quota.filter(|_| play.is_throttled()).map(|quota| quota.max(used));
    html! {
        <svg class="play" width={px(width)} height="44" aria-hidden="true">
            <rect class="meter-whole" x={px(THUMB)} y="8" width={px(whole)} height="28" rx="4" />
            {waits.map(|from| html! {
                <rect class="hatched" fill="url(#hatch)" x={px(THUMB + from)} y="8" width={px(whole - from)} height="28" />
            })}
            <rect class="meter-used" x={px(THUMB)} y="8" width={px(used)} height="28" rx="4" />
            {quota.map(|quota| html! {
                <path class="quota-line" d={format!("M{0:.1} 2V42", THUMB + quota)} />
            })}
        </svg>
    }
}

/// The last periods: running solid, waiting hatched.
fn strip(play: &Play, width: f64) -> Html {
    let whole = (width - THUMB * 2.0).max(0.0);
    let shown = play.busy() > 0.0;
    html! {
        <svg class="play strip" width={px(width)} height="34" aria-hidden="true">
            <g>{for play.strip().into_iter().filter(|_| shown).enumerate().map(|(at, (from, to, running))| html! {
                <rect key={at} class={if running { "meter-used" } else { "hatched" }}
                    fill={(!running).then_some("url(#hatch)")}
                    x={px(THUMB + from * whole)} y="9" width={px((to - from) * whole)} height="16" />
            })}</g>
            <g>{for play.boundaries().into_iter().enumerate().map(|(at, share)| html! {
                <path key={at} class="boundary" d={format!("M{:.1} 3V31", THUMB + share * whole)} />
            })}</g>
        </svg>
    }
}

fn px(value: f64) -> String {
    format!("{value:.1}")
}

fn share(value: f64) -> String {
    format!("{value:.3}")
}

#[allow(clippy::cast_precision_loss)] // At most five rows.
fn index(row: usize) -> f64 {
    row as f64
}
