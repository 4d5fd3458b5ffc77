//! In a group that was delegated, as `Delegate=yes` does it: everything is made below it and
//! nowhere else, and a machine of profile `lab` stays below its cap there.

#![allow(clippy::print_stdout, reason = "figures, for those who look")]

use std::ffi::CString;
use std::fs;
use std::os::unix::ffi::OsStrExt as _;
use std::os::unix::process::CommandExt as _;
use std::path::{Path, PathBuf};
use std::process::Command as Program;
use std::time::{Duration, Instant};

use vitrine_shared::cgroup::Dialect;
use vitrine_shared::message::{Command, ContainerState};
use vitrine_shared::spec::ContainerSpec;

use crate::harness::cgroup::{self, by_dialect};
use crate::harness::command::{PATIENCE, spawn};
use crate::harness::lab::Lab;
use crate::harness::server::Server;
use crate::harness::{binary, data, mark, proc, wait_for};

/// A group in each hierarchy, with systemd's mark on it. Removed in the end.
struct Scope {
    name: String,
    dirs: Vec<PathBuf>,
}

impl Scope {
    fn new() -> Self {
        let name = format!("test-{}.scope", mark());
        let dirs = cgroup::hierarchies().iter().map(|root| root.join(&name)).collect();
        let scope = Scope { name, dirs };
        for dir in &scope.dirs {
            let root = dir.parent().unwrap();
            if cgroup::dialect("cpu") == Dialect::V2 {
                cgroup::write(root, "cgroup.subtree_control", "+cpu +cpuset +io +memory +pids");
            }
            fs::create_dir(dir).unwrap();
            // Nobody can be in a v1 group without them.
            for file in ["cpuset.mems", "cpuset.cpus"] {
                if cgroup::dialect("cpuset") == Dialect::V1 && dir.join(file).exists() {
                    cgroup::write(dir, file, &cgroup::read(root, file));
                }
            }
            let path = CString::new(dir.as_os_str().as_bytes()).unwrap();
            let (mark, one) = (c"trusted.delegate".as_ptr(), c"1".as_ptr().cast());
            // SAFETY: C strings, and one byte with its length.
            let set = unsafe { libc::setxattr(path.as_ptr(), mark, one, 1, 0) };
            assert_eq!(set, 0, "setxattr {}", dir.display());
        }
        scope
    }

    /// The program starts in there, as systemd starts one.
    fn around(&self, command: &mut Program) {
        let doors: Vec<PathBuf> = self.dirs.iter().map(|dir| dir.join("cgroup.procs")).collect();
        // SAFETY: it writes to files by paths that were made before, as is allowed between fork
        // and exec.
        unsafe {
            command.pre_exec(move || doors.iter().try_for_each(|door| fs::write(door, "0")));
        }
    }

    fn dir(&self, controller: &str) -> &Path {
        let root = cgroup::hierarchy(controller).unwrap();
        self.dirs.iter().find(|dir| dir.starts_with(&root)).unwrap()
    }

    /// Is nothing left in it but the leaf that the launcher lived in?
    fn is_clear(&self) -> bool {
        self.dirs.iter().all(|dir| !dir.join("vitrine").exists())
    }
}

impl Drop for Scope {
    fn drop(&mut self) {
        for dir in &self.dirs {
            for _ in 0..500 {
                let _ = fs::remove_dir(dir.join("vitrine-launcher"));
                if fs::remove_dir(dir).is_ok() {
                    break;
                }
                // A group goes when its last process has.
                std::thread::sleep(Duration::from_millis(10));
            }
        }
    }
}

#[test]
fn everything_is_made_below_it() {
    // With a user namespace there is one more process, which must not stay in the group itself.
    for flags in [&["--no-namespaces"][..], &[]] {
        let (scope, mark) = (Scope::new(), mark());
        let mut command = Program::new(binary());
        command.arg("run").args(flags).args(["--cpus", "1", "--", "sleep", &mark]);
        scope.around(command.env("VITRINE_DATA", data()));
        let mut running = spawn(&mut command, None);
        let pid = wait_for("the sleep", PATIENCE, || {
            if running.ended() {
                return Some(None);
            }
            let is_sleep = |pid: &u32| proc::read(*pid, "comm").trim() == "sleep";
            proc::with_word(&mark).into_iter().find(is_sleep).map(Some)
        });
        let Some(pid) = pid else { panic!("{flags:?}: {:?}", running.end()) };
        let groups = proc::read(pid, "cgroup");
        // PID 1 of its namespace hears no gentler signal.
        Server::kill(pid);
        let outcome = running.end();
        let below = format!(":/{}/vitrine/", scope.name);
        let n_below = groups.lines().filter(|line| line.contains(&below)).count();
        // cpu and pids: one hierarchy, or one each.
        assert_eq!(n_below, by_dialect("cpu", 2, 1), "{flags:?}: {groups} {outcome:?}");
        assert!(scope.is_clear(), "{flags:?}");
    }
}

