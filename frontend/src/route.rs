//! Which screen the address asks for. There is no router: two screens and a token.

/// A screen.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Screen {
    /// The start page.
    Start,
    /// The lab.
    Lab,
}

/// What the fragment of the address says.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Fragment {
    /// A screen.
    Screen(Screen),
    /// A one-time token, to be exchanged and removed.
    Token(String),
}

/// The fragment of the lab.
pub(crate) const LAB: &str = "#/lab";

/// Reads a fragment; what is unknown is the start page.
pub(crate) fn parse(hash: &str) -> Fragment {
    if let Some(token) = hash.strip_prefix("#token=") {
        return Fragment::Token(token.into());
    }
    Fragment::Screen(match hash {
        LAB => Screen::Lab,
        _ => Screen::Start,
    })
}

/// The fragment now.
pub(crate) fn current() -> Fragment {
    let hash = web_sys::window().and_then(|window| window.location().hash().ok());
    parse(&hash.unwrap_or_default())
}

/// Goes to a screen; the browser's back button works.
pub(crate) fn go(screen: Screen) {
    let hash = match screen {
        Screen::Start => "#/",
        Screen::Lab => LAB,
    };
    if let Some(window) = web_sys::window() {
        // A fragment of our own is always a valid one.
        let _ = window.location().set_hash(hash);
    }
}

/// Takes the token out of the address and the history, so that it is not shared by accident.
pub(crate) fn forget_token() {
    let Some(window) = web_sys::window() else { return };
    let path = window.location().pathname().unwrap_or_else(|_| "/".into());
    if let Ok(history) = window.history() {
        // Our own path is of our own origin, which is all that can be refused.
        let _ = history.replace_state_with_url(&wasm_bindgen::JsValue::NULL, "", Some(&path));
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn fragments() {
        assert_eq!(parse(""), Fragment::Screen(Screen::Start));
        assert_eq!(parse("#/"), Fragment::Screen(Screen::Start));
        assert_eq!(parse("#/lab"), Fragment::Screen(Screen::Lab));
        assert_eq!(parse("#token=ab12"), Fragment::Token("ab12".into()));
        assert_eq!(parse("#/nonsense"), Fragment::Screen(Screen::Start));
    }
}
