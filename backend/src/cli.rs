//! The command line: each command's flags as a type, in a file of its own.

mod cgroups;
mod completions;
mod doctor;
mod image;
mod limits;
mod man;
mod namespaces;
mod processes;
mod ps;
mod run;
mod schema;
mod serve;
mod sim;
mod top;

use std::ffi::OsString;

use clap::error::{ContextKind, ContextValue, ErrorKind};
use clap::{CommandFactory as _, FromArgMatches as _, Parser, Subcommand};

use crate::config;

pub use cgroups::Cgroups;
pub use completions::Completions;
pub use doctor::Doctor;
pub use image::{Image, image};
pub use man::Man;
pub use namespaces::Namespaces;
pub use ps::Ps;
pub use run::Run;
pub use schema::Schema;
pub use serve::Serve;
pub use sim::Sim;
pub use top::Top;

/// See through the container trick: real Linux containers, live in a browser page.
#[derive(Debug, Parser)]
#[command(
    name = "vitrine",
    version,
    max_term_width = 100,
    propagate_version = true,
    arg_required_else_help = true,
    after_help = "\
Examples:
  vitrine serve                                 # the page; prints one URL
  vitrine run -it -- sh                         # a container, here and now
  vitrine ps                                    # what runs in machines and containers
  vitrine help run                              # flags and examples of a command

The exit status is 0, 1 for a failure and 2 for a word that is not understood; of vitrine run
it is the program's own (125 for its own failures)."
)]
pub struct Cli {
    /// What to do.
    #[command(subcommand)]
    pub command: Command,
}

/// What to do.
#[derive(Debug, Subcommand)]
pub enum Command {
    /// Serve the page and its machines.
    Serve(Serve),
    /// Run one container on this host, as `docker run` does.
    Run(Box<Run>),
    /// Add, list and remove the root file systems that containers can have.
    Image(Image),
    /// List the processes of machines and containers, with their PIDs inside and out.
    Ps(Ps),
    /// The same live: CPU, throttling and memory.
    Top(Top),
    /// Show cgroups as a tree, each usage against its limit.
    Cgroups(Cgroups),
    /// List namespaces of all eight types, who is in them and what holds them.
    Namespaces(Namespaces),
    /// Say what this host can do, what is missing, and the command that mends it.
    Doctor(Doctor),
    /// Run a script on the simulated machine.
    Sim(Sim),
    /// Print the JSON Schema of the protocol.
    Schema(Schema),
    /// Print what a shell needs to complete these words.
    Completions(Completions),
    /// Write manual pages.
    Man(Man),
}

/// The first digits of a machine's id.
fn parse_machine(text: &str) -> Result<String, String> {
    let hex = |b: u8| b.is_ascii_digit() || (b'a'..=b'f').contains(&b);
    if (1..=32).contains(&text.len()) && text.bytes().all(hex) {
        return Ok(text.to_string());
    }
    Err(format!("{text:?} is not the beginning of a machine's id: 1 to 32 digits 0-9, a-f"))
}

/// The same words for `run` alone: the flags of eleven commands take longer to define than those
/// of one, and a container is born in a few milliseconds.
#[derive(Debug, Parser)]
#[command(name = "vitrine")]
struct Only {
    #[command(subcommand)]
    command: OnlyRun,
}

#[derive(Debug, Subcommand)]
enum OnlyRun {
    Run(Box<Run>),
}

/// `vitrine run` as it was meant; nothing where it was not, or there is something to be said.
fn read_run(args: &[OsString]) -> Option<Cli> {
    args.get(1).filter(|word| *word == "run")?;
    if config::is_there() {
        // It may name the data directory.
        return None;
    }
    let Only { command: OnlyRun::Run(run) } = Only::try_parse_from(args).ok()?;
    Some(Cli { command: Command::Run(run) })
}

impl Cli {
    /// Reads a command line; for `serve`, the environment and the file of settings too.
    pub fn read(args: impl IntoIterator<Item = OsString>) -> Result<Cli, clap::Error> {
        let args: Vec<OsString> = args.into_iter().collect();
        if let Some(cli) = read_run(&args) {
            return Ok(cli);
        }
        let (matches, settings) = config::read(Cli::command, "serve", &args).map_err(with_tip)?;
        let mut cli =
            Cli::from_arg_matches(&matches).map_err(|err| err.format(&mut Cli::command()))?;
        if let Command::Serve(serve) = &mut cli.command {
            serve.settings = settings;
        }
        Ok(cli)
    }
}

