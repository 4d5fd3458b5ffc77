//! `vitrine doctor` on this host: what it says, what it removes, and that it never hangs.

use std::collections::BTreeSet;
use std::os::unix::fs::PermissionsExt as _;
use std::os::unix::process::CommandExt as _;
use std::path::Path;
use std::process::Command;
use std::time::{Duration, Instant};

use serde_json::Value;
use vitrine_shared::spec::ContainerSpec;

use crate::harness::command::{Outcome, spawn, start};
use crate::harness::server::Server;
use crate::harness::{binary, cgroup, data, mark, proc, wait_for};

/// How often something is made that anybody else may remove before we come to it.
const TRIES: usize = 10;

fn doctor(words: &[&str]) -> Command {
    let mut command = Command::new(binary());
    command.arg("doctor").args(words).env("VITRINE_DATA", data());
    command
}

fn outcome(command: &mut Command) -> Outcome {
    spawn(command, None).end()
}

#[track_caller]
fn json(command: &mut Command) -> Value {
    let outcome = outcome(command.arg("--json"));
    serde_json::from_str(&outcome.out).unwrap_or_else(|err| panic!("{err}: {outcome:?}"))
}

#[track_caller]
fn finding<'a>(report: &'a Value, id: &str) -> &'a Value {
    let all = report["findings"].as_array().unwrap();
    all.iter().find(|one| one["id"] == id).unwrap_or_else(|| panic!("no {id} in {report}"))
}

#[test]
fn on_a_host_where_everything_works_there_is_no_error() {
    let outcome = outcome(&mut doctor(&[]));
    assert_eq!(outcome.status, 0, "{outcome:?}");
    assert!(outcome.out.ends_with("0 errors: Vitrine runs here\n"), "{}", outcome.out);
    assert!(!outcome.out.contains('\x1b'), "colours without a terminal");
    let report = json(&mut doctor(&["--seats", "2"]));
    assert_eq!((&report["version"], &report["seats"]), (&1.into(), &2.into()));
    for id in
        ["kernel-version", "seccomp", "overlay", "id-mapped-mounts", "tmpfs-limits", "busybox"]
    {
        assert_eq!(finding(&report, id)["severity"], "ok", "{}", finding(&report, id));
    }
    for name in ["user", "pid", "mount", "uts", "ipc", "net", "cgroup", "time"] {
        assert_eq!(finding(&report, &format!("namespace-{name}"))["severity"], "ok");
    }
    assert!(finding(&report, "cgroup-delegation")["found"].as_str().unwrap().contains("was made"));
}

#[test]
fn the_json_has_every_documented_id() {
    let report = json(&mut doctor(&[]));
    let text = include_str!("../docs/doctor-json.md");
    let section = |name: &str| -> BTreeSet<String> {
        let text = text.split_once(name).unwrap().1.split("\n## ").next().unwrap();
        let first = |line: &str| Some(line.strip_prefix("| `")?.split('`').next()?.to_string());
        text.lines().filter_map(first).collect()
    };
    let findings = report["findings"].as_array().unwrap();
    for one in findings {
        let is_ok = one["severity"] == "ok";
        assert_eq!(is_ok, one["why"] == "", "{one}");
        assert!(!is_ok || one["mend"] == "", "{one}");
    }
    let ids: BTreeSet<String> =
        findings.iter().map(|one| one["id"].as_str().unwrap().to_string()).collect();
    assert_eq!(ids, section("## Ids"));
    for severity in ["ok", "note", "warning", "error"] {
        let count = findings.iter().filter(|one| one["severity"] == severity).count();
        assert_eq!(report["summary"][severity], count, "{severity}");
    }
}

