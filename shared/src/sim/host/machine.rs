//! Machines: how they are born, and how they end.

use super::birth::{IDS, born, make_cap, witness};
use super::groups::{self, Place};
use super::steps::{Steps, took_usec};
use super::{Host, MSEC, Not, Outcome, unknown};
use crate::id::{ContainerId, MachineId, TerminalId};
use crate::limits::{ENDED_CONTAINERS, Limit, MACHINES_PER_PARTICIPANT};
use crate::message::{
    Act, Container, ContainerState, Deed, Event, FeedEntry, Happening, Machine, Profile, StepName,
};
use crate::refusal::{Refusal, Thing};
use crate::sim::errno::Errno;
use crate::sim::kernel::Kernel;
use crate::sim::procs::{End, Life, Proc, Signal};

/// Where the first machine's ids begin on the host.
const UID_BASE: u32 = 2_000_000_000;
/// Entries of a feed that are kept.
const FEED_ENTRIES: usize = 64;

/// A machine as the server holds it.
pub(super) struct Outer {
    /// As everybody is told of it.
    pub(super) record: Machine,
    /// Its PID 1.
    pub(super) init: Proc,
    /// The group with its caps.
    pub(super) cap: Place,
    /// What lives in it.
    pub(super) live: Vec<Live>,
    pub(super) feed: Vec<FeedEntry>,
    last_seq: u64,
    /// Numbers of containers and shells that it has had.
    pub(super) names: (u32, u32),
}

/// A container, or a shell in the machine itself, that lives.
pub(super) struct Live {
    pub(super) id: ContainerId,
    pub(super) name: String,
    /// Its first process.
    pub(super) first: Proc,
    pub(super) is_shell: bool,
    pub(super) terminal: Option<TerminalId>,
    /// Where its root is in the machine, when that had to be mounted there.
    pub(super) root_at: Option<String>,
    /// Commands that were started in it by the page.
    pub(super) execs: Vec<Proc>,
}

/// A limit of the server's.
pub(super) fn within(limit: Limit, count: usize) -> Result<(), Not> {
    match (count as u64) < limit.value {
        true => Ok(()),
        false => Err(Refusal::Limit(limit.into()).into()),
    }
}

/// Says which step failed.
pub(super) fn at<T>(step: StepName, what: &str, done: Result<T, Errno>) -> Result<T, Not> {
    done.map_err(|errno| Not::Failed { step, what: what.into(), errno: errno.name() })
}

impl Host {
    pub(super) fn start_machine(&mut self, profile: Profile) -> Result<MachineId, Not> {
        if profile != Profile::Lab {
            return Err(Refusal::ProfileOff { profile }.into());
        }
        within(MACHINES_PER_PARTICIPANT, self.boxes.len())?;
        let id = self.ids.machine();
        let short = id.to_string()[..4].to_owned();
        let number = self.boxes.iter().map(|it| it.record.uid_base).max();
        let uid_base = number.map_or(UID_BASE, |last| last.saturating_add(IDS));
        let mut steps = Steps::default();
        let made = self.world.act(|kernel| make_cap(kernel, &short));
        let cap = at(StepName::Cgroup, "make the machine's groups", made)?;
        steps.done(StepName::Cgroup, format!("mkdir(…/{short}, …/root, …/root/shell)"));
        let born = self.world.act(|kernel| born(kernel, &cap, uid_base, &short, &mut steps));
        let init = match born {
            Ok(init) => init,
            Err(not) => {
                self.world.act(|kernel| groups::remove_all(kernel, &cap));
                return Err(not);
            }
        };
        let steps = steps.finish();
        let took_usec = took_usec(&steps);
        let record = Machine {
            id,
            owner: self.identity.participant,
            profile,
            init_pid: self.world.look(|kernel| kernel.procs().pids(init)[0]),
            uid_base,
            cgroup_path: format!("vitrine/{short}"),
            born_msec: self.unix_msec(),
            steps,
            newborn: self.world.look(|kernel| witness(kernel, init)),
            containers: Vec::new(),
        };
        let (live, feed) = (Vec::new(), Vec::new());
        self.boxes.push(Outer { record, init, cap, live, feed, last_seq: 0, names: (0, 0) });
        self.happened(id, Happening::MachineBorn { took_usec });
        self.tell_machine(id);
        Ok(id)
    }

