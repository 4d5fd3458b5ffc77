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
//!   ready? ◄─────────────────────────────────────────────────  steps, durations, PTY master
//!   go ──────────────────────────────────────────────────────► close, execve
//!   end of file = it runs ◄──────────────────────────────────
//! ```
//!
//! Two rules of the kernel shape it. `clone3(CLONE_NEWPID)` wants the caller to *be in* the PID
//! namespace for its children, so after `setns` a second helper is forked there. And a mount
//! namespace belongs to the user namespace of its creator: made as host root, no capability
//! inside can undo a mount in it.

use std::ffi::CString;
use std::os::fd::{AsFd, AsRawFd, BorrowedFd, OwnedFd, RawFd};
use std::path::{Path, PathBuf};
use std::time::Duration;

use nix::errno::Errno;
use nix::fcntl::{OFlag, open};
use nix::sched::{CloneFlags, setns, unshare};
use nix::sys::stat::{Mode, umask};
use nix::unistd::{AccessFlags, access, execve, fchdir, mkdir, sethostname, setsid};
use serde::{Deserialize, Serialize};
use vitrine_shared::message::{Step, StepName};
use vitrine_shared::namespace::{Namespace, NamespaceSet};

use super::mounts::{self, ProcView, RootPlan};
use super::step::{At as _, StepError, Steps};
use super::sys::{self, Side};
use super::talk::{Talk, Told};
use super::{confine, memfd};

/// How long a birth may take before it is undone.
const PATIENCE: Duration = Duration::from_secs(10);
/// How long, after a failure, the others may take to say that they were there.
const LAST_WORDS: Duration = Duration::from_secs(1);
const DEFAULT_PATH: &str = "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin";

/// The machine that a container is born into.
pub(crate) struct Into<'a> {
    /// Its PID 1.
    pub(crate) init: BorrowedFd<'a>,
}

/// What the root of the new process will be.
pub(crate) enum Root<'a> {
    /// A new one, put together from an image.
    New {
        /// Where it is put together.
        stage: PathBuf,
        /// The image.
        lower: &'a OwnedFd,
        /// Which `/proc`.
        proc: ProcView,
        /// Room for containers' stages, in a machine.
        stages: Option<&'static str>,
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
    pub(crate) into: Option<Into<'a>>,
    /// The namespaces that are new.
    pub(crate) namespaces: NamespaceSet,
    /// Enter *all* of `into`'s namespaces (for one more command), not just those it shares.
    pub(crate) join_all: bool,
    /// Seconds on the clocks of a new time namespace.
    pub(crate) time_offset_secs: i64,
    /// `cgroup.procs` of its group, in every hierarchy.
    pub(crate) procs: Vec<OwnedFd>,
    /// Its host name, in a new UTS namespace.
    pub(crate) hostname: Option<&'a str>,
    /// Its root.
    pub(crate) root: Root<'a>,
    /// Its user namespace; `None` stays in the initial one.
    pub(crate) userns: Option<BorrowedFd<'a>>,
    /// The host uid that is 0 inside.
    pub(crate) uid_base: u32,
    /// Its standard descriptors.
    pub(crate) stdio: Stdio,
    /// Its program.
    pub(crate) program: Program<'a>,
    /// Its environment, beside the usual.
    pub(crate) env: Vec<(String, String)>,
    /// Load the strict filters.
    pub(crate) seccomp: bool,
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
}

#[derive(Debug, Serialize, Deserialize)]
enum Word {
    /// A second helper, by pidfd, to be reaped.
    Helper,
    /// The new process, by pidfd.
    Child,
    /// Everything is prepared. Comes with the PTY master when there is one.
    Ready(Vec<Step>),
    /// Execute.
    Go,
}

