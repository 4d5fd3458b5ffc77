//! Lines of `proc_pid_mountinfo(5)`. Paths in them are written by whoever mounts.

use vitrine_shared::namespace::Namespace as Kind;

use super::namespace::link;

/// One mount, as raw as the kernel wrote it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Line<'a> {
    /// Its number.
    pub(crate) id: &'a [u8],
    /// The number of the mount it is mounted on.
    pub(crate) parent: &'a [u8],
    /// `major:minor`.
    pub(crate) device: &'a [u8],
    /// What of the file system is seen.
    pub(crate) root: &'a [u8],
    /// Where it is mounted.
    pub(crate) path: &'a [u8],
    /// Its own options.
    pub(crate) options: &'a [u8],
    /// The first of the words that say how it is propagated; empty when there is none.
    pub(crate) propagation: &'a [u8],
    /// The file system's type.
    pub(crate) kind: &'a [u8],
    /// What is mounted.
    pub(crate) source: &'a [u8],
}

/// The lines that are whole.
pub(crate) fn lines(mountinfo: &[u8]) -> impl Iterator<Item = Line<'_>> {
    mountinfo.split(|&b| b == b'\n').filter_map(|line| {
        let mut words = line.split(|&b| b == b' ');
        let (id, parent, device) = (words.next()?, words.next()?, words.next()?);
        let (root, path, options) = (words.next()?, words.next()?, words.next()?);
        let mut optional = words.by_ref().take_while(|word| *word != b"-");
        let propagation = optional.next().unwrap_or_default();
        optional.for_each(drop);
        let (kind, source) = (words.next()?, words.next()?);
        Some(Line { id, parent, device, root, path, options, propagation, kind, source })
    })
}

/// Namespaces that are mounted on a file, as `ip netns` and `unshare --net=FILE` do: types,
/// numbers and mount points.
pub(crate) fn namespaces(mountinfo: &[u8]) -> impl Iterator<Item = (Kind, u64, String)> {
    lines(mountinfo).filter_map(|line| {
        let (namespace, inode) = link(line.root).filter(|_| line.kind == b"nsfs")?;
        Some((namespace, inode, String::from_utf8_lossy(&unescape(line.path)).into_owned()))
    })
}

/// The kernel writes blanks, newlines and backslashes in a path as `\040`.
pub(crate) fn unescape(path: &[u8]) -> Vec<u8> {
    let mut plain = Vec::with_capacity(path.len());
    let mut rest = path;
    while let Some((&byte, behind)) = rest.split_first() {
        let octal = (byte == b'\\').then(|| behind.get(..3)).flatten();
        let octal = octal.and_then(|digits| std::str::from_utf8(digits).ok());
        match octal.and_then(|digits| u8::from_str_radix(digits, 8).ok()) {
            Some(code) => {
                plain.push(code);
                rest = &behind[3..];
            }
            None => {
                plain.push(byte);
                rest = behind;
            }
        }
    }
    plain
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_nsfs_and_only_whole_lines() {
        let text = b"\
1 2 0:4 net:[4026532001] /run/netns/a\\040b rw shared:5 - nsfs nsfs rw
1 2 0:4 mnt:[4026532002] /m rw - nsfs nsfs rw
1 2 0:4 net:[4026532003] /fake rw - tmpfs tmpfs rw
1 2 0:4 odd:[4026532003] /odd rw - nsfs nsfs rw
1 2 0:4 net:[x] /odd rw - nsfs nsfs rw
1 2 0:4 net:[5]";
        let found: Vec<_> = namespaces(text).collect();
        let expected = [
            (Kind::Net, 4_026_532_001, "/run/netns/a b".to_string()),
            (Kind::Mount, 4_026_532_002, "/m".to_string()),
        ];
        assert_eq!(found, expected);
    }

    #[test]
    fn the_words_of_a_line() {
        let text = b"31 30 0:87 /a / rw,nosuid master:1 propagate_from:2 - overlay over rw,lowerdir=/x\n32 31 0:5 / /proc rw - proc proc rw\n33 31 0:5 / /cut rw shared:1\n";
        let found: Vec<Line> = lines(text).collect();
        assert_eq!(found.len(), 2);
        assert_eq!((found[0].propagation, found[0].kind), (&b"master:1"[..], &b"overlay"[..]));
        assert_eq!((found[1].propagation, found[1].source), (&b""[..], &b"proc"[..]));
        assert_eq!((found[1].path, found[1].parent), (&b"/proc"[..], &b"31"[..]));
    }

    #[test]
    fn a_backslash_without_digits_stays() {
        assert_eq!(unescape(b"a\\134b\\9\\"), b"a\\b\\9\\");
    }
}
