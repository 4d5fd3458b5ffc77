//! The stages of `cargo xtask test`: what each checks, and what it needs first.

use std::path::{Path, PathBuf};

use anyhow::{Context as _, Result, bail};
use clap::ValueEnum;

use crate::dist::still;
use crate::project::{self, Project};
use crate::setup::{self, Need};
use crate::wasm::Compiler;
use crate::{run, say, stamp, tool, vm, web};

/// Node's test runner, with a report for people: it has another one for logs.
const NODE_TEST: [&str; 2] = ["--test", "--test-reporter=spec"];

/// One stage, in the order in which they run: the quickest to fail first.
#[derive(Clone, Copy, PartialEq, Eq, Debug, ValueEnum)]
pub(crate) enum Stage {
    /// Packages from apt and npm that the chosen stages need
    Setup,
    /// rustfmt: formatting
    Fmt,
    /// clippy, for this host, warnings denied
    Clippy,
    /// rustdoc, warnings denied
    Doc,
    /// Unit tests of all crates
    Unit,
    /// Unit tests of the page's JavaScript
    Js,
    /// The page, optimised and held to its size
    Web,
    /// clippy, for wasm, warnings denied
    ClippyWasm,
    /// The server, optimised, with the page inside
    Server,
    /// Against the real kernel and the real protocol (root)
    Kernel,
    /// In real Chromium (root)
    Browser,
    /// The kernel tests again, in a small VM whose kernel has cgroup v2 only
    Vm,
}

impl Stage {
    /// All of them.
    pub(crate) fn all() -> &'static [Stage] {
        Self::value_variants()
    }

    /// The stage's name on the command line, and what it is for.
    pub(crate) fn described(self) -> (String, String) {
        let value = self.to_possible_value();
        let help = |value: &clap::builder::PossibleValue| value.get_help().map(ToString::to_string);
        let name = value.as_ref().map(|value| value.get_name().to_owned()).unwrap_or_default();
        (name, value.as_ref().and_then(help).unwrap_or_default())
    }

    /// Stages that must have passed before this one means anything.
    pub(crate) fn after(self) -> &'static [Stage] {
        match self {
            Stage::Js | Stage::Web => &[Stage::Setup],
            Stage::Server => &[Stage::Web],
            Stage::Kernel | Stage::Browser | Stage::Vm => &[Stage::Setup, Stage::Server],
            _ => &[],
        }
    }

    /// What it needs on the machine.
    pub(crate) fn needs(self) -> &'static [Need] {
        match self {
            Stage::Js | Stage::Web => &[Need::Npm],
            Stage::Vm => &[
                Need::Busybox,
                Need::LabTools,
                Need::Systemd,
                Need::Qemu,
                Need::Cpio,
                Need::E2fsprogs,
                Need::Python,
                Need::Lxcfs,
                Need::UidMap,
            ],
            Stage::Kernel => &[
                Need::Busybox,
                Need::Bubblewrap,
                Need::Crun,
                Need::Python,
                Need::Lxcfs,
                Need::Umoci,
                Need::LabTools,
                Need::UidMap,
            ],
            Stage::Browser => &[Need::Npm, Need::Busybox, Need::Chromium, Need::ChineseFont],
            _ => &[],
        }
    }

    /// Runs it. `chosen` are all the stages of this run.
    pub(crate) fn run(self, project: &Project, chosen: &[Stage]) -> Result<()> {
        match self {
            Stage::Setup => set_up(project, chosen),
            Stage::Fmt => tool::run(project.cargo().args(["fmt", "--all", "--check"])),
            Stage::Clippy => tool::run(project.cargo().args([
                "clippy",
                "--workspace",
                "--all-targets",
                "--",
                "--deny",
                "warnings",
            ])),
            Stage::Doc => {
                let mut doc = project.cargo();
                doc.args(["doc", "--workspace", "--no-deps", "--document-private-items"]);
                tool::run(doc.env("RUSTDOCFLAGS", "--deny warnings"))
            }
            Stage::Unit => unit(project),
            Stage::Js => js(project),
            Stage::Web => web::print(project),
            Stage::ClippyWasm => {
                let mut clippy = Compiler::find_or_install(project)?.clippy(project)?;
                tool::run(clippy.args(["--", "--deny", "warnings"]))
            }
            Stage::Server => run::build_server(project, "release"),
            Stage::Kernel => kernel(project),
            Stage::Browser => browser(project),
            Stage::Vm => vm::test(project, &built(project)?, &vm::Wish::Ci),
        }
    }
}

