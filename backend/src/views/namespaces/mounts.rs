//! Namespaces that are mounted on a file, as `ip netns` and `unshare --net=FILE` do.

use vitrine_shared::namespace::Namespace as Kind;

use super::find::link;

/// Types, numbers and mount points out of a `mountinfo` (`proc_pid_mountinfo(5)`).
pub(super) fn namespaces(mountinfo: &[u8]) -> impl Iterator<Item = (Kind, u64, String)> {
    mountinfo.split(|&b| b == b'\n').filter_map(|line| {
        let mut words = line.split(|&b| b == b' ');
        let (root, path) = (words.nth(3)?, words.next()?);
        let kind = words.skip_while(|word| *word != b"-").nth(1)?;
        let (namespace, inode) = link(root).filter(|_| kind == b"nsfs")?;
        Some((namespace, inode, unescape(path)))
    })
}

/// The kernel writes blanks, newlines and backslashes in a path as `\040`.
fn unescape(path: &[u8]) -> String {
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
    String::from_utf8_lossy(&plain).into_owned()
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
    fn a_backslash_without_digits_stays() {
        assert_eq!(unescape(b"a\\134b\\9\\"), "a\\b\\9\\");
    }
}
