//! A birth, frame by frame: its steps on a line, and what there is after the one that is chosen.

mod line;
mod world;

use std::rc::Rc;

use gloo::events::EventListener;
use gloo::timers::callback::Timeout;
use vitrine_shared::birth::{Attempt, Change, Frame, frames};
use vitrine_shared::message::Machine;
use wasm_bindgen::JsCast as _;
use yew::prelude::*;

use self::line::line;
use self::world::world;
use super::figure::use_width;
use crate::birth::{Birth, failed};
use crate::lens::Scene;
use crate::place::Trouble;
use crate::prefs;
use crate::route;
use crate::state::Action;
use crate::text::{birth as words, refusal, step};
use crate::ui::{Desk, Ui, select_value, use_desk, use_ui};

/// How long a step stands while it plays, in milliseconds.
const PLAY_MSEC: u32 = 1_100;

/// The births of the machine that is looked at.
pub(crate) fn birth_lens(scene: &Scene<'_>) -> Html {
    let state = scene.state;
    let Some(machine) = state.machine() else {
        let t = words::words(scene.ui.lang);
        return html! { <p key="none" class="muted birth-none">{t.nothing}</p> };
    };
    let feed = state.feeds.get(&machine.id).map(|feed| feed.as_slice()).unwrap_or_default();
    let chosen = state.container().map(|one| Birth::Container(machine, one).link());
    html! {
        <View key="birth" machine={machine.clone()} failed={failed(feed)} chosen={chosen} />
    }
}

#[derive(Properties, PartialEq)]
struct Props {
    machine: Rc<Machine>,
    failed: Vec<(u64, Attempt)>,
    /// What a link calls the birth of the container that is looked at.
    chosen: Option<String>,
}

/// Which birth and which of its frames the address names.
#[derive(Clone, Debug, Default, PartialEq)]
struct Spot {
    birth: Option<String>,
    frame: Option<usize>,
}

/// What the buttons and keys do.
#[derive(Clone, Copy, Debug, PartialEq)]
enum Go {
    To(usize),
    First,
    Back,
    Forward,
    Last,
    /// Begin to play, or stop.
    Play,
    /// It plays: on to the next.
    Next,
}

#[component]
fn View(props: &Props) -> Html {
    let (ui, desk) = (use_ui(), use_desk());
    let spot = use_spot();
    use_following(&spot, props.chosen.clone());
    let playing = use_state_eq(|| false);
    let logarithmic = use_state_eq(|| false);
    let region = use_node_ref();
    let width = use_width(&region);
    let births = Birth::all(&props.machine, &props.failed);
    let birth = meant(&births, &spot, props.chosen.as_deref());
    let birth = &birth.unwrap_or(Birth::Machine(&props.machine));
    let mut group = String::new();
    let story = birth.story(&mut group);
    let frames = frames(&story);
    let count = frames.len();
    let at = spot.frame.map_or(count, |frame| frame.min(count)).saturating_sub(1);
    let go = use_going(&spot, &playing, &birth.link(), at, count);
    use_playing(*playing, at, go.clone());
    let Some(frame) = frames.get(at) else {
        return html! {
            <section class="birth-lens" data-test="birth">
                {head(&ui, &desk, &births, birth, &spot)}
                <p class="muted" ref={region}>{ui.lab().steps_empty}</p>
            </section>
        };
    };
    html! {
        <section class="birth-lens" data-test="birth" onkeydown={keys(go.clone())}>
            {head(&ui, &desk, &births, birth, &spot)}
            <div class="birth-line" ref={region}>
                {line(&ui, &frames, at, (width, *logarithmic), &go)}
            </div>
            {tools(&ui, &logarithmic, (*playing, at, count), &go)}
            {now(&ui, frame, birth, (at, count))}
            {world(&ui, &frames, at, story.own.was_seen())}
        </section>
    }
}

/// The birth that the address names, else that of the container that is looked at.
fn meant<'a>(births: &[Birth<'a>], spot: &Spot, chosen: Option<&str>) -> Option<Birth<'a>> {
    let named =
        |name: Option<&str>| births.iter().find(|one| Some(one.link().as_str()) == name).copied();
    named(spot.birth.as_deref()).or_else(|| named(chosen))
}

/// What the address says; it may be changed by hand, by the feed and by the back button.
#[hook]
fn use_spot() -> UseStateHandle<Spot> {
    let read = || {
        let spot = route::spot();
        Spot { birth: spot.birth, frame: spot.frame }
    };
    let spot = use_state_eq(read);
    let set = spot.setter();
    use_effect_with((), move |()| {
        let window = web_sys::window().expect("a page has a window");
        let listener = EventListener::new(&window, "hashchange", move |_| set.set(read()));
        move || drop(listener)
    });
    spot
}

