//! What the server's host is, what it lacks and why, in words.

use vitrine_shared::cgroup::{Controller, Dialect};
use vitrine_shared::message::{Because, Feature, Missing, Profile};

use crate::prefs::Lang;

/// A thing that can be missing, as a noun.
pub(crate) fn feature(lang: Lang, feature: Feature) -> String {
    match feature {
        Feature::Controller(controller) => lang.pick(
            format!("the {} controller", controller.name()),
            format!("{} 控制器", controller.name()),
        ),
        Feature::OwnIds => lang.pick("user ids of its own", "机器自己的用户号").into(),
        Feature::ManyIds => lang.pick("more than one user id", "不止一个用户号").into(),
        Feature::IdMappedMounts => lang.pick("id-mapped mounts", "映射用户号的挂载").into(),
        Feature::ServiceUsers => {
            lang.pick("users for the server’s parts", "服务器各部分自己的用户").into()
        }
        Feature::Landlock => "Landlock".into(),
        Feature::Busybox => lang.pick("static busybox", "静态编译的 busybox").into(),
        Feature::TimeNamespaces => lang.pick("time namespaces", "时间命名空间").into(),
    }
}

/// What does not work without it.
pub(crate) fn consequence(lang: Lang, feature: Feature) -> &'static str {
    match feature {
        Feature::Controller(controller) => without_controller(lang, controller),
        Feature::OwnIds => lang.pick(
            "All machines have the ids of the user who started the server: they are not apart from each other there.",
            "所有机器都用启动服务器的那个用户的用户号：在这一点上它们彼此没有隔开。",
        ),
        Feature::ManyIds => lang.pick(
            "Inside a machine there is only root: a second user cannot be shown.",
            "机器里只有 root：没法演示第二个用户。",
        ),
        Feature::IdMappedMounts => lang.pick(
            "The files of an image keep their owners on the host.",
            "镜像里的文件保留它们在宿主机上的属主。",
        ),
        Feature::ServiceUsers => lang.pick(
            "The parts that talk to the network and read /proc run as the user who started the server.",
            "处理网络和读取 /proc 的部分以启动服务器的用户身份运行。",
        ),
        Feature::Landlock => lang.pick(
            "The part that talks to the network is confined by seccomp alone.",
            "处理网络的部分只由 seccomp 约束。",
        ),
        Feature::Busybox => lang.pick(
            "Containers start from the lab image, which is larger.",
            "容器只能用较大的 lab 镜像。",
        ),
        Feature::TimeNamespaces => lang.pick(
            "Clocks inside are always the host’s.",
            "里面的时钟总是宿主机的。",
        ),
    }
}

fn without_controller(lang: Lang, controller: Controller) -> &'static str {
    match controller {
        Controller::Cpu => {
            lang.pick("CPU can be neither limited nor weighted.", "不能限制 CPU，也不能分配权重。")
        }
        Controller::Cpuacct => {
            lang.pick("CPU time is not counted by group.", "不按组统计 CPU 时间。")
        }
        Controller::Cpuset => {
            lang.pick("Nothing can be kept to certain CPUs.", "不能限定在某几个 CPU 上运行。")
        }
        Controller::Memory => lang.pick(
            "Memory can be neither limited nor counted by group.",
            "不能限制内存，也不能按组统计。",
        ),
        Controller::Pids => {
            lang.pick("The number of processes is not limited by group.", "不能按组限制进程数。")
        }
        Controller::Freezer => lang.pick("Nothing can be frozen.", "不能冻结。"),
        Controller::Io => {
            lang.pick("Reads and writes of disks are not limited.", "不能限制磁盘读写。")
        }
    }
}

