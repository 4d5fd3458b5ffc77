//! Why an ordinary user is not given a user namespace here, and what mends it.

use std::path::PathBuf;

use nix::errno::Errno;

use super::Host;

/// A reason, as far as it can be told from outside the kernel.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum Restriction {
    /// Ubuntu 24.04 and later: AppArmor, for programs without a profile.
    #[error(
        "AppArmor keeps ordinary users' programs from using user namespaces (kernel.apparmor_restrict_unprivileged_userns is 1)"
    )]
    AppArmor {
        /// The program that a profile is for.
        program: PathBuf,
    },
    /// Debian's and others' switch.
    #[error("user namespaces are for root only here (kernel.unprivileged_userns_clone is 0)")]
    CloneSysctl,
    /// None at all are allowed: RHEL 7, hardened hosts.
    #[error("no user namespaces are allowed here (user.max_user_namespaces is 0)")]
    NoneAllowed,
    /// As many as are allowed exist, or they are nested too deep.
    #[error(
        "the limit on user namespaces is reached (user.max_user_namespaces is {limit}, and they nest 32 deep)"
    )]
    LimitReached {
        /// The limit.
        limit: String,
    },
    /// A filter around this process, such as the default one of a container engine.
    #[error(
        "a seccomp filter around this process refuses user namespaces, as Docker's default one does"
    )]
    OuterSeccomp,
    /// SELinux, by a policy that knows about user namespaces.
    #[error("SELinux refuses user namespaces to this program")]
    SeLinux,
    /// The kernel was built without them.
    #[error("this kernel has no user namespaces (CONFIG_USER_NS)")]
    Kernel,
    /// Something else.
    #[error("{doing}: {errno}")]
    Unknown {
        /// What failed.
        doing: String,
        /// The kernel's reason.
        errno: Errno,
    },
}

impl Restriction {
    /// The reason of a failed `unshare(CLONE_NEWUSER)`, or of a first mount in the new namespace
    /// (AppArmor lets the namespace be made and refuses what it is for).
    pub(crate) fn recognise(host: &Host, doing: &str, errno: Errno) -> Self {
        let by_setting = Self::by_settings(host);
        match (errno, by_setting) {
            (Errno::EINVAL | Errno::ENOSYS, _) => Restriction::Kernel,
            (Errno::ENOSPC | Errno::EUSERS | Errno::EPERM | Errno::EACCES, Some(known)) => known,
            (Errno::ENOSPC | Errno::EUSERS, None) => Restriction::LimitReached {
                limit: host.sysctl("user/max_user_namespaces").unwrap_or_else(|| "unknown".into()),
            },
            (Errno::EACCES, None) if host.is_selinux_enforcing() => Restriction::SeLinux,
            (Errno::EPERM, None) if host.is_filtered() => Restriction::OuterSeccomp,
            _ => Restriction::Unknown { doing: doing.into(), errno },
        }
    }

    /// What the host's settings alone say, without trying.
    pub fn by_settings(host: &Host) -> Option<Self> {
        let is = |name: &str, value: &str| host.sysctl(name).as_deref() == Some(value);
        if is("user/max_user_namespaces", "0") {
            return Some(Restriction::NoneAllowed);
        }
        if is("kernel/unprivileged_userns_clone", "0") {
            return Some(Restriction::CloneSysctl);
        }
        // A program with a profile of its own is not held by it; `unconfined` alone is.
        let profile = std::fs::read_to_string(host.proc.join("self/attr/current"));
        let unconfined =
            profile.map_or(true, |text| text.trim_end_matches(['\n', '\0']) == "unconfined");
        if is("kernel/apparmor_restrict_unprivileged_userns", "1") && unconfined {
            let program = std::env::current_exe().unwrap_or_else(|_| "/usr/bin/vitrine".into());
            return Some(Restriction::AppArmor { program });
        }
        None
    }

    /// The command that mends it; empty where there is none.
    pub fn mend(&self) -> String {
        match self {
            Restriction::AppArmor { program } => format!(
                "printf 'abi <abi/4.0>,\\nprofile vitrine {} flags=(unconfined) {{\\n  userns,\\n}}\\n' | sudo tee /etc/apparmor.d/vitrine && sudo apparmor_parser -r /etc/apparmor.d/vitrine",
                program.display()
            ),
            Restriction::CloneSysctl => "sudo sysctl -w kernel.unprivileged_userns_clone=1".into(),
            Restriction::NoneAllowed | Restriction::LimitReached { .. } => {
                "sudo sysctl -w user.max_user_namespaces=15000".into()
            }
            Restriction::OuterSeccomp => {
                "docker run --security-opt seccomp=unconfined --security-opt systempaths=unconfined …"
                    .into()
            }
            Restriction::SeLinux => "sudo ausearch -m AVC -ts recent".into(),
            Restriction::Kernel | Restriction::Unknown { .. } => String::new(),
        }
    }

