//! A simulated server: what the live one answers and tells, of machines that are modelled.
//!
//! Whoever has it hears what it says ([`Host::greet`], [`Host::hear`], [`Host::advance`]), lets its time
//! pass, and talks to its terminals in the frames of [`crate::terminal`]. It has no clock: the same
//! words at the same simulated moments are answered the same, on every platform.
//!
//! In reading order: this file (who is asked what), `machine` and `container` (births and ends),
//! `groups` and `knobs` (limits), `running` (commands whose output is the answer), `sample`, `close` and
//! `discover` (what is observed), `news` (what feeds tell by themselves), `terminal` and `keys`, and `record`
//! (a server that can be taken back to an earlier moment).
//!
//! What the model cannot do is refused, as the live server refuses what its host lacks. Nothing is made
//! up: a birth has the steps that the model took, and their times are typical ones ([`steps`]).

mod birth;
mod close;
mod container;
mod discover;
mod groups;
mod ids;
mod keys;
mod knobs;
mod machine;
mod news;
pub mod record;
mod root;
mod running;
mod sample;
pub mod steps;
mod terminal;
mod time;

#[cfg(test)]
mod tests;

use super::cpu::Hardware;
use super::kernel::{Kernel, Setup};
use super::shell::world::World;
use crate::cgroup::{Controller, Dialect, GroupId};
use crate::check::check;
use crate::focus::Focus;
use crate::id::{MachineId, TerminalId};
use crate::message::{
    Answer, Because, ClientMessage, Command, Deed, Event, Feature, HostInfo, Made, Missing,
    Profile, ServerMessage, StepName,
};
use crate::refusal::{Advice, Refusal, Thing};
use crate::role::{Identity, Role};

use ids::Ids;
use machine::Outer;
use news::Watch as NewsWatch;
use running::Running;
use sample::Rates;
use terminal::Line;

/// Nanoseconds of a second and of a millisecond.
const SECOND: u64 = 1_000_000_000;
const MSEC: u64 = 1_000_000;
/// Readings are no closer to each other than this, however slow time passes.
const CLOSEST_NSEC: u64 = MSEC;

/// What is simulated.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Settings {
    /// What ids and waits are drawn from.
    pub seed: u64,
    /// CPUs of the host.
    pub n_cpus: usize,
    /// Bytes of its memory.
    pub memory_bytes: u64,
    /// How groups are mounted.
    pub dialect: Dialect,
    /// Unix time at which it starts, in milliseconds.
    pub epoch_msec: u64,
}

impl Default for Settings {
    fn default() -> Self {
        Settings { seed: 1, n_cpus: 2, memory_bytes: 4 << 30, dialect: Dialect::V1, epoch_msec: 0 }
    }
}

/// Why a command was not done.
#[derive(Debug)]
enum Not {
    /// It was wrong.
    Refused(Refusal),
    /// A step failed; what was made is undone.
    Failed { step: StepName, what: String, errno: &'static str },
}

impl From<Refusal> for Not {
    fn from(refusal: Refusal) -> Self {
        Not::Refused(refusal)
    }
}

/// What was done and made.
type Done = (Vec<Deed>, Option<Made>);
type Outcome = Result<Done, Not>;

/// Samples of a machine, so often.
#[derive(Clone, Copy, Debug)]
struct Watch {
    machine: MachineId,
    hertz: u8,
    due_nsec: u64,
}

/// The server.
pub struct Host {
    settings: Settings,
    world: World,
    identity: Identity,
    ids: Ids,
    boxes: Vec<Outer>,
    lines: Vec<Line>,
    running: Vec<Running>,
    watch: Option<Watch>,
    files: Option<(MachineId, GroupId)>,
    focus: Option<(Focus, u64)>,
    rates: Rates,
    news: NewsWatch,
    /// How many times slower than real time it is looked at: readings come so much closer together.
    slower: u32,
    out: Vec<ServerMessage>,
}

impl Host {
    /// A server that has just started.
    pub fn new(settings: Settings) -> Self {
        let hardware =
            Hardware { n_cpus: settings.n_cpus, seed: settings.seed, ..Hardware::default() };
        let setup = Setup {
            hardware,
            memory_bytes: settings.memory_bytes,
            swap_bytes: 0,
            dialect: settings.dialect,
        };
        let mut ids = Ids::new(settings.seed);
        let identity = Identity { participant: ids.participant(), role: Role::Teacher };
        Host {
            settings,
            world: World::new(setup),
            identity,
            ids,
            boxes: Vec::new(),
            lines: Vec::new(),
            running: Vec::new(),
            watch: None,
            files: None,
            focus: None,
            rates: Rates::default(),
            news: NewsWatch::default(),
            slower: 1,
            out: Vec::new(),
        }
    }

