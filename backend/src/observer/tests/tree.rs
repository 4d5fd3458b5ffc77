//! A temporary directory that looks like `/proc` and cgroup hierarchies.

use std::fs;
use std::os::unix::fs::symlink;
use std::path::{Path, PathBuf};

use tempfile::TempDir;
use vitrine_shared::cgroup::{Dialect, GroupId};
use vitrine_shared::id::{ContainerId, MachineId};

use crate::ipc::{ObservedHierarchy, ObservedMachine};
use crate::observer::file::Ledger;
use crate::observer::reader::Reader;

/// The machine of all fixtures.
pub(crate) const MACHINE: MachineId = MachineId(7);
/// Its container.
pub(crate) const C1: ContainerId = ContainerId(1);
/// Its first uid on the host.
pub(crate) const UID_BASE: u32 = 165_536;

/// The tree; removed when it is dropped.
#[derive(Debug)]
pub(crate) struct Tree(TempDir);

impl Tree {
    pub(crate) fn new() -> Self {
        let tree = Tree(tempfile::tempdir().unwrap());
        fs::create_dir(tree.proc()).unwrap();
        tree
    }

    pub(crate) fn proc(&self) -> PathBuf {
        self.0.path().join("proc")
    }

    pub(crate) fn path(&self, path: &str) -> PathBuf {
        self.0.path().join(path)
    }

    /// Writes a file and the directories above it.
    pub(crate) fn write(&self, path: &str, text: &str) {
        let path = self.path(path);
        fs::create_dir_all(path.parent().unwrap()).unwrap();
        fs::write(path, text).unwrap();
    }

    /// A process with so many clock ticks of CPU, started at `start_ticks`.
    pub(crate) fn process(&self, pid: u32, comm: &str, cpu_ticks: u64, start_ticks: u64) {
        let stat = format!(
            "{pid} ({comm}) S 1 1 1 0 -1 0 0 0 0 0 {cpu_ticks} 0 0 0 20 0 1 0 {start_ticks} 0 0\n"
        );
        self.write(&format!("proc/{pid}/stat"), &stat);
        let uid = UID_BASE + 1_000;
        let status = format!("Name:\tx\nUid:\t0\t{uid}\t0\t0\nNSpid:\t{pid}\t2\nVmRSS:\t  8 kB\n");
        self.write(&format!("proc/{pid}/status"), &status);
        self.write(&format!("proc/{pid}/cmdline"), &format!("{comm}\0--flag\0"));
        let ns = self.path(&format!("proc/{pid}/ns"));
        fs::create_dir_all(&ns).unwrap();
        for (i, name) in
            ["pid", "mnt", "uts", "ipc", "user", "net", "cgroup", "time"].iter().enumerate()
        {
            // A link that stands already is the same.
            let _ = symlink(format!("{name}:[{}]", 4_026_531_800 + i), ns.join(name));
        }
    }

    pub(crate) fn end(&self, pid: u32) {
        fs::remove_dir_all(self.path(&format!("proc/{pid}"))).unwrap();
    }

    /// The machine with its cap, root and container in these hierarchies.
    pub(crate) fn machine(&self, hierarchies: &[(&str, &[&str], Dialect)]) -> ObservedMachine {
        let hierarchies =
            hierarchies.iter().map(|(directory, controllers, dialect)| ObservedHierarchy {
                controllers: controllers.iter().map(ToString::to_string).collect(),
                dialect: *dialect,
                directory: self.path(directory),
            });
        ObservedMachine {
            init_pid: 300,
            roots: Vec::new(),
            delegated: false,
            machine: MACHINE,
            uid_base: UID_BASE,
            hierarchies: hierarchies.collect(),
            groups: vec![
                (GroupId::Cap, String::new()),
                (GroupId::Root, "root".into()),
                (GroupId::Container(C1), "root/c1".into()),
            ],
        }
    }

    /// A reader of this tree, with `stat`'s clock ticks as its only CPU clock.
    pub(crate) fn reader(&self, places: u64) -> Reader {
        Reader::with(&self.proc(), |_| None, Ledger::new(places)).unwrap()
    }
}

/// Descriptors this process has open below a directory.
pub(crate) fn open_below(directory: &Path) -> usize {
    let fds = fs::read_dir("/proc/self/fd").unwrap().flatten();
    fds.filter_map(|fd| fs::read_link(fd.path()).ok())
        .filter(|target| target.starts_with(directory))
        .count()
}
