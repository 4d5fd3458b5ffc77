//! The simulator's shell and kernel beside the real ones: the same scripts in both, word for word.
//!
//! `transcripts/table.txt` has them. A sample is drawn by a seed that is printed (`VITRINE_SEED` gives
//! another); `VITRINE_TRANSCRIPTS=all` runs all of them, as `cargo xtask soak` does, and a part of a name
//! those that have it.

#![allow(clippy::print_stdout, reason = "the seed, and what was run")]

use std::process::Command;

use vitrine_shared::spec::ContainerSpec;

use crate::harness::busy::Dice;
use crate::harness::cgroup::{Dialect, dialect};
use crate::harness::client::Client;
use crate::harness::command::{PATIENCE, spawn};
use crate::harness::lab;
use crate::harness::server::Server;
use crate::harness::term::Term;
use crate::harness::{binary, bound};

const TABLE: &str = include_str!("transcripts/table.txt");
/// How many are run without being told.
const SAMPLE: usize = 24;
/// What is typed before each script in a machine. `echo` of `dash` says `I/O error` whatever the error
/// is; the program says which.
const PRELUDE: &str = "exec </dev/null; cd /; echo() { /bin/echo \"$@\"; }; ";

/// A script of the table.
#[derive(Debug, Default)]
struct Transcript {
    name: &'static str,
    script: String,
    only_on: Option<Dialect>,
    masks_numbers: bool,
    differs: Option<&'static str>,
}

fn table() -> Vec<Transcript> {
    let mut all: Vec<Transcript> = Vec::new();
    for line in TABLE.lines() {
        if let Some(name) = line.strip_prefix("@ ") {
            all.push(Transcript { name, ..Transcript::default() });
            continue;
        }
        let Some(it) = all.last_mut() else { continue };
        match line.strip_prefix("% ") {
            None => it.script += &format!("{line}\n"),
            Some("on v1") => it.only_on = Some(Dialect::V1),
            Some("on v2") => it.only_on = Some(Dialect::V2),
            Some("mask numbers") => it.masks_numbers = true,
            Some(other) => match other.strip_prefix("differs ") {
                Some(why) => it.differs = Some(why),
                None => panic!("{}: % {other}", it.name),
            },
        }
    }
    all
}

/// Those to be run here.
fn chosen(dialect: Dialect) -> Vec<Transcript> {
    let mut all = table();
    all.retain(|it| it.only_on.is_none_or(|only| only == dialect));
    let wish = std::env::var("VITRINE_TRANSCRIPTS").unwrap_or_default();
    match wish.as_str() {
        "all" => {}
        // Hosts with v2 alone are few, and the VM is told nothing: all of them, whenever it is asked.
        "" if dialect == Dialect::V2 => {}
        "" => {
            let mut dice = Dice::new(20_261_201);
            println!("VITRINE_SEED={}: {SAMPLE} of {} transcripts", dice.seed, all.len());
            while all.len() > SAMPLE {
                let gone = usize::try_from(dice.roll(all.len() as u64)).unwrap();
                all.remove(gone);
            }
        }
        part => all.retain(|it| it.name.contains(part)),
    }
    all
}

#[test]
fn the_simulator_says_what_a_machine_says() {
    let dialect = dialect("cpu");
    let chosen = chosen(dialect);
    assert!(!chosen.is_empty(), "VITRINE_TRANSCRIPTS: no such name");
    let server = lab::server();
    let mut page = server.client();
    let (mut wrong, mut known) = (Vec::new(), 0);
    for it in &chosen {
        let real = mask(&in_a_machine(&server, &mut page, it), it.masks_numbers);
        let model = mask(&in_the_simulator(dialect, it), it.masks_numbers);
        match (it.differs, real == model) {
            (None, true) => {}
            (Some(_), false) => known += 1,
            (None, false) => {
                wrong.push(format!("@ {}\n{}", it.name, beside(&real, &model)));
            }
            (Some(why), true) => {
                wrong.push(format!("@ {}\nno longer differs: {why}\n", it.name));
            }
        }
    }
    println!("{} transcripts, {known} known differences", chosen.len());
    assert!(
        wrong.is_empty(),
        "{} differ (- machine, + simulator):\n{}",
        wrong.len(),
        wrong.concat()
    );
}

