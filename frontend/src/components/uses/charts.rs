//! The three pictures of a group's last minute, each with its legend and its table.

use vitrine_shared::uses::{Pressure, UseSample};
use yew::prelude::*;

use crate::format;
use crate::text::uses as words;
use crate::ui::Ui;
use crate::uses::picture::{self, Frame};
use crate::uses::{Parts, Track, What, busiest, marks};

/// Lines of a table: one for each five seconds.
const TABLE_STEP_NSEC: u64 = 5_000_000_000;
/// The names of the bands, from the bottom up, as the style sheet knows them.
const BANDS: [&str; 5] = ["anon", "file", "kernel", "other", "swap"];

fn frame(ui: &Ui, width: f64, top: u64, last: &UseSample) -> Frame {
    let height = if ui.projector { 208.0 } else { 160.0 };
    Frame { width, height, top, now_nsec: last.at_nsec }
}

/// Memory as a stack, its limits as lines, what it met as signs.
pub(super) fn memory_chart(ui: &Ui, track: &Track, last: &UseSample, width: f64) -> Html {
    let t = words::words(ui.lang);
    let Some(memory) = &last.memory else {
        return html! { <p key="no-memory" class="muted">{t.no_memory}</p> };
    };
    let all = || track.minute().filter_map(|one| one.memory.as_ref());
    let whole = |parts: Parts| parts.stack().iter().sum::<u64>();
    let most = all().map(|memory| whole(Parts::of(memory))).max().unwrap_or(0);
    let limits = [memory.max_bytes, memory.high_bytes].into_iter().flatten();
    let frame = frame(ui, width, picture::top(most, limits), last);
    let bands = picture::bands(track, &frame);
    let met = marks(track);
    let shown: Vec<_> = met.iter().filter(|mark| mark.what != What::Refused).collect();
    let used = format::bytes(memory.current_bytes);
    let max = memory.max_bytes.map(format::bytes);
    let label = words::memory_in_words(ui.lang, &used, max.as_deref(), shown.len());
    let names = [t.anon, t.file, t.kernel, t.other, t.swap];
    let now = Parts::of(memory).stack();
    html! {
        <div key="memory" class="uses-chart">
            <p class="lens-number" data-test="use-now">
                <strong>{used}</strong>{" "}<span>{t.in_use}</span>{" · "}
                <span>{t.max}{" "}{max.clone().unwrap_or_else(|| t.no_limit.into())}{above(ui, memory.max_bytes, &frame)}</span>
            </p>
            <svg class="uses-svg" width={width.to_string()} height={frame.height.to_string()} role="img" aria-label={label}>
                {for bands.iter().zip(BANDS).map(|(d, name)| html! {
                    <path key={name} class={format!("band band-{name}")} d={d.clone()} />
                })}
                <path class="use-high" d={picture::steps(track, &frame, |one| one.memory.as_ref()?.high_bytes)} />
                <path class="use-max" d={picture::steps(track, &frame, |one| one.memory.as_ref()?.max_bytes)} />
                {signs(shown.iter().map(|mark| (mark.at_nsec, mark.what)), &frame)}
            </svg>
            {strip(ui, track, &frame, t.pressure, |one| one.memory.as_ref()?.pressure)}
            <ul class="legend">
                {for names.into_iter().zip(BANDS).zip(now).rev().map(|((word, name), bytes)| html! {
                    <li key={name} class={format!("key key-{name}")}>{word}{" "}<span class="num">{format::bytes(bytes)}</span></li>
                })}
                {for memory.high_bytes.map(|high| html! { <li key="high" class="key key-high">{t.high}{" "}{format::bytes(high)}</li> })}
                {for memory.soft_bytes.map(|soft| html! { <li key="soft" class="muted">{t.soft}{" "}{format::bytes(soft)}</li> })}
                {for memory.pressure.is_none().then(|| html! { <li key="psi" class="muted">{t.no_pressure}</li> })}
            </ul>
            {table(ui, track, &[t.in_use, t.anon, t.file, t.kernel, t.other, t.swap, t.max], |one| {
                let memory = one.memory.as_ref()?;
                let mut cells = vec![format::bytes(memory.current_bytes)];
                cells.extend(Parts::of(memory).stack().map(format::bytes));
                cells.push(memory.max_bytes.map_or(t.no_limit.into(), format::bytes));
                Some(cells)
            })}
        </div>
    }
}

