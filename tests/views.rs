//! `vitrine ps`, `cgroups` and `namespaces` against what `/proc` and cgroupfs say themselves.

mod doc;
mod held;
mod piped;
mod top;

use std::process::Command;

use serde_json::Value;

use crate::harness::command::{Outcome, Running, spawn, start};
use crate::harness::{binary, cgroup, data, mark, proc, wait_for};

/// A `vitrine` with these words.
pub(crate) fn vitrine(words: &[&str]) -> Outcome {
    spawn(Command::new(binary()).env("VITRINE_DATA", data()).args(words), None).end()
}

/// The JSON that it prints; it must succeed and have read everything that the test can read.
#[track_caller]
fn json(words: &[&str]) -> Value {
    let outcome = vitrine(words);
    assert_eq!(outcome.status, 0, "{words:?}: {outcome:?}");
    assert!(missed_no_more_than_we(&outcome.err), "{words:?}: {}", outcome.err);
    let json: Value = serde_json::from_str(&outcome.out).unwrap();
    assert_eq!(json["version"], 1);
    assert_eq!(json["not_read"] == Value::Array(vec![]), outcome.err.is_empty());
    json
}

/// Some hosts have an init that hides its namespaces even from root; that is told, and no more.
fn missed_no_more_than_we(err: &str) -> bool {
    let is_hidden = |pid: &u32| {
        let link = std::fs::read_link(format!("/proc/{pid}/ns/user"));
        link.is_err_and(|err| err.kind() == std::io::ErrorKind::PermissionDenied)
    };
    let n_hidden = proc::pids().iter().filter(|pid| is_hidden(pid)).count();
    let said = format!("vitrine: could not read the namespaces of {n_hidden} of ");
    err.is_empty() || (n_hidden > 0 && err.starts_with(&said) && err.lines().count() == 1)
}

/// A run with a `sleep` in it, and that one's PID.
fn sleeping(flags: &[&str]) -> (Running, u32, String) {
    let mark = mark();
    let running = start(&[flags, &["--", "sleep", &mark]].concat(), None);
    let pid = proc::wait_for_sleep(&mark);
    (running, pid, mark)
}

/// A run whose loop wants a whole CPU and may use a fifth of one.
fn busy() -> Running {
    let flags = ["--cpu-quota", "20000", "--cpu-period", "100000", "--memory", "64m"];
    let flags = [&flags[..], &["--pids-limit", "9", "--", "sh", "-c", "while :; do :; done"]];
    start(&flags.concat(), None)
}

#[track_caller]
fn one<'a>(list: &'a Value, what: &str, is_meant: impl Fn(&Value) -> bool) -> &'a Value {
    let found: Vec<&Value> = list.as_array().unwrap().iter().filter(|one| is_meant(one)).collect();
    assert_eq!(found.len(), 1, "{what}: {found:?}");
    found[0]
}

/// Inode numbers of a process's namespaces, as `/proc` has them.
fn inodes(pid: u32) -> [u64; 8] {
    proc::namespaces(pid)
        .map(|link| link.split(['[', ']']).nth(1).and_then(|number| number.parse().ok()).unwrap())
}

#[test]
fn ps_finds_a_run_and_says_what_proc_says() {
    let (running, pid, mark) = sleeping(&[]);
    for words in [&["ps", "--json"][..], &["ps", "--all", "--json", "--sort", "cpu"]] {
        let list = json(words);
        let process = one(&list["processes"], "the sleep", |p| p["pid"] == pid);
        let pids: Vec<u32> =
            proc::status(pid, "NSpid").split_whitespace().map(|pid| pid.parse().unwrap()).collect();
        assert_eq!(process["pids"], Value::from(pids));
        let uids = proc::status(pid, "Uid");
        let uid: u32 = uids.split_whitespace().nth(1).unwrap().parse().unwrap();
        assert_eq!((&process["uid"], &process["uid_inside"]), (&uid.into(), &0.into()));
        assert_eq!(process["parent"], running.pid());
        assert_eq!(process["state"], "S");
        assert_eq!(process["argv"], Value::from(vec!["sleep", mark.as_str()]));
        assert_eq!(process["name"], "sleep");
        let rss = proc::status(pid, "VmRSS").replace(" kB", "").parse::<u64>().unwrap() * 1024;
        assert_eq!(process["rss_bytes"], rss);
        let stat = proc::read(pid, "stat");
        let start = stat.rsplit_once(')').unwrap().1.split_whitespace().nth(19).unwrap();
        assert_eq!(process["start_ticks"].to_string(), start);
        for (name, inode) in proc::NAMESPACES.iter().zip(inodes(pid)) {
            assert_eq!(process["namespaces"][name], inode, "{name}");
        }
        assert_eq!(process["own"], Value::from(proc::NAMESPACES.to_vec()));
        assert_eq!(process["container"]["launcher"], running.pid());
        assert_eq!(process["container"]["machine"], Value::Null);
    }
    let table = vitrine(&["ps"]).out;
    let line = table.lines().find(|line| line.ends_with(&format!("sleep {mark}"))).unwrap();
    assert!(
        line.contains("PMHIUNCT") && line.contains(&format!("run:{}", running.pid())),
        "{line}"
    );
    assert!(!vitrine(&["ps", "--no-headers"]).out.contains("PIDS-IN"));
}

#[test]
fn only_what_is_new_is_its_own() {
    let (_running, pid, _) = sleeping(&["--pid", "--uts"]);
    let list = json(&["ps", "--json"]);
    let process = one(&list["processes"], "the sleep", |p| p["pid"] == pid);
    assert_eq!(process["own"], Value::from(vec!["pid", "uts"]));
    let uid_on_host = &process["uid"];
    assert_eq!(&process["uid_inside"], uid_on_host, "no user namespace of its own");
}