    /// Enters something in a machine's feed, and tells who looks at it.
    pub(super) fn happened(&mut self, id: MachineId, what: Happening) {
        let at_msec = self.unix_msec();
        let watched = self.watch.is_some_and(|watch| watch.machine == id);
        let Some(it) = self.boxes.iter_mut().find(|it| it.record.id == id) else { return };
        it.last_seq += 1;
        let entry = FeedEntry { seq: it.last_seq, at_msec, what };
        it.feed.push(entry.clone());
        let surplus = it.feed.len().saturating_sub(FEED_ENTRIES);
        it.feed.drain(..surplus);
        if watched {
            self.tell(Event::Feed { machine: id, entries: vec![entry] });
        }
    }

    pub(super) fn end_machine(&mut self, id: MachineId) -> Outcome {
        let at = self.boxes.iter().position(|it| it.record.id == id);
        let it = self.boxes.remove(at.ok_or_else(|| unknown(Thing::Machine))?);
        let pid = it.record.init_pid;
        self.world.act(|kernel| {
            let first = kernel.init();
            // Everybody in its PID namespace ends with its PID 1.
            let _ = kernel.kill(first, it.init, Signal::Kill);
            groups::remove_all(kernel, &it.cap);
        });
        for terminal in it.live.iter().filter_map(|live| live.terminal) {
            self.terminal_ended(terminal, 137);
        }
        if self.watch.is_some_and(|watch| watch.machine == id) {
            self.watch = None;
        }
        self.focus = self.focus.filter(|(focus, _)| focus.machine != id);
        self.files = self.files.filter(|(machine, _)| *machine != id);
        self.tell(Event::MachineGone { machine: id });
        Ok((vec![killed(pid)], None))
    }

    /// The container that lives, with its machine.
    pub(super) fn live(&self, id: MachineId, container: ContainerId) -> Result<&Live, Not> {
        let it = self.found(id)?;
        let found = it.live.iter().find(|live| live.id == container);
        found.ok_or_else(|| {
            let known = it.record.containers.iter().any(|record| record.id == container);
            let what = Thing::Container;
            if known { Refusal::NotRunning { what } } else { Refusal::Unknown { what } }.into()
        })
    }

    pub(super) fn live_mut(&mut self, id: MachineId, container: ContainerId) -> Option<&mut Live> {
        let it = self.boxes.iter_mut().find(|it| it.record.id == id)?;
        it.live.iter_mut().find(|live| live.id == container)
    }

    pub(super) fn stop_container(&mut self, id: MachineId, container: ContainerId) -> Outcome {
        let first = self.live(id, container)?.first;
        let pid = self.world.look(|kernel| kernel.procs().pids(first)[0]);
        let init = self.world.look(Kernel::init);
        // It is alive, and nothing is refused to the host's root.
        let _ = self.world.kill(init, first, Signal::Kill);
        self.follow_ends();
        Ok((vec![killed(pid)], None))
    }

    /// Containers whose first process has ended: what is left of them ends too, and is told. A machine
    /// whose PID 1 has ended is gone.
    pub(super) fn follow_ends(&mut self) {
        let gone: Vec<MachineId> = self
            .boxes
            .iter()
            .filter(|it| !self.world.is_alive(it.init))
            .map(|it| it.record.id)
            .collect();
        for id in gone {
            // It was there.
            let _ = self.end_machine(id);
        }
        let ended: Vec<(MachineId, ContainerId)> = self
            .boxes
            .iter()
            .flat_map(|it| it.live.iter().map(|live| (it.record.id, live)))
            .filter(|(_, live)| !self.world.is_alive(live.first))
            .map(|(id, live)| (id, live.id))
            .collect();
        for (id, container) in ended {
            self.container_ended(id, container);
        }
        for at in 0..self.boxes.len() {
            let world = self.world.clone();
            for live in &mut self.boxes[at].live {
                live.execs.retain(|exec| world.is_alive(*exec));
            }
        }
    }

