//! What the namespaces of two processes are like: id maps as slopes, mounts as trees, devices.

use vitrine_shared::discovery::{Discovery, Extent, IdMaps, Mount, NetDevices};
use vitrine_shared::namespace::Namespace;
use vitrine_shared::process::Process;
use yew::prelude::*;

use super::compare::title;
use crate::matrix::Sources;
use crate::matrix::maps::{BAND, Slope, is_identity, slopes};
use crate::matrix::mounts::{Beside, Node, tree};
use crate::text::matrix as words;
use crate::ui::Ui;

/// The id maps of both, or the one that they share.
pub(super) fn ids(ui: &Ui, discovery: &Discovery, pair: [&Process; 2], shared: bool) -> Html {
    let t = words::words(ui.lang);
    let one = |process: &Process| {
        let id = process.namespaces[Namespace::User as usize];
        let maps = discovery.id_maps.iter().find(|maps| maps.namespace == id);
        html! {
            <div key={process.host_pid()} class="half">
                <h4>{title(process)}</h4>
                {match maps {
                    Some(maps) => both_maps(ui, maps),
                    None => html! { <p class="muted">{t.no_map}</p> },
                }}
            </div>
        }
    };
    section(t.ids, "ids", sides(pair, shared).map(one).collect())
}

/// The processes whose pictures are shown.
fn sides(pair: [&Process; 2], shared: bool) -> impl Iterator<Item = &Process> {
    pair.into_iter().take(if shared { 1 } else { 2 })
}

fn section(name: &'static str, test: &'static str, halves: Vec<Html>) -> Html {
    html! {
        <div class="pair-part" data-test={format!("pair-{test}")}>
            <h3>{name}</h3>
            <div class="halves">{for halves}</div>
        </div>
    }
}

fn both_maps(ui: &Ui, maps: &IdMaps) -> Html {
    let t = words::words(ui.lang);
    let same = maps.uids == maps.gids;
    html! {
        <>
            {map(ui, t.uids, &maps.uids)}
            <p class="muted" hidden={!same}>{t.gids_same}</p>
            <div hidden={same}>{map(ui, t.gids, &maps.gids)}</div>
        </>
    }
}

/// Two columns, and a slope for each line of the map.
fn map(ui: &Ui, name: &'static str, extents: &[Extent]) -> Html {
    let t = words::words(ui.lang);
    let known = slopes(extents);
    let height = known.iter().map(|slope| slope.inside_at + BAND).max().unwrap_or(0);
    let in_words: Vec<String> = known
        .iter()
        .map(|slope| {
            let (inside, outside) = ranges(slope);
            words::map_line(ui.lang, &inside, &outside)
        })
        .collect();
    html! {
        <div class="map">
            <p class="map-heads"><span><code>{name}</code>{" "}{t.inside}</span><span></span><span>{t.on_host}</span></p>
            <p class="muted" hidden={!is_identity(extents)}>{t.same_ids}</p>
            <p class="muted" hidden={!extents.is_empty()}>{t.no_map}</p>
            <svg class="slopes ns-user" viewBox={format!("0 0 420 {}", height.max(1))} aria-hidden="true">
                {for known.iter().enumerate().map(|(at, slope)| html! { <g key={at}>{band(slope)}</g> })}
            </svg>
            <ul class="map-words" data-test="map-words">
                {for in_words.into_iter().map(|line| html! { <li key={line.clone()}>{line}</li> })}
            </ul>
        </div>
    }
}

fn ranges(slope: &Slope) -> (String, String) {
    let (inside, outside) = slope.last();
    let range = |first: u32, last: u32| {
        if first == last { first.to_string() } else { format!("{first}–{last}") }
    };
    (range(slope.extent.inside, inside), range(slope.extent.outside, outside))
}

