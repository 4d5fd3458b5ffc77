//! Namespaces that no process is in, and the same list as `lsns` has.

use std::collections::{BTreeMap, BTreeSet};
use std::fs::File;
use std::os::fd::AsRawFd as _;
use std::process::{Command, Stdio};

use serde_json::Value;

use super::{json, one, proc_inode, sleeping};
use crate::harness::command::spawn;
use crate::harness::{mark, proc};

#[test]
fn a_mount_alone_holds_it() {
    let mark = mark();
    let dir = tempfile::tempdir().unwrap();
    let file = dir.path().join("a net");
    File::create(&file).unwrap();
    // In a mount namespace of its own: nothing is mounted on the host.
    let script = "unshare --net=\"$1\" true && exec sleep \"$2\"";
    let path = file.to_str().unwrap();
    let mut command = Command::new("unshare");
    command.args(["--mount", "--propagation", "private", "sh", "-c", script, "sh", path, &mark]);
    let _holder = spawn(&mut command, None);
    let pid = proc::wait_for_sleep(&mark);
    let list = json(&["namespaces", "--json", "--type", "net"]);
    let by_mount = |n: &Value| n["held_by"][0]["path"] == path;
    let held = one(&list["namespaces"], "the mounted one", by_mount);
    assert_eq!((&held["processes"], &held["pid"]), (&0.into(), &Value::Null));
    assert_eq!(
        (&held["held_by"][0]["kind"], &held["held_by"][0]["pid"]),
        (&"mount".into(), &pid.into())
    );
    assert_eq!(held["initial"], false);
}

#[test]
fn a_descriptor_alone_holds_it() {
    let mark = mark();
    let mut command = Command::new("unshare");
    command.args(["--user", "--map-root-user", "--uts", "sleep", &mark]).stdin(Stdio::null());
    let mut child = command.spawn().unwrap();
    let pid = proc::wait_for_sleep(&mark);
    let held = File::open(format!("/proc/{pid}/ns/uts")).unwrap();
    let (uts, user) = (proc_inode(&pid.to_string(), "uts"), proc_inode(&pid.to_string(), "user"));
    child.kill().unwrap();
    child.wait().unwrap();
    let list = json(&["namespaces", "--json"]);
    let found = one(&list["namespaces"], "uts", |n| n["id"] == uts && n["type"] == "uts");
    assert_eq!(found["processes"], 0);
    let holder = one(&found["held_by"], "us", |h| h["pid"] == std::process::id());
    assert_eq!((&holder["kind"], &holder["fd"]), (&"descriptor".into(), &held.as_raw_fd().into()));
    assert_eq!((&found["owner"], &found["owner_uid"]), (&user.into(), &0.into()));
    // Its owner is only there because of it.
    let owner = one(&list["namespaces"], "user", |n| n["id"] == user && n["type"] == "user");
    assert_eq!(owner["held_by"][0]["kind"], "namespace");
    assert_eq!(owner["owner"], proc_inode("self", "user"));
}

/// Type and number.
type Key = (String, u64);
/// The number of processes, the lowest PID and its user.
type Members = (u64, Option<u64>, Option<u64>);
type List = BTreeMap<Key, Members>;

fn ours() -> List {
    let list = json(&["namespaces", "--json"]);
    let entry = |n: &Value| {
        let key = (n["type"].as_str().unwrap().to_string(), n["id"].as_u64().unwrap());
        (key, (n["processes"].as_u64().unwrap(), n["pid"].as_u64(), n["uid"].as_u64()))
    };
    list["namespaces"].as_array().unwrap().iter().map(entry).collect()
}

fn lsns() -> List {
    let output = Command::new("lsns").args(["--json", "-o", "NS,TYPE,NPROCS,PID,UID"]).output();
    let output = output.expect("this test needs lsns: apt-get install util-linux");
    let list: Value = serde_json::from_slice(&output.stdout).unwrap();
    // Some versions write numbers as text.
    let number = |value: &Value| value.as_u64().or_else(|| value.as_str()?.parse().ok());
    let entry = |n: &Value| {
        let key = (n["type"].as_str().unwrap().to_string(), number(&n["ns"]).unwrap());
        (key, (number(&n["nprocs"]).unwrap_or(0), number(&n["pid"]), number(&n["uid"])))
    };
    list["namespaces"].as_array().unwrap().iter().map(entry).collect()
}

#[test]
fn lsns_says_the_same() {
    let (_running, pid, _) = sleeping(&[]);
    let inodes = super::inodes(pid);
    let sleeps: Vec<(String, u64)> =
        proc::NAMESPACES.iter().map(ToString::to_string).zip(inodes).collect();
    // Others come and go. What was the same before and after has to agree with what lsns said in
    // between, at least once: always is too much to ask of a busy host.
    let mut agreed = BTreeSet::new();
    let mut open = Vec::new();
    for _ in 0..60 {
        let (before, theirs, after) = (ours(), lsns(), ours());
        // lsns knows only those that processes are in, or that are mounted.
        let is_still =
            |(key, value): &(&Key, &Members)| value.0 > 0 && after.get(*key) == Some(*value);
        let still: List = before.iter().filter(is_still).map(|(k, v)| (k.clone(), *v)).collect();
        for key in &sleeps {
            // What only the test and its run are in does not change (the user namespace's maker
            // is waited for at any time).
            if key.0 != "user" {
                assert_eq!(theirs.get(key), before.get(key), "{key:?}");
            }
        }
        agreed.extend(
            still.iter().filter(|(k, v)| theirs.get(*k) == Some(*v)).map(|(k, _)| k.clone()),
        );
        open = still.into_keys().filter(|key| !agreed.contains(key)).collect();
        open.extend(
            theirs.into_keys().filter(|k| !before.contains_key(k) && !after.contains_key(k)),
        );
        let n_kinds = |name: &str| agreed.iter().filter(|key| key.0 == name).count();
        // The initial one and the sleep's, of every type.
        if open.is_empty() && proc::NAMESPACES.iter().all(|name| n_kinds(name) >= 2) {
            return;
        }
    }
    panic!("lsns says something else of {open:?}; the same of {agreed:?}");
}
