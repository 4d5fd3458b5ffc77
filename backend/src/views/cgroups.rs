//! `vitrine cgroups`: groups as a tree, each usage against its limit, and whose limit binds.

use std::cmp::Ordering;

use serde::Serialize;
use vitrine_shared::cgroup::{CgroupSample, Dialect};

use super::missed::Missed;
use super::place::Place;
use super::table::{self, Align, Column};
use super::{Host, JSON_VERSION, groups, output, text};

/// What is asked for.
#[derive(Clone, Debug, Default)]
pub struct Options {
    /// Every group of the host.
    pub all: bool,
    /// JSON and no table.
    pub json: bool,
    /// Whole paths, not a tree.
    pub flat: bool,
    /// A table without its first line.
    pub no_headers: bool,
}

/// A usage and its limits.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
struct Gauge {
    /// What is used now.
    current: u64,
    /// The group's own limit; none is `max`.
    max: Option<u64>,
    /// The least limit of the group and those above it.
    effective_max: Option<u64>,
    /// Path of the group whose limit that is.
    bound_by: Option<String>,
}

/// CPU time and bandwidth.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
struct Cpu {
    usage_nsec: Option<u64>,
    quota_usec: Option<u64>,
    period_usec: Option<u64>,
    nr_periods: Option<u64>,
    nr_throttled: Option<u64>,
    throttled_usec: Option<u64>,
    effective_permille: Option<u64>,
    bound_by: Option<String>,
}

/// One group.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
struct Group {
    path: String,
    container: Option<Place>,
    controllers: Vec<String>,
    cpu: Cpu,
    memory_bytes: Option<Gauge>,
    pids: Option<Gauge>,
}

/// One mounted hierarchy.
#[derive(Debug, Serialize)]
struct Mounted<'a> {
    version: u8,
    controllers: &'a [String],
    directory: String,
}

#[derive(Debug, Serialize)]
struct Document<'a> {
    version: u32,
    not_read: Vec<String>,
    hierarchies: Vec<Mounted<'a>>,
    groups: Vec<Group>,
}

/// Prints the groups.
pub fn cgroups(options: &Options) -> anyhow::Result<()> {
    let host = Host::this()?;
    let mut missed = Missed::default();
    let groups = read(&host, options.all, &mut missed);
    if options.json {
        output::write_json(&document(&host, groups, missed))?;
    } else {
        output::write_lines(&lines(&groups, options, glyphs()))?;
    }
    missed.tell();
    Ok(())
}

fn document(host: &Host, groups: Vec<Group>, missed: Missed) -> Document<'_> {
    let mounted = host.hierarchies.iter().map(|hierarchy| Mounted {
        version: if hierarchy.dialect == Dialect::V1 { 1 } else { 2 },
        controllers: &hierarchy.controllers,
        directory: hierarchy.directory.display().to_string(),
    });
    let not_read = missed.parts();
    Document { version: JSON_VERSION, not_read, hierarchies: mounted.collect(), groups }
}

/// Reads the groups, parents first. Those above ours are read for their limits.
fn read(host: &Host, all: bool, missed: &mut Missed) -> Vec<Group> {
    let mut found: Vec<(String, Vec<usize>)> = groups::all(host, missed).into_iter().collect();
    found.sort_by(|(a, _), (b, _)| in_tree(a, b));
    let ours: Vec<String> = found
        .iter()
        .map(|(path, _)| path)
        .filter(|path| Place::of(path).is_some())
        .cloned()
        .collect();
    let is_above = |path: &str| ours.iter().any(|other| is_below(other, path));
    let mut buffer = Vec::new();
    let mut chain: Vec<(String, CgroupSample)> = Vec::new();
    let mut shown = Vec::new();
    for (path, hierarchies) in found {
        let place = Place::of(&path);
        if !all && place.is_none() && !is_above(&path) {
            continue;
        }
        chain.retain(|(above, _)| is_below(&path, above));
        chain.push((path.clone(), groups::sample(host, &path, &mut buffer)));
        if all || place.is_some() {
            let controllers = groups::controllers(host, &hierarchies);
            shown.push(group(path, place, controllers, &chain));
        }
    }
    shown
}

