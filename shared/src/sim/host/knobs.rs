//! Limits of groups, groups that are made, processes that are moved; and the kernel's own refusal.

use super::groups::{self, Place};
use super::machine::call;
use super::{Host, Not, Outcome};
use crate::cgroup::{
    BadGroup, BadWrite, Controller, Dialect, FILES, GroupId, Knob, Write, check_write,
};
use crate::id::MachineId;
use crate::limits::MADE_GROUPS;
use crate::message::{Act, Because, Deed, Feature, Happening, Made, Missing, Why};
use crate::namespace::Namespace;
use crate::refusal::{Lacking, Refusal, Thing, Unmodelled};
use crate::script::quote;
use crate::sim::errno::Errno;
use crate::sim::groups::GroupKey;
use crate::sim::kernel::Kernel;
use crate::sim::procs::{Life, Proc};

/// A write that was done.
struct Wrote {
    path: String,
    text: String,
    old: String,
    new: String,
}

/// The controller is not in the model.
pub(super) fn no_controller(controller: Controller) -> Not {
    let feature = Feature::Controller(controller);
    let missing = Missing { feature, because: Because::NotModelled, mend: String::new() };
    Refusal::Missing { what: Lacking::Feature(missing) }.into()
}

fn no_file(file: &str) -> Not {
    let file = file.chars().take(40).collect();
    Refusal::NotModelled { what: Unmodelled::File { file } }.into()
}

impl Host {
    pub(super) fn set_knob(&mut self, id: MachineId, group: GroupId, knob: &Knob) -> Outcome {
        let place = self.writable(id, group)?;
        let writes = knob.writes(self.settings.dialect);
        if writes.is_empty() {
            let file = knob.writes(Dialect::V2).first().map_or("", |write| write.file).into();
            return Err(Refusal::Missing { what: Lacking::OnlyV2 { file } }.into());
        }
        let mut wrote = Vec::new();
        for Write { controller, file, text } in writes {
            wrote.push(self.write(id, group, &place, controller, file, &text)?);
        }
        Ok((self.wrote(id, &wrote), None))
    }

    pub(super) fn write_file(
        &mut self,
        id: MachineId,
        group: GroupId,
        file: &str,
        value: &str,
    ) -> Outcome {
        let place = self.writable(id, group)?;
        let dialect = self.settings.dialect;
        let rule = FILES.iter().find(|rule| rule.name == file && rule.dialect == dialect);
        let file = file.chars().take(40).collect::<String>();
        let rule = rule.ok_or(Refusal::Write(BadWrite::UnknownFile { file }))?;
        let text = check_write(rule.name, dialect, value).map_err(Refusal::Write)?;
        let wrote = self.write(id, group, &place, rule.controller, rule.name, &text)?;
        Ok((self.wrote(id, &[wrote]), None))
    }

    /// The cap is one level above what a machine's owner may write.
    fn writable(&self, id: MachineId, group: GroupId) -> Result<Place, Not> {
        match group {
            GroupId::Cap => Err(Refusal::Write(BadWrite::Cap).into()),
            GroupId::Made(_) => self.own_group(id, group),
            group => self.place(id, group),
        }
    }

    fn write(
        &mut self,
        id: MachineId,
        group: GroupId,
        place: &Place,
        controller: Controller,
        file: &str,
        text: &str,
    ) -> Result<Wrote, Not> {
        let key = self.world.look(|kernel| place.of(kernel, controller));
        let key = key.ok_or_else(|| no_controller(controller))?;
        if !self.world.look(|kernel| kernel.groups().files(key).contains(&file)) {
            return Err(no_file(file));
        }
        let read = |kernel: &Kernel| {
            kernel.group_file(key, file).map(|text| text.trim_end().to_owned()).unwrap_or_default()
        };
        let (path, old) = self.world.look(|kernel| (place.file(kernel, key, file), read(kernel)));
        match self.world.act(|kernel| kernel.write_group(key, file, text)) {
            Ok(()) => {
                let new = self.world.look(read);
                Ok(Wrote { path, text: text.into(), old, new })
            }
            Err(errno) => {
                let why = self.why(id, group, file, errno);
                Err(self.kernel_refused(id, path, text, errno, why))
            }
        }
    }

