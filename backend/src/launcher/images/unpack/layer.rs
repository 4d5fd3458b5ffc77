//! One layer onto those below it, as overlay file systems and the OCI image specification do it.

use std::ffi::OsStr;
use std::fs::File;
use std::os::unix::ffi::OsStrExt as _;
use std::path::{Path, PathBuf};

use tar::{Archive, EntryType};

use super::entries::{self, unreadable};
use super::tree::{Meta, Tree, plain};
use super::{Bounds, UnpackError, shown};

/// Hides the file of that name in lower layers.
const WHITEOUT: &[u8] = b".wh.";
/// Names of AUFS's own; the first hides everything that lower layers have in its directory.
const OPAQUE: &[u8] = b".wh..wh..opq";
const RESERVED: &[u8] = b".wh..wh.";

/// Unpacks a tar.
pub(super) fn apply(tree: &mut Tree, file: &File, bounds: Bounds) -> Result<(), UnpackError> {
    entries::check(file, bounds)?;
    tree.begin_layer();
    let mut archive = Archive::new(entries::rewound(file)?);
    for entry in archive.entries_with_seek().map_err(|err| unreadable(&err))? {
        let mut entry = entry.map_err(|err| unreadable(&err))?;
        tree.count_entry()?;
        put(tree, &mut entry)?;
    }
    Ok(())
}

fn put<R: std::io::Read>(
    tree: &mut Tree,
    entry: &mut tar::Entry<'_, R>,
) -> Result<(), UnpackError> {
    let kind = entry.header().entry_type();
    if kind == EntryType::XGlobalHeader {
        return Ok(());
    }
    let path = path_of(&entry.path_bytes())?;
    let has_attributes = |entry: &mut tar::Entry<'_, R>| {
        let extensions = entry.pax_extensions().map_err(|err| unreadable(&err))?;
        let mut extensions = extensions.into_iter().flatten().flatten();
        let is_attribute =
            |key: &[u8]| key.starts_with(b"SCHILY.xattr.") || key.starts_with(b"LIBARCHIVE.xattr.");
        Ok::<_, UnpackError>(extensions.any(|extension| is_attribute(extension.key_bytes())))
    };
    if has_attributes(entry)? {
        tree.report.xattrs_dropped += 1;
    }
    if let Some(name) = path.file_name().map(OsStr::as_bytes)
        && name.starts_with(WHITEOUT)
    {
        return whiteout(tree, &path, name);
    }
    let meta = meta_of(entry.header())?;
    match kind {
        EntryType::Directory => tree.directory(&path, &meta),
        EntryType::Regular | EntryType::Continuous | EntryType::GNUSparse => {
            // Before POSIX, a directory was a file with a slash at its end.
            if entry.path_bytes().ends_with(b"/") {
                return tree.directory(&path, &meta);
            }
            let size = entry.size();
            tree.file(&path, &meta, size, entry)
        }
        EntryType::Symlink => {
            let target = target_of(entry, &path)?;
            tree.symlink(&path, &meta, &target)
        }
        EntryType::Link => {
            let target = plain(&target_of(entry, &path)?)?;
            tree.hard_link(&path, &target)
        }
        EntryType::Char | EntryType::Block => {
            tree.report.devices_left_out += 1;
            Ok(())
        }
        EntryType::Fifo => {
            tree.report.fifos_left_out += 1;
            Ok(())
        }
        _ => {
            tree.report.others_left_out += 1;
            Ok(())
        }
    }
}

fn whiteout(tree: &mut Tree, path: &Path, name: &[u8]) -> Result<(), UnpackError> {
    let parent = path.parent().unwrap_or(Path::new(""));
    if name == OPAQUE {
        return tree.opaque(parent);
    }
    if name.starts_with(RESERVED) {
        return Ok(());
    }
    let hidden = name.strip_prefix(WHITEOUT).unwrap_or_default();
    if hidden.is_empty() || hidden == b"." || hidden == b".." {
        return Err(UnpackError::wrong(format!("{} hides no file", shown(name))));
    }
    tree.whiteout(&parent.join(OsStr::from_bytes(hidden)))
}

fn path_of(bytes: &[u8]) -> Result<PathBuf, UnpackError> {
    if bytes.contains(&0) {
        return Err(UnpackError::wrong(format!("the name {} has a NUL in it", shown(bytes))));
    }
    if bytes.len() >= usize::try_from(libc::PATH_MAX).unwrap_or(4096) {
        return Err(UnpackError::wrong(format!(
            "the name {} is longer than the kernel takes (4095 bytes)",
            shown(bytes)
        )));
    }
    plain(Path::new(OsStr::from_bytes(bytes)))
}

fn target_of<R: std::io::Read>(
    entry: &tar::Entry<'_, R>,
    path: &Path,
) -> Result<PathBuf, UnpackError> {
    let name = || shown(path.as_os_str().as_bytes());
    let target = entry.link_name_bytes().filter(|target| !target.is_empty());
    let target =
        target.ok_or_else(|| UnpackError::wrong(format!("the link {} leads nowhere", name())))?;
    if target.contains(&0) || target.len() >= usize::try_from(libc::PATH_MAX).unwrap_or(4096) {
        return Err(UnpackError::wrong(format!("the link {} has no sound target", name())));
    }
    Ok(PathBuf::from(OsStr::from_bytes(&target)))
}

fn meta_of(header: &tar::Header) -> Result<Meta, UnpackError> {
    let broken = |err: std::io::Error| unreadable(&err);
    Ok(Meta {
        mode: header.mode().map_err(broken)?,
        uid: header.uid().map_err(broken)?,
        gid: header.gid().map_err(broken)?,
        // A time that is no number is no reason to refuse a file.
        mtime: header.mtime().unwrap_or(0),
    })
}
