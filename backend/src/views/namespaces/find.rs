//! Finds namespaces: in processes, in what their children will get, in descriptors and in mounts.

use std::collections::BTreeMap;
use std::ffi::CString;
use std::fs::File;
use std::io::{self, ErrorKind, Read as _};
use std::os::fd::OwnedFd;
use std::path::Path;

use nix::dir::Dir;
use nix::errno::Errno;
use nix::fcntl::readlinkat;
use vitrine_shared::namespace::Namespace as Kind;

use super::super::groups;
use super::super::missed::Missed;
use super::super::watch::Watch;
use super::{Found, Holder, Namespace, mounts};
use crate::observer::{file, parse, process};

/// Numbers of the namespaces that are there from boot, in the order of [`Kind::ALL`]
/// (`PROC_PID_INIT_INO` and so on of `linux/proc_ns.h`). Those of mount and net have been fixed
/// since 6.18; before, they are those of the host's PID 1.
const INITIAL: [u64; 8] = [
    4_026_531_836,
    4_026_531_832,
    4_026_531_838,
    4_026_531_839,
    4_026_531_837,
    4_026_531_833,
    4_026_531_835,
    4_026_531_834,
];
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
fn initial(proc: &Path) -> [[u64; 2]; 8] {
    let first = open(proc, 1).map_or([0; 8], process::namespaces_of);
    // PID 1 is the host's only in the host's PID namespace.
    let is_host = first[Kind::Pid as usize] == INITIAL[Kind::Pid as usize];
    std::array::from_fn(|i| [INITIAL[i], if is_host { first[i] } else { 0 }])
}

struct Finder {
    initial: [[u64; 2]; 8],
    namespaces: Found,
}

impl Finder {
    fn at(&mut self, kind: Kind, inode: u64) -> &mut Namespace {
        let [fixed, first] = self.initial[kind as usize];
        // Of PID 1 only what had no fixed number: it may have namespaces of its own.
        let is_unfixed = matches!(kind, Kind::Mount | Kind::Net);
        let is_initial = inode == fixed || (is_unfixed && inode == first);
        let new = || Namespace::new(kind, inode, is_initial);
        self.namespaces.entry((kind, inode)).or_insert_with(new)
    }

    /// Those that a process has made for its children and is not in itself.
    fn for_children(&mut self, directory: &OwnedFd, pid: u32, inodes: [u64; 8]) {
        for (kind, link) in
            [(Kind::Pid, c"ns/pid_for_children"), (Kind::Time, c"ns/time_for_children")]
        {
            let text = readlinkat(directory, link).unwrap_or_default();
            match parse::namespace_link(text.as_encoded_bytes()) {
                Some(inode) if inode != inodes[kind as usize] => {
                    let holder = Holder { kind: "children", pid: Some(pid), ..Holder::default() };
                    self.at(kind, inode).held_by.push(holder);
                }
                _ => {}
            }
        }
    }

    fn descriptors(&mut self, directory: &OwnedFd, pid: u32) -> nix::Result<()> {
        let mut listing = Dir::from_fd(file::open_directory_in(directory, c"fd")?)?;
        let numbers: Vec<u32> = listing
            .iter()
            .flatten()
            .filter_map(|entry| entry.file_name().to_str().ok()?.parse().ok())
            .collect();
        for fd in numbers {
            let Ok(name) = CString::new(fd.to_string()) else { continue };
            // Closed meanwhile.
            let Ok(text) = readlinkat(&listing, name.as_c_str()) else { continue };
            if let Some((kind, inode)) = link(text.as_encoded_bytes()) {
                let holder = Holder {
                    kind: "descriptor",
                    pid: Some(pid),
                    fd: Some(fd),
                    ..Holder::default()
                };
                self.at(kind, inode).held_by.push(holder);
            }
        }
        Ok(())
    }

    /// What is mounted in the mount namespace of these: the first of them that is still there
    /// tells.
    fn mounts(&mut self, proc: &Path, pids: &[u32], missed: &mut Missed) {
        for &pid in pids.iter().take(SEERS) {
            match read_mounts(proc, pid) {
                Ok(text) => {
                    for (kind, inode, path) in mounts::namespaces(&text) {
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

/// The type and number in `net:[4026531833]`.
pub(super) fn link(text: &[u8]) -> Option<(Kind, u64)> {
    let is_meant = |kind: &Kind| {
        text.strip_prefix(kind.proc_name().as_bytes()).is_some_and(|rest| rest.starts_with(b":["))
    };
    let kind = Kind::ALL.into_iter().find(is_meant)?;
    Some((kind, parse::namespace_link(text)?))
}
