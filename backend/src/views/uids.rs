//! What a user of the host is called inside a process's user namespace.

use std::collections::HashMap;
use std::collections::hash_map::Entry;
use std::ffi::CString;
use std::os::fd::AsFd;

use vitrine_shared::namespace::Namespace;

use crate::observer::{file, process};

/// One line of a `uid_map`: first inside, first outside, how many.
type Extent = (u64, u64, u64);

/// The maps of the user namespaces that were met, each read once.
#[derive(Debug, Default)]
pub(crate) struct UidMaps {
    own: Option<u64>,
    maps: HashMap<u64, Vec<Extent>>,
}

impl UidMaps {
    /// The reader's own user namespace needs no map: it is the one all numbers are in.
    pub(crate) fn new(proc: impl AsFd) -> Self {
        let own = file::open_through(proc, c"self").map(process::namespaces_of);
        let own = own.ok().map(|namespaces| namespaces[Namespace::User as usize]);
        UidMaps { own: own.filter(|&inode| inode != 0), maps: HashMap::new() }
    }

    /// The user inside the user namespace `inode`, which the process `pid` is in; `None` when it
    /// has no number there.
    pub(crate) fn inside(
        &mut self,
        proc: impl AsFd,
        pid: u32,
        inode: u64,
        uid: u32,
    ) -> Option<u32> {
        if inode == 0 {
            return None;
        }
        if self.own == Some(inode) {
            return Some(uid);
        }
        let map = match self.maps.entry(inode) {
            Entry::Occupied(known) => known.into_mut(),
            Entry::Vacant(new) => new.insert(read(proc, pid)?),
        };
        let uid = u64::from(uid);
        let inside = map.iter().find_map(|&(inside, outside, n)| {
            let at = uid.checked_sub(outside).filter(|&at| at < n)?;
            inside.checked_add(at)
        });
        u32::try_from(inside?).ok()
    }
}

fn read(proc: impl AsFd, pid: u32) -> Option<Vec<Extent>> {
    let name = CString::new(pid.to_string()).ok()?;
    let directory = file::open_directory_in(proc, &name).ok()?;
    let mut buffer = Vec::new();
    file::read_page(file::open_in(&directory, c"uid_map").ok()?, &mut buffer).ok()?;
    Some(parse(&String::from_utf8_lossy(&buffer)))
}

fn parse(text: &str) -> Vec<Extent> {
    let extent = |line: &str| {
        let mut numbers = line.split_whitespace().map(str::parse);
        Some((numbers.next()?.ok()?, numbers.next()?.ok()?, numbers.next()?.ok()?))
    };
    text.lines().filter_map(extent).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn several_extents() {
        let mut maps = UidMaps { own: Some(7), maps: HashMap::new() };
        maps.maps
            .insert(8, parse("         0     100000      1000\n      2000     300000   1\nx\n"));
        let root = std::fs::File::open("/").unwrap();
        let mut inside = |inode, uid| maps.inside(&root, 1, inode, uid);
        assert_eq!(inside(7, 5), Some(5));
        assert_eq!(inside(8, 100_999), Some(999));
        assert_eq!(inside(8, 300_000), Some(2_000));
        assert_eq!((inside(8, 0), inside(8, 101_000), inside(8, 300_001)), (None, None, None));
        assert_eq!(inside(0, 5), None, "a namespace that cannot be read has no map");
    }
}
