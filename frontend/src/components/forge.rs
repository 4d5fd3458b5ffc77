//! The flag forge: which namespaces are new. Each switch is the pane of glass that it makes.

mod program;

use std::rc::Rc;

use vitrine_shared::id::MachineId;
use vitrine_shared::message::{Feature, HostInfo, Profile};
use vitrine_shared::namespace::{Namespace, NamespaceSet};
use vitrine_shared::spec::{ContainerSpec, Rootfs};
use yew::prelude::*;

use super::parts::{TroubleText, letter};
use super::profile::{begin, offered, profile_choice};
use crate::command_line;
use crate::host::{lacks, program_of};
use crate::place::{Place, Trouble};
use crate::text::{forge, host as words, kernel};
use crate::ui::{Ui, input_text, use_desk, use_ui};

/// Where the container will be.
#[derive(Properties, PartialEq)]
pub(crate) struct Props {
    pub(crate) machine: Option<MachineId>,
    pub(crate) host: Option<Rc<HostInfo>>,
    /// Why it cannot be started now; `None` when it can.
    pub(crate) why: Option<Html>,
    pub(crate) starting: bool,
    pub(crate) trouble: Option<Trouble>,
    /// What the container that runs hides and what leaks.
    pub(crate) evidence: Html,
    /// Goes back without starting; `None` where there is nothing to go back to.
    pub(crate) cancel: Option<Callback<()>>,
}

/// What has been chosen. A choice that cannot hold is kept for when it can again.
#[derive(Clone, Debug, PartialEq)]
struct Choice {
    namespaces: NamespaceSet,
    remount: bool,
    hostname: String,
    rootfs: Rootfs,
    /// As it was typed; `None` for the program that goes with the root file system.
    program: Option<String>,
    profile: Option<Profile>,
}

impl Choice {
    /// All eight, as the large button starts it.
    fn first() -> Self {
        Choice {
            namespaces: NamespaceSet::ALL,
            remount: true,
            hostname: "container".into(),
            rootfs: Rootfs::Busybox,
            program: None,
            profile: None,
        }
    }

    fn namespaces_on(&self, host: Option<&HostInfo>) -> NamespaceSet {
        let no_time = lacks(host, Feature::TimeNamespaces).is_some();
        let time = self.namespaces.has(Namespace::Time) && !no_time;
        self.namespaces.with(Namespace::Time, time)
    }

    fn rootfs_on(&self, host: Option<&HostInfo>) -> Rootfs {
        match self.rootfs {
            Rootfs::Busybox if lacks(host, Feature::Busybox).is_some() => Rootfs::Lab,
            _ => self.rootfs.clone(),
        }
    }

    /// What to start; `None` when the program cannot be read.
    fn spec(&self, host: Option<&HostInfo>) -> Option<ContainerSpec> {
        let (namespaces, rootfs) = (self.namespaces_on(host), self.rootfs_on(host));
        let argv = match &self.program {
            Some(line) => command_line::split(line)?,
            None => vec![program_of(&rootfs).into()],
        };
        let hostname = self.hostname.trim().to_string();
        let named = namespaces.has(Namespace::Uts) && !hostname.is_empty();
        Some(ContainerSpec {
            namespaces,
            remount_proc: self.remount && namespaces.has(Namespace::Mount),
            hostname: named.then_some(hostname),
            rootfs,
            argv,
            ..ContainerSpec::one_click()
        })
    }
}

