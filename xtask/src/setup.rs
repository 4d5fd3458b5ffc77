//! What must be on the machine besides Rust: looked for, asked about, installed.

use std::fs;
use std::path::{Path, PathBuf};

use anyhow::{Context as _, Result, bail};

use crate::elf;
use crate::project::{self, Project};
use crate::{say, stamp, tool};

/// Something that is not built from this repository.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(crate) enum Need {
    /// Node.js and npm: `wasm-opt`, xterm, the browser tests.
    Npm,
    /// A static busybox: the rootfs of the smallest container.
    Busybox,
    /// The browser for the browser tests.
    Chromium,
    /// Chinese letters in it, not boxes.
    ChineseFont,
    /// `bwrap`, a peer to compare with.
    Bubblewrap,
    /// `crun`, another one.
    Crun,
    /// `runc`, and one more; for figures only.
    Runc,
    /// `top`, the observer's peer; for figures only.
    Procps,
    /// Runs the client of `docs/protocol.md`.
    Python,
    /// Another view of `/proc`, made by somebody else.
    Lxcfs,
    /// `newuidmap`: an ordinary user's subordinate ids.
    UidMap,
    /// `qemu-system-x86_64`: a guest with another kernel, and cgroup v2 only.
    Qemu,
    /// `cpio`, for the guest's initramfs.
    Cpio,
    /// `mke2fs`, for the guest's disk.
    E2fsprogs,
    /// Makes OCI images that are not ours.
    Umoci,
    /// What the lab image is put together from: `ps`, `ip`, `unshare`.
    LabTools,
    /// PID 1 of a guest in which the cgroups are its own.
    Systemd,
}

impl Need {
    /// The Debian packages that bring it.
    fn packages(self) -> &'static [&'static str] {
        match self {
            Need::Npm => &["nodejs", "npm"],
            Need::Busybox => &["busybox-static"],
            Need::Chromium => &["chromium"],
            Need::ChineseFont => &["fonts-noto-cjk", "fontconfig"],
            Need::Bubblewrap => &["bubblewrap"],
            Need::Crun => &["crun"],
            Need::Runc => &["runc"],
            Need::Procps => &["procps"],
            Need::Python => &["python3"],
            Need::Lxcfs => &["lxcfs"],
            Need::UidMap => &["uidmap"],
            Need::Qemu => &["qemu-system-x86"],
            Need::Cpio => &["cpio"],
            Need::E2fsprogs => &["e2fsprogs"],
            Need::Umoci => &["umoci"],
            Need::Systemd => &["systemd"],
            Need::LabTools => &["procps", "iproute2", "util-linux", "ncurses-base", "ncurses-bin"],
        }
    }

    fn is_there(self, project: &Project) -> bool {
        match self {
            Need::Npm => tool::which("npm").is_some() && tool::which("node").is_some(),
            Need::Busybox => busybox().is_some(),
            Need::Chromium => chromium().is_some(),
            Need::ChineseFont => has_chinese_font(project),
            Need::Bubblewrap => tool::which("bwrap").is_some(),
            Need::Crun => tool::which("crun").is_some(),
            Need::Runc => tool::which("runc").is_some(),
            Need::Procps => tool::which("top").is_some(),
            Need::Python => tool::which("python3").is_some(),
            Need::Lxcfs => tool::which("lxcfs").is_some(),
            Need::UidMap => tool::which("newuidmap").is_some(),
            Need::Qemu => tool::which("qemu-system-x86_64").is_some(),
            Need::Cpio => tool::which("cpio").is_some(),
            Need::E2fsprogs => {
                tool::which("mke2fs").is_some() || Path::new("/usr/sbin/mke2fs").is_file()
            }
            Need::Umoci => tool::which("umoci").is_some(),
            Need::Systemd => Path::new(crate::vm::systemd::SYSTEMD).is_file(),
            Need::LabTools => {
                ["ps", "ip", "unshare", "tput"].iter().all(|name| tool::which(name).is_some())
            }
        }
    }
}

/// Sees to it that all of `needs` are there, or says what to type.
pub(crate) fn ensure(project: &Project, needs: &[Need]) -> Result<()> {
    let missing = |need: &&Need| !need.is_there(project);
    let packages: Vec<&str> =
        needs.iter().filter(missing).flat_map(|need| need.packages()).copied().collect();
    if packages.is_empty() {
        return Ok(());
    }
    install(project, &packages)?;
    if let Some(need) = needs.iter().find(missing) {
        bail!("{} installed, but what it should bring is not found", need.packages().join(" "));
    }
    Ok(())
}

