//! OCI layouts and `docker save` archives: as they should be, and each thing wrong with them.

use serde_json::{Value, json};

use super::super::blob::sha256;
use super::*;

/// A layout: files by name.
#[derive(Clone)]
pub(super) struct Layout(pub(super) BTreeMap<String, Vec<u8>>);

impl Layout {
    fn blob(&mut self, bytes: &[u8]) -> String {
        let digest = sha256(bytes);
        self.0.insert(format!("blobs/sha256/{digest}"), bytes.to_vec());
        format!("sha256:{digest}")
    }

    fn json(&mut self, value: &Value) -> (String, usize) {
        let text = serde_json::to_vec(value).unwrap();
        (self.blob(&text), text.len())
    }

    pub(super) fn tar(&self) -> Vec<u8> {
        let mut builder = Builder::new(Vec::new());
        for (name, bytes) in &self.0 {
            let mut header = Tar::header(EntryType::Regular, b"", b"", 0o644, bytes.len() as u64);
            builder.append_data(&mut header, name, &bytes[..]).unwrap();
        }
        builder.into_inner().unwrap()
    }

    fn directory(&self) -> tempfile::TempDir {
        let dir = tempfile::tempdir().unwrap();
        for (name, bytes) in &self.0 {
            let path = dir.path().join(name);
            fs::create_dir_all(path.parent().unwrap()).unwrap();
            fs::write(path, bytes).unwrap();
        }
        dir
    }
}

/// Three layers: one lays files, the next hides some and replaces others, the last links.
pub(super) fn layers() -> Vec<Vec<u8>> {
    let lowest = Tar::default()
        .dir("etc")
        .file("etc/kept", "1")
        .file("etc/hidden", "1")
        .file("etc/changed", "1")
        .dir("opaque")
        .file("opaque/lower", "1")
        .dir("opaque/sub")
        .file("opaque/sub/lower", "1")
        .dir("gone")
        .file("gone/in", "1")
        .symlink("bin", "usr/bin")
        .dir("usr/bin")
        .file("usr/bin/tool", "1")
        .bytes();
    let middle = Tar::default()
        .file("etc/.wh.hidden", "")
        .file("etc/changed", "2")
        .file(".wh.gone", "")
        // The marker comes last: what this layer has stays all the same.
        .file("opaque/upper", "2")
        .file("opaque/sub/upper", "2")
        .file("opaque/.wh..wh..opq", "")
        .file("bin/new", "2")
        .file(".wh..wh.plnk", "")
        .bytes();
    let highest = Tar::default().link("etc/second", "etc/kept").file("etc/.wh.nothing", "").bytes();
    vec![lowest, middle, highest]
}

fn check_layers(place: &Place) {
    assert_eq!((place.read("etc/kept"), place.read("etc/changed")), ("1".into(), "2".into()));
    for hidden in ["etc/hidden", "gone", "opaque/lower", "opaque/sub/lower"] {
        assert!(!place.has(hidden), "{hidden} is not hidden");
    }
    assert_eq!(place.read("opaque/upper") + &place.read("opaque/sub/upper"), "22");
    assert!(place.meta("bin").is_symlink());
    assert_eq!(place.read("usr/bin/new") + &place.read("usr/bin/tool"), "21");
    assert_eq!(place.meta("etc/second").ino(), place.meta("etc/kept").ino());
    let names = super::super::tree::names(&File::open(place.root()).unwrap().into()).unwrap();
    assert!(!names.iter().any(|name| name.to_string_lossy().starts_with(".wh.")), "{names:?}");
}

fn configuration(layers: &[Vec<u8>]) -> Value {
    let ids: Vec<String> = layers.iter().map(|tar| format!("sha256:{}", sha256(tar))).collect();
    json!({
        "architecture": if cfg!(target_arch = "aarch64") { "arm64" } else { "amd64" },
        "os": "linux",
        "config": { "Env": ["PATH=/usr/bin", "A=b=c"], "Entrypoint": ["/bin/tool"],
            "Cmd": ["serve"], "WorkingDir": "/srv", "User": "1000" },
        "rootfs": { "type": "layers", "diff_ids": ids },
    })
}

fn descriptor(media: &str, digest: &str, size: usize) -> Value {
    json!({ "mediaType": media, "digest": digest, "size": size })
}

