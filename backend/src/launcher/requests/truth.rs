//! The truth lens: a probe that is run in a container or beside it in the machine, and what lies on the files of its `/proc`.

use vitrine_shared::id::{ContainerId, MachineId};
use vitrine_shared::message::{Deed, Refusal};
use vitrine_shared::refusal::Lacking;
use vitrine_shared::role::Identity;
use vitrine_shared::truth::{Probe, ProcView};

use super::running::{Part, Parts};
use super::{News, Not, Outcome, State, explain};
use crate::launcher::truth::lxcfs_is_running;

impl State {
    /// Starts a probe.
    pub(super) fn probe(
        &mut self,
        by: Identity,
        (id, place): (MachineId, Option<ContainerId>),
        probe: Probe,
    ) -> Result<(Parts, Vec<Deed>), Not> {
        self.has_room(by, (id, place))?;
        let machine = self.machine(by, id)?;
        let argv: Vec<String> = probe.argv().iter().map(|word| (*word).into()).collect();
        let (init, view, started) = match place {
            Some(container) => {
                let init = machine.pid_of(container).unsigned_abs();
                (init, machine.proc_view_of(container), machine.probe(container, &argv))
            }
            None => (machine.record.init_pid, ProcView::Host, machine.look_here(&argv)),
        };
        let started = match started {
            Ok(started) => started,
            Err(err) => return Err(self.birth_failed(id, err)),
        };
        let deeds = vec![
            explain::call("setns(pidfd, CLONE_NEW…)", ""),
            explain::call(
                format!("clone3(…) = {}; execve({:?})", started.pid, argv[0]),
                explain::nsenter_line(init, &argv),
            ),
        ];
        Ok((Parts::Probe(Part::new(place, view, started)), deeds))
    }

    /// Writes the files of those containers that have ours, when it is time.
    pub(crate) fn refresh_own(&mut self) {
        let containers = self.machines.iter_mut().flat_map(|machine| &mut machine.containers);
        containers.for_each(crate::launcher::machine::Live::refresh_own);
    }

    pub(super) fn set_proc_view(
        &mut self,
        by: Identity,
        (id, container): (MachineId, ContainerId),
        view: ProcView,
    ) -> Outcome {
        check_view(view)?;
        let machine = self.running(by, id, container)?;
        if let Some(record) = machine.record_of(container) {
            record.spec.check_view(view)?;
        }
        let pid = machine.pid_of(container).unsigned_abs();
        machine.set_proc_view(container, view)?;
        self.news.push(News::Machine(id));
        Ok((explain::proc_view(pid, view), None))
    }
}

/// Can this host give it?
pub(super) fn check_view(view: ProcView) -> Result<(), Refusal> {
    if view == ProcView::Lxcfs && !lxcfs_is_running() {
        return Err(Refusal::Missing { what: Lacking::Lxcfs });
    }
    Ok(())
}
