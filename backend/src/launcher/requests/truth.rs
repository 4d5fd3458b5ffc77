//! The truth lens: a probe that is run in a container, and what lies on the files of its `/proc`.
//!
//! A probe may take three seconds, and everybody waits for the launcher: it is started here, its
//! output is read as it comes, and the answer follows when it has ended.

use std::os::fd::{AsFd, BorrowedFd, OwnedFd, RawFd};
use std::time::{Duration, Instant};

use nix::errno::Errno;
use nix::unistd::read;
use vitrine_shared::id::{ContainerId, MachineId};
use vitrine_shared::limits::{self, PROBE_BYTES, PROBE_SECS};
use vitrine_shared::message::{Answer, Command, Deed, Made, Refusal};
use vitrine_shared::refusal::Lacking;
use vitrine_shared::role::Identity;
use vitrine_shared::truth::{Output, Probe, ProcView};

use super::{News, Not, Outcome, State, below, explain};
use crate::launcher::machine::unix_msec;
use crate::launcher::truth::lxcfs_is_running;

/// As `timeout(1)` says that it was too slow.
const TOO_SLOW: i32 = 124;
/// Killed with its container.
const KILLED: i32 = 137;

/// A probe that runs.
#[derive(Debug)]
pub(crate) struct Running {
    /// The request that is answered when it has ended.
    request: u64,
    at: (MachineId, Option<ContainerId>),
    /// Its process: the descriptor that the container, or the machine, keeps.
    pub(super) exec: RawFd,
    pipe: Option<OwnedFd>,
    bytes: Vec<u8>,
    cut: bool,
    busybox: bool,
    view: ProcView,
    at_msec: u64,
    deadline: Instant,
    status: Option<i32>,
    deeds: Vec<Deed>,
}

impl Running {
    /// What becomes readable when there is output.
    pub(crate) fn pipe(&self) -> Option<BorrowedFd<'_>> {
        self.pipe.as_ref().map(AsFd::as_fd)
    }

    /// Takes what there is; what is beyond the limit is not kept.
    fn drain(&mut self) {
        let most = usize::try_from(PROBE_BYTES.value).unwrap_or(usize::MAX);
        let mut buffer = [0; 4096];
        // Bounded: what writes without end is ended by its time.
        for _ in 0..64 {
            let Some(pipe) = &self.pipe else { return };
            match read(pipe, &mut buffer) {
                Ok(0) => self.pipe = None,
                Ok(len) => {
                    let room = most - self.bytes.len();
                    self.cut |= len > room;
                    self.bytes.extend_from_slice(&buffer[..len.min(room)]);
                }
                Err(Errno::EINTR) => {}
                Err(Errno::EAGAIN) => return,
                Err(_) => self.pipe = None,
            }
        }
    }

    fn answer(mut self, status: i32) -> (u64, Answer) {
        self.drain();
        let text = String::from_utf8_lossy(&self.bytes).into_owned();
        let (cut, busybox) = (self.cut, self.busybox);
        let output = Output { text, cut, status, busybox, view: self.view, at_msec: self.at_msec };
        (self.request, Answer::Done { deeds: self.deeds, made: Some(Made::Output(output)) })
    }
}

impl State {
    /// Starts a probe; its answer comes from [`State::probes_ended`].
    pub(crate) fn start_probe(
        &mut self,
        request: u64,
        by: Identity,
        (id, container): (MachineId, Option<ContainerId>),
        probe: Probe,
    ) -> Result<(), Not> {
        let running = self.probes.iter().filter(|probe| probe.at.0 == id).count();
        if !by.may_send(&Command::Probe { machine: id, container, probe }) {
            return Err(Refusal::NotAllowed { role: by.role }.into());
        }
        let machine = match container {
            Some(container) => self.running(by, id, container)?,
            None => self.machine(by, id)?,
        };
        below(limits::PROBES_PER_MACHINE, running)?;
        if let Some(container) = container {
            below(limits::EXECS_PER_CONTAINER, machine.execs_of(container))?;
        }
        let argv: Vec<String> = probe.argv().iter().map(|word| (*word).into()).collect();
        let init = match container {
            Some(container) => machine.pid_of(container).unsigned_abs(),
            None => machine.record.init_pid,
        };
        let view = container.map_or(ProcView::Host, |id| machine.proc_view_of(id));
        let started = match machine.probe(container, &argv) {
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
        self.probes.push(Running {
            request,
            at: (id, container),
            exec: started.exec,
            pipe: Some(started.pipe),
            bytes: Vec::new(),
            cut: false,
            busybox: started.busybox,
            view,
            at_msec: unix_msec(),
            deadline: Instant::now() + Duration::from_secs(PROBE_SECS.value),
            status: None,
            deeds,
        });
        Ok(())
    }

    /// Reads what the probes say.
    pub(crate) fn read_probes(&mut self) {
        self.probes.iter_mut().for_each(Running::drain);
    }

    /// Takes note that an extra command has ended.
    pub(crate) fn exec_ended(&mut self, id: MachineId, exec: RawFd) {
        let Some(machine) = self.machines.iter_mut().find(|m| m.record.id == id) else { return };
        let Some((container, status)) = machine.reap_exec(exec) else { return };
        let is_it = |probe: &&mut Running| probe.at == (id, container) && probe.exec == exec;
        if let Some(probe) = self.probes.iter_mut().find(is_it) {
            probe.status = Some(status);
        }
    }

    /// The answers of the probes that have ended, or whose time is over: those are killed.
    pub(crate) fn probes_ended(&mut self) -> Vec<(u64, Answer)> {
        let mut answers = Vec::new();
        for probe in std::mem::take(&mut self.probes) {
            let machine = self.machines.iter_mut().find(|m| m.record.id == probe.at.0);
            let lives = machine.as_ref().is_some_and(|m| m.has_exec(probe.at.1, probe.exec));
            let late = probe.deadline <= Instant::now();
            match (probe.status, machine) {
                (Some(status), _) => answers.push(probe.answer(status)),
                (None, _) if !lives => answers.push(probe.answer(KILLED)),
                (None, Some(machine)) if late => {
                    machine.kill_exec(probe.at.1, probe.exec);
                    answers.push(probe.answer(TOO_SLOW));
                }
                _ => self.probes.push(probe),
            }
        }
        answers
    }

    /// Nobody is there any more to be answered: web has died.
    pub(crate) fn forget_probes(&mut self) {
        for probe in std::mem::take(&mut self.probes) {
            if let Some(machine) = self.machines.iter_mut().find(|m| m.record.id == probe.at.0) {
                machine.kill_exec(probe.at.1, probe.exec);
            }
        }
    }

    /// Until a probe's time is over, or files are to be written again.
    pub(crate) fn next_due(&self) -> Option<Duration> {
        let now = Instant::now();
        let probes = self.probes.iter().map(|probe| probe.deadline.saturating_duration_since(now));
        let files = self.machines.iter().flat_map(|machine| &machine.containers);
        probes.chain(files.filter_map(|live| live.own_due_in())).min()
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
