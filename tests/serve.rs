//! `vitrine serve` from the click to the shell and back, and the privilege of its processes.

use std::time::{Duration, Instant};

use vitrine_shared::cgroup::{GroupId, Knob};
use vitrine_shared::limits;
use vitrine_shared::message::{
    Answer, Command, ContainerState, Event, Made, Refusal, Sample, StepName,
};
use vitrine_shared::namespace::{Namespace, NamespaceSet};
use vitrine_shared::spec::{ContainerSpec, SpecError};

use crate::harness::client::{Client, Codec, PATIENCE, Started};
use crate::harness::server::Server;
use crate::harness::term::Term;
use crate::harness::{proc, wait_for};

const BUSY: &str = "while : ; do : ; done";

fn words(words: &[&str]) -> Vec<String> {
    words.iter().map(|word| (*word).to_string()).collect()
}

/// A container without a terminal.
fn spec(argv: &[&str]) -> ContainerSpec {
    ContainerSpec { argv: words(argv), tty: false, ..ContainerSpec::one_click() }
}

/// CPU of a container's group, in thousandths of one CPU.
fn cpu(sample: &Sample, started: &Started) -> Option<u32> {
    let group = GroupId::Container(started.container);
    sample.groups.iter().find(|g| g.group == group).map(|g| g.cpu_permille)
}

#[test]
fn each_process_has_just_its_privilege() {
    const PTRACE_AND_READ: &str = "0000000000080004";
    let server = Server::start();
    let launcher = server.pid();
    let (web, observer) = (server.service("vitrine-web"), server.service("vitrine-observer"));
    for pid in [launcher, web, observer] {
        // One filter is the launcher's, inherited; the services load theirs when they are ready.
        let filters = if pid == launcher { "1" } else { "2" };
        wait_for("the filter", PATIENCE, || {
            (proc::status(pid, "Seccomp_filters") == filters).then_some(())
        });
        assert_eq!(proc::status(pid, "NoNewPrivs"), "1");
        assert_eq!(proc::status(pid, "Seccomp"), "2");
    }
    assert_eq!(proc::status(launcher, "Threads"), "1");
    let uid =
        |pid| proc::status(pid, "Uid").split_whitespace().map(str::to_string).collect::<Vec<_>>();
    for pid in [web, observer] {
        let uids = uid(pid);
        assert!(uids.iter().all(|uid| uid.parse::<u32>().unwrap() >= 2_000_000_000), "{uids:?}");
        assert_eq!(uid(pid), proc::status(pid, "Gid").split_whitespace().collect::<Vec<_>>());
        assert_eq!(proc::status(pid, "Groups"), "");
    }
    assert_ne!(uid(web), uid(observer));
    for set in ["CapInh", "CapPrm", "CapEff", "CapBnd", "CapAmb"] {
        assert_eq!(proc::status(web, set), "0000000000000000", "web {set}");
        let inherits = set == "CapInh" || set == "CapAmb";
        let wanted = if inherits { "0000000000000000" } else { PTRACE_AND_READ };
        assert_eq!(proc::status(observer, set), wanted, "observer {set}");
    }
    // Neither has a descriptor that leads to a file of the host's, but the observer's to the
    // kernel's log, which tells who was killed for memory.
    for pid in [web, observer] {
        for link in proc::descriptors(pid) {
            if pid == observer && link == "/dev/kmsg" {
                continue;
            }
            let fine = [
                "socket:",
                "anon_inode:",
                "/dev/null",
                "pipe:",
                "/memfd:",
                "/proc",
                "/sys/fs/cgroup",
            ];
            assert!(fine.iter().any(|start| link.starts_with(start)), "PID {pid} has {link} open");
        }
    }
}

#[test]
fn one_click_to_a_shell() {
    let server = Server::start();
    for codec in [Codec::Json, Codec::Postcard] {
        let mut page = Client::connect(&server, codec);
        let started = page.start(None, ContainerSpec::one_click());
        let mut term = Term::shell(&server, started.terminal.unwrap());
        let ps = term.command("ps -o pid,comm");
        assert!(ps.contains("    1 sh") && ps.contains(" ps\r\n"), "{ps:?}");
        assert_eq!(ps.lines().count(), 4, "{ps:?}");
        assert!(term.command("tty").contains("/dev/pts/0"));
        assert!(term.command("hostname").contains("container"));
        term.resize(100, 30);
        assert!(term.command("stty size").contains("30 100"));
        term.type_in("exit 3\r");
        let deadline = Instant::now() + Duration::from_secs(10);
        while term.exit.is_none() && Instant::now() < deadline {
            term.receive();
        }
        assert_eq!(term.exit, Some(3));
        page.event("the container has ended", |event| match event {
            Event::Machine(m) if m.id == started.machine => m.containers.iter().find_map(|c| {
                matches!(c.state, ContainerState::Exited { status: 3, .. }).then_some(())
            }),
            _ => None,
        });
        page.done(Command::EndMachine { machine: started.machine });
        page.event("the machine is gone", |event| match event {
            Event::MachineGone { machine } if machine == started.machine => Some(()),
            _ => None,
        });
    }
}

