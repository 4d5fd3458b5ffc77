//! Which layers make an image, and how it is run: OCI's index and manifest, Docker's list.

use serde::Deserialize;
use vitrine_shared::limits::IMAGE_LAYERS;

use super::blob::{self, Wanted};
use super::source::Files;
use super::{Config, UnpackError, below, shown};

/// An index that names an index that names …
const DEEPEST: usize = 4;
/// Words and bytes of what an image says about how it is run.
const MOST_WORDS: usize = 256;
const MOST_BYTES: usize = 64 * 1024;

/// What is to be unpacked.
#[derive(Debug)]
pub(super) struct Image {
    pub(super) digest: String,
    pub(super) layers: Vec<Wanted>,
    pub(super) config: Config,
}

#[derive(Debug, Deserialize)]
struct Descriptor {
    #[serde(default, rename = "mediaType")]
    media_type: String,
    digest: String,
    size: u64,
    platform: Option<Platform>,
}

#[derive(Debug, Deserialize)]
struct Platform {
    #[serde(default)]
    os: String,
    #[serde(default)]
    architecture: String,
}

#[derive(Debug, Deserialize)]
struct Index {
    manifests: Vec<Descriptor>,
}

#[derive(Debug, Deserialize)]
struct Manifest {
    config: Descriptor,
    layers: Vec<Descriptor>,
}

#[derive(Debug, Deserialize)]
struct Configuration {
    config: Option<Run>,
    rootfs: Option<Rootfs>,
    #[serde(default)]
    os: String,
    #[serde(default)]
    architecture: String,
}

#[derive(Debug, Deserialize)]
struct Rootfs {
    diff_ids: Vec<String>,
}

#[derive(Debug, Default, Deserialize)]
#[serde(rename_all = "PascalCase")]
struct Run {
    env: Option<Vec<String>>,
    entrypoint: Option<Vec<String>>,
    cmd: Option<Vec<String>>,
    working_dir: Option<String>,
    user: Option<String>,
}

/// One image in a `docker save` archive.
#[derive(Debug, Deserialize)]
#[serde(rename_all = "PascalCase")]
struct Saved {
    config: String,
    #[serde(default)]
    repo_tags: Option<Vec<String>>,
    layers: Vec<String>,
}

fn parse<'a, T: Deserialize<'a>>(name: &str, text: &'a [u8]) -> Result<T, UnpackError> {
    serde_json::from_slice(text)
        .map_err(|err| UnpackError::Wrong(format!("{name} is not what it should be: {err}")))
}

/// The hexadecimal part of `sha256:…`: nothing else becomes the name of a file.
fn sha256_of(digest: &str) -> Result<&str, UnpackError> {
    let hex = digest.strip_prefix("sha256:").filter(|hex| is_sha256(hex));
    hex.ok_or_else(|| {
        let shown = shown(digest.as_bytes());
        UnpackError::Wrong(format!("{shown} is not a digest: sha256: and 64 hexadecimal digits"))
    })
}

fn is_sha256(hex: &str) -> bool {
    let lower = |b: u8| b.is_ascii_digit() || (b'a'..=b'f').contains(&b);
    hex.len() == 64 && hex.bytes().all(lower)
}

/// A small blob of an OCI layout, compared with its digest and size.
fn small(files: &Files, descriptor: &Descriptor) -> Result<Vec<u8>, UnpackError> {
    let hex = sha256_of(&descriptor.digest)?;
    let name = format!("blobs/sha256/{hex}");
    let bytes = files.small(&name)?;
    if bytes.len() as u64 != descriptor.size {
        let (has, size) = (bytes.len(), descriptor.size);
        return Err(UnpackError::Wrong(format!("{name} has {has} bytes; {size} are promised")));
    }
    blob::compare(&name, "digest", hex, &blob::sha256(&bytes))?;
    Ok(bytes)
}

/// The image of an OCI layout for this kind of machine.
pub(super) fn oci(files: &Files) -> Result<Image, UnpackError> {
    let text = files.small("index.json")?;
    let index: Index = parse("index.json", &text)?;
    let descriptor = choose(files, index, DEEPEST)?;
    let text = small(files, &descriptor)?;
    let manifest: Manifest = parse("the manifest", &text)?;
    below(IMAGE_LAYERS, manifest.layers.len() as u64, || "the manifest".into())?;
    let configuration: Configuration =
        parse("the configuration", &small(files, &manifest.config)?)?;
    let diff_ids = configuration.check(manifest.layers.len())?;
    let layer = |(layer, diff_id): (&Descriptor, &String)| {
        let hex = sha256_of(&layer.digest)?;
        Ok(Wanted {
            name: format!("blobs/sha256/{hex}"),
            digest: Some(hex.into()),
            size: Some(layer.size),
            diff_id: sha256_of(diff_id)?.into(),
        })
    };
    let layers = manifest.layers.iter().zip(&diff_ids).map(layer);
    Ok(Image {
        digest: descriptor.digest.clone(),
        layers: layers.collect::<Result<_, UnpackError>>()?,
        config: configuration.config.unwrap_or_default().into_config()?,
    })
}

