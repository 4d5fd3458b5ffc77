//! How a container ends: its processes, its mounts in the machine, its group.

use std::os::fd::{AsFd as _, OwnedFd};
use std::time::{Duration, Instant};

use nix::errno::Errno;
use nix::mount::{MntFlags, umount2};
use nix::sched::{CloneFlags, setns};
use nix::unistd::{UnlinkatFlags, fchdir, unlinkat};
use vitrine_shared::id::{ContainerId, TerminalId};
use vitrine_shared::limits;
use vitrine_shared::message::{Container, ContainerState, FeedEntry, Happening, Profile, StepName};

use super::Live;
use crate::launcher::kill;
use crate::launcher::machine::{DEATH, Machine};
use crate::launcher::step::{At as _, StepError};
use crate::launcher::sys::{self, Ended, Side};

/// How long the processes of a shell may take to die.
pub(super) const SESSION_DEATH: Duration = Duration::from_secs(1);
/// Rounds of killing after which what may be frozen is thawed.
const THAW_AFTER: u32 = 50;

impl Machine {
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
    pub(super) fn unstage(&self, stage: &str) -> Result<(), StepError> {
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
pub(in crate::launcher::machine) fn kill_member(pid: i32, session: i32) -> bool {
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

/// Reaps within a time, all of them together; who lives longer is reaped by the loop.
pub(in crate::launcher::machine) fn reap(pidfds: &[OwnedFd], patience: Duration) {
    let deadline = Instant::now() + patience;
    for pidfd in pidfds {
        let left = deadline.saturating_duration_since(Instant::now());
        let _ = sys::wait_pidfd_within(pidfd.as_fd(), left);
    }
}