const MANIFEST: &str = "application/vnd.oci.image.manifest.v1+json";
const INDEX: &str = "application/vnd.oci.image.index.v1+json";
const LAYER: &str = "application/vnd.oci.image.layer.v1.tar";

type Pack = fn(&[u8]) -> Vec<u8>;
/// What is wrong, how it is done, and what is said.
type Change = (&'static str, fn(&mut Value, &mut Layout), &'static str);
type Configure = (&'static str, fn(&mut Value), &'static str);

/// An OCI layout; `change` may spoil the manifest, and `configure` the configuration.
fn oci_with(
    packings: &[Pack],
    configure: impl FnOnce(&mut Value),
    change: impl FnOnce(&mut Value, &mut Layout),
) -> Layout {
    let mut layout = Layout(BTreeMap::new());
    let layers = layers();
    let described: Vec<Value> = layers
        .iter()
        .zip(packings.iter().cycle())
        .map(|(tar, pack)| {
            let packed = pack(tar);
            descriptor(LAYER, &layout.blob(&packed), packed.len())
        })
        .collect();
    let mut configuration = configuration(&layers);
    configure(&mut configuration);
    let (digest, size) = layout.json(&configuration);
    let config = descriptor("application/vnd.oci.image.config.v1+json", &digest, size);
    let mut manifest = json!({ "schemaVersion": 2, "config": config, "layers": described });
    change(&mut manifest, &mut layout);
    let (digest, size) = layout.json(&manifest);
    let index = json!({ "schemaVersion": 2, "manifests": [descriptor(MANIFEST, &digest, size)] });
    layout.0.insert("index.json".into(), serde_json::to_vec(&index).unwrap());
    layout.0.insert("oci-layout".into(), br#"{"imageLayoutVersion":"1.0.0"}"#.to_vec());
    layout
}

pub(super) fn oci() -> Layout {
    oci_with(&[<[u8]>::to_vec, gzip, zstd], |_| {}, |_, _| {})
}

/// What `docker save` wrote before it wrote OCI layouts.
pub(super) fn docker_with(change: impl FnOnce(&mut Value, &mut Layout)) -> Layout {
    let mut layout = Layout(BTreeMap::new());
    let layers = layers();
    let names: Vec<String> = (0..layers.len()).map(|n| format!("l{n}/layer.tar")).collect();
    for (name, tar) in names.iter().zip(&layers) {
        layout.0.insert(name.clone(), tar.clone());
    }
    let text = serde_json::to_vec(&configuration(&layers)).unwrap();
    let config = format!("{}.json", sha256(&text));
    layout.0.insert(config.clone(), text);
    let mut saved = json!([{ "Config": config, "RepoTags": ["x:1"], "Layers": names }]);
    change(&mut saved, &mut layout);
    layout.0.insert("manifest.json".into(), serde_json::to_vec(&saved).unwrap());
    layout
}

#[test]
fn layers_hide_replace_and_link() {
    for (what, layout, kind) in
        [("oci", oci(), Kind::Oci), ("docker", docker_with(|_, _| {}), Kind::Docker)]
    {
        for from in ["tar", "gzip", "directory"] {
            let place = Place::new();
            let dir = layout.directory();
            let unpacked = match from {
                "tar" => place.archive(&layout.tar()),
                "gzip" => place.archive(&gzip(&layout.tar())),
                _ => place.unpack(Source::Directory(File::open(dir.path()).unwrap().into())),
            };
            let unpacked = unpacked.unwrap_or_else(|err| panic!("{what} from {from}: {err}"));
            assert_eq!((unpacked.kind, unpacked.report.layers), (kind, 3), "{what} from {from}");
            check_layers(&place);
            assert_eq!(unpacked.config.command(), ["/bin/tool", "serve"]);
            assert_eq!(unpacked.config.variables()[1], ("A".into(), "b=c".into()));
            assert_eq!(unpacked.config.user, "1000");
            assert!(unpacked.digest.is_some_and(|digest| digest.starts_with("sha256:")));
        }
    }
}

#[test]
fn an_index_in_the_index_leads_to_the_image_for_this_machine() {
    let mut layout = oci();
    let index: Value = serde_json::from_slice(&layout.0["index.json"]).unwrap();
    let mut right = index["manifests"][0].clone();
    let here = if cfg!(target_arch = "aarch64") { "arm64" } else { "amd64" };
    right["platform"] = json!({ "os": "linux", "architecture": here });
    let mut wrong = descriptor(MANIFEST, &format!("sha256:{}", "0".repeat(64)), 1);
    wrong["platform"] = json!({ "os": "linux", "architecture": "s390x" });
    let (digest, size) = layout.json(&json!({ "manifests": [wrong, right] }));
    let outer = json!({ "manifests": [descriptor(INDEX, &digest, size)] });
    layout.0.insert("index.json".into(), serde_json::to_vec(&outer).unwrap());
    let place = Place::new();
    place.archive(&layout.tar()).unwrap();
    check_layers(&place);
}

#[track_caller]
fn refused(what: &str, layout: &Layout, words: &str) {
    let said = Place::new().archive(&layout.tar()).expect_err(what);
    assert!(said.contains(words), "{what}: {said} does not say {words:?}");
}

#[test]
#[expect(clippy::too_many_lines, reason = "a table")]
fn each_thing_that_is_wrong_with_a_manifest_is_named() {
    let changes: &[Change] = &[
        (
            "a layer is missing",
            |m, l| {
                let digest = m["layers"][1]["digest"].as_str().unwrap().replace(':', "/");
                l.0.remove(&format!("blobs/{digest}"));
            },
            "is missing",
        ),
        (
            "a layer is another",
            |m, l| {
                let digest = m["layers"][1]["digest"].as_str().unwrap().replace(':', "/");
                let blob = l.0.get_mut(&format!("blobs/{digest}")).unwrap();
                let last = blob.len() - 1;
                blob[last] ^= 1;
            },
            "layers",
        ),
        ("a size is wrong", |m, _| m["layers"][0]["size"] = json!(7), "the manifest says 7"),
        (
            "a digest that leads out",
            |m, _| {
                m["layers"][0]["digest"] = json!("sha256:../../../../etc/passwd");
            },
            "is not a digest",
        ),
        (
            "a digest of another kind",
            |m, _| {
                m["layers"][0]["digest"] = json!(format!("md5:{}", "0".repeat(32)));
            },
            "is not a digest",
        ),
        (
            "too many layers",
            |m, _| {
                let layer = m["layers"][0].clone();
                m["layers"] = json!(vec![layer; 129]);
            },
            "image-layers",
        ),
        (
            "layers and digests do not match",
            |m, _| {
                m["layers"].as_array_mut().unwrap().pop();
            },
            "names 2 layers, the configuration 3",
        ),
        (
            "layers in another order",
            |m, _| {
                m["layers"].as_array_mut().unwrap().swap(0, 2);
            },
            "diff_id",
        ),
        (
            "no configuration",
            |m, l| {
                let digest = m["config"]["digest"].as_str().unwrap().replace(':', "/");
                l.0.remove(&format!("blobs/{digest}"));
            },
            "is missing",
        ),
        ("no manifest at all", |m, _| *m = json!([1, 2]), "is not what it should be"),
        (
            "a manifest without end",
            |m, _| m["x"] = json!("x".repeat(5 << 20)),
            "image-manifest-bytes",
        ),
    ];
    for (what, change, words) in changes {
        // Compressed, so that a changed byte is a changed byte somewhere.
        let layout = oci_with(&[gzip], |_| {}, change);
        if *what == "a layer is another" {
            let said = Place::new().archive(&layout.tar()).expect_err(what);
            assert!(said.contains("digest") || said.contains("decompressed"), "{said}");
        } else {
            refused(what, &layout, words);
        }
    }
    let configurations: &[Configure] = &[
        ("another machine", |c| c["architecture"] = json!("s390x"), "the image is for linux/s390x"),
        ("another system", |c| c["os"] = json!("plan9"), "the image is for plan9/"),
        ("no image", |c| c["rootfs"] = json!(null), "not that of an image"),
        ("a NUL", |c| c["config"]["Cmd"] = json!(["a\0b"]), "NUL"),
        ("a variable without a name", |c| c["config"]["Env"] = json!(["=x"]), "no name"),
        ("too many words", |c| c["config"]["Cmd"] = json!(vec!["x"; 300]), "256 words"),
        ("a digest that is none", |c| c["rootfs"]["diff_ids"][0] = json!("x"), "is not a digest"),
        (
            "another content",
            |c| {
                c["rootfs"]["diff_ids"][2] = json!(format!("sha256:{}", "0".repeat(64)));
            },
            "diff_id",
        ),
    ];
    for (what, configure, words) in configurations {
        refused(what, &oci_with(&[gzip], configure, |_, _| {}), words);
    }
}

#[test]
fn indexes_that_do_not_choose() {
    let index = |manifests: Value, layout: &mut Layout| {
        let text = serde_json::to_vec(&json!({ "manifests": manifests })).unwrap();
        layout.0.insert("index.json".into(), text);
    };
    let mut none = oci();
    index(json!([]), &mut none);
    refused("no manifest", &none, "none of its 0 manifests");
    let mut two = oci();
    let first: Value = serde_json::from_slice(&two.0["index.json"]).unwrap();
    let other = descriptor(MANIFEST, &format!("sha256:{}", "1".repeat(64)), 3);
    index(json!([first["manifests"][0], other]), &mut two);
    refused("two images", &two, "holds 2 images");
    let mut deep = oci();
    let first: Value = serde_json::from_slice(&deep.0["index.json"]).unwrap();
    let mut inner = first["manifests"].clone();
    for _ in 0..6 {
        let (digest, size) = deep.json(&json!({ "manifests": inner }));
        inner = json!([descriptor(INDEX, &digest, size)]);
    }
    index(inner, &mut deep);
    refused("index in index in index", &deep, "too deeply");
}

#[test]
fn a_layout_whose_files_lead_out() {
    let mut layout = oci();
    layout.0.remove("index.json");
    let dir = layout.directory();
    std::os::unix::fs::symlink("/etc/passwd", dir.path().join("index.json")).unwrap();
    let place = Place::new();
    let said = place.unpack(Source::Directory(File::open(dir.path()).unwrap().into())).unwrap_err();
    assert!(said.contains("leads out of the layout"), "{said}");
}

#[test]
fn what_docker_saved_and_what_it_did_not() {
    let changes: &[Change] = &[
        ("a layer outside", |m, _| m[0]["Layers"][0] = json!("../../etc/passwd"), "leads out"),
        ("an absolute layer", |m, _| m[0]["Layers"][0] = json!("/etc/passwd"), "is missing"),
        ("a configuration outside", |m, _| m[0]["Config"] = json!("../x"), "leads out"),
        (
            "two images",
            |m, _| {
                let again = m[0].clone();
                m.as_array_mut().unwrap().push(again);
            },
            "holds 2 images (x:1, x:1)",
        ),
        (
            "another configuration",
            |m, l| {
                let name = m[0]["Config"].as_str().unwrap().to_string();
                l.0.get_mut(&name).unwrap().push(b' ');
            },
            "digest",
        ),
        ("another layer", |_, l| l.0.get_mut("l1/layer.tar").unwrap()[0] = b'x', "diff_id"),
    ];
    for (what, change, words) in changes {
        refused(what, &docker_with(change), words);
    }
    // Old ones have links from one layer to the same one elsewhere.
    let layout = docker_with(|_, l| {
        l.0.remove("l1/layer.tar");
    });
    let tar = Tar(Builder::new(layout.tar()[..layout.tar().len() - 1024].to_vec()));
    let (one, two) = (layers()[1].clone(), "else/layer.tar");
    let header = Tar::header(EntryType::Regular, two.as_bytes(), b"", 0o644, one.len() as u64);
    let mut tar = tar.0.into_inner().map(|bytes| bytes[..bytes.len() - 1024].to_vec()).unwrap();
    tar.extend(
        Tar::default().with(&header, &one).symlink("l1/layer.tar", "../else/layer.tar").bytes(),
    );
    let place = Place::new();
    place.archive(&tar).unwrap();
    check_layers(&place);
    // A root that happens to have a file of that name.
    let place = Place::new();
    let bytes = Tar::default().file("manifest.json", "{\"name\": \"x\"}").file("a", "1").bytes();
    assert_eq!(place.archive(&bytes).unwrap().kind, Kind::Tar);
    assert_eq!(place.read("a"), "1");
}
