//! What a container sees as `/`: the overlay, `/proc`, `/dev`, and the switch to it.
//!
//! All of it is built while the process still belongs to the initial user namespace, so that the
//! mount namespace does too: nothing inside, not even with capabilities in a user namespace of
//! its own, can unmount a mask. Every path is below a stage that only host root can write.

mod delegated;

use std::ffi::CString;
use std::os::fd::{AsFd, BorrowedFd, OwnedFd};
use std::path::{Path, PathBuf};

use nix::errno::Errno;
use nix::fcntl::{AT_FDCWD, AtFlags, OFlag, OpenHow, ResolveFlag};
use nix::mount::{MntFlags, MsFlags, mount, umount2};
use nix::sched::{CloneFlags, unshare};
use nix::sys::stat::{FchmodatFlags, Mode, SFlag, fchmodat, fstat, lstat, makedev, mkdirat, mknod};
use nix::sys::statfs::{PROC_SUPER_MAGIC, fstatfs};
use nix::unistd::{chdir, chroot, fchdir, fchownat, mkdir, pivot_root, symlinkat};
use vitrine_shared::limits::{CONTAINER_PTYS, ROOTFS_BYTES, ROOTFS_INODES};
use vitrine_shared::message::StepName;

use super::privilege::Privilege;
use super::step::{At as _, StepError};
use super::sys;

pub(crate) use delegated::{CgroupMount, bind_to_itself, cgroup_mounts, mount_cgroups, mount_proc};

const NONE: Option<&str> = None;

/// Files and directories of `/proc` that tell about the host or can harm it.
const MASKED: &[&str] = &[
    "acpi",
    "asound",
    "buddyinfo",
    "config.gz",
    "driver",
    "interrupts",
    "iomem",
    "ioports",
    "kallsyms",
    "kcore",
    "key-users",
    "keys",
    "kmsg",
    "kpagecgroup",
    "kpagecount",
    "kpageflags",
    "latency_stats",
    "modules",
    "pagetypeinfo",
    "sched_debug",
    "schedstat",
    "scsi",
    "slabinfo",
    "softirqs",
    "timer_list",
    "timer_stats",
    "vmallocinfo",
    "zoneinfo",
];
/// Parts of `/proc` that may be read and not written.
const READ_ONLY: &[&str] = &["bus", "fs", "irq", "sys", "sysrq-trigger"];
/// A device node: name, major, minor.
pub(crate) type Device = (&'static str, u64, u64);
/// Device nodes (`Documentation/admin-guide/devices.txt`).
pub(crate) const DEVICES: &[Device] = &[
    ("null", 1, 3),
    ("zero", 1, 5),
    ("full", 1, 7),
    ("random", 1, 8),
    ("urandom", 1, 9),
    ("tty", 5, 0),
];
/// The group that terminals belong to, by old custom.
const TTY_GID: u32 = 5;

/// Which `/proc` is seen.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum ProcView {
    /// A new one, of the PID namespace that this process is in.
    Remounted,
    /// The one that is at `/proc` now.
    Inherited,
}

/// Where a new root is put together. Nothing that is mounted there can be reached by a path that
/// somebody inside could have changed: from here on every path is relative to the new tmpfs.
#[derive(Clone, Copy, Debug)]
pub(crate) enum Stage<'a> {
    /// On a directory of the host's, in a mount namespace of one's own.
    On(&'a Path),
    /// On top of the root itself, in a mount namespace of one's own: in a machine there is no
    /// other directory that its owner could not have replaced.
    Top,
    /// On a directory that is made for it below another, in a mount namespace that is shared.
    New(BorrowedFd<'a>, &'a str),
}

/// How the new root is put together.
pub(crate) struct RootPlan<'a> {
    /// Where.
    pub(crate) stage: Stage<'a>,
    /// The image: a detached, id-mapped, read-only mount.
    pub(crate) lower: &'a OwnedFd,
    /// Which uid and gid of the launcher's are 0 inside.
    pub(crate) uid_base: u32,
    /// How overlay is mounted.
    pub(crate) privilege: Privilege,
    /// Leave room for containers' stages (in a machine).
    pub(crate) stages: Option<&'a str>,
}

