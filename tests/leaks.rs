//! What is left when everything has ended: nothing. A program of its own, one test after another.
//!
//! Counted for the processes that the tests started: children, descriptors, memory, cgroup
//! directories, mounts; and every namespace that was seen must be held by nobody in the end.

#![allow(clippy::unwrap_used, reason = "tests")]

#[allow(dead_code, reason = "each of the test programs uses its part")]
mod harness;

use std::collections::BTreeSet;
use std::fs;
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use vitrine_shared::id::MachineId;
use vitrine_shared::limits::MACHINES_PER_PARTICIPANT;
use vitrine_shared::message::{Answer, Command, ContainerState, Event, Machine, Made};
use vitrine_shared::namespace::NamespaceSet;
use vitrine_shared::spec::{ContainerSpec, Limits};
use vitrine_shared::truth::{OWN_FILES, Probe, ProcView};

use harness::client::{Client, PATIENCE};
use harness::command::{output, run, start};
use harness::held::{Held, holds_again, namespaces_of, nobody_holds, rss_kib, with_uids_of};
use harness::lab::{self, Lab};
use harness::server::Server;
use harness::term::Term;
use harness::{cgroup, image, mark, proc, wait_for};

/// Counts are of one test at a time.
fn alone() -> MutexGuard<'static, ()> {
    static ALONE: Mutex<()> = Mutex::new(());
    ALONE.lock().unwrap_or_else(PoisonError::into_inner)
}

/// A server that has had a machine already: what it keeps for ever, it has.
fn warm_server() -> (Server, Client) {
    let server = Server::start();
    let mut page = server.client();
    let started = page.start(None, ContainerSpec::one_click());
    page.watch(started.machine, 4);
    page.sample("a sample", |_| Some(()));
    page.done(Command::Subscribe { machine: None, hertz: 1 });
    end(&mut page, started.machine);
    (server, page)
}

#[track_caller]
fn end(page: &mut Client, machine: MachineId) {
    page.done(Command::EndMachine { machine });
    page.event("the machine is gone", |event| match event {
        Event::MachineGone { machine: gone } if gone == machine => Some(()),
        _ => None,
    });
}

#[track_caller]
fn record(page: &mut Client, id: MachineId) -> Machine {
    page.event("the machine with its container", |event| match event {
        Event::Machine(machine) if machine.id == id && !machine.containers.is_empty() => {
            Some(machine)
        }
        _ => None,
    })
}

#[test]
fn sixty_machines() {
    let _alone = alone();
    let (server, mut page) = warm_server();
    let (before, memory) = (Held::at_rest(&server), rss_kib(server.pid()));
    let (mut namespaces, mut bases) = (BTreeSet::new(), BTreeSet::new());
    let batch = MACHINES_PER_PARTICIPANT.value;
    for _ in 0..60 / batch {
        let (mut machines, mut theirs) = (Vec::new(), BTreeSet::new());
        for i in 0..batch {
            let mut spec = ContainerSpec::one_click();
            spec.init = i == 1;
            if i == 2 {
                // Its mounts are in the machine and have to be undone by hand.
                spec = ContainerSpec {
                    namespaces: NamespaceSet::NONE,
                    remount_proc: false,
                    hostname: None,
                    ..spec
                };
            }
            let started = page.start(None, spec);
            let machine = record(&mut page, started.machine);
            theirs.extend(namespaces_of(&machine));
            bases.insert(machine.uid_base);
            machines.push((machine, started));
        }
        let (machine, started) = &machines[0];
        let argv = vec!["sleep".into(), "1000".into()];
        page.done(Command::Exec { machine: machine.id, container: started.container, argv });
        drop(Term::open(&server, started.terminal.unwrap()));
        page.watch(machine.id, 20);
        let ticks = proc::now_ticks();
        for (machine, _) in machines {
            end(&mut page, machine.id);
        }
        nobody_holds(&theirs, ticks);
        namespaces.append(&mut theirs);
        // Below the rate at which commands are taken.
        page.listen(Duration::from_millis(300));
    }
    page.done(Command::Subscribe { machine: None, hertz: 1 });
    // The kernel gives the numbers again; four machines at a time had all of theirs.
    assert!(namespaces.len() >= 4 * 8, "only {} namespaces were seen", namespaces.len());
    assert!(bases.len() >= 60, "ranges rest before they are used again: {}", bases.len());
    holds_again(&server, &before);
    for base in bases {
        assert_eq!(with_uids_of(base), [0; 0], "of the range {base}");
    }
    let grown = rss_kib(server.pid()).saturating_sub(memory);
    assert!(grown < 2_048, "the launcher grew by {grown} KiB");
}

