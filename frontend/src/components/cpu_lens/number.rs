//! A number field: what was typed stays while samples come, until it is entered or left.

use yew::prelude::*;

use crate::ui::input_text;

/// What the field shows.
#[derive(Properties, PartialEq)]
pub(super) struct Props {
    pub(super) word: &'static str,
    /// For those who do not see what stands around it.
    #[prop_or_default]
    pub(super) label: Option<String>,
    pub(super) test: &'static str,
    pub(super) value: u64,
    pub(super) min: u32,
    #[prop_or(1)]
    pub(super) step: u32,
    #[prop_or_default]
    pub(super) hidden: bool,
    #[prop_or_default]
    pub(super) disabled: bool,
    /// A number was entered.
    pub(super) enter: Callback<u64>,
}

/// The field.
#[component]
pub(super) fn Number(props: &Props) -> Html {
    let draft = use_state_eq(|| None::<String>);
    // What was typed meanwhile is not of this value.
    let held = draft.clone();
    use_effect_with((props.value, draft.clone()), move |(value, draft)| {
        if draft.as_deref().is_some_and(|typed| typed.trim().parse() == Ok(*value)) {
            held.set(None);
        }
    });
    let typed = {
        let draft = draft.clone();
        Callback::from(move |event: InputEvent| draft.set(Some(input_text(&event))))
    };
    let enter = {
        let enter = props.enter.clone();
        Callback::from(move |event: Event| {
            if let Ok(number) = input_text(&event).trim().parse() {
                enter.emit(number);
            }
        })
    };
    let left = {
        let draft = draft.clone();
        Callback::from(move |_: FocusEvent| draft.set(None))
    };
    let value = (*draft).clone().unwrap_or_else(|| props.value.to_string());
    html! {
        <label class="field" hidden={props.hidden}><span>{props.word}</span>
            <input type="number" min={props.min.to_string()} step={props.step.to_string()} data-test={props.test}
                aria-label={props.label.clone()} disabled={props.disabled} {value} oninput={typed} onchange={enter} onblur={left} />
        </label>
    }
}
