//! `vitrine namespaces`: every namespace of the eight types, who is in it, and what holds it.

mod find;
mod relations;

use std::collections::BTreeMap;
use std::rc::Rc;

use serde::Serialize;
use vitrine_shared::namespace::Namespace as Kind;

use super::missed::Missed;
use super::place::{self, Place};
use super::table::{self, Align, Column};
use super::watch::Watch;
use super::{Host, JSON_VERSION, output, text};

/// What is asked for.
#[derive(Clone, Debug, Default)]
pub struct Options {
    /// JSON and no table.
    pub json: bool,
    /// A table without its first line.
    pub no_headers: bool,
    /// Only these types; all when there is none.
    pub types: Vec<Kind>,
}

/// What keeps a namespace, besides the processes in it.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize)]
pub(crate) struct Holder {
    /// `descriptor`, `mount`, `children` (the one a process's children will be in) or
    /// `namespace` (one below it).
    kind: &'static str,
    /// The process with the descriptor or the children, or one that sees the mount.
    pid: Option<u32>,
    /// Number of the descriptor.
    fd: Option<u32>,
    /// Where it is mounted.
    path: Option<String>,
    /// The namespace below it.
    namespace: Option<u64>,
}

/// One namespace.
#[derive(Clone, Debug, Serialize)]
pub(crate) struct Namespace {
    id: u64,
    #[serde(rename = "type")]
    kind: &'static str,
    /// Has it been there since boot?
    initial: bool,
    /// How many processes are in it.
    processes: usize,
    /// The lowest PID of these.
    pid: Option<u32>,
    /// That process's user.
    uid: Option<u32>,
    /// That process's name.
    name: Option<String>,
    /// That process's command line.
    argv: Vec<String>,
    /// The user namespace that owns it; for a user namespace its parent.
    owner: Option<u64>,
    /// The user that made that user namespace; for a user namespace the one that made it.
    owner_uid: Option<u32>,
    /// The parent of a PID or user namespace.
    parent: Option<u64>,
    /// What all its processes have in common.
    #[serde(serialize_with = "place::serialize")]
    container: Option<Rc<Place>>,
    held_by: Vec<Holder>,
    /// Has a living process said whose it is?
    #[serde(skip)]
    is_owned: bool,
    /// Have they nothing in common?
    #[serde(skip)]
    is_mixed: bool,
}

/// Namespaces by type and number.
type Found = BTreeMap<(Kind, u64), Namespace>;

#[derive(Debug, Serialize)]
struct Document {
    version: u32,
    not_read: Vec<String>,
    namespaces: Vec<Namespace>,
}

/// Prints the namespaces.
pub fn namespaces(options: &Options) -> anyhow::Result<()> {
    let mut missed = Missed::default();
    let mut watch = Watch::new(Host::this()?, false)?;
    let mut found = find::find(&mut watch, &mut missed);
    relations::ask(&watch.host.proc, &mut found);
    name_processes(&mut watch, &mut found);
    let wanted = |kind: Kind| options.types.is_empty() || options.types.contains(&kind);
    let namespaces =
        found.into_iter().filter_map(|((kind, _), namespace)| wanted(kind).then_some(namespace));
    let namespaces: Vec<Namespace> = namespaces.collect();
    if options.json {
        output::write_json(&document(namespaces, missed))?;
    } else {
        output::write_lines(&lines(&namespaces, !options.no_headers))?;
    }
    missed.tell();
    Ok(())
}

fn document(namespaces: Vec<Namespace>, missed: Missed) -> Document {
    Document { version: JSON_VERSION, not_read: missed.parts(), namespaces }
}

impl Namespace {
    fn new(kind: Kind, id: u64, initial: bool) -> Self {
        Namespace {
            id,
            kind: kind.proc_name(),
            initial,
            processes: 0,
            pid: None,
            uid: None,
            name: None,
            argv: Vec::new(),
            owner: None,
            owner_uid: None,
            parent: None,
            container: None,
            held_by: Vec::new(),
            is_owned: false,
            is_mixed: false,
        }
    }

