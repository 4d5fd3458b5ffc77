//! Under systemd, groups are made below a scope of our own with `Delegate=yes`.
//!
//! systemd owns the unified hierarchy: it moves processes, turns controllers off that it thinks
//! nobody uses, and sweeps what it does not know, except below a delegated unit. We get one by
//! executing ourselves anew through `systemd-run --scope`, which asks systemd over D-Bus, is moved
//! into the scope and then becomes us: same process, same terminal, same parent. A D-Bus client in
//! this program would do the same with some sixty crates in the one process that is root.

use std::ffi::OsString;
use std::os::unix::process::CommandExt as _;
use std::path::{Path, PathBuf};
use std::process::Command;

use anyhow::{Context as _, Result, bail};
use vitrine_shared::cgroup::Dialect;

use super::cgroup::{Hierarchies, in_delegated_group};

/// systemd's own mark that it runs (`sd_booted(3)`).
const BOOTED: &str = "/run/systemd/system";
/// Set for the second of us, so that there is no third.
pub(crate) const IN_SCOPE: &str = "VITRINE_IN_SCOPE";

/// Sees to it that this process is in a group of its own that systemd keeps its hands off.
///
/// Returns at once where there is no systemd, no v2, or where the unit we were started from was
/// delegated. Otherwise it does not return: the same command starts over in a scope.
pub(crate) fn enter_scope() -> Result<()> {
    // An ordinary user asks for a scope by hand (`systemd-run --user`): many have no systemd of
    // their own, and go on without limits.
    let root = nix::unistd::geteuid().is_root();
    if !root || !Path::new(BOOTED).is_dir() {
        return Ok(());
    }
    let uses_v2 = Hierarchies::detect()?.iter().any(|h| h.dialect == Dialect::V2 && h.hands_out());
    if !uses_v2 || in_delegated_group()? {
        return Ok(());
    }
    if std::env::var_os(IN_SCOPE).is_some() {
        bail!(
            "systemd-run made a scope, but it is not delegated; start vitrine from a unit with Delegate=yes, or type: systemctl --version (236 or newer is needed)"
        );
    }
    let systemd_run = which("systemd-run").context(
        "systemd manages this host's cgroups, and systemd-run is not on PATH: install it (it comes with systemd), or start vitrine from a unit with Delegate=yes",
    )?;
    let exe = std::env::current_exe().context("find the own program")?;
    let words = arguments(std::process::id());
    let mut command = Command::new(&systemd_run);
    command.args(words).arg("--").arg(exe).args(std::env::args_os().skip(1)).env(IN_SCOPE, "1");
    let err = command.exec();
    Err(err).with_context(|| format!("execute {}", systemd_run.display()))
}

/// What `systemd-run` is asked for.
fn arguments(pid: u32) -> Vec<OsString> {
    let unit = format!("--unit=vitrine-{pid}");
    let words = ["--scope", "--quiet", "--collect", "--property=Delegate=yes", &unit];
    words.into_iter().map(OsString::from).collect()
}

fn which(name: &str) -> Option<PathBuf> {
    let path = std::env::var_os("PATH")?;
    std::env::split_paths(&path).map(|dir| dir.join(name)).find(|file| file.is_file())
}

#[cfg(test)]
mod tests {
    use super::arguments;

    #[test]
    fn one_delegated_scope_of_ones_own() {
        let words = arguments(42);
        assert_eq!(
            words,
            ["--scope", "--quiet", "--collect", "--property=Delegate=yes", "--unit=vitrine-42"]
        );
    }
}
