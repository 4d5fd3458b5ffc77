//! What the server's host has and lacks, as far as the page must know before it asks.

use vitrine_shared::cgroup::Controller;
use vitrine_shared::message::{Feature, HostInfo, Missing};
use vitrine_shared::namespace::Namespace;
use vitrine_shared::spec::{ContainerSpec, Rootfs};

/// What is said about a feature that is missing; `None` when it is there.
pub(crate) fn lacks(host: Option<&HostInfo>, feature: Feature) -> Option<&Missing> {
    host?.missing.iter().find(|missing| missing.feature == feature)
}

/// The same of a controller.
pub(crate) fn lacks_controller(
    host: Option<&HostInfo>,
    controller: Controller,
) -> Option<&Missing> {
    lacks(host, Feature::Controller(controller))
}

/// What the large button starts on this host: without what it lacks.
pub(crate) fn one_click(host: &HostInfo) -> ContainerSpec {
    let mut spec = ContainerSpec::one_click();
    if lacks(Some(host), Feature::TimeNamespaces).is_some() {
        spec.namespaces = spec.namespaces.with(Namespace::Time, false);
    }
    if lacks(Some(host), Feature::Busybox).is_some() {
        spec.rootfs = Rootfs::Lab;
        spec.argv = vec![program_of(&spec.rootfs).into()];
    }
    spec
}

/// The program that a root file system is sure, or likely, to have.
pub(crate) fn program_of(rootfs: &Rootfs) -> &'static str {
    match rootfs {
        Rootfs::Lab | Rootfs::Machine => "/bin/bash",
        Rootfs::Busybox | Rootfs::Image(_) | Rootfs::Directory(_) => "/bin/sh",
    }
}

/// What one list of missing things is known by, so that another one is shown again.
pub(crate) fn fingerprint(missing: &[Missing]) -> String {
    let one = |missing: &Missing| match missing.feature {
        Feature::Controller(controller) => controller.name(),
        Feature::OwnIds => "own-ids",
        Feature::ManyIds => "many-ids",
        Feature::IdMappedMounts => "idmap",
        Feature::ServiceUsers => "users",
        Feature::Landlock => "landlock",
        Feature::Busybox => "busybox",
        Feature::TimeNamespaces => "time",
    };
    missing.iter().map(one).collect::<Vec<_>>().join(" ")
}

#[cfg(test)]
mod tests {
    use vitrine_shared::message::{Because, ServerMessage};

    use super::*;
    use crate::fixture;

    fn host(features: &[Feature]) -> HostInfo {
        let ServerMessage::Welcome { mut host, .. } = fixture::welcome() else { unreachable!() };
        let missing =
            |&feature: &Feature| Missing { feature, because: Because::Kernel, mend: String::new() };
        host.missing = features.iter().map(missing).collect();
        host
    }

    #[test]
    fn one_click_asks_for_nothing_that_the_host_lacks() {
        assert_eq!(one_click(&host(&[])), ContainerSpec::one_click());
        let spec = one_click(&host(&[Feature::TimeNamespaces, Feature::Busybox]));
        assert!(!spec.namespaces.has(Namespace::Time) && spec.namespaces.has(Namespace::Pid));
        assert_eq!((spec.rootfs.clone(), spec.argv[0].as_str()), (Rootfs::Lab, "/bin/bash"));
        assert_eq!(spec.check(), Ok(()));
    }

    #[test]
    fn what_is_missing_is_found_by_name() {
        let host = host(&[Feature::Controller(Controller::Cpu), Feature::Landlock]);
        assert!(lacks_controller(Some(&host), Controller::Cpu).is_some());
        assert!(lacks_controller(Some(&host), Controller::Memory).is_none());
        assert!(lacks(None, Feature::Landlock).is_none());
        assert_eq!(fingerprint(&host.missing), "cpu landlock");
    }
}
