//! What the kernel says of a process that was just born: read once, from outside.
//!
//! It costs some thirty short reads after the birth, so it is in none of the steps, and `vitrine
//! run` does without. A process that has ended already is not there to be asked.

use std::fs::File;
use std::io::Read as _;
use std::os::unix::ffi::OsStrExt as _;
use std::path::PathBuf;

use vitrine_shared::birth::{MOUNTS, Mounted, Newborn};
use vitrine_shared::discovery::Extent;
use vitrine_shared::namespace::Namespace;

use super::super::privilege::Privilege;
use crate::observer::{mountinfo, parse};

/// Bytes kept of a path, and of a type of file systems.
const TEXT_BYTES: usize = 120;
/// Bytes read of a file: in a machine of profile `lab` its owner may mount without end.
const FILE_BYTES: u64 = 64 << 10;
/// Lines of an id map that are kept.
const EXTENTS: usize = 8;

/// Looks at the process with this PID.
pub(super) fn look(pid: i32, privilege: Privilege) -> Newborn {
    let proc = Proc(PathBuf::from(format!("/proc/{pid}")));
    let (status, limits) = (proc.read("status"), proc.read("limits"));
    let namespaces = Namespace::ALL.map(|kind| proc.namespace(kind));
    // One that has ended keeps its status, but is in no namespace any more.
    let Some(seen) = parse::status(status.as_bytes()).filter(|_| namespaces[0] != 0) else {
        return Newborn::default();
    };
    let hex = |name| field(&status, name, 16).unwrap_or(0);
    let number = |name| field(&status, name, 10).unwrap_or(0);
    Newborn {
        pids: seen.pids,
        namespaces,
        host_uid: privilege.on_host(seen.euid),
        uids: extents(&proc.read("uid_map"), privilege),
        capabilities: hex("CapEff"),
        bounding: hex("CapBnd"),
        no_new_privs: number("NoNewPrivs") == 1,
        filters: u32::try_from(number("Seccomp_filters")).unwrap_or(u32::MAX),
        open_files: soft_limit(&limits, "Max open files"),
        processes: soft_limit(&limits, "Max processes"),
        mounts: mounts(&proc.read("mountinfo")),
    }
}

struct Proc(PathBuf);

impl Proc {
    /// A file's text; empty for a process that has ended.
    fn read(&self, name: &str) -> String {
        let mut text = Vec::new();
        if let Ok(file) = File::open(self.0.join(name)) {
            // What was read before an error is as good as it is.
            let _ = file.take(FILE_BYTES).read_to_end(&mut text);
        }
        String::from_utf8_lossy(&text).into_owned()
    }

    fn namespace(&self, kind: Namespace) -> u64 {
        let link = std::fs::read_link(self.0.join("ns").join(kind.proc_name()));
        link.ok().and_then(|link| parse::namespace_link(link.as_os_str().as_bytes())).unwrap_or(0)
    }
}

/// A number of `/proc/PID/status`.
fn field(status: &str, name: &str, radix: u32) -> Option<u64> {
    let line = status.lines().find_map(|line| line.strip_prefix(name)?.strip_prefix(':'));
    u64::from_str_radix(line?.trim(), radix).ok()
}

/// The limit in force in `/proc/PID/limits`; `unlimited` is the largest number.
fn soft_limit(limits: &str, name: &str) -> u64 {
    let line = limits.lines().find_map(|line| line.strip_prefix(name));
    let word = line.and_then(|line| line.split_whitespace().next());
    word.and_then(|word| word.parse().ok()).unwrap_or(u64::MAX)
}

fn extents(map: &str, privilege: Privilege) -> Vec<Extent> {
    let extent = |line: &str| {
        let mut numbers = line.split_whitespace().map(|word| word.parse().ok());
        let (inside, outside, count) = (numbers.next()??, numbers.next()??, numbers.next()??);
        Some(Extent { inside, outside: privilege.on_host(outside), count })
    };
    map.lines().filter_map(extent).take(EXTENTS).collect()
}

fn mounts(text: &str) -> Vec<Mounted> {
    let shown = |word: &[u8]| parse::printable(&mountinfo::unescape(word), TEXT_BYTES);
    let mounted = |line: mountinfo::Line<'_>| Mounted {
        path: shown(line.path),
        kind: shown(line.kind),
        read_only: line.options.split(|&byte| byte == b',').any(|word| word == b"ro"),
    };
    mountinfo::lines(text.as_bytes()).map(mounted).take(MOUNTS).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn numbers_of_status_and_limits() {
        let status = "Name:\tsh\nCapEff:\t00000000a80425fb\nNoNewPrivs:\t1\nSeccomp_filters:\t3\n";
        assert_eq!(field(status, "CapEff", 16), Some(0xa804_25fb));
        assert_eq!(field(status, "Seccomp_filters", 10), Some(3));
        assert_eq!(field(status, "Seccomp", 10), None, "another name");
        let limits = "Limit  Soft Limit  Hard Limit  Units\n\
            Max open files            1024                 4096                 files\n\
            Max processes             unlimited            unlimited            processes\n";
        assert_eq!(soft_limit(limits, "Max open files"), 1_024);
        assert_eq!(soft_limit(limits, "Max processes"), u64::MAX);
    }

    #[test]
    fn mounts_with_their_types() {
        let text = "50 49 0:45 / / ro,nosuid master:1 - overlay none rw,lowerdir=/x\n\
            51 50 0:46 / /dev\\040x rw - tmpfs none rw\nnonsense\n";
        let mounted = |path: &str, kind: &str, read_only| Mounted {
            path: path.into(),
            kind: kind.into(),
            read_only,
        };
        assert_eq!(
            mounts(text),
            [mounted("/", "overlay", true), mounted("/dev x", "tmpfs", false)]
        );
    }

    #[test]
    fn this_very_process_is_seen_and_one_that_is_not_there_is_not() {
        let own = look(std::process::id().cast_signed(), Privilege::Root);
        assert!(own.was_seen() && own.namespaces.iter().all(|&id| id != 0), "{own:?}");
        assert!(own.mounts.iter().any(|mount| mount.path == "/"), "{own:?}");
        assert_eq!(look(i32::MAX, Privilege::Root), Newborn::default());
    }
}
