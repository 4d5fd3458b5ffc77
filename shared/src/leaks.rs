//! What a container hides and what still leaks, by asking it and its machine the same.
//!
//! For each [`Row`] the same commands run in both; [`judge`] compares what they print. A namespace of
//! its own can still say the same (both have only a loopback device): that is told apart from one
//! that is shared by the namespace's inode, which the kernel gives.

use crate::namespace::Namespace;
use crate::truth::{Output, Probe, ProcView};

/// What somebody in a container can look at.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Row {
    /// The host name.
    Hostname,
    /// Who runs.
    Processes,
    /// What is mounted.
    Mounts,
    /// Network devices and addresses.
    Network,
    /// System V queues, segments and semaphores.
    Ipc,
    /// Who one is, and what the numbers of users mean.
    Ids,
    /// Where one is among the cgroups.
    CgroupPath,
    /// How long the machine has been up.
    Uptime,
}

impl Row {
    /// All of them, in the order in which they are shown.
    pub const ALL: [Row; 8] = [
        Row::Hostname,
        Row::Processes,
        Row::Mounts,
        Row::Network,
        Row::Ipc,
        Row::Ids,
        Row::CgroupPath,
        Row::Uptime,
    ];

    /// The flag that decides. For processes it takes a `/proc` of its own too.
    pub const fn namespace(self) -> Namespace {
        match self {
            Row::Hostname => Namespace::Uts,
            Row::Processes => Namespace::Pid,
            Row::Mounts => Namespace::Mount,
            Row::Network => Namespace::Net,
            Row::Ipc => Namespace::Ipc,
            Row::Ids => Namespace::User,
            Row::CgroupPath => Namespace::Cgroup,
            Row::Uptime => Namespace::Time,
        }
    }

    /// What is asked: the program that people type, and the kernel's file for images without it.
    /// Where both are there the later one decides if it says more.
    pub const fn probes(self) -> &'static [Probe] {
        match self {
            Row::Hostname => &[Probe::Hostname, Probe::HostnameFile],
            Row::Processes => &[Probe::Ps, Probe::ProcList],
            Row::Mounts => &[Probe::Mounts],
            Row::Network => &[Probe::Ip, Probe::NetDev],
            Row::Ipc => &[Probe::Ipcs, Probe::SysvIpc],
            Row::Ids => &[Probe::Id, Probe::UidMap],
            Row::CgroupPath => &[Probe::CgroupPath],
            Row::Uptime => &[Probe::Uptime, Probe::UptimeFile],
        }
    }

    /// The probes that can tell, best first.
    const fn deciding(self) -> &'static [Probe] {
        match self {
            // `id` says root in both, and `uptime` only minutes.
            Row::Ids => &[Probe::UidMap],
            Row::Uptime => &[Probe::UptimeFile],
            other => other.probes(),
        }
    }
}

/// What came of a comparison.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Verdict {
    /// Inside there is another answer.
    Hidden,
    /// The same answer, from a namespace of its own: nothing in it differs at the moment.
    Alike,
    /// The machine's is in view.
    Leaks,
}

/// A verdict and what it stands on.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Finding {
    /// It.
    pub verdict: Verdict,
    /// The probe whose two outputs decided.
    pub by: Probe,
    /// Not by a flag: other files lie on the container's `/proc`.
    pub by_view: bool,
}

/// Compares what was printed inside and outside; `own` says whether the namespace of this row is
/// another one than the machine's. `None` when nothing that can tell was printed in both.
pub fn judge<'a>(
    row: Row,
    own: bool,
    inside: impl Fn(Probe) -> Option<&'a Output>,
    outside: impl Fn(Probe) -> Option<&'a Output>,
) -> Option<Finding> {
    let sound = |output: &&Output| output.status == 0;
    for &by in row.deciding() {
        let pair = inside(by).filter(sound).zip(outside(by).filter(sound));
        let Some((is_same, (inside, _))) =
            pair.and_then(|pair| Some((is_same(by, pair.0, pair.1)?, pair)))
        else {
            continue;
        };
        let verdict = match (is_same, own) {
            (false, _) => Verdict::Hidden,
            // To see the machine's processes, mounts or groups is to see them, whose view it is.
            (true, true) if !matches!(row, Row::Processes | Row::Mounts | Row::CgroupPath) => {
                Verdict::Alike
            }
            (true, _) => Verdict::Leaks,
        };
        let by_view =
            row == Row::Uptime && verdict == Verdict::Hidden && inside.view != ProcView::Host;
        return Some(Finding { verdict, by, by_view });
    }
    None
}

