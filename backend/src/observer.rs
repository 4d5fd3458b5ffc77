//! The observer: reads `/proc` and the cgroup files once a tick, for everybody who looks.
//!
//! ```text
//!  launcher ── Machine, MachineGone, Web ──►┐            ┌── Watch { machine, hertz } ◄── web
//!           ◄─── OomKilled, Throttled ──────┤  observer  ├── Sample, Cpu, Use ─────────►
//!                                           └─────┬──────┘
//!                                                 │ what is read, and when
//!  each tick, for each machine due                │
//!    GROUP/cgroup.procs           open, read ─────┤  who belongs to which container
//!    CPU clock of PID             no descriptor ──┤  CPU time of all its threads, in ns
//!    GROUP/cpu.stat, pids.max …   kept, pread ────┤  the raw files, and the meters out of them
//!    /proc/PID/cgroup             open, read ─────┤  which groups it is in  (64 processes a tick)
//!  each tick, but not within 450 ms, where        │
//!  somebody may have made groups                  │
//!    root, and what is below it   readdir ────────┤  which groups there are (bounded)
//!  each tick, but not within 450 ms               │
//!    /proc, once for all machines readdir ────────┤  how many processes the host has
//!  when PID has run since the last time           │
//!    /proc/PID/stat               kept, pread ────┤  state, parent, start   (else every ½ s)
//!    /proc/PID/status             open, read ─────┤  NSpid, Uid, VmRSS      (else every 5 s)
//!    /proc/PID/ns/*               readlink ───────┤  eight inode numbers    (at most every ½ s)
//!    /proc/PID/cmdline            other thread ───┤  may block; never waited for
//!  twenty times a second, for a group in focus    │
//!    cpuacct.usage | cpu.stat …   kept, pread ────┤  CPU time, and the moment it was read
//!    /proc/TID/schedstat          kept, pread ────┤  run and wait of each thread
//!  when a page asks, in a thread                  │
//!    descriptors, mounts, id maps  discover ──────┤  namespaces, and what holds them
//!  four times a second, for a group in focus      │
//!    memory.stat, pids.events, io.stat … open ────┤  what else it uses, and what it met
//!  each second, for all machines                  │
//!    memory.oom_control | .events kept, pread ────┤  where something was killed for memory
//!    cpu.stat                     kept, pread ────┤  who is throttled, and who not any more
//!  when something was                             │
//!    /dev/kmsg                    kept, read ─────┘  who it was
//! ```
//!
//! One thread and `poll`; samples are values, so one that web has no room for is dropped and the
//! next one stands for it. The observer ends when the launcher closes its channel.
//!
//! It parses text that hostile processes write, with two capabilities that read anything. So the
//! launcher confines it before [`run`], and it opens nothing but for reading.
//!
//! In reading order: [`Reader`] (a machine in, a sample out), then `process`, `group` and `oom`
//! (what is kept of each), `throttle`, `made` and `standing` (groups that somebody made, and who is in which),
//! `roots` (an ordinary user's machines), `command_line` (the reads that may block),
//! `discover` (a close look at namespaces; `namespace` and `mountinfo` are shared with the views), `parse` (bytes to numbers),
//! `news` (what the launcher is told), `schedule`, `focus` (one group's CPU, some twenty times a second), `uses` (what else it uses), `clock` and `file`.

pub(crate) mod clock;
pub(crate) mod command_line;
mod discover;
pub(crate) mod file;
mod focus;
pub(crate) mod group;
mod made;
pub(crate) mod mountinfo;
pub(crate) mod namespace;
mod news;
mod oom;
pub(crate) mod parse;
pub(crate) mod process;
mod reader;
pub(crate) mod roots;
mod schedule;
mod standing;
mod throttle;
mod uses;

use std::collections::VecDeque;
use std::io::{self, ErrorKind};
use std::os::fd::AsFd;
use std::path::Path;

use anyhow::Context as _;
use nix::errno::Errno;
use nix::poll::{PollFd, PollFlags, PollTimeout, poll};
use nix::sys::resource::{Resource, getrlimit, setrlimit};
use vitrine_shared::focus::Look;

use self::discover::Looks;
use self::focus::Focuses;
pub use self::oom::Killed;
pub use self::reader::Reader;
use self::schedule::Schedule;
use self::uses::Uses;
use crate::ipc::{Channel, FromObserver, Inbox, ObserverToWeb, ToObserver, WebToObserver};
use crate::kernel_log::KernelLog;

