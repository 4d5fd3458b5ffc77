//! One line, run in a container and in its machine: what the two shells are told of the same thing.
//!
//! It gives nobody anything new: whoever may ask has a shell in either. The container's has the
//! rights of a command in it, the machine's those of the machine's own shells.

use vitrine_shared::id::{ContainerId, MachineId};
use vitrine_shared::message::{Deed, Happening};
use vitrine_shared::refusal::{Refusal, Thing};
use vitrine_shared::role::Identity;
use vitrine_shared::spec::{check_line, shell_argv};
use vitrine_shared::truth::ProcView;

use super::running::{Part, Parts};
use super::{News, Not, State, explain};

impl State {
    /// Starts a line in both places, or in neither.
    pub(super) fn run_both(
        &mut self,
        by: Identity,
        (id, container): (MachineId, ContainerId),
        line: &str,
    ) -> Result<(Parts, Vec<Deed>), Not> {
        check_line(line)?;
        self.has_room(by, (id, Some(container)))?;
        let machine = self.running(by, id, container)?;
        if machine.is_shell(container) {
            // A shell of the machine's own has no inside.
            return Err(Refusal::NotRunning { what: Thing::Container }.into());
        }
        tracing::info!(%id, by = by.participant.0, ?line, "a line is run in a container and in its machine");
        let view = machine.proc_view_of(container);
        let argv = shell_argv(line);
        let (init, machine_init) = (machine.pid_of(container), machine.record.init_pid);
        let started = machine.probe(container, &argv).and_then(|inside| {
            let outside = machine.run_here(&argv);
            if outside.is_err() {
                machine.end_line(Some(container), inside.pid);
                machine.kill_exec(Some(container), inside.exec);
            }
            Ok((inside, outside?))
        });
        let (inside, outside) = match started {
            Ok(started) => started,
            Err(err) => return Err(self.birth_failed(id, err)),
        };
        let deed = |pid: i32, init: u32| {
            let call = format!("setns(pidfd, CLONE_NEW…); clone3(…) = {pid}; execve(\"/bin/sh\")");
            explain::call(call, explain::nsenter_line(init, &argv))
        };
        let deeds = vec![deed(inside.pid, init.unsigned_abs()), deed(outside.pid, machine_init)];
        let name = machine.name_of(container);
        machine.happened(Happening::RanBoth { name, line: line.into() });
        self.news.push(News::Machine(id));
        let parts =
            [Part::new(Some(container), view, inside), Part::new(None, ProcView::Host, outside)];
        Ok((Parts::Both(parts), deeds))
    }
}
