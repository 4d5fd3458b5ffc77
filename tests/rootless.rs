//! `vitrine run` and `vitrine serve` as an ordinary user: what the kernel grants is there, what it
//! does not is named, and what is shut for root's machines is shut in a user's too.

use std::collections::BTreeSet;
use std::fs;
use std::os::unix::fs::MetadataExt as _;
use std::os::unix::process::CommandExt as _;
use std::time::{Duration, Instant};

use nix::sys::signal::Signal;
use vitrine_shared::cgroup::{Controller, GroupId, Knob};
use vitrine_shared::limits;
use vitrine_shared::message::{
    Answer, Because, Command, ContainerState, Event, Feature, Made, Refusal,
};
use vitrine_shared::namespace::{Namespace, NamespaceSet};
use vitrine_shared::refusal::Lacking;
use vitrine_shared::spec::{ContainerSpec, Limits};

use crate::harness::client::{Client, PATIENCE};
use crate::harness::command::{Running, spawn};
use crate::harness::image::with_probe;
use crate::harness::server::Server;
use crate::harness::term::Term;
use crate::harness::user::{SUB_IDS, User};
use crate::harness::{mark, proc, wait_for};

#[test]
fn a_container_of_an_ordinary_users() {
    let user = User::new();
    let script = "echo $$; id -u; cat /proc/self/uid_map; echo kept > /root/x; cat /root/x";
    let out = user.output(&["--", "sh", "-c", script]);
    let lines: Vec<Vec<&str>> = out.lines().map(|l| l.split_whitespace().collect()).collect();
    assert_eq!(lines, [vec!["1"], vec!["0"], vec!["0", "0", "1"], vec!["kept"]], "{out}");
    let ps = user.output(&["--", "ps", "-o", "pid,comm"]);
    assert_eq!(ps.lines().nth(1).map(|l| l.split_whitespace().collect()), Some(vec!["1", "ps"]));
    let script =
        "mkdir /etc/new; rm /etc/passwd; rm -r /home; mkdir /home; touch /home/y; ls /home";
    assert_eq!(user.output(&["--", "sh", "-c", script]), "y\n");
    let devices = "for d in null zero full random urandom tty; do stat -c %t:%T /dev/$d; done";
    let devices = user.output(&["--", "sh", "-c", devices]);
    assert_eq!(devices.lines().collect::<Vec<_>>(), ["1:3", "1:5", "1:7", "1:8", "1:9", "5:0"]);
    assert_eq!(user.output(&["-t", "--", "tty"]), "/dev/pts/0\r\n");
}

/// A container that sleeps: the run, and the host PID of its program.
fn sleeper(user: &User, flags: &[&str]) -> (Running, u32) {
    let mark = mark();
    let running = user.start(&[flags, &["--", "sleep", &mark]].concat(), None);
    (running, proc::wait_for_sleep(&mark))
}

#[test]
fn each_flag_alone() {
    let user = User::new();
    for name in proc::NAMESPACES {
        let flag = format!("--{}", if name == "mnt" { "mount" } else { name });
        let (running, pid) = sleeper(&user, &[&flag]);
        let found = proc::differing(&proc::namespaces(running.pid()), &proc::namespaces(pid));
        assert_eq!(found, [name]);
        // Vitrine's own: the user namespace it is root of, and the mounts in there.
        let host = proc::namespaces(std::process::id());
        let own = proc::differing(&host, &proc::namespaces(running.pid()));
        assert_eq!(own, ["mnt", "user"]);
        let status = proc::read(pid, "status");
        for set in ["CapInh", "CapPrm", "CapEff", "CapBnd", "CapAmb"] {
            assert_eq!(proc::field_of(&status, set), "0000000000000000", "{name}: {set}");
        }
        assert_eq!(proc::field_of(&status, "NoNewPrivs"), "1");
        let uids = proc::field_of(&status, "Uid");
        assert!(uids.split_whitespace().all(|uid| uid == user.uid.to_string()), "{uids}");
    }
    let (running, pid) = sleeper(&user, &[]);
    let found = proc::differing(&proc::namespaces(running.pid()), &proc::namespaces(pid));
    assert_eq!(found, proc::NAMESPACES);
}

