//! A directory of the host, copied: never a link to it, never through one of its links.

use std::collections::HashMap;
use std::fs::File;
use std::os::fd::OwnedFd;
use std::path::{Path, PathBuf};

use nix::errno::Errno;
use nix::fcntl::{AtFlags, OFlag, openat, readlinkat};
use nix::sys::stat::{FileStat, Mode, SFlag, fstat, fstatat};
use vitrine_shared::limits::IMAGE_DEPTH;

use super::tree::{Meta, Tree, names};
use super::{Doing as _, UnpackError, below};

/// Copies what is in `directory`; other file systems below it are left out.
pub(super) fn directory(tree: &mut Tree, directory: &OwnedFd) -> Result<(), UnpackError> {
    let top = fstat(directory).doing(|| "look at the directory".into())?;
    let mut copy = Copy { tree, device: top.st_dev, seen: HashMap::new() };
    copy.below(directory, Path::new(""), 1)
}

struct Copy<'a> {
    tree: &'a mut Tree,
    device: u64,
    /// Files with several names, by inode: the first name.
    seen: HashMap<u64, PathBuf>,
}

impl Copy<'_> {
    fn below(&mut self, from: &OwnedFd, path: &Path, depth: u64) -> Result<(), UnpackError> {
        below(IMAGE_DEPTH, depth, || path.display().to_string())?;
        for name in names(from).doing(|| format!("read {}", path.display()))? {
            self.tree.count_entry()?;
            let to = path.join(&name);
            let stat = match fstatat(from, &name, AtFlags::AT_SYMLINK_NOFOLLOW) {
                // It went while we looked.
                Err(Errno::ENOENT) => continue,
                other => other.doing(|| format!("look at {}", to.display()))?,
            };
            if stat.st_dev != self.device || self.tree.is_root(&stat) {
                self.tree.report.others_left_out += 1;
                continue;
            }
            self.one(from, &name, &to, &stat, depth)?;
        }
        Ok(())
    }

    fn one(
        &mut self,
        from: &OwnedFd,
        name: &Path,
        to: &Path,
        stat: &FileStat,
        depth: u64,
    ) -> Result<(), UnpackError> {
        let meta = meta_of(stat);
        let open = |flags: OFlag| {
            let flags = flags | OFlag::O_RDONLY | OFlag::O_NOFOLLOW | OFlag::O_CLOEXEC;
            openat(from, name, flags, Mode::empty()).doing(|| format!("open {}", to.display()))
        };
        match SFlag::from_bits_truncate(stat.st_mode & libc::S_IFMT) {
            SFlag::S_IFDIR => {
                let inner = open(OFlag::O_DIRECTORY)?;
                self.tree.directory(to, &meta)?;
                self.below(&inner, to, depth + 1)
            }
            SFlag::S_IFREG => {
                if let Some(first) = self.seen.get(&stat.st_ino) {
                    return self.tree.hard_link(to, first);
                }
                if stat.st_nlink > 1 {
                    self.seen.insert(stat.st_ino, to.to_path_buf());
                }
                // Not blocking: it may have become a pipe since we looked.
                let file = open(OFlag::O_NONBLOCK)?;
                let now = fstat(&file).doing(|| format!("look at {}", to.display()))?;
                if now.st_mode & libc::S_IFMT != libc::S_IFREG {
                    return Err(UnpackError::wrong(format!("{} changes", to.display())));
                }
                let size = u64::try_from(now.st_size).unwrap_or(0);
                self.tree.file(to, &meta, size, &mut File::from(file))
            }
            SFlag::S_IFLNK => {
                let target =
                    readlinkat(from, name).doing(|| format!("read the link {}", to.display()))?;
                self.tree.symlink(to, &meta, Path::new(&target))
            }
            SFlag::S_IFCHR | SFlag::S_IFBLK => {
                self.tree.report.devices_left_out += 1;
                Ok(())
            }
            SFlag::S_IFIFO => {
                self.tree.report.fifos_left_out += 1;
                Ok(())
            }
            _ => {
                self.tree.report.others_left_out += 1;
                Ok(())
            }
        }
    }
}

fn meta_of(stat: &FileStat) -> Meta {
    Meta {
        mode: stat.st_mode & 0o7777,
        uid: stat.st_uid.into(),
        gid: stat.st_gid.into(),
        mtime: u64::try_from(stat.st_mtime).unwrap_or(0),
    }
}
