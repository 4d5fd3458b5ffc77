//! Whom a program runs as and where it begins: the words of an image, or of whoever starts it.
//!
//! A user is a name or a number of the *image's* `/etc/passwd`, as Docker reads it. By the time it
//! is looked up, the image is the root and a stranger's work: both files are opened below it
//! without leaving it (no link of `/proc` that leads to a descriptor, no other mount), must be
//! regular, and are read up to a limit. A line that is not what it should be is nobody.

mod names;

use std::fs::File;
use std::io::Read as _;
use std::os::fd::{AsFd as _, BorrowedFd, OwnedFd};
use std::path::{Component, Path};

use nix::errno::Errno;
use nix::fcntl::{OFlag, OpenHow, ResolveFlag, open};
use nix::sys::stat::{Mode, SFlag, fstat, mkdirat};
use nix::unistd::{Gid, Uid, fchdir, fchown, setgroups, setresgid, setresuid};
use vitrine_shared::message::StepName;
use vitrine_shared::spec::ContainerSpec;

use super::super::images::Config;
use super::super::privilege::Privilege;
use super::super::step::{At as _, StepError};
use super::super::sys;
pub(crate) use names::Person;

const STEP: StepName = StepName::RunAs;
/// Larger than the list of users of any image.
const LIST_BYTES: u64 = 1 << 20;
/// Groups that one user may be in.
const MOST_GROUPS: usize = 256;
/// As Docker: the kernel's own ids end later, but not everywhere.
const LAST_ID: u32 = i32::MAX.unsigned_abs();

/// What was said of it; nothing is said: root, where it stands.
#[derive(Clone, Copy, Debug, Default)]
pub(crate) struct RunAs<'a> {
    /// `USER[:GROUP]`, each a name or a number.
    pub(crate) user: Option<&'a str>,
    /// The directory, as a path of its own root.
    pub(crate) workdir: Option<&'a str>,
}

impl<'a> RunAs<'a> {
    /// What the spec says, and where it says nothing the image.
    pub(crate) fn of(spec: &'a ContainerSpec, image: Option<&'a Config>) -> Self {
        let said = |word: fn(&Config) -> &String| {
            image.map(word).map(String::as_str).filter(|word| !word.is_empty())
        };
        RunAs {
            user: spec.user.as_deref().or_else(|| said(|image| &image.user)),
            workdir: spec.workdir.as_deref().or_else(|| said(|image| &image.working_dir)),
        }
    }

    /// Looks the user up in the root that this process is in by now.
    pub(super) fn find(self, last: u32) -> Result<Option<Person>, StepError> {
        let Some(user) = self.user else { return Ok(None) };
        let root = root()?;
        let passwd = read_list(&root, "etc/passwd")?;
        let group = read_list(&root, "etc/group")?;
        let person = Person::find(user, &passwd, &group).map_err(|no| {
            let what = format!("run as {user:?}: {no}");
            StepError::new(STEP, what, Errno::ENOENT)
        })?;
        person.check(user, last)?;
        Ok(Some(person))
    }

    /// Goes to the directory, which is made when it is not there, as Docker does. While this is
    /// still root: a user may begin where they could not have gone.
    pub(super) fn enter_directory(self) -> Result<(), StepError> {
        let Some(path) = self.workdir else { return Ok(()) };
        let what = || format!("enter the working directory {path:?}");
        let directory = directory(path).at(STEP, what())?;
        fchdir(&directory).at(STEP, what())
    }

    /// What was done, for the page; empty when nothing was.
    pub(super) fn call(self, person: Option<&Person>) -> String {
        let mut calls = Vec::new();
        calls.extend(self.workdir.map(|path| format!("chdir({path:?})")));
        if let Some(Person { uid, gid, groups, .. }) = person {
            calls.push(format!("setgroups({groups:?})"));
            calls.push(format!("setresgid({gid}, {gid}, {gid}); setresuid({uid}, {uid}, {uid})"));
        }
        calls.join("; ")
    }
}

/// The last id that a program may have: a machine's very last one owns the user namespaces of its
/// containers, so nothing runs as it. Without a user namespace the ids are the host's.
pub(super) fn last_id(userns: bool, privilege: Privilege) -> u32 {
    match (userns, privilege.ids_per_machine()) {
        (false, _) if privilege == Privilege::Root => LAST_ID,
        (_, ids) => ids.saturating_sub(2),
    }
}

