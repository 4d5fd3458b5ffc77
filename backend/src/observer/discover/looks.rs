//! Which machines are to be looked at, and the thread that looks: one look at a time.

use std::collections::{HashMap, VecDeque};
use std::thread::JoinHandle;

use vitrine_shared::discovery::Discovery;
use vitrine_shared::id::MachineId;

use super::{Scene, discover};

/// A machine is looked at no more often than this, however many pages ask.
const REST_NSEC: u64 = 500_000_000;
/// Machines that may wait.
const MAX_WAITING: usize = 256;
/// How often a thread that looks is asked whether it is done.
const STEP_NSEC: u64 = 5_000_000;

/// What was asked for and is under way.
#[derive(Debug, Default)]
pub(in super::super) struct Looks {
    waiting: VecDeque<MachineId>,
    looking: Option<JoinHandle<Discovery>>,
    /// When each machine was last looked at.
    looked_nsec: HashMap<MachineId, u64>,
}

impl Looks {
    /// Somebody wants to know; one look answers all who ask before it.
    pub(in super::super) fn want(&mut self, machine: MachineId) {
        if self.waiting.len() < MAX_WAITING && !self.waiting.contains(&machine) {
            self.waiting.push_back(machine);
        }
    }

    /// Nobody asks any more.
    pub(in super::super) fn clear(&mut self) {
        self.waiting.clear();
    }

    /// The moment at which there may be something to do.
    pub(in super::super) fn next_nsec(&self, now_nsec: u64) -> Option<u64> {
        if self.looking.is_some() {
            return Some(now_nsec + STEP_NSEC);
        }
        self.waiting.iter().map(|machine| self.due_nsec(*machine)).min()
    }

    fn due_nsec(&self, machine: MachineId) -> u64 {
        self.looked_nsec.get(&machine).map_or(0, |at_nsec| at_nsec + REST_NSEC)
    }

    /// Starts a look when one is due and the thread is free; gives what the last one found.
    /// `scene` knows the machines; one that has gone is forgotten.
    pub(in super::super) fn go_on(
        &mut self,
        now_nsec: u64,
        scene: impl Fn(MachineId) -> Option<Scene>,
    ) -> Option<Discovery> {
        let done = self.looking.take_if(|thread| thread.is_finished());
        // A look that panicked has said so; there is nothing to tell of it.
        let found = done.and_then(|thread| thread.join().ok());
        if self.looking.is_none() {
            let is_due = |machine: &MachineId| self.due_nsec(*machine) <= now_nsec;
            if let Some(at) = self.waiting.iter().position(is_due) {
                self.start(at, now_nsec, scene);
            }
        }
        found
    }

    fn start(&mut self, at: usize, now_nsec: u64, scene: impl Fn(MachineId) -> Option<Scene>) {
        let Some(machine) = self.waiting.remove(at) else { return };
        self.looked_nsec.retain(|_, at_nsec| *at_nsec + REST_NSEC > now_nsec);
        let Some(scene) = scene(machine) else { return };
        self.looked_nsec.insert(machine, now_nsec);
        let thread = std::thread::Builder::new().name("discover".into());
        match thread.spawn(move || discover(&scene)) {
            Ok(thread) => self.looking = Some(thread),
            // Whoever asked will ask again.
            Err(err) => tracing::debug!(%err, "start the thread that looks at namespaces"),
        }
    }
}
