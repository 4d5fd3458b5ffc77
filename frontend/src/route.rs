//! Which screen the address asks for. There is no router: two screens and a token.

mod spaces;

pub(crate) use spaces::{Choice, Spaces};
use vitrine_shared::cgroup::Dialect;

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
/// The key that asks for a simulated server.
const SIM: &str = "sim";
/// Two eyes as a tree, and what stands below them.
const TREE: &str = "tree";
const BOTH: &str = "both";
/// No birth has more steps.
const MOST_FRAMES: usize = 99;
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
    /// Whose birth is looked at: `machine`, `c1`, `try-7`.
    pub(crate) birth: Option<String>,
    /// After which of its steps, from 1; the last when it is not said.
    pub(crate) frame: Option<usize>,
    /// Is the server simulated, and in which dialect do its groups speak?
    pub(crate) sim: Option<Dialect>,
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
            sim: None,
            birth: None,
            frame: None,
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
                "b" => spot.birth = name(value),
                "f" => {
                    spot.frame =
                        value.parse().ok().filter(|frame| (1..=MOST_FRAMES).contains(frame))
                }
                "w" => spot.periods = clamp_periods(value.parse().ok()),
                SIM => spot.sim = dialect(value),
                "hz" => spot.hertz = value.parse().unwrap_or(HERTZ.1).clamp(HERTZ.0, HERTZ.2),
                _ => spot.spaces.take(key, value),
            }
        }
        Some(spot)
    }

    /// The fragment; what is as it would be anyway is left out.
    fn hash(&self) -> String {
        let mut pairs = Vec::new();
        let names = [("m", &self.machine), ("g", &self.group), ("b", &self.birth)];
        for (key, value) in names {
            pairs.extend(value.as_ref().map(|value| format!("{key}={value}")));
        }
        pairs.extend(self.frame.map(|frame| format!("f={frame}")));
        if self.periods != PERIODS.1 {
            pairs.push(format!("w={}", self.periods));
        }
        pairs.extend(self.tree.then(|| format!("ps={TREE}")));
        pairs.extend(self.both.then(|| format!("low={BOTH}")));
        pairs.extend(self.spaces.pairs());
        pairs.extend(self.sim.map(sim_pair));
        if self.hertz != HERTZ.1 {
            pairs.push(format!("hz={}", self.hertz));
        }
        let view = self.view.as_ref().map_or_else(String::new, |view| format!("/{view}"));
        let mark = if pairs.is_empty() { "" } else { "?" };
        format!("{LAB}{view}{mark}{}", pairs.join("&"))
    }
}

/// The dialect of a simulated server; one that is not known is no reason to talk to a real one.
fn dialect(value: &str) -> Option<Dialect> {
    Some(if value == "v2" { Dialect::V2 } else { Dialect::V1 })
}

fn sim_pair(dialect: Dialect) -> String {
    let value = match dialect {
        Dialect::V1 => "v1",
        Dialect::V2 => "v2",
    };
    format!("{SIM}={value}")
}

/// Does the fragment of any screen ask for a simulated server?
fn parse_sim(hash: &str) -> Option<Dialect> {
    let (_, query) = hash.split_once('?')?;
    let value = query.split('&').find_map(|pair| pair.strip_prefix(SIM)?.strip_prefix('='))?;
    dialect(value)
}

/// Does the address ask for a simulated server?
pub(crate) fn sim() -> Option<Dialect> {
    parse_sim(&hash_now())
}

/// The fragment of a screen, with the server that one is at.
pub(crate) fn link(screen: Screen, sim: Option<Dialect>) -> String {
    let path = match screen {
        Screen::Start => "#/",
        Screen::Lab => LAB,
    };
    match sim {
        Some(dialect) => format!("{path}?{}", sim_pair(dialect)),
        None => path.into(),
    }
}

/// The fragment of the same view at another server: what is there is called otherwise.
pub(crate) fn link_at(sim: Option<Dialect>) -> String {
    match Spot::parse(&hash_now()) {
        None => link(Screen::Start, sim),
        Some(spot) => {
            let other = Spot { sim, machine: None, group: None, birth: None, frame: None, ..spot };
            other.hash()
        }
    }
}

/// Goes to a fragment of our own, with a step in the history.
pub(crate) fn follow(hash: &str) {
    if let Some(window) = web_sys::window() {
        // A fragment of our own is always a valid one.
        let _ = window.location().set_hash(hash);
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

/// Goes to another place in the lab, with a step in the history.
pub(crate) fn to_spot(change: impl FnOnce(&mut Spot)) {
    let mut spot = spot();
    change(&mut spot);
    follow(&spot.hash());
}

/// The fragment now.
pub(crate) fn current() -> Fragment {
    parse(&hash_now())
}

/// Goes to a screen; the browser's back button works.
pub(crate) fn go(screen: Screen) {
    follow(&link(screen, sim()));
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
        let birth = Spot::parse("#/lab/birth?m=9a4e1d3a6f0b&b=try-7&f=12").unwrap();
        assert_eq!((birth.birth.as_deref(), birth.frame), (Some("try-7"), Some(12)));
        assert_eq!(birth.hash(), "#/lab/birth?m=9a4e1d3a6f0b&b=try-7&f=12");
        assert_eq!(Spot::parse("#/lab?hz=10").unwrap().hash(), "#/lab?hz=10");
    }

    #[test]
    fn a_link_says_that_the_server_is_simulated() {
        assert_eq!(parse_sim("#/?sim=v1"), Some(Dialect::V1));
        assert_eq!(parse_sim("#/lab/cpu?g=c1&sim=v2"), Some(Dialect::V2));
        assert_eq!(parse_sim("#/lab?sim="), Some(Dialect::V1));
        for live in ["", "#/", "#/lab", "#/lab?similar=v1", "#token=sim=v1"] {
            assert_eq!(parse_sim(live), None, "{live}");
        }
        assert_eq!(parse("#/?sim=v1"), Fragment::Screen(Screen::Start));
        let spot = Spot::parse("#/lab/cpu?g=c1&sim=v1").unwrap();
        assert_eq!((spot.sim, spot.hash().as_str()), (Some(Dialect::V1), "#/lab/cpu?g=c1&sim=v1"));
        assert_eq!(link(Screen::Lab, Some(Dialect::V2)), "#/lab?sim=v2");
        assert_eq!(link(Screen::Start, None), "#/");
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
        for bad in ["0", "100", "-1", "x", "", "99999999999999999999"] {
            assert_eq!(Spot::parse(&format!("#/lab/birth?f={bad}")).unwrap().frame, None, "{bad}");
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
