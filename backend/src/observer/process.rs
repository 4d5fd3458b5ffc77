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

use std::cell::Cell;
use std::collections::HashMap;
use std::ffi::{CStr, CString};
use std::os::fd::{AsFd, OwnedFd};
use std::sync::Arc;

use nix::errno::Errno;
use nix::fcntl::readlinkat;
use vitrine_shared::id::ContainerId;
use vitrine_shared::namespace::Namespace;
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
const NS_LINKS: [&CStr; 8] = [c"pid", c"mnt", c"uts", c"ipc", c"user", c"net", c"cgroup", c"time"];

/// What all machines' processes are read with.
#[derive(Debug)]
pub(crate) struct Means {
    /// The directory `/proc`.
    pub(crate) proc: OwnedFd,
    /// Reads CPU time; where it cannot, `stat`'s clock ticks must do.
    pub(crate) cpu_clock: CpuClock,
    /// Reads command lines.
    pub(crate) commands: CommandLines,
    /// How many descriptors may be kept.
    pub(crate) ledger: Ledger,
    /// What the host's ids are called here.
    pub(crate) own_ids: OwnIds,
    /// The namespaces of the kernel's own threads, once one of them was read.
    pub(crate) kernel: Cell<Option<[u64; 8]>>,
}

/// The processes of one machine that were there at the last reading.
#[derive(Debug, Default)]
pub(crate) struct Processes {
    entries: HashMap<u32, Entry>,
    round: u64,
    buffer: Vec<u8>,
}

impl Processes {
    /// Reads these processes and forgets all others.
    pub(crate) fn read(
        &mut self,
        means: &Means,
        members: &[(u32, Option<ContainerId>)],
        uid_base: u32,
    ) -> Vec<Process> {
        self.read_all(means, members.iter().map(|&(pid, _)| pid));
        let shown = |&(pid, container): &(u32, Option<ContainerId>)| {
            let mut process = self.reading(pid)?.to_process();
            process.container = container;
            process.uid = uid_inside(process.host_uid, uid_base);
            process.host_uid = means.own_ids.on_host(process.host_uid);
            Some(process)
        };
        members.iter().filter_map(shown).collect()
    }

    /// Reads these processes and forgets all others; [`Processes::reading`] has what was read.
    pub(crate) fn read_all(&mut self, means: &Means, pids: impl Iterator<Item = u32>) {
        self.round += 1;
        for pid in pids {
            self.read_one(means, pid);
        }
        self.entries.retain(|_, entry| entry.round == self.round);
    }

    /// What was last read of a process, if it was there.
    pub(crate) fn reading(&self, pid: u32) -> Option<Reading<'_>> {
        self.entries.get(&pid)?.reading()
    }

    fn read_one(&mut self, means: &Means, pid: u32) -> Option<()> {
        if let Some(entry) = self.entries.get_mut(&pid) {
            if entry.read(means, &mut self.buffer, self.round).is_some() {
                return Some(());
            }
            // It ended; the number may belong to another process by now.
            self.entries.remove(&pid);
        }
        let mut entry = Entry::open(means, pid)?;
        entry.read(means, &mut self.buffer, self.round)?;
        self.entries.insert(pid, entry);
        Some(())
    }

    #[cfg(test)]
    pub(crate) fn len(&self) -> usize {
        self.entries.len()
    }
}

/// What was read of one process, as raw as the kernel gave it.
#[derive(Clone, Debug)]
pub(crate) struct Reading<'a> {
    /// PID on the host.
    pub(crate) pid: u32,
    /// Its user and its PIDs in all its namespaces.
    pub(crate) status: &'a parse::Status,
    /// What `stat` said.
    pub(crate) stat: KeptStat,
    /// Its name, as raw as it chose it.
    pub(crate) comm: &'a [u8],
    /// CPU time so far.
    pub(crate) cpu_nsec: u64,
    /// CPU since the reading before, in thousandths of one CPU.
    pub(crate) cpu_permille: u32,
    /// Inode numbers in the order of `Namespace::ALL`; 0 where they cannot be read.
    pub(crate) namespaces: [u64; 8],
    command: &'a Slot,
}

