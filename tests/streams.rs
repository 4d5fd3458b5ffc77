//! `vitrine serve` and `vitrine run` where their standard streams are full or closed: an error
//! with its reason, or none at all, and never a panic.

use std::process::Command;

use crate::harness::command::{Outcome, spawn};
use crate::harness::{binary, data};

/// The program, as `"$1"`, in a line of the shell.
fn shell(line: &str) -> Outcome {
    let mut command = Command::new("bash");
    command.args(["-c", line, "bash"]).arg(binary()).env("VITRINE_DATA", data());
    spawn(&mut command, None).end()
}

#[track_caller]
fn no_panic(outcome: &Outcome) {
    assert!(!outcome.err.contains("panicked"), "{outcome:?}");
    // A panic's own status.
    assert_ne!(outcome.status, 101, "{outcome:?}");
}

#[test]
fn serve_that_cannot_tell_its_url_says_so_and_ends() {
    let full = shell("timeout 20 \"$1\" serve --listen 127.0.0.1:0 > /dev/full");
    no_panic(&full);
    assert_eq!(full.status, 1, "{full:?}");
    assert!(full.err.contains("No space left on device"), "{full:?}");
    // Closed it is /dev/null from the start, and nobody wants to know: 124 is timeout's own.
    let closed = shell("timeout 3 \"$1\" serve --listen 127.0.0.1:0 >&-");
    no_panic(&closed);
    assert_eq!(closed.status, 124, "{closed:?}");
}

#[test]
fn serve_without_standard_error_runs_all_the_same() {
    for to in ["2> /dev/full", "2>&-"] {
        // It is ended by SIGTERM, as by `systemctl stop`, and that is no failure.
        let line = format!("timeout -s TERM 3 \"$1\" serve --listen 127.0.0.1:0 {to}; echo =$?");
        let outcome = shell(&line);
        no_panic(&outcome);
        assert!(outcome.out.contains("#token="), "{to}: {outcome:?}");
        // What timeout says of one that it had to end.
        assert!(outcome.out.contains("=124"), "{to}: {outcome:?}");
    }
}

#[test]
fn run_passes_what_its_program_meets() {
    // The program writes, and it is the program's error.
    let full = shell("\"$1\" run -- sh -c 'echo x; echo status $? >&2' > /dev/full");
    no_panic(&full);
    assert!(full.err.contains("status 1"), "{full:?}");
    for (line, status) in [
        ("\"$1\" run -- true >&-", 0),
        ("\"$1\" run -- true 2>&-", 0),
        ("\"$1\" run -- true <&-", 0),
        ("\"$1\" run -i -- cat <&-", 0),
        ("\"$1\" run -- sh -c 'exit 7' >&- 2>&- <&-", 7),
        ("\"$1\" run --json -- sh -c 'exit 7' 2> /dev/full", 7),
        ("\"$1\" run -- nothing 2> /dev/full", 127),
        ("\"$1\" run -- nothing 2>&-", 127),
        ("\"$1\" run --no-such-flag 2>&-", 125),
    ] {
        let outcome = shell(line);
        no_panic(&outcome);
        assert_eq!(outcome.status, status, "{line}: {outcome:?}");
    }
}
