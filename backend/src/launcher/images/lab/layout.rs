//! Copies programs and what they need to where the image has them.

use std::collections::BTreeMap;
use std::fs;
use std::io;
use std::path::{Component, Path, PathBuf};

use super::super::elf::{self, Kind};
use super::super::{ImageError, at, skeleton, store};
use super::{libraries, tools};

/// An image that is being filled.
pub(super) struct Layout<'a> {
    root: &'a Path,
    /// Where the files come from: `/`, but in tests.
    host: PathBuf,
    /// Files of the host that were copied: size and time of change.
    pub(super) sources: BTreeMap<PathBuf, (u64, i64)>,
    /// Bytes that were copied.
    pub(super) bytes: u64,
    /// Files and links that were made.
    pub(super) files: u64,
    /// The directory of the C library: its loader always looks there.
    home: Option<PathBuf>,
}

impl<'a> Layout<'a> {
    /// The links of the merged layout.
    pub(super) fn begin(root: &'a Path) -> Result<Self, ImageError> {
        skeleton::directory(&root.join("usr"))?;
        for name in MERGED {
            skeleton::directory(&root.join("usr").join(name))?;
            skeleton::link(&Path::new("usr").join(name), &root.join(name))?;
        }
        let host = PathBuf::from("/");
        Ok(Layout { root, host, sources: BTreeMap::new(), bytes: 0, files: 0, home: None })
    }

    fn place_of(&self, path: &Path) -> PathBuf {
        place_of(&self.host, path)
    }

    /// Copies a program, under the name that it has there, with all that it needs. False: it does not run here.
    pub(super) fn tool(&mut self, path: &Path) -> Result<bool, ImageError> {
        let program = fs::canonicalize(path).map_err(at(path))?;
        let needed = match elf::kind(&program).map_err(at(&program))? {
            Kind::Static => Vec::new(),
            Kind::Dynamic { loader } => match libraries::of(&loader, &program) {
                Ok(mut needed) => {
                    let name = loader.file_name().unwrap_or_default().to_string_lossy().into();
                    needed.push(libraries::Library { name, path: loader });
                    needed
                }
                Err(_) => return Ok(false),
            },
            // Only those of the shells, which are in the image.
            Kind::Script { interpreter } => match interpreter.to_str() {
                Some("/bin/sh" | "/bin/bash" | "/usr/bin/sh" | "/usr/bin/bash") => Vec::new(),
                _ => return Ok(false),
            },
            Kind::Other => return Ok(false),
        };
        self.needed(&needed)?;
        let place = self.copy(&program, 0o755)?;
        self.link(&place, &self.place_of(path))?;
        Ok(true)
    }

    fn needed(&mut self, libraries: &[libraries::Library]) -> Result<(), ImageError> {
        for library in libraries {
            let file = fs::canonicalize(&library.path).map_err(at(&library.path))?;
            let place = self.copy(&file, 0o755)?;
            // Where it was found, by the name that it was asked for.
            let found = self.place_of(&library.path);
            self.link(&place, &found)?;
            if library.name == "libc.so.6" && self.home.is_none() {
                self.home = found.parent().map(Path::to_path_buf);
                self.by_name()?;
            }
            // The image has no cache of libraries: a directory that only the host's cache knows
            // would not be looked into.
            if let Some(home) = &self.home {
                let by_name = home.join(&library.name);
                if by_name != found {
                    self.link(&place, &by_name)?;
                }
            }
        }
        Ok(())
    }

    /// The libraries that the C library loads by name.
    fn by_name(&mut self) -> Result<(), ImageError> {
        let Some(home) = self.home.clone() else { return Ok(()) };
        for name in tools::LOADED_BY_NAME {
            let path = self.host.join(&home).join(name);
            if let Ok(file) = fs::canonicalize(&path) {
                let place = self.copy(&file, 0o755)?;
                self.link(&place, &home.join(name))?;
            }
        }
        Ok(())
    }

