//! *Explain my click*: the script of a session, run in a plain root shell, does what the session
//! did, and leaves nothing.

use std::collections::{BTreeMap, BTreeSet};
use std::fs;
use std::io::{BufRead as _, BufReader, Write as _};
use std::path::{Path, PathBuf};
use std::process::{Child, ChildStdin, ChildStdout, Command as Program, Stdio};
use std::time::{Duration, Instant};

use nix::sys::signal::{Signal, kill};
use nix::unistd::Pid;
use vitrine_shared::cgroup::{Dialect, GroupId, Knob};
use vitrine_shared::id::{ContainerId, MachineId};
use vitrine_shared::message::{Answer, Command, ContainerState, Event, Machine, Made};
use vitrine_shared::namespace::{Namespace, NamespaceSet};
use vitrine_shared::script::{Action, Known, Note, Setting, Words, script, single};
use vitrine_shared::spec::{ContainerSpec, Limits};

use crate::harness::cgroup;
use crate::harness::client::Client;
use crate::harness::proc;
use crate::harness::server::Server;
use crate::harness::wait_for;

/// What a script says when everything stands.
const STANDS: &str = "everything stands";
/// A group's name that a shell would make something of.
const NAME: &str = "web it's $(reboot)";

/// What a page asked for, and what it heard.
struct Session {
    server: Server,
    page: Client,
    machine: Option<MachineId>,
    told: Vec<(Command, Answer)>,
}

impl Session {
    fn new() -> Self {
        let server = Server::start();
        let page = server.client();
        Session { server, page, machine: None, told: Vec::new() }
    }

    /// Asks, and keeps what came of it.
    #[track_caller]
    fn does(&mut self, command: Command) -> Option<Made> {
        let answer = self.page.ask(command.clone());
        let Answer::Done { made, .. } = answer.clone() else { panic!("{command:?}: {answer:?}") };
        self.told.push((command, answer));
        made
    }

    #[track_caller]
    fn starts(&mut self, spec: ContainerSpec) -> ContainerId {
        let machine = self.machine;
        let made = self.does(Command::StartContainer { machine, spec });
        let Some(Made::Container { machine, container, .. }) = made else { panic!("{made:?}") };
        self.machine = Some(machine);
        container
    }

    fn id(&self) -> MachineId {
        self.machine.expect("a machine")
    }

    #[track_caller]
    fn turns(&mut self, group: GroupId, knob: Knob) {
        let machine = self.id();
        self.does(Command::SetKnob { machine, group, knob });
    }

    /// The machine, once all these containers are known to be in it.
    #[track_caller]
    fn machine(&self, containers: &[ContainerId]) -> Machine {
        let id = self.id();
        // Whoever comes in is told of every machine.
        self.server.client().event("the machine", |event| match event {
            Event::Machine(m) if m.id == id => {
                containers.iter().all(|id| m.containers.iter().any(|c| c.id == *id)).then_some(m)
            }
            _ => None,
        })
    }

    fn script(&self, machine: &Machine, dialect: Dialect) -> String {
        let known = known(machine);
        let actions: Vec<Action<'_>> =
            self.told.iter().map(|(command, answer)| Action { command, answer }).collect();
        script(&setting(machine, &known), &actions, dialect, &words())
    }

    /// The machine's groups in the hierarchy of a controller.
    fn dir(&self, controller: &str) -> PathBuf {
        let ours = cgroup::of_instance_in(self.server.pid(), controller);
        ours.join(&self.id().to_string()[..12])
    }
}

fn setting<'a>(machine: &'a Machine, known: &'a BTreeMap<ContainerId, Known>) -> Setting<'a> {
    Setting {
        cgroup_path: &machine.cgroup_path,
        uid_base: machine.uid_base,
        containers: known,
        here: cgroup::dialect("cpu"),
    }
}

fn known(machine: &Machine) -> BTreeMap<ContainerId, Known> {
    let known = machine.containers.iter().map(|container| {
        let (name, spec) = (container.name.clone(), container.spec.clone());
        let pid = match container.state {
            ContainerState::Running { pid } => pid,
            ContainerState::Exited { .. } => 0,
        };
        (container.id, Known { name, pid, spec })
    });
    known.collect()
}

