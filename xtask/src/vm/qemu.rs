//! A guest that boots, says something on its serial console, and ends; never longer than allowed.

use std::fmt;
use std::io::{BufRead as _, BufReader};
use std::path::Path;
use std::process::{Child, Command, Stdio};
use std::sync::mpsc;
use std::time::{Duration, Instant};

use anyhow::{Context as _, Result};

use super::kernel::Kernel;

const QEMU: &str = "qemu-system-x86_64";
/// A guest under KVM says its first word in a second; one that hangs never does.
const PROBE: Duration = Duration::from_secs(8);

/// What a guest is made of.
pub(super) struct Boot<'a> {
    /// `vmlinuz`.
    pub(super) kernel: &'a Path,
    /// Its initramfs.
    pub(super) initrd: &'a Path,
    /// Its disk.
    pub(super) disk: Option<&'a Path>,
    /// Memory.
    pub(super) memory_mib: u32,
    /// Cores.
    pub(super) cpus: u8,
    /// More words on the kernel's command line.
    pub(super) words: &'a str,
    /// `kvm` or `tcg`.
    pub(super) accel: &'static str,
}

/// How a guest ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Ended {
    /// It turned itself off.
    ByItself,
    /// It was still there when its time was over.
    Killed,
}

impl Boot<'_> {
    /// Boots it and gives what it said, each line to `tell` as it comes.
    pub(super) fn run(&self, patience: Duration, tell: impl Fn(&str)) -> Result<(String, Ended)> {
        let mut guest = Guest(self.command().spawn().with_context(|| format!("start {QEMU}"))?);
        let console = guest.0.stdout.take().context("no console")?;
        let (send, lines) = mpsc::channel();
        std::thread::spawn(move || {
            // Whatever bytes come: a console is no text file.
            for line in BufReader::new(console).split(b'\n').map_while(Result::ok) {
                let line = plain(&String::from_utf8_lossy(&line));
                if send.send(line).is_err() {
                    return;
                }
            }
        });
        let deadline = Instant::now() + patience;
        let mut log = String::new();
        loop {
            let left = deadline.saturating_duration_since(Instant::now());
            match lines.recv_timeout(left) {
                Ok(line) => {
                    tell(&line);
                    log += &line;
                    log.push('\n');
                }
                Err(mpsc::RecvTimeoutError::Disconnected) => return Ok((log, Ended::ByItself)),
                Err(mpsc::RecvTimeoutError::Timeout) => return Ok((log, Ended::Killed)),
            }
        }
    }

    fn command(&self) -> Command {
        let mut qemu = Command::new(QEMU);
        // Not `microvm`: under load its kernel finds no clock to measure the others by, and hangs.
        qemu.args(["-M", &format!("q35,accel={}", self.accel), "-cpu", "max"]);
        qemu.args(["-m", &self.memory_mib.to_string(), "-smp", &self.cpus.to_string()]);
        qemu.arg("-kernel").arg(self.kernel).arg("-initrd").arg(self.initrd);
        qemu.args(["-append", &format!("console=ttyS0 quiet panic=-1 {}", self.words)]);
        if let Some(disk) = self.disk {
            let drive = format!("id=disk,format=raw,if=none,file={}", disk.display());
            qemu.args(["-drive", &drive, "-device", "nvme,drive=disk,serial=vitrine"]);
        }
        qemu.args(["-nographic", "-no-reboot", "-nodefaults", "-serial", "stdio"]);
        qemu.stdin(Stdio::null()).stdout(Stdio::piped()).stderr(Stdio::null());
        qemu
    }
}

/// Without what moves a terminal's cursor: the firmware clears its screen.
fn plain(line: &str) -> String {
    let mut out = String::new();
    let mut rest = line.trim_end();
    while let Some((before, after)) = rest.split_once('\u{1b}') {
        out += before;
        // `ESC c`, or `ESC [` and everything up to a letter.
        let end = match after.strip_prefix('[') {
            Some(words) => words.find(|c: char| c.is_ascii_alphabetic()).map(|at| at + 2),
            None => after.chars().next().map(char::len_utf8),
        };
        rest = end.and_then(|end| after.get(end..)).unwrap_or_default();
    }
    out + rest
}

/// Killed and reaped when it is dropped.
struct Guest(Child);

impl Drop for Guest {
    fn drop(&mut self) {
        // It may have ended.
        let _ = self.0.kill();
        let _ = self.0.wait();
    }
}

/// What turns the guest's instructions into work, and why.
pub(super) struct Acceleration {
    /// QEMU's name for it.
    pub(super) name: &'static str,
    because: String,
}

impl fmt::Display for Acceleration {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.name {
            "kvm" => write!(f, "QEMU with KVM"),
            name => write!(f, "QEMU without KVM ({name}, emulated): {}", self.because),
        }
    }
}

/// KVM where a guest really comes up under it, else emulation. That `/dev/kvm` opens says little.
pub(super) fn acceleration(kernel: &Kernel, work: &Path, busybox: &Path) -> Result<Acceleration> {
    let tcg = |because: String| Acceleration { name: "tcg", because };
    if !Path::new("/dev/kvm").exists() {
        return Ok(tcg("this host has no /dev/kvm".into()));
    }
    let initrd = kernel.initrd(work, busybox)?;
    let boot = Boot {
        kernel: &kernel.image,
        initrd: &initrd,
        disk: None,
        memory_mib: 256,
        cpus: 1,
        words: "vitrine.probe",
        accel: "kvm",
    };
    let (log, ended) = boot.run(PROBE, |_| ())?;
    Ok(match ended {
        _ if log.contains("@@ alive") => Acceleration { name: "kvm", because: String::new() },
        Ended::ByItself => tcg("/dev/kvm is there, but QEMU cannot use it".into()),
        Ended::Killed => tcg(format!("a guest with KVM said nothing in {} s", PROBE.as_secs())),
    })
}

#[cfg(test)]
mod tests {
    #[test]
    fn the_firmwares_screen_is_no_text() {
        assert_eq!(super::plain("\u{1b}c\u{1b}[?7l\u{1b}[2J@@ up\r"), "@@ up");
        assert_eq!(super::plain("test a ... ok"), "test a ... ok");
        assert_eq!(super::plain("cut \u{1b}["), "cut ");
    }
}
