//! System calls that no crate wraps: the launcher's one file with `unsafe`.

use std::ffi::{CStr, CString};
use std::io;
use std::os::fd::{AsFd, AsRawFd, BorrowedFd, FromRawFd, OwnedFd, RawFd};
use std::os::unix::ffi::OsStrExt as _;
use std::path::Path;
use std::time::{Duration, Instant};

use nix::errno::Errno;
use vitrine_shared::namespace::Namespace;

/// From `linux/sched.h`.
pub(crate) const CLONE_PARENT: u64 = 0x8000;
const CLONE_PIDFD: u64 = 0x1000;
/// The same constant of the `libc` crate is 0 here: it does not fit the C int it is computed in.
const CLONE_INTO_CGROUP: u64 = 0x2_0000_0000;
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

/// Which side of a [`clone3`] this is.
pub(crate) enum Side {
    /// The new process.
    Child,
    /// The caller.
    Parent {
        /// The new process, in the caller's PID namespace.
        pid: i32,
        /// A descriptor for it.
        pidfd: OwnedFd,
    },
}

/// `struct clone_args` up to `cgroup`, from `linux/sched.h`.
#[repr(C)]
#[derive(Default)]
struct CloneArgs {
    flags: u64,
    pidfd: u64,
    child_tid: u64,
    parent_tid: u64,
    exit_signal: u64,
    stack: u64,
    stack_size: u64,
    tls: u64,
    set_tid: u64,
    set_tid_size: u64,
    cgroup: u64,
}

/// Makes a process with a pidfd for it, like `fork` with flags.
///
/// The launcher has one thread, so the child may go on in ordinary Rust: no lock can be held by a
/// thread that does not exist there. With [`CLONE_PARENT`] the child is the caller's sibling, and
/// its exit signal is the caller's own.
pub(crate) fn clone3(flags: u64) -> nix::Result<Side> {
    clone3_into(flags, None)
}

/// The same, born in a group of the unified hierarchy when one is given by its directory.
pub(crate) fn clone3_into(flags: u64, group: Option<BorrowedFd<'_>>) -> nix::Result<Side> {
    let mut pidfd: RawFd = -1;
    let exit_signal = if flags & CLONE_PARENT != 0 { 0 } else { libc::SIGCHLD as u64 };
    let mut args = CloneArgs {
        flags: flags | CLONE_PIDFD | if group.is_some() { CLONE_INTO_CGROUP } else { 0 },
        pidfd: (&raw mut pidfd) as u64,
        exit_signal,
        cgroup: group.map_or(0, |group| u64::from(group.as_raw_fd().unsigned_abs())),
        ..CloneArgs::default()
    };
    // SAFETY: without CLONE_VM the child runs on its own copy of everything; `args` and `pidfd`
    // live through the call, and the size is that of the structure passed.
    let pid = unsafe { libc::syscall(libc::SYS_clone3, &raw mut args, size_of::<CloneArgs>()) };
    match Errno::result(pid)? {
        0 => Ok(Side::Child),
        pid => {
            // SAFETY: on success the kernel has stored a new descriptor, which is ours alone.
            let pidfd = unsafe { OwnedFd::from_raw_fd(pidfd) };
            Ok(Side::Parent { pid: i32::try_from(pid).unwrap_or(i32::MAX), pidfd })
        }
    }
}

/// Ends this process at once: no destructors, no output flushed. For children that share the
/// launcher's memory image.
pub(crate) fn exit_now(status: i32) -> ! {
    // SAFETY: `_exit` has no preconditions.
    unsafe { libc::_exit(status) }
}

/// `pidfd_send_signal(2)`.
pub(crate) fn pidfd_signal(pidfd: BorrowedFd<'_>, signal: i32) -> nix::Result<()> {
    let null = std::ptr::null::<libc::siginfo_t>();
    // SAFETY: a null siginfo asks the kernel to fill in the usual one.
    let result =
        unsafe { libc::syscall(libc::SYS_pidfd_send_signal, pidfd.as_raw_fd(), signal, null, 0) };
    Errno::result(result).map(drop)
}

