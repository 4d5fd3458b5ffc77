//! Settings: the host's that stand behind our walls, and our own file.

use std::path::{Path, PathBuf};

use clap::Command;

use super::{Finding, Host, Severity};
use crate::config::{self, Checked};
use crate::launcher::host;

pub(super) fn check(host: &Host, serve: &Command, files: &[PathBuf]) -> Vec<Finding> {
    let mut findings = sysctls(host);
    findings.extend(configuration(serve, files, config::default_file()));
    findings
}

/// Each one that is weak; or one line for all.
fn sysctls(host: &Host) -> Vec<Finding> {
    let states = host::settings(&host.path("/proc/sys"));
    let count = states.len();
    let weak: Vec<Finding> = states
        .into_iter()
        .filter_map(|state| {
            let weak = state.weak?;
            let found = format!("{} is {}", state.name, state.value);
            Some(Finding::new(Severity::Warning, "sysctl", found, weak.about, weak.mend))
        })
        .collect();
    match weak.is_empty() {
        true => vec![Finding::ok("sysctl", format!("all {count} are as strict as can be"))],
        false => weak,
    }
}

fn configuration(serve: &Command, files: &[PathBuf], default: Option<PathBuf>) -> Vec<Finding> {
    let named = files.iter().map(|path| (path.as_path(), true));
    let unasked = default.iter().map(|path| (path.as_path(), false));
    unasked.chain(named).map(|(path, asked)| one_file(serve, path, asked)).collect()
}

fn one_file(serve: &Command, path: &Path, asked: bool) -> Finding {
    let id = "configuration";
    match config::check(serve, path, asked) {
        Ok(Checked::Absent) => Finding::ok(id, format!("no {}: defaults are used", path.display())),
        Ok(Checked::Closed(text)) => {
            let why = "defaults are used; under sudo -u the home may be somebody else's";
            let mend = "sudo -H -u USER vitrine serve";
            Finding::new(Severity::Warning, id, text, why, mend)
        }
        Ok(Checked::Keys(count)) => {
            Finding::ok(id, format!("{}: {count} keys, all known", path.display()))
        }
        Err(text) => {
            let why = "`vitrine serve` does not start with it";
            Finding::new(Severity::Error, id, text, why, "")
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::doctor::fixture;
    use clap::Arg;

    #[test]
    fn weak_settings_are_told_one_by_one() {
        let (_dir, host) = fixture(&[
            ("/proc/sys/kernel/kptr_restrict", "0"),
            ("/proc/sys/kernel/dmesg_restrict", "1"),
            ("/proc/sys/kernel/core_pattern", "|/bin/handler"),
        ]);
        let found = sysctls(&host);
        assert_eq!(found.len(), 2, "{found:?}");
        assert_eq!(found[0].mend, "sysctl kernel.kptr_restrict=1");
        assert!(found[1].found.contains("core_pattern"));
        let (_dir, strict) = fixture(&[("/proc/sys/kernel/dmesg_restrict", "1")]);
        assert_eq!(sysctls(&strict)[0].severity, Severity::Ok);
    }

    #[test]
    fn files_of_settings_are_checked_as_serve_would() {
        let serve = Command::new("serve").arg(Arg::new("listen").long("listen"));
        let (dir, _host) = fixture(&[("good.toml", "listen = 'x'"), ("bad.toml", "lisen = 'x'")]);
        let at = |name: &str| dir.path().join(name);
        let found = configuration(
            &serve,
            &[at("good.toml"), at("bad.toml"), at("no.toml")],
            Some(at("none")),
        );
        let severities: Vec<_> = found.iter().map(|finding| finding.severity).collect();
        let (ok, error) = (Severity::Ok, Severity::Error);
        assert_eq!(severities, [ok, ok, error, error]);
        assert!(found[2].found.contains("did you mean `listen`?"));
    }
}
