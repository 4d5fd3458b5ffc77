//! Commands whose output is the answer: a probe in a container, or a line that is run in both.
//!
//! Such a command may take three seconds, and everybody waits for the launcher: it is started
//! here, its output is read as it comes, and the answer follows when it has ended.

use std::os::fd::{AsFd, BorrowedFd, OwnedFd, RawFd};
use std::time::{Duration, Instant};

use nix::errno::Errno;
use nix::unistd::read;
use vitrine_shared::id::{ContainerId, MachineId};
use vitrine_shared::limits::{self, PROBE_BYTES, PROBE_SECS};
use vitrine_shared::message::{Answer, Command, Deed, Made};
use vitrine_shared::role::Identity;
use vitrine_shared::truth::{Output, ProcView};

use super::{Not, State, below};
use crate::launcher::machine::{Probed, unix_msec};

/// As `timeout(1)` says that it was too slow.
const TOO_SLOW: i32 = 124;
/// Killed with its container.
const KILLED: i32 = 137;

/// Commands that run and are answered together.
#[derive(Debug)]
pub(crate) struct Running {
    /// The request that is answered when all of them have ended.
    request: u64,
    machine: MachineId,
    parts: Parts,
    deadline: Instant,
    deeds: Vec<Deed>,
}

/// One command, or a line in two places.
#[derive(Debug)]
pub(super) enum Parts {
    /// A probe.
    Probe(Part),
    /// In the container, and in its machine.
    Both([Part; 2]),
}

/// A command that runs in one place.
#[derive(Debug)]
pub(super) struct Part {
    /// The container; `None` for the machine itself.
    place: Option<ContainerId>,
    pid: i32,
    /// Its process: the descriptor that its place keeps.
    exec: RawFd,
    pipe: Option<OwnedFd>,
    bytes: Vec<u8>,
    cut: bool,
    busybox: bool,
    view: ProcView,
    at_msec: u64,
    status: Option<i32>,
}

impl Part {
    pub(super) fn new(place: Option<ContainerId>, view: ProcView, started: Probed) -> Self {
        Part {
            place,
            pid: started.pid,
            exec: started.exec,
            pipe: Some(started.pipe),
            bytes: Vec::new(),
            cut: false,
            busybox: started.busybox,
            view,
            at_msec: unix_msec(),
            status: None,
        }
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

    fn output(mut self) -> Output {
        self.drain();
        let text = String::from_utf8_lossy(&self.bytes).into_owned();
        let status = self.status.unwrap_or(KILLED);
        let (cut, busybox) = (self.cut, self.busybox);
        Output { text, cut, status, busybox, view: self.view, at_msec: self.at_msec }
    }
}

impl Parts {
    fn all(&self) -> &[Part] {
        match self {
            Parts::Probe(part) => std::slice::from_ref(part),
            Parts::Both(parts) => parts,
        }
    }

    fn all_mut(&mut self) -> &mut [Part] {
        match self {
            Parts::Probe(part) => std::slice::from_mut(part),
            Parts::Both(parts) => parts,
        }
    }

    /// Lines of a shell leave things running; a probe does not.
    const fn are_lines(&self) -> bool {
        matches!(self, Parts::Both(_))
    }
}

impl Running {
    /// What becomes readable when there is output.
    pub(crate) fn pipes(&self) -> impl Iterator<Item = BorrowedFd<'_>> {
        self.parts.all().iter().filter_map(|part| part.pipe.as_ref().map(AsFd::as_fd))
    }

    fn answer(self) -> (u64, Answer) {
        let made = match self.parts {
            Parts::Probe(part) => Made::Output(part.output()),
            Parts::Both([inside, outside]) => {
                Made::Both { inside: inside.output(), outside: outside.output() }
            }
        };
        (self.request, Answer::Done { deeds: self.deeds, made: Some(made) })
    }
}

impl State {
    /// Starts what a command asks for; its answer comes from [`State::probes_ended`].
    pub(crate) fn start_probe(
        &mut self,
        request: u64,
        by: Identity,
        command: &Command,
    ) -> Result<(), Not> {
        if !by.may_send(command) {
            let role = by.role;
            return Err(vitrine_shared::message::Refusal::NotAllowed { role }.into());
        }
        let (machine, (parts, deeds)) = match command {
            Command::Probe { machine, container, probe } => {
                (*machine, self.probe(by, (*machine, *container), *probe)?)
            }
            Command::RunBoth { machine, container, line } => {
                (*machine, self.run_both(by, (*machine, *container), line)?)
            }
            _ => return Ok(()),
        };
        let deadline = Instant::now() + Duration::from_secs(PROBE_SECS.value);
        self.probes.push(Running { request, machine, parts, deadline, deeds });
        Ok(())
    }

