//! Groups that a page or a shell makes below a machine's root: shown, changed, entered, removed,
//! and what is not allowed. In both dialects: here where it has v1, and in the VM where it has v2.

use std::fs;
use std::path::PathBuf;
use std::time::{Duration, Instant};

use vitrine_shared::cgroup::{
    BadGroup, CgroupSample, Controller, Dialect, GroupId, GroupPath, Knob,
};
use vitrine_shared::id::MachineId;
use vitrine_shared::message::{
    Act, Answer, Command, Event, Happening, Machine, Made, Profile, Refusal, Why,
};
use vitrine_shared::spec::ContainerSpec;

use crate::harness::cgroup::{self, by_dialect};
use crate::harness::client::{Client, Started};
use crate::harness::server::Server;
use crate::harness::{proc, wait_for};

const PATIENCE: Duration = Duration::from_secs(10);

struct Page<'a> {
    server: &'a Server,
    client: Client,
    machine: Machine,
}

impl<'a> Page<'a> {
    fn new(server: &'a Server, profile: Profile) -> Self {
        let mut client = server.client();
        let Some(Made::Machine { machine }) = client.done(Command::StartMachine { profile }) else {
            panic!("no machine");
        };
        client.watch(machine, 4);
        let machine = client.event("the machine", |event| match event {
            Event::Machine(m) if m.id == machine => Some(m),
            _ => None,
        });
        Page { server, client, machine }
    }

    fn id(&self) -> MachineId {
        self.machine.id
    }

    fn make(&self, parent: GroupId, name: &str) -> Command {
        Command::MakeGroup { machine: self.id(), parent, name: name.into() }
    }

    #[track_caller]
    fn made(&mut self, parent: GroupId, name: &str) -> GroupId {
        match self.client.done(self.make(parent, name)) {
            Some(Made::Group { group, .. }) => group,
            other => panic!("{other:?}"),
        }
    }

    fn remove(&self, group: GroupId) -> Command {
        Command::RemoveGroup { machine: self.id(), group }
    }

    fn moved(&self, pid: u32, group: GroupId) -> Command {
        Command::MoveProcess { machine: self.id(), pid, group }
    }

    fn knob(&self, group: GroupId, knob: Knob) -> Command {
        Command::SetKnob { machine: self.id(), group, knob }
    }

    /// The directories of a group in all hierarchies, below the machine's root.
    fn dir(&self, controller: &str, path: &str) -> PathBuf {
        let ours = cgroup::of_instance_in(self.server.pid(), controller);
        ours.join(&self.id().to_string()[..12]).join("root").join(path)
    }

    /// A group as the next samples show it.
    #[track_caller]
    fn shown(&mut self, group: GroupId, wanted: impl Fn(&CgroupSample) -> bool) -> CgroupSample {
        self.client.forget();
        self.client.sample("a group that is as wanted", |sample| {
            sample.groups.into_iter().find(|one| one.group == group && wanted(one))
        })
    }

    /// A shell in the machine that waits, and its PID on the host.
    fn shell(&mut self) -> (Started, u32) {
        let started = self.client.start(Some(self.id()), ContainerSpec::machine_shell());
        let pid = self.client.event("the shell", |event| match event {
            Event::Machine(machine) => machine.containers.iter().find_map(|c| match c.state {
                vitrine_shared::message::ContainerState::Running { pid }
                    if c.id == started.container =>
                {
                    Some(pid)
                }
                _ => None,
            }),
            _ => None,
        });
        (started, pid)
    }
}

fn path(text: &str) -> GroupPath {
    text.parse().unwrap()
}

