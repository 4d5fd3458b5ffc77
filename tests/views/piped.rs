//! Written into pipes, files, and to readers who have gone; and read by those who may see less.

use std::os::unix::fs::PermissionsExt;
use std::os::unix::process::CommandExt as _;
use std::process::Command;
use std::time::Duration;

use super::{busy, missed_no_more_than_we, vitrine};
use crate::harness::command::{Outcome, spawn};
use crate::harness::{binary, cgroup, proc, wait_for};

fn shell(script: &str) -> Outcome {
    let mut command = Command::new("bash");
    spawn(command.args(["-c", script, "bash"]).arg(binary()), None).end()
}

/// Commands that print, each with what is in its output.
const PRINTS: [(&str, &str); 12] = [
    ("ps -a", "COMMAND"),
    ("ps -a --json", "\"processes\""),
    ("top -a --interval 0.05", "%CPU"),
    ("top -a --interval 0.05 --json", "cpu_permille"),
    ("cgroups --all", "QUOTA"),
    ("cgroups --all --json", "hierarchies"),
    ("namespaces", "OWNER"),
    ("namespaces --json", "held_by"),
    ("man", ".TH"),
    ("completions bash", "complete"),
    ("schema", "$defs"),
    ("--help", "Usage"),
];

#[test]
fn a_reader_who_has_gone_is_no_error() {
    for (words, _) in PRINTS {
        // The reader has gone for certain before anything is written.
        let script = format!("set -o pipefail; (sleep 0.1; exec \"$1\" {words}) | true");
        let outcome = shell(&script);
        assert_eq!(outcome.status, 0, "{words}: {outcome:?}");
        assert!(missed_no_more_than_we(&outcome.err), "{words}: {outcome:?}");
    }
    let first = shell("set -o pipefail; \"$1\" ps -a | head -1");
    assert_eq!(first.status, 0, "{first:?}");
    assert!(first.out.contains("PIDS-IN"), "{first:?}");
}

#[test]
fn a_full_disk_is_an_error_with_its_reason() {
    for (words, _) in PRINTS {
        let outcome = shell(&format!("\"$1\" {words} > /dev/full"));
        assert_eq!(outcome.status, 1, "{words}: {outcome:?}");
        assert!(outcome.err.contains("No space left on device"), "{words}: {outcome:?}");
        assert!(!outcome.err.contains("panicked"), "{words}: {outcome:?}");
    }
}

#[test]
fn no_standard_output_at_all_is_no_panic() {
    for (words, said) in PRINTS {
        let closed = shell(&format!("\"$1\" {words} >&-"));
        assert!(matches!(closed.status, 0 | 1), "{words}: {closed:?}");
        assert!(!closed.err.contains("panicked"), "{words}: {closed:?}");
        let open = shell(&format!("\"$1\" {words} < /dev/null"));
        assert!(open.out.contains(said), "{words} prints no {said}: {open:?}");
    }
}

#[test]
fn top_into_a_pipe() {
    let running = busy();
    let is_ours = |line: &&str| line.contains(&format!("run:{}", running.pid()));
    wait_for("the run", std::time::Duration::from_secs(10), || {
        vitrine(&["ps"]).out.lines().find(is_ours).map(drop)
    });
    let outcome = vitrine(&["top", "--interval", "0.5"]);
    assert_eq!((outcome.status, outcome.err.as_str()), (0, ""), "{outcome:?}");
    assert!(!outcome.out.contains('\x1b'), "no colours, no cursor: {:?}", outcome.out);
    assert_eq!(outcome.out.matches("THR%").count(), 1, "one sample: {}", outcome.out);
    let outcome = vitrine(&["top", "--interval", "0.5", "--iterations", "3", "--json"]);
    let documents: Vec<serde_json::Value> =
        outcome.out.lines().map(|line| serde_json::from_str(line).unwrap()).collect();
    assert_eq!(documents.len(), 3);
    // A fifth of one CPU is all it may have; others may keep it from that.
    let of = |document: &serde_json::Value| {
        let processes = document["processes"].as_array().unwrap();
        let ours = processes.iter().find(|p| p["container"]["launcher"] == running.pid());
        let ours = ours.unwrap_or_else(|| panic!("the loop is not in {document}"));
        (ours["cpu_permille"].as_u64().unwrap(), ours["throttled_permille"].as_u64())
    };
    let used: Vec<_> = documents.iter().map(of).collect();
    assert!(used.iter().all(|(cpu, _)| *cpu <= 300), "{used:?}");
    assert!(used.iter().any(|(cpu, _)| *cpu >= 120), "{used:?}");
    assert!(used.iter().any(|(_, throttled)| *throttled >= Some(500)), "{used:?}");
    // One that is late makes the next time shorter, by which its rates are reckoned.
    let elapsed: u64 = documents.iter().filter_map(|d| d["elapsed_msec"].as_u64()).sum();
    assert!(elapsed >= 3 * 450, "{documents:?}");
}

#[test]
fn an_ordinary_user_sees_what_proc_grants_and_is_told_the_rest() {
    let running = busy();
    // Before it is in its group there is nothing that could not be read.
    let group = cgroup::of_run(running.pid(), "pids");
    wait_for("the busy loop", Duration::from_secs(10), || {
        cgroup::procs(&group).into_iter().find(|&pid| proc::read(pid, "comm").trim() == "sh")
    });
    let dir = tempfile::tempdir().unwrap();
    std::fs::set_permissions(dir.path(), PermissionsExt::from_mode(0o755)).unwrap();
    let copy = dir.path().join("vitrine");
    std::fs::copy(binary(), &copy).unwrap();
    for words in [&["ps"][..], &["namespaces"], &["top", "--interval", "0.1"]] {
        let mut command = Command::new(&copy);
        command.args(words).arg("--json").uid(65_534).gid(65_534).current_dir("/");
        let outcome = spawn(&mut command, None).end();
        assert_eq!(outcome.status, 0, "{words:?}: {outcome:?}");
        let json: serde_json::Value = serde_json::from_str(&outcome.out).unwrap();
        let not_read = json["not_read"][0].as_str().unwrap();
        assert!(not_read.contains("namespaces of"), "{words:?}: {not_read}");
        assert_eq!(outcome.err.lines().count(), 1, "{words:?}: {}", outcome.err);
        assert!(outcome.err.contains("run it as root"), "{words:?}: {}", outcome.err);
        if words[0] == "ps" {
            let processes = json["processes"].as_array().unwrap();
            let is_ours = |p: &&serde_json::Value| p["container"]["launcher"] == running.pid();
            let ours = processes.iter().find(is_ours).unwrap();
            assert_eq!(ours["namespaces"]["pid"], serde_json::Value::Null);
            assert!(ours["pids"].as_array().unwrap().len() == 2, "{ours}");
        }
    }
}
