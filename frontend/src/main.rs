//! The page. In reading order:
//!
//! 1. [`route`], [`early`], [`session`], [`socket`]: how it gets to the server; [`sim`]: to one that is
//!    simulated in the page
//! 2. [`state`], [`place`], [`history`], [`readings`], [`host`],
//!    [`kinds`]: everything it knows, a fold over what
//!    was heard
//! 3. [`eyes`], [`both`], [`matrix`], [`rosetta`], [`truth`], [`leaks`], [`chart`], [`play`]: what the pictures show, and where their lines go
//! 4. [`text`], [`mod@format`], [`prefs`], [`command_line`]: words, numbers, choices
//! 5. [`app`], [`ui`], [`kept`], [`roving`], [`components`], [`xterm`]: what is seen
//! 6. [`lens`]: what of it is loaded later, and how a view is added
//!
//! **Invariant:** `state` does not render, components do not decide.

// Allowed once, for what the macro of a split point declares.
#![deny(unsafe_code)]

mod app;
mod birth;
mod both;
mod chart;
mod clipboard;
mod close;
mod command_line;
mod components;
mod draw;
mod early;
mod eyes;
mod feed;
#[cfg(test)]
mod fixture;
mod format;
mod groups;
mod history;
mod host;
mod kept;
mod kinds;
mod leaks;
mod lens;
mod log;
mod matrix;
mod place;
mod play;
mod prefs;
mod readings;
mod rosetta;
mod route;
mod roving;
mod session;
mod sim;
mod socket;
mod state;
mod tap;
mod text;
mod truth;
mod ui;
mod uses;
mod xterm;

fn main() {
    app::mount();
}
