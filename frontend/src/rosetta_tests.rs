//! A group of either dialect, read on one side and written on the other.

use vitrine_shared::cgroup::RawFile;
use vitrine_shared::message::Deed;

use super::*;
use crate::fixture::{self, MACHINE};

fn group(dialect: Dialect, files: &[(&str, &str)]) -> CgroupSample {
    let file = |&(name, value): &(&str, &str)| {
        let takes = file_rule(name, dialect).and_then(|rule| rule.takes);
        RawFile { name: name.into(), value: value.into(), writable: takes.is_some() }
    };
    CgroupSample {
        dialect,
        files: files.iter().map(file).collect(),
        ..fixture::group(0, None, 0, 0)
    }
}

const V1: &[(&str, &str)] = &[
    ("cpu.cfs_quota_us", "20000"),
    ("cpu.cfs_period_us", "100000"),
    ("cpu.shares", "1024"),
    ("cpu.stat", "nr_periods 10\nnr_throttled 9\nthrottled_time 5000"),
    ("memory.limit_in_bytes", "67108864"),
    ("memory.memsw.limit_in_bytes", "100663296"),
    ("memory.swappiness", "60"),
    ("freezer.state", "THAWED"),
];

fn find(group: &CgroupSample, file: &str, dialect: Dialect) -> Stone {
    let stones = sections(group).into_iter().flat_map(|section| section.stones);
    let mut stones =
        stones.filter(|stone| stone.pair.places(dialect).iter().any(|place| place.file == file));
    stones.next().unwrap_or_else(|| panic!("no row for {file}"))
}

fn texts(cells: &[Cell]) -> Vec<(&str, Option<&str>)> {
    cells.iter().map(|cell| (cell.place.file, cell.text.as_deref())).collect()
}

#[test]
fn a_v1_host_shows_what_v2_would_say() {
    let group = group(Dialect::V1, V1);
    let quota = find(&group, "cpu.cfs_quota_us", Dialect::V1);
    assert_eq!(texts(&quota.cells(Dialect::V2, None)), [("cpu.max", Some("20000 100000"))]);
    assert!(quota.cells(Dialect::V2, None)[0].takes.is_some(), "and takes it there too");
    let swap = find(&group, "memory.swap.max", Dialect::V2);
    assert_eq!(texts(&swap.cells(Dialect::V2, None)), [("memory.swap.max", Some("33554432"))]);
    let throttled = find(&group, "cpu.stat", Dialect::V1);
    assert!(throttled.cells(Dialect::V1, None)[0].takes.is_none(), "a counter is only read");
}

#[test]
fn the_other_side_follows_what_is_typed() {
    let quota = find(&group(Dialect::V1, V1), "cpu.cfs_quota_us", Dialect::V1);
    let draft = Some(("cpu.cfs_quota_us", "-1"));
    assert_eq!(texts(&quota.cells(Dialect::V2, draft)), [("cpu.max", Some("max 100000"))]);
    let real = quota.cells(Dialect::V1, draft);
    assert_eq!(real[0].text.as_deref(), Some("20000"), "the real file says what it says");
    let nonsense = Some(("cpu.cfs_quota_us", "much"));
    assert_eq!(texts(&quota.cells(Dialect::V2, nonsense)), [("cpu.max", None)]);
}

fn planned(stone: &Stone, file: &str, typed: &str) -> Vec<(&'static str, String)> {
    let writes = stone.plan(file, typed).expect("it can be");
    writes.into_iter().map(|(place, text)| (place.file, text)).collect()
}