fn words() -> Words<'static> {
    Words { note: &note, asked: &asked }
}

fn note(note: &Note) -> String {
    match note {
        Note::Stands => STANDS.to_string(),
        other => format!("{other:?}"),
    }
}

fn asked(command: &Command) -> String {
    format!("{command:?}")
}

fn pid_of(machine: &Machine, container: ContainerId) -> u32 {
    known(machine)[&container].pid
}

/// A script in a root shell of its own, with a mount namespace of its own.
struct Running {
    child: Child,
    stdin: Option<ChildStdin>,
    stdout: BufReader<ChildStdout>,
    file: tempfile::TempPath,
}

impl Running {
    /// Runs it by this shell until everything stands.
    #[track_caller]
    fn start(shell: &[&str], text: &str) -> Self {
        let mut file = tempfile::NamedTempFile::new().expect("a file");
        file.write_all(text.as_bytes()).expect("write the script");
        let file = file.into_temp_path();
        let mut child = Program::new("unshare")
            .args(["--mount", "--propagation", "private", "--"])
            .args(shell)
            .arg(&file)
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .spawn()
            .expect("unshare, of util-linux");
        let (stdin, stdout) = (child.stdin.take(), child.stdout.take().expect("piped"));
        let mut running = Running { child, stdin, stdout: BufReader::new(stdout), file };
        let mut said = String::new();
        while !said.ends_with(&format!("{STANDS}\n")) {
            let read = running.stdout.read_line(&mut said).expect("what it says");
            assert_ne!(read, 0, "it ended: {:?}: {said}\n{text}", running.child.wait());
        }
        running
    }

    fn pid(&self) -> u32 {
        self.child.id()
    }

    fn name(&self) -> String {
        format!("vitrine-script-{}", self.pid())
    }

    /// Its groups in the hierarchy of a controller.
    fn dir(&self, controller: &str) -> PathBuf {
        cgroup::hierarchy(controller).expect("the controller is mounted").join(self.name())
    }

    /// Enter: it cleans up and ends; then nothing of it is left.
    #[track_caller]
    fn enter(mut self, alive: &[u32]) {
        drop(self.stdin.take());
        self.gone(alive, 0);
    }

    #[track_caller]
    fn gone(mut self, alive: &[u32], code: i32) {
        let deadline = Instant::now() + Duration::from_secs(60);
        let status = loop {
            if let Some(status) = self.child.try_wait().expect("wait") {
                break status;
            }
            assert!(Instant::now() < deadline, "it does not end");
            std::thread::sleep(Duration::from_millis(5));
        };
        assert_eq!(status.code(), Some(code));
        let name = self.name();
        for root in every_hierarchy() {
            assert!(!root.join(&name).exists(), "{name} is left in {}", root.display());
        }
        for pid in alive {
            wait_for("it is dead", Duration::from_secs(5), || proc::is_dead(*pid).then_some(()));
        }
        let files = fs::read_dir("/tmp").expect("/tmp").flatten();
        let left: Vec<_> = files
            .map(|entry| entry.file_name().to_string_lossy().into_owned())
            .filter(|file| file.starts_with(&format!("{name}.")))
            .collect();
        assert!(left.is_empty(), "{left:?}");
    }
}

impl Drop for Running {
    fn drop(&mut self) {
        // After a failed assertion: it cleans up when it is asked, too.
        if matches!(self.child.try_wait(), Ok(None)) {
            let _ = kill(Pid::from_raw(self.pid().cast_signed()), Signal::SIGTERM);
            let _ = self.child.wait();
        }
        // A temporary file that is gone already is no harm.
        let _ = fs::remove_file(&self.file);
    }
}

fn every_hierarchy() -> Vec<PathBuf> {
    let mut all = cgroup::hierarchies();
    all.extend(unified());
    all
}

/// Where cgroup v2 is mounted, with controllers or without.
fn unified() -> Option<PathBuf> {
    let mounts = fs::read_to_string("/proc/self/mounts").expect("/proc/self/mounts");
    let root = |line: &str| {
        let words: Vec<&str> = line.split(' ').collect();
        (words[2] == "cgroup2").then(|| PathBuf::from(words[1]))
    };
    mounts.lines().find_map(root)
}