/// A detached, read-only mount of an image directory in which the launcher's files are the
/// machine's root's.
pub(crate) fn lower_layer(
    image: &Path,
    userns: Option<BorrowedFd<'_>>,
    privilege: Privilege,
) -> Result<OwnedFd, StepError> {
    let path = c_path(image);
    let userns = userns.filter(|_| privilege.maps_mounts());
    let flags = nix::sys::statvfs::statvfs(image).map(|fs| fs.flags());
    if flags.is_ok_and(|flags| flags.contains(nix::sys::statvfs::FsFlags::ST_NOEXEC)) {
        let what = format!("{} is on a file system mounted noexec", image.display());
        return Err(StepError::new(StepName::Rootfs, what, Errno::EACCES));
    }
    let tree = sys::open_tree_clone(&path, false)
        .at(StepName::Rootfs, format!("open_tree({})", image.display()))?;
    let set = sys::MOUNT_ATTR_RDONLY | sys::MOUNT_ATTR_NOSUID | sys::MOUNT_ATTR_NODEV;
    sys::mount_setattr(tree.as_fd(), set, userns).at(StepName::Rootfs, "mount_setattr(idmap)")?;
    Ok(tree)
}

/// Keeps what is mounted here from spreading.
pub(crate) fn make_private() -> Result<(), StepError> {
    mount(NONE, "/", NONE, MsFlags::MS_REC | MsFlags::MS_PRIVATE, NONE)
        .at(StepName::Rootfs, "make / private")
}

/// Puts the overlay together and gives the path of the new root, relative to the directory that
/// is the current one from here on: the root of a tmpfs that is host root's alone.
pub(crate) fn build_root(plan: &RootPlan<'_>) -> Result<PathBuf, StepError> {
    let step = StepName::Rootfs;
    let (bytes, inodes) = (ROOTFS_BYTES.value.to_string(), ROOTFS_INODES.value.to_string());
    let (bytes, inodes) = (c_path(Path::new(&bytes)), c_path(Path::new(&inodes)));
    let options = [(c"size", &*bytes), (c"nr_inodes", &*inodes), (c"mode", c"0700")];
    let tmpfs = sys::new_tmpfs(&options, sys::MOUNT_ATTR_NOSUID | sys::MOUNT_ATTR_NODEV)
        .at(step, "make a tmpfs for the upper layer")?;
    attach(&tmpfs, plan.stage).at(step, "attach the tmpfs")?;
    fchdir(&tmpfs).at(step, "fchdir to the tmpfs")?;
    for name in ["lower", "upper", "work", "root"] {
        mkdir(name, Mode::from_bits_truncate(0o755)).at(step, format!("mkdir {name}"))?;
    }
    // The upper layer's root is what the root of the overlay looks like.
    let base = plan.uid_base;
    fchownat(AT_FDCWD, "upper", Some(base.into()), Some(base.into()), AtFlags::AT_SYMLINK_NOFOLLOW)
        .at(step, "chown upper")?;
    sys::move_mount(plan.lower.as_fd(), c"lower").at(step, "move_mount the image")?;
    let quiet = MsFlags::MS_NOSUID | MsFlags::MS_NODEV;
    let options = plan.privilege.overlay_options();
    let layers = format!("lowerdir=lower,upperdir=upper,workdir=work{options}");
    mount(Some("overlay"), "root", Some("overlay"), quiet, Some(layers.as_str()))
        .at(step, "mount overlay")?;
    // The overlay has a mount of its own of it. This one would only tell where the host has it; in
    // a mount namespace of one's own it goes with the stage, and each umount is an RCU grace
    // period.
    if matches!(plan.stage, Stage::New(..)) {
        umount2("lower", MntFlags::MNT_DETACH).at(step, "detach the image")?;
    }
    let root = PathBuf::from("root");
    for name in ["proc", "dev"] {
        real_directory(&root.join(name)).at(step, format!("the image's /{name}"))?;
    }
    if let Some(stages) = plan.stages {
        real_directories(&root, stages).at(step, format!("the image's /{stages}"))?;
        let options = Some("size=64k,nr_inodes=256,mode=711");
        mount(Some("tmpfs"), &root.join(stages), Some("tmpfs"), quiet, options)
            .at(step, format!("mount tmpfs on {stages}"))?;
    }
    Ok(root)
}

