//! The keys of the table, as the ARIA Authoring Practices have them for a `treegrid` of rows, and
//! those that change something.

use vitrine_shared::cgroup::GroupId;
use vitrine_shared::id::MachineId;
use vitrine_shared::message::Command;
use web_sys::Element;
use yew::prelude::*;

use super::form::Form;
use super::{is_own, turn};
use crate::groups::tree::{Key, Line, Wish};
use crate::groups::undo::Way;

/// What the keys do.
pub(super) struct Doing {
    pub(super) lines: Vec<Line>,
    pub(super) here: usize,
    pub(super) active: UseStateHandle<Key>,
    pub(super) wish: UseStateHandle<Wish>,
    pub(super) form: UseStateHandle<Option<Form>>,
    pub(super) cut: UseStateHandle<Option<u32>>,
    pub(super) go: Callback<Way>,
    pub(super) grid: NodeRef,
    /// The machine, if this page may change it.
    pub(super) machine: Option<MachineId>,
    pub(super) send: Callback<Command>,
}

impl Doing {
    /// Does what a key says, when the table has the keys.
    pub(super) fn key(&self, event: &KeyboardEvent) {
        // Fields in the table have keys of their own.
        let in_table = self.grid.get().zip(event.target_dyn_into::<web_sys::Node>());
        if !in_table.is_some_and(|(grid, target)| grid == target) {
            return;
        }
        let control = event.ctrl_key() || event.meta_key();
        let done = match (control, event.key().to_lowercase().as_str()) {
            (true, "z") if event.shift_key() => self.undo(Way::Again),
            (true, "z") => self.undo(Way::Back),
            (true, "y") => self.undo(Way::Again),
            (true, "x") => self.cut_here(),
            (true, "v") => self.paste_here(),
            (true, _) => false,
            (false, _) => self.plain(&event.key()),
        };
        if done {
            event.prevent_default();
        }
    }

    fn undo(&self, way: Way) -> bool {
        self.go.emit(way);
        true
    }

    fn plain(&self, key: &str) -> bool {
        let Some(line) = self.lines.get(self.here).copied() else { return false };
        let last = self.lines.len() - 1;
        match key {
            "ArrowDown" => self.move_to((self.here + 1).min(last)),
            "ArrowUp" => self.move_to(self.here.saturating_sub(1)),
            "PageDown" => self.move_to((self.here + 10).min(last)),
            "PageUp" => self.move_to(self.here.saturating_sub(10)),
            "Home" => self.move_to(0),
            "End" => self.move_to(last),
            "ArrowRight" => match line.open {
                Some(false) => turn(&self.wish, line.key.group()),
                Some(true) => self.move_to((self.here + 1).min(last)),
                None => {}
            },
            "ArrowLeft" => match line.open {
                Some(true) => turn(&self.wish, line.key.group()),
                _ => self.move_to(self.above(line.level)),
            },
            "Enter" | "F2" => self.open(Form::edit(line.key.group())),
            "n" | "N" | "Insert" if is_own(line.key.group()) => {
                self.open(Form::make(line.key.group()));
            }
            "Delete" => self.remove(line.key),
            "Escape" if self.cut.is_some() => self.cut.set(None),
            _ => return false,
        }
        true
    }

    fn above(&self, level: usize) -> usize {
        let above = self.lines[..self.here].iter().rposition(|line| line.level < level);
        above.unwrap_or(self.here)
    }

    fn open(&self, form: Form) {
        if self.machine.is_some() && form.group() != GroupId::Cap {
            self.form.set(Some(form));
        }
    }

    fn remove(&self, key: Key) {
        if let (Key::Group(group), Some(machine)) = (key, self.machine) {
            self.send.emit(Command::RemoveGroup { machine, group });
        }
    }

    fn cut_here(&self) -> bool {
        let key = self.lines.get(self.here).map(|line| line.key);
        if let Some(Key::Process(pid, group)) = key
            && is_own(group)
        {
            self.cut.set(Some(pid));
        }
        true
    }

    fn paste_here(&self) -> bool {
        let line = self.lines.get(self.here);
        if let (Some(line), Some(machine), Some(pid)) = (line, self.machine, *self.cut) {
            let group = line.key.group();
            self.send.emit(Command::MoveProcess { machine, pid, group });
            self.cut.set(None);
        }
        true
    }

    /// Makes a row the active one; it is brought into sight as soon as it is.
    fn move_to(&self, to: usize) {
        if let Some(line) = self.lines.get(to) {
            self.active.set(line.key);
        }
    }
}

/// Scrolls the table so that a row is in sight.
pub(super) fn bring(grid: &NodeRef, row: i32, to: usize) {
    let Some(grid) = grid.cast::<Element>() else { return };
    let height = grid.client_height();
    let top = i32::try_from(to).unwrap_or(i32::MAX).saturating_mul(row);
    // The head stays on top of the rows, one row high.
    if top < grid.scroll_top() {
        grid.set_scroll_top(top);
    } else if top.saturating_add(2 * row) > grid.scroll_top() + height {
        grid.set_scroll_top(top.saturating_add(2 * row) - height);
    }
}
