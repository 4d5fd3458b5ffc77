//! Images appear whole or not at all, and go only when nobody uses them.
//!
//! Whoever makes an image holds an exclusive lock on its directory, whoever uses one a shared
//! lock; the kernel gives both back when the process is gone, however it went. So what a killed
//! builder left is told from what is being built, and what was removed while it was in use is
//! deleted by whoever comes next.

use std::fs::{self, File};
use std::io;
use std::os::unix::fs::MetadataExt as _;
use std::path::{Path, PathBuf};

use nix::errno::Errno;
use nix::fcntl::{Flock, FlockArg};

use super::{ImageError, at, skeleton};

/// Directories that are being filled.
const NEW: &str = "new-";
/// Directories that are to go.
const OLD: &str = "old-";

/// A lock on a directory, until it is dropped.
#[derive(Debug)]
struct Lock(Flock<File>);

impl Lock {
    /// `None`: somebody else has it.
    fn take(directory: &Path, how: FlockArg) -> io::Result<Option<Self>> {
        match Flock::lock(File::open(directory)?, how) {
            Ok(lock) => Ok(Some(Lock(lock))),
            Err((_, Errno::EWOULDBLOCK)) => Ok(None),
            Err((_, errno)) => Err(errno.into()),
        }
    }

    /// Is it this directory, still?
    fn is_on(&self, directory: &Path) -> bool {
        let (Ok(held), Ok(there)) = (self.0.metadata(), fs::symlink_metadata(directory)) else {
            return false;
        };
        (held.dev(), held.ino()) == (there.dev(), there.ino())
    }
}

/// An image that is in use: it is not deleted while this lives.
#[derive(Debug)]
pub(crate) struct Held {
    directory: PathBuf,
    _lock: Lock,
}

impl Held {
    /// Takes hold of an image; `None` when there is none (any more).
    pub(super) fn take(directory: &Path) -> Result<Option<Self>, ImageError> {
        let gone = |err: &io::Error| err.kind() == io::ErrorKind::NotFound;
        let lock = match Lock::take(directory, FlockArg::LockSharedNonblock) {
            Err(err) if gone(&err) => return Ok(None),
            other => other.map_err(at(directory))?,
        };
        let Some(lock) = lock else { return Ok(None) };
        // It may have been moved away between the opening and the lock.
        let there = lock.is_on(directory);
        Ok(there.then(|| Held { directory: directory.to_path_buf(), _lock: lock }))
    }

    /// Its root directory.
    pub(crate) fn root(&self) -> PathBuf {
        self.directory.join("root")
    }

    /// What is known of it.
    pub(super) fn about(&self) -> PathBuf {
        self.directory.join("image.json")
    }
}

/// A directory that is being filled; removed on drop, unless it was published.
#[derive(Debug)]
pub(super) struct Fresh {
    store: PathBuf,
    path: PathBuf,
    lock: Option<Lock>,
}

impl Fresh {
    /// Makes an empty directory, and sweeps those that killed builders left.
    pub(super) fn begin(store: &Path) -> Result<Self, ImageError> {
        // One at a time: a sweeper must not see a directory before its maker has the lock.
        let _turn = turn(store)?;
        sweep(store);
        let name = unused_name(store, NEW);
        let path = store.join(name);
        skeleton::directory(&path)?;
        let lock = Lock::take(&path, FlockArg::LockExclusiveNonblock).map_err(at(&path))?;
        let lock = lock.ok_or_else(|| at(&path)(Errno::EWOULDBLOCK.into()))?;
        Ok(Fresh { store: store.to_path_buf(), path, lock: Some(lock) })
    }

    /// Where to fill it.
    pub(super) fn path(&self) -> &Path {
        &self.path
    }

    /// Gives it its name; true when somebody else was quicker, whose is as good.
    pub(super) fn publish(mut self, name: &str) -> Result<bool, ImageError> {
        let target = self.store.join(name);
        let _turn = turn(&self.store)?;
        if fs::symlink_metadata(&target).is_ok() {
            return Ok(true);
        }
        // Whoever uses it from now on wants a lock of their own.
        self.lock = None;
        fs::rename(&self.path, &target).map_err(at(&target))?;
        Ok(false)
    }
}

impl Drop for Fresh {
    fn drop(&mut self) {
        // It has got its name, or there is another error to tell.
        let _ = fs::remove_dir_all(&self.path);
    }
}

/// Takes an image out of the store; true when its files are gone too, false when somebody still
/// uses it (its files go with the sweep after that).
pub(super) fn remove(store: &Path, name: &str) -> Result<bool, ImageError> {
    let _turn = turn(store)?;
    let old = store.join(unused_name(store, OLD));
    let image = store.join(name);
    fs::rename(&image, &old).map_err(at(&image))?;
    sweep(store);
    Ok(!old.exists())
}

/// Deletes what killed builders left and what was removed, where nobody holds it. Only for
/// whoever has the turn.
fn sweep(store: &Path) {
    for (path, _lock) in unheld(store) {
        // What cannot be removed now is tried again by the next one.
        let _ = fs::remove_dir_all(&path);
    }
}

/// Directories that killed builders left or that were removed, with the lock that nobody had.
fn unheld(store: &Path) -> Vec<(PathBuf, Lock)> {
    let entries = fs::read_dir(store).into_iter().flatten().flatten();
    let ours = |name: &str| name.starts_with(NEW) || name.starts_with(OLD);
    entries
        .filter(|entry| ours(&entry.file_name().to_string_lossy()))
        .filter_map(|entry| {
            let path = entry.path();
            let lock = Lock::take(&path, FlockArg::LockExclusiveNonblock).ok()??;
            Some((path, lock))
        })
        .collect()
}

