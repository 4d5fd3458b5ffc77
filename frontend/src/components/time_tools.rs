//! How the time of the simulator passes: pause, one period, pace, back; and how late it is there.

use gloo::timers::callback::Interval;
use yew::prelude::*;

use crate::sim::pace::Pace;
use crate::sim::{self, Clock};
use crate::state::Action;
use crate::text::sim as words;
use crate::ui::{select_value, use_ui};

/// Milliseconds between two looks at the clock.
const LOOK_MSEC: u32 = 200;
/// The period of the lessons, and how far one goes back at a time.
const PERIOD_NSEC: u64 = 100_000_000;
const BACK_NSEC: u64 = 1_000_000_000;
/// Less than this of the chosen pace is told.
const KEPT_PERCENT: u32 = 90;

/// What the controls need.
#[derive(Properties, PartialEq)]
pub(crate) struct Props {
    pub(crate) act: Callback<Action>,
}

/// The controls.
#[component]
pub(crate) fn TimeTools(props: &Props) -> Html {
    let ui = use_ui();
    let t = words::words(ui.lang);
    let clock = use_state_eq(sim::clock);
    let pace = use_state_eq(|| Pace::Real);
    {
        let clock = clock.setter();
        use_effect_with((), move |()| {
            let look = Interval::new(LOOK_MSEC, move || clock.set(sim::clock()));
            move || drop(look)
        });
    }
    let now = *clock;
    let paused = now.is_some_and(|clock| clock.pace == Pace::Paused);
    // What was done is shown at once, and not at the next look.
    let seen = clock.setter();
    let toggle = {
        let (pace, seen) = (*pace, seen.clone());
        Callback::from(move |_: MouseEvent| {
            sim::set_pace(if paused { pace } else { Pace::Paused });
            seen.set(sim::clock());
        })
    };
    let step = {
        let seen = seen.clone();
        Callback::from(move |_: MouseEvent| {
            sim::step_on(PERIOD_NSEC);
            seen.set(sim::clock());
        })
    };
    let back = {
        let act = props.act.clone();
        Callback::from(move |_: MouseEvent| {
            sim::step_back(BACK_NSEC, || act.emit(Action::Source { simulated: true }));
        })
    };
    let choose = {
        let pace = pace.clone();
        Callback::from(move |event: Event| {
            let name = select_value(&event);
            let Some(next) = Pace::ALL.into_iter().find(|one| one.name() == name) else { return };
            pace.set(next);
            if !paused {
                sim::set_pace(next);
            }
        })
    };
    let can_go_back = now.is_some_and(|clock| clock.can_go_back);
    html! {
        <div class="time-tools" role="group" aria-label={t.time} data-test="time-tools">
            <button type="button" class="plain" data-test="time-back" onclick={back}
                disabled={!can_go_back}>{t.back}</button>
            <button type="button" class="plain" data-test="time-pause" aria-pressed={paused.to_string()}
                onclick={toggle}>{t.pause}</button>
            <button type="button" class="plain" data-test="time-step" onclick={step}>{t.step}</button>
            <label>
                <span class="visually-hidden">{t.pace}</span>
                <select data-test="time-pace" onchange={choose}>
                    {for Pace::ALL.into_iter().map(|one| html! {
                        <option value={one.name()} selected={one == *pace}>{word(t, one)}</option>
                    })}
                </select>
            </label>
            <span class="number time-now" data-test="time-now">{now.map(seconds)}</span>
            <span class="time-late" role="status">{late(ui.lang, now)}</span>
        </div>
    }
}

fn word(t: &'static words::Text, pace: Pace) -> &'static str {
    match pace {
        Pace::Slow => t.pace_slow,
        Pace::Slowest => t.pace_slowest,
        Pace::Real | Pace::Paused => t.pace_real,
    }
}

/// `12.345 s`
fn seconds(clock: Clock) -> String {
    let msec = clock.now_nsec / 1_000_000;
    format!("{}.{:03} s", msec / 1_000, msec % 1_000)
}

fn late(lang: crate::prefs::Lang, clock: Option<Clock>) -> Option<String> {
    let kept = clock.filter(|clock| clock.pace != Pace::Paused)?.kept_percent;
    (kept < KEPT_PERCENT).then(|| words::late(lang, kept))
}