/// Why it is missing.
pub(crate) fn because(lang: Lang, because: Because) -> &'static str {
    match because {
        Because::Kernel => lang.pick(
            "The kernel is too old for it, or was built without it.",
            "内核太旧，或编译时没有包含它。",
        ),
        Because::NotMounted => lang.pick("It is not mounted.", "它没有挂载。"),
        Because::NotDelegated => lang.pick(
            "The cgroup was not delegated to the user who started the server.",
            "没有把 cgroup 委派给启动服务器的用户。",
        ),
        Because::NoSubIds => lang.pick(
            "/etc/subuid and /etc/subgid have no range for the user who started the server.",
            "/etc/subuid 和 /etc/subgid 里没有给启动服务器的用户分配范围。",
        ),
        Because::NoNewIdMap => lang.pick(
            "newuidmap and newgidmap are not installed, or have lost their privilege.",
            "没有安装 newuidmap 和 newgidmap，或它们失去了特权。",
        ),
        Because::NotRoot => lang.pick(
            "Only root has it, and an ordinary user started the server.",
            "只有 root 才有，而服务器由普通用户启动。",
        ),
        Because::NotInstalled => lang.pick("It is not installed.", "没有安装。"),
        Because::FileSystem => lang.pick(
            "The file system that holds the server’s data cannot do it.",
            "存放服务器数据的文件系统不支持。",
        ),
        Because::NotModelled => lang.pick("The simulator does not model it.", "模拟器没有模拟它。"),
    }
}

/// What does not work and why, in one line.
pub(crate) fn why_missing(lang: Lang, missing: &Missing) -> String {
    let (what, why) = (consequence(lang, missing.feature), because(lang, missing.because));
    lang.pick(format!("{what} {why}"), format!("{what}{why}"))
}

/// What a profile allows and what it gives up, in plain words.
pub(crate) fn profile_meaning(lang: Lang, profile: Profile) -> &'static str {
    match profile {
        Profile::Strict => lang.pick(
            "Safe to give to strangers. Root inside has no capabilities: what needs privilege is asked of this page.",
            "可以放心给陌生人用。里面的 root 没有任何 capability：需要特权的事通过这个页面来做。",
        ),
        Profile::Lab => lang.pick(
            "For people you know. Root inside may mount, unshare and write to the machine’s own cgroups, so more of the host’s kernel can be reached from inside.",
            "只给你认识的人用。里面的 root 可以 mount、unshare，也可以写机器自己的 cgroup，因此从里面能触及宿主机内核的更多部分。",
        ),
    }
}

/// A dialect's name.
pub(crate) const fn dialect(dialect: Dialect) -> &'static str {
    match dialect {
        Dialect::V1 => "cgroup v1",
        Dialect::V2 => "cgroup v2",
    }
}

/// "2 things do not work on this server: the cpu controller, …"
pub(crate) fn missing_in_short(lang: Lang, features: &[Feature]) -> String {
    let names: Vec<String> = features.iter().take(3).map(|one| feature(lang, *one)).collect();
    let names = names.join(lang.pick(", ", "、"));
    let more = features.len() > 3;
    lang.pick(
        format!("This server lacks {names}{}.", if more { " and more" } else { "" }),
        format!("这台服务器没有{names}{}。", if more { "等" } else { "" }),
    )
}

/// "End machine m1, and 2 containers with it?"
pub(crate) fn end_question(lang: Lang, containers: usize) -> String {
    match containers {
        0 => lang
            .pick("Everything that was written in it is lost.", "里面写过的东西都会丢失。")
            .into(),
        1 => lang
            .pick(
                "The container in it ends too, and everything that was written in them is lost.",
                "里面的那个容器也会结束，写过的东西都会丢失。",
            )
            .into(),
        n => lang.pick(
            format!(
                "The {n} containers in it end too, and everything that was written in them is lost."
            ),
            format!("里面的 {n} 个容器也会结束，写过的东西都会丢失。"),
        ),
    }
}

#[cfg(test)]
mod tests {
    use vitrine_shared::refusal::samples::FEATURES;

    use super::*;

    #[test]
    fn every_feature_has_a_noun_and_a_sentence_in_both_languages() {
        let controllers = Controller::ALL.map(Feature::Controller);
        for one in controllers.into_iter().chain(FEATURES) {
            assert!(!feature(Lang::En, one).is_empty() && !feature(Lang::Zh, one).is_empty());
            assert!(consequence(Lang::En, one).ends_with('.'));
            assert!(consequence(Lang::Zh, one).ends_with('。'));
        }
    }

    #[test]
    fn a_long_list_is_cut_after_three() {
        let all = Controller::ALL.map(Feature::Controller);
        assert_eq!(
            missing_in_short(Lang::En, &all[..2]),
            "This server lacks the cpu controller, the cpuacct controller."
        );
        assert!(missing_in_short(Lang::Zh, &all).ends_with("等。"));
    }
}
