//! Which profile a new machine has: asked only where there is a choice, and what it gives up is said.

use vitrine_shared::id::MachineId;
use vitrine_shared::message::{Command, HostInfo, Profile};
use vitrine_shared::spec::ContainerSpec;
use yew::prelude::*;

use crate::state::Action;
use crate::text::{host as words, refusal::profile_name};
use crate::ui::{Desk, Ui};

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
pub(crate) fn profile_choice(
    ui: &Ui,
    profiles: &[Profile],
    chosen: Profile,
    choose: &Callback<Profile>,
) -> Html {
    html! {
        <fieldset class="profiles" data-test="profiles" hidden={profiles.is_empty()}>
            <legend>{ui.t().profile_question}</legend>
            {for profiles.iter().map(|&profile| {
                let name = profile_name(profile);
                let choose = choose.reform(move |_: Event| profile);
                html! {
                    <label key={name} class={classes!("profile", (profile == chosen).then_some("is-on"))}>
                        <input type="radio" name="profile" data-test={format!("profile-{name}")}
                            checked={profile == chosen} onchange={choose}
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
