use std::collections::BTreeMap;
use std::io::Write as _;
use std::process::{Command as Program, Stdio};

use super::*;
use crate::cgroup::{GroupId, GroupPath, IoMax, Knob};
use crate::id::{ContainerId, MachineId};
use crate::message::{Act, Deed, Made, Profile};
use crate::namespace::{Namespace, NamespaceSet};
use crate::spec::{Limits, Rootfs};

const MACHINE: MachineId = MachineId(7);
const C1: ContainerId = ContainerId(1);
const SHELL: ContainerId = ContainerId(2);

type Told = (Command, Answer);

fn plain() -> Words<'static> {
    Words { note: &|note| format!("note: {note:?}"), asked: &|command| format!("{command:?}") }
}

fn known() -> BTreeMap<ContainerId, Known> {
    let limits = Limits { cpu_quota_usec: Some(20_000), pids_max: Some(9), ..Limits::default() };
    let spec = ContainerSpec { limits, ..ContainerSpec::one_click() };
    BTreeMap::from([
        (C1, Known { name: "c1".into(), pid: 100, spec }),
        (SHELL, Known { name: "shell".into(), pid: 200, spec: ContainerSpec::machine_shell() }),
    ])
}

fn setting(containers: &BTreeMap<ContainerId, Known>) -> Setting<'_> {
    Setting { cgroup_path: "vitrine/1-2/3", uid_base: 200_000, containers, here: Dialect::V1 }
}

fn done(command: Command) -> Told {
    (command, Answer::Done { deeds: Vec::new(), made: None })
}

fn started(container: ContainerId, spec: &ContainerSpec) -> Told {
    let made = Made::Container { machine: MACHINE, container, terminal: None };
    let command = Command::StartContainer { machine: Some(MACHINE), spec: spec.clone() };
    (command, Answer::Done { deeds: Vec::new(), made: Some(made) })
}

fn knob(group: GroupId, knob: Knob) -> Told {
    done(Command::SetKnob { machine: MACHINE, group, knob })
}

fn file(group: GroupId, file: &str, value: &str) -> Told {
    let (file, value) = (file.into(), value.into());
    done(Command::WriteFile { machine: MACHINE, group, file, value })
}

fn made(name: &str) -> GroupId {
    GroupId::Made(name.parse().unwrap())
}

fn make(parent: GroupId, name: &str) -> Told {
    done(Command::MakeGroup { machine: MACHINE, parent, name: name.into() })
}

fn moved(pid: u32, group: GroupId) -> Told {
    done(Command::MoveProcess { machine: MACHINE, pid, group })
}

fn exec(argv: &[&str], pid: u32) -> Told {
    let argv = argv.iter().map(|word| (*word).into()).collect();
    let command = Command::Exec { machine: MACHINE, container: C1, argv };
    (command, Answer::Done { deeds: Vec::new(), made: Some(Made::Process { pid }) })
}

/// Every kind of action.
fn session() -> Vec<Told> {
    let known = known();
    let quota = Knob::CpuMax { quota_usec: Some(50_000), period_usec: 100_000 };
    vec![
        done(Command::StartMachine { profile: Profile::Strict }),
        started(C1, &known[&C1].spec),
        knob(GroupId::Container(C1), quota),
        knob(GroupId::Container(C1), Knob::Freeze(true)),
        knob(GroupId::Container(C1), Knob::Freeze(false)),
        knob(GroupId::Container(C1), Knob::MemoryHigh(Some(1 << 24))),
        knob(
            GroupId::Root,
            Knob::IoMax(IoMax { major: 8, read_bps: Some(1 << 20), ..IoMax::default() }),
        ),
        file(GroupId::Container(C1), "cpu.shares", "512"),
        file(GroupId::Container(C1), "cpu.cfs_quota_us", "30000"),
        make(GroupId::Root, "web"),
        make(made("web"), "below"),
        started(SHELL, &ContainerSpec::machine_shell()),
        moved(200, made("web/below")),
        moved(4_711, made("web")),
        exec(&["sleep", "1000"], 300),
        done(Command::StopExecs { machine: MACHINE, container: C1 }),
        done(Command::StopContainer { machine: MACHINE, container: C1 }),
        moved(200, GroupId::Shell),
        done(Command::RemoveGroup { machine: MACHINE, group: made("web/below") }),
        done(Command::EndMachine { machine: MACHINE }),
    ]
}

fn script_of(told: &[Told], dialect: Dialect) -> String {
    let known = known();
    let actions: Vec<Action<'_>> =
        told.iter().map(|(command, answer)| Action { command, answer }).collect();
    script(&setting(&known), &actions, dialect, &plain())
}

/// Gives a text to a shell and what the shell printed.
#[track_caller]
fn shell(args: &[&str], text: &str) -> String {
    let mut child = Program::new("sh")
        .args(args)
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .spawn()
        .expect("this test needs a shell");
    child.stdin.take().unwrap().write_all(text.as_bytes()).unwrap();
    let output = child.wait_with_output().unwrap();
    assert!(output.status.success(), "{text}");
    String::from_utf8(output.stdout).unwrap()
}