#[test]
fn made_shown_and_limited() {
    let server = Server::start();
    let mut page = Page::new(&server, Profile::Strict);
    let answer = page.client.ask(page.make(GroupId::Root, "test_container"));
    let Answer::Done { deeds, made: Some(Made::Group { group, .. }) } = answer else {
        panic!("{answer:?}");
    };
    assert_eq!(group, GroupId::Made(path("test_container")));
    let dir = page.dir("cpu", "test_container");
    let mkdirs: Vec<&str> =
        deeds.iter().map(|d| d.shell.as_str()).filter(|s| s.starts_with("mkdir ")).collect();
    assert!(mkdirs.contains(&format!("mkdir {}", dir.display()).as_str()), "{mkdirs:?}");
    assert!(dir.is_dir() && page.dir("memory", "test_container").is_dir());
    // It is a row, with what it has.
    let row = page.shown(group, |_| true);
    assert_eq!((row.path.as_str(), row.files.len()), ("root/test_container", 0));
    for controller in [Controller::Cpu, Controller::Memory, Controller::Pids] {
        assert!(row.available.has(controller), "{:?}", row.available);
    }
    // A limit, and the kernel has it; old and new are told.
    let quota = Knob::CpuMax { quota_usec: Some(20_000), period_usec: 100_000 };
    let answer = page.client.ask(page.knob(group, quota));
    let Answer::Done { deeds, .. } = answer else { panic!("{answer:?}") };
    let Act::Wrote { path: file, old, .. } = &deeds.last().unwrap().act else { panic!() };
    assert!(file.starts_with(dir.to_str().unwrap()), "{file}");
    assert!(old.contains(by_dialect("cpu", "-1", "max")), "{old}");
    assert_eq!(cgroup::cpu_max(&dir), "20000 100000");
    page.shown(group, |g| g.cpu.quota_usec == Some(20_000));
    // Its raw files come when they are asked for, and may be written.
    let machine = page.id();
    page.client.done(Command::ShowFiles { machine, group: Some(group) });
    let whole = page.shown(group, |g| !g.files.is_empty());
    assert!(whole.files.iter().any(|f| f.name == "pids.max" && f.writable), "{whole:?}");
    let (file, value) = ("pids.max".to_string(), "9".to_string());
    page.client.done(Command::WriteFile { machine, group, file, value });
    assert_eq!(cgroup::read(&page.dir("pids", "test_container"), "pids.max"), "9");
    page.client.done(Command::ShowFiles { machine, group: None });
    page.shown(group, |g| g.files.is_empty() && g.pids_max == Some(9));
}

#[test]
fn entered_left_and_removed() {
    let server = Server::start();
    let mut page = Page::new(&server, Profile::Strict);
    let group = page.made(GroupId::Root, "test_container");
    let dir = page.dir("cpu", "test_container");
    // A process goes in, in all hierarchies, and is still one of the machine's.
    let (_, pid) = page.shell();
    let answer = page.client.ask(page.moved(pid, group));
    let Answer::Done { deeds, .. } = answer else { panic!("{answer:?}") };
    assert!(deeds[0].shell.starts_with(&format!("echo {pid} > ")), "{deeds:?}");
    for controller in ["cpu", "memory", "pids"] {
        assert_eq!(cgroup::procs(&page.dir(controller, "test_container")), [pid], "{controller}");
    }
    let row = page.shown(group, |g| !g.members.is_empty());
    assert_eq!(row.members[0].pid, pid);
    assert!(row.members[0].controllers.has(Controller::Memory));
    page.client
        .sample("the process", |s| s.processes.iter().any(|p| p.host_pid() == pid).then_some(()));
    // The kernel removes no group with a process in it; nothing is gone anywhere.
    let why = page.client.refused(page.remove(group));
    assert!(
        matches!(&why, Refusal::Kernel { errno, why: Why::HasProcesses, .. } if errno == "EBUSY"),
        "{why:?}"
    );
    assert!(dir.is_dir() && page.dir("memory", "test_container").is_dir());
    page.client.done(page.moved(pid, GroupId::Shell));
    assert!(cgroup::procs(&page.dir("pids", "test_container")).is_empty());
    // Nor one with a group in it.
    let below = page.made(group, "below");
    assert_eq!(below, GroupId::Made(path("test_container/below")));
    let why = page.client.refused(page.remove(group));
    assert!(matches!(why, Refusal::Kernel { why: Why::HasChildren, .. }), "{why:?}");
    let why = page.client.refused(page.make(group, "below"));
    assert!(matches!(why, Refusal::Kernel { why: Why::Exists, .. }), "{why:?}");
    page.client.done(page.remove(below));
    page.client.forget();
    page.client.done(page.remove(group));
    assert!(!dir.exists() && !page.dir("memory", "test_container").exists());
    page.client.event("the feed", |event| {
        match event {
        Event::Feed { entries, .. } => entries.iter().any(|entry| {
            matches!(&entry.what, Happening::GroupRemoved { path } if path == "root/test_container")
        }).then_some(()),
        _ => None,
    }
    });
    page.client.sample("it is no row any more", |s| {
        s.groups.iter().all(|g| g.group != group).then_some(())
    });
}

