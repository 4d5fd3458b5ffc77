//! The simulated server at work: the tutorial's story, and whatever anybody may send.

mod random;

use super::*;
use crate::cgroup::{Knob, Member};
use crate::focus::CpuSample;
use crate::focus::Look;
use crate::id::ContainerId;
use crate::message::{Container, ContainerState, Happening, Machine, Sample};
use crate::namespace::{Namespace, NamespaceSet};
use crate::refusal::{Lacking, Unmodelled, Why};
use crate::spec::{ContainerSpec, Rootfs};
use crate::terminal::{Input, Output};
use crate::truth::{Probe, ProcView};

/// A page: it asks, and keeps what it hears.
struct Page {
    host: Host,
    number: u32,
    heard: Vec<ServerMessage>,
    typed: u64,
}

impl Page {
    fn open(dialect: Dialect) -> Page {
        let mut host = Host::new(Settings { dialect, ..Settings::default() });
        let heard = host.greet();
        Page { host, number: 0, heard, typed: 0 }
    }

    fn ask(&mut self, command: Command) -> Answer {
        self.number += 1;
        let id = self.number;
        let heard = self.host.hear(&ClientMessage { id, command: command.clone() });
        self.heard.extend(heard);
        if self.answer_to(id).is_none() {
            self.pass(4_000);
        }
        self.answer_to(id).unwrap_or_else(|| panic!("no answer to {command:?}"))
    }

    fn answer_to(&self, number: u32) -> Option<Answer> {
        let mut answers = self.heard.iter().filter_map(|message| match message {
            ServerMessage::Answer { id, answer } if *id == number => Some(answer.clone()),
            _ => None,
        });
        let first = answers.next();
        assert_eq!(answers.next(), None, "two answers");
        first
    }

    #[track_caller]
    fn done(&mut self, command: Command) -> Option<Made> {
        match self.ask(command) {
            Answer::Done { made, .. } => made,
            other => panic!("{other:?}"),
        }
    }

    #[track_caller]
    fn refused(&mut self, command: Command) -> Refusal {
        match self.ask(command) {
            Answer::Refused { reason, .. } => reason,
            other => panic!("{other:?}"),
        }
    }

    fn pass(&mut self, msec: u64) {
        let heard = self.host.advance(msec * MSEC);
        self.heard.extend(heard);
    }

    #[track_caller]
    fn start(&mut self, spec: ContainerSpec) -> (MachineId, ContainerId, Option<TerminalId>) {
        let machine = self.host.boxes.first().map(|it| it.record.id);
        match self.done(Command::StartContainer { machine, spec }) {
            Some(Made::Container { machine, container, terminal }) => {
                (machine, container, terminal)
            }
            other => panic!("{other:?}"),
        }
    }

    fn last<T>(&self, pick: impl Fn(&Event) -> Option<T>) -> Option<T> {
        self.heard.iter().rev().find_map(|message| match message {
            ServerMessage::Event(event) => pick(event),
            _ => None,
        })
    }

    fn machine(&self) -> Machine {
        let machine = self.last(|event| match event {
            Event::Machine(machine) => Some(machine.clone()),
            _ => None,
        });
        machine.expect("a machine")
    }

    fn container(&self, id: ContainerId) -> Container {
        let found = self.machine().containers.into_iter().find(|one| one.id == id);
        found.expect("the container")
    }

    fn sample(&self) -> Sample {
        let sample = self.last(|event| match event {
            Event::Sample(sample) => Some(sample.clone()),
            _ => None,
        });
        sample.expect("a sample")
    }

    fn feed(&self) -> Vec<Happening> {
        let entries = self.heard.iter().filter_map(|message| match message {
            ServerMessage::Event(Event::Feed { entries, .. }) => Some(entries),
            _ => None,
        });
        entries.flatten().map(|entry| entry.what.clone()).collect()
    }

    /// Types into a terminal and lets a second pass; what it shows since then.
    fn type_in(&mut self, terminal: TerminalId, keys: &str) -> String {
        self.host.take_frames(terminal);
        let data = Input::Data { seq: self.typed, bytes: keys.as_bytes().to_vec() };
        self.typed += keys.len() as u64;
        self.host.terminal_frame(terminal, &data.encode());
        self.pass(1_000);
        self.shown(terminal)
    }

