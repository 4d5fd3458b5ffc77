//! The new process itself, from its first moment to its program: every step of a birth that is
//! done on the far side of `clone3`. Everything here runs in ordinary Rust, because the launcher
//! has one thread.

use std::os::fd::{AsFd, AsRawFd, OwnedFd, RawFd};
use std::path::Path;

use nix::errno::Errno;
use nix::sched::{CloneFlags, setns, unshare};
use nix::sys::stat::{Mode, umask};
use nix::unistd::{chdir, fchdir, sethostname, setsid};
use vitrine_shared::message::StepName;
use vitrine_shared::namespace::Namespace;

use super::super::confine;
use super::super::kill::RootId;
use super::super::mounts::{self, ProcView, RootPlan};
use super::super::privilege::Privilege;
use super::super::step::{At as _, StepError, Steps};
use super::super::sys::{self, Side};
use super::super::talk::{Talk, Told};
use super::calls::{clone_call, setns_call};
use super::delegated;
use super::program::{HOME, environment, execute, lines, resolve, search_path};
use super::run_as::last_id;
use super::{Destination, PATIENCE, Plan, Program, Rights, Root, Stage, Stdio, Word};

/// From here on we are a new process: a helper, or already the one to be.
pub(super) fn in_child(plan: &Plan<'_>, talk: &Talk) -> ! {
    let mut steps = Steps::begin();
    let result = keep_own_fds(plan, talk).and_then(|()| {
        match (&plan.into, &plan.root) {
            (Some(machine), _) => enter_machine(plan, machine, talk, &mut steps)?,
            (None, Root::Delegated { .. }) => {
                delegated::enter(plan, &mut steps)?;
                return finish(plan, talk, &mut steps, None);
            }
            (None, _) => {}
        }
        become_program(plan, talk, &mut steps)
    });
    let Err(err) = result;
    let err = steps.failed(err);
    // Nobody hears: then nobody is there to be told.
    let _ = talk.fail(&err);
    sys::exit_now(126);
}

/// Closes whatever of the launcher's is not this process's business.
fn keep_own_fds(plan: &Plan<'_>, talk: &Talk) -> Result<(), StepError> {
    let mut keep: Vec<RawFd> = vec![0, 1, 2, talk.as_raw_fd()];
    keep.extend(
        plan.procs
            .procs
            .iter()
            .chain(&plan.procs.into)
            .chain(&plan.then_procs)
            .map(AsRawFd::as_raw_fd),
    );
    keep.extend(plan.cover.iter().flat_map(|cover| cover.descriptors()));
    keep.extend(plan.output.iter().map(AsRawFd::as_raw_fd));
    keep.extend(plan.userns.iter().map(AsRawFd::as_raw_fd));
    keep.extend(plan.into.iter().map(|machine| machine.init.as_raw_fd()));
    match &plan.root {
        Root::New { lower, stage, .. } | Root::Delegated { lower, stage, .. } => {
            keep.push(lower.as_raw_fd());
            if let Stage::New(dir, _) = stage {
                keep.push(dir.as_raw_fd());
            }
        }
        Root::Of(root) => keep.push(root.as_raw_fd()),
    }
    if let Program::Init(init, _) = &plan.program {
        keep.push(init.as_raw_fd());
    }
    sys::close_all_but(&keep).at(StepName::Clone, "close_range")
}

/// The helper: enters what is shared with the machine and makes the process in there. Returns in
/// the new process only.
fn enter_machine(
    plan: &Plan<'_>,
    machine: &Destination<'_>,
    talk: &Talk,
    steps: &mut Steps,
) -> Result<(), StepError> {
    sys::prctl(libc::PR_SET_DUMPABLE, 0, 0).at(StepName::Setns, "PR_SET_DUMPABLE")?;
    prepare_time(plan)?;
    // The new mount namespace is a copy of the machine's, so the machine's is entered in any case.
    let mut enter = CloneFlags::CLONE_NEWPID | CloneFlags::CLONE_NEWNS;
    let shared = [
        (Namespace::Uts, CloneFlags::CLONE_NEWUTS),
        (Namespace::Ipc, CloneFlags::CLONE_NEWIPC),
        (Namespace::Net, CloneFlags::CLONE_NEWNET),
        (Namespace::Time, CloneFlags::from_bits_retain(0x80)),
    ];
    for (namespace, flag) in shared {
        // A new one begins with a copy of the host name: of the machine's, not of the host's.
        if plan.join_all || !plan.namespaces.has(namespace) || namespace == Namespace::Uts {
            enter |= flag;
        }
    }
    setns(machine.init, enter).at(StepName::Setns, "setns(pidfd of the machine)")?;
    if plan.namespaces.has(Namespace::Pid) {
        // CLONE_NEWPID is refused (EINVAL) unless the caller is in its children's PID namespace.
        hand_over(sys::clone3(sys::CLONE_PARENT), &Word::Helper, talk)?;
    }
    steps.done(StepName::Setns, setns_call(plan, enter));
    let flags = plan.direct_flags();
    let group = plan.procs.into.as_ref().map(AsFd::as_fd);
    hand_over(sys::clone3_into(sys::CLONE_PARENT | flags, group), &Word::Child, talk)?;
    steps.done(StepName::Clone, clone_call(plan));
    Ok(())
}