    /// What a page hears first: who it is, what this is, which machines there are.
    pub fn greet(&mut self) -> Vec<ServerMessage> {
        (self.watch, self.focus, self.files) = (None, None, None);
        self.out.clear();
        let host = self.info();
        self.out.push(ServerMessage::Welcome { identity: self.identity, host });
        let machines: Vec<MachineId> = self.boxes.iter().map(|it| it.record.id).collect();
        for id in machines {
            self.tell_machine(id);
        }
        self.tell(Event::Synced);
        self.tell(Event::Viewers { count: 1 });
        std::mem::take(&mut self.out)
    }

    fn info(&self) -> HostInfo {
        let io = Feature::Controller(Controller::Io);
        HostInfo {
            version: env!("CARGO_PKG_VERSION").into(),
            kernel: "6.18.0-simulated".into(),
            cpus: u32::try_from(self.world.look(Kernel::n_cpus)).unwrap_or(u32::MAX),
            memory_bytes: self.settings.memory_bytes,
            cpu_dialect: self.settings.dialect,
            profiles: vec![Profile::Lab],
            images: Vec::new(),
            rootless: false,
            lxcfs: false,
            plain_http: false,
            missing: vec![Missing {
                feature: io,
                because: Because::NotModelled,
                mend: String::new(),
            }],
            simulated: true,
        }
    }

    /// Nanoseconds since it started.
    pub fn now_nsec(&self) -> u64 {
        self.world.now_nsec()
    }

    fn unix_msec(&self) -> u64 {
        self.settings.epoch_msec.saturating_add(self.now_nsec() / MSEC)
    }

    /// Who ran where and when, as a hash: the same for the same words at the same moments.
    pub fn trace_hash(&self) -> u64 {
        self.world.look(Kernel::trace_hash)
    }

    /// Readings come so many times closer together than they would in real time: whoever looks at it
    /// in slow motion sees as many of them.
    pub fn look_closer(&mut self, times: u32) {
        self.slower = times.max(1);
        let now = self.now_nsec();
        if let Some(watch) = &mut self.watch {
            watch.due_nsec = watch.due_nsec.min(now);
        }
        if let Some((_, due)) = &mut self.focus {
            *due = (*due).min(now);
        }
    }

    /// Reads every machine once, so that the first sample of whoever comes next has something to take its
    /// rates from.
    fn read_all(&mut self) {
        let machines: Vec<MachineId> = self.boxes.iter().map(|it| it.record.id).collect();
        for id in machines {
            // Only the reading counts.
            drop(self.sample(id, 1));
        }
    }

    /// A command; its answer, and what else is to be told, now or by [`Host::advance`].
    pub fn hear(&mut self, message: &ClientMessage) -> Vec<ServerMessage> {
        let ClientMessage { id, command } = message;
        let owner = |machine| {
            self.boxes.iter().find(|it| it.record.id == machine).map(|it| it.record.owner)
        };
        let outcome = match check(self.identity, command, owner) {
            Err(refusal) => Err(refusal.into()),
            Ok(()) => match self.do_it(*id, command) {
                // Answered when it has ended.
                Ok(None) => return std::mem::take(&mut self.out),
                Ok(Some(done)) => Ok(done),
                Err(not) => Err(not),
            },
        };
        let events = std::mem::take(&mut self.out);
        self.answer(*id, outcome);
        self.out.extend(events);
        std::mem::take(&mut self.out)
    }

    fn answer(&mut self, id: u32, outcome: Outcome) {
        let answer = match outcome {
            Ok((deeds, made)) => Answer::Done { deeds, made },
            Err(Not::Refused(reason)) => Answer::Refused { hint: reason.to_string(), reason },
            Err(Not::Failed { step, what, errno }) => {
                let hint = Advice::on(step, errno).in_english().into();
                Answer::Failed { step, what, errno: errno.into(), hint }
            }
        };
        self.out.push(ServerMessage::Answer { id, answer });
    }

