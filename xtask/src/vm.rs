//! `cargo xtask test --only vm`: the same kernel tests on another kernel, with cgroup v2 only.
//!
//! ```text
//! Debian's cloud kernel (apt-get download) ─┐
//! busybox, init, modules ──► initramfs ─────┼─► QEMU ─► serial console ─► read here
//! vitrine, it, leaks, their libraries ─► ext4 disk ─┘
//! ```
//!
//! The disk is ext4 because id-mapped mounts want it: the tmpfs of that kernel has none.

mod along;
mod chosen;
mod disk;
mod kernel;
mod qemu;
pub(crate) mod systemd;

use std::path::{Path, PathBuf};

use anyhow::{Context as _, Result, bail};

use crate::project::Project;
use crate::stage::Stage;
use crate::{say, setup, tool};
use chosen::Chosen;
pub(crate) use chosen::Wish;
use disk::Disk;
use kernel::Kernel;
use qemu::{Boot, Bounds, Ended};

/// `cargo xtask vm`: without the stages before it. The server is the one that there is:
/// `VITRINE_BIN`, or what `cargo xtask run` and the stage `server` make.
pub(crate) fn alone(project: &Project, wish: &Wish) -> Result<()> {
    setup::ensure(project, Stage::Vm.needs())?;
    let named = std::env::var_os("VITRINE_BIN").map(PathBuf::from);
    let server = named.unwrap_or_else(|| project.server());
    if !server.is_file() {
        bail!("{} is missing: cargo xtask test --only server makes it", server.display());
    }
    test(project, &server, wish)
}

/// Boots the guest, runs the tests in it, and fails as they fail.
pub(crate) fn test(project: &Project, server: &Path, wish: &Wish) -> Result<()> {
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
    along::put(project, &mut disk)?;
    systemd::put(&mut disk)?;
    let accel = qemu::acceleration(&kernel, &work, &busybox)?;
    say::note(format_args!("{accel}"));
    let chosen = wish.chosen();
    disk.text("vm/run", &script(project, &chosen, accel.slowness()))?;
    let image = disk.image()?;
    let systemd = if wish.is_whole() { systemd::WORDS } else { "" };
    let boot = Boot {
        kernel: &kernel.image,
        initrd: &initrd,
        disk: Some(&image),
        memory_mib: 1024,
        cpus: 2,
        // Nothing of the kernel's between the lines of the tests.
        words: &format!("cgroup_no_v1=all loglevel=1 {systemd}"),
        accel: accel.name,
    };
    let bounds = wish.bounds();
    let (log, ended) = boot.run(bounds, |line| say::note(line))?;
    std::fs::write(work.join("console.log"), &log).context("keep the console's log")?;
    // In the end init becomes systemd: what that leaves to others, and what it does not.
    let then = wish.is_whole().then_some("systemd");
    let programs: Vec<&str> = chosen.iter().map(|chosen| chosen.program).chain(then).collect();
    judge(&log, ended, bounds, &programs)
}

/// The guest's errand, in busybox's shell.
fn script(project: &Project, chosen: &[Chosen], slowness: u32) -> String {
    // The tests know this place by its name here, and put their images there.
    let tmp = project.path("target/tmp");
    let mut text = format!(
        "mkdir -p {}\nexport VITRINE_BIN=/vm/vitrine TEST_PROBE=/vm/probe TEST_SLOWNESS={slowness}\n{}",
        tmp.display(),
        along::SETUID
    );
    for chosen in chosen {
        let Chosen { program, threads, words, not } = chosen;
        let not: Vec<String> = not.iter().map(|word| format!("--skip {word}")).collect();
        let words = format!("{} {}", words.join(" "), not.join(" "));
        text += &format!("echo @@ begin {program}\n");
        text += &format!("/vm/{program} --test-threads={threads} --color=never {words} 2>&1\n");
        text += &format!("echo @@ end {program} $?\n");
    }
    text
}

/// What the console told: every program began, ran at least one test and ended well.
fn judge(log: &str, ended: Ended, bounds: Bounds, programs: &[&str]) -> Result<()> {
    if ended != Ended::ByItself {
        // What came before the stacks that the kernel was asked for.
        let line = |line: &&str| line.starts_with("@@") || line.starts_with("test ");
        let last = log.lines().rfind(line).unwrap_or_default();
        let (what, time) = match ended {
            Ended::Silent => ("said nothing for", bounds.silence),
            _ => ("did not end within", bounds.patience),
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
    for program in chosen::PROGRAMS {
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
    chosen::PROGRAMS.contains(&name).then(|| (name.into(), path.into()))
}

#[cfg(test)]
mod tests {
    use super::chosen::{BOUNDS, PROGRAMS};
    use super::{Ended, judge};

    fn log(status: &str, result: &str) -> String {
        let one = |program| {
            format!("@@ begin {program}\ntest a ... ok\n{result}\n@@ end {program} {status}\n")
        };
        PROGRAMS.into_iter().map(one).collect()
    }

    #[test]
    fn only_tests_that_ran_and_passed_are_a_pass() {
        let good = "test result: ok. 3 passed; 0 failed;";
        judge(&log("0", good), Ended::ByItself, BOUNDS, &PROGRAMS).unwrap();
        for (log, ended) in [
            (log("0", good), Ended::Killed),
            (log("0", good), Ended::Silent),
            (log("101", "test result: FAILED. 2 passed; 1 failed;"), Ended::ByItself),
            (log("0", "test result: ok. 0 passed; 0 failed;"), Ended::ByItself),
            (log("0", ""), Ended::ByItself),
            (String::new(), Ended::ByItself),
            ("@@ begin it\n".into(), Ended::ByItself),
        ] {
            judge(&log, ended, BOUNDS, &PROGRAMS).unwrap_err();
        }
    }
}
