//! Reads that really block: a named pipe stands for a process whose memory cannot be fetched.

use std::fs;
use std::path::Path;

use nix::sys::stat::Mode;
use nix::unistd::mkfifo;

use super::*;

fn directory(root: &Path, name: &str) -> Arc<OwnedFd> {
    fs::create_dir(root.join(name)).unwrap();
    Arc::new(file::open_directory(&root.join(name)).unwrap())
}

#[track_caller]
fn wait_for(what: &str, lines: &CommandLines, done: impl Fn() -> bool) {
    let start = Instant::now();
    while !done() {
        assert!(start.elapsed() < Duration::from_secs(20), "{what} did not happen");
        lines.supervise();
        std::thread::sleep(Duration::from_millis(10));
    }
}

#[test]
fn a_stuck_read_holds_up_nobody_and_at_most_four_threads() {
    let root = tempfile::tempdir().unwrap();
    let lines = CommandLines::new();
    let mut stuck = Vec::new();
    for i in 0..MAX_STUCK {
        let stuck_dir = directory(root.path(), &format!("stuck{i}"));
        mkfifo(&root.path().join(format!("stuck{i}/cmdline")), Mode::S_IRWXU).unwrap();
        let slot = Arc::new(Slot::default());
        lines.ask(&stuck_dir, &slot);
        stuck.push(slot);

        let good_dir = directory(root.path(), &format!("good{i}"));
        fs::write(root.path().join(format!("good{i}/cmdline")), "sleep\x001\0").unwrap();
        let good = Arc::new(Slot::default());
        lines.ask(&good_dir, &good);
        if i + 1 < MAX_STUCK {
            wait_for("the read behind a stuck one", &lines, || good.text().is_some());
            assert_eq!(good.text().as_deref(), Some("sleep 1"));
        } else {
            wait_for("the last thread stuck", &lines, || lines.n_stuck() == MAX_STUCK);
            assert_eq!(good.text(), None, "no thread is left to read it");
            // A writer lets one stuck read end; the thread that comes back frees a place.
            let pipe = fs::File::options().write(true).open(root.path().join("stuck0/cmdline"));
            drop(pipe.unwrap());
            wait_for("the read behind four stuck ones", &lines, || good.text().is_some());
        }
    }
    for i in 1..MAX_STUCK {
        drop(fs::File::options().write(true).open(root.path().join(format!("stuck{i}/cmdline"))));
    }
    wait_for("the end of all stuck threads", &lines, || lines.n_stuck() == 0);
}

#[test]
fn asking_twice_is_asking_once_and_a_dead_process_answers_nothing() {
    let root = tempfile::tempdir().unwrap();
    let lines = CommandLines::new();
    let directory = directory(root.path(), "1");
    let slot = Arc::new(Slot::default());
    lines.ask(&directory, &slot);
    lines.ask(&directory, &slot);
    assert_eq!(lock(&lines.0.state).queue.len(), 1);
    wait_for("the read", &lines, || !lock(&slot.0).asked);
    assert_eq!(slot.text(), None);
}
