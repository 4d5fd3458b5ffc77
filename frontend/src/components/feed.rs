//! What just happened: the machine's feed, newest first, each write with its shell line.

use vitrine_shared::message::{FeedEntry, Happening};
use yew::prelude::*;

use super::parts::shell_line;
use crate::format;
use crate::text::happening::happening;
use crate::ui::Ui;

/// The feed; the entries come oldest first.
pub(crate) fn feed(ui: &Ui, entries: &[FeedEntry]) -> Html {
    let t = ui.lab();
    html! {
        <section class="feed" aria-labelledby="feed-title">
            <h2 id="feed-title">{t.feed}</h2>
            <p class="muted" hidden={!entries.is_empty()}>{t.feed_empty}</p>
            <div class="scroll" tabindex="0" role="log" aria-labelledby="feed-title" data-test="feed">
                <ol class="entries" reversed=true>
                    {for entries.iter().rev().map(|entry| html! {
                        <li key={entry.seq} class={kind(&entry.what)}>{told(ui, entry)}</li>
                    })}
                </ol>
            </div>
        </section>
    }
}

fn kind(what: &Happening) -> &'static str {
    match what {
        Happening::KernelRefused { .. } | Happening::OomKilled { .. } => "entry is-refused",
        _ => "entry",
    }
}

fn told(ui: &Ui, entry: &FeedEntry) -> Html {
    let time = html! {
        <time class="muted number">{format::time_of_day(entry.at_msec, minutes_east())}</time>
    };
    match &entry.what {
        Happening::Wrote { path, old, new, shell } => html! {
            <>
                {time}{" "}<code class="path" title={path.clone()}>{file(path)}</code>{" "}
                {change(ui, old, new)}
                {if shell.is_empty() { Html::default() } else { shell_line(shell) }}
            </>
        },
        Happening::KernelRefused { path, text, errno } => {
            let (path, text, errno) = (file(path), text.clone(), errno.clone());
            let short = Happening::KernelRefused { path, text, errno };
            html! { <>{time}{" ✕ "}<span>{happening(ui.lang, &short)}</span></> }
        }
        other => html! { <>{time}{" "}<span>{happening(ui.lang, other)}</span></> },
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
