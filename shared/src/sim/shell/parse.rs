//! Text into a tree: the part of POSIX's shell language that the lessons use.
//!
//! POSIX.1-2024, *Shell Command Language*, §2.2 to §2.10. What is not understood is said by name.

use super::syntax::{Command, Item, List, Part, Pipeline, Redirect, Target, What, When, Word};

/// The longest text that is read.
pub const TEXT_MAX: usize = 65_536;
/// Commands in commands, at most.
const DEPTH_MAX: usize = 32;

/// Why a text is no command.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum Bad {
    /// It has just begun: more lines can follow.
    #[error("unexpected end of the text")]
    Unfinished,
    /// Something is where it cannot be.
    #[error("syntax error: unexpected \"{0}\"")]
    Unexpected(String),
    /// Something of the shell's language that the simulator does not have.
    #[error("the simulator's shell has no {0}")]
    NotHere(&'static str),
    /// Longer than [`TEXT_MAX`], or nested deeper than anybody reads.
    #[error("too long or too deep")]
    TooMuch,
}

/// Words that mean something where a command begins.
const RESERVED: [&str; 13] =
    ["if", "then", "elif", "else", "fi", "while", "until", "for", "do", "done", "in", "{", "}"];

/// Reads a whole text.
pub fn parse(text: &str) -> Result<List, Bad> {
    if text.len() > TEXT_MAX {
        return Err(Bad::TooMuch);
    }
    let mut parser = Parser { text, at: 0, depth: 0 };
    let list = parser.list(&[])?;
    match parser.rest().chars().next() {
        None => Ok(list),
        Some(_) => Err(parser.unexpected()),
    }
}

