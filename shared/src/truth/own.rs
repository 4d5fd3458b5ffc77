//! The text of `meminfo`, `cpuinfo`, `stat`, `uptime` and `loadavg` for one container.
//!
//! Every text has the same length, and the longer ones the same columns: each is written by one
//! `pwrite` over the one before, and a reader who reads in parts gets whole lines of the old and
//! whole lines of the new, never half of each. Formats are those of
//! `proc_meminfo(5)`, `proc_stat(5)`, `proc_uptime(5)`, `proc_loadavg(5)`, `proc_cpuinfo(5)`.

use std::fmt::Write as _;

/// Ticks in a second, as `/proc/stat` counts (`USER_HZ`, the same on every architecture we run on).
pub const TICKS: u64 = 100;

/// Length of the two files of one line, filled up with blanks at its end: scripts cut them at blanks
/// and dots, so there are no columns. Nobody reads 64 bytes in parts.
const SHORT: usize = 63;

/// What is known of a container's group at one moment.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Inside {
    /// CPUs it can keep busy: those of its cpuset, or the quota divided by the period, rounded up,
    /// whichever is less; at least 1.
    pub cpus: usize,
    /// CPUs of the host: how much room is left in the files.
    pub host_cpus: usize,
    /// CPU time in user mode since its birth, in microseconds.
    pub user_usec: u64,
    /// The same in the kernel.
    pub system_usec: u64,
    /// Milliseconds since its birth.
    pub up_msec: u64,
    /// Unix time of its birth, in seconds.
    pub born_secs: u64,
    /// The least memory limit on the way up, or the host's memory, in bytes.
    pub memory_limit: u64,
    /// Memory charged to the group, in bytes.
    pub memory_used: u64,
    /// Of that, cached file contents.
    pub file: u64,
    /// Cached, lately used.
    pub active_file: u64,
    /// Cached, not lately used.
    pub inactive_file: u64,
    /// Of the rest, not of files.
    pub anon: u64,
    /// Of the cached, in tmpfs and shared memory.
    pub shmem: u64,
    /// Files mapped into processes.
    pub mapped: u64,
    /// Kernel objects that can be given back.
    pub slab_reclaimable: u64,
    /// Swap allowed, in bytes.
    pub swap_limit: u64,
    /// Swap in use, in bytes.
    pub swap_used: u64,
    /// Threads that run or want to.
    pub running: u64,
    /// Threads.
    pub threads: u64,
    /// The PID that is told as the latest: the kernel's own would be the host's.
    pub last_pid: u64,
    /// Averages of `running` and the blocked.
    pub load: Load,
}

/// The three load averages (over 1, 5 and 15 minutes), as the kernel computes them:
/// `load × e^(−t/T) + n × (1 − e^(−t/T))`.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub struct Load(pub [f64; 3]);

impl Load {
    /// After `secs` in which `active` threads ran, wanted to, or waited without interruption.
    #[must_use]
    pub fn after(self, secs: f64, active: u64) -> Load {
        #[expect(clippy::cast_precision_loss, reason = "threads of one container")]
        let active = active as f64;
        let mut next = self.0;
        for (load, minutes) in next.iter_mut().zip([1.0, 5.0, 15.0]) {
            let keep = (-secs.max(0.0) / (60.0 * minutes)).exp();
            *load = *load * keep + active * (1.0 - keep);
        }
        Load(next)
    }
}

/// How many CPUs a quota is worth, rounded up as lxcfs and language run-times do.
pub fn cpus_of_quota(quota_usec: u64, period_usec: u64) -> usize {
    usize::try_from(quota_usec.div_ceil(period_usec.max(1))).unwrap_or(usize::MAX).max(1)
}

impl Inside {
    /// The five files, in the order of [`super::OWN_FILES`]; `cpuinfo` is the host's text.
    pub fn files(&self, cpuinfo: &str) -> [String; 5] {
        [self.cpuinfo(cpuinfo), self.loadavg(), self.meminfo(), self.stat(), self.uptime()]
    }

