//! An ordinary user becomes root of a user namespace, in the same process.
//!
//! ```text
//! vitrine                              helper, outside
//!   unshare(NEWUSER | NEWNS) ────────► newuidmap PID 0 UID 1  1 100000 65536
//!   (no id yet)                        newgidmap PID 0 GID 1  1 100000 65536
//!   0 is the user, 1… are sub-ids ◄─── ends
//!   mounts of its own, spreading nowhere
//! ```
//!
//! Without sub-ids or without `newuidmap` the user's own id is all there is. It must happen before
//! `no_new_privs` (`newuidmap` is setuid), and while there is one thread.

use std::os::fd::OwnedFd;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::time::Duration;

use nix::errno::Errno;
use nix::sched::{CloneFlags, unshare};
use nix::unistd::{getegid, geteuid};
use vitrine_shared::message::{Because, StepName};

use super::super::step::StepError;
use super::super::sys::{self, Side};
use super::super::talk::{Talk, Told};
use super::super::uids::RANGE;
use super::super::{mounts, userns};
use super::subids::{self, Range};
use super::{Host, Ids, MANY, Privilege, Restriction, SERVICES};

/// `newuidmap` asks a directory service on some hosts.
const PATIENCE: Duration = Duration::from_secs(10);

/// Which ids there can be, and who writes the maps.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Maps {
    /// The user's own id, mapped by the user; and why there are no more.
    One(Because),
    /// The user's own, and subordinate ids, mapped by the two programs.
    Sub { programs: [PathBuf; 2], uids: Vec<Range>, gids: Vec<Range> },
    /// Root of a user namespace already: that namespace's own ids, one to one.
    Own(u32),
}

impl Maps {
    /// Looks at what this user has.
    pub(crate) fn find(host: &Host) -> Self {
        let uid = geteuid().as_raw();
        if uid == 0 {
            let own = host.own_ids().unwrap_or(1).min(RANGE + SERVICES);
            return if own >= MANY { Maps::Own(own) } else { Maps::One(Because::NoSubIds) };
        }
        Self::for_user(host, uid)
    }

    fn for_user(host: &Host, uid: u32) -> Self {
        let name = subids::name_of(&host.etc.join("passwd"), uid);
        let of = |file: &str| {
            let ranges = subids::of_user(&host.etc.join(file), name.as_deref(), uid);
            // With the user's own one, as many as a machine and the services can have.
            subids::cut(&ranges, RANGE + SERVICES - 1)
        };
        let (uids, gids) = (of("subuid"), of("subgid"));
        if subids::total(&uids).min(subids::total(&gids)) < MANY {
            return Maps::One(Because::NoSubIds);
        }
        match [host.program("newuidmap"), host.program("newgidmap")] {
            [Some(newuidmap), Some(newgidmap)] => {
                Maps::Sub { programs: [newuidmap, newgidmap], uids, gids }
            }
            _ => Maps::One(Because::NoNewIdMap),
        }
    }

    /// The ids that come of it.
    pub(crate) fn ids(&self) -> Ids {
        match self {
            Maps::One(because) => Ids::One(*because),
            Maps::Sub { uids, gids, .. } => {
                Ids::Many(1 + subids::total(uids).min(subids::total(gids)))
            }
            Maps::Own(count) => Ids::Many(*count),
        }
    }
}

/// Enters a user namespace of one's own, unless this is root of the host.
pub fn enter(host: &Host) -> Result<Privilege, Restriction> {
    let (uid, gid) = (geteuid().as_raw(), getegid().as_raw());
    if uid == 0 && host.is_initial_namespace() {
        return Ok(Privilege::Root);
    }
    let maps = Maps::find(host);
    let helper = match &maps {
        Maps::One(_) => None,
        maps => Some(Helper::start(maps, uid, gid).map_err(|err| unknown(&err))?),
    };
    let flags = CloneFlags::CLONE_NEWUSER | CloneFlags::CLONE_NEWNS;
    unshare(flags).map_err(|errno| {
        Restriction::recognise(host, "unshare(CLONE_NEWUSER | CLONE_NEWNS)", errno)
    })?;
    let ids = match (helper, maps.ids()) {
        (Some(helper), ids) => match helper.map() {
            Ok(()) => ids,
            // Nothing of ours is wrong: its privilege has gone, or it does not like the ranges.
            Err(err) => {
                tracing::warn!(%err, "newuidmap does not map subordinate ids");
                Ids::One(Because::NoNewIdMap)
            }
        },
        (None, ids) => ids,
    };
    if let Ids::One(_) = ids {
        map_own(uid, gid).map_err(|(file, errno)| {
            Restriction::recognise(host, &format!("write {file}"), errno)
        })?;
    }
    let privilege = Privilege::Rootless { uid, ids };
    mounts::make_private()
        .map_err(|err| Restriction::recognise(host, "mount in a user namespace", err.errno()))?;
    privilege.drop_groups().map_err(|errno| Restriction::recognise(host, "setgroups", errno))?;
    Ok(privilege)
}

fn unknown(err: &StepError) -> Restriction {
    Restriction::Unknown { doing: err.what.clone(), errno: err.errno() }
}

/// 0 is the user. `setgroups` must be given up for it (`user_namespaces(7)`).
fn map_own(uid: u32, gid: u32) -> Result<(), (&'static str, Errno)> {
    for (file, text) in [
        ("setgroups", "deny".to_string()),
        ("gid_map", format!("0 {gid} 1\n")),
        ("uid_map", format!("0 {uid} 1\n")),
    ] {
        std::fs::write(format!("/proc/self/{file}"), text)
            .map_err(|err| (file, Errno::from_raw(err.raw_os_error().unwrap_or(libc::EIO))))?;
    }
    Ok(())
}

