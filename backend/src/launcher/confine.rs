//! What a process gives up before it runs somebody else's program: `research` calls it the list.
//!
//! Order matters: ids before capabilities, capabilities before `no_new_privs`, the parent-death
//! signal after the last change of ids (which clears it), seccomp last.

use std::os::fd::{AsFd, BorrowedFd};
use std::sync::OnceLock;

use nix::errno::Errno;
use nix::sched::{CloneFlags, setns};
use nix::sys::resource::{Resource, getrlimit, setrlimit};
use nix::sys::signal::{SigHandler, SigSet, SigmaskHow, Signal, signal, sigprocmask};
use nix::unistd::{Gid, Uid, setresgid, setresuid};
use vitrine_shared::limits::{LAB_NAMESPACES, MACHINE_MEMORY, MACHINE_PIDS, ROOTFS_BYTES};
use vitrine_shared::message::StepName;

use super::privilege::Privilege;
use super::step::{At as _, StepError};
use super::sys;

/// Filters made at build time (`backend/seccomp/*.policy`).
pub(crate) mod filter {
    /// For what runs inside a strict machine.
    pub(crate) const STRICT: &[u8] = include_bytes!(concat!(env!("OUT_DIR"), "/strict.bpf"));
    /// For what runs in a machine of profile `lab` itself.
    pub(crate) const LAB: &[u8] = include_bytes!(concat!(env!("OUT_DIR"), "/lab.bpf"));
    /// For the launcher and everything below it.
    pub(crate) const LAUNCHER: &[u8] = include_bytes!(concat!(env!("OUT_DIR"), "/launcher.bpf"));
    /// For web.
    pub(crate) const WEB: &[u8] = include_bytes!(concat!(env!("OUT_DIR"), "/web.bpf"));
    /// For the process that unpacks images.
    pub(crate) const UNPACK: &[u8] = include_bytes!(concat!(env!("OUT_DIR"), "/unpack.bpf"));
    /// For the observer.
    pub(crate) const OBSERVER: &[u8] = include_bytes!(concat!(env!("OUT_DIR"), "/observer.bpf"));
}

/// From `linux/capability.h`.
pub(crate) const CAP_DAC_READ_SEARCH: u32 = 2;
/// From `linux/capability.h`.
pub(crate) const CAP_SYS_PTRACE: u32 = 19;
/// From `linux/securebits.h`: NOROOT, NO_SETUID_FIXUP, NO_CAP_AMBIENT_RAISE and their locks.
pub(crate) const SECUREBITS_NONE: u64 = 0b1110_1111;
/// NOROOT and NO_SETUID_FIXUP locked *off*, so that uid 0 keeps what its bounding set allows over
/// `execve` and everybody else has nothing; NO_CAP_AMBIENT_RAISE on, and locked.
const SECUREBITS_LAB: u64 = 0b1100_1010;
/// What the root of a machine of profile `lab` has, in the machine's user namespace only:
/// CHOWN, DAC_OVERRIDE, FOWNER, KILL, SETGID, SETUID, SYS_CHROOT, SYS_ADMIN, SETFCAP. No NET_ADMIN,
/// no NET_RAW, no SYS_PTRACE, no SYS_RESOURCE (which could raise the limits below), no MKNOD.
///
/// SETFCAP is for `unshare --map-root-user`: since 5.12 nobody maps the 0 of their user namespace
/// into a new one without it. Nothing here heeds file capabilities: `nosuid`, `no_new_privs`.
const LAB_CAPABILITIES: &[u32] = &[0, 1, 3, 5, 6, 7, 18, 21, 31];
/// Limits of a user namespace on what is counted per user: without them 128 `inotify_init` in
/// one machine would starve host root (the count is charged to whoever made the namespace).
const USER_LIMITS: &[(&str, &str)] = &[
    ("max_inotify_instances", "16"),
    ("max_inotify_watches", "1024"),
    ("max_fanotify_groups", "0"),
    ("max_fanotify_marks", "0"),
];
/// Limits on the namespaces of each kind.
const NAMESPACES: &[&str] = &[
    "max_user_namespaces",
    "max_mnt_namespaces",
    "max_pid_namespaces",
    "max_net_namespaces",
    "max_uts_namespaces",
    "max_ipc_namespaces",
    "max_cgroup_namespaces",
    "max_time_namespaces",
];

