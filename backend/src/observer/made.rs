//! The groups that somebody made below a machine's root: found by walking its tree now and then.
//!
//! There can be thousands, and they come, go and are renamed while we look. So the walk is bounded
//! in number and depth, every step is relative to a descriptor and follows no link, and a group
//! is its directories (inode numbers), not only their path. `nlink` of a directory counts the
//! groups in it (kernfs), which spares listing those without any.

use std::collections::BTreeMap;
use std::ffi::CString;
use std::os::fd::{AsFd as _, BorrowedFd, OwnedFd};

use nix::dir::{Dir, Type};
use nix::fcntl::AtFlags;
use nix::sys::stat::fstatat;
use vitrine_shared::cgroup::{GROUP_PATH_DEPTH, GroupId, GroupPath};
use vitrine_shared::limits::MADE_GROUPS;

use super::{clock, file, group};
use crate::ipc::ObservedMachine;

/// How old the list of groups may be.
const LIST_NSEC: u64 = 450_000_000;
/// Most directories of one hierarchy that are looked at; whoever has more sees "at least".
const MAX_LOOKED: usize = 2_048;

/// A group's directories: which hierarchy (by its place in the machine's list), which inode.
pub(super) type Directories = Vec<(usize, u64)>;

/// The groups that somebody made, as they were at the last walk.
#[derive(Debug, Default)]
pub(super) struct Made {
    /// Parents first.
    pub(super) found: BTreeMap<GroupPath, Directories>,
    /// How many are not among them.
    pub(super) more: u32,
    listed_at_nsec: Option<u64>,
}

impl Made {
    /// Looks again, when it is time; says whether it did.
    pub(super) fn look(&mut self, machine: &ObservedMachine) -> bool {
        let now_nsec = clock::monotonic_nsec();
        let is_fresh = |at_nsec| now_nsec.saturating_sub(at_nsec) < LIST_NSEC;
        if !machine.delegated || self.listed_at_nsec.is_some_and(is_fresh) {
            return false;
        }
        self.listed_at_nsec = Some(now_nsec);
        let mut all = BTreeMap::<GroupPath, Directories>::new();
        let mut unnamed = 0;
        for (i, hierarchy) in machine.hierarchies.iter().enumerate() {
            let root = group::directory(hierarchy, "root");
            let Ok(root) = file::open_directory(&root) else { continue };
            let mut walk = Walk { machine, found: Vec::new(), looked: 0, unnamed: 0 };
            walk.go_down(root.as_fd(), None, 0);
            for (path, inode) in walk.found {
                all.entry(path).or_default().push((i, inode));
            }
            // The same groups are in several hierarchies: the largest number says most.
            unnamed = unnamed.max(walk.unnamed);
        }
        let shown = usize::try_from(MADE_GROUPS.value).unwrap_or(usize::MAX);
        let beyond = all.len().saturating_sub(shown) + unnamed;
        self.more = u32::try_from(beyond).unwrap_or(u32::MAX);
        self.found = all.into_iter().take(shown).collect();
        true
    }
}

struct Walk<'a> {
    machine: &'a ObservedMachine,
    found: Vec<(GroupPath, u64)>,
    looked: usize,
    unnamed: usize,
}

impl Walk<'_> {
    /// Depth is bounded by [`GROUP_PATH_DEPTH`], so this may call itself.
    fn go_down(&mut self, dir: BorrowedFd<'_>, path: Option<GroupPath>, depth: usize) {
        for (name, inode) in children(dir) {
            self.looked += 1;
            if self.looked > MAX_LOOKED {
                self.unnamed += 1;
                return;
            }
            let made = name.to_str().ok().and_then(|name| match path {
                Some(parent) => parent.child(name).ok(),
                None => GroupPath::below_root(name).ok(),
            });
            let Some(made) = made else {
                // Not UTF-8, or marks that change how a page looks, or too deep.
                self.unnamed += 1;
                continue;
            };
            match self.owner(made) {
                Some(GroupId::Shell) => {}
                // Nobody but the launcher makes groups in a container's.
                Some(_) => continue,
                None => self.found.push((made, inode)),
            }
            let flags = AtFlags::AT_SYMLINK_NOFOLLOW;
            let has_groups = |stat: nix::sys::stat::FileStat| stat.st_nlink != 2;
            if depth < GROUP_PATH_DEPTH
                && fstatat(dir, name.as_c_str(), flags).is_ok_and(has_groups)
                && let Ok(below) = file::open_directory_in(dir, &name)
            {
                self.go_down(below.as_fd(), Some(made), depth + 1);
            }
        }
    }

    /// The id of a group that the launcher has made.
    fn owner(&self, path: GroupPath) -> Option<GroupId> {
        let is_it = |full: &str| full.strip_prefix("root/") == Some(path.as_str());
        self.machine.groups.iter().find(|(_, full)| is_it(full)).map(|(id, _)| *id)
    }
}

/// The directories in one, by name and inode number.
fn children(dir: BorrowedFd<'_>) -> Vec<(CString, u64)> {
    // A description of its own, which listing moves.
    let listed = file::open_directory_in(dir, c".").and_then(|own: OwnedFd| Dir::from_fd(own));
    let Ok(mut list) = listed else { return Vec::new() };
    let is_group = |entry: &nix::dir::Entry| {
        let name = entry.file_name();
        entry.file_type() == Some(Type::Directory) && name != c"." && name != c".."
    };
    let entries = list.iter().map_while(Result::ok).filter(is_group);
    entries.map(|entry| (entry.file_name().into(), entry.ino())).collect()
}

#[cfg(test)]
#[path = "tests/made.rs"]
mod tests;
