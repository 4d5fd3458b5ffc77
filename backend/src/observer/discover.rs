//! One look at a machine's namespaces: its processes, what they hold, and what those are like.
//!
//! It runs in a thread of its own ([`Looks`]), because it reads every descriptor and mount, and
//! the tick waits for nobody. It opens `/proc` anew and shares nothing with the tick.
//!
//! **Invariant:** what is told is of processes that were in the machine's groups before *and*
//! after their directories were opened, so that a PID that changes hands in between tells nothing
//! of anybody else.

mod looks;
mod parts;
mod relations;

use std::collections::{BTreeMap, BTreeSet};
use std::ffi::CString;
use std::os::fd::{AsFd as _, OwnedFd};

use nix::dir::Dir;
use vitrine_shared::discovery::{Discovery, Found, Holder, IdMaps, MountTable, NetDevices, Whose};
use vitrine_shared::id::ContainerId;
use vitrine_shared::namespace::Namespace as Kind;

pub(super) use self::looks::Looks;
use super::namespace::{self, Initial};
use super::roots::{OwnIds, Roots};
use super::{clock, file, mountinfo, parse, process, reader};
use crate::ipc::ObservedMachine;

/// Processes that are looked at; a machine has room for fewer.
const MAX_PROCESSES: usize = 1_024;
/// Descriptors that are looked at, all processes together.
const MAX_DESCRIPTORS: usize = 16_384;
/// Namespaces that are told.
const MAX_NAMESPACES: usize = 1_024;
/// Holders that are told of one namespace.
const MAX_HOLDERS: usize = 8;
/// Mounts that are told, all tables together.
const MAX_MOUNTS: usize = 512;
/// Bytes kept of a path.
pub(super) const PATH_BYTES: usize = 120;

/// What a look is made with.
#[derive(Debug)]
pub(crate) struct Scene {
    /// The directory `/proc`.
    pub(crate) proc: OwnedFd,
    /// What the host's ids are called here.
    pub(crate) own_ids: OwnIds,
    /// The machine.
    pub(crate) machine: ObservedMachine,
}

/// One process while it is looked at: the descriptor is bound to it, whoever has its number later.
struct Member {
    pid: u32,
    container: Option<ContainerId>,
    directory: OwnedFd,
    namespaces: [u64; 8],
}

/// Looks once.
pub(crate) fn discover(scene: &Scene) -> Discovery {
    let members = members(scene);
    let initial = Initial::read(&scene.proc);
    let at_msec = clock::monotonic_nsec() / 1_000_000;
    let first = members.iter().find(|member| member.pid == scene.machine.init_pid);
    let mut finder = Finder {
        initial,
        machines: first.map_or([0; 8], |first| first.namespaces),
        found: BTreeMap::new(),
        whose: BTreeMap::new(),
        cut: members.len() >= MAX_PROCESSES,
    };
    let mut descriptors = MAX_DESCRIPTORS;
    for member in &members {
        finder.process(member);
    }
    for member in &members {
        finder.holds(member, &mut descriptors);
    }
    let mut discovery = Discovery {
        machine: scene.machine.machine,
        at_msec,
        initial: initial.numbers(),
        machines: finder.machines,
        namespaces: Vec::new(),
        id_maps: id_maps(&members, &scene.own_ids),
        mounts: finder.mounts(&members),
        devices: devices(&members, initial),
        cut: finder.cut || descriptors == 0,
    };
    relations::ask(&mut finder, own_namespaces(scene));
    discovery.cut |= finder.cut;
    discovery.namespaces = finder.told(&scene.own_ids);
    discovery
}

/// The server's own namespaces: those above a machine's that are nobody's business in it.
fn own_namespaces(scene: &Scene) -> [u64; 8] {
    open(scene, std::process::id()).map_or([0; 8], process::namespaces_of)
}

fn open(scene: &Scene, pid: u32) -> Option<OwnedFd> {
    let name = CString::new(pid.to_string()).ok()?;
    file::open_directory_in(&scene.proc, &name).ok()
}

/// The machine's processes that are alive, in the order of their PIDs.
fn members(scene: &Scene) -> Vec<Member> {
    let before = pids(scene);
    let member = |&(pid, container): &(u32, Option<ContainerId>)| {
        let directory = open(scene, pid)?;
        let namespaces = process::namespaces_of(&directory);
        // One that has ended is in none but its user namespace.
        (namespaces[Kind::Mount as usize] != 0).then_some(Member {
            pid,
            container,
            directory,
            namespaces,
        })
    };
    let mut members: Vec<Member> = before.iter().take(MAX_PROCESSES).filter_map(member).collect();
    let after: BTreeSet<u32> = pids(scene).into_iter().map(|(pid, _)| pid).collect();
    members.retain(|member| after.contains(&member.pid));
    members
}

fn pids(scene: &Scene) -> Vec<(u32, Option<ContainerId>)> {
    let mut buffer = Vec::new();
    if !scene.machine.hierarchies.is_empty() {
        return reader::members(&scene.machine, &mut buffer);
    }
    let listing = file::open_directory_in(&scene.proc, c".").and_then(Dir::from_fd);
    let Ok(mut listing) = listing else { return Vec::new() };
    let mut roots = Roots::default();
    roots.look(&scene.proc, &mut listing, std::iter::once(&scene.machine), 0, &mut buffer);
    roots.members(&scene.machine)
}

/// What was found so far.
struct Finder {
    initial: Initial,
    machines: [u64; 8],
    found: BTreeMap<(Kind, u64), Found>,
    /// Whose the processes or holders of a namespace are: `None` when they have nothing in common
    /// but the machine.
    whose: BTreeMap<(Kind, u64), Option<Option<ContainerId>>>,
    cut: bool,
}

