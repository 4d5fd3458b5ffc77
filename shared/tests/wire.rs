//! Every message through both encodings, and back the same.
//!
//! The `match` in each `name` function has no wildcard: a variant that is added and not listed
//! here does not compile, and one that is listed and not in the samples fails the count.

#![allow(clippy::unwrap_used, reason = "a test fails by panicking")]

#[cfg(feature = "schema")]
#[path = "wire/schema.rs"]
mod schema;

use std::collections::BTreeSet;
use std::fmt::Debug;

use serde::Serialize;
use serde::de::DeserializeOwned;
use vitrine_shared::birth::{Attempt, Mounted, Newborn};
use vitrine_shared::cgroup::{
    CgroupSample, Controller, ControllerSet, CpuBandwidth, Dialect, GroupId, IoMax, Knob, Member,
    Met, RawFile,
};
use vitrine_shared::discovery::{
    Discovery, Extent, Found, Holder, IdMaps, Mount, MountTable, NetDevice, NetDevices, Whose,
};
use vitrine_shared::focus::{CpuSample, Focus, Look, ThreadTime};
use vitrine_shared::id::{ContainerId, MachineId, ParticipantId, TerminalId};
use vitrine_shared::message::{
    Act, Answer, ClientMessage, Command, Container, ContainerState, Deed, Event, FeedEntry,
    Happening, HostInfo, Machine, Made, Profile, Refusal, Sample, ServerMessage, Spell, Step,
    StepName, Victim,
};
use vitrine_shared::namespace::{Namespace, NamespaceSet};
use vitrine_shared::process::Process;
use vitrine_shared::refusal::samples::samples;
use vitrine_shared::role::{Identity, Role};
use vitrine_shared::spec::{ContainerSpec, Limits, Rootfs};
use vitrine_shared::truth::{Output, Probe, ProcView};
use vitrine_shared::uses::{DeviceUse, IoUse, MemoryUse, PidsUse, Pressure, UseSample};
use vitrine_shared::wire;

const MACHINE: MachineId = MachineId(0x1234_5678_9abc_def0_1234_5678_9abc_def0);
const CONTAINER: ContainerId = ContainerId(u128::MAX);
const FOCUS: Focus =
    Focus { machine: MACHINE, group: GroupId::Container(CONTAINER), look: Look::Cpu };

#[track_caller]
fn survives<T: Serialize + DeserializeOwned + PartialEq + Debug>(message: &T) {
    let bytes = wire::to_postcard(message);
    assert_eq!(&wire::from_postcard::<T>(&bytes).unwrap(), message, "postcard");
    let text = wire::to_json(message);
    assert_eq!(&wire::from_json::<T>(&text).unwrap(), message, "{text}");
    // A cut or a longer message is an error, never a panic and never another message.
    for cut in 0..bytes.len() {
        let _ = wire::from_postcard::<T>(&bytes[..cut]);
    }
    let longer = [bytes, vec![0]].concat();
    assert!(wire::from_postcard::<T>(&longer).is_err());
}

#[track_caller]
fn all<T>(samples: &[T], name: impl Fn(&T) -> &'static str, variants: usize) {
    let names: BTreeSet<_> = samples.iter().map(name).collect();
    assert_eq!(names.len(), variants, "{names:?}");
}

fn made() -> GroupId {
    GroupId::Made("test_container/根".parse().unwrap())
}

/// With everything that can be said.
fn spec() -> ContainerSpec {
    ContainerSpec {
        namespaces: NamespaceSet::NONE.with(Namespace::Time, true),
        rootfs: Rootfs::Directory("/srv/根".into()),
        limits: Limits {
            cpu_quota_usec: Some(20_000),
            cpu_period_usec: Some(100_000),
            cpu_burst_usec: Some(0),
            cpu_shares: Some(2),
            cpuset_cpus: Some("0-1".into()),
            memory_bytes: Some(1 << 40),
            memory_high_bytes: Some(1 << 20),
            memory_swap_bytes: Some(0),
            pids_max: Some(1),
        },
        time_offset_secs: -5,
        user: Some("app:1000".into()),
        workdir: Some("/srv/根".into()),
        proc_view: ProcView::Lxcfs,
        ..ContainerSpec::one_click()
    }
}

