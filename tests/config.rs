//! Settings of `vitrine serve`: which place wins, and what is said about what is wrong.

use std::path::Path;
use std::process::Stdio;

use vitrine_shared::message::{Command, Profile, Refusal};
use vitrine_shared::spec::ContainerSpec;

use crate::harness::command::{Outcome, spawn};
use crate::harness::server::Server;
use crate::harness::user::User;
use crate::harness::{binary, cgroup, proc};

/// A file of settings in a directory of its own.
struct Settings(tempfile::TempDir);

impl Settings {
    fn new(text: &str) -> Self {
        let dir = tempfile::tempdir().unwrap();
        std::fs::write(dir.path().join("vitrine.toml"), text).unwrap();
        Settings(dir)
    }

    fn path(&self) -> String {
        self.0.path().join("vitrine.toml").display().to_string()
    }
}

fn serve(words: &[&str], variables: &[(&str, &str)]) -> Outcome {
    let mut command = std::process::Command::new(binary());
    command.arg("serve").args(words).envs(variables.iter().copied()).stdin(Stdio::null());
    spawn(&mut command, None).end()
}

/// The line of `--print-config` about a key.
#[track_caller]
fn line(key: &str, words: &[&str], variables: &[(&str, &str)]) -> String {
    let outcome = serve(&[words, &["--print-config"]].concat(), variables);
    assert_eq!(outcome.status, 0, "{outcome:?}");
    let found = outcome.out.lines().find(|line| line.starts_with(&format!("{key} =")));
    let words: Vec<_> =
        found.unwrap_or_else(|| panic!("no {key} in {}", outcome.out)).split_whitespace().collect();
    words.join(" ")
}

#[test]
fn a_flag_wins_over_a_variable_and_that_over_the_file() {
    let file = Settings::new("# mine\nlog = \"info\"\n");
    let config = file.path();
    let flag: &[&str] = &["--log", "error"];
    let variable = ("VITRINE_LOG", "debug");
    let named: &[&str] = &["--config", &config];
    for (words, variables, expected) in [
        (vec![], vec![], "log = \"warn\" # default".to_string()),
        (vec![named], vec![], format!("log = \"info\" # {config}:2")),
        (vec![], vec![("VITRINE_CONFIG", &*config)], format!("log = \"info\" # {config}:2")),
        (vec![named], vec![variable], "log = \"debug\" # VITRINE_LOG".into()),
        (vec![named, flag], vec![variable], "log = \"error\" # --log".into()),
        (vec![flag], vec![], "log = \"error\" # --log".into()),
    ] {
        assert_eq!(line("log", &words.concat(), &variables), expected);
    }
}

#[test]
fn lists_come_from_all_three() {
    let file = Settings::new("allowed-origin = [\"https://a.example\", \"https://b.example\"]");
    let config = ["--config", &file.path()];
    let two = "allowed-origin = [\"https://a.example\", \"https://b.example\"]";
    assert!(line("allowed-origin", &config, &[]).starts_with(two));
    let variable = ("VITRINE_ALLOWED_ORIGIN", "https://a.example,https://b.example");
    assert!(line("allowed-origin", &[], &[variable]).starts_with(two));
    let flags = ["--allowed-origin", "https://a.example", "--allowed-origin", "https://b.example"];
    assert!(line("allowed-origin", &flags, &[]).starts_with(two));
}

#[test]
fn what_is_printed_is_a_file_that_says_the_same() {
    let printed = serve(&["--listen", "127.0.0.1:9", "--print-config"], &[]).out;
    let again = Settings::new(&printed);
    let out = serve(&["--config", &again.path(), "--print-config"], &[]).out;
    let values = |text: &str| -> Vec<String> {
        text.lines().map(|line| line.split("  #").next().unwrap_or("").trim().into()).collect()
    };
    assert_eq!(values(&out), values(&printed));
    assert!(values(&printed).contains(&"listen = \"127.0.0.1:9\"".to_string()), "{printed}");
}