/// What [`set_machine_pids`] was told.
static MACHINE_PIDS_SET: OnceLock<u64> = OnceLock::new();

/// Processes of one user in a machine, beside the cgroup's limit. The launcher says it once, before
/// the first birth; its children have it from there.
pub(crate) fn set_machine_pids(most: u64) {
    // Said twice, the first word counts: there is one server in a process.
    let _ = MACHINE_PIDS_SET.set(most);
}

/// Which namespaces may be made in a user namespace and below it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Nesting {
    /// None: a container's.
    None,
    /// The host's own limits: a strict machine's, where a filter refuses them, and which needs
    /// room for the containers that the page starts.
    Host,
    /// So many of each kind, but for network namespaces: over one of their own, people inside
    /// would have CAP_NET_ADMIN. (The launcher makes those of containers in the initial user
    /// namespace, and is not counted here.)
    Lab,
    /// The same without cgroup namespaces: where machines have no groups of their own, whoever
    /// had one could mount those of the user who started the server.
    LabWithoutCgroups,
}

impl Nesting {
    fn limit(self, name: &str) -> Option<String> {
        match self {
            Nesting::None => Some("0".into()),
            Nesting::Host => None,
            Nesting::Lab | Nesting::LabWithoutCgroups if name == "max_net_namespaces" => {
                Some("0".into())
            }
            Nesting::LabWithoutCgroups if name == "max_cgroup_namespaces" => Some("0".into()),
            Nesting::Lab | Nesting::LabWithoutCgroups => Some(LAB_NAMESPACES.value.to_string()),
        }
    }
}

/// Enters a user namespace and becomes its root.
pub(crate) fn become_root_of(
    userns: BorrowedFd<'_>,
    privilege: Privilege,
) -> Result<(), StepError> {
    let step = StepName::EnterUser;
    privilege.drop_groups().at(step, "setgroups")?;
    setns(userns, CloneFlags::CLONE_NEWUSER).at(step, "setns(user)")?;
    setresgid(Gid::from_raw(0), Gid::from_raw(0), Gid::from_raw(0)).at(step, "setresgid(0)")?;
    setresuid(Uid::from_raw(0), Uid::from_raw(0), Uid::from_raw(0)).at(step, "setresuid(0)")?;
    // What it is after a change of ids is a setting of the host's (fs.suid_dumpable), and the
    // launcher's memory is still here.
    sys::prctl(libc::PR_SET_DUMPABLE, 0, 0).at(step, "PR_SET_DUMPABLE")
}

/// Writes the limits of the user namespace that this process is root of.
///
/// `sys` is `/proc/sys/user`, opened before the root was changed; the kernel looks the entries
/// up in the caller's own namespace.
pub(crate) fn limit_user_namespace(sys: BorrowedFd<'_>, nesting: Nesting) -> Result<(), StepError> {
    use nix::fcntl::{OFlag, openat};
    use nix::sys::stat::Mode;
    let step = StepName::EnterUser;
    let users = USER_LIMITS.iter().map(|&(name, value)| (name, value.to_string()));
    let nested = NAMESPACES.iter().filter_map(|&name| Some((name, nesting.limit(name)?)));
    for (name, value) in users.chain(nested) {
        let file = match openat(sys, name, OFlag::O_WRONLY | OFlag::O_CLOEXEC, Mode::empty()) {
            // A kernel without fanotify has no limit for it.
            Err(Errno::ENOENT) => continue,
            other => other.at(step, format!("open {name}"))?,
        };
        nix::unistd::write(&file, value.as_bytes()).at(step, format!("write {name}"))?;
    }
    Ok(())
}

/// Sees to it that no capability comes from anywhere again. Those that are there stay, through a
/// change of ids too.
pub(crate) fn lock_capabilities() -> Result<(), StepError> {
    let step = StepName::Capabilities;
    drop_bounding(&[]).at(step, "PR_CAPBSET_DROP")?;
    sys::prctl(libc::PR_SET_SECUREBITS, SECUREBITS_NONE, 0).at(step, "PR_SET_SECUREBITS")?;
    clear_ambient().at(step, "PR_CAP_AMBIENT_CLEAR_ALL")
}

