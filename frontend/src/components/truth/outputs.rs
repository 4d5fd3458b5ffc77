//! What the commands printed, each number with its source; the same as a table.

use std::rc::Rc;

use vitrine_shared::message::StepName;
use vitrine_shared::truth::{Probe, ProcView, Source, Who};
use yew::prelude::*;

use super::super::parts::shell_line;
use super::{Columns, Lit, Props, time};
use crate::place::Trouble;
use crate::readings::Reading;
use crate::text::{refusal, truth as words};
use crate::truth::{Piece, letter, pieces, sources};
use crate::ui::Ui;

/// How a number is drawn: whose it is, and whether a file could mend it.
pub(super) fn class_of(source: Source, who: Who) -> &'static str {
    match who {
        Who::Host if source.is_file() => "is-host",
        Who::Host => "is-kernel",
        Who::Own | Who::Lxcfs => "is-mended",
        Who::Machine | Who::Container => "is-own",
    }
}

fn is_missing(props: &Props, probe: Probe) -> bool {
    let trouble = props.readings.trouble(props.container.id, probe);
    let no_program = |trouble: &Trouble| matches!(trouble, Trouble::Failed { step: StepName::Execve, errno, .. } if errno == "ENOENT");
    trouble.is_some_and(no_program)
}

/// The outputs, one above the other, before and after beside each other.
pub(super) fn outputs(
    ui: &Ui,
    props: &Props,
    columns: Columns,
    lit: Lit,
    light: &Callback<Lit>,
) -> Html {
    let t = words::words(ui.lang);
    let (missing, there): (Vec<Probe>, Vec<Probe>) =
        Probe::NUMBERS.into_iter().partition(|probe| is_missing(props, *probe));
    let missing: Vec<&str> = missing.iter().map(|probe| probe.argv()[0]).collect();
    let past = (!columns.in_force).then(|| format!(" ({})", t.past));
    html! {
        <div class={classes!("truth-outputs", columns.other.is_some().then_some("has-two"))}>
            <div class="truth-heads" aria-hidden="true" hidden={columns.other.is_none()}>
                <p>{t.before}</p>
                <p>{columns.other.map(|view| words::after(ui.lang, view))}<span class="muted">{past}</span></p>
            </div>
            <ul class="truth-list">
                {for there.into_iter().map(|probe| html! {
                    <li key={format!("{probe:?}")}>{both(ui, props, columns, probe, lit, light)}</li>
                })}
            </ul>
            <p class="muted" hidden={missing.is_empty()} data-test="truth-missing">
                {t.missing}{" "}<code>{missing.join(" ")}</code>{". "}{t.missing_add}
            </p>
        </div>
    }
}

fn both(
    ui: &Ui,
    props: &Props,
    columns: Columns,
    probe: Probe,
    lit: Lit,
    light: &Callback<Lit>,
) -> Html {
    let t = words::words(ui.lang);
    let id = props.container.id;
    let block = |view, none| match props.readings.of(id, probe, view) {
        Some(reading) => one(ui, props, probe, view, reading, lit, light),
        None => html! { <p class="muted truth-none">{none}</p> },
    };
    let trouble =
        props.readings.trouble(id, probe).map(|trouble| refusal::trouble(ui.lang, trouble));
    html! {
        <section class="truth-both" aria-label={probe.line()} data-test={format!("truth-{}", format!("{probe:?}").to_lowercase())}>
            <h3><code>{"$ "}{probe.line()}</code></h3>
            <div class="trouble" role="alert" hidden={trouble.is_none()}>
                {trouble.map(|said| html! { <p><span class="cross" aria-hidden="true">{"✕ "}</span>{said.what}{" "}{said.todo}</p> })}
            </div>
            <div class="truth-pair">
                {block(ProcView::Host, if columns.in_force { t.before_none } else { t.after_none })}
                {columns.other.map(|view| block(view, t.after_none))}
            </div>
        </section>
    }
}

