//! What the kernel means by each cgroup file, in our own words. Sources: `cgroup-v1/*.rst`,
//! `cgroup-v2.rst` and `sched-bwc.rst` in the kernel's documentation.

use crate::prefs::Lang;

/// What a file says or does; empty for one that is not known.
#[allow(clippy::too_many_lines)] // One arm a file.
pub(crate) fn meaning(lang: Lang, file: &str) -> &'static str {
    match file {
        "cpu.cfs_quota_us" => lang.pick(
            "CPU time that all threads of the group together may use in each period. When it is used up they wait for the next period. -1 is no limit.",
            "组里所有线程在每个周期内合起来可以用的 CPU 时间。用完就要等下一个周期。-1 表示不限。",
        ),
        "cpu.cfs_period_us" => lang.pick(
            "How often the quota is refilled. Short periods mean short waits and more work for the kernel.",
            "配额多久补满一次。周期短，等待也短，但内核的开销更大。",
        ),
        "cpu.cfs_burst_us" | "cpu.max.burst" => lang.pick(
            "Quota that was not used may be saved up to this much and spent in a later period.",
            "没用完的配额最多可以攒这么多，留到以后的周期用。",
        ),
        "cpu.shares" => lang.pick(
            "Weight against its siblings when the CPU is contended; 1024 by default. With nobody else there it limits nothing.",
            "CPU 不够分时相对同级组的权重，默认 1024。没有人争抢时它什么也不限制。",
        ),
        "cpu.weight" => lang.pick(
            "Weight against its siblings when the CPU is contended, 1 to 10000; 100 by default. With nobody else there it limits nothing.",
            "CPU 不够分时相对同级组的权重，1 到 10000，默认 100。没有人争抢时它什么也不限制。",
        ),
        "cpu.idle" => lang.pick(
            "1: the group runs only when nobody else wants the CPU.",
            "设为 1 时，只有别人都不用 CPU 时它才运行。",
        ),
        "cpu.max" => lang.pick(
            "Quota and period in one line: so many microseconds of CPU in each so many. max is no limit.",
            "配额和周期写在一行：每个周期内可以用多少微秒 CPU。max 表示不限。",
        ),
        "cpu.stat" => lang.pick(
            "Counters: periods that passed, those in which it ran out of quota, and how long its run queues then waited, added up over CPUs.",
            "计数：经过的周期数、其中用完配额的周期数、运行队列因此等待的时间（各 CPU 相加）。",
        ),
        "cpuacct.usage" => lang.pick("CPU time used so far by the group and those in it.", "这个组和它里面的组到现在用掉的 CPU 时间。"),
        "cpuacct.stat" => lang.pick("The same in user and in kernel mode, in hundredths of a second.", "分用户态和内核态的 CPU 时间，单位是百分之一秒。"),
        "cpuset.cpus" => lang.pick(
            "CPUs that its threads may run on. In v1 a group with none takes no process; in v2 empty means: as its parent.",
            "它的线程可以在哪些 CPU 上运行。v1 里留空的组不能放进程；v2 里留空表示和上级一样。",
        ),
        "cpuset.mems" => lang.pick("Memory nodes that its memory may come from.", "它的内存可以来自哪些内存节点。"),
        "cpuset.effective_cpus" | "cpuset.cpus.effective" => lang.pick(
            "The CPUs that it really has, after what its parents allow.",
            "经过各级上级允许之后，它真正能用的 CPU。",
        ),
        "memory.limit_in_bytes" | "memory.max" => lang.pick(
            "Memory is taken back when this is reached; when none can be, a process of the group is killed.",
            "到达时内核先回收内存；回收不出来，就杀死组里的一个进程。",
        ),
        "memory.soft_limit_in_bytes" => lang.pick(
            "Above it the group is the first to give memory back when the whole host is short of it.",
            "整台宿主机缺内存时，超过它的组最先被回收。",
        ),
        "memory.high" => lang.pick(
            "Above it processes are slowed down and memory is taken back; nobody is killed for it.",
            "超过它时进程被放慢、内存被回收，但不会因此被杀死。",
        ),
        "memory.memsw.limit_in_bytes" => lang.pick("Limit of memory and swap together.", "内存和交换空间合起来的上限。"),
        "memory.swap.max" => lang.pick("How much of its memory may be moved to swap.", "最多有多少内存可以换出到交换空间。"),
        "memory.swappiness" => lang.pick("How readily its memory is moved to swap; 0 as late as possible.", "多愿意把它的内存换出；0 表示尽量不换。"),
        "memory.oom.group" => lang.pick(
            "1: when memory runs out, all of the group is killed and not one process.",
            "设为 1 时，内存耗尽会杀死整个组，而不只是一个进程。",
        ),
        "memory.usage_in_bytes" | "memory.current" => lang.pick(
            "Memory in use by the group and those in it, cached file contents included.",
            "这个组和它里面的组正在用的内存，包括缓存的文件内容。",
        ),
        "memory.max_usage_in_bytes" | "memory.peak" => lang.pick("The most that was ever in use.", "曾经用到的最大值。"),
        "memory.memsw.usage_in_bytes" => lang.pick("Memory and swap in use together.", "正在用的内存和交换空间合计。"),
        "memory.swap.current" => lang.pick("Swap in use.", "正在用的交换空间。"),
        "memory.failcnt" => lang.pick("How often memory was asked for at the limit.", "有多少次在上限处还要内存。"),
        "memory.oom_control" => lang.pick("Whether the kernel may kill when memory runs out, and how often it did.", "内存耗尽时内核能否杀进程，以及已经杀了几次。"),
        "memory.events" => lang.pick(
            "How often the group went above high, asked for memory at max, and had processes killed.",
            "超过 high、在 max 处要内存、进程被杀的次数。",
        ),
        "pids.max" => lang.pick(
            "Most processes and threads in the group and those in it; a fork above it is refused (EAGAIN).",
            "这个组和它里面的组最多有多少进程和线程；超过时 fork 被拒绝（EAGAIN）。",
        ),
        "pids.current" => lang.pick("Processes and threads in the group and those in it.", "这个组和它里面的组现有的进程和线程数。"),
        "pids.events" => lang.pick("How often a fork was refused.", "fork 被拒绝了几次。"),
        "freezer.state" => lang.pick("FROZEN stops every process where it is; THAWED lets them go on.", "FROZEN 让每个进程停在原处；THAWED 让它们继续。"),
        "cgroup.freeze" => lang.pick("1 stops every process where it is; 0 lets them go on.", "写 1 让每个进程停在原处；写 0 让它们继续。"),
        "cgroup.events" => lang.pick("Whether there are processes in it or below, and whether they are frozen.", "它和下级里有没有进程，是不是冻结了。"),
        "blkio.throttle.read_bps_device" => lang.pick("Bytes a second read from a device.", "每秒从设备读多少字节。"),
        "blkio.throttle.write_bps_device" => lang.pick("Bytes a second written to a device.", "每秒向设备写多少字节。"),
        "blkio.throttle.read_iops_device" => lang.pick("Reads a second from a device.", "每秒从设备读多少次。"),
        "blkio.throttle.write_iops_device" => lang.pick("Writes a second to a device.", "每秒向设备写多少次。"),
        "blkio.throttle.io_service_bytes" => lang.pick("Bytes read and written on each device.", "每个设备上读写的字节数。"),
        "blkio.throttle.io_serviced" => lang.pick("Reads and writes on each device.", "每个设备上读写的次数。"),
        "io.max" => lang.pick("Bytes and operations a second on each device; max is no limit.", "每个设备每秒的字节数和次数；max 表示不限。"),
        "io.stat" => lang.pick("Bytes and operations on each device so far.", "每个设备到现在的字节数和次数。"),
        _ => "",
    }
}

#[cfg(test)]
mod tests {
    use vitrine_shared::cgroup::FILES;

    use super::*;

    #[test]
    fn every_file_that_is_shown_has_a_meaning_in_both_languages() {
        for rule in FILES {
            let (en, zh) = (meaning(Lang::En, rule.name), meaning(Lang::Zh, rule.name));
            assert!(en.ends_with('.'), "{}: {en}", rule.name);
            assert!(zh.ends_with('。'), "{}: {zh}", rule.name);
        }
    }
}
