//! The flag forge: which namespaces are new. Each switch is the pane of glass that it makes.

use vitrine_shared::id::MachineId;
use vitrine_shared::message::Command;
use vitrine_shared::namespace::{Namespace, NamespaceSet};
use vitrine_shared::spec::ContainerSpec;
use yew::prelude::*;

use super::parts::{Letter, TroubleText};
use crate::place::{Place, Trouble};
use crate::text::kernel;
use crate::ui::{Ui, input_text, use_desk, use_ui};

/// Where the container will be.
#[derive(Properties, PartialEq)]
pub(crate) struct Props {
    pub(crate) machine: Option<MachineId>,
    /// Why it cannot be started now; `None` when it can.
    pub(crate) why: Option<Html>,
    pub(crate) starting: bool,
    pub(crate) trouble: Option<Trouble>,
    /// Goes back without starting; `None` where there is nothing to go back to.
    pub(crate) cancel: Option<Callback<()>>,
}

/// What has been chosen. A choice that cannot hold is kept for when it can again.
#[derive(Clone, Debug, PartialEq)]
struct Choice {
    namespaces: NamespaceSet,
    remount: bool,
    hostname: String,
}

impl Choice {
    fn spec(&self) -> ContainerSpec {
        let hostname = self.hostname.trim().to_string();
        let named = self.namespaces.has(Namespace::Uts) && !hostname.is_empty();
        ContainerSpec {
            namespaces: self.namespaces,
            remount_proc: self.remount && self.namespaces.has(Namespace::Mount),
            hostname: named.then_some(hostname),
            ..ContainerSpec::one_click()
        }
    }
}

/// The forge.
#[component]
pub(crate) fn Forge(props: &Props) -> Html {
    let (ui, desk) = (use_ui(), use_desk());
    let t = ui.t();
    let choice = use_state_eq(|| Choice {
        namespaces: NamespaceSet::ALL,
        remount: true,
        hostname: "container".into(),
    });
    let ready = props.why.is_none() && !props.starting;
    let start = {
        let (spec, machine) = (choice.spec(), props.machine);
        Callback::from(move |event: SubmitEvent| {
            event.prevent_default();
            if ready {
                desk.send.emit(Command::StartContainer { machine, spec: spec.clone() });
            }
        })
    };
    let all = |namespaces: NamespaceSet| {
        let choice = choice.clone();
        Callback::from(move |_: MouseEvent| choice.set(Choice { namespaces, ..(*choice).clone() }))
    };
    html! {
        <section class="forge" aria-labelledby="forge-title">
            <h1 id="forge-title">{t.forge_question}</h1>
            <p class="lead">{t.forge_lead}</p>
            <form onsubmit={start}>
                <div class="panes" role="group" aria-labelledby="forge-title">
                    {for Namespace::ALL.into_iter().map(|namespace| pane(&ui, &choice, namespace))}
                </div>
                <div class="forge-more">
                    {remount(&ui, &choice)}
                    {hostname(&ui, &choice)}
                </div>
                <div class="forge-buttons">
                    <button type="submit" class="large" data-test="forge-start" aria-describedby="forge-why"
                        aria-disabled={(!ready).to_string()}>
                        {if props.starting { t.starting } else { t.start_button }}</button>
                    <button type="button" class="plain" onclick={all(NamespaceSet::ALL)}>{t.all_on}</button>
                    <button type="button" class="plain" onclick={all(NamespaceSet::NONE)}>{t.all_off}</button>
                    {props.cancel.as_ref().map(|cancel| html! {
                        <button key="cancel" type="button" class="plain"
                            onclick={cancel.reform(|_: MouseEvent| ())}>{t.cancel}</button>
                    })}
                </div>
                <div id="forge-why" class="why" hidden={props.why.is_none()}>
                    {props.why.clone().unwrap_or_default()}
                </div>
                <TroubleText place={Place::Start} trouble={props.trouble.clone()} />
            </form>
        </section>
    }
}

fn pane(ui: &Ui, choice: &UseStateHandle<Choice>, namespace: Namespace) -> Html {
    let on = choice.namespaces.has(namespace);
    let name = namespace.option();
    let flip = {
        let choice = choice.clone();
        Callback::from(move |_: Event| {
            let namespaces = choice.namespaces.with(namespace, !choice.namespaces.has(namespace));
            choice.set(Choice { namespaces, ..(*choice).clone() });
        })
    };
    html! {
        <label key={name} class={classes!("pane", format!("ns-{name}"), on.then_some("is-on"))}>
            <span class="pane-head">
                <Letter {namespace} />
                <span class="pane-name">{kernel::namespace_name(ui.lang, namespace)}</span>
                <code class="pane-flag">{namespace.flag_name()}</code>
                <input type="checkbox" role="switch" class="switch" data-test={format!("forge-{name}")}
                    checked={on} onchange={flip} aria-describedby={format!("pane-{name}")} />
            </span>
            <span class="pane-meaning" id={format!("pane-{name}")}>
                {kernel::namespace_meaning(ui.lang, namespace)}
            </span>
        </label>
    }
}

fn remount(ui: &Ui, choice: &UseStateHandle<Choice>) -> Html {
    let t = ui.t();
    let possible = choice.namespaces.has(Namespace::Mount);
    let on = possible && choice.remount;
    let flip = {
        let choice = choice.clone();
        Callback::from(move |_: Event| {
            choice.set(Choice { remount: !choice.remount, ..(*choice).clone() });
        })
    };
    let words = match (possible, on) {
        (false, _) => t.remount_needs_mount,
        (true, true) => t.remount_on,
        (true, false) => t.remount_off,
    };
    html! {
        <div class="more">
            <label class="more-head">
                <input type="checkbox" role="switch" class="switch" data-test="forge-proc" checked={on}
                    disabled={!possible} onchange={flip} aria-describedby="forge-proc-words" />
                <span>{t.remount_proc}</span>
            </label>
            <p class="muted" id="forge-proc-words">{words}</p>
        </div>
    }
}

fn hostname(ui: &Ui, choice: &UseStateHandle<Choice>) -> Html {
    let t = ui.t();
    let possible = choice.namespaces.has(Namespace::Uts);
    let typed = {
        let choice = choice.clone();
        Callback::from(move |event: InputEvent| {
            choice.set(Choice { hostname: input_text(&event), ..(*choice).clone() });
        })
    };
    html! {
        <div class="more">
            <label class="more-head">
                <span>{t.hostname}</span>
                <input type="text" data-test="forge-hostname" value={choice.hostname.clone()} maxlength="64"
                    autocomplete="off" spellcheck="false" disabled={!possible} oninput={typed}
                    aria-describedby="forge-hostname-words" />
            </label>
            <p class="muted" id="forge-hostname-words">
                {if possible { "" } else { t.hostname_needs_uts }}
            </p>
        </div>
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn choice(namespaces: NamespaceSet) -> Choice {
        Choice { namespaces, remount: true, hostname: "box".into() }
    }

    #[test]
    fn every_set_of_switches_makes_a_sound_spec() {
        for bits in 0..=255_u8 {
            let set = Namespace::ALL
                .into_iter()
                .enumerate()
                .fold(NamespaceSet::NONE, |set, (at, ns)| set.with(ns, bits & (1 << at) != 0));
            assert_eq!(choice(set).spec().check(), Ok(()), "{set:?}");
        }
    }

    #[test]
    fn all_on_is_the_one_click_container() {
        let mut chosen = choice(NamespaceSet::ALL);
        chosen.hostname = "container".into();
        assert_eq!(chosen.spec(), ContainerSpec::one_click());
    }
}
