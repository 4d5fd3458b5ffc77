//! One look at the namespaces of a machine.

use std::collections::BTreeMap;

use super::knobs::paths_of;
use super::{Host, MSEC, Not};
use crate::discovery::{
    Discovery, Extent, Found, Holder, IdMaps, Mount, MountTable, NetDevice, NetDevices, Whose,
};
use crate::id::{ContainerId, MachineId};
use crate::namespace::Namespace;
use crate::sim::kernel::Kernel;
use crate::sim::procs::{Life, Proc, SpaceKey};

/// Whose processes are looked at.
struct Scope {
    init: Proc,
    /// Each process of the machine, and the container it is in.
    procs: Vec<(Proc, Option<ContainerId>)>,
}

impl Host {
    pub(super) fn discover(&self, id: MachineId) -> Result<Discovery, Not> {
        let it = self.found(id)?;
        let at_msec = self.now_nsec() / MSEC;
        Ok(self.world.look(|kernel| {
            let machine = kernel.procs().space_of(it.init, Namespace::Pid);
            let inside = |proc: &Proc| {
                let seen = machine.and_then(|space| kernel.procs().pid_in(*proc, space));
                seen.is_some() && kernel.procs().life(*proc) == Life::Alive
            };
            let container = |proc: Proc| {
                let paths = paths_of(kernel, &it.cap, proc);
                let live = it.live.iter().filter(|live| !live.is_shell);
                let found = live.into_iter().find(|live| {
                    paths.iter().any(|path| path.split('/').nth(1) == Some(live.name.as_str()))
                });
                found.map(|live| live.id)
            };
            let procs = kernel.procs().all().filter(inside);
            let procs = procs.map(|proc| (proc, container(proc))).collect();
            let scope = Scope { init: it.init, procs };
            let of = |proc| {
                Namespace::ALL.map(|kind| {
                    let space = kernel.procs().space_of(proc, kind);
                    space.map_or(0, |space| kernel.procs().inode(space))
                })
            };
            Discovery {
                machine: id,
                at_msec,
                initial: of(kernel.init()),
                machines: of(it.init),
                namespaces: namespaces(kernel, &scope),
                id_maps: id_maps(kernel, &scope),
                mounts: mounts(kernel, &scope),
                devices: devices(kernel, &scope),
                cut: false,
            }
        }))
    }
}

/// The namespaces of one kind that somebody is in, with who.
fn spaces(kernel: &Kernel, scope: &Scope, kind: Namespace) -> BTreeMap<SpaceKey, Vec<usize>> {
    let mut found: BTreeMap<SpaceKey, Vec<usize>> = BTreeMap::new();
    for (at, (proc, _)) in scope.procs.iter().enumerate() {
        if let Some(space) = kernel.procs().space_of(*proc, kind) {
            found.entry(space).or_default().push(at);
        }
        // One that waits for its first process is there too.
        if let Some(space) = kernel.procs().space_for_children(*proc, kind) {
            found.entry(space).or_default();
        }
    }
    found
}

fn namespaces(kernel: &Kernel, scope: &Scope) -> Vec<Found> {
    let procs = kernel.procs();
    let pid = |proc: Proc| procs.pids(proc).first().copied().unwrap_or(0);
    let mut all = Vec::new();
    for kind in Namespace::ALL {
        let first = procs.space_of(kernel.init(), kind);
        let machines = procs.space_of(scope.init, kind);
        for (space, inside) in spaces(kernel, scope, kind) {
            let mut containers: Vec<_> = inside.iter().map(|at| scope.procs[*at].1).collect();
            containers.dedup();
            let whose = match containers[..] {
                _ if Some(space) == first => Whose::Initial,
                _ if Some(space) == machines => Whose::Machine,
                [Some(container)] => Whose::Container { container },
                [None] | [] => Whose::Made,
                _ => Whose::Machine,
            };
            let waits = scope.procs.iter().filter(|(proc, _)| {
                procs.space_of(*proc, kind) != Some(space)
                    && procs.space_for_children(*proc, kind) == Some(space)
            });
            let owner = procs.owner(space);
            all.push(Found {
                kind,
                id: procs.inode(space),
                whose,
                processes: u32::try_from(inside.len()).unwrap_or(u32::MAX),
                pid: inside.iter().map(|at| pid(scope.procs[*at].0)).min(),
                held_by: waits.map(|(proc, _)| Holder::Children { pid: pid(*proc) }).collect(),
                owner: owner.map(|owner| procs.inode(owner)),
                owner_uid: None,
                parent: procs.above(space).map(|above| procs.inode(above)),
            });
        }
    }
    all
}

fn id_maps(kernel: &Kernel, scope: &Scope) -> Vec<IdMaps> {
    let procs = kernel.procs();
    let map = |space: SpaceKey| {
        let extent = |range: &crate::sim::procs::IdRange| Extent {
            inside: range.inside,
            outside: procs.id_outside(range.inside, space).unwrap_or(range.outside),
            count: range.count,
        };
        let ids: Vec<Extent> = procs.id_map(space)?.iter().map(extent).collect();
        // Groups are mapped like users in the model.
        Some(IdMaps { namespace: procs.inode(space), uids: ids.clone(), gids: ids })
    };
    spaces(kernel, scope, Namespace::User).into_keys().filter_map(map).collect()
}

fn mounts(kernel: &Kernel, scope: &Scope) -> Vec<MountTable> {
    let table = |(space, inside): (SpaceKey, Vec<usize>)| {
        let proc = scope.procs[*inside.first()?].0;
        Some(MountTable {
            namespace: kernel.procs().inode(space),
            pid: kernel.procs().pids(proc).first().copied()?,
            mounts: kernel.mountinfo(proc).lines().filter_map(mount).collect(),
        })
    };
    spaces(kernel, scope, Namespace::Mount).into_iter().filter_map(table).collect()
}

/// A line of `mountinfo`; the model's mounts are all private.
fn mount(line: &str) -> Option<Mount> {
    let (before, after) = line.split_once(" - ")?;
    let before: Vec<&str> = before.split(' ').collect();
    let after: Vec<&str> = after.split(' ').collect();
    let [id, parent, device, root, path, options, ..] = before[..] else { return None };
    let [kind, source, ..] = after[..] else { return None };
    Some(Mount {
        id: id.parse().ok()?,
        parent: parent.parse().ok()?,
        device: device.into(),
        root: root.into(),
        path: path.into(),
        options: options.into(),
        propagation: String::new(),
        kind: kind.into(),
        source: source.into(),
    })
}

/// A new network namespace has a loopback and nothing else, and nothing in the model is sent.
fn devices(kernel: &Kernel, scope: &Scope) -> Vec<NetDevices> {
    let first = kernel.procs().space_of(kernel.init(), Namespace::Net);
    let own = spaces(kernel, scope, Namespace::Net).into_keys();
    let lo = || NetDevice { name: "lo".into(), index: Some(1), rx_bytes: 0, tx_bytes: 0 };
    own.filter(|space| Some(*space) != first)
        .map(|space| NetDevices { namespace: kernel.procs().inode(space), devices: vec![lo()] })
        .collect()
}
