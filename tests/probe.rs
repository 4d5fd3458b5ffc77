//! Runs inside a container and tries every door: one line each, the name and what came of it.
//!
//! Static and without crates: it is compiled by the tests and copied into a root file system.
//! Nothing it tries does harm if it succeeds: arguments are chosen so that the kernel, reached,
//! would refuse them itself, and every door is tried by a child of its own. It does not run on
//! the host.

use std::ffi::{CString, c_char, c_int, c_long};
use std::io::{Read, Write};

#[cfg(not(target_arch = "x86_64"))]
compile_error!("the probe knows the system calls of x86_64 only");

unsafe extern "C" {
    fn syscall(number: c_long, ...) -> c_long;
    fn fork() -> c_int;
    fn waitpid(pid: c_int, status: *mut c_int, options: c_int) -> c_int;
    fn _exit(status: c_int) -> !;
    fn alarm(seconds: u32) -> u32;
    fn open(path: *const c_char, flags: c_int, ...) -> c_int;
}

/// What came of it: `Ok` is an open door, `Err` an errno.
type Tried = Result<(), i32>;

/// Not an errno: the file could be opened and was empty.
const EMPTY: i32 = 200;
const CLONES: [(&str, u64); 8] = [
    ("mnt", 0x0002_0000),
    ("cgroup", 0x0200_0000),
    ("uts", 0x0400_0000),
    ("ipc", 0x0800_0000),
    ("user", 0x1000_0000),
    ("pid", 0x2000_0000),
    ("net", 0x4000_0000),
    ("time", 0x80),
];

fn main() {
    refuse_on_the_host();
    let words: Vec<String> = std::env::args().collect();
    match words.get(1).map(String::as_str) {
        Some("doors") => doors(),
        Some("inotify") => exhaust("inotify", || call(294, &[0])),
        Some("pty") => exhaust("pty", || open_file("/dev/ptmx", 0o2)),
        Some("files") => exhaust_files(&words[2]),
        Some("fds") => println!("{}", fds()),
        _ => panic!("probe doors|inotify|pty|files DIR|fds"),
    }
}

/// The PID namespace must not be the first of the host, nor the user namespace: that has all ids.
fn refuse_on_the_host() {
    let pid = std::fs::read_link("/proc/self/ns/pid").expect("/proc/self/ns/pid");
    let map = std::fs::read_to_string("/proc/self/uid_map").expect("/proc/self/uid_map");
    let all_ids = map.split_whitespace().nth(2) == Some("4294967295");
    // PROC_PID_INIT_INO of include/linux/proc_ns.h.
    let first = pid.to_string_lossy() == "pid:[4026531836]";
    assert!(!all_ids && !first, "the probe does not run on the host");
}

fn errno() -> i32 {
    std::io::Error::last_os_error().raw_os_error().unwrap_or(0)
}

fn call(number: c_long, args: &[u64]) -> Tried {
    let a = |i: usize| args.get(i).copied().unwrap_or(0);
    // SAFETY: pointers among the arguments are to memory that lives longer, or null.
    let result = unsafe { syscall(number, a(0), a(1), a(2), a(3), a(4), a(5)) };
    if result < 0 { Err(errno()) } else { Ok(()) }
}

fn c(text: &str) -> CString {
    CString::new(text).expect("no NUL")
}

fn open_file(path: &str, flags: c_int) -> Tried {
    // SAFETY: a C string; the descriptor ends with this process.
    let fd = unsafe { open(c(path).as_ptr(), flags) };
    if fd < 0 { Err(errno()) } else { Ok(()) }
}

/// Tries a door in a child, so that what it opens is closed with it.
fn door(name: &str, attempt: impl FnOnce() -> Tried) {
    std::io::stdout().flush().expect("flush");
    // SAFETY: this process has one thread.
    let pid = unsafe { fork() };
    assert!(pid >= 0, "fork: {}", errno());
    if pid == 0 {
        // SAFETY: ends a child that hangs.
        unsafe { alarm(5) };
        let code = attempt().err().unwrap_or(0);
        // SAFETY: leaves without running anything of the parent's.
        unsafe { _exit(code) };
    }
    let mut status = 0;
    // SAFETY: `status` is written.
    unsafe { waitpid(pid, &raw mut status, 0) };
    let result = match (status & 0x7f, (status >> 8) & 0xff) {
        (0, 0) => "OPEN".into(),
        (0, EMPTY) => "EMPTY".into(),
        (0, errno) => named(errno),
        (31, _) => "SIGSYS".into(),
        (signal, _) => format!("SIGNAL{signal}"),
    };
    println!("{name} {result}");
}

