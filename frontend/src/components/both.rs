//! One line, typed once and run in both: in the machine and in the container, side by side as the
//! two eyes are.

use std::rc::Rc;

use vitrine_shared::id::MachineId;
use vitrine_shared::message::{Answer, Command, Container, Made};
use vitrine_shared::truth::Output;
use yew::prelude::*;

use super::parts::TroubleText;
use crate::both::{Line, SHOWN, Typed, marked};
use crate::kinds::{is_machine_shell, is_running};
use crate::lens::Scene;
use crate::place::{Place, Trouble};
use crate::state::Told;
use crate::text::both as words;
use crate::ui::{Ui, input_text, use_desk, use_ui};

/// What is worth comparing.
const EXAMPLES: [&str; 6] = ["ps", "hostname", "id", "ip addr", "mount", "cat /proc/self/cgroup"];

/// The line that is run in the container that is looked at, and in its machine.
pub(crate) fn both(scene: &Scene<'_>) -> Html {
    let state = scene.state;
    let (Some(machine), Some(container)) = (state.focus, state.container()) else {
        return html! { <p key="none"></p> };
    };
    let of_it = |told: &&Rc<Told>| matches!(told.command, Command::RunBoth { container: of, .. } if of == container.id);
    let is_one = |command: &Command| matches!(command, Command::RunBoth { .. });
    html! {
        <Both key={container.id.to_string()} {machine} container={container.clone()}
            told={state.both.as_ref().filter(of_it).cloned()} may={state.may_ask()}
            waits={state.pending.values().any(is_one)} trouble={state.troubles.get(&Place::Both).cloned()} />
    }
}

/// What it shows.
#[derive(Properties, PartialEq)]
struct Props {
    machine: MachineId,
    container: Container,
    told: Option<Rc<Told>>,
    may: bool,
    waits: bool,
    trouble: Option<Trouble>,
}

#[component]
fn Both(props: &Props) -> Html {
    let (ui, desk) = (use_ui(), use_desk());
    let t = words::words(ui.lang);
    let line = use_state_eq(String::new);
    let typed = use_mut_ref(Typed::default);
    let (machine, container) = (props.machine, props.container.id);
    let why_not = why_not(props, t);
    let may = why_not.is_none() && !props.waits;
    let run = {
        let (line, typed, send) = (line.clone(), Rc::clone(&typed), desk.send.clone());
        Callback::from(move |text: String| {
            line.set(text.clone());
            if may && !text.trim().is_empty() {
                typed.borrow_mut().keep(&text);
                send.emit(Command::RunBoth { machine, container, line: text });
            }
        })
    };
    let submit = {
        let (line, run) = (line.clone(), run.clone());
        Callback::from(move |event: SubmitEvent| {
            event.prevent_default();
            run.emit((*line).clone());
        })
    };
    let input = {
        let line = line.clone();
        Callback::from(move |event: InputEvent| line.set(input_text(&event)))
    };
    let press = {
        let line = line.clone();
        Callback::from(move |event: KeyboardEvent| {
            let mut typed = typed.borrow_mut();
            let found = match event.key().as_str() {
                "ArrowUp" => typed.before(),
                "ArrowDown" => typed.after(),
                _ => return,
            };
            event.prevent_default();
            if let Some(found) = found {
                line.set(found.into());
            }
        })
    };
    let outputs = props.told.as_deref().and_then(outputs);
    html! {
        <section class="both" aria-labelledby="both-title" data-test="both">
            <h2 id="both-title" class="visually-hidden">{t.title}</h2>
            <form class="both-form" onsubmit={submit}>
                <label class="both-field"><span class="visually-hidden">{t.line}</span>
                    <span class="both-prompt" aria-hidden="true">{"#"}</span>
                    <input type="text" data-test="both-line" value={(*line).clone()} oninput={input} onkeydown={press}
                        autocomplete="off" autocapitalize="off" spellcheck="false" maxlength="4000"
                        disabled={why_not.is_some()} aria-describedby="both-note" />
                </label>
                <button type="submit" data-test="both-run" disabled={!may}>{t.run}</button>
                <span class="both-examples" role="group" aria-label={t.examples}>
                    {for EXAMPLES.into_iter().map(|example| html! {
                        <button key={example} type="button" class="plain" disabled={!may}
                            onclick={run.reform(move |_: MouseEvent| example.to_string())}><code>{example}</code></button>
                    })}
                </span>
            </form>
            <TroubleText place={Place::Both} trouble={props.trouble.clone()} />
            <p class="muted" id="both-note">{why_not.unwrap_or(t.outside_note)}</p>
            <p class="both-said" role="status" data-test="both-said">{said(&ui, props, outputs)}</p>
            {outputs.map(|outputs| sides(&ui, outputs))}
        </section>
    }
}