fn commands() -> Vec<Command> {
    let (machine, container) = (MACHINE, CONTAINER);
    let spec = spec();
    let mut commands = vec![
        Command::Ping { token: u64::MAX },
        Command::Subscribe { machine: None, hertz: 4 },
        Command::Discover { machine },
        Command::StartMachine { profile: Profile::Lab },
        Command::StartContainer { machine: Some(machine), spec },
        Command::Exec { machine, container, argv: vec!["sh".into(), "-c".into(), String::new()] },
        Command::StopContainer { machine, container },
        Command::StopExecs { machine, container },
        Command::EndMachine { machine },
        Command::WriteFile {
            machine,
            group: GroupId::Root,
            file: "cpu.max".into(),
            value: "max".into(),
        },
        Command::MakeGroup { machine, parent: made(), name: "web server".into() },
        Command::RemoveGroup { machine, group: made() },
        Command::MoveProcess { machine, pid: 4821, group: GroupId::Shell },
        Command::ShowFiles { machine, group: None },
        Command::ShowFiles { machine, group: Some(made()) },
        Command::Probe { machine, container: Some(container), probe: Probe::Getconf },
        Command::SetProcView { machine, container, view: ProcView::Own },
        Command::RunBoth { machine, container, line: "ps | head".into() },
        Command::Focus { on: None },
        Command::Focus { on: Some(FOCUS) },
    ];
    let knobs = [
        Knob::CpuMax { quota_usec: None, period_usec: 1_000 },
        Knob::CpuShares(1024),
        Knob::CpusetCpus("0".into()),
        Knob::MemoryMax(Some(1)),
        Knob::PidsMax(None),
        Knob::CpuBurst(1),
        Knob::CpuIdle(true),
        Knob::MemoryHigh(None),
        Knob::MemorySwap { swap_bytes: Some(0), memory_bytes: None },
        Knob::OomGroup(false),
        Knob::Freeze(true),
        Knob::IoMax(IoMax {
            major: 8,
            minor: 16,
            read_bps: Some(1),
            write_bps: None,
            read_iops: None,
            write_iops: Some(u64::MAX),
        }),
    ];
    let group = GroupId::Container(container);
    commands.extend(knobs.into_iter().map(|knob| Command::SetKnob { machine, group, knob }));
    commands
}

#[test]
fn commands_survive() {
    let name = |command: &Command| match command {
        Command::Ping { .. } => "ping",
        Command::Subscribe { .. } => "subscribe",
        Command::Discover { .. } => "discover",
        Command::StartMachine { .. } => "machine",
        Command::StartContainer { .. } => "start",
        Command::Exec { .. } => "exec",
        Command::StopContainer { .. } => "stop",
        Command::Probe { .. } => "probe",
        Command::SetProcView { .. } => "view",
        Command::RunBoth { .. } => "both",
        Command::StopExecs { .. } => "stop execs",
        Command::EndMachine { .. } => "end",
        Command::SetKnob { .. } => "knob",
        Command::WriteFile { .. } => "write",
        Command::MakeGroup { .. } => "make group",
        Command::RemoveGroup { .. } => "remove group",
        Command::MoveProcess { .. } => "move",
        Command::ShowFiles { .. } => "files",
        Command::Focus { .. } => "focus",
    };
    all(&commands(), name, 19);
    for (id, command) in (0..).zip(commands()) {
        survives(&ClientMessage { id, command });
    }
}

#[test]
fn refusals_survive_and_read_as_sentences() {
    let name = |refusal: &Refusal| match refusal {
        Refusal::NotAllowed { .. } => "role",
        Refusal::Unknown { .. } => "unknown",
        Refusal::Limit(_) => "limit",
        Refusal::TooFast(_) => "fast",
        Refusal::Spec(_) => "spec",
        Refusal::Write(_) => "write",
        Refusal::Kernel { .. } => "kernel",
        Refusal::Group(_) => "group",
        Refusal::ProfileOff { .. } => "profile",
        Refusal::NotRunning { .. } => "ended",
        Refusal::Missing { .. } => "missing",
        Refusal::Unreadable { .. } => "unreadable",
        Refusal::NotModelled { .. } => "not modelled",
    };
    all(&samples(), name, 13);
    for reason in samples() {
        assert!(reason.to_string().len() > 10, "{reason:?}");
        survives(&ServerMessage::Unreadable { reason });
    }
}

