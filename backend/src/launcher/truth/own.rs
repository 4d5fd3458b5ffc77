//! Our own `meminfo`, `cpuinfo`, `stat`, `uptime` and `loadavg`, written from a container's group.
//!
//! The launcher writes them: the observer opens for reading only, and a further process would hold
//! one more set of descriptors that lead into containers for the sake of some 300 µs a second.

use std::ffi::CStr;
use std::fs::{self, File};
use std::os::fd::AsFd as _;
use std::os::unix::fs::FileExt as _;
use std::path::{Path, PathBuf};
use std::time::{Duration, Instant, SystemTime, UNIX_EPOCH};

use nix::fcntl::{OFlag, openat};
use nix::sys::stat::Mode;
use vitrine_shared::cgroup::{Controller, Dialect};
use vitrine_shared::message::StepName;
use vitrine_shared::spec::parse_cpu_list;
use vitrine_shared::truth::OWN_FILES;
use vitrine_shared::truth::own::{Inside, Load, cpus_of_quota};

use super::super::cgroup::Cgroup;
use super::super::step::{At as _, StepError};
use super::super::sys;
use super::Cover;

/// How often they are written.
pub(crate) const EVERY: Duration = Duration::from_secs(1);
/// Threads whose state is looked at; a machine has at most 256 processes.
const MOST_THREADS: usize = 1024;
/// Room in the tmpfs: `cpuinfo` of a host with some thousand CPUs.
const ROOM: &CStr = c"4m";

/// The files of one container, open for writing.
#[derive(Debug)]
pub(crate) struct Own {
    files: Vec<File>,
    group: Cgroup,
    born: Instant,
    born_secs: u64,
    host: HostNumbers,
    load: Load,
    written: Instant,
}

/// What does not change while we run.
#[derive(Debug)]
struct HostNumbers {
    cpuinfo: String,
    cpus: usize,
    memory: u64,
    swap: u64,
}

impl Own {
    /// Makes the files of a container that was, or will be, born at this moment, and fills them.
    /// Before its quota is lifted for a birth.
    pub(crate) fn make(group: &Cgroup, born: Instant) -> Result<(Self, Cover), StepError> {
        let step = StepName::Proc;
        let options = [(c"size", ROOM), (c"nr_inodes", c"16"), (c"mode", c"0755")];
        let flags = sys::MOUNT_ATTR_NOSUID | sys::MOUNT_ATTR_NODEV;
        let tmpfs = sys::new_tmpfs(&options, flags).at(step, "make a tmpfs for our own files")?;
        let make = |name: &str| -> nix::Result<File> {
            let flags = OFlag::O_CREAT | OFlag::O_EXCL | OFlag::O_RDWR | OFlag::O_CLOEXEC;
            let file = openat(tmpfs.as_fd(), name, flags, Mode::from_bits_truncate(0o444))?;
            // Whatever the umask is.
            nix::sys::stat::fchmod(file.as_fd(), Mode::from_bits_truncate(0o444))?;
            Ok(File::from(file))
        };
        let files = OWN_FILES.iter().map(|name| make(name)).collect::<nix::Result<_>>();
        let since = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
        let mut own = Own {
            files: files.at(step, "make our own files")?,
            group: group.clone(),
            born,
            born_secs: since.saturating_sub(born.elapsed()).as_secs(),
            host: HostNumbers::read(),
            load: Load::default(),
            written: born,
        };
        own.write().at(step, "write our own files")?;
        Ok((own, Cover::Own(tmpfs)))
    }

    /// Until they are to be written again.
    pub(crate) fn due_in(&self) -> Duration {
        EVERY.saturating_sub(self.written.elapsed())
    }

    /// Writes them again, when it is time.
    pub(crate) fn refresh(&mut self) {
        if self.due_in().is_zero()
            && let Err(errno) = self.write()
        {
            // The old numbers stay, and the next time may be better.
            tracing::warn!(%errno, "the files of a container's /proc are not written");
        }
    }

