//! Who watches a terminal, and how far its output may run ahead of whom.
//!
//! Output is held back for the **holders**: the pages of the owner, and those that have typed.
//! Where there are none, those that may type hold; viewers never do: one that falls behind the
//! ring hears `Reset` and goes on near the present. A holder whose page has not drawn anything
//! for [`STALL`] (a closed laptop) is overtaken as soon as another holder draws.

use std::collections::{BTreeMap, VecDeque};
use std::time::{Duration, Instant};

use vitrine_shared::id::ParticipantId;

/// After this time without progress a page holds nobody else back.
pub(crate) const STALL: Duration = Duration::from_secs(10);

/// Frames on their way to a page or back as acknowledgements, beyond which only full ones follow.
///
/// A program that writes letter by letter would otherwise fill the window with tiny frames, and
/// what is typed would wait behind as many acknowledgements: 40,000 of them, at
/// `terminal-frame-rate` a second.
pub(crate) const FRAMES_UNACKED: usize = 32;

/// The pages that watch one terminal.
#[derive(Default)]
pub(crate) struct Flow {
    watchers: BTreeMap<u64, Watcher>,
    last: u64,
}

/// One page.
pub(crate) struct Watcher {
    /// Whose page.
    pub(crate) participant: ParticipantId,
    /// May it type?
    pub(crate) may_type: bool,
    /// Is it the machine's owner, or has it typed?
    pub(crate) involved: bool,
    /// Position of the next byte to send; `None` before its first `Resume`.
    pub(crate) next: Option<u64>,
    /// Everything before this is drawn.
    acked: u64,
    acked_at: Instant,
    /// Where the frames end that were sent and are not drawn.
    unacked: VecDeque<u64>,
    /// It asked for what the ring does not have, and must be told where output begins.
    pub(crate) reset: bool,
    /// Its own input up to here is done with, and it must be told.
    pub(crate) confirm: Option<u64>,
    /// The same participant has come again: what this one has typed and not written is void.
    pub(crate) superseded: bool,
}

impl Flow {
    /// A page comes. Older pages of the same person give up their unwritten input, because the
    /// new one repeats it.
    pub(crate) fn enter(
        &mut self,
        participant: ParticipantId,
        may_type: bool,
        owner: bool,
        now: Instant,
    ) -> u64 {
        for other in self.watchers.values_mut().filter(|other| other.participant == participant) {
            other.superseded = true;
        }
        self.last += 1;
        let watcher = Watcher {
            participant,
            may_type,
            involved: owner && may_type,
            next: None,
            acked: 0,
            acked_at: now,
            unacked: VecDeque::new(),
            reset: false,
            confirm: None,
            superseded: false,
        };
        self.watchers.insert(self.last, watcher);
        self.last
    }

    /// A page goes.
    pub(crate) fn leave(&mut self, id: u64) {
        self.watchers.remove(&id);
    }

    /// A page that is here.
    pub(crate) fn get(&mut self, id: u64) -> Option<&mut Watcher> {
        self.watchers.get_mut(&id)
    }

    /// The position that output may run ahead of; `None` when nobody holds.
    pub(crate) fn floor(&self, now: Instant) -> Option<u64> {
        let present = |w: &&Watcher| w.may_type && w.next.is_some();
        let involved = self.watchers.values().filter(present).any(|w| w.involved);
        let holders = || self.watchers.values().filter(present).filter(|w| w.involved == involved);
        let lively = holders().filter(|w| !w.is_stalled(now)).map(|w| w.acked).min();
        lively.or_else(|| holders().map(|w| w.acked).min())
    }
}

impl Watcher {
    /// Sends go on from here, and everything before counts as drawn.
    pub(crate) fn place(&mut self, seq: u64, now: Instant) {
        self.next = Some(seq);
        self.acked = seq;
        self.acked_at = now;
        self.unacked.clear();
    }

    /// Are so many frames under way that a small one had better wait and grow?
    pub(crate) fn is_busy(&self) -> bool {
        self.unacked.len() >= FRAMES_UNACKED
    }

