//! The kernel's things in words: namespaces, cgroup files, reasons, error names.

use vitrine_shared::cgroup::Takes;
use vitrine_shared::namespace::Namespace;
use vitrine_shared::spec::{MIN_QUOTA_USEC, PERIOD_USEC};

use crate::prefs::Lang;

/// A namespace type's name.
pub(crate) fn namespace_name(lang: Lang, namespace: Namespace) -> &'static str {
    match namespace {
        Namespace::Pid => lang.pick("process ids", "进程号"),
        Namespace::Mount => lang.pick("mounts", "挂载"),
        Namespace::Uts => lang.pick("host name", "主机名"),
        Namespace::Ipc => lang.pick("IPC", "进程间通信"),
        Namespace::User => lang.pick("users", "用户"),
        Namespace::Net => lang.pick("network", "网络"),
        Namespace::Cgroup => lang.pick("cgroup root", "cgroup 根"),
        Namespace::Time => lang.pick("clocks", "时钟"),
    }
}

/// What a new namespace of this type does, in one sentence.
pub(crate) fn namespace_meaning(lang: Lang, namespace: Namespace) -> &'static str {
    match namespace {
        Namespace::Pid => lang.pick("Its first process is PID 1.", "它的第一个进程就是 PID 1。"),
        Namespace::Mount => lang.pick(
            "Mounts of its own, and pivot_root to its own root.",
            "有自己的挂载表，用 pivot_root 换成自己的根。",
        ),
        Namespace::Uts => lang.pick("A host name of its own.", "有自己的主机名。"),
        Namespace::Ipc => lang
            .pick("Shared memory and message queues of its own.", "有自己的共享内存和消息队列。"),
        Namespace::User => lang.pick(
            "It is root inside, and an ordinary uid outside.",
            "里面是 root，外面只是普通 uid。",
        ),
        Namespace::Net => lang.pick(
            "Devices, addresses and ports of its own: only lo.",
            "有自己的网卡、地址和端口：只有 lo。",
        ),
        Namespace::Cgroup => {
            lang.pick("Its own cgroup looks like the root.", "自己的 cgroup 看起来就是根。")
        }
        Namespace::Time => lang
            .pick("Clock offsets of its own; zero unless set.", "有自己的时钟偏移；不设就是零。"),
    }
}

/// What a file takes, in words.
pub(crate) fn takes(lang: Lang, takes: Takes, unit: &str) -> String {
    if lang == Lang::En {
        return takes.in_words(unit);
    }
    let unit = match unit {
        "" => String::new(),
        "bytes" => " 字节".into(),
        other => format!(" {other}"),
    };
    match takes {
        Takes::Integer { min, max, unlimited: None } => format!("{min} 到 {max}{unit}"),
        Takes::Integer { min, max, unlimited: Some(word) } => {
            format!("{min} 到 {max}{unit}，或用 {word} 表示不限")
        }
        Takes::QuotaAndPeriod => format!(
            "不小于 {MIN_QUOTA_USEC} µs 的配额或 max，再加 {} 到 {} µs 的周期",
            PERIOD_USEC.start(),
            PERIOD_USEC.end()
        ),
        Takes::CpuList => "CPU 列表，例如 0-1,3".into(),
        Takes::Word(words) => words.join(" 或 "),
        Takes::DeviceRate => "块设备和一个数，例如 8:0 1048576；0 表示不限".into(),
        Takes::IoMax => "块设备和要限制的项，例如 8:0 rbps=1048576 wiops=max".into(),
    }
}

/// What a kernel error's name means.
pub(crate) fn errno(lang: Lang, errno: &str) -> Option<&'static str> {
    Some(match errno {
        "EINVAL" => lang.pick("invalid argument", "参数无效"),
        "EPERM" => lang.pick("operation not permitted", "操作不允许"),
        "EACCES" => lang.pick("permission denied", "权限不够"),
        "EBUSY" => lang.pick("device or resource busy", "资源正在使用"),
        "ENOENT" => lang.pick("no such file or directory", "没有这个文件或目录"),
        "ENOMEM" => lang.pick("out of memory", "内存不足"),
        "EAGAIN" => lang.pick("resource temporarily unavailable", "资源暂时不可用"),
        "ENOSPC" => lang.pick("no space left", "空间不足"),
        "ESRCH" => lang.pick("no such process", "没有这个进程"),
        "ERANGE" => lang.pick("number out of range", "数值超出范围"),
        "EOPNOTSUPP" => lang.pick("not supported", "不支持"),
        "ENODEV" => lang.pick("no such device", "没有这个设备"),
        _ => return None,
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn all_eight_have_a_name_and_one_sentence_in_both_languages() {
        for namespace in Namespace::ALL {
            for lang in [Lang::En, Lang::Zh] {
                assert!(!namespace_name(lang, namespace).is_empty());
                let meaning = namespace_meaning(lang, namespace);
                assert!(meaning.ends_with(lang.pick('.', '。')), "{meaning}");
            }
        }
    }
}
