//! The words of the groups' tree-table.

use crate::groups::tree::Sort;
use crate::groups::way_up::Resource;
use crate::prefs::Lang;

words! {
    waiting: "Waiting for the first numbers." / "正在等待第一批数字。";
    table: "Groups of the machine" / "机器的组";
    name: "Group" / "组";
    procs: "Proc." / "进程";
    controllers: "Controllers" / "控制器";
    cpu: "CPU" / "CPU";
    half_minute: "30 s" / "30 秒";
    memory: "Memory" / "内存";
    pids: "Pids" / "进程数";
    filter: "Find a group or a process" / "查找组或进程";
    sort: "Order" / "排序";
    processes: "processes" / "显示进程";
    make: "New group" / "新建组";
    make_here: "Make" / "建立";
    make_name: "Name of the new group" / "新组的名字";
    edit: "Limit" / "限制";
    remove: "Remove" / "删除";
    cut: "Cut" / "剪切";
    paste: "Put here" / "放到这里";
    undo: "Undo" / "撤销";
    redo: "Redo" / "重做";
    cancel: "Cancel" / "取消";
    file: "File" / "文件";
    value: "Value" / "值";
    way_up: "Limits on the way up" / "一路向上的限制";
    way_up_note: "✓ the limit nearest to being reached: it holds this group back." / "✓ 最接近用满的限制：就是它管住了这个组。";
    no_limit: "no limit" / "不限";
    binds: "binds" / "起作用";
    files: "Raw files" / "原始文件";
    write: "Write" / "写入";
    nowhere: "The other dialect has no such file." / "另一种写法里没有这个文件。";
    files_wait: "waiting for its files" / "正在等待它的文件";
    keys: "↑ ↓ move · ← → close and open · Enter limit · N new · Delete remove · Ctrl+X and Ctrl+V move a process · Ctrl+Z undo · Ctrl+Y redo" / "↑ ↓ 移动 · ← → 收起和展开 · Enter 限制 · N 新建 · Delete 删除 · Ctrl+X、Ctrl+V 移动进程 · Ctrl+Z 撤销 · Ctrl+Y 重做";
    nothing: "No group is called that." / "没有这样的组。";
    no_periods: "no periods" / "没有周期";
    container_mark: "container" / "容器";
}

/// The name of an order.
pub(crate) fn sort(lang: Lang, sort: Sort) -> &'static str {
    match sort {
        Sort::Name => lang.pick("by name", "按名字"),
        Sort::Cpu => lang.pick("most CPU first", "CPU 多的在前"),
        Sort::Memory => lang.pick("most memory first", "内存多的在前"),
        Sort::Pids => lang.pick("most processes first", "进程多的在前"),
    }
}

/// The name of a resource.
pub(crate) fn resource(lang: Lang, resource: Resource) -> &'static str {
    match resource {
        Resource::Cpu => "CPU",
        Resource::Memory => lang.pick("Memory", "内存"),
        Resource::MemoryHigh => "memory.high",
        Resource::Pids => lang.pick("Pids", "进程数"),
    }
}

/// "22 more groups are not shown"
pub(crate) fn more(lang: Lang, count: u32) -> String {
    match (lang, count) {
        (Lang::En, 1) => {
            "1 more group is not shown: too many, too deep, or a name that cannot be shown.".into()
        }
        (Lang::En, n) => {
            format!(
                "{n} more groups are not shown: too many, too deep, or names that cannot be shown."
            )
        }
        (Lang::Zh, n) => format!("还有 {n} 个组没有显示：太多、太深，或名字无法显示。"),
    }
}

/// "limited by root/a"
pub(crate) fn limited_by(lang: Lang, path: &str) -> String {
    lang.pick(format!("limited by {path}"), format!("受限于 {path}"))
}

/// What was cut, and what to do now.
pub(crate) fn cut(lang: Lang, pid: u32) -> String {
    lang.pick(
        format!("Host PID {pid} is cut: go to a group and press Ctrl+V, or Escape."),
        format!("已剪切宿主机 PID {pid}：到一个组上按 Ctrl+V，或按 Esc 放弃。"),
    )
}

/// What undo takes back.
pub(crate) fn takes_back(lang: Lang, file: &str, back: &str) -> String {
    lang.pick(format!("Undo: echo {back} > {file}"), format!("撤销：echo {back} > {file}"))
}

/// What redo does again.
pub(crate) fn does_again(lang: Lang, file: &str, value: &str) -> String {
    lang.pick(format!("Redo: echo {value} > {file}"), format!("重做：echo {value} > {file}"))
}

/// The controllers that a group has, and those that it hands on.
pub(crate) fn controllers(lang: Lang, has: &str, hands_on: &str) -> String {
    let none = lang.pick("none", "无");
    let or_none =
        |names: &'_ str| if names.is_empty() { none.to_owned() } else { names.to_owned() };
    let (has, hands_on) = (or_none(has), or_none(hands_on));
    lang.pick(
        format!("has: {has}. Handed on to its children (solid): {hands_on}."),
        format!("自己有：{has}。交给下级（实线）：{hands_on}。"),
    )
}

/// What was taken in, or out.
pub(crate) fn of_group(lang: Lang, path: &str) -> String {
    lang.pick(format!("Group {path}"), format!("组 {path}"))
}
