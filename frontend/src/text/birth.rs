//! The words of the birth, frame by frame.

use vitrine_shared::birth::{Change, Entered, Mounted, Origin, State, What, Whose};
use vitrine_shared::discovery::Extent;

use super::kernel::namespace_name;
use crate::format;
use crate::prefs::Lang;

/// Mounts that are named; the others are counted.
const NAMED: usize = 6;

words! {
    pick: "Birth of" / "谁的诞生";
    machine: "the machine" / "机器";
    did_not: "not born" / "未诞生";
    nothing: "No birth is known here yet." / "这里还没有任何诞生记录。";
    line: "The steps in their order; the arrow keys go from one to the next" / "按顺序排列的步骤；用方向键前后移动";
    logarithmic: "logarithmic" / "对数刻度";
    log_scale: "Lengths are logarithms: a step of ten times the time is longer by the same piece." / "长度取对数：时间每增加十倍，长度增加同样一段。";
    first: "First step" / "第一步";
    back: "One step back" / "后退一步";
    forward: "One step on" / "前进一步";
    last: "Last step" / "最后一步";
    play: "Play" / "播放";
    pause: "Pause" / "暂停";
    still: "Your system asks for less motion: steps change only when you change them." / "系统要求减少动态效果：只有你操作时才换步骤。";
    call: "The calls of this step" / "这一步的系统调用";
    failed: "This step failed, and the birth ended here." / "这一步失败了，诞生到此结束。";
    world: "What there is after this step" / "这一步之后有什么";
    who: "The process" / "进程";
    sees: "What it sees: its namespaces" / "它看到什么：命名空间";
    uses: "What it may use" / "它可以用什么";
    files: "Its files" / "它的文件";
    may: "What it may do" / "它可以做什么";
    absent: "not yet" / "还没有";
    table: "The same as a table" / "同样的内容，用表格表示";
    object: "Object" / "对象";
    state: "State" / "状态";
    change: "In this step" / "在这一步";
    origin: "Known from" / "来源";
    key_new: "new in this step" / "这一步新建";
    key_changed: "changed by this step" / "这一步改变";
    key_modelled: "modelled: it follows from a rule of the kernel, nobody looked" / "推断（modelled）：由内核规则得出，没有读取";
    seen: "Numbers were read from /proc once, when the process ran its program; in which step an object came or changed, the launcher’s calls say." / "数值是进程开始运行程序时从 /proc 读取一次的；对象在哪一步出现或改变，由启动器报告的系统调用得出。";
    not_seen: "The process had ended before anybody could look at it: there are no numbers, only the launcher’s calls." / "还没来得及查看，进程就结束了：没有数值，只有启动器报告的系统调用。";
}

/// "17 steps in 12.34 ms"
pub(crate) fn whole(lang: Lang, count: usize, usec: u64) -> String {
    let took = format::msec(usec);
    lang.pick(format!("{count} steps in {took} ms"), format!("{count} 步，用时 {took} 毫秒"))
}

/// "Step 5 of 17"
pub(crate) fn place(lang: Lang, at: usize, count: usize) -> String {
    lang.pick(format!("Step {at} of {count}"), format!("第 {at} 步，共 {count} 步"))
}

/// "0.12 ms, from 3.40 ms on"
pub(crate) fn timing(lang: Lang, took_usec: u32, since_usec: u64) -> String {
    let (took, since) = (format::msec(u64::from(took_usec)), format::msec(since_usec));
    lang.pick(format!("{took} ms, from {since} ms on"), format!("{took} 毫秒，从第 {since} 毫秒起"))
}

/// What the scale of the line is.
pub(crate) fn to_scale(lang: Lang, stretched: usize, least: f64) -> String {
    match stretched {
        0 => lang.pick("Lengths are to scale.", "长度按比例。").into(),
        n => lang.pick(
            format!("Lengths are to scale, but for the {n} shortest: they are drawn {least} px wide, so that they can be seen."),
            format!("长度按比例；只有最短的 {n} 步画成 {least} 像素宽，否则看不见。"),
        ),
    }
}

