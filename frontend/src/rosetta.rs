//! The Rosetta of one group: its files beside what the other dialect would say, and the way back.

use vitrine_shared::cgroup::{
    BadWrite, CgroupSample, Controller, Dialect, GroupId, Knob, Takes, check_write, file_rule,
};
use vitrine_shared::id::MachineId;
use vitrine_shared::message::{Act, Answer, Command};
use vitrine_shared::rosetta::{How, PAIRS, Pair, Place, other, rows_of, translate};

use crate::state::Told;

/// Names and texts of files.
type Texts = Vec<(&'static str, String)>;

/// One meaning: what this host says, and what the other dialect would.
#[derive(Clone, Debug, PartialEq)]
pub(crate) struct Stone {
    pub(crate) pair: &'static Pair,
    /// The dialect that this host speaks here.
    pub(crate) real: Dialect,
    /// The real files that the row is about.
    texts: Texts,
    /// May this page write them?
    writable: bool,
}

/// One place in one dialect.
#[derive(Clone, Debug, PartialEq)]
pub(crate) struct Cell {
    pub(crate) place: Place,
    /// `None`: there is no such file here, or it cannot be told.
    pub(crate) text: Option<String>,
    /// What may be written, and its unit; `None` where it is only read.
    pub(crate) takes: Option<(Takes, &'static str)>,
}

/// The rows of one controller.
#[derive(Clone, Debug, PartialEq)]
pub(crate) struct Section {
    pub(crate) controller: Option<Controller>,
    pub(crate) stones: Vec<Stone>,
}

/// Everything that can be said of a group in both dialects, controller by controller.
pub(crate) fn sections(group: &CgroupSample) -> Vec<Section> {
    let mut sections: Vec<Section> = Vec::new();
    for pair in PAIRS {
        let Some(stone) = stone(pair, group) else { continue };
        match sections.last_mut().filter(|last| last.controller == pair.controller) {
            Some(section) => section.stones.push(stone),
            None => sections.push(Section { controller: pair.controller, stones: vec![stone] }),
        }
    }
    sections
}

/// Where the other dialect has what one of a group's files says, and what it says there; nothing
/// where it has no such thing.
pub(crate) fn counterpart(group: &CgroupSample, file: &str) -> Option<(Dialect, Vec<Cell>)> {
    let is_of = |stone: &Stone| stone.pair.places(stone.real).iter().any(|at| at.file == file);
    let named = |pair: &&Pair| pair.v1.iter().chain(pair.v2).any(|at| at.file == file);
    let stones = PAIRS.iter().filter(named).filter_map(|pair| stone(pair, group)).filter(is_of);
    let mut found: Option<(Dialect, Vec<Cell>)> = None;
    for stone in stones {
        let there = other(stone.real);
        found.get_or_insert((there, Vec::new())).1.extend(stone.cells(there, None));
    }
    found.filter(|(_, cells)| !cells.is_empty())
}

fn stone(pair: &'static Pair, group: &CgroupSample) -> Option<Stone> {
    let real = dialect_of(pair.controller, group);
    let texts = texts_for(pair, real, group);
    let here = pair.places(real);
    let says = |place: &Place| place.find(&borrowed(&texts)).is_some();
    let shown = match pair.controller {
        // Every group has these, whatever its controllers.
        None => true,
        Some(controller) if here.is_empty() => has_files_of(controller, real, group),
        Some(_) => here.iter().any(says),
    };
    let may =
        |place: &Place| group.files.iter().any(|file| file.name == place.file && file.writable);
    let writable = !here.is_empty() && here.iter().all(may);
    shown.then_some(Stone { pair, real, texts, writable })
}

/// The dialect of a controller: told by a file that only one of them has, else as the cpu's is.
fn dialect_of(controller: Option<Controller>, group: &CgroupSample) -> Dialect {
    let of = |name: &str, dialect| {
        file_rule(name, dialect).is_some_and(|rule| Some(rule.controller) == controller)
    };
    let told = group.files.iter().find_map(|file| {
        match (of(&file.name, Dialect::V1), of(&file.name, Dialect::V2)) {
            (true, false) => Some(Dialect::V1),
            (false, true) => Some(Dialect::V2),
            _ => None,
        }
    });
    told.unwrap_or(group.dialect)
}

fn has_files_of(controller: Controller, dialect: Dialect, group: &CgroupSample) -> bool {
    group.files.iter().any(|file| {
        file_rule(&file.name, dialect).is_some_and(|rule| rule.controller == controller)
    })
}

/// The real files that a row stands on: its own, and the memory's beside swap.
fn texts_for(pair: &Pair, real: Dialect, group: &CgroupSample) -> Texts {
    let own = pair.places(real).iter().map(|place| place.file);
    let beside = match (pair.how, real) {
        (How::Swap { memory_v1, .. }, Dialect::V1) => Some(memory_v1),
        (How::Swap { memory_v2, .. }, Dialect::V2) => Some(memory_v2),
        _ => None,
    };
    let text = |name: &'static str| {
        let file = group.files.iter().find(|file| file.name == name)?;
        Some((name, file.value.clone()))
    };
    own.chain(beside).filter_map(text).collect()
}

fn borrowed(texts: &Texts) -> Vec<(&str, &str)> {
    texts.iter().map(|(name, text)| (*name, text.as_str())).collect()
}

fn convert(pair: &Pair, from: Dialect, texts: &[(&str, &str)]) -> Option<Vec<(Place, String)>> {
    match from {
        Dialect::V1 => pair.to_v2(texts),
        Dialect::V2 => pair.to_v1(texts),
    }
}

impl Stone {
    /// Its places in a dialect. `draft` is what is typed into a real file and not written yet:
    /// the other side follows it while it is typed.
    pub(crate) fn cells(&self, dialect: Dialect, draft: Option<(&str, &str)>) -> Vec<Cell> {
        let mut texts = borrowed(&self.texts);
        if let Some((file, text)) = draft {
            texts.iter_mut().filter(|(name, _)| *name == file).for_each(|one| one.1 = text.trim());
        }
        let derived = convert(self.pair, self.real, &texts).unwrap_or_default();
        let cell = |&place: &Place| {
            let rule = file_rule(place.file, dialect).filter(|_| place.key.is_none());
            let takes = rule.and_then(|rule| Some((rule.takes?, rule.unit)));
            let text = match dialect == self.real {
                true => place.find(&borrowed(&self.texts)).map(String::from),
                false => derived.iter().find(|(at, _)| *at == place).map(|(_, text)| text.clone()),
            };
            let turns = dialect == self.real || self.pair.how != How::Never;
            let takes = takes.filter(|_| self.writable && turns && text.is_some());
            Cell { place, text, takes }
        };
        self.pair.places(dialect).iter().map(cell).collect()
    }

    /// What the other dialect says now, with the memory's own limit beside swap.
    fn other_texts(&self) -> Texts {
        let texts = borrowed(&self.texts);
        let beside = texts.iter().flat_map(|(file, _)| {
            let rows = rows_of(file, self.real).filter(|row| row.how != How::Never);
            rows.filter_map(|row| convert(row, self.real, &texts)).flatten()
        });
        beside
            .filter(|(place, _)| place.key.is_none())
            .map(|(place, text)| (place.file, text))
            .collect()
    }

    /// The writes to real files that a text typed into a file of the other dialect stands for.
    pub(crate) fn plan(&self, file: &str, typed: &str) -> Result<Vec<(Place, String)>, BadWrite> {
        let there = other(self.real);
        let checked = check_write(file, there, typed)?;
        let now = self.other_texts();
        translate(file, there, &checked, &borrowed(&now)).ok_or_else(|| {
            let rule = file_rule(file, there);
            let allowed = rule.and_then(|rule| Some(rule.takes?.in_words(rule.unit)));
            let given = typed.chars().take(40).collect();
            BadWrite::Value { file: file.into(), given, allowed: allowed.unwrap_or_default() }
        })
    }

    /// The commands that do those writes. Quota and period go together: the launcher knows in
    /// which order the kernel takes them.
    pub(crate) fn commands(
        &self,
        machine: MachineId,
        group: GroupId,
        writes: &[(Place, String)],
    ) -> Vec<Command> {
        if self.pair.how == How::QuotaAndPeriod {
            let words: Vec<&str> =
                writes.iter().flat_map(|(_, text)| text.split_whitespace()).collect();
            let [quota, period] = words[..] else { return Vec::new() };
            let Ok(period_usec) = period.parse() else { return Vec::new() };
            let knob = Knob::CpuMax { quota_usec: quota.parse().ok(), period_usec };
            return vec![Command::SetKnob { machine, group, knob }];
        }
        let write = |(place, value): &(Place, String)| Command::WriteFile {
            machine,
            group,
            file: place.file.into(),
            value: value.clone(),
        };
        writes.iter().map(write).collect()
    }

    /// What the last answer says was really written to this row's files: file, old, new.
    pub(crate) fn written(&self, told: &Told, of: GroupId) -> Vec<(String, String, String)> {
        let asked = match &told.command {
            Command::SetKnob { group, .. } | Command::WriteFile { group, .. } => Some(*group),
            _ => None,
        };
        let deeds = match &told.answer {
            Answer::Done { deeds, .. } if asked == Some(of) => deeds.as_slice(),
            _ => &[],
        };
        let wrote = |act: &Act| match act {
            Act::Wrote { path, old, new } => {
                let file = path.rsplit('/').next()?;
                let ours = self.pair.places(self.real).iter().any(|place| place.file == file);
                ours.then(|| (file.to_string(), old.clone(), new.clone()))
            }
            Act::Syscall { .. } => None,
        };
        deeds.iter().filter_map(|deed| wrote(&deed.act)).collect()
    }
}

/// The shell line that writes a text to a file.
pub(crate) fn shell_line(file: &str, text: &str) -> String {
    match is_quoted(text) {
        true => format!("echo \"{text}\" > {file}"),
        false => format!("echo {text} > {file}"),
    }
}

/// Does a shell need quotes around it?
pub(crate) fn is_quoted(text: &str) -> bool {
    text.is_empty() || text.contains(char::is_whitespace)
}

#[cfg(test)]
#[path = "rosetta_tests.rs"]
mod tests;
