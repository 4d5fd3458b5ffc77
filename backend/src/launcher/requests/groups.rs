//! Groups that a page makes and removes below a machine's root, and processes that it moves there.
//!
//! A container's group is the container: it ends with whoever is in it, and its limits are those it
//! was given. So nothing is made in it, and nobody is moved in or out. Everything else below the
//! machine's root is the machine's own, whether a page or a shell has made it.

use std::os::fd::AsFd as _;
use std::time::{Duration, Instant};

use nix::errno::Errno;
use vitrine_shared::cgroup::{BadGroup, GroupId, GroupPath};
use vitrine_shared::id::MachineId;
use vitrine_shared::limits;
use vitrine_shared::message::{Deed, Happening, Made, Profile, Refusal, Why};
use vitrine_shared::refusal::Thing;
use vitrine_shared::role::Identity;

use super::super::cgroup::{Cgroup, CgroupError, Did, Standing, is_own, write_existing};
use super::super::machine::Machine;
use super::super::{explain, sys};
use super::{News, Not, Outcome, State};

/// How long counting a machine's groups may hold everybody up; who has more has enough.
const COUNTING: Duration = Duration::from_millis(50);

impl State {
    pub(super) fn make_group(
        &mut self,
        by: Identity,
        id: MachineId,
        parent: GroupId,
        name: &str,
    ) -> Outcome {
        let path = parent.new_child(name).map_err(Refusal::Group)?;
        let machine = self.machine(by, id)?;
        own_path(machine, &path)?;
        let within = own_group(machine, parent)?;
        let count = machine.root().count_below(Instant::now() + COUNTING);
        if count.is_none_or(|count| count as u64 >= limits::MADE_GROUPS.value) {
            return Err(Refusal::Limit(limits::MADE_GROUPS.into()).into());
        }
        match within.make_below(path.name(), owner(machine)) {
            Ok(did) => {
                machine.makes_groups();
                machine.happened(Happening::GroupMade { path: format!("root/{path}") });
                self.news.push(News::Machine(id));
                let group = GroupId::Made(path);
                Ok((told(&did), Some(Made::Group { machine: id, group })))
            }
            Err(err) => Err(self.group_refused(by, id, &err, path.name())),
        }
    }

    pub(super) fn remove_group(&mut self, by: Identity, id: MachineId, group: GroupId) -> Outcome {
        let GroupId::Made(path) = group else {
            let cap = matches!(group, GroupId::Cap);
            return Err(Refusal::Group(if cap { BadGroup::Cap } else { BadGroup::Fixed }).into());
        };
        let machine = self.machine(by, id)?;
        own_group(machine, group)?;
        let parent = path.parent().map_or(GroupId::Root, parent_id);
        let within = own_group(machine, parent)?;
        match within.remove_below(path.name(), owner(machine)) {
            Ok(did) => {
                machine.happened(Happening::GroupRemoved { path: format!("root/{path}") });
                self.news.push(News::Machine(id));
                Ok((told(&did), None))
            }
            Err(err) => Err(self.group_refused(by, id, &err, path.name())),
        }
    }

    pub(super) fn move_process(
        &mut self,
        by: Identity,
        id: MachineId,
        pid: u32,
        group: GroupId,
    ) -> Outcome {
        let machine = self.machine(by, id)?;
        let target = own_group(machine, group)?;
        let not_own = || Not::from(Refusal::Group(BadGroup::NotOwn { pid }));
        let number = i32::try_from(pid).ok().filter(|&pid| pid > 0).ok_or_else(not_own)?;
        // While it is not seen to have ended, the number is nobody else's.
        let pidfd = sys::pidfd_open(number).map_err(|_| not_own())?;
        let stood = Standing::of(number, machine.cap()).ok_or_else(not_own)?;
        let containers = machine.container_paths();
        let is_container = |path: &str| !is_own(path, containers.iter().map(String::as_str));
        if stood.paths().any(is_container) {
            let inside = |path: &str| containers.iter().any(|one| path.starts_with(one.as_str()));
            let within = stood.paths().any(inside);
            let why = if within { BadGroup::OfContainer } else { BadGroup::NotOwn { pid } };
            return Err(Refusal::Group(why).into());
        }
        let from = stood.main(machine.cap()).to_string();
        match target.take_in(number) {
            Ok(wrote) => {
                if sys::pidfd_signal(pidfd.as_fd(), 0).is_err() {
                    // It ended meanwhile.
                    return Err(Refusal::NotRunning { what: Thing::Process }.into());
                }
                let to = machine.path_of(group);
                machine.happened(Happening::ProcessMoved { pid, from, to });
                self.news.push(News::Machine(id));
                Ok((wrote.iter().map(explain::wrote).collect(), None))
            }
            Err((wrote, err)) => {
                if !wrote.is_empty() {
                    put_back(machine, number, &stood);
                }
                if err.errno() == Errno::ESRCH {
                    return Err(Refusal::NotRunning { what: Thing::Process }.into());
                }
                Err(self.group_refused(by, id, &err, &number.to_string()))
            }
        }
    }

