//! What this page wrote to files of groups, and how it is taken back, latest first.

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
    pub(crate) new: String,
}

/// The writes of this page, oldest first.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct Undo {
    done: Vec<Edit>,
    seen: u32,
    /// The last of them is being taken back.
    pending: bool,
}

impl Undo {
    /// Takes note of an answer; each counts once.
    pub(crate) fn hear(&mut self, told: &Told) {
        if told.number <= self.seen {
            return;
        }
        self.seen = told.number;
        let Command::WriteFile { group, file, value, .. } = &told.command else { return };
        let is_undo = self.pending
            && self.done.last().is_some_and(|edit| {
                edit.group == *group && edit.file == *file && edit.back == *value
            });
        if is_undo {
            self.pending = false;
        }
        let Answer::Done { deeds, .. } = &told.answer else { return };
        if is_undo {
            self.done.pop();
            return;
        }
        let wrote = deeds.iter().rev().find_map(|deed| match &deed.act {
            Act::Wrote { path, old, new } if path.rsplit('/').next() == Some(file) => {
                Some((old, new))
            }
            _ => None,
        });
        if let Some((old, new)) = wrote.filter(|(old, new)| old != new)
            && let Some(back) = way_back(file, old)
        {
            self.done.push(Edit { group: *group, file: file.clone(), back, new: new.clone() });
            let surplus = self.done.len().saturating_sub(KEPT);
            self.done.drain(..surplus);
        }
    }

    /// The write that is taken back next.
    pub(crate) fn next(&self) -> Option<&Edit> {
        self.done.last().filter(|_| !self.pending)
    }

    /// It has been asked for; a refusal leaves it where it is.
    pub(crate) fn asked(&mut self) {
        self.pending = true;
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
        let next = undo.next().unwrap();
        assert_eq!((next.file.as_str(), next.back.as_str()), ("pids.max", "max"));
        undo.asked();
        assert_eq!(undo.next(), None, "not twice");
        undo.hear(&told(3, "pids.max", "max", "9", "max"));
        assert_eq!(undo.next().unwrap().back, "-1");
    }

    #[test]
    fn what_is_refused_can_be_taken_back_later() {
        let mut undo = Undo::default();
        undo.hear(&told(1, "cpu.cfs_quota_us", "20000", "50000", "20000"));
        undo.asked();
        let reason = Refusal::Unknown { what: vitrine_shared::refusal::Thing::Group };
        let refused = Answer::Refused { reason, hint: String::new() };
        undo.hear(&Told { answer: refused, ..told(2, "cpu.cfs_quota_us", "50000", "", "") });
        assert_eq!(undo.next().unwrap().back, "50000");
        // A new write by hand while nothing is pending is a new one.
        undo.hear(&told(3, "cpu.cfs_quota_us", "50000", "20000", "50000"));
        assert_eq!(undo.next().unwrap().back, "20000");
    }

    #[test]
    fn only_what_one_write_can_give_back() {
        let mut undo = Undo::default();
        undo.hear(&told(1, "pids.max", "9", "9", "9"));
        undo.hear(&told(2, "cpuset.cpus", "0", "", "0"));
        undo.hear(&told(3, "io.max", "8:0 rbps=1", "8:0 rbps=2\n8:16 rbps=3", "…"));
        assert_eq!(undo.next(), None);
        undo.hear(&told(4, "memory.limit_in_bytes", "1048576", "9223372036854771712", "1048576"));
        assert_eq!(undo.next().unwrap().back, "-1");
        for number in 5..200 {
            undo.hear(&told(number, "pids.max", "1", "2", "1"));
        }
        assert_eq!(undo.done.len(), KEPT);
    }
}
