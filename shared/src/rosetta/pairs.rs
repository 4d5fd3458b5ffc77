//! The table: controller by controller, v1 on the left, v2 on the right.

use super::{How, Note, Pair, Place};
use crate::cgroup::Controller;

const fn whole(file: &'static str) -> Place {
    Place { file, key: None }
}

const fn line(file: &'static str, key: &'static str) -> Place {
    Place { file, key: Some(key) }
}

const fn pair(
    controller: Option<Controller>,
    v1: &'static [Place],
    v2: &'static [Place],
    how: How,
    note: Note,
) -> Pair {
    Pair { controller, v1, v2, how, note }
}

const BYTES: How = How::Limit { bytes: true };
const COUNT: How = How::Limit { bytes: false };
const NSEC: How = How::Scale { times: 1, by: 1_000 };
/// `USER_HZ` is 100 on every architecture that this program runs on.
const TICKS: How = How::Scale { times: 10_000, by: 1 };

macro_rules! rows {
    ($($controller:expr, [$($v1:expr),*], [$($v2:expr),*], $how:expr, $note:ident;)*) => {
        &[$(pair($controller, &[$($v1),*], &[$($v2),*], $how, Note::$note)),*]
    };
}

const CPU: Option<Controller> = Some(Controller::Cpu);
const CPUACCT: Option<Controller> = Some(Controller::Cpuacct);
const CPUSET: Option<Controller> = Some(Controller::Cpuset);
const MEMORY: Option<Controller> = Some(Controller::Memory);
const PIDS: Option<Controller> = Some(Controller::Pids);
const FREEZER: Option<Controller> = Some(Controller::Freezer);
const IO: Option<Controller> = Some(Controller::Io);

