//! Memory, processes and devices, on files that stand still.

use vitrine_shared::cgroup::{GroupId, IoMax};
use vitrine_shared::focus::Look;
use vitrine_shared::id::MachineId;

use super::*;
use crate::observer::tests_tree::{C1, MACHINE, Tree};

const FOCUS: Focus = Focus { machine: MACHINE, group: GroupId::Container(C1), look: Look::Use };
const V1: &[(&str, &[&str], Dialect)] = &[
    ("memory", &["memory"], Dialect::V1),
    ("pids", &["pids"], Dialect::V1),
    ("blkio", &["blkio"], Dialect::V1),
];
const V2: &[(&str, &[&str], Dialect)] = &[("all", &["memory", "pids", "io"], Dialect::V2)];

/// What one reading says.
fn sample(tree: &Tree, hierarchies: &[(&str, &[&str], Dialect)]) -> Option<UseSample> {
    let machine = tree.machine(hierarchies);
    let mut uses = Uses::default();
    uses.set(FOCUS, true);
    uses.read_due(1, |_| Some(&machine), &mut Vec::new()).pop()
}

#[test]
fn version_one_says_it_in_many_files() {
    let tree = Tree::new();
    for (file, text) in [
        ("memory/root/c1/memory.usage_in_bytes", "5000\n"),
        ("memory/root/c1/memory.limit_in_bytes", "9223372036854771712\n"),
        ("memory/root/c1/memory.soft_limit_in_bytes", "8192\n"),
        ("memory/root/c1/memory.failcnt", "7\n"),
        ("memory/root/c1/memory.oom_control", "oom_kill_disable 0\nunder_oom 0\noom_kill 2\n"),
        ("memory/root/c1/memory.kmem.usage_in_bytes", "1000\n"),
        (
            "memory/root/c1/memory.stat",
            "cache 1\nrss 1\ntotal_cache 1500\ntotal_rss 2400\ntotal_swap 0\n",
        ),
        ("pids/root/c1/pids.current", "3\n"),
        ("pids/root/c1/pids.max", "20\n"),
        ("pids/root/c1/pids.events", "max 12\n"),
        ("blkio/root/c1/blkio.throttle.io_service_bytes", "8:0 Read 1\n"),
        (
            "blkio/root/c1/blkio.throttle.io_service_bytes_recursive",
            "8:0 Read 4096\n8:0 Write 512\n8:0 Total 4608\nTotal 4608\n",
        ),
        ("blkio/root/c1/blkio.throttle.io_serviced_recursive", "8:0 Read 2\n8:0 Write 1\n"),
        ("blkio/root/c1/blkio.throttle.write_bps_device", "8:16 1048576\n"),
    ] {
        tree.write(file, text);
    }
    let sample = sample(&tree, V1).unwrap();
    let memory = sample.memory.unwrap();
    assert_eq!(
        (memory.current_bytes, memory.max_bytes, memory.soft_bytes),
        (5_000, None, Some(8_192))
    );
    assert_eq!(
        (memory.anon_bytes, memory.file_bytes, memory.kernel_bytes),
        (2_400, 1_500, Some(1_000))
    );
    assert_eq!((memory.met_max, memory.oom_kills, memory.met_high), (7, 2, None));
    assert_eq!(memory.swap_bytes, None, "swap is not counted on this host");
    assert_eq!(memory.pressure, None);
    assert_eq!(sample.pids, Some(PidsUse { current: 3, max: Some(20), refused: Some(12) }));
    let io = sample.io.unwrap();
    let disk = IoMax { major: 8, ..IoMax::default() };
    let used =
        DeviceUse { limits: disk, read_bytes: 4_096, written_bytes: 512, reads: 2, writes: 1 };
    let limits = IoMax { minor: 16, write_bps: Some(1_048_576), ..disk };
    assert_eq!(io.devices, [used, DeviceUse { limits, ..DeviceUse::default() }]);
}

#[test]
fn version_two_says_it_in_fewer() {
    let tree = Tree::new();
    for (file, text) in [
        ("memory.current", "5000\n"),
        ("memory.max", "max\n"),
        ("memory.high", "8192\n"),
        ("memory.swap.current", "64\n"),
        ("memory.events", "low 0\nhigh 3\nmax 4\noom 1\noom_kill 1\noom_group_kill 0\n"),
        (
            "memory.stat",
            "anon 2400\nfile 1500\nkernel_stack 16\npagetables 100\nslab 200\npgscan 9\npgsteal 8\n",
        ),
        (
            "memory.pressure",
            "some avg10=0.00 avg60=0.00 avg300=0.00 total=500\nfull avg10=0.00 avg60=0.00 avg300=0.00 total=40\n",
        ),
        ("pids.current", "3\n"),
        ("pids.max", "max\n"),
        ("pids.events", "max 0\n"),
        ("io.stat", "8:0 rbytes=4096 wbytes=512 rios=2 wios=1 dbytes=0 dios=0\n8:16 \n"),
        ("io.max", "8:0 rbps=max wbps=1048576 riops=max wiops=max\n"),
        ("io.pressure", "some avg10=0.00 avg60=0.00 avg300=0.00 total=7\n"),
    ] {
        tree.write(&format!("all/root/c1/{file}"), text);
    }
    let sample = sample(&tree, V2).unwrap();
    let memory = sample.memory.unwrap();
    assert_eq!(
        (memory.high_bytes, memory.max_bytes, memory.swap_bytes),
        (Some(8_192), None, Some(64))
    );
    assert_eq!(
        (memory.kernel_bytes, memory.slab_bytes),
        (Some(316), Some(200)),
        "the sum of what there is"
    );
    assert_eq!((memory.met_high, memory.met_max, memory.reclaimed_pages), (Some(3), 4, Some(8)));
    assert_eq!(memory.pressure, Some(Pressure { some_usec: 500, full_usec: 40 }));
    assert_eq!(sample.pids, Some(PidsUse { current: 3, max: None, refused: Some(0) }));
    let io = sample.io.unwrap();
    let limits = IoMax { major: 8, write_bps: Some(1_048_576), ..IoMax::default() };
    assert_eq!(
        io.devices[0],
        DeviceUse { limits, read_bytes: 4_096, written_bytes: 512, reads: 2, writes: 1 }
    );
    assert_eq!(io.pressure, Some(Pressure { some_usec: 7, full_usec: 0 }));
}

#[test]
fn a_group_without_these_controllers_gives_nothing() {
    let tree = Tree::new();
    assert_eq!(sample(&tree, V1), None);
    assert_eq!(sample(&tree, &[]), None);
}

#[test]
fn readings_are_a_step_apart_and_groups_no_more_than_the_limit() {
    let tree = Tree::new();
    tree.write("pids/root/c1/pids.current", "3\n");
    let machine = tree.machine(V1);
    let mut uses = Uses::default();
    for id in 0..1_000 {
        uses.set(Focus { machine: MachineId(id), ..FOCUS }, true);
    }
    let mut n_samples_at =
        |nsec| uses.read_due(nsec, |_| Some(&machine), &mut Vec::new()).len() as u64;
    let begun_nsec = 1_000_000_000;
    assert_eq!(n_samples_at(begun_nsec), FOCUSES.value);
    assert_eq!(n_samples_at(begun_nsec + 100_000_000), 0, "too early");
    assert_eq!(n_samples_at(begun_nsec + 600_000_000), FOCUSES.value);
    uses.clear();
    assert_eq!(uses.next_nsec(), None);
}