/// The same for `vitrine doctor`: their paths, deleted or not. It does not wait for its turn for
/// ever: `None` when others keep it.
pub(super) fn leftovers(store: &Path, delete: bool) -> Option<Vec<PathBuf>> {
    let turn = (0..40).find_map(|_| {
        let turn = Lock::take(store, FlockArg::LockExclusiveNonblock);
        if matches!(turn, Ok(None)) {
            std::thread::sleep(std::time::Duration::from_millis(50));
        }
        turn.transpose()
    });
    let _turn = match turn? {
        Ok(turn) => turn,
        // No store, no leftovers.
        Err(_) => return Some(Vec::new()),
    };
    let unheld = unheld(store).into_iter();
    let gone = |path: &Path| !delete || fs::remove_dir_all(path).is_ok();
    Some(unheld.filter(|(path, _)| gone(path)).map(|(path, _)| path).collect())
}

fn turn(store: &Path) -> Result<Lock, ImageError> {
    let turn = Lock::take(store, FlockArg::LockExclusive).map_err(at(store))?;
    turn.ok_or_else(|| at(store)(Errno::EWOULDBLOCK.into()))
}

/// Only called by whoever has the turn.
fn unused_name(store: &Path, prefix: &str) -> String {
    let free = |name: &String| fs::symlink_metadata(store.join(name)).is_err();
    let names = (0..u32::MAX).map(|n| format!("{prefix}{}-{n}", std::process::id()));
    names.into_iter().find(free).unwrap_or_else(|| format!("{prefix}x"))
}

/// Size and time of change of a file: another when it was replaced.
pub(super) fn stamp(path: &Path) -> io::Result<(u64, i64)> {
    let meta = fs::metadata(path)?;
    Ok((meta.size(), meta.mtime().saturating_mul(1_000_000_000).saturating_add(meta.mtime_nsec())))
}

#[cfg(test)]
impl Held {
    pub(super) fn directory_for_tests(&self) -> PathBuf {
        self.directory.clone()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn names(store: &Path) -> Vec<String> {
        let entries = fs::read_dir(store).unwrap().flatten();
        let mut names: Vec<_> =
            entries.map(|entry| entry.file_name().into_string().unwrap()).collect();
        names.sort();
        names
    }

    #[test]
    fn what_is_not_published_is_not_there() {
        let store = tempfile::tempdir().unwrap();
        let fresh = Fresh::begin(store.path()).unwrap();
        fs::write(fresh.path().join("half"), "").unwrap();
        assert_eq!(names(store.path()).len(), 1);
        drop(fresh);
        assert_eq!(names(store.path()), [""; 0]);
    }

    #[test]
    fn a_killed_builders_directory_is_swept_a_living_ones_is_not() {
        let store = tempfile::tempdir().unwrap();
        fs::create_dir_all(store.path().join("new-1-0/root/usr")).unwrap();
        fs::create_dir(store.path().join("image-kept")).unwrap();
        let living = Fresh::begin(store.path()).unwrap();
        let other = Fresh::begin(store.path()).unwrap();
        assert!(!store.path().join("new-1-0").exists());
        assert_eq!(leftovers(store.path(), true), Some(Vec::new()), "these live");
        let left = store.path().join("new-1-0");
        fs::create_dir(&left).unwrap();
        assert_eq!(leftovers(store.path(), false), Some(vec![left.clone()]));
        assert_eq!(leftovers(store.path(), true), Some(vec![left.clone()]));
        assert!(!left.exists());
        assert_eq!(leftovers(&left, true), Some(Vec::new()), "no store");
        assert!(living.path().exists() && other.path() != living.path());
        assert!(!living.publish("image-one").unwrap());
        assert!(other.publish("image-one").unwrap(), "the first one wins");
        assert_eq!(names(store.path()), ["image-kept", "image-one"]);
    }

    #[test]
    fn files_in_use_outlive_the_name() {
        let store = tempfile::tempdir().unwrap();
        let image = store.path().join("image-a");
        fs::create_dir_all(image.join("root")).unwrap();
        let held = Held::take(&image).unwrap().unwrap();
        assert!(!remove(store.path(), "image-a").unwrap(), "it is in use");
        assert!(Held::take(&image).unwrap().is_none(), "the name is gone at once");
        assert_eq!(names(store.path()).len(), 1);
        drop(held);
        drop(Fresh::begin(store.path()).unwrap());
        assert_eq!(names(store.path()), [""; 0]);
    }

    #[test]
    fn many_builders_at_once_make_one() {
        let store = tempfile::tempdir().unwrap();
        let quicker = std::thread::scope(|scope| {
            let build = || {
                let fresh = Fresh::begin(store.path()).unwrap();
                fs::write(fresh.path().join("whole"), "").unwrap();
                fresh.publish("image-x").unwrap()
            };
            let builders: Vec<_> = (0..8).map(|_| scope.spawn(build)).collect();
            builders.into_iter().map(|builder| builder.join().unwrap()).collect::<Vec<_>>()
        });
        assert_eq!(quicker.iter().filter(|quicker| !**quicker).count(), 1, "{quicker:?}");
        assert_eq!(names(store.path()), ["image-x"]);
    }
}
