//! A limit as a number field: what is typed stays until the kernel has it.

use vitrine_shared::cgroup::{GroupId, Knob};
use vitrine_shared::id::MachineId;
use vitrine_shared::message::Command;
use yew::prelude::*;

use crate::text::uses as words;
use crate::ui::{input_text, use_desk, use_ui};

/// One limit.
#[derive(Properties, PartialEq)]
pub(super) struct Props {
    /// What tests know it by.
    pub(super) name: &'static str,
    /// For who cannot see what stands beside it.
    pub(super) label: &'static str,
    pub(super) short: &'static str,
    pub(super) unit: &'static str,
    /// What one of the unit is.
    pub(super) scale: u64,
    /// As the kernel has it; `None` is no limit.
    pub(super) value: Option<u64>,
    /// The knob that sets it.
    pub(super) knob: Callback<Option<u64>, Knob>,
    pub(super) machine: MachineId,
    pub(super) group: GroupId,
    pub(super) may_change: bool,
}

/// A field, and its button.
#[component]
pub(super) fn LimitField(props: &Props) -> Html {
    let (ui, desk) = (use_ui(), use_desk());
    let t = words::words(ui.lang);
    let draft = use_state_eq(|| None::<String>);
    let wrong = use_state_eq(|| false);
    {
        let draft = draft.clone();
        // What the kernel says is what stands there.
        use_effect_with(props.value, move |_| draft.set(None));
    }
    let value = props.value.map(|value| value.div_ceil(props.scale).to_string());
    let shown = (*draft).clone().or(value).unwrap_or_default();
    let oninput = {
        let (draft, wrong) = (draft.clone(), wrong.clone());
        Callback::from(move |event: InputEvent| {
            wrong.set(false);
            draft.set(Some(input_text(&event)));
        })
    };
    let onsubmit = {
        let (wrong, send, knob, asked) =
            (wrong.clone(), desk.send.clone(), props.knob.clone(), parse(&shown, props.scale));
        let (machine, group) = (props.machine, props.group);
        Callback::from(move |event: SubmitEvent| {
            event.prevent_default();
            wrong.set(asked.is_none());
            if let Some(limit) = asked {
                send.emit(Command::SetKnob { machine, group, knob: knob.emit(limit) });
            }
        })
    };
    let id = format!("{}-wrong", props.name);
    html! {
        <form class="quota" {onsubmit}>
            <label class="field">
                <span>{props.short}</span>
                <input type="text" inputmode="numeric" autocomplete="off" data-test={props.name}
                    value={shown} placeholder={t.no_limit} aria-label={props.label}
                    aria-describedby={id.clone()} aria-invalid={wrong.to_string()}
                    disabled={!props.may_change} {oninput} />
                <span class="unit">{props.unit}</span>
            </label>
            <button type="submit" data-test={format!("{}-set", props.name)}
                aria-label={format!("{}: {}", t.set, props.label)} disabled={!props.may_change}>{t.set}</button>
            <p class="trouble" {id} role="alert" hidden={!*wrong}>
                <span aria-hidden="true">{"✕ "}</span>{t.bad_number}
            </p>
        </form>
    }
}

/// A limit in the kernel's unit; `Some(None)` is no limit. Ranges are the server's to check.
fn parse(text: &str, scale: u64) -> Option<Option<u64>> {
    match text.trim() {
        "" | "max" | "-1" => Some(None),
        number => {
            let number = number.parse::<u64>().ok().filter(|number| *number > 0)?;
            Some(Some(number.checked_mul(scale)?))
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_limit_or_none_or_nonsense() {
        assert_eq!(parse(" 24 ", 1 << 20), Some(Some(24 << 20)));
        assert_eq!(parse("", 1), Some(None));
        assert_eq!(parse("max", 1), Some(None));
        assert_eq!(parse("0", 1), None);
        assert_eq!(parse("1.5", 1), None);
        assert_eq!(parse("18446744073709551615", 2), None);
    }
}
