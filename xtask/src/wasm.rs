//! A compiler for wasm32: the active toolchain, else rustup's target, else Debian's own compiler.

use std::env;
use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::time::Duration;

use anyhow::{Context as _, Result, bail};

use crate::project::Project;
use crate::{say, setup, tool};

/// The target of the page.
pub(crate) const TARGET: &str = "wasm32-unknown-unknown";
/// Where the page's crates are built, apart from the server's so that neither waits for the other.
const TARGET_DIR: &str = "target/web";
/// Overrides the search, to try the other route: `active` or `debian`.
const OVERRIDE: &str = "VITRINE_WASM_COMPILER";

const DEBIAN_CARGO: &str = "/usr/bin/cargo";
const DEBIAN_CLIPPY: &str = "/usr/bin/cargo-clippy";
const DEBIAN_RUSTC: &str = "/usr/bin/rustc";
const DEBIAN_LIBRARY: &str = "/usr/lib/rustlib/src/rust/library";

/// Who compiles for wasm32.
pub(crate) enum Compiler {
    /// The toolchain that runs `xtask`: it has the target.
    Active,
    /// Debian's compiler, which builds the standard library from Debian's source.
    /// (rustup's compiler with Debian's source does not build: intrinsics differ.)
    Debian {
        /// Its linker; the one that Debian's own link names may not be there.
        linker: PathBuf,
    },
}

impl Compiler {
    /// A compiler, installed if need be.
    pub(crate) fn find_or_install(project: &Project) -> Result<Self> {
        let choice = env::var(OVERRIDE).unwrap_or_default();
        match choice.as_str() {
            "" => {
                let refused = match Self::active(project) {
                    Ok(active) => return Ok(active),
                    Err(error) => error,
                };
                Self::debian(project).with_context(|| no_compiler(&refused))
            }
            "active" => Self::active(project),
            "debian" => Self::debian(project),
            other => bail!("{OVERRIDE} is `{other}`; it can be `active` or `debian`"),
        }
    }

    fn active(project: &Project) -> Result<Self> {
        let sysroot = sysroot(project)?;
        if !has_target(&sysroot) {
            add_target(project)?;
        }
        Ok(Self::Active)
    }

    fn debian(project: &Project) -> Result<Self> {
        let parts = [DEBIAN_CARGO, DEBIAN_RUSTC, DEBIAN_LIBRARY];
        let missing = || parts.into_iter().find(|part| !Path::new(part).exists());
        if missing().is_some() {
            setup::install(project, &["rustc-web", "cargo-web", "rust-web-llvm", "rust-web-src"])?;
        }
        if let Some(missing) = missing() {
            bail!("Debian's compiler is installed, but it brought no {missing}");
        }
        if let Some(linker) = linker(project) {
            return Ok(Self::Debian { linker });
        }
        setup::install(project, &[&newest_lld(project)?])?;
        let linker = linker(project).context("no wasm-ld after installing lld")?;
        Ok(Self::Debian { linker })
    }

    /// `cargo build …` for the page.
    pub(crate) fn build(&self, project: &Project, profile: &str) -> Command {
        let mut command = match self {
            Self::Active => project.cargo(),
            Self::Debian { .. } => project.command(DEBIAN_CARGO),
        };
        command.args(["build", "--profile", profile]);
        self.finish(project, &mut command, &["--package", "vitrine-page"]);
        // Paths of this machine have no place in panic messages, and two machines build the same.
        command.env("CARGO_ENCODED_RUSTFLAGS", Self::remapped(project));
        command
    }

    /// `cargo clippy …` for the page, with the clippy that belongs to the compiler.
    pub(crate) fn clippy(&self, project: &Project) -> Result<Command> {
        let mut command = match self {
            Self::Active => project.cargo(),
            Self::Debian { .. } => {
                if !Path::new(DEBIAN_CLIPPY).exists() {
                    setup::install(project, &["rust-web-clippy"])?;
                }
                project.command(DEBIAN_CLIPPY)
            }
        };
        // The profile of the page itself: macros and build scripts are then compiled already.
        command.args(["clippy", "--profile", "web"]);
        self.finish(project, &mut command, &["--package", "vitrine-page"]);
        Ok(command)
    }

    /// Builds the simulator for the test that compares it with the native one; tells where it is.
    pub(crate) fn simulator(&self, project: &Project) -> Result<PathBuf> {
        let mut command = match self {
            Self::Active => project.cargo(),
            Self::Debian { .. } => project.command(DEBIAN_CARGO),
        };
        command.args(["build", "--release"]);
        let what = ["--package", "vitrine-shared", "--example", "sim_trace"];
        self.finish(project, &mut command, &what);
        tool::run(&mut command)?;
        let built = Path::new(TARGET_DIR).join(TARGET).join("release/examples/sim_trace.wasm");
        Ok(project.path(&built.to_string_lossy()))
    }

