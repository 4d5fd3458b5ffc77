//! `cargo xtask bench`: the figures, measured in one go, as tables on the terminal and in `docs/measured/`.
//!
//! Each bench is a program that prints tables as JSON, a line each, with every single figure in
//! them; what a median is and whether a goal is met is decided here, once for all.

mod measured;
mod table;

use std::path::PathBuf;
use std::process::Command;

use anyhow::{Context as _, Result, bail};

use crate::project::{self, Project};
use crate::setup::{self, Need};
use crate::web::{self, Kind};
use crate::{dist, run, say, tool};

pub(crate) use measured::keep;
pub(crate) use table::Table;

/// What is measured together.
#[derive(Clone, Copy, Debug, PartialEq, Eq, clap::ValueEnum)]
pub(crate) enum Bench {
    /// `vitrine run` beside bwrap, crun, runc and unshare
    Run,
    /// From a click to a prompt
    Click,
    /// The end of a throttled container
    Kill,
    /// Terminal throughput, and Ctrl-C in a flood
    Terminal,
    /// The CPU that the page shows beside the kernel's counter, under 30 settings
    Cpu,
    /// The simulator's CPU beside the kernel's, under 60 settings
    Model,
    /// CPU of the observer's tick beside top
    Observer,
    /// Navigation to interactive in Chromium, plain and slowed down
    Page,
    /// A page with 1,000 processes and 200 groups: sample to screen, script, long tasks, input
    Live,
    /// Lighthouse on the start page and the lab; it is fetched into target/lighthouse
    Lighthouse,
    /// What a page grows by in so many minutes (--minutes), and what it complains of
    Heap,
}

/// How much is measured.
#[derive(Clone, Copy)]
pub(crate) struct Effort {
    /// How often each takes its turn.
    pub(crate) rounds: usize,
    /// How long a page is watched growing.
    pub(crate) minutes: u16,
}

/// Rounds of what takes minutes each.
const FEW: usize = 3;
const LIGHTHOUSE: &str = "lighthouse@12.8.2";

impl Bench {
    fn name(self) -> String {
        self.value().get_name().to_owned()
    }

    fn value(self) -> clap::builder::PossibleValue {
        clap::ValueEnum::to_possible_value(&self).expect("no bench is hidden")
    }

    fn needs(self) -> &'static [Need] {
        match self {
            Bench::Run => &[Need::Busybox, Need::Bubblewrap, Need::Crun, Need::Runc],
            Bench::Click | Bench::Kill | Bench::Terminal | Bench::Cpu => &[Need::Busybox],
            Bench::Model => &[],
            Bench::Observer => &[Need::Procps],
            Bench::Page | Bench::Live | Bench::Lighthouse | Bench::Heap => {
                &[Need::Npm, Need::Busybox, Need::Chromium, Need::ChineseFont]
            }
        }
    }

    /// The program that measures it.
    fn command(self, project: &Project, effort: Effort) -> Result<Command> {
        let rounds = effort.rounds;
        let few = rounds.min(FEW).to_string();
        let node = |name: &str, words: &[&str]| {
            let mut command = project.command("node");
            command.arg(format!("tests/browser/bench/{name}.mjs")).args(words);
            let chromium = setup::chromium().context("no chromium on PATH")?;
            command.env("VITRINE_CHROMIUM", chromium);
            Ok(command)
        };
        match self {
            Bench::Page => node("page", &[&rounds.div_ceil(3).to_string()]),
            Bench::Live => node("live", &[&few]),
            Bench::Heap => node("heap", &[&effort.minutes.to_string()]),
            Bench::Lighthouse => {
                let tools = lighthouse(project)?;
                node("lighthouse", &[&few, &tools.to_string_lossy()])
            }
            Bench::Observer => {
                let mut command = project.command("target/release/examples/observer_bench");
                command.arg(rounds.to_string());
                Ok(command)
            }
            _ => {
                let mut command = project.cargo();
                command.args(["bench", "--quiet", "--package", "vitrine-tests"]);
                command.args(["--bench", "figures", "--", &rounds.to_string(), &self.name()]);
                Ok(command)
            }
        }
    }
}

