//! Which controllers this host has, in which dialect, and where they are mounted.

use std::fs;
use std::io::{self, Read as _};
use std::path::{Path, PathBuf};

use nix::errno::Errno;
use vitrine_shared::cgroup::{Controller, Dialect};

use super::make::subtree_control;

/// Directory below each hierarchy's root that holds everything of ours.
pub(crate) const BASE: &str = "vitrine";

/// One mounted hierarchy.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Hierarchy {
    /// The controllers of ours that it has.
    pub(crate) controllers: Vec<Controller>,
    /// Its dialect.
    pub(crate) dialect: Dialect,
    /// Where it is mounted.
    pub(crate) mount: PathBuf,
    /// The directory below which we make groups: there, or in a group that was delegated to us.
    pub(crate) root: PathBuf,
}

/// What is mounted on this host, for the controllers we know.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct Hierarchies(Vec<Hierarchy>);

impl Hierarchies {
    /// Is there none at all?
    pub(crate) fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    /// Reads `/proc/self/mountinfo`, and `cgroup.controllers` of a unified hierarchy.
    pub(crate) fn detect() -> io::Result<Self> {
        // In one piece: left to itself, the library begins with 32 bytes.
        let mut mountinfo = String::with_capacity(16 * 1024);
        fs::File::open("/proc/self/mountinfo")?.read_to_string(&mut mountinfo)?;
        Ok(Self::parse(&mountinfo, |root| {
            fs::read_to_string(root.join("cgroup.controllers")).unwrap_or_default()
        }))
    }

    /// From the text of `mountinfo` (`proc_pid_mountinfo(5)`): a v1 mount names its controllers in
    /// its super options, a v2 mount in a file.
    pub(crate) fn parse(mountinfo: &str, controllers_file: impl Fn(&Path) -> String) -> Self {
        let mut found: Vec<Hierarchy> = Vec::new();
        for line in mountinfo.lines() {
            let Some((before, after)) = line.split_once(" - ") else { continue };
            let (Some(mount_root), Some(root)) =
                (before.split(' ').nth(3), before.split(' ').nth(4))
            else {
                continue;
            };
            let mut after = after.split(' ');
            let (kind, options) = (after.next().unwrap_or(""), after.nth(1).unwrap_or(""));
            let root = PathBuf::from(root);
            let (dialect, names) = match kind {
                "cgroup" => (Dialect::V1, options.replace(',', " ")),
                "cgroup2" => (Dialect::V2, controllers_file(&root)),
                _ => continue,
            };
            let mut controllers: Vec<_> =
                names.split_whitespace().filter_map(Controller::named).collect();
            // A bind mount of a sub-group is not the hierarchy; a second mount of one adds nothing.
            controllers.retain(|c| !found.iter().any(|h| h.controllers.contains(c)));
            if mount_root == "/" && !controllers.is_empty() {
                found.push(Hierarchy { controllers, dialect, mount: root.clone(), root });
            }
        }
        // Every v2 group can be frozen, whatever controllers it has.
        if !found.iter().any(|h| h.controllers.contains(&Controller::Freezer)) {
            let unified = found.iter_mut().find(|h| h.dialect == Dialect::V2);
            unified.into_iter().for_each(|h| h.controllers.push(Controller::Freezer));
        }
        Hierarchies(found)
    }

    /// All of them.
    pub(crate) fn iter(&self) -> impl Iterator<Item = &Hierarchy> {
        self.0.iter()
    }

    /// The one that has this controller.
    pub(crate) fn with(&self, controller: Controller) -> Option<&Hierarchy> {
        self.0.iter().find(|hierarchy| hierarchy.controllers.contains(&controller))
    }

    /// Only the hierarchies that have one of these controllers, and of the unified one no others.
    pub(crate) fn only(&self, controllers: &[Controller]) -> Self {
        let wanted = |h: &&Hierarchy| h.controllers.iter().any(|c| controllers.contains(c));
        let mut chosen: Vec<Hierarchy> = self.0.iter().filter(wanted).cloned().collect();
        for hierarchy in chosen.iter_mut().filter(|h| h.dialect == Dialect::V2) {
            hierarchy.controllers.retain(|c| controllers.contains(c));
        }
        Hierarchies(chosen)
    }

