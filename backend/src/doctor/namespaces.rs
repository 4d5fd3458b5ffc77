//! The eight namespaces, each really made, and what hosts do to keep ordinary users from them.

use nix::errno::Errno;
use nix::sched::CloneFlags;
use vitrine_shared::message::{Feature, Missing};

use super::{Finding, Host, Severity, probe};
use crate::launcher::cgroup::Hierarchies;
use crate::launcher::missing::{missing, told};
use crate::launcher::privilege::{Ids, Privilege, Restriction};

/// Our id, the name in messages, the flag. The first is what an ordinary user needs for all.
const EIGHT: &[(&str, &str, CloneFlags)] = &[
    ("namespace-user", "user", CloneFlags::CLONE_NEWUSER),
    ("namespace-pid", "pid", CloneFlags::CLONE_NEWPID),
    ("namespace-mount", "mnt", CloneFlags::CLONE_NEWNS),
    ("namespace-uts", "uts", CloneFlags::CLONE_NEWUTS),
    ("namespace-ipc", "ipc", CloneFlags::CLONE_NEWIPC),
    ("namespace-net", "net", CloneFlags::CLONE_NEWNET),
    ("namespace-cgroup", "cgroup", CloneFlags::CLONE_NEWCGROUP),
    ("namespace-time", "time", CLONE_NEWTIME),
];
/// From `linux/sched.h`; nix does not have it.
const CLONE_NEWTIME: CloneFlags = CloneFlags::from_bits_retain(0x80);
/// Namespaces of each kind that one machine and its containers use.
const FOR_ONE_MACHINE: u64 = 16;

pub(super) fn check(host: &Host) -> Vec<Finding> {
    let mut findings: Vec<Finding> = EIGHT
        .iter()
        .map(|&(id, name, flag)| made(host, id, name, probe::child(|| probe::enter(flag))))
        .collect();
    findings.push(switch(host));
    findings.push(limit(host));
    findings.extend(without_root(host));
    findings
}

/// What came of making one.
fn made(host: &Host, id: &'static str, name: &str, result: nix::Result<()>) -> Finding {
    let Err(errno) = result else { return Finding::ok(id, "made in a child process") };
    let severity = match name {
        // Containers without it are containers still.
        "time" => Severity::Warning,
        _ => Severity::Error,
    };
    let why = match errno {
        Errno::EINVAL => "this kernel was built without it",
        Errno::ENOSPC => "a limit of /proc/sys/user is reached",
        Errno::EPERM | Errno::EACCES if host.is_root() => {
            "something above this system refuses it: a container or a security module"
        }
        Errno::EPERM | Errno::EACCES => "this host keeps it from ordinary users",
        Errno::ETIMEDOUT => "making one hangs",
        _ => "no container has one of its own without it",
    };
    let mend = match errno {
        Errno::ENOSPC => format!("sysctl user.max_{name}_namespaces={}", 4096),
        Errno::EPERM | Errno::EACCES if !host.is_root() => {
            Restriction::by_settings(&host.launchers()).map_or(String::new(), |it| it.mend())
        }
        _ => String::new(),
    };
    Finding::new(severity, id, format!("a {name} namespace cannot be made: {errno:?}"), why, mend)
}

/// The switches by which distributions keep user namespaces from ordinary users. Root may always.
fn switch(host: &Host) -> Finding {
    let id = "user-namespaces-switch";
    let Some(restriction) = Restriction::by_settings(&host.launchers()) else {
        return Finding::ok(id, "ordinary users may make user namespaces");
    };
    let severity = if host.is_root() { Severity::Note } else { Severity::Error };
    let why = "without root Vitrine needs them for everything; with root it does not matter";
    Finding::new(severity, id, restriction.to_string(), why, restriction.mend())
}

fn limit(host: &Host) -> Finding {
    let id = "user-namespaces-limit";
    let file = "/proc/sys/user/max_user_namespaces";
    match host.number(file) {
        None => Finding::ok(id, "this kernel has no limit"),
        Some(most) if most >= FOR_ONE_MACHINE => Finding::ok(id, format!("{most} for each user")),
        Some(most) => Finding::new(
            Severity::Error,
            id,
            format!("{most} for each user"),
            format!("a machine with its containers takes up to {FOR_ONE_MACHINE}"),
            "sysctl user.max_user_namespaces=15000",
        ),
    }
}

