//! Root file systems that are ours: put together once, owned by root, read-only for everybody.
//!
//! | in `DATA/images` | what |
//! |---|---|
//! | `busybox-KEY` | the host's static busybox and its links ([`busybox`]) |
//! | `lab-KEY/{root,image.json}` | a small system from the host's own tools ([`lab`]) |
//! | `image-NAME/{root,image.json}` | what `vitrine image add` has unpacked |
//! | `new-…`, `old-…` | being made, being removed: swept when nobody holds them ([`store`]) |

mod add;
mod busybox;
mod elf;
mod lab;
mod skeleton;
mod store;
mod unpack;
mod watch;

use std::cell::RefCell;
use std::fs;
use std::io;
use std::os::unix::fs::PermissionsExt as _;
use std::path::{Path, PathBuf};
use std::rc::Rc;

use sha2::{Digest as _, Sha256};
use vitrine_shared::spec::{Rootfs, check_image_name};

pub(crate) use add::Added;
pub(crate) use busybox::CANDIDATES;
pub(crate) use elf::is_static;
pub(crate) use lab::State as LabState;
pub(crate) use skeleton::STAGES;
use store::Held;
pub(crate) use unpack::Config;
pub(crate) use watch::Watcher;

/// The image directory of a server or of the command line.
#[derive(Clone, Debug)]
pub(crate) struct Images {
    directory: PathBuf,
    /// The lab image of this process: found or made once, and held, so that nobody removes it.
    lab: Rc<RefCell<Option<Rc<Held>>>>,
}

/// A root directory for containers; its files stay as long as this lives.
#[derive(Clone, Debug)]
pub(crate) struct Image {
    /// Where it is.
    pub(crate) root: PathBuf,
    /// What it says about how it is run; nothing for those of our own.
    pub(crate) config: Config,
    _held: Option<Rc<Held>>,
}

/// An image cannot be had. The text says what to do.
#[derive(Debug, thiserror::Error)]
pub(crate) enum ImageError {
    /// There is no static busybox.
    #[error(
        "no static busybox on this host; install it: {mend}; or take the lab image: --rootfs lab"
    )]
    NoBusybox {
        /// The command that installs it.
        mend: String,
    },
    /// There is no shell to put into the lab image.
    #[error(
        "the lab image needs a shell, and this host has neither bash nor sh in {}",
        lab::tools::DIRECTORIES.join(", ")
    )]
    NoShell,
    /// Nobody has added it.
    #[error(
        "no image {name:?}; see vitrine image list, or add it: vitrine image add {name} SOURCE (a directory is written with a slash: ./{name})"
    )]
    NoSuch {
        /// Its name.
        name: String,
    },
    /// A directory is meant, and there is none.
    #[error(
        "{} is not a directory; --rootfs takes busybox, lab, the name of an image, or a directory",
        path.display()
    )]
    NoDirectory {
        /// What was given.
        path: PathBuf,
    },
    /// There is no machine to share a root with.
    #[error(
        "there is no machine here; --rootfs takes busybox, lab, the name of an image, or a directory"
    )]
    NoMachine,
    /// No image of this name can be added.
    #[error("{reason}")]
    Name {
        /// Why.
        reason: String,
    },
    /// An archive is not what it should be.
    #[error("{reason}; nothing was added")]
    Refused {
        /// What is wrong with it.
        reason: String,
    },
    /// A file system call failed.
    #[error("{}: {source}", path.display())]
    Io {
        /// On this path.
        path: PathBuf,
        /// For this reason.
        #[source]
        source: io::Error,
    },
}

/// What names an image: 16 digits of the hash of what it was made from.
fn first_digits(hash: Sha256) -> String {
    hash.finalize().iter().take(8).map(|byte| format!("{byte:02x}")).collect()
}

fn at(path: &Path) -> impl FnOnce(io::Error) -> ImageError {
    let path = path.to_path_buf();
    move |source| ImageError::Io { path, source }
}

/// The host's static busybox, from which that image is made.
pub(crate) fn host_busybox() -> Option<&'static Path> {
    busybox::program()
}

/// What killed builders have left below `data`, deleted or only told; `None` when others are at
/// it all the time.
pub(crate) fn leftovers(data: &Path, delete: bool) -> Option<Vec<PathBuf>> {
    store::leftovers(&data.join("images"), delete)
}