fn attach(mount: &OwnedFd, stage: Stage<'_>) -> nix::Result<()> {
    match stage {
        Stage::On(path) => sys::move_mount(mount.as_fd(), &c_path(path)),
        Stage::Top => sys::move_mount(mount.as_fd(), c"/"),
        Stage::New(dir, name) => {
            mkdirat(dir, name, Mode::from_bits_truncate(0o700))?;
            sys::move_mount_in(mount.as_fd(), dir, &c_path(Path::new(name)))
        }
    }
}

/// Every directory on the way is a real one, or is made.
fn real_directories(root: &Path, below: &str) -> nix::Result<()> {
    let mut path = root.to_path_buf();
    for name in below.split('/') {
        path.push(name);
        real_directory(&path)?;
    }
    Ok(())
}

/// Makes sure that a mount goes where it should: an image with a symbolic link in the place of
/// `/dev` would lead it elsewhere (CVE-2026-41579). Nobody can change the image any more.
fn real_directory(path: &Path) -> nix::Result<()> {
    match lstat(path) {
        Err(Errno::ENOENT) => mkdir(path, Mode::from_bits_truncate(0o755)),
        Ok(found) if found.st_mode & libc::S_IFMT == libc::S_IFDIR => Ok(()),
        Ok(_) => Err(Errno::ENOTDIR),
        Err(errno) => Err(errno),
    }
}

/// Mounts `/proc` below the new root and covers what tells about the host; gives how many of its
/// files and directories are covered or made read-only (a kernel does not have all of them).
pub(crate) fn build_proc(root: &Path, view: ProcView) -> Result<usize, StepError> {
    let step = StepName::Proc;
    let proc = root.join("proc");
    let strict = MsFlags::MS_NOSUID | MsFlags::MS_NODEV | MsFlags::MS_NOEXEC;
    match view {
        ProcView::Remounted => {
            mount(Some("proc"), &proc, Some("proc"), strict, NONE).at(step, "mount proc")?
        }
        ProcView::Inherited => {
            let inherited = inherited_proc().at(step, "the machine's /proc")?;
            sys::move_mount(inherited.as_fd(), &c_path(&proc))
                .at(step, "bind the machine's /proc")?;
        }
    }
    let mut covered = 0;
    for name in READ_ONLY {
        let path = proc.join(name);
        match mount(Some(&path), &path, NONE, MsFlags::MS_BIND, NONE) {
            Err(Errno::ENOENT) => continue,
            other => other.at(step, format!("bind {name}"))?,
        }
        let flags = MsFlags::MS_BIND | MsFlags::MS_REMOUNT | MsFlags::MS_RDONLY | strict;
        mount(NONE, &path, NONE, flags, NONE).at(step, format!("make {name} read-only"))?;
        covered += 1;
    }
    // What covers files is the new root's own null device, which `build_dev` has made: an image,
    // or a machine's owner, who could put something else in its place would make a mask writable
    // (CVE-2025-31133).
    let null = root.join("dev/null");
    let mut empty = None;
    for name in MASKED {
        match mask(&proc.join(name), &null, &mut empty) {
            Err(Errno::ENOENT) => continue,
            other => other.at(step, format!("mask {name}"))?,
        }
        covered += 1;
    }
    Ok(covered)
}

/// A copy of what is mounted at `/proc`, which must be a `/proc`: the owner of a machine of profile
/// `lab` may have mounted something else there.
fn inherited_proc() -> nix::Result<OwnedFd> {
    sys::clone_mount(check_proc(Path::new("/proc"))?.as_fd(), true)
}

/// A directory that is the root of a `/proc` (`ENODEV`: it is not).
pub(crate) fn check_proc(path: &Path) -> nix::Result<OwnedFd> {
    /// `PROC_ROOT_INO` of the kernel's `proc_fs.h`.
    const ROOT_INODE: u64 = 1;
    let how = OpenHow::new().flags(OFlag::O_PATH | OFlag::O_DIRECTORY | OFlag::O_CLOEXEC);
    let no_links = ResolveFlag::RESOLVE_NO_SYMLINKS | ResolveFlag::RESOLVE_NO_MAGICLINKS;
    let proc = sys::openat2(AT_FDCWD, path, how.resolve(no_links))?;
    let is_root = fstat(&proc)?.st_ino == ROOT_INODE;
    if fstatfs(&proc)?.filesystem_type() != PROC_SUPER_MAGIC || !is_root {
        return Err(Errno::ENODEV);
    }
    Ok(proc)
}