    /// The reason and what to do, in one line.
    pub(crate) fn told(&self) -> anyhow::Error {
        let mend = self.mend();
        if mend.is_empty() {
            anyhow::anyhow!("{self}; run vitrine as root: sudo vitrine …")
        } else {
            anyhow::anyhow!("{self}; mend it with: {mend}  (or run vitrine as root)")
        }
    }
}

impl Host {
    /// Is this process held by somebody else's seccomp filter?
    fn is_filtered(&self) -> bool {
        let status = std::fs::read_to_string(self.proc.join("self/status")).unwrap_or_default();
        status.lines().any(|line| line.strip_prefix("Seccomp:").map(str::trim) == Some("2"))
    }

    fn is_selinux_enforcing(&self) -> bool {
        let enforce = std::fs::read_to_string(self.sys.join("fs/selinux/enforce"));
        enforce.is_ok_and(|text| text.trim() == "1")
    }
}

#[cfg(test)]
mod tests {
    use std::fs;

    use super::*;

    fn host(files: &[(&str, &str)]) -> (tempfile::TempDir, Host) {
        let dir = tempfile::tempdir().unwrap();
        for (name, text) in files {
            let path = dir.path().join(name);
            fs::create_dir_all(path.parent().unwrap()).unwrap();
            fs::write(path, text).unwrap();
        }
        let host =
            Host { proc: dir.path().join("proc"), sys: dir.path().join("sys"), ..Host::default() };
        (dir, host)
    }

    #[test]
    fn each_distributions_restriction_is_told_with_what_mends_it() {
        const UBUNTU: &str = "proc/sys/kernel/apparmor_restrict_unprivileged_userns";
        const DEBIAN: &str = "proc/sys/kernel/unprivileged_userns_clone";
        const MAX: &str = "proc/sys/user/max_user_namespaces";
        for (files, errno, mend) in [
            (&[(UBUNTU, "1\n")][..], Errno::EACCES, "apparmor_parser"),
            (
                &[(UBUNTU, "1\n"), ("proc/self/attr/current", "unconfined\n")],
                Errno::EPERM,
                "userns,",
            ),
            (&[(DEBIAN, "0\n")], Errno::EPERM, "kernel.unprivileged_userns_clone=1"),
            (&[(MAX, "0\n")], Errno::ENOSPC, "user.max_user_namespaces=15000"),
            (&[(MAX, "5\n")], Errno::ENOSPC, "user.max_user_namespaces=15000"),
            (
                &[("proc/self/status", "Name:\tx\nSeccomp:\t2\n")],
                Errno::EPERM,
                "seccomp=unconfined",
            ),
            (&[("sys/fs/selinux/enforce", "1")], Errno::EACCES, "ausearch"),
        ] {
            let (_dir, host) = host(files);
            let found = Restriction::recognise(&host, "unshare", errno);
            assert!(found.mend().contains(mend), "{files:?}: {found:?}");
            assert!(!matches!(found, Restriction::Unknown { .. }), "{files:?}");
        }
    }

    #[test]
    fn a_host_that_allows_them_has_no_restriction() {
        let (_dir, allows) = host(&[
            ("proc/sys/kernel/apparmor_restrict_unprivileged_userns", "0\n"),
            ("proc/sys/kernel/unprivileged_userns_clone", "1\n"),
            ("proc/sys/user/max_user_namespaces", "96365\n"),
            ("proc/self/status", "Seccomp:\t0\n"),
        ]);
        assert_eq!(Restriction::by_settings(&allows), None);
        let (_dir, profiled) = host(&[
            ("proc/sys/kernel/apparmor_restrict_unprivileged_userns", "1\n"),
            ("proc/self/attr/current", "vitrine (unconfined)\n"),
        ]);
        assert_eq!(Restriction::by_settings(&profiled), None);
        let unknown = Restriction::recognise(&allows, "unshare(CLONE_NEWUSER)", Errno::EPERM);
        assert!(unknown.told().to_string().contains("unshare(CLONE_NEWUSER)"), "{unknown:?}");
        let (_dir, none) = host(&[]);
        assert_eq!(Restriction::recognise(&none, "unshare", Errno::EINVAL), Restriction::Kernel);
    }
}
