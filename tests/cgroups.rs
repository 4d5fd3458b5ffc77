//! Groups of both dialects, with what the kernel really does: here where it has v1, and in the VM
//! of `cargo xtask test --only vm` where it has v2 only. One test is one question.

#![allow(clippy::print_stdout, reason = "figures, for those who look")]

use std::fs;
use std::os::unix::fs::chown;
use std::os::unix::process::CommandExt as _;
use std::path::{Path, PathBuf};
use std::process::{Command as Process, Stdio};
use std::time::{Duration, Instant};

use vitrine_shared::cgroup::{Dialect, GroupId, Knob};
use vitrine_shared::message::{Answer, Command, Event, Happening};
use vitrine_shared::spec::{ContainerSpec, Limits};

use crate::harness::cgroup::{self, by_dialect};
use crate::harness::client::{Client, Started};
use crate::harness::command::{PATIENCE, output, start};
use crate::harness::server::Server;
use crate::harness::{binary, data, proc, wait_for};

const BUSY: &str = "while : ; do : ; done";

fn spec(script: &str) -> ContainerSpec {
    let argv = ["sh", "-c", script].map(str::to_string).to_vec();
    ContainerSpec { argv, tty: false, ..ContainerSpec::one_click() }
}

/// The directory of a container in the hierarchy of a controller.
fn directory(server: &Server, started: &Started, controller: &str, path: &str) -> PathBuf {
    let ours = cgroup::of_instance_in(server.pid(), controller);
    ours.join(&started.machine.to_string()[..12]).join(path)
}

#[test]
fn the_quota_scenario() {
    let flags = ["--cpu-quota", "20000", "--cpu-period", "100000", "--", "sh", "-c", BUSY];
    let running = start(&flags, None);
    let cpu = cgroup::of_run(running.pid(), "cpu");
    wait_for("the busy loop", PATIENCE, || (!cgroup::procs(&cpu).is_empty()).then_some(()));
    let read = || {
        let number = |key| cgroup::number(&cpu, "cpu.stat", key);
        let used: u64 = cgroup::procs(&cpu).into_iter().map(|p| proc::cpu_and_wait_nsec(p).0).sum();
        (number("nr_periods"), number("nr_throttled"), used / 1000)
    };
    // Past the start, which has its own share of the first periods.
    std::thread::sleep(Duration::from_millis(500));
    let (began, before) = (Instant::now(), read());
    std::thread::sleep(Duration::from_secs(5));
    let (elapsed, after) = (began.elapsed(), read());
    let share = (after.2 - before.2) as f64 / elapsed.as_micros() as f64;
    let (periods, throttled) = (after.0 - before.0, after.1 - before.1);
    println!("20000/100000: {:.1} % of a CPU, {throttled} of {periods} periods", share * 100.0);
    assert!((0.15..=0.23).contains(&share), "{share}");
    assert!((40..=52).contains(&periods), "{periods} periods in {elapsed:?}");
    // On a busy host it does not get to use up every quota.
    assert!(throttled * 10 >= periods * 7, "throttled in {throttled} of {periods}");
}

#[test]
fn a_container_is_born_in_its_group() {
    let server = Server::start();
    let mut page = server.client();
    let started = page.start(None, spec("sleep 1000"));
    let machine = page.event("the machine", |event| match event {
        Event::Machine(machine) if !machine.containers.is_empty() => Some(machine),
        _ => None,
    });
    let calls = |steps: &[vitrine_shared::message::Step]| {
        steps.iter().map(|step| step.call.clone()).collect::<Vec<_>>().join("\n")
    };
    for calls in [calls(&machine.steps), calls(&machine.containers[0].steps)] {
        let into = calls.contains("CLONE_INTO_CGROUP");
        assert_eq!(into, cgroup::dialect("pids") == Dialect::V2, "{calls}");
    }
    // The machine's PID 1 stands in a group of its own, so that `root` can hand out controllers.
    let shell = directory(&server, &started, "memory", "root/shell");
    assert_eq!(cgroup::procs(&shell), [machine.init_pid]);
    let file = by_dialect("memory", "memory.usage_in_bytes", "memory.current");
    // It has the controllers: what it touched before it moved stays with `root`.
    cgroup::read(&shell, file).parse::<u64>().unwrap();
    // Inside, one's own group is the root.
    let own = output(&["--", "cat", "/proc/self/cgroup"]);
    assert!(own.lines().all(|line| line.ends_with(":/") || line.ends_with(":/..")), "{own}");
}

