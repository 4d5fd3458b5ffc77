//! The `docker` of a lab machine: no engine, but a script that does what a line stands for with
//! the machine's own tools, and shows each step as it takes it.
//!
//! The text's `docker run …` can be typed as it stands, and what then runs is a container made by
//! hand: groups with limits, `unshare`, a root, `pivot_root`. A step is shown by the function
//! that runs it, so nothing is shown that is not done.

mod words;

use words::Words;

/// Where it is in the image; [`script`] says the same of itself.
pub(super) const PLACE: &str = "usr/bin/docker";

/// The parts, in the order in which the shell reads them.
const PARTS: [&str; 4] = [
    include_str!("docker/common.sh"),
    include_str!("docker/run.sh"),
    include_str!("docker/inside.sh"),
    include_str!("docker/others.sh"),
];

/// The text of the script, for any POSIX shell.
pub(super) fn script() -> String {
    let head = "#!/bin/sh\n\
        # Vitrine: what a line with `docker` stands for, done by this machine's own tools.\n\
        # There is no engine here; this is all of it.\n\n\
        case ${LC_ALL:-${LC_MESSAGES:-${LANG:-}}} in\nzh*)\n";
    let [zh, en] = [&words::ZH, &words::EN].map(assignments);
    format!("{head}{zh}  ;;\n*)\n{en}  ;;\nesac\n\n{}", PARTS.join("\n"))
}

fn assignments(words: &Words) -> String {
    let line =
        |(name, text): (&str, &str)| format!("  W_{name}='{}'\n", text.replace('\'', "'\\''"));
    words.each().into_iter().map(line).collect()
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;
    use std::process::Command;

    use super::*;

    #[test]
    fn a_posix_shell_reads_it() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("docker");
        std::fs::write(&path, script()).unwrap();
        for shell in [&["bash", "--posix"][..], &["sh"], &["busybox", "sh"]] {
            let mut command = Command::new(shell[0]);
            let read = command.args(&shell[1..]).arg("-n").arg(&path).output().unwrap();
            assert!(read.status.success() && read.stderr.is_empty(), "{shell:?}: {read:?}");
        }
    }

    #[test]
    fn every_word_is_used_and_every_word_used_is_there() {
        let parts = PARTS.join("\n");
        let used: BTreeSet<&str> = parts
            .split("$W_")
            .skip(1)
            .map(|rest| rest.split(|c: char| !c.is_ascii_lowercase() && c != '_').next().unwrap())
            .collect();
        let there: BTreeSet<&str> = words::EN.each().into_iter().map(|(name, _)| name).collect();
        assert_eq!(used, there);
    }

    #[test]
    fn both_languages_take_the_same_values() {
        for ((name, en), (_, zh)) in words::EN.each().into_iter().zip(words::ZH.each()) {
            // They are formats of printf(1).
            assert_eq!(en.matches("%s").count(), zh.matches("%s").count(), "{name}");
            assert_eq!(en.matches('%').count(), en.matches("%s").count(), "{name}");
            assert!(!zh.is_ascii(), "{name}: {zh}");
        }
    }

    #[test]
    fn what_is_typed_wrong_is_said_in_both_languages() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("docker");
        std::fs::write(&path, script()).unwrap();
        for (words, said) in [
            (&["pull", "busybox"][..], "docker pull"),
            (&["run"], "docker run busybox"),
            (&["run", "--memroy=64m", "busybox"], "--memroy"),
            (&["run", "--memory", "64q", "busybox"], "64q"),
            (&["run", "--memory", "4m", "busybox"], "6m"),
            (&["run", "--cpu-quota=x", "busybox"], "--cpu-quota"),
            (&["run", "--cpus", "1.2.3", "busybox"], "0.5"),
            (&["run", "--cpu-period"], "--cpu-period"),
            (&["run", "--name", "a b", "busybox"], "--name"),
            (&["run", "-p", "80:80", "nginx"], "-p"),
            (&["run", "BAD IMAGE"], "BAD IMAGE"),
            (&["stats"], "--no-stream"),
            (&["stop", "nobody"], "nobody"),
            (&["exec", "-it", "nobody"], "docker exec"),
        ] {
            let run = |lang: &str| {
                let mut command = Command::new("sh");
                command.arg(&path).args(words).env("LC_ALL", lang);
                let output = command.output().unwrap();
                let text = String::from_utf8(output.stderr).unwrap();
                assert_eq!(output.status.code(), Some(125), "{words:?}: {text}");
                assert!(text.contains(said), "{words:?}: {text}");
                text
            };
            assert!(run("C.UTF-8").is_ascii());
            assert!(!run("zh_CN.UTF-8").is_ascii(), "{words:?}");
        }
    }
}
