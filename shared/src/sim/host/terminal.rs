//! Terminals: the frames of [`crate::terminal`], from the server's side.

use super::Host;
use super::keys::{Keys, Typed};
use crate::id::TerminalId;
use crate::limits::TERMINAL_RING_BYTES;
use crate::sim::kernel::{Kernel, Kind};
use crate::sim::shell::command_names;
use crate::sim::shell::tty::Tty;
use crate::terminal::{Input, Output};

/// Bytes of one frame of output.
const FRAME_BYTES: usize = 16 * 1024;
/// Terminals whose programs have ended, and that are kept for those who look at them.
const ENDED_KEPT: usize = 16;

/// A terminal.
pub(super) struct Line {
    id: TerminalId,
    tty: Tty,
    keys: Keys,
    /// What was written, as far as it is kept, and the position of its first byte.
    kept: Vec<u8>,
    from: u64,
    /// Up to where it was sent; `None` before a page has come.
    sent: Option<u64>,
    input_seq: u64,
    ended: Option<i32>,
    frames: Vec<Vec<u8>>,
}

impl Line {
    pub(super) fn id(&self) -> TerminalId {
        self.id
    }

    /// How much of what was typed was taken.
    #[cfg(test)]
    pub(super) fn heard(&self) -> u64 {
        self.input_seq
    }

    fn end(&self) -> u64 {
        self.from + self.kept.len() as u64
    }

    /// Writes, as a terminal does: a new line begins at the left.
    fn write(&mut self, text: &str) {
        let mut last = self.kept.last().copied();
        for byte in text.bytes() {
            if byte == b'\n' && last != Some(b'\r') {
                self.kept.push(b'\r');
            }
            self.kept.push(byte);
            last = Some(byte);
        }
        let most = usize::try_from(TERMINAL_RING_BYTES.value).unwrap_or(usize::MAX);
        let surplus = self.kept.len().saturating_sub(most);
        self.kept.drain(..surplus);
        self.from += surplus as u64;
    }

    /// Takes what programs have written.
    fn take_in(&mut self) {
        let text = self.tty.take_screen();
        if !text.is_empty() {
            self.write(&text);
        }
    }

    /// Sends what was not sent.
    fn send(&mut self) {
        let Some(mut seq) = self.sent else { return };
        if seq < self.from {
            seq = self.from;
            self.frames.push(Output::Reset { seq }.encode());
        }
        while seq < self.end() {
            let at = usize::try_from(seq - self.from).unwrap_or(usize::MAX);
            let until = self.kept.len().min(at.saturating_add(FRAME_BYTES));
            let bytes = self.kept[at..until].to_vec();
            let len = bytes.len() as u64;
            self.frames.push(Output::Data { seq, bytes }.encode());
            seq += len;
        }
        self.sent = Some(seq);
    }
}

impl Host {
    /// A terminal for a new container.
    pub(super) fn open_line(&mut self, id: TerminalId, tty: Tty) -> TerminalId {
        let (keys, kept, frames) = (Keys::default(), Vec::new(), Vec::new());
        let (from, sent, input_seq, ended) = (0, None, 0, None);
        let line = Line { id, tty, keys, kept, from, sent, input_seq, ended, frames };
        self.lines.push(line);
        while self.lines.iter().filter(|line| line.ended.is_some()).count() > ENDED_KEPT {
            let Some(at) = self.lines.iter().position(|line| line.ended.is_some()) else { break };
            self.lines.remove(at);
        }
        id
    }

    /// The program of a terminal has ended.
    pub(super) fn terminal_ended(&mut self, id: TerminalId, status: i32) {
        let Some(line) = self.lines.iter_mut().find(|line| line.id == id) else { return };
        if line.ended.replace(status).is_some() {
            return;
        }
        line.take_in();
        line.send();
        if line.sent.is_some() {
            line.frames.push(Output::Exit { status }.encode());
        }
    }

    pub(super) fn follow_terminals(&mut self) {
        for line in self.lines.iter_mut().filter(|line| line.ended.is_none()) {
            line.take_in();
            line.send();
        }
    }

    /// Is there such a terminal?
    pub fn has_terminal(&self, id: TerminalId) -> bool {
        self.lines.iter().any(|line| line.id == id)
    }