/// The parent's side tells the launcher of the child and ends; the child's side returns.
fn hand_over(side: nix::Result<Side>, word: &Word, talk: &Talk) -> Result<(), StepError> {
    match side.at(StepName::Clone, "clone3 in the machine")? {
        Side::Child => Ok(()),
        Side::Parent { pidfd, .. } => {
            let told = talk.tell(word, &[pidfd.as_fd()]);
            sys::exit_now(i32::from(told.is_err()));
        }
    }
}

/// A time namespace is for the next child; its offsets are frozen once somebody is in it (EACCES).
pub(super) fn prepare_time(plan: &Plan<'_>) -> Result<(), StepError> {
    if !plan.namespaces.has(Namespace::Time) {
        return Ok(());
    }
    unshare(CloneFlags::from_bits_retain(0x80)).at(StepName::Clone, "unshare(CLONE_NEWTIME)")?;
    if plan.time_offset_secs != 0 {
        let secs = plan.time_offset_secs;
        std::fs::write(
            "/proc/self/timens_offsets",
            format!("monotonic {secs} 0\nboottime {secs} 0\n"),
        )
        .at(StepName::Clone, "write timens_offsets")?;
    }
    Ok(())
}

/// The new process, from its first moment to its program. Returns only to say what failed.
fn become_program(
    plan: &Plan<'_>,
    talk: &Talk,
    steps: &mut Steps,
) -> Result<std::convert::Infallible, StepError> {
    enter_cgroup(plan, steps)?;
    // A session of its own: no terminal of the launcher's to type into.
    setsid().at(StepName::Rlimits, "setsid")?;
    umask(Mode::empty());
    if let Some(hostname) = plan.hostname {
        sethostname(hostname).at(StepName::Hostname, "sethostname")?;
        steps.done(StepName::Hostname, format!("sethostname(\"{hostname}\")"));
    }
    if plan.namespaces.has(Namespace::Net) && !plan.net_apart {
        sys::loopback_up().at(StepName::Loopback, "ioctl(SIOCSIFFLAGS, lo)")?;
        steps.done(StepName::Loopback, "ioctl(SIOCSIFFLAGS, {lo, IFF_UP})");
    }
    let pty = enter_root(plan, steps)?;
    set_null(plan)?;
    if plan.net_apart {
        enter_net(talk, steps)?;
    }
    if let Some(userns) = plan.userns {
        confine::become_root_of(userns, plan.privilege)?;
        steps.done(StepName::EnterUser, "setns(user); setresuid(0, 0, 0)");
    }
    finish(plan, talk, steps, pty)
}

/// Enters the network namespace that the launcher has made meanwhile.
fn enter_net(talk: &Talk, steps: &mut Steps) -> Result<(), StepError> {
    let step = StepName::Loopback;
    match talk.hear::<Word>(step, PATIENCE)? {
        Told::Word(Word::Net, fds) if fds.len() == 1 => {
            setns(&fds[0], CloneFlags::CLONE_NEWNET).at(step, "setns(CLONE_NEWNET)")?;
        }
        _ => return Err(StepError::new(step, "no network namespace came", Errno::EPROTO)),
    }
    let call = "unshare(CLONE_NEWNET); ioctl(SIOCSIFFLAGS, {lo, IFF_UP}); setns(CLONE_NEWNET)";
    steps.done(step, call);
    Ok(())
}

