//! What stays shut in a machine of profile `lab`, and what its owner cannot do to the launcher,
//! which has to go in there with more privilege than they have. Each with a control.

use std::collections::BTreeSet;
use std::time::{Duration, Instant};

use vitrine_shared::cgroup::Dialect;
use vitrine_shared::message::{Answer, Command, ContainerState, Event};
use vitrine_shared::namespace::NamespaceSet;
use vitrine_shared::spec::ContainerSpec;

use crate::doors::{Doors, allowed, parse};
use crate::harness::image::with_probe;
use crate::harness::lab::{Lab, server};
use crate::harness::server::Server;
use crate::harness::term::Term;
use crate::harness::{bound, cgroup, mark, proc, typed, wait_for};

/// What must be said of a door in the machine's own shell: as in a strict container, but for what
/// the profile is for, and for `/proc`, where ids are the wall.
fn allowed_in_lab(name: &str) -> &'static [&'static str] {
    match name {
        "unshare_net" | "clone_net" => &["EPERM"],
        _ if name.starts_with("unshare_") || name.starts_with("clone_") => &["OPEN"],
        "setns_own" | "setuid" | "mount" | "chroot" | "sethostname" | "setdomainname" => &["OPEN"],
        "setns" => &["EBADF"],
        // The kernel's own: what was there is locked, or not a mount.
        "remount_rw" | "pivot_root" => &["EINVAL"],
        _ if name.starts_with("umount2_") => &["EINVAL"],
        // libmount falls back to mount(2).
        "fsopen" | "fsconfig" | "fsmount" | "fspick" | "open_tree" | "open_tree_clone"
        | "move_mount" | "mount_setattr" => &["ENOSYS"],
        "list:/sys/fs/cgroup" => &["OPEN"],
        "read:/proc/kallsyms"
        | "read:/proc/interrupts"
        | "read:/proc/keys"
        | "read:/proc/key-users"
        | "read:/proc/iomem"
        | "read:/proc/config.gz"
        | "read:/proc/softirqs"
        | "read:/proc/zoneinfo"
        | "read:/proc/modules" => &["OPEN", "ENOENT", "EMPTY"],
        _ if name.starts_with("read:") || name.starts_with("list:") => {
            &["EACCES", "EPERM", "ENOENT", "EMPTY"]
        }
        _ => allowed(name),
    }
}

fn probe_in(lab: &Lab) {
    std::fs::copy(format!("{}/bin/probe", with_probe()), lab.path("/root/probe")).unwrap();
}

fn doors(lab: &mut Lab, line: &str) -> Doors {
    let (text, status) = lab.run(line);
    assert_eq!(status, 0, "{text}");
    parse(&text)
}

#[test]
fn only_the_doors_that_the_profile_is_for_are_open() {
    let server = server();
    let mut lab = Lab::start(&server);
    probe_in(&lab);
    let plain = doors(&mut lab, "/root/probe doors");
    let wrong: Vec<String> = plain
        .iter()
        .filter(|(name, result)| !allowed_in_lab(name).contains(&result.as_str()))
        .map(|(name, result)| format!("{name}: {result}, not {:?}", allowed_in_lab(name)))
        .collect();
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
    // With every capability there is, in a user namespace of one's own, no other door opens.
    let nested = doors(&mut lab, "unshare -Urmui --propagation private /root/probe doors");
    let more: Vec<_> = nested
        .iter()
        .filter(|(name, result)| *result == "OPEN" && !allowed_in_lab(name).contains(&"OPEN"))
        .collect();
    assert!(more.is_empty(), "{more:?}");
    for name in [
        "AF_PACKET",
        "AF_ALG",
        "NETLINK_NETFILTER",
        "raw_icmp",
        "bpf",
        "io_uring_setup",
        "userfaultfd",
        "unshare_net",
        "mknod_block",
    ] {
        assert_eq!(nested[name], "EPERM", "{name}");
    }
    assert!(
        lab.ok("unshare -Ur grep CapEff /proc/self/status").contains("000001ffffffffff"),
        "the control"
    );
}

