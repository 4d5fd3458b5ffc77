//! `cargo xtask test --only vm`: the same kernel tests on another kernel, with cgroup v2 only.
//!
//! ```text
//! Debian's cloud kernel (apt-get download) ─┐
//! busybox, init, modules ──► initramfs ─────┼─► QEMU ─► serial console ─► read here
//! vitrine, it, leaks, their libraries ─► ext4 disk ─┘
//! ```
//!
//! The disk is ext4 because id-mapped mounts want it: the tmpfs of that kernel has none.

mod disk;
mod kernel;
mod qemu;
pub(crate) mod systemd;

use std::path::{Path, PathBuf};
use std::time::Duration;

use anyhow::{Context as _, Result, bail};

use crate::project::Project;
use crate::{say, setup, tool};
use disk::Disk;
use kernel::Kernel;
use qemu::{Boot, Bounds, Ended};

/// From power-on to power-off. Emulated on a busy host, the tests take two to five minutes; the
/// slowest test is a minute of that, and a line comes when it ends (or from libtest, when it has
/// taken 60 s).
const BOUNDS: Bounds =
    Bounds { patience: Duration::from_secs(600), silence: Duration::from_secs(150) };

/// What runs there: a test program, how many tests at a time, and which.
///
/// Not those that compile a probe (there is no compiler in the guest), nor those that measure
/// what 40 clients at once do to two emulated cores. Of `lab`, those whose paths are not v1's and
/// whose image needs no more than [`TOOLS`]; `lab_docker` wants the whole of the host's tools.
const CHOSEN: &[Chosen] = &[
    Chosen {
        program: "it",
        threads: 2,
        words: &[
            "cgroups::",
            "delegated::",
            "groups::",
            "lab_groups::a_group_that_was",
            // Not `an_ordinary_users…`: it wants newuidmap, which the guest has not.
            "spaces::each_is_what_lsns_says",
            "spaces::whose_each_is_and_how_its_ids_are_mapped",
            "spaces::nobody_elses_are_told",
            "spaces::held_by_a_descriptor_and_by_a_mount_in_a_lab",
            "limits::",
            "knobs::",
            "flags::all_and_none",
            "killed::t",
        ],
    },
    Chosen {
        program: "leaks",
        threads: 1,
        words: &["sixty_machines", "failed_births", "a_killed_launcher", "come_and_go_together"],
    },
];

/// What the lab image is put together from there, beside busybox, and what tests ask (`lsns`).
const TOOLS: &[&str] = &["bash", "unshare", "lsns", "mount", "umount", "pgrep", "ps"];

struct Chosen {
    program: &'static str,
    threads: u8,
    words: &'static [&'static str],
}

/// Boots the guest, runs the tests in it, and fails as they fail.
pub(crate) fn test(project: &Project, server: &Path) -> Result<()> {
    let work = project.path("target/vm");
    std::fs::create_dir_all(&work).with_context(|| format!("make {}", work.display()))?;
    let kernel = Kernel::get(project, &work)?;
    let programs = test_programs(project)?;
    let busybox = setup::busybox().context("no static busybox")?;
    let initrd = kernel.initrd(&work, &busybox)?;
    let mut disk = Disk::new(&work, &busybox)?;
    disk.program(server, "vm/vitrine")?;
    for (name, path) in &programs {
        disk.program(path, &format!("vm/{name}"))?;
    }
    disk.text("vm/run", &script(project))?;
    for name in TOOLS {
        let tool = tool::which(name).with_context(|| format!("no {name} on PATH"))?;
        disk.program(&tool, &format!("usr/bin/{name}"))?;
    }
    systemd::put(&mut disk)?;
    let image = disk.image()?;
    let accel = qemu::acceleration(&kernel, &work, &busybox)?;
    say::note(format_args!("{accel}"));
    let boot = Boot {
        kernel: &kernel.image,
        initrd: &initrd,
        disk: Some(&image),
        memory_mib: 1024,
        cpus: 2,
        // Nothing of the kernel's between the lines of the tests.
        words: "cgroup_no_v1=all loglevel=1",
        accel: accel.name,
    };
    let first = boot.run(BOUNDS, |line| say::note(line))?;
    // A second, short one: what systemd leaves to others, and what it does not.
    let boot = Boot { words: systemd::WORDS, ..boot };
    let second = boot.run(BOUNDS, |line| say::note(line))?;
    let logs = format!("{}{}", first.0, second.0);
    std::fs::write(work.join("console.log"), logs).context("keep the console's log")?;
    let programs: Vec<&str> = CHOSEN.iter().map(|chosen| chosen.program).collect();
    judge(&first.0, first.1, &programs)?;
    judge(&second.0, second.1, &["systemd"])
}

