//! The words of the lens of memory, processes and devices.

use crate::format;
use crate::prefs::Lang;
use crate::uses::{Mark, Moment, What};

words! {
    memory: "Memory" / "内存";
    pids: "Processes" / "进程";
    io: "I/O" / "I/O";
    waiting: "Waiting for the first reading." / "正在等待第一次读数。";
    not_allowed: "Only who may change this machine is told this closely." / "只有可以改动这台机器的人才能看得这么细。";
    no_memory: "This group has no memory controller: nothing counts its memory." / "这个组没有 memory 控制器：没有人统计它的内存。";
    no_pids: "This group has no pids controller: nothing counts its processes." / "这个组没有 pids 控制器：没有人统计它的进程。";
    no_io: "This group has no io controller (blkio in v1): nothing counts its reads and writes."
        / "这个组没有 io 控制器（v1 里叫 blkio）：没有人统计它的读写。";
    no_devices: "It has not used a block device yet. Its files are in memory." / "它还没有用过块设备。它的文件都在内存里。";

    anon: "anonymous" / "匿名内存";
    file: "files and tmpfs" / "文件与 tmpfs";
    kernel: "kernel" / "内核";
    other: "other" / "其他";
    swap: "swap" / "交换";
    in_use: "in use" / "在用";
    high: "high" / "high";
    max: "limit" / "上限";
    soft: "soft limit (slows nobody down)" / "软上限（不会让任何人变慢）";
    no_limit: "no limit" / "不限";
    memory_max: "memory limit" / "内存上限";
    pids_max: "process limit" / "进程上限";
    running: "processes" / "个进程";
    read: "read" / "读";
    written: "written" / "写";
    device: "device" / "设备";

    pressure: "Pressure: time its tasks stood still for want of memory; dark: all of them"
        / "压力：任务因缺内存而停住的时间；深色：全部任务都停住";
    io_pressure: "Pressure: time its tasks stood still for want of a device; dark: all of them"
        / "压力：任务因等设备而停住的时间；深色：全部任务都停住";
    io_v1: "v1 does not count what it throttles, and it counts only what a process reads and writes past the cache: what the kernel writes out later counts to nobody."
        / "v1 不统计自己限了多少流，而且只统计进程绕过缓存的读写：内核稍后写出的数据不算在任何人头上。";

    met: "What it met in the last minute" / "最近一分钟它碰到了什么";
    met_nothing: "Nothing: no limit was met." / "没有：没有碰到任何上限。";

    memory_field: "Memory limit in MiB; empty is no limit" / "内存上限，单位 MiB；空着表示不限";
    high_field: "memory.high in MiB; empty is no limit" / "memory.high，单位 MiB；空着表示不限";
    pids_field: "Most processes and threads; empty is no limit" / "进程和线程的上限；空着表示不限";
    read_field: "Bytes read a second in KiB; empty is no limit" / "每秒读多少 KiB；空着表示不限";
    write_field: "Bytes written a second in KiB; empty is no limit" / "每秒写多少 KiB；空着表示不限";
    set: "Set" / "设置";
    bad_number: "A whole number of 1 or more, or nothing for no limit." / "请填 1 或更大的整数；空着表示不限。";

    eat: "Eat 64 MiB for 10 s" / "占用 64 MiB，持续 10 秒";
    bomb: "Ask for 200 processes, 5 s each" / "请求 200 个进程，每个 5 秒";
    bomb_needs: "Only in a group with a limit of its own." / "只在自己有上限的组里才行。";
    stop: "Stop" / "停止";

    row_pressure: "pressure" / "压力";
    pause: "Pause" / "暂停";
    go_on: "Go on" / "继续";
    cursor: "Time cursor" / "时间游标";
    point: "Point at a picture, or move the time cursor: what was used at that moment stands here." / "指向任一张图，或移动时间游标：那一刻的用量会写在这里。";
    not_read: "Nothing was read then." / "那时没有读数。";
    table: "Show as table" / "以表格显示";
    hide_table: "Hide the table" / "收起表格";
    ago: "seconds ago" / "几秒前";
}

/// What was met, in words.
pub(crate) fn met(lang: Lang, mark: &Mark) -> String {
    let n = mark.count;
    match mark.what {
        What::AtLimit => lang.pick(
            format!("stood at its memory limit {n} ×: the kernel took pages back"),
            format!("{n} 次碰到内存上限：内核回收了一些页"),
        ),
        What::Slowed => lang.pick(
            format!("slowed down above memory.high {n} ×"),
            format!("{n} 次超过 memory.high 而被放慢"),
        ),
        What::Killed => lang.pick(
            format!("out of memory: the kernel killed {n}"),
            format!("内存不足：内核杀死了 {n} 个进程"),
        ),
        What::Refused => lang.pick(
            format!("fork refused {n} × (EAGAIN): pids.max was reached"),
            format!("{n} 次 fork 被拒绝（EAGAIN）：已达到 pids.max"),
        ),
    }
}