/// Lighthouse in a directory of its own: with all that it brings it is larger than everything
/// else from npm together, and only figures need it. 13 wants a newer Node.
fn lighthouse(project: &Project) -> Result<PathBuf> {
    let dir = project.path("target/lighthouse");
    if !dir.join("node_modules/lighthouse").is_dir() {
        std::fs::create_dir_all(&dir).with_context(|| format!("make {}", dir.display()))?;
        let mut npm = project.command("npm");
        npm.args(["install", "--no-audit", "--no-fund", "--prefix"]).arg(&dir).arg(LIGHTHOUSE);
        tool::run(&mut npm)?;
    }
    Ok(dir)
}

/// Prints the benches.
pub(crate) fn list() {
    for bench in <Bench as clap::ValueEnum>::value_variants() {
        let value = bench.value();
        let what = value.get_help().map(ToString::to_string).unwrap_or_default();
        say::table(format_args!("{:12} {what}", value.get_name()));
    }
}

/// Measures all, or `only` some, and keeps the tables.
pub(crate) fn bench(project: &Project, only: &[Bench], effort: Effort) -> Result<()> {
    let all = <Bench as clap::ValueEnum>::value_variants();
    let chosen: Vec<Bench> =
        all.iter().filter(|bench| only.is_empty() || only.contains(bench)).copied().collect();
    needs_root("bench")?;
    let measured = prepare(project, &chosen)?;
    let mut tables = Vec::new();
    for bench in &chosen {
        say::step(format_args!("[{}]", bench.name()));
        let mut command = bench.command(project, effort)?;
        // What is measured is what is handed on; how it would be with a loader is a row beside it.
        command.env("VITRINE_BIN", &measured).env("VITRINE_DYNAMIC", project.server());
        for table in Table::read_all(&tool::output(&mut command)?)? {
            say::table(table.text());
            tables.push(table);
        }
    }
    let what = match only {
        [] => "bench".to_owned(),
        some => some.iter().map(|bench| bench.name()).collect::<Vec<_>>().join("-"),
    };
    let command = match only {
        [] => "cargo xtask bench".to_owned(),
        some => some
            .iter()
            .fold("cargo xtask bench".to_owned(), |line, bench| line + " --only " + &bench.name()),
    };
    keep(project, &what, &command, &tables)
}

/// Everything that takes long comes before the first figure.
fn prepare(project: &Project, chosen: &[Bench]) -> Result<PathBuf> {
    let mut needs: Vec<Need> = Vec::new();
    for need in chosen.iter().flat_map(|bench| bench.needs()) {
        if !needs.contains(need) {
            needs.push(*need);
        }
    }
    setup::ensure(project, &needs)?;
    if needs.contains(&Need::Npm) {
        setup::npm_packages(project)?;
        web::build(project, Kind::Small)?;
    }
    // The model has nothing to do with the server.
    if chosen == [Bench::Model] {
        build(project, &["bench", "--quiet", "--package", "vitrine-tests", "--no-run"])?;
        return Ok(project.server());
    }
    let measured = dist::binary(project, &project.path("target/dist-out"))?;
    run::build_server(project, "release")?;
    build(project, &["build", "--release", "--package", "vitrine", "--example", "observer_bench"])?;
    build(project, &["bench", "--quiet", "--package", "vitrine-tests", "--no-run"])?;
    Ok(measured)
}

fn build(project: &Project, words: &[&str]) -> Result<()> {
    tool::run(project.cargo().args(words))
}

/// Fails with the line to type when we are not root.
pub(crate) fn needs_root(command: &str) -> Result<()> {
    if !project::is_root() {
        bail!("making machines takes root. Type: sudo -E env PATH=\"$PATH\" cargo xtask {command}");
    }
    Ok(())
}
