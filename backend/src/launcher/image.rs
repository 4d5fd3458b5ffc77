//! `vitrine image`: what is in the store, added to it, taken from it.

use std::path::Path;

use anyhow::Context as _;
use serde::Serialize;

use super::images::{Added, ImageError, Images};

/// An image, as `vitrine image list --json` writes it.
#[derive(Clone, Debug, Serialize)]
pub struct Row {
    /// The word for `--rootfs`.
    pub name: String,
    /// `busybox`, `lab`, `directory`, `tar`, `oci` or `docker`.
    pub kind: String,
    /// Is it there? Those of our own are made when they are first used.
    pub made: bool,
    /// Bytes of its files, when it is there.
    pub bytes: Option<u64>,
    /// Files, directories and links, when it is there.
    pub files: Option<u64>,
    /// When it was added: Unix time, in milliseconds.
    pub added_msec: Option<u64>,
    /// The digest of its manifest or configuration.
    pub digest: Option<String>,
    /// What `vitrine run` runs when no command is given.
    pub command: Vec<String>,
    /// Its environment.
    pub env: Vec<String>,
    /// The user that it names; containers start as root of their own all the same.
    pub user: String,
    /// The directory that it names; containers start in `/` all the same.
    pub working_dir: String,
    /// What was left out or changed on purpose, and how often.
    pub left_out: Vec<(String, u64)>,
    /// Tools of the lab image that busybox answers for.
    pub busybox: Vec<String>,
    /// Tools of the lab image that this host lacks.
    pub missing: Vec<String>,
}

impl Row {
    fn of_our_own(name: &str, made: Option<(u64, u64)>) -> Self {
        Row {
            name: name.into(),
            kind: name.into(),
            made: made.is_some(),
            bytes: made.map(|(bytes, _)| bytes),
            files: made.map(|(_, files)| files),
            added_msec: None,
            digest: None,
            command: Vec::new(),
            env: Vec::new(),
            user: String::new(),
            working_dir: String::new(),
            left_out: Vec::new(),
            busybox: Vec::new(),
            missing: Vec::new(),
        }
    }

    fn added(added: Added) -> Self {
        let report = &added.report;
        let left_out = [
            ("device nodes left out", report.devices_left_out),
            ("named pipes left out", report.fifos_left_out),
            ("sockets and others left out", report.others_left_out),
            ("setuid and setgid bits cleared", report.setuid_cleared),
            ("extended attributes dropped", report.xattrs_dropped),
            ("owners beyond 65535 made nobody", report.owners_clamped),
        ];
        let left_out = left_out.iter().filter(|(_, count)| *count > 0);
        let files = report.files + report.directories + report.symlinks + report.hard_links;
        let kind = serde_json::to_value(added.kind).ok();
        let kind = kind.and_then(|kind| kind.as_str().map(str::to_string)).unwrap_or_default();
        Row {
            kind,
            added_msec: Some(added.added_msec),
            digest: added.digest,
            command: added.config.command(),
            left_out: left_out.map(|&(what, count)| (what.to_string(), count)).collect(),
            env: added.config.env,
            user: added.config.user,
            working_dir: added.config.working_dir,
            ..Row::of_our_own(&added.name, Some((report.bytes, files)))
        }
    }
}

/// Adds an image.
pub fn add(data: &Path, name: &str, source: &Path) -> anyhow::Result<Row> {
    let images = open(data)?;
    match images.add(name, source) {
        Ok(added) => Ok(Row::added(added)),
        Err(err @ ImageError::Refused { .. }) => {
            Err(anyhow::Error::from(err).context(source.display().to_string()))
        }
        Err(err) => Err(err.into()),
    }
}

/// All images, those of our own first.
pub fn list(data: &Path) -> Vec<Row> {
    // Only looked at: a store that is not there is an empty one.
    let mut rows = Vec::new();
    let images = Images::look(data);
    rows.push(Row::of_our_own("busybox", images.about_busybox()));
    let lab = images.about_lab();
    rows.push(Row {
        busybox: lab.busybox,
        missing: lab.missing,
        ..Row::of_our_own("lab", lab.made)
    });
    rows.extend(images.names().iter().filter_map(|name| images.about(name)).map(Row::added));
    rows
}

/// Removes an image; false when its files go later, because something runs in it.
pub fn remove(data: &Path, name: &str) -> anyhow::Result<bool> {
    Ok(open(data)?.remove(name)?)
}

fn open(data: &Path) -> anyhow::Result<Images> {
    Images::open(data).with_context(|| {
        format!(
            "the image store in {}; choose another directory with --data, or use sudo",
            data.display()
        )
    })
}
