//! Patterns of `grep`: basic and extended regular expressions, without `{ }` and back-references.
//!
//! Every place a pattern can be at is followed at the same time (Thompson, 1968): no text takes longer
//! than its length times the pattern's.

/// The longest pattern, and brackets in brackets.
const LENGTH_MAX: usize = 512;
const DEPTH_MAX: usize = 16;

#[derive(Clone, Debug, PartialEq, Eq)]
enum Step {
    Char(char),
    Any,
    /// One of these ranges, or none of them.
    Set {
        ranges: Vec<(char, char)>,
        not: bool,
    },
    Start,
    End,
    /// Goes on at both.
    Split(usize, usize),
    Jump(usize),
    Match,
}

/// A pattern that can be looked for.
#[derive(Clone, Debug)]
pub(super) struct Pattern {
    steps: Vec<Step>,
    fold: bool,
}

/// Reads the text of a pattern.
struct Reader {
    chars: Vec<char>,
    at: usize,
    extended: bool,
    depth: usize,
    steps: Vec<Step>,
}

impl Pattern {
    /// `None` for one that is none, or too long.
    pub(super) fn new(text: &str, extended: bool, fold: bool) -> Option<Self> {
        let text = if fold { text.to_lowercase() } else { text.to_owned() };
        let chars: Vec<char> = text.chars().collect();
        if chars.len() > LENGTH_MAX {
            return None;
        }
        let mut reader = Reader { chars, at: 0, extended, depth: 0, steps: Vec::new() };
        reader.either()?;
        if reader.at < reader.chars.len() {
            return None;
        }
        reader.steps.push(Step::Match);
        Some(Pattern { steps: reader.steps, fold })
    }

    /// Where it is in a line first, as long as it can be there: in characters.
    pub(super) fn find(&self, line: &str, from: usize) -> Option<(usize, usize)> {
        let line = if self.fold { line.to_lowercase() } else { line.to_owned() };
        let chars: Vec<char> = line.chars().collect();
        (from..=chars.len()).find_map(|at| Some((at, self.end_from(&chars, at)?)))
    }

    /// Is it anywhere in a line, or the whole line?
    pub(super) fn is_in(&self, line: &str, whole: bool) -> bool {
        let line = if self.fold { line.to_lowercase() } else { line.to_owned() };
        let chars: Vec<char> = line.chars().collect();
        if whole {
            return self.ends(&chars, &[0], false).contains(&chars.len());
        }
        !self.ends(&chars, &(0..=chars.len()).collect::<Vec<_>>(), true).is_empty()
    }

    fn end_from(&self, chars: &[char], at: usize) -> Option<usize> {
        self.ends(chars, &[at], false).last().copied()
    }

    /// Where matches end that begin at one of some places; only the first end if that is enough.
    fn ends(&self, chars: &[char], begins: &[usize], first: bool) -> Vec<usize> {
        let (mut ends, mut now) = (Vec::new(), Vec::new());
        let from = begins.first().copied().unwrap_or(0);
        for at in from..=chars.len() {
            if begins.binary_search(&at).is_ok() {
                self.follow(0, at, chars.len(), &mut now);
            }
            if now.iter().any(|step| self.steps[*step] == Step::Match) {
                ends.push(at);
                if first {
                    return ends;
                }
            }
            let Some(c) = chars.get(at) else { break };
            let mut next = Vec::new();
            for step in &now {
                if self.steps[*step].takes(*c) {
                    self.follow(step + 1, at + 1, chars.len(), &mut next);
                }
            }
            now = next;
            if now.is_empty() && begins.last().is_none_or(|last| *last <= at) {
                break;
            }
        }
        ends
    }

    /// All steps that can be reached from one without taking a character.
    fn follow(&self, step: usize, at: usize, length: usize, all: &mut Vec<usize>) {
        let mut open = vec![step];
        while let Some(step) = open.pop() {
            if all.contains(&step) {
                continue;
            }
            all.push(step);
            match self.steps[step] {
                Step::Jump(to) => open.push(to),
                Step::Split(one, other) => open.extend([one, other]),
                Step::Start if at == 0 => open.push(step + 1),
                Step::End if at == length => open.push(step + 1),
                _ => {}
            }
        }
    }
}

impl Step {
    fn takes(&self, c: char) -> bool {
        match self {
            Step::Char(own) => *own == c,
            Step::Any => true,
            Step::Set { ranges, not } => {
                ranges.iter().any(|(from, to)| (*from..=*to).contains(&c)) != *not
            }
            _ => false,
        }
    }
}

impl Reader {
    fn peek(&self, ahead: usize) -> Option<char> {
        self.chars.get(self.at + ahead).copied()
    }

    /// Does a sign stand here that means something: with a backslash before it in basic patterns?
    fn sign(&mut self, sign: char) -> bool {
        let length = match (self.extended, self.peek(0), self.peek(1)) {
            (true, Some(c), _) if c == sign => 1,
            (false, Some('\\'), Some(c)) if c == sign => 2,
            _ => return false,
        };
        self.at += length;
        true
    }

