//! What this launcher may do: everything as root, or what a user namespace of its own grants.
//!
//! An ordinary user becomes root of a user namespace first ([`enter()`]) and the same program goes
//! on in there, with the same PID. What is built later is owned by that namespace, an ancestor of
//! every machine's, so nothing inside a machine can undo a mount: `strict` stays strict.
//!
//! Where the two differ, the difference is a method here, and a [`Privilege`] is carried there.

pub(crate) mod enter;
pub(crate) mod restriction;
pub(crate) mod subids;

use std::path::{Path, PathBuf};

use nix::errno::Errno;
use nix::unistd::{geteuid, setgroups};
use serde::{Deserialize, Serialize};
use vitrine_shared::message::Because;

pub use enter::enter;
pub use restriction::Restriction;

use super::uids::RANGE;

/// Ids kept back from the machines for web and the observer.
const SERVICES: u32 = 2;
/// Fewer than this and there is nothing to keep back from.
const MANY: u32 = 16;

/// What may be done. Found out once, before anything else.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum Privilege {
    /// Root of the host.
    Root,
    /// An ordinary user: root of a user namespace of its own, and nobody outside.
    Rootless {
        /// The user, on the host.
        uid: u32,
        /// What else is mapped there.
        ids: Ids,
    },
}

/// The ids of the user namespace that an ordinary user's launcher is root of.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum Ids {
    /// 0 only, which is the user; and why there are no more.
    One(Because),
    /// 0, which is the user, to this number less one, which are subordinate ids.
    Many(u32),
}

impl Privilege {
    /// What [`enter()`] would give, without doing it: for those who only report.
    pub fn foresee(etc: &Host) -> Self {
        match geteuid() {
            uid if uid.is_root() && etc.is_initial_namespace() => Privilege::Root,
            uid => Privilege::Rootless { uid: uid.as_raw(), ids: enter::Maps::find(etc).ids() },
        }
    }

    /// Is this an ordinary user?
    pub fn is_rootless(self) -> bool {
        self != Privilege::Root
    }

    /// How many ids a machine has, from its first.
    pub(crate) fn ids_per_machine(self) -> u32 {
        match self {
            Privilege::Root => RANGE,
            Privilege::Rootless { ids: Ids::One(_), .. } => 1,
            Privilege::Rootless { ids: Ids::Many(count), .. } => count - SERVICES,
        }
    }

    /// The ids of web and the observer, of root's range for them or else of the namespace's.
    /// With a single id they have no other than the machines' own.
    pub(crate) fn service_ids(self, base: u32) -> (u32, u32) {
        match self {
            Privilege::Root => (base + 1, base + 2),
            Privilege::Rootless { ids: Ids::One(_), .. } => (0, 0),
            Privilege::Rootless { ids: Ids::Many(count), .. } => (count - 2, count - 1),
        }
    }

    /// The host's number for the launcher's 0 or another id that is one of its own.
    pub(crate) fn on_host(self, id: u32) -> u32 {
        match self {
            Privilege::Rootless { uid, .. } if id == 0 => uid,
            _ => id,
        }
    }

    /// May a mount change whom files belong to? Only root of the host may, so an ordinary user's
    /// images are the user's, who is root in the machines.
    pub(crate) fn maps_mounts(self) -> bool {
        self == Privilege::Root
    }

    /// May it make device nodes? Nobody may in a user namespace; the host's are bound instead.
    pub(crate) fn makes_devices(self) -> bool {
        self == Privilege::Root
    }

    /// May it mount `/proc` anew? Only the owner of the PID namespace may, and a user's launcher is
    /// in the host's.
    pub(crate) fn mounts_hosts_proc(self) -> bool {
        self == Privilege::Root
    }

    /// Must a machine without a cap be tolerated? Root can mount what is missing, a user cannot.
    pub(crate) fn tolerates_no_cap(self) -> bool {
        self.is_rootless()
    }

