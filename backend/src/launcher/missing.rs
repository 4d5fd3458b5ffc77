//! What this host or this user does not have, why, and the command that mends it.
//!
//! `vitrine serve` tells the page, `vitrine run` refuses a limit with it, `vitrine doctor` lists it.

use vitrine_shared::cgroup::{Controller, Dialect};
use vitrine_shared::message::{Because, Feature, Missing};

use super::cgroup::{Hierarchies, Hierarchy};
use super::images;
use super::privilege::{Host, Ids, Privilege};
use super::sys;

/// Everything that is missing, for a launcher that may do this.
pub(crate) fn missing(
    host: &Host,
    privilege: Privilege,
    hierarchies: &Hierarchies,
) -> Vec<Missing> {
    let mut all = Vec::new();
    for controller in Controller::ALL {
        // v2 counts CPU time in every group, without a controller for it.
        let is_v2 = |h: &Hierarchy| h.dialect == Dialect::V2;
        let counted = controller == Controller::Cpuacct
            && hierarchies.with(Controller::Cpu).is_some_and(is_v2);
        if hierarchies.with(controller).is_none() && !counted {
            all.push(no_controller_on(host, controller, privilege));
        }
    }
    if let Privilege::Rootless { uid, ids } = privilege {
        all.extend(without_root(host, uid, ids));
    }
    if sys::landlock_abi().is_err() {
        all.push(lack(Feature::Landlock, Because::Kernel, ""));
    }
    if images::host_busybox().is_none() {
        all.push(lack(Feature::Busybox, Because::NotInstalled, host.install("busybox-static")));
    }
    if !host.proc.join("self/ns/time").exists() {
        all.push(lack(Feature::TimeNamespaces, Because::Kernel, ""));
    }
    all
}

fn lack(feature: Feature, because: Because, mend: impl Into<String>) -> Missing {
    Missing { feature, because, mend: mend.into() }
}

/// What only root of the host, or a user with many ids, has.
fn without_root(host: &Host, uid: u32, ids: Ids) -> Vec<Missing> {
    let sudo = "sudo vitrine serve";
    let mut all = vec![
        lack(Feature::OwnIds, Because::NotRoot, sudo),
        lack(Feature::IdMappedMounts, Because::NotRoot, sudo),
    ];
    if let Ids::One(because) = ids {
        let mend = match because {
            Because::NoNewIdMap => host.mend_newuidmap(),
            _ => host.mend_sub_ids(uid),
        };
        all.push(lack(Feature::ManyIds, because, mend.clone()));
        all.push(lack(Feature::ServiceUsers, because, mend));
    }
    all
}

fn no_controller_on(host: &Host, controller: Controller, privilege: Privilege) -> Missing {
    let feature = Feature::Controller(controller);
    let name = controller.name();
    let unified = host.sys.join("fs/cgroup/cgroup.controllers").exists();
    if privilege.is_rootless() {
        let mend = if unified {
            format!(
                "sudo mkdir -p /etc/systemd/system/user@.service.d && printf '[Service]\\nDelegate={}\\n' | sudo tee /etc/systemd/system/user@.service.d/delegate.conf && sudo systemctl daemon-reload  # then log in again",
                "cpu cpuset io memory pids"
            )
        } else {
            // v1 hierarchies are not safe to hand out.
            "sudo vitrine serve".into()
        };
        return lack(feature, Because::NotDelegated, mend);
    }
    let cgroups = std::fs::read_to_string(host.proc.join("cgroups")).unwrap_or_default();
    let known =
        |line: &str| line.split_whitespace().next().and_then(Controller::named) == Some(controller);
    if !cgroups.lines().any(known) {
        return lack(feature, Because::Kernel, "");
    }
    let given = std::fs::read_to_string(host.sys.join("fs/cgroup/cgroup.controllers"));
    if given.is_ok_and(|given| given.split_whitespace().any(|word| word == name)) {
        // It is there, and somebody above does not hand it down.
        let mend = "systemd-run --scope -p Delegate=yes vitrine serve";
        return lack(feature, Because::NotDelegated, mend);
    }
    let name = if controller == Controller::Io { "blkio" } else { name };
    let dir = format!("/sys/fs/cgroup/{name}");
    lack(
        feature,
        Because::NotMounted,
        format!("mkdir -p {dir} && mount -t cgroup -o {name} {name} {dir}"),
    )
}

