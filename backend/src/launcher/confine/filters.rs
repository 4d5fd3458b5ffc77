//! What is loaded says the same of every call as the plain reading of its sources: the list, as
//! seccompiler makes one test after the other of it, and in front of it what is overridden.

#[allow(dead_code, clippy::print_stdout, reason = "the build script's own part of it")]
#[path = "../../../build/seccomp.rs"]
mod compiler;

use std::collections::BTreeSet;
use std::path::{Path, PathBuf};

use compiler::{ALLOW, Instruction, compile_one, newest_known, seccompile, with_includes};

use super::filter;

/// `struct seccomp_data`: the number, the architecture, the caller's place, six arguments.
struct Call {
    number: u32,
    arch: u32,
    arguments: [u64; 6],
}

impl Call {
    fn word(&self, offset: u32) -> u32 {
        let half = |at: u32| {
            let value = self.arguments[at as usize / 8].to_ne_bytes();
            let at = at as usize % 8;
            u32::from_ne_bytes([value[at], value[at + 1], value[at + 2], value[at + 3]])
        };
        match offset {
            0 => self.number,
            4 => self.arch,
            8 | 12 => 0,
            other => half(other - 16),
        }
    }
}

/// Classic BPF, as far as filters are made of it.
fn run(program: &[Instruction], call: &Call) -> u32 {
    let (mut at, mut value) = (0, 0_u32);
    loop {
        let (code, jt, jf, k) = program[at];
        let pick = |yes: bool| usize::from(if yes { jt } else { jf });
        at += 1 + match code {
            0x20 => {
                value = call.word(k);
                0
            }
            0x54 => {
                value &= k;
                0
            }
            0x05 => k as usize,
            0x15 => pick(value == k),
            0x25 => pick(value > k),
            0x35 => pick(value >= k),
            0x45 => pick(value & k != 0),
            0x06 => return k,
            other => panic!("instruction {other:#x}"),
        };
    }
}

fn policy(name: &str) -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("seccomp").join(name)
}

/// The plain programs: the list, and each that overrides it with the newest call that it knows.
struct Plain {
    list: Vec<Instruction>,
    overrides: Vec<(Vec<Instruction>, u32)>,
}

impl Plain {
    fn of(file: &Path, arch: &str) -> Self {
        let source = with_includes(file);
        let over = source.lines().filter_map(|line| line.strip_prefix("override "));
        let over = over.map(|name| {
            let file = policy(name.trim());
            let source = with_includes(&file);
            (seccompile(&source, &file, arch), newest_known(&source))
        });
        Plain { list: seccompile(&source, file, arch), overrides: over.collect() }
    }

    fn verdict(&self, call: &Call) -> u32 {
        /// Above are the calls of the x32 ABI, which are on no list.
        const CALLS: u32 = 1024;
        const NO_SUCH_CALL: u32 = 0x0005_0000 | libc::ENOSYS.unsigned_abs();
        let over = self.overrides.iter().map(|(program, newest)| match call.number {
            newer if newer > *newest && newer < CALLS => NO_SUCH_CALL,
            _ => run(program, call),
        });
        over.into_iter().find(|&verdict| verdict != ALLOW).unwrap_or_else(|| run(&self.list, call))
    }

    /// Every number that an argument is compared with, those beside it, and the ends.
    fn values(&self) -> Vec<u64> {
        let all = self.list.iter().filter(|i| i.0 != 0x06 && i.0 != 0x05 && i.0 != 0x20);
        let all = all.map(|i| u64::from(i.3)).filter(|&k| k != 0xc000_003e && k > 512);
        let beside = all.flat_map(|k| [k, k + 1, k - 1, k | 1 << 40]);
        let all: BTreeSet<u64> = beside.chain([0, 1, 2, 5, 16, 17, u64::MAX]).collect();
        all.into_iter().collect()
    }
}

#[test]
fn a_filter_decides_as_its_sources_read() {
    let arch = std::env::consts::ARCH;
    for (name, loaded) in [
        ("strict", filter::STRICT),
        ("lab", filter::LAB),
        ("launcher", filter::LAUNCHER),
        ("web", filter::WEB),
        ("unpack", filter::UNPACK),
        ("observer", filter::OBSERVER),
    ] {
        let file = policy(&format!("{name}.policy"));
        let program = compile_one(&file, arch);
        assert_eq!(compiler::bytes(&program), loaded, "{name}");
        let plain = Plain::of(&file, arch);
        let native = program[1].3;
        let values = plain.values();
        let mut said = BTreeSet::new();
        let numbers = (0..1100).chain([0x4000_0000, 0x4000_0038, 0x4000_01b3, u32::MAX]);
        for number in numbers {
            for &value in &values {
                let call = Call { number, arch: native, arguments: [value; 6] };
                let (mine, wanted) = (run(&program, &call), plain.verdict(&call));
                assert_eq!(mine, wanted, "{name}: call {number} with {value:#x}");
                said.insert(mine);
            }
            // Another architecture's numbers mean other calls.
            for arch in [native ^ 1, 0x4000_0003, 0] {
                let call = Call { number, arch, arguments: [0; 6] };
                assert_eq!(run(&program, &call), 0x8000_0000, "{name}: {number} of {arch:#x}");
            }
        }
        assert!(said.len() > 1, "{name} says the same of every call");
        // A new filter is translated at each birth: it stays short.
        assert!(program.len() < 260, "{name}: {} instructions", program.len());
    }
}
