//! A machine and its containers: what the launcher holds of them, and how they end.
//!
//! Everything that was acquired is held here, in the order in which it is released: processes
//! first (unthrottle, thaw, kill, reap), then mounts in the machine, then cgroups, then uids.

mod commands;
mod container;
mod view;

use std::os::fd::{AsFd, OwnedFd};
use std::rc::Rc;
use std::time::{Duration, SystemTime, UNIX_EPOCH};

use nix::errno::Errno;
use nix::fcntl::{OFlag, open};
use nix::sys::stat::Mode;
use vitrine_shared::cgroup::{Controller, GroupId, Knob};
use vitrine_shared::id::{ContainerId, MachineId, ParticipantId, TerminalId};
use vitrine_shared::limits;
use vitrine_shared::message::{FeedEntry, Happening, Machine as Record, Profile, StepName};
use vitrine_shared::namespace::NamespaceSet;
use vitrine_shared::spec::DEFAULT_PERIOD_USEC;

pub(crate) use container::Live;
pub(crate) use view::Started as Probed;

use super::birth::{self, Born, Plan, Program, Rights, Root, Stage, Stdio};
use super::cage::Cage;
use super::cgroup::{BASE, Cgroup, CgroupError, Entrance, Hierarchies};
use super::confine::Nesting;
use super::images::{Images, STAGES};
use super::kill::RootId;
use super::limits::Limits;
use super::mounts::{self, CgroupMount, ProcView};
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
    /// Limits of machines, as they are in force.
    pub(crate) limits: Limits,
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
    /// Lines that run in the machine itself, to be read beside a container's.
    pub(crate) lines: Vec<OwnedFd>,
    pidfd: OwnedFd,
    userns: OwnedFd,
    cap: Cgroup,
    root: Cgroup,
    shell: Cgroup,
    /// Its groups in the hierarchies that are not used.
    cage: Option<Cage>,
    /// Where containers that share its mounts have their roots: host root's, and by descriptor,
    /// because the owner of a `lab` machine decides what its paths mean.
    stages: OwnedFd,
    uids: UidRange,
    privilege: Privilege,
    own_root: RootId,
    named: u32,
    /// The last entry of the feed that web was told of.
    told: u64,
    /// May there be groups that the launcher has no name for?
    has_made_groups: bool,
}

/// What a birth has made.
struct Made {
    born: Born,
    userns: OwnedFd,
    root: Cgroup,
    shell: Cgroup,
    stages: OwnedFd,
    cage: Option<Cage>,
}

/// Groups of a machine that has ended, still to be removed: its owner may have made thousands,
/// and nobody is to wait for that. Its uids are not given out again before.
#[derive(Debug)]
pub(crate) struct Left {
    cap: Cgroup,
    _cage: Option<Cage>,
    _uids: Option<UidRange>,
}

