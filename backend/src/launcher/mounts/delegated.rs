//! What the owner of a machine of profile `lab` gets to see and to mount over: its own `/proc` and
//! its own cgroups, which the root of the machine's user namespace mounts.

use std::collections::BTreeSet;
use std::os::unix::fs::symlink;
use std::path::Path;

use nix::mount::{MsFlags, mount};
use nix::sys::stat::Mode;
use nix::unistd::mkdir;
use vitrine_shared::cgroup::Dialect;
use vitrine_shared::message::StepName;

use super::super::cgroup::Hierarchy;
use super::super::step::{At as _, StepError};
use super::{NONE, real_directories};

const CGROUPS: &str = "sys/fs/cgroup";

/// A hierarchy as a machine sees it: below `/sys/fs/cgroup`, by the name that it has on the host.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct CgroupMount {
    dialect: Dialect,
    /// Below `/sys/fs/cgroup`; empty where a unified hierarchy is mounted there itself.
    name: String,
    /// The controllers, as `mount -o` takes them (v1).
    options: String,
}

/// The hierarchies of this host that machines have groups in. `mountinfo` tells which
/// controllers a v1 hierarchy really has: it can be mounted again only by all of their names.
pub(crate) fn cgroup_mounts<'a>(
    hierarchies: impl Iterator<Item = &'a Hierarchy>,
    mountinfo: &str,
    controllers: &str,
) -> Vec<CgroupMount> {
    let known: BTreeSet<&str> =
        controllers.lines().filter_map(|line| line.split_whitespace().next()).collect();
    let one = |hierarchy: &Hierarchy| {
        let root = &hierarchy.mount;
        let base = Path::new("/").join(CGROUPS);
        let name = root.strip_prefix(&base).ok().or(root.file_name().map(Path::new));
        let of_root = |line: &&str| line.split(' ').nth(4).map(Path::new) == Some(root.as_path());
        let options = mountinfo.lines().find(of_root).and_then(|line| line.rsplit(' ').next());
        let options = options.unwrap_or_default().split(',').filter(|word| known.contains(word));
        CgroupMount {
            dialect: hierarchy.dialect,
            name: name.unwrap_or(root).display().to_string(),
            options: options.collect::<Vec<_>>().join(","),
        }
    };
    hierarchies.map(one).collect()
}

/// Makes a mount of the new root that is this mount namespace's own: those that were copied into a
/// less privileged one are locked, and a locked one cannot become the root.
pub(crate) fn bind_to_itself(root: &Path) -> Result<(), StepError> {
    mount(Some(root), root, NONE, MsFlags::MS_BIND | MsFlags::MS_REC, NONE)
        .at(StepName::Rootfs, "bind the new root to itself")
}

/// Mounts `/proc` below the new root, with nothing covered: ids are the wall. Where something is
/// covered, nobody inside could mount that of a new PID namespace either
/// (`unshare --pid --fork --mount-proc`).
pub(crate) fn mount_proc(root: &Path) -> Result<(), StepError> {
    let strict = MsFlags::MS_NOSUID | MsFlags::MS_NODEV | MsFlags::MS_NOEXEC;
    mount(Some("proc"), &root.join("proc"), Some("proc"), strict, NONE)
        .at(StepName::Proc, "mount proc")
}

/// Mounts the machine's cgroups below the new root, by the names that they have on the host. The
/// cgroup namespace has the machine's root group for its root: nothing above can be seen.
pub(crate) fn mount_cgroups(root: &Path, mounts: &[CgroupMount]) -> Result<(), StepError> {
    let step = StepName::Proc;
    real_directories(root, CGROUPS).at(step, "the image's /sys/fs/cgroup")?;
    let base = root.join(CGROUPS);
    let quiet = MsFlags::MS_NOSUID | MsFlags::MS_NODEV | MsFlags::MS_NOEXEC;
    if mounts.iter().all(|mount| !mount.name.is_empty()) {
        let options = Some("size=64k,nr_inodes=256,mode=755");
        mount(Some("tmpfs"), &base, Some("tmpfs"), quiet, options)
            .at(step, "mount tmpfs on /sys/fs/cgroup")?;
    }
    for CgroupMount { dialect, name, options } in mounts {
        let at = if name.is_empty() { base.clone() } else { base.join(name) };
        if !name.is_empty() {
            mkdir(&at, Mode::from_bits_truncate(0o755)).at(step, format!("mkdir {name}"))?;
        }
        match dialect {
            Dialect::V1 => {
                mount(Some("cgroup"), &at, Some("cgroup"), quiet, Some(options.as_str()))
                    .at(step, format!("mount -t cgroup -o {options}"))?;
                links(&base, name, options).at(step, format!("links to {name}"))?;
            }
            Dialect::V2 => mount(Some("cgroup2"), &at, Some("cgroup2"), quiet, NONE)
                .at(step, "mount -t cgroup2")?,
        }
    }
    Ok(())
}

/// `cpu` and `cpuacct` for a hierarchy that is called `cpu,cpuacct`, as distributions have them.
fn links(base: &Path, name: &str, options: &str) -> std::io::Result<()> {
    for controller in options.split(',').filter(|&controller| controller != name) {
        symlink(name, base.join(controller))?;
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use vitrine_shared::cgroup::Controller;

    use super::*;

    #[test]
    fn by_the_names_and_with_the_controllers_of_the_host() {
        let mountinfo = "\
31 30 0:27 / /sys/fs/cgroup/cpu,cpuacct rw,nosuid shared:9 - cgroup cgroup rw,cpu,cpuacct
32 30 0:28 / /sys/fs/cgroup/net rw - cgroup cgroup rw,xattr,net_cls,release_agent=/x
33 30 0:29 / /sys/fs/cgroup/unified rw - cgroup2 cgroup2 rw,nsdelegate";
        let hierarchy = |dialect, root: &str| Hierarchy {
            controllers: vec![Controller::Cpu],
            dialect,
            mount: root.into(),
            root: root.into(),
        };
        let all = [
            hierarchy(Dialect::V1, "/sys/fs/cgroup/cpu,cpuacct"),
            hierarchy(Dialect::V1, "/sys/fs/cgroup/net"),
            hierarchy(Dialect::V2, "/sys/fs/cgroup/unified"),
            hierarchy(Dialect::V2, "/sys/fs/cgroup"),
            hierarchy(Dialect::V1, "/dev/cgroup/cpu"),
        ];
        let controllers = "#subsys_name\thierarchy\ncpu\t1\t9\t1\ncpuacct\t1\nnet_cls\t2\n";
        let found = cgroup_mounts(all.iter(), mountinfo, controllers);
        let words: Vec<_> = found.iter().map(|m| (m.name.as_str(), m.options.as_str())).collect();
        assert_eq!(
            words,
            [
                ("cpu,cpuacct", "cpu,cpuacct"),
                ("net", "net_cls"),
                ("unified", ""),
                ("", ""),
                ("cpu", "")
            ]
        );
    }
}