    /// One more process is in it; they come in the order of their PIDs. One that has ended says
    /// nothing of whose the namespace is.
    fn enter(&mut self, pid: u32, place: Option<&Rc<Place>>, has_ended: bool) {
        self.processes += 1;
        self.pid = self.pid.or(Some(pid));
        if has_ended || self.is_mixed {
            return;
        }
        self.container = match (self.is_owned, self.container.take(), place) {
            (false, _, place) => place.cloned(),
            (true, Some(before), Some(place)) if Rc::ptr_eq(&before, place) => Some(before),
            (true, Some(before), Some(place)) => before.common(place).map(Rc::new),
            _ => None,
        };
        self.is_owned = true;
        self.is_mixed = self.container.is_none();
    }
}

/// Reads the lowest process of each.
fn name_processes(watch: &mut Watch, found: &mut Found) {
    let mut pids: Vec<u32> = found.values().filter_map(|namespace| namespace.pid).collect();
    pids.sort_unstable();
    pids.dedup();
    // What these hide was counted with all the others.
    let rows = watch.read_these(&pids, &Default::default(), &mut Missed::default());
    for namespace in found.values_mut() {
        let row = rows.iter().find(|row| Some(row.pid) == namespace.pid);
        if let Some(row) = row {
            namespace.uid = Some(row.uid);
            namespace.name = Some(row.name.clone());
            namespace.argv.clone_from(&row.argv);
        }
    }
}

const COLUMNS: [Column; 10] = [
    ("NS", Align::Right),
    ("TYPE", Align::Left),
    ("PROCS", Align::Right),
    ("PID", Align::Right),
    ("UID", Align::Right),
    ("OWNER", Align::Right),
    ("OWNER-UID", Align::Right),
    ("INITIAL", Align::Left),
    ("CONTAINER", Align::Left),
    ("COMMAND", Align::Left),
];

fn lines(namespaces: &[Namespace], headers: bool) -> Vec<String> {
    fn number<T: ToString>(number: Option<T>) -> String {
        number.map_or("-".into(), |number| number.to_string())
    }
    let cells = |namespace: &Namespace| {
        vec![
            namespace.id.to_string(),
            namespace.kind.to_string(),
            namespace.processes.to_string(),
            number(namespace.pid),
            number(namespace.uid),
            number(namespace.owner),
            number(namespace.owner_uid),
            if namespace.initial { "yes" } else { "-" }.to_string(),
            namespace
                .container
                .as_ref()
                .map_or("-".into(), |place| text::escape(&place.to_string())),
            command(namespace),
        ]
    };
    let rows: Vec<_> = namespaces.iter().map(cells).collect();
    table::lines(&COLUMNS, &rows, headers)
}

/// The command of the lowest process; what else holds it where there is no process.
fn command(namespace: &Namespace) -> String {
    match (&namespace.name, namespace.held_by.first()) {
        (Some(name), _) if namespace.argv.is_empty() => format!("[{}]", text::escape(name)),
        (Some(_), _) => text::escape(&namespace.argv.join(" ")),
        (None, Some(holder)) => format!("({})", holder.words()),
        (None, None) => "-".into(),
    }
}

impl Holder {
    fn words(&self) -> String {
        let pid = self.pid.unwrap_or(0);
        match self.kind {
            "descriptor" => format!("held by descriptor {} of PID {pid}", self.fd.unwrap_or(0)),
            "mount" => {
                let path = text::escape(self.path.as_deref().unwrap_or(""));
                format!("mounted on {path}, as PID {pid} sees it")
            }
            "children" => format!("for the children of PID {pid}"),
            _ => format!("held by namespace {}", self.namespace.unwrap_or(0)),
        }
    }
}

#[cfg(test)]
#[path = "tests/namespaces.rs"]
pub(crate) mod tests;
