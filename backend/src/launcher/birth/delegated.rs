//! The birth of a machine of profile `lab`: its mounts, host name, IPC and cgroup namespace belong
//! to its own user namespace, so that `mount`, `hostname` and `unshare` work inside.
//!
//! ```text
//! as host root, in new PID, mount and network namespaces
//!   into the cgroup, loopback
//!   overlay, /dev, /proc, put together
//! setns(user), uid 0, with all capabilities there
//!   unshare(mounts, UTS, IPC, cgroup)
//!   on to the group `shell`, host name
//!   its root bound to itself, cgroupfs, pivot_root
//! and as every birth ends, but that a few capabilities are kept
//! ```
//!
//! What was mounted before is copied into the new, less privileged mount namespace, and locked
//! there: nobody inside can unmount `/dev` or `/proc`, or see what is below. A locked mount cannot
//! become the root either, so the root is bound to itself first, and what is bound is not locked.
//!
//! Two namespaces stay the initial user namespace's on purpose. The network: nobody inside has
//! CAP_NET_ADMIN over it, by no route, and `max_net_namespaces` is 0 in there. And PIDs: the
//! kernel makes a PID namespace only below one whose user namespace is the maker's or above it
//! (`EINVAL`), and containers are made by host root. The price: a `/proc` of the machine's *own*
//! PID namespace cannot be mounted a second time inside, only that of a new one.

use nix::fcntl::AT_FDCWD;
use nix::sched::{CloneFlags, unshare};
use nix::sys::stat::{FchmodatFlags, Mode, fchmodat, umask};
use nix::unistd::{sethostname, setsid};
use vitrine_shared::message::StepName;
use vitrine_shared::namespace::{Namespace, NamespaceSet};

use super::super::confine;
use super::super::mounts::{self, RootPlan};
use super::super::step::{At as _, StepError, Steps};
use super::super::sys;
use super::newborn::{dev_call, rootfs_call, set_null};
use super::{Plan, Root};

/// What the clone does not make: it comes when the process belongs to its user namespace. Its
/// mount namespace is made twice.
pub(super) const LATER: NamespaceSet =
    NamespaceSet::NONE.with(Namespace::Uts, true).with(Namespace::Ipc, true);
const AFTER_USER: CloneFlags = CloneFlags::CLONE_NEWNS
    .union(CloneFlags::CLONE_NEWUTS)
    .union(CloneFlags::CLONE_NEWIPC)
    .union(CloneFlags::CLONE_NEWCGROUP);

/// From the first moment until it stands in its root, with every capability in its user namespace.
pub(super) fn enter(plan: &Plan<'_>, steps: &mut Steps) -> Result<(), StepError> {
    let (Root::Delegated { stage, lower, stages, cgroups }, Some(userns)) =
        (&plan.root, plan.userns)
    else {
        let what = "a machine of its own user namespace was not planned";
        return Err(StepError::new(StepName::Clone, what, nix::errno::Errno::EINVAL));
    };
    sys::prctl(libc::PR_SET_DUMPABLE, 0, 0).at(StepName::Clone, "PR_SET_DUMPABLE")?;
    enter_groups(&plan.procs.procs)?;
    setsid().at(StepName::Rlimits, "setsid")?;
    umask(Mode::empty());
    sys::loopback_up().at(StepName::Loopback, "ioctl(SIOCSIFFLAGS, lo)")?;
    steps.done(StepName::Loopback, "ioctl(SIOCSIFFLAGS, {lo, IFF_UP})");
    mounts::make_private()?;
    let (stage, stages) = (*stage, Some(*stages));
    let (uid_base, privilege) = (plan.uid_base, plan.privilege);
    let root = mounts::build_root(&RootPlan { stage, lower, uid_base, stages, privilege })?;
    steps.done(StepName::Rootfs, rootfs_call(privilege));
    mounts::build_dev(&root, uid_base, privilege)?;
    steps.done(StepName::Dev, dev_call(privilege));
    mounts::mount_proc(&root)?;
    steps.done(StepName::Proc, "mount(proc)");
    // The directory that all of this is in was host root's alone; nobody else ever sees it.
    let passable = Mode::from_bits_truncate(0o711);
    fchmodat(AT_FDCWD, ".", passable, FchmodatFlags::FollowSymlink)
        .at(StepName::Rootfs, "chmod the tmpfs")?;
    // Where the machine has no groups of its own (an ordinary user's), the cgroup namespace is not
    // its owner's: they could mount whatever the user may write.
    let mut after = AFTER_USER;
    if privilege.is_rootless() {
        after.remove(CloneFlags::CLONE_NEWCGROUP);
        unshare(CloneFlags::CLONE_NEWCGROUP)
            .at(StepName::EnterCgroup, "unshare(CLONE_NEWCGROUP)")?;
    }
    confine::become_root_of(userns, privilege)?;
    steps.done(StepName::EnterUser, "setns(user); setresuid(0, 0, 0)");
    // The cgroup namespace is rooted where the process stands: in the machine's root, for which it
    // then makes room (a v2 group with processes cannot have controllers for its children).
    unshare(after).at(StepName::EnterCgroup, "unshare(CLONE_NEWNS|CLONE_NEWCGROUP|…)")?;
    enter_groups(&plan.then_procs)?;
    let call =
        "unshare(CLONE_NEWNS|CLONE_NEWUTS|CLONE_NEWIPC|CLONE_NEWCGROUP); write(tasks, \"0\")";
    steps.done(StepName::EnterCgroup, call);
    if let Some(hostname) = plan.hostname {
        sethostname(hostname).at(StepName::Hostname, "sethostname")?;
        steps.done(StepName::Hostname, format!("sethostname(\"{hostname}\")"));
    }
    mounts::bind_to_itself(&root)?;
    mounts::mount_cgroups(&root, cgroups)?;
    mounts::pivot(&root, stage)?;
    let call = format!("mount(cgroup) ×{}; pivot_root(\".\", \".\")", cgroups.len());
    steps.done(StepName::PivotRoot, call);
    set_null(plan)
}

fn enter_groups(procs: &[std::os::fd::OwnedFd]) -> Result<(), StepError> {
    procs.iter().try_for_each(|procs| {
        nix::unistd::write(procs, b"0").map(drop).at(StepName::EnterCgroup, "write 0 > tasks")
    })
}
