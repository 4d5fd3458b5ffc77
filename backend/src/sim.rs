//! `vitrine sim`: runs a script on the simulated machine of `shared`, as fast as it goes.

use std::fs;
use std::io::Read as _;
use std::path::{Path, PathBuf};

use anyhow::{Context as _, Result, bail};
use serde_json::json;
use vitrine_shared::sim::kernel::{Kernel, Setup};
use vitrine_shared::sim::shell::Terminal;
use vitrine_shared::sim::shell::parse::TEXT_MAX;

use crate::views::output;

/// Simulated time between two looks at what was written.
const STEP_NSEC: u64 = 1_000_000_000;
/// The status of a script that was stopped, as `timeout(1)` has it.
const STOPPED: u8 = 124;

/// What was asked for.
#[derive(Clone, Debug)]
pub struct Options {
    /// The script; `-` is standard input.
    pub script: PathBuf,
    /// The machine.
    pub setup: Setup,
    /// Simulated seconds after which it is stopped.
    pub seconds: u64,
    /// Tell everything at the end, as JSON.
    pub json: bool,
}

/// Runs it; tells the status.
pub fn sim(options: &Options) -> Result<u8> {
    let terminal = Terminal::script(options.setup, text(&options.script)?);
    let mut all = String::new();
    for _ in 0..options.seconds {
        terminal.advance(STEP_NSEC);
        let written = terminal.world().take_screen();
        if options.json {
            all += &written;
        } else {
            output::write(&written)?;
        }
        if !terminal.is_open() {
            break;
        }
    }
    let status = terminal.status();
    if options.json {
        let (nsec, trace) =
            terminal.world().look(|kernel| (kernel.now_nsec(), Kernel::trace_hash(kernel)));
        let report = json!({
            "simulated": true,
            "output": all,
            "status": status,
            "simulated_nsec": nsec,
            "seed": options.setup.hardware.seed,
            "trace": format!("{trace:016x}"),
        });
        output::write(format!("{report:#}\n"))?;
    } else if status.is_none() {
        eprintln_stopped(options.seconds);
    }
    Ok(status.unwrap_or(STOPPED))
}

fn eprintln_stopped(seconds: u64) {
    use std::io::Write as _;
    // A closed standard error leaves nobody to tell.
    let _ = writeln!(
        std::io::stderr(),
        "vitrine: the script has not ended in {seconds} simulated seconds (--seconds)"
    );
}

fn text(script: &Path) -> Result<String> {
    let most = u64::try_from(TEXT_MAX).unwrap_or(u64::MAX);
    let mut text = String::new();
    if script == Path::new("-") {
        let read = std::io::stdin().take(most + 1).read_to_string(&mut text);
        read.context("read standard input")?;
    } else {
        let file = fs::File::open(script).with_context(|| format!("open {}", script.display()))?;
        let read = file.take(most + 1).read_to_string(&mut text);
        read.with_context(|| format!("read {}", script.display()))?;
    }
    if text.len() > TEXT_MAX {
        bail!("{} is longer than {TEXT_MAX} bytes", script.display());
    }
    Ok(text)
}
