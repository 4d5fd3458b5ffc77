//! The words of *explain my click*, and those that its scripts have in their comments.

use vitrine_shared::cgroup::Dialect;
use vitrine_shared::script::Note;

use super::host;
use crate::prefs::Lang;

words! {
    empty: "Click something: what it really did stands here." / "点点看：真正做了什么，会写在这里。";
    nothing: "Done." / "已完成。";
    calls: "System calls" / "系统调用";
    files: "Files, old → new" / "文件，旧值 → 新值";
    shell: "The same in a shell" / "用 shell 做同样的事";
    dialects: "cgroup dialect" / "cgroup 版本";
    this_host: "this host" / "这台宿主机";
    copy_one: "Copy these lines" / "复制这几行";
    copy_all: "Copy all as a script" / "全部复制为脚本";
    all: "Everything you asked of this machine" / "你对这台机器做过的一切";
    all_note: "One script, in order. Run it as root on any host with these cgroups: it makes groups and containers of its own, waits, and removes them."
        / "按顺序写成一个脚本。在任何有这种 cgroup 的宿主机上用 root 运行：它只建立自己的组和容器，等你按回车后再全部删除。";
    copied: "Copied." / "已复制。";
    not_copied: "The browser gives no clipboard. The text is selected: copy it with Ctrl+C."
        / "浏览器不提供剪贴板。文字已经选中：请用 Ctrl+C 复制。";
    script_label: "The script" / "脚本";
}

/// "7 actions"
pub(crate) fn actions(lang: Lang, count: usize) -> String {
    match (lang, count) {
        (Lang::En, 1) => "1 action".into(),
        (Lang::En, n) => format!("{n} actions"),
        (Lang::Zh, n) => format!("{n} 个操作"),
    }
}