/// The one manifest for this machine; an index in it is looked into.
fn choose(files: &Files, index: Index, deeper: usize) -> Result<Descriptor, UnpackError> {
    let (os, architecture) = platform();
    let here = |descriptor: &Descriptor| match &descriptor.platform {
        Some(platform) => platform.os == os && platform.architecture == architecture,
        // It does not say: its configuration will.
        None => true,
    };
    let count = index.manifests.len();
    let mut fitting: Vec<Descriptor> = index.manifests.into_iter().filter(here).collect();
    // The same one under two names.
    fitting.dedup_by(|a, b| a.digest == b.digest);
    let Some(first) = fitting.pop() else {
        return Err(UnpackError::Wrong(format!(
            "none of its {count} manifests is for {os}/{architecture}"
        )));
    };
    if !fitting.is_empty() {
        let more = fitting.len() + 1;
        return Err(UnpackError::Wrong(format!(
            "it holds {more} images for {os}/{architecture}; make one that holds just the one you mean"
        )));
    }
    if !first.media_type.ends_with("index.v1+json") && !first.media_type.ends_with("list.v2+json") {
        return Ok(first);
    }
    if deeper == 0 {
        return Err(UnpackError::wrong("its indexes name each other too deeply"));
    }
    let text = small(files, &first)?;
    choose(files, parse("an index", &text)?, deeper - 1)
}

/// Is this `manifest.json` Docker's?
pub(super) fn is_docker(text: &[u8]) -> bool {
    serde_json::from_slice::<Vec<Saved>>(text).is_ok_and(|saved| !saved.is_empty())
}

/// The image of a `docker save` archive.
pub(super) fn docker(files: &Files) -> Result<Image, UnpackError> {
    let text = files.small("manifest.json")?;
    let mut saved: Vec<Saved> = parse("manifest.json", &text)?;
    let Some(image) = saved.pop() else { return Err(UnpackError::wrong("it holds no image")) };
    if !saved.is_empty() {
        let tags = saved.iter().chain([&image]).flat_map(|image| image.repo_tags.iter().flatten());
        let tags: Vec<String> = tags.map(|tag| shown(tag.as_bytes())).take(8).collect();
        return Err(UnpackError::Wrong(format!(
            "it holds {} images ({}); save just the one you mean",
            saved.len() + 1,
            tags.join(", ")
        )));
    }
    below(IMAGE_LAYERS, image.layers.len() as u64, || "the manifest".into())?;
    let text = files.small(&image.config)?;
    let digest = blob::sha256(&text);
    if let Some(promised) = named_digest(&image.config) {
        blob::compare(&image.config, "digest", promised, &digest)?;
    }
    let configuration: Configuration = parse("the configuration", &text)?;
    let diff_ids = configuration.check(image.layers.len())?;
    let layer = |(name, diff_id): (&String, &String)| {
        Ok(Wanted {
            name: name.clone(),
            digest: named_digest(name).filter(|_| name.starts_with("blobs/")).map(str::to_string),
            size: None,
            diff_id: sha256_of(diff_id)?.into(),
        })
    };
    let layers = image.layers.iter().zip(&diff_ids).map(layer);
    Ok(Image {
        digest: format!("sha256:{digest}"),
        layers: layers.collect::<Result<_, UnpackError>>()?,
        config: configuration.config.unwrap_or_default().into_config()?,
    })
}

/// The digest in a name such as `4f3a….json` or `blobs/sha256/4f3a…`.
fn named_digest(name: &str) -> Option<&str> {
    let last = name.rsplit('/').next()?;
    let hex = last.strip_suffix(".json").unwrap_or(last);
    is_sha256(hex).then_some(hex)
}

fn platform() -> (&'static str, &'static str) {
    let architecture = match std::env::consts::ARCH {
        "x86_64" => "amd64",
        "aarch64" => "arm64",
        other => other,
    };
    ("linux", architecture)
}

impl Configuration {
    /// It is for this machine, and has a digest for each layer.
    fn check(&self, layers: usize) -> Result<Vec<String>, UnpackError> {
        let (os, architecture) = platform();
        let is = |given: &str, wanted| given.is_empty() || given == wanted;
        if !is(&self.os, os) || !is(&self.architecture, architecture) {
            let given = shown(format!("{}/{}", self.os, self.architecture).as_bytes());
            return Err(UnpackError::Wrong(format!(
                "the image is for {given}, this machine is {os}/{architecture}"
            )));
        }
        let diff_ids = self.rootfs.as_ref().map(|rootfs| rootfs.diff_ids.clone());
        let diff_ids = diff_ids
            .ok_or_else(|| UnpackError::wrong("its configuration is not that of an image"))?;
        if diff_ids.len() != layers {
            let ids = diff_ids.len();
            return Err(UnpackError::Wrong(format!(
                "the manifest names {layers} layers, the configuration {ids}"
            )));
        }
        Ok(diff_ids)
    }
}

impl Run {
    fn into_config(self) -> Result<Config, UnpackError> {
        let config = Config {
            env: self.env.unwrap_or_default(),
            entrypoint: self.entrypoint.unwrap_or_default(),
            cmd: self.cmd.unwrap_or_default(),
            working_dir: self.working_dir.unwrap_or_default(),
            user: self.user.unwrap_or_default(),
        };
        let words = || {
            let lists = [&config.env, &config.entrypoint, &config.cmd];
            lists.into_iter().flatten().chain([&config.working_dir, &config.user])
        };
        let bytes: usize = words().map(String::len).sum();
        if words().count() > MOST_WORDS || bytes > MOST_BYTES {
            return Err(UnpackError::Wrong(format!(
                "its configuration has more than {MOST_WORDS} words or {MOST_BYTES} bytes"
            )));
        }
        if words().any(|word| word.contains('\0')) {
            return Err(UnpackError::wrong("a word of its configuration has a NUL in it"));
        }
        let is_variable = |line: &String| line.find('=').is_some_and(|at| at > 0);
        if !config.env.iter().all(is_variable) {
            return Err(UnpackError::wrong("an environment variable of its has no name"));
        }
        Ok(config)
    }
}