/// Covers a file, or a directory with an empty one: the first of them is `empty` for all others.
/// `ENOENT`: this kernel does not have it.
fn mask(path: &Path, null: &Path, empty: &mut Option<PathBuf>) -> nix::Result<()> {
    match (mount(Some(null), path, NONE, MsFlags::MS_BIND, NONE), &*empty) {
        // A directory: the kernel puts files on files only.
        (Err(Errno::ENOTDIR), Some(empty)) => {
            mount(Some(empty), path, NONE, MsFlags::MS_BIND, NONE)
        }
        (Err(Errno::ENOTDIR), None) => {
            let flags =
                MsFlags::MS_RDONLY | MsFlags::MS_NOSUID | MsFlags::MS_NODEV | MsFlags::MS_NOEXEC;
            let options = Some("size=0,nr_inodes=2,mode=555");
            mount(Some("tmpfs"), path, Some("tmpfs"), flags, options)?;
            *empty = Some(path.into());
            Ok(())
        }
        (other, _) => other,
    }
}

/// A minimal `/dev` below the new root: six devices, its own devpts, a small shm.
pub(crate) fn build_dev(root: &Path, uid_base: u32, privilege: Privilege) -> Result<(), StepError> {
    let step = StepName::Dev;
    let dev = root.join("dev");
    let quiet = MsFlags::MS_NOSUID | MsFlags::MS_NOEXEC;
    mount(Some("tmpfs"), &dev, Some("tmpfs"), quiet, Some("size=64k,nr_inodes=64,mode=755"))
        .at(step, "mount tmpfs on /dev")?;
    for device in DEVICES {
        if privilege.makes_devices() {
            make_device(&dev, device)?
        } else {
            bind_device(&dev, device)?
        }
    }
    let links = [
        ("/proc/self/fd", "fd"),
        ("/proc/self/fd/0", "stdin"),
        ("/proc/self/fd/1", "stdout"),
        ("/proc/self/fd/2", "stderr"),
        ("pts/ptmx", "ptmx"),
    ];
    for (target, name) in links {
        symlinkat(target, AT_FDCWD, &dev.join(name)).at(step, format!("link {name}"))?;
    }
    for name in ["pts", "shm"] {
        mkdir(&dev.join(name), Mode::from_bits_truncate(0o755))
            .at(step, format!("mkdir {name}"))?;
    }
    // With a single id there is no group for it; 0 is as good.
    let tty = if privilege.ids_per_machine() > TTY_GID { TTY_GID } else { 0 };
    let pts = format!(
        "newinstance,ptmxmode=0666,mode=0620,max={},uid={uid_base},gid={}",
        CONTAINER_PTYS.value,
        uid_base + tty
    );
    mount(Some("devpts"), &dev.join("pts"), Some("devpts"), quiet, Some(pts.as_str()))
        .at(step, "mount devpts")?;
    let shm = format!("size=4m,nr_inodes=1024,mode=1777,uid={uid_base},gid={uid_base}");
    mount(
        Some("tmpfs"),
        &dev.join("shm"),
        Some("tmpfs"),
        quiet | MsFlags::MS_NODEV,
        Some(shm.as_str()),
    )
    .at(step, "mount tmpfs on /dev/shm")?;
    let read_only = MsFlags::MS_REMOUNT | MsFlags::MS_BIND | MsFlags::MS_RDONLY | quiet;
    mount(NONE, &dev, NONE, read_only, NONE).at(step, "make /dev read-only")
}

/// A device node of its own.
fn make_device(dev: &Path, &(name, major, minor): &Device) -> Result<(), StepError> {
    let everyone = Mode::from_bits_truncate(0o666);
    let path = dev.join(name);
    mknod(&path, SFlag::S_IFCHR, everyone, makedev(major, minor))
        .at(StepName::Dev, format!("mknod {name}"))?;
    fchmodat(AT_FDCWD, &path, everyone, FchmodatFlags::FollowSymlink)
        .at(StepName::Dev, format!("chmod {name}"))
}

