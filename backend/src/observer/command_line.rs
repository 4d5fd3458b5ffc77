//! Command lines, read by a thread of their own.
//!
//! `/proc/PID/cmdline` is memory of the process: the read stands still when a page must be
//! fetched from a place that the process controls (FUSE, userfaultfd). So the tick only asks and
//! uses what is there already. A read that misses its deadline keeps its thread, and a fresh
//! thread goes on with the others; with [`MAX_STUCK`] stuck, names must do until one comes back.

use std::collections::VecDeque;
use std::ffi::CStr;
use std::os::fd::OwnedFd;
use std::sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

use super::{file, parse};

/// A read that takes longer is stuck.
const DEADLINE: Duration = Duration::from_millis(500);
/// Most threads that may be stuck.
const MAX_STUCK: usize = 4;
/// Most requests in the queue; each holds a descriptor.
const QUEUE: usize = 1_024;
/// How often it is looked whether all is answered.
const SETTLE_STEP: Duration = Duration::from_micros(200);
const CMDLINE: &CStr = c"cmdline";

/// Where the command line of one process will be.
#[derive(Debug, Default)]
pub(crate) struct Slot(Mutex<Text>);

#[derive(Debug, Default)]
struct Text {
    text: Option<String>,
    asked: bool,
}

impl Slot {
    /// What has been read; `None` before that, and empty for a kernel thread.
    pub(crate) fn text(&self) -> Option<String> {
        lock(&self.0).text.clone()
    }
}

/// What is kept of a command line's bytes.
pub(crate) type Keep = fn(&[u8]) -> String;

/// The reading thread and its queue.
#[derive(Debug)]
pub(crate) struct CommandLines(Arc<Shared>);

#[derive(Debug)]
struct Shared {
    keep: Keep,
    state: Mutex<State>,
    wake: Condvar,
}

#[derive(Debug, Default)]
struct State {
    queue: VecDeque<(Arc<OwnedFd>, Arc<Slot>)>,
    /// Number of the thread that works on the queue; the others are stuck.
    worker: u64,
    /// Whether that thread lives.
    alive: bool,
    /// Since when it reads.
    reading: Option<Instant>,
    n_stuck: usize,
    closed: bool,
}

impl CommandLines {
    /// Kept as a page may show them. No thread until the first request.
    pub(crate) fn new() -> Self {
        CommandLines::kept(parse::command_line)
    }

    /// Kept in this way.
    pub(crate) fn kept(keep: Keep) -> Self {
        CommandLines(Arc::new(Shared { keep, state: Mutex::default(), wake: Condvar::new() }))
    }

    /// Asks for the command line of the process with this `/proc/PID`.
    ///
    /// Says whether the answer will be of now: a question that is under way is not repeated, and
    /// a full queue takes none.
    pub(crate) fn ask(&self, directory: &Arc<OwnedFd>, slot: &Arc<Slot>) -> bool {
        let mut state = lock(&self.0.state);
        let mut text = lock(&slot.0);
        if text.asked || state.queue.len() >= QUEUE {
            return false;
        }
        text.asked = true;
        // The thread is woken once for all that is asked in a tick, see `supervise`.
        state.queue.push_back((Arc::clone(directory), Arc::clone(slot)));
        true
    }

    /// Wakes the thread for what was asked; gives up on one that is stuck and starts another.
    /// Called once a tick.
    pub(crate) fn supervise(&self) {
        let mut state = lock(&self.0.state);
        if state.alive && state.reading.is_some_and(|since| since.elapsed() > DEADLINE) {
            state.alive = false;
            state.reading = None;
            state.n_stuck += 1;
        }
        if !state.alive && !state.queue.is_empty() && state.n_stuck < MAX_STUCK {
            state.worker += 1;
            let (shared, worker) = (Arc::clone(&self.0), state.worker);
            let thread = std::thread::Builder::new().name("cmdline".into());
            match thread.spawn(move || shared.work(worker)) {
                Ok(_) => state.alive = true,
                // The queue stays; the next tick tries again.
                Err(err) => tracing::debug!(%err, "start the thread that reads command lines"),
            }
        } else if !state.queue.is_empty() {
            self.0.wake.notify_one();
        }
    }

    /// Waits until everything that was asked is answered, but no longer than it takes to know
    /// that the rest is stuck.
    pub(crate) fn settle(&self) {
        loop {
            self.supervise();
            let state = lock(&self.0.state);
            let is_done = state.queue.is_empty() && state.reading.is_none();
            if is_done || state.n_stuck >= MAX_STUCK {
                return;
            }
            drop(state);
            std::thread::sleep(SETTLE_STEP);
        }
    }

    #[cfg(test)]
    fn n_stuck(&self) -> usize {
        lock(&self.0.state).n_stuck
    }
}

impl Drop for CommandLines {
    fn drop(&mut self) {
        lock(&self.0.state).closed = true;
        self.0.wake.notify_all();
    }
}

impl Shared {
    fn work(&self, worker: u64) {
        while let Some((directory, slot)) = self.next() {
            let text = read(&directory, self.keep);
            let mut found = lock(&slot.0);
            found.asked = false;
            found.text = text.or(found.text.take());
            drop(found);
            let mut state = lock(&self.state);
            if state.worker != worker || !state.alive {
                state.n_stuck -= 1;
                return;
            }
            state.reading = None;
        }
    }

    fn next(&self) -> Option<(Arc<OwnedFd>, Arc<Slot>)> {
        let mut state = lock(&self.state);
        loop {
            if state.closed {
                return None;
            }
            if let Some(job) = state.queue.pop_front() {
                state.reading = Some(Instant::now());
                return Some(job);
            }
            state = self.wake.wait(state).unwrap_or_else(PoisonError::into_inner);
        }
    }
}

fn read(directory: &OwnedFd, keep: Keep) -> Option<String> {
    let mut buffer = Vec::new();
    let file = file::open_in(directory, CMDLINE).ok()?;
    file::read_page(&file, &mut buffer).ok()?;
    Some(keep(&buffer))
}

/// Nothing here panics while it holds a lock; if it did, the values would still be whole.
fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

#[cfg(test)]
#[path = "tests/command_line.rs"]
mod tests;
