//! Copying text, also where the page is no secure context and has no clipboard of its own.

use wasm_bindgen::{JsCast, JsValue};
use wasm_bindgen_futures::JsFuture;
use web_sys::HtmlTextAreaElement;

/// Copies a text; `false` when the browser gives no way.
pub(crate) async fn copy(text: &str) -> bool {
    let Some(window) = web_sys::window() else { return false };
    if window.is_secure_context() {
        let promise = window.navigator().clipboard().write_text(text);
        if JsFuture::from(promise).await.is_ok() {
            return true;
        }
    }
    copy_by_selection(text).unwrap_or(false)
}

/// The old way: a text area that is out of sight, selected, and `execCommand`.
fn copy_by_selection(text: &str) -> Option<bool> {
    let document = web_sys::window()?.document()?;
    let body = document.body()?;
    let area: HtmlTextAreaElement = document.create_element("textarea").ok()?.dyn_into().ok()?;
    area.set_class_name("visually-hidden");
    area.set_value(text);
    body.append_child(&area).ok()?;
    area.select();
    let exec = js_sys::Reflect::get(&document, &"execCommand".into()).ok()?;
    let done = exec.dyn_ref::<js_sys::Function>()?.call1(&document, &JsValue::from_str("copy"));
    area.remove();
    Some(done.is_ok_and(|done| done.is_truthy()))
}
