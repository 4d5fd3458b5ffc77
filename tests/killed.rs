//! `kill -9` of each of the three processes, with people at work.

use std::collections::BTreeSet;
use std::time::{Duration, Instant};

use vitrine_shared::cgroup::{GroupId, Knob};
use vitrine_shared::message::{Command, Event};
use vitrine_shared::spec::ContainerSpec;

use crate::harness::client::{PATIENCE, Started};
use crate::harness::command::{output, start};
use crate::harness::server::Server;
use crate::harness::term::Term;
use crate::harness::{cgroup, proc, wait_for};

fn with_shell(server: &Server) -> (Started, Term) {
    let started = server.client().start(None, ContainerSpec::one_click());
    let term = Term::shell(server, started.terminal.unwrap());
    (started, term)
}

#[test]
fn web_dies_and_the_same_shell_goes_on_with_nothing_lost_or_doubled() {
    const LINES: usize = 3_000;
    let server = Server::start();
    let (started, mut term) = with_shell(&server);
    assert_eq!(term.command("mine=kept; echo $$"), "1\r\n/ # ");
    // Slow enough to be under way while web dies, twice.
    let script = format!("for i in $(seq {LINES}); do echo line $i; done; echo the end");
    term.type_in(&format!("{script}\r"));
    for stop in ["line 300\r\n", "line 1500\r\n"] {
        term.read_until(stop);
        let web = server.service("vitrine-web");
        Server::kill(web);
        let began = Instant::now();
        while !term.gone {
            term.receive();
        }
        term.reopen(&server, started.terminal.unwrap());
        assert!(began.elapsed() < Duration::from_secs(2), "back after {:?}", began.elapsed());
        assert_ne!(server.service("vitrine-web"), web);
    }
    term.read_until("the end\r\n");
    // Term asserts on each frame that its sequence number is the next one.
    let text = String::from_utf8_lossy(&term.bytes).into_owned();
    let lines = text.lines().filter_map(|line| line.strip_prefix("line ")?.trim().parse().ok());
    let lines: Vec<usize> = lines.collect();
    assert_eq!(lines, (1..=LINES).collect::<Vec<_>>());
    term.read_until("# ");
    assert!(term.command("echo $mine").starts_with("kept\r\n"), "it is another shell");
    // The session outlives it too: a new page, the same cookie, and the machine is there.
    server.client().event("the machine", |event| match event {
        Event::Machine(machine) => (machine.id == started.machine).then_some(()),
        _ => None,
    });
}

#[test]
fn the_observer_dies_and_samples_return() {
    let server = Server::start();
    let (started, _term) = with_shell(&server);
    let mut page = server.client();
    page.watch(started.machine, 4);
    for _ in 0..2 {
        page.sample("before", |_| Some(()));
        let observer = server.service("vitrine-observer");
        Server::kill(observer);
        page.listen(Duration::from_millis(300));
        page.forget();
        let began = Instant::now();
        page.sample("after", |sample| (!sample.processes.is_empty()).then_some(()));
        assert!(began.elapsed() < Duration::from_secs(4), "after {:?}", began.elapsed());
        assert_ne!(server.service("vitrine-observer"), observer);
    }
}

