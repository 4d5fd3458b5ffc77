//! The observer against this kernel: a spinner with two threads in cgroups made for it.

use std::fs;
use std::io::{BufRead as _, Write as _};
use std::os::unix::fs::MetadataExt as _;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

use nix::sys::signal::{SIGKILL, SIGSTOP, kill};
use vitrine_shared::cgroup::Dialect;
use vitrine_shared::message::Sample;
use vitrine_shared::namespace::Namespace;

use super::super::tests_tree::{C1, MACHINE, Tree};
use super::*;
use crate::ipc::ObservedHierarchy;

/// Directories of the test's own, one in each hierarchy; removed on all paths.
struct Cgroups(Vec<ObservedHierarchy>);

impl Cgroups {
    /// Makes them where this host mounts these controllers. `None` without the right to.
    fn make(name: &str) -> Option<Self> {
        let name = format!("vitrine-observer-test-{}-{name}", std::process::id());
        let mut made = Cgroups(Vec::new());
        for (mount, controllers, dialect) in mounted() {
            let directory = mount.join(&name);
            if let Err(err) = fs::create_dir(&directory) {
                unavailable(&format!("mkdir {}: {err}", directory.display()));
                return None;
            }
            made.0.push(ObservedHierarchy { controllers, dialect, directory });
            let last = made.0.last().unwrap();
            if dialect == Dialect::V2 {
                let enable = last.controllers.iter().map(|name| format!("+{name} "));
                let control = last.directory.join("cgroup.subtree_control");
                fs::write(control, enable.collect::<String>()).unwrap();
            }
            fs::create_dir(last.directory.join("root")).unwrap();
        }
        Some(made)
    }

    fn machine(&self) -> ObservedMachine {
        ObservedMachine {
            init_pid: 0,
            roots: Vec::new(),
            delegated: false,
            machine: MACHINE,
            uid_base: 0,
            hierarchies: self.0.clone(),
            groups: vec![(GroupId::Cap, String::new()), (GroupId::Container(C1), "root".into())],
        }
    }

    fn enter(&self, pid: u32) {
        for hierarchy in &self.0 {
            let procs = hierarchy.directory.join("root/cgroup.procs");
            fs::write(&procs, pid.to_string()).unwrap();
        }
    }

    fn set(&self, file: &str, value: &str) {
        let paths = self.0.iter().map(|hierarchy| hierarchy.directory.join("root").join(file));
        let path = paths.into_iter().find(|path| path.exists()).unwrap();
        fs::write(path, value).unwrap();
    }
}

impl Drop for Cgroups {
    fn drop(&mut self) {
        for hierarchy in &self.0 {
            for directory in [hierarchy.directory.join("root"), hierarchy.directory.clone()] {
                let end = Instant::now() + Duration::from_secs(5);
                // EBUSY for a moment after the last process has gone.
                while fs::remove_dir(&directory).is_err() && Instant::now() < end {
                    std::thread::sleep(Duration::from_millis(10));
                }
            }
        }
    }
}

/// A child that is killed and reaped on all paths.
struct Owned(Child);

impl Owned {
    fn sh(script: &str) -> Self {
        let mut command = Command::new("sh");
        command.args(["-c", script]).stdin(Stdio::piped()).stdout(Stdio::piped());
        Owned(command.spawn().unwrap())
    }

    fn line(&mut self) -> String {
        let mut line = String::new();
        let stdout = self.0.stdout.take().unwrap();
        std::io::BufReader::new(stdout).read_line(&mut line).unwrap();
        line
    }
}

impl Drop for Owned {
    fn drop(&mut self) {
        // It may have ended by itself.
        let _ = self.0.kill();
        self.0.wait().unwrap();
    }
}

/// A process whose parent will not wait for it, killed on all paths: nobody would wake it.
struct Orphan(nix::unistd::Pid);

impl Drop for Orphan {
    fn drop(&mut self) {
        kill(self.0, SIGKILL).unwrap();
    }
}