/// What lies on the files of a container's `/proc`, laid and taken away forty times while it lives.
#[test]
fn the_switch_of_proc_to_and_fro() {
    let _alone = alone();
    let (server, mut page) = warm_server();
    let spec = ContainerSpec {
        tty: false,
        argv: vec!["sleep".into(), "1000".into()],
        ..ContainerSpec::one_click()
    };
    let started = page.start(None, spec);
    let (machine, container) = (started.machine, started.container);
    let pid = match record(&mut page, machine).containers[0].state {
        ContainerState::Running { pid } => pid,
        ended @ ContainerState::Exited { .. } => panic!("{ended:?}"),
    };
    let mounts = || proc::read(pid, "mountinfo").lines().count();
    let (before, mounted) = (Held::at_rest(&server), mounts());
    for round in 0..40 {
        let view = if round % 2 == 0 { ProcView::Own } else { ProcView::Host };
        page.done(Command::SetProcView { machine, container, view });
        let laid = if view == ProcView::Own { OWN_FILES.len() } else { 0 };
        assert_eq!(mounts(), mounted + laid, "round {round}");
        let made =
            page.done(Command::Probe { machine, container: Some(container), probe: Probe::Uptime });
        let Some(Made::Output(output)) = made else { panic!("{made:?}") };
        assert_eq!((output.view, output.status), (view, 0), "{output:?}");
        // Below the rate at which commands are taken.
        page.listen(Duration::from_millis(100));
    }
    holds_again(&server, &before);
    assert_eq!(mounts(), mounted);
    end(&mut page, machine);
}

/// Machines whose owners make groups, mounts and namespaces of their own, and leave them.
#[test]
fn twenty_machines_of_profile_lab() {
    let _alone = alone();
    let server = lab::server();
    {
        let mut first = Lab::start(&server);
        first.page.watch(first.shell.machine, 4);
        first.page.sample("a sample", |_| Some(()));
        first.page.done(Command::Subscribe { machine: None, hertz: 1 });
        end(&mut first.page, first.shell.machine);
    }
    let page = server.client();
    let (before, memory) = (Held::at_rest(&server), rss_kib(server.pid()));
    let host: BTreeSet<String> = proc::namespaces(std::process::id()).into();
    let (mut bases, mut seen) = (BTreeSet::new(), 0);
    for _ in 0..20 / 2 {
        let (mut theirs, ticks) = (BTreeSet::new(), proc::now_ticks());
        for _ in 0..2 {
            let mut lab = Lab::start(&server);
            for line in [
                "for h in cpu cpuset memory pids freezer; do mkdir -p /sys/fs/cgroup/$h/a/b /sys/fs/cgroup/$h/d; done",
                "sleep 1000 & echo $! > /sys/fs/cgroup/freezer/a/b/tasks; echo FROZEN > /sys/fs/cgroup/freezer/a/freezer.state",
                "unshare -Umpfr --mount-proc sh -c 'mount -t tmpfs none /tmp; sleep 1000' &",
                "unshare -muiCT setsid sleep 1000 &",
                "mount -t tmpfs none /mnt; mount --rbind / /mnt; mount --make-rshared /",
            ] {
                lab.ok(line);
            }
            lab.page.start(Some(lab.shell.machine), ContainerSpec::one_click());
            lab.page.start(Some(lab.shell.machine), ContainerSpec::machine_shell());
            wait_for("everybody", PATIENCE, || {
                (with_uids_of(lab.machine.uid_base).len() >= 9).then_some(())
            });
            let of_all = with_uids_of(lab.machine.uid_base).into_iter().flat_map(proc::namespaces);
            theirs.extend(of_all.filter(|namespace| !host.contains(namespace)));
            bases.insert(lab.machine.uid_base);
            end(&mut lab.page, lab.shell.machine);
        }
        seen += theirs.len();
        nobody_holds(&theirs, ticks);
    }
    assert!(seen >= 20 * 20, "only {seen} namespaces were seen");
    holds_again(&server, &before);
    drop(page);
    for base in bases {
        assert_eq!(with_uids_of(base), [0; 0], "of the range {base}");
    }
    let grown = rss_kib(server.pid()).saturating_sub(memory);
    assert!(grown < 2_048, "the launcher grew by {grown} KiB");
}

