//! Action by action, the lines of a script, and what these lines need before them.

use std::collections::{BTreeMap, BTreeSet};

use super::quote::{below, comment, quote, write_line};
use super::{Action, Note, Setting, Words};
use crate::cgroup::{Controller, ControllerSet, Dialect, GroupId, Knob, check_write, file_rule};
use crate::id::ContainerId;
use crate::message::{Answer, Command, Made};
use crate::rosetta::{other, translate};
use crate::spec::DEFAULT_PERIOD_USEC;

/// The parts and tools that the lines use.
#[derive(Debug, Default)]
pub(super) struct Needs {
    pub(super) controllers: ControllerSet,
    pub(super) tools: BTreeSet<&'static str>,
    pub(super) helpers: bool,
    pub(super) container: bool,
    pub(super) image: bool,
    pub(super) user: bool,
    pub(super) join: bool,
}

/// What has been said so far.
pub(super) struct Writer<'a> {
    pub(super) setting: &'a Setting<'a>,
    pub(super) words: &'a Words<'a>,
    pub(super) dialect: Dialect,
    pub(super) lines: String,
    pub(super) needs: Needs,
    /// Groups that stand, by their path below the machine's cap.
    pub(super) made: BTreeSet<String>,
    /// Containers that run, by the name that the script has for them.
    pub(super) running: BTreeMap<ContainerId, String>,
    /// Every name that the script has used.
    pub(super) used: BTreeSet<String>,
    /// The variable of each process.
    pub(super) pids: BTreeMap<u32, String>,
    /// The variables of the commands that were started in a container.
    pub(super) execs: BTreeMap<ContainerId, Vec<String>>,
    /// What has been written, for the files that need another to be turned.
    texts: BTreeMap<(String, &'static str), String>,
}

impl<'a> Writer<'a> {
    pub(super) fn new(setting: &'a Setting<'a>, dialect: Dialect, words: &'a Words<'a>) -> Self {
        Writer {
            setting,
            words,
            dialect,
            lines: String::new(),
            needs: Needs::default(),
            made: BTreeSet::from(["root".to_string()]),
            running: BTreeMap::new(),
            used: BTreeSet::new(),
            pids: BTreeMap::new(),
            execs: BTreeMap::new(),
            texts: BTreeMap::new(),
        }
    }

    /// The lines that fail at once where a controller is missing.
    pub(super) fn required(&self) -> String {
        let names: Vec<&str> = self
            .needs
            .controllers
            .iter()
            // In v2 every group can be frozen.
            .filter(|one| self.dialect == Dialect::V1 || *one != Controller::Freezer)
            .map(|one| variable(one, Dialect::V1))
            .collect();
        match self.dialect {
            Dialect::V1 => {
                let line =
                    |name: &&str| format!(": \"${{{name}:?is not mounted as cgroup v1}}\"\n");
                names.iter().map(line).collect()
            }
            Dialect::V2 if names.is_empty() => String::new(),
            Dialect::V2 => format!(
                "for controller in {}; do\n    case \" $(cat \"${{cgroup%/*}}/cgroup.controllers\") \" in\n        *\" $controller \"*) ;;\n        *) echo \"cgroup v2 has no $controller here\" >&2; exit 1 ;;\n    esac\ndone\n",
                names.join(" ").replace("blkio", "io")
            ),
        }
    }

    pub(super) fn note(&mut self, note: &Note) {
        self.lines += &comment(&(self.words.note)(note));
    }

    pub(super) fn line(&mut self, line: &str) {
        self.lines += line;
        self.lines.push('\n');
    }

    /// The lines of one action.
    pub(super) fn action(&mut self, number: usize, action: &Action<'_>) {
        self.lines +=
            &format!("\n{}", comment(&format!("{number}. {}", (self.words.asked)(action.command))));
        if self.done(action).is_none() {
            self.note(&Note::Unknown);
        }
    }