fn named(errno: i32) -> String {
    let known = [
        (1, "EPERM"),
        (2, "ENOENT"),
        (3, "ESRCH"),
        (5, "EIO"),
        (7, "E2BIG"),
        (9, "EBADF"),
        (12, "ENOMEM"),
        (13, "EACCES"),
        (14, "EFAULT"),
        (22, "EINVAL"),
        (24, "EMFILE"),
        (25, "ENOTTY"),
        (28, "ENOSPC"),
        (30, "EROFS"),
        (38, "ENOSYS"),
        (92, "ENOPROTOOPT"),
        (93, "EPROTONOSUPPORT"),
        (94, "ESOCKTNOSUPPORT"),
        (95, "EOPNOTSUPP"),
        (97, "EAFNOSUPPORT"),
        (126, "ENOKEY"),
    ];
    known.iter().find(|(n, _)| *n == errno).map_or(format!("E{errno}"), |(_, name)| (*name).into())
}

fn doors() {
    namespaces();
    mounts();
    other_processes();
    kernel_parts();
    host_settings();
    memory_and_time();
    terminals();
    line_discipline();
    sockets();
    files();
    abis();
    wanted();
}

fn namespaces() {
    for (name, flag) in CLONES {
        door(&format!("unshare_{name}"), || call(272, &[flag]));
        // SIGCHLD; a child that is born here ends at once.
        door(&format!("clone_{name}"), || clone(flag | 17));
    }
    door("unshare_user_and_mnt", || call(272, &[0x1002_0000]));
    door("clone3", || call(435, &[0, 0]));
    door("setns", || call(308, &[u64::MAX, 0]));
    door("setns_own", || {
        let path = c("/proc/self/ns/uts");
        // SAFETY: a C string.
        let fd = unsafe { open(path.as_ptr(), 0) };
        call(308, &[u64::from(fd.unsigned_abs()), 0])
    });
}

fn clone(flags: u64) -> Tried {
    // SAFETY: without CLONE_VM this is fork.
    let pid = unsafe { syscall(56, flags, 0u64, 0u64, 0u64, 0u64) };
    match pid {
        // SAFETY: leaves without running anything of the parent's.
        0 => unsafe { _exit(0) },
        -1 => Err(errno()),
        _ => Ok(()),
    }
}

fn mounts() {
    let (tmpfs, tmp, root, empty) = (c("tmpfs"), c("/tmp"), c("/"), c(""));
    let p = |text: &CString| text.as_ptr() as u64;
    door("mount", || call(165, &[p(&tmpfs), p(&tmp), p(&tmpfs), 0, 0]));
    for path in ["/proc/keys", "/proc/sys", "/proc", "/dev"] {
        let target = c(path);
        let name = format!("umount2_{}", path.trim_start_matches('/').replace('/', "_"));
        door(&name, || call(166, &[p(&target), 2]));
    }
    let sys = c("/proc/sys");
    // MS_REMOUNT | MS_BIND: read-only becomes writable.
    door("remount_rw", || call(165, &[0, p(&sys), 0, 0x1020, 0]));
    door("pivot_root", || call(155, &[p(&root), p(&root)]));
    door("chroot", || call(161, &[p(&tmp)]));
    door("fsopen", || call(430, &[p(&tmpfs), 0]));
    door("fsconfig", || call(431, &[u64::MAX, 6]));
    door("fsmount", || call(432, &[u64::MAX]));
    door("fspick", || call(433, &[u64::MAX, p(&root)]));
    door("open_tree", || call(428, &[u64::MAX - 99, p(&root), 0]));
    door("open_tree_clone", || call(428, &[u64::MAX - 99, p(&root), 1]));
    door("move_mount", || call(429, &[u64::MAX, p(&empty), u64::MAX, p(&empty), 0]));
    door("mount_setattr", || call(442, &[u64::MAX - 99, p(&root), 0, 0, 0]));
    door("listmount", || call(458, &[0, 0, 0, 0]));
    door("statmount", || call(457, &[0, 0, 0, 0]));
    door("name_to_handle_at", || {
        let (mut handle, mut mount_id) = ([128u32; 40], 0u64);
        let (handle, id) = (handle.as_mut_ptr() as u64, &raw mut mount_id as u64);
        call(303, &[u64::MAX - 99, p(&root), handle, id, 0])
    });
    door("open_by_handle_at", || call(304, &[u64::MAX, 0, 0]));
    let node = c("/tmp/node");
    door("mknod_char", || call(133, &[p(&node), 0o20600, 0x103]));
    door("mknod_block", || call(133, &[p(&node), 0o60600, 0xfe00]));
    door("mknodat_char", || call(259, &[u64::MAX - 99, p(&node), 0o20600, 0]));
    door("fanotify_init", || call(300, &[0, 0]));
    door("quotactl", || call(179, &[u64::MAX, 0, 0, 0]));
    door("quotactl_fd", || call(443, &[u64::MAX, u64::MAX, 0, 0]));
    door("swapon", || call(167, &[p(&node), 0]));
    door("swapoff", || call(168, &[p(&node)]));
    door("acct", || call(163, &[p(&node)]));
}

