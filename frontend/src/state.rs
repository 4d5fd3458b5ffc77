//! Everything the page knows, and the one function that changes it.
//!
//! The state is a fold over what was heard. Events carry values, so hearing one twice changes
//! nothing; a test says so.

use std::collections::{BTreeMap, BTreeSet};
use std::ops::Deref;
use std::rc::Rc;

use vitrine_shared::cgroup::{CgroupSample, GroupId};
use vitrine_shared::discovery::Discovery;
use vitrine_shared::id::{ContainerId, MachineId};
use vitrine_shared::message::{
    Answer, Command, Container, Event, FeedEntry, HostInfo, Machine, Made, Sample, ServerMessage,
};
use vitrine_shared::role::{Identity, Role};
use vitrine_shared::spec::ContainerSpec;
use yew::Reducible;

use crate::history::History;
use crate::host;
use crate::kinds::is_running;
use crate::log::Log;
use crate::place::{Place, Trouble};
use crate::readings::Readings;

/// Entries of a machine's feed that are kept.
const FEED_KEPT: usize = 200;

/// What the server says about our cookie.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) enum Session {
    /// Not answered yet.
    #[default]
    Checking,
    /// It knows us.
    Open,
    /// It does not know us; with a token, that token was refused.
    SignedOut {
        /// A token was offered and refused.
        token_refused: bool,
    },
    /// Nobody answers there.
    NoServer,
}

/// The WebSocket.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) enum Link {
    /// Not tried yet.
    #[default]
    Idle,
    /// On its way.
    Opening,
    /// Open, and welcomed.
    Live,
    /// Lost; it will be tried again.
    Lost {
        /// Tries since it was last open.
        tries: u32,
    },
}

/// A command and what came of it.
#[derive(Clone, Debug, PartialEq)]
pub(crate) struct Told {
    /// Counts up, so that a view can tell a new answer from the same one.
    pub(crate) number: u32,
    /// What was asked.
    pub(crate) command: Command,
    /// What came of it.
    pub(crate) answer: Answer,
}

/// A dialog over the page.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Dialog {
    /// What this server is, and what it cannot do.
    About,
    /// Is this machine really to end?
    EndMachine(MachineId),
}

/// Everything the page knows.
#[derive(Clone, Debug, Default, PartialEq)]
pub(crate) struct State {
    pub(crate) session: Session,
    pub(crate) link: Link,
    /// The server is simulated in this page.
    pub(crate) simulated: bool,
    /// Times the server has welcomed us; a new one means: subscribe again.
    pub(crate) welcomes: u32,
    pub(crate) latency_msec: Option<u32>,
    pub(crate) identity: Option<Identity>,
    pub(crate) host: Option<Rc<HostInfo>>,
    pub(crate) synced: bool,
    pub(crate) machines: BTreeMap<MachineId, Rc<Machine>>,
    /// The machine that is looked at.
    pub(crate) focus: Option<MachineId>,
    /// The container that is looked at.
    pub(crate) chosen: Option<ContainerId>,
    pub(crate) sample: Option<Rc<Sample>>,
    /// The last close look at its namespaces; the matrix asks for it.
    pub(crate) discovery: Option<Rc<Discovery>>,
    pub(crate) histories: BTreeMap<GroupId, History>,
    /// What probes in its containers have printed; the lenses that show it ask for it.
    pub(crate) readings: Rc<Readings>,
    pub(crate) feeds: BTreeMap<MachineId, Rc<Vec<FeedEntry>>>,
    pub(crate) pending: BTreeMap<u32, Command>,
    /// The last answer to something a person asked for.
    pub(crate) last: Option<Rc<Told>>,
    /// The last line that was run in both, and what came of it.
    pub(crate) both: Option<Rc<Told>>,
    /// All of them, and the machines that they are about.
    pub(crate) log: Rc<Log>,
    /// Containers this page has made.
    pub(crate) made: u32,
    pub(crate) troubles: BTreeMap<Place, Trouble>,
    /// The dialog that is open.
    pub(crate) dialog: Option<Dialog>,
    /// What to start in the machine that was asked for, once it is there.
    planned: Option<ContainerSpec>,
    /// What can be started now, because its machine is there.
    pub(crate) due: Option<(MachineId, ContainerSpec)>,
    /// Machines heard since the last welcome.
    heard: BTreeSet<MachineId>,
}

