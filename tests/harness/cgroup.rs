//! The cgroup directories of one vitrine process, found by its PID.

use std::fs;
use std::path::{Path, PathBuf};
use std::time::Duration;

/// Where a v1 controller is mounted.
pub(crate) fn hierarchy(controller: &str) -> Option<PathBuf> {
    let mounts = fs::read_to_string("/proc/self/mounts").expect("/proc/self/mounts");
    mounts.lines().find_map(|line| {
        let words: Vec<&str> = line.split(' ').collect();
        let found = words[2] == "cgroup" && words[3].split(',').any(|word| word == controller);
        found.then(|| PathBuf::from(words[1]))
    })
}

/// The directories of the vitrine process `pid`, in all hierarchies.
pub(crate) fn of_instance(pid: u32) -> Vec<PathBuf> {
    let name = |path: &Path| path.file_name().and_then(|name| name.to_str()).map(str::to_string);
    let ours = format!("{pid}-");
    let list =
        |dir: &Path| fs::read_dir(dir).into_iter().flatten().flatten().map(|entry| entry.path());
    list(Path::new("/sys/fs/cgroup"))
        .flat_map(|hierarchy| list(&hierarchy.join("vitrine")).collect::<Vec<_>>())
        .filter(|path| name(path).is_some_and(|name| name.starts_with(&ours)))
        .collect()
}

/// The directory of `vitrine run` in one hierarchy.
#[track_caller]
pub(crate) fn of_run(pid: u32, controller: &str) -> PathBuf {
    let root = hierarchy(controller).expect("the controller is mounted");
    super::wait_for("the cgroup of the run", Duration::from_secs(10), || {
        of_instance(pid).into_iter().find(|path| path.starts_with(&root))
    })
}

/// The processes of a group.
pub(crate) fn procs(dir: &Path) -> Vec<u32> {
    let text = fs::read_to_string(dir.join("cgroup.procs")).unwrap_or_default();
    text.lines().filter_map(|line| line.parse().ok()).collect()
}

/// The text of a file of a group, without the last newline.
#[track_caller]
pub(crate) fn read(dir: &Path, file: &str) -> String {
    let path = dir.join(file);
    let text = fs::read_to_string(&path).unwrap_or_else(|err| panic!("{}: {err}", path.display()));
    text.trim_end().to_string()
}

/// A number in a table such as `cpu.stat`.
#[track_caller]
pub(crate) fn number(dir: &Path, file: &str, key: &str) -> u64 {
    let text = read(dir, file);
    let line = text.lines().find_map(|line| line.strip_prefix(key)?.trim().parse().ok());
    line.unwrap_or_else(|| panic!("no {key} in {text}"))
}
