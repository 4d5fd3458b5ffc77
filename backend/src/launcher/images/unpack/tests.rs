//! Archives that mean harm, archives that are broken, and those that are as they should be.
//!
//! All of it without the wall: what is tested here is that no path leads out even without it.

mod hostile;
mod layouts;
mod mutated;

use std::collections::BTreeMap;
use std::fs::{self, File};
use std::os::unix::fs::MetadataExt as _;
use std::path::{Path, PathBuf};

use tar::{Builder, EntryType, Header};
use vitrine_shared::limits;

use super::*;

/// Bounds that are quickly reached.
const SMALL: Bounds =
    Bounds { bytes: limits::IMAGE_BYTES.with(4 << 20), files: limits::IMAGE_FILES.with(1_000) };

/// A place to unpack to, beside something that nobody may touch.
struct Place {
    dir: tempfile::TempDir,
}

impl Place {
    fn new() -> Self {
        let dir = tempfile::tempdir().unwrap();
        fs::create_dir(dir.path().join("canary")).unwrap();
        fs::write(dir.path().join("canary/secret"), "secret").unwrap();
        fs::create_dir(dir.path().join("root")).unwrap();
        Place { dir }
    }

    fn root(&self) -> PathBuf {
        self.dir.path().join("root")
    }

    fn canary(&self) -> PathBuf {
        self.dir.path().join("canary")
    }

    /// Unpacks, and looks whether anything happened outside.
    fn unpack(&self, source: Source) -> Result<Unpacked, String> {
        let before = self.outside();
        let root = File::open(self.root()).unwrap().into();
        let scratch = [tempfile::tempfile().unwrap(), tempfile::tempfile().unwrap()];
        let result = unpack(source, root, scratch, SMALL).map_err(|err| err.to_string());
        assert_eq!(self.outside(), before, "something happened outside: {result:?}");
        result
    }

    fn archive(&self, bytes: &[u8]) -> Result<Unpacked, String> {
        let path = self.dir.path().join("archive");
        fs::write(&path, bytes).unwrap();
        self.unpack(Source::File(File::open(path).unwrap()))
    }

    /// Everything beside the root, with contents, owners, modes and numbers of names.
    fn outside(&self) -> BTreeMap<PathBuf, (u64, u32, u64, String)> {
        let mut seen = BTreeMap::new();
        for path in [self.dir.path().into(), self.canary()] {
            for entry in fs::read_dir(path).unwrap() {
                let path = entry.unwrap().path();
                let meta = fs::symlink_metadata(&path).unwrap();
                let content = match path.ends_with("secret") {
                    true => fs::read_to_string(&path).unwrap(),
                    false => String::new(),
                };
                let links = if path == self.root() { 0 } else { meta.nlink() };
                seen.insert(path, (links, meta.mode(), meta.ino(), content));
            }
        }
        seen
    }

    #[track_caller]
    fn read(&self, name: &str) -> String {
        let path = self.root().join(name);
        fs::read_to_string(&path).unwrap_or_else(|err| panic!("{}: {err}", path.display()))
    }

    fn has(&self, name: &str) -> bool {
        fs::symlink_metadata(self.root().join(name)).is_ok()
    }

    fn meta(&self, name: &str) -> fs::Metadata {
        fs::symlink_metadata(self.root().join(name)).unwrap()
    }
}

/// A tar with names and links that no decent program would write.
struct Tar(Builder<Vec<u8>>);

impl Default for Tar {
    fn default() -> Self {
        Tar(Builder::new(Vec::new()))
    }
}

impl Tar {
    fn header(kind: EntryType, name: &[u8], link: &[u8], mode: u32, size: u64) -> Header {
        let mut header = Header::new_gnu();
        header.as_old_mut().name[..name.len()].copy_from_slice(name);
        header.as_old_mut().linkname[..link.len()].copy_from_slice(link);
        header.set_entry_type(kind);
        header.set_mode(mode);
        header.set_uid(0);
        header.set_gid(0);
        header.set_mtime(1_700_000_000);
        header.set_size(size);
        header.set_cksum();
        header
    }

    fn with(mut self, header: &Header, content: &[u8]) -> Self {
        self.0.append(header, content).unwrap();
        self
    }

    fn file(self, name: &str, content: &str) -> Self {
        self.mode(name, content, 0o644)
    }

    fn mode(self, name: &str, content: &str, mode: u32) -> Self {
        let header =
            Self::header(EntryType::Regular, name.as_bytes(), b"", mode, content.len() as u64);
        self.with(&header, content.as_bytes())
    }

    fn dir(self, name: &str) -> Self {
        let header = Self::header(EntryType::Directory, name.as_bytes(), b"", 0o755, 0);
        self.with(&header, b"")
    }

    fn symlink(self, name: &str, target: &str) -> Self {
        let header = Self::header(EntryType::Symlink, name.as_bytes(), target.as_bytes(), 0o777, 0);
        self.with(&header, b"")
    }

    fn link(self, name: &str, target: &str) -> Self {
        let header = Self::header(EntryType::Link, name.as_bytes(), target.as_bytes(), 0o644, 0);
        self.with(&header, b"")
    }

    fn special(self, name: &str, kind: EntryType) -> Self {
        let mut header = Self::header(kind, name.as_bytes(), b"", 0o666, 0);
        header.set_device_major(1).unwrap();
        header.set_device_minor(3).unwrap();
        header.set_cksum();
        self.with(&header, b"")
    }

