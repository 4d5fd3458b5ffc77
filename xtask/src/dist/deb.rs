//! A Debian package of what `dist` has built: made by cargo-deb, unpacked, looked at and started once.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;

use anyhow::{Context as _, Result, bail};

use crate::project::{self, Project};
use crate::{say, tool};

/// What must be in the package: a path, and how its permissions begin.
const CONTENTS: [(&str, &str); 11] = [
    ("./usr/bin/vitrine", "-rwxr-xr-x"),
    ("./usr/lib/systemd/system/vitrine.service", "-rw-r--r--"),
    ("./etc/vitrine/vitrine.toml", "-rw-r--r--"),
    ("./usr/share/bash-completion/completions/vitrine", "-rw-r--r--"),
    ("./usr/share/zsh/vendor-completions/_vitrine", "-rw-r--r--"),
    ("./usr/share/fish/vendor_completions.d/vitrine.fish", "-rw-r--r--"),
    ("./usr/share/man/man1/vitrine.1", "-rw-r--r--"),
    ("./usr/share/doc/vitrine/THIRD-PARTY-NOTICES.txt", "-rw-r--r--"),
    ("./usr/share/doc/vitrine/sbom.cdx.json", "-rw-r--r--"),
    ("./usr/share/doc/vitrine/cli-json.md", "-rw-r--r--"),
    ("./usr/share/doc/vitrine/doctor-json.md", "-rw-r--r--"),
];

/// Makes the package in `out` and tries it.
pub(crate) fn deb(project: &Project, out: &Path) -> Result<()> {
    say::step(say::words("The Debian package", "Debian 软件包"));
    // cargo-deb takes the files from where its own table says.
    if out != project.path("target/dist-out") {
        bail!("--deb packs what lies in target/dist-out: leave --out away");
    }
    let cargo_deb = cargo_deb(project)?;
    let package = out.join(format!("vitrine_{}_amd64.deb", env!("CARGO_PKG_VERSION")));
    let mut make = project.command(&cargo_deb);
    make.args(["--package", "vitrine", "--no-build", "--no-strip", "--output"]).arg(&package);
    // Called as cargo calls its subcommands.
    tool::run(make.env("CARGO", std::env::var_os("CARGO").unwrap_or_else(|| "cargo".into())))?;
    look(project, &package)?;
    start(project, &package)
}

/// The program, built once into `target/tools`.
fn cargo_deb(project: &Project) -> Result<PathBuf> {
    let root = project.path("target/tools");
    let program = root.join("bin/cargo-deb");
    if !program.is_file() {
        let mut install = project.cargo();
        install.args(["install", "cargo-deb", "--locked", "--root"]).arg(&root);
        tool::run(&mut install)?;
    }
    Ok(program)
}

/// Its contents, its conffiles, what it depends on.
fn look(project: &Project, package: &Path) -> Result<()> {
    let ask = |option: &str| tool::output(project.command("dpkg-deb").arg(option).arg(package));
    let contents = ask("--contents")?;
    for (path, mode) in CONTENTS {
        let found = contents.lines().any(|line| {
            let path_matches = line
                .split_whitespace()
                .nth(5)
                .is_some_and(|name| name == path || name.strip_suffix(".gz") == Some(path));
            path_matches && line.starts_with(mode) && line.contains(" 0/0 ")
        });
        if !found {
            bail!("{} has no {path} of root's with {mode}:\n{contents}", package.display());
        }
    }
    let info = ask("--info")?;
    if !info.contains("Depends: busybox-static\n") {
        bail!("{} does not depend on busybox-static alone:\n{info}", package.display());
    }
    Ok(())
}

/// Unpacks it into a directory of its own and starts what is in there.
fn start(project: &Project, package: &Path) -> Result<()> {
    let root = project.path("target/dist-root");
    if root.exists() {
        fs::remove_dir_all(&root).with_context(|| format!("remove {}", root.display()))?;
    }
    fs::create_dir_all(root.join("var/lib/dpkg/updates"))?;
    fs::write(root.join("var/lib/dpkg/status"), "")?;
    if project::is_root() {
        // As dpkg does it, conffiles and all; what it depends on is the host's.
        let mut install = project.command("dpkg");
        install.arg(format!("--root={}", root.display()));
        tool::run(install.args(["--force-depends", "--force-not-root", "--install"]).arg(package))?;
    } else {
        tool::run(project.command("dpkg-deb").arg("--extract").arg(package).arg(&root))?;
    }
    let mut started = Command::new(root.join("usr/bin/vitrine"));
    let said = tool::output(
        started
            .args(["serve", "--print-config", "--config"])
            .arg(root.join("etc/vitrine/vitrine.toml")),
    )?;
    say::note(format_args!(
        "{}: {} lines of configuration",
        package.display(),
        said.lines().count()
    ));
    Ok(())
}