/// A group of this test's own, given to an ordinary user. Removed in the end.
struct Given {
    dirs: Vec<PathBuf>,
}

const USER: u32 = 100_000;

impl Given {
    fn new() -> Self {
        let mut roots: Vec<PathBuf> =
            ["cpu", "pids"].into_iter().filter_map(cgroup::hierarchy).collect();
        roots.dedup();
        let name = format!("vitrine-test-{}", std::process::id());
        let dirs: Vec<PathBuf> = roots.iter().map(|root| root.join(&name)).collect();
        let given = Given { dirs };
        for (root, dir) in roots.iter().zip(&given.dirs) {
            if cgroup::dialect("cpu") == Dialect::V2 {
                cgroup::write(root, "cgroup.subtree_control", "+cpu +pids +memory");
            }
            fs::create_dir(dir).unwrap();
            let files = by_dialect(
                "cpu",
                ["", "tasks", "cgroup.procs"],
                ["", "cgroup.subtree_control", "cgroup.procs"],
            );
            for file in files {
                chown(dir.join(file), Some(USER), Some(USER)).unwrap();
            }
        }
        given
    }

    fn dir(&self, controller: &str) -> &Path {
        let root = cgroup::hierarchy(controller).unwrap();
        self.dirs.iter().find(|dir| dir.starts_with(&root)).unwrap()
    }

    /// A shell of that user in the group, with this to do.
    fn shell(&self, script: &str) -> String {
        let mut doors = Vec::new();
        for dir in &self.dirs {
            doors.push(dir.join("cgroup.procs"));
        }
        let mut shell = Process::new("/bin/busybox");
        shell.args(["sh", "-c", script]).env("CPU", self.dir("cpu")).env("PIDS", self.dir("pids"));
        shell.stdin(Stdio::null()).stdout(Stdio::piped()).stderr(Stdio::piped());
        // SAFETY: writes to open files and changes ids, as is allowed between fork and exec; what
        // is allocated was allocated before.
        unsafe {
            shell.pre_exec(move || {
                for door in &doors {
                    fs::write(door, "0")?;
                }
                nix::unistd::setgroups(&[])?;
                nix::unistd::setgid(USER.into())?;
                nix::unistd::setuid(USER.into())?;
                Ok(())
            });
        }
        let child = shell.spawn().expect("busybox");
        let out = child.wait_with_output().expect("the shell");
        format!("{}{}", String::from_utf8_lossy(&out.stdout), String::from_utf8_lossy(&out.stderr))
    }
}

impl Drop for Given {
    fn drop(&mut self) {
        for dir in &self.dirs {
            for child in ["own", "child", ""] {
                for _ in 0..200 {
                    for pid in cgroup::procs(&dir.join(child)) {
                        let pid = nix::unistd::Pid::from_raw(pid.cast_signed());
                        let _ = nix::sys::signal::kill(pid, nix::sys::signal::Signal::SIGKILL);
                    }
                    match fs::remove_dir(dir.join(child)) {
                        Err(err) if err.raw_os_error() == Some(libc::EBUSY) => {
                            std::thread::sleep(Duration::from_millis(10));
                        }
                        _ => break,
                    }
                }
            }
        }
    }
}

