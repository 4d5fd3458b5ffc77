//! Ends the processes of a container where no cgroup holds them.
//!
//! A PID namespace of its own ends with its first process. Without one, what it started is found
//! by the root that all of it has and nobody else: an overlay of its own, which a process keeps
//! through `fork` and `execve` and cannot change without privilege.

use std::fs;
use std::io;
use std::os::unix::fs::MetadataExt as _;
use std::path::Path;
use std::time::{Duration, Instant};

use nix::errno::Errno;
use nix::sys::signal::{Signal, kill};
use nix::sys::stat::{major, minor};
use nix::unistd::Pid;
use serde::{Deserialize, Serialize};

/// A root directory, told from all others: its file system and its inode.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct RootId {
    device: u64,
    inode: u64,
}

impl RootId {
    /// Its file system, as `mountinfo` names it.
    pub(crate) fn file_system(self) -> String {
        format!("{}:{}", major(self.device), minor(self.device))
    }

    /// The root that `path` leads to.
    pub(crate) fn of(path: &Path) -> io::Result<Self> {
        let meta = fs::metadata(path)?;
        Ok(RootId { device: meta.dev(), inode: meta.ino() })
    }
}

/// Kills every process that has this root, and waits until all are gone.
pub(crate) fn by_root(root: RootId, patience: Duration) -> io::Result<()> {
    if RootId::of(Path::new("/"))? == root {
        return Err(io::Error::other("this root is the launcher's own"));
    }
    let deadline = Instant::now() + patience;
    loop {
        let alive = with_root(root);
        if alive.is_empty() {
            return Ok(());
        }
        for &pid in &alive {
            match kill(Pid::from_raw(pid), Signal::SIGKILL) {
                Ok(()) | Err(Errno::ESRCH) => {}
                Err(errno) => return Err(errno.into()),
            }
        }
        if Instant::now() > deadline {
            return Err(io::Error::other(format!("{} processes do not die", alive.len())));
        }
        std::thread::sleep(Duration::from_micros(500));
    }
}

/// The processes with this root. One that may not be looked at is not ours, and a zombie has none.
pub(crate) fn with_root(root: RootId) -> Vec<i32> {
    let proc = Path::new("/proc");
    let entries = fs::read_dir(proc).into_iter().flatten().flatten();
    let pids = entries.filter_map(|entry| entry.file_name().to_str()?.parse().ok());
    let has =
        |pid: &i32| RootId::of(&proc.join(pid.to_string()).join("root")).is_ok_and(|of| of == root);
    pids.filter(|&pid| pid > 1).filter(has).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_own_root_is_never_killed() {
        let own = RootId::of(Path::new("/")).unwrap();
        assert!(by_root(own, Duration::ZERO).is_err());
    }

    #[test]
    fn processes_are_found_by_their_root() {
        let dir = tempfile::tempdir().unwrap();
        let root = RootId::of(dir.path()).unwrap();
        assert!(with_root(root).is_empty());
        let own = RootId::of(Path::new("/")).unwrap();
        let me = std::process::id().cast_signed();
        assert!(with_root(own).contains(&me));
    }
}