/// The one that is in `/dev` now, bound: the host's, or in a machine the machine's. It is looked
/// at when it is in place, where nobody can change it any more.
fn bind_device(dev: &Path, &(name, major, minor): &Device) -> Result<(), StepError> {
    let step = StepName::Dev;
    let path = dev.join(name);
    let flags = OFlag::O_CREAT | OFlag::O_EXCL | OFlag::O_CLOEXEC;
    nix::fcntl::open(&path, flags, Mode::from_bits_truncate(0o666))
        .at(step, format!("make {name}"))?;
    let source = Path::new("/dev").join(name);
    mount(Some(&source), &path, NONE, MsFlags::MS_BIND, NONE).at(step, format!("bind {name}"))?;
    let found = lstat(&path).at(step, format!("stat {name}"))?;
    if found.st_mode & libc::S_IFMT != libc::S_IFCHR || found.st_rdev != makedev(major, minor) {
        let what = format!("/dev/{name} is not the device {major}:{minor}");
        return Err(StepError::new(step, what, Errno::ENODEV));
    }
    Ok(())
}

/// A pseudo-terminal in a root's own devpts: master and slave, without a path that anybody could
/// have replaced. The machine's own root may have become its owner's work: no link is followed,
/// and what was opened is looked at.
pub(crate) fn open_pty(root: &Path) -> Result<(OwnedFd, OwnedFd), StepError> {
    let step = StepName::Pty;
    let master = open_device(&root.join("dev/pts/ptmx"), makedev(5, 2)).at(step, "open ptmx")?;
    let slave = sys::pty_peer(master.as_fd()).at(step, "TIOCGPTPEER")?;
    Ok((master, slave))
}

/// `/dev/null` of a root that may be its owner's work.
pub(crate) fn open_null() -> nix::Result<OwnedFd> {
    open_device(Path::new("/dev/null"), makedev(1, 3))
}

/// Opens a character device and nothing else. Whoever opens has more privilege than whoever made
/// the path: a link to `/proc/sysrq-trigger` must not become somebody's standard output.
fn open_device(path: &Path, device: libc::dev_t) -> nix::Result<OwnedFd> {
    let flags = OFlag::O_RDWR | OFlag::O_NOCTTY | OFlag::O_CLOEXEC | OFlag::O_NONBLOCK;
    let how = OpenHow::new().flags(OFlag::O_PATH | OFlag::O_CLOEXEC);
    let no_links = ResolveFlag::RESOLVE_NO_SYMLINKS | ResolveFlag::RESOLVE_NO_MAGICLINKS;
    let is_it = |fd: &OwnedFd| {
        let found = fstat(fd)?;
        let fits = found.st_mode & libc::S_IFMT == libc::S_IFCHR && found.st_rdev == device;
        if fits { Ok(()) } else { Err(Errno::ENODEV) }
    };
    // Looked at before it is opened, and again: in between it may have become something else.
    is_it(&sys::openat2(AT_FDCWD, path, how.resolve(no_links))?)?;
    let opened = sys::openat2(AT_FDCWD, path, how.flags(flags).resolve(no_links))?;
    is_it(&opened)?;
    Ok(opened)
}

/// A directory below a root, reached by real directories only.
pub(crate) fn directory_in(root: BorrowedFd<'_>, path: &str) -> nix::Result<OwnedFd> {
    let how = OpenHow::new().flags(OFlag::O_PATH | OFlag::O_DIRECTORY | OFlag::O_CLOEXEC);
    let inside = ResolveFlag::RESOLVE_BENEATH | ResolveFlag::RESOLVE_NO_SYMLINKS;
    sys::openat2(root, path, how.resolve(inside))
}

/// Is there such a file below a root? Links are followed, but not out of it.
pub(crate) fn is_there(root: BorrowedFd<'_>, path: &str) -> bool {
    let how = OpenHow::new().flags(OFlag::O_PATH | OFlag::O_CLOEXEC);
    let inside = ResolveFlag::RESOLVE_IN_ROOT | ResolveFlag::RESOLVE_NO_MAGICLINKS;
    sys::openat2(root, path, how.resolve(inside)).is_ok()
}

