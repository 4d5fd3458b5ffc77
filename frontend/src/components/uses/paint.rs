//! The hot path of this lens: readings in, paths and words set, past the virtual DOM.

use std::cell::{Cell, RefCell};
use std::rc::Rc;

use vitrine_shared::uses::UseSample;
use yew::NodeRef;

use crate::components::easel::{Easel, GUTTER};
use crate::draw::Path;
use crate::format;
use crate::prefs::Lang;
use crate::text::uses as text;
use crate::uses::picture::{self, Frame};
use crate::uses::{Parts, SPAN_NSEC, Track, What, busiest, marks, moment};

/// Heights of the pictures and of the strips of pressure, in CSS pixels.
pub(super) const MEMORY: f64 = 92.0;
pub(super) const PIDS: f64 = 48.0;
pub(super) const IO: f64 = 48.0;
pub(super) const STRIP: f64 = 16.0;

/// The elements whose shape is painted.
#[derive(Clone, Copy, PartialEq)]
pub(super) enum Ink {
    Memory,
    /// The first of five; the others follow.
    Bands,
    High = 6,
    Max,
    MemoryCursor,
    MemoryStrip,
    MemorySome,
    MemoryFull,
    Pids,
    PidsArea,
    PidsMax,
    PidsCursor,
    Io,
    Read,
    Written,
    ReadMax,
    WrittenMax,
    IoCursor,
    IoStrip,
    IoSome,
    IoFull,
}
const INKS: usize = Ink::IoFull as usize + 1;

/// The elements whose words are painted.
#[derive(Clone, Copy, PartialEq)]
pub(super) enum Words {
    MemoryNow,
    MemoryLimit,
    MemoryTop,
    MemoryMark,
    /// The first of five; the others follow.
    Parts,
    AtLimit = 9,
    Slowed,
    Killed,
    PidsNow,
    PidsLimit,
    PidsCount,
    PidsTop,
    PidsMark,
    Refused,
    IoRead,
    IoWritten,
    IoTop,
    Caption,
    CursorInput,
}
const WORDS: usize = Words::CursorInput as usize + 1;

/// What the virtual DOM knows and the pictures need.
#[derive(Clone, Copy, PartialEq)]
pub(super) struct Scenery {
    /// Of the pictures, without the words beside them.
    pub(super) width: f64,
    pub(super) lang: Lang,
    pub(super) paused: bool,
}

/// What was heard, and where it is painted.
pub(super) struct Paint {
    easel: Easel<INKS, WORDS>,
    track: RefCell<Track>,
    /// What is shown while it is paused; what is heard meanwhile is kept.
    held: RefCell<Option<Track>>,
    scenery: Cell<Option<Scenery>>,
    /// How long before now the time cursor is, in nanoseconds.
    cursor: Cell<Option<u64>>,
    itself: RefCell<std::rc::Weak<Paint>>,
}

impl Paint {
    pub(super) fn new() -> Rc<Paint> {
        let paint = Rc::new(Paint {
            easel: Easel::default(),
            track: RefCell::default(),
            held: RefCell::default(),
            scenery: Cell::default(),
            cursor: Cell::default(),
            itself: RefCell::default(),
        });
        *paint.itself.borrow_mut() = Rc::downgrade(&paint);
        paint
    }

    pub(super) fn ink(&self, ink: Ink) -> NodeRef {
        self.easel.ink(ink as usize)
    }

    pub(super) fn band(&self, part: usize) -> NodeRef {
        self.easel.ink(Ink::Bands as usize + part)
    }

    pub(super) fn word(&self, word: Words) -> NodeRef {
        self.easel.word(word as usize)
    }

    pub(super) fn part(&self, part: usize) -> NodeRef {
        self.easel.word(Words::Parts as usize + part)
    }

    pub(super) fn set(&self, scenery: Scenery) {
        let was_paused = self.scenery.replace(Some(scenery)).is_some_and(|s| s.paused);
        if scenery.paused != was_paused {
            let now = scenery.paused.then(|| self.track.borrow().clone());
            self.held.replace(now);
        }
    }

    pub(super) fn hear(&self, sample: UseSample) {
        self.track.borrow_mut().push(sample);
        self.ask(false);
    }

