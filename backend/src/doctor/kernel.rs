//! The kernel: old enough to know everything, new enough to have the fixes, and what it refuses.

use nix::errno::Errno;

use super::{Finding, Host, Severity, packages, probe};
use crate::launcher::{confine, sys};

/// The first with everything that a birth needs.
const OLDEST: Version = Version(5, 19, 0);
/// Fixes of Dirty Frag (CVE-2026-43284, CVE-2026-43500) by line of the kernel.
const FIXED: &[Version] = &[Version(6, 18, 29), Version(7, 0, 6)];
/// Has those and the fix of CVE-2026-53362.
const ALL_FIXED: Version = Version(7, 2, 0);
/// The Landlock interface that web asks for.
const LANDLOCK: i64 = 5;

#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
struct Version(u32, u32, u32);

impl std::fmt::Display for Version {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "{}.{}.{}", self.0, self.1, self.2)
    }
}

/// The numbers at the start of `uname -r`.
fn version(release: &str) -> Option<Version> {
    let end = release.find(|c: char| !c.is_ascii_digit() && c != '.').unwrap_or(release.len());
    let mut parts = release[..end].split('.').map(|part| part.parse().ok());
    Some(Version(parts.next()??, parts.next()??, parts.next().flatten().unwrap_or(0)))
}

pub(super) fn check(host: &Host) -> Vec<Finding> {
    let release = host.read("/proc/sys/kernel/osrelease").unwrap_or_default();
    let mut findings = check_version(host, &release);
    findings.push(architecture(std::env::consts::ARCH));
    findings.push(seccomp(probe::child(load_filter)));
    findings.push(landlock(sys::landlock_abi()));
    findings
}

fn check_version(host: &Host, release: &str) -> Vec<Finding> {
    let Some(found) = version(release) else {
        return vec![Finding::new(
            Severity::Warning,
            "kernel-version",
            format!("the release {release:?} has no number"),
            format!("{OLDEST} or newer is needed, and this cannot be told"),
            "",
        )];
    };
    let update = packages::new_kernel(host);
    let old = found < OLDEST;
    let by_version = if old {
        let why = format!("{OLDEST} or newer is needed: id-mapped mounts of overlays, cgroup.kill");
        Finding::new(Severity::Error, "kernel-version", release, why, update.clone())
    } else {
        Finding::ok("kernel-version", format!("{release} ({OLDEST} or newer is needed)"))
    };
    vec![by_version, fixes(found, release, &update)]
}

/// The page-cache bugs of 2026: each lets a program in a container change files that it may read.
fn fixes(found: Version, release: &str, update: &str) -> Finding {
    let id = "kernel-fixes";
    if found >= ALL_FIXED {
        return Finding::ok(id, format!("{found} has the fixes of 2026's page-cache bugs"));
    }
    let line = FIXED.iter().find(|fixed| (fixed.0, fixed.1) == (found.0, found.1));
    if line.is_some_and(|fixed| found >= *fixed) || found > Version(7, 0, u32::MAX) {
        return Finding::new(
            Severity::Note,
            id,
            format!("{found} has the fix of Dirty Frag; CVE-2026-53362 is fixed in {ALL_FIXED}"),
            "that one needs network capabilities in a user namespace, which machines do not have",
            "",
        );
    }
    let since = FIXED.iter().map(ToString::to_string).collect::<Vec<_>>().join(", ");
    Finding::new(
        Severity::Warning,
        id,
        format!("{release}: whether it has the fixes cannot be told from its number"),
        format!(
            "page-cache bugs of 2026 (CVE-2026-43284, -43500, -46300) let a program change files \
             that it may only read; fixed in {since} and {ALL_FIXED}, and by distributions in \
             older ones: see their advisories"
        ),
        update,
    )
}

fn architecture(name: &str) -> Finding {
    match name {
        "x86_64" => Finding::ok("architecture", name),
        _ => Finding::new(
            Severity::Warning,
            "architecture",
            name,
            "Vitrine is tested on x86_64 only",
            "",
        ),
    }
}

