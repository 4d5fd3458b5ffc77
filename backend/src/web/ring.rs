//! A terminal's ring: its latest output and its counters, in a file that outlives web.
//!
//! Page 0 holds little-endian counters, the rest is the output, byte `seq` at `seq % DATA_BYTES`.
//! The file is a memfd of the launcher's; web maps it and reads the PTY straight into it, so that
//! `kill -9` of web loses no output and writes no key twice:
//!
//! * **Output.** [`Ring::arm`] fills the target span with 0xFF, a byte that UTF-8 never has, and
//!   notes where it ends; `read` fills it; [`Ring::commit`] moves the head. A process that dies in
//!   between leaves bytes after the head that differ from 0xFF: the next one takes them. (Lost at
//!   such a moment, and only then: 0xFF bytes at the very end of what was read.)
//! * **Input.** [`Ring::begin_input`] notes what is about to be written, [`Ring::end_input`] what
//!   was. A note found at start counts as written: at most once, never twice.
//!
//! **Invariant:** one process writes a ring at a time; bytes older than [`Ring::tail`] are never
//! given out.

use std::io;
use std::os::fd::{AsRawFd, OwnedFd};
use std::sync::atomic::{AtomicU64, Ordering, fence};

use memmap2::{MmapOptions, MmapRaw};

use crate::ipc::RING_FILE_BYTES;

const HEADER_BYTES: usize = 4096;
const DATA_BYTES: usize = RING_FILE_BYTES - HEADER_BYTES;
/// Most bytes of one read.
const SPAN_BYTES: usize = 4096;
/// Output that can wait for an acknowledgement: arming a span gives up what it overwrites.
pub(crate) const CAPACITY_BYTES: u64 = (DATA_BYTES - SPAN_BYTES) as u64;
const BLANK: u8 = 0xFF;
/// The version is in the name.
const MAGIC: u64 = u64::from_le_bytes(*b"VTRING01");

/// The counters of page 0, each a `u64`.
#[derive(Clone, Copy)]
enum Word {
    Magic,
    /// Bytes ever read from the PTY.
    Head,
    /// End of the span that was filled with blanks last; 0 while it is being filled.
    Armed,
    /// Up to where the last page that governed the flow had drawn.
    Acked,
    /// Bytes ever written to the PTY.
    InputSeq,
    /// Position of the input that is being written.
    PendingSeq,
    /// Its length; 0 when nothing is being written.
    PendingLen,
}

/// A mapped ring file.
pub(crate) struct Ring {
    map: MmapRaw,
}

impl Ring {
    /// Maps a ring file, new or left by a predecessor, and takes over what that one was doing.
    pub(crate) fn open(file: &OwnedFd) -> io::Result<Ring> {
        let map = MmapOptions::new().map_raw(file.as_raw_fd())?;
        if map.len() != RING_FILE_BYTES {
            return Err(io::Error::new(io::ErrorKind::InvalidData, "a ring of the wrong size"));
        }
        let mut ring = Ring { map };
        if ring.get(Word::Magic) == MAGIC {
            ring.take_over();
        } else {
            for word in [Word::Head, Word::Acked, Word::InputSeq, Word::PendingLen] {
                ring.set(word, 0);
            }
        }
        // A new file is full of zeros, and a predecessor may have died while it was arming.
        ring.arm(u64::MAX);
        ring.set(Word::Magic, MAGIC);
        Ok(ring)
    }

    fn take_over(&mut self) {
        let (head, armed) = (self.head(), self.get(Word::Armed));
        if let Some(span) = armed.checked_sub(head).and_then(|len| usize::try_from(len).ok())
            && span <= SPAN_BYTES
            && let Some(last) = self.span(head, span).iter().rposition(|&byte| byte != BLANK)
        {
            self.commit(last + 1);
        }
        let pending = (self.get(Word::PendingSeq), self.get(Word::PendingLen));
        if pending.1 != 0 && self.input_seq() == pending.0 {
            self.set(Word::InputSeq, pending.0.saturating_add(pending.1));
        }
        self.set(Word::PendingLen, 0);
    }

    /// Bytes ever read from the PTY: the position of the next.
    pub(crate) fn head(&self) -> u64 {
        self.get(Word::Head)
    }