/// The guest's errand, in busybox's shell.
fn script(project: &Project) -> String {
    // The tests know this place by its name here, and put their images there.
    let tmp = project.path("target/tmp");
    let mut text = format!("mkdir -p {}\nexport VITRINE_BIN=/vm/vitrine\n", tmp.display());
    for chosen in CHOSEN {
        let Chosen { program, threads, words } = chosen;
        let words = words.join(" ");
        text += &format!("echo @@ begin {program}\n");
        text += &format!("/vm/{program} --test-threads={threads} --color=never {words} 2>&1\n");
        text += &format!("echo @@ end {program} $?\n");
    }
    text
}

/// What the console told: every program began, ran at least one test and ended well.
fn judge(log: &str, ended: Ended, programs: &[&str]) -> Result<()> {
    if ended != Ended::ByItself {
        // What came before the stacks that the kernel was asked for.
        let line = |line: &&str| line.starts_with("@@") || line.starts_with("test ");
        let last = log.lines().rfind(line).unwrap_or_default();
        let (what, time) = match ended {
            Ended::Silent => ("said nothing for", BOUNDS.silence),
            _ => ("did not end within", BOUNDS.patience),
        };
        bail!(
            "the guest {what} {} s; its last line: {last}; stacks of its tasks are in target/vm/console.log",
            time.as_secs()
        );
    }
    for program in programs {
        let begin = format!("@@ begin {program}");
        let (_, rest) = log.split_once(&begin).with_context(|| format!("{program} never began"))?;
        let end = format!("@@ end {program} ");
        let (said, status) =
            rest.split_once(&end).with_context(|| format!("{program} did not end"))?;
        let status = status.lines().next().unwrap_or_default().trim();
        if status != "0" {
            let failed: Vec<&str> = said.lines().filter(|line| line.ends_with("FAILED")).collect();
            bail!("{program} failed in the guest (status {status}): {}", failed.join("; "));
        }
        let passed = said.lines().find_map(|line| {
            line.strip_prefix("test result: ok. ")?.split(' ').next()?.parse::<u32>().ok()
        });
        match passed {
            None | Some(0) => bail!("{program} ran no test in the guest: that is no pass"),
            Some(passed) => say::note(format_args!("{program}: {passed} passed in the guest")),
        }
    }
    Ok(())
}

/// The test programs that cargo built for this host: the same that the stage `kernel` runs.
fn test_programs(project: &Project) -> Result<Vec<(String, PathBuf)>> {
    let mut build = project.cargo();
    build.args(["test", "--package", "vitrine-tests", "--no-run", "--message-format=json"]);
    let said = tool::output(&mut build)?;
    let programs: Vec<(String, PathBuf)> = said.lines().filter_map(program).collect();
    for Chosen { program, .. } in CHOSEN {
        if !programs.iter().any(|(name, _)| name == program) {
            bail!("cargo built no test program {program:?}");
        }
    }
    Ok(programs)
}

fn program(line: &str) -> Option<(String, PathBuf)> {
    let message: serde_json::Value = serde_json::from_str(line).ok()?;
    let name = message.get("target")?.get("name")?.as_str()?;
    let path = message.get("executable")?.as_str()?;
    CHOSEN.iter().any(|c| c.program == name).then(|| (name.into(), path.into()))
}

#[cfg(test)]
mod tests {
    use super::{CHOSEN, Ended, judge};

    const ALL: [&str; 2] = ["it", "leaks"];

    fn log(status: &str, result: &str) -> String {
        let one = |program| {
            format!("@@ begin {program}\ntest a ... ok\n{result}\n@@ end {program} {status}\n")
        };
        CHOSEN.iter().map(|chosen| one(chosen.program)).collect()
    }

    #[test]
    fn only_tests_that_ran_and_passed_are_a_pass() {
        let good = "test result: ok. 3 passed; 0 failed;";
        judge(&log("0", good), Ended::ByItself, &ALL).unwrap();
        for (log, ended) in [
            (log("0", good), Ended::Killed),
            (log("0", good), Ended::Silent),
            (log("101", "test result: FAILED. 2 passed; 1 failed;"), Ended::ByItself),
            (log("0", "test result: ok. 0 passed; 0 failed;"), Ended::ByItself),
            (log("0", ""), Ended::ByItself),
            (String::new(), Ended::ByItself),
            ("@@ begin it\n".into(), Ended::ByItself),
        ] {
            judge(&log, ended, &ALL).unwrap_err();
        }
    }
}