#[test]
fn the_step_for_proc_tells_what_is_mounted_there() {
    let server = Server::start();
    let mut page = server.client();
    let started = page.start(None, spec(&["sleep", "1000"]));
    let (pid, call) = page.event("the container", |event| match event {
        Event::Machine(m) if m.id == started.machine => m.containers.iter().find_map(|c| {
            let ContainerState::Running { pid } = c.state else { return None };
            let step = c.steps.iter().find(|step| step.name == StepName::Proc)?;
            Some((pid, step.call.clone()))
        }),
        _ => None,
    });
    let mountinfo = proc::read(pid, "mountinfo");
    let points = mountinfo.lines().filter_map(|line| line.split(' ').nth(4));
    let below_proc = points.filter(|point| point.starts_with("/proc/")).count();
    assert!(below_proc > 0, "{mountinfo}");
    assert_eq!(call, format!("mount(proc); mount(…, MS_BIND) ×{below_proc}"), "{mountinfo}");
}

#[test]
fn ctrl_c_gets_through_a_flood() {
    let server = Server::start();
    let started = server.client().start(None, ContainerSpec::one_click());
    let mut term = Term::shell(&server, started.terminal.unwrap());
    term.type_in("yes\r");
    term.read_until("yes\r\ny\r\n");
    let deadline = Instant::now() + Duration::from_secs(1);
    while Instant::now() < deadline {
        term.receive();
    }
    assert!(term.bytes.len() > 100_000, "{} bytes are no flood", term.bytes.len());
    let began = Instant::now();
    term.type_in("\x03");
    term.read_until("# ");
    assert!(began.elapsed() < Duration::from_secs(2), "after {:?}", began.elapsed());
    let still = term.command("echo still $$");
    assert_eq!(still, "still 1\r\n/ # ");
}

#[test]
fn what_is_in_a_machine_is_shut_in() {
    let server = Server::start();
    let mut page = server.client();
    let started = page.start(None, ContainerSpec::one_click());
    let mut term = Term::shell(&server, started.terminal.unwrap());
    let status = term.command("cat /proc/self/status");
    for set in ["CapInh", "CapPrm", "CapEff", "CapBnd", "CapAmb"] {
        assert_eq!(proc::field_of(&status, set), "0000000000000000", "{set}");
    }
    assert_eq!(proc::field_of(&status, "NoNewPrivs"), "1");
    assert_eq!(proc::field_of(&status, "Seccomp"), "2");
    let limits = term.command(
        "cd /proc/sys/user; grep -v '^0' max_*_namespaces; cat max_inotify_instances; cd /",
    );
    assert!(limits.starts_with("16\r\n"), "{limits:?}");
    // The directory is the image's, for lab machines; nothing is mounted there.
    term.says("ls -A /sys/fs/cgroup | wc -l; grep -c ' cgroup2* ' /proc/self/mounts", "0\r\n0\r\n");
    term.says("umount /proc/kallsyms", "not permitted");
    let size = term.command("wc -c < /proc/kallsyms");
    assert!(size.starts_with("0\r\n"), "{size:?}");
    term.says("unshare -r true", "not permitted");
    // The shell keeps its terminal as 10; 3 is the directory that is being listed.
    let fds = term
        .command("ls -l /proc/self/fd 2>/dev/null | grep -c ' /dev/'; ls /proc/self/fd | wc -l");
    assert!(fds.starts_with("3\r\n5\r\n"), "{fds}");
    let groups = term.command("cat /proc/self/cgroup");
    assert!(
        groups.lines().filter(|line| line.contains(':')).all(|l| l.ends_with(":/")),
        "{groups}"
    );
    let map = term.command("cat /proc/self/uid_map");
    let ids: Vec<&str> = map.split_whitespace().take(3).collect();
    assert_eq!(ids, ["0", "0", "65536"], "the machine's own ids, one to one");
    let machine = page.start(Some(started.machine), spec(&["sleep", "1000"]));
    assert_eq!(machine.machine, started.machine);
    // The machine's own PID 1, as the host sees it, tells nothing either.
    let init = page.event("the machine", |event| match event {
        Event::Machine(machine) => Some(machine.init_pid),
        _ => None,
    });
    assert_eq!(proc::read(init, "cmdline"), "init\0");
    assert_eq!(
        proc::read(init, "environ"),
        "PATH=/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin\0HOME=/root\0"
    );
    let mounts = proc::read(init, "mountinfo");
    assert!(!mounts.contains("/data/images") && !mounts.contains("ext4"), "{mounts}");
}

