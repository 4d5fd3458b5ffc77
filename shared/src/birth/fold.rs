//! What each step does: one function a group of objects, fed the steps that really happened.

use std::collections::BTreeMap;

use super::calls;
use super::{Change, Entered, Frame, Mounted, Object, Origin, State, Story, What, Whose};
use crate::message::{Step, StepName};
use crate::namespace::{Namespace, NamespaceSet};

/// The birth as frames, one a step.
pub fn frames<'a>(story: &Story<'a>) -> Vec<Frame<'a>> {
    let mut world = World { story: *story, objects: BTreeMap::new() };
    let mut since_usec = 0;
    let last = story.steps.len().saturating_sub(1);
    let frame = |(at, step): (usize, &'a Step)| {
        let before = world.objects.clone();
        let failed = story.failed && at == last;
        if !failed {
            world.take(at, step);
        }
        let objects = world.objects.iter().map(|(what, (state, origin))| Object {
            what: *what,
            state: state.clone(),
            origin: *origin,
            change: match before.get(what) {
                None => Change::New,
                Some((old, _)) if old == state => Change::Same,
                Some(_) => Change::Changed,
            },
        });
        let frame = Frame { step, since_usec, failed, objects: objects.collect() };
        since_usec += u64::from(step.took_usec);
        frame
    };
    story.steps.iter().enumerate().map(frame).collect()
}

/// What there is.
struct World<'a> {
    story: Story<'a>,
    objects: BTreeMap<What, (State, Origin)>,
}

