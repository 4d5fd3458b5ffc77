//! What one types about groups, on a host of either dialect.
//!
//! Tests say it in v1's words, as the text does. Where a controller is v2's, the page's own table of
//! both dialects (`vitrine_shared::rosetta`) turns it: so that table, too, is held to the kernel.

use vitrine_shared::rosetta::{self, Texts};

use super::cgroup::{Dialect, by_dialect, dialect};
use super::lab::Lab;

/// What a new group says, for values that are one of two in a file.
const NEW: Texts<'static> = &[
    ("cpu.cfs_quota_us", "-1"),
    ("cpu.cfs_period_us", "100000"),
    ("memory.limit_in_bytes", "9223372036854771712"),
];

/// A group below the root that is seen: `dir("cpu", "mine")`.
pub(crate) fn dir(controller: &str, group: &str) -> String {
    let home = by_dialect(controller, format!("/sys/fs/cgroup/{controller}"), String::new());
    let home = if home.is_empty() { "/sys/fs/cgroup".into() } else { home };
    if group.is_empty() { home } else { format!("{home}/{group}") }
}

/// Whose file it is by v1's name: `cpu` of `cpu.shares`; `memory` stands for those of every group.
fn controller(file: &str) -> &str {
    match file.split('.').next().unwrap_or_default() {
        "tasks" | "cgroup" => "memory",
        known => known,
    }
}

/// The file that has it on this host.
pub(crate) fn file(v1: &str) -> &str {
    // To move a thread alone is another thing there.
    if v1 == "tasks" {
        return by_dialect("memory", "tasks", "cgroup.procs");
    }
    let row = || rosetta::rows_of(v1, Dialect::V1).find(|pair| !pair.v2.is_empty());
    match dialect(controller(v1)) {
        Dialect::V1 => v1,
        Dialect::V2 => row().unwrap_or_else(|| panic!("v2 has nothing like {v1}")).v2[0].file,
    }
}

/// `echo VALUE > GROUP/FILE`.
pub(crate) fn set(group: &str, v1: &str, value: &str) -> String {
    match dialect(controller(v1)) {
        Dialect::V1 => format!("echo {value} > {group}/{v1}"),
        Dialect::V2 => {
            let lines = rosetta::translate(v1, Dialect::V1, value, NEW);
            let lines = lines.unwrap_or_else(|| panic!("v2 has nothing like {value} > {v1}"));
            let echo = |(place, value): &(rosetta::Place, String)| {
                format!("echo '{value}' > {group}/{}", place.file)
            };
            lines.iter().map(echo).collect::<Vec<_>>().join("; ")
        }
    }
}

/// `echo PID > GROUP/tasks`.
pub(crate) fn join(group: &str, pid: &str) -> String {
    format!("echo {pid} > {group}/{}", file("tasks"))
}

/// What a file says, as v1 writes it.
#[track_caller]
pub(crate) fn get(lab: &mut Lab, group: &str, v1: &str) -> String {
    let here = file(v1);
    let said = lab.ok(&format!("cat {group}/{here}"));
    if here == v1 {
        return said;
    }
    let mut rows = rosetta::rows_of(v1, Dialect::V1);
    let found = rows.find_map(|pair| {
        let values = pair.to_v1(&[(here, &said)])?;
        values.into_iter().find_map(|(place, value)| (place.file == v1).then_some(value))
    });
    found.unwrap_or_else(|| panic!("{said:?} in {here} is nothing in v1's {v1}"))
}
