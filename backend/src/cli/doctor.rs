//! `vitrine doctor`: its flags, and what they mean.

use std::ffi::OsString;
use std::path::PathBuf;

use clap::Args;

use super::{Cli, Command};
use crate::doctor;
use crate::launcher::privilege::{self, Privilege};
use crate::launcher::serve::Limits;

/// `vitrine doctor`.
#[derive(Debug, Args)]
#[command(after_help = "\
Exits with 0 when there is no error, with 1 when there is one.

Examples:
  vitrine doctor                     # what this host can do, and what mends the rest
  sudo vitrine doctor --seats 40     # is there room for a class of 40?
  sudo vitrine doctor --clean        # remove what killed servers and runs have left
  vitrine doctor --json              # docs/cli-json.md says what is in it")]
pub struct Doctor {
    /// Print JSON.
    #[arg(long)]
    json: bool,
    /// First remove what killed servers and runs have left: cgroups, mounts, images half made.
    #[arg(long)]
    clean: bool,
    /// How many machines are to run at once.
    #[arg(long, value_name = "N", default_value = "1", value_parser = clap::value_parser!(u32).range(1..=100_000))]
    seats: u32,
    /// Check this file of settings too, as `vitrine serve --config` would.
    #[arg(long, value_name = "FILE")]
    config: Vec<PathBuf>,
    /// Where images are kept; when not given, `data` of the file of settings (vitrine serve --help
    /// says which), else as root /var/lib/vitrine, for others ~/.local/share/vitrine.
    #[arg(long, value_name = "DIR", env = "VITRINE_DATA")]
    data: Option<PathBuf>,
}

/// What `vitrine serve` would take; a file that is wrong is told about by a check of its own.
fn limits_in_force(file: Option<&PathBuf>) -> Limits {
    let words = ["vitrine", "serve"].map(OsString::from).into_iter();
    let named = file.into_iter().flat_map(|file| ["--config".into(), file.clone().into()]);
    match Cli::read(words.chain(named)).map(|cli| cli.command) {
        Ok(Command::Serve(serve)) => serve.limits(),
        _ => Limits::default(),
    }
}

impl From<&Doctor> for doctor::Options {
    fn from(args: &Doctor) -> Self {
        doctor::Options {
            json: args.json,
            clean: args.clean,
            seats: args.seats.into(),
            config: args.config.clone(),
            data: args.data.clone().unwrap_or_else(|| {
                Privilege::foresee(&privilege::Host::default()).data_directory()
            }),
            limits: limits_in_force(args.config.last()),
        }
    }
}