    fn shown(&mut self, terminal: TerminalId) -> String {
        let mut text = String::new();
        for frame in self.host.take_frames(terminal) {
            if let Ok(Output::Data { bytes, .. }) = Output::decode(&frame) {
                text += &String::from_utf8(bytes).expect("UTF-8");
            }
        }
        text
    }

    fn attach(&mut self, terminal: TerminalId) {
        self.typed = 0;
        self.host.terminal_frame(terminal, &Input::Resume { seq: 0 }.encode());
        self.pass(10);
    }
}

const DIALECTS: [Dialect; 2] = [Dialect::V1, Dialect::V2];

#[test]
fn it_says_what_it_is() {
    let page = Page::open(Dialect::V1);
    let ServerMessage::Welcome { host, identity } = &page.heard[0] else { panic!() };
    assert!(host.simulated && host.kernel.contains("simulated"));
    assert_eq!((host.cpus, host.profiles.as_slice()), (2, &[Profile::Lab][..]));
    assert_eq!(identity.role, Role::Teacher);
    assert_eq!(page.heard[1], ServerMessage::Event(Event::Synced));
}

#[test]
fn the_tutorials_story() {
    for dialect in DIALECTS {
        let mut page = Page::open(dialect);
        let (machine, container, terminal) = page.start(ContainerSpec::one_click());
        let terminal = terminal.expect("a terminal");
        page.attach(terminal);
        page.done(Command::Subscribe { machine: Some(machine), hertz: 4 });
        // PID 1 inside.
        let ps = page.type_in(terminal, "ps\r");
        assert!(ps.contains("      1 ") && ps.contains(" sh"), "{ps}");
        let own = page.container(container);
        assert_eq!((own.newborn.pids.len(), own.newborn.pids[2], own.proc_depth), (3, 1, 2));
        assert_eq!(page.type_in(terminal, "echo $$\r"), "echo $$\r\n1\r\n# ");
        assert!(page.type_in(terminal, "hostname\r").contains("\ncontainer\r\n"));
        assert!(page.type_in(terminal, "id -u; cat /proc/self/uid_map\r").contains("\n0\r\n"));
        // A busy loop takes a whole CPU.
        page.type_in(terminal, "while : ; do : ; done &\r");
        page.pass(3_000);
        let busy = |page: &Page| {
            let sample = page.sample();
            let group = sample.groups.iter().find(|it| it.group == GroupId::Container(container));
            let group = group.expect("its group").clone();
            let inside = sample.processes.iter().filter(|it| it.container == Some(container));
            (group, inside.map(|it| it.cpu_permille).max().unwrap_or(0))
        };
        let (group, permille) = busy(&page);
        assert!((950..=1_050).contains(&group.cpu_permille), "{}", group.cpu_permille);
        assert!((950..=1_050).contains(&permille), "{permille}");
        // 20 % of it.
        let knob = Knob::CpuMax { quota_usec: Some(20_000), period_usec: 100_000 };
        let group = GroupId::Container(container);
        page.done(Command::SetKnob { machine, group, knob });
        page.pass(5_000);
        let (before, _) = busy(&page);
        page.pass(5_000);
        let (after, permille) = busy(&page);
        assert_eq!(after.cpu.quota_usec, Some(20_000));
        assert!((150..=250).contains(&after.cpu_permille), "{}", after.cpu_permille);
        assert!((150..=250).contains(&permille), "{permille}");
        let (periods, throttled) = (
            after.cpu.nr_periods - before.cpu.nr_periods,
            after.cpu.nr_throttled - before.cpu.nr_throttled,
        );
        assert!((48..=52).contains(&periods) && throttled >= 45, "{throttled} of {periods}");
        assert!(after.cpu.throttled_usec > before.cpu.throttled_usec);
        let began = Happening::ThrottleBegan { name: "c1".into() };
        assert!(page.feed().contains(&began), "{:?}", page.feed());
        // Without the loop it is over.
        assert!(page.type_in(terminal, "kill $!\r").contains("Terminated"));
        page.pass(6_000);
        let over = |one: &Happening| matches!(one, Happening::ThrottleEnded { .. });
        assert!(page.feed().iter().any(over));
        page.done(Command::StopContainer { machine, container });
        let state = page.container(container).state;
        let ContainerState::Exited { status: 137, cpu_msec, .. } = state else {
            panic!("{state:?}")
        };
        assert!(cpu_msec > 3_000, "{cpu_msec}");
        page.pass(300);
        assert!(page.sample().processes.iter().all(|it| it.container.is_none()));
        assert!(page.sample().groups.iter().all(|it| it.group != group));
        page.done(Command::EndMachine { machine });
        assert!(page.host.boxes.is_empty());
        page.pass(100);
        assert_eq!(page.host.world.look(|kernel| kernel.procs().all().count()), 1);
    }
}

