//! Scripts that nobody would write: none of them makes the simulator panic or hang, and each goes the same
//! way twice.
//!
//! Drawn by a seed that every failure tells. `VITRINE_SEED` gives another, `VITRINE_SCRIPTS` says how many.

use super::super::Terminal;
use crate::cgroup::Dialect;
use crate::sim::dice::Dice;
use crate::sim::kernel::{Kernel, Setup};

/// Simulated time of each.
const HOW_LONG_NSEC: u64 = 200_000_000;
/// Scripts of a run without being told.
const SCRIPTS: u64 = 600;

const WORDS: [&str; 96] = [
    "echo",
    "cat",
    "ls",
    "ls -l",
    "mkdir",
    "mkdir -p",
    "rmdir",
    "rm",
    "rm -f",
    "touch",
    "mount",
    "umount",
    "mount -t tmpfs x",
    "mount -t proc x",
    "mount --bind /",
    "unshare -p -f",
    "unshare -Urm",
    "unshare -n",
    "unshare -C",
    "nsenter -a -t",
    "nsenter -t 1 -p",
    "chroot",
    "pivot_root",
    "hostname",
    "kill -9",
    "kill -STOP",
    "kill -CONT",
    "kill",
    "wait",
    "jobs",
    "sleep 0.01",
    "sleep",
    "ps -ef",
    "ps -o pid,comm",
    "top -n 1",
    "free",
    "stress -c 3 -t 1",
    "stress -m 2 --vm-bytes 900M -t 1",
    "sh -c",
    "exec",
    "exec sh",
    "cd",
    "pwd",
    "read x",
    "printf '%s %d\\n'",
    "test -d",
    "[ 1 -lt",
    "seq 9",
    "head -1",
    "tail -2",
    "sort -rn",
    "wc",
    "grep -E",
    "grep -o 'a*'",
    "cut -d/ -f2-",
    "tr a-z A-Z",
    "uniq -c",
    "tee /tmp/t",
    "yes",
    "cmp /tmp/t",
    "docker run",
    "busybox busybox",
    "lsns",
    "ip addr",
    "id",
    "set --",
    "shift 3",
    "exit",
    "break 2",
    "continue",
    "export a=b",
    "unset a",
    "type",
    "nothing-there",
    "/tmp",
    "/proc/self/ns/uts",
    "/sys/fs/cgroup",
    "/sys/fs/cgroup/cpu",
    "a",
    "a/b",
    "cpu.max",
    "cpu.cfs_quota_us",
    "tasks",
    "cgroup.procs",
    "cgroup.subtree_control",
    "+cpu -memory",
    "freezer.state",
    "FROZEN",
    "cgroup.freeze",
    "pids.max",
    "memory.max",
    "64M",
    "-1",
    "0",
    "999999999999999999999",
    "/proc/self/uid_map",
];
const SIGNS: [&str; 40] = [
    " ",
    " ",
    " ",
    " ",
    " ",
    "\n",
    "\n",
    "; ",
    " | ",
    " & ",
    " && ",
    " || ",
    " > ",
    " >> ",
    " < ",
    " 2>&1 ",
    "$$",
    "$!",
    "$?",
    "$a",
    "\"$@\"",
    "$(",
    ")",
    "(",
    "{ ",
    "; }",
    "if ",
    "; then ",
    "; else ",
    "; fi",
    "while ",
    "; do ",
    "; done",
    "for a in ",
    "'",
    "\"",
    "\\",
    "*",
    "$((",
    "é",
];

impl Dice {
    fn roll(&mut self, below: usize) -> usize {
        usize::try_from(self.below(below as u64)).unwrap()
    }

    fn script(&mut self) -> String {
        let mut text = String::new();
        for _ in 0..2 + self.roll(30) {
            text += WORDS[self.roll(WORDS.len())];
            text += SIGNS[self.roll(SIGNS.len())];
            if self.roll(3) == 0 {
                text += SIGNS[self.roll(SIGNS.len())];
            }
        }
        text
    }

    /// One whose lines are commands: it comes further.
    fn tidy(&mut self) -> String {
        let mut text = String::new();
        for _ in 0..2 + self.roll(12) {
            for _ in 0..1 + self.roll(3) {
                text += WORDS[self.roll(WORDS.len())];
                text.push(' ');
            }
            text += ["\n", "\n", " &\n", " > a\n", " | cat\n", " 2>/dev/null\n"][self.roll(6)];
        }
        text
    }
}

/// What it wrote, its status, and the trace.
fn run(setup: Setup, text: &str) -> (String, Option<u8>, u64) {
    let terminal = Terminal::script(setup, text.to_owned());
    terminal.advance(HOW_LONG_NSEC);
    let trace = terminal.world().look(Kernel::trace_hash);
    (terminal.world().take_screen(), terminal.status(), trace)
}

fn number(name: &str, usual: u64) -> u64 {
    std::env::var(name).ok().and_then(|text| text.parse().ok()).unwrap_or(usual)
}

#[test]
fn no_script_makes_it_panic_and_each_goes_one_way() {
    let first = number("VITRINE_SEED", 20_261_130);
    for seed in first..first + number("VITRINE_SCRIPTS", SCRIPTS) {
        let mut dice = Dice::new(seed);
        let text = if seed % 2 == 0 { dice.script() } else { dice.tidy() };
        let dialect = if dice.roll(2) == 0 { Dialect::V1 } else { Dialect::V2 };
        let mut setup = Setup { dialect, ..Setup::default() };
        setup.hardware.seed = seed;
        setup.hardware.n_cpus = 1 + dice.roll(4);
        let both = std::panic::catch_unwind(|| (run(setup, &text), run(setup, &text)));
        let Ok((one, other)) = both else { panic!("VITRINE_SEED={seed}: it panics: {text}") };
        assert_eq!(one, other, "VITRINE_SEED={seed}: {text}");
    }
}

#[test]
fn no_typed_line_makes_it_panic() {
    let terminal = Terminal::new(Setup::default());
    let mut dice = Dice::new(number("VITRINE_SEED", 7));
    for _ in 0..60 {
        let text = dice.script();
        terminal.line(&text, HOW_LONG_NSEC / 10);
        terminal.world().interrupt(terminal.world().console());
    }
}

#[test]
fn what_nests_without_end_ends() {
    for text in [
        // A script that becomes itself; one that calls itself.
        "echo 'exec sh /tmp/a' > /tmp/a; sh /tmp/a",
        "echo 'sh /tmp/a; sh /tmp/a' > /tmp/a; sh /tmp/a",
        "echo 'sh /tmp/a | sh /tmp/a &' > /tmp/a; sh /tmp/a",
        "x=a; while :; do x=$x$x; done; echo $x | wc -c",
        "while :; do x=1; done",
        "while :; do mount -t tmpfs t /mnt; done",
        "while :; do unshare -p -f -m true; done",
        "yes > /tmp/a",
        "set -- a; while :; do set -- \"$@\" \"$@\"; done",
    ] {
        run(Setup::default(), text);
    }
    run(Setup::default(), &("busybox ".repeat(8_000) + "true"));
    run(Setup::default(), &("test ".to_owned() + &"! ".repeat(30_000) + "x"));
    run(Setup::default(), &("exec ".repeat(13_000) + "true"));
}
