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
//! ```
//! Numbers after `=`, `!=` and `&` are hexadecimal. Several lines for one call are alternatives.

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

fn compile_one(file: &Path) -> Vec<u8> {
    let source = std::fs::read_to_string(file).expect("a policy file");
    let json = to_json(&source, file);
    let arch = std::env::var("CARGO_CFG_TARGET_ARCH").expect("cargo sets the target");
    let arch = arch.as_str().try_into().expect("an architecture that seccompiler knows");
    let programs = seccompiler::compile_from_json(json.as_bytes(), arch)
        .unwrap_or_else(|err| panic!("{}: {err}", file.display()));
    let mut bytes = Vec::new();
    for instruction in &programs["policy"] {
        bytes.extend(instruction.code.to_ne_bytes());
        bytes.extend([instruction.jt, instruction.jf]);
        bytes.extend(instruction.k.to_ne_bytes());
    }
    bytes
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