#[test]
fn what_is_given_at_the_start_is_in_the_files() {
    for dialect in DIALECTS {
        let mut page = Page::open(dialect);
        let mut spec = ContainerSpec::one_click();
        spec.limits.cpu_quota_usec = Some(50_000);
        spec.limits.memory_bytes = Some(64 << 20);
        spec.limits.pids_max = Some(9);
        spec.limits.cpu_shares = Some(512);
        spec.workdir = Some("/srv/app".into());
        let (machine, container, terminal) = page.start(spec);
        page.attach(terminal.expect("a terminal"));
        page.done(Command::Subscribe { machine: Some(machine), hertz: 4 });
        page.pass(500);
        let sample = page.sample();
        let own = sample.groups.iter().find(|it| it.group == GroupId::Container(container));
        let own = own.expect("its group");
        assert_eq!((own.cpu.quota_usec, own.cpu.period_usec), (Some(50_000), 100_000));
        assert_eq!((own.memory_max, own.pids_max), (Some(64 << 20), Some(9)));
        assert_eq!(own.path, "root/c1");
        assert!(own.files.iter().any(|file| file.name == "pids.max" && file.writable));
        let Member { pid, .. } = own.members[0];
        assert_eq!(Some(&pid), page.container(container).newborn.pids.first());
        assert!(page.type_in(terminal.unwrap(), "pwd\r").contains("/srv/app"));
        let names: Vec<_> = page.container(container).steps.iter().map(|it| it.name).collect();
        assert_eq!(names[0], StepName::Cgroup);
        assert_eq!(names.last(), Some(&StepName::Execve));
        let frames = page.container(container).steps;
        assert!(frames[0].call.contains("pids.max"), "{}", frames[0].call);
    }
}

#[test]
fn without_namespaces_the_machine_stays_in_view() {
    let mut page = Page::open(Dialect::V1);
    let spec = ContainerSpec {
        namespaces: NamespaceSet::NONE.with(Namespace::Pid, true),
        remount_proc: false,
        hostname: None,
        ..ContainerSpec::one_click()
    };
    let (machine, container, terminal) = page.start(spec);
    let terminal = terminal.expect("a terminal");
    page.attach(terminal);
    // The classic surprise.
    let ps = page.type_in(terminal, "echo $$; ps -e\r");
    assert!(ps.contains("\n1\r\n") && ps.contains("init"), "{ps}");
    assert!(page.type_in(terminal, "hostname\r").contains("machine-"));
    page.done(Command::StopContainer { machine, container });
    page.pass(100);
}

#[test]
fn a_shell_in_the_machine_is_the_host_of_the_lessons() {
    let mut page = Page::open(Dialect::V1);
    let (machine, _, terminal) = page.start(ContainerSpec::machine_shell());
    let terminal = terminal.expect("a terminal");
    page.attach(terminal);
    page.done(Command::Subscribe { machine: Some(machine), hertz: 4 });
    page.type_in(terminal, "mkdir /sys/fs/cgroup/cpu/test_container\r");
    page.type_in(terminal, "cd /sys/fs/cgroup/cpu/test_container\r");
    page.type_in(terminal, "echo 20000 > cpu.cfs_quota_us\r");
    page.type_in(terminal, "while : ; do : ; done &\r");
    page.type_in(terminal, "echo $! > tasks\r");
    page.pass(2_000);
    let sample = page.sample();
    let made = GroupId::Made("test_container".parse().unwrap());
    let group = sample.groups.iter().find(|it| it.group == made).expect("the group");
    assert!((150..=250).contains(&group.cpu_permille), "{}", group.cpu_permille);
    assert_eq!((group.members.len(), group.files.len()), (1, 0));
    page.done(Command::ShowFiles { machine, group: Some(made) });
    page.pass(300);
    let group = page.sample().groups.into_iter().find(|it| it.group == made).expect("it");
    assert!(
        group.files.iter().any(|file| file.name == "cpu.cfs_quota_us" && file.value == "20000")
    );
    // Above the cap: the kernel's own refusal.
    let said = page.type_in(terminal, "echo 200000 > cpu.cfs_quota_us\r");
    assert!(said.contains("Invalid argument"), "{said}");
    let write = Command::WriteFile {
        machine,
        group: made,
        file: "cpu.cfs_quota_us".into(),
        value: "200000".into(),
    };
    let Refusal::Kernel { errno, why, .. } = page.refused(write) else { panic!() };
    assert_eq!((errno.as_str(), why), ("EINVAL", Why::ChildAboveParent));
    let pid = group.members[0].pid;
    let busy = Command::RemoveGroup { machine, group: made };
    let Refusal::Kernel { why: Why::HasProcesses, .. } = page.refused(busy.clone()) else {
        panic!()
    };
    page.done(Command::MoveProcess { machine, pid, group: GroupId::Shell });
    page.done(busy);
}