    /// Pieces, with `|` between them.
    fn either(&mut self) -> Option<()> {
        self.depth += 1;
        if self.depth > DEPTH_MAX {
            return None;
        }
        let begin = self.steps.len();
        let mut ends = Vec::new();
        self.pieces()?;
        while self.sign('|') {
            // What was read goes one step back, behind a choice of it or what follows.
            shift(&mut self.steps, begin);
            ends.push(self.steps.len());
            self.steps.push(Step::Jump(0));
            self.steps[begin] = Step::Split(begin + 1, self.steps.len());
            ends.iter_mut().rev().skip(1).for_each(|end| *end += 1);
            self.pieces()?;
        }
        let after = self.steps.len();
        ends.into_iter().for_each(|end| self.steps[end] = Step::Jump(after));
        self.depth -= 1;
        Some(())
    }

    fn pieces(&mut self) -> Option<()> {
        let first = self.at;
        while let Some(c) = self.peek(0) {
            let escaped = self.peek(1).filter(|_| c == '\\');
            let ends = |c: Option<char>| c == Some('|') || c == Some(')') && self.depth > 1;
            if ends(if self.extended { Some(c) } else { escaped }) {
                break;
            }
            let begin = self.steps.len();
            self.one(c, self.at == first)?;
            self.repeated(begin);
        }
        Some(())
    }

    fn one(&mut self, c: char, is_first: bool) -> Option<()> {
        if self.sign('(') {
            self.either()?;
            return self.sign(')').then_some(());
        }
        self.at += 1;
        let step = match c {
            '.' => Step::Any,
            '[' => self.set()?,
            '^' if self.extended || is_first => Step::Start,
            '$' if self.extended || self.at == self.chars.len() => Step::End,
            '\\' => {
                let c = self.peek(0)?;
                self.at += 1;
                Step::Char(c)
            }
            '*' if is_first => Step::Char('*'),
            c => Step::Char(c),
        };
        self.steps.push(step);
        Some(())
    }

    fn repeated(&mut self, begin: usize) {
        loop {
            let star = self.peek(0) == Some('*');
            if star {
                self.at += 1;
            }
            if star || self.sign('+') {
                let end = self.steps.len();
                self.steps.push(Step::Split(begin, end + 1));
                if star {
                    shift(&mut self.steps, begin);
                    self.steps[begin] = Step::Split(begin + 1, self.steps.len());
                }
            } else if self.sign('?') {
                shift(&mut self.steps, begin);
                self.steps[begin] = Step::Split(begin + 1, self.steps.len());
            } else {
                return;
            }
        }
    }

    fn set(&mut self) -> Option<Step> {
        let not = self.peek(0) == Some('^');
        self.at += usize::from(not);
        let (mut ranges, first) = (Vec::new(), self.at);
        loop {
            let from = self.peek(0)?;
            self.at += 1;
            if from == ']' && self.at > first + 1 {
                return Some(Step::Set { ranges, not });
            }
            let is_range = self.peek(0) == Some('-') && self.peek(1).is_some_and(|c| c != ']');
            let to = if is_range { self.peek(1)? } else { from };
            self.at += if is_range { 2 } else { 0 };
            ranges.push((from, to));
        }
    }
}

/// Makes room for one step; what pointed behind it is moved.
fn shift(steps: &mut Vec<Step>, begin: usize) {
    for step in &mut steps[begin..] {
        match step {
            Step::Jump(to) => *to += 1,
            Step::Split(one, other) => (*one, *other) = (*one + 1, *other + 1),
            _ => {}
        }
    }
    steps.insert(begin, Step::Match);
}

#[cfg(test)]
mod tests {
    use super::Pattern;

    #[track_caller]
    fn finds(pattern: &str, line: &str, at: Option<(usize, usize)>) {
        let pattern = Pattern::new(pattern, true, false).unwrap();
        assert_eq!(pattern.find(line, 0), at);
        assert_eq!(pattern.is_in(line, false), at.is_some());
    }

    #[test]
    fn extended() {
        finds("b+", "abbc", Some((1, 3)));
        finds("^(Name|State):", "State: S", Some((0, 6)));
        finds("^(a|bc|d)*$", "abcdd", Some((0, 5)));
        finds("x?y", "ay", Some((1, 2)));
        finds("[0-9]+$", "a12", Some((1, 3)));
        finds("[^0-9]", "12", None);
        finds("a.c", "abd", None);
        finds("(ab)+c", "zababc", Some((1, 6)));
        finds("", "any", Some((0, 0)));
        finds("\\[.\\]", "x[1]", Some((1, 4)));
        finds("a|b|c|d", "d", Some((0, 1)));
    }

    #[test]
    fn basic() {
        let is = |pattern: &str, line: &str, whole| {
            Pattern::new(pattern, false, false).unwrap().is_in(line, whole)
        };
        assert!(is("a+", "a+", true) && !is("a+", "aa", true));
        assert!(is("*a", "x*a", false) && is("a*", "aaa", true) && is("a\\|b", "b", true));
        assert!(is("\\(ab\\)*", "abab", true) && is("^a$", "a", false) && is("a^b", "a^b", true));
        assert!(
            Pattern::new("(", true, false).is_none() && Pattern::new("[a", true, false).is_none()
        );
        assert!(Pattern::new("AB", false, true).unwrap().is_in("xabx", false));
    }

    #[test]
    fn what_is_slow_elsewhere_is_not_slow() {
        let pattern = Pattern::new("(a*)*(a*)*b", true, false).unwrap();
        assert!(!pattern.is_in(&"a".repeat(10_000), false));
        assert!(Pattern::new(&"(".repeat(600), true, false).is_none());
    }
}
