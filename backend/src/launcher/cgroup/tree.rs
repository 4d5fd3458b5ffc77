//! Walks a tree of groups that somebody else may have made, and may still be making.
//!
//! The owner of a machine of profile `lab` makes groups as they like: thousands of them, deeper
//! than `PATH_MAX`, renamed and removed while we look. So no path is ever put together: every
//! step is relative to a descriptor, only one is open at a time, nothing recurses, and the whole
//! walk has a deadline.

use std::ffi::{CStr, CString};
use std::io::{self, Read as _, Write as _};
use std::os::fd::{AsFd, BorrowedFd, OwnedFd};
use std::path::Path;
use std::time::{Duration, Instant};

use nix::dir::{Dir, Type};
use nix::errno::Errno;
use nix::fcntl::{OFlag, open, openat};
use nix::sys::stat::Mode;
use nix::unistd::{UnlinkatFlags, unlinkat};

const DIRECTORY: OFlag =
    OFlag::O_RDONLY.union(OFlag::O_DIRECTORY).union(OFlag::O_NOFOLLOW).union(OFlag::O_CLOEXEC);

/// One directory on the way down: its name in its parent, and the children yet to be seen.
struct Level {
    name: CString,
    children: Vec<CString>,
}

/// Calls `enter` for a group and everything below it, parents first, and `leave` for everything
/// below it, children first, with the parent's directory and the name there. A group that is not
/// there (any more) is no error.
fn walk(
    top: &Path,
    deadline: Instant,
    mut enter: impl FnMut(BorrowedFd<'_>),
    mut leave: impl FnMut(BorrowedFd<'_>, &CStr) -> nix::Result<()>,
) -> nix::Result<()> {
    let mut here: OwnedFd = match open(top, DIRECTORY, Mode::empty()) {
        Err(Errno::ENOENT) => return Ok(()),
        other => other?,
    };
    enter(here.as_fd());
    let mut way = vec![Level { name: CString::default(), children: children(&here)? }];
    while let Some(level) = way.last_mut() {
        if Instant::now() > deadline {
            return Err(Errno::ETIMEDOUT);
        }
        if let Some(name) = level.children.pop() {
            here = match openat(&here, name.as_c_str(), DIRECTORY, Mode::empty()) {
                // Removed or renamed while we look; what is new is found by the next walk.
                Err(Errno::ENOENT) => continue,
                other => other?,
            };
            enter(here.as_fd());
            way.push(Level { name, children: children(&here)? });
            continue;
        }
        let Some(Level { name, .. }) = way.pop() else { break };
        if !way.is_empty() {
            here = openat(&here, c"..", DIRECTORY, Mode::empty())?;
            leave(here.as_fd(), &name)?;
        }
    }
    Ok(())
}

fn children(dir: &OwnedFd) -> nix::Result<Vec<CString>> {
    // A description of its own: listing moves the position that a copy would share.
    let mut list = Dir::openat(dir, c".", DIRECTORY, Mode::empty())?;
    let is_group = |entry: &nix::dir::Entry| {
        let name = entry.file_name();
        entry.file_type() == Some(Type::Directory) && name != c"." && name != c".."
    };
    // A group that is removed while it is listed has no more entries.
    Ok(list.iter().map_while(Result::ok).filter(is_group).map(|e| e.file_name().into()).collect())
}

/// Are there groups in it?
pub(super) fn has_children(dir: &OwnedFd) -> bool {
    // One that goes while we look has none.
    children(dir).is_ok_and(|children| !children.is_empty())
}

/// Calls `visit` for a group and everything below it, parents first.
pub(super) fn for_each(
    top: &Path,
    deadline: Instant,
    visit: impl FnMut(BorrowedFd<'_>),
) -> nix::Result<()> {
    walk(top, deadline, visit, |_, _| Ok(()))
}

/// Removes a group and everything below it. Already gone is gone.
pub(crate) fn remove(top: &Path, deadline: Instant) -> nix::Result<()> {
    loop {
        let below = walk(
            top,
            deadline,
            |_| {},
            |parent, name| {
                remove_one(deadline, || unlinkat(parent, name, UnlinkatFlags::RemoveDir))
            },
        );
        let removed = below.and_then(|()| {
            remove_one(deadline, || unlinkat(nix::fcntl::AT_FDCWD, top, UnlinkatFlags::RemoveDir))
        });
        match removed {
            // Somebody has made one more meanwhile.
            Err(Errno::EBUSY | Errno::ENOTEMPTY) if Instant::now() < deadline => {
                std::thread::sleep(Duration::from_millis(1));
            }
            other => return other,
        }
    }
}

/// A process that has just been reaped may still be counted for a moment: EBUSY is asked again.
fn remove_one(deadline: Instant, remove: impl Fn() -> nix::Result<()>) -> nix::Result<()> {
    for _ in 0..100 {
        match remove() {
            Err(Errno::EBUSY) if Instant::now() < deadline => {
                std::thread::sleep(Duration::from_millis(1));
            }
            Err(Errno::ENOENT) => return Ok(()),
            other => return other,
        }
    }
    Err(Errno::EBUSY)
}

/// The text of a file of a group.
pub(super) fn read(dir: BorrowedFd<'_>, file: &CStr) -> io::Result<String> {
    let fd = openat(dir, file, OFlag::O_RDONLY | OFlag::O_CLOEXEC, Mode::empty())?;
    let mut text = String::new();
    std::fs::File::from(fd).read_to_string(&mut text)?;
    Ok(text)
}

/// Writes a file of a group.
pub(super) fn write(dir: BorrowedFd<'_>, file: &CStr, text: &str) -> io::Result<()> {
    let fd = openat(dir, file, OFlag::O_WRONLY | OFlag::O_CLOEXEC, Mode::empty())?;
    std::fs::File::from(fd).write_all(text.as_bytes())
}

/// The processes of a group.
pub(super) fn pids(dir: BorrowedFd<'_>) -> Vec<i32> {
    // A group that goes while we look has none.
    let procs = read(dir, c"cgroup.procs").unwrap_or_default();
    procs.lines().filter_map(|line| line.parse().ok()).filter(|&pid| pid > 0).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn soon() -> Instant {
        Instant::now() + Duration::from_secs(10)
    }

    /// A chain of directories whose path is longer than the kernel takes, and how deep it is.
    fn deep(top: &Path) -> usize {
        let name = CString::new("d".repeat(200)).unwrap();
        let mut here = open(top, DIRECTORY, Mode::empty()).unwrap();
        for _ in 0..50 {
            nix::sys::stat::mkdirat(&here, name.as_c_str(), Mode::from_bits_truncate(0o755))
                .unwrap();
            here = openat(&here, name.as_c_str(), DIRECTORY, Mode::empty()).unwrap();
        }
        50
    }

    #[test]
    fn deeper_than_any_path() {
        let dir = tempfile::tempdir().unwrap();
        let top = dir.path().join("top");
        std::fs::create_dir(&top).unwrap();
        let depth = deep(&top);
        let mut seen = 0;
        for_each(&top, soon(), |_| seen += 1).unwrap();
        assert_eq!(seen, depth + 1);
        remove(&top, soon()).unwrap();
        assert!(!top.exists());
        remove(&top, soon()).unwrap();
    }

    #[test]
    fn a_link_leads_nowhere() {
        let dir = tempfile::tempdir().unwrap();
        let (top, other) = (dir.path().join("top"), dir.path().join("other"));
        for path in [&top, &other] {
            std::fs::create_dir(path).unwrap();
        }
        std::fs::create_dir(other.join("kept")).unwrap();
        std::os::unix::fs::symlink(&other, top.join("link")).unwrap();
        let mut seen = 0;
        for_each(&top, soon(), |_| seen += 1).unwrap();
        assert_eq!(seen, 1);
        // Whether the kernel or the clock says no first.
        assert!(remove(&top, Instant::now() + Duration::from_millis(50)).is_err());
        assert!(other.join("kept").is_dir());
    }

    #[test]
    fn a_walk_has_an_end() {
        let dir = tempfile::tempdir().unwrap();
        deep(dir.path());
        let past = Instant::now().checked_sub(Duration::from_millis(1)).unwrap();
        assert_eq!(for_each(dir.path(), past, |_| ()), Err(Errno::ETIMEDOUT));
        assert_eq!(remove(dir.path(), past), Err(Errno::ETIMEDOUT));
    }
}
