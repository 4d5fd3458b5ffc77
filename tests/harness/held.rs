//! What a server holds, and who holds what should be gone: counted before and after.

use std::collections::BTreeSet;
use std::fs;
use std::path::Path;
use std::time::{Duration, Instant};

use vitrine_shared::message::{ContainerState, Machine};

use super::client::PATIENCE;
use super::server::Server;
use super::{cgroup, proc, wait_for};

/// Everything that a server holds.
#[derive(Debug, PartialEq, Eq)]
pub(crate) struct Held {
    pub(crate) children: usize,
    pub(crate) launcher_fds: usize,
    pub(crate) web_fds: usize,
    pub(crate) observer_fds: usize,
    pub(crate) groups: BTreeSet<String>,
    pub(crate) launcher_mounts: usize,
    pub(crate) host_mounts: usize,
}

impl Held {
    /// What it holds when nothing is on its way any more.
    pub(crate) fn at_rest(server: &Server) -> Self {
        let mut held = Held::by(server);
        wait_for("the server comes to rest", PATIENCE, || {
            std::thread::sleep(Duration::from_millis(400));
            let before = std::mem::replace(&mut held, Held::by(server));
            (before == held).then_some(())
        });
        held
    }

    /// What it holds now.
    pub(crate) fn by(server: &Server) -> Self {
        let fds = |pid| proc::descriptors(pid).len();
        let mut groups = BTreeSet::new();
        for dir in cgroup::of_instance(server.pid()) {
            list_groups(&dir, &mut groups);
        }
        Held {
            children: proc::children(server.pid()).len(),
            launcher_fds: fds(server.pid()),
            web_fds: fds(server.service("vitrine-web")),
            observer_fds: fds(server.service("vitrine-observer")),
            groups,
            launcher_mounts: proc::read(server.pid(), "mountinfo").lines().count(),
            host_mounts: host_mounts(),
        }
    }
}

fn list_groups(dir: &Path, found: &mut BTreeSet<String>) {
    found.insert(dir.display().to_string());
    for entry in fs::read_dir(dir).into_iter().flatten().flatten() {
        if entry.path().is_dir() {
            list_groups(&entry.path(), found);
        }
    }
}

/// Mounts of ours on the host itself.
fn host_mounts() -> usize {
    proc::read(1, "mountinfo").lines().filter(|line| line.contains("/run/vitrine")).count()
}

/// Waits until a server holds what it held before; some of it is given back a moment later.
#[track_caller]
pub(crate) fn holds_again(server: &Server, before: &Held) {
    let deadline = Instant::now() + super::bound(PATIENCE);
    loop {
        let now = Held::by(server);
        if now == *before {
            return;
        }
        assert!(
            Instant::now() < deadline,
            "before: {before:#?}\nafter: {now:#?}\nlauncher: {:#?}\nweb: {:#?}\n{}",
            proc::descriptors(server.pid()),
            proc::descriptors(server.service("vitrine-web")),
            server.log()
        );
        std::thread::sleep(Duration::from_millis(50));
    }
}

/// The namespaces of a machine and its containers that are not the host's.
pub(crate) fn namespaces_of(machine: &Machine) -> BTreeSet<String> {
    let host: BTreeSet<String> = proc::namespaces(std::process::id()).into();
    let running = machine.containers.iter().filter_map(|container| match container.state {
        ContainerState::Running { pid } => Some(pid),
        _ => None,
    });
    let all: BTreeSet<String> =
        running.chain([machine.init_pid]).flat_map(proc::namespaces).collect();
    all.difference(&host).cloned().collect()
}

/// Waits until no process that was there at `ticks` has any of these namespaces.
#[track_caller]
pub(crate) fn nobody_holds(namespaces: &BTreeSet<String>, ticks: u64) {
    let deadline = Instant::now() + super::bound(PATIENCE);
    loop {
        let holders = proc::holders(namespaces, ticks);
        if holders.is_empty() {
            return;
        }
        assert!(Instant::now() < deadline, "{holders:#?}");
        std::thread::sleep(Duration::from_millis(50));
    }
}

/// Processes with a uid of this machine.
pub(crate) fn with_uids_of(base: u32) -> Vec<u32> {
    let uid = |pid| {
        let status = proc::read(pid, "status");
        let line = status.lines().find_map(|line| line.strip_prefix("Uid:"))?;
        line.split_whitespace().next()?.parse::<u32>().ok()
    };
    let range = base..=base + 65_535;
    proc::pids()
        .into_iter()
        .filter(|&pid| uid(pid).is_some_and(|uid| range.contains(&uid)))
        .collect()
}

/// Resident memory of a process, in KiB.
#[track_caller]
pub(crate) fn rss_kib(pid: u32) -> u64 {
    proc::status(pid, "VmRSS").trim_end_matches(" kB").trim().parse().expect("a number of KiB")
}
