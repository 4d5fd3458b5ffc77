//! Where this process may make groups: at the root of a hierarchy, or below a group that somebody
//! (systemd, as a rule) has delegated to it.
//!
//! In a delegated v2 group the process first moves itself down into a leaf: a group that has
//! processes cannot hand controllers to its children (`EBUSY`, `cgroup-v2.rst`).

use std::fs;
use std::io;
use std::path::{Path, PathBuf};

use nix::errno::Errno;
use nix::unistd::{AccessFlags, access, geteuid};
use vitrine_shared::cgroup::{Controller, Dialect};
use vitrine_shared::message::{Because, Feature, Missing};

use super::super::sys;
use super::{Hierarchies, Hierarchy};

/// The leaf of a delegated group that this process lives in.
const LEAF: &str = "vitrine-launcher";
/// What systemd sets on a group that it keeps its hands off (`CGROUP_DELEGATION.md`).
const DELEGATED: [&std::ffi::CStr; 2] = [c"user.delegate", c"trusted.delegate"];

/// The hierarchies as this process may use them, and what it may not use.
#[derive(Debug, Default)]
pub(crate) struct Place {
    /// Each with the directory below which groups are made as its root.
    pub(crate) hierarchies: Hierarchies,
    /// Controllers that are not given, with the reason and what mends it.
    pub(crate) missing: Vec<Missing>,
}

impl Place {
    /// Looks around, moves into the leaf of a delegated group, and asks for each controller.
    pub(crate) fn find() -> io::Result<Self> {
        let all = Hierarchies::detect()?;
        let own = OwnGroups::read()?;
        let root = geteuid().is_root();
        let mut hierarchies = all.rooted(|hierarchy| match own.directory(hierarchy) {
            Some(own) if !root || is_delegated(&own) => {
                is_writable(hierarchy.dialect, &own).then_some(own)
            }
            _ => root.then(|| hierarchy.root.clone()),
        });
        for (hierarchy, before) in hierarchies.iter().filter_map(|h| Some((h, all.like(h)?))) {
            if hierarchy.dialect == Dialect::V2 && hierarchy.root != before.root {
                move_down(&hierarchy.root)?;
            }
        }
        let refused = hierarchies.settle();
        let missing = missing(&all, &hierarchies, &refused, root);
        Ok(Place { hierarchies, missing })
    }
}

/// Is this process in a v2 group that was delegated, or in the leaf of one?
pub(crate) fn in_delegated_group() -> io::Result<bool> {
    let (all, own) = (Hierarchies::detect()?, OwnGroups::read()?);
    let mut v2 = all.iter().filter(|hierarchy| hierarchy.dialect == Dialect::V2);
    Ok(v2.any(|hierarchy| own.directory(hierarchy).is_some_and(|own| is_delegated(&own))))
}

/// This process's groups, as `/proc/self/cgroup` tells them (`cgroups(7)`).
struct OwnGroups(String);

impl OwnGroups {
    fn read() -> io::Result<Self> {
        fs::read_to_string("/proc/self/cgroup").map(OwnGroups)
    }

    /// The directory of its group in a hierarchy; out of the leaf, if that is where it is.
    fn directory(&self, hierarchy: &Hierarchy) -> Option<PathBuf> {
        let path = self.0.lines().find_map(|line| {
            let mut words = line.splitn(3, ':').skip(1);
            let (controllers, path) = (words.next()?, words.next()?);
            let is_it = match hierarchy.dialect {
                Dialect::V2 => controllers.is_empty(),
                Dialect::V1 => controllers
                    .split(',')
                    .filter_map(Controller::named)
                    .any(|c| hierarchy.controllers.contains(&c)),
            };
            is_it.then_some(path)
        })?;
        // Above the root of its cgroup namespace (`/../x`) there is nothing for it.
        let below = Path::new(path).strip_prefix("/").ok()?;
        let within = below.components().all(|part| matches!(part, std::path::Component::Normal(_)));
        let own = within.then(|| hierarchy.root.join(below))?;
        Some(if own.ends_with(LEAF) { own.parent()?.to_path_buf() } else { own })
    }
}

fn is_delegated(group: &Path) -> bool {
    DELEGATED.iter().any(|name| sys::xattr_is(group, name, b"1"))
}

/// May this process make groups below, and move processes into them?
fn is_writable(dialect: Dialect, group: &Path) -> bool {
    let files: &[&str] = match dialect {
        Dialect::V1 => &["", "tasks"],
        Dialect::V2 => &["", "cgroup.procs", "cgroup.subtree_control"],
    };
    files.iter().all(|file| access(&group.join(file), AccessFlags::W_OK).is_ok())
}

