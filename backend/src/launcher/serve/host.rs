//! Settings of the host that stand behind a strict machine's walls.

use std::fs;

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

/// What is weaker than it could be, and the command that mends it. A setting that this kernel
/// does not have is no weakness.
pub(super) fn weak_settings() -> Vec<String> {
    let read = |file: &str| fs::read_to_string(format!("/proc/sys/{file}")).ok();
    let mut weak: Vec<String> =
        SETTINGS.iter().filter_map(|setting| judge(setting, &read(setting.0)?)).collect();
    if read("kernel/core_pattern").is_some_and(|pattern| pattern.starts_with('|')) {
        weak.push(
            "core dumps are piped to a program of root's; sysctl kernel.core_pattern=core".into(),
        );
    }
    weak
}

fn judge(&(file, strict, about): &Setting, value: &str) -> Option<String> {
    let value = value.trim();
    let name = file.replace('/', ".");
    (!strict.contains(&value)).then(|| format!("{about}; sysctl {name}={}", strict[0]))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_weak_setting_is_told_with_what_mends_it() {
        assert_eq!(judge(&SETTINGS[2], "2\n"), None);
        assert_eq!(judge(&SETTINGS[2], "1\n"), None);
        let told = judge(&SETTINGS[2], "0\n").unwrap();
        assert!(told.ends_with("sysctl kernel.io_uring_disabled=2"), "{told}");
    }
}
