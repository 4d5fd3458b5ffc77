//! `cargo xtask dist`: one stripped binary with everything in it, and what goes with it on its way to others.
//!
//! | file | what |
//! |---|---|
//! | `vitrine` | the program: page, seccomp filters and init inside; static, so it runs on any distribution |
//! | `THIRD-PARTY-NOTICES.txt` | the licences of what it is linked from |
//! | `sbom.cdx.json` | the same for machines, as CycloneDX |
//! | `vitrine.service`, `vitrine.toml` | for systemd, and the sample configuration |
//! | `completions/`, `man/` | for bash, zsh and fish; manual pages |

mod deb;
mod notices;
mod sbom;
mod shipped;
pub(crate) mod still;

use std::fs;
use std::io::{BufRead as _, BufReader, Read as _, Write as _};
use std::net::TcpStream;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::time::Duration;

use anyhow::{Context as _, Result, bail};

use crate::elf;
use crate::project::Project;
use crate::setup::{self, Need};
use crate::web::{self, Kind};
use crate::{project, say, tool};

/// What it is built for; named, so that the flags below are the program's and not those of macros.
const TARGET: &str = "x86_64-unknown-linux-gnu";
/// Static: no loader, no library of the host's. It costs nothing and gives a millisecond in each
/// `vitrine run` (docs/measured/), because there are fewer mappings to copy and to tear down. What
/// glibc loads all the same are name services beyond /etc/passwd, and only `doctor` asks for a name.
///
/// The second flag: without a loader the crate getrandom does not find the call of its name, and
/// would read a file, which web may not. Told so, it calls the kernel.
const STATIC: &str = "-C target-feature=+crt-static --cfg getrandom_backend=\"linux_getrandom\"";
const GLIBC: &str = "\
Linked statically against the GNU C Library (LGPL-2.1-or-later, https://www.gnu.org/software/libc/).
The whole source of this program is public and `cargo xtask dist` links it anew, with whatever
version of that library is installed.";
const SHELLS: [(&str, &str); 3] =
    [("bash", "vitrine.bash"), ("zsh", "_vitrine"), ("fish", "vitrine.fish")];

/// Builds everything into `out`, and a Debian package of it when asked.
pub(crate) fn dist(project: &Project, out: Option<PathBuf>, with_deb: bool) -> Result<()> {
    let out = out.unwrap_or_else(|| project.path("target/dist-out"));
    let out = std::path::absolute(&out).context("the directory of --out")?;
    setup::ensure(project, &[Need::Npm])?;
    setup::npm_packages(project)?;
    web::build(project, Kind::Small)?;
    let binary = binary(project, &out)?;
    paperwork(project, &out)?;
    helpers(project, &binary, &out)?;
    unit(project, &binary, &out)?;
    try_it(project, &binary)?;
    if with_deb {
        deb::deb(project, &out)?;
    }
    sizes(&out)
}

/// The program, stripped and static; fails when it is not.
pub(crate) fn binary(project: &Project, out: &Path) -> Result<PathBuf> {
    say::step(say::words("Building the server to be handed on", "构建用于分发的服务器"));
    let mut build = project.cargo();
    build.args(["build", "--package", "vitrine", "--bin", "vitrine"]);
    tool::run(build.args(["--profile", "dist", "--target", TARGET]).env("RUSTFLAGS", STATIC))?;
    let built = project.path(&format!("target/{TARGET}/dist/vitrine"));
    fs::create_dir_all(out).with_context(|| format!("make {}", out.display()))?;
    let binary = out.join("vitrine");
    // One that runs cannot be written to, but it can make room.
    let _ = fs::remove_file(&binary);
    fs::copy(&built, &binary).with_context(|| format!("copy {}", built.display()))?;
    let bytes = fs::read(&binary)?;
    if let Some(loader) = elf::interpreter(&bytes).context("read the program's ELF header")? {
        bail!("{} is not static: it asks for {loader}", binary.display());
    }
    Ok(binary)
}

fn paperwork(project: &Project, out: &Path) -> Result<()> {
    say::step(say::words("Licences and bill of materials", "许可证与物料清单"));
    let mut packages = shipped::crates(project)?;
    packages.extend(shipped::npm(project)?);
    let version = env!("CARGO_PKG_VERSION");
    let notices = notices::notices(&packages, Some(GLIBC))?;
    fs::write(out.join("THIRD-PARTY-NOTICES.txt"), notices)?;
    let sbom = format!("{:#}\n", sbom::sbom(version, &packages));
    fs::write(out.join("sbom.cdx.json"), sbom)?;
    for name in ["LICENSE-MIT", "LICENSE-APACHE"] {
        fs::copy(project.path(name), out.join(name)).with_context(|| format!("copy {name}"))?;
    }
    Ok(())
}

