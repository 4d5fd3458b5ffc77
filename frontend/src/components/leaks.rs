//! What a container hides and what still leaks, row by row with the two outputs as evidence, and
//! the nine switches with which it can be started anew.

mod evidence;
mod switches;

use std::rc::Rc;

use vitrine_shared::leaks::{Finding, Row, Verdict};
use vitrine_shared::message::{Container, Machine};
use vitrine_shared::namespace::{Namespace, NamespaceSet};
use yew::prelude::*;

use super::asking::use_asking;
use super::parts::{TroubleText, letter};
use crate::kinds::is_machine_shell;
use crate::leaks::{Inodes, before, can_be_asked, found, inodes, own, questions};
use crate::lens::Scene;
use crate::place::{Place, Trouble};
use crate::readings::Readings;
use crate::text::leaks as words;
use crate::ui::{Ui, use_ui};

/// The lens of the container that is looked at; in the forge without the switches, which are there
/// already.
pub(crate) fn leaks(scene: &Scene<'_>, with_switches: bool) -> Html {
    let (ui, state) = (scene.ui, scene.state);
    let t = words::words(ui.lang);
    let Some((container, machine)) = state.container().zip(state.machine()) else {
        return html! { <p key="none" class="muted">{ui.lab().waiting_for_sample}</p> };
    };
    let why = match container {
        _ if !state.may_change() => Some(t.not_allowed),
        shell if is_machine_shell(shell) => Some(t.shell),
        _ => None,
    };
    if let Some(why) = why {
        return html! { <p key="none" class="muted leaks-none">{why}</p> };
    }
    let processes = state.sample.as_ref().map(|sample| sample.processes.as_slice());
    let inodes = inodes(processes.unwrap_or_default(), machine, container);
    html! {
        <Leaks key={container.id.to_string()} machine={machine.clone()} container={container.clone()}
            {inodes} readings={state.readings.clone()} may_ask={state.may_ask()} {with_switches}
            starting={state.is_starting()} trouble={state.troubles.get(&Place::Start).cloned()} />
    }
}

/// What the lens shows.
#[derive(Properties, PartialEq)]
struct Props {
    machine: Rc<Machine>,
    container: Container,
    inodes: Option<Inodes>,
    readings: Rc<Readings>,
    may_ask: bool,
    with_switches: bool,
    starting: bool,
    trouble: Option<Trouble>,
}

#[component]
fn Leaks(props: &Props) -> Html {
    let ui = use_ui();
    let t = words::words(ui.lang);
    let asking = use_asking(props.machine.id, props.readings.answered);
    let spec = &props.container.spec;
    let choice = use_state_eq(|| (spec.namespaces, spec.remount_proc));
    let may = props.may_ask && can_be_asked(&props.container);
    let all = {
        let questions = questions(&props.container);
        asking.ask.reform(move |()| questions.clone())
    };
    {
        let all = all.clone();
        // Whatever stands there already: the machine may have changed.
        use_effect_with(may, move |may| {
            if *may {
                all.emit(());
            }
        });
    }
    let own = own(props.inodes.as_ref(), spec);
    let verdict = |row| found(&props.readings, &props.container, own, row);
    let earlier = before(&props.readings, &props.machine, &props.container);
    let was = |row: Row| {
        let earlier = earlier?;
        // It may have ended, and its inodes with it.
        let finding = found(&props.readings, earlier, earlier.spec.namespaces, row)?;
        Some((earlier.name.clone(), finding.verdict))
    };
    let count = |leak: bool| {
        let found = Row::ALL.into_iter().filter_map(verdict);
        found.filter(|finding| (finding.verdict == Verdict::Leaks) == leak).count()
    };
    let status = match asking.to_come {
        _ if !can_be_asked(&props.container) => t.ended.into(),
        0 => words::summary(ui.lang, &props.container.name, count(false), count(true)),
        left => words::to_come(ui.lang, left),
    };
    html! {
        <section class="leaks" aria-labelledby="leaks-title" data-test="leaks">
            <h2 id="leaks-title" class={props.with_switches.then_some("visually-hidden")}>{t.caption}</h2>
            <p class="muted">{t.lead}</p>
            <div class="truth-tools">
                <button type="button" data-test="leaks-again" onclick={all.reform(|_: MouseEvent| ())}
                    disabled={!may || asking.to_come > 0}>{t.again}</button>
                <p role="status" data-test="leaks-status">{status}</p>
            </div>
            <ul class="leak-rows">
                {for Row::ALL.into_iter().map(|row| html! {
                    <li key={format!("{row:?}")} class="leak-row" data-test={format!("leak-{}", name_of(row))}>
                        {line(&ui, props, row, verdict(row), was(row))}
                        {props.with_switches.then(|| switches::of_row(&ui, row, &choice, may))}
                    </li>
                })}
            </ul>
            {props.with_switches.then(|| switches::start(&ui, props, &choice, may))}
            <TroubleText place={Place::Start} trouble={props.trouble.clone()} />
            <p class="muted">{t.no_flag}</p>
        </section>
    }
}

