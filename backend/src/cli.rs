//! The command line: each command's flags as a type, in a file of its own.

mod doctor;
mod run;
mod schema;
mod serve;

use std::ffi::OsString;

use clap::{CommandFactory as _, FromArgMatches as _, Parser, Subcommand};

use crate::config;

pub use doctor::Doctor;
pub use run::Run;
pub use schema::Schema;
pub use serve::Serve;

/// See through the container trick: real Linux containers, live in a browser page.
#[derive(Debug, Parser)]
#[command(name = "vitrine", version, max_term_width = 100, propagate_version = true)]
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
    /// Say what this host can do, what is missing, and the command that mends it.
    Doctor(Doctor),
    /// Print the JSON Schema of the protocol.
    Schema(Schema),
}

impl Cli {
    /// Reads a command line; for `serve`, the environment and the file of settings too.
    pub fn read(args: impl IntoIterator<Item = OsString>) -> Result<Cli, clap::Error> {
        let args: Vec<OsString> = args.into_iter().collect();
        let (matches, settings) = config::read(Cli::command, "serve", &args)?;
        let mut cli =
            Cli::from_arg_matches(&matches).map_err(|err| err.format(&mut Cli::command()))?;
        if let Command::Serve(serve) = &mut cli.command {
            serve.settings = settings;
        }
        Ok(cli)
    }
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
        assert!(wrong("vitrine run").contains("<CMD>"));
        // A flag typed wrong is no program.
        assert!(wrong("vitrine run --memroy 64m true").contains("--memory"));
        assert!(wrong("vitrine run --cpus x true").contains("0.5"));
        assert!(wrong("vitrine run --seccomp none true").contains("strict, off"));
        assert!(wrong("vitrine serve --listen nonsense").contains("--listen"));
    }
}
