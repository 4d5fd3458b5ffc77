//! What runs in the guest: CI's list, everything, or what somebody names.

use std::time::Duration;

use super::qemu::Bounds;

/// The test programs that run there.
pub(super) const PROGRAMS: [&str; 2] = ["it", "leaks"];

/// From power-on to power-off. Emulated on a busy host, CI's tests take three to six minutes; the
/// slowest test is a minute of that, and a line comes when it ends (or from libtest, when it has
/// taken 60 s).
pub(super) const BOUNDS: Bounds =
    Bounds { patience: Duration::from_secs(900), silence: Duration::from_secs(150) };
/// Everything takes as long as it takes; a silent guest is one that hangs all the same.
const BOUNDS_OF_ALL: Bounds = Bounds { patience: Duration::from_secs(3_600), ..BOUNDS };

/// What somebody wants to have run.
pub(crate) enum Wish {
    /// What CI runs.
    Ci,
    /// All that can run there, also what was never judged on v2.
    All,
    /// Tests of `it` with one of these in their names.
    Named(Vec<String>),
}

impl Wish {
    /// The tests.
    pub(super) fn chosen(&self) -> Vec<Chosen> {
        match self {
            Wish::Ci => ci(),
            Wish::All => all(),
            Wish::Named(words) => {
                vec![Chosen { program: "it", threads: 2, words: words.clone(), not: vec![] }]
            }
        }
    }

    /// How long they may take.
    pub(super) const fn bounds(&self) -> Bounds {
        match self {
            Wish::Ci => BOUNDS,
            Wish::All | Wish::Named(_) => BOUNDS_OF_ALL,
        }
    }

    /// With the boot under systemd?
    pub(super) const fn is_whole(&self) -> bool {
        !matches!(self, Wish::Named(_))
    }
}

/// A test program, how many tests at a time, and which.
pub(super) struct Chosen {
    /// Its name.
    pub(super) program: &'static str,
    /// Tests at a time.
    pub(super) threads: u8,
    /// Parts of their names; none is all.
    pub(super) words: Vec<String>,
    /// Parts of the names of those that do not run.
    pub(super) not: Vec<String>,
}

/// What no guest can run: a program that wants the whole of python's library, and what makes images
/// with a tool of the host's.
const NOT: &[&str] = &["protocol_doc::", "umoci"];

/// Those of `it` that CI runs there: everything that differs between the dialects. What is left out
/// costs much under emulation and asks the same of both: `cargo xtask vm --all` runs it.
///
/// - `lab_docker`: some twenty containers, one after another
/// - `lab`, `lab_shut`: containers made by hand, what is done to `/dev`, `/proc`, the network;
///   thousands of groups
/// - `truth`: the probes that end, and lxcfs, which tells of no quota on v2 before its 6.0
/// - `memory`: that its parts add up, which two readings of a busy guest need not do
/// - `focus`: loops whose shares are compared
const CI: &[&str] = &[
    // Also of `cgroups` and `lab_groups`.
    "groups::",
    "delegated::",
    "spaces::",
    "limits::",
    "knobs::",
    "memory::who_was_killed",
    "flags::all_and_none",
    "killed::t",
    "lab::groups_of_ones_own",
];

/// Those of `leaks`: not what 40 clients at once do to two emulated cores.
const LEAKS: &[&str] =
    &["sixty_machines", "failed_births", "a_killed_launcher", "come_and_go_together"];

fn ci() -> Vec<Chosen> {
    vec![
        Chosen { program: "it", threads: 2, words: owned(CI), not: owned(NOT) },
        Chosen { program: "leaks", threads: 1, words: owned(LEAKS), not: vec![] },
    ]
}

fn all() -> Vec<Chosen> {
    vec![
        Chosen { program: "it", threads: 2, words: vec![], not: owned(NOT) },
        Chosen { program: "leaks", threads: 1, words: vec![], not: vec![] },
    ]
}

fn owned(words: &[&str]) -> Vec<String> {
    words.iter().map(ToString::to_string).collect()
}
