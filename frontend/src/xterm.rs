//! The binding to `term.mjs`: bytes of terminals never enter this program, but for those of a simulated
//! server, which is in it.

use js_sys::{Object, Reflect};
use vitrine_shared::id::TerminalId;
use wasm_bindgen::prelude::{Closure, wasm_bindgen};
use wasm_bindgen::{JsCast, JsValue};
use web_sys::HtmlElement;

use crate::sim;

#[wasm_bindgen]
extern "C" {
    /// Of `boot.js`: a dynamic import.
    #[wasm_bindgen(js_namespace = vitrine, catch)]
    async fn load(url: &str) -> Result<JsValue, JsValue>;

    type Module;

    #[wasm_bindgen(method, catch)]
    fn create(this: &Module, options: &JsValue) -> Result<Terminal, JsValue>;

    /// A terminal that `term.mjs` has made.
    #[derive(Clone)]
    pub(crate) type Terminal;

    #[wasm_bindgen(method, catch)]
    fn attach(this: &Terminal, host: &HtmlElement) -> Result<(), JsValue>;
    #[wasm_bindgen(method, catch)]
    fn dispose(this: &Terminal) -> Result<(), JsValue>;
    #[wasm_bindgen(method)]
    pub(crate) fn focus(this: &Terminal);
    #[wasm_bindgen(method, js_name = setTheme)]
    pub(crate) fn set_theme(this: &Terminal, theme: &str);
    #[wasm_bindgen(method, js_name = setFontSize)]
    pub(crate) fn set_font_size(this: &Terminal, px: u32);
    #[wasm_bindgen(method, js_name = setReadOnly)]
    pub(crate) fn set_read_only(this: &Terminal, read_only: bool);
    #[wasm_bindgen(method, js_name = setLang)]
    pub(crate) fn set_lang(this: &Terminal, lang: &str);
    #[wasm_bindgen(method)]
    pub(crate) fn copy(this: &Terminal);
    #[wasm_bindgen(method)]
    pub(crate) fn paste(this: &Terminal);
}

/// How a terminal should look at first.
#[derive(Clone, Debug, PartialEq)]
pub(crate) struct Look {
    /// `en` or `zh`.
    pub(crate) lang: &'static str,
    /// `light` or `dark`.
    pub(crate) theme: &'static str,
    /// In pixels.
    pub(crate) font_size: u32,
}

/// A terminal on the page, until it is dropped.
pub(crate) struct Attached {
    pub(crate) terminal: Terminal,
    _on_status: Closure<dyn Fn(String)>,
    _on_escape: Closure<dyn Fn()>,
    /// Of a simulated server.
    _connect: Option<Closure<dyn Fn() -> Object>>,
}

impl Drop for Attached {
    fn drop(&mut self) {
        // A terminal that cannot be taken down has already gone.
        let _ = self.terminal.dispose();
    }
}

/// Loads `term.mjs` and puts a terminal into `host`. `None`: it could not be loaded.
pub(crate) async fn attach(
    host: HtmlElement,
    id: TerminalId,
    look: &Look,
    on_status: impl Fn(String) + 'static,
    on_escape: impl Fn() + 'static,
) -> Option<Attached> {
    let module: Module = load(&module_url()?).await.ok()?.unchecked_into();
    let on_status = Closure::<dyn Fn(String)>::new(on_status);
    let on_escape = Closure::<dyn Fn()>::new(on_escape);
    let options = Object::new();
    let values: [(&str, JsValue); 6] = [
        ("url", format!("/api/term/{id}").into()),
        ("lang", look.lang.into()),
        ("theme", look.theme.into()),
        ("fontSize", look.font_size.into()),
        ("onStatus", on_status.as_ref().clone()),
        ("onFocusEscape", on_escape.as_ref().clone()),
    ];
    for (name, value) in values {
        Reflect::set(&options, &name.into(), &value).ok()?;
    }
    let connect = sim::is_on().then(|| Closure::<dyn Fn() -> Object>::new(move || sim::socket(id)));
    if let Some(connect) = &connect {
        Reflect::set(&options, &"connect".into(), connect.as_ref()).ok()?;
    }
    let terminal = module.create(&options).ok()?;
    let attached =
        Attached { terminal, _on_status: on_status, _on_escape: on_escape, _connect: connect };
    attached.terminal.attach(&host).ok()?;
    Some(attached)
}

/// Where `term.mjs` is: its name carries a hash that only `index.html` knows.
fn module_url() -> Option<String> {
    let document = web_sys::window()?.document()?;
    let meta = document.query_selector("meta[name=vitrine-term]").ok()??;
    // Empty where the page was built without npm; relative to the page, not to `boot.js`.
    let path = meta.get_attribute("content").filter(|path| !path.is_empty())?;
    web_sys::Url::new_with_base(&path, &document.base_uri().ok()??).ok().map(|url| url.href())
}
