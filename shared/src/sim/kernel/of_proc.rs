//! `/proc`, as `proc(5)` describes it: of one PID namespace, with whatever is the whole machine's left
//! as it is. That is the lesson: `meminfo`, `stat` and `loadavg` know of no group.

use super::files::{Entry, Kind};
use super::{Errno, Kernel, Namespace, Proc, SpaceKey};
use crate::sim::memory::PAGE;
use crate::sim::procs::{IdRange, Life};

/// The files of every process.
const OF_A_PROCESS: [&str; 10] = [
    "cgroup",
    "cmdline",
    "comm",
    "gid_map",
    "mountinfo",
    "mounts",
    "stat",
    "statm",
    "status",
    "uid_map",
];
/// The files of the machine.
const OF_THE_MACHINE: [&str; 8] =
    ["cgroups", "cpuinfo", "filesystems", "loadavg", "meminfo", "stat", "uptime", "version"];
/// The namespaces of children that are not born yet.
const FOR_CHILDREN: [(&str, Namespace); 2] =
    [("pid_for_children", Namespace::Pid), ("time_for_children", Namespace::Time)];
/// System V IPC: nothing in the model makes any, so each table is a heading.
const SYSVIPC: [(&str, &str); 3] = [
    (
        "msg",
        "       key      msqid perms      cbytes       qnum lspid lrpid   uid   gid  cuid  cgid      stime      rtime      ctime\n",
    ),
    (
        "sem",
        "       key      semid perms      nsems   uid   gid  cuid  cgid      otime      ctime\n",
    ),
    (
        "shm",
        "       key      shmid perms                  size  cpid  lpid nattch   uid   gid  cuid  cgid      atime      dtime      ctime                   rss                  swap\n",
    ),
];
/// Clock ticks of a second.
const HZ: u64 = 100;

/// Files of a process, and of the machine, that take what is written.
pub(super) fn is_written(inner: &str) -> bool {
    let name = inner.rsplit('/').next().unwrap_or(inner);
    matches!(name, "comm" | "uid_map" | "gid_map" | "hostname")
}

