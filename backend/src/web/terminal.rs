//! Terminals: PTY to ring, ring to every page that watches, keys to PTY.
//!
//! There is no queue between PTY and pages: output is read into the ring and each page copies
//! from it at its own position, so memory is bounded by the ring, whoever is slow. Reading stops
//! [`TERMINAL_UNACKED_BYTES`] beyond the slowest holder ([`flow`]). With nobody there it goes on
//! until the ring is full beyond what was drawn last and then stops, as after XOFF: the program
//! waits, and whoever comes back has lost nothing. Input never waits for output.

mod flow;
mod keys;
pub(crate) mod socket;

use std::collections::HashMap;
use std::io;
use std::os::fd::OwnedFd;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

use tokio::sync::{Notify, watch};
use tokio::time::sleep;
use vitrine_shared::id::{ContainerId, MachineId, ParticipantId, TerminalId};
use vitrine_shared::limits::TERMINAL_UNACKED_BYTES;
use vitrine_shared::terminal::Output;

use super::pty::Pty;
use super::ring::{CAPACITY_BYTES, Ring};
use flow::Flow;

/// Output in one frame.
const FRAME_BYTES: usize = 16 * 1024;
/// How far before the present a viewer goes on that has fallen out of the ring.
const CATCH_UP_BYTES: u64 = 32 * 1024;
/// How long the end of a terminal waits for a process that still has it open.
const END_GRACE: Duration = Duration::from_secs(2);

/// The terminals that are served.
#[derive(Default)]
pub(crate) struct Terminals {
    terminals: Mutex<HashMap<TerminalId, Arc<Terminal>>>,
}

/// One terminal.
pub(crate) struct Terminal {
    /// Its container's machine.
    pub(crate) machine: MachineId,
    /// Its container.
    pub(crate) container: ContainerId,
    pty: Pty,
    state: Mutex<State>,
    /// An acknowledgement came, or a page went.
    drawn: Notify,
    /// Something changed that a page may have to be told.
    news: watch::Sender<()>,
    life: watch::Sender<Life>,
}

struct State {
    ring: Ring,
    flow: Flow,
    drained: bool,
}

#[derive(Clone, Copy, Default)]
struct Life {
    /// The program has ended.
    status: Option<i32>,
    /// The machine has.
    gone: bool,
}

/// What a page must be told next.
enum Step {
    Send(Output),
    Exit(i32),
    Gone,
    Wait,
    /// There is little to send, and much is on its way: until it is acknowledged, or for a moment.
    Grow,
}

impl Terminals {
    fn lock(&self) -> MutexGuard<'_, HashMap<TerminalId, Arc<Terminal>>> {
        self.terminals.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Starts to serve a terminal.
    pub(crate) fn add(
        &self,
        id: TerminalId,
        machine: MachineId,
        container: ContainerId,
        master: OwnedFd,
        ring: &OwnedFd,
    ) -> io::Result<()> {
        let terminal = Arc::new(Terminal {
            machine,
            container,
            pty: Pty::new(master)?,
            state: Mutex::new(State {
                ring: Ring::open(ring)?,
                flow: Flow::default(),
                drained: false,
            }),
            drawn: Notify::new(),
            news: watch::Sender::new(()),
            life: watch::Sender::new(Life::default()),
        });
        tokio::spawn(pump(terminal.clone()));
        if let Some(old) = self.lock().insert(id, terminal) {
            old.leave();
        }
        Ok(())
    }

    /// A terminal, if it is served.
    pub(crate) fn get(&self, id: TerminalId) -> Option<Arc<Terminal>> {
        self.lock().get(&id).cloned()
    }

    /// The program on a terminal has ended.
    pub(crate) fn ended(&self, id: TerminalId, status: i32) {
        if let Some(terminal) = self.get(id) {
            terminal.life.send_modify(|life| life.status = Some(status));
        }
    }

    /// Keeps terminals that run, and of the others those that `keep` wants.
    pub(crate) fn retain(&self, keep: impl Fn(&Terminal) -> bool) {
        self.lock().retain(|_, terminal| {
            let stays = terminal.life.borrow().status.is_none() || keep(terminal);
            if !stays {
                terminal.leave();
            }
            stays
        });
    }

    /// A machine is gone, and its terminals with it.
    pub(crate) fn gone(&self, machine: MachineId) {
        self.lock().retain(|_, terminal| {
            let stays = terminal.machine != machine;
            if !stays {
                terminal.leave();
            }
            stays
        });
    }
}

impl State {
    /// How many bytes may be read now.
    fn room(&mut self, now: Instant) -> u64 {
        let limit = match self.flow.floor(now) {
            Some(floor) => {
                self.ring.set_acked(floor);
                floor.saturating_add(TERMINAL_UNACKED_BYTES.value.min(CAPACITY_BYTES))
            }
            None => self.ring.acked().saturating_add(CAPACITY_BYTES),
        };
        limit.saturating_sub(self.ring.head())
    }

    /// The page has everything before `seq`, it says.
    fn resume(&mut self, page: u64, seq: u64, now: Instant) {
        let there = self.ring.tail()..=self.ring.head();
        if let Some(watcher) = self.flow.get(page) {
            watcher.reset = !there.contains(&seq);
            watcher.place(if watcher.reset { *there.start() } else { seq }, now);
        }
    }

