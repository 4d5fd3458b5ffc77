//! The groups of all hierarchies, merged by their path, and what is in them.

use std::collections::{BTreeMap, HashMap};
use std::path::{Path, PathBuf};
use std::rc::Rc;

use vitrine_shared::cgroup::{CgroupSample, GroupId};

use super::Host;
use super::missed::Missed;
use super::place::Place;
use crate::ipc::ObservedHierarchy;
use crate::observer::{file, group, parse};

/// Deeper than any tree that people make; what lies below is told as missed.
const MAX_DEPTH: usize = 64;

/// Groups by their path below the root (empty for the root), each with the numbers of the
/// hierarchies that have it.
pub(crate) type Groups = BTreeMap<String, Vec<usize>>;

/// All groups of all hierarchies.
pub(crate) fn all(host: &Host, missed: &mut Missed) -> Groups {
    let mut groups = Groups::new();
    for (i, hierarchy) in host.hierarchies.iter().enumerate() {
        walk(&hierarchy.directory, &mut |path| groups.entry(path).or_default().push(i), missed);
    }
    groups
}

/// The processes of ours, and where each is.
pub(crate) fn members(host: &Host, missed: &mut Missed) -> HashMap<u32, Rc<Place>> {
    let mut members = HashMap::new();
    let Some(hierarchy) = group::membership(&host.hierarchies) else { return members };
    let mut buffer = Vec::new();
    let mut paths = Vec::new();
    walk(&hierarchy.directory, &mut |path| paths.push(path), missed);
    for path in paths {
        let Some(place) = Place::of(&path) else { continue };
        let procs = group::directory(hierarchy, &path).join("cgroup.procs");
        let read = file::open(&procs).and_then(|file| file::read_list(&file, &mut buffer));
        match read {
            Ok(()) => {
                let place = Rc::new(place);
                members.extend(parse::procs(&buffer).map(|pid| (pid, Rc::clone(&place))));
            }
            // It has gone meanwhile; or, on v2, it is a threaded group, whose root has the list.
            Err(nix::errno::Errno::ENOENT | nix::errno::Errno::ENODEV) => {}
            Err(_) => missed.groups += 1,
        }
    }
    members
}

/// What the group at this path says now, out of the hierarchies that have it.
pub(crate) fn sample(host: &Host, path: &str, buffer: &mut Vec<u8>) -> CgroupSample {
    reader(host, path).read(buffer)
}

/// A reader of the group at this path that keeps its files open.
pub(crate) fn reader(host: &Host, path: &str) -> group::Group {
    // The id only tells the machine's groups apart, which is of no use here.
    group::Group::new(GroupId::Root, path, &host.hierarchies)
}

/// Names of the controllers that a group has.
pub(crate) fn controllers(host: &Host, hierarchies: &[usize]) -> Vec<String> {
    let of = |i: &usize| host.hierarchies.get(*i).map(|h: &ObservedHierarchy| &h.controllers);
    hierarchies.iter().filter_map(of).flatten().cloned().collect()
}

/// Calls `visit` with the path of each group below a hierarchy's root, parents first.
fn walk(root: &Path, visit: &mut impl FnMut(String), missed: &mut Missed) {
    let mut waiting: Vec<(PathBuf, String, usize)> = vec![(root.into(), String::new(), 0)];
    while let Some((directory, path, depth)) = waiting.pop() {
        let entries = match std::fs::read_dir(&directory) {
            Ok(entries) if depth < MAX_DEPTH => entries,
            Err(err) if err.kind() == std::io::ErrorKind::NotFound => continue,
            _ => {
                missed.groups += 1;
                continue;
            }
        };
        for entry in entries.flatten() {
            if !entry.file_type().is_ok_and(|kind| kind.is_dir()) {
                continue;
            }
            // A name that is no text cannot be one of ours, and cannot be named in JSON.
            let Ok(name) = entry.file_name().into_string() else {
                missed.groups += 1;
                continue;
            };
            let below = if path.is_empty() { name } else { format!("{path}/{name}") };
            waiting.push((entry.path(), below, depth + 1));
        }
        visit(path);
    }
}
