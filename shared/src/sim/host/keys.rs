//! Keys into lines: what the terminal's own editor does, and what of it is seen.
//!
//! At a shell's prompt there are a history and the usual keys of line editors; other readers have what
//! a terminal has by itself (`termios(3)`: erase, kill, end of file, interrupt).

/// The longest line.
const LINE_CHARS: usize = 4_096;
/// Lines that are remembered.
const HISTORY: usize = 200;
/// Bytes of an escape sequence, at most.
const ESCAPE_BYTES: usize = 16;

/// What keys have made.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Typed {
    /// A whole line.
    Line(String),
    /// Ctrl-D on an empty line.
    EndOfFile,
    /// Ctrl-C.
    Interrupt,
    /// Tab: what stands before the cursor can be completed.
    Complete(String),
    /// Ctrl-L: the screen is to be cleared, and the prompt and this line shown again.
    Clear(String),
}

/// The editor of one terminal.
#[derive(Clone, Debug, Default)]
pub(super) struct Keys {
    line: Vec<char>,
    at: usize,
    history: Vec<String>,
    /// Which line of the history is shown, and what was typed before.
    recalled: Option<usize>,
    draft: String,
    /// Bytes of a sequence or of a character that is not complete.
    pending: Vec<u8>,
}

impl Keys {
    /// Takes one byte after the other. What is to be seen goes to `echo`; `at_prompt` says whether a
    /// shell waits for a command.
    pub(super) fn feed(&mut self, byte: u8, at_prompt: bool, echo: &mut String) -> Option<Typed> {
        if self.pending.first() == Some(&0x1b) {
            self.escape(byte, at_prompt, echo);
            return None;
        }
        if !self.pending.is_empty() || byte >= 0x80 {
            self.pending.push(byte);
            match std::str::from_utf8(&self.pending).map(str::to_owned) {
                Ok(text) => {
                    self.pending.clear();
                    text.chars().for_each(|c| self.insert(c, echo));
                }
                // A character has four bytes at most.
                Err(_) if self.pending.len() >= 4 => self.pending.clear(),
                Err(_) => {}
            }
            return None;
        }
        self.key(byte, at_prompt, echo)
    }

    fn key(&mut self, byte: u8, at_prompt: bool, echo: &mut String) -> Option<Typed> {
        match byte {
            b'\r' | b'\n' => {
                echo.push_str("\r\n");
                let line: String = std::mem::take(&mut self.line).into_iter().collect();
                self.remember(&line, at_prompt);
                return Some(Typed::Line(line));
            }
            0x03 => {
                echo.push_str("^C\r\n");
                self.line.clear();
                self.remember("", false);
                return Some(Typed::Interrupt);
            }
            0x04 if self.line.is_empty() => return Some(Typed::EndOfFile),
            0x04 => self.delete(echo),
            0x08 | 0x7f if self.at > 0 => {
                self.left(echo);
                self.delete(echo);
            }
            // Ctrl-U, Ctrl-W: to the line's beginning, to the word's.
            0x15 => self.erase_back_to(0, echo),
            0x17 => self.erase_back_to(self.word_before(), echo),
            0x09 if at_prompt => {
                return Some(Typed::Complete(self.line[..self.at].iter().collect()));
            }
            0x0c if at_prompt => {
                self.end(echo);
                return Some(Typed::Clear(self.line.iter().collect()));
            }
            0x01 if at_prompt => self.home(echo),
            0x02 if at_prompt => self.left(echo),
            0x05 if at_prompt => self.end(echo),
            0x06 if at_prompt => self.right(echo),
            0x0b if at_prompt => {
                while self.at < self.line.len() {
                    self.line.pop();
                }
                echo.push_str("\x1b[K");
            }
            0x0e if at_prompt => self.recall(false, echo),
            0x10 if at_prompt => self.recall(true, echo),
            0x1b => self.pending.push(byte),
            byte if byte >= 0x20 && byte != 0x7f => self.insert(char::from(byte), echo),
            _ => {}
        }
        None
    }