#[test]
fn a_shell_can_read_it_in_both_dialects() {
    for dialect in [Dialect::V1, Dialect::V2] {
        let text = script_of(&session(), dialect);
        shell(&["-n"], &text);
        assert!(text.starts_with("#!/bin/sh\n# note: Head("), "{text}");
        assert!(text.contains("\nset -eu\n") && text.contains("trap clean_up EXIT"));
        // Nothing is left of the marks.
        assert!(!text.contains("#@"), "{text}");
    }
}

#[test]
fn the_lines_of_a_quota() {
    let quota = |usec| Knob::CpuMax { quota_usec: Some(usec), period_usec: 100_000 };
    let told = [make(GroupId::Root, "web"), knob(made("web"), quota(20_000))];
    let lines = |dialect| {
        let text = script_of(&told, dialect);
        let (_, body) = text.split_once("make_group root/web").unwrap();
        body.lines().find(|line| line.starts_with("echo ")).unwrap().to_string()
    };
    assert_eq!(lines(Dialect::V1), "echo 20000 > \"$cpu/root/web/cpu.cfs_quota_us\"");
    assert_eq!(lines(Dialect::V2), "echo '20000 100000' > \"$cgroup/root/web/cpu.max\"");
}

#[test]
fn only_what_was_done_is_in_it() {
    let refused = Answer::Refused {
        reason: crate::refusal::Refusal::Unknown { what: crate::refusal::Thing::Group },
        hint: String::new(),
    };
    let (command, _) = make(GroupId::Root, "web");
    let text = script_of(&[(command, refused)], Dialect::V1);
    assert!(!text.contains("web"), "{text}");
    // And no part of it that nothing needs.
    assert!(!text.contains("unshare") && !text.contains("mktemp"), "{text}");
}

#[test]
fn what_the_page_did_not_see_is_made_first() {
    let told = [knob(GroupId::Container(C1), Knob::PidsMax(Some(5))), moved(200, made("a/b"))];
    let text = script_of(&told, Dialect::V2);
    let at = |part: &str| text.find(part).unwrap_or_else(|| panic!("no {part} in {text}"));
    assert!(at("note: Before(\"c1\")") < at("born c1"));
    assert!(at("born c1") < at("echo 5 > \"$cgroup/root/c1/pids.max\""));
    assert!(at("make_group root/a\n") < at("make_group root/a/b"));
    assert!(at("make_group root/a/b") < at("pid_shell=$!"));
    assert!(at("pid_shell=$!") < at("move \"$pid_shell\" root/a/b"));
}

#[test]
fn what_one_dialect_lacks_is_said() {
    let told = [knob(GroupId::Root, Knob::MemoryHigh(Some(1 << 24)))];
    assert!(script_of(&told, Dialect::V1).contains("note: NoCounterpart(V1)"));
    assert!(script_of(&told, Dialect::V2).contains("echo 16777216 > \"$cgroup/root/memory.high\""));
    let told = [file(GroupId::Root, "memory.swappiness", "0")];
    assert!(script_of(&told, Dialect::V2).contains("note: NoCounterpart(V2)"));
}

#[test]
fn a_raw_file_is_turned_with_what_was_written_before() {
    let quota = Knob::CpuMax { quota_usec: Some(20_000), period_usec: 50_000 };
    let told = [knob(GroupId::Root, quota), file(GroupId::Root, "cpu.cfs_quota_us", "30000")];
    let text = script_of(&told, Dialect::V2);
    assert!(text.contains("echo '30000 50000' > \"$cgroup/root/cpu.max\""), "{text}");
    let told = [file(GroupId::Root, "cpu.max", "30000 50000")];
    let text = script_of(&told, Dialect::V1);
    assert!(text.contains("echo 30000 > \"$cpu/root/cpu.cfs_quota_us\""), "{text}");
    assert!(text.contains("echo 50000 > \"$cpu/root/cpu.cfs_period_us\""), "{text}");
}

#[test]
fn one_action_alone() {
    let known = known();
    let setting = setting(&known);
    let one = |told: &Told, dialect| {
        let action = Action { command: &told.0, answer: &told.1 };
        single(&setting, &action, dialect, &plain())
    };
    let act =
        Act::Wrote { path: "/x/cpu.cfs_quota_us".into(), old: "-1".into(), new: "5000".into() };
    let deeds = vec![Deed { act, shell: "echo 5000 > /x/cpu.cfs_quota_us".into() }];
    let quota = Knob::CpuMax { quota_usec: Some(5_000), period_usec: 100_000 };
    let told = (knob(GroupId::Container(C1), quota).0, Answer::Done { deeds, made: None });
    assert_eq!(one(&told, Dialect::V1), "echo 5000 > /x/cpu.cfs_quota_us\n");
    assert_eq!(
        one(&told, Dialect::V2),
        "cgroup=/sys/fs/cgroup/vitrine/1-2/3\necho '5000 100000' > \"$cgroup/root/c1/cpu.max\"\n"
    );
    assert_eq!(
        one(&moved(200, made("a b")), Dialect::V2),
        "echo 200 > '/sys/fs/cgroup/vitrine/1-2/3/root/a b/cgroup.procs'\n"
    );
    assert!(one(&make(GroupId::Root, "web"), Dialect::V2).contains("mkdir /sys/fs/cgroup/vitrine"));
    assert!(one(&started(C1, &known[&C1].spec), Dialect::V2).starts_with("#!/bin/sh"));
    // Done, and nothing was told of it.
    assert_eq!(one(&make(GroupId::Root, "web"), Dialect::V1), "# note: NotByShell\n");
}

