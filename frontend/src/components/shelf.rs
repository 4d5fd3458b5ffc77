//! The shelf: the machine's cgroups, how much each uses, and what holds it back.

use std::collections::BTreeMap;

use vitrine_shared::cgroup::{CgroupSample, Controller, GroupId};
use vitrine_shared::message::{HostInfo, Sample};
use yew::prelude::*;

use crate::format;
use crate::history::{self, History};
use crate::host::lacks_controller;
use crate::text::{host as words, lab, of_limit, throttled_in};
use crate::ui::Ui;

/// What the shelf shows.
pub(crate) struct Props<'a> {
    pub(crate) sample: Option<&'a Sample>,
    pub(crate) histories: &'a BTreeMap<GroupId, History>,
    /// The group whose files are shown.
    pub(crate) group: GroupId,
    pub(crate) choose: Callback<GroupId>,
    pub(crate) host: Option<&'a HostInfo>,
}

/// The shelf.
pub(crate) fn shelf(ui: &Ui, props: &Props<'_>) -> Html {
    let t = ui.lab();
    // Those that somebody made can be hundreds; they have a view of their own.
    let all = props.sample.as_ref().map(|sample| sample.groups.as_slice()).unwrap_or_default();
    let is_board = |group: &&CgroupSample| !matches!(group.group, GroupId::Made(_));
    let groups: Vec<&CgroupSample> = all.iter().filter(is_board).collect();
    html! {
        <section class="shelf" aria-labelledby="shelf-title">
            <div class="shelf-head">
                <h2 id="shelf-title">{t.shelf}</h2>
                <span class="muted">{props.host.filter(|host| lacks_controller(Some(host), Controller::Cpu).is_none()).map(|host| words::dialect(host.cpu_dialect))}</span>
            </div>
            <p class="muted" hidden={!groups.is_empty()}>{t.waiting_for_sample}</p>
            <ul class="boards">
                {for groups.iter().map(|group| html! {
                    <li key={group.path.clone()} class={classes!(format!("depth-{}", depth(group.group)))}>
                        {board(ui, group, props)}
                    </li>
                })}
            </ul>
        </section>
    }
}

fn depth(group: GroupId) -> u8 {
    match group {
        GroupId::Cap => 0,
        GroupId::Root => 1,
        GroupId::Shell | GroupId::Container(_) | GroupId::Made(_) => 2,
    }
}

/// The last part of a group's path.
pub(crate) fn name(group: &CgroupSample, t: &'static lab::Text) -> String {
    match group.group {
        GroupId::Cap => t.cap.into(),
        _ => group.path.rsplit('/').next().unwrap_or_default().into(),
    }
}

/// What a group is for, where its name does not say it.
fn note(group: GroupId, t: &'static lab::Text) -> Option<&'static str> {
    match group {
        GroupId::Cap => Some(t.cap_note),
        GroupId::Shell => Some(t.shell_note),
        GroupId::Root | GroupId::Container(_) | GroupId::Made(_) => None,
    }
}

fn board(ui: &Ui, group: &CgroupSample, props: &Props<'_>) -> Html {
    let t = ui.lab();
    let history = props.histories.get(&group.group);
    let chosen = group.group == props.group;
    // Without the controller, nothing counted is not the same as nothing used.
    let counted = group.cpu_nsec > 0 || lacks_controller(props.host, Controller::Cpu).is_none();
    let lacks = |one| lacks_controller(props.host, one).is_some();
    let id = group.group;
    let choose = props.choose.reform(move |_: MouseEvent| id);
    let throttled =
        history.and_then(History::recent_periods).filter(|(_, throttled)| *throttled > 0);
    let cpu = history.and_then(History::recent_permille).unwrap_or(group.cpu_permille);
    html! {
        <>
            <button type="button" class="board" aria-pressed={chosen.to_string()} onclick={choose}
                title={note(group.group, t)}>
                <span class="board-name">{name(group, t)}</span>
                <span class="number">{if counted { format!("{} %", format::percent(cpu)) } else { "–".into() }}</span>
            </button>
            {gauge(cpu,
                history::permille(group.cpu.quota_usec, group.cpu.period_usec),
                history.and_then(History::recent_share).unwrap_or(0.0))}
            <dl class="amounts">
                <div><dt>{ui.lab().memory}</dt><dd>{match lacks(Controller::Memory) {
                    true => html! { <span class="muted">{ui.lab().not_counted}</span> },
                    false => amount(ui, format::bytes(group.memory_bytes), group.memory_max.map(format::bytes)),
                }}</dd></div>
                <div><dt>{ui.lab().pids}</dt><dd>{match lacks(Controller::Pids) {
                    true => html! { <span class="muted">{ui.lab().not_counted}</span> },
                    false => amount(ui, group.pids.to_string(), group.pids_max.map(|max| max.to_string())),
                }}</dd></div>
            </dl>
            <p class="visually-hidden" hidden={throttled.is_none()}>
                {throttled.map(|(periods, throttled)| throttled_in(ui.lang, periods, throttled))}
            </p>
        </>
    }
}

fn amount(ui: &Ui, value: String, limit: Option<String>) -> Html {
    let limit = limit.map(|limit| of_limit(ui.lang, &limit));
    html! { <><span class="number">{value}</span>{" "}<span class="muted">{limit}</span></> }
}

/// The board's edge as a gauge of one CPU: used, quota, and the throttled share hatched between
/// the quota and the end. The numbers stand beside it as text.
fn gauge(cpu: u32, quota: Option<u32>, throttled: f64) -> Html {
    let whole = f64::from(1_000_u32.max(cpu).max(quota.unwrap_or(0)));
    let share = |permille: u32| f64::from(permille) / whole * 100.0;
    let used = share(cpu);
    let from = quota.map_or(used, share).max(used);
    let waits = (100.0 - from) * throttled;
    html! {
        <svg class="gauge" width="100%" height="10" aria-hidden="true">
            <rect class="gauge-whole" x="0" y="3" width="100%" height="6" rx="1" />
            <rect class="hatched" fill="url(#hatch)" x={percent(from)} y="3" width={percent(waits)} height="6" />
            <rect class="meter-used" x="0" y="3" width={percent(used)} height="6" rx="1" />
            <rect class="quota-tick" x={percent((from - 0.5).max(0.0))} y="0" width="2" height="10"
                visibility={if quota.is_some() { "visible" } else { "hidden" }} />
        </svg>
    }
}

fn percent(value: f64) -> String {
    format!("{value:.1}%")
}