    /// Copies busybox, and gives it the names that nobody has taken.
    pub(super) fn busybox(&mut self, program: &Path, applets: &[String]) -> Result<(), ImageError> {
        let program = fs::canonicalize(program).map_err(at(program))?;
        let copied = self.copy(&program, 0o755)?;
        let place = Path::new("usr/bin/busybox");
        self.link(&copied, place)?;
        for name in applets {
            let taken = |directory: &str| {
                fs::symlink_metadata(self.root.join("usr").join(directory).join(name)).is_ok()
            };
            if !taken("bin") && !taken("sbin") {
                self.link(place, &Path::new("usr/bin").join(name))?;
            }
        }
        Ok(())
    }

    /// Terminal descriptions, and the locale where it is not part of the C library.
    pub(super) fn extras(&mut self) -> Result<(), ImageError> {
        for directory in tools::TERMINFO {
            for name in tools::TERMINALS {
                let first = name.bytes().next().unwrap_or_default();
                for letter in [char::from(first).to_string(), format!("{first:02x}")] {
                    let path = Path::new(directory).join(letter).join(name);
                    if let Ok(file) = fs::canonicalize(&path) {
                        let place = self.copy(&file, 0o644)?;
                        self.link(&place, &self.place_of(&path))?;
                    }
                }
            }
        }
        let locale = tools::LOCALES.iter().map(Path::new).find(|path| path.is_dir());
        locale.map_or(Ok(()), |path| self.tree(path))
    }

    fn tree(&mut self, path: &Path) -> Result<(), ImageError> {
        for entry in fs::read_dir(path).map_err(at(path))? {
            let path = entry.map_err(at(path))?.path();
            // What is a link counts as what it leads to.
            let meta = fs::metadata(&path).map_err(at(&path))?;
            if meta.is_dir() {
                self.tree(&path)?;
            } else if meta.is_file() {
                let file = fs::canonicalize(&path).map_err(at(&path))?;
                let place = self.copy(&file, 0o644)?;
                self.link(&place, &self.place_of(&path))?;
            }
        }
        Ok(())
    }

    /// Copies a file of the host, once, to its place in the image; gives that.
    fn copy(&mut self, file: &Path, mode: u32) -> Result<PathBuf, ImageError> {
        let place = self.place_of(file);
        if self.sources.contains_key(file) {
            return Ok(place);
        }
        let stamp = store::stamp(file).map_err(at(file))?;
        let target = self.room(&place)?;
        if fs::symlink_metadata(&target).is_ok() {
            // A host whose `/lib` is not its `/usr/lib` can have a library of this name in both,
            // and here they are one directory: the first that a program has asked for stays. The
            // other is a source all the same.
            self.sources.insert(file.to_path_buf(), stamp);
            return Ok(place);
        }
        skeleton::copy(file, &target, mode)?;
        self.bytes += stamp.0;
        self.files += 1;
        self.sources.insert(file.to_path_buf(), stamp);
        Ok(place)
    }

    /// A link at `link` to the file at `place`; none when they are the same.
    fn link(&mut self, place: &Path, link: &Path) -> Result<(), ImageError> {
        if place == link {
            return Ok(());
        }
        let target = match (place.parent(), link.parent(), place.file_name()) {
            (Some(a), Some(b), Some(name)) if a == b => PathBuf::from(name),
            _ => Path::new("/").join(place),
        };
        let path = self.room(link)?;
        self.files += u64::from(fs::symlink_metadata(&path).is_err());
        skeleton::link(&target, &path)
    }

    /// The path in the image, in a directory that is there.
    fn room(&self, place: &Path) -> Result<PathBuf, ImageError> {
        if let Some(parent) = place.parent() {
            skeleton::directories(self.root, parent)?;
        }
        let path = self.root.join(place);
        let plain = place.components().all(|part| matches!(part, Component::Normal(_)));
        if plain {
            return Ok(path);
        }
        Err(at(&path)(io::Error::other("not a path of an image")))
    }
}

