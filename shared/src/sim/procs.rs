//! Processes and the namespaces they are in.
//!
//! What `clone(2)`, `unshare(2)`, `setns(2)`, `exit(2)`, `wait(2)` and `kill(2)` do, by the rules of
//! `pid_namespaces(7)` and `user_namespaces(7)`: a process has a PID on each level from its own PID
//! namespace up to the first; PID 1 hears only the signals it wants to hear; when it ends, everybody in
//! its namespace ends; orphans become its children.
//!
//! Not here: how much CPU and memory a process uses, and what program it runs.

mod end;
mod fork;
mod space;

#[cfg(test)]
mod tests;

use crate::namespace::Namespace;

pub use end::Signal;
pub use fork::Birth;
pub use space::{IdMap, IdRange, OVERFLOW_ID};
use space::{Kept, Space};

use super::errno::Errno;

/// The most processes that are there at once.
pub const PROCESSES_MAX: usize = 4_096;
/// Namespaces of one kind, one in another, at most (`MAX_PID_NS_LEVEL`, and the same for user ones).
pub const NESTED_MAX: usize = 32;

/// The key of a process. It is never used again.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Proc(usize);

/// The key of a namespace.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct SpaceKey(usize);

/// How a process has ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum End {
    /// By itself.
    Exited(u8),
    /// By a signal.
    Killed(Signal),
}

/// Where a process is in its life.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Life {
    /// It lives.
    Alive,
    /// It has ended, and nobody has waited for it.
    Zombie(End),
    /// Nothing of it is left.
    Gone,
}

#[derive(Clone, Debug)]
struct Process {
    /// One for each PID namespace from the first to its own (`NSpid`).
    pids: Vec<u32>,
    parent: Option<Proc>,
    life: Life,
    /// The user, in terms of the first user namespace.
    uid: u32,
    /// It has the capabilities of root in its user namespace.
    privileged: bool,
    spaces: [SpaceKey; 8],
    /// The PID and the time namespace of the children it will have.
    pid_for_children: SpaceKey,
    time_for_children: SpaceKey,
    /// Signals that it handles or ignores by its own will.
    wanted: Vec<Signal>,
    /// By `STOP`, until `CONT`.
    stopped: bool,
}

/// All processes and namespaces.
#[derive(Clone, Debug)]
pub struct Procs {
    all: Vec<Process>,
    spaces: Vec<Space>,
    n_alive: usize,
}

impl Procs {
    /// The first namespaces, and PID 1 in them, as root.
    pub fn new() -> Self {
        let spaces = Namespace::ALL.into_iter().enumerate();
        let mut procs = Procs {
            all: Vec::new(),
            spaces: spaces
                .map(|(at, kind)| Space::first(kind, SpaceKey(first_user()), at))
                .collect(),
            n_alive: 1,
        };
        let keys = std::array::from_fn(SpaceKey);
        let pid = procs.take_pid(SpaceKey(position(Namespace::Pid)));
        procs.all.push(Process {
            pids: vec![pid],
            parent: None,
            life: Life::Alive,
            uid: 0,
            privileged: true,
            spaces: keys,
            pid_for_children: keys[position(Namespace::Pid)],
            time_for_children: keys[position(Namespace::Time)],
            wanted: Vec::new(),
            stopped: false,
        });
        procs.spaces[position(Namespace::Pid)].set_init(Proc(0));
        procs
    }

    /// The first process.
    pub fn init(&self) -> Proc {
        Proc(0)
    }

    /// Everybody who is there, zombies too, in the order in which they were born.
    pub fn all(&self) -> impl Iterator<Item = Proc> {
        let there = |(_, process): &(usize, &Process)| process.life != Life::Gone;
        self.all.iter().enumerate().filter(there).map(|(at, _)| Proc(at))
    }

    /// Where a process is in its life.
    pub fn life(&self, proc: Proc) -> Life {
        self.all.get(proc.0).map_or(Life::Gone, |process| process.life)
    }

    /// Its PIDs, the first namespace's first (`NSpid`).
    pub fn pids(&self, proc: Proc) -> &[u32] {
        self.all.get(proc.0).map_or(&[], |process| &process.pids)
    }

    /// Its parent; `None` for the first process.
    pub fn parent(&self, proc: Proc) -> Option<Proc> {
        self.all.get(proc.0)?.parent
    }

    /// Its parent's PID as `getppid(2)` tells it: 0 for a parent outside the PID namespace.
    pub fn ppid(&self, proc: Proc) -> u32 {
        let space = self.space_of(proc, Namespace::Pid);
        let parent = self.parent(proc).and_then(|parent| Some(self.pid_in(parent, space?)));
        parent.flatten().unwrap_or(0)
    }

    /// Its PID in a PID namespace, if it can be seen there.
    pub fn pid_in(&self, proc: Proc, space: SpaceKey) -> Option<u32> {
        let own = self.space_of(proc, Namespace::Pid)?;
        let level = self.level(space);
        self.is_within(own, space).then(|| self.pids(proc).get(level).copied()).flatten()
    }

    /// Who has this PID in a PID namespace.
    pub fn find(&self, space: SpaceKey, pid: u32) -> Option<Proc> {
        self.all().find(|proc| self.pid_in(*proc, space) == Some(pid))
    }

    /// The namespace of one kind that a process is in.
    pub fn space_of(&self, proc: Proc, kind: Namespace) -> Option<SpaceKey> {
        Some(self.all.get(proc.0)?.spaces[position(kind)])
    }

