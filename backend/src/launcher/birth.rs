//! The birth of a machine, of a container in it, and of one more command in a container.
//!
//! ```text
//! launcher                 helper (only into a machine)        the new process
//!   cgroup, limits
//!   user namespace + maps
//!   image, id-mapped
//!   clone3 ──────────────► setns(the machine's namespaces)
//!                          clone3(CLONE_PARENT | NEW…) ──────► moves itself into its cgroup
//!                          exits                               unshares the cgroup namespace
//!   pidfd ◄──────────────────────────────────────────────────  hostname, loopback, overlay,
//!                                                              /proc and masks, /dev, PTY,
//!                                                              pivot_root           (as host root)
//!                                                              setns(user), uid 0
//!                                                              capabilities, rlimits, seccomp
//!                                                              steps, durations, PTY master
//!                                                              is the launcher still there?
//!   end of file = it runs ◄──────────────────────────────────  close, execve
//! ```
//!
//! Two rules of the kernel shape it. `clone3(CLONE_NEWPID)` wants the caller to *be in* the PID
//! namespace for its children, so after `setns` a second helper is forked there. And a mount
//! namespace belongs to the user namespace of its creator: made as host root, no capability
//! inside can undo a mount in it. In a machine of profile `lab` it is meant to: see `delegated`.

mod calls;
mod delegated;
mod heard;
mod newborn;
mod program;
mod run_as;

use std::os::fd::{AsFd, BorrowedFd, OwnedFd};
use std::time::Duration;

use nix::errno::Errno;
use vitrine_shared::message::{Step, StepName};
use vitrine_shared::namespace::{Namespace, NamespaceSet};

use super::cgroup::Entrance;
use super::kill::RootId;
pub(crate) use super::mounts::Stage;
use super::mounts::{CgroupMount, ProcView};
use super::privilege::Privilege;
use super::step::{At as _, StepError, Steps};
use super::sys::{self, Side};
use super::talk::Talk;
use super::truth::Cover;
use calls::{clone_call, execve_call, time_calls};
pub(crate) use heard::pid_of;
use heard::{Heard, Ready, Word};
use newborn::{in_child, prepare_time};
pub(crate) use run_as::RunAs;

/// How long a birth may take before it is undone.
///
/// It takes some ten milliseconds. The launcher has one thread, so this is also how long one birth
/// can hold up everybody else's; nobody but the machine itself can make it that long, and that one
/// is ended for it. Three seconds were once not enough on two cores with twenty processes that
/// wanted them. Time spent waiting for a CPU is not told apart: a machine's own quota makes it too.
const PATIENCE: Duration = Duration::from_secs(5);

/// The machine that a container is born into.
pub(crate) struct Destination<'a> {
    /// Its PID 1.
    pub(crate) init: BorrowedFd<'a>,
}

/// What the root of the new process will be.
pub(crate) enum Root<'a> {
    /// A new one, put together from an image.
    New {
        /// Where it is put together.
        stage: Stage<'a>,
        /// The image.
        lower: &'a OwnedFd,
        /// Which `/proc`.
        proc: ProcView,
        /// Room for containers' stages, in a machine.
        stages: Option<&'static str>,
    },
    /// The same for a machine whose mounts, host name and cgroups are its owner's: everything
    /// but its network belongs to its user namespace.
    Delegated {
        /// Where it is put together.
        stage: Stage<'a>,
        /// The image.
        lower: &'a OwnedFd,
        /// Room for containers' stages.
        stages: &'static str,
        /// The hierarchies that it has below `/sys/fs/cgroup`.
        cgroups: &'a [CgroupMount],
    },
    /// The root of a process that is there already.
    Of(BorrowedFd<'a>),
}

/// Standard input, output and error of the new process.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Stdio {
    /// A pseudo-terminal of its own, whose master the launcher gets.
    Terminal,
    /// Its own `/dev/null`.
    Null,
    /// The caller's (for the command line); without `stdin` its own `/dev/null` there.
    Inherit {
        /// Standard input too.
        stdin: bool,
    },
}

