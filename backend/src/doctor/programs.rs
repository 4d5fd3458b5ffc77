//! Programs: what images are made from, what shows a container its own numbers, and QEMU.

use std::os::fd::AsRawFd as _;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::time::Duration;

use super::probe::{self, Ran};
use super::{Finding, Host, Severity, packages};
use crate::launcher::{images, memfd};

/// How long a program may take to say its version, or QEMU to boot our program.
const PATIENCE: Duration = Duration::from_secs(3);
/// From which Debian package, and one of its programs that the lab's lessons type.
const LAB_TOOLS: &[(&str, &[&str])] = &[
    ("bash", &["bash"]),
    ("coreutils", &["ls", "cat", "echo", "mkdir", "sleep", "nproc"]),
    ("procps", &["ps", "top", "free", "kill"]),
    ("util-linux", &["unshare", "mount", "umount", "nsenter", "lsns"]),
    ("hostname", &["hostname"]),
    ("iproute2", &["ip"]),
];
const KVM: &str = "/dev/kvm";
/// What QEMU exits with when our program has run: the value that it writes, doubled, plus one.
const IT_RAN: i32 = (IT_RAN_VALUE as i32) << 1 | 1;
const IT_RAN_VALUE: u8 = 0x21;

pub(super) fn check(host: &Host) -> Vec<Finding> {
    let qemu = host.which("qemu-system-x86_64");
    vec![
        busybox(host, images::CANDIDATES),
        lab_tools(host),
        lxcfs(host, host.which("lxcfs").map(|path| version_of(&path))),
        found_qemu(host, qemu.as_deref().map(|qemu| boot(qemu, "tcg"))),
        kvm(host, qemu.as_deref()),
    ]
}

fn busybox(host: &Host, candidates: &[&str]) -> Finding {
    let id = "busybox";
    let there: Vec<PathBuf> =
        candidates.iter().map(|path| host.path(path)).filter(|path| path.is_file()).collect();
    if let Some(path) = there.iter().find(|path| images::is_static(path)) {
        return Finding::ok(id, format!("{} is static", path.display()));
    }
    let found = match there.first() {
        Some(path) => format!("{} needs libraries", path.display()),
        None => "not installed".into(),
    };
    let why = "the smallest image is made from a static one; without it containers start from the lab image, which is larger";
    let mend = packages::install(host, packages::BUSYBOX);
    Finding::new(Severity::Warning, id, found, why, mend)
}

fn lab_tools(host: &Host) -> Finding {
    let id = "lab-tools";
    let lacking: Vec<(&str, Vec<&str>)> = LAB_TOOLS
        .iter()
        .map(|(package, tools)| {
            let lacking = tools.iter().filter(|tool| host.which(tool).is_none()).copied();
            (*package, lacking.collect::<Vec<_>>())
        })
        .filter(|(_, lacking)| !lacking.is_empty())
        .collect();
    if lacking.is_empty() {
        return Finding::ok(id, "bash, ps, top, unshare, ip and the others");
    }
    let names: Vec<&str> = lacking.iter().flat_map(|(_, tools)| tools.iter().copied()).collect();
    let packages: Vec<&str> = lacking.iter().map(|(package, _)| *package).collect();
    Finding::new(
        Severity::Warning,
        id,
        format!("not installed: {}", names.join(", ")),
        "the lab image is put together from this host's own; lessons that type these would fail",
        packages::install_tools(host, &packages),
    )
}

/// What a program says to `--version`, in time.
fn version_of(path: &Path) -> Ran {
    probe::program(Command::new(path).arg("--version"), PATIENCE)
}

/// The first number with a point in it.
fn number_in(text: &str) -> Option<&str> {
    let words = text.split(|c: char| c.is_whitespace() || c == '(' || c == ',');
    words
        .map(|word| word.trim_start_matches('v'))
        .find(|word| word.starts_with(|c: char| c.is_ascii_digit()) && word.contains('.'))
}