    /// Enters writes in the feed and explains them.
    fn wrote(&mut self, id: MachineId, wrote: &[Wrote]) -> Vec<Deed> {
        // The feed tells what changed; a quota that was lifted on the way is in the deeds.
        for (at, one) in wrote.iter().enumerate() {
            let is_last = !wrote[at + 1..].iter().any(|other| other.path == one.path);
            if is_last && one.old != one.new {
                let (path, old, new) = (one.path.clone(), one.old.clone(), one.new.clone());
                self.happened(id, Happening::Wrote { path, old, new, shell: echo(one) });
            }
        }
        wrote.iter().map(wrote_deed).collect()
    }

    fn kernel_refused(
        &mut self,
        id: MachineId,
        file: String,
        text: &str,
        errno: Errno,
        why: Why,
    ) -> Not {
        let errno = errno.name().to_owned();
        let (path, text) = (file.clone(), text.to_owned());
        let what = Happening::KernelRefused { path, text: text.clone(), errno: errno.clone() };
        self.happened(id, what);
        Refusal::Kernel { file, text, errno, why }.into()
    }

    /// The kernel's reason for refusing a write, where it is known.
    fn why(&self, id: MachineId, group: GroupId, file: &str, errno: Errno) -> Why {
        match errno {
            Errno::Ebusy if file.starts_with("memory.") => Why::InUse,
            Errno::Einval if file.starts_with("cpu.cfs_quota") => {
                // Something above is limited; whether that or something below said no, the quota tells.
                let below = self.has_quota_below(id, group);
                if below { Why::ParentBelowChild } else { Why::ChildAboveParent }
            }
            _ => Why::Unknown,
        }
    }

    fn has_quota_below(&self, id: MachineId, group: GroupId) -> bool {
        let Ok(place) = self.place(id, group) else { return false };
        self.world.look(|kernel| {
            let Some(key) = place.of(kernel, Controller::Cpu) else { return false };
            let mut todo: Vec<GroupKey> = kernel.groups().children(key).collect();
            while let Some(at) = todo.pop() {
                let quota = kernel.group_file(at, "cpu.cfs_quota_us").unwrap_or_default();
                if quota.trim().parse::<u64>().is_ok() {
                    return true;
                }
                todo.extend(kernel.groups().children(at));
            }
            false
        })
    }

    /// A group of the machine's own, for something to be made in or somebody to be moved to.
    fn own_group(&self, id: MachineId, group: GroupId) -> Result<Place, Not> {
        match group {
            GroupId::Cap => Err(Refusal::Group(BadGroup::Cap).into()),
            GroupId::Container(_) => Err(Refusal::Group(BadGroup::OfContainer).into()),
            GroupId::Root | GroupId::Shell => self.place(id, group),
            GroupId::Made(path) => {
                let first = path.names().next().unwrap_or_default().to_owned();
                if groups::own_names(self.found(id)?).contains(&first) {
                    return Err(Refusal::Group(BadGroup::OfContainer).into());
                }
                if path.as_str() == "shell" {
                    return Err(Refusal::Group(BadGroup::Fixed).into());
                }
                self.place(id, group)
            }
        }
    }

    pub(super) fn make_group(&mut self, id: MachineId, parent: GroupId, name: &str) -> Outcome {
        let path = parent.new_child(name).map_err(Refusal::Group)?;
        let within = self.own_group(id, parent)?;
        let (all, more) = self.groups_of(id);
        let made = all.iter().filter(|(group, _)| matches!(group, GroupId::Made(_))).count();
        super::machine::within(MADE_GROUPS, made + more as usize)?;
        match self.world.act(|kernel| groups::make(kernel, &within, path.name())) {
            Ok(place) => {
                self.happened(id, Happening::GroupMade { path: format!("root/{path}") });
                let group = GroupId::Made(path);
                Ok((self.directories(&place, "mkdir"), Some(Made::Group { machine: id, group })))
            }
            Err(errno) => Err(self.group_refused(id, &within, path.name(), errno)),
        }
    }

    pub(super) fn remove_group(&mut self, id: MachineId, group: GroupId) -> Outcome {
        let GroupId::Made(path) = group else {
            return Err(Refusal::Group(BadGroup::Fixed).into());
        };
        let place = self.own_group(id, group)?;
        let deeds = self.directories(&place, "rmdir");
        let removed = self.world.act(|kernel| {
            // All or none: the hierarchies are looked at before any is changed.
            let busy = |key: &GroupKey| {
                let groups = kernel.groups();
                groups.children(*key).next().is_some() || groups.procs(*key).next().is_some()
            };
            if place.keys().any(|key| busy(&key)) {
                return Err(Errno::Ebusy);
            }
            place.keys().try_for_each(|key| kernel.remove_group(key))
        });
        match removed {
            Ok(()) => {
                self.happened(id, Happening::GroupRemoved { path: format!("root/{path}") });
                Ok((deeds, None))
            }
            Err(errno) => Err(self.group_refused(id, &place, path.name(), errno)),
        }
    }