    /// Position of the oldest byte that is still there, whatever span is or will be armed.
    pub(crate) fn tail(&self) -> u64 {
        self.head().saturating_sub(CAPACITY_BYTES)
    }

    /// Up to where the page that governed the flow last had drawn.
    pub(crate) fn acked(&self) -> u64 {
        self.get(Word::Acked)
    }

    /// Remembers that.
    pub(crate) fn set_acked(&self, seq: u64) {
        self.set(Word::Acked, seq);
    }

    /// Bytes ever written to the PTY: the position of the next.
    pub(crate) fn input_seq(&self) -> u64 {
        self.get(Word::InputSeq)
    }

    /// Blanks the span after the head, at most `most` bytes of it, for a read to fill.
    pub(crate) fn arm(&mut self, most: u64) -> &mut [u8] {
        let head = self.head();
        let most = usize::try_from(most).unwrap_or(usize::MAX);
        let len = SPAN_BYTES.min(DATA_BYTES - position(head)).min(most);
        self.set(Word::Armed, 0);
        // The note must be there before the first old byte goes.
        fence(Ordering::SeqCst);
        self.span(head, len).fill(BLANK);
        self.set(Word::Armed, head + len as u64);
        self.span(head, len)
    }

    /// The first `read` bytes of the armed span are output.
    pub(crate) fn commit(&mut self, read: usize) {
        self.set(Word::Head, self.head() + read as u64);
    }

    /// At most `most` bytes from `seq` on, which lies between tail and head.
    pub(crate) fn copy(&mut self, seq: u64, most: usize) -> Vec<u8> {
        let seq = seq.clamp(self.tail(), self.head());
        let len = usize::try_from(self.head() - seq).unwrap_or(usize::MAX).min(most);
        let first = len.min(DATA_BYTES - position(seq));
        let mut bytes = self.span(seq, first).to_vec();
        bytes.extend_from_slice(self.span(seq + first as u64, len - first));
        bytes
    }

    /// Notes that `len` bytes are about to be written to the PTY.
    pub(crate) fn begin_input(&self, len: usize) {
        self.set(Word::PendingSeq, self.input_seq());
        self.set(Word::PendingLen, len as u64);
        fence(Ordering::SeqCst);
    }

    /// Notes that `written` of them were.
    pub(crate) fn end_input(&self, written: usize) {
        self.set(Word::InputSeq, self.input_seq().saturating_add(written as u64));
        self.set(Word::PendingLen, 0);
    }

    /// A page counts from further on: input before `seq` will not come any more.
    pub(crate) fn skip_input(&self, seq: u64) {
        if seq > self.input_seq() {
            self.set(Word::InputSeq, seq);
        }
    }

    fn get(&self, word: Word) -> u64 {
        u64::from_le(self.word(word).load(Ordering::Acquire))
    }

    fn set(&self, word: Word, value: u64) {
        self.word(word).store(value.to_le(), Ordering::Release);
    }

    fn word(&self, word: Word) -> &AtomicU64 {
        // SAFETY: page 0 is mapped as long as `self` lives, the offset is below a page and a
        // multiple of 8 from a page boundary, and page 0 is only ever accessed as these atomics.
        unsafe { AtomicU64::from_ptr(self.map.as_mut_ptr().add(8 * word as usize).cast()) }
    }

    /// `len` bytes from position `seq` on; they must not wrap around.
    fn span(&mut self, seq: u64, len: usize) -> &mut [u8] {
        let start = position(seq);
        assert!(len <= DATA_BYTES - start, "a span does not wrap around");
        // SAFETY: the span is inside the mapping (asserted; `open` has checked the length, and
        // the launcher has sealed the size), `&mut self` makes it the only reference in this
        // process, and no other process that has the file touches it (module documentation).
        unsafe {
            std::slice::from_raw_parts_mut(self.map.as_mut_ptr().add(HEADER_BYTES + start), len)
        }
    }
}

