//! Commands from web, looked at again as if web were hostile, and done.

mod both;
mod groups;
mod running;
mod truth;
mod writes;

use std::time::Duration;

use nix::errno::Errno;
use vitrine_shared::cgroup::{
    BadGroup, BadWrite, Controller, Dialect, FILES, GroupId, Knob, Write, check_write,
};
use vitrine_shared::id::{ContainerId, MachineId, TerminalId};
use vitrine_shared::limits::{self, Limit};
use vitrine_shared::message::{
    Answer, Because, Command, Deed, Feature, Happening, Made, Missing, Profile, Refusal, Why,
};
use vitrine_shared::refusal::{Lacking, Thing};
use vitrine_shared::role::Identity;
use vitrine_shared::spec::{ContainerSpec, Limits, Rootfs, SpecError, check_argv};

use super::cgroup::{Cgroup, CgroupError, Wrote};
use super::images::host_busybox;
use super::machine::{Host, Left, Machine};
use super::missing;
use super::step::{StepError, errno_name};
use super::{explain, random_id};

/// Why a command was not done.
pub(crate) enum Not {
    /// It was wrong.
    Refused(Refusal),
    /// We failed.
    Failed(StepError),
}

impl From<Refusal> for Not {
    fn from(refusal: Refusal) -> Self {
        Not::Refused(refusal)
    }
}

impl From<StepError> for Not {
    fn from(err: StepError) -> Self {
        Not::Failed(err)
    }
}

impl From<SpecError> for Not {
    fn from(err: SpecError) -> Self {
        Not::Refused(Refusal::Spec(err))
    }
}

impl Not {
    /// The same as an answer.
    pub(crate) fn answer(self, missing: &[Missing]) -> Answer {
        match self {
            Not::Refused(mut reason) => {
                let hint = mend(&mut reason, missing).unwrap_or_else(|| hint(&reason).into());
                Answer::Refused { reason, hint }
            }
            Not::Failed(err) => {
                tracing::warn!(%err, "a command failed");
                err.answer()
            }
        }
    }
}

/// For a feature that is not there: why, and the command that mends it.
fn mend(reason: &mut Refusal, missing: &[Missing]) -> Option<String> {
    let Refusal::Missing { what: Lacking::Feature(lacking) } = reason else { return None };
    if let Some(known) = missing.iter().find(|known| known.feature == lacking.feature) {
        lacking.clone_from(known);
    }
    Some(missing::told(lacking))
}

/// A feature that is not there; what the host tells of it is told with the answer.
fn no_feature(feature: Feature, because: Because) -> Refusal {
    let what = Missing { feature, because, mend: String::new() };
    Refusal::Missing { what: Lacking::Feature(what) }
}

fn no_controller(controller: Controller) -> Refusal {
    no_feature(Feature::Controller(controller), Because::NotMounted)
}

/// What to do about a refusal.
fn hint(reason: &Refusal) -> &'static str {
    match reason {
        Refusal::NotAllowed { .. } => "ask the teacher",
        Refusal::Limit(_) => "end something that you no longer need",
        Refusal::Kernel { why: Why::ChildAboveParent, .. } => {
            "a child's quota divided by its period may not be above its parent's; choose a lower one"
        }
        Refusal::Kernel { why: Why::ParentBelowChild, .. } => {
            "lower the children first: a parent may not be set below what a child has"
        }
        Refusal::Kernel { why: Why::InUse, .. } => {
            "more is in use than the new limit; end something first"
        }
        Refusal::Kernel { why: Why::HasProcesses, .. } => {
            "move its processes to another group first, or let them end"
        }
        Refusal::Kernel { why: Why::HasChildren, .. } => "remove the groups in it first",
        Refusal::Kernel { why: Why::Exists, .. } => "choose another name",
        Refusal::Kernel { why: Why::HandsOut, .. } => {
            "in cgroup v2 only groups at the end of a branch take processes; choose one of those in it"
        }
        Refusal::Kernel { why: Why::NoCpus, .. } => {
            "write cpuset.cpus and cpuset.mems of the group first"
        }
        Refusal::Group(BadGroup::OfContainer) => "choose a group of the machine's own",
        Refusal::Group(BadGroup::NotOwn { .. }) => "choose a process that the machine's list shows",
        Refusal::NotRunning { .. } => "start another",
        Refusal::Missing { what: Lacking::Image { .. } } => {
            "on the server, see vitrine image list, or add it: vitrine image add NAME SOURCE"
        }
        Refusal::Missing { what: Lacking::Lxcfs } => {
            "on the server, apt-get install lxcfs and systemctl start lxcfs; or take Vitrine's own files"
        }
        Refusal::Missing { what: Lacking::OnlyV2 { .. } } => {
            "only cgroup v2 has it: boot the server's host with systemd.unified_cgroup_hierarchy=1"
        }
        Refusal::Missing { what: Lacking::BlockDevice { .. } } => {
            "on the server, lsblk lists the devices with their numbers"
        }
        Refusal::Missing { what: Lacking::Feature(_) } => {
            "on the server, vitrine doctor tells what is missing and what mends it"
        }
        _ => "change the request and send it again",
    }
}

