//! Files, mounts and births as a process meets them.

use super::*;
use crate::namespace::NamespaceSet;
use crate::sim::cpu::Demand;
use crate::sim::procs::Signal;

fn kernel(dialect: Dialect) -> (Kernel, Proc) {
    let mut kernel = Kernel::new(Setup { dialect, ..Setup::default() });
    let shell = kernel.fork(kernel.init(), NamespaceSet::NONE).unwrap();
    kernel.exec(shell, &["sh".into()]);
    (kernel, shell)
}

fn names(kernel: &Kernel, proc: Proc, path: &str) -> Vec<String> {
    kernel.list(proc, path).unwrap().into_iter().map(|entry| entry.name).collect()
}

fn set(kinds: &[Namespace]) -> NamespaceSet {
    kinds.iter().fold(NamespaceSet::NONE, |set, kind| set.with(*kind, true))
}

#[test]
fn the_tutorials_files() {
    let (mut kernel, shell) = kernel(Dialect::V1);
    kernel.chdir(shell, "/sys/fs/cgroup/cpu/").unwrap();
    assert_eq!(kernel.read(shell, "cpu.cfs_quota_us"), Ok("-1\n".into()));
    kernel.mkdir(shell, "test_container").unwrap();
    kernel.chdir(shell, "test_container").unwrap();
    assert_eq!(kernel.cwd(shell), "/sys/fs/cgroup/cpu/test_container");
    let busy = kernel.fork(shell, NamespaceSet::NONE).unwrap();
    kernel.demand(busy, Demand::Busy);
    kernel.write(shell, "cpu.cfs_quota_us", "20000\n", false).unwrap();
    let pid = kernel.procs().pids(busy)[0];
    kernel.write(shell, "tasks", &format!("{pid}\n"), false).unwrap();
    assert_eq!(kernel.read(shell, "tasks"), Ok(format!("{pid}\n")));
    let cgroup = kernel.read(shell, &format!("/proc/{pid}/cgroup")).unwrap();
    assert!(cgroup.contains("1:cpu,cpuacct:/test_container\n"), "{cgroup}");
    kernel.advance(1_000_000_000);
    let stat = kernel.read(shell, "cpu.stat").unwrap();
    assert!(stat.starts_with("nr_periods 10\nnr_throttled 10\n"), "{stat}");
    assert_eq!(kernel.rmdir(shell, "../test_container"), Err(Errno::Ebusy));
    kernel.kill(shell, busy, Signal::Term).unwrap();
    kernel.rmdir(shell, "../test_container").unwrap();
}

#[test]
fn what_is_not_there_is_said() {
    let (mut kernel, shell) = kernel(Dialect::V1);
    for (path, errno) in [
        ("/nothing", Errno::Enoent),
        ("/etc/passwd/x", Errno::Enoent),
        ("/etc", Errno::Eisdir),
        ("/proc/99999/status", Errno::Enoent),
        ("", Errno::Enoent),
    ] {
        assert_eq!(kernel.read(shell, path), Err(errno), "{path}");
    }
    let write =
        |kernel: &mut Kernel, path: &str, text: &str| kernel.write(shell, path, text, false);
    assert_eq!(write(&mut kernel, "/sys/fs/cgroup/cpu/tasks", "99999"), Err(Errno::Esrch));
    assert_eq!(write(&mut kernel, "/sys/fs/cgroup/cpu/tasks", "me"), Err(Errno::Einval));
    assert_eq!(write(&mut kernel, "/sys/fs/cgroup/cpu/new", "1"), Err(Errno::Eacces));
    assert_eq!(write(&mut kernel, "/proc/meminfo", "1"), Err(Errno::Eacces));
    assert_eq!(kernel.mkdir(shell, "/proc/x"), Err(Errno::Enoent));
    assert_eq!(kernel.rmdir(shell, "/etc"), Err(Errno::Enotempty));
}

#[test]
fn a_new_pid_namespace_needs_a_new_proc() {
    let (mut kernel, shell) = kernel(Dialect::V1);
    let new = set(&[Namespace::Pid, Namespace::Mount]);
    let inner = kernel.fork(shell, new).unwrap();
    // The old /proc still tells of everybody, and where it is not known who reads there is no self.
    assert!(kernel.read(inner, "/proc/1/comm").unwrap().contains("init"));
    let pids = kernel.procs().space_of(inner, Namespace::Pid).unwrap();
    kernel.mount(inner, "proc", "/proc", MountWhat::Proc(pids)).unwrap();
    let numbers = |kernel: &Kernel, proc| {
        names(kernel, proc, "/proc").into_iter().filter(|name| name.parse::<u32>().is_ok()).count()
    };
    assert_eq!((numbers(&kernel, inner), numbers(&kernel, shell)), (1, 3));
    assert_eq!(kernel.readlink(inner, "/proc/self"), Ok("1".into()));
    let status = kernel.read(shell, "/proc/3/status").unwrap();
    assert!(status.contains("NSpid:\t3\t1\n"), "{status}");
    kernel.umount(inner, "/proc").unwrap();
    assert_eq!(numbers(&kernel, inner), 3);
}