    /// A frame from a page. What is no frame is not answered.
    pub fn terminal_frame(&mut self, id: TerminalId, frame: &[u8]) {
        let Some(at) = self.lines.iter().position(|line| line.id == id) else { return };
        match Input::decode(frame) {
            Ok(Input::Resume { seq }) => {
                let line = &mut self.lines[at];
                line.take_in();
                line.frames.clear();
                let hello = Output::Hello { may_type: true, input_seq: line.input_seq };
                line.frames.push(hello.encode());
                let known = seq.min(line.end());
                line.sent = Some(known);
                line.send();
                if let Some(status) = line.ended {
                    line.frames.push(Output::Exit { status }.encode());
                }
            }
            Ok(Input::Data { seq, bytes }) => self.typed(at, seq, &bytes),
            // Nobody in the model asks how large its window is, and nothing is on its way.
            Ok(Input::Resize { .. } | Input::Ack { .. }) | Err(_) => {}
        }
    }

    /// Frames for the page.
    pub fn take_frames(&mut self, id: TerminalId) -> Vec<Vec<u8>> {
        let line = self.lines.iter_mut().find(|line| line.id == id);
        line.map(|line| std::mem::take(&mut line.frames)).unwrap_or_default()
    }

    fn typed(&mut self, at: usize, seq: u64, bytes: &[u8]) {
        let line = &mut self.lines[at];
        // What was heard before is not typed again; what comes too early will be repeated.
        let Some(known) = line.input_seq.checked_sub(seq) else { return };
        let fresh = usize::try_from(known).ok().and_then(|known| bytes.get(known..));
        let fresh = fresh.unwrap_or_default();
        line.input_seq += fresh.len() as u64;
        line.frames.push(Output::InputAck { input_seq: line.input_seq }.encode());
        if line.ended.is_some() {
            return;
        }
        for byte in fresh {
            let line = &mut self.lines[at];
            line.take_in();
            let mut echo = String::new();
            let at_prompt = line.tty.prompt().is_some();
            let typed = line.keys.feed(*byte, at_prompt, &mut echo);
            line.write(&echo);
            match typed {
                Some(Typed::Line(text)) => line.tty.type_line(&text),
                Some(Typed::EndOfFile) => line.tty.end_of_file(),
                Some(Typed::Interrupt) => self.world.interrupt(&line.tty.clone()),
                Some(Typed::Complete(text)) => self.complete(at, &text),
                Some(Typed::Clear(text)) => {
                    let prompt = line.tty.prompt().map(|(_, prompt)| prompt).unwrap_or_default();
                    line.write(&format!("\x1b[H\x1b[2J{prompt}{text}"));
                }
                None => {}
            }
        }
        self.lines[at].send();
    }

    /// Tab: the beginning that all possible words share is typed; when there is none, they are shown.
    fn complete(&mut self, at: usize, text: &str) {
        let line = &mut self.lines[at];
        let Some((proc, prompt)) = line.tty.prompt() else { return };
        let begun = text.rsplit([' ', ';', '|', '&', '>', '<', '(']).next().unwrap_or_default();
        let is_command = text[..text.len() - begun.len()]
            .trim_end_matches(' ')
            .chars()
            .last()
            .is_none_or(|c| ";|&(".contains(c));
        let (words, before) = if is_command && !begun.contains('/') {
            let names = command_names().into_iter().map(|name| format!("{name} "));
            (names.collect::<Vec<_>>(), begun)
        } else {
            let (dir, name) = begun
                .rsplit_once('/')
                .map_or((".", begun), |(dir, name)| (if dir.is_empty() { "/" } else { dir }, name));
            (self.world.look(|kernel| names_in(kernel, proc, dir)), name)
        };
        let matching: Vec<&String> = words.iter().filter(|word| word.starts_with(before)).collect();
        let Some(first) = matching.first() else { return };
        let shared = matching.iter().fold(first.as_str(), |all, word| {
            let same = all.char_indices().zip(word.chars()).take_while(|((_, a), b)| a == b);
            &all[..same.last().map_or(0, |((at, c), _)| at + c.len_utf8())]
        });
        let mut echo = String::new();
        if shared.len() > before.len() {
            line.keys.insert_text(&shared[before.len()..], &mut echo);
        } else {
            let all: Vec<&str> = matching.iter().map(|word| word.trim_end()).collect();
            echo = format!("\r\n{}\r\n{prompt}{text}", all.join("  "));
        }
        line.write(&echo);
    }
}

/// The names in a directory, as they are completed.
fn names_in(kernel: &Kernel, proc: crate::sim::procs::Proc, dir: &str) -> Vec<String> {
    let entries = kernel.list(proc, dir).unwrap_or_default();
    let name = |entry: crate::sim::kernel::Entry| {
        let end = if entry.kind == Kind::Directory { "/" } else { " " };
        entry.name + end
    };
    entries.into_iter().map(name).collect()
}