/// What a shell writes in a new machine, and its status at the end.
#[track_caller]
fn in_a_machine(server: &Server, page: &mut Client, it: &Transcript) -> String {
    let script = format!("{PRELUDE}{}", it.script);
    let argv = ["sh", "-c", script.trim_end()].map(str::to_owned).to_vec();
    let started = page.start(None, ContainerSpec { argv, ..ContainerSpec::machine_shell() });
    let mut term = Term::open(server, started.terminal.expect("a terminal"));
    let deadline = std::time::Instant::now() + bound(PATIENCE);
    while term.exit.is_none() {
        assert!(std::time::Instant::now() < deadline && !term.gone, "{}: it does not end", it.name);
        term.receive();
    }
    let text = String::from_utf8_lossy(&term.bytes).replace("\r\n", "\n");
    page.done(vitrine_shared::message::Command::EndMachine { machine: started.machine });
    format!("{text}= {}\n", term.exit.unwrap_or(-1))
}

fn in_the_simulator(dialect: Dialect, it: &Transcript) -> String {
    let dialect = if dialect == Dialect::V1 { "v1" } else { "v2" };
    let mut command = Command::new(binary());
    command.args(["sim", "--cgroup", dialect, "-"]);
    let outcome = spawn(&mut command, Some(it.script.trim_end().as_bytes())).end();
    format!("{}{}= {}\n", outcome.out, outcome.err, outcome.status)
}

/// What may differ, and what the simulator says more than a shell does, on purpose.
fn mask(text: &str, numbers: bool) -> String {
    let lines = text.lines().filter(|line| {
        // Newer libraries say it, older ones do not.
        !line.trim_start().starts_with("dmesg(1) may have more information")
            && !line.starts_with("(the simulator has: ")
    });
    let line = |line: &str| {
        let line = inodes(line);
        let own = |rest: &str| {
            let number = rest.split_once(": ")?;
            number.0.bytes().all(|byte| byte.is_ascii_digit()).then(|| number.1.to_owned())
        };
        // A line of the shell's own.
        let said = line.strip_prefix("sh: ").and_then(own);
        let line = match said.as_deref() {
            Some(said) if said.starts_with("echo: write error: ") => said.to_owned(),
            Some(said) if said.starts_with("Cannot fork") => "sh: Cannot fork".to_owned(),
            _ => line
                .strip_prefix("/bin/")
                .filter(|it| it.starts_with("echo: write error: "))
                .map_or(line.clone(), str::to_owned),
        };
        (if numbers { without_numbers(&line) } else { line }) + "\n"
    };
    lines.map(line).collect()
}

/// `uts:[4026531838]` without the number.
fn inodes(line: &str) -> String {
    let mut parts = line.split(":[");
    let mut all = parts.next().unwrap_or_default().to_owned();
    for part in parts {
        let rest = part.trim_start_matches(|c: char| c.is_ascii_digit());
        all += if rest.starts_with(']') { ":[N" } else { ":[" };
        all += if rest.starts_with(']') { rest } else { part };
    }
    all
}

fn without_numbers(line: &str) -> String {
    let mut all = String::new();
    for c in line.chars() {
        let (c, same) = match c {
            '0'..='9' => ('N', 'N'),
            ' ' | '\t' => (' ', ' '),
            c => (c, '\0'),
        };
        if !all.ends_with(same) {
            all.push(c);
        }
    }
    all
}

/// Two texts line by line: what is the same stands once.
fn beside(real: &str, model: &str) -> String {
    let (real, model): (Vec<&str>, Vec<&str>) = (real.lines().collect(), model.lines().collect());
    let before = real.iter().zip(&model).take_while(|(a, b)| a == b).count();
    let after = real[before..].iter().rev().zip(model[before..].iter().rev());
    let after = after.take_while(|(a, b)| a == b).count();
    let mut text = String::new();
    let part = |lines: &[&str], sign: &str| {
        let lines = &lines[before..lines.len() - after];
        lines.iter().map(|line| format!("  {sign} {line}\n")).collect::<String>()
    };
    text += &before.checked_sub(1).map_or(String::new(), |at| format!("    {}\n", real[at]));
    text + &part(&real, "-") + &part(&model, "+")
}

#[test]
fn the_table_is_sound() {
    let all = table();
    for (at, it) in all.iter().enumerate() {
        assert!(!it.script.trim().is_empty(), "{} has no lines", it.name);
        assert!(all[..at].iter().all(|other| other.name != it.name), "{} is there twice", it.name);
    }
    let on =
        |dialect| all.iter().filter(|it| it.only_on.is_none_or(|only| only == dialect)).count();
    let (v1, v2) = (on(Dialect::V1), on(Dialect::V2));
    assert!(v1 >= 80 && v2 >= 70, "{v1} on v1, {v2} on v2");
    assert_eq!(mask("uts:[4026531838] [1]\n", false), "uts:[N] [1]\n");
    assert_eq!(
        mask("sh: 3: echo: write error: E\n/bin/echo: write error: E\n", false)
            .lines()
            .collect::<std::collections::BTreeSet<_>>()
            .len(),
        1
    );
    assert_eq!(mask("a 12\tb\n", true), "a N b\n");
}
