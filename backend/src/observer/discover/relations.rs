//! Whose a namespace is and what it is below: the kernel says so of a descriptor.
//!
//! The observer follows no link in `/proc`, so it gets descriptors by pidfd. A namespace that
//! nobody is in has none to give; it is told of when one that can be asked is below it.

use std::os::fd::{AsFd as _, BorrowedFd, OwnedFd};

use nix::sys::stat::fstat;
use vitrine_shared::discovery::{Found, Holder};
use vitrine_shared::namespace::Namespace as Kind;

use super::Finder;
use crate::launcher::sys;

/// Asks for owner and parent of each, and adds those that only a namespace below them keeps. What
/// is above the machine's own, and the server's, is told by its number and not looked at.
pub(super) fn ask(finder: &mut Finder, servers: [u64; 8]) {
    let known: Vec<(Kind, u64)> = finder.found.keys().copied().collect();
    for (kind, id) in known {
        let mut next = finder.found.get(&(kind, id)).and_then(reach).map(|fd| (kind, id, fd));
        let mut waiting = Vec::new();
        while let Some((kind, id, fd)) = next.take().or_else(|| waiting.pop()) {
            relate(finder, servers, (kind, id), fd.as_fd(), &mut waiting);
        }
    }
}

fn relate(
    finder: &mut Finder,
    servers: [u64; 8],
    (kind, id): (Kind, u64),
    fd: BorrowedFd<'_>,
    waiting: &mut Vec<(Kind, u64, OwnedFd)>,
) {
    let owner = sys::namespace_owner(fd).ok();
    let of = if kind == Kind::User { Some(fd) } else { owner.as_ref().map(|fd| fd.as_fd()) };
    let owner_uid = of.and_then(|fd| sys::namespace_owner_uid(fd).ok());
    let is_machines = finder.machines[kind as usize] == id || finder.initial.has(kind, id);
    let mut above = |kind: Kind, fd: Option<OwnedFd>| {
        let fd = fd?;
        let number = fstat(&fd).ok()?.st_ino;
        let is_servers = servers[kind as usize] == number || finder.initial.has(kind, number);
        if !is_machines && !is_servers && !finder.found.contains_key(&(kind, number)) {
            finder.held(kind, number, None, Holder::Namespace { id });
            waiting.push((kind, number, fd));
        }
        Some(number)
    };
    let parent_fd = (kind == Kind::Pid).then(|| sys::namespace_parent(fd).ok()).flatten();
    let owner = above(Kind::User, owner);
    // The owner of a user namespace is its parent.
    let parent = if kind == Kind::User { owner } else { above(Kind::Pid, parent_fd) };
    if let Some(found) = finder.found.get_mut(&(kind, id)) {
        (found.owner, found.owner_uid, found.parent) = (owner, owner_uid, parent);
    }
}

/// A descriptor of a namespace: of a process in it, or of one whose children will be.
fn reach(found: &Found) -> Option<OwnedFd> {
    let of = |pid: u32, of_children: bool| {
        let process = sys::pidfd_open(i32::try_from(pid).ok()?).ok()?;
        let fd = sys::namespace_of(process.as_fd(), found.kind, of_children).ok()?;
        // The number may be another process's by now.
        fstat(&fd).is_ok_and(|stat| stat.st_ino == found.id).then_some(fd)
    };
    let by_holder = |holder: &Holder| match holder {
        Holder::Children { pid } => of(*pid, true),
        _ => None,
    };
    found.pid.and_then(|pid| of(pid, false)).or_else(|| found.held_by.iter().find_map(by_holder))
}
