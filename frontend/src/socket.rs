//! The WebSocket to `/api/ws`, kept open. Frames in, messages out, in order.

use std::cell::{Cell, RefCell};
use std::rc::{Rc, Weak};

use gloo::events::EventListener;
use gloo::timers::callback::{Interval, Timeout};
use js_sys::{ArrayBuffer, Uint8Array};
use vitrine_shared::message::{ClientMessage, ServerMessage};
use vitrine_shared::wire;
use wasm_bindgen::{JsCast, JsValue};
use web_sys::{BinaryType, MessageEvent, WebSocket};
use yew::Callback;

use crate::early::{self, Early};
use crate::session;
use crate::state::{Link, Session};

/// A line that is silent for this long is taken as dead: pings are answered every two seconds.
const SILENT_MSEC: f64 = 10_000.0;

/// What the socket tells.
pub(crate) enum Signal {
    /// The server said whether it knows us.
    Session(Session),
    /// The socket changed.
    Link(Link),
    /// A message came.
    Message(ServerMessage),
}

/// A socket that comes back by itself until it is dropped.
pub(crate) struct Socket(Rc<Inner>);

struct Inner {
    tell: Callback<Signal>,
    open: RefCell<Option<Open>>,
    tries: Cell<u32>,
    retry: RefCell<Option<Timeout>>,
    heard_at: Cell<f64>,
    ended: Cell<bool>,
    watchdog: RefCell<Option<Interval>>,
}

struct Open {
    socket: WebSocket,
    _listeners: [EventListener; 2],
}

impl Socket {
    /// Opens it, and keeps it open.
    pub(crate) fn keep_open(tell: Callback<Signal>) -> Self {
        let inner = Rc::new(Inner {
            tell,
            open: RefCell::default(),
            tries: Cell::default(),
            retry: RefCell::default(),
            heard_at: Cell::default(),
            ended: Cell::default(),
            watchdog: RefCell::default(),
        });
        let weak = Rc::downgrade(&inner);
        *inner.watchdog.borrow_mut() = Some(Interval::new(2_000, move || watch(&weak)));
        inner.connect();
        Socket(inner)
    }

    /// Sends a message; `false` when the line is down.
    pub(crate) fn send(&self, message: &ClientMessage) -> bool {
        let open = self.0.open.borrow();
        let Some(open) = open.as_ref() else { return false };
        open.socket.ready_state() == WebSocket::OPEN
            && open.socket.send_with_u8_array(&wire::to_postcard(message)).is_ok()
    }
}

impl Drop for Socket {
    fn drop(&mut self) {
        self.0.ended.set(true);
        self.0.retry.take();
        self.0.watchdog.take();
        if let Some(open) = self.0.open.take() {
            // Closing a socket that is already closed is what we want anyway.
            let _ = open.socket.close();
        }
    }
}

impl Inner {
    /// Asks whether the server knows us, and only then opens the socket: a browser cannot tell
    /// a refused upgrade from a server that is not there.
    fn connect(self: &Rc<Self>) {
        let inner = Rc::clone(self);
        wasm_bindgen_futures::spawn_local(async move {
            let early = early::take().await;
            let session = match &early {
                Some(early) => session::of_early(early.status()),
                None => session::ask().await,
            };
            if inner.ended.get() {
                return;
            }
            inner.tell.emit(Signal::Session(session.clone()));
            match session {
                Session::Open => inner.open_socket(early.as_ref()),
                Session::SignedOut { .. } => inner.tell.emit(Signal::Link(Link::Idle)),
                Session::Checking | Session::NoServer => inner.lost(),
            }
        });
    }

