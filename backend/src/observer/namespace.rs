//! What `/proc` tells of namespaces besides who is in them: for a machine's discovery and for
//! `vitrine namespaces`.

use std::ffi::CString;
use std::os::fd::{AsFd, OwnedFd};

use nix::dir::Dir;
use nix::fcntl::readlinkat;
use vitrine_shared::namespace::Namespace as Kind;

use super::{file, parse, process};

/// Numbers of the namespaces that are there from boot, in the order of [`Kind::ALL`]
/// (`PROC_PID_INIT_INO` and so on of `linux/proc_ns.h`). Those of mount and net have been fixed
/// since 6.18; before, they are those of the host's PID 1.
const INITIAL: [u64; 8] = [
    4_026_531_836,
    4_026_531_832,
    4_026_531_838,
    4_026_531_839,
    4_026_531_837,
    4_026_531_833,
    4_026_531_835,
    4_026_531_834,
];

/// The initial namespaces as far as they are known: the fixed numbers, and PID 1's.
#[derive(Clone, Copy, Debug, Default)]
pub(crate) struct Initial([[u64; 2]; 8]);

impl Initial {
    /// As this `/proc` tells them.
    pub(crate) fn read(proc: impl AsFd) -> Self {
        let first = file::open_directory_in(proc, c"1").map_or([0; 8], process::namespaces_of);
        // PID 1 is the host's only in the host's PID namespace.
        let is_host = first[Kind::Pid as usize] == INITIAL[Kind::Pid as usize];
        Initial(std::array::from_fn(|i| [INITIAL[i], if is_host { first[i] } else { 0 }]))
    }

    /// Has this one been there from boot?
    pub(crate) fn has(&self, kind: Kind, inode: u64) -> bool {
        let [fixed, first] = self.0[kind as usize];
        // Of PID 1 only what had no fixed number: it may have namespaces of its own.
        inode == fixed || (is_unfixed(kind) && inode != 0 && inode == first)
    }

    /// Their numbers; of those without a fixed one PID 1's, where it can be read.
    pub(crate) fn numbers(&self) -> [u64; 8] {
        Kind::ALL.map(|kind| match self.0[kind as usize] {
            [_, first] if is_unfixed(kind) && first != 0 => first,
            [fixed, _] => fixed,
        })
    }
}

fn is_unfixed(kind: Kind) -> bool {
    matches!(kind, Kind::Mount | Kind::Net)
}

/// The type and number in `net:[4026531833]`.
pub(crate) fn link(text: &[u8]) -> Option<(Kind, u64)> {
    let is_meant = |kind: &Kind| {
        text.strip_prefix(kind.proc_name().as_bytes()).is_some_and(|rest| rest.starts_with(b":["))
    };
    let kind = Kind::ALL.into_iter().find(is_meant)?;
    Some((kind, parse::namespace_link(text)?))
}

/// Those that the process with this `/proc/PID` has made for its children and is not in itself.
pub(crate) fn for_children(directory: &OwnedFd, inodes: [u64; 8]) -> Vec<(Kind, u64)> {
    let links = [(Kind::Pid, c"ns/pid_for_children"), (Kind::Time, c"ns/time_for_children")];
    let other = |(kind, link): (Kind, _)| {
        let text = readlinkat(directory, link).ok()?;
        let inode = parse::namespace_link(text.as_encoded_bytes())?;
        (inode != inodes[kind as usize]).then_some((kind, inode))
    };
    links.into_iter().filter_map(other).collect()
}

/// The namespaces that the process with this `/proc/PID` holds by descriptors, each with the
/// descriptor's number. At most so many descriptors are looked at; they are taken off `left`.
pub(crate) fn descriptors(
    directory: &OwnedFd,
    left: &mut usize,
) -> nix::Result<Vec<(u32, Kind, u64)>> {
    let mut listing = Dir::from_fd(file::open_directory_in(directory, c"fd")?)?;
    let number = |entry: nix::dir::Entry| entry.file_name().to_str().ok()?.parse().ok();
    let numbers: Vec<u32> = listing.iter().flatten().filter_map(number).take(*left).collect();
    *left -= numbers.len();
    let held = |fd: u32| {
        let name = CString::new(fd.to_string()).ok()?;
        // One that was closed meanwhile is not held.
        let text = readlinkat(&listing, name.as_c_str()).ok()?;
        let (kind, inode) = link(text.as_encoded_bytes())?;
        Some((fd, kind, inode))
    };
    Ok(numbers.into_iter().filter_map(held).collect())
}
