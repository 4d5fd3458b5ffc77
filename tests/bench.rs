//! Figures: `vitrine run` beside its peers, and the way from a click to a prompt.
//!
//! Peers take turns, round by round, so that whatever else the machine does hits all of them.
//! crun refuses hybrid cgroup hosts; for everybody alike the empty unified hierarchy is taken out
//! of view, in a mount namespace of this program's own.

#![allow(clippy::print_stderr, reason = "the harness tells what a server logged")]

#[allow(dead_code, reason = "each of the test programs uses its part")]
mod harness;

use std::path::Path;
use std::process::{Command, Stdio};
use std::time::{Duration, Instant};

use harness::server::Server;
use harness::term::Term;
use nix::mount::{MntFlags, MsFlags, mount, umount2};
use nix::sched::{CloneFlags, unshare};
use vitrine_shared::spec::ContainerSpec;

const ROUNDS: usize = 40;
const CLICKS: usize = 50;

#[expect(clippy::print_stdout, reason = "the table is what this is run for")]
fn main() {
    let none = None::<&str>;
    unshare(CloneFlags::CLONE_NEWNS).expect("root");
    mount(none, "/", none, MsFlags::MS_REC | MsFlags::MS_PRIVATE, none).expect("make / private");
    // A host without a second, unified hierarchy has nothing to hide.
    let _ = umount2("/sys/fs/cgroup/unified", MntFlags::MNT_DETACH);

    let bundle = tempfile::tempdir().expect("a temporary directory");
    let root = bundle.path().join("rootfs");
    harness::image::copy(&root);
    let peers = peers(bundle.path(), &root);
    let mut times = vec![Vec::new(); peers.len()];
    for round in 0..=ROUNDS {
        for (peer, times) in peers.iter().zip(&mut times) {
            let took = time(peer);
            // The first round warms caches.
            if round > 0 {
                times.push(took);
            }
        }
    }
    println!("{ROUNDS} rounds, peers in turn, create → `true` → gone (ms)");
    println!("{:<34} {:>7} {:>7} {:>7} {:>9}", "", "median", "p95", "min", "vs bwrap");
    let bwrap = at(&mut times[1], 0.5);
    for (peer, times) in peers.iter().zip(&mut times) {
        let (median, p95, min) = (at(times, 0.5), at(times, 0.95), at(times, 0.0));
        println!("{:<34} {median:>7.2} {p95:>7.2} {min:>7.2} {:>8.2}×", peer.0, median / bwrap);
    }

    let mut clicks = clicks();
    println!("\n{CLICKS} clicks on loopback, command sent → prompt received (ms)");
    for (name, times) in &mut clicks {
        println!(
            "{name:<34} p50 {:>6.1}   p95 {:>6.1}   min {:>6.1}",
            at(times, 0.5),
            at(times, 0.95),
            at(times, 0.0)
        );
    }
}

type Peer = (&'static str, Vec<String>);

fn peers(bundle: &Path, root: &Path) -> Vec<Peer> {
    let words = |line: &str| line.split(' ').map(String::from).collect::<Vec<_>>();
    let (data, root) = (harness::data().display(), root.display());
    std::fs::write(bundle.join("config.json"), oci_config()).expect("config.json");
    let vitrine = harness::binary().display();
    vec![
        (
            "vitrine run --all",
            words(&format!("{vitrine} run --data {data} --all --rootfs busybox -- true")),
        ),
        (
            "bwrap --unshare-all",
            words(&format!(
                "bwrap --unshare-all --die-with-parent --ro-bind {root} / --proc /proc --dev /dev true"
            )),
        ),
        (
            "crun run",
            words(&format!(
                "crun run --bundle {} vitrine-bench-{}",
                bundle.display(),
                std::process::id()
            )),
        ),
    ]
}

/// What `crun spec` writes, with `true` as the program and no terminal.
fn oci_config() -> String {
    let dir = tempfile::tempdir().expect("a temporary directory");
    let made = Command::new("crun").arg("spec").current_dir(dir.path()).status();
    assert!(made.expect("crun is installed").success(), "crun spec");
    let text = std::fs::read_to_string(dir.path().join("config.json")).expect("config.json");
    let mut config: serde_json::Value = serde_json::from_str(&text).expect("JSON");
    config["process"]["args"] = serde_json::json!(["/bin/true"]);
    config["process"]["terminal"] = false.into();
    config.to_string()
}

fn time((name, words): &Peer) -> f64 {
    let mut command = Command::new(&words[0]);
    command.args(&words[1..]).stdin(Stdio::null()).stdout(Stdio::null()).stderr(Stdio::piped());
    let begun = Instant::now();
    let output = command.output().unwrap_or_else(|err| panic!("{name}: {err}"));
    let took = begun.elapsed();
    assert!(output.status.success(), "{name}: {}", String::from_utf8_lossy(&output.stderr));
    took.as_secs_f64() * 1000.0
}

/// The first click makes a machine too; the second kind finds one.
fn clicks() -> Vec<(&'static str, Vec<f64>)> {
    let server = Server::start();
    let mut client = server.client();
    let (mut fresh, mut again) = (Vec::new(), Vec::new());
    for _ in 0..CLICKS {
        let begun = Instant::now();
        let first = client.start(None, ContainerSpec::one_click());
        prompt(&server, &first);
        fresh.push(begun.elapsed().as_secs_f64() * 1000.0);
        let begun = Instant::now();
        let second = client.start(Some(first.machine), ContainerSpec::one_click());
        prompt(&server, &second);
        again.push(begun.elapsed().as_secs_f64() * 1000.0);
        client.done(vitrine_shared::message::Command::EndMachine { machine: first.machine });
        // Below the rate that a connection may send at.
        client.listen(Duration::from_millis(200));
    }
    vec![("machine and container", fresh), ("container in a machine", again)]
}

fn prompt(server: &Server, started: &harness::client::Started) {
    let id = started.terminal.expect("a terminal");
    Term::open(server, id).read_until("# ");
}

/// The value at a fraction of the sorted list.
#[expect(
    clippy::cast_possible_truncation,
    clippy::cast_sign_loss,
    clippy::cast_precision_loss,
    reason = "small"
)]
fn at(times: &mut [f64], fraction: f64) -> f64 {
    times.sort_by(f64::total_cmp);
    times[((times.len() - 1) as f64 * fraction).round() as usize]
}