/// Puts the null device where nothing else is.
pub(super) fn set_null(plan: &Plan<'_>) -> Result<(), StepError> {
    if let Stdio::Null | Stdio::Inherit { stdin: false } = plan.stdio {
        let null = mounts::open_null().at(StepName::Dev, "open /dev/null")?;
        let set = if plan.stdio == Stdio::Null { confine::set_stdio } else { confine::set_stdin };
        set(null.as_fd()).at(StepName::Dev, "dup2")?;
    }
    if let Some(output) = plan.output {
        confine::set_output(output).at(StepName::Dev, "dup2")?;
    }
    Ok(())
}

/// The last part: what it runs, what it gives up, and off.
fn finish(
    plan: &Plan<'_>,
    talk: &Talk,
    steps: &mut Steps,
    pty: Option<OwnedFd>,
) -> Result<std::convert::Infallible, StepError> {
    let last = last_id(plan.userns.is_some(), plan.privilege);
    let person = plan.run_as.find(last)?;
    plan.run_as.enter_directory()?;
    let env = environment(plan, person.as_ref());
    match plan.rights {
        Rights::Unfiltered | Rights::Strict => {
            confine::lock_capabilities()?;
            if let Some(person) = &person {
                let stdin = std::io::stdin();
                let terminal = (plan.stdio == Stdio::Terminal).then(|| stdin.as_fd());
                person.become_them(terminal, plan.privilege)?;
            }
            let call = plan.run_as.call(person.as_ref());
            if !call.is_empty() {
                steps.done(StepName::RunAs, call);
            }
            confine::drop_capabilities()?;
            let call = "capset(0); prctl(PR_SET_SECUREBITS); prctl(PR_SET_NO_NEW_PRIVS)";
            steps.done(StepName::Capabilities, call);
        }
        Rights::Lab => {
            confine::keep_lab_capabilities()?;
            let call =
                "prctl(PR_CAPBSET_DROP); capset(CAP_SYS_ADMIN|…); prctl(PR_SET_NO_NEW_PRIVS)";
            steps.done(StepName::Capabilities, call);
        }
    }
    // As whoever it runs as now: what they cannot reach is not there for them.
    let (path, argv) = resolve(&plan.program, search_path(&env))?;
    confine::limit_process(plan.into.is_some(), plan.privilege)?;
    steps.done(StepName::Rlimits, "setrlimit; keyctl; prctl(PR_SET_PDEATHSIG, SIGKILL)");
    umask(Mode::from_bits_truncate(0o022));
    if matches!(plan.root, Root::Of(_)) && plan.stdio == Stdio::Terminal {
        // Where a login shell begins. A machine without it is none the worse.
        let _ = chdir(HOME);
    }
    let env = lines(&env);
    if plan.rights != Rights::Unfiltered {
        confine::seccomp(plan.rights == Rights::Lab)?;
        steps.done(StepName::Seccomp, "seccomp(SECCOMP_SET_MODE_FILTER, …)");
    }
    let done = steps.so_far();
    let fds: Vec<_> = pty.iter().map(AsFd::as_fd).collect();
    let root = RootId::of(Path::new("/")).at(StepName::PivotRoot, "stat /")?;
    talk.tell(&Word::Ready(done, root), &fds).at(StepName::Execve, "say ready")?;
    // A launcher that went before the parent-death signal was set has closed its end.
    if talk.is_closed() {
        sys::exit_now(0);
    }
    execute(plan, talk, path.as_deref(), &argv, &env)
}

/// Moves itself into its group before anything else, so that no work of its own is done outside;
/// then the cgroup namespace, whose root is the group it stands in (v1 shows host paths else).
fn enter_cgroup(plan: &Plan<'_>, steps: &mut Steps) -> Result<(), StepError> {
    let step = StepName::EnterCgroup;
    for procs in &plan.procs.procs {
        nix::unistd::write(procs, b"0").at(step, "write 0 > tasks")?;
    }
    if plan.namespaces.has(Namespace::Cgroup) {
        unshare(CloneFlags::CLONE_NEWCGROUP).at(step, "unshare(CLONE_NEWCGROUP)")?;
        for procs in &plan.then_procs {
            nix::unistd::write(procs, b"0").at(step, "write 0 > shell/tasks")?;
        }
    } else if let Some(machine) = &plan.into {
        // Only now: with `nsdelegate` nobody moves or is born across the root of their own view.
        setns(machine.init, CloneFlags::CLONE_NEWCGROUP).at(step, "setns(CLONE_NEWCGROUP)")?;
    }
    let mut calls = Vec::new();
    if !plan.procs.procs.is_empty() {
        calls.push("write(tasks, \"0\")");
    }
    if plan.namespaces.has(Namespace::Cgroup) {
        calls.push("unshare(CLONE_NEWCGROUP)");
    } else if plan.into.is_some() {
        calls.push("setns(CLONE_NEWCGROUP)");
    }
    if plan.procs.into.is_some() || !calls.is_empty() {
        let born = if calls.is_empty() { "CLONE_INTO_CGROUP".into() } else { calls.join("; ") };
        steps.done(step, born);
    }
    Ok(())
}

