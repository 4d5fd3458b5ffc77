//! The lab image: a small system put together once from the host's own tools.
//!
//! Copied, never bound: what runs in a machine is not the file that host root runs. The image has
//! the merged layout (`bin → usr/bin`, …) whatever the host has, so that both spellings of a path
//! lead to the same file.

mod docker;
mod layout;
mod libraries;
pub(super) mod tools;

use std::collections::BTreeMap;
use std::fs;
use std::path::{Path, PathBuf};

use serde::{Deserialize, Serialize};
use sha2::{Digest as _, Sha256};

use super::store::{self, Fresh, Held};
use super::{ImageError, at, busybox, skeleton};
use layout::Layout;

/// Another number when it is put together in another way, so that an older image is not used.
const VERSION: u32 = 2;
/// Times that somebody else's image may turn out to be gone again.
const TRIES: usize = 3;

/// What is known of a lab image, beside its root.
#[derive(Clone, Debug, Serialize, Deserialize)]
struct About {
    version: u32,
    /// Digest of the files that are Vitrine's own.
    texts: String,
    /// Each name and the file of the host that it led to when the image was made.
    tools: BTreeMap<String, PathBuf>,
    /// Names that busybox answers to.
    busybox: Vec<String>,
    /// Names that nobody answers to.
    missing: Vec<String>,
    /// The files of the host that were copied: size and time of change.
    sources: BTreeMap<PathBuf, (u64, i64)>,
    /// Bytes of all files.
    bytes: u64,
    /// Number of files and links.
    files: u64,
}

/// The image of the tools that the host has now.
pub(super) fn find_or_build(directory: &Path) -> Result<Held, ImageError> {
    let tools = find_tools();
    for _ in 0..TRIES {
        if let Some((held, _)) = current(directory, &tools)? {
            return Ok(held);
        }
        build(directory, &tools)?;
    }
    let path = directory.join("lab");
    Err(at(&path)(std::io::Error::other("the host's tools change while they are copied")))
}

/// What can be said of the lab image.
#[derive(Clone, Debug)]
pub(crate) struct State {
    /// Bytes and number of its files, when it has been made.
    pub(crate) made: Option<(u64, u64)>,
    /// Names that busybox answers to.
    pub(crate) busybox: Vec<String>,
    /// Names that nobody answers to.
    pub(crate) missing: Vec<String>,
}

/// What is known of the image that is there; else what it would be.
pub(super) fn state(directory: &Path) -> State {
    let tools = find_tools();
    if let Ok(Some((_, about))) = current(directory, &tools) {
        let made = Some((about.bytes, about.files));
        return State { made, busybox: about.busybox, missing: about.missing };
    }
    let applets = busybox::program().and_then(|program| busybox::applets(program).ok());
    let applets = applets.unwrap_or_default();
    let absent = tools::names().filter(|name| !tools.contains_key(*name)).map(str::to_string);
    let (busybox, missing) = absent.partition(|name| applets.contains(name));
    State { made: None, busybox, missing }
}

/// Each name and the file that it leads to on this host.
fn find_tools() -> BTreeMap<String, PathBuf> {
    let find = |name: &str| {
        let paths = tools::DIRECTORIES.iter().map(|directory| Path::new(directory).join(name));
        paths.into_iter().find(|path| fs::metadata(path).is_ok_and(|meta| meta.is_file()))
    };
    tools::names().filter_map(|name| Some((name.to_string(), find(name)?))).collect()
}

/// The image that was made of these tools as they are now.
fn current(
    directory: &Path,
    tools: &BTreeMap<String, PathBuf>,
) -> Result<Option<(Held, About)>, ImageError> {
    let mut found = None;
    for entry in fs::read_dir(directory).map_err(at(directory))?.flatten() {
        if !entry.file_name().to_string_lossy().starts_with("lab-") {
            continue;
        }
        let Some(held) = Held::take(&entry.path())? else { continue };
        let about = fs::read(held.about()).ok();
        let about = about.and_then(|text| serde_json::from_slice::<About>(&text).ok());
        if let Some(about) = about.filter(|about| about.is_of(tools)) {
            found = Some((held, about));
        }
    }
    Ok(found)
}

impl About {
    fn is_of(&self, tools: &BTreeMap<String, PathBuf>) -> bool {
        let same = |(path, stamp): (&PathBuf, &(u64, i64))| {
            store::stamp(path).is_ok_and(|now| now == *stamp)
        };
        self.version == VERSION
            && self.texts == texts()
            && self.tools == *tools
            && self.sources.iter().all(same)
    }

    /// Another one for every change of a source.
    fn key(&self) -> String {
        let mut hash = Sha256::new();
        hash.update(self.version.to_le_bytes());
        hash.update(&self.texts);
        for (name, path) in &self.tools {
            hash.update(format!("{name}\0{}\0", path.display()));
        }
        for (path, (size, time)) in &self.sources {
            hash.update(format!("{}\0{size} {time}\0", path.display()));
        }
        super::first_digits(hash)
    }
}

/// Of the files that are Vitrine's own: whoever has another Vitrine has another image.
fn texts() -> String {
    let mut hash = Sha256::new();
    skeleton::feed(&mut hash);
    for (name, text) in tools::FILES {
        hash.update(format!("{name}\0{text}\0"));
    }
    hash.update(docker::script());
    super::first_digits(hash)
}

