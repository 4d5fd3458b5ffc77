//! The header: logo, machine, connection, language, theme, size.

use std::rc::Rc;

use yew::prelude::*;

use super::parts::{hatch, logo};
use crate::lens::{self, Lens, Scene};
use crate::prefs::Theme;
use crate::route::{self, Screen};
use crate::state::{Action, Dialog, Link, Session, State};
use crate::text::Text;
use crate::ui::{Change, Desk, Ui};

/// The header of both screens.
pub(crate) fn header(ui: &Ui, desk: &Desk, state: &Rc<State>, screen: Screen) -> Html {
    let scene = Scene { ui, desk, state, group: None, leave: None };
    let t = ui.t();
    html! {
        <header class="top">
            <a class="skip" href="#main" onclick={skip_to_main()}>{t.skip}</a>
            {hatch()}
            <a class="brand" href={route::link(Screen::Start, route::sim())} aria-label={t.to_start}>{logo()}<span>{"Vitrine"}</span></a>
            <div class="top-lab" hidden={screen == Screen::Start}>
                {lens::show_if_there(&scene, Lens::Machine)}
            </div>
            {connection(ui, state)}
            {settings(ui, desk)}
        </header>
    }
}

/// Moves the focus without touching the fragment, which names the screen.
fn skip_to_main() -> Callback<MouseEvent> {
    Callback::from(|event: MouseEvent| {
        event.prevent_default();
        let document = web_sys::window().and_then(|window| window.document());
        let main = document.and_then(|document| document.get_element_by_id("main"));
        if let Some(main) = main.and_then(|main| {
            use wasm_bindgen::JsCast;
            main.dyn_into::<web_sys::HtmlElement>().ok()
        }) {
            // Focus can fail only for an element that is gone.
            let _ = main.focus();
        }
    })
}

/// The connection in one word; the milliseconds stand outside the part that is read aloud.
fn connection(ui: &Ui, state: &State) -> Html {
    let (class, word) = status(state, ui.t());
    // A simulated server is at no distance.
    let latency = state.latency_msec.filter(|_| !state.simulated);
    let latency = latency.map(|msec| format!("{msec} ms"));
    html! {
        <div class={classes!("status", class)} data-test="status">
            <span class="dot" aria-hidden="true"></span>
            <span role="status">{word}</span>
            <span class="latency">{latency}</span>
        </div>
    }
}

fn status(state: &State, t: &'static Text) -> (&'static str, &'static str) {
    match (&state.session, state.link) {
        (_, Link::Live) if state.simulated => ("is-simulated", t.sim_badge),
        (_, Link::Live) => ("is-live", t.live),
        (Session::SignedOut { .. }, _) => ("is-out", t.signed_out),
        (Session::NoServer, _) => ("is-out", t.no_server),
        (Session::Open, Link::Lost { .. }) => ("is-lost", t.reconnecting),
        (Session::Open, _) if state.welcomes > 0 => ("is-lost", t.reconnecting),
        (Session::Open, _) => ("is-opening", t.connecting),
        (Session::Checking, _) => ("is-opening", t.checking),
    }
}

/// Language, theme, size, and what the server is.
fn settings(ui: &Ui, desk: &Desk) -> Html {
    let about = desk.act.reform(|_: MouseEvent| Action::Dialog(Some(Dialog::About)));
    let t = ui.t();
    let change = |to: Change| ui.change.reform(move |_: MouseEvent| to);
    let theme_word = match ui.theme {
        Theme::Auto => t.theme_auto,
        Theme::Light => t.theme_light,
        Theme::Dark => t.theme_dark,
    };
    // Their signs are drawn by style.css, so that a screen reader hears the words only.
    let theme = classes!("plain", "icon", format!("theme-{}", ui.theme.name()));
    let size_word = if ui.projector { t.size_projector } else { t.size_normal };
    html! {
        <div class="settings" role="group" aria-label={t.settings}>
            <button type="button" class="plain" data-test="lang" onclick={change(Change::Lang)}
                lang={ui.lang.other().tag()}>{t.other_language}</button>
            <button type="button" class={theme} data-test="theme" title={theme_word}
                aria-label={theme_word} onclick={change(Change::Theme)}></button>
            <button type="button" class="plain icon size" data-test="size" title={size_word}
                aria-label={size_word} aria-pressed={ui.projector.to_string()}
                onclick={change(Change::Size)}></button>
            <button type="button" class="plain icon about" data-test="about-open" title={t.about}
                aria-label={t.about} onclick={about}></button>
        </div>
    }
}
