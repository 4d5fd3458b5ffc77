//! `vitrine doctor`: what this host, and this user on it, can do; what is missing; what mends it.
//!
//! Each check is a small function from a [`Host`] to findings. What can be tried is tried, in a
//! short-lived child with namespaces of its own and a time limit: [`probe`]. Nothing on the host
//! is changed but by `--clean`.

mod cgroups;
mod kernel;
mod leftovers;
mod mounts;
mod namespaces;
mod packages;
mod probe;
mod programs;
mod room;
mod settings;
mod show;

use std::fs;
use std::path::{Path, PathBuf};

use clap::Command;

use crate::launcher::privilege::{self, Privilege};
use crate::launcher::serve::Limits;

/// What `vitrine doctor` was asked for.
#[derive(Clone, Debug)]
pub struct Options {
    /// As JSON (`docs/doctor-json.md`).
    pub json: bool,
    /// Remove what killed servers and runs have left.
    pub clean: bool,
    /// Machines that are to run at once.
    pub seats: u64,
    /// Files of settings to check, beside the one that is read unasked.
    pub config: Vec<PathBuf>,
    /// Where images are kept.
    pub data: PathBuf,
    /// Limits of machines, as `vitrine serve` would have them.
    pub limits: Limits,
}

/// How bad it is.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
enum Severity {
    /// As it should be.
    Ok,
    /// Good to know; nothing has to be done.
    Note,
    /// Something is weaker, slower or less than it could be.
    Warning,
    /// Vitrine, or an important part of it, does not work.
    Error,
}

/// What a check has found.
#[derive(Clone, Debug, PartialEq, Eq)]
struct Finding {
    id: &'static str,
    severity: Severity,
    found: String,
    /// Why it matters; empty when all is well.
    why: String,
    /// The command that mends it; empty where there is none.
    mend: String,
}

impl Finding {
    fn ok(id: &'static str, found: impl Into<String>) -> Self {
        Finding {
            id,
            severity: Severity::Ok,
            found: found.into(),
            why: String::new(),
            mend: String::new(),
        }
    }

    fn new(
        severity: Severity,
        id: &'static str,
        found: impl Into<String>,
        why: impl Into<String>,
        mend: impl Into<String>,
    ) -> Self {
        Finding { id, severity, found: found.into(), why: why.into(), mend: mend.into() }
    }
}

/// Every id there is, by group, in the order in which they are shown.
const GROUPS: &[(&str, &[&str])] = &[
    ("kernel", &["kernel-version", "kernel-fixes", "architecture", "seccomp", "landlock"]),
    (
        "namespaces",
        &[
            "namespace-user",
            "namespace-pid",
            "namespace-mount",
            "namespace-uts",
            "namespace-ipc",
            "namespace-net",
            "namespace-cgroup",
            "namespace-time",
            "user-namespaces-switch",
            "user-namespaces-limit",
            "sub-ids",
            "rootless",
        ],
    ),
    ("cgroups", &["cgroup-mode", "cgroup-controllers", "cgroup-delegation", "systemd"]),
    ("file systems", &["overlay", "id-mapped-mounts", "tmpfs-limits", "data-directory"]),
    ("programs", &["busybox", "lab-tools", "lxcfs", "qemu", "kvm"]),
    ("room", &["memory", "swap", "processes", "terminals", "inotify", "namespaces", "descriptors"]),
    ("settings", &["sysctl", "configuration"]),
    ("leftovers", &["leftover-cgroups", "leftover-stages", "leftover-images"]),
];

/// The host that is looked at. Paths are below `root`, so that a test brings its own.
struct Host {
    root: PathBuf,
    uid: u32,
    user: String,
    /// What a launcher of this user may do.
    privilege: Privilege,
    seats: u64,
    limits: Limits,
    data: PathBuf,
}

impl Host {
    fn path(&self, absolute: &str) -> PathBuf {
        self.root.join(absolute.trim_start_matches('/'))
    }