impl Left {
    /// Removes some more; says whether that was all.
    pub(crate) fn remove_within(&self, patience: Duration) -> bool {
        self.cap.remove_within(patience).is_ok()
    }
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
        let steps = Steps::begin();
        let uids = host.pool.take().at(StepName::IdMap, "take a uid range")?.ok_or_else(|| {
            StepError::new(StepName::IdMap, "all uid ranges are taken", Errno::EAGAIN)
        })?;
        let path = format!("{BASE}/{}/{}", host.instance, &id.to_string()[..12]);
        let cap = Cgroup::create(&host.hierarchies, &path)?;
        match Self::start_in(host, id, profile, &uids, &cap, steps) {
            Ok(Made { born, userns, root, shell, stages, cage }) => {
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
                    lines: Vec::new(),
                    pidfd: born.pidfd,
                    userns,
                    cap,
                    root,
                    shell,
                    cage,
                    stages,
                    uids,
                    privilege: host.privilege,
                    own_root: born.root,
                    named: 0,
                    told: 0,
                    has_made_groups: profile == Profile::Lab,
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
        profile: Profile,
        uids: &UidRange,
        cap: &Cgroup,
        mut steps: Steps,
    ) -> Result<Made, StepError> {
        let lab = profile == Profile::Lab;
        // First the caps: on v1 a group takes its swappiness from the one above when it is made.
        set_caps(cap, host)?;
        let root = cap.child("root")?;
        let shell = root.child_for_processes("shell")?;
        steps.done(StepName::Cgroup, format!("mkdir(…/{}, …/root, …/root/shell)", cap.path()));
        let mut procs = root.procs()?;
        let mut cage = None;
        if lab {
            cap.limit_groups(limits::LAB_CGROUPS.value, limits::LAB_CGROUP_DEPTH.value)?;
            root.delegate(uids.base(), false)?;
            shell.delegate(uids.base(), true)?;
        }
        // An ordinary user can make none; in their machines no hierarchy can be mounted at all.
        if lab && !host.privilege.is_rootless() {
            let made = Cage::make(&host.hierarchies, cap.path());
            let made = made.at(StepName::Cgroup, "make groups in the other hierarchies")?;
            procs.procs.extend(made.procs().at(StepName::Cgroup, "open their tasks")?);
            cage = Some(made);
        }
        let nesting = nesting_of(profile, host.privilege);
        let userns = userns::for_machine(uids, nesting, host.privilege)?;
        let image = host
            .images
            .lab()
            .map_err(|err| StepError::new(StepName::Rootfs, err.to_string(), Errno::ENOENT))?;
        let lower = mounts::lower_layer(&image, Some(userns.as_fd()), host.privilege)?;
        let map = format!("write(uid_map, \"0 {} {}\")", uids.base(), uids.count());
        steps.done(StepName::IdMap, map);
        let hostname = format!("machine-{}", &id.to_string()[..4]);
        let cgroups = if lab { cgroup_mounts(host)? } else { Vec::new() };
        let run_directory = host.privilege.run_directory();
        let stage = Stage::On(&run_directory);
        let plan = Plan {
            into: None,
            namespaces: NamespaceSet::ALL,
            join_all: false,
            net_apart: false,
            time_offset_secs: 0,
            procs,
            output: None,
            cover: None,
            then_procs: shell.doors()?,
            hostname: Some(&hostname),
            root: if lab {
                Root::Delegated { stage, lower: &lower, stages: STAGES, cgroups: &cgroups }
            } else {
                let (proc, stages) = (ProcView::Remounted, Some(STAGES));
                Root::New { stage, lower: &lower, proc, stages }
            },
            userns: Some(userns.as_fd()),
            uid_base: uids.base(),
            privilege: host.privilege,
            stdio: Stdio::Null,
            program: Program::Init(&host.init, &[]),
            env: Vec::new(),
            rights: rights_of(profile),
        };
        let born = birth::start(&plan, steps)?;
        let opened = open_stages(born.pid).and_then(|stages| {
            // PID 1 has moved on: nobody is in `root` itself any more.
            root.open_to_children()?;
            Ok(stages)
        });
        match opened {
            Ok(stages) => Ok(Made { born, userns, root, shell, stages, cage }),
            Err(err) => {
                // The first error is the one to tell.
                let _ = userns::end(&born.pidfd);
                Err(err)
            }
        }
    }

    /// Ends the machine and everything in it; gives what could not be removed in a moment, and how
    /// its terminals ended.
    pub(crate) fn end(mut self) -> (Option<Left>, Vec<(TerminalId, i32)>) {
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
        // They were killed with everybody.
        container::reap(&self.lines, DEATH);
        let mut uids = Some(self.uids);
        let reaped = sys::wait_pidfd_within(self.pidfd.as_fd(), DEATH);
        dead = dead.and(reaped.map(drop).map_err(|errno| errno.to_string()));
        if let Err(err) = dead {
            tracing::error!(%err, "a machine does not die; its uids are not given out again");
            // Never shared, whatever happens: the range stays locked as long as this process lives.
            std::mem::forget(uids.take());
        }
        match self.cap.remove() {
            Ok(()) => (None, ended),
            Err(err) => {
                tracing::warn!(%err, "a machine's cgroups take longer to remove");
                let left = Left { cap: self.cap, _cage: self.cage, _uids: uids };
                (Some(left), ended)
            }
        }
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
            // Found anew each time, by descriptor: see `requests/groups.rs`.
            GroupId::Made(_) => None,
        }
    }

    /// Its cap.
    pub(crate) fn cap(&self) -> &Cgroup {
        &self.cap
    }

    /// Its own root.
    pub(crate) fn root(&self) -> &Cgroup {
        &self.root
    }

    /// From now on there may be groups that somebody made.
    pub(crate) fn makes_groups(&mut self) {
        self.has_made_groups = true;
    }

    /// May there be groups that somebody made?
    pub(crate) fn has_made_groups(&self) -> bool {
        self.has_made_groups
    }

