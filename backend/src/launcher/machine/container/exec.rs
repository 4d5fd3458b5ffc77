//! One more command in a container, and its end.

use std::os::fd::{AsFd as _, BorrowedFd, OwnedFd};
use std::time::{Duration, Instant};

use nix::errno::Errno;
use vitrine_shared::id::ContainerId;
use vitrine_shared::message::{Happening, StepName};
use vitrine_shared::namespace::NamespaceSet;

use super::awake;
use super::end::SESSION_DEATH;
use crate::launcher::birth::{self, Destination, Plan, Program, Rights, Root, RunAs, Stdio};
use crate::launcher::images::Config;
use crate::launcher::machine::{Machine, rights_of, root_of};
use crate::launcher::step::{StepError, Steps};
use crate::launcher::sys;

/// How long it takes to die for what is neither frozen nor throttled, with a wide margin.
const QUICK_DEATH: Duration = Duration::from_millis(100);

impl Machine {
    /// Runs one more command in a container; gives its PID on the host.
    pub(crate) fn exec(&mut self, id: ContainerId, argv: &[String]) -> Result<i32, StepError> {
        let pid = self.start_exec(id, argv, None)?;
        let name = self.name_of(id);
        let command = argv.join(" ");
        self.happened(Happening::ExecStarted { name, command, pid: pid.unsigned_abs() });
        Ok(pid)
    }

    /// The same with a place for its output, and no word of it in the feed.
    pub(in crate::launcher::machine) fn start_exec(
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
        // Like the program it is beside: the same user, looked up anew, in the same directory.
        let record = self.record.containers.iter().find(|record| record.id == id);
        let (spec, config) = (record.map(|r| &r.spec), live.image.as_ref().map(|i| &i.config));
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
            run_as: spec.map_or_else(RunAs::default, |spec| RunAs::of(spec, config)),
            env: config.map(Config::variables).unwrap_or_default(),
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