/// The last group of a chain, from the root down to it.
fn group(
    path: String,
    container: Option<Place>,
    controllers: Vec<String>,
    chain: &[(String, CgroupSample)],
) -> Group {
    let own = &chain[chain.len() - 1].1;
    let has = |names: &[&str]| own.files.iter().any(|file| names.contains(&file.name.as_str()));
    let least = |limit: &dyn Fn(&CgroupSample) -> Option<u64>| {
        // The nearest of equals: what is written there can only be raised there.
        let limits = chain.iter().rev().filter_map(|(path, sample)| Some((limit(sample)?, path)));
        limits.min_by_key(|(limit, _)| *limit).map(|(limit, path)| (limit, path.clone())).unzip()
    };
    let (effective_permille, cpu_bound_by) = least(&cpu_permille);
    let has_cpu = has(&["cpu.stat"]);
    let has_quota = has(&["cpu.cfs_quota_us", "cpu.max"]);
    let stat = |value| has_cpu.then_some(value);
    let cpu = Cpu {
        usage_nsec: (has(&["cpuacct.usage"]) || own.cpu_nsec > 0).then_some(own.cpu_nsec),
        quota_usec: own.cpu.quota_usec,
        period_usec: has_quota.then_some(own.cpu.period_usec),
        nr_periods: stat(own.cpu.nr_periods),
        nr_throttled: stat(own.cpu.nr_throttled),
        throttled_usec: stat(own.cpu.throttled_usec),
        effective_permille,
        bound_by: cpu_bound_by,
    };
    let gauge = |files: &[&str], current: u64, max: &dyn Fn(&CgroupSample) -> Option<u64>| {
        let (effective_max, bound_by) = least(max);
        has(files).then(|| Gauge { current, max: max(own), effective_max, bound_by })
    };
    let memory = gauge(&["memory.usage_in_bytes", "memory.current"], own.memory_bytes, &|sample| {
        sample.memory_max
    });
    let pids = gauge(&["pids.current"], own.pids, &|sample| sample.pids_max);
    Group { path, container, controllers, cpu, memory_bytes: memory, pids }
}

/// A quota in thousandths of one CPU.
fn cpu_permille(sample: &CgroupSample) -> Option<u64> {
    let quota_usec = sample.cpu.quota_usec?;
    quota_usec.saturating_mul(1_000).checked_div(sample.cpu.period_usec)
}

/// The order of a tree: by names, level by level.
fn in_tree(a: &str, b: &str) -> Ordering {
    a.split('/').cmp(b.split('/'))
}

/// Is the group somewhere below the other?
fn is_below(path: &str, above: &str) -> bool {
    above.is_empty() && !path.is_empty()
        || path.strip_prefix(above).is_some_and(|rest| rest.starts_with('/'))
}

const COLUMNS: [Column; 7] = [
    ("GROUP", Align::Left),
    ("CPU-TIME", Align::Right),
    ("QUOTA/PERIOD", Align::Right),
    ("THROTTLED", Align::Right),
    ("MEMORY", Align::Right),
    ("PIDS", Align::Right),
    ("BOUND-ABOVE", Align::Left),
];

fn lines(groups: &[Group], options: &Options, glyphs: [&str; 4]) -> Vec<String> {
    let rows: Vec<Vec<String>> = groups
        .iter()
        .enumerate()
        .map(|(i, group)| {
            let name = if options.flat { group.path.clone() } else { branch(groups, i, glyphs) };
            cells(group, if name.is_empty() { "/".into() } else { name })
        })
        .collect();
    table::lines(&COLUMNS, &rows, !options.no_headers)
}

