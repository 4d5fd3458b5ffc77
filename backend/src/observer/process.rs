//! The processes of one machine, read again and again through kept descriptors.
//!
//! What is read when, for each process and tick:
//!
//! | what | when | because |
//! |---|---|---|
//! | CPU clock | always | costs a sixth of `stat` |
//! | `stat` | when it has run since, or after ½ s | a process runs to change its state; its parent can die any time |
//! | `status` | when it has run since, or after 5 s | only a running process changes its uid; memory can be reclaimed |
//! | `ns/*` | when it has run since, at most twice a second | only a running process calls `setns` or `unshare` |
//! | `cmdline` | when it has run since and its name changed or a second passed | off the tick, see `command_line` |
//!
//! **Invariant:** a process is its PID *and* its start time. Descriptors are bound to the process
//! by the kernel (a read after its end is `ESRCH`), and a start time that differs starts afresh.

use std::collections::HashMap;
use std::ffi::{CStr, CString};
use std::os::fd::{AsFd, OwnedFd};
use std::sync::Arc;

use nix::fcntl::readlinkat;
use vitrine_shared::id::ContainerId;
use vitrine_shared::process::Process;

use super::clock::{self, CpuClock};
use super::command_line::{CommandLines, Slot};
use super::file::{self, Ledger, Place};
use super::parse;
use super::roots::OwnIds;

const MSEC: u64 = 1_000_000;
/// How old `stat` and `status` of a process that has not run may be. Each is spread by PID over
/// as much again, so that idle processes are not all read in the same tick.
const IDLE_STAT_MSEC: u64 = 300;
const IDLE_STATUS_MSEC: u64 = 5_000;
/// Uids of one machine.
const MACHINE_UIDS: u32 = 65_536;
/// What the kernel shows for a user that has no number in a user namespace.
const OVERFLOW_UID: u32 = 65_534;
/// Bytes of a name that are kept; kernel threads have up to 64.
const NAME_BYTES: usize = 64;
/// The links below `/proc/PID/ns`, in the order of `Namespace::ALL`.
const NS_LINKS: [&CStr; 8] =
    [c"ns/pid", c"ns/mnt", c"ns/uts", c"ns/ipc", c"ns/user", c"ns/net", c"ns/cgroup", c"ns/time"];

/// What all machines' processes are read with.
#[derive(Debug)]
pub(super) struct Means {
    /// The directory `/proc`.
    pub(super) proc: OwnedFd,
    /// Reads CPU time; where it cannot, `stat`'s clock ticks must do.
    pub(super) cpu_clock: CpuClock,
    /// Reads command lines.
    pub(super) commands: CommandLines,
    /// How many descriptors may be kept.
    pub(super) ledger: Ledger,
    /// What the host's ids are called here.
    pub(super) own_ids: OwnIds,
}

/// The processes of one machine that were there at the last reading.
#[derive(Debug, Default)]
pub(super) struct Processes {
    entries: HashMap<u32, Entry>,
    round: u64,
    buffer: Vec<u8>,
}

impl Processes {
    /// Reads these processes and forgets all others.
    pub(super) fn read(
        &mut self,
        means: &Means,
        members: &[(u32, Option<ContainerId>)],
        uid_base: u32,
    ) -> Vec<Process> {
        self.round += 1;
        let mut processes = Vec::with_capacity(members.len());
        for &(pid, container) in members {
            if let Some(mut process) = self.read_one(means, pid) {
                process.container = container;
                process.uid = uid_inside(process.host_uid, uid_base);
                process.host_uid = means.own_ids.on_host(process.host_uid);
                processes.push(process);
            }
        }
        self.entries.retain(|_, entry| entry.round == self.round);
        processes
    }

    fn read_one(&mut self, means: &Means, pid: u32) -> Option<Process> {
        if let Some(entry) = self.entries.get_mut(&pid) {
            if let Some(process) = entry.read(means, &mut self.buffer, self.round) {
                return Some(process);
            }
            // It ended; the number may belong to another process by now.
            self.entries.remove(&pid);
        }
        let mut entry = Entry::open(means, pid)?;
        let process = entry.read(means, &mut self.buffer, self.round)?;
        self.entries.insert(pid, entry);
        Some(process)
    }

