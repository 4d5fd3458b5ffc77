//! One line, run in a container and in its machine: each side prints what a shell there prints.

use std::time::Duration;

use vitrine_shared::cgroup::GroupId;
use vitrine_shared::cgroup::Knob;
use vitrine_shared::id::{ContainerId, MachineId};
use vitrine_shared::limits::{PROBE_BYTES, PROBE_SECS, PROBES_PER_MACHINE};
use vitrine_shared::message::{Answer, Command, Event, Happening, Made, Refusal};
use vitrine_shared::namespace::{Namespace, NamespaceSet};
use vitrine_shared::refusal::Thing;
use vitrine_shared::spec::{ContainerSpec, SpecError};
use vitrine_shared::truth::Output;

use crate::harness::client::{Client, PATIENCE, Started};
use crate::harness::server::Server;
use crate::harness::term::Term;
use crate::harness::{mark, proc, wait_for};

fn run_both(at: Started, line: &str) -> Command {
    Command::RunBoth { machine: at.machine, container: at.container, line: line.into() }
}

/// Inside, then outside.
#[track_caller]
fn outputs(answer: Answer) -> (Output, Output) {
    match answer {
        Answer::Done { made: Some(Made::Both { inside, outside }), deeds } => {
            let is_shell = |deed: &vitrine_shared::message::Deed| {
                deed.shell.starts_with("nsenter --target ") && deed.shell.contains("/bin/sh -c ")
            };
            assert!(deeds.len() == 2 && deeds.iter().all(is_shell), "{deeds:?}");
            (inside, outside)
        }
        other => panic!("{other:?}"),
    }
}

#[track_caller]
fn both(page: &mut Client, at: Started, line: &str) -> (Output, Output) {
    let answer = page.ask(run_both(at, line));
    outputs(answer)
}

fn living(word: &str) -> Vec<u32> {
    proc::with_word(word).into_iter().filter(|&pid| !proc::is_dead(pid)).collect()
}

/// What a shell prints, lines ended as a program ends them.
#[track_caller]
fn typed(term: &mut Term, line: &str) -> String {
    // bash says at each line that a paste may begin or not.
    let said = term.command(line).replace("\u{1b}[?2004l\r", "").replace("\r\n", "\n");
    // The last line is the next prompt.
    said.rsplit_once('\n').map_or_else(String::new, |(text, _)| format!("{text}\n"))
}

#[test]
fn each_side_is_what_a_shell_there_prints() {
    let server = Server::start();
    let mut page = server.client();
    let at = page.start(None, ContainerSpec::one_click());
    let shell = page.start(Some(at.machine), ContainerSpec::machine_shell());
    let mut inside = Term::shell(&server, at.terminal.unwrap());
    let mut outside = Term::shell(&server, shell.terminal.unwrap());
    let links =
        "for type in pid mnt uts ipc user net cgroup time; do readlink /proc/self/ns/$type; done";
    for line in [
        "hostname",
        "id",
        "cat /proc/self/cgroup",
        "cat /proc/self/uid_map",
        // Not grep: in a terminal the machine's has an alias that colours.
        "sed -n '/^Cap/p; /^Seccomp:/p; /^NoNewPrivs/p' /proc/self/status",
        links,
        "cut -d' ' -f5 /proc/self/mountinfo",
        "ls -l / | wc -l",
    ] {
        let (here, there) = both(&mut page, at, line);
        assert_eq!(here.text, typed(&mut inside, line), "inside: {line}");
        assert_eq!(there.text, typed(&mut outside, line), "outside: {line}");
        assert_eq!((here.status, there.status), (0, 0), "{line}");
        assert!(!here.text.is_empty() && !here.cut && !there.cut, "{line}");
    }
    // The outside is the machine: not one namespace is the host's.
    let (here, there) = both(&mut page, at, links);
    assert_eq!((here.text.lines().count(), there.text.lines().count()), (8, 8));
    let hosts = proc::namespaces(std::process::id());
    for link in hosts {
        assert!(!here.text.contains(&link) && !there.text.contains(&link), "{link} is the host's");
    }
    // Both outputs, standard error among them, and each side's own status.
    let (here, there) = both(&mut page, at, "echo out; echo err >&2; exit 7");
    assert_eq!((here.text.as_str(), here.status), ("out\nerr\n", 7));
    assert_eq!((there.text.as_str(), there.status), ("out\nerr\n", 7));
    assert_eq!(both(&mut page, at, "test $(hostname | cut -c1-7) = machine").0.status, 1);
    // A shell waits for a child without a signal in between (`sigsuspend`).
    let (here, there) = both(&mut page, at, "sleep 0.1 & wait $!; echo $?");
    assert_eq!((here.text.as_str(), there.text.as_str()), ("0\n", "0\n"));
    // Standard input is empty: nothing waits for it.
    assert_eq!(both(&mut page, at, "cat").1.status, 0);
    // The feed tells what was run, to whoever looks at the machine.
    page.watch(at.machine, 4);
    let feed = page.event("the line in the feed", |event| match event {
        Event::Feed { entries, .. } => entries.into_iter().find_map(|entry| match entry.what {
            Happening::RanBoth { name, line } => Some((name, line)),
            _ => None,
        }),
        _ => None,
    });
    assert_eq!(feed, ("c1".into(), "hostname".into()));
}

