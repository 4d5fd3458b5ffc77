//! `data` of the file of settings, for the other commands that look into the data directory.

use std::ffi::OsString;
use std::path::PathBuf;

use clap::error::ErrorKind;
use clap::{ArgMatches, Command};

use super::file::{File, Found};
use super::or_default;

const DATA: &str = "data";

/// The same command line, with the file's data directory where neither a flag nor a variable says
/// another. The file is `VITRINE_CONFIG`, or the one that `serve` would read.
pub(super) fn from_the_file(
    define: impl Fn() -> Command,
    serve: &Command,
    matches: ArgMatches,
    args: &[OsString],
) -> Result<ArgMatches, clap::Error> {
    let mut names = Vec::new();
    let mut given = &matches;
    let mut definition = define();
    while let Some((name, below)) = given.subcommand() {
        names.push(name.to_string());
        given = below;
        definition = super::of(&definition, name);
    }
    // The definition is asked, because only clap's debug build tells a flag that is not there from
    // one that was not given.
    let has_flag = definition.get_arguments().any(|arg| arg.get_id() == DATA);
    if !has_flag || given.try_get_one::<PathBuf>(DATA).ok().flatten().is_some() {
        return Ok(matches);
    }
    let is_doctor = names.first().is_some_and(|name| name == "doctor");
    let data = match (data(given, serve), is_doctor) {
        (Ok(Found::File(file)), _) => file.value(DATA),
        // It has a check for files that cannot be read.
        (Ok(_), true) => None,
        (Ok(found), false) => found.or_warn().and_then(|file| file.value(DATA)),
        // It has a check for files that are wrong.
        (Err(_), true) => None,
        (Err(text), false) => {
            return Err(clap::Error::raw(ErrorKind::ValueValidation, text + "\n"));
        }
    };
    match data {
        Some(data) => with_default(define(), &names, &data).try_get_matches_from(args),
        None => Ok(matches),
    }
}

/// The file that is to say it.
fn data(given: &ArgMatches, serve: &Command) -> Result<Found, String> {
    // `doctor` has a flag for files of its own to check; the last one is what `serve` would take.
    let flag = given.try_get_many::<PathBuf>("config").ok().flatten();
    let named = flag.and_then(|mut paths| paths.next_back().cloned());
    let variable = || std::env::var_os("VITRINE_CONFIG").filter(|path| !path.is_empty());
    let found = or_default(named.or_else(|| variable().map(PathBuf::from)));
    let Some((path, asked)) = found else { return Ok(Found::Absent) };
    File::open(&path, asked, serve)
}

/// The definition, with this default for the flag of the command of these names.
fn with_default(command: Command, names: &[String], data: &str) -> Command {
    match names.split_first() {
        Some((name, below)) => {
            command.mut_subcommand(name, |command| with_default(command, below, data))
        }
        None => command.mut_arg(DATA, |arg| arg.default_value(data.to_string())),
    }
}
