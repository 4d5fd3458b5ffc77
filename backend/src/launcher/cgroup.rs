//! Hierarchies as they are mounted on this host, and groups in them, in both dialects.
//!
//! A [`Cgroup`] is one group: in the unified hierarchy one directory, in v1 one in each hierarchy
//! that has a controller we use. Which is which is decided per controller (hybrid hosts mix them),
//! and everything above the file names is the same code.

use std::fs;
use std::io::{self, Read as _, Write as _};
use std::os::fd::OwnedFd;
use std::path::{Path, PathBuf};
use std::rc::Rc;
use std::time::{Duration, Instant};

use nix::errno::Errno;
use nix::sys::signal::{Signal, kill};
use nix::unistd::Pid;
use vitrine_shared::cgroup::{Controller, Dialect, Knob, Write};

use super::privilege::Privilege;

/// Directory below each hierarchy's root that holds everything of ours.
pub(crate) const BASE: &str = "vitrine";

/// One mounted hierarchy.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Hierarchy {
    /// The controllers of ours that it has.
    pub(crate) controllers: Vec<Controller>,
    /// Its dialect.
    pub(crate) dialect: Dialect,
    /// Where it is mounted.
    pub(crate) root: PathBuf,
}

/// What is mounted on this host, for the controllers we know.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct Hierarchies(Vec<Hierarchy>);

impl Hierarchies {
    /// What this launcher may use: root everything, an ordinary user nothing yet.
    pub(crate) fn of(privilege: Privilege) -> io::Result<Self> {
        if privilege.is_rootless() { Ok(Hierarchies::default()) } else { Self::detect() }
    }

    /// Reads `/proc/self/mountinfo`, and `cgroup.controllers` of a unified hierarchy.
    pub(crate) fn detect() -> io::Result<Self> {
        let mountinfo = fs::read_to_string("/proc/self/mountinfo")?;
        Ok(Self::parse(&mountinfo, |root| {
            fs::read_to_string(root.join("cgroup.controllers")).unwrap_or_default()
        }))
    }

    /// From the text of `mountinfo` (`proc_pid_mountinfo(5)`): a v1 mount names its controllers in
    /// its super options, a v2 mount in a file.
    fn parse(mountinfo: &str, controllers_file: impl Fn(&Path) -> String) -> Self {
        let mut found: Vec<Hierarchy> = Vec::new();
        for line in mountinfo.lines() {
            let Some((before, after)) = line.split_once(" - ") else { continue };
            let (Some(mount_root), Some(root)) =
                (before.split(' ').nth(3), before.split(' ').nth(4))
            else {
                continue;
            };
            let mut after = after.split(' ');
            let (kind, options) = (after.next().unwrap_or(""), after.nth(1).unwrap_or(""));
            let root = PathBuf::from(root);
            let (dialect, names) = match kind {
                "cgroup" => (Dialect::V1, options.replace(',', " ")),
                "cgroup2" => (Dialect::V2, controllers_file(&root)),
                _ => continue,
            };
            let mut controllers: Vec<_> =
                names.split_whitespace().filter_map(Controller::named).collect();
            // A bind mount of a sub-group is not the hierarchy; a second mount of one adds nothing.
            controllers.retain(|c| !found.iter().any(|h| h.controllers.contains(c)));
            if mount_root == "/" && !controllers.is_empty() {
                found.push(Hierarchy { controllers, dialect, root });
            }
        }
        Hierarchies(found)
    }

    /// All of them.
    pub(crate) fn iter(&self) -> impl Iterator<Item = &Hierarchy> {
        self.0.iter()
    }

    /// The one that has this controller.
    pub(crate) fn with(&self, controller: Controller) -> Option<&Hierarchy> {
        self.0.iter().find(|hierarchy| hierarchy.controllers.contains(&controller))
    }