#[test]
fn a_line_that_hangs_is_ended_with_all_that_it_started() {
    let server = Server::start();
    let mut page = server.client();
    // It shares the machine's PIDs: nothing there ends with a first process.
    let namespaces = NamespaceSet::ALL.with(Namespace::Pid, false);
    let at = page.start(None, ContainerSpec { namespaces, ..ContainerSpec::one_click() });
    let word = mark();
    let began = std::time::Instant::now();
    let line = format!("trap '' TERM HUP; sleep {word} & (sleep {word}; :) & yes no; sleep {word}");
    let asked = page.send(run_both(at, &line));
    wait_for("the sleepers", PATIENCE, || (living(&word).len() >= 4).then_some(()));
    let (here, there) = {
        let answer = page.answer(asked);
        outputs(answer)
    };
    let took = began.elapsed();
    assert!(took >= Duration::from_secs(PROBE_SECS.value) && took < PATIENCE, "{took:?}");
    for side in [&here, &there] {
        assert_eq!((side.status, side.cut), (124, true));
        assert_eq!(side.text.len() as u64, PROBE_BYTES.value);
    }
    assert_eq!(living(&word), [0; 0], "nothing of it is left");
    // What a line leaves in the background when it ends by itself does not stay either.
    let word = mark();
    let (here, there) = both(&mut page, at, &format!("sleep {word} & echo $!"));
    assert_eq!((here.status, there.status), (0, 0));
    wait_for("the end of its session", PATIENCE, || living(&word).is_empty().then_some(()));
    // The next one runs, in both.
    assert_eq!(both(&mut page, at, "echo again").1.text, "again\n");
}

#[test]
fn what_may_not_be_is_refused_and_what_ends_is_answered() {
    let server = Server::start();
    let mut page = server.client();
    let at = page.start(None, ContainerSpec::one_click());
    let shell = page.start(Some(at.machine), ContainerSpec::machine_shell());
    for line in ["", "  \t", "a\0b", &"x".repeat(4096)] {
        let refused = page.refused(run_both(at, line));
        let is_spec = matches!(refused, Refusal::Spec(_));
        assert!(is_spec, "{refused:?}");
    }
    let refused = page.refused(run_both(at, " "));
    assert_eq!(refused, Refusal::Spec(SpecError::NoProgram));
    let nobody = |what| Refusal::Unknown { what };
    let nowhere = Started { machine: MachineId(1), ..at };
    assert_eq!(page.refused(run_both(nowhere, "id")), nobody(Thing::Machine));
    let nothing = Started { container: ContainerId(1), ..at };
    assert_eq!(page.refused(run_both(nothing, "id")), nobody(Thing::Container));
    // A shell of the machine's own has no inside.
    let no_inside = Refusal::NotRunning { what: Thing::Container };
    assert_eq!(page.refused(run_both(shell, "id")), no_inside);
    // As many at a time as there may be probes.
    let sleeps: Vec<u32> =
        (0..PROBES_PER_MACHINE.value).map(|_| page.send(run_both(at, "sleep 1"))).collect();
    assert!(matches!(page.refused(run_both(at, "id")), Refusal::Limit(_)));
    for id in sleeps {
        let answer = page.answer(id);
        assert_eq!(outputs(answer).0.status, 0);
    }
    // A frozen container: nothing is started on either side.
    let word = mark();
    let freeze = |frozen| Command::SetKnob {
        machine: at.machine,
        group: GroupId::Container(at.container),
        knob: Knob::Freeze(frozen),
    };
    page.done(freeze(true));
    let failed = page.ask(run_both(at, &format!("sleep 1; : {word}")));
    assert!(matches!(failed, Answer::Failed { .. }), "{failed:?}");
    assert_eq!(living(&word), [0; 0]);
    page.done(freeze(false));
    // The container goes while it runs: the machine's side is told all the same.
    let asked = page.send(run_both(at, "sleep 1; echo done"));
    page.done(Command::StopContainer { machine: at.machine, container: at.container });
    let answer = page.answer(asked);
    let (here, there) = outputs(answer);
    assert_eq!((here.status, there.status, there.text.as_str()), (137, 0, "done\n"));
    assert_eq!(page.refused(run_both(at, "id")), no_inside);
    // The machine goes while it runs.
    let again = page.start(Some(at.machine), ContainerSpec::one_click());
    let asked = page.send(run_both(again, "sleep 2"));
    page.done(Command::EndMachine { machine: at.machine });
    let answer = page.answer(asked);
    assert_eq!(outputs(answer).1.status, 137);
}

#[test]
fn in_a_lab_the_two_sides_may_do_what_their_shells_may() {
    let server = Server::start_with(&["--profile", "lab"]);
    let mut page = server.client();
    let at = page.start(None, ContainerSpec::one_click());
    let (here, there) = both(&mut page, at, "mount -t tmpfs none /mnt && echo mounted");
    assert!(!here.text.contains("mounted") && here.status != 0, "{here:?}");
    assert_eq!((there.text.as_str(), there.status), ("mounted\n", 0), "{there:?}");
    // What it changes in the machine stays, as from a shell there.
    let (_, there) = both(&mut page, at, "grep -c ' /mnt ' /proc/self/mountinfo");
    assert_eq!(there.text, "1\n");
}