/// The hierarchies of this host that have a controller we read.
fn mounted() -> Vec<(PathBuf, Vec<String>, Dialect)> {
    let mut found = Vec::new();
    for line in fs::read_to_string("/proc/self/mounts").unwrap().lines() {
        let fields: Vec<_> = line.split(' ').collect();
        let mount = PathBuf::from(fields[1]);
        let known = |names: &mut dyn Iterator<Item = &str>| -> Vec<String> {
            let ours = ["cpu", "cpuacct", "memory", "pids", "freezer"];
            names.filter(|name| ours.contains(name)).map(str::to_string).collect()
        };
        let (controllers, dialect) = match fields[2] {
            "cgroup" => (known(&mut fields[3].split(',')), Dialect::V1),
            "cgroup2" => {
                let file = mount.join("cgroup.subtree_control");
                let text = fs::read_to_string(file).unwrap_or_default();
                (known(&mut text.split_whitespace()), Dialect::V2)
            }
            _ => continue,
        };
        if !controllers.is_empty() {
            found.push((mount, controllers, dialect));
        }
    }
    found
}

/// Says why a test cannot run here; where everything must run, that is a failure.
fn unavailable(why: &str) {
    assert!(std::env::var_os("CI").is_none(), "{why}");
    // Past the test harness, which would keep the output of a test that passes to itself.
    writeln!(std::io::stderr(), "NOT RUN (needs root and a writable cgroup): {why}").unwrap();
}

fn sample(reader: &mut Reader) -> Sample {
    reader.sample(&[MACHINE]).pop().unwrap()
}

/// Samples until something holds.
#[track_caller]
fn sample_until(reader: &mut Reader, what: &str, holds: impl Fn(&Sample) -> bool) -> Sample {
    let end = Instant::now() + Duration::from_secs(20);
    loop {
        let sample = sample(reader);
        if holds(&sample) {
            return sample;
        }
        assert!(Instant::now() < end, "{what}: {sample:#?}");
        std::thread::sleep(Duration::from_millis(20));
    }
}

fn inode(pid: u32, namespace: Namespace) -> u64 {
    fs::metadata(format!("/proc/{pid}/ns/{}", namespace.proc_name())).unwrap().ino()
}

#[test]
fn a_spinner_a_sleeper_and_their_meters() {
    let Some(cgroups) = Cgroups::make("spin") else { return };
    let spinner = Owned::sh("while :; do :; done");
    let sleeper = Owned::sh("exec sleep 60");
    let (spin_pid, sleep_pid) = (spinner.0.id(), sleeper.0.id());
    cgroups.enter(spin_pid);
    cgroups.enter(sleep_pid);
    let mut reader = Reader::new(Path::new("/proc")).unwrap();
    reader.machine(cgroups.machine());

    let first = sample_until(&mut reader, "both command lines", |sample| {
        let is = |pid, line: &str| {
            sample.processes.iter().any(|p| p.host_pid() == pid && p.command == line)
        };
        is(spin_pid, "sh -c while :; do :; done") && is(sleep_pid, "sleep 60")
    });
    let window = Instant::now();
    std::thread::sleep(Duration::from_millis(300));
    let second = sample(&mut reader);
    let took_msec = u64::try_from(window.elapsed().as_millis()).unwrap();

    let of = |sample: &Sample, pid: u32| {
        sample.processes.iter().find(|process| process.host_pid() == pid).unwrap().clone()
    };
    let (spin, sleep) = (of(&second, spin_pid), of(&second, sleep_pid));
    // A loaded machine may give the spinner less than a CPU, so the kernel's own count over the
    // same window is what the rate is held against.
    let used_msec = spin.cpu_msec - of(&first, spin_pid).cpu_msec;
    let expected = i64::try_from(used_msec * 1_000 / took_msec.max(1)).unwrap();
    assert!((i64::from(spin.cpu_permille) - expected).abs() <= 150, "{spin:?} not {expected}");
    assert!((200..=1_150).contains(&spin.cpu_permille), "{spin:?}");
    assert!(sleep.cpu_permille < 50, "{sleep:?}");
    assert_eq!(sleep.state, 'S');
    assert_eq!(spin.parent, std::process::id());
    assert_eq!(spin.container, Some(C1));
    assert_eq!(spin.pids.last(), Some(&spin_pid), "same PID namespace as the test");
    assert!(spin.rss_bytes >= 100 * 1024, "{spin:?}");
    assert_eq!(spin.namespaces, Namespace::ALL.map(|namespace| inode(spin_pid, namespace)));

    let group = &second.groups[1];
    assert!((200..=1_150).contains(&group.cpu_permille), "{group:?}");
    let difference = i64::from(group.cpu_permille) - i64::from(spin.cpu_permille);
    assert!(difference.abs() <= 150, "group {} process {}", group.cpu_permille, spin.cpu_permille);
    assert!(group.files.iter().any(|file| file.name == "cpu.stat"), "{group:?}");
}