/// What tests and the style sheet know a row by: the flag's name.
fn name_of(row: Row) -> &'static str {
    row.namespace().option()
}

/// A row: what came of it, what it was before, and, opened, the evidence.
fn line(
    ui: &Ui,
    props: &Props,
    row: Row,
    finding: Option<Finding>,
    was: Option<(String, Verdict)>,
) -> Html {
    let t = words::words(ui.lang);
    let verdict = finding.map(|finding| finding.verdict);
    let class = |verdict| match verdict {
        Some(Verdict::Hidden) => "is-hidden",
        Some(Verdict::Alike) => "is-alike",
        Some(Verdict::Leaks) => "is-leak",
        None => "is-unknown",
    };
    let changed = was.as_ref().is_some_and(|(_, was)| Some(*was) != verdict);
    html! {
        <details class="leak">
            <summary>
                <span class={classes!("leak-sign", class(verdict))} aria-hidden="true">{verdict.map_or("?", words::sign)}</span>
                <span class="leak-name">{words::row(ui.lang, row)}</span>
                <span class={classes!("leak-verdict", class(verdict))} data-verdict={verdict.map(|v| format!("{v:?}"))}>
                    {verdict.map_or(t.unknown, |verdict| words::short(ui.lang, verdict))}</span>
                {was.map(|(name, was)| html! {
                    <span class={classes!("leak-was", "muted", changed.then_some("is-changed"))}>
                        {words::was(ui.lang, &name, was)}</span>
                })}
            </summary>
            <p>{verdict.map_or(t.no_answer, |verdict| words::long(ui.lang, row, verdict))}
                {finding.filter(|finding| finding.by_view).map(|_| html! { <>{" "}{t.by_view}</> })}</p>
            <p class="leak-decides">{t.decides}{" "}{letter(row.namespace())}{" "}<code>{row.namespace().flag_name()}</code>
                {(row == Row::Processes).then(|| html! { <>{" "}{t.and_proc}</> })}
                {": "}{flags(ui, props, row)}</p>
            {evidence::evidence(ui, props, row)}
        </details>
    }
}

/// How the deciding flags of a row are set.
fn flags(ui: &Ui, props: &Props, row: Row) -> String {
    let t = words::words(ui.lang);
    let spec = &props.container.spec;
    let word = |on: bool| if on { t.on } else { t.off };
    let flag = word(spec.namespaces.has(row.namespace()));
    match row {
        Row::Processes => format!("{flag}, {}", word(spec.remount_proc)),
        _ => flag.into(),
    }
}

/// Which namespaces are to be new, and whether `/proc` is to be its own.
type Choice = UseStateHandle<(NamespaceSet, bool)>;

/// Is `/proc` remounted with this choice?
fn remounts((namespaces, remount): (NamespaceSet, bool)) -> bool {
    remount && namespaces.has(Namespace::Mount)
}