#[test]
fn what_is_given_to_a_user_is_theirs_below_and_capped_above() {
    let given = Given::new();
    cgroup::set_quota(given.dir("cpu"), 50_000, 100_000);
    cgroup::write(given.dir("pids"), "pids.max", "12");
    // In v2 whoever hands controllers to children stands below; in v1 anywhere.
    let (prepare, move_in, quota, uncap) = by_dialect(
        "cpu",
        (
            "mkdir $CPU/child; [ $CPU = $PIDS ] || mkdir $PIDS/child",
            "echo $b > $CPU/child/tasks; echo $b > $PIDS/child/tasks",
            "echo 20000 > $CPU/child/cpu.cfs_quota_us",
            "echo -1 > $CPU/cpu.cfs_quota_us",
        ),
        (
            "echo +memory > $CPU/cgroup.subtree_control && echo no EBUSY\n\
             mkdir $CPU/own $CPU/child; echo $$ > $CPU/own/cgroup.procs\n\
             echo +cpu +pids > $CPU/cgroup.subtree_control",
            "echo $b > $CPU/child/cgroup.procs",
            "echo 20000 100000 > $CPU/child/cpu.max",
            "echo max > $CPU/cpu.max",
        ),
    );
    let script = format!(
        "{prepare}\n{quota}\n(while : ; do : ; done) & b=$!\ntrap 'kill $b' EXIT\n{move_in}\nsleep 3\n\
         cat $CPU/child/cpu.stat; cat $PIDS/child/pids.current\n\
         {uncap} && echo uncapped\necho 1000 > $PIDS/pids.max && echo more\n\
         echo 1000 > $PIDS/child/pids.max || echo child refused\n\
         i=0; while [ $i -lt 20 ]; do sleep 2 & i=$((i+1)); done; echo all were started"
    );
    let said = given.shell(&script);
    println!("{said}");
    let number = |key: &str| -> u64 {
        let line = said.lines().find_map(|line| line.strip_prefix(key)?.trim().parse().ok());
        line.unwrap_or_else(|| panic!("no {key} in {said}"))
    };
    // It made a child, set a quota there and moved its own process in: it is held.
    let (periods, throttled) = (number("nr_periods"), number("nr_throttled"));
    assert!(periods >= 15 && throttled * 10 >= periods * 7, "{throttled} of {periods}");
    // Its own cap is not its to lift, and a child's promise is worth no more than the cap.
    assert!(!said.contains("uncapped") && !said.contains("more\n"), "{said}");
    assert!(said.contains("ermission denied"), "{said}");
    assert!(said.contains("can't fork") && !said.contains("all were started"), "{said}");
    if cgroup::dialect("cpu") == Dialect::V2 {
        // The rule that shapes the layout of a machine.
        assert!(said.contains("busy") && !said.contains("no EBUSY"), "{said}");
    }
}

/// Time from the command to stop a container to its answer.
#[track_caller]
fn time_to_stop(page: &mut Client, started: &Started) -> Duration {
    let Started { machine, container, .. } = *started;
    let began = Instant::now();
    page.done(Command::StopContainer { machine, container });
    began.elapsed()
}

#[test]
fn throttled_and_frozen_containers_die_at_once() {
    let server = Server::start();
    let mut page = server.client();
    let many = "for i in 1 2 3 4 5 6 7 8; do (while : ; do : ; done) & done; wait";
    let tiny = Knob::CpuMax { quota_usec: Some(1_000), period_usec: 1_000_000 };
    let mut machine = None;
    for knobs in [vec![tiny.clone()], vec![Knob::Freeze(true)], vec![tiny, Knob::Freeze(true)]] {
        let started = page.start(machine, spec(many));
        machine = Some(started.machine);
        let index = page_names(&mut page, &started);
        let dir = directory(&server, &started, "pids", &format!("root/{index}"));
        wait_for("the spinners", PATIENCE, || (cgroup::procs(&dir).len() >= 9).then_some(()));
        let group = GroupId::Container(started.container);
        for knob in &knobs {
            page.done(Command::SetKnob { machine: started.machine, group, knob: knob.clone() });
        }
        // Until they are really held.
        std::thread::sleep(Duration::from_millis(300));
        let took = time_to_stop(&mut page, &started);
        println!("{knobs:?}: 9 processes dead in {took:?}");
        assert!(!dir.exists());
        assert!(took < Duration::from_millis(900), "{knobs:?}: {took:?}");
    }
}

/// The short name of a container.
fn page_names(page: &mut Client, started: &Started) -> String {
    page.event("the container's name", |event| match event {
        Event::Machine(machine) if machine.id == started.machine => {
            machine.containers.iter().find(|c| c.id == started.container).map(|c| c.name.clone())
        }
        _ => None,
    })
}

#[test]
fn nobody_is_born_into_a_frozen_group() {
    let server = Server::start();
    let mut page = server.client();
    let started = page.start(None, spec("sleep 1000"));
    let Started { machine, container, .. } = started;
    let group = GroupId::Container(container);
    page.done(Command::SetKnob { machine, group, knob: Knob::Freeze(true) });
    let began = Instant::now();
    let argv = vec!["true".to_string()];
    match page.ask(Command::Exec { machine, container, argv: argv.clone() }) {
        Answer::Failed { errno, .. } => assert_eq!(errno, "EBUSY"),
        other => panic!("{other:?}"),
    }
    // The launcher has one thread: it does not wait for what cannot happen.
    assert!(began.elapsed() < Duration::from_secs(1), "{:?}", began.elapsed());
    page.done(Command::SetKnob { machine, group, knob: Knob::Freeze(false) });
    page.done(Command::Exec { machine, container, argv });
}

