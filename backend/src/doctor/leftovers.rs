//! What killed servers and runs have left: groups, stages, images half made.

use std::path::PathBuf;
use std::rc::Rc;

use anyhow::Context as _;

use super::{Finding, Host, Severity};
use crate::launcher::cgroup::{BASE, Hierarchies};
use crate::launcher::uids::RUN_DIRECTORY;
use crate::launcher::{images, sweep};

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
        match images::leftovers(&host.data, false) {
            Some(left) => told("leftover-images", "each takes room on the disk", shown(left)),
            None => Finding::new(
                Severity::Note,
                "leftover-images",
                "not looked at: somebody makes images all the time",
                "they are swept by whoever makes the next one",
                "",
            ),
        },
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
    let images = images::leftovers(&host.data, true).unwrap_or_default();
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
        let (dir, host) = fixture(&[
            ("/run/vitrine/stage-4194305-1/x", ""),
            ("/run/vitrine/uids", ""),
            ("/data/images/new-4194305-0/x", ""),
            ("/data/images/busybox-1-2/x", ""),
        ]);
        assert_eq!(stages(&host), [dir.path().join("run/vitrine/stage-4194305-1")]);
        let half = dir.path().join("data/images/new-4194305-0");
        assert_eq!(images::leftovers(&host.data, false), Some(vec![half.clone()]));
        assert_eq!(told("leftover-stages", "", Vec::new()).severity, Severity::Ok);
        let one = told("leftover-images", "", shown(vec![half]));
        assert_eq!(one.mend, CLEAN);
        assert!(one.found.starts_with("1 left"));
    }

    #[test]
    fn an_ordinary_user_cleans_nothing() {
        let (_dir, mut host) = fixture(&[]);
        crate::doctor::as_user(&mut host, "ann");
        assert!(clean(&host).unwrap_err().to_string().contains("sudo"));
    }
}
