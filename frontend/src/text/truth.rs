//! The words of the truth lens.

use vitrine_shared::truth::{ProcView, Source, Who};

use crate::prefs::Lang;

words! {
    caption: "What this container is told, and what it has" / "这个容器听到的，和它真正有的";
    told: "it is told" / "它听到的";
    told_mended: "it is told now" / "它现在听到的";
    has: "it has" / "它真正有的";
    by: "says" / "由谁规定";
    cpus: "CPUs" / "CPU";
    memory: "Memory" / "内存";
    up: "Up for" / "已运行";
    not_read: "not read" / "没有读数";
    no_limit: "no limit" / "不限";
    the_cap: "the machine’s cap" / "机器的上限";
    birth: "its birth" / "它的诞生";
    unlimited: "Its CPU and its memory are not both limited yet: what it is told may be true of the machine."
        / "它的 CPU 和内存还没有都设上限：它听到的对机器来说也许是真的。";
    limit_it: "Give it half a CPU and 64 MiB" / "给它半个 CPU 和 64 MiB";

    switch: "What lies on the files of its /proc" / "它的 /proc 文件上盖着什么";
    host: "nothing" / "没有";
    own: "Vitrine’s own files" / "Vitrine 自己的文件";
    lxcfs: "lxcfs’s files" / "lxcfs 的文件";
    host_words: "The kernel answers for the whole host." / "内核替整台宿主机回答。";
    own_words: "Bound one by one, read-only, written anew every second from its group:"
        / "逐个绑定，只读，每秒按它的控制组重新写一遍：";
    lxcfs_words: "Bound one by one, read-only; lxcfs answers by the group of its PID 1:"
        / "逐个绑定，只读；lxcfs 按它的 1 号进程所在的控制组回答：";
    no_lxcfs: "lxcfs did not run when the server started. On the server: apt-get install lxcfs"
        / "服务器启动时 lxcfs 没有运行。在服务器上：apt-get install lxcfs";
    needs_proc: "Only on a /proc of its own: this one shows the machine’s."
        / "只能盖在它自己的 /proc 上：这一个看到的是机器的。";
    needs_pid: "lxcfs’s files only with a PID namespace of its own." / "lxcfs 的文件还需要它自己的 PID 命名空间。";
    no_file: "What no file mends" / "没有文件能修正的";

    again: "Read again" / "重新读取";
    before: "nothing on it: before" / "什么都没盖：之前";
    before_none: "Not read with nothing on it. Switch to “nothing” to see it."
        / "还没有在什么都没盖时读过。切换到“没有”就能看到。";
    after_none: "Not read yet." / "还没有读过。";
    past: "not in force now" / "现在已不生效";
    sources: "Where its numbers come from" / "这些数字的来源";
    cut: "What comes after is not kept." / "后面的没有保留。";
    too_slow: "It was ended for taking longer than three seconds." / "它超过三秒，被结束了。";
    killed: "It was killed before it had ended." / "它还没结束就被杀死了。";
    missing: "Not in this image:" / "这个镜像里没有：";
    missing_add: "A language run-time is asked too where the image has it (vitrine image add)."
        / "镜像里有语言运行时的话，也会问它（vitrine image add）。";
    ended: "This container has ended: nothing can be run in it." / "这个容器已经结束：没法在里面运行什么了。";
    not_allowed: "Only who may change this machine can run commands in it." / "只有可以改动这台机器的人才能在里面运行命令。";

    table: "Show as table" / "显示为表格";
    command: "command" / "命令";
    source: "comes from" / "来自";
    whose: "whose" / "谁的";
    numbers_before: "before" / "之前";
    numbers_after: "after" / "之后";
    by_hand: "The same by hand, on the server:" / "在服务器上手动做同样的事：";
}

/// What a view is called.
pub(crate) fn view(lang: Lang, view: ProcView) -> &'static str {
    let t = words(lang);
    match view {
        ProcView::Host => t.host,
        ProcView::Own => t.own,
        ProcView::Lxcfs => t.lxcfs,
    }
}

