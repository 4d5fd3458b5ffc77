//! Opening for reading, kept descriptors, and how many of them there may be.

use std::cell::Cell;
use std::ffi::CStr;
use std::os::fd::{AsFd, OwnedFd};
use std::path::Path;
use std::rc::Rc;

use nix::errno::Errno;
use nix::fcntl::{AT_FDCWD, OFlag, openat};
use nix::sys::resource::{Resource, getrlimit};
use nix::sys::stat::Mode;
use nix::sys::uio::pread;

const READ: OFlag = OFlag::O_RDONLY.union(OFlag::O_CLOEXEC).union(OFlag::O_NOFOLLOW);
/// More than any file that is read in one piece says.
const PAGE_BYTES: usize = 4096;
/// Most bytes read of a list: 100,000 PIDs.
const LIST_BYTES: usize = 1024 * 1024;
/// Descriptors left for channels, cgroup files and reads under way.
const RESERVED_FDS: u64 = 6_144;

/// Opens a directory.
pub(crate) fn open_directory(path: &Path) -> nix::Result<OwnedFd> {
    openat(AT_FDCWD, path, READ.union(OFlag::O_DIRECTORY), Mode::empty())
}

/// Opens a directory in another.
pub(crate) fn open_directory_in(directory: impl AsFd, name: &CStr) -> nix::Result<OwnedFd> {
    openat(directory, name, READ.union(OFlag::O_DIRECTORY), Mode::empty())
}

/// A directory in another, only to look names up in: `ns` may be entered, but not listed, by all.
pub(crate) fn enter_in(directory: impl AsFd, name: &CStr) -> nix::Result<OwnedFd> {
    let path = OFlag::O_PATH | OFlag::O_DIRECTORY | OFlag::O_NOFOLLOW | OFlag::O_CLOEXEC;
    openat(directory, name, path, Mode::empty())
}

/// Opens what a link of the kernel's leads to, such as `ns/net` or `self`: only for `/proc`.
pub(crate) fn open_through(directory: impl AsFd, name: &CStr) -> nix::Result<OwnedFd> {
    openat(directory, name, OFlag::O_RDONLY | OFlag::O_CLOEXEC, Mode::empty())
}

/// Opens a file.
pub(crate) fn open(path: &Path) -> nix::Result<OwnedFd> {
    openat(AT_FDCWD, path, READ, Mode::empty())
}

/// Opens a file in a directory.
pub(crate) fn open_in(directory: impl AsFd, name: &CStr) -> nix::Result<OwnedFd> {
    openat(directory, name, READ, Mode::empty())
}

/// Reads the first page of a file from its start, without moving it. A kernel file is written
/// anew for each such read.
pub(crate) fn read_page(file: impl AsFd, buffer: &mut Vec<u8>) -> nix::Result<()> {
    buffer.clear();
    append(file, buffer, PAGE_BYTES).map(drop)
}

/// Reads a list that may be longer than a page.
pub(crate) fn read_list(file: impl AsFd, buffer: &mut Vec<u8>) -> nix::Result<()> {
    buffer.clear();
    while buffer.len() < LIST_BYTES && append(&file, buffer, 4 * PAGE_BYTES)? > 0 {}
    Ok(())
}

/// Reads on behind what is in the buffer already.
fn append(file: impl AsFd, buffer: &mut Vec<u8>, max_bytes: usize) -> nix::Result<usize> {
    let start = buffer.len();
    let offset = i64::try_from(start).map_err(|_| Errno::EOVERFLOW)?;
    buffer.resize(start + max_bytes, 0);
    let len = loop {
        match pread(&file, &mut buffer[start..], offset) {
            Err(Errno::EINTR) => {}
            other => break other,
        }
    };
    buffer.truncate(start + len.unwrap_or(0));
    len
}

/// How many processes' descriptors may be kept; the others are opened for each reading.
#[derive(Clone, Debug)]
pub(crate) struct Ledger(Rc<Cell<u64>>);

/// One place in the ledger, given back when it is dropped.
#[derive(Debug)]
pub(crate) struct Place(Ledger);

impl Ledger {
    /// As many as this process may have open, two each, with some in reserve.
    pub(crate) fn of_this_process() -> Self {
        let (soft, _) = getrlimit(Resource::RLIMIT_NOFILE).unwrap_or((1_024, 1_024));
        Ledger::new(soft.saturating_sub(RESERVED_FDS.min(soft / 2)) / 2)
    }

    /// So many.
    pub(crate) fn new(places: u64) -> Self {
        Ledger(Rc::new(Cell::new(places)))
    }

    /// A place, if one is free.
    pub(crate) fn take(&self) -> Option<Place> {
        self.0.set(self.0.get().checked_sub(1)?);
        Some(Place(self.clone()))
    }

    /// Places that are free.
    #[cfg(test)]
    pub(crate) fn free(&self) -> u64 {
        self.0.get()
    }
}

impl Drop for Place {
    fn drop(&mut self) {
        self.0.0.set(self.0.0.get() + 1);
    }
}
