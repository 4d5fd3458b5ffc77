//! The busybox image: one static program and its links. It starts fastest.

use std::fs;
use std::os::unix::ffi::OsStrExt as _;
use std::os::unix::fs::MetadataExt as _;
use std::path::{Path, PathBuf};
use std::process::Command;

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

/// The image below `directory`, for the busybox that is on the host now; where it has gone, one
/// that was made before is as good.
pub(super) fn find_or_build(directory: &Path) -> Result<PathBuf, ImageError> {
    let Some(program) = program() else {
        let no_busybox = || ImageError::NoBusybox { mend: missing::mend_busybox() };
        return made_before(directory).ok_or_else(no_busybox);
    };
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

/// The newest image that was made of a busybox that the host may not have any more.
pub(super) fn made_before(directory: &Path) -> Option<PathBuf> {
    let entries = fs::read_dir(directory).into_iter().flatten().flatten();
    let ours = entries.filter(|entry| entry.file_name().as_bytes().starts_with(b"busybox-"));
    let image = ours.max_by_key(|entry| entry.metadata().and_then(|meta| meta.modified()).ok())?;
    Some(image.path())
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
    format!("busybox-{:x}-{:x}", program.size(), program.mtime())
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
