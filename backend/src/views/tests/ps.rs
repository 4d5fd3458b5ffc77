//! The list: its lines, its order, and the machine that is meant.

use super::*;
use crate::views::tests_tree;

fn rows() -> Vec<Row> {
    let (tree, host) = tests_tree::host();
    tree.write("proc/301/cmdline", "sleep\x0010\x1b]0;x\x07\0");
    let mut watch = Watch::new(host, false).unwrap().without_clock();
    watch.read(true, &mut Missed::default())
}

#[test]
fn a_line_for_each() {
    let lines = lines(&rows(), true);
    assert_eq!(
        lines,
        [
            "PID PIDS-IN    UID UID-IN S    TIME  RSS CONTAINER       NS       COMMAND",
            "  1       2 166536 166536 S 0:02.50 8.0K -               ........ systemd --flag",
            "300       2 166536   1000 S 0:02.50 8.0K 0123456789ab/c1 PMHIUNCT a) R (b --flag",
            "301       2 166536   1000 S 0:02.50 8.0K 0123456789ab/c1 PMHIUNCT sleep 10\\x1b]0;x\\x07",
            "400       2 166536 166536 S 0:02.50 8.0K run:400         ........ sh --flag",
        ]
    );
}

#[test]
fn every_key_sorts() {
    let mut rows = rows();
    rows[0].rss_bytes = 1;
    rows[1].cpu_nsec = 9_000_000_000;
    let mut order = |key| {
        rows.reverse();
        sort(&mut rows, key, |row| row.cpu_nsec);
        rows.iter().map(|row| row.pid).collect::<Vec<_>>()
    };
    assert_eq!(order(Sort::Pid), [1, 300, 301, 400]);
    assert_eq!(order(Sort::Cpu), [300, 1, 301, 400]);
    assert_eq!(order(Sort::Rss), [300, 301, 400, 1]);
    assert_eq!(order(Sort::Container), [300, 301, 400, 1]);
    assert_eq!(order(Sort::Command), [300, 400, 301, 1]);
}

#[test]
fn the_machine_that_is_meant_or_those_that_there_are() {
    let of = |machine: &str| only(rows(), machine);
    for machine in ["0", "0123456789ab", "0123456789abcdef0123456789abcdef"] {
        assert_eq!(of(machine).unwrap().len(), 2, "{machine}");
    }
    let err = of("f00").unwrap_err().to_string();
    assert!(err.contains("begins with f00") && err.contains("0123456789ab"), "{err}");
    let err = only(Vec::new(), "f00").unwrap_err().to_string();
    assert!(err.contains("there is none"), "{err}");
}

#[test]
fn hostile_text_goes_into_json_as_it_is() {
    let rows = rows();
    let text = serde_json::to_string(&document(&rows, Missed::default())).unwrap();
    assert!(text.contains(r#""argv":["sleep","10\u001b]0;x\u0007"]"#), "{text}");
    let json: serde_json::Value = serde_json::from_str(&text).unwrap();
    assert_eq!(json["version"], 1);
    assert_eq!(json["processes"][1]["namespaces"]["mnt"], 4_026_532_101_u64);
    assert_eq!(json["processes"][1]["own"][0], "pid");
    assert_eq!(json["processes"][1]["container"]["machine"], "0123456789ab");
    assert_eq!(json["processes"][0]["container"], serde_json::Value::Null);
}