impl Reading<'_> {
    /// Its command line; `None` when it is not there yet, and empty where there is none.
    pub(crate) fn command(&self) -> Option<String> {
        self.command.text()
    }

    /// Its PID in each namespace, the host's first.
    pub(crate) fn pids(&self) -> Vec<u32> {
        if self.status.pids.is_empty() { vec![self.pid] } else { self.status.pids.clone() }
    }

    /// Resident memory; a zombie has none.
    pub(crate) fn rss_bytes(&self) -> u64 {
        if self.stat.state == 'Z' { 0 } else { self.status.rss_bytes }
    }

    fn to_process(&self) -> Process {
        let KeptStat { state, parent, start_ticks } = self.stat;
        let name = parse::printable(self.comm, NAME_BYTES);
        // The name in brackets, as `ps` writes it, where there is no command line (yet).
        let command = self.command().filter(|text| !text.is_empty());
        let command = command.unwrap_or_else(|| format!("[{name}]"));
        Process {
            pids: self.pids(),
            parent,
            container: None,
            host_uid: self.status.euid,
            uid: OVERFLOW_UID,
            state,
            command: if state == 'Z' { String::new() } else { command },
            name,
            cpu_permille: self.cpu_permille,
            cpu_msec: self.cpu_nsec / MSEC,
            rss_bytes: self.rss_bytes(),
            start_ticks,
            namespaces: self.namespaces,
        }
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

/// The namespaces of the process with this `/proc/PID`, in the order of `Namespace::ALL`; 0 for
/// what cannot be read.
pub(crate) fn namespaces_of(directory: impl AsFd) -> [u64; 8] {
    // Looking `ns` up once is cheaper than eight times.
    let Ok(ns) = file::enter_in(directory, c"ns") else { return [0; 8] };
    NS_LINKS.map(|link| {
        let text = readlinkat(&ns, link);
        text.ok().and_then(|text| parse::namespace_link(text.as_encoded_bytes())).unwrap_or(0)
    })
}

/// Does the process with this `/proc/PID` hide its namespaces from us? One that ends has none.
pub(crate) fn hides_namespaces(directory: impl AsFd) -> bool {
    // Every process, even one that has ended, has a user namespace.
    matches!(readlinkat(&directory, c"ns/user"), Err(Errno::EACCES | Errno::EPERM))
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
pub(crate) struct KeptStat {
    /// State letter.
    pub(crate) state: char,
    /// The parent's PID.
    pub(crate) parent: u32,
    /// Clock ticks from boot to its start.
    pub(crate) start_ticks: u64,
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
    cpu_permille: u32,
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
            cpu_permille: 0,
            status: parse::Status::default(),
            status_at: None,
            namespaces: [0; 8],
            namespaces_at: None,
            command: Arc::default(),
            command_at: None,
        })
    }

    /// One reading; `None` when the process has ended, or is another one.
    fn read(&mut self, means: &Means, buffer: &mut Vec<u8>, round: u64) -> Option<()> {
        self.round = round;
        let cpu_nsec = (means.cpu_clock)(self.pid);
        if let (Some(cpu_nsec), Some((_, at))) = (cpu_nsec, self.stat) {
            let now = Mark { at_nsec: clock::monotonic_nsec(), cpu_nsec };
            if !at.has_run(now) && !at.is_older(now, self.spread(IDLE_STAT_MSEC)) {
                self.mark(now);
                return Some(());
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
        let parse::Stat { state, parent, is_kernel, start_ticks, .. } = stat;
        let renamed = stat.comm != self.comm;
        if renamed {
            self.comm = stat.comm.to_vec();
        }
        self.stat = Some((KeptStat { state, parent, start_ticks }, now));
        self.read_status(&directory, buffer, now)?;
        if is_kernel {
            // It has no command line either.
            self.read_kernels_namespaces(means, &directory, now);
        } else if state != 'Z' {
            self.read_namespaces(&directory, now);
            self.ask_command(means, &directory, now, renamed);
        }
        self.mark(now);
        Some(())
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

    /// The kernel's threads stay in the namespaces that were there first, but for mounts: the one
    /// that keeps `/dev` has its own (`devtmpfsd` unshares them). So one of them tells for all.
    fn read_kernels_namespaces(&mut self, means: &Means, directory: &OwnedFd, now: Mark) {
        let Some(kernel) = means.kernel.get() else {
            self.read_namespaces(directory, now);
            means.kernel.set(Some(self.namespaces).filter(|all| !all.contains(&0)));
            return;
        };
        let mounts = readlinkat(directory, c"ns/mnt");
        let mounts = mounts.ok().and_then(|text| parse::namespace_link(text.as_encoded_bytes()));
        self.namespaces = kernel;
        self.namespaces[Namespace::Mount as usize] = mounts.unwrap_or(0);
    }

    /// What cannot be read keeps its last value: of a process that is just ending, too.
    fn read_namespaces(&mut self, directory: &OwnedFd, now: Mark) {
        let complete = self.namespaces.iter().all(|&inode| inode != 0);
        let is_fresh = |at: Mark| !at.is_older(now, 500) || (complete && !at.has_run(now));
        if self.namespaces_at.is_some_and(is_fresh) {
            return;
        }
        for (inode, found) in self.namespaces.iter_mut().zip(namespaces_of(directory)) {
            *inode = if found == 0 { *inode } else { found };
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

    fn mark(&mut self, now: Mark) {
        self.cpu_permille = self.last.replace(now).map_or(0, |last| {
            let elapsed_nsec = now.at_nsec.saturating_sub(last.at_nsec);
            clock::permille(now.cpu_nsec.saturating_sub(last.cpu_nsec), elapsed_nsec)
        });
    }

    fn reading(&self) -> Option<Reading<'_>> {
        Some(Reading {
            pid: self.pid,
            status: &self.status,
            stat: self.stat?.0,
            comm: &self.comm,
            cpu_nsec: self.last?.cpu_nsec,
            cpu_permille: self.cpu_permille,
            namespaces: self.namespaces,
            command: &self.command,
        })
    }
}

#[cfg(test)]
#[path = "tests/process.rs"]
mod tests;
