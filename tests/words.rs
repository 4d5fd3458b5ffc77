//! Words typed wrong on purpose, at every command but `run` (see [`crate::cli`]): the message says
//! what is allowed, names the nearest, and the status is 2.

use crate::harness::{binary, command::spawn, proc};
use crate::views::vitrine;

#[test]
fn typed_wrong_it_says_what_is_allowed() {
    for (line, said) in [
        ("pss", "a similar subcommand exists: 'ps'"),
        ("namespace", "'namespaces'"),
        ("cgroup", "'cgroups'"),
        ("--al", "--help"),
        ("ps --al", "'--all'"),
        ("ps --jsn", "'--json'"),
        ("ps extra", "unexpected argument 'extra'"),
        ("ps --sort", "pid, cpu, rss, container, command"),
        ("ps --sort cpuu", "a similar value exists: 'cpu'"),
        ("ps --sort pid --sort cpu", "cannot be used multiple times"),
        ("ps --machine", "--machine <ID>"),
        ("ps --machine XYZ", "1 to 32 digits 0-9, a-f"),
        ("ps --machine 000000000000000000000000000000000", "1 to 32 digits"),
        ("top --interval 0", "from 0.05 to 3600"),
        ("top --interval soon", "from 0.05 to 3600"),
        ("top --interval=-1", "from 0.05 to 3600"),
        ("top --iterations 0", "--iterations <N>"),
        ("top --iterations many", "--iterations <N>"),
        ("top --sort tim", "container"),
        ("cgroups --tree --flat", "'--tree' cannot be used with '--flat'"),
        ("cgroups --falt", "'--flat'"),
        ("namespaces --type", "pid, mnt, uts, ipc, user, net, cgroup, time"),
        ("namespaces --type usr", "a similar value exists: 'user'"),
        ("namespaces -t", "pid, mnt, uts, ipc, user, net, cgroup, time"),
        ("completions", "<bash|elvish|fish|powershell|zsh>"),
        ("completions bsh", "a similar value exists: 'bash'"),
        ("man one two", "unexpected argument 'two'"),
        ("schema please", "unexpected argument 'please'"),
        ("serve --listen here", "--listen <ADDR:PORT>"),
        ("serve --listn 127.0.0.1:0", "'--listen'"),
        ("help nothing", "unrecognized subcommand 'nothing'"),
    ] {
        let words: Vec<&str> = line.split(' ').collect();
        let outcome = vitrine(&words);
        assert_eq!(outcome.status, 2, "vitrine {line}: {outcome:?}");
        assert!(
            outcome.err.contains(said),
            "vitrine {line} does not say {said:?}:\n{}",
            outcome.err
        );
        assert_eq!(outcome.out, "", "vitrine {line}");
    }
}

#[test]
fn no_words_at_all_is_the_help() {
    let outcome = vitrine(&[]);
    assert_eq!(outcome.status, 2);
    for said in ["Usage: vitrine <COMMAND>", "namespaces", "Examples:"] {
        assert!(outcome.err.contains(said), "{}", outcome.err);
    }
}

#[test]
fn every_command_has_help_with_examples() {
    let help = vitrine(&["--help"]);
    assert_eq!(help.status, 0);
    let commands = help.out.split("Commands:\n").nth(1).unwrap().split("\n\n").next().unwrap();
    // A name stands after two blanks; longer descriptions go on further in.
    let name = |line: &str| {
        let line = line.strip_prefix("  ").filter(|line| !line.starts_with(' '))?;
        line.split(' ').next().map(str::to_string)
    };
    let names: Vec<String> = commands.lines().filter_map(name).collect();
    assert!(names.len() >= 10, "{names:?}");
    for name in names.iter().filter(|name| *name != "help") {
        let help = vitrine(&[name, "--help"]);
        assert_eq!((help.status, help.err.as_str()), (0, ""), "{name}");
        assert!(help.out.contains("Examples:\n"), "vitrine {name} --help has no examples");
        assert!(help.out.contains(&format!("  vitrine {name}")), "{name}: {}", help.out);
    }
}

#[test]
fn a_machine_that_is_not_there_is_named_and_it_is_a_failure() {
    for words in [&["ps", "--machine", "fffff0"][..], &["top", "--machine", "fffff0", "--json"]] {
        let outcome = vitrine(words);
        assert_eq!(outcome.status, 1, "{words:?}: {outcome:?}");
        assert!(outcome.err.contains("begins with fffff0; machines: "), "{words:?}: {outcome:?}");
    }
}

#[test]
fn manual_pages_and_completions_are_written() {
    let dir = tempfile::tempdir().unwrap();
    let pages = dir.path().join("share/man1");
    let outcome = vitrine(&["man", pages.to_str().unwrap()]);
    assert_eq!((outcome.status, outcome.out.as_str()), (0, ""), "{outcome:?}");
    for name in ["vitrine.1", "vitrine-run.1", "vitrine-ps.1", "vitrine-namespaces.1"] {
        let text = std::fs::read_to_string(pages.join(name)).unwrap();
        assert!(text.contains(".TH") && text.contains(".SH EXAMPLES"), "{name}: {text}");
    }
    let outcome = vitrine(&["man", "/proc/nowhere"]);
    assert_eq!(outcome.status, 1);
    assert!(
        outcome.err.contains("/proc/nowhere") && outcome.err.contains("os error"),
        "{outcome:?}"
    );
    // The script is read by the shell that it is for.
    let script = "source <(\"$1\" completions bash) && complete -p vitrine";
    let mut bash = std::process::Command::new("bash");
    let outcome = spawn(bash.args(["-c", script, "bash"]).arg(binary()), None).end();
    assert_eq!(outcome.status, 0, "{outcome:?}");
    assert!(outcome.out.contains("_vitrine"), "{outcome:?}");
    assert!(proc::with_word("completions").is_empty(), "nothing is left running");
}
