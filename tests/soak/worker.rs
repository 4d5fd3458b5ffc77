//! One page that starts and ends things as fast as a connection may.

use std::collections::BTreeSet;
use std::time::{Duration, Instant};

use vitrine_shared::id::MachineId;
use vitrine_shared::limits::ENDED_CONTAINERS;
use vitrine_shared::message::{Command, Event};
use vitrine_shared::namespace::NamespaceSet;
use vitrine_shared::spec::ContainerSpec;

use super::Work;
use crate::harness::client::{Client, Started};
use crate::harness::held::namespaces_of;
use crate::harness::proc;
use crate::harness::server::Server;
use crate::harness::term::Term;

/// Two commands and a little; a connection may send 20 a second.
const PACE: Duration = Duration::from_millis(120);
/// Each so many cycles a terminal is opened, and the namespaces are noted.
const LOOK_EVERY: u32 = 25;

/// What comes and goes.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(crate) enum Kind {
    /// A machine with a container in it.
    Machine,
    /// A container in a machine that stays.
    Container,
}

impl Kind {
    pub(crate) const ALL: [Kind; 2] = [Kind::Machine, Kind::Container];

    pub(crate) fn name(self) -> &'static str {
        match self {
            Kind::Machine => "machine with a container",
            Kind::Container => "container",
        }
    }
}

/// A page at work.
pub(crate) struct Worker<'a> {
    server: &'a Server,
    page: Client,
    kind: Kind,
    home: MachineId,
    cycles: u32,
    /// Namespaces that were seen, and when.
    seen: BTreeSet<String>,
    seen_ticks: u64,
}

/// Half of them make machines, half containers in one machine.
pub(crate) fn team(server: &Server, size: usize) -> Vec<Worker<'_>> {
    let home = server.client().start(None, ContainerSpec::one_click()).machine;
    let kinds = Kind::ALL.into_iter().cycle().take(size);
    kinds
        .map(|kind| Worker {
            server,
            page: server.client(),
            kind,
            home,
            cycles: 0,
            seen: BTreeSet::new(),
            seen_ticks: 0,
        })
        .collect()
}

/// Makes what is remembered the same at every count: a machine keeps the records of its last few
/// containers, and web their terminals, so that one can read what they wrote. Which of them had a
/// terminal would otherwise differ from count to count, by some descriptors in either direction.
pub(crate) fn level(workers: &mut [Worker<'_>]) {
    let Some(worker) = workers.first_mut() else { return };
    for _ in 0..ENDED_CONTAINERS.value {
        let started = worker.page.start(Some(worker.home), ContainerSpec::one_click());
        let (machine, container) = (started.machine, started.container);
        worker.page.done(Command::StopContainer { machine, container });
        worker.page.listen(PACE);
        worker.page.forget();
    }
}

/// Who still holds namespaces of what has ended.
pub(crate) fn still_held(workers: &[Worker<'_>]) -> Vec<String> {
    workers.iter().flat_map(|worker| proc::holders(&worker.seen, worker.seen_ticks)).collect()
}

impl Worker<'_> {
    /// Works as long as there is work.
    pub(crate) fn run(&mut self, work: &Work) {
        while work.take().is_some() {
            let begun = Instant::now();
            self.cycle(work);
            // What it hears in the meantime is of no interest.
            self.page.listen(PACE.saturating_sub(begun.elapsed()));
            self.page.forget();
        }
    }

    fn cycle(&mut self, work: &Work) {
        self.cycles += 1;
        let machine = (self.kind == Kind::Container).then_some(self.home);
        let begun = Instant::now();
        let started = self.page.start(machine, self.spec());
        let born = begun.elapsed();
        if self.cycles.is_multiple_of(LOOK_EVERY) {
            self.look(&started);
        }
        let end = match self.kind {
            Kind::Machine => Command::EndMachine { machine: started.machine },
            Kind::Container => {
                Command::StopContainer { machine: started.machine, container: started.container }
            }
        };
        let begun = Instant::now();
        self.page.done(end);
        let at = usize::from(self.kind == Kind::Container);
        work.births.lock().expect("nobody panics in here")[at].took(born);
        work.deaths.lock().expect("nobody panics in here")[at].took(begun.elapsed());
    }

    /// Not always the same: with an init, without a terminal, without any namespace.
    fn spec(&self) -> ContainerSpec {
        let spec = ContainerSpec::one_click();
        match self.cycles % 4 {
            1 => ContainerSpec { init: true, ..spec },
            2 => ContainerSpec { tty: false, argv: vec!["sleep".into(), "1000".into()], ..spec },
            3 => ContainerSpec {
                namespaces: NamespaceSet::NONE,
                remount_proc: false,
                hostname: None,
                ..spec
            },
            _ => spec,
        }
    }

    /// Uses it as a person would: a terminal, samples, one more command.
    fn look(&mut self, started: &Started) {
        let id = started.machine;
        let machine = self.page.event("the machine with its container", |event| match event {
            Event::Machine(machine) if machine.id == id => machine
                .containers
                .iter()
                .any(|container| container.id == started.container)
                .then_some(machine),
            _ => None,
        });
        let mut machine = machine;
        machine.containers.retain(|container| container.id == started.container);
        if self.kind == Kind::Machine {
            self.seen.extend(namespaces_of(&machine));
            self.seen_ticks = proc::now_ticks();
        }
        if let Some(terminal) = started.terminal {
            drop(Term::open(self.server, terminal));
        }
        self.page.watch(id, 20);
        self.page.sample("a sample", |sample| (sample.machine == id).then_some(()));
        self.page.done(Command::Subscribe { machine: None, hertz: 1 });
    }
}
