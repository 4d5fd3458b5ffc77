//! The files of `/proc` that are the whole machine's, and the lines that tell of mounts.

use super::mounts::{Mount, MountWhat};
use super::{Errno, Kernel, Namespace, Proc};
use crate::cgroup::Dialect;

impl Kernel {
    pub(super) fn machine_file(&self, name: &str) -> String {
        match name {
            "meminfo" => self.meminfo(),
            "cpuinfo" => self.cpuinfo(),
            "stat" => self.stat(),
            "uptime" => {
                let (up, idle) = (self.now_nsec(), self.idle_nsec());
                format!("{} {}\n", hundredths(up), hundredths(idle))
            }
            "loadavg" => {
                let [one, five, fifteen] = self.cpus.load_average().map(milli);
                let alive = self.about.len();
                let running = self.cpus.n_runnable();
                let last = self.procs.all().last().map_or(0, |proc| self.procs.pids(proc)[0]);
                format!("{one} {five} {fifteen} {running}/{alive} {last}\n")
            }
            "version" => "Linux version 6.18.0-simulated (vitrine) #1 SMP\n".into(),
            "filesystems" => {
                let group = if self.groups.dialect() == Dialect::V1 { "cgroup" } else { "cgroup2" };
                format!("nodev\tsysfs\nnodev\ttmpfs\nnodev\tproc\nnodev\t{group}\n")
            }
            _ => self.controllers(),
        }
    }

    fn meminfo(&self) -> String {
        let charged = self.memory.charged(self.memory.root());
        let total = self.setup.memory_bytes;
        let kib = |bytes: u64| bytes / 1_024;
        let free = total.saturating_sub(charged.in_memory());
        let line = |(name, bytes): (&str, u64)| {
            format!("{:<16}{:>8} kB\n", format!("{name}:"), kib(bytes))
        };
        [
            ("MemTotal", total),
            ("MemFree", free),
            ("MemAvailable", free + charged.file),
            ("Buffers", 0),
            ("Cached", charged.file),
            ("SwapCached", 0),
            ("AnonPages", charged.anon),
            ("SwapTotal", self.setup.swap_bytes),
            ("SwapFree", self.setup.swap_bytes.saturating_sub(charged.swap)),
            ("Shmem", 0),
            ("SReclaimable", 0),
        ]
        .into_iter()
        .map(line)
        .collect()
    }

    fn cpuinfo(&self) -> String {
        let one = |cpu: usize| format!("processor\t: {cpu}\nmodel name\t: simulated\n\n");
        (0..self.cpus.n_cpus()).map(one).collect()
    }

    fn stat(&self) -> String {
        let ticks = |nsec: u64| nsec / 10_000_000;
        let now = self.now_nsec();
        let used = self.cpus.usage_by_cpu(crate::sim::cpu::ROOT).unwrap_or_default();
        let line = |name: String, used: u64, all: u64| {
            format!("{name} {} 0 0 {} 0 0 0 0 0 0\n", ticks(used), ticks(all.saturating_sub(used)))
        };
        let all = line("cpu ".into(), used.iter().sum(), now * used.len() as u64);
        let each = used.iter().enumerate().map(|(cpu, used)| line(format!("cpu{cpu}"), *used, now));
        let each: String = each.collect();
        let running = self.cpus.n_runnable();
        format!(
            "{all}{each}ctxt 0\nbtime 0\nprocesses {}\nprocs_running {running}\nprocs_blocked 0\n",
            self.about.len()
        )
    }

    fn idle_nsec(&self) -> u64 {
        let used = self.cpus.usage_by_cpu(crate::sim::cpu::ROOT).unwrap_or_default();
        (self.now_nsec() * used.len() as u64).saturating_sub(used.iter().sum())
    }

