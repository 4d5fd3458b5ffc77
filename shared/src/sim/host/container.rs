//! Containers and shells: what a spec becomes in the model, step by step, in the launcher's order.

use super::birth::{IDS, enter, witness};
use super::groups::{self, Place};
use super::machine::{Live, at, call, killed, within};
use super::root::{enter_root, go_to, has_view, init_of, modelled};
use super::steps::{Steps, took_usec};
use super::{Host, Not, Outcome};
use crate::birth::Attempt;
use crate::cgroup::Knob;
use crate::id::{ContainerId, MachineId};
use crate::limits::{CONTAINERS_PER_MACHINE, EXECS_PER_CONTAINER, SHELLS_PER_MACHINE};
use crate::message::{Container, ContainerState, Happening, Made, Profile, StepName};
use crate::namespace::{Namespace, NamespaceSet};
use crate::script::{born_deeds, nsenter_line};
use crate::sim::errno::Errno;
use crate::sim::kernel::Kernel;
use crate::sim::procs::{IdRange, Proc, Signal};
use crate::sim::shell::io::Io;
use crate::sim::shell::program;
use crate::sim::shell::tty::Tty;
use crate::spec::{ContainerSpec, Rootfs};
use crate::truth::ProcView;

/// The longest word of a command line that a feed keeps.
const WORD_CHARS: usize = 200;

/// What a birth has made so far, to be undone when it fails.
#[derive(Default)]
struct Begun {
    group: Option<Place>,
    first: Option<Proc>,
    root_at: Option<String>,
    steps: Steps,
}

impl Host {
    pub(super) fn start_container(
        &mut self,
        machine: Option<MachineId>,
        spec: &ContainerSpec,
    ) -> Outcome {
        modelled(spec)?;
        if let Some(id) = machine {
            return self.start_in(id, spec);
        }
        let id = self.start_machine(Profile::Lab)?;
        let started = self.start_in(id, spec);
        if started.is_err() {
            // What this command made goes with it.
            self.end_machine(id)?;
        }
        started
    }

    fn start_in(&mut self, id: MachineId, spec: &ContainerSpec) -> Outcome {
        let is_shell = spec.rootfs == Rootfs::Machine;
        let it = self.found(id)?;
        let alike = it.live.iter().filter(|live| live.is_shell == is_shell).count();
        within(if is_shell { SHELLS_PER_MACHINE } else { CONTAINERS_PER_MACHINE }, alike)?;
        let init = it.init;
        let it = self.found_mut(id)?;
        let name = if is_shell {
            it.names.1 += 1;
            format!("s{}", it.names.1)
        } else {
            it.names.0 += 1;
            format!("c{}", it.names.0)
        };
        let tty = spec.tty.then(Tty::default);
        let mut begun = Begun::default();
        let born = match is_shell {
            true => self.shell_born(init, spec, tty.as_ref(), &mut begun),
            false => self.container_born(id, &name, spec, tty.as_ref(), &mut begun),
        };
        let first = match born {
            Ok(first) => first,
            Err(not) => {
                self.undo(init, &begun);
                self.birth_failed(id, name, spec, begun.steps, &not);
                return Err(not);
            }
        };
        let steps = begun.steps.finish();
        let (container, terminal) = (self.ids.container(), self.ids.terminal());
        let terminal = tty.map(|tty| self.open_line(terminal, tty));
        let newborn = self.world.look(|kernel| witness(kernel, first));
        let record = Container {
            id: container,
            name: name.clone(),
            spec: spec.clone(),
            state: ContainerState::Running { pid: newborn.pids.first().copied().unwrap_or(0) },
            terminal,
            proc_depth: if spec.namespaces.has(Namespace::Pid) && spec.remount_proc {
                2
            } else {
                1
            },
            born_msec: self.unix_msec(),
            steps: steps.clone(),
            newborn,
        };
        let root_at = begun.root_at;
        let live = Live {
            id: container,
            name: name.clone(),
            first,
            is_shell,
            terminal,
            root_at,
            execs: Vec::new(),
        };
        let it = self.found_mut(id)?;
        it.record.containers.push(record);
        it.live.push(live);
        let init_pid = it.record.init_pid;
        let took_usec = took_usec(&steps);
        self.happened(id, Happening::ContainerBorn { name, took_usec });
        self.tell_machine(id);
        let deeds = born_deeds(&steps, spec, init_pid);
        Ok((deeds, Some(Made::Container { machine: id, container, terminal })))
    }

