//! Births, and the ways into other namespaces.

use super::space::Kept;
use super::{
    Errno, Life, NESTED_MAX, Namespace, PROCESSES_MAX, Proc, Process, Procs, SpaceKey, position,
};
use crate::namespace::NamespaceSet;

/// What `clone(2)` is asked for.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Birth {
    /// The namespaces that are new.
    pub new: NamespaceSet,
    /// `CLONE_PARENT`: the child is a child of the caller's parent.
    pub beside: bool,
}

impl Procs {
    /// `clone(2)`: a child of `parent`, in new namespaces where that is asked for.
    pub fn fork(&mut self, parent: Proc, birth: Birth) -> Result<Proc, Errno> {
        let process = self.alive(parent)?.clone();
        if self.n_alive >= PROCESSES_MAX {
            return Err(Errno::Eagain);
        }
        let mut spaces = process.spaces;
        spaces[position(Namespace::Pid)] = process.pid_for_children;
        spaces[position(Namespace::Time)] = process.time_for_children;
        // A PID namespace that has lost its PID 1 takes nobody in.
        if self.is_dead(process.pid_for_children) && !birth.new.has(Namespace::Pid) {
            return Err(Errno::Enomem);
        }
        // Only who is in the PID namespace of the children may ask for a new one below it.
        let pid = position(Namespace::Pid);
        if birth.new.has(Namespace::Pid) && process.pid_for_children != process.spaces[pid] {
            return Err(Errno::Einval);
        }
        let privileged = self.renew(parent, birth.new, &mut spaces)?;
        let pids = self.take_pids(spaces[pid])?;
        self.all.push(Process {
            pids,
            parent: if birth.beside { process.parent } else { Some(parent) },
            life: Life::Alive,
            privileged: process.privileged || privileged,
            spaces,
            pid_for_children: spaces[pid],
            time_for_children: spaces[position(Namespace::Time)],
            wanted: process.wanted.clone(),
            stopped: false,
            ..process
        });
        self.n_alive += 1;
        let child = Proc(self.all.len() - 1);
        if let Kept::Pid { init: init @ None, .. } = &mut self.spaces[spaces[pid].0].kept {
            *init = Some(child);
        }
        Ok(child)
    }

    /// `execve(2)`: who is not root in the own user namespace has no capabilities in it any more. That
    /// befalls whoever made one and has no map (`user_namespaces(7)`, *Capabilities*).
    pub fn exec(&mut self, proc: Proc) {
        let Some(user) = self.space_of(proc, Namespace::User) else { return };
        let is_root = self.uid_in(proc, user) == 0;
        if let Some(process) = self.all.get_mut(proc.0) {
            process.privileged &= is_root;
        }
    }

    /// `unshare(2)`: PID and time are for the children, the others for the caller itself.
    pub fn unshare(&mut self, proc: Proc, new: NamespaceSet) -> Result<(), Errno> {
        let process = self.alive(proc)?;
        let mut spaces = process.spaces;
        spaces[position(Namespace::Pid)] = process.pid_for_children;
        spaces[position(Namespace::Time)] = process.time_for_children;
        let own_pid = process.spaces[position(Namespace::Pid)];
        if new.has(Namespace::Pid) && process.pid_for_children != own_pid {
            return Err(Errno::Einval);
        }
        let privileged = self.renew(proc, new, &mut spaces)?;
        let process = &mut self.all[proc.0];
        process.privileged |= privileged;
        process.pid_for_children = spaces[position(Namespace::Pid)];
        process.time_for_children = spaces[position(Namespace::Time)];
        for kind in Namespace::ALL {
            if !matches!(kind, Namespace::Pid | Namespace::Time) {
                process.spaces[position(kind)] = spaces[position(kind)];
            }
        }
        Ok(())
    }

    /// `setns(2)`: into a namespace that is there.
    pub fn setns(&mut self, proc: Proc, space: SpaceKey) -> Result<(), Errno> {
        self.alive(proc)?;
        let it = self.spaces.get(space.0).ok_or(Errno::Einval)?;
        let (kind, owner) = (it.kind, it.owner);
        let own = self.all[proc.0].spaces[position(kind)];
        match kind {
            Namespace::User => {
                // Not one's own, which would give back what was given up.
                if own == space {
                    return Err(Errno::Einval);
                }
                self.needs_root(proc, space)?;
                self.all[proc.0].privileged = true;
            }
            Namespace::Pid => {
                self.needs_root(proc, owner)?;
                // Down only.
                if !self.is_within(space, own) {
                    return Err(Errno::Einval);
                }
                self.all[proc.0].pid_for_children = space;
                return Ok(());
            }
            _ => self.needs_root(proc, owner)?,
        }
        self.all[proc.0].spaces[position(kind)] = space;
        if kind == Namespace::Time {
            self.all[proc.0].time_for_children = space;
        }
        Ok(())
    }

    /// Puts new namespaces into `spaces`. The user namespace comes first, and the others belong to it;
    /// tells whether there is one.
    fn renew(
        &mut self,
        proc: Proc,
        new: NamespaceSet,
        spaces: &mut [SpaceKey; 8],
    ) -> Result<bool, Errno> {
        let uid = self.all[proc.0].uid;
        let user = position(Namespace::User);
        if new.has(Namespace::User) {
            self.nest(spaces[user])?;
        } else if new != NamespaceSet::NONE {
            self.needs_root(proc, spaces[user])?;
        }
        if new.has(Namespace::Pid) {
            self.nest(spaces[position(Namespace::Pid)])?;
        }
        let others = Namespace::ALL.into_iter().filter(|kind| *kind != Namespace::User);
        let order = [Namespace::User].into_iter().chain(others);
        for kind in order.filter(|kind| new.has(*kind)) {
            let like = spaces[position(kind)];
            spaces[position(kind)] = self.push_space(like, spaces[user], uid);
        }
        Ok(new.has(Namespace::User))
    }

    fn nest(&self, space: SpaceKey) -> Result<(), Errno> {
        if self.level(space) + 1 < NESTED_MAX { Ok(()) } else { Err(Errno::Enospc) }
    }

    fn is_dead(&self, space: SpaceKey) -> bool {
        let init = match self.spaces[space.0].kept {
            Kept::Pid { init, .. } => init,
            _ => None,
        };
        init.is_some_and(|init| self.life(init) != Life::Alive)
    }

    /// A PID on each level, the first namespace's first.
    fn take_pids(&mut self, space: SpaceKey) -> Result<Vec<u32>, Errno> {
        let mut path: Vec<SpaceKey> =
            std::iter::successors(Some(space), |space| self.above(*space)).collect();
        path.reverse();
        let pids: Vec<u32> = path.into_iter().map(|space| self.take_pid(space)).collect();
        if pids.contains(&0) { Err(Errno::Eagain) } else { Ok(pids) }
    }
}