    /// So many bytes have been sent.
    pub(crate) fn sent(&mut self, bytes: u64, now: Instant) {
        if let Some(next) = &mut self.next {
            if self.acked == *next {
                self.acked_at = now;
            }
            *next += bytes;
            // One that does not acknowledge at all is not kept an account of for ever.
            if self.unacked.len() < 2 * FRAMES_UNACKED {
                self.unacked.push_back(*next);
            }
        }
    }

    /// The page has drawn up to here; it cannot have drawn what was not sent.
    pub(crate) fn ack(&mut self, seq: u64, now: Instant) {
        let seq = seq.min(self.next.unwrap_or(0));
        if seq > self.acked {
            self.acked = seq;
            self.acked_at = now;
        }
        while self.unacked.front().is_some_and(|&end| end <= seq) {
            self.unacked.pop_front();
        }
    }

    fn is_stalled(&self, now: Instant) -> bool {
        self.next.is_some_and(|next| next > self.acked)
            && now.saturating_duration_since(self.acked_at) >= STALL
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const ANN: ParticipantId = ParticipantId(1);
    const TEACHER: ParticipantId = ParticipantId(2);

    fn enter(flow: &mut Flow, who: ParticipantId, may_type: bool, at: u64, now: Instant) -> u64 {
        let id = flow.enter(who, may_type, who == ANN, now);
        flow.get(id).unwrap().place(at, now);
        id
    }

    #[test]
    fn the_slowest_holder_counts() {
        let now = Instant::now();
        let mut flow = Flow::default();
        assert_eq!(flow.floor(now), None);
        enter(&mut flow, TEACHER, false, 5, now);
        assert_eq!(flow.floor(now), None, "viewers hold nothing");
        let teacher = enter(&mut flow, TEACHER, true, 10, now);
        assert_eq!(flow.floor(now), Some(10), "better than nobody");
        let ann = enter(&mut flow, ANN, true, 50, now);
        assert_eq!(flow.floor(now), Some(50), "the teacher only looks");
        flow.get(teacher).unwrap().involved = true;
        assert_eq!(flow.floor(now), Some(10), "and now types");
        flow.leave(teacher);
        flow.get(ann).unwrap().sent(100, now);
        flow.get(ann).unwrap().ack(70, now);
        flow.get(ann).unwrap().ack(60, now);
        assert_eq!(flow.floor(now), Some(70));
        flow.get(ann).unwrap().ack(u64::MAX, now);
        assert_eq!(flow.floor(now), Some(150), "not beyond what was sent");
    }

    #[test]
    fn a_closed_laptop_is_overtaken_and_comes_back() {
        let now = Instant::now();
        let later = now + STALL;
        let mut flow = Flow::default();
        let laptop = enter(&mut flow, ANN, true, 0, now);
        flow.get(laptop).unwrap().sent(1000, now);
        assert_eq!(flow.floor(later), Some(0), "alone it holds");
        let phone = enter(&mut flow, ANN, true, 400, later);
        assert_eq!(flow.floor(later), Some(400));
        flow.get(laptop).unwrap().ack(100, later);
        assert_eq!(flow.floor(later), Some(100));
        assert!(flow.get(laptop).unwrap().superseded && !flow.get(phone).unwrap().superseded);
    }

    #[test]
    fn many_small_frames_are_too_many() {
        let now = Instant::now();
        let mut flow = Flow::default();
        let page = enter(&mut flow, ANN, true, 0, now);
        let page = flow.get(page).unwrap();
        for _ in 0..FRAMES_UNACKED - 1 {
            page.sent(3, now);
        }
        assert!(!page.is_busy());
        page.sent(3, now);
        assert!(page.is_busy());
        page.ack(2, now);
        assert!(page.is_busy(), "not the whole first frame");
        page.ack(3, now);
        assert!(!page.is_busy());
        for _ in 0..1_000 {
            page.sent(3, now);
        }
        page.ack(u64::MAX, now);
        assert!(!page.is_busy(), "all is drawn");
    }

    #[test]
    fn idle_is_not_stalled() {
        let now = Instant::now();
        let mut flow = Flow::default();
        let idle = enter(&mut flow, ANN, true, 7, now);
        enter(&mut flow, ANN, true, 9, now);
        let later = now + 10 * STALL;
        assert_eq!(flow.floor(later), Some(7));
        flow.get(idle).unwrap().sent(1, later);
        assert_eq!(flow.floor(later), Some(7));
    }
}
