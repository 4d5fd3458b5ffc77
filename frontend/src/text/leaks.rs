//! The words of what a container hides and what leaks.

use vitrine_shared::leaks::{Row, Verdict};

use crate::prefs::Lang;

words! {
    caption: "What it hides, and what still leaks" / "它藏住了什么，什么还看得见";
    lead: "The same commands are run in it and in its machine; what they print is compared."
        / "同样的命令在它里面和在机器里各运行一次，再比较打印出来的内容。";
    no_flag: "No flag hides memory, CPUs, load and uptime of the host (the /proc view), nor the kernel’s version and the time of day."
        / "没有开关能藏住宿主机的内存、CPU、负载和运行时间（见 /proc 视图），也藏不住内核版本和时刻。";
    shell: "This is a shell in the machine itself: there is nothing to compare." / "这是机器本身的 shell：没有什么可比较的。";
    ended: "This container has ended: nothing can be asked in it." / "这个容器已经结束：没法再问它了。";
    not_allowed: "Only who may change this machine can run commands in it." / "只有可以改动这台机器的人才能在里面运行命令。";
    again: "Ask again" / "再问一次";
    waiting: "asking …" / "正在问……";
    unknown: "cannot be told" / "无法判断";
    no_answer: "Neither was answered: see below why." / "都没有得到回答：原因见下。";
    decides: "Decided by" / "由它决定";
    and_proc: "and a /proc of its own" / "以及它自己的 /proc";
    remount: "Mount a /proc of its own" / "挂载自己的 /proc";
    by_view: "Not by a flag: other files lie on its /proc." / "不是开关的作用：它的 /proc 上盖着别的文件。";
    on: "on" / "开";
    off: "off" / "关";
    start_anew: "End it and start it anew like this" / "结束它，照这样重新启动";
    unchanged: "Change a switch to try what it does." / "改一个开关，试试它的作用。";
    in_machine: "in the machine" / "在机器里";
    missing: "There is no such program in it" / "它里面没有这个程序";
    instead: "read instead:" / "改读：";
    nothing: "(nothing)" / "（空）";
    inode: "The namespace, as the kernel numbers it:" / "命名空间，按内核的编号：";
}

/// What a row asks for.
pub(crate) fn row(lang: Lang, row: Row) -> &'static str {
    match row {
        Row::Hostname => lang.pick("Host name", "主机名"),
        Row::Processes => lang.pick("Processes", "进程"),
        Row::Mounts => lang.pick("Mounts", "挂载"),
        Row::Network => lang.pick("Network", "网络"),
        Row::Ipc => lang.pick("System V IPC", "System V IPC"),
        Row::Ids => lang.pick("Users", "用户"),
        Row::CgroupPath => lang.pick("Place among the cgroups", "在控制组里的位置"),
        Row::Uptime => lang.pick("Uptime", "运行时间"),
    }
}

/// A verdict's sign: never by colour alone.
pub(crate) fn sign(verdict: Verdict) -> &'static str {
    match verdict {
        Verdict::Hidden => "✓",
        Verdict::Alike => "≈",
        Verdict::Leaks => "✕",
    }
}

/// A verdict in a word.
pub(crate) fn short(lang: Lang, verdict: Verdict) -> &'static str {
    match verdict {
        Verdict::Hidden => lang.pick("hidden", "藏住了"),
        Verdict::Alike => lang.pick("its own, alike", "自己的，但一样"),
        Verdict::Leaks => lang.pick("leaks", "看得见"),
    }
}

/// What a verdict says of a row.
pub(crate) fn long(lang: Lang, row: Row, verdict: Verdict) -> &'static str {
    match (verdict, row) {
        (Verdict::Hidden, _) => lang.pick(
            "Inside there is another answer than in the machine.",
            "里面的回答和机器里的不同。",
        ),
        (Verdict::Alike, Row::Uptime) => lang.pick(
            "Its clocks are its own; their offset is 0, so they say the same.",
            "时钟是它自己的；偏移是 0，所以说的一样。",
        ),
        (Verdict::Alike, _) => lang.pick(
            "The namespace is its own; at the moment nothing in it differs.",
            "命名空间是它自己的；眼下里面没有什么不同。",
        ),
        (Verdict::Leaks, Row::Processes) => {
            lang.pick("It sees the machine’s processes.", "它看得到机器的进程。")
        }
        (Verdict::Leaks, Row::Mounts) => lang.pick(
            "Its mounts are the machine’s: the numbers in front are the same.",
            "它的挂载就是机器的：最前面的编号一样。",
        ),
        (Verdict::Leaks, Row::Ids) => lang.pick(
            "Users mean what they mean in the machine: the map is the same.",
            "用户的含义和机器里一样：映射相同。",
        ),
        (Verdict::Leaks, Row::CgroupPath) => lang.pick(
            "It sees where it stands below the machine’s root.",
            "它看得到自己在机器的根下面的位置。",
        ),
        (Verdict::Leaks, _) => lang.pick("It gets the machine’s answer.", "它得到的是机器的回答。"),
    }
}

/// "c2 hides 6 of 8; 2 leak"
pub(crate) fn summary(lang: Lang, name: &str, hidden: usize, leaks: usize) -> String {
    lang.pick(
        format!("{name}: {hidden} of 8 are its own, {leaks} leak"),
        format!("{name}：8 项里 {hidden} 项是它自己的，{leaks} 项看得见"),
    )
}

/// "asking: 12 to come"
pub(crate) fn to_come(lang: Lang, count: usize) -> String {
    lang.pick(format!("asking: {count} to come"), format!("正在问：还有 {count} 个"))
}

/// "in c2"
pub(crate) fn inside(lang: Lang, name: &str) -> String {
    lang.pick(format!("in {name}"), format!("在 {name} 里"))
}

/// "c1: leaks"
pub(crate) fn was(lang: Lang, name: &str, verdict: Verdict) -> String {
    let short = short(lang, verdict);
    lang.pick(format!("{name}: {short}"), format!("{name}：{short}"))
}
