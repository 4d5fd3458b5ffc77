//! Machines of profile `lab`, typed into a real terminal: the text's own commands as they stand
//! there, and what it takes to make a container by hand.

use std::time::Duration;

use vitrine_shared::cgroup::Dialect;
use vitrine_shared::message::{Command, Event, Made, Profile};
use vitrine_shared::namespace::NamespaceSet;
use vitrine_shared::spec::ContainerSpec;

use crate::harness::lab::{Lab, server};
use crate::harness::server::Server;
use crate::harness::term::Term;
use crate::harness::user::User;
use crate::harness::{bound, cgroup, proc, typed};

/// `%CPU` of a process, as `top` shows it over a second.
fn top(lab: &mut Lab, pid: &str) -> f64 {
    let text = lab.ok(&format!("top -b -n 2 -d 1 -p {pid}"));
    let line = text.lines().rfind(|line| line.split_whitespace().next() == Some(pid));
    let line = line.unwrap_or_else(|| panic!("no {pid} in {text}"));
    line.split_whitespace().nth(8).unwrap().parse().unwrap()
}

/// Others load this machine: sooner or later the loop gets what there is.
#[track_caller]
fn runs_free(lab: &mut Lab, pid: &str) {
    let seen: Vec<f64> =
        (0..15).map_while(|_| Some(top(lab, pid)).filter(|&cpu| cpu < 30.0)).collect();
    assert!(seen.len() < 15, "{seen:?}");
}

#[test]
fn the_texts_own_commands() {
    let server = server();
    let mut lab = Lab::start(&server);
    // 5.2: two eyes on the same processes. PID 1 is the machine's own.
    let ps = lab.ok("ps -e");
    assert!(
        ps.lines().any(|line| line.trim_start().starts_with("1 ") && line.ends_with("init")),
        "{ps}"
    );
    // 6.2: what can be limited.
    what_can_be_limited(&mut lab);
    let cpu = typed::dir("cpu", "");
    let files = lab.ok(&format!("ls {cpu}"));
    for file in
        ["cgroup.procs", "cpu.cfs_period_us", "cpu.cfs_quota_us", "cpu.shares", "cpu.stat", "tasks"]
    {
        let file = typed::file(file);
        assert!(files.split_whitespace().any(|name| name == file), "no {file} in {files}");
    }
    assert_eq!(typed::get(&mut lab, &cpu, "cpu.cfs_period_us"), "100000");
    assert_eq!(typed::get(&mut lab, &cpu, "cpu.cfs_quota_us"), "-1");
    // 6.3
    lab.ok(&format!("cd {cpu}/"));
    lab.ok("mkdir test_container");
    lab.ok("cd test_container");
    let job = lab.ok("while : ; do : ; done &");
    let pid = job.trim().strip_prefix("[1] ").unwrap_or_else(|| panic!("{job}")).to_string();
    runs_free(&mut lab, &pid);
    lab.ok(&format!("{}  #20000us=20ms", typed::set(".", "cpu.cfs_quota_us", "20000")));
    lab.ok(&typed::join(".", &pid));
    std::thread::sleep(Duration::from_millis(300));
    let after = top(&mut lab, &pid);
    // Others load this machine; what it may not have it never gets.
    assert!((5.0..24.0).contains(&after), "{after}");
    let throttled = lab.ok("cat cpu.stat");
    let n: u64 =
        throttled.lines().find_map(|l| l.strip_prefix("nr_throttled ")?.parse().ok()).unwrap();
    assert!(n > 5, "{throttled}");
    // 6.4: and `top` tells of the whole host, as the text says.
    let memory = lab.ok("head -1 /proc/meminfo");
    assert_eq!(memory, std::fs::read_to_string("/proc/meminfo").unwrap().lines().next().unwrap());
    // Out of the group again, and it is fast again.
    let out = match cgroup::dialect("cpu") {
        Dialect::V1 => "..",
        // A group that hands controllers on has no processes there: the shells have one of theirs.
        Dialect::V2 => {
            assert!(lab.fails(&typed::join("..", &pid)).contains("busy"));
            "../shell"
        }
    };
    let tasks = format!("{out}/{}", typed::file("tasks"));
    lab.ok(&format!("echo {pid} > {tasks}; cat {tasks} | grep -x {pid}"));
    runs_free(&mut lab, &pid);
    lab.ok(&format!("cd; kill %1; wait 2>/dev/null; rmdir {cpu}/test_container"));
}

