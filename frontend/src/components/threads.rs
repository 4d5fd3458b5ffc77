//! The threads between two eyes. They follow the layout, so they go around the virtual DOM.
//!
//! A process that is born draws its thread, one that dies falls off it; style.css has the motion,
//! and none where the person wants none.

use std::cell::RefCell;
use std::collections::{BTreeMap, BTreeSet};
use std::rc::Rc;

use gloo::render::{AnimationFrame, request_animation_frame};
use gloo::timers::callback::Timeout;
use wasm_bindgen::JsCast;
use wasm_bindgen::prelude::Closure;
use web_sys::{Element, ResizeObserver};
use yew::prelude::*;

use crate::eyes::{Spot, between, ease, thread_path};
use crate::prefs;

/// How long a thread is seen to fall when its process has died, in milliseconds.
const FALL_MSEC: u32 = 250;
/// How long a thread takes to follow its rows, in milliseconds.
const FOLLOW_MSEC: f64 = 200.0;
const SVG: &str = "http://www.w3.org/2000/svg";

type Ends = (Spot, Spot);

/// One thread on the page.
struct Thread {
    group: Element,
    from: Ends,
    to: Ends,
    now: Ends,
}

/// All of them.
#[derive(Default)]
struct Loom {
    threads: BTreeMap<String, Thread>,
    /// Whom both eyes see, in sight or not.
    joined: BTreeSet<u32>,
    /// Those who have come since one began to look, and have no thread yet.
    born: BTreeSet<u32>,
    began: Option<f64>,
    frame: Option<AnimationFrame>,
}

/// The rows that are drawn in each eye, by host PID and in their order, and whether as trees.
pub(crate) type Drawn = (Vec<u32>, Vec<u32>, bool);

/// Draws the threads between the rows of `region` in the SVG element `canvas`: anew when other
/// rows are drawn, and when an eye changes its size. Numbers that change in their rows move
/// nothing, and measuring a page that has just changed is what costs most of a sample.
#[hook]
pub(crate) fn use_threads(region: &NodeRef, canvas: &NodeRef, joined: BTreeSet<u32>, drawn: Drawn) {
    let loom = use_mut_ref(Loom::default);
    let (region, canvas) = (region.clone(), canvas.clone());
    {
        let (loom, region, canvas) = (Rc::clone(&loom), region.clone(), canvas.clone());
        use_effect_with((joined, drawn), move |(joined, _)| {
            loom.borrow_mut().join(joined.clone());
            weave(&loom, &region, &canvas);
        });
    }
    use_effect_with((), move |()| {
        let observed = region.cast::<Element>();
        let again = Rc::clone(&loom);
        let measure = Closure::<dyn Fn()>::new(move || weave(&loom, &region, &canvas));
        let observer = ResizeObserver::new(measure.as_ref().unchecked_ref()).ok();
        if let (Some(observer), Some(region)) = (&observer, &observed) {
            observer.observe(region);
            let eyes = region.children();
            (0..eyes.length())
                .filter_map(|at| eyes.item(at))
                .for_each(|eye| observer.observe(&eye));
        }
        move || {
            if let Some(observer) = observer {
                observer.disconnect();
            }
            again.borrow_mut().frame = None;
            drop(measure);
        }
    });
}

/// Measures where the rows are, makes and removes threads, and lets them follow.
fn weave(loom: &Rc<RefCell<Loom>>, region: &NodeRef, canvas: &NodeRef) {
    let (Some(region), Some(canvas)) = (region.cast::<Element>(), canvas.cast::<Element>()) else {
        return;
    };
    let ends = measure(&region);
    let moved = {
        let mut loom = loom.borrow_mut();
        let loom = &mut *loom;
        loom.threads.retain(|pid, thread| {
            let stays = ends.contains_key(pid);
            match pid.parse().is_ok_and(|pid| loom.joined.contains(&pid)) {
                _ if stays => {}
                // Out of sight is not dead.
                true => thread.group.remove(),
                false => thread.falls(),
            }
            stays
        });
        let mut moved = false;
        for (pid, ends) in ends {
            moved |= loom.point(&canvas, pid, ends);
        }
        moved
    };
    if moved && !prefs::reduced_motion() {
        loom.borrow_mut().began = None;
        follow(loom);
    } else if moved {
        loom.borrow_mut().draw(1.0);
    }
}

impl Loom {
    /// Takes note of whom both eyes see now.
    fn join(&mut self, joined: BTreeSet<u32>) {
        // What was there when one came to look was not born before one's eyes.
        if !self.joined.is_empty() {
            self.born.retain(|pid| joined.contains(pid));
            self.born.extend(joined.difference(&self.joined));
        }
        self.joined = joined;
    }

