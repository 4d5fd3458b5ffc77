//! The end of a group: everybody in it and below it is killed, and the directories removed.

use std::fs;
use std::io;
use std::path::Path;
use std::time::{Duration, Instant};

use nix::sys::signal::{Signal, kill};
use nix::unistd::Pid;
use vitrine_shared::cgroup::{Controller, Dialect};

use super::{Cgroup, CgroupError, Hierarchy, failed};

impl Cgroup {
    /// Kills every process in this group and below, and waits until all are gone.
    ///
    /// Unthrottled and thawed first, from the top down: a throttled process takes up to 172 ms to
    /// die, and one that is frozen in a child group does not die at all.
    pub(crate) fn kill_all(&self, patience: Duration) -> Result<(), CgroupError> {
        let deadline = Instant::now() + patience;
        for (hierarchy, dir) in self.directories() {
            for_each_group(&dir, &mut |dir| {
                release(hierarchy, dir);
            });
        }
        for (_, dir) in self.directories().filter(|(h, _)| h.dialect == Dialect::V2) {
            // At once, and nobody can fork away from it. Kernels before 5.14 have no such file.
            let _ = fs::write(dir.join("cgroup.kill"), "1");
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
    // A frozen process of v2 can be killed as it is.
    if hierarchy.controllers.contains(&Controller::Freezer) && hierarchy.dialect == Dialect::V1 {
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