/// Puts the root together and enters it; gives the master of the terminal.
fn enter_root(plan: &Plan<'_>, steps: &mut Steps) -> Result<Option<OwnedFd>, StepError> {
    let own_mounts = plan.namespaces.has(Namespace::Mount);
    let (stage, lower, proc, stages) = match &plan.root {
        Root::New { stage, lower, proc, stages } => (*stage, *lower, *proc, *stages),
        // A delegated one is entered elsewhere; there is nothing to put together here.
        Root::Delegated { .. } => return Ok(None),
        Root::Of(root) => {
            fchdir(root).at(StepName::PivotRoot, "fchdir(root)")?;
            mounts::change_root(Path::new("."))?;
            steps.done(StepName::PivotRoot, "fchdir(root); chroot(\".\")");
            return terminal(plan, Path::new("/"), steps);
        }
    };
    if own_mounts {
        mounts::make_private()?;
    }
    let (uid_base, privilege) = (plan.uid_base, plan.privilege);
    let root = mounts::build_root(&RootPlan { stage, lower, uid_base, stages, privilege })?;
    steps.done(StepName::Rootfs, rootfs_call(privilege));
    mounts::build_dev(&root, uid_base, privilege)?;
    steps.done(StepName::Dev, dev_call(privilege));
    let covered = mounts::build_proc(&root, proc)?;
    let mounted = match proc {
        ProcView::Remounted => "mount(proc)",
        ProcView::Inherited => "open_tree(/proc, OPEN_TREE_CLONE); move_mount",
    };
    let laid = plan.cover.map_or(Ok(0), |cover| cover.lay_at_birth(&root))?;
    steps.done(StepName::Proc, format!("{mounted}; mount(…, MS_BIND) ×{}", covered + laid));
    let master = terminal(plan, &root, steps)?;
    if own_mounts {
        mounts::pivot(&root, stage)?;
        steps.done(StepName::PivotRoot, "pivot_root(\".\", \".\"); umount2(\".\", MNT_DETACH)");
    } else {
        mounts::change_root(&root)?;
        steps.done(StepName::PivotRoot, "chroot(root)");
    }
    Ok(master)
}

/// What `build_root` does, for the page.
pub(super) fn rootfs_call(privilege: Privilege) -> String {
    let attributes = if privilege.maps_mounts() { "MOUNT_ATTR_IDMAP" } else { "MOUNT_ATTR_RDONLY" };
    format!("mount_setattr({attributes}); mount(overlay, upperdir=tmpfs)")
}

/// What `build_dev` does, for the page.
pub(super) fn dev_call(privilege: Privilege) -> String {
    let devices = mounts::DEVICES.len();
    let made = if privilege.makes_devices() { "mknod" } else { "mount(…, MS_BIND)" };
    format!("mount(tmpfs); {made} ×{devices}; mount(devpts, newinstance)")
}

/// A terminal of its own, if it is to have one; gives the master.
fn terminal(plan: &Plan<'_>, root: &Path, steps: &mut Steps) -> Result<Option<OwnedFd>, StepError> {
    if plan.stdio != Stdio::Terminal {
        return Ok(None);
    }
    let (master, slave) = mounts::open_pty(root)?;
    sys::set_controlling_tty(slave.as_fd()).at(StepName::Pty, "TIOCSCTTY")?;
    confine::set_stdio(slave.as_fd()).at(StepName::Pty, "dup2")?;
    steps.done(StepName::Pty, "open(/dev/pts/ptmx); ioctl(TIOCGPTPEER); ioctl(TIOCSCTTY)");
    Ok(Some(master))
}
