//! What the kernel tells of a namespace by descriptor, and a network namespace's loopback device.

use std::os::fd::{AsRawFd as _, BorrowedFd, OwnedFd};

use nix::errno::Errno;
use vitrine_shared::namespace::Namespace;

use super::new_fd;

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
