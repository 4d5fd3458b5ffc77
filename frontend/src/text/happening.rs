//! What happened and what was asked, in words.

use vitrine_shared::cgroup::{GroupId, Knob};
use vitrine_shared::message::{Command, Happening, Victim};

use crate::format;
use crate::prefs::Lang;

/// What happened, in one sentence. Writes are drawn as a change, so only their file is named here.
pub(crate) fn happening(lang: Lang, what: &Happening) -> String {
    match what {
        Happening::MachineBorn { took_usec } => {
            let took = format::msec(u64::from(*took_usec));
            lang.pick(
                format!("the machine was born in {took} ms"),
                format!("机器诞生，用时 {took} 毫秒"),
            )
        }
        Happening::ContainerBorn { name, took_usec } => {
            let took = format::msec(u64::from(*took_usec));
            lang.pick(
                format!("{name} was born in {took} ms"),
                format!("{name} 诞生，用时 {took} 毫秒"),
            )
        }
        Happening::ContainerExited { name, status } => lang.pick(
            format!("{name} ended with status {status}"),
            format!("{name} 结束，状态 {status}"),
        ),
        Happening::ExecStarted { name, command, pid } => lang.pick(
            format!("in {name}, host PID {pid}: {command}"),
            format!("在 {name} 里启动，宿主机 PID {pid}：{command}"),
        ),
        Happening::RanBoth { name, line } => lang.pick(
            format!("in {name} and in the machine: {line}"),
            format!("在 {name} 和机器里各运行一次：{line}"),
        ),
        Happening::Wrote { path, .. } => lang.pick(format!("wrote {path}"), format!("写入 {path}")),
        Happening::GroupMade { path } => {
            lang.pick(format!("group {path} was made"), format!("建立了组 {path}"))
        }
        Happening::GroupRemoved { path } => {
            lang.pick(format!("group {path} was removed"), format!("删除了组 {path}"))
        }
        Happening::ProcessMoved { pid, from, to } => lang.pick(
            format!("host PID {pid} moved from {from} to {to}"),
            format!("宿主机 PID {pid} 从 {from} 移到 {to}"),
        ),
        Happening::KernelRefused { path, text, errno } => lang.pick(
            format!("the kernel refused {text} in {path}: {errno}"),
            format!("内核拒绝把 {text} 写入 {path}：{errno}"),
        ),
        Happening::OomKilled { name, victim } => {
            let of = match name.as_str() {
                "" => lang.pick("the machine", "机器"),
                name => name,
            };
            match victim {
                Some(Victim { pid, name: who }) => lang.pick(
                    format!("the kernel killed {who}, PID {pid} of {of}: out of memory"),
                    format!("内核因内存不足杀死了 {of} 里的 {who}（PID {pid}）"),
                ),
                None => lang.pick(
                    format!("the kernel killed a process of {of}: out of memory"),
                    format!("内核因内存不足杀死了 {of} 里的一个进程"),
                ),
            }
        }
    }
}

/// What was asked, as a short clause.
pub(crate) fn asked(lang: Lang, command: &Command) -> String {
    match command {
        Command::Ping { .. } => "ping".into(),
        Command::Subscribe { .. } => lang.pick("look at a machine", "查看一台机器").into(),
        Command::Focus { .. } => lang.pick("look closely at a group", "近看一个控制组").into(),
        Command::Discover { .. } => lang.pick("look at namespaces", "查看命名空间").into(),
        Command::StartMachine { .. } => lang.pick("start a machine", "启动一台机器").into(),
        Command::StartContainer { .. } => lang.pick("start a container", "启动一个容器").into(),
        Command::Exec { argv, .. } => {
            let line = argv.last().map_or("", String::as_str);
            lang.pick(format!("run {line}"), format!("运行 {line}"))
        }
        Command::StopContainer { .. } => lang.pick("end the container", "结束容器").into(),
        Command::StopExecs { .. } => {
            lang.pick("stop the commands started by this page", "停止由本页启动的命令").into()
        }
        Command::Probe { probe, .. } => {
            let line = probe.line();
            lang.pick(format!("run {line}"), format!("运行 {line}"))
        }
        Command::RunBoth { line, .. } => lang.pick(
            format!("run {line} in the container and in its machine"),
            format!("在容器和它的机器里各运行一次 {line}"),
        ),
        Command::SetProcView { .. } => {
            lang.pick("change what /proc tells", "改变 /proc 的回答").into()
        }
        Command::EndMachine { .. } => lang.pick("end the machine", "结束机器").into(),
        Command::SetKnob { knob, .. } => knob_in_words(lang, knob),
        Command::MakeGroup { name, .. } => {
            lang.pick(format!("make the group {name}"), format!("建立组 {name}"))
        }
        Command::RemoveGroup { .. } => lang.pick("remove a group", "删除一个组").into(),
        Command::MoveProcess { pid, .. } => {
            lang.pick(format!("move host PID {pid}"), format!("移动宿主机 PID {pid}"))
        }
        Command::ShowFiles { .. } => lang.pick("look at files", "查看文件").into(),
        Command::WriteFile { group, file, value, .. } => {
            let group = group_name(lang, *group);
            lang.pick(
                format!("write {value} to {file} of the {group}"),
                format!("把 {value} 写入{group}的 {file}"),
            )
        }
    }
}

