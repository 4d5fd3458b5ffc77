//! Mounts, and what a path means to a process: `mount_namespaces(7)`, `chroot(2)`, `pivot_root(2)`.
//!
//! Propagation is not modelled: every mount is private, as `unshare(1)` makes them.

use super::tree::{Node, Tree};
use super::{Errno, Kernel, Namespace, Proc, SpaceKey};

/// Links in links, at most (`MAXSYMLINKS`).
const LINKS_MAX: usize = 40;
/// The longest path.
const PATH_MAX: usize = 4_096;
/// Mounts of a namespace, at most.
pub(super) const MOUNTS_MAX: usize = 256;

/// A mount.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Mount {
    /// Where: a path in its mount namespace, empty for the root.
    pub at: String,
    /// What is there.
    pub what: MountWhat,
    /// What `mount` was told to mount: the first word of a line of `/proc/mounts`.
    pub source: String,
    /// Writes are refused.
    pub read_only: bool,
}

/// What is mounted.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum MountWhat {
    /// A tree in memory, or a directory of one.
    Tree {
        /// Which.
        tree: usize,
        /// From where on.
        from: String,
    },
    /// The processes of a PID namespace.
    Proc(SpaceKey),
    /// Groups of one hierarchy.
    Cgroup {
        /// Which.
        hierarchy: usize,
    },
    /// `/sys`, with nothing in it but the place for groups.
    Sys,
}

/// What a path leads to.
#[derive(Clone, Debug)]
pub(super) struct Place {
    /// Which mount, and the path in it.
    pub(super) mount: Mount,
    pub(super) inner: String,
    /// The whole path in the mount namespace.
    pub(super) full: String,
}

impl Kernel {
    /// The mounts that a process sees.
    pub fn mounts_of(&self, proc: Proc) -> Result<&[Mount], Errno> {
        let space = self.space(proc, Namespace::Mount)?;
        Ok(self.mounts.get(&space).map_or(&[], Vec::as_slice))
    }

    /// A path of a process, absolute and without `.` and `..`, seen from its root; empty for the root.
    pub(super) fn absolute(&self, proc: Proc, path: &str) -> Result<String, Errno> {
        if path.is_empty() {
            return Err(Errno::Enoent);
        }
        let too_long = |name: &str| name.len() > super::tree::NAME_MAX;
        if path.len() >= PATH_MAX || path.split('/').any(too_long) {
            return Err(Errno::Enametoolong);
        }
        let cwd = &self.about(proc)?.cwd;
        Ok(match path.strip_prefix('/') {
            Some(_) => walk("", path),
            None => walk(cwd, path),
        })
    }

    /// A path that means the same after the process has gone elsewhere.
    pub fn absolute_of(&self, proc: Proc, path: &str) -> Result<String, Errno> {
        let path = self.absolute(proc, path)?;
        Ok(if path.is_empty() { "/".into() } else { path })
    }

    /// What is at a path; links are followed, the last one only if that is asked for.
    pub(super) fn place(&self, proc: Proc, path: &str, follow: bool) -> Result<Place, Errno> {
        let mut path = self.absolute(proc, path)?;
        for _ in 0..LINKS_MAX {
            match self.first_link(proc, &path, follow)? {
                Some(next) => path = next,
                None => return self.mounted_at(proc, &path),
            }
        }
        Err(Errno::Eloop)
    }

    /// The path with its first link replaced by what it says.
    fn first_link(&self, proc: Proc, path: &str, follow: bool) -> Result<Option<String>, Errno> {
        let ends = path.char_indices().skip(1).filter(|(_, c)| *c == '/').map(|(at, _)| at);
        for end in ends.chain(follow.then_some(path.len())) {
            let (here, rest) = path.split_at(end);
            if let Some(link) = self.link_at(proc, here)? {
                let above = here.rsplit_once('/').map_or("", |(above, _)| above);
                let from = if link.starts_with('/') { "" } else { above };
                return Ok(Some(walk(&walk(from, &link), rest)));
            }
        }
        Ok(None)
    }

