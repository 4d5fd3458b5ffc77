//! Whether anything changed since last time: a hash over the contents of files.

use std::fs;
use std::path::{Path, PathBuf};

use anyhow::{Context as _, Result};
use sha2::{Digest as _, Sha256};

/// The hash of all these files and directories and, for what is no file, of `words`.
/// A path that is not there counts as such.
pub(crate) fn of(paths: &[PathBuf], words: &[&str]) -> Result<String> {
    let mut all = Sha256::new();
    for word in words {
        part(&mut all, word.as_bytes());
    }
    for path in paths {
        part(&mut all, path.as_os_str().as_encoded_bytes());
        for file in files(path)? {
            let content = fs::read(&file).with_context(|| format!("read {}", file.display()))?;
            part(&mut all, file.as_os_str().as_encoded_bytes());
            part(&mut all, &content);
        }
    }
    Ok(hex(&all.finalize()))
}

/// The hash of one thing.
pub(crate) fn of_bytes(bytes: &[u8]) -> String {
    hex(&Sha256::digest(bytes))
}

/// All files below `path` (or `path` itself), sorted; none when there is nothing.
pub(crate) fn files(path: &Path) -> Result<Vec<PathBuf>> {
    let mut found = Vec::new();
    let mut todo = vec![path.to_path_buf()];
    while let Some(path) = todo.pop() {
        if path.is_dir() {
            let entries =
                fs::read_dir(&path).with_context(|| format!("list {}", path.display()))?;
            for entry in entries {
                todo.push(entry?.path());
            }
        } else if path.is_file() {
            found.push(path);
        }
    }
    found.sort();
    Ok(found)
}

/// Each part with its length before it, so that `ab` `c` is not `a` `bc`.
fn part(all: &mut Sha256, bytes: &[u8]) {
    all.update((bytes.len() as u64).to_le_bytes());
    all.update(bytes);
}

fn hex(bytes: &[u8]) -> String {
    bytes.iter().map(|byte| format!("{byte:02x}")).collect()
}

#[cfg(test)]
mod tests {
    use std::fs;

    #[test]
    fn a_changed_a_moved_and_a_removed_file_change_the_hash() {
        let dir = tempfile::tempdir().unwrap();
        let paths = [dir.path().to_path_buf()];
        let hash = || super::of(&paths, &["words"]).unwrap();
        fs::write(dir.path().join("a"), "one").unwrap();
        let first = hash();
        assert_eq!(first, hash());
        fs::write(dir.path().join("a"), "two").unwrap();
        let second = hash();
        fs::rename(dir.path().join("a"), dir.path().join("b")).unwrap();
        let third = hash();
        fs::remove_file(dir.path().join("b")).unwrap();
        let all = [first, second, third, hash(), super::of(&paths, &["other"]).unwrap()];
        let different: std::collections::HashSet<_> = all.iter().collect();
        assert_eq!(different.len(), all.len());
    }

    #[test]
    fn the_hash_is_the_known_one() {
        let known = "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad";
        assert_eq!(super::of_bytes(b"abc"), known);
    }
}