    /// `None`: what it is about is not known.
    fn done(&mut self, action: &Action<'_>) -> Option<()> {
        let made = match action.answer {
            Answer::Done { made, .. } => made.as_ref(),
            _ => None,
        };
        match action.command {
            Command::StartMachine { .. } => self.note(&Note::Machine),
            Command::StartContainer { spec, .. } => {
                let Some(Made::Container { container, .. }) = made else { return None };
                self.start(*container, spec);
            }
            Command::Exec { container, argv, .. } => {
                let pid = match made {
                    Some(Made::Process { pid }) => Some(*pid),
                    _ => None,
                };
                self.exec(*container, argv, pid)?;
            }
            Command::Probe { container, probe, .. } => {
                let argv: Vec<String> = probe.argv().iter().map(|word| (*word).into()).collect();
                match container {
                    Some(container) => self.probe(*container, &argv)?,
                    None => self.probe_machine(&argv),
                }
            }
            // Not outside as well: that would be this host, where no machine holds the line.
            Command::RunBoth { container, line, .. } => {
                self.note(&Note::InsideOnly);
                self.probe(*container, &["/bin/sh".into(), "-c".into(), line.clone()])?;
            }
            Command::StopContainer { container, .. } => self.stop(*container)?,
            Command::StopExecs { container, .. } => {
                for pid in self.execs.remove(container).unwrap_or_default() {
                    self.line(&format!("kill -9 \"${pid}\" || :"));
                }
            }
            Command::EndMachine { .. } => self.end_all(),
            Command::SetKnob { group, knob, .. } => {
                let path = self.group(*group)?;
                self.knob(&path, knob);
            }
            Command::WriteFile { group, file, value, .. } => {
                let path = self.group(*group)?;
                self.file(&path, file, value);
            }
            Command::MakeGroup { parent, name, .. } => {
                let parent = self.group(*parent)?;
                self.make_group(&format!("{parent}/{name}"));
            }
            Command::RemoveGroup { group, .. } => {
                let path = group.path()?;
                self.line(&format!("remove_group {}", quote(&path)));
                self.made.remove(&path);
            }
            Command::MoveProcess { pid, group, .. } => {
                let path = self.group(*group)?;
                let pid = self.process(*pid);
                self.line(&format!("move \"${pid}\" {}", quote(&path)));
            }
            // Not in any session: they change nothing.
            Command::Ping { .. }
            | Command::Subscribe { .. }
            | Command::Discover { .. }
            | Command::ShowFiles { .. }
            | Command::Focus { .. } => {}
            Command::SetProcView { .. } => self.note(&Note::NotByShell),
        }
        Some(())
    }

    fn end_all(&mut self) {
        self.line("end_group root");
        self.line("make_group root");
        self.made = BTreeSet::from(["root".to_string()]);
        self.running.clear();
        self.execs.clear();
    }

    pub(super) fn make_group(&mut self, path: &str) {
        self.line(&format!("make_group {}", quote(path)));
        self.made.insert(path.into());
    }

    /// The path of a group that stands from here on: what was there before the page listened is
    /// made first.
    fn group(&mut self, group: GroupId) -> Option<String> {
        let path = match group {
            GroupId::Container(id) => {
                self.container(id)?;
                format!("root/{}", self.setting.containers.get(&id)?.name)
            }
            other => other.path()?,
        };
        self.stand(&path);
        Some(path)
    }

    /// Makes the group and those above it, as far as they do not stand.
    pub(super) fn stand(&mut self, path: &str) {
        let ends = path.match_indices('/').map(|(at, _)| at).chain([path.len()]);
        for end in ends {
            if let Some(part) = path.get(..end).filter(|part| !part.is_empty())
                && !self.made.contains(part)
            {
                self.make_group(part);
            }
        }
    }

    pub(super) fn knob(&mut self, path: &str, knob: &Knob) {
        let mut writes = knob.writes(self.dialect);
        if let Knob::CpuMax { period_usec, .. } = knob
            && self.dialect == Dialect::V1
            && self.text(path, "cpu.cfs_period_us") == Some(period_usec.to_string())
        {
            // As the launcher does it: only for another period is the quota lifted on the way.
            let last = writes.iter().rposition(|write| write.file == "cpu.cfs_quota_us");
            writes = last.map(|last| vec![writes.remove(last)]).unwrap_or_default();
        }
        if writes.is_empty() {
            self.note(&Note::NoCounterpart(self.dialect));
        }
        for write in &writes {
            self.write(path, write.controller, write.file, &write.text);
        }
        for write in knob.writes(other(self.dialect)) {
            self.texts.insert((path.into(), write.file), write.text);
        }
    }

