//! What a page is told of a machine's namespaces, beside what `lsns` and the kernel say.

use std::collections::BTreeMap;
use std::process::Command as Program;

use serde_json::Value;
use vitrine_shared::discovery::{Discovery, Extent, Found, Holder, Whose};
use vitrine_shared::id::MachineId;
use vitrine_shared::message::{Command, Event, Refusal};
use vitrine_shared::namespace::{Namespace, NamespaceSet};
use vitrine_shared::process::Process;
use vitrine_shared::refusal::Thing;
use vitrine_shared::spec::ContainerSpec;

use crate::harness::client::{Client, Started};
use crate::harness::lab::{self, Lab};
use crate::harness::proc;
use crate::harness::server::Server;
use crate::harness::user::{SUB_IDS, User};

fn discover(page: &mut Client, machine: MachineId) -> Discovery {
    page.forget();
    page.done(Command::Discover { machine });
    page.event("a discovery", |event| match event {
        Event::Discovery(found) => Some(*found),
        _ => None,
    })
}

fn processes(page: &mut Client, machine: MachineId) -> Vec<Process> {
    page.watch(machine, 4);
    page.sample("all namespaces", |sample| {
        let is_whole = |process: &Process| !process.namespaces.contains(&0);
        (!sample.processes.is_empty() && sample.processes.iter().all(is_whole))
            .then_some(sample.processes)
    })
}

fn without(kind: Namespace) -> ContainerSpec {
    let namespaces = NamespaceSet::ALL.with(kind, false);
    ContainerSpec { namespaces, ..ContainerSpec::one_click() }
}

/// Number of a process's namespace, as `readlink` says.
fn inode(pid: u32, kind: Namespace) -> u64 {
    let links = proc::namespaces(pid);
    let link = links[kind as usize].split(['[', ']']).nth(1);
    link.and_then(|number| number.parse().ok()).unwrap_or_else(|| panic!("{links:?}"))
}

fn by_key(discovery: &Discovery) -> BTreeMap<(Namespace, u64), &Found> {
    discovery.namespaces.iter().map(|found| ((found.kind, found.id), found)).collect()
}

#[test]
fn each_is_what_lsns_says() {
    let server = Server::start();
    let mut page = server.client();
    let first = page.start(None, without(Namespace::Net));
    page.start(Some(first.machine), ContainerSpec::one_click());
    let members = processes(&mut page, first.machine);
    let found = discover(&mut page, first.machine);
    let lsns = Program::new("lsns").args(["--json", "-o", "NS,TYPE,PID,PNS,ONS"]).output();
    let lsns = lsns.expect("this test needs lsns: apt-get install util-linux");
    let lsns: Value = serde_json::from_slice(&lsns.stdout).unwrap();
    // Some versions write numbers as text.
    let number = |value: &Value| value.as_u64().or_else(|| value.as_str()?.parse().ok());
    let kind = |name: &str| Namespace::ALL.into_iter().find(|kind| kind.proc_name() == name);
    let theirs: BTreeMap<(Namespace, u64), &Value> = lsns["namespaces"]
        .as_array()
        .unwrap()
        .iter()
        .filter_map(|n| Some(((kind(n["type"].as_str()?)?, number(&n["ns"])?), n)))
        .collect();
    let ours = by_key(&found);
    // Everything that a process is in, found by both.
    for process in &members {
        for (kind, id) in Namespace::ALL.into_iter().zip(process.namespaces) {
            assert!(ours.contains_key(&(kind, id)), "{kind:?} {id} is not in {ours:?}");
            assert!(theirs.contains_key(&(kind, id)), "{kind:?} {id} is not in lsns");
        }
    }
    for (key, found) in ours.iter().filter(|(_, found)| found.whose != Whose::Initial) {
        let theirs = theirs.get(key).unwrap_or_else(|| panic!("{key:?} is not in {lsns}"));
        assert_eq!(number(&theirs["pid"]), found.pid.map(u64::from), "{key:?}");
        // 0 is what lsns says of what it has not asked.
        let relation = |name: &str| number(&theirs[name]).filter(|&id| id != 0);
        if kernel_tells_relations() {
            assert_eq!(relation("ons"), found.owner, "owner of {key:?}");
            if matches!(key.0, Namespace::Pid | Namespace::User) {
                assert_eq!(relation("pns"), found.parent, "parent of {key:?}");
            }
        }
    }
}

/// `PIDFD_GET_*_NAMESPACE` came with 6.11.
fn kernel_tells_relations() -> bool {
    let release = std::fs::read_to_string("/proc/sys/kernel/osrelease").unwrap();
    let mut numbers = release.split(['.', '-']).map(|part| part.parse().unwrap_or(0));
    (numbers.next().unwrap_or(0), numbers.next().unwrap_or(0)) >= (6u32, 11u32)
}