/// Why nothing can be run.
fn why_not(props: &Props, t: &'static words::Text) -> Option<&'static str> {
    if is_machine_shell(&props.container) {
        Some(t.of_shell)
    } else if !is_running(&props.container) {
        Some(t.has_ended)
    } else {
        (!props.may).then_some(t.may_not)
    }
}

/// What an answer carries: inside, then outside.
fn outputs(told: &Told) -> Option<(&str, [&Output; 2])> {
    match (&told.command, &told.answer) {
        (
            Command::RunBoth { line, .. },
            Answer::Done { made: Some(Made::Both { inside, outside }), .. },
        ) => Some((line, [inside, outside])),
        _ => None,
    }
}

/// In a sentence, for who listens and for who looks.
fn said(ui: &Ui, props: &Props, outputs: Option<(&str, [&Output; 2])>) -> Html {
    let t = words::words(ui.lang);
    if props.waits {
        return html! { {t.running} };
    }
    let Some((line, [inside, outside])) = outputs else { return Html::default() };
    let only = |mine: &Output, other: &Output| {
        marked(&mine.text, &other.text).iter().filter(|line| line.only).count()
    };
    let text = match (only(inside, outside), only(outside, inside)) {
        (0, 0) if inside.text.is_empty() => t.neither.into(),
        (0, 0) => t.same.into(),
        (inside, outside) => words::summary(ui.lang, inside, outside),
    };
    html! { <><code>{line}</code>{" · "}{text}</> }
}

/// Both outputs, the machine's where the host's eye is.
fn sides(ui: &Ui, (line, [inside, outside]): (&str, [&Output; 2])) -> Html {
    let t = words::words(ui.lang);
    html! {
        <div class="both-sides">
            {side(ui, ("outside", t.outside), line, outside, inside)}
            {side(ui, ("inside", t.inside), line, inside, outside)}
        </div>
    }
}

fn side(
    ui: &Ui,
    (name, title): (&'static str, &'static str),
    line: &str,
    mine: &Output,
    other: &Output,
) -> Html {
    let t = words::words(ui.lang);
    let lines = marked(&mine.text, &other.text);
    let more = lines.len().saturating_sub(SHOWN);
    html! {
        <div class={classes!("both-side", format!("is-{name}"))} data-test={format!("both-{name}")}>
            <h3>{title}</h3>
            // A region that scrolls must be reachable by keyboard.
            <div class="both-scroll" tabindex="0" role="group" aria-label={format!("{title}: {line}")}>
                <ol class="both-lines">{for lines.iter().take(SHOWN).enumerate().map(|(at, line)| row(t, at, line))}</ol>
                <p class="muted" hidden={!lines.is_empty()}>{t.nothing}</p>
            </div>
            <p class="muted" hidden={more == 0}>{words::more(ui.lang, more)}</p>
            <p class="refused" hidden={!mine.cut}><span aria-hidden="true">{"✂ "}</span>{words::cut(ui.lang)}</p>
            <p class={if mine.status == 0 { "muted" } else { "refused" }} data-test="both-status">
                <span aria-hidden="true">{if mine.status == 0 { "✓ " } else { "✕ " }}</span>{words::status(ui.lang, mine.status)}</p>
        </div>
    }
}

fn row(t: &'static words::Text, at: usize, line: &Line) -> Html {
    html! {
        <li key={at} class={line.only.then_some("is-only")}>
            <span class="both-mark" aria-hidden="true">{if line.only { "≠" } else { " " }}</span>
            <code>{&line.text}</code>
            {line.only.then(|| html! { <span class="visually-hidden">{" "}{t.only_here}</span> })}
        </li>
    }
}