    fn container_ended(&mut self, id: MachineId, container: ContainerId) {
        let place = self.place(id, GroupIdOf(container).into()).ok();
        let Some(it) = self.boxes.iter_mut().find(|it| it.record.id == id) else { return };
        let Some(at) = it.live.iter().position(|live| live.id == container) else { return };
        let live = it.live.remove(at);
        let machine_init = it.init;
        let status = match self.world.look(|kernel| kernel.procs().life(live.first)) {
            Life::Zombie(End::Exited(status)) => status.into(),
            Life::Zombie(End::Killed(signal)) => i32::from(128 + signal.number()),
            _ => 137,
        };
        let (cpu_msec, max_rss_bytes) = self.world.act(|kernel| {
            let first = kernel.init();
            let inside = place.as_ref().map(|place| members(kernel, place)).unwrap_or_default();
            for proc in inside.into_iter().chain(live.execs.iter().copied()) {
                // Some have ended with the first.
                let _ = kernel.kill(first, proc, Signal::Kill);
            }
            let used = place.as_ref().map(|place| used(kernel, place)).unwrap_or_default();
            if let Some(root) = &live.root_at {
                // Whoever is still in there keeps it.
                let _ = kernel.umount(machine_init, &format!("{root}/proc"));
                let _ = kernel.umount(machine_init, root);
            }
            place.iter().for_each(|place| groups::remove_all(kernel, place));
            used
        });
        let Some(it) = self.boxes.iter_mut().find(|it| it.record.id == id) else { return };
        let is_it = |record: &&mut Container| record.id == container;
        if let Some(record) = it.record.containers.iter_mut().find(is_it) {
            record.state = ContainerState::Exited { status, cpu_msec, max_rss_bytes };
            record.terminal = None;
        }
        forget_oldest(&mut it.record.containers);
        if let Some(terminal) = live.terminal {
            self.terminal_ended(terminal, status);
        }
        self.focus = self.focus.filter(|(focus, _)| focus.group != GroupIdOf(container).into());
        self.happened(id, Happening::ContainerExited { name: live.name, status });
        self.tell_machine(id);
    }
}

/// The group of a container.
struct GroupIdOf(ContainerId);

impl From<GroupIdOf> for crate::cgroup::GroupId {
    fn from(of: GroupIdOf) -> Self {
        crate::cgroup::GroupId::Container(of.0)
    }
}

/// Records of ended containers beyond the limit go, the oldest first.
fn forget_oldest(containers: &mut Vec<Container>) {
    let ended = |one: &Container| matches!(one.state, ContainerState::Exited { .. });
    while containers.iter().filter(|one| ended(one)).count() as u64 > ENDED_CONTAINERS.value {
        let Some(at) = containers.iter().position(ended) else { return };
        containers.remove(at);
    }
}

/// Who is in a group, in any hierarchy, or below it.
fn members(kernel: &Kernel, place: &Place) -> Vec<Proc> {
    let groups = kernel.groups();
    let inside = |proc: &Proc| {
        place.keys.iter().enumerate().any(|(hierarchy, key)| {
            let at = groups.group_of(*proc, hierarchy);
            at.zip(*key).is_some_and(|(at, key)| groups.is_below(at, key))
        })
    };
    kernel.procs().all().filter(inside).collect()
}

/// CPU time of a group in milliseconds, and the most memory it had.
fn used(kernel: &Kernel, place: &Place) -> (u64, u64) {
    let cpu = place.keys().find_map(|key| kernel.group_cpu(key));
    let memory = place.keys().find_map(|key| kernel.group_memory(key));
    (cpu.map_or(0, |(stat, _)| stat.usage_nsec / MSEC), memory.map_or(0, |it| it.peak))
}

/// A process that was killed.
pub(super) fn killed(pid: u32) -> Deed {
    call(format!("kill({pid}, SIGKILL)"), format!("kill -9 {pid}"))
}

/// A call, and the shell line for it.
pub(super) fn call(call: impl Into<String>, shell: impl Into<String>) -> Deed {
    Deed { act: Act::Syscall { call: call.into() }, shell: shell.into() }
}
