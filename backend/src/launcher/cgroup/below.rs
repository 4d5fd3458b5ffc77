//! Groups below a machine's root that somebody made: found, made, removed and entered by descriptor.
//!
//! Whoever is in the machine renames and removes directories while we look. So every step down is
//! relative to a descriptor and follows no link, and what is found is held: a [`Cgroup`] whose
//! directories are `/proc/self/fd/N` means the same directories whatever they are called by now.

use std::ffi::CString;
use std::io;
use std::os::fd::{AsFd, AsRawFd, OwnedFd};
use std::path::{Path, PathBuf};
use std::rc::Rc;
use std::time::Instant;

use nix::errno::Errno;
use nix::fcntl::{OFlag, open, openat};
use nix::sys::stat::{Mode, mkdirat};
use nix::unistd::{Gid, Uid, UnlinkatFlags, setfsgid, setfsuid, unlinkat};
use vitrine_shared::cgroup::{Controller, Dialect};

use super::{Cgroup, CgroupError, Hierarchy, Wrote, failed, tree};

const DIRECTORY: OFlag =
    OFlag::O_RDONLY.union(OFlag::O_DIRECTORY).union(OFlag::O_NOFOLLOW).union(OFlag::O_CLOEXEC);

/// Directories that are held, and how people call them.
#[derive(Debug)]
pub(super) struct Held(Vec<(OwnedFd, PathBuf)>);

impl Held {
    /// The path that people know, for one below a descriptor.
    fn named(&self, path: &Path) -> Option<PathBuf> {
        self.0.iter().find_map(|(fd, name)| {
            let rest = path.strip_prefix(magic(fd)).ok()?;
            // Joining an empty path would add a slash.
            Some(if rest.as_os_str().is_empty() { name.clone() } else { name.join(rest) })
        })
    }
}

/// The name under which the kernel opens the directory of a descriptor.
fn magic(fd: &OwnedFd) -> PathBuf {
    PathBuf::from(format!("/proc/self/fd/{}", fd.as_raw_fd()))
}

/// What was done to the file system, for those who want it explained.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Did {
    /// A directory was made.
    Mkdir(PathBuf),
    /// A directory was removed.
    Rmdir(PathBuf),
    /// A file was written.
    Wrote(Wrote),
}

/// While it lives, what is done to files is done as this user and group, so that the kernel says
/// what they may do, and what is made is theirs.
struct As;

impl As {
    fn user(id: Option<u32>) -> Option<As> {
        let id = id?;
        setfsgid(Gid::from_raw(id));
        setfsuid(Uid::from_raw(id));
        Some(As)
    }
}

impl Drop for As {
    fn drop(&mut self) {
        setfsuid(Uid::effective());
        setfsgid(Gid::effective());
    }
}

impl Cgroup {
    /// The group at a path below this one, in those hierarchies that have it; `None` when none has.
    pub(crate) fn below(&self, path: &str) -> Result<Option<Cgroup>, CgroupError> {
        let mut held = Vec::new();
        let hierarchies = self.hierarchies.rooted(|hierarchy| {
            let top = hierarchy.root.join(&self.path);
            let fd = descend(&top, path).ok()?;
            let root = magic(&fd);
            held.push((fd, top.join(path)));
            Some(root)
        });
        if held.is_empty() {
            return Ok(None);
        }
        let (hierarchies, held) = (Rc::new(hierarchies), Some(Rc::new(Held(held))));
        Ok(Some(Cgroup { hierarchies, path: String::new(), held }))
    }

    /// Makes a group in this one, in every hierarchy that this one is in, as the user `owner`; what
    /// was made is removed again when one fails. The name has been checked to be one.
    pub(crate) fn make_below(
        &self,
        name: &str,
        owner: Option<u32>,
    ) -> Result<Vec<Did>, CgroupError> {
        let name = c_name(name)?;
        let mut made: Vec<(OwnedFd, PathBuf)> = Vec::new();
        let mut did = Vec::new();
        for (hierarchy, dir) in self.directories() {
            let done = self.make_one(hierarchy, &dir, &name, owner, &mut did);
            match done {
                Ok(parent) => made.push((parent, dir)),
                Err(err) => {
                    for (parent, _) in &made {
                        // The first error is the one to tell.
                        let _ = unlinkat(parent, name.as_c_str(), UnlinkatFlags::RemoveDir);
                    }
                    return Err(self.told(err));
                }
            }
        }
        Ok(did)
    }