/// One call of apt for everything, before anything takes long.
fn set_up(project: &Project, chosen: &[Stage]) -> Result<()> {
    let mut needs: Vec<Need> = Vec::new();
    for need in chosen.iter().flat_map(|stage| stage.needs()) {
        if !needs.contains(need) {
            needs.push(*need);
        }
    }
    setup::ensure(project, &needs)?;
    if needs.contains(&Need::Npm) {
        setup::npm_packages(project)?;
    }
    let kinds = say::words(
        format!("{} kinds of things are there", needs.len()),
        format!("{} 类依赖均已就绪", needs.len()),
    );
    say::note(kinds);
    Ok(())
}

fn unit(project: &Project) -> Result<()> {
    let which = ["--workspace", "--exclude", "vitrine-tests"];
    if tool::which("cargo-nextest").is_none() {
        return tool::run(project.cargo().arg("test").args(which));
    }
    tool::run(project.cargo().args(["nextest", "run", "--no-tests=pass"]).args(which))?;
    // nextest leaves the examples in doc comments out.
    tool::run(project.cargo().args(["test", "--doc"]).args(which))
}

fn js(project: &Project) -> Result<()> {
    let files = test_files(&project.path("static"))?;
    if files.is_empty() {
        say::note(say::words("static/ has no *.test.mjs", "static/ 中没有 *.test.mjs"));
        return Ok(());
    }
    tool::run(project.command("node").args(NODE_TEST).args(files))
}

fn kernel(project: &Project) -> Result<()> {
    needs_root("kernel")?;
    let test = || {
        let mut test = project.cargo();
        test.args(["test", "--package", "vitrine-tests"]);
        test
    };
    // Nothing failed where nothing ran: that is no pass.
    let listed = tool::output(test().args(["--quiet", "--", "--list"]))?;
    if !listed.lines().any(|line| line.ends_with(": test")) {
        bail!("vitrine-tests has no tests: nothing was tested against the kernel");
    }
    // All of it, for one report: the programs of tests are independent of each other.
    tool::run(test().arg("--no-fail-fast").env("VITRINE_BIN", built(project)?))
}

fn browser(project: &Project) -> Result<()> {
    needs_root("browser")?;
    let files = test_files(&project.path("tests/browser"))?;
    if files.is_empty() {
        bail!("tests/browser has no *.test.mjs: nothing was tested in a browser");
    }
    let chromium = setup::chromium().context("no chromium on PATH")?;
    let still = project.path("target/static");
    still::page(project, &still)?;
    let mut node = project.command("node");
    node.env("VITRINE_BIN", built(project)?).env("VITRINE_CHROMIUM", chromium);
    node.env("VITRINE_STATIC", still);
    let simulator = Compiler::find_or_install(project)?.simulator(project)?;
    node.env("VITRINE_SIM_WASM", simulator);
    // One after another: they measure CPU shares.
    tool::run(node.args(NODE_TEST).arg("--test-concurrency=1").args(files))
}

fn needs_root(stage: &str) -> Result<()> {
    if !project::is_root() {
        bail!(
            "making machines takes root. Type: sudo -E env PATH=\"$PATH\" cargo xtask test --only {stage}"
        );
    }
    Ok(())
}

/// The server that the tests start.
fn built(project: &Project) -> Result<PathBuf> {
    let server = project.server();
    if !server.is_file() {
        bail!("{} is missing: the stage `server` makes it", server.display());
    }
    Ok(server)
}

fn test_files(dir: &Path) -> Result<Vec<PathBuf>> {
    let mut files = stamp::files(dir)?;
    files.retain(|file| file.to_string_lossy().ends_with(".test.mjs"));
    Ok(files)
}
