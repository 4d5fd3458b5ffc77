//! User namespaces with their id maps, made apart from the processes that will enter them.
//!
//! A machine's user namespace has the machine's 65,536 host uids; a container's is a child of it
//! with the same ids. Both are made by a short-lived process outside the machine's PID namespace
//! (which nobody inside can see or trace), so that a container's process enters its user
//! namespace as the very last of all, by descriptor, after every mount was made as host root.
//!
//! Only a namespace's own or its parent's user namespace may write its maps (`EPERM` otherwise,
//! `user_namespaces(7)`), hence the helper for a nested one.

use std::fs;
use std::os::fd::{AsFd, BorrowedFd, OwnedFd};
use std::time::Duration;

use nix::fcntl::{OFlag, open};
use nix::sched::{CloneFlags, unshare};
use nix::sys::resource::{Resource, getrlimit, setrlimit};
use nix::sys::stat::Mode;
use nix::unistd::{Gid, Uid, setresgid, setresuid};
use serde::{Deserialize, Serialize};
use vitrine_shared::limits::MACHINE_PIDS;
use vitrine_shared::message::StepName;

use super::confine::{self, Nesting};
use super::privilege::Privilege;
use super::step::{At as _, StepError};
use super::sys::{self, Side};
use super::talk::{Talk, Told};
use super::uids::UidRange;

const STEP: StepName = StepName::IdMap;
/// CAP_SETGID, CAP_SETUID, CAP_SYS_ADMIN, kept through the change of ids so that hosts which
/// forbid user namespaces to ordinary users still let us make one.
const KEPT: u64 = 1 << 6 | 1 << 7 | 1 << 21;
const PATIENCE: Duration = Duration::from_secs(5);

#[derive(Debug, Serialize, Deserialize)]
enum Word {
    /// The namespace is there; its maps can be written.
    Unshared,
    /// The namespace, with its maps. Comes with its descriptor.
    Made,
}

/// Which ids a namespace has, and whose it is.
#[derive(Clone, Copy, Debug)]
struct Ids {
    /// Its owner, as its parent numbers ids.
    owner: u32,
    /// The parent's id that is 0 in it.
    first: u32,
    /// How many.
    count: u32,
    /// Does what is in it count as its parent's, for want of a cgroup?
    counted: bool,
}

/// A user namespace for a machine: 0 inside is the range's first.
pub(crate) fn for_machine(
    uids: &UidRange,
    nesting: Nesting,
    privilege: Privilege,
) -> Result<OwnedFd, StepError> {
    let ids = Ids { owner: uids.base(), first: uids.base(), count: uids.count(), counted: false };
    begin(ids, nesting, privilege)?.map()
}

/// A user namespace for a container, a child of the machine's and with the same ids.
///
/// Its owner is the last uid of the machine, which nothing runs as: the owner of a user namespace
/// has every capability over it, whatever its bounding set says, and the machine's root is not to
/// have that over a container in a strict machine. (With a single id there is no other: then the
/// filter alone keeps the machine's root from using it.)
pub(crate) fn for_container(
    machine: BorrowedFd<'_>,
    uids: &UidRange,
    privilege: Privilege,
) -> Result<OwnedFd, StepError> {
    let (here, there) = Talk::pair().at(STEP, "socketpair")?;
    match sys::clone3(0).at(STEP, "clone3(helper)")? {
        Side::Child => {
            drop(here);
            let ids = Ids { owner: uids.count() - 1, first: 0, count: uids.count(), counted: true };
            let made = confine::become_root_of(machine, privilege)
                .and_then(|()| sys::prctl(libc::PR_SET_DUMPABLE, 1, 0).at(STEP, "PR_SET_DUMPABLE"))
                .and_then(|()| begin(ids, Nesting::None, privilege)?.map());
            let sent = match &made {
                Ok(userns) => there.tell(&Word::Made, &[userns.as_fd()]),
                Err(err) => there.fail(err),
            };
            sys::exit_now(i32::from(sent.is_err()));
        }
        Side::Parent { pidfd, .. } => {
            drop(there);
            let told = here.hear::<Word>(STEP, PATIENCE);
            end(&pidfd)?;
            match told? {
                Told::Word(Word::Made, mut fds) if fds.len() == 1 => Ok(fds.remove(0)),
                _ => Err(StepError::new(
                    STEP,
                    "the helper gave no namespace",
                    nix::errno::Errno::EPROTO,
                )),
            }
        }
    }
}

/// A user namespace that is being made by a process of its own, while its maker does other things.
#[derive(Debug)]
pub(crate) struct Making {
    talk: Talk,
    pid: i32,
    pidfd: OwnedFd,
    ids: Ids,
}

impl Making {
    /// Begins one for a container straight on the host: nothing of ours is nested in it.
    pub(crate) fn for_run(uids: &UidRange, privilege: Privilege) -> Result<Self, StepError> {
        let ids =
            Ids { owner: uids.base(), first: uids.base(), count: uids.count(), counted: false };
        begin(ids, Nesting::None, privilege)
    }

    /// Waits until it is there, maps it, and gives it by descriptor.
    pub(crate) fn map(&self) -> Result<OwnedFd, StepError> {
        let made = self.talk.hear::<Word>(STEP, PATIENCE).and_then(|_| map(self.pid, self.ids));
        // Not needed any more. It dies while its maker goes on, and is reaped on drop.
        let _ = sys::pidfd_signal(self.pidfd.as_fd(), libc::SIGKILL);
        made
    }
}

