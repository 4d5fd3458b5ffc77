//! How it was born: the steps with their milliseconds, as a list of small bars.

use vitrine_shared::message::Step;
use yew::prelude::*;

use crate::format;
use crate::text::{born_in, step};
use crate::ui::Ui;

/// The steps.
pub(crate) fn birth(ui: &Ui, container: &[Step], machine: &[Step]) -> Html {
    let t = ui.lab();
    let longest = container.iter().chain(machine).map(|step| step.took_usec).max();
    let longest = f64::from(longest.unwrap_or(1).max(1));
    html! {
        <div class="birth" data-test="steps">
            {list(ui, t.steps_container, container, longest)}
            {list(ui, t.steps_machine, machine, longest)}
        </div>
    }
}

fn list(ui: &Ui, title: &'static str, steps: &[Step], longest: f64) -> Html {
    let whole: u64 = steps.iter().map(|step| u64::from(step.took_usec)).sum();
    html! {
        <div class="steps">
            <h3>{title}{" "}<span class="muted">{born_in(ui.lang, &format::msec(whole))}</span></h3>
            <p class="muted" hidden={!steps.is_empty()}>{ui.lab().steps_empty}</p>
            <ol>{for steps.iter().enumerate().map(|(at, one)| html! {
                <li key={at} title={one.call.clone()}>
                    <span class="step-name">{step::step(ui.lang, one.name)}</span>
                    <span class="step-time number">{format::msec(u64::from(one.took_usec))}{" ms"}</span>
                    <svg class="step-bar" width="100%" height="4" aria-hidden="true">
                        <rect class="step-took" width={share(one.took_usec, longest)} height="4" rx="1" />
                    </svg>
                </li>
            })}</ol>
        </div>
    }
}

fn share(usec: u32, longest: f64) -> String {
    format!("{:.1}%", (f64::from(usec) / longest * 100.0).max(0.5))
}