/// Every row.
pub static PAIRS: &[Pair] = rows! {
    CPU, [whole("cpu.cfs_quota_us"), whole("cpu.cfs_period_us")], [whole("cpu.max")],
        How::QuotaAndPeriod, QuotaAndPeriod;
    CPU, [whole("cpu.cfs_burst_us")], [whole("cpu.max.burst")], How::Same, Renamed;
    CPU, [whole("cpu.shares")], [whole("cpu.weight")], How::Weight, Weight;
    CPU, [whole("cpu.idle")], [whole("cpu.idle")], How::Same, Same;
    CPU, [line("cpu.stat", "nr_periods")], [line("cpu.stat", "nr_periods")], How::Same, Same;
    CPU, [line("cpu.stat", "nr_throttled")], [line("cpu.stat", "nr_throttled")], How::Same, Same;
    CPU, [line("cpu.stat", "throttled_time")], [line("cpu.stat", "throttled_usec")],
        NSEC, Microseconds;
    CPU, [line("cpu.stat", "nr_bursts")], [line("cpu.stat", "nr_bursts")], How::Same, Same;
    CPU, [line("cpu.stat", "burst_time")], [line("cpu.stat", "burst_usec")], NSEC, Microseconds;
    CPU, [], [whole("cpu.pressure")], How::Never, Pressure;
    CPUACCT, [whole("cpuacct.usage")], [line("cpu.stat", "usage_usec")], NSEC, Microseconds;
    CPUACCT, [line("cpuacct.stat", "user")], [line("cpu.stat", "user_usec")], TICKS, Ticks;
    CPUACCT, [line("cpuacct.stat", "system")], [line("cpu.stat", "system_usec")], TICKS, Ticks;
    CPUACCT, [whole("cpuacct.usage_percpu")], [], How::Never, PerCpu;
    CPUSET, [whole("cpuset.cpus")], [whole("cpuset.cpus")], How::Same, EmptyInherits;
    CPUSET, [whole("cpuset.mems")], [whole("cpuset.mems")], How::Same, EmptyInherits;
    CPUSET, [whole("cpuset.effective_cpus")], [whole("cpuset.cpus.effective")],
        How::Same, Effective;
    CPUSET, [whole("cpuset.effective_mems")], [whole("cpuset.mems.effective")],
        How::Same, Effective;
    CPUSET, [whole("cpuset.cpu_exclusive")], [whole("cpuset.cpus.partition")],
        How::Exclusive, Partition;
    MEMORY, [whole("memory.limit_in_bytes")], [whole("memory.max")], BYTES, Bytes;
    MEMORY, [whole("memory.usage_in_bytes")], [whole("memory.current")], How::Same, Renamed;
    MEMORY, [whole("memory.max_usage_in_bytes")], [whole("memory.peak")], How::Same, Renamed;
    MEMORY, [whole("memory.failcnt")], [line("memory.events", "max")], How::Same, Events;
    MEMORY, [whole("memory.soft_limit_in_bytes")], [whole("memory.low")], How::Never, SoftLimit;
    MEMORY, [], [whole("memory.high")], How::Never, High;
    MEMORY, [whole("memory.memsw.limit_in_bytes")], [whole("memory.swap.max")],
        How::Swap { memory_v1: "memory.limit_in_bytes", memory_v2: "memory.max" }, SwapApart;
    MEMORY, [whole("memory.memsw.usage_in_bytes")], [whole("memory.swap.current")],
        How::Swap { memory_v1: "memory.usage_in_bytes", memory_v2: "memory.current" }, SwapApart;
    MEMORY, [whole("memory.swappiness")], [], How::Never, Swappiness;
    MEMORY, [line("memory.oom_control", "oom_kill")], [line("memory.events", "oom_kill")],
        How::Same, Events;
    MEMORY, [line("memory.oom_control", "oom_kill_disable")], [], How::Never, OomDisable;
    MEMORY, [], [whole("memory.oom.group")], How::Never, OomGroup;
    MEMORY, [line("memory.stat", "cache")], [line("memory.stat", "file")], How::Same, Renamed;
    MEMORY, [line("memory.stat", "rss")], [line("memory.stat", "anon")], How::Same, Renamed;
    MEMORY, [line("memory.stat", "mapped_file")], [line("memory.stat", "file_mapped")],
        How::Same, Renamed;
    MEMORY, [line("memory.stat", "pgfault")], [line("memory.stat", "pgfault")], How::Same, Same;
    MEMORY, [line("memory.stat", "pgmajfault")], [line("memory.stat", "pgmajfault")],
        How::Same, Same;
    MEMORY, [whole("memory.force_empty")], [whole("memory.reclaim")], How::Never, Reclaim;
    MEMORY, [whole("memory.use_hierarchy")], [], How::Never, UseHierarchy;
    MEMORY, [whole("memory.kmem.usage_in_bytes")], [line("memory.stat", "kernel")],
        How::Same, KernelMemory;
    MEMORY, [whole("memory.move_charge_at_immigrate")], [], How::Never, MoveCharge;
    MEMORY, [], [whole("memory.pressure")], How::Never, Pressure;
    PIDS, [whole("pids.max")], [whole("pids.max")], COUNT, Same;
    PIDS, [whole("pids.current")], [whole("pids.current")], How::Same, Same;
    PIDS, [line("pids.events", "max")], [line("pids.events", "max")], How::Same, Same;
    FREEZER, [whole("freezer.state")], [whole("cgroup.freeze")], How::Freezer, Freezer;
    IO, [
        whole("blkio.throttle.read_bps_device"), whole("blkio.throttle.write_bps_device"),
        whole("blkio.throttle.read_iops_device"), whole("blkio.throttle.write_iops_device")
    ], [whole("io.max")], How::IoMax, IoMax;
    IO, [whole("blkio.throttle.io_service_bytes"), whole("blkio.throttle.io_serviced")],
        [whole("io.stat")], How::IoStat, IoStat;
    IO, [whole("blkio.weight")], [whole("io.weight")], How::IoWeight, IoWeight;
    IO, [whole("blkio.bfq.weight")], [whole("io.bfq.weight")], How::Same, Renamed;
    IO, [], [whole("io.pressure")], How::Never, Pressure;
    None, [whole("cgroup.procs")], [whole("cgroup.procs")], How::Same, Same;
    None, [whole("tasks")], [whole("cgroup.threads")], How::Same, Threads;
    None, [whole("notify_on_release"), whole("release_agent")],
        [line("cgroup.events", "populated")], How::Never, Release;
    None, [whole("cgroup.clone_children")], [], How::Never, CloneChildren;
    None, [], [whole("cgroup.kill")], How::Never, Kill;
    None, [], [whole("cgroup.controllers"), whole("cgroup.subtree_control")],
        How::Never, Subtree;
};
