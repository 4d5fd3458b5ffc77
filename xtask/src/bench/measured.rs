//! `docs/measured/<date>-<what>.md`: tables with what they were measured on.

use std::fs;

use anyhow::{Context as _, Result};

use super::Table;
use crate::project::Project;
use crate::{say, tool};

/// Writes the tables down.
pub(crate) fn keep(project: &Project, what: &str, command: &str, tables: &[Table]) -> Result<()> {
    let said = |program: &str, words: &[&str]| {
        tool::output(project.command(program).args(words)).map(|text| text.trim().to_owned())
    };
    let date = said("date", &["-u", "+%F"])?;
    let mut commit = said("git", &["rev-parse", "--short=12", "HEAD"])?;
    if !said("git", &["status", "--porcelain", "--untracked-files=no"])?.is_empty() {
        commit += " and changes that are not committed";
    }
    let mut text =
        format!("# Measured on {date}: {what}\n\n`{command}`, as root, commit {commit}.\n");
    text += &machine()?;
    for table in tables {
        text.push('\n');
        text += &table.markdown();
    }
    let dir = project.path("docs/measured");
    let path = dir.join(format!("{date}-{what}.md"));
    fs::create_dir_all(&dir)
        .and_then(|()| fs::write(&path, text))
        .with_context(|| format!("write {}", path.display()))?;
    say::note(say::words(
        format!("kept in {}", path.display()),
        format!("已保存到 {}", path.display()),
    ));
    Ok(())
}

/// What it was measured on, from the kernel's own files.
fn machine() -> Result<String> {
    let read = |path: &str| fs::read_to_string(path).with_context(|| format!("read {path}"));
    let cpuinfo = read("/proc/cpuinfo")?;
    let model = value(&cpuinfo, "model name").unwrap_or("a CPU without a name").to_owned();
    let cpus = cpuinfo.lines().filter(|line| line.starts_with("processor")).count();
    let kib: u64 = value(&read("/proc/meminfo")?, "MemTotal")
        .and_then(|text| text.trim_end_matches(" kB").parse().ok())
        .unwrap_or(0);
    let kernel = read("/proc/sys/kernel/osrelease")?.trim().to_owned();
    let release = read("/etc/os-release").unwrap_or_default();
    let system = release
        .lines()
        .find_map(|line| line.strip_prefix("PRETTY_NAME="))
        .map_or_else(|| "an unnamed system".to_owned(), |name| name.trim_matches('"').to_owned());
    let load = read("/proc/loadavg")?;
    let load = load.split(' ').take(3).collect::<Vec<_>>().join(" ");
    let mounts = read("/proc/mounts")?;
    Ok(format!(
        "{system}, Linux {kernel}, {cpus} × {model}, {} GiB, {}; release build; load averages at the end {load}.\n",
        kib.div_ceil(1 << 20),
        cgroups(&mounts),
    ))
}

fn cgroups(mounts: &str) -> &'static str {
    let kind = |kind: &str| mounts.lines().any(|line| line.split(' ').nth(2) == Some(kind));
    match (kind("cgroup"), kind("cgroup2")) {
        (true, true) => "cgroup v1 and v2 (hybrid)",
        (true, false) => "cgroup v1",
        (false, true) => "cgroup v2",
        (false, false) => "no cgroups",
    }
}

/// The value of the first line `key : value`.
fn value<'a>(text: &'a str, key: &str) -> Option<&'a str> {
    let line = text.lines().find(|line| line.starts_with(key))?;
    line.split_once(':').map(|(_, value)| value.trim())
}

#[cfg(test)]
mod tests {
    #[test]
    fn this_machine_has_a_name() {
        let text = super::machine().unwrap();
        assert!(text.contains("Linux") && text.contains("GiB") && text.contains('×'), "{text}");
        assert!(!text.contains("0 ×"), "{text}");
    }

    #[test]
    fn kinds_of_cgroups() {
        let v1 = "cgroup /sys/fs/cgroup/cpu cgroup rw,cpu 0 0\n";
        let v2 = "cgroup2 /sys/fs/cgroup/unified cgroup2 rw 0 0\n";
        assert_eq!(super::cgroups(v1), "cgroup v1");
        assert_eq!(super::cgroups(&[v1, v2].concat()), "cgroup v1 and v2 (hybrid)");
    }
}
