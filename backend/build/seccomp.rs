//! Compiles the seccomp programs of `backend/seccomp/` and writes them to `OUT_DIR`.
//!
//! Compiling one takes as long as starting a container, so it is done here and not there. The
//! sources are lists of names, one a line, with an optional condition after the name:
//!
//! ```text
//! default errno 1            what happens to calls that are not listed
//! allow read                 a plain name
//! allow clone  0 &7e020080 = 0          argument 0, masked, equals
//! allow ioctl  1 != 5412 , 1 != 541c    low 32 bits of argument 1; all conditions must hold
//! errno 38 clone3            in a file whose default is `allow`
//! errno 38 above 451         every call with a larger number
//! include strict.policy      everything that another file says
//! ```
//! Numbers after `=`, `!=` and `&` are hexadecimal. Several lines for one call are alternatives.
//!
//! seccompiler tests one call after the other. The kernel runs a new filter once for every call
//! there is (to learn which ones it always allows), so a chain of 300 tests costs 0.7 ms at each
//! start of a container. Calls without a condition are therefore found by bisection, in front of
//! what seccompiler makes of the rest.

use std::collections::BTreeMap;
use std::fmt::Write as _;
use std::path::Path;

/// Compiles every `*.policy` file.
pub(crate) fn compile() {
    println!("cargo:rerun-if-changed=seccomp");
    let out = std::env::var("OUT_DIR").expect("cargo sets OUT_DIR");
    let mut files: Vec<_> = std::fs::read_dir("seccomp")
        .expect("backend/seccomp")
        .flatten()
        .map(|e| e.path())
        .collect();
    files.sort();
    for file in files.iter().filter(|file| file.extension().is_some_and(|e| e == "policy")) {
        let name = file.file_stem().and_then(|stem| stem.to_str()).expect("a UTF-8 file name");
        let program = compile_one(file);
        std::fs::write(Path::new(&out).join(format!("{name}.bpf")), program).expect("OUT_DIR");
    }
}

/// One instruction of classic BPF: code, jump if true, jump if false, operand.
type Instruction = (u16, u8, u8, u32);

/// From `linux/bpf_common.h`.
mod bpf {
    pub(super) const LOAD: u16 = 0x20;
    pub(super) const JUMP: u16 = 0x05;
    pub(super) const IF_EQUAL: u16 = 0x15;
    pub(super) const IF_AT_LEAST: u16 = 0x35;
    pub(super) const RETURN: u16 = 0x06;
}
/// Offsets in `struct seccomp_data`.
const NUMBER: u32 = 0;
const ARCH: u32 = 4;
/// More calls than any kernel has. Above are those of the x32 ABI: what strict machines may ask
/// for is a list, and they are not on it.
const CALLS: u32 = 1024;

fn compile_one(file: &Path) -> Vec<u8> {
    let source = with_includes(file);
    let has_condition = |line: &&str| {
        let words = line.split('#').next().unwrap_or_default().split_whitespace();
        line.trim_start().starts_with("allow") && words.count() > 2
    };
    let (with, without): (Vec<&str>, Vec<&str>) = source.lines().partition(has_condition);
    let default: Vec<&str> = source.lines().filter(|line| line.starts_with("default")).collect();
    let plain = seccompile(&without.join("\n"), file);
    let newest = newest_known(&source);
    let one = |number| if number > newest { ERRNO_NOSYS } else { verdict(&plain, number) };
    let verdicts: Vec<u32> = (0..CALLS).map(one).collect();
    let otherwise = verdict(&plain, CALLS);
    let conditions = match with.as_slice() {
        [] => vec![(bpf::RETURN, 0, 0, otherwise)],
        _ => seccompile(&[default, with].concat().join("\n"), file),
    };
    let program = assemble(&verdicts, otherwise, arch_of(&plain), &conditions);
    let bytes = |(code, jt, jf, k): &Instruction| {
        let [c0, c1] = code.to_ne_bytes();
        let [k0, k1, k2, k3] = k.to_ne_bytes();
        [c0, c1, *jt, *jf, k0, k1, k2, k3]
    };
    program.iter().flat_map(bytes).collect()
}

/// A policy's text, with that of the files that it includes.
fn with_includes(file: &Path) -> String {
    let source = std::fs::read_to_string(file)
        .unwrap_or_else(|err| panic!("policy {}: {err}", file.display()));
    let lines = source.lines().map(|line| match line.strip_prefix("include ") {
        Some(other) => with_includes(&file.with_file_name(other.trim())),
        None => line.to_string(),
    });
    lines.collect::<Vec<_>>().join("\n")
}

/// `SECCOMP_RET_ERRNO` with `ENOSYS`.
const ERRNO_NOSYS: u32 = 0x0005_0000 | 38;

/// The number in `errno 38 above NUMBER`; past all calls without such a line.
fn newest_known(source: &str) -> u32 {
    let number = |line: &str| line.strip_prefix("errno 38 above ")?.trim().parse().ok();
    source.lines().find_map(number).unwrap_or(CALLS)
}

fn seccompile(source: &str, file: &Path) -> Vec<Instruction> {
    let json = to_json(source, file);
    let arch = std::env::var("CARGO_CFG_TARGET_ARCH").expect("cargo sets the target");
    let arch = arch.as_str().try_into().expect("an architecture that seccompiler knows");
    let programs = seccompiler::compile_from_json(json.as_bytes(), arch)
        .unwrap_or_else(|err| panic!("{}: {err}", file.display()));
    programs["policy"].iter().map(|i| (i.code, i.jt, i.jf, i.k)).collect()
}