#[test]
fn no_new_network_by_any_route() {
    let server = server();
    let mut lab = Lab::start(&server);
    for line in [
        "unshare -n true",
        "unshare -Urn true",
        "unshare -Urnm true",
        "ip netns add other",
        "ip link add d0 type dummy",
        "ip link set lo down",
    ] {
        let said = lab.fails(line);
        assert!(said.contains("ermi") || said.contains("ermitted"), "{line}: {said}");
    }
    lab.ok("unshare -Urm true");
    assert!(lab.ok("ip link").contains("lo:"));
    assert_eq!(lab.ok("cat /proc/sys/user/max_net_namespaces"), "0");
    lab.fails("echo 5 > /proc/sys/user/max_net_namespaces");
    // A container of the page's has one of its own all the same, and it cannot be entered.
    let started = lab.page.start(
        Some(lab.shell.machine),
        ContainerSpec {
            tty: false,
            argv: vec!["sleep".into(), "1000".into()],
            namespaces: ContainerSpec::one_click()
                .namespaces
                .with(vitrine_shared::namespace::Namespace::Pid, false),
            remount_proc: false,
            ..ContainerSpec::one_click()
        },
    );
    assert_eq!(started.machine, lab.shell.machine);
    let pid = lab.ok("pgrep -x sleep");
    let said = lab.fails(&format!("nsenter -t {pid} -n true"));
    assert!(said.contains("ermi"), "{said}");
}

#[test]
fn limits_and_the_hosts_settings_are_out_of_reach() {
    let server = server();
    let mut lab = Lab::start(&server);
    let spec = ContainerSpec {
        tty: false,
        argv: vec!["sleep".into(), "1000".into()],
        ..ContainerSpec::one_click()
    };
    lab.page.start(Some(lab.shell.machine), spec);
    let cpu = typed::dir("cpu", "");
    lab.ok(&format!("cd {cpu}; ls -d c1 shell; mkdir mine"));
    let set = |controller: &str, group: &str, file: &str, value: &str| {
        typed::set(&typed::dir(controller, group), file, value)
    };
    for line in [
        set("cpu", "", "cpu.cfs_quota_us", "-1"),
        set("cpu", "shell", "cpu.shares", "2"),
        set("cpu", "c1", "cpu.cfs_quota_us", "1000"),
        set("pids", "", "pids.max", "9"),
        set("pids", "shell", "pids.max", "max"),
        set("memory", "", "memory.limit_in_bytes", "-1"),
        set("freezer", "shell", "freezer.state", "FROZEN"),
    ] {
        lab.fails(&line);
    }
    for line in [
        "rmdir c1",
        "mv c1 mine2",
        "mv shell mine2",
        "mkdir c1/below",
        "chmod 777 c1",
        "echo x > /proc/sys/kernel/core_pattern",
        "echo 1 > /proc/sys/vm/drop_caches",
        "unshare -Ur sh -c 'echo x > /proc/sys/kernel/core_pattern'",
        "mknod /tmp/disk b 254 0",
        "mount -t ext4 /dev/vda /mnt",
        "mount -t sysfs none /mnt",
        "mount -t debugfs none /mnt",
        "mount -t cgroup -o net_cls none /mnt",
        "umount /dev",
        "umount -l /proc",
        "umount /dev/pts",
        "umount -l /run/containers",
        "mount -o remount,rw /dev",
        "mount -o remount,size=1g /",
    ] {
        lab.fails(line);
    }
    // Into a container nobody moves.
    lab.fails(&typed::join("c1", "$$"));
    // The controls: what is one's own can be written, removed, mounted and unmounted.
    lab.ok(&typed::set("mine", "cpu.cfs_quota_us", "50000"));
    lab.ok(&typed::join("mine", "$$"));
    match cgroup::dialect("cpu") {
        Dialect::V1 => {
            lab.ok(&typed::join(".", "$$"));
            lab.ok("mv mine mine2 && rmdir mine2");
            lab.ok("mount -t cgroup -o cpu none /mnt && umount /mnt");
        }
        Dialect::V2 => only_of_v2(&mut lab),
    }
    lab.ok("mount -t tmpfs none /mnt && umount /mnt");
    // sysrq only with its own permission bits: this kernel may not have it.
    lab.fails("echo h > /proc/sysrq-trigger");
}

