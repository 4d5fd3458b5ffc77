//! Files by their paths: reading, writing, listing, making and removing.

use super::mounts::{MountWhat, Place};
use super::of_proc;
use super::tree::Node;
use super::{Errno, Kernel, Proc};

/// What is at a path.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Kind {
    /// A directory.
    Directory,
    /// A file.
    File,
    /// A symbolic link.
    Link,
    /// A device.
    Device,
}

/// A name in a directory.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Entry {
    /// The name.
    pub name: String,
    /// What it is.
    pub kind: Kind,
}

impl Entry {
    pub(super) fn new(name: impl Into<String>, kind: Kind) -> Self {
        Entry { name: name.into(), kind }
    }
}

impl Kernel {
    /// What is at a path, links followed.
    pub fn kind(&self, proc: Proc, path: &str) -> Result<Kind, Errno> {
        self.kind_of(proc, &self.place(proc, path, true)?)
    }

    /// The same, the last link not followed (`lstat(2)`).
    pub fn kind_itself(&self, proc: Proc, path: &str) -> Result<Kind, Errno> {
        self.kind_of(proc, &self.place(proc, path, false)?)
    }

    fn kind_of(&self, proc: Proc, place: &Place) -> Result<Kind, Errno> {
        match &place.mount.what {
            MountWhat::Tree { tree, from } => {
                let node = self.trees[*tree].get(&format!("{from}{}", place.inner));
                node.map(Node::kind).ok_or(Errno::Enoent)
            }
            MountWhat::Proc(space) => self.proc_kind(proc, *space, &place.inner),
            MountWhat::Cgroup { hierarchy } => self.cgroup_kind(proc, *hierarchy, &place.inner),
            MountWhat::Sys => match place.inner.as_str() {
                "" | "/fs" | "/fs/cgroup" => Ok(Kind::Directory),
                _ => Err(Errno::Enoent),
            },
        }
    }

    /// The whole text of a file.
    pub fn read(&self, proc: Proc, path: &str) -> Result<String, Errno> {
        let place = self.place(proc, path, true)?;
        if self.kind_of(proc, &place)? == Kind::Directory {
            return Err(Errno::Eisdir);
        }
        match &place.mount.what {
            MountWhat::Tree { tree, from } => {
                match self.trees[*tree].get(&format!("{from}{}", place.inner)) {
                    Some(Node::File(text)) => Ok(text.clone()),
                    Some(Node::Device("null" | "tty")) => Ok(String::new()),
                    // Without an end; nobody here could read it all.
                    Some(Node::Device(_)) => Err(Errno::Eopnotsupp),
                    _ => Err(Errno::Enoent),
                }
            }
            MountWhat::Proc(space) => self.proc_read(proc, *space, &place.inner),
            MountWhat::Cgroup { hierarchy } => self.cgroup_read(proc, *hierarchy, &place.inner),
            MountWhat::Sys => Err(Errno::Enoent),
        }
    }

    /// Writes a file: over what is there, or behind it. A new one is made where that can be.
    pub fn write(&mut self, proc: Proc, path: &str, text: &str, append: bool) -> Result<(), Errno> {
        let place = self.place(proc, path, true)?;
        self.writable(&place)?;
        match place.mount.what {
            MountWhat::Tree { tree, from } => {
                self.trees[tree].write(&format!("{from}{}", place.inner), text, append)
            }
            MountWhat::Proc(space) => self.proc_write(proc, space, &place.inner, text),
            MountWhat::Cgroup { hierarchy } => {
                self.cgroup_write(proc, hierarchy, &place.inner, text)
            }
            MountWhat::Sys => Err(Errno::Eacces),
        }
    }

    /// Opens a file for writing without writing yet, as the shell does for `>`: it is made, or emptied.
    pub fn create(&mut self, proc: Proc, path: &str, append: bool) -> Result<(), Errno> {
        let place = self.place(proc, path, true)?;
        self.writable(&place)?;
        match place.mount.what {
            MountWhat::Tree { tree, from } => {
                self.trees[tree].write(&format!("{from}{}", place.inner), "", append)
            }
            ref what => match (self.kind_of(proc, &place), what) {
                (Ok(Kind::Directory), _) => Err(Errno::Eisdir),
                (Ok(_), MountWhat::Proc(_)) if !of_proc::is_written(&place.inner) => {
                    Err(Errno::Eacces)
                }
                (Ok(_), _) => Ok(()),
                // Nobody makes files there.
                (Err(Errno::Enoent), MountWhat::Cgroup { .. } | MountWhat::Sys) => {
                    Err(Errno::Eacces)
                }
                (Err(errno), _) => Err(errno),
            },
        }
    }

