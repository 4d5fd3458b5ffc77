//! Commands from web, looked at again as if web were hostile, and done.

mod births;
mod both;
mod groups;
mod knobs;
mod not;
mod running;
mod truth;
mod writes;

use std::time::Duration;

use vitrine_shared::id::{ContainerId, MachineId, TerminalId};
use vitrine_shared::limits::Limit;
use vitrine_shared::message::{Command, Deed, Made, Profile, Refusal};
use vitrine_shared::refusal::Thing;
use vitrine_shared::role::Identity;
use vitrine_shared::spec::check_argv;

use super::explain;
use super::machine::{Host, Left, Machine};

pub(crate) use not::Not;

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

fn below(limit: Limit, count: usize) -> Result<(), Not> {
    if (count as u64) < limit.value { Ok(()) } else { Err(Refusal::Limit(limit.into()).into()) }
}