    fn make_one(
        &self,
        hierarchy: &Hierarchy,
        dir: &Path,
        name: &CString,
        owner: Option<u32>,
        did: &mut Vec<Did>,
    ) -> Result<OwnedFd, CgroupError> {
        let shown = self.shown(&dir.join(name.to_string_lossy().as_ref()));
        let parent = open_dir(dir).map_err(failed("make", &shown))?;
        if hierarchy.dialect == Dialect::V2 {
            did.extend(self.hand_on(hierarchy, dir)?);
        }
        {
            let _as = As::user(owner);
            mkdirat(&parent, name.as_c_str(), Mode::from_bits_truncate(0o755))
                .map_err(|errno| failed("make", &shown)(errno.into()))?;
        }
        did.push(Did::Mkdir(shown.clone()));
        // A new v1 cpuset is empty, and nothing can enter an empty one (cpusets.rst).
        if hierarchy.dialect == Dialect::V1 && hierarchy.controllers.contains(&Controller::Cpuset) {
            let inherited = inherit(&parent, name, &shown);
            if inherited.is_err() {
                // The first error is the one to tell.
                let _ = unlinkat(&parent, name.as_c_str(), UnlinkatFlags::RemoveDir);
            }
            did.extend(inherited?);
        }
        Ok(parent)
    }

    /// v2: hands the controllers that a group has to its children, as far as the kernel lets it: a
    /// group with processes in it hands on none (`EBUSY`), and its children have none then.
    fn hand_on(&self, hierarchy: &Hierarchy, dir: &Path) -> Result<Option<Did>, CgroupError> {
        let read = |file: &str| super::knobs::read(&dir.join(file));
        let (has, hands) = (read("cgroup.controllers"), read("cgroup.subtree_control"));
        let lacks: Vec<String> = hierarchy
            .enabled()
            .map(|controller| controller.name())
            .filter(|name| has.split(' ').any(|one| one == *name))
            .filter(|name| !hands.split(' ').any(|one| one == *name))
            .map(|name| format!("+{name}"))
            .collect();
        if lacks.is_empty() {
            return Ok(None);
        }
        match super::knobs::write_file(&dir.join("cgroup.subtree_control"), &lacks.join(" ")) {
            Ok(wrote) => Ok(Some(Did::Wrote(self.told_wrote(wrote)))),
            Err(err) if err.errno() == Errno::EBUSY => Ok(None),
            Err(err) => Err(self.told(err)),
        }
    }

    /// Removes a group in this one from every hierarchy that has it, as the user `owner`. It is
    /// looked at in all of them first: one with processes or groups in it stays as it is
    /// everywhere.
    pub(crate) fn remove_below(
        &self,
        name: &str,
        owner: Option<u32>,
    ) -> Result<Vec<Did>, CgroupError> {
        let name = c_name(name)?;
        let mut found = Vec::new();
        for (_, dir) in self.directories() {
            let shown = self.shown(&dir.join(name.to_string_lossy().as_ref()));
            let busy = |errno: Errno| failed("remove", &shown)(errno.into());
            let parent = open_dir(&dir).map_err(failed("remove", &shown))?;
            match openat(&parent, name.as_c_str(), DIRECTORY, Mode::empty()) {
                Err(Errno::ENOENT) => continue,
                Err(errno) => return Err(busy(errno)),
                Ok(group) if tree::has_children(&group) => return Err(busy(Errno::ENOTEMPTY)),
                Ok(group) if !tree::pids(group.as_fd()).is_empty() => {
                    return Err(busy(Errno::EBUSY));
                }
                Ok(_) => found.push((parent, shown)),
            }
        }
        let mut did = Vec::new();
        let _as = As::user(owner);
        for (parent, shown) in found {
            match unlinkat(&parent, name.as_c_str(), UnlinkatFlags::RemoveDir) {
                Err(errno) if errno != Errno::ENOENT => {
                    return Err(failed("remove", &shown)(errno.into()));
                }
                _ => did.push(Did::Rmdir(shown)),
            }
        }
        Ok(did)
    }

