//! A machine and its containers: what the launcher holds of them, and how they end.
//!
//! Everything that was acquired is held here, in the order in which it is released: processes
//! first (unthrottle, thaw, kill, reap), then mounts in the machine, then cgroups, then uids.

mod container;

use std::os::fd::{AsFd, OwnedFd};
use std::rc::Rc;
use std::time::{Duration, SystemTime, UNIX_EPOCH};

use nix::errno::Errno;
use vitrine_shared::cgroup::{Controller, GroupId, Knob};
use vitrine_shared::id::{ContainerId, MachineId, ParticipantId, TerminalId};
use vitrine_shared::limits;
use vitrine_shared::message::{FeedEntry, Happening, Machine as Record, Profile, StepName};
use vitrine_shared::namespace::NamespaceSet;
use vitrine_shared::spec::DEFAULT_PERIOD_USEC;

pub(crate) use container::Live;

use super::birth::{self, Born, Plan, Program, Root, Stdio};
use super::cgroup::{BASE, Cgroup, CgroupError, Hierarchies};
use super::images::{Images, STAGES};
use super::kill::RootId;
use super::mounts::{self, ProcView};
use super::privilege::Privilege;
use super::step::{At as _, StepError, Steps};
use super::sys;
use super::uids::{Pool, UidRange};
use super::userns;

/// How long processes may take to die before that is an error.
const DEATH: Duration = Duration::from_secs(5);
/// Entries of a feed that are kept.
const FEED: usize = 64;