fn knob_in_words(lang: Lang, knob: &Knob) -> String {
    let none = || lang.pick("no limit", "不限").to_string();
    match knob {
        Knob::CpuMax { quota_usec: Some(quota), period_usec } => lang.pick(
            format!("quota {quota} µs in each {period_usec} µs"),
            format!("每 {period_usec} µs 的配额设为 {quota} µs"),
        ),
        Knob::CpuMax { quota_usec: None, .. } => lang.pick("no CPU quota", "取消 CPU 配额").into(),
        Knob::CpuShares(shares) => {
            lang.pick(format!("CPU shares {shares}"), format!("CPU 权重 {shares}"))
        }
        Knob::CpusetCpus(list) => lang.pick(format!("CPUs {list}"), format!("CPU 列表 {list}")),
        Knob::MemoryMax(max) => {
            let max = max.map_or_else(none, format::bytes);
            lang.pick(format!("memory limit {max}"), format!("内存上限 {max}"))
        }
        Knob::PidsMax(max) => {
            let max = max.map_or_else(none, |max| max.to_string());
            lang.pick(format!("processes at most {max}"), format!("进程数上限 {max}"))
        }
        Knob::CpuBurst(usec) => {
            lang.pick(format!("CPU burst {usec} µs"), format!("CPU 突发额度 {usec} µs"))
        }
        Knob::CpuIdle(true) => lang.pick("CPU only when idle", "仅用空闲 CPU").into(),
        Knob::CpuIdle(false) => lang.pick("CPU as usual", "正常使用 CPU").into(),
        Knob::MemoryHigh(high) => {
            let high = high.map_or_else(none, format::bytes);
            lang.pick(format!("memory high {high}"), format!("内存高水位 {high}"))
        }
        Knob::MemorySwap { swap_bytes, .. } => {
            let swap = swap_bytes.map_or_else(none, format::bytes);
            lang.pick(format!("swap limit {swap}"), format!("交换上限 {swap}"))
        }
        Knob::OomGroup(true) => lang.pick("OOM kills the group", "OOM 时整组杀死").into(),
        Knob::OomGroup(false) => lang.pick("OOM kills one process", "OOM 时只杀一个进程").into(),
        Knob::Freeze(true) => lang.pick("freeze", "冻结").into(),
        Knob::Freeze(false) => lang.pick("thaw", "解冻").into(),
        Knob::IoMax(io) => lang.pick(
            format!("I/O limit of device {}:{}", io.major, io.minor),
            format!("设备 {}:{} 的 I/O 上限", io.major, io.minor),
        ),
    }
}

fn group_name(lang: Lang, group: GroupId) -> &'static str {
    match group {
        GroupId::Cap => lang.pick("cap", "上限组"),
        GroupId::Root => lang.pick("machine", "机器"),
        GroupId::Shell => lang.pick("machine's shell", "机器的 shell"),
        GroupId::Container(_) => lang.pick("container", "容器"),
        GroupId::Made(_) => lang.pick("group", "组"),
    }
}