/// The forge.
#[component]
pub(crate) fn Forge(props: &Props) -> Html {
    let (ui, desk) = (use_ui(), use_desk());
    let (t, common) = (forge::words(ui.lang), ui.t());
    let choice = use_state_eq(Choice::first);
    let host = props.host.as_deref();
    let spec = choice.spec(host);
    let profiles = offered(host, props.machine);
    let profile = choice.profile.or(profiles.first().copied()).unwrap_or(Profile::Strict);
    let ready = props.why.is_none() && !props.starting && spec.is_some();
    let wrong = spec.is_none();
    let start = {
        let (spec, machine) = (spec.clone(), props.machine);
        // The first one is what a machine has when none is named.
        let named = (profiles.first() != Some(&profile)).then_some(profile);
        let named = named.filter(|_| !profiles.is_empty());
        Callback::from(move |event: SubmitEvent| {
            event.prevent_default();
            if let Some(spec) = spec.clone().filter(|_| ready) {
                begin(&desk, machine, named, spec);
            }
        })
    };
    let choose_profile = {
        let choice = choice.clone();
        Callback::from(move |profile| {
            choice.set(Choice { profile: Some(profile), ..(*choice).clone() });
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
                    {for Namespace::ALL.into_iter().map(|namespace| pane(&ui, &choice, namespace, host))}
                </div>
                <div class="forge-more">
                    {remount(&ui, &choice)}
                    {hostname(&ui, &choice)}
                    {program::rootfs(&ui, &choice, host)}
                    {program::program(&ui, &choice, host, wrong)}
                </div>
                {profile_choice(&ui, &profiles, profile, &choose_profile)}
                <div class="forge-buttons">
                    <button type="submit" class="large" data-test="forge-start" aria-describedby="forge-why"
                        aria-disabled={(!ready).to_string()}>
                        {if props.starting { common.starting } else { common.start_button }}</button>
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
            <div class="forge-evidence">{props.evidence.clone()}</div>
        </section>
    }
}

fn pane(
    ui: &Ui,
    choice: &UseStateHandle<Choice>,
    namespace: Namespace,
    host: Option<&HostInfo>,
) -> Html {
    let missing = match namespace {
        Namespace::Time => lacks(host, Feature::TimeNamespaces),
        _ => None,
    };
    let on = choice.namespaces_on(host).has(namespace);
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
                {letter(namespace)}
                <span class="pane-name">{kernel::namespace_name(ui.lang, namespace)}</span>
                <code class="pane-flag">{namespace.flag_name()}</code>
                <input type="checkbox" role="switch" class="switch" data-test={format!("forge-{name}")}
                    checked={on} disabled={missing.is_some()} onchange={flip}
                    aria-describedby={format!("pane-{name}")} />
            </span>
            <span class="pane-meaning" id={format!("pane-{name}")}>
                {match missing {
                    Some(missing) => words::because(ui.lang, missing.because),
                    None => kernel::namespace_meaning(ui.lang, namespace),
                }}
            </span>
        </label>
    }
}

fn remount(ui: &Ui, choice: &UseStateHandle<Choice>) -> Html {
    let t = forge::words(ui.lang);
    let possible = choice.namespaces.has(Namespace::Mount);
    let on = possible && choice.remount;
    let flip = {
        let choice = choice.clone();
        Callback::from(move |_: Event| {
            choice.set(Choice { remount: !choice.remount, ..(*choice).clone() });
        })
    };
    let words = match (possible, on) {
        (false, _) => ui.t().remount_needs_mount,
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
    let t = forge::words(ui.lang);
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
                {if possible { "" } else { ui.t().hostname_needs_uts }}
            </p>
        </div>
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn choice(namespaces: NamespaceSet) -> Choice {
        Choice { namespaces, hostname: "box".into(), ..Choice::first() }
    }

    #[test]
    fn every_set_of_switches_makes_a_sound_spec() {
        for bits in 0..=255_u8 {
            let set = Namespace::ALL
                .into_iter()
                .enumerate()
                .fold(NamespaceSet::NONE, |set, (at, ns)| set.with(ns, bits & (1 << at) != 0));
            let spec = choice(set).spec(None).map(|spec| spec.check());
            assert_eq!(spec, Some(Ok(())), "{set:?}");
        }
    }

    #[test]
    fn all_on_is_the_one_click_container() {
        assert_eq!(Choice::first().spec(None), Some(ContainerSpec::one_click()));
    }

    #[test]
    fn the_program_goes_with_the_root_until_one_is_typed() {
        let mut chosen = Choice { rootfs: Rootfs::Lab, ..Choice::first() };
        let argv = |chosen: &Choice| chosen.spec(None).map(|spec| spec.argv);
        assert_eq!(argv(&chosen), Some(vec!["/bin/bash".into()]));
        chosen.program = Some("top -b".into());
        assert_eq!(argv(&chosen), Some(vec!["top".into(), "-b".into()]));
        chosen.program = Some("sh -c '".into());
        assert_eq!(argv(&chosen), None);
    }
}
