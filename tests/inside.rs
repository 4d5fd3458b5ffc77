//! What a program in a container sees of itself and of the host.

use std::fs;
use std::os::linux::net::SocketAddrExt as _;
use std::os::unix::net::{SocketAddr, UnixListener};

use crate::harness::command::{output, run, start};
use crate::harness::image::with_probe;
use crate::harness::{binary, data, mark, proc};

#[test]
fn no_privilege_is_left() {
    for flags in [&[][..], &["--init"], &["--seccomp", "off"], &["--no-namespaces"], &["--pid"]] {
        let status = output(&[flags, &["--", "cat", "/proc/self/status"]].concat());
        for set in ["CapInh", "CapPrm", "CapEff", "CapBnd", "CapAmb"] {
            assert_eq!(proc::field_of(&status, set), "0000000000000000", "{flags:?} {set}");
        }
        assert_eq!(proc::field_of(&status, "NoNewPrivs"), "1", "{flags:?}");
        assert_eq!(proc::field_of(&status, "Groups"), "", "{flags:?}");
        let filtered = if flags.contains(&"off") { "0" } else { "2" };
        assert_eq!(proc::field_of(&status, "Seccomp"), filtered, "{flags:?}");
    }
}

#[test]
fn nothing_but_its_own_descriptors() {
    let fds = |flags: &[&str]| {
        let words = [&["--rootfs", with_probe()], flags, &["--", "probe", "fds"]].concat();
        output(&words).trim().to_string()
    };
    // The last is the directory that is being listed.
    assert_eq!(fds(&["-t"]), "/dev/pts/0 /dev/pts/0 /dev/pts/0 /proc/1/fd");
    assert_eq!(fds(&["-t", "--init"]), "/dev/pts/0 /dev/pts/0 /dev/pts/0 /proc/2/fd");
    let plain = fds(&[]);
    let words: Vec<&str> = plain.split(' ').collect();
    assert_eq!((words.len(), words[0], words[3]), (4, "/dev/null", "/proc/1/fd"), "{plain}");
    assert!(words[1].starts_with("pipe:") && words[2].starts_with("pipe:"), "{plain}");
}

#[test]
fn descriptors_of_the_caller_do_not_leak() {
    use std::os::fd::AsRawFd as _;
    let secret = tempfile::tempfile().unwrap();
    // SAFETY: clears FD_CLOEXEC of a descriptor that is ours and open.
    let done = unsafe { libc::fcntl(secret.as_raw_fd(), libc::F_SETFD, 0) };
    assert_eq!(done, 0);
    let fds = output(&["--rootfs", with_probe(), "--", "probe", "fds"]);
    assert_eq!(fds.split_whitespace().count(), 4, "{fds}");
}

#[test]
fn init_tells_nothing_of_the_host() {
    let script =
        "tr '\\0' ' ' < /proc/1/cmdline; echo; cat /proc/1/comm; cat /proc/1/environ | wc -c;
        readlink /proc/1/exe || echo no exe; readlink /proc/1/cwd || echo no cwd";
    let outcome = run(&["--init", "--", "sh", "-c", script]);
    let lines: Vec<&str> = outcome.out.lines().collect();
    assert!(lines[0].starts_with("init /bin/sh -c"), "{outcome:?}");
    assert!(!outcome.out.contains(binary().to_str().unwrap()), "{outcome:?}");
    assert_eq!(lines[lines.len() - 3..], ["0", "no exe", "no cwd"], "{outcome:?}");
}

#[test]
fn mounts_tell_nothing_of_the_host() {
    let table = output(&["--", "cat", "/proc/self/mountinfo"]);
    for word in [data().to_str().unwrap(), "/home", "ext4", "/dev/vd", "/dev/sd", "target/"] {
        assert!(!table.contains(word), "{word} in\n{table}");
    }
    for line in table.lines() {
        let words: Vec<&str> = line.split(' ').collect();
        let (root, point, options) = (words[3], words[4], words[5]);
        assert!(!words[6..].iter().any(|word| word.starts_with("shared")), "{line}");
        if root == "/null" {
            continue;
        }
        assert!(options.contains("nosuid"), "{line}");
        let is_dev = point == "/dev" || point == "/dev/pts";
        assert!(is_dev || options.contains("nodev"), "{line}");
        assert!(root == "/" || point.starts_with("/proc/"), "{line}");
    }
    assert!(table.lines().count() > 20, "{table}");
}

#[test]
fn the_servers_abstract_sockets_are_out_of_reach() {
    let name = format!("vitrine-test-{}", mark());
    let address = SocketAddr::from_abstract_name(&name).unwrap();
    let _listener = UnixListener::bind_addr(&address).unwrap();
    let sees = |flags: &[&str]| {
        output(&[flags, &["--", "cat", "/proc/net/unix"]].concat()).contains(&name)
    };
    assert!(sees(&["--pid"]), "the control: with the host's network it is in view");
    assert!(!sees(&["--net"]));
}

