//! The three pictures of a group's last minute, over one time axis: elements that stand, which are
//! painted past the virtual DOM.

use std::rc::Rc;

use yew::prelude::*;

use super::facts::Facts;
use super::paint::{IO, Ink, MEMORY, PIDS, Paint, STRIP, Words, view_box};
use crate::components::easel::place;
use crate::text::uses as words;
use crate::ui::Ui;

/// The names of the bands, from the bottom up, as the style sheet knows them.
const BANDS: [&str; 5] = ["anon", "file", "kernel", "other", "swap"];

/// What all three are drawn with.
pub(super) struct Board<'a> {
    pub(super) ui: &'a Ui,
    pub(super) paint: &'a Rc<Paint>,
    pub(super) facts: &'a Facts,
    /// Of a picture without its words, in its own pixels; and how much larger it is drawn.
    pub(super) size: (f64, f64),
}

/// Memory as a stack, its limits as lines, what it met as signs.
pub(super) fn memory(board: &Board<'_>) -> Html {
    let (t, paint) = (words::words(board.ui.lang), board.paint);
    let names = [t.anon, t.file, t.kernel, t.other, t.swap];
    let sign = |word: Words, y: &'static str, class: Option<&'static str>| {
        html! { <text {y} class={classes!("use-sign", class)} ref={paint.word(word)}></text> }
    };
    let has_pressure = board.facts.memory.is_some_and(|memory| memory.pressure);
    html! {
        <>
            <h2 class="cpu-head">{t.memory}<span class="legend">
                {for names.into_iter().zip(BANDS).enumerate().map(|(part, (word, name))| html! {
                    <span key={name} class={format!("key key-{name}")}>{word}{" "}<span class="num" ref={paint.part(part)}></span></span>
                })}
            </span></h2>
            {svg(board, Ink::Memory, MEMORY, "uses-memory", html! {
                <>
                    <text class="cpu-mark" x="-8" y="12" ref={paint.word(Words::MemoryTop)}></text>
                    <text class="cpu-mark is-quota" x="-8" y="12" ref={paint.word(Words::MemoryMark)}></text>
                    {for BANDS.iter().enumerate().map(|(part, name)| html! {
                        <path key={*name} class={format!("band band-{name}")} ref={paint.band(part)} />
                    })}
                    <path class="use-high" ref={paint.ink(Ink::High)} />
                    <path class="use-max" ref={paint.ink(Ink::Max)} />
                    {sign(Words::AtLimit, "16", None)}
                    {sign(Words::Slowed, "16", None)}
                    {sign(Words::Killed, "34", Some("is-bad"))}
                    <path class="time-cursor" ref={paint.ink(Ink::MemoryCursor)} />
                </>
            })}
            {strip(board, [Ink::MemoryStrip, Ink::MemorySome, Ink::MemoryFull], t.pressure, has_pressure)}
        </>
    }
}

/// Processes against their limit, refused forks as signs.
pub(super) fn pids(board: &Board<'_>) -> Html {
    let (t, paint) = (words::words(board.ui.lang), board.paint);
    html! {
        <>
            <h2 class="cpu-head">{t.pids}</h2>
            {svg(board, Ink::Pids, PIDS, "uses-pids", html! {
                <>
                    <text class="cpu-mark" x="-8" y="12" ref={paint.word(Words::PidsTop)}></text>
                    <text class="cpu-mark is-quota" x="-8" y="12" ref={paint.word(Words::PidsMark)}></text>
                    <path class="band band-anon" ref={paint.ink(Ink::PidsArea)} />
                    <path class="use-max" ref={paint.ink(Ink::PidsMax)} />
                    <text y="16" class="use-sign is-bad" ref={paint.word(Words::Refused)}></text>
                    <path class="time-cursor" ref={paint.ink(Ink::PidsCursor)} />
                </>
            })}
        </>
    }
}

/// Reads and writes a second of the device that is used most, against its limits.
pub(super) fn io(board: &Board<'_>) -> Html {
    let (t, paint) = (words::words(board.ui.lang), board.paint);
    let io = board.facts.io.as_ref();
    let has_pressure = io.is_some_and(|io| io.counted);
    html! {
        <>
            <h2 class="cpu-head">{t.io}<span class="legend" aria-hidden="true">
                <span class="key key-read">{t.read}</span>
                <span class="key key-written">{t.written}</span>
                <span class="key key-high">{t.max}</span>
            </span></h2>
            {svg(board, Ink::Io, IO, "uses-io", html! {
                <>
                    <text class="cpu-mark" x="-8" y="12" ref={paint.word(Words::IoTop)}></text>
                    <path class="use-high" ref={paint.ink(Ink::ReadMax)} />
                    <path class="use-high" ref={paint.ink(Ink::WrittenMax)} />
                    <path class="use-read" ref={paint.ink(Ink::Read)} />
                    <path class="use-written" ref={paint.ink(Ink::Written)} />
                    <path class="time-cursor" ref={paint.ink(Ink::IoCursor)} />
                </>
            })}
            {strip(board, [Ink::IoStrip, Ink::IoSome, Ink::IoFull], t.io_pressure, has_pressure)}
        </>
    }
}

/// One picture; the time cursor follows the pointer over any of them.
fn svg(board: &Board<'_>, ink: Ink, height: f64, test: &'static str, inside: Html) -> Html {
    let (paint, (width, scale)) = (board.paint, board.size);
    let onpointermove = {
        let paint = paint.clone();
        Callback::from(move |event: PointerEvent| {
            if let Some((_, x, _)) = place(&paint.ink(ink), &event, scale) {
                paint.point(Some(x / paint.width()));
            }
        })
    };
    let onpointerleave = {
        let paint = paint.clone();
        Callback::from(move |_: PointerEvent| paint.point(None))
    };
    html! {
        <svg class="uses-svg" height={(height * scale).to_string()} viewBox={view_box(width, height)} preserveAspectRatio="none"
            role="img" ref={paint.ink(ink)} data-test={test} {onpointermove} {onpointerleave}>{inside}</svg>
    }
}

/// The strip of pressure below a picture, where the kernel tells it.
fn strip(board: &Board<'_>, inks: [Ink; 3], label: &'static str, told: bool) -> Html {
    let (paint, (width, scale)) = (board.paint, board.size);
    let t = words::words(board.ui.lang);
    html! {
        <svg class="uses-svg uses-psi" hidden={!told} height={(STRIP * scale).to_string()} viewBox={view_box(width, STRIP)}
            preserveAspectRatio="none" role="img" aria-label={label} ref={paint.ink(inks[0])}>
            <title>{label}</title>
            <text class="cpu-mark" x="-8" y="13">{t.row_pressure}</text>
            <path class="psi-some" ref={paint.ink(inks[1])} />
            <path class="psi-full" ref={paint.ink(inks[2])} />
        </svg>
    }
}