    /// The namespace of the children it will have: of PIDs and of time it can differ from its own.
    pub fn space_for_children(&self, proc: Proc, kind: Namespace) -> Option<SpaceKey> {
        let process = self.all.get(proc.0)?;
        Some(match kind {
            Namespace::Pid => process.pid_for_children,
            Namespace::Time => process.time_for_children,
            kind => process.spaces[position(kind)],
        })
    }

    /// The number after the colon in `/proc/PID/ns/*`.
    pub fn inode(&self, space: SpaceKey) -> u64 {
        self.spaces.get(space.0).map_or(0, |space| space.inode)
    }

    /// The user namespace that a namespace belongs to; for a user namespace its parent.
    pub fn owner(&self, space: SpaceKey) -> Option<SpaceKey> {
        let it = self.spaces.get(space.0)?;
        if it.kind == Namespace::User { it.parent } else { Some(it.owner) }
    }

    /// The namespace above, for PID and user namespaces.
    pub fn above(&self, space: SpaceKey) -> Option<SpaceKey> {
        self.spaces.get(space.0)?.parent
    }

    /// How many namespaces are above it.
    fn level(&self, space: SpaceKey) -> usize {
        std::iter::successors(self.above(space), |above| self.above(*above)).count()
    }

    /// Is a namespace this one, or below it?
    pub fn is_within(&self, space: SpaceKey, above: SpaceKey) -> bool {
        std::iter::successors(Some(space), |space| self.above(*space)).any(|space| space == above)
    }

    /// The host name in a process's UTS namespace.
    pub fn hostname(&self, proc: Proc) -> &str {
        let space = self.space_of(proc, Namespace::Uts).and_then(|key| self.spaces.get(key.0));
        match space.map(|space| &space.kept) {
            Some(Kept::Uts { hostname }) => hostname,
            _ => "",
        }
    }

    /// Sets it (`sethostname(2)`): root of the user namespace that owns the UTS namespace, 64 bytes.
    pub fn set_hostname(&mut self, proc: Proc, name: &str) -> Result<(), Errno> {
        let key = self.space_of(proc, Namespace::Uts).ok_or(Errno::Esrch)?;
        self.needs_root(proc, self.spaces[key.0].owner)?;
        if name.len() > 64 {
            return Err(Errno::Einval);
        }
        self.spaces[key.0].kept = Kept::Uts { hostname: name.to_owned() };
        Ok(())
    }

    /// Has a process the capabilities of root in a user namespace? It has if it is root there or in one
    /// above, or if it made it (`user_namespaces(7)`, *Interaction of user namespaces*).
    pub fn has_root(&self, proc: Proc, user: SpaceKey) -> bool {
        let Some(process) = self.all.get(proc.0) else { return false };
        let own = process.spaces[position(Namespace::User)];
        let mut at = Some(user);
        while let Some(space) = at {
            if space == own {
                return process.privileged;
            }
            let above = self.above(space);
            if above == Some(own) && self.spaces[space.0].made_by == process.uid {
                return true;
            }
            at = above;
        }
        false
    }

    /// `setresuid(2)` to an id of its own user namespace.
    pub fn set_uid(&mut self, proc: Proc, inside: u32) -> Result<(), Errno> {
        let user = self.space_of(proc, Namespace::User).ok_or(Errno::Esrch)?;
        self.needs_root(proc, user)?;
        self.all[proc.0].uid = self.id_outside(inside, user).ok_or(Errno::Einval)?;
        Ok(())
    }

    fn needs_root(&self, proc: Proc, user: SpaceKey) -> Result<(), Errno> {
        if self.has_root(proc, user) { Ok(()) } else { Err(Errno::Eperm) }
    }

    fn alive(&self, proc: Proc) -> Result<&Process, Errno> {
        let alive = |process: &&Process| process.life == Life::Alive;
        self.all.get(proc.0).filter(alive).ok_or(Errno::Esrch)
    }

    /// A user id of a process as it is told inside a user namespace.
    pub fn uid_in(&self, proc: Proc, user: SpaceKey) -> u32 {
        let uid = self.all.get(proc.0).map_or(OVERFLOW_ID, |process| process.uid);
        self.id_in(uid, user)
    }

    /// An id of the first user namespace as it is told in another one.
    fn id_in(&self, id: u32, user: SpaceKey) -> u32 {
        let path: Vec<SpaceKey> =
            std::iter::successors(Some(user), |space| self.above(*space)).collect();
        // The first has no map: what is above it is the machine.
        let mut below_first = path.iter().rev().skip(1);
        let inside = below_first.try_fold(id, |id, space| self.spaces[space.0].inside(id));
        inside.unwrap_or(OVERFLOW_ID)
    }

    /// An id in a user namespace in terms of the first, if it is mapped.
    pub fn id_outside(&self, id: u32, user: SpaceKey) -> Option<u32> {
        let mut path = std::iter::successors(Some(user), |space| self.above(*space));
        path.try_fold(id, |id, space| match self.above(space) {
            None => Some(id),
            Some(_) => self.spaces[space.0].outside(id),
        })
    }
}

impl Default for Procs {
    fn default() -> Self {
        Procs::new()
    }
}

fn position(kind: Namespace) -> usize {
    Namespace::ALL.iter().position(|other| *other == kind).unwrap_or(0)
}

fn first_user() -> usize {
    position(Namespace::User)
}
