//! Groups that a machine's owner makes below the machine's own (profile `lab`).

use std::fs;
use std::io;
use std::os::unix::fs::{PermissionsExt as _, chown};

use vitrine_shared::cgroup::Dialect;

use super::end::write_existing;
use super::{Cgroup, CgroupError, failed};

/// What whoever may make groups below one must be able to write there, in either dialect.
const FILES: &[&str] = &["tasks", "cgroup.procs", "cgroup.threads"];
/// Which controllers the children of a group have. Whoever may write it takes their limits away.
const CONTROLLERS_FILE: &str = "cgroup.subtree_control";

impl Cgroup {
    /// Lets `uid` and its group make groups below this one and move processes in: the directory by
    /// group and sticky, so that what is host root's in there can be neither renamed nor removed
    /// by anybody else; the limits of this group itself stay host root's.
    /// With `controllers` they also say which controllers its children have, which is not for a
    /// group in which host root's own children have limits.
    pub(crate) fn delegate(&self, uid: u32, controllers: bool) -> Result<(), CgroupError> {
        let more = controllers.then_some(&CONTROLLERS_FILE);
        for (_, dir) in self.directories() {
            chown(&dir, None, Some(uid)).map_err(failed("give away", &dir))?;
            let mode = fs::Permissions::from_mode(0o1775);
            fs::set_permissions(&dir, mode).map_err(failed("give away", &dir))?;
            for path in FILES.iter().chain(more).map(|name| dir.join(name)) {
                match chown(&path, Some(uid), Some(uid)) {
                    // Each dialect has its own of these.
                    Err(err) if err.kind() == io::ErrorKind::NotFound => {}
                    other => other.map_err(failed("give away", &path))?,
                }
            }
        }
        Ok(())
    }

    /// Bounds how many groups there can be below this one, and how deep, where the kernel can
    /// (v2). On v1 each is charged to the machine's memory, and there is no other bound.
    pub(crate) fn limit_groups(&self, count: u64, depth: u64) -> Result<(), CgroupError> {
        let v2 = self.directories().filter(|(hierarchy, _)| hierarchy.dialect == Dialect::V2);
        for (_, dir) in v2 {
            for (file, limit) in [("cgroup.max.descendants", count), ("cgroup.max.depth", depth)] {
                let path = dir.join(file);
                write_existing(&path, &limit.to_string()).map_err(failed("write", &path))?;
            }
        }
        Ok(())
    }
}
