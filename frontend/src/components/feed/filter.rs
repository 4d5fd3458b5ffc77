//! The feed's heading, and what is chosen of it.

use vitrine_shared::message::FeedEntry;
use yew::prelude::*;

use crate::feed::{Filter, KINDS, Kind, parties};
use crate::text::happening::{hidden_entries, kind as kind_word};
use crate::ui::{Ui, input_text, select_value};

/// Stands for everybody in the list of whom; no group is called so.
const EVERYBODY: &str = "*";

/// Heading, how much is hidden, and the choices.
pub(super) fn filter_tools(
    ui: &Ui,
    entries: &[FeedEntry],
    hidden: usize,
    filter: &UseStateHandle<Filter>,
    is_open: &UseStateHandle<bool>,
) -> Html {
    let t = ui.lab();
    let open = {
        let is_open = is_open.clone();
        Callback::from(move |_: MouseEvent| is_open.set(!*is_open))
    };
    let clear = {
        let filter = filter.clone();
        Callback::from(move |_: MouseEvent| filter.set(Filter::default()))
    };
    html! {
        <div class="feed-head">
            <h2 id="feed-title">{t.feed}</h2>
            <button type="button" class="plain" data-test="feed-filter" aria-expanded={is_open.to_string()}
                aria-controls="feed-choices" onclick={open}>{t.filter}</button>
            <span class="feed-hidden muted" role="status" data-test="feed-hidden">
                {(hidden > 0).then(|| hidden_entries(ui.lang, hidden))}
            </span>
            <button type="button" class="plain" data-test="feed-clear" hidden={!filter.is_on()} onclick={clear}>{t.clear_filter}</button>
            <div class="feed-choices" id="feed-choices" role="group" aria-label={t.filter} hidden={!**is_open}>
                {kinds(ui, entries, filter)}
                {whose(ui, entries, filter)}
                {words(ui, filter)}
            </div>
        </div>
    }
}

fn kinds(ui: &Ui, entries: &[FeedEntry], filter: &UseStateHandle<Filter>) -> Html {
    let button = |kind: Kind| {
        let count = entries.iter().filter(|entry| Kind::of(&entry.what) == kind).count();
        let onclick = {
            let filter = filter.clone();
            Callback::from(move |_: MouseEvent| filter.set(filter.turned(kind)))
        };
        html! {
            <button key={kind.name()} type="button" class="chip" data-test={format!("feed-{}", kind.name())}
                aria-pressed={filter.kinds.contains(&kind).to_string()} {onclick}>
                <span aria-hidden="true">{kind.sign()}{" "}</span>{kind_word(ui.lang, kind)}{" "}<span class="muted">{count}</span>
            </button>
        }
    };
    html! { <div class="chips">{for KINDS.into_iter().map(button)}</div> }
}

fn whose(ui: &Ui, entries: &[FeedEntry], filter: &UseStateHandle<Filter>) -> Html {
    let t = ui.lab();
    let mut names = parties(entries);
    // What was chosen stays in the list, though its last entry has gone.
    names.extend(filter.whose.clone().filter(|one| !one.is_empty() && !names.contains(one)));
    let change = {
        let filter = filter.clone();
        Callback::from(move |event: Event| {
            let value = select_value(&event);
            let whose = (value != EVERYBODY).then_some(value);
            filter.set(Filter { whose, ..(*filter).clone() });
        })
    };
    let chosen = filter.whose.as_deref();
    html! {
        <label>{t.filter_whose}
            <select data-test="feed-whose" onchange={change}>
                <option key={EVERYBODY} value={EVERYBODY} selected={chosen.is_none()}>{t.filter_everybody}</option>
                <option key="" value="" selected={chosen == Some("")}>{t.machine}</option>
                {for names.iter().map(|name| html! {
                    <option key={name.clone()} value={name.clone()} selected={chosen == Some(name.as_str())}>{name}</option>
                })}
            </select>
        </label>
    }
}

fn words(ui: &Ui, filter: &UseStateHandle<Filter>) -> Html {
    let oninput = {
        let filter = filter.clone();
        Callback::from(move |event: InputEvent| {
            filter.set(Filter { words: input_text(&event), ..(*filter).clone() });
        })
    };
    html! {
        <label>{ui.lab().filter_words}
            <input type="text" data-test="feed-words" autocomplete="off" spellcheck="false" value={filter.words.clone()} {oninput} />
        </label>
    }
}