/// What it may do.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Rights {
    /// No capability, but no filter either.
    Unfiltered,
    /// No capability, the strict filter.
    Strict,
    /// A few capabilities in its user namespace, and the calls that go with them.
    Lab,
}

/// What it will run.
pub(crate) enum Program<'a> {
    /// The tiny PID 1, with this command as its child (none: it only waits and reaps).
    Init(&'a OwnedFd, &'a [String]),
    /// A program of its own root.
    Argv(&'a [String]),
}

/// Everything a new process needs to know.
pub(crate) struct Plan<'a> {
    /// The machine, or none for a process straight on the host.
    pub(crate) into: Option<Destination<'a>>,
    /// The namespaces that are new.
    pub(crate) namespaces: NamespaceSet,
    /// Enter *all* of `into`'s namespaces (for one more command), not just those it shares.
    pub(crate) join_all: bool,
    /// The launcher makes the new network namespace and hands it over, while this process puts its
    /// root together: it costs as much as all the mounts. (Only for a process straight on the
    /// host, and for root of it: whoever is in the host's network namespace as a user cannot come
    /// back to it.)
    pub(crate) net_apart: bool,
    /// Seconds on the clocks of a new time namespace.
    pub(crate) time_offset_secs: i64,
    /// The way into its group, in every hierarchy.
    pub(crate) procs: Entrance,
    /// The files of the group that it moves on to once its cgroup namespace is rooted in the first.
    pub(crate) then_procs: Vec<OwnedFd>,
    /// Its host name, in a new UTS namespace.
    pub(crate) hostname: Option<&'a str>,
    /// Its root.
    pub(crate) root: Root<'a>,
    /// Its user namespace; `None` stays in the initial one.
    pub(crate) userns: Option<BorrowedFd<'a>>,
    /// The launcher's uid that is 0 inside.
    pub(crate) uid_base: u32,
    /// What the launcher may do.
    pub(crate) privilege: Privilege,
    /// Its standard descriptors.
    pub(crate) stdio: Stdio,
    /// What is laid on files of a new `/proc`.
    pub(crate) cover: Option<&'a Cover>,
    /// Where its output goes, in the place of [`Stdio::Null`].
    pub(crate) output: Option<BorrowedFd<'a>>,
    /// Its program.
    pub(crate) program: Program<'a>,
    /// Whom it runs as, and where it begins.
    pub(crate) run_as: RunAs<'a>,
    /// Its environment, beside the usual.
    pub(crate) env: Vec<(String, String)>,
    /// What it may do.
    pub(crate) rights: Rights,
}

/// What was born.
#[derive(Debug)]
pub(crate) struct Born {
    /// Its PID on the host.
    pub(crate) pid: i32,
    /// A descriptor for it.
    pub(crate) pidfd: OwnedFd,
    /// The master of its terminal.
    pub(crate) pty: Option<OwnedFd>,
    /// How it was born.
    pub(crate) steps: Vec<Step>,
    /// The root that it has.
    pub(crate) root: RootId,
}

/// Starts a process by plan and waits until it runs its program. On failure nothing of it is left.
pub(crate) fn start(plan: &Plan<'_>, steps: Steps) -> Result<Born, StepError> {
    start_while(plan, steps, || ())
}

/// The same, doing something else while the new process is at it.
pub(crate) fn start_while(
    plan: &Plan<'_>,
    mut steps: Steps,
    meanwhile: impl FnOnce(),
) -> Result<Born, StepError> {
    match make(plan, &mut steps, meanwhile) {
        Ok(born) => Ok(Born { steps: steps.finish(), ..born }),
        Err(err) => Err(steps.failed(err)),
    }
}

