//! A machine and its containers: what the launcher holds of them, and how they end.
//!
//! Everything that was acquired is held here, in the order in which it is released: processes
//! first (unthrottle, thaw, kill, reap), then mounts in the machine, then cgroups, then uids.

use std::os::fd::{AsFd, AsRawFd, OwnedFd};
use std::path::PathBuf;
use std::rc::Rc;
use std::time::{Duration, SystemTime, UNIX_EPOCH};

use nix::errno::Errno;
use nix::fcntl::{OFlag, open};
use nix::mount::{MntFlags, umount2};
use nix::sched::{CloneFlags, setns};
use nix::sys::stat::Mode;
use vitrine_shared::cgroup::{Controller, GroupId, Knob};
use vitrine_shared::id::{ContainerId, MachineId, ParticipantId, TerminalId};
use vitrine_shared::limits;
use vitrine_shared::message::{
    Container, ContainerState, FeedEntry, Happening, Machine as Record, Profile, StepName,
};
use vitrine_shared::namespace::{Namespace, NamespaceSet};
use vitrine_shared::spec::{ContainerSpec, DEFAULT_PERIOD_USEC, Rootfs};

use super::birth::{self, Born, Into, Plan, Program, Root, Stdio};
use super::cgroup::{BASE, Cgroup, CgroupError, Hierarchies};
use super::images::{Images, STAGES};
use super::memfd;
use super::mounts::{self, ProcView};
use super::step::{At as _, StepError, Steps};
use super::sys::{self, Ended, Side};
use super::uids::{Pool, UidRange};
use super::userns;
use crate::ipc::RING_FILE_BYTES;

/// How long processes may take to die before that is an error.
const DEATH: Duration = Duration::from_secs(5);
/// Entries of a feed that are kept.
const FEED: usize = 64;

/// What machines are made of on this host.
#[derive(Debug)]
pub(crate) struct Host {
    /// The hierarchies that are used.
    pub(crate) hierarchies: Rc<Hierarchies>,
    /// Uid ranges.
    pub(crate) pool: Pool,
    /// Images.
    pub(crate) images: Images,
    /// PID 1, sealed.
    pub(crate) init: OwnedFd,
    /// Our name below [`BASE`] in every hierarchy; see `sweep`.
    pub(crate) instance: String,
}

/// A machine that lives.
#[derive(Debug)]
pub(crate) struct Machine {
    /// What everybody may know.
    pub(crate) record: Record,
    /// What happened in it, the latest.
    pub(crate) feed: Vec<FeedEntry>,
    /// Its containers that live.
    pub(crate) containers: Vec<Live>,
    pidfd: OwnedFd,
    userns: OwnedFd,
    cap: Cgroup,
    root: Cgroup,
    uids: UidRange,
    named: u32,
}

/// A container that lives.
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
    pid: i32,
    group: Cgroup,
    userns: Option<OwnedFd>,
    /// Where its root is mounted in the machine, when that has to be unmounted by hand.
    stage: Option<PathBuf>,
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

impl From<CgroupError> for StepError {
    fn from(err: CgroupError) -> Self {
        StepError::new(
            StepName::Cgroup,
            format!("{} {}", err.doing, err.path.display()),
            err.errno(),
        )
    }
}

impl Machine {
    /// Starts a machine of profile `strict`. On failure nothing of it is left.
    pub(crate) fn start(
        host: &mut Host,
        id: MachineId,
        owner: ParticipantId,
    ) -> Result<Self, StepError> {
        let mut steps = Steps::begin();
        let uids = host.pool.take().at(StepName::IdMap, "take a uid range")?.ok_or_else(|| {
            StepError::new(StepName::IdMap, "all uid ranges are taken", Errno::EAGAIN)
        })?;
        let path = format!("{BASE}/{}/{}", host.instance, &id.to_string()[..12]);
        let cap = Cgroup::create(&host.hierarchies, &path)?;
        match Self::start_in(host, id, &uids, &cap, &mut steps) {
            Ok((born, userns, root)) => {
                let record = Record {
                    id,
                    owner,
                    profile: Profile::Strict,
                    init_pid: born.pid.unsigned_abs(),
                    uid_base: uids.base(),
                    cgroup_path: path,
                    born_msec: unix_msec(),
                    steps: born.steps,
                    containers: Vec::new(),
                };
                let mut machine = Machine {
                    record,
                    feed: Vec::new(),
                    containers: Vec::new(),
                    pidfd: born.pidfd,
                    userns,
                    cap,
                    root,
                    uids,
                    named: 0,
                };
                let took_usec = total(&machine.record.steps);
                machine.happened(Happening::MachineBorn { took_usec });
                Ok(machine)
            }
            Err(err) => {
                // The first error is the one to tell.
                let _ = cap.kill_all(DEATH);
                let _ = cap.remove();
                Err(err)
            }
        }
    }