    pub(super) fn move_process(&mut self, id: MachineId, pid: u32, group: GroupId) -> Outcome {
        let target = self.own_group(id, group)?;
        let not_own = || Not::from(Refusal::Group(BadGroup::NotOwn { pid }));
        let it = self.found(id)?;
        let init = it.init;
        let own = groups::own_names(it);
        let cap = it.cap.clone();
        let (proc, from) = self
            .world
            .look(|kernel| {
                let host = kernel.procs().space_of(kernel.init(), Namespace::Pid)?;
                let machine = kernel.procs().space_of(init, Namespace::Pid)?;
                let proc = kernel.procs().find(host, pid)?;
                kernel.procs().pid_in(proc, machine)?;
                Some((proc, paths_of(kernel, &cap, proc)))
            })
            .ok_or_else(not_own)?;
        if self.world.look(|kernel| kernel.procs().life(proc)) != Life::Alive {
            return Err(Refusal::NotRunning { what: Thing::Process }.into());
        }
        let inside = |path: &String| {
            let below = path.strip_prefix("root/").unwrap_or_default();
            own.contains(below.split('/').next().unwrap_or_default())
        };
        if from.iter().any(inside) {
            return Err(Refusal::Group(BadGroup::OfContainer).into());
        }
        let main = self.world.look(|kernel| groups::hierarchy_of(kernel, Controller::Cpu));
        let from = main.and_then(|at| from.get(at).cloned()).unwrap_or_default();
        let mut deeds = Vec::new();
        for key in target.keys() {
            let path = self.world.look(|kernel| target.file(kernel, key, "cgroup.procs"));
            if let Err(errno) = self.world.act(|kernel| kernel.enter_group(proc, key)) {
                return Err(self.group_refused(id, &target, &pid.to_string(), errno));
            }
            let (text, old, new) = (pid.to_string(), String::new(), pid.to_string());
            deeds.push(wrote_deed(&Wrote { path, text, old, new }));
        }
        self.happened(id, Happening::ProcessMoved { pid, from, to: target.path.clone() });
        Ok((deeds, None))
    }

    /// The kernel's refusal about a group, with the reason where it is known.
    fn group_refused(&mut self, id: MachineId, place: &Place, text: &str, errno: Errno) -> Not {
        let moves = text.parse::<u32>().is_ok();
        let (path, has_children) = self.world.look(|kernel| {
            let key = place.keys().next();
            let file = if moves { "cgroup.procs" } else { "" };
            let path = key.map(|key| place.file(kernel, key, file)).unwrap_or_default();
            (path, place.keys().any(|key| kernel.groups().children(key).next().is_some()))
        });
        let why = match errno {
            Errno::Eexist => Why::Exists,
            Errno::Enospc if moves => Why::NoCpus,
            Errno::Ebusy if moves => Why::HandsOut,
            Errno::Ebusy if has_children => Why::HasChildren,
            Errno::Ebusy => Why::HasProcesses,
            _ => Why::Unknown,
        };
        self.kernel_refused(id, path, text, errno, why)
    }

    fn directories(&self, place: &Place, name: &str) -> Vec<Deed> {
        self.world.look(|kernel| {
            let each = place.keys().map(|key| {
                let path = place.file(kernel, key, "");
                call(format!("{name}({path:?}) = 0"), format!("{name} {}", quote(&path)))
            });
            each.collect()
        })
    }
}

/// Where a process is below a machine's cap, by hierarchy.
pub(super) fn paths_of(kernel: &Kernel, cap: &Place, proc: Proc) -> Vec<String> {
    let groups = kernel.groups();
    let path = |(hierarchy, top): (usize, &Option<GroupKey>)| {
        let at = groups.group_of(proc, hierarchy)?;
        let (at, top) = (groups.path(at), groups.path((*top)?));
        Some(at.strip_prefix(&top)?.trim_start_matches('/').to_owned())
    };
    cap.keys.iter().enumerate().map(|it| path(it).unwrap_or_default()).collect()
}

fn wrote_deed(one: &Wrote) -> Deed {
    let (path, old, new) = (one.path.clone(), one.old.clone(), one.new.clone());
    Deed { act: Act::Wrote { path, old, new }, shell: echo(one) }
}

fn echo(one: &Wrote) -> String {
    format!("echo {} > {}", one.text, quote(&one.path))
}