#[test]
fn mounts_stay_in_their_namespace() {
    let (mut kernel, shell) = kernel(Dialect::V2);
    kernel.unshare(shell, set(&[Namespace::Mount])).unwrap();
    let tmpfs = kernel.new_tmpfs();
    kernel.mount(shell, "tmpfs", "/mnt", tmpfs).unwrap();
    kernel.write(shell, "/mnt/a", "text", false).unwrap();
    assert_eq!(kernel.read(shell, "/mnt/a"), Ok("text".into()));
    let init = kernel.init();
    assert_eq!(kernel.read(init, "/mnt/a"), Err(Errno::Enoent));
    assert!(kernel.read(shell, "/proc/self/mounts").unwrap().contains("tmpfs /mnt tmpfs rw"));
    assert!(!kernel.read(init, "/proc/self/mounts").unwrap().contains("/mnt"));
    kernel.remount(shell, "/mnt", true).unwrap();
    assert_eq!(kernel.write(shell, "/mnt/a", "", false), Err(Errno::Erofs));
}

#[test]
fn a_new_root() {
    let (mut kernel, shell) = kernel(Dialect::V1);
    let inner = kernel.fork(shell, set(&[Namespace::Mount])).unwrap();
    let tmpfs = kernel.new_tmpfs();
    kernel.mount(inner, "tmpfs", "/mnt", tmpfs).unwrap();
    kernel.mkdir(inner, "/mnt/old").unwrap();
    kernel.pivot_root(inner, "/mnt", "/mnt/old").unwrap();
    assert_eq!(names(&kernel, inner, "/"), ["old"]);
    assert_eq!(names(&kernel, inner, "/old/etc"), names(&kernel, shell, "/etc"));
    assert_eq!(kernel.umount(inner, "/old"), Err(Errno::Ebusy));
    let other = kernel.fork(shell, NamespaceSet::NONE).unwrap();
    kernel.chroot(other, "/etc").unwrap();
    assert_eq!(kernel.read(other, "/../hostname"), Ok("vitrine\n".into()));
}

#[test]
fn a_cgroup_namespace_hides_the_path() {
    let (mut kernel, shell) = kernel(Dialect::V2);
    kernel.mkdir(shell, "/sys/fs/cgroup/a").unwrap();
    kernel.mkdir(shell, "/sys/fs/cgroup/a/b").unwrap();
    kernel.write(shell, "/sys/fs/cgroup/a/b/cgroup.procs", "0", false).unwrap();
    assert_eq!(kernel.read(shell, "/proc/self/cgroup"), Ok("0::/a/b\n".into()));
    kernel.unshare(shell, set(&[Namespace::Cgroup])).unwrap();
    assert_eq!(kernel.read(shell, "/proc/self/cgroup"), Ok("0::/\n".into()));
    assert_eq!(kernel.read(shell, "/proc/1/cgroup"), Ok("0::/../..\n".into()));
}

#[test]
fn a_user_namespace_and_its_map() {
    let (mut kernel, shell) = kernel(Dialect::V1);
    let inner = kernel.fork(shell, set(&[Namespace::User, Namespace::Uts])).unwrap();
    let pid = kernel.procs().pids(inner)[0];
    let path = format!("/proc/{pid}/uid_map");
    assert_eq!(kernel.read(shell, &path), Ok(String::new()));
    assert_eq!(kernel.write(shell, &path, "0 0\n", false), Err(Errno::Einval));
    kernel.write(shell, &path, "0 0 1\n", false).unwrap();
    assert_eq!(kernel.read(shell, &path), Ok("         0          0          1\n".into()));
    kernel.write(inner, "/proc/sys/kernel/hostname", "inside\n", false).unwrap();
    assert_eq!(kernel.read(shell, "/proc/sys/kernel/hostname"), Ok("vitrine\n".into()));
}

#[test]
fn what_once_is_asked_for_is_told_when_it_is_done() {
    let (mut kernel, shell) = kernel(Dialect::V1);
    kernel.demand(shell, Demand::Once { run_nsec: 3_000_000 });
    assert_eq!(kernel.advance(1_000_000), []);
    assert_eq!(kernel.advance(10_000_000), [shell]);
    assert_eq!((kernel.now_nsec(), kernel.used_nsec(shell)), (3_000_000, 3_000_000));
    assert_eq!(kernel.advance(10_000_000), []);
}

#[test]
fn proc_tells_of_the_whole_machine_whatever_the_group() {
    let (mut kernel, shell) = kernel(Dialect::V1);
    kernel.mkdir(shell, "/sys/fs/cgroup/memory/small").unwrap();
    kernel.write(shell, "/sys/fs/cgroup/memory/small/memory.limit_in_bytes", "64M", false).unwrap();
    kernel.write(shell, "/sys/fs/cgroup/memory/small/tasks", "0", false).unwrap();
    let meminfo = kernel.read(shell, "/proc/meminfo").unwrap();
    assert!(meminfo.starts_with("MemTotal:        4194304 kB\n"), "{meminfo}");
    assert_eq!(kernel.read(shell, "/proc/cpuinfo").unwrap().matches("processor").count(), 2);
    kernel.demand(shell, Demand::Busy);
    kernel.advance(60_000_000_000);
    assert!(kernel.read(shell, "/proc/loadavg").unwrap().starts_with("0.6"));
    assert_eq!(kernel.read(shell, "/proc/uptime"), Ok("60.00 60.00\n".into()));
}
