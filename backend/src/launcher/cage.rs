//! Groups of a `lab` machine in the hierarchies that Vitrine makes no use of.
//!
//! Whoever may make a cgroup namespace may mount every hierarchy in it, from the group down that
//! they stand in. In one where nobody has moved them that is the host's root, with the names of
//! everything that runs there. So they stand in a group of their own in all of them: it is empty
//! but for them, and host root's.

use std::fs;
use std::io;
use std::os::fd::OwnedFd;
use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};

use super::cgroup::{BASE, Hierarchies, tree};

/// How long the removal of one may take.
const REMOVAL: Duration = Duration::from_secs(1);

/// The groups of one machine.
#[derive(Debug)]
pub(crate) struct Cage {
    dirs: Vec<PathBuf>,
}

impl Cage {
    /// Makes the group at this path in every other hierarchy.
    pub(crate) fn make(hierarchies: &Hierarchies, path: &str) -> io::Result<Self> {
        let dirs = others(hierarchies)?.into_iter().map(|root| root.join(path)).collect();
        // Removed again on drop when one fails.
        let cage = Cage { dirs };
        for dir in &cage.dirs {
            fs::create_dir_all(dir)?;
        }
        Ok(cage)
    }

    /// Descriptors through which a process moves itself in by writing `0`.
    pub(crate) fn procs(&self) -> io::Result<Vec<OwnedFd>> {
        let open = |dir: &PathBuf| {
            let tasks = dir.join("tasks");
            // A v2 group has none.
            let path = if tasks.exists() { tasks } else { dir.join("cgroup.procs") };
            fs::OpenOptions::new().write(true).open(path).map(OwnedFd::from)
        };
        self.dirs.iter().map(open).collect()
    }
}

impl Drop for Cage {
    fn drop(&mut self) {
        for dir in &self.dirs {
            if let Err(errno) = tree::remove(dir, Instant::now() + REMOVAL) {
                tracing::error!(%errno, dir = %dir.display(), "a machine's cgroup is left");
            }
        }
    }
}

/// Removes what launchers that are gone have left, or what this one has when it ends.
pub(crate) fn remove_instances(hierarchies: &Hierarchies, is_meant: impl Fn(&str) -> bool) {
    // A host whose mounts cannot be read has shown that elsewhere.
    for root in others(hierarchies).unwrap_or_default() {
        let base = root.join(BASE);
        for entry in fs::read_dir(&base).into_iter().flatten().flatten() {
            if entry.file_name().to_str().is_some_and(&is_meant) {
                // What is busy is tried again by the next start.
                let _ = tree::remove(&entry.path(), Instant::now() + REMOVAL);
            }
        }
        // Not there, or somebody is in it: both are as they should be.
        let _ = fs::remove_dir(base);
    }
}

/// Where the hierarchies are mounted that are not among these.
fn others(hierarchies: &Hierarchies) -> io::Result<Vec<PathBuf>> {
    let mountinfo = fs::read_to_string("/proc/self/mountinfo")?;
    Ok(parse(&mountinfo, |root| hierarchies.iter().any(|hierarchy| hierarchy.mount == root)))
}

fn parse(mountinfo: &str, is_known: impl Fn(&Path) -> bool) -> Vec<PathBuf> {
    let mut found: Vec<(&str, PathBuf)> = Vec::new();
    for line in mountinfo.lines() {
        let Some((before, after)) = line.split_once(" - cgroup") else { continue };
        let words: Vec<&str> = before.split(' ').collect();
        let [_, _, device, "/", root, ..] = words[..] else { continue };
        let is_cgroup = after.starts_with(' ') || after.starts_with("2 ");
        // The same hierarchy can be mounted twice.
        let is_new = !found.iter().any(|(other, _)| *other == device);
        if is_cgroup && is_new {
            found.push((device, root.into()));
        }
    }
    found.into_iter().map(|(_, root)| root).filter(|root| !is_known(root)).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn all_hierarchies_but_those_that_are_used() {
        let mountinfo = "\
30 24 0:26 / /sys/fs/cgroup rw - tmpfs tmpfs rw
31 30 0:27 / /sys/fs/cgroup/cpu rw shared:9 - cgroup cgroup rw,cpu
32 30 0:28 / /sys/fs/cgroup/devices rw - cgroup cgroup rw,devices
33 30 0:29 / /sys/fs/cgroup/unified rw - cgroup2 cgroup2 rw
34 30 0:28 /sub /mnt rw - cgroup cgroup rw,devices
35 30 0:28 / /mnt2 rw - cgroup cgroup rw,devices";
        let known = |root: &Path| root == Path::new("/sys/fs/cgroup/cpu");
        assert_eq!(
            parse(mountinfo, known),
            [Path::new("/sys/fs/cgroup/devices"), Path::new("/sys/fs/cgroup/unified")]
        );
    }
}
