//! The files of an image: the only place that writes them, and only below its root.

use std::collections::{HashMap, HashSet};
use std::fs::File;
use std::io::{Read, Seek as _, SeekFrom, Write as _};
use std::os::fd::{AsFd, BorrowedFd, OwnedFd};
use std::path::{Component, Path, PathBuf};
use std::rc::Rc;

use nix::dir::Dir;
use nix::errno::Errno;
use nix::fcntl::{AtFlags, OFlag, OpenHow, ResolveFlag, openat};
use nix::sys::stat::{FileStat, Mode, SFlag, fchmod, fstat, fstatat, futimens, mkdirat};
use nix::sys::time::TimeSpec;
use nix::unistd::{Gid, Uid, UnlinkatFlags, fchown, fchownat, linkat, symlinkat, unlinkat};
use vitrine_shared::limits::IMAGE_DEPTH;

use super::super::super::sys;
use super::{Bounds, Doing as _, Report, UnpackError, below};

/// Most ids that a machine has; the last two stay nobody's.
const MOST_IDS: u64 = 65_535;
const NOBODY: u32 = 65_534;
/// What machines mount on, and what programs count on.
const PLACES: &[(&str, u32)] =
    &[("dev", 0o755), ("proc", 0o755), ("sys", 0o755), ("run", 0o755), ("tmp", 0o1777)];

/// What an archive says about an entry.
#[derive(Clone, Copy, Debug, Default)]
pub(super) struct Meta {
    pub(super) mode: u32,
    pub(super) uid: u64,
    pub(super) gid: u64,
    pub(super) mtime: u64,
}

/// An image that is being filled.
pub(super) struct Tree {
    root: Rc<OwnedFd>,
    root_stat: FileStat,
    /// Ordinary users cannot give files away.
    owns: bool,
    /// How deep each directory is, by inode: links in an archive could lead deeper than any of
    /// its names shows, and deep trees are hard to remove.
    depth: HashMap<u64, u64>,
    /// What this layer has made: directory inode and name.
    made: HashSet<(u64, Vec<u8>)>,
    /// The directory of the last entry.
    last: Option<(PathBuf, Rc<OwnedFd>)>,
    entries: u64,
    bounds: Bounds,
    pub(super) report: Report,
}

/// A path of an archive, made of plain names only.
pub(super) fn plain(path: &Path) -> Result<PathBuf, UnpackError> {
    use std::os::unix::ffi::OsStrExt as _;
    let mut plain = PathBuf::new();
    for part in path.components() {
        match part {
            // As tar does: a path from the root is one from the image's root.
            Component::RootDir | Component::CurDir => {}
            Component::Normal(name) => plain.push(name),
            Component::ParentDir | Component::Prefix(_) => {
                let shown = super::shown(path.as_os_str().as_bytes());
                return Err(UnpackError::wrong(format!(
                    "the entry {shown} leads out of the image"
                )));
            }
        }
    }
    Ok(plain)
}

impl Tree {
    /// An empty directory to fill.
    pub(super) fn begin(root: OwnedFd, bounds: Bounds) -> Result<Self, UnpackError> {
        let root_stat = fstat(&root).doing(|| "look at the image's root".into())?;
        Ok(Tree {
            root: Rc::new(root),
            root_stat,
            owns: nix::unistd::geteuid().is_root(),
            depth: HashMap::from([(root_stat.st_ino, 0)]),
            made: HashSet::new(),
            last: None,
            entries: 0,
            bounds,
            report: Report::default(),
        })
    }

    /// What comes now is a new layer.
    pub(super) fn begin_layer(&mut self) {
        self.made.clear();
        self.report.layers += 1;
    }

    /// Counts an entry of an archive, whatever becomes of it.
    pub(super) fn count_entry(&mut self) -> Result<(), UnpackError> {
        self.entries += 1;
        below(self.bounds.files, self.entries, || "the image".into())
    }