fn position(seq: u64) -> usize {
    usize::try_from(seq % DATA_BYTES as u64).unwrap_or(0)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn file() -> OwnedFd {
        let file = tempfile::tempfile().unwrap();
        file.set_len(RING_FILE_BYTES as u64).unwrap();
        file.into()
    }

    fn put(ring: &mut Ring, bytes: &[u8]) {
        for part in bytes.chunks(1000) {
            let mut rest = part;
            while !rest.is_empty() {
                let span = ring.arm(u64::MAX);
                let len = span.len().min(rest.len());
                span[..len].copy_from_slice(&rest[..len]);
                ring.commit(len);
                rest = &rest[len..];
            }
        }
    }

    fn all(ring: &mut Ring) -> Vec<u8> {
        let tail = ring.tail();
        ring.copy(tail, usize::MAX)
    }

    #[test]
    fn a_new_ring_is_empty_and_stays_so() {
        let file = file();
        for _ in 0..3 {
            let mut ring = Ring::open(&file).unwrap();
            assert_eq!((ring.head(), ring.tail(), ring.input_seq()), (0, 0, 0));
            assert_eq!(all(&mut ring), b"");
        }
    }

    #[test]
    fn a_file_of_another_size_is_refused() {
        let file = tempfile::tempfile().unwrap();
        file.set_len(8192).unwrap();
        assert!(Ring::open(&file.into()).is_err());
    }

    #[test]
    fn output_survives_and_old_output_goes() {
        let file = file();
        let text = (0..=250).collect::<Vec<u8>>().repeat(3 * DATA_BYTES / 251);
        put(&mut Ring::open(&file).unwrap(), &text);
        let mut ring = Ring::open(&file).unwrap();
        assert_eq!(ring.head(), text.len() as u64);
        assert!(ring.head() - ring.tail() >= CAPACITY_BYTES);
        let tail = usize::try_from(ring.tail()).unwrap();
        assert_eq!(all(&mut ring), &text[tail..]);
    }

    #[test]
    fn death_between_read_and_commit_loses_nothing() {
        let file = file();
        let mut ring = Ring::open(&file).unwrap();
        put(&mut ring, b"before ");
        ring.arm(u64::MAX)[..5].copy_from_slice(b"after");
        drop(ring);
        let mut ring = Ring::open(&file).unwrap();
        assert_eq!(all(&mut ring), b"before after");
        drop(ring);
        assert_eq!(all(&mut Ring::open(&file).unwrap()), b"before after", "taken once");
    }

    #[test]
    fn death_after_the_commit_doubles_nothing() {
        let file = file();
        let text = (0..=199).collect::<Vec<u8>>().repeat(DATA_BYTES / 200 + 20);
        let mut ring = Ring::open(&file).unwrap();
        put(&mut ring, &text);
        let head = ring.head();
        drop(ring);
        assert_eq!(Ring::open(&file).unwrap().head(), head);
    }

    #[test]
    fn death_while_arming_gives_out_no_blanks() {
        let file = file();
        let text = vec![b'x'; 2 * DATA_BYTES];
        let mut ring = Ring::open(&file).unwrap();
        put(&mut ring, &text);
        let head = ring.head();
        // What `arm` does before it is done.
        ring.set(Word::Armed, 0);
        ring.span(head, 100).fill(BLANK);
        drop(ring);
        let mut ring = Ring::open(&file).unwrap();
        assert_eq!(ring.head(), head);
        assert!(all(&mut ring).iter().all(|&byte| byte == b'x'));
    }

    #[test]
    fn input_at_each_point_of_death() {
        let file = file();
        let reopened = |act: &dyn Fn(&Ring)| {
            act(&Ring::open(&file).unwrap());
            Ring::open(&file).unwrap().input_seq()
        };
        assert_eq!(reopened(&|_| ()), 0);
        assert_eq!(reopened(&|ring| ring.set(Word::PendingSeq, 0)), 0, "before the note");
        assert_eq!(reopened(&|ring| ring.begin_input(3)), 3, "around the write: it counts");
        let stored = |ring: &Ring| {
            ring.begin_input(3);
            ring.set(Word::InputSeq, 5);
        };
        assert_eq!(reopened(&stored), 5, "after a partial write was noted");
        assert_eq!(reopened(&|ring| ring.end_input(0)), 5, "after all of it");
    }

    #[test]
    fn acknowledgements_survive() {
        let file = file();
        Ring::open(&file).unwrap().set_acked(42);
        assert_eq!(Ring::open(&file).unwrap().acked(), 42);
    }
}
