//! How fast a terminal is, and how soon Ctrl-C ends a flood.

use std::fs::File;
use std::io::Read as _;
use std::process::{Command, Stdio};
use std::time::{Duration, Instant};

use nix::pty::openpty;
use vitrine_shared::spec::ContainerSpec;

use crate::harness::server::Server;
use crate::harness::term::Term;
use crate::table::{self, Row};

/// Bytes of one measurement.
const FLOOD_BYTES: usize = 16 << 20;
/// What writes them, 79 letters a line.
const FLOOD: &str =
    "yes 0123456789012345678901234567890123456789012345678901234567890123456789012345678";
/// How long `yes` floods before Ctrl-C.
const FLOODED: Duration = Duration::from_millis(300);
const PATIENCE: Duration = Duration::from_secs(30);
const BARE: &str = "a bare PTY, read by a program";

pub(crate) fn bench(rounds: usize) {
    let server = Server::start();
    let mut client = server.client();
    let machine = client.start(None, ContainerSpec::one_click()).machine;
    let mut ours = Row::new("/api/term/…, acknowledged at once");
    let mut bare = Row::new(BARE);
    // Each takes a while; a tenth of the rounds is enough, for they differ little.
    for round in 0..=rounds.div_ceil(10) {
        let started = client.start(Some(machine), ContainerSpec::one_click());
        let mut term = Term::shell(&server, started.terminal.expect("a terminal"));
        let speeds = [flood(&mut term), flood_bare()];
        if round > 0 {
            ours.push(speeds[0]);
            bare.push(speeds[1]);
        }
        stop(&mut client, &started);
    }
    let notes = [
        "16 MiB of lines from `yes` in a container, through the PTY, the ring and a WebSocket on loopback.",
    ];
    table::print("terminal throughput", "MB/s", Some(BARE), &[ours, bare], &notes);

    let mut row = Row::new("`yes` → Ctrl-C → prompt, on loopback").at_most("p95", 250.0);
    let started = client.start(Some(machine), ContainerSpec::one_click());
    let mut term = Term::shell(&server, started.terminal.expect("a terminal"));
    for _ in 0..rounds {
        row.took(interrupt(&mut term));
    }
    table::print("Ctrl-C in a flood", "ms", None, &[row], &[]);
}

fn stop(client: &mut crate::harness::client::Client, started: &crate::harness::client::Started) {
    let (machine, container) = (started.machine, started.container);
    client.done(vitrine_shared::message::Command::StopContainer { machine, container });
}

/// Megabytes a second.
#[expect(clippy::cast_precision_loss, reason = "megabytes")]
fn speed(bytes: usize, begun: Instant) -> f64 {
    bytes as f64 / 1e6 / begun.elapsed().as_secs_f64()
}

fn flood(term: &mut Term) -> f64 {
    let before = term.bytes.len();
    let begun = Instant::now();
    term.type_in(&format!("{FLOOD} | head -c {FLOOD_BYTES}\r"));
    while term.bytes.len() - before < FLOOD_BYTES {
        assert!(begun.elapsed() < PATIENCE && !term.gone, "the flood dries up");
        term.receive();
    }
    speed(term.bytes.len() - before, begun)
}

fn flood_bare() -> f64 {
    let pty = openpty(None, None).expect("openpty");
    let mut child = Command::new("busybox")
        .args(["sh", "-c", &format!("{FLOOD} | head -c {FLOOD_BYTES}")])
        .stdin(Stdio::null())
        .stdout(pty.slave)
        .spawn()
        .expect("busybox");
    let (mut master, mut bytes, mut buffer) = (File::from(pty.master), 0, [0; 4096]);
    let begun = Instant::now();
    // EIO: the last writer has gone.
    while let Ok(read @ 1..) = master.read(&mut buffer) {
        bytes += read;
    }
    child.wait().expect("wait");
    assert!(bytes >= FLOOD_BYTES, "the flood dries up");
    speed(bytes, begun)
}

fn interrupt(term: &mut Term) -> Duration {
    term.type_in("yes\r");
    let begun = Instant::now();
    while begun.elapsed() < FLOODED {
        term.receive();
    }
    let mark = term.bytes.len();
    let begun = Instant::now();
    term.type_in("\u{3}");
    loop {
        // The flood has no such letter; a prompt is at its end.
        let from = mark.max(term.bytes.len().saturating_sub(64));
        if term.bytes[from..].contains(&b'#') {
            return begun.elapsed();
        }
        let end = &term.bytes[term.bytes.len().saturating_sub(200)..];
        assert!(
            begun.elapsed() < PATIENCE && !term.gone,
            "no prompt after Ctrl-C; {} bytes came after it, the last of them {:?}",
            term.bytes.len() - mark,
            String::from_utf8_lossy(end)
        );
        term.receive();
    }
}