impl World<'_> {
    fn take(&mut self, at: usize, step: &Step) {
        let call = step.call.as_str();
        match step.name {
            StepName::Cgroup => self.make_group(call),
            StepName::IdMap => self.map_ids(call),
            StepName::Setns => self.enter_machine(call),
            StepName::Clone => self.clone_it(at, call),
            StepName::EnterCgroup => self.enter_group(at, call),
            StepName::Hostname => {
                let name = calls::quoted(call).to_owned();
                self.put(What::Hostname, State::Set(name), Origin::Report);
            }
            StepName::Loopback => {
                self.make(at, calls::namespaces(call, "unshare"));
                self.put(What::Loopback, State::Up, Origin::Report);
            }
            StepName::Rootfs => self.stack_root(),
            StepName::Dev => self.mount(What::Dev, "/dev"),
            StepName::Proc => self.mount(What::Proc, "/proc"),
            StepName::Pty => {
                self.put(What::Descriptors, State::Terminal { alone: false }, Origin::Report);
            }
            StepName::PivotRoot => self.enter_root(call),
            StepName::EnterUser => self.enter_user(),
            StepName::RunAs => self.run_as(call),
            StepName::Capabilities => self.drop_capabilities(),
            StepName::Rlimits => self.limit(),
            StepName::Seccomp => self.filter(),
            StepName::Execve => self.become_program(),
            StepName::Ask => {}
        }
    }

    fn put(&mut self, what: What, state: State, origin: Origin) {
        self.objects.insert(what, (state, origin));
    }

    fn state(&self, what: What) -> Option<&State> {
        self.objects.get(&what).map(|(state, _)| state)
    }

    /// From the kernel where the process was seen, else as the call tells it.
    fn seen(&self) -> Origin {
        if self.story.own.was_seen() { Origin::Kernel } else { Origin::Report }
    }

    fn make_group(&mut self, call: &str) {
        let (path, wrote) = (self.story.group.to_owned(), calls::writes(call));
        self.put(What::Group, State::Group { path, wrote, inside: false }, Origin::Report);
    }

    /// Into the group, made in this birth or before it.
    fn join_group(&mut self) {
        let wrote = match self.state(What::Group) {
            Some(State::Group { wrote, .. }) => wrote.clone(),
            _ => Vec::new(),
        };
        let path = self.story.group.to_owned();
        self.put(What::Group, State::Group { path, wrote, inside: true }, Origin::Report);
    }

    /// A user namespace of its own, in which nobody is yet.
    fn map_ids(&mut self, call: &str) {
        let own = self.story.own;
        let id = own.namespace(Namespace::User);
        let state = State::Namespace { whose: Whose::Own, id, entered: false };
        self.put(What::Namespace(Namespace::User), state, self.known(id));
        let state = match own.uids.as_slice() {
            [] => State::Set(calls::quoted(call).to_owned()),
            uids => State::Map(uids.to_vec()),
        };
        self.put(What::Ids, state, self.seen());
    }

    fn known(&self, id: u64) -> Origin {
        if id == 0 { Origin::Report } else { Origin::Kernel }
    }

    /// The helper goes into the machine's; of the others it is where the launcher is.
    fn enter_machine(&mut self, call: &str) {
        self.put(What::Process, State::Helper, Origin::Report);
        let entered = calls::namespaces(call, "setns");
        for kind in Namespace::ALL {
            if entered.has(kind) {
                self.share(kind);
            } else {
                self.stay(kind);
            }
        }
        self.set_clocks(call);
    }

    /// Where the launcher is, unless a new one waits already.
    fn stay(&mut self, kind: Namespace) {
        let state = State::Namespace { whose: Whose::Host, id: 0, entered: true };
        let what = What::Namespace(kind);
        self.objects.entry(what).or_insert((state, Origin::Modelled));
    }

    /// The machine's.
    fn share(&mut self, kind: Namespace) {
        let id = self.story.machine.map_or(0, |machine| machine.namespace(kind));
        let state = State::Namespace { whose: Whose::Machine, id, entered: true };
        self.put(What::Namespace(kind), state, self.known(id));
    }

    /// New ones, with the process in them. Their numbers are those that were read at the end,
    /// unless a later step makes them once more.
    fn make(&mut self, at: usize, kinds: NamespaceSet) {
        for kind in kinds.iter() {
            // The last call names the program, which may be called anything.
            let later = self.story.steps.iter().skip(at + 1);
            let mut later = later.filter(|step| step.name != StepName::Execve);
            let again = later.any(|step| calls::namespaces(&step.call, "unshare").has(kind));
            let id = if again { 0 } else { self.story.own.namespace(kind) };
            let state = State::Namespace { whose: Whose::Own, id, entered: true };
            self.put(What::Namespace(kind), state, self.known(id));
        }
    }

    fn clone_it(&mut self, at: usize, call: &str) {
        let pids = self.story.own.pids.clone();
        let origin = self.seen();
        self.put(What::Process, State::Copy(pids), origin);
        self.set_clocks(call);
        Namespace::ALL.into_iter().for_each(|kind| self.stay(kind));
        // A time namespace is for the children of whoever makes it: this is the first of them.
        let mut so_far = self.story.steps.iter().take(at + 1);
        let time = so_far.any(|step| calls::namespaces(&step.call, "unshare").has(Namespace::Time));
        self.make(at, calls::namespaces(call, "clone3").with(Namespace::Time, time));
        // What it begins with is the launcher's: nobody else could have given it away.
        self.put(What::Capabilities, State::Launchers, Origin::Modelled);
        self.put(What::Seccomp, State::Launchers, Origin::Modelled);
        if calls::has_flag(call, "CLONE_INTO_CGROUP") {
            self.join_group();
        }
    }

    fn set_clocks(&mut self, call: &str) {
        let offsets = |write: &String| Some(write.strip_prefix("timens_offsets ← ")?.to_owned());
        if let Some(text) = calls::writes(call).iter().find_map(offsets) {
            let text = text.trim_matches('"').to_owned();
            self.put(What::Clocks, State::Set(text), Origin::Report);
        }
    }

    fn enter_group(&mut self, at: usize, call: &str) {
        self.join_group();
        self.make(at, calls::namespaces(call, "unshare"));
        calls::namespaces(call, "setns").iter().for_each(|kind| self.share(kind));
    }

    fn stack_root(&mut self) {
        let mount = self.mounts(|path| path == "/").pop();
        let origin = if mount.is_some() { Origin::Kernel } else { Origin::Report };
        self.put(What::Root, State::Root { entered: None, mount }, origin);
    }

    fn mounts(&self, is_it: impl Fn(&str) -> bool) -> Vec<Mounted> {
        self.story.own.mounts.iter().filter(|mount| is_it(&mount.path)).cloned().collect()
    }

    /// A part of the file system below this path.
    fn mount(&mut self, what: What, path: &str) {
        let below = format!("{path}/");
        let mounts = self.mounts(|one| one == path || one.starts_with(&below));
        let origin = if mounts.is_empty() { Origin::Report } else { Origin::Kernel };
        self.put(what, State::Mounts(mounts), origin);
    }

    fn enter_root(&mut self, call: &str) {
        let entered = if calls::has(call, "pivot_root") { Entered::Pivot } else { Entered::Chroot };
        let mount = self.mounts(|path| path == "/").pop();
        let origin = if mount.is_some() { Origin::Kernel } else { Origin::Report };
        self.put(What::Root, State::Root { entered: Some(entered), mount }, origin);
        if call.contains("mount(cgroup") {
            self.mount(What::Hierarchies, "/sys/fs/cgroup");
        }
    }

    /// Another user than root; a step that only goes to a directory changes nothing here.
    fn run_as(&mut self, call: &str) {
        if let Some(uid) = calls::user(call) {
            self.put(What::User, State::Set(format!("uid {uid}")), Origin::Report);
        }
    }

    fn enter_user(&mut self) {
        let what = What::Namespace(Namespace::User);
        match self.state(what) {
            Some(State::Namespace { whose: Whose::Own, id, .. }) => {
                let (id, origin) = (*id, self.known(*id));
                self.put(what, State::Namespace { whose: Whose::Own, id, entered: true }, origin);
            }
            // A container without one of its own is in the machine's.
            _ => self.share(Namespace::User),
        }
        let own = self.story.own;
        // Who becomes another user afterwards was seen as that one.
        let stays = !self.story.steps.iter().any(|step| calls::user(&step.call).is_some());
        let on_host = (own.was_seen() && stays).then_some(own.host_uid);
        self.put(What::User, State::Root0(on_host), self.seen());
        // user_namespaces(7): whoever enters one has every capability in it, and none outside.
        self.put(What::Capabilities, State::AllInside, Origin::Modelled);
    }

    fn drop_capabilities(&mut self) {
        let own = self.story.own;
        let state = State::Capabilities {
            has: own.capabilities,
            most: own.bounding,
            no_new_privs: own.no_new_privs,
        };
        self.read(What::Capabilities, state);
    }

    fn limit(&mut self) {
        let own = self.story.own;
        let (open_files, processes) = (own.open_files, own.processes);
        self.read(What::Limits, State::Limits { open_files, processes });
    }

    fn filter(&mut self) {
        self.read(What::Seccomp, State::Filters(self.story.own.filters));
    }

    /// A state that is nothing but what was read.
    fn read(&mut self, what: What, state: State) {
        let state = if self.story.own.was_seen() { state } else { State::Done };
        self.put(what, state, self.seen());
    }

    fn become_program(&mut self) {
        let (pids, program) = (self.story.own.pids.clone(), self.story.program.to_owned());
        self.put(What::Process, State::Program(pids, program), self.seen());
        let state = match self.state(What::Descriptors) {
            Some(State::Terminal { .. }) => State::Terminal { alone: true },
            _ => State::NoTerminal,
        };
        self.put(What::Descriptors, state, Origin::Report);
    }
}
