//! A terminal as programs have it: lines that were typed, what was written, and whom Ctrl-C reaches.

use std::cell::{Cell, RefCell};
use std::collections::VecDeque;
use std::rc::Rc;

use super::super::procs::Proc;

/// Characters that a terminal keeps until somebody takes them; the oldest go first.
const SCREEN_MAX: usize = 1 << 20;
/// Lines that were typed and not read, at most; what is typed beyond them is not taken.
const TYPED_MAX: usize = 1_024;

/// A terminal; a copy is the same terminal.
#[derive(Clone, Debug, Default)]
pub struct Tty(Rc<Inner>);

#[derive(Debug, Default)]
struct Inner {
    screen: RefCell<String>,
    /// Lines that were typed and not yet read; `None` is Ctrl-D.
    typed: RefCell<VecDeque<Option<String>>>,
    no_more_lines: Cell<bool>,
    foreground: RefCell<Vec<Proc>>,
    interrupted: Cell<bool>,
    /// The shell that waits for a command, and what it has prompted with.
    prompt: RefCell<Option<(Proc, String)>>,
}

impl Tty {
    /// A line was typed.
    pub fn type_line(&self, line: &str) {
        self.push(Some(line.to_owned()));
    }

    /// Ctrl-D on an empty line: whoever reads next meets the end, once.
    pub fn end_of_file(&self) {
        self.push(None);
    }

    fn push(&self, typed: Option<String>) {
        let mut lines = self.0.typed.borrow_mut();
        if lines.len() < TYPED_MAX {
            lines.push_back(typed);
        }
    }

    /// Nobody will type any more.
    pub fn end_of_lines(&self) {
        self.0.no_more_lines.set(true);
    }

    /// What a reader gets now: a line, the end, or nothing yet.
    pub(super) fn take_line(&self) -> Option<Option<String>> {
        let line = self.0.typed.borrow_mut().pop_front();
        line.or_else(|| self.0.no_more_lines.get().then_some(None))
    }

    /// Writes to it.
    pub fn print(&self, text: &str) {
        let mut screen = self.0.screen.borrow_mut();
        screen.push_str(text);
        if screen.len() > SCREEN_MAX {
            let over = screen.len() - SCREEN_MAX;
            let cut = (over..screen.len()).find(|at| screen.is_char_boundary(*at)).unwrap_or(over);
            screen.drain(..cut);
        }
    }

    /// Takes what was written since it was taken last.
    pub fn take_screen(&self) -> String {
        std::mem::take(&mut self.0.screen.borrow_mut())
    }

    /// Whom Ctrl-C reaches.
    pub fn foreground(&self) -> Vec<Proc> {
        self.0.foreground.borrow().clone()
    }

    /// Who runs in the foreground from now on.
    pub fn set_foreground(&self, procs: Vec<Proc>) {
        *self.0.foreground.borrow_mut() = procs;
    }

    /// Ctrl-C: what was typed ahead is forgotten, and a shell that does something by itself stops.
    pub(super) fn interrupt(&self) {
        self.0.typed.borrow_mut().clear();
        self.0.interrupted.set(true);
        if self.0.prompt.borrow().is_some() {
            // Whoever waits for a command is woken.
            self.type_line("");
        }
    }

    /// Was there a Ctrl-C that nobody has taken notice of?
    pub(super) fn is_interrupted(&self) -> bool {
        self.0.interrupted.get()
    }

    /// The Ctrl-C was taken notice of.
    pub(super) fn calm(&self) {
        self.0.interrupted.set(false);
    }

    /// The shell that waits for a command here, and its prompt.
    pub fn prompt(&self) -> Option<(Proc, String)> {
        self.0.prompt.borrow().clone()
    }

    pub(super) fn set_prompt(&self, prompt: Option<(Proc, String)>) {
        *self.0.prompt.borrow_mut() = prompt;
    }
}
