//! Where a process stands: its group in each hierarchy, as `/proc/PID/cgroup` tells it.

use std::path::{Component, Path};

use vitrine_shared::cgroup::{Controller, Dialect};

use super::{Cgroup, Hierarchy};

/// The groups of one process at one moment, in the order of the hierarchies of a [`Cgroup`].
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Standing(Vec<String>);

impl Standing {
    /// Where a process stands below this group; `None` when there is a hierarchy in which it does
    /// not stand below it (or the process has gone).
    pub(crate) fn of(pid: i32, cap: &Cgroup) -> Option<Standing> {
        let text = std::fs::read_to_string(format!("/proc/{pid}/cgroup")).ok()?;
        Standing::parse(&text, cap)
    }

    fn parse(text: &str, cap: &Cgroup) -> Option<Standing> {
        let below = |(hierarchy, dir): (&Hierarchy, std::path::PathBuf)| {
            let path = line_of(text, hierarchy)?;
            // As this process sees it: from the root of its cgroup namespace, which is where the
            // hierarchy is mounted.
            let own = hierarchy.mount.join(path.strip_prefix('/')?);
            let rest = own.strip_prefix(&dir).ok()?;
            let plain = rest.components().all(|part| matches!(part, Component::Normal(_)));
            plain.then(|| rest.to_str().map(str::to_string))?
        };
        let paths = cap.directories().map(below).collect::<Option<Vec<_>>>()?;
        (!paths.is_empty()).then_some(Standing(paths))
    }

    /// Its group in each hierarchy, below the cap.
    pub(crate) fn paths(&self) -> impl Iterator<Item = &str> {
        self.0.iter().map(String::as_str)
    }

    /// Its group for the CPU, or the first there is.
    pub(crate) fn main(&self, cap: &Cgroup) -> &str {
        let cpu = cap.directories().position(|(h, _)| h.controllers.contains(&Controller::Cpu));
        self.0.get(cpu.unwrap_or(0)).map_or("", String::as_str)
    }
}

/// The path in the line of a hierarchy (`cgroups(7)`).
pub(super) fn line_of<'a>(text: &'a str, hierarchy: &Hierarchy) -> Option<&'a str> {
    text.lines().find_map(|line| {
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
    })
}

/// Is a path below the cap one of the machine's own groups, and not above it or a container's?
/// `containers` are the paths of those.
pub(crate) fn is_own<'a>(path: &str, mut containers: impl Iterator<Item = &'a str>) -> bool {
    let is_in = |group: &str| Path::new(path).starts_with(group);
    is_in("root") && !containers.any(is_in)
}

#[cfg(test)]
mod tests {
    use std::rc::Rc;

    use super::super::Hierarchies;
    use super::*;

    fn cap(mountinfo: &str) -> Cgroup {
        let hierarchies = Rc::new(Hierarchies::parse(mountinfo, |_| "cpu memory pids".into()));
        Cgroup { hierarchies, path: "vitrine/1-2/m".into(), held: None }
    }

    const V1: &str = "\
31 30 0:27 / /cg/cpu rw - cgroup cgroup rw,cpu,cpuacct
32 30 0:28 / /cg/pids rw - cgroup cgroup rw,pids";

    #[test]
    fn one_group_in_each_hierarchy() {
        let cap = cap(V1);
        let text =
            "5:pids:/vitrine/1-2/m/root/shell\n3:cpu,cpuacct:/vitrine/1-2/m/root/a/b\n0::/\n";
        let standing = Standing::parse(text, &cap).unwrap();
        assert_eq!(standing.paths().collect::<Vec<_>>(), ["root/a/b", "root/shell"]);
        assert_eq!(standing.main(&cap), "root/a/b");
        for other in [
            "5:pids:/\n3:cpu,cpuacct:/vitrine/1-2/m/root\n",
            "5:pids:/vitrine/1-2/m2/root\n3:cpu,cpuacct:/vitrine/1-2/m/root\n",
            "5:pids:/vitrine/1-2/m/../x\n3:cpu,cpuacct:/vitrine/1-2/m/root\n",
            "3:cpu,cpuacct:/vitrine/1-2/m/root\n",
            "",
        ] {
            assert_eq!(Standing::parse(other, &cap), None, "{other}");
        }
    }

    #[test]
    fn the_unified_hierarchy_has_one_line() {
        let cap = cap("31 24 0:27 / /cg rw - cgroup2 cgroup2 rw");
        let standing = Standing::parse("0::/vitrine/1-2/m/root/shell\n", &cap).unwrap();
        assert_eq!(standing.paths().collect::<Vec<_>>(), ["root/shell"]);
    }

    #[test]
    fn whose_a_group_is() {
        let is_own = |path| is_own(path, ["root/c1", "root/c2"].into_iter());
        for own in ["root", "root/shell", "root/c10", "root/a/c1", "root/shell/x"] {
            assert!(is_own(own), "{own}");
        }
        for other in ["", "root/c1", "root/c2/below", "rooty"] {
            assert!(!is_own(other), "{other}");
        }
    }
}
