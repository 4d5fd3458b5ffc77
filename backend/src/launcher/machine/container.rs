//! A container in its machine: how it starts, takes one more command, and ends.

use std::os::fd::{AsFd, BorrowedFd, OwnedFd};
use std::time::{Duration, Instant};

use nix::errno::Errno;
use nix::mount::{MntFlags, umount2};
use nix::sched::{CloneFlags, setns};
use nix::unistd::{UnlinkatFlags, fchdir, unlinkat};
use vitrine_shared::id::{ContainerId, TerminalId};
use vitrine_shared::limits;
use vitrine_shared::message::{Container, ContainerState, FeedEntry, Happening, Profile, StepName};
use vitrine_shared::namespace::{Namespace, NamespaceSet};
use vitrine_shared::spec::{ContainerSpec, Rootfs};

use super::super::birth::{self, Born, Destination, Plan, Program, Rights, Root, Stage, Stdio};
use super::super::cgroup::Cgroup;
use super::super::images::Image;
use super::super::kill::{self, RootId};
use super::super::mounts::{self, ProcView};
use super::super::step::{At as _, StepError, Steps};
use super::super::sys::{self, Ended, Side};
use super::super::truth::Own;
use super::super::{memfd, userns};
use super::view;
use super::{DEATH, Host, Machine, cannot, rights_of, root_of, total, unix_msec};
use crate::ipc::RING_FILE_BYTES;