    fn escape(&mut self, byte: u8, at_prompt: bool, echo: &mut String) {
        self.pending.push(byte);
        let is_whole = match self.pending.len() {
            2 => !matches!(byte, b'[' | b'O'),
            _ => (0x40..=0x7e).contains(&byte),
        };
        if !is_whole && self.pending.len() < ESCAPE_BYTES {
            return;
        }
        let sequence = std::mem::take(&mut self.pending);
        if !at_prompt {
            return;
        }
        match &sequence[1..] {
            b"[A" | b"OA" => self.recall(true, echo),
            b"[B" | b"OB" => self.recall(false, echo),
            b"[C" | b"OC" => self.right(echo),
            b"[D" | b"OD" => self.left(echo),
            b"[H" | b"OH" | b"[1~" => self.home(echo),
            b"[F" | b"OF" | b"[4~" => self.end(echo),
            b"[3~" => self.delete(echo),
            _ => {}
        }
    }

    /// Types a text at the cursor.
    pub(super) fn insert_text(&mut self, text: &str, echo: &mut String) {
        text.chars().for_each(|c| self.insert(c, echo));
    }

    fn insert(&mut self, c: char, echo: &mut String) {
        if self.line.len() >= LINE_CHARS || c.is_control() {
            return;
        }
        self.line.insert(self.at, c);
        self.at += 1;
        echo.push(c);
        if self.at < self.line.len() {
            self.draw_rest(echo);
        }
    }

    fn delete(&mut self, echo: &mut String) {
        if self.at < self.line.len() {
            self.line.remove(self.at);
            self.draw_rest(echo);
        }
    }

    fn erase_back_to(&mut self, to: usize, echo: &mut String) {
        while self.at > to {
            self.left(echo);
            self.line.remove(self.at);
        }
        self.draw_rest(echo);
    }

    /// What stands behind the cursor, and nothing after it.
    fn draw_rest(&self, echo: &mut String) {
        let rest = &self.line[self.at..];
        echo.extend(rest);
        echo.push_str("\x1b[K");
        back(rest, echo);
    }

    fn left(&mut self, echo: &mut String) {
        if self.at > 0 {
            self.at -= 1;
            back(&self.line[self.at..=self.at], echo);
        }
    }

    fn right(&mut self, echo: &mut String) {
        if let Some(c) = self.line.get(self.at) {
            echo.push(*c);
            self.at += 1;
        }
    }

    fn home(&mut self, echo: &mut String) {
        back(&self.line[..self.at], echo);
        self.at = 0;
    }

    fn end(&mut self, echo: &mut String) {
        echo.extend(&self.line[self.at..]);
        self.at = self.line.len();
    }

    fn word_before(&self) -> usize {
        let before = &self.line[..self.at];
        let end = before.iter().rposition(|c| *c != ' ').map_or(0, |at| at + 1);
        before[..end].iter().rposition(|c| *c == ' ').map_or(0, |at| at + 1)
    }

    fn remember(&mut self, line: &str, keep: bool) {
        (self.at, self.recalled) = (0, None);
        self.draft.clear();
        if keep && !line.trim().is_empty() && self.history.last().is_none_or(|last| last != line) {
            self.history.push(line.to_owned());
            let surplus = self.history.len().saturating_sub(HISTORY);
            self.history.drain(..surplus);
        }
    }

    /// Shows the line before or after the one that is shown.
    fn recall(&mut self, earlier: bool, echo: &mut String) {
        let here = self.recalled.unwrap_or(self.history.len());
        let there = if earlier { here.checked_sub(1) } else { Some(here + 1) };
        let Some(there) = there.filter(|there| *there <= self.history.len()) else { return };
        if self.recalled.is_none() {
            self.draft = self.line.iter().collect();
        }
        let text = self.history.get(there).unwrap_or(&self.draft).clone();
        self.home(echo);
        self.line = text.chars().collect();
        self.at = self.line.len();
        echo.push_str(&text);
        echo.push_str("\x1b[K");
        self.recalled = Some(there);
    }
}