/// The name of an object.
pub(crate) fn what(lang: Lang, what: What) -> String {
    match what {
        What::Process => lang.pick("process", "进程"),
        What::Namespace(kind) => return namespace_name(lang, kind).into(),
        What::Ids => lang.pick("id map", "用户号映射"),
        What::Hostname => lang.pick("host name", "主机名"),
        What::Loopback => lang.pick("loopback device", "回环网卡"),
        What::Clocks => lang.pick("clock offsets", "时钟偏移"),
        What::Group => lang.pick("cgroup", "cgroup"),
        What::Root => lang.pick("root", "根目录"),
        What::Dev => "/dev",
        What::Proc => "/proc",
        What::Hierarchies => "/sys/fs/cgroup",
        What::Descriptors => lang.pick("descriptors", "文件描述符"),
        What::User => lang.pick("user", "用户"),
        What::Capabilities => "capabilities",
        What::Limits => lang.pick("resource limits", "资源上限"),
        What::Seccomp => "seccomp",
    }
    .into()
}

/// How an object is.
pub(crate) fn state(lang: Lang, state: &State) -> String {
    match state {
        State::Helper => lang
            .pick(
                "a helper of the launcher’s; the process will be its child",
                "启动器的一个助手；新进程将由它产生",
            )
            .into(),
        State::Copy(ids) => lang.pick(
            format!("{}, still the launcher’s program", pids(lang, ids)),
            format!("{}，运行的还是启动器的程序", pids(lang, ids)),
        ),
        State::Program(ids, program) => lang.pick(
            format!("{}, runs {}", pids(lang, ids), program_name(lang, program)),
            format!("{}，正在运行 {}", pids(lang, ids), program_name(lang, program)),
        ),
        State::Namespace { whose, id, entered } => namespace(lang, *whose, *id, *entered),
        State::Map(extents) => map(lang, extents),
        State::Set(text) => text.clone(),
        State::Up => lang.pick("lo is up", "lo 已启用").into(),
        State::Group { path, wrote, inside } => group(lang, path, wrote, *inside),
        State::Root { entered, mount } => root(lang, *entered, mount.as_ref()),
        State::Mounts(mounts) => mounts_in_words(lang, mounts),
        State::Terminal { alone: false } => {
            lang.pick("0, 1, 2 are its own terminal", "0、1、2 是它自己的终端").into()
        }
        State::Terminal { alone: true } => lang
            .pick(
                "0, 1, 2 are its own terminal; every other one is closed",
                "0、1、2 是它自己的终端；其余全部关闭",
            )
            .into(),
        State::NoTerminal => {
            lang.pick("0, 1, 2, and every other one is closed", "只有 0、1、2，其余全部关闭").into()
        }
        other => rights(lang, other),
    }
}

/// What a process may do.
fn rights(lang: Lang, state: &State) -> String {
    match state {
        State::Root0(None) => lang.pick("0 inside", "里面是 0").into(),
        State::Root0(Some(uid)) => lang
            .pick(format!("0 inside, {uid} on the host"), format!("里面是 0，在宿主机上是 {uid}")),
        State::Launchers => {
            lang.pick("the launcher’s, not given up yet", "启动器原有的，还没有放弃").into()
        }
        State::AllInside => lang
            .pick(
                "all, but they count in its user namespace only",
                "全部，但只在它的用户命名空间里有效",
            )
            .into(),
        State::Capabilities { has, most, no_new_privs } => {
            capabilities(lang, *has, *most, *no_new_privs)
        }
        State::Limits { open_files, processes } => {
            let files = number(lang, *open_files);
            let processes = number(lang, *processes);
            lang.pick(
                format!("{files} open files, {processes} processes; dies with the launcher"),
                format!("打开文件 {files}，进程数 {processes}；启动器结束时一同结束"),
            )
        }
        State::Filters(count) => lang.pick(
            format!("each call goes through {count} filters"),
            format!("每个系统调用都要经过 {count} 个过滤器"),
        ),
        _ => lang.pick("done", "已完成").into(),
    }
}

fn number(lang: Lang, value: u64) -> String {
    match value {
        u64::MAX => lang.pick("any number of", "不限").into(),
        value => value.to_string(),
    }
}

fn program_name(lang: Lang, program: &str) -> String {
    match program {
        "" => lang.pick("the machine’s init", "机器的 init").into(),
        name => name.into(),
    }
}

fn pids(lang: Lang, pids: &[u32]) -> String {
    match pids {
        [] => lang.pick("PID not read", "PID 未读到").into(),
        [one] => format!("PID {one}"),
        all => {
            let all: Vec<String> = all.iter().map(u32::to_string).collect();
            let inside = all.last().map_or("", String::as_str);
            let all = all.join(" · ");
            lang.pick(
                format!("PID {inside} inside, {all} from the host inwards"),
                format!("里面是 PID {inside}，由外到内 {all}"),
            )
        }
    }
}

