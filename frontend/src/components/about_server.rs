//! About the server: the frame of the dialog, and the banner.

use std::rc::Rc;

use yew::prelude::*;

use super::modal::Modal;
use crate::lens::{self, Lens, Scene};
use crate::state::{Action, Dialog, State};
use crate::ui::{Desk, Ui};

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