#[test]
fn the_page_is_closed_while_the_machine_starts() {
    let _alone = alone();
    let (server, mut watcher) = warm_server();
    let before = Held::at_rest(&server);
    for delay_msec in [0, 1, 5, 20] {
        for _ in 0..2 {
            let mut page = server.client();
            page.send(Command::StartContainer { machine: None, spec: ContainerSpec::one_click() });
            std::thread::sleep(Duration::from_millis(delay_msec));
            drop(page);
        }
        // Either it never began, or it is whole and its owner finds it again.
        watcher.listen(Duration::from_millis(700));
        for machine in living(&server) {
            end(&mut watcher, machine);
        }
    }
    holds_again(&server, &before);
}

/// The machines that a page which comes now is told of.
fn living(server: &Server) -> Vec<MachineId> {
    let mut machines = Vec::new();
    server.client().event("the snapshot", |event| match event {
        Event::Machine(machine) => {
            machines.push(machine.id);
            None
        }
        Event::Synced => Some(()),
        _ => None,
    });
    machines
}

#[test]
fn services_that_are_killed_leave_nothing() {
    let _alone = alone();
    let (server, mut page) = warm_server();
    let machine = page.start(None, ContainerSpec::one_click()).machine;
    let mut page = again(&server, page);
    let before = Held::at_rest(&server);
    for name in ["vitrine-web", "vitrine-observer", "vitrine-web", "vitrine-observer"] {
        let victim = server.service(name);
        Server::kill(victim);
        wait_for(name, PATIENCE, || (server.service(name) != victim).then_some(()));
        if name == "vitrine-web" {
            page = again(&server, page);
        }
    }
    holds_again(&server, &before);
    end(&mut page, machine);
}

/// A page in the place of another, whose connection may be gone.
fn again(server: &Server, page: Client) -> Client {
    drop(page);
    server.client()
}

#[test]
fn a_killed_launcher_leaves_nothing_after_the_next_start() {
    let _alone = alone();
    let mut groups = Vec::new();
    for _ in 0..3 {
        let mut namespaces = BTreeSet::new();
        let mut server = Server::start();
        let mut page = server.client();
        for _ in 0..2 {
            let id = page.start(None, ContainerSpec::one_click()).machine;
            namespaces.extend(namespaces_of(&record(&mut page, id)));
        }
        groups.extend(cgroup::of_instance(server.pid()));
        let ticks = proc::now_ticks();
        Server::kill(server.pid());
        server.wait();
        nobody_holds(&namespaces, ticks);
    }
    drop(Server::start());
    let each = cgroup::hierarchies().len();
    assert!(groups.len() == 3 * each && groups.iter().all(|dir| !dir.exists()), "{groups:?}");
}

#[test]
fn a_hundred_runs() {
    let _alone = alone();
    let mark = mark();
    let script = format!("sleep {mark} & readlink /proc/self/ns/net");
    let flags: [&[&str]; 5] = [&["--all"], &["--init"], &["--uts"], &["-t"], &["--pid", "--net"]];
    let host = proc::namespaces(std::process::id());
    let mut namespaces = BTreeSet::new();
    let mut left = Vec::new();
    for i in 0..100 {
        let running = start(&[flags[i % 5], &["--", "sh", "-c", &script]].concat(), None);
        let pid = running.pid();
        let outcome = running.end();
        assert_eq!(outcome.status, 0, "{outcome:?}");
        let own = BTreeSet::from([outcome.out.trim().to_string()]);
        if !host.contains(own.first().unwrap()) {
            nobody_holds(&own, proc::now_ticks());
            namespaces.extend(own);
        }
        left.extend(cgroup::of_instance(pid));
        let stage = format!("/run/vitrine/stage-{pid}-");
        assert!(!proc::read(1, "mountinfo").contains(&stage), "{stage} is mounted");
        left.extend(
            fs::read_dir("/run/vitrine")
                .unwrap()
                .flatten()
                .map(|e| e.path())
                .filter(|path| path.to_string_lossy().starts_with(&stage)),
        );
    }
    assert_eq!(left, [""; 0].map(std::path::PathBuf::from));
    assert!(!namespaces.is_empty());
    let sleepers: Vec<u32> =
        proc::with_word(&mark).into_iter().filter(|&pid| !proc::is_dead(pid)).collect();
    assert_eq!(sleepers, [0; 0], "what the programs left behind lives on");
}

