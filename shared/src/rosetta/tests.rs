//! Both directions of every row, there and back, and the table itself.

use super::*;
use crate::cgroup::{FILES, shares_of_weight, weight_of_shares};

fn row(file: &str, dialect: Dialect) -> &'static Pair {
    rows_of(file, dialect).next().unwrap_or_else(|| panic!("no row for {file}"))
}

/// The texts of the other side, as `place text` lines.
fn said(found: Option<Vec<(Place, String)>>) -> Vec<(String, String)> {
    let found = found.unwrap_or_default();
    found.into_iter().map(|(place, text)| (place.label(), text)).collect()
}

fn own(texts: &[(&str, &str)]) -> Vec<(String, String)> {
    texts.iter().map(|(name, text)| (name.to_string(), text.to_string())).collect()
}

/// v1 files, the v2 files that mean the same, and the v1 files that those mean.
#[track_caller]
fn both(v1: Texts<'_>, v2: Texts<'_>) {
    let pair = row(v1[0].0, Dialect::V1);
    let labels: Vec<String> = pair.v2.iter().map(|place| place.label()).collect();
    let wanted: Vec<_> = own(v2).into_iter().filter(|(name, _)| labels.contains(name)).collect();
    assert!(!wanted.is_empty(), "{v2:?} names none of {labels:?}");
    assert_eq!(said(pair.to_v2(v1)), wanted, "from {v1:?}");
    let back: Vec<_> = own(v1)
        .into_iter()
        .filter(|(name, _)| pair.v1.iter().any(|place| place.label() == *name))
        .collect();
    let files: Vec<(&str, &str)> = v2.iter().map(|(name, text)| (*name, *text)).collect();
    assert_eq!(said(pair.to_v1(&files)), back, "from {v2:?}");
}

#[test]
fn settings_there_and_back() {
    both(
        &[("cpu.cfs_quota_us", "20000"), ("cpu.cfs_period_us", "100000")],
        &[("cpu.max", "20000 100000")],
    );
    both(
        &[("cpu.cfs_quota_us", "-1"), ("cpu.cfs_period_us", "50000")],
        &[("cpu.max", "max 50000")],
    );
    both(&[("cpu.cfs_burst_us", "5000")], &[("cpu.max.burst", "5000")]);
    both(&[("cpu.shares", "1024")], &[("cpu.weight", "100")]);
    both(&[("cpu.shares", "2")], &[("cpu.weight", "1")]);
    both(&[("cpu.shares", "262144")], &[("cpu.weight", "10000")]);
    both(&[("cpu.idle", "1")], &[("cpu.idle", "1")]);
    both(&[("cpuset.cpus", "0-1,3")], &[("cpuset.cpus", "0-1,3")]);
    both(&[("cpuset.cpu_exclusive", "1")], &[("cpuset.cpus.partition", "root")]);
    both(&[("cpuset.cpu_exclusive", "0")], &[("cpuset.cpus.partition", "member")]);
    both(&[("memory.limit_in_bytes", "67108864")], &[("memory.max", "67108864")]);
    both(&[("memory.limit_in_bytes", "-1")], &[("memory.max", "max")]);
    both(&[("pids.max", "max")], &[("pids.max", "max")]);
    both(&[("pids.max", "64")], &[("pids.max", "64")]);
    both(&[("freezer.state", "FROZEN")], &[("cgroup.freeze", "1")]);
    both(&[("freezer.state", "THAWED")], &[("cgroup.freeze", "0")]);
    both(&[("blkio.weight", "10")], &[("io.weight", "1")]);
    both(&[("blkio.weight", "500")], &[("io.weight", "4950")]);
    both(&[("blkio.weight", "1000")], &[("io.weight", "10000")]);
    both(&[("cgroup.procs", "1\n2")], &[("cgroup.procs", "1\n2")]);
    both(&[("tasks", "1\n2")], &[("cgroup.threads", "1\n2")]);
}

