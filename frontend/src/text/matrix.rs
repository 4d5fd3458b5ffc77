//! The words of the namespace matrix.

use vitrine_shared::discovery::{Found, Holder, Whose};
use vitrine_shared::namespace::Namespace;

use super::kernel::namespace_name;
use crate::matrix::{GroupOf, Mark, Party};
use crate::prefs::Lang;

words! {
    waiting: "Waiting for the first look at the namespaces." / "正在等待第一次查看命名空间。";
    caption: "Processes and their namespaces" / "进程与它们的命名空间";
    only_different: "Only what differs from the host" / "只看与宿主机不同的";
    by: "Group by" / "分组方式";
    by_container: "container" / "容器";
    process: "Process" / "进程";
    types: "Types" / "类型";
    let_go: "Let go" / "取消选定";
    keys: "Arrow keys move between the cells; Enter or a click keeps a namespace marked." / "用方向键在格子之间移动；按回车或点击可选定一个命名空间。";
    initial: "host" / "宿主机";
    own: "own" / "独有";
    made: "made by hand in the machine" / "在机器里手工创建";
    machine: "machine" / "机器";
    held: "Nobody is in them" / "里面没有进程";
    nothing_lit: "Point at a cell, or move to it: everybody in the same namespace is marked." / "指向或移到一个格子，同一命名空间里的进程都会标出来。";
    legend_initial: "dashed: the host’s own, nothing is separated" / "虚线：就是宿主机的，没有隔开";
    legend_own: "one line: its alone" / "单线：独有";
    legend_shared: "double line: shared" / "双线：与别人共用";
    cut: "There is more than one look may take; some of it is left out." / "内容超出一次查看的上限，有一部分没有列出。";
    compare: "Two processes compared" / "比较两个进程";
    first: "First process" / "第一个进程";
    second: "Second process" / "第二个进程";
    kind: "Type" / "类型";
    verdict: "Shared?" / "共用吗？";
    shared: "shared" / "共用";
    not_shared: "apart" / "分开";
    unknown: "not read" / "未读到";
    evidence: "What a root shell on the host says" / "宿主机上的 root shell 会显示";
    ids: "User ids inside and on the host" / "里面与宿主机上的用户号";
    uids: "uid_map" / "uid_map";
    gids: "gid_map" / "gid_map";
    inside: "inside" / "里面";
    on_host: "on the host" / "宿主机上";
    same_ids: "Every id is the same inside and outside." / "里外的号码完全一样。";
    no_map: "No map was read." / "没有读到映射。";
    gids_same: "Groups are mapped the same way." / "组号的映射相同。";
    mounts: "Mounts, as each of the two sees them" / "两边各自看到的挂载";
    only_here: "only here" / "只有这里有";
    another: "another file system at the same path" / "路径相同，文件系统不同";
    no_mounts: "Its mounts were not read." / "没有读到它的挂载。";
    same_mounts: "The same mount namespace: the same mounts." / "同一个挂载命名空间，挂载也相同。";
    devices: "Network devices" / "网络设备";
    same_devices: "The same network namespace: the same devices." / "同一个网络命名空间，设备也相同。";
    hosts_devices: "The host’s network: its devices are not told here." / "这是宿主机的网络，这里不列出它的设备。";
    no_devices: "Its devices were not read." / "没有读到它的设备。";
    no_veth: "A veth has one end here and one elsewhere. There is none: nothing in a machine may make a network device, and Vitrine makes no link." / "veth 一头在这里，一头在别处。这里没有：机器里不能创建网络设备，Vitrine 也不建连接。";
}

/// The heading of a group of rows.
pub(crate) fn group(lang: Lang, whose: &GroupOf) -> String {
    match whose {
        GroupOf::Machine => lang.pick("The machine itself", "机器本身").into(),
        GroupOf::Container(name) => lang.pick(format!("Container {name}"), format!("容器 {name}")),
        GroupOf::Namespace(kind, id, name) if name.is_empty() => {
            let kind = kind.proc_name();
            lang.pick(format!("{kind} of the host ({id})"), format!("宿主机的 {kind}（{id}）"))
        }
        GroupOf::Namespace(kind, id, name) => lang.pick(
            format!("{} {name} ({id})", kind.proc_name()),
            format!("{} {name}（{id}）", kind.proc_name()),
        ),
        GroupOf::Held => words(lang).held.into(),
    }
}

/// A party that shares: "machine", "c2".
fn party(lang: Lang, party: &Party) -> String {
    match party {
        Party::Machine => words(lang).machine.into(),
        Party::Container(name) => name.clone(),
    }
}

