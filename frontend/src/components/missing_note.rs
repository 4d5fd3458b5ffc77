//! The note in the lab: what this server cannot do.

use std::rc::Rc;

use yew::prelude::*;

use crate::host;
use crate::prefs::{self, key};
use crate::state::{Action, Dialog, State};
use crate::text::host as words;
use crate::ui::{use_desk, use_ui};

/// What it shows.
#[derive(Properties, PartialEq)]
pub(crate) struct Props {
    pub(crate) state: Rc<State>,
}

/// What is missing in one line, until it was read.
#[component]
pub(crate) fn MissingNote(props: &Props) -> Html {
    let (ui, desk) = (use_ui(), use_desk());
    let t = ui.t();
    let read = use_state_eq(|| prefs::load(key::MISSING).unwrap_or_default());
    let known = props.state.host.as_deref();
    let print = known.map(|host| host::fingerprint(&host.missing)).unwrap_or_default();
    // What a simulated one does without, its ribbon has said.
    let hidden = print.is_empty() || *read == print || props.state.simulated;
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
                <span hidden={!rootless}>{" "}{ui.lab().rootless_note}</span>
            </p>
            <button type="button" class="plain" data-test="missing-more" onclick={more}>{ui.lab().missing_more}</button>
            <button type="button" class="plain" data-test="missing-dismiss" onclick={dismiss}>{t.dismiss}</button>
        </div>
    }
}