fn band(slope: &Slope) -> Html {
    let (inside, outside) = ranges(slope);
    let (left, right) = (slope.inside_at, slope.outside_at);
    let (left_end, right_end) = (left + BAND, right + BAND);
    let text = |at: u32| (at + BAND / 2 + 5).to_string();
    html! {
        <>
            <path class="slope" d={format!("M140 {left}L215 {right}V{right_end}L140 {left_end}Z")} />
            <rect class="slope-end" x="1" y={left.to_string()} width="139" height={BAND.to_string()} rx="4" />
            <rect class="slope-end" x="215" y={right.to_string()} width="204" height={BAND.to_string()} rx="4" />
            <text class="slope-text" x="8" y={text(left)}>{inside}</text>
            <text class="slope-text" x="223" y={text(right)}>{outside}</text>
        </>
    }
}

/// The mounts of both, side by side, or those that they share.
pub(super) fn mounts(ui: &Ui, discovery: &Discovery, pair: [&Process; 2], shared: bool) -> Html {
    let t = words::words(ui.lang);
    let of = |process: &Process| -> &[Mount] {
        let id = process.namespaces[Namespace::Mount as usize];
        let table = discovery.mounts.iter().find(|table| table.namespace == id);
        table.map_or(&[], |table| table.mounts.as_slice())
    };
    let one = |(process, other): (&Process, &Process)| {
        let mounts = of(process);
        let beside = if shared { mounts } else { of(other) };
        html! {
            <div key={process.host_pid()} class="half">
                <h4>{title(process)}</h4>
                <p class="muted" hidden={!shared}>{t.same_mounts}</p>
                <p class="muted" hidden={!mounts.is_empty()}>{t.no_mounts}</p>
                <ul class="mounts" aria-label={words::of_process(ui.lang, &title(process))}>
                    {for tree(mounts, beside).iter().map(|node| mount(ui, node))}
                </ul>
            </div>
        }
    };
    let both = [(pair[0], pair[1]), (pair[1], pair[0])];
    let shown = both.into_iter().take(if shared { 1 } else { 2 });
    html! {
        <>
            {section(t.mounts, "mounts", shown.map(one).collect())}
            <p class="muted" hidden={shared}>{"≠ "}{t.another}</p>
        </>
    }
}

fn mount(ui: &Ui, node: &Node<'_>) -> Html {
    let t = words::words(ui.lang);
    let mount = node.mount;
    let only = node.beside == Beside::Nothing;
    let title = format!("{} {} {}", mount.source, mount.options, mount.propagation);
    html! {
        <li key={mount.id} class={classes!(format!("level-{}", node.depth), only.then_some("is-only"))} {title}>
            <code>{&mount.path}</code>{" "}<span class="muted">{&mount.kind}</span>
            <span class="only" hidden={!only}>{t.only_here}</span>
            <span hidden={node.beside != Beside::Other}>{" "}<span aria-hidden="true" title={t.another}>{"≠"}</span>
                <span class="visually-hidden">{t.another}</span></span>
        </li>
    }
}

/// The devices of both, or those that they share.
pub(super) fn devices(ui: &Ui, sources: &Sources<'_>, pair: [&Process; 2], shared: bool) -> Html {
    let t = words::words(ui.lang);
    let discovery = sources.discovery;
    let one = |process: &Process| {
        let id = process.namespaces[Namespace::Net as usize];
        let found = discovery.devices.iter().find(|devices| devices.namespace == id);
        let none = if discovery.initial[Namespace::Net as usize] == id {
            t.hosts_devices
        } else {
            t.no_devices
        };
        html! {
            <div key={process.host_pid()} class="half">
                <h4>{title(process)}</h4>
                <p class="muted" hidden={!shared}>{t.same_devices}</p>
                <p class="muted" hidden={found.is_some()}>{none}</p>
                <ul class="devices">{for found.into_iter().flat_map(|found| lines(ui, found))}</ul>
            </div>
        }
    };
    let halves = sides(pair, shared).map(one).collect();
    html! {
        <>
            {section(t.devices, "devices", halves)}
            <p class="muted">{t.no_veth}</p>
        </>
    }
}

fn lines(ui: &Ui, found: &NetDevices) -> Vec<Html> {
    let line = |device: &vitrine_shared::discovery::NetDevice| {
        let text =
            words::device(ui.lang, &device.name, device.index, device.rx_bytes, device.tx_bytes);
        html! { <li key={device.name.clone()}>{text}</li> }
    };
    found.devices.iter().map(line).collect()
}