    /// Asks the kernel for each controller of the unified hierarchy by itself, and leaves out
    /// those that it does not give: with the reason, for those who look for them.
    pub(crate) fn settle(&mut self) -> Vec<(Controller, Errno)> {
        let mut refused = Vec::new();
        for hierarchy in self.0.iter_mut().filter(|h| h.dialect == Dialect::V2) {
            let Hierarchy { controllers, root, .. } = hierarchy;
            controllers.retain(|controller| {
                let asked = match controller {
                    Controller::Freezer => Ok(()),
                    controller => subtree_control(root, &format!("+{}", controller.name())),
                };
                refused.extend(asked.as_ref().err().map(|err| (*controller, err.errno())));
                asked.is_ok()
            });
        }
        refused
    }

    /// The one with the same controllers.
    pub(super) fn like(&self, hierarchy: &Hierarchy) -> Option<&Hierarchy> {
        self.0.iter().find(|other| other.controllers == hierarchy.controllers)
    }

    /// The same hierarchies, each with another directory in the place of its root; those for which
    /// there is none are left out.
    pub(super) fn rooted(&self, mut root: impl FnMut(&Hierarchy) -> Option<PathBuf>) -> Self {
        let moved = self.0.iter().filter_map(|hierarchy| {
            Some(Hierarchy { root: root(hierarchy)?, ..hierarchy.clone() })
        });
        Hierarchies(moved.collect())
    }
}

impl Hierarchy {
    /// Does it have controllers at all?
    pub(crate) fn hands_out(&self) -> bool {
        self.enabled().next().is_some()
    }

    /// The controllers that a parent hands to its children (v2): all but the freezer, which is
    /// part of every group.
    pub(super) fn enabled(&self) -> impl Iterator<Item = &Controller> {
        self.controllers.iter().filter(|controller| **controller != Controller::Freezer)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const HYBRID: &str = "\
30 24 0:26 / /sys/fs/cgroup rw - tmpfs tmpfs rw,mode=755
31 30 0:27 / /sys/fs/cgroup/cpu,cpuacct rw - cgroup cgroup rw,cpu,cpuacct
32 30 0:28 / /sys/fs/cgroup/pids rw - cgroup cgroup rw,pids
33 30 0:29 / /sys/fs/cgroup/unified rw - cgroup2 cgroup2 rw
34 30 0:27 /docker/x /mnt/bind rw - cgroup cgroup rw,cpu,cpuacct";

    #[test]
    fn a_hybrid_host_is_told_apart_per_controller() {
        let found = Hierarchies::parse(HYBRID, |_| "memory pids io".into());
        let cpu = found.with(Controller::Cpu).unwrap();
        assert_eq!(
            (cpu.dialect, cpu.root.as_path()),
            (Dialect::V1, Path::new("/sys/fs/cgroup/cpu,cpuacct"))
        );
        assert_eq!(found.with(Controller::Memory).unwrap().dialect, Dialect::V2);
        assert_eq!(found.with(Controller::Pids).unwrap().dialect, Dialect::V1);
        assert_eq!(found.with(Controller::Freezer).unwrap().dialect, Dialect::V2);
        assert_eq!(found.iter().count(), 3);
    }

    #[test]
    fn a_v2_only_host() {
        let line = "31 24 0:27 / /sys/fs/cgroup rw,nosuid shared:9 - cgroup2 cgroup2 rw,nsdelegate";
        let found = Hierarchies::parse(line, |_| "cpuset cpu io memory pids\n".into());
        assert_eq!(found.iter().count(), 1);
        assert_eq!(found.with(Controller::Cpuset).unwrap().dialect, Dialect::V2);
        let words: Vec<_> = found.0[0].enabled().map(|c| c.name()).collect();
        assert_eq!(
            words,
            ["cpuset", "cpu", "io", "memory", "pids"],
            "the freezer is no controller"
        );
        let few = found.only(&[Controller::Pids]);
        assert_eq!(few.0[0].controllers, [Controller::Pids], "no more than is used");
    }

    #[test]
    fn nonsense_is_no_hierarchy() {
        assert_eq!(Hierarchies::parse("- - -\nx\n\n 1 2 - cgroup", |_| String::new()).0, []);
    }
}
