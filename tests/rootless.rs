//! `vitrine run` as an ordinary user, with a single id: what the kernel grants, and what not.

use crate::harness::user::User;

#[test]
fn a_container_of_an_ordinary_users() {
    let user = User::new();
    let script = "echo $$; id -u; cat /proc/self/uid_map; echo kept > /root/x; cat /root/x";
    let out = user.output(&["--", "sh", "-c", script]);
    let lines: Vec<Vec<&str>> = out.lines().map(|l| l.split_whitespace().collect()).collect();
    assert_eq!(lines, [vec!["1"], vec!["0"], vec!["0", "0", "1"], vec!["kept"]], "{out}");
    let ps = user.output(&["--", "ps", "-o", "pid,comm"]);
    assert_eq!(ps.lines().nth(1).map(|l| l.split_whitespace().collect()), Some(vec!["1", "ps"]));
}

#[test]
fn exit_codes_are_the_same_as_roots() {
    let user = User::new();
    for (words, status) in [
        (&["--", "sh", "-c", "exit 7"][..], 7),
        (&["--init", "--", "sh", "-c", "kill -TERM $$"], 143),
        (&["--", "/nope"], 127),
        (&["--", "/etc/passwd"], 126),
        (&["--cpu-quota", "999", "true"], 125),
    ] {
        let outcome = user.run(words);
        assert_eq!(outcome.status, status, "{words:?}: {outcome:?}");
    }
}

#[test]
fn a_limit_is_refused_with_the_reason_and_what_mends_it() {
    let user = User::new();
    for limit in [["--cpu-quota", "20000"], ["--memory", "64m"], ["--pids-limit", "10"]] {
        let outcome = user.run(&[&limit[..], &["--", "true"]].concat());
        assert_eq!(outcome.status, 125, "{outcome:?}");
        assert!(outcome.err.contains("not delegated to this user"), "{outcome:?}");
        assert!(outcome.err.contains("sudo vitrine run"), "{outcome:?}");
    }
}
