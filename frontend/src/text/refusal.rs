//! Refusals and failures in words: what was asked, what the kernel answered, what to do.

use vitrine_shared::cgroup::{BadGroup, BadWrite, Dialect, file_rule};
use vitrine_shared::limits::Reached;
use vitrine_shared::message::{Profile, Refusal, Why};
use vitrine_shared::role::Role;
use vitrine_shared::spec::SpecError;

use super::kernel;
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
        Trouble::Refused { reason, hint } => Said {
            what: refusal(lang, reason),
            todo: match lang {
                Lang::En => hint.clone(),
                Lang::Zh => advice_zh(reason).into(),
            },
        },
        Trouble::Failed { step, errno, hint } => failed(lang, step, errno, hint),
    }
}

fn failed(lang: Lang, step: &str, errno: &str, hint: &str) -> Said {
    let errno = match (errno, kernel::errno(lang, errno)) {
        ("", _) => String::new(),
        (name, Some(meaning)) => {
            lang.pick(format!(": {name}, {meaning}"), format!("：{name}，{meaning}"))
        }
        (name, None) => lang.pick(format!(": {name}"), format!("：{name}")),
    };
    Said {
        what: lang.pick(
            format!(
                "The server failed at the step “{step}”{errno}. What had been done was undone."
            ),
            format!("服务器在“{step}”这一步失败了{errno}。已经做的都已撤销。"),
        ),
        todo: match lang {
            Lang::En => hint.into(),
            Lang::Zh => {
                "请再试一次；若仍然失败，请把这一行告诉管理服务器的人，并看看服务器的日志。".into()
            }
        },
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
            let thing = thing(lang, what);
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
            let thing = thing(lang, what);
            lang.pick(
                format!("The {thing} is not running any more."),
                format!("这个{thing}已经不在运行。"),
            )
        }
        Refusal::ProfileOff { profile } => lang.pick(
            format!("This server offers no machines of profile {}.", profile_name(*profile)),
            format!("这台服务器不提供 {} 模式的机器。", profile_name(*profile)),
        ),
        Refusal::Missing { what } => {
            lang.pick(format!("This host has no {what}."), format!("这台宿主机没有 {what}。"))
        }
        Refusal::Unreadable { detail } => lang.pick(
            format!("The server cannot read the message: {detail}"),
            format!("服务器读不懂这条消息：{detail}"),
        ),
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
    match fast {
        true => lang.pick(
            format!("Too fast: the limit {name} is {value} {unit}."),
            format!("太快了：上限 {name} 是 {value}（{unit}）。"),
        ),
        false => lang.pick(
            format!("The limit {name} is reached: {value} {unit}."),
            format!("已达到上限 {name}：{value}（{unit}）。"),
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
        SpecError::MachineTakesNone => {
            "机器自己的 shell 不能另设命名空间、主机名、init 或限额。".into()
        }
        SpecError::ImageName { given } => {
            format!("“{given}”不是镜像名：1 到 64 个 a-z、0-9、“.”“_”“-”，以字母或数字开头。")
        }
        SpecError::CpuList { given } => format!("“{given}”不是 CPU 列表；请写成 0-1,3 的样子。"),
        SpecError::OutOfRange { what, given, min, max } => {
            format!("{what} 是 {given}；允许的范围是 {min} 到 {max}。")
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
        BadWrite::Value { file, given, allowed } => {
            let rule = file_rule(file, Dialect::V1).or_else(|| file_rule(file, Dialect::V2));
            let allowed = rule
                .and_then(|rule| Some(kernel::takes(lang, rule.takes?, rule.unit)))
                .unwrap_or_else(|| allowed.clone());
            lang.pick(
                format!("{file} takes {allowed}; not “{given}”."),
                format!("{file} 接受{allowed}；不接受“{given}”。"),
            )
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

fn thing(lang: Lang, what: &str) -> &str {
    match what {
        "machine" => lang.pick("machine", "机器"),
        "container" => lang.pick("container", "容器"),
        "terminal" => lang.pick("terminal", "终端"),
        "group" => lang.pick("group", "组"),
        other => other,
    }
}

/// The server's hints are in English; in Chinese the page has its own.
fn advice_zh(reason: &Refusal) -> &'static str {
    match reason {
        Refusal::NotAllowed { .. } => "请让教师来做，或换一个身份登录。",
        Refusal::Unknown { .. } | Refusal::NotRunning { .. } => {
            "它可能已经结束；请看左边现在有什么。"
        }
        Refusal::Limit(_) => "先结束一个，再试一次。",
        Refusal::TooFast(_) => "稍等一秒，再试一次。",
        Refusal::Spec(_) | Refusal::Write(_) | Refusal::Group(_) => "请改正后再试一次。",
        Refusal::Kernel { why: Why::HasProcesses, .. } => "先把进程移到别的组，或等它们结束。",
        Refusal::Kernel { why: Why::HasChildren, .. } => "先删除里面的组。",
        Refusal::Kernel { why: Why::Exists, .. } => "请换一个名字。",
        Refusal::Kernel { why: Why::HandsOut, .. } => "请移到它下面最末端的组。",
        Refusal::Kernel { why: Why::NoCpus, .. } => "先写它的 cpuset.cpus 和 cpuset.mems。",
        Refusal::Kernel { why: Why::ChildAboveParent, .. } => "把值调低，或先提高上级的配额。",
        Refusal::Kernel { why: Why::ParentBelowChild, .. } => "先把里面的组调低。",
        Refusal::Kernel { why: Why::InUse, .. } => "先释放一些内存，或设一个更高的值。",
        Refusal::Kernel { why: Why::Unknown, .. } => "内核没有做任何改动；请换一个值。",
        Refusal::ProfileOff { .. } => "请教师以 --profile lab 启动服务器。",
        Refusal::Missing { .. } => "在服务器上看看 /proc/cgroups，哪些控制器可用。",
        Refusal::Unreadable { .. } => "页面和服务器的版本可能不同；请刷新页面。",
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn samples() -> Vec<Refusal> {
        let reached = || Reached { name: "machines".into(), value: 4, unit: "machines".into() };
        let kernel = |why| Refusal::Kernel {
            file: "/sys/fs/cgroup/cpu/x/cpu.cfs_quota_us".into(),
            text: "200000".into(),
            errno: "EINVAL".into(),
            why,
        };
        vec![
            Refusal::NotAllowed { role: Role::Viewer },
            Refusal::Unknown { what: "machine".into() },
            Refusal::Limit(reached()),
            Refusal::TooFast(reached()),
            Refusal::Spec(SpecError::RemountNeedsMount),
            Refusal::Write(BadWrite::ReadOnly { file: "cpu.stat".into() }),
            kernel(Why::Unknown),
            kernel(Why::ChildAboveParent),
            kernel(Why::InUse),
            kernel(Why::HasProcesses),
            kernel(Why::HasChildren),
            kernel(Why::Exists),
            kernel(Why::HandsOut),
            kernel(Why::NoCpus),
            Refusal::Group(BadGroup::Name { given: "../x".into() }),
            Refusal::Group(BadGroup::Cap),
            Refusal::Group(BadGroup::Fixed),
            Refusal::Group(BadGroup::OfContainer),
            Refusal::Group(BadGroup::NotOwn { pid: 1 }),
            Refusal::NotRunning { what: "container".into() },
            Refusal::Missing { what: "cpuset controller".into() },
            Refusal::Unreadable { detail: "3 bytes too many".into() },
        ]
    }

    #[test]
    fn every_refusal_speaks_both_languages() {
        for reason in samples() {
            let (en, zh) = (refusal(Lang::En, &reason), refusal(Lang::Zh, &reason));
            assert!(en.ends_with('.') || en.ends_with("many"), "{en}");
            assert!(zh.chars().any(|c| ('一'..='龥').contains(&c)), "{zh}");
        }
    }

    #[test]
    fn the_kernels_no_says_what_was_asked_what_was_answered_and_why() {
        let said = trouble(
            Lang::En,
            &Trouble::Refused { reason: samples()[7].clone(), hint: "Lower it.".into() },
        );
        assert_eq!(
            said.what,
            "Asked: 200000 in cpu.cfs_quota_us. The kernel answered EINVAL (invalid argument). \
             A group’s quota ÷ period may not be above its parent’s."
        );
        assert_eq!(said.todo, "Lower it.");
    }

    #[test]
    fn a_wrong_value_is_told_what_is_allowed_in_the_readers_language() {
        let bad = BadWrite::Value {
            file: "cpu.cfs_period_us".into(),
            given: "5".into(),
            allowed: "1000 to 1000000 µs".into(),
        };
        let zh = refusal(Lang::Zh, &Refusal::Write(bad));
        assert_eq!(zh, "cpu.cfs_period_us 接受1000 到 1000000 µs；不接受“5”。");
    }
}
