//! System calls that no crate wraps: with its parts, the launcher's one place with `unsafe`.

mod mount;
mod namespace;
mod process;
mod tty;

use std::ffi::{CStr, CString};
use std::io;
use std::os::fd::{AsFd, AsRawFd, BorrowedFd, FromRawFd, OwnedFd, RawFd};
use std::os::unix::ffi::OsStrExt as _;
use std::path::Path;

use nix::NixPath;
use nix::errno::Errno;
use nix::fcntl::OpenHow;

pub(crate) use mount::{
    MOUNT_ATTR_NODEV, MOUNT_ATTR_NOSUID, MOUNT_ATTR_OBSERVER, MOUNT_ATTR_RDONLY, clone_mount,
    mount_setattr, move_mount, move_mount_in, new_tmpfs, open_tree_clone,
};
pub(crate) use namespace::{
    loopback_up, namespace_of, namespace_owner, namespace_owner_uid, namespace_parent,
};
pub(crate) use process::{
    CLONE_PARENT, Ended, Side, clone3, clone3_into, exit_now, pidfd_open, pidfd_signal,
    reap_given_up, wait_pidfd, wait_pidfd_until, wait_pidfd_within,
};
pub(crate) use tty::{pty_peer, set_controlling_tty, set_window_size, window_size};

/// Closes every descriptor that is not in `keep`.
pub(crate) fn close_all_but(keep: &[RawFd]) -> nix::Result<()> {
    let mut keep: Vec<u32> = keep.iter().filter_map(|&fd| u32::try_from(fd).ok()).collect();
    keep.sort_unstable();
    let mut first = 0;
    for fd in keep {
        if fd > first {
            close_range(first, fd - 1)?;
        }
        first = fd + 1;
    }
    close_range(first, u32::MAX)
}

fn close_range(first: u32, last: u32) -> nix::Result<()> {
    // SAFETY: the caller's process is about to `execve` or `_exit` and uses none of these again;
    // values that own them are never dropped there.
    Errno::result(unsafe { libc::syscall(libc::SYS_close_range, first, last, 0) }).map(drop)
}

/// Times that a path is walked anew.
const WALKS: u32 = 1_000;

/// `openat2(2)`, done again as long as the kernel asks for that: it says `EAGAIN` where a path with
/// `..` must stay inside and something was renamed or mounted meanwhile, anywhere on the host.
pub(crate) fn openat2<P: ?Sized + NixPath>(
    at: impl AsFd,
    path: &P,
    how: OpenHow,
) -> nix::Result<OwnedFd> {
    for _ in 0..WALKS {
        match nix::fcntl::openat2(at.as_fd(), path, how) {
            Err(Errno::EAGAIN) => {}
            opened => return opened,
        }
    }
    Err(Errno::EAGAIN)
}

/// Does an extended attribute of a file have this value?
pub(crate) fn xattr_is(path: &Path, name: &CStr, value: &[u8]) -> bool {
    let Ok(path) = CString::new(path.as_os_str().as_bytes()) else { return false };
    let mut found = [0_u8; 16];
    let buffer = found.as_mut_ptr().cast();
    // SAFETY: both names are C strings, and the length is that of the buffer.
    let len = unsafe { libc::getxattr(path.as_ptr(), name.as_ptr(), buffer, found.len()) };
    usize::try_from(len).is_ok_and(|len| found.get(..len) == Some(value))
}

/// Joins a new, empty session keyring.
pub(crate) fn new_session_keyring() -> nix::Result<()> {
    const KEYCTL_JOIN_SESSION_KEYRING: libc::c_int = 1;
    let anonymous = std::ptr::null::<libc::c_char>();
    // SAFETY: a null name asks for an anonymous keyring.
    let result = unsafe { libc::syscall(libc::SYS_keyctl, KEYCTL_JOIN_SESSION_KEYRING, anonymous) };
    Errno::result(result).map(drop)
}

/// `prctl(2)` with integers.
pub(crate) fn prctl(option: i32, a: u64, b: u64) -> nix::Result<()> {
    // SAFETY: only options that take integers are used.
    Errno::result(unsafe { libc::prctl(option, a, b, 0, 0) }).map(drop)
}

/// Sets the effective, permitted and inheritable capabilities of this thread.
pub(crate) fn capset(effective_permitted: u64, inheritable: u64) -> nix::Result<()> {
    /// `_LINUX_CAPABILITY_VERSION_3`: two 32-bit halves.
    const VERSION: u32 = 0x2008_0522;
    #[repr(C)]
    struct Header {
        version: u32,
        pid: i32,
    }
    let header = Header { version: VERSION, pid: 0 };
    let half = |set: u64, high: bool| {
        u32::try_from(if high { set >> 32 } else { set & 0xffff_ffff }).unwrap_or(0)
    };
    let data: [[u32; 3]; 2] = [false, true].map(|high| {
        let set = half(effective_permitted, high);
        [set, set, half(inheritable, high)]
    });
    // SAFETY: version 3 takes a header and an array of two triples, which these are.
    let result = unsafe { libc::syscall(libc::SYS_capset, &raw const header, data.as_ptr()) };
    Errno::result(result).map(drop)
}

