//! What a participant does to hold others up: the launcher has one thread, and it must stay free.

use std::time::{Duration, Instant};

use vitrine_shared::cgroup::{GroupId, Knob};
use vitrine_shared::message::{Answer, Command};
use vitrine_shared::namespace::Namespace;
use vitrine_shared::spec::{ContainerSpec, Limits};

use crate::harness::server::Server;

fn spec(argv: &[&str]) -> ContainerSpec {
    let argv = argv.iter().map(|word| (*word).to_string()).collect();
    ContainerSpec { argv, tty: false, ..ContainerSpec::one_click() }
}

/// A thousandth of a CPU, in the longest period: a birth under it would take seconds.
const TINY: Knob = Knob::CpuMax { quota_usec: Some(1_000), period_usec: 1_000_000 };

#[test]
fn a_birth_is_not_throttled_by_its_own_quota_nor_by_the_machines() {
    let server = Server::start();
    let mut page = server.client();
    let begun = Instant::now();
    let limits = Limits {
        cpu_quota_usec: Some(1_000),
        cpu_period_usec: Some(1_000_000),
        ..Limits::default()
    };
    let first = page.start(None, ContainerSpec { limits, ..spec(&["sleep", "1000"]) });
    let (machine, container) = (first.machine, first.container);
    page.done(Command::SetKnob { machine, group: GroupId::Root, knob: TINY });
    page.start(Some(machine), spec(&["sleep", "1000"]));
    let argv = vec!["/bin/sh".into(), "-c".into(), "while : ; do : ; done".into()];
    page.done(Command::Exec { machine, container, argv });
    // Ten births under it took half a minute; a loaded machine gets a wide margin.
    assert!(begun.elapsed() < Duration::from_secs(5), "{:?}", begun.elapsed());
    // And what the quotas were, they are again.
    page.watch(machine, 4);
    let quotas = page.sample("the quotas are back", |sample| {
        let quota = |id| sample.groups.iter().find(|g| g.group == id).map(|g| g.cpu.quota_usec);
        let both = (quota(GroupId::Root)?, quota(GroupId::Container(container))?);
        (both.0.is_some() && both.1.is_some()).then_some(both)
    });
    assert_eq!(quotas, (Some(1_000), Some(1_000)));
    // The end of it is not throttled either.
    let begun = Instant::now();
    page.done(Command::EndMachine { machine });
    assert!(begun.elapsed() < Duration::from_secs(5), "{:?}", begun.elapsed());
}

#[test]
fn a_machine_that_stops_its_newborns_does_not_stop_the_server() {
    let server = Server::start();
    let mut page = server.client();
    let stopper = ContainerSpec {
        namespaces: ContainerSpec::one_click().namespaces.with(Namespace::Pid, false),
        ..spec(&["/bin/sh", "-c", "while : ; do kill -STOP -1; done"])
    };
    let first = page.start(None, stopper);
    for _ in 0..3 {
        // The newborn can be caught or not: it is a race. Either way there is an answer in time,
        // and a machine that has held a birth up is gone.
        let command = Command::StartContainer {
            machine: Some(first.machine),
            spec: spec(&["sleep", "1000"]),
        };
        let begun = Instant::now();
        let answer = page.ask(command);
        assert!(begun.elapsed() < Duration::from_secs(8), "{:?}", begun.elapsed());
        if let Answer::Failed { errno, .. } = answer {
            assert_eq!(errno, "ETIMEDOUT");
            page.refused(Command::EndMachine { machine: first.machine });
            break;
        }
    }
    let begun = Instant::now();
    page.start(None, spec(&["sleep", "1000"]));
    assert!(begun.elapsed() < Duration::from_secs(5), "{:?}", begun.elapsed());
}
