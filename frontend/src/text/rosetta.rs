//! What to know about a row of the Rosetta, in words.

use vitrine_shared::cgroup::{Controller, Dialect};
use vitrine_shared::rosetta::Note;

use crate::prefs::Lang;

words! {
    no_counterpart: "no counterpart" / "没有对应的文件";
    will_write: "Will write:" / "将写入：";
    really_written: "Really written:" / "实际写入：";
}

/// What to know about a row; empty where both sides say it all.
#[allow(clippy::too_many_lines)] // One arm a note.
pub(crate) fn note(lang: Lang, note: Note) -> &'static str {
    match note {
        Note::Same | Note::Renamed => "",
        Note::QuotaAndPeriod => lang.pick(
            "Two files became one line; -1 for no limit became max.",
            "两个文件合成了一行；表示不限的 -1 变成了 max。",
        ),
        Note::Weight => lang.pick(
            "Another scale with another default (1024, 100). The kernel gives no rule; this is the curve that container runtimes use.",
            "换了尺度，默认值也不同（1024 和 100）。内核没有规定怎么换算；这里用容器运行时的曲线。",
        ),
        Note::Microseconds => lang.pick("Nanoseconds became microseconds.", "纳秒变成了微秒。"),
        Note::Ticks => lang.pick(
            "Hundredths of a second became microseconds.",
            "百分之一秒变成了微秒。",
        ),
        Note::EmptyInherits => lang.pick(
            "Empty means nobody may run in v1, and as the parent in v2.",
            "留空在 v1 里是谁都不能运行，在 v2 里是与上级相同。",
        ),
        Note::Effective => lang.pick(
            "What it really has, after its parents’ word.",
            "经过各级上级限制之后真正能用的。",
        ),
        Note::Partition => lang.pick(
            "CPUs for this group alone; in v2 they also leave the load balancer.",
            "只给这个组用的 CPU；在 v2 里还会脱离负载均衡。",
        ),
        Note::Bytes => lang.pick(
            "-1 became max. The kernel rounds bytes down to whole pages of 4096.",
            "-1 变成了 max。内核把字节数向下取整到 4096 的整数倍。",
        ),
        Note::SwapApart => lang.pick(
            "v1 counts memory and swap together, v2 swap alone.",
            "v1 把内存和交换加在一起算，v2 只算交换。",
        ),
        Note::Events => lang.pick(
            "A counter of its own became a line of an events file.",
            "单独的计数器变成了事件文件里的一行。",
        ),
        Note::SoftLimit => lang.pick(
            "v1 says what to take back first; the nearest in v2 is memory that is protected, so no value can be turned.",
            "v1 说先回收谁；v2 里最接近的是受保护的内存，数值没法换算。",
        ),
        Note::Swappiness => lang.pick(
            "v2 has none for a group: limit its swap instead.",
            "v2 的组没有这一项：请改为限制交换。",
        ),
        Note::OomDisable => lang.pick(
            "In v1 the killer can be switched off, and the group then hangs; in v2 it cannot.",
            "v1 可以关掉 OOM 杀手，组里的进程会卡住；v2 不能关。",
        ),
        Note::Freezer => lang.pick(
            "Words became numbers; in v2 a frozen process can still be killed.",
            "词变成了数；在 v2 里，冻结的进程仍然可以被杀死。",
        ),
        Note::Threads => lang.pick(
            "In v2 a thread can be moved alone only inside a threaded subtree.",
            "在 v2 里，只有在 threaded 子树内才能单独移动一个线程。",
        ),
        Note::IoMax => lang.pick(
            "Four files became four keys of one; 0 for no limit became max.",
            "四个文件合成了一个文件的四个键；表示不限的 0 变成了 max。",
        ),
        Note::IoStat => lang.pick(
            "Lines by direction became keys; v2 does not tell synchronous from asynchronous.",
            "按方向分的行变成了键；v2 不区分同步和异步。",
        ),
        Note::IoWeight => lang.pick("Another scale: 10 to 1000 became 1 to 10000.", "换了尺度：10 到 1000 变成了 1 到 10000。"),
        Note::PerCpu => lang.pick("v2 does not count each CPU by itself.", "v2 不按单个 CPU 统计。"),
        Note::UseHierarchy => lang.pick("v2 always counts what is below too.", "v2 总是把下级一起算。"),
        Note::KernelMemory => lang.pick(
            "Counted apart in v1; in v2 always part of the memory.",
            "v1 单独统计；在 v2 里总是内存的一部分。",
        ),
        Note::MoveCharge => lang.pick(
            "In v2 memory stays with the group that touched it first.",
            "在 v2 里，内存一直算在最先碰它的组头上。",
        ),
        Note::Reclaim => lang.pick(
            "v1 takes back everything, v2 as many bytes as are written.",
            "v1 全部回收，v2 写多少字节就回收多少。",
        ),
        Note::Release => lang.pick(
            "In v1 the kernel starts a program when a group is empty; in v2 a file says so.",
            "v1 在组变空时由内核启动一个程序；v2 由一个文件说明。",
        ),
        Note::CloneChildren => lang.pick(
            "In v2 a child that says nothing inherits.",
            "在 v2 里，下级不写就是继承。",
        ),
        Note::High => lang.pick(
            "Only in v2: above it the group is slowed down, before anybody is killed.",
            "只有 v2 有：超过它时先放慢这个组，而不是杀进程。",
        ),
        Note::OomGroup => lang.pick(
            "Only in v2: out of memory, the whole group is killed and not one process.",
            "只有 v2 有：内存不足时杀掉整个组，而不是一个进程。",
        ),
        Note::Kill => lang.pick(
            "Only in v2: one write kills everybody in the group and below it.",
            "只有 v2 有：写一次就杀掉组内和下级的所有进程。",
        ),
        Note::Subtree => lang.pick(
            "Only in v2: a parent hands its controllers out. In v1 each controller has a hierarchy of its own.",
            "只有 v2 有：由上级把控制器分给下级。在 v1 里每个控制器有自己的层级。",
        ),
        Note::Pressure => lang.pick(
            "Only in v2: how long somebody had to wait for it.",
            "只有 v2 有：有进程为它等了多久。",
        ),
    }
}

/// The head of a column: measured on this host, or derived.
pub(crate) fn column(lang: Lang, dialect: Dialect, real: bool) -> &'static str {
    match (dialect, real) {
        (_, true) => lang.pick("on this host", "这台宿主机"),
        (Dialect::V1, false) => lang.pick("as v1 would write it", "v1 的写法"),
        (Dialect::V2, false) => lang.pick("as v2 would write it", "v2 的写法"),
    }
}

/// The name of a section.
pub(crate) fn section(lang: Lang, controller: Option<Controller>) -> &'static str {
    controller.map_or_else(|| lang.pick("every group", "每个组都有"), Controller::name)
}

/// "The Rosetta of root/c1"
pub(crate) fn of_group(lang: Lang, path: &str) -> String {
    lang.pick(format!("Files of {path}, in both dialects"), format!("{path} 的文件，两种写法"))
}
