//! Who is who among processes that come, go, rename themselves and share a number.

use super::super::tests_tree::{C1, Tree, UID_BASE, open_below};
use super::*;

fn means(tree: &Tree, places: u64) -> Means {
    Means {
        proc: file::open_directory(&tree.proc()).unwrap(),
        cpu_clock: |_| None,
        commands: CommandLines::new(),
        ledger: Ledger::new(places),
        own_ids: OwnIds::default(),
        kernel: std::cell::Cell::default(),
    }
}

fn pause() {
    std::thread::sleep(std::time::Duration::from_millis(20));
}

#[test]
fn one_process_in_full() {
    let tree = Tree::new();
    tree.process(300, "a) R (b", 250, 77);
    let means = means(&tree, 10);
    let read = Processes::default().read(&means, &[(300, Some(C1))], UID_BASE);
    let [process] = &read[..] else { panic!("{read:?}") };
    assert_eq!(process.pids, [300, 2]);
    assert_eq!((process.parent, process.state, process.start_ticks), (1, 'S', 77));
    assert_eq!((process.host_uid, process.uid), (UID_BASE + 1_000, 1_000));
    assert_eq!((process.cpu_msec, process.cpu_permille), (2_500, 0));
    assert_eq!(process.rss_bytes, 8_192);
    assert_eq!(process.container, Some(C1));
    assert_eq!(process.namespaces, [0, 1, 2, 3, 4, 5, 6, 7].map(|i| 4_026_531_800 + i));
    assert_eq!(process.name, "a) R (b");
    assert_eq!(process.command, "[a) R (b]", "the command line is not there yet");
}

#[test]
fn users_outside_the_machine_are_nobody() {
    assert_eq!(uid_inside(UID_BASE, UID_BASE), 0);
    assert_eq!(uid_inside(UID_BASE + 65_535, UID_BASE), 65_535);
    assert_eq!(uid_inside(UID_BASE + 65_536, UID_BASE), OVERFLOW_UID);
    assert_eq!(uid_inside(0, UID_BASE), OVERFLOW_UID);
}

#[test]
fn a_number_used_again_inherits_nothing() {
    let tree = Tree::new();
    let means = means(&tree, 10);
    let mut processes = Processes::default();
    tree.process(300, "old", 1_000, 77);
    assert_eq!(processes.read(&means, &[(300, None)], UID_BASE)[0].name, "old");

    // In a real /proc the kept descriptor fails with ESRCH. Here it shows the new start time.
    tree.process(300, "new", 90_000, 78);
    pause();
    let read = processes.read(&means, &[(300, None)], UID_BASE);
    assert_eq!((read[0].name.as_str(), read[0].start_ticks), ("new", 78));
    assert_eq!(read[0].cpu_permille, 0, "the CPU time of another process is no difference");
    assert_eq!(processes.len(), 1);
}

#[test]
fn cpu_is_counted_over_real_time() {
    let tree = Tree::new();
    let means = means(&tree, 10);
    let mut processes = Processes::default();
    tree.process(300, "busy", 100, 77);
    // Before the first reading, so that it is no shorter than what the reader counts.
    let start = std::time::Instant::now();
    processes.read(&means, &[(300, None)], UID_BASE);
    std::thread::sleep(std::time::Duration::from_millis(50));
    tree.process(300, "busy", 110, 77);
    let permille = processes.read(&means, &[(300, None)], UID_BASE)[0].cpu_permille;
    let least = 100_000 / u32::try_from(start.elapsed().as_millis() + 1).unwrap();
    assert!((least..=2_000).contains(&permille), "100 ms of CPU in 50 ms: {permille}");
}

#[test]
fn the_dead_are_forgotten_and_their_descriptors_closed() {
    let tree = Tree::new();
    let means = means(&tree, 1_000);
    let mut processes = Processes::default();
    for generation in 0..30 {
        let pids: Vec<_> = (0..20).map(|i| 1_000 + generation * 20 + i).collect();
        pids.iter().for_each(|&pid| tree.process(pid, "x", 0, 5));
        let members: Vec<_> = pids.iter().map(|&pid| (pid, None)).collect();
        assert_eq!(processes.read(&means, &members, UID_BASE).len(), 20);
        assert_eq!(processes.len(), 20);
        assert_eq!(means.ledger.free(), 980);
        pids.iter().for_each(|&pid| tree.end(pid));
    }
    assert!(processes.read(&means, &[], UID_BASE).is_empty());
    assert_eq!(means.ledger.free(), 1_000);
    // No thread answers here, so all but the queue's are closed: each request holds one.
    drop(means);
    assert_eq!(open_below(&tree.proc()), 0);
}

#[test]
fn processes_beyond_the_ledger_are_read_without_keeping() {
    let tree = Tree::new();
    let means = means(&tree, 2);
    let mut processes = Processes::default();
    let members: Vec<_> = (500..510).map(|pid| (pid, None)).collect();
    for round in 0..3 {
        members.iter().for_each(|&(pid, _)| tree.process(pid, "x", round, 5));
        assert_eq!(processes.read(&means, &members, UID_BASE).len(), 10);
        assert_eq!(means.ledger.free(), 0);
    }
    tree.process(505, "other", 0, 6);
    let read = processes.read(&means, &members, UID_BASE);
    assert_eq!((read[5].name.as_str(), read[5].cpu_permille), ("other", 0));
}

#[test]
fn one_that_vanishes_in_between_is_left_out() {
    let tree = Tree::new();
    let means = means(&tree, 10);
    tree.process(300, "here", 0, 5);
    tree.process(301, "half", 0, 5);
    std::fs::remove_file(tree.path("proc/301/status")).unwrap();
    tree.process(302, "bare", 0, 5);
    std::fs::remove_dir_all(tree.path("proc/302/ns")).unwrap();
    let members = [(300, None), (301, None), (302, None), (303, None)];
    let read = Processes::default().read(&means, &members, UID_BASE);
    assert_eq!(read.iter().map(Process::host_pid).collect::<Vec<_>>(), [300, 302]);
    assert_eq!(read[1].namespaces, [0; 8]);
}