/// What v1 has no word for, and what v2 does instead. A shell stands in `mine`.
fn only_of_v2(lab: &mut Lab) {
    // Whoever has these files ends, freezes or unlimits everything below.
    for group in [".", "shell", "c1"] {
        for (file, value) in [
            ("cgroup.kill", "1"),
            ("cgroup.freeze", "1"),
            ("cgroup.max.descendants", "0"),
            ("memory.high", "1"),
            ("memory.oom.group", "1"),
            ("cpu.weight", "1"),
        ] {
            lab.ok(&format!("test -e {group}/{file}"));
            lab.fails(&format!("echo {value} > {group}/{file}"));
        }
    }
    // Which controllers the containers have is not theirs to say; which their own groups have, is.
    lab.fails("echo -memory > cgroup.subtree_control");
    lab.fails("echo +memory > c1/cgroup.subtree_control");
    // With a process in it, it hands no controller on; without one it does.
    assert!(lab.fails("echo +memory > mine/cgroup.subtree_control").contains("busy"));
    assert!(lab.fails(&typed::join(".", "$$")).contains("busy"));
    lab.ok(&typed::join("shell", "$$"));
    lab.ok("echo +memory > mine/cgroup.subtree_control");
    lab.ok("mkdir mine/deep && echo 20M > mine/deep/memory.high && rmdir mine/deep");
    // A group keeps its name.
    lab.fails("mv mine mine2");
    lab.ok("rmdir mine");
    lab.ok("mount -t cgroup2 none /mnt && umount /mnt");
}

#[test]
fn other_machines_and_the_hosts_cgroups_are_out_of_sight() {
    let server = server();
    let mut lab = Lab::start(&server);
    let mut other = Lab::start(&server);
    let mark = mark();
    other.ok(&format!("sleep {mark} &"));
    let victim = proc::wait_for_sleep(&mark);
    assert!(lab.fails(&format!("kill -9 {victim}")).contains("No such process"));
    lab.fails(&format!("ls /proc/{victim}"));
    assert!(!lab.ok("ps -ef").contains(&mark));
    assert!(other.ok("ps -ef").contains(&mark), "the control");
    // A hierarchy that Vitrine makes no use of, where there are more: mounted by hand, in a cgroup
    // namespace of one's own.
    let unused =
        cgroup::hierarchy("devices").map(|root| (root, "cgroup -o devices", "devices.list"));
    let unified = cgroup::unified().map(|root| (root, "cgroup2", "cgroup.procs"));
    for (root, options, file) in [unused, unified].into_iter().flatten() {
        let names = lab.ok(&format!(
            "unshare -Cm sh -c 'mount -t {options} none /mnt && ls /mnt && cat /mnt/cgroup.procs'"
        ));
        assert!(!names.contains("vitrine") && names.contains(file), "{names}");
        let ours = std::fs::read_dir(root).unwrap().flatten().any(|e| e.file_name() == "vitrine");
        assert!(ours, "the control");
    }
    assert!(!proc::is_dead(victim));
}

fn quiet(rootfs_of: ContainerSpec) -> ContainerSpec {
    ContainerSpec { tty: false, argv: vec!["sleep".into(), "1000".into()], ..rootfs_of }
}

fn shared() -> ContainerSpec {
    ContainerSpec {
        namespaces: NamespaceSet::NONE,
        remount_proc: false,
        hostname: None,
        ..ContainerSpec::one_click()
    }
}

#[track_caller]
fn fails_with(lab: &mut Lab, spec: ContainerSpec, wanted: &str) {
    let machine = Some(lab.shell.machine);
    let begun = Instant::now();
    match lab.page.ask(Command::StartContainer { machine, spec }) {
        Answer::Failed { errno, .. } => assert_eq!(errno, wanted),
        other => panic!("{other:?}"),
    }
    assert!(begun.elapsed() < bound(Duration::from_secs(2)), "{:?}", begun.elapsed());
}