    #[cfg(test)]
    pub(super) fn len(&self) -> usize {
        self.entries.len()
    }
}

/// The user as its own machine numbers it.
fn uid_inside(host_uid: u32, uid_base: u32) -> u32 {
    host_uid.checked_sub(uid_base).filter(|&uid| uid < MACHINE_UIDS).unwrap_or(OVERFLOW_UID)
}

/// Descriptors of one process.
#[derive(Debug)]
struct Files {
    directory: Arc<OwnedFd>,
    stat: OwnedFd,
}

impl Files {
    fn open(means: &Means, pid: u32) -> Option<Self> {
        let name = CString::new(pid.to_string()).ok()?;
        let directory = Arc::new(file::open_directory_in(&means.proc, &name).ok()?);
        let stat = file::open_in(&directory, c"stat").ok()?;
        Some(Files { directory, stat })
    }
}

/// When something was read, and how much CPU its process had used by then.
#[derive(Clone, Copy, Debug)]
struct Mark {
    at_nsec: u64,
    cpu_nsec: u64,
}

impl Mark {
    /// Has so much time passed since the mark?
    fn is_older(self, now: Mark, msec: u64) -> bool {
        now.at_nsec.saturating_sub(self.at_nsec) >= msec * MSEC
    }

    /// Has the process run since the mark?
    fn has_run(self, now: Mark) -> bool {
        self.cpu_nsec != now.cpu_nsec
    }
}

/// What is kept of `stat`.
#[derive(Clone, Copy, Debug)]
struct KeptStat {
    state: char,
    parent: u32,
    start_ticks: u64,
}

#[derive(Debug)]
struct Entry {
    pid: u32,
    kept: Option<(Files, Place)>,
    round: u64,
    comm: Vec<u8>,
    /// What `stat` said last, and when; the start time in it never changes.
    stat: Option<(KeptStat, Mark)>,
    last: Option<Mark>,
    status: parse::Status,
    status_at: Option<Mark>,
    namespaces: [u64; 8],
    namespaces_at: Option<Mark>,
    command: Arc<Slot>,
    command_at: Option<Mark>,
}

impl Entry {
    fn open(means: &Means, pid: u32) -> Option<Self> {
        let kept = match means.ledger.take() {
            Some(place) => Some((Files::open(means, pid)?, place)),
            None => None,
        };
        Some(Entry {
            pid,
            kept,
            round: 0,
            comm: Vec::new(),
            stat: None,
            last: None,
            status: parse::Status::default(),
            status_at: None,
            namespaces: [0; 8],
            namespaces_at: None,
            command: Arc::default(),
            command_at: None,
        })
    }

    /// One reading; `None` when the process has ended, or is another one.
    fn read(&mut self, means: &Means, buffer: &mut Vec<u8>, round: u64) -> Option<Process> {
        self.round = round;
        let cpu_nsec = (means.cpu_clock)(self.pid);
        if let (Some(cpu_nsec), Some((stat, at))) = (cpu_nsec, self.stat) {
            let now = Mark { at_nsec: clock::monotonic_nsec(), cpu_nsec };
            if !at.has_run(now) && !at.is_older(now, self.spread(IDLE_STAT_MSEC)) {
                return Some(self.process(stat, now));
            }
        }
        let opened;
        let (directory, stat_file) = match &self.kept {
            Some((files, _)) => (Arc::clone(&files.directory), &files.stat),
            None => {
                opened = Files::open(means, self.pid)?;
                (Arc::clone(&opened.directory), &opened.stat)
            }
        };
        // The clock goes by number, `stat` by descriptor: if `stat` can be read after the clock,
        // the number still was this process's when the clock was read.
        file::read_page(stat_file, buffer).ok()?;
        let stat = parse::stat(buffer)?;
        if self.stat.is_some_and(|(before, _)| before.start_ticks != stat.start_ticks) {
            return None;
        }
        let cpu_nsec = cpu_nsec.unwrap_or_else(|| clock::ticks_nsec(stat.cpu_ticks));
        let now = Mark { at_nsec: clock::monotonic_nsec(), cpu_nsec };
        let parse::Stat { state, parent, start_ticks, .. } = stat;
        let renamed = stat.comm != self.comm;
        if renamed {
            self.comm = stat.comm.to_vec();
        }
        let kept = KeptStat { state, parent, start_ticks };
        self.stat = Some((kept, now));
        self.read_status(&directory, buffer, now)?;
        if state != 'Z' {
            self.read_namespaces(&directory, now);
            self.ask_command(means, &directory, now, renamed);
        }
        Some(self.process(kept, now))
    }