#[test]
fn a_sample_has_its_processes_with_three_pids() {
    let server = Server::start();
    let mut page = server.client();
    let started = page.start(None, ContainerSpec::one_click());
    page.watch(started.machine, 4);
    let shell = page.sample("the shell", |sample| {
        let found = sample.processes.into_iter().find(|p| p.container == Some(started.container));
        found.filter(|p| p.name == "sh")
    });
    assert_eq!(shell.pids.len(), 3, "{shell:?}");
    assert_eq!(shell.pid_at(2), Some(1));
    assert_eq!(proc::status(shell.host_pid(), "NSpid").split_whitespace().count(), 3);
    assert_eq!(shell.uid, 0);
    assert!(shell.host_uid >= 2_000_000_000);
    assert!(shell.namespaces.iter().all(|&inode| inode != 0), "{shell:?}");
    let host = proc::namespaces(shell.host_pid());
    assert!(host[0].contains(&shell.namespaces[0].to_string()), "{host:?} {shell:?}");
}

/// What a busy process used over some samples, in thousandths of one CPU.
#[derive(Debug)]
struct Busy {
    /// As the page shows it.
    shown: u32,
    /// As `/proc/<pid>/schedstat` has it.
    used: u32,
    /// Used, and waited for.
    wanted: u32,
    /// Periods in which it used up its quota, in thousandths of all.
    throttled: u32,
}

fn mean_cpu(page: &mut Client, started: &Started, pid: u32, samples: usize) -> Busy {
    let group = GroupId::Container(started.container);
    let find = |sample: Sample| sample.groups.into_iter().find(|g| g.group == group);
    page.forget();
    let first = page.sample("a fresh sample", find);
    let (began, before) = (Instant::now(), proc::cpu_and_wait_nsec(pid));
    let mut shown = Vec::new();
    page.sample("samples", |sample| {
        shown.extend(find(sample));
        (shown.len() == samples).then_some(())
    });
    let (took, after) = (began.elapsed().as_nanos() / 1_000, proc::cpu_and_wait_nsec(pid));
    let permille = |nsec: u64| u32::try_from(u128::from(nsec) / took).unwrap();
    let (used, waited) = (after.0 - before.0, after.1 - before.1);
    let last = shown.last().unwrap().cpu;
    let periods = (last.nr_periods - first.cpu.nr_periods).max(1);
    let throttled = (last.nr_throttled - first.cpu.nr_throttled) * 1000 / periods;
    let sum: u32 = shown.iter().map(|group| group.cpu_permille).sum();
    Busy {
        shown: sum / u32::try_from(samples).unwrap(),
        used: permille(used),
        wanted: permille(used + waited),
        throttled: u32::try_from(throttled).unwrap(),
    }
}

#[test]
fn a_busy_loop_takes_a_cpu_and_a_quota_takes_it_away() {
    let server = Server::start();
    let mut page = server.client();
    let started = page.start(None, ContainerSpec::one_click());
    let Started { machine, container, .. } = started;
    page.watch(machine, 4);
    let made = page.done(Command::Exec { machine, container, argv: words(&["sh", "-c", BUSY]) });
    let Some(Made::Process { pid }) = made else { panic!("{made:?}") };
    let busy = mean_cpu(&mut page, &started, pid, 12);
    // It wants a whole CPU; what it waits for one, others have.
    assert!(busy.wanted >= 950, "{busy:?}");
    assert!(busy.shown.abs_diff(busy.used) <= 50, "{busy:?}");
    let group = GroupId::Container(container);
    let knob = Knob::CpuMax { quota_usec: Some(20_000), period_usec: 100_000 };
    page.done(Command::SetKnob { machine, group, knob });
    page.listen(Duration::from_millis(600));
    page.forget();
    let held = mean_cpu(&mut page, &started, pid, 16);
    assert!(held.shown <= 215, "{held:?}");
    assert!(held.shown.abs_diff(held.used) <= 15, "{held:?}");
    // Where it did not use up its quota, others had the CPU: this host is busy, not we wrong.
    let least = if held.throttled >= 950 { 185 } else { 50 };
    assert!(held.shown >= least, "{held:?}");
    page.done(Command::StopExecs { machine, container });
    page.sample("idle again", |sample| (cpu(&sample, &started)? == 0).then_some(()));
    // The shell itself lives.
    Term::shell(&server, started.terminal.unwrap());
    page.done(Command::StopContainer { machine, container });
    let again = page.refused(Command::StopContainer { machine, container });
    assert!(matches!(again, Refusal::NotRunning { .. }), "{again:?}");
}