/// Who looks at one container's birth and then chooses another container, wants that one's.
#[hook]
fn use_following(spot: &UseStateHandle<Spot>, chosen: Option<String>) {
    let before = use_mut_ref(|| chosen.clone());
    let spot = spot.clone();
    use_effect_with(chosen, move |chosen| {
        let before = std::mem::replace(&mut *before.borrow_mut(), chosen.clone());
        if before != *chosen && before.is_some() && spot.birth == before {
            spot.set(Spot::default());
            route::keep(|spot| (spot.birth, spot.frame) = (None, None));
        }
    });
}

/// Goes to a frame, and says so in the address.
#[hook]
fn use_going(
    spot: &UseStateHandle<Spot>,
    playing: &UseStateHandle<bool>,
    link: &str,
    at: usize,
    count: usize,
) -> Callback<Go> {
    let deps = (link.to_owned(), at, count, **playing);
    let (spot, playing) = (spot.clone(), playing.clone());
    use_callback(deps, move |go: Go, (link, at, count, is_playing)| {
        let last = count.saturating_sub(1);
        let to = match go {
            Go::To(to) => to.min(last),
            Go::First => 0,
            Go::Back => at.saturating_sub(1),
            Go::Forward | Go::Next => (at + 1).min(last),
            Go::Last => last,
            // From the end it plays from the beginning.
            Go::Play if !is_playing && *at == last => 0,
            Go::Play => *at,
        };
        playing.set(match go {
            Go::Play => !is_playing,
            Go::Next => to < last,
            _ => false,
        });
        show(&spot, link, to + 1);
    })
}

fn show(spot: &UseStateHandle<Spot>, link: &str, frame: usize) {
    spot.set(Spot { birth: Some(link.to_owned()), frame: Some(frame) });
    let link = link.to_owned();
    route::keep(|spot| (spot.birth, spot.frame) = (Some(link), Some(frame)));
}

/// While it plays, one step after the other.
#[hook]
fn use_playing(plays: bool, at: usize, go: Callback<Go>) {
    use_effect_with((plays, at), move |(plays, _)| {
        let timer = plays.then(|| Timeout::new(PLAY_MSEC, move || go.emit(Go::Next)));
        move || drop(timer)
    });
}

/// Arrow keys step, wherever in the lens one is, but not in what uses them itself.
fn keys(go: Callback<Go>) -> Callback<KeyboardEvent> {
    Callback::from(move |event: KeyboardEvent| {
        let target = event.target().and_then(|target| target.dyn_into::<web_sys::Element>().ok());
        let own =
            target.is_some_and(|one| one.closest("select, .birth-table").ok().flatten().is_some());
        if own || event.alt_key() || event.ctrl_key() || event.meta_key() {
            return;
        }
        let to = match event.key().as_str() {
            "ArrowLeft" => Go::Back,
            "ArrowRight" => Go::Forward,
            "Home" => Go::First,
            "End" => Go::Last,
            _ => return,
        };
        event.prevent_default();
        go.emit(to);
    })
}