#[test]
fn what_is_typed_in_v2_goes_to_the_v1_files() {
    let group = group(Dialect::V1, V1);
    let quota = find(&group, "cpu.max", Dialect::V2);
    let writes = quota.plan("cpu.max", "30000 50000").expect("it can be");
    let knob = Knob::CpuMax { quota_usec: Some(30_000), period_usec: 50_000 };
    let (machine, id) = (MACHINE, group.group);
    assert_eq!(
        quota.commands(machine, id, &writes),
        [Command::SetKnob { machine, group: id, knob }]
    );
    let writes = quota.plan("cpu.max", "max").expect("it can be");
    let knob = Knob::CpuMax { quota_usec: None, period_usec: 100_000 };
    assert_eq!(
        quota.commands(machine, id, &writes),
        [Command::SetKnob { machine, group: id, knob }]
    );
    let weight = find(&group, "cpu.weight", Dialect::V2);
    assert_eq!(planned(&weight, "cpu.weight", "10000"), [("cpu.shares", "262144".into())]);
    let swap = find(&group, "memory.swap.max", Dialect::V2);
    let both = ("memory.memsw.limit_in_bytes", "67108864".into());
    assert_eq!(planned(&swap, "memory.swap.max", "0"), [both]);
    let freeze = find(&group, "cgroup.freeze", Dialect::V2);
    assert_eq!(planned(&freeze, "cgroup.freeze", "1"), [("freezer.state", "FROZEN".into())]);
    assert!(matches!(weight.plan("cpu.weight", "0"), Err(BadWrite::Value { .. })));
    assert!(quota.plan("cpu.max", "20000 5").is_err());
}

#[test]
fn what_is_typed_in_v1_goes_to_the_v2_files() {
    let group = group(Dialect::V2, &[("cpu.max", "max 100000"), ("memory.high", "max")]);
    let quota = find(&group, "cpu.max", Dialect::V2);
    let v1 = quota.cells(Dialect::V1, None);
    assert_eq!(
        texts(&v1),
        [("cpu.cfs_quota_us", Some("-1")), ("cpu.cfs_period_us", Some("100000"))]
    );
    assert_eq!(planned(&quota, "cpu.cfs_quota_us", "20000"), [("cpu.max", "20000 100000".into())]);
}

#[test]
fn what_has_no_counterpart_is_there_and_cannot_be_written_across() {
    let group = group(Dialect::V1, V1);
    let swappiness = find(&group, "memory.swappiness", Dialect::V1);
    assert!(swappiness.cells(Dialect::V2, None).is_empty());
    assert!(swappiness.cells(Dialect::V1, None)[0].takes.is_some());
    let high = find(&group, "memory.high", Dialect::V2);
    assert_eq!(texts(&high.cells(Dialect::V2, None)), [("memory.high", None)]);
    assert!(high.cells(Dialect::V2, None)[0].takes.is_none());
    let io = sections(&group).into_iter().any(|section| section.controller == Some(Controller::Io));
    assert!(!io, "a controller that is not there has no section");
}

#[test]
fn it_is_told_what_was_really_written() {
    let group = group(Dialect::V1, V1);
    let quota = find(&group, "cpu.max", Dialect::V2);
    let wrote = |file: &str, old: &str, new: &str| Deed {
        act: Act::Wrote { path: format!("/v/root/c1/{file}"), old: old.into(), new: new.into() },
        shell: String::new(),
    };
    let deeds = vec![wrote("cpu.cfs_quota_us", "-1", "20000"), wrote("cpu.shares", "1", "2")];
    let knob = Knob::CpuMax { quota_usec: Some(20_000), period_usec: 100_000 };
    let command = Command::SetKnob { machine: MACHINE, group: group.group, knob };
    let told = Told { number: 1, command, answer: Answer::Done { deeds, made: None } };
    let written = quota.written(&told, group.group);
    assert_eq!(written, [("cpu.cfs_quota_us".into(), "-1".into(), "20000".into())]);
    assert_eq!(quota.written(&told, GroupId::Cap), []);
}

#[test]
fn shell_lines() {
    assert_eq!(shell_line("cpu.shares", "512"), "echo 512 > cpu.shares");
    assert_eq!(shell_line("cpu.max", "max 100000"), "echo \"max 100000\" > cpu.max");
}

#[test]
fn each_file_has_its_counterpart_beside_it() {
    let group = group(Dialect::V1, V1);
    let (there, cells) = counterpart(&group, "cpu.cfs_period_us").unwrap();
    assert_eq!((there, texts(&cells)), (Dialect::V2, vec![("cpu.max", Some("20000 100000"))]));
    let (_, cells) = counterpart(&group, "cpu.stat").unwrap();
    let counted: Vec<_> = cells.iter().filter_map(|cell| cell.place.key).collect();
    assert_eq!(counted, ["nr_periods", "nr_throttled", "throttled_usec"]);
    assert_eq!(counterpart(&group, "memory.swappiness"), None, "v2 has no such thing");
    assert_eq!(counterpart(&group, "no.such"), None);
}