/// How a process stands to a namespace, short.
pub(crate) fn mark(lang: Lang, mark: &Mark) -> String {
    match mark {
        Mark::Initial => words(lang).initial.into(),
        Mark::Own => words(lang).own.into(),
        Mark::Shared(with) => {
            let first = with.first().map_or_else(String::new, |one| party(lang, one));
            match with.len() {
                0 | 1 => format!("= {first}"),
                all => format!("= {first} +{}", all - 1),
            }
        }
    }
}

/// What holds a namespace.
pub(crate) fn holder(lang: Lang, holder: &Holder) -> String {
    match holder {
        Holder::Descriptor { pid, fd } => lang.pick(
            format!("held by descriptor {fd} of PID {pid}"),
            format!("由 PID {pid} 的描述符 {fd} 保持"),
        ),
        Holder::Mount { pid, path } => lang.pick(
            format!("mounted on {path}, as PID {pid} sees it"),
            format!("挂载在 PID {pid} 看到的 {path} 上"),
        ),
        Holder::Children { pid } => lang.pick(
            format!("for the next children of PID {pid}"),
            format!("留给 PID {pid} 之后的子进程"),
        ),
        Holder::Namespace { id } => {
            lang.pick(format!("namespace {id} is below it"), format!("命名空间 {id} 在它下面"))
        }
    }
}

/// How many there are of a type.
pub(crate) fn instances(lang: Lang, kind: Namespace, count: usize) -> String {
    let name = namespace_name(lang, kind);
    lang.pick(format!("{name}: {count} different"), format!("{name}：{count} 个不同的"))
}

/// "ids begin with 40265"
pub(crate) fn prefix(lang: Lang, prefix: &str) -> String {
    lang.pick(format!("… stands for {prefix}"), format!("… 代表 {prefix}"))
}

/// What there is to say of one namespace.
pub(crate) fn said(
    lang: Lang,
    (kind, id, name): (Namespace, u64, &str),
    members: &[String],
    found: Option<&Found>,
) -> String {
    let comma = lang.pick(", ", "、");
    let mut parts = Vec::new();
    let title = if name.is_empty() { words(lang).initial } else { name };
    parts.push(format!("{} {title} = {}:[{id}]", namespace_name(lang, kind), kind.proc_name()));
    if members.is_empty() {
        parts.push(words(lang).held.into());
    } else {
        parts.push(lang.pick(
            format!("in it: {}", members.join(comma)),
            format!("里面有 {}", members.join(comma)),
        ));
    }
    if let Some(found) = found {
        if found.whose == Whose::Made {
            parts.push(words(lang).made.into());
        }
        if let Some(parent) = found.parent {
            parts.push(lang.pick(format!("below {parent}"), format!("在 {parent} 之下")));
        }
        if let Some(owner) = found.owner.filter(|_| kind != Namespace::User) {
            parts.push(lang.pick(
                format!("owned by user namespace {owner}"),
                format!("属于用户命名空间 {owner}"),
            ));
        }
        if let Some(uid) = found.owner_uid.filter(|_| kind == Namespace::User) {
            parts.push(lang.pick(format!("made by uid {uid}"), format!("由 uid {uid} 创建")));
        }
        parts.extend(found.held_by.iter().map(|one| holder(lang, one)));
    }
    parts.join(" · ")
}

/// A namespace that a link names and the table does not have.
pub(crate) fn not_there(lang: Lang, kind: Namespace, id: u64) -> String {
    let kind = kind.proc_name();
    lang.pick(format!("{kind}:[{id}] is not in the table."), format!("表里没有 {kind}:[{id}]。"))
}

/// One line of a map in words, for those who do not see the slopes.
pub(crate) fn map_line(lang: Lang, inside: &str, outside: &str) -> String {
    lang.pick(
        format!("{inside} inside is {outside} on the host"),
        format!("里面的 {inside} 是宿主机上的 {outside}"),
    )
}

/// A device: its name, number, and what went through it.
pub(crate) fn device(lang: Lang, name: &str, index: Option<u32>, rx: u64, tx: u64) -> String {
    let index = index.map_or_else(String::new, |index| format!(" ({index})"));
    lang.pick(
        format!("{name}{index}: {rx} bytes in, {tx} bytes out"),
        format!("{name}{index}：收 {rx} 字节，发 {tx} 字节"),
    )
}

/// "of 4821 /bin/sh"
pub(crate) fn of_process(lang: Lang, process: &str) -> String {
    lang.pick(format!("of {process}"), format!("{process} 的"))
}
