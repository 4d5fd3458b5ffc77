//! Every way out of a container that is known (`research/runtime.md` §1b, §2), tried from inside.
//!
//! The probe prints one line a door. With all namespaces and the strict filter every door is
//! shut. **Negative control**: with the filter off the kernel answers many of them differently,
//! and on the host the masked files have contents; so these tests can fail.

use std::collections::BTreeMap;
use std::fs;

use crate::harness::command::{output, run};
use crate::harness::image::with_probe;

pub(crate) type Doors = BTreeMap<String, String>;

/// What the probe finds, on a terminal of its own, below an init.
fn doors(flags: &[&str]) -> Doors {
    let first = ["--rootfs", with_probe(), "-t", "--init"];
    parse(&output(&[&first, flags, &["--", "probe", "doors"]].concat()))
}

/// What the probe has printed.
#[track_caller]
pub(crate) fn parse(text: &str) -> Doors {
    let line = |line: &str| {
        let (name, result) = line.split_once(' ').unwrap_or_else(|| panic!("{line:?}"));
        (name.to_string(), result.to_string())
    };
    let doors: Doors = text.lines().filter(|text| !text.is_empty()).map(line).collect();
    assert!(doors.len() > 170, "the probe stopped early: {} doors", doors.len());
    doors
}

/// What must be said of a door: mostly EPERM, by the filter.
pub(crate) fn allowed(name: &str) -> &'static [&'static str] {
    match name {
        // A C library that hears ENOSYS falls back to clone, whose flags can be looked at.
        // So do calls that are newer than the list.
        "clone3" | "listmount" | "statmount" => &["ENOSYS"],
        // The kernel's own limits.
        "nice_minus_5" => &["EACCES"],
        "mlock_1_mib" => &["ENOMEM"],
        // Another architecture's table is no way round the filter.
        "int_0x80" => &["SIGSYS"],
        _ if name.starts_with("wanted:") => &["OPEN"],
        _ if name.starts_with("write:") => &["EACCES", "EROFS", "ENOENT"],
        _ if name.contains(":/proc/1/") => &["EACCES", "ENOENT"],
        _ if name.starts_with("read:") || name.starts_with("list:") => &["EMPTY", "ENOENT"],
        _ => &["EPERM"],
    }
}

#[test]
fn every_door_is_shut_and_what_is_wanted_is_open() {
    let wrong = wrong(&doors(&[]));
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
}

/// Doors that are not as they should be.
pub(crate) fn wrong(doors: &Doors) -> Vec<String> {
    doors
        .iter()
        .filter(|(name, result)| !allowed(name).contains(&result.as_str()))
        .map(|(name, result)| format!("{name}: {result}, not {:?}", allowed(name)))
        .collect()
}

/// Doors that only the filter shuts: reached without it, the kernel says something else.
const THE_FILTERS_OWN: &[&str] = &[
    "unshare_user",
    "clone_user",
    "clone3",
    "setns",
    "fsconfig",
    "open_tree",
    "mount_setattr",
    "ptrace_traceme",
    "ptrace_seize",
    "process_vm_readv",
    "process_vm_writev",
    "pidfd_getfd",
    "kcmp",
    "add_key",
    "request_key",
    "keyctl",
    "bpf",
    "perf_event_open",
    "io_uring_enter",
    "settimeofday",
    "clock_settime",
    "adjtimex",
    "personality",
    "modify_ldt",
    "vmsplice",
    "TIOCSTI",
    "TIOCSTI_high_bits",
    "TIOCLINUX_high_bits",
    "NETLINK_XFRM",
    "NETLINK_NETFILTER",
    "ping",
    "sctp",
    "udplite",
    "socketpair_vsock",
    "int_0x80",
    "x32_abi",
];

#[test]
fn without_the_filter_the_same_doors_answer_otherwise() {
    let (strict, off) = (doors(&[]), doors(&["--seccomp", "off"]));
    for &name in THE_FILTERS_OWN {
        assert_ne!(strict[name], off[name], "{name}: the test of this door cannot fail");
    }
    // No capability and a namespace of its own keep these shut all the same.
    for name in ["mount", "umount2_proc_keys", "remount_rw", "chroot", "sethostname", "mknod_block"]
    {
        assert_eq!(off[name], "EPERM", "{name}");
    }
    // Nor may a user namespace be nested: its limit is 0.
    assert_eq!(off["unshare_user"], "ENOSPC");
}

#[test]
fn pid_1_can_be_looked_into_when_it_is_the_program_itself() {
    // The control for the rows of /proc/1: without an init they are the program's own.
    let text = output(&["--rootfs", with_probe(), "-t", "--", "probe", "doors"]);
    for name in ["read:/proc/1/environ", "list:/proc/1/root", "link:/proc/1/fd/0"] {
        assert!(text.lines().any(|line| line == format!("{name} OPEN")), "{name}\n{text}");
    }
}

#[test]
fn masked_files_have_contents_on_the_host() {
    let script = "for f in interrupts kallsyms softirqs timer_list zoneinfo iomem slabinfo; do
        echo $f $(cat /proc/$f 2>/dev/null | wc -c); done";
    let inside = output(&["--", "sh", "-c", script]);
    assert_eq!(inside.lines().count(), 7);
    let mut told = 0;
    for line in inside.lines() {
        let (name, bytes) = line.split_once(' ').unwrap();
        assert_eq!(bytes, "0", "{name} is not masked");
        told += usize::from(!fs::read(format!("/proc/{name}")).unwrap_or_default().is_empty());
    }
    assert!(told >= 5, "only {told} of these tell anything on this host");
}

#[test]
fn masks_stay_without_a_user_namespace_too() {
    // The host's own root, without capabilities: only mounts and the filter are left.
    let script = "for f in sys/kernel/core_pattern sys/vm/drop_caches irq/default_smp_affinity; do
        ( : >> /proc/$f ) 2>&1; done; wc -c < /proc/kallsyms; umount /proc/kallsyms 2>&1";
    for flags in [&["--pid", "--mount"][..], &["--pid"]] {
        let outcome = run(&[flags, &["--", "sh", "-c", script]].concat());
        let lines: Vec<&str> = outcome.out.lines().collect();
        assert_eq!(lines.len(), 5, "{flags:?}: {outcome:?}");
        assert!(lines[..3].iter().all(|l| l.contains("Read-only")), "{flags:?}: {outcome:?}");
        assert_eq!(lines[3], "0");
        assert!(lines[4].contains("not permitted"), "{outcome:?}");
    }
    // The control: root on the host can open it (and writes nothing).
    fs::OpenOptions::new().append(true).open("/proc/sys/kernel/core_pattern").unwrap();
}

#[test]
fn the_probe_does_not_run_on_the_host() {
    let probe = format!("{}/bin/probe", with_probe());
    let outcome = std::process::Command::new(probe).arg("fds").output().unwrap();
    assert_eq!(outcome.status.code(), Some(101), "{outcome:?}");
}
