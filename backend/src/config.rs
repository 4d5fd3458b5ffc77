//! Where the settings of `vitrine serve` come from: flags, environment, one TOML file, in that
//! order.
//!
//! The definition of the command line is the only list there is: a key of the file is the name of
//! a flag, its variable is `VITRINE_` and the name in capitals, and the file's values become the
//! flags' defaults, so that all three are checked by the same code.

mod data;
mod file;
mod show;

use std::ffi::OsString;
use std::path::{Path, PathBuf};

use clap::error::ErrorKind;
use clap::parser::ValueSource;
use clap::{Arg, ArgAction, ArgMatches, Command};

use file::{File, Found};
pub use show::sample;

/// Flags that say where settings come from, and are none themselves.
const NOT_SETTINGS: &[&str] = &["config", "print-config", "help", "version"];
/// Variables of the build and the tests, and the one by which it finds itself in a scope.
const OTHERS_VARIABLES: &[&str] = &[
    "VITRINE_BIN",
    "VITRINE_CHROMIUM",
    "VITRINE_DYNAMIC",
    crate::launcher::systemd::IN_SCOPE,
    "VITRINE_TEST_CHANNEL",
    "VITRINE_WASM_COMPILER",
    "VITRINE_WEB_DIST",
];
/// The file that is read when none is named, for root.
const SYSTEM_FILE: &str = "/etc/vitrine/vitrine.toml";

/// One setting as it is in force.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Setting {
    /// Its name: of the flag and of the key.
    key: String,
    /// As it would stand in the file; none when it is not set.
    value: Option<String>,
    /// Such as `--listen`, `VITRINE_LISTEN`, `/etc/vitrine/vitrine.toml:3`, `default`.
    from: String,
}

/// Reads a command line whose subcommand `name` takes settings from everywhere.
pub(crate) fn read(
    define: impl Fn() -> Command,
    name: &str,
    args: &[OsString],
) -> Result<(ArgMatches, Vec<Setting>), clap::Error> {
    let mut command = define();
    let matches = command.try_get_matches_from_mut(args)?;
    let Some(given) = matches.subcommand_matches(name) else {
        let matches = data::from_the_file(define, &of(&command, name), matches, args)?;
        return Ok((matches, Vec::new()));
    };
    let file = find(given)
        .map(|(path, asked)| File::open(&path, asked, &of(&command, name)))
        .transpose()
        .map_err(|text| clap::Error::raw(ErrorKind::ValueValidation, text + "\n"))?
        .and_then(Found::or_warn);
    let Some(file) = file else {
        let settings = in_force(&of(&command, name), given, None);
        return Ok((matches, settings));
    };
    let mut command = define().mut_subcommand(name, |command| file.as_defaults(command));
    let matches = command.try_get_matches_from_mut(args)?;
    let given = matches.subcommand_matches(name);
    let settings =
        given.map(|given| in_force(&of(&command, name), given, Some(&file))).unwrap_or_default();
    Ok((matches, settings))
}

/// What `vitrine serve` would do with a file.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Checked {
    /// It has so many keys, all known.
    Keys(usize),
    /// It is not there, and need not be.
    Absent,
    /// It cannot be read, for this reason, and is passed over.
    Closed(String),
}

/// Checks one file as `vitrine serve` would.
pub fn check(serve: &Command, path: &Path, asked: bool) -> Result<Checked, String> {
    Ok(match File::open(path, asked, serve)? {
        Found::File(file) => Checked::Keys(file.len()),
        Found::Absent => Checked::Absent,
        Found::Closed(why) => Checked::Closed(why),
    })
}

fn of(command: &Command, name: &str) -> Command {
    command.find_subcommand(name).cloned().unwrap_or_default()
}

/// The file to read, and whether somebody asked for it: then it must be there.
fn find(given: &ArgMatches) -> Option<(PathBuf, bool)> {
    or_default(given.get_one::<PathBuf>("config").cloned())
}

fn or_default(named: Option<PathBuf>) -> Option<(PathBuf, bool)> {
    named.map(|path| (path, true)).or_else(|| default_file().map(|path| (path, false)))
}

