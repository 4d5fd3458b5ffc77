//! What kind of program a file is: static, dynamic with which loader, a script.

use std::ffi::OsStr;
use std::fs::File;
use std::io::{self, Read as _};
use std::os::unix::ffi::OsStrExt as _;
use std::os::unix::fs::FileExt as _;
use std::path::{Path, PathBuf};

const PT_INTERP: u64 = 3;
/// Program headers that are looked at; programs have about a dozen.
const MOST_HEADERS: u64 = 128;

/// A file that might be run.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Kind {
    /// It needs nothing.
    Static,
    /// It needs this loader, and libraries.
    Dynamic {
        /// `PT_INTERP`.
        loader: PathBuf,
    },
    /// A text that this program reads.
    Script {
        /// What stands behind `#!`.
        interpreter: PathBuf,
    },
    /// Nothing that runs here (a 32-bit program, a text, data).
    Other,
}

/// Looks at a file.
pub(super) fn kind(path: &Path) -> io::Result<Kind> {
    let mut file = File::open(path)?;
    let mut head = Vec::with_capacity(256);
    file.by_ref().take(256).read_to_end(&mut head)?;
    if let Some(line) = head.strip_prefix(b"#!") {
        let line = line.split(|&byte| byte == b'\n').next().unwrap_or_default();
        let mut words = line.split(|byte| byte.is_ascii_whitespace()).filter(|w| !w.is_empty());
        let interpreter = words.next().map(path_of).unwrap_or_default();
        return Ok(Kind::Script { interpreter });
    }
    if !head.starts_with(b"\x7fELF\x02\x01") || number(&head, 18, 2) != machine() {
        return Ok(Kind::Other);
    }
    // ELF64: where program headers begin is at byte 32, how long each is at 54, how many at 56.
    let (Some(start), Some(size), Some(count)) =
        (number(&head, 32, 8), number(&head, 54, 2), number(&head, 56, 2))
    else {
        return Ok(Kind::Other);
    };
    for index in 0..count.min(MOST_HEADERS) {
        let mut header = [0; 56];
        file.read_exact_at(&mut header, start.saturating_add(index * size))?;
        if number(&header, 0, 4) == Some(PT_INTERP) {
            let (offset, len) = (number(&header, 8, 8), number(&header, 32, 8));
            let (Some(offset), Some(len @ 1..=4096)) = (offset, len) else {
                return Ok(Kind::Other);
            };
            let mut text = vec![0; usize::try_from(len).unwrap_or(0)];
            file.read_exact_at(&mut text, offset)?;
            let text = text.split(|&byte| byte == 0).next().unwrap_or_default();
            return Ok(Kind::Dynamic { loader: path_of(text) });
        }
    }
    Ok(Kind::Static)
}

/// Is this a program that needs no loader?
pub(crate) fn is_static(path: &Path) -> bool {
    kind(path).is_ok_and(|kind| kind == Kind::Static)
}

/// `e_machine` of the programs that run here.
fn machine() -> Option<u64> {
    match std::env::consts::ARCH {
        "x86_64" => Some(62),
        "aarch64" => Some(183),
        "riscv64" => Some(243),
        _ => None,
    }
}

fn path_of(bytes: &[u8]) -> PathBuf {
    PathBuf::from(OsStr::from_bytes(bytes))
}

fn number(bytes: &[u8], offset: usize, size: usize) -> Option<u64> {
    let bytes = bytes.get(offset..offset + size)?;
    Some(bytes.iter().rev().fold(0u64, |value, &byte| value << 8 | u64::from(byte)))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn programs_are_told_apart() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("init");
        std::fs::write(&path, crate::launcher::memfd::INIT).unwrap();
        assert!(is_static(&path));
        let Kind::Dynamic { loader } = kind(Path::new("/proc/self/exe")).unwrap() else {
            panic!("the test program is dynamic");
        };
        assert!(loader.is_file(), "{}", loader.display());
        assert_eq!(kind(Path::new("/etc/passwd")).unwrap(), Kind::Other);
        std::fs::write(&path, "#! /bin/sh -e\nexit\n").unwrap();
        assert_eq!(kind(&path).unwrap(), Kind::Script { interpreter: "/bin/sh".into() });
    }

    #[test]
    fn a_program_that_is_cut_or_lies_is_no_panic() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("cut");
        let whole = std::fs::read("/proc/self/exe").unwrap();
        for len in [0, 1, 5, 17, 33, 57, 63, 64, 100, 200, 300] {
            std::fs::write(&path, &whole[..len]).unwrap();
            // An error or some kind: both are fine.
            let _ = kind(&path);
        }
        for byte in 16..64 {
            let mut lie = whole[..4096].to_vec();
            lie[byte] = 0xff;
            std::fs::write(&path, &lie).unwrap();
            let _ = kind(&path);
        }
    }
}