/// v1 has a hierarchy for each controller, v2 one for all, and none of the text's paths.
fn what_can_be_limited(lab: &mut Lab) {
    let names = ["cpuset", "memory", "pids", "cpu"];
    if cgroup::dialect("cpu") == Dialect::V1 {
        let mounts = lab.ok("mount -t cgroup");
        for controller in names.into_iter().chain(["blkio", "freezer"]) {
            let line = format!("cgroup on /sys/fs/cgroup/{controller} type cgroup (rw,");
            assert!(mounts.contains(&line), "no {line} in {mounts}");
        }
        return;
    }
    let mounts = lab.ok("mount -t cgroup2");
    assert!(mounts.contains("cgroup2 on /sys/fs/cgroup type cgroup2 (rw,"), "{mounts}");
    assert_eq!(lab.ok("mount -t cgroup"), "");
    assert!(lab.fails("ls /sys/fs/cgroup/cpu").contains("No such file"));
    let has = lab.ok("cat /sys/fs/cgroup/cgroup.subtree_control");
    for controller in names.into_iter().chain(["io"]) {
        assert!(has.split_whitespace().any(|name| name == controller), "no {controller} in {has}");
    }
}

#[test]
fn a_container_made_by_hand() {
    let server = server();
    let mut lab = Lab::start(&server);
    // A PID namespace alone still shows the machine's processes; with its own /proc it does not.
    assert!(lab.ok("unshare --pid --fork ps -e").lines().count() > 3);
    let ps = lab.ok("unshare --pid --fork --mount-proc ps -e -o pid,comm");
    assert_eq!(ps.split_whitespace().collect::<Vec<_>>(), ["PID", "COMMAND", "1", "ps"]);
    let id = lab.ok("unshare -Urpf sh -c 'id -u; echo $$; cat /proc/self/uid_map'");
    let words: Vec<&str> = id.split_whitespace().collect();
    assert_eq!(words, ["0", "1", "0", "0", "1"]);
    let own = lab.ok("readlink /proc/self/ns/uts /proc/self/ns/mnt /proc/self/ns/ipc /proc/self/ns/cgroup /proc/self/ns/time");
    let new = lab.ok("unshare -u -m -i -C -T readlink /proc/self/ns/uts /proc/self/ns/mnt /proc/self/ns/ipc /proc/self/ns/cgroup /proc/self/ns/time_for_children");
    assert!(own.lines().all(|line| !new.contains(line)), "{own}\n{new}");
    lab.ok("mount -t tmpfs none /mnt");
    lab.ok("echo hello > /mnt/file; grep -q 'none /mnt tmpfs' /proc/mounts; umount /mnt");
    lab.fails("test -e /mnt/file");
    lab.ok("hostname teapot");
    assert_eq!(lab.ok("hostname"), "teapot");
    assert_ne!(std::fs::read_to_string("/proc/sys/kernel/hostname").unwrap().trim(), "teapot");
    // A root of its own, by the oldest means and by the newer.
    lab.ok("mkdir -p /tmp/root && mount --rbind / /tmp/root && mkdir -p /tmp/root/tmp/old");
    assert!(lab.ok("chroot /tmp/root /bin/sh -c 'ls /'").contains("proc"));
    lab.ok("unshare -m sh -c 'mount --make-rprivate /; cd /tmp/root; pivot_root . tmp/old; umount -l /tmp/old; ls /bin/sh'");
    // Users beside root: what it may give away, and what they then lack.
    lab.ok("touch /tmp/theirs; chown 65534 /tmp/theirs");
    assert!(
        lab.ok("setpriv --reuid 65534 --clear-groups cat /proc/self/status")
            .contains("CapEff:\t0000000000000000")
    );
    let left = lab.ok("cat /proc/self/status");
    for set in ["CapPrm", "CapEff", "CapBnd"] {
        assert_eq!(proc::field_of(&left, set), "00000000802400eb", "{set}");
    }
    assert_eq!(proc::field_of(&left, "NoNewPrivs"), "1");
}

