//! Commands whose output is the answer: a probe, or a line that is run in a container and in its
//! machine.

use std::cell::RefCell;
use std::rc::Rc;

use super::machine::{call, within};
use super::{Host, Not, SECOND};
use crate::id::{ContainerId, MachineId};
use crate::limits::{PROBE_BYTES, PROBE_SECS, PROBES_PER_MACHINE};
use crate::message::{Deed, Happening, Made};
use crate::refusal::{Refusal, Thing};
use crate::script::nsenter_line;
use crate::sim::kernel::Kernel;
use crate::sim::procs::{End, Life, Proc, Signal};
use crate::sim::shell::io::{Io, Sink, Source};
use crate::spec::shell_argv;
use crate::truth::{Output, Probe, ProcView};

/// As `timeout(1)` says that it was too slow.
const TOO_SLOW: i32 = 124;

/// Commands that run and are answered together.
pub(super) struct Running {
    number: u32,
    machine: MachineId,
    /// One for a probe; the container's and the machine's for a line.
    parts: Vec<Part>,
    pub(super) deadline_nsec: u64,
    deeds: Vec<Deed>,
}

struct Part {
    proc: Proc,
    session: u32,
    text: Rc<RefCell<String>>,
    at_msec: u64,
    status: Option<i32>,
}

impl Running {
    /// Those whose end is waited for.
    pub(super) fn procs(&self) -> impl Iterator<Item = Proc> {
        self.parts.iter().filter(|part| part.status.is_none()).map(|part| part.proc)
    }
}

impl Host {
    pub(super) fn probe(
        &mut self,
        number: u32,
        id: MachineId,
        container: Option<ContainerId>,
        probe: Probe,
    ) -> Result<(), Not> {
        let other = match container {
            Some(container) => self.live(id, container)?.first,
            None => self.found(id)?.init,
        };
        let argv: Vec<String> = probe.argv().iter().map(|word| (*word).to_owned()).collect();
        self.begin(number, id, &[other], &argv)
    }

    pub(super) fn run_both(
        &mut self,
        number: u32,
        id: MachineId,
        container: ContainerId,
        line: &str,
    ) -> Result<(), Not> {
        let live = self.live(id, container)?;
        if live.is_shell {
            // A shell of the machine's own has no inside.
            return Err(Refusal::NotRunning { what: Thing::Container }.into());
        }
        let (first, name) = (live.first, live.name.clone());
        let init = self.found(id)?.init;
        self.begin(number, id, &[first, init], &shell_argv(line))?;
        self.happened(id, Happening::RanBoth { name, line: line.into() });
        Ok(())
    }

    fn begin(
        &mut self,
        number: u32,
        id: MachineId,
        beside: &[Proc],
        argv: &[String],
    ) -> Result<(), Not> {
        let running = self.running.iter().filter(|it| it.machine == id).count();
        within(PROBES_PER_MACHINE, running)?;
        let mut it = Running {
            number,
            machine: id,
            parts: Vec::new(),
            deadline_nsec: self.now_nsec() + PROBE_SECS.value * SECOND,
            deeds: vec![call("setns(pidfd, CLONE_NEW…)", "")],
        };
        for other in beside {
            let text = Rc::new(RefCell::new(String::new()));
            let sink = Sink::Capture(text.clone());
            let io = Io { input: Source::Null, output: sink.clone(), error: sink };
            let proc = match self.start_beside(*other, argv, io) {
                Ok(proc) => proc,
                Err(not) => {
                    it.parts.iter().for_each(|part| self.end_part(part));
                    return Err(not);
                }
            };
            let session = self.world.act(|kernel| kernel.begin_session(proc));
            let pid = |kernel: &Kernel, proc| kernel.procs().pids(proc)[0];
            let (own, target) = self.world.look(|kernel| (pid(kernel, proc), pid(kernel, *other)));
            it.deeds.push(call(
                format!("clone3(…) = {own}; execve({:?})", argv[0]),
                nsenter_line(target, argv),
            ));
            let at_msec = self.unix_msec();
            it.parts.push(Part { proc, session, text, at_msec, status: None });
        }
        self.running.push(it);
        Ok(())
    }

    /// Kills what is left of a command and whatever it has started.
    fn end_part(&self, part: &Part) {
        let first = self.world.look(Kernel::init);
        for proc in self.world.look(|kernel| kernel.session(part.session)) {
            // Nothing is refused to the host's root.
            let _ = self.world.kill(first, proc, Signal::Kill);
        }
    }

    /// Answers those that have ended, or whose time is over.
    pub(super) fn follow_running(&mut self) {
        let now = self.now_nsec();
        for mut it in std::mem::take(&mut self.running) {
            let late = now >= it.deadline_nsec;
            for part in it.parts.iter_mut().filter(|part| part.status.is_none()) {
                part.status = match self.world.look(|kernel| kernel.procs().life(part.proc)) {
                    Life::Alive if late => Some(TOO_SLOW),
                    Life::Alive => None,
                    Life::Zombie(End::Exited(status)) => Some(status.into()),
                    Life::Zombie(End::Killed(signal)) => Some(i32::from(128 + signal.number())),
                    // It went with its container.
                    Life::Gone => Some(137),
                };
            }
            if it.parts.iter().any(|part| part.status.is_none()) {
                self.running.push(it);
                continue;
            }
            it.parts.iter().for_each(|part| self.end_part(part));
            let mut outputs = it.parts.iter().map(output);
            let made = match (outputs.next(), outputs.next()) {
                (Some(inside), Some(outside)) => Some(Made::Both { inside, outside }),
                (only, _) => only.map(Made::Output),
            };
            self.answer(it.number, Ok((it.deeds, made)));
        }
    }
}

fn output(part: &Part) -> Output {
    let all = part.text.borrow();
    let most = usize::try_from(PROBE_BYTES.value).unwrap_or(usize::MAX);
    let cut = all.len() > most;
    let end = (0..=most.min(all.len())).rev().find(|at| all.is_char_boundary(*at)).unwrap_or(0);
    Output {
        text: all[..end].to_owned(),
        cut,
        status: part.status.unwrap_or(0),
        busybox: false,
        view: ProcView::Host,
        at_msec: part.at_msec,
    }
}
