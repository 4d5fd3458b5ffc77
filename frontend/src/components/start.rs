//! The start page: one sentence, one button, one figure that moves without a server.

use std::rc::Rc;

use vitrine_shared::message::Profile;
use vitrine_shared::spec::ContainerSpec;
use yew::prelude::*;

use super::figure::Figure;
use super::parts::TroubleText;
use super::profile::{begin, offered, profile_choice};
use super::sim_bar;
use crate::place::Place;
use crate::route::{self, Screen};
use crate::state::{Link, Session, State};
use crate::text::Text;
use crate::ui::{use_desk, use_ui};

/// What the start page shows.
#[derive(Properties, PartialEq)]
pub(crate) struct Props {
    pub(crate) state: Rc<State>,
}

/// The start page.
#[component]
pub(crate) fn Start(props: &Props) -> Html {
    let (ui, desk) = (use_ui(), use_desk());
    let (t, state) = (ui.t(), &props.state);
    let why = why_not(state, t);
    let ready = why.is_none() && !state.is_starting();
    let machine = state.machine().map(|machine| machine.id);
    let profiles = offered(state.host.as_deref(), machine);
    let chosen = use_state_eq(|| None);
    let first = profiles.first().copied();
    let profile = (*chosen).or(first).unwrap_or(Profile::Strict);
    let is_lab = !profiles.is_empty() && profile == Profile::Lab;
    // A lab machine is for typing in: it opens with the shell that plays the host.
    let spec = if is_lab { ContainerSpec::machine_shell() } else { state.one_click() };
    let named = (!profiles.is_empty() && (is_lab || first != Some(profile))).then_some(profile);
    let start = Callback::from(move |_| {
        if ready {
            begin(&desk, machine, named, spec.clone());
        }
    });
    let choose = Callback::from(move |profile: Profile| chosen.set(Some(profile)));
    let word = match (state.is_starting(), is_lab) {
        (true, _) => t.starting,
        (false, true) => t.start_lab_button,
        (false, false) if state.simulated => t.sim_start,
        (false, false) => t.start_button,
    };
    html! {
        <main class="start" id="main" tabindex="-1">
            <div class="start-words">
                <h1>{t.sentence}</h1>
                <p class="lead">{if state.simulated { t.sim_start_lead } else { t.start_lead }}</p>
                {profile_choice(&ui, &profiles, profile, &choose)}
                <div class="start-buttons">
                    <button type="button" class="large" data-test="start" onclick={start}
                        aria-disabled={(!ready).to_string()} aria-describedby="why">{word}</button>
                    <a class="button" href={route::link(Screen::Lab, route::sim())}>
                        {if machine.is_some() { t.back_to_lab } else { t.choose_first }}
                    </a>
                    <button type="button" class="plain" data-test="sim-try" hidden={state.simulated}
                        onclick={sim_bar::enter()}>{t.sim_try}</button>
                </div>
                <div id="why" class="why" hidden={why.is_none()}>{why.unwrap_or_default()}</div>
                <TroubleText place={Place::Start} trouble={state.troubles.get(&Place::Start).cloned()} />
            </div>
            <Figure />
        </main>
    }
}

/// Why no container can be started now; `None` when it can.
pub(crate) fn why_not(state: &State, t: &'static Text) -> Option<Html> {
    let line = |code: &'static str| html! { <p><code>{code}</code></p> };
    let (words, more) = match (&state.session, state.link) {
        (_, Link::Live) if !state.may_change() => (t.why_viewer, Html::default()),
        (_, Link::Live) => return None,
        _ if state.simulated => (t.sim_loading, Html::default()),
        (Session::Checking, _) => (t.why_checking, Html::default()),
        (Session::SignedOut { token_refused: true }, _) => (t.why_token_refused, Html::default()),
        (Session::SignedOut { .. }, _) => {
            (t.why_signed_out, line("http://127.0.0.1:7878/#token=…"))
        }
        (Session::NoServer, _) => (t.why_no_server, line("cargo xtask run")),
        (Session::Open, _) => (t.why_connecting, Html::default()),
    };
    Some(html! { <><p>{words}</p>{more}</> })
}
