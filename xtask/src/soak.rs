//! `cargo xtask soak`: births and deaths by the thousand, and a table of what is left of them.

use std::path::Path;

use anyhow::{Result, bail};

use crate::bench::{Table, keep, needs_root};
use crate::project::Project;
use crate::setup::{self, Need};
use crate::{dist, say, tool};

/// Runs the soak, keeps its tables, and fails when something leaked or grew.
pub(crate) fn soak(project: &Project, cycles: u32, minutes: u32) -> Result<()> {
    needs_root("soak")?;
    setup::ensure(project, &[Need::Busybox])?;
    let measured = dist::binary(project, &project.path("target/dist-out"))?;
    simulator(project, &measured)?;
    say::step(say::words(
        format!("{cycles} cycles, {minutes} minutes at most"),
        format!("{cycles} 个周期，最多 {minutes} 分钟"),
    ));
    let mut bench = project.cargo();
    bench.args(["bench", "--quiet", "--package", "vitrine-tests", "--bench", "soak", "--"]);
    bench.args([cycles.to_string(), minutes.to_string()]);
    let output = tool::output(bench.env("VITRINE_BIN", measured))?;
    let tables = Table::read_all(&output)?;
    for table in &tables {
        say::table(table.text());
    }
    let command = format!("cargo xtask soak --cycles {cycles} --minutes {minutes}");
    keep(project, "soak", &command, &tables)?;
    let missed: Vec<String> = tables.iter().flat_map(Table::missed).collect();
    if !missed.is_empty() {
        bail!("not as it should be: {}", missed.join("; "));
    }
    Ok(())
}

/// All transcripts, in a machine and in the simulator, and many scripts that nobody would write.
fn simulator(project: &Project, measured: &Path) -> Result<()> {
    say::step(say::words(
        "the simulator beside machines: every transcript".to_owned(),
        "模拟器与真实机器对照：全部脚本".to_owned(),
    ));
    let mut test = project.cargo();
    test.args(["test", "--package", "vitrine-tests", "--test", "it", "transcripts::"]);
    tool::run(test.env("VITRINE_TRANSCRIPTS", "all").env("VITRINE_BIN", measured))?;
    let mut any = project.cargo();
    any.args(["test", "--package", "vitrine-shared", "--lib", "shell::tests::any"]);
    tool::run(any.env("VITRINE_SCRIPTS", "5000"))
}
