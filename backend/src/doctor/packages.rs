//! Which package brings a program here, and the command that installs it.

use super::Host;

/// A program's package by distribution.
#[derive(Clone, Copy, Debug)]
pub(super) struct Package {
    pub(super) debian: &'static str,
    pub(super) fedora: &'static str,
    pub(super) arch: &'static str,
    pub(super) alpine: &'static str,
}

/// One static program with everything a small root file system needs.
pub(super) const BUSYBOX: Package = Package {
    debian: "busybox-static",
    fedora: "busybox",
    arch: "busybox",
    alpine: "busybox-static",
};
pub(super) const LXCFS: Package =
    Package { debian: "lxcfs", fedora: "lxcfs", arch: "lxcfs", alpine: "lxcfs" };
pub(super) const QEMU: Package = Package {
    debian: "qemu-system-x86",
    fedora: "qemu-system-x86-core",
    arch: "qemu-system-x86",
    alpine: "qemu-system-x86_64",
};
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Family {
    Debian,
    Fedora,
    Arch,
    Alpine,
    Unknown,
}

/// From `os-release(5)`: the distribution itself, or one that it is like.
fn family(host: &Host) -> Family {
    let text = host.read("/etc/os-release").unwrap_or_default();
    let field = |name: &str| {
        let line = text.lines().find_map(|line| line.strip_prefix(name)?.strip_prefix('='));
        line.unwrap_or_default().trim_matches('"').to_string()
    };
    let names = format!("{} {}", field("ID"), field("ID_LIKE"));
    names
        .split_whitespace()
        .find_map(|name| match name {
            "debian" | "ubuntu" => Some(Family::Debian),
            "fedora" | "rhel" | "centos" => Some(Family::Fedora),
            "arch" => Some(Family::Arch),
            "alpine" => Some(Family::Alpine),
            _ => None,
        })
        .unwrap_or(Family::Unknown)
}

/// The command that installs a package.
pub(super) fn install(host: &Host, package: Package) -> String {
    match family(host) {
        Family::Debian | Family::Unknown => format!("apt-get install {}", package.debian),
        Family::Fedora => format!("dnf install {}", package.fedora),
        Family::Arch => format!("pacman -S {}", package.arch),
        Family::Alpine => format!("apk add {}", package.alpine),
    }
}

/// The command that installs packages by their Debian names, where they are Debian's.
pub(super) fn install_tools(host: &Host, debian: &[&str]) -> String {
    let list = debian.join(" ");
    match family(host) {
        Family::Debian | Family::Unknown => format!("apt-get install {list}"),
        Family::Fedora => format!(
            "dnf install {}",
            list.replace("procps", "procps-ng").replace("iproute2", "iproute")
        ),
        Family::Arch => format!("pacman -S {}", list.replace("procps", "procps-ng")),
        Family::Alpine => format!("apk add {list}"),
    }
}

/// The command that brings the newest kernel of the distribution.
pub(super) fn new_kernel(host: &Host) -> String {
    match family(host) {
        Family::Debian | Family::Unknown => "apt-get update && apt-get dist-upgrade && reboot",
        Family::Fedora => "dnf upgrade kernel && reboot",
        Family::Arch => "pacman -Syu && reboot",
        Family::Alpine => "apk upgrade && reboot",
    }
    .into()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::doctor::fixture;

    #[test]
    fn each_distribution_has_its_words() {
        for (release, expected) in [
            ("ID=debian\n", "apt-get install busybox-static"),
            (
                "NAME=\"Linux Mint\"\nID=linuxmint\nID_LIKE=\"ubuntu debian\"\n",
                "apt-get install busybox-static",
            ),
            ("ID=\"rocky\"\nID_LIKE=\"rhel centos fedora\"\n", "dnf install busybox"),
            ("ID=arch\n", "pacman -S busybox"),
            ("ID=alpine\n", "apk add busybox-static"),
            ("", "apt-get install busybox-static"),
        ] {
            let (_dir, host) = fixture(&[("/etc/os-release", release)]);
            assert_eq!(install(&host, BUSYBOX), expected, "{release}");
        }
    }
}
