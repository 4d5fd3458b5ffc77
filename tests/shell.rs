//! A shell in the machine itself, beside its PID 1: the host of the lessons.

use std::time::{Duration, Instant};

use vitrine_shared::cgroup::GroupId;
use vitrine_shared::limits::{CONTAINERS_PER_MACHINE, SHELLS_PER_MACHINE};
use vitrine_shared::message::{Answer, Command, ContainerState, Event, Machine, Profile, Refusal};
use vitrine_shared::spec::{ContainerSpec, Limits, SpecError};

use crate::harness::client::{Client, PATIENCE, Started};
use crate::harness::server::Server;
use crate::harness::term::Term;
use crate::harness::{mark, proc, wait_for};

#[track_caller]
fn machine(page: &mut Client, wanted: impl Fn(&Machine) -> bool) -> Machine {
    page.event("the machine", |event| match event {
        Event::Machine(machine) if wanted(&machine) => Some(machine),
        _ => None,
    })
}

fn with_shell(server: &Server) -> (Client, Started, Term) {
    let mut page = server.client();
    let shell = page.start(None, ContainerSpec::machine_shell());
    let term = Term::shell(server, shell.terminal.unwrap());
    (page, shell, term)
}

fn living(word: &str) -> Vec<u32> {
    proc::with_word(word).into_iter().filter(|&pid| !proc::is_dead(pid)).collect()
}

#[test]
fn a_shell_in_a_strict_machine() {
    let server = Server::start();
    let (mut page, shell, mut term) = with_shell(&server);
    let record = machine(&mut page, |m| !m.containers.is_empty());
    assert_eq!((record.profile, record.containers[0].name.as_str()), (Profile::Strict, "shell"));
    // All eight namespaces are those of the machine's PID 1.
    let ContainerState::Running { pid } = record.containers[0].state else { panic!("{record:?}") };
    assert_eq!(proc::namespaces(pid), proc::namespaces(record.init_pid));
    // PID 1 in view is the machine's init, and the terminal is of the machine's own devpts.
    let ps = term.command("ps -eo pid,comm");
    assert!(ps.contains("    1 init"), "{ps:?}");
    assert!(term.command("tty").contains("/dev/pts/0"));
    assert!(term.command("pwd").contains("/root\r\n"));
    // It stands in the machine's group `shell`, and nothing tells what is above.
    let group = term.command("grep pids /proc/self/cgroup");
    assert!(group.contains(":/shell\r\n"), "{group:?}");
    for set in ["CapPrm", "CapEff", "CapBnd"] {
        let line = term.command(&format!("grep {set} /proc/self/status"));
        assert!(line.contains("0000000000000000"), "{line:?}");
    }
    for refused in ["mount -t tmpfs none /mnt", "unshare -m true", "umount /proc/sys"] {
        let said = term.command(&format!("{refused} || echo not''done"));
        assert!(said.contains("notdone"), "{said:?}");
    }
    // Its processes are the machine's own; a container's are not.
    page.watch(shell.machine, 4);
    let named =
        page.sample("the shell", |s| s.processes.iter().find(|p| p.host_pid() == pid).cloned());
    assert_eq!(named.container, None);
    let groups =
        page.sample("groups", |s| Some(s.groups.iter().map(|g| g.group).collect::<Vec<_>>()));
    assert_eq!(groups, [GroupId::Cap, GroupId::Root, GroupId::Shell]);
    // What it says at the end is its status.
    term.type_in("exit 7\r");
    let record = machine(&mut page, |m| {
        m.containers.iter().any(|c| !matches!(c.state, ContainerState::Running { .. }))
    });
    let state = record.containers[0].state;
    assert!(matches!(state, ContainerState::Exited { status: 7, .. }), "{state:?}");
    assert!(!proc::is_dead(record.init_pid), "the machine lives on");
}