/// A comment of a script.
#[allow(clippy::too_many_lines)] // One arm a note.
pub(crate) fn note(lang: Lang, note: &Note) -> String {
    let text = match note {
        Note::Head(dialect) => {
            let name = host::dialect(*dialect);
            return lang.pick(
                format!("What was asked of a machine of Vitrine, as a script for {name}."),
                format!("对 Vitrine 的一台机器做过的操作，写成 {name} 的脚本。"),
            );
        }
        Note::Run => lang.pick(
            "Save it and run it as root: sh FILE. It makes groups only below one of its own,\nand removes whatever it made when it ends.",
            "保存成文件，用 root 运行：sh 文件名。它只在自己的一个组下面建组，\n结束时删除它做出的一切。",
        ),
        Note::Machine => lang.pick(
            "The shell that runs it stands for the machine: what a container shares with its\nmachine, it shares with that shell. The machine's own namespaces and caps are not made.",
            "运行它的 shell 代表那台机器：容器和机器共用的东西，在这里就和这个 shell 共用。\n机器自己的命名空间和上限不会建立。",
        ),
        Note::Tools => lang.pick("Of util-linux.", "来自 util-linux。"),
        Note::Hierarchies => lang.pick(
            "v1 has a hierarchy for each controller; in each, our own group.",
            "v1 的每个控制器有一棵自己的树；在每一棵里用我们自己的组。",
        ),
        Note::Inherit => lang.pick(
            "A new cpuset of v1 is empty, and nobody can enter an empty one.",
            "v1 里新建的 cpuset 是空的，谁也进不去。",
        ),
        Note::Unified => lang.pick(
            "v2 has one hierarchy; in it, our own group.",
            "v2 只有一棵树；在里面用我们自己的组。",
        ),
        Note::HandOut => lang.pick(
            "In v2 a parent hands controllers to its children. At the top that stays switched on:\nothers may have come to rely on it.",
            "在 v2 里，由上级把控制器交给下级。顶层打开后不再关上：别人可能已经用到它。",
        ),
        Note::Groups => lang.pick(
            "A group is one directory in each hierarchy.",
            "一个组在每棵树里都是一个目录。",
        ),
        Note::Enter => lang.pick(
            "Whoever writes 0 moves itself; its children are born there.",
            "写入 0 就是把自己移进去；之后它的子进程也生在那里。",
        ),
        Note::EndGroup => lang.pick(
            "Thaws, kills and removes: everything in a group, and the groups in it.",
            "解冻、杀死、删除：组里的一切，以及它下面的组。",
        ),
        Note::CleanUp => lang.pick(
            "However this script ends, nothing of it is left.",
            "无论这个脚本怎样结束，都不留下任何东西。",
        ),
        Note::Own => lang.pick("Our own group; below it, what stands for the machine's.", "我们自己的组；它下面代表机器的组。"),
        Note::Helpers => lang.pick(
            "unshare and nsenter wait for their children: not in the groups that are looked at.",
            "unshare 和 nsenter 会等待子进程：它们不留在要看的组里。",
        ),
        Note::Busybox => lang.pick(
            "A static busybox for the last steps in a new root, where the host's tools are gone.\nThe container sees it as /.vitrine.",
            "新的根里没有宿主机的工具，最后几步要靠静态的 busybox。容器里能看到它：/.vitrine。",
        ),
        Note::BusyboxImage => lang.pick(
            "The smallest image: busybox and its links.",
            "最小的镜像：busybox 和它的链接。",
        ),
        Note::UserNamespace => lang.pick(
            "A user namespace apart: its maps are written before anybody goes in.",
            "先单独建好 user 命名空间：在有人进去之前写好它的映射。",
        ),
        Note::Inside => lang.pick(
            "In the new namespaces: a tmpfs, an overlay on the image, /proc, /dev, then the new root.\nThe user namespace comes last, so that nothing inside can undo these mounts.",
            "在新的命名空间里：tmpfs、叠在镜像上的 overlay、/proc、/dev，然后换根。\nuser 命名空间放在最后，里面就没法撤销这些挂载。",
        ),
        Note::Gate => lang.pick(
            "The new process waits until its limits are written: a shell needs more processes for\nthe mounts than the launcher, which writes the limits first.",
            "新进程先等着，直到写好它的限制：shell 做挂载要用更多进程，\n而启动器是先写限制的。",
        ),
        Note::Joined => lang.pick(
            "The command is the child of nsenter.",
            "命令是 nsenter 的子进程。",
        ),
        Note::GivesUp => lang.pick(
            "Not done here, because no shell tool does it: giving up every capability,\nno_new_privs, the seccomp filter, the masks on /proc, a keyring, resource limits.",
            "这里没有做，因为 shell 没有这样的工具：放弃全部权能、no_new_privs、\nseccomp 过滤器、/proc 上的遮盖、密钥环、资源限制。",
        ),
        Note::IdMap => lang.pick(
            "The launcher lays the image by an id-mapped mount; here its files stay the host's,\nand inside they are nobody's.",
            "启动器用 id 映射挂载来铺镜像；这里文件仍属于宿主机，在里面就不属于任何人。",
        ),
        Note::NoUser => lang.pick(
            "No user namespace of its own: in Vitrine that leaves the machine's, here it leaves the\nhost's. Root in there is root of this host.",
            "没有自己的 user 命名空间：在 Vitrine 里用的是机器的，在这里用的就是宿主机的。\n里面的 root 就是这台宿主机的 root。",
        ),
        Note::Terminal(key) => {
            return lang.pick(
                format!("In place of a terminal, a pipe: echo ls > \"$work/{key}/in\""),
                format!("用管道代替终端：echo ls > \"$work/{key}/in\""),
            );
        }
        Note::Init => lang.pick(
            "In place of the tiny init, a shell that waits.",
            "用一个等待的 shell 代替小小的 init。",
        ),
        Note::ProcView => lang.pick(
            "Left out: other files laid on those of /proc that tell of the whole host.",
            "没有做：用别的文件盖住 /proc 里讲整台宿主机的那些文件。",
        ),
        Note::Lab => lang.pick(
            "The lab image is put together from the server's tools; here it is the host's own files,\nread-only below the overlay. Another directory: LAB=…",
            "lab 镜像由服务器的工具拼成；这里就用宿主机自己的文件，在 overlay 下面只读。\n换成别的目录：LAB=…",
        ),
        Note::Image { name, variable } => {
            return lang.pick(
                format!("Unpack the image {name} to a directory, and say which: {variable}=…"),
                format!("请把镜像 {name} 解开到一个目录，并指明：{variable}=…"),
            );
        }
        Note::StandIn(pid) => {
            return lang.pick(
                format!("Host PID {pid} was started by other means: here a sleeping process stands for it."),
                format!("宿主机 PID {pid} 是用别的办法启动的：这里用一个睡眠进程代替。"),
            );
        }
        Note::Before(name) => {
            return lang.pick(
                format!("{name} was there before this page began to listen."),
                format!("{name} 在这个页面开始记录之前就有了。"),
            );
        }
        Note::NoCounterpart(dialect) => {
            let name = host::dialect(*dialect);
            return lang.pick(format!("{name} has no file for this."), format!("{name} 没有对应的文件。"));
        }
        Note::InsideOnly => lang.pick(
            "Only inside: in the machine it would run on this host.",
            "只在容器里运行：在机器里那一遍，在这里就会落到这台宿主机上。",
        ),
        Note::NotByShell => lang.pick("No shell tool does this.", "shell 没有工具能做这件事。"),
        Note::Unknown => lang.pick(
            "Left out: what it is about is not known any more.",
            "没有做：已经不知道它说的是什么。",
        ),
        Note::Stands => lang.pick(
            "Everything stands. Press Enter to remove it.",
            "一切都已就绪。按回车键全部删除。",
        ),
    };
    text.into()
}

/// "cgroup v1 · this host"
pub(crate) fn tab(lang: Lang, dialect: Dialect, is_here: bool) -> String {
    let name = host::dialect(dialect);
    match is_here {
        true => format!("{name} · {}", words(lang).this_host),
        false => name.into(),
    }
}
