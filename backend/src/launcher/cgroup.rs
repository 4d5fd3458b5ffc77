//! Hierarchies as they are mounted on this host, and groups in them, in both dialects.
//!
//! A [`Cgroup`] is one group: in the unified hierarchy one directory, in v1 one in each hierarchy
//! that has a controller we use. Which is which is decided per controller (hybrid hosts mix them),
//! and everything above the file names is the same code.

mod below;
mod delegate;
mod end;
mod hierarchies;
mod knobs;
mod make;
mod place;
mod standing;
pub(crate) mod tree;

use std::fs;
use std::io;
use std::os::fd::OwnedFd;
use std::os::unix::fs::OpenOptionsExt as _;
use std::path::{Path, PathBuf};
use std::rc::Rc;

use nix::errno::Errno;
use vitrine_shared::cgroup::{Controller, Dialect};

pub(crate) use below::Did;
pub(crate) use end::write_existing;
pub(crate) use hierarchies::{BASE, Hierarchies, Hierarchy};
pub(crate) use knobs::Wrote;
pub(crate) use place::in_delegated_group;
pub(crate) use standing::{Standing, is_own};

use below::Held;
use make::{enable, make_one, prepare};

/// A file that could not be made, read or written.
#[derive(Debug, thiserror::Error)]
#[error("{doing} {}: {source}", path.display())]
pub(crate) struct CgroupError {
    /// `make`, `read`, `write`, `remove`.
    pub(crate) doing: &'static str,
    /// Which.
    pub(crate) path: PathBuf,
    /// The kernel's reason.
    #[source]
    pub(crate) source: io::Error,
}

impl CgroupError {
    /// The kernel's error number.
    pub(crate) fn errno(&self) -> Errno {
        Errno::from_raw(self.source.raw_os_error().unwrap_or(libc::EIO))
    }
}

fn failed(doing: &'static str, path: &Path) -> impl FnOnce(io::Error) -> CgroupError {
    let path = path.to_path_buf();
    move |source| CgroupError { doing, path, source }
}

/// One group. Made by [`Cgroup::create`], removed by [`Cgroup::remove`].
#[derive(Clone, Debug)]
pub(crate) struct Cgroup {
    hierarchies: Rc<Hierarchies>,
    /// Below each hierarchy's root.
    path: String,
    /// The directories themselves, of a group that somebody in the machine may rename.
    held: Option<Rc<Held>>,
}

impl Cgroup {
    /// Makes the group in every hierarchy; what was made is removed again when one fails.
    pub(crate) fn create(hierarchies: &Rc<Hierarchies>, path: &str) -> Result<Self, CgroupError> {
        let group = Cgroup { hierarchies: Rc::clone(hierarchies), path: path.into(), held: None };
        match group.make() {
            Ok(()) => Ok(group),
            Err(err) => {
                // The first error is the one to tell.
                let _ = group.remove();
                Err(err)
            }
        }
    }

    fn make(&self) -> Result<(), CgroupError> {
        for hierarchy in self.hierarchies.iter() {
            let dir = hierarchy.root.join(&self.path);
            let mut again = 100;
            // Another launcher that ends takes the common directory with it when it looks empty.
            while let Err(err) = make_one(hierarchy, &dir) {
                again -= 1;
                if err.errno() != Errno::ENOENT || again == 0 {
                    return Err(err);
                }
            }
        }
        Ok(())
    }

    /// A group below this one.
    pub(crate) fn child(&self, name: &str) -> Result<Self, CgroupError> {
        Cgroup::create(&self.hierarchies, &format!("{}/{name}", self.path))
    }

    /// The same, but it must not be there yet (`EEXIST`).
    pub(crate) fn new_child(&self, name: &str) -> Result<Self, CgroupError> {
        let path = format!("{}/{name}", self.path);
        let child = Cgroup { hierarchies: Rc::clone(&self.hierarchies), path, held: None };
        let mut made: Vec<PathBuf> = Vec::new();
        for (hierarchy, dir) in child.directories() {
            let done = fs::create_dir(&dir).map_err(failed("make", &dir));
            let done = done.and_then(|()| {
                made.push(dir.clone());
                prepare(hierarchy, &dir)
            });
            if let Err(err) = done {
                for dir in &made {
                    // The first error is the one to tell.
                    let _ = fs::remove_dir(dir);
                }
                return Err(err);
            }
        }
        Ok(child)
    }