fn other_processes() {
    let me = u64::from(std::process::id());
    door("ptrace_traceme", || call(101, &[0, 0, 0, 0]));
    door("ptrace_seize", || call(101, &[0x4206, 999_999, 0, 0]));
    door("process_vm_readv", || call(310, &[me, 0, 0, 0, 0, 0]));
    door("process_vm_writev", || call(311, &[me, 0, 0, 0, 0, 0]));
    door("process_madvise", || call(440, &[u64::MAX, 0, 0, 0, 0]));
    door("process_mrelease", || call(448, &[u64::MAX, 0]));
    door("pidfd_getfd", || call(438, &[u64::MAX, 0, 0]));
    door("kcmp", || call(312, &[me, me, 1, 0, 0]));
    door("move_pages", || call(279, &[0, 0, 0, 0, 0, 0]));
    door("migrate_pages", || call(256, &[0, 0, 0, 0]));
}

fn kernel_parts() {
    let (kind, name) = (c("user"), c("vitrine-probe"));
    let p = |text: &CString| text.as_ptr() as u64;
    // KEY_SPEC_PROCESS_KEYRING: gone with this child.
    door("add_key", || call(248, &[p(&kind), p(&name), p(&name), 1, u64::MAX - 1]));
    door("request_key", || call(249, &[p(&kind), p(&name), 0, 0]));
    door("keyctl", || call(250, &[0, u64::MAX - 2, 0]));
    door("keyctl_join", || call(250, &[1, 0]));
    door("bpf", || call(321, &[0xffff, 0, 0]));
    door("perf_event_open", || call(298, &[0, 0, 0, 0, 0]));
    let mut params = [0u32; 30];
    let params = params.as_mut_ptr() as u64;
    door("io_uring_setup", || call(425, &[1, params]));
    door("io_uring_enter", || call(426, &[u64::MAX, 0, 0, 0, 0, 0]));
    door("io_uring_register", || call(427, &[u64::MAX, 0, 0, 0]));
    door("userfaultfd", || call(323, &[1]));
    door("init_module", || call(175, &[0, 0, 0]));
    door("finit_module", || call(313, &[u64::MAX, 0, 0]));
    door("delete_module", || call(176, &[p(&name), 0]));
    door("kexec_load", || call(246, &[0, 0, 0, 0xffff_0000]));
    door("kexec_file_load", || call(320, &[u64::MAX, u64::MAX, 0, 0, 0]));
    door("memfd_secret", || call(447, &[0]));
    door("lookup_dcookie", || call(212, &[0, 0, 0]));
}

fn host_settings() {
    let name = c("x");
    let name = name.as_ptr() as u64;
    // Neither magic number: a kernel that is reached refuses it.
    door("reboot", || call(169, &[0, 0, 0, 0]));
    door("sethostname", || call(170, &[name, 1]));
    door("setdomainname", || call(171, &[name, 1]));
    door("syslog", || call(103, &[10, 0, 0]));
    door("iopl", || call(172, &[3]));
    door("ioperm", || call(173, &[0x80, 1, 1]));
    // Microseconds and nanoseconds that no clock can have.
    let bad_time = [0u64, 4_000_000_000];
    let bad_time = bad_time.as_ptr() as u64;
    door("settimeofday", || call(164, &[bad_time, 0]));
    door("clock_settime", || call(227, &[0, bad_time]));
    let mut timex = [0u64; 32];
    let timex = timex.as_mut_ptr() as u64;
    door("adjtimex", || call(159, &[timex]));
    door("clock_adjtime", || call(305, &[0, timex]));
}