    /// What is shown.
    pub(super) fn shown(&self) -> Track {
        self.held.borrow().as_ref().map_or_else(|| self.track.borrow().clone(), Track::clone)
    }

    /// What is newest, whatever is shown.
    pub(super) fn newest<T>(&self, of: impl FnOnce(&Track) -> T) -> T {
        of(&self.track.borrow())
    }

    /// The time cursor is at a share of the width, or has left it.
    pub(super) fn point(&self, share: Option<f64>) {
        let back = |share: f64| (1.0 - share.clamp(0.0, 1.0)) * float(SPAN_NSEC);
        #[allow(clippy::cast_possible_truncation, clippy::cast_sign_loss)] // At most a minute.
        self.cursor.set(share.map(|share| back(share) as u64));
        self.ask(true);
    }

    pub(super) fn width(&self) -> f64 {
        self.scenery.get().map_or(1.0, |scenery| scenery.width.max(1.0))
    }

    /// Paints in the next frame.
    pub(super) fn ask(&self, at_once: bool) {
        let weak = self.itself.borrow().clone();
        self.easel.ask(at_once, move |_| {
            if let Some(paint) = weak.upgrade() {
                paint.easel.begin();
                paint.paint();
            }
        });
    }

    fn paint(&self) {
        let Some(scenery) = self.scenery.get().filter(|scenery| scenery.width >= 1.0) else {
            return;
        };
        let track = self.shown();
        self.memory(&track, &scenery);
        self.pids(&track, &scenery);
        self.io(&track, &scenery);
        self.caption(&track, &scenery);
    }

    fn memory(&self, track: &Track, scenery: &Scenery) {
        let lang = scenery.lang;
        let Some(picture) = picture::memory(track, (scenery.width, MEMORY), STRIP) else { return };
        let Some(now) = track.last().and_then(|last| last.memory.as_ref()) else { return };
        for (part, path) in picture.bands.iter().enumerate() {
            self.easel.draw(Ink::Bands as usize + part, path);
        }
        self.draw(Ink::High, &picture.high);
        self.draw(Ink::Max, &picture.max);
        self.draw(Ink::MemorySome, &picture.pressure[0]);
        self.draw(Ink::MemoryFull, &picture.pressure[1]);
        self.draw_cursor(Ink::MemoryCursor, scenery, MEMORY);
        for (word, what) in [
            (Words::AtLimit, What::AtLimit),
            (Words::Slowed, What::Slowed),
            (Words::Killed, What::Killed),
        ] {
            self.put_signs(word, what, track, &picture.frame);
        }
        let used = format::bytes(now.current_bytes);
        self.say(Words::MemoryNow, &used);
        let max = now.max_bytes.map(format::bytes);
        let is_far = now.max_bytes.is_some_and(|max| max > picture.frame.top);
        self.say(Words::MemoryLimit, &text::limit(lang, max.as_deref(), is_far));
        for (part, bytes) in Parts::of(now).stack().into_iter().enumerate() {
            self.easel.say(Words::Parts as usize + part, &format::bytes(bytes));
        }
        self.put_scale(
            (Words::MemoryTop, Words::MemoryMark),
            &picture.frame,
            now.max_bytes,
            format::bytes,
        );
        let met = marks(track).iter().filter(|mark| mark.what != What::Refused).count();
        let label = text::memory_in_words(lang, &used, max.as_deref(), met);
        self.label(Ink::Memory, &label);
    }

    fn pids(&self, track: &Track, scenery: &Scenery) {
        let lang = scenery.lang;
        let Some(picture) = picture::pids(track, (scenery.width, PIDS)) else { return };
        let Some(now) = track.last().and_then(|last| last.pids) else { return };
        self.draw(Ink::PidsArea, &picture.area);
        self.draw(Ink::PidsMax, &picture.max);
        self.draw_cursor(Ink::PidsCursor, scenery, PIDS);
        self.put_signs(Words::Refused, What::Refused, track, &picture.frame);
        self.say(Words::PidsNow, &now.current.to_string());
        let is_far = now.max.is_some_and(|max| max > picture.frame.top);
        let max = now.max.map(|max| max.to_string());
        self.say(Words::PidsLimit, &text::limit(lang, max.as_deref(), is_far));
        self.say(Words::PidsCount, &text::refused(lang, now.refused));
        self.put_scale((Words::PidsTop, Words::PidsMark), &picture.frame, now.max, |n| {
            n.to_string()
        });
        let met = marks(track).into_iter().filter(|mark| mark.what == What::Refused);
        let refused = met.map(|mark| mark.count).sum();
        self.label(Ink::Pids, &text::pids_in_words(lang, now.current, now.max, refused));
    }