    fn start_in(
        host: &Host,
        id: MachineId,
        uids: &UidRange,
        cap: &Cgroup,
        steps: &mut Steps,
    ) -> Result<(Born, OwnedFd, Cgroup), StepError> {
        let root = cap.child("root")?;
        for knob in cap_knobs() {
            cap.set(&knob)?;
        }
        steps.done(StepName::Cgroup, format!("mkdir(…/{}, …/root)", cap.path()));
        let userns = userns::for_machine(uids.base())?;
        let image = host
            .images
            .busybox()
            .map_err(|err| StepError::new(StepName::Rootfs, err.to_string(), Errno::ENOENT))?;
        let lower = mounts::lower_layer(&image, Some(userns.as_fd()))?;
        steps.done(StepName::IdMap, format!("write(uid_map, \"0 {} 65536\")", uids.base()));
        let hostname = format!("machine-{}", &id.to_string()[..4]);
        let plan = Plan {
            into: None,
            namespaces: NamespaceSet::ALL,
            join_all: false,
            time_offset_secs: 0,
            procs: root.procs()?,
            hostname: Some(&hostname),
            root: Root::New {
                stage: super::uids::RUN_DIRECTORY.into(),
                lower: &lower,
                proc: ProcView::Remounted,
                stages: Some(STAGES),
            },
            userns: Some(userns.as_fd()),
            uid_base: uids.base(),
            stdio: Stdio::Null,
            program: Program::Init(&host.init, &[]),
            env: Vec::new(),
            seccomp: true,
        };
        let measured = std::mem::replace(steps, Steps::begin());
        let born = birth::start(&plan, measured)?;
        Ok((born, userns, root))
    }