#[test]
fn what_may_not_be_made_moved_or_removed() {
    let server = Server::start();
    let mut page = Page::new(&server, Profile::Strict);
    let argv = ["sleep", "1000"].map(str::to_string).to_vec();
    let spec = ContainerSpec { argv, tty: false, ..ContainerSpec::one_click() };
    let Started { container, .. } = page.client.start(Some(page.id()), spec);
    let inside = page.client.event("the container", |event| match event {
        Event::Machine(machine) => machine.containers.iter().find_map(|c| match c.state {
            vitrine_shared::message::ContainerState::Running { pid } => Some(pid),
            vitrine_shared::message::ContainerState::Exited { .. } => None,
        }),
        _ => None,
    });
    let of_container = GroupId::Container(container);
    let made = page.made(GroupId::Root, "a");
    let refused = |page: &mut Page, command: Command, why: BadGroup| {
        let text = format!("{command:?}");
        assert_eq!(page.client.refused(command), Refusal::Group(why), "{text}");
    };
    // A container's group is the container, whatever it is called.
    let by_path = GroupId::Made(path("c1"));
    for group in [of_container, by_path, GroupId::Made(path("c1/x"))] {
        let make = page.make(group, "b");
        refused(&mut page, make, BadGroup::OfContainer);
        let move_in = page.moved(page.machine.init_pid, group);
        refused(&mut page, move_in, BadGroup::OfContainer);
    }
    let make = page.make(GroupId::Root, "c1");
    refused(&mut page, make, BadGroup::OfContainer);
    let move_out = page.moved(inside, made);
    refused(&mut page, move_out, BadGroup::OfContainer);
    let remove = page.remove(by_path);
    refused(&mut page, remove, BadGroup::OfContainer);
    let remove = page.remove(of_container);
    refused(&mut page, remove, BadGroup::Fixed);
    // What the machine stands on stays.
    for (group, why) in [
        (GroupId::Cap, BadGroup::Cap),
        (GroupId::Root, BadGroup::Fixed),
        (GroupId::Shell, BadGroup::Fixed),
        (GroupId::Made(path("shell")), BadGroup::Fixed),
    ] {
        let remove = page.remove(group);
        refused(&mut page, remove, why);
    }
    let make = page.make(GroupId::Cap, "x");
    refused(&mut page, make, BadGroup::Cap);
}

