//! Single commands: simple ones with their assignments and redirections, and those that hold lists.

use super::super::syntax::{Command, List, Part, Redirect, Target, What, Word};
use super::{Bad, Parser};

impl Parser<'_> {
    pub(super) fn command(&mut self) -> Result<Command, Bad> {
        self.skip_blanks();
        let line = self.line();
        let what = match self.reserved() {
            Some("if") => self.conditional()?,
            Some(word @ ("while" | "until")) => {
                self.at += word.len();
                let condition = self.body(&["do"])?;
                let body = self.done()?;
                What::Loop { until: word == "until", condition, body }
            }
            Some("for") => self.for_each()?,
            Some("{") => {
                self.at += 1;
                let list = self.body(&["}"])?;
                self.expect("}")?;
                What::Group(list)
            }
            Some(_) => return Err(self.unexpected(None)),
            None if self.eat("(") => {
                let list = self.body(&[])?;
                if !self.eat(")") {
                    return Err(self.unexpected(Some(")")));
                }
                What::Subshell(list)
            }
            None => return self.simple(line),
        };
        let mut redirects = Vec::new();
        while let Some(redirect) = self.redirect()? {
            redirects.push(redirect);
        }
        Ok(Command { line, what, redirects })
    }

    /// `do … done`.
    fn done(&mut self) -> Result<List, Bad> {
        self.expect("do")?;
        let body = self.body(&["done"])?;
        self.expect("done")?;
        Ok(body)
    }

    fn conditional(&mut self) -> Result<What, Bad> {
        self.at += "if".len();
        let mut arms = Vec::new();
        loop {
            let condition = self.body(&["then"])?;
            self.expect("then")?;
            arms.push((condition, self.body(&["elif", "else", "fi"])?));
            match self.reserved() {
                Some("elif") => self.at += "elif".len(),
                _ => break,
            }
        }
        let mut otherwise = List::default();
        if self.reserved() == Some("else") {
            self.at += "else".len();
            otherwise = self.body(&["fi"])?;
        }
        self.expect("fi")?;
        Ok(What::If { arms, otherwise })
    }

    fn for_each(&mut self) -> Result<What, Bad> {
        self.at += "for".len();
        self.skip_blanks();
        let name = self.name().ok_or_else(|| self.unexpected(None))?;
        self.skip_lines();
        let mut words = None;
        if self.reserved() == Some("in") {
            self.at += "in".len();
            let mut all = Vec::new();
            loop {
                self.skip_blanks();
                match self.word()? {
                    Some(word) => all.push(word),
                    None => break,
                }
            }
            words = Some(all);
        }
        self.skip_blanks();
        self.eat(";");
        Ok(What::For { name, words, body: self.done()? })
    }

    pub(super) fn name(&mut self) -> Option<String> {
        let is = |c: char| c == '_' || c.is_ascii_alphanumeric();
        let end = self.rest().find(|c| !is(c)).unwrap_or(self.rest().len());
        let name = &self.rest()[..end];
        let begins = name.chars().next().is_some_and(|c| !c.is_ascii_digit());
        begins.then(|| {
            self.at += end;
            name.to_owned()
        })
    }

    fn simple(&mut self, line: u32) -> Result<Command, Bad> {
        let (mut assignments, mut words, mut redirects) = (Vec::new(), Vec::new(), Vec::new());
        loop {
            self.skip_blanks();
            if let Some(redirect) = self.redirect()? {
                redirects.push(redirect);
                continue;
            }
            if words.is_empty()
                && let Some(assignment) = self.assignment()?
            {
                assignments.push(assignment);
                continue;
            }
            match self.word()? {
                Some(word) => words.push(word),
                None => break,
            }
        }
        if words.len() == 1 && self.rest().starts_with("()") {
            return Err(Bad::NotHere("functions"));
        }
        if words.first() == Some(&Word(vec![Part::Text("case".into())])) {
            return Err(Bad::NotHere("case"));
        }
        if assignments.is_empty() && words.is_empty() && redirects.is_empty() {
            return Err(self.unexpected(None));
        }
        let what = What::Simple { assignments, words };
        Ok(Command { line, what, redirects })
    }

    fn assignment(&mut self) -> Result<Option<(String, Word)>, Bad> {
        let begin = self.at;
        if let Some(name) = self.name()
            && self.eat("=")
        {
            return Ok(Some((name, self.word()?.unwrap_or_default())));
        }
        self.at = begin;
        Ok(None)
    }

    fn redirect(&mut self) -> Result<Option<Redirect>, Bad> {
        self.skip_blanks();
        let begin = self.at;
        let given = self.peek().and_then(|c| c.to_digit(10)).and_then(|fd| u8::try_from(fd).ok());
        if given.is_some() {
            self.at += 1;
        }
        if self.rest().starts_with("<<") {
            return Err(Bad::NotHere("here-documents"));
        }
        let (usual, sign) = if self.eat(">>") {
            (1, ">>")
        } else if self.eat(">&") {
            (1, ">&")
        } else if self.eat(">|") || self.eat(">") {
            (1, ">")
        } else if self.eat("<") {
            (0, "<")
        } else {
            self.at = begin;
            return Ok(None);
        };
        let fd = given.unwrap_or(usual);
        if fd > 2 {
            return Err(Bad::NotHere("descriptors above 2"));
        }
        self.skip_blanks();
        if sign == ">&" {
            let same =
                self.next().and_then(|c| c.to_digit(10)).and_then(|fd| u8::try_from(fd).ok());
            let to = same.filter(|fd| *fd <= 2).ok_or(Bad::NotHere("descriptors above 2"))?;
            return Ok(Some(Redirect { fd, to: Target::Same(to) }));
        }
        let word = self.word()?.ok_or_else(|| self.unexpected(None))?;
        let to = match sign {
            ">>" => Target::Append(word),
            ">" => Target::Write(word),
            _ => Target::Read(word),
        };
        Ok(Some(Redirect { fd, to }))
    }
}