#[test]
fn ctrl_c_stops_what_runs_and_nothing_else() {
    let mut page = Page::open(Dialect::V1);
    let (_, _, terminal) = page.start(ContainerSpec::one_click());
    let terminal = terminal.expect("a terminal");
    page.attach(terminal);
    for line in ["while : ; do : ; done", "sleep 1000", "while true; do sleep 1; done", "cat", "sh"]
    {
        page.type_in(terminal, &format!("{line}\r"));
        page.pass(2_000);
        page.type_in(terminal, "\x03");
    }
    page.type_in(terminal, "exit\r");
    assert_eq!(
        page.type_in(terminal, "echo $$ still here\r"),
        "echo $$ still here\r\n1 still here\r\n# "
    );
    let said = page.type_in(terminal, "ec\tfour; ls /et\t\r");
    assert!(said.contains("four") && said.contains("hostname"), "{said}");
    // Ctrl-D ends the shell, and with PID 1 everything.
    page.type_in(terminal, "\x04");
    let state = page.machine().containers[0].state;
    assert!(matches!(state, ContainerState::Exited { status: 0, .. }), "{state:?}");
}

#[test]
fn commands_whose_output_is_the_answer() {
    let mut page = Page::open(Dialect::V1);
    let (machine, container, terminal) = page.start(ContainerSpec::one_click());
    let line = "hostname; sleep 100 &".to_owned();
    let both = Command::RunBoth { machine, container, line };
    let Some(Made::Both { inside, outside }) = page.done(both) else { panic!() };
    assert_eq!(inside.text, "container\n");
    assert!(outside.text.starts_with("machine-"), "{outside:?}");
    let probe = Command::Probe { machine, container: Some(container), probe: Probe::Nproc };
    let Some(Made::Output(output)) = page.done(probe) else { panic!() };
    assert_eq!((output.text.as_str(), output.status), ("2\n", 0));
    // Nothing is left of either.
    page.done(Command::Subscribe { machine: Some(machine), hertz: 20 });
    page.pass(100);
    let left = |page: &Page| {
        let all = page.sample().processes.into_iter().map(|it| (it.name, it.state));
        all.collect::<Vec<_>>()
    };
    let own = [("init".to_owned(), 'S'), ("sh".to_owned(), 'S')];
    assert_eq!(left(&page).into_iter().filter(|(_, state)| *state != 'Z').collect::<Vec<_>>(), own);
    // What the line had left is the container's PID 1's, which clears it away at its next prompt.
    assert_eq!(left(&page).len(), 3);
    page.attach(terminal.expect("a terminal"));
    page.type_in(terminal.unwrap(), "\r");
    assert_eq!(left(&page), own);
    let endless = Command::RunBoth { machine, container, line: "while : ; do : ; done".into() };
    let Some(Made::Both { inside, .. }) = page.done(endless) else { panic!() };
    assert_eq!(inside.status, 124);
    let argv = vec!["sleep".into(), "1000".into()];
    assert!(matches!(
        page.done(Command::Exec { machine, container, argv }),
        Some(Made::Process { .. })
    ));
    page.done(Command::StopExecs { machine, container });
    let none = Command::Exec { machine, container, argv: vec!["nonsense".into()] };
    let Answer::Failed { step: StepName::Execve, errno, .. } = page.ask(none) else { panic!() };
    assert_eq!(errno, "ENOENT");
}

