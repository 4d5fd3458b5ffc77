//! The ribbon of a simulated server on every screen, and the offer of one where the live server is not
//! to be had.

use std::rc::Rc;

use vitrine_shared::cgroup::Dialect;
use vitrine_shared::limits;
use vitrine_shared::message::Refusal;
use yew::prelude::*;

use crate::lens::{self, Lens, Scene};
use crate::place::{Place, Trouble};
use crate::route;
use crate::state::{Link, Session, State};
use crate::ui::{Desk, Ui};

/// The dialect of the lessons.
const FIRST: Dialect = Dialect::V1;

/// Says that nothing here is measured, lets time be held, and leads back. Always one element.
pub(crate) fn sim_bar(ui: &Ui, desk: &Desk, state: &Rc<State>) -> Html {
    let t = ui.t();
    if !state.simulated {
        return offer(ui, state);
    }
    let scene = Scene { ui, desk, state, group: None, leave: None };
    let leave = Callback::from(|_: MouseEvent| route::follow(&route::link_at(None)));
    html! {
        <aside class="sim-bar" key="sim-bar" aria-label={t.sim_badge} data-test="sim-bar">
            <strong class="sim-badge">{t.sim_badge}</strong>
            <span class="sim-words">{t.sim_words}</span>
            {lens::show_if_there(&scene, Lens::Time)}
            <button type="button" class="plain" data-test="sim-leave" onclick={leave}>{t.sim_leave}</button>
        </aside>
    }
}

/// Where the live server cannot be had: the same view with a simulated one.
fn offer(ui: &Ui, state: &State) -> Html {
    let t = ui.t();
    let why = match (&state.session, state.link) {
        (_, Link::Live) if is_full(state) => t.sim_offer_full,
        (_, Link::Live) => "",
        (Session::SignedOut { .. }, _) => t.sim_offer_signed_out,
        (Session::NoServer, _) => t.sim_offer_no_server,
        (_, Link::Lost { tries }) if tries > 1 => t.sim_offer_lost,
        _ => "",
    };
    html! {
        <aside class="sim-offer" key="sim-bar" aria-label={t.sim_title} data-test="sim-offer" hidden={why.is_empty()}>
            <p>{why}</p>
            <button type="button" class="plain" data-test="sim-enter" onclick={enter()}>{t.sim_enter}</button>
        </aside>
    }
}

/// Goes to the same view with a simulated server.
pub(crate) fn enter() -> Callback<MouseEvent> {
    Callback::from(|_: MouseEvent| route::follow(&route::link_at(Some(FIRST))))
}

/// Was a machine refused because there are too many?
fn is_full(state: &State) -> bool {
    matches!(state.troubles.get(&Place::Start),
        Some(Trouble::Refused { reason: Refusal::Limit(reached), .. })
            if reached.name == limits::MACHINES.name)
}
