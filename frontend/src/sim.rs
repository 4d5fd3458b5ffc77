//! The other kind of line: to a server that is simulated in the page. It stands beside [`crate::socket`],
//! tells the same [`Signal`]s and takes the same messages.
//!
//! The model itself is in a file that is loaded when it is asked for ([`crate::lens`]); here is what lets
//! its time pass: some of it in every animation frame, no longer than [`BUDGET_MSEC`], at the pace that
//! was chosen. While nobody looks at the page its time stands still.
//!
//! In reading order: this file, `pace` (how much time is due), `plug` (terminals), `model` (the server;
//! named by the file that is loaded later alone).

pub(crate) mod model;
pub(crate) mod pace;
mod plug;

use std::cell::{Cell, RefCell};
use std::rc::{Rc, Weak};

use gloo::render::{AnimationFrame, request_animation_frame};
use gloo::timers::callback::Timeout;
use js_sys::Object;
use vitrine_shared::cgroup::Dialect;
use vitrine_shared::id::TerminalId;
use vitrine_shared::message::{ClientMessage, ServerMessage};
use yew::Callback;

use crate::lens;
use crate::socket::Signal;
use crate::state::{Link, Session};
use pace::{Due, Pace};
use plug::Plugs;

/// Milliseconds of each frame that the model may take.
const BUDGET_MSEC: f64 = 4.0;
/// Simulated time that passes between two looks at the clock.
const SLICE_NSEC: u64 = 2_000_000;
/// Milliseconds until its file is asked for again.
const AGAIN_MSEC: u32 = 2_000;

/// A simulated server, as far as the page sees it.
pub(crate) trait Model {
    /// Whoever comes is told of everything.
    fn greet(&mut self) -> Vec<ServerMessage>;
    /// A message from the page.
    fn hear(&mut self, message: &ClientMessage) -> Vec<ServerMessage>;
    /// Lets time pass.
    fn advance(&mut self, nsec: u64) -> Vec<ServerMessage>;
    /// Readings come so many times closer together.
    fn look_closer(&mut self, times: u32);
    /// Nanoseconds since it started.
    fn now_nsec(&self) -> u64;
    /// Can it be taken back?
    fn can_go_back(&self) -> bool;
    /// Takes it back; tells whether it could be.
    fn go_back(&mut self, to_nsec: u64) -> bool;
    /// Is there such a terminal?
    fn has_terminal(&self, id: TerminalId) -> bool;
    /// A frame from a terminal on the page.
    fn terminal_frame(&mut self, id: TerminalId, frame: &[u8]);
    /// Frames for it.
    fn take_frames(&mut self, id: TerminalId) -> Vec<Vec<u8>>;
}

/// Makes one: which dialect its groups speak, and the Unix time at which it starts.
pub(crate) type Make = fn(Dialect, u64) -> Box<dyn Model>;

/// What the controls show.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(crate) struct Clock {
    /// Nanoseconds since the simulated server started.
    pub(crate) now_nsec: u64,
    /// How fast its time passes.
    pub(crate) pace: Pace,
    /// How much of the chosen pace was kept up in the last second, in per cent.
    pub(crate) kept_percent: u32,
    /// Can it be taken back?
    pub(crate) can_go_back: bool,
}

thread_local! {
    static CURRENT: RefCell<Weak<Inner>> = const { RefCell::new(Weak::new()) };
}

/// The line to a simulated server, until it is dropped.
pub(crate) struct Simulator(Rc<Inner>);

struct Inner {
    tell: Callback<Signal>,
    model: RefCell<Option<Box<dyn Model>>>,
    due: RefCell<Due>,
    plugs: RefCell<Plugs>,
    /// What the page has not heard yet.
    untold: RefCell<Vec<ServerMessage>>,
    frame: RefCell<Option<AnimationFrame>>,
    again: RefCell<Option<Timeout>>,
    ended: Cell<bool>,
}

impl Simulator {
    /// Loads the model and begins.
    pub(crate) fn begin(dialect: Dialect, tell: Callback<Signal>) -> Self {
        let inner = Rc::new(Inner {
            tell,
            model: RefCell::default(),
            due: RefCell::new(Due::new(Pace::Real)),
            plugs: RefCell::default(),
            untold: RefCell::default(),
            frame: RefCell::default(),
            again: RefCell::default(),
            ended: Cell::default(),
        });
        CURRENT.with(|current| *current.borrow_mut() = Rc::downgrade(&inner));
        inner.load(dialect);
        Simulator(inner)
    }

    /// Sends a message; `false` before there is anybody to hear it.
    pub(crate) fn send(&self, message: &ClientMessage) -> bool {
        let mut model = self.0.model.borrow_mut();
        let Some(model) = model.as_mut() else { return false };
        // Told in the next frame: the page has to note first that it has asked.
        self.0.untold.borrow_mut().extend(model.hear(message));
        true
    }
}

impl Drop for Simulator {
    fn drop(&mut self) {
        self.0.ended.set(true);
        self.0.frame.take();
        self.0.again.take();
        self.0.plugs.borrow_mut().pull_all();
    }
}

