//! The evidence of a row: what was printed inside and outside, and the namespaces' numbers.

use vitrine_shared::leaks::Row;
use vitrine_shared::message::StepName;
use vitrine_shared::namespace::Namespace;
use vitrine_shared::truth::{Output, Probe};
use yew::prelude::*;

use super::Props;
use crate::leaks::{inside, outside};
use crate::place::Trouble;
use crate::text::{leaks as words, refusal};
use crate::ui::Ui;

/// All that was asked for a row, side by side.
pub(super) fn evidence(ui: &Ui, props: &Props, row: Row) -> Html {
    let t = words::words(ui.lang);
    let at = Namespace::ALL.iter().position(|one| *one == row.namespace()).unwrap_or(0);
    let inode = |number: u64| format!("{}:[{number}]", row.namespace().proc_name());
    html! {
        <div class="leak-evidence">
            {for row.probes().iter().map(|&probe| html! {
                <div key={format!("{probe:?}")} class="leak-pair">
                    {side(ui, props, row, probe, true)}{side(ui, props, row, probe, false)}
                </div>
            })}
            {props.inodes.as_ref().map(|inodes| html! {
                <p class="leak-inodes"><span class="muted">{t.inode}</span>{" "}
                    <code>{inode(inodes[at].0)}</code>{" · "}{t.in_machine}{" "}<code>{inode(inodes[at].1)}</code></p>
            })}
        </div>
    }
}

/// One output, or why there is none.
fn side(ui: &Ui, props: &Props, row: Row, probe: Probe, is_inside: bool) -> Html {
    let t = words::words(ui.lang);
    let (whose, place, output): (_, _, Option<&Output>) = if is_inside {
        let container = &props.container;
        let name = words::inside(ui.lang, &container.name);
        (Some(container.id), name, inside(&props.readings, container, probe))
    } else {
        (None, t.in_machine.into(), outside(&props.readings, probe))
    };
    let trouble = props.readings.trouble(whose, probe);
    let label = format!("{}, {place}", probe.line());
    html! {
        <figure class="truth-one" data-side={if is_inside { "inside" } else { "outside" }}>
            <figcaption><code>{"$ "}{probe.line()}</code>{" "}<span class="muted">{place}</span></figcaption>
            {match (output, trouble) {
                (_, Some(trouble)) => why_not(ui, row, probe, trouble),
                (Some(output), None) => html! {
                    <pre tabindex="0" aria-label={label}>{if output.text.is_empty() { t.nothing } else { &output.text }}</pre>
                },
                (None, None) => html! { <p class="muted">{t.waiting}</p> },
            }}
        </figure>
    }
}

/// That the program is not there, and what is read instead; or what else went wrong.
fn why_not(ui: &Ui, row: Row, probe: Probe, trouble: &Trouble) -> Html {
    let t = words::words(ui.lang);
    let is_missing = matches!(
        trouble,
        Trouble::Failed { step: StepName::Execve, errno, .. } if errno == "ENOENT"
    );
    if !is_missing {
        let said = refusal::trouble(ui.lang, trouble);
        return html! { <p class="is-bad"><span aria-hidden="true">{"✕ "}</span>{said.what}</p> };
    }
    let instead = row.probes().iter().skip_while(|one| **one != probe).nth(1);
    html! {
        <p class="muted">{t.missing}{" ("}<code>{probe.argv()[0]}</code>{")"}
            {instead.map(|instead| html! { <>{"; "}{t.instead}{" "}<code>{instead.line()}</code></> })}</p>
    }
}
