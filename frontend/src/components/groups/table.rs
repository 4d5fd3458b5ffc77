//! The rows: a group with its use beside its limits, or a process in it.

use vitrine_shared::cgroup::{CgroupSample, Controller, GroupId};
use vitrine_shared::message::Command;
use vitrine_shared::process::Process;
use yew::prelude::*;

use super::form::{self, Form};
use super::{View, is_own};
use crate::format;
use crate::groups::tree::{Key, Line};
use crate::groups::way_up::{Resource, binding, of, way_up};
use crate::text::{groups as words, throttled_in};
use crate::ui::Ui;

/// What a dragged process says before its PID, so that no other text is taken for one.
const DRAGGED: &str = "vitrine process ";
/// The box of a line of half a minute.
const LINE: (u32, u32) = (96, 20);

/// The head of the table.
pub(super) fn head(ui: &Ui) -> Html {
    let t = words::words(ui.lang);
    let cell = |class: &'static str, word: &'static str| {
        html! { <span role="columnheader" class={classes!("g-cell", class)}>{word}</span> }
    };
    html! {
        <div role="rowgroup" class="g-head" key="head">
            <div role="row" class="g-line" aria-rowindex="1">
                {cell("g-name", t.name)}
                {cell("g-procs", t.procs)}
                {cell("g-ctrl", t.controllers)}
                {cell("g-cpu", t.cpu)}
                {cell("g-spark", t.half_minute)}
                {cell("g-mem", t.memory)}
                {cell("g-pids", t.pids)}
            </div>
        </div>
    }
}

/// One row, and the form that is open in it.
pub(super) fn row(view: &View<'_>, i: usize, line: &Line) -> Html {
    let key = format!("{:?}", line.key);
    let is_active = line.key == view.active;
    let form = (*view.form).as_ref().filter(|form| line.key == Key::Group(form.group()));
    let choose = {
        let (activate, key) = (view.activate.clone(), line.key);
        Callback::from(move |_: MouseEvent| activate.emit(key))
    };
    let (cells, drag) = match line.key {
        Key::Group(_) => match view.sample.groups.get(line.at) {
            Some(group) => (group_cells(view, group, line), None),
            None => return html! { <div {key} /> },
        },
        Key::Process(pid, group) => match view.sample.processes.get(line.at) {
            Some(process) => (
                process_cells(view, process, group, line),
                Some(pid).filter(|_| is_own(group) && view.state.may_ask()),
            ),
            None => return html! { <div {key} /> },
        },
    };
    let target = line.key.group();
    let takes = is_own(target) && view.state.may_ask();
    let ondragstart = drag.map(|pid| {
        Callback::from(move |event: DragEvent| {
            if let Some(data) = event.data_transfer() {
                // Where it cannot be said, nothing is dropped.
                let _ = data.set_data("text/plain", &format!("{DRAGGED}{pid}"));
            }
        })
    });
    let ondragover = takes.then(|| Callback::from(|event: DragEvent| event.prevent_default()));
    let ondrop = {
        let (send, machine) = (view.desk.send.clone(), view.state.focus);
        takes.then(|| {
            Callback::from(move |event: DragEvent| {
                event.prevent_default();
                let data = event.data_transfer().and_then(|data| data.get_data("text/plain").ok());
                let pid = data.and_then(|data| data.strip_prefix(DRAGGED)?.parse().ok());
                if let (Some(pid), Some(machine)) = (pid, machine) {
                    send.emit(Command::MoveProcess { machine, pid, group: target });
                }
            })
        })
    };
    let is_cut = matches!(line.key, Key::Process(pid, _) if *view.cut == Some(pid));
    let class = classes!(
        "g-row",
        "g-line",
        is_active.then_some("is-active"),
        is_cut.then_some("is-cut"),
        matches!(line.key, Key::Process(..)).then_some("is-process")
    );
    html! {
        <div {key} role="presentation">
            <div id={format!("g-row-{i}")} role="row" {class} data-test="group-row" data-key={data_key(view, line)}
                aria-rowindex={(i + 2).to_string()} aria-level={line.level.to_string()}
                aria-posinset={line.place.0.to_string()} aria-setsize={line.place.1.to_string()}
                aria-expanded={line.open.map(|open| open.to_string())} aria-selected={is_active.to_string()}
                draggable={drag.map(|_| "true")} onclick={choose} {ondragstart} {ondragover} {ondrop}>
                {cells}
            </div>
            {form.map(|form| html! {
                <div role="row" class="g-form-row"><div role="gridcell">{form::form(view, form)}</div></div>
            })}
        </div>
    }
}