fn answers() -> Vec<Answer> {
    let deeds = vec![
        Deed { act: Act::Syscall { call: "clone3(…)".into() }, shell: String::new() },
        Deed {
            act: Act::Wrote { path: "/x".into(), old: "-1".into(), new: "20000".into() },
            shell: "echo 20000 > /x".into(),
        },
    ];
    let container =
        Made::Container { machine: MACHINE, container: CONTAINER, terminal: Some(TerminalId(0)) };
    let refused =
        samples().into_iter().map(|reason| Answer::Refused { reason, hint: "…".into() });
    let mut answers: Vec<_> = refused.collect();
    answers.push(Answer::Done { deeds, made: Some(container) });
    answers.push(Answer::Done { deeds: vec![], made: Some(Made::Process { pid: 7 }) });
    let (view, at_msec) = (ProcView::Own, 1_700_000_000_000);
    let output =
        Output { text: "2\n".into(), cut: false, status: 124, busybox: true, view, at_msec };
    answers.push(Answer::Done { deeds: vec![], made: Some(Made::Output(output.clone())) });
    let (inside, outside) = (output.clone(), output);
    answers.push(Answer::Done { deeds: vec![], made: Some(Made::Both { inside, outside }) });
    let group = Made::Group { machine: MACHINE, group: made() };
    answers.push(Answer::Done { deeds: vec![], made: Some(group) });
    answers.push(Answer::Failed {
        step: StepName::Clone,
        what: "clone3".into(),
        errno: "EAGAIN".into(),
        hint: "…".into(),
    });
    answers
}

#[test]
fn answers_survive() {
    let name = |answer: &Answer| match answer {
        Answer::Done { .. } => "done",
        Answer::Refused { .. } => "refused",
        Answer::Failed { .. } => "failed",
    };
    all(&answers(), name, 3);
    for (id, answer) in (0..).zip(answers()) {
        survives(&ServerMessage::Answer { id, answer });
    }
}

fn happenings() -> Vec<Happening> {
    let text = || "x".to_string();
    vec![
        Happening::MachineBorn { took_usec: 1 },
        Happening::ContainerBorn { name: text(), took_usec: 2 },
        Happening::BirthFailed(Box::new(Attempt {
            name: text(),
            spec: ContainerSpec::one_click(),
            steps: vec![Step { name: StepName::Execve, call: text(), took_usec: 9 }],
            errno: text(),
        })),
        Happening::ContainerExited { name: text(), status: 137 },
        Happening::ExecStarted { name: text(), command: text(), pid: 3 },
        Happening::RanBoth { name: text(), line: text() },
        Happening::Wrote { path: text(), old: text(), new: text(), shell: text() },
        Happening::GroupMade { path: text() },
        Happening::GroupRemoved { path: text() },
        Happening::ProcessMoved { pid: 4, from: text(), to: text() },
        Happening::KernelRefused { path: text(), text: text(), errno: text() },
        Happening::ThrottleBegan { name: text() },
        Happening::ThrottleEnded {
            name: text(),
            spell: Spell { lasted_msec: u64::MAX, periods: 2, throttled: 1 },
        },
        Happening::OomKilled { name: text(), victim: None },
        Happening::OomKilled { name: text(), victim: Some(Victim { pid: 4, name: text() }) },
    ]
}

fn newborn() -> Newborn {
    Newborn {
        pids: vec![4821, 3, 1],
        namespaces: [u64::MAX; 8],
        host_uid: 2_000_000_000,
        uids: vec![Extent { inside: 0, outside: 1, count: u32::MAX }],
        capabilities: u64::MAX,
        bounding: 1,
        no_new_privs: true,
        filters: 3,
        open_files: 1024,
        processes: u64::MAX,
        mounts: vec![Mounted { path: "/".into(), kind: "overlay".into(), read_only: false }],
    }
}