/// Names the commands to who typed one that is like none of them; and Docker's `--user=1000` is
/// another flag here.
fn with_tip(mut error: clap::Error) -> clap::Error {
    if error.kind() == ErrorKind::InvalidSubcommand
        && error.get(ContextKind::SuggestedSubcommand).is_none()
    {
        let command = Cli::command();
        let names: Vec<_> = command.get_subcommands().map(clap::Command::get_name).collect();
        let tip = format!("the commands are {}", names.join(", "));
        error.insert(ContextKind::Suggested, ContextValue::StyledStrs(vec![tip.into()]));
    }
    let is_user = |arg: &ContextValue| matches!(arg, ContextValue::String(arg) if arg == "--user");
    if error.kind() == ErrorKind::TooManyValues
        && error.get(ContextKind::InvalidArg).is_some_and(is_user)
    {
        let tip = "'--user' is a new user namespace; to run as somebody: '--as' or '-u'";
        error.insert(ContextKind::Suggested, ContextValue::StyledStrs(vec![tip.into()]));
    }
    error
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_flag_of_serve_is_a_variable_too() {
        let command = Cli::command();
        let serve = command.find_subcommand("serve").unwrap();
        for arg in serve.get_arguments() {
            let Some(name) = arg.get_long().filter(|name| *name != "print-config") else {
                continue;
            };
            let variable = format!("VITRINE_{}", name.to_uppercase().replace('-', "_"));
            assert_eq!(arg.get_env().and_then(|env| env.to_str()), Some(variable.as_str()));
        }
    }

    #[test]
    fn the_sample_file_is_what_the_flags_say() {
        let command = Cli::command();
        let fresh = config::sample(command.find_subcommand("serve").unwrap());
        let path = concat!(env!("CARGO_MANIFEST_DIR"), "/../docs/vitrine.toml.example");
        if std::env::var_os("UPDATE_DOCS").is_some() {
            std::fs::write(path, &fresh).unwrap();
        }
        let kept = std::fs::read_to_string(path).unwrap_or_default();
        assert_eq!(
            kept, fresh,
            "UPDATE_DOCS=1 cargo test -p vitrine the_sample_file writes it anew"
        );
    }

    #[test]
    fn the_definition_is_sound() {
        Cli::command().debug_assert();
    }

    #[test]
    fn typed_wrong_it_says_what_is_allowed() {
        let wrong = |line: &str| Cli::try_parse_from(line.split(' ')).unwrap_err().to_string();
        assert!(wrong("vitrine rum").contains("run"));
        let like_none = Cli::read(["vitrine", "xyzzy"].map(OsString::from)).unwrap_err();
        assert!(like_none.to_string().contains("serve, run, image"), "{like_none}");
        assert!(wrong("vitrine image").contains("add"));
        assert!(wrong("vitrine image add x").contains("<SOURCE>"));
        assert!(wrong("vitrine image rm x").contains("remove"));
        // A flag typed wrong is no program.
        assert!(wrong("vitrine run --memroy 64m true").contains("--memory"));
        assert!(wrong("vitrine run --cpus x true").contains("0.5"));
        assert!(wrong("vitrine run --seccomp none true").contains("strict, off"));
        let listen = wrong("vitrine serve --listen nonsense");
        assert!(listen.contains("--listen") && listen.contains("127.0.0.1:8080"), "{listen}");
        assert!(wrong("vitrine ps --machine x").contains("0-9, a-f"));
    }

    #[test]
    fn every_command_has_examples_that_are_understood() {
        let mut seen = Vec::new();
        for command in Cli::command().get_subcommands() {
            check_examples(command, "vitrine", &mut seen);
        }
        for name in ["vitrine run", "vitrine image add", "vitrine image list"] {
            assert!(seen.iter().any(|other| other == name), "{seen:?}");
        }
    }

    /// Of a command and of those below it: `image add` has its own.
    fn check_examples(command: &clap::Command, above: &str, seen: &mut Vec<String>) {
        let name = format!("{above} {}", command.get_name());
        let help = command.get_after_help().unwrap_or_default().to_string();
        let text = help.split("Examples:\n").nth(1).or(help.split("Example:\n").nth(1));
        let text = text.unwrap_or_else(|| panic!("{name} has no examples"));
        let mut n_lines = 0;
        for typed in text.lines().take_while(|line| line.starts_with("  ")) {
            let mut words = typed.split_whitespace().take_while(|word| *word != "#").peekable();
            // Each command of the line: `docker save … | gzip > x; vitrine image add …`.
            while words.peek().is_some() {
                let mut ended = false;
                let one: Vec<&str> = words
                    .by_ref()
                    .take_while(|word| {
                        let goes_on = !ended && !matches!(*word, "|" | ">" | ">>" | "&&");
                        ended = word.ends_with(';');
                        goes_on
                    })
                    .collect();
                let one: Vec<&str> = one.into_iter().skip_while(|word| *word == "sudo").collect();
                if one.first() == Some(&"vitrine") {
                    n_lines += 1;
                    check_example(&name, &one);
                }
            }
        }
        assert!(n_lines > 0, "{name} has no example");
        seen.push(name.clone());
        for below in command.get_subcommands() {
            check_examples(below, &name, seen);
        }
    }

    /// What the shell would quote stands behind `--` or a pipe.
    fn check_example(name: &str, words: &[&str]) {
        let parsed = Cli::try_parse_from(words.iter().map(|word| word.trim_matches('\'')));
        let is_help = |err: &clap::Error| err.exit_code() == 0;
        let is_read = parsed.as_ref().err().is_none_or(is_help);
        assert!(is_read, "{name}: {}: {}", words.join(" "), parsed.unwrap_err());
    }
}
