//! One reading of all processes and their groups, with the rates since the one before.

use std::collections::{BTreeMap, BTreeSet};
use std::time::{Duration, Instant, SystemTime, UNIX_EPOCH};

use anyhow::Context as _;
use serde::Serialize;

use super::super::missed::Missed;
use super::super::place::Place;
use super::super::ps::{self, Sort};
use super::super::table::{self, Align, Column};
use super::super::watch::{Row, Watch};
use super::super::{Host, JSON_VERSION, groups, text};
use crate::observer::group::Group;

/// One process, and what its group says.
#[derive(Clone, Debug, Serialize)]
struct Entry {
    #[serde(flatten)]
    row: Row,
    /// CPU since the reading before, in thousandths of one CPU.
    cpu_permille: u32,
    /// Throttled periods of all periods since the reading before.
    throttled_permille: Option<u32>,
    /// Memory of its group.
    cgroup_memory_bytes: Option<u64>,
    /// And the limit of that; none is `max`.
    cgroup_memory_max_bytes: Option<u64>,
}

/// One reading.
#[derive(Debug)]
pub(super) struct Sample {
    entries: Vec<Entry>,
    pub(super) missed: Missed,
    at: SystemTime,
    elapsed: Duration,
}

#[derive(Debug, Serialize)]
struct Document<'a> {
    version: u32,
    at_unix_msec: u64,
    elapsed_msec: u64,
    interval_msec: u64,
    not_read: Vec<String>,
    processes: &'a [Entry],
}

/// What was read of a group.
#[derive(Clone, Copy, Debug, Default)]
struct Usage {
    /// Periods and throttled ones so far.
    periods: Option<(u64, u64)>,
    memory: Option<(u64, Option<u64>)>,
    throttled_permille: Option<u32>,
}

/// Reads again and again.
pub(super) struct Sampler {
    watch: Watch,
    machine: Option<String>,
    groups: BTreeMap<String, (Group, Usage)>,
    last: Option<Instant>,
    buffer: Vec<u8>,
}

impl Sampler {
    /// Of this host, or only of the machines whose id begins so.
    pub(super) fn new(host: Host, machine: Option<String>) -> anyhow::Result<Self> {
        crate::observer::raise_descriptor_limit();
        let watch = Watch::new(host, true)?;
        Ok(Sampler { watch, machine, groups: BTreeMap::new(), last: None, buffer: Vec::new() })
    }

    /// Reads once more.
    pub(super) fn sample(&mut self, all: bool) -> anyhow::Result<Sample> {
        let mut missed = Missed::default();
        let mut rows = self.watch.read(all, &mut missed);
        let now = Instant::now();
        let elapsed = self.last.map_or(Duration::ZERO, |last| now - last);
        if let Some(machine) = &self.machine {
            // That there is none is an error only at first: a machine may end.
            let found = ps::only(rows, machine);
            rows = if self.last.is_none() { found? } else { found.unwrap_or_default() };
        }
        self.last = Some(now);
        self.read_groups(&rows);
        let entries = rows.into_iter().map(|row| self.entry(row)).collect();
        Ok(Sample { entries, missed, at: SystemTime::now(), elapsed })
    }

    /// Reads the groups of these processes, and those above them that are ours.
    fn read_groups(&mut self, rows: &[Row]) {
        let places = rows.iter().filter_map(|row| row.container.as_deref());
        let paths: BTreeSet<&str> = places.flat_map(|place| lineage(&place.cgroup)).collect();
        self.groups.retain(|path, _| paths.contains(path.as_str()));
        for path in paths {
            let host = &self.watch.host;
            let new = || (groups::reader(host, path), Usage::default());
            let (group, usage) = self.groups.entry(path.to_string()).or_insert_with(new);
            let sample = group.read(&mut self.buffer);
            let is_memory = |name: &str| matches!(name, "memory.usage_in_bytes" | "memory.current");
            let has_memory = sample.files.iter().any(|file| is_memory(&file.name));
            let (nr_periods, nr_throttled) = (sample.cpu.nr_periods, sample.cpu.nr_throttled);
            // Of a first reading there is no "since".
            let share = usage.periods.and_then(|(periods, throttled)| {
                let n_throttled = nr_throttled.saturating_sub(throttled);
                n_throttled.saturating_mul(1_000).checked_div(nr_periods.saturating_sub(periods))
            });
            *usage = Usage {
                periods: Some((nr_periods, nr_throttled)),
                memory: has_memory.then_some((sample.memory_bytes, sample.memory_max)),
                throttled_permille: share.and_then(|share| u32::try_from(share).ok()),
            };
        }
    }