fn machine() -> Machine {
    let step = Step { name: StepName::Seccomp, call: "seccomp(…)".into(), took_usec: 9 };
    let container = |state| Container {
        id: CONTAINER,
        name: "c1".into(),
        spec: ContainerSpec::one_click(),
        state,
        terminal: None,
        proc_depth: 2,
        born_msec: 1,
        steps: vec![step.clone()],
        newborn: newborn(),
    };
    Machine {
        id: MACHINE,
        owner: ParticipantId(3),
        profile: Profile::Strict,
        init_pid: 4821,
        uid_base: 2_000_000_000,
        cgroup_path: "vitrine/1-2/3".into(),
        born_msec: u64::MAX,
        steps: vec![],
        newborn: Newborn::default(),
        containers: vec![
            container(ContainerState::Running { pid: 1 }),
            container(ContainerState::Exited { status: 0, cpu_msec: 1, max_rss_bytes: 2 }),
        ],
    }
}

fn sample() -> Sample {
    let process = Process {
        pids: vec![4821, 3, 1],
        parent: 1,
        container: Some(CONTAINER),
        host_uid: 2_000_000_000,
        uid: 0,
        state: 'R',
        name: "<b>sh</b>\n".into(),
        command: "while : ; do : ; done".into(),
        cpu_permille: 1000,
        cpu_msec: 1,
        rss_bytes: 2,
        start_ticks: 3,
        namespaces: [4_026_531_836; 8],
    };
    let quota =
        CpuBandwidth { quota_usec: Some(20_000), period_usec: 100_000, ..CpuBandwidth::default() };
    let group = |group, dialect| CgroupSample {
        group,
        path: "root/c1".into(),
        dialect,
        cpu_permille: 200,
        cpu_nsec: 1,
        cpu: quota,
        memory_bytes: 1,
        memory_max: None,
        pids: 2,
        pids_max: Some(3),
        memory_high: Some(4),
        swap_bytes: 5,
        cpu_weight: 1024,
        cpus: "0-1".into(),
        met: Met { memory_high: 1, memory_max: 2, oom_kills: 3, pids_max: 4 },
        available: ControllerSet::named("cpu memory"),
        enabled: ControllerSet::NONE,
        members: vec![Member { pid: 4821, controllers: ControllerSet::NONE.with(Controller::Cpu) }],
        files: vec![RawFile { name: "cpu.max".into(), value: "max 100000".into(), writable: true }],
    };
    Sample {
        machine: MACHINE,
        at_msec: 1,
        processes: vec![process],
        groups: vec![group(GroupId::Cap, Dialect::V1), group(made(), Dialect::V2)],
        more_groups: 9,
        other_processes: 140,
    }
}

fn discovery() -> Discovery {
    let held_by = vec![
        Holder::Descriptor { pid: 4821, fd: 7 },
        Holder::Mount { pid: 4821, path: "/run/n s".into() },
        Holder::Children { pid: 1 },
        Holder::Namespace { id: u64::MAX },
    ];
    let whose =
        [Whose::Initial, Whose::Machine, Whose::Container { container: CONTAINER }, Whose::Made];
    let found = |whose| Found {
        kind: Namespace::Net,
        id: 4_026_531_833,
        whose,
        processes: 3,
        pid: Some(4821),
        held_by: held_by.clone(),
        owner: Some(1),
        owner_uid: Some(0),
        parent: None,
    };
    let extent = Extent { inside: 0, outside: 2_000_000_000, count: 65_536 };
    let mount = Mount {
        id: 31,
        parent: 30,
        device: "0:87".into(),
        root: "/".into(),
        path: "/proc".into(),
        options: "rw,nosuid".into(),
        propagation: "master:1".into(),
        kind: "proc".into(),
        source: "proc".into(),
    };
    let device = NetDevice { name: "lo".into(), index: Some(1), rx_bytes: 0, tx_bytes: u64::MAX };
    Discovery {
        machine: MACHINE,
        at_msec: 1,
        initial: [4_026_531_836; 8],
        machines: [0; 8],
        namespaces: whose.map(found).into(),
        id_maps: vec![IdMaps { namespace: 5, uids: vec![extent], gids: vec![extent] }],
        mounts: vec![MountTable { namespace: 6, pid: 7, mounts: vec![mount] }],
        devices: vec![NetDevices { namespace: 8, devices: vec![device] }],
        cut: true,
    }
}

