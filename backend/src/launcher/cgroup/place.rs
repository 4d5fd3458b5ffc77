//! Where this process may make groups: at the root of a hierarchy, or below a group that somebody
//! (systemd, as a rule) has delegated to it.
//!
//! In a delegated v2 group the process first moves itself down into a leaf: a group that has
//! processes cannot hand controllers to its children (`EBUSY`, `cgroup-v2.rst`).

use std::fs;
use std::io;
use std::path::{Path, PathBuf};

use nix::unistd::{AccessFlags, access};
use vitrine_shared::cgroup::Dialect;

use super::super::privilege::Privilege;
use super::super::sys;
use super::standing::line_of;
use super::{Hierarchies, Hierarchy};

/// The leaf of a delegated group that this process lives in.
const LEAF: &str = "vitrine-launcher";
/// What systemd sets on a group that it keeps its hands off (`CGROUP_DELEGATION.md`).
const DELEGATED: [&std::ffi::CStr; 2] = [c"user.delegate", c"trusted.delegate"];

impl Hierarchies {
    /// What this launcher may use, each with the directory below which it makes groups as its
    /// root: for root of the host that is the hierarchy's own, or a group that was delegated; an
    /// ordinary user has what was delegated. Controllers that are not given are left out.
    pub(crate) fn of(privilege: Privilege) -> io::Result<Self> {
        let all = Self::detect()?;
        let own = OwnGroups::read()?;
        let mut here = all.rooted(|hierarchy| match own.directory(hierarchy) {
            Some(own) if is_delegated(&own) => is_writable(hierarchy.dialect, &own).then_some(own),
            _ => (!privilege.is_rootless()).then(|| hierarchy.root.clone()),
        });
        for (hierarchy, before) in here.iter().filter_map(|h| Some((h, all.like(h)?))) {
            if hierarchy.dialect == Dialect::V2 && hierarchy.root != before.root {
                move_down(&hierarchy.root)?;
            }
        }
        for (controller, errno) in here.settle() {
            tracing::warn!(controller = controller.name(), %errno, "the kernel does not give it");
        }
        Ok(here)
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
        let path = line_of(&self.0, hierarchy)?;
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

#[cfg(test)]
mod tests {
    use vitrine_shared::cgroup::Controller;

    use super::*;

    fn v2(root: &str) -> Hierarchy {
        let controllers = vec![Controller::Memory];
        Hierarchy { controllers, dialect: Dialect::V2, mount: root.into(), root: root.into() }
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
            mount: "/cg/cpu".into(),
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
}
