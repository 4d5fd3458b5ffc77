//! The TOML file: read, and every key and value checked against the flags.

use std::ffi::OsStr;
use std::fs;
use std::io::{ErrorKind, Read as _, Write as _};
use std::path::Path;

use clap::builder::Resettable;
use clap::{Arg, Command};
use toml::Spanned;
use toml::de::{DeTable, DeValue};

use super::{Kind, nearest, settings_of, show};

/// Larger than any file of settings.
const MOST_BYTES: u64 = 1 << 20;

/// A file whose keys are flags and whose values they take.
#[derive(Debug)]
pub(super) struct File {
    values: Vec<Value>,
}

#[derive(Debug)]
struct Value {
    key: String,
    /// As they would be typed.
    texts: Vec<String>,
    /// `FILE:LINE`
    place: String,
}

/// What came of looking for a file. One that nobody asked for need not be there, nor be ours to
/// read: under `sudo -u` the home is often somebody else's.
#[derive(Debug)]
pub(super) enum Found {
    File(File),
    Absent,
    /// Why it cannot be read.
    Closed(String),
}

impl Found {
    /// The file, if it can be used; one that cannot be read is told of on standard error.
    pub(super) fn or_warn(self) -> Option<File> {
        match self {
            Found::File(file) => Some(file),
            Found::Absent => None,
            Found::Closed(why) => {
                // A closed standard error leaves nobody to tell.
                let line = format!("vitrine: warning: {why}; defaults are used");
                let _ = writeln!(std::io::stderr(), "{line}");
                None
            }
        }
    }
}

impl File {
    /// Reads a file.
    pub(super) fn open(path: &Path, asked: bool, command: &Command) -> Result<Found, String> {
        let text = match read(path) {
            Ok(text) => text,
            Err(err) if err.kind() == ErrorKind::NotFound && !asked => return Ok(Found::Absent),
            Err(err) => {
                let why = format!("cannot read the configuration {}: {err}", path.display());
                let closed = err.kind() == ErrorKind::PermissionDenied && !asked;
                return if closed { Ok(Found::Closed(why)) } else { Err(why) };
            }
        };
        Self::parse(&path.display().to_string(), &text, command).map(Found::File)
    }

    fn parse(name: &str, text: &str, command: &Command) -> Result<Self, String> {
        let place = |at: usize| format!("{name}:{}", line(text, at));
        let table = DeTable::parse(text).map_err(|err| {
            let at = err.span().map_or(0, |span| span.start);
            format!("{}: {}", place(at), err.message())
        })?;
        let mut values = Vec::new();
        for (key, value) in table.get_ref() {
            let place = place(key.span().start);
            let said = |text: String| format!("{place}: {text}");
            let arg = known(key.get_ref(), command).map_err(said)?;
            let texts = texts(arg, key.get_ref(), value).map_err(said)?;
            for text in &texts {
                try_value(arg, key.get_ref(), text).map_err(said)?;
            }
            values.push(Value { key: key.get_ref().to_string(), texts, place });
        }
        Ok(File { values })
    }

    /// How many keys it has.
    pub(super) fn len(&self) -> usize {
        self.values.len()
    }

    /// What it says of this key, as it would be typed.
    pub(super) fn value(&self, key: &str) -> Option<String> {
        let value = self.values.iter().find(|value| value.key == key)?;
        value.texts.first().cloned()
    }

    /// Where it sets this key.
    pub(super) fn place(&self, key: &str) -> Option<String> {
        self.values.iter().find(|value| value.key == key).map(|value| value.place.clone())
    }

    /// The same command, with what stands here as the flags' defaults.
    pub(super) fn as_defaults(&self, command: Command) -> Command {
        command.mut_args(|arg| {
            let found = self.values.iter().find(|value| arg.get_long() == Some(&value.key));
            match found {
                Some(value) => arg.default_values(value.texts.clone()),
                None => arg,
            }
        })
    }
}

fn read(path: &Path) -> std::io::Result<String> {
    let mut text = String::new();
    fs::File::open(path)?.take(MOST_BYTES).read_to_string(&mut text)?;
    Ok(text)
}

fn line(text: &str, at: usize) -> usize {
    text.bytes().take(at).filter(|&byte| byte == b'\n').count() + 1
}

fn known<'a>(key: &str, command: &'a Command) -> Result<&'a Arg, String> {
    if let Some((_, arg)) = settings_of(command).find(|(known, _)| *known == key) {
        return Ok(arg);
    }
    let keys = || settings_of(command).map(|(known, _)| known);
    Err(match nearest(key, keys()) {
        Some(near) => format!("the key `{key}` is not known; did you mean `{near}`?"),
        None => {
            let all: Vec<_> = keys().collect();
            format!("the key `{key}` is not known; known are {}", all.join(", "))
        }
    })
}

