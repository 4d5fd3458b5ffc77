//! `/sys/fs/cgroup`: the groups as directories, from a cgroup namespace's root on.

use super::files::{Entry, Kind};
use super::{Errno, Kernel, Namespace, Proc};
use crate::sim::groups::GroupKey;

/// The files that hold processes.
const MEMBERS: [&str; 2] = ["cgroup.procs", "tasks"];

/// What a path in a hierarchy leads to.
enum At<'a> {
    Group(GroupKey),
    File(GroupKey, &'a str),
    Nothing(GroupKey, &'a str),
}

impl Kernel {
    /// Where a hierarchy begins for a process: the root of its cgroup namespace.
    pub(super) fn cgroup_root(&self, proc: Proc, hierarchy: usize) -> GroupKey {
        let space = self.procs.space_of(proc, Namespace::Cgroup);
        let roots = space.and_then(|space| self.cgroup_roots.get(&space));
        let first = || self.groups.group_of(self.init(), hierarchy);
        let root = roots.and_then(|roots| roots.get(hierarchy).copied());
        root.or_else(first).unwrap_or_else(|| self.groups.roots()[hierarchy])
    }

    fn cgroup_at<'a>(&self, proc: Proc, hierarchy: usize, inner: &'a str) -> Result<At<'a>, Errno> {
        let mut at = self.cgroup_root(proc, hierarchy);
        let mut names = inner.split('/').filter(|name| !name.is_empty()).peekable();
        while let Some(name) = names.next() {
            let last = names.peek().is_none();
            match self.groups.child(at, name) {
                Some(child) => at = child,
                None if last && self.groups.files(at).contains(&name) => {
                    return Ok(At::File(at, name));
                }
                None if last => return Ok(At::Nothing(at, name)),
                None => return Err(Errno::Enoent),
            }
        }
        Ok(At::Group(at))
    }

    pub(super) fn cgroup_kind(
        &self,
        proc: Proc,
        hierarchy: usize,
        inner: &str,
    ) -> Result<Kind, Errno> {
        match self.cgroup_at(proc, hierarchy, inner)? {
            At::Group(_) => Ok(Kind::Directory),
            At::File(..) => Ok(Kind::File),
            At::Nothing(..) => Err(Errno::Enoent),
        }
    }

    pub(super) fn cgroup_list(
        &self,
        proc: Proc,
        hierarchy: usize,
        inner: &str,
    ) -> Result<Vec<Entry>, Errno> {
        let At::Group(at) = self.cgroup_at(proc, hierarchy, inner)? else {
            return Err(Errno::Enotdir);
        };
        let files = self.groups.files(at).into_iter().map(|name| Entry::new(name, Kind::File));
        let below = self.groups.children(at);
        let below = below.map(|child| Entry::new(self.groups.name(child), Kind::Directory));
        Ok(files.chain(below).collect())
    }

    pub(super) fn cgroup_read(
        &self,
        proc: Proc,
        hierarchy: usize,
        inner: &str,
    ) -> Result<String, Errno> {
        let At::File(group, file) = self.cgroup_at(proc, hierarchy, inner)? else {
            return Err(Errno::Enoent);
        };
        if !MEMBERS.contains(&file) {
            return self.groups.read(&self.cpus, &self.memory, group, file);
        }
        // Who cannot be seen in the reader's PID namespace is 0 in v2 and left out in v1; it is left out.
        let space = self.space(proc, Namespace::Pid)?;
        let pids = self.groups.procs(group).filter_map(|member| self.procs.pid_in(member, space));
        Ok(pids.map(|pid| format!("{pid}\n")).collect())
    }

    pub(super) fn cgroup_write(
        &mut self,
        proc: Proc,
        hierarchy: usize,
        inner: &str,
        text: &str,
    ) -> Result<(), Errno> {
        let (group, file) = match self.cgroup_at(proc, hierarchy, inner)? {
            At::File(group, file) => (group, file),
            At::Group(_) => return Err(Errno::Eisdir),
            At::Nothing(..) => return Err(Errno::Eacces),
        };
        if file == "cgroup.kill" {
            return self.kill_group(proc, group, text);
        }
        let (groups, mut machine) = self.machine();
        if !MEMBERS.contains(&file) {
            groups.write(&mut machine, group, file, text)?;
            self.deliver();
            return Ok(());
        }
        let pid: u32 = text.trim().parse().map_err(|_| Errno::Einval)?;
        let space = self.space(proc, Namespace::Pid)?;
        // 0 is whoever writes.
        let member = if pid == 0 { Some(proc) } else { self.procs.find(space, pid) };
        let member = member.ok_or(Errno::Esrch)?;
        let (groups, mut machine) = self.machine();
        groups.enter(&mut machine, member, group)?;
        self.deliver();
        Ok(())
    }

    fn kill_group(&mut self, proc: Proc, group: GroupKey, text: &str) -> Result<(), Errno> {
        match text.trim().parse::<i32>() {
            Ok(1) => {}
            Ok(_) => return Err(Errno::Erange),
            Err(_) => return Err(Errno::Einval),
        }
        let below = |member: &Proc| {
            let hierarchy = 0;
            let at = self.groups.group_of(*member, hierarchy);
            at.is_some_and(|at| self.groups.is_below(at, group))
        };
        let members: Vec<Proc> = self.procs.all().filter(below).collect();
        for member in members {
            // It may have ended with another one.
            let _ = self.kill(proc, member, crate::sim::procs::Signal::Kill);
        }
        Ok(())
    }

    pub(super) fn cgroup_mkdir(
        &mut self,
        proc: Proc,
        hierarchy: usize,
        inner: &str,
    ) -> Result<(), Errno> {
        let (group, name) = match self.cgroup_at(proc, hierarchy, inner)? {
            At::Nothing(group, name) => (group, name.to_owned()),
            _ => return Err(Errno::Eexist),
        };
        let (groups, mut machine) = self.machine();
        groups.make(&mut machine, group, &name).map(drop)
    }

    pub(super) fn cgroup_rmdir(
        &mut self,
        proc: Proc,
        hierarchy: usize,
        inner: &str,
    ) -> Result<(), Errno> {
        let group = match self.cgroup_at(proc, hierarchy, inner)? {
            At::Group(group) => group,
            At::File(..) => return Err(Errno::Enotdir),
            At::Nothing(..) => return Err(Errno::Enoent),
        };
        let (groups, mut machine) = self.machine();
        groups.remove(&mut machine, group)
    }
}