    fn link_at(&self, proc: Proc, path: &str) -> Result<Option<String>, Errno> {
        let place = self.mounted_at(proc, path)?;
        Ok(match &place.mount.what {
            MountWhat::Tree { tree, from } => {
                match self.trees[*tree].get(&format!("{from}{}", place.inner)) {
                    Some(Node::Link(to)) => Some(to.clone()),
                    _ => None,
                }
            }
            MountWhat::Proc(space) if place.inner == "/self" => {
                self.procs.pid_in(proc, *space).map(|pid| pid.to_string())
            }
            _ => None,
        })
    }

    fn mounted_at(&self, proc: Proc, path: &str) -> Result<Place, Errno> {
        let full = format!("{}{path}", self.about(proc)?.root);
        let below = |mount: &&Mount| is_below(&full, &mount.at);
        let longest = |mount: &(usize, &Mount)| (mount.1.at.len(), mount.0);
        let mounts = self.mounts_of(proc)?.iter().filter(below).enumerate();
        let (_, mount) = mounts.max_by_key(longest).ok_or(Errno::Enoent)?;
        let inner = full[mount.at.len()..].to_owned();
        Ok(Place { mount: mount.clone(), inner, full })
    }

    /// `mount(2)` of something new at a directory.
    pub fn mount(
        &mut self,
        proc: Proc,
        source: &str,
        target: &str,
        what: MountWhat,
    ) -> Result<(), Errno> {
        let space = self.may_mount(proc)?;
        let full = self.directory(proc, target)?;
        let mounts = self.mounts.entry(space).or_default();
        if mounts.len() >= MOUNTS_MAX {
            return Err(Errno::Enospc);
        }
        mounts.push(Mount { at: full, what, source: source.to_owned(), read_only: false });
        Ok(())
    }

    /// A new tmpfs, to be mounted.
    pub fn new_tmpfs(&mut self) -> MountWhat {
        self.new_tree(Tree::empty())
    }

    /// Keeps a tree, in the place of one that is mounted nowhere.
    pub(super) fn new_tree(&mut self, new: Tree) -> MountWhat {
        let free = (1..self.trees.len()).find(|at| !self.is_mounted(*at));
        let tree = free.unwrap_or(self.trees.len());
        match self.trees.get_mut(tree) {
            Some(old) => *old = new,
            None => self.trees.push(new),
        }
        MountWhat::Tree { tree, from: String::new() }
    }

    /// What is mounted nowhere any more is empty.
    pub(super) fn forget_trees(&mut self) {
        for at in 1..self.trees.len() {
            if !self.is_mounted(at) {
                self.trees[at] = Tree::empty();
            }
        }
    }

    fn is_mounted(&self, tree: usize) -> bool {
        let is =
            |mount: &Mount| matches!(mount.what, MountWhat::Tree { tree: at, .. } if at == tree);
        self.mounts.values().flatten().any(is)
    }

    /// What is at a path, to be mounted elsewhere (`mount --bind`). What is mounted below does not come
    /// with it.
    pub fn bind_of(&self, proc: Proc, path: &str) -> Result<MountWhat, Errno> {
        self.kind(proc, path)?;
        let place = self.place(proc, path, true)?;
        match place.mount.what {
            MountWhat::Tree { tree, from } => {
                Ok(MountWhat::Tree { tree, from: format!("{from}{}", place.inner) })
            }
            what if place.inner.is_empty() => Ok(what),
            // A file of /proc or of a group alone.
            _ => Err(Errno::Eopnotsupp),
        }
    }

    /// `umount(2)`: the newest mount at a path, if nothing is mounted below it.
    pub fn umount(&mut self, proc: Proc, target: &str) -> Result<(), Errno> {
        let space = self.may_mount(proc)?;
        self.kind(proc, target)?;
        let full = self.place(proc, target, true)?.full;
        let mounts = self.mounts.entry(space).or_default();
        let at = mounts.iter().rposition(|mount| mount.at == full).ok_or(Errno::Einval)?;
        let inside = |mount: &Mount| mount.at != full && is_below(&mount.at, &full);
        if full.is_empty() || mounts.iter().any(inside) {
            return Err(Errno::Ebusy);
        }
        mounts.remove(at);
        self.forget_trees();
        Ok(())
    }