#[test]
fn flags_mean_what_they_mean() {
    let user = User::new();
    assert_eq!(user.output(&["--uts", "--hostname", "demo", "--", "hostname"]), "demo\n");
    let devices = user.output(&["--net", "--", "cat", "/proc/net/dev"]);
    assert_eq!(devices.lines().filter(|line| line.contains(':')).count(), 1, "{devices}");
    let script = "nc -l -p 4000 -e echo hello & sleep 0.3; nc 127.0.0.1 4000 </dev/null";
    assert_eq!(user.output(&["--net", "--", "sh", "-c", script]), "hello\n");
    let mine = std::process::id().to_string();
    let shows = |out: &str| out.lines().any(|line| line == mine);
    assert!(shows(&user.output(&["--pid", "--", "ls", "/proc"])), "the classic surprise");
    assert!(!shows(&user.output(&["--pid", "--mount", "--", "ls", "/proc"])));
    let uptime = |flags: &[&str]| {
        let text = user.output(&[flags, &["--", "cat", "/proc/uptime"]].concat());
        text.split('.').next().unwrap().parse::<i64>().unwrap()
    };
    let ahead = uptime(&["--time", "--time-offset", "1000000"]) - uptime(&["--pid"]);
    assert!((1_000_000..1_000_100).contains(&ahead), "{ahead}");
}

#[test]
fn exit_codes_and_signals_are_the_same_as_roots() {
    let user = User::new();
    for (words, status) in [
        (&["--", "sh", "-c", "exit 7"][..], 7),
        (&["--init", "--", "sh", "-c", "kill -TERM $$"], 143),
        (&["--uts", "--", "sh", "-c", "kill -9 $$"], 137),
        (&["--", "/nope"], 127),
        (&["--", "/etc/passwd"], 126),
        (&["--cpu-quota", "999", "true"], 125),
        (&["--rootfs", "/root", "--", "true"], 125),
    ] {
        let outcome = user.run(words);
        assert_eq!(outcome.status, status, "{words:?}: {outcome:?}");
    }
    for (flags, signal, status) in
        [(&["--init"][..], Signal::SIGTERM, 143), (&["--uts"], Signal::SIGINT, 130)]
    {
        let (running, _) = sleeper(&user, flags);
        running.signal(signal);
        assert_eq!(running.end().status, status, "{flags:?}");
    }
    let typed = user.start(&["-i", "--", "cat"], Some(b"typed\n")).end();
    assert_eq!((typed.status, typed.out.as_str()), (0, "typed\n"));
}

#[test]
fn a_limit_is_refused_with_the_reason_and_what_mends_it() {
    let user = User::new();
    for limit in [["--cpu-quota", "20000"], ["--memory", "64m"], ["--pids-limit", "10"]] {
        let outcome = user.run(&[&limit[..], &["--", "true"]].concat());
        assert_eq!(outcome.status, 125, "{outcome:?}");
        assert!(outcome.err.contains("not delegated to this user"), "{outcome:?}");
        assert!(outcome.err.contains("sudo vitrine run"), "{outcome:?}");
    }
}

#[test]
fn nothing_is_left() {
    let user = User::new();
    let before = fs::read_to_string("/proc/self/mountinfo").unwrap();
    for flags in [&[][..], &["--uts"], &["--no-namespaces"], &["--pid"]] {
        let mark = mark();
        // In the background, away from the terminal, and without a parent that waits.
        let script = format!("(sleep {mark} &); setsid sleep {mark} & sleep 0.1");
        let outcome = user.run(&[flags, &["--", "sh", "-c", &script]].concat());
        assert_eq!(outcome.status, 0, "{outcome:?}");
        assert_eq!(proc::with_word(&mark), [0; 0], "{flags:?}");
    }
    assert_eq!(fs::read_to_string("/proc/self/mountinfo").unwrap(), before);
    let run = user.runtime().join("vitrine");
    assert_eq!(fs::read_dir(&run).unwrap().count(), 0, "{}", run.display());
    let meta = fs::metadata(&run).unwrap();
    assert_eq!((meta.uid(), meta.mode() & 0o777), (user.uid, 0o700));
    let images = user.home().join(".local/share/vitrine/images");
    assert_eq!(fs::metadata(images).unwrap().uid(), user.uid, "what is written is the user's");
    // The launcher is killed: its container goes with it.
    let (running, pid) = sleeper(&user, &[]);
    running.signal(Signal::SIGKILL);
    wait_for("its death", PATIENCE, || proc::is_dead(pid).then_some(()));
    assert_eq!(alive(user.uid), [0; 0]);
}

/// The processes of a user, but for zombies.
fn alive(uid: u32) -> Vec<u32> {
    let is_of = |pid: &u32| {
        let status = proc::read(*pid, "status");
        !status.is_empty() && proc::field_of(&status, "Uid").starts_with(&uid.to_string())
    };
    proc::pids().into_iter().filter(is_of).filter(|&pid| !proc::is_dead(pid)).collect()
}