    fn finish(&self, project: &Project, command: &mut Command, what: &[&str]) {
        command.args(what).args(["--target", TARGET, "--target-dir"]);
        command.arg(project.path(TARGET_DIR));
        if let Self::Debian { linker } = self {
            command.arg("-Zbuild-std=std,panic_abort");
            command.env("CARGO", DEBIAN_CARGO).env("RUSTC", DEBIAN_RUSTC);
            command.env("RUSTC_BOOTSTRAP", "1").env_remove("RUSTUP_TOOLCHAIN");
            command.env("CARGO_TARGET_WASM32_UNKNOWN_UNKNOWN_LINKER", linker);
        }
    }

    /// Flags that shorten paths; where two match, rustc takes the later.
    fn remapped(project: &Project) -> String {
        let home = PathBuf::from(env::var_os("HOME").unwrap_or_default());
        let cargo_home =
            env::var_os("CARGO_HOME").map_or_else(|| home.join(".cargo"), PathBuf::from);
        let registries =
            fs::read_dir(cargo_home.join("registry/src")).into_iter().flatten().flatten();
        let root = project.root.clone();
        let library = PathBuf::from(DEBIAN_LIBRARY);
        let mut pairs = vec![(home, "~"), (cargo_home, "cargo"), (root, "."), (library, "std")];
        pairs.extend(registries.map(|registry| (registry.path(), "crates")));
        pairs.retain(|(long, _)| long.is_absolute());
        pairs.sort();
        let shorter = |(long, short): &(PathBuf, &str)| {
            format!("--remap-path-prefix={}={short}", long.display())
        };
        // Where each function and each string is used: `split.rs` cuts the wasm by it, and it goes no further.
        let relocations = "-Clink-arg=--emit-relocs".to_owned();
        pairs.iter().map(shorter).chain([relocations]).collect::<Vec<_>>().join("\x1f")
    }
}

fn sysroot(project: &Project) -> Result<PathBuf> {
    let printed = tool::output(project.command("rustc").args(["--print", "sysroot"]))?;
    Ok(PathBuf::from(printed.trim()))
}

fn has_target(sysroot: &Path) -> bool {
    sysroot.join("lib/rustlib").join(TARGET).join("lib").is_dir()
}

/// `rustup target add`, once for each toolchain: a machine that could not fetch it is not asked again
/// before `target/` is removed.
fn add_target(project: &Project) -> Result<()> {
    if tool::which("rustup").is_none() {
        bail!("the active toolchain has no {TARGET}, and there is no rustup to add it");
    }
    let toolchain = env::var("RUSTUP_TOOLCHAIN").unwrap_or_default();
    let refused = project.path(TARGET_DIR).join("rustup-target-refused");
    if fs::read_to_string(&refused).is_ok_and(|before| before == toolchain) {
        bail!("rustup could not add {TARGET} (remove {} to try again)", refused.display());
    }
    say::step(say::words(format!("Adding {TARGET} to rustup"), format!("用 rustup 添加 {TARGET}")));
    let mut command = project.command("rustup");
    command.args(["target", "add", TARGET]);
    if !toolchain.is_empty() {
        command.args(["--toolchain", &toolchain]);
    }
    let added = tool::run_for_at_most(&mut command, Duration::from_secs(300));
    if let Err(error) = &added {
        say::note(format_args!("{error:#}"));
        fs::create_dir_all(project.path(TARGET_DIR))?;
        fs::write(&refused, toolchain)?;
    }
    added
}

/// `rust-lld` of Debian's compiler, of rustup's, or any `wasm-ld`.
fn linker(project: &Project) -> Option<PathBuf> {
    let debian = PathBuf::from("/usr/bin/rust-lld");
    let rustup = || rustup_linker(&sysroot(project).ok()?.join("lib/rustlib"));
    let plain = || tool::which("wasm-ld");
    let numbered = || (14..40).rev().find_map(|version| tool::which(&format!("wasm-ld-{version}")));
    debian.exists().then_some(debian).or_else(rustup).or_else(plain).or_else(numbered)
}

/// rustup's `rust-lld` is in the directory of the host's target.
fn rustup_linker(targets: &Path) -> Option<PathBuf> {
    let linkers = fs::read_dir(targets).ok()?.flatten().map(|dir| dir.path().join("bin/rust-lld"));
    linkers.into_iter().find(|linker| linker.exists())
}

/// The newest `lld-N` that apt knows.
fn newest_lld(project: &Project) -> Result<String> {
    let mut search = project.command("apt-cache");
    let found = tool::output(search.args(["search", "--names-only", "^lld-[0-9]+$"]))?;
    let version = |line: &str| line.split(' ').next()?.strip_prefix("lld-")?.parse::<u32>().ok();
    let newest = found.lines().filter_map(version).max();
    Ok(newest.map_or_else(|| "lld".to_owned(), |version| format!("lld-{version}")))
}

fn no_compiler(refused: &anyhow::Error) -> String {
    let what = say::words("no compiler for", "没有可用的编译器，目标：");
    let fix = say::words("either", "任选其一");
    format!(
        "{what} {TARGET} ({refused:#}); {fix}: rustup target add {TARGET}, \
         or: apt-get install -y --no-install-recommends rustc-web cargo-web rust-web-llvm rust-web-src lld"
    )
}
