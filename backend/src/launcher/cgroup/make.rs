//! New groups, and what they need before a process can enter them.

use std::fs;
use std::io::{self, Write as _};
use std::path::Path;

use nix::errno::Errno;
use vitrine_shared::cgroup::{Controller, Dialect};

use super::knobs::read;
use super::{CgroupError, Hierarchy, failed};

pub(super) fn make_one(hierarchy: &Hierarchy, dir: &Path) -> Result<(), CgroupError> {
    match fs::create_dir(dir) {
        Err(err) if err.kind() == io::ErrorKind::NotFound => make_with_parents(hierarchy, dir),
        Err(err) if err.kind() != io::ErrorKind::AlreadyExists => Err(failed("make", dir)(err)),
        _ => prepare(hierarchy, dir),
    }
}

fn make_with_parents(hierarchy: &Hierarchy, dir: &Path) -> Result<(), CgroupError> {
    let below = dir.strip_prefix(&hierarchy.root).unwrap_or(dir);
    let mut path = hierarchy.root.clone();
    for name in below.components() {
        path.push(name);
        match fs::create_dir(&path) {
            Err(err) if err.kind() != io::ErrorKind::AlreadyExists => {
                return Err(failed("make", &path)(err));
            }
            _ => prepare(hierarchy, &path)?,
        }
    }
    Ok(())
}

/// What a new group needs before a process can enter it.
pub(super) fn prepare(hierarchy: &Hierarchy, dir: &Path) -> Result<(), CgroupError> {
    match hierarchy.dialect {
        // A new v1 cpuset is empty, and nothing can enter an empty one (cpusets.rst).
        Dialect::V1 if hierarchy.controllers.contains(&Controller::Cpuset) => {
            for file in ["cpuset.cpus", "cpuset.mems"] {
                inherit(&hierarchy.root, dir, file)?;
            }
            Ok(())
        }
        Dialect::V1 => Ok(()),
        // In v2 the parent says which controllers its children have (cgroup-v2.rst).
        Dialect::V2 => enable(hierarchy, dir.parent().unwrap_or(dir)),
    }
}

/// v2: gives the children of a group the controllers that are used.
pub(super) fn enable(hierarchy: &Hierarchy, dir: &Path) -> Result<(), CgroupError> {
    if hierarchy.dialect == Dialect::V1 {
        return Ok(());
    }
    let words: Vec<_> = hierarchy.enabled().map(|c| format!("+{}", c.name())).collect();
    let words = words.join(" ");
    match subtree_control(dir, &words) {
        // Another launcher has made the groups above for fewer controllers than this one uses.
        Err(err) if err.errno() == Errno::ENOENT && dir != hierarchy.root && dir.is_dir() => {
            let below = dir.strip_prefix(&hierarchy.root).unwrap_or(dir);
            let mut above = hierarchy.root.clone();
            subtree_control(&above, &words)?;
            for name in below.components() {
                above.push(name);
                subtree_control(&above, &words)?;
            }
            Ok(())
        }
        other => other,
    }
}

/// Writes the file that says which controllers a group's children have.
pub(super) fn subtree_control(dir: &Path, words: &str) -> Result<(), CgroupError> {
    let path = dir.join("cgroup.subtree_control");
    // Not `fs::write`: a group that has gone is not to be made by its file.
    let written = fs::OpenOptions::new()
        .write(true)
        .open(&path)
        .and_then(|mut file| file.write_all(words.as_bytes()));
    written.map_err(failed("write", &path))
}

/// Gives a file that is empty the text of the parent's, and the parent's first: another launcher
/// may have made that one and not come to this yet.
fn inherit(root: &Path, dir: &Path, file: &str) -> Result<(), CgroupError> {
    let path = dir.join(file);
    let Some(parent) = dir.parent().filter(|_| dir != root && read(&path).is_empty()) else {
        return Ok(());
    };
    inherit(root, parent, file)?;
    // Not `fs::write`: a file that has gone with its group is not to be made.
    let mut open = fs::OpenOptions::new();
    let written = open
        .write(true)
        .open(&path)
        .and_then(|mut to| to.write_all(read(&parent.join(file)).as_bytes()));
    written.map_err(failed("write", &path))
}
