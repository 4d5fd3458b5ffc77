//! Every word on the page, in both languages.
//!
//! A word that lacks one of them does not compile: `words!` takes both, and so does
//! [`Lang::pick`](crate::prefs::Lang::pick) for sentences with something in them.

/// A struct of words with a constant a language, and `words(lang)`, which gives one of them.
///
/// A file of words belongs to what shows them: words that only a lens shows are loaded with it
/// (see `lens.rs`), and one struct for all would keep them together.
macro_rules! words {
    ($($(#[$doc:meta])* $name:ident: $en:literal / $zh:literal;)+) => {
        /// The words of one language.
        #[derive(Debug)]
        pub(crate) struct Text {
            $($(#[$doc])* pub(crate) $name: &'static str,)+
        }

        /// English.
        static EN: Text = Text { $($name: $en,)+ };
        /// Simplified Chinese.
        static ZH: Text = Text { $($name: $zh,)+ };

        /// The words of a language.
        pub(crate) fn words(lang: crate::prefs::Lang) -> &'static Text {
            lang.pick(&EN, &ZH)
        }
    };
}

pub(crate) mod about;
pub(crate) mod advice;
pub(crate) mod birth;
pub(crate) mod both;
pub(crate) mod bounds;
pub(crate) mod cpu_lens;
pub(crate) mod explain;
pub(crate) mod forge;
pub(crate) mod groups;
pub(crate) mod happening;
pub(crate) mod host;
pub(crate) mod kernel;
pub(crate) mod lab;
pub(crate) mod leaks;
pub(crate) mod matrix;
pub(crate) mod meaning;
pub(crate) mod refusal;
pub(crate) mod rosetta;
pub(crate) mod sim;
pub(crate) mod step;
pub(crate) mod truth;
pub(crate) mod uses;
mod words;

pub(crate) use words::{Text, words as text};

use crate::prefs::Lang;

/// "and 212 other processes on this host"
pub(crate) fn other_processes(lang: Lang, count: u32) -> String {
    match (lang, count) {
        (Lang::En, 1) => "and 1 other process on this host".into(),
        (Lang::En, n) => format!("and {n} other processes on this host"),
        (Lang::Zh, n) => format!("以及这台宿主机上的另外 {n} 个进程"),
    }
}

/// "throttled in 10 of 10 periods"
pub(crate) fn throttled_in(lang: Lang, periods: u64, throttled: u64) -> String {
    lang.pick(
        format!("throttled in {throttled} of {periods} periods"),
        format!("{periods} 个周期中有 {throttled} 个被限流"),
    )
}

/// "of 256 MiB"
pub(crate) fn of_limit(lang: Lang, limit: &str) -> String {
    lang.pick(format!("of {limit}"), format!("/ {limit}"))
}

/// "Born in 23.41 ms"
pub(crate) fn born_in(lang: Lang, msec: &str) -> String {
    lang.pick(format!("born in {msec} ms"), format!("诞生用时 {msec} 毫秒"))
}

/// "ended with 137"
pub(crate) fn ended_with(lang: Lang, status: i32) -> String {
    lang.pick(format!("ended with status {status}"), format!("已结束，状态 {status}"))
}

/// "Files of root/c1"
pub(crate) fn files_of(lang: Lang, path: &str) -> String {
    lang.pick(format!("Files of {path}"), format!("{path} 的文件"))
}

/// "Terminal of c1"
pub(crate) fn terminal_of(lang: Lang, name: &str) -> String {
    lang.pick(format!("Terminal of {name}"), format!("{name} 的终端"))
}

/// The status of a terminal as `term.mjs` tells it.
pub(crate) fn terminal_status(lang: Lang, status: &str) -> String {
    match status {
        "connecting" => lang.pick("connecting", "正在连接").into(),
        "live" => lang.pick("live", "已连接").into(),
        "readonly" => lang.pick("read only", "只读").into(),
        "reconnecting" => lang.pick("reconnecting", "正在重连").into(),
        "gone" => lang.pick("gone", "已不存在").into(),
        other => match other.strip_prefix("exited:") {
            Some(code) => lang.pick(format!("exited with {code}"), format!("已退出，状态 {code}")),
            None => other.into(),
        },
    }
}

/// The caption of the CPU chart for those who cannot see it.
pub(crate) fn chart_in_words(lang: Lang, now: &str, quota: Option<&str>) -> String {
    match quota {
        Some(quota) => lang.pick(
            format!("CPU of the last 60 seconds; now {now} % of one CPU, quota {quota} %"),
            format!("最近 60 秒的 CPU；现在为一个 CPU 的 {now} %，配额 {quota} %"),
        ),
        None => lang.pick(
            format!("CPU of the last 60 seconds; now {now} % of one CPU, no quota"),
            format!("最近 60 秒的 CPU；现在为一个 CPU 的 {now} %，没有配额"),
        ),
    }
}

/// "20 % of one CPU", for the slider.
pub(crate) fn percent_of_one(lang: Lang, percent: &str) -> String {
    lang.pick(format!("{percent} % of one CPU"), format!("一个 CPU 的 {percent} %"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn statuses_of_the_terminal_are_translated() {
        for status in ["connecting", "live", "readonly", "reconnecting", "gone", "exited:137"] {
            assert_ne!(
                terminal_status(Lang::En, status),
                terminal_status(Lang::Zh, status),
                "{status}"
            );
        }
        assert_eq!(terminal_status(Lang::En, "exited:137"), "exited with 137");
    }

    #[test]
    fn one_is_singular() {
        assert_eq!(other_processes(Lang::En, 1), "and 1 other process on this host");
        assert_eq!(other_processes(Lang::En, 2), "and 2 other processes on this host");
    }
}
