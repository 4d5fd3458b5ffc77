//! Extra commands of a machine, in its containers and in itself: whose they are, and how they end.
//!
//! A place is a container, or `None` for the machine itself.

use std::os::fd::{AsFd as _, AsRawFd as _, OwnedFd, RawFd};
use std::time::{Duration, Instant};

use nix::errno::Errno;
use vitrine_shared::id::ContainerId;

use super::super::birth::{self, Rights, Stdio};
use super::super::step::{StepError, Steps};
use super::super::{kill, sys};
use super::container::{awake, kill_member};
use super::view::Started;
use super::{Machine, rights_of, root_of};

/// How long a command that was killed may take to die, before it is reaped when it does.
const DEATH: Duration = Duration::from_millis(50);

impl Machine {
    /// Starts a command in the machine itself, as a shell there would, whose output is read.
    pub(crate) fn run_here(&mut self, argv: &[String]) -> Result<Started, StepError> {
        self.start_here(argv, rights_of(self.record.profile))
    }

    /// The same for a command that only looks: with the rights of a container, whatever the
    /// profile lets the machine's owner do.
    pub(crate) fn look_here(&mut self, argv: &[String]) -> Result<Started, StepError> {
        self.start_here(argv, Rights::Strict)
    }

    fn start_here(&mut self, argv: &[String], rights: Rights) -> Result<Started, StepError> {
        awake(&[&self.root, &self.shell])?;
        let (pipe, end) = Started::pipe()?;
        let root = root_of(self.record.init_pid.cast_signed())?;
        let busybox = Started::is_busybox(&root, argv);
        let _lifted = [self.root.lift_quota(), self.shell.lift_quota()];
        let mut plan = self.shell_plan(&root, argv, Stdio::Null)?;
        plan.output = Some(end.as_fd());
        plan.rights = rights;
        let born = birth::start(&plan, Steps::begin())?;
        let exec = born.pidfd.as_raw_fd();
        self.lines.push(born.pidfd);
        Ok(Started { pid: born.pid, exec, pipe, busybox })
    }

    /// The extra commands of a place.
    fn execs(&self, place: Option<ContainerId>) -> &[OwnedFd] {
        match place {
            None => &self.lines,
            Some(id) => {
                let live = self.containers.iter().find(|live| live.id == id);
                live.map_or(&[], |live| &live.execs)
            }
        }
    }

    fn execs_mut(&mut self, place: Option<ContainerId>) -> Option<&mut Vec<OwnedFd>> {
        match place {
            None => Some(&mut self.lines),
            Some(id) => {
                let live = self.containers.iter_mut().find(|live| live.id == id);
                live.map(|live| &mut live.execs)
            }
        }
    }

    /// How many there are.
    pub(crate) fn execs_of(&self, place: Option<ContainerId>) -> usize {
        self.execs(place).len()
    }

    /// Is this one of them?
    pub(crate) fn has_exec(&self, place: Option<ContainerId>, exec: RawFd) -> bool {
        self.execs(place).iter().any(|other| other.as_raw_fd() == exec)
    }

    /// Kills one of them, and reaps it now or when it has died.
    pub(crate) fn kill_exec(&mut self, place: Option<ContainerId>, exec: RawFd) {
        let Some(execs) = self.execs_mut(place) else { return };
        let Some(index) = execs.iter().position(|other| other.as_raw_fd() == exec) else { return };
        // It may have ended by itself. Who does not die at once stays watched: the loop reaps it.
        let _ = sys::pidfd_signal(execs[index].as_fd(), libc::SIGKILL);
        if sys::wait_pidfd_until(execs[index].as_fd(), DEATH) != Err(Errno::ETIMEDOUT) {
            execs.remove(index);
        }
    }

    /// Kills what a line has started and is still there: the processes of its session, whose
    /// number is the shell's. The shell itself must not have been reaped yet. What has made a
    /// session of its own lives on, as it does when a terminal is closed.
    pub(crate) fn end_line(&self, place: Option<ContainerId>, session: i32) {
        let deadline = Instant::now() + DEATH;
        let root = match place {
            None => self.own_root,
            Some(id) => match self.containers.iter().find(|live| live.id == id) {
                Some(live) => live.root,
                None => return,
            },
        };
        loop {
            let mut members = match self.root.is_nowhere() {
                true => kill::with_root(root),
                false => self.root.processes(DEATH),
            };
            members.retain(|&pid| kill_member(pid, session));
            if members.is_empty() || Instant::now() > deadline {
                return;
            }
            std::thread::sleep(Duration::from_millis(1));
        }
    }

    /// Reaps one that has ended; says where it was, and how it ended.
    pub(crate) fn reap_exec(&mut self, exec: RawFd) -> Option<(Option<ContainerId>, i32)> {
        let ids = self.containers.iter().map(|live| Some(live.id));
        let mut places = ids.chain([None]);
        let place = places.find(|&place| self.has_exec(place, exec))?;
        let execs = self.execs_mut(place)?;
        let index = execs.iter().position(|other| other.as_raw_fd() == exec)?;
        let ended = match sys::wait_pidfd(execs[index].as_fd(), libc::WNOHANG) {
            Ok(None) => return None,
            Ok(Some(ended)) => Some((place, ended.status)),
            Err(_) => None,
        };
        execs.remove(index);
        ended
    }

    /// Is this a shell of the machine's own, and no container?
    pub(crate) fn is_shell(&self, id: ContainerId) -> bool {
        self.containers.iter().any(|live| live.id == id && live.is_shell)
    }
}
