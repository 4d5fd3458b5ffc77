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
use crate::session;
use crate::state::{Link, Session, State};
use crate::text::Text;
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
            <button type="button" class="plain" data-test="sim-leave" onclick={leave}
                hidden={session::is_static()}>{t.sim_leave}</button>
        </aside>
    }
}

/// Where the live server cannot be had: the same view with a simulated one.
fn offer(ui: &Ui, state: &State) -> Html {
    let t = ui.t();
    let why = why(t, state);
    html! {
        <aside class="sim-offer" key="sim-bar" aria-label={t.sim_title} data-test="sim-offer" hidden={why.is_empty()}>
            <p>{why}</p>
            <button type="button" class="plain" data-test="sim-enter" onclick={enter()}>{t.sim_enter}</button>
        </aside>
    }
}

/// Why the live server cannot be had; empty when it can.
fn why(t: &'static Text, state: &State) -> &'static str {
    match (&state.session, state.link) {
        (_, Link::Live) if is_full(state) => t.sim_offer_full,
        (_, Link::Live) => "",
        (Session::SignedOut { .. }, _) => t.sim_offer_signed_out,
        (Session::NoServer, _) => t.sim_offer_no_server,
        (_, Link::Lost { tries }) if tries > 1 => t.sim_offer_lost,
        _ => "",
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

#[cfg(test)]
mod tests {
    use super::*;
    use crate::prefs::Lang;
    use crate::text::text;

    #[test]
    fn it_is_offered_where_the_live_server_cannot_be_had_and_nowhere_else() {
        let t = text(Lang::En);
        let at = |session, link| {
            let mut state = State::default();
            (state.session, state.link) = (session, link);
            state
        };
        let told = |session, link| why(t, &at(session, link));
        let out = Session::SignedOut { token_refused: false };
        assert_eq!(told(Session::Checking, Link::Idle), "");
        assert_eq!(told(Session::Open, Link::Live), "");
        // A line that comes back at once is no reason.
        assert_eq!(told(Session::Open, Link::Lost { tries: 1 }), "");
        assert_eq!(told(Session::Open, Link::Lost { tries: 2 }), t.sim_offer_lost);
        assert_eq!(told(Session::NoServer, Link::Lost { tries: 1 }), t.sim_offer_no_server);
        assert_eq!(told(out, Link::Idle), t.sim_offer_signed_out);
        for (limit, words) in
            [(limits::MACHINES, t.sim_offer_full), (limits::CONTAINERS_PER_MACHINE, "")]
        {
            let reason = Refusal::Limit(limit.into());
            let mut state = at(Session::Open, Link::Live);
            let trouble = Trouble::Refused { reason, hint: String::new() };
            state.troubles.insert(Place::Start, trouble);
            assert_eq!(why(t, &state), words);
        }
    }
}