#[test]
fn devices_that_are_something_else() {
    let server = server();
    let mut lab = Lab::start(&server);
    let machine = Some(lab.shell.machine);
    // In the place of what becomes somebody's standard output: a file that only host root may
    // write, a named pipe that nobody reads, a link.
    for plant in [
        "mount --bind /proc/sys/kernel/core_pattern /dev/null",
        "mkfifo /tmp/pipe; mount --bind /tmp/pipe /dev/null",
        "mount -t tmpfs none /dev; ln -s /proc/sys/kernel/core_pattern /dev/null",
    ] {
        lab.ok(plant);
        fails_with(
            &mut lab,
            quiet(ContainerSpec::machine_shell()),
            if plant.contains("ln -s") { "ELOOP" } else { "ENODEV" },
        );
        lab.ok("umount -q /dev/null || umount /dev");
    }
    lab.page.start(machine, quiet(ContainerSpec::machine_shell()));
    // The same for terminals.
    for plant in [
        "mkfifo /tmp/p2; mount --bind /tmp/p2 /dev/pts/ptmx",
        "mount -t tmpfs none /dev/pts; touch /dev/pts/ptmx",
    ] {
        lab.ok(plant);
        fails_with(&mut lab, ContainerSpec::machine_shell(), "ENODEV");
        lab.ok("umount -q /dev/pts/ptmx || umount /dev/pts");
    }
    let again = lab.page.start(machine, ContainerSpec::machine_shell());
    Term::shell(&server, again.terminal.unwrap());
    // A container takes what covers its /proc from its own /dev.
    lab.ok("touch /tmp/mine; mount --bind /tmp/mine /dev/null");
    let started = lab.page.start(machine, ContainerSpec::one_click());
    let mut term = Term::shell(&server, started.terminal.unwrap());
    assert!(term.command("echo x > /dev/null; wc -c < /proc/kallsyms").contains("0\r\n"));
    assert_eq!(lab.ok("wc -c < /tmp/mine"), "0");
}

#[test]
fn paths_that_lead_elsewhere() {
    let server = server();
    let mut lab = Lab::start(&server);
    let machine = Some(lab.shell.machine);
    // The directory in which containers are put together is somewhere else now; the launcher goes
    // by descriptor.
    lab.ok(
        "mount -t tmpfs none /run; mkdir /tmp/trap /tmp/trap/c1; ln -s /tmp/trap /run/containers",
    );
    for spec in [shared(), ContainerSpec::one_click()] {
        let started = lab.page.start(machine, quiet(spec));
        lab.page.done(Command::StopContainer {
            machine: started.machine,
            container: started.container,
        });
    }
    assert_eq!(lab.ok("find /tmp/trap"), "/tmp/trap\n/tmp/trap/c1");
    assert!(!lab.ok("cat /proc/mounts").contains("/containers/c"));
    // Something else in the place of /proc: refused where it would be handed on as one.
    lab.ok("mount -t tmpfs none /proc");
    fails_with(
        &mut lab,
        quiet(ContainerSpec { remount_proc: false, ..ContainerSpec::one_click() }),
        "ENODEV",
    );
    lab.page.start(machine, quiet(ContainerSpec::one_click()));
    lab.ok("umount /proc");
    // Everything shared with everything: what is mounted outside does not get in, nor the reverse.
    lab.ok("mount --make-rshared /");
    let started = lab.page.start(machine, ContainerSpec::one_click());
    let mut term = Term::shell(&server, started.terminal.unwrap());
    lab.ok("mount -t tmpfs seen-inside /mnt");
    assert!(!term.command("cat /proc/mounts").contains("seen-inside"));
    assert!(!lab.ok("cat /proc/mounts").contains("devpts /run"));
}