    /// Where overlay keeps its own attributes: `trusted.*` is for root of the host.
    pub(crate) fn overlay_options(self) -> &'static str {
        match self {
            Privilege::Root => "",
            Privilege::Rootless { .. } => ",userxattr",
        }
    }

    /// Leaves every supplementary group, but where the kernel forbids it for good: with a single
    /// id, mapped without privilege, the user's groups stay (and mean nothing inside).
    pub(crate) fn drop_groups(self) -> nix::Result<()> {
        match (setgroups(&[]), self) {
            (Err(Errno::EPERM), Privilege::Rootless { ids: Ids::One(_), .. }) => Ok(()),
            (result, _) => result,
        }
    }

    /// Our directory for what must not outlive the host.
    pub(crate) fn run_directory(self) -> PathBuf {
        match self {
            Privilege::Root => super::uids::RUN_DIRECTORY.into(),
            Privilege::Rootless { uid, .. } => match absolute("XDG_RUNTIME_DIR") {
                Some(dir) => dir.join("vitrine"),
                None => format!("/tmp/vitrine-{uid}").into(),
            },
        }
    }

    /// Where images are kept when nobody says.
    pub fn data_directory(self) -> PathBuf {
        match self {
            Privilege::Root => "/var/lib/vitrine".into(),
            Privilege::Rootless { .. } => absolute("XDG_DATA_HOME")
                .or_else(|| Some(absolute("HOME")?.join(".local/share")))
                .map_or_else(|| self.run_directory().join("data"), |dir| dir.join("vitrine")),
        }
    }
}

/// A directory that the environment names; one that is not absolute is to be ignored
/// (XDG Base Directory Specification).
fn absolute(variable: &str) -> Option<PathBuf> {
    let path = PathBuf::from(std::env::var_os(variable)?);
    path.is_absolute().then_some(path)
}

/// Where the host's own files are: a test brings its own.
#[derive(Clone, Debug)]
pub struct Host {
    /// `/etc`
    pub etc: PathBuf,
    /// `/proc`
    pub proc: PathBuf,
    /// `/sys`
    pub sys: PathBuf,
    /// Where programs are looked for.
    pub path: std::ffi::OsString,
}

impl Default for Host {
    fn default() -> Self {
        Host {
            etc: "/etc".into(),
            proc: "/proc".into(),
            sys: "/sys".into(),
            path: std::env::var_os("PATH").unwrap_or_else(|| "/usr/bin:/bin".into()),
        }
    }
}

impl Host {
    /// A setting below `/proc/sys`; `None` when this kernel does not have it.
    pub(crate) fn sysctl(&self, name: &str) -> Option<String> {
        let text = std::fs::read_to_string(self.proc.join("sys").join(name)).ok()?;
        Some(text.trim().to_string())
    }

    /// Is this process's user namespace the host's first one?
    pub(crate) fn is_initial_namespace(&self) -> bool {
        self.own_ids() == Some(u32::MAX)
    }

    /// How many ids follow 0 in this process's own user namespace.
    pub(crate) fn own_ids(&self) -> Option<u32> {
        let map = std::fs::read_to_string(self.proc.join("self/uid_map")).ok()?;
        let mut first = map.lines().next()?.split_whitespace();
        (first.next()? == "0").then_some(())?;
        first.nth(1)?.parse().ok()
    }

    /// A program, as a shell would find it.
    pub(crate) fn program(&self, name: &str) -> Option<PathBuf> {
        let dirs = std::env::split_paths(&self.path);
        dirs.map(|dir| dir.join(name)).find(|path| is_executable(path))
    }
}

fn is_executable(path: &Path) -> bool {
    use std::os::unix::fs::PermissionsExt as _;
    std::fs::metadata(path)
        .is_ok_and(|meta| meta.is_file() && meta.permissions().mode() & 0o111 != 0)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn services_have_ids_that_no_machine_has() {
        let many = Privilege::Rootless { uid: 1000, ids: Ids::Many(65_537) };
        let (web, observer) = many.service_ids(0);
        assert!(web >= many.ids_per_machine() && observer > web && observer < 65_537);
        let one = Privilege::Rootless { uid: 1000, ids: Ids::One(Because::NoSubIds) };
        assert_eq!((one.ids_per_machine(), one.service_ids(0)), (1, (0, 0)));
        assert_eq!(Privilege::Root.service_ids(2_000_000_000), (2_000_000_001, 2_000_000_002));
    }

    #[test]
    fn a_root_of_a_namespace_is_not_root_of_the_host() {
        let dir = tempfile::tempdir().unwrap();
        let host = Host { proc: dir.path().into(), ..Host::default() };
        std::fs::create_dir(dir.path().join("self")).unwrap();
        for (map, ids) in [
            ("         0          0 4294967295\n", Some(u32::MAX)),
            ("         0       1000          1\n         1     100000      65536\n", Some(1)),
            ("      1000       1000          1\n", None),
        ] {
            std::fs::write(dir.path().join("self/uid_map"), map).unwrap();
            assert_eq!(host.own_ids(), ids, "{map}");
        }
    }
}
