//! What a container is told in its `/proc`: the files that lie there, and probes that show it.

use std::os::fd::{AsFd as _, AsRawFd as _, OwnedFd, RawFd};
use std::time::{Duration, Instant};

use nix::errno::Errno;
use nix::fcntl::{FcntlArg, OFlag, fcntl};
use nix::unistd::pipe2;
use vitrine_shared::id::ContainerId;
use vitrine_shared::message::{Container, StepName};
use vitrine_shared::truth::ProcView;

use super::super::cgroup::Cgroup;
use super::super::mounts;
use super::super::step::{At as _, StepError};
use super::super::truth::{self, Cover, Own};
use super::container::Live;
use super::{Machine, root_of};

/// Where programs are looked for, as in every birth.
const PATH: [&str; 4] = ["usr/sbin", "usr/bin", "sbin", "bin"];

/// A command that runs and whose output is read.
#[derive(Debug)]
pub(crate) struct Started {
    /// Its PID on the host.
    pub(crate) pid: i32,
    /// Its pidfd among the extra commands of where it runs.
    pub(crate) exec: RawFd,
    /// What it writes; reading does not wait.
    pub(crate) pipe: OwnedFd,
    /// Its program is busybox.
    pub(crate) busybox: bool,
}

impl Started {
    /// Where output comes from, without waiting for it, and where it goes.
    pub(super) fn pipe() -> Result<(OwnedFd, OwnedFd), StepError> {
        let step = StepName::Execve;
        let (pipe, end) = pipe2(OFlag::O_CLOEXEC).at(step, "pipe2")?;
        fcntl(&pipe, FcntlArg::F_SETFL(OFlag::O_NONBLOCK)).at(step, "F_SETFL")?;
        Ok((pipe, end))
    }

    /// Is what a command line names, in this root, busybox?
    pub(super) fn is_busybox(root: &OwnedFd, argv: &[String]) -> bool {
        let program = argv.first().map_or("", String::as_str);
        let found = PATH.iter().map(|dir| format!("{dir}/{program}"));
        let found = found.into_iter().find(|path| mounts::is_there(root.as_fd(), path));
        found.is_some_and(|path| mounts::is_same(root.as_fd(), &path, "bin/busybox"))
    }
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

    /// Starts a command in a container whose output is read.
    pub(crate) fn probe(&mut self, id: ContainerId, argv: &[String]) -> Result<Started, StepError> {
        let (pipe, end) = Started::pipe()?;
        let busybox = Started::is_busybox(&root_of(self.pid_of(id))?, argv);
        let pid = self.start_exec(id, argv, Some(end.as_fd()))?;
        let live = self.containers.iter().find(|live| live.id == id);
        let exec = live.and_then(|live| live.execs.last()).map_or(-1, |exec| exec.as_raw_fd());
        Ok(Started { pid, exec, pipe, busybox })
    }
}