/// Whose a number is.
pub(crate) fn whose(lang: Lang, source: Source, who: Who) -> &'static str {
    match (who, source) {
        (Who::Host, Source::Sysinfo | Source::Clock) => {
            lang.pick("the whole kernel’s", "整个内核的")
        }
        (Who::Host, _) => lang.pick("the host’s", "宿主机的"),
        (Who::Machine, _) => lang.pick("the machine’s", "机器的"),
        (Who::Container, Source::Affinity) => {
            lang.pick("the container’s cpuset, whatever the quota", "容器的 cpuset，不管配额")
        }
        (Who::Container, _) => lang.pick("the container’s", "容器的"),
        (Who::Lxcfs, _) => lang.pick("lxcfs, from its group", "lxcfs，按它的控制组"),
        (Who::Own, _) => {
            lang.pick("Vitrine’s file, from its group", "Vitrine 的文件，按它的控制组")
        }
    }
}

/// Why no file mends it.
pub(crate) fn no_file(lang: Lang, source: Source) -> Option<&'static str> {
    Some(match source {
        Source::Sysinfo => lang.pick(
            "memory, swap, uptime and load for busybox and the C library (getloadavg, _SC_PHYS_PAGES)",
            "busybox 和 C 库（getloadavg、_SC_PHYS_PAGES）看到的内存、交换、运行时间和负载",
        ),
        Source::Affinity => lang.pick(
            "nproc follows the cpuset, not the quota",
            "nproc 跟随 cpuset，不跟随配额",
        ),
        Source::Clock => lang.pick(
            "the time of day: there is no namespace for it",
            "时刻：没有属于它的命名空间",
        ),
        _ => return None,
    })
}

/// "half a CPU": a share of one CPU, or of several.
pub(crate) fn share(lang: Lang, permille: u64) -> String {
    let (whole, part) = (permille / 1_000, permille % 1_000);
    let number = match part {
        0 => whole.to_string(),
        part => format!("{whole}.{part:03}").trim_end_matches('0').to_string(),
    };
    match (lang, permille) {
        (Lang::En, 0..=1_000) => format!("{number} CPU"),
        (Lang::En, _) => format!("{number} CPUs"),
        (Lang::Zh, _) => format!("{number} 个 CPU"),
    }
}

/// "0.5 CPU, on CPUs 0-1"
pub(crate) fn on_cpus(lang: Lang, share: &str, cpus: &str) -> String {
    match cpus {
        "" => share.into(),
        cpus => lang.pick(format!("{share}, on {cpus}"), format!("{share}，在 {cpus} 上")),
    }
}

/// "since 15:04:05"
pub(crate) fn since(lang: Lang, time: &str) -> String {
    lang.pick(format!("since {time}"), format!("从 {time} 起"))
}

/// "read at 15:04:05"
pub(crate) fn read_at(lang: Lang, time: &str) -> String {
    lang.pick(format!("read at {time}"), format!("读于 {time}"))
}

/// "own files: after"
pub(crate) fn after(lang: Lang, what: ProcView) -> String {
    let name = view(lang, what);
    lang.pick(format!("{name}: after"), format!("{name}：之后"))
}

/// "reading: 3 to come"
pub(crate) fn to_come(lang: Lang, count: usize) -> String {
    lang.pick(format!("reading: {count} to come"), format!("正在读取：还有 {count} 个"))
}

/// "4 numbers"
pub(crate) fn numbers(lang: Lang, count: usize) -> String {
    match (lang, count) {
        (Lang::En, 1) => "1 number".into(),
        (Lang::En, n) => format!("{n} numbers"),
        (Lang::Zh, n) => format!("{n} 个数字"),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn shares_as_people_say_them() {
        let said = |permille| share(Lang::En, permille);
        assert_eq!(said(500), "0.5 CPU");
        assert_eq!(said(1_000), "1 CPU");
        assert_eq!(said(1_250), "1.25 CPUs");
        assert_eq!(on_cpus(Lang::Zh, "0.5 个 CPU", "0-1"), "0.5 个 CPU，在 0-1 上");
        assert_eq!(on_cpus(Lang::En, "2 CPUs", ""), "2 CPUs");
    }

    #[test]
    fn whatever_is_not_a_file_and_not_its_own_has_a_reason() {
        for source in Source::ALL {
            let host = source.who(ProcView::Own, true) == Who::Host;
            assert!(!host || no_file(Lang::En, source).is_some(), "{source:?}");
        }
    }
}
