//! Numbers that have bounds, and what limits count, in words.

use vitrine_shared::limits::Unit;
use vitrine_shared::spec::Quantity;

use crate::prefs::Lang;

/// What a limit counts, as it follows the number.
pub(crate) fn unit(lang: Lang, unit: Unit) -> String {
    if lang == Lang::En {
        return unit.to_string();
    }
    match unit {
        Unit::Machines => "台机器",
        Unit::Containers => "个容器",
        Unit::Shells => "个 shell",
        Unit::NamespacesOfEachKind => "个命名空间（每种）",
        Unit::Cgroups => "个 cgroup",
        Unit::Levels | Unit::Layers => "层",
        Unit::Groups => "个组",
        Unit::Commands => "条命令",
        Unit::Records => "条记录",
        Unit::Sockets => "个套接字",
        Unit::Connections => "个连接",
        Unit::TriesAMinute => "次（每分钟）",
        Unit::Bytes => "字节",
        Unit::FramesASecond => "帧（每秒）",
        Unit::CommandsASecond => "条命令（每秒）",
        Unit::Messages => "条消息",
        Unit::ColumnsOrRows => "列或行",
        Unit::Words => "个词",
        Unit::Processes => "个进程",
        Unit::ThousandthsOfOneCpu => "（一个 CPU 的千分之一）",
        Unit::Seconds => "秒",
        Unit::Inodes => "个 inode",
        Unit::Terminals => "个终端",
        Unit::Images => "个镜像",
        Unit::Files => "个文件",
        Unit::Directories => "级目录",
    }
    .into()
}

/// A number that has a range, as a noun.
pub(crate) fn quantity(lang: Lang, quantity: Quantity) -> &'static str {
    match quantity {
        Quantity::TimeOffset => lang.pick("time offset", "时钟偏移（秒）"),
        Quantity::ArgvWords => lang.pick("number of words", "命令行的词数"),
        Quantity::ArgvBytes => lang.pick("length of the command line", "命令行的字节数"),
        Quantity::CpuQuota => lang.pick("CPU quota in µs", "CPU 配额（µs）"),
        Quantity::CpuPeriod => lang.pick("CPU period in µs", "CPU 周期（µs）"),
        Quantity::CpuBurst => lang.pick("CPU burst in µs", "CPU 突发额（µs）"),
        Quantity::CpuShares => lang.pick("number of CPU shares", "CPU 份额"),
        Quantity::Memory => lang.pick("memory in bytes", "内存（字节）"),
        Quantity::MemoryHigh => lang.pick("memory.high in bytes", "内存回收线（字节）"),
        Quantity::MemorySwap => lang.pick("swap in bytes", "交换空间（字节）"),
        Quantity::Pids => lang.pick("number of processes", "进程数"),
        Quantity::IoRate => lang.pick("rate of a disk", "磁盘速率（每秒）"),
        Quantity::Hertz => lang.pick("number of samples a second", "每秒取样次数"),
    }
}