/// What the processes of a group have used of the CPUs.
fn used(cap: &Path, cpuacct: &Path) -> Duration {
    match cgroup::dialect("cpu") {
        Dialect::V1 => {
            Duration::from_nanos(cgroup::read(cpuacct, "cpuacct.usage").parse().unwrap())
        }
        Dialect::V2 => Duration::from_micros(cgroup::number(cap, "cpu.stat", "usage_usec")),
    }
}

#[test]
fn a_lab_stays_below_its_cap_there() {
    let scope = Scope::new();
    let mut command = Program::new(binary());
    command.args(["serve", "--listen", "127.0.0.1:0", "--profile", "lab", "--machine-cpu", "300"]);
    scope.around(command.arg("--data").arg(data()));
    let mut server = Server::start_by(&mut command);
    let mut lab = Lab::start(&server);
    let machine = lab.shell.machine;
    let ours = format!("{}-", server.pid());
    let instance = fs::read_dir(scope.dir("cpu").join("vitrine")).unwrap().flatten();
    let mut names = instance.map(|entry| entry.file_name().into_string().unwrap());
    let instance = names.find(|name| name.starts_with(&ours)).expect("the server's group");
    let below = format!("vitrine/{instance}/{}", &machine.to_string()[..12]);
    let cap = |controller: &str| scope.dir(controller).join(&below);

    // The shell is there in every hierarchy, and sees nothing of what is above it.
    let ContainerState::Running { pid } = lab.machine.containers[0].state else {
        panic!("{:?}", lab.machine)
    };
    let groups = proc::read(pid, "cgroup");
    let path = format!(":/{}/{below}/root/shell", scope.name);
    let n_there = groups.lines().filter(|line| line.ends_with(&path)).count();
    assert_eq!(n_there, scope.dirs.len(), "no {path} in {groups}");
    let own = lab.ok("cat /proc/self/cgroup");
    assert!(!own.contains("..") && !own.contains(&scope.name), "{own}");
    let by_hand = by_dialect("cpu", "-t cgroup -o cpu", "-t cgroup2");
    let names = lab.ok(&format!("unshare -Cm sh -c 'mount {by_hand} none /mnt && ls /mnt'"));
    assert!(!names.contains("vitrine") && names.contains("cgroup.procs"), "{names}");

    // In a group of its owner's that promises everything it gets no more than the machine has.
    let (home, file, all) = by_dialect(
        "cpu",
        ("/sys/fs/cgroup/cpu", "cpu.cfs_quota_us", "-1"),
        ("/sys/fs/cgroup", "cpu.max", "max"),
    );
    lab.fails(&format!("echo {all} > {home}/{file}"));
    lab.ok(&format!("mkdir {home}/free && echo {all} > {home}/free/{file}"));
    lab.ok("for i in 1 2 3; do while : ; do : ; done & done 2>/dev/null");
    lab.ok(&format!("for p in $(jobs -p); do echo $p > {home}/free/cgroup.procs; done"));
    assert_eq!(cgroup::procs(&cap("cpu").join("root/free")).len(), 3);
    let (before, begun) = (used(&cap("cpu"), &cap("cpuacct")), Instant::now());
    std::thread::sleep(Duration::from_secs(2));
    let (after, took) = (used(&cap("cpu"), &cap("cpuacct")), begun.elapsed());
    let share = (after - before).as_secs_f64() / took.as_secs_f64();
    let throttled = cgroup::number(&cap("cpu"), "cpu.stat", "nr_throttled");
    println!("three loops below a cap of 0.3 used {share:.2} CPUs, throttled {throttled} times");
    // It may be less on a busy host; a period more is a period in which it had begun.
    assert!((0.02..0.39).contains(&share) && throttled > 5, "{share}, {throttled}");

    // What the page makes is below the same cap, and it sees the shell.
    let argv = vec!["sleep".into(), "1000".into()];
    lab.page.start(Some(machine), ContainerSpec { tty: false, argv, ..ContainerSpec::one_click() });
    assert!(cap("pids").join("root/c1").is_dir());
    lab.page.watch(machine, 4);
    lab.page.sample("the shell", |s| s.processes.iter().any(|p| p.host_pid() == pid).then_some(()));
    lab.page.done(Command::EndMachine { machine });
    wait_for("the machine's groups are gone", PATIENCE, || {
        ["cpu", "memory", "pids"].iter().all(|of| !cap(of).exists()).then_some(())
    });
    assert_eq!(server.stop(), Some(0));
    assert!(scope.is_clear());
}
