//! What just happened: the machine's feed, newest first, each write with its shell line; and a
//! filter over it.

mod filter;

use std::rc::Rc;

use vitrine_shared::message::{FeedEntry, Happening, Machine};
use yew::prelude::*;

use self::filter::filter_tools;
use super::parts::shell_line;
use crate::birth::told_of;
use crate::feed::{Filter, Kind};
use crate::format;
use crate::text::happening::happening;
use crate::ui::{Ui, use_ui};

/// What the feed shows.
#[derive(Properties, PartialEq)]
pub(crate) struct Props {
    /// Oldest first.
    pub(crate) entries: Rc<Vec<FeedEntry>>,
    pub(crate) machine: Option<Rc<Machine>>,
    /// Shows the birth that a link calls so, step by step.
    pub(crate) to_birth: Callback<String>,
}

/// The feed.
#[component]
pub(crate) fn Feed(props: &Props) -> Html {
    let ui = use_ui();
    let t = ui.lab();
    let filter = use_state_eq(Filter::default);
    let is_open = use_state_eq(|| false);
    let entries = props.entries.as_slice();
    let shown = filter.apply(entries, |what| in_words(&ui, what));
    let hidden = entries.len() - shown.len();
    html! {
        <section class="feed" aria-labelledby="feed-title">
            {filter_tools(&ui, entries, hidden, &filter, &is_open)}
            <p class="muted" hidden={!shown.is_empty()}>{if hidden > 0 { t.feed_all_hidden } else { t.feed_empty }}</p>
            <div class="scroll" tabindex="0" role="log" aria-labelledby="feed-title" data-test="feed">
                <ol class="entries" reversed=true>
                    {for shown.iter().rev().map(|entry| row(&ui, entry, props))}
                </ol>
            </div>
        </section>
    }
}

/// Everything that is written of an entry, for the filter.
fn in_words(ui: &Ui, what: &Happening) -> String {
    let said = happening(ui.lang, what);
    match what {
        Happening::Wrote { old, new, shell, .. } => format!("{said} {old} {new} {shell}"),
        _ => said,
    }
}

fn row(ui: &Ui, entry: &FeedEntry, props: &Props) -> Html {
    let kind = Kind::of(&entry.what);
    let bad = matches!(kind, Kind::Refused | Kind::Killed).then_some("is-refused");
    html! {
        <li key={entry.seq} class={classes!("entry", bad)} data-kind={kind.name()}>
            <time class="muted number">{format::time_of_day(entry.at_msec, minutes_east())}</time>
            <span class="entry-sign" aria-hidden="true">{kind.sign()}</span>
            {told(ui, entry)}
            {birth(ui, entry, props)}
        </li>
    }
}

/// The way to the birth that an entry tells of.
fn birth(ui: &Ui, entry: &FeedEntry, props: &Props) -> Html {
    let Some(link) = props.machine.as_ref().and_then(|machine| told_of(machine, entry)) else {
        return Html::default();
    };
    let onclick = props.to_birth.reform(move |_: MouseEvent| link.clone());
    html! {
        <>{" "}<button type="button" class="plain" data-test="to-birth" {onclick}>{ui.lab().step_by_step}</button></>
    }
}

fn told(ui: &Ui, entry: &FeedEntry) -> Html {
    match &entry.what {
        Happening::Wrote { path, old, new, shell } => html! {
            <>
                <code class="path" title={path.clone()}>{file(path)}</code>{" "}
                {change(ui, old, new)}
                {if shell.is_empty() { Html::default() } else { shell_line(shell) }}
            </>
        },
        Happening::KernelRefused { path, text, errno } => {
            let (path, text, errno) = (file(path), text.clone(), errno.clone());
            let short = Happening::KernelRefused { path, text, errno };
            html! { <span>{happening(ui.lang, &short)}</span> }
        }
        other => html! { <span>{happening(ui.lang, other)}</span> },
    }
}

/// The two last parts of a path: whose file it is.
pub(crate) fn file(path: &str) -> String {
    let mut parts: Vec<&str> = path.rsplit('/').take(2).collect();
    parts.reverse();
    parts.join("/")
}

/// Old value, arrow, new value.
pub(crate) fn change(ui: &Ui, old: &str, new: &str) -> Html {
    let shown = |value: &str| match value {
        "" => ui.lab().empty_value.to_string(),
        value => value.to_string(),
    };
    html! {
        <span class="change">
            <span class="visually-hidden">{ui.lab().was}{" "}</span>
            <code class="old">{shown(old)}</code>{" → "}<code class="new">{shown(new)}</code>
        </span>
    }
}

/// Minutes that the browser's clock is east of Greenwich.
#[allow(clippy::cast_possible_truncation)] // At most 14 hours.
pub(crate) fn minutes_east() -> i64 {
    -(js_sys::Date::new_0().get_timezone_offset() as i64)
}

#[cfg(test)]
mod tests {
    #[test]
    fn a_path_is_shown_by_its_last_two_parts() {
        assert_eq!(super::file("/sys/fs/cgroup/cpu/v/root/c1/cpu.shares"), "c1/cpu.shares");
        assert_eq!(super::file("cpu.shares"), "cpu.shares");
    }
}
