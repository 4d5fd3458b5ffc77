//! What a person has chosen for this browser: language, theme, sizes.

use web_sys::Storage;

/// A language of the page.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Lang {
    /// English.
    En,
    /// Simplified Chinese.
    Zh,
}

impl Lang {
    /// The tag for `<html lang>`.
    pub(crate) const fn tag(self) -> &'static str {
        match self {
            Lang::En => "en",
            Lang::Zh => "zh-CN",
        }
    }

    /// The short name that `term.mjs` and the storage use.
    pub(crate) const fn short(self) -> &'static str {
        match self {
            Lang::En => "en",
            Lang::Zh => "zh",
        }
    }

    /// The other one.
    pub(crate) const fn other(self) -> Self {
        match self {
            Lang::En => Lang::Zh,
            Lang::Zh => Lang::En,
        }
    }

    /// The language of a tag such as `zh-Hans-CN`; English for those that are not here.
    pub(crate) fn of_tag(tag: &str) -> Self {
        match tag.to_ascii_lowercase().starts_with("zh") {
            true => Lang::Zh,
            false => Lang::En,
        }
    }

    /// The text of this language. Both have to be given, so that none can be missing.
    pub(crate) fn pick<T>(self, en: T, zh: T) -> T {
        match self {
            Lang::En => en,
            Lang::Zh => zh,
        }
    }
}

/// Light, dark, or as the system says.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Theme {
    /// As the system says.
    Auto,
    /// Light.
    Light,
    /// Dark.
    Dark,
}

impl Theme {
    /// Its name in the storage and in `<html data-theme>`.
    pub(crate) const fn name(self) -> &'static str {
        match self {
            Theme::Auto => "auto",
            Theme::Light => "light",
            Theme::Dark => "dark",
        }
    }

    /// The theme of that name.
    pub(crate) fn named(name: &str) -> Self {
        match name {
            "light" => Theme::Light,
            "dark" => Theme::Dark,
            _ => Theme::Auto,
        }
    }

    /// The next one in the round of the button.
    pub(crate) const fn next(self) -> Self {
        match self {
            Theme::Auto => Theme::Light,
            Theme::Light => Theme::Dark,
            Theme::Dark => Theme::Auto,
        }
    }
}

/// Names in the storage; `boot.js` reads the first three before the first paint.
pub(crate) mod key {
    /// `en` or `zh`.
    pub(crate) const LANG: &str = "vitrine.lang";
    /// `auto`, `light` or `dark`.
    pub(crate) const THEME: &str = "vitrine.theme";
    /// `projector` or `normal`.
    pub(crate) const SIZE: &str = "vitrine.size";
    /// `off` where nothing is to move; `boot.js` reads it too.
    pub(crate) const MOTION: &str = "vitrine.motion";
    /// Font size of the terminal, in pixels.
    pub(crate) const FONT: &str = "vitrine.font";
    /// The list of missing things that was read, by its fingerprint.
    pub(crate) const MISSING: &str = "vitrine.missing";
}

/// The storage, where the browser gives one: a private window may not.
fn storage() -> Option<Storage> {
    web_sys::window()?.local_storage().ok()?
}

/// What was chosen before.
pub(crate) fn load(key: &str) -> Option<String> {
    storage()?.get_item(key).ok()?
}

/// Keeps a choice; without a storage it lasts as long as the page.
pub(crate) fn save(key: &str, value: &str) {
    if let Some(storage) = storage() {
        // A full storage is no reason to stop: the choice still holds in this page.
        let _ = storage.set_item(key, value);
    }
}

/// The language to begin with.
pub(crate) fn first_lang() -> Lang {
    let asked = load(key::LANG).or_else(|| web_sys::window()?.navigator().language());
    Lang::of_tag(&asked.unwrap_or_default())
}

/// Does the browser match a media query?
fn matches(query: &str) -> bool {
    let list = web_sys::window().and_then(|window| window.match_media(query).ok().flatten());
    list.is_some_and(|list| list.matches())
}

/// Does the person want no motion, here or everywhere?
pub(crate) fn reduced_motion() -> bool {
    motion_is_off() || matches("(prefers-reduced-motion: reduce)")
}

/// Was motion switched off on this page?
pub(crate) fn motion_is_off() -> bool {
    // Where it holds also without a storage.
    let root = web_sys::window().and_then(|w| w.document()).and_then(|d| d.document_element());
    root.is_some_and(|root| root.get_attribute("data-motion").as_deref() == Some("off"))
}

/// Switches motion on this page off or on.
pub(crate) fn set_motion(on: bool) {
    let word = if on { "on" } else { "off" };
    save(key::MOTION, word);
    show("data-motion", word);
}

/// Is the page dark, with this choice?
pub(crate) fn is_dark(theme: Theme) -> bool {
    match theme {
        Theme::Auto => matches("(prefers-color-scheme: dark)"),
        Theme::Light => false,
        Theme::Dark => true,
    }
}

/// Says on `<html>` what was chosen; style.css does the rest.
pub(crate) fn show(attribute: &str, value: &str) {
    let root = web_sys::window().and_then(|w| w.document()).and_then(|d| d.document_element());
    if let Some(root) = root {
        // Setting an attribute with a valid constant name cannot fail.
        let _ = root.set_attribute(attribute, value);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_chinese_tag_is_chinese_and_others_are_english() {
        for tag in ["zh", "zh-CN", "zh-Hans", "ZH-tw"] {
            assert_eq!(Lang::of_tag(tag), Lang::Zh, "{tag}");
        }
        for tag in ["en", "fr", ""] {
            assert_eq!(Lang::of_tag(tag), Lang::En, "{tag}");
        }
    }

    #[test]
    fn the_theme_button_goes_round() {
        let mut theme = Theme::Auto;
        for _ in 0..3 {
            assert_eq!(Theme::named(theme.name()), theme);
            theme = theme.next();
        }
        assert_eq!(theme, Theme::Auto);
    }
}