    fn undo(&mut self, machine_init: Proc, begun: &Begun) {
        self.world.act(|kernel| {
            let init = kernel.init();
            if let Some(first) = begun.first {
                // It has not begun with anything.
                let _ = kernel.kill(init, first, Signal::Kill);
            }
            if let Some(root) = &begun.root_at {
                // As far as it was mounted.
                let _ = kernel.umount(machine_init, &format!("{root}/proc"));
                let _ = kernel.umount(machine_init, root);
            }
            begun.group.iter().for_each(|group| groups::remove_all(kernel, group));
        });
    }

    fn birth_failed(
        &mut self,
        id: MachineId,
        name: String,
        spec: &ContainerSpec,
        mut steps: Steps,
        not: &Not,
    ) {
        let Not::Failed { step, what, errno } = not else { return };
        steps.done(*step, what.clone());
        let mut spec = spec.clone();
        for word in &mut spec.argv {
            *word = word.chars().take(WORD_CHARS).collect();
        }
        let attempt = Attempt { name, spec, steps: steps.finish(), errno: (*errno).to_owned() };
        self.happened(id, Happening::BirthFailed(Box::new(attempt)));
        self.tell_machine(id);
    }

    /// A shell in the machine itself, beside its PID 1.
    fn shell_born(
        &mut self,
        init: Proc,
        spec: &ContainerSpec,
        tty: Option<&Tty>,
        begun: &mut Begun,
    ) -> Result<Proc, Not> {
        let forked = self.world.act(|kernel| kernel.fork_beside(init, NamespaceSet::NONE));
        let first = at(StepName::Clone, "clone3", forked)?;
        begun.first = Some(first);
        let flags: Vec<&str> = Namespace::ALL.into_iter().map(Namespace::flag_name).collect();
        begun.steps.done(StepName::Setns, format!("setns(pidfd, {})", flags.join("|")));
        begun.steps.done(StepName::Clone, "clone3({flags=CLONE_PIDFD|CLONE_PARENT})");
        if tty.is_some() {
            begun.steps.done(StepName::Pty, "open(/dev/pts/ptmx)");
        }
        self.execve(first, &spec.argv, tty, &mut begun.steps)?;
        Ok(first)
    }

    fn container_born(
        &mut self,
        id: MachineId,
        name: &str,
        spec: &ContainerSpec,
        tty: Option<&Tty>,
        begun: &mut Begun,
    ) -> Result<Proc, Not> {
        let root = self.place(id, crate::cgroup::GroupId::Root)?;
        let init = self.found(id)?.init;
        let made = self.world.act(|kernel| groups::make(kernel, &root, name));
        let group = at(StepName::Cgroup, "mkdir", made)?;
        begun.group = Some(group.clone());
        let mut calls = vec![format!("mkdir(…/{})", group.path)];
        for knob in spec.limits.knobs() {
            calls.extend(self.limit(&group, &knob)?);
        }
        begun.steps.done(StepName::Cgroup, calls.join("; "));
        let first = self.clone3(init, spec, begun)?;
        let steps = &mut begun.steps;
        self.world.act(|kernel| enter(kernel, first, Some(&group)))?;
        let own = NamespaceSet::NONE.with(Namespace::Cgroup, true);
        let mut entered = String::from("write(tasks, \"0\")");
        if spec.namespaces.has(Namespace::Cgroup) {
            let done = self.world.act(|kernel| kernel.unshare(first, own));
            at(StepName::EnterCgroup, "unshare(CLONE_NEWCGROUP)", done)?;
            entered += "; unshare(CLONE_NEWCGROUP)";
        }
        steps.done(StepName::EnterCgroup, entered);
        if let Some(hostname) = &spec.hostname {
            let done = self.world.act(|kernel| kernel.set_hostname(first, hostname));
            at(StepName::Hostname, "sethostname", done)?;
            steps.done(StepName::Hostname, format!("sethostname(\"{hostname}\")"));
        }
        let root_at =
            self.world.act(|kernel| enter_root(kernel, init, first, name, spec, steps))?;
        begun.root_at = root_at;
        if tty.is_some() {
            begun.steps.done(StepName::Pty, "open(/dev/pts/ptmx); ioctl(TIOCGPTPEER)");
        }
        begun.steps.done(StepName::EnterUser, "setns(user); setresuid(0, 0, 0)");
        if let Some(path) = &spec.workdir {
            let done = self.world.act(|kernel| go_to(kernel, first, path));
            at(StepName::RunAs, &format!("chdir({path:?})"), done)?;
            begun.steps.done(StepName::RunAs, format!("chdir({path:?})"));
        }
        match spec.init {
            false => self.execve(first, &spec.argv, tty, &mut begun.steps)?,
            true => self.execve_below_init(first, &spec.argv, tty, &mut begun.steps)?,
        }
        Ok(first)
    }

