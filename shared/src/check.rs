//! Which commands a server passes on: the role, the owner, the values. The live one's web asks
//! this, and the simulated one does.
//!
//! The launcher looks at everything again. What is not theirs does not exist for a participant:
//! the refusal is the same for a machine of somebody else and for none at all.

use crate::cgroup::{BadGroup, BadWrite, Dialect, GroupId, Knob, check_write};
use crate::id::{MachineId, ParticipantId};
use crate::message::{Command, Refusal};
use crate::refusal::Thing;
use crate::role::Identity;
use crate::spec::{Quantity, Rootfs, SpecError, check_argv, check_line};

/// Most samples a second.
pub const MAX_HERTZ: u8 = 20;

/// Checks a command of `identity`; `owner` knows whose the machines are.
pub fn check(
    identity: Identity,
    command: &Command,
    owner: impl Fn(MachineId) -> Option<ParticipantId>,
) -> Result<(), Refusal> {
    if !identity.may_send(command) {
        return Err(Refusal::NotAllowed { role: identity.role });
    }
    let mine = |machine: &MachineId| match owner(*machine) {
        Some(owner) if identity.may_change(owner) => Ok(()),
        _ => Err(no_machine()),
    };
    match command {
        Command::Ping { .. }
        | Command::Subscribe { machine: None, .. }
        | Command::Focus { on: None } => Ok(()),
        // Twenty messages a second are for those who work with it, not for a hall of viewers.
        Command::Focus { on: Some(focus) } => mine(&focus.machine),
        Command::Subscribe { machine: Some(machine), hertz } => {
            check_hertz(*hertz)?;
            match owner(*machine) {
                Some(owner) if identity.may_watch(owner) => Ok(()),
                _ => Err(no_machine()),
            }
        }
        Command::Discover { machine } => match owner(*machine) {
            Some(owner) if identity.may_watch(owner) => Ok(()),
            _ => Err(no_machine()),
        },
        // Which profiles there are, the launcher says.
        Command::StartMachine { .. } => Ok(()),
        Command::StartContainer { machine, spec } => {
            machine.iter().try_for_each(mine)?;
            if matches!(spec.rootfs, Rootfs::Directory(_)) {
                // A directory of the host is for `vitrine run`, by root.
                return Err(Refusal::NotAllowed { role: identity.role });
            }
            spec.check().map_err(Refusal::Spec)
        }
        Command::Exec { machine, argv, .. } => {
            mine(machine)?;
            check_argv(argv).map_err(Refusal::Spec)
        }
        Command::RunBoth { machine, line, .. } => {
            mine(machine)?;
            check_line(line).map_err(Refusal::Spec)
        }
        Command::StopContainer { machine, .. }
        | Command::StopExecs { machine, .. }
        | Command::Probe { machine, .. }
        | Command::SetProcView { machine, .. }
        | Command::EndMachine { machine } => mine(machine),
        Command::SetKnob { machine, knob, .. } => {
            mine(machine)?;
            check_knob(knob).map_err(Refusal::Write)
        }
        Command::WriteFile { machine, file, value, .. } => {
            mine(machine)?;
            check_file(file, value).map_err(Refusal::Write)
        }
        Command::MakeGroup { machine, parent, name } => {
            mine(machine)?;
            parent.new_child(name).map(drop).map_err(Refusal::Group)
        }
        Command::RemoveGroup { machine, group } => {
            mine(machine)?;
            removable(group).map_err(Refusal::Group)
        }
        Command::MoveProcess { machine, group, .. } => {
            mine(machine)?;
            enterable(group).map_err(Refusal::Group)
        }
        // As for subscribing: it only reads.
        Command::ShowFiles { machine, .. } => match owner(*machine) {
            Some(owner) if identity.may_watch(owner) => Ok(()),
            _ => Err(no_machine()),
        },
    }
}

fn no_machine() -> Refusal {
    Refusal::Unknown { what: Thing::Machine }
}

fn check_hertz(hertz: u8) -> Result<(), Refusal> {
    if (1..=MAX_HERTZ).contains(&hertz) {
        return Ok(());
    }
    let max = MAX_HERTZ.into();
    let what = Quantity::Hertz;
    Err(Refusal::Spec(SpecError::OutOfRange { what, given: hertz.into(), min: 1, max }))
}

