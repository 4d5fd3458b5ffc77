//! What is in a tar: looked through once before anything is done with it.
//!
//! The `tar` crate reads long names and extended headers into memory whole, however long they say
//! they are. So each archive is first walked by its bare headers, which costs a read and a seek an
//! entry. The size of an entry must be the one in its header: parsers that disagree about sizes
//! see different archives, and what one has looked through is not what the other unpacks.

use std::fs::File;
use std::io::{self, Read as _, Seek as _, SeekFrom};

use tar::{Archive, EntryType, PaxExtensions};
use vitrine_shared::limits::IMAGE_ENTRY_BYTES;

use super::{Bounds, UnpackError, below};

/// An archive cannot be read: cut short, or no archive.
pub(super) fn unreadable(err: &io::Error) -> UnpackError {
    UnpackError::wrong(format!("the archive cannot be read: {err}"))
}

/// A second descriptor of the file, at its beginning.
pub(super) fn rewound(file: &File) -> Result<File, UnpackError> {
    let mut file = file.try_clone().map_err(|err| unreadable(&err))?;
    file.seek(SeekFrom::Start(0)).map_err(|err| unreadable(&err))?;
    Ok(file)
}

/// Walks the bare headers; gives their number.
pub(super) fn check(file: &File, bounds: Bounds) -> Result<u64, UnpackError> {
    let length = file.metadata().map_err(|err| unreadable(&err))?.len();
    let mut archive = Archive::new(rewound(file)?);
    let entries = archive.entries_with_seek().map_err(|err| unreadable(&err))?;
    let mut count = 0;
    for entry in entries.raw(true) {
        let mut entry = entry.map_err(|err| unreadable(&err))?;
        count += 1;
        // Each may have a long name, a long target and extended headers in front of it.
        below(bounds.files, count / 4, || "the archive".into())?;
        let size = entry.size();
        let end = entry.raw_file_position().checked_add(size);
        if end.is_none_or(|end| end > length) {
            return Err(UnpackError::wrong("the archive is cut short"));
        }
        let kind = entry.header().entry_type();
        let is_about_the_next = matches!(
            kind,
            EntryType::GNULongName
                | EntryType::GNULongLink
                | EntryType::XHeader
                | EntryType::XGlobalHeader
        );
        if !is_about_the_next {
            continue;
        }
        below(IMAGE_ENTRY_BYTES, size, || "a long name or an extended header".into())?;
        if matches!(kind, EntryType::XHeader | EntryType::XGlobalHeader) {
            let mut text = Vec::new();
            entry.read_to_end(&mut text).map_err(|err| unreadable(&err))?;
            check_pax(&text)?;
        }
    }
    Ok(count)
}

fn check_pax(text: &[u8]) -> Result<(), UnpackError> {
    for extension in PaxExtensions::new(text) {
        let extension = extension.map_err(|err| unreadable(&err))?;
        let key = extension.key_bytes();
        if key == b"size" {
            return Err(UnpackError::wrong(
                "the archive gives the size of a file twice (PAX size); repack it with tar --format=gnu",
            ));
        }
        if key.starts_with(b"GNU.sparse.") {
            return Err(UnpackError::wrong(
                "the archive has sparse files in PAX form; repack it with tar --format=gnu",
            ));
        }
    }
    Ok(())
}