/// Is what is seen inside the machine's? `None` when the text is not understood.
fn is_same(probe: Probe, inside: &Output, outside: &Output) -> Option<bool> {
    let (text, machine) = (inside.text.as_str(), outside.text.as_str());
    match probe {
        Probe::Ps | Probe::ProcList => {
            let (seen, there) = (processes(probe, text), processes(probe, machine));
            // Every process of the container is one of the machine's too, so there are at least
            // two out there; PID 1 alone may be alike by chance.
            let common = there.iter().filter(|one| seen.contains(one)).count();
            (!there.is_empty()).then_some(common * 2 > there.len())
        }
        // The same mount has the same id: field 1 of proc_pid_mountinfo(5).
        Probe::Mounts => {
            let ids = |text: &'_ str| -> Vec<u32> {
                text.lines().filter_map(|line| line.split(' ').next()?.parse().ok()).collect()
            };
            let there = ids(machine);
            let seen = ids(text);
            (!seen.is_empty()).then(|| seen.iter().any(|id| there.contains(id)))
        }
        Probe::Ipcs | Probe::SysvIpc => Some(objects(probe, text) == objects(probe, machine)),
        // Everything is `/` for who is at the root of what they see.
        Probe::CgroupPath => {
            let mut paths = text.lines().filter_map(|line| line.splitn(3, ':').nth(2)).peekable();
            paths.peek()?;
            Some(paths.any(|path| path != "/"))
        }
        Probe::UptimeFile => {
            let born = |output: &Output| {
                let first = output.text.split_whitespace().next()?.parse::<f64>().ok()?;
                #[expect(clippy::cast_precision_loss, reason = "milliseconds of our age")]
                let at = output.at_msec as f64 / 1_000.0;
                Some(at - first)
            };
            Some((born(inside)? - born(outside)?).abs() < UPTIME_SECS)
        }
        _ => Some(words(text) == words(machine)),
    }
}

/// Two readings of one clock are as near as this, with what lies between the two askings.
const UPTIME_SECS: f64 = 5.0;

/// A text whatever its blanks.
fn words(text: &str) -> Vec<&str> {
    text.split_whitespace().collect()
}

/// The processes of a list as PID and command, without the one that made the list.
fn processes(probe: Probe, text: &str) -> Vec<(u32, &str)> {
    let entry = |line: &'_ str| -> Option<(u32, usize)> {
        let pid = line.trim_start().split(' ').next()?;
        Some((pid.trim().parse().ok()?, line.len() - line.trim_start().len() + pid.len()))
    };
    let mut found: Vec<(u32, &str)> = text
        .lines()
        .filter_map(|line| entry(line).map(|(pid, end)| (pid, line[end..].trim())))
        .filter(|(_, command)| !command.starts_with(LISTS))
        .collect();
    if probe == Probe::ProcList {
        // The newest is `ls` itself.
        found.sort_unstable();
        found.pop();
    }
    found
}

/// How the command of the list itself begins.
const LISTS: &str = "ps -e -o";

