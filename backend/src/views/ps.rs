//! `vitrine ps`: the processes of machines and containers as the host sees them.

use serde::Serialize;

use super::missed::Missed;
use super::table::{self, Align, Column};
use super::watch::{Row, Watch};
use super::{Host, JSON_VERSION, output, text};

/// What is asked for.
#[derive(Clone, Debug, Default)]
pub struct Options {
    /// Every process of the host.
    pub all: bool,
    /// Only of the machines whose id begins so.
    pub machine: Option<String>,
    /// JSON and no table.
    pub json: bool,
    /// A table without its first line.
    pub no_headers: bool,
    /// In which order.
    pub sort: Sort,
}

/// What the list is sorted by.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, clap::ValueEnum)]
pub enum Sort {
    /// PID on the host.
    #[default]
    Pid,
    /// CPU, most first.
    Cpu,
    /// Resident memory, most first.
    Rss,
    /// Machine and container, then PID.
    Container,
    /// Command line.
    Command,
}

impl Sort {
    /// All of them, in the order of the key `s` of `vitrine top`.
    pub(crate) const ALL: [Sort; 5] =
        [Sort::Pid, Sort::Cpu, Sort::Rss, Sort::Container, Sort::Command];

    /// The word of `--sort`.
    pub(crate) fn name(self) -> &'static str {
        match self {
            Sort::Pid => "pid",
            Sort::Cpu => "cpu",
            Sort::Rss => "rss",
            Sort::Container => "container",
            Sort::Command => "command",
        }
    }
}

/// The document of `--json`.
#[derive(Debug, Serialize)]
struct Document<'a> {
    version: u32,
    not_read: Vec<String>,
    processes: &'a [Row],
}

/// Prints the list.
pub fn ps(options: &Options) -> anyhow::Result<()> {
    let mut missed = Missed::default();
    let mut watch = Watch::new(Host::this()?, false)?;
    let mut rows = watch.read(options.all, &mut missed);
    if let Some(machine) = &options.machine {
        rows = only(rows, machine)?;
    }
    sort(&mut rows, options.sort, |row| row.cpu_nsec);
    if options.json {
        output::write_json(&document(&rows, missed))?;
    } else {
        output::write_lines(&lines(&rows, !options.no_headers))?;
    }
    missed.tell();
    Ok(())
}

fn document(rows: &[Row], missed: Missed) -> Document<'_> {
    Document { version: JSON_VERSION, not_read: missed.parts(), processes: rows }
}

/// The processes of the machines whose id begins so; an error that names those that there are.
pub(crate) fn only(mut rows: Vec<Row>, machine: &str) -> anyhow::Result<Vec<Row>> {
    let of = |row: &Row| row.container.as_ref()?.machine.clone();
    let mut machines: Vec<String> = rows.iter().filter_map(of).collect();
    // The groups have the first digits of an id in their names.
    let is_meant = |name: &String| name.starts_with(machine) || machine.starts_with(name.as_str());
    rows.retain(|row| of(row).as_ref().is_some_and(is_meant));
    if !rows.is_empty() {
        return Ok(rows);
    }
    machines.sort();
    machines.dedup();
    let there = if machines.is_empty() { "there is none".into() } else { machines.join(", ") };
    anyhow::bail!("no machine on this host has an id that begins with {machine}; machines: {there}")
}

/// Sorts; `cpu` says what is compared by the key of that name.
pub(crate) fn sort(rows: &mut [Row], key: Sort, cpu: impl Fn(&Row) -> u64) {
    use std::cmp::Reverse;
    rows.sort_by_key(|row| row.pid);
    match key {
        Sort::Pid => {}
        Sort::Cpu => rows.sort_by_key(|row| Reverse(cpu(row))),
        Sort::Rss => rows.sort_by_key(|row| Reverse(row.rss_bytes)),
        // Processes of nobody come last.
        Sort::Container => rows.sort_by(|a, b| {
            let key = |row: &Row| (row.container.is_none(), row.container.clone());
            key(a).cmp(&key(b))
        }),
        Sort::Command => rows.sort_by_cached_key(Row::command),
    }
}

const COLUMNS: [Column; 10] = [
    ("PID", Align::Right),
    ("PIDS-IN", Align::Right),
    ("UID", Align::Right),
    ("UID-IN", Align::Right),
    ("S", Align::Left),
    ("TIME", Align::Right),
    ("RSS", Align::Right),
    ("CONTAINER", Align::Left),
    ("NS", Align::Left),
    ("COMMAND", Align::Left),
];

fn lines(rows: &[Row], headers: bool) -> Vec<String> {
    let cells = |row: &Row| {
        vec![
            row.pid.to_string(),
            row.pids_inside(),
            row.uid.to_string(),
            row.uid_inside.map_or("-".into(), |uid| uid.to_string()),
            row.state.to_string(),
            text::cpu_time(row.cpu_nsec),
            text::bytes(row.rss_bytes),
            container(row),
            row.letters(),
            row.command(),
        ]
    };
    let rows: Vec<_> = rows.iter().map(cells).collect();
    table::lines(&COLUMNS, &rows, headers)
}

/// The cell that says whose it is.
pub(crate) fn container(row: &Row) -> String {
    row.container.as_ref().map_or("-".into(), |place| text::escape(&place.to_string()))
}

#[cfg(test)]
#[path = "tests/ps.rs"]
pub(crate) mod tests;