#[test]
fn groups_in_the_launchers_way() {
    let server = server();
    let mut lab = Lab::start(&server);
    let machine = Some(lab.shell.machine);
    // Names that containers would have had.
    let hierarchies: BTreeSet<String> =
        ["cpu", "pids", "memory"].map(|controller| typed::dir(controller, "")).into();
    for base in &hierarchies {
        lab.ok(&format!("mkdir {base}/c1 {base}/c2"));
    }
    let spec = ContainerSpec {
        limits: vitrine_shared::spec::Limits { pids_max: Some(7), ..Default::default() },
        ..quiet(ContainerSpec::one_click())
    };
    let started = lab.page.start(machine, spec);
    let record = lab.page.event("the container", |event| match event {
        Event::Machine(m) => m.containers.iter().find(|c| c.id == started.container).cloned(),
        _ => None,
    });
    assert_eq!(record.name, "c3");
    let c3 = typed::dir("pids", "c3");
    assert_eq!(typed::get(&mut lab, &c3, "pids.max"), "7");
    lab.fails(&typed::set(&c3, "pids.max", "9"));
    // Its first process in a group of the owner's, frozen: the page can end it all the same.
    let (cold, tasks) = (typed::dir("freezer", "cold"), typed::file("tasks"));
    let c3 = typed::dir("freezer", "c3");
    lab.ok(&format!("mkdir {cold}; cat {c3}/{tasks} > {cold}/{tasks}"));
    lab.ok(&typed::set(&cold, "freezer.state", "FROZEN"));
    let ContainerState::Running { pid } = record.state else { panic!("{record:?}") };
    let begun = Instant::now();
    lab.page
        .done(Command::StopContainer { machine: started.machine, container: started.container });
    assert!(begun.elapsed() < bound(Duration::from_secs(4)), "{:?}", begun.elapsed());
    assert!(proc::is_dead(pid));
    // PID 1 as well, deep down; then the machine is ended.
    let base = typed::dir("freezer", "");
    lab.ok(&format!("d={base}; for i in 1 2 3 4 5 6; do d=$d/deep; mkdir $d; done"));
    lab.ok(&typed::join("$d", "1"));
    lab.ok(&typed::set(&format!("{base}/deep"), "freezer.state", "FROZEN"));
    let init = lab.machine.init_pid;
    let begun = Instant::now();
    lab.page.done(Command::EndMachine { machine: started.machine });
    assert!(begun.elapsed() < bound(Duration::from_secs(4)), "{:?}", begun.elapsed());
    assert!(proc::is_dead(init));
}

/// A tree that takes long to remove, and with a path that no call takes: the page hears of the
/// end in time, others are served meanwhile, and nothing is left.
#[test]
fn thousands_of_groups_and_a_path_without_end() {
    let server = server();
    let mut lab = Lab::start(&server);
    let (cpu, freezer) = (typed::dir("cpu", ""), typed::dir("freezer", ""));
    lab.ok(&format!("cd {cpu}; for i in $(seq 1500); do mkdir wide$i; done"));
    // Two of v1's, or the one of v2.
    for dir in BTreeSet::from([cpu, freezer]) {
        let deep = "for i in $(seq 30); do mkdir $n && cd -P ./$n; done";
        lab.ok(&format!("n=$(printf 'd%.0s' $(seq 200)); cd {dir}; {deep}"));
    }
    lab.ok(&typed::join(".", "1"));
    lab.ok("while : ; do : ; done & cd /");
    let groups =
        || -> usize { cgroup::of_instance(server.pid()).iter().map(|dir| count(dir)).sum() };
    assert!(groups() > 1_500);
    let id = lab.shell.machine;
    let begun = Instant::now();
    lab.page.done(Command::EndMachine { machine: id });
    assert!(begun.elapsed() < bound(Duration::from_secs(5)), "{:?}", begun.elapsed());
    let begun = Instant::now();
    lab.page.start(None, quiet(ContainerSpec::one_click()));
    assert!(begun.elapsed() < bound(Duration::from_secs(4)), "{:?}", begun.elapsed());
    wait_for("everything is removed", Duration::from_secs(20), || (groups() < 60).then_some(()));
}

/// Directories below a directory, as far as paths lead.
fn count(dir: &std::path::Path) -> usize {
    let entries = std::fs::read_dir(dir).into_iter().flatten().flatten();
    1 + entries.filter(|e| e.path().is_dir()).map(|e| count(&e.path())).sum::<usize>()
}

#[test]
fn a_killed_launcher_leaves_a_labs_groups_to_the_next() {
    let mut server = server();
    let mut lab = Lab::start(&server);
    lab.ok(&format!("mkdir -p {}", typed::dir("cpu", "mine/deep")));
    let dirs = cgroup::of_instance(server.pid());
    assert!(!dirs.is_empty());
    // Where there are hierarchies that Vitrine makes no use of, it has groups there too.
    if let Some(unused) = cgroup::hierarchy("devices") {
        assert!(dirs.iter().any(|dir| dir.starts_with(&unused)), "{dirs:?}");
    }
    let init = lab.machine.init_pid;
    Server::kill(server.pid());
    server.wait();
    wait_for("the machine's end", Duration::from_secs(5), || proc::is_dead(init).then_some(()));
    drop(Server::start());
    assert!(dirs.iter().all(|dir| !dir.exists()), "{dirs:?}");
}