impl Inner {
    fn load(self: &Rc<Self>, dialect: Dialect) {
        self.tell.emit(Signal::Session(Session::Open));
        self.tell.emit(Signal::Link(Link::Opening));
        let inner = Rc::clone(self);
        wasm_bindgen_futures::spawn_local(async move {
            let make = lens::model().await;
            if inner.ended.get() {
                return;
            }
            let Some(make) = make else {
                inner.tell.emit(Signal::Link(Link::Lost { tries: 1 }));
                let weak = Rc::downgrade(&inner);
                let again = move || {
                    if let Some(inner) = weak.upgrade() {
                        inner.load(dialect);
                    }
                };
                *inner.again.borrow_mut() = Some(Timeout::new(AGAIN_MSEC, again));
                return;
            };
            let mut model = make(dialect, unix_msec());
            *inner.untold.borrow_mut() = model.greet();
            *inner.model.borrow_mut() = Some(model);
            inner.next_frame();
        });
    }

    fn next_frame(self: &Rc<Self>) {
        let weak = Rc::downgrade(self);
        let frame = request_animation_frame(move |now_msec| {
            if let Some(inner) = weak.upgrade() {
                inner.step(now_msec);
            }
        });
        *self.frame.borrow_mut() = Some(frame);
    }

    /// One animation frame: time passes, then what has happened is told.
    fn step(self: &Rc<Self>, now_msec: f64) {
        self.next_frame();
        {
            let mut model = self.model.borrow_mut();
            let Some(model) = model.as_mut() else { return };
            let mut due = self.due.borrow_mut();
            due.frame(now_msec);
            let mut heard = self.untold.borrow_mut();
            // Even when time stands still, who was asked something goes on at this moment.
            heard.extend(model.advance(0));
            let begun = clock_msec();
            while let Some(nsec) = due.take(SLICE_NSEC) {
                heard.extend(model.advance(nsec));
                if clock_msec() - begun > BUDGET_MSEC {
                    break;
                }
            }
        }
        self.tell_all();
    }

    /// Nothing is borrowed while the page hears it: it may ask at once.
    fn tell_all(self: &Rc<Self>) {
        for message in std::mem::take(&mut *self.untold.borrow_mut()) {
            if self.ended.get() {
                return;
            }
            self.tell.emit(Signal::Message(message));
        }
        let frames = {
            let mut model = self.model.borrow_mut();
            let Some(model) = model.as_mut() else { return };
            self.plugs.borrow().frames(|id| model.take_frames(id))
        };
        frames.into_iter().for_each(|frame| frame.deliver());
    }
}

/// What is simulated now, if anything is.
fn current() -> Option<Rc<Inner>> {
    CURRENT.with(|current| current.borrow().upgrade()).filter(|inner| !inner.ended.get())
}

/// Is this page's server a simulated one?
pub(crate) fn is_on() -> bool {
    current().is_some()
}

/// What the controls show.
pub(crate) fn clock() -> Option<Clock> {
    let inner = current()?;
    let model = inner.model.borrow();
    let due = inner.due.borrow();
    let model = model.as_ref()?;
    Some(Clock {
        now_nsec: model.now_nsec(),
        pace: due.pace(),
        kept_percent: due.kept_percent(),
        can_go_back: model.can_go_back(),
    })
}

/// Lets time pass at another pace, or stand still.
pub(crate) fn set_pace(pace: Pace) {
    let Some(inner) = current() else { return };
    inner.due.borrow_mut().set_pace(pace);
    if let Some(model) = inner.model.borrow_mut().as_mut() {
        model.look_closer(pace.slower());
    }
}

/// Stands still, but for so much time.
pub(crate) fn step_on(nsec: u64) {
    set_pace(Pace::Paused);
    if let Some(inner) = current() {
        inner.due.borrow_mut().owe(nsec);
    }
}

/// Goes back by so much time, and stands still there. The page is told of everything anew.
pub(crate) fn step_back(nsec: u64, forget: impl FnOnce()) {
    set_pace(Pace::Paused);
    let Some(inner) = current() else { return };
    let greeted = {
        let mut model = inner.model.borrow_mut();
        let Some(model) = model.as_mut() else { return };
        let to = model.now_nsec().saturating_sub(nsec);
        model.go_back(to).then(|| model.greet())
    };
    if let Some(greeted) = greeted {
        *inner.untold.borrow_mut() = greeted;
        // Terminals come back by themselves, and ask for what they have not got.
        inner.plugs.borrow_mut().pull_all();
        forget();
    }
}

/// What a terminal of the page talks to in the place of a WebSocket.
pub(crate) fn socket(id: TerminalId) -> Object {
    plug::make(id)
}

/// A frame of a terminal on the page.
fn terminal_frame(id: TerminalId, frame: &[u8]) {
    if let Some(inner) = current()
        && let Some(model) = inner.model.borrow_mut().as_mut()
    {
        model.terminal_frame(id, frame);
    }
}

fn clock_msec() -> f64 {
    let clock = web_sys::window().and_then(|window| window.performance());
    clock.map_or(0.0, |clock| clock.now())
}

#[allow(clippy::cast_possible_truncation, clippy::cast_sign_loss)] // Milliseconds since 1970.
fn unix_msec() -> u64 {
    js_sys::Date::now() as u64
}
