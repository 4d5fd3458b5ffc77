//! What a container is told in its `/proc`: the files that lie there, and probes that show it.

use std::os::fd::{AsFd as _, AsRawFd as _, BorrowedFd, OwnedFd, RawFd};
use std::time::{Duration, Instant};

use nix::errno::Errno;
use nix::fcntl::{FcntlArg, OFlag, fcntl};
use nix::unistd::pipe2;
use vitrine_shared::id::ContainerId;
use vitrine_shared::message::{Container, StepName};
use vitrine_shared::namespace::NamespaceSet;
use vitrine_shared::truth::ProcView;

use super::super::birth::{self, Destination, Plan, Program, Rights, Root, Stdio};
use super::super::cgroup::Cgroup;
use super::super::mounts;
use super::super::step::{At as _, StepError, Steps};
use super::super::sys;
use super::super::truth::{self, Cover, Own};
use super::container::{Live, awake};
use super::{Machine, root_of};

/// Where programs are looked for, as in every birth.
const PATH: [&str; 4] = ["usr/sbin", "usr/bin", "sbin", "bin"];
/// How long a probe that was killed may take to die, before it is reaped when it does.
const DEATH: Duration = Duration::from_millis(50);

/// A probe that runs.
pub(crate) struct Started {
    /// Its PID on the host.
    pub(crate) pid: i32,
    /// Its pidfd among the container's extra commands.
    pub(crate) exec: RawFd,
    /// What it writes; reading does not wait.
    pub(crate) pipe: OwnedFd,
    /// Its program is busybox.
    pub(crate) busybox: bool,
}

/// What a view needs; for our own files also what writes them.
pub(super) fn make(
    view: ProcView,
    group: &Cgroup,
    born: Instant,
) -> Result<(Option<Own>, Option<Cover>), StepError> {
    match view {
        ProcView::Host => Ok((None, None)),
        ProcView::Lxcfs => Ok((None, Some(Cover::lxcfs()?))),
        ProcView::Own => {
            let (own, cover) = Own::make(group, born)?;
            Ok((Some(own), Some(cover)))
        }
    }
}

impl Live {
    /// Until our own files are to be written again; none when it has not got them.
    pub(crate) fn own_due_in(&self) -> Option<Duration> {
        self.own.as_ref().map(Own::due_in)
    }

    /// Writes them, when it is time.
    pub(crate) fn refresh_own(&mut self) {
        if let Some(own) = &mut self.own {
            own.refresh();
        }
    }
}

impl Machine {
    /// What lies on the files of a container's `/proc`.
    pub(crate) fn proc_view_of(&self, id: ContainerId) -> ProcView {
        self.record_of(id).map_or(ProcView::Host, |record| record.spec.proc_view)
    }

    /// What is told of a container.
    pub(crate) fn record_of(&self, id: ContainerId) -> Option<&Container> {
        self.record.containers.iter().find(|record| record.id == id)
    }

    /// Lays other files on those of a container's `/proc`, or takes them away.
    pub(crate) fn set_proc_view(
        &mut self,
        id: ContainerId,
        view: ProcView,
    ) -> Result<(), StepError> {
        let gone = || StepError::new(StepName::Proc, "the container has ended", Errno::ESRCH);
        let live = self.containers.iter_mut().find(|live| live.id == id).ok_or_else(gone)?;
        let (own, cover) = make(view, &live.group, live.born)?;
        let changed = truth::change(&live.pidfd, cover.as_ref());
        // On failure some of the old may be gone, and some of the new be there: none of either.
        let view = if changed.is_ok() { view } else { ProcView::Host };
        if changed.is_err() {
            let _ = truth::change(&live.pidfd, None);
        }
        live.own = own.filter(|_| changed.is_ok());
        if let Some(record) = self.record.containers.iter_mut().find(|record| record.id == id) {
            record.spec.proc_view = view;
        }
        changed
    }