    fn io(&self, track: &Track, scenery: &Scenery) {
        let Some(picture) = picture::io(track, (scenery.width, IO), STRIP) else { return };
        let Some(device) = track.last().and_then(busiest).map(|device| device.limits) else {
            return;
        };
        self.draw(Ink::Read, &picture.read);
        self.draw(Ink::Written, &picture.written);
        self.draw(Ink::ReadMax, &picture.limits[0]);
        self.draw(Ink::WrittenMax, &picture.limits[1]);
        self.draw(Ink::IoSome, &picture.pressure[0]);
        self.draw(Ink::IoFull, &picture.pressure[1]);
        self.draw_cursor(Ink::IoCursor, scenery, IO);
        let rate = |bytes: u64| format!("{}/s", format::bytes(bytes));
        let (read, written) = moment(track, 0).and_then(|now| now.io).unwrap_or_default();
        self.say(Words::IoRead, &rate(read));
        self.say(Words::IoWritten, &rate(written));
        self.say(Words::IoTop, &rate(picture.frame.top));
        let name = format!("{}:{}", device.major, device.minor);
        let label =
            text::io_in_words(scenery.lang, &name, &format::bytes(read), &format::bytes(written));
        self.label(Ink::Io, &label);
    }

    /// What the time cursor is at, in words.
    fn caption(&self, track: &Track, scenery: &Scenery) {
        let w = text::words(scenery.lang);
        let caption = match self.cursor.get() {
            None => w.point.into(),
            Some(ago) => match moment(track, ago) {
                Some(moment) => text::moment(scenery.lang, &moment),
                None => w.not_read.into(),
            },
        };
        self.say(Words::Caption, &caption);
        self.easel.set_word(Words::CursorInput as usize, "aria-valuetext", &caption);
    }

    fn draw_cursor(&self, ink: Ink, scenery: &Scenery, height: f64) {
        let mut cursor = Path::default();
        if let Some(ago) = self.cursor.get() {
            cursor.upright((1.0 - float(ago) / float(SPAN_NSEC)) * scenery.width, (0.0, height));
        }
        self.draw(ink, &cursor);
    }

    /// The signs of a kind: one text, whose letters have a place each.
    fn put_signs(&self, word: Words, what: What, track: &Track, frame: &Frame) {
        let places = picture::signs(track, frame, what);
        self.say(word, &what.sign().repeat(places.len()));
        let places: Vec<_> = places.iter().map(|x| format!("{x:.0}")).collect();
        self.easel.set_word(word as usize, "x", &places.join(" "));
    }

    /// What the picture's height stands for, and the limit at its line, unless one hides the other.
    fn put_scale(
        &self,
        (top, mark): (Words, Words),
        frame: &Frame,
        limit: Option<u64>,
        words: impl Fn(u64) -> String,
    ) {
        let y = frame.limit_y(limit);
        self.say(top, &if y.is_none() { words(frame.top) } else { String::new() });
        let limit = limit.filter(|_| y.is_some()).map_or_else(String::new, words);
        self.say(mark, &limit);
        let y = format!("{:.0}", (y.unwrap_or(0.0) + 5.0).max(12.0));
        self.easel.set_word(mark as usize, "y", &y);
    }

    fn label(&self, ink: Ink, label: &str) {
        self.easel.set(ink as usize, "aria-label", label);
    }

    fn draw(&self, ink: Ink, path: &Path) {
        self.easel.draw(ink as usize, path);
    }

    fn say(&self, word: Words, text: &str) {
        self.easel.say(word as usize, text);
    }
}

/// The box of a picture that is so wide and high, with its words left of it.
pub(super) fn view_box(width: f64, height: f64) -> String {
    format!("-{GUTTER} 0 {:.0} {height}", width + GUTTER)
}

#[allow(clippy::cast_precision_loss)] // At most a minute of nanoseconds.
fn float(nsec: u64) -> f64 {
    nsec as f64
}
