//! Words into arguments: variables, output of commands, arithmetic, names of files.
//!
//! POSIX.1-2024, *Shell Command Language*, §2.6, in that order.

use super::super::kernel::Kind;
use super::arithmetic;
use super::run::Shell;
use super::syntax::{Part, Word};

/// Bytes of a word, and of all arguments of a command together, at most.
const WORD_MAX: usize = 1 << 18;
const ARGUMENTS_MAX: usize = 1 << 21;

/// A piece of a field: what was quoted is no pattern.
#[derive(Clone, Debug)]
struct Piece {
    text: String,
    quoted: bool,
}

impl Shell {
    /// Words as the arguments they stand for: each may become none, one or several.
    pub(super) async fn arguments(&mut self, words: &[Word]) -> Result<Vec<String>, String> {
        let mut arguments = Vec::new();
        for word in words {
            for field in self.fields(word).await? {
                self.names(&field, &mut arguments);
            }
            if arguments.iter().map(String::len).sum::<usize>() > ARGUMENTS_MAX {
                return Err("Argument list too long".into());
            }
        }
        Ok(arguments)
    }

    /// A word as one text: what stands behind `=` and `>`.
    pub(super) async fn text(&mut self, word: &Word) -> Result<String, String> {
        let mut text = String::new();
        for part in &word.0 {
            text += &self.value(part).await?;
            if text.len() > WORD_MAX {
                return Err("the simulator's shell has no words that are so long".into());
            }
        }
        Ok(text)
    }

    /// The fields of a word. Only what was replaced outside quotes is split at blanks.
    async fn fields(&mut self, word: &Word) -> Result<Vec<Vec<Piece>>, String> {
        let mut fields: Vec<Vec<Piece>> = Vec::new();
        let mut open = false;
        for part in &word.0 {
            if let Part::Variable { name, quoted: true } = part
                && name == "@"
            {
                for (at, argument) in self.args.clone().into_iter().enumerate() {
                    push(&mut fields, open && at == 0, Piece { text: argument, quoted: true });
                    open = true;
                }
                continue;
            }
            let text = self.value(part).await?;
            let split = matches!(
                part,
                Part::Variable { quoted: false, .. } | Part::Output { quoted: false, .. }
            );
            if !split {
                let quoted = !matches!(part, Part::Text(_));
                push(&mut fields, open, Piece { text, quoted });
                open = true;
                continue;
            }
            if text.starts_with(char::is_whitespace) {
                open = false;
            }
            for (at, field) in text.split_whitespace().enumerate() {
                push(&mut fields, open && at == 0, Piece { text: field.into(), quoted: false });
                open = true;
            }
            if text.ends_with(char::is_whitespace) {
                open = false;
            }
        }
        Ok(fields)
    }

    async fn value(&mut self, part: &Part) -> Result<String, String> {
        Ok(match part {
            Part::Text(text) | Part::Quoted(text) => text.clone(),
            Part::Home => self.variable("HOME").unwrap_or_else(|| "/".into()),
            Part::Variable { name, .. } => self.variable(name).unwrap_or_default(),
            Part::Output { list, .. } => {
                let mut output = self.output_of(list).await?;
                output.truncate(output.trim_end_matches('\n').len());
                output
            }
            Part::Arithmetic(expression) => {
                let variable = |name: &str| self.variable(name).unwrap_or_default();
                arithmetic::evaluate(expression, &variable)?.to_string()
            }
        })
    }

    /// The names of files that a field matches, or itself.
    fn names(&self, field: &[Piece], arguments: &mut Vec<String>) {
        let text: String = field.iter().map(|piece| piece.text.as_str()).collect();
        let wild = |piece: &Piece| !piece.quoted && piece.text.contains(['*', '?', '[']);
        if !field.iter().any(wild) {
            arguments.push(text);
            return;
        }
        let mut found = vec![if text.starts_with('/') { "/".to_owned() } else { String::new() }];
        for name in text.split('/').filter(|name| !name.is_empty()) {
            found = found.into_iter().flat_map(|above| self.matching(&above, name)).collect();
        }
        if found.is_empty() {
            arguments.push(text);
        } else {
            arguments.extend(found);
        }
    }