    /// Only the hierarchies that have one of these controllers.
    pub(crate) fn only(&self, controllers: &[Controller]) -> Self {
        let wanted = |h: &&Hierarchy| h.controllers.iter().any(|c| controllers.contains(c));
        Hierarchies(self.0.iter().filter(wanted).cloned().collect())
    }
}

/// A write that was made.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Wrote {
    /// The file.
    pub(crate) path: PathBuf,
    /// What it said before.
    pub(crate) old: String,
    /// What it says now, read back.
    pub(crate) new: String,
    /// What was written.
    pub(crate) text: String,
}

/// A file that could not be made, read or written.
#[derive(Debug, thiserror::Error)]
#[error("{doing} {}: {source}", path.display())]
pub(crate) struct CgroupError {
    /// `make`, `read`, `write`, `remove`.
    pub(crate) doing: &'static str,
    /// Which.
    pub(crate) path: PathBuf,
    /// The kernel's reason.
    #[source]
    pub(crate) source: io::Error,
}

impl CgroupError {
    /// The kernel's error number.
    pub(crate) fn errno(&self) -> Errno {
        Errno::from_raw(self.source.raw_os_error().unwrap_or(libc::EIO))
    }
}

fn failed(doing: &'static str, path: &Path) -> impl FnOnce(io::Error) -> CgroupError {
    let path = path.to_path_buf();
    move |source| CgroupError { doing, path, source }
}

/// One group. Made by [`Cgroup::create`], removed by [`Cgroup::remove`].
#[derive(Clone, Debug)]
pub(crate) struct Cgroup {
    hierarchies: Rc<Hierarchies>,
    /// Below each hierarchy's root.
    path: String,
}

impl Cgroup {
    /// Makes the group in every hierarchy; what was made is removed again when one fails.
    pub(crate) fn create(hierarchies: &Rc<Hierarchies>, path: &str) -> Result<Self, CgroupError> {
        let group = Cgroup { hierarchies: Rc::clone(hierarchies), path: path.into() };
        match group.make() {
            Ok(()) => Ok(group),
            Err(err) => {
                // The first error is the one to tell.
                let _ = group.remove();
                Err(err)
            }
        }
    }

    fn make(&self) -> Result<(), CgroupError> {
        for hierarchy in self.hierarchies.iter() {
            let dir = hierarchy.root.join(&self.path);
            let mut again = 100;
            // Another launcher that ends takes the common directory with it when it looks empty.
            while let Err(err) = make_one(hierarchy, &dir) {
                again -= 1;
                if err.errno() != Errno::ENOENT || again == 0 {
                    return Err(err);
                }
            }
        }
        Ok(())
    }

    /// A group below this one.
    pub(crate) fn child(&self, name: &str) -> Result<Self, CgroupError> {
        Cgroup::create(&self.hierarchies, &format!("{}/{name}", self.path))
    }

    /// A group below this one for processes, made while this one may still have some: in v2 its
    /// controllers come when this group gives them to its next child.
    pub(crate) fn child_for_processes(&self, name: &str) -> Result<Self, CgroupError> {
        let child = Cgroup {
            hierarchies: Rc::clone(&self.hierarchies),
            path: format!("{}/{name}", self.path),
        };
        for (hierarchy, dir) in child.directories() {
            let made = fs::create_dir(&dir).map_err(failed("make", &dir));
            let prepared = made.and_then(|()| match hierarchy.dialect {
                Dialect::V1 => prepare(hierarchy, &dir),
                Dialect::V2 => Ok(()),
            });
            if let Err(err) = prepared {
                // The first error is the one to tell.
                let _ = child.remove();
                return Err(err);
            }
        }
        Ok(child)
    }

    /// Is there no hierarchy that it could be in? Then it holds nobody.
    pub(crate) fn is_nowhere(&self) -> bool {
        self.hierarchies.0.is_empty()
    }

    /// Its path below each hierarchy's root.
    pub(crate) fn path(&self) -> &str {
        &self.path
    }

