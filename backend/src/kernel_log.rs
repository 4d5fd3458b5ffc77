//! Whom the kernel killed for memory: its log says it, and nothing else does.
//!
//! The counters of a group say how many; the log names the group, the process and its PID in one
//! line of the form (`dump_oom_victim` and `mem_cgroup_print_oom_context` of the kernel's `mm`)
//!
//! ```text
//! oom-kill:constraint=CONSTRAINT_MEMCG,…,oom_memcg=/a,task_memcg=/a/b,task=dd,pid=12,uid=0
//! ```
//!
//! The kernel writes it before it counts the kill. A process chooses its name, but not where it
//! stands; a line that can be read in two ways names a group that nobody has. No other process can
//! write lines of the kernel's own facility. Ten kills in five seconds are logged, on the whole
//! host; the others stay without a name.

use std::io;
use std::os::fd::OwnedFd;
use std::path::Path;

use nix::errno::Errno;
use nix::fcntl::{OFlag, open};
use nix::sys::stat::Mode;
use nix::unistd::{Whence, lseek, read};
use vitrine_shared::message::Victim;

use crate::observer::parse::printable;

/// The longest record is 8 KiB (`CONSOLE_EXT_LOG_MAX`).
const RECORD_BYTES: usize = 8192;
/// Records read at once.
const MAX_RECORDS: usize = 20_000;
/// Kills that are kept; a group's counter is looked at at least once a second.
const MAX_KILLS: usize = 64;
/// Bytes kept of a name; the kernel has 15, and what cannot be printed is longer as it is logged.
const NAME_BYTES: usize = 60;

/// The kernel's log, and what was read of it.
#[derive(Debug)]
pub(crate) struct KernelLog {
    file: OwnedFd,
    kills: Vec<Kill>,
}

/// One kill.
#[derive(Clone, Debug, PartialEq, Eq)]
struct Kill {
    /// The victim's group, from the hierarchy's root.
    group: String,
    victim: Victim,
}

impl KernelLog {
    /// What is logged from now on. Fails for who may not read the log.
    pub(crate) fn from_now() -> io::Result<Self> {
        let log = KernelLog::from_start()?;
        lseek(&log.file, 0, Whence::SeekEnd)?;
        Ok(log)
    }

    /// All that is still in it.
    pub(crate) fn from_start() -> io::Result<Self> {
        let flags = OFlag::O_RDONLY | OFlag::O_NONBLOCK | OFlag::O_CLOEXEC;
        Ok(KernelLog { file: open("/dev/kmsg", flags, Mode::empty())?, kills: Vec::new() })
    }

    /// Reads what is new.
    pub(crate) fn catch_up(&mut self) {
        let mut buffer = [0; RECORD_BYTES];
        for _ in 0..MAX_RECORDS {
            match read(&self.file, &mut buffer) {
                Ok(n) if n > 0 => self.kills.extend(kill(&buffer[..n])),
                // The oldest records made room for newer ones meanwhile.
                Err(Errno::EPIPE | Errno::EINTR) => {}
                // Nothing more, for now or for good.
                Ok(_) | Err(_) => break,
            }
        }
        let too_many = self.kills.len().saturating_sub(MAX_KILLS);
        self.kills.drain(..too_many);
    }

    /// Takes the oldest victim in the group with this directory out of what was read.
    pub(crate) fn take(&mut self, directory: &Path) -> Option<Victim> {
        // The directory is the mount point and the same path, where the mount shows all.
        let is_it = |kill: &Kill| {
            let path = Path::new(kill.group.trim_start_matches('/'));
            path.components().nth(1).is_some() && directory.ends_with(path)
        };
        let at = self.kills.iter().position(is_it)?;
        Some(self.kills.remove(at).victim)
    }

    /// The same for a group below this directory that `wanted` knows by its path from there.
    pub(crate) fn take_below<T>(
        &mut self,
        directory: &Path,
        wanted: impl Fn(&str) -> Option<T>,
    ) -> Option<(T, Victim)> {
        let find = |kill: &Kill| wanted(below(&kill.group, directory)?);
        let (at, found) =
            self.kills.iter().enumerate().find_map(|(at, kill)| Some((at, find(kill)?)))?;
        Some((found, self.kills.remove(at).victim))
    }
}

/// The rest of a group's path from the hierarchy's root, below this directory.
fn below<'a>(group: &'a str, directory: &Path) -> Option<&'a str> {
    let path = Path::new(group.trim_start_matches('/'));
    let is_it = |above: &&Path| above.components().nth(1).is_some() && directory.ends_with(above);
    let above = path.ancestors().skip(1).find(is_it)?;
    path.strip_prefix(above).ok()?.to_str()
}

