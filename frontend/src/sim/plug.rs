//! What `term-link.mjs` talks to in the place of a WebSocket: an object with the few parts of one that it
//! uses. Frames are those of the wire, so that the terminal does not know the difference.

use gloo::timers::callback::Timeout;
use js_sys::{Function, Object, Reflect, Uint8Array};
use vitrine_shared::id::TerminalId;
use wasm_bindgen::prelude::Closure;
use wasm_bindgen::{JsCast, JsValue};

/// The line broke: whoever had it tries again.
const BROKEN: u16 = 1006;
/// There is no such terminal (`wire::close`).
const NO_TERMINAL: u16 = 4404;

/// The terminals on the page.
#[derive(Default)]
pub(super) struct Plugs(Vec<Plug>);

struct Plug {
    id: TerminalId,
    socket: Object,
    _send: Closure<dyn FnMut(Uint8Array)>,
    _close: Closure<dyn FnMut(JsValue)>,
}

/// A frame on its way to a terminal.
pub(super) struct Frame {
    socket: Object,
    bytes: Vec<u8>,
}

impl Plugs {
    /// What the terminals are to be sent.
    pub(super) fn frames(&self, mut take: impl FnMut(TerminalId) -> Vec<Vec<u8>>) -> Vec<Frame> {
        let mut all = Vec::new();
        for (at, plug) in self.0.iter().enumerate() {
            // Of two at one terminal the later one has it.
            if self.0[at + 1..].iter().any(|other| other.id == plug.id) {
                continue;
            }
            let frame = |bytes| Frame { socket: plug.socket.clone(), bytes };
            all.extend(take(plug.id).into_iter().map(frame));
        }
        all
    }

    /// All lines break.
    pub(super) fn pull_all(&mut self) {
        for plug in self.0.drain(..) {
            closed(&plug.socket, BROKEN);
        }
    }

    fn pull(&mut self, socket: &Object) {
        self.0.retain(|plug| !Object::is(&plug.socket, socket));
    }
}

impl Frame {
    /// Hands it to the terminal.
    pub(super) fn deliver(self) {
        let event = Object::new();
        let data = Uint8Array::from(self.bytes.as_slice()).buffer();
        set(&event, "data", &data);
        call(&self.socket, "onmessage", &event);
    }
}

/// A new one, which opens in a moment, as a WebSocket does.
pub(super) fn make(id: TerminalId) -> Object {
    let socket = Object::new();
    let send = Closure::new(move |frame: Uint8Array| super::terminal_frame(id, &frame.to_vec()));
    let itself = socket.clone();
    let close = Closure::new(move |_: JsValue| {
        if let Some(inner) = super::current() {
            inner.plugs.borrow_mut().pull(&itself);
        }
    });
    set(&socket, "send", send.as_ref());
    set(&socket, "close", close.as_ref());
    let plug = Plug { id, socket: socket.clone(), _send: send, _close: close };
    let opened = socket.clone();
    Timeout::new(0, move || open(plug, &opened)).forget();
    socket
}

fn open(plug: Plug, socket: &Object) {
    let Some(inner) = super::current() else { return closed(socket, BROKEN) };
    let is_there = inner.model.borrow().as_ref().is_some_and(|model| model.has_terminal(plug.id));
    if !is_there {
        return closed(socket, NO_TERMINAL);
    }
    inner.plugs.borrow_mut().0.push(plug);
    call(socket, "onopen", &Object::new());
}

fn closed(socket: &Object, code: u16) {
    let event = Object::new();
    set(&event, "code", &code.into());
    call(socket, "onclose", &event);
}

/// Calls what the terminal has put there, if it has.
fn call(socket: &Object, name: &str, event: &Object) {
    let listener = Reflect::get(socket, &name.into()).ok();
    if let Some(listener) = listener.and_then(|it| it.dyn_into::<Function>().ok()) {
        // An error of the terminal's own is told by the browser.
        let _ = listener.call1(socket, event);
    }
}

fn set(object: &Object, name: &str, value: &JsValue) {
    // A plain object of our own takes every property.
    let _ = Reflect::set(object, &name.into(), value);
}