    pub(super) fn file(&mut self, path: &str, file: &str, value: &str) {
        if let Some(rule) = file_rule(file, self.dialect)
            && let Ok(text) = check_write(file, self.dialect, value)
        {
            return self.write(path, rule.controller, rule.name, &text);
        }
        let there = other(self.dialect);
        let known = self.known(path);
        let now: Vec<(&str, &str)> =
            known.iter().map(|(file, text)| (*file, text.as_str())).collect();
        let turned = check_write(file, there, value)
            .ok()
            .and_then(|text| translate(file, there, &text, &now));
        let lines: Vec<_> = turned
            .into_iter()
            .flatten()
            .filter_map(|(place, text)| Some((file_rule(place.file, self.dialect)?, text)))
            .collect();
        if lines.is_empty() {
            self.note(&Note::NoCounterpart(self.dialect));
        }
        for (rule, text) in lines {
            self.write(path, rule.controller, rule.name, &text);
        }
        if let Some(rule) = file_rule(file, there) {
            self.texts.insert((path.into(), rule.name), value.trim().into());
        }
    }

    fn write(&mut self, path: &str, controller: Controller, file: &'static str, text: &str) {
        self.needs.controllers = self.needs.controllers.with(controller);
        let below_it = if path.is_empty() { file.into() } else { format!("{path}/{file}") };
        self.lines += &write_line(text, &below(variable(controller, self.dialect), &below_it));
        self.texts.insert((path.into(), file), text.into());
    }

    /// What a file of a group says, as far as that is known here.
    fn text(&self, path: &str, file: &'static str) -> Option<String> {
        let said = self.texts.get(&(path.to_string(), file)).cloned();
        said.or_else(|| {
            DEFAULTS.iter().find(|(name, _)| *name == file).map(|(_, text)| (*text).into())
        })
    }

    fn known(&self, path: &str) -> BTreeMap<&'static str, String> {
        let defaults = DEFAULTS.iter().map(|(file, text)| (*file, (*text).to_string()));
        let written = self.texts.iter().filter(|((of, _), _)| of == path);
        defaults.chain(written.map(|((_, file), text)| (*file, text.clone()))).collect()
    }

    /// The variable of a process; one that the script has not started is stood in for.
    fn process(&mut self, pid: u32) -> String {
        if let Some(variable) = self.pids.get(&pid) {
            return variable.clone();
        }
        let of = |(id, known): (&ContainerId, &super::Known)| (known.pid == pid).then_some(*id);
        if pid > 0
            && let Some(id) = self.setting.containers.iter().find_map(of)
            && self.container(id).is_some()
            && let Some(variable) = self.pids.get(&pid)
        {
            return variable.clone();
        }
        self.note(&Note::StandIn(pid));
        let variable = self.new_name("other");
        self.line(&format!("sleep 1000 </dev/null >/dev/null 2>&1 &\n{variable}=$!"));
        self.pids.insert(pid, variable.clone());
        variable
    }

    /// A name that the script has not used.
    pub(super) fn new_name(&mut self, wanted: &str) -> String {
        let plain = |c: char| if c.is_ascii_alphanumeric() { c } else { '_' };
        let wanted: String = wanted.chars().map(plain).collect();
        let more = (2..).map(|number| format!("{wanted}_{number}"));
        let mut names = std::iter::once(wanted.clone()).chain(more);
        let name = names.find(|name| !self.used.contains(name)).unwrap_or(wanted);
        self.used.insert(name.clone());
        name
    }
}

/// What new groups say.
const DEFAULTS: &[(&str, &str)] = &[
    ("cpu.cfs_quota_us", "-1"),
    ("cpu.cfs_period_us", "100000"),
    ("cpu.max", "max 100000"),
    ("memory.limit_in_bytes", "-1"),
    ("memory.max", "max"),
];
const _: () = assert!(DEFAULT_PERIOD_USEC == 100_000);

/// The variable that has a group's directory for a controller.
pub(super) const fn variable(controller: Controller, dialect: Dialect) -> &'static str {
    match (dialect, controller) {
        (Dialect::V2, _) => "cgroup",
        (Dialect::V1, Controller::Io) => "blkio",
        (Dialect::V1, other) => other.name(),
    }
}
