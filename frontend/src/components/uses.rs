//! Memory, processes and devices of one group: the last minute of each, its limits, and what it
//! met at them.

mod charts;
mod limit;

use std::rc::Rc;

use vitrine_shared::cgroup::{GroupId, Knob};
use vitrine_shared::focus::{Focus, Look};
use vitrine_shared::id::{ContainerId, MachineId};
use vitrine_shared::message::{Command, FeedEntry, Happening};
use vitrine_shared::uses::UseSample;
use yew::prelude::*;

use self::charts::{io_chart, memory_chart, pids_chart};
use self::limit::LimitField;
use super::figure::use_width;
use super::parts::TroubleText;
use crate::kinds::{group_of, is_running};
use crate::lens::Scene;
use crate::place::{Place, Trouble};
use crate::text::{happening, uses as words};
use crate::ui::{Ui, use_desk, use_ui};
use crate::uses::{Track, What, busiest, marks};

/// Holds 64 MiB for ten seconds: dd has read them and may not write them yet.
const EATER: &str = "dd if=/dev/zero bs=64M count=1 2>/dev/null | (sleep 10; cat >/dev/null)";
/// Asks for 200 processes until one is refused; those that it got end after five seconds.
///
/// `xargs` waits for them: whom nobody waits for goes on being counted. (A shell for which a fork is
/// refused either leaves them behind, or, with `-i` and no terminal, tries again without end.)
const BOMB: &str = "seq 200 | xargs -P 200 -n 1 sh -c 'sleep 5' >/dev/null 2>&1";
const MIB: u64 = 1 << 20;
const KIB: u64 = 1 << 10;
/// Lines of what was met.
const MET_SHOWN: usize = 5;

/// The lens of the group that is looked at.
pub(crate) fn uses(scene: &Scene<'_>) -> Html {
    let (ui, state) = (scene.ui, scene.state);
    let t = words::words(ui.lang);
    let Some((group, machine)) = scene.group.zip(state.focus) else {
        return html! { <p key="none" class="muted">{t.waiting}</p> };
    };
    if !state.may_change() {
        return html! { <p key="none" class="muted">{t.not_allowed}</p> };
    }
    let id = group.group;
    let container = state.container().filter(|one| is_running(one) && group_of(one) == id);
    let name = state.container().filter(|one| group_of(one) == id).map(|one| one.name.clone());
    let killed = |entry: &&FeedEntry| match &entry.what {
        Happening::OomKilled { name: of, .. } => *of == name.clone().unwrap_or_default(),
        _ => false,
    };
    let feed = state.feeds.get(&machine).map(|feed| feed.as_slice()).unwrap_or_default();
    let kills: Vec<FeedEntry> = feed.iter().filter(killed).rev().take(3).cloned().collect();
    let trouble = |place| state.troubles.get(&place).cloned();
    html! {
        <Uses key="uses" {machine} group={id} path={group.path.clone()} track={state.uses.clone()}
            pids_max={group.pids_max} {kills} container={container.map(|one| one.id)}
            may_change={state.may_ask() && id != GroupId::Cap} welcomes={state.welcomes}
            knob_trouble={trouble(Place::Quota(id))}
            exec_trouble={container.and_then(|one| trouble(Place::Exec(one.id)))} />
    }
}

/// What the lens shows.
#[derive(Properties, PartialEq)]
struct Props {
    machine: MachineId,
    group: GroupId,
    path: String,
    track: Rc<Track>,
    pids_max: Option<u64>,
    /// The latest kills in it, latest first.
    kills: Vec<FeedEntry>,
    /// The container whose group it is, while it runs.
    container: Option<ContainerId>,
    may_change: bool,
    welcomes: u32,
    knob_trouble: Option<Trouble>,
    exec_trouble: Option<Trouble>,
}

/// Which of the three is shown.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Tab {
    Memory,
    Pids,
    Io,
}

