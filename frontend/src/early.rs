//! What `boot.js` asked the server while this program was on its way, and the line it opened.

use js_sys::Array;
use wasm_bindgen::prelude::wasm_bindgen;
use wasm_bindgen::{JsCast, JsValue};
use web_sys::WebSocket;

#[wasm_bindgen]
extern "C" {
    /// Of `boot.js`: gives what it asked once, and nothing later.
    #[wasm_bindgen(js_namespace = vitrine)]
    async fn early() -> JsValue;

    /// What was asked early.
    pub(crate) type Early;

    /// The status of `/api/session`; 0 when nobody answers.
    #[wasm_bindgen(method, getter)]
    pub(crate) fn status(this: &Early) -> u16;

    /// The line, if it was opened.
    #[wasm_bindgen(method, getter)]
    pub(crate) fn socket(this: &Early) -> Option<WebSocket>;

    /// What came on the line; from now on nobody listens there.
    #[wasm_bindgen(method)]
    fn take(this: &Early) -> Array;
}

impl Early {
    /// The frames that came, oldest first. Whoever calls this listens already.
    pub(crate) fn heard(&self) -> Vec<JsValue> {
        self.take().to_vec()
    }
}

/// What was asked early; `None` the second time, and where nothing was asked.
pub(crate) async fn take() -> Option<Early> {
    let early = early().await;
    (!early.is_undefined()).then(|| early.unchecked_into())
}

#[cfg(test)]
mod tests {
    #[test]
    fn boot_opens_the_line_with_our_subprotocol() {
        let boot = include_str!("../../static/boot.js");
        assert!(boot.contains(&format!("'{}'", vitrine_shared::wire::POSTCARD)));
    }
}
