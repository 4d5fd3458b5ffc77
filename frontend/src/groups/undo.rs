//! What this page wrote to files of groups: how it is taken back, latest first, and done again.

use vitrine_shared::cgroup::{Dialect, GroupId, check_write};
use vitrine_shared::message::{Act, Answer, Command};

use crate::state::Told;

/// Writes that can be taken back.
const KEPT: usize = 50;
/// What v1's memory controller says for no limit is the largest multiple of a page in a C `long`.
const V1_NO_LIMIT: u64 = i64::MAX as u64 - 0xffff;

/// One write that was done.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Edit {
    pub(crate) group: GroupId,
    pub(crate) file: String,
    /// What takes it back.
    pub(crate) back: String,
    /// What does it again.
    pub(crate) again: String,
}

/// Which way one goes in what was done.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Way {
    /// The last write is taken back.
    Back,
    /// The last one that was taken back is done again.
    Again,
}

/// The writes of this page.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct Undo {
    /// Oldest first.
    done: Vec<Edit>,
    /// Taken back, the last of them at the end.
    undone: Vec<Edit>,
    seen: u32,
    /// This has been asked for and is not answered yet.
    pending: Option<Way>,
}

impl Undo {
    /// Takes note of an answer; each counts once.
    pub(crate) fn hear(&mut self, told: &Told) {
        if told.number <= self.seen {
            return;
        }
        self.seen = told.number;
        let Command::WriteFile { group, file, value, .. } = &told.command else { return };
        let is_it = |edit: &Edit, way| {
            edit.group == *group && edit.file == *file && edit.value(way) == value
        };
        let way = self.pending.filter(|way| self.last(*way).is_some_and(|edit| is_it(edit, *way)));
        if way.is_some() {
            self.pending = None;
        }
        let Answer::Done { deeds, .. } = &told.answer else { return };
        match way {
            Some(Way::Back) => self.undone.extend(self.done.pop()),
            Some(Way::Again) => self.done.extend(self.undone.pop()),
            None => {
                let wrote = deeds.iter().rev().find_map(|deed| match &deed.act {
                    Act::Wrote { path, old, new } if path.rsplit('/').next() == Some(file) => {
                        Some((old, new))
                    }
                    _ => None,
                });
                if let Some((old, new)) = wrote.filter(|(old, new)| old != new) {
                    self.wrote(*group, file, value, (old, new));
                }
            }
        }
    }

    /// A write by hand: what was taken back before it leads nowhere any more.
    fn wrote(&mut self, group: GroupId, file: &str, value: &str, (old, new): (&str, &str)) {
        self.undone.clear();
        let Some(back) = way_back(file, old) else { return };
        // What was typed says it again, and so does what the kernel made of it.
        let again = way_back(file, new).unwrap_or_else(|| value.to_owned());
        self.done.push(Edit { group, file: file.to_owned(), back, again });
        let surplus = self.done.len().saturating_sub(KEPT);
        self.done.drain(..surplus);
    }

    fn last(&self, way: Way) -> Option<&Edit> {
        match way {
            Way::Back => self.done.last(),
            Way::Again => self.undone.last(),
        }
    }

    /// The write that is taken back next, or done again.
    pub(crate) fn next(&self, way: Way) -> Option<&Edit> {
        self.last(way).filter(|_| self.pending.is_none())
    }

    /// It has been asked for; a refusal leaves it where it is.
    pub(crate) fn asked(&mut self, way: Way) {
        self.pending = Some(way);
    }
}

impl Edit {
    /// What is written, to go this way.
    pub(crate) fn value(&self, way: Way) -> &String {
        match way {
            Way::Back => &self.back,
            Way::Again => &self.again,
        }
    }
}

/// The text that gives a file back what it said; `None` where it cannot be said in one write.
fn way_back(file: &str, old: &str) -> Option<String> {
    let is_none = old.parse().is_ok_and(|bytes: u64| bytes >= V1_NO_LIMIT);
    let text = if is_none { "-1" } else { old };
    let written = |dialect| check_write(file, dialect, text).ok();
    written(Dialect::V1).or_else(|| written(Dialect::V2))
}

#[cfg(test)]
mod tests {
    use vitrine_shared::message::{Deed, Refusal};