/// What can happen to the state.
#[derive(Clone, Debug, PartialEq)]
pub(crate) enum Action {
    /// The server said who we are, or that it does not know.
    Session(Session),
    /// The socket changed.
    Link(Link),
    /// Everything is of another server from now on: a simulated one, or the live one.
    Source {
        /// Is it simulated?
        simulated: bool,
    },
    /// A message arrived.
    Heard {
        /// It.
        message: ServerMessage,
        /// The page's clock, in milliseconds.
        now_msec: u64,
    },
    /// A command was sent.
    Asked {
        /// Its number.
        id: u32,
        /// It.
        command: Command,
    },
    /// A command could not be sent.
    NotSent {
        /// Its number.
        id: u32,
        /// It.
        command: Command,
    },
    /// Look at this container.
    Choose(ContainerId),
    /// Look at this machine.
    Focus(MachineId),
    /// The text at this place was read.
    Dismiss(Place),
    /// Open this dialog, or close the one that is open.
    Dialog(Option<Dialog>),
    /// Start this in the machine that is asked for next.
    Plan(ContainerSpec),
    /// What was due has been asked for.
    Begun,
}

/// The state as the page holds it: handed on by pointer, copied once an action.
#[derive(Clone, Debug, Default, PartialEq)]
pub(crate) struct Known(pub(crate) Rc<State>);

impl Deref for Known {
    type Target = State;

    fn deref(&self) -> &State {
        &self.0
    }
}

impl Reducible for Known {
    type Action = Action;

    fn reduce(self: Rc<Self>, action: Action) -> Rc<Self> {
        let mut state = (*self.0).clone();
        state.apply(action);
        Rc::new(Known(Rc::new(state)))
    }
}

impl State {
    /// The machine that is looked at.
    pub(crate) fn machine(&self) -> Option<&Rc<Machine>> {
        self.machines.get(self.focus.as_ref()?)
    }

    /// The container that is looked at.
    pub(crate) fn container(&self) -> Option<&Container> {
        self.machine()?.containers.iter().find(|container| Some(container.id) == self.chosen)
    }

    /// May this page change the machine it looks at, or make one?
    pub(crate) fn may_change(&self) -> bool {
        let Some(identity) = self.identity else { return false };
        match self.machine() {
            Some(machine) => identity.may_change(machine.owner),
            None => identity.role != Role::Viewer,
        }
    }

    /// May it, and can it be asked now?
    pub(crate) fn may_ask(&self) -> bool {
        self.link == Link::Live && self.may_change()
    }

    /// Is a machine or a container on its way?
    pub(crate) fn is_starting(&self) -> bool {
        self.due.is_some() || self.pending.values().any(starts)
    }

    /// What the large button starts, as far as this host can.
    pub(crate) fn one_click(&self) -> ContainerSpec {
        self.host.as_deref().map_or_else(ContainerSpec::one_click, host::one_click)
    }

    pub(crate) fn apply(&mut self, action: Action) {
        match action {
            Action::Session(session) => self.set_session(session),
            Action::Link(link) => self.set_link(link),
            Action::Source { simulated } => self.begin_anew(simulated),
            Action::Heard { message, now_msec } => self.hear(message, now_msec),
            Action::Asked { id, command } => {
                self.pending.insert(id, command);
            }
            Action::NotSent { id, command } => {
                self.pending.remove(&id);
                self.not_answered(&command);
            }
            Action::Choose(container) => self.chosen = Some(container),
            Action::Focus(machine) => self.look_at(Some(machine)),
            Action::Dismiss(place) => {
                self.troubles.remove(&place);
            }
            Action::Dialog(dialog) => self.dialog = dialog,
            Action::Plan(spec) => self.planned = Some(spec),
            Action::Begun => self.due = None,
        }
    }

    /// Nothing of one server may be taken for something of another. Numbers that only count up go on.
    fn begin_anew(&mut self, simulated: bool) {
        let (welcomes, made) = (self.welcomes, self.made);
        let session = if simulated { Session::Open } else { Session::Checking };
        *self = State { session, simulated, welcomes, made, ..State::default() };
    }