enum At<'a> {
    Root,
    Machine(&'a str),
    Hostname,
    Sys(&'a str),
    Ipc,
    IpcTable(&'static str),
    Process,
    File(Proc, &'a str),
    Namespaces,
    Namespace(Proc, Namespace),
    ForChildren(Proc, Namespace),
}

impl Kernel {
    fn proc_at<'a>(&self, proc: Proc, space: SpaceKey, inner: &'a str) -> Result<At<'a>, Errno> {
        let names: Vec<&str> = inner.split('/').filter(|name| !name.is_empty()).collect();
        match names[..] {
            [] => return Ok(At::Root),
            ["sys"] | ["sys", "kernel"] => return Ok(At::Sys(inner)),
            ["sys", "kernel", "hostname"] => return Ok(At::Hostname),
            ["sysvipc"] => return Ok(At::Ipc),
            ["sysvipc", name] => {
                let table = SYSVIPC.iter().find(|(known, _)| *known == name);
                return table.map(|(_, text)| At::IpcTable(text)).ok_or(Errno::Enoent);
            }
            ["mounts"] => return Ok(At::File(proc, "mounts")),
            [name] if OF_THE_MACHINE.contains(&name) => return Ok(At::Machine(name)),
            _ => {}
        }
        let pid: u32 = names[0].parse().map_err(|_| Errno::Enoent)?;
        let of = self.procs.find(space, pid).ok_or(Errno::Enoent)?;
        match names[1..] {
            [] => Ok(At::Process),
            ["ns"] => Ok(At::Namespaces),
            ["ns", name] if FOR_CHILDREN.iter().any(|(known, _)| *known == name) => {
                let kind = if name.starts_with("pid") { Namespace::Pid } else { Namespace::Time };
                Ok(At::ForChildren(of, kind))
            }
            ["ns", name] => {
                let kind = Namespace::ALL.into_iter().find(|kind| kind.proc_name() == name);
                kind.map(|kind| At::Namespace(of, kind)).ok_or(Errno::Enoent)
            }
            [name] if OF_A_PROCESS.contains(&name) => Ok(At::File(of, name)),
            _ => Err(Errno::Enoent),
        }
    }

    pub(super) fn proc_kind(
        &self,
        proc: Proc,
        space: SpaceKey,
        inner: &str,
    ) -> Result<Kind, Errno> {
        Ok(match self.proc_at(proc, space, inner)? {
            At::Root | At::Sys(_) | At::Ipc | At::Process | At::Namespaces => Kind::Directory,
            At::Namespace(..) | At::ForChildren(..) => Kind::Link,
            _ => Kind::File,
        })
    }

    pub(super) fn proc_list(&self, space: SpaceKey, inner: &str) -> Vec<Entry> {
        let file = |name: &str| Entry::new(name, Kind::File);
        match self.proc_at(self.init(), space, inner) {
            Ok(At::Root) => {
                let pids = self.procs.all().filter_map(|proc| self.procs.pid_in(proc, space));
                let pids = pids.map(|pid| Entry::new(pid.to_string(), Kind::Directory));
                let machine = OF_THE_MACHINE.into_iter().map(file);
                let others = [
                    Entry::new("self", Kind::Link),
                    Entry::new("sys", Kind::Directory),
                    Entry::new("sysvipc", Kind::Directory),
                    file("mounts"),
                ];
                pids.chain(machine).chain(others).collect()
            }
            Ok(At::Sys("/sys")) => vec![Entry::new("kernel", Kind::Directory)],
            Ok(At::Sys(_)) => vec![file("hostname")],
            Ok(At::Ipc) => SYSVIPC.iter().map(|(name, _)| file(name)).collect(),
            Ok(At::Process) => {
                let files = OF_A_PROCESS.into_iter().map(file);
                files.chain([Entry::new("ns", Kind::Directory)]).collect()
            }
            Ok(At::Namespaces) => {
                let links = Namespace::ALL.into_iter().map(Namespace::proc_name);
                let links = links.chain(FOR_CHILDREN.map(|(name, _)| name));
                links.map(|name| Entry::new(name, Kind::Link)).collect()
            }
            _ => Vec::new(),
        }
    }

    pub(super) fn proc_readlink(
        &self,
        proc: Proc,
        space: SpaceKey,
        inner: &str,
    ) -> Result<String, Errno> {
        if inner == "/self" {
            let pid = self.procs.pid_in(proc, space).ok_or(Errno::Enoent)?;
            return Ok(pid.to_string());
        }
        match self.proc_at(proc, space, inner)? {
            At::Namespace(of, kind) => {
                let key = self.space(of, kind)?;
                Ok(format!("{}:[{}]", kind.proc_name(), self.procs.inode(key)))
            }
            At::ForChildren(of, kind) => {
                let key = self.procs.space_for_children(of, kind).ok_or(Errno::Esrch)?;
                Ok(format!("{}:[{}]", kind.proc_name(), self.procs.inode(key)))
            }
            _ => Err(Errno::Einval),
        }
    }

    pub(super) fn proc_write(
        &mut self,
        proc: Proc,
        space: SpaceKey,
        inner: &str,
        text: &str,
    ) -> Result<(), Errno> {
        match self.proc_at(proc, space, inner)? {
            At::Hostname => self.procs.set_hostname(proc, text.trim_end_matches('\n')),
            At::File(of, "uid_map") => {
                let user = self.space(of, Namespace::User)?;
                // What is no map is refused like an empty one: after it was asked who writes.
                self.procs.write_id_map(proc, user, &parse_map(text).unwrap_or_default())
            }
            // Groups are mapped like users here: one map is kept for both.
            At::File(_, "gid_map") => parse_map(text).map(drop),
            At::File(of, "comm") if of == proc => {
                if let Some(about) = self.about.get_mut(&of) {
                    about.name = text.chars().take(15).collect();
                }
                Ok(())
            }
            _ => Err(Errno::Eacces),
        }
    }

    pub(super) fn proc_read(
        &self,
        proc: Proc,
        space: SpaceKey,
        inner: &str,
    ) -> Result<String, Errno> {
        match self.proc_at(proc, space, inner)? {
            At::Machine(name) => Ok(self.machine_file(name)),
            At::Hostname => Ok(format!("{}\n", self.procs.hostname(proc))),
            At::IpcTable(text) => Ok(text.to_owned()),
            At::File(of, name) => self.process_file(proc, space, of, name),
            At::Namespace(..) | At::ForChildren(..) => Err(Errno::Einval),
            _ => Err(Errno::Eisdir),
        }
    }

    fn process_file(
        &self,
        proc: Proc,
        space: SpaceKey,
        of: Proc,
        name: &str,
    ) -> Result<String, Errno> {
        Ok(match name {
            "comm" => format!("{}\n", self.name(of)),
            "cmdline" if self.procs.life(of) != Life::Alive => String::new(),
            "cmdline" => self.argv(of).iter().map(|word| format!("{word}\0")).collect(),
            "cgroup" => self.cgroup_lines(proc, of),
            "uid_map" | "gid_map" => self.map_lines(of)?,
            "mounts" => self.mount_lines(of)?,
            "mountinfo" => self.mountinfo_lines(of)?,
            "stat" => self.stat_line(proc, space, of),
            "statm" => {
                let pages = self.anon_bytes(of) / PAGE;
                format!("{pages} {pages} 0 0 0 {pages} 0\n")
            }
            _ => self.status_lines(proc, space, of)?,
        })
    }

    /// The letter of `ps`: what runs on a CPU or waits for one, what sleeps, what has ended.
    pub fn state(&self, proc: Proc) -> char {
        let wants = |task| self.cpus.is_runnable(task);
        match self.procs.life(proc) {
            Life::Alive if self.procs.is_stopped(proc) => 'T',
            Life::Alive if self.about.get(&proc).and_then(|it| it.task).is_some_and(wants) => 'R',
            Life::Alive => 'S',
            Life::Zombie(_) => 'Z',
            Life::Gone => 'X',
        }
    }

    /// Who asks, runs.
    fn state_for(&self, asks: Proc, of: Proc) -> char {
        if asks == of { 'R' } else { self.state(of) }
    }

    fn status_lines(&self, proc: Proc, space: SpaceKey, of: Proc) -> Result<String, Errno> {
        let user = self.space(proc, Namespace::User)?;
        let uid = self.procs.uid_in(of, user);
        let state = match self.state_for(proc, of) {
            'R' => "R (running)",
            'Z' => "Z (zombie)",
            'T' => "T (stopped)",
            _ => "S (sleeping)",
        };
        let pid = self.procs.pid_in(of, space).unwrap_or(0);
        let parent = self.procs.parent(of).and_then(|parent| self.procs.pid_in(parent, space));
        let depth = self.procs.pids(self.procs.find(space, 1).unwrap_or(self.init())).len();
        let pids: Vec<String> =
            self.procs.pids(of).iter().skip(depth - 1).map(|pid| format!("\t{pid}")).collect();
        let pids = pids.concat();
        let kib = self.anon_bytes(of) / 1_024;
        let cpus = self.groups.cpu_list_of(of);
        Ok(format!(
            "Name:\t{}\nState:\t{state}\nTgid:\t{pid}\nPid:\t{pid}\nPPid:\t{}\nUid:\t{uid}\t{uid}\t{uid}\t{uid}\nGid:\t{uid}\t{uid}\t{uid}\t{uid}\nNStgid:{pids}\nNSpid:{pids}\nVmRSS:\t{kib:8} kB\nThreads:\t1\nCpus_allowed_list:\t{cpus}\n",
            self.name(of),
            parent.unwrap_or(0),
        ))
    }

    fn stat_line(&self, proc: Proc, space: SpaceKey, of: Proc) -> String {
        let pid = self.procs.pid_in(of, space).unwrap_or(0);
        let parent = self.procs.parent(of).and_then(|parent| self.procs.pid_in(parent, space));
        let ticks = |nsec: u64| nsec / (1_000_000_000 / HZ);
        let (used, started) = (ticks(self.used_nsec(of)), ticks(self.started_nsec(of)));
        let bytes = self.anon_bytes(of);
        format!(
            "{pid} ({}) {} {} {pid} {pid} 0 -1 0 0 0 0 0 {used} 0 0 0 20 0 1 0 {started} {bytes} {}\n",
            self.name(of),
            self.state_for(proc, of),
            parent.unwrap_or(0),
            bytes / PAGE
        )
    }

    /// Paths from the root of the reader's cgroup namespace on.
    fn cgroup_lines(&self, proc: Proc, of: Proc) -> String {
        let hierarchies = self.groups.hierarchies();
        let lines = hierarchies.iter().enumerate().rev().map(|(at, controllers)| {
            let group = self.groups.group_of(of, at);
            let path = group.map(|group| self.path_seen(proc, at, group)).unwrap_or_default();
            match self.groups.dialect() {
                crate::cgroup::Dialect::V2 => format!("0::{path}\n"),
                crate::cgroup::Dialect::V1 => {
                    let names: Vec<&str> = controllers.iter().map(|it| it.name()).collect();
                    format!("{}:{}:{path}\n", at + 1, names.join(","))
                }
            }
        });
        lines.collect()
    }

    /// A group's path from the root of a process's cgroup namespace: `/..` for each step up.
    fn path_seen(
        &self,
        proc: Proc,
        hierarchy: usize,
        group: crate::sim::groups::GroupKey,
    ) -> String {
        let root = self.cgroup_root(proc, hierarchy);
        let path = self.groups.path(group);
        let mut up = String::new();
        let mut above = Some(root);
        while let Some(at) = above {
            if self.groups.is_below(group, at) {
                let prefix = self.groups.path(at);
                let rest = path.strip_prefix(prefix.trim_end_matches('/')).unwrap_or(&path);
                let rest = if rest == "/" && !up.is_empty() { "" } else { rest };
                let all = format!("{up}{rest}");
                return if all.is_empty() { "/".into() } else { all };
            }
            up.push_str("/..");
            above = self.groups.parent(at);
        }
        path
    }

    fn map_lines(&self, of: Proc) -> Result<String, Errno> {
        let user = self.space(of, Namespace::User)?;
        let line = |IdRange { inside, outside, count }: &IdRange| {
            format!("{inside:10} {outside:10} {count:10}\n")
        };
        Ok(match (self.procs.id_map(user), self.procs.above(user)) {
            (Some(map), _) => map.iter().map(line).collect(),
            (None, Some(_)) => String::new(),
            (None, None) => line(&IdRange { inside: 0, outside: 0, count: u32::MAX }),
        })
    }
}

/// Lines of three numbers.
fn parse_map(text: &str) -> Result<Vec<IdRange>, Errno> {
    let number = |word: &str| word.parse::<u32>().map_err(|_| Errno::Einval);
    let line = |line: &str| match line.split_whitespace().collect::<Vec<_>>()[..] {
        [inside, outside, count] => Ok(IdRange {
            inside: number(inside)?,
            outside: number(outside)?,
            count: number(count)?,
        }),
        _ => Err(Errno::Einval),
    };
    text.lines().filter(|line| !line.trim().is_empty()).map(line).collect()
}