    /// Is there room for one more in this machine, and in this place?
    pub(super) fn has_room(
        &mut self,
        by: Identity,
        (id, place): (MachineId, Option<ContainerId>),
    ) -> Result<(), Not> {
        let running = self.probes.iter().filter(|probe| probe.machine == id).count();
        let machine = match place {
            Some(container) => self.running(by, id, container)?,
            None => self.machine(by, id)?,
        };
        below(limits::PROBES_PER_MACHINE, running)?;
        below(limits::EXECS_PER_CONTAINER, machine.execs_of(place))
    }

    /// Reads what they say.
    pub(crate) fn read_probes(&mut self) {
        let parts = self.probes.iter_mut().flat_map(|probe| probe.parts.all_mut());
        parts.for_each(Part::drain);
    }

    /// Takes note that an extra command has ended.
    pub(crate) fn exec_ended(&mut self, id: MachineId, exec: RawFd) {
        let Some(machine) = self.machines.iter_mut().find(|m| m.record.id == id) else { return };
        let of_machine = self.probes.iter_mut().filter(|probe| probe.machine == id);
        let is_line = |probe: &&mut Running| probe.parts.are_lines();
        for line in of_machine.filter(is_line).flat_map(|probe| probe.parts.all_mut()) {
            if line.exec == exec && line.status.is_none() {
                // Before it is reaped: until then nobody else can have its number.
                machine.end_line(line.place, line.pid);
            }
        }
        let Some((place, status)) = machine.reap_exec(exec) else { return };
        let parts = self.probes.iter_mut().filter(|probe| probe.machine == id);
        for part in parts.flat_map(|probe| probe.parts.all_mut()) {
            if (part.place, part.exec) == (place, exec) && part.status.is_none() {
                part.status = Some(status);
            }
        }
    }

    /// The answers of those that have ended, or whose time is over: these are killed.
    pub(crate) fn probes_ended(&mut self) -> Vec<(u64, Answer)> {
        let mut answers = Vec::new();
        for mut probe in std::mem::take(&mut self.probes) {
            let machine = self.machines.iter_mut().find(|m| m.record.id == probe.machine);
            if end_parts(&mut probe, machine) {
                answers.push(probe.answer());
            } else {
                self.probes.push(probe);
            }
        }
        answers
    }

    /// Nobody is there any more to be answered: web has died.
    pub(crate) fn forget_probes(&mut self) {
        for probe in std::mem::take(&mut self.probes) {
            let machine = self.machines.iter_mut().find(|m| m.record.id == probe.machine);
            let Some(machine) = machine else { continue };
            for part in probe.parts.all().iter().filter(|part| part.status.is_none()) {
                if probe.parts.are_lines() {
                    machine.end_line(part.place, part.pid);
                }
                machine.kill_exec(part.place, part.exec);
            }
        }
    }

    /// Until the time of one is over, or files are to be written again.
    pub(crate) fn next_due(&self) -> Option<Duration> {
        let now = Instant::now();
        let probes = self.probes.iter().map(|probe| probe.deadline.saturating_duration_since(now));
        let files = self.machines.iter().flat_map(|machine| &machine.containers);
        probes.chain(files.filter_map(|live| live.own_due_in())).min()
    }
}

/// Kills what is too slow, and says whether all parts have ended.
fn end_parts(probe: &mut Running, mut machine: Option<&mut super::Machine>) -> bool {
    let late = probe.deadline <= Instant::now();
    let are_lines = probe.parts.are_lines();
    for part in probe.parts.all_mut().iter_mut().filter(|part| part.status.is_none()) {
        match machine.as_deref_mut().filter(|m| m.has_exec(part.place, part.exec)) {
            // It went with its container, or its machine.
            None => part.status = Some(KILLED),
            Some(machine) if late => {
                if are_lines {
                    machine.end_line(part.place, part.pid);
                }
                machine.kill_exec(part.place, part.exec);
                part.status = Some(TOO_SLOW);
            }
            Some(_) => {}
        }
    }
    probe.parts.all().iter().all(|part| part.status.is_some())
}
