//! The last minute in numbers, latest first, for who cannot see the pictures.

use std::rc::Rc;

use gloo::timers::callback::Interval;
use yew::prelude::*;

use super::paint::Paint;
use crate::format;
use crate::text::uses as words;
use crate::ui::use_ui;
use crate::uses::{SPAN_NSEC, moment};

/// Time between two lines.
const STEP_NSEC: u64 = 5_000_000_000;
const SECOND_NSEC: u64 = 1_000_000_000;

#[derive(Properties)]
pub(super) struct Props {
    pub(super) paint: Rc<Paint>,
}

impl PartialEq for Props {
    fn eq(&self, other: &Self) -> bool {
        Rc::ptr_eq(&self.paint, &other.paint)
    }
}

/// A line for each five seconds, renewed each second.
#[component]
pub(super) fn Table(props: &Props) -> Html {
    let t = words::words(use_ui().lang);
    let tick = use_force_update();
    use_effect_with((), move |()| {
        let timer = Interval::new(1_000, move || tick.force_update());
        move || drop(timer)
    });
    let track = props.paint.shown();
    let lines = (0..SPAN_NSEC / STEP_NSEC).filter_map(|at| moment(&track, at * STEP_NSEC));
    let bytes = |bytes: Option<u64>| bytes.map_or_else(|| "–".into(), format::bytes);
    let limit = |limit: Option<Option<u64>>, say: fn(u64) -> String| match limit {
        None => "–".into(),
        Some(None) => t.no_limit.into(),
        Some(Some(limit)) => say(limit),
    };
    let heads = [
        t.ago,
        t.in_use,
        t.memory_max,
        t.anon,
        t.file,
        t.kernel,
        t.other,
        t.swap,
        t.running,
        t.pids_max,
        t.read,
        t.written,
    ];
    html! {
        <div class="uses-scroll" tabindex="0" role="group" aria-label={t.table}>
            <table class="uses-table" data-test="uses-table">
                <caption class="visually-hidden">{t.table}</caption>
                <thead><tr>{for heads.iter().enumerate().map(|(at, head)| html! { <th key={at} scope="col">{*head}</th> })}</tr></thead>
                <tbody>{for lines.map(|line| {
                    let ago = line.ago_nsec / SECOND_NSEC;
                    let mut cells = vec![
                        bytes(line.memory.map(|(used, ..)| used)),
                        limit(line.memory.map(|(.., max)| max), format::bytes),
                    ];
                    cells.extend((0..5).map(|part| bytes(line.memory.map(|(_, parts, _)| parts.stack()[part]))));
                    cells.push(line.pids.map_or_else(|| "–".into(), |(now, _)| now.to_string()));
                    cells.push(limit(line.pids.map(|(_, max)| max), |max| max.to_string()));
                    cells.push(bytes(line.io.map(|(read, _)| read)));
                    cells.push(bytes(line.io.map(|(_, written)| written)));
                    html! {
                        <tr key={ago}><th scope="row">{ago}</th>
                            {for cells.into_iter().enumerate().map(|(at, cell)| html! { <td key={at}>{cell}</td> })}
                        </tr>
                    }
                })}</tbody>
            </table>
        </div>
    }
}