fn cells(group: &Group, name: String) -> Vec<String> {
    let none = || "-".to_string();
    let number = |n: Option<u64>| n.map_or_else(none, |n| n.to_string());
    let cpu = &group.cpu;
    let quota = cpu.period_usec.map(|period| {
        let quota = cpu.quota_usec.map_or("max".into(), |quota| quota.to_string());
        format!("{quota}/{period}")
    });
    let throttled = cpu.nr_periods.map(|n| format!("{}/{n}", number(cpu.nr_throttled)));
    let gauge = |gauge: &Option<Gauge>, show: fn(u64) -> String| {
        let shown = |gauge: &Gauge| text::against(&show(gauge.current), gauge.max.map(show));
        gauge.as_ref().map_or_else(none, shown)
    };
    vec![
        text::escape(&name),
        cpu.usage_nsec.map_or_else(none, text::cpu_time),
        quota.unwrap_or_else(none),
        throttled.unwrap_or_else(none),
        gauge(&group.memory_bytes, text::bytes),
        gauge(&group.pids, |n| n.to_string()),
        bound_above(group),
    ]
}

/// The limits that bind from above, each with the number of levels up: `cpu^1 memory^2`.
fn bound_above(group: &Group) -> String {
    let bound = |gauge: &Option<Gauge>| gauge.as_ref().and_then(|gauge| gauge.bound_by.clone());
    let depth = |path: &str| path.split('/').filter(|name| !name.is_empty()).count();
    let shown = |(name, by): (&str, Option<String>)| {
        let levels = depth(&group.path).checked_sub(depth(&by?)).filter(|&n| n > 0)?;
        Some(format!("{name}^{levels}"))
    };
    let all = [
        ("cpu", group.cpu.bound_by.clone()),
        ("memory", bound(&group.memory_bytes)),
        ("pids", bound(&group.pids)),
    ];
    all.into_iter().filter_map(shown).collect::<Vec<_>>().join(" ")
}

/// The branch of a tree that leads to a group, and its name.
fn branch(groups: &[Group], at: usize, [tee, end, bar, gap]: [&str; 4]) -> String {
    let path = &groups[at].path;
    let is_listed = |path: &str| groups.iter().any(|group| group.path == path);
    let is_last = |path: &str| {
        let Some((parent, _)) = split(path) else { return true };
        let is_sibling =
            |other: &str| split(other).is_some_and(|(p, _)| p == parent) && other != path;
        !groups.iter().any(|g| is_sibling(&g.path) && in_tree(&g.path, path) == Ordering::Greater)
    };
    let Some((mut parent, name)) = split(path).filter(|(parent, _)| is_listed(parent)) else {
        // A root of what is shown goes by its whole path.
        return path.clone();
    };
    let mut shown = vec![name, if is_last(path) { end } else { tee }];
    while let Some((above, _)) = split(parent).filter(|(above, _)| is_listed(above)) {
        shown.push(if is_last(parent) { gap } else { bar });
        parent = above;
    }
    shown.reverse();
    shown.concat()
}

/// A path's parent and its last name; the root has neither.
fn split(path: &str) -> Option<(&str, &str)> {
    if path.is_empty() { None } else { Some(path.rsplit_once('/').unwrap_or(("", path))) }
}

/// What a tree is drawn with: lines where the terminal speaks UTF-8.
fn glyphs() -> [&'static str; 4] {
    let set = |name| std::env::var(name).ok().filter(|value| !value.is_empty());
    let locale = ["LC_ALL", "LC_CTYPE", "LANG"].into_iter().find_map(set).unwrap_or_default();
    let locale = locale.to_ascii_lowercase();
    if locale.contains("utf-8") || locale.contains("utf8") {
        ["├─ ", "└─ ", "│  ", "   "]
    } else {
        ["|- ", "`- ", "|  ", "   "]
    }
}

#[cfg(test)]
#[path = "tests/cgroups.rs"]
pub(crate) mod tests;
