//! What each of the two eyes sees of the same processes.

mod tree;

use std::borrow::Cow;

use vitrine_shared::message::{Container, Sample};
use vitrine_shared::process::Process;

use crate::kinds::{is_machine_shell, is_running};

pub(crate) use tree::{Branch, as_tree};

/// One row of one eye. It borrows: of a thousand, only those in sight are drawn.
#[derive(Clone, Debug, PartialEq)]
pub(crate) struct Row<'a> {
    /// The PID on the host: what joins the two eyes.
    pub(crate) host_pid: u32,
    /// The PID as this eye sees it.
    pub(crate) pid: u32,
    /// `NSpid`: all its PIDs, the host's first.
    pub(crate) pids: &'a [u32],
    /// The user as this eye sees it.
    pub(crate) uid: u32,
    /// CPU, in thousandths of one CPU.
    pub(crate) cpu_permille: u32,
    /// The command line, or the name in brackets where there is none.
    pub(crate) command: Cow<'a, str>,
    /// Is it of the container that is looked at?
    pub(crate) ours: bool,
    /// State letter.
    pub(crate) state: char,
    /// Its parent's PID on the host.
    pub(crate) parent: u32,
    /// Where it stands in the tree, when it is one.
    pub(crate) branch: Option<Branch>,
}

/// The host's eye: every process of the machine, by host PID.
pub(crate) fn host<'a>(sample: &'a Sample, container: &Container) -> Vec<Row<'a>> {
    let mut rows: Vec<Row<'_>> = sample
        .processes
        .iter()
        .map(|process| row(process, process.host_pid(), process.host_uid, container))
        .collect();
    in_order(&mut rows, |row| row.host_pid);
    rows
}

/// The container's eye: what its `/proc` shows, by the PIDs it shows.
pub(crate) fn container<'a>(sample: &'a Sample, container: &Container) -> Vec<Row<'a>> {
    if !is_running(container) {
        return Vec::new();
    }
    let depth = usize::from(container.proc_depth);
    let own_only = depth >= 2;
    let mut rows: Vec<Row<'_>> = sample
        .processes
        .iter()
        .filter(|process| !own_only || process.container == Some(container.id))
        .filter_map(|process| Some(row(process, process.pid_at(depth)?, process.uid, container)))
        .collect();
    in_order(&mut rows, |row| row.pid);
    rows
}

/// Is it of the container? What is in no container is the machine's, and so its shells'.
fn is_of(process: &Process, container: &Container) -> bool {
    match is_machine_shell(container) {
        true => process.container.is_none(),
        false => process.container == Some(container.id),
    }
}

/// Sorts a few hundred rows that are nearly in order: the general sort is 5 KB of program.
fn in_order(rows: &mut [Row<'_>], by: fn(&Row<'_>) -> u32) {
    for at in 1..rows.len() {
        let mut at = at;
        while at > 0 && by(&rows[at - 1]) > by(&rows[at]) {
            rows.swap(at - 1, at);
            at -= 1;
        }
    }
}

fn row<'a>(process: &'a Process, pid: u32, uid: u32, container: &Container) -> Row<'a> {
    Row {
        host_pid: process.host_pid(),
        pid,
        pids: &process.pids,
        uid,
        cpu_permille: process.cpu_permille,
        command: match process.command.is_empty() {
            true => format!("[{}]", process.name).into(),
            false => process.command.as_str().into(),
        },
        ours: is_of(process, container),
        state: process.state,
        parent: process.parent,
        branch: None,
    }
}

/// A point of the figure, in CSS pixels.
pub(crate) type Spot = (f64, f64);

/// The line from a row of one eye to the same process in the other: leaves and arrives level.
pub(crate) fn thread_path(from: Spot, to: Spot) -> String {
    let bend = (to.0 - from.0) / 2.0;
    let (x1, y1, x2, y2) = (from.0, from.1, to.0, to.1);
    let (c1, c2) = (x1 + bend, x2 - bend);
    format!("M{x1:.1} {y1:.1}C{c1:.1} {y1:.1} {c2:.1} {y2:.1} {x2:.1} {y2:.1}")
}

/// Ease-out from 0 to 1.
pub(crate) fn ease(t: f64) -> f64 {
    1.0 - (1.0 - t.clamp(0.0, 1.0)).powi(3)
}

/// Between two spots, `t` of the way.
pub(crate) fn between(from: Spot, to: Spot, t: f64) -> Spot {
    (from.0 + (to.0 - from.0) * t, from.1 + (to.1 - from.1) * t)
}

#[cfg(test)]
mod tests {
    use vitrine_shared::message::ContainerState;
    use vitrine_shared::spec::ContainerSpec;

    use super::*;
    use crate::fixture;

    fn pids(rows: &[Row<'_>]) -> Vec<(u32, u32)> {
        rows.iter().map(|row| (row.host_pid, row.pid)).collect()
    }

    #[test]
    fn the_host_sees_all_of_the_machine() {
        let sample = fixture::sample(1);
        let rows = host(&sample, &fixture::container(2));
        assert_eq!(pids(&rows), [(4100, 4100), (4821, 4821), (4907, 4907)]);
        assert_eq!(rows.iter().map(|row| row.ours).collect::<Vec<_>>(), [false, true, true]);
    }

    #[test]
    fn a_proc_of_its_own_shows_only_the_container() {
        let sample = fixture::sample(1);
        let rows = container(&sample, &fixture::container(2));
        assert_eq!(pids(&rows), [(4821, 1), (4907, 7)]);
        assert_eq!(rows[0].pids, [4821, 12, 1]);
    }

    #[test]
    fn without_remount_the_machines_processes_stay_in_view() {
        let sample = fixture::sample(1);
        let rows = container(&sample, &fixture::container(1));
        assert_eq!(pids(&rows), [(4100, 1), (4821, 12), (4907, 31)]);
    }

    #[test]
    fn a_shell_in_the_machine_sees_all_and_owns_what_is_in_no_container() {
        let mut shell = fixture::container(1);
        shell.spec = ContainerSpec::machine_shell();
        let sample = fixture::sample(1);
        let rows = container(&sample, &shell);
        assert_eq!(pids(&rows), [(4100, 1), (4821, 12), (4907, 31)]);
        assert_eq!(rows.iter().map(|row| row.ours).collect::<Vec<_>>(), [true, false, false]);
    }

    #[test]
    fn the_eye_of_an_ended_container_is_shut() {
        let mut ended = fixture::container(1);
        ended.state = ContainerState::Exited { status: 0, cpu_msec: 0, max_rss_bytes: 0 };
        let sample = fixture::sample(1);
        assert_eq!(container(&sample, &ended), []);
    }

    #[test]
    fn threads_start_and_end_at_their_rows() {
        let path = thread_path((0.0, 10.0), (80.0, 30.0));
        assert_eq!(path, "M0.0 10.0C40.0 10.0 40.0 30.0 80.0 30.0");
        assert_eq!(between((0.0, 0.0), (10.0, 20.0), ease(1.0)), (10.0, 20.0));
        assert_eq!(between((0.0, 0.0), (10.0, 20.0), ease(0.0)), (0.0, 0.0));
    }
}
