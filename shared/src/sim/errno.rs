//! The kernel's errors, as far as the model meets them.

/// An error number, with its name and the C library's words for it.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum Errno {
    /// The caller lacks the privilege.
    #[error("Operation not permitted")]
    Eperm,
    /// No such file or directory.
    #[error("No such file or directory")]
    Enoent,
    /// No such process.
    #[error("No such process")]
    Esrch,
    /// No child to wait for.
    #[error("No child processes")]
    Echild,
    /// A limit of processes is reached.
    #[error("Resource temporarily unavailable")]
    Eagain,
    /// No memory; also: the PID namespace has lost its PID 1.
    #[error("Cannot allocate memory")]
    Enomem,
    /// The file's mode forbids it.
    #[error("Permission denied")]
    Eacces,
    /// In use.
    #[error("Device or resource busy")]
    Ebusy,
    /// It is there already.
    #[error("File exists")]
    Eexist,
    /// Not a directory.
    #[error("Not a directory")]
    Enotdir,
    /// A directory.
    #[error("Is a directory")]
    Eisdir,
    /// A value that cannot be.
    #[error("Invalid argument")]
    Einval,
    /// Too many namespaces, one in another.
    #[error("No space left on device")]
    Enospc,
    /// The directory has something in it.
    #[error("Directory not empty")]
    Enotempty,
    /// Out of the range of the type.
    #[error("Numerical result out of range")]
    Erange,
    /// Not supported here.
    #[error("Operation not supported")]
    Eopnotsupp,
    /// Read-only.
    #[error("Read-only file system")]
    Erofs,
    /// A name of more than 255 bytes, a path of more than 4,095.
    #[error("File name too long")]
    Enametoolong,
    /// Links that lead to links for ever.
    #[error("Too many levels of symbolic links")]
    Eloop,
}

impl Errno {
    /// The name in C.
    pub const fn name(self) -> &'static str {
        match self {
            Errno::Eperm => "EPERM",
            Errno::Enoent => "ENOENT",
            Errno::Esrch => "ESRCH",
            Errno::Echild => "ECHILD",
            Errno::Eagain => "EAGAIN",
            Errno::Enomem => "ENOMEM",
            Errno::Eacces => "EACCES",
            Errno::Ebusy => "EBUSY",
            Errno::Eexist => "EEXIST",
            Errno::Enotdir => "ENOTDIR",
            Errno::Eisdir => "EISDIR",
            Errno::Einval => "EINVAL",
            Errno::Enospc => "ENOSPC",
            Errno::Enotempty => "ENOTEMPTY",
            Errno::Erange => "ERANGE",
            Errno::Eopnotsupp => "EOPNOTSUPP",
            Errno::Erofs => "EROFS",
            Errno::Enametoolong => "ENAMETOOLONG",
            Errno::Eloop => "ELOOP",
        }
    }
}