const MSEC_NSEC: u64 = 1_000_000;
/// Messages taken from one channel before the clock is looked at again.
const BATCH: usize = 64;

/// Observes until the launcher closes its channel.
pub(crate) fn run(channel: Channel, log: Option<KernelLog>) -> anyhow::Result<()> {
    raise_descriptor_limit();
    observe(channel, Path::new("/proc"), log)
}

fn observe(launcher: Channel, proc: &Path, log: Option<KernelLog>) -> anyhow::Result<()> {
    let reader = Reader::new(proc).with_context(|| format!("open {}", proc.display()))?;
    let mut observer = Observer {
        launcher: Peer::new(launcher),
        web: None,
        reader,
        schedule: Schedule::default(),
        focuses: Focuses::default(),
        uses: Uses::default(),
        looks: Looks::default(),
        log,
        news_due_nsec: 0,
        news: VecDeque::new(),
    };
    loop {
        observer.wait()?;
        if !observer.hear_launcher()? {
            return Ok(());
        }
        observer.hear_web();
        observer.look_for_news();
        observer.read_focused();
        observer.read_due();
        observer.look_closer();
        if !observer.tell_launcher()? {
            return Ok(());
        }
    }
}

/// The other end of a channel, and what has arrived of its next message.
struct Peer {
    channel: Channel,
    inbox: Inbox,
}

impl Peer {
    fn new(channel: Channel) -> Self {
        Peer { channel, inbox: Inbox::default() }
    }
}

struct Observer {
    launcher: Peer,
    web: Option<Peer>,
    reader: Reader,
    schedule: Schedule,
    focuses: Focuses,
    uses: Uses,
    looks: Looks,
    /// Where the kernel says whom it killed, if it may be read.
    log: Option<KernelLog>,
    news_due_nsec: u64,
    news: VecDeque<FromObserver>,
}

impl Observer {
    /// Sleeps until somebody speaks or something is due.
    fn wait(&self) -> anyhow::Result<()> {
        let now_nsec = clock::monotonic_nsec();
        let next = [
            self.schedule.next_nsec(),
            self.focuses.next_nsec(),
            self.uses.next_nsec(),
            self.looks.next_nsec(now_nsec),
        ];
        let due_nsec = next.into_iter().flatten().fold(self.news_due_nsec, u64::min);
        let wait_msec = due_nsec.saturating_sub(now_nsec).div_ceil(MSEC_NSEC);
        let timeout = PollTimeout::from(u16::try_from(wait_msec).unwrap_or(u16::MAX));
        let listen = |peer| PollFd::new(peer, PollFlags::POLLIN);
        let mut fds = vec![listen(self.launcher.channel.as_fd())];
        fds.extend(self.web.as_ref().map(|web| listen(web.channel.as_fd())));
        if !self.news.is_empty() {
            fds[0].set_events(PollFlags::POLLIN | PollFlags::POLLOUT);
        }
        match poll(&mut fds, timeout) {
            Ok(_) | Err(Errno::EINTR) => Ok(()),
            Err(errno) => Err(errno).context("poll the channels"),
        }
    }

    /// `false` when the launcher has gone.
    fn hear_launcher(&mut self) -> anyhow::Result<bool> {
        for _ in 0..BATCH {
            let heard = match self.launcher.channel.recv(&mut self.launcher.inbox) {
                Err(err) if err.kind() == ErrorKind::WouldBlock => return Ok(true),
                Err(err) if is_closed(&err) => return Ok(false),
                other => other.context("hear the launcher")?,
            };
            let Some((message, fds)) = heard else { return Ok(false) };
            match message {
                ToObserver::Machine(machine) => {
                    let id = machine.machine;
                    let killed = self.reader.machine(machine);
                    self.note_kills(id, killed);
                }
                ToObserver::MachineGone { machine } => {
                    let killed = self.reader.gone(machine);
                    self.note_kills(machine, killed);
                    self.schedule.watch(machine, 0, 0);
                }
                ToObserver::Web => {
                    self.lose_web();
                    let fd = fds.into_iter().next();
                    let fd = fd.context("the launcher sent no channel to web")?;
                    self.web = Some(Peer::new(Channel::from_fd(fd)));
                }
            }
        }
        Ok(true)
    }

