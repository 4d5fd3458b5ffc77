//! What killed servers and runs have left: groups, stages, images half made.

use std::fs;
use std::path::{Path, PathBuf};
use std::rc::Rc;

use anyhow::Context as _;

use super::{Finding, Host, Severity};
use crate::launcher::cgroup::{BASE, Hierarchies};
use crate::launcher::sweep;
use crate::launcher::uids::RUN_DIRECTORY;

const CLEAN: &str = "vitrine doctor --clean";

/// Something that was removed.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Removed {
    /// `cgroup`, `stage` or `image`.
    pub(super) what: &'static str,
    /// Its path; a group's is below each hierarchy.
    pub(super) path: String,
}

pub(super) fn check(host: &Host) -> Vec<Finding> {
    let groups = Hierarchies::detect().map(|found| sweep::orphans(&found)).unwrap_or_default();
    let groups = groups.iter().map(|name| format!("{BASE}/{name}")).collect();
    vec![
        told("leftover-cgroups", "processes in them may still run", groups),
        told("leftover-stages", "each is a mount on the host", shown(stages(host))),
        told("leftover-images", "each takes room on the disk", shown(half_images(host))),
    ]
}

fn shown(paths: Vec<PathBuf>) -> Vec<String> {
    paths.iter().map(|path| path.display().to_string()).collect()
}

fn told(id: &'static str, why: &str, left: Vec<String>) -> Finding {
    if left.is_empty() {
        return Finding::ok(id, "none");
    }
    let found = format!("{} left by what was killed: {}", left.len(), left.join(", "));
    Finding::new(Severity::Warning, id, found, why, CLEAN)
}

fn stages(host: &Host) -> Vec<PathBuf> {
    sweep::orphan_stages(&host.path(RUN_DIRECTORY))
}

/// Directories in which a process that lives no more was making an image: `new-PID`.
fn half_images(host: &Host) -> Vec<PathBuf> {
    let entries = fs::read_dir(host.data.join("images")).into_iter().flatten().flatten();
    let is_left = |name: &str| {
        let pid = name.strip_prefix("new-").and_then(|rest| rest.split('-').next());
        let pid = pid.and_then(|pid| pid.parse::<u32>().ok());
        pid.is_some_and(|pid| !Path::new("/proc").join(pid.to_string()).exists())
    };
    entries
        .filter(|entry| entry.file_name().to_str().is_some_and(is_left))
        .map(|entry| entry.path())
        .collect()
}

/// Removes all of it, and says what.
pub(super) fn clean(host: &Host) -> anyhow::Result<Vec<Removed>> {
    anyhow::ensure!(
        host.is_root(),
        "--clean needs root: what is left belongs to servers that root started; run it with sudo"
    );
    let hierarchies = Rc::new(Hierarchies::detect().context("read /proc/self/mountinfo")?);
    let names = sweep::orphans(&hierarchies);
    sweep::sweep(&hierarchies).context("remove the groups that were left")?;
    let stages = stages(host);
    stages.iter().for_each(|stage| sweep::remove_stage(stage));
    let images = half_images(host);
    for image in &images {
        fs::remove_dir_all(image).with_context(|| format!("remove {}", image.display()))?;
    }
    let groups = names.iter().map(|name| ("cgroup", format!("{BASE}/{name}")));
    let stages = shown(stages).into_iter().map(|path| ("stage", path));
    let images = shown(images).into_iter().map(|path| ("image", path));
    Ok(groups.chain(stages).chain(images).map(|(what, path)| Removed { what, path }).collect())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::doctor::fixture;

    #[test]
    fn only_what_the_dead_have_left() {
        let own = std::process::id();
        let (dir, host) = fixture(&[
            ("/run/vitrine/stage-4194305-1/x", ""),
            ("/run/vitrine/uids", ""),
            ("/data/images/new-4194305/x", ""),
            ("/data/images/busybox-1-2/x", ""),
        ]);
        fs::create_dir_all(dir.path().join(format!("data/images/new-{own}"))).unwrap();
        assert_eq!(stages(&host), [dir.path().join("run/vitrine/stage-4194305-1")]);
        assert_eq!(half_images(&host), [dir.path().join("data/images/new-4194305")]);
        assert_eq!(told("leftover-stages", "", Vec::new()).severity, Severity::Ok);
        let one = told("leftover-images", "", shown(half_images(&host)));
        assert_eq!(one.mend, CLEAN);
        assert!(one.found.starts_with("1 left"));
    }

    #[test]
    fn an_ordinary_user_cleans_nothing() {
        let (_dir, mut host) = fixture(&[]);
        host.uid = 1000;
        assert!(clean(&host).unwrap_err().to_string().contains("sudo"));
    }
}