#[test]
fn what_the_user_may_not_read_stays_shut() {
    let user = User::new();
    let secret = user.home().join("secret");
    fs::write(&secret, "root's own").unwrap();
    fs::set_permissions(&secret, std::os::unix::fs::PermissionsExt::from_mode(0o600)).unwrap();
    // A root directory of the user's, with root's file in it.
    let script = "cat /secret; ls /proc/1/root/ 2>&1; cat /proc/kcore 2>&1 | wc -c";
    let root = user.home();
    for name in ["proc", "dev", "bin"] {
        fs::create_dir(root.join(name)).unwrap();
    }
    fs::copy("/bin/busybox", root.join("bin/busybox")).unwrap();
    std::os::unix::fs::symlink("busybox", root.join("bin/sh")).unwrap();
    let script = format!("alias cat='busybox cat' ls='busybox ls' wc='busybox wc'; {script}");
    let outcome = user.run(&["--rootfs", root.to_str().unwrap(), "--", "sh", "-c", &script]);
    assert!(!outcome.out.contains("root's own"), "{outcome:?}");
    assert!(outcome.err.contains("secret") && outcome.err.contains("denied"), "{outcome:?}");
}

#[test]
fn every_door_is_shut() {
    let user = User::new();
    // Of the user's own: what belongs to others cannot be changed inside either.
    let root = user.own_copy(with_probe());
    let first = ["--rootfs", root.to_str().unwrap(), "-t", "--init"];
    let text = user.output(&[&first[..], &["--", "probe", "doors"]].concat());
    let mut doors = crate::doors::parse(&text);
    // There is a single id: the kernel does not even come to the question of privilege.
    assert_eq!(doors.remove("setuid").as_deref(), Some("EINVAL"));
    let wrong = crate::doors::wrong(&doors);
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
}

#[test]
fn with_subordinate_ids_there_are_many() {
    let user = User::new();
    let run = |words: &[&str]| {
        spawn(&mut user.vitrine_with_sub_ids(&[&["run"], words].concat()), None).end()
    };
    let outcome = run(&["--", "cat", "/proc/self/uid_map"]);
    let map: Vec<&str> = outcome.out.split_whitespace().collect();
    let whole = ["0", "0", "1", "1", "1", "65534"];
    assert_eq!((outcome.status, &map[..]), (0, &whole[..]), "{outcome:?}");
    let outcome = run(&["--pid", "--", "cat", "/proc/self/uid_map"]);
    let map: Vec<u32> = outcome.out.split_whitespace().map(|word| word.parse().unwrap()).collect();
    assert_eq!(map, [0, user.uid, 1, 1, SUB_IDS, 65_536], "{outcome:?}");
    // Web and the observer are users of their own, which no machine has.
    let server = serve(user.vitrine_with_sub_ids(&["serve", "--listen", "127.0.0.1:0"]));
    let uid = |pid| proc::status(pid, "Uid").split_whitespace().next().unwrap().to_string();
    let (web, observer) = (server.service("vitrine-web"), server.service("vitrine-observer"));
    wait_for("the observer's own user", PATIENCE, || {
        (uid(observer) == (SUB_IDS + 65_535).to_string()).then_some(())
    });
    assert_eq!(uid(web), (SUB_IDS + 65_534).to_string());
    assert_eq!(proc::status(web, "Groups"), "");
    let mut page = server.client();
    let started = page.start(None, ContainerSpec::one_click());
    let mut term = Term::shell(&server, started.terminal.unwrap());
    let map = term.command("cat /proc/self/uid_map");
    assert_eq!(map.split_whitespace().take(6).collect::<Vec<_>>(), whole);
    let lacks = |feature| page.host().missing.iter().any(|missing| missing.feature == feature);
    assert!(!lacks(Feature::ManyIds) && !lacks(Feature::ServiceUsers) && lacks(Feature::OwnIds));
}

fn serve(mut command: std::process::Command) -> Server {
    Server::start_by(&mut command)
}

fn one_id_server(user: &User) -> Server {
    serve(user.vitrine(&["serve", "--listen", "127.0.0.1:0"]))
}