fn move_down(group: &Path) -> io::Result<()> {
    let leaf = group.join(LEAF);
    match fs::create_dir(&leaf) {
        Err(err) if err.kind() != io::ErrorKind::AlreadyExists => Err(err),
        _ => fs::write(leaf.join("cgroup.procs"), "0"),
    }
}

/// The controllers that a server wants and does not have.
fn missing(
    all: &Hierarchies,
    here: &Hierarchies,
    refused: &[(Controller, Errno)],
    root: bool,
) -> Vec<Missing> {
    let wanted = Controller::ALL.into_iter().filter(|controller| match controller {
        // Part of `cpu` in v2.
        Controller::Cpuacct => here.with(Controller::Cpu).is_none_or(|h| h.dialect == Dialect::V1),
        _ => true,
    });
    let lacking = wanted.filter(|controller| here.with(*controller).is_none());
    let one = |controller: Controller| {
        let errno = refused.iter().find(|(other, _)| *other == controller).map(|(_, errno)| *errno);
        let (because, mend) = match (all.with(controller), errno) {
            (
                _,
                Some(Errno::EBUSY | Errno::EACCES | Errno::EPERM | Errno::ENOENT | Errno::EROFS),
            ) => (Because::NotDelegated, scope_command(root)),
            // Real-time processes outside the root keep the cpu controller from being enabled.
            (_, Some(_)) => (Because::Kernel, String::new()),
            (Some(_), None) => (Because::NotDelegated, scope_command(root)),
            (None, None) if kernel_has(controller) => {
                (Because::NotMounted, mount_command(controller))
            }
            (None, None) => (Because::Kernel, String::new()),
        };
        Missing { feature: Feature::Controller(controller), because, mend }
    };
    lacking.map(one).collect()
}

fn scope_command(root: bool) -> String {
    let user = if root { "" } else { "--user " };
    format!("systemd-run {user}--scope -p Delegate=yes vitrine serve")
}

fn mount_command(controller: Controller) -> String {
    let name = if controller == Controller::Io { "blkio" } else { controller.name() };
    format!(
        "mkdir -p /sys/fs/cgroup/{name} && mount -t cgroup -o {name} cgroup /sys/fs/cgroup/{name}"
    )
}

fn kernel_has(controller: Controller) -> bool {
    let table = fs::read_to_string("/proc/cgroups").unwrap_or_default();
    let mut lines = table.lines().filter(|line| !line.starts_with('#'));
    lines.any(|line| line.split_whitespace().next().and_then(Controller::named) == Some(controller))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn v2(root: &str) -> Hierarchy {
        let controllers = vec![Controller::Memory];
        Hierarchy { controllers, dialect: Dialect::V2, root: root.into() }
    }

    fn own(text: &str, hierarchy: &Hierarchy) -> Option<PathBuf> {
        OwnGroups(text.into()).directory(hierarchy)
    }

    #[test]
    fn ones_own_group_in_each_hierarchy() {
        let text = "7:cpu,cpuacct:/jobs/1\n3:memory:/\n1:name=systemd:/x\n0::/a.slice/b.scope\n";
        let found = own(text, &v2("/cg")).unwrap();
        assert_eq!(found, Path::new("/cg/a.slice/b.scope"));
        let cpu = Hierarchy {
            controllers: vec![Controller::Cpu],
            dialect: Dialect::V1,
            root: "/cg/cpu".into(),
        };
        assert_eq!(own(text, &cpu).unwrap(), Path::new("/cg/cpu/jobs/1"));
        let pids = Hierarchy { controllers: vec![Controller::Pids], ..cpu };
        assert_eq!(own(text, &pids), None, "not a member of any");
    }

    #[test]
    fn out_of_the_leaf_and_never_above_the_view() {
        let leaf = format!("0::/b.scope/{LEAF}\n");
        assert_eq!(own(&leaf, &v2("/cg")).unwrap(), Path::new("/cg/b.scope"));
        assert_eq!(own("0::/../elsewhere\n", &v2("/cg")), None);
        assert_eq!(own("0::/\n", &v2("/cg")).unwrap(), Path::new("/cg/"));
    }

    #[test]
    fn what_is_missing_is_told_with_its_reason() {
        let all = Hierarchies::of(vec![v2("/cg")]);
        let mut here = all.clone();
        assert!(
            !missing(&all, &here, &[], true)
                .iter()
                .any(|m| { m.feature == Feature::Controller(Controller::Memory) })
        );
        here = here.rooted(|_| None);
        let told = missing(&all, &here, &[(Controller::Memory, Errno::EBUSY)], false);
        let memory = told.iter().find(|m| m.feature == Feature::Controller(Controller::Memory));
        assert_eq!(memory.unwrap().because, Because::NotDelegated);
        assert!(memory.unwrap().mend.starts_with("systemd-run --user --scope"), "{memory:?}");
    }
}