impl Images {
    /// Images below `data`; the directory is made when it is not there.
    pub(crate) fn open(data: &Path) -> Result<Self, ImageError> {
        let directory = data.join("images");
        fs::create_dir_all(&directory).map_err(at(&directory))?;
        // Root's, and passable: a machine's root must reach its own lower layer.
        let mode = fs::metadata(&directory).map_err(at(&directory))?.permissions().mode();
        // Left as it is where it is right: a change is a change on the disk.
        if mode & 0o7777 != 0o755 {
            fs::set_permissions(&directory, fs::Permissions::from_mode(0o755))
                .map_err(at(&directory))?;
        }
        Ok(Images { directory, lab: Rc::default() })
    }

    /// Images below `data` as they are: nothing is made.
    pub(crate) fn look(data: &Path) -> Self {
        Images { directory: data.join("images"), lab: Rc::default() }
    }

    /// The image for a container's root.
    pub(crate) fn find(&self, rootfs: &Rootfs) -> Result<Image, ImageError> {
        let plain = |root| Ok(Image { root, config: Config::default(), _held: None });
        match rootfs {
            Rootfs::Busybox => plain(self.busybox()?),
            Rootfs::Lab => {
                let held = self.hold_lab()?;
                Ok(Image { root: held.root(), config: Config::default(), _held: Some(held) })
            }
            Rootfs::Image(name) => self.named(name),
            Rootfs::Machine => Err(ImageError::NoMachine),
            Rootfs::Directory(path) if Path::new(path).is_dir() => plain(path.into()),
            Rootfs::Directory(path) => Err(ImageError::NoDirectory { path: path.into() }),
        }
    }

    /// Is there an image of this name?
    pub(crate) fn has(&self, name: &str) -> bool {
        check_image_name(name).is_ok() && self.directory.join(format!("image-{name}")).is_dir()
    }

    /// The names of the images that were added, in order; none where there is no store.
    pub(crate) fn names(&self) -> Vec<String> {
        let entries = fs::read_dir(&self.directory).into_iter().flatten().flatten();
        let names = entries.filter_map(|entry| {
            let name = entry.file_name().into_string().ok()?;
            name.strip_prefix("image-").map(str::to_string)
        });
        let mut names: Vec<String> = names.filter(|name| check_image_name(name).is_ok()).collect();
        names.sort();
        names
    }

    /// What is known of an image that was added.
    pub(crate) fn about(&self, name: &str) -> Option<Added> {
        let held = Held::take(&self.directory.join(format!("image-{name}"))).ok()??;
        Added::parse(&fs::read(held.about()).ok()?)
    }

    /// What is known of the lab image: made already, or as it would be.
    pub(crate) fn about_lab(&self) -> LabState {
        lab::state(&self.directory)
    }

    /// Bytes and number of files of the busybox image, when it has been made.
    pub(crate) fn about_busybox(&self) -> Option<(u64, u64)> {
        busybox::made(&self.directory)
    }

    /// An image that was added under this name.
    fn named(&self, name: &str) -> Result<Image, ImageError> {
        let no_such = || ImageError::NoSuch { name: name.chars().take(64).collect() };
        // It becomes a file name: looked at again, whoever has done so before.
        check_image_name(name).map_err(|_| no_such())?;
        let held = Held::take(&self.directory.join(format!("image-{name}")))?;
        let held = Rc::new(held.ok_or_else(no_such)?);
        let about = fs::read(held.about()).map_err(at(&held.about()))?;
        let added = Added::parse(&about).ok_or_else(|| ImageError::Refused {
            reason: format!(
                "the image {name} was added by another version: remove it, and add it again"
            ),
        })?;
        Ok(Image { root: held.root(), config: added.config, _held: Some(held) })
    }

    /// The busybox image, put together when it is missing or the host's busybox has changed.
    pub(crate) fn busybox(&self) -> Result<PathBuf, ImageError> {
        busybox::find_or_build(&self.directory)
    }

    /// The lab image, put together when it is missing or one of the host's tools has changed.
    /// One process keeps to the image that it found first.
    pub(crate) fn lab(&self) -> Result<PathBuf, ImageError> {
        Ok(self.hold_lab()?.root())
    }

    fn hold_lab(&self) -> Result<Rc<Held>, ImageError> {
        let mut known = self.lab.borrow_mut();
        if let Some(held) = &*known {
            return Ok(Rc::clone(held));
        }
        Ok(Rc::clone(known.insert(Rc::new(lab::find_or_build(&self.directory)?))))
    }
}