#[test]
fn what_a_container_hides_is_judged_as_on_a_live_server() {
    use crate::leaks::{Row, Verdict, judge};
    let mut page = Page::open(Dialect::V1);
    let (machine, container, _) = page.start(ContainerSpec::one_click());
    let mut print = |container: Option<ContainerId>, probe: Probe| match page.ask(Command::Probe {
        machine,
        container,
        probe,
    }) {
        Answer::Done { made: Some(Made::Output(output)), .. } => Some(output),
        _ => None,
    };
    for row in Row::ALL {
        let mut inside = std::collections::BTreeMap::new();
        let mut outside = inside.clone();
        for probe in row.probes() {
            inside.insert(*probe, print(Some(container), *probe));
            outside.insert(*probe, print(None, *probe));
        }
        let found = judge(
            row,
            true,
            |probe| inside.get(&probe)?.as_ref(),
            |probe| outside.get(&probe)?.as_ref(),
        );
        let verdict = found.unwrap_or_else(|| panic!("{row:?} cannot be told")).verdict;
        assert!(matches!(verdict, Verdict::Hidden | Verdict::Alike), "{row:?}: {verdict:?}");
    }
}

#[test]
fn what_the_model_cannot_do_is_refused_by_name() {
    let mut page = Page::open(Dialect::V1);
    let (machine, container, _) = page.start(ContainerSpec::one_click());
    let group = GroupId::Container(container);
    let idle = page.refused(Command::SetKnob { machine, group, knob: Knob::CpuIdle(true) });
    let file = "cpu.idle".to_owned();
    assert_eq!(idle, Refusal::NotModelled { what: Unmodelled::File { file } });
    let view = |view| Command::SetProcView { machine, container, view };
    assert_eq!(
        page.refused(view(ProcView::Own)),
        Refusal::NotModelled { what: Unmodelled::ProcView }
    );
    assert_eq!(page.refused(view(ProcView::Lxcfs)), Refusal::Missing { what: Lacking::Lxcfs });
    let high = Command::SetKnob { machine, group, knob: Knob::MemoryHigh(Some(1 << 26)) };
    assert!(matches!(page.refused(high), Refusal::Missing { what: Lacking::OnlyV2 { .. } }));
    let start = |page: &mut Page, change: &dyn Fn(&mut ContainerSpec)| {
        let mut spec = ContainerSpec::one_click();
        change(&mut spec);
        page.refused(Command::StartContainer { machine: Some(machine), spec })
    };
    let refused = start(&mut page, &|spec| spec.user = Some("nobody".into()));
    assert_eq!(refused, Refusal::NotModelled { what: Unmodelled::User });
    let refused = start(&mut page, &|spec| spec.time_offset_secs = 60);
    assert_eq!(refused, Refusal::NotModelled { what: Unmodelled::Clocks });
    let refused = start(&mut page, &|spec| spec.rootfs = Rootfs::Image("alpine".into()));
    assert!(matches!(refused, Refusal::Missing { what: Lacking::Image { .. } }));
    let profile = Profile::Strict;
    assert_eq!(page.refused(Command::StartMachine { profile }), Refusal::ProfileOff { profile });
}

#[test]
fn a_birth_that_fails_leaves_nothing() {
    let mut page = Page::open(Dialect::V1);
    let (machine, _, _) = page.start(ContainerSpec::one_click());
    page.done(Command::Subscribe { machine: Some(machine), hertz: 4 });
    let spec = ContainerSpec { argv: vec!["nonsense".into()], ..ContainerSpec::one_click() };
    let start = Command::StartContainer { machine: Some(machine), spec };
    let Answer::Failed { step, errno, .. } = page.ask(start) else { panic!() };
    assert_eq!((step, errno.as_str()), (StepName::Execve, "ENOENT"));
    page.pass(300);
    let sample = page.sample();
    assert_eq!(sample.processes.len(), 2);
    assert!(sample.groups.iter().all(|it| it.path != "root/c2"));
    let Some(Happening::BirthFailed(attempt)) = page.feed().pop() else { panic!() };
    assert_eq!(attempt.steps.last().map(|step| step.name), Some(StepName::Execve));
}

