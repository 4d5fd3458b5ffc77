//! The process that unpacks, and what it cannot do.
//!
//! Its root is the new image, so no path leads out; Landlock says the same of descriptors; of
//! root's capabilities it keeps what writing other users' files takes; the filter leaves it file
//! calls on what is open. A bug in a decompressor could at worst spoil the image that is refused
//! or kept by its digest anyway.

use std::os::fd::{AsFd, BorrowedFd};

use anyhow::Context as _;
use landlock::{
    ABI, Access as _, AccessFs, BitFlags, CompatLevel, Compatible as _, PathBeneath, Ruleset,
    RulesetAttr as _, RulesetCreatedAttr as _,
};
use nix::sys::resource::{Resource, setrlimit};
use vitrine_shared::limits::IMAGE_BYTES;

use super::super::super::{confine, sys};

/// From `linux/capability.h`.
const CAP_CHOWN: u32 = 0;
const CAP_DAC_OVERRIDE: u32 = 1;
const CAP_FOWNER: u32 = 3;
/// Memory: a few windows of a decompressor, and the list of an archive's members.
const MEMORY: u64 = 2 << 30;
/// The first one in which linking from one directory to another can be allowed.
const LANDLOCK: ABI = ABI::V2;

/// Gives everything up but the image's root, and reading what is unpacked.
pub(crate) fn enter(root: BorrowedFd<'_>, source: Option<BorrowedFd<'_>>) -> anyhow::Result<()> {
    sys::prctl(libc::PR_SET_PDEATHSIG, libc::SIGKILL.unsigned_abs().into(), 0)?;
    sys::prctl(libc::PR_SET_DUMPABLE, 0, 0)?;
    setrlimit(Resource::RLIMIT_AS, MEMORY, MEMORY).context("setrlimit(RLIMIT_AS)")?;
    // A little more than is looked for: our own words are better than SIGXFSZ.
    let largest = IMAGE_BYTES.value + (1 << 20);
    setrlimit(Resource::RLIMIT_FSIZE, largest, largest).context("setrlimit(RLIMIT_FSIZE)")?;
    setrlimit(Resource::RLIMIT_CORE, 0, 0).context("setrlimit(RLIMIT_CORE)")?;
    confine::no_new_privs()?;
    landlock(root, source)?;
    if nix::unistd::geteuid().is_root() {
        nix::unistd::fchdir(root).context("fchdir")?;
        nix::unistd::chroot(".").context("chroot")?;
        let keep = [CAP_CHOWN, CAP_DAC_OVERRIDE, CAP_FOWNER];
        confine::drop_bounding(&keep).context("PR_CAPBSET_DROP")?;
        confine::clear_ambient().context("PR_CAP_AMBIENT_CLEAR_ALL")?;
        sys::capset(keep.iter().fold(0, |set, &bit| set | 1 << bit), 0).context("capset")?;
    }
    sys::seccomp(confine::filter::UNPACK).context("seccomp(unpack)")
}

/// A kernel without Landlock, or with one that cannot allow links, leaves the other walls.
fn landlock(root: BorrowedFd<'_>, source: Option<BorrowedFd<'_>>) -> anyhow::Result<()> {
    let all = AccessFs::from_all(LANDLOCK);
    let handled = Ruleset::default()
        .set_compatibility(CompatLevel::HardRequirement)
        .handle_access(all)
        .and_then(|ruleset| ruleset.create());
    let Ok(rules) = handled else { return Ok(()) };
    let never: BitFlags<AccessFs> = AccessFs::Execute
        | AccessFs::MakeChar
        | AccessFs::MakeBlock
        | AccessFs::MakeFifo
        | AccessFs::MakeSock;
    let mut rules = rules.add_rule(PathBeneath::new(root, all & !never))?;
    if let Some(source) = source {
        let read = AccessFs::ReadFile | AccessFs::ReadDir;
        rules = rules.add_rule(PathBeneath::new(source.as_fd(), read))?;
    }
    rules.restrict_self().context("Landlock")?;
    Ok(())
}
