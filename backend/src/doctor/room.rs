//! Room for the planned seats: memory, processes, terminals, and what the kernel counts per user.

use nix::sys::resource::{Resource, getrlimit};
use vitrine_shared::limits::{CONTAINER_PTYS, CONTAINERS_PER_MACHINE, SOCKETS_PER_PARTICIPANT};

use super::{Finding, Host, Severity};

/// Descriptors of the launcher, web and the observer before anybody comes.
const DESCRIPTORS: u64 = 256;
/// And for each machine: pidfds, cgroup files, terminals.
const DESCRIPTORS_FOR_A_SEAT: u64 = 48;
/// What a machine's own user namespace may have (`confine.rs`); the host must allow as many.
const INOTIFY: u64 = 16;
/// Left to everybody else on the host.
const OTHERS_PROCESSES: u64 = 1_000;
const OTHERS_TERMINALS: u64 = 64;

pub(super) fn check(host: &Host) -> Vec<Finding> {
    let descriptors = getrlimit(Resource::RLIMIT_NOFILE).map_or(0, |(_, hard)| hard);
    vec![
        memory(host),
        swap(host),
        processes(host),
        terminals(host),
        inotify(host),
        namespaces(host),
        descriptors_for(host, descriptors),
    ]
}

/// A line of `/proc/meminfo`, in bytes.
fn meminfo(host: &Host, name: &str) -> Option<u64> {
    let text = host.read("/proc/meminfo")?;
    let line = text.lines().find_map(|line| line.strip_prefix(name)?.strip_prefix(':'))?;
    line.trim().strip_suffix("kB")?.trim().parse::<u64>().ok().map(|kib| kib << 10)
}

fn mib(bytes: u64) -> u64 {
    bytes >> 20
}

fn memory(host: &Host) -> Finding {
    let id = "memory";
    let each = mib(host.limits.machine_memory.value);
    if host.seats > host.limits.machines.value {
        let most = host.limits.machines.value;
        let found = format!("{} seats are planned, and one server has {most} machines", host.seats);
        let why = "the limit `machines` is reached before everybody has one";
        return Finding::new(Severity::Error, id, found, why, "");
    }
    let Some(available) = meminfo(host, "MemAvailable") else {
        let why = "how many machines fit cannot be told";
        return Finding::new(Severity::Warning, id, "no MemAvailable in /proc/meminfo", why, "");
    };
    let fit = available / host.limits.machine_memory.value;
    let found =
        format!("{} MiB are free: room for {fit} full machines of {each} MiB", mib(available));
    if fit >= host.seats {
        return Finding::ok(id, found);
    }
    Finding::new(
        if fit == 0 { Severity::Error } else { Severity::Warning },
        id,
        format!("{found}; {} seats are planned", host.seats),
        "when all are full at once, the kernel ends programs; most machines use a tenth of it",
        "",
    )
}

fn swap(host: &Host) -> Finding {
    match meminfo(host, "SwapTotal") {
        Some(total @ 1..) => Finding::new(
            Severity::Note,
            "swap",
            format!("{} MiB", mib(total)),
            "machines are kept out of it where the kernel counts swap; what else swaps is slow",
            "",
        ),
        _ => Finding::ok("swap", "none"),
    }
}

/// A number of the kernel's that must hold so much for the seats.
fn at_least(host: &Host, id: &'static str, file: &str, needed: u64, why: String) -> Finding {
    let name = file.trim_start_matches("/proc/sys/").replace('/', ".");
    match host.number(file) {
        None => Finding::ok(id, format!("this kernel has no {name}")),
        Some(have) if have >= needed => {
            Finding::ok(id, format!("{name} is {have}; {needed} are needed"))
        }
        Some(have) => {
            let found = format!("{name} is {have}; {needed} are needed for {} seats", host.seats);
            let mend = format!("sysctl {name}={}", needed.next_power_of_two());
            Finding::new(Severity::Warning, id, found, why, mend)
        }
    }
}

fn processes(host: &Host) -> Finding {
    let needed = host.seats * host.limits.machine_pids.value + OTHERS_PROCESSES;
    let why = format!("a machine may have {} processes", host.limits.machine_pids.value);
    let by_pid = at_least(host, "processes", "/proc/sys/kernel/pid_max", needed, why.clone());
    let by_thread = at_least(host, "processes", "/proc/sys/kernel/threads-max", needed, why);
    if by_thread.severity > by_pid.severity { by_thread } else { by_pid }
}