#[test]
fn close_readings_come_as_often_in_slow_motion() {
    let mut page = Page::open(Dialect::V1);
    let (machine, container, terminal) = page.start(ContainerSpec::one_click());
    let terminal = terminal.expect("a terminal");
    page.attach(terminal);
    page.type_in(terminal, "while : ; do : ; done &\r");
    let group = GroupId::Container(container);
    let knob = Knob::CpuMax { quota_usec: Some(20_000), period_usec: 100_000 };
    page.done(Command::SetKnob { machine, group, knob });
    let on = Some(Focus { machine, group, look: Look::Cpu });
    page.done(Command::Focus { on });
    let count = |page: &mut Page, msec| {
        page.heard.clear();
        page.pass(msec);
        let samples: Vec<CpuSample> = page
            .heard
            .drain(..)
            .filter_map(|message| match message {
                ServerMessage::Event(Event::Cpu(sample)) => Some(sample),
                _ => None,
            })
            .collect();
        samples
    };
    let samples = count(&mut page, 1_000);
    assert!((18..=20).contains(&samples.len()), "{}", samples.len());
    let (first, last) = (&samples[0], &samples[samples.len() - 1]);
    let permille = last.permille_since(first).expect("a rate");
    assert!((150.0..=260.0).contains(&permille), "{permille}");
    let waited = last.threads.iter().map(|one| one.wait_nsec).max().unwrap_or(0);
    assert!(waited > 500 * MSEC, "{waited}");
    page.host.look_closer(200);
    let samples = count(&mut page, 100);
    assert!((95..=105).contains(&samples.len()), "{}", samples.len());
    page.done(Command::Focus { on: Some(Focus { machine, group, look: Look::Use }) });
    page.pass(10);
    let uses = page.last(|event| match event {
        Event::Use(sample) => sample.pids.map(|pids| pids.current),
        _ => None,
    });
    assert_eq!(uses, Some(2));
}

#[test]
fn memory_that_is_too_much_is_told() {
    let mut page = Page::open(Dialect::V2);
    let mut spec = ContainerSpec::one_click();
    spec.limits.memory_bytes = Some(16 << 20);
    let (machine, _, terminal) = page.start(spec);
    page.attach(terminal.expect("a terminal"));
    page.done(Command::Subscribe { machine: Some(machine), hertz: 4 });
    page.type_in(terminal.unwrap(), "stress -m 1 --vm-bytes 64M -t 2\r");
    page.pass(3_000);
    let killed = |one: &Happening| matches!(one, Happening::OomKilled { name, .. } if name == "c1");
    assert!(page.feed().iter().any(killed), "{:?}", page.feed());
}

#[test]
fn a_look_at_the_namespaces() {
    let mut page = Page::open(Dialect::V1);
    let (machine, container, _) = page.start(ContainerSpec::one_click());
    page.done(Command::Discover { machine });
    let found = page.last(|event| match event {
        Event::Discovery(found) => Some((**found).clone()),
        _ => None,
    });
    let found = found.expect("a discovery");
    use crate::discovery::Whose;
    let of = |whose: Whose| found.namespaces.iter().filter(|it| it.whose == whose).count();
    assert_eq!((of(Whose::Container { container }), of(Whose::Machine)), (8, 8));
    assert_eq!(found.id_maps.len(), 2);
    let outside: Vec<u32> = found.id_maps.iter().map(|map| map.uids[0].outside).collect();
    assert_eq!(outside, [2_000_000_000; 2]);
    assert!(found.mounts.iter().any(|table| table.mounts.iter().any(|it| it.kind == "cgroup")));
}

#[test]
fn the_same_words_go_the_same_way() {
    let run = || {
        let mut page = Page::open(Dialect::V1);
        let (machine, container, terminal) = page.start(ContainerSpec::one_click());
        page.attach(terminal.expect("a terminal"));
        page.done(Command::Subscribe { machine: Some(machine), hertz: 4 });
        page.type_in(terminal.unwrap(), "stress -c 3 -t 1; ps\r");
        let knob = Knob::CpuMax { quota_usec: Some(30_000), period_usec: 100_000 };
        page.done(Command::SetKnob { machine, group: GroupId::Container(container), knob });
        page.pass(2_000);
        (page.host.trace_hash(), page.heard)
    };
    let (first, second) = (run(), run());
    assert_eq!(first.0, second.0);
    assert_eq!(first.1, second.1);
    // However time is cut into pieces.
    let mut page = Page::open(Dialect::V1);
    page.start(ContainerSpec {
        argv: vec!["stress".into(), "-c".into(), "3".into()],
        ..ContainerSpec::one_click()
    });
    let mut pieces = Page::open(Dialect::V1);
    pieces.start(ContainerSpec {
        argv: vec!["stress".into(), "-c".into(), "3".into()],
        ..ContainerSpec::one_click()
    });
    page.pass(1_000);
    (0..1_000).for_each(|_| pieces.pass(1));
    assert_eq!(page.host.trace_hash(), pieces.host.trace_hash());
}