/// Keys and ids of System V objects: whose one is, is told by the reader's user namespace.
fn objects(probe: Probe, text: &str) -> Vec<(&str, &str)> {
    let is_key = |first: &str| match probe {
        Probe::Ipcs => first.starts_with("0x"),
        _ => first.parse::<i64>().is_ok(),
    };
    let row = |line| {
        let mut fields = str::split_whitespace(line);
        let (key, id) = (fields.next()?, fields.next()?);
        is_key(key).then_some((key, id))
    };
    text.lines().filter_map(row).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn printed(text: &str) -> Output {
        let view = ProcView::Host;
        Output {
            text: text.into(),
            cut: false,
            status: 0,
            busybox: false,
            view,
            at_msec: 1_000_000,
        }
    }

    /// Judges by one probe that both have.
    fn judged(row: Row, own: bool, probe: Probe, inside: &str, outside: &str) -> Option<Verdict> {
        let (inside, outside) = (printed(inside), printed(outside));
        let found = judge(
            row,
            own,
            |asked| (asked == probe).then_some(&inside),
            |asked| (asked == probe).then_some(&outside),
        );
        assert!(found.is_none_or(|found| found.by == probe));
        found.map(|found| found.verdict)
    }

    use Verdict::{Alike, Hidden, Leaks};

    #[test]
    fn one_answer_or_another() {
        let host = |own, inside| judged(Row::Hostname, own, Probe::Hostname, inside, "machine-1\n");
        assert_eq!(host(true, "box\n"), Some(Hidden));
        assert_eq!(host(true, "machine-1\n"), Some(Alike));
        assert_eq!(host(false, "machine-1\n"), Some(Leaks));
        let net = |own| {
            judged(Row::Network, own, Probe::Ip, "1: lo  inet ::1/128\n", "1: lo inet ::1/128")
        };
        assert_eq!((net(true), net(false)), (Some(Alike), Some(Leaks)));
    }

    #[test]
    fn processes_of_the_machine_are_seen_or_not_whatever_the_flag() {
        let machine =
            "    PID COMMAND\n      1 /init\n     12 /bin/sh\n     31 ps -e -o pid,args\n";
        let shared = "PID   COMMAND\n    1 /init\n   12 /bin/sh\n   33 ps -e -o pid,args\n";
        let ps = |own, inside| judged(Row::Processes, own, Probe::Ps, inside, machine);
        assert_eq!(ps(false, shared), Some(Leaks));
        assert_eq!(ps(true, shared), Some(Leaks), "a PID namespace without a /proc of its own");
        assert_eq!(ps(true, "PID COMMAND\n1 /bin/sh\n7 ps -e -o pid,args\n"), Some(Hidden));
        let like = "PID COMMAND\n1 /init\n2 sleep 9\n7 ps -e -o pid,args\n";
        assert_eq!(ps(true, like), Some(Hidden), "a PID 1 by the same name");
        let list =
            |inside| judged(Row::Processes, true, Probe::ProcList, inside, "1\n12\n31\nself\n");
        assert_eq!(list("1\n12\n33\nself\n"), Some(Leaks));
        assert_eq!(list("1\n5\nself\n"), Some(Hidden));
    }

    #[test]
    fn mounts_are_the_same_by_their_number() {
        let machine = "21 20 0:5 / / rw - overlay o rw\n22 21 0:6 / /proc rw - proc p rw\n";
        let mounts = |own, inside| judged(Row::Mounts, own, Probe::Mounts, inside, machine);
        assert_eq!(mounts(true, "91 90 0:5 / / rw - overlay o rw\n"), Some(Hidden));
        assert_eq!(mounts(false, "22 20 0:6 / /proc rw - proc p rw\n"), Some(Leaks));
        assert_eq!(mounts(false, ""), None);
    }

    #[test]
    fn objects_are_compared_and_not_whose_they_are() {
        let of = |owner: &str| {
            format!("--- Queues ---\nkey msqid owner\n0x5a1b2c3d 3 {owner} 644\n\n--- Segments\n")
        };
        let ipcs = |own, inside: &str| judged(Row::Ipc, own, Probe::Ipcs, inside, &of("root"));
        assert_eq!(ipcs(false, &of("nobody")), Some(Leaks));
        assert_eq!(ipcs(true, "--- Queues ---\nkey msqid owner\n"), Some(Hidden));
        let sysv =
            |inside| judged(Row::Ipc, true, Probe::SysvIpc, inside, " key msqid\n 7 3 600\n");
        assert_eq!(sysv(" key msqid\n"), Some(Hidden));
        assert_eq!(judged(Row::Ipc, true, Probe::Ipcs, "", ""), Some(Alike));
    }

    #[test]
    fn ids_groups_and_uptime() {
        let ids =
            |own, inside| judged(Row::Ids, own, Probe::UidMap, inside, " 0 2000000000 65536\n");
        assert_eq!(ids(true, "0 0 65536\n"), Some(Hidden));
        assert_eq!(ids(false, "0 2000000000  65536\n"), Some(Leaks));
        assert_eq!(judged(Row::Ids, false, Probe::Id, "uid=0", "uid=0"), None, "root in both");
        let group =
            |inside| judged(Row::CgroupPath, true, Probe::CgroupPath, inside, "3:cpu:/shell\n");
        assert_eq!(group("3:cpu:/\n0::/\n"), Some(Hidden));
        assert_eq!(group("3:cpu:/c1\n0::/\n"), Some(Leaks));
        assert_eq!(group(""), None);
        let up = |own, inside| judged(Row::Uptime, own, Probe::UptimeFile, inside, "5000.10 1.0\n");
        assert_eq!(up(true, "5003.00 1.0\n"), Some(Alike));
        assert_eq!(up(true, "8600.10 1.0\n"), Some(Hidden));
        assert_eq!(up(false, "5000.10 1.0\n"), Some(Leaks));
        assert_eq!(up(false, "x"), None);
    }

    #[test]
    fn what_lies_on_the_file_is_not_the_flags_doing() {
        let own = Output { view: ProcView::Own, ..printed("12.00 1.0\n") };
        let host = printed("5000.00 1.0\n");
        let found = judge(
            Row::Uptime,
            false,
            |probe| (probe == Probe::UptimeFile).then_some(&own),
            |probe| (probe == Probe::UptimeFile).then_some(&host),
        );
        let by = Probe::UptimeFile;
        assert_eq!(found, Some(Finding { verdict: Hidden, by, by_view: true }));
    }

    #[test]
    fn an_error_is_no_answer_and_the_file_is_taken_instead() {
        let failed = Output { status: 127, ..printed("hostname: not found\n") };
        let (inside, outside) = (printed("box\n"), printed("machine\n"));
        let found = judge(
            Row::Hostname,
            true,
            |probe| Some(if probe == Probe::Hostname { &failed } else { &inside }),
            |_| Some(&outside),
        );
        assert_eq!(found.map(|found| found.by), Some(Probe::HostnameFile));
        assert_eq!(judge(Row::Hostname, true, |_| None, |_| Some(&outside)), None);
    }
}
