//! A temporary directory that looks like a host with one machine, one `vitrine run` and others.

use std::fs;
use std::os::unix::fs::symlink;

use vitrine_shared::cgroup::Dialect;

use super::Host;
use crate::ipc::ObservedHierarchy;
use crate::observer::tests_tree::Tree;

/// Where the machine's groups are.
pub(crate) const CAP: &str = "vitrine/90-7/0123456789ab";
/// First number of the host's namespaces, in the order of `Namespace::ALL`.
pub(crate) const HOST_NS: u64 = 4_026_531_800;

/// The tree and the host in it: PIDs 1 (the host's), 300 and 301 (in c1), 400 (a run).
pub(crate) fn host() -> (Tree, Host) {
    let tree = Tree::new();
    for (pid, name) in [(1, "systemd"), (300, "a) R (b"), (301, "sleep"), (400, "sh")] {
        tree.process(pid, name, 250, 77);
    }
    symlink("1", tree.path("proc/self")).unwrap();
    for pid in [300, 301] {
        namespaces(&tree, pid, 4_026_532_100);
        tree.write(&format!("proc/{pid}/uid_map"), "0 165536 65536\n");
    }
    let c1 = format!("{CAP}/root/c1");
    for (path, text) in [
        ("pids/cgroup.procs", "1\n".to_string()),
        ("pids/vitrine/90-7/cgroup.procs", String::new()),
        (&format!("pids/{CAP}/pids.max"), "256\n".into()),
        (&format!("pids/{CAP}/pids.current"), "2\n".into()),
        (&format!("pids/{c1}/cgroup.procs"), "300\n301\n".into()),
        (&format!("pids/{c1}/pids.current"), "2\n".into()),
        (&format!("pids/{c1}/pids.max"), "max\n".into()),
        ("pids/vitrine/400-8/cgroup.procs", "400\n".into()),
        ("pids/system.slice/x.service/cgroup.procs", "1\n".into()),
        (&format!("cpu/{CAP}/cpu.cfs_quota_us"), "150000\n".into()),
        (&format!("cpu/{CAP}/cpu.cfs_period_us"), "100000\n".into()),
        (&format!("cpu/{CAP}/cpu.stat"), stat(10, 0)),
        (&format!("cpu/{c1}/cpu.cfs_quota_us"), "20000\n".into()),
        (&format!("cpu/{c1}/cpu.cfs_period_us"), "100000\n".into()),
        (&format!("cpu/{c1}/cpu.stat"), stat(10, 5)),
        (&format!("memory/{CAP}/memory.limit_in_bytes"), "1048576\n".into()),
        (&format!("memory/{c1}/memory.limit_in_bytes"), "9223372036854771712\n".into()),
        (&format!("memory/{c1}/memory.usage_in_bytes"), "4096\n".into()),
    ] {
        tree.write(path, &text);
    }
    let hierarchy = |name: &str| ObservedHierarchy {
        controllers: vec![name.into()],
        dialect: Dialect::V1,
        directory: tree.path(name),
    };
    let hierarchies = ["cpu", "memory", "pids"].map(hierarchy).into();
    let host = Host { proc: tree.proc(), hierarchies };
    (tree, host)
}

/// A `cpu.stat` with so many periods, and of these throttled ones.
pub(crate) fn stat(nr_periods: u64, nr_throttled: u64) -> String {
    format!("nr_periods {nr_periods}\nnr_throttled {nr_throttled}\nthrottled_time 5000\n")
}

/// Gives a process eight namespaces of its own, numbered from here.
pub(crate) fn namespaces(tree: &Tree, pid: u32, first: u64) {
    let ns = tree.path(&format!("proc/{pid}/ns"));
    fs::remove_dir_all(&ns).unwrap();
    fs::create_dir(&ns).unwrap();
    for (i, name) in (0..).zip(["pid", "mnt", "uts", "ipc", "user", "net", "cgroup", "time"]) {
        symlink(format!("{name}:[{}]", first + i), ns.join(name)).unwrap();
    }
}
