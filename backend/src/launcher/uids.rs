//! The pool of uid ranges: 65,536 for each machine, never shared, never anybody else's.
//!
//! A range is taken by a lock on one byte of `/run/vitrine/uids`. The lock belongs to the open
//! file, so the kernel gives a range back when its launcher is gone, however it went.

use std::cell::RefCell;
use std::collections::BTreeSet;
use std::fs;
use std::io;
use std::os::fd::{AsFd, OwnedFd};
use std::os::unix::fs::{DirBuilderExt as _, OpenOptionsExt as _};
use std::rc::Rc;

use super::sys;

/// How many uids a range has.
pub(crate) const RANGE: u32 = 65_536;
/// The first range: above what distributions, containers and `systemd-nspawn` (524,288 to
/// 1,879,048,191) give out, below 2³¹, where old programs see negative numbers.
const FIRST: u32 = 2_000_000_000;
const RANGES: u32 = 2_048;
/// The first uid of the last range.
pub(crate) const LAST: u32 = base(RANGES - 1);
/// Our directory for what must not outlive the host.
pub(crate) const RUN_DIRECTORY: &str = "/run/vitrine";

/// The pool.
#[derive(Debug)]
pub(crate) struct Pool {
    file: Rc<OwnedFd>,
    /// Ranges that somebody else on this host has been given.
    foreign: Vec<(u32, u32)>,
    /// Ranges of this process: it would be given its own lock a second time.
    own: Rc<RefCell<BTreeSet<u32>>>,
    next: u32,
}

/// A range of one's own; given back on drop.
#[derive(Debug)]
pub(crate) struct UidRange {
    file: Rc<OwnedFd>,
    own: Rc<RefCell<BTreeSet<u32>>>,
    index: u32,
}

impl Pool {
    /// Opens the pool of this host.
    pub(crate) fn open() -> io::Result<Self> {
        fs::DirBuilder::new().mode(0o711).recursive(true).create(RUN_DIRECTORY)?;
        let file = fs::OpenOptions::new()
            .read(true)
            .write(true)
            .create(true)
            .truncate(false)
            .mode(0o600)
            .open(format!("{RUN_DIRECTORY}/uids"))?;
        let read = |path| fs::read_to_string(path).unwrap_or_default();
        let mut foreign = sub_ids(&read("/etc/subuid"));
        foreign.extend(sub_ids(&read("/etc/subgid")));
        foreign.extend(passwd_ids(&read("/etc/passwd")));
        Ok(Pool { file: Rc::new(file.into()), foreign, own: Rc::default(), next: 0 })
    }

    /// Takes a free range; `None` when all are taken.
    pub(crate) fn take(&mut self) -> io::Result<Option<UidRange>> {
        for offset in 0..RANGES {
            let index = (self.next + offset) % RANGES;
            if self.is_foreign(index) || self.own.borrow().contains(&index) {
                continue;
            }
            if sys::lock_byte(self.file.as_fd(), i64::from(index))? {
                // Going round, a range rests before it is used again.
                self.next = (index + 1) % RANGES;
                self.own.borrow_mut().insert(index);
                let (file, own) = (Rc::clone(&self.file), Rc::clone(&self.own));
                return Ok(Some(UidRange { file, own, index }));
            }
        }
        Ok(None)
    }

    fn is_foreign(&self, index: u32) -> bool {
        let (first, last) = (base(index), base(index) + (RANGE - 1));
        self.foreign.iter().any(|&(start, end)| start <= last && first <= end)
    }
}

impl UidRange {
    /// The first uid of the range.
    pub(crate) fn base(&self) -> u32 {
        base(self.index)
    }
}

impl Drop for UidRange {
    fn drop(&mut self) {
        self.own.borrow_mut().remove(&self.index);
        sys::unlock_byte(self.file.as_fd(), i64::from(self.index));
    }
}

const fn base(index: u32) -> u32 {
    FIRST + index * RANGE
}

/// `name:first:count` of `subuid(5)`, as first and last.
fn sub_ids(text: &str) -> Vec<(u32, u32)> {
    let range = |line: &str| {
        let mut fields = line.split(':').skip(1);
        let first: u32 = fields.next()?.trim().parse().ok()?;
        let count: u32 = fields.next()?.trim().parse().ok()?;
        (count > 0).then(|| (first, first.saturating_add(count - 1)))
    };
    text.lines().filter_map(range).collect()
}

/// The uids and gids of `passwd(5)`.
fn passwd_ids(text: &str) -> Vec<(u32, u32)> {
    let ids = |line: &str| {
        let fields: Vec<&str> = line.split(':').collect();
        [fields.get(2), fields.get(3)].map(|id| id.and_then(|id| id.parse().ok()))
    };
    text.lines().flat_map(ids).flatten().map(|id: u32| (id, id)).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn other_peoples_ranges_are_seen() {
        assert_eq!(
            sub_ids("me:100000:65536\n#x\nbad:1\nyou:2000000000:70000"),
            [(100_000, 165_535), (2_000_000_000, 2_000_069_999)]
        );
        assert_eq!(passwd_ids("root:x:0:0:root:/root:/bin/sh\nbroken"), [(0, 0), (0, 0)]);
    }

    #[test]
    fn the_pool_stays_below_two_to_the_31() {
        assert!(u64::from(base(RANGES - 1)) + u64::from(RANGE) < 1 << 31);
    }
}
