//! Text into a tree: the part of POSIX's shell language that the lessons use.
//!
//! POSIX.1-2024, *Shell Command Language*, §2.2 to §2.10. What is not understood is said by name.

mod commands;
mod words;

#[cfg(test)]
mod tests;

use super::syntax::{Item, List, Pipeline, When};

/// The longest text that is read.
pub const TEXT_MAX: usize = 65_536;
/// Commands in commands, at most.
const DEPTH_MAX: usize = 32;

/// Why a text is no command, in the words of `dash` where it has some.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum Bad {
    /// It has just begun: more lines can follow. What must come, if that is known.
    #[error("Syntax error: end of file unexpected{}", or_what(.0))]
    Unfinished(Option<&'static str>),
    /// A quote that nothing closes: more lines can follow.
    #[error("Syntax error: Unterminated quoted string")]
    OpenQuote,
    /// Something is where it cannot be.
    #[error("Syntax error: {what} unexpected{}", or_what(.expecting))]
    Unexpected {
        /// What is there.
        what: String,
        /// What should be there.
        expecting: Option<&'static str>,
    },
    /// Something of the shell's language that the simulator does not have.
    #[error("the simulator's shell has no {0}")]
    NotHere(&'static str),
    /// Longer than [`TEXT_MAX`], or nested deeper than anybody reads.
    #[error("too long or too deep")]
    TooMuch,
}

impl Bad {
    /// Can more lines make a command of it?
    pub fn is_unfinished(&self) -> bool {
        matches!(self, Bad::Unfinished(_) | Bad::OpenQuote)
    }
}

fn or_what(word: &Option<&'static str>) -> String {
    word.map_or_else(String::new, |word| format!(" (expecting \"{word}\")"))
}

/// Words that mean something where a command begins.
const RESERVED: [&str; 13] =
    ["if", "then", "elif", "else", "fi", "while", "until", "for", "do", "done", "in", "{", "}"];

/// Those of them that end a list: the one that is right, or one that is wrong.
const ENDS: [&str; 7] = ["then", "elif", "else", "fi", "do", "done", "}"];

/// Reads a whole text.
pub fn parse(text: &str) -> Result<List, Bad> {
    let mut script = Script::new(text)?;
    let mut all = List::default();
    while let Some(list) = script.next_line()? {
        all.0.extend(list.0);
    }
    Ok(all)
}

/// A text that is read line by line, as a shell does: what is wrong further down does not keep the lines
/// above it from being run.
pub struct Script<'a>(Parser<'a>);

impl<'a> Script<'a> {
    /// From its beginning on.
    pub fn new(text: &'a str) -> Result<Self, Bad> {
        if text.len() > TEXT_MAX {
            return Err(Bad::TooMuch);
        }
        Ok(Script(Parser { text, at: 0, depth: 0, line: 1, counted: 0 }))
    }

    /// The commands of the next line that has some, with the lines that belong to them.
    pub fn next_line(&mut self) -> Result<Option<List>, Bad> {
        let parser = &mut self.0;
        parser.skip_lines();
        let mut items = Vec::new();
        while parser.peek().is_some() {
            items.push(parser.item()?);
            if parser.text[..parser.at].ends_with('\n') {
                break;
            }
            parser.skip_blanks();
            if parser.peek() == Some('\n') {
                break;
            }
        }
        Ok(Some(List(items)).filter(|list| !list.0.is_empty()))
    }

    /// The line at which it is.
    pub fn line(&mut self) -> u32 {
        self.0.line()
    }
}

struct Parser<'a> {
    text: &'a str,
    at: usize,
    depth: usize,
    /// The line of the place up to which lines were counted.
    line: u32,
    counted: usize,
}

