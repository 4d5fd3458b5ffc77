//! A container in its machine: how it starts, takes one more command, and ends.

mod end;
mod exec;

use std::os::fd::{AsFd, OwnedFd};
use std::time::Instant;

use nix::errno::Errno;
use vitrine_shared::birth::Attempt;
use vitrine_shared::id::{ContainerId, TerminalId};
use vitrine_shared::message::{Container, ContainerState, Happening, StepName};
use vitrine_shared::namespace::{Namespace, NamespaceSet};
use vitrine_shared::spec::{ContainerSpec, Rootfs};

pub(super) use end::{kill_member, reap};

use super::super::birth::{
    self, Born, Destination, Plan, Program, Rights, Root, RunAs, Stage, Stdio,
};
use super::super::cgroup::{Cgroup, Wrote};
use super::super::images::Image;
use super::super::kill::RootId;
use super::super::mounts::{self, ProcView};
use super::super::step::{At as _, StepError, Steps, errno_name};
use super::super::truth::Own;
use super::super::{memfd, userns};
use super::{DEATH, Host, Machine, cannot, rights_of, root_of, total, unix_msec};
use super::{view, witness};
use crate::ipc::RING_FILE_BYTES;

/// A container that lives, or a shell in the machine itself.
#[derive(Debug)]
pub(crate) struct Live {
    /// Its id.
    pub(crate) id: ContainerId,
    /// Its first process.
    pub(crate) pidfd: OwnedFd,
    /// Its terminal.
    pub(crate) terminal: Option<Terminal>,
    /// Commands started in it besides.
    pub(crate) execs: Vec<OwnedFd>,
    /// A shell in the machine itself: its group is the machine's `shell`, and not its own.
    pub(crate) is_shell: bool,
    pub(super) pid: i32,
    pub(super) group: Cgroup,
    userns: Option<OwnedFd>,
    pub(super) root: RootId,
    /// Where its root is mounted in the machine, when that has to be unmounted by hand.
    stage: Option<String>,
    /// Its files stay while it lives.
    image: Option<Image>,
    /// When it was born, as its uptime counts.
    pub(super) born: Instant,
    /// The files that we write for its `/proc`.
    pub(super) own: Option<Own>,
}

/// What starting has made, until it is held by a [`Live`].
struct Started {
    born: Born,
    userns: Option<OwnedFd>,
    stage: Option<String>,
    image: Option<Image>,
    own: Option<Own>,
}

/// A terminal: both stay open while web comes and goes.
#[derive(Debug)]
pub(crate) struct Terminal {
    /// Its id.
    pub(crate) id: TerminalId,
    /// The PTY's master.
    pub(crate) master: OwnedFd,
    /// What web keeps of it.
    pub(crate) ring: OwnedFd,
}

impl Machine {
    /// Starts a container. On failure nothing of it is left.
    pub(crate) fn start_container(
        &mut self,
        host: &Host,
        id: ContainerId,
        terminal: TerminalId,
        spec: ContainerSpec,
    ) -> Result<(), StepError> {
        let (mut steps, began) = (Steps::begin(), Instant::now());
        let is_shell = spec.rootfs == Rootfs::Machine;
        let (name, group) =
            if is_shell { (self.next_shell(), self.shell.clone()) } else { self.next_group()? };
        let ring = spec.tty.then(|| memfd::sized(c"vitrine-terminal", RING_FILE_BYTES));
        let ring = ring.transpose().at(StepName::Pty, "memfd");
        let started = ring.and_then(|ring| {
            let started = if is_shell {
                self.start_shell_in(&spec, &mut steps)?
            } else {
                self.start_container_in(host, &name, &group, &spec, &mut steps)?
            };
            Ok((started, ring))
        });
        match started {
            Ok((Started { born, userns, stage, image, own }, ring)) => {
                let tty = born.pty.zip(ring);
                let tty = tty.map(|(master, ring)| Terminal { id: terminal, master, ring });
                let took_usec = total(&born.steps);
                let live = Live {
                    id,
                    pidfd: born.pidfd,
                    terminal: tty,
                    execs: Vec::new(),
                    is_shell,
                    pid: born.pid,
                    group,
                    userns,
                    root: born.root,
                    stage,
                    image,
                    born: began,
                    own,
                };
                self.record.containers.push(Container {
                    id,
                    name: name.clone(),
                    state: ContainerState::Running { pid: born.pid.unsigned_abs() },
                    terminal: live.terminal.as_ref().map(|t| t.id),
                    proc_depth: proc_depth(&spec),
                    spec,
                    born_msec: unix_msec(),
                    newborn: witness::look(born.pid, self.privilege),
                    steps: born.steps,
                });
                self.containers.push(live);
                self.happened(Happening::ContainerBorn { name, took_usec });
                Ok(())
            }
            Err(err) => {
                // A birth that fails takes its process with it; a shell's group is the machine's own.
                if !is_shell {
                    // The first error is the one to tell.
                    let _ = group.kill_all(DEATH);
                    let _ = self.unstage(&name);
                    let _ = group.remove();
                }
                let err = steps.failed(err);
                self.birth_failed(name, spec, &err);
                Err(err)
            }
        }
    }

