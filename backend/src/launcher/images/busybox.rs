//! The busybox image: one static program and its links. It starts fastest.

use std::fs;
use std::os::unix::fs::MetadataExt as _;
use std::path::{Path, PathBuf};
use std::process::Command;

use sha2::{Digest as _, Sha256};

use super::super::missing;
use super::store::Fresh;
use super::{ImageError, at, elf, skeleton};

/// Where distributions put a static busybox.
pub(crate) const CANDIDATES: &[&str] = &[
    "/bin/busybox",
    "/usr/bin/busybox",
    "/bin/busybox.static",
    "/sbin/busybox",
    "/usr/lib/busybox/busybox-static",
];

/// A static busybox of this host.
pub(super) fn program() -> Option<&'static Path> {
    CANDIDATES.iter().map(Path::new).find(|path| elf::is_static(path))
}

/// The image below `directory`, for the busybox that is on the host now.
pub(super) fn find_or_build(directory: &Path) -> Result<PathBuf, ImageError> {
    let no_busybox = || ImageError::NoBusybox { mend: missing::mend_busybox() };
    let program = program().ok_or_else(no_busybox)?;
    let meta = fs::metadata(program).map_err(at(program))?;
    let name = name_for(&meta);
    let image = directory.join(&name);
    if !image.is_dir() {
        let fresh = Fresh::begin(directory)?;
        fill(program, fresh.path())?;
        fresh.publish(&name)?;
    }
    Ok(image)
}

/// Bytes and number of files of the image, when it has been made.
pub(super) fn made(directory: &Path) -> Option<(u64, u64)> {
    let program = program()?;
    let meta = fs::metadata(program).ok()?;
    let bin = directory.join(name_for(&meta)).join("bin");
    let links = fs::read_dir(bin).ok()?.count();
    Some((meta.size(), u64::try_from(links).unwrap_or(0)))
}

fn name_for(program: &fs::Metadata) -> String {
    let mut hash = Sha256::new();
    skeleton::feed(&mut hash);
    hash.update(program.size().to_le_bytes());
    hash.update(program.mtime().to_le_bytes());
    format!("busybox-{}", super::first_digits(hash))
}

fn fill(program: &Path, root: &Path) -> Result<(), ImageError> {
    skeleton::lay(root)?;
    for name in ["bin", "sbin"] {
        skeleton::directory(&root.join(name))?;
    }
    let copy = root.join("bin/busybox");
    skeleton::copy(program, &copy, 0o755)?;
    for name in applets(program)? {
        skeleton::link(Path::new("busybox"), &root.join("bin").join(name))?;
    }
    Ok(())
}

/// The names that this busybox answers to, but its own.
pub(super) fn applets(program: &Path) -> Result<Vec<String>, ImageError> {
    let list = Command::new(program).arg("--list").env_clear().output().map_err(at(program))?;
    let list = String::from_utf8_lossy(&list.stdout).into_owned();
    let plain = |name: &&str| !name.is_empty() && !name.contains('/') && *name != "busybox";
    Ok(list.lines().filter(plain).map(str::to_string).collect())
}