/// Why `vitrine run` cannot set a limit, and what mends it, in one line.
pub(crate) fn no_controller(controller: Controller, privilege: Privilege) -> String {
    let told = told(&no_controller_on(&Host::default(), controller, privilege));
    told.replace("vitrine serve", "vitrine run")
}

/// What is missing in one line of English, for the log and the command line.
pub(crate) fn told(missing: &Missing) -> String {
    let what = match missing.feature {
        Feature::Controller(controller) => {
            format!("no limits by the {} controller", controller.name())
        }
        Feature::OwnIds => "no ids of its own for a machine: all share the user's".into(),
        Feature::ManyIds => "no more than one id in a machine".into(),
        Feature::IdMappedMounts => "no id-mapped mounts: images belong to the user".into(),
        Feature::ServiceUsers => "no users of their own for web and the observer".into(),
        Feature::Landlock => "no Landlock around web".into(),
        Feature::Busybox => "no static busybox: containers start from the lab image".into(),
        Feature::TimeNamespaces => "no time namespaces".into(),
    };
    let because = match missing.because {
        Because::Kernel => "this kernel does not have it",
        Because::NotMounted => "it is not mounted",
        Because::NotDelegated => "cgroups are not delegated to this user",
        Because::NoSubIds => "/etc/subuid and /etc/subgid have no range for this user",
        Because::NoNewIdMap => "newuidmap and newgidmap are not installed, or have no privilege",
        Because::NotRoot => "only root of the host has it",
        Because::NotInstalled => "it is not installed",
        Because::FileSystem => "the file system of the data directory cannot",
        Because::NotModelled => "the simulator does not model it",
    };
    match missing.mend.as_str() {
        "" => format!("{what}: {because}"),
        mend => format!("{what}: {because}; mend it with: {mend}"),
    }
}

/// The line that installs a static busybox on this host.
pub(crate) fn mend_busybox() -> String {
    Host::default().install("busybox-static")
}

impl Host {
    /// The line that installs a package, in this distribution's words.
    fn install(&self, package: &str) -> String {
        let by = [
            ("apt-get", "sudo apt-get install"),
            ("dnf", "sudo dnf install"),
            ("zypper", "sudo zypper install"),
            ("pacman", "sudo pacman -S"),
            ("apk", "sudo apk add"),
        ];
        let found = by.iter().find(|(program, _)| self.program(program).is_some());
        // Each distribution's name for it.
        let package = match (found.map(|(program, _)| *program), package) {
            (Some("dnf" | "pacman"), "busybox-static") => "busybox",
            (Some("dnf" | "zypper"), "uidmap") => "shadow-utils",
            (Some("apk"), "uidmap") => "shadow-uidmap",
            (Some("pacman"), "uidmap") => "shadow",
            _ => package,
        };
        format!("{} {package}", found.map_or("sudo apt-get install", |(_, line)| line))
    }

    fn mend_newuidmap(&self) -> String {
        match [self.program("newuidmap"), self.program("newgidmap")] {
            [Some(newuidmap), Some(newgidmap)] => {
                format!("sudo chmod u+s {} {}", newuidmap.display(), newgidmap.display())
            }
            _ => self.install("uidmap"),
        }
    }

    /// A range that nobody in either file has yet.
    fn mend_sub_ids(&self, uid: u32) -> String {
        let name = super::privilege::subids::name_of(&self.etc.join("passwd"), uid)
            .unwrap_or_else(|| uid.to_string());
        let taken = ["subuid", "subgid"]
            .iter()
            .flat_map(|file| super::privilege::subids::all(&self.etc.join(file)));
        let end = taken.map(|(first, count)| first.saturating_add(count)).max().unwrap_or(0);
        let first = end.max(100_000);
        let last = first.saturating_add(65_535);
        format!("sudo usermod --add-subuids {first}-{last} --add-subgids {first}-{last} {name}")
    }
}

