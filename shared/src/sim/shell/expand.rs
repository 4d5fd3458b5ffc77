//! Words into arguments: variables, output of commands, arithmetic, names of files.
//!
//! POSIX.1-2024, *Shell Command Language*, §2.6, in that order.

use super::super::kernel::Kind;
use super::arithmetic;
use super::run::Shell;
use super::syntax::{Part, Word};

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
        }
        Ok(arguments)
    }

    /// A word as one text: what stands behind `=` and `>`.
    pub(super) async fn text(&mut self, word: &Word) -> Result<String, String> {
        let mut text = String::new();
        for part in &word.0 {
            text += &self.value(part).await?;
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
        let wild = |piece: &Piece| !piece.quoted && piece.text.contains(['*', '?']);
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

/// Does a name match a pattern of `*` and `?`?
pub(super) fn matches(pattern: &str, name: &str) -> bool {
    let (pattern, name): (Vec<char>, Vec<char>) =
        (pattern.chars().collect(), name.chars().collect());
    // Where the last star was, and how much of the name it has taken.
    let (mut p, mut n, mut star) = (0, 0, None);
    while n < name.len() {
        match pattern.get(p) {
            Some('*') => {
                star = Some((p, n));
                p += 1;
            }
            Some(c) if *c == '?' || *c == name[n] => {
                p += 1;
                n += 1;
            }
            _ => match star {
                None => return false,
                Some((at, taken)) => {
                    star = Some((at, taken + 1));
                    p = at + 1;
                    n = taken + 1;
                }
            },
        }
    }
    pattern[p..].iter().all(|c| *c == '*')
}
