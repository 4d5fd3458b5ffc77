//! The files of a group: knobs turned in either dialect, raw files, what is read back.

use std::fs;
use std::io::{self, Read as _, Write as _};
use std::path::{Path, PathBuf};

use vitrine_shared::cgroup::{Controller, Dialect, Knob, Write};
use vitrine_shared::message::Victim;

use super::{Cgroup, CgroupError, failed};
use crate::kernel_log::KernelLog;

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

impl Cgroup {
    /// Turns a knob. `Ok(None)`: this host has nothing to turn; [`Cgroup::lacks`] says what.
    pub(crate) fn set(&self, knob: &Knob) -> Result<Option<Vec<Wrote>>, CgroupError> {
        let Some((dir, dialect)) = self.directory(knob.controller()) else { return Ok(None) };
        let mut writes = knob.writes(dialect);
        if writes.is_empty() {
            return Ok(None);
        }
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
                Ok(one) => wrote.push(self.told_wrote(one)),
                Err(err) => {
                    undo(&dir, &writes, &wrote);
                    return Err(self.told(err));
                }
            }
            if let Some(last) = wrote.last_mut() {
                last.old = old;
            }
        }
        Ok(Some(wrote))
    }

    /// Why there is nothing to turn, in words, where the controller is there.
    pub(crate) fn lacks(&self, knob: &Knob) -> Option<String> {
        let name = knob.controller().name();
        self.directory(knob.controller())?;
        let v2: Vec<_> = knob.writes(Dialect::V2).into_iter().map(|w| w.file).collect();
        Some(format!(
            "this host's {name} controller is cgroup v1, which has no {}; boot with systemd.unified_cgroup_hierarchy=1, or leave it out",
            v2.join(" or ")
        ))
    }

    /// Writes one raw file. The caller has checked its name against the table.
    pub(crate) fn write(
        &self,
        controller: Controller,
        file: &str,
        text: &str,
    ) -> Result<Wrote, CgroupError> {
        match self.directory(controller) {
            Some((dir, _)) => match write_file(&dir.join(file), text) {
                Ok(wrote) => Ok(self.told_wrote(wrote)),
                Err(err) => Err(self.told(err)),
            },
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

    /// Is it, or what it is in, stopped?
    pub(crate) fn is_frozen(&self) -> bool {
        let Some((dir, dialect)) = self.directory(Controller::Freezer) else { return false };
        match dialect {
            Dialect::V1 => read(&dir.join("freezer.state")) != "THAWED",
            Dialect::V2 => read(&dir.join("cgroup.freeze")) == "1",
        }
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

    /// Whom, if the kernel's log can be read and still says it.
    pub(crate) fn oom_victim(&self) -> Option<Victim> {
        let (directory, _) = self.directory(Controller::Memory)?;
        let mut log = KernelLog::from_start().ok()?;
        log.catch_up();
        log.take(&directory)
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

pub(super) fn read(path: &Path) -> String {
    let mut text = String::new();
    // A file that cannot be read says nothing; what is written to it is told either way.
    let _ = fs::File::open(path).and_then(|mut file| file.read_to_string(&mut text));
    text.trim_end().to_string()
}

pub(super) fn write_file(path: &Path, text: &str) -> Result<Wrote, CgroupError> {
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
