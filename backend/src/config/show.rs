//! Settings as text: the sample file, and what is in force.

use clap::{Arg, Command};

use super::{Kind, Setting, settings_of, variable};

/// Columns of the sample's comments.
const WIDTH: usize = 90;

const HEAD: &str = "\
# The settings of `vitrine serve`. Every key is a flag without its dashes.
#
# A flag on the command line wins over a variable of the environment, and that over this file.
# Read from --config FILE or VITRINE_CONFIG; else /etc/vitrine/vitrine.toml is read if it is there,
# or $XDG_CONFIG_HOME/vitrine/vitrine.toml for an ordinary user.
# `vitrine serve --print-config` shows what is in force and where it came from.
";

/// A file with every key commented out, made from the flags.
pub fn sample(command: &Command) -> String {
    let mut text = HEAD.to_string();
    for (key, arg) in settings_of(command) {
        let help = arg.get_long_help().or(arg.get_help()).map(ToString::to_string);
        text.push('\n');
        for line in wrap(&help.unwrap_or_default()) {
            text.push_str(&format!("# {line}\n"));
        }
        text.push_str(&format!("# Flag --{key}, variable {}.\n", variable(arg)));
        text.push_str(&format!("#{key} = {}\n", example(arg)));
    }
    text
}

/// The settings in force, as a file that says the same.
pub(super) fn in_force(settings: &[Setting]) -> String {
    let line = |setting: &Setting| match &setting.value {
        Some(value) => format!("{} = {value}", setting.key),
        None => format!("#{} =", setting.key),
    };
    let width = settings.iter().map(|setting| line(setting).chars().count()).max().unwrap_or(0);
    let one = |setting: &Setting| {
        let from = if setting.value.is_some() { setting.from.as_str() } else { "not set" };
        format!("{:width$}  # {from}\n", line(setting))
    };
    settings.iter().map(one).collect()
}

/// A value as the file writes it.
pub(super) fn value(arg: &Arg, texts: &[String]) -> String {
    let quoted: Vec<String> = texts.iter().map(|text| quote(text)).collect();
    match Kind::of(arg) {
        Kind::List => format!("[{}]", quoted.join(", ")),
        Kind::Text => quoted.concat(),
        // Such as "256m", which the flag takes and a number of TOML cannot be.
        Kind::Number if !texts.concat().bytes().all(|byte| byte.is_ascii_digit()) => {
            quoted.concat()
        }
        Kind::Number | Kind::Switch => texts.concat(),
    }
}

/// What might stand there: the default, or the name of what is asked for.
pub(super) fn example(arg: &Arg) -> String {
    let defaults: Vec<String> =
        arg.get_default_values().iter().map(|text| text.to_string_lossy().into_owned()).collect();
    if !defaults.is_empty() {
        return value(arg, &defaults);
    }
    let possible = arg.get_possible_values().first().map(|value| value.get_name().to_string());
    let named = || arg.get_value_names().and_then(|names| names.first()).map(ToString::to_string);
    match Kind::of(arg) {
        Kind::Number => "1".into(),
        Kind::Switch => "true".into(),
        _ => value(arg, &[possible.or_else(named).unwrap_or_default()]),
    }
}

/// JSON's strings are TOML's.
fn quote(text: &str) -> String {
    serde_json::Value::from(text).to_string()
}

fn wrap(text: &str) -> Vec<String> {
    let mut lines: Vec<String> = vec![String::new()];
    for word in text.split_whitespace() {
        let last =
            lines.last_mut().filter(|line| line.is_empty() || line.len() + word.len() < WIDTH);
        match last {
            Some(line) if line.is_empty() => line.push_str(word),
            Some(line) => *line = format!("{line} {word}"),
            None => lines.push(word.into()),
        }
    }
    lines
}
