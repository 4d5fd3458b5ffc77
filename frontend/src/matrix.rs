//! The namespace matrix: who is in which namespace, who shares it, and what holds the rest.
//!
//! In reading order: [`matrix`] (a sample and a discovery in, a table out), [`names`] (A, B, C),
//! [`compare`] (two processes), [`maps`] (slopes of id maps), [`mounts`] (trees of mounts).

pub(crate) mod compare;
pub(crate) mod maps;
pub(crate) mod mounts;
pub(crate) mod names;
#[cfg(test)]
mod tests;

use std::collections::{BTreeMap, BTreeSet};

use vitrine_shared::discovery::{Discovery, Found, Holder, Whose};
use vitrine_shared::id::ContainerId;
use vitrine_shared::message::Machine;
use vitrine_shared::namespace::Namespace;
use vitrine_shared::process::Process;

use self::names::Names;
pub(crate) use crate::route::Choice;

/// The whole table.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct Matrix {
    /// The types that are shown, each with how many instances of it there are.
    pub(crate) columns: Vec<(Namespace, usize)>,
    pub(crate) groups: Vec<Group>,
}

/// Rows that belong together.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Group {
    pub(crate) whose: GroupOf,
    pub(crate) rows: Vec<Row>,
}

/// What the rows of a group have in common.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) enum GroupOf {
    /// The machine's own processes.
    Machine,
    /// A container's, by its name.
    Container(String),
    /// This namespace: its type, number and letter.
    Namespace(Namespace, u64, String),
    /// Nobody is in them.
    Held,
}

/// One row.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Row {
    pub(crate) head: Head,
    /// As many as there are columns; `None` where there is nothing to show.
    pub(crate) cells: Vec<Option<Cell>>,
}

/// What a row is about.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Head {
    /// A process: its PID on the host, its innermost PID, its name and command.
    Process { pid: u32, inside: u32, name: String, command: String },
    /// What holds a namespace that nobody is in.
    Held(Vec<Holder>),
}

/// One namespace of a row.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Cell {
    pub(crate) kind: Namespace,
    pub(crate) id: u64,
    /// Its short name among those of its type; empty for the initial one.
    pub(crate) name: String,
    pub(crate) mark: Mark,
}

/// How a row's processes stand to a namespace.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Mark {
    /// The host's: nothing is separated here.
    Initial,
    /// Nobody else is in it.
    Own,
    /// These are in it too.
    Shared(Vec<Party>),
}

/// Who shares.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) enum Party {
    /// The machine itself.
    Machine,
    /// A container, by its name.
    Container(String),
}

/// What the table is made of.
pub(crate) struct Sources<'a> {
    pub(crate) machine: &'a Machine,
    pub(crate) processes: &'a [Process],
    pub(crate) discovery: &'a Discovery,
}

impl Sources<'_> {
    /// The processes in the order of the table: the machine's, then each container's.
    pub(crate) fn ordered(&self) -> Vec<&Process> {
        let place = |process: &Process| match process.container {
            None => 0,
            Some(id) => 1 + self.machine.containers.iter().position(|c| c.id == id).unwrap_or(0),
        };
        let mut processes: Vec<&Process> = self.processes.iter().collect();
        processes.sort_by_key(|process| (place(process), process.start_ticks, process.host_pid()));
        processes
    }

    fn name_of(&self, container: ContainerId) -> String {
        let known = self.machine.containers.iter().find(|known| known.id == container);
        known.map_or_else(|| "?".into(), |known| known.name.clone())
    }

    fn party(&self, process: &Process) -> Party {
        match process.container {
            None => Party::Machine,
            Some(container) => Party::Container(self.name_of(container)),
        }
    }

    fn is_initial(&self, kind: Namespace, id: u64) -> bool {
        self.discovery.initial[kind as usize] == id
            || self.discovery.find(kind, id).is_some_and(|found| found.whose == Whose::Initial)
    }

    /// Those that no process of the sample is in.
    fn held(&self) -> Vec<&Found> {
        let is_in = |found: &Found| {
            self.processes.iter().any(|p| p.namespaces[found.kind as usize] == found.id)
        };
        let free =
            |found: &&Found| found.processes == 0 && found.whose != Whose::Initial && !is_in(found);
        self.discovery.namespaces.iter().filter(free).collect()
    }
}