/// Moves the cursor back over these.
fn back(over: &[char], echo: &mut String) {
    for c in over {
        echo.push_str(if is_wide(*c) { "\x08\x08" } else { "\x08" });
    }
}

/// Does a character take two columns? (East Asian Wide, as terminals have it.)
fn is_wide(c: char) -> bool {
    matches!(u32::from(c),
        0x1100..=0x115f | 0x2e80..=0x303e | 0x3041..=0x33ff | 0x3400..=0x4dbf | 0x4e00..=0x9fff
        | 0xa000..=0xa4cf | 0xac00..=0xd7a3 | 0xf900..=0xfaff | 0xfe30..=0xfe6f | 0xff00..=0xff60
        | 0xffe0..=0xffe6 | 0x1f300..=0x1faff | 0x20000..=0x3fffd)
}

#[cfg(test)]
mod tests {
    use super::*;

    /// A terminal: its editor, and all that was shown.
    #[derive(Default)]
    struct Screen(Keys, String);

    impl Screen {
        /// Types all of it; gives what was made and what the last row shows.
        fn type_in(&mut self, text: &str, at_prompt: bool) -> (Vec<Typed>, String) {
            let mut made = Vec::new();
            for byte in text.bytes() {
                made.extend(self.0.feed(byte, at_prompt, &mut self.1));
            }
            (made, shown(&self.1))
        }
    }

    fn shown(echo: &str) -> String {
        let (mut row, mut at) = (Vec::new(), 0);
        let mut chars = echo.chars();
        while let Some(c) = chars.next() {
            match c {
                '\x08' => at -= 1,
                '\x1b' => {
                    assert_eq!((chars.next(), chars.next()), (Some('['), Some('K')));
                    row.truncate(at);
                }
                '\r' | '\n' => (row, at) = (Vec::new(), 0),
                c => {
                    row.truncate(row.len().max(at));
                    if at < row.len() {
                        row[at] = c;
                    } else {
                        row.push(c);
                    }
                    at += 1;
                }
            }
        }
        row.into_iter().collect()
    }

    fn line(text: &str) -> Vec<Typed> {
        vec![Typed::Line(text.into())]
    }

    #[test]
    fn lines_are_edited_where_the_cursor_is() {
        let mut screen = Screen::default();
        assert_eq!(screen.type_in("ecoh\x7f\x7fho hi\x1b[D\x1b[D-\x01# ", true).1, "# echo -hi");
        assert_eq!(screen.type_in("\r", true).0, line("# echo -hi"));
        assert_eq!(screen.type_in("one two three\x17\x17\x0bx", true).1, "one x");
        assert_eq!(screen.type_in("\x15y\r", true).0, line("y"));
        assert_eq!(screen.type_in("日本\x7f\r", true).0, line("日"));
    }

    #[test]
    fn lines_come_back() {
        let mut screen = Screen::default();
        screen.type_in("first\rsecond\rsecond\r", true);
        assert_eq!(screen.type_in("new\x1b[A\x1b[A\x1b[A", true).1, "first");
        assert_eq!(screen.type_in("\x1b[B\x1b[B!\r", true).0, line("new!"));
        // What is typed into a program is nobody's history.
        screen.type_in("secret\r", false);
        assert_eq!(screen.type_in("\x10\r", true).0, line("new!"));
    }

    #[test]
    fn keys_that_are_no_text() {
        let mut screen = Screen::default();
        let (made, _) = screen.type_in("ab\x03\x04", true);
        assert_eq!(made, [Typed::Interrupt, Typed::EndOfFile]);
        assert_eq!(screen.type_in("ls /e\t", true).0, [Typed::Complete("ls /e".into())]);
        assert_eq!(screen.type_in("\x1b[99;99;99;99;99;99;99~\x1bq\x00x\r", true).0.len(), 1);
    }
}