/// Starts a process by plan and waits until it runs its program. On failure nothing of it is left.
pub(crate) fn start(plan: &Plan<'_>, mut steps: Steps) -> Result<Born, StepError> {
    let (here, there) = Talk::pair().at(StepName::Clone, "socketpair")?;
    let first = match &plan.into {
        None => {
            prepare_time(plan)?;
            sys::clone3(direct_flags(plan.namespaces.clone_flags()))
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
    // The first helper, if there is any, was made here; the second one is heard of.
    let mut helpers = 0;
    if plan.into.is_none() {
        steps.done(StepName::Clone, clone_call(plan));
        heard.child = Some(pidfd);
    } else {
        helpers = 1 + usize::from(plan.namespaces.has(Namespace::Pid));
        heard.helpers.push(pidfd);
    }
    let born = heard
        .until_ready(&here, helpers, || steps.done(StepName::Clone, clone_call(plan)))
        .and_then(|()| let_go(&here, &mut heard, (plan.into.is_none()).then_some(pid)));
    if born.is_err() {
        heard.out(&here);
    }
    for helper in &heard.helpers {
        // Helpers end by themselves; one that hangs is ended.
        let _ = super::userns::end(helper);
    }
    match (born, heard.child) {
        (Ok((pid, done, pty)), Some(pidfd)) => {
            steps.extend(done);
            steps.done(StepName::Execve, "execve(…)");
            Ok(Born { pid, pidfd, pty, steps: steps.finish() })
        }
        (Err(err), child) => {
            // The first error is the one to tell.
            let _ = child.as_ref().map(super::userns::end);
            Err(err)
        }
        (Ok(_), None) => Err(StepError::new(StepName::Clone, "no process was made", Errno::EPROTO)),
    }
}

/// What has been heard of a birth. Each word has another sender, so they come in any order: the
/// new process may be ready before its helper has said that it made it.
#[derive(Default)]
struct Heard {
    helpers: Vec<OwnedFd>,
    child: Option<OwnedFd>,
    ready: Option<(Vec<Step>, Option<OwnedFd>)>,
}

impl Heard {
    /// Hears until the process is ready and everybody who made it is known.
    fn until_ready(
        &mut self,
        talk: &Talk,
        helpers: usize,
        mut made: impl FnMut(),
    ) -> Result<(), StepError> {
        while self.child.is_none() || self.ready.is_none() || self.helpers.len() < helpers {
            let step = if self.child.is_none() { StepName::Clone } else { StepName::Execve };
            match talk.hear::<Word>(step, PATIENCE)? {
                Told::Word(Word::Helper, mut fds) if fds.len() == 1 => {
                    self.helpers.append(&mut fds);
                }
                Told::Word(Word::Child, mut fds) if fds.len() == 1 => {
                    made();
                    self.child = fds.pop();
                }
                Told::Word(Word::Ready(done), mut fds) => self.ready = Some((done, fds.pop())),
                Told::Word(..) => {
                    return Err(StepError::new(step, "a word out of place", Errno::EPROTO));
                }
                Told::Closed => {
                    let what = "it ended before it was ready";
                    return Err(StepError::new(step, what, Errno::ECHILD));
                }
            }
        }
        Ok(())
    }

    /// After a failure, hears who else was made: a process that nobody reaps would keep PID 1 of
    /// its machine from ending.
    fn out(&mut self, talk: &Talk) {
        if let Some(child) = &self.child {
            // It may have ended by itself.
            let _ = sys::pidfd_signal(child.as_fd(), libc::SIGKILL);
        }
        for _ in 0..8 {
            match talk.hear::<Word>(StepName::Clone, LAST_WORDS) {
                Ok(Told::Word(Word::Helper, mut fds)) => self.helpers.append(&mut fds),
                Ok(Told::Word(Word::Child, mut fds)) => self.child = fds.pop(),
                Ok(Told::Word(..)) => {}
                Ok(Told::Closed) => return,
                Err(err) if err.errno() == Errno::ETIMEDOUT => return,
                // The failure was told once already.
                Err(_) => {}
            }
        }
    }
}

/// NEWTIME was unshared before, NEWCGROUP comes after the move, NEWUSER is entered last.
fn direct_flags(flags: u64) -> u64 {
    let later = [Namespace::Time, Namespace::Cgroup, Namespace::User];
    later.iter().fold(flags, |flags, ns| flags & !ns.clone_flag())
}

/// The call as `strace` would write it, for the page.
fn clone_call(plan: &Plan<'_>) -> String {
    let later =
        |ns: &Namespace| matches!(ns, Namespace::Time | Namespace::Cgroup | Namespace::User);
    let mut flags: Vec<_> =
        plan.namespaces.iter().filter(|ns| !later(ns)).map(Namespace::flag_name).collect();
    flags.push("CLONE_PIDFD");
    if plan.into.is_some() {
        flags.push("CLONE_PARENT");
    }
    format!("clone3({{flags={}}})", flags.join("|"))
}

/// Lets a process that is ready go, and makes sure that it runs; gives its PID, its own steps and
/// its terminal.
fn let_go(
    talk: &Talk,
    heard: &mut Heard,
    pid: Option<i32>,
) -> Result<(i32, Vec<Step>, Option<OwnedFd>), StepError> {
    let unheard = || StepError::new(StepName::Clone, "no process was made", Errno::EPROTO);
    let child = heard.child.as_ref().ok_or_else(unheard)?;
    let (done, pty) = heard.ready.take().ok_or_else(unheard)?;
    let pid = match pid {
        Some(pid) => pid,
        None => pid_of(child.as_fd()).at(StepName::Clone, "read the pidfd's pid")?,
    };
    talk.tell(&Word::Go, &[]).at(StepName::Execve, "let it go")?;
    match talk.hear::<Word>(StepName::Execve, PATIENCE)? {
        Told::Closed => Ok((pid, done, pty)),
        Told::Word(..) => Err(StepError::new(StepName::Execve, "a word too many", Errno::EPROTO)),
    }
}

/// The PID behind a pidfd, as this process's `/proc` numbers it.
pub(crate) fn pid_of(pidfd: BorrowedFd<'_>) -> nix::Result<i32> {
    let info = std::fs::read_to_string(format!("/proc/self/fdinfo/{}", pidfd.as_raw_fd()))
        .map_err(|_| Errno::EBADF)?;
    let pid = info.lines().find_map(|line| line.strip_prefix("Pid:"));
    pid.and_then(|pid| pid.trim().parse().ok()).filter(|&pid| pid > 0).ok_or(Errno::ESRCH)
}

/// From here on we are a new process: a helper, or already the one to be.
fn in_child(plan: &Plan<'_>, talk: &Talk) -> ! {
    let mut steps = Steps::begin();
    let result = keep_own_fds(plan, talk).and_then(|()| match &plan.into {
        None => Ok(()),
        Some(machine) => enter_machine(plan, machine, talk, &mut steps),
    });
    let result = result.and_then(|()| become_program(plan, talk, &mut steps));
    let Err(err) = result;
    // Nobody hears: then nobody is there to be told.
    let _ = talk.fail(&err);
    sys::exit_now(126);
}

/// Closes whatever of the launcher's is not this process's business.
fn keep_own_fds(plan: &Plan<'_>, talk: &Talk) -> Result<(), StepError> {
    let mut keep: Vec<RawFd> = vec![0, 1, 2, talk.as_raw_fd()];
    keep.extend(plan.procs.iter().map(AsRawFd::as_raw_fd));
    keep.extend(plan.userns.iter().map(AsRawFd::as_raw_fd));
    keep.extend(plan.into.iter().map(|machine| machine.init.as_raw_fd()));
    match &plan.root {
        Root::New { lower, .. } => keep.push(lower.as_raw_fd()),
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
    machine: &Into<'_>,
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
        (Namespace::Cgroup, CloneFlags::CLONE_NEWCGROUP),
        (Namespace::Time, CloneFlags::from_bits_retain(0x80)),
    ];
    for (namespace, flag) in shared {
        if plan.join_all || !plan.namespaces.has(namespace) {
            enter |= flag;
        }
    }
    setns(machine.init, enter).at(StepName::Setns, "setns(pidfd of the machine)")?;
    if plan.namespaces.has(Namespace::Pid) {
        // CLONE_NEWPID is refused (EINVAL) unless the caller is in its children's PID namespace.
        hand_over(sys::clone3(sys::CLONE_PARENT), &Word::Helper, talk)?;
    }
    steps.done(StepName::Setns, "setns(pidfd, …)");
    let flags = direct_flags(plan.namespaces.clone_flags());
    hand_over(sys::clone3(sys::CLONE_PARENT | flags), &Word::Child, talk)?;
    steps.skip();
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
fn prepare_time(plan: &Plan<'_>) -> Result<(), StepError> {
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
    if plan.namespaces.has(Namespace::Net) {
        sys::loopback_up().at(StepName::Loopback, "ioctl(SIOCSIFFLAGS, lo)")?;
        steps.done(StepName::Loopback, "ioctl(SIOCSIFFLAGS, {lo, IFF_UP})");
    }
    let pty = enter_root(plan, steps)?;
    let (path, argv) = resolve(&plan.program)?;
    if let Stdio::Null | Stdio::Inherit { stdin: false } = plan.stdio {
        let null = open("/dev/null", OFlag::O_RDWR | OFlag::O_CLOEXEC, Mode::empty());
        let null = null.at(StepName::Dev, "open /dev/null")?;
        let set = if plan.stdio == Stdio::Null { confine::set_stdio } else { confine::set_stdin };
        set(null.as_fd()).at(StepName::Dev, "dup2")?;
    }
    if let Some(userns) = plan.userns {
        confine::become_root_of(userns)?;
        steps.done(StepName::EnterUser, "setns(user); setresuid(0, 0, 0)");
    }
    confine::drop_capabilities()?;
    steps.done(
        StepName::Capabilities,
        "capset(0); prctl(PR_SET_SECUREBITS); prctl(PR_SET_NO_NEW_PRIVS)",
    );
    confine::limit_process()?;
    steps.done(StepName::Rlimits, "setrlimit; keyctl; prctl(PR_SET_PDEATHSIG, SIGKILL)");
    umask(Mode::from_bits_truncate(0o022));
    let env = environment(plan);
    if plan.seccomp {
        confine::seccomp_strict()?;
        steps.done(StepName::Seccomp, "seccomp(SECCOMP_SET_MODE_FILTER, …)");
    }
    let done = std::mem::replace(steps, Steps::begin()).finish();
    let fds: Vec<_> = pty.iter().map(AsFd::as_fd).collect();
    talk.tell(&Word::Ready(done), &fds).at(StepName::Execve, "say ready")?;
    // The parent-death signal is set; if the launcher went before that, its end is closed.
    match talk.hear::<Word>(StepName::Execve, PATIENCE)? {
        Told::Word(Word::Go, _) => {}
        _ => sys::exit_now(0),
    }
    execute(plan, talk, path.as_deref(), &argv, &env)
}

/// Moves itself into its group before anything else, so that no work of its own is done outside;
/// then the cgroup namespace, whose root is the group it stands in (v1 shows host paths else).
fn enter_cgroup(plan: &Plan<'_>, steps: &mut Steps) -> Result<(), StepError> {
    let step = StepName::EnterCgroup;
    for procs in &plan.procs {
        nix::unistd::write(procs, b"0").at(step, "write 0 > tasks")?;
    }
    if plan.namespaces.has(Namespace::Cgroup) {
        unshare(CloneFlags::CLONE_NEWCGROUP).at(step, "unshare(CLONE_NEWCGROUP)")?;
        steps.done(step, "write(tasks, \"0\"); unshare(CLONE_NEWCGROUP)");
    } else {
        steps.done(step, "write(tasks, \"0\")");
    }
    Ok(())
}

/// Puts the root together and enters it; gives the master of the terminal.
fn enter_root(plan: &Plan<'_>, steps: &mut Steps) -> Result<Option<OwnedFd>, StepError> {
    let own_mounts = plan.namespaces.has(Namespace::Mount);
    let (stage, lower, proc, stages) = match &plan.root {
        Root::Of(root) => {
            fchdir(root).at(StepName::PivotRoot, "fchdir(root)")?;
            mounts::change_root(Path::new("."))?;
            return Ok(None);
        }
        Root::New { stage, lower, proc, stages } => (stage, lower, *proc, *stages),
    };
    if own_mounts {
        mounts::make_private()?;
    } else {
        mkdir(stage, Mode::from_bits_truncate(0o700)).at(StepName::Rootfs, "mkdir the stage")?;
    }
    let root = mounts::build_root(&RootPlan { stage, lower, uid_base: plan.uid_base, stages })?;
    steps.done(StepName::Rootfs, "mount_setattr(MOUNT_ATTR_IDMAP); mount(overlay, upperdir=tmpfs)");
    mounts::build_proc(&root, proc)?;
    steps.done(
        StepName::Proc,
        match proc {
            ProcView::Remounted => "mount(proc); 33 masks",
            ProcView::Inherited => "mount(/proc, MS_BIND|MS_REC)",
        },
    );
    mounts::build_dev(&root, plan.uid_base)?;
    steps.done(StepName::Dev, "mount(tmpfs); mknod ×6; mount(devpts, newinstance)");
    let mut master = None;
    if plan.stdio == Stdio::Terminal {
        let (pty, slave) = mounts::open_pty(&root)?;
        sys::set_controlling_tty(slave.as_fd()).at(StepName::Pty, "TIOCSCTTY")?;
        confine::set_stdio(slave.as_fd()).at(StepName::Pty, "dup2")?;
        steps.done(StepName::Pty, "open(/dev/pts/ptmx); ioctl(TIOCGPTPEER); ioctl(TIOCSCTTY)");
        master = Some(pty);
    }
    if own_mounts {
        mounts::pivot(&root)?;
        steps.done(StepName::PivotRoot, "pivot_root(\".\", \".\"); umount2(\".\", MNT_DETACH)");
    } else {
        mounts::change_root(&root)?;
        steps.done(StepName::PivotRoot, "chroot(root)");
    }
    Ok(master)
}

fn environment(plan: &Plan<'_>) -> Vec<CString> {
    let mut env = vec![format!("PATH={DEFAULT_PATH}"), "HOME=/root".into()];
    if plan.stdio == Stdio::Terminal {
        env.push("TERM=xterm-256color".into());
    }
    env.extend(plan.env.iter().map(|(name, value)| format!("{name}={value}")));
    env.into_iter().filter_map(|line| CString::new(line).ok()).collect()
}

/// Finds the program in its own root, as a shell would; with an init it is the init's argument.
fn resolve(program: &Program<'_>) -> Result<(Option<CString>, Vec<CString>), StepError> {
    let step = StepName::Execve;
    let words = match program {
        Program::Argv(words) | Program::Init(_, words) => *words,
    };
    let c = |word: &str| {
        CString::new(word).map_err(|_| StepError::new(step, "a NUL in argv", Errno::EINVAL))
    };
    let mut argv = words.iter().map(|word| c(word)).collect::<Result<Vec<_>, _>>()?;
    let found = match words.first() {
        None => None,
        Some(name) => Some(c(&find(name).at(step, format!("execve({name:?})"))?)?),
    };
    match program {
        Program::Argv(_) => Ok((found, argv)),
        Program::Init(..) => {
            if let (Some(first), Some(path)) = (argv.first_mut(), found) {
                *first = path;
            }
            argv.insert(0, c"init".into());
            Ok((None, argv))
        }
    }
}

fn find(name: &str) -> nix::Result<String> {
    if name.contains('/') {
        return access(name, AccessFlags::F_OK).map(|()| name.to_string());
    }
    let mut refused = Errno::ENOENT;
    for dir in DEFAULT_PATH.split(':') {
        let path = format!("{dir}/{name}");
        match access(path.as_str(), AccessFlags::X_OK) {
            Ok(()) => return Ok(path),
            Err(Errno::EACCES) => refused = Errno::EACCES,
            Err(_) => {}
        }
    }
    Err(refused)
}

fn execute(
    plan: &Plan<'_>,
    talk: &Talk,
    path: Option<&std::ffi::CStr>,
    argv: &[CString],
    env: &[CString],
) -> Result<std::convert::Infallible, StepError> {
    let step = StepName::Execve;
    let mut keep = vec![0, 1, 2, talk.as_raw_fd()];
    match (&plan.program, path) {
        (Program::Init(init, _), _) => {
            // Both stay open until the moment of execve, which closes them.
            keep.push(init.as_raw_fd());
            sys::close_all_but(&keep).at(step, "close_range")?;
            memfd::execute(init.as_fd(), argv, env).at(step, "execveat(init)")
        }
        (Program::Argv(_), Some(path)) => {
            sys::close_all_but(&keep).at(step, "close_range")?;
            execve(path, argv, env).at(step, format!("execve({})", path.to_string_lossy()))
        }
        (Program::Argv(_), None) => Err(StepError::new(step, "no program", Errno::ENOENT)),
    }
}