    fn spread(&self, msec: u64) -> u64 {
        msec + msec * u64::from(self.pid % 16) / 16
    }

    fn read_status(&mut self, directory: impl AsFd, buffer: &mut Vec<u8>, now: Mark) -> Option<()> {
        let max_age_msec = self.spread(IDLE_STATUS_MSEC);
        if self.status_at.is_some_and(|at| !at.has_run(now) && !at.is_older(now, max_age_msec)) {
            return Some(());
        }
        let file = file::open_in(directory, c"status").ok()?;
        file::read_page(&file, buffer).ok()?;
        self.status = parse::status(buffer)?;
        self.status_at = Some(now);
        Some(())
    }

    /// What cannot be read keeps its last value: of a process that is just ending, too.
    fn read_namespaces(&mut self, directory: &OwnedFd, now: Mark) {
        let complete = self.namespaces.iter().all(|&inode| inode != 0);
        let is_fresh = |at: Mark| !at.is_older(now, 500) || (complete && !at.has_run(now));
        if self.namespaces_at.is_some_and(is_fresh) {
            return;
        }
        for (inode, link) in self.namespaces.iter_mut().zip(NS_LINKS) {
            if let Ok(text) = readlinkat(directory, link) {
                *inode = parse::namespace_link(text.as_encoded_bytes()).unwrap_or(*inode);
            }
        }
        self.namespaces_at = Some(now);
    }

    fn ask_command(&mut self, means: &Means, directory: &Arc<OwnedFd>, now: Mark, renamed: bool) {
        let is_fresh = |at: Mark| !at.has_run(now) || !at.is_older(now, 1_000);
        if !renamed && self.command_at.is_some_and(is_fresh) {
            return;
        }
        if means.commands.ask(directory, &self.command) {
            self.command_at = Some(now);
        }
    }

    fn process(&mut self, stat: KeptStat, now: Mark) -> Process {
        let KeptStat { state, parent, start_ticks } = stat;
        let used = self.last.replace(now).map_or(0, |last| {
            let elapsed_nsec = now.at_nsec.saturating_sub(last.at_nsec);
            clock::permille(now.cpu_nsec.saturating_sub(last.cpu_nsec), elapsed_nsec)
        });
        let name = parse::printable(&self.comm, NAME_BYTES);
        let mut pids = self.status.pids.clone();
        if pids.is_empty() {
            pids.push(self.pid);
        }
        Process {
            pids,
            parent,
            container: None,
            host_uid: self.status.euid,
            uid: OVERFLOW_UID,
            state,
            command: self.command(state, &name),
            name,
            cpu_permille: used,
            cpu_msec: now.cpu_nsec / MSEC,
            rss_bytes: if state == 'Z' { 0 } else { self.status.rss_bytes },
            start_ticks,
            namespaces: self.namespaces,
        }
    }

    /// The command line; the name in brackets, as `ps` writes it, where there is none (yet).
    fn command(&self, state: char, name: &str) -> String {
        if state == 'Z' {
            return String::new();
        }
        self.command.text().filter(|text| !text.is_empty()).unwrap_or_else(|| format!("[{name}]"))
    }
}

#[cfg(test)]
#[path = "tests/process.rs"]
mod tests;