/// Needs no privilege: the hierarchy is a directory with the test's own PID in it, `/proc` is real.
#[test]
fn the_test_itself_and_its_second_thread() {
    let tree = Tree::new();
    let pid = std::process::id();
    tree.write("pids/root/c1/cgroup.procs", &pid.to_string());
    let mut reader = Reader::new(Path::new("/proc")).unwrap();
    reader.machine(tree.machine(&[("pids", &["pids"], Dialect::V1)]));
    let before = sample(&mut reader).processes.remove(0);
    let begun = Instant::now();
    // Until it has *used* so much: on a loaded machine that takes longer.
    let spin = std::thread::spawn(|| {
        let used = || fs::read_to_string("/proc/thread-self/schedstat").unwrap();
        let used_nsec = || used().split(' ').next().unwrap().parse::<u64>().unwrap();
        while used_nsec() < 150_000_000 {}
    });
    spin.join().unwrap();
    let after = sample(&mut reader).processes.remove(0);
    let took_msec = u64::try_from(begun.elapsed().as_millis()).unwrap();

    assert_eq!(before.start_ticks, after.start_ticks);
    let used_msec = after.cpu_msec - before.cpu_msec;
    assert!(used_msec >= 100, "from {before:?} to {after:?}");
    let expected = used_msec * 1_000 / took_msec;
    assert!(u64::from(after.cpu_permille) >= expected / 2, "{after:?} in {took_msec} ms");
    let schedstat = fs::read_to_string("/proc/self/schedstat").unwrap();
    let first_thread_nsec: u64 = schedstat.split(' ').next().unwrap().parse().unwrap();
    assert!(after.cpu_msec > first_thread_nsec / 1_000_000 + 50, "only the first thread counts");

    assert_eq!(after.pids.last(), Some(&pid), "the innermost PID is the one we know ourselves by");
    assert_eq!(after.namespaces, Namespace::ALL.map(|namespace| inode(pid, namespace)));
    assert_eq!(after.host_uid, nix::unistd::geteuid().as_raw());
    assert_eq!(after.parent, std::os::unix::process::parent_id());
}

/// Neither the signal nor the new parent is something an idle process does itself.
#[test]
fn an_idle_process_is_stopped_and_loses_its_parent() {
    let tree = Tree::new();
    let mut parent = Owned::sh("sleep 60 & echo $!; read line");
    let pid = parent.line();
    tree.write("pids/root/c1/cgroup.procs", pid.trim());
    let pid: i32 = pid.trim().parse().unwrap();
    let mut reader = Reader::new(Path::new("/proc")).unwrap();
    reader.machine(tree.machine(&[("pids", &["pids"], Dialect::V1)]));
    let first = |sample: &Sample| sample.processes[0].clone();
    let parent_pid = parent.0.id();
    sample_until(&mut reader, "an idle child", |sample| {
        let process = first(sample);
        process.parent == parent_pid && process.state == 'S' && process.name == "sleep"
    });
    let orphan = Orphan(nix::unistd::Pid::from_raw(pid));
    kill(orphan.0, SIGSTOP).unwrap();
    sample_until(&mut reader, "stopped", |sample| first(sample).state == 'T');
    drop(parent);
    sample_until(&mut reader, "another parent", |sample| first(sample).parent != parent_pid);
    drop(orphan);
    sample_until(&mut reader, "the end", |sample| {
        sample.processes.is_empty() || first(sample).state == 'Z'
    });
}

