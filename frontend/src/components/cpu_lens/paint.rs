//! The hot path of the CPU lens: samples in, attributes set, once a frame and past the virtual DOM.

use std::cell::{Cell, RefCell};
use std::rc::Rc;

use gloo::render::{AnimationFrame, request_animation_frame};
use gloo::timers::callback::Timeout;
use vitrine_shared::focus::CpuSample;
use web_sys::{Element, HtmlInputElement};
use yew::NodeRef;

use crate::close::{Close, Periods, Row};
use crate::draw::{Path, Scale};
use crate::history::History;
use crate::prefs::{Lang, reduced_motion};
use crate::text::cpu_lens as text;

/// Milliseconds between two texts: words that change faster cannot be read.
const WORDS_MSEC: f64 = 250.0;
/// Milliseconds between two pictures for those who want no motion.
const STILL_MSEC: u32 = 1_000;

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
    Periods,
    Ends,
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
    Caption,
    CursorInput,
}

/// What the virtual DOM knows and the picture needs.
#[derive(Clone, Copy)]
pub(super) struct Scenery {
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
    inks: [NodeRef; 18],
    words: [NodeRef; 7],
    close: RefCell<Close>,
    scenery: Cell<Option<Scenery>>,
    frame: RefCell<Option<AnimationFrame>>,
    wait: RefCell<Option<Timeout>>,
    top_permille: Cell<f64>,
    held: Cell<bool>,
    /// Where the time cursor is, as a share of the width.
    cursor: Cell<Option<f64>>,
    worded_at: Cell<f64>,
    itself: RefCell<std::rc::Weak<Paint>>,
}

impl Paint {
    pub(super) fn new() -> Rc<Paint> {
        let paint = Rc::new(Paint {
            inks: std::array::from_fn(|_| NodeRef::default()),
            words: std::array::from_fn(|_| NodeRef::default()),
            close: RefCell::default(),
            scenery: Cell::default(),
            frame: RefCell::default(),
            wait: RefCell::default(),
            top_permille: Cell::new(1_000.0),
            held: Cell::default(),
            cursor: Cell::default(),
            worded_at: Cell::new(f64::NEG_INFINITY),
            itself: RefCell::default(),
        });
        *paint.itself.borrow_mut() = Rc::downgrade(&paint);
        paint
    }

    pub(super) fn node(&self, ink: Ink) -> NodeRef {
        self.inks[ink as usize].clone()
    }

    pub(super) fn word(&self, word: Words) -> NodeRef {
        self.words[word as usize].clone()
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

    /// The pointer is at this place of the lens, or has left it.
    pub(super) fn point(&self, x: Option<f64>) {
        let width = self.scenery.get().map_or(1.0, |scenery| scenery.width.max(1.0));
        self.cursor.set(x.map(|x| (x / width).clamp(0.0, 1.0)));
        self.worded_at.set(f64::NEG_INFINITY);
        self.ask();
    }

    /// The cursor was moved by its slider.
    pub(super) fn cursor(&self, share: f64) {
        self.cursor.set(Some(share));
        self.worded_at.set(f64::NEG_INFINITY);
        self.ask();
    }

    /// Paints in the next frame; for those who want no motion, not more than once a second.
    pub(super) fn ask(&self) {
        if self.frame.borrow().is_some() || self.wait.borrow().is_some() {
            return;
        }
        let weak = self.itself.borrow().clone();
        let moved = self.worded_at.get() == f64::NEG_INFINITY || self.held.get();
        if reduced_motion() && !moved {
            *self.wait.borrow_mut() = Some(Timeout::new(STILL_MSEC, move || {
                if let Some(paint) = weak.upgrade() {
                    *paint.wait.borrow_mut() = None;
                    paint.paint(f64::INFINITY);
                }
            }));
            return;
        }
        *self.frame.borrow_mut() = Some(request_animation_frame(move |now| {
            if let Some(paint) = weak.upgrade() {
                *paint.frame.borrow_mut() = None;
                paint.paint(now);
            }
        }));
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
        let lens = close.periods(scenery.width, scenery.periods, u64::from(scenery.cpus));
        self.draw_periods(&lens, &scenery);
        if now_msec - self.worded_at.get() >= WORDS_MSEC || self.worded_at.get().is_infinite() {
            self.worded_at.set(if now_msec.is_finite() { now_msec } else { 0.0 });
            self.write(&close, &scenery);
        }
    }

    fn draw_periods(&self, lens: &Periods, scenery: &Scenery) {
        if let Some(svg) = self.element(Ink::Periods) {
            let view = format!("0 0 {:.0} {:.0}", scenery.width, lens.height);
            if svg.get_attribute("viewBox").as_deref() != Some(&view) {
                set(&svg, "viewBox", &view);
            }
        }
        for (ink, path) in [
            (Ink::Ends, &lens.ends),
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
        let mut cursor = Path::default();
        if let Some(share) = self.cursor.get() {
            cursor.upright(share * scenery.width, (0.0, lens.height));
        }
        self.draw(Ink::Cursor, &cursor);
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
        self.say(Words::Top, &format!("↑ {:.0} %", self.top_permille.get() / 10.0));
        let at = self.cursor.get();
        let period = close.in_words(at, scenery.periods, u64::from(scenery.cpus));
        let free = close.last().is_some_and(|last| last.quota_usec.is_none());
        let caption = match period {
            Some(period) => text::period(lang, &period),
            None if free => w.no_quota.into(),
            None if close.is_close() => w.no_periods.into(),
            None => w.no_close.into(),
        };
        self.say(Words::Caption, &caption);
        if let Some(input) = self.words[Words::CursorInput as usize].cast::<HtmlInputElement>() {
            set(&input, "aria-valuetext", &caption);
        }
        if let Some(svg) = self.element(Ink::Overview) {
            set(&svg, "aria-label", &text::overview(lang, figures.as_ref(), scenery.quota));
        }
        if let Some(svg) = self.element(Ink::Periods) {
            set(&svg, "aria-label", &format!("{}: {caption}", w.periods));
        }
    }

    fn element(&self, ink: Ink) -> Option<Element> {
        self.inks[ink as usize].cast::<Element>()
    }

    fn draw(&self, ink: Ink, path: &Path) {
        if let Some(element) = self.element(ink) {
            set(&element, "d", &path.0);
        }
    }

    fn say(&self, word: Words, text: &str) {
        if let Some(element) = self.words[word as usize].cast::<Element>()
            && element.text_content().as_deref() != Some(text)
        {
            element.set_text_content(Some(text));
        }
    }
}

fn set(element: &Element, name: &str, value: &str) {
    // Fails for a name that is none, and these are.
    let _ = element.set_attribute(name, value);
}
