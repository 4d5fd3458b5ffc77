//! What a container is told beside what it has, and limits for one that has none.

use vitrine_shared::cgroup::{GroupId, Knob};
use vitrine_shared::message::Command;
use vitrine_shared::truth::{ProcView, Who};
use yew::prelude::*;

use super::super::parts::TroubleText;
use super::{Columns, Props, time};
use crate::format;
use crate::kinds::is_machine_shell;
use crate::place::Place;
use crate::text::truth as words;
use crate::truth::{Bound, Said, Told};
use crate::ui::{Ui, use_desk};

/// Half a CPU.
const CPU: Knob = Knob::CpuMax { quota_usec: Some(50_000), period_usec: 100_000 };
/// Enough for a shell and what is run here.
const MEMORY: Knob = Knob::MemoryMax(Some(64 << 20));

/// The table, and the button.
pub(super) fn facts(ui: &Ui, props: &Props, columns: Columns) -> Html {
    let t = words::words(ui.lang);
    let has = &props.has;
    let told = |view: ProcView| (view, Told::of(&props.readings, props.container.id, view));
    let before = told(ProcView::Host);
    let after = columns.other.map(told);
    let by = |bound: Option<&Bound>| match bound.map(|bound| bound.path.as_str()) {
        None => String::new(),
        Some("") => t.the_cap.into(),
        Some(path) => path.into(),
    };
    let share = has.cpu.as_ref().map(|bound| words::share(ui.lang, bound.value));
    let cpu = words::on_cpus(ui.lang, share.as_deref().unwrap_or(t.no_limit), &has.cpus);
    let memory = has.memory.as_ref();
    let bytes = memory.map_or_else(|| t.no_limit.into(), |bound| format::bytes(bound.value));
    let since = words::since(ui.lang, &time(props.container.born_msec));
    type Pick = fn(&Told) -> Option<&Said>;
    let rows: [(&'static str, Pick, String, String); 3] = [
        (t.cpus, |told| told.cpus.as_ref(), cpu, by(has.cpu.as_ref())),
        (t.memory, |told| told.memory.as_ref(), bytes, by(memory)),
        (t.up, |told| told.up.as_ref(), since, t.birth.into()),
    ];
    html! {
        <div class="truth-facts">
            <div class="truth-scroll" tabindex="0" role="group" aria-label={t.caption}>
                <table data-test="truth-facts">
                    <thead><tr><td />
                        <th scope="col">{t.told}</th>
                        {after.is_some().then(|| html! { <th key="after" scope="col">{t.told_mended}</th> })}
                        <th scope="col">{t.has}</th><th scope="col">{t.by}</th>
                    </tr></thead>
                    <tbody>{for rows.into_iter().map(|(name, pick, has, by)| html! {
                        <tr key={name}>
                            <th scope="row">{name}</th>
                            {said(ui, props, &before, pick(&before.1))}
                            {after.as_ref().map(|after| said(ui, props, after, pick(&after.1)))}
                            <td class="truth-has">{has}</td>
                            <td class="muted">{by}</td>
                        </tr>
                    })}</tbody>
                </table>
            </div>
            {(!is_machine_shell(&props.container)).then(|| html! { <LimitIt key="limit" machine={props.machine}
                group={props.group} is_limited={has.is_limited} may_ask={props.may_ask} /> })}
            <TroubleText place={Place::Quota(props.group)} trouble={props.limit_trouble.clone()} />
        </div>
    }
}

/// What it is told, and by whom.
fn said(ui: &Ui, props: &Props, (view, _): &(ProcView, Told), said: Option<&Said>) -> Html {
    let t = words::words(ui.lang);
    let Some(Said { text, probe, source }) = said else {
        return html! { <td class="muted">{t.not_read}</td> };
    };
    let who = source.who(*view, props.own_pids());
    let text = match (probe, text.parse::<u64>()) {
        (vitrine_shared::truth::Probe::Free, Ok(kib)) => format::bytes(kib.saturating_mul(1_024)),
        _ => text.clone(),
    };
    let class = classes!("num", super::outputs::class_of(*source, who));
    let whose = words::whose(ui.lang, *source, who);
    let title = format!("{}: {}, {whose}", probe.line(), source.name());
    html! {
        <td><mark {class} {title}>{text}</mark>
            <span class={classes!("truth-by", (who == Who::Host).then_some("is-bad"))}>{source.name()}</span></td>
    }
}

/// What [`LimitIt`] limits.
#[derive(Properties, PartialEq)]
struct LimitProps {
    machine: vitrine_shared::id::MachineId,
    group: GroupId,
    is_limited: bool,
    may_ask: bool,
}

/// Gives limits to a container that has none: without them there is little to see.
#[component]
fn LimitIt(props: &LimitProps) -> Html {
    let (ui, desk) = (crate::ui::use_ui(), use_desk());
    let t = words::words(ui.lang);
    let (machine, group) = (props.machine, props.group);
    let onclick = Callback::from(move |_: MouseEvent| {
        for knob in [CPU, MEMORY] {
            desk.send.emit(Command::SetKnob { machine, group, knob });
        }
    });
    html! {
        <div class="truth-limit" hidden={props.is_limited}>
            <p class="muted">{t.unlimited}</p>
            <button type="button" data-test="truth-limit" {onclick} disabled={!props.may_ask}>{t.limit_it}</button>
        </div>
    }
}