/// The types of namespace in which two processes are not together.
fn apart(one: u32, other: u32) -> NamespaceSet {
    let link = |pid: u32, namespace: Namespace| {
        fs::read_link(format!("/proc/{pid}/ns/{}", namespace.proc_name())).expect("a namespace")
    };
    Namespace::ALL.into_iter().filter(|ns| link(one, *ns) != link(other, *ns)).collect()
}

/// What is looked at of a group: controller, file. Those that a dialect has not are passed over.
const FILES: &[(&str, &str)] = &[
    ("cpu", "cpu.cfs_quota_us"),
    ("cpu", "cpu.cfs_period_us"),
    ("cpu", "cpu.shares"),
    ("cpu", "cpu.max"),
    ("cpu", "cpu.weight"),
    ("cpuset", "cpuset.cpus"),
    ("cpuset", "cpuset.mems"),
    ("memory", "memory.limit_in_bytes"),
    ("memory", "memory.max"),
    ("pids", "pids.max"),
    ("freezer", "freezer.state"),
    ("freezer", "cgroup.freeze"),
];

/// What the files of a group say.
fn files(dir: impl Fn(&str) -> PathBuf, path: &str) -> BTreeMap<&'static str, String> {
    let there = FILES.iter().filter_map(|(controller, file)| {
        let text = fs::read_to_string(dir(controller).join(path).join(file)).ok()?;
        Some((*file, text.trim_end().to_string()))
    });
    there.collect()
}

/// The groups below a directory, by their paths.
fn groups(dir: &Path) -> BTreeSet<String> {
    fn walk(dir: &Path, top: &Path, found: &mut BTreeSet<String>) {
        for entry in fs::read_dir(dir).into_iter().flatten().flatten() {
            if entry.file_type().is_ok_and(|kind| kind.is_dir()) {
                let path = entry.path();
                found.insert(path.strip_prefix(top).expect("below").display().to_string());
                walk(&path, top, found);
            }
        }
    }
    let mut found = BTreeSet::new();
    walk(dir, dir, &mut found);
    found
}

/// What a process was started as, as the kernel has it, whoever started it.
fn seen(pid: u32, beside: u32) -> impl PartialEq + std::fmt::Debug {
    let status = proc::read(pid, "status");
    let depth = status
        .lines()
        .find_map(|line| line.strip_prefix("NSpid:"))
        .map(|line| line.split_whitespace().next_back().map(str::to_string));
    let map: Vec<String> =
        proc::read(pid, "uid_map").split_whitespace().map(str::to_string).collect();
    let mounts = proc::read(pid, "mounts");
    let at = |dir: &str| {
        mounts
            .lines()
            .rfind(|line| line.split(' ').nth(1) == Some(dir))
            .map(|line| line.split(' ').nth(2).unwrap_or_default().to_string())
    };
    (apart(pid, beside), depth, map, proc::read(pid, "cmdline"), at("/"), at("/proc"))
}

fn limited() -> ContainerSpec {
    let limits = Limits {
        cpu_quota_usec: Some(30_000),
        cpu_shares: Some(512),
        cpuset_cpus: Some("0".into()),
        memory_bytes: Some(64 << 20),
        pids_max: Some(20),
        ..Limits::default()
    };
    ContainerSpec { limits, ..ContainerSpec::one_click() }
}

