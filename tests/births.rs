//! What is told of a birth, of one that fails, and of what befalls a container afterwards: held
//! against what the kernel says.

use std::time::Duration;

use vitrine_shared::birth::{Attempt, Change, Newborn, State, Story, What, frames};
use vitrine_shared::cgroup::{GroupId, Knob};
use vitrine_shared::message::{
    Answer, Command, Container, ContainerState, Event, Happening, Made, Spell, StepName, Victim,
};
use vitrine_shared::namespace::Namespace;
use vitrine_shared::spec::{ContainerSpec, Limits};

use crate::harness::cgroup;
use crate::harness::client::{Client, Started};
use crate::harness::proc;
use crate::harness::server::Server;
use crate::harness::term::Term;

const MIB: u64 = 1 << 20;
/// The kernel logs ten kills in five seconds, of the whole host: others may be first.
const TRIES: usize = 4;

fn spec(words: &[&str]) -> ContainerSpec {
    let argv = words.iter().map(ToString::to_string).collect();
    ContainerSpec { argv, ..ContainerSpec::one_click() }
}

/// A container as the machine's event tells it, its PID, and what was told of the machine's birth.
fn told(page: &mut Client, started: &Started) -> (Container, u32, Newborn) {
    page.event("the container", |event| match event {
        Event::Machine(machine) => machine.containers.iter().find_map(|one| match one.state {
            ContainerState::Running { pid } if one.id == started.container => {
                Some((one.clone(), pid, machine.newborn.clone()))
            }
            _ => None,
        }),
        _ => None,
    })
}

/// The next thing in the feed that is wanted.
fn happening<T>(page: &mut Client, what: &str, wanted: impl Fn(Happening) -> Option<T>) -> T {
    page.event(what, |event| match event {
        Event::Feed { entries, .. } => entries.into_iter().find_map(|entry| wanted(entry.what)),
        _ => None,
    })
}

fn status(pid: u32, field: &str) -> u64 {
    u64::from_str_radix(&proc::status(pid, field), 16).unwrap()
}

#[test]
fn what_is_told_of_a_birth_is_what_the_kernel_says() {
    let server = Server::start();
    let mut page = server.client();
    let wanted = spec(&["sleep", "1000"]);
    let namespaces = wanted.namespaces.with(Namespace::Net, false);
    let limits = Limits { pids_max: Some(9), ..Limits::default() };
    let started = page.start(None, ContainerSpec { namespaces, limits, ..wanted });
    let (container, pid, machine) = told(&mut page, &started);
    let own = &container.newborn;
    for (kind, link) in Namespace::ALL.into_iter().zip(proc::namespaces(pid)) {
        assert_eq!(link, format!("{}:[{}]", kind.proc_name(), own.namespaces[kind as usize]));
    }
    let pids: Vec<String> = own.pids.iter().map(u32::to_string).collect();
    assert_eq!(proc::status(pid, "NSpid").split_whitespace().collect::<Vec<_>>(), pids);
    assert_eq!((own.pids.len(), own.pids[0]), (3, pid));
    assert_eq!(status(pid, "CapEff"), own.capabilities);
    assert_eq!(status(pid, "CapBnd"), own.bounding);
    assert_eq!(proc::status(pid, "Seccomp_filters"), own.filters.to_string());
    assert!(own.no_new_privs && proc::status(pid, "NoNewPrivs") == "1");
    let map = proc::read(pid, "uid_map");
    let numbers: Vec<u32> = map.split_whitespace().map(|word| word.parse().unwrap()).collect();
    let extent = own.uids[0];
    assert_eq!(numbers, [extent.inside, extent.outside, extent.count]);
    assert!(own.mounts.iter().any(|mount| mount.path == "/" && mount.kind == "overlay"));

    // And the frames: the last one has all of it, and the machine's network is shared.
    let story = Story {
        steps: &container.steps,
        failed: false,
        group: "root/c1",
        program: "sleep",
        own,
        machine: Some(&machine),
    };
    let frames = frames(&story);
    assert_eq!(frames.len(), container.steps.len());
    let last = frames.last().unwrap();
    let find = |what| last.objects.iter().find(|object| object.what == what).unwrap();
    let network = find(What::Namespace(Namespace::Net)).state.clone();
    let whose = vitrine_shared::birth::Whose::Machine;
    let id = own.namespaces[Namespace::Net as usize];
    assert_eq!(network, State::Namespace { whose, id, entered: true }, "read of both");
    let State::Group { wrote, inside: true, .. } = &find(What::Group).state else { panic!() };
    assert_eq!(wrote, &["pids.max ← \"9\""]);
    assert!(!last.objects.iter().any(|object| object.what == What::Loopback), "it made no network");
    assert!(frames[0].objects.iter().all(|object| object.change == Change::New));
}

