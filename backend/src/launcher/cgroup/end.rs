//! The end of a group: everybody in it and below it is killed, and the directories removed.

use std::fs;
use std::io::{self, Write as _};
use std::os::fd::BorrowedFd;
use std::path::Path;
use std::time::{Duration, Instant};

use nix::sys::signal::{Signal, kill};
use nix::unistd::Pid;
use vitrine_shared::cgroup::{Controller, Dialect};

use super::knobs::read;
use super::{Cgroup, CgroupError, Hierarchy, failed, tree};

/// How long the removal of a group, with whatever is below it, may hold everybody up.
const REMOVAL: Duration = Duration::from_secs(1);
/// Rounds of killing after which what holds somebody back is released again: groups may still be
/// made meanwhile, and be throttled and frozen.
const RELEASE_EVERY: u32 = 20;

impl Cgroup {
    /// Kills every process in this group and below, and waits until all are gone.
    ///
    /// Unthrottled and thawed first, from the top down: a throttled process takes up to 172 ms to
    /// die, and one that is frozen in a child group does not die at all. Nobody is born meanwhile.
    pub(crate) fn kill_all(&self, patience: Duration) -> Result<(), CgroupError> {
        let deadline = Instant::now() + patience;
        self.forbid_births();
        // A process enters the first hierarchy first: one list tells of all.
        let Some((listing, top)) = self.directories().next() else { return Ok(()) };
        let by_kernel = listing.dialect == Dialect::V2 && top.join("cgroup.kill").exists();
        let mut round = 0;
        loop {
            if round % RELEASE_EVERY == 0 {
                self.release(deadline);
            }
            let alive = if by_kernel {
                // Gone already is as good.
                let _ = write_existing(&top.join("cgroup.kill"), "1");
                populated(&top)
            } else {
                kill_each(&top, deadline)
            };
            if alive == 0 {
                return Ok(());
            }
            if Instant::now() > deadline {
                let err = io::Error::other(format!("{alive} processes do not die"));
                return Err(failed("empty", Path::new(&self.path))(err));
            }
            round += 1;
            std::thread::sleep(Duration::from_micros(500));
        }
    }

    /// Lifts what would keep somebody here from dying. `cgroup.kill` kills the frozen as they are,
    /// but a throttled process gets to its death by the quota: nine of them took 11 s (6.1).
    fn release(&self, deadline: Instant) {
        for (hierarchy, dir) in self.directories() {
            let holds = [Controller::Cpu, Controller::Freezer];
            let holds = holds.iter().any(|one| hierarchy.controllers.contains(one));
            if holds || hierarchy.dialect == Dialect::V2 {
                // What could not be looked at in time lives, and is told of as such.
                let _ = tree::for_each(&dir, deadline, |dir| release(hierarchy, dir));
            }
        }
    }

    /// Nobody forks here any more: what is killed is not replaced while it is killed.
    fn forbid_births(&self) {
        if let Some((dir, _)) = self.directory(Controller::Pids) {
            // A group that has gone has nobody in it.
            let _ = write_existing(&dir.join("pids.max"), "0");
        }
    }

    /// Thaws this group and everything below it.
    pub(crate) fn thaw(&self, patience: Duration) {
        let deadline = Instant::now() + patience;
        for (hierarchy, dir) in self.directories() {
            // What is left frozen is found by whoever waits for it.
            let _ = tree::for_each(&dir, deadline, |dir| thaw(hierarchy, dir));
        }
    }

    /// The processes in this group and below.
    pub(crate) fn processes(&self, patience: Duration) -> Vec<i32> {
        let deadline = Instant::now() + patience;
        let mut found = Vec::new();
        // Every process of ours is somewhere below in each hierarchy: one tells of all.
        if let Some((_, dir)) = self.directories().next() {
            // What could not be looked at in time is not among them.
            let _ = tree::for_each(&dir, deadline, |dir| found.extend(tree::pids(dir)));
        }
        found
    }

    /// Removes a group that nobody is in and that has no groups below it: a call for each
    /// hierarchy, and nothing is looked at.
    pub(crate) fn remove_empty(&self) -> io::Result<()> {
        self.directories().try_for_each(|(_, dir)| match fs::remove_dir(dir) {
            Err(err) if err.kind() != io::ErrorKind::NotFound => Err(err),
            _ => Ok(()),
        })
    }

    /// Removes the group and everything below it from every hierarchy. Already gone is gone.
    ///
    /// It takes no longer than `REMOVAL`, however much there is; what is left then is found by
    /// the next call.
    pub(crate) fn remove(&self) -> Result<(), CgroupError> {
        self.remove_within(REMOVAL)
    }

    /// The same within another time.
    pub(crate) fn remove_within(&self, patience: Duration) -> Result<(), CgroupError> {
        let deadline = Instant::now() + patience;
        let mut result = Ok(());
        for (_, dir) in self.directories() {
            let removed = tree::remove(&dir, deadline).map_err(|errno| errno.into());
            result = result.and(removed.map_err(failed("remove", &dir)));
        }
        result
    }
}

/// Lifts what would keep a process from dying.
fn release(hierarchy: &Hierarchy, dir: BorrowedFd<'_>) {
    // A group without these files, or one that goes while we look, needs no release.
    if hierarchy.controllers.contains(&Controller::Cpu) {
        let (file, text) = match hierarchy.dialect {
            Dialect::V1 => (c"cpu.cfs_quota_us", "-1"),
            Dialect::V2 => (c"cpu.max", "max"),
        };
        let _ = tree::write(dir, file, text);
    }
    thaw(hierarchy, dir);
}

fn thaw(hierarchy: &Hierarchy, dir: BorrowedFd<'_>) {
    // A group that goes while we look needs no thaw.
    let _ = match hierarchy.dialect {
        Dialect::V1 if hierarchy.controllers.contains(&Controller::Freezer) => {
            tree::write(dir, c"freezer.state", "THAWED")
        }
        Dialect::V1 => Ok(()),
        Dialect::V2 => tree::write(dir, c"cgroup.freeze", "0"),
    };
}

/// Kills every process in a group and below it; gives how many there were.
fn kill_each(top: &Path, deadline: Instant) -> usize {
    let mut alive = 0;
    let walked = tree::for_each(top, deadline, |dir| {
        for pid in tree::pids(dir) {
            alive += 1;
            // Gone in the meantime is as good.
            let _ = kill(Pid::from_raw(pid), Signal::SIGKILL);
        }
    });
    // What could not be looked at may live.
    alive + usize::from(walked.is_err())
}

/// 1 while there are processes in a v2 group or below it.
fn populated(dir: &Path) -> usize {
    usize::from(read(&dir.join("cgroup.events")).lines().any(|line| line == "populated 1"))
}

/// Not `fs::write`: a file that has gone with its group is not to be made.
pub(crate) fn write_existing(path: &Path, text: &str) -> io::Result<()> {
    fs::OpenOptions::new().write(true).open(path)?.write_all(text.as_bytes())
}
