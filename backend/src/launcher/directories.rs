//! The launcher's own directory for what must not outlive the host: made, and looked at.

use std::fs;
use std::os::unix::fs::{DirBuilderExt as _, MetadataExt as _};
use std::path::Path;

use anyhow::Context as _;

use super::privilege::Privilege;

/// Makes the run directory when it is not there, and makes sure that it is ours.
pub(crate) fn prepare(privilege: Privilege) -> anyhow::Result<()> {
    let dir = privilege.run_directory();
    // Root's machines have uids of their own that must pass through.
    let mode = if privilege.is_rootless() { 0o700 } else { 0o711 };
    let made = fs::DirBuilder::new().mode(mode).recursive(true).create(&dir);
    made.with_context(|| format!("make {}", dir.display()))?;
    check(&dir, privilege)
}

/// An ordinary user's may be below `/tmp`, where somebody else could have put something first.
fn check(dir: &Path, privilege: Privilege) -> anyhow::Result<()> {
    if !privilege.is_rootless() {
        return Ok(());
    }
    let found = fs::symlink_metadata(dir).with_context(|| dir.display().to_string())?;
    anyhow::ensure!(
        found.is_dir()
            && found.uid() == nix::unistd::geteuid().as_raw()
            && found.mode() & 0o077 == 0,
        "{} must be a directory of yours that nobody else can enter (mode 700); remove it, or set XDG_RUNTIME_DIR",
        dir.display()
    );
    Ok(())
}

#[cfg(test)]
mod tests {
    use std::os::unix::fs::{PermissionsExt as _, symlink};

    use vitrine_shared::message::Because;

    use super::super::privilege::Ids;
    use super::*;

    #[test]
    fn only_a_directory_of_ones_own_is_taken() {
        let user = Privilege::Rootless { uid: 0, ids: Ids::One(Because::NoSubIds) };
        let dir = tempfile::tempdir().unwrap();
        let (good, open, link) =
            (dir.path().join("good"), dir.path().join("open"), dir.path().join("link"));
        for (path, mode) in [(&good, 0o700), (&open, 0o755)] {
            fs::create_dir(path).unwrap();
            fs::set_permissions(path, fs::Permissions::from_mode(mode)).unwrap();
        }
        symlink(&good, &link).unwrap();
        assert!(check(&good, user).is_ok());
        assert!(check(&open, user).unwrap_err().to_string().contains("mode 700"));
        assert!(check(&link, user).is_err(), "a link is no directory");
    }
}
