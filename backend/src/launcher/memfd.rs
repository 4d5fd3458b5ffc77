//! Programs in sealed memory: they have no path that anybody could write to or read.

use std::ffi::{CStr, CString};
use std::io::Write as _;
use std::os::fd::{AsFd, BorrowedFd, OwnedFd};

use nix::fcntl::{AtFlags, FcntlArg, SealFlag, fcntl};
use nix::sys::memfd::{MFdFlags, memfd_create};
use nix::unistd::execveat;

/// PID 1, built from `backend/init/init.rs`.
pub(crate) const INIT: &[u8] = include_bytes!(concat!(env!("OUT_DIR"), "/init"));

/// A sealed, executable memfd with these bytes (CVE-2019-5736: the running program of a runtime
/// was overwritten through `/proc/self/exe`; nothing can write to this one).
pub(crate) fn sealed(name: &CStr, bytes: &[u8]) -> std::io::Result<OwnedFd> {
    let flags = MFdFlags::MFD_CLOEXEC | MFdFlags::MFD_ALLOW_SEALING;
    let mut file = std::fs::File::from(memfd_create(name, flags)?);
    file.write_all(bytes)?;
    let seals = SealFlag::F_SEAL_WRITE
        | SealFlag::F_SEAL_GROW
        | SealFlag::F_SEAL_SHRINK
        | SealFlag::F_SEAL_SEAL;
    fcntl(&file, FcntlArg::F_ADD_SEALS(seals))?;
    Ok(file.into())
}

/// An empty memfd of this size, which nobody can change: only its contents.
pub(crate) fn sized(name: &CStr, bytes: usize) -> std::io::Result<OwnedFd> {
    let flags = MFdFlags::MFD_CLOEXEC | MFdFlags::MFD_ALLOW_SEALING;
    let file = std::fs::File::from(memfd_create(name, flags)?);
    file.set_len(bytes as u64)?;
    let seals = SealFlag::F_SEAL_GROW | SealFlag::F_SEAL_SHRINK | SealFlag::F_SEAL_SEAL;
    fcntl(&file, FcntlArg::F_ADD_SEALS(seals))?;
    Ok(file.into())
}

/// Executes the program in a memfd.
pub(crate) fn execute(
    program: BorrowedFd<'_>,
    argv: &[CString],
    env: &[CString],
) -> nix::Result<std::convert::Infallible> {
    execveat(program.as_fd(), c"", argv, env, AtFlags::AT_EMPTY_PATH)
}
