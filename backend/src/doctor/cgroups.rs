//! Cgroups: which dialect, which controllers, and whether groups can really be made.

use std::path::{Path, PathBuf};
use std::rc::Rc;

use vitrine_shared::cgroup::{Controller, Dialect};
use vitrine_shared::message::Feature;

use super::{Finding, Host, Severity};
use crate::launcher::cgroup::{BASE, Cgroup, Hierarchies};
use crate::launcher::machine::CONTROLLERS;
use crate::launcher::missing::missing;
use crate::launcher::sweep;

/// What machines cannot be held by without.
const NEEDED: &[Controller] = &[Controller::Cpu, Controller::Memory, Controller::Pids];
const GRUB: &str =
    "add systemd.unified_cgroup_hierarchy=1 to the kernel's command line and boot again";
const SCOPE: &str = "systemd-run --user --scope --property=Delegate=yes vitrine doctor";

pub(super) fn check(host: &Host) -> Vec<Finding> {
    let hierarchies = hierarchies(host);
    let mut findings = vec![mode(&hierarchies), controllers(&hierarchies)];
    findings.push(if host.is_root() { made(try_as_root(hierarchies)) } else { delegated(host) });
    findings.push(systemd(host));
    findings
}

fn hierarchies(host: &Host) -> Hierarchies {
    let mountinfo = host.read("/proc/self/mountinfo").unwrap_or_default();
    Hierarchies::parse(&mountinfo, |root| {
        let file = root.join("cgroup.controllers");
        host.read(&file.to_string_lossy()).unwrap_or_default()
    })
}

fn mode(hierarchies: &Hierarchies) -> Finding {
    let (id, of) = ("cgroup-mode", |dialect| {
        let names = hierarchies.iter().filter(move |h| h.dialect == dialect);
        names.flat_map(|h| h.controllers.iter().map(|c| c.name())).collect::<Vec<_>>().join(" ")
    });
    let (v1, v2) = (of(Dialect::V1), of(Dialect::V2));
    match (v1.is_empty(), v2.is_empty()) {
        (true, true) => Finding::new(
            Severity::Error,
            id,
            "no controller is mounted",
            "limits, and the numbers that the page shows, come from cgroups",
            "mount -t cgroup2 none /sys/fs/cgroup",
        ),
        (true, false) => Finding::ok(id, format!("v2: {v2}")),
        (false, true) => Finding::ok(id, format!("v1: {v1}")),
        (false, false) => Finding::ok(id, format!("hybrid; v1: {v1}; v2: {v2}")),
    }
}

fn controllers(hierarchies: &Hierarchies) -> Finding {
    let id = "cgroup-controllers";
    let missing = |of: &[Controller]| -> Vec<&str> {
        of.iter().filter(|c| hierarchies.with(**c).is_none()).map(|c| c.name()).collect()
    };
    let (needed, all) = (missing(NEEDED), missing(&CONTROLLERS));
    if !needed.is_empty() {
        let names = needed.join(", ");
        let memory = "add cgroup_enable=memory to the kernel's command line and boot again";
        let mend = if needed == ["memory"] { memory } else { GRUB };
        let why = "a machine must be held in CPU, memory and processes, or it is not started";
        return Finding::new(Severity::Error, id, format!("missing: {names}"), why, mend);
    }
    // On v2 every group can be frozen; there is no controller for it.
    let all: Vec<&str> = all
        .into_iter()
        .filter(|name| {
            *name != "freezer" && *name != "cpuacct"
                || hierarchies.iter().all(|h| h.dialect == Dialect::V1)
        })
        .collect();
    if all.is_empty() {
        return Finding::ok(id, "all that are used");
    }
    let names = all.join(", ");
    let why = "its limits cannot be set and its numbers not be shown";
    Finding::new(Severity::Note, id, format!("missing: {names}"), why, "")
}

/// Makes the group that a server makes, with everything that a server writes, and removes it.
fn try_as_root(hierarchies: Hierarchies) -> Result<String, String> {
    let hierarchies = Rc::new(hierarchies.only(&CONTROLLERS));
    let instance = sweep::instance_name();
    let group = Cgroup::create(&hierarchies, &format!("{BASE}/{instance}"));
    let removed = group.map_err(|err| err.to_string()).and_then(|group| {
        let count = group.directories().count();
        group.remove().map_err(|err| err.to_string()).map(|()| count)
    });
    sweep::remove_own(&hierarchies, &instance);
    removed.map(|count| format!("a group was made in {count} hierarchies, and removed"))
}

fn made(tried: Result<String, String>) -> Finding {
    match tried {
        Ok(found) => Finding::ok("cgroup-delegation", found),
        Err(err) => Finding::new(
            Severity::Error,
            "cgroup-delegation",
            format!("a group cannot be made: {err}"),
            "every machine has groups of its own",
            "",
        ),
    }
}

/// An ordinary user has what was delegated: on v2, the own group of this process.
fn delegated(host: &Host) -> Finding {
    let id = "cgroup-delegation";
    let why =
        "without a group of its own, nothing limits what a machine uses, and nothing is shown";
    let Some(own) = own_group(host) else {
        return Finding::new(
            Severity::Warning,
            id,
            "this host has no cgroup v2 with controllers; v1 groups are never an ordinary user's",
            why,
            delegation(host),
        );
    };
    let trial = own.join(format!("vitrine-doctor-{}", std::process::id()));
    let tried = std::fs::create_dir(&trial).and_then(|()| std::fs::remove_dir(&trial));
    let available = std::fs::read_to_string(own.join("cgroup.controllers")).unwrap_or_default();
    let missing: Vec<&str> = NEEDED
        .iter()
        .map(|c| c.name())
        .filter(|name| !available.split_whitespace().any(|have| have == *name))
        .collect();
    match tried {
        Err(err) => Finding::new(
            Severity::Warning,
            id,
            format!("no group can be made in {}: {err}", own.display()),
            why,
            SCOPE,
        ),
        Ok(()) if !missing.is_empty() => Finding::new(
            Severity::Warning,
            id,
            format!("delegated, but without {}", missing.join(", ")),
            why,
            delegation(host),
        ),
        Ok(()) => Finding::ok(id, format!("groups can be made in {}", own.display())),
    }
}