    fn set_session(&mut self, session: Session) {
        // A server that is away for a moment has not forgotten us.
        let away = self.session == Session::Open && session == Session::NoServer;
        // That the token was refused says more than that there is no cookie.
        let refused = Session::SignedOut { token_refused: true };
        let known = self.session == refused && matches!(session, Session::SignedOut { .. });
        if !away && !known {
            self.session = session;
        }
    }

    fn set_link(&mut self, link: Link) {
        self.link = link;
        if link != Link::Live {
            self.latency_msec = None;
            for command in std::mem::take(&mut self.pending).into_values() {
                self.not_answered(&command);
            }
        }
    }

    fn not_answered(&mut self, command: &Command) {
        self.drop_plan(command);
        self.read(command, None);
        if let Some(place) = Place::of(command) {
            self.troubles.insert(place, Trouble::NoAnswer);
        }
    }

    /// A machine that is not there takes what was planned for it along.
    fn drop_plan(&mut self, command: &Command) {
        if matches!(command, Command::StartMachine { .. }) {
            self.planned = None;
        }
    }

    fn hear(&mut self, message: ServerMessage, now_msec: u64) {
        match message {
            ServerMessage::Welcome { identity, host } => {
                self.identity = Some(identity);
                self.host = Some(Rc::new(host));
                self.link = Link::Live;
                self.welcomes += 1;
                self.synced = false;
                self.heard.clear();
            }
            ServerMessage::Answer { id, answer } => self.answered(id, answer, now_msec),
            ServerMessage::Event(event) => self.happened(event),
            ServerMessage::Unreadable { reason } => {
                self.troubles.insert(Place::Link, Trouble::Refused { reason, hint: String::new() });
            }
        }
    }

    fn answered(&mut self, id: u32, answer: Answer, now_msec: u64) {
        let Some(command) = self.pending.remove(&id) else { return };
        if let Command::Ping { token } = command {
            self.latency_msec = u32::try_from(now_msec.saturating_sub(token)).ok();
            return;
        }
        self.read(&command, Some(&answer));
        let Some(place) = Place::of(&command) else { return };
        let by_hand = place != Place::Link;
        self.troubles.remove(&place);
        match &answer {
            Answer::Refused { reason, hint } => {
                let trouble = Trouble::Refused { reason: reason.clone(), hint: hint.clone() };
                self.troubles.insert(place, trouble);
            }
            Answer::Failed { step, what, errno, .. } => {
                let (step, what, errno) = (*step, what.clone(), errno.clone());
                self.troubles.insert(place, Trouble::Failed { step, what, errno });
            }
            Answer::Done { made: Some(Made::Container { machine, container, .. }), .. } => {
                self.look_at(Some(*machine));
                self.chosen = Some(*container);
                self.made += 1;
            }
            Answer::Done { made: Some(Made::Machine { machine }), .. } => {
                self.look_at(Some(*machine));
                self.made += 1;
                self.due = self.planned.take().map(|spec| (*machine, spec));
            }
            Answer::Done { .. } => {}
        }
        self.drop_plan(&command);
        if !by_hand {
            return;
        }
        let number = self.last.as_ref().map_or(1, |told| told.number + 1);
        let told = Rc::new(Told { number, command, answer });
        if matches!(told.command, Command::RunBoth { .. }) {
            self.both = Some(Rc::clone(&told));
        }
        Rc::make_mut(&mut self.log).push(Rc::clone(&told));
        self.last = Some(told);
    }

    /// Keeps what a probe of the machine that is looked at has printed.
    fn read(&mut self, command: &Command, answer: Option<&Answer>) {
        if matches!(command, Command::Probe { machine, .. } if Some(*machine) == self.focus) {
            Rc::make_mut(&mut self.readings).heard(command, answer);
        }
    }

    fn happened(&mut self, event: Event) {
        match event {
            Event::Machine(machine) => self.machine_is(machine),
            Event::MachineGone { machine } => self.machine_gone(machine),
            Event::Sample(sample) => self.sampled(sample),
            Event::Discovery(found) => {
                if Some(found.machine) == self.focus {
                    self.discovery = Some(found.into());
                }
            }
            Event::Feed { machine, entries } => self.fed(machine, entries),
            Event::Synced => self.snapshot_complete(),
            // Close samples have a way of their own, past the state.
            Event::Viewers { .. } | Event::Cpu(_) | Event::Use(_) => {}
        }
    }