#[test]
fn flags_mean_in_a_machine_what_they_mean() {
    let server = Server::start();
    let mut page = server.client();
    let sleeper = page.start(None, spec(&["sleep", "1000"]));
    let machine = Some(sleeper.machine);
    let without = |namespace| NamespaceSet::ALL.with(namespace, false);
    // `--pid` alone shows the machine's processes, never the server's.
    let pid_only = ContainerSpec {
        namespaces: NamespaceSet::NONE.with(Namespace::Pid, true),
        remount_proc: false,
        hostname: None,
        ..ContainerSpec::one_click()
    };
    let started = page.start(machine, pid_only);
    let mut term = Term::shell(&server, started.terminal.unwrap());
    assert!(term.command("echo $$").starts_with("1\r\n"));
    let ps = term.command("ps -o pid,comm");
    assert!(ps.contains("    1 init") && ps.contains("sleep"), "{ps}");
    assert!(!ps.contains("vitrine") && !ps.contains("kthreadd"), "{ps}");
    assert!(term.command("hostname").starts_with("machine-"));
    for namespace in Namespace::ALL {
        let mut spec = ContainerSpec { namespaces: without(namespace), ..spec(&["sleep", "1000"]) };
        match namespace {
            Namespace::Mount => spec.remount_proc = false,
            Namespace::Uts => spec.hostname = None,
            _ => {}
        }
        let started = page.start(machine, spec);
        let (init, pid) = page.event("both PIDs", |event| match event {
            Event::Machine(machine) => {
                let found = machine.containers.iter().find(|c| c.id == started.container)?;
                let ContainerState::Running { pid } = found.state else { return None };
                Some((machine.init_pid, pid))
            }
            _ => None,
        });
        let differ = proc::differing(&proc::namespaces(init), &proc::namespaces(pid));
        let expected: Vec<_> =
            proc::NAMESPACES.into_iter().filter(|name| *name != namespace.proc_name()).collect();
        assert_eq!(differ, expected);
        let host = proc::differing(&proc::namespaces(std::process::id()), &proc::namespaces(pid));
        assert_eq!(host, proc::NAMESPACES, "nothing is shared with the server");
        page.done(Command::StopContainer {
            machine: started.machine,
            container: started.container,
        });
    }
    let mut remount = spec(&["true"]);
    remount.namespaces = without(Namespace::Mount);
    let refused = page.refused(Command::StartContainer { machine, spec: remount });
    assert_eq!(refused, Refusal::Spec(SpecError::RemountNeedsMount));
}

#[test]
fn a_limit_that_is_reached_is_named() {
    let server = Server::start();
    let mut page = server.client();
    let machine = page.start(None, spec(&["sleep", "1000"])).machine;
    for _ in 1..limits::CONTAINERS_PER_MACHINE.value {
        page.start(Some(machine), spec(&["sleep", "1000"]));
    }
    let spec_ = spec(&["true"]);
    let refused = page.refused(Command::StartContainer { machine: Some(machine), spec: spec_ });
    assert_eq!(refused, Refusal::Limit(limits::CONTAINERS_PER_MACHINE.into()));
    for _ in 1..limits::MACHINES_PER_PARTICIPANT.value {
        page.start(None, spec(&["sleep", "1000"]));
    }
    let refused = page.refused(Command::StartContainer { machine: None, spec: spec(&["true"]) });
    assert_eq!(refused, Refusal::Limit(limits::MACHINES_PER_PARTICIPANT.into()));
}

#[test]
fn a_program_that_is_not_there_is_a_failed_birth() {
    let server = Server::start();
    let mut page = server.client();
    let answer = page.ask(Command::StartContainer { machine: None, spec: spec(&["/nope"]) });
    let Answer::Failed { step, what, errno, hint } = answer else { panic!("{answer:?}") };
    assert!(
        step == StepName::Execve && what.contains("/nope") && errno == "ENOENT" && !hint.is_empty(),
        "{step:?} {what} {errno} {hint}"
    );
    // The machine that was made for it has gone with it.
    assert_eq!(proc::children(server.pid()).len(), 2, "only web and observer are left");
}