impl Drop for Making {
    fn drop(&mut self) {
        // Reaped already, or reaped now: in both cases nothing is left.
        let _ = end(&self.pidfd);
    }
}

fn begin(ids: Ids, nesting: Nesting, privilege: Privilege) -> Result<Making, StepError> {
    let (here, there) = Talk::pair().at(STEP, "socketpair")?;
    match sys::clone3(0).at(STEP, "clone3(owner)")? {
        Side::Child => {
            drop(here);
            let result = match own(ids, nesting, privilege) {
                Ok(()) => there.tell(&Word::Unshared, &[]),
                Err(err) => there.fail(&err),
            };
            // Stays until it is killed: the namespace needs a process until it has a descriptor.
            if result.is_ok() {
                let _ = there.hear::<Word>(STEP, PATIENCE);
            }
            sys::exit_now(0);
        }
        Side::Parent { pid, pidfd } => Ok(Making { talk: here, pid, pidfd, ids }),
    }
}

/// In the new process: becomes the owner and unshares.
fn own(ids: Ids, nesting: Nesting, privilege: Privilege) -> Result<(), StepError> {
    let (uid, gid) = (Uid::from_raw(ids.owner), Gid::from_raw(ids.owner));
    privilege.drop_groups().at(STEP, "setgroups")?;
    sys::prctl(libc::PR_SET_KEEPCAPS, 1, 0).at(STEP, "PR_SET_KEEPCAPS")?;
    setresgid(gid, gid, gid).at(STEP, "setresgid")?;
    setresuid(uid, uid, uid).at(STEP, "setresuid")?;
    sys::capset(KEPT, 0).at(STEP, "capset")?;
    // Its /proc files must belong to it, not to host root, for the maps to be written.
    sys::prctl(libc::PR_SET_DUMPABLE, 1, 0).at(STEP, "PR_SET_DUMPABLE")?;
    if ids.counted && privilege.tolerates_no_cap() {
        // For want of `pids.max`: what is in the new namespace counts in its parent, the machine's,
        // and this is how many may (`rlimit_max` of a user namespace, since Linux 5.14).
        let most = MACHINE_PIDS.value;
        let most = getrlimit(Resource::RLIMIT_NPROC).map_or(most, |(_, hard)| most.min(hard));
        setrlimit(Resource::RLIMIT_NPROC, most, most).at(STEP, "setrlimit(RLIMIT_NPROC)")?;
    }
    unshare(CloneFlags::CLONE_NEWUSER).at(STEP, "unshare(CLONE_NEWUSER)")?;
    let flags = OFlag::O_PATH | OFlag::O_DIRECTORY | OFlag::O_CLOEXEC;
    let limits = open("/proc/sys/user", flags, Mode::empty()).at(STEP, "open /proc/sys/user")?;
    confine::limit_user_namespace(limits.as_fd(), nesting)
}

fn map(pid: i32, ids: Ids) -> Result<OwnedFd, StepError> {
    for file in ["gid_map", "uid_map"] {
        let own =
            fs::read_to_string(format!("/proc/self/{file}")).at(STEP, format!("read {file}"))?;
        fs::write(format!("/proc/{pid}/{file}"), lines(ids, &own))
            .at(STEP, format!("write {file}"))?;
    }
    let flags = OFlag::O_RDONLY | OFlag::O_CLOEXEC;
    open(format!("/proc/{pid}/ns/user").as_str(), flags, Mode::empty()).at(STEP, "open ns/user")
}

/// The text of a map. An extent of it must lie in one extent of its parent's, and a user's launcher
/// has several: itself, and subordinate ids.
fn lines(ids: Ids, parents: &str) -> String {
    let end = u64::from(ids.first) + u64::from(ids.count);
    let mut text = String::new();
    for line in parents.lines() {
        let mut fields = line.split_whitespace().map_while(|field| field.parse::<u64>().ok());
        let (Some(start), Some(count)) = (fields.next(), fields.nth(1)) else { continue };
        let first = start.max(ids.first.into());
        let count = (start + count).min(end).saturating_sub(first);
        if count > 0 {
            text += &format!("{} {first} {count}\n", first - u64::from(ids.first));
        }
    }
    text
}

/// Ends a helper of ours and reaps it.
pub(crate) fn end(pidfd: &OwnedFd) -> Result<(), StepError> {
    // It may have ended by itself.
    let _ = sys::pidfd_signal(pidfd.as_fd(), libc::SIGKILL);
    sys::wait_pidfd_within(pidfd.as_fd(), PATIENCE).at(STEP, "reap the helper").map(drop)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_map_is_cut_where_its_parents_is() {
        let ids = |first, count| Ids { owner: 0, first, count, counted: false };
        let root = "         0          0 4294967295\n";
        assert_eq!(lines(ids(2_000_000_000, 65_536), root), "0 2000000000 65536\n");
        let user = "         0       1000          1\n         1     100000      65536\n";
        assert_eq!(lines(ids(0, 65_535), user), "0 0 1\n1 1 65534\n");
        assert_eq!(lines(ids(0, 1), user), "0 0 1\n");
        assert_eq!(lines(ids(5, 10), user), "0 5 10\n");
    }
}
