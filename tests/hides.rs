//! What a container hides and what leaks: the same commands in it and in its machine, for each of
//! the eight flags off and on.

use std::process::Command as Program;

use vitrine_shared::leaks::{Finding, Row, Verdict, judge};
use vitrine_shared::message::{Answer, Command, ContainerState, Event, Made, StepName};
use vitrine_shared::namespace::{Namespace, NamespaceSet};
use vitrine_shared::spec::{ContainerSpec, Rootfs};
use vitrine_shared::truth::{Output, Probe};

use crate::harness::client::{Client, Started};
use crate::harness::proc;
use crate::harness::server::Server;

/// A container that sleeps, with these namespaces and nothing else of its own.
fn sleeper(namespaces: NamespaceSet) -> ContainerSpec {
    let has = |namespace| namespaces.has(namespace);
    ContainerSpec {
        namespaces,
        remount_proc: has(Namespace::Mount),
        hostname: has(Namespace::Uts).then(|| "hidden".into()),
        time_offset_secs: if has(Namespace::Time) { 3_600 } else { 0 },
        rootfs: Rootfs::Lab,
        argv: vec!["sleep".into(), "1000".into()],
        tty: false,
        ..ContainerSpec::one_click()
    }
}

fn ask(page: &mut Client, at: Started, is_inside: bool, probe: Probe) -> Option<Output> {
    let container = is_inside.then_some(at.container);
    match page.ask(Command::Probe { machine: at.machine, container, probe }) {
        Answer::Done { made: Some(Made::Output(output)), .. } => Some(output),
        Answer::Failed { step: StepName::Execve, errno, .. } if errno == "ENOENT" => None,
        other => panic!("{probe:?}: {other:?}"),
    }
}

/// The PIDs of a machine's first process and of a container's, on the host.
fn pids(page: &mut Client, at: Started) -> (u32, u32) {
    page.event("the container", |event| match event {
        Event::Machine(machine) if machine.id == at.machine => {
            let found = machine.containers.iter().find(|one| one.id == at.container)?;
            match found.state {
                ContainerState::Running { pid } => Some((machine.init_pid, pid)),
                ContainerState::Exited { .. } => None,
            }
        }
        _ => None,
    })
}

/// What a row comes to, by what the kernel and the programs say now.
fn found(page: &mut Client, at: Started, (machine, pid): (u32, u32), row: Row) -> Option<Finding> {
    let asked: Vec<(Probe, Option<Output>, Option<Output>)> = row
        .probes()
        .iter()
        .map(|&probe| (probe, ask(page, at, true, probe), ask(page, at, false, probe)))
        .collect();
    let of = |probe| asked.iter().find(|(one, ..)| *one == probe);
    let own = proc::differing(&proc::namespaces(machine), &proc::namespaces(pid));
    judge(
        row,
        own.contains(&row.namespace().proc_name()),
        |probe| of(probe)?.1.as_ref(),
        |probe| of(probe)?.2.as_ref(),
    )
}

/// Runs something as host root in some of a machine's namespaces.
#[track_caller]
fn in_machine(pid: u32, words: &[&str]) {
    let pid = pid.to_string();
    let status = Program::new("nsenter").args(["-t", &pid]).args(words).status();
    assert!(status.expect("nsenter").success(), "{words:?}");
}

/// So that each of the machine's namespaces has something that another would not have.
fn fill(machine: u32) {
    in_machine(machine, &["-n", "ip", "addr", "add", "127.1.2.3/8", "dev", "lo"]);
    in_machine(machine, &["-i", "ipcmk", "-Q"]);
}

#[test]
fn each_flag_off_leaks_the_machines_and_on_hides_it() {
    let server = Server::start();
    let mut page = server.client();
    let none = page.start(None, sleeper(NamespaceSet::NONE));
    let those = pids(&mut page, none);
    fill(those.0);
    for row in Row::ALL {
        let found = found(&mut page, none, those, row);
        assert_eq!(found.map(|found| found.verdict), Some(Verdict::Leaks), "{row:?}");
    }
    for row in Row::ALL {
        // Below the rate at which commands are taken.
        page.listen(std::time::Duration::from_millis(400));
        let alone = NamespaceSet::NONE.with(row.namespace(), true);
        // To hide processes takes a `/proc` of its own, and so a mount namespace.
        let set = if row == Row::Processes { alone.with(Namespace::Mount, true) } else { alone };
        let at = page.start(Some(none.machine), sleeper(set));
        let those = pids(&mut page, at);
        let finding = found(&mut page, at, those, row);
        assert_eq!(finding.map(|found| found.verdict), Some(Verdict::Hidden), "{row:?}");
        page.done(Command::StopContainer { machine: at.machine, container: at.container });
    }
    // A PID namespace alone still shows the machine's processes.
    let pid = NamespaceSet::NONE.with(Namespace::Pid, true);
    let at = page.start(Some(none.machine), sleeper(pid));
    let those = pids(&mut page, at);
    let finding = found(&mut page, at, those, Row::Processes);
    assert_eq!(finding.map(|found| found.verdict), Some(Verdict::Leaks));
}

#[test]
fn what_is_its_own_and_alike_is_told_from_what_is_shared_and_a_missing_program_from_an_answer() {
    let server = Server::start();
    let mut page = server.client();
    let spec = ContainerSpec {
        hostname: None,
        time_offset_secs: 0,
        rootfs: Rootfs::Busybox,
        ..sleeper(NamespaceSet::ALL)
    };
    let at = page.start(None, spec);
    let those = pids(&mut page, at);
    for (row, verdict, by) in [
        (Row::Hostname, Verdict::Alike, Probe::Hostname),
        (Row::Processes, Verdict::Hidden, Probe::Ps),
        (Row::Mounts, Verdict::Hidden, Probe::Mounts),
        // Busybox has no ipcs: the kernel's files are read instead.
        (Row::Ipc, Verdict::Alike, Probe::SysvIpc),
        (Row::Ids, Verdict::Hidden, Probe::UidMap),
        (Row::CgroupPath, Verdict::Hidden, Probe::CgroupPath),
        (Row::Uptime, Verdict::Alike, Probe::UptimeFile),
    ] {
        let found = found(&mut page, at, those, row);
        assert_eq!(found, Some(Finding { verdict, by, by_view: false }), "{row:?}");
    }
    assert_eq!(ask(&mut page, at, true, Probe::Ipcs), None);
    // What runs in the machine itself is answered when the machine ends, too.
    let probe = Probe::Top;
    let asked = page.send(Command::Probe { machine: at.machine, container: None, probe });
    page.done(Command::EndMachine { machine: at.machine });
    let answer = page.answer(asked);
    assert!(matches!(answer, Answer::Done { made: Some(Made::Output(_)), .. }), "{answer:?}");
}