    /// Turns a knob of a new group; the calls that it took.
    fn limit(&mut self, group: &Place, knob: &Knob) -> Result<Vec<String>, Not> {
        let dialect = self.settings.dialect;
        let mut calls = Vec::new();
        for write in knob.writes(dialect) {
            let key = self.world.look(|kernel| group.of(kernel, write.controller));
            let key = key.ok_or_else(|| super::knobs::no_controller(write.controller))?;
            let done = self.world.act(|kernel| kernel.write_group(key, write.file, &write.text));
            let call = format!("write({}, \"{}\")", write.file, write.text);
            at(StepName::Cgroup, &call, done)?;
            calls.push(call);
        }
        Ok(calls)
    }

    /// The new process, with its namespaces but for the cgroup one, and its ids.
    fn clone3(&mut self, init: Proc, spec: &ContainerSpec, begun: &mut Begun) -> Result<Proc, Not> {
        let late = spec.namespaces.with(Namespace::Cgroup, false);
        let forked = self.world.act(|kernel| kernel.fork_beside(init, late));
        let first = at(StepName::Clone, "clone3", forked)?;
        begun.first = Some(first);
        if spec.namespaces.has(Namespace::User) {
            let map = [IdRange { inside: 0, outside: 0, count: IDS }];
            let done = self.world.act(|kernel| {
                kernel.map_ids(init, first, &map)?;
                kernel.set_uid(first, 0)
            });
            at(StepName::IdMap, "write uid_map", done)?;
            let call = format!("unshare(CLONE_NEWUSER); write(uid_map, \"0 0 {IDS}\")");
            begun.steps.done(StepName::IdMap, call);
        }
        let shared = Namespace::ALL.into_iter().filter(|kind| *kind != Namespace::User);
        let shared: Vec<&str> = shared.map(Namespace::flag_name).collect();
        begun.steps.done(StepName::Setns, format!("setns(pidfd, {})", shared.join("|")));
        let apart = [Namespace::User, Namespace::Cgroup, Namespace::Time];
        let direct = spec.namespaces.iter().filter(|kind| !apart.contains(kind));
        let mut flags: Vec<&str> = direct.map(Namespace::flag_name).collect();
        flags.extend(["CLONE_PIDFD", "CLONE_PARENT"]);
        let time =
            if spec.namespaces.has(Namespace::Time) { "unshare(CLONE_NEWTIME); " } else { "" };
        begun.steps.done(StepName::Clone, format!("{time}clone3({{flags={}}})", flags.join("|")));
        Ok(first)
    }