type Outcome = Result<(Vec<Deed>, Option<Made>), Not>;

/// The machines of this server, and what they are made of.
pub(crate) struct State {
    /// What machines are made of.
    pub(crate) host: Host,
    /// The profiles that are offered; the first is the default.
    pub(crate) profiles: Vec<Profile>,
    /// Those that live.
    pub(crate) machines: Vec<Machine>,
    /// What machines that have ended have left, for a while.
    pub(crate) left: Vec<Left>,
    /// What web and the observer have not heard of yet.
    pub(crate) news: Vec<News>,
    /// Commands that run and whose output is the answer.
    pub(crate) probes: Vec<running::Running>,
}

/// Something that web and the observer must hear.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum News {
    /// A machine changed, its feed too.
    Machine(MachineId),
    /// A machine has gone.
    MachineGone(MachineId),
    /// There is a new terminal.
    Terminal(MachineId, ContainerId),
    /// A terminal's program has ended.
    TerminalEnded(TerminalId, i32),
}

impl State {
    /// Removes more of what machines have left, without holding anybody up.
    pub(crate) fn remove_left(&mut self) {
        const SLICE: Duration = Duration::from_millis(50);
        if self.left.is_empty() {
            return;
        }
        let left = self.left.remove(0);
        if !left.remove_within(SLICE) {
            // The next turn is another's.
            self.left.push(left);
        }
    }

    /// Does what a command asks, if it may.
    pub(crate) fn command(&mut self, by: Identity, command: &Command) -> Outcome {
        if !by.may_send(command) {
            return Err(Refusal::NotAllowed { role: by.role }.into());
        }
        match command {
            // Web's own; nothing to be done here.
            Command::Ping { .. }
            | Command::Subscribe { .. }
            | Command::Discover { .. }
            | Command::Focus { .. }
            | Command::ShowFiles { .. } => Ok((Vec::new(), None)),
            // Answered when it has ended: see `serve`.
            Command::Probe { .. } | Command::RunBoth { .. } => Ok((Vec::new(), None)),
            Command::SetProcView { machine, container, view } => {
                self.set_proc_view(by, (*machine, *container), *view)
            }
            Command::StartMachine { profile } => {
                let machine = self.start_machine(by, *profile)?;
                Ok((Vec::new(), Some(Made::Machine { machine })))
            }
            Command::StartContainer { machine, spec } => self.start_container(by, *machine, spec),
            Command::Exec { machine, container, argv } => {
                check_argv(argv)?;
                self.exec(by, *machine, *container, argv)
            }
            Command::StopContainer { machine, container } => {
                let pid = self.running(by, *machine, *container)?.pid_of(*container);
                self.end_container(*machine, *container);
                Ok((vec![explain::killed(pid)], None))
            }
            Command::StopExecs { machine, container } => {
                let ended = self.running(by, *machine, *container)?.stop_execs(*container);
                self.news.push(News::Machine(*machine));
                Ok((ended.into_iter().map(explain::killed).collect(), None))
            }
            Command::EndMachine { machine } => {
                let pid = self.machine(by, *machine)?.record.init_pid.cast_signed();
                self.end_machine(*machine);
                Ok((vec![explain::killed(pid)], None))
            }
            Command::SetKnob { machine, group, knob } => self.set_knob(by, *machine, *group, knob),
            Command::WriteFile { machine, group, file, value } => {
                self.write_file(by, *machine, *group, file, value)
            }
            Command::MakeGroup { machine, parent, name } => {
                self.make_group(by, *machine, *parent, name)
            }
            Command::RemoveGroup { machine, group } => self.remove_group(by, *machine, *group),
            Command::MoveProcess { machine, pid, group } => {
                self.move_process(by, *machine, *pid, *group)
            }
        }
    }