/// Puts the table together; instances get names that stay theirs.
pub(crate) fn matrix(sources: &Sources<'_>, choice: Choice, names: &mut Names) -> Matrix {
    let processes = sources.ordered();
    let held = sources.held();
    names.learn(instances(sources, &processes, &held));
    let mut parties: BTreeMap<(Namespace, u64), BTreeSet<Party>> = BTreeMap::new();
    for process in &processes {
        for (kind, id) in Namespace::ALL.into_iter().zip(process.namespaces) {
            parties.entry((kind, id)).or_default().insert(sources.party(process));
        }
    }
    let columns = columns(sources, &processes, &held, choice);
    let table = Table { sources, parties, columns: &columns, choice, names };
    let mut groups: Vec<Group> = Vec::new();
    for process in processes {
        let row = table.process(process);
        if choice.only_different && row.cells.iter().all(Option::is_none) {
            continue;
        }
        let whose = table.group_of(process);
        match groups.iter_mut().find(|group| group.whose == whose) {
            Some(group) => group.rows.push(row),
            None => groups.push(Group { whose, rows: vec![row] }),
        }
    }
    let shown = held.into_iter().filter(|found| columns.contains(&found.kind));
    let rows: Vec<Row> = shown.map(|found| table.held(found)).collect();
    if !rows.is_empty() {
        groups.push(Group { whose: GroupOf::Held, rows });
    }
    let count = |kind: Namespace| names.count(kind) + usize::from(has_initial(sources, kind));
    let columns = columns.iter().map(|&kind| (kind, count(kind))).collect();
    Matrix { columns, groups }
}

fn has_initial(sources: &Sources<'_>, kind: Namespace) -> bool {
    sources.processes.iter().any(|p| sources.is_initial(kind, p.namespaces[kind as usize]))
}

/// Every namespace that gets a name, the machine's own first.
fn instances(
    sources: &Sources<'_>,
    processes: &[&Process],
    held: &[&Found],
) -> Vec<(Namespace, u64)> {
    let of = |namespaces: [u64; 8]| Namespace::ALL.into_iter().zip(namespaces);
    let machines = of(sources.discovery.machines);
    let theirs = processes.iter().flat_map(|process| of(process.namespaces));
    let held = held.iter().map(|found| (found.kind, found.id));
    let is_named = |&(kind, id): &(Namespace, u64)| id != 0 && !sources.is_initial(kind, id);
    machines.chain(theirs).chain(held).filter(is_named).collect()
}

fn columns(
    sources: &Sources<'_>,
    processes: &[&Process],
    held: &[&Found],
    choice: Choice,
) -> Vec<Namespace> {
    let differs = |kind: Namespace| {
        held.iter().any(|found| found.kind == kind)
            || processes.iter().any(|process| {
                let id = process.namespaces[kind as usize];
                id != 0 && !sources.is_initial(kind, id)
            })
    };
    choice.types.iter().filter(|&kind| !choice.only_different || differs(kind)).collect()
}

struct Table<'a> {
    sources: &'a Sources<'a>,
    parties: BTreeMap<(Namespace, u64), BTreeSet<Party>>,
    columns: &'a [Namespace],
    choice: Choice,
    names: &'a Names,
}

impl Table<'_> {
    fn process(&self, process: &Process) -> Row {
        let party = self.sources.party(process);
        let cell = |&kind: &Namespace| {
            let id = process.namespaces[kind as usize];
            let cell = self.cell(kind, id, &party)?;
            (!self.choice.only_different || cell.mark != Mark::Initial).then_some(cell)
        };
        let inside = process.pids.last().copied().unwrap_or(0);
        let head = Head::Process {
            pid: process.host_pid(),
            inside,
            name: process.name.clone(),
            command: process.command.clone(),
        };
        Row { head, cells: self.columns.iter().map(cell).collect() }
    }

    fn held(&self, found: &Found) -> Row {
        let cell = |&kind: &Namespace| {
            let name = self.names.of(kind, found.id);
            (kind == found.kind).then_some(Cell { kind, id: found.id, name, mark: Mark::Own })
        };
        let cells = self.columns.iter().map(cell).collect();
        Row { head: Head::Held(found.held_by.clone()), cells }
    }

    fn cell(&self, kind: Namespace, id: u64, party: &Party) -> Option<Cell> {
        if id == 0 {
            return None;
        }
        if self.sources.is_initial(kind, id) {
            return Some(Cell { kind, id, name: String::new(), mark: Mark::Initial });
        }
        let all = self.parties.get(&(kind, id));
        let others: Vec<Party> =
            all.into_iter().flatten().filter(|other| *other != party).cloned().collect();
        let mark = if others.is_empty() { Mark::Own } else { Mark::Shared(others) };
        Some(Cell { kind, id, name: self.names.of(kind, id), mark })
    }

    fn group_of(&self, process: &Process) -> GroupOf {
        if let Some(kind) = self.choice.by {
            let id = process.namespaces[kind as usize];
            return GroupOf::Namespace(kind, id, self.names.of(kind, id));
        }
        match self.sources.party(process) {
            Party::Machine => GroupOf::Machine,
            Party::Container(name) => GroupOf::Container(name),
        }
    }
}
