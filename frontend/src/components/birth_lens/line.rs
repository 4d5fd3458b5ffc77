//! The steps on a line, as long as they took.

use vitrine_shared::birth::Frame;
use yew::prelude::*;

use super::Go;
use crate::birth::{MIN_WIDTH, bars};
use crate::format;
use crate::text::{birth as words, step};
use crate::ui::Ui;

/// Height of the bars, in pixels.
const HEIGHT: f64 = 32.0;
/// A bar so wide has room for its number.
const NUMBERED: f64 = 22.0;

/// The line: a slider with one place a step.
pub(super) fn line(
    ui: &Ui,
    frames: &[Frame<'_>],
    at: usize,
    (width, logarithmic): (f64, bool),
    go: &Callback<Go>,
) -> Html {
    let t = words::words(ui.lang);
    let steps: Vec<_> = frames.iter().map(|frame| frame.step.clone()).collect();
    let bars = bars(&steps, width, logarithmic);
    let stretched = bars.iter().filter(|bar| bar.stretched).count();
    let whole: u64 = steps.iter().map(|step| u64::from(step.took_usec)).sum();
    let scale = match logarithmic {
        true => t.log_scale.to_owned(),
        false => words::to_scale(ui.lang, stretched, MIN_WIDTH),
    };
    let name = |frame: &Frame<'_>| step::step(ui.lang, frame.step.name);
    let said = format!("{} · {}", words::place(ui.lang, at + 1, frames.len()), name(&frames[at]));
    html! {
        <>
            <div class="birth-slider" role="slider" tabindex="0" aria-label={t.line} aria-valuemin="1"
                aria-valuemax={frames.len().to_string()} aria-valuenow={(at + 1).to_string()}
                aria-valuetext={said} data-test="birth-slider">
                <svg class="birth-bars" width="100%" height={(HEIGHT + 8.0).to_string()} aria-hidden="true">
                    {for bars.iter().zip(frames).enumerate().map(|(index, (bar, frame))| {
                        let class = classes!("birth-bar", place(index, at), frame.failed.then_some("is-failed"),
                            bar.stretched.then_some("is-stretched"));
                        let title = format!("{} · {} · {} ms", index + 1, name(frame),
                            format::msec(u64::from(frame.step.took_usec)));
                        html! {
                            <g key={index} {class} data-usec={frame.step.took_usec.to_string()}
                                onclick={go.reform(move |_: MouseEvent| Go::To(index))}>
                                <title>{title}</title>
                                <rect x={px(bar.x)} y="4" width={px(bar.width)} height={px(HEIGHT)} rx="2" />
                                {(bar.width >= NUMBERED).then(|| html! {
                                    <text x={px(bar.x + bar.width / 2.0)} y={px(HEIGHT / 2.0 + 9.0)} text-anchor="middle">{index + 1}</text>
                                })}
                            </g>
                        }
                    })}
                </svg>
            </div>
            <div class="birth-scale muted">
                <span>{"0"}</span>
                <span data-test="birth-scale">{scale}</span>
                <span class="number">{format::msec(whole)}{" ms"}</span>
            </div>
        </>
    }
}

fn px(value: f64) -> String {
    format!("{value:.1}")
}

fn place(index: usize, at: usize) -> &'static str {
    match index.cmp(&at) {
        std::cmp::Ordering::Less => "is-past",
        std::cmp::Ordering::Equal => "is-now",
        std::cmp::Ordering::Greater => "is-later",
    }
}