    /// Starts a container. On failure nothing of it is left.
    pub(crate) fn start_container(
        &mut self,
        host: &Host,
        id: ContainerId,
        terminal: TerminalId,
        spec: ContainerSpec,
    ) -> Result<(), StepError> {
        let mut steps = Steps::begin();
        self.named += 1;
        let name = format!("c{}", self.named);
        let group = self.root.child(&name)?;
        match self.start_container_in(host, &name, &group, &spec, &mut steps) {
            Ok((born, userns, stage)) => {
                let tty = self.keep_terminal(terminal, born.pty)?;
                let took_usec = total(&born.steps);
                let live = Live {
                    id,
                    pidfd: born.pidfd,
                    terminal: tty,
                    execs: Vec::new(),
                    pid: born.pid,
                    group,
                    userns,
                    stage,
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
            Err(err) => {
                // The first error is the one to tell.
                let _ = group.kill_all(DEATH);
                let _ = self.unstage(&stage_of(&name));
                let _ = group.remove();
                Err(err)
            }
        }
    }

    fn start_container_in(
        &self,
        host: &Host,
        name: &str,
        group: &Cgroup,
        spec: &ContainerSpec,
        steps: &mut Steps,
    ) -> Result<(Born, Option<OwnedFd>, Option<PathBuf>), StepError> {
        for knob in spec.limits.knobs() {
            group.set(&knob)?.ok_or_else(|| {
                let what = format!("this host has no {} controller", knob.controller().name());
                StepError::new(StepName::Cgroup, what, Errno::ENODEV)
            })?;
        }
        steps.done(StepName::Cgroup, format!("mkdir(…/{})", group.path()));
        let own = spec.namespaces.has(Namespace::User);
        let own = own.then(|| userns::for_container(self.userns.as_fd())).transpose()?;
        if own.is_some() {
            steps.done(StepName::IdMap, "unshare(CLONE_NEWUSER); write(uid_map, \"0 0 65536\")");
        }
        let image = match &spec.rootfs {
            Rootfs::Busybox => host
                .images
                .busybox()
                .map_err(|err| StepError::new(StepName::Rootfs, err.to_string(), Errno::ENOENT))?,
            Rootfs::Directory(_) => {
                let what = "a directory of the host is for the command line only";
                return Err(StepError::new(StepName::Rootfs, what, Errno::EPERM));
            }
        };
        let lower = mounts::lower_layer(&image, Some(self.userns.as_fd()))?;
        steps.skip();
        let own_mounts = spec.namespaces.has(Namespace::Mount);
        let stage = if own_mounts { PathBuf::from(format!("/{STAGES}")) } else { stage_of(name) };
        let plan = Plan {
            into: Some(Into { init: self.pidfd.as_fd() }),
            namespaces: spec.namespaces,
            join_all: false,
            time_offset_secs: spec.time_offset_secs,
            procs: group.procs()?,
            hostname: spec.hostname.as_deref(),
            root: Root::New {
                stage: stage.clone(),
                lower: &lower,
                proc: if spec.remount_proc { ProcView::Remounted } else { ProcView::Inherited },
                stages: None,
            },
            userns: Some(own.as_ref().unwrap_or(&self.userns).as_fd()),
            uid_base: self.uids.base(),
            stdio: if spec.tty { Stdio::Terminal } else { Stdio::Null },
            program: if spec.init {
                Program::Init(&host.init, &spec.argv)
            } else {
                Program::Argv(&spec.argv)
            },
            env: Vec::new(),
            seccomp: true,
        };
        let measured = std::mem::replace(steps, Steps::begin());
        let born = birth::start(&plan, measured)?;
        Ok((born, own, (!own_mounts).then_some(stage)))
    }

    fn keep_terminal(
        &self,
        id: TerminalId,
        pty: Option<OwnedFd>,
    ) -> Result<Option<Terminal>, StepError> {
        let Some(master) = pty else { return Ok(None) };
        let ring = memfd::sized(c"vitrine-terminal", RING_FILE_BYTES).at(StepName::Pty, "memfd")?;
        Ok(Some(Terminal { id, master, ring }))
    }

    /// Runs one more command in a container; gives its PID on the host.
    pub(crate) fn exec(&mut self, id: ContainerId, argv: &[String]) -> Result<i32, StepError> {
        let Some(live) = self.containers.iter_mut().find(|live| live.id == id) else {
            return Err(StepError::new(StepName::Setns, "the container has ended", Errno::ESRCH));
        };
        let flags = OFlag::O_PATH | OFlag::O_DIRECTORY | OFlag::O_CLOEXEC;
        let path = format!("/proc/{}/root", live.pid);
        let root =
            open(path.as_str(), flags, Mode::empty()).at(StepName::Setns, "open its root")?;
        let plan = Plan {
            into: Some(Into { init: live.pidfd.as_fd() }),
            namespaces: NamespaceSet::NONE,
            join_all: true,
            time_offset_secs: 0,
            procs: live.group.procs()?,
            hostname: None,
            root: Root::Of(root.as_fd()),
            userns: Some(live.userns.as_ref().unwrap_or(&self.userns).as_fd()),
            uid_base: self.uids.base(),
            stdio: Stdio::Null,
            program: Program::Argv(argv),
            env: Vec::new(),
            seccomp: true,
        };
        let born = birth::start(&plan, Steps::begin())?;
        live.execs.push(born.pidfd);
        let name = self.name_of(id);
        let pid = born.pid.unsigned_abs();
        self.happened(Happening::ExecStarted { name, command: argv.join(" "), pid });
        Ok(born.pid)
    }

    /// Kills the commands that [`Machine::exec`] started in a container; gives their PIDs.
    pub(crate) fn stop_execs(&mut self, id: ContainerId) -> Vec<i32> {
        let Some(live) = self.containers.iter_mut().find(|live| live.id == id) else {
            return Vec::new();
        };
        let ended = std::mem::take(&mut live.execs).into_iter().map(|exec| {
            let pid = birth::pid_of(exec.as_fd()).unwrap_or(0);
            // It may have ended by itself; either way it is reaped.
            let _ = userns::end(&exec);
            pid
        });
        ended.filter(|&pid| pid > 0).collect()
    }

    /// The host PID of a container's first process; 0 when it has ended.
    pub(crate) fn pid_of(&self, id: ContainerId) -> i32 {
        self.containers.iter().find(|live| live.id == id).map_or(0, |live| live.pid)
    }

    /// Reaps an ended extra command.
    pub(crate) fn reap_exec(&mut self, pidfd: i32) {
        for live in &mut self.containers {
            live.execs.retain(|exec| {
                exec.as_raw_fd() != pidfd
                    || !matches!(sys::wait_pidfd(exec.as_fd(), libc::WNOHANG), Ok(Some(_)) | Err(_))
            });
        }
    }

    /// Ends a container, or takes note that it has ended; gives its terminal and exit status.
    pub(crate) fn end_container(&mut self, id: ContainerId) -> Option<(Option<TerminalId>, i32)> {
        let index = self.containers.iter().position(|live| live.id == id)?;
        let live = self.containers.remove(index);
        // Counted before the group goes: the observer looks once a second.
        let oom_kills = live.group.oom_kills();
        let ended = self.clear(&live);
        let name = self.name_of(id);
        let told = |entry: &FeedEntry| matches!(&entry.what, Happening::OomKilled { name: n } if *n == name);
        if oom_kills > 0 && !self.feed.iter().any(told) {
            self.happened(Happening::OomKilled { name: name.clone() });
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
        if let Err(err) = live.group.kill_all(DEATH) {
            tracing::error!(%err, "a container does not die");
        }
        for exec in &live.execs {
            // It was killed with its group.
            let _ = sys::wait_pidfd_within(exec.as_fd(), DEATH);
        }
        let ended = sys::wait_pidfd_within(live.pidfd.as_fd(), DEATH);
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

    /// Unmounts a container's root in the machine's mount namespace, by a helper in there.
    fn unstage(&self, stage: &std::path::Path) -> Result<(), StepError> {
        let step = StepName::Rootfs;
        let pidfd = match sys::clone3(0).at(step, "clone3(helper)")? {
            Side::Child => {
                let done = setns(&self.pidfd, CloneFlags::CLONE_NEWNS)
                    .and_then(|()| match umount2(stage, MntFlags::MNT_DETACH) {
                        // It was never mounted.
                        Err(Errno::EINVAL | Errno::ENOENT) => Ok(()),
                        other => other,
                    })
                    .and_then(|()| {
                        match nix::unistd::unlinkat(
                            nix::fcntl::AT_FDCWD,
                            stage,
                            nix::unistd::UnlinkatFlags::RemoveDir,
                        ) {
                            Err(Errno::ENOENT) => Ok(()),
                            other => other,
                        }
                    });
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

    /// Ends the machine and everything in it.
    pub(crate) fn end(mut self) -> Vec<(TerminalId, i32)> {
        let ids: Vec<_> = self.containers.iter().map(|live| live.id).collect();
        let ended = ids.into_iter().filter_map(|id| {
            let (terminal, status) = self.end_container(id)?;
            Some((terminal?, status))
        });
        let ended = ended.collect();
        if let Err(err) = self.cap.kill_all(DEATH) {
            tracing::error!(%err, "a machine does not die");
        }
        // Its PID 1 was killed with the group.
        if let Err(errno) = sys::wait_pidfd_within(self.pidfd.as_fd(), DEATH) {
            tracing::error!(%errno, "a machine's PID 1 is not reaped");
        }
        if let Err(err) = self.cap.remove() {
            tracing::error!(%err, "a machine's cgroup is left");
        }
        ended
    }

    /// Writes a raw file or turns a knob of one of its groups.
    pub(crate) fn group(&self, id: GroupId) -> Option<&Cgroup> {
        match id {
            GroupId::Cap => Some(&self.cap),
            GroupId::Root => Some(&self.root),
            GroupId::Container(id) => {
                self.containers.iter().find(|live| live.id == id).map(|live| &live.group)
            }
        }
    }

    /// Its groups, parents first, with their paths below the cap.
    pub(crate) fn groups(&self) -> Vec<(GroupId, String)> {
        let mut groups = vec![(GroupId::Cap, String::new()), (GroupId::Root, "root".into())];
        for live in &self.containers {
            let name = self.name_of(live.id);
            groups.push((GroupId::Container(live.id), format!("root/{name}")));
        }
        groups
    }

    /// The descriptor that becomes readable when its PID 1 has ended.
    pub(crate) fn pidfd(&self) -> &OwnedFd {
        &self.pidfd
    }

    /// A container's short name.
    pub(crate) fn name_of(&self, id: ContainerId) -> String {
        let record = self.record.containers.iter().find(|record| record.id == id);
        record.map_or_else(String::new, |record| record.name.clone())
    }

    /// Enters something in the feed.
    pub(crate) fn happened(&mut self, what: Happening) -> FeedEntry {
        let seq = self.feed.last().map_or(0, |entry| entry.seq) + 1;
        let entry = FeedEntry { seq, at_msec: unix_msec(), what };
        self.feed.push(entry.clone());
        if self.feed.len() > FEED {
            self.feed.remove(0);
        }
        entry
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

/// The caps, one level above what the machine can ever write to.
fn cap_knobs() -> [Knob; 3] {
    [
        Knob::CpuMax {
            quota_usec: Some(limits::MACHINE_CPU.value * DEFAULT_PERIOD_USEC / 1000),
            period_usec: DEFAULT_PERIOD_USEC,
        },
        Knob::MemoryMax(Some(limits::MACHINE_MEMORY.value)),
        Knob::PidsMax(Some(limits::MACHINE_PIDS.value)),
    ]
}

/// The hierarchies a machine has groups in.
pub(crate) const CONTROLLERS: [Controller; 6] = Controller::ALL;

fn stage_of(name: &str) -> PathBuf {
    PathBuf::from(format!("/{STAGES}/{name}"))
}

/// Which level of PIDs the container's `/proc` shows.
fn proc_depth(spec: &ContainerSpec) -> u8 {
    if spec.remount_proc && spec.namespaces.has(Namespace::Pid) { 2 } else { 1 }
}

fn total(steps: &[vitrine_shared::message::Step]) -> u32 {
    steps.iter().fold(0, |sum, step| sum.saturating_add(step.took_usec))
}

/// Unix time in milliseconds.
pub(crate) fn unix_msec() -> u64 {
    let since = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
    u64::try_from(since.as_millis()).unwrap_or(u64::MAX)
}
