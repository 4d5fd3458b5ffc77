//! What web and the observer are told, and what they must know when they are new.

use std::os::fd::{AsFd, BorrowedFd};
use std::path::PathBuf;

use vitrine_shared::cgroup::GroupId;
use vitrine_shared::id::{ContainerId, MachineId};

use super::super::cgroup::Hierarchy;
use super::super::machine::{Live, Machine};
use super::super::requests::News;
use super::Server;
use crate::ipc::{Channel, ObservedHierarchy, ObservedMachine, ToObserver, ToWeb};

impl Server {
    /// A service that does not read is broken, and is started again.
    pub(super) fn tell_web(&mut self, message: &ToWeb, fds: &[BorrowedFd<'_>]) {
        if let Some(service) = &self.web.service
            && let Err(err) = service.channel.send_waiting(message, fds)
        {
            tracing::warn!(%err, "web does not listen");
            self.web.died();
        }
    }

    pub(super) fn tell_observer(&mut self, message: &ToObserver, fds: &[BorrowedFd<'_>]) {
        if let Some(service) = &self.observer.service
            && let Err(err) = service.channel.send_waiting(message, fds)
        {
            tracing::warn!(%err, "observer does not listen");
            self.observer.died();
        }
    }

    /// Tells web and the observer what has changed.
    pub(super) fn tell_news(&mut self) {
        for news in std::mem::take(&mut self.state.news) {
            match news {
                News::Machine(id) => self.tell_machine(id),
                News::MachineGone(machine) => {
                    self.tell_web(&ToWeb::MachineGone { machine }, &[]);
                    self.tell_observer(&ToObserver::MachineGone { machine }, &[]);
                }
                News::TerminalEnded(terminal, status) => {
                    self.tell_web(&ToWeb::TerminalEnded { terminal, status }, &[]);
                }
                News::Terminal(id, container) => self.tell_terminal(id, container),
            }
        }
    }

    fn tell_machine(&mut self, id: MachineId) {
        let machines = &mut self.state.machines;
        let Some(machine) = machines.iter_mut().find(|m| m.record.id == id) else { return };
        let record = ToWeb::Machine(Box::new(machine.record.clone()));
        let entries = machine.untold();
        let observed = ToObserver::Machine(observed(machine));
        self.tell_web(&record, &[]);
        if !entries.is_empty() {
            self.tell_web(&ToWeb::Feed { machine: id, entries }, &[]);
        }
        self.tell_observer(&observed, &[]);
    }

    fn tell_terminal(&mut self, id: MachineId, container: ContainerId) {
        let Some(service) = &self.web.service else { return };
        let machine = self.state.machines.iter().find(|machine| machine.record.id == id);
        let told = machine.map_or(Ok(()), |machine| {
            machine
                .containers
                .iter()
                .filter(|live| live.id == container)
                .try_for_each(|live| tell_terminal(&service.channel, id, live))
        });
        if told.is_err() {
            self.web.died();
        }
    }
}

/// Everything a new web must know of a machine.
pub(super) fn tell_web_all(channel: &Channel, machine: &Machine) -> std::io::Result<()> {
    let id = machine.record.id;
    channel.send_waiting(&ToWeb::Machine(Box::new(machine.record.clone())), &[])?;
    channel.send_waiting(&ToWeb::Feed { machine: id, entries: machine.feed.clone() }, &[])?;
    machine.containers.iter().try_for_each(|live| tell_terminal(channel, id, live))
}

fn tell_terminal(channel: &Channel, machine: MachineId, live: &Live) -> std::io::Result<()> {
    let Some(terminal) = &live.terminal else { return Ok(()) };
    let message = ToWeb::Terminal { terminal: terminal.id, machine, container: live.id };
    channel.send_waiting(&message, &[terminal.master.as_fd(), terminal.ring.as_fd()])
}

/// What the observer must know of a machine.
pub(super) fn observed(machine: &Machine) -> ObservedMachine {
    let hierarchies = machine.group(GroupId::Cap).map_or_else(Vec::new, |cap| {
        let one = |(hierarchy, directory): (&Hierarchy, PathBuf)| ObservedHierarchy {
            controllers: hierarchy.controllers.iter().map(|c| c.name().to_string()).collect(),
            dialect: hierarchy.dialect,
            directory,
        };
        cap.directories().map(one).collect()
    });
    ObservedMachine {
        machine: machine.record.id,
        init_pid: machine.record.init_pid,
        uid_base: machine.uid_base(),
        delegated: machine.has_made_groups(),
        hierarchies,
        groups: machine.groups(),
        roots: machine.roots(),
    }
}