/// Makes something that a killed process leaves, until it is doctor that finds it: any other
/// start of the program on this host removes it too.
#[track_caller]
fn cleans(what: &str, mut leave: impl FnMut() -> u32) {
    for _ in 0..TRIES {
        let pid = leave();
        let ours = format!("{pid}-");
        let is_ours = |one: &Value| {
            let path = one["path"].as_str().unwrap();
            let name = Path::new(path).file_name().unwrap().to_str().unwrap();
            one["what"] == what && name.trim_start_matches("stage-").starts_with(&ours)
        };
        let report = json(&mut doctor(&["--clean"]));
        assert_eq!(cgroup::of_instance(pid), Vec::<std::path::PathBuf>::new());
        let id = format!("leftover-{what}s");
        for report in [&report, &json(&mut doctor(&[]))] {
            let found = finding(report, &id)["found"].as_str().unwrap();
            assert!(!found.contains(&ours), "{found}");
        }
        if report["cleaned"].as_array().unwrap().iter().any(is_ours) {
            return;
        }
    }
    panic!("in {TRIES} tries doctor never was the one to remove a {what}");
}

fn killed_run() -> u32 {
    let mark = mark();
    // Without a mount namespace its root is mounted on the host itself.
    let running = start(&["--uts", "--", "sleep", &mark], None);
    let pid = running.pid();
    let sleep = proc::wait_for_sleep(&mark);
    // By SIGKILL, so that it cannot clean up after itself.
    drop(running);
    wait_for("it dies too", Duration::from_secs(5), || proc::is_dead(sleep).then_some(()));
    pid
}

#[test]
fn clean_removes_what_a_killed_run_left() {
    cleans("cgroup", killed_run);
    cleans("stage", killed_run);
}

#[test]
fn clean_removes_what_a_killed_server_left() {
    cleans("cgroup", || {
        let mut server = Server::start();
        server.client().start(None, ContainerSpec::one_click());
        let pid = server.pid();
        Server::kill(pid);
        server.wait();
        pid
    });
}

#[test]
fn clean_says_what_it_removed_and_counts() {
    for _ in 0..TRIES {
        let pid = killed_run();
        let outcome = outcome(&mut doctor(&["--clean"]));
        let lines: Vec<_> =
            outcome.out.lines().filter(|line| line.starts_with("removed ")).collect();
        if lines.iter().any(|line| line.contains(&format!("/{pid}-"))) {
            assert!(outcome.out.contains(&format!("{} removed\n", lines.len())), "{}", outcome.out);
            return;
        }
    }
    panic!("in {TRIES} tries there was nothing to remove");
}

#[test]
fn a_living_server_is_left_alone() {
    let server = Server::start();
    let mut page = server.client();
    page.start(None, ContainerSpec::one_click());
    let before = cgroup::of_instance(server.pid());
    assert!(!before.is_empty());
    assert_eq!(outcome(&mut doctor(&["--clean"])).status, 0);
    assert_eq!(cgroup::of_instance(server.pid()), before);
    page.start(None, ContainerSpec::one_click());
}

#[test]
fn room_is_counted_with_the_limits_in_force() {
    let dir = tempfile::tempdir().unwrap();
    let file = dir.path().join("vitrine.toml");
    std::fs::write(&file, "machine-memory = \"1024g\"\nmachines = 3\n").unwrap();
    let words = ["--seats", "4", "--config", file.to_str().unwrap()];
    let report = json(&mut doctor(&words));
    let memory = finding(&report, "memory");
    assert!(memory["found"].as_str().unwrap().contains("one server has 3 machines"), "{memory}");
    let report = json(doctor(&["--seats", "2"]).env("VITRINE_MACHINE_MEMORY", "1024g"));
    let memory = finding(&report, "memory");
    assert!(memory["found"].as_str().unwrap().contains("room for 0 full"), "{memory}");
}

#[test]
fn it_leaves_nothing_behind() {
    let mark = format!("doctor-{}", mark());
    let mounts = || {
        let text = std::fs::read_to_string("/proc/self/mountinfo").unwrap();
        text.lines().filter(|line| !line.contains("/run/vitrine/stage-")).count()
    };
    let before = mounts();
    let running = spawn(doctor(&[]).env("DOCTOR_MARK", &mark), None);
    let pid = running.pid();
    assert_eq!(running.end().status, 0);
    assert_eq!(cgroup::of_instance(pid), Vec::<std::path::PathBuf>::new());
    assert_eq!(mounts(), before);
    let is_marked = |pid: &u32| proc::read(*pid, "environ").contains(&mark);
    let left: Vec<_> = proc::pids().into_iter().filter(is_marked).collect();
    assert_eq!(left, Vec::<u32>::new());
}