    /// Its directory in the hierarchy of `controller`, and the dialect there.
    pub(crate) fn directory(&self, controller: Controller) -> Option<(PathBuf, Dialect)> {
        let hierarchy = self.hierarchies.with(controller)?;
        Some((hierarchy.root.join(&self.path), hierarchy.dialect))
    }

    /// Its directories in all hierarchies.
    pub(crate) fn directories(&self) -> impl Iterator<Item = (&Hierarchy, PathBuf)> {
        self.hierarchies.iter().map(|hierarchy| (hierarchy, hierarchy.root.join(&self.path)))
    }

    /// Descriptors of the files through which a process moves itself in by writing `0`.
    ///
    /// On v1 that is `tasks`: a thread that moves only itself spares the kernel the global lock
    /// that `cgroup.procs` takes, which waits for an RCU grace period (8 ms, measured).
    pub(crate) fn procs(&self) -> Result<Vec<OwnedFd>, CgroupError> {
        self.directories()
            .map(|(hierarchy, dir)| {
                let path = dir.join(match hierarchy.dialect {
                    Dialect::V1 => "tasks",
                    Dialect::V2 => "cgroup.procs",
                });
                let file = fs::OpenOptions::new().write(true).open(&path);
                file.map(OwnedFd::from).map_err(failed("write", &path))
            })
            .collect()
    }

    /// Turns a knob. A host without its controller gives `Ok(None)`.
    pub(crate) fn set(&self, knob: &Knob) -> Result<Option<Vec<Wrote>>, CgroupError> {
        let Some((dir, dialect)) = self.directory(knob.controller()) else { return Ok(None) };
        let mut writes = knob.writes(dialect);
        if let (Knob::CpuMax { period_usec, .. }, Dialect::V1) = (knob, dialect)
            && self.cpu_period_usec() == Some(*period_usec)
        {
            // Only for another period is the quota lifted on the way.
            let last = writes.iter().rposition(|write| write.file == "cpu.cfs_quota_us");
            writes = last.map(|last| vec![writes.remove(last)]).unwrap_or_default();
        }
        let old: Vec<String> = writes.iter().map(|w| read(&dir.join(w.file))).collect();
        let mut wrote = Vec::new();
        for (write, old) in writes.iter().zip(old) {
            match write_file(&dir.join(write.file), &write.text) {
                Ok(one) => wrote.push(one),
                Err(err) => {
                    undo(&dir, &writes, &wrote);
                    return Err(err);
                }
            }
            if let Some(last) = wrote.last_mut() {
                last.old = old;
            }
        }
        Ok(Some(wrote))
    }

    /// Writes one raw file. The caller has checked its name against the table.
    pub(crate) fn write(
        &self,
        controller: Controller,
        file: &str,
        text: &str,
    ) -> Result<Wrote, CgroupError> {
        match self.directory(controller) {
            Some((dir, _)) => write_file(&dir.join(file), text),
            None => Err(failed("write", Path::new(file))(io::ErrorKind::NotFound.into())),
        }
    }

    /// The length of its CFS period.
    pub(crate) fn cpu_period_usec(&self) -> Option<u64> {
        let (dir, dialect) = self.directory(Controller::Cpu)?;
        match dialect {
            Dialect::V1 => read(&dir.join("cpu.cfs_period_us")).parse().ok(),
            Dialect::V2 => read(&dir.join("cpu.max")).split(' ').nth(1)?.parse().ok(),
        }
        .filter(|&period| period > 0)
    }

    /// Its quota in thousandths of one CPU; `None` without a quota.
    pub(crate) fn cpu_share(&self) -> Option<u64> {
        let (dir, dialect) = self.directory(Controller::Cpu)?;
        let quota: u64 = match dialect {
            Dialect::V1 => read(&dir.join("cpu.cfs_quota_us")).parse().ok()?,
            Dialect::V2 => read(&dir.join("cpu.max")).split(' ').next()?.parse().ok()?,
        };
        Some(quota.saturating_mul(1000) / self.cpu_period_usec()?)
    }

