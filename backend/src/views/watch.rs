//! Processes read once or again and again, with what the host knows of each.

use std::cell::Cell;
use std::collections::HashMap;
use std::os::fd::OwnedFd;
use std::rc::Rc;

use anyhow::Context as _;
use nix::dir::Dir;
use serde::Serialize;
use serde::ser::SerializeMap as _;
use vitrine_shared::namespace::Namespace;

use super::missed::Missed;
use super::place::{self, Place};
use super::uids::UidMaps;
use super::{Host, groups, text};
use crate::observer::command_line::CommandLines;
use crate::observer::file::{self, Ledger};
use crate::observer::process::{Means, Processes, Reading};
use crate::observer::roots::OwnIds;
use crate::observer::{clock, process};

/// Command lines that may wait, each with a descriptor, before reading waits for them.
const MAX_WAITING: usize = 256;

/// One process.
#[derive(Clone, Debug, Serialize)]
pub(crate) struct Row {
    /// PID on the host.
    pub(crate) pid: u32,
    /// Its PID in each PID namespace, the host's first.
    pub(crate) pids: Vec<u32>,
    /// The parent's PID on the host.
    pub(crate) parent: u32,
    /// Effective user id on the host.
    pub(crate) uid: u32,
    /// The same inside its user namespace, if it has a number there.
    pub(crate) uid_inside: Option<u32>,
    /// State letter of `proc_pid_stat(5)`.
    pub(crate) state: char,
    /// CPU time so far.
    pub(crate) cpu_nsec: u64,
    /// CPU since the reading before.
    #[serde(skip)]
    pub(crate) cpu_permille: u32,
    /// Resident memory.
    pub(crate) rss_bytes: u64,
    /// Clock ticks from boot to its start: with the PID, its identity.
    pub(crate) start_ticks: u64,
    /// Its name.
    pub(crate) name: String,
    /// Its command line; empty for a kernel thread and a zombie.
    pub(crate) argv: Vec<String>,
    /// The machine and container it belongs to.
    #[serde(serialize_with = "place::serialize")]
    pub(crate) container: Option<Rc<Place>>,
    /// Its namespaces.
    pub(crate) namespaces: Inodes,
    /// Names of those that are not the host's.
    pub(crate) own: Vec<&'static str>,
}

/// Inode numbers in the order of [`Namespace::ALL`]; 0 where they cannot be read.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Inodes(pub(crate) [u64; 8]);

impl Serialize for Inodes {
    fn serialize<S: serde::Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let mut map = serializer.serialize_map(Some(8))?;
        for (namespace, &inode) in Namespace::ALL.iter().zip(&self.0) {
            map.serialize_entry(namespace.proc_name(), &Some(inode).filter(|&inode| inode != 0))?;
        }
        map.end()
    }
}

impl Row {
    /// The command line for a terminal; the name in brackets where there is none.
    pub(crate) fn command(&self) -> String {
        if self.argv.is_empty() {
            return format!("[{}]", text::escape(&self.name));
        }
        text::escape(&self.argv.join(" "))
    }

    /// The PIDs below the host's, the innermost last; `-` for none.
    pub(crate) fn pids_inside(&self) -> String {
        let inside: Vec<String> = self.pids.iter().skip(1).map(u32::to_string).collect();
        if inside.is_empty() { "-".into() } else { inside.join(",") }
    }

    /// A letter for each namespace of its own, a dot for one of the host's, a question mark for
    /// one that cannot be read; always eight.
    pub(crate) fn letters(&self) -> String {
        let letter = |(namespace, &inode): (&Namespace, &u64)| match inode {
            0 => '?',
            _ if self.own.contains(&namespace.proc_name()) => namespace.letter(),
            _ => '.',
        };
        Namespace::ALL.iter().zip(&self.namespaces.0).map(letter).collect()
    }
}

/// What reads processes, and what it keeps in between.
pub(crate) struct Watch {
    pub(crate) host: Host,
    means: Means,
    processes: Processes,
    listing: Dir,
    uids: UidMaps,
    /// The host's namespaces: of PID 1, or of this process where that cannot be read.
    host_namespaces: [u64; 8],
}

impl Watch {
    /// Reads this host. With `keep`, descriptors stay open for the next reading.
    pub(crate) fn new(host: Host, keep: bool) -> anyhow::Result<Self> {
        let opened = || file::open_directory(&host.proc);
        let open = || opened().with_context(|| format!("open {}", host.proc.display()));
        let proc: OwnedFd = open()?;
        let listing = Dir::from_fd(open()?).context("list the processes")?;
        let ledger = if keep { Ledger::of_this_process() } else { Ledger::new(0) };
        let commands = CommandLines::kept(|bytes| String::from_utf8_lossy(bytes).into_owned());
        let uids = UidMaps::new(&proc);
        let host_namespaces = host_namespaces(&proc);
        let own_ids = OwnIds::read(&proc, &mut Vec::new());
        let (cpu_clock, kernel) = (clock::process_cpu_nsec as _, Cell::default());
        let means = Means { proc, cpu_clock, commands, ledger, own_ids, kernel };
        let processes = Processes::default();
        Ok(Watch { host, means, processes, listing, uids, host_namespaces })
    }