/// Installs Debian packages, if this is Debian, we are root, and it is allowed.
pub(crate) fn install(project: &Project, packages: &[&str]) -> Result<()> {
    let list = packages.join(" ");
    let by_hand = format!("apt-get install -y --no-install-recommends {list}");
    let (missing, type_this) = (say::words("missing:", "缺少："), say::words("Type:", "请输入："));
    if tool::which("apt-get").is_none() {
        let no_apt = say::words(
            "(Debian's names). This system has no apt-get: install them its own way and try again",
            "（Debian 软件包名）。本系统没有 apt-get：请用系统自己的方式安装后重试",
        );
        bail!("{missing} {list} {no_apt}");
    }
    if !project::is_root() {
        bail!("{missing} {list}. {type_this} sudo {by_hand}");
    }
    if !project.may_install(&list) {
        let or_yes = say::words("(or pass --yes)", "（或加上 --yes）");
        bail!("{missing} {list}. {type_this} {by_hand} {or_yes}");
    }
    say::step(say::words(format!("Installing {list}"), format!("安装 {list}")));
    let apt = |arguments: &[&str]| {
        let mut command = project.command("apt-get");
        command.env("DEBIAN_FRONTEND", "noninteractive").args(["-q", "-o", "Dpkg::Use-Pty=0"]);
        tool::run(command.args(arguments))
    };
    let wanted = [&["install", "-y", "--no-install-recommends"], packages].concat();
    // Old package lists are the usual reason for a refusal: bring them up to date only then.
    apt(&wanted).or_else(|_| apt(&["update"]).and_then(|()| apt(&wanted))).context("apt-get")
}

/// The packages of `package-lock.json`, in `node_modules`. False when there is no npm to fetch them.
pub(crate) fn npm_packages(project: &Project) -> Result<bool> {
    let lock = stamp::of(&[project.path("package-lock.json")], &[])?;
    let stamp_file = project.path("node_modules/.vitrine-stamp");
    if fs::read_to_string(&stamp_file).is_ok_and(|stamp| stamp == lock) {
        return Ok(true);
    }
    if let Err(error) = ensure(project, &[Need::Npm]) {
        if project::in_ci() {
            return Err(error);
        }
        say::warn(say::words(
            "no npm: the page will be built without a terminal (xterm) and without wasm-opt",
            "没有 npm：构建出的页面将没有终端（xterm），也不经过 wasm-opt 优化",
        ));
        say::note(error);
        return Ok(false);
    }
    say::step(say::words("Fetching npm packages", "获取 npm 软件包"));
    tool::run(project.command("npm").args(["ci", "--ignore-scripts", "--no-audit", "--no-fund"]))?;
    fs::write(&stamp_file, lock).with_context(|| format!("write {}", stamp_file.display()))?;
    Ok(true)
}

/// A busybox that needs no libraries.
pub(crate) fn busybox() -> Option<PathBuf> {
    let on_path = tool::which("busybox");
    ["/bin/busybox", "/usr/lib/busybox/busybox-static"]
        .into_iter()
        .map(PathBuf::from)
        .chain(on_path)
        .find(|file| is_static(file))
}

/// Chromium by one of the names it has in distributions.
pub(crate) fn chromium() -> Option<PathBuf> {
    ["chromium", "chromium-browser", "google-chrome", "google-chrome-stable"]
        .into_iter()
        .find_map(tool::which)
}

fn has_chinese_font(project: &Project) -> bool {
    let mut fc_list = project.command("fc-list");
    tool::which("fc-list").is_some()
        && tool::output(fc_list.args([":lang=zh", "family"])).is_ok_and(|fonts| !fonts.is_empty())
}

/// Whether a program needs no loader: such a program runs in an empty rootfs.
fn is_static(file: &Path) -> bool {
    fs::read(file).is_ok_and(|bytes| elf::interpreter(&bytes) == Some(None))
}

#[cfg(test)]
mod tests {
    use super::is_static;
    use std::path::Path;

    #[test]
    fn a_dynamic_program_is_not_static() {
        let me = std::env::current_exe().unwrap();
        assert!(!is_static(&me));
    }

    #[test]
    fn a_text_is_not_a_static_program() {
        assert!(!is_static(Path::new("/etc/passwd")));
    }
}
