//! Which screen the address asks for. There is no router: two screens and a token.

mod spaces;

pub(crate) use spaces::{Choice, Spaces};

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
/// Periods that the CPU lens shows: fewest, at first, most.
const PERIODS: (u32, u32, u32) = (5, 10, 20);
/// Two eyes as a tree, and what stands below them.
const TREE: &str = "tree";
const BOTH: &str = "both";
/// Samples a second of the machine that is looked at: fewest, at first, most.
const HERTZ: (u8, u8, u8) = (1, 4, 10);
/// Longest name in a fragment, in bytes; ours are shorter.
const NAME_BYTES: usize = 40;

/// Where one is in the lab: what a link can say and another page finds again.
///
/// `#/lab/cpu?m=9a4e1d3a6f0b&g=c1&w=10`. What cannot be read is as if it was not there.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Spot {
    /// The name of a view.
    pub(crate) view: Option<String>,
    /// How the id of a machine begins.
    pub(crate) machine: Option<String>,
    /// A group: `c1`, `shell`, `root`, `cap`.
    pub(crate) group: Option<String>,
    /// Time window of the CPU lens, in periods.
    pub(crate) periods: u32,
    /// Are the processes of two eyes a tree?
    pub(crate) tree: bool,
    /// Is a line run in both below two eyes, in the place of the CPU?
    pub(crate) both: bool,
    /// How the namespace matrix looks.
    pub(crate) spaces: Spaces,
    /// Samples a second; more than it does by itself is asked for by hand, or by a measurement.
    pub(crate) hertz: u8,
}

impl Default for Spot {
    fn default() -> Self {
        Spot {
            view: None,
            machine: None,
            group: None,
            periods: PERIODS.1,
            tree: false,
            both: false,
            spaces: Spaces::default(),
            hertz: HERTZ.1,
        }
    }
}

impl Spot {
    /// Reads the fragment of the lab; `None` for any other.
    fn parse(hash: &str) -> Option<Spot> {
        let rest = hash.strip_prefix(LAB).or_else(|| hash.strip_prefix("#lab"))?;
        let (view, query) = rest.split_once('?').unwrap_or((rest, ""));
        let mut spot = Spot { view: name(view.strip_prefix('/').unwrap_or("")), ..Spot::default() };
        if !view.is_empty() && !view.starts_with('/') {
            return None;
        }
        for (key, value) in query.split('&').filter_map(|pair| pair.split_once('=')) {
            match key {
                "m" => spot.machine = name(value),
                // A container has its group's name.
                "g" | "c" => spot.group = name(value),
                "ps" => spot.tree = value == TREE,
                "low" => spot.both = value == BOTH,
                "w" => spot.periods = clamp_periods(value.parse().ok()),
                "hz" => spot.hertz = value.parse().unwrap_or(HERTZ.1).clamp(HERTZ.0, HERTZ.2),
                _ => spot.spaces.take(key, value),
            }
        }
        Some(spot)
    }

    /// The fragment; what is as it would be anyway is left out.
    fn hash(&self) -> String {
        let mut pairs = Vec::new();
        for (key, value) in [("m", &self.machine), ("g", &self.group)] {
            pairs.extend(value.as_ref().map(|value| format!("{key}={value}")));
        }
        if self.periods != PERIODS.1 {
            pairs.push(format!("w={}", self.periods));
        }
        pairs.extend(self.tree.then(|| format!("ps={TREE}")));
        pairs.extend(self.both.then(|| format!("low={BOTH}")));
        pairs.extend(self.spaces.pairs());
        if self.hertz != HERTZ.1 {
            pairs.push(format!("hz={}", self.hertz));
        }
        let view = self.view.as_ref().map_or_else(String::new, |view| format!("/{view}"));
        let mark = if pairs.is_empty() { "" } else { "?" };
        format!("{LAB}{view}{mark}{}", pairs.join("&"))
    }
}

/// A name that could be one of ours: nothing else of a link is ever shown or sent.
fn name(text: &str) -> Option<String> {
    let is_ours = |byte: u8| byte.is_ascii_lowercase() || byte.is_ascii_digit() || byte == b'-';
    let fits = !text.is_empty() && text.len() <= NAME_BYTES && text.bytes().all(is_ours);
    fits.then(|| text.to_owned())
}