    fn hear_web(&mut self) {
        for _ in 0..BATCH {
            let Some(web) = &mut self.web else { return };
            match web.channel.recv(&mut web.inbox) {
                Ok(Some((WebToObserver::Watch { machine, hertz }, _fds))) => {
                    self.schedule.watch(machine, hertz, clock::monotonic_nsec());
                    if hertz == 0 {
                        self.release();
                    }
                }
                Ok(Some((WebToObserver::Files { machine, groups }, _fds))) => {
                    self.reader.show_files(machine, groups);
                }
                Ok(Some((WebToObserver::Focus { focus, on }, _fds))) => match focus.look {
                    Look::Cpu => self.focuses.set(focus, on),
                    Look::Use => self.uses.set(focus, on),
                },
                Ok(Some((WebToObserver::Discover { machine }, _fds))) => self.looks.want(machine),
                Err(err) if err.kind() == ErrorKind::WouldBlock => return,
                Ok(None) => self.lose_web(),
                Err(err) => {
                    tracing::warn!(%err, "lost the channel to web");
                    self.lose_web();
                }
            }
        }
    }

    /// What web asked for is forgotten; the launcher will send the next one.
    fn lose_web(&mut self) {
        self.web = None;
        self.schedule.clear();
        self.reader.show_no_files();
        self.focuses.clear();
        self.uses.clear();
        self.looks.clear();
        self.release();
    }

    fn release(&mut self) {
        self.reader.release(|machine| self.schedule.is_watched(machine));
    }

    /// `false` when the launcher has gone.
    fn tell_launcher(&mut self) -> anyhow::Result<bool> {
        while let Some(news) = self.news.front() {
            match self.launcher.channel.send(news, &[]) {
                Ok(()) => self.news.pop_front(),
                Err(err) if err.kind() == ErrorKind::WouldBlock => return Ok(true),
                Err(err) if is_closed(&err) => return Ok(false),
                Err(err) => return Err(err).context("tell the launcher"),
            };
        }
        Ok(true)
    }

    /// Looks at namespaces in a thread, and tells what it found.
    fn look_closer(&mut self) {
        let reader = &self.reader;
        let found = self.looks.go_on(clock::monotonic_nsec(), |machine| reader.scene(machine));
        if let Some(discovery) = found {
            self.tell_web(&ObserverToWeb::Discovery(Box::new(discovery)));
        }
    }

    /// Tells web something that the next word of its kind replaces, when there is room for it.
    fn tell_web(&mut self, message: &ObserverToWeb) {
        let Some(web) = &self.web else { return };
        if !has_room(&web.channel) {
            return;
        }
        match web.channel.send(message, &[]) {
            Ok(()) => {}
            Err(err) if err.kind() == ErrorKind::WouldBlock => {}
            Err(err) => {
                tracing::warn!(%err, "lost the channel to web");
                self.lose_web();
            }
        }
    }

    fn read_due(&mut self) {
        let due = self.schedule.take_due(clock::monotonic_nsec());
        if due.is_empty() {
            return;
        }
        for sample in self.reader.sample(&due) {
            self.tell_web(&ObserverToWeb::Sample(Box::new(sample)));
        }
    }

    fn read_focused(&mut self) {
        for sample in self.reader.cpu_samples(&mut self.focuses) {
            self.tell_web(&ObserverToWeb::Cpu(Box::new(sample)));
        }
        for sample in self.reader.use_samples(&mut self.uses) {
            self.tell_web(&ObserverToWeb::Use(Box::new(sample)));
        }
    }
}

/// Is most of the channel's buffer free? Otherwise web is busy: the sample is dropped, and the
/// next one says all that it would have said.
///
/// Linux calls a Unix socket writable while three quarters of its buffer are free (about 160 KB),
/// so a sample in two packets goes through whole and never waits in the middle.
fn has_room(channel: &Channel) -> bool {
    let mut fds = [PollFd::new(channel.as_fd(), PollFlags::POLLOUT)];
    poll(&mut fds, PollTimeout::ZERO).is_ok_and(|n_ready| n_ready > 0)
}

fn is_closed(err: &io::Error) -> bool {
    matches!(err.kind(), ErrorKind::BrokenPipe | ErrorKind::ConnectionReset)
}

/// Kept descriptors make readings cheap. Where the limit cannot be raised, fewer are kept.
pub(crate) fn raise_descriptor_limit() {
    if let Ok((soft, hard)) = getrlimit(Resource::RLIMIT_NOFILE)
        && soft < hard
        && let Err(err) = setrlimit(Resource::RLIMIT_NOFILE, hard, hard)
    {
        tracing::debug!(%err, "raise the limit of open files");
    }
}

#[cfg(test)]
#[path = "observer/tests/run.rs"]
mod tests;
#[cfg(test)]
#[path = "observer/tests/tree.rs"]
pub(crate) mod tests_tree;