/// Loads a seccomp program made at build time: 8 bytes an instruction, in this machine's order.
pub(crate) fn seccomp(program: &[u8]) -> nix::Result<()> {
    let mut filter: Vec<libc::sock_filter> = program
        .chunks_exact(8)
        .map(|b| libc::sock_filter {
            code: u16::from_ne_bytes([b[0], b[1]]),
            jt: b[2],
            jf: b[3],
            k: u32::from_ne_bytes([b[4], b[5], b[6], b[7]]),
        })
        .collect();
    let len = u16::try_from(filter.len()).map_err(|_| Errno::EINVAL)?;
    let program = libc::sock_fprog { len, filter: filter.as_mut_ptr() };
    // SAFETY: the program's pointer and length describe `filter`, which outlives the call.
    let result = unsafe {
        libc::syscall(libc::SYS_seccomp, libc::SECCOMP_SET_MODE_FILTER, 0, &raw const program)
    };
    Errno::result(result).map(drop)
}

/// The newest Landlock interface of this kernel.
pub(crate) fn landlock_abi() -> nix::Result<i64> {
    const LANDLOCK_CREATE_RULESET_VERSION: libc::c_uint = 1;
    let none = std::ptr::null::<libc::c_void>();
    // SAFETY: with this flag the call takes no attributes and only gives a number.
    let result = unsafe {
        libc::syscall(
            libc::SYS_landlock_create_ruleset,
            none,
            0usize,
            LANDLOCK_CREATE_RULESET_VERSION,
        )
    };
    Errno::result(result)
}

/// Takes over a descriptor that this process was started with.
pub(crate) fn inherited_fd(fd: RawFd) -> io::Result<OwnedFd> {
    // SAFETY: `fcntl(F_GETFD)` takes any number; when it is open it was put there for us by the
    // launcher, and this is called once, before anything else opens descriptors.
    unsafe {
        if libc::fcntl(fd, libc::F_GETFD) < 0 {
            return Err(io::Error::last_os_error());
        }
        Ok(OwnedFd::from_raw_fd(fd))
    }
}

/// A second descriptor for standard input, output or error.
pub(crate) fn borrow_stdio(fd: RawFd) -> BorrowedFd<'static> {
    debug_assert!((0..3).contains(&fd));
    // SAFETY: the three are never closed while the program runs.
    unsafe { BorrowedFd::borrow_raw(fd) }
}

/// Locks one byte of a file for as long as this open file description lives: `F_OFD_SETLK`.
/// `false`: another process has it.
pub(crate) fn lock_byte(file: BorrowedFd<'_>, byte: i64) -> nix::Result<bool> {
    // SAFETY: `flock` is plain data; OFD locks want `l_pid` to be 0.
    let result = unsafe {
        let mut lock = std::mem::zeroed::<libc::flock>();
        lock.l_type = i16::try_from(libc::F_WRLCK).unwrap_or(1);
        lock.l_whence = i16::try_from(libc::SEEK_SET).unwrap_or(0);
        lock.l_start = byte;
        lock.l_len = 1;
        libc::fcntl(file.as_fd().as_raw_fd(), libc::F_OFD_SETLK, &raw const lock)
    };
    match Errno::result(result) {
        Ok(_) => Ok(true),
        Err(Errno::EAGAIN | Errno::EACCES) => Ok(false),
        Err(errno) => Err(errno),
    }
}

/// Unlocks a byte locked by [`lock_byte`].
pub(crate) fn unlock_byte(file: BorrowedFd<'_>, byte: i64) {
    // SAFETY: as in `lock_byte`. Unlocking cannot fail for a reason that could be acted on: the
    // lock goes with the file in any case.
    unsafe {
        let mut lock = std::mem::zeroed::<libc::flock>();
        lock.l_type = i16::try_from(libc::F_UNLCK).unwrap_or(2);
        lock.l_whence = i16::try_from(libc::SEEK_SET).unwrap_or(0);
        lock.l_start = byte;
        lock.l_len = 1;
        libc::fcntl(file.as_raw_fd(), libc::F_OFD_SETLK, &raw const lock);
    }
}

/// # Safety
///
/// `result` must come from a system call that gives a new descriptor or -1.
unsafe fn new_fd(result: libc::c_long) -> nix::Result<OwnedFd> {
    let fd = RawFd::try_from(Errno::result(result)?).map_err(|_| Errno::EBADF)?;
    // SAFETY: promised by the caller.
    Ok(unsafe { OwnedFd::from_raw_fd(fd) })
}

#[cfg(test)]
mod tests {
    use std::fs;
    use std::sync::atomic::{AtomicBool, Ordering};
    use std::thread;

    use nix::fcntl::{OFlag, ResolveFlag};

    use super::*;

    #[test]
    fn a_path_with_dots_is_found_while_others_rename() {
        let dir = tempfile::tempdir().unwrap();
        let path = |name: &str| dir.path().join(name);
        fs::create_dir_all(path("root/in")).unwrap();
        fs::write(path("root/file"), "").unwrap();
        fs::write(path("one"), "").unwrap();
        let root = fs::File::open(path("root")).unwrap();
        let how = OpenHow::new()
            .flags(OFlag::O_PATH | OFlag::O_CLOEXEC)
            .resolve(ResolveFlag::RESOLVE_IN_ROOT);
        let is_over = AtomicBool::new(false);
        thread::scope(|scope| {
            scope.spawn(|| {
                while !is_over.load(Ordering::Relaxed) {
                    fs::rename(path("one"), path("other")).unwrap();
                    fs::rename(path("other"), path("one")).unwrap();
                }
            });
            let found = (0..20_000).all(|_| openat2(&root, "in/../../../file", how).is_ok());
            is_over.store(true, Ordering::Relaxed);
            assert!(found);
        });
    }
}