/// Directories of `/` that are links to those of `/usr` in the image.
const MERGED: &[&str] = &["bin", "sbin", "lib", "lib32", "lib64"];

/// Where the image has what the host has at `path`.
fn place_of(host: &Path, path: &Path) -> PathBuf {
    // Host directories that are links (`/bin`, or `/usr/sbin` where it is one) count as such.
    let directory = path.parent().and_then(|parent| fs::canonicalize(parent).ok());
    let path = match (&directory, path.file_name()) {
        (Some(directory), Some(name)) => directory.join(name),
        _ => path.to_path_buf(),
    };
    let place = path.strip_prefix(host).unwrap_or(&path);
    if MERGED.iter().any(|name| place.starts_with(name)) {
        Path::new("usr").join(place)
    } else {
        place.to_path_buf()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_image_is_merged_whatever_the_host_is() {
        let dir = tempfile::tempdir().unwrap();
        let place_of = |path: &Path| place_of(Path::new("/"), path);
        assert_eq!(place_of(Path::new("/nowhere/x")), Path::new("nowhere/x"));
        assert_eq!(place_of(Path::new("/lib64/nowhere/x")), Path::new("usr/lib64/nowhere/x"));
        // A directory that is a link.
        let real = dir.path().join("real");
        fs::create_dir(&real).unwrap();
        std::os::unix::fs::symlink(&real, dir.path().join("link")).unwrap();
        let placed = place_of(&dir.path().join("link/x"));
        assert!(placed.ends_with("real/x"), "{}", placed.display());
    }

    /// A host with files of these texts, and the image of the libraries in this order.
    fn image_of(files: &[&str], libraries: &[&str]) -> (tempfile::TempDir, usize) {
        let dir = tempfile::tempdir().unwrap();
        // As `fs::canonicalize` will say it.
        let host = fs::canonicalize(dir.path()).unwrap().join("host");
        let root = dir.path().join("root");
        fs::create_dir(&root).unwrap();
        for file in files {
            fs::create_dir_all(host.join(file).parent().unwrap()).unwrap();
            fs::write(host.join(file), file).unwrap();
        }
        let mut layout = Layout { host: host.clone(), ..Layout::begin(&root).unwrap() };
        let library = |path: &&str| {
            let name = path.rsplit('/').next().unwrap().into();
            libraries::Library { name, path: host.join(path) }
        };
        let libraries: Vec<_> = libraries.iter().map(library).collect();
        layout.needed(&libraries).unwrap();
        let sources = layout.sources.len();
        (dir, sources)
    }

    #[test]
    fn two_libraries_of_one_name_are_the_one_that_was_asked_for_first() {
        let (old, new) = ("lib/x86/libtinfo.so.6", "usr/lib/x86/libtinfo.so.6");
        for (first, second) in [(old, new), (new, old)] {
            let (dir, sources) = image_of(&[old, new], &[first, second, first]);
            for path in ["root/usr/lib/x86/libtinfo.so.6", "root/lib/x86/libtinfo.so.6"] {
                assert_eq!(fs::read_to_string(dir.path().join(path)).unwrap(), first);
            }
            // A change of either makes another image.
            assert_eq!(sources, 2);
        }
    }

    #[test]
    fn a_library_may_have_the_name_of_a_link_beside_the_c_library() {
        let (libc, away) = ("usr/lib/x86/libc.so.6", "opt/lib/libz.so.1");
        let there = "lib/x86/libz.so.1";
        let (dir, sources) = image_of(&[libc, away, there], &[libc, away, there]);
        let path = dir.path().join("root/usr/lib/x86/libz.so.1");
        assert_eq!(fs::read_link(path).unwrap(), Path::new("/opt/lib/libz.so.1"));
        assert_eq!(sources, 3);
    }
}