/// How long the processes of a shell may take to die.
const SESSION_DEATH: Duration = Duration::from_secs(1);
/// How long it takes to die for what is neither frozen nor throttled, with a wide margin.
const QUICK_DEATH: Duration = Duration::from_millis(100);
/// Rounds of killing after which what may be frozen is thawed.
const THAW_AFTER: u32 = 50;

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
        let (steps, began) = (Steps::begin(), Instant::now());
        let is_shell = spec.rootfs == Rootfs::Machine;
        let (name, group) =
            if is_shell { (self.next_shell(), self.shell.clone()) } else { self.next_group()? };
        let ring = spec.tty.then(|| memfd::sized(c"vitrine-terminal", RING_FILE_BYTES));
        let ring = ring.transpose().at(StepName::Pty, "memfd");
        let started = ring.and_then(|ring| {
            let started = if is_shell {
                self.start_shell_in(&spec, steps)?
            } else {
                self.start_container_in(host, &name, &group, &spec, steps)?
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
                    steps: born.steps,
                });
                self.containers.push(live);
                self.happened(Happening::ContainerBorn { name, took_usec });
                Ok(())
            }
            // A birth that fails takes its process with it; the group is the machine's own.
            Err(err) if is_shell => Err(err),
            Err(err) => {
                // The first error is the one to tell.
                let _ = group.kill_all(DEATH);
                let _ = self.unstage(&name);
                let _ = group.remove();
                Err(err)
            }
        }
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
    fn start_shell_in(&self, spec: &ContainerSpec, steps: Steps) -> Result<Started, StepError> {
        awake(&[&self.root, &self.shell])?;
        let _lifted = [self.root.lift_quota(), self.shell.lift_quota()];
        let root = root_of(self.record.init_pid.cast_signed())?;
        let argv = argv_there(&root, &spec.argv);
        let stdio = if spec.tty { Stdio::Terminal } else { Stdio::Null };
        let plan = self.shell_plan(&root, &argv, stdio)?;
        let born = birth::start(&plan, steps)?;
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
        mut steps: Steps,
    ) -> Result<Started, StepError> {
        for knob in spec.limits.knobs() {
            group.set(&knob)?.ok_or_else(|| cannot(group, &knob))?;
        }
        steps.done(StepName::Cgroup, format!("mkdir(…/{})", group.path()));
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
            env: image.config.variables(),
            // Containers of the page's are strict, wherever they are.
            rights: Rights::Strict,
        };
        let born = birth::start(&plan, steps)?;
        Ok(Started {
            born,
            userns: own,
            stage: (!own_mounts).then(|| name.into()),
            image: Some(image),
            own: files,
        })
    }

    /// Runs one more command in a container; gives its PID on the host.
    pub(crate) fn exec(&mut self, id: ContainerId, argv: &[String]) -> Result<i32, StepError> {
        let pid = self.start_exec(id, argv, None)?;
        let name = self.name_of(id);
        let command = argv.join(" ");
        self.happened(Happening::ExecStarted { name, command, pid: pid.unsigned_abs() });
        Ok(pid)
    }

    /// The same with a place for its output, and no word of it in the feed.
    pub(super) fn start_exec(
        &mut self,
        id: ContainerId,
        argv: &[String],
        output: Option<BorrowedFd<'_>>,
    ) -> Result<i32, StepError> {
        let Some(index) = self.containers.iter().position(|live| live.id == id) else {
            return Err(StepError::new(StepName::Setns, "the container has ended", Errno::ESRCH));
        };
        let live = &self.containers[index];
        awake(&[&self.root, &live.group])?;
        let _lifted = [self.root.lift_quota(), live.group.lift_quota()];
        let root = root_of(live.pid)?;
        let plan = Plan {
            into: Some(Destination { init: live.pidfd.as_fd() }),
            namespaces: NamespaceSet::NONE,
            join_all: true,
            net_apart: false,
            time_offset_secs: 0,
            procs: self.procs_of(&live.group)?,
            output,
            cover: None,
            then_procs: Vec::new(),
            hostname: None,
            root: Root::Of(root.as_fd()),
            userns: Some(live.userns.as_ref().unwrap_or(&self.userns).as_fd()),
            uid_base: self.uids.base(),
            privilege: self.privilege,
            stdio: Stdio::Null,
            program: Program::Argv(argv),
            env: live.image.as_ref().map(|image| image.config.variables()).unwrap_or_default(),
            rights: if live.is_shell { rights_of(self.record.profile) } else { Rights::Strict },
        };
        let born = birth::start(&plan, Steps::begin())?;
        self.containers[index].execs.push(born.pidfd);
        Ok(born.pid)
    }

    /// Kills the commands that [`Machine::exec`] started in a container; gives their PIDs.
    pub(crate) fn stop_execs(&mut self, id: ContainerId) -> Vec<i32> {
        let Some(at) = self.containers.iter().position(|live| live.id == id) else {
            return Vec::new();
        };
        let _lifted = [self.root.lift_quota(), self.containers[at].group.lift_quota()];
        let execs = std::mem::take(&mut self.containers[at].execs);
        let pids = execs.iter().filter_map(|exec| birth::pid_of(exec.as_fd()).ok()).collect();
        for exec in &execs {
            // It may have ended by itself.
            let _ = sys::pidfd_signal(exec.as_fd(), libc::SIGKILL);
        }
        // What is frozen does not die, and everybody waits for the launcher.
        let mut alive = still_alive(execs, QUICK_DEATH);
        if !alive.is_empty() {
            self.root.thaw(SESSION_DEATH);
            alive = still_alive(alive, SESSION_DEATH);
        }
        // Who is not dead yet stays watched: the loop reaps it.
        self.containers[at].execs = alive;
        pids
    }

    /// The host PID of a container's first process; 0 when it has ended.
    pub(crate) fn pid_of(&self, id: ContainerId) -> i32 {
        self.containers.iter().find(|live| live.id == id).map_or(0, |live| live.pid)
    }

    /// Ends a container, or takes note that it has ended; gives its terminal and exit status.
    pub(crate) fn end_container(&mut self, id: ContainerId) -> Option<(Option<TerminalId>, i32)> {
        let index = self.containers.iter().position(|live| live.id == id)?;
        let live = self.containers.remove(index);
        // Counted before the group goes: the observer looks once a second.
        let oom_kills = if live.is_shell { 0 } else { live.group.oom_kills() };
        let ended = if live.is_shell { self.end_session(&live) } else { self.clear(&live) };
        let name = self.name_of(id);
        let told = |entry: &FeedEntry| matches!(&entry.what, Happening::OomKilled { name: n, .. } if *n == name);
        if oom_kills > 0 && !self.feed.iter().any(told) {
            let victim = live.group.oom_victim();
            self.happened(Happening::OomKilled { name: name.clone(), victim });
        }
        if let Some(record) = self.record.containers.iter_mut().find(|record| record.id == id) {
            record.state = ContainerState::Exited {
                status: ended.status,
                cpu_msec: ended.cpu_msec,
                max_rss_bytes: ended.max_rss_bytes,
            };
            record.terminal = None;
        }
        self.happened(Happening::ContainerExited { name, status: ended.status });
        self.forget_old();
        Some((live.terminal.map(|terminal| terminal.id), ended.status))
    }

    /// Kills, reaps, unmounts and removes whatever is left of a container.
    fn clear(&self, live: &Live) -> Ended {
        let _lifted = self.root.lift_quota();
        let kill = |patience| match live.group.is_nowhere() {
            true => kill::by_root(live.root, patience).map_err(|err| err.to_string()),
            false => live.group.kill_all(patience).map_err(|err| err.to_string()),
        };
        let mut killed = kill(SESSION_DEATH);
        if killed.is_err() {
            // Something above it is frozen, or in a `lab` machine its owner has moved a process
            // of it to a group of their own, and frozen that.
            self.root.thaw(SESSION_DEATH);
            killed = kill(DEATH);
        }
        if let Err(err) = killed {
            tracing::error!(%err, "a container does not die");
        }
        // They were killed with their group.
        reap(&live.execs, DEATH);
        let ended = self.await_end(live);
        if let Some(stage) = &live.stage
            && let Err(err) = self.unstage(stage)
        {
            tracing::error!(%err, "a container's root stays mounted in its machine");
        }
        if let Err(err) = live.group.remove() {
            tracing::error!(%err, "a container's cgroup is left");
        }
        ended.unwrap_or(Ended { status: 255, cpu_msec: 0, max_rss_bytes: 0 })
    }

    /// Waits until the first process of a container has ended. In a `lab` machine its owner may
    /// have moved it to another group in every hierarchy, and frozen that.
    fn await_end(&self, live: &Live) -> nix::Result<Ended> {
        // It may have been killed with its group.
        let _ = sys::pidfd_signal(live.pidfd.as_fd(), libc::SIGKILL);
        let ended = sys::wait_pidfd_within(live.pidfd.as_fd(), SESSION_DEATH);
        if ended.is_ok() || self.record.profile == Profile::Strict {
            return ended;
        }
        self.root.thaw(SESSION_DEATH);
        sys::wait_pidfd_within(live.pidfd.as_fd(), DEATH)
    }

    /// Ends a shell in the machine: the processes of its session, and nobody else's. Those that
    /// have made a session of their own live on, as they do when a terminal is closed.
    fn end_session(&self, live: &Live) -> Ended {
        let deadline = Instant::now() + SESSION_DEATH;
        // While the shell is not reaped nobody else can have its number.
        for round in 0.. {
            let mut members = match self.root.is_nowhere() {
                true => kill::with_root(live.root),
                false => self.root.processes(SESSION_DEATH),
            };
            members.retain(|&pid| kill_member(pid, live.pid));
            if (members.is_empty() && round > 0) || Instant::now() > deadline {
                break;
            }
            if round == THAW_AFTER {
                // A frozen process does not die.
                self.root.thaw(SESSION_DEATH);
            }
            std::thread::sleep(Duration::from_millis(1));
        }
        for exec in &live.execs {
            // Commands of the page's, in sessions of their own; it may have ended by itself.
            let _ = sys::pidfd_signal(exec.as_fd(), libc::SIGKILL);
        }
        reap(&live.execs, DEATH);
        // It was killed with its session.
        let _ = sys::pidfd_signal(live.pidfd.as_fd(), libc::SIGKILL);
        let ended = sys::wait_pidfd_within(live.pidfd.as_fd(), DEATH);
        ended.unwrap_or(Ended { status: 255, cpu_msec: 0, max_rss_bytes: 0 })
    }

    /// Unmounts a container's root in the machine's mount namespace, by a helper in there.
    fn unstage(&self, stage: &str) -> Result<(), StepError> {
        let step = StepName::Rootfs;
        let pidfd = match sys::clone3(0).at(step, "clone3(helper)")? {
            Side::Child => {
                let gone = |result| match result {
                    // It was never there, or not mounted.
                    Err(Errno::EINVAL | Errno::ENOENT) => Ok(()),
                    other => other,
                };
                let flags = MntFlags::MNT_DETACH | MntFlags::UMOUNT_NOFOLLOW;
                let remove = || unlinkat(&self.stages, stage, UnlinkatFlags::RemoveDir);
                let done = setns(&self.pidfd, CloneFlags::CLONE_NEWNS)
                    .and_then(|()| fchdir(&self.stages))
                    .and_then(|()| gone(umount2(stage, flags)))
                    .and_then(|()| gone(remove()));
                sys::exit_now(done.err().map_or(0, |errno| errno as i32))
            }
            Side::Parent { pidfd, .. } => pidfd,
        };
        let ended = sys::wait_pidfd_within(pidfd.as_fd(), DEATH).at(step, "reap the helper")?;
        match ended.status {
            0 => Ok(()),
            errno => Err(StepError::new(step, "unmount the stage", Errno::from_raw(errno))),
        }
    }

    /// A container's short name.
    pub(crate) fn name_of(&self, id: ContainerId) -> String {
        let record = self.record.containers.iter().find(|record| record.id == id);
        record.map_or_else(String::new, |record| record.name.clone())
    }

    fn forget_old(&mut self) {
        let keep = usize::try_from(limits::ENDED_CONTAINERS.value).unwrap_or(usize::MAX);
        let has_ended = |c: &Container| matches!(c.state, ContainerState::Exited { .. });
        while self.record.containers.iter().filter(|c| has_ended(c)).count() > keep {
            if let Some(index) = self.record.containers.iter().position(has_ended) {
                self.record.containers.remove(index);
            }
        }
    }
}

