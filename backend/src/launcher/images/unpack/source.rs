//! What a source is: told by its contents, never by its name.

use std::collections::HashMap;
use std::ffi::OsStr;
use std::fs::File;
use std::io::{self, Read};
use std::os::fd::OwnedFd;
use std::os::unix::ffi::OsStrExt as _;
use std::os::unix::fs::FileExt as _;
use std::path::{Path, PathBuf};

use nix::errno::Errno;
use nix::fcntl::{OFlag, OpenHow, ResolveFlag};
use tar::{Archive, EntryType};
use vitrine_shared::limits::IMAGE_MANIFEST_BYTES;

use super::super::super::sys;
use super::blob::{self, Packing};
use super::entries::{self, unreadable};
use super::tree::plain;
use super::{Bounds, Doing as _, Kind, Source, UnpackError, below, manifest};

/// Links from link to link in an old `docker save` archive.
const LINKS: usize = 4;

/// A source that was looked at.
pub(super) enum Found {
    /// Files to copy.
    Directory(OwnedFd),
    /// A tar of a root file system, not compressed (any more).
    Tar(File),
    /// Manifests and layers.
    Image(Kind, Files),
}

/// The files of a layout, by their names in it.
pub(super) enum Files {
    /// In a directory.
    Directory(OwnedFd),
    /// In a tar.
    Tar {
        /// The tar.
        file: File,
        /// What it has under each name.
        members: HashMap<PathBuf, Member>,
    },
}

/// A file in a tar.
pub(super) enum Member {
    /// Its bytes are here.
    File {
        /// From here.
        offset: u64,
        /// So many.
        length: u64,
    },
    /// It is another one's second name.
    Link(PathBuf),
}

/// Looks at a source; `scratch` takes what is decompressed.
pub(super) fn look(source: Source, scratch: File, bounds: Bounds) -> Result<Found, UnpackError> {
    let file = match source {
        Source::Directory(directory) => {
            let files = Files::Directory(directory);
            return Ok(match (files.kind()?, files) {
                (Some(kind), files) => Found::Image(kind, files),
                (None, Files::Directory(directory)) => Found::Directory(directory),
                (None, Files::Tar { file, .. }) => Found::Tar(file),
            });
        }
        Source::File(file) => file,
    };
    let file = match blob::packing(&file)? {
        Packing::None => file,
        packing => {
            blob::unpack_into(packing, Part::whole(&file)?, &scratch, bounds)?;
            scratch
        }
    };
    let entries = entries::check(&file, bounds)?;
    let members = members(&file)?;
    if entries == 0 {
        return Err(UnpackError::wrong(
            "there is nothing in it; a source is a directory, a tar, an OCI layout or what docker save writes",
        ));
    }
    let files = Files::Tar { file, members };
    Ok(match (files.kind()?, files) {
        (Some(kind), files) => Found::Image(kind, files),
        (None, Files::Tar { file, .. }) => Found::Tar(file),
        (None, Files::Directory(directory)) => Found::Directory(directory),
    })
}

/// The members of a tar; the last of one name counts.
fn members(file: &File) -> Result<HashMap<PathBuf, Member>, UnpackError> {
    let mut archive = Archive::new(entries::rewound(file)?);
    let mut members = HashMap::new();
    for entry in archive.entries_with_seek().map_err(|err| unreadable(&err))? {
        let entry = entry.map_err(|err| unreadable(&err))?;
        // A name that leads out is refused when it is unpacked; here it is just no part of a layout.
        let path = |bytes: &[u8]| plain(Path::new(OsStr::from_bytes(bytes))).ok();
        let Some(name) = path(&entry.path_bytes()) else { continue };
        let member = match entry.header().entry_type() {
            EntryType::Regular | EntryType::Continuous => {
                Member::File { offset: entry.raw_file_position(), length: entry.size() }
            }
            EntryType::Symlink => {
                let parent = name.parent().unwrap_or(Path::new(""));
                let target = entry.link_name_bytes().unwrap_or_default();
                match beside(parent, Path::new(OsStr::from_bytes(&target))) {
                    Some(target) => Member::Link(target),
                    None => continue,
                }
            }
            EntryType::Link => match path(&entry.link_name_bytes().unwrap_or_default()) {
                Some(target) => Member::Link(target),
                None => continue,
            },
            _ => Member::Link(PathBuf::new()),
        };
        members.insert(name, member);
    }
    Ok(members)
}