    /// An extended header in front of the next entry.
    fn pax(self, records: &[(&str, &[u8])]) -> Self {
        let mut text = Vec::new();
        for (key, value) in records {
            let rest = key.len() + value.len() + 3;
            let mut len = rest + 1;
            while len != rest + len.to_string().len() {
                len = rest + len.to_string().len();
            }
            text.extend_from_slice(format!("{len} {key}=").as_bytes());
            text.extend_from_slice(value);
            text.push(b'\n');
        }
        let mut header = Header::new_ustar();
        header.as_old_mut().name[..3].copy_from_slice(b"pax");
        header.set_entry_type(EntryType::XHeader);
        header.set_size(text.len() as u64);
        header.set_cksum();
        self.with(&header, &text)
    }

    fn bytes(self) -> Vec<u8> {
        self.0.into_inner().unwrap()
    }
}

fn gzip(bytes: &[u8]) -> Vec<u8> {
    use std::io::Write as _;
    let mut encoder = flate2::write::GzEncoder::new(Vec::new(), flate2::Compression::fast());
    encoder.write_all(bytes).unwrap();
    encoder.finish().unwrap()
}

fn zstd(bytes: &[u8]) -> Vec<u8> {
    ruzstd::encoding::compress_to_vec(bytes, ruzstd::encoding::CompressionLevel::Fastest)
}

#[test]
fn the_same_tree_from_a_directory_a_tar_gzip_and_zstd() {
    let tar = || {
        Tar::default()
            .dir("etc")
            .file("etc/os-release", "ID=x\n")
            .mode("bin/tool", "#!/bin/sh\n", 0o755)
            .symlink("sh", "bin/tool")
            .link("second", "etc/os-release")
            .bytes()
    };
    let check = |place: &Place, kind| {
        assert_eq!(place.read("etc/os-release"), "ID=x\n", "{kind:?}");
        assert_eq!(place.meta("second").ino(), place.meta("etc/os-release").ino(), "{kind:?}");
        assert_eq!(place.meta("bin/tool").mode() & 0o7777, 0o755, "{kind:?}");
        assert_eq!(place.meta("bin/tool").mtime(), 1_700_000_000, "{kind:?}");
        assert_eq!(fs::read_link(place.root().join("sh")).unwrap(), Path::new("bin/tool"));
        for (name, mode) in [("dev", 0o755), ("proc", 0o755), ("tmp", 0o1777)] {
            assert_eq!(place.meta(name).mode() & 0o7777, mode, "{name}");
        }
    };
    let first = Place::new();
    for (what, bytes) in [("tar", tar()), ("gzip", gzip(&tar())), ("zstd", zstd(&tar()))] {
        let place = if what == "tar" { &first } else { &Place::new() };
        let unpacked = place.archive(&bytes).unwrap();
        assert_eq!(unpacked.kind, Kind::Tar, "{what}");
        assert_eq!((unpacked.report.files, unpacked.report.hard_links), (2, 1), "{what}");
        check(place, what);
    }
    let copy = Place::new();
    let unpacked = copy.unpack(Source::Directory(File::open(first.root()).unwrap().into()));
    assert_eq!(unpacked.unwrap().kind, Kind::Directory);
    check(&copy, "directory");
}

#[test]
fn frames_of_zstd_follow_each_other_and_some_are_skipped() {
    let tar = Tar::default().file("a", &"a".repeat(100_000)).bytes();
    let (one, two) = tar.split_at(70_000);
    let mut stream = vec![0x50, 0x2a, 0x4d, 0x18, 3, 0, 0, 0, 1, 2, 3];
    stream.extend(zstd(one));
    stream.extend([0x5f, 0x2a, 0x4d, 0x18, 0, 0, 0, 0]);
    stream.extend(zstd(two));
    let place = Place::new();
    place.archive(&stream).unwrap();
    assert_eq!(place.read("a").len(), 100_000);
}

#[test]
fn a_copied_directory_keeps_what_it_links_to_to_itself() {
    let from = Place::new();
    let source = from.root();
    std::os::unix::fs::symlink(from.canary(), source.join("out")).unwrap();
    std::os::unix::fs::symlink("/etc/shadow", source.join("shadow")).unwrap();
    fs::write(source.join("holes"), vec![0; 300_000]).unwrap();
    nix::unistd::mkfifo(&source.join("pipe"), nix::sys::stat::Mode::S_IRWXU).unwrap();
    let _socket = std::os::unix::net::UnixListener::bind(source.join("socket")).unwrap();
    let place = Place::new();
    let unpacked = place.unpack(Source::Directory(File::open(&source).unwrap().into())).unwrap();
    assert!(place.meta("out").is_symlink() && place.meta("shadow").is_symlink());
    let report = unpacked.report;
    assert_eq!((report.fifos_left_out, report.others_left_out, report.symlinks), (1, 1, 2));
    assert!(!place.has("pipe") && !place.has("socket"));
    assert_eq!((place.meta("holes").len(), place.meta("holes").blocks()), (300_000, 0));
}

#[test]
fn a_directory_that_contains_the_image_is_no_endless_copy() {
    let place = Place::new();
    let above = File::open(place.dir.path()).unwrap().into();
    let unpacked = place.unpack(Source::Directory(above)).unwrap();
    assert_eq!(place.read("canary/secret"), "secret");
    assert!(!place.has("root"));
    assert_eq!(unpacked.report.others_left_out, 1);
}