/// Which birth.
fn head(
    ui: &Ui,
    desk: &Desk,
    births: &[Birth<'_>],
    shown: &Birth<'_>,
    spot: &UseStateHandle<Spot>,
) -> Html {
    let t = words::words(ui.lang);
    let containers: Vec<_> = births
        .iter()
        .filter_map(|one| match one {
            Birth::Container(_, container) => Some((one.link(), container.id)),
            _ => None,
        })
        .collect();
    let change = {
        let (spot, act) = (spot.clone(), desk.act.clone());
        Callback::from(move |event: Event| {
            let link = select_value(&event);
            // The rest of the lab looks at the same container.
            if let Some((_, id)) = containers.iter().find(|(known, _)| *known == link) {
                act.emit(Action::Choose(*id));
            }
            let birth = Some(link);
            route::keep(|at| (at.birth, at.frame) = (birth.clone(), None));
            spot.set(Spot { birth, frame: None });
        })
    };
    let link = shown.link();
    let usec = shown.steps().iter().map(|step| u64::from(step.took_usec)).sum();
    html! {
        <div class="birth-head">
            <label>{t.pick}
                <select data-test="birth-pick" onchange={change}>
                    {for births.iter().map(|one| html! {
                        <option key={one.link()} value={one.link()} selected={one.link() == link}>{title(ui, one)}</option>
                    })}
                </select>
            </label>
            <span class="muted" data-test="birth-whole">{words::whole(ui.lang, shown.steps().len(), usec)}</span>
        </div>
    }
}

fn title(ui: &Ui, birth: &Birth<'_>) -> String {
    let t = words::words(ui.lang);
    match birth {
        Birth::Machine(_) => t.machine.into(),
        Birth::Container(_, container) => container.name.clone(),
        Birth::Failed(_, _, attempt) => {
            format!("✕ {} · {} · {}", attempt.name, t.did_not, attempt.errno)
        }
    }
}

/// Buttons to step, and the scale.
fn tools(
    ui: &Ui,
    logarithmic: &UseStateHandle<bool>,
    (playing, at, count): (bool, usize, usize),
    go: &Callback<Go>,
) -> Html {
    let t = words::words(ui.lang);
    let button = |name: &'static str, sign: &'static str, word: &'static str, to: Go, off: bool| {
        let onclick = go.reform(move |_: MouseEvent| to);
        html! {
            <button key={name} type="button" class="icon" data-test={format!("birth-{name}")} title={word}
                aria-label={word} aria-disabled={off.to_string()} {onclick}><span aria-hidden="true">{sign}</span></button>
        }
    };
    let toggle = {
        let logarithmic = logarithmic.clone();
        Callback::from(move |_: Event| logarithmic.set(!*logarithmic))
    };
    let (is_first, is_last) = (at == 0, at + 1 == count);
    let still = prefs::reduced_motion();
    html! {
        <div class="birth-tools">
            <div class="birth-buttons" role="group" aria-label={t.line}>
                {button("first", "⇤", t.first, Go::First, is_first)}
                {button("back", "←", t.back, Go::Back, is_first)}
                {if still { Html::default() } else if playing {
                    button("play", "||", t.pause, Go::Play, false)
                } else {
                    button("play", "▷", t.play, Go::Play, false)
                }}
                {button("forward", "→", t.forward, Go::Forward, is_last)}
                {button("last", "⇥", t.last, Go::Last, is_last)}
            </div>
            <span class="number" data-test="birth-place">{words::place(ui.lang, at + 1, count)}</span>
            <label class="birth-log"><input type="checkbox" class="switch" role="switch" data-test="birth-log"
                checked={**logarithmic} onchange={toggle} />{t.logarithmic}</label>
            <span class="muted" hidden={!still}>{t.still}</span>
        </div>
    }
}

/// The step: its name, its time, its calls, and for who listens what it did.
fn now(ui: &Ui, frame: &Frame<'_>, birth: &Birth<'_>, (at, count): (usize, usize)) -> Html {
    let t = words::words(ui.lang);
    let step_word = step::step(ui.lang, frame.step.name);
    let calls = frame.step.call.split("; ").map(str::to_owned);
    html! {
        <div class={classes!("birth-now", frame.failed.then_some("is-failed"))}>
            <h2>{step_word}{" "}<span class="muted number" data-test="birth-took">
                {words::timing(ui.lang, frame.step.took_usec, frame.since_usec)}</span></h2>
            <p class="visually-hidden" role="status" data-test="birth-said">{said(ui, frame, (at, count))}</p>
            <ul class="birth-calls" aria-label={t.call} data-test="birth-calls">
                {for calls.enumerate().map(|(at, call)| html! { <li key={at}><code>{call}</code></li> })}
            </ul>
            {if frame.failed { failure(ui, frame, birth) } else { Html::default() }}
        </div>
    }
}

fn failure(ui: &Ui, frame: &Frame<'_>, birth: &Birth<'_>) -> Html {
    let t = words::words(ui.lang);
    let errno = birth.errno().unwrap_or_default().to_owned();
    let (step, what) = (frame.step.name, frame.step.call.clone());
    let said = refusal::trouble(ui.lang, &Trouble::Failed { step, what, errno });
    html! {
        <div class="trouble" data-test="birth-failed">
            <p><span class="cross" aria-hidden="true">{"✕ "}</span>{t.failed}{" "}{said.what}</p>
            <p class="todo" hidden={said.todo.is_empty()}>{said.todo}</p>
        </div>
    }
}

/// The frame in one sentence.
fn said(ui: &Ui, frame: &Frame<'_>, (at, count): (usize, usize)) -> String {
    let lang = ui.lang;
    let mut parts = vec![
        words::place(lang, at + 1, count),
        step::step(lang, frame.step.name).to_owned(),
        words::timing(lang, frame.step.took_usec, frame.since_usec),
    ];
    if frame.failed {
        parts.push(words::words(lang).failed.into());
    }
    for object in frame.objects.iter().filter(|object| object.change != Change::Same) {
        let (what, change) = (words::what(lang, object.what), words::change(lang, object.change));
        parts.push(format!("{what}: {change}"));
    }
    parts.join(" · ")
}