#[test]
fn groups_of_ones_own_below_the_machines_cap() {
    let server = server();
    let mut lab = Lab::start(&server);
    above_the_cap(&server, &mut lab);
    // Every hierarchy is there, and one's own limits hold.
    let few = typed::dir("pids", "few");
    lab.ok(&format!("mkdir {few} && {}", typed::set(&few, "pids.max", "4")));
    let join = typed::join(&few, "$$");
    let many = lab.fails(&format!("sh -c '{join}; for i in 1 2 3 4 5; do sleep 1 & done; wait'"));
    assert!(many.contains("fork"), "{many}");
    let small = typed::dir("memory", "small");
    lab.ok(&format!("mkdir {small} && {}", typed::set(&small, "memory.limit_in_bytes", "8388608")));
    let join = typed::join(&small, "$$");
    lab.fails(&format!("sh -c '{join}; exec dd if=/dev/zero of=/dev/null bs=64M count=1'"));
    let cold = typed::dir("freezer", "cold");
    lab.ok(&format!("mkdir {cold}; sleep 1000 & {}", typed::join(&cold, "$!")));
    lab.ok(&format!("{}; sleep 0.2", typed::set(&cold, "freezer.state", "FROZEN")));
    assert_eq!(typed::get(&mut lab, &cold, "freezer.state"), "FROZEN");
    // Nothing above is in view.
    assert!(!lab.ok("cat /proc/self/cgroup").contains(".."));
    // The page sees processes in groups that it did not make.
    let frozen = lab.ok(&format!("cat {cold}/{}", typed::file("tasks"))).parse::<u32>().unwrap();
    let deep = typed::dir("pids", "deep/er");
    lab.ok(&format!("mkdir -p {deep}; {}", typed::join(&deep, &frozen.to_string())));
    let machine = lab.shell.machine;
    lab.page.watch(machine, 4);
    lab.page.forget();
    lab.page.sample("the frozen one", |s| {
        s.processes.iter().any(|p| p.pid_at(1) == Some(frozen)).then_some(())
    });
    let begun = std::time::Instant::now();
    lab.page.done(Command::EndMachine { machine });
    assert!(begun.elapsed() < bound(Duration::from_secs(3)), "{:?}", begun.elapsed());
}

/// The machine may use 1.5 CPUs. On v1 the kernel refuses a child that says more. On v2 it lets the
/// child say it, and the machine's cap holds all the same.
fn above_the_cap(server: &Server, lab: &mut Lab) {
    let above = typed::dir("cpu", "above");
    lab.ok(&format!("mkdir {above}"));
    let more = typed::set(&above, "cpu.cfs_quota_us", "160000");
    match cgroup::dialect("cpu") {
        Dialect::V1 => {
            let refused = lab.fails(&more);
            assert!(refused.contains("Invalid argument"), "{refused}");
        }
        Dialect::V2 => {
            lab.ok(&more);
            let name = lab.shell.machine.to_string()[..12].to_string();
            let machine = cgroup::of_instance_in(server.pid(), "cpu").join(name);
            let used = || cgroup::number(&machine, "cpu.stat", "usage_usec");
            let join = typed::join(&above, "$$");
            let started = format!("sh -c '{join}; while : ; do : ; done' & sleep 0.2");
            (0..4).for_each(|_| drop(lab.ok(&started)));
            let (began, before) = (std::time::Instant::now(), used());
            std::thread::sleep(Duration::from_millis(1_500));
            let (took, after) = (began.elapsed(), used());
            lab.run("kill $(jobs -p); wait");
            let share = Duration::from_micros(after - before).as_secs_f64() / took.as_secs_f64();
            assert!(share < 1.6, "{share}");
        }
    }
    lab.ok(&typed::set(&above, "cpu.cfs_quota_us", "140000"));
}