fn lxcfs(host: &Host, said: Option<Ran>) -> Finding {
    let id = "lxcfs";
    let why = "the switch that gives `free` and `top` in a container their own numbers needs it";
    let text = match said {
        None => {
            let mend = packages::install(host, packages::LXCFS);
            return Finding::new(Severity::Note, id, "not installed", why, mend);
        }
        Some(Ran::Ended(_, text)) => text,
        Some(other) => {
            let found = format!("installed, and does not say its version: {other:?}");
            return Finding::new(Severity::Warning, id, found, why, "");
        }
    };
    let Some(version) = number_in(&text) else {
        return Finding::new(Severity::Note, id, "installed, version unknown", why, "");
    };
    let major: u32 = version.split('.').next().and_then(|n| n.parse().ok()).unwrap_or(0);
    let mounts = host.read("/proc/self/mountinfo").unwrap_or_default();
    if major >= 7 && mounts.contains(" - cgroup ") {
        let why =
            "lxcfs 7.0 dropped cgroup v1, which this host has: it would show the host's numbers";
        return Finding::new(Severity::Warning, id, version, why, "");
    }
    Finding::ok(id, version)
}

/// A 64 KiB boot ROM whose whole program says that it runs: `out 0xf4, al`.
fn rom() -> Vec<u8> {
    let mut rom = vec![0; 64 << 10];
    // A PC begins 16 bytes below the end: mov al, VALUE; out 0xf4, al; hlt; jmp there.
    let program = [0xb0, IT_RAN_VALUE, 0xe6, 0xf4, 0xf4, 0xeb, 0xfd];
    let at = rom.len() - 16;
    rom[at..at + program.len()].copy_from_slice(&program);
    rom
}

/// Lets QEMU run a program of a few bytes with this accelerator.
fn boot(qemu: &Path, accelerator: &str) -> Ran {
    let rom = match memfd::sealed(c"vitrine-doctor", &rom()) {
        Ok(rom) => rom,
        Err(err) => return Ran::NotStarted(err.to_string()),
    };
    let path = format!("/proc/{}/fd/{}", std::process::id(), rom.as_raw_fd());
    let machine = format!("microvm,accel={accelerator}");
    let words = [
        "-M",
        &machine,
        "-cpu",
        "max",
        "-m",
        "16",
        "-nodefaults",
        "-display",
        "none",
        "-no-reboot",
        "-bios",
        &path,
        "-device",
        "isa-debug-exit,iobase=0xf4,iosize=0x04",
    ];
    probe::program(Command::new(qemu).args(words), PATIENCE)
}

fn found_qemu(host: &Host, booted: Option<Ran>) -> Finding {
    let id = "qemu";
    let why = "the page that races a virtual machine against a container starts one";
    match booted {
        None => {
            let mend = packages::install(host, packages::QEMU);
            Finding::new(Severity::Note, id, "not installed", why, mend)
        }
        Some(Ran::Ended(Some(IT_RAN), _)) => Finding::ok(id, "runs a guest, emulated"),
        Some(other) => {
            let found = format!("installed, but runs no guest: {}", how(&other));
            Finding::new(Severity::Warning, id, found, why, "")
        }
    }
}

fn kvm(host: &Host, qemu: Option<&Path>) -> Finding {
    let (id, why) = ("kvm", "a virtual machine is emulated without it, some ten times slower");
    let device = host.path(KVM);
    if !device.exists() {
        let found = format!("no {KVM}");
        return Finding::new(
            Severity::Note,
            id,
            found,
            why,
            "modprobe kvm_intel || modprobe kvm_amd",
        );
    }
    if let Err(err) = std::fs::OpenOptions::new().read(true).write(true).open(&device) {
        let found = format!("{KVM} cannot be opened: {err}");
        return Finding::new(
            Severity::Note,
            id,
            found,
            why,
            format!("usermod -aG kvm {}", host.user),
        );
    }
    match qemu.map(|qemu| boot(qemu, "kvm")) {
        None => Finding::ok(id, format!("{KVM} opens; not tried, because there is no QEMU")),
        Some(Ran::Ended(Some(IT_RAN), _)) => Finding::ok(id, "runs a guest"),
        Some(other) => {
            let found = format!("{KVM} opens, but runs no guest: {}", how(&other));
            Finding::new(Severity::Note, id, found, why, "")
        }
    }
}