fn load_filter() -> nix::Result<()> {
    confine::no_new_privs()?;
    sys::seccomp(confine::filter::STRICT)
}

fn seccomp(loaded: nix::Result<()>) -> Finding {
    match loaded {
        Ok(()) => Finding::ok("seccomp", "filters can be loaded"),
        Err(errno) => Finding::new(
            Severity::Error,
            "seccomp",
            format!("a filter cannot be loaded: {errno:?}"),
            "it is what keeps programs from most of the kernel; no machine starts without it",
            "",
        ),
    }
}

fn landlock(abi: nix::Result<i64>) -> Finding {
    let (id, mend) = ("landlock", "");
    match abi {
        Ok(abi) if abi >= LANDLOCK => Finding::ok(id, format!("interface {abi}")),
        Ok(abi) => Finding::new(
            Severity::Note,
            id,
            format!("interface {abi}; {LANDLOCK} has everything that is asked for"),
            "the part that talks to the network is held a little less",
            mend,
        ),
        // Built in, and not in the list of `lsm=`.
        Err(Errno::EOPNOTSUPP) => Finding::new(
            Severity::Warning,
            id,
            "switched off at boot",
            "the part that talks to the network is held by its seccomp filter alone",
            "add landlock to lsm= on the kernel's command line and boot again",
        ),
        Err(errno) => Finding::new(
            Severity::Warning,
            id,
            format!("not there: {errno:?}"),
            "the part that talks to the network is held by its seccomp filter alone",
            mend,
        ),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::doctor::{fixture, one};

    #[test]
    fn releases_have_numbers() {
        for (release, expected) in [
            ("6.18.44-fc-v657", Some(Version(6, 18, 44))),
            ("6.1.0-31-cloud-amd64", Some(Version(6, 1, 0))),
            ("7.0-rc3", Some(Version(7, 0, 0))),
            ("5.15.153.1-microsoft-standard-WSL2", Some(Version(5, 15, 153))),
            ("nonsense", None),
            ("", None),
        ] {
            assert_eq!(version(release), expected, "{release}");
        }
    }

    #[test]
    fn old_and_unfixed_kernels_are_told() {
        let (_dir, host) = fixture(&[("etc/os-release", "ID=debian\n")]);
        for (release, by_version, by_fixes) in [
            ("5.10.0", Severity::Error, Severity::Warning),
            ("5.19.0", Severity::Ok, Severity::Warning),
            ("6.1.0-31-amd64", Severity::Ok, Severity::Warning),
            ("6.18.28", Severity::Ok, Severity::Warning),
            ("6.18.29", Severity::Ok, Severity::Note),
            ("6.19.3", Severity::Ok, Severity::Warning),
            ("7.0.5", Severity::Ok, Severity::Warning),
            ("7.0.6", Severity::Ok, Severity::Note),
            ("7.1.1", Severity::Ok, Severity::Note),
            ("7.2.0", Severity::Ok, Severity::Ok),
        ] {
            let findings = check_version(&host, release);
            assert_eq!(one(&findings, "kernel-version").severity, by_version, "{release}");
            let fixes = one(&findings, "kernel-fixes");
            assert_eq!(fixes.severity, by_fixes, "{release}");
            assert_eq!(fixes.mend.contains("apt-get"), by_fixes == Severity::Warning, "{release}");
        }
        assert_eq!(check_version(&host, "?")[0].severity, Severity::Warning);
    }

    #[test]
    fn what_the_kernel_refuses() {
        assert_eq!(seccomp(Ok(())).severity, Severity::Ok);
        assert_eq!(seccomp(Err(Errno::EINVAL)).severity, Severity::Error);
        assert_eq!(landlock(Ok(7)).severity, Severity::Ok);
        assert_eq!(landlock(Ok(1)).severity, Severity::Note);
        assert!(landlock(Err(Errno::EOPNOTSUPP)).mend.contains("lsm="));
        assert_eq!(landlock(Err(Errno::ENOSYS)).severity, Severity::Warning);
        assert_eq!(architecture("riscv64").severity, Severity::Warning);
    }
}