/// What the tests know a row by: the path, or the PID.
fn data_key(view: &View<'_>, line: &Line) -> String {
    match line.key {
        Key::Group(_) => {
            view.sample.groups.get(line.at).map(|g| g.path.clone()).unwrap_or_default()
        }
        Key::Process(pid, _) => pid.to_string(),
    }
}

/// The name, indented, behind what opens and closes.
fn name(view: &View<'_>, line: &Line, text: Html, title: String) -> Html {
    let class = classes!("g-cell", "g-name", format!("g-deep-{}", line.level.min(9)));
    let turn = {
        let (turn, group) = (view.turn.clone(), line.key.group());
        Callback::from(move |_: MouseEvent| turn.emit(group))
    };
    let mark = match line.open {
        Some(true) => "▾",
        Some(false) => "▸",
        None => "",
    };
    html! {
        <span role="gridcell" {class} {title}>
            <span class="g-turn" aria-hidden="true" onclick={turn}>{mark}</span>
            {text}
        </span>
    }
}

fn group_cells(view: &View<'_>, group: &CgroupSample, line: &Line) -> Html {
    let (ui, t) = (view.ui, words::words(view.ui.lang));
    let last = match group.group {
        GroupId::Cap => ui.lab().cap,
        _ => group.path.rsplit('/').next().unwrap_or_default(),
    };
    let way = way_up(&view.sample.groups, group.group);
    let binds = |resource| {
        let at = binding(&view.sample.groups, &way, resource, |id| view.rings.permille(id))?;
        let above = view.sample.groups.get(at).filter(|above| above.group != group.group)?;
        Some(if above.path.is_empty() { ui.lab().cap.to_string() } else { above.path.clone() })
    };
    let edit = |file: Vec<&'static str>| {
        let (form, id, may) = (view.form.clone(), group.group, view.state.may_ask());
        Callback::from(move |_: MouseEvent| {
            if may && id != GroupId::Cap {
                form.set(Some(Form::edit_one_of(id, &file)));
            }
        })
    };
    let has = |controller| group.available.has(controller) || group.available.is_empty();
    let cpu = view.rings.permille(group.group).unwrap_or(group.cpu_permille);
    let periods = view.rings.periods(group.group);
    let share = periods.map_or(0.0, |(all, throttled)| throttled as f64 / all as f64);
    let quota = of(group, Resource::Cpu, None).limit;
    let waited = periods.filter(|(_, throttled)| *throttled > 0);
    let full = u32::try_from(quota.unwrap_or(1_000)).unwrap_or(u32::MAX).max(1_000);
    html! {
        <>
            {name(view, line, html! { <span class="g-text">{last}</span> }, group.path.clone())}
            <span role="gridcell" class="g-cell g-procs number">{group.members.len()}</span>
            <span role="gridcell" class="g-cell g-ctrl">{controllers(ui, group)}</span>
            <span role="gridcell" class="g-cell g-cpu" ondblclick={edit(vec!["cpu.cfs_quota_us", "cpu.max"])}
                title={waited.map(|(all, n)| throttled_in(ui.lang, all, n))}>
                {amount(ui, has(Controller::Cpu) || cpu > 0, format!("{} %", format::percent(cpu)),
                    quota.map(|q| format!("{} %", format::short_percent(u32::try_from(q).unwrap_or(u32::MAX)))), binds(Resource::Cpu))}
                {gauge(cpu.into(), quota, 1_000, share)}
                {waited.map(|(all, n)| html! { <span class="visually-hidden">{throttled_in(ui.lang, all, n)}</span> })}
            </span>
            <span role="gridcell" class="g-cell g-spark">
                <svg class="g-svg" viewBox={format!("0 0 {} {}", LINE.0, LINE.1)} width={LINE.0.to_string()} height={LINE.1.to_string()} aria-hidden="true">
                    <path class="g-path" d={view.rings.path(group.group, LINE.0, LINE.1, full)} />
                </svg>
                <span class="visually-hidden">{periods.is_none().then_some(t.no_periods)}</span>
            </span>
            <span role="gridcell" class="g-cell g-mem" ondblclick={edit(vec!["memory.limit_in_bytes", "memory.max"])}>
                {amount(ui, has(Controller::Memory), format::bytes(group.memory_bytes), group.memory_max.map(format::bytes), binds(Resource::Memory))}
                {gauge(group.memory_bytes, group.memory_max, least_above(view, &way), 0.0)}
            </span>
            <span role="gridcell" class="g-cell g-pids" ondblclick={edit(vec!["pids.max"])}>
                {amount(ui, has(Controller::Pids), group.pids.to_string(), group.pids_max.map(|max| max.to_string()), binds(Resource::Pids))}
            </span>
        </>
    }
}

