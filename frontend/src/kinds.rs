//! A container, or a shell in the machine itself: what the page must tell apart.

use vitrine_shared::cgroup::{CgroupSample, GroupId};
use vitrine_shared::message::{Container, ContainerState};
use vitrine_shared::namespace::NamespaceSet;
use vitrine_shared::spec::Rootfs;

/// Does it run?
pub(crate) fn is_running(container: &Container) -> bool {
    matches!(container.state, ContainerState::Running { .. })
}

/// Is it a shell in the machine itself?
pub(crate) fn is_machine_shell(container: &Container) -> bool {
    container.spec.rootfs == Rootfs::Machine
}

/// The group that its processes are in: a shell in the machine shares that of PID 1.
pub(crate) fn group_of(container: &Container) -> GroupId {
    match is_machine_shell(container) {
        true => GroupId::Shell,
        false => GroupId::Container(container.id),
    }
}

/// The panes of glass around it: a machine has all eight.
pub(crate) fn panes_of(container: &Container) -> NamespaceSet {
    match is_machine_shell(container) {
        true => NamespaceSet::ALL,
        false => container.spec.namespaces,
    }
}

/// Is the group frozen? `None` where it has no freezer.
pub(crate) fn is_frozen(group: &CgroupSample) -> Option<bool> {
    group.files.iter().find_map(|file| match file.name.as_str() {
        "freezer.state" => Some(file.value != "THAWED"),
        "cgroup.freeze" => Some(file.value == "1"),
        _ => None,
    })
}

#[cfg(test)]
mod tests {
    use vitrine_shared::cgroup::RawFile;
    use vitrine_shared::spec::ContainerSpec;

    use super::*;
    use crate::fixture;

    #[test]
    fn a_shell_in_the_machine_has_the_machines_panes_and_group() {
        let mut shell = fixture::container(1);
        assert_eq!(group_of(&shell), GroupId::Container(shell.id));
        shell.spec = ContainerSpec::machine_shell();
        assert!(is_machine_shell(&shell));
        assert_eq!(group_of(&shell), GroupId::Shell);
        assert_eq!(panes_of(&shell), NamespaceSet::ALL);
    }

    #[test]
    fn both_dialects_words_for_frozen() {
        let mut group = fixture::group(0, None, 0, 0);
        assert_eq!(is_frozen(&group), None);
        for (name, value, frozen) in [
            ("freezer.state", "THAWED", false),
            ("freezer.state", "FREEZING", true),
            ("cgroup.freeze", "1", true),
            ("cgroup.freeze", "0", false),
        ] {
            let (name, value) = (name.into(), value.into());
            group.files = vec![RawFile { name, value, writable: true }];
            assert_eq!(is_frozen(&group), Some(frozen));
        }
    }
}
