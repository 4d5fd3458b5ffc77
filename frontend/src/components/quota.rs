//! Quota and period: a slider and two number fields. What was typed stays until it holds.

use vitrine_shared::cgroup::{GroupId, Knob};
use vitrine_shared::id::MachineId;
use vitrine_shared::message::Command;
use yew::prelude::*;

use super::parts::TroubleText;
use crate::format;
use crate::place::{Place, Trouble};
use crate::text::percent_of_one;
use crate::ui::{input_text, use_desk, use_ui};

/// What the controls show.
#[derive(Properties, PartialEq)]
pub(crate) struct Props {
    pub(crate) machine: MachineId,
    pub(crate) group: GroupId,
    pub(crate) quota_usec: Option<u64>,
    pub(crate) period_usec: u64,
    /// As far as the slider goes, in per cent of one CPU.
    #[prop_or(100)]
    pub(crate) most: u32,
    /// What a hand asks for and the kernel does not have yet, in thousandths of one CPU.
    pub(crate) wanted: Option<u32>,
    /// Asks for a share, in thousandths of one CPU.
    pub(crate) want: Callback<u32>,
    pub(crate) may_change: bool,
    pub(crate) trouble: Option<Trouble>,
}

/// What has been typed and does not hold yet.
#[derive(Clone, Debug, Default, PartialEq)]
struct Draft {
    quota: Option<String>,
    period: Option<String>,
}

/// Quota and period.
#[component]
pub(crate) fn Quota(props: &Props) -> Html {
    let (ui, desk) = (use_ui(), use_desk());
    let t = ui.lab();
    let draft = use_state_eq(Draft::default);
    let wrong = use_state_eq(|| false);
    let quota = props.quota_usec.map(|quota| quota.to_string()).unwrap_or_default();
    let period = props.period_usec.to_string();
    let held = (quota.clone(), period.clone(), draft.clone());
    use_effect_with(held, |(quota, period, draft)| {
        let holds = |typed: &Option<String>, now: &str| typed.as_deref().is_none_or(|t| t == now);
        if holds(&draft.quota, quota) && holds(&draft.period, period) {
            draft.set(Draft::default());
        }
    });
    let shown_quota = draft.quota.clone().unwrap_or(quota);
    let shown_period = draft.period.clone().unwrap_or(period);
    let group = props.group;
    let machine = props.machine;
    let set = {
        let (asked, wrong) = (parse(&shown_quota, &shown_period), wrong.clone());
        let send = desk.send.clone();
        Callback::from(move |event: SubmitEvent| {
            event.prevent_default();
            wrong.set(asked.is_none());
            if let Some(knob) = asked.clone() {
                send.emit(Command::SetKnob { machine, group, knob });
            }
        })
    };
    let lift = {
        let (draft, period_usec) = (draft.clone(), props.period_usec);
        Callback::from(move |_: MouseEvent| {
            draft.set(Draft::default());
            let knob = Knob::CpuMax { quota_usec: None, period_usec };
            desk.send.emit(Command::SetKnob { machine, group, knob });
        })
    };
    let invalid = (*wrong || props.trouble.is_some()).to_string();
    html! {
        <form class="quota" onsubmit={set}>
            {slider(props, &ui)}
            <label class="field">
                <span>{t.quota}</span>
                <input type="text" inputmode="numeric" data-test="quota" autocomplete="off"
                    value={shown_quota} placeholder={t.no_limit} disabled={!props.may_change}
                    aria-label={t.quota_field} aria-describedby="quota-wrong quota-trouble"
                    aria-invalid={invalid.clone()} oninput={typed(&draft, &wrong, |draft, text| draft.quota = Some(text))} />
            </label>
            <label class="field">
                <span>{t.period}</span>
                <input type="text" inputmode="numeric" data-test="period" autocomplete="off"
                    value={shown_period} disabled={!props.may_change}
                    aria-label={t.period_field} aria-describedby="quota-wrong quota-trouble"
                    aria-invalid={invalid} oninput={typed(&draft, &wrong, |draft, text| draft.period = Some(text))} />
                <span class="unit">{t.usec}</span>
            </label>
            <button type="submit" data-test="quota-set" disabled={!props.may_change}>{t.apply}</button>
            <button type="button" class="plain" data-test="quota-lift" onclick={lift}
                disabled={!props.may_change || props.quota_usec.is_none()}>{t.lift}</button>
            <p class="trouble" id="quota-wrong" role="alert" hidden={!*wrong}>
                <span aria-hidden="true">{"✕ "}</span>{t.bad_number}
            </p>
            <TroubleText place={Place::Quota(group)} trouble={props.trouble.clone()} id="quota-trouble" />
        </form>
    }
}

fn slider(props: &Props, ui: &crate::ui::Ui) -> Html {
    let measured = crate::history::permille(props.quota_usec, props.period_usec);
    let permille = props.wanted.or(measured);
    let most = props.most;
    let value = permille.map_or(most, |permille| (permille / 10).clamp(1, most));
    let words = match permille {
        Some(permille) => percent_of_one(ui.lang, &format::short_percent(permille)),
        None => ui.lab().no_limit.into(),
    };
    let oninput = props.want.reform(move |event: InputEvent| {
        input_text(&event).parse::<u32>().unwrap_or(most).clamp(1, most) * 10
    });
    html! {
        <label class="slider">
            <span class="slider-words">{&words}</span>
            <input type="range" min="1" max={most.to_string()} step="1" data-test="quota-slider"
                value={value.to_string()} aria-label={ui.lab().quota_slider} aria-valuetext={words}
                disabled={!props.may_change} {oninput} />
        </label>
    }
}

fn typed(
    draft: &UseStateHandle<Draft>,
    wrong: &UseStateHandle<bool>,
    put: impl Fn(&mut Draft, String) + 'static,
) -> Callback<InputEvent> {
    let (draft, wrong) = (draft.clone(), wrong.clone());
    Callback::from(move |event: InputEvent| {
        wrong.set(false);
        let mut next = (*draft).clone();
        put(&mut next, input_text(&event));
        draft.set(next);
    })
}

/// The knob that two texts ask for; ranges are the server's to check.
fn parse(quota: &str, period: &str) -> Option<Knob> {
    let quota_usec = match quota.trim() {
        "" | "-1" | "max" => None,
        number => Some(number.parse().ok()?),
    };
    Some(Knob::CpuMax { quota_usec, period_usec: period.trim().parse().ok()? })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn both_dialects_words_for_no_limit_are_understood() {
        for none in ["", " ", "-1", "max"] {
            let knob = Knob::CpuMax { quota_usec: None, period_usec: 100_000 };
            assert_eq!(parse(none, "100000"), Some(knob), "{none:?}");
        }
        assert_eq!(parse("20000.5", "100000"), None);
        assert_eq!(parse("20000", "much"), None);
        let knob = Knob::CpuMax { quota_usec: Some(20_000), period_usec: 50_000 };
        assert_eq!(parse(" 20000", "50000 "), Some(knob));
    }
}