#[test]
fn whose_each_is_and_how_its_ids_are_mapped() {
    let server = Server::start();
    let mut page = server.client();
    let Started { machine, container, .. } = page.start(None, without(Namespace::Net));
    let record = page.event("the machine", |event| match event {
        Event::Machine(m) if m.id == machine => Some(m),
        _ => None,
    });
    let members = processes(&mut page, machine);
    let found = discover(&mut page, machine);
    let inside = members.iter().find(|process| process.container == Some(container)).unwrap();
    let id = |kind: Namespace| inside.namespaces[kind as usize];
    let whose = |kind| found.find(kind, id(kind)).unwrap().whose;
    assert_eq!(whose(Namespace::Pid), Whose::Container { container });
    assert_eq!(whose(Namespace::Net), Whose::Machine, "it has the machine's network");
    assert_eq!(found.machines[Namespace::Net as usize], inode(record.init_pid, Namespace::Net));
    let own = std::process::id();
    for kind in Namespace::ALL {
        // Before 6.18 these two have numbers of their own each time.
        if !matches!(kind, Namespace::Mount | Namespace::Net) {
            assert_eq!(found.initial[kind as usize], inode(own, kind), "{kind:?}");
        }
    }
    let maps = found.id_maps.iter().find(|maps| maps.namespace == id(Namespace::User)).unwrap();
    let whole = Extent { inside: 0, outside: record.uid_base, count: 65_536 };
    assert_eq!((maps.uids.first(), maps.gids.first()), (Some(&whole), Some(&whole)));
    let of_c1 = |namespace| namespace == id(Namespace::Mount);
    let table = found.mounts.iter().find(|table| of_c1(table.namespace)).unwrap();
    let told: Vec<&str> = table.mounts.iter().map(|mount| mount.path.as_str()).collect();
    let text = proc::read(inside.host_pid(), "mountinfo");
    let kernels: Vec<&str> = text.lines().filter_map(|line| line.split(' ').nth(4)).collect();
    assert_eq!(told, kernels);
    let devices = found.devices.iter().find(|d| d.namespace == id(Namespace::Net)).unwrap();
    let names: Vec<&str> = devices.devices.iter().map(|device| device.name.as_str()).collect();
    let text = proc::read(inside.host_pid(), "net/dev");
    let kernels = text.lines().skip(2).filter_map(|line| Some(line.split_once(':')?.0.trim()));
    assert_eq!(names, kernels.collect::<Vec<_>>());
    assert!(!found.cut);
}

#[test]
fn nobody_elses_are_told() {
    let server = Server::start();
    let mut page = server.client();
    let mine = page.start(None, ContainerSpec::one_click());
    let other = page.start(None, ContainerSpec::one_click());
    let theirs = processes(&mut page, other.machine);
    let found = discover(&mut page, mine.machine);
    assert_eq!(found.machine, mine.machine);
    let pids: Vec<u32> = theirs.iter().map(Process::host_pid).collect();
    for found in &found.namespaces {
        assert!(!found.pid.is_some_and(|pid| pids.contains(&pid)), "{found:?}");
        if found.whose != Whose::Initial {
            let is_theirs = |p: &Process| p.namespaces[found.kind as usize] == found.id;
            assert!(!theirs.iter().any(is_theirs), "{found:?}");
        }
    }
    let nobodys = Command::Discover { machine: MachineId(7) };
    assert_eq!(page.refused(nobodys), Refusal::Unknown { what: Thing::Machine });
}

#[test]
fn held_by_a_descriptor_and_by_a_mount_in_a_lab() {
    let server = lab::server();
    let mut lab = Lab::start(&server);
    // The shell keeps a host name's namespace after the last process in it has gone.
    lab.ok("unshare --uts sleep 300 & sleep 1; exec 9</proc/$!/ns/uts; kill $!; wait $! || true");
    // And a file keeps one that nobody was ever seen in.
    lab.ok(
        "mount -t tmpfs -o size=64k,mode=755 tmpfs /mnt; mount --make-private /mnt; touch /mnt/ipc",
    );
    lab.ok("unshare --ipc=/mnt/ipc true");
    let machine = lab.machine.id;
    let found = discover(&mut lab.page, machine);
    let is_by_fd = |holder: &Holder| matches!(holder, Holder::Descriptor { fd: 9, .. });
    let by_fd = |one: &&Found| one.processes == 0 && one.held_by.iter().any(is_by_fd);
    let uts = found.namespaces.iter().find(by_fd).unwrap_or_else(|| panic!("{found:#?}"));
    assert_eq!((uts.kind, uts.whose, uts.pid), (Namespace::Uts, Whose::Made, None));
    let is_mount =
        |holder: &Holder| matches!(holder, Holder::Mount { path, .. } if path == "/mnt/ipc");
    let by_mount = |one: &&Found| one.held_by.iter().any(is_mount);
    let ipc = found.namespaces.iter().find(by_mount).unwrap_or_else(|| panic!("{found:#?}"));
    assert_eq!((ipc.kind, ipc.processes), (Namespace::Ipc, 0));
}

#[test]
fn an_ordinary_users_are_told_as_the_host_has_them() {
    let user = User::new();
    let server =
        Server::start_by(&mut user.vitrine_with_sub_ids(&["serve", "--listen", "127.0.0.1:0"]));
    let mut page = server.client();
    let Started { machine, container, .. } = page.start(None, ContainerSpec::one_click());
    let members = processes(&mut page, machine);
    let found = discover(&mut page, machine);
    let inside = members.iter().find(|process| process.container == Some(container)).unwrap();
    let id = inside.namespaces[Namespace::User as usize];
    assert_eq!(found.find(Namespace::User, id).unwrap().whose, Whose::Container { container });
    let maps = found.id_maps.iter().find(|maps| maps.namespace == id).unwrap();
    // One range inside is two on the host: the user, and the ids that were delegated.
    let ranges: Vec<(u32, u32)> = maps.uids.iter().map(|e| (e.inside, e.outside)).collect();
    assert_eq!(ranges, [(0, user.uid), (1, SUB_IDS)]);
    // What the server itself stands in is a number and no entry.
    let servers = inode(server.pid(), Namespace::User);
    assert!(found.find(Namespace::User, servers).is_none());
    let machines = found.find(Namespace::User, found.machines[Namespace::User as usize]).unwrap();
    if kernel_tells_relations() {
        assert_eq!(machines.parent, Some(servers));
    }
}