impl Person {
    fn check(&self, user: &str, last: u32) -> Result<(), StepError> {
        let ids = [self.uid, self.gid].into_iter().chain(self.groups.iter().copied());
        if let Some(beyond) = ids.into_iter().find(|&id| id > last) {
            let there = match last {
                0 => "there is no other id than 0 in here".to_string(),
                last => format!("the ids in here end at {last}"),
            };
            let what = format!("run as {user:?}, whose id is {beyond}: {there}");
            return Err(StepError::new(STEP, what, Errno::EINVAL));
        }
        if self.groups.len() > MOST_GROUPS {
            let (count, most) = (self.groups.len(), MOST_GROUPS);
            let what =
                format!("run as {user:?}, who is in {count} groups: at most {most} are taken");
            return Err(StepError::new(STEP, what, Errno::E2BIG));
        }
        Ok(())
    }

    /// Becomes this user for good; `terminal` is theirs from then on. Capabilities stay as they
    /// are (`SECBIT_NO_SETUID_FIXUP`), and are given up next.
    pub(super) fn become_them(
        &self,
        terminal: Option<BorrowedFd<'_>>,
        privilege: Privilege,
    ) -> Result<(), StepError> {
        let (uid, gid) = (Uid::from_raw(self.uid), Gid::from_raw(self.gid));
        if let Some(terminal) = terminal {
            fchown(terminal, Some(uid), None).at(STEP, "fchown(terminal)")?;
        }
        if self.groups.is_empty() {
            privilege.drop_groups().at(STEP, "setgroups")?;
        } else {
            let groups: Vec<Gid> = self.groups.iter().copied().map(Gid::from_raw).collect();
            setgroups(&groups).at(STEP, "setgroups")?;
        }
        setresgid(gid, gid, gid).at(STEP, "setresgid")?;
        setresuid(uid, uid, uid).at(STEP, "setresuid")?;
        // A change of ids makes it what the host's fs.suid_dumpable says.
        sys::prctl(libc::PR_SET_DUMPABLE, 0, 0).at(STEP, "PR_SET_DUMPABLE")
    }
}

fn root() -> Result<OwnedFd, StepError> {
    let flags = OFlag::O_PATH | OFlag::O_DIRECTORY | OFlag::O_CLOEXEC;
    open("/", flags, Mode::empty()).at(STEP, "open /")
}

/// Links are followed, but lead nowhere out of the root: none of `/proc` that stands for a
/// descriptor, and `/` and `..` end at the root.
fn inside() -> ResolveFlag {
    ResolveFlag::RESOLVE_IN_ROOT | ResolveFlag::RESOLVE_NO_MAGICLINKS
}

/// A list of the image's; empty when there is none.
fn read_list(root: &OwnedFd, path: &str) -> Result<Vec<u8>, StepError> {
    let flags = OFlag::O_RDONLY | OFlag::O_NONBLOCK | OFlag::O_NOCTTY | OFlag::O_CLOEXEC;
    let how = OpenHow::new().flags(flags).resolve(inside() | ResolveFlag::RESOLVE_NO_XDEV);
    let what = || format!("read /{path} of the image");
    let file = match sys::openat2(root, path, how) {
        Err(Errno::ENOENT | Errno::ENOTDIR) => return Ok(Vec::new()),
        other => other.at(STEP, what())?,
    };
    let kind = SFlag::from_bits_truncate(fstat(&file).at(STEP, what())?.st_mode);
    if kind & SFlag::S_IFMT != SFlag::S_IFREG {
        let what = format!("/{path} of the image is no file");
        return Err(StepError::new(STEP, what, Errno::EINVAL));
    }
    let mut text = Vec::new();
    File::from(file).take(LIST_BYTES + 1).read_to_end(&mut text).at(STEP, what())?;
    if text.len() as u64 > LIST_BYTES {
        let what = format!("/{path} of the image has more than {LIST_BYTES} bytes");
        return Err(StepError::new(STEP, what, Errno::EFBIG));
    }
    Ok(text)
}

/// A directory of the root; what is missing of it is made.
fn directory(path: &str) -> nix::Result<OwnedFd> {
    let flags = OFlag::O_PATH | OFlag::O_DIRECTORY | OFlag::O_CLOEXEC;
    let how = OpenHow::new().flags(flags).resolve(inside());
    let root = open("/", flags, Mode::empty())?;
    match sys::openat2(&root, path, how) {
        Err(Errno::ENOENT) => {}
        other => return other,
    }
    // Each level is opened from the root again: `..` and links stay inside.
    let mut walked = std::path::PathBuf::new();
    let mut above = root.try_clone().map_err(|_| Errno::EMFILE)?;
    for part in Path::new(path).components() {
        walked.push(part);
        let next = match (sys::openat2(&root, &walked, how), part) {
            (Err(Errno::ENOENT), Component::Normal(name)) => {
                mkdirat(above.as_fd(), name, Mode::from_bits_truncate(0o755))?;
                sys::openat2(&root, &walked, how)
            }
            (found, _) => found,
        };
        above = next?;
    }
    Ok(above)
}