impl<'a> Parser<'a> {
    fn rest(&self) -> &'a str {
        &self.text[self.at..]
    }

    fn peek(&self) -> Option<char> {
        self.rest().chars().next()
    }

    fn next(&mut self) -> Option<char> {
        let c = self.peek()?;
        self.at += c.len_utf8();
        Some(c)
    }

    fn eat(&mut self, text: &str) -> bool {
        let found = self.rest().starts_with(text);
        if found {
            self.at += text.len();
        }
        found
    }

    fn line(&mut self) -> u32 {
        let lines = self.text[self.counted..self.at].matches('\n').count();
        self.line = self.line.saturating_add(u32::try_from(lines).unwrap_or(u32::MAX));
        self.counted = self.at;
        self.line
    }

    /// Blanks, comments, and lines that go on.
    fn skip_blanks(&mut self) {
        loop {
            match self.peek() {
                Some(' ' | '\t' | '\r') => self.at += 1,
                Some('#') => self.at += self.rest().find('\n').unwrap_or(self.rest().len()),
                Some('\\') if self.rest().starts_with("\\\n") => self.at += 2,
                _ => return,
            }
        }
    }

    fn skip_lines(&mut self) {
        self.skip_blanks();
        while self.eat("\n") || self.eat(";\n") {
            self.skip_blanks();
        }
    }

    fn unexpected(&self, expecting: Option<&'static str>) -> Bad {
        let what = match self.peek() {
            None => return Bad::Unfinished(expecting),
            Some('\n') => "newline".to_owned(),
            Some(c) if is_operator(c) => {
                let twice = ["&&", "||", ";;"].into_iter().find(|it| self.rest().starts_with(it));
                format!("\"{}\"", twice.map_or_else(|| c.to_string(), str::to_owned))
            }
            Some(_) => self.reserved().map_or_else(|| "word".into(), |word| format!("\"{word}\"")),
        };
        Bad::Unexpected { what, expecting }
    }

    /// The reserved word that stands here, if one does.
    fn reserved(&self) -> Option<&'static str> {
        let ends = |word: &&str| {
            let after = self.rest()[word.len()..].chars().next();
            after.is_none_or(|c| c.is_whitespace() || is_operator(c))
        };
        RESERVED.into_iter().filter(|word| self.rest().starts_with(word)).find(ends)
    }

    fn expect(&mut self, word: &'static str) -> Result<(), Bad> {
        self.skip_lines();
        match self.reserved() {
            Some(found) if found == word => {
                self.at += word.len();
                Ok(())
            }
            _ => Err(self.unexpected(Some(word))),
        }
    }

    /// Commands up to one of [`ENDS`], `)`, or the end of the text.
    fn list(&mut self) -> Result<List, Bad> {
        self.depth += 1;
        if self.depth > DEPTH_MAX {
            return Err(Bad::TooMuch);
        }
        let mut items = Vec::new();
        loop {
            self.skip_lines();
            let end = self.reserved().is_some_and(|word| ENDS.contains(&word));
            if end || matches!(self.peek(), None | Some(')')) {
                break;
            }
            items.push(self.item()?);
        }
        self.depth -= 1;
        Ok(List(items))
    }

    /// A list that has something in it; the last of `ends` is what must come.
    fn body(&mut self, ends: &[&'static str]) -> Result<List, Bad> {
        let list = self.list()?;
        if !list.0.is_empty() {
            return Ok(list);
        }
        let expecting = ends.last().copied().filter(|_| self.peek().is_none());
        Err(self.unexpected(expecting))
    }

    fn item(&mut self) -> Result<Item, Bad> {
        let begin = self.at;
        let first = self.pipeline()?;
        let mut rest = Vec::new();
        loop {
            self.skip_blanks();
            let when = if self.eat("&&") {
                When::Succeeded
            } else if self.eat("||") {
                When::Failed
            } else {
                break;
            };
            self.skip_lines();
            rest.push((when, self.pipeline()?));
        }
        let text = self.text[begin..self.at].trim().to_owned();
        self.skip_blanks();
        let background = !self.rest().starts_with("&&") && self.eat("&");
        if !background {
            if self.rest().starts_with(";;") {
                return Err(Bad::NotHere("case"));
            }
            let ended = self.eat(";") || self.eat("\n");
            if !ended && !matches!(self.peek(), None | Some(')')) {
                return Err(self.unexpected(None));
            }
        }
        Ok(Item { first, rest, background, text })
    }

    fn pipeline(&mut self) -> Result<Pipeline, Bad> {
        self.skip_blanks();
        let negated = self.rest().starts_with("! ") && self.eat("!");
        let mut commands = vec![self.command()?];
        loop {
            self.skip_blanks();
            if self.rest().starts_with("||") || !self.eat("|") {
                return Ok(Pipeline { negated, commands });
            }
            self.skip_lines();
            commands.push(self.command()?);
        }
    }
}

fn is_operator(c: char) -> bool {
    matches!(c, ';' | '&' | '|' | '<' | '>' | '(' | ')' | '\n')
}
