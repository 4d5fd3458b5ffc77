//! Machines, containers and commands in them: what is looked at before one is started.

use nix::errno::Errno;
use vitrine_shared::id::{ContainerId, MachineId, TerminalId};
use vitrine_shared::limits;
use vitrine_shared::message::{Because, Feature, Made, Profile, Refusal};
use vitrine_shared::refusal::{Lacking, Thing};
use vitrine_shared::role::Identity;
use vitrine_shared::spec::{ContainerSpec, Rootfs, SpecError};

use super::not::{no_controller, no_feature};
use super::{News, Not, Outcome, State, below, truth};
use crate::launcher::images::host_busybox;
use crate::launcher::machine::Machine;
use crate::launcher::step::StepError;
use crate::launcher::{explain, random_id};

impl State {
    pub(super) fn start_container(
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

    pub(super) fn start_machine(
        &mut self,
        by: Identity,
        profile: Profile,
    ) -> Result<MachineId, Not> {
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
            // Its feed has it.
            news.push(News::Machine(id));
            return Err(self.birth_failed(id, err));
        }
        news.push(News::Machine(id));
        let steps = machine.record.containers.last().map_or(&[][..], |record| &record.steps);
        let deeds = explain::born_deeds(steps, spec, machine.record.init_pid);
        let terminal = spec.tty.then_some(terminal);
        if terminal.is_some() {
            news.push(News::Terminal(id, container));
        }
        Ok((deeds, Some(Made::Container { machine: id, container, terminal })))
    }

    /// A birth that takes too long is held up by something in the machine, and everybody waits
    /// for it: the machine goes.
    pub(super) fn birth_failed(&mut self, id: MachineId, err: StepError) -> Not {
        if err.errno() == Errno::ETIMEDOUT {
            tracing::warn!(%id, %err, "a machine holds its births up; it is ended");
            self.end_machine(id);
        }
        err.into()
    }

    pub(super) fn exec(
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
}
