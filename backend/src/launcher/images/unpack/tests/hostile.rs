//! Tars that mean harm: what each is refused with, or what harmless thing becomes of it.

use super::*;

/// What becomes of a tar.
enum Fate {
    /// It is refused with words such as these.
    Refused(&'static str),
    /// It is unpacked, and then this holds.
    Harmless(fn(&Place, &Report) -> bool),
}

use Fate::{Harmless, Refused};

fn canary(place: &Place) -> String {
    place.canary().to_str().unwrap().to_string()
}

#[test]
#[expect(clippy::too_many_lines, reason = "a table")]
fn each_is_refused_or_harmless() {
    type Make = fn(Tar, &str) -> Tar;
    let table: &[(&str, Make, Fate)] = &[
        ("up", |t, _| t.file("../evil", "x"), Refused("leads out of the image")),
        ("up and up", |t, _| t.file("a/../../../evil", "x"), Refused("leads out of the image")),
        ("up in the image", |t, _| t.file("a/../b", "x"), Refused("leads out of the image")),
        (
            "from the root",
            |t, c| t.file(&format!("{c}/evil"), "x"),
            Harmless(|place, _| place.has(&format!("{}/evil", &canary(place)[1..]))),
        ),
        (
            "through an absolute link",
            |t, c| t.symlink("out", c).file("out/evil", "x"),
            Refused("out"),
        ),
        (
            "over a file through a link",
            |t, c| t.symlink("out", c).file("out/secret", "x"),
            Refused("out"),
        ),
        (
            "through a link upwards: the image's root is its own parent",
            |t, _| t.symlink("out", "../../../canary/..").dir("canary").file("out/evil", "x"),
            Harmless(|place, _| place.read("evil") == "x"),
        ),
        (
            "through /proc/self/root",
            |t, _| t.symlink("p", "/proc/self/root/tmp").file("p/evil", "x"),
            Refused("p"),
        ),
        (
            "in place of a link to a file",
            |t, c| t.symlink("x", &format!("{c}/secret")).file("x", "mine"),
            Harmless(|place, _| place.read("x") == "mine" && place.meta("x").is_file()),
        ),
        (
            "a directory in place of a link",
            |t, c| t.symlink("etc", c).dir("etc/").file("etc/passwd", "x"),
            Harmless(|place, _| place.meta("etc").is_dir() && place.read("etc/passwd") == "x"),
        ),
        (
            "a hard link to a file outside",
            |t, c| t.link("x", &format!("{c}/secret")),
            Refused("which is not there"),
        ),
        ("a hard link upwards", |t, _| t.link("x", "../canary/secret"), Refused("leads out")),
        (
            "a hard link through a link",
            |t, c| t.symlink("d", c).link("x", "d/secret"),
            Refused("which is not there"),
        ),
        (
            "a hard link through a link upwards",
            |t, _| t.symlink("d", "../canary").link("x", "d/secret"),
            Refused("which is not there"),
        ),
        (
            "writing to what a hard link names",
            |t, c| t.symlink("s", &format!("{c}/secret")).link("x", "s").file("x", "evil"),
            Harmless(|place, _| place.read("x") == "evil" && place.meta("s").is_symlink()),
        ),
        (
            "a hard link to itself",
            |t, _| t.file("x", "1").link("x", "x"),
            Harmless(|place, _| place.read("x") == "1"),
        ),
        ("a hard link to nothing", |t, _| t.link("x", "y"), Refused("which is not there")),
        ("a hard link to a directory", |t, _| t.dir("d").link("x", "d"), Refused("directory")),
        (
            "a hard link into a file",
            |t, _| t.file("f", "").link("x", "f/y"),
            Refused("which is not there"),
        ),
        (
            "links in a circle",
            |t, _| t.symlink("a", "b").symlink("b", "a").file("a/x", ""),
            Refused("a"),
        ),
        ("below a file", |t, _| t.file("f", "").file("f/x", ""), Refused("f")),
        (
            "devices",
            |t, _| {
                t.special("null", EntryType::Char)
                    .special("disk", EntryType::Block)
                    .special("pipe", EntryType::Fifo)
            },
            Harmless(|place, report| {
                !place.has("null")
                    && !place.has("disk")
                    && !place.has("pipe")
                    && (report.devices_left_out, report.fifos_left_out) == (2, 1)
            }),
        ),
        (
            "setuid and setgid",
            |t, _| t.mode("su", "x", 0o6755),
            Harmless(|place, report| {
                place.meta("su").mode() & 0o7777 == 0o755 && report.setuid_cleared == 1
            }),
        ),
        (
            "file capabilities",
            |t, _| {
                t.pax(&[("SCHILY.xattr.security.capability", b"\x01\0\0\x02")]).file("ping", "x")
            },
            Harmless(|place, report| place.has("ping") && report.xattrs_dropped == 1),
        ),
        (
            "owners that nobody has",
            |t, _| t.pax(&[("uid", b"4294967295"), ("gid", b"70000")]).file("a", ""),
            Harmless(|place, report| {
                let is_root = nix::unistd::geteuid().is_root();
                place.has("a")
                    && (!is_root || place.meta("a").uid() == 65_534 && report.owners_clamped == 1)
            }),
        ),
        (
            "an owner in base 256",
            |t, _| {
                let mut header = Tar::header(EntryType::Regular, b"a", b"", 0o644, 0);
                header.as_old_mut().uid = [0xff; 8];
                header.set_cksum();
                t.with(&header, b"")
            },
            Harmless(|place, _| place.has("a")),
        ),
        (
            "everything under one name",
            |t, _| {
                t.file("x", "1")
                    .dir("x")
                    .file("x/in", "")
                    .symlink("x", "/")
                    .file("x", "2")
                    .special("x", EntryType::Fifo)
                    .link("x", "x")
            },
            Harmless(|place, _| place.read("x") == "2"),
        ),
        (
            "links where machines mount",
            |t, c| t.symlink("dev", c).symlink("proc", "/").file("tmp", "").symlink("run", "/etc"),
            Harmless(|place, report| {
                ["dev", "proc", "tmp", "run", "sys"].iter().all(|name| place.meta(name).is_dir())
                    && report.places_made == 5
            }),
        ),
        (
            "the root itself",
            |t, _| t.with(&Tar::header(EntryType::Directory, b"./", b"", 0, 0), b""),
            Harmless(|place, _| fs::metadata(place.root()).unwrap().mode() & 0o777 == 0o755),
        ),
        ("the root as a file", |t, _| t.file("./", "x"), Harmless(|place, _| !place.has("x"))),
        ("the root as a link", |t, c| t.symlink("/", c), Refused("no name")),
        ("a whiteout of nothing", |t, _| t.file("a/.wh.", ""), Refused("hides no file")),
        ("a whiteout of here", |t, _| t.file("a/.wh..", ""), Refused("hides no file")),
        ("a whiteout of above", |t, _| t.file("a/.wh...", ""), Refused("hides no file")),
        ("a whiteout above", |t, _| t.file("../canary/.wh.secret", ""), Refused("leads out")),
        (
            "a whiteout through a link",
            |t, c| t.symlink("d", c).file("d/.wh.secret", ""),
            Harmless(|place, report| place.has("d") && report.whiteouts == 0),
        ),
        (
            "an opaque directory through a link",
            |t, c| {
                t.symlink("d", c)
                    .file("d/.wh..wh..opq", "")
                    .symlink("e", "..")
                    .file("e/.wh..wh..opq", "")
            },
            Harmless(|place, report| place.has("d") && report.whiteouts == 0),
        ),
        (
            "a name of 300 bytes",
            |t, _| t.pax(&[("path", &[b'n'; 300])]).file("n", ""),
            Refused("write nnn"),
        ),
        (
            "a path longer than the kernel takes",
            |t, _| t.pax(&[("path", "a/".repeat(2_500).as_bytes())]).file("n", ""),
            Refused("4095"),
        ),
        ("a NUL in a name", |t, _| t.pax(&[("path", b"a\0b")]).file("n", ""), Refused("NUL")),
        ("a link to nowhere at all", |t, _| t.symlink("x", ""), Refused("leads nowhere")),
        ("a size given twice", |t, _| t.pax(&[("size", b"0")]).file("n", "abc"), Refused("twice")),
        (
            "sparse in PAX form",
            |t, _| t.pax(&[("GNU.sparse.major", b"1")]).file("n", "abc"),
            Refused("sparse"),
        ),
        (
            "too deep",
            |t, _| t.pax(&[("path", "d/".repeat(300).as_bytes())]).file("n", ""),
            Refused("image-depth"),
        ),
        (
            "too deep by links",
            |mut t, _| {
                let mut deep = String::new();
                for level in 0..8 {
                    let path = format!("{deep}{}", "d/".repeat(40));
                    t = t.pax(&[("path", path.as_bytes())]).dir("n");
                    t = t.symlink(&format!("l{level}"), path.trim_end_matches('/'));
                    deep = format!("l{level}/");
                }
                t
            },
            Refused("image-depth"),
        ),
        (
            "more files than may be",
            |mut t, _| {
                for n in 0..1_001 {
                    t = t.file(&n.to_string(), "");
                }
                t
            },
            Refused("image-files"),
        ),
        (
            "more bytes than may be",
            |t, _| {
                let half = "x".repeat(2_100_000);
                t.file("a", &half).file("b", &half)
            },
            Refused("image-bytes"),
        ),
        (
            "the same bytes again and again",
            |mut t, _| {
                for _ in 0..5 {
                    t = t.file("a", &"x".repeat(1_000_000));
                }
                t
            },
            Refused("image-bytes"),
        ),
        (
            "a sparse file of an exabyte",
            |t, _| {
                let mut header = Tar::header(EntryType::GNUSparse, b"s", b"", 0o644, 0);
                let gnu = header.as_gnu_mut().unwrap();
                gnu.realsize = [0x80, 0, 0, 0, 0x10, 0, 0, 0, 0, 0, 0, 0];
                gnu.sparse[0].offset = gnu.realsize;
                gnu.sparse[0].numbytes = *b"00000000000\0";
                header.set_cksum();
                t.with(&header, b"")
            },
            Refused("image-bytes"),
        ),
        (
            "an unknown kind",
            |t, _| t.with(&Tar::header(EntryType::new(b'Z'), b"z", b"", 0, 0), b""),
            Harmless(|place, report| !place.has("z") && report.others_left_out == 1),
        ),
    ];
    for (what, make, fate) in table {
        let place = Place::new();
        let bytes = make(Tar::default(), &canary(&place)).bytes();
        match (place.archive(&bytes), fate) {
            (Err(said), Refused(words)) => {
                assert!(said.contains(words), "{what}: {said} does not say {words:?}");
            }
            (Ok(unpacked), Harmless(holds)) => {
                assert!(holds(&place, &unpacked.report), "{what}: {:?}", unpacked.report);
            }
            (Err(said), Harmless(_)) => panic!("{what} is refused: {said}"),
            (Ok(unpacked), Refused(_)) => panic!("{what} is unpacked: {unpacked:?}"),
        }
    }
}

#[test]
fn long_names_are_read_and_endless_ones_are_not() {
    let place = Place::new();
    let long = format!("{}/file", vec!["directory"; 30].join("/"));
    let mut builder = Builder::new(Vec::new());
    let mut header = Tar::header(EntryType::Regular, b"", b"", 0o644, 1);
    builder.append_data(&mut header, &long, &b"x"[..]).unwrap();
    place.archive(&builder.into_inner().unwrap()).unwrap();
    assert_eq!(place.read(&long), "x");
    let endless = vec![b'n'; 2 << 20];
    for kind in [EntryType::GNULongName, EntryType::GNULongLink, EntryType::XHeader] {
        let header = Tar::header(kind, b"././@LongLink", b"", 0, endless.len() as u64);
        let bytes = Tar::default().with(&header, &endless).file("n", "").bytes();
        let said = Place::new().archive(&bytes).unwrap_err();
        assert!(said.contains("image-entry-bytes"), "{said}");
    }
}

#[test]
fn sparse_files_of_gnu_tar_come_out_whole() {
    // Ten bytes at 4096, ten at 1,000,000: what `tar --sparse` writes.
    let octal = |n: u64| {
        let mut text = [0; 12];
        text[..11].copy_from_slice(format!("{n:011o}").as_bytes());
        text
    };
    let mut header = Tar::header(EntryType::GNUSparse, b"s", b"", 0o644, 1024);
    let gnu = header.as_gnu_mut().unwrap();
    gnu.realsize = octal(1_000_512);
    for (slot, (offset, len)) in [(4096, 512), (1_000_000, 512)].into_iter().enumerate() {
        gnu.sparse[slot].offset = octal(offset);
        gnu.sparse[slot].numbytes = octal(len);
    }
    header.set_cksum();
    let place = Place::new();
    place.archive(&Tar::default().with(&header, &[b'x'; 1024]).bytes()).unwrap();
    let content = fs::read(place.root().join("s")).unwrap();
    assert_eq!(content.len(), 1_000_512);
    assert_eq!(content.iter().filter(|&&byte| byte == b'x').count(), 1024);
    assert_eq!((content[4096], content[1_000_000], content[500_000]), (b'x', b'x', 0));
    assert!(place.meta("s").blocks() * 512 < 500_000, "zeros are holes");
}

#[test]
fn bombs_and_broken_archives() {
    let good = Tar::default().file("a", &"text".repeat(1000)).bytes();
    let packed = gzip(&good);
    let squeezed = zstd(&good);
    for (what, bytes, words) in [
        ("a bomb", gzip(&vec![0; 8 << 20]), "image-bytes"),
        ("a bomb of zstd", zstd(&vec![0; 8 << 20]), "image-bytes"),
        ("cut gzip", packed[..packed.len() - 9].to_vec(), "decompressed"),
        ("cut zstd", squeezed[..squeezed.len() / 2].to_vec(), "decompressed"),
        ("cut in a file", good[..1024].to_vec(), "cut short"),
        ("cut in a header", good[..300].to_vec(), "cannot be read"),
        ("behind gzip", [&packed[..], b"behind it"].concat(), "decompressed"),
        ("xz", b"\xfd7zXZ\0rest".to_vec(), "xz"),
        ("bzip2", b"BZh91AY&SY".to_vec(), "bzip2"),
        ("a text", b"hello, this is no archive at all\n".repeat(40), "cannot be read"),
        ("nothing", Vec::new(), "there is nothing in it"),
        ("only zeros", vec![0; 1024], "there is nothing in it"),
    ] {
        let said = Place::new().archive(&bytes).unwrap_err();
        assert!(said.contains(words), "{what}: {said} does not say {words:?}");
    }
    let mut wrong = good.clone();
    wrong[0] ^= 1;
    let said = Place::new().archive(&wrong).unwrap_err();
    assert!(said.contains("checksum"), "{said}");
}
