//! A guest that boots, says something on its serial console, and ends; never longer than allowed.

use std::fmt;
use std::io::{BufRead as _, BufReader, Write as _};
use std::path::Path;
use std::process::{Child, Command, Stdio};
use std::sync::mpsc;
use std::time::{Duration, Instant};

use anyhow::{Context as _, Result};

use super::kernel::Kernel;

const QEMU: &str = "qemu-system-x86_64";
/// A guest under KVM says its first word in a second; one that hangs never does.
const PROBE: Duration = Duration::from_secs(8);

/// A guest that is asked for its stacks and says nothing for so long says nothing more.
const STACKS: Duration = Duration::from_secs(5);
/// Between two keys: the kernel takes one in an interrupt.
const KEY: Duration = Duration::from_millis(300);

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
    /// It said nothing for too long, and was asked where it stands: stacks are in the log.
    Silent,
}

/// How long a guest may take, and what it tells.
#[derive(Clone, Copy)]
pub(super) struct Bounds {
    /// From power-on to power-off.
    pub(super) patience: Duration,
    /// Between two lines.
    pub(super) silence: Duration,
}

impl Boot<'_> {
    /// Boots it and gives what it said, each line to `tell` as it comes.
    ///
    /// One that says nothing for too long is asked for the stacks of all its tasks first.
    pub(super) fn run(&self, bounds: Bounds, tell: impl Fn(&str)) -> Result<(String, Ended)> {
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
        let deadline = Instant::now() + bounds.patience;
        let mut log = String::new();
        loop {
            let left = deadline.saturating_duration_since(Instant::now());
            match lines.recv_timeout(left.min(bounds.silence)) {
                Ok(line) => {
                    tell(&line);
                    log += &line;
                    log.push('\n');
                }
                Err(mpsc::RecvTimeoutError::Disconnected) => return Ok((log, Ended::ByItself)),
                Err(mpsc::RecvTimeoutError::Timeout) => {
                    let ended = if left < bounds.silence { Ended::Killed } else { Ended::Silent };
                    guest.ask_for_stacks();
                    // Until it has told them, or is beyond telling.
                    while let Ok(line) = lines.recv_timeout(STACKS) {
                        tell(&line);
                        log += &line;
                        log.push('\n');
                    }
                    return Ok((log, ended));
                }
            }
        }
    }

    fn command(&self) -> Command {
        let mut qemu = Command::new(QEMU);
        // Not `microvm`: under load its kernel finds no clock to measure the others by, and hangs.
        qemu.args(["-M", &format!("q35,accel={}", self.accel), "-cpu", "max"]);
        qemu.args(["-m", &self.memory_mib.to_string(), "-smp", &self.cpus.to_string()]);
        qemu.arg("-kernel").arg(self.kernel).arg("-initrd").arg(self.initrd);
        let clocks = if self.accel == "tcg" { clocks() } else { String::new() };
        let words = format!("console=ttyS0 quiet panic=-1 sysrq_always_enabled {clocks}");
        qemu.args(["-append", &format!("{words} {}", self.words)]);
        if let Some(disk) = self.disk {
            let drive = format!("id=disk,format=raw,if=none,file={}", disk.display());
            qemu.args(["-drive", &drive, "-device", "nvme,drive=disk,serial=vitrine"]);
        }
        qemu.args(["-nographic", "-no-reboot", "-nodefaults", "-serial", "mon:stdio"]);
        qemu.stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::null());
        qemu
    }
}

/// Words for the kernel of an emulated guest, so that it need not measure its clocks.
///
/// It would count TSC ticks during a few milliseconds of another emulated clock. When the host is
/// busy, QEMU's threads stop in between: 147 MHz were seen instead of 2,596. Timers of such a
/// guest fire whenever they like, which looks like a hang. Emulated, the TSC is this host's own,
/// the same for all cores.
fn clocks() -> String {
    match host_tsc_khz() {
        Some(khz) => format!("tsc_early_khz={khz} tsc=reliable"),
        None => String::new(),
    }
}

/// How fast this host's time-stamp counter counts.
#[cfg(target_arch = "x86_64")]
fn host_tsc_khz() -> Option<u64> {
    // A reading between two looks at the clock that are close together.
    let reading = || {
        (0..1_000).find_map(|_| {
            let before = Instant::now();
            // SAFETY: it reads a counter that every x86-64 has, and touches no memory.
            let ticks = unsafe { std::arch::x86_64::_rdtsc() };
            (before.elapsed() < Duration::from_micros(5)).then_some((before, ticks))
        })
    };
    let (began, first) = reading()?;
    std::thread::sleep(Duration::from_millis(100));
    let (ended, last) = reading()?;
    let micros = u64::try_from((ended - began).as_micros()).ok()?;
    last.checked_sub(first)?.checked_mul(1_000)?.checked_div(micros)
}

/// The counter of a guest on another architecture is QEMU's own affair.
#[cfg(not(target_arch = "x86_64"))]
fn host_tsc_khz() -> Option<u64> {
    None
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

impl Guest {
    /// The kernel's own keys, by breaks on the serial line: they work where no program does.
    fn ask_for_stacks(&mut self) {
        let Some(stdin) = self.0.stdin.as_mut() else { return };
        // All levels to the console; what the cores do; who is blocked; all tasks; timers.
        for key in *b"9lwtq" {
            // Ctrl-A b is QEMU's word for a break. A guest that has ended needs no key.
            let _ = stdin.write_all(&[0x01, b'b']);
            std::thread::sleep(KEY);
            let _ = stdin.write_all(&[key]);
            std::thread::sleep(KEY);
        }
    }
}

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

impl Acceleration {
    /// How many times longer a test may take there.
    pub(super) fn slowness(&self) -> u32 {
        if self.name == "kvm" { 1 } else { 4 }
    }
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
    let bounds = Bounds { patience: PROBE, silence: PROBE };
    let (log, ended) = boot.run(bounds, |_| ())?;
    Ok(match ended {
        _ if log.contains("@@ alive") => Acceleration { name: "kvm", because: String::new() },
        Ended::ByItself => tcg("/dev/kvm is there, but QEMU cannot use it".into()),
        Ended::Killed | Ended::Silent => {
            tcg(format!("a guest with KVM said nothing in {} s", PROBE.as_secs()))
        }
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
