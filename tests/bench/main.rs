//! Figures: Vitrine beside its peers, in turn, on one machine; read and laid out by `cargo xtask bench`.
//!
//! Each word on the command line is a bench; each prints tables as JSON, one a line. Peers take
//! turns, round by round, so that whatever else the machine does hits all of them.
//! crun and runc refuse hybrid cgroup hosts; for everybody alike the empty unified hierarchy is
//! taken out of view, in a mount namespace of this program's own.

#![allow(clippy::print_stderr, clippy::print_stdout, reason = "its output is what it is for")]

mod click;
mod cpu;
mod kill;
mod model;
mod peers;
#[allow(dead_code, reason = "shared with the soak")]
mod table;
mod terminal;

#[allow(dead_code, reason = "each of the test programs uses its part")]
#[path = "../harness/mod.rs"]
mod harness;
#[allow(clippy::unwrap_used, reason = "a part of the test of the same name")]
#[path = "../model/kernel.rs"]
mod kernel;
#[allow(clippy::unwrap_used, reason = "a part of the test of the same name")]
#[path = "../model/scene.rs"]
mod scene;

use nix::mount::{MntFlags, MsFlags, mount, umount2};
use nix::sched::{CloneFlags, unshare};

/// A bench: its name, and what it does in so many rounds.
type Bench = (&'static str, fn(usize));

const BENCHES: [Bench; 6] = [
    ("run", peers::bench),
    ("click", click::bench),
    ("kill", kill::bench),
    ("terminal", terminal::bench),
    ("cpu", cpu::bench),
    ("model", model::bench),
];

fn main() {
    // `cargo bench` adds a flag of its own.
    let words: Vec<String> = std::env::args().skip(1).filter(|word| word != "--bench").collect();
    let (rounds, names) = words.split_first().expect("rounds, then the names of benches");
    let rounds: usize = rounds.parse().expect("the number of rounds");
    own_mounts();
    for name in names {
        let (_, bench) = BENCHES.iter().find(|(known, _)| known == name).unwrap_or_else(|| {
            panic!("no bench {name}; there are {}", BENCHES.map(|b| b.0).join(", "))
        });
        bench(rounds);
    }
}

fn own_mounts() {
    let none = None::<&str>;
    unshare(CloneFlags::CLONE_NEWNS).expect("root");
    mount(none, "/", none, MsFlags::MS_REC | MsFlags::MS_PRIVATE, none).expect("make / private");
    // A host without a second, unified hierarchy has nothing to hide.
    let _ = umount2("/sys/fs/cgroup/unified", MntFlags::MNT_DETACH);
}
