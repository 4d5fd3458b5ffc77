//! The kernel's side: groups made here, busy loops in them, all of it gone afterwards.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

use crate::harness::busy::cpu_list;
use crate::harness::cgroup::{self, Dialect, by_dialect};
use crate::scene::{GroupScene, Measured, Scene, part};

/// The CPUs that there are.
pub(crate) fn cpus() -> Vec<usize> {
    let text = fs::read_to_string("/sys/devices/system/cpu/online").unwrap();
    let cpus = cpu_list(text.trim()).into_iter();
    cpus.map(|cpu| usize::try_from(cpu).unwrap()).collect()
}

/// Groups and loops; what was made is removed when it is dropped.
#[derive(Default)]
struct Made {
    directories: Vec<PathBuf>,
    loops: Vec<Child>,
}

impl Drop for Made {
    fn drop(&mut self) {
        for child in &mut self.loops {
            let _ = child.kill();
            let _ = child.wait();
        }
        for directory in self.directories.iter().rev() {
            // The kernel takes a moment until an ended process has left its group.
            let deadline = Instant::now() + Duration::from_secs(5);
            while fs::remove_dir(directory).is_err() && Instant::now() < deadline {
                std::thread::sleep(Duration::from_millis(10));
            }
        }
    }
}

/// The scene in the kernel. All of it is below one group that weighs far more than anything else, so
/// that what else the machine does is hardly seen.
pub(crate) fn run(scene: &Scene, how_long: Duration) -> Vec<Measured> {
    let mut made = Made::default();
    let everything =
        GroupScene { shares: 262_144, cpus: cpus(), period_usec: 100_000, ..GroupScene::default() };
    let name = format!("vitrine-model-{}", std::process::id());
    let top = make(&mut made, &Path::new("").join(name), &everything);
    let mut paths: Vec<PathBuf> = Vec::new();
    for (at, group) in scene.groups.iter().enumerate() {
        let above = group.parent.map_or(&top, |parent| &paths[parent]);
        let path = above.join(at.to_string());
        make(&mut made, &path, group);
        paths.push(path);
    }
    for (path, group) in paths.iter().zip(&scene.groups) {
        (0..group.threads).for_each(|_| spin(&mut made, path));
    }
    std::thread::sleep(Duration::from_millis(300));
    let read = || paths.iter().map(|path| Reading::of(path)).collect::<Vec<_>>();
    let (before, from) = (read(), Instant::now());
    std::thread::sleep(how_long);
    let (after, took) = (read(), from.elapsed());
    before.iter().zip(&after).map(|(before, after)| after.since(before, took)).collect()
}

/// Makes a group in the hierarchies of CPU time and of CPU sets, and sets its limits.
fn make(made: &mut Made, path: &Path, group: &GroupScene) -> PathBuf {
    for root in hierarchies() {
        let directory = root.join(path);
        // On v2 a child has the controllers that its parent hands on.
        let above = directory.parent().unwrap();
        if above.join("cgroup.subtree_control").exists() {
            cgroup::write(above, "cgroup.subtree_control", "+cpu +cpuset");
        }
        fs::create_dir(&directory).unwrap_or_else(|err| panic!("{}: {err}", directory.display()));
        made.directories.push(directory);
    }
    let (cpu, set) = (directory("cpu", path), directory("cpuset", path));
    let list = group.cpus.iter().map(usize::to_string).collect::<Vec<_>>().join(",");
    cgroup::write(&set, "cpuset.cpus", &list);
    match cgroup::dialect("cpu") {
        Dialect::V1 => {
            let mems = cgroup::read(set.parent().unwrap(), "cpuset.mems");
            cgroup::write(&set, "cpuset.mems", &mems);
            cgroup::write(&cpu, "cpu.shares", &group.shares.to_string());
        }
        Dialect::V2 => {
            let weight = (group.shares * 100 / 1_024).clamp(1, 10_000);
            cgroup::write(&cpu, "cpu.weight", &weight.to_string());
        }
    }
    if let Some(quota) = group.quota_usec {
        cgroup::set_quota(&cpu, quota, group.period_usec);
        let burst = by_dialect("cpu", "cpu.cfs_burst_us", "cpu.max.burst");
        cgroup::write(&cpu, burst, &group.burst_usec.to_string());
    }
    path.to_path_buf()
}

fn hierarchies() -> Vec<PathBuf> {
    let mut roots: Vec<PathBuf> =
        ["cpu", "cpuacct", "cpuset"].iter().filter_map(|name| cgroup::hierarchy(name)).collect();
    roots.sort();
    roots.dedup();
    roots
}

fn directory(controller: &str, path: &Path) -> PathBuf {
    cgroup::hierarchy(controller).expect("the controller is mounted").join(path)
}

fn spin(made: &mut Made, path: &Path) {
    let child = Command::new("sh")
        .args(["-c", "while : ; do : ; done"])
        .stdin(Stdio::null())
        .spawn()
        .expect("sh");
    let pid = child.id().to_string();
    made.loops.push(child);
    for root in hierarchies() {
        cgroup::write(&root.join(path), "cgroup.procs", &pid);
    }
}

/// The counters of a group.
struct Reading {
    usage_nsec: u64,
    nr_periods: u64,
    nr_throttled: u64,
}

impl Reading {
    fn of(path: &Path) -> Self {
        let cpu = directory("cpu", path);
        let usage_nsec = match cgroup::dialect("cpu") {
            Dialect::V1 => {
                cgroup::read(&directory("cpuacct", path), "cpuacct.usage").parse().unwrap()
            }
            Dialect::V2 => cgroup::number(&cpu, "cpu.stat", "usage_usec") * 1_000,
        };
        Reading {
            usage_nsec,
            nr_periods: cgroup::number(&cpu, "cpu.stat", "nr_periods"),
            nr_throttled: cgroup::number(&cpu, "cpu.stat", "nr_throttled"),
        }
    }

    #[expect(clippy::cast_precision_loss, reason = "seconds, in nanoseconds")]
    fn since(&self, before: &Reading, took: Duration) -> Measured {
        Measured {
            usage: (self.usage_nsec - before.usage_nsec) as f64 / took.as_nanos() as f64 * 100.0,
            throttled: part(
                self.nr_throttled - before.nr_throttled,
                self.nr_periods - before.nr_periods,
            ),
        }
    }
}