#[test]
fn a_qemu_that_hangs_is_not_waited_for() {
    let dir = tempfile::tempdir().unwrap();
    let mark = mark();
    let program = dir.path().join("qemu-system-x86_64");
    std::fs::write(&program, format!("#!/bin/sh\nsleep {mark} &\nsleep {mark}\n")).unwrap();
    std::fs::set_permissions(&program, std::fs::Permissions::from_mode(0o755)).unwrap();
    let path = format!("{}:{}", dir.path().display(), std::env::var("PATH").unwrap());
    let began = Instant::now();
    let report = json(doctor(&[]).env("PATH", path));
    assert!(began.elapsed() < Duration::from_secs(20), "{:?}", began.elapsed());
    let qemu = finding(&report, "qemu");
    assert!(qemu["found"].as_str().unwrap().contains("hangs"), "{qemu}");
    wait_for("what it started is gone", Duration::from_secs(5), || {
        proc::with_word(&mark).is_empty().then_some(())
    });
}

/// The program where anybody may run it, whatever the mode of the directories above it.
fn for_anybody(dir: &Path) -> std::path::PathBuf {
    std::fs::set_permissions(dir, std::fs::Permissions::from_mode(0o755)).unwrap();
    let copy = dir.join("vitrine");
    std::fs::copy(binary(), &copy).unwrap();
    copy
}

#[test]
fn an_ordinary_user_hears_what_that_user_gets() {
    let dir = tempfile::tempdir().unwrap();
    let program = for_anybody(dir.path());
    let as_nobody = |words: &[&str]| {
        let mut command = Command::new(&program);
        command.arg("doctor").args(words).uid(65_534).gid(65_534).env("HOME", "/nonexistent");
        command
    };
    let report = json(&mut as_nobody(&[]));
    assert_eq!(report["uid"], 65_534);
    for name in ["user", "pid", "mount", "uts", "ipc", "net", "cgroup", "time"] {
        // This host allows user namespaces; made in one, as that user.
        assert_eq!(finding(&report, &format!("namespace-{name}"))["severity"], "ok", "{name}");
    }
    assert_eq!(finding(&report, "overlay")["severity"], "ok", "{report}");
    let groups = finding(&report, "cgroup-delegation");
    assert_ne!(groups["severity"], "ok", "nothing was delegated: {groups}");
    assert_eq!(finding(&report, "id-mapped-mounts")["found"], "only root makes them");
    let text = outcome(&mut as_nobody(&[]));
    assert!(text.out.contains("(not root): what this user gets"), "{}", text.out);
    let refused = outcome(&mut as_nobody(&["--clean"]));
    assert!(refused.status == 1 && refused.err.contains("sudo"), "{refused:?}");
}

#[test]
fn typed_wrong_it_says_what_is_allowed() {
    for (words, said) in [
        (&["--seats", "0"][..], "1..=100000"),
        (&["--seats", "many"], "--seats"),
        (&["--jsno"], "--json"),
    ] {
        let outcome = outcome(&mut doctor(words));
        assert_eq!(outcome.status, 2, "{words:?}: {outcome:?}");
        assert!(outcome.err.contains(said), "{words:?}: {}", outcome.err);
    }
    let wrong = tempfile::tempdir().unwrap();
    let file = wrong.path().join("vitrine.toml");
    std::fs::write(&file, "lisen = 1\n").unwrap();
    let outcome = outcome(&mut doctor(&["--config", file.to_str().unwrap()]));
    assert_eq!(outcome.status, 1, "{outcome:?}");
    assert!(outcome.out.contains("did you mean `listen`?"), "{}", outcome.out);
    assert!(outcome.out.contains("1 error:"), "{}", outcome.out);
}
