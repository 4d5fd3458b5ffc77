use vitrine_shared::cgroup::{Controller, FILES};
use vitrine_shared::limits;
use vitrine_shared::refusal::samples::samples;

use super::*;

/// What is written in Latin letters in every language: names of files, flags, programs, calls.
const NAMES: &[&str] = &[
    "lxcfs",
    "/var/lib/lxcfs",
    "/srv",
    "-u",
    "-w",
    "USER",
    "GROUP",
    "Vitrine",
    "apt-get",
    "install",
    "start",
    "systemctl",
    "/bin/sh",
    "/dev",
    "µs",
    "/etc/subgid",
    "/etc/subuid",
    "/proc",
    "/proc/sys/user",
    "/proc/sys/user/max_*_namespaces",
    "/sys/fs/cgroup",
    "--data",
    "--profile",
    "--security-opt",
    "CPU",
    "EINVAL",
    "Landlock",
    "NUL",
    "PID",
    "a-z",
    "btrfs",
    "busybox",
    "capability",
    "cgroup",
    "docker",
    "execve",
    "ext4",
    "host",
    "init",
    "inode",
    "lab",
    "lsblk",
    "newgidmap",
    "newuidmap",
    "noexec",
    "overlay",
    "root",
    "rootfs",
    "run",
    "seccomp",
    "shell",
    "strict",
    "systemd.unified_cgroup_hierarchy=1",
    "systempaths=unconfined",
    "tmpfs",
    "uid",
    "v1",
    "v2",
    "vitrine",
    "doctor",
    "image",
    "list",
    "add",
    "xfs",
    "wiops=max",
    "rbps=1048576",
    "max",
    "FROZEN",
    "THAWED",
    "UTS",
];

/// The words in Latin letters of a Chinese text that are no names.
fn prose(text: &str) -> Vec<&str> {
    let part = |c: char| c.is_ascii_alphanumeric() || "/_.-*=µ".contains(c);
    let known = |word: &str| {
        NAMES.contains(&word)
            || limits::ALL.iter().any(|limit| limit.name == word)
            || FILES.iter().any(|rule| rule.name == word)
            || Controller::ALL.iter().any(|controller| controller.name() == word)
    };
    text.split(|c| !part(c))
        .map(|word| word.trim_matches('.'))
        .filter(|word| word.chars().any(|c| c.is_ascii_alphabetic()) && !known(word))
        .collect()
}

#[track_caller]
fn is_chinese(text: &str, what: &dyn std::fmt::Debug) {
    assert!(text.chars().any(|c| ('一'..='龥').contains(&c)), "{what:?}: {text}");
    assert_eq!(prose(text), Vec::<&str>::new(), "{what:?}: {text}");
}

#[test]
fn every_refusal_and_its_advice_speak_both_languages() {
    for reason in samples() {
        let trouble = Trouble::Refused { reason: reason.clone(), hint: "Do so.".into() };
        let (en, zh) = (super::trouble(Lang::En, &trouble), super::trouble(Lang::Zh, &trouble));
        assert!(en.what.ends_with('.') || en.what.ends_with("many"), "{}", en.what);
        assert!(en.what.is_ascii() || en.what.contains(['“', '’', '÷', 'µ']), "{}", en.what);
        assert_eq!(en.todo, "Do so.");
        // A command is the same in every language.
        let todo = match &reason {
            Refusal::Missing { what: Lacking::Feature(missing) } => {
                assert!(zh.todo.contains(&missing.mend), "{}", zh.todo);
                zh.todo.replace(&missing.mend, "")
            }
            _ => zh.todo,
        };
        is_chinese(&zh.what, &reason);
        is_chinese(&todo, &reason);
    }
}

#[test]
fn every_failure_and_its_advice_speak_both_languages() {
    for at in STEPS {
        for errno in ["", "EINVAL"] {
            let (what, errno) = ("write something".into(), errno.into());
            let trouble = Trouble::Failed { step: at, what, errno };
            let (en, zh) = (super::trouble(Lang::En, &trouble), super::trouble(Lang::Zh, &trouble));
            assert!(en.what.contains("write something"), "{}", en.what);
            is_chinese(&zh.what, &at);
            is_chinese(&zh.todo, &at);
        }
    }
    for advice in Advice::ALL {
        is_chinese(super::advice::on_failure(Lang::Zh, advice), &advice);
    }
}

#[test]
fn what_a_file_takes_is_said_in_chinese() {
    for rule in FILES {
        let Some(takes) = rule.takes else { continue };
        let zh = kernel::takes(Lang::Zh, takes, rule.unit);
        assert_eq!(prose(&zh), Vec::<&str>::new(), "{}: {zh}", rule.name);
    }
}

#[test]
fn english_in_a_chinese_sentence_is_found() {
    assert_eq!(prose("这台宿主机没有 block device 8:99。"), ["block", "device"]);
    assert!(prose("memory.high 只能读；见 /sys/fs/cgroup。").is_empty());
}

const STEPS: [StepName; 19] = [
    StepName::Cgroup,
    StepName::IdMap,
    StepName::Clone,
    StepName::Setns,
    StepName::EnterCgroup,
    StepName::Hostname,
    StepName::Loopback,
    StepName::Rootfs,
    StepName::Proc,
    StepName::Dev,
    StepName::Pty,
    StepName::PivotRoot,
    StepName::EnterUser,
    StepName::RunAs,
    StepName::Capabilities,
    StepName::Rlimits,
    StepName::Seccomp,
    StepName::Execve,
    StepName::Ask,
];

#[test]
fn the_kernels_no_says_what_was_asked_what_was_answered_and_why() {
    let reason = Refusal::Kernel {
        file: "/sys/fs/cgroup/cpu/x/cpu.cfs_quota_us".into(),
        text: "200000".into(),
        errno: "EINVAL".into(),
        why: Why::ChildAboveParent,
    };
    let said = trouble(Lang::En, &Trouble::Refused { reason, hint: "Lower it.".into() });
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