    /// The groups of its containers, as paths below its cap.
    pub(crate) fn container_paths(&self) -> Vec<String> {
        let containers = self.containers.iter().filter(|live| !live.is_shell);
        containers.map(|live| format!("root/{}", self.name_of(live.id))).collect()
    }

    /// The path of a group below its cap.
    pub(crate) fn path_of(&self, id: GroupId) -> String {
        match id {
            GroupId::Container(container) => format!("root/{}", self.name_of(container)),
            other => other.path().unwrap_or_default(),
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

impl Machine {
    /// How a new process comes into one of its groups, and into its cage.
    fn procs_of(&self, group: &Cgroup) -> Result<Entrance, StepError> {
        let mut procs = group.procs()?;
        if let Some(cage) = &self.cage {
            procs.procs.extend(cage.procs().at(StepName::Cgroup, "open the cage's tasks")?);
        }
        Ok(procs)
    }
}

/// Which namespaces may be made in it.
fn nesting_of(profile: Profile, privilege: Privilege) -> Nesting {
    match (profile, privilege.is_rootless()) {
        (Profile::Strict, _) => Nesting::Host,
        (Profile::Lab, false) => Nesting::Lab,
        (Profile::Lab, true) => Nesting::LabWithoutCgroups,
    }
}

/// What the processes of the machine itself may do; its containers are strict in either.
fn rights_of(profile: Profile) -> Rights {
    match profile {
        Profile::Strict => Rights::Strict,
        Profile::Lab => Rights::Lab,
    }
}

fn cgroup_mounts(host: &Host) -> Result<Vec<CgroupMount>, StepError> {
    let read = |path| std::fs::read_to_string(path).at(StepName::Cgroup, format!("read {path}"));
    let (mountinfo, controllers) = (read("/proc/self/mountinfo")?, read("/proc/cgroups")?);
    Ok(mounts::cgroup_mounts(host.hierarchies.iter(), &mountinfo, &controllers))
}

/// Opened before anybody but PID 1 is in the machine.
fn open_stages(init: i32) -> Result<OwnedFd, StepError> {
    let root = root_of(init)?;
    mounts::directory_in(root.as_fd(), STAGES).at(StepName::Rootfs, format!("open {STAGES}"))
}

/// The root of a process.
fn root_of(pid: i32) -> Result<OwnedFd, StepError> {
    let flags = OFlag::O_PATH | OFlag::O_DIRECTORY | OFlag::O_CLOEXEC;
    let path = format!("/proc/{pid}/root");
    open(path.as_str(), flags, Mode::empty()).at(StepName::Setns, "open its root")
}

/// Sets the caps: those of every machine, and what only v2 has.
fn set_caps(cap: &Cgroup, host: &Host) -> Result<(), StepError> {
    for knob in cap_knobs(&host.limits) {
        if cap.set(&knob)?.is_none() && !host.privilege.tolerates_no_cap() {
            return Err(cannot(cap, &knob));
        }
    }
    // A machine that has run out of memory is of no use in parts.
    cap.set(&Knob::OomGroup(true))?;
    Ok(cap.forbid_swap(host.limits.machine_memory.value)?)
}

/// A limit that cannot be set is a machine that cannot be had.
fn cannot(group: &Cgroup, knob: &Knob) -> StepError {
    let name = knob.controller().name();
    let what = group.lacks(knob).unwrap_or_else(|| format!("this host gives no {name} controller"));
    StepError::new(StepName::Cgroup, what, Errno::ENODEV)
}

/// The caps, one level above what the machine can ever write to.
fn cap_knobs(limits: &Limits) -> [Knob; 3] {
    [
        Knob::CpuMax {
            quota_usec: Some(limits.machine_cpu.value * DEFAULT_PERIOD_USEC / 1000),
            period_usec: DEFAULT_PERIOD_USEC,
        },
        Knob::MemoryMax(Some(limits.machine_memory.value)),
        Knob::PidsMax(Some(limits.machine_pids.value)),
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
        Happening::RanBoth { line, .. } => vec![line],
        Happening::KernelRefused { text, path, .. } => vec![text, path],
        Happening::Wrote { old, new, shell, path } => vec![old, new, shell, path],
        Happening::ProcessMoved { from, to, .. } => vec![from, to],
        Happening::GroupMade { path } | Happening::GroupRemoved { path } => vec![path],
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
