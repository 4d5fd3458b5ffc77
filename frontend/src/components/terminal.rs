//! The terminal of a container: its header here, its screen by `term.mjs`.

use std::cell::RefCell;
use std::rc::Rc;

use vitrine_shared::id::TerminalId;
use web_sys::{Element, HtmlElement};
use yew::prelude::*;

use crate::prefs::{self, key};
use crate::text::{terminal_of, terminal_status};
use crate::ui::use_ui;
use crate::xterm::{self, Attached, Look, Terminal};

const FONT_PX: std::ops::RangeInclusive<u32> = 10..=32;

type Slot = Rc<RefCell<Option<Attached>>>;

/// Whose terminal.
#[derive(Properties, PartialEq)]
pub(crate) struct Props {
    pub(crate) name: AttrValue,
    pub(crate) terminal: Option<TerminalId>,
    pub(crate) may_type: bool,
}

/// The terminal and its header.
#[component]
pub(crate) fn TerminalArea(props: &Props) -> Html {
    let ui = use_ui();
    let t = ui.t();
    let region = use_node_ref();
    let slot: Slot = use_mut_ref(|| None);
    let status = use_state_eq(String::new);
    let font = use_state_eq(|| {
        let kept = prefs::load(key::FONT).and_then(|px| px.parse::<u32>().ok());
        kept.filter(|px| FONT_PX.contains(px)).unwrap_or(14)
    });
    let larger = resize(&font, 2);
    let smaller = resize(&font, -2);
    // A projector's 140 %, in whole pixels.
    let font_px = if ui.projector { *font * 7 / 5 } else { *font };
    let on_status = {
        let status = status.setter();
        use_callback((), move |text: String, ()| status.set(text))
    };
    html! {
        <section class="terminal" aria-labelledby="terminal-title" data-test="terminal" ref={region.clone()}>
            <header class="terminal-head">
                <h2 id="terminal-title">{terminal_of(ui.lang, &props.name)}</h2>
                <span class="muted terminal-status" role="status">{terminal_status(ui.lang, &status)}</span>
                <span class="muted" hidden={props.may_type}>{ui.lab().viewer_only}</span>
                <span class="terminal-tools">
                    <button type="button" class="plain" onclick={with(&slot, Terminal::copy)}>
                        {t.copy}<kbd>{"Ctrl+Shift+C"}</kbd></button>
                    <button type="button" class="plain" onclick={with(&slot, Terminal::paste)}
                        disabled={!props.may_type}>{ui.lab().paste}<kbd>{"Ctrl+Shift+V"}</kbd></button>
                    <button type="button" class="plain icon smaller" aria-label={ui.lab().font_smaller}
                        title={ui.lab().font_smaller} onclick={smaller}></button>
                    <button type="button" class="plain icon larger" aria-label={ui.lab().font_larger}
                        title={ui.lab().font_larger} onclick={larger}></button>
                    <FullScreen {region} />
                </span>
            </header>
            <div class="terminal-body">
                {match props.terminal {
                    Some(id) => html! {
                        <Host key={id.to_string()} {id} {slot} {on_status} font={font_px}
                            may_type={props.may_type} />
                    },
                    None => html! { <p key="none" class="muted terminal-none">{ui.lab().no_terminal}</p> },
                }}
            </div>
        </section>
    }
}

fn with(slot: &Slot, act: fn(&Terminal)) -> Callback<MouseEvent> {
    let slot = Rc::clone(slot);
    Callback::from(move |_| {
        if let Some(attached) = slot.borrow().as_ref() {
            act(&attached.terminal);
        }
    })
}

fn resize(font: &UseStateHandle<u32>, by: i32) -> Callback<MouseEvent> {
    let font = font.clone();
    Callback::from(move |_| {
        let px = font.saturating_add_signed(by).clamp(*FONT_PX.start(), *FONT_PX.end());
        prefs::save(key::FONT, &px.to_string());
        font.set(px);
    })
}

#[derive(Properties)]
struct HostProps {
    id: TerminalId,
    slot: Slot,
    on_status: Callback<String>,
    font: u32,
    may_type: bool,
}

impl PartialEq for HostProps {
    fn eq(&self, other: &Self) -> bool {
        (self.id, self.may_type, self.font) == (other.id, other.may_type, other.font)
    }
}

