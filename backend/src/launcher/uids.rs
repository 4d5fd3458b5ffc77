//! The pool of uid ranges: 65,536 for each machine, never shared, never anybody else's.
//!
//! A range is taken by a lock on one byte of `/run/vitrine/uids`. The lock belongs to the open
//! file, so the kernel gives a range back when its launcher is gone, however it went.
//!
//! An ordinary user has no ids to give out: every machine has those of the launcher's own user
//! namespace.

use std::cell::RefCell;
use std::collections::BTreeSet;
use std::fs;
use std::io;
use std::os::fd::{AsFd, OwnedFd};
use std::os::unix::fs::OpenOptionsExt as _;
use std::rc::Rc;

use super::privilege::Privilege;
use super::sys;

/// How many uids a range has.
pub(crate) const RANGE: u32 = 65_536;
/// The first range: above what distributions, containers and `systemd-nspawn` (524,288 to
/// 1,879,048,191) give out, below 2³¹, where old programs see negative numbers.
const FIRST: u32 = 2_000_000_000;
const RANGES: u32 = 2_048;
/// Root's directory for what must not outlive the host; made by `directories`.
pub(crate) const RUN_DIRECTORY: &str = "/run/vitrine";

/// The pool.
#[derive(Debug)]
pub(crate) enum Pool {
    /// Root's: ranges of the whole host's.
    OfHost(Ranges),
    /// An ordinary user's: this many ids, which all machines share.
    Shared(u32),
}

/// Ranges of the host, and which of them are taken.
#[derive(Debug)]
pub(crate) struct Ranges {
    file: Rc<OwnedFd>,
    /// Ranges that somebody else on this host has been given.
    foreign: Vec<(u32, u32)>,
    /// Ranges of this process: it would be given its own lock a second time.
    own: Rc<RefCell<BTreeSet<u32>>>,
    next: u32,
}

/// A range of ids, as this launcher's user namespace numbers them; given back on drop.
#[derive(Debug)]
pub(crate) struct UidRange {
    base: u32,
    count: u32,
    /// One's own, or else shared.
    _lock: Option<Lock>,
}

#[derive(Debug)]
struct Lock {
    file: Rc<OwnedFd>,
    own: Rc<RefCell<BTreeSet<u32>>>,
    index: u32,
}

impl Pool {
    /// Opens the pool of this host, or of this user.
    pub(crate) fn open(privilege: Privilege) -> io::Result<Self> {
        match privilege {
            Privilege::Root => Ranges::open().map(Pool::OfHost),
            Privilege::Rootless { .. } => Ok(Pool::Shared(privilege.ids_per_machine())),
        }
    }

    /// Takes a free range; `None` when all are taken.
    pub(crate) fn take(&mut self) -> io::Result<Option<UidRange>> {
        match self {
            Pool::OfHost(ranges) => ranges.take(),
            Pool::Shared(count) => Ok(Some(UidRange { base: 0, count: *count, _lock: None })),
        }
    }
}

impl Ranges {
    fn open() -> io::Result<Self> {
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
        Ok(Ranges { file: Rc::new(file.into()), foreign, own: Rc::default(), next: 0 })
    }

    fn take(&mut self) -> io::Result<Option<UidRange>> {
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
                let lock = Lock { file, own, index };
                return Ok(Some(UidRange { base: base(index), count: RANGE, _lock: Some(lock) }));
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
    /// The last range, without the right to it: for a namespace that nothing runs in. A server
    /// comes to it only when all others are taken.
    pub(crate) fn of_nobody() -> Self {
        UidRange { base: base(RANGES - 1), count: RANGE, _lock: None }
    }

    /// The first uid of the range.
    pub(crate) fn base(&self) -> u32 {
        self.base
    }

    /// How many there are.
    pub(crate) fn count(&self) -> u32 {
        self.count
    }
}

impl Drop for Lock {
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