    /// Lifts its quota until the guard goes: the launcher waits for nobody who is throttled.
    pub(crate) fn lift_quota(&self) -> Option<Lifted> {
        let (dir, dialect) = self.directory(Controller::Cpu)?;
        let (file, unlimited) = match dialect {
            Dialect::V1 => ("cpu.cfs_quota_us", "-1"),
            Dialect::V2 => ("cpu.max", "max"),
        };
        let path = dir.join(file);
        let old = read(&path);
        if old.is_empty() || old.starts_with(unlimited) {
            return None;
        }
        fs::write(&path, unlimited).ok().map(|()| Lifted { path, old })
    }

    /// Keeps the group's memory from moving to swap, beyond its limit.
    ///
    /// A kernel that does not count swap has no file for it, and then nothing is moved.
    pub(crate) fn forbid_swap(&self, memory_max: u64) -> Result<(), CgroupError> {
        let Some((dir, dialect)) = self.directory(Controller::Memory) else { return Ok(()) };
        let (file, text) = match dialect {
            // Memory and swap together.
            Dialect::V1 => ("memory.memsw.limit_in_bytes", memory_max.to_string()),
            Dialect::V2 => ("memory.swap.max", "0".into()),
        };
        let (file, text) = match dir.join(file) {
            path if path.exists() => (path, text),
            // Swap is not counted: the kernel is asked not to use it.
            _ if dialect == Dialect::V1 => (dir.join("memory.swappiness"), "0".into()),
            _ => return Ok(()),
        };
        fs::write(&file, text).map_err(failed("write", &file))
    }

    /// How often the kernel has killed in it for memory.
    pub(crate) fn oom_kills(&self) -> u64 {
        let Some((dir, dialect)) = self.directory(Controller::Memory) else { return 0 };
        let text = read(&dir.join(match dialect {
            Dialect::V1 => "memory.oom_control",
            Dialect::V2 => "memory.events",
        }));
        let count = text.lines().find_map(|line| line.strip_prefix("oom_kill "));
        count.and_then(|count| count.parse().ok()).unwrap_or(0)
    }

    /// Kills every process in this group and below, and waits until all are gone.
    ///
    /// Unthrottled and thawed first, from the top down: a throttled process takes up to 172 ms to
    /// die, and one that is frozen in a child group does not die at all.
    pub(crate) fn kill_all(&self, patience: Duration) -> Result<(), CgroupError> {
        let deadline = Instant::now() + patience;
        for (hierarchy, dir) in self.directories() {
            if hierarchy.dialect == Dialect::V2 && fs::write(dir.join("cgroup.kill"), "1").is_ok() {
                continue;
            }
            for_each_group(&dir, &mut |dir| {
                release(hierarchy, dir);
            });
        }
        loop {
            let mut alive = 0;
            for (_, dir) in self.directories() {
                for_each_group(&dir, &mut |dir| {
                    for pid in pids_in(dir) {
                        alive += 1;
                        // Gone in the meantime is as good.
                        let _ = kill(Pid::from_raw(pid), Signal::SIGKILL);
                    }
                });
            }
            if alive == 0 {
                return Ok(());
            }
            if Instant::now() > deadline {
                let err = io::Error::other(format!("{alive} processes do not die"));
                return Err(failed("empty", Path::new(&self.path))(err));
            }
            std::thread::sleep(Duration::from_micros(500));
        }
    }

    /// Removes the group and everything below it from every hierarchy. Already gone is gone.
    pub(crate) fn remove(&self) -> Result<(), CgroupError> {
        let mut result = Ok(());
        for (_, dir) in self.directories() {
            let removed = remove_tree(&dir).map_err(failed("remove", &dir));
            result = result.and(removed);
        }
        result
    }
}

/// A quota that is lifted; put back on drop.
#[derive(Debug)]
pub(crate) struct Lifted {
    path: PathBuf,
    old: String,
}

