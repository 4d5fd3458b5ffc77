//! One stop of the tabulator key in a table whose parts take the focus in turn.
//!
//! Which one it is changes often, so it is set on the elements themselves and not drawn anew.

use wasm_bindgen::JsCast as _;
use web_sys::{Element, HtmlElement};

/// Makes this the one where the tabulator stops.
pub(crate) fn stop_at(part: &Element) {
    let table = part.closest("table").ok().flatten();
    let before = table.and_then(|table| table.query_selector("[tabindex=\"0\"]").ok().flatten());
    // Attributes of our own, on elements of our own.
    if let Some(before) = before {
        let _ = before.set_attribute("tabindex", "-1");
    }
    let _ = part.set_attribute("tabindex", "0");
}

/// Without a stop the first of these is it.
pub(crate) fn keep_a_stop(region: &Element, parts: &str) {
    if let Ok(None) = region.query_selector(&format!("table {parts}[tabindex=\"0\"]"))
        && let Ok(Some(first)) = region.query_selector(&format!("table {parts}"))
    {
        stop_at(&first);
    }
}

/// Gives the focus to an element.
pub(crate) fn focus(part: Element) {
    if let Ok(part) = part.dyn_into::<HtmlElement>() {
        // It is in sight or scrolls there.
        let _ = part.focus();
    }
}