    /// The names in a directory, sorted.
    pub fn list(&self, proc: Proc, path: &str) -> Result<Vec<Entry>, Errno> {
        let place = self.place(proc, path, true)?;
        if self.kind_of(proc, &place)? != Kind::Directory {
            return Err(Errno::Enotdir);
        }
        let mut entries = match &place.mount.what {
            MountWhat::Tree { tree, from } => {
                let path = format!("{from}{}", place.inner);
                let entry = |(name, node): (&str, &Node)| Entry::new(name, node.kind());
                self.trees[*tree].names(&path).map(entry).collect()
            }
            MountWhat::Proc(space) => self.proc_list(*space, &place.inner),
            MountWhat::Cgroup { hierarchy } => self.cgroup_list(proc, *hierarchy, &place.inner)?,
            MountWhat::Sys => match place.inner.as_str() {
                "" => vec![Entry::new("fs", Kind::Directory)],
                "/fs" => vec![Entry::new("cgroup", Kind::Directory)],
                _ => Vec::new(),
            },
        };
        entries.sort_by(|a, b| a.name.cmp(&b.name));
        Ok(entries)
    }

    /// `mkdir(2)`.
    pub fn mkdir(&mut self, proc: Proc, path: &str) -> Result<(), Errno> {
        let place = self.place(proc, path, true)?;
        if place.inner.is_empty() {
            return Err(Errno::Eexist);
        }
        self.writable(&place)?;
        match place.mount.what {
            MountWhat::Tree { tree, from } => {
                self.trees[tree].add(&format!("{from}{}", place.inner), Node::Directory)
            }
            MountWhat::Cgroup { hierarchy } => self.cgroup_mkdir(proc, hierarchy, &place.inner),
            MountWhat::Proc(_) | MountWhat::Sys => match self.kind_of(proc, &place) {
                Ok(_) => Err(Errno::Eexist),
                Err(_) => Err(Errno::Enoent),
            },
        }
    }

    /// `rmdir(2)`.
    pub fn rmdir(&mut self, proc: Proc, path: &str) -> Result<(), Errno> {
        let place = self.place(proc, path, true)?;
        if place.inner.is_empty() {
            return Err(Errno::Ebusy);
        }
        self.writable(&place)?;
        match place.mount.what {
            MountWhat::Tree { tree, from } => {
                self.trees[tree].remove(&format!("{from}{}", place.inner), true)
            }
            MountWhat::Cgroup { hierarchy } => self.cgroup_rmdir(proc, hierarchy, &place.inner),
            MountWhat::Proc(_) | MountWhat::Sys => Err(Errno::Eperm),
        }
    }

    /// `unlink(2)`.
    pub fn unlink(&mut self, proc: Proc, path: &str) -> Result<(), Errno> {
        let place = self.place(proc, path, false)?;
        self.writable(&place)?;
        match place.mount.what {
            MountWhat::Tree { tree, from } => {
                self.trees[tree].remove(&format!("{from}{}", place.inner), false)
            }
            _ => Err(Errno::Eperm),
        }
    }

    /// `symlink(2)`.
    pub fn symlink(&mut self, proc: Proc, to: &str, path: &str) -> Result<(), Errno> {
        let place = self.place(proc, path, false)?;
        self.writable(&place)?;
        match place.mount.what {
            MountWhat::Tree { tree, from } => {
                self.trees[tree].add(&format!("{from}{}", place.inner), Node::Link(to.into()))
            }
            _ => Err(Errno::Eperm),
        }
    }

    /// `readlink(2)`.
    pub fn readlink(&self, proc: Proc, path: &str) -> Result<String, Errno> {
        let place = self.place(proc, path, false)?;
        match &place.mount.what {
            MountWhat::Tree { tree, from } => {
                match self.trees[*tree].get(&format!("{from}{}", place.inner)) {
                    Some(Node::Link(to)) => Ok(to.clone()),
                    Some(_) => Err(Errno::Einval),
                    None => Err(Errno::Enoent),
                }
            }
            MountWhat::Proc(space) => self.proc_readlink(proc, *space, &place.inner),
            _ => Err(Errno::Einval),
        }
    }

    fn writable(&self, place: &Place) -> Result<(), Errno> {
        if place.mount.read_only { Err(Errno::Erofs) } else { Ok(()) }
    }
}
