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
//! override errno.policy      what another file, whose default is `allow`, refuses comes first
//! ```
//! Numbers after `=`, `!=` and `&` are hexadecimal. Several lines for one call are alternatives.
//!
//! seccompiler tests one call after the other. The kernel runs a new filter once for every call
//! there is (to learn which ones it always allows), so a chain of 300 tests costs 0.7 ms at each
//! start of a container. Calls without a condition are therefore found by bisection, in front of
//! what seccompiler makes of the rest. The ends of that tree are shared, and there is one program
//! and not a second one for what is overridden: each is translated by the kernel when it is loaded.

use std::collections::BTreeMap;
use std::fmt::Write as _;
use std::path::Path;

/// Compiles every `*.policy` file but those that are there to override others.
pub(crate) fn compile() {
    println!("cargo:rerun-if-changed=seccomp");
    let out = std::env::var("OUT_DIR").expect("cargo sets OUT_DIR");
    let mut files: Vec<_> = std::fs::read_dir("seccomp")
        .expect("backend/seccomp")
        .flatten()
        .map(|e| e.path())
        .collect();
    files.sort();
    let arch = std::env::var("CARGO_CFG_TARGET_ARCH").expect("cargo sets the target");
    for file in files.iter().filter(|file| file.extension().is_some_and(|e| e == "policy")) {
        let name = file.file_stem().and_then(|stem| stem.to_str()).expect("a UTF-8 file name");
        if name.ends_with("-errno") {
            // Part of others.
            continue;
        }
        let program = bytes(&compile_one(file, &arch));
        std::fs::write(Path::new(&out).join(format!("{name}.bpf")), program).expect("OUT_DIR");
    }
}

/// One instruction of classic BPF: code, jump if true, jump if false, operand.
pub(super) type Instruction = (u16, u8, u8, u32);

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

/// As the kernel takes it.
pub(super) fn bytes(program: &[Instruction]) -> Vec<u8> {
    let bytes = |(code, jt, jf, k): &Instruction| {
        let [c0, c1] = code.to_ne_bytes();
        let [k0, k1, k2, k3] = k.to_ne_bytes();
        [c0, c1, *jt, *jf, k0, k1, k2, k3]
    };
    program.iter().flat_map(bytes).collect()
}

pub(super) fn compile_one(file: &Path, arch: &str) -> Vec<Instruction> {
    let source = with_includes(file);
    let has_condition = |line: &&str| {
        let words = line.split('#').next().unwrap_or_default().split_whitespace();
        line.trim_start().starts_with("allow") && words.count() > 2
    };
    let (with, without): (Vec<&str>, Vec<&str>) = source.lines().partition(has_condition);
    let default: Vec<&str> = source.lines().filter(|line| line.starts_with("default")).collect();
    let plain = seccompile(&without.join("\n"), file, arch);
    let mut verdicts = verdicts(&source, &plain);
    for over in source.lines().filter_map(|line| line.strip_prefix("override ")) {
        let over = file.with_file_name(over.trim());
        let source = with_includes(&over);
        let others = self::verdicts(&source, &seccompile(&source, &over, arch));
        for (verdict, other) in verdicts.iter_mut().zip(others) {
            *verdict = if other == ALLOW { *verdict } else { other };
        }
    }
    let otherwise = verdict(&plain, CALLS);
    let conditions = match with.as_slice() {
        [] => vec![(bpf::RETURN, 0, 0, otherwise)],
        _ => seccompile(&[default, with].concat().join("\n"), file, arch),
    };
    assemble(&verdicts, otherwise, arch_of(&plain), &conditions)
}

/// What is said of every call by its number alone.
fn verdicts(source: &str, plain: &[Instruction]) -> Vec<u32> {
    let newest = newest_known(source);
    let one = |number| if number > newest { ERRNO_NOSYS } else { verdict(plain, number) };
    (0..CALLS).map(one).collect()
}

/// A policy's text, with that of the files that it includes.
pub(super) fn with_includes(file: &Path) -> String {
    let source = std::fs::read_to_string(file)
        .unwrap_or_else(|err| panic!("policy {}: {err}", file.display()));
    let lines = source.lines().map(|line| match line.strip_prefix("include ") {
        Some(other) => with_includes(&file.with_file_name(other.trim())),
        None => line.to_string(),
    });
    lines.collect::<Vec<_>>().join("\n")
}

/// `SECCOMP_RET_ALLOW`.
pub(super) const ALLOW: u32 = 0x7fff_0000;
/// `SECCOMP_RET_ERRNO` with `ENOSYS`.
const ERRNO_NOSYS: u32 = 0x0005_0000 | 38;

/// The number in `errno 38 above NUMBER`; past all calls without such a line.
pub(super) fn newest_known(source: &str) -> u32 {
    let number = |line: &str| line.strip_prefix("errno 38 above ")?.trim().parse().ok();
    source.lines().find_map(number).unwrap_or(CALLS)
}

pub(super) fn seccompile(source: &str, file: &Path, arch: &str) -> Vec<Instruction> {
    let json = to_json(source, file);
    let arch = arch.try_into().expect("an architecture that seccompiler knows");
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
    let mut tree = Vec::new();
    let top = bisect(&runs, &mut tree);
    let mut program = vec![
        (bpf::LOAD, 0, 0, ARCH),
        (bpf::IF_EQUAL, 1, 0, arch),
        (bpf::RETURN, 0, 0, KILL),
        (bpf::LOAD, 0, 0, NUMBER),
    ];
    if let Target::End(verdict) = top {
        // One verdict for all, and nothing to look for.
        assert_eq!(verdict, default, "a policy that says one thing says it as its default");
    }
    // Behind the tree its ends: a return for each verdict, and last the program for the rest.
    let mut ends: Vec<u32> = runs.iter().map(|&(_, verdict)| verdict).collect();
    ends.sort_unstable();
    ends.dedup();
    ends.retain(|&verdict| verdict != default);
    let place = |target: &Target| match target {
        Target::Test(at) => *at,
        Target::End(verdict) => {
            let end = ends.iter().position(|end| end == verdict).unwrap_or(ends.len());
            tree.len() + end
        }
    };
    for (at, Test { at_least, then, otherwise }) in tree.iter().enumerate() {
        let jump = |target| {
            u8::try_from(place(target) - at - 1).expect("a tree of fewer than 255 comparisons")
        };
        program.push((bpf::IF_AT_LEAST, jump(then), jump(otherwise), *at_least));
    }
    program.extend(ends.iter().map(|&verdict| (bpf::RETURN, 0, 0, verdict)));
    program.extend(rest);
    program
}

/// Where a comparison leads.
enum Target {
    /// To another comparison, by its place in the tree.
    Test(usize),
    /// To what is said of the call; the default stands for the program for the rest.
    End(u32),
}

/// "Is the number at least this?"
struct Test {
    at_least: u32,
    then: Target,
    otherwise: Target,
}

/// Adds the comparisons that tell these runs apart; those of the lower half come first.
fn bisect(runs: &[(u32, u32)], tree: &mut Vec<Test>) -> Target {
    if let [(_, verdict)] = runs {
        return Target::End(*verdict);
    }
    let (low, high) = runs.split_at(runs.len() / 2);
    let at = tree.len();
    tree.push(Test { at_least: high[0].0, then: Target::Test(at), otherwise: Target::Test(at) });
    tree[at].otherwise = bisect(low, tree);
    tree[at].then = bisect(high, tree);
    Target::Test(at)
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
            ["errno", "38", "above", _] | ["override", _] => {}
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
