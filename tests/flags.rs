//! The eight namespace flags, each alone and all but one, and what each hides or leaves in view.

use std::fs;

use crate::harness::command::{Running, output, run, start};
use crate::harness::{mark, proc};

/// A container that sleeps: the run, and the host PID of its program.
fn sleeper(flags: &[&str]) -> (Running, u32) {
    let mark = mark();
    let running = start(&[flags, &["--", "sleep", &mark]].concat(), None);
    let pid = proc::wait_for_sleep(&mark);
    (running, pid)
}

#[track_caller]
fn new_namespaces(flags: &[&str]) -> Vec<&'static str> {
    let (running, pid) = sleeper(flags);
    let found = proc::differing(&proc::namespaces(running.pid()), &proc::namespaces(pid));
    let host = proc::differing(&proc::namespaces(std::process::id()), &proc::namespaces(pid));
    assert_eq!(found, host, "vitrine itself stays in the host's");
    found
}

/// `mnt` below `/proc/<pid>/ns` is `--mount`.
fn flag(name: &str) -> String {
    format!("--{}", if name == "mnt" { "mount" } else { name })
}

#[test]
fn each_alone() {
    for name in proc::NAMESPACES {
        assert_eq!(new_namespaces(&[&flag(name)]), [name]);
    }
}

#[test]
fn all_but_one() {
    for left_out in proc::NAMESPACES {
        let others: Vec<_> = proc::NAMESPACES.into_iter().filter(|n| *n != left_out).collect();
        let flags: Vec<String> = others.iter().map(|name| flag(name)).collect();
        let flags: Vec<&str> = flags.iter().map(String::as_str).collect();
        assert_eq!(new_namespaces(&flags), others);
    }
}

#[test]
fn all_and_none() {
    assert_eq!(new_namespaces(&[]), proc::NAMESPACES);
    assert_eq!(new_namespaces(&["--all"]), proc::NAMESPACES);
    assert_eq!(new_namespaces(&["--no-namespaces"]), [""; 0]);
}

#[test]
fn pid_alone_still_shows_the_hosts_processes() {
    let mine = std::process::id().to_string();
    let script = "echo me $$; ls /proc";
    let alone = output(&["--pid", "--", "sh", "-c", script]);
    assert!(alone.starts_with("me 1\n"), "{alone}");
    assert!(alone.lines().any(|line| line == mine), "the host's /proc is not in view: {alone}");
    let both = output(&["--pid", "--mount", "--", "sh", "-c", script]);
    assert!(!both.lines().any(|line| line == mine), "the host's processes show: {both}");
    let kept = output(&["--pid", "--mount", "--no-remount-proc", "--", "sh", "-c", script]);
    assert!(kept.lines().any(|line| line == mine), "{kept}");
}

#[test]
fn ps_shows_pid_1_and_itself() {
    let ps = output(&["--", "ps", "-o", "pid,comm"]);
    let rows: Vec<Vec<&str>> = ps.lines().skip(1).map(|l| l.split_whitespace().collect()).collect();
    assert_eq!(rows, [["1", "ps"]]);
    let script = "ps -o pid,ppid,comm; true";
    let ps = output(&["--", "sh", "-c", script]);
    let rows: Vec<Vec<&str>> = ps.lines().skip(1).map(|l| l.split_whitespace().collect()).collect();
    assert_eq!(rows, [["1", "0", "sh"], ["2", "1", "ps"]]);
}

#[test]
fn a_host_name_of_its_own() {
    let host = fs::read_to_string("/proc/sys/kernel/hostname").unwrap();
    assert_eq!(output(&["--uts", "--hostname", "demo", "--", "hostname"]), "demo\n");
    assert_eq!(output(&["--pid", "--", "hostname"]), host);
    assert_eq!(fs::read_to_string("/proc/sys/kernel/hostname").unwrap(), host);
}

#[test]
fn net_has_only_a_loopback_that_is_up() {
    let devices = |flags: &[&str]| {
        let dev = output(&[flags, &["--", "cat", "/proc/net/dev"]].concat());
        let names = dev.lines().filter_map(|line| Some(line.split_once(':')?.0.trim().to_string()));
        let mut names: Vec<String> = names.collect();
        names.sort();
        names
    };
    assert_eq!(devices(&["--net"]), ["lo"]);
    let mut host: Vec<String> = fs::read_dir("/sys/class/net")
        .unwrap()
        .map(|entry| entry.unwrap().file_name().into_string().unwrap())
        .collect();
    host.sort();
    let shared = devices(&["--pid"]);
    assert!(shared.iter().all(|name| host.contains(name)) && shared.contains(&"lo".into()));
    let link = output(&["--net", "--", "ip", "link", "show", "lo"]);
    assert!(link.contains("UP"), "{link}");
    let script = "nc -l -p 4000 -e echo hello & sleep 0.3; nc 127.0.0.1 4000 </dev/null";
    assert_eq!(output(&["--net", "--", "sh", "-c", script]), "hello\n");
}

#[test]
fn shared_memory_of_the_host_shows_only_without_ipc() {
    let segment = Segment::new();
    let lists = |flags: &[&str]| {
        let table = output(&[flags, &["--", "cat", "/proc/sysvipc/shm"]].concat());
        let id = segment.0.to_string();
        table.lines().any(|line| line.split_whitespace().nth(1) == Some(id.as_str()))
    };
    assert!(lists(&["--uts"]), "the host's segment is not in view");
    assert!(!lists(&["--ipc"]), "the host's segment is in view");
}

/// A System V segment of the host's, removed in the end.
struct Segment(i32);