fn build(directory: &Path, tools: &BTreeMap<String, PathBuf>) -> Result<(), ImageError> {
    let fresh = Fresh::begin(directory)?;
    let root = fresh.path().join("root");
    skeleton::directory(&root)?;
    let mut layout = Layout::begin(&root)?;
    skeleton::lay(&root)?;
    for (name, text) in tools::FILES {
        skeleton::file(&root.join(name), text)?;
    }
    let docker = root.join(docker::PLACE);
    skeleton::file(&docker, &docker::script())?;
    skeleton::mode(&docker, 0o755)?;
    let mut absent: Vec<&str> = Vec::new();
    for name in tools::names() {
        let copied = tools.get(name).map(|path| layout.tool(path)).transpose()?;
        if copied != Some(true) {
            absent.push(name);
        }
    }
    let mut applets = Vec::new();
    if let Some(program) = busybox::program() {
        applets = busybox::applets(program)?;
        layout.busybox(program, &applets)?;
    }
    let (busybox, missing): (Vec<&str>, Vec<&str>) =
        absent.into_iter().partition(|name| applets.iter().any(|applet| applet == name));
    if missing.contains(&"sh") {
        return Err(ImageError::NoShell);
    }
    layout.extras()?;
    let about = About {
        version: VERSION,
        texts: texts(),
        tools: tools.clone(),
        busybox: busybox.into_iter().map(str::to_string).collect(),
        missing: missing.into_iter().map(str::to_string).collect(),
        bytes: layout.bytes,
        files: layout.files,
        sources: layout.sources,
    };
    let text = serde_json::to_string_pretty(&about).unwrap_or_default();
    skeleton::file(&fresh.path().join("image.json"), &text)?;
    let name = format!("lab-{}", about.key());
    fresh.publish(&name)?;
    remove_others(directory, &name);
    Ok(())
}

/// Removes the images of tools that have changed since. Who uses one keeps it.
fn remove_others(directory: &Path, name: &str) {
    let Ok(entries) = fs::read_dir(directory) else { return };
    for entry in entries.flatten() {
        let other = entry.file_name().to_string_lossy().into_owned();
        if other.starts_with("lab-") && other != name {
            // It stays until the next time, and costs only room.
            let _ = store::remove(directory, &other);
        }
    }
}

#[cfg(test)]
mod tests {
    use std::os::unix::fs::{MetadataExt as _, PermissionsExt as _};

    use super::*;

    fn every_file(directory: &Path, look: &mut dyn FnMut(&Path, &fs::Metadata)) {
        for entry in fs::read_dir(directory).unwrap() {
            let path = entry.unwrap().path();
            let meta = fs::symlink_metadata(&path).unwrap();
            look(&path, &meta);
            if meta.is_dir() {
                every_file(&path, look);
            }
        }
    }

    #[test]
    fn it_is_a_copy_without_privilege_and_is_made_once() {
        let dir = tempfile::tempdir().unwrap();
        let (root, bytes) = {
            let held = find_or_build(dir.path()).unwrap();
            let about: About = serde_json::from_slice(&fs::read(held.about()).unwrap()).unwrap();
            assert!(!about.missing.iter().any(|name| ["bash", "ps", "unshare"].contains(&&**name)));
            (held.root(), about.bytes)
        };
        let mut summed = 0;
        every_file(&root, &mut |path, meta| {
            let what = path.display();
            if meta.is_file() {
                assert_eq!(meta.mode() & 0o7022, 0, "{what}: setuid, setgid, or others may write");
                assert_eq!(meta.nlink(), 1, "{what}: a file of the host's?");
                summed += meta.size();
            }
            if meta.is_symlink() && !path.starts_with(root.join("dev")) {
                let target = fs::read_link(path).unwrap();
                let inside = match target.strip_prefix("/") {
                    Ok(target) => root.join(target),
                    Err(_) => path.parent().unwrap().join(target),
                };
                assert!(fs::symlink_metadata(inside).is_ok(), "{what} leads nowhere");
            }
        });
        assert!(bytes <= summed && bytes > 5 << 20, "{bytes} of {summed}");
        assert!(bytes < 80 << 20, "{bytes}: what made it so large?");
        let host = ["/usr/bin/su", "/bin/su"].iter().find(|path| Path::new(path).exists());
        if let Some(host) = host {
            let image = fs::metadata(root.join("usr/bin/su")).unwrap();
            assert_eq!(image.permissions().mode() & 0o7777, 0o755);
            assert_ne!(image.ino(), fs::metadata(host).unwrap().ino());
        }
        let made = fs::metadata(&root).unwrap().ino();
        let again = find_or_build(dir.path()).unwrap();
        assert_eq!((again.root(), fs::metadata(again.root()).unwrap().ino()), (root, made));
    }

    #[test]
    fn a_changed_source_makes_another_and_the_old_one_goes_when_it_is_free() {
        let dir = tempfile::tempdir().unwrap();
        let labs = || {
            let names = fs::read_dir(dir.path()).unwrap().flatten();
            names.map(|entry| entry.file_name().into_string().unwrap()).collect::<Vec<_>>()
        };
        let held = find_or_build(dir.path()).unwrap();
        // As if the host had been another when it was made.
        let mut about: About = serde_json::from_slice(&fs::read(held.about()).unwrap()).unwrap();
        about.sources.values_mut().for_each(|stamp| stamp.1 -= 1);
        fs::write(held.about(), serde_json::to_string(&about).unwrap()).unwrap();
        let elsewhere = dir.path().join(format!("lab-{}", about.key()));
        fs::rename(held.directory_for_tests(), &elsewhere).unwrap();
        let new = find_or_build(dir.path()).unwrap();
        assert_ne!(new.root(), elsewhere.join("root"));
        // Whoever uses the old one keeps its files; it has no name any more.
        assert!(labs().iter().any(|name| name.starts_with("old-")), "{:?}", labs());
        drop(held);
        drop(Fresh::begin(dir.path()).unwrap());
        assert_eq!(labs().len(), 1, "{:?}", labs());
    }
}