#[test]
fn the_script_of_a_session_does_the_same_and_leaves_nothing() {
    let mut session = Session::new();
    let c1 = session.starts(limited());
    let group = GroupId::Container(c1);
    let quota = Knob::CpuMax { quota_usec: Some(20_000), period_usec: 100_000 };
    session.turns(group, quota);
    let machine = session.id();
    let (file, value) = ("pids.max".to_string(), "12".to_string());
    session.does(Command::WriteFile { machine, group, file, value });
    let (parent, name) = (GroupId::Root, NAME.to_string());
    session.does(Command::MakeGroup { machine, parent, name });
    let web = GroupId::Made(NAME.parse().expect("a path"));
    session.turns(web, Knob::PidsMax(Some(5)));
    session.turns(web, Knob::CpuShares(2_048));
    let shell = session.starts(ContainerSpec::machine_shell());
    let known = session.machine(&[c1, shell]);
    let pid = pid_of(&known, shell);
    session.does(Command::MoveProcess { machine, pid, group: web });
    let argv = ["sleep", "1000"].map(String::from).to_vec();
    session.does(Command::Exec { machine, container: c1, argv });
    session.turns(group, Knob::Freeze(true));
    let init = pid_of(&known, c1);

    let here = cgroup::dialect("cpu");
    let text = session.script(&known, here);
    let running = Running::start(&["sh"], &text);
    // The same groups, beside the one in which helpers wait.
    let mut wanted = groups(&session.dir("cpu"));
    wanted.insert("helpers".into());
    assert_eq!(groups(&running.dir("cpu")), wanted);
    wait_for("both are frozen", Duration::from_secs(5), || {
        let freezing = |dir: PathBuf| {
            fs::read_to_string(dir.join("root/c1/freezer.state"))
                .is_ok_and(|s| s.trim() != "FROZEN")
        };
        (!freezing(session.dir("freezer")) && !freezing(running.dir("freezer"))).then_some(())
    });
    // The same values in them, and as many processes.
    for path in ["root/c1".to_string(), format!("root/{NAME}")] {
        let (real, ours) = (
            files(|controller| session.dir(controller), &path),
            files(|controller| running.dir(controller), &path),
        );
        assert!(real.len() >= 5, "{real:?}");
        assert_eq!(ours, real, "{path}");
        for controller in ["cpu", "memory", "pids", "freezer"] {
            // A login shell of this host's may still be about its profile.
            let what = format!("as many processes in {path} of {controller}");
            wait_for(&what, Duration::from_secs(10), || {
                let count = |dir: PathBuf| cgroup::procs(&dir.join(&path)).len();
                (count(running.dir(controller)) == count(session.dir(controller))).then_some(())
            });
        }
    }
    assert_eq!(files(|c| running.dir(c), "root/c1")["pids.max"], "12");
    // The same process: namespaces of its own, PID, maps, program, root and /proc.
    let members = cgroup::procs(&running.dir("pids").join("root/c1"));
    let first = members[0];
    assert_eq!(seen(first, running.pid()), seen(init, known.init_pid));
    assert_eq!(apart(first, running.pid()), NamespaceSet::ALL);
    // The command is in all of the container's namespaces.
    assert_eq!((members.len(), apart(members[1], first)), (2, NamespaceSet::NONE));
    let line = proc::read(members[1], "cmdline");
    assert_eq!(line.split_terminator('\0').collect::<Vec<_>>(), ["sleep", "1000"]);
    let moved = cgroup::procs(&running.dir("memory").join("root").join(NAME));
    let alive: Vec<u32> = members.into_iter().chain(moved).collect();
    running.enter(&alive);
}

#[test]
fn a_container_that_shares_with_the_machine_shares_with_the_shell() {
    let mut session = Session::new();
    let own = [Namespace::Pid, Namespace::Uts].into_iter().collect();
    let c1 = session.starts(ContainerSpec {
        namespaces: own,
        remount_proc: false,
        hostname: Some("other".into()),
        argv: ["sleep", "1000"].map(String::from).to_vec(),
        tty: false,
        ..ContainerSpec::one_click()
    });
    let known = session.machine(&[c1]);
    let text = session.script(&known, cgroup::dialect("cpu"));
    let running = Running::start(&["dash"], &text);
    let members = cgroup::procs(&running.dir("pids").join("root/c1"));
    assert_eq!((members.len(), apart(members[0], running.pid())), (1, own));
    assert_eq!(apart(pid_of(&known, c1), known.init_pid), own);
    assert_eq!(proc::read(members[0], "cmdline"), proc::read(pid_of(&known, c1), "cmdline"));
    // Its root is another, and mounted where the shell is.
    let root = fs::read_link(format!("/proc/{}/root", members[0])).expect("a root");
    assert!(root.display().to_string().contains(&running.name()), "{}", root.display());
    // Ended from outside, it cleans up as well.
    let pid = running.pid();
    kill(Pid::from_raw(pid.cast_signed()), Signal::SIGTERM).expect("SIGTERM");
    running.gone(&members, 130);
}

