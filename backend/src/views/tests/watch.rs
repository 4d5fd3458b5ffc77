//! What is read of processes: the words of their command lines, users and namespaces.

use super::*;
use crate::views::tests_tree;

#[test]
fn ours_or_all() {
    let (_tree, host) = tests_tree::host();
    let mut watch = Watch::new(host, false).unwrap().without_clock();
    let mut missed = Missed::default();
    let pids = |rows: Vec<Row>| rows.iter().map(|row| row.pid).collect::<Vec<_>>();
    assert_eq!(pids(watch.read(false, &mut missed)), [300, 301, 400]);
    assert_eq!(pids(watch.read(true, &mut missed)), [1, 300, 301, 400]);
    assert_eq!(missed, Missed { processes: 7, ..Missed::default() });
}

#[test]
fn one_process_in_full() {
    let (tree, host) = tests_tree::host();
    tree.write("proc/300/cmdline", "sh\0-c\0\x1b[2J; echo \"\n\"\0\0\0");
    let mut watch = Watch::new(host, false).unwrap().without_clock();
    let rows = watch.read(false, &mut Missed::default());
    let row = &rows[0];
    assert_eq!((row.pid, &row.pids[..], row.parent, row.state), (300, &[300, 2][..], 1, 'S'));
    assert_eq!((row.uid, row.uid_inside), (166_536, Some(1_000)));
    assert_eq!((row.cpu_nsec, row.rss_bytes, row.start_ticks), (2_500_000_000, 8_192, 77));
    assert_eq!(row.name, "a) R (b");
    assert_eq!(row.argv, ["sh", "-c", "\x1b[2J; echo \"\n\""]);
    assert_eq!(row.command(), "sh -c \\x1b[2J; echo \"\\n\"");
    assert_eq!(row.container.as_ref().unwrap().to_string(), "0123456789ab/c1");
    assert_eq!((row.letters().as_str(), row.pids_inside().as_str()), ("PMHIUNCT", "2"));

    let run = &rows[2];
    assert_eq!((run.letters().as_str(), run.uid_inside), ("........", Some(166_536)));
    assert_eq!(run.container.as_ref().unwrap().to_string(), "run:400");
}

#[test]
fn what_cannot_be_read_is_a_question_mark() {
    let (tree, host) = tests_tree::host();
    std::fs::remove_file(tree.path("proc/300/ns/net")).unwrap();
    std::fs::remove_file(tree.path("proc/300/ns/user")).unwrap();
    let mut watch = Watch::new(host, false).unwrap().without_clock();
    let rows = watch.read(false, &mut Missed::default());
    assert_eq!((rows[0].letters().as_str(), rows[0].uid_inside), ("PMHI??CT", None));
}

#[test]
fn words_of_a_command_line() {
    assert_eq!(words("a\0b c\0"), ["a", "b c"]);
    assert_eq!(words("nginx: worker\0\0\0"), ["nginx: worker"]);
    assert_eq!(words("a\0\0b\0"), ["a", "", "b"]);
    assert!(words("").is_empty() && words("\0\0").is_empty());
}

#[test]
fn more_processes_than_the_queue_has_room_for() {
    let (tree, host) = tests_tree::host();
    for pid in 1_000..2_500 {
        tree.process(pid, "many", 1, 1);
    }
    let mut watch = Watch::new(host, false).unwrap().without_clock();
    let rows = watch.read(true, &mut Missed::default());
    assert_eq!(rows.len(), 1_504);
    assert!(rows.iter().all(|row| row.argv.len() == 2), "every command line was read");
}