#[test]
fn nobody_elses_process_is_moved_and_names_lead_nowhere() {
    let server = Server::start();
    let mut page = Page::new(&server, Profile::Strict);
    let made = page.made(GroupId::Root, "a");
    let refused = |page: &mut Page, command: Command, why: BadGroup| {
        let text = format!("{command:?}");
        assert_eq!(page.client.refused(command), Refusal::Group(why), "{text}");
    };
    // Be it the host's, the server's or another machine's.
    let mut other = Page::new(&server, Profile::Strict);
    let strangers = [1, std::process::id(), server.pid(), other.machine.init_pid, 4_194_305, 0];
    for pid in strangers {
        let before = fs::read_to_string(format!("/proc/{pid}/cgroup")).ok();
        let move_in = page.moved(pid, made);
        refused(&mut page, move_in, BadGroup::NotOwn { pid });
        assert_eq!(fs::read_to_string(format!("/proc/{pid}/cgroup")).ok(), before, "{pid}");
    }
    assert!(cgroup::procs(&page.dir("pids", "a")).is_empty());
    // Names lead nowhere.
    for name in ["", ".", "..", "../x", "a/b", "x\n", "x\u{202e}"] {
        let make = page.make(GroupId::Root, name);
        let why = page.client.refused(make);
        assert!(matches!(why, Refusal::Group(BadGroup::Name { .. })), "{name:?}: {why:?}");
    }
    // A file of the kernel's has that name already.
    let make = page.make(made, "cgroup.procs");
    let why = page.client.refused(make);
    assert!(matches!(why, Refusal::Kernel { why: Why::Exists, .. }), "{why:?}");
    for gone in
        [page.remove(GroupId::Made(path("none"))), page.make(GroupId::Made(path("none")), "x")]
    {
        let why = page.client.refused(gone);
        assert!(matches!(why, Refusal::Unknown { .. } | Refusal::Kernel { .. }), "{why:?}");
    }
    // What goes in cannot be told apart from what is typed: it is quoted.
    let odd = page.client.ask(page.make(GroupId::Root, "a b;$(id)"));
    let Answer::Done { deeds, .. } = odd else { panic!("{odd:?}") };
    assert!(deeds.iter().any(|d| d.shell.ends_with("/root/a b;$(id)'")), "{deeds:?}");
    other.client.listen(Duration::from_millis(1));
}

#[test]
fn a_quota_above_the_parents_is_told_with_its_reason() {
    let server = Server::start();
    let mut page = Page::new(&server, Profile::Strict);
    let a = page.made(GroupId::Root, "a");
    let b = page.made(a, "b");
    let quota = |usec| Knob::CpuMax { quota_usec: Some(usec), period_usec: 100_000 };
    page.client.done(page.knob(a, quota(50_000)));
    let above = page.client.ask(page.knob(b, quota(60_000)));
    if cgroup::dialect("cpu") == Dialect::V2 {
        // v2 takes it: the nearest limit above holds all the same.
        assert!(matches!(above, Answer::Done { .. }), "{above:?}");
        return;
    }
    assert!(
        matches!(
            &above,
            Answer::Refused { reason: Refusal::Kernel { why: Why::ChildAboveParent, .. }, .. }
        ),
        "{above:?}"
    );
    page.client.done(page.knob(b, quota(40_000)));
    let below = page.client.ask(page.knob(a, quota(30_000)));
    assert!(
        matches!(
            &below,
            Answer::Refused { reason: Refusal::Kernel { why: Why::ParentBelowChild, .. }, .. }
        ),
        "{below:?}"
    );
}

#[test]
fn controllers_come_down_as_far_as_the_kernel_lets_them() {
    let server = Server::start();
    let mut page = Page::new(&server, Profile::Strict);
    let a = page.made(GroupId::Root, "a");
    let b = page.made(a, "b");
    let row = page.shown(b, |_| true);
    assert!(row.available.has(Controller::Memory), "{row:?}");
    let (_, pid) = page.shell();
    let into = page.client.ask(page.moved(pid, a));
    let below_shell = page.made(GroupId::Shell, "x");
    let row = page.shown(below_shell, |_| true);
    if cgroup::dialect("cpu") == Dialect::V1 {
        assert!(matches!(into, Answer::Done { .. }), "{into:?}");
        assert!(row.available.has(Controller::Memory));
        return;
    }
    // v2: a group that hands controllers on takes no processes, and the other way round.
    let Answer::Refused { reason: Refusal::Kernel { errno, why, .. }, .. } = into else {
        panic!("{into:?}");
    };
    assert_eq!((errno.as_str(), why), ("EBUSY", Why::HandsOut));
    assert!(!row.available.has(Controller::Memory), "{row:?}");
    let parent = page.shown(a, |_| true);
    assert!(parent.enabled.has(Controller::Memory) && parent.available.has(Controller::Pids));
    page.client.done(page.moved(pid, b));
    assert_eq!(cgroup::procs(&page.dir("pids", "a/b")), [pid]);
}