    use super::*;
    use crate::fixture::MACHINE;

    const GROUP: GroupId = GroupId::Root;

    fn told(number: u32, file: &str, value: &str, old: &str, new: &str) -> Told {
        let path = format!("/sys/fs/cgroup/cpu/x/{file}");
        let act = Act::Wrote { path, old: old.into(), new: new.into() };
        Told {
            number,
            command: Command::WriteFile {
                machine: MACHINE,
                group: GROUP,
                file: file.into(),
                value: value.into(),
            },
            answer: Answer::Done { deeds: vec![Deed { act, shell: String::new() }], made: None },
        }
    }

    #[test]
    fn latest_first_and_each_answer_once() {
        let mut undo = Undo::default();
        let first = told(1, "cpu.cfs_quota_us", "20000", "-1", "20000");
        undo.hear(&first);
        undo.hear(&first);
        undo.hear(&told(2, "pids.max", "9", "max", "9"));
        let next = undo.next(Way::Back).unwrap();
        assert_eq!((next.file.as_str(), next.back.as_str()), ("pids.max", "max"));
        undo.asked(Way::Back);
        assert_eq!(undo.next(Way::Back), None, "not twice");
        undo.hear(&told(3, "pids.max", "max", "9", "max"));
        assert_eq!(undo.next(Way::Back).unwrap().back, "-1");
    }

    #[test]
    fn what_was_taken_back_is_done_again_until_something_else_is_written() {
        let mut undo = Undo::default();
        undo.hear(&told(1, "pids.max", "9", "max", "9"));
        undo.hear(&told(2, "pids.max", "8", "9", "8"));
        assert_eq!(undo.next(Way::Again), None);
        for (number, value, old) in [(3, "9", "8"), (4, "max", "9")] {
            undo.asked(Way::Back);
            undo.hear(&told(number, "pids.max", value, old, value));
        }
        assert_eq!(undo.next(Way::Back), None);
        let next = undo.next(Way::Again).unwrap();
        assert_eq!((next.file.as_str(), next.again.as_str()), ("pids.max", "9"), "first the first");
        undo.asked(Way::Again);
        assert_eq!((undo.next(Way::Again), undo.next(Way::Back)), (None, None), "one at a time");
        undo.hear(&told(5, "pids.max", "9", "max", "9"));
        assert_eq!(undo.next(Way::Back).unwrap().back, "max");
        assert_eq!(undo.next(Way::Again).unwrap().again, "8");
        undo.hear(&told(6, "cpu.cfs_quota_us", "20000", "-1", "20000"));
        assert_eq!(undo.next(Way::Again), None, "that way is closed");
    }

    #[test]
    fn what_is_refused_can_be_taken_back_later() {
        let mut undo = Undo::default();
        undo.hear(&told(1, "cpu.cfs_quota_us", "20000", "50000", "20000"));
        undo.asked(Way::Back);
        let reason = Refusal::Unknown { what: vitrine_shared::refusal::Thing::Group };
        let refused = Answer::Refused { reason, hint: String::new() };
        undo.hear(&Told { answer: refused, ..told(2, "cpu.cfs_quota_us", "50000", "", "") });
        assert_eq!(undo.next(Way::Back).unwrap().back, "50000");
        // A new write by hand while nothing is pending is a new one.
        undo.hear(&told(3, "cpu.cfs_quota_us", "50000", "20000", "50000"));
        assert_eq!(undo.next(Way::Back).unwrap().back, "20000");
    }

    #[test]
    fn only_what_one_write_can_give_back() {
        let mut undo = Undo::default();
        undo.hear(&told(1, "pids.max", "9", "9", "9"));
        undo.hear(&told(2, "cpuset.cpus", "0", "", "0"));
        undo.hear(&told(3, "io.max", "8:0 rbps=1", "8:0 rbps=2\n8:16 rbps=3", "…"));
        assert_eq!(undo.next(Way::Back), None);
        undo.hear(&told(4, "memory.limit_in_bytes", "1048576", "9223372036854771712", "1048576"));
        assert_eq!(undo.next(Way::Back).unwrap().back, "-1");
        for number in 5..200 {
            undo.hear(&told(number, "pids.max", "1", "2", "1"));
        }
        assert_eq!(undo.done.len(), KEPT);
    }
}
