//! The simulator as a library of three functions, for a browser to run as wasm: the trace, the output and
//! the speed there are compared with those of `vitrine sim` (`tests/browser/sim-trace.test.mjs`).
//!
//! Numbers go in and out, nothing else: no memory is shared.

#[allow(clippy::unwrap_used, reason = "a scene that is sound")]
#[path = "load.rs"]
mod load;

use vitrine_shared::cgroup::Dialect;
use vitrine_shared::sim::kernel::{Kernel, Setup};
use vitrine_shared::sim::shell::Terminal;

/// What is run; the first line has the flags of `vitrine sim`.
const SCENES: [&str; 3] = [
    include_str!("../../../tests/browser/scenes/quota.sh"),
    include_str!("../../../tests/browser/scenes/spaces.sh"),
    include_str!("../../../tests/browser/scenes/crowd.sh"),
];
/// As `vitrine sim` lets time pass.
const STEP_NSEC: u64 = 1_000_000_000;
const STEPS: u64 = 600;

fn setup(script: &str) -> Setup {
    let mut setup = Setup::default();
    let words: Vec<&str> = script.lines().next().unwrap_or_default().split(' ').collect();
    for pair in words.windows(2) {
        match *pair {
            ["--cpus", value] => setup.hardware.n_cpus = value.parse().unwrap_or(0),
            ["--seed", value] => setup.hardware.seed = value.parse().unwrap_or(0),
            ["--cgroup", "v2"] => setup.dialect = Dialect::V2,
            _ => {}
        }
    }
    setup
}

/// Runs a scene to its end: its trace, and FNV-1a over what it wrote.
fn run(scene: u32) -> (u64, u64) {
    let script = SCENES.get(scene as usize).copied().unwrap_or_default();
    let terminal = Terminal::script(setup(script), script.to_owned());
    let mut written = 0xcbf2_9ce4_8422_2325_u64;
    for _ in 0..STEPS {
        terminal.advance(STEP_NSEC);
        for byte in terminal.world().take_screen().bytes() {
            written = (written ^ u64::from(byte)).wrapping_mul(0x0100_0000_01b3);
        }
        if !terminal.is_open() {
            break;
        }
    }
    (terminal.world().look(Kernel::trace_hash), written)
}

/// The trace of a scene.
// SAFETY: the name is the only symbol of its kind.
#[unsafe(no_mangle)]
pub extern "C" fn trace(scene: u32) -> u64 {
    run(scene).0
}

/// What a scene writes, as a hash.
// SAFETY: the name is the only symbol of its kind.
#[unsafe(no_mangle)]
pub extern "C" fn written(scene: u32) -> u64 {
    run(scene).1
}

/// 60 s of 8 CPUs with 64 tasks.
// SAFETY: the name is the only symbol of its kind.
#[unsafe(no_mangle)]
pub extern "C" fn load() -> u64 {
    let mut model = load::scene();
    model.advance(60_000_000_000);
    model.trace_hash()
}
