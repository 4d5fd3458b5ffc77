//! The groups of a machine: where each is in every hierarchy, how they are made, and which there are.

use std::collections::BTreeSet;

use super::{Host, Not, unknown};
use crate::cgroup::{Controller, ControllerSet, Dialect, GroupId, GroupPath};
use crate::id::MachineId;
use crate::limits::MADE_GROUPS;
use crate::refusal::Thing;
use crate::sim::errno::Errno;
use crate::sim::groups::GroupKey;
use crate::sim::kernel::Kernel;

/// A group: its directory in each hierarchy that it is in.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Place {
    /// Below the machine's cap: ``, `root`, `root/c1`.
    pub(super) path: String,
    /// By hierarchy.
    pub(super) keys: Vec<Option<GroupKey>>,
}

impl Place {
    /// Its directory in the hierarchy of a controller.
    pub(super) fn of(&self, kernel: &Kernel, controller: Controller) -> Option<GroupKey> {
        let hierarchy = hierarchy_of(kernel, controller)?;
        self.keys.get(hierarchy).copied().flatten()
    }

    /// All of them.
    pub(super) fn keys(&self) -> impl Iterator<Item = GroupKey> {
        self.keys.iter().copied().flatten()
    }

    /// The full path of a file in a hierarchy, as the host sees it.
    pub(super) fn file(&self, kernel: &Kernel, key: GroupKey, file: &str) -> String {
        let groups = kernel.groups();
        let hierarchy = self.keys.iter().position(|it| *it == Some(key)).unwrap_or(0);
        let mount = match groups.dialect() {
            Dialect::V2 => "/sys/fs/cgroup".to_owned(),
            Dialect::V1 => {
                let names: Vec<&str> =
                    groups.hierarchies()[hierarchy].iter().map(|it| it.name()).collect();
                format!("/sys/fs/cgroup/{}", names.join(","))
            }
        };
        let path = groups.path(key);
        if file.is_empty() { format!("{mount}{path}") } else { format!("{mount}{path}/{file}") }
    }
}

/// The hierarchy that a controller is mounted in. v2 has the freezer in every group.
pub(super) fn hierarchy_of(kernel: &Kernel, controller: Controller) -> Option<usize> {
    let groups = kernel.groups();
    let unified = groups.dialect() == Dialect::V2 && controller == Controller::Freezer;
    let found = groups.hierarchies().iter().position(|all| all.contains(&controller));
    found.or(unified.then_some(0))
}

/// Makes a directory in every hierarchy below those of `parent`, with what it needs before a process can
/// enter it: a v1 cpuset's CPUs, v2's controllers.
pub(super) fn make(kernel: &mut Kernel, parent: &Place, name: &str) -> Result<Place, Errno> {
    let mut keys = Vec::new();
    for above in &parent.keys {
        let made = above.map(|above| make_one(kernel, above, name));
        match made.transpose() {
            Ok(key) => keys.push(key),
            Err(errno) => {
                // What the others have got is taken back.
                for key in keys.into_iter().flatten() {
                    let _ = kernel.remove_group(key);
                }
                return Err(errno);
            }
        }
    }
    let path = if parent.path.is_empty() { name.into() } else { format!("{}/{name}", parent.path) };
    Ok(Place { path, keys })
}

fn make_one(kernel: &mut Kernel, above: GroupKey, name: &str) -> Result<GroupKey, Errno> {
    if kernel.groups().dialect() == Dialect::V2 {
        hand_on(kernel, above)?;
    }
    let key = kernel.make_group(above, name)?;
    for file in ["cpuset.cpus", "cpuset.mems"] {
        // Only v1's hierarchy of cpusets needs them.
        if kernel.groups().dialect() == Dialect::V1
            && let Ok(text) = kernel.group_file(above, file)
        {
            kernel.write_group(key, file, &text)?;
        }
    }
    Ok(key)
}

/// v2: a group gives its children all the controllers it has.
fn hand_on(kernel: &mut Kernel, key: GroupKey) -> Result<(), Errno> {
    let words: Vec<String> =
        kernel.groups().available(key).iter().map(|it| format!("+{}", it.name())).collect();
    kernel.write_group(key, "cgroup.subtree_control", &words.join(" "))
}

/// The places of all root directories.
pub(super) fn roots(kernel: &Kernel) -> Place {
    let keys = kernel.groups().roots().into_iter().map(Some).collect();
    Place { path: String::new(), keys }
}