/// The architecture that a program of seccompiler's asks for first.
fn arch_of(program: &[Instruction]) -> u32 {
    program.iter().find(|i| i.0 == bpf::IF_EQUAL).expect("it looks at the architecture").3
}

/// What a program that looks at nothing but the number says of it.
fn verdict(program: &[Instruction], number: u32) -> u32 {
    let (mut at, mut value) = (0, 0);
    loop {
        let (code, jt, jf, k) = program[at];
        at += 1 + match code {
            bpf::LOAD if k == NUMBER => {
                value = number;
                0
            }
            bpf::LOAD if k == ARCH => {
                value = arch_of(program);
                0
            }
            bpf::JUMP => k as usize,
            bpf::IF_EQUAL => usize::from(if value == k { jt } else { jf }),
            bpf::IF_AT_LEAST => usize::from(if value >= k { jt } else { jf }),
            bpf::RETURN => return k,
            other => panic!("a plain rule compiled to instruction {other:#x} at {}", at),
        }
    }
}

/// Bisection over the numbers, then the program for calls with conditions.
fn assemble(verdicts: &[u32], default: u32, arch: u32, rest: &[Instruction]) -> Vec<Instruction> {
    /// `SECCOMP_RET_KILL_PROCESS`: somebody uses another architecture's calls.
    const KILL: u32 = 0x8000_0000;
    // Runs of equal verdicts, each with its first number; above the last, the default.
    let mut runs: Vec<(u32, u32)> = Vec::new();
    for (number, &verdict) in (0..).zip(verdicts).chain([(CALLS, &default)]) {
        if runs.last().is_none_or(|&(_, last)| last != verdict) {
            runs.push((number, verdict));
        }
    }
    let tree = bisect(&runs, default);
    let mut program = vec![
        (bpf::LOAD, 0, 0, ARCH),
        (bpf::IF_EQUAL, 1, 0, arch),
        (bpf::RETURN, 0, 0, KILL),
        (bpf::LOAD, 0, 0, NUMBER),
    ];
    let end = program.len() + tree.len();
    for (code, jt, jf, k) in tree {
        // A jump of 0 stands for "the program for the rest".
        let to_end = u32::try_from(end - program.len() - 1).expect("a short program");
        let k = if code == bpf::JUMP { to_end } else { k };
        program.push((code, jt, jf, k));
    }
    program.extend(rest);
    program
}

fn bisect(runs: &[(u32, u32)], default: u32) -> Vec<Instruction> {
    if let [(_, verdict)] = runs {
        let to_rest = (bpf::JUMP, 0, 0, 0);
        return vec![if *verdict == default { to_rest } else { (bpf::RETURN, 0, 0, *verdict) }];
    }
    let (low, high) = runs.split_at(runs.len() / 2);
    let (first, low, high) = (high[0].0, bisect(low, default), bisect(high, default));
    let skip = u8::try_from(low.len()).expect("fewer than 256 instructions in half a tree");
    [vec![(bpf::IF_AT_LEAST, skip, 0, first)], low, high].concat()
}

fn to_json(source: &str, file: &Path) -> String {
    let bad = |line: &str| -> ! { panic!("{}: cannot read {line:?}", file.display()) };
    let mut default = String::new();
    let mut matched = String::from("\"allow\"");
    let mut rules: BTreeMap<(String, usize), String> = BTreeMap::new();
    for (number, line) in source.lines().enumerate() {
        let line = line.split('#').next().unwrap_or_default().trim();
        let words: Vec<&str> = line.split_whitespace().collect();
        match words.as_slice() {
            [] => {}
            ["default", "allow"] => default = "\"allow\"".into(),
            ["default", "errno", errno] => default = format!("{{\"errno\":{errno}}}"),
            ["errno", "38", "above", _] => {}
            ["errno", errno, name] => {
                matched = format!("{{\"errno\":{errno}}}");
                rules.insert(((*name).into(), number), String::new());
            }
            ["allow", name] => {
                rules.insert(((*name).into(), number), String::new());
            }
            ["allow", name, conditions @ ..] => {
                let args: Vec<String> = conditions
                    .split(|&word| word == ",")
                    .map(|words| condition(words).unwrap_or_else(|| bad(line)))
                    .collect();
                rules.insert(((*name).into(), number), args.join(","));
            }
            _ => bad(line),
        }
    }
    let mut filter = String::new();
    for ((name, _), args) in &rules {
        let comma = if filter.is_empty() { "" } else { "," };
        let args = if args.is_empty() { String::new() } else { format!(",\"args\":[{args}]") };
        write!(filter, "{comma}{{\"syscall\":\"{name}\"{args}}}").expect("a string takes anything");
    }
    format!(
        "{{\"policy\":{{\"mismatch_action\":{default},\"match_action\":{matched},\"filter\":[{filter}]}}}}"
    )
}

/// `INDEX = HEX`, `INDEX != HEX`, `INDEX &MASK = HEX`; all on the low 32 bits, because the kernel
/// ignores the high ones where an `int` is meant (CVE-2019-10063 compared all 64).
fn condition(words: &[&str]) -> Option<String> {
    let hex = |text: &str| u64::from_str_radix(text, 16).ok();
    let (index, op, val) = match words {
        [index, "=", value] => (index, "\"eq\"".to_string(), hex(value)?),
        [index, "!=", value] => (index, "\"ne\"".to_string(), hex(value)?),
        [index, mask, "=", value] => {
            let mask = hex(mask.strip_prefix('&')?)?;
            (index, format!("{{\"masked_eq\":{mask}}}"), hex(value)?)
        }
        _ => return None,
    };
    Some(format!("{{\"index\":{index},\"type\":\"dword\",\"op\":{op},\"val\":{val}}}"))
}