/// `pidfd_open(2)`.
pub(crate) fn pidfd_open(pid: i32) -> nix::Result<OwnedFd> {
    // SAFETY: both arguments are integers; on success the kernel gives a descriptor that is ours.
    unsafe { new_fd(libc::syscall(libc::SYS_pidfd_open, pid, 0)) }
}

/// How a process ended and what it used.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Ended {
    /// As a shell writes it: 128 + n for signal n.
    pub(crate) status: i32,
    /// CPU time, in milliseconds.
    pub(crate) cpu_msec: u64,
    /// Largest resident set, in bytes.
    pub(crate) max_rss_bytes: u64,
}

/// Reaps a child by its pidfd. `None`: it still runs (only with `WNOHANG` in `options`).
pub(crate) fn wait_pidfd(pidfd: BorrowedFd<'_>, options: i32) -> nix::Result<Option<Ended>> {
    // SAFETY: both structures are plain data for which zero is a value.
    let (mut info, mut usage) =
        unsafe { (std::mem::zeroed::<libc::siginfo_t>(), std::mem::zeroed::<libc::rusage>()) };
    let (info_ptr, usage_ptr) = (&raw mut info, &raw mut usage);
    let options = libc::WEXITED | options;
    loop {
        // SAFETY: both pointers are to structures of the right type that outlive the call.
        let result = unsafe {
            libc::syscall(
                libc::SYS_waitid,
                libc::P_PIDFD,
                pidfd.as_raw_fd(),
                info_ptr,
                options,
                usage_ptr,
            )
        };
        match Errno::result(result) {
            Err(Errno::EINTR) => {}
            Err(errno) => return Err(errno),
            Ok(_) => break,
        }
    }
    // SAFETY: waitid filled these fields in, or left them zero when nothing has ended.
    let (pid, status) = unsafe { (info.si_pid(), info.si_status()) };
    if pid == 0 {
        return Ok(None);
    }
    let status = if info.si_code == libc::CLD_EXITED { status } else { 128 + status };
    let msec = |t: libc::timeval| {
        u64::try_from(t.tv_sec).unwrap_or(0) * 1000 + u64::try_from(t.tv_usec).unwrap_or(0) / 1000
    };
    Ok(Some(Ended {
        status,
        cpu_msec: msec(usage.ru_utime) + msec(usage.ru_stime),
        max_rss_bytes: u64::try_from(usage.ru_maxrss).unwrap_or(0) * 1024,
    }))
}

/// Reaps a child within a time. The launcher has one thread, and nobody may hold it up: a PID 1
/// that waits for somebody else's zombie would.
///
/// Who is not dead by then is kept, and reaped by [`reap_given_up`] when they are: a zombie that
/// nobody reaps would keep PID 1 of its machine from ending.
pub(crate) fn wait_pidfd_within(pidfd: BorrowedFd<'_>, patience: Duration) -> nix::Result<Ended> {
    let ended = wait_pidfd_until(pidfd, patience);
    if ended == Err(Errno::ETIMEDOUT)
        && let Ok(copy) = pidfd.try_clone_to_owned()
    {
        GIVEN_UP.with_borrow_mut(|all| all.push(copy));
    }
    ended
}

thread_local! {
    /// Children that did not die in time.
    static GIVEN_UP: std::cell::RefCell<Vec<OwnedFd>> = const { std::cell::RefCell::new(Vec::new()) };
}

/// Reaps those of the children that were given up which have ended meanwhile.
pub(crate) fn reap_given_up() {
    GIVEN_UP.with_borrow_mut(|all| {
        all.retain(|pidfd| matches!(wait_pidfd(pidfd.as_fd(), libc::WNOHANG), Ok(None)));
    });
}