    /// `None`: the answer comes when the command that was started has ended.
    fn do_it(&mut self, number: u32, command: &Command) -> Result<Option<Done>, Not> {
        match command {
            Command::Probe { machine, container, probe } => {
                self.probe(number, *machine, *container, *probe)?;
                return Ok(None);
            }
            Command::RunBoth { machine, container, line } => {
                self.run_both(number, *machine, *container, line)?;
                return Ok(None);
            }
            _ => {}
        }
        let done = match command {
            Command::Ping { .. } | Command::Probe { .. } | Command::RunBoth { .. } => {
                (Vec::new(), None)
            }
            Command::Subscribe { machine, hertz } => self.subscribe(*machine, *hertz),
            Command::Discover { machine } => {
                let found = self.discover(*machine)?;
                self.tell(Event::Discovery(Box::new(found)));
                (Vec::new(), None)
            }
            Command::ShowFiles { machine, group } => {
                let made = group.filter(|group| matches!(group, GroupId::Made(_)));
                self.files = made.map(|group| (*machine, group));
                (Vec::new(), None)
            }
            Command::Focus { on } => self.look_at(*on)?,
            Command::StartMachine { profile } => {
                let machine = self.start_machine(*profile)?;
                (Vec::new(), Some(Made::Machine { machine }))
            }
            Command::StartContainer { machine, spec } => self.start_container(*machine, spec)?,
            Command::Exec { machine, container, argv } => self.exec(*machine, *container, argv)?,
            Command::StopContainer { machine, container } => {
                self.stop_container(*machine, *container)?
            }
            Command::StopExecs { machine, container } => self.stop_execs(*machine, *container)?,
            Command::EndMachine { machine } => self.end_machine(*machine)?,
            Command::SetProcView { machine, container, view } => {
                self.set_proc_view(*machine, *container, *view)?
            }
            Command::SetKnob { machine, group, knob } => self.set_knob(*machine, *group, knob)?,
            Command::WriteFile { machine, group, file, value } => {
                self.write_file(*machine, *group, file, value)?
            }
            Command::MakeGroup { machine, parent, name } => {
                self.make_group(*machine, *parent, name)?
            }
            Command::RemoveGroup { machine, group } => self.remove_group(*machine, *group)?,
            Command::MoveProcess { machine, pid, group } => {
                self.move_process(*machine, *pid, *group)?
            }
        };
        Ok(Some(done))
    }

    fn subscribe(&mut self, machine: Option<MachineId>, hertz: u8) -> Done {
        let due_nsec = self.now_nsec();
        self.watch = machine.map(|machine| Watch { machine, hertz, due_nsec });
        if let Some(entries) = machine.and_then(|id| self.find(id)).map(|it| it.feed.clone()) {
            let machine = machine.unwrap_or(MachineId(0));
            self.tell(Event::Feed { machine, entries });
        }
        (Vec::new(), None)
    }

    fn look_at(&mut self, on: Option<Focus>) -> Outcome {
        if let Some(focus) = on {
            self.place(focus.machine, focus.group)?;
        }
        let now = self.now_nsec();
        self.focus = on.map(|focus| (focus, now));
        Ok((Vec::new(), None))
    }

    fn tell(&mut self, event: Event) {
        self.out.push(ServerMessage::Event(event));
    }

    /// Tells a machine as it is now.
    fn tell_machine(&mut self, id: MachineId) {
        if let Some(machine) = self.find(id).map(|it| it.record.clone()) {
            self.tell(Event::Machine(machine));
        }
    }

    fn find(&self, id: MachineId) -> Option<&Outer> {
        self.boxes.iter().find(|it| it.record.id == id)
    }

    fn found(&self, id: MachineId) -> Result<&Outer, Not> {
        self.find(id).ok_or_else(|| unknown(Thing::Machine))
    }

    fn found_mut(&mut self, id: MachineId) -> Result<&mut Outer, Not> {
        let found = self.boxes.iter_mut().find(|it| it.record.id == id);
        found.ok_or_else(|| unknown(Thing::Machine))
    }

    /// The terminals that there are.
    pub fn terminals(&self) -> impl Iterator<Item = TerminalId> {
        self.lines.iter().map(Line::id)
    }
}

fn unknown(what: Thing) -> Not {
    Refusal::Unknown { what }.into()
}