    /// Is this the image's own root (a directory that contains it is copied)?
    pub(super) fn is_root(&self, stat: &FileStat) -> bool {
        (stat.st_dev, stat.st_ino) == (self.root_stat.st_dev, self.root_stat.st_ino)
    }

    /// A directory of the image that is there. Links lead wherever they lead *in the image*.
    fn open(&self, path: &Path) -> nix::Result<OwnedFd> {
        if path.as_os_str().is_empty() {
            return self.root.try_clone().map_err(|_| Errno::EMFILE);
        }
        let how = OpenHow::new()
            .flags(OFlag::O_PATH | OFlag::O_DIRECTORY | OFlag::O_CLOEXEC)
            .resolve(ResolveFlag::RESOLVE_IN_ROOT | ResolveFlag::RESOLVE_NO_MAGICLINKS);
        sys::openat2(&self.root, path, how)
    }

    /// The directory that an entry is in; made when it is missing.
    fn parent(&mut self, path: &Path) -> Result<Rc<OwnedFd>, UnpackError> {
        let parent = path.parent().unwrap_or(Path::new(""));
        if let Some((last, fd)) = &self.last
            && last == parent
        {
            return Ok(Rc::clone(fd));
        }
        let fd = match self.open(parent) {
            Ok(fd) => Rc::new(fd),
            Err(Errno::ENOENT) => self.make_parents(parent)?,
            Err(errno) => return Err(errno).doing(|| format!("open {}", display(parent))),
        };
        self.last = Some((parent.to_path_buf(), Rc::clone(&fd)));
        Ok(fd)
    }

    fn make_parents(&mut self, path: &Path) -> Result<Rc<OwnedFd>, UnpackError> {
        let mut at = Rc::clone(&self.root);
        let mut walked = PathBuf::new();
        for name in path {
            walked.push(name);
            let next = match self.open(&walked) {
                Err(Errno::ENOENT) => {
                    let step = Path::new(name);
                    self.make_directory(&at, step, &walked)?;
                    self.open(&walked)
                }
                other => other,
            };
            at = Rc::new(next.doing(|| format!("open {}", display(&walked)))?);
        }
        Ok(at)
    }

    /// One directory, as deep as is allowed.
    fn make_directory(
        &mut self,
        parent: &OwnedFd,
        name: &Path,
        shown: &Path,
    ) -> Result<(), UnpackError> {
        let doing = || format!("make the directory {}", display(shown));
        let above = fstat(parent).doing(doing)?.st_ino;
        let depth = self.depth.get(&above).copied().unwrap_or(IMAGE_DEPTH.value) + 1;
        below(IMAGE_DEPTH, depth, || display(shown))?;
        mkdirat(parent, name, Mode::from_bits_truncate(0o755)).doing(doing)?;
        let made = fstatat(parent, name, AtFlags::AT_SYMLINK_NOFOLLOW).doing(doing)?;
        self.depth.insert(made.st_ino, depth);
        self.report.directories += 1;
        // Whatever the umask is.
        let fd = directory_at(parent, name).doing(doing)?;
        fchmod(&fd, Mode::from_bits_truncate(0o755)).doing(doing)
    }

