//! Time passes: what is due, and what has happened by itself.

use super::running::Running;
use super::{CLOSEST_NSEC, Host, MSEC, SECOND, Watch};
use crate::focus::{Look, STEP_MSEC};
use crate::message::{Event, ServerMessage};
use crate::sim::procs::{Life, Proc};
use crate::uses;

impl Host {
    /// Lets time pass, and tells what it brought.
    pub fn advance(&mut self, nsec: u64) -> Vec<ServerMessage> {
        let end = self.now_nsec().saturating_add(nsec);
        loop {
            let until = self.next_due().clamp(self.now_nsec(), end);
            let watched = self.watched();
            self.world.advance(until - self.now_nsec(), |world| {
                watched.iter().any(|proc| !world.is_alive(*proc))
            });
            self.follow();
            if self.now_nsec() >= end {
                return std::mem::take(&mut self.out);
            }
        }
    }

    /// When something must be looked at again.
    fn next_due(&self) -> u64 {
        let watch = self.watch.map_or(u64::MAX, |watch| watch.due_nsec);
        let focus = self.focus.map_or(u64::MAX, |(_, due)| due);
        let running = self.running.iter().map(|it| it.deadline_nsec).min().unwrap_or(u64::MAX);
        watch.min(focus).min(running).min(self.news.due_nsec)
    }

    /// Those whose end is noticed at once.
    fn watched(&self) -> Vec<Proc> {
        let of_boxes = self.boxes.iter().flat_map(|it| {
            let live = it
                .live
                .iter()
                .flat_map(|live| std::iter::once(live.first).chain(live.execs.iter().copied()));
            live.chain([it.init])
        });
        let running = self.running.iter().flat_map(Running::procs);
        of_boxes.chain(running).collect()
    }

    /// Takes notice of what has happened, and of what is due.
    fn follow(&mut self) {
        self.follow_ends();
        self.follow_running();
        self.reap();
        self.follow_terminals();
        let now = self.now_nsec();
        if now >= self.news.due_nsec {
            self.follow_news();
        }
        if let Some(watch) = self.watch.filter(|watch| now >= watch.due_nsec) {
            let every =
                (SECOND / u64::from(watch.hertz.max(1)) / u64::from(self.slower)).max(CLOSEST_NSEC);
            self.watch = Some(Watch { due_nsec: now + every, ..watch });
            if let Some(sample) = self.sample(watch.machine, watch.hertz) {
                self.tell(Event::Sample(sample));
            }
        }
        if let Some((focus, _)) = self.focus.filter(|(_, due)| now >= *due) {
            let msec = if focus.look == Look::Cpu { STEP_MSEC } else { uses::STEP_MSEC };
            let every = (msec * MSEC / u64::from(self.slower)).max(CLOSEST_NSEC);
            self.focus = Some((focus, now + every));
            self.out.extend(self.close_sample(focus).map(ServerMessage::Event));
        }
    }

    /// The host's first process and the machines' clear away whoever has ended.
    fn reap(&mut self) {
        let inits: Vec<Proc> = self.boxes.iter().map(|it| it.init).collect();
        self.world.act(|kernel| {
            let first = kernel.init();
            for init in inits.into_iter().chain([first]) {
                if kernel.procs().life(init) == Life::Alive {
                    while kernel.reap(init).is_some() {}
                }
            }
        });
    }
}