    /// Moves a process here, in every hierarchy that this group is in; gives what was written, and
    /// at an error how many of the hierarchies it has moved in.
    pub(crate) fn take_in(&self, pid: i32) -> Result<Vec<Wrote>, (Vec<Wrote>, CgroupError)> {
        let mut wrote = Vec::new();
        for (_, dir) in self.directories() {
            match super::knobs::write_file(&dir.join("cgroup.procs"), &pid.to_string()) {
                Ok(one) => wrote.push(self.told_wrote(one)),
                Err(err) => return Err((wrote, self.told(err))),
            }
        }
        Ok(wrote)
    }

    /// How many groups there are below this one in the hierarchy that has most of them; all that
    /// can be counted until then.
    pub(crate) fn count_below(&self, deadline: Instant) -> Option<usize> {
        let mut most = 0;
        for (_, dir) in self.directories() {
            let mut count = 0_usize;
            tree::for_each(&dir, deadline, |_| count += 1).ok()?;
            most = most.max(count.saturating_sub(1));
        }
        Some(most)
    }

    /// A path as people know it.
    pub(super) fn shown(&self, path: &Path) -> PathBuf {
        let named = self.held.as_ref().and_then(|held| held.named(path));
        named.unwrap_or_else(|| path.into())
    }

    /// The same for what was written.
    pub(super) fn told_wrote(&self, wrote: Wrote) -> Wrote {
        Wrote { path: self.shown(&wrote.path), ..wrote }
    }

    /// The same for an error.
    pub(super) fn told(&self, err: CgroupError) -> CgroupError {
        CgroupError { path: self.shown(&err.path), ..err }
    }
}

/// Goes down from a directory that is the launcher's own, name by name.
fn descend(top: &Path, path: &str) -> nix::Result<OwnedFd> {
    let mut here = open(top, DIRECTORY, Mode::empty())?;
    for name in path.split('/') {
        if matches!(name, "" | "." | "..") {
            return Err(Errno::EINVAL);
        }
        here = openat(&here, name, DIRECTORY, Mode::empty())?;
    }
    Ok(here)
}

/// A directory of a group that is the launcher's own, or of a descriptor that is held.
fn open_dir(dir: &Path) -> io::Result<OwnedFd> {
    // Not `O_NOFOLLOW`: the last step of `/proc/self/fd/N` is the kernel's own link.
    let flags = OFlag::O_RDONLY | OFlag::O_DIRECTORY | OFlag::O_CLOEXEC;
    Ok(open(dir, flags, Mode::empty())?)
}

fn c_name(name: &str) -> Result<CString, CgroupError> {
    // A checked name has no NUL; one that is not checked is no name.
    CString::new(name)
        .ok()
        .filter(|_| !name.is_empty() && name != "." && name != ".." && !name.contains('/'))
        .ok_or_else(|| failed("name", Path::new("a group"))(Errno::EINVAL.into()))
}

/// Gives a new cpuset what its parent has.
fn inherit(parent: &OwnedFd, name: &CString, shown: &Path) -> Result<Vec<Did>, CgroupError> {
    let told = |err: io::Error| failed("write", shown)(err);
    let group =
        openat(parent, name.as_c_str(), DIRECTORY, Mode::empty()).map_err(|e| told(e.into()))?;
    let mut did = Vec::new();
    for file in [c"cpuset.cpus", c"cpuset.mems"] {
        let text = tree::read(parent.as_fd(), file).map_err(told)?;
        let text = text.trim();
        if text.is_empty() {
            continue;
        }
        tree::write(group.as_fd(), file, text).map_err(told)?;
        let new = tree::read(group.as_fd(), file).unwrap_or_default().trim().into();
        let path = shown.join(file.to_string_lossy().as_ref());
        did.push(Did::Wrote(Wrote { path, old: String::new(), new, text: text.into() }));
    }
    Ok(did)
}

#[cfg(test)]
#[path = "below_tests.rs"]
mod tests;
