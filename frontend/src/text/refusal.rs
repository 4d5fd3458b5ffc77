//! Refusals and failures in words: what was asked, what the kernel answered, what to do.

use vitrine_shared::cgroup::{BadGroup, BadWrite, Dialect, file_rule};
use vitrine_shared::limits::Reached;
use vitrine_shared::message::{Profile, Refusal, StepName, Why};
use vitrine_shared::refusal::{Advice, Lacking, Thing, Unmodelled};
use vitrine_shared::role::Role;
use vitrine_shared::spec::SpecError;

use super::step::step;
use super::{advice, bounds, host, kernel};
use crate::place::Trouble;
use crate::prefs::Lang;

/// What went wrong, and what to do.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Said {
    /// What was answered.
    pub(crate) what: String,
    /// What to do; may be empty.
    pub(crate) todo: String,
}

/// A trouble in words.
pub(crate) fn trouble(lang: Lang, trouble: &Trouble) -> Said {
    match trouble {
        Trouble::NoAnswer => Said { what: super::text(lang).no_answer.into(), todo: String::new() },
        Trouble::Refused { reason, hint } => {
            Said { what: refusal(lang, reason), todo: advice::on_refusal(lang, reason, hint) }
        }
        Trouble::Failed { step, what, errno } => failed(lang, *step, what, errno),
    }
}

fn failed(lang: Lang, at: StepName, what: &str, errno: &str) -> Said {
    let advice = advice::on_failure(lang, Advice::on(at, errno)).into();
    let errno = match (errno, kernel::errno(lang, errno)) {
        ("", _) => String::new(),
        (name, Some(meaning)) => {
            lang.pick(format!(": {name}, {meaning}"), format!("：{name}，{meaning}"))
        }
        (name, None) => lang.pick(format!(": {name}"), format!("：{name}")),
    };
    let step = step(lang, at);
    Said {
        what: lang.pick(
            format!(
                "The server failed at the step “{step}” ({what}){errno}. What had been done was undone."
            ),
            // What exactly, the server says in English only, for the log.
            format!("服务器在“{step}”这一步失败了{errno}。已经做的都已撤销。"),
        ),
        todo: advice,
    }
}

/// Why a command was refused.
pub(crate) fn refusal(lang: Lang, reason: &Refusal) -> String {
    match reason {
        Refusal::NotAllowed { role } => {
            let role = role_name(lang, *role);
            lang.pick(format!("A {role} may not do this."), format!("身份为{role}时不能这样做。"))
        }
        Refusal::Unknown { what } => {
            let thing = thing(lang, *what);
            lang.pick(format!("There is no such {thing} here."), format!("这里没有这个{thing}。"))
        }
        Refusal::Limit(reached) => limit(lang, reached, false),
        Refusal::TooFast(reached) => limit(lang, reached, true),
        Refusal::Spec(error) => spec(lang, error),
        Refusal::Write(error) => write(lang, error),
        Refusal::Group(error) => group(lang, error),
        Refusal::Kernel { file, text, errno, why } => {
            refused_by_kernel(lang, file, text, errno, *why)
        }
        Refusal::NotRunning { what } => {
            let thing = thing(lang, *what);
            lang.pick(
                format!("The {thing} is not running any more."),
                format!("这个{thing}已经不在运行。"),
            )
        }
        Refusal::ProfileOff { profile } => lang.pick(
            format!("This server offers no machines of profile {}.", profile_name(*profile)),
            format!("这台服务器不提供 {} 模式的机器。", profile_name(*profile)),
        ),
        Refusal::Missing { what } => match lang {
            Lang::En => format!("This host has no {what}."),
            Lang::Zh => format!("这台宿主机没有{}。", lacking_zh(what)),
        },
        Refusal::Unreadable { detail } => lang.pick(
            format!("The server cannot read the message: {detail}"),
            // The detail is the decoder's, in English.
            "服务器读不懂这条消息。".into(),
        ),
        Refusal::NotModelled { what } => match lang {
            Lang::En => format!("The simulator does not model {what}."),
            Lang::Zh => format!("模拟器没有模拟{}。", unmodelled_zh(what)),
        },
    }
}

fn unmodelled_zh(what: &Unmodelled) -> String {
    match what {
        Unmodelled::User => "root 以外的用户运行的程序".into(),
        Unmodelled::Clocks => "时钟的偏移".into(),
        Unmodelled::ProcView => "替换 /proc 里的文件".into(),
        Unmodelled::File { file } => format!("文件 {file}"),
    }
}