#[component]
fn Uses(props: &Props) -> Html {
    let (ui, desk) = (use_ui(), use_desk());
    let t = words::words(ui.lang);
    let tab = use_state_eq(|| Tab::Memory);
    let region = use_node_ref();
    let width = use_width(&region);
    let focus = Focus { machine: props.machine, group: props.group, look: Look::Use };
    {
        let send = desk.send.clone();
        use_effect_with((focus, props.welcomes), move |(focus, _)| {
            send.emit(Command::Focus { on: Some(*focus) });
            move || send.emit(Command::Focus { on: None })
        });
    }
    let is_ours = props.track.last().is_some_and(|last| last.focus == focus);
    let last = props.track.last().filter(|_| is_ours);
    let question = match *tab {
        Tab::Memory => t.memory_question,
        Tab::Pids => t.pids_question,
        Tab::Io => t.io_question,
    };
    let button = |this: Tab, name: &'static str, word: &'static str| {
        let to = tab.setter();
        let onclick = Callback::from(move |_: MouseEvent| to.set(this));
        html! {
            <button key={name} type="button" data-test={format!("use-{name}")} {onclick}
                aria-pressed={(*tab == this).to_string()}>{word}</button>
        }
    };
    let picture = match (last, *tab) {
        (None, _) => html! { <p key="none" class="muted">{t.waiting}</p> },
        (Some(last), Tab::Memory) => memory_chart(&ui, &props.track, last, width),
        (Some(last), Tab::Pids) => pids_chart(&ui, &props.track, last, width),
        (Some(last), Tab::Io) => io_chart(&ui, &props.track, last, width),
    };
    html! {
        <section class="uses" aria-labelledby="uses-title" data-test="uses">
            <div class="uses-head">
                <h2 id="uses-title">{question}</h2>
                <div class="uses-tabs" role="group" aria-label={t.tabs}>
                    {button(Tab::Memory, "memory", t.memory)}
                    {button(Tab::Pids, "pids", t.pids)}
                    {button(Tab::Io, "io", t.io)}
                </div>
            </div>
            <div class="uses-picture" ref={region}>{picture}</div>
            <div class="uses-limits">{limits(props, *tab, last, &ui)}</div>
            {tools(props, *tab, &ui)}
            <TroubleText place={Place::Quota(props.group)} trouble={props.knob_trouble.clone()} />
            {met(props, *tab, is_ours, &ui)}
        </section>
    }
}

/// The limits of what is shown, as fields.
fn limits(props: &Props, tab: Tab, last: Option<&UseSample>, ui: &Ui) -> Html {
    let t = words::words(ui.lang);
    let field = |name: &'static str, label: &'static str, short, unit, scale, value, knob| {
        html! {
            <LimitField key={name} {name} {label} {short} {unit} {scale} {value} {knob}
                machine={props.machine} group={props.group} may_change={props.may_change} />
        }
    };
    type Turn = Callback<Option<u64>, Knob>;
    match (tab, last) {
        (Tab::Memory, Some(UseSample { memory: Some(memory), .. })) => {
            let max: Turn = Callback::from(Knob::MemoryMax);
            let high: Turn = Callback::from(Knob::MemoryHigh);
            let has_high = memory.met_high.is_some();
            html! {
                <>
                    {field("memory-max", t.memory_field, t.max, "MiB", MIB, memory.max_bytes, max)}
                    {for has_high.then(|| field("memory-high", t.high_field, t.high, "MiB", MIB, memory.high_bytes, high))}
                </>
            }
        }
        (Tab::Pids, Some(UseSample { pids: Some(pids), .. })) => {
            field("pids-max", t.pids_field, t.max, "", 1, pids.max, Callback::from(Knob::PidsMax))
        }
        (Tab::Io, Some(sample)) => match busiest(sample).map(|device| device.limits) {
            Some(limits) => {
                let read: Turn = Callback::from(move |read_bps| {
                    Knob::IoMax(vitrine_shared::cgroup::IoMax { read_bps, ..limits })
                });
                let write: Turn = Callback::from(move |write_bps| {
                    Knob::IoMax(vitrine_shared::cgroup::IoMax { write_bps, ..limits })
                });
                html! {
                    <>
                        {field("read-max", t.read_field, t.read, "KiB/s", KIB, limits.read_bps, read)}
                        {field("write-max", t.write_field, t.written, "KiB/s", KIB, limits.write_bps, write)}
                    </>
                }
            }
            None => html! { <></> },
        },
        _ => html! { <></> },
    }
}

