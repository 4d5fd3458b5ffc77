//! Limits of groups: a knob in the host's dialect, or a raw file; and the kernel's own refusal.

use nix::errno::Errno;
use vitrine_shared::cgroup::{
    BadWrite, Controller, Dialect, FILES, GroupId, Knob, Write, check_write,
};
use vitrine_shared::id::MachineId;
use vitrine_shared::message::{Deed, Happening, Refusal, Why};
use vitrine_shared::refusal::{Lacking, Thing};
use vitrine_shared::role::Identity;
use vitrine_shared::spec::Limits;

use super::not::no_controller;
use super::{News, Not, Outcome, State, groups, writes};
use crate::launcher::cgroup::{Cgroup, CgroupError, Wrote};
use crate::launcher::explain;
use crate::launcher::machine::Machine;
use crate::launcher::step::errno_name;

impl State {
    pub(super) fn set_knob(
        &mut self,
        by: Identity,
        id: MachineId,
        group: GroupId,
        knob: &Knob,
    ) -> Outcome {
        check_knob(knob)?;
        let machine = self.machine(by, id)?;
        let target = writable_group(machine, group)?;
        match target.set(knob) {
            Ok(Some(wrote)) => Ok((self.wrote(id, &wrote), None)),
            Ok(None) => Err(what_is_missing(&target, knob).into()),
            Err(err) => {
                let text = text_for(knob, &target, &err);
                Err(self.kernel_refused(by, id, group, &err, &text))
            }
        }
    }

    pub(super) fn write_file(
        &mut self,
        by: Identity,
        id: MachineId,
        group: GroupId,
        file: &str,
        value: &str,
    ) -> Outcome {
        let machine = self.machine(by, id)?;
        let target = writable_group(machine, group)?;
        let (controller, dialect) = home_of(&target, file)?;
        let text = check_write(file, dialect, value).map_err(Refusal::Write)?;
        writes::check_io(file, &text)?;
        writes::check_swappiness(counts_swap(&target), file, &text)?;
        match target.write(controller, file, &text) {
            Ok(wrote) => Ok((self.wrote(id, &[wrote]), None)),
            Err(err) => Err(self.kernel_refused(by, id, group, &err, &text)),
        }
    }

    /// Enters writes in the feed and explains them.
    pub(super) fn wrote(&mut self, id: MachineId, wrote: &[Wrote]) -> Vec<Deed> {
        let deeds: Vec<Deed> = wrote.iter().map(explain::wrote).collect();
        if let Some(machine) = self.machines.iter_mut().find(|machine| machine.record.id == id) {
            // The feed tells what changed; a quota that was lifted on the way is in the deeds.
            let mut last: Vec<&Wrote> = Vec::new();
            for one in wrote {
                last.retain(|other| other.path != one.path);
                last.push(one);
            }
            for one in last.into_iter().filter(|one| one.old != one.new) {
                machine.happened(Happening::Wrote {
                    shell: explain::echo(one),
                    path: one.path.display().to_string(),
                    old: one.old.clone(),
                    new: one.new.clone(),
                });
            }
        }
        self.news.push(News::Machine(id));
        deeds
    }

    /// The kernel's own refusal, with the reason where it is known.
    fn kernel_refused(
        &mut self,
        by: Identity,
        id: MachineId,
        group: GroupId,
        err: &CgroupError,
        text: &str,
    ) -> Not {
        let file = err.path.display().to_string();
        let machine = self.machine(by, id).ok();
        let why = machine.map_or(Why::Unknown, |machine| {
            explain_refusal(machine, group, &file, err.errno(), text)
        });
        self.refused_by_kernel(by, id, err, text, why)
    }

    /// Tells the machine's feed what the kernel refused, and gives the answer.
    pub(super) fn refused_by_kernel(
        &mut self,
        by: Identity,
        id: MachineId,
        err: &CgroupError,
        text: &str,
        why: Why,
    ) -> Not {
        let (file, errno) = (err.path.display().to_string(), errno_name(err.errno()));
        if let Ok(machine) = self.machine(by, id) {
            machine.happened(Happening::KernelRefused {
                path: file.clone(),
                text: text.into(),
                errno: errno.clone(),
            });
        }
        self.news.push(News::Machine(id));
        Refusal::Kernel { file, text: text.into(), errno, why }.into()
    }
}

/// The cap is one level above what a machine's owner may write.
fn writable_group(machine: &Machine, group: GroupId) -> Result<Cgroup, Not> {
    match group {
        GroupId::Cap => Err(Refusal::Write(BadWrite::Cap).into()),
        GroupId::Made(_) => groups::own_group(machine, group),
        other => {
            let found = machine.group(other).cloned();
            found.ok_or_else(|| Refusal::Unknown { what: Thing::Group }.into())
        }
    }
}