impl Segment {
    fn new() -> Self {
        // SAFETY: no memory is mapped by this.
        let id = unsafe { libc::shmget(libc::IPC_PRIVATE, 4096, 0o600) };
        assert!(id >= 0, "shmget");
        Segment(id)
    }
}

impl Drop for Segment {
    fn drop(&mut self) {
        // SAFETY: the segment is this test's own, and nobody has it mapped.
        unsafe { libc::shmctl(self.0, libc::IPC_RMID, std::ptr::null_mut()) };
    }
}

#[test]
fn root_inside_is_nobody_outside() {
    let map = |flags: &[&str]| {
        let text = output(&[flags, &["--", "cat", "/proc/self/uid_map"]].concat());
        text.split_whitespace().map(|word| word.parse().unwrap()).collect::<Vec<u32>>()
    };
    let own = map(&["--user"]);
    assert_eq!((own[0], own[2]), (0, 65_536));
    assert!(own[1] >= 2_000_000_000, "{own:?}");
    assert_eq!(map(&["--pid"]), [0, 0, u32::MAX]);
    let (running, pid) = sleeper(&["--user"]);
    let uids = proc::status(pid, "Uid");
    assert!(uids.split_whitespace().all(|uid| uid.parse::<u32>().unwrap() >= 2_000_000_000));
    drop(running);
    assert_eq!(output(&["--user", "--", "id", "-u"]).trim(), "0");
}

#[test]
fn two_runs_have_different_uids() {
    let uid = |pid| proc::status(pid, "Uid").split_whitespace().next().unwrap().to_string();
    let (a, b) = (sleeper(&["--user"]), sleeper(&["--user"]));
    assert_ne!(uid(a.1), uid(b.1));
}

#[test]
fn the_own_cgroup_is_the_root() {
    let own = output(&["--cgroup", "--", "cat", "/proc/self/cgroup"]);
    assert!(own.lines().all(|line| line.ends_with(":/")), "{own}");
    let hosts = output(&["--pid", "--", "cat", "/proc/self/cgroup"]);
    assert!(hosts.lines().any(|line| line.contains(":pids:/vitrine/")), "{hosts}");
}

#[test]
fn clocks_are_set_forward() {
    let uptime = |flags: &[&str]| {
        let text = output(&[flags, &["--", "cat", "/proc/uptime"]].concat());
        text.split('.').next().unwrap().parse::<i64>().unwrap()
    };
    let host = uptime(&["--pid"]);
    let ahead = uptime(&["--time", "--time-offset", "1000000"]) - host;
    assert!((1_000_000..1_000_100).contains(&ahead), "{ahead}");
    let same = uptime(&["--time"]) - host;
    assert!((0..100).contains(&same), "{same}");
}

#[test]
fn without_mount_nothing_stays_mounted_on_the_host() {
    let mounts = || {
        let text = fs::read_to_string("/proc/self/mountinfo").unwrap();
        text.lines().filter(|line| line.contains("/run/vitrine/stage-")).count()
    };
    let (running, pid) = sleeper(&["--pid"]);
    let stage = format!("/run/vitrine/stage-{}-", running.pid());
    let text = fs::read_to_string("/proc/self/mountinfo").unwrap();
    assert!(text.contains(&stage), "its mounts are the host's: {} of all", mounts());
    running.signal(nix::sys::signal::Signal::SIGKILL);
    drop(running);
    crate::harness::wait_for("its death", crate::harness::command::PATIENCE, || {
        proc::is_dead(pid).then_some(())
    });
    // The next run sweeps what a killed one has left.
    output(&["--", "true"]);
    let text = fs::read_to_string("/proc/self/mountinfo").unwrap();
    assert!(!text.contains(&stage), "{text}");
}

#[test]
fn without_mount_a_normal_end_leaves_no_mount() {
    let mut running = start(&["--pid", "--", "true"], None);
    let stage = format!("/run/vitrine/stage-{}-", running.pid());
    while !running.ended() {
        std::thread::sleep(std::time::Duration::from_millis(1));
    }
    let text = fs::read_to_string("/proc/self/mountinfo").unwrap();
    assert!(!text.contains(&stage), "{text}");
}

#[test]
fn a_directory_as_rootfs_stays_as_it_is() {
    let dir = tempfile::tempdir_in(env!("CARGO_TARGET_TMPDIR")).unwrap();
    let root = dir.path().join("root");
    crate::harness::image::copy(&root);
    let path = root.to_str().unwrap();
    let script = "rm /etc/passwd; echo new > /etc/new; cat /etc/new; ls /etc";
    let seen = output(&["--rootfs", path, "--", "sh", "-c", script]);
    assert!(seen.starts_with("new\n") && !seen.contains("passwd"), "{seen}");
    assert!(root.join("etc/passwd").exists() && !root.join("etc/new").exists());
    let owner = std::os::unix::fs::MetadataExt::uid(&fs::metadata(root.join("etc")).unwrap());
    assert_eq!(owner, 0);
}

#[test]
fn an_image_with_links_in_the_place_of_dev_or_proc_is_refused() {
    for name in ["dev", "proc"] {
        let dir = tempfile::tempdir_in(env!("CARGO_TARGET_TMPDIR")).unwrap();
        let (root, outside) = (dir.path().join("root"), dir.path().join("outside"));
        crate::harness::image::copy(&root);
        fs::create_dir(&outside).unwrap();
        fs::remove_dir_all(root.join(name)).unwrap();
        std::os::unix::fs::symlink(&outside, root.join(name)).unwrap();
        let outcome = run(&["--rootfs", root.to_str().unwrap(), "--", "true"]);
        assert_eq!(outcome.status, 125, "{name}: {outcome:?}");
        assert_eq!(fs::read_dir(&outside).unwrap().count(), 0, "something went outside");
    }
}