#[test]
fn ending_one_shell_ends_its_session_and_nothing_else() {
    let server = Server::start();
    let (mut page, first, mut term) = with_shell(&server);
    let second = page.start(Some(first.machine), ContainerSpec::machine_shell());
    let mut other = Term::shell(&server, second.terminal.unwrap());
    let (mine, theirs) = (mark(), mark());
    term.command(&format!("sleep {mine} & (trap '' HUP TERM; sleep {mine}; :) &"));
    other.command(&format!("sleep {theirs} &"));
    wait_for("the sleepers", PATIENCE, || {
        (living(&mine).len() >= 2 && living(&theirs).len() == 1).then_some(())
    });
    let record = machine(&mut page, |m| m.containers.len() == 2);
    assert_eq!(record.containers[1].name, "shell2");
    let begun = Instant::now();
    page.done(Command::StopContainer { machine: first.machine, container: first.container });
    assert!(begun.elapsed() < Duration::from_secs(2), "{:?}", begun.elapsed());
    assert_eq!(living(&mine), [0; 0]);
    assert_eq!(living(&theirs).len(), 1);
    assert!(!proc::is_dead(record.init_pid));
    assert!(other.command("echo still''here").contains("stillhere"));
    // The name is free again.
    page.forget();
    page.start(Some(first.machine), ContainerSpec::machine_shell());
    let record = machine(&mut page, |m| m.containers.len() == 3);
    assert_eq!(record.containers[2].name, "shell");
    page.done(Command::EndMachine { machine: first.machine });
    wait_for("the machine's end", PATIENCE, || living(&theirs).is_empty().then_some(()));
}

#[test]
fn shells_have_a_limit_of_their_own() {
    let server = Server::start();
    let mut page = server.client();
    let quiet = ContainerSpec {
        argv: vec!["sleep".into(), "1000".into()],
        tty: false,
        ..ContainerSpec::machine_shell()
    };
    let machine = page.start(None, quiet.clone()).machine;
    for _ in 1..SHELLS_PER_MACHINE.value {
        page.start(Some(machine), quiet.clone());
    }
    let command = |spec| Command::StartContainer { machine: Some(machine), spec };
    let refused = page.refused(command(quiet));
    assert_eq!(refused, Refusal::Limit(SHELLS_PER_MACHINE.into()));
    let contained = ContainerSpec {
        argv: vec!["sleep".into(), "1000".into()],
        tty: false,
        ..ContainerSpec::one_click()
    };
    for _ in 0..CONTAINERS_PER_MACHINE.value {
        page.start(Some(machine), contained.clone());
    }
    assert_eq!(page.refused(command(contained)), Refusal::Limit(CONTAINERS_PER_MACHINE.into()));
}

#[test]
fn what_cannot_be_is_refused() {
    let server = Server::start();
    let mut page = server.client();
    let limits = Limits { pids_max: Some(5), ..Limits::default() };
    let spec = ContainerSpec { limits, ..ContainerSpec::machine_shell() };
    let refused = page.refused(Command::StartContainer { machine: None, spec });
    assert_eq!(refused, Refusal::Spec(SpecError::MachineTakesNone));
    // This server is one for strangers.
    let lab = Command::StartMachine { profile: Profile::Lab };
    assert_eq!(page.refused(lab), Refusal::ProfileOff { profile: Profile::Lab });
    let nope = ContainerSpec { argv: vec!["/nope".into()], ..ContainerSpec::machine_shell() };
    let answer = page.ask(Command::StartContainer { machine: None, spec: nope });
    assert!(matches!(&answer, Answer::Failed { errno, .. } if errno == "ENOENT"), "{answer:?}");
}

/// Each frame may come back as an acknowledgement, and what is typed next waits behind them all.
#[test]
fn a_program_that_writes_little_by_little_does_not_make_thousands_of_frames() {
    let server = Server::start();
    let (_page, _shell, mut term) = with_shell(&server);
    let before = term.n_frames;
    term.acknowledges = false;
    let begun = Instant::now();
    term.type_in(
        "i=0; while [ $i -lt 1000 ]; do echo $i; usleep 500; i=$((i+1)); done; echo d''one\r",
    );
    // Slowly, but all of it: a page that does not acknowledge is not cut off.
    term.read_until("\n999\r\ndone\r\n");
    let n_frames = term.n_frames - before;
    // 32 unacknowledged ones, and then one in 20 ms.
    let most = 32 + u32::try_from(begun.elapsed().as_millis() / 20).unwrap() + 20;
    assert!(n_frames <= most, "{n_frames} frames in {:?}", begun.elapsed());
    term.acknowledges = true;
    // What is typed before the prompt is echoed twice, with the prompt in between.
    term.read_until("# ");
    assert!(term.command("echo ba''ck").contains("back"));
}
