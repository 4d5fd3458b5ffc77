//! A tree of files in memory: the root file system, and each tmpfs.

use std::collections::BTreeMap;

use super::{Errno, Kind};

/// Bytes of all files of a tree together, at most.
const BYTES_MAX: usize = 4 << 20;
/// Bytes of a name, at most.
pub(super) const NAME_MAX: usize = 255;
/// Files and directories, at most.
const NODES_MAX: usize = 4_096;

/// What is at a path.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Node {
    Directory,
    File(String),
    Link(String),
    /// A device by its name: `null`, `zero`, `tty`.
    Device(&'static str),
}

/// Paths that begin with a slash and do not end with one; the root is the empty path.
#[derive(Clone, Debug, Default)]
pub(super) struct Tree {
    nodes: BTreeMap<String, Node>,
}

impl Tree {
    /// An empty one.
    pub(super) fn empty() -> Self {
        Tree { nodes: BTreeMap::from([(String::new(), Node::Directory)]) }
    }

    /// The root file system of a machine.
    pub(super) fn of_a_machine() -> Self {
        let mut tree = Tree::empty();
        for path in [
            "/bin",
            "/dev",
            "/dev/pts",
            "/etc",
            "/home",
            "/mnt",
            "/proc",
            "/root",
            "/run",
            "/sys",
            "/sys/fs",
            "/sys/fs/cgroup",
            "/tmp",
            "/usr",
            "/var",
            "/var/log",
        ] {
            tree.nodes.insert(path.into(), Node::Directory);
        }
        tree.nodes.insert("/usr/bin".into(), Node::Link("/bin".into()));
        for device in ["full", "null", "random", "tty", "urandom", "zero"] {
            tree.nodes.insert(format!("/dev/{device}"), Node::Device(device));
        }
        for (path, text) in [
            ("/etc/hostname", "vitrine\n"),
            ("/etc/os-release", "NAME=\"Vitrine simulator\"\nID=vitrine\n"),
            (
                "/etc/passwd",
                "root:x:0:0:root:/root:/bin/sh\nnobody:x:65534:65534:nobody:/:/bin/false\n",
            ),
            ("/etc/group", "root:x:0:\nnogroup:x:65534:\n"),
        ] {
            tree.nodes.insert(path.into(), Node::File(text.into()));
        }
        tree
    }

    pub(super) fn get(&self, path: &str) -> Option<&Node> {
        self.nodes.get(path)
    }

    /// The names in a directory.
    pub(super) fn names<'a>(&'a self, path: &'a str) -> impl Iterator<Item = (&'a str, &'a Node)> {
        self.nodes.iter().filter_map(move |(other, node)| {
            let name = other.strip_prefix(path)?.strip_prefix('/')?;
            (!name.contains('/')).then_some((name, node))
        })
    }

    /// Puts something where nothing is, in a directory that is there.
    pub(super) fn add(&mut self, path: &str, node: Node) -> Result<(), Errno> {
        if self.nodes.contains_key(path) {
            return Err(Errno::Eexist);
        }
        let (above, name) = path.rsplit_once('/').ok_or(Errno::Eexist)?;
        match self.nodes.get(above) {
            Some(Node::Directory) if name.len() <= NAME_MAX => {}
            Some(Node::Directory) => return Err(Errno::Enametoolong),
            Some(_) => return Err(Errno::Enotdir),
            None => return Err(Errno::Enoent),
        }
        if self.nodes.len() >= NODES_MAX {
            return Err(Errno::Enospc);
        }
        self.nodes.insert(path.into(), node);
        Ok(())
    }

    /// Writes a file; makes it if it is not there.
    pub(super) fn write(&mut self, path: &str, text: &str, append: bool) -> Result<(), Errno> {
        let used: usize = self.nodes.values().map(Node::bytes).sum();
        if used + text.len() > BYTES_MAX {
            return Err(Errno::Enospc);
        }
        match self.nodes.get_mut(path) {
            Some(Node::File(old)) => {
                if !append {
                    old.clear();
                }
                old.push_str(text);
                Ok(())
            }
            Some(Node::Directory) => Err(Errno::Eisdir),
            Some(Node::Device("full")) if !text.is_empty() => Err(Errno::Enospc),
            Some(Node::Device(_)) => Ok(()),
            Some(Node::Link(_)) => Err(Errno::Einval),
            None => self.add(path, Node::File(text.into())),
        }
    }

    /// Removes a file, or an empty directory if that is asked for.
    pub(super) fn remove(&mut self, path: &str, directory: bool) -> Result<(), Errno> {
        match self.nodes.get(path) {
            None => return Err(Errno::Enoent),
            Some(Node::Directory) if !directory => return Err(Errno::Eisdir),
            Some(Node::Directory) if path.is_empty() => return Err(Errno::Ebusy),
            Some(Node::Directory) if self.names(path).next().is_some() => {
                return Err(Errno::Enotempty);
            }
            Some(Node::Directory) => {}
            Some(_) if directory => return Err(Errno::Enotdir),
            Some(_) => {}
        }
        self.nodes.remove(path);
        Ok(())
    }
}

impl Node {
    pub(super) fn kind(&self) -> Kind {
        match self {
            Node::Directory => Kind::Directory,
            Node::File(_) => Kind::File,
            Node::Link(_) => Kind::Link,
            Node::Device(_) => Kind::Device,
        }
    }

    fn bytes(&self) -> usize {
        match self {
            Node::File(text) | Node::Link(text) => text.len(),
            _ => 0,
        }
    }
}
