//! `vitrine run` beside bwrap, crun, runc and unshare: create → `true` → gone.
//!
//! With `VITRINE_DYNAMIC` the same program, linked dynamically, is one more peer.

use std::path::Path;
use std::process::{Command, Stdio};
use std::time::{Duration, Instant};

use crate::harness;
use crate::table::{self, Row};

const BWRAP: &str = "bwrap --unshare-all";
const CRUN: &str = "crun run";

/// A program to start: its name in the table, and its words.
struct Peer {
    name: &'static str,
    words: Vec<String>,
}

pub(crate) fn bench(rounds: usize) {
    let bundle = tempfile::tempdir().expect("a temporary directory");
    let root = bundle.path().join("rootfs");
    harness::image::copy(&root);
    let peers = peers(bundle.path(), &root);
    let mut rows: Vec<Row> = peers.iter().map(|peer| Row::new(peer.name)).collect();
    let ours = rows.remove(0);
    rows.insert(0, ours.times(1.0, BWRAP).times(0.5, CRUN));
    for round in 0..=rounds {
        for (peer, row) in peers.iter().zip(&mut rows) {
            let took = time(peer);
            // The first round warms caches.
            if round > 0 {
                row.took(took);
            }
        }
    }
    let versions = versions();
    let notes = [
        versions.as_str(),
        "What `vitrine run --all` does and the bwrap line does not: overlay with a limited upper layer, \
         65,536 mapped uids, masks over `/proc`, two seccomp filters, a cgroup in each hierarchy, a keyring. \
         unshare has one mapped uid, no `/dev`, no filter and no cgroup; crun and runc have a cgroup, a filter \
         where `spec` asks for one, and no user namespace.",
        "crun and runc refuse hybrid hosts; for everybody alike the unified hierarchy was taken out of view.",
    ];
    table::print("create → `true` → gone, peers in turn", "ms", Some(BWRAP), &rows, &notes);
}

fn peers(bundle: &Path, root: &Path) -> Vec<Peer> {
    let words = |line: &str| line.split(' ').map(String::from).collect::<Vec<_>>();
    std::fs::write(bundle.join("config.json"), oci_config()).expect("config.json");
    let (data, root, bundle) = (harness::data().display(), root.display(), bundle.display());
    let vitrine = harness::binary().display();
    let (ours, id) = (format!("{vitrine} run --data {data}"), std::process::id());
    let peer = |name, line: String| Peer { name, words: words(&line) };
    let mut peers = vec![
        peer("vitrine run --all", format!("{ours} --all --rootfs busybox -- true")),
        peer(
            BWRAP,
            format!(
                "bwrap --unshare-all --die-with-parent --ro-bind {root} / --proc /proc --dev /dev true"
            ),
        ),
        peer(CRUN, format!("crun run --bundle {bundle} vitrine-bench-{id}")),
        peer("runc run", format!("runc run --bundle {bundle} vitrine-bench-{id}")),
        peer(
            "unshare -UrpfmuinCT --root",
            format!(
                "unshare --user --map-root-user --pid --fork --mount --uts --ipc --net --cgroup --time \
                 --root={root} --mount-proc true"
            ),
        ),
    ];
    // The same program with a loader and the host's libraries.
    if let Ok(dynamic) = std::env::var("VITRINE_DYNAMIC") {
        let line = format!("{dynamic} run --data {data} --all --rootfs busybox -- true");
        peers.push(peer("vitrine run --all, linked dynamically", line));
    }
    peers
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

fn time(Peer { name, words }: &Peer) -> Duration {
    let mut command = Command::new(&words[0]);
    command.args(&words[1..]).stdin(Stdio::null()).stdout(Stdio::null()).stderr(Stdio::piped());
    let begun = Instant::now();
    let output = command.output().unwrap_or_else(|err| panic!("{name}: {err}"));
    let took = begun.elapsed();
    assert!(output.status.success(), "{name}: {}", String::from_utf8_lossy(&output.stderr));
    took
}

fn versions() -> String {
    let first_line = |program: &str| {
        let output = Command::new(program).arg("--version").output();
        let output = output.unwrap_or_else(|err| panic!("{program}: {err}"));
        String::from_utf8_lossy(&output.stdout).lines().next().unwrap_or_default().to_string()
    };
    let all = ["bwrap", "crun", "runc", "unshare"].map(first_line);
    format!("Peers: {}.", all.join(", "))
}