#[test]
fn what_is_wrong_is_said() {
    for (text, said) in [
        ("lisen = \"127.0.0.1:0\"", &["vitrine.toml:1:", "did you mean `listen`?"][..]),
        ("\nlisten = 80", &["vitrine.toml:2:", "`listen`", "a string", "127.0.0.1:7878"]),
        ("listen = \"nonsense\"", &["vitrine.toml:1:", "nonsense", "127.0.0.1:7878"]),
        ("listen = ", &["vitrine.toml:1:"]),
    ] {
        let file = Settings::new(text);
        let outcome = serve(&["--config", &file.path()], &[]);
        assert_eq!(outcome.status, 2, "{text:?}: {outcome:?}");
        for said in said {
            assert!(outcome.err.contains(said), "{text:?} does not say {said}: {}", outcome.err);
        }
    }
    let outcome = serve(&["--config", "/no/such.toml"], &[]);
    assert_eq!(outcome.status, 2, "{outcome:?}");
    assert!(outcome.err.contains("/no/such.toml"), "{}", outcome.err);
}

#[test]
fn a_variable_that_means_nothing_is_told_by_the_nearest_name() {
    // It does not start: the data directory cannot be made.
    let words = ["--listen", "127.0.0.1:0", "--data", "/proc/nowhere"];
    let outcome = serve(&words, &[("VITRINE_LISTN", "x")]);
    assert!(outcome.err.contains("VITRINE_LISTN means nothing"), "{}", outcome.err);
    assert!(outcome.err.contains("did you mean VITRINE_LISTEN?"), "{}", outcome.err);
    assert_ne!(outcome.status, 0);
}

#[test]
fn help_names_every_key_and_every_variable() {
    let help = serve(&["--help"], &[]).out;
    let example = Path::new(env!("CARGO_MANIFEST_DIR")).join("../docs/vitrine.toml.example");
    let example = std::fs::read_to_string(example).unwrap();
    let keys = example.lines().filter_map(|line| line.strip_prefix('#')?.split_once(" = "));
    let mut count = 0;
    for (key, _) in keys.filter(|(key, _)| !key.contains(' ')) {
        assert!(help.contains(&format!("--{key}")), "--{key}");
        let variable = format!("VITRINE_{}", key.to_uppercase().replace('-', "_"));
        assert!(help.contains(&variable), "{variable}");
        count += 1;
    }
    assert!(count >= 5, "{example}");
    assert!(help.contains("--config") && help.contains("vitrine.toml"), "{help}");
}

#[test]
fn limits_are_settings_and_refusals_quote_the_value_in_force() {
    let file = Settings::new("machine-memory = \"64m\"\nmachine-pids = 99\nmachines = 50\n");
    let server = Server::start_with(&["--config", &file.path(), "--machines", "1"]);
    let mut page = server.client();
    let started = page.start(None, ContainerSpec::one_click());
    let refused = page.refused(Command::StartMachine { profile: Profile::Strict });
    let Refusal::Limit(reached) = refused else { panic!("{refused:?}") };
    assert_eq!((reached.name.as_str(), reached.value), ("machines", 1), "the flag wins");
    // The caps themselves, as the kernel has them.
    let cap = |controller: &str| {
        let root = cgroup::hierarchy(controller).unwrap();
        let ours = cgroup::of_instance(server.pid()).into_iter().find(|dir| dir.starts_with(&root));
        ours.unwrap().join(&started.machine.to_string()[..12])
    };
    assert_eq!(cgroup::read(&cap("memory"), "memory.limit_in_bytes"), (64 << 20).to_string());
    assert_eq!(cgroup::read(&cap("pids"), "pids.max"), "99");
    let shell = cgroup::procs(&cap("pids").join("root/c1"));
    let limits = proc::read(shell[0], "limits");
    let line = limits.lines().find(|line| line.starts_with("Max processes")).unwrap();
    assert_eq!(line.split_whitespace().nth(2), Some("99"), "{line}");
}