/// Gives up every capability for good, after [`lock_capabilities`].
pub(crate) fn drop_capabilities() -> Result<(), StepError> {
    let step = StepName::Capabilities;
    sys::capset(0, 0).at(step, "capset")?;
    no_new_privs().at(step, "PR_SET_NO_NEW_PRIVS")
}

/// Gives up every capability but those that a machine of profile `lab` is for.
pub(crate) fn keep_lab_capabilities() -> Result<(), StepError> {
    let step = StepName::Capabilities;
    let set = LAB_CAPABILITIES.iter().fold(0, |set, &capability| set | 1 << capability);
    drop_bounding(LAB_CAPABILITIES).at(step, "PR_CAPBSET_DROP")?;
    sys::prctl(libc::PR_SET_SECUREBITS, SECUREBITS_LAB, 0).at(step, "PR_SET_SECUREBITS")?;
    clear_ambient().at(step, "PR_CAP_AMBIENT_CLEAR_ALL")?;
    sys::capset(set, 0).at(step, "capset")?;
    no_new_privs().at(step, "PR_SET_NO_NEW_PRIVS")
}

/// `PR_SET_NO_NEW_PRIVS`.
pub(crate) fn no_new_privs() -> nix::Result<()> {
    sys::prctl(libc::PR_SET_NO_NEW_PRIVS, 1, 0)
}

/// Empties the ambient set.
pub(crate) fn clear_ambient() -> nix::Result<()> {
    sys::prctl(libc::PR_CAP_AMBIENT, u64::from(libc::PR_CAP_AMBIENT_CLEAR_ALL.unsigned_abs()), 0)
}

/// Drops everything but `keep` from the bounding set.
pub(crate) fn drop_bounding(keep: &[u32]) -> nix::Result<()> {
    for capability in 0..64 {
        if keep.contains(&capability) {
            continue;
        }
        match sys::prctl(libc::PR_CAPBSET_DROP, u64::from(capability), 0) {
            // Past the last capability of this kernel.
            Err(Errno::EINVAL) => break,
            other => other?,
        }
    }
    Ok(())
}

/// Limits that need no cgroup, a keyring of its own, default signals, and death with the launcher.
///
/// In a machine those on files and processes too; from a shell, standard output may be a file of
/// the host's, of any size.
pub(crate) fn limit_process(in_machine: bool, privilege: Privilege) -> Result<(), StepError> {
    let step = StepName::Rlimits;
    let machines: &[_] = &[
        (Resource::RLIMIT_NPROC, MACHINE_PIDS_SET.get().copied().unwrap_or(MACHINE_PIDS.value)),
        (Resource::RLIMIT_FSIZE, ROOTFS_BYTES.value),
    ];
    let machines = if in_machine { machines } else { &[] };
    // For want of a cap on all of them together, one on each.
    let uncapped: &[_] = &[(Resource::RLIMIT_DATA, MACHINE_MEMORY.value)];
    let uncapped = if in_machine && privilege.tolerates_no_cap() { uncapped } else { &[] };
    let limits = [
        (Resource::RLIMIT_CORE, 0),
        (Resource::RLIMIT_NOFILE, 1024),
        (Resource::RLIMIT_MEMLOCK, 64 << 10),
        (Resource::RLIMIT_MSGQUEUE, 64 << 10),
        (Resource::RLIMIT_SIGPENDING, 512),
        (Resource::RLIMIT_NICE, 0),
        (Resource::RLIMIT_RTPRIO, 0),
        (Resource::RLIMIT_STACK, 8 << 20),
    ];
    for (resource, value) in limits.into_iter().chain(machines.iter().chain(uncapped).copied()) {
        // Only root of the host may ask for more than it was given.
        let value = getrlimit(resource).map_or(value, |(_, most)| value.min(most));
        setrlimit(resource, value, value).at(step, format!("setrlimit({resource:?})"))?;
    }
    match sys::new_session_keyring() {
        // A kernel without keyrings has none to share.
        Err(Errno::ENOSYS) | Ok(()) => {}
        Err(errno) => return Err(StepError::new(step, "keyctl(JOIN_SESSION_KEYRING)", errno)),
    }
    reset_signals().at(step, "reset signals")?;
    die_with_parent().at(step, "PR_SET_PDEATHSIG")
}

