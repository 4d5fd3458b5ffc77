//! Mounts that a birth makes, really made: overlay, id-mapped, a tmpfs with limits.

use std::fs;
use std::os::fd::AsFd as _;
use std::os::unix::fs::MetadataExt as _;
use std::path::{Path, PathBuf};

use nix::errno::Errno;
use nix::mount::{MsFlags, mount};
use nix::sched::CloneFlags;

use super::probe::{self, errno};
use super::{Finding, Host, Severity};
use crate::launcher::privilege::Privilege;
use crate::launcher::step::StepError;
use crate::launcher::uids::UidRange;
use crate::launcher::{mounts, userns};

const NONE: Option<&str> = None;
/// Covered by a tmpfs in the child's own mount namespace; nobody else sees it.
const STAGE: &str = "/tmp";
/// What the tmpfs may hold, and more than that.
const TMPFS_BYTES: usize = 64 << 10;

pub(super) fn check(host: &Host) -> Vec<Finding> {
    vec![
        overlay(probe::child(|| try_overlay(host.privilege.overlay_options()))),
        id_mapped(host),
        tmpfs(probe::child(try_tmpfs)),
        data_directory(host),
    ]
}

fn stage(options: &str) -> nix::Result<()> {
    probe::enter(CloneFlags::CLONE_NEWNS)?;
    mount(NONE, "/", NONE, MsFlags::MS_REC | MsFlags::MS_PRIVATE, NONE)?;
    mount(Some("tmpfs"), STAGE, Some("tmpfs"), MsFlags::empty(), Some(options))
}

fn try_overlay(more: &str) -> nix::Result<()> {
    stage("size=1m,nr_inodes=64")?;
    let at = |name: &str| Path::new(STAGE).join(name);
    for name in ["lower", "upper", "work", "root"] {
        fs::create_dir(at(name)).map_err(|err| errno(&err))?;
    }
    fs::write(at("lower/file"), "below").map_err(|err| errno(&err))?;
    let options =
        format!("lowerdir={STAGE}/lower,upperdir={STAGE}/upper,workdir={STAGE}/work{more}");
    mount(Some("overlay"), &at("root"), Some("overlay"), MsFlags::empty(), Some(&*options))?;
    // Copied up, and the lower one as it was.
    fs::write(at("root/file"), "above").map_err(|err| errno(&err))?;
    let lower = fs::read_to_string(at("lower/file")).map_err(|err| errno(&err))?;
    if lower == "below" { Ok(()) } else { Err(Errno::EIO) }
}

fn overlay(tried: nix::Result<()>) -> Finding {
    match tried {
        Ok(()) => Finding::ok("overlay", "mounted in a child process, a file was copied up"),
        Err(errno) => Finding::new(
            Severity::Error,
            "overlay",
            format!("cannot be mounted: {errno:?}"),
            "every root file system is a read-only image under a layer that can be written",
            if errno == Errno::ENODEV { "modprobe overlay" } else { "" },
        ),
    }
}

fn try_tmpfs() -> nix::Result<()> {
    stage(&format!("size={TMPFS_BYTES},nr_inodes=16"))?;
    let file = Path::new(STAGE).join("file");
    match fs::write(&file, vec![0; 4 * TMPFS_BYTES]).map_err(|err| errno(&err)) {
        Err(Errno::ENOSPC) => {}
        Err(errno) => return Err(errno),
        // More than it may hold.
        Ok(()) => return Err(Errno::EOVERFLOW),
    }
    fs::remove_file(&file).map_err(|err| errno(&err))?;
    let made = (0..64).try_for_each(|i| fs::create_dir(Path::new(STAGE).join(i.to_string())));
    match made.map_err(|err| errno(&err)) {
        Err(Errno::ENOSPC) => Ok(()),
        Err(errno) => Err(errno),
        Ok(()) => Err(Errno::EOVERFLOW),
    }
}