impl Drop for Lifted {
    fn drop(&mut self) {
        // The group may have gone; what it had was accepted before.
        let _ = fs::write(&self.path, &self.old);
    }
}

fn make_one(hierarchy: &Hierarchy, dir: &Path) -> Result<(), CgroupError> {
    match fs::create_dir(dir) {
        Err(err) if err.kind() == io::ErrorKind::NotFound => make_with_parents(hierarchy, dir),
        Err(err) if err.kind() != io::ErrorKind::AlreadyExists => Err(failed("make", dir)(err)),
        _ => prepare(hierarchy, dir),
    }
}

fn make_with_parents(hierarchy: &Hierarchy, dir: &Path) -> Result<(), CgroupError> {
    let below = dir.strip_prefix(&hierarchy.root).unwrap_or(dir);
    let mut path = hierarchy.root.clone();
    for name in below.components() {
        path.push(name);
        match fs::create_dir(&path) {
            Err(err) if err.kind() != io::ErrorKind::AlreadyExists => {
                return Err(failed("make", &path)(err));
            }
            _ => prepare(hierarchy, &path)?,
        }
    }
    Ok(())
}

/// What a new group needs before a process can enter it.
fn prepare(hierarchy: &Hierarchy, dir: &Path) -> Result<(), CgroupError> {
    match hierarchy.dialect {
        // A new v1 cpuset is empty, and nothing can enter an empty one (cpusets.rst).
        Dialect::V1 if hierarchy.controllers.contains(&Controller::Cpuset) => {
            for file in ["cpuset.cpus", "cpuset.mems"] {
                inherit(&hierarchy.root, dir, file)?;
            }
            Ok(())
        }
        Dialect::V1 => Ok(()),
        // In v2 the parent says which controllers its children have (cgroup-v2.rst).
        Dialect::V2 => {
            let path = dir.parent().unwrap_or(dir).join("cgroup.subtree_control");
            let enable: Vec<_> =
                hierarchy.controllers.iter().map(|c| format!("+{}", c.name())).collect();
            fs::write(&path, enable.join(" ")).map_err(failed("write", &path))
        }
    }
}

/// Gives a file that is empty the text of the parent's, and the parent's first: another launcher
/// may have made that one and not come to this yet.
fn inherit(root: &Path, dir: &Path, file: &str) -> Result<(), CgroupError> {
    let path = dir.join(file);
    let Some(parent) = dir.parent().filter(|_| dir != root && read(&path).is_empty()) else {
        return Ok(());
    };
    inherit(root, parent, file)?;
    // Not `fs::write`: a file that has gone with its group is not to be made.
    let mut open = fs::OpenOptions::new();
    let written = open
        .write(true)
        .open(&path)
        .and_then(|mut to| to.write_all(read(&parent.join(file)).as_bytes()));
    written.map_err(failed("write", &path))
}

/// Lifts what would keep a process from dying.
fn release(hierarchy: &Hierarchy, dir: &Path) {
    // A group without these files, or one that goes while we look, needs no release.
    if hierarchy.controllers.contains(&Controller::Cpu) {
        let (file, text) = match hierarchy.dialect {
            Dialect::V1 => ("cpu.cfs_quota_us", "-1"),
            Dialect::V2 => ("cpu.max", "max"),
        };
        let _ = fs::write(dir.join(file), text);
    }
    if hierarchy.controllers.contains(&Controller::Freezer) {
        let _ = fs::write(dir.join("freezer.state"), "THAWED");
    }
}

/// Calls `visit` for a group and everything below it, parents first.
fn for_each_group(dir: &Path, visit: &mut impl FnMut(&Path)) {
    visit(dir);
    let Ok(entries) = fs::read_dir(dir) else { return };
    for entry in entries.flatten() {
        if entry.file_type().is_ok_and(|kind| kind.is_dir()) {
            for_each_group(&entry.path(), visit);
        }
    }
}