#[test]
fn a_server_of_an_ordinary_users_says_what_is_missing() {
    let user = User::new();
    let server = one_id_server(&user);
    let page = server.client();
    assert!(page.host().rootless);
    let missing = |feature| page.host().missing.iter().find(|missing| missing.feature == feature);
    for controller in Controller::ALL {
        let found = missing(Feature::Controller(controller)).unwrap();
        assert_eq!(found.because, Because::NotDelegated);
        assert!(!found.mend.is_empty());
    }
    let many = missing(Feature::ManyIds).unwrap();
    assert_eq!(many.because, Because::NoSubIds);
    assert!(many.mend.starts_with("sudo usermod --add-subuids "), "{}", many.mend);
    assert!(missing(Feature::OwnIds).is_some() && missing(Feature::ServiceUsers).is_some());
    for name in ["vitrine-web", "vitrine-observer"] {
        let pid = server.service(name);
        let kept = if name == "vitrine-web" { "0000000000000000" } else { "0000000000080004" };
        wait_for("its capabilities", PATIENCE, || {
            (proc::status(pid, "CapEff") == kept && proc::status(pid, "CapBnd") == kept)
                .then_some(())
        });
        assert_eq!(proc::status(pid, "NoNewPrivs"), "1");
    }
    // With root nothing of this is missing.
    let root = Server::start();
    let host = root.client().host().clone();
    assert!(!host.rootless);
    assert!(host.missing.iter().all(|m| m.because != Because::NotRoot), "{:?}", host.missing);
}

#[test]
fn two_containers_a_limit_and_the_end() {
    let user = User::new();
    let mut server = one_id_server(&user);
    let mut page = server.client();
    let first = page.start(None, ContainerSpec::one_click());
    let mut term = Term::shell(&server, first.terminal.unwrap());
    assert_eq!(term.command("echo $$"), "1\r\n/ # ");
    assert!(term.command("ps -o pid,comm").contains("    1 sh"));
    assert!(term.command("unshare -r true").contains("not permitted"));
    assert!(term.command("umount /proc/kallsyms").contains("not permitted"));
    assert!(term.command("cat /proc/self/setgroups").starts_with("deny"));
    // The second shares the machine's processes.
    let namespaces = NamespaceSet::ALL.with(Namespace::Pid, false).with(Namespace::User, false);
    let spec = ContainerSpec { namespaces, ..ContainerSpec::one_click() };
    let second = page.start(Some(first.machine), spec);
    let mut other = Term::shell(&server, second.terminal.unwrap());
    let ps = other.command("ps -o comm");
    assert!(ps.contains("init") && !ps.contains("vitrine"), "{ps}");
    let mark = mark();
    other.command(&format!("(setsid sleep {mark} &); (sleep {mark} &)"));
    wait_for("both sleep", PATIENCE, || (proc::with_word(&mark).len() == 2).then_some(()));
    // Samples know whose process is whose, and who the user is on the host.
    page.watch(first.machine, 4);
    page.sample("the sleeps", |sample| {
        let of = |id| sample.processes.iter().filter(move |p| p.container == Some(id));
        let sleeps = of(second.container).filter(|p| p.name == "sleep").count();
        let shell = of(first.container).find(|p| p.name == "sh")?;
        let whole = shell.namespaces.iter().all(|&inode| inode != 0);
        let ids = (shell.host_uid, shell.uid) == (user.uid, 0);
        (sleeps == 2 && whole && ids && shell.pid_at(2) == Some(1)).then_some(())
    });
    let group = GroupId::Container(second.container);
    page.sample("the group's processes", |sample| {
        sample.groups.iter().find(|g| g.group == group).filter(|g| g.pids == 3).map(|_| ())
    });
    refused(
        &mut page,
        Command::SetKnob { machine: first.machine, group, knob: Knob::PidsMax(Some(5)) },
    );
    let limits = Limits { pids_max: Some(5), ..Limits::default() };
    let spec = ContainerSpec { limits, ..ContainerSpec::one_click() };
    refused(&mut page, Command::StartContainer { machine: Some(first.machine), spec });
    // It ends, with everything that it started and nobody else.
    page.done(Command::StopContainer { machine: first.machine, container: second.container });
    assert_eq!(proc::with_word(&mark), [0; 0]);
    assert_eq!(term.command("echo still $$"), "still 1\r\n/ # ");
    // Web dies; the shell does not.
    Server::kill(server.service("vitrine-web"));
    while !term.gone {
        term.receive();
    }
    term.reopen(&server, first.terminal.unwrap());
    assert_eq!(term.command("echo again $$"), "again 1\r\n/ # ");
    let mut page = server.client();
    let argv = ["sh", "-c", "exec sleep 1000"].map(str::to_string).to_vec();
    let (machine, container) = (first.machine, first.container);
    let made = page.done(Command::Exec { machine, container, argv });
    let Some(Made::Process { pid }) = made else { panic!("{made:?}") };
    page.done(Command::EndMachine { machine });
    assert!(proc::is_dead(pid));
    assert_eq!(server.stop(), Some(0), "{}", server.log());
    assert_eq!(alive(user.uid), [0; 0]);
}