#[test]
fn two_hundred_groups_and_more_than_are_shown() {
    let server = Server::start();
    let mut page = Page::new(&server, Profile::Strict);
    // Made by hand in one hierarchy, as a shell would; the page has made one, so they are looked for.
    page.made(GroupId::Root, "first");
    let dir = page.dir("pids", "");
    for i in 0..520 {
        fs::create_dir(dir.join(format!("g{i:03}"))).unwrap();
    }
    fs::create_dir(dir.join("a\u{202e}b")).unwrap();
    page.client.forget();
    let begun = Instant::now();
    let (shown, more) = page.client.sample("all that are shown", |s| {
        let made = s.groups.iter().filter(|g| matches!(g.group, GroupId::Made(_))).count();
        (made >= 500).then_some((made, s.more_groups))
    });
    assert!(begun.elapsed() < Duration::from_secs(5), "{:?}", begun.elapsed());
    assert_eq!((shown, more), (500, 22));
    let make = page.make(GroupId::Root, "one_more");
    let why = page.client.refused(make);
    assert!(matches!(&why, Refusal::Limit(limit) if limit.name == "made-groups"), "{why:?}");
    // The machine ends with all of them.
    let machine = page.id();
    page.client.done(Command::EndMachine { machine });
    wait_for("the groups are gone", PATIENCE, || (!dir.exists()).then_some(()));
}

#[test]
fn those_of_a_lab_are_its_owners() {
    let server = crate::harness::lab::server();
    let mut page = Page::new(&server, Profile::Lab);
    let a = page.made(GroupId::Root, "a");
    let dir = page.dir("pids", "a");
    let owner = |path: PathBuf| std::os::unix::fs::MetadataExt::uid(&fs::metadata(path).unwrap());
    assert_eq!(owner(dir.clone()), page.machine.uid_base);
    assert_eq!(owner(dir.join("pids.max")), page.machine.uid_base);
    // Groups that its owner makes in one hierarchy only are rows, with what they have.
    if cgroup::dialect("cpu") == Dialect::V1 {
        let by_hand = page.dir("cpu", "by_hand");
        fs::create_dir(&by_hand).unwrap();
        let group = GroupId::Made(path("by_hand"));
        let row = page.shown(group, |_| true);
        assert!(row.available.has(Controller::Cpu) && !row.available.has(Controller::Memory));
        let why = page.client.refused(page.knob(group, Knob::PidsMax(Some(3))));
        assert!(matches!(why, Refusal::Missing { .. }), "{why:?}");
        // One in it for its CPU only is in it, and elsewhere for the rest.
        let (_, pid) = page.shell();
        page.client.done(page.moved(pid, group));
        let row = page.shown(group, |g| !g.members.is_empty());
        assert!(!row.members[0].controllers.has(Controller::Pids), "{row:?}");
        let shell = page.shown(GroupId::Shell, |g| g.members.iter().any(|m| m.pid == pid));
        let member = shell.members.iter().find(|m| m.pid == pid).unwrap();
        assert!(member.controllers.has(Controller::Pids));
        assert!(!member.controllers.has(Controller::Cpu));
        let text = fs::read_to_string(format!("/proc/{pid}/cgroup")).unwrap();
        assert!(text.contains("/root/by_hand") && text.contains("/root/shell"), "{text}");
        assert_eq!(
            proc::field_of(&fs::read_to_string(format!("/proc/{pid}/status")).unwrap(), "Pid"),
            pid.to_string()
        );
    }
    page.client.done(page.remove(a));
    assert!(!dir.exists());
}