#[test]
fn a_birth_that_fails_is_in_the_feed_with_its_steps() {
    let server = Server::start();
    let mut page = server.client();
    let Started { machine, .. } = page.start(None, spec(&["sleep", "1000"]));
    page.watch(machine, 4);
    let argv = ["/no/such/program", "--flag"];
    let answer = page.ask(Command::StartContainer { machine: Some(machine), spec: spec(&argv) });
    let Answer::Failed { step, errno, .. } = &answer else { panic!("{answer:?}") };
    assert_eq!((*step, errno.as_str()), (StepName::Execve, "ENOENT"));
    let attempt: Attempt = happening(&mut page, "the failure", |what| match what {
        Happening::BirthFailed(attempt) => Some(*attempt),
        _ => None,
    });
    assert_eq!((attempt.name.as_str(), attempt.errno.as_str()), ("c2", "ENOENT"));
    assert_eq!(attempt.spec.argv, argv);
    let names: Vec<StepName> = attempt.steps.iter().map(|step| step.name).collect();
    assert_eq!(names.first(), Some(&StepName::Cgroup), "from the launcher's first to");
    assert!(names.contains(&StepName::Clone) && names.contains(&StepName::PivotRoot), "{names:?}");
    assert_eq!(names.last(), Some(&StepName::Execve), "the one that failed on the far side");
    assert!(!names[..names.len() - 1].contains(&StepName::Execve), "{names:?}");
}

#[test]
fn throttling_is_told_when_it_begins_and_when_it_is_over() {
    let server = Server::start();
    let mut page = server.client();
    let limits = Limits { cpu_quota_usec: Some(10_000), ..Limits::default() };
    let quiet = ContainerSpec { limits, ..spec(&["sleep", "1000"]) };
    let Started { machine, container, .. } = page.start(None, quiet);
    page.watch(machine, 4);
    let argv = ["sh", "-c", "while : ; do : ; done"].map(str::to_string).to_vec();
    page.done(Command::Exec { machine, container, argv });
    let began =
        |what| matches!(what, Happening::ThrottleBegan { name } if name == "c1").then_some(());
    happening(&mut page, "it begins", began);
    std::thread::sleep(Duration::from_secs(2));
    page.done(Command::StopExecs { machine, container });
    let spell: Spell = page.event("it is over, and did not begin twice", |event| match event {
        Event::Feed { entries, .. } => entries.into_iter().find_map(|entry| match entry.what {
            Happening::ThrottleEnded { name, spell } if name == "c1" => Some(spell),
            Happening::ThrottleBegan { name } => panic!("{name} began again"),
            _ => None,
        }),
        _ => None,
    });
    let dir = cgroup::of_instance_in(server.pid(), "cpu");
    let dir = dir.join(&machine.to_string()[..12]).join("root/c1");
    // Since the group was made: the spell is all of it but what came before the first reading.
    let all = cgroup::number(&dir, "cpu.stat", "nr_throttled");
    assert!(spell.throttled >= 10 && spell.throttled <= all, "{spell:?}, {all} in all");
    assert!(spell.periods >= spell.throttled && spell.lasted_msec >= 1_000, "{spell:?}");
}

#[test]
fn who_is_killed_in_a_group_that_somebody_made_is_told_by_its_name() {
    std::fs::File::open("/dev/kmsg").expect("this test needs /dev/kmsg, the kernel's log");
    let server = Server::start();
    let mut page = server.client();
    let started = page.start(None, ContainerSpec::machine_shell());
    let (_, pid, _) = told(&mut page, &started);
    let machine = started.machine;
    page.watch(machine, 4);
    let name = "eaters".to_string();
    let made = page.done(Command::MakeGroup { machine, parent: GroupId::Root, name });
    let Some(Made::Group { group, .. }) = made else { panic!("{made:?}") };
    page.done(Command::SetKnob { machine, group, knob: Knob::MemoryMax(Some(24 * MIB)) });
    page.done(Command::MoveProcess { machine, pid, group });
    let mut term = Term::shell(&server, started.terminal.unwrap());
    let mut victim = None;
    for _ in 0..TRIES {
        let said = term.command("dd if=/dev/zero of=/dev/null bs=64M count=1; echo st''atus $?");
        assert!(said.contains("status 137"), "{said}");
        let heard: Option<Victim> = happening(&mut page, "the kill", |what| match what {
            Happening::OomKilled { name, victim } if name == "eaters" => Some(victim),
            // v2 counts it as the root's, and where the log has no line for it nobody knows more.
            Happening::OomKilled { name, victim: None } if name.is_empty() => Some(None),
            _ => None,
        });
        victim = heard;
        if victim.is_some() {
            break;
        }
        std::thread::sleep(Duration::from_secs(5));
    }
    assert_eq!(victim.expect("a victim").name, "dd");
}