/// xorshift64*, with a fixed seed: the same names on every run.
struct Dice(u64);

impl Dice {
    fn below(&mut self, end: usize) -> usize {
        self.0 ^= self.0 >> 12;
        self.0 ^= self.0 << 25;
        self.0 ^= self.0 >> 27;
        usize::try_from((self.0.wrapping_mul(0x2545_f491_4f6c_dd1d) >> 33) % end as u64).unwrap()
    }

    /// Pieces that end words, lines and comments, or begin something else.
    fn hostile(&mut self) -> String {
        const PIECES: &[&str] = &[
            "'",
            "\"",
            "\\",
            "$",
            "`",
            "$(touch /tmp/pwned)",
            ";",
            "&",
            "|",
            "\n",
            "#",
            "-n",
            "*",
            "~",
            "!",
            " ",
            "\t",
            "EOF",
            "{",
            "}",
            "<",
            ">",
            "(",
            ")",
            "é",
            "中",
            "=",
            "-rf",
            "\r",
            "a",
            "%s",
            "\\c",
        ];
        (0..=self.below(8)).map(|_| PIECES[self.below(PIECES.len())]).collect()
    }
}

#[test]
fn words_are_quoted_when_they_must_be() {
    assert_eq!(quote("/bin/sh"), "/bin/sh");
    assert_eq!(quote("while : ; do : ; done"), "'while : ; do : ; done'");
    assert_eq!(quote("it's"), r"'it'\''s'");
    assert_eq!(quote(""), "''");
}

#[test]
fn a_hostile_word_is_one_word_and_nothing_else() {
    let mut dice = Dice(0x5eed);
    let words: Vec<String> = (0..400).map(|_| dice.hostile()).collect();
    let quoted: Vec<String> = words.iter().map(|word| quote(word)).collect();
    let said = shell(&["-s"], &format!("printf '%s\\0' {}\n", quoted.join(" ")));
    let said: Vec<&str> = said.trim_end_matches('\0').split('\0').collect();
    assert_eq!(said, words);
    // The same as the end of a path below a variable, and as a text that is written.
    let below: String = words
        .iter()
        .map(|word| format!("printf '%s\\0' {}\n", quote::below("here", word)))
        .collect();
    let said = shell(&["-s"], &format!("here=/x\n{below}"));
    let wanted: String = words.iter().map(|word| format!("/x/{word}\0")).collect();
    assert_eq!(said, wanted);
    let lines: String = words.iter().map(|word| quote::write_line(word, "/dev/stdout")).collect();
    let wanted: String = words.iter().map(|word| format!("{word}\n")).collect();
    assert_eq!(shell(&["-s"], &lines), wanted);
    // And a comment is nothing at all.
    let comments: String = words.iter().map(|word| comment(word)).collect();
    assert_eq!(shell(&["-s"], &format!("set -eu\n{comments}")), "");
    assert!(comments.lines().all(|line| line.starts_with('#')));
}

#[test]
fn a_hostile_session_is_read_as_it_was_meant() {
    let mut dice = Dice(0xbad);
    for _ in 0..20 {
        let name: String =
            dice.hostile().chars().filter(|c| *c != '/' && !c.is_control()).collect();
        let Ok(path) = GroupPath::below_root(&name) else { continue };
        let argv = [dice.hostile(), dice.hostile()];
        let argv: Vec<&str> = argv.iter().map(String::as_str).collect();
        let spec = ContainerSpec {
            namespaces: NamespaceSet::ALL.with(Namespace::Mount, dice.below(2) == 0),
            rootfs: Rootfs::Image(dice.hostile()),
            argv: argv.iter().map(|word| (*word).into()).collect(),
            hostname: Some(dice.hostile()),
            ..ContainerSpec::one_click()
        };
        let told = [
            make(GroupId::Root, &name),
            knob(GroupId::Made(path), Knob::CpusetCpus(dice.hostile())),
            file(GroupId::Made(path), "cpuset.cpus", &dice.hostile()),
            started(C1, &spec),
            exec(&argv, 300),
            moved(300, GroupId::Made(path)),
        ];
        for dialect in [Dialect::V1, Dialect::V2] {
            let text = script_of(&told, dialect);
            shell(&["-n"], &text);
            // Everything that a shell would do without being asked stands in quotes.
            let made = format!("make_group {}\n", quote(&format!("root/{name}")));
            assert!(text.contains(&made), "{made} in {text}");
            assert!(text.contains(&format!(
                "sh -c \"$inside\" sh {} {}\n",
                quote(argv[0]),
                quote(argv[1])
            )));
        }
    }
}
