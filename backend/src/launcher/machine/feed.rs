//! What happened in a machine: the latest entries, each of a bounded length.

use vitrine_shared::message::{FeedEntry, Happening};

use super::{Machine, unix_msec};

/// Entries of a feed that are kept.
const FEED: usize = 64;
/// Of these, how many may tell of throttling.
const FEED_THROTTLES: usize = 16;

impl Machine {
    /// The entries of the feed that web has not been told of. A new web is told of all.
    pub(crate) fn untold(&mut self) -> Vec<FeedEntry> {
        let told = std::mem::replace(&mut self.told, self.feed.last().map_or(0, |entry| entry.seq));
        self.feed.iter().filter(|entry| entry.seq > told).cloned().collect()
    }

    /// Enters something in the feed.
    pub(crate) fn happened(&mut self, mut what: Happening) -> FeedEntry {
        cut(&mut what);
        let seq = self.feed.last().map_or(0, |entry| entry.seq) + 1;
        let entry = FeedEntry { seq, at_msec: unix_msec(), what };
        self.feed.push(entry.clone());
        // One that is throttled now and then does not push everything else out.
        let of_throttling = self.feed.iter().filter(|entry| is_of_throttling(entry)).count();
        if of_throttling > FEED_THROTTLES
            && let Some(oldest) = self.feed.iter().position(is_of_throttling)
        {
            self.feed.remove(oldest);
        }
        if self.feed.len() > FEED {
            self.feed.remove(0);
        }
        entry
    }
}

fn is_of_throttling(entry: &FeedEntry) -> bool {
    matches!(entry.what, Happening::ThrottleBegan { .. } | Happening::ThrottleEnded { .. })
}

/// Cuts what a participant has written: a feed is short, and is told to every new web.
fn cut(what: &mut Happening) {
    const LONGEST: usize = 200;
    const WORDS: usize = 16;
    let texts: Vec<&mut String> = match what {
        Happening::ExecStarted { command, .. } => vec![command],
        Happening::RanBoth { line, .. } => vec![line],
        Happening::KernelRefused { text, path, .. } => vec![text, path],
        Happening::Wrote { old, new, shell, path } => vec![old, new, shell, path],
        Happening::ProcessMoved { from, to, .. } => vec![from, to],
        Happening::GroupMade { path } | Happening::GroupRemoved { path } => vec![path],
        Happening::BirthFailed(attempt) => {
            attempt.spec.argv.truncate(WORDS);
            let calls = attempt.steps.iter_mut().map(|step| &mut step.call);
            attempt.spec.argv.iter_mut().chain(calls).collect()
        }
        _ => Vec::new(),
    };
    for text in texts {
        if let Some((end, _)) = text.char_indices().nth(LONGEST) {
            text.truncate(end);
            text.push('…');
        }
    }
}