/// Are two paths below a root the same file? Links are followed, but not out of it.
pub(crate) fn is_same(root: BorrowedFd<'_>, one: &str, other: &str) -> bool {
    let how = OpenHow::new().flags(OFlag::O_PATH | OFlag::O_CLOEXEC);
    let inside = ResolveFlag::RESOLVE_IN_ROOT | ResolveFlag::RESOLVE_NO_MAGICLINKS;
    let file = |path| sys::openat2(root, path, how.resolve(inside)).and_then(fstat);
    matches!((file(one), file(other)), (Ok(one), Ok(other))
        if (one.st_dev, one.st_ino) == (other.st_dev, other.st_ino))
}

/// Makes the new root `/`, in a mount namespace of its own: the old one is gone, and with it what
/// the new one was put together on.
pub(crate) fn pivot(root: &Path, stage: Stage<'_>) -> Result<(), StepError> {
    let step = StepName::PivotRoot;
    chdir(root).at(step, "chdir to the new root")?;
    // Old root onto new root: no directory inside is needed for it (pivot_root(2), NOTES).
    pivot_root(".", ".").at(step, "pivot_root")?;
    if matches!(stage, Stage::Top) {
        umount2(".", MntFlags::MNT_DETACH).at(step, "detach the stage on the old root")?;
    }
    umount2(".", MntFlags::MNT_DETACH).at(step, "detach the old root")?;
    chdir("/").at(step, "chdir /")
}

/// Makes the new root `/` for this process only: without a mount namespace there is no other way.
pub(crate) fn change_root(root: &Path) -> Result<(), StepError> {
    chroot(root).at(StepName::PivotRoot, "chroot")?;
    chdir("/").at(StepName::PivotRoot, "chdir /")
}

/// The observer's root: `/proc` and the cgroup hierarchies, read-only, and nothing else.
///
/// In place of Landlock, which hides `/proc/PID/ns` of every process outside its own domain.
/// `nosymfollow` shuts `/proc/PID/{root,cwd,exe}` and still lets links be read.
pub(crate) fn observers_root(privilege: Privilege) -> nix::Result<()> {
    const MS_NOSYMFOLLOW: MsFlags = MsFlags::from_bits_retain(256);
    let strict = MsFlags::MS_NOSUID | MsFlags::MS_NODEV | MsFlags::MS_NOEXEC;
    let cgroups = sys::open_tree_clone(c"/sys/fs/cgroup", true)?;
    let proc = sys::open_tree_clone(c"/proc", true)?;
    unshare(CloneFlags::CLONE_NEWNS)?;
    mount(NONE, "/", NONE, MsFlags::MS_REC | MsFlags::MS_PRIVATE, NONE)?;
    let root = Path::new("/run");
    mount(Some("tmpfs"), root, Some("tmpfs"), strict, Some("size=16k,nr_inodes=16,mode=755"))?;
    for name in ["proc", "sys", "sys/fs", "sys/fs/cgroup"] {
        mkdir(&root.join(name), Mode::from_bits_truncate(0o755))?;
    }
    let flags = strict | MsFlags::MS_RDONLY | MS_NOSYMFOLLOW;
    if privilege.mounts_hosts_proc() {
        mount(Some("proc"), &root.join("proc"), Some("proc"), flags, NONE)?;
    } else {
        sys::mount_setattr(proc.as_fd(), sys::MOUNT_ATTR_OBSERVER, None)?;
        sys::move_mount(proc.as_fd(), c"/run/proc")?;
    }
    sys::mount_setattr(cgroups.as_fd(), sys::MOUNT_ATTR_RDONLY, None)?;
    sys::move_mount(cgroups.as_fd(), c"/run/sys/fs/cgroup")?;
    mount(NONE, root, NONE, strict | MsFlags::MS_REMOUNT | MsFlags::MS_RDONLY, NONE)?;
    chdir(root)?;
    pivot_root(".", ".")?;
    umount2(".", MntFlags::MNT_DETACH)?;
    chdir("/")
}

fn c_path(path: &Path) -> CString {
    use std::os::unix::ffi::OsStrExt as _;
    // A path of ours has no NUL; an empty one fails with the kernel's own ENOENT.
    CString::new(path.as_os_str().as_bytes()).unwrap_or_default()
}