    fn entry(&self, row: Row) -> Entry {
        let path = row.container.as_ref().map_or("", |place| place.cgroup.as_str());
        let of = |path: &str| self.groups.get(path).map(|(_, usage)| *usage);
        let throttled = lineage(path).filter_map(|path| of(path)?.throttled_permille).max();
        let memory = of(path).and_then(|usage| usage.memory);
        Entry {
            cpu_permille: row.cpu_permille,
            throttled_permille: throttled,
            cgroup_memory_bytes: memory.map(|(used, _)| used),
            cgroup_memory_max_bytes: memory.and_then(|(_, max)| max),
            row,
        }
    }
}

/// A group's path and those above it, as far as they are ours.
fn lineage(path: &str) -> impl Iterator<Item = &str> {
    let first = Some(path).filter(|path| !path.is_empty());
    std::iter::successors(first, |path| path.rsplit_once('/').map(|(above, _)| above))
        .take_while(|path| Place::of(path).is_some())
}

const COLUMNS: [Column; 13] = [
    ("PID", Align::Right),
    ("PIDS-IN", Align::Right),
    ("UID", Align::Right),
    ("UID-IN", Align::Right),
    ("S", Align::Left),
    ("%CPU", Align::Right),
    ("THR%", Align::Right),
    ("TIME", Align::Right),
    ("RSS", Align::Right),
    ("GROUP-MEM", Align::Right),
    ("CONTAINER", Align::Left),
    ("NS", Align::Left),
    ("COMMAND", Align::Left),
];

impl Sample {
    /// Sorts the processes.
    pub(super) fn sort(&mut self, key: Sort) {
        // By what they use now, and not by what they have used in their lives.
        let mut rows: Vec<Row> = self.entries.iter().map(|entry| entry.row.clone()).collect();
        ps::sort(&mut rows, key, |row| u64::from(row.cpu_permille));
        let place: BTreeMap<u32, usize> =
            rows.iter().enumerate().map(|(i, row)| (row.pid, i)).collect();
        self.entries.sort_by_key(|entry| place.get(&entry.row.pid).copied());
    }

    /// How many processes there are.
    pub(super) fn len(&self) -> usize {
        self.entries.len()
    }

    /// Was this line's group throttled since the reading before?
    pub(super) fn is_throttled(&self, i: usize) -> bool {
        self.entries.get(i).is_some_and(|entry| entry.throttled_permille.is_some_and(|n| n > 0))
    }

    /// CPU of all of them since the reading before, in thousandths of one CPU.
    pub(super) fn cpu_permille(&self) -> u32 {
        self.entries.iter().fold(0, |sum, entry| sum.saturating_add(entry.cpu_permille))
    }

    /// The lines of its table.
    pub(super) fn lines(&self, headers: bool) -> Vec<String> {
        let rows: Vec<_> = self.entries.iter().map(cells).collect();
        table::lines(&COLUMNS, &rows, headers)
    }

    /// One line of JSON.
    pub(super) fn json(&self, interval: Duration) -> anyhow::Result<String> {
        let msec = |time: Duration| u64::try_from(time.as_millis()).unwrap_or(u64::MAX);
        let document = Document {
            version: JSON_VERSION,
            at_unix_msec: msec(self.at.duration_since(UNIX_EPOCH).unwrap_or_default()),
            elapsed_msec: msec(self.elapsed),
            interval_msec: msec(interval),
            not_read: self.missed.parts(),
            processes: &self.entries,
        };
        Ok(serde_json::to_string(&document).context("write JSON")? + "\n")
    }
}

fn cells(entry: &Entry) -> Vec<String> {
    let row = &entry.row;
    let none = || "-".to_string();
    let memory = entry.cgroup_memory_bytes.map(|used| {
        text::against(&text::bytes(used), entry.cgroup_memory_max_bytes.map(text::bytes))
    });
    vec![
        row.pid.to_string(),
        row.pids_inside(),
        row.uid.to_string(),
        row.uid_inside.map_or_else(none, |uid| uid.to_string()),
        row.state.to_string(),
        text::percent(entry.cpu_permille),
        entry.throttled_permille.map_or_else(none, text::percent),
        text::cpu_time(row.cpu_nsec),
        text::bytes(row.rss_bytes),
        memory.unwrap_or_else(none),
        ps::container(row),
        row.letters(),
        row.command(),
    ]
}

#[cfg(test)]
#[path = "../tests/top.rs"]
pub(crate) mod tests;
