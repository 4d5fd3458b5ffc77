//! Root file systems that are ours: put together once, owned by root, read-only for everybody.

use std::fs;
use std::io::{self, Read as _};
use std::os::unix::fs::{MetadataExt as _, PermissionsExt as _, symlink};
use std::path::{Path, PathBuf};
use std::process::Command;

/// Where containers of a machine put their roots together (a tmpfs of host root's).
pub(crate) const STAGES: &str = "run/containers";
const DIRECTORIES: &[&str] = &[
    "bin", "dev", "etc", "home", "proc", "root", STAGES, "sbin", "sys", "tmp", "usr/bin",
    "usr/sbin", "var/tmp",
];
const FILES: &[(&str, &str)] = &[
    ("etc/passwd", "root:x:0:0:root:/root:/bin/sh\nnobody:x:65534:65534:nobody:/:/bin/false\n"),
    ("etc/group", "root:x:0:\ntty:x:5:\nnogroup:x:65534:\n"),
    ("etc/hosts", "127.0.0.1\tlocalhost\n::1\tlocalhost\n"),
    ("etc/profile", "export PS1='\\w # '\n"),
];
/// Where distributions put a static busybox.
const CANDIDATES: &[&str] =
    &["/bin/busybox", "/usr/bin/busybox", "/bin/busybox.static", "/sbin/busybox"];

/// The image directory of a server or of the command line.
#[derive(Clone, Debug)]
pub(crate) struct Images {
    directory: PathBuf,
}

/// An image cannot be had. The text says what to do.
#[derive(Debug, thiserror::Error)]
pub(crate) enum ImageError {
    /// There is no static busybox.
    #[error("no static busybox on this host; install it: apt-get install busybox-static")]
    NoBusybox,
    /// A file system call failed.
    #[error("{}: {source}", path.display())]
    Io {
        /// On this path.
        path: PathBuf,
        /// For this reason.
        #[source]
        source: io::Error,
    },
}

fn at(path: &Path) -> impl FnOnce(io::Error) -> ImageError {
    let path = path.to_path_buf();
    move |source| ImageError::Io { path, source }
}

impl Images {
    /// Images below `data`; the directory is made when it is not there.
    pub(crate) fn open(data: &Path) -> Result<Self, ImageError> {
        let directory = data.join("images");
        fs::create_dir_all(&directory).map_err(at(&directory))?;
        // Root's, and passable: a machine's root must reach its own lower layer.
        fs::set_permissions(&directory, fs::Permissions::from_mode(0o755))
            .map_err(at(&directory))?;
        Ok(Images { directory })
    }

    /// The busybox image, put together when it is missing or the host's busybox has changed.
    pub(crate) fn busybox(&self) -> Result<PathBuf, ImageError> {
        let source = host_busybox().ok_or(ImageError::NoBusybox)?;
        let meta = fs::metadata(source).map_err(at(source))?;
        let image = self.directory.join(format!("busybox-{:x}-{:x}", meta.size(), meta.mtime()));
        if !image.is_dir() {
            self.build(source, &image)?;
        }
        Ok(image)
    }

    fn build(&self, busybox: &Path, image: &Path) -> Result<(), ImageError> {
        let fresh = self.directory.join(format!("new-{}", std::process::id()));
        let built = fill(busybox, &fresh).and_then(|()| match fs::rename(&fresh, image) {
            // Another process was quicker: its image is as good.
            Err(_) if image.is_dir() => fs::remove_dir_all(&fresh).map_err(at(&fresh)),
            other => other.map_err(at(image)),
        });
        if built.is_err() {
            // The first error is the one to tell.
            let _ = fs::remove_dir_all(&fresh);
        }
        built
    }
}

/// The host's static busybox, from which the image is made.
pub(crate) fn host_busybox() -> Option<&'static Path> {
    CANDIDATES.iter().map(Path::new).find(|path| is_static(path))
}

fn fill(busybox: &Path, root: &Path) -> Result<(), ImageError> {
    let mode = |path: &Path, mode| {
        fs::set_permissions(path, fs::Permissions::from_mode(mode)).map_err(at(path))
    };
    fs::create_dir_all(root).map_err(at(root))?;
    mode(root, 0o755)?;
    for name in DIRECTORIES {
        let path = root.join(name);
        fs::create_dir_all(&path).map_err(at(&path))?;
        mode(&path, if name.ends_with("tmp") { 0o1777 } else { 0o755 })?;
    }
    mode(&root.join("run"), 0o755)?;
    for (name, text) in FILES {
        let path = root.join(name);
        fs::write(&path, text).map_err(at(&path))?;
        mode(&path, 0o644)?;
    }
    // A copy: a kernel bug that writes to the page cache must not reach a file host root runs.
    let program = root.join("bin/busybox");
    fs::copy(busybox, &program).map_err(at(&program))?;
    mode(&program, 0o755)?;
    let list = Command::new(busybox).arg("--list-full").output().map_err(at(busybox))?;
    for applet in String::from_utf8_lossy(&list.stdout).lines() {
        let name = Path::new(applet).file_name().unwrap_or_default();
        let path = root.join("bin").join(name);
        if name != "busybox" && !name.is_empty() && !path.exists() {
            symlink("busybox", &path).map_err(at(&path))?;
        }
    }
    Ok(())
}

/// Is this a program that needs no loader (an ELF file without `PT_INTERP`)?
fn is_static(path: &Path) -> bool {
    const PT_INTERP: u32 = 3;
    let mut head = vec![0; 4096];
    let Ok(len) = fs::File::open(path).and_then(|mut file| file.read(&mut head)) else {
        return false;
    };
    let head = &head[..len];
    // ELF64: program headers begin at byte 32's offset; 56 bytes each; their number at byte 56.
    let at = |offset: usize, size: usize| {
        let bytes = head.get(offset..offset + size)?;
        Some(bytes.iter().rev().fold(0u64, |value, &byte| value << 8 | u64::from(byte)))
    };
    if !head.starts_with(b"\x7fELF\x02\x01") {
        return false;
    }
    let (Some(start), Some(count)) = (at(32, 8), at(56, 2)) else { return false };
    (0..count).all(|i| {
        let offset = usize::try_from(start + i * 56).unwrap_or(usize::MAX - 8);
        at(offset, 4).is_some_and(|kind| kind != u64::from(PT_INTERP))
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn static_programs_are_told_from_dynamic_ones() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("init");
        fs::write(&path, crate::launcher::memfd::INIT).unwrap();
        assert!(is_static(&path));
        assert!(!is_static(Path::new("/proc/self/exe")), "the test program is dynamic");
        assert!(!is_static(Path::new("/etc/passwd")));
    }
}