    /// The kernel's own refusal, with the reason where it is known.
    fn group_refused(&mut self, by: Identity, id: MachineId, err: &CgroupError, text: &str) -> Not {
        let moves = err.path.ends_with("cgroup.procs");
        let why = match err.errno() {
            Errno::EEXIST => Why::Exists,
            Errno::ENOTEMPTY => Why::HasChildren,
            Errno::ENOSPC if moves => Why::NoCpus,
            Errno::EBUSY if moves => Why::HandsOut,
            Errno::EBUSY => Why::HasProcesses,
            _ => Why::Unknown,
        };
        self.refused_by_kernel(by, id, err, text, why)
    }
}

/// A group of the machine's own, for something to be made in or somebody to be moved to.
pub(super) fn own_group(machine: &Machine, group: GroupId) -> Result<Cgroup, Not> {
    match group {
        GroupId::Cap => Err(Refusal::Group(BadGroup::Cap).into()),
        GroupId::Container(_) => Err(Refusal::Group(BadGroup::OfContainer).into()),
        GroupId::Root | GroupId::Shell => machine.group(group).cloned().ok_or_else(no_group),
        GroupId::Made(path) => {
            own_path(machine, &path)?;
            let found = machine.root().below(path.as_str());
            found.ok().flatten().ok_or_else(no_group)
        }
    }
}

/// A path does not lead into a group of the server's; the shell's may have groups in it.
fn own_path(machine: &Machine, path: &GroupPath) -> Result<(), Not> {
    let full = format!("root/{path}");
    if !is_own(&full, machine.container_paths().iter().map(String::as_str)) {
        return Err(Refusal::Group(BadGroup::OfContainer).into());
    }
    if path.as_str() == "shell" {
        return Err(Refusal::Group(BadGroup::Fixed).into());
    }
    Ok(())
}

fn no_group() -> Not {
    Refusal::Unknown { what: Thing::Group }.into()
}

/// The id of a group by its path.
pub(super) fn parent_id(path: GroupPath) -> GroupId {
    if path.as_str() == "shell" { GroupId::Shell } else { GroupId::Made(path) }
}

/// Whose a new group is: in a machine of profile `lab` the groups are its owner's, to go on with in
/// a shell, and the kernel says what they may do; in a strict one there is nobody to use it.
fn owner(machine: &Machine) -> Option<u32> {
    (machine.record.profile == Profile::Lab).then(|| machine.uid_base())
}

fn told(did: &[Did]) -> Vec<Deed> {
    did.iter().map(explain::did).collect()
}

/// A process that was refused in one hierarchy goes back to where it was in the others.
fn put_back(machine: &Machine, pid: i32, stood: &Standing) {
    for ((_, cap), path) in machine.cap().directories().zip(stood.paths()) {
        let procs = cap.join(path).join("cgroup.procs");
        // It has been there a moment ago; whoever has removed the group meanwhile knows.
        if let Err(err) = write_existing(&procs, &pid.to_string()) {
            tracing::warn!(%err, "a process was not put back where it was");
        }
    }
}

/// Which of two reasons a quota was refused for, of a group that somebody made: the share of a CPU
/// that the groups above leave it, beside the one that was wanted.
pub(super) fn quota_refused(machine: &Machine, path: GroupPath, wanted: Option<u64>) -> Why {
    let mut above = Vec::new();
    let mut at = path.parent();
    while let Some(one) = at {
        let group = own_group(machine, parent_id(one)).ok();
        above.extend(group.and_then(|group| group.cpu_share()));
        at = one.parent();
    }
    above.extend(machine.root().cpu_share());
    above.extend(machine.cap().cpu_share());
    match (wanted, above.into_iter().min()) {
        (Some(wanted), Some(least)) if wanted > least => Why::ChildAboveParent,
        (Some(_), _) => Why::ParentBelowChild,
        _ => Why::Unknown,
    }
}
