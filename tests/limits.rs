//! Limits of `vitrine run`: what is written into the cgroup, and that the kernel keeps to it.

use std::os::unix::fs::MetadataExt as _;
use std::path::Path;
use std::time::{Duration, Instant};

use crate::harness::command::{output, run, start};
use crate::harness::{cgroup, image, mark, proc, wait_for};

const BUSY: &str = "while : ; do : ; done";

/// The only process of a run's group, once it is the program.
fn busy_process(vitrine: u32) -> u32 {
    let dir = cgroup::of_run(vitrine, "cpu");
    wait_for("the busy loop", Duration::from_secs(10), || {
        cgroup::procs(&dir).into_iter().find(|&pid| proc::read(pid, "comm").trim() == "sh")
    })
}

#[test]
fn a_fifth_of_a_cpu() {
    let flags = ["--cpu-quota", "20000", "--cpu-period", "100000", "--", "sh", "-c", BUSY];
    let running = start(&flags, None);
    let (pid, dir) = (busy_process(running.pid()), cgroup::of_run(running.pid(), "cpu"));
    assert_eq!(cgroup::cpu_max(&dir), "20000 100000");
    let share = proc::cpu_share(pid, Duration::from_secs(2));
    assert!((0.17..=0.23).contains(&share), "20000/100000 gave {share:.3} of a CPU");
    let throttled = cgroup::number(&dir, "cpu.stat", "nr_throttled");
    // On a busy host it does not use up every quota.
    assert!(throttled >= 5, "throttled in {throttled} periods of about 20");
}

#[test]
fn cpus_are_a_quota_in_other_words() {
    let running = start(&["--cpus", "0.5", "--", "sh", "-c", BUSY], None);
    let dir = cgroup::of_run(running.pid(), "cpu");
    wait_for("the quota", Duration::from_secs(10), || {
        (cgroup::cpu_max(&dir) == "50000 100000").then_some(())
    });
    // Without a quota it would be one CPU: the other half of this test.
    let share = proc::cpu_share(busy_process(running.pid()), Duration::from_secs(1));
    assert!(share < 0.6, "half a CPU gave {share:.3}");
}

#[test]
fn what_cannot_be_is_said_with_the_file() {
    // Two CPUs' worth in the largest period, then more than the kernel takes.
    let outcome = run(&["--cpu-shares", "1", "--", "true"]);
    assert_eq!(outcome.status, 125, "{outcome:?}");
    assert!(outcome.err.contains("2 to 262144"), "{outcome:?}");
}

/// The disk that a file lies on, as `MAJOR:MINOR`; limits are for whole disks.
fn disk_of(path: &Path) -> String {
    let device = std::fs::metadata(path).unwrap().dev();
    let name = format!("{}:{}", libc::major(device), libc::minor(device));
    let sys = Path::new("/sys/dev/block").join(&name);
    assert!(sys.is_dir(), "this test needs target/ on a disk of this host; {name} is none");
    if sys.join("partition").exists() {
        return std::fs::read_to_string(sys.join("../dev")).unwrap().trim().into();
    }
    name
}

#[test]
fn reads_from_a_disk_are_held_back() {
    let dir = tempfile::tempdir_in(env!("CARGO_TARGET_TMPDIR")).unwrap();
    let root = dir.path().join("root");
    image::copy(&root);
    std::fs::write(root.join("big"), vec![7; 3 << 20]).unwrap();
    std::fs::File::open(root.join("big")).unwrap().sync_all().unwrap();
    let limit = format!("{}:1m", disk_of(&root));
    let root = root.to_str().unwrap();
    // Past the page cache, which knows no limits.
    let read = ["--", "dd", "if=/big", "of=/dev/null", "bs=256k", "iflag=direct"];
    let time = |limits: &[&str]| {
        let begun = Instant::now();
        output(&[&["--rootfs", root], limits, &read].concat());
        begun.elapsed()
    };
    let (free, held) = (time(&[]), time(&["--device-read-bps", &limit]));
    assert!(held > Duration::from_secs(2), "3 MiB at 1 MiB a second in {held:?}");
    assert!(free < held / 2, "{free:?} without a limit");
}

#[test]
fn too_much_memory_is_137() {
    let outcome =
        run(&["-m", "16m", "--", "dd", "if=/dev/zero", "of=/dev/null", "bs=64M", "count=1"]);
    assert_eq!(outcome.status, 137, "{outcome:?}");
    // The same within the limit.
    output(&["-m", "128m", "--", "dd", "if=/dev/zero", "of=/dev/null", "bs=64M", "count=1"]);
}

#[test]
fn the_rootfs_counts_as_memory() {
    let outcome = run(&["-m", "16m", "--", "dd", "if=/dev/zero", "of=/tmp/f", "bs=1M", "count=40"]);
    assert_eq!(outcome.status, 137, "{outcome:?}");
}

#[test]
fn one_process_too_many_is_refused() {
    let script = "i=0; while [ $i -lt 20 ]; do sleep 3 & i=$((i+1)); echo $i; done";
    let outcome = run(&["--pids-limit", "8", "--", "sh", "-c", script]);
    assert!(outcome.err.contains("can't fork"), "{outcome:?}");
    assert_eq!(outcome.out.lines().count(), 7, "the shell and 7 more: {outcome:?}");
}

#[test]
fn only_these_cpus() {
    let list =
        output(&["--cpuset-cpus", "0", "--", "grep", "Cpus_allowed_list", "/proc/self/status"]);
    assert_eq!(list.split_whitespace().last(), Some("0"));
    assert_eq!(output(&["--cpuset-cpus", "0", "--", "nproc"]).trim(), "1");
}

#[test]
fn shares_and_pids_are_written() {
    let mark = mark();
    let words = ["--cpu-shares", "512", "--pids-limit", "50", "-m", "64m", "--", "sleep", &mark];
    let running = start(&words, None);
    let pid = proc::wait_for_sleep(&mark);
    for (controller, file, value) in [
        cgroup::by_dialect("cpu", ("cpu", "cpu.shares", "512"), ("cpu", "cpu.weight", "59")),
        ("pids", "pids.max", "50"),
        cgroup::by_dialect(
            "memory",
            ("memory", "memory.limit_in_bytes", "67108864"),
            ("memory", "memory.max", "67108864"),
        ),
    ] {
        let dir = cgroup::of_run(running.pid(), controller);
        assert_eq!(cgroup::read(&dir, file), value);
        assert_eq!(cgroup::procs(&dir), [pid], "{controller}");
    }
}
