//! Other files on those of a container's `/proc` that tell of the whole host: lxcfs's, or our own.
//!
//! Each file is bound by itself and read-only: lxcfs's directory has a cgroup tree in it too, which
//! is nobody's business inside. At a birth this is done as host root in the initial user namespace,
//! like the masks, and for a container that lives by a helper of the launcher's that enters its
//! mount namespace: in either case nothing inside can undo it.

mod lxcfs;
mod own;

use std::ffi::CString;
use std::os::fd::{AsFd, AsRawFd, OwnedFd, RawFd};
use std::path::Path;
use std::time::Duration;

use nix::errno::Errno;
use nix::mount::{MntFlags, MsFlags, mount, umount2};
use nix::sched::{CloneFlags, setns};
use nix::sys::stat::Mode;
use nix::unistd::{fchdir, mkdir};
use vitrine_shared::message::StepName;
use vitrine_shared::truth::{LXCFS_FILES, OWN_FILES};

use super::step::{At as _, StepError};
use super::sys::{self, Side};

pub(crate) use lxcfs::is_running as lxcfs_is_running;
pub(crate) use own::Own;

/// How long the files of a container that lives may take to change places.
const PATIENCE: Duration = Duration::from_secs(1);

/// What is to be laid on files of `/proc`.
#[derive(Debug)]
pub(crate) enum Cover {
    /// A tmpfs that is mounted nowhere yet, with [`OWN_FILES`] in it.
    Own(OwnedFd),
    /// Detached mounts of single files of lxcfs.
    Lxcfs(Vec<(&'static str, OwnedFd)>),
}

impl Cover {
    /// lxcfs's files, if it runs.
    pub(crate) fn lxcfs() -> Result<Self, StepError> {
        lxcfs::files().map(Cover::Lxcfs)
    }

    /// Its descriptors, which a new process must keep.
    pub(crate) fn descriptors(&self) -> Vec<RawFd> {
        match self {
            Cover::Own(tmpfs) => vec![tmpfs.as_raw_fd()],
            Cover::Lxcfs(files) => files.iter().map(|(_, file)| file.as_raw_fd()).collect(),
        }
    }

    /// Lays it on the `/proc` of a root that is put together below the current directory, which is
    /// host root's alone and goes when the root is entered. Gives how many files there are.
    pub(crate) fn lay_at_birth(&self, root: &Path) -> Result<usize, StepError> {
        let step = StepName::Proc;
        let proc = root.join("proc");
        if let Cover::Own(tmpfs) = self {
            mkdir("own", Mode::from_bits_truncate(0o700)).at(step, "mkdir own")?;
            sys::move_mount(tmpfs.as_fd(), c"own").at(step, "attach our own files")?;
        }
        self.lay(Path::new("own"), &proc)
    }

    /// `from`: where our own files are.
    fn lay(&self, from: &Path, proc: &Path) -> Result<usize, StepError> {
        let step = StepName::Proc;
        match self {
            Cover::Own(_) => {
                for name in OWN_FILES {
                    bind(&from.join(name), &proc.join(name)).at(step, format!("bind {name}"))?;
                }
                Ok(OWN_FILES.len())
            }
            Cover::Lxcfs(files) => {
                for (name, file) in files {
                    let path = CString::new(proc.join(name).into_os_string().into_encoded_bytes());
                    let path = path.map_err(|_| Errno::EINVAL).at(step, "name")?;
                    sys::move_mount(file.as_fd(), &path).at(step, format!("bind {name}"))?;
                }
                Ok(files.len())
            }
        }
    }
}

fn bind(source: &Path, target: &Path) -> nix::Result<()> {
    const NONE: Option<&str> = None;
    mount(Some(source), target, NONE, MsFlags::MS_BIND, NONE)?;
    let flags = MsFlags::MS_BIND
        | MsFlags::MS_REMOUNT
        | MsFlags::MS_RDONLY
        | MsFlags::MS_NOSUID
        | MsFlags::MS_NODEV
        | MsFlags::MS_NOEXEC;
    mount(NONE, target, NONE, flags, NONE)
}

/// Takes away what lies on the files of the `/proc` of a container that lives, and lays this there.
///
/// A helper enters its mount namespace: only a mount in there is seen in there. Our own files are
/// attached on top of its root meanwhile, where no path of a process inside leads.
pub(crate) fn change(pidfd: &OwnedFd, cover: Option<&Cover>) -> Result<(), StepError> {
    let step = StepName::Proc;
    let helper = match sys::clone3(0).at(step, "clone3(helper)")? {
        Side::Child => {
            let done = change_inside(pidfd, cover);
            sys::exit_now(done.err().map_or(0, |errno| errno as i32))
        }
        Side::Parent { pidfd, .. } => pidfd,
    };
    let ended = sys::wait_pidfd_until(helper.as_fd(), PATIENCE);
    if ended.is_err() {
        // It waits for something in there; it is not waited for.
        let _ = super::userns::end(&helper);
    }
    match ended.at(step, "reap the helper")?.status {
        0 => Ok(()),
        errno => Err(StepError::new(step, "bind files over /proc", Errno::from_raw(errno))),
    }
}

fn change_inside(pidfd: &OwnedFd, cover: Option<&Cover>) -> nix::Result<()> {
    let proc = Path::new("/proc");
    setns(pidfd, CloneFlags::CLONE_NEWNS)?;
    // Nobody inside can mount there; a look costs nothing.
    super::mounts::check_proc(proc)?;
    for name in LXCFS_FILES {
        // EINVAL: nothing lies there. ENOENT: this kernel does not have it.
        match umount2(&proc.join(name), MntFlags::MNT_DETACH | MntFlags::UMOUNT_NOFOLLOW) {
            Ok(()) | Err(Errno::EINVAL | Errno::ENOENT) => {}
            Err(errno) => return Err(errno),
        }
    }
    let Some(cover) = cover else { return Ok(()) };
    let Cover::Own(tmpfs) = cover else {
        return cover.lay(Path::new(""), proc).map(drop).map_err(|err| err.errno());
    };
    sys::move_mount(tmpfs.as_fd(), c"/")?;
    fchdir(tmpfs)?;
    let laid = cover.lay(Path::new(""), proc).map(drop).map_err(|err| err.errno());
    umount2(".", MntFlags::MNT_DETACH).and(laid)
}