/// "3 s ago"
pub(crate) fn ago(lang: Lang, seconds: u64) -> String {
    lang.pick(format!("{seconds} s ago"), format!("{seconds} 秒前"))
}

/// "limit 24 MiB", and whether its line is above the picture.
pub(crate) fn limit(lang: Lang, limit: Option<&str>, is_far: bool) -> String {
    let w = words(lang);
    match (limit, is_far) {
        (None, _) => w.no_limit.into(),
        (Some(limit), false) => format!("{} {limit}", w.max),
        (Some(limit), true) => lang.pick(
            format!("limit {limit}, far above the picture"),
            format!("上限 {limit}，远在图的上方"),
        ),
    }
}

/// What all three pictures say of one moment.
pub(crate) fn moment(lang: Lang, it: &Moment) -> String {
    let w = words(lang);
    #[allow(clippy::cast_precision_loss)] // At most a minute of nanoseconds.
    let seconds = format!("{:.1}", it.ago_nsec as f64 / 1e9);
    let of = |limit: Option<String>| limit.map_or(w.no_limit.into(), |l| format!("{} {l}", w.max));
    let mut parts = Vec::new();
    if let Some((used, stack, max)) = it.memory {
        let names = [w.anon, w.file, w.kernel, w.other, w.swap];
        let named = names.into_iter().zip(stack.stack()).filter(|(_, bytes)| *bytes > 0);
        let made: Vec<_> =
            named.map(|(name, bytes)| format!("{name} {}", format::bytes(bytes))).collect();
        let (used, made, max) =
            (format::bytes(used), made.join(lang.pick(", ", "、")), of(max.map(format::bytes)));
        parts.push(lang.pick(
            format!("memory {used} ({made}), {max}"),
            format!("内存 {used}（{made}），{max}"),
        ));
    }
    if let Some((now, max)) = it.pids {
        let max = of(max.map(|max| max.to_string()));
        parts.push(lang.pick(format!("{now} processes, {max}"), format!("{now} 个进程，{max}")));
    }
    if let Some((read, written)) = it.io {
        let (read, written) = (format::bytes(read), format::bytes(written));
        parts.push(lang.pick(
            format!("{read}/s read, {written}/s written"),
            format!("每秒读 {read}，写 {written}"),
        ));
    }
    parts.extend(it.met.iter().map(|mark| met(lang, mark)));
    let parts = parts.join(lang.pick("; ", "；"));
    lang.pick(format!("{seconds} s ago: {parts}."), format!("{seconds} 秒前：{parts}。"))
}

/// A picture of memory for who cannot see it.
pub(crate) fn memory_in_words(lang: Lang, used: &str, limit: Option<&str>, met: usize) -> String {
    let limit = limit.unwrap_or(lang.pick("no limit", "不限"));
    lang.pick(
        format!("Memory in the last minute: {used} now, limit: {limit}; {met} events."),
        format!("最近一分钟的内存：现在 {used}，上限：{limit}；{met} 个事件。"),
    )
}

/// A picture of processes for who cannot see it.
pub(crate) fn pids_in_words(lang: Lang, used: u64, limit: Option<u64>, refused: u64) -> String {
    let limit = limit.map_or(lang.pick("no limit", "不限").into(), |limit| limit.to_string());
    lang.pick(
        format!(
            "Processes in the last minute: {used} now, limit: {limit}; {refused} forks refused."
        ),
        format!("最近一分钟的进程：现在 {used}，上限：{limit}；{refused} 次 fork 被拒绝。"),
    )
}

/// A picture of reads and writes for who cannot see it.
pub(crate) fn io_in_words(lang: Lang, device: &str, read: &str, written: &str) -> String {
    lang.pick(
        format!("Device {device} in the last minute: now {read}/s read, {written}/s written."),
        format!("最近一分钟的设备 {device}：现在每秒读 {read}，写 {written}。"),
    )
}

/// "refused so far: 3"
pub(crate) fn refused(lang: Lang, count: Option<u64>) -> String {
    match count {
        Some(count) => lang
            .pick(format!("forks refused so far: {count}"), format!("至今被拒绝的 fork：{count}")),
        None => lang
            .pick("this kernel does not count refused forks", "这个内核不统计被拒绝的 fork")
            .into(),
    }
}
