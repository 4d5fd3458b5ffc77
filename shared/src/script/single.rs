//! One action alone: the lines that do it to the groups that are there.

use super::note::Note;
use super::quote::{comment, quote};
use super::writer::{Writer, variable};
use super::{Action, Setting, Words, script};
use crate::cgroup::{Controller, Dialect, GroupId};
use crate::message::{Answer, Command, Deed};

/// Where controllers are mounted by custom; what this host really did says it of itself.
const MOUNTED: &str = "/sys/fs/cgroup";

/// The shell lines of one action: for this host's dialect those that the launcher told, with the
/// paths that are there; for the other one those that would do it there; and where something is
/// started, a whole script. Empty when it was not done.
pub fn single(
    setting: &Setting<'_>,
    action: &Action<'_>,
    dialect: Dialect,
    words: &Words<'_>,
) -> String {
    let Answer::Done { deeds, .. } = action.answer else { return String::new() };
    let lines = match action.command {
        Command::StartContainer { .. } => return script(setting, &[*action], dialect, words),
        Command::SetKnob { .. }
        | Command::WriteFile { .. }
        | Command::MakeGroup { .. }
        | Command::RemoveGroup { .. }
        | Command::MoveProcess { .. }
            if dialect != setting.here =>
        {
            there(setting, action.command, dialect, words)
        }
        // The same in both, or this host's own.
        _ => told(deeds),
    };
    match lines.as_str() {
        "" => comment(&(words.note)(&Note::NotByShell)),
        _ => lines,
    }
}

fn told(deeds: &[Deed]) -> String {
    let lines = deeds.iter().map(|deed| deed.shell.as_str()).filter(|line| !line.is_empty());
    lines.map(|line| format!("{line}\n")).collect()
}

/// What a host of the other dialect would be asked.
fn there(setting: &Setting<'_>, command: &Command, dialect: Dialect, words: &Words<'_>) -> String {
    let lines = match command {
        Command::SetKnob { group, .. } | Command::WriteFile { group, .. } => {
            path_of(setting, *group).map(|path| write(setting, &path, command, dialect, words))
        }
        Command::MakeGroup { parent, name, .. } => path_of(setting, *parent).map(|parent| {
            let path = format!("{parent}/{name}");
            let first = match dialect {
                Dialect::V1 => String::new(),
                Dialect::V2 => format!(
                    "echo '+cpu +cpuset +memory +pids +io' > {}\n",
                    quote(&format!(
                        "{MOUNTED}/{}/{parent}/cgroup.subtree_control",
                        setting.cgroup_path
                    ))
                ),
            };
            first
                + &everywhere(setting, dialect, &path, "mkdir ", "")
                + &inherit(setting, dialect, &parent, &path)
        }),
        Command::RemoveGroup { group, .. } => {
            path_of(setting, *group).map(|path| everywhere(setting, dialect, &path, "rmdir ", ""))
        }
        Command::MoveProcess { pid, group, .. } => path_of(setting, *group).map(|path| {
            everywhere(setting, dialect, &path, &format!("echo {pid} > "), "/cgroup.procs")
        }),
        _ => None,
    };
    lines.unwrap_or_else(|| comment(&(words.note)(&Note::Unknown)))
}

fn path_of(setting: &Setting<'_>, group: GroupId) -> Option<String> {
    match group {
        GroupId::Container(id) => Some(format!("root/{}", setting.containers.get(&id)?.name)),
        other => other.path(),
    }
}

/// Writes, with the directories that they are below said first.
fn write(
    setting: &Setting<'_>,
    path: &str,
    command: &Command,
    dialect: Dialect,
    words: &Words<'_>,
) -> String {
    let mut writer = Writer::new(setting, dialect, words);
    match command {
        Command::SetKnob { knob, .. } => writer.knob(path, knob),
        Command::WriteFile { file, value, .. } => writer.file(path, file, value),
        _ => {}
    }
    let directory = |controller: Controller| {
        let name = variable(controller, dialect);
        let directory = match dialect {
            Dialect::V1 => format!("{MOUNTED}/{name}/{}", setting.cgroup_path),
            Dialect::V2 => format!("{MOUNTED}/{}", setting.cgroup_path),
        };
        format!("{name}={}\n", quote(&directory))
    };
    let mut directories: Vec<String> = writer.needs.controllers.iter().map(directory).collect();
    directories.dedup();
    directories.concat() + &writer.lines
}

/// A line for each hierarchy.
fn everywhere(
    setting: &Setting<'_>,
    dialect: Dialect,
    path: &str,
    before: &str,
    after: &str,
) -> String {
    let line = |hierarchy: String| {
        let word = quote(&format!("{hierarchy}/{}/{path}{after}", setting.cgroup_path));
        format!("{before}{word}\n")
    };
    match dialect {
        Dialect::V1 => {
            let names = Controller::ALL.iter().map(|one| variable(*one, dialect));
            names.map(|name| line(format!("{MOUNTED}/{name}"))).collect()
        }
        Dialect::V2 => line(MOUNTED.into()),
    }
}

/// v1: what a new cpuset needs before anybody can enter it.
fn inherit(setting: &Setting<'_>, dialect: Dialect, parent: &str, path: &str) -> String {
    if dialect == Dialect::V2 {
        return String::new();
    }
    let word = |path: &str, file: &str| {
        quote(&format!("{MOUNTED}/cpuset/{}/{path}/{file}", setting.cgroup_path))
    };
    let line = |file| format!("cat {} > {}\n", word(parent, file), word(path, file));
    ["cpuset.cpus", "cpuset.mems"].map(line).concat()
}