/// Goes down from a place by names; `None` where there is no directory in any hierarchy.
pub(super) fn below(kernel: &Kernel, from: &Place, names: &str) -> Option<Place> {
    let mut at = from.clone();
    for name in names.split('/').filter(|name| !name.is_empty()) {
        for key in &mut at.keys {
            *key = key.and_then(|key| kernel.groups().child(key, name));
        }
        at.path = if at.path.is_empty() { name.into() } else { format!("{}/{name}", at.path) };
    }
    let is_there = at.keys().next().is_some();
    is_there.then_some(at)
}

/// Removes a group and everything below it, the deepest first. Nobody is in them any more.
pub(super) fn remove_all(kernel: &mut Kernel, place: &Place) {
    for key in place.keys() {
        let mut order = vec![key];
        let mut at = 0;
        while at < order.len() {
            order.extend(kernel.groups().children(order[at]).collect::<Vec<_>>());
            at += 1;
        }
        for key in order.into_iter().rev() {
            // One with somebody in it stays.
            let _ = kernel.remove_group(key);
        }
    }
}

impl Host {
    /// Where a group of a machine is.
    pub(super) fn place(&self, id: MachineId, group: GroupId) -> Result<Place, Not> {
        let it = self.found(id)?;
        let names = match group {
            GroupId::Container(container) => {
                let live = it.live.iter().find(|live| live.id == container && !live.is_shell);
                let name = live.map(|live| live.name.clone());
                format!("root/{}", name.ok_or_else(|| unknown(Thing::Group))?)
            }
            group => group.path().unwrap_or_default(),
        };
        self.world
            .look(|kernel| below(kernel, &it.cap, &names))
            .ok_or_else(|| unknown(Thing::Group))
    }

    /// The groups of a machine, parents first, and how many there are beyond the limit.
    pub(super) fn groups_of(&self, id: MachineId) -> (Vec<(GroupId, Place)>, u32) {
        let Some(it) = self.find(id) else { return (Vec::new(), 0) };
        let mut all = Vec::new();
        for group in [GroupId::Cap, GroupId::Root, GroupId::Shell] {
            all.extend(self.place(id, group).ok().map(|place| (group, place)));
        }
        for live in it.live.iter().filter(|live| !live.is_shell) {
            let group = GroupId::Container(live.id);
            all.extend(self.place(id, group).ok().map(|place| (group, place)));
        }
        let (made, more) = self.world.look(|kernel| made_below(kernel, &it.cap, &own_names(it)));
        for path in made {
            let group = GroupId::Made(path);
            all.extend(self.place(id, group).ok().map(|place| (group, place)));
        }
        (all, more)
    }
}

/// Names below the root that are the server's and that nobody has made.
pub(super) fn own_names(it: &super::machine::Outer) -> BTreeSet<String> {
    it.live.iter().filter(|live| !live.is_shell).map(|live| live.name.clone()).collect()
}

/// The groups that somebody has made below a machine's root, in any hierarchy.
fn made_below(kernel: &Kernel, cap: &Place, own: &BTreeSet<String>) -> (BTreeSet<GroupPath>, u32) {
    let most = usize::try_from(MADE_GROUPS.value).unwrap_or(usize::MAX);
    let (mut found, mut more) = (BTreeSet::new(), 0);
    let Some(root) = below(kernel, cap, "root") else { return (found, 0) };
    for key in root.keys() {
        let mut todo: Vec<(GroupKey, String)> = vec![(key, String::new())];
        while let Some((key, path)) = todo.pop() {
            for child in kernel.groups().children(key) {
                let name = kernel.groups().name(child);
                if path.is_empty() && own.contains(name) {
                    continue;
                }
                let path = if path.is_empty() { name.into() } else { format!("{path}/{name}") };
                if path != "shell" {
                    match path.parse() {
                        Ok(made) if found.len() < most => {
                            found.insert(made);
                        }
                        _ => more += 1,
                    }
                }
                todo.push((child, path));
            }
        }
    }
    (found, more)
}

/// The controllers of a group: v1 those of the hierarchies it exists in, v2 what it was handed.
pub(super) fn available(kernel: &Kernel, place: &Place) -> ControllerSet {
    let groups = kernel.groups();
    let all = place.keys().map(|key| groups.available(key));
    let all = all.fold(ControllerSet::NONE, ControllerSet::and);
    match groups.dialect() {
        Dialect::V1 => all,
        Dialect::V2 => all.with(Controller::Freezer),
    }
}
