//! Explain my click: what was asked, and what was really done for it.

use vitrine_shared::message::{Act, Answer, Deed};
use yew::prelude::*;

use super::feed::{change, file};
use super::parts::shell_line;
use crate::place::Trouble;
use crate::state::Told;
use crate::text::{happening, refusal};
use crate::ui::Ui;

/// What the last click really did.
pub(crate) fn explain(ui: &Ui, told: Option<&Told>) -> Html {
    html! {
        <div class="explain" data-test="explain">
            {match told {
                None => html! { <p class="muted">{ui.lab().explain_empty}</p> },
                Some(told) => html! { <div key={told.number}>{answered(ui, told)}</div> },
            }}
        </div>
    }
}

fn answered(ui: &Ui, told: &Told) -> Html {
    let t = ui.lab();
    html! {
        <>
            <p><span class="muted">{t.you_asked}</span>{" "}{happening::asked(ui.lang, &told.command)}</p>
            {match &told.answer {
                Answer::Done { deeds, .. } if deeds.is_empty() => {
                    html! { <p class="muted">{t.explain_nothing}</p> }
                }
                Answer::Done { deeds, .. } => html! {
                    <ol class="deeds">{for deeds.iter().enumerate().map(|(at, deed)| html! {
                        <li key={at}>{done(ui, deed)}</li>
                    })}</ol>
                },
                Answer::Refused { reason, hint } => {
                    let (reason, hint) = (reason.clone(), hint.clone());
                    said(ui, &Trouble::Refused { reason, hint })
                }
                Answer::Failed { step, what, errno, .. } => {
                    let (step, what, errno) = (*step, what.clone(), errno.clone());
                    said(ui, &Trouble::Failed { step, what, errno })
                }
            }}
        </>
    }
}

fn said(ui: &Ui, trouble: &Trouble) -> Html {
    let said = refusal::trouble(ui.lang, trouble);
    html! {
        <div class="trouble">
            <p><span aria-hidden="true">{"✕ "}</span>{said.what}</p>
            <p class="todo" hidden={said.todo.is_empty()}>{said.todo}</p>
        </div>
    }
}

fn done(ui: &Ui, deed: &Deed) -> Html {
    let act = match &deed.act {
        Act::Syscall { call } => html! { <code class="call">{call}</code> },
        Act::Wrote { path, old, new } => html! {
            <><code class="path" title={path.clone()}>{file(path)}</code>{" "}{change(ui, old, new)}</>
        },
    };
    let shell = match deed.shell.as_str() {
        "" => Html::default(),
        line => shell_line(line),
    };
    html! { <>{act}{shell}</> }
}