/// What makes it meet its limits: bounded, and ending by itself.
fn tools(props: &Props, tab: Tab, ui: &Ui) -> Html {
    let t = words::words(ui.lang);
    let (script, name, word, needs) = match tab {
        Tab::Memory => (EATER, "eat", t.eat, true),
        Tab::Pids => (BOMB, "bomb", t.bomb, props.pids_max.is_some()),
        Tab::Io => return html! { <div class="busy" hidden=true /> },
    };
    html! { <Tools {script} {name} {word} {needs} machine={props.machine} container={props.container}
    may_change={props.may_change} trouble={props.exec_trouble.clone()} /> }
}

#[derive(Properties, PartialEq)]
struct ToolProps {
    script: &'static str,
    name: &'static str,
    word: &'static str,
    needs: bool,
    machine: MachineId,
    container: Option<ContainerId>,
    may_change: bool,
    trouble: Option<Trouble>,
}

#[component]
fn Tools(props: &ToolProps) -> Html {
    let (ui, desk) = (use_ui(), use_desk());
    let t = words::words(ui.lang);
    let Some(container) = props.container else {
        return html! { <div class="busy" hidden=true /> };
    };
    let (machine, script) = (props.machine, props.script);
    let start = desk.send.reform(move |_: MouseEvent| Command::Exec {
        machine,
        container,
        argv: ["/bin/sh", "-c", script].map(String::from).to_vec(),
    });
    let stop = desk.send.reform(move |_: MouseEvent| Command::StopExecs { machine, container });
    html! {
        <div class="busy">
            <button type="button" data-test={props.name} onclick={start} title={script}
                disabled={!props.may_change || !props.needs}>{props.word}</button>
            <button type="button" class="plain" data-test="use-stop" onclick={stop}
                disabled={!props.may_change}>{t.stop}</button>
            <span class="muted" hidden={props.needs}>{t.bomb_needs}</span>
            <TroubleText place={Place::Exec(container)} trouble={props.trouble.clone()} />
        </div>
    }
}

/// What the group met: by its counters, and who was killed by the feed.
fn met(props: &Props, tab: Tab, is_ours: bool, ui: &Ui) -> Html {
    let t = words::words(ui.lang);
    let now = props.track.last().map_or(0, |last| last.at_nsec);
    let fits = |what: What| match tab {
        Tab::Memory => what != What::Refused,
        Tab::Pids => what == What::Refused,
        Tab::Io => false,
    };
    let all = if is_ours { marks(&props.track) } else { Vec::new() };
    let found: Vec<_> =
        all.into_iter().rev().filter(|mark| fits(mark.what)).take(MET_SHOWN).collect();
    let kills = if tab == Tab::Memory { props.kills.as_slice() } else { &[] };
    html! {
        <div class="uses-met" hidden={tab == Tab::Io}>
            <h3>{t.met}</h3>
            <p class="muted" hidden={!found.is_empty() || !kills.is_empty()}>{t.met_nothing}</p>
            <ul data-test="use-met">
                {for kills.iter().map(|entry| html! {
                    <li key={format!("kill {}", entry.seq)} class="refused">
                        <span aria-hidden="true">{"✕ "}</span>{happening::happening(ui.lang, &entry.what)}
                    </li>
                })}
                {for found.iter().map(|mark| {
                    let ago = now.saturating_sub(mark.at_nsec) / 1_000_000_000;
                    html! {
                        <li key={format!("{:?} {}", mark.what, mark.at_nsec)}>
                            <span aria-hidden="true">{mark.what.sign()}{" "}</span>
                            {words::met(ui.lang, mark)}{" "}<span class="muted">{words::ago(ui.lang, ago)}</span>
                        </li>
                    }
                })}
            </ul>
        </div>
    }
}