/// The element that `term.mjs` draws into: keyed by the terminal, so it is made once.
#[component]
fn Host(props: &HostProps) -> Html {
    let ui = use_ui();
    let host = use_node_ref();
    let missing = use_state_eq(|| false);
    let look = Look { lang: ui.lang.short(), theme: theme(&ui), font_size: props.font };
    use_attached(props, &host, look.clone(), missing.setter());
    {
        let (slot, may_type) = (Rc::clone(&props.slot), props.may_type);
        use_effect_with((look.clone(), may_type), move |(look, may_type)| {
            if let Some(attached) = slot.borrow().as_ref() {
                attached.terminal.set_lang(look.lang);
                attached.terminal.set_theme(look.theme);
                attached.terminal.set_font_size(look.font_size);
                attached.terminal.set_read_only(!may_type);
            }
        });
    }
    html! {
        <>
            <div class="terminal-host" ref={host}></div>
            <p class="muted terminal-none" role="alert" hidden={!*missing}>{ui.lab().terminal_missing}</p>
        </>
    }
}

fn theme(ui: &crate::ui::Ui) -> &'static str {
    if prefs::is_dark(ui.theme) { "dark" } else { "light" }
}

#[hook]
fn use_attached(props: &HostProps, host: &NodeRef, look: Look, missing: UseStateSetter<bool>) {
    let (host, slot) = (host.clone(), Rc::clone(&props.slot));
    let (on_status, may_type) = (props.on_status.clone(), props.may_type);
    use_effect_with(props.id, move |&id| {
        let gone = Rc::new(std::cell::Cell::new(false));
        let (was_gone, target) = (Rc::clone(&gone), Rc::clone(&slot));
        on_status.emit("connecting".into());
        wasm_bindgen_futures::spawn_local(async move {
            let Some(element) = host.cast::<HtmlElement>() else { return };
            let status = move |text| on_status.emit(text);
            let attached = xterm::attach(element, id, &look, status, leave).await;
            if was_gone.get() {
                return;
            }
            missing.set(attached.is_none());
            if let Some(attached) = &attached {
                attached.terminal.set_read_only(!may_type);
                attached.terminal.focus();
            }
            *target.borrow_mut() = attached;
        });
        move || {
            gone.set(true);
            drop(slot.borrow_mut().take());
        }
    });
}

/// Gives the keyboard back to the page: to the first control of the terminal's header.
fn leave() {
    let document = web_sys::window().and_then(|window| window.document());
    let button = document
        .and_then(|document| document.query_selector(".terminal-tools button").ok().flatten());
    if let Some(button) = button.and_then(|b| wasm_bindgen::JsCast::dyn_into::<HtmlElement>(b).ok())
    {
        // Focus can fail only for an element that is gone.
        let _ = button.focus();
    }
}

#[derive(Properties, PartialEq)]
struct FullScreenProps {
    region: NodeRef,
}

/// Gives the region the whole screen, and takes it back. The browser's own Esc works too.
#[component]
fn FullScreen(props: &FullScreenProps) -> Html {
    let ui = use_ui();
    let full = use_state_eq(|| false);
    let set = full.setter();
    use_effect_with((), move |()| {
        let document = web_sys::window().and_then(|window| window.document());
        let listener = document.map(|document| {
            let watched = document.clone();
            gloo::events::EventListener::new(&document, "fullscreenchange", move |_| {
                set.set(watched.fullscreen_element().is_some());
            })
        });
        move || drop(listener)
    });
    let region = props.region.clone();
    let onclick = Callback::from(move |_: MouseEvent| {
        let document = web_sys::window().and_then(|window| window.document());
        match (document.and_then(|d| d.fullscreen_element().map(|_| d)), region.cast::<Element>()) {
            (Some(document), _) => document.exit_fullscreen(),
            // A browser that refuses (an iframe without the permission) leaves things as they are.
            (None, Some(element)) => drop(element.request_fullscreen()),
            (None, None) => {}
        }
    });
    let word = if *full { ui.lab().full_screen_end } else { ui.lab().full_screen };
    html! {
        <button type="button" class="plain" aria-pressed={full.to_string()} {onclick}>{word}</button>
    }
}
