//! The words of a line that is run in both.

use vitrine_shared::limits::{PROBE_BYTES, PROBE_SECS};

use crate::prefs::Lang;

words! {
    title: "One line, run in both" / "同一行命令，两边各跑一次";
    line: "Command" / "命令";
    run: "Run in both" / "两边都运行";
    examples: "Examples" / "例子";
    running: "It runs." / "正在运行。";
    outside_note: "Outside is the machine around the container, not the server’s host."
        / "“外面”指容器所在的机器，不是服务器宿主机。";
    inside: "Inside: the container" / "里面：容器";
    outside: "Outside: the machine" / "外面：机器";
    nothing: "It printed nothing." / "没有输出。";
    only_here: "only here" / "只有这边有";
    same: "Both print the same." / "两边的输出一样。";
    neither: "Neither prints anything." / "两边都没有输出。";
    of_shell: "This is a shell in the machine itself: it has no inside. Choose a container." / "这是机器自己的 shell，没有“里面”可言。请选一个容器。";
    has_ended: "This container has ended: nothing can be run in it." / "这个容器已经结束，不能再在里面运行命令。";
    may_not: "Only who may change this machine can run something in it." / "只有可以改动这台机器的人才能在里面运行命令。";
}

/// How an output ended: its exit status, and in words what that means.
pub(crate) fn status(lang: Lang, status: i32) -> String {
    let secs = PROBE_SECS.value;
    let why = match status {
        0 => String::new(),
        124 => {
            lang.pick(format!(": ended after {secs} seconds"), format!("：满 {secs} 秒，已被结束"))
        }
        126 => lang.pick(": it cannot be run", "：无法执行").into(),
        127 => lang.pick(": there is no such command", "：没有这个命令").into(),
        129..=192 => {
            let signal = status - 128;
            lang.pick(format!(": killed by signal {signal}"), format!("：被信号 {signal} 杀死"))
        }
        _ => String::new(),
    };
    lang.pick(format!("exit status {status}{why}"), format!("退出状态 {status}{why}"))
}

/// What is not shown of an output.
pub(crate) fn cut(lang: Lang) -> String {
    let kib = PROBE_BYTES.value >> 10;
    lang.pick(
        format!("Cut: it printed more than {kib} KiB."),
        format!("已截断：输出超过 {kib} KiB。"),
    )
}

/// Lines that are not drawn.
pub(crate) fn more(lang: Lang, count: usize) -> String {
    lang.pick(format!("and {count} more lines"), format!("另外还有 {count} 行"))
}

/// How many lines only one of the two prints.
pub(crate) fn summary(lang: Lang, inside: usize, outside: usize) -> String {
    lang.pick(
        format!("lines that only one prints: {outside} outside, {inside} inside"),
        format!("只有一边有的行：外面 {outside} 行，里面 {inside} 行"),
    )
}