    fn birth_failed(&mut self, name: String, spec: ContainerSpec, err: &StepError) {
        let (steps, errno) = (err.steps.clone(), errno_name(err.errno()));
        let attempt = Attempt { name, spec, steps, errno };
        self.happened(Happening::BirthFailed(Box::new(attempt)));
    }

    /// A name that no living shell of the machine has: `shell`, `shell2` …
    fn next_shell(&self) -> String {
        let lives = |name: &String| {
            self.containers.iter().any(|live| live.is_shell && self.name_of(live.id) == *name)
        };
        let names = (2..).map(|n| format!("shell{n}"));
        let mut names = std::iter::once("shell".to_string()).chain(names);
        names.find(|name| !lives(name)).unwrap_or_default()
    }

    /// A new group for a container. The machine's owner may have made groups by such names.
    fn next_group(&mut self) -> Result<(String, Cgroup), StepError> {
        let mut tries = 100;
        loop {
            self.named += 1;
            tries -= 1;
            let name = format!("c{}", self.named);
            match self.root.new_child(&name) {
                Err(err) if err.errno() == Errno::EEXIST && tries > 0 => {}
                other => return Ok((name, other?)),
            }
        }
    }

    /// A shell in the machine itself: its root, all of its namespaces, beside its PID 1.
    fn start_shell_in(
        &self,
        spec: &ContainerSpec,
        steps: &mut Steps,
    ) -> Result<Started, StepError> {
        awake(&[&self.root, &self.shell])?;
        let _lifted = [self.root.lift_quota(), self.shell.lift_quota()];
        let root = root_of(self.record.init_pid.cast_signed())?;
        let argv = argv_there(&root, &spec.argv);
        let stdio = if spec.tty { Stdio::Terminal } else { Stdio::Null };
        let plan = self.shell_plan(&root, &argv, stdio)?;
        let born = birth::start(&plan, std::mem::replace(steps, Steps::begin()))?;
        Ok(Started { born, userns: None, stage: None, image: None, own: None })
    }

