//! Groups that the owner of a `lab` machine makes, and what the launcher makes of them: nothing is
//! taken over, nothing given that is not theirs, and nobody waits for what they have frozen.

use std::collections::BTreeSet;
use std::fs;
use std::os::unix::fs::MetadataExt as _;
use std::path::PathBuf;
use std::time::{Duration, Instant};

use vitrine_shared::message::{Answer, Command};
use vitrine_shared::spec::ContainerSpec;

use crate::harness::lab::{Lab, server};
use crate::harness::{bound, cgroup, mark, proc, wait_for};

/// How long somebody else may have to wait; a wide margin over what it takes.
const SERVED: Duration = Duration::from_secs(3);

fn quiet() -> ContainerSpec {
    ContainerSpec {
        tty: false,
        argv: vec!["sleep".into(), "1000".into()],
        ..ContainerSpec::one_click()
    }
}

/// The directories of a machine's group, one a hierarchy that the host has.
fn directories(launcher: u32, lab: &Lab, path: &str) -> Vec<PathBuf> {
    let name = lab.shell.machine.to_string()[..12].to_string();
    let all = cgroup::of_instance(launcher).into_iter();
    all.map(|dir| dir.join(&name).join(path)).filter(|dir| dir.is_dir()).collect()
}

#[test]
fn what_is_given_away_and_no_more() {
    let server = server();
    let lab = Lab::start(&server);
    for (path, controllers) in [("root", false), ("root/shell", true)] {
        let dirs = directories(server.pid(), &lab, path);
        assert!(dirs.len() >= cgroup::by_dialect("pids", 2, 1), "{dirs:?}");
        for dir in dirs {
            assert_eq!(dir.metadata().unwrap().uid(), 0, "{}", dir.display());
            assert_eq!(dir.metadata().unwrap().mode() & 0o7777, 0o1775, "{}", dir.display());
            let entries = fs::read_dir(&dir).unwrap().flatten();
            let given: BTreeSet<String> = entries
                .filter(|entry| {
                    entry.metadata().is_ok_and(|meta| meta.is_file() && meta.uid() != 0)
                })
                .map(|entry| entry.file_name().into_string().unwrap())
                .collect();
            let mut allowed: BTreeSet<String> =
                ["tasks", "cgroup.procs", "cgroup.threads"].map(String::from).into();
            // Which controllers the children have is what their limits hang on: of the machine's
            // root it is never the owner's to say.
            if controllers {
                allowed.insert("cgroup.subtree_control".into());
            }
            assert!(given.is_subset(&allowed), "{}: {given:?}", dir.display());
            assert!(given.contains("cgroup.procs"), "the control: {}: {given:?}", dir.display());
        }
    }
}

#[test]
fn a_group_that_was_there_first_is_refused_and_stays_its_makers() {
    let server = server();
    let mut lab = Lab::start(&server);
    // In one hierarchy only, so that what was made in the others must go again.
    let base = cgroup::by_dialect("pids", "/sys/fs/cgroup/pids", "/sys/fs/cgroup");
    lab.ok(&format!("cd {base}; for i in $(seq 100); do mkdir c$i; done; cd"));
    lab.ok(&format!("sleep 1000 & echo $! > {base}/c7/cgroup.procs"));
    let before = lab.ok(&format!("ls -lnd {base}/c*; cat {base}/c*/cgroup.procs"));
    let owned: Vec<PathBuf> = directories(server.pid(), &lab, "root");
    let machine = Some(lab.shell.machine);
    match lab.page.ask(Command::StartContainer { machine, spec: quiet() }) {
        Answer::Failed { errno, step, .. } => {
            assert_eq!(errno, "EEXIST", "{step:?}");
        }
        other => panic!("{other:?}"),
    }
    assert_eq!(lab.ok(&format!("ls -lnd {base}/c*; cat {base}/c*/cgroup.procs")), before);
    let of_hosts = |dir: &PathBuf| {
        let entries = fs::read_dir(dir).unwrap().flatten();
        let c = |name: &str| name.strip_prefix('c').is_some_and(|n| n.parse::<u32>().is_ok());
        entries
            .filter(|entry| c(&entry.file_name().to_string_lossy()))
            .filter(|entry| entry.metadata().is_ok_and(|meta| meta.uid() == 0))
            .map(|entry| entry.path())
            .collect::<Vec<_>>()
    };
    let left: Vec<PathBuf> = owned.iter().flat_map(of_hosts).collect();
    assert!(left.is_empty(), "{left:?}");
    // The names went on meanwhile: the next one is free, and its own.
    lab.page.start(machine, quiet());
    assert_eq!(owned.iter().flat_map(of_hosts).count(), owned.len());
}

/// The owner freezes the page's commands again and again while they are to be killed.
#[test]
fn frozen_commands_hold_nobody_up_and_leave_no_zombie() {
    let server = server();
    let mut lab = Lab::start(&server);
    let started = lab.page.start(Some(lab.shell.machine), quiet());
    let (machine, container) = (started.machine, started.container);
    let marks = [mark(), mark(), mark()];
    for mark in &marks {
        let argv = vec!["sleep".to_string(), mark.clone()];
        lab.page.done(Command::Exec { machine, container, argv });
    }
    let pids = marks.each_ref().map(|mark| proc::wait_for_sleep(mark));
    let (file, frozen, thawed) = cgroup::by_dialect(
        "freezer",
        ("freezer.state", "FROZEN", "THAWED"),
        ("cgroup.freeze", "1", "0"),
    );
    let cold = cgroup::by_dialect("freezer", "/sys/fs/cgroup/freezer/cold", "/sys/fs/cgroup/cold");
    lab.ok(&format!("mkdir {cold}"));
    for mark in &marks {
        lab.ok(&format!("pgrep -f '^sleep {mark}' > {cold}/cgroup.procs"));
    }
    lab.ok(&format!("echo {frozen} > {cold}/{file}"));
    lab.ok(&format!("while :; do echo {frozen} > {cold}/{file}; done 2>/dev/null &"));
    let mut other = server.client();
    let begun = Instant::now();
    let took = std::thread::scope(|scope| {
        let stop = scope.spawn(|| {
            lab.page.done(Command::StopExecs { machine, container });
            begun.elapsed()
        });
        std::thread::sleep(Duration::from_millis(50));
        let asked = Instant::now();
        other.start(None, quiet());
        let waited = asked.elapsed();
        assert!(waited < bound(SERVED), "somebody else waited {waited:?}");
        stop.join().unwrap()
    });
    assert!(took < bound(SERVED), "{took:?}");
    // Once they may die they are reaped, by the launcher, whose children they are.
    lab.ok(&format!("kill %1; wait %1 2>/dev/null; echo {thawed} > {cold}/{file}"));
    wait_for("they die", Duration::from_secs(10), || {
        pids.iter().all(|&pid| proc::is_dead(pid)).then_some(())
    });
    wait_for("they are reaped", Duration::from_secs(10), || {
        let children = proc::children(server.pid());
        let zombie = |&pid: &u32| proc::status(pid, "State").starts_with('Z');
        (!children.iter().any(zombie)).then_some(())
    });
    // The container itself was left alone.
    lab.page.done(Command::StopContainer { machine, container });
}