/// The controller and dialect in which this host has the file.
fn home_of(group: &Cgroup, file: &str) -> Result<(Controller, Dialect), Not> {
    let named = || FILES.iter().filter(|rule| rule.name == file);
    let home = named().find_map(|rule| {
        let (_, dialect) = group.directory(rule.controller)?;
        (dialect == rule.dialect).then_some((rule.controller, dialect))
    });
    let not = || match named().next() {
        Some(rule) if group.directory(rule.controller).is_none() => no_controller(rule.controller),
        _ => Refusal::Write(BadWrite::UnknownFile { file: file.chars().take(40).collect() }),
    };
    home.ok_or_else(|| not().into())
}

/// The same ranges as for a spec.
fn check_knob(knob: &Knob) -> Result<(), Not> {
    let mut limits = Limits::default();
    match knob {
        Knob::CpuMax { quota_usec, period_usec } => {
            limits.cpu_quota_usec = *quota_usec;
            limits.cpu_period_usec = Some(*period_usec);
        }
        Knob::CpuShares(shares) => limits.cpu_shares = Some(*shares),
        Knob::CpusetCpus(list) => limits.cpuset_cpus = Some(list.clone()),
        Knob::MemoryMax(max) => limits.memory_bytes = *max,
        Knob::PidsMax(max) => limits.pids_max = *max,
        Knob::CpuBurst(usec) => limits.cpu_burst_usec = Some(*usec),
        Knob::MemoryHigh(high) => limits.memory_high_bytes = *high,
        Knob::MemorySwap { swap_bytes, memory_bytes } => {
            limits.memory_swap_bytes = *swap_bytes;
            limits.memory_bytes = *memory_bytes;
        }
        Knob::IoMax(io) => return writes::check_io_max(io),
        // Every value of these is one that the kernel takes.
        Knob::CpuIdle(_) | Knob::OomGroup(_) | Knob::Freeze(_) => {}
    }
    Ok(limits.check()?)
}

/// Can swap be limited apart from memory?
fn counts_swap(group: &Cgroup) -> bool {
    let memory = group.directory(Controller::Memory).map(|(dir, _)| dir);
    memory.is_some_and(|dir| dir.join("memory.memsw.limit_in_bytes").exists())
}

/// The controller of a knob, or the file that its dialect does not have.
fn what_is_missing(group: &Cgroup, knob: &Knob) -> Refusal {
    let v2 = knob.writes(Dialect::V2);
    match (group.directory(knob.controller()), v2.first()) {
        (Some(_), Some(write)) => {
            Refusal::Missing { what: Lacking::OnlyV2 { file: write.file.into() } }
        }
        _ => no_controller(knob.controller()),
    }
}

/// What a knob wrote to the file that refused it.
fn text_for(knob: &Knob, group: &Cgroup, err: &CgroupError) -> String {
    let dialect = group.directory(knob.controller()).map_or(Dialect::V2, |(_, dialect)| dialect);
    let of_file = |write: &Write| err.path.ends_with(write.file);
    knob.writes(dialect).into_iter().rfind(of_file).map_or_else(String::new, |write| write.text)
}

/// The kernel's reason, where it is known (`sched-bwc.rst`, `memory.rst`).
fn explain_refusal(machine: &Machine, group: GroupId, file: &str, errno: Errno, text: &str) -> Why {
    match (errno, group) {
        (Errno::EBUSY, _) if file.contains("/memory.") => Why::InUse,
        // Nothing is below a container.
        (Errno::EINVAL, GroupId::Container(_)) if file.contains("/cpu.cfs") => {
            Why::ChildAboveParent
        }
        // The machine's root has the cap above it and containers below it.
        (Errno::EINVAL, GroupId::Root) if file.contains("/cpu.cfs_quota") => {
            let cap = machine.group(GroupId::Cap).and_then(Cgroup::cpu_share);
            let period = machine.group(GroupId::Root).and_then(Cgroup::cpu_period_usec);
            let wanted =
                text.parse::<u64>().ok().zip(period).map(|(quota, period)| quota * 1000 / period);
            match (wanted, cap) {
                (Some(wanted), Some(cap)) if wanted > cap => Why::ChildAboveParent,
                (Some(_), Some(_)) => Why::ParentBelowChild,
                _ => Why::Unknown,
            }
        }
        (Errno::EINVAL, GroupId::Made(path)) if file.contains("/cpu.cfs_quota") => {
            let period = groups::own_group(machine, group).ok().and_then(|g| g.cpu_period_usec());
            let wanted = text.parse::<u64>().ok().zip(period).map(|(quota, p)| quota * 1000 / p);
            groups::quota_refused(machine, path, wanted)
        }
        _ => Why::Unknown,
    }
}