    /// The process becomes the program.
    fn execve(
        &mut self,
        proc: Proc,
        argv: &[String],
        tty: Option<&Tty>,
        steps: &mut Steps,
    ) -> Result<(), Not> {
        let io = tty.map_or_else(Io::null, Io::terminal);
        let name = argv.first().map_or("", String::as_str);
        let run = program(&self.world, proc, io, argv).ok_or(Errno::Enoent);
        let run = at(StepName::Execve, &format!("execve({name:?})"), run)?;
        self.world.act(|kernel| kernel.exec(proc, argv));
        self.world.run(proc, run);
        steps.done(StepName::Execve, format!("close_range(…); execve({name:?})"));
        Ok(())
    }

    /// PID 1 is an init, and the program its child.
    fn execve_below_init(
        &mut self,
        proc: Proc,
        argv: &[String],
        tty: Option<&Tty>,
        steps: &mut Steps,
    ) -> Result<(), Not> {
        let forked = self.world.act(|kernel| kernel.fork(proc, NamespaceSet::NONE));
        let child = at(StepName::Execve, "fork", forked)?;
        self.execve(child, argv, tty, steps)?;
        self.world.act(|kernel| kernel.exec(proc, &["init".into()]));
        let world = self.world.clone();
        self.world.run(proc, init_of(world, proc, child));
        Ok(())
    }

    /// One more command in a container, without a terminal.
    pub(super) fn exec(
        &mut self,
        id: MachineId,
        container: ContainerId,
        argv: &[String],
    ) -> Outcome {
        let live = self.live(id, container)?;
        within(EXECS_PER_CONTAINER, live.execs.len())?;
        let (first, name) = (live.first, live.name.clone());
        let proc = self.start_beside(first, argv, Io::null())?;
        if let Some(live) = self.live_mut(id, container) {
            live.execs.push(proc);
        }
        let (pid, target) = self.world.look(|kernel| {
            let pid = |proc| kernel.procs().pids(proc)[0];
            (pid(proc), pid(first))
        });
        self.happened(id, Happening::ExecStarted { name, command: argv.join(" "), pid });
        let deeds = vec![
            call("setns(pidfd, CLONE_NEW…)", ""),
            call(format!("clone3(…) = {pid}; execve({:?})", argv[0]), nsenter_line(target, argv)),
        ];
        Ok((deeds, Some(Made::Process { pid })))
    }

    /// A program in the namespaces and groups of another process, in a session of its own.
    pub(super) fn start_beside(
        &mut self,
        other: Proc,
        argv: &[String],
        io: Io,
    ) -> Result<Proc, Not> {
        let forked = self.world.act(|kernel| kernel.fork_beside(other, NamespaceSet::NONE));
        let proc = at(StepName::Clone, "clone3", forked)?;
        let name = argv.first().map_or("", String::as_str);
        match program(&self.world, proc, io, argv) {
            Some(run) => {
                self.world.act(|kernel| {
                    kernel.begin_session(proc);
                    kernel.exec(proc, argv);
                });
                self.world.run(proc, run);
                Ok(proc)
            }
            None => {
                self.world.act(|kernel| kernel.exit(proc, 127));
                at(StepName::Execve, &format!("execve({name:?})"), Err(Errno::Enoent))
            }
        }
    }

    pub(super) fn stop_execs(&mut self, id: MachineId, container: ContainerId) -> Outcome {
        let execs = self.live(id, container)?.execs.clone();
        let first = self.world.look(Kernel::init);
        let mut deeds = Vec::new();
        for exec in execs.into_iter().filter(|exec| self.world.is_alive(*exec)) {
            deeds.push(killed(self.world.look(|kernel| kernel.procs().pids(exec)[0])));
            // Nothing is refused to the host's root.
            let _ = self.world.kill(first, exec, Signal::Kill);
        }
        self.follow_ends();
        self.tell_machine(id);
        Ok((deeds, None))
    }

    pub(super) fn set_proc_view(
        &mut self,
        id: MachineId,
        container: ContainerId,
        view: ProcView,
    ) -> Outcome {
        self.live(id, container)?;
        has_view(view)?;
        Ok((Vec::new(), None))
    }
}