/// Where a link leads, by its text; `None` when that is outside.
fn beside(parent: &Path, target: &Path) -> Option<PathBuf> {
    use std::path::Component;
    let mut path = parent.to_path_buf();
    for part in target.components() {
        match part {
            Component::Normal(name) => path.push(name),
            Component::CurDir => {}
            Component::ParentDir => {
                if !path.pop() {
                    return None;
                }
            }
            Component::RootDir | Component::Prefix(_) => return None,
        }
    }
    Some(path)
}

impl Files {
    /// Which kind of layout this is, if it is one.
    fn kind(&self) -> Result<Option<Kind>, UnpackError> {
        if self.open("oci-layout")?.is_some() && self.open("index.json")?.is_some() {
            return Ok(Some(Kind::Oci));
        }
        match self.open("manifest.json")? {
            // Any program may have a file of that name in its root.
            Some(part) if part.length <= IMAGE_MANIFEST_BYTES.value => {
                let text = part.bytes()?;
                Ok(manifest::is_docker(&text).then_some(Kind::Docker))
            }
            _ => Ok(None),
        }
    }

    /// A file of the layout; `None` when there is none.
    pub(super) fn open(&self, name: &str) -> Result<Option<Part>, UnpackError> {
        match self {
            Files::Directory(directory) => {
                let how = OpenHow::new()
                    .flags(OFlag::O_RDONLY | OFlag::O_NONBLOCK | OFlag::O_NOCTTY | OFlag::O_CLOEXEC)
                    .resolve(ResolveFlag::RESOLVE_BENEATH | ResolveFlag::RESOLVE_NO_MAGICLINKS);
                let file = match sys::openat2(directory, name, how) {
                    Err(Errno::ENOENT | Errno::ENOTDIR) => return Ok(None),
                    // It leads out of the layout.
                    Err(Errno::EXDEV | Errno::ELOOP) => {
                        return Err(UnpackError::wrong(format!("{name} leads out of the layout")));
                    }
                    other => File::from(other.doing(|| format!("open {name}"))?),
                };
                let meta = file.metadata().doing(|| format!("look at {name}"))?;
                if !meta.is_file() {
                    return Ok(None);
                }
                Part::whole(&file).map(Some)
            }
            Files::Tar { file, members } => {
                let mut name = plain(Path::new(name))?;
                for _ in 0..LINKS {
                    match members.get(&name) {
                        None => return Ok(None),
                        Some(Member::Link(target)) => name.clone_from(target),
                        Some(&Member::File { offset, length }) => {
                            let file = file.try_clone().doing(|| "dup".into())?;
                            return Ok(Some(Part { file, offset, length }));
                        }
                    }
                }
                Ok(None)
            }
        }
    }

    /// A manifest, an index or a configuration.
    pub(super) fn small(&self, name: &str) -> Result<Vec<u8>, UnpackError> {
        let part = self.open(name)?;
        let part = part.ok_or_else(|| UnpackError::wrong(format!("{name} is missing")))?;
        below(IMAGE_MANIFEST_BYTES, part.length, || name.into())?;
        part.bytes()
    }
}

/// A stretch of a file, read by position: several can be read at once.
pub(super) struct Part {
    file: File,
    offset: u64,
    /// Bytes that are left.
    pub(super) length: u64,
}

impl Part {
    pub(super) fn whole(file: &File) -> Result<Self, UnpackError> {
        let length = file.metadata().doing(|| "look at the file".into())?.len();
        Ok(Part { file: file.try_clone().doing(|| "dup".into())?, offset: 0, length })
    }

    fn bytes(mut self) -> Result<Vec<u8>, UnpackError> {
        let mut bytes = Vec::new();
        self.read_to_end(&mut bytes).doing(|| "read a manifest".into())?;
        Ok(bytes)
    }

    /// The file that it is a part of, and where it begins.
    pub(super) fn first_bytes(&self) -> io::Result<[u8; 6]> {
        let mut first = [0; 6];
        let len = usize::try_from(self.length).unwrap_or(6).min(6);
        self.file.read_exact_at(&mut first[..len], self.offset)?;
        Ok(first)
    }
}

impl Read for Part {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        let most = usize::try_from(self.length).unwrap_or(usize::MAX).min(buffer.len());
        let len = self.file.read_at(&mut buffer[..most], self.offset)?;
        if len == 0 && most > 0 {
            return Err(io::Error::new(io::ErrorKind::UnexpectedEof, "it is cut short"));
        }
        self.offset += len as u64;
        self.length -= len as u64;
        Ok(len)
    }
}