/// What gives an ordinary user groups, as the server itself says.
fn delegation(host: &Host) -> String {
    let lacking = missing(&host.launchers(), host.privilege, &Hierarchies::default());
    let cpu = Feature::Controller(Controller::Cpu);
    lacking.into_iter().find(|lack| lack.feature == cpu).map_or(String::new(), |lack| lack.mend)
}

/// The directory of this process's own group in the unified hierarchy, if that has controllers:
/// a hybrid host's often has none.
fn own_group(host: &Host) -> Option<PathBuf> {
    let hierarchies = hierarchies(host);
    let unified = hierarchies.iter().find(|h| h.dialect == Dialect::V2)?;
    let text = host.read("/proc/self/cgroup")?;
    let own = text.lines().find_map(|line| line.strip_prefix("0::"))?;
    Some(host.path(&unified.root.to_string_lossy()).join(own.trim_start_matches('/')))
}

fn systemd(host: &Host) -> Finding {
    let id = "systemd";
    if !host.path("/run/systemd/system").is_dir() {
        return Finding::ok(id, "not running: the cgroups are ours alone");
    }
    let unified = hierarchies(host)
        .iter()
        .any(|h| h.dialect == Dialect::V2 && h.root == Path::new("/sys/fs/cgroup"));
    if unified {
        return Finding::ok(id, "running; groups are asked of it, with Delegate=yes");
    }
    Finding::ok(id, "running, on v1 hierarchies")
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::doctor::{as_user, fixture, one};

    const V1: &str = "\
30 29 0:26 / /sys/fs/cgroup/cpu rw - cgroup cgroup rw,cpu,cpuacct
31 29 0:27 / /sys/fs/cgroup/memory rw - cgroup cgroup rw,memory
32 29 0:28 / /sys/fs/cgroup/pids rw - cgroup cgroup rw,pids
";
    const V2: &str = "30 29 0:26 / /sys/fs/cgroup rw - cgroup2 cgroup2 rw\n";

    fn host(mountinfo: &str, controllers: &str) -> (tempfile::TempDir, Host) {
        fixture(&[
            ("/proc/self/mountinfo", mountinfo),
            ("/proc/self/cgroup", "0::/user.slice/mine\n"),
            ("/sys/fs/cgroup/cgroup.controllers", controllers),
        ])
    }

    #[track_caller]
    fn found(mountinfo: &str, controllers_file: &str) -> (Finding, Finding) {
        let (_dir, host) = host(mountinfo, controllers_file);
        let hierarchies = hierarchies(&host);
        (mode(&hierarchies), controllers(&hierarchies))
    }

    #[test]
    fn the_mode_is_told_per_controller() {
        assert!(found(V1, "").0.found.starts_with("v1: cpu"));
        assert!(found(V2, "cpu memory pids").0.found.starts_with("v2: cpu"));
        let hybrid =
            found(&format!("{V1}{}", V2.replace("/cgroup rw -", "/cgroup/unified rw -")), "");
        assert!(hybrid.0.found.starts_with("v1"), "no controllers there: {:?}", hybrid.0);
        assert_eq!(found("", "").0.severity, Severity::Error);
    }

    #[test]
    fn what_cannot_be_done_without_is_an_error() {
        assert_eq!(found(V1, "").1.severity, Severity::Note);
        let no_memory = found(V2, "cpu pids io").1;
        assert_eq!(no_memory.severity, Severity::Error);
        assert!(no_memory.mend.contains("cgroup_enable=memory"));
        let all = found(V2, "cpuset cpu io memory pids").1;
        assert_eq!(all.severity, Severity::Ok, "{all:?}");
    }

    #[test]
    fn an_ordinary_user_has_what_was_delegated() {
        let (dir, mut host) = host(V2, "cpu memory pids");
        as_user(&mut host, "ann");
        assert!(delegated(&host).mend.contains("Delegate=yes"), "no such group");
        let own = dir.path().join("sys/fs/cgroup/user.slice/mine");
        std::fs::create_dir_all(&own).unwrap();
        assert!(delegated(&host).found.contains("without cpu, memory, pids"));
        std::fs::write(own.join("cgroup.controllers"), "cpu memory pids").unwrap();
        assert_eq!(delegated(&host).severity, Severity::Ok);
        assert_eq!(std::fs::read_dir(&own).unwrap().count(), 1, "the trial was removed");
        assert!(delegated(&host).mend.is_empty());
        let (_dir, mut on_v1) = self::host(V1, "");
        as_user(&mut on_v1, "ann");
        assert!(delegated(&on_v1).found.contains("no cgroup v2"));
    }

    #[test]
    fn systemd_is_seen() {
        let (dir, host) = host(V2, "cpu");
        assert!(systemd(&host).found.contains("not running"));
        std::fs::create_dir_all(dir.path().join("run/systemd/system")).unwrap();
        assert!(systemd(&host).found.contains("Delegate"));
        let findings = [systemd(&host)];
        assert_eq!(one(&findings, "systemd").severity, Severity::Ok);
    }
}
