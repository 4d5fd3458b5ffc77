//! A look at namespaces, in a tree that looks like `/proc`.

use std::fs;
use std::os::unix::fs::symlink;

use vitrine_shared::cgroup::Dialect;
use vitrine_shared::discovery::Extent;

use super::super::tests_tree::{C1, Tree};
use super::*;

const PIDS: &[(&str, &[&str], Dialect)] = &[("pids", &["pids"], Dialect::V1)];
/// First numbers of the namespaces of the machine, of its container, and of what was made by hand.
const MACHINES: u64 = 4_026_532_100;
const C1S: u64 = 4_026_532_200;
const MADE: u64 = 4_026_532_300;

/// PID 300 is the machine's first, 301 in its container, 302 has made some by hand, 400 a stranger.
fn tree() -> Tree {
    let tree = Tree::new();
    for (pid, first) in [(300, MACHINES), (301, C1S), (302, MADE), (400, 4_026_532_900)] {
        tree.process(pid, "sh", 0, 5);
        crate::views::tests_tree::namespaces(&tree, pid, first);
        fs::create_dir(tree.path(&format!("proc/{pid}/fd"))).unwrap();
        tree.write(&format!("proc/{pid}/mountinfo"), "30 1 0:87 / / rw - overlay overlay rw\n");
    }
    // What the container has of the host's and of the machine's.
    for (name, id) in [("time", 4_026_531_834), ("uts", MACHINES + 2)] {
        let link = tree.path(&format!("proc/301/ns/{name}"));
        fs::remove_file(&link).unwrap();
        symlink(format!("{name}:[{id}]"), link).unwrap();
    }
    tree.write("pids/root/cgroup.procs", "300\n302\n");
    tree.write("pids/root/c1/cgroup.procs", "301\n");
    tree.write("pids/cgroup.procs", "");
    tree
}

fn look(tree: &Tree) -> Discovery {
    let proc = file::open_directory(&tree.proc()).unwrap();
    discover(&Scene { proc, own_ids: OwnIds::default(), machine: tree.machine(PIDS) })
}

fn whose(discovery: &Discovery, kind: Kind, id: u64) -> Option<Whose> {
    discovery.find(kind, id).map(|found| found.whose)
}

#[test]
fn whose_they_are() {
    let found = look(&tree());
    assert_eq!(found.machines[Kind::Net as usize], MACHINES + 5);
    let whose = |kind, id| whose(&found, kind, id);
    assert_eq!(whose(Kind::Time, 4_026_531_834), Some(Whose::Initial));
    assert_eq!(whose(Kind::Uts, MACHINES + 2), Some(Whose::Machine));
    assert_eq!(whose(Kind::Net, C1S + 5), Some(Whose::Container { container: C1 }));
    assert_eq!(whose(Kind::Net, MADE + 5), Some(Whose::Made));
    let shared = found.find(Kind::Uts, MACHINES + 2).unwrap();
    assert_eq!((shared.processes, shared.pid), (2, Some(300)));
    assert_eq!(found.namespaces.len(), 8 * 3 - 1);
    assert!(!found.cut);
}

#[test]
fn a_stranger_is_not_told_of() {
    let tree = tree();
    // Not even when a process of the machine's has a number that was the stranger's.
    let found = look(&tree);
    assert!(found.namespaces.iter().all(|found| found.id < 4_026_532_900));
    assert!(found.namespaces.iter().all(|found| found.pid != Some(400)));
    assert!(found.mounts.iter().all(|table| table.pid != 400));
}

#[test]
fn what_holds_those_that_nobody_is_in() {
    let tree = tree();
    symlink("net:[4026532401]", tree.path("proc/301/fd/7")).unwrap();
    symlink("socket:[5]", tree.path("proc/301/fd/8")).unwrap();
    symlink("pid:[4026532402]", tree.path("proc/302/ns/pid_for_children")).unwrap();
    let line = "31 30 0:4 uts:[4026532403] /run/\\033x rw shared:5 - nsfs nsfs rw\n";
    tree.write("proc/300/mountinfo", line);
    let found = look(&tree);
    let one = |kind, id| {
        let found = found.find(kind, id).unwrap();
        (found.processes, found.whose, found.held_by.clone())
    };
    let by_fd = Holder::Descriptor { pid: 301, fd: 7 };
    let c1 = Whose::Container { container: C1 };
    assert_eq!(one(Kind::Net, 4_026_532_401), (0, c1, vec![by_fd]));
    let children = Holder::Children { pid: 302 };
    assert_eq!(one(Kind::Pid, 4_026_532_402), (0, Whose::Made, vec![children]));
    let mount = Holder::Mount { pid: 300, path: "/run/?x".into() };
    assert_eq!(one(Kind::Uts, 4_026_532_403), (0, Whose::Made, vec![mount]));
    assert_eq!(found.mounts[0].mounts[0].propagation, "shared:5");
}

#[test]
fn maps_and_devices() {
    let tree = tree();
    tree.write("proc/301/uid_map", "0 165536 65536\n");
    tree.write("proc/301/gid_map", "0 165536 65536\n");
    let dev = "Inter-|\n face |\n lo: 1 0 0 0 0 0 0 0 2 0 0 0 0 0 0 0\n";
    tree.write("proc/301/net/dev", dev);
    tree.write("proc/301/net/dev_snmp6/lo", "ifIndex                         \t1\nIp6 0\n");
    let found = look(&tree);
    let maps = found.id_maps.iter().find(|maps| maps.namespace == C1S + 4).unwrap();
    let extent = Extent { inside: 0, outside: 165_536, count: 65_536 };
    assert_eq!((maps.uids.as_slice(), maps.gids.as_slice()), (&[extent][..], &[extent][..]));
    let devices = found.devices.iter().find(|devices| devices.namespace == C1S + 5).unwrap();
    let lo = &devices.devices[0];
    assert_eq!((lo.name.as_str(), lo.index, lo.rx_bytes, lo.tx_bytes), ("lo", Some(1), 1, 2));
}

#[test]
fn too_much_is_cut_and_said() {
    let tree = tree();
    let lines: String =
        (0..2_000).map(|i| format!("{i} 1 0:4 / /m{i} rw - tmpfs tmpfs rw\n")).collect();
    tree.write("proc/300/mountinfo", &lines);
    for fd in 0..20 {
        symlink("net:[4026532401]", tree.path(&format!("proc/301/fd/{fd}"))).unwrap();
    }
    let found = look(&tree);
    assert!(found.cut);
    let told: usize = found.mounts.iter().map(|table| table.mounts.len()).sum();
    assert_eq!(told, MAX_MOUNTS);
    let held = found.find(Kind::Net, 4_026_532_401).unwrap();
    assert_eq!(held.held_by.len(), MAX_HOLDERS);
    // It fits a channel that is read now and then.
    assert!(postcard::to_stdvec(&found).unwrap().len() < 200_000);
}