    /// Opens it, or goes on with the line that was opened early, if that still stands.
    fn open_socket(self: &Rc<Self>, early: Option<&Early>) {
        self.tell.emit(Signal::Link(Link::Opening));
        let opened = early.and_then(Early::socket);
        let opened = opened.filter(|socket| socket.ready_state() <= WebSocket::OPEN);
        let early = early.filter(|_| opened.is_some());
        let new = || WebSocket::new_with_str(&url()?, wire::POSTCARD).ok();
        let Some(socket) = opened.or_else(new) else { return self.lost() };
        socket.set_binary_type(BinaryType::Arraybuffer);
        self.heard_at.set(js_sys::Date::now());
        let weak = Rc::downgrade(self);
        let on_message = EventListener::new(&socket, "message", move |event| {
            if let (Some(inner), Some(event)) = (weak.upgrade(), event.dyn_ref::<MessageEvent>()) {
                inner.heard(event.data());
            }
        });
        let weak = Rc::downgrade(self);
        let on_close = EventListener::new(&socket, "close", move |_| {
            if let Some(inner) = weak.upgrade() {
                inner.lost();
            }
        });
        *self.open.borrow_mut() = Some(Open { socket, _listeners: [on_message, on_close] });
        for data in early.map(Early::heard).unwrap_or_default() {
            self.heard(data);
        }
    }

    fn heard(&self, data: JsValue) {
        self.heard_at.set(js_sys::Date::now());
        self.tries.set(0);
        let Ok(buffer) = data.dyn_into::<ArrayBuffer>() else { return };
        let bytes = Uint8Array::new(&buffer).to_vec();
        // The subprotocol names the version, so a frame that cannot be read is a bug of ours;
        // the next one may well be readable.
        match wire::from_postcard(&bytes) {
            Ok(message) => self.tell.emit(Signal::Message(message)),
            Err(error) => warn(&format!("unreadable frame from the server: {error}")),
        }
    }

    fn lost(self: &Rc<Self>) {
        if self.ended.get() {
            return;
        }
        let tries = self.tries.get() + 1;
        self.tries.set(tries);
        self.tell.emit(Signal::Link(Link::Lost { tries }));
        let weak = Rc::downgrade(self);
        let wait = backoff_msec(tries, js_sys::Math::random());
        *self.retry.borrow_mut() = Some(Timeout::new(wait, move || {
            if let Some(inner) = weak.upgrade() {
                inner.connect();
            }
        }));
    }
}

/// Closes a socket that has been silent for too long; its `close` event does the rest.
fn watch(weak: &Weak<Inner>) {
    let Some(inner) = weak.upgrade() else { return };
    let open = inner.open.borrow();
    let Some(open) = open.as_ref() else { return };
    let silent = js_sys::Date::now() - inner.heard_at.get() > SILENT_MSEC;
    if silent && open.socket.ready_state() == WebSocket::OPEN {
        // Closing can fail only for a bad code, and none is given.
        let _ = open.socket.close();
    }
}

#[wasm_bindgen::prelude::wasm_bindgen]
extern "C" {
    #[wasm_bindgen(js_namespace = console)]
    fn warn(text: &str);
}

fn url() -> Option<String> {
    let location = web_sys::window()?.location();
    let scheme = if location.protocol().ok()? == "https:" { "wss" } else { "ws" };
    Some(format!("{scheme}://{}/api/ws", location.host().ok()?))
}

/// How long to wait before try `tries`: 0.5 s doubling to 8 s, less up to a half by chance, so
/// that forty pages do not all come back in the same instant.
#[allow(clippy::cast_possible_truncation, clippy::cast_sign_loss)] // 0 to 8000.
fn backoff_msec(tries: u32, random: f64) -> u32 {
    let full = 500 * 2_u32.pow(tries.saturating_sub(1).min(4));
    full - (f64::from(full) / 2.0 * random.clamp(0.0, 1.0)) as u32
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn it_waits_longer_each_time_and_at_most_eight_seconds() {
        let waits: Vec<_> = (1..8).map(|tries| backoff_msec(tries, 0.0)).collect();
        assert_eq!(waits, [500, 1_000, 2_000, 4_000, 8_000, 8_000, 8_000]);
        assert_eq!(backoff_msec(1, 1.0), 250);
        assert_eq!(backoff_msec(u32::MAX, 0.5), 6_000);
    }
}