/// Is a file of settings named, or does one stand where it is looked for?
pub(crate) fn is_there() -> bool {
    let named = std::env::var_os("VITRINE_CONFIG").is_some_and(|path| !path.is_empty());
    // One that cannot be looked at is told of.
    named || default_file().is_some_and(|path| !matches!(path.try_exists(), Ok(false)))
}

/// Where the file is looked for when none is named.
pub(crate) fn default_file() -> Option<PathBuf> {
    if nix::unistd::geteuid().is_root() {
        return Some(SYSTEM_FILE.into());
    }
    let absolute = |name| std::env::var_os(name).map(PathBuf::from).filter(|p| p.is_absolute());
    let config = absolute("XDG_CONFIG_HOME").or_else(|| Some(absolute("HOME")?.join(".config")));
    Some(config?.join("vitrine/vitrine.toml"))
}

/// The flags that are settings, in the order of the help.
fn settings_of(command: &Command) -> impl Iterator<Item = (&str, &Arg)> {
    command.get_arguments().filter_map(|arg| {
        let key = arg.get_long()?;
        (!NOT_SETTINGS.contains(&key)).then_some((key, arg))
    })
}

fn in_force(command: &Command, given: &ArgMatches, file: Option<&File>) -> Vec<Setting> {
    settings_of(command)
        .map(|(key, arg)| {
            let id = arg.get_id().as_str();
            let from = match given.value_source(id) {
                Some(ValueSource::CommandLine) => format!("--{key}"),
                Some(ValueSource::EnvVariable) => variable(arg),
                _ => file.and_then(|file| file.place(key)).unwrap_or_else(|| "default".into()),
            };
            let raw = given
                .get_raw(id)
                .map(|raw| raw.map(|text| text.to_string_lossy().into_owned()).collect::<Vec<_>>());
            let value = raw.map(|texts| show::value(arg, &texts));
            Setting { key: key.into(), value, from }
        })
        .collect()
}

fn variable(arg: &Arg) -> String {
    arg.get_env().map(|name| name.to_string_lossy().into_owned()).unwrap_or_default()
}

/// The settings in force as a file, each with where it came from.
pub fn print(settings: &[Setting]) -> String {
    show::in_force(settings)
}

/// Variables that look like ours and are not, each with what to say about it.
pub fn unknown_variables(command: &Command, names: impl Iterator<Item = OsString>) -> Vec<String> {
    let mut known: Vec<String> = OTHERS_VARIABLES.iter().map(ToString::to_string).collect();
    for command in command.get_subcommands() {
        known.extend(command.get_arguments().map(variable).filter(|name| !name.is_empty()));
    }
    let ours = names.filter_map(|name| name.into_string().ok());
    ours.filter(|name| name.starts_with("VITRINE_") && !known.contains(name))
        .map(|name| match nearest(&name, known.iter().map(String::as_str)) {
            Some(near) => format!("the variable {name} means nothing; did you mean {near}?"),
            None => format!("the variable {name} means nothing; see vitrine serve --help"),
        })
        .collect()
}

/// The known name that is most like this one.
pub(crate) fn nearest<'a>(name: &str, known: impl Iterator<Item = &'a str>) -> Option<&'a str> {
    let like = |other: &str| strsim::jaro(name, other);
    known
        .map(|other| (like(other), other))
        .filter(|(likeness, _)| *likeness > 0.7)
        .max_by(|a, b| a.0.total_cmp(&b.0))
        .map(|(_, other)| other)
}

/// What a setting holds, as the file must write it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Kind {
    Text,
    List,
    Number,
    Switch,
}

impl Kind {
    fn of(arg: &Arg) -> Kind {
        let kind = arg.get_value_parser().type_id();
        let number = [
            std::any::TypeId::of::<u64>(),
            std::any::TypeId::of::<u32>(),
            std::any::TypeId::of::<u16>(),
        ];
        match arg.get_action() {
            ArgAction::Append => Kind::List,
            ArgAction::SetTrue | ArgAction::SetFalse => Kind::Switch,
            _ if number.iter().any(|number| kind == *number) => Kind::Number,
            _ => Kind::Text,
        }
    }

    const fn words(self) -> &'static str {
        match self {
            Kind::Text => "a string",
            Kind::List => "a string or a list of strings",
            Kind::Number => "a whole number",
            Kind::Switch => "true or false",
        }
    }
}
