//! Groups that compete: what each has got, beside what its weight would give it.

use vitrine_shared::cgroup::{CgroupSample, Dialect, GroupId, Knob, shares_of_weight};
use vitrine_shared::cpu::shares as share;
use vitrine_shared::id::MachineId;
use vitrine_shared::message::Command;
use yew::prelude::*;

use crate::groups::way_up::way_up;
use crate::state::State;
use crate::text::cpu_lens as text;
use crate::ui::{Desk, Ui};

use super::number::Number;

/// Milliseconds that shares are of.
const SPAN_MSEC: u64 = 3_000;
/// Width of a bar, in CSS pixels.
const BAR: f64 = 160.0;

/// One of the groups below the machine's own.
#[derive(Clone, Debug, PartialEq)]
pub(super) struct Rival {
    group: GroupId,
    name: String,
    /// In the dialect's own scale; 0 where there is none.
    weight: u64,
    dialect: Dialect,
    share: Option<share::Share>,
}

/// The groups below the machine's own, with what each got.
pub(super) fn rivals(state: &State) -> Vec<Rival> {
    let groups = state.sample.as_ref().map(|sample| sample.groups.as_slice()).unwrap_or_default();
    let is_below = |group: &&CgroupSample| {
        group.path.strip_prefix("root/").is_some_and(|name| !name.contains('/'))
    };
    let below = groups.iter().filter(is_below);
    let used = |group: &CgroupSample| state.histories.get(&group.group)?.used_nsec(SPAN_MSEC);
    let measured: Vec<_> = below.map(|group| (group, used(group))).collect();
    let passed_nsec = measured.iter().filter_map(|(_, used)| used.map(|used| used.1)).max();
    let all: Vec<_> = measured
        .iter()
        .map(|(group, used)| share::Rival {
            used_nsec: used.map_or(0, |used| used.0),
            weight: group.cpu_weight,
        })
        .collect();
    let shares = share::shares(&all, passed_nsec.unwrap_or(0));
    let rival = |(group, share): (&CgroupSample, _)| Rival {
        group: group.group,
        name: group.path.rsplit('/').next().unwrap_or_default().into(),
        weight: group.cpu_weight,
        dialect: group.dialect,
        share,
    };
    measured.into_iter().map(|(group, _)| group).zip(shares).map(rival).collect()
}

/// The groups on the way up that were throttled in the last second, from above: the nearest that
/// runs out is what binds.
pub(super) fn limited_by(state: &State, id: GroupId) -> Vec<String> {
    let groups = state.sample.as_ref().map(|sample| sample.groups.as_slice()).unwrap_or_default();
    let throttled = |group: &&CgroupSample| {
        let history = state.histories.get(&group.group);
        history.and_then(crate::history::History::recent_periods).is_some_and(|p| p.1 > 0)
    };
    let path = |group: &CgroupSample| match group.path.as_str() {
        "" => "cap".to_owned(),
        path => path.to_owned(),
    };
    let way = way_up(groups, id).into_iter().rev().filter_map(|at| groups.get(at));
    way.filter(throttled).map(path).collect()
}

/// A row for each, or what to do to see one.
pub(super) fn shares(
    ui: &Ui,
    desk: &Desk,
    machine: MachineId,
    rivals: &[Rival],
    may: bool,
) -> Html {
    let w = text::words(ui.lang);
    let compete = rivals.iter().any(|rival| rival.share.is_some());
    html! {
        <div class="cpu-shares" data-test="cpu-shares">
            <h2 class="cpu-head">{w.shares}</h2>
            <p class="muted" hidden={compete}>{w.alone}</p>
            <div class="cpu-rivals">{for rivals.iter().map(|rival| html! {
                <div key={rival.name.clone()} class="cpu-rival" data-rival={rival.name.clone()}>
                    <code>{&rival.name}</code>
                    {weight_field(ui, desk, machine, rival, may)}
                    {bar(rival)}
                    <span class="number">{rival.share.map_or_else(String::new, |s| text::share(ui.lang, s.got, s.by_weight))}</span>
                </div>
            })}</div>
        </div>
    }
}

fn weight_field(ui: &Ui, desk: &Desk, machine: MachineId, rival: &Rival, may: bool) -> Html {
    let (group, dialect) = (rival.group, rival.dialect);
    let send = desk.send.clone();
    let enter = Callback::from(move |weight: u64| {
        let shares = match dialect {
            Dialect::V1 => weight,
            Dialect::V2 => shares_of_weight(weight),
        };
        send.emit(Command::SetKnob { machine, group, knob: Knob::CpuShares(shares) });
    });
    html! {
        <Number word={text::words(ui.lang).weight} label={text::weight_of(ui.lang, &rival.name)} test="cpu-weight"
            value={rival.weight} min={1} hidden={rival.weight == 0} disabled={!may} {enter} />
    }
}

/// Solid: what it got. Outline: what its weight would give it.
fn bar(rival: &Rival) -> Html {
    let width = |share: f64| format!("{:.1}", share * BAR);
    html! {
        <svg class="cpu-bar" width={BAR.to_string()} height="14" aria-hidden="true">
            <rect class="chart-area" y="2" height="10" width={width(rival.share.map_or(0.0, |share| share.got))} />
            <rect class="modelled" x="0.5" y="0.5" height="13" width={width(rival.share.map_or(0.0, |share| share.by_weight))} />
        </svg>
    }
}