fn memory_and_time() {
    door("personality", || call(135, &[0xffff_ffff]));
    let mut table = [0u8; 64];
    let table = table.as_mut_ptr() as u64;
    door("modify_ldt", || call(154, &[0, table, 64]));
    door("vmsplice", || {
        let (mut fds, byte) = ([0i32; 2], 7u8);
        call(22, &[fds.as_mut_ptr() as u64])?;
        let iov = [&raw const byte as u64, 1];
        call(278, &[u64::from(fds[1].unsigned_abs()), iov.as_ptr() as u64, 1, 0])
    });
    door("set_mempolicy", || call(238, &[0, 0, 0]));
    door("mbind", || call(237, &[0, 0, 0, 0, 0, 0]));
    door("nice_minus_5", || call(141, &[0, 0, (-5i64).cast_unsigned()]));
    let priority = 1u32;
    let priority = &raw const priority as u64;
    door("sched_fifo", || call(144, &[0, 1, priority]));
    let deadline = [48u64 | 6 << 32, 0, 0, 1_000_000, 10_000_000, 10_000_000];
    door("sched_deadline", || call(314, &[0, deadline.as_ptr() as u64, 0]));
    let core = [u64::MAX, u64::MAX];
    door("core_dumps", || call(160, &[4, core.as_ptr() as u64]));
    door("more_files", || call(160, &[7, [4096u64, 4096].as_ptr() as u64]));
    door("setuid", || call(105, &[1]));
    door("mlock_1_mib", || {
        let memory = vec![0u8; 1 << 20];
        call(149, &[memory.as_ptr() as u64, 1 << 20])
    });
}

fn terminals() {
    // The terminal echoes what gets through: an empty line.
    let byte = b"\n".as_ptr() as u64;
    for (name, request) in [("TIOCSTI", 0x5412u64), ("TIOCLINUX", 0x541c), ("TIOCCONS", 0x541d)] {
        door(name, || call(16, &[0, request, byte]));
        // The kernel looks at the low 32 bits only (CVE-2019-10063).
        door(&format!("{name}_high_bits"), || call(16, &[0, request | 0xdead << 32, byte]));
    }
}

fn line_discipline() {
    // N_TTY, which it has already: nothing changes where it is let through.
    let same = 0u32;
    door("TIOCSETD", || call(16, &[0, 0x5423, &raw const same as u64]));
}

fn sockets() {
    for (name, family, kind, protocol) in [
        ("AF_ALG", 38, 5, 0),
        ("AF_VSOCK", 40, 1, 0),
        ("AF_PACKET", 17, 3, 0x0300),
        ("AF_KEY", 15, 3, 2),
        ("AF_RXRPC", 33, 2, 2),
        ("AF_XDP", 44, 3, 0),
        ("AF_TIPC", 30, 2, 0),
        ("AF_CAN", 29, 3, 1),
        ("AF_BLUETOOTH", 31, 3, 1),
        ("AF_SMC", 43, 1, 0),
        ("raw_icmp", 2, 3, 1),
        ("raw_icmp6", 10, 3, 58),
        ("ping", 2, 2, 1),
        ("sctp", 2, 1, 132),
        ("mptcp", 2, 1, 262),
        ("l2tp", 2, 2, 115),
        ("udplite", 2, 2, 136),
        ("NETLINK_XFRM", 16, 3, 6),
        ("NETLINK_NETFILTER", 16, 3, 12),
        ("NETLINK_GENERIC", 16, 3, 16),
        ("NETLINK_AUDIT", 16, 3, 9),
        ("NETLINK_KOBJECT_UEVENT", 16, 3, 15),
        ("NETLINK_SOCK_DIAG", 16, 3, 4),
    ] {
        door(name, || call(41, &[family, kind, protocol]));
    }
    let mut pair = [0i32; 2];
    let pair = pair.as_mut_ptr() as u64;
    for (name, family) in
        [("socketpair_tipc", 30), ("socketpair_vsock", 40), ("socketpair_alg", 38)]
    {
        door(name, || call(53, &[family, 5, 0, pair]));
    }
}

fn files() {
    // Opened for writing and never written to.
    for path in [
        "/proc/sys/kernel/core_pattern",
        "/proc/sys/kernel/modprobe",
        "/proc/sys/vm/drop_caches",
        "/proc/sys/net/ipv4/ip_forward",
        "/proc/sysrq-trigger",
        "/proc/irq/default_smp_affinity",
        "/proc/1/mem",
        "/proc/1/exe",
    ] {
        door(&format!("write:{path}"), || open_file(path, 0o1));
    }
    for path in [
        "/proc/kcore",
        "/proc/kallsyms",
        "/proc/interrupts",
        "/proc/keys",
        "/proc/key-users",
        "/proc/timer_list",
        "/proc/kmsg",
        "/proc/slabinfo",
        "/proc/iomem",
        "/proc/modules",
        "/proc/config.gz",
        "/proc/softirqs",
        "/proc/zoneinfo",
        "/proc/kpageflags",
        "/proc/1/mem",
        "/proc/1/environ",
        "/proc/1/auxv",
        "/proc/1/maps",
        "/proc/1/stack",
        "/proc/1/exe",
    ] {
        door(&format!("read:{path}"), || read_byte(path));
    }
    for path in [
        "/proc/1/root",
        "/proc/1/cwd",
        "/sys/kernel",
        "/sys/fs/cgroup",
        "/proc/scsi",
        "/proc/driver",
    ] {
        door(&format!("list:{path}"), || list(path));
    }
    for path in ["/proc/1/fd/0", "/proc/1/cwd"] {
        door(&format!("link:{path}"), || match std::fs::read_link(path) {
            Ok(_) => Ok(()),
            Err(err) => Err(err.raw_os_error().unwrap_or(5)),
        });
    }
}

