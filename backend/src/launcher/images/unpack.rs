//! Archives of strangers become the files of an image.
//!
//! Two walls, each of which is enough by itself: every path is opened by `openat2` below the
//! image's root (`RESOLVE_IN_ROOT`: a link to `/etc` is the image's own `/etc`), and all of it
//! runs in a process that cannot reach anything else ([`wall`]).
//!
//! In reading order: [`source`] (what kind it is), [`manifest`] (which layers), [`blob`] (bytes,
//! decompressed and compared with their digests before anything is unpacked), [`entries`] (what
//! is in a tar), [`layer`] (one layer onto those below it), [`copy`] (a directory), [`tree`] (the
//! only one that writes).

mod blob;
mod copy;
mod entries;
mod layer;
mod manifest;
mod source;
mod tree;
pub(super) mod wall;

use std::fs::File;
use std::io;
use std::os::fd::OwnedFd;

use nix::errno::Errno;
use serde::{Deserialize, Serialize};
use vitrine_shared::limits::{IMAGE_BYTES, IMAGE_FILES, Limit};

use tree::Tree;

/// How large an image may be.
#[derive(Clone, Copy, Debug)]
pub(super) struct Bounds {
    bytes: Limit,
    files: Limit,
}

impl Default for Bounds {
    fn default() -> Self {
        Bounds { bytes: IMAGE_BYTES, files: IMAGE_FILES }
    }
}

/// What is unpacked.
#[derive(Debug)]
pub(super) enum Source {
    /// A directory: files to copy, or an OCI layout.
    Directory(OwnedFd),
    /// An archive.
    File(File),
}

/// What it was found to be, by its contents.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub(crate) enum Kind {
    /// A directory, copied.
    Directory,
    /// A tar of a root file system (`docker export`).
    Tar,
    /// An OCI image layout, as a directory or in a tar.
    Oci,
    /// What `docker save` writes.
    Docker,
}

/// What an image says about how it is run.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct Config {
    /// `NAME=value`.
    pub(crate) env: Vec<String>,
    /// The program, and the words that always come first.
    pub(crate) entrypoint: Vec<String>,
    /// The words after them, or the program.
    pub(crate) cmd: Vec<String>,
    /// Where it begins.
    pub(crate) working_dir: String,
    /// Whom it runs as: `USER[:GROUP]`, names or numbers of its own lists.
    pub(crate) user: String,
}

impl Config {
    /// What is run when no command is given.
    pub(crate) fn command(&self) -> Vec<String> {
        [&self.entrypoint[..], &self.cmd[..]].concat()
    }

    /// The environment as names and values.
    pub(crate) fn variables(&self) -> Vec<(String, String)> {
        let pairs = self.env.iter().filter_map(|line| line.split_once('='));
        pairs.map(|(name, value)| (name.to_string(), value.to_string())).collect()
    }
}

/// What was done, and what was left out on purpose.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct Report {
    /// Regular files.
    pub(crate) files: u64,
    /// Directories.
    pub(crate) directories: u64,
    /// Symbolic links.
    pub(crate) symlinks: u64,
    /// Second names of files.
    pub(crate) hard_links: u64,
    /// Bytes of all files that were written.
    pub(crate) bytes: u64,
    /// Layers, from the lowest up.
    pub(crate) layers: u64,
    /// Files of lower layers that a later one has hidden.
    pub(crate) whiteouts: u64,
    /// Device nodes left out.
    pub(crate) devices_left_out: u64,
    /// Named pipes left out.
    pub(crate) fifos_left_out: u64,
    /// Sockets, other file systems and unknown kinds left out.
    pub(crate) others_left_out: u64,
    /// Files that were setuid or setgid and are not any more.
    pub(crate) setuid_cleared: u64,
    /// Entries whose extended attributes (file capabilities among them) were dropped.
    pub(crate) xattrs_dropped: u64,
    /// Entries whose owner was beyond 65535 and is now nobody.
    pub(crate) owners_clamped: u64,
    /// Directories that machines mount on, put in the place of something else.
    pub(crate) places_made: u64,
}

