//! lxcfs, where it runs: detached mounts of its single files.

use std::ffi::CString;
use std::fs;
use std::io::Read as _;
use std::os::fd::{AsFd as _, OwnedFd};
use std::time::Duration;

use nix::errno::Errno;
use vitrine_shared::message::StepName;
use vitrine_shared::truth::{LXCFS_DIRECTORY, LXCFS_FILES};

use super::super::step::{At as _, StepError};
use super::super::sys::{self, Side};

/// lxcfs answers within a millisecond; one that hangs must not hold the launcher up.
const PATIENCE: Duration = Duration::from_millis(500);

/// Is it mounted where distributions mount it, and does it answer?
pub(crate) fn is_running() -> bool {
    is_mounted(&fs::read_to_string("/proc/self/mountinfo").unwrap_or_default()) && answers()
}

/// Read-only, `nosuid`, `nodev`: nothing may be changed through a file of lxcfs.
pub(super) fn files() -> Result<Vec<(&'static str, OwnedFd)>, StepError> {
    let step = StepName::Proc;
    if !is_running() {
        let what = format!("lxcfs does not run at {LXCFS_DIRECTORY}");
        return Err(StepError::new(step, what, Errno::ENOENT));
    }
    let mut files = Vec::new();
    for name in LXCFS_FILES {
        let path = path_of(name);
        let c_path = CString::new(path.as_str()).map_err(|_| Errno::EINVAL).at(step, "path")?;
        let file = match sys::open_tree_clone(&c_path, false) {
            // Which files there are depends on its version.
            Err(Errno::ENOENT) => continue,
            other => other.at(step, format!("open_tree({path})"))?,
        };
        let set = sys::MOUNT_ATTR_RDONLY | sys::MOUNT_ATTR_NOSUID | sys::MOUNT_ATTR_NODEV;
        sys::mount_setattr(file.as_fd(), set, None).at(step, "mount_setattr(read-only)")?;
        files.push((name, file));
    }
    Ok(files)
}

fn path_of(name: &str) -> String {
    format!("{LXCFS_DIRECTORY}/proc/{name}")
}

/// From the text of `mountinfo`: a stat of the directory would already ask it.
fn is_mounted(mountinfo: &str) -> bool {
    mountinfo.lines().any(|line| {
        let mut halves = line.splitn(2, " - ");
        let path = halves.next().and_then(|before| before.split(' ').nth(4));
        let kind = halves.next().and_then(|after| after.split(' ').next());
        path == Some(LXCFS_DIRECTORY) && kind == Some("fuse.lxcfs")
    })
}

/// Asked by a child, which can be left behind. A dead one says `ENOTCONN`.
fn answers() -> bool {
    let Ok(side) = sys::clone3(0) else { return false };
    let child = match side {
        Side::Child => {
            let mut byte = [0];
            let read = fs::File::open(path_of("uptime")).and_then(|mut file| file.read(&mut byte));
            sys::exit_now(i32::from(!matches!(read, Ok(1))))
        }
        Side::Parent { pidfd, .. } => pidfd,
    };
    match sys::wait_pidfd_until(child.as_fd(), PATIENCE) {
        Ok(ended) => ended.status == 0,
        Err(_) => {
            tracing::warn!("lxcfs does not answer");
            // Who waits for it without interruption is reaped when it has died.
            let _ = sys::pidfd_signal(child.as_fd(), libc::SIGKILL);
            let _ = sys::wait_pidfd_within(child.as_fd(), Duration::ZERO);
            false
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn mounted_is_what_is_of_that_kind_at_that_place() {
        let line = |path, kind| format!("41 29 0:37 / {path} rw,nosuid shared:9 - {kind} lxcfs rw");
        assert!(is_mounted(&line("/var/lib/lxcfs", "fuse.lxcfs")));
        assert!(!is_mounted(&line("/var/lib/lxcfs", "tmpfs")));
        assert!(!is_mounted(&line("/var/lib/lxcfs2", "fuse.lxcfs")));
        assert!(!is_mounted("/var/lib/lxcfs\n - \n"));
    }
}