/// The same; the steps are told by the caller.
fn make(plan: &Plan<'_>, steps: &mut Steps, meanwhile: impl FnOnce()) -> Result<Born, StepError> {
    let (here, there) = Talk::pair().at(StepName::Clone, "socketpair")?;
    let first = match &plan.into {
        None => {
            prepare_time(plan)?;
            let group = plan.procs.into.as_ref().map(AsFd::as_fd);
            sys::clone3_into(plan.direct_flags(), group)
        }
        Some(_) => sys::clone3(0),
    };
    let (pid, pidfd) = match first.at(StepName::Clone, clone_call(plan))? {
        Side::Child => {
            drop(here);
            in_child(plan, &there)
        }
        Side::Parent { pid, pidfd } => (pid, pidfd),
    };
    // With a copy of it on this side, the end of the other side would go unheard.
    drop(there);
    let mut heard = Heard::default();
    if plan.into.is_none() {
        steps.done(StepName::Clone, [time_calls(plan), clone_call(plan)].concat());
        heard.child = Some(pidfd);
    } else {
        heard.helpers.push(pidfd);
    }
    if plan.net_apart {
        // It hears of a failure and tells of it as its own: one way for all.
        let _ = match net_namespace() {
            Ok(net) => here.tell(&Word::Net, &[net.as_fd()]),
            Err(err) => here.fail(&err),
        };
    }
    meanwhile();
    let born = heard.all(&here).and_then(|()| heard.born(plan.into.is_none().then_some(pid)));
    if born.is_err() {
        heard.out(&here);
    }
    for helper in &heard.helpers {
        // Helpers end by themselves; one that hangs is ended.
        let _ = super::userns::end(helper);
    }
    match (born, heard.child) {
        (Ok((pid, ready)), Some(pidfd)) => {
            // What its own clock did not see: its program, and one process waking another.
            steps.extend_with_rest(ready.steps, StepName::Execve, &execve_call(plan));
            let Ready { pty, root, .. } = ready;
            Ok(Born { pid, pidfd, pty, root, steps: Vec::new() })
        }
        (Err(err), child) => {
            // The first error is the one to tell.
            let _ = child.as_ref().map(super::userns::end);
            Err(err)
        }
        (Ok(_), None) => Err(StepError::new(StepName::Clone, "no process was made", Errno::EPROTO)),
    }
}

/// Makes a new network namespace with a loopback device that is up: this process goes there, and
/// comes back.
fn net_namespace() -> Result<OwnedFd, StepError> {
    use nix::fcntl::{OFlag, open};
    use nix::sched::{CloneFlags, setns, unshare};
    let step = StepName::Loopback;
    let flags = OFlag::O_RDONLY | OFlag::O_CLOEXEC;
    let own = || open("/proc/self/ns/net", flags, nix::sys::stat::Mode::empty());
    let before = own().at(step, "open ns/net")?;
    unshare(CloneFlags::CLONE_NEWNET).at(step, "unshare(CLONE_NEWNET)")?;
    let made = sys::loopback_up().at(step, "ioctl(SIOCSIFFLAGS, lo)");
    let made = made.and_then(|()| own().at(step, "open ns/net"));
    setns(&before, CloneFlags::CLONE_NEWNET).at(step, "setns(CLONE_NEWNET) back")?;
    made
}

impl Plan<'_> {
    /// Namespaces that do not come with the clone: NEWTIME was unshared before, NEWCGROUP comes
    /// after the move, NEWUSER is entered last.
    fn comes_later(&self, namespace: Namespace) -> bool {
        match namespace {
            Namespace::Time | Namespace::Cgroup | Namespace::User => true,
            Namespace::Net if self.net_apart => true,
            other => {
                let delegated = matches!(self.root, Root::Delegated { .. });
                delegated && delegated::LATER.has(other)
            }
        }
    }

    fn direct(&self) -> impl Iterator<Item = Namespace> {
        self.namespaces.iter().filter(|&namespace| !self.comes_later(namespace))
    }

    fn direct_flags(&self) -> u64 {
        self.direct().fold(0, |flags, namespace| flags | namespace.clone_flag())
    }
}
