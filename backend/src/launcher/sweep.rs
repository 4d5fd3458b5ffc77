//! Finds and removes what a killed launcher left.
//!
//! Every launcher has a directory of its own below [`BASE`] in each hierarchy, named for its PID
//! and start time. A directory whose launcher does not live any more is swept: its processes are
//! killed, its groups removed. Namespaces and mounts went with the processes.

use std::fs;
use std::path::{Path, PathBuf};
use std::rc::Rc;
use std::time::Duration;

use nix::mount::{MntFlags, umount2};

use super::cage;
use super::cgroup::{BASE, Cgroup, CgroupError, Hierarchies};

/// The name of this launcher's directory.
pub(crate) fn instance_name() -> String {
    let pid = std::process::id();
    format!("{pid}-{}", start_ticks(pid).unwrap_or(0))
}

/// What killed launchers have left: names of directories below [`BASE`].
pub(crate) fn orphans(hierarchies: &Hierarchies) -> Vec<String> {
    let mut names: Vec<String> = hierarchies
        .iter()
        .flat_map(|hierarchy| fs::read_dir(hierarchy.root.join(BASE)))
        .flat_map(|entries| entries.flatten())
        .filter_map(|entry| entry.file_name().into_string().ok())
        .filter(|name| is_orphan(name))
        .collect();
    names.sort();
    names.dedup();
    names
}

/// Sweeps, and says how many directories there were.
pub(crate) fn sweep(hierarchies: &Rc<Hierarchies>) -> Result<usize, CgroupError> {
    let names = orphans(hierarchies);
    for name in &names {
        // Making it completes what was made in some hierarchies only.
        let group = Cgroup::create(hierarchies, &format!("{BASE}/{name}"))?;
        group.kill_all(Duration::from_secs(5))?;
        group.remove()?;
    }
    cage::remove_instances(hierarchies, is_orphan);
    if !names.is_empty() {
        // Made above in hierarchies that this launcher may not use itself.
        remove_common(hierarchies);
    }
    Ok(names.len())
}

/// Removes this launcher's own directory, and the common one when nobody else has any in it.
pub(crate) fn remove_own(hierarchies: &Rc<Hierarchies>, instance: &str) {
    cage::remove_instances(hierarchies, |name| name == instance);
    for hierarchy in hierarchies.iter() {
        // Not there, or somebody is in it: both are as they should be.
        let _ = fs::remove_dir(hierarchy.root.join(BASE).join(instance));
    }
    remove_common(hierarchies);
}

/// Removes the common directory when nobody has anything in it.
pub(crate) fn remove_common(hierarchies: &Rc<Hierarchies>) {
    for hierarchy in hierarchies.iter() {
        // Not there, or somebody is in it: both are as they should be.
        let _ = fs::remove_dir(hierarchy.root.join(BASE));
    }
}

/// Stages that killed runs left mounted on the host itself.
pub(crate) fn orphan_stages(run: &Path) -> Vec<PathBuf> {
    let entries = fs::read_dir(run).into_iter().flatten().flatten();
    let ours = |name: &str| name.strip_prefix("stage-").is_some_and(is_orphan);
    entries
        .filter(|entry| entry.file_name().to_str().is_some_and(ours))
        .map(|entry| entry.path())
        .collect()
}

/// Removes stages that killed runs left mounted on the host itself.
pub(crate) fn sweep_stages(run: &Path) {
    orphan_stages(run).iter().for_each(|stage| remove_stage(stage));
}

/// Unmounts and removes a stage on the host itself.
pub(crate) fn remove_stage(stage: &Path) {
    // Never mounted, or gone already: both are as it should be.
    let _ = umount2(stage, MntFlags::MNT_DETACH);
    let _ = fs::remove_dir(stage);
}

fn is_orphan(name: &str) -> bool {
    let Some((pid, ticks)) = name.split_once('-') else { return false };
    let (Ok(pid), Ok(ticks)) = (pid.parse::<u32>(), ticks.parse::<u64>()) else { return false };
    start_ticks(pid) != Some(ticks)
}

/// Clock ticks from boot to a process's start: field 22 of `proc_pid_stat(5)`.
fn start_ticks(pid: u32) -> Option<u64> {
    let stat = fs::read_to_string(Path::new("/proc").join(pid.to_string()).join("stat")).ok()?;
    stat.rsplit_once(')')?.1.split_whitespace().nth(19)?.parse().ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_names_of_ours_whose_launcher_is_gone() {
        assert!(!is_orphan(&instance_name()));
        assert!(is_orphan("4194305-1"));
        assert!(is_orphan(&format!("{}-1", std::process::id())));
        for foreign in ["", "system.slice", "12", "a-b", "../x-1"] {
            assert!(!is_orphan(foreign), "{foreign}");
        }
    }
}