    /// Takes note that this layer has made something; gives the directory and the name.
    fn claim<'p>(&mut self, path: &'p Path) -> Result<(Rc<OwnedFd>, &'p Path), UnpackError> {
        let name = path.file_name().ok_or_else(|| UnpackError::wrong("an entry has no name"))?;
        let parent = self.parent(path)?;
        let inode = fstat(&parent).doing(|| format!("look at {}", display(path)))?.st_ino;
        self.made.insert((inode, bytes(name)));
        Ok((parent, Path::new(name)))
    }

    /// A directory. One that is there stays; anything else in its place goes.
    pub(super) fn directory(&mut self, path: &Path, meta: &Meta) -> Result<(), UnpackError> {
        if path.as_os_str().is_empty() {
            // The root's own mode stays: everybody must be able to pass it.
            return Ok(());
        }
        let (parent, name) = self.claim(path)?;
        let doing = || format!("make the directory {}", display(path));
        match kind_at(&parent, name).doing(doing)? {
            Some(SFlag::S_IFDIR) => {}
            Some(_) => {
                self.remove(&parent, name).doing(doing)?;
                self.make_directory(&parent, name, path)?;
            }
            None => self.make_directory(&parent, name, path)?,
        }
        let fd = directory_at(&parent, name).doing(doing)?;
        let keep = if self.owns { 0 } else { 0o700 };
        self.dress(fd.as_fd(), meta, 0o1777, keep).doing(doing)
    }

    /// A regular file. What was there under its name goes: no file is ever written to through a
    /// name that it had before.
    pub(super) fn file(
        &mut self,
        path: &Path,
        meta: &Meta,
        size: u64,
        content: &mut dyn Read,
    ) -> Result<(), UnpackError> {
        // What it says is looked at first, what it has while it is written.
        below(self.bounds.bytes, self.report.bytes.saturating_add(size), || "the image".into())?;
        let (parent, name) = self.claim(path)?;
        let doing = || format!("write {}", display(path));
        self.remove(&parent, name).doing(doing)?;
        let flags =
            OFlag::O_WRONLY | OFlag::O_CREAT | OFlag::O_EXCL | OFlag::O_NOFOLLOW | OFlag::O_CLOEXEC;
        let fd = openat(&parent, name, flags, Mode::from_bits_truncate(0o600)).doing(doing)?;
        let mut file = File::from(fd);
        self.write(&mut file, content, path)?;
        if meta.mode & 0o6000 != 0 {
            self.report.setuid_cleared += 1;
        }
        self.dress(file.as_fd(), meta, 0o777, 0).doing(doing)?;
        self.report.files += 1;
        Ok(())
    }

    /// Blocks of zeros become holes.
    fn write(
        &mut self,
        file: &mut File,
        content: &mut dyn Read,
        path: &Path,
    ) -> Result<(), UnpackError> {
        let mut buffer = vec![0; 64 * 1024];
        let mut length = 0u64;
        loop {
            let len = match content.read(&mut buffer) {
                Ok(0) => break,
                Err(err) if err.kind() == std::io::ErrorKind::Interrupted => continue,
                other => other.doing(|| format!("read {} in the archive", display(path)))?,
            };
            self.report.bytes += len as u64;
            below(self.bounds.bytes, self.report.bytes, || "the image".into())?;
            length += len as u64;
            let written = if buffer[..len].iter().all(|&byte| byte == 0) {
                file.seek(SeekFrom::Start(length)).map(drop)
            } else {
                file.write_all(&buffer[..len])
            };
            written.doing(|| format!("write {}", display(path)))?;
        }
        file.set_len(length).doing(|| format!("write {}", display(path)))
    }

    /// A symbolic link; it may say anything, because nothing follows it but in the image.
    pub(super) fn symlink(
        &mut self,
        path: &Path,
        meta: &Meta,
        target: &Path,
    ) -> Result<(), UnpackError> {
        let (parent, name) = self.claim(path)?;
        let doing = || format!("make the link {}", display(path));
        self.remove(&parent, name).doing(doing)?;
        symlinkat(target, &parent, name).doing(doing)?;
        if self.owns {
            let (uid, gid) = self.owner(meta);
            fchownat(&parent, name, Some(uid), Some(gid), AtFlags::AT_SYMLINK_NOFOLLOW)
                .doing(doing)?;
        }
        self.report.symlinks += 1;
        Ok(())
    }

    /// A second name for a file of the image, of this layer or a lower one.
    pub(super) fn hard_link(&mut self, path: &Path, target: &Path) -> Result<(), UnpackError> {
        let missing = || {
            let (path, target) = (display(path), display(target));
            UnpackError::wrong(format!("{path} is a hard link to {target}, which is not there"))
        };
        let target_name = target.file_name().ok_or_else(missing)?;
        let target_name = Path::new(target_name);
        let from = match self.open(target.parent().unwrap_or(Path::new(""))) {
            Err(Errno::ENOENT | Errno::ENOTDIR) => return Err(missing()),
            other => other.doing(|| format!("open the directory of {}", display(target)))?,
        };
        let doing = || format!("link {} to {}", display(path), display(target));
        let found = match fstatat(&from, target_name, AtFlags::AT_SYMLINK_NOFOLLOW) {
            Err(Errno::ENOENT) => return Err(missing()),
            other => other.doing(doing)?,
        };
        if kind_of(&found) == SFlag::S_IFDIR {
            let (path, target) = (display(path), display(target));
            return Err(UnpackError::wrong(format!(
                "{path} is a hard link to the directory {target}"
            )));
        }
        let (parent, name) = self.claim(path)?;
        let there = fstatat(&parent, name, AtFlags::AT_SYMLINK_NOFOLLOW);
        if there.is_ok_and(|there| (there.st_dev, there.st_ino) == (found.st_dev, found.st_ino)) {
            return Ok(());
        }
        self.remove(&parent, name).doing(doing)?;
        // Without AT_SYMLINK_FOLLOW: a link to a symbolic link is one to the link itself.
        linkat(&from, target_name, &parent, name, AtFlags::empty()).doing(doing)?;
        self.report.hard_links += 1;
        Ok(())
    }

    /// A lower layer's file or directory of this name is hidden.
    pub(super) fn whiteout(&mut self, path: &Path) -> Result<(), UnpackError> {
        let Some(name) = path.file_name() else {
            return Err(UnpackError::wrong("a whiteout has no name"));
        };
        let doing = || format!("hide {}", display(path));
        let parent = match self.open(path.parent().unwrap_or(Path::new(""))) {
            // Nothing below: nothing to hide.
            Err(Errno::ENOENT | Errno::ENOTDIR) => return Ok(()),
            other => other.doing(doing)?,
        };
        self.hide(&parent, Path::new(name)).doing(doing)
    }

    /// Everything that lower layers have in this directory is hidden.
    pub(super) fn opaque(&mut self, path: &Path) -> Result<(), UnpackError> {
        let doing = || format!("empty {}", display(path));
        let directory = match self.open(path) {
            Err(Errno::ENOENT | Errno::ENOTDIR) => return Ok(()),
            other => other.doing(doing)?,
        };
        for name in names(&directory).doing(doing)? {
            self.hide(&directory, &name).doing(doing)?;
        }
        Ok(())
    }

    /// Hides what lower layers have under this name; what this layer has made stays.
    fn hide(&mut self, parent: &OwnedFd, name: &Path) -> nix::Result<()> {
        let made = self.made.contains(&(fstat(parent)?.st_ino, bytes(name.as_os_str())));
        match kind_at(parent, name)? {
            None => {}
            Some(SFlag::S_IFDIR) => {
                let directory = directory_at(parent, name)?;
                for inner in names(&directory)? {
                    self.hide(&directory, &inner)?;
                }
                if !made {
                    self.last = None;
                    match unlinkat(parent, name, UnlinkatFlags::RemoveDir) {
                        // Something of this layer is in it.
                        Err(Errno::ENOTEMPTY) => {}
                        other => {
                            other?;
                            self.report.whiteouts += 1;
                        }
                    }
                }
            }
            Some(_) if made => {}
            Some(_) => {
                unlinkat(parent, name, UnlinkatFlags::NoRemoveDir)?;
                self.report.whiteouts += 1;
            }
        }
        Ok(())
    }

    /// Removes what is there under a name, whatever it is.
    fn remove(&mut self, parent: &OwnedFd, name: &Path) -> nix::Result<()> {
        match kind_at(parent, name)? {
            None => Ok(()),
            Some(SFlag::S_IFDIR) => {
                self.last = None;
                let directory = directory_at(parent, name)?;
                for inner in names(&directory)? {
                    self.remove(&directory, &inner)?;
                }
                unlinkat(parent, name, UnlinkatFlags::RemoveDir)
            }
            Some(kind) => {
                if kind == SFlag::S_IFLNK {
                    // The last entry's directory may have been found through it.
                    self.last = None;
                }
                unlinkat(parent, name, UnlinkatFlags::NoRemoveDir)
            }
        }
    }

    /// The owner in a machine: beyond its ids there is nobody.
    fn owner(&mut self, meta: &Meta) -> (Uid, Gid) {
        let clamp = |id: u64| match u32::try_from(id) {
            Ok(id) if u64::from(id) <= MOST_IDS => id,
            _ => NOBODY,
        };
        self.report.owners_clamped += u64::from(meta.uid > MOST_IDS || meta.gid > MOST_IDS);
        (Uid::from_raw(clamp(meta.uid)), Gid::from_raw(clamp(meta.gid)))
    }

    /// Owner, then mode (which a change of owner would touch), then time.
    fn dress(
        &mut self,
        fd: BorrowedFd<'_>,
        meta: &Meta,
        allowed: u32,
        always: u32,
    ) -> nix::Result<()> {
        if self.owns {
            let (uid, gid) = self.owner(meta);
            fchown(fd, Some(uid), Some(gid))?;
        }
        fchmod(fd, Mode::from_bits_truncate((meta.mode & allowed) | always))?;
        let time = TimeSpec::new(i64::try_from(meta.mtime).unwrap_or(0).min(1 << 33), 0);
        futimens(fd, &time, &time)
    }

    /// Directories that machines mount on: an image may lack them, or have a link in their place.
    pub(super) fn make_places(&mut self) -> Result<(), UnpackError> {
        let root = Rc::clone(&self.root);
        for &(name, mode) in PLACES {
            let path = Path::new(name);
            let doing = || format!("make /{name}");
            if kind_at(&root, path).doing(doing)? == Some(SFlag::S_IFDIR) {
                continue;
            }
            self.remove(&root, path).doing(doing)?;
            self.make_directory(&root, path, path)?;
            let fd = directory_at(&root, path).doing(doing)?;
            fchmod(&fd, Mode::from_bits_truncate(mode)).doing(doing)?;
            self.report.places_made += 1;
        }
        Ok(())
    }
}

