//! About the server: the frame of the dialog, the note in the lab, the banner.

use std::rc::Rc;

use yew::prelude::*;

use super::modal::Modal;
use crate::host;
use crate::lens::{self, Lens, Scene};
use crate::prefs::{self, key};
use crate::state::{Action, Dialog, State};
use crate::text::host as words;
use crate::ui::{Desk, Ui, use_desk, use_ui};

/// What they show.
#[derive(Properties, PartialEq)]
pub(crate) struct Props {
    pub(crate) state: Rc<State>,
}

/// The dialog: its frame, around a lens.
pub(crate) fn about_dialog(ui: &Ui, desk: &Desk, state: &Rc<State>) -> Html {
    let t = ui.t();
    let close = desk.act.reform(|()| Action::Dialog(None));
    let leave = close.reform(|_: MouseEvent| ());
    let open = state.dialog == Some(Dialog::About);
    let scene = Scene { ui, desk, state, group: None, leave: None };
    html! {
        <Modal {open} title="about-title" test="about" {close}>
            <header class="modal-head">
                <h2 id="about-title">{t.about}</h2>
                <button type="button" class="plain" onclick={leave}>{t.close}</button>
            </header>
            {if open { lens::show(&scene, Lens::About) } else { Html::default() }}
        </Modal>
    }
}

/// The note in the lab: what is missing in one line, until it was read.
#[component]
pub(crate) fn MissingNote(props: &Props) -> Html {
    let (ui, desk) = (use_ui(), use_desk());
    let t = ui.t();
    let read = use_state_eq(|| prefs::load(key::MISSING).unwrap_or_default());
    let known = props.state.host.as_deref();
    let print = known.map(|host| host::fingerprint(&host.missing)).unwrap_or_default();
    let hidden = print.is_empty() || *read == print;
    let features: Vec<_> = known
        .map(|host| host.missing.iter().map(|missing| missing.feature).collect())
        .unwrap_or_default();
    let rootless = known.is_some_and(|host| host.rootless);
    let more = desk.act.reform(|_: MouseEvent| Action::Dialog(Some(Dialog::About)));
    let dismiss = Callback::from(move |_: MouseEvent| {
        prefs::save(key::MISSING, &print);
        read.set(print.clone());
    });
    html! {
        <div class="note" role="note" data-test="missing" {hidden}>
            <p>
                {words::missing_in_short(ui.lang, &features)}
                <span hidden={!rootless}>{" "}{t.rootless_note}</span>
            </p>
            <button type="button" class="plain" data-test="missing-more" onclick={more}>{t.missing_more}</button>
            <button type="button" class="plain" data-test="missing-dismiss" onclick={dismiss}>{t.dismiss}</button>
        </div>
    }
}

/// The banner on every screen, where others on the network can read along.
pub(crate) fn plain_http(ui: &Ui, state: &State) -> Html {
    let t = ui.t();
    let plain = state.host.as_deref().is_some_and(|host| host.plain_http);
    html! {
        <aside class="banner" data-test="plain-http" hidden={!plain}>
            <p><strong>{t.plain_http}</strong>{" "}{t.plain_http_todo}</p>
        </aside>
    }
}
