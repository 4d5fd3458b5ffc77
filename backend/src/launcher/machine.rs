//! A machine and its containers: what the launcher holds of them, and how they end.
//!
//! Everything that was acquired is held here, in the order in which it is released: processes
//! first (unthrottle, thaw, kill, reap), then mounts in the machine, then cgroups, then uids.

mod commands;
mod container;
mod feed;
mod start;
mod view;
mod witness;

use std::os::fd::{AsFd, OwnedFd};
use std::rc::Rc;
use std::time::{Duration, SystemTime, UNIX_EPOCH};

use nix::errno::Errno;
use nix::fcntl::{OFlag, open};
use nix::sys::stat::Mode;
use vitrine_shared::cgroup::{Controller, GroupId, Knob};
use vitrine_shared::id::{ContainerId, TerminalId};
use vitrine_shared::message::{FeedEntry, Machine as Record, Profile, StepName};

pub(crate) use container::Live;
pub(crate) use view::Started as Probed;

use super::birth::Rights;
use super::cage::Cage;
use super::cgroup::{Cgroup, CgroupError, Entrance, Hierarchies};
use super::images::Images;
use super::kill::RootId;
use super::limits::Limits;
use super::privilege::Privilege;
use super::step::{At as _, StepError};
use super::sys;
use super::uids::{Pool, UidRange};

/// How long processes may take to die before that is an error.
const DEATH: Duration = Duration::from_secs(5);

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
    /// Our name below [`BASE`](super::cgroup::BASE) in every hierarchy; see `sweep`.
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

/// What the processes of the machine itself may do; its containers are strict in either.
fn rights_of(profile: Profile) -> Rights {
    match profile {
        Profile::Strict => Rights::Strict,
        Profile::Lab => Rights::Lab,
    }
}

/// The root of a process.
fn root_of(pid: i32) -> Result<OwnedFd, StepError> {
    let flags = OFlag::O_PATH | OFlag::O_DIRECTORY | OFlag::O_CLOEXEC;
    let path = format!("/proc/{pid}/root");
    open(path.as_str(), flags, Mode::empty()).at(StepName::Setns, "open its root")
}

/// A limit that cannot be set is a machine that cannot be had.
fn cannot(group: &Cgroup, knob: &Knob) -> StepError {
    let name = knob.controller().name();
    let what = group.lacks(knob).unwrap_or_else(|| format!("this host gives no {name} controller"));
    StepError::new(StepName::Cgroup, what, Errno::ENODEV)
}

/// The hierarchies a machine has groups in.
pub(crate) const CONTROLLERS: [Controller; 7] = Controller::ALL;

fn total(steps: &[vitrine_shared::message::Step]) -> u32 {
    steps.iter().fold(0, |sum, step| sum.saturating_add(step.took_usec))
}

/// Unix time in milliseconds.
pub(crate) fn unix_msec() -> u64 {
    let since = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
    u64::try_from(since.as_millis()).unwrap_or(u64::MAX)
}