impl Finder {
    fn at(&mut self, kind: Kind, id: u64) -> Option<&mut Found> {
        if id == 0 {
            return None;
        }
        if self.found.len() >= MAX_NAMESPACES && !self.found.contains_key(&(kind, id)) {
            self.cut = true;
            return None;
        }
        let new = || Found {
            kind,
            id,
            whose: Whose::Made,
            processes: 0,
            pid: None,
            held_by: Vec::new(),
            owner: None,
            owner_uid: None,
            parent: None,
        };
        Some(self.found.entry((kind, id)).or_insert_with(new))
    }

    /// What this process is in.
    fn process(&mut self, member: &Member) {
        for (kind, id) in Kind::ALL.into_iter().zip(member.namespaces) {
            let Some(found) = self.at(kind, id) else { continue };
            found.processes += 1;
            found.pid = found.pid.or(Some(member.pid));
            self.belongs(kind, id, member.container);
        }
    }

    fn belongs(&mut self, kind: Kind, id: u64, container: Option<ContainerId>) {
        let whose = self.whose.entry((kind, id)).or_insert(Some(container));
        if *whose != Some(container) {
            *whose = None;
        }
    }

    /// A namespace that something of this container's holds; whose it is, its processes say if
    /// there are any.
    fn held(&mut self, kind: Kind, id: u64, container: Option<ContainerId>, holder: Holder) {
        let Some(found) = self.at(kind, id) else { return };
        if found.held_by.len() < MAX_HOLDERS {
            found.held_by.push(holder);
        }
        if found.processes == 0 {
            self.belongs(kind, id, container);
        }
    }

    /// What this process holds without being in it.
    fn holds(&mut self, member: &Member, descriptors: &mut usize) {
        let pid = member.pid;
        for (kind, id) in namespace::for_children(&member.directory, member.namespaces) {
            self.held(kind, id, member.container, Holder::Children { pid });
        }
        let held = namespace::descriptors(&member.directory, descriptors).unwrap_or_default();
        for (fd, kind, id) in held {
            self.held(kind, id, member.container, Holder::Descriptor { pid, fd });
        }
    }

    /// What is mounted in each mount namespace, as its first process sees it.
    fn mounts(&mut self, members: &[Member]) -> Vec<MountTable> {
        let mut left = MAX_MOUNTS;
        let mut tables = Vec::new();
        let mut buffer = Vec::new();
        for member in firsts(members, Kind::Mount) {
            let file = file::open_in(&member.directory, c"mountinfo");
            if file.and_then(|file| file::read_list(&file, &mut buffer)).is_err() {
                continue;
            }
            let pid = member.pid;
            for (kind, id, path) in mountinfo::namespaces(&buffer) {
                let path = parse::printable(path.as_bytes(), PATH_BYTES);
                self.held(kind, id, member.container, Holder::Mount { pid, path });
            }
            let mounts: Vec<_> = parts::mounts(&buffer).take(left).collect();
            self.cut |= mounts.len() < mountinfo::lines(&buffer).count();
            left -= mounts.len();
            tables.push(MountTable {
                namespace: member.namespaces[Kind::Mount as usize],
                pid,
                mounts,
            });
        }
        tables
    }

    /// All of it, with the word whose each is.
    fn told(mut self, own_ids: &OwnIds) -> Vec<Found> {
        let mut told: Vec<Found> = std::mem::take(&mut self.found).into_values().collect();
        for found in &mut told {
            let members = self.whose.get(&(found.kind, found.id)).copied().flatten();
            found.whose = if self.initial.has(found.kind, found.id) {
                Whose::Initial
            } else if found.id == self.machines[found.kind as usize] {
                Whose::Machine
            } else {
                match members {
                    Some(Some(container)) => Whose::Container { container },
                    Some(None) => Whose::Made,
                    None => Whose::Machine,
                }
            };
            found.owner_uid = found.owner_uid.map(|uid| own_ids.on_host(uid));
        }
        told
    }
}

/// The first process of each namespace of this type.
fn firsts(members: &[Member], kind: Kind) -> impl Iterator<Item = &Member> {
    let mut seen = BTreeSet::new();
    members.iter().filter(move |member| seen.insert(member.namespaces[kind as usize]))
}

fn id_maps(members: &[Member], own_ids: &OwnIds) -> Vec<IdMaps> {
    let mut buffer = Vec::new();
    let mut read = |member: &Member, name| {
        let file = file::open_in(&member.directory, name);
        let read = file.and_then(|file| file::read_page(&file, &mut buffer));
        read.map_or_else(|_| Vec::new(), |()| parts::extents(&buffer, own_ids))
    };
    let maps = |member: &Member| IdMaps {
        namespace: member.namespaces[Kind::User as usize],
        uids: read(member, c"uid_map"),
        gids: read(member, c"gid_map"),
    };
    firsts(members, Kind::User).map(maps).collect()
}

fn devices(members: &[Member], initial: Initial) -> Vec<NetDevices> {
    let net = |member: &Member| member.namespaces[Kind::Net as usize];
    // The host's devices are the host's business.
    let own = firsts(members, Kind::Net).filter(|member| !initial.has(Kind::Net, net(member)));
    own.map(|member| NetDevices {
        namespace: net(member),
        devices: parts::devices(member.directory.as_fd()),
    })
    .collect()
}

#[cfg(test)]
#[path = "tests/discover.rs"]
mod tests;