    /// What comes next for a page; with `small`, even a frame that had better grow.
    fn step(&mut self, page: u64, life: Life, small: bool, now: Instant) -> Step {
        let Some(watcher) = self.flow.get(page) else { return Step::Gone };
        if let Some(input_seq) = watcher.confirm.take() {
            return Step::Send(Output::InputAck { input_seq });
        }
        let Some(next) = watcher.next else { return Step::Wait };
        let (tail, head) = (self.ring.tail(), self.ring.head());
        let asked = std::mem::take(&mut watcher.reset);
        if asked || next < tail {
            // Whoever comes gets all there is; whoever falls behind goes on near the present.
            let from = if asked { next } else { head.saturating_sub(CATCH_UP_BYTES) };
            let seq = from.max(tail);
            watcher.place(seq, now);
            return Step::Send(Output::Reset { seq });
        }
        if next < head {
            let is_small = head - next < FRAME_BYTES as u64;
            if is_small && !small && watcher.is_busy() {
                return Step::Grow;
            }
            let bytes = self.ring.copy(next, FRAME_BYTES);
            watcher.sent(bytes.len() as u64, now);
            return Step::Send(Output::Data { seq: next, bytes });
        }
        match life.status {
            Some(status) if self.drained => Step::Exit(status),
            _ => Step::Wait,
        }
    }
}

impl Terminal {
    fn lock(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn leave(&self) {
        self.life.send_modify(|life| life.gone = true);
        self.news.send_replace(());
    }

    fn step(&self, page: u64, small: bool) -> Step {
        let life = *self.life.borrow();
        if life.gone {
            return Step::Gone;
        }
        self.lock().step(page, life, small, Instant::now())
    }

    /// A page comes; also gives the position of the input it should send next.
    fn enter(&self, participant: ParticipantId, may_type: bool, owner: bool) -> (u64, u64) {
        let mut state = self.lock();
        let page = state.flow.enter(participant, may_type, owner, Instant::now());
        (page, state.ring.input_seq())
    }

    fn leave_page(&self, page: u64) {
        let mut state = self.lock();
        // Who goes last leaves the mark for who comes back.
        state.room(Instant::now());
        state.flow.leave(page);
        drop(state);
        self.drawn.notify_one();
    }

    fn resume(&self, page: u64, seq: u64) {
        self.lock().resume(page, seq, Instant::now());
        self.with_page(page, |_| ());
    }

    /// Changes what is known of a page, and wakes whoever may go on because of it.
    fn with_page(&self, page: u64, act: impl FnOnce(&mut flow::Watcher)) {
        if let Some(watcher) = self.lock().flow.get(page) {
            act(watcher);
        }
        self.drawn.notify_one();
        self.news.send_replace(());
    }

    /// A page's own input is done with up to here.
    fn confirm(&self, page: u64, confirmed: u64) {
        self.lock().ring.skip_input(confirmed);
        self.with_page(page, |watcher| watcher.confirm = Some(confirmed));
    }

    /// Reads once into the ring, as much as may be read.
    async fn read_some(&self) -> io::Result<()> {
        let read = |read: &dyn Fn(&mut [u8]) -> io::Result<usize>| {
            let mut state = self.lock();
            let room = state.room(Instant::now());
            if room == 0 {
                return Ok(0);
            }
            let bytes = read(state.ring.arm(room))?;
            state.ring.commit(bytes);
            if bytes == 0 { Err(io::ErrorKind::UnexpectedEof.into()) } else { Ok(bytes) }
        };
        self.pty.read_with(read).await.map(drop)
    }

    /// Writes once what was typed; `None` when the page has been superseded.
    async fn write_some(&self, page: u64, bytes: &[u8]) -> Option<usize> {
        let mut superseded = false;
        let write = |write: &dyn Fn(&[u8]) -> io::Result<usize>| {
            let mut state = self.lock();
            if let Some(watcher) = state.flow.get(page)
                && std::mem::take(&mut watcher.superseded)
            {
                superseded = true;
                return Ok(0);
            }
            state.ring.begin_input(bytes.len());
            let written = write(bytes);
            state.ring.end_input(*written.as_ref().unwrap_or(&0));
            written
        };
        match self.pty.write_with(write).await {
            Ok(_) if superseded => None,
            Ok(written) => Some(written),
            // Nobody has the other side open: the keys go where they would go on a console.
            Err(_) => Some(bytes.len()),
        }
    }
}

/// Reads a terminal until it has ended and is drained, or is gone.
async fn pump(terminal: Arc<Terminal>) {
    let mut life = terminal.life.subscribe();
    loop {
        let Life { status, gone } = *life.borrow_and_update();
        if gone {
            return;
        }
        if terminal.lock().room(Instant::now()) == 0 {
            tokio::select! {
                () = terminal.drawn.notified() => {}
                // A page may have stalled in the meantime.
                () = sleep(Duration::from_secs(1)) => {}
                _ = life.changed() => {}
            }
            continue;
        }
        let ended = tokio::select! {
            read = terminal.read_some() => match read {
                Ok(()) => false,
                // The other side is closed by all, perhaps only for now.
                Err(_) if status.is_none() => {
                    tokio::select! {
                        () = sleep(Duration::from_millis(50)) => {}
                        _ = life.changed() => {}
                    }
                    false
                }
                Err(_) => true,
            },
            _ = life.changed() => false,
            () = sleep(END_GRACE), if status.is_some() => true,
        };
        if ended {
            terminal.lock().drained = true;
        }
        terminal.news.send_replace(());
        if ended {
            return;
        }
    }
}
