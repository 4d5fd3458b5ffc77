//! What namespaces are like: id maps, mounts, network devices. Pure but for the devices' index.

use std::ffi::CString;
use std::os::fd::BorrowedFd;

use vitrine_shared::discovery::{Extent, Mount, NetDevice};

use super::super::roots::OwnIds;
use super::super::{file, mountinfo, parse};
use super::PATH_BYTES;

/// Lines of a map that are told; the kernel allows 340.
const MAX_EXTENTS: usize = 64;
/// Devices of one namespace that are told.
const MAX_DEVICES: usize = 32;
/// Bytes kept of options and types.
const WORD_BYTES: usize = 60;
/// A device's name (`IFNAMSIZ`).
const NAME_BYTES: usize = 16;

/// The lines of a `uid_map` or `gid_map`, outer ids as the host has them.
pub(super) fn extents(map: &[u8], own_ids: &OwnIds) -> Vec<Extent> {
    let text = String::from_utf8_lossy(map);
    let extent = |line: &str| {
        let mut numbers = line.split_whitespace().map(|word| word.parse().ok());
        Some((numbers.next()??, numbers.next()??, numbers.next()??))
    };
    let lines = text.lines().filter_map(extent);
    lines.flat_map(|line| own_ids.extents_on_host(line)).take(MAX_EXTENTS).collect()
}

/// The lines of a `mountinfo`.
pub(super) fn mounts(mountinfo: &[u8]) -> impl Iterator<Item = Mount> {
    let number = |word: &[u8]| std::str::from_utf8(word).ok()?.parse().ok();
    mountinfo::lines(mountinfo).filter_map(move |line| {
        let path = |path: &[u8]| parse::printable(&mountinfo::unescape(path), PATH_BYTES);
        let word = |word: &[u8]| parse::printable(&mountinfo::unescape(word), WORD_BYTES);
        Some(Mount {
            id: number(line.id)?,
            parent: number(line.parent)?,
            device: word(line.device),
            root: path(line.root),
            path: path(line.path),
            options: word(line.options),
            propagation: word(line.propagation),
            kind: word(line.kind),
            source: word(line.source),
        })
    })
}

/// The devices that the process with this `/proc/PID` sees.
pub(super) fn devices(directory: BorrowedFd<'_>) -> Vec<NetDevice> {
    let mut buffer = Vec::new();
    let file = file::open_in(directory, c"net/dev");
    if file.and_then(|file| file::read_list(&file, &mut buffer)).is_err() {
        return Vec::new();
    }
    let mut devices = parse_devices(&buffer);
    for device in &mut devices {
        device.index = index(directory, &device.name, &mut buffer);
    }
    devices
}

/// `/proc/PID/net/dev`: two lines of headings, then `name: ` and sixteen counters.
fn parse_devices(text: &[u8]) -> Vec<NetDevice> {
    let text = String::from_utf8_lossy(text);
    let device = |line: &str| {
        let (name, counters) = line.rsplit_once(':')?;
        let mut counters = counters.split_whitespace().map(|word| word.parse().ok());
        let rx_bytes = counters.next()??;
        let tx_bytes = counters.nth(7)??;
        let name = parse::printable(name.trim().as_bytes(), NAME_BYTES);
        Some(NetDevice { name, index: None, rx_bytes, tx_bytes })
    };
    text.lines().skip(2).filter_map(device).take(MAX_DEVICES).collect()
}

/// The first line of `/proc/PID/net/dev_snmp6/NAME`, which is there for devices that speak IPv6.
fn index(directory: BorrowedFd<'_>, name: &str, buffer: &mut Vec<u8>) -> Option<u32> {
    if name.contains('/') || name.starts_with('.') {
        return None;
    }
    let path = CString::new(format!("net/dev_snmp6/{name}")).ok()?;
    file::read_page(file::open_in(directory, &path).ok()?, buffer).ok()?;
    let text = String::from_utf8_lossy(buffer);
    text.lines().next()?.strip_prefix("ifIndex")?.trim().parse().ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_map_is_told_as_the_host_has_it() {
        let map = b"         0     100000      65536\nnonsense\n     70000  1 2\n";
        let expected = [
            Extent { inside: 0, outside: 100_000, count: 65_536 },
            Extent { inside: 70_000, outside: 1, count: 2 },
        ];
        assert_eq!(extents(map, &OwnIds::default()), expected);
        let many = "1 1 1\n".repeat(500);
        assert_eq!(extents(many.as_bytes(), &OwnIds::default()).len(), MAX_EXTENTS);
    }

    #[test]
    fn hostile_mounts_are_printable_and_cut() {
        let long = "a".repeat(500);
        let text = format!("31 30 0:87 / /x\\033[2J\\040{long} rw - tmpfs \\012evil rw\n");
        let mounts: Vec<Mount> = mounts(text.as_bytes()).collect();
        assert!(mounts[0].path.starts_with("/x?[2J a"), "{}", mounts[0].path);
        assert!(mounts[0].path.len() <= PATH_BYTES);
        assert_eq!((mounts[0].source.as_str(), mounts[0].kind.as_str()), ("?evil", "tmpfs"));
    }

    #[test]
    fn devices_and_their_bytes() {
        let text = b"Inter-|   Receive\n face |bytes\n    lo:     100       1    0    0    0     0          0         0      200       1    0    0    0     0       0          0\nbroken: 1\n";
        let device = NetDevice { name: "lo".into(), index: None, rx_bytes: 100, tx_bytes: 200 };
        assert_eq!(parse_devices(text), [device]);
    }
}
