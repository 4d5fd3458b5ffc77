//! What a page asked for, as a POSIX shell script that does the same in a plain root shell.
//!
//! [`script`] makes one of a session's actions, in their order, for either dialect of cgroups.
//! There the shell stands for the machine: it makes groups below one of its own, starts containers
//! with `unshare`, enters them with `nsenter` (util-linux), and removes everything when it ends.
//! What no tool of the shell does is said in a comment, never left out in silence. [`single()`] is one
//! action alone: the lines that do it to the real groups, or a script where something is started.
//!
//! The texts in `parts/` are the same in every script. All that is particular to a session stands
//! in its last part, each value as one quoted word, so that no name ends a word or a line.

mod container;
mod lines;
mod note;
mod quote;
mod single;
mod writer;

use std::collections::BTreeMap;

use crate::cgroup::Dialect;
use crate::id::ContainerId;
use crate::message::{Answer, Command};
use crate::spec::ContainerSpec;

pub use lines::{born_deeds, nsenter_line, unshare_line};
pub use note::Note;
pub use quote::{comment, quote};
pub use single::single;

use note::PARTS;
use writer::Writer;

/// A command, and what came of it.
#[derive(Clone, Copy, Debug)]
pub struct Action<'a> {
    /// What was asked.
    pub command: &'a Command,
    /// What came of it; a script has only what was done.
    pub answer: &'a Answer,
}

/// A container that an action may be about.
#[derive(Clone, Debug, PartialEq)]
pub struct Known {
    /// Its name in the machine.
    pub name: String,
    /// The PID of its first process on the host; 0 when that is not known.
    pub pid: u32,
    /// What was asked for.
    pub spec: ContainerSpec,
}

/// The machine that the actions were done to.
#[derive(Clone, Copy, Debug)]
pub struct Setting<'a> {
    /// Where its groups are below each hierarchy.
    pub cgroup_path: &'a str,
    /// The first of its uids on the host.
    pub uid_base: u32,
    /// Its containers, also those that have ended.
    pub containers: &'a BTreeMap<ContainerId, Known>,
    /// The dialect that its host speaks.
    pub here: Dialect,
}

/// The reader's words for comments.
#[derive(Clone, Copy)]
pub struct Words<'a> {
    /// What to know about a part or a line.
    pub note: &'a dyn Fn(&Note) -> String,
    /// What was asked, as a short clause.
    pub asked: &'a dyn Fn(&Command) -> String,
}

/// The actions that were done, in order, as a script.
pub fn script(
    setting: &Setting<'_>,
    actions: &[Action<'_>],
    dialect: Dialect,
    words: &Words<'_>,
) -> String {
    let mut writer = Writer::new(setting, dialect, words);
    let done = actions.iter().filter(|action| matches!(action.answer, Answer::Done { .. }));
    for (number, action) in done.enumerate() {
        writer.action(number + 1, action);
    }
    compose(&writer, words)
}

/// Puts the parts that the lines need before them.
fn compose(writer: &Writer<'_>, words: &Words<'_>) -> String {
    let (needs, dialect) = (&writer.needs, writer.dialect);
    let note = |note: Note| comment(&(words.note)(&note));
    let (word, part) = match dialect {
        Dialect::V1 => ("v1", include_str!("script/parts/v1.sh")),
        Dialect::V2 => ("v2", include_str!("script/parts/v2.sh")),
    };
    let mut text = format!("#!/bin/sh\n{}{}", note(Note::Head(dialect)), note(Note::Run));
    text += &note(Note::Machine);
    text += "\nset -eu\numask 022\nexport LC_ALL=C\n";
    text += "[ \"$(id -u)\" = 0 ] || { echo 'root is needed' >&2; exit 1; }\n";
    if !needs.tools.is_empty() {
        let tools: Vec<&str> = needs.tools.iter().copied().collect();
        text += &note(Note::Tools);
        text += &format!(
            "for tool in {}; do\n    command -v \"$tool\" >/dev/null || {{ echo \"$tool is needed\" >&2; exit 1; }}\ndone\n",
            tools.join(" ")
        );
    }
    text += "name=vitrine-script-$$\n\n";
    let mut add = |part: &str| {
        text += &filled(part, words);
        text.push('\n');
    };
    add(part);
    add(&format!("[ -n \"$all\" ] || {{ echo 'cgroup {word} is not mounted' >&2; exit 1; }}"));
    add(&writer.required());
    add(include_str!("script/parts/groups.sh"));
    for (is_needed, part) in [
        (needs.helpers, include_str!("script/parts/helpers.sh")),
        (needs.container, include_str!("script/parts/busybox.sh")),
        (needs.image, include_str!("script/parts/image.sh")),
        (needs.user, include_str!("script/parts/user.sh")),
        (needs.container, include_str!("script/parts/container.sh")),
        (needs.join, include_str!("script/parts/join.sh")),
    ] {
        if is_needed {
            add(part);
        }
    }
    text += &writer.lines;
    let stands = quote(&one_line(&(words.note)(&Note::Stands)));
    text + &format!("\necho {stands}\nread -r _ || :\n")
}

/// A part with its marks (`#@Name`) replaced by comments.
fn filled(part: &str, words: &Words<'_>) -> String {
    let mut text = String::new();
    for line in part.lines() {
        match line.strip_prefix("#@") {
            None => text += line,
            Some(name) => {
                let note = PARTS.iter().find(|(known, _)| *known == name);
                let said = note.map(|(_, note)| (words.note)(note)).unwrap_or_default();
                text += comment(&said).trim_end();
            }
        }
        text.push('\n');
    }
    text
}

fn one_line(text: &str) -> String {
    text.split_whitespace().collect::<Vec<_>>().join(" ")
}

#[cfg(test)]
mod tests;