#[cfg(test)]
mod tests {
    use std::fs;

    use super::*;

    const USER: Privilege = Privilege::Rootless { uid: 1000, ids: Ids::One(Because::NoSubIds) };

    fn host() -> (tempfile::TempDir, Host) {
        let dir = tempfile::tempdir().unwrap();
        for name in ["etc", "proc/self/ns", "sys/fs/cgroup", "bin"] {
            fs::create_dir_all(dir.path().join(name)).unwrap();
        }
        fs::write(dir.path().join("etc/passwd"), "me:x:1000:1000::/:/bin/sh\n").unwrap();
        fs::write(dir.path().join("proc/cgroups"), "cpu\t1\t1\t1\n").unwrap();
        let at = |name: &str| dir.path().join(name);
        let host =
            Host { etc: at("etc"), proc: at("proc"), sys: at("sys"), path: at("bin").into() };
        (dir, host)
    }

    fn of(all: &[Missing], feature: Feature) -> &Missing {
        let found = all.iter().find(|missing| missing.feature == feature);
        found.unwrap_or_else(|| panic!("{feature:?} is not among {all:?}"))
    }

    #[test]
    fn a_user_without_sub_ids_is_told_the_line_that_gives_some() {
        let (dir, host) = host();
        fs::write(dir.path().join("etc/subuid"), "you:100000:65536\n").unwrap();
        let all = missing(&host, USER, &Hierarchies::default());
        assert_eq!(
            of(&all, Feature::ManyIds).mend,
            "sudo usermod --add-subuids 165536-231071 --add-subgids 165536-231071 me"
        );
        assert_eq!(of(&all, Feature::OwnIds).because, Because::NotRoot);
        let cpu = of(&all, Feature::Controller(Controller::Cpu));
        assert_eq!((cpu.because, cpu.mend.as_str()), (Because::NotDelegated, "sudo vitrine serve"));
        assert!(told(cpu).contains("not delegated"));
    }

    #[test]
    fn on_a_unified_host_systemd_delegates() {
        let (dir, host) = host();
        fs::write(dir.path().join("sys/fs/cgroup/cgroup.controllers"), "cpu pids\n").unwrap();
        let all = missing(&host, USER, &Hierarchies::default());
        assert!(of(&all, Feature::Controller(Controller::Cpu)).mend.contains("Delegate=cpu"));
    }

    #[test]
    fn root_is_told_what_is_not_mounted_and_what_the_kernel_has_not() {
        let (_dir, host) = host();
        let all = missing(&host, Privilege::Root, &Hierarchies::default());
        let cpu = of(&all, Feature::Controller(Controller::Cpu));
        assert_eq!(cpu.because, Because::NotMounted);
        assert!(cpu.mend.contains("mount -t cgroup -o cpu"), "{}", cpu.mend);
        assert_eq!(of(&all, Feature::Controller(Controller::Pids)).because, Because::Kernel);
        assert_eq!(of(&all, Feature::TimeNamespaces).because, Because::Kernel);
        assert!(all.iter().all(|missing| missing.feature != Feature::OwnIds));
    }

    #[test]
    fn a_newuidmap_without_privilege_is_given_it_and_a_missing_one_is_installed() {
        use std::os::unix::fs::PermissionsExt as _;
        let (dir, host) = host();
        let user = Privilege::Rootless { uid: 1000, ids: Ids::One(Because::NoNewIdMap) };
        let mend = |host: &Host| {
            let all = missing(host, user, &Hierarchies::default());
            of(&all, Feature::ServiceUsers).mend.clone()
        };
        assert_eq!(mend(&host), "sudo apt-get install uidmap");
        for name in ["newuidmap", "newgidmap"] {
            let path = dir.path().join("bin").join(name);
            fs::write(&path, "").unwrap();
            fs::set_permissions(&path, fs::Permissions::from_mode(0o755)).unwrap();
        }
        assert!(mend(&host).starts_with("sudo chmod u+s "), "{}", mend(&host));
    }
}