fn read_byte(path: &str) -> Tried {
    let failed = |err: std::io::Error| err.raw_os_error().unwrap_or(5);
    let mut file = std::fs::File::open(path).map_err(failed)?;
    match file.read(&mut [0]).map_err(failed)? {
        0 => Err(EMPTY),
        _ => Ok(()),
    }
}

fn list(path: &str) -> Tried {
    let entries = std::fs::read_dir(path).map_err(|err| err.raw_os_error().unwrap_or(5))?;
    if entries.count() == 0 { Err(EMPTY) } else { Ok(()) }
}

fn abis() {
    door("int_0x80", || {
        let result: i64;
        // SAFETY: getpid of the 32-bit table, which has no arguments.
        unsafe {
            std::arch::asm!("int 0x80", inlateout("rax") 20i64 => result, options(nostack));
        }
        if result < 0 { Err(i32::try_from(-result).unwrap_or(22)) } else { Ok(()) }
    });
    // __X32_SYSCALL_BIT: the same architecture to a filter, another table to the kernel.
    door("x32_abi", || call(0x4000_0000 + 39, &[]));
}

/// What a shell, `ip` and ordinary programs need.
fn wanted() {
    for (name, family, kind, protocol) in [
        ("unix_stream", 1, 1, 0),
        ("unix_dgram", 1, 2, 0),
        ("unix_seqpacket", 1, 5, 0),
        ("inet_stream", 2, 1, 0),
        ("inet_tcp", 2, 1, 6),
        ("inet_dgram", 2, 2, 0),
        ("inet_udp_cloexec", 2, 2 | 0o2_000_000, 17),
        ("inet6_stream", 10, 1, 0),
        ("inet6_udp", 10, 2, 17),
        ("netlink_route", 16, 3, 0),
    ] {
        door(&format!("wanted:{name}"), || call(41, &[family, kind, protocol]));
    }
    let mut pair = [0i32; 2];
    let pair = pair.as_mut_ptr() as u64;
    door("wanted:socketpair_unix", || call(53, &[1, 1, 0, pair]));
    let name = c("probe");
    door("wanted:memfd_create", || call(319, &[name.as_ptr() as u64, 0]));
    door("wanted:inotify", || call(294, &[0]));
    door("wanted:eventfd", || call(290, &[0, 0]));
    door("wanted:landlock", || call(444, &[0, 0, 1]));
    door("wanted:thread", || {
        std::thread::Builder::new()
            .spawn(|| ())
            .map_err(|err| err.raw_os_error().unwrap_or(22))?
            .join()
            .map_err(|_| 22)
    });
    door("wanted:ptmx", || open_file("/dev/ptmx", 0o2));
    door("wanted:null", || open_file("/dev/null", 0o2));
    door("wanted:write_tmp", || open_file("/tmp", 0o20_200_000 | 0o2));
}

/// Takes until there is no more, says how many, and holds them until standard input ends.
fn exhaust(what: &str, mut take: impl FnMut() -> Tried) {
    let mut taken = 0;
    let why = loop {
        match take() {
            Ok(()) if taken < 100_000 => taken += 1,
            Ok(()) => break 0,
            Err(errno) => break errno,
        }
    };
    println!("{what} {taken} {}", named(why));
    std::io::stdout().flush().expect("flush");
    std::io::stdin().read_to_end(&mut Vec::new()).expect("wait for the end of input");
}

fn exhaust_files(dir: &str) {
    let mut name = 0;
    exhaust("files", || {
        name += 1;
        match std::fs::File::create(format!("{dir}/{name}")) {
            Ok(_) => Ok(()),
            Err(err) => Err(err.raw_os_error().unwrap_or(5)),
        }
    });
}

fn fds() -> String {
    let entries = std::fs::read_dir("/proc/self/fd").expect("/proc/self/fd").flatten();
    let links = entries.filter_map(|entry| std::fs::read_link(entry.path()).ok());
    links.map(|link| link.display().to_string()).collect::<Vec<_>>().join(" ")
}
