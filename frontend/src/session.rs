//! The cookie: a one-time token is exchanged for it, and the server is asked whether it holds.

use wasm_bindgen::{JsCast, JsValue};
use wasm_bindgen_futures::JsFuture;
use web_sys::{RequestInit, Response};

use crate::state::Session;

const PATH: &str = "/api/session";

/// Is this page on a host that only hands out files? `cargo xtask dist --static` says so in it.
pub(crate) fn is_static() -> bool {
    let document = web_sys::window().and_then(|window| window.document());
    let note = document.map(|d| d.query_selector("meta[name=vitrine-server][content=none]"));
    matches!(note, Some(Ok(Some(_))))
}

/// Exchanges the token of the link for a cookie.
pub(crate) async fn redeem(token: &str) -> Session {
    let init = RequestInit::new();
    init.set_method("POST");
    init.set_body(&JsValue::from_str(&token_body(token)));
    let headers = js_sys::Object::new();
    // Setting a property of a fresh plain object cannot fail.
    let _ = js_sys::Reflect::set(&headers, &"content-type".into(), &"application/json".into());
    init.set_headers(&headers);
    match fetch(&init).await {
        Some(status) => of_status(status, true),
        None => Session::NoServer,
    }
}

/// Asks whether the server knows this browser.
pub(crate) async fn ask() -> Session {
    match fetch(&RequestInit::new()).await {
        Some(status) => of_status(status, false),
        None => Session::NoServer,
    }
}

/// What a status of the server's answer says of the cookie.
pub(crate) fn of_early(status: u16) -> Session {
    of_status(status, false)
}

/// The request's body. Tokens are letters and digits; whatever else is dropped is none.
fn token_body(token: &str) -> String {
    let clean: String = token
        .chars()
        .filter(|c| c.is_ascii_alphanumeric() || matches!(c, '-' | '_' | '.' | '~'))
        .collect();
    format!("{{\"token\":\"{clean}\"}}")
}

fn of_status(status: u16, with_token: bool) -> Session {
    match status {
        200..=299 => Session::Open,
        400..=403 | 410 => Session::SignedOut { token_refused: with_token },
        _ => Session::NoServer,
    }
}

async fn fetch(init: &RequestInit) -> Option<u16> {
    let promise = web_sys::window()?.fetch_with_str_and_init(PATH, init);
    let response: Response = JsFuture::from(promise).await.ok()?.dyn_into().ok()?;
    Some(response.status())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_token_cannot_leave_its_string() {
        assert_eq!(token_body("aB3-_"), r#"{"token":"aB3-_"}"#);
        assert_eq!(token_body(r#"a","x":"b\"#), r#"{"token":"axb"}"#);
    }

    #[test]
    fn statuses() {
        assert_eq!(of_status(200, true), Session::Open);
        assert_eq!(of_status(401, false), Session::SignedOut { token_refused: false });
        assert_eq!(of_status(401, true), Session::SignedOut { token_refused: true });
        assert_eq!(of_status(404, false), Session::NoServer);
    }
}