/// What machines are made of on this host.
#[derive(Debug)]
pub(crate) struct Host {
    /// What the launcher may do.
    pub(crate) privilege: Privilege,
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
    shell: Cgroup,
    uids: UidRange,
    privilege: Privilege,
    own_root: RootId,
    named: u32,
    /// The last entry of the feed that web was told of.
    told: u64,
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
    /// Starts a machine. On failure nothing of it is left.
    pub(crate) fn start(
        host: &mut Host,
        id: MachineId,
        owner: ParticipantId,
        profile: Profile,
    ) -> Result<Self, StepError> {
        if profile == Profile::Lab {
            let what = "machines of profile lab come with the next change";
            return Err(StepError::new(StepName::Clone, what, Errno::ENOSYS));
        }
        let steps = Steps::begin();
        let uids = host.pool.take().at(StepName::IdMap, "take a uid range")?.ok_or_else(|| {
            StepError::new(StepName::IdMap, "all uid ranges are taken", Errno::EAGAIN)
        })?;
        let path = format!("{BASE}/{}/{}", host.instance, &id.to_string()[..12]);
        let cap = Cgroup::create(&host.hierarchies, &path)?;
        match Self::start_in(host, id, &uids, &cap, steps) {
            Ok((born, userns, root, shell)) => {
                let record = Record {
                    id,
                    owner,
                    profile,
                    init_pid: born.pid.unsigned_abs(),
                    uid_base: host.privilege.on_host(uids.base()),
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
                    shell,
                    uids,
                    privilege: host.privilege,
                    own_root: born.root,
                    named: 0,
                    told: 0,
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
        mut steps: Steps,
    ) -> Result<(Born, OwnedFd, Cgroup, Cgroup), StepError> {
        let root = cap.child("root")?;
        let shell = root.child_for_processes("shell")?;
        for knob in cap_knobs() {
            if cap.set(&knob)?.is_none() && !host.privilege.tolerates_no_cap() {
                return Err(no_controller(knob.controller()));
            }
        }
        cap.forbid_swap(limits::MACHINE_MEMORY.value)?;
        steps.done(StepName::Cgroup, format!("mkdir(…/{}, …/root, …/root/shell)", cap.path()));
        let userns = userns::for_machine(uids, host.privilege)?;
        let image = host
            .images
            .busybox()
            .map_err(|err| StepError::new(StepName::Rootfs, err.to_string(), Errno::ENOENT))?;
        let lower = mounts::lower_layer(&image, Some(userns.as_fd()), host.privilege)?;
        let map = format!("write(uid_map, \"0 {} {}\")", uids.base(), uids.count());
        steps.done(StepName::IdMap, map);
        let hostname = format!("machine-{}", &id.to_string()[..4]);
        let plan = Plan {
            into: None,
            namespaces: NamespaceSet::ALL,
            join_all: false,
            time_offset_secs: 0,
            procs: root.procs()?,
            then_procs: shell.procs()?,
            hostname: Some(&hostname),
            root: Root::New {
                stage: host.privilege.run_directory(),
                lower: &lower,
                proc: ProcView::Remounted,
                stages: Some(STAGES),
            },
            userns: Some(userns.as_fd()),
            uid_base: uids.base(),
            privilege: host.privilege,
            stdio: Stdio::Null,
            program: Program::Init(&host.init, &[]),
            env: Vec::new(),
            seccomp: true,
        };
        let born = birth::start(&plan, steps)?;
        Ok((born, userns, root, shell))
    }

    /// Ends the machine and everything in it.
    pub(crate) fn end(mut self) -> Vec<(TerminalId, i32)> {
        // Everybody at once, from the cap down; containers are then found dead.
        let mut dead = match self.cap.is_nowhere() {
            // Its PID namespace ends with its first process.
            true => match sys::pidfd_signal(self.pidfd.as_fd(), libc::SIGKILL) {
                Ok(()) | Err(Errno::ESRCH) => Ok(()),
                Err(errno) => Err(errno.to_string()),
            },
            false => self.cap.kill_all(DEATH).map_err(|err| err.to_string()),
        };
        let ids: Vec<_> = self.containers.iter().map(|live| live.id).collect();
        let ended = ids.into_iter().filter_map(|id| {
            let (terminal, status) = self.end_container(id)?;
            Some((terminal?, status))
        });
        let ended = ended.collect();
        let reaped = sys::wait_pidfd_within(self.pidfd.as_fd(), DEATH);
        dead = dead.and(reaped.map(drop).map_err(|errno| errno.to_string()));
        if let Err(err) = dead {
            tracing::error!(%err, "a machine does not die; its uids are not given out again");
            // Never shared, whatever happens: the range stays locked as long as this process lives.
            std::mem::forget(self.uids);
        }
        if let Err(err) = self.cap.remove() {
            tracing::error!(%err, "a machine's cgroup is left");
        }
        ended
    }

    /// One of its groups; a container's only while it lives.
    pub(crate) fn group(&self, id: GroupId) -> Option<&Cgroup> {
        match id {
            GroupId::Cap => Some(&self.cap),
            GroupId::Root => Some(&self.root),
            GroupId::Shell => Some(&self.shell),
            GroupId::Container(id) => {
                self.containers.iter().find(|live| live.id == id).map(|live| &live.group)
            }
        }
    }

    /// Its groups, parents first, with their paths below the cap.
    pub(crate) fn groups(&self) -> Vec<(GroupId, String)> {
        let mut groups = vec![
            (GroupId::Cap, String::new()),
            (GroupId::Root, "root".into()),
            (GroupId::Shell, "root/shell".into()),
        ];
        for live in self.containers.iter().filter(|live| !live.is_shell) {
            let name = self.name_of(live.id);
            groups.push((GroupId::Container(live.id), format!("root/{name}")));
        }
        groups
    }

    /// The first of its uids, as the launcher numbers them.
    pub(crate) fn uid_base(&self) -> u32 {
        self.uids.base()
    }

    /// The file systems that are roots in it: its own, and its containers'.
    pub(crate) fn roots(&self) -> Vec<(Option<ContainerId>, String)> {
        let containers = self.containers.iter().filter(|live| !live.is_shell);
        let containers = containers.map(|live| (Some(live.id), live.root.file_system()));
        std::iter::once((None, self.own_root.file_system())).chain(containers).collect()
    }

    /// The descriptor that becomes readable when its PID 1 has ended.
    pub(crate) fn pidfd(&self) -> &OwnedFd {
        &self.pidfd
    }

    /// The entries of the feed that web has not been told of. A new web is told of all.
    pub(crate) fn untold(&mut self) -> Vec<FeedEntry> {
        let told = std::mem::replace(&mut self.told, self.feed.last().map_or(0, |entry| entry.seq));
        self.feed.iter().filter(|entry| entry.seq > told).cloned().collect()
    }

    /// Enters something in the feed.
    pub(crate) fn happened(&mut self, mut what: Happening) -> FeedEntry {
        cut(&mut what);
        let seq = self.feed.last().map_or(0, |entry| entry.seq) + 1;
        let entry = FeedEntry { seq, at_msec: unix_msec(), what };
        self.feed.push(entry.clone());
        if self.feed.len() > FEED {
            self.feed.remove(0);
        }
        entry
    }
}

/// A limit that cannot be set is a machine that cannot be had.
fn no_controller(controller: Controller) -> StepError {
    let what = format!("this host has no {} controller", controller.name());
    StepError::new(StepName::Cgroup, what, Errno::ENODEV)
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
pub(crate) const CONTROLLERS: [Controller; 7] = Controller::ALL;

fn total(steps: &[vitrine_shared::message::Step]) -> u32 {
    steps.iter().fold(0, |sum, step| sum.saturating_add(step.took_usec))
}

/// Cuts what a participant has written: a feed is short, and is told to every new web.
fn cut(what: &mut Happening) {
    const LONGEST: usize = 200;
    let texts: Vec<&mut String> = match what {
        Happening::ExecStarted { command, .. } => vec![command],
        Happening::KernelRefused { text, .. } => vec![text],
        Happening::Wrote { old, new, shell, .. } => vec![old, new, shell],
        _ => Vec::new(),
    };
    for text in texts {
        if let Some((end, _)) = text.char_indices().nth(LONGEST) {
            text.truncate(end);
            text.push('…');
        }
    }
}

/// Unix time in milliseconds.
pub(crate) fn unix_msec() -> u64 {
    let since = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
    u64::try_from(since.as_millis()).unwrap_or(u64::MAX)
}
