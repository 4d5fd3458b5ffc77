//! Whose a namespace is: the kernel gives its owner and its parent as descriptors.

use std::collections::btree_map::Entry;
use std::os::fd::{AsFd, AsRawFd as _, BorrowedFd, OwnedFd};
use std::path::{Path, PathBuf};

use nix::fcntl::{OFlag, open};
use nix::sys::stat::{Mode, fstat};
use nix::sys::statfs::{NSFS_MAGIC, fstatfs};
use vitrine_shared::namespace::Namespace as Kind;

use super::{Found, Holder, Namespace};
use crate::launcher::sys;

/// Asks for owner and parent of each, and adds those that only a namespace below them holds.
pub(super) fn ask(proc: &Path, found: &mut Found) {
    let mut waiting: Vec<(Kind, u64, OwnedFd)> = Vec::new();
    let known: Vec<(Kind, u64)> = found.keys().copied().collect();
    for (kind, inode) in known {
        if let Some(fd) = found.get(&(kind, inode)).and_then(|one| reach(proc, kind, one)) {
            waiting.push((kind, inode, fd));
            // One at a time: there may be more namespaces than descriptors.
            while let Some((kind, inode, fd)) = waiting.pop() {
                relate(found, kind, inode, fd.as_fd(), &mut waiting);
            }
        }
    }
}

fn relate(
    found: &mut Found,
    kind: Kind,
    inode: u64,
    fd: BorrowedFd<'_>,
    waiting: &mut Vec<(Kind, u64, OwnedFd)>,
) {
    let owner = sys::namespace_owner(fd);
    let uid = match (kind, &owner) {
        (Kind::User, _) => sys::namespace_owner_uid(fd).ok(),
        (_, Ok(owner)) => sys::namespace_owner_uid(owner.as_fd()).ok(),
        _ => None,
    };
    let mut known = |kind: Kind, fd: nix::Result<OwnedFd>| {
        let fd = fd.ok()?;
        let above = fstat(&fd).ok()?.st_ino;
        if let Entry::Vacant(new) = found.entry((kind, above)) {
            let holder = Holder { kind: "namespace", namespace: Some(inode), ..Holder::default() };
            let one = new.insert(Namespace::new(kind, above, false));
            one.held_by.push(holder);
            waiting.push((kind, above, fd));
        }
        Some(above)
    };
    let owner = known(Kind::User, owner);
    let parent = match kind {
        // The owner of a user namespace is its parent.
        Kind::User => owner,
        Kind::Pid => known(Kind::Pid, sys::namespace_parent(fd)),
        _ => None,
    };
    if let Some(one) = found.get_mut(&(kind, inode)) {
        (one.owner, one.owner_uid, one.parent) = (owner, uid, parent);
    }
}

/// A descriptor of a namespace: by a process in it, or by what else holds it.
fn reach(proc: &Path, kind: Kind, one: &Namespace) -> Option<OwnedFd> {
    let of = |pid: u32| proc.join(pid.to_string());
    let by_holder = |holder: &Holder| match (holder.kind, holder.pid?) {
        ("children", pid) => open_link(&of(pid).join(match kind {
            Kind::Time => "ns/time_for_children",
            _ => "ns/pid_for_children",
        })),
        ("descriptor", pid) => open_checked(&of(pid).join("fd").join(holder.fd?.to_string())),
        // Only where this process sees it too: a path in another's mounts leads where they like.
        ("mount", _) => open_checked(&PathBuf::from(holder.path.as_deref()?)),
        _ => None,
    };
    let by_process = one.pid.and_then(|pid| open_link(&of(pid).join("ns").join(kind.proc_name())));
    let is_it = |fd: &OwnedFd| fstat(fd).is_ok_and(|stat| stat.st_ino == one.id);
    by_process
        .filter(is_it)
        .or_else(|| one.held_by.iter().filter_map(by_holder).find(|fd| is_it(fd)))
}

/// Opens a link below `ns`, which leads to nothing but a namespace.
fn open_link(path: &Path) -> Option<OwnedFd> {
    open(path, OFlag::O_RDONLY | OFlag::O_CLOEXEC, Mode::empty()).ok()
}

/// Opens what may turn out to be anything: it is looked at before it is really opened, because
/// opening a pipe waits and opening a device does things.
fn open_checked(path: &Path) -> Option<OwnedFd> {
    let look = open(path, OFlag::O_PATH | OFlag::O_CLOEXEC, Mode::empty());
    let look =
        look.ok().filter(|fd| fstatfs(fd).map(|fs| fs.filesystem_type()) == Ok(NSFS_MAGIC))?;
    open_link(&PathBuf::from(format!("/proc/self/fd/{}", look.as_raw_fd())))
}
