//! Explain my click: what was asked, and what was really done for it.

use std::rc::Rc;

use vitrine_shared::message::{Act, Answer, Deed};
use yew::prelude::*;

use super::feed::{Change, file};
use super::parts::ShellLine;
use crate::place::Trouble;
use crate::state::Told;
use crate::text::{happening, refusal};
use crate::ui::{Ui, use_ui};

/// The last answer.
#[derive(Properties, PartialEq)]
pub(crate) struct Props {
    pub(crate) told: Option<Rc<Told>>,
}

/// What the last click really did.
#[component]
pub(crate) fn Explain(props: &Props) -> Html {
    let ui = use_ui();
    html! {
        <div class="explain" data-test="explain">
            {match &props.told {
                None => html! { <p class="muted">{ui.t().explain_empty}</p> },
                Some(told) => html! { <div key={told.number}>{answered(&ui, told)}</div> },
            }}
        </div>
    }
}

fn answered(ui: &Ui, told: &Told) -> Html {
    let t = ui.t();
    html! {
        <>
            <p><span class="muted">{t.you_asked}</span>{" "}{happening::asked(ui.lang, &told.command)}</p>
            {match &told.answer {
                Answer::Done { deeds, .. } if deeds.is_empty() => {
                    html! { <p class="muted">{t.explain_nothing}</p> }
                }
                Answer::Done { deeds, .. } => html! {
                    <ol class="deeds">{for deeds.iter().enumerate().map(|(at, deed)| html! {
                        <li key={at}>{done(deed)}</li>
                    })}</ol>
                },
                Answer::Refused { reason, hint } => {
                    let (reason, hint) = (reason.clone(), hint.clone());
                    said(ui, &Trouble::Refused { reason, hint })
                }
                Answer::Failed { step, errno, hint } => {
                    let (step, errno, hint) = (step.clone(), errno.clone(), hint.clone());
                    said(ui, &Trouble::Failed { step, errno, hint })
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

fn done(deed: &Deed) -> Html {
    let act = match &deed.act {
        Act::Syscall { call } => html! { <code class="call">{call}</code> },
        Act::Wrote { path, old, new } => html! {
            <><code class="path" title={path.clone()}>{file(path)}</code>{" "}<Change old={old.clone()} new={new.clone()} /></>
        },
    };
    let shell = match deed.shell.as_str() {
        "" => Html::default(),
        line => html! { <ShellLine text={line.to_string()} /> },
    };
    html! { <>{act}{shell}</> }
}