fn namespace(lang: Lang, whose: Whose, id: u64, entered: bool) -> String {
    let whose = match (whose, entered) {
        (Whose::Host, _) => lang.pick("the host’s", "宿主机的"),
        (Whose::Machine, _) => lang.pick("the machine’s", "机器的"),
        (Whose::Own, true) => lang.pick("its own", "自己的"),
        (Whose::Own, false) => lang.pick("made, nobody is in it", "已建立，里面没有进程"),
    };
    match id {
        0 => whose.into(),
        id => format!("{whose} · {id}"),
    }
}

fn map(lang: Lang, extents: &[Extent]) -> String {
    let line = |extent: &Extent| {
        let Extent { inside, outside, count } = extent;
        let (end, outer_end) = (inside + (count - 1), outside.saturating_add(count - 1));
        lang.pick(
            format!("{inside}–{end} inside is {outside}–{outer_end} on the host"),
            format!("里面的 {inside}–{end} 是宿主机上的 {outside}–{outer_end}"),
        )
    };
    let lines: Vec<String> = extents.iter().filter(|one| one.count > 0).map(line).collect();
    lines.join(lang.pick("; ", "；"))
}

fn group(lang: Lang, path: &str, wrote: &[String], inside: bool) -> String {
    let place = match inside {
        true => lang.pick("the process is in it", "进程在里面"),
        false => lang.pick("empty", "空的"),
    };
    let mut parts = vec![format!("{path} · {place}")];
    parts.extend(wrote.iter().cloned());
    parts.join(" · ")
}

fn root(lang: Lang, entered: Option<Entered>, mount: Option<&Mounted>) -> String {
    let how = match entered {
        None => lang.pick("put together beside the old one", "在旧的旁边叠好"),
        Some(Entered::Pivot) => {
            lang.pick("is /, the old one is out of reach", "成为 /，旧的再也够不到")
        }
        Some(Entered::Chroot) => {
            lang.pick("is / by chroot, mounts are shared", "由 chroot 成为 /，挂载是共用的")
        }
    };
    mount.map_or_else(|| how.to_string(), |mount| format!("{} · {how}", mount.kind))
}

fn mounts_in_words(lang: Lang, mounts: &[Mounted]) -> String {
    if mounts.is_empty() {
        return lang.pick("mounted", "已挂载").into();
    }
    let named = mounts.iter().take(NAMED).map(|mount| {
        let kind = if mount.read_only { format!("{} ro", mount.kind) } else { mount.kind.clone() };
        format!("{} {kind}", mount.path)
    });
    let named = named.collect::<Vec<_>>().join(" · ");
    match mounts.len().saturating_sub(NAMED) {
        0 => named,
        more => {
            lang.pick(format!("{named} · and {more} more"), format!("{named} · 另有 {more} 个"))
        }
    }
}

fn capabilities(lang: Lang, has: u64, most: u64, no_new_privs: bool) -> String {
    let has = match has.count_ones() {
        0 => lang.pick("none".to_string(), "一个也没有".to_string()),
        n => lang.pick(format!("{n} (CapEff {has:x})"), format!("{n} 个（CapEff {has:x}）")),
    };
    let most = match most.count_ones() {
        0 => lang.pick("can never get one".to_string(), "永远得不到".to_string()),
        n => lang.pick(format!("at most {n}"), format!("最多 {n} 个")),
    };
    let privileges = if no_new_privs { " · no_new_privs" } else { "" };
    format!("{has} · {most}{privileges}")
}

/// What a step did to an object.
pub(crate) fn change(lang: Lang, change: Change) -> &'static str {
    match change {
        Change::New => lang.pick("new", "新建"),
        Change::Changed => lang.pick("changed", "改变"),
        Change::Same => lang.pick("as before", "不变"),
    }
}

/// How the state of an object is known.
pub(crate) fn origin(lang: Lang, origin: Origin) -> &'static str {
    match origin {
        Origin::Report => lang.pick("the launcher’s report", "启动器的报告"),
        Origin::Kernel => lang.pick("the kernel", "内核"),
        Origin::Modelled => lang.pick("modelled", "推断（modelled）"),
    }
}