    /// The machine, if this person may change it. One that is not theirs is as good as none.
    fn machine(&mut self, by: Identity, id: MachineId) -> Result<&mut Machine, Not> {
        let found = self.machines.iter_mut().find(|machine| machine.record.id == id);
        let found = found.filter(|machine| by.may_change(machine.record.owner));
        found.ok_or_else(|| Refusal::Unknown { what: Thing::Machine }.into())
    }

    /// The machine of a container that lives.
    fn running(
        &mut self,
        by: Identity,
        id: MachineId,
        container: ContainerId,
    ) -> Result<&mut Machine, Not> {
        let machine = self.machine(by, id)?;
        if machine.containers.iter().any(|live| live.id == container) {
            return Ok(machine);
        }
        let known = machine.record.containers.iter().any(|record| record.id == container);
        let what = Thing::Container;
        Err(if known { Refusal::NotRunning { what } } else { Refusal::Unknown { what } }.into())
    }

    fn start_container(
        &mut self,
        by: Identity,
        machine: Option<MachineId>,
        spec: &ContainerSpec,
    ) -> Outcome {
        spec.check()?;
        if matches!(spec.rootfs, Rootfs::Directory(_)) {
            return Err(SpecError::OnlyByRun.into());
        }
        if spec.rootfs == Rootfs::Busybox && host_busybox().is_none() {
            return Err(no_feature(Feature::Busybox, Because::NotInstalled).into());
        }
        if let Rootfs::Image(name) = &spec.rootfs
            && !self.host.images.has(name)
        {
            let what = Lacking::Image { name: name.clone() };
            return Err(Refusal::Missing { what }.into());
        }
        // Before anything is made: a view or a limit that cannot be had.
        truth::check_view(spec.proc_view)?;
        for knob in spec.limits.knobs() {
            let controller = knob.controller();
            if self.host.hierarchies.with(controller).is_none() {
                return Err(no_controller(controller).into());
            }
        }
        let (id, fresh) = match machine {
            Some(id) => (id, false),
            None => (self.start_machine(by, self.default_profile())?, true),
        };
        let container = ContainerId(random_id()?);
        let terminal = TerminalId(random_id()?);
        let started = self.start_in(by, id, container, terminal, spec);
        if started.is_err() && fresh {
            // What this command made goes with it.
            self.end_machine(id);
        }
        started
    }

    /// What a machine is when nothing is said.
    fn default_profile(&self) -> Profile {
        self.profiles.first().copied().unwrap_or(Profile::Strict)
    }

    fn start_machine(&mut self, by: Identity, profile: Profile) -> Result<MachineId, Not> {
        if !self.profiles.contains(&profile) {
            return Err(Refusal::ProfileOff { profile }.into());
        }
        let own = self.machines.iter().filter(|m| m.record.owner == by.participant).count();
        below(self.host.limits.machines, self.machines.len())?;
        below(self.host.limits.machines_per_participant, own)?;
        let id = MachineId(random_id()?);
        let machine = Machine::start(&mut self.host, id, by.participant, profile)?;
        self.machines.push(machine);
        self.news.push(News::Machine(id));
        Ok(id)
    }