fn cpu_sample() -> CpuSample {
    CpuSample {
        focus: FOCUS,
        at_nsec: u64::MAX,
        usage_nsec: 1,
        cpus_nsec: vec![1, 0],
        threads: vec![ThreadTime { tid: 4821, run_nsec: 1, wait_nsec: 2 }],
        n_threads: 40,
        quota_usec: Some(20_000),
        period_usec: 100_000,
        burst_usec: 10_000,
        nr_periods: 3,
        nr_throttled: 2,
        throttled_usec: 4,
        nr_bursts: 1,
        burst_used_usec: 5,
    }
}

fn use_sample() -> UseSample {
    let pressure = Some(Pressure { some_usec: 5, full_usec: 4 });
    let limits = IoMax { major: 8, write_bps: Some(1), ..IoMax::default() };
    UseSample {
        focus: Focus { look: Look::Use, ..FOCUS },
        at_nsec: u64::MAX,
        memory: Some(MemoryUse {
            current_bytes: 3,
            anon_bytes: 1,
            kernel_bytes: Some(1),
            max_bytes: Some(4),
            met_high: Some(u64::MAX),
            pressure,
            ..MemoryUse::default()
        }),
        pids: Some(PidsUse { current: 1, max: None, refused: Some(2) }),
        io: Some(IoUse {
            dialect: Dialect::V1,
            devices: vec![DeviceUse { limits, read_bytes: 1, ..DeviceUse::default() }],
            pressure,
        }),
    }
}

fn events() -> Vec<Event> {
    let entries = (1..).zip(happenings()).map(|(seq, what)| FeedEntry { seq, at_msec: seq, what });
    vec![
        Event::Machine(machine()),
        Event::MachineGone { machine: MACHINE },
        Event::Sample(sample()),
        Event::Discovery(Box::new(discovery())),
        Event::Feed { machine: MACHINE, entries: entries.collect() },
        Event::Synced,
        Event::Viewers { count: 40 },
        Event::Cpu(cpu_sample()),
        Event::Use(Box::new(use_sample())),
    ]
}

#[test]
fn events_survive() {
    let name = |event: &Event| match event {
        Event::Machine(_) => "machine",
        Event::MachineGone { .. } => "gone",
        Event::Sample(_) => "sample",
        Event::Discovery(_) => "discovery",
        Event::Feed { .. } => "feed",
        Event::Synced => "synced",
        Event::Viewers { .. } => "viewers",
        Event::Cpu(_) => "cpu",
        Event::Use(_) => "use",
    };
    all(&events(), name, 9);
    let happened = |what: &Happening| match what {
        Happening::MachineBorn { .. } => "machine",
        Happening::ContainerBorn { .. } => "container",
        Happening::BirthFailed(_) => "not born",
        Happening::ContainerExited { .. } => "exited",
        Happening::ExecStarted { .. } => "exec",
        Happening::RanBoth { .. } => "both",
        Happening::Wrote { .. } => "wrote",
        Happening::GroupMade { .. } => "group made",
        Happening::GroupRemoved { .. } => "group removed",
        Happening::ProcessMoved { .. } => "moved",
        Happening::KernelRefused { .. } => "refused",
        Happening::OomKilled { .. } => "oom",
        Happening::ThrottleBegan { .. } => "throttled",
        Happening::ThrottleEnded { .. } => "not throttled",
    };
    all(&happenings(), happened, 14);
    for event in events() {
        survives(&ServerMessage::Event(event));
    }
}

fn welcome() -> ServerMessage {
    let host = HostInfo {
        version: "0.1.0".into(),
        kernel: "6.18.0".into(),
        cpus: 2,
        memory_bytes: 1 << 34,
        cpu_dialect: Dialect::V1,
        profiles: vec![Profile::Strict],
        images: vec!["alpine".into()],
        rootless: false,
        lxcfs: false,
        plain_http: false,
        missing: Vec::new(),
        simulated: false,
    };
    let identity = Identity { participant: ParticipantId(1), role: Role::Teacher };
    ServerMessage::Welcome { identity, host }
}

#[test]
fn the_first_message_survives() {
    survives(&welcome());
}

#[test]
fn json_is_what_people_would_write() {
    let text = r#"{"id":1,"command":{"Subscribe":{"machine":null,"hertz":4}}}"#;
    let message = ClientMessage { id: 1, command: Command::Subscribe { machine: None, hertz: 4 } };
    assert_eq!(wire::to_json(&message), text);
    assert_eq!(wire::from_json::<ClientMessage>(text).unwrap(), message);
}