#[test]
fn failed_runs_leave_nothing() {
    let _alone = alone();
    let dir = tempfile::tempdir_in(env!("CARGO_TARGET_TMPDIR")).unwrap();
    let root = dir.path().join("root");
    image::copy(&root);
    fs::remove_dir_all(root.join("dev")).unwrap();
    std::os::unix::fs::symlink("/tmp", root.join("dev")).unwrap();
    let broken = root.to_str().unwrap();
    let failures: [&[&str]; 8] = [
        &["--", "/nope"],
        &["--init", "--", "/nope"],
        &["--pid", "--", "/nope"],
        &["--no-namespaces", "--", "/etc/passwd"],
        &["--rootfs", broken, "--", "true"],
        &["--uts", "--rootfs", broken, "--", "true"],
        &["--memory", "1m", "--", "true"],
        &["--cpuset-cpus", "4000", "--", "true"],
    ];
    for words in failures {
        let running = start(words, None);
        let pid = running.pid();
        let outcome = running.end();
        // 1 MiB is enough on some kernels.
        let fails = (125..=127).contains(&outcome.status) || words[0] == "--memory";
        assert!(fails, "{words:?} {outcome:?}");
        assert_eq!(cgroup::of_instance(pid), [""; 0].map(std::path::PathBuf::from), "{words:?}");
        let stage = format!("stage-{pid}-");
        assert!(!proc::read(1, "mountinfo").contains(&stage), "{words:?} left {stage} mounted");
        let left = fs::read_dir("/run/vitrine").unwrap().flatten();
        assert!(
            !left.into_iter().any(|entry| entry.file_name().to_string_lossy().starts_with(&stage)),
            "{words:?} left {stage}"
        );
    }
    output(&["--", "true"]);
    assert_eq!(run(&["--rootfs", "/no/such", "true"]).status, 125);
}

#[test]
fn failed_births_leave_nothing() {
    let _alone = alone();
    let (server, mut page) = warm_server();
    let machine = page.start(None, ContainerSpec::one_click()).machine;
    let before = Held::at_rest(&server);
    let good = ContainerSpec { tty: false, ..ContainerSpec::one_click() };
    let nope = ContainerSpec { argv: vec!["/nope".into()], ..good.clone() };
    let shared = ContainerSpec {
        namespaces: NamespaceSet::NONE,
        remount_proc: false,
        hostname: None,
        ..nope.clone()
    };
    let limits = Limits { memory_bytes: Some(1 << 20), ..Limits::default() };
    let small = ContainerSpec { limits, ..good.clone() };
    let limits = Limits { cpuset_cpus: Some("4000".into()), ..Limits::default() };
    let nowhere = ContainerSpec { limits, ..good.clone() };
    let limits = Limits { cpu_quota_usec: Some(900_000), ..Limits::default() };
    let above = ContainerSpec { limits, ..good };
    let mut failing = vec![nope, shared, small, nowhere];
    if cgroup::dialect("cpu") == cgroup::Dialect::V1 {
        // v2 takes a child's quota above its parent's, and keeps to the parent's.
        failing.push(above);
    }
    for spec in failing {
        for machine in [None, Some(machine)] {
            let command = Command::StartContainer { machine, spec: spec.clone() };
            match page.ask(command) {
                Answer::Failed { .. } | Answer::Refused { .. } => {}
                // 1 MiB may be enough for a moment; then the kernel ends it.
                Answer::Done { .. } => {
                    assert!(spec.limits.memory_bytes.is_some(), "{spec:?} was born");
                }
            }
        }
    }
    for other in living(&server).into_iter().filter(|&id| id != machine) {
        end(&mut page, other);
    }
    holds_again(&server, &before);
}

#[test]
fn runs_that_come_and_go_together_do_not_disturb_each_other() {
    let _alone = alone();
    let flags: [&[&str]; 4] =
        [&["--all"], &["--pid"], &["--cpuset-cpus", "0"], &["-m", "64m", "--cpus", "1"]];
    std::thread::scope(|scope| {
        for flags in flags {
            scope.spawn(move || {
                for _ in 0..20 {
                    output(&[flags, &["--", "true"]].concat());
                }
            });
        }
    });
}
