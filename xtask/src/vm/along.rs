//! What of this host goes along into the guest: all that the lab image is put together from, and
//! what tests call by name.

use std::path::{Path, PathBuf};

use anyhow::{Context as _, Result};

use super::disk::Disk;
use crate::project::Project;
use crate::{stamp, tool};

/// The list that the lab image is made by.
#[allow(dead_code, reason = "the image takes more of it than the guest's disk does")]
#[path = "../../../backend/src/launcher/images/lab/tools.rs"]
mod lab;

/// Programs that tests call and the lab image has not: maps of ordinary users, what tells of
/// libraries, the other view of `/proc`, a language's run-time.
const CALLED: &[&str] =
    &["newuidmap", "newgidmap", "lxcfs", "python3", "fusermount3", "fusermount"];
/// The owner and the bit that `newuidmap` lives by: whoever makes the disk may be nobody there.
pub(super) const SETUID: &str = "\
for f in newuidmap newgidmap; do chown 0:0 /usr/bin/$f && chmod 4755 /usr/bin/$f; done
";

/// Puts everything on the disk.
pub(super) fn put(project: &Project, disk: &mut Disk) -> Result<()> {
    let names = lab::TOOLS.iter().flat_map(|line| line.split(' '));
    let tools: Vec<(PathBuf, String)> = names
        .chain(CALLED.iter().copied())
        .filter_map(|name| Some((find(name)?, format!("usr/bin/{name}"))))
        .collect();
    disk.programs(&tools)?;
    for terminal in lab::TERMINALS {
        let letter = terminal.get(..1).unwrap_or_default();
        let places = lab::TERMINFO.iter().map(|place| Path::new(place).join(letter).join(terminal));
        if let Some(file) = places.into_iter().find(|path| path.is_file()) {
            disk.file(&file)?;
        }
    }
    for locale in lab::LOCALES {
        disk.directory(Path::new(locale), |_| true)?;
    }
    python(disk)?;
    disk.programs(&lxcfs())?;
    let probe = probe(project)?;
    disk.programs(&[(probe, "vm/probe".into())])
}

/// Where the lab image looks for a tool.
fn find(name: &str) -> Option<PathBuf> {
    let mut paths = lab::DIRECTORIES.iter().map(|place| Path::new(place).join(name));
    paths.find(|path| path.is_file())
}

/// The part of the library that python needs to begin, and to ask what it runs on.
fn python(disk: &mut Disk) -> Result<()> {
    let python = std::fs::canonicalize("/usr/bin/python3").context("no /usr/bin/python3")?;
    let name = python.file_name().unwrap_or_default();
    let library = Path::new("/usr/lib").join(name);
    let is_meant = |path: &Path| {
        path.extension().is_some_and(|end| end == "py")
            && (path.parent() == Some(&library) || path.starts_with(library.join("encodings")))
    };
    disk.directory(&library, is_meant)
}

/// The library that lxcfs loads by name, so that `ldd` does not tell of it.
fn lxcfs() -> Vec<(PathBuf, String)> {
    let places = std::fs::read_dir("/usr/lib").into_iter().flatten().flatten();
    let files =
        places.flat_map(|place| stamp::files(&place.path().join("lxcfs")).unwrap_or_default());
    let named = |path: PathBuf| {
        let to = path.strip_prefix("/").ok()?.to_str()?.to_owned();
        Some((path, to))
    };
    files.filter_map(named).collect()
}

/// The probe, built here: there is no compiler in the guest.
fn probe(project: &Project) -> Result<PathBuf> {
    let to = project.path("target/vm/probe");
    let source = project.path("tests/probe.rs");
    let mut rustc = project.command("rustc");
    rustc.args(["--edition=2024", "-Copt-level=1", "-Ctarget-feature=+crt-static"]);
    tool::run(rustc.arg("-Cstrip=symbols").arg(source).arg("-o").arg(&to))?;
    Ok(to)
}
