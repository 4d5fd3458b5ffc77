//! Input of one connection on its way to the PTY: in order, each byte once.

use std::collections::VecDeque;

use vitrine_shared::limits::TERMINAL_INPUT_BYTES;

/// Bytes of one write; at most so many keys are lost when web dies in the middle of it.
const WRITE_BYTES: usize = 1024;

/// What was typed and not written yet.
///
/// Positions are the connection's own count. It begins at the terminal's (the page hears that in
/// `Hello`), so that a page which comes back repeats what was not confirmed and nothing is
/// written twice; from there each connection counts alone, and several may type.
pub(crate) struct Keys {
    expected: u64,
    queue: VecDeque<u8>,
}

impl Keys {
    /// Nothing typed; the next byte is at `expected`.
    pub(crate) fn new(expected: u64) -> Keys {
        Keys { expected, queue: VecDeque::new() }
    }

    /// Takes what is new of a frame. False when it does not fit; then nothing was taken.
    pub(crate) fn accept(&mut self, seq: u64, bytes: &[u8]) -> bool {
        let known = self.expected.saturating_sub(seq);
        let new = bytes.get(usize::try_from(known).unwrap_or(usize::MAX)..).unwrap_or_default();
        if (self.queue.len() + new.len()) as u64 > TERMINAL_INPUT_BYTES.value {
            return false;
        }
        self.queue.extend(new);
        // A page that counts from further on has given up what is missing.
        self.expected = self.expected.max(seq).saturating_add(new.len() as u64);
        true
    }

    /// What to write next.
    pub(crate) fn front(&self) -> &[u8] {
        let (front, _) = self.queue.as_slices();
        &front[..front.len().min(WRITE_BYTES)]
    }

    /// Is there nothing to write?
    pub(crate) fn is_empty(&self) -> bool {
        self.queue.is_empty()
    }

    /// So many bytes are written.
    pub(crate) fn written(&mut self, bytes: usize) {
        self.queue.drain(..bytes.min(self.queue.len()));
    }

    /// Gives up what is not written.
    pub(crate) fn give_up(&mut self) {
        self.queue.clear();
    }

    /// Everything before this position is done with.
    pub(crate) fn confirmed(&self) -> u64 {
        self.expected.saturating_sub(self.queue.len() as u64)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn drained(keys: &mut Keys) -> String {
        let mut text = Vec::new();
        while !keys.is_empty() {
            let front = keys.front().to_vec();
            text.extend(&front);
            keys.written(front.len());
        }
        String::from_utf8(text).unwrap()
    }

    #[test]
    fn repeats_are_dropped() {
        let mut keys = Keys::new(10);
        assert!(keys.accept(8, b"abcd"));
        assert_eq!(drained(&mut keys), "cd");
        assert_eq!(keys.confirmed(), 12);
        assert!(keys.accept(8, b"abcd"));
        assert!(keys.accept(0, b""));
        assert!(keys.is_empty());
        assert!(keys.accept(11, b"def"));
        assert_eq!(drained(&mut keys), "ef");
    }

    #[test]
    fn a_gap_is_the_pages_choice() {
        let mut keys = Keys::new(0);
        assert!(keys.accept(100, b"x"));
        assert_eq!(keys.confirmed(), 100);
        assert_eq!(drained(&mut keys), "x");
        assert_eq!(keys.confirmed(), 101);
        assert!(keys.accept(u64::MAX, b"y"));
    }

    #[test]
    fn partial_writes_confirm_what_they_wrote() {
        let mut keys = Keys::new(0);
        keys.accept(0, b"hello");
        keys.written(2);
        assert_eq!((keys.confirmed(), keys.front()), (2, &b"llo"[..]));
    }

    #[test]
    fn the_queue_is_bounded() {
        let mut keys = Keys::new(0);
        let full = vec![b'x'; usize::try_from(TERMINAL_INPUT_BYTES.value).unwrap()];
        assert!(keys.accept(0, &full));
        assert!(!keys.accept(full.len() as u64, b"x"));
        assert!(keys.accept(0, &full), "a repeat needs no room");
        assert_eq!(keys.front().len(), WRITE_BYTES);
    }
}