/// The value as it would be typed, if it is of the right type.
fn texts(arg: &Arg, key: &str, value: &Spanned<DeValue<'_>>) -> Result<Vec<String>, String> {
    let kind = Kind::of(arg);
    let wrong = |found: &DeValue<'_>| {
        let found = match found {
            DeValue::String(_) => "a string",
            DeValue::Integer(_) => "a whole number",
            DeValue::Float(_) => "a number with a point",
            DeValue::Boolean(_) => "true or false",
            DeValue::Datetime(_) => "a date",
            DeValue::Array(_) => "a list",
            DeValue::Table(_) => "a table",
        };
        format!("`{key}` is {found}; it takes {}, such as {}", kind.words(), show::example(arg))
    };
    let string = |value: &Spanned<DeValue<'_>>| match value.get_ref() {
        DeValue::String(text) => Ok(text.to_string()),
        other => Err(wrong(other)),
    };
    match (kind, value.get_ref()) {
        (Kind::Text, _) | (Kind::List | Kind::Number, DeValue::String(_)) => {
            Ok(vec![string(value)?])
        }
        (Kind::List, DeValue::Array(items)) => items.iter().map(string).collect(),
        (Kind::Number, DeValue::Integer(number)) if number.radix() == 10 => {
            Ok(vec![number.as_str().replace('_', "")])
        }
        (Kind::Switch, DeValue::Boolean(on)) => Ok(vec![on.to_string()]),
        (_, other) => Err(wrong(other)),
    }
}

/// Would the flag take it?
fn try_value(arg: &Arg, key: &str, text: &str) -> Result<(), String> {
    if Kind::of(arg) == Kind::Switch {
        return Ok(());
    }
    let alone = arg.clone().env(Resettable::<clap::builder::OsStr>::Reset);
    let command = Command::new("file").disable_help_flag(true).arg(alone);
    let words = [OsStr::new("file").to_os_string(), format!("--{key}={text}").into()];
    command.try_get_matches_from(words).map(drop).map_err(|err| {
        let said = err.render().to_string();
        let said = said.split("\n\nFor more").next().unwrap_or_default().trim();
        let said = said.strip_prefix("error: ").unwrap_or(said).replace('\n', " ");
        let said = said.split_whitespace().collect::<Vec<_>>().join(" ");
        format!("{said}; allowed is such as {}", show::example(arg))
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use clap::{Arg, ArgAction, value_parser};
    use std::net::SocketAddr;

    fn command() -> Command {
        Command::new("serve")
            .arg(
                Arg::new("listen")
                    .long("listen")
                    .value_name("ADDR:PORT")
                    .value_parser(value_parser!(SocketAddr))
                    .env("VITRINE_LISTEN")
                    .default_value("127.0.0.1:7878"),
            )
            .arg(Arg::new("o").long("allowed-origin").action(ArgAction::Append))
            .arg(Arg::new("seats").long("seats").value_parser(value_parser!(u32)))
            .arg(Arg::new("quiet").long("quiet").action(ArgAction::SetTrue))
            .arg(Arg::new("profile").long("profile").value_parser(["strict", "lab"]))
            .arg(Arg::new("config").long("config"))
    }

    #[track_caller]
    fn wrong(text: &str, said: &[&str]) {
        let err = File::parse("f.toml", text, &command()).unwrap_err();
        for said in said {
            assert!(err.contains(said), "{text:?} does not say {said:?}: {err}");
        }
    }

    #[test]
    fn what_is_wrong_is_said_with_file_line_key_and_what_is_allowed() {
        wrong("listen", &["f.toml:1:"]);
        wrong("\n\nlisten = \"x\"", &["f.toml:3:", "listen", "127.0.0.1:7878"]);
        wrong("seats = 1\nlisten = 7", &["f.toml:2:", "`listen`", "a whole number", "a string"]);
        wrong("lisen = \"x\"", &["`lisen`", "did you mean `listen`?"]);
        wrong("zzz = 1", &["`zzz`", "known are listen, allowed-origin"]);
        // Where settings come from is no setting.
        wrong("config = \"x\"", &["`config` is not known"]);
        wrong("allowed-origin = [\"a\", 1]", &["`allowed-origin`", "list of strings"]);
        wrong("seats = \"many\"", &["seats", "invalid digit"]);
        wrong("seats = -4", &["seats", "-4"]);
        wrong("seats = 4.5", &["`seats`", "a whole number"]);
        wrong("quiet = 1", &["`quiet`", "true or false"]);
        wrong("profile = \"open\"", &["profile", "strict, lab"]);
        wrong("[listen]\na = 1", &["`listen`", "a table"]);
        wrong("listen = \"127.0.0.1:1\"\nlisten = \"127.0.0.1:2\"", &["f.toml:2:", "duplicate"]);
    }

    #[test]
    fn values_become_the_flags_defaults() {
        let text =
            "listen = \"127.0.0.1:1\"\nallowed-origin = ['a', \"b\"]\nseats = 1_0\nquiet = true";
        let file = File::parse("f.toml", text, &command()).unwrap();
        assert_eq!(file.place("seats").as_deref(), Some("f.toml:3"));
        let with = |words: &[&str]| {
            file.as_defaults(command()).try_get_matches_from([&["serve"], words].concat()).unwrap()
        };
        let listen = |words: &[&str]| with(words).get_one::<SocketAddr>("listen").unwrap().port();
        assert_eq!(listen(&[]), 1);
        assert_eq!(listen(&["--listen", "127.0.0.1:9"]), 9);
        let all = with(&[]);
        assert_eq!(all.get_many::<String>("o").unwrap().collect::<Vec<_>>(), ["a", "b"]);
        assert_eq!(all.get_one::<u32>("seats"), Some(&10));
        assert!(all.get_flag("quiet"));
    }
}