/// The ranges are the same in both dialects; shares are written as they are only in v1.
fn check_knob(knob: &Knob) -> Result<(), BadWrite> {
    for write in knob.writes(Dialect::V1) {
        check_write(write.file, Dialect::V1, &write.text)?;
    }
    Ok(())
}

/// Only what was made is removed.
fn removable(group: &GroupId) -> Result<(), BadGroup> {
    match group {
        GroupId::Made(_) => Ok(()),
        GroupId::Cap => Err(BadGroup::Cap),
        GroupId::Root | GroupId::Shell | GroupId::Container(_) => Err(BadGroup::Fixed),
    }
}

/// Only the machine's own groups are moved to.
fn enterable(group: &GroupId) -> Result<(), BadGroup> {
    match group {
        GroupId::Cap => Err(BadGroup::Cap),
        GroupId::Container(_) => Err(BadGroup::OfContainer),
        GroupId::Root | GroupId::Shell | GroupId::Made(_) => Ok(()),
    }
}

/// Which dialect each controller speaks, only the launcher knows.
fn check_file(file: &str, value: &str) -> Result<(), BadWrite> {
    match check_write(file, Dialect::V1, value) {
        Err(BadWrite::UnknownFile { .. }) => check_write(file, Dialect::V2, value).map(drop),
        other => other.map(drop),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::focus::{Focus, Look};
    use crate::id::ContainerId;
    use crate::role::Role;
    use crate::spec::ContainerSpec;
    use crate::truth::{Probe, ProcView};

    const ANN: ParticipantId = ParticipantId(1);
    const BOB: ParticipantId = ParticipantId(2);
    const ANNS: MachineId = MachineId(10);
    const BOBS: MachineId = MachineId(20);

    fn try_as(role: Role, command: &Command) -> Result<(), Refusal> {
        check(Identity { participant: ANN, role }, command, |machine| match machine {
            ANNS => Some(ANN),
            BOBS => Some(BOB),
            _ => None,
        })
    }

    fn made() -> GroupId {
        GroupId::Made("a/b".parse().unwrap())
    }

    fn commands(machine: MachineId) -> Vec<Command> {
        let container = ContainerId(5);
        let group = GroupId::Root;
        vec![
            Command::StartContainer { machine: Some(machine), spec: ContainerSpec::one_click() },
            Command::Exec { machine, container, argv: vec!["ls".into()] },
            Command::StopContainer { machine, container },
            Command::StopExecs { machine, container },
            Command::Probe { machine, container: Some(container), probe: Probe::Free },
            Command::Probe { machine, container: None, probe: Probe::Ps },
            Command::SetProcView { machine, container, view: ProcView::Own },
            Command::RunBoth { machine, container, line: "ps".into() },
            Command::EndMachine { machine },
            Command::SetKnob { machine, group, knob: Knob::PidsMax(Some(9)) },
            Command::WriteFile {
                machine,
                group,
                file: "cpu.max".into(),
                value: "20000 100000".into(),
            },
            Command::MakeGroup { machine, parent: group, name: "a".into() },
            Command::RemoveGroup { machine, group: made() },
            Command::MoveProcess { machine, pid: 1, group: made() },
            Command::Focus { on: Some(Focus { machine, group, look: Look::Use }) },
        ]
    }

    #[test]
    fn every_command_for_every_role() {
        let not_allowed = Err(Refusal::NotAllowed { role: Role::Viewer });
        for (mine, his) in commands(ANNS).iter().zip(&commands(BOBS)) {
            assert_eq!(try_as(Role::Teacher, mine), Ok(()));
            assert_eq!(try_as(Role::Teacher, his), Ok(()));
            assert_eq!(try_as(Role::Student, mine), Ok(()));
            assert_eq!(try_as(Role::Student, his), Err(no_machine()));
            assert_eq!(try_as(Role::Viewer, mine), not_allowed);
        }
        for nobodys in commands(MachineId(30)) {
            assert_eq!(try_as(Role::Teacher, &nobodys), Err(no_machine()));
            assert_eq!(try_as(Role::Student, &nobodys), Err(no_machine()));
        }
    }

    #[test]
    fn who_may_watch() {
        let discover = |machine| Command::Discover { machine };
        assert_eq!(try_as(Role::Viewer, &discover(BOBS)), Ok(()));
        assert_eq!(try_as(Role::Student, &discover(ANNS)), Ok(()));
        assert_eq!(try_as(Role::Student, &discover(BOBS)), Err(no_machine()));
        assert_eq!(try_as(Role::Teacher, &discover(MachineId(30))), Err(no_machine()));
        let watch = |machine| Command::Subscribe { machine: Some(machine), hertz: 4 };
        assert_eq!(try_as(Role::Viewer, &watch(BOBS)), Ok(()));
        assert_eq!(try_as(Role::Student, &watch(ANNS)), Ok(()));
        assert_eq!(try_as(Role::Student, &watch(BOBS)), Err(no_machine()));
        for hertz in [0, 21, 255] {
            let command = Command::Subscribe { machine: Some(ANNS), hertz };
            assert!(try_as(Role::Teacher, &command).is_err(), "{hertz}");
        }
        let files = |machine| Command::ShowFiles { machine, group: Some(made()) };
        assert_eq!(try_as(Role::Viewer, &files(BOBS)), Ok(()));
        assert_eq!(try_as(Role::Student, &files(BOBS)), Err(no_machine()));
    }

    #[test]
    fn groups_of_the_servers_are_left_alone() {
        let (machine, container) = (ANNS, GroupId::Container(ContainerId(5)));
        let refused = |command: Command, why| {
            assert_eq!(try_as(Role::Teacher, &command), Err(Refusal::Group(why)), "{command:?}");
        };
        for (group, why) in [(GroupId::Cap, BadGroup::Cap), (container, BadGroup::OfContainer)] {
            let make = Command::MakeGroup { machine, parent: group, name: "a".into() };
            refused(make, why.clone());
            refused(Command::MoveProcess { machine, pid: 1, group }, why);
        }
        refused(Command::RemoveGroup { machine, group: GroupId::Cap }, BadGroup::Cap);
        for group in [GroupId::Root, GroupId::Shell, container] {
            refused(Command::RemoveGroup { machine, group }, BadGroup::Fixed);
        }
        for name in ["", "..", "a/b", "a\u{202e}"] {
            let make = Command::MakeGroup { machine, parent: made(), name: name.into() };
            refused(make, BadGroup::Name { given: name.into() });
        }
    }

    #[test]
    fn values_are_checked_at_the_edge() {
        let start = |change: &dyn Fn(&mut ContainerSpec)| {
            let mut spec = ContainerSpec::one_click();
            change(&mut spec);
            try_as(Role::Teacher, &Command::StartContainer { machine: None, spec })
        };
        assert_eq!(start(&|_| ()), Ok(()));
        assert!(start(&|spec| spec.argv.clear()).is_err());
        for line in ["", " \t", "a\0b", &"x".repeat(4096)] {
            let (machine, container, line) = (ANNS, ContainerId(5), line.to_string());
            let both = Command::RunBoth { machine, container, line };
            assert!(matches!(try_as(Role::Teacher, &both), Err(Refusal::Spec(_))), "{both:?}");
        }
        assert!(start(&|spec| spec.rootfs = Rootfs::Directory("/".into())).is_err());
        let group = GroupId::Root;
        let write = |file: &str, value: &str| {
            let (file, value) = (file.into(), value.into());
            try_as(Role::Teacher, &Command::WriteFile { machine: ANNS, group, file, value })
        };
        assert_eq!(write("cpu.cfs_quota_us", "-1"), Ok(()));
        assert!(write("cpu.max", "1 1").is_err());
        assert!(write("../../cgroup.procs", "1").is_err());
        let knob = |knob| try_as(Role::Teacher, &Command::SetKnob { machine: ANNS, group, knob });
        assert!(knob(Knob::CpuShares(1)).is_err());
        assert!(knob(Knob::CpusetCpus("0; x".into())).is_err());
        assert!(knob(Knob::CpuMax { quota_usec: Some(1), period_usec: 100_000 }).is_err());
    }
}