#[test]
fn what_a_session_ends_its_script_ends() {
    let mut session = Session::new();
    let c1 = session.starts(limited());
    let machine = session.id();
    session.does(Command::MakeGroup { machine, parent: GroupId::Root, name: "web".into() });
    let known = session.machine(&[c1]);
    session.turns(GroupId::Container(c1), Knob::Freeze(true));
    session.does(Command::StopContainer { machine, container: c1 });
    let group = GroupId::Made("web".parse().expect("a path"));
    session.does(Command::RemoveGroup { machine, group });
    let running =
        Running::start(&["bash", "--posix"], &session.script(&known, cgroup::dialect("cpu")));
    let wanted = ["helpers", "root"].map(String::from);
    assert_eq!(groups(&running.dir("cpu")), BTreeSet::from(wanted));
    running.enter(&[]);
}

/// Groups of v2 can be made, entered, frozen and killed without any controller: so the other
/// dialect runs here too, as far as that goes, and whole where it is the host's own.
#[test]
fn the_v2_script_runs_where_v2_is_mounted() {
    let root = unified().expect("this test needs cgroup v2 mounted, with controllers or without");
    let mut session = Session::new();
    let c1 = session.starts(ContainerSpec::one_click());
    let machine = session.id();
    session.does(Command::MakeGroup { machine, parent: GroupId::Root, name: "web".into() });
    session.turns(GroupId::Container(c1), Knob::Freeze(true));
    let known = session.machine(&[c1]);
    let running = Running::start(&["bash"], &session.script(&known, Dialect::V2));
    let dir = root.join(running.name()).join("root/c1");
    assert_eq!(cgroup::read(&dir, "cgroup.freeze"), "1");
    wait_for("it is frozen", Duration::from_secs(5), || {
        cgroup::read(&dir, "cgroup.events").contains("frozen 1").then_some(())
    });
    assert!(root.join(running.name()).join("root/web").is_dir());
    let members = cgroup::procs(&dir);
    assert_eq!((members.len(), apart(members[0], running.pid())), (1, NamespaceSet::ALL));
    running.enter(&members);
}

#[test]
fn every_shell_can_read_both_dialects_and_one_line_is_the_real_one() {
    let mut session = Session::new();
    let c1 = session.starts(limited());
    let quota = Knob::CpuMax { quota_usec: Some(20_000), period_usec: 100_000 };
    session.turns(GroupId::Container(c1), quota);
    let known_machine = session.machine(&[c1]);
    let known = known(&known_machine);
    let setting = setting(&known_machine, &known);
    for dialect in [Dialect::V1, Dialect::V2] {
        let text = session.script(&known_machine, dialect);
        for shell in [&["sh"][..], &["dash"], &["bash", "--posix"], &["busybox", "sh"]] {
            let mut file = tempfile::NamedTempFile::new().expect("a file");
            file.write_all(text.as_bytes()).expect("write");
            let status =
                Program::new(shell[0]).args(&shell[1..]).arg("-n").arg(file.path()).status();
            assert!(status.expect(shell[0]).success(), "{shell:?}: {text}");
        }
    }
    // The line of the quota, pasted into a shell, is what the page did: to the real file.
    let (command, answer) = session.told.last().expect("a quota");
    let line = single(&setting, &Action { command, answer }, setting.here, &words());
    session.turns(GroupId::Container(c1), Knob::CpuMax { quota_usec: None, period_usec: 100_000 });
    let dir = session.dir("cpu").join("root/c1");
    assert!(cgroup::cpu_max(&dir).starts_with("max"), "{}", cgroup::cpu_max(&dir));
    let status = Program::new("sh").args(["-euc", &line]).status().expect("sh");
    assert!(status.success(), "{line}");
    assert_eq!(cgroup::cpu_max(&dir), "20000 100000");
}