fn lacking_zh(what: &Lacking) -> String {
    match what {
        Lacking::Feature(missing) => format!(" {}", host::feature(Lang::Zh, missing.feature)),
        Lacking::OnlyV2 { file } => format!(" {file}"),
        Lacking::Lxcfs => "在 /var/lib/lxcfs 运行的 lxcfs".into(),
        Lacking::Image { name } => format!("镜像 {name}"),
        Lacking::BlockDevice { major, minor } => format!("块设备 {major}:{minor}"),
    }
}

fn refused_by_kernel(lang: Lang, file: &str, text: &str, errno: &str, why: Why) -> String {
    let name = file.rsplit('/').next().unwrap_or(file);
    let meaning = kernel::errno(lang, errno)
        .map_or_else(String::new, |m| lang.pick(format!(" ({m})"), format!("（{m}）")));
    let why = match why {
        Why::Unknown => "",
        Why::ChildAboveParent => lang.pick(
            " A group’s quota ÷ period may not be above its parent’s.",
            "一个组的配额÷周期不能高于它的上级。",
        ),
        Why::ParentBelowChild => lang.pick(
            " A group’s quota ÷ period may not be set below what a group inside it has.",
            "一个组的配额÷周期不能低于它里面的组。",
        ),
        Why::InUse => lang.pick(
            " More memory is in use than the new limit allows.",
            "正在使用的内存比新的上限多。",
        ),
        Why::HasProcesses => {
            lang.pick(" A group with processes in it is not removed.", "里面还有进程的组不能删除。")
        }
        Why::HasChildren => {
            lang.pick(" A group with groups in it is not removed.", "里面还有组的组不能删除。")
        }
        Why::Exists => {
            lang.pick(" There is a group or a file of that name.", "已经有这个名字的组或文件。")
        }
        Why::HandsOut => lang.pick(
            " In cgroup v2 a group that hands controllers to its children takes no processes.",
            "在 cgroup v2 里，把控制器交给下级的组自己不能有进程。",
        ),
        Why::NoCpus => lang
            .pick(" The group has no CPUs or memory nodes yet.", "这个组还没有 CPU 或内存节点。"),
    };
    lang.pick(
        format!("Asked: {text} in {name}. The kernel answered {errno}{meaning}.{why}"),
        format!("要求：把 {text} 写入 {name}。内核回答 {errno}{meaning}。{why}"),
    )
}

fn group(lang: Lang, error: &BadGroup) -> String {
    match error {
        BadGroup::Name { given } => lang.pick(
            format!("“{given}” cannot be a group’s name here."),
            format!("“{given}”不能作组名：不能有 /、控制字符，也不能太长、太深。"),
        ),
        BadGroup::Cap => lang.pick(
            "The cap is above the machine: nothing is made in it or moved to it.",
            "上限组在机器之上：不能在里面建组，也不能移进去。",
        ).into(),
        BadGroup::Fixed => lang.pick(
            "The server made this group and removes it with what it is for.",
            "这个组是服务器建的，和它所属的东西一起消失。",
        ).into(),
        BadGroup::OfContainer => lang.pick(
            "A container’s group is the container: nothing is made in it, nobody moves in or out.",
            "容器的组就是容器：不能在里面建组，进程也不能移进移出。",
        ).into(),
        BadGroup::NotOwn { pid } => lang.pick(
            format!("Process {pid} is not one of this machine’s own."),
            format!("进程 {pid} 不是这台机器自己的。"),
        ),
    }
}

fn limit(lang: Lang, reached: &Reached, fast: bool) -> String {
    let Reached { name, value, unit } = reached;
    let unit = bounds::unit(lang, *unit);
    match fast {
        true => lang.pick(
            format!("Too fast: the limit {name} is {value} {unit}."),
            format!("太快了：上限 {name} 是 {value} {unit}。"),
        ),
        false => lang.pick(
            format!("The limit {name} is reached: {value} {unit}."),
            format!("已达到上限 {name}：{value} {unit}。"),
        ),
    }
}