    /// `meminfo`. What a group does not count is 0.
    pub fn meminfo(&self) -> String {
        let used = self.memory_used.min(self.memory_limit);
        let free = self.memory_limit - used;
        let given_back = self.active_file + self.inactive_file + self.slab_reclaimable;
        let available = (free + given_back).min(self.memory_limit);
        let swap_free = self.swap_limit.saturating_sub(self.swap_used);
        let rows = [
            ("MemTotal", self.memory_limit),
            ("MemFree", free),
            ("MemAvailable", available),
            ("Buffers", 0),
            ("Cached", self.file),
            ("SwapCached", 0),
            ("Active", self.active_file),
            ("Inactive", self.inactive_file + self.anon),
            ("Active(anon)", 0),
            ("Inactive(anon)", self.anon),
            ("Active(file)", self.active_file),
            ("Inactive(file)", self.inactive_file),
            ("Unevictable", 0),
            ("Mlocked", 0),
            ("SwapTotal", self.swap_limit),
            ("SwapFree", swap_free),
            ("Dirty", 0),
            ("Writeback", 0),
            ("AnonPages", self.anon),
            ("Mapped", self.mapped),
            ("Shmem", self.shmem),
            ("KReclaimable", self.slab_reclaimable),
            ("Slab", self.slab_reclaimable),
            ("SReclaimable", self.slab_reclaimable),
            ("SUnreclaim", 0),
        ];
        let mut text = String::new();
        for (name, bytes) in rows {
            // Writing to a String cannot fail.
            let _ = writeln!(text, "{:<15} {:>12} kB", format!("{name}:"), bytes / 1024);
        }
        text
    }

    /// `stat`. The group counts time for all its CPUs together (v2 knows no more), so it is spread
    /// evenly over those that are shown; interrupts and context switches it does not count.
    pub fn stat(&self) -> String {
        let cpus = self.shown();
        let ticks = |usec: u64| usec / (1_000_000 / TICKS);
        let (user, system) = (ticks(self.user_usec), ticks(self.system_usec));
        let each = ticks(self.up_msec.saturating_mul(1000));
        let share = |all: u64, index: usize| {
            let (cpus, index) = (cpus as u64, index as u64);
            all / cpus + u64::from(index < all % cpus)
        };
        let lines: Vec<[u64; 3]> = (0..cpus)
            .map(|index| {
                let (user, system) = (share(user, index), share(system, index));
                [user, system, each.saturating_sub(user + system)]
            })
            .collect();
        let sum = |at: usize| lines.iter().map(|line| line[at]).sum();
        let mut text = String::new();
        let mut line = |name: &str, [user, system, idle]: [u64; 3]| {
            let _ = writeln!(text, "{name:<7} {user:>12} 0 {system:>12} {idle:>14} 0 0 0 0 0 0");
        };
        line("cpu", [sum(0), sum(1), sum(2)]);
        for (index, numbers) in lines.iter().enumerate() {
            line(&format!("cpu{index}"), *numbers);
        }
        let a_line = text.len() / (cpus + 1);
        let Inside { born_secs, threads, running, .. } = self;
        let _ = write!(
            text,
            "intr 0\nctxt 0\nbtime {born_secs:>12}\nprocesses {threads:>8}\n\
             procs_running {running:>8}\nprocs_blocked 0\nsoftirq 0\n"
        );
        // Room for the CPUs that a higher quota would show.
        pad(text, a_line * (self.room() - cpus))
    }

    /// `uptime`: seconds since the container's birth, and idle seconds of its CPUs.
    pub fn uptime(&self) -> String {
        let hundredths = |msec: u64| (msec / 1000, msec % 1000 / 10);
        let idle = (self.up_msec * self.shown() as u64)
            .saturating_sub((self.user_usec + self.system_usec) / 1000);
        let ((up, part), (idle, idle_part)) = (hundredths(self.up_msec), hundredths(idle));
        format!("{:<SHORT$}\n", format!("{up}.{part:02} {idle}.{idle_part:02}"))
    }

    /// `loadavg`: of the container's threads alone.
    pub fn loadavg(&self) -> String {
        let [one, five, fifteen] = self.load.0.map(|load| load.clamp(0.0, 9_999.0));
        let (running, threads) = (self.running, self.threads);
        let averages = format!("{one:.2} {five:.2} {fifteen:.2}");
        format!("{:<SHORT$}\n", format!("{averages} {running}/{threads} {}", self.last_pid))
    }

    /// `cpuinfo`: the first of the host's CPUs, which they are like, numbered from 0.
    pub fn cpuinfo(&self, host: &str) -> String {
        let blocks: Vec<&str> = host.split("\n\n").filter(|b| b.contains("processor")).collect();
        let mut text = String::new();
        for (index, block) in blocks.iter().take(self.shown()).enumerate() {
            for line in block.lines().filter(|line| !line.is_empty()) {
                match line.split_once(':') {
                    Some((name, _)) if name.trim_end() == "processor" => {
                        let _ = writeln!(text, "{name}: {index}");
                    }
                    _ => {
                        let _ = writeln!(text, "{line}");
                    }
                }
            }
            text.push('\n');
        }
        text.padded_to(host.len() + 64)
    }

    fn shown(&self) -> usize {
        self.cpus.clamp(1, self.room())
    }

    fn room(&self) -> usize {
        self.host_cpus.max(1)
    }
}