/// The least memory limit on the way up: what a bar without a limit of its own is drawn against.
fn least_above(view: &View<'_>, way: &[usize]) -> u64 {
    let limits = way.iter().filter_map(|&at| view.sample.groups.get(at)?.memory_max);
    limits.min().unwrap_or(1)
}

fn process_cells(view: &View<'_>, process: &Process, group: GroupId, line: &Line) -> Html {
    let ui = view.ui;
    let pid = process.host_pid();
    let member = view.group(group).and_then(|g| g.members.iter().find(|m| m.pid == pid).copied());
    // In v1 it may be here for some controllers and elsewhere for others.
    let has = view.group(group).map(|group| group.available);
    let partial = member.zip(has).filter(|(member, has)| member.controllers != *has);
    let only = partial.map(|(member, _)| names(member.controllers.iter()));
    let text = html! {
        <span class="g-text"><span class="number">{pid}</span>{" "}{process.name.clone()}</span>
    };
    html! {
        <>
            {name(view, line, text, process.command.clone())}
            <span role="gridcell" class="g-cell g-procs"></span>
            <span role="gridcell" class="g-cell g-ctrl muted">{only}</span>
            <span role="gridcell" class="g-cell g-cpu"><span class="number">{format!("{} %", format::percent(process.cpu_permille))}</span></span>
            <span role="gridcell" class="g-cell g-spark"></span>
            <span role="gridcell" class="g-cell g-mem"><span class="number">{format::bytes(process.rss_bytes)}</span></span>
            <span role="gridcell" class="g-cell g-pids muted">{(!is_own(group)).then(|| words::words(ui.lang).container_mark)}</span>
        </>
    }
}

fn names(controllers: impl Iterator<Item = Controller>) -> String {
    controllers.map(Controller::name).collect::<Vec<_>>().join(" ")
}

/// The controllers that a page can limit with, each a letter: solid where the children have it too.
fn controllers(ui: &Ui, group: &CgroupSample) -> Html {
    let shown = [
        (Controller::Cpu, "c"),
        (Controller::Memory, "m"),
        (Controller::Pids, "p"),
        (Controller::Io, "i"),
        (Controller::Cpuset, "s"),
    ];
    let has = shown.into_iter().filter(|(controller, _)| group.available.has(*controller));
    let title =
        words::controllers(ui.lang, &names(group.available.iter()), &names(group.enabled.iter()));
    html! {
        <span {title}>
            <span aria-hidden="true">
                {for has.map(|(controller, letter)| {
                    let class = classes!("g-chip", group.enabled.has(controller).then_some("is-on"));
                    html! { <span key={letter} {class}>{letter}</span> }
                })}
            </span>
            <span class="visually-hidden">{words::controllers(ui.lang, &names(group.available.iter()), &names(group.enabled.iter()))}</span>
        </span>
    }
}

/// What is used, its own limit, and the one above that binds.
fn amount(
    ui: &Ui,
    counted: bool,
    used: String,
    limit: Option<String>,
    above: Option<String>,
) -> Html {
    if !counted {
        return html! { <span class="muted">{"–"}</span> };
    }
    let above = above.map(|path| words::limited_by(ui.lang, &path));
    html! {
        <span class="g-amount" title={above.clone()}>
            <span class="number">{used}</span>
            {limit.map(|limit| html! { <span class="muted">{" / "}{limit}</span> })}
            {above.map(|above| html! { <span class="g-above"><span aria-hidden="true">{" ↑"}</span><span class="visually-hidden">{above}</span></span> })}
        </span>
    }
}

/// Used, the limit as a tick, and behind it the share of periods throttled, hatched.
fn gauge(used: u64, limit: Option<u64>, least: u64, throttled: f64) -> Html {
    let whole = limit.unwrap_or(0).max(used).max(least).max(1) as f64;
    let percent = |value: f64| format!("{value:.1}%");
    let used = used as f64 / whole * 100.0;
    let from = limit.map_or(used, |limit| limit as f64 / whole * 100.0).max(used);
    let tail = if throttled > 0.0 { (100.0 - from).max(12.0) * throttled } else { 0.0 };
    let from = from.min(100.0 - tail);
    html! {
        <svg class="gauge" width="100%" height="8" aria-hidden="true">
            <rect class="gauge-whole" x="0" y="2" width="100%" height="5" rx="1" />
            <rect class="meter-used" x="0" y="2" width={percent(used.min(from))} height="5" rx="1" />
            <rect class="hatched" fill="url(#hatch)" x={percent(from)} y="2" width={percent(tail)} height="5" />
            <rect class="quota-tick" x={percent((from - 0.5).max(0.0))} y="0" width="2" height="8"
                visibility={if limit.is_some() { "visible" } else { "hidden" }} />
        </svg>
    }
}