#[test]
fn swap_is_what_is_beyond_the_memory() {
    let v1 = [("memory.memsw.limit_in_bytes", "100663296"), ("memory.limit_in_bytes", "67108864")];
    let v2 = [("memory.swap.max", "33554432"), ("memory.max", "67108864")];
    both(&v1, &v2);
    both(&[("memory.memsw.limit_in_bytes", "-1"), v1[1]], &[("memory.swap.max", "max"), v2[1]]);
    both(&[("memory.memsw.limit_in_bytes", "67108864"), v1[1]], &[("memory.swap.max", "0"), v2[1]]);
    both(
        &[("memory.memsw.usage_in_bytes", "12288"), ("memory.usage_in_bytes", "8192")],
        &[("memory.swap.current", "4096"), ("memory.current", "8192")],
    );
    // Without the memory's own file nobody can tell, nor below it.
    let pair = row("memory.memsw.limit_in_bytes", Dialect::V1);
    assert_eq!(pair.to_v2(&v1[..1]), None);
    assert_eq!(pair.to_v1(&v2[..1]), None);
    assert_eq!(pair.to_v2(&[("memory.memsw.limit_in_bytes", "4096"), v1[1]]), None);
}

#[test]
fn what_v1_reads_for_no_limit_is_max() {
    let limit = row("memory.limit_in_bytes", Dialect::V1);
    assert_eq!(UNLIMITED_V1, 9_223_372_036_854_771_712);
    let text = UNLIMITED_V1.to_string();
    assert_eq!(
        said(limit.to_v2(&[("memory.limit_in_bytes", &text)])),
        own(&[("memory.max", "max")])
    );
}

#[test]
fn bytes_are_rounded_down_to_pages_and_stay_there() {
    let limit = row("memory.limit_in_bytes", Dialect::V1);
    let there = said(limit.to_v2(&[("memory.limit_in_bytes", "70000000")]));
    assert_eq!(there, own(&[("memory.max", "69996544")]));
    both(&[("memory.limit_in_bytes", "69996544")], &[("memory.max", "69996544")]);
}

#[test]
fn counters_with_their_units() {
    // A key of a table is looked up by its line.
    let v1 =
        "nr_periods 52\nnr_throttled 51\nthrottled_time 4067318999\nnr_bursts 2\nburst_time 7000";
    let v2 = "usage_usec 1040112\nuser_usec 1030000\nsystem_usec 10112\nnr_periods 52\nnr_throttled 51\nthrottled_usec 4067318\nnr_bursts 2\nburst_usec 7";
    let rows: Vec<_> = rows_of("cpu.stat", Dialect::V1).collect();
    assert_eq!(rows.len(), 5);
    let there: Vec<_> = rows.iter().flat_map(|row| said(row.to_v2(&[("cpu.stat", v1)]))).collect();
    let wanted = [
        ("cpu.stat nr_periods", "52"),
        ("cpu.stat nr_throttled", "51"),
        ("cpu.stat throttled_usec", "4067318"),
        ("cpu.stat nr_bursts", "2"),
        ("cpu.stat burst_usec", "7"),
    ];
    assert_eq!(there, own(&wanted));
    let back: Vec<_> = rows.iter().flat_map(|row| said(row.to_v1(&[("cpu.stat", v2)]))).collect();
    // 999 ns were lost on the way.
    assert_eq!(back[2], ("cpu.stat throttled_time".into(), "4067318000".into()));
    let usage = row("cpuacct.usage", Dialect::V1);
    let text = [("cpuacct.usage", "1040112345")];
    assert_eq!(said(usage.to_v2(&text)), own(&[("cpu.stat usage_usec", "1040112")]));
    assert_eq!(said(usage.to_v1(&[("cpu.stat", v2)])), own(&[("cpuacct.usage", "1040112000")]));
    let ticks = rows_of("cpuacct.stat", Dialect::V1).next().unwrap();
    let text = [("cpuacct.stat", "user 103\nsystem 1")];
    assert_eq!(said(ticks.to_v2(&text)), own(&[("cpu.stat user_usec", "1030000")]));
    assert_eq!(said(ticks.to_v1(&[("cpu.stat", v2)])), own(&[("cpuacct.stat user", "103")]));
    let events = "low 0\nhigh 0\nmax 7\noom 1\noom_kill 1";
    let failcnt = row("memory.failcnt", Dialect::V1);
    assert_eq!(said(failcnt.to_v1(&[("memory.events", events)])), own(&[("memory.failcnt", "7")]));
    let kills = row("memory.oom_control", Dialect::V1);
    let text = [("memory.oom_control", "oom_kill_disable 0\nunder_oom 0\noom_kill 3")];
    assert_eq!(said(kills.to_v2(&text)), own(&[("memory.events oom_kill", "3")]));
}