    /// The text of a file, trimmed; none when it cannot be read.
    fn read(&self, absolute: &str) -> Option<String> {
        fs::read_to_string(self.path(absolute)).ok().map(|text| text.trim().to_string())
    }

    fn number(&self, absolute: &str) -> Option<u64> {
        self.read(absolute)?.parse().ok()
    }

    fn is_root(&self) -> bool {
        self.privilege == Privilege::Root
    }

    /// The same, as the launcher's own code looks at it.
    fn launchers(&self) -> privilege::Host {
        privilege::Host {
            etc: self.path("/etc"),
            proc: self.path("/proc"),
            sys: self.path("/sys"),
            ..privilege::Host::default()
        }
    }

    /// A program on the search path.
    fn which(&self, name: &str) -> Option<PathBuf> {
        let path = std::env::var_os("PATH").unwrap_or_default();
        let sbin = ["/usr/sbin", "/sbin"].map(PathBuf::from);
        std::env::split_paths(&path).chain(sbin).map(|dir| dir.join(name)).find(|p| is_program(p))
    }
}

fn is_program(path: &Path) -> bool {
    use std::os::unix::fs::PermissionsExt as _;
    fs::metadata(path).is_ok_and(|meta| meta.is_file() && meta.permissions().mode() & 0o111 != 0)
}

/// Looks, says what it found, and whether there was no error.
///
/// `serve` is the definition of that command, whose files of settings are checked.
pub fn doctor(options: &Options, serve: &Command) -> anyhow::Result<bool> {
    let uid = nix::unistd::geteuid();
    let name = nix::unistd::User::from_uid(uid).ok().flatten().map(|user| user.name);
    let host = Host {
        root: "/".into(),
        uid: uid.as_raw(),
        user: name.unwrap_or_else(|| uid.to_string()),
        privilege: Privilege::foresee(&privilege::Host::default()),
        seats: options.seats,
        limits: options.limits,
        data: options.data.clone(),
    };
    let cleaned = if options.clean { leftovers::clean(&host)? } else { Vec::new() };
    let mut findings = kernel::check(&host);
    findings.extend(namespaces::check(&host));
    findings.extend(cgroups::check(&host));
    findings.extend(mounts::check(&host));
    findings.extend(programs::check(&host));
    findings.extend(room::check(&host));
    findings.extend(settings::check(&host, serve, &options.config));
    findings.extend(leftovers::check(&host));
    let report = show::Report { host: &host, findings: &findings, cleaned: &cleaned };
    if options.json {
        show::json(&report)?;
    } else {
        show::human(&report)?;
    }
    Ok(findings.iter().all(|finding| finding.severity < Severity::Error))
}

/// A host of a test's own, and files in it.
#[cfg(test)]
fn fixture(files: &[(&str, &str)]) -> (tempfile::TempDir, Host) {
    let dir = tempfile::tempdir().unwrap();
    for (path, text) in files {
        let path = dir.path().join(path.trim_start_matches('/'));
        fs::create_dir_all(path.parent().unwrap()).unwrap();
        fs::write(path, text).unwrap();
    }
    let root = dir.path().to_path_buf();
    let host = Host {
        data: root.join("data"),
        root,
        uid: 0,
        user: "root".into(),
        privilege: Privilege::Root,
        seats: 1,
        limits: Limits::default(),
    };
    (dir, host)
}

/// An ordinary user with a single id in a host of a test's own.
#[cfg(test)]
fn as_user(host: &mut Host, name: &str) {
    let ids = privilege::Ids::One(vitrine_shared::message::Because::NoSubIds);
    (host.uid, host.user) = (1000, name.into());
    host.privilege = Privilege::Rootless { uid: 1000, ids };
}

/// The finding with this id.
#[cfg(test)]
#[track_caller]
fn one(findings: &[Finding], id: &str) -> Finding {
    let found = findings.iter().find(|finding| finding.id == id);
    found.unwrap_or_else(|| panic!("no {id} in {findings:#?}")).clone()
}