    /// Starts a command whose output is read, in a container or in the machine itself.
    pub(crate) fn probe(
        &mut self,
        id: Option<ContainerId>,
        argv: &[String],
    ) -> Result<Started, StepError> {
        let step = StepName::Execve;
        let (pipe, end) = pipe2(OFlag::O_CLOEXEC).at(step, "pipe2")?;
        fcntl(&pipe, FcntlArg::F_SETFL(OFlag::O_NONBLOCK)).at(step, "F_SETFL")?;
        let init = self.record.init_pid.cast_signed();
        let root = root_of(id.map_or(init, |id| self.pid_of(id)))?;
        let program = argv.first().map_or("", String::as_str);
        let found = PATH.iter().map(|dir| format!("{dir}/{program}"));
        let found = found.into_iter().find(|path| mounts::is_there(root.as_fd(), path));
        let busybox = found.is_some_and(|path| mounts::is_same(root.as_fd(), &path, "bin/busybox"));
        let pid = match id {
            Some(id) => self.start_exec(id, argv, Some(end.as_fd()))?,
            None => self.start_outside(&root, argv, end.as_fd())?,
        };
        let exec = self.execs(id).last().map_or(-1, |exec| exec.as_raw_fd());
        Ok(Started { pid, exec, pipe, busybox })
    }

    /// Starts one in the machine itself. It gets the rights of a container, whatever the profile
    /// lets its owner do: it only looks.
    fn start_outside(
        &mut self,
        root: &OwnedFd,
        argv: &[String],
        output: BorrowedFd<'_>,
    ) -> Result<i32, StepError> {
        awake(&[&self.root, &self.shell])?;
        let _lifted = [self.root.lift_quota(), self.shell.lift_quota()];
        let plan = Plan {
            into: Some(Destination { init: self.pidfd.as_fd() }),
            namespaces: NamespaceSet::NONE,
            join_all: true,
            net_apart: false,
            time_offset_secs: 0,
            procs: self.procs_of(&self.shell)?,
            output: Some(output),
            cover: None,
            then_procs: Vec::new(),
            hostname: None,
            root: Root::Of(root.as_fd()),
            userns: Some(self.userns.as_fd()),
            uid_base: self.uids.base(),
            privilege: self.privilege,
            stdio: Stdio::Null,
            program: Program::Argv(argv),
            env: Vec::new(),
            rights: Rights::Strict,
        };
        let born = birth::start(&plan, Steps::begin())?;
        self.probes.push(born.pidfd);
        Ok(born.pid)
    }

    /// The extra commands of a container, or of the machine itself.
    fn execs(&self, id: Option<ContainerId>) -> &[OwnedFd] {
        match id {
            None => &self.probes,
            Some(id) => {
                let live = self.containers.iter().find(|live| live.id == id);
                live.map_or(&[], |live| live.execs.as_slice())
            }
        }
    }

    fn execs_mut(&mut self, id: Option<ContainerId>) -> Option<&mut Vec<OwnedFd>> {
        match id {
            None => Some(&mut self.probes),
            Some(id) => {
                let live = self.containers.iter_mut().find(|live| live.id == id);
                live.map(|live| &mut live.execs)
            }
        }
    }

    /// How many extra commands a container has.
    pub(crate) fn execs_of(&self, id: ContainerId) -> usize {
        self.execs(Some(id)).len()
    }

    /// Is this one of them?
    pub(crate) fn has_exec(&self, id: Option<ContainerId>, exec: RawFd) -> bool {
        self.execs(id).iter().any(|other| other.as_raw_fd() == exec)
    }

    /// Kills one of them, and reaps it now or when it has died.
    pub(crate) fn kill_exec(&mut self, id: Option<ContainerId>, exec: RawFd) {
        let Some(execs) = self.execs_mut(id) else { return };
        let Some(index) = execs.iter().position(|other| other.as_raw_fd() == exec) else {
            return;
        };
        // It may have ended by itself. Who does not die at once stays watched: the loop reaps it.
        let _ = sys::pidfd_signal(execs[index].as_fd(), libc::SIGKILL);
        if sys::wait_pidfd_until(execs[index].as_fd(), DEATH) != Err(Errno::ETIMEDOUT) {
            execs.remove(index);
        }
    }
}