    fn controllers(&self) -> String {
        let mut text = String::from("#subsys_name\thierarchy\tnum_cgroups\tenabled\n");
        for (at, controllers) in self.groups.hierarchies().iter().enumerate() {
            let hierarchy = if self.groups.dialect() == Dialect::V1 { at + 1 } else { 0 };
            for controller in *controllers {
                let count = self.groups.count_in(at);
                text += &format!("{}\t{hierarchy}\t{count}\t1\n", controller.name());
            }
        }
        text
    }

    /// What `/proc/PID/mounts` says.
    pub(super) fn mount_lines(&self, of: Proc) -> Result<String, Errno> {
        let line = |(_, mount, at): (usize, &Mount, String)| {
            let (kind, options) = self.kind_and_options(mount);
            format!("{} {at} {kind} {options} 0 0\n", mount.source)
        };
        Ok(self.mounts_seen(of)?.map(line).collect())
    }

    /// What `/proc/PID/mountinfo` says.
    pub(super) fn mountinfo_lines(&self, of: Proc) -> Result<String, Errno> {
        let first = self.first_mount_id(of)?;
        let line = |(number, mount, at): (usize, &Mount, String)| {
            let (kind, options) = self.kind_and_options(mount);
            let from = match &mount.what {
                MountWhat::Tree { from, .. } if !from.is_empty() => from,
                _ => "/",
            };
            let id = first + number as u64;
            let device = match &mount.what {
                MountWhat::Tree { tree, .. } => 40 + tree,
                _ => 20 + number,
            };
            format!("{id} 1 0:{device} {from} {at} {options} - {kind} {} {options}\n", mount.source)
        };
        Ok(self.mounts_seen(of)?.map(line).collect())
    }

    /// A mount has a number of its own in each mount namespace, also one that was copied.
    fn first_mount_id(&self, of: Proc) -> Result<u64, Errno> {
        let space = self.space(of, Namespace::Mount)?;
        let made = self.procs.number_of(space);
        Ok(20 + made * super::mounts::MOUNTS_MAX as u64)
    }

    /// The mounts at or below a process's root, with their paths seen from there.
    fn mounts_seen(
        &self,
        of: Proc,
    ) -> Result<impl Iterator<Item = (usize, &Mount, String)>, Errno> {
        let root = self.about(of)?.root.clone();
        let mounts = self.mounts_of(of)?.iter().enumerate();
        Ok(mounts.filter_map(move |(number, mount)| {
            let rest = mount.at.strip_prefix(&root)?;
            let at = if rest.is_empty() { "/" } else { rest };
            at.starts_with('/').then(|| (number, mount, at.to_owned()))
        }))
    }

    fn kind_and_options(&self, mount: &Mount) -> (&'static str, String) {
        let mode = if mount.read_only { "ro" } else { "rw" };
        match &mount.what {
            MountWhat::Tree { tree: 0, .. } => ("ext4", format!("{mode},relatime")),
            MountWhat::Tree { .. } => ("tmpfs", format!("{mode},relatime")),
            MountWhat::Proc(_) => ("proc", format!("{mode},nosuid,nodev,noexec,relatime")),
            MountWhat::Sys => ("sysfs", format!("{mode},nosuid,nodev,noexec,relatime")),
            MountWhat::Cgroup { hierarchy } => {
                let options = format!("{mode},nosuid,nodev,noexec,relatime");
                match self.groups.dialect() {
                    Dialect::V2 => ("cgroup2", options),
                    Dialect::V1 => {
                        let controllers = self.groups.hierarchies()[*hierarchy];
                        let names: Vec<&str> = controllers.iter().map(|it| it.name()).collect();
                        ("cgroup", format!("{options},{}", names.join(",")))
                    }
                }
            }
        }
    }
}

/// Seconds with two digits behind the point.
fn hundredths(nsec: u64) -> String {
    let hundredths = nsec / 10_000_000;
    format!("{}.{:02}", hundredths / 100, hundredths % 100)
}

/// Thousandths with two digits behind the point.
fn milli(thousandths: u64) -> String {
    format!("{}.{:02}", thousandths / 1_000, thousandths % 1_000 / 10)
}
