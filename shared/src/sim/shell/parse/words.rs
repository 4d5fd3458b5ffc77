//! Words and what is in them: quotes, variables, output of commands, arithmetic.

use super::super::syntax::{Part, Word};
use super::{Bad, Parser, is_operator};

impl Parser<'_> {
    /// A word, if one begins here.
    pub(super) fn word(&mut self) -> Result<Option<Word>, Bad> {
        let mut parts = Vec::new();
        let mut plain = String::new();
        let begin = self.at;
        if self.peek() == Some('~')
            && self.rest()[1..]
                .chars()
                .next()
                .is_none_or(|c| c == '/' || c.is_whitespace() || is_operator(c))
        {
            self.at += 1;
            parts.push(Part::Home);
        }
        while let Some(c) = self.peek() {
            if c.is_whitespace() || is_operator(c) {
                break;
            }
            let part = match c {
                '\'' => self.single_quoted()?,
                '"' => {
                    flush(&mut plain, &mut parts);
                    self.at += 1;
                    self.double_quoted(&mut parts)?;
                    continue;
                }
                '$' => self.dollar(false)?,
                '`' => return Err(Bad::NotHere("backquotes; write $( )")),
                '\\' => {
                    self.at += 1;
                    match self.next() {
                        None => return Err(Bad::Unfinished(None)),
                        Some('\n') => continue,
                        Some(c) => Part::Quoted(c.into()),
                    }
                }
                c => {
                    plain.push(c);
                    self.at += c.len_utf8();
                    continue;
                }
            };
            flush(&mut plain, &mut parts);
            parts.push(part);
        }
        flush(&mut plain, &mut parts);
        Ok((self.at > begin).then_some(Word(parts)))
    }

    fn single_quoted(&mut self) -> Result<Part, Bad> {
        self.at += 1;
        let end = self.rest().find('\'').ok_or(Bad::OpenQuote)?;
        let text = self.rest()[..end].to_owned();
        self.at += end + 1;
        Ok(Part::Quoted(text))
    }

    fn double_quoted(&mut self, parts: &mut Vec<Part>) -> Result<(), Bad> {
        let mut text = String::new();
        loop {
            match self.peek().ok_or(Bad::OpenQuote)? {
                '"' => {
                    self.at += 1;
                    // Also an empty one makes a word.
                    parts.push(Part::Quoted(text));
                    return Ok(());
                }
                '$' => {
                    parts.push(Part::Quoted(std::mem::take(&mut text)));
                    parts.push(self.dollar(true)?);
                }
                '`' => return Err(Bad::NotHere("backquotes; write $( )")),
                '\\' => {
                    self.at += 1;
                    match self.next().ok_or(Bad::OpenQuote)? {
                        '\n' => {}
                        c @ ('$' | '`' | '"' | '\\') => text.push(c),
                        c => text.extend(['\\', c]),
                    }
                }
                c => {
                    text.push(c);
                    self.at += c.len_utf8();
                }
            }
        }
    }

    /// What `$` begins; a `$` with nothing behind it is itself.
    fn dollar(&mut self, quoted: bool) -> Result<Part, Bad> {
        self.at += 1;
        if self.eat("((") {
            let end = self.rest().find("))").ok_or(Bad::Unfinished(Some("))")))?;
            let expression = self.rest()[..end].to_owned();
            self.at += end + 2;
            return Ok(Part::Arithmetic(expression));
        }
        if self.eat("(") {
            let list = self.list()?;
            return if self.eat(")") {
                Ok(Part::Output { list, quoted })
            } else {
                Err(self.unexpected(Some(")")))
            };
        }
        if self.eat("{") {
            let end = self.rest().find('}').ok_or(Bad::Unfinished(Some("}")))?;
            let name = self.rest()[..end].to_owned();
            let plain = name.chars().all(|c| c == '_' || c.is_ascii_alphanumeric());
            if name.is_empty() || !plain {
                return Err(Bad::NotHere("${ } with more than a name in it"));
            }
            self.at += end + 1;
            return Ok(Part::Variable { name, quoted });
        }
        if let Some(name) = self.name() {
            return Ok(Part::Variable { name, quoted });
        }
        match self.peek() {
            Some(c @ ('$' | '!' | '?' | '#' | '@' | '*' | '0'..='9')) => {
                self.at += 1;
                Ok(Part::Variable { name: c.into(), quoted })
            }
            _ => Ok(Part::Quoted("$".into())),
        }
    }
}

fn flush(plain: &mut String, parts: &mut Vec<Part>) {
    if !plain.is_empty() {
        parts.push(Part::Text(std::mem::take(plain)));
    }
}
