//! Groups: merged from their hierarchies, with the limits that bind, as a tree.

use super::*;
use crate::views::tests_tree::{self, CAP};

const ASCII: [&str; 4] = ["|- ", "`- ", "|  ", "   "];

fn groups(all: bool) -> Vec<Group> {
    let (_tree, host) = tests_tree::host();
    read(&host, all, &mut Missed::default())
}

#[test]
fn ours_only_or_all() {
    let paths = |all| groups(all).into_iter().map(|group| group.path).collect::<Vec<_>>();
    let ours = [
        "vitrine/400-8".to_string(),
        "vitrine/90-7".into(),
        CAP.into(),
        format!("{CAP}/root"),
        format!("{CAP}/root/c1"),
    ];
    assert_eq!(paths(false), ours);
    let others = ["", "system.slice", "system.slice/x.service", "vitrine"].map(str::to_string);
    assert_eq!(paths(true), [&others[..], &ours[..]].concat());
}

#[test]
fn one_group_with_its_limits_and_those_above() {
    let groups = groups(false);
    let c1 = groups.last().unwrap();
    let root = format!("{CAP}/root");
    assert_eq!(c1.controllers, ["cpu", "memory", "pids"]);
    assert_eq!(c1.container.as_ref().unwrap().to_string(), "0123456789ab/c1");
    let cpu = &c1.cpu;
    assert_eq!((cpu.quota_usec, cpu.period_usec), (Some(20_000), Some(100_000)));
    assert_eq!(
        (cpu.nr_throttled, cpu.nr_periods, cpu.throttled_usec),
        (Some(5), Some(10), Some(5))
    );
    assert_eq!(
        (cpu.effective_permille, cpu.bound_by.as_deref()),
        (Some(200), Some(c1.path.as_str()))
    );
    assert_eq!(cpu.usage_nsec, None, "no cpuacct here");
    let memory = Gauge {
        current: 4_096,
        max: None,
        effective_max: Some(1 << 20),
        bound_by: Some(CAP.into()),
    };
    assert_eq!(c1.memory_bytes, Some(memory));
    let pids =
        Gauge { current: 2, max: None, effective_max: Some(256), bound_by: Some(CAP.into()) };
    assert_eq!(c1.pids, Some(pids));

    let above = groups.iter().find(|group| group.path == root).unwrap();
    assert_eq!((above.cpu.period_usec, &above.memory_bytes), (None, &None), "no files, no value");
    assert_eq!(above.cpu.effective_permille, Some(1_500));
    assert_eq!(above.cpu.bound_by.as_deref(), Some(CAP));
}

#[test]
fn a_tree() {
    let lines = lines(&groups(false), &Options::default(), ASCII);
    assert_eq!(
        lines,
        [
            "GROUP           CPU-TIME  QUOTA/PERIOD THROTTLED   MEMORY  PIDS BOUND-ABOVE",
            "vitrine/400-8          -             -         -        -     -",
            "vitrine/90-7           -             -         -        -     -",
            "`- 0123456789ab        - 150000/100000      0/10        - 2/256",
            "   `- root             -             -         -        -     - cpu^1",
            "      `- c1            -  20000/100000      5/10 4.0K/max 2/max memory^2 pids^2",
        ]
    );
}

#[test]
fn branches_and_the_root() {
    let all = lines(&groups(true), &Options { no_headers: true, ..Options::default() }, ASCII);
    let names: Vec<String> =
        all.iter().map(|line| line.split("  ").next().unwrap().into()).collect();
    assert_eq!(names[0], "/");
    assert_eq!(names[1], "|- system.slice");
    assert!(all[2].starts_with("|  `- x.service"), "{all:?}");
    assert!(all[3].starts_with("`- vitrine"), "{all:?}");
    assert!(all[4].starts_with("   |- 400-8"), "{all:?}");
    let flat = Options { flat: true, no_headers: true, ..Options::default() };
    let flat = lines(&groups(false), &flat, ASCII);
    assert!(flat.last().unwrap().starts_with(&format!("{CAP}/root/c1 ")), "{flat:?}");
}

#[test]
fn below_is_by_whole_names() {
    assert!(is_below("a/b", "a") && is_below("a", "") && is_below("a/b/c", "a"));
    assert!(!is_below("ab", "a") && !is_below("a", "a") && !is_below("", ""));
}