    /// A group below this one for processes, made while this one may still have some: in v2 its
    /// controllers come when this group gives them to its next child.
    pub(crate) fn child_for_processes(&self, name: &str) -> Result<Self, CgroupError> {
        let child = Cgroup {
            hierarchies: Rc::clone(&self.hierarchies),
            path: format!("{}/{name}", self.path),
            held: None,
        };
        for (hierarchy, dir) in child.directories() {
            let made = fs::create_dir(&dir).map_err(failed("make", &dir));
            let prepared = made.and_then(|()| match hierarchy.dialect {
                Dialect::V1 => prepare(hierarchy, &dir),
                Dialect::V2 => Ok(()),
            });
            if let Err(err) = prepared {
                // The first error is the one to tell.
                let _ = child.remove();
                return Err(err);
            }
        }
        Ok(child)
    }

    /// Is there no hierarchy that it could be in? Then it holds nobody.
    pub(crate) fn is_nowhere(&self) -> bool {
        self.hierarchies.is_empty()
    }

    /// Its path below each hierarchy's root.
    pub(crate) fn path(&self) -> &str {
        &self.path
    }

    /// Its directory in the hierarchy of `controller`, and the dialect there.
    pub(crate) fn directory(&self, controller: Controller) -> Option<(PathBuf, Dialect)> {
        let hierarchy = self.hierarchies.with(controller)?;
        Some((hierarchy.root.join(&self.path), hierarchy.dialect))
    }

    /// Its directories in all hierarchies.
    pub(crate) fn directories(&self) -> impl Iterator<Item = (&Hierarchy, PathBuf)> {
        self.hierarchies.iter().map(|hierarchy| (hierarchy, hierarchy.root.join(&self.path)))
    }

    /// How a new process comes in: into the unified hierarchy by birth (`CLONE_INTO_CGROUP`),
    /// into those of v1 by a first write of its own.
    pub(crate) fn procs(&self) -> Result<Entrance, CgroupError> {
        let mut entrance = Entrance { into: None, procs: Vec::new() };
        for (hierarchy, dir) in self.directories() {
            match hierarchy.dialect {
                Dialect::V1 => entrance.procs.push(door(hierarchy, &dir)?),
                Dialect::V2 => {
                    let mut open = fs::OpenOptions::new();
                    open.read(true).custom_flags(libc::O_DIRECTORY);
                    let opened = open.open(&dir).map_err(failed("read", &dir))?;
                    entrance.into = Some(opened.into());
                }
            }
        }
        Ok(entrance)
    }

    /// Descriptors of the files through which a process that lives moves itself in by writing `0`.
    pub(crate) fn doors(&self) -> Result<Vec<OwnedFd>, CgroupError> {
        self.directories().map(|(hierarchy, dir)| door(hierarchy, &dir)).collect()
    }

    /// Hands its controllers to its children, now that it has no processes of its own (v2).
    pub(crate) fn open_to_children(&self) -> Result<(), CgroupError> {
        self.directories().try_for_each(|(hierarchy, dir)| enable(hierarchy, &dir))
    }
}

/// The way into a group for a process that is being made.
#[derive(Debug, Default)]
pub(crate) struct Entrance {
    /// The directory of the unified hierarchy that it is born in.
    pub(crate) into: Option<OwnedFd>,
    /// v1: it writes `0` to each of these.
    pub(crate) procs: Vec<OwnedFd>,
}

/// On v1 that is `tasks`: a thread that moves only itself spares the kernel the global lock that
/// `cgroup.procs` takes, which waits for an RCU grace period (8 ms, measured).
fn door(hierarchy: &Hierarchy, dir: &Path) -> Result<OwnedFd, CgroupError> {
    let path = dir.join(match hierarchy.dialect {
        Dialect::V1 => "tasks",
        Dialect::V2 => "cgroup.procs",
    });
    let file = fs::OpenOptions::new().write(true).open(&path);
    file.map(OwnedFd::from).map_err(failed("write", &path))
}
