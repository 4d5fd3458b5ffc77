//! Everything that could be left, counted before and after.

use std::collections::BTreeMap;
use std::fs;
use std::path::Path;
use std::time::{Duration, Instant};

use crate::harness::held::Held;
use crate::harness::server::Server;
use crate::harness::{data, proc};
use crate::table::{self, Row};

/// How long the last deaths may take to be over.
const PATIENCE: Duration = Duration::from_secs(20);

/// Counts by what is counted.
pub(crate) type Counts = BTreeMap<&'static str, usize>;

/// Everything that could be left.
pub(crate) struct Count;

impl Count {
    /// Now, when nothing is on its way any more.
    pub(crate) fn at_rest(server: &Server) -> Counts {
        Held::at_rest(server);
        Count::now(server)
    }

    /// After the work: as soon as nothing is left, or what is left in the end.
    pub(crate) fn again(server: &Server, before: &Counts) -> Counts {
        let deadline = Instant::now() + PATIENCE;
        loop {
            let now = Count::now(server);
            let leaks = now.iter().any(|(what, count)| before.get(what).is_some_and(|b| count > b));
            if !leaks || Instant::now() > deadline {
                return now;
            }
            std::thread::sleep(Duration::from_millis(200));
        }
    }

    fn now(server: &Server) -> Counts {
        let held = Held::by(server);
        let tree = tree(server.pid());
        let entries = |dir: &Path| fs::read_dir(dir).map_or(0, Iterator::count);
        let temporary = fs::read_dir(std::env::temp_dir()).into_iter().flatten().flatten();
        let ours = |name: &str| name.contains("vitrine");
        BTreeMap::from([
            ("processes below the launcher", tree.len()),
            ("children of the launcher", held.children),
            ("descriptors of the launcher", held.launcher_fds),
            ("descriptors of web", held.web_fds),
            ("descriptors of the observer", held.observer_fds),
            ("cgroup directories", held.groups.len()),
            ("mounts in the launcher's namespace", held.launcher_mounts),
            ("mounts of ours on the host", held.host_mounts),
            ("namespaces held by the server and below", namespaces(server.pid(), &tree)),
            ("file locks, one for each uid range in use", uid_ranges(server.pid())),
            ("entries of /run/vitrine", entries(Path::new("/run/vitrine"))),
            ("entries of the data directory", entries(data())),
            (
                "temporary files named for us",
                temporary.filter(|e| ours(&e.file_name().to_string_lossy())).count(),
            ),
        ])
    }
}

/// All processes below one.
fn tree(root: u32) -> Vec<u32> {
    let mut found = proc::children(root);
    let mut at = 0;
    while at < found.len() {
        found.extend(proc::children(found[at]));
        at += 1;
    }
    found
}

/// Different namespaces that these processes are in or have open.
fn namespaces(root: u32, tree: &[u32]) -> usize {
    let mut all = std::collections::BTreeSet::new();
    for &pid in [root].iter().chain(tree) {
        for name in proc::NAMESPACES {
            // A process that has just ended is in none.
            all.extend(fs::read_link(format!("/proc/{pid}/ns/{name}")).ok());
        }
        let open = proc::descriptors(pid).into_iter().filter(|link| link.contains(":["));
        all.extend(
            open.filter(|link| !link.starts_with("socket") && !link.starts_with("pipe"))
                .map(Into::into),
        );
    }
    all.len()
}

/// Locks on bytes of the file of ranges: the kernel lists them with the descriptor.
fn uid_ranges(launcher: u32) -> usize {
    let entries = fs::read_dir(format!("/proc/{launcher}/fdinfo")).into_iter().flatten().flatten();
    let locks = |text: String| text.lines().filter(|line| line.starts_with("lock:")).count();
    entries.filter_map(|entry| fs::read_to_string(entry.path()).ok()).map(locks).sum()
}

/// Prints what there is more than before.
#[expect(clippy::cast_precision_loss, reason = "small counts")]
pub(crate) fn report(before: &Counts, after: &Counts, still_held: Vec<String>) {
    let mut rows = Vec::new();
    for (what, then) in before {
        let mut row = Row::new(format!("{what} ({then} before)"));
        row.push(after.get(what).copied().unwrap_or(0) as f64 - *then as f64);
        rows.push(row.at_most("median", 0.0));
    }
    let mut row = Row::new("holders of namespaces of machines that have ended");
    row.push(still_held.len() as f64);
    rows.push(row.at_most("median", 0.0));
    let notes: Vec<&str> = still_held.iter().map(String::as_str).collect();
    table::print("what is left, after less before", "count", None, &rows, &notes);
}