fn remove_tree(dir: &Path) -> io::Result<()> {
    let mut dirs = Vec::new();
    for_each_group(dir, &mut |dir| dirs.push(dir.to_path_buf()));
    for dir in dirs.iter().rev() {
        remove_one(dir)?;
    }
    Ok(())
}

/// A process that has just been reaped may still be counted for a moment: EBUSY is asked again.
fn remove_one(dir: &Path) -> io::Result<()> {
    for _ in 0..100 {
        match fs::remove_dir(dir) {
            Err(err) if err.raw_os_error() == Some(libc::EBUSY) => {
                std::thread::sleep(Duration::from_millis(1));
            }
            Err(err) if err.kind() == io::ErrorKind::NotFound => return Ok(()),
            other => return other,
        }
    }
    fs::remove_dir(dir)
}

fn pids_in(dir: &Path) -> Vec<i32> {
    let procs = fs::read_to_string(dir.join("cgroup.procs")).unwrap_or_default();
    procs.lines().filter_map(|line| line.parse().ok()).filter(|&pid| pid > 0).collect()
}

fn read(path: &Path) -> String {
    let mut text = String::new();
    // A file that cannot be read says nothing; what is written to it is told either way.
    let _ = fs::File::open(path).and_then(|mut file| file.read_to_string(&mut text));
    text.trim_end().to_string()
}

fn write_file(path: &Path, text: &str) -> Result<Wrote, CgroupError> {
    let old = read(path);
    fs::OpenOptions::new()
        .write(true)
        .open(path)
        .and_then(|mut file| file.write_all(text.as_bytes()))
        .map_err(failed("write", path))?;
    Ok(Wrote { path: path.into(), old, new: read(path), text: text.into() })
}

/// Puts back what a knob of several files had changed before one of them was refused.
fn undo(dir: &Path, writes: &[Write], wrote: &[Wrote]) {
    for (write, wrote) in writes.iter().zip(wrote).rev() {
        // What was there before was accepted before.
        let _ = fs::write(dir.join(write.file), &wrote.old);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const HYBRID: &str = "\
30 24 0:26 / /sys/fs/cgroup rw - tmpfs tmpfs rw,mode=755
31 30 0:27 / /sys/fs/cgroup/cpu,cpuacct rw - cgroup cgroup rw,cpu,cpuacct
32 30 0:28 / /sys/fs/cgroup/pids rw - cgroup cgroup rw,pids
33 30 0:29 / /sys/fs/cgroup/unified rw - cgroup2 cgroup2 rw
34 30 0:27 /docker/x /mnt/bind rw - cgroup cgroup rw,cpu,cpuacct";

    #[test]
    fn a_hybrid_host_is_told_apart_per_controller() {
        let found = Hierarchies::parse(HYBRID, |_| "memory pids io".into());
        let cpu = found.with(Controller::Cpu).unwrap();
        assert_eq!(
            (cpu.dialect, cpu.root.as_path()),
            (Dialect::V1, Path::new("/sys/fs/cgroup/cpu,cpuacct"))
        );
        assert_eq!(found.with(Controller::Memory).unwrap().dialect, Dialect::V2);
        assert_eq!(found.with(Controller::Pids).unwrap().dialect, Dialect::V1);
        assert_eq!(found.with(Controller::Freezer), None);
        assert_eq!(found.iter().count(), 3);
    }

    #[test]
    fn a_v2_only_host() {
        let line = "31 24 0:27 / /sys/fs/cgroup rw,nosuid shared:9 - cgroup2 cgroup2 rw,nsdelegate";
        let found = Hierarchies::parse(line, |_| "cpuset cpu io memory pids\n".into());
        assert_eq!(found.iter().count(), 1);
        assert_eq!(found.with(Controller::Cpuset).unwrap().dialect, Dialect::V2);
    }

    #[test]
    fn nonsense_is_no_hierarchy() {
        assert_eq!(Hierarchies::parse("- - -\nx\n\n 1 2 - cgroup", |_| String::new()).0, []);
    }
}
