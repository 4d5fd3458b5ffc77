//! The hot path of the CPU lens: samples in, attributes set, once a frame and past the virtual DOM.

use std::cell::{Cell, RefCell};
use std::rc::Rc;

use vitrine_shared::focus::CpuSample;
use yew::{NodeRef, UseStateSetter};

use crate::close::{Close, Lane, MINUTE_NSEC, Periods, Row};
use crate::components::easel::{Easel, GUTTER};
use crate::draw::{Path, Scale};
use crate::format;
use crate::history::History;
use crate::prefs::Lang;
use crate::text::cpu_lens as text;

/// Milliseconds between two texts: words that change faster cannot be read.
const WORDS_MSEC: f64 = 250.0;
/// Height of a word there.
const MARK: f64 = 24.0;

/// The elements whose shape is painted.
#[derive(Clone, Copy, PartialEq)]
pub(super) enum Ink {
    Overview,
    Hatched,
    Area,
    Edge,
    Quota,
    Hand,
    Knob,
    Moment,
    Periods,
    Ends,
    Full,
    Tank,
    Dots,
    Run,
    Wait,
    Used,
    Throttled,
    Ran,
    Waited,
    Cursor,
}

/// The elements whose words are painted.
#[derive(Clone, Copy, PartialEq)]
pub(super) enum Words {
    OfQuota,
    OfOne,
    OfMachine,
    Passed,
    Top,
    QuotaMark,
    Caption,
    CursorInput,
}

/// What the virtual DOM knows and the picture needs.
#[derive(Clone, Copy)]
pub(super) struct Scenery {
    /// Of the pictures, without the words beside them.
    pub(super) width: f64,
    pub(super) overview: f64,
    /// In thousandths of one CPU.
    pub(super) quota: Option<u32>,
    pub(super) periods: u32,
    pub(super) cpus: u32,
    pub(super) lang: Lang,
    pub(super) paused: bool,
}

/// What was heard, and where it is painted.
pub(super) struct Paint {
    easel: Easel<20, 8>,
    close: RefCell<Close>,
    scenery: Cell<Option<Scenery>>,
    top_permille: Cell<f64>,
    held: Cell<bool>,
    /// How long before now the time cursor is, in nanoseconds.
    cursor: Cell<Option<u64>>,
    /// Whose the rows are, and who writes that beside them: it changes seldom.
    lanes: RefCell<Vec<Lane>>,
    tell_lanes: UseStateSetter<Vec<Lane>>,
    worded_at: Cell<f64>,
    itself: RefCell<std::rc::Weak<Paint>>,
}

impl Paint {
    pub(super) fn new(tell_lanes: UseStateSetter<Vec<Lane>>) -> Rc<Paint> {
        let paint = Rc::new(Paint {
            easel: Easel::default(),
            close: RefCell::default(),
            scenery: Cell::default(),
            top_permille: Cell::new(1_000.0),
            held: Cell::default(),
            cursor: Cell::default(),
            lanes: RefCell::default(),
            tell_lanes,
            worded_at: Cell::new(f64::NEG_INFINITY),
            itself: RefCell::default(),
        });
        *paint.itself.borrow_mut() = Rc::downgrade(&paint);
        paint
    }

    pub(super) fn node(&self, ink: Ink) -> NodeRef {
        self.easel.ink(ink as usize)
    }

    pub(super) fn word(&self, word: Words) -> NodeRef {
        self.easel.word(word as usize)
    }

    pub(super) fn set(&self, scenery: Scenery) {
        self.scenery.set(Some(scenery));
    }

    /// Another group, or another connection: begins with what is known.
    pub(super) fn begin(&self, history: Option<&History>) {
        let readings = history.into_iter().flat_map(History::readings);
        self.close.borrow_mut().begin(readings);
        self.ask();
    }

    /// Samples of the whole machine, while there are no closer ones.
    pub(super) fn stand_in(&self, history: Option<&History>) {
        let paused = self.scenery.get().is_some_and(|scenery| scenery.paused);
        if !self.close.borrow().is_close() && !paused {
            self.begin(history);
        }
    }

    pub(super) fn hear(&self, sample: CpuSample) {
        if !self.scenery.get().is_some_and(|scenery| scenery.paused) {
            self.close.borrow_mut().push(sample);
            self.ask();
        }
    }