    /// Makes a mount read-only, or not (`mount -o remount,ro`).
    pub fn remount(&mut self, proc: Proc, target: &str, read_only: bool) -> Result<(), Errno> {
        let space = self.may_mount(proc)?;
        let full = self.place(proc, target, true)?.full;
        let mounts = self.mounts.entry(space).or_default();
        let mount = mounts.iter_mut().rfind(|mount| mount.at == full).ok_or(Errno::Einval)?;
        mount.read_only = read_only;
        Ok(())
    }

    /// `chroot(2)`: the process's root is another directory. Where it is stays.
    pub fn chroot(&mut self, proc: Proc, path: &str) -> Result<(), Errno> {
        let user = self.space(proc, Namespace::User)?;
        if !self.procs.has_root(proc, user) {
            return Err(Errno::Eperm);
        }
        let root = self.directory(proc, path)?;
        if let Some(about) = self.about.get_mut(&proc) {
            about.root = root;
            about.cwd = String::new();
        }
        Ok(())
    }

    /// `pivot_root(2)`: a mount becomes the root of the mount namespace, the old root goes below it.
    pub fn pivot_root(&mut self, proc: Proc, new: &str, old: &str) -> Result<(), Errno> {
        let space = self.may_mount(proc)?;
        let (new, old) = (self.directory(proc, new)?, self.directory(proc, old)?);
        let mounts = self.mounts.entry(space).or_default();
        if new.is_empty() || !mounts.iter().any(|mount| mount.at == new) {
            return Err(if new.is_empty() { Errno::Ebusy } else { Errno::Einval });
        }
        let below = old.strip_prefix(&new).ok_or(Errno::Einval)?.to_owned();
        for mount in mounts.iter_mut() {
            mount.at = match is_below(&mount.at, &new) {
                true => mount.at[new.len()..].to_owned(),
                false => format!("{below}{}", mount.at),
            };
        }
        if let Some(about) = self.about.get_mut(&proc) {
            about.cwd = String::new();
        }
        Ok(())
    }

    /// `chdir(2)`.
    pub fn chdir(&mut self, proc: Proc, path: &str) -> Result<(), Errno> {
        self.directory(proc, path)?;
        let cwd = self.absolute(proc, path)?;
        if let Some(about) = self.about.get_mut(&proc) {
            about.cwd = cwd;
        }
        Ok(())
    }

    /// `getcwd(2)`.
    pub fn cwd(&self, proc: Proc) -> String {
        match self.about.get(&proc).map(|about| about.cwd.as_str()) {
            None | Some("") => "/".into(),
            Some(cwd) => cwd.into(),
        }
    }

    /// The full path of a directory that is there.
    fn directory(&self, proc: Proc, path: &str) -> Result<String, Errno> {
        match self.kind(proc, path)? {
            super::Kind::Directory => Ok(self.place(proc, path, true)?.full),
            _ => Err(Errno::Enotdir),
        }
    }

    fn may_mount(&self, proc: Proc) -> Result<SpaceKey, Errno> {
        let space = self.space(proc, Namespace::Mount)?;
        let owner = self.procs.owner(space).ok_or(Errno::Eperm)?;
        if self.procs.has_root(proc, owner) { Ok(space) } else { Err(Errno::Eperm) }
    }
}

/// Is a path another one, or below it?
fn is_below(path: &str, above: &str) -> bool {
    path.strip_prefix(above).is_some_and(|rest| rest.is_empty() || rest.starts_with('/'))
}

/// Goes from a directory along a path, without looking at links.
fn walk(from: &str, path: &str) -> String {
    let mut names: Vec<&str> = from.split('/').filter(|name| !name.is_empty()).collect();
    for name in path.split('/') {
        match name {
            "" | "." => {}
            ".." => drop(names.pop()),
            name => names.push(name),
        }
    }
    names.iter().flat_map(|name| ["/", name]).collect()
}