    fn start_in(
        &mut self,
        by: Identity,
        id: MachineId,
        container: ContainerId,
        terminal: TerminalId,
        spec: &ContainerSpec,
    ) -> Outcome {
        let is_shell = spec.rootfs == Rootfs::Machine;
        let living = &self.machine(by, id)?.containers;
        let alike = living.iter().filter(|live| live.is_shell == is_shell).count();
        let limit =
            if is_shell { limits::SHELLS_PER_MACHINE } else { limits::CONTAINERS_PER_MACHINE };
        below(limit, alike)?;
        let State { host, machines, news, .. } = self;
        let Some(machine) = machines.iter_mut().find(|machine| machine.record.id == id) else {
            return Err(Refusal::Unknown { what: Thing::Machine }.into());
        };
        if let Err(err) = machine.start_container(host, container, terminal, spec.clone()) {
            return Err(self.birth_failed(id, err));
        }
        news.push(News::Machine(id));
        let steps = machine.record.containers.last().map_or(&[][..], |record| &record.steps);
        let deeds = explain::born(steps, spec, machine.record.init_pid);
        let terminal = spec.tty.then_some(terminal);
        if terminal.is_some() {
            news.push(News::Terminal(id, container));
        }
        Ok((deeds, Some(Made::Container { machine: id, container, terminal })))
    }

    /// A birth that takes too long is held up by something in the machine, and everybody waits
    /// for it: the machine goes.
    fn birth_failed(&mut self, id: MachineId, err: StepError) -> Not {
        if err.errno() == Errno::ETIMEDOUT {
            tracing::warn!(%id, %err, "a machine holds its births up; it is ended");
            self.end_machine(id);
        }
        err.into()
    }

    fn exec(
        &mut self,
        by: Identity,
        id: MachineId,
        container: ContainerId,
        argv: &[String],
    ) -> Outcome {
        let machine = self.running(by, id, container)?;
        let execs = machine
            .containers
            .iter()
            .find(|live| live.id == container)
            .map_or(0, |l| l.execs.len());
        below(limits::EXECS_PER_CONTAINER, execs)?;
        let init = machine.pid_of(container);
        let pid = match machine.exec(container, argv) {
            Ok(pid) => pid,
            Err(err) => return Err(self.birth_failed(id, err)),
        };
        self.news.push(News::Machine(id));
        let deeds = vec![
            explain::call("setns(pidfd, CLONE_NEW…)", ""),
            explain::call(
                format!("clone3(…) = {pid}; execve({:?})", argv[0]),
                explain::nsenter_line(init.unsigned_abs(), argv),
            ),
        ];
        Ok((deeds, Some(Made::Process { pid: pid.unsigned_abs() })))
    }

    fn set_knob(&mut self, by: Identity, id: MachineId, group: GroupId, knob: &Knob) -> Outcome {
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

    fn write_file(
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
    fn wrote(&mut self, id: MachineId, wrote: &[Wrote]) -> Vec<Deed> {
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
    fn refused_by_kernel(
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

    /// Ends a container and tells.
    pub(crate) fn end_container(&mut self, id: MachineId, container: ContainerId) {
        let Some(machine) = self.machines.iter_mut().find(|machine| machine.record.id == id) else {
            return;
        };
        if let Some((Some(terminal), status)) = machine.end_container(container) {
            self.news.push(News::TerminalEnded(terminal, status));
        }
        self.news.push(News::Machine(id));
    }

    /// Ends a machine and tells.
    pub(crate) fn end_machine(&mut self, id: MachineId) {
        if let Some(index) = self.machines.iter().position(|machine| machine.record.id == id) {
            let (left, ended) = self.machines.remove(index).end();
            self.left.extend(left);
            for (terminal, status) in ended {
                self.news.push(News::TerminalEnded(terminal, status));
            }
            self.news.push(News::MachineGone(id));
        }
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

fn below(limit: Limit, count: usize) -> Result<(), Not> {
    if (count as u64) < limit.value { Ok(()) } else { Err(Refusal::Limit(limit.into()).into()) }
}