/// A number of periods that can be shown.
pub(crate) fn clamp_periods(periods: Option<u32>) -> u32 {
    periods.unwrap_or(PERIODS.1).clamp(PERIODS.0, PERIODS.2)
}

/// Reads a fragment; what is unknown is the start page.
pub(crate) fn parse(hash: &str) -> Fragment {
    if let Some(token) = hash.strip_prefix("#token=") {
        return Fragment::Token(token.into());
    }
    Fragment::Screen(match Spot::parse(hash) {
        Some(_) => Screen::Lab,
        None => Screen::Start,
    })
}

fn hash_now() -> String {
    web_sys::window().and_then(|window| window.location().hash().ok()).unwrap_or_default()
}

/// Where the address says one is in the lab.
pub(crate) fn spot() -> Spot {
    Spot::parse(&hash_now()).unwrap_or_default()
}

/// Says in the address where one is, with no new step in the history. Not outside the lab.
pub(crate) fn keep(change: impl FnOnce(&mut Spot)) {
    let now = hash_now();
    let Some(mut spot) = Spot::parse(&now) else { return };
    change(&mut spot);
    let hash = spot.hash();
    if hash != now
        && let Some(history) = web_sys::window().and_then(|window| window.history().ok())
    {
        // A browser that thinks it too often leaves the address as it was.
        let null = wasm_bindgen::JsValue::NULL;
        let _ = history.replace_state_with_url(&null, "", Some(&hash));
    }
}

/// The fragment now.
pub(crate) fn current() -> Fragment {
    parse(&hash_now())
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
        assert_eq!(parse("#/lab/cpu?g=c1"), Fragment::Screen(Screen::Lab));
        assert_eq!(parse("#lab/cpu"), Fragment::Screen(Screen::Lab));
        assert_eq!(parse("#/nonsense"), Fragment::Screen(Screen::Start));
        assert_eq!(parse("#/labyrinth"), Fragment::Screen(Screen::Start));
    }

    #[test]
    fn a_link_says_view_selection_and_window_and_is_found_again() {
        let spot = Spot::parse("#/lab/cpu?m=9a4e1d3a6f0b&g=c1&w=15").unwrap();
        assert_eq!(spot.view.as_deref(), Some("cpu"));
        assert_eq!(spot.machine.as_deref(), Some("9a4e1d3a6f0b"));
        assert_eq!((spot.group.as_deref(), spot.periods), (Some("c1"), 15));
        assert_eq!(spot.hash(), "#/lab/cpu?m=9a4e1d3a6f0b&g=c1&w=15");
        assert_eq!(Spot::parse(&spot.hash()), Some(spot));
        assert_eq!(Spot::default().hash(), LAB);
        assert_eq!(Spot::parse("#/lab?hz=10").unwrap().hash(), "#/lab?hz=10");
    }

    #[test]
    fn a_link_says_how_two_eyes_look() {
        let spot = Spot::parse("#/lab?g=c1&ps=tree&low=both").unwrap();
        assert!(spot.tree && spot.both);
        assert_eq!(spot.hash(), "#/lab?g=c1&ps=tree&low=both");
        for flat in ["ps=", "ps=Tree", "ps=treetree", "low=1", "low=both%20"] {
            let spot = Spot::parse(&format!("#/lab?{flat}")).unwrap();
            assert_eq!(spot, Spot::default(), "{flat}");
        }
    }

    #[test]
    fn what_a_stranger_puts_into_a_link_is_clamped_or_passed_over() {
        for (hash, w) in
            [("w=0", 5), ("w=99999", 20), ("w=-1", 10), ("w=99999999999", 10), ("w=", 10)]
        {
            assert_eq!(Spot::parse(&format!("#/lab/cpu?{hash}")).unwrap().periods, w, "{hash}");
        }
        for (hash, hertz) in [("hz=0", 1), ("hz=200", 10), ("hz=256", 4), ("hz=x", 4)] {
            assert_eq!(Spot::parse(&format!("#/lab?{hash}")).unwrap().hertz, hertz, "{hash}");
        }
        let long = "x".repeat(41);
        for bad in ["<script>", "../..", "C1", "%63", "a b", long.as_str(), ""] {
            let spot = Spot::parse(&format!("#/lab/{bad}?g={bad}&m={bad}&unknown=1&&=&x")).unwrap();
            assert_eq!(spot, Spot::default(), "{bad}");
        }
    }
}
