//! The steps of a birth in words.

use vitrine_shared::message::StepName;

use crate::prefs::Lang;

/// What a step does.
pub(crate) fn step(lang: Lang, name: StepName) -> &'static str {
    match name {
        StepName::Cgroup => lang.pick("make its cgroups", "建立它的 cgroup"),
        StepName::IdMap => lang.pick("map its user ids", "写入用户映射"),
        StepName::Clone => lang.pick("clone into new namespaces", "克隆到新的命名空间"),
        StepName::Setns => lang.pick("enter the machine’s namespaces", "进入机器的命名空间"),
        StepName::EnterCgroup => lang.pick("move into its cgroup", "移入它的 cgroup"),
        StepName::Hostname => lang.pick("set the host name", "设置主机名"),
        StepName::Loopback => lang.pick("bring up loopback", "启用回环网卡"),
        StepName::Rootfs => lang.pick("stack the rootfs", "叠出 rootfs"),
        StepName::Proc => lang.pick("mount /proc", "挂载 /proc"),
        StepName::Dev => lang.pick("make a small /dev", "建一个小的 /dev"),
        StepName::Pty => lang.pick("open a terminal", "打开终端"),
        StepName::PivotRoot => lang.pick("change the root", "更换根目录"),
        StepName::EnterUser => {
            lang.pick("become root of its user namespace", "成为自己用户命名空间的 root")
        }
        StepName::RunAs => lang.pick("become the user it runs as", "成为它运行时的用户"),
        StepName::Capabilities => lang.pick("drop every capability", "放弃所有 capability"),
        StepName::Rlimits => lang.pick("set resource limits", "设置资源上限"),
        StepName::Seccomp => lang.pick("load the seccomp filter", "装入 seccomp 过滤器"),
        StepName::Execve => lang.pick("execve the program", "用 execve 换成程序"),
        StepName::Ask => lang.pick("hand the command on", "转交命令"),
    }
}
