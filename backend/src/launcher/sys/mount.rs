//! Mounts by descriptor: `open_tree`, `mount_setattr`, `fsopen`, `move_mount`.

use std::ffi::CStr;
use std::os::fd::{AsRawFd as _, BorrowedFd, OwnedFd, RawFd};

use nix::errno::Errno;

use super::new_fd;

/// From `linux/mount.h`.
pub(crate) const MOUNT_ATTR_RDONLY: u64 = 0x1;
/// From `linux/mount.h`.
pub(crate) const MOUNT_ATTR_NOSUID: u64 = 0x2;
/// From `linux/mount.h`.
pub(crate) const MOUNT_ATTR_NODEV: u64 = 0x4;
/// Read-only, `nosuid`, `nodev`, `noexec`, `nosymfollow`.
pub(crate) const MOUNT_ATTR_OBSERVER: u64 = 0x20_000f;
const MOUNT_ATTR_IDMAP: u64 = 0x10_0000;
const OPEN_TREE_CLONE: u32 = 1;
const MOVE_MOUNT_F_EMPTY_PATH: u32 = 0x4;

/// A detached copy of the mount at `path`, with what is mounted below when `recursive`:
/// `open_tree(2)` with `OPEN_TREE_CLONE`.
pub(crate) fn open_tree_clone(path: &CStr, recursive: bool) -> nix::Result<OwnedFd> {
    let below = if recursive { libc::AT_RECURSIVE.unsigned_abs() } else { 0 };
    let flags = OPEN_TREE_CLONE | libc::O_CLOEXEC.unsigned_abs() | below;
    // SAFETY: `path` is a C string; the call gives a new descriptor, which is ours.
    unsafe { new_fd(libc::syscall(libc::SYS_open_tree, libc::AT_FDCWD, path.as_ptr(), flags)) }
}

/// `mount_setattr(2)` on a mount given as a descriptor, with an id map taken from a user
/// namespace when one is given.
pub(crate) fn mount_setattr(
    mount: BorrowedFd<'_>,
    set: u64,
    userns: Option<BorrowedFd<'_>>,
) -> nix::Result<()> {
    #[repr(C)]
    struct MountAttr {
        attr_set: u64,
        attr_clr: u64,
        propagation: u64,
        userns_fd: u64,
    }
    // An id map is for one mount; flags alone are for everything below it too.
    let below = if userns.is_some() { 0 } else { libc::AT_RECURSIVE };
    let fd = userns.map_or(0, |fd| u64::from(fd.as_raw_fd().unsigned_abs()));
    let set = set | if userns.is_some() { MOUNT_ATTR_IDMAP } else { 0 };
    let attr = MountAttr { attr_set: set, attr_clr: 0, propagation: 0, userns_fd: fd };
    // SAFETY: `attr` has the layout of `struct mount_attr` and its size is passed with it.
    let result = unsafe {
        libc::syscall(
            libc::SYS_mount_setattr,
            mount.as_raw_fd(),
            c"".as_ptr(),
            libc::AT_EMPTY_PATH | below,
            &raw const attr,
            size_of::<MountAttr>(),
        )
    };
    Errno::result(result).map(drop)
}

/// A new tmpfs that is mounted nowhere yet, with these options: `fsopen(2)` and kin. Until it is
/// attached nobody else can reach it, and no path leads to it.
pub(crate) fn new_tmpfs(options: &[(&CStr, &CStr)], attributes: u64) -> nix::Result<OwnedFd> {
    const FSOPEN_CLOEXEC: u32 = 1;
    const FSCONFIG_SET_STRING: u32 = 1;
    const FSCONFIG_CMD_CREATE: u32 = 6;
    const FSMOUNT_CLOEXEC: u32 = 1;
    let none = std::ptr::null::<libc::c_char>();
    // SAFETY: every string is a C string that outlives its call, or null where the command takes
    // none; the first and the last call give descriptors that are ours.
    unsafe {
        let made = libc::syscall(libc::SYS_fsopen, c"tmpfs".as_ptr(), FSOPEN_CLOEXEC);
        let context = new_fd(made)?;
        let config = |command: u32, key: *const libc::c_char, value: *const libc::c_char| {
            let fd = context.as_raw_fd();
            Errno::result(libc::syscall(libc::SYS_fsconfig, fd, command, key, value, 0)).map(drop)
        };
        for (key, value) in options {
            config(FSCONFIG_SET_STRING, key.as_ptr(), value.as_ptr())?;
        }
        config(FSCONFIG_CMD_CREATE, none, none)?;
        let fd = context.as_raw_fd();
        new_fd(libc::syscall(libc::SYS_fsmount, fd, FSMOUNT_CLOEXEC, attributes))
    }
}

/// A detached copy of the mount behind a descriptor, with everything that is mounted below it
/// when `recursive`.
pub(crate) fn clone_mount(mount: BorrowedFd<'_>, recursive: bool) -> nix::Result<OwnedFd> {
    let below = if recursive { libc::AT_RECURSIVE.unsigned_abs() } else { 0 };
    let flags = OPEN_TREE_CLONE
        | libc::O_CLOEXEC.unsigned_abs()
        | below
        | libc::AT_EMPTY_PATH.unsigned_abs();
    let fd = mount.as_raw_fd();
    // SAFETY: the path is an empty C string; on success the kernel gives a descriptor of ours.
    unsafe { new_fd(libc::syscall(libc::SYS_open_tree, fd, c"".as_ptr(), flags)) }
}

/// Attaches a detached mount at `path`: `move_mount(2)`.
pub(crate) fn move_mount(mount: BorrowedFd<'_>, path: &CStr) -> nix::Result<()> {
    move_mount_at(mount, libc::AT_FDCWD, path)
}

/// The same at a path below a directory.
pub(crate) fn move_mount_in(
    mount: BorrowedFd<'_>,
    dir: BorrowedFd<'_>,
    path: &CStr,
) -> nix::Result<()> {
    move_mount_at(mount, dir.as_raw_fd(), path)
}

fn move_mount_at(mount: BorrowedFd<'_>, dir: RawFd, path: &CStr) -> nix::Result<()> {
    // SAFETY: both paths are C strings.
    let result = unsafe {
        libc::syscall(
            libc::SYS_move_mount,
            mount.as_raw_fd(),
            c"".as_ptr(),
            dir,
            path.as_ptr(),
            MOVE_MOUNT_F_EMPTY_PATH,
        )
    };
    Errno::result(result).map(drop)
}