/// An image that was unpacked.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(super) struct Unpacked {
    pub(super) kind: Kind,
    /// The digest of its manifest or configuration.
    pub(super) digest: Option<String>,
    pub(super) config: Config,
    pub(super) report: Report,
}

/// Why an archive is not unpacked. The sentences say what is wrong with it.
#[derive(Debug, thiserror::Error)]
pub(super) enum UnpackError {
    /// It is not what it should be.
    #[error("{0}")]
    Wrong(String),
    /// It is too large.
    #[error("{what}: more than {} {} ({})", limit.value, limit.unit, limit.name)]
    Limit {
        /// What has too much.
        what: String,
        /// The limit.
        limit: Limit,
    },
    /// A file system call failed.
    #[error("{doing}: {source}")]
    Io {
        /// What was being done.
        doing: String,
        /// The reason.
        source: io::Error,
    },
}

impl UnpackError {
    fn wrong(what: impl Into<String>) -> Self {
        UnpackError::Wrong(what.into())
    }
}

/// Says what was being done when a call failed.
trait Doing<T> {
    fn doing(self, what: impl FnOnce() -> String) -> Result<T, UnpackError>;
}

impl<T> Doing<T> for io::Result<T> {
    fn doing(self, what: impl FnOnce() -> String) -> Result<T, UnpackError> {
        self.map_err(|source| UnpackError::Io { doing: what(), source })
    }
}

impl<T> Doing<T> for nix::Result<T> {
    fn doing(self, what: impl FnOnce() -> String) -> Result<T, UnpackError> {
        self.map_err(|errno: Errno| UnpackError::Io { doing: what(), source: errno.into() })
    }
}

fn below(limit: Limit, count: u64, what: impl FnOnce() -> String) -> Result<(), UnpackError> {
    if count <= limit.value {
        return Ok(());
    }
    Err(UnpackError::Limit { what: what(), limit })
}

/// Bytes of somebody else's as a text for a message: short, without control characters.
fn shown(bytes: &[u8]) -> String {
    let text = String::from_utf8_lossy(bytes);
    let mut short: String = text.chars().take(100).flat_map(char::escape_debug).collect();
    if text.chars().nth(100).is_some() {
        short.push('…');
    }
    short
}

/// Fills the directory `root` with what `source` holds. `scratch` are two empty files.
pub(super) fn unpack(
    source: Source,
    root: OwnedFd,
    scratch: [File; 2],
    bounds: Bounds,
) -> Result<Unpacked, UnpackError> {
    let mut tree = Tree::begin(root, bounds)?;
    let [outer, inner] = scratch;
    let (kind, digest, config) = match source::look(source, outer, bounds)? {
        source::Found::Directory(directory) => {
            copy::directory(&mut tree, &directory)?;
            (Kind::Directory, None, Config::default())
        }
        source::Found::Tar(file) => {
            layer::apply(&mut tree, &file, bounds)?;
            (Kind::Tar, None, Config::default())
        }
        source::Found::Image(kind, files) => {
            let image = match kind {
                Kind::Docker => manifest::docker(&files)?,
                _ => manifest::oci(&files)?,
            };
            for (index, wanted) in image.layers.iter().enumerate() {
                let tar = blob::fetch(&files, wanted, &inner, bounds)?;
                layer::apply(&mut tree, &tar, bounds).map_err(|err| in_layer(index, err))?;
            }
            (kind, Some(image.digest), image.config)
        }
    };
    tree.make_places()?;
    Ok(Unpacked { kind, digest, config, report: tree.report })
}

fn in_layer(index: usize, err: UnpackError) -> UnpackError {
    match err {
        UnpackError::Wrong(what) => UnpackError::Wrong(format!("layer {}: {what}", index + 1)),
        UnpackError::Io { doing, source } => {
            UnpackError::Io { doing: format!("layer {}: {doing}", index + 1), source }
        }
        limit @ UnpackError::Limit { .. } => limit,
    }
}

#[cfg(test)]
mod tests;
