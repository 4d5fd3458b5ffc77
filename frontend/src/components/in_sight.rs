//! Which rows of a long table are in sight. Only those, and a few around them, are drawn.

use std::ops::Range;

use gloo::events::{EventListener, EventListenerOptions};
use wasm_bindgen::JsCast;
use web_sys::{Element, HtmlElement};
use yew::prelude::*;

/// Tables up to this length are drawn whole.
const WHOLE: usize = 60;
/// Rows above and below what is in sight.
const MARGIN: usize = 8;

/// What is in sight, in rows.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(crate) struct Sight {
    first: usize,
    count: usize,
    /// The height of one, in pixels.
    row: usize,
}

impl Sight {
    /// Before anything was measured.
    const FIRST: Sight = Sight { first: 0, count: 24, row: 26 };

    /// Which of so many rows to draw.
    pub(crate) fn of(self, rows: usize) -> Range<usize> {
        if rows <= WHOLE {
            return 0..rows;
        }
        let first = self.first.saturating_sub(MARGIN).min(rows);
        first..(self.first + self.count + MARGIN).clamp(first, rows)
    }

    /// Stands in a table's body for so many rows that are not drawn.
    pub(crate) fn space(self, key: &'static str, rows: usize, columns: usize) -> Html {
        let height = (rows * self.row).to_string();
        html! {
            <tr {key} class="space" hidden={rows == 0} aria-hidden="true">
                <td colspan={columns.to_string()}><svg width="1" {height} /></td>
            </tr>
        }
    }
}

/// What is in sight of a table's rows, which are the `selector`s in `region`; measured anew when
/// anything scrolls, and when there are more or fewer of them.
#[hook]
pub(crate) fn use_in_sight(region: &NodeRef, selector: &'static str, rows: usize) -> Sight {
    let sight = use_state_eq(|| Sight::FIRST);
    let (region, set) = (region.clone(), sight.setter());
    use_effect_with((rows > WHOLE, rows / WHOLE), move |(long, _)| {
        let watched = long.then(|| {
            let look = move || set.set(measure(&region, selector).unwrap_or(Sight::FIRST));
            look();
            let window = web_sys::window().expect("a page has a window");
            let scrolled = look.clone();
            // Scrolling does not bubble, but it is told on its way down.
            let options = EventListenerOptions::run_in_capture_phase();
            [
                EventListener::new_with_options(&window, "scroll", options, move |_| scrolled()),
                EventListener::new(&window, "resize", move |_| look()),
            ]
        });
        move || drop(watched)
    });
    *sight
}

/// From the body of the first row that is there; `None` where nothing is.
#[allow(clippy::cast_possible_truncation, clippy::cast_sign_loss)] // Pixels of a page.
fn measure(region: &NodeRef, selector: &str) -> Option<Sight> {
    let region = region.cast::<Element>()?;
    let row = region.query_selector(selector).ok()??.dyn_into::<HtmlElement>().ok()?;
    let height = usize::try_from(row.offset_height()).ok().filter(|height| *height > 0)?;
    let body = row.parent_element()?.get_bounding_client_rect();
    let around = region.parent_element()?.get_bounding_client_rect();
    let below = web_sys::window()?.inner_height().ok()?.as_f64()?;
    // What scrolls cuts it off, or the window does.
    let (top, bottom) = (around.top().max(0.0), around.bottom().min(below));
    let rows = |pixels: f64| pixels.max(0.0) as usize / height;
    Some(Sight { first: rows(top - body.top()), count: rows(bottom - top) + 1, row: height })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn short_tables_are_whole_and_long_ones_are_what_is_in_sight() {
        let sight = Sight { first: 500, count: 20, row: 26 };
        assert_eq!(sight.of(WHOLE), 0..WHOLE);
        assert_eq!(sight.of(1_000), 500 - MARGIN..520 + MARGIN);
        assert_eq!(Sight::FIRST.of(1_000).start, 0);
        // It has become shorter since it was measured.
        assert_eq!(sight.of(100), 100..100);
        assert_eq!(sight.of(510), 492..510);
    }
}