fn display(path: &Path) -> String {
    super::shown(&bytes(path.as_os_str()))
}

fn bytes(name: &std::ffi::OsStr) -> Vec<u8> {
    use std::os::unix::ffi::OsStrExt as _;
    name.as_bytes().to_vec()
}

fn kind_of(stat: &FileStat) -> SFlag {
    SFlag::from_bits_truncate(stat.st_mode & libc::S_IFMT)
}

/// What is there under a name, itself and not what it leads to.
fn kind_at(parent: &OwnedFd, name: &Path) -> nix::Result<Option<SFlag>> {
    match fstatat(parent, name, AtFlags::AT_SYMLINK_NOFOLLOW) {
        Ok(stat) => Ok(Some(kind_of(&stat))),
        Err(Errno::ENOENT) => Ok(None),
        Err(errno) => Err(errno),
    }
}

fn directory_at(parent: &OwnedFd, name: &Path) -> nix::Result<OwnedFd> {
    let flags = OFlag::O_RDONLY | OFlag::O_DIRECTORY | OFlag::O_NOFOLLOW | OFlag::O_CLOEXEC;
    openat(parent, name, flags, Mode::empty())
}

/// The names in a directory.
pub(super) fn names(directory: &OwnedFd) -> nix::Result<Vec<PathBuf>> {
    use std::ffi::OsStr;
    use std::os::unix::ffi::OsStrExt as _;
    let flags = OFlag::O_RDONLY | OFlag::O_DIRECTORY | OFlag::O_CLOEXEC;
    let mut dir = Dir::openat(directory, ".", flags, Mode::empty())?;
    let mut names = Vec::new();
    for entry in dir.iter() {
        let entry = entry?;
        let name = entry.file_name().to_bytes();
        if name != b"." && name != b".." {
            names.push(PathBuf::from(OsStr::from_bytes(name)));
        }
    }
    Ok(names)
}
