//! The cgroup directories of one vitrine process, found by its PID, in the dialect of this host.

use std::fs;
use std::path::{Path, PathBuf};
use std::time::Duration;

pub(crate) use vitrine_shared::cgroup::Dialect;

/// Where a controller is mounted, and in which dialect.
pub(crate) fn mounted(controller: &str) -> Option<(PathBuf, Dialect)> {
    let mounts = fs::read_to_string("/proc/self/mounts").expect("/proc/self/mounts");
    mounts.lines().find_map(|line| {
        let words: Vec<&str> = line.split(' ').collect();
        let root = PathBuf::from(words[1]);
        match words[2] {
            "cgroup" => {
                words[3].split(',').any(|word| word == controller).then_some((root, Dialect::V1))
            }
            // Accounting is part of `cpu` there, and every group can be frozen.
            "cgroup2" => {
                let has = fs::read_to_string(root.join("cgroup.controllers")).unwrap_or_default();
                let wanted = match controller {
                    "cpuacct" => "cpu",
                    "blkio" => "io",
                    other => other,
                };
                let all_have = controller == "freezer" && has.contains("memory");
                (all_have || has.split_whitespace().any(|word| word == wanted))
                    .then_some((root, Dialect::V2))
            }
            _ => None,
        }
    })
}

/// Where a controller is mounted.
pub(crate) fn hierarchy(controller: &str) -> Option<PathBuf> {
    mounted(controller).map(|(root, _)| root)
}

/// Where v2's one hierarchy is mounted; on a hybrid host it may have no controller that is used.
pub(crate) fn unified() -> Option<PathBuf> {
    let mounts = fs::read_to_string("/proc/self/mounts").expect("/proc/self/mounts");
    mounts.lines().find_map(|line| {
        let words: Vec<&str> = line.split(' ').collect();
        (words[2] == "cgroup2").then(|| PathBuf::from(words[1]))
    })
}

/// The dialect of a controller.
#[track_caller]
pub(crate) fn dialect(controller: &str) -> Dialect {
    mounted(controller).unwrap_or_else(|| panic!("no {controller} controller")).1
}

/// The one of the two that is this host's.
pub(crate) fn by_dialect<T>(controller: &str, v1: T, v2: T) -> T {
    match dialect(controller) {
        Dialect::V1 => v1,
        Dialect::V2 => v2,
    }
}

/// The hierarchies of the controllers that are used, each once.
pub(crate) fn hierarchies() -> Vec<PathBuf> {
    let names = ["cpu", "cpuacct", "cpuset", "memory", "pids", "freezer", "blkio"];
    once(names.into_iter().filter_map(hierarchy).collect())
}

/// All hierarchies that are mounted, each once: also those that are not used.
fn all_mounted() -> Vec<PathBuf> {
    let mounts = fs::read_to_string("/proc/self/mounts").expect("/proc/self/mounts");
    let root = |line: &str| {
        let mut words = line.split(' ').skip(1);
        let root = PathBuf::from(words.next()?);
        matches!(words.next()?, "cgroup" | "cgroup2").then_some(root)
    };
    once(mounts.lines().filter_map(root).collect())
}

fn once(mut roots: Vec<PathBuf>) -> Vec<PathBuf> {
    roots.sort();
    roots.dedup();
    roots
}

/// The directories of the vitrine process `pid`, in all hierarchies.
pub(crate) fn of_instance(pid: u32) -> Vec<PathBuf> {
    let name = |path: &Path| path.file_name().and_then(|name| name.to_str()).map(str::to_string);
    let ours = format!("{pid}-");
    let list =
        |dir: &Path| fs::read_dir(dir).into_iter().flatten().flatten().map(|entry| entry.path());
    all_mounted()
        .iter()
        .flat_map(|hierarchy| list(&hierarchy.join("vitrine")).collect::<Vec<_>>())
        .filter(|path| name(path).is_some_and(|name| name.starts_with(&ours)))
        .collect()
}

/// The directory of the vitrine process `pid` in the hierarchy of a controller.
#[track_caller]
pub(crate) fn of_instance_in(pid: u32, controller: &str) -> PathBuf {
    let root = hierarchy(controller).expect("the controller is mounted");
    let found = of_instance(pid).into_iter().find(|path| path.starts_with(&root));
    found.unwrap_or_else(|| panic!("PID {pid} has no group in {}", root.display()))
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

/// Writes a file of a group.
#[track_caller]
pub(crate) fn write(dir: &Path, file: &str, text: &str) {
    let path = dir.join(file);
    fs::write(&path, text).unwrap_or_else(|err| panic!("{text:?} > {}: {err}", path.display()));
}

/// Sets a quota and a period.
#[track_caller]
pub(crate) fn set_quota(dir: &Path, quota: u64, period: u64) {
    match dialect("cpu") {
        Dialect::V1 => {
            write(dir, "cpu.cfs_quota_us", "-1");
            write(dir, "cpu.cfs_period_us", &period.to_string());
            write(dir, "cpu.cfs_quota_us", &quota.to_string());
        }
        Dialect::V2 => write(dir, "cpu.max", &format!("{quota} {period}")),
    }
}

/// Its quota and period as `cpu.max` writes them, whatever the dialect.
#[track_caller]
pub(crate) fn cpu_max(dir: &Path) -> String {
    match dialect("cpu") {
        Dialect::V1 => {
            let quota = read(dir, "cpu.cfs_quota_us").replace("-1", "max");
            format!("{quota} {}", read(dir, "cpu.cfs_period_us"))
        }
        Dialect::V2 => read(dir, "cpu.max"),
    }
}