fn terminals(host: &Host) -> Finding {
    let each = (CONTAINERS_PER_MACHINE.value + 1) * CONTAINER_PTYS.value;
    let why =
        format!("a machine and its containers may have {each}; the host's own come from them too");
    let needed = host.seats * each + OTHERS_TERMINALS;
    at_least(host, "terminals", "/proc/sys/kernel/pty/max", needed, why)
}

fn inotify(host: &Host) -> Finding {
    let why = "`tail -f` and the like fail in a machine; counted for each machine's own user";
    let file = "/proc/sys/fs/inotify/max_user_instances";
    at_least(host, "inotify", file, INOTIFY, why.into())
}

fn namespaces(host: &Host) -> Finding {
    // The kernel counts them by user, and every machine has a user of its own: the server's own
    // are what adds up.
    let why = "each machine, and each container in it, takes one of each kind";
    let needed = host.seats * (CONTAINERS_PER_MACHINE.value + 2);
    at_least(host, "namespaces", "/proc/sys/user/max_mnt_namespaces", needed, why.into())
}

fn descriptors_for(host: &Host, hard: u64) -> Finding {
    let id = "descriptors";
    let each = SOCKETS_PER_PARTICIPANT.value + DESCRIPTORS_FOR_A_SEAT;
    let needed = DESCRIPTORS + host.seats * each;
    if hard >= needed {
        return Finding::ok(id, format!("{hard} for a process; {needed} are needed"));
    }
    Finding::new(
        Severity::Warning,
        id,
        format!("{hard} for a process; {needed} are needed for {} seats", host.seats),
        "sockets and terminals take one each; without, connections are refused",
        format!("ulimit -Hn {}    # or LimitNOFILE= in the unit", needed.next_power_of_two()),
    )
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::doctor::fixture;

    fn with(files: &[(&str, &str)], seats: u64) -> (tempfile::TempDir, Host) {
        let (dir, mut host) = fixture(files);
        host.seats = seats;
        (dir, host)
    }

    #[test]
    fn memory_says_how_many_fit() {
        // 4 GiB.
        let files = [("/proc/meminfo", "MemTotal: 1 kB\nMemAvailable:    4194304 kB\n")];
        for (seats, severity) in [
            (1, Severity::Ok),
            (16, Severity::Ok),
            (17, Severity::Warning),
            (100, Severity::Warning),
            (101, Severity::Error),
        ] {
            let (_dir, host) = with(&files, seats);
            let found = memory(&host);
            assert_eq!(found.severity, severity, "{seats}: {found:?}");
            assert!(severity == Severity::Error || found.found.contains("room for 16 full"));
        }
        let (_dir, mut small) = with(&files, 60);
        small.limits.machine_memory = small.limits.machine_memory.with(64 << 20);
        assert_eq!(memory(&small).severity, Severity::Ok, "64 of 64 MiB fit");
        let (_dir, tiny) = with(&[("/proc/meminfo", "MemAvailable: 1024 kB\n")], 1);
        assert_eq!(memory(&tiny).severity, Severity::Error);
        assert_eq!(memory(&with(&[], 1).1).severity, Severity::Warning);
    }

    #[test]
    fn numbers_of_the_kernel_against_the_seats() {
        let files = [
            ("/proc/sys/kernel/pid_max", "32768"),
            ("/proc/sys/kernel/threads-max", "8000"),
            ("/proc/sys/kernel/pty/max", "4096"),
            ("/proc/sys/fs/inotify/max_user_instances", "8"),
            ("/proc/sys/user/max_mnt_namespaces", "100"),
        ];
        let (_dir, host) = with(&files, 20);
        assert_eq!(processes(&host).severity, Severity::Ok);
        assert_eq!(terminals(&host).severity, Severity::Ok);
        assert_eq!(inotify(&host).mend, "sysctl fs.inotify.max_user_instances=16");
        assert_eq!(namespaces(&host).severity, Severity::Warning);
        let (_dir, many) = with(&files, 101);
        assert!(processes(&many).found.starts_with("kernel.threads-max is 8000"));
        assert_eq!(terminals(&many).mend, "sysctl kernel.pty.max=8192");
        let (_dir, nothing) = with(&[], 1);
        assert_eq!(processes(&nothing).severity, Severity::Ok);
    }

    #[test]
    fn descriptors_and_swap() {
        let (_dir, host) = with(&[("/proc/meminfo", "SwapTotal: 2097152 kB\n")], 40);
        assert_eq!(descriptors_for(&host, 524_288).severity, Severity::Ok);
        assert!(descriptors_for(&host, 1024).mend.contains("ulimit -Hn 4096"));
        assert!(swap(&host).found.contains("2048 MiB"));
        assert_eq!(swap(&with(&[], 1).1).severity, Severity::Ok);
    }
}