    pub(super) fn rows(&self, most: usize) -> Vec<Row> {
        self.close.borrow().rows(most)
    }

    pub(super) fn hold(&self, held: bool) {
        self.held.set(held);
    }

    pub(super) fn is_held(&self) -> bool {
        self.held.get()
    }

    fn scale(&self) -> Scale {
        let height = self.scenery.get().map_or(1.0, |scenery| scenery.overview);
        Scale { values: (0.0, self.top_permille.get()), pixels: (height, 0.0) }
    }

    /// Where the quota's line is; without a quota it lies at the top.
    pub(super) fn line_y(&self) -> f64 {
        let quota = self.scenery.get().and_then(|scenery| scenery.quota);
        quota.map_or(0.0, |quota| self.scale().at(f64::from(quota)))
    }

    pub(super) fn permille_at(&self, y: f64) -> f64 {
        self.scale().value(y)
    }

    /// The time cursor is at a share of the width of one of the two pictures, or has left it.
    pub(super) fn point(&self, ink: Ink, share: Option<f64>) {
        let span = if ink == Ink::Overview { MINUTE_NSEC } else { self.span_nsec() };
        #[allow(clippy::cast_possible_truncation, clippy::cast_sign_loss)] // At most a minute.
        let ago = share.map(|share| ((1.0 - share.clamp(0.0, 1.0)) * float(span)) as u64);
        self.cursor.set(ago);
        self.worded_at.set(f64::NEG_INFINITY);
        self.ask();
    }

    pub(super) fn width(&self) -> f64 {
        self.scenery.get().map_or(1.0, |scenery| scenery.width.max(1.0))
    }

    fn span_nsec(&self) -> u64 {
        let periods = self.scenery.get().map_or(1, |scenery| scenery.periods);
        self.close.borrow().span_nsec(periods)
    }

    /// Where the time cursor is in a picture of so much time, if it is in it.
    fn cursor_x(&self, width: f64, span_nsec: u64) -> Option<f64> {
        let ago = self.cursor.get().filter(|ago| *ago <= span_nsec)?;
        Some((1.0 - float(ago) / float(span_nsec.max(1))) * width)
    }

    /// Paints in the next frame.
    pub(super) fn ask(&self) {
        let weak = self.itself.borrow().clone();
        let moved = self.worded_at.get() == f64::NEG_INFINITY || self.held.get();
        self.easel.ask(moved, move |now| {
            if let Some(paint) = weak.upgrade() {
                paint.easel.begin();
                paint.paint(now);
            }
        });
    }

    fn paint(&self, now_msec: f64) {
        let Some(scenery) = self.scenery.get().filter(|scenery| scenery.width >= 1.0) else {
            return;
        };
        let close = self.close.borrow();
        let wanted = scenery.quota.map(f64::from);
        let picture = close.overview((scenery.width, scenery.overview), wanted);
        self.top_permille.set(picture.top_permille);
        self.draw(Ink::Hatched, &picture.throttled);
        self.draw(Ink::Area, &picture.area);
        self.draw(Ink::Edge, &picture.edge);
        self.draw(Ink::Quota, &picture.quota);
        let y = self.line_y().max(1.0);
        let (mut hand, mut knob) = (Path::default(), Path::default());
        hand.level((0.0, scenery.width), y);
        knob.dot((scenery.width - 9.0, y), 6.0);
        self.draw(Ink::Hand, &hand);
        self.draw(Ink::Knob, &knob);
        self.draw_cursor(Ink::Moment, &scenery, MINUTE_NSEC, scenery.overview);
        let lens = close.periods(scenery.width, scenery.periods, u64::from(scenery.cpus));
        self.draw_periods(&lens, &scenery);
        if now_msec - self.worded_at.get() >= WORDS_MSEC || self.worded_at.get().is_infinite() {
            self.worded_at.set(if now_msec.is_finite() { now_msec } else { 0.0 });
            self.write(&close, &scenery);
        }
    }

