//! Who belongs to a machine where no cgroup says so: processes whose root is the machine's, or one
//! of its containers'.
//!
//! A root is told by its file system (`major:minor` in `proc_pid_mountinfo(5)`): an overlay of its
//! own for each machine and container, which a process keeps through `fork` and `execve`.

use std::collections::HashMap;
use std::ffi::CString;
use std::os::fd::OwnedFd;

use nix::dir::Dir;
use vitrine_shared::cgroup::{CgroupSample, GroupId};
use vitrine_shared::discovery::Extent;
use vitrine_shared::id::ContainerId;
use vitrine_shared::process::Process;

use super::file;
use crate::ipc::ObservedMachine;

/// How long a process that is nobody's is not looked at again.
const OTHERS_NSEC: u64 = 1_000_000_000;

/// The roots of this moment's processes.
#[derive(Debug, Default)]
pub(super) struct Roots {
    found: Vec<(u32, String)>,
    /// Processes whose root could not be read or is no machine's, and until when that is believed.
    others: HashMap<u32, u64>,
}

impl Roots {
    /// Looks at every process, for machines without a cgroup.
    pub(super) fn look<'a>(
        &mut self,
        proc: &OwnedFd,
        listing: &mut Dir,
        machines: impl Iterator<Item = &'a ObservedMachine> + Clone,
        now_nsec: u64,
        buffer: &mut Vec<u8>,
    ) {
        self.found.clear();
        self.others.retain(|_, until| *until > now_nsec);
        for entry in listing.iter().flatten() {
            let Some(pid) = entry.file_name().to_str().ok().and_then(|name| name.parse().ok())
            else {
                continue;
            };
            if self.others.contains_key(&pid) {
                continue;
            }
            let root = root_of(proc, pid, buffer);
            let known = root.filter(|root| {
                machines.clone().any(|machine| machine.roots.iter().any(|(_, of)| of == root))
            });
            match known {
                Some(root) => self.found.push((pid, root)),
                None => drop(self.others.insert(pid, now_nsec + OTHERS_NSEC)),
            }
        }
        self.found.sort_unstable();
    }

    /// The processes of one machine in order, each with its container.
    pub(super) fn members(&self, machine: &ObservedMachine) -> Vec<(u32, Option<ContainerId>)> {
        let member = |(pid, root): &(u32, String)| {
            let (container, _) = machine.roots.iter().find(|(_, of)| of == root)?;
            Some((*pid, *container))
        };
        self.found.iter().filter_map(member).collect()
    }
}

/// The file system that a process has as its root: the line whose mount point is `/`.
fn root_of(proc: &OwnedFd, pid: u32, buffer: &mut Vec<u8>) -> Option<String> {
    let name = CString::new(format!("{pid}/mountinfo")).ok()?;
    let file = file::open_in(proc, &name).ok()?;
    file::read_page(&file, buffer).ok()?;
    parse(buffer)
}

fn parse(mountinfo: &[u8]) -> Option<String> {
    let text = String::from_utf8_lossy(mountinfo);
    // The last one mounted there is the one that is seen.
    let line = text.lines().rfind(|line| line.split(' ').nth(4) == Some("/"))?;
    line.split(' ').nth(2).map(str::to_string)
}

/// Fills in what the processes tell of their groups, where there are no files to tell it. Memory
/// that processes share is counted for each of them.
pub(super) fn measure(groups: &mut [CgroupSample], processes: &[Process]) {
    for group in groups {
        let is_member = |process: &&Process| match group.group {
            GroupId::Cap | GroupId::Root => true,
            GroupId::Shell => process.container.is_none(),
            GroupId::Container(id) => process.container == Some(id),
            // Without cgroups there are none.
            GroupId::Made(_) => false,
        };
        let members = || processes.iter().filter(is_member);
        group.cpu_permille = members().map(|process| process.cpu_permille).sum();
        group.cpu_nsec = members().map(|process| process.cpu_msec * 1_000_000).sum();
        group.memory_bytes = members().map(|process| process.rss_bytes).sum();
        group.pids = members().count() as u64;
    }
}

/// Whom this process's own user namespace makes of the host's users: an ordinary user's launcher,
/// and everything it starts, sees itself as 0.
#[derive(Clone, Debug, Default)]
pub(crate) struct OwnIds(Vec<(u32, u32, u32)>);

impl OwnIds {
    /// From `/proc/PID/uid_map` of this process (`self` is a link, and links are not followed there).
    pub(crate) fn read(proc: &OwnedFd, buffer: &mut Vec<u8>) -> Self {
        let name = CString::new(format!("{}/uid_map", std::process::id())).unwrap_or_default();
        let read = file::open_in(proc, &name).and_then(|file| file::read_page(&file, buffer));
        if read.is_err() {
            return OwnIds::default();
        }
        Self::parse(&String::from_utf8_lossy(buffer))
    }

    fn parse(map: &str) -> Self {
        let extent = |line: &str| {
            let mut fields = line.split_whitespace().map(|field| field.parse().ok());
            Some((fields.next()??, fields.next()??, fields.next()??))
        };
        OwnIds(map.lines().filter_map(extent).collect())
    }

    /// The host's number for one of ours; one that is not mapped is told as it is.
    pub(crate) fn on_host(&self, uid: u32) -> u32 {
        let found = self.0.iter().find_map(|&(inside, outside, count)| {
            let offset = uid.checked_sub(inside).filter(|offset| *offset < count)?;
            outside.checked_add(offset)
        });
        found.unwrap_or(uid)
    }

    /// A line of a map (first inside, first outside, how many) with the host's numbers: in
    /// several pieces where what is one range for us is not one for the host.
    pub(crate) fn extents_on_host(&self, (inside, outside, count): (u32, u32, u32)) -> Vec<Extent> {
        let mut extents = Vec::new();
        let mut at = 0;
        while at < count {
            let ours = outside.saturating_add(at);
            let known = self.0.iter().find(|&&(first, _, n)| ours >= first && ours - first < n);
            let room = known.map_or(count - at, |&(first, _, n)| n - (ours - first));
            let count = room.min(count - at);
            let outside = self.on_host(ours);
            extents.push(Extent { inside: inside.saturating_add(at), outside, count });
            at += count;
        }
        extents
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_root_is_the_last_one_mounted_there() {
        let text = b"30 1 0:20 / / rw - tmpfs tmpfs rw\n31 30 0:87 / / rw,nosuid - overlay overlay rw\n32 31 0:5 / /proc rw - proc proc rw\n";
        assert_eq!(parse(text), Some("0:87".into()));
        assert_eq!(parse(b"32 31 0:5 / /proc rw - proc proc rw\n"), None);
        assert_eq!(parse(b"nonsense"), None);
    }

    #[test]
    fn ids_are_told_as_the_host_has_them() {
        let map =
            OwnIds::parse("         0      77701          1\n         1     100000      65536\n");
        assert_eq!(
            (map.on_host(0), map.on_host(1), map.on_host(65_536)),
            (77_701, 100_000, 165_535)
        );
        assert_eq!(map.on_host(70_000), 70_000);
        let extent = |inside, outside, count| Extent { inside, outside, count };
        let pieces = [extent(0, 77_701, 1), extent(1, 100_000, 65_536)];
        assert_eq!(map.extents_on_host((0, 0, 65_537)), pieces);
        assert_eq!(map.extents_on_host((5, 80_000, 2)), [extent(5, 80_000, 2)]);
        let root = OwnIds::parse("         0          0 4294967295\n");
        assert_eq!(root.on_host(2_000_000_000), 2_000_000_000);
    }
}