#[test]
fn four_throttle_files_are_one() {
    let v1 = [
        ("blkio.throttle.read_bps_device", "8:0 1048576\n254:16 5"),
        ("blkio.throttle.write_bps_device", "8:0 2097152"),
        ("blkio.throttle.read_iops_device", ""),
        ("blkio.throttle.write_iops_device", "8:0 100"),
    ];
    let v2 = "8:0 rbps=1048576 wbps=2097152 riops=max wiops=100\n254:16 rbps=5 wbps=max riops=max wiops=max";
    both(&v1, &[("io.max", v2)]);
    let bytes = "8:0 Read 4096\n8:0 Write 512\n8:0 Discard 0\n8:0 Total 4608\nTotal 4608";
    let ops = "8:0 Read 1\n8:0 Write 1\n8:0 Discard 0\n8:0 Total 2\nTotal 2";
    let stat = "8:0 rbytes=4096 wbytes=512 rios=1 wios=1 dbytes=0 dios=0";
    both(
        &[("blkio.throttle.io_service_bytes", bytes), ("blkio.throttle.io_serviced", ops)],
        &[("io.stat", stat)],
    );
    // What v2 does not tell apart is left out.
    let sync = format!("8:0 Sync 4608\n8:0 Async 0\n{bytes}");
    let pair = row("io.stat", Dialect::V2);
    let texts = [("blkio.throttle.io_service_bytes", &*sync), ("blkio.throttle.io_serviced", ops)];
    assert_eq!(said(pair.to_v2(&texts)), own(&[("io.stat", stat)]));
}

#[test]
fn a_write_in_the_other_dialect() {
    let now = [("cpu.cfs_quota_us", "-1"), ("cpu.cfs_period_us", "50000")];
    let written = translate("cpu.cfs_quota_us", Dialect::V1, "20000\n", &now);
    assert_eq!(said(written), own(&[("cpu.max", "20000 50000")]));
    let written = translate("cpu.max", Dialect::V2, "max 100000", &[]);
    let quota = [("cpu.cfs_quota_us", "-1"), ("cpu.cfs_period_us", "100000")];
    assert_eq!(said(written), own(&quota));
    // The other keys of the device, and other devices, stay as they are.
    let now = [("blkio.throttle.read_bps_device", "8:0 9\n8:16 7")];
    let written = translate("blkio.throttle.write_bps_device", Dialect::V1, "8:0 1024", &now);
    assert_eq!(said(written), own(&[("io.max", "8:0 wbps=1024")]));
    let written = translate("blkio.throttle.read_bps_device", Dialect::V1, "8:0 0", &now);
    assert_eq!(said(written), own(&[("io.max", "8:0 rbps=max")]));
    let written = translate("io.max", Dialect::V2, "8:0 rbps=max wiops=3", &[]);
    let files = [
        ("blkio.throttle.read_bps_device", "8:0 0"),
        ("blkio.throttle.write_iops_device", "8:0 3"),
    ];
    assert_eq!(said(written), own(&files));
    for (file, dialect, value) in [
        ("cpu.cfs_quota_us", Dialect::V1, "much"),
        ("cgroup.kill", Dialect::V2, "1"),
        ("memory.swappiness", Dialect::V1, "0"),
        ("io.max", Dialect::V2, "8:0 rbps=x"),
        ("freezer.state", Dialect::V1, "FREEZE"),
        ("no.such.file", Dialect::V1, "1"),
    ] {
        assert_eq!(translate(file, dialect, value, &[]), None, "{file} {value}");
    }
}

#[test]
fn every_weight_comes_back() {
    for weight in 1..=10_000 {
        assert_eq!(weight_of_shares(shares_of_weight(weight)), weight);
    }
    for weight in 10..=1_000_u64 {
        let text = weight.to_string();
        let pair = row("blkio.weight", Dialect::V1);
        let there = said(pair.to_v2(&[("blkio.weight", &text)]));
        let back = said(pair.to_v1(&[("io.weight", &there[0].1)]));
        assert_eq!(back[0].1, text);
    }
}

#[test]
fn every_file_of_the_page_is_in_the_table() {
    for rule in FILES {
        assert!(rows_of(rule.name, rule.dialect).next().is_some(), "{}", rule.name);
    }
}

#[test]
fn the_table_is_sound() {
    let mut seen = std::collections::HashSet::new();
    for pair in PAIRS {
        assert!(!pair.v1.is_empty() || !pair.v2.is_empty());
        let one_sided = pair.v1.is_empty() || pair.v2.is_empty();
        assert!(!one_sided || pair.how == How::Never, "{pair:?}");
        for (dialect, places) in [(1, pair.v1), (2, pair.v2)] {
            for place in places {
                assert!(seen.insert((dialect, *place)), "{} twice", place.label());
            }
        }
    }
    assert!(PAIRS.len() > 50);
}