/// Dies when the launcher does. Cleared by every change of ids, so it comes after the last one.
pub(crate) fn die_with_parent() -> nix::Result<()> {
    let signal = u64::from(libc::SIGKILL.unsigned_abs());
    sys::prctl(libc::PR_SET_PDEATHSIG, signal, 0)
}

/// Default actions and an empty mask: Rust ignores SIGPIPE, and `execve` would keep it ignored.
pub(crate) fn reset_signals() -> nix::Result<()> {
    for number in Signal::iterator() {
        if matches!(number, Signal::SIGKILL | Signal::SIGSTOP) {
            continue;
        }
        // SAFETY: the default action runs no code of ours.
        unsafe { signal(number, SigHandler::SigDfl)? };
    }
    sigprocmask(SigmaskHow::SIG_SETMASK, Some(&SigSet::empty()), None)
}

/// Loads the filter of a strict machine, or of a machine of profile `lab`.
pub(crate) fn seccomp(lab: bool) -> Result<(), StepError> {
    let filter = if lab { filter::LAB } else { filter::STRICT };
    sys::seccomp(filter).at(StepName::Seccomp, "seccomp(allowed calls)")
}

/// Points standard input at a descriptor.
pub(crate) fn set_stdin(fd: BorrowedFd<'_>) -> nix::Result<()> {
    nix::unistd::dup2_stdin(fd)
}

/// Points standard output and error at one descriptor.
pub(crate) fn set_output(fd: BorrowedFd<'_>) -> nix::Result<()> {
    nix::unistd::dup2_stdout(fd)?;
    nix::unistd::dup2_stderr(fd)
}

/// Points standard input, output and error at one descriptor.
pub(crate) fn set_stdio(fd: BorrowedFd<'_>) -> nix::Result<()> {
    nix::unistd::dup2_stdin(fd.as_fd())?;
    nix::unistd::dup2_stdout(fd.as_fd())?;
    nix::unistd::dup2_stderr(fd)
}

#[cfg(test)]
mod filters;

#[cfg(test)]
mod tests {
    use std::os::fd::AsFd as _;
    use std::process::{Command, Stdio};
    use std::time::{Duration, Instant};

    use super::*;

    /// A namespace in which 0 is who we are: then no id changes, and the kernel itself leaves the
    /// process as dumpable as it was.
    #[test]
    fn whoever_becomes_root_of_a_namespace_cannot_be_looked_into() {
        let mut holder = Command::new("unshare")
            .args(["--user", "--map-root-user", "sleep", "60"])
            .stdin(Stdio::null())
            .spawn()
            .expect("this test needs unshare (util-linux) and user namespaces");
        let map = format!("/proc/{}/uid_map", holder.id());
        let deadline = Instant::now() + Duration::from_secs(10);
        while std::fs::read_to_string(&map).unwrap_or_default().split_whitespace().nth(2)
            != Some("1")
        {
            assert!(Instant::now() < deadline, "no map in {map}");
            std::thread::sleep(Duration::from_millis(5));
        }
        let userns = std::fs::File::open(format!("/proc/{}/ns/user", holder.id())).unwrap();
        let look = || {
            sys::prctl(libc::PR_SET_DUMPABLE, 1, 0).ok()?;
            become_root_of(userns.as_fd(), Privilege::Root).ok()?;
            nix::sys::prctl::get_dumpable().ok()
        };
        let status = match sys::clone3(0).unwrap() {
            // Nothing in there allocates unless it fails.
            sys::Side::Child => sys::exit_now(match look() {
                Some(false) => 0,
                Some(true) => 1,
                None => 2,
            }),
            sys::Side::Parent { pidfd, .. } => {
                sys::wait_pidfd_within(pidfd.as_fd(), Duration::from_secs(10)).unwrap().status
            }
        };
        holder.kill().unwrap();
        holder.wait().unwrap();
        assert_eq!(status, 0, "1: dumpable, 2: it failed");
    }
}