#[test]
fn no_other_process_can_be_signalled() {
    let (mark, other) = (mark(), mark());
    let _victim = start(&["--", "sleep", &other], None);
    let victim = proc::wait_for_sleep(&other).to_string();
    let script = format!("kill -0 {victim} 2>&1; kill -0 {} 2>&1; : {mark}", std::process::id());
    let outcome = run(&["--", "sh", "-c", &script]);
    assert_eq!(outcome.out.matches("No such process").count(), 2, "{outcome:?}");
    // Even in the host's PID namespace: another uid.
    let outcome = run(&["--user", "--", "sh", "-c", &script]);
    assert_eq!(outcome.out.matches("not permitted").count(), 2, "{outcome:?}");
}

#[test]
fn the_hosts_null_device_keeps_its_owner() {
    use std::os::unix::fs::MetadataExt as _;
    output(&[
        "--",
        "sh",
        "-c",
        "chown 5 /dev/null 2>/dev/null; chmod 0 /dev/null 2>/dev/null; true",
    ]);
    run(&["--no-namespaces", "--", "chmod", "600", "/dev/null"]);
    let meta = fs::metadata("/dev/null").unwrap();
    assert_eq!((meta.uid(), meta.gid(), meta.mode() & 0o777), (0, 0, 0o666));
}

#[test]
fn the_image_is_the_same_afterwards() {
    let script = "echo x >> /bin/busybox; chmod 4755 /bin/busybox; rm /bin/ls; sync; echo done";
    let outcome = run(&["--", "sh", "-c", script]);
    assert!(outcome.out.contains("done"), "{outcome:?}");
    assert!(output(&["--", "ls", "-l", "/bin/busybox"]).starts_with("-rwxr-xr-x"));
    output(&["--", "ls", "/"]);
}

#[test]
fn an_image_cannot_choose_what_its_devices_are() {
    // CVE-2025-31133 and CVE-2025-52565: links in the place of what is bound or opened.
    let dir = tempfile::tempdir_in(env!("CARGO_TARGET_TMPDIR")).unwrap();
    let root = dir.path().join("root");
    crate::harness::image::copy(&root);
    let pattern = fs::read("/proc/sys/kernel/core_pattern").unwrap();
    fs::create_dir(root.join("dev/pts")).unwrap();
    for name in ["dev/null", "dev/pts/0", "dev/ptmx", "dev/tty"] {
        std::os::unix::fs::symlink("/proc/sys/kernel/core_pattern", root.join(name)).unwrap();
    }
    let script = "echo harm > /dev/null; wc -c < /proc/kallsyms; tty; stat -c %F /dev/null";
    let seen = output(&["--rootfs", root.to_str().unwrap(), "-t", "--", "sh", "-c", script]);
    assert_eq!(seen, "0\r\n/dev/pts/0\r\ncharacter special file\r\n");
    assert_eq!(fs::read("/proc/sys/kernel/core_pattern").unwrap(), pattern);
}

#[test]
fn limits_of_the_process() {
    let limits = output(&["--", "cat", "/proc/self/limits"]);
    for (name, value) in [
        ("Max core file size", "0 0"),
        ("Max open files", "1024 1024"),
        ("Max locked memory", "65536 65536"),
        ("Max msgqueue size", "65536 65536"),
        ("Max realtime priority", "0 0"),
        ("Max pending signals", "512 512"),
    ] {
        let line = limits.lines().find_map(|line| line.strip_prefix(name)).unwrap();
        let words: Vec<&str> = line.split_whitespace().take(2).collect();
        assert_eq!(words.join(" "), value, "{name}");
    }
}

#[test]
fn limits_of_the_user_namespace() {
    let script = "cd /proc/sys/user; for f in *; do echo $f $(cat $f); done";
    let text = output(&["--", "sh", "-c", script]);
    let value = |name: &str| {
        let line = text.lines().find_map(|line| line.strip_prefix(name)?.strip_prefix(' '));
        line.unwrap_or_else(|| panic!("no {name} in {text}")).to_string()
    };
    assert_eq!(value("max_inotify_instances"), "16");
    assert_eq!(value("max_inotify_watches"), "1024");
    for name in ["user", "mnt", "pid", "net", "uts", "ipc", "cgroup", "time"] {
        assert_eq!(value(&format!("max_{name}_namespaces")), "0");
    }
    // The host's own are as they were.
    let host = fs::read_to_string("/proc/sys/user/max_inotify_instances").unwrap();
    assert!(host.trim().parse::<u32>().unwrap() > 16, "{host}");
}