#[test]
fn every_process_of_the_host_is_there() {
    let before = proc::pids();
    let list = json(&["ps", "-a", "--json"]);
    let seen: Vec<u64> =
        list["processes"].as_array().unwrap().iter().filter_map(|p| p["pid"].as_u64()).collect();
    let lived = |pid: &&u32| proc::pids().contains(pid);
    for pid in before.iter().filter(lived) {
        assert!(seen.contains(&u64::from(*pid)), "PID {pid} is missing");
    }
}

#[test]
fn text_of_a_process_reaches_no_terminal_as_it_is() {
    let evil = "\x1b]0;owned\x07\u{202e}\n\u{9b}2J";
    let mark = mark();
    let _running = start(&["--", "sh", "-c", "sleep \"$1\"; :", evil, &mark], None);
    proc::wait_for_sleep(&mark);
    let list = json(&["ps", "--json"]);
    let has_evil = |p: &Value| p["argv"].as_array().unwrap().iter().any(|word| word == evil);
    let is_ours = |p: &Value| p["argv"].as_array().unwrap().iter().any(|word| word == &mark);
    one(&list["processes"], "the shell", |p| has_evil(p) && is_ours(p));
    let table = vitrine(&["ps"]).out;
    let line = table.lines().find(|line| line.contains(&mark) && line.contains("owned")).unwrap();
    assert!(line.contains("\\x1b]0;owned\\x07\\u{202e}\\n\\x9b2J"), "{line}");
    assert!(table.chars().all(|c| c == '\n' || !c.is_control()), "{table:?}");
}

#[test]
fn cgroups_shows_what_the_files_say() {
    let running = busy();
    let (cpu, memory) =
        (cgroup::of_run(running.pid(), "cpu"), cgroup::of_run(running.pid(), "memory"));
    let throttled = || cgroup::number(&cpu, "cpu.stat", "nr_throttled");
    wait_for("throttling", std::time::Duration::from_secs(20), || (throttled() > 3).then_some(()));
    let before = throttled();
    let list = json(&["cgroups", "--json"]);
    let after = throttled();
    let is_ours = |group: &Value| group["container"]["launcher"] == running.pid();
    let group = one(&list["groups"], "the run's", is_ours);
    let counted = group["cpu"]["nr_throttled"].as_u64().unwrap();
    assert!((before..=after).contains(&counted), "{before} {counted} {after}");
    let path = group["path"].as_str().unwrap();
    assert!(cpu.ends_with(path), "{cpu:?} {path}");
    assert_eq!(group["cpu"]["quota_usec"], 20_000);
    assert_eq!(group["cpu"]["period_usec"], 100_000);
    assert_eq!(
        (&group["cpu"]["effective_permille"], &group["cpu"]["bound_by"]),
        (&200.into(), &path.into())
    );
    let file = cgroup::by_dialect("memory", "memory.limit_in_bytes", "memory.max");
    let limit: u64 = cgroup::read(&memory, file).parse().unwrap();
    assert_eq!((&group["memory_bytes"]["max"], limit), (&limit.into(), 64 << 20));
    assert_eq!((&group["pids"]["max"], &group["pids"]["current"]), (&9.into(), &1.into()));
    let table = vitrine(&["cgroups", "--flat"]).out;
    let line = table.lines().find(|line| line.starts_with(path)).unwrap();
    assert!(
        line.contains("20000/100000") && line.contains("/64.0M") && line.contains("1/9"),
        "{line}"
    );
}

#[test]
fn namespaces_of_a_run() {
    let (running, pid, mark) = sleeping(&[]);
    let list = json(&["namespaces", "--json"]);
    let inodes = inodes(pid);
    for (name, inode) in proc::NAMESPACES.iter().zip(inodes) {
        let is_meant = |n: &Value| n["id"] == inode && n["type"] == *name;
        let found = one(&list["namespaces"], name, is_meant);
        assert_eq!(found["container"]["launcher"], running.pid(), "{name}");
        assert_eq!(found["initial"], false);
        if *name == "user" {
            // The one that made its maps has ended and is in it until the run ends.
            assert_eq!(found["owner"], proc_inode("self", "user"));
            continue;
        }
        assert_eq!((&found["processes"], &found["pid"]), (&1.into(), &pid.into()), "{name}");
        assert_eq!(found["argv"], Value::from(vec!["sleep", mark.as_str()]));
        // Everything is made before the user namespace is entered: the host's owns it.
        assert_eq!(found["owner"], proc_inode("self", "user"), "{name}");
        assert_eq!(found["owner_uid"], 0);
    }
    for name in proc::NAMESPACES {
        let is_meant = |n: &Value| n["id"] == proc_inode("self", name) && n["type"] == name;
        assert_eq!(one(&list["namespaces"], name, is_meant)["initial"], true, "{name}");
    }
    let table = vitrine(&["namespaces", "--type", "net", "-t", "mount", "--no-headers"]).out;
    assert!(table.lines().all(|line| line.contains(" net ") || line.contains(" mnt ")), "{table}");
    assert!(table.contains(&format!("sleep {mark}")), "{table}");
}

fn proc_inode(pid: &str, name: &str) -> u64 {
    let link = std::fs::read_link(format!("/proc/{pid}/ns/{name}")).unwrap();
    let link = link.to_string_lossy().into_owned();
    link.split(['[', ']']).nth(1).unwrap().parse().unwrap()
}