    /// Each by one `pwrite` of the length that it has: see `vitrine_shared::truth::own`.
    fn write(&mut self) -> nix::Result<()> {
        let now = Instant::now();
        let mut inside = self.look();
        self.load = self.load.after((now - self.written).as_secs_f64(), inside.running);
        inside.load = self.load;
        self.written = now;
        for (file, text) in self.files.iter().zip(inside.files(&self.host.cpuinfo)) {
            let wrote = file.write_at(text.as_bytes(), 0);
            wrote.map_err(|err| nix::errno::Errno::from_raw(err.raw_os_error().unwrap_or(0)))?;
        }
        Ok(())
    }

    /// What the group says now.
    fn look(&self) -> Inside {
        let mut inside = Inside {
            cpus: self.host.cpus,
            host_cpus: self.host.cpus,
            up_msec: u64::try_from(self.born.elapsed().as_millis()).unwrap_or(u64::MAX),
            born_secs: self.born_secs,
            memory_limit: self.host.memory,
            ..Inside::default()
        };
        look_at_cpu(&self.group, &mut inside);
        look_at_memory(&self.group, self.host.swap, &mut inside);
        look_at_threads(&self.group, &mut inside);
        inside
    }
}

impl HostNumbers {
    fn read() -> Self {
        let cpuinfo = fs::read_to_string("/proc/cpuinfo").unwrap_or_default();
        let meminfo = fs::read_to_string("/proc/meminfo").unwrap_or_default();
        let kib = |name: &str| {
            let line = meminfo.lines().find_map(|line| line.strip_prefix(name));
            let number = line.and_then(|line| line.split_whitespace().next()?.parse::<u64>().ok());
            number.unwrap_or(0) * 1024
        };
        let cpus = cpuinfo.lines().filter(|line| line.starts_with("processor")).count().max(1);
        HostNumbers { cpus, memory: kib("MemTotal:"), swap: kib("SwapTotal:"), cpuinfo }
    }
}

/// The group's directory for a controller, and those above it, lowest first.
fn way_up(group: &Cgroup, controller: Controller) -> Option<(Vec<PathBuf>, Dialect)> {
    let (dir, dialect) = group.directory(controller)?;
    let levels = group.path().split('/').count();
    Some((dir.ancestors().take(levels).map(Path::to_path_buf).collect(), dialect))
}

fn read(dir: &Path, file: &str) -> Option<String> {
    fs::read_to_string(dir.join(file)).ok()
}

/// `max`, and -1 of v1, are no number and so no limit; so is what is not there.
fn number(dir: &Path, file: &str) -> Option<u64> {
    read(dir, file)?.trim().parse().ok()
}

/// A line `name value` of a file of such lines.
fn value(text: &str, name: &str) -> u64 {
    let found = text.lines().find_map(|line| line.split_once(' ').filter(|(n, _)| *n == name));
    found.and_then(|(_, value)| value.trim().parse().ok()).unwrap_or(0)
}

fn look_at_cpu(group: &Cgroup, inside: &mut Inside) {
    if let Some((dirs, dialect)) = way_up(group, Controller::Cpu) {
        let quota = |dir: &PathBuf| match dialect {
            Dialect::V1 => {
                Some((number(dir, "cpu.cfs_quota_us")?, number(dir, "cpu.cfs_period_us")?))
            }
            Dialect::V2 => {
                let text = read(dir, "cpu.max")?;
                let (quota, period) = text.trim().split_once(' ')?;
                Some((quota.parse().ok()?, period.parse().ok()?))
            }
        };
        let least = dirs.iter().filter_map(quota).map(|(q, p)| cpus_of_quota(q, p)).min();
        inside.cpus = inside.cpus.min(least.unwrap_or(usize::MAX));
        if dialect == Dialect::V2 {
            let stat = dirs.first().and_then(|dir| read(dir, "cpu.stat")).unwrap_or_default();
            inside.user_usec = value(&stat, "user_usec");
            inside.system_usec = value(&stat, "system_usec");
        }
    }
    if let Some((dir, Dialect::V1)) = group.directory(Controller::Cpuacct) {
        // In ticks of 10 ms, as `/proc/stat` has them.
        let stat = read(&dir, "cpuacct.stat").unwrap_or_default();
        inside.user_usec = value(&stat, "user") * 10_000;
        inside.system_usec = value(&stat, "system") * 10_000;
    }
    if let Some((dir, dialect)) = group.directory(Controller::Cpuset) {
        let list = match dialect {
            Dialect::V1 => read(&dir, "cpuset.effective_cpus"),
            Dialect::V2 => read(&dir, "cpuset.cpus.effective"),
        };
        let cpus = list.and_then(|list| parse_cpu_list(&list)).map_or(0, |cpus| cpus.len());
        if cpus > 0 {
            inside.cpus = inside.cpus.min(cpus);
        }
    }
}