fn spec(lang: Lang, error: &SpecError) -> String {
    if lang == Lang::En {
        let text = error.to_string();
        let mut letters = text.chars();
        let first = letters.next().map(|letter| letter.to_ascii_uppercase());
        return first.into_iter().chain(letters).chain(['.']).collect();
    }
    match error {
        SpecError::NoProgram => "没有给出要运行的程序；例如 /bin/sh。".into(),
        SpecError::Nul => "命令行里有 NUL 字节。".into(),
        SpecError::RemountNeedsMount => super::text(lang).remount_needs_mount.into(),
        SpecError::HostnameNeedsUts => super::text(lang).hostname_needs_uts.into(),
        SpecError::ViewNeedsRemount => {
            "要换掉 /proc 里的文件，需要新的挂载命名空间，并在其中重新挂载 /proc。".into()
        }
        SpecError::LxcfsNeedsPid => {
            "lxcfs 需要新的 PID 命名空间：它按读者所见的 1 号进程所在的控制组来回答。".into()
        }
        SpecError::OffsetNeedsTime => "时钟偏移需要新的时间命名空间。".into(),
        SpecError::Hostname { given } => {
            format!("“{given}”不是主机名：1 到 64 个字母、数字、“-”和“.”。")
        }
        SpecError::User { given } => {
            format!("“{given}”不是用户：一个名字或号，或用冒号连起来的两个（USER:GROUP）。")
        }
        SpecError::Workdir { given } => {
            format!("“{given}”不是工作目录：要写绝对路径，例如 /srv。")
        }
        SpecError::MachineTakesNone => {
            "机器自己的 shell 不能另设命名空间、主机名、用户、目录、init 或限额。".into()
        }
        SpecError::OnlyByRun => "宿主机的目录只能由 root 在命令行用 vitrine run 作 rootfs。".into(),
        SpecError::ImageName { given } => {
            format!("“{given}”不是镜像名：1 到 64 个 a-z、0-9、“.”“_”“-”，以字母或数字开头。")
        }
        SpecError::CpuList { given } => format!("“{given}”不是 CPU 列表；请写成 0-1,3 的样子。"),
        SpecError::OutOfRange { what, given, min, max } => {
            let what = bounds::quantity(lang, *what);
            format!("{what}是 {given}；允许的范围是 {min} 到 {max}。")
        }
    }
}

fn write(lang: Lang, error: &BadWrite) -> String {
    match error {
        BadWrite::UnknownFile { file } => lang.pick(
            format!("{file} is not a cgroup file that can be written here."),
            format!("{file} 不是这里可以写的 cgroup 文件。"),
        ),
        BadWrite::ReadOnly { file } => {
            lang.pick(format!("{file} can only be read."), format!("{file} 只能读。"))
        }
        BadWrite::Cap => {
            lang.pick("The machine’s cap can only be read.", "机器的上限组只能读。").into()
        }
        BadWrite::SwapNotCounted { given } => lang.pick(
            format!(
                "memory.swappiness takes 0, because this kernel does not count swap; not “{given}”."
            ),
            format!("这个内核不统计交换空间，所以 memory.swappiness 只接受 0；不接受“{given}”。"),
        ),
        BadWrite::Value { file, given, allowed } => {
            let rule = file_rule(file, Dialect::V1).or_else(|| file_rule(file, Dialect::V2));
            match rule.and_then(|rule| Some(kernel::takes(lang, rule.takes?, rule.unit))) {
                Some(allowed) => lang.pick(
                    format!("{file} takes {allowed}; not “{given}”."),
                    format!("{file} 接受{allowed}；不接受“{given}”。"),
                ),
                // A file that this page does not know.
                None => lang.pick(
                    format!("{file} takes {allowed}; not “{given}”."),
                    format!("{file} 不接受“{given}”。"),
                ),
            }
        }
    }
}

fn role_name(lang: Lang, role: Role) -> &'static str {
    match role {
        Role::Teacher => lang.pick("teacher", "教师"),
        Role::Student => lang.pick("student", "学生"),
        Role::Viewer => lang.pick("viewer", "观众"),
    }
}

/// A profile's name is a word of the command line, the same in every language.
pub(crate) fn profile_name(profile: Profile) -> &'static str {
    match profile {
        Profile::Strict => "strict",
        Profile::Lab => "lab",
    }
}

fn thing(lang: Lang, what: Thing) -> &'static str {
    match what {
        Thing::Machine => lang.pick("machine", "机器"),
        Thing::Container => lang.pick("container", "容器"),
        Thing::Group => lang.pick("group", "组"),
        Thing::Process => lang.pick("process", "进程"),
    }
}

#[cfg(test)]
#[path = "refusal_tests.rs"]
mod tests;
