//! The right column: the birth or the last click in two tabs, and the feed under them.

use std::rc::Rc;

use vitrine_shared::message::{Answer, Command, FeedEntry, Machine, Step};
use wasm_bindgen::JsCast;
use web_sys::HtmlElement;
use yew::prelude::*;

use super::birth::birth;
use super::feed::Feed;
use crate::log::Log;
use crate::state::Told;
use crate::ui::use_ui;

/// What the column shows.
#[derive(Properties, PartialEq)]
pub(crate) struct Props {
    pub(crate) told: Option<Rc<Told>>,
    pub(crate) container_steps: Vec<Step>,
    pub(crate) machine_steps: Vec<Step>,
    pub(crate) entries: Rc<Vec<FeedEntry>>,
    pub(crate) machine: Option<Rc<Machine>>,
    /// Shows the birth that a link calls so, step by step.
    pub(crate) to_birth: Callback<String>,
    /// What the explanation is made from: it is drawn anew when this changes.
    pub(crate) log: Rc<Log>,
    /// The explanation, which is loaded later.
    pub(crate) explain: Html,
}

#[derive(Clone, Copy, Debug, PartialEq)]
enum Tab {
    Birth,
    Explain,
}

/// The column.
#[component]
pub(crate) fn Notes(props: &Props) -> Html {
    let ui = use_ui();
    let t = ui.lab();
    // A choice holds until the next answer: a click wants its own explanation.
    let chosen = use_state_eq(|| None::<(u32, Tab)>);
    let number = props.told.as_ref().map_or(0, |told| told.number);
    let tab = match *chosen {
        Some((at, tab)) if at == number => tab,
        _ => first_tab(props.told.as_deref()),
    };
    let choose = {
        let chosen = chosen.clone();
        Callback::from(move |tab| chosen.set(Some((number, tab))))
    };
    html! {
        <div class="notes">
            <section class="told" aria-labelledby={tab_id(tab)}>
                <h2 class="visually-hidden">{t.explain}</h2>
                <div class="tabs" role="tablist" aria-label={t.explain} onkeydown={arrows(tab, &choose)}>
                    {tab_button(Tab::Explain, tab, t.explain, &choose)}
                    {tab_button(Tab::Birth, tab, t.birth, &choose)}
                </div>
                <div class="scroll" id="panel-explain" role="tabpanel" tabindex="0"
                    aria-labelledby={tab_id(Tab::Explain)} hidden={tab != Tab::Explain}>
                    {props.explain.clone()}
                </div>
                <div class="scroll" id="panel-birth" role="tabpanel" tabindex="0"
                    aria-labelledby={tab_id(Tab::Birth)} hidden={tab != Tab::Birth}>
                    {birth(&ui, &props.container_steps, &props.machine_steps)}
                </div>
            </section>
            <Feed entries={Rc::clone(&props.entries)} machine={props.machine.clone()} to_birth={props.to_birth.clone()} />
        </div>
    }
}

/// A start is explained by the birth; everything else by what it did.
fn first_tab(told: Option<&Told>) -> Tab {
    match told.map(|told| (&told.command, &told.answer)) {
        None | Some((Command::StartContainer { .. }, Answer::Done { .. })) => Tab::Birth,
        Some(_) => Tab::Explain,
    }
}

fn tab_id(tab: Tab) -> &'static str {
    match tab {
        Tab::Birth => "tab-birth",
        Tab::Explain => "tab-explain",
    }
}

fn panel_id(tab: Tab) -> &'static str {
    match tab {
        Tab::Birth => "panel-birth",
        Tab::Explain => "panel-explain",
    }
}

fn tab_button(this: Tab, shown: Tab, word: &'static str, choose: &Callback<Tab>) -> Html {
    let selected = this == shown;
    html! {
        <button type="button" role="tab" id={tab_id(this)} data-test={tab_id(this)}
            aria-controls={panel_id(this)} aria-selected={selected.to_string()}
            tabindex={if selected { "0" } else { "-1" }}
            onclick={choose.reform(move |_: MouseEvent| this)}>{word}</button>
    }
}

fn arrows(shown: Tab, choose: &Callback<Tab>) -> Callback<KeyboardEvent> {
    let choose = choose.clone();
    Callback::from(move |event: KeyboardEvent| {
        if !matches!(event.key().as_str(), "ArrowLeft" | "ArrowRight" | "Home" | "End") {
            return;
        }
        event.prevent_default();
        let other = if shown == Tab::Birth { Tab::Explain } else { Tab::Birth };
        choose.emit(other);
        let document = web_sys::window().and_then(|window| window.document());
        let button = document.and_then(|document| document.get_element_by_id(tab_id(other)));
        if let Some(button) = button.and_then(|button| button.dyn_into::<HtmlElement>().ok()) {
            // Focus can fail only for an element that is gone.
            let _ = button.focus();
        }
    })
}
