//! The eight namespaces, each really made, and what hosts do to keep ordinary users from them.

use nix::errno::Errno;
use nix::sched::CloneFlags;

use super::{Finding, Host, Severity, packages, probe};

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
/// Ubuntu's switch (24.04 and later).
const APPARMOR: &str = "/proc/sys/kernel/apparmor_restrict_unprivileged_userns";
/// Debian's, also in some other kernels.
const DEBIAN: &str = "/proc/sys/kernel/unprivileged_userns_clone";
/// Namespaces of each kind that one machine and its containers use.
const FOR_ONE_MACHINE: u64 = 16;

pub(super) fn check(host: &Host) -> Vec<Finding> {
    let mut findings: Vec<Finding> = EIGHT
        .iter()
        .map(|&(id, name, flag)| made(host, id, name, probe::child(|| probe::enter(flag))))
        .collect();
    findings.push(switch(host));
    findings.push(limit(host));
    findings.push(sub_ids(host));
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
        Errno::EPERM | Errno::EACCES if !host.is_root() => opened(host),
        _ => String::new(),
    };
    Finding::new(severity, id, format!("a {name} namespace cannot be made: {errno:?}"), why, mend)
}

/// The command that opens user namespaces to ordinary users, where a switch is known.
fn opened(host: &Host) -> String {
    if host.number(APPARMOR).is_some_and(|on| on != 0) {
        return "sysctl kernel.apparmor_restrict_unprivileged_userns=0".into();
    }
    if host.number(DEBIAN) == Some(0) {
        return "sysctl kernel.unprivileged_userns_clone=1".into();
    }
    String::new()
}

/// The switches by which distributions keep user namespaces from ordinary users. Root may always.
fn switch(host: &Host) -> Finding {
    let id = "user-namespaces-switch";
    let mend = opened(host);
    if mend.is_empty() {
        return Finding::ok(id, "ordinary users may make user namespaces");
    }
    let found = if mend.contains("apparmor") {
        "AppArmor takes the capabilities from user namespaces of ordinary users (Ubuntu)"
    } else {
        "user namespaces are for root only (Debian's switch)"
    };
    let severity = if host.is_root() { Severity::Note } else { Severity::Error };
    let why = "without root Vitrine needs them for everything; with root it does not matter";
    Finding::new(severity, id, found, why, mend)
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

/// Ranges of ids that an ordinary user may map, and the programs that map them.
fn sub_ids(host: &Host) -> Finding {
    let id = "sub-ids";
    if host.is_root() {
        return Finding::ok(id, "root maps whatever ids it likes");
    }
    let why = "without them everybody in a machine has the same id: yours";
    let has = |file: &str| {
        let text = host.read(file).unwrap_or_default();
        text.lines().any(|line| owns_enough(line, &host.user, host.uid))
    };
    if !has("/etc/subuid") || !has("/etc/subgid") {
        let user = &host.user;
        return Finding::new(
            Severity::Warning,
            id,
            format!("/etc/subuid or /etc/subgid has no range of 65536 for {user}"),
            why,
            format!("usermod --add-subuids 100000-165535 --add-subgids 100000-165535 {user}"),
        );
    }
    if ["newuidmap", "newgidmap"].iter().any(|name| host.which(name).is_none()) {
        let mend = packages::install(host, packages::UIDMAP);
        return Finding::new(Severity::Warning, id, "newuidmap is not installed", why, mend);
    }
    Finding::ok(id, "a range of 65536 and newuidmap")
}

/// A line of `subuid(5)`: `name:first:count`, or the number in the place of the name.
fn owns_enough(line: &str, user: &str, uid: u32) -> bool {
    let fields: Vec<&str> = line.split(':').map(str::trim).collect();
    let [owner, _, count] = fields[..] else { return false };
    (owner == user || owner.parse() == Ok(uid)) && count.parse::<u64>().is_ok_and(|n| n >= 65_536)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::doctor::fixture;

    #[test]
    fn each_distributions_switch_is_known() {
        for (file, text, mend) in [
            (APPARMOR, "1\n", "sysctl kernel.apparmor_restrict_unprivileged_userns=0"),
            (APPARMOR, "0\n", ""),
            (DEBIAN, "0\n", "sysctl kernel.unprivileged_userns_clone=1"),
            (DEBIAN, "1\n", ""),
        ] {
            let (_dir, mut host) = fixture(&[(file, text)]);
            assert_eq!(switch(&host).mend, mend, "{file} {text}");
            host.uid = 1000;
            let expected = if mend.is_empty() { Severity::Ok } else { Severity::Error };
            assert_eq!(switch(&host).severity, expected);
            assert_eq!(made(&host, "namespace-pid", "pid", Err(Errno::EPERM)).mend, mend);
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
    fn ranges_belong_to_a_name_or_a_number_and_are_long_enough() {
        assert!(owns_enough("ann:100000:65536", "ann", 1000));
        assert!(owns_enough("1000:100000:65536", "ann", 1000));
        for bad in ["bob:100000:65536", "ann:100000:65535", "ann:100000", "", "#ann:1:65536"] {
            assert!(!owns_enough(bad, "ann", 1000), "{bad}");
        }
        let ranges = [("/etc/subuid", "ann:1:65536"), ("/etc/subgid", "bob:1:65536")];
        let (_dir, mut host) = fixture(&ranges);
        (host.uid, host.user) = (1000, "ann".into());
        assert!(sub_ids(&host).mend.contains("ann"));
    }
}