#[test]
fn containers_of_the_page_are_strict_in_a_lab_machine_too() {
    let server = server();
    let mut lab = Lab::start(&server);
    let shared = ContainerSpec {
        namespaces: NamespaceSet::NONE,
        remount_proc: false,
        hostname: None,
        ..ContainerSpec::one_click()
    };
    for spec in [
        ContainerSpec::one_click(),
        shared,
        ContainerSpec { init: true, ..ContainerSpec::one_click() },
    ] {
        let own = spec.namespaces == NamespaceSet::ALL;
        let started = lab.page.start(Some(lab.shell.machine), spec);
        let mut term = Term::shell(&server, started.terminal.unwrap());
        let status = term.command("cat /proc/self/status");
        for set in ["CapPrm", "CapEff", "CapBnd"] {
            assert!(status.contains(&format!("{set}:\t0000000000000000")), "{status}");
        }
        for refused in
            ["mount -t tmpfs none /mnt", "unshare -m true", "umount /proc/keys", "hostname x"]
        {
            let said = term.command(&format!("{refused} 2>&1 && echo do''ne"));
            assert!(!said.contains("done") && said.contains("ermi"), "{refused}: {said}");
        }
        assert!(term.command("wc -c < /proc/kallsyms").contains("0\r\n"));
        let ps = term.command("ps");
        assert_eq!(ps.contains("bash"), !own, "{ps}");
        lab.page.done(Command::StopContainer {
            machine: started.machine,
            container: started.container,
        });
    }
    // One that shared the mounts of the machine has left none there.
    assert!(!lab.ok("cat /proc/mounts").contains("/run/containers/"));
}

#[test]
fn both_profiles_on_one_server() {
    let server = server();
    let mut page = server.client();
    for (profile, can) in [(Profile::Strict, false), (Profile::Lab, true)] {
        let Some(Made::Machine { machine }) = page.done(Command::StartMachine { profile }) else {
            panic!()
        };
        let record = page.event("the machine", |event| match event {
            Event::Machine(m) if m.id == machine => Some(m),
            _ => None,
        });
        assert_eq!(record.profile, profile);
        let shell = page.start(Some(machine), ContainerSpec::machine_shell());
        let mut term = Term::shell(&server, shell.terminal.unwrap());
        let said = term.command("mount -t tmpfs none /mnt && echo moun''ted");
        assert_eq!(said.contains("mounted"), can, "{said}");
        let said = term.command("docker run busybox true; echo =$?=");
        assert!(said.contains(if can { "=0=" } else { "=125=" }), "{said}");
        assert_eq!(said.contains("its profile is strict"), !can, "{said}");
        page.done(Command::EndMachine { machine });
        page.forget();
    }
    // The default of a server that is not told otherwise: see `shell`.
    let strict = Server::start_with(&["--profile", "strict"]);
    let machine = strict.client().start(None, ContainerSpec::machine_shell()).machine;
    let profile = strict.client().event("the machine", |event| match event {
        Event::Machine(m) if m.id == machine => Some(m.profile),
        _ => None,
    });
    assert_eq!(profile, Profile::Strict);
    assert!(!cgroup::of_instance(server.pid()).is_empty());
}

#[test]
fn a_lab_of_an_ordinary_users() {
    let user = User::new();
    let mut command = user.vitrine(&["serve", "--listen", "127.0.0.1:0", "--profile", "lab"]);
    let server = Server::start_by(&mut command);
    let mut lab = Lab::start(&server);
    lab.ok("mount -t tmpfs none /mnt && umount /mnt && hostname teapot");
    let ps = lab.ok("unshare --pid --fork --mount-proc ps -e -o pid,comm");
    assert_eq!(ps.split_whitespace().collect::<Vec<_>>(), ["PID", "COMMAND", "1", "ps"]);
    lab.ok("unshare -Urpf true");
    // Without groups of its own it sees and mounts none, by no route: they would be the user's.
    for line in [
        "mount -t cgroup -o cpu none /mnt",
        "mount -t cgroup2 none /mnt",
        "unshare -C true",
        "unshare -UrCm mount -t cgroup2 none /mnt",
        "unshare -Urn true",
        "umount /proc",
    ] {
        lab.fails(line);
    }
    assert_eq!(lab.ok("ls /sys/fs/cgroup"), "");
    // The text's line all the same; a limit that cannot be kept is refused.
    let ran = lab.ok("docker run --hostname kettle busybox sh -c 'hostname; echo $$'");
    assert!(ran.ends_with("kettle\n1"), "{ran}");
    let (said, status) = lab.run("docker run --cpu-quota=20000 busybox true");
    assert!(status == 125 && said.contains("no cgroup controller cpu"), "{said}");
}