    /// Reads CPU time from `stat` alone, for trees that are no real `/proc`.
    #[cfg(test)]
    pub(crate) fn without_clock(mut self) -> Self {
        self.means.cpu_clock = |_| None;
        self
    }

    /// All PIDs, in order.
    pub(crate) fn pids(&mut self) -> Vec<u32> {
        let pid = |entry: nix::dir::Entry| entry.file_name().to_str().ok()?.parse().ok();
        let mut pids: Vec<u32> = self.listing.iter().flatten().filter_map(pid).collect();
        pids.sort_unstable();
        pids
    }

    /// Reads the processes of ours, or all of the host's.
    pub(crate) fn read(&mut self, all: bool, missed: &mut Missed) -> Vec<Row> {
        let members = groups::members(&self.host, missed);
        let pids = if all {
            self.pids()
        } else {
            let mut pids: Vec<u32> = members.keys().copied().collect();
            pids.sort_unstable();
            pids
        };
        self.read_these(&pids, &members, missed)
    }

    /// Reads these processes.
    pub(crate) fn read_these(
        &mut self,
        pids: &[u32],
        members: &HashMap<u32, Rc<Place>>,
        missed: &mut Missed,
    ) -> Vec<Row> {
        let commands = &self.means.commands;
        let mut n_asked = 0;
        let heed = |_: &u32| {
            n_asked += 1;
            if n_asked % MAX_WAITING == 0 {
                commands.settle();
            }
        };
        self.processes.read_all(&self.means, pids.iter().copied().inspect(heed));
        self.means.commands.settle();
        let mut rows = Vec::with_capacity(pids.len());
        for &pid in pids {
            let Some(reading) = self.processes.reading(pid) else { continue };
            let inode = reading.namespaces[Namespace::User as usize];
            let euid = reading.status.euid;
            let uid_inside = self.uids.inside(&self.means.proc, pid, inode, euid);
            let mut row = row(&reading, uid_inside, self.host_namespaces);
            row.container = members.get(&pid).cloned();
            missed.processes += 1;
            let is_whole = !row.namespaces.0.contains(&0);
            missed.namespaces += usize::from(!is_whole && self.hides_namespaces(pid));
            rows.push(row);
        }
        rows
    }

    fn hides_namespaces(&self, pid: u32) -> bool {
        let name = std::ffi::CString::new(pid.to_string()).ok();
        let directory = name.and_then(|name| file::open_directory_in(&self.means.proc, &name).ok());
        directory.is_some_and(process::hides_namespaces)
    }
}

fn row(reading: &Reading<'_>, uid_inside: Option<u32>, host: [u64; 8]) -> Row {
    let namespaces = reading.namespaces;
    let is_own = |&i: &usize| namespaces[i] != 0 && host[i] != 0 && namespaces[i] != host[i];
    let own = (0..8).filter(is_own).map(|i| Namespace::ALL[i].proc_name());
    Row {
        pid: reading.pid,
        pids: reading.pids(),
        parent: reading.stat.parent,
        uid: reading.status.euid,
        uid_inside,
        state: reading.stat.state,
        cpu_nsec: reading.cpu_nsec,
        cpu_permille: reading.cpu_permille,
        rss_bytes: reading.rss_bytes(),
        start_ticks: reading.stat.start_ticks,
        name: String::from_utf8_lossy(reading.comm).into_owned(),
        argv: words(&reading.command().unwrap_or_default()),
        container: None,
        namespaces: Inodes(namespaces),
        own: own.collect(),
    }
}

/// The words of a `cmdline`, each of which ends in a zero byte.
fn words(text: &str) -> Vec<String> {
    // What a process writes over its arguments is padded with zeros.
    let text = text.trim_end_matches('\0');
    if text.is_empty() {
        return Vec::new();
    }
    text.split('\0').map(str::to_string).collect()
}

fn host_namespaces(proc: &OwnedFd) -> [u64; 8] {
    let of = |name| file::open_through(proc, name).map_or([0; 8], process::namespaces_of);
    let (first, own) = (of(c"1"), of(c"self"));
    std::array::from_fn(|i| if first[i] == 0 { own[i] } else { first[i] })
}

#[cfg(test)]
#[path = "tests/watch.rs"]
mod tests;