/// What the program itself prints for shells and for `man`, and the sample configuration.
fn helpers(project: &Project, binary: &Path, out: &Path) -> Result<()> {
    let (completions, man) = (out.join("completions"), out.join("man"));
    fs::create_dir_all(&completions)?;
    for (shell, file) in SHELLS {
        let text = tool::output(Command::new(binary).args(["completions", shell]))?;
        fs::write(completions.join(file), text)?;
    }
    tool::run(Command::new(binary).arg("man").arg(&man))?;
    let sample = project.path("docs/vitrine.toml.example");
    fs::copy(&sample, out.join("vitrine.toml"))
        .with_context(|| format!("copy {}", sample.display()))?;
    // A sample that the program does not take is no sample.
    let mut check = Command::new(binary);
    check.args(["serve", "--print-config", "--config"]).arg(out.join("vitrine.toml"));
    tool::output(&mut check).map(drop)
}

/// The unit, looked at by systemd itself where there is one.
fn unit(project: &Project, binary: &Path, out: &Path) -> Result<()> {
    let text = fs::read_to_string(project.path("packaging/vitrine.service"))?;
    fs::write(out.join("vitrine.service"), &text)?;
    if tool::which("systemd-analyze").is_none() {
        say::warn(say::words(
            "no systemd-analyze here: the unit is not verified",
            "没有 systemd-analyze：未验证 unit",
        ));
        return Ok(());
    }
    // With the program where it is now, and not where it will be.
    let dir = project.path("target/dist-unit");
    fs::create_dir_all(&dir)?;
    let copy = dir.join("vitrine.service");
    fs::write(&copy, text.replace("/usr/bin/vitrine", &binary.display().to_string()))?;
    tool::run(project.command("systemd-analyze").args(["verify", "--man=no"]).arg(copy))
}

/// Starts a container with it, if we may: what is handed on has run once.
fn try_it(project: &Project, binary: &Path) -> Result<()> {
    tool::run(Command::new(binary).arg("--version"))?;
    if !project::is_root() {
        say::warn(say::words(
            "not root: no container was started with it",
            "非 root：未用它启动容器",
        ));
        return Ok(());
    }
    setup::ensure(project, &[Need::Busybox])?;
    let data = project.path("target/dist-data");
    let mut run = Command::new(binary);
    run.arg("run").arg("--data").arg(&data).args(["--all", "--", "sh", "-c", "echo $$"]);
    let said = tool::output(&mut run)?;
    if said.trim() != "1" {
        bail!("a container of the program that was built says {said:?}, not 1");
    }
    let mut serve = Command::new(binary);
    serve.args(["serve", "--listen", "127.0.0.1:0", "--data"]).arg(&data);
    let mut server = serve.stdout(Stdio::piped()).spawn().context("start vitrine serve")?;
    let entered = enter(&mut server);
    // It takes everything down itself when it is asked to.
    let pid = nix::unistd::Pid::from_raw(server.id().cast_signed());
    nix::sys::signal::kill(pid, nix::sys::signal::Signal::SIGTERM)?;
    server.wait()?;
    entered
}

/// Comes in by the link that the server prints: all three processes run, and web has what it needs
/// inside its walls.
fn enter(server: &mut Child) -> Result<()> {
    let mut line = String::new();
    let out = server.stdout.take().context("the server's output")?;
    BufReader::new(out).read_line(&mut line)?;
    let (origin, token) =
        line.trim().split_once("/#token=").context("the server prints no link")?;
    let address = origin.trim_start_matches("http://");
    let body = format!("{{\"token\":\"{token}\"}}");
    let mut stream =
        TcpStream::connect(address).with_context(|| format!("connect to {address}"))?;
    stream.set_read_timeout(Some(Duration::from_secs(10)))?;
    let length = body.len();
    write!(
        stream,
        "POST /api/session HTTP/1.1\r\nHost: {address}\r\nOrigin: {origin}\r\n\
         Content-Type: application/json\r\nContent-Length: {length}\r\nConnection: close\r\n\r\n{body}"
    )?;
    let mut answer = String::new();
    stream.read_to_string(&mut answer)?;
    if !answer.starts_with("HTTP/1.1 200") {
        bail!("the server that was built does not let its teacher in: {answer}");
    }
    Ok(())
}

fn sizes(out: &Path) -> Result<()> {
    let mut rows = Vec::new();
    for entry in fs::read_dir(out)? {
        let entry = entry?;
        if entry.file_type()?.is_file() {
            rows.push((entry.file_name().to_string_lossy().into_owned(), entry.metadata()?.len()));
        }
    }
    rows.sort();
    for (name, bytes) in rows {
        say::table(format_args!("{bytes:>10}  {name}"));
    }
    say::note(say::words(format!("in {}", out.display()), format!("位于 {}", out.display())));
    Ok(())
}
