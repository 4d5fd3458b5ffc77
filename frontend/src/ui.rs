//! What every component may ask for: the words, the choices, and the way to ask the server.

use std::cell::Cell;

use vitrine_shared::message::Command;
use yew::prelude::*;

use crate::lens::Lenses;
use crate::prefs::{Lang, Theme};
use crate::state::Action;
use crate::text::{Text, lab, text};

/// A choice that a person changes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Change {
    /// The other language.
    Lang,
    /// The next theme.
    Theme,
    /// The other size.
    Size,
}

/// The words and the choices.
#[derive(Clone, Debug)]
pub(crate) struct Ui {
    pub(crate) lang: Lang,
    pub(crate) theme: Theme,
    pub(crate) projector: bool,
    pub(crate) change: Callback<Change>,
    /// The views that are loaded when they are first looked at.
    pub(crate) lenses: Lenses,
}

impl PartialEq for Ui {
    fn eq(&self, other: &Self) -> bool {
        (self.lang, self.theme, self.projector) == (other.lang, other.theme, other.projector)
            && self.lenses == other.lenses
    }
}

impl Ui {
    /// The words of the first page.
    pub(crate) fn t(&self) -> &'static Text {
        text(self.lang)
    }

    /// The words of the lab. Whatever the first page shows must not use them.
    pub(crate) fn lab(&self) -> &'static lab::Text {
        lab::words(self.lang)
    }
}

/// The way to ask the server, and to change the state.
#[derive(Clone, Debug, PartialEq)]
pub(crate) struct Desk {
    pub(crate) send: Callback<Command>,
    pub(crate) act: Callback<Action>,
}

/// The words and the choices, as the root component provides them.
#[hook]
pub(crate) fn use_ui() -> Ui {
    use_context::<Ui>().expect("the root component provides it")
}

/// The way to ask the server, as the root component provides it.
#[hook]
pub(crate) fn use_desk() -> Desk {
    use_context::<Desk>().expect("the root component provides it")
}

thread_local! {
    static NUMBER: Cell<u32> = const { Cell::new(0) };
}

/// A number that no other element or command of this page has.
pub(crate) fn next_number() -> u32 {
    NUMBER.with(|number| {
        number.set(number.get().wrapping_add(1));
        number.get()
    })
}

/// The text of the input that an event came from.
pub(crate) fn input_text(event: &Event) -> String {
    event.target_dyn_into::<web_sys::HtmlInputElement>().map_or_else(String::new, |i| i.value())
}

/// The value of the list that an event came from.
pub(crate) fn select_value(event: &Event) -> String {
    let value = event
        .target()
        .and_then(|target| js_sys::Reflect::get(&target, &"value".into()).ok())
        .and_then(|value| value.as_string());
    value.unwrap_or_default()
}
