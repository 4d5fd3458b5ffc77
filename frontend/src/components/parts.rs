//! Small parts that several components use.

use std::rc::Rc;

use gloo::timers::callback::Timeout;
use vitrine_shared::namespace::Namespace;
use yew::prelude::*;

use crate::clipboard;
use crate::place::{Place, Trouble};
use crate::state::Action;
use crate::text::refusal;
use crate::ui::{use_desk, use_ui};

/// The logo: one process in two panes, joined by the thread.
pub(crate) fn logo() -> Html {
    html! {
        <svg class="logo" viewBox="0 0 32 32" width="32" height="32" aria-hidden="true">
            <rect class="logo-pane" x="12.75" y="3.75" width="15.5" height="24.5" rx="4" />
            <path class="thread" d="M5 22C13 22 13 11 20.5 11" />
            <circle class="thread-end" cx="5" cy="22" r="3" />
            <circle class="thread-end" cx="20.5" cy="11" r="3" />
        </svg>
    }
}

/// A namespace's letter in its colour.
pub(crate) fn letter(namespace: Namespace) -> Html {
    let name = namespace.option();
    let class = classes!("letter", format!("ns-{name}"));
    html! { <span key={name} {class} aria-hidden="true">{namespace.letter()}</span> }
}

/// What [`TroubleText`] shows.
#[derive(Properties, PartialEq)]
pub(crate) struct TroubleProps {
    /// Where it stands.
    pub(crate) place: Place,
    /// What went wrong there, if anything.
    pub(crate) trouble: Option<Trouble>,
    /// The id that a field's `aria-describedby` names.
    #[prop_or_default]
    pub(crate) id: Option<AttrValue>,
}

/// What went wrong, beside the control that asked. Always one element, so that its siblings stay.
#[component]
pub(crate) fn TroubleText(props: &TroubleProps) -> Html {
    let (ui, desk) = (use_ui(), use_desk());
    let said = props.trouble.as_ref().map(|trouble| refusal::trouble(ui.lang, trouble));
    let place = props.place.clone();
    let close = Callback::from(move |_| desk.act.emit(Action::Dismiss(place.clone())));
    html! {
        <div class="trouble" role="alert" id={props.id.clone()} hidden={said.is_none()}>
            {said.map(|said| html! {
                <>
                    <p><span class="cross" aria-hidden="true">{"✕ "}</span>{said.what}</p>
                    <p class="todo" hidden={said.todo.is_empty()}>{said.todo}</p>
                    <button type="button" class="plain" onclick={close}>{ui.t().dismiss}</button>
                </>
            })}
        </div>
    }
}

/// What [`CopyButton`] copies.
#[derive(Properties, PartialEq)]
pub(crate) struct CopyProps {
    pub(crate) text: AttrValue,
}

/// Copies a line, and says for a moment that it did.
#[component]
pub(crate) fn CopyButton(props: &CopyProps) -> Html {
    let ui = use_ui();
    let done = use_state_eq(|| false);
    let reset = use_mut_ref(|| None::<Timeout>);
    let onclick = {
        let (text, done) = (props.text.clone(), done.clone());
        Callback::from(move |_: MouseEvent| {
            let (text, done, reset) = (text.clone(), done.clone(), Rc::clone(&reset));
            wasm_bindgen_futures::spawn_local(async move {
                if clipboard::copy(&text).await {
                    done.set(true);
                    let back = Timeout::new(1_500, move || done.set(false));
                    *reset.borrow_mut() = Some(back);
                }
            });
        })
    };
    let word = if *done { ui.t().copied } else { ui.t().copy };
    html! {
        <button type="button" class="plain copy" {onclick}
            aria-label={format!("{word}: {}", props.text)}>{word}</button>
    }
}

/// A shell line with a button that copies it.
pub(crate) fn shell_line(text: &str) -> Html {
    html! {
        <div class="shell">
            <code>{breakable(text)}</code>
            <CopyButton text={text.to_string()} />
        </div>
    }
}

/// A line that may be broken after the slashes of its paths.
fn breakable(line: &str) -> Html {
    html! {
        <>{for line.split_inclusive('/').map(|part| html! { <>{part}<wbr /></> })}</>
    }
}

/// The pattern of everything that waits: 45° lines. SVG parts of the page refer to it by name.
pub(crate) fn hatch() -> Html {
    html! {
        <svg class="defs" width="0" height="0" aria-hidden="true">
            <defs>
                <pattern id="hatch" width="7" height="7" patternUnits="userSpaceOnUse"
                    patternTransform="rotate(45)">
                    <rect class="hatch-ground" width="7" height="7" />
                    <rect class="hatch-line" width="2.5" height="7" />
                </pattern>
            </defs>
        </svg>
    }
}