    fn machine_is(&mut self, machine: Machine) {
        let id = machine.id;
        let mine = self.identity.is_some_and(|me| me.participant == machine.owner);
        self.heard.insert(id);
        if !self.log.knows(&machine) {
            Rc::make_mut(&mut self.log).learn(&machine);
        }
        self.machines.insert(id, Rc::new(machine));
        if self.focus.is_none() && self.synced && mine {
            self.look_at(Some(id));
        }
        if self.focus == Some(id) {
            self.choose_one();
            let there: Vec<_> =
                self.machine().iter().flat_map(|one| &one.containers).map(|one| one.id).collect();
            if self.readings.has_other_than(|id| there.contains(&id)) {
                Rc::make_mut(&mut self.readings).keep(|id| there.contains(&id));
            }
        }
    }

    fn machine_gone(&mut self, id: MachineId) {
        self.machines.remove(&id);
        self.feeds.remove(&id);
        Rc::make_mut(&mut self.log).gone(id);
        if self.dialog == Some(Dialog::EndMachine(id)) {
            self.dialog = None;
        }
        if self.focus == Some(id) {
            self.look_at(None);
        }
    }

    fn snapshot_complete(&mut self) {
        self.synced = true;
        let gone: Vec<_> =
            self.machines.keys().filter(|id| !self.heard.contains(id)).copied().collect();
        gone.into_iter().for_each(|id| self.machine_gone(id));
        if self.focus.is_none() {
            let me = self.identity.map(|me| me.participant);
            let mine = self.machines.values().find(|machine| Some(machine.owner) == me);
            let mine = mine.map(|machine| machine.id);
            self.look_at(mine);
        }
    }

    fn look_at(&mut self, machine: Option<MachineId>) {
        if self.focus != machine {
            self.focus = machine;
            self.chosen = None;
            self.sample = None;
            self.discovery = None;
            self.readings = Rc::default();
            self.histories.clear();
        }
        self.choose_one();
    }

    /// Chooses the newest running container, when none that exists is chosen.
    fn choose_one(&mut self) {
        let Some(machine) = self.machine() else { return };
        let exists = machine.containers.iter().any(|c| Some(c.id) == self.chosen);
        // A container of our own may be chosen by its answer before the machine's event tells of it.
        if exists || (self.chosen.is_some() && machine.containers.is_empty()) {
            return;
        }
        let running = |c: &&Container| is_running(c);
        let newest = machine.containers.iter().rev();
        let newest = newest.clone().find(running).or_else(|| newest.clone().next());
        self.chosen = newest.map(|container| container.id).or(self.chosen);
    }

    fn sampled(&mut self, sample: Sample) {
        if Some(sample.machine) != self.focus {
            return;
        }
        if self.sample.as_ref().is_some_and(|last| {
            // An old one, heard again. Much older means that the server's clock began anew.
            sample.at_msec <= last.at_msec && last.at_msec - sample.at_msec < 60_000
        }) {
            return;
        }
        // Of the groups that somebody made there can be hundreds: their view keeps its own.
        let kept = |group: &&CgroupSample| !matches!(group.group, GroupId::Made(_));
        for group in sample.groups.iter().filter(kept) {
            self.histories.entry(group.group).or_default().push(sample.at_msec, group);
        }
        let is_there = |group: GroupId| sample.groups.iter().any(|one| one.group == group);
        self.histories.retain(|group, _| is_there(*group));
        self.sample = Some(Rc::new(sample));
    }

    fn fed(&mut self, machine: MachineId, entries: Vec<FeedEntry>) {
        let feed = Rc::make_mut(self.feeds.entry(machine).or_default());
        for entry in entries {
            if let Err(at) = feed.binary_search_by_key(&entry.seq, |kept| kept.seq) {
                feed.insert(at, entry);
            }
        }
        let surplus = feed.len().saturating_sub(FEED_KEPT);
        feed.drain(..surplus);
    }
}

fn starts(command: &Command) -> bool {
    matches!(command, Command::StartMachine { .. } | Command::StartContainer { .. })
}

#[cfg(test)]
#[path = "state_tests.rs"]
mod tests;
