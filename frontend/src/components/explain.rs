//! Explain my click: what was asked, what was really done for it, and the same in a shell: one
//! action, or all of a machine's as a script.

use std::rc::Rc;

use vitrine_shared::cgroup::Dialect;
use vitrine_shared::message::{Act, Answer, Command, Deed};
use vitrine_shared::rosetta::other;
use vitrine_shared::script::{Action, Note, Setting, Words, script, single};
use wasm_bindgen::JsCast;
use web_sys::HtmlTextAreaElement;
use yew::prelude::*;

use super::feed::{change, file};
use crate::clipboard;
use crate::lens::Scene;
use crate::log::{Log, machine_of};
use crate::place::Trouble;
use crate::prefs::Lang;
use crate::state::Told;
use crate::text::explain as words;
use crate::text::{happening, refusal};
use crate::ui::{Ui, select_value, use_ui};

/// What the last click really did, and the clicks before.
pub(crate) fn explain(scene: &Scene<'_>) -> Html {
    let state = scene.state;
    let here = state.host.as_ref().map(|host| host.cpu_dialect).unwrap_or_default();
    html! { <Explain key="explain" log={Rc::clone(&state.log)} {here} /> }
}

#[derive(Properties, PartialEq)]
struct Props {
    log: Rc<Log>,
    /// The dialect that the host speaks.
    here: Dialect,
}

/// What came of copying.
#[derive(Clone, Debug, PartialEq)]
enum Copied {
    Yes,
    /// The text is shown, to be copied by hand.
    No(String),
}

#[component]
fn Explain(props: &Props) -> Html {
    let ui = use_ui();
    let t = words::words(ui.lang);
    let (log, here) = (&props.log, props.here);
    // A choice holds until the next answer: a click wants its own explanation.
    let chosen = use_state_eq(|| None::<(u32, u32)>);
    let dialect = use_state_eq(|| None::<Dialect>);
    let copied = use_state_eq(|| None::<Copied>);
    let Some(last) = log.newest_first().next() else {
        return html! { <div class="explain" data-test="explain"><p class="muted">{t.empty}</p></div> };
    };
    let wanted = (*chosen).filter(|(at, _)| *at == last.number).map(|(_, number)| number);
    let told = wanted.and_then(|number| log.newest_first().find(|told| told.number == number));
    let told = told.unwrap_or(last);
    let shown = dialect.unwrap_or(here);
    let choose = {
        let (chosen, copied, last) = (chosen.clone(), copied.clone(), last.number);
        Callback::from(move |event: Event| {
            copied.set(None);
            chosen.set(select_value(&event).parse().ok().map(|number| (last, number)));
        })
    };
    let turn = {
        let (dialect, copied) = (dialect.clone(), copied.clone());
        Callback::from(move |next: Dialect| {
            copied.set(None);
            dialect.set(Some(next));
        })
    };
    let was = (*copied).clone();
    let copy = Callback::from(move |text: String| {
        let copied = copied.clone();
        wasm_bindgen_futures::spawn_local(async move {
            let done = clipboard::copy(&text).await;
            copied.set(Some(if done { Copied::Yes } else { Copied::No(text) }));
        });
    });
    let one = lines(&ui, log, told, here, shown);
    html! {
        <div class="explain" data-test="explain">
            <label class="explain-which">
                <span class="muted">{ui.lab().you_asked}</span>
                <select data-test="explain-which" onchange={choose}>
                    {for log.newest_first().map(|one| html! {
                        <option key={one.number} value={one.number.to_string()} selected={one.number == told.number}>
                            {happening::asked(ui.lang, &one.command)}
                        </option>
                    })}
                </select>
            </label>
            <div key={told.number}>{answered(&ui, told)}</div>
            {one.map(|one| html! {
                <section class="explain-shell" aria-labelledby="explain-shell" key="shell">
                    <div class="explain-head">
                        <h3 id="explain-shell">{t.shell}</h3>
                        {dialects(&ui, here, shown, &turn)}
                    </div>
                    <pre class="explain-lines" tabindex="0" aria-labelledby="explain-shell" data-test="explain-lines"><code>{one.clone()}</code></pre>
                    <button type="button" data-test="copy-one" onclick={copy.reform(move |_: MouseEvent| one.clone())}>{t.copy_one}</button>
                </section>
            })}
            {whole(&ui, log, told, here, shown, &copy)}
            <CopiedNote copied={was} />
        </div>
    }
}

/// The two dialects, this host's first and marked.
fn dialects(ui: &Ui, here: Dialect, shown: Dialect, turn: &Callback<Dialect>) -> Html {
    let button = |dialect: Dialect| {
        let name = if dialect == Dialect::V1 { "explain-v1" } else { "explain-v2" };
        html! {
            <button key={name} type="button" data-test={name} aria-pressed={(dialect == shown).to_string()}
                onclick={turn.reform(move |_: MouseEvent| dialect)}>{words::tab(ui.lang, dialect, dialect == here)}</button>
        }
    };
    html! {
        <div class="explain-dialects" role="group" aria-label={words::words(ui.lang).dialects}>
            {button(here)}{button(other(here))}
        </div>
    }
}