/// For want of a controller, with the reason and what mends it.
#[track_caller]
fn refused(page: &mut Client, command: Command) {
    match page.ask(command) {
        Answer::Refused { reason: Refusal::Missing { what: Lacking::Feature(what) }, hint } => {
            assert!(matches!(what.feature, Feature::Controller(_)), "{what:?}");
            assert!(what.because == Because::NotDelegated && !what.mend.is_empty(), "{what:?}");
            assert!(hint.contains("not delegated") && hint.contains("sudo"), "{hint}");
        }
        other => panic!("{other:?}"),
    }
}

#[test]
fn a_machine_without_a_cap_has_a_bound_on_its_processes() {
    let user = User::new();
    let server = one_id_server(&user);
    let mut page = server.client();
    let started = page.start(None, ContainerSpec::one_click());
    let mut term = Term::shell(&server, started.terminal.unwrap());
    let mark = mark();
    term.command(&format!("for i in $(seq 300); do sleep {mark} & done 2>/dev/null"));
    std::thread::sleep(Duration::from_millis(300));
    let sleeps = proc::with_word(&mark).len() as u64;
    assert!(sleeps > 100 && sleeps <= limits::MACHINE_PIDS.value, "{sleeps} processes");
    // Another container of the machine's has no more of them.
    let spec = ContainerSpec { argv: vec!["/bin/sh".into()], ..ContainerSpec::one_click() };
    if let Answer::Done { made: Some(Made::Container { terminal: Some(id), .. }), .. } =
        page.ask(Command::StartContainer { machine: Some(started.machine), spec })
    {
        let mut other = Term::shell(&server, id);
        other.command(&format!("for i in $(seq 300); do sleep {mark} & done 2>/dev/null"));
        std::thread::sleep(Duration::from_millis(300));
        let all = proc::with_word(&mark).len() as u64;
        assert!(all <= limits::MACHINE_PIDS.value + 8, "{all} processes in one machine");
    }
    let began = Instant::now();
    page.done(Command::EndMachine { machine: started.machine });
    assert_eq!(proc::with_word(&mark), [0; 0]);
    assert!(began.elapsed() < Duration::from_secs(3), "{:?}", began.elapsed());
}

#[test]
fn the_launcher_dies_and_everything_with_it() {
    let user = User::new();
    let mut server = one_id_server(&user);
    let mut page = server.client();
    let started = page.start(None, ContainerSpec::one_click());
    let pid = page.event("the container", |event| match event {
        Event::Machine(m) => m.containers.iter().find_map(|c| match c.state {
            ContainerState::Running { pid } if c.id == started.container => Some(pid),
            _ => None,
        }),
        _ => None,
    });
    let own: BTreeSet<String> = proc::namespaces(pid).into();
    assert_eq!(own.len(), 8);
    Server::kill(server.pid());
    server.wait();
    wait_for("everything dies", PATIENCE, || alive(user.uid).is_empty().then_some(()));
}

#[test]
fn a_host_that_allows_no_user_namespaces_is_recognised() {
    let user = User::new();
    let mut command = user.vitrine(&["run", "--", "true"]);
    command.uid(0).gid(0);
    let uid = user.uid;
    // SAFETY: system calls only; the limit is that of a user namespace of this child's own.
    unsafe {
        command.pre_exec(move || {
            nix::unistd::setgroups(&[])?;
            nix::unistd::setresgid(uid.into(), uid.into(), uid.into())?;
            nix::unistd::setresuid(uid.into(), uid.into(), uid.into())?;
            nix::sched::unshare(nix::sched::CloneFlags::CLONE_NEWUSER)?;
            fs::write("/proc/sys/user/max_user_namespaces", "0")?;
            Ok(())
        });
    }
    let outcome = spawn(&mut command, None).end();
    assert_eq!(outcome.status, 125, "{outcome:?}");
    assert!(outcome.err.contains("user.max_user_namespaces is 0"), "{outcome:?}");
    assert!(outcome.err.contains("sudo sysctl -w user.max_user_namespaces="), "{outcome:?}");
}