/// Processes against their limit, refused forks as signs.
pub(super) fn pids_chart(ui: &Ui, track: &Track, last: &UseSample, width: f64) -> Html {
    let t = words::words(ui.lang);
    let Some(pids) = last.pids else {
        return html! { <p key="no-pids" class="muted">{t.no_pids}</p> };
    };
    let most = track.minute().filter_map(|one| one.pids).map(|pids| pids.current).max();
    let frame = frame(ui, width, picture::top(most.unwrap_or(0), pids.max.into_iter()), last);
    let met = marks(track);
    let shown = met.iter().filter(|mark| mark.what == What::Refused);
    let refused: u64 = shown.clone().map(|mark| mark.count).sum();
    let label = words::pids_in_words(ui.lang, pids.current, pids.max, refused);
    let limit = pids.max.map_or(t.no_limit.into(), |max| max.to_string());
    html! {
        <div key="pids" class="uses-chart">
            <p class="lens-number" data-test="use-now">
                <strong>{pids.current}</strong>{" "}<span>{t.running}</span>{" · "}
                <span>{t.max}{" "}{limit}{above(ui, pids.max, &frame)}</span>{" · "}
                <span data-test="refused">{words::refused(ui.lang, pids.refused)}</span>
            </p>
            <svg class="uses-svg" width={width.to_string()} height={frame.height.to_string()} role="img" aria-label={label}>
                <path class="band band-anon" d={picture::area(track, &frame, |one| Some(one.pids?.current))} />
                <path class="use-max" d={picture::steps(track, &frame, |one| one.pids?.max)} />
                {signs(shown.map(|mark| (mark.at_nsec, mark.what)), &frame)}
            </svg>
            {table(ui, track, &[t.running, t.max], |one| {
                let pids = one.pids?;
                let limit = pids.max.map_or(t.no_limit.into(), |max| max.to_string());
                Some(vec![pids.current.to_string(), limit])
            })}
        </div>
    }
}

/// Reads and writes a second of the device that is used most, against its limits.
pub(super) fn io_chart(ui: &Ui, track: &Track, last: &UseSample, width: f64) -> Html {
    let t = words::words(ui.lang);
    let Some(io) = &last.io else {
        return html! { <p key="no-io" class="muted">{t.no_io}</p> };
    };
    let is_counted = io.pressure.is_some();
    let note = if is_counted { "" } else { t.io_v1 };
    let Some(device) = busiest(last) else {
        return html! {
            <div key="io" class="uses-chart">
                <p data-test="use-now">{t.no_devices}</p>
                <p class="muted">{note}</p>
            </div>
        };
    };
    let limits = device.limits;
    let (flows, most) = picture::flows(track, (limits.major, limits.minor));
    let near = [limits.read_bps, limits.write_bps].into_iter().flatten();
    let frame = frame(ui, width, picture::top(most, near), last);
    let (read, written) = flows.last().map_or((0, 0), |(_, read, written)| (*read, *written));
    let name = format!("{}:{}", limits.major, limits.minor);
    let (read, written) = (format::bytes(read), format::bytes(written));
    let label = words::io_in_words(ui.lang, &name, &read, &written);
    let limit = |limit: Option<u64>| {
        limit.map_or(t.no_limit.into(), |limit| format!("{}/s", format::bytes(limit)))
    };
    html! {
        <div key="io" class="uses-chart">
            <p class="lens-number" data-test="use-now">
                <span>{t.device}{" "}<strong>{name}</strong></span>
                {" · "}<span>{t.read}{" "}{read}{"/s, "}{t.max}{" "}{limit(limits.read_bps)}</span>
                {" · "}<span>{t.written}{" "}{written}{"/s, "}{t.max}{" "}{limit(limits.write_bps)}</span>
            </p>
            <svg class="uses-svg" width={width.to_string()} height={frame.height.to_string()} role="img" aria-label={label}>
                <path class="use-read" d={picture::line(flows.iter().map(|(at, read, _)| (*at, *read)), &frame)} />
                <path class="use-written" d={picture::line(flows.iter().map(|(at, _, written)| (*at, *written)), &frame)} />
            </svg>
            {strip(ui, track, &frame, t.io_pressure, |one| one.io.as_ref()?.pressure)}
            <p class="muted" hidden={is_counted}>{note}</p>
            <table class="uses-table">
                <thead><tr><th scope="col">{t.device}</th><th scope="col">{t.read}</th><th scope="col">{t.written}</th></tr></thead>
                <tbody>{for io.devices.iter().map(|device| {
                    let name = format!("{}:{}", device.limits.major, device.limits.minor);
                    html! {
                        <tr key={name.clone()}><th scope="row">{name}</th>
                            <td>{format::bytes(device.read_bytes)}</td><td>{format::bytes(device.written_bytes)}</td></tr>
                    }
                })}</tbody>
            </table>
        </div>
    }
}