#[test]
fn too_much_memory_kills_and_is_told() {
    let server = Server::start();
    let mut page = server.client();
    let limits = Limits { memory_bytes: Some(24 << 20), ..Limits::default() };
    let quiet = ContainerSpec { limits, ..spec("sleep 1000 & sleep 1000 & wait; sleep 1000") };
    let Started { machine, container, .. } = page.start(None, quiet);
    page.watch(machine, 4);
    let group = GroupId::Container(container);
    let whole = cgroup::dialect("memory") == Dialect::V2;
    if whole {
        page.done(Command::SetKnob { machine, group, knob: Knob::OomGroup(true) });
    }
    let eater = ["dd", "if=/dev/zero", "of=/dev/null", "bs=64M", "count=1"].map(str::to_string);
    page.done(Command::Exec { machine, container, argv: eater.to_vec() });
    let mut killed = false;
    let mut exited = false;
    page.event("the kill, told in the feed", |event| {
        if let Event::Feed { entries, .. } = &event {
            for entry in entries {
                killed |= matches!(&entry.what, Happening::OomKilled { .. });
                exited |= matches!(&entry.what, Happening::ContainerExited { status: 137, .. });
            }
        }
        // With memory.oom.group all of it goes, its first process too.
        (killed && (exited || !whole)).then_some(())
    });
    if !whole {
        page.listen(Duration::from_millis(300));
        let still = page.ask(Command::StopExecs { machine, container });
        assert!(matches!(still, Answer::Done { .. }), "v1 kills the eater only: {still:?}");
    }
}

/// `vitrine run` where systemd seems to run, with a stand-in for `systemd-run` on PATH.
#[test]
fn under_systemd_it_asks_for_a_delegated_scope() {
    let dir = tempfile::tempdir_in(env!("CARGO_TARGET_TMPDIR")).unwrap();
    let stand_in = dir.path().join("systemd-run");
    let told = dir.path().join("told");
    // It notes what it is asked for, and becomes the command as the real one does.
    let script = format!(
        "#!/bin/busybox sh\necho \"$@\" > {}\nwhile [ \"$1\" != -- ]; do shift; done; shift\nexec \"$@\"\n",
        told.display()
    );
    fs::write(&stand_in, script).unwrap();
    std::os::unix::fs::chown(&stand_in, Some(0), Some(0)).unwrap();
    let mode = std::os::unix::fs::PermissionsExt::from_mode(0o755);
    fs::set_permissions(&stand_in, mode).unwrap();
    // systemd's mark, in a mount namespace of its own.
    let run = |path: &str| {
        let inside = format!(
            "mkdir -p /run/systemd && mount -t tmpfs tmpfs /run/systemd && mkdir /run/systemd/system && exec {} run --pid -- true",
            binary().display()
        );
        let mut unshare = Process::new("/bin/busybox");
        unshare.args(["unshare", "-m", "/bin/busybox", "sh", "-c", &inside]);
        let path = format!("{path}:/bin:/usr/bin:/sbin:/usr/sbin");
        unshare.env("PATH", path).env("VITRINE_DATA", data()).output().unwrap()
    };
    let out = run(&dir.path().display().to_string());
    let err = String::from_utf8_lossy(&out.stderr).into_owned();
    if cgroup::dialect("cpu") == Dialect::V1 {
        // v1 hierarchies are nobody's: there is nothing to ask for.
        assert_eq!(out.status.code(), Some(0), "{err}");
        assert!(!told.exists());
        return;
    }
    let asked = fs::read_to_string(&told).unwrap();
    assert!(asked.starts_with("--scope --quiet --collect --property=Delegate=yes --unit=vitrine-"));
    assert!(asked.trim_end().ends_with("run --pid -- true"), "{asked}");
    // The stand-in delegates nothing, and that is said and not tried again.
    assert_eq!(out.status.code(), Some(125), "{err}");
    assert!(err.contains("Delegate=yes"), "{err}");
    // Without systemd-run it says where that comes from.
    let out = run("/nowhere");
    let err = String::from_utf8_lossy(&out.stderr).into_owned();
    if !["/bin/systemd-run", "/usr/bin/systemd-run"].iter().any(|path| Path::new(path).exists()) {
        assert_eq!(out.status.code(), Some(125), "{err}");
        assert!(err.contains("systemd-run is not on PATH"), "{err}");
    }
}