fn tmpfs(tried: nix::Result<()>) -> Finding {
    match tried {
        Ok(()) => Finding::ok("tmpfs-limits", "bytes and inodes are kept to"),
        Err(errno) => Finding::new(
            Severity::Error,
            "tmpfs-limits",
            match errno {
                Errno::EOVERFLOW => "a tmpfs held more than it was allowed".into(),
                errno => format!("a tmpfs with limits cannot be mounted: {errno:?}"),
            },
            "what a machine writes goes there; without limits it would fill the host's memory",
            "",
        ),
    }
}

/// The nearest directory that is there already: the data directory, or where it will be made.
fn nearest_directory(path: &Path) -> PathBuf {
    path.ancestors().find(|path| path.is_dir()).unwrap_or(Path::new("/")).to_path_buf()
}

fn id_mapped(host: &Host) -> Finding {
    let id = "id-mapped-mounts";
    if !host.is_root() {
        return Finding::new(
            Severity::Note,
            id,
            "only root makes them",
            "an ordinary user's images belong to that user",
            "",
        );
    }
    let directory = nearest_directory(&host.data);
    match try_id_mapped(&directory) {
        Ok(()) => Finding::ok(id, format!("the file system of {} can", directory.display())),
        Err(err) => Finding::new(
            Severity::Error,
            id,
            format!("the file system of {} cannot: {err}", directory.display()),
            "without them everything in an image would belong to nobody (65534)",
            "vitrine serve --data DIR    # on ext4, xfs or btrfs",
        ),
    }
}

/// A detached mount of the directory, mapped for a range of the pool; it is attached nowhere.
fn try_id_mapped(directory: &Path) -> anyhow::Result<()> {
    // Not from the pool, whose file would be made: nothing runs with these ids.
    let privilege = Privilege::Root;
    let making = userns::Making::for_run(&UidRange::of_nobody(), privilege)?;
    let userns = making.map()?;
    let mapped: Result<_, StepError> =
        mounts::lower_layer(directory, Some(userns.as_fd()), privilege);
    Ok(mapped.map(drop)?)
}

/// May the server write where images are kept, and nobody else?
fn data_directory(host: &Host) -> Finding {
    let id = "data-directory";
    let data = host.data.display();
    let Ok(meta) = fs::metadata(&host.data) else {
        return Finding::ok(id, format!("{data} is made when the server starts"));
    };
    let mend = format!("chown {} {data} && chmod go-w {data}", host.user);
    let why = "whoever can write there decides what runs in every machine";
    if meta.uid() != host.uid {
        let found = format!("{data} belongs to uid {}", meta.uid());
        return Finding::new(Severity::Warning, id, found, why, mend);
    }
    if meta.mode() & 0o022 != 0 {
        let found = format!("others may write to {data} (mode {:o})", meta.mode() & 0o7777);
        return Finding::new(Severity::Warning, id, found, why, mend);
    }
    Finding::ok(id, format!("{data} belongs to {}", host.user))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::doctor::fixture;
    use std::os::unix::fs::PermissionsExt as _;

    #[test]
    fn what_was_tried_is_told() {
        assert_eq!(overlay(Ok(())).severity, Severity::Ok);
        assert_eq!(overlay(Err(Errno::ENODEV)).mend, "modprobe overlay");
        assert_eq!(overlay(Err(Errno::EPERM)).severity, Severity::Error);
        assert_eq!(tmpfs(Ok(())).severity, Severity::Ok);
        assert!(tmpfs(Err(Errno::EOVERFLOW)).found.contains("more than"));
    }

    #[test]
    fn the_data_directory_is_its_owners_alone() {
        let (dir, mut host) = fixture(&[]);
        assert_eq!(data_directory(&host).severity, Severity::Ok);
        assert_eq!(nearest_directory(&host.data), dir.path());
        fs::create_dir(&host.data).unwrap();
        host.uid = fs::metadata(&host.data).unwrap().uid();
        fs::set_permissions(&host.data, fs::Permissions::from_mode(0o755)).unwrap();
        assert_eq!(data_directory(&host).severity, Severity::Ok);
        fs::set_permissions(&host.data, fs::Permissions::from_mode(0o777)).unwrap();
        assert!(data_directory(&host).found.contains("777"));
        host.uid += 1;
        assert!(data_directory(&host).found.contains("belongs to uid"));
    }
}