fn pad(mut text: String, bytes: usize) -> String {
    text.extend(std::iter::repeat_n('\n', bytes));
    text
}

trait Padded {
    /// Empty lines behind it, until it has this length: no reader takes them for anything.
    fn padded_to(self, bytes: usize) -> String;
}

impl Padded for String {
    fn padded_to(self, bytes: usize) -> String {
        let more = bytes.saturating_sub(self.len());
        pad(self, more)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn inside() -> Inside {
        Inside {
            cpus: 1,
            host_cpus: 2,
            user_usec: 1_500_000,
            system_usec: 500_000,
            up_msec: 61_234,
            born_secs: 1_700_000_000,
            memory_limit: 64 << 20,
            memory_used: 24 << 20,
            file: 8 << 20,
            active_file: 3 << 20,
            inactive_file: 5 << 20,
            anon: 12 << 20,
            running: 1,
            threads: 3,
            last_pid: 7,
            ..Inside::default()
        }
    }

    fn kib(text: &str, name: &str) -> u64 {
        let line = text.lines().find(|line| line.split(':').next() == Some(name)).unwrap();
        line.split_whitespace().nth(1).unwrap().parse().unwrap()
    }

    #[test]
    fn memory_is_the_groups() {
        let text = inside().meminfo();
        assert_eq!(kib(&text, "MemTotal"), 64 << 10);
        assert_eq!(kib(&text, "MemFree"), 40 << 10);
        assert_eq!(kib(&text, "MemAvailable"), 48 << 10);
        assert_eq!(kib(&text, "SwapTotal"), 0);
        assert!(text.lines().all(|line| line.ends_with(" kB")));
        // More in use than allowed, for a moment: never below nothing.
        let over = Inside { memory_used: 65 << 20, ..inside() }.meminfo();
        assert_eq!(kib(&over, "MemFree"), 0);
    }

    #[test]
    fn time_adds_up() {
        let text = Inside { cpus: 2, ..inside() }.stat();
        let numbers = |name: &str| -> Vec<u64> {
            let line = text.lines().find(|line| line.split(' ').next() == Some(name)).unwrap();
            line.split_whitespace().skip(1).map(|n| n.parse().unwrap()).collect()
        };
        let (all, first, second) = (numbers("cpu"), numbers("cpu0"), numbers("cpu1"));
        assert_eq!(all.len(), 10);
        assert_eq!((all[0], all[2]), (150, 50));
        assert_eq!(all[3], 2 * 6123 - 200);
        assert!(all.iter().zip(first.iter().zip(&second)).all(|(all, (a, b))| *all == a + b));
        assert_eq!(inside().uptime().split_whitespace().collect::<Vec<_>>(), ["61.23", "59.23"]);
    }

    #[test]
    fn no_text_ever_changes_its_length() {
        let host = "processor\t: 0\nmodel name\t: a\n\nprocessor\t: 1\nmodel name\t: a\n\n";
        let lengths = |inside: &Inside| inside.files(host).map(|text| text.len());
        let first = lengths(&inside());
        let late = Inside {
            cpus: 2,
            user_usec: 9_000_000_000_000,
            up_msec: 100_000_000_000,
            memory_limit: 1 << 48,
            threads: 30_000,
            running: 4_000,
            load: Load([123.4, 5000.0, 0.01]),
            ..inside()
        };
        assert_eq!(lengths(&late), first);
        assert!(first.iter().all(|&length| length < 4096), "one page: {first:?}");
    }

    #[test]
    fn as_many_cpus_as_the_quota_is_worth() {
        let host = "processor\t: 4\nflags\t\t: x\n\nprocessor\t: 5\nflags\t\t: x\n\n";
        let shown = |cpus| {
            let text = Inside { cpus, ..inside() }.cpuinfo(host);
            text.lines().filter(|line| line.starts_with("processor")).map(str::to_string).collect()
        };
        let one: Vec<String> = shown(1);
        assert_eq!(one, ["processor\t: 0"]);
        assert_eq!(shown(9), ["processor\t: 0", "processor\t: 1"]);
        assert_eq!(
            [(20_000, 100_000), (150_000, 100_000), (200_000, 100_000)]
                .map(|(q, p)| cpus_of_quota(q, p)),
            [1, 2, 2]
        );
    }

    #[test]
    fn load_goes_to_what_runs() {
        let load = Load::default().after(60.0, 1);
        assert!((load.0[0] - 0.632).abs() < 0.001, "{load:?}");
        assert!((load.after(3600.0, 2).0[0] - 2.0).abs() < 0.001);
        assert!(Inside { load, ..inside() }.loadavg().starts_with("0.63 0.18 0.06 1/3 7 "));
    }
}
