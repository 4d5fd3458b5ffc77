//! `vitrine run` as a command: exit codes, standard streams, signals, words that are wrong.

use nix::sys::signal::Signal;

use crate::harness::command::{output, run, start};
use crate::harness::{mark, proc};

#[track_caller]
fn exits(words: &[&str], status: i32) -> String {
    let outcome = run(words);
    assert_eq!(outcome.status, status, "vitrine run {}: {outcome:?}", words.join(" "));
    outcome.err
}

#[test]
fn the_status_is_the_programs_own() {
    exits(&["--", "true"], 0);
    exits(&["--", "sh", "-c", "exit 7"], 7);
    exits(&["--init", "--", "sh", "-c", "exit 7"], 7);
    exits(&["--", "sh", "-c", "exit 125"], 125);
}

#[test]
fn a_signal_is_128_and_its_number() {
    // Without a PID namespace the shell is no PID 1, so signals work on it.
    exits(&["--uts", "--", "sh", "-c", "kill -9 $$"], 137);
    exits(&["--uts", "--", "sh", "-c", "kill -SEGV $$"], 139);
    exits(&["--init", "--", "sh", "-c", "kill -TERM $$"], 143);
}

#[test]
fn what_is_not_there_is_127() {
    for init in [&[][..], &["--init"]] {
        for program in ["nope", "/nope", "/etc/passwd/nope"] {
            let words = [init, &["--", program]].concat();
            let err = exits(&words, 127);
            assert!(err.contains(program), "{err}");
        }
    }
}

#[test]
fn what_cannot_be_executed_is_126() {
    for init in [&[][..], &["--init"]] {
        for program in ["/etc/passwd", "/etc"] {
            exits(&[init, &["--", program]].concat(), 126);
        }
    }
}

#[test]
fn our_own_failures_are_125_and_say_what_is_allowed() {
    for (words, said) in [
        (&["--", ""][..], "no program is named"),
        (&[], "<CMD>"),
        (&["--no-such-flag", "--", "true"], "--no-such-flag"),
        (&["--no-such-flag", "true"], "--no-such-flag"),
        (&["--cpu-quota", "999", "true"], "1000 to"),
        (&["--cpu-period", "999", "true"], "1000 to 1000000"),
        (&["--cpus", "two", "true"], "0.5"),
        (&["--memory", "64q", "true"], "64m"),
        (&["--memory", "4k", "true"], "allowed is"),
        (&["--pids-limit", "0", "true"], "1 to"),
        (&["--cpuset-cpus", "1-", "true"], "0-1,3"),
        (&["--cpuset-cpus", "4000", "true"], "cpuset.cpus"),
        (&["--seccomp", "none", "true"], "strict, off"),
        (&["--hostname", "a b", "true"], "letters, digits"),
        (&["--pid", "--hostname", "x", "true"], "UTS namespace"),
        (&["--pid", "--time-offset", "5", "true"], "time namespace"),
        (&["--rootfs", "/no/such", "true"], "--rootfs takes busybox, lab, the name of an image"),
        (&["-it", "--", "true"], "not a terminal"),
    ] {
        let outcome = run(words);
        assert_eq!(outcome.status, 125, "{words:?}: {outcome:?}");
        assert!(outcome.err.contains(said), "{words:?} does not say {said:?}: {}", outcome.err);
        assert_eq!(outcome.out, "", "{words:?}");
    }
}

#[test]
fn help_is_no_failure() {
    let outcome = run(&["--help"]);
    assert_eq!(outcome.status, 0, "{outcome:?}");
    for flag in ["--pid", "--mount", "--cpu-quota", "--rootfs", "125"] {
        assert!(outcome.out.contains(flag), "no {flag} in the help");
    }
}

#[test]
fn standard_input_is_closed_unless_it_is_asked_for() {
    let with = |flags: &[&str]| {
        let words = [flags, &["--", "cat"]].concat();
        start(&words, Some(b"typed\n")).end()
    };
    let closed = with(&[]);
    assert_eq!((closed.status, closed.out.as_str()), (0, ""));
    let open = with(&["-i"]);
    assert_eq!((open.status, open.out.as_str()), (0, "typed\n"));
    let long = start(&["--interactive", "--", "wc", "-c"], Some(&vec![b'x'; 300_000])).end();
    assert_eq!((long.status, long.out.trim()), (0, "300000"));
}

#[test]
fn output_and_errors_stay_apart() {
    let outcome = run(&["--", "sh", "-c", "echo out; echo err >&2"]);
    assert_eq!((outcome.out.as_str(), outcome.err.as_str()), ("out\n", "err\n"));
}

#[test]
fn signals_are_passed_on() {
    for (flags, signal, status) in [
        (&["--init"][..], Signal::SIGTERM, 143),
        (&["--init"], Signal::SIGINT, 130),
        (&["--uts"], Signal::SIGTERM, 143),
        (&["--uts"], Signal::SIGUSR1, 138),
    ] {
        let mark = mark();
        let running = start(&[flags, &["--", "sleep", &mark]].concat(), None);
        proc::wait_for_sleep(&mark);
        running.signal(signal);
        let outcome = running.end();
        assert_eq!(outcome.status, status, "{flags:?} {signal}: {outcome:?}");
    }
}

#[test]
fn a_handler_in_the_container_hears_the_signal() {
    let script = "trap 'echo heard; exit 3' HUP; echo ready; while :; do sleep 0.05; done";
    let running = start(&["--", "sh", "-c", script], None);
    let pid = only_process(running.pid());
    crate::harness::wait_for("the trap", crate::harness::command::PATIENCE, || {
        // Bit 0 is SIGHUP.
        let caught = u64::from_str_radix(&proc::status(pid, "SigCgt"), 16).unwrap();
        (caught & 1 != 0).then_some(())
    });
    running.signal(Signal::SIGHUP);
    let outcome = running.end();
    assert_eq!((outcome.status, outcome.out.as_str()), (3, "ready\nheard\n"), "{outcome:?}");
}

fn only_process(vitrine: u32) -> u32 {
    crate::harness::wait_for("the shell", crate::harness::command::PATIENCE, || {
        proc::children(vitrine).into_iter().find(|&pid| proc::read(pid, "comm").trim() == "sh")
    })
}

#[test]
fn the_environment_is_not_the_callers() {
    let env = output(&["--", "env"]);
    let mut names: Vec<_> = env.lines().filter_map(|line| line.split('=').next()).collect();
    names.sort_unstable();
    // HOSTNAME, PWD and the like would come from a shell.
    assert_eq!(names, ["HOME", "PATH"], "{env}");
}

#[test]
fn init_reaps_orphans() {
    // What begins as the shell ends as a sleep, which waits for nobody.
    let script = "for i in $(seq 30); do (sleep 0.1 &); done;
        (sleep 0.6; ps -o stat | grep -c Z) & exec sleep 1.2";
    let outcome = run(&["--init", "--", "sh", "-c", script]);
    assert_eq!(outcome.out.trim(), "0", "{outcome:?}");
    // The same without init shows that there was something to reap.
    let without = run(&["--", "sh", "-c", script]);
    assert_ne!(without.out.trim(), "0", "{without:?}");
}
