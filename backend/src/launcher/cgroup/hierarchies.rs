//! Which controllers this host has, in which dialect, and where they are mounted.

use std::fs;
use std::io;
use std::path::{Path, PathBuf};

use vitrine_shared::cgroup::{Controller, Dialect};

use super::super::privilege::Privilege;

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
    pub(crate) root: PathBuf,
}

/// What is mounted on this host, for the controllers we know.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct Hierarchies(Vec<Hierarchy>);

impl Hierarchies {
    /// What this launcher may use: root everything, an ordinary user nothing yet.
    pub(crate) fn of(privilege: Privilege) -> io::Result<Self> {
        if privilege.is_rootless() { Ok(Hierarchies::default()) } else { Self::detect() }
    }

    /// Is there none at all?
    pub(crate) fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    /// Reads `/proc/self/mountinfo`, and `cgroup.controllers` of a unified hierarchy.
    pub(crate) fn detect() -> io::Result<Self> {
        let mountinfo = fs::read_to_string("/proc/self/mountinfo")?;
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
                found.push(Hierarchy { controllers, dialect, root });
            }
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

    /// Only the hierarchies that have one of these controllers.
    pub(crate) fn only(&self, controllers: &[Controller]) -> Self {
        let wanted = |h: &&Hierarchy| h.controllers.iter().any(|c| controllers.contains(c));
        Hierarchies(self.0.iter().filter(wanted).cloned().collect())
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
        assert_eq!(found.with(Controller::Freezer), None);
        assert_eq!(found.iter().count(), 3);
    }

    #[test]
    fn a_v2_only_host() {
        let line = "31 24 0:27 / /sys/fs/cgroup rw,nosuid shared:9 - cgroup2 cgroup2 rw,nsdelegate";
        let found = Hierarchies::parse(line, |_| "cpuset cpu io memory pids\n".into());
        assert_eq!(found.iter().count(), 1);
        assert_eq!(found.with(Controller::Cpuset).unwrap().dialect, Dialect::V2);
    }

    #[test]
    fn nonsense_is_no_hierarchy() {
        assert_eq!(Hierarchies::parse("- - -\nx\n\n 1 2 - cgroup", |_| String::new()).0, []);
    }
}
