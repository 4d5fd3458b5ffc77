//! What one line printed in two places: which lines only one of them has, and what was typed before.

use std::collections::BTreeMap;

/// Lines of one output that are shown; a page of thousands helps nobody.
pub(crate) const SHOWN: usize = 300;
/// Lines that are kept for the arrow keys.
const KEPT: usize = 50;

/// A line of an output.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Line {
    /// What stands in it; characters that are not to be seen replaced.
    pub(crate) text: String,
    /// The other place does not print it.
    pub(crate) only: bool,
}

/// The lines of `mine`, marked where `other` does not have them; the order does not count.
pub(crate) fn marked(mine: &str, other: &str) -> Vec<Line> {
    let mut left: BTreeMap<&str, usize> = BTreeMap::new();
    for line in other.lines() {
        *left.entry(line).or_default() += 1;
    }
    let line = |line: &str| {
        let only = match left.get_mut(line) {
            Some(count) if *count > 0 => {
                *count -= 1;
                false
            }
            _ => true,
        };
        Line { text: printable(line), only }
    };
    mine.lines().map(line).collect()
}

/// Without characters that move, hide or turn around what stands beside them.
fn printable(line: &str) -> String {
    let turns = |c: char| matches!(c, '\u{200e}'..='\u{200f}' | '\u{202a}'..='\u{202e}' | '\u{2066}'..='\u{2069}');
    let seen = |c: char| if (c.is_control() && c != '\t') || turns(c) { '\u{fffd}' } else { c };
    line.chars().map(seen).collect()
}

/// What was typed before, for the arrow keys.
#[derive(Clone, Debug, Default)]
pub(crate) struct Typed {
    lines: Vec<String>,
    /// How far back one is.
    back: usize,
}

impl Typed {
    /// Keeps a line that was run.
    pub(crate) fn keep(&mut self, line: &str) {
        self.back = 0;
        if self.lines.last().is_none_or(|last| last != line) {
            self.lines.push(line.into());
        }
        if self.lines.len() > KEPT {
            self.lines.remove(0);
        }
    }

    /// The one before; `None` where there is none.
    pub(crate) fn before(&mut self) -> Option<&str> {
        if self.back == self.lines.len() {
            return None;
        }
        self.back += 1;
        self.at()
    }

    /// The one after; after the last, an empty one.
    pub(crate) fn after(&mut self) -> Option<&str> {
        self.back = self.back.checked_sub(1)?;
        Some(self.at().unwrap_or_default())
    }

    fn at(&self) -> Option<&str> {
        let at = self.lines.len().checked_sub(self.back)?;
        self.lines.get(at).map(String::as_str)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn only(mine: &str, other: &str) -> Vec<bool> {
        marked(mine, other).iter().map(|line| line.only).collect()
    }

    #[test]
    fn a_line_is_marked_where_the_other_does_not_have_it_as_often() {
        assert_eq!(only("a\nb\n", "b\na\n"), [false, false]);
        assert_eq!(only("a\na\nc", "a\nb"), [false, true, true]);
        assert_eq!(only("a", ""), [true]);
        assert!(only("", "a").is_empty());
    }

    #[test]
    fn no_character_turns_or_moves_the_others() {
        let lines = marked("a\tb\u{1b}[2J\u{202e}x\r\n", "");
        assert_eq!(lines[0].text, "a\tb\u{fffd}[2J\u{fffd}x");
    }

    #[test]
    fn arrow_keys_go_back_and_forth() {
        let mut typed = Typed::default();
        assert_eq!(typed.before(), None);
        assert_eq!(typed.after(), None);
        for line in ["ps", "id", "id"] {
            typed.keep(line);
        }
        assert_eq!(typed.before(), Some("id"));
        assert_eq!(typed.before(), Some("ps"));
        assert_eq!(typed.before(), None);
        assert_eq!(typed.after(), Some("id"));
        assert_eq!(typed.after(), Some(""));
        assert_eq!(typed.after(), None);
        for number in 0..2 * KEPT {
            typed.keep(&number.to_string());
        }
        assert_eq!(typed.lines.len(), KEPT);
    }
}