/// The script of everything that was asked of the machine.
fn whole(
    ui: &Ui,
    log: &Rc<Log>,
    told: &Told,
    here: Dialect,
    shown: Dialect,
    copy: &Callback<String>,
) -> Html {
    let t = words::words(ui.lang);
    let Some(machine) = machine_of(told).filter(|id| log.place(*id).is_some()) else {
        return Html::default();
    };
    let is_done = |told: &&Rc<Told>| matches!(told.answer, Answer::Done { .. });
    let count = log.of(machine).filter(is_done).count();
    let (lang, log) = (ui.lang, Rc::clone(log));
    let onclick = copy.reform(move |_: MouseEvent| {
        let actions: Vec<Action<'_>> = log.of(machine).map(|told| action(told)).collect();
        with(&log, machine, here, |setting| {
            said(lang, |words| script(setting, &actions, shown, words))
        })
        .unwrap_or_default()
    });
    html! {
        <section class="explain-all" aria-labelledby="explain-all" key="all">
            <h3 id="explain-all">{t.all}</h3>
            <p class="muted">{words::actions(ui.lang, count)}{" · "}{words::tab(ui.lang, shown, shown == here)}</p>
            <p>{t.all_note}</p>
            <button type="button" data-test="copy-all" disabled={count == 0} {onclick}>{t.copy_all}</button>
        </section>
    }
}

/// The shell lines of one action; `None` when it was not done, or nothing is known of its machine.
fn lines(ui: &Ui, log: &Log, told: &Told, here: Dialect, shown: Dialect) -> Option<String> {
    let is_done = matches!(told.answer, Answer::Done { .. });
    let machine = machine_of(told).filter(|_| is_done)?;
    with(log, machine, here, |setting| {
        said(ui.lang, |words| single(setting, &action(told), shown, words))
    })
}

fn action(told: &Told) -> Action<'_> {
    Action { command: &told.command, answer: &told.answer }
}

fn with<T>(
    log: &Log,
    machine: vitrine_shared::id::MachineId,
    here: Dialect,
    make: impl FnOnce(&Setting<'_>) -> T,
) -> Option<T> {
    let place = log.place(machine)?;
    Some(make(&Setting {
        cgroup_path: &place.cgroup_path,
        uid_base: place.uid_base,
        containers: &place.containers,
        here,
    }))
}

/// Gives the reader's words for comments.
fn said<T>(lang: Lang, make: impl FnOnce(&Words<'_>) -> T) -> T {
    let note = |note: &Note| words::note(lang, note);
    let asked = |command: &Command| happening::asked(lang, command);
    make(&Words { note: &note, asked: &asked })
}

fn answered(ui: &Ui, told: &Told) -> Html {
    match &told.answer {
        Answer::Done { deeds, .. } if deeds.is_empty() => {
            html! { <p class="muted">{words::words(ui.lang).nothing}</p> }
        }
        Answer::Done { deeds, .. } => done(ui, deeds),
        Answer::Refused { reason, hint } => {
            let (reason, hint) = (reason.clone(), hint.clone());
            trouble(ui, &Trouble::Refused { reason, hint })
        }
        Answer::Failed { step, what, errno, .. } => {
            let (step, what, errno) = (*step, what.clone(), errno.clone());
            trouble(ui, &Trouble::Failed { step, what, errno })
        }
    }
}

fn trouble(ui: &Ui, trouble: &Trouble) -> Html {
    let said = refusal::trouble(ui.lang, trouble);
    html! {
        <div class="trouble">
            <p><span aria-hidden="true">{"✕ "}</span>{said.what}</p>
            <p class="todo" hidden={said.todo.is_empty()}>{said.todo}</p>
        </div>
    }
}

/// What was done, in order: the calls, and the files with what they said before and say now.
fn done(ui: &Ui, deeds: &[Deed]) -> Html {
    let t = words::words(ui.lang);
    let calls: Vec<&String> = deeds
        .iter()
        .filter_map(|deed| match &deed.act {
            Act::Syscall { call } => Some(call),
            Act::Wrote { .. } => None,
        })
        .collect();
    let files: Vec<(&String, &String, &String)> = deeds
        .iter()
        .filter_map(|deed| match &deed.act {
            Act::Wrote { path, old, new } => Some((path, old, new)),
            Act::Syscall { .. } => None,
        })
        .collect();
    html! {
        <>
            <section hidden={calls.is_empty()} aria-labelledby="explain-calls" data-test="explain-calls">
                <h3 id="explain-calls">{t.calls}</h3>
                <ol class="deeds">{for calls.iter().enumerate().map(|(at, call)| html! {
                    <li key={at}><code class="call">{*call}</code></li>
                })}</ol>
            </section>
            <section hidden={files.is_empty()} aria-labelledby="explain-files" data-test="explain-files">
                <h3 id="explain-files">{t.files}</h3>
                <ol class="deeds">{for files.iter().enumerate().map(|(at, (path, old, new))| html! {
                    <li key={at}><code class="path" title={(*path).clone()}>{file(path)}</code>{" "}{change(ui, old, new)}</li>
                })}</ol>
            </section>
        </>
    }
}

#[derive(Properties, PartialEq)]
struct CopiedProps {
    copied: Option<Copied>,
}

/// Says what came of copying; a text that the browser did not take is shown, and selected.
#[component]
fn CopiedNote(props: &CopiedProps) -> Html {
    let ui = use_ui();
    let t = words::words(ui.lang);
    let area = use_node_ref();
    {
        let area = area.clone();
        use_effect_with(props.copied.clone(), move |_| {
            if let Some(area) =
                area.get().and_then(|node| node.dyn_into::<HtmlTextAreaElement>().ok())
            {
                // Focus can fail only for an element that is gone.
                let _ = area.focus();
                area.select();
            }
        });
    }
    html! {
        <div class="explain-copied">
            <p role="status" data-test="copied">{match &props.copied {
                None => "",
                Some(Copied::Yes) => t.copied,
                Some(Copied::No(_)) => t.not_copied,
            }}</p>
            {match &props.copied {
                Some(Copied::No(text)) => html! {
                    <textarea ref={area} readonly=true rows="8" aria-label={t.script_label} data-test="by-hand" value={text.clone()} />
                },
                _ => Html::default(),
            }}
        </div>
    }
}