    /// How a command comes into the machine itself, beside its PID 1.
    pub(super) fn shell_plan<'a>(
        &'a self,
        root: &'a OwnedFd,
        argv: &'a [String],
        stdio: Stdio,
    ) -> Result<Plan<'a>, StepError> {
        Ok(Plan {
            into: Some(Destination { init: self.pidfd.as_fd() }),
            namespaces: NamespaceSet::NONE,
            join_all: true,
            net_apart: false,
            time_offset_secs: 0,
            procs: self.procs_of(&self.shell)?,
            output: None,
            cover: None,
            then_procs: Vec::new(),
            hostname: None,
            root: Root::Of(root.as_fd()),
            userns: Some(self.userns.as_fd()),
            uid_base: self.uids.base(),
            privilege: self.privilege,
            stdio,
            program: Program::Argv(argv),
            run_as: RunAs::default(),
            env: Vec::new(),
            rights: rights_of(self.record.profile),
        })
    }

    fn start_container_in(
        &self,
        host: &Host,
        name: &str,
        group: &Cgroup,
        spec: &ContainerSpec,
        steps: &mut Steps,
    ) -> Result<Started, StepError> {
        let mut calls = vec![format!("mkdir(…/{})", group.path())];
        for knob in spec.limits.knobs() {
            let wrote = group.set(&knob)?.ok_or_else(|| cannot(group, &knob))?;
            calls.extend(wrote.iter().map(write_call));
        }
        steps.done(StepName::Cgroup, calls.join("; "));
        awake(&[&self.root])?;
        // Before the quota is lifted: it is told in there.
        let (files, cover) = view::make(spec.proc_view, group, Instant::now())?;
        steps.skip();
        let _lifted = [self.root.lift_quota(), group.lift_quota()];
        let own = spec.namespaces.has(Namespace::User);
        let own =
            own.then(|| userns::for_container(self.userns.as_fd(), &self.uids, self.privilege));
        let own = own.transpose()?;
        if own.is_some() {
            let ids = self.uids.count();
            let call = format!("unshare(CLONE_NEWUSER); write(uid_map, \"0 0 {ids}\")");
            steps.done(StepName::IdMap, call);
        }
        if matches!(spec.rootfs, Rootfs::Directory(_)) {
            let what = "a directory of the host is for the command line only";
            return Err(StepError::new(StepName::Rootfs, what, Errno::EPERM));
        }
        let image = host
            .images
            .find(&spec.rootfs)
            .map_err(|err| StepError::new(StepName::Rootfs, err.to_string(), Errno::ENOENT))?;
        let lower = mounts::lower_layer(&image.root, Some(self.userns.as_fd()), self.privilege)?;
        steps.skip();
        let own_mounts = spec.namespaces.has(Namespace::Mount);
        // In a mount namespace of its own the tmpfs goes on top of everything, by no path that
        // somebody in the machine could have changed.
        let stage = if own_mounts { Stage::Top } else { Stage::New(self.stages.as_fd(), name) };
        let plan = Plan {
            into: Some(Destination { init: self.pidfd.as_fd() }),
            namespaces: spec.namespaces,
            join_all: false,
            net_apart: false,
            time_offset_secs: spec.time_offset_secs,
            procs: self.procs_of(group)?,
            output: None,
            cover: cover.as_ref(),
            then_procs: Vec::new(),
            hostname: spec.hostname.as_deref(),
            root: Root::New {
                stage,
                lower: &lower,
                proc: if spec.remount_proc { ProcView::Remounted } else { ProcView::Inherited },
                stages: None,
            },
            userns: Some(own.as_ref().unwrap_or(&self.userns).as_fd()),
            uid_base: self.uids.base(),
            privilege: self.privilege,
            stdio: if spec.tty { Stdio::Terminal } else { Stdio::Null },
            program: if spec.init {
                Program::Init(&host.init, &spec.argv)
            } else {
                Program::Argv(&spec.argv)
            },
            run_as: RunAs::of(spec, Some(&image.config)),
            env: image.config.variables(),
            // Containers of the page's are strict, wherever they are.
            rights: Rights::Strict,
        };
        let born = birth::start(&plan, std::mem::replace(steps, Steps::begin()))?;
        Ok(Started {
            born,
            userns: own,
            stage: (!own_mounts).then(|| name.into()),
            image: Some(image),
            own: files,
        })
    }

    /// The host PID of a container's first process; 0 when it has ended.
    pub(crate) fn pid_of(&self, id: ContainerId) -> i32 {
        self.containers.iter().find(|live| live.id == id).map_or(0, |live| live.pid)
    }

    /// A container's short name.
    pub(crate) fn name_of(&self, id: ContainerId) -> String {
        let record = self.record.containers.iter().find(|record| record.id == id);
        record.map_or_else(String::new, |record| record.name.clone())
    }
}

/// The command line; `/bin/sh` in the place of a shell that the machine does not have.
fn argv_there(root: &OwnedFd, argv: &[String]) -> Vec<String> {
    let mut argv = argv.to_vec();
    if argv[0] == "/bin/bash" && !mounts::is_there(root.as_fd(), &argv[0]) {
        argv[0] = "/bin/sh".into();
    }
    argv
}

/// Nobody is born into a frozen group: everybody would wait for it.
pub(super) fn awake(groups: &[&Cgroup]) -> Result<(), StepError> {
    match groups.iter().find(|group| group.is_frozen()) {
        None => Ok(()),
        Some(group) => {
            let what = format!("{} is frozen; thaw it first", group.path());
            Err(StepError::new(StepName::EnterCgroup, what, Errno::EBUSY))
        }
    }
}

/// A write to a file of a group, as `strace` would write it.
fn write_call(wrote: &Wrote) -> String {
    let file = wrote.path.file_name().unwrap_or_default().to_string_lossy();
    format!("write({file}, {:?})", wrote.text)
}

/// Which level of PIDs the container's `/proc` shows.
fn proc_depth(spec: &ContainerSpec) -> u8 {
    if spec.remount_proc && spec.namespaces.has(Namespace::Pid) { 2 } else { 1 }
}
