//! Finds namespaces: in processes, in what their children will get, in descriptors and in mounts.

use std::collections::BTreeMap;
use std::fs::File;
use std::io::{self, ErrorKind, Read as _};
use std::os::fd::OwnedFd;
use std::path::Path;

use nix::errno::Errno;
use vitrine_shared::namespace::Namespace as Kind;

use super::super::groups;
use super::super::missed::Missed;
use super::super::watch::Watch;
use super::{Found, Holder, Namespace};
use crate::observer::namespace::{self, Initial};
use crate::observer::{file, mountinfo, process};

/// Most bytes read of one process's mounts.
const MOUNTINFO_BYTES: u64 = 16 << 20;
/// Processes of one mount namespace that are asked for its mounts.
const SEERS: usize = 8;

/// All of the host's.
pub(super) fn find(watch: &mut Watch, missed: &mut Missed) -> Found {
    let members = groups::members(&watch.host, missed);
    let pids = watch.pids();
    let mut found = Finder { initial: initial(&watch.host.proc), namespaces: BTreeMap::new() };
    let mut seers: BTreeMap<u64, Vec<u32>> = BTreeMap::new();
    for pid in pids {
        let Some(directory) = open(&watch.host.proc, pid) else { continue };
        let inodes = process::namespaces_of(&directory);
        if inodes == [0; 8] {
            // Hidden, or gone meanwhile.
            let is_hidden = process::hides_namespaces(&directory);
            missed.processes += usize::from(is_hidden);
            missed.namespaces += usize::from(is_hidden);
            continue;
        }
        missed.processes += 1;
        // One that has ended keeps its user namespace until somebody asks how; it is nobody's.
        let has_ended = inodes[Kind::Mount as usize] == 0;
        for (kind, &inode) in Kind::ALL.iter().zip(&inodes).filter(|(_, inode)| **inode != 0) {
            found.at(*kind, inode).enter(pid, members.get(&pid), has_ended);
        }
        found.for_children(&directory, pid, inodes);
        seers.entry(inodes[Kind::Mount as usize]).or_default().push(pid);
        match found.descriptors(&directory, pid) {
            Ok(()) | Err(Errno::ENOENT | Errno::ESRCH) => {}
            Err(_) => missed.descriptors += 1,
        }
    }
    seers.remove(&0);
    for pids in seers.into_values() {
        found.mounts(&watch.host.proc, &pids, missed);
    }
    found.namespaces
}

fn open(proc: &Path, pid: u32) -> Option<OwnedFd> {
    file::open_directory(&proc.join(pid.to_string())).ok()
}

/// The initial namespaces as far as they are known.
fn initial(proc: &Path) -> Initial {
    file::open_directory(proc).map_or_else(|_| Initial::default(), Initial::read)
}

struct Finder {
    initial: Initial,
    namespaces: Found,
}

impl Finder {
    fn at(&mut self, kind: Kind, inode: u64) -> &mut Namespace {
        let is_initial = self.initial.has(kind, inode);
        let new = || Namespace::new(kind, inode, is_initial);
        self.namespaces.entry((kind, inode)).or_insert_with(new)
    }

    /// Those that a process has made for its children and is not in itself.
    fn for_children(&mut self, directory: &OwnedFd, pid: u32, inodes: [u64; 8]) {
        for (kind, inode) in namespace::for_children(directory, inodes) {
            let holder = Holder { kind: "children", pid: Some(pid), ..Holder::default() };
            self.at(kind, inode).held_by.push(holder);
        }
    }

    fn descriptors(&mut self, directory: &OwnedFd, pid: u32) -> nix::Result<()> {
        for (fd, kind, inode) in namespace::descriptors(directory, &mut { usize::MAX })? {
            let (pid, fd) = (Some(pid), Some(fd));
            let holder = Holder { kind: "descriptor", pid, fd, ..Holder::default() };
            self.at(kind, inode).held_by.push(holder);
        }
        Ok(())
    }

    /// What is mounted in the mount namespace of these: the first of them that is still there
    /// tells.
    fn mounts(&mut self, proc: &Path, pids: &[u32], missed: &mut Missed) {
        for &pid in pids.iter().take(SEERS) {
            match read_mounts(proc, pid) {
                Ok(text) => {
                    for (kind, inode, path) in mountinfo::namespaces(&text) {
                        let (pid, path) = (Some(pid), Some(path));
                        let holder = Holder { kind: "mount", pid, path, ..Holder::default() };
                        self.at(kind, inode).held_by.push(holder);
                    }
                    return;
                }
                Err(err) if err.kind() == ErrorKind::PermissionDenied => missed.mounts += 1,
                // Gone meanwhile.
                Err(_) => {}
            }
        }
    }
}

fn read_mounts(proc: &Path, pid: u32) -> io::Result<Vec<u8>> {
    let mut text = Vec::new();
    let file = File::from(file::open(&proc.join(pid.to_string()).join("mountinfo"))?);
    file.take(MOUNTINFO_BYTES).read_to_end(&mut text)?;
    Ok(text)
}