/// The same for a child that the caller goes on to watch.
pub(crate) fn wait_pidfd_until(pidfd: BorrowedFd<'_>, patience: Duration) -> nix::Result<Ended> {
    use nix::poll::{PollFd, PollFlags, PollTimeout, poll};
    let deadline = Instant::now() + patience;
    loop {
        if let Some(ended) = wait_pidfd(pidfd, libc::WNOHANG)? {
            return Ok(ended);
        }
        // It may itself wait for one that was given up.
        reap_given_up();
        let left = deadline.saturating_duration_since(Instant::now());
        let turn = left.min(Duration::from_millis(50));
        let turn = PollTimeout::try_from(turn).unwrap_or(PollTimeout::ZERO);
        match poll(&mut [PollFd::new(pidfd, PollFlags::POLLIN)], turn) {
            Ok(0) if left.is_zero() => return Err(Errno::ETIMEDOUT),
            Ok(_) | Err(Errno::EINTR) => {}
            Err(errno) => return Err(errno),
        }
    }
}

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

/// Does an extended attribute of a file have this value?
pub(crate) fn xattr_is(path: &Path, name: &CStr, value: &[u8]) -> bool {
    let Ok(path) = CString::new(path.as_os_str().as_bytes()) else { return false };
    let mut found = [0_u8; 16];
    let buffer = found.as_mut_ptr().cast();
    // SAFETY: both names are C strings, and the length is that of the buffer.
    let len = unsafe { libc::getxattr(path.as_ptr(), name.as_ptr(), buffer, found.len()) };
    usize::try_from(len).is_ok_and(|len| found.get(..len) == Some(value))
}

