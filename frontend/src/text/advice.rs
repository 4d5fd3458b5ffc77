//! What to do after a refusal or a failure, in words.

use vitrine_shared::cgroup::BadGroup;
use vitrine_shared::message::{Refusal, Why};
use vitrine_shared::refusal::{Advice, Lacking};

use super::host;
use crate::prefs::Lang;

/// What helps after a failure.
pub(crate) fn on_failure(lang: Lang, advice: Advice) -> &'static str {
    if lang == Lang::En {
        return advice.in_english();
    }
    match advice {
        Advice::ProcCovered => {
            "这里的 /proc 有一部分被盖住了（外面套着容器？），所以不能再挂载。请在外面运行服务器，或者让 /proc 保持完整：docker run --security-opt systempaths=unconfined"
        }
        Advice::OnlyRootMounts => {
            "这台宿主机只让 root 挂载 overlay 或 tmpfs；请以 root 运行服务器。"
        }
        Advice::NoExec => "请用 --data 选一个没有 noexec 的文件系统上的目录。",
        Advice::NoIdMappedMounts => {
            "数据目录所在的文件系统必须支持映射用户号的挂载（ext4、xfs、btrfs）；请用 --data 另选一个。"
        }
        Advice::NamespaceLimit => {
            "已达到 /proc/sys/user/max_*_namespaces 里的上限；请调高它，或结束几台机器。"
        }
        Advice::NamespacesRestricted => {
            "这台宿主机限制命名空间；请以 root 运行，并看看 /proc/sys/user 和安全模块的设置。"
        }
        Advice::NoProcess => "宿主机或机器里不能再有更多进程；先结束一些。",
        Advice::Cgroups => {
            "请在服务器上看看 /sys/fs/cgroup 下挂载了哪些控制器，服务器能不能写；vitrine doctor 会说明。"
        }
        Advice::NoSuchProgram => "rootfs 里没有这个程序。",
        Advice::NotExecutable => "文件在，但不能执行。",
        Advice::OtherUser => {
            "请换一个用户，例如 0 就是 root（vitrine run -u）；数字不必在镜像的列表里。"
        }
        Advice::OtherDirectory => {
            "请换镜像里的另一个目录（vitrine run -w）；指向镜像外面的链接不会跟随。"
        }
        Advice::Busy => "服务器太忙；过一会儿再试。",
        Advice::Stopping => "服务器正在停止。",
        Advice::SeeLog => "请看服务器的日志；没有留下任何东西。",
    }
}

/// What helps after a refusal. The server says it in English; in Chinese the page has its own.
pub(crate) fn on_refusal(lang: Lang, reason: &Refusal, hint: &str) -> String {
    match (lang, reason) {
        (Lang::En, _) => hint.into(),
        (Lang::Zh, Refusal::Missing { what: Lacking::Feature(missing) }) => {
            let why = host::because(lang, missing.because);
            match missing.mend.as_str() {
                "" => why.into(),
                mend => format!("{why}在服务器上运行：{mend}"),
            }
        }
        (Lang::Zh, reason) => in_chinese(reason).into(),
    }
}

fn in_chinese(reason: &Refusal) -> &'static str {
    match reason {
        Refusal::NotAllowed { .. } => "请让教师来做，或换一个身份登录。",
        Refusal::Unknown { .. } | Refusal::NotRunning { .. } => {
            "它可能已经结束；请看左边现在有什么。"
        }
        Refusal::Limit(_) => "先结束一个，再试一次。",
        Refusal::TooFast(_) => "稍等一秒，再试一次。",
        Refusal::Group(BadGroup::OfContainer) => "请选机器自己的组。",
        Refusal::Group(BadGroup::NotOwn { .. }) => "请选机器的进程列表里的进程。",
        Refusal::Spec(_) | Refusal::Write(_) | Refusal::Group(_) => "请改正后再试一次。",
        Refusal::Kernel { why, .. } => match why {
            Why::HasProcesses => "先把进程移到别的组，或等它们结束。",
            Why::HasChildren => "先删除里面的组。",
            Why::Exists => "请换一个名字。",
            Why::HandsOut => "请移到它下面最末端的组。",
            Why::NoCpus => "先写它的 cpuset.cpus 和 cpuset.mems。",
            Why::ChildAboveParent => "把值调低，或先提高上级的配额。",
            Why::ParentBelowChild => "先把里面的组调低。",
            Why::InUse => "先释放一些内存，或设一个更高的值。",
            Why::Unknown => "内核没有做任何改动；请换一个值。",
        },
        Refusal::ProfileOff { .. } => "请教师以 --profile lab 启动服务器。",
        Refusal::Missing { what } => match what {
            Lacking::Feature(_) => "服务器上的 vitrine doctor 会说明缺什么、怎么补。",
            Lacking::OnlyV2 { .. } => {
                "只有 cgroup v2 才有：用 systemd.unified_cgroup_hierarchy=1 启动服务器所在的宿主机。"
            }
            Lacking::Lxcfs => {
                "在服务器上 apt-get install lxcfs 并 systemctl start lxcfs；或者改用 Vitrine 自己的文件。"
            }
            Lacking::Image { .. } => {
                "在服务器上用 vitrine image list 看有哪些镜像，用 vitrine image add 添加。"
            }
            Lacking::BlockDevice { .. } => "服务器上的 lsblk 会列出块设备和它们的号。",
        },
        Refusal::Unreadable { .. } => "页面和服务器的版本可能不同；请刷新页面。",
        Refusal::NotModelled { .. } => "真正的服务器可以；回到那里再试。",
    }
}