    fn draw_periods(&self, lens: &Periods, scenery: &Scenery) {
        let view = format!("-{GUTTER} 0 {:.0} {:.0}", scenery.width + GUTTER, lens.height);
        self.easel.set(Ink::Periods as usize, "viewBox", &view);
        for (ink, path) in [
            (Ink::Ends, &lens.ends),
            (Ink::Full, &lens.quota),
            (Ink::Tank, &lens.tank),
            (Ink::Dots, &lens.dots),
            (Ink::Run, &lens.run),
            (Ink::Wait, &lens.wait),
            (Ink::Used, &lens.used),
            (Ink::Throttled, &lens.throttled),
            (Ink::Ran, &lens.ran),
            (Ink::Waited, &lens.waited),
        ] {
            self.draw(ink, path);
        }
        let span = self.span_nsec();
        self.draw_cursor(Ink::Cursor, scenery, span, lens.height);
        if *self.lanes.borrow() != lens.lanes {
            self.lanes.replace(lens.lanes.clone());
            self.tell_lanes.set(lens.lanes.clone());
        }
    }

    fn draw_cursor(&self, ink: Ink, scenery: &Scenery, span_nsec: u64, height: f64) {
        let mut cursor = Path::default();
        if let Some(x) = self.cursor_x(scenery.width, span_nsec) {
            cursor.upright(x, (0.0, height));
        }
        self.draw(ink, &cursor);
    }

    fn write(&self, close: &Close, scenery: &Scenery) {
        let (lang, w) = (scenery.lang, text::words(scenery.lang));
        let figures = close.figures();
        let percent =
            |value: Option<f64>| value.map_or_else(|| "– %".into(), |v| format!("{v:.1} %"));
        let one = figures.map(|figures| figures.permille / 10.0);
        self.say(Words::OfQuota, &percent(figures.and_then(|figures| figures.of_quota)));
        self.say(Words::OfOne, &percent(one));
        self.say(Words::OfMachine, &percent(one.map(|one| one / f64::from(scenery.cpus.max(1)))));
        self.say(Words::Passed, &figures.map_or_else(String::new, |f| text::passed(lang, &f)));
        self.write_scale(scenery);
        let caption = self.caption(close, scenery);
        self.say(Words::Caption, &caption);
        self.easel.set_word(Words::CursorInput as usize, "aria-valuetext", &caption);
        let overview = text::overview(lang, figures.as_ref(), scenery.quota);
        self.easel.set(Ink::Overview as usize, "aria-label", &overview);
        let periods = format!("{}: {caption}", w.periods);
        self.easel.set(Ink::Periods as usize, "aria-label", &periods);
    }

    /// What the overview's height stands for, and the quota at its line, unless one hides the other.
    fn write_scale(&self, scenery: &Scenery) {
        let y = self.line_y();
        let quota = scenery.quota.filter(|_| y < scenery.overview - 4.0);
        let mark = quota.map_or_else(String::new, |q| format!("{} %", format::short_percent(q)));
        let is_free = quota.is_none() || y > MARK;
        let top = format!("{:.0} %", self.top_permille.get() / 10.0);
        self.say(Words::Top, if is_free { &top } else { "" });
        self.say(Words::QuotaMark, &mark);
        let y = format!("{:.1}", (y + 5.0).max(12.0));
        self.easel.set_word(Words::QuotaMark as usize, "y", &y);
    }

    /// What the time cursor is at: its period, or else its moment of the minute; without a cursor
    /// the last period.
    fn caption(&self, close: &Close, scenery: &Scenery) -> String {
        let (lang, w) = (scenery.lang, text::words(scenery.lang));
        let at = self.cursor.get();
        let is_near = at.is_none_or(|ago| ago <= close.span_nsec(scenery.periods));
        let period = close.in_words(at, u64::from(scenery.cpus)).filter(|_| is_near);
        let free = close.last().is_some_and(|last| last.quota_usec.is_none());
        match (period, at) {
            (Some(period), _) => text::period(lang, &period),
            (None, Some(ago)) => match close.minute_at(ago) {
                Some(bin) => text::moment(lang, float(ago) / 1e6, &bin),
                None => w.not_read.into(),
            },
            (None, None) if free => w.no_quota.into(),
            (None, None) if close.is_close() => w.no_periods.into(),
            (None, None) => w.no_close.into(),
        }
    }

    fn draw(&self, ink: Ink, path: &Path) {
        self.easel.draw(ink as usize, path);
    }

    fn say(&self, word: Words, text: &str) {
        self.easel.say(word as usize, text);
    }
}

#[allow(clippy::cast_precision_loss)] // At most a minute of nanoseconds.
fn float(nsec: u64) -> f64 {
    nsec as f64
}