/// The version of Landlock that this kernel has.
pub(crate) fn landlock_version() -> Option<i64> {
    const LANDLOCK_CREATE_RULESET_VERSION: u32 = 1;
    let null = std::ptr::null::<libc::c_void>();
    // SAFETY: with this flag the call takes no structure and makes nothing.
    let version = unsafe {
        libc::syscall(libc::SYS_landlock_create_ruleset, null, 0, LANDLOCK_CREATE_RULESET_VERSION)
    };
    Errno::result(version).ok().filter(|&version| version > 0)
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

/// The far end of a PTY master, without a path that anybody could have replaced: `TIOCGPTPEER`.
pub(crate) fn pty_peer(master: BorrowedFd<'_>) -> nix::Result<OwnedFd> {
    let flags = libc::O_RDWR | libc::O_NOCTTY | libc::O_CLOEXEC;
    // SAFETY: both ioctls are for PTY masters; the second gives a new descriptor, which is ours.
    unsafe {
        let unlocked: libc::c_int = 0;
        Errno::result(libc::ioctl(master.as_raw_fd(), libc::TIOCSPTLCK, &raw const unlocked))?;
        new_fd(libc::ioctl(master.as_raw_fd(), libc::TIOCGPTPEER, flags).into())
    }
}

/// Makes a terminal the controlling one of this session.
pub(crate) fn set_controlling_tty(tty: BorrowedFd<'_>) -> nix::Result<()> {
    // SAFETY: TIOCSCTTY takes an integer.
    Errno::result(unsafe { libc::ioctl(tty.as_raw_fd(), libc::TIOCSCTTY, 0) }).map(drop)
}

/// The size of a terminal window; `None` when this is no terminal.
pub(crate) fn window_size(tty: BorrowedFd<'_>) -> Option<libc::winsize> {
    // SAFETY: TIOCGWINSZ fills in a `winsize`, for which zero is a value.
    unsafe {
        let mut size = std::mem::zeroed::<libc::winsize>();
        (libc::ioctl(tty.as_raw_fd(), libc::TIOCGWINSZ, &raw mut size) == 0).then_some(size)
    }
}

/// Sets the size of a terminal window.
pub(crate) fn set_window_size(tty: BorrowedFd<'_>, size: libc::winsize) -> nix::Result<()> {
    // SAFETY: TIOCSWINSZ reads a `winsize`.
    Errno::result(unsafe { libc::ioctl(tty.as_raw_fd(), libc::TIOCSWINSZ, &raw const size) })
        .map(drop)
}

/// The user namespace that owns a namespace. `EPERM`: it is not the caller's or below.
pub(crate) fn namespace_owner(namespace: BorrowedFd<'_>) -> nix::Result<OwnedFd> {
    related_namespace(namespace, libc::NS_GET_USERNS)
}

/// The parent of a PID or user namespace. `EPERM`: it is not the caller's or below.
pub(crate) fn namespace_parent(namespace: BorrowedFd<'_>) -> nix::Result<OwnedFd> {
    related_namespace(namespace, libc::NS_GET_PARENT)
}

fn related_namespace(namespace: BorrowedFd<'_>, relation: libc::Ioctl) -> nix::Result<OwnedFd> {
    // A zero must be there: the kernel refuses what happens to stand in an argument not given.
    let nothing: libc::c_ulong = 0;
    // SAFETY: these requests take no argument and give a new descriptor (with O_CLOEXEC) or -1.
    unsafe { new_fd(libc::ioctl(namespace.as_raw_fd(), relation, nothing).into()) }
}

/// A namespace of the process behind a pidfd: the kernel gives a descriptor that no link in
/// `/proc` had to be followed for. `ENOTTY` before 6.11.
pub(crate) fn namespace_of(
    process: BorrowedFd<'_>,
    kind: Namespace,
    of_children: bool,
) -> nix::Result<OwnedFd> {
    // PIDFD_GET_*_NAMESPACE of `linux/pidfd.h`: _IO(0xFF, n).
    let request: libc::Ioctl = match (kind, of_children) {
        (Namespace::Cgroup, _) => 0xff01,
        (Namespace::Ipc, _) => 0xff02,
        (Namespace::Mount, _) => 0xff03,
        (Namespace::Net, _) => 0xff04,
        (Namespace::Pid, false) => 0xff05,
        (Namespace::Pid, true) => 0xff06,
        (Namespace::Time, false) => 0xff07,
        (Namespace::Time, true) => 0xff08,
        (Namespace::User, _) => 0xff09,
        (Namespace::Uts, _) => 0xff0a,
    };
    related_namespace(process, request)
}

/// The user that made a user namespace, as the caller's user namespace numbers it.
pub(crate) fn namespace_owner_uid(user_namespace: BorrowedFd<'_>) -> nix::Result<u32> {
    let mut uid: libc::uid_t = 0;
    let fd = user_namespace.as_raw_fd();
    // SAFETY: the kernel writes one uid_t to the address of a live one.
    Errno::result(unsafe { libc::ioctl(fd, libc::NS_GET_OWNER_UID, &raw mut uid) })?;
    Ok(uid)
}

/// Brings the loopback device of this network namespace up: `SIOCSIFFLAGS`.
pub(crate) fn loopback_up() -> nix::Result<()> {
    use nix::sys::socket::{AddressFamily, SockFlag, SockType, socket};
    let socket = socket(AddressFamily::Inet, SockType::Datagram, SockFlag::SOCK_CLOEXEC, None)?;
    // SAFETY: `ifreq` is plain data for which zero is a value; the name is filled in and ends in
    // zero, and the flags member is the one that SIOCSIFFLAGS reads.
    unsafe {
        let mut request = std::mem::zeroed::<libc::ifreq>();
        for (to, &from) in request.ifr_name.iter_mut().zip(b"lo") {
            *to = from.cast_signed();
        }
        request.ifr_ifru.ifru_flags = i16::try_from(libc::IFF_UP | libc::IFF_RUNNING).unwrap_or(0);
        Errno::result(libc::ioctl(socket.as_raw_fd(), libc::SIOCSIFFLAGS, &raw const request))
            .map(drop)
    }
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
