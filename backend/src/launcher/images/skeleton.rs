//! The directories and small files that every image of ours has.

use std::fs;
use std::os::unix::fs::{PermissionsExt as _, symlink};
use std::path::Path;

use sha2::{Digest as _, Sha256};

use super::{ImageError, at};

/// Where containers of a machine put their roots together (a tmpfs of host root's).
pub(crate) const STAGES: &str = "run/containers";
/// `sys/fs/cgroup` is where a lab machine's own groups are mounted.
const DIRECTORIES: &[&str] = &[
    "dev",
    "etc",
    "home",
    "mnt",
    "proc",
    "root",
    "run",
    STAGES,
    "sys",
    "sys/fs",
    "sys/fs/cgroup",
    "tmp",
    "usr",
    "usr/bin",
    "usr/sbin",
    "var",
    "var/tmp",
];
const FILES: &[(&str, &str)] = &[
    ("etc/passwd", "root:x:0:0:root:/root:/bin/sh\nnobody:x:65534:65534:nobody:/:/bin/false\n"),
    ("etc/group", "root:x:0:\ntty:x:5:\nnogroup:x:65534:\n"),
    ("etc/hosts", "127.0.0.1\tlocalhost\n::1\tlocalhost\n"),
    ("etc/profile", "export PS1='\\w # '\n"),
];

/// Adds what this skeleton is made of to a hash: an image that was made from another one is
/// another image.
pub(super) fn feed(hash: &mut Sha256) {
    for name in DIRECTORIES {
        hash.update(format!("{name}\0"));
    }
    for (name, text) in FILES {
        hash.update(format!("{name}\0{text}\0"));
    }
}

/// Makes a directory that everybody may pass, whatever the umask; one that is there stays.
pub(super) fn directory(path: &Path) -> Result<(), ImageError> {
    match fs::create_dir(path) {
        Err(err) if err.kind() == std::io::ErrorKind::AlreadyExists => return Ok(()),
        other => other.map_err(at(path))?,
    }
    mode(path, if path.ends_with("tmp") { 0o1777 } else { 0o755 })
}

/// Makes a directory and those above it that are missing below `root`.
pub(super) fn directories(root: &Path, relative: &Path) -> Result<(), ImageError> {
    let mut path = root.to_path_buf();
    for part in relative {
        path.push(part);
        directory(&path)?;
    }
    Ok(())
}

/// Writes a small file of root's.
pub(super) fn file(path: &Path, text: &str) -> Result<(), ImageError> {
    fs::write(path, text).map_err(at(path))?;
    mode(path, 0o644)
}

pub(super) fn mode(path: &Path, mode: u32) -> Result<(), ImageError> {
    fs::set_permissions(path, fs::Permissions::from_mode(mode)).map_err(at(path))
}

/// The directories and the files that every image has.
pub(super) fn lay(root: &Path) -> Result<(), ImageError> {
    for name in DIRECTORIES {
        directory(&root.join(name))?;
    }
    FILES.iter().try_for_each(|(name, text)| file(&root.join(name), text))
}

/// A symbolic link; one that is there stays.
pub(super) fn link(target: &Path, path: &Path) -> Result<(), ImageError> {
    match symlink(target, path) {
        Err(err) if err.kind() == std::io::ErrorKind::AlreadyExists => Ok(()),
        other => other.map_err(at(path)),
    }
}

/// Copies what a file says, and nothing else of it: no setuid bit, no capabilities, no other
/// attribute. Never a link to it: a kernel bug that writes to the page cache must not reach a
/// file that host root runs.
pub(super) fn copy(from: &Path, to: &Path, new_mode: u32) -> Result<(), ImageError> {
    let mut source = fs::File::open(from).map_err(at(from))?;
    let mut target = fs::File::create_new(to).map_err(at(to))?;
    std::io::copy(&mut source, &mut target).map_err(at(to))?;
    mode(to, new_mode)
}