/// How a trial ended, in a few words.
fn how(ran: &Ran) -> String {
    match ran {
        Ran::TimedOut => format!("it hangs; ended after {} s", PATIENCE.as_secs()),
        Ran::NotStarted(err) => err.clone(),
        Ran::Ended(code, said) => {
            let last = said.lines().rfind(|line| !line.trim().is_empty()).unwrap_or_default();
            let last: String = last.chars().filter(|c| !c.is_control()).take(120).collect();
            let ended = code.map_or("it aborts".into(), |code| format!("it exits with {code}"));
            if last.is_empty() { ended } else { format!("{ended} ({last})") }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::doctor::fixture;

    #[test]
    fn a_busybox_must_be_static() {
        let (dir, host) = fixture(&[("/bin/busybox", "#!/bin/sh\n")]);
        let check = || busybox(&host, &["/bin/busybox", "/usr/bin/busybox"]);
        assert!(check().found.contains("needs libraries"));
        std::fs::create_dir_all(dir.path().join("usr/bin")).unwrap();
        std::fs::write(dir.path().join("usr/bin/busybox"), memfd::INIT).unwrap();
        assert_eq!(check().severity, Severity::Ok);
        assert_eq!(busybox(&fixture(&[]).1, &["/bin/busybox"]).found, "not installed");
    }

    #[test]
    fn versions_are_found_in_what_programs_say() {
        for (text, version) in [
            ("5.0.3\n", Some("5.0.3")),
            ("lxcfs v7.0.0 (abc)\n", Some("7.0.0")),
            ("QEMU emulator version 7.2.22 (Debian 1:7.2)", Some("7.2.22")),
            ("no number 7", None),
            ("", None),
        ] {
            assert_eq!(number_in(text), version, "{text}");
        }
    }

    #[test]
    fn lxcfs_7_does_not_know_v1() {
        let said = |text: &str| Some(Ran::Ended(Some(0), text.into()));
        let v1 = [("/proc/self/mountinfo", "1 1 0:1 / /c rw - cgroup cgroup rw,cpu")];
        let (_dir, on_v1) = fixture(&v1);
        let (_dir, on_v2) = fixture(&[]);
        assert_eq!(lxcfs(&on_v1, said("7.0.0\n")).severity, Severity::Warning);
        assert_eq!(lxcfs(&on_v2, said("7.0.0\n")).severity, Severity::Ok);
        assert_eq!(lxcfs(&on_v1, said("5.0.3\n")).severity, Severity::Ok);
        assert_eq!(lxcfs(&on_v1, Some(Ran::TimedOut)).severity, Severity::Warning);
        assert_eq!(lxcfs(&on_v1, None).severity, Severity::Note);
    }

    #[test]
    fn how_a_guest_ended_is_told() {
        let (_dir, host) = fixture(&[]);
        let qemu = |ran| found_qemu(&host, Some(ran));
        assert_eq!(qemu(Ran::Ended(Some(IT_RAN), String::new())).severity, Severity::Ok);
        assert!(qemu(Ran::TimedOut).found.contains("hangs"));
        assert!(
            qemu(Ran::Ended(None, "a\nthe last\n\n".into())).found.contains("aborts (the last)")
        );
        assert_eq!(found_qemu(&host, None).severity, Severity::Note);
        assert!(kvm(&host, None).found.contains("no /dev/kvm"));
        let (_dir, with) = fixture(&[(KVM, "")]);
        assert!(kvm(&with, None).found.contains("not tried"));
    }
}
