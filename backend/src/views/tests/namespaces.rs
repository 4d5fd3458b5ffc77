//! Namespaces: who is in them, whose they are, and what holds those that nobody is in.

use std::os::unix::fs::symlink;

use super::*;
use crate::observer::tests_tree::Tree;
use crate::views::tests_tree::{self, HOST_NS};

fn found(tree: &Tree, host: Host) -> (Found, Missed) {
    let _ = tree;
    let mut watch = Watch::new(host, false).unwrap().without_clock();
    let mut missed = Missed::default();
    let mut found = find::find(&mut watch, &mut missed);
    relations::ask(&watch.host.proc, &mut found);
    name_processes(&mut watch, &mut found);
    (found, missed)
}

#[test]
fn who_is_in_them_and_whose_they_are() {
    let (tree, host) = tests_tree::host();
    for pid in [1, 300, 301, 400] {
        std::fs::create_dir(tree.path(&format!("proc/{pid}/fd"))).unwrap();
        tree.write(&format!("proc/{pid}/mountinfo"), "");
    }
    let (found, missed) = found(&tree, host);
    assert_eq!(found.len(), 16);
    assert_eq!(missed, Missed { processes: 4, ..Missed::default() });
    let hosts = &found[&(Kind::Net, HOST_NS + 5)];
    assert_eq!((hosts.processes, hosts.pid, hosts.uid), (2, Some(1), Some(166_536)));
    assert!(hosts.container.is_none(), "PID 1 is nobody's");
    let c1 = &found[&(Kind::Pid, 4_026_532_100)];
    assert_eq!((c1.processes, c1.pid, c1.kind), (2, Some(300), "pid"));
    assert_eq!(c1.container.as_ref().unwrap().to_string(), "0123456789ab/c1");
    assert_eq!(c1.argv, ["a) R (b", "--flag"]);
    assert!(!hosts.initial && !c1.initial, "not the kernel's numbers");
}

#[test]
fn what_only_a_descriptor_a_mount_or_children_hold() {
    let (tree, host) = tests_tree::host();
    std::fs::create_dir(tree.path("proc/301/fd")).unwrap();
    symlink("net:[4026532999]", tree.path("proc/301/fd/7")).unwrap();
    symlink("/etc/net:[4026532998]", tree.path("proc/301/fd/8")).unwrap();
    symlink("pid:[4026532997]", tree.path("proc/301/ns/pid_for_children")).unwrap();
    symlink("time:[4026532107]", tree.path("proc/301/ns/time_for_children")).unwrap();
    let line = "1 2 0:4 uts:[4026532996] /run/\\033x rw - nsfs nsfs rw\n";
    tree.write("proc/400/mountinfo", line);
    std::fs::remove_dir_all(tree.path("proc/1")).unwrap();
    let (found, _) = found(&tree, host);
    let by = |kind, inode| {
        let one: &Namespace = &found[&(kind, inode)];
        (one.processes, command(one))
    };
    let net = by(Kind::Net, 4_026_532_999);
    assert_eq!(net, (0, "(held by descriptor 7 of PID 301)".into()));
    let pid = by(Kind::Pid, 4_026_532_997);
    assert_eq!(pid, (0, "(for the children of PID 301)".into()));
    let uts = by(Kind::Uts, 4_026_532_996);
    assert_eq!(uts, (0, "(mounted on /run/\\x1bx, as PID 400 sees it)".into()));
    assert!(!found.contains_key(&(Kind::Net, 4_026_532_998)), "a file with such a name");
    assert!(found[&(Kind::Time, 4_026_532_107)].held_by.is_empty(), "it is in that itself");
}

#[test]
fn the_initial_ones_have_fixed_numbers() {
    let (tree, host) = tests_tree::host();
    for pid in [1, 400] {
        tests_tree::namespaces(&tree, pid, 4_026_531_836);
    }
    let (found, _) = found(&tree, host);
    assert!(found[&(Kind::Pid, 4_026_531_836)].initial);
    assert!(found[&(Kind::Mount, 4_026_531_837)].initial, "PID 1's, which is the host's");
    assert!(!found[&(Kind::User, 4_026_531_840)].initial, "not the kernel's number");
}