/// Kills a process if it belongs to the session; says whether it did, and lives.
pub(super) fn kill_member(pid: i32, session: i32) -> bool {
    // The number cannot become another process's between the look and the signal.
    let Ok(pidfd) = sys::pidfd_open(pid) else { return false };
    let Ok(stat) = std::fs::read_to_string(format!("/proc/{pid}/stat")) else { return false };
    // State, parent, process group, session (proc_pid_stat(5)), after the name in parentheses.
    let Some((_, rest)) = stat.rsplit_once(") ") else { return false };
    let fields: Vec<&str> = rest.split(' ').take(4).collect();
    let lives = !matches!(fields.first(), Some(&"Z" | &"X") | None);
    let is_member = fields.get(3).and_then(|id| id.parse().ok()) == Some(session);
    is_member && lives && sys::pidfd_signal(pidfd.as_fd(), libc::SIGKILL).is_ok()
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

/// Which level of PIDs the container's `/proc` shows.
fn proc_depth(spec: &ContainerSpec) -> u8 {
    if spec.remount_proc && spec.namespaces.has(Namespace::Pid) { 2 } else { 1 }
}

/// Reaps within a time, all of them together; who lives longer is reaped by the loop.
pub(super) fn reap(pidfds: &[OwnedFd], patience: Duration) {
    let deadline = Instant::now() + patience;
    for pidfd in pidfds {
        let left = deadline.saturating_duration_since(Instant::now());
        let _ = sys::wait_pidfd_within(pidfd.as_fd(), left);
    }
}

/// Those that have not ended within a time, all of them together; the others are reaped.
fn still_alive(pidfds: Vec<OwnedFd>, patience: Duration) -> Vec<OwnedFd> {
    let deadline = Instant::now() + patience;
    let lives = |pidfd: &OwnedFd| {
        let left = deadline.saturating_duration_since(Instant::now());
        sys::wait_pidfd_until(pidfd.as_fd(), left) == Err(Errno::ETIMEDOUT)
    };
    pidfds.into_iter().filter(lives).collect()
}