#[test]
fn the_launcher_dies_and_everything_with_it() {
    let mut server = Server::start();
    let (started, mut term) = with_shell(&server);
    term.command("sleep 1000 & sleep 1000 &");
    let mut page = server.client();
    let machine = page.event("the machine", |event| match event {
        Event::Machine(machine) => (machine.id == started.machine).then_some(machine),
        _ => None,
    });
    let group = cgroup::of_instance(server.pid());
    let pids_group = cgroup::of_instance_in(server.pid(), "pids");
    let mut everybody = vec![server.service("vitrine-web"), server.service("vitrine-observer")];
    let machine_dir = pids_group.join(&machine.id.to_string()[..12]).join("root");
    everybody.extend(cgroup::procs(&machine_dir.join("shell")));
    everybody.extend(cgroup::procs(&machine_dir.join("c1")));
    assert!(everybody.len() >= 6, "{everybody:?}");
    let namespaces: BTreeSet<String> =
        everybody[3..].iter().flat_map(|&pid| proc::namespaces(pid)).collect();
    let host: BTreeSet<String> = proc::namespaces(std::process::id()).into();
    let own: BTreeSet<String> = namespaces.difference(&host).cloned().collect();
    assert!(group.iter().all(|dir| dir.exists()), "there will be something to sweep: {group:?}");
    let ticks = proc::now_ticks();
    Server::kill(server.pid());
    server.wait();
    wait_for("everything dies", Duration::from_secs(2), || {
        everybody.iter().all(|&pid| proc::is_dead(pid)).then_some(())
    });
    wait_for("nobody holds its namespaces", PATIENCE, || {
        proc::holders(&own, ticks).is_empty().then_some(())
    });
    let next = Server::start();
    assert!(group.iter().all(|dir| !dir.exists()), "the next start does not sweep: {group:?}");
    drop(next);
}

#[test]
fn a_stopped_server_leaves_nothing_and_says_so_with_0() {
    let mut server = Server::start();
    let (_, mut term) = with_shell(&server);
    term.command("(while :; do :; done) &");
    let group = cgroup::of_instance(server.pid());
    assert_eq!(group.len(), cgroup::hierarchies().len(), "{group:?}");
    assert_eq!(server.stop(), Some(0), "{}", server.log());
    assert!(group.iter().all(|dir| !dir.exists()), "{group:?}");
}

#[test]
fn pid_1_of_a_machine_dies_and_the_machine_is_cleared() {
    let server = Server::start();
    let mut page = server.client();
    let started = page.start(None, ContainerSpec::one_click());
    let init = page.event("the machine", |event| match event {
        Event::Machine(machine) => (machine.id == started.machine).then_some(machine.init_pid),
        _ => None,
    });
    Server::kill(init);
    page.event("it is gone", |event| match event {
        Event::MachineGone { machine } => (machine == started.machine).then_some(()),
        _ => None,
    });
    // The server goes on.
    page.start(None, ContainerSpec::one_click());
}

#[test]
fn throttled_processes_die_at_once() {
    let server = Server::start();
    let mut page = server.client();
    let Started { machine, container, .. } = page.start(None, ContainerSpec::one_click());
    let script = "for i in $(seq 20); do (while :; do :; done) & done; wait";
    let argv = ["sh", "-c", script].map(str::to_string).to_vec();
    page.done(Command::Exec { machine, container, argv });
    let pids_group = cgroup::of_instance_in(server.pid(), "pids");
    let dir = pids_group.join(&machine.to_string()[..12]).join("root/c1");
    wait_for("the spinners", PATIENCE, || (cgroup::procs(&dir).len() >= 22).then_some(()));
    // A thousandth of a CPU: 20 deaths in it take many seconds unless it is lifted first.
    let knob = Knob::CpuMax { quota_usec: Some(1_000), period_usec: 1_000_000 };
    page.done(Command::SetKnob { machine, group: GroupId::Container(container), knob });
    let began = Instant::now();
    page.done(Command::StopContainer { machine, container });
    let took = began.elapsed();
    assert!(!dir.exists());
    assert!(took < Duration::from_secs(3), "20 throttled spinners took {took:?} to die");
}

#[test]
fn a_run_goes_on_where_a_killed_one_left_throttled_processes() {
    let script = "for i in $(seq 20); do (while :; do :; done) & done; sleep 1000";
    let running = start(&["--cpus", "1", "--uts", "--", "sh", "-c", script], None);
    let dir = cgroup::of_run(running.pid(), "cpu");
    wait_for("the spinners", PATIENCE, || (cgroup::procs(&dir).len() >= 21).then_some(()));
    cgroup::set_quota(&dir, 1_000, 1_000_000);
    // By SIGKILL, so that it cannot clean up after itself.
    drop(running);
    // This one needs the pids hierarchy only, and sweeps the other's quota all the same.
    output(&["--", "true"]);
    wait_for("it is swept", PATIENCE, || (!dir.exists()).then_some(()));
}