    fn matching(&self, above: &str, pattern: &str) -> Vec<String> {
        let join = |name: &str| match above {
            "" => name.to_owned(),
            above if above.ends_with('/') => format!("{above}{name}"),
            above => format!("{above}/{name}"),
        };
        let dir = if above.is_empty() { "." } else { above };
        let entries = self.world.look(|kernel| kernel.list(self.proc, dir)).unwrap_or_default();
        let hidden = |name: &str| name.starts_with('.') && !pattern.starts_with('.');
        entries
            .into_iter()
            .filter(|entry| entry.kind != Kind::Link || !entry.name.is_empty())
            .filter(|entry| !hidden(&entry.name) && matches(pattern, &entry.name))
            .map(|entry| join(&entry.name))
            .collect()
    }
}

fn push(fields: &mut Vec<Vec<Piece>>, open: bool, piece: Piece) {
    match fields.last_mut() {
        Some(last) if open => last.push(piece),
        _ => fields.push(vec![piece]),
    }
}

/// Does a name match a pattern of `*`, `?` and `[…]`?
pub(super) fn matches(pattern: &str, name: &str) -> bool {
    let (pattern, name): (Vec<char>, Vec<char>) =
        (pattern.chars().collect(), name.chars().collect());
    // Where the last star was, and how much of the name it has taken.
    let (mut p, mut n, mut star) = (0, 0, None);
    while n < name.len() {
        if pattern.get(p) == Some(&'*') {
            star = Some((p, n));
            p += 1;
        } else if let Some(length) = one(&pattern[p.min(pattern.len())..], name[n]) {
            p += length;
            n += 1;
        } else {
            let Some((at, taken)) = star else { return false };
            star = Some((at, taken + 1));
            p = at + 1;
            n = taken + 1;
        }
    }
    pattern[p..].iter().all(|c| *c == '*')
}

/// How long the piece of a pattern is that stands for a character, if it begins with one that does.
fn one(pattern: &[char], c: char) -> Option<usize> {
    match pattern.first()? {
        '?' => Some(1),
        '[' => match set(pattern, c) {
            Some((length, fits)) => fits.then_some(length),
            // Nothing closes it: it is itself.
            None => (c == '[').then_some(1),
        },
        own => (*own == c).then_some(1),
    }
}

/// `[a-c!]`: how long it is, and whether a character is in it.
fn set(pattern: &[char], c: char) -> Option<(usize, bool)> {
    let not = matches!(pattern.get(1), Some('!' | '^'));
    let first = 1 + usize::from(not);
    let end = (first + 1..pattern.len()).find(|at| pattern[*at] == ']')?;
    let (mut at, mut found) = (first, false);
    while at < end {
        let is_range = at + 2 < end && pattern[at + 1] == '-';
        let to = if is_range { pattern[at + 2] } else { pattern[at] };
        found |= (pattern[at]..=to).contains(&c);
        at += if is_range { 3 } else { 1 };
    }
    Some((end + 1, found != not))
}

#[cfg(test)]
mod tests {
    use super::matches;

    #[test]
    fn patterns_of_names() {
        for (pattern, name, fits) in [
            ("*", "any", true),
            ("a*c", "abbc", true),
            ("a*c", "abcd", false),
            ("[0-9]*", "12", true),
            ("[0-9]*", "a1", false),
            ("[!a]?", "bc", true),
            ("[!a]?", "ab", false),
            ("[]x]", "]", true),
            ("[a", "[a", true),
            ("[a-]", "-", true),
            ("", "", true),
            ("", "a", false),
        ] {
            assert_eq!(matches(pattern, name), fits, "{pattern} {name}");
        }
    }
}