fn look_at_memory(group: &Cgroup, host_swap: u64, inside: &mut Inside) {
    let Some((dirs, dialect)) = way_up(group, Controller::Memory) else { return };
    let Some(dir) = dirs.first() else { return };
    let least = |file: &str| dirs.iter().filter_map(|dir| number(dir, file)).min();
    let stat = read(dir, "memory.stat").unwrap_or_default();
    let stat = |v1: &str, v2: &str| match dialect {
        Dialect::V1 => value(&stat, v1),
        Dialect::V2 => value(&stat, v2),
    };
    let host = inside.memory_limit;
    let (limit, used, swap_limit, swap_used) = match dialect {
        Dialect::V1 => {
            let limit = least("memory.limit_in_bytes").unwrap_or(host);
            let used = number(dir, "memory.usage_in_bytes").unwrap_or(0);
            let both = least("memory.memsw.limit_in_bytes").unwrap_or(u64::MAX);
            let both_used = number(dir, "memory.memsw.usage_in_bytes").unwrap_or(used);
            (limit, used, both.saturating_sub(limit), both_used.saturating_sub(used))
        }
        Dialect::V2 => {
            let limit = least("memory.max").unwrap_or(host);
            let swap = least("memory.swap.max").unwrap_or(u64::MAX);
            let number = |file| number(dir, file).unwrap_or(0);
            (limit, number("memory.current"), swap, number("memory.swap.current"))
        }
    };
    inside.memory_limit = limit.min(host);
    inside.memory_used = used;
    inside.swap_limit = swap_limit.min(host_swap);
    inside.swap_used = swap_used;
    inside.file = stat("total_cache", "file");
    inside.active_file = stat("total_active_file", "active_file");
    inside.inactive_file = stat("total_inactive_file", "inactive_file");
    inside.anon = stat("total_rss", "anon");
    inside.shmem = stat("total_shmem", "shmem");
    inside.mapped = stat("total_mapped_file", "file_mapped");
    inside.slab_reclaimable = stat("", "slab_reclaimable");
}

fn look_at_threads(group: &Cgroup, inside: &mut Inside) {
    let Some((hierarchy, dir)) = group.directories().next() else { return };
    let list = match hierarchy.dialect {
        Dialect::V1 => read(&dir, "tasks"),
        Dialect::V2 => read(&dir, "cgroup.threads"),
    };
    let list = list.unwrap_or_default();
    let threads = || list.lines().take(MOST_THREADS);
    inside.threads = threads().count() as u64;
    let active = |tid: &&str| {
        let stat = fs::read_to_string(format!("/proc/{tid}/stat")).unwrap_or_default();
        // The name in parentheses may have anything in it (proc_pid_stat(5)).
        let state = stat.rsplit_once(") ").map_or("", |(_, rest)| rest);
        state.starts_with('R') || state.starts_with('D')
    };
    inside.running = threads().filter(active).count() as u64;
    let last = threads().filter_map(|tid| tid.parse::<u32>().ok()).max();
    let status = last.and_then(|tid| fs::read_to_string(format!("/proc/{tid}/status")).ok());
    let pids = status.as_deref().unwrap_or_default();
    let pids = pids.lines().find_map(|line| line.strip_prefix("NSpid:"));
    let pid = pids.and_then(|pids| pids.split_whitespace().last()?.parse().ok());
    inside.last_pid = pid.unwrap_or(1);
}