#[test]
fn every_command_that_has_a_data_directory_takes_it_from_the_file() {
    let data = tempfile::tempdir().unwrap();
    let other = tempfile::tempdir().unwrap();
    let file = Settings::new(&format!("data = \"{}\"\n", data.path().display()));
    let run = |words: &[&str], variables: &[(&str, &str)]| {
        let mut command = std::process::Command::new(binary());
        command.args(words).env_remove("VITRINE_DATA").env("VITRINE_CONFIG", file.path());
        command.envs(variables.iter().copied());
        spawn(&mut command, None).end()
    };
    let images = |of: &tempfile::TempDir| {
        std::fs::read_dir(of.path().join("images")).map_or(0, Iterator::count)
    };
    let source = tempfile::tempdir().unwrap();
    let source = source.path().to_str().unwrap();
    assert_eq!(run(&["image", "add", "mine", source], &[]).status, 0);
    assert!(run(&["image", "list"], &[]).out.contains("mine"));
    let before = images(&data);
    assert!(before > 0);
    let ran = run(&["run", "--", "true"], &[]);
    assert_eq!(ran.status, 0, "{ran:?}");
    assert!(images(&data) > before, "no busybox was made there");
    let doctor = run(&["doctor"], &[]);
    assert!(doctor.out.contains(data.path().to_str().unwrap()), "{doctor:?}");
    // A variable wins, and so does a flag.
    let elsewhere = other.path().to_str().unwrap();
    for (words, variables) in [
        (&["image", "list", "--data", elsewhere][..], &[][..]),
        (&["image", "list"], &[("VITRINE_DATA", elsewhere)]),
    ] {
        assert!(!run(words, variables).out.contains("mine"), "{words:?}");
    }
    assert_eq!(run(&["image", "remove", "mine"], &[]).status, 0);
    // A file that is wrong is told of, and not passed over; doctor has a check for it.
    let wrong = Settings::new("dta = \"/x\"\n");
    let wrong = wrong.path();
    let ran = run(&["run", "--", "true"], &[("VITRINE_CONFIG", &wrong)]);
    assert!(ran.status == 125 && ran.err.contains("did you mean `data`"), "{ran:?}");
    let listed = run(&["image", "list"], &[("VITRINE_CONFIG", &wrong)]);
    assert!(listed.status == 2 && listed.err.contains(":1:"), "{listed:?}");
}

/// As under `sudo -u`, where the home is often somebody else's.
#[test]
fn a_default_file_that_cannot_be_read_is_a_warning_and_a_named_one_an_error() {
    let user = User::new();
    let directory = user.home().join(".config/vitrine");
    std::fs::create_dir_all(&directory).unwrap();
    let file = directory.join("vitrine.toml");
    std::fs::write(&file, "listen = \"127.0.0.1:1\"\n").unwrap();
    let closed = |path: &Path| {
        use std::os::unix::fs::PermissionsExt as _;
        std::fs::set_permissions(path, std::fs::Permissions::from_mode(0o600)).unwrap();
    };
    let end = |words: &[&str], named: Option<&Path>| {
        let mut command = user.vitrine(words);
        command.envs(named.map(|path| ("VITRINE_CONFIG", path)));
        spawn(&mut command, None).end()
    };
    // The file itself, and then a directory above it.
    for path in [&file, &directory] {
        closed(path);
        let ran = end(&["run", "--", "echo", "it ran"], None);
        assert_eq!((ran.status, ran.out.as_str()), (0, "it ran\n"), "{ran:?}");
        let said = format!("warning: cannot read the configuration {}", file.display());
        assert!(ran.err.contains(&said) && ran.err.contains("defaults are used"), "{ran:?}");
        let printed = end(&["serve", "--print-config"], None);
        assert_eq!(printed.status, 0, "{printed:?}");
        assert!(printed.out.contains("listen = \"127.0.0.1:7878\""), "{printed:?}");
        assert!(printed.err.contains(&said), "{printed:?}");
        let found = end(&["doctor"], None);
        assert!(found.out.contains("cannot read the configuration"), "{found:?}");
        for (words, status) in [(&["run", "--", "true"][..], 125), (&["serve"], 2)] {
            let refused = end(words, Some(&file));
            assert_eq!(refused.status, status, "{words:?}: {refused:?}");
            assert!(refused.err.contains("cannot read the configuration"), "{refused:?}");
        }
    }
}
