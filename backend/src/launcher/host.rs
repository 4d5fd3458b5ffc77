//! Settings of the host that stand behind a strict machine's walls.

use std::fs;
use std::path::Path;

/// A file below `/proc/sys`, the values that are as strict as can be, what it is about.
type Setting = (&'static str, &'static [&'static str], &'static str);

/// From the hardening list: each is a second wall behind one of our own.
const SETTINGS: &[Setting] = &[
    ("dev/tty/legacy_tiocsti", &["0"], "a program may type into its terminal (TIOCSTI)"),
    ("dev/tty/ldisc_autoload", &["0"], "line disciplines are loaded unasked"),
    ("kernel/io_uring_disabled", &["2", "1"], "io_uring is open to everybody"),
    ("kernel/unprivileged_bpf_disabled", &["1", "2"], "bpf is open to everybody"),
    ("kernel/kptr_restrict", &["1", "2"], "kernel addresses can be read"),
    ("kernel/dmesg_restrict", &["1"], "the kernel's log can be read"),
    ("fs/protected_symlinks", &["1"], "links in shared directories are followed"),
    ("fs/protected_hardlinks", &["1"], "hard links to others' files can be made"),
];

/// One setting as it is.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct State {
    /// Its name for `sysctl`.
    pub(crate) name: String,
    /// What it says.
    pub(crate) value: String,
    /// What that lets happen; none when it is as strict as can be.
    pub(crate) weak: Option<Weak>,
}

/// What a setting lets happen, and what mends it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Weak {
    /// What it lets happen.
    pub(crate) about: &'static str,
    /// The command that mends it.
    pub(crate) mend: String,
}

/// The settings that this kernel has, read below `/proc/sys`. One that it does not have is no
/// weakness.
pub(crate) fn settings(sys: &Path) -> Vec<State> {
    let read = |file: &str| fs::read_to_string(sys.join(file)).ok();
    let mut states: Vec<State> =
        SETTINGS.iter().filter_map(|setting| Some(judge(setting, &read(setting.0)?))).collect();
    if let Some(pattern) = read("kernel/core_pattern") {
        let weak = pattern.starts_with('|').then(|| Weak {
            about: "core dumps are piped to a program of root's",
            mend: "sysctl kernel.core_pattern=core".into(),
        });
        let value = pattern.trim().to_string();
        states.push(State { name: "kernel.core_pattern".into(), value, weak });
    }
    states
}

fn judge(&(file, strict, about): &Setting, value: &str) -> State {
    let (name, value) = (file.replace('/', "."), value.trim().to_string());
    let weak = (!strict.contains(&value.as_str()))
        .then(|| Weak { about, mend: format!("sysctl {name}={}", strict[0]) });
    State { name, value, weak }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_weak_setting_is_told_with_what_mends_it() {
        assert_eq!(judge(&SETTINGS[2], "2\n").weak, None);
        assert_eq!(judge(&SETTINGS[2], "1\n").weak, None);
        let told = judge(&SETTINGS[2], "0\n").weak.unwrap();
        assert_eq!(told.mend, "sysctl kernel.io_uring_disabled=2");
    }

    #[test]
    fn what_this_kernel_does_not_have_is_no_weakness() {
        let sys = tempfile::tempdir().unwrap();
        assert_eq!(settings(sys.path()), []);
        fs::create_dir(sys.path().join("kernel")).unwrap();
        fs::write(sys.path().join("kernel/core_pattern"), "|/usr/lib/handler %p\n").unwrap();
        let found = settings(sys.path());
        assert_eq!(found.len(), 1);
        assert!(found[0].weak.is_some());
    }
}