#[test]
fn a_throttled_group_says_so() {
    let Some(cgroups) = Cgroups::make("throttle") else { return };
    let v2 = cgroups.0.iter().any(|h| h.dialect == Dialect::V2 && !h.controllers.is_empty());
    if v2 {
        cgroups.set("cpu.max", "20000 100000")
    } else {
        cgroups.set("cpu.cfs_quota_us", "20000")
    }
    let spinner = Owned::sh("while :; do :; done");
    cgroups.enter(spinner.0.id());
    let mut reader = Reader::new(Path::new("/proc")).unwrap();
    reader.machine(cgroups.machine());
    sample_until(&mut reader, "five throttled periods", |sample| {
        sample.groups[1].cpu.nr_throttled >= 5 && sample.groups[1].cpu.throttled_usec > 0
    });
    std::thread::sleep(Duration::from_millis(1_000));
    let group = sample(&mut reader).groups.remove(1);
    assert_eq!((group.cpu.quota_usec, group.cpu.period_usec), (Some(20_000), 100_000));
    assert!(group.cpu_permille <= 300, "20 % of a CPU: {group:?}");
}

#[test]
fn descriptors_do_not_grow_with_the_dead_and_v1_lists_are_never_stale() {
    let Some(cgroups) = Cgroups::make("churn") else { return };
    let mut reader = Reader::new(Path::new("/proc")).unwrap();
    reader.machine(cgroups.machine());
    let free = reader.means.ledger.free();
    for _ in 0..30 {
        let child = Owned::sh("exec sleep 60");
        cgroups.enter(child.0.id());
        let processes = sample(&mut reader).processes;
        assert_eq!(processes.len(), 1, "{processes:?}");
        assert_eq!(processes[0].host_pid(), child.0.id());
        assert_eq!(reader.means.ledger.free(), free - 1);
        drop(child);
        assert!(sample(&mut reader).processes.is_empty());
        assert_eq!(reader.means.ledger.free(), free);
    }
}

#[test]
fn a_kill_for_memory_is_seen() {
    let Some(cgroups) = Cgroups::make("oom") else { return };
    if group::oom_file(&cgroups.machine()).is_none() {
        return unavailable("no memory controller");
    }
    let mut reader = Reader::new(Path::new("/proc")).unwrap();
    reader.machine(cgroups.machine());
    let v1 = cgroups.0[0].dialect == Dialect::V1;
    cgroups.set(if v1 { "memory.limit_in_bytes" } else { "memory.max" }, "8388608");
    // Waits to be moved in, then doubles a string until the kernel has had enough.
    let mut hog = Owned::sh("sleep 0.3; x=xxxxxxxx; while :; do x=$x$x; done");
    cgroups.enter(hog.0.id());
    let end = Instant::now() + Duration::from_secs(20);
    loop {
        let kills = reader.oom_kills();
        if !kills.is_empty() {
            assert_eq!(kills.len(), 1);
            assert_eq!((kills[0].0, kills[0].1.group), (MACHINE, GroupId::Container(C1)));
            break;
        }
        assert!(Instant::now() < end, "no kill was seen");
        std::thread::sleep(Duration::from_millis(50));
    }
    hog.0.wait().unwrap();
    assert_eq!(reader.oom_kills(), []);
}