/// Says that a limit is above the picture.
fn above(ui: &Ui, limit: Option<u64>, frame: &Frame) -> Option<String> {
    let is_above = limit.is_some_and(|limit| limit > frame.top);
    let t = words::words(ui.lang);
    is_above.then(|| match ui.lang {
        crate::prefs::Lang::En => format!(" ({})", t.far_above),
        crate::prefs::Lang::Zh => format!("（{}）", t.far_above),
    })
}

/// What was met, as signs at its moments; of several at one place one is drawn.
fn signs(met: impl Iterator<Item = (u64, What)>, frame: &Frame) -> Html {
    let mut last: Option<(f64, What)> = None;
    let mut drawn = Vec::new();
    for (at_nsec, what) in met {
        let x = frame.x(at_nsec).clamp(8.0, (frame.width - 8.0).max(8.0));
        let is_beside = |(other, of): (f64, What)| of == what && (x - other).abs() < 14.0;
        if !last.is_some_and(is_beside) {
            last = Some((x, what));
            drawn.push((at_nsec, what, x));
        }
    }
    let row = |what| match what {
        What::Killed => 32.0,
        What::AtLimit | What::Slowed | What::Refused => 16.0,
    };
    html! {
        <g class="use-signs" aria-hidden="true">
            {for drawn.into_iter().map(|(at_nsec, what, x)| html! {
                <text key={format!("{what:?} {at_nsec}")} x={format!("{x:.1}")} y={row(what).to_string()}
                    text-anchor="middle" class={classes!((what == What::Killed || what == What::Refused).then_some("is-bad"))}>{what.sign()}</text>
            })}
        </g>
    }
}

/// The strip of pressure below a picture, where the kernel tells it.
fn strip(
    ui: &Ui,
    track: &Track,
    frame: &Frame,
    label: &'static str,
    of: impl Fn(&UseSample) -> Option<Pressure>,
) -> Html {
    if track.last().and_then(&of).is_none() {
        return html! { <div class="uses-psi" hidden=true /> };
    }
    let height = if ui.projector { 34.0 } else { 24.0 };
    let (some, full) = picture::pressure(track, &Frame { height, ..*frame }, of);
    html! {
        <div class="uses-psi">
            <svg class="uses-svg" width={frame.width.to_string()} height={height.to_string()} role="img" aria-label={label}>
                <path class="psi-some" d={some} />
                <path class="psi-full" d={full} />
            </svg>
            <p class="muted">{label}</p>
        </div>
    }
}

/// The last minute as a table, latest first.
fn table(
    ui: &Ui,
    track: &Track,
    heads: &[&'static str],
    cells: impl Fn(&UseSample) -> Option<Vec<String>>,
) -> Html {
    let t = words::words(ui.lang);
    let now = track.last().map_or(0, |last| last.at_nsec);
    let mut next = 0;
    let mut rows = Vec::new();
    for sample in track.minute().rev() {
        let age = now.saturating_sub(sample.at_nsec);
        if age < next {
            continue;
        }
        next = age + TABLE_STEP_NSEC;
        rows.extend(cells(sample).map(|cells| (age / 1_000_000_000, cells)));
    }
    html! {
        <details class="uses-details">
            <summary>{t.table}</summary>
            <div class="uses-scroll" tabindex="0" role="group" aria-label={t.table}>
                <table class="uses-table">
                    <thead><tr><th scope="col">{t.ago}</th>
                        {for heads.iter().map(|head| html! { <th key={*head} scope="col">{*head}</th> })}
                    </tr></thead>
                    <tbody>{for rows.into_iter().map(|(age, cells)| html! {
                        <tr key={age.to_string()}><th scope="row">{age}</th>
                            {for cells.into_iter().enumerate().map(|(at, cell)| html! { <td key={at.to_string()}>{cell}</td> })}
                        </tr>
                    })}</tbody>
                </table>
            </div>
        </details>
    }
}
