//! Which profile a new machine has: asked only where there is a choice, and what it gives up is said.

use vitrine_shared::id::MachineId;
use vitrine_shared::message::{Command, HostInfo, Profile};
use vitrine_shared::spec::ContainerSpec;
use yew::prelude::*;

use crate::state::Action;
use crate::text::{host as words, refusal::profile_name};
use crate::ui::{Desk, use_ui};

/// What there is to choose from.
#[derive(Properties, PartialEq)]
pub(crate) struct Props {
    pub(crate) profiles: Vec<Profile>,
    pub(crate) chosen: Profile,
    pub(crate) choose: Callback<Profile>,
}

/// The profiles that a new machine can have; empty where nothing is to be asked.
pub(crate) fn offered(host: Option<&HostInfo>, machine: Option<MachineId>) -> Vec<Profile> {
    match host {
        Some(host) if machine.is_none() && host.profiles.len() > 1 => host.profiles.clone(),
        _ => Vec::new(),
    }
}

/// Starts a container: in that machine, or in a new one of that profile.
pub(crate) fn begin(
    desk: &Desk,
    machine: Option<MachineId>,
    profile: Option<Profile>,
    spec: ContainerSpec,
) {
    match (machine, profile) {
        (None, Some(profile)) => {
            desk.act.emit(Action::Plan(spec));
            desk.send.emit(Command::StartMachine { profile });
        }
        _ => desk.send.emit(Command::StartContainer { machine, spec }),
    }
}

/// The choice, as radio buttons with a sentence each.
#[component]
pub(crate) fn ProfileChoice(props: &Props) -> Html {
    let ui = use_ui();
    html! {
        <fieldset class="profiles" data-test="profiles" hidden={props.profiles.is_empty()}>
            <legend>{ui.t().profile_question}</legend>
            {for props.profiles.iter().map(|&profile| {
                let name = profile_name(profile);
                let choose = props.choose.reform(move |_: Event| profile);
                html! {
                    <label key={name} class={classes!("profile", (profile == props.chosen).then_some("is-on"))}>
                        <input type="radio" name="profile" data-test={format!("profile-{name}")}
                            checked={profile == props.chosen} onchange={choose}
                            aria-describedby={format!("profile-{name}")} />
                        <code>{name}</code>
                        <span class="muted" id={format!("profile-{name}")}>{words::profile_meaning(ui.lang, profile)}</span>
                    </label>
                }
            })}
        </fieldset>
    }
}

#[cfg(test)]
mod tests {
    use vitrine_shared::message::ServerMessage;

    use super::*;
    use crate::fixture;

    #[test]
    fn with_one_profile_or_a_machine_nothing_is_asked() {
        let ServerMessage::Welcome { mut host, .. } = fixture::welcome() else { unreachable!() };
        assert_eq!(offered(Some(&host), None), []);
        host.profiles = vec![Profile::Lab, Profile::Strict];
        assert_eq!(offered(Some(&host), None), [Profile::Lab, Profile::Strict]);
        assert_eq!(offered(Some(&host), Some(fixture::MACHINE)), []);
        assert_eq!(offered(None, None), []);
    }
}
