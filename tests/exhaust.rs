//! What a container can use up, and that neither the host nor its neighbour feels it.

use std::time::Duration;

use vitrine_shared::limits::CONTAINER_PTYS;

use crate::harness::command::{PATIENCE, Running, output, start};
use crate::harness::image::with_probe;
use crate::harness::{cgroup, proc, wait_for};

/// A container that takes as much as it can and holds it, until its input ends.
fn hold(what: &str) -> Running {
    start(&["--rootfs", with_probe(), "-t", "--", "probe", what], None)
}

/// What `probe` says that it got.
fn taken(what: &[&str]) -> (u32, String) {
    let words = [&["--rootfs", with_probe(), "--", "probe"], what].concat();
    let text = output(&words);
    let words: Vec<&str> = text.split_whitespace().collect();
    (words[1].parse().unwrap(), words[2].to_string())
}

fn kill_9(pid: u32) {
    let pid = nix::unistd::Pid::from_raw(pid.cast_signed());
    nix::sys::signal::kill(pid, nix::sys::signal::Signal::SIGKILL).unwrap();
}

#[test]
fn inotify_runs_out_for_itself_only() {
    // 20 are tried and more: 16 are given.
    assert_eq!(taken(&["inotify"]), (16, "EMFILE".into()));
    // While one holds all of its own, another and the host have theirs. With a terminal as its
    // input it does not end by itself.
    let holder = hold("inotify");
    wait_for("the holder", PATIENCE, || {
        let inside = proc::children(holder.pid());
        let count = |pid: &u32| {
            proc::descriptors(*pid).iter().filter(|link| link.contains("inotify")).count()
        };
        inside.iter().any(|pid| count(pid) == 16).then_some(())
    });
    assert_eq!(taken(&["inotify"]).0, 16);
    // SAFETY: no memory is involved.
    let mine = unsafe { libc::inotify_init1(libc::IN_CLOEXEC) };
    assert!(mine >= 0, "the host has no inotify instance left");
    // SAFETY: opened above.
    unsafe { libc::close(mine) };
}

#[test]
fn terminals_run_out_for_itself_only() {
    let most = u32::try_from(CONTAINER_PTYS.value).unwrap();
    assert_eq!(taken(&["pty"]), (most, "ENOSPC".into()));
    let holder = hold("pty");
    wait_for("the holder", PATIENCE, || {
        let inside = proc::children(holder.pid());
        let count = |pid: &u32| {
            proc::descriptors(*pid).iter().filter(|link| link.ends_with("ptmx")).count()
        };
        // One of them is its own terminal.
        inside.iter().any(|pid| count(pid) + 1 == most as usize).then_some(())
    });
    assert_eq!(taken(&["pty"]).0, most);
}

#[test]
fn the_rootfs_is_full_at_its_limit() {
    let script = "dd if=/dev/zero of=/tmp/f bs=1M count=100 2>&1; stat -c %s /tmp/f";
    let text = output(&["--", "sh", "-c", script]);
    assert!(text.contains("No space left"), "{text}");
    let size: u64 = text.lines().last().unwrap().parse().unwrap();
    assert!((60 << 20..=64 << 20).contains(&size), "{size}");
}

#[test]
fn the_rootfs_has_a_limit_of_files() {
    let (files, why) = taken(&["files", "/tmp"]);
    assert_eq!(why, "ENOSPC");
    assert!((16_000..16_384).contains(&files), "{files}");
}

#[test]
fn shared_memory_has_its_limits() {
    let (files, why) = taken(&["files", "/dev/shm"]);
    assert_eq!((files, why.as_str()), (1023, "ENOSPC"));
    let script = "dd if=/dev/zero of=/dev/shm/f bs=1M count=8 2>&1; stat -c %s /dev/shm/f";
    let text = output(&["--", "sh", "-c", script]);
    assert!(text.contains("No space left") && text.ends_with("4194304\n"), "{text}");
}

#[test]
fn a_fork_bomb_stops_at_the_limit_and_dies_with_its_container() {
    let script = "bomb() { bomb | bomb & }; bomb; sleep 100";
    let bomb = start(&["--pids-limit", "40", "-i", "--", "sh", "-c", script], None);
    let dir = cgroup::of_run(bomb.pid(), "pids");
    wait_for("the bomb", PATIENCE, || {
        let failures = cgroup::number(&dir, "pids.events", "max");
        (failures > 0).then_some(())
    });
    let count: u32 = cgroup::read(&dir, "pids.current").parse().unwrap();
    assert!(count <= 40, "{count}");
    // A neighbour does not notice.
    let began = std::time::Instant::now();
    output(&["--", "true"]);
    assert!(began.elapsed() < Duration::from_secs(5), "{:?}", began.elapsed());
    proc::children(bomb.pid()).into_iter().for_each(kill_9);
    assert_eq!(bomb.end().status, 137);
    assert!(!dir.exists(), "its cgroup is left");
}