/// A process outside the new namespace, which has the maps of its maker written.
struct Helper {
    talk: Talk,
    pidfd: OwnedFd,
}

const STEP: StepName = StepName::IdMap;

impl Helper {
    fn start(maps: &Maps, uid: u32, gid: u32) -> Result<Self, StepError> {
        let (here, there) =
            Talk::pair().map_err(|errno| StepError::new(STEP, "socketpair", errno))?;
        let pid = std::process::id();
        match sys::clone3(0).map_err(|errno| StepError::new(STEP, "clone3(helper)", errno))? {
            Side::Child => {
                drop(here);
                // Closed without a word: the namespace was not made.
                if let Ok(Told::Word((), _)) = there.hear::<()>(STEP, PATIENCE) {
                    let sent = match write_maps(maps, pid, uid, gid) {
                        Ok(()) => there.tell(&(), &[]),
                        Err(err) => there.fail(&err),
                    };
                    sys::exit_now(i32::from(sent.is_err()));
                }
                sys::exit_now(1)
            }
            Side::Parent { pidfd, .. } => Ok(Helper { talk: here, pidfd }),
        }
    }

    /// The namespace is there: has its maps written.
    fn map(&self) -> Result<(), StepError> {
        let broken = || StepError::new(STEP, "the helper has gone", Errno::EPIPE);
        self.talk.tell(&(), &[]).map_err(|_| broken())?;
        match self.talk.hear::<()>(STEP, PATIENCE)? {
            Told::Word((), _) => Ok(()),
            Told::Closed => Err(broken()),
        }
    }
}

impl Drop for Helper {
    fn drop(&mut self) {
        // It has ended by itself, or is of no use any more.
        let _ = userns::end(&self.pidfd);
    }
}

fn write_maps(maps: &Maps, pid: u32, uid: u32, gid: u32) -> Result<(), StepError> {
    match maps {
        Maps::One(_) => Ok(()),
        Maps::Own(count) => ["gid_map", "uid_map"].into_iter().try_for_each(|file| {
            let written = std::fs::write(format!("/proc/{pid}/{file}"), format!("0 0 {count}\n"));
            written.map_err(|err| {
                let errno = Errno::from_raw(err.raw_os_error().unwrap_or(libc::EIO));
                StepError::new(STEP, format!("write {file}"), errno)
            })
        }),
        // Users first: when that fails nothing is written, and the single id can be.
        Maps::Sub { programs: [newuidmap, newgidmap], uids, gids } => {
            have_mapped(newuidmap, pid, uid, uids)?;
            have_mapped(newgidmap, pid, gid, gids)
        }
    }
}

fn have_mapped(program: &Path, pid: u32, own: u32, ranges: &[Range]) -> Result<(), StepError> {
    let mut words = vec![pid, 0, own, 1];
    let mut next = 1;
    for &(first, count) in ranges {
        words.extend([next, first, count]);
        next += count;
    }
    let output =
        Command::new(program).args(words.iter().map(u32::to_string)).stdin(Stdio::null()).output();
    let failed =
        |said: String, errno| StepError::new(STEP, format!("{}: {said}", program.display()), errno);
    match output {
        Ok(output) if output.status.success() => Ok(()),
        Ok(output) => {
            let said = String::from_utf8_lossy(&output.stderr).trim().to_string();
            Err(failed(said, Errno::EPERM))
        }
        Err(err) => {
            let errno = Errno::from_raw(err.raw_os_error().unwrap_or(libc::EIO));
            Err(failed("cannot be run".into(), errno))
        }
    }
}

#[cfg(test)]
mod tests {
    use std::fs;
    use std::os::unix::fs::PermissionsExt as _;

    use super::*;

    fn host(subuid: &str, subgid: &str, programs: &[&str]) -> (tempfile::TempDir, Host) {
        let dir = tempfile::tempdir().unwrap();
        fs::write(dir.path().join("passwd"), "me:x:1000:1000::/home/me:/bin/sh\n").unwrap();
        fs::write(dir.path().join("subuid"), subuid).unwrap();
        fs::write(dir.path().join("subgid"), subgid).unwrap();
        for name in programs {
            let path = dir.path().join(name);
            fs::write(&path, "").unwrap();
            fs::set_permissions(&path, fs::Permissions::from_mode(0o755)).unwrap();
        }
        let host = Host { etc: dir.path().into(), path: dir.path().into(), ..Host::default() };
        (dir, host)
    }

    #[test]
    fn ids_are_what_both_files_and_both_programs_give() {
        let both = ["newuidmap", "newgidmap"];
        let ranges = "me:100000:65536\n";
        let ids = |subuid, subgid, programs: &[&str]| {
            let (_dir, host) = host(subuid, subgid, programs);
            Maps::for_user(&host, 1000).ids()
        };
        assert_eq!(ids(ranges, ranges, &both), Ids::Many(65_537));
        assert_eq!(ids(ranges, "me:100000:1000\n", &both), Ids::Many(1_001));
        assert_eq!(ids("1000:5000000:1000000\n", ranges, &both), Ids::Many(65_537));
        assert_eq!(ids(ranges, "", &both), Ids::One(Because::NoSubIds));
        assert_eq!(ids("you:100000:65536\n", ranges, &both), Ids::One(Because::NoSubIds));
        assert_eq!(ids(ranges, ranges, &["newuidmap"]), Ids::One(Because::NoNewIdMap));
    }
}
