//! Elements that stand already, and the frame in which they are painted next: what changes several
//! times a second goes past the virtual DOM.

use std::cell::RefCell;

use gloo::render::{AnimationFrame, request_animation_frame};
use gloo::timers::callback::Timeout;
use web_sys::{Element, PointerEvent};
use yew::NodeRef;

use crate::draw::Path;
use crate::prefs::reduced_motion;

/// Width of the words at the left of a picture, in CSS pixels.
pub(super) const GUTTER: f64 = 124.0;
/// Milliseconds between two pictures for those who want no motion.
const STILL_MSEC: u32 = 1_000;

/// Elements whose shape or attributes are set, and elements whose words are.
pub(super) struct Easel<const INKS: usize, const WORDS: usize> {
    inks: [NodeRef; INKS],
    words: [NodeRef; WORDS],
    frame: RefCell<Option<AnimationFrame>>,
    wait: RefCell<Option<Timeout>>,
}

impl<const INKS: usize, const WORDS: usize> Default for Easel<INKS, WORDS> {
    fn default() -> Self {
        Easel {
            inks: std::array::from_fn(|_| NodeRef::default()),
            words: std::array::from_fn(|_| NodeRef::default()),
            frame: RefCell::default(),
            wait: RefCell::default(),
        }
    }
}

impl<const INKS: usize, const WORDS: usize> Easel<INKS, WORDS> {
    pub(super) fn ink(&self, at: usize) -> NodeRef {
        self.inks[at].clone()
    }

    pub(super) fn word(&self, at: usize) -> NodeRef {
        self.words[at].clone()
    }

    /// Paints in the next frame; for those who want no motion not more than once a second, unless
    /// they have moved something themselves. `paint` begins with [`Easel::begin`].
    pub(super) fn ask(&self, at_once: bool, paint: impl FnOnce(f64) + 'static) {
        if self.frame.borrow().is_some() || (!at_once && self.wait.borrow().is_some()) {
            return;
        }
        if reduced_motion() && !at_once {
            *self.wait.borrow_mut() = Some(Timeout::new(STILL_MSEC, move || paint(f64::INFINITY)));
        } else {
            *self.frame.borrow_mut() = Some(request_animation_frame(paint));
        }
    }

    /// What was asked for is being done.
    pub(super) fn begin(&self) {
        *self.frame.borrow_mut() = None;
        *self.wait.borrow_mut() = None;
    }

    pub(super) fn draw(&self, at: usize, path: &Path) {
        if let Some(element) = self.inks[at].cast::<Element>() {
            // Fails for a name that is none. Another path than the last one, nearly always.
            let _ = element.set_attribute("d", &path.0);
        }
    }

    /// Sets an attribute of an element whose shape is painted.
    pub(super) fn set(&self, at: usize, name: &str, value: &str) {
        if let Some(element) = self.inks[at].cast::<Element>() {
            set(&element, name, value);
        }
    }

    pub(super) fn say(&self, at: usize, text: &str) {
        if let Some(element) = self.words[at].cast::<Element>()
            && element.text_content().as_deref() != Some(text)
        {
            element.set_text_content(Some(text));
        }
    }

    /// Sets an attribute of an element whose words are written.
    pub(super) fn set_word(&self, at: usize, name: &str, value: &str) {
        if let Some(element) = self.words[at].cast::<Element>() {
            set(&element, name, value);
        }
    }
}

fn set(element: &Element, name: &str, value: &str) {
    if element.get_attribute(name).as_deref() != Some(value) {
        // Fails for a name that is none, and these are.
        let _ = element.set_attribute(name, value);
    }
}

/// Where a pointer is in a picture that is drawn `scale` times as large, in the picture's own
/// pixels, from where its words end; and the picture. (An event's current target is the page's
/// root: Yew listens there.)
pub(super) fn place(
    picture: &NodeRef,
    event: &PointerEvent,
    scale: f64,
) -> Option<(Element, f64, f64)> {
    let element = picture.cast::<Element>()?;
    let rect = element.get_bounding_client_rect();
    let at = |client: i32, edge: f64| (f64::from(client) - edge) / scale;
    let (x, y) = (at(event.client_x(), rect.left()), at(event.client_y(), rect.top()));
    Some((element, x - GUTTER, y))
}