    /// Gives a thread its new ends; tells whether it has to move.
    fn point(&mut self, canvas: &Element, pid: String, ends: Ends) -> bool {
        if let Some(thread) = self.threads.get_mut(&pid) {
            let moved = thread.to != ends;
            if moved {
                thread.from = thread.now;
                thread.to = ends;
            }
            return moved;
        }
        let is_born = pid.parse().is_ok_and(|pid| self.born.remove(&pid));
        let class = if is_born { "woven is-new" } else { "woven" };
        if let Some(group) = new_thread(canvas, class) {
            let thread = Thread { group, from: ends, to: ends, now: ends };
            thread.draw();
            self.threads.insert(pid, thread);
        }
        false
    }

    fn draw(&mut self, t: f64) {
        for thread in self.threads.values_mut() {
            thread.now =
                (between(thread.from.0, thread.to.0, t), between(thread.from.1, thread.to.1, t));
            thread.draw();
        }
    }
}

impl Thread {
    /// Its process has died: the thread goes, after it has been seen to.
    fn falls(&self) {
        if prefs::reduced_motion() {
            return self.group.remove();
        }
        // A class of our own.
        let _ = self.group.set_attribute("class", "woven is-gone");
        let group = self.group.clone();
        Timeout::new(FALL_MSEC, move || group.remove()).forget();
    }

    fn draw(&self) {
        let (from, to) = self.now;
        let children = self.group.children();
        let set = |at: u32, name: &str, value: &str| {
            if let Some(child) = children.item(at) {
                // These names are valid attributes, which is all that could be refused.
                let _ = child.set_attribute(name, value);
            }
        };
        set(0, "d", &thread_path(from, to));
        for (at, (x, y)) in [(1, from), (2, to)] {
            set(at, "cx", &format!("{x:.1}"));
            set(at, "cy", &format!("{y:.1}"));
        }
    }
}

fn new_thread(canvas: &Element, class: &str) -> Option<Element> {
    let document = canvas.owner_document()?;
    let make = |name: &str, class: &str| {
        let element = document.create_element_ns(Some(SVG), name).ok()?;
        element.set_attribute("class", class).ok()?;
        Some(element)
    };
    let group = make("g", class)?;
    let line = make("path", "thread")?;
    // Its length as style.css counts it, however long it is.
    line.set_attribute("pathLength", "1").ok()?;
    group.append_child(&line).ok()?;
    for _ in 0..2 {
        let dot = make("circle", "thread-end")?;
        dot.set_attribute("r", "3").ok()?;
        group.append_child(&dot).ok()?;
    }
    canvas.append_child(&group).ok()?;
    Some(group)
}

/// Lets the threads follow their rows, a frame at a time.
fn follow(loom: &Rc<RefCell<Loom>>) {
    let again = Rc::clone(loom);
    let frame = request_animation_frame(move |now| {
        let over = {
            let mut loom = again.borrow_mut();
            let began = *loom.began.get_or_insert(now);
            let t = (now - began) / FOLLOW_MSEC;
            loom.draw(ease(t));
            t >= 1.0
        };
        if over {
            settle(&again);
        } else {
            follow(&again);
        }
    });
    loom.borrow_mut().frame = Some(frame);
}

fn settle(loom: &Rc<RefCell<Loom>>) {
    for thread in loom.borrow_mut().threads.values_mut() {
        thread.from = thread.to;
    }
}

/// The ends of each thread, relative to the region: the inner edges of the two rows' PIDs.
fn measure(region: &Element) -> BTreeMap<String, Ends> {
    let origin = region.get_bounding_client_rect();
    let inside = rows(region, ".eye-container [data-host-pid]");
    let mut ends = BTreeMap::new();
    for (pid, row) in rows(region, ".eye-host [data-host-pid]") {
        let Some(other) = inside.get(&pid) else { continue };
        let (from, to) = (row.get_bounding_client_rect(), other.get_bounding_client_rect());
        let middle = |rect: &web_sys::DomRect| (rect.top() + rect.bottom()) / 2.0 - origin.top();
        let start = (from.right() - origin.left() + 6.0, middle(&from));
        let end = (to.left() - origin.left() - 6.0, middle(&to));
        ends.insert(pid, (start, end));
    }
    ends
}

fn rows(region: &Element, selector: &str) -> BTreeMap<String, Element> {
    let Ok(list) = region.query_selector_all(selector) else { return BTreeMap::new() };
    (0..list.length())
        .filter_map(|at| list.item(at)?.dyn_into::<Element>().ok())
        .filter_map(|row| Some((row.get_attribute("data-host-pid")?, row)))
        .collect()
}
