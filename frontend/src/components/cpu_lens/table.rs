//! The last samples in numbers, for who cannot see the picture.

use std::rc::Rc;

use gloo::timers::callback::Interval;
use yew::prelude::*;

use super::paint::Paint;
use crate::text::cpu_lens::words;
use crate::ui::use_ui;

/// Samples in the table.
const ROWS: usize = 20;

#[derive(Properties)]
pub(super) struct Props {
    pub(super) paint: Rc<Paint>,
    pub(super) paused: bool,
}

impl PartialEq for Props {
    fn eq(&self, other: &Self) -> bool {
        Rc::ptr_eq(&self.paint, &other.paint) && self.paused == other.paused
    }
}

/// The last samples in numbers, renewed each second.
#[component]
pub(super) fn Table(props: &Props) -> Html {
    let ui = use_ui();
    let w = words(ui.lang);
    let tick = use_force_update();
    use_effect_with((), move |()| {
        let timer = Interval::new(1_000, move || tick.force_update());
        move || drop(timer)
    });
    html! {
        <div class="cpu-table" tabindex="0" role="region" aria-label={w.table}>
            <table data-test="cpu-table">
                <caption>{w.table}</caption>
                <thead><tr>{for [w.col_ago, w.col_used, w.col_periods, w.col_throttled, w.col_ran, w.col_waited].map(|word| html! {
                    <th key={word} scope="col">{word}</th>
                })}</tr></thead>
                <tbody>{for props.paint.rows(ROWS).into_iter().enumerate().map(|(at, row)| html! {
                    <tr key={at}>
                        <td>{format!("{:.0}", row.ago_msec)}</td>
                        <td>{format!("{:.1}", row.permille / 10.0)}</td>
                        <td>{row.periods}</td>
                        <td>{row.throttled}</td>
                        <td>{format!("{:.1}", row.ran_msec)}</td>
                        <td>{format!("{:.1}", row.waited_msec)}</td>
                    </tr>
                })}</tbody>
            </table>
        </div>
    }
}