struct Parser<'a> {
    text: &'a str,
    at: usize,
    depth: usize,
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

    fn unexpected(&self) -> Bad {
        match self.peek() {
            None => Bad::Unfinished,
            Some('\n') => Bad::Unexpected("newline".into()),
            Some(c) if is_operator(c) => Bad::Unexpected(c.into()),
            Some(_) => {
                let end = self.rest().find(|c: char| c.is_whitespace() || is_operator(c));
                Bad::Unexpected(
                    self.rest()[..end.unwrap_or(self.rest().len())].chars().take(20).collect(),
                )
            }
        }
    }

    /// The reserved word that stands here, if one does.
    fn reserved(&self) -> Option<&'static str> {
        let ends = |word: &&str| {
            let after = self.rest()[word.len()..].chars().next();
            after.is_none_or(|c| c.is_whitespace() || is_operator(c))
        };
        RESERVED.into_iter().filter(|word| self.rest().starts_with(word)).find(ends)
    }

    fn expect(&mut self, word: &str) -> Result<(), Bad> {
        self.skip_lines();
        match self.reserved() {
            Some(found) if found == word => {
                self.at += word.len();
                Ok(())
            }
            _ => Err(self.unexpected()),
        }
    }

    /// Commands up to one of `ends`, `)`, or the end of the text.
    fn list(&mut self, ends: &[&str]) -> Result<List, Bad> {
        self.depth += 1;
        if self.depth > DEPTH_MAX {
            return Err(Bad::TooMuch);
        }
        let mut items = Vec::new();
        loop {
            self.skip_lines();
            let end = self.reserved().is_some_and(|word| ends.contains(&word));
            if end || matches!(self.peek(), None | Some(')')) {
                break;
            }
            items.push(self.item()?);
        }
        self.depth -= 1;
        Ok(List(items))
    }

    /// A list that has something in it.
    fn body(&mut self, ends: &[&str]) -> Result<List, Bad> {
        let list = self.list(ends)?;
        if list.0.is_empty() { Err(self.unexpected()) } else { Ok(list) }
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
                return Err(self.unexpected());
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

    fn command(&mut self) -> Result<Command, Bad> {
        self.skip_blanks();
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
            Some(_) => return Err(self.unexpected()),
            None if self.eat("(") => {
                let list = self.body(&[])?;
                if !self.eat(")") {
                    return Err(self.unexpected());
                }
                What::Subshell(list)
            }
            None => return self.simple(),
        };
        let mut redirects = Vec::new();
        while let Some(redirect) = self.redirect()? {
            redirects.push(redirect);
        }
        Ok(Command { what, redirects })
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
        let name = self.name().ok_or_else(|| self.unexpected())?;
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

    fn name(&mut self) -> Option<String> {
        let is = |c: char| c == '_' || c.is_ascii_alphanumeric();
        let end = self.rest().find(|c| !is(c)).unwrap_or(self.rest().len());
        let name = &self.rest()[..end];
        let begins = name.chars().next().is_some_and(|c| !c.is_ascii_digit());
        begins.then(|| {
            self.at += end;
            name.to_owned()
        })
    }

    fn simple(&mut self) -> Result<Command, Bad> {
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
            return Err(self.unexpected());
        }
        Ok(Command { what: What::Simple { assignments, words }, redirects })
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
        let word = self.word()?.ok_or_else(|| self.unexpected())?;
        let to = match sign {
            ">>" => Target::Append(word),
            ">" => Target::Write(word),
            _ => Target::Read(word),
        };
        Ok(Some(Redirect { fd, to }))
    }

    /// A word, if one begins here.
    fn word(&mut self) -> Result<Option<Word>, Bad> {
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
                        None => return Err(Bad::Unfinished),
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
        let end = self.rest().find('\'').ok_or(Bad::Unfinished)?;
        let text = self.rest()[..end].to_owned();
        self.at += end + 1;
        Ok(Part::Quoted(text))
    }

    fn double_quoted(&mut self, parts: &mut Vec<Part>) -> Result<(), Bad> {
        let mut text = String::new();
        loop {
            match self.peek().ok_or(Bad::Unfinished)? {
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
                    match self.next().ok_or(Bad::Unfinished)? {
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
            let end = self.rest().find("))").ok_or(Bad::Unfinished)?;
            let expression = self.rest()[..end].to_owned();
            self.at += end + 2;
            return Ok(Part::Arithmetic(expression));
        }
        if self.eat("(") {
            let list = self.list(&[])?;
            return if self.eat(")") {
                Ok(Part::Output { list, quoted })
            } else {
                Err(self.unexpected())
            };
        }
        if self.eat("{") {
            let end = self.rest().find('}').ok_or(Bad::Unfinished)?;
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

fn is_operator(c: char) -> bool {
    matches!(c, ';' | '&' | '|' | '<' | '>' | '(' | ')' | '\n')
}

#[cfg(test)]
mod tests {
    use super::*;

    fn word(text: &str) -> Word {
        Word(vec![Part::Text(text.into())])
    }

    #[track_caller]
    fn simple(text: &str) -> (Vec<Word>, Vec<Redirect>) {
        let list = parse(text).unwrap();
        let [item] = &list.0[..] else { panic!("{list:?}") };
        let [command] = &item.first.commands[..] else { panic!("{item:?}") };
        let What::Simple { words, .. } = &command.what else { panic!("{command:?}") };
        (words.clone(), command.redirects.clone())
    }

    #[test]
    fn the_tutorials_lines() {
        let (words, redirects) = simple("echo 20000 > cpu.cfs_quota_us  #20000us=20ms");
        assert_eq!(words, [word("echo"), word("20000")]);
        let to = Target::Write(word("cpu.cfs_quota_us"));
        assert_eq!(redirects, [Redirect { fd: 1, to }]);

        let list = parse("while : ; do : ; done &").unwrap();
        assert!(list.0[0].background);
        assert_eq!(list.0[0].text, "while : ; do : ; done");
        assert!(matches!(list.0[0].first.commands[0].what, What::Loop { until: false, .. }));
    }

    #[test]
    fn words_are_put_together_of_parts() {
        let (words, _) = simple(r#"echo a'b c'"d $x $(pwd)"\ e $$ "" ~/x *.rs"#);
        let variable = |name: &str, quoted| Part::Variable { name: name.into(), quoted };
        let pwd = Part::Output { list: parse("pwd").unwrap(), quoted: true };
        let quoted = |text: &str| Part::Quoted(text.into());
        let first = vec![
            Part::Text("a".into()),
            quoted("b c"),
            quoted("d "),
            variable("x", true),
            quoted(" "),
            pwd,
            quoted(""),
            quoted(" "),
            Part::Text("e".into()),
        ];
        assert_eq!(words[1], Word(first));
        assert_eq!(words[2], Word(vec![variable("$", false)]));
        assert_eq!(words[3], Word(vec![quoted("")]));
        assert_eq!(words[4], Word(vec![Part::Home, Part::Text("/x".into())]));
        assert_eq!(words[5], word("*.rs"));
    }

    #[test]
    fn chains_pipes_and_groups() {
        let list = parse("! a | b && c || d; (e; f) >out 2>&1\n{ g; } &").unwrap();
        assert_eq!(list.0.len(), 3);
        assert!(list.0[0].first.negated);
        assert_eq!(list.0[0].first.commands.len(), 2);
        assert_eq!(
            list.0[0].rest.iter().map(|(when, _)| *when).collect::<Vec<_>>(),
            [When::Succeeded, When::Failed]
        );
        assert_eq!(list.0[1].first.commands[0].redirects.len(), 2);
        assert!(matches!(list.0[2].first.commands[0].what, What::Group(_)));
    }

    #[test]
    fn conditions_and_loops() {
        let list =
            parse("if a; then b; elif c; then d; else e; fi\nfor x in 1 2; do echo $x; done")
                .unwrap();
        let What::If { arms, otherwise } = &list.0[0].first.commands[0].what else { panic!() };
        assert_eq!((arms.len(), otherwise.0.len()), (2, 1));
        let What::For { name, words, .. } = &list.0[1].first.commands[0].what else { panic!() };
        assert_eq!((name.as_str(), words.as_ref().map(Vec::len)), ("x", Some(2)));
    }

    #[track_caller]
    fn refuses(text: &str, bad: &Bad) {
        assert_eq!(parse(text).as_ref(), Err(bad), "{text}");
    }

    #[test]
    fn what_is_wrong_is_said() {
        let unexpected = |text: &str| Bad::Unexpected(text.into());
        for text in
            ["while :", "echo 'a", "echo \"a", "a |", "a &&", "(a", "if a; then", "echo $(", "x > "]
        {
            refuses(text, &Bad::Unfinished);
        }
        refuses("| a", &unexpected("|"));
        refuses("a && ; b", &unexpected(";"));
        refuses("done", &unexpected("done"));
        refuses("while ; do a; done", &unexpected(";"));
        refuses("a )", &unexpected(")"));
        refuses("cat << EOF", &Bad::NotHere("here-documents"));
        refuses("f() { a; }", &Bad::NotHere("functions"));
        refuses("echo ${x:-1}", &Bad::NotHere("${ } with more than a name in it"));
        refuses(&"(".repeat(100), &Bad::TooMuch);
        refuses(&"a".repeat(TEXT_MAX + 1), &Bad::TooMuch);
    }

    #[test]
    fn no_text_makes_it_panic() {
        // Every text of up to six of these pieces.
        let pieces =
            ["a", "'", "\"", "$", "(", ")", "|", "&", ";", "\n", "{", "}", "\\", "é", "2>", "do "];
        let mut seed = 1_u64;
        for _ in 0..20_000 {
            let mut text = String::new();
            for _ in 0..8 {
                seed = seed.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1);
                text += pieces[usize::try_from(seed >> 60).unwrap()];
            }
            // Either is fine; it comes back.
            let _ = parse(&text);
        }
    }
}