/// One output: its numbers outlined, and under it where they come from.
fn one(
    ui: &Ui,
    props: &Props,
    probe: Probe,
    view: ProcView,
    reading: &Rc<Reading>,
    lit: Lit,
    light: &Callback<Lit>,
) -> Html {
    let t = words::words(ui.lang);
    let output = &reading.output;
    let who = |source: Source| source.who(view, props.own_pids());
    let ended = match output.status {
        124 => Some(t.too_slow),
        137 => Some(t.killed),
        _ => None,
    };
    let name = words::view(ui.lang, view);
    html! {
        <figure class="truth-one" data-view={format!("{view:?}").to_lowercase()}>
            <pre tabindex="0" aria-label={format!("{} ({name})", probe.line())}>
                {for pieces(probe, output).into_iter().enumerate().map(|(at, piece)| {
                    let text = output.text.get(piece.at.clone()).unwrap_or_default();
                    let shown = piece.source.map(|source| number(ui, &piece, source, who(source), text, lit == Some((probe, source))));
                    html! { <span key={at}>{shown.unwrap_or_else(|| text.into())}</span> }
                })}
            </pre>
            <figcaption>
                <p class="muted">{words::read_at(ui.lang, &time(output.at_msec))}
                    {ended.map(|ended| html! { <span class="is-bad">{" · "}{ended}</span> })}
                    {output.cut.then(|| html! { <span>{" · "}{t.cut}</span> })}</p>
                <ul class="truth-sources" aria-label={t.sources}>
                    {for sources(probe, output).into_iter().map(|(source, numbers)| {
                        let is_lit = lit == Some((probe, source));
                        html! {
                            <li key={source.name()}>
                                <button type="button" class="plain" aria-pressed={is_lit.to_string()}
                                    title={words::numbers(ui.lang, numbers.len())}
                                    onclick={light.reform(move |_: MouseEvent| Some((probe, source)))}>
                                    <span class={classes!("num", class_of(source, who(source)))}>{letter(source)}</span>
                                    {" "}<code>{source.name()}</code>{" — "}{words::whose(ui.lang, source, who(source))}
                                </button>
                            </li>
                        }
                    })}
                </ul>
            </figcaption>
        </figure>
    }
}

fn number(ui: &Ui, piece: &Piece, source: Source, who: Who, text: &str, is_lit: bool) -> Html {
    let class = classes!("num", class_of(source, who), is_lit.then_some("is-lit"));
    let title = format!("{}: {}", source.name(), words::whose(ui.lang, source, who));
    let key = piece.is_first.then(|| letter(source).to_string());
    html! { <mark {class} {title} data-key={key}>{text.to_string()}</mark> }
}

/// The same for who cannot see outlines: a line for each source of each command.
pub(super) fn table(ui: &Ui, props: &Props, columns: Columns) -> Html {
    let t = words::words(ui.lang);
    let id = props.container.id;
    let numbers = |probe, view, source| {
        let reading = props.readings.of(id, probe, view);
        let found = reading.map(|reading| sources(probe, &reading.output)).unwrap_or_default();
        let found = found.into_iter().find(|(one, _)| *one == source);
        found.map(|(_, numbers)| numbers.join(" ")).unwrap_or_default()
    };
    let views = [Some(ProcView::Host), columns.other];
    let found = |probe| {
        let known = |source: &Source| {
            views.iter().flatten().any(|view| !numbers(probe, *view, *source).is_empty())
        };
        Source::ALL.into_iter().filter(known).map(move |source| (probe, source)).collect::<Vec<_>>()
    };
    let now = columns.now();
    html! {
        <details class="truth-table">
            <summary>{t.table}</summary>
            <div class="truth-scroll" tabindex="0" role="group" aria-label={t.sources}>
                <table data-test="truth-table">
                    <thead><tr>
                        {for [t.command, t.source, t.whose, t.numbers_before].into_iter().map(|head| html! { <th key={head} scope="col">{head}</th> })}
                        {columns.other.map(|_| html! { <th key="after" scope="col">{t.numbers_after}</th> })}
                    </tr></thead>
                    <tbody>{for Probe::NUMBERS.into_iter().flat_map(found).map(|(probe, source)| html! {
                        <tr key={format!("{probe:?} {source:?}")}>
                            <th scope="row"><code>{probe.line()}</code></th>
                            <td><code>{source.name()}</code></td>
                            <td>{words::whose(ui.lang, source, source.who(now, props.own_pids()))}</td>
                            <td>{numbers(probe, ProcView::Host, source)}</td>
                            {columns.other.map(|view| html! { <td key="after">{numbers(probe, view, source)}</td> })}
                        </tr>
                    })}</tbody>
                </table>
            </div>
            <p>{t.by_hand}</p>
            {props.readings.of(id, Probe::Free, now).map(|reading| shell_line(&reading.shell))}
        </details>
    }
}