/// The kill in a record: `PRIORITY,NUMBER,TIME,FLAGS;TEXT` and lines of properties.
fn kill(record: &[u8]) -> Option<Kill> {
    let record = std::str::from_utf8(record).ok()?;
    let (prefix, text) = record.split_once(';')?;
    // Facility 0 is the kernel's; whoever else writes to the log gets another one.
    let priority: u32 = prefix.split(',').next()?.parse().ok()?;
    let text = text.lines().next()?.strip_prefix("oom-kill:")?;
    let (rest, _uid) = text.rsplit_once(",uid=")?;
    let (rest, pid) = rest.rsplit_once(",pid=")?;
    let (rest, name) = rest.rsplit_once(",task=")?;
    let (_, group) = rest.rsplit_once(",task_memcg=")?;
    let victim = Victim { pid: pid.parse().ok()?, name: printable(name.as_bytes(), NAME_BYTES) };
    (priority < 8).then(|| Kill { group: group.into(), victim })
}

#[cfg(test)]
mod tests {
    use super::*;

    const LINE: &str = "oom-kill:constraint=CONSTRAINT_MEMCG,nodemask=(null),cpuset=/,mems_allowed=0,oom_memcg=/vitrine/m/root,task_memcg=/vitrine/m/root/c1,task=dd,pid=27397,uid=0";

    fn log(records: &[&str]) -> KernelLog {
        let kills = records.iter().filter_map(|record| kill(record.as_bytes())).collect();
        KernelLog { file: nix::unistd::pipe().unwrap().0, kills }
    }

    #[test]
    fn the_group_and_the_process_are_in_one_line() {
        let record = format!("6,1234,18403777434,-;{LINE}\n SUBSYSTEM=x\n");
        let mut log = log(&[&record]);
        assert_eq!(log.take(Path::new("/sys/fs/cgroup/memory/vitrine/m/root")), None);
        let victim = Victim { pid: 27_397, name: "dd".into() };
        let directory = Path::new("/sys/fs/cgroup/memory/vitrine/m/root/c1");
        assert_eq!(log.take(directory), Some(victim));
        assert_eq!(log.take(directory), None, "a kill is told once");
    }

    #[test]
    fn a_group_below_is_found_by_its_path_from_there() {
        let line =
            LINE.replace("task_memcg=/vitrine/m/root/c1", "task_memcg=/vitrine/m/root/shell/web");
        let mut log = log(&[&format!("6,1,1,-;{LINE}"), &format!("6,1,1,-;{line}")]);
        let wanted = |path: &str| (path != "c1").then(|| path.to_owned());
        let other = Path::new("/sys/fs/cgroup/memory/vitrine/n/root");
        assert_eq!(log.take_below(other, wanted), None);
        let root = Path::new("/sys/fs/cgroup/memory/vitrine/m/root");
        let victim = Victim { pid: 27_397, name: "dd".into() };
        assert_eq!(log.take_below(root, wanted), Some(("shell/web".into(), victim.clone())));
        assert_eq!(log.take_below(root, wanted), None, "once");
        assert_eq!(log.take(&root.join("c1")), Some(victim), "the container's own is still there");
    }

    #[test]
    fn what_others_write_into_the_log_and_what_is_cut_names_nobody() {
        assert_eq!(kill(format!("14,1,1,-;{LINE}\n").as_bytes()), None, "facility user");
        assert_eq!(kill(format!("6,1,1,-;{}", &LINE[..LINE.len() - 12]).as_bytes()), None);
        assert_eq!(kill(b"6,1,1,-;sh invoked oom-killer: gfp_mask=0xcc0"), None);
        assert_eq!(kill(b""), None);
    }

    #[test]
    fn a_name_that_looks_like_the_rest_of_the_line_moves_nobody() {
        let line = LINE.replace("task=dd", "task=x,task=y");
        let mut log = log(&[&format!("6,1,1,-;{line}")]);
        assert_eq!(log.take(Path::new("/sys/fs/cgroup/memory/vitrine/m/root/c1")), None);
    }

    #[test]
    fn a_group_is_meant_by_all_of_its_path() {
        let line = LINE.replace("task_memcg=/vitrine/m/root/c1", "task_memcg=/c1");
        let mut log = log(&[&format!("6,1,1,-;{line}")]);
        assert_eq!(log.take(Path::new("/sys/fs/cgroup/memory/vitrine/m/root/c1")), None);
    }
}