/// What root has and an ordinary user has not, beside what other checks tell.
fn without_root(host: &Host) -> Vec<Finding> {
    let Privilege::Rootless { ids, .. } = host.privilege else {
        return vec![
            Finding::ok("sub-ids", "root maps whatever ids it likes"),
            Finding::ok("rootless", "no: everything that root has"),
        ];
    };
    let lacking = missing(&host.launchers(), host.privilege, &Hierarchies::default());
    let mut findings: Vec<Finding> = lacking
        .iter()
        .filter_map(|lack| {
            let (id, severity, why) = match lack.feature {
                Feature::ManyIds => ("sub-ids", Severity::Warning, "everybody in a machine is you"),
                Feature::OwnIds | Feature::ServiceUsers => (
                    "rootless",
                    Severity::Note,
                    "one wall less between machines, and around the server",
                ),
                _ => return None,
            };
            let plain = Missing { mend: String::new(), ..lack.clone() };
            Some(Finding::new(severity, id, told(&plain), why, lack.mend.clone()))
        })
        .collect();
    if let Ids::Many(count) = ids {
        findings.push(Finding::ok("sub-ids", format!("{count} ids by newuidmap")));
    }
    findings
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::doctor::{as_user, fixture, one};

    #[test]
    fn each_distributions_switch_is_known() {
        for (file, text, mend) in [
            ("apparmor_restrict_unprivileged_userns", "1\n", "apparmor_parser"),
            ("apparmor_restrict_unprivileged_userns", "0\n", ""),
            ("unprivileged_userns_clone", "0\n", "kernel.unprivileged_userns_clone=1"),
            ("unprivileged_userns_clone", "1\n", ""),
        ] {
            let (_dir, mut host) = fixture(&[(&format!("/proc/sys/kernel/{file}"), text)]);
            assert!(switch(&host).mend.contains(mend), "{file} {text}");
            assert_eq!(switch(&host).mend.is_empty(), mend.is_empty(), "{file} {text}");
            as_user(&mut host, "ann");
            let expected = if mend.is_empty() { Severity::Ok } else { Severity::Error };
            assert_eq!(switch(&host).severity, expected);
            let refused = made(&host, "namespace-pid", "pid", Err(Errno::EPERM));
            assert!(refused.mend.contains(mend), "{refused:?}");
        }
    }

    #[test]
    fn why_one_cannot_be_made() {
        let (_dir, host) = fixture(&[]);
        let why = |errno| made(&host, "namespace-net", "net", Err(errno));
        assert!(why(Errno::EINVAL).why.contains("built without"));
        assert!(why(Errno::ENOSPC).mend.contains("user.max_net_namespaces"));
        assert_eq!(made(&host, "namespace-net", "net", Ok(())).severity, Severity::Ok);
        let time = made(&host, "namespace-time", "time", Err(Errno::EINVAL));
        assert_eq!(time.severity, Severity::Warning);
    }

    #[test]
    fn the_limit_of_user_namespaces() {
        for (text, severity) in [("0", Severity::Error), ("96365", Severity::Ok)] {
            let (_dir, host) = fixture(&[("/proc/sys/user/max_user_namespaces", text)]);
            assert_eq!(limit(&host).severity, severity);
        }
        assert_eq!(limit(&fixture(&[]).1).severity, Severity::Ok);
    }

    #[test]
    fn an_ordinary_user_hears_what_root_has() {
        let (_dir, mut host) = fixture(&[("/etc/passwd", "ann:x:1000:1000::/:/bin/sh\n")]);
        assert!(without_root(&host).iter().all(|finding| finding.severity == Severity::Ok));
        as_user(&mut host, "ann");
        let found = without_root(&host);
        let ids = one(&found, "sub-ids");
        assert!(ids.mend.contains("usermod") && ids.mend.ends_with(" ann"), "{ids:?}");
        assert!(found.iter().filter(|finding| finding.id == "rootless").count() >= 2, "{found:?}");
        host.privilege = Privilege::Rootless { uid: 1000, ids: Ids::Many(65_537) };
        assert_eq!(one(&without_root(&host), "sub-ids").severity, Severity::Ok);
    }
}
