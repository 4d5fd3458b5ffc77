//! The birth of a machine: its groups with their caps, and its PID 1 step by step, as on a live server of
//! profile `lab`. And what the model's kernel says of a new process.

use super::Not;
use super::groups::{self, Place};
use super::machine::at;
use super::steps::Steps;
use crate::birth::{MOUNTS, Mounted, Newborn};
use crate::discovery::Extent;
use crate::limits::{MACHINE_CPU, MACHINE_MEMORY, MACHINE_PIDS};
use crate::message::StepName;
use crate::namespace::{Namespace, NamespaceSet};
use crate::sim::errno::Errno;
use crate::sim::kernel::Kernel;
use crate::sim::procs::{IdRange, Proc, Signal};
use crate::sim::shell::program_names;

/// The ids of a machine.
pub(super) const IDS: u32 = 65_536;

/// The groups of a machine with its caps.
pub(super) fn make_cap(kernel: &mut Kernel, name: &str) -> Result<Place, Errno> {
    let top = groups::roots(kernel);
    let all = match groups::below(kernel, &top, "vitrine") {
        Some(all) => all,
        None => groups::make(kernel, &top, "vitrine")?,
    };
    let made = groups::make(kernel, &all, name)?;
    let cap = Place { path: String::new(), keys: made.keys };
    let root = groups::make(kernel, &cap, "root")?;
    groups::make(kernel, &root, "shell")?;
    let quota = MACHINE_CPU.value * 100;
    let (memory, pids) = (MACHINE_MEMORY.value.to_string(), MACHINE_PIDS.value.to_string());
    let caps = [
        ("cpu.cfs_quota_us", quota.to_string()),
        ("cpu.max", format!("{quota} 100000")),
        ("memory.limit_in_bytes", memory.clone()),
        ("memory.max", memory),
        ("pids.max", pids),
    ];
    for key in cap.keys().collect::<Vec<_>>() {
        for (file, text) in &caps {
            if kernel.groups().files(key).contains(file) {
                kernel.write_group(key, file, text)?;
            }
        }
    }
    Ok(cap)
}

/// The birth of a machine's PID 1: as the live server's of profile `lab`, step by step.
pub(super) fn born(
    kernel: &mut Kernel,
    cap: &Place,
    uid_base: u32,
    short: &str,
    steps: &mut Steps,
) -> Result<Proc, Not> {
    let late = NamespaceSet::ALL.with(Namespace::Cgroup, false);
    let first = kernel.init();
    let forked = kernel.fork(first, late);
    let init = at(StepName::Clone, "clone3", forked)?;
    let done = finish(kernel, init, cap, uid_base, short, steps);
    if done.is_err() {
        // Nothing is left of it.
        let _ = kernel.kill(first, init, Signal::Kill);
    }
    done.map(|()| init)
}

fn finish(
    kernel: &mut Kernel,
    init: Proc,
    cap: &Place,
    uid_base: u32,
    short: &str,
    steps: &mut Steps,
) -> Result<(), Not> {
    let first = kernel.init();
    let map = [IdRange { inside: 0, outside: uid_base, count: IDS }];
    at(StepName::IdMap, "write uid_map", kernel.map_ids(first, init, &map))?;
    steps.done(StepName::IdMap, format!("write(uid_map, \"0 {uid_base} {IDS}\")"));
    steps.done(
        StepName::Clone,
        "unshare(CLONE_NEWTIME); clone3({flags=CLONE_NEWPID|CLONE_NEWNET|CLONE_PIDFD})",
    );
    let shell = groups::below(kernel, cap, "root/shell");
    let root = groups::below(kernel, cap, "root");
    // v2: the root has handed its controllers on, and takes nobody any more.
    let before =
        if kernel.groups().dialect() == crate::cgroup::Dialect::V1 { &root } else { &shell };
    enter(kernel, init, before.as_ref())?;
    at(StepName::EnterUser, "setresuid", kernel.set_uid(init, 0))?;
    steps.done(StepName::EnterUser, "setns(user); setresuid(0, 0, 0)");
    let own = NamespaceSet::NONE.with(Namespace::Cgroup, true);
    at(StepName::EnterCgroup, "unshare(CLONE_NEWCGROUP)", kernel.unshare(init, own))?;
    kernel.root_cgroups_at(init, root.iter().flat_map(|root| root.keys()).collect());
    enter(kernel, init, shell.as_ref())?;
    steps.done(
        StepName::EnterCgroup,
        "unshare(CLONE_NEWNS|CLONE_NEWUTS|CLONE_NEWIPC|CLONE_NEWCGROUP); write(tasks, \"0\")",
    );
    let hostname = format!("machine-{short}");
    at(StepName::Hostname, "sethostname", kernel.set_hostname(init, &hostname))?;
    steps.done(StepName::Hostname, format!("sethostname(\"{hostname}\")"));
    let system = kernel.new_system(&program_names());
    at(StepName::Rootfs, "mount the root", kernel.switch_root(init, system, Some(init)))?;
    steps.done(StepName::Rootfs, "mount(overlay)");
    steps.done(StepName::Proc, "mount(proc)");
    at(StepName::PivotRoot, "mount the groups", kernel.mount_cgroups(init))?;
    let count = kernel.groups().hierarchies().len();
    steps.done(StepName::PivotRoot, format!("mount(cgroup) ×{count}; pivot_root(\".\", \".\")"));
    // Not before it has its ids: who is nobody loses what may be done by it.
    kernel.exec(init, &["init".into()]);
    steps.done(StepName::Execve, "close_range(…); execveat(init)");
    Ok(())
}

/// Puts a process into a group, in every hierarchy.
pub(super) fn enter(kernel: &mut Kernel, proc: Proc, place: Option<&Place>) -> Result<(), Not> {
    for key in place.into_iter().flat_map(Place::keys).collect::<Vec<_>>() {
        at(StepName::EnterCgroup, "write tasks", kernel.enter_group(proc, key))?;
    }
    Ok(())
}

/// What the model's kernel says of a new process.
pub(super) fn witness(kernel: &Kernel, proc: Proc) -> Newborn {
    let procs = kernel.procs();
    let space = |kind| procs.space_of(proc, kind).map_or(0, |key| procs.inode(key));
    let own = procs.space_of(proc, Namespace::User);
    let first = procs.space_of(kernel.init(), Namespace::User);
    let map = own.and_then(|own| procs.id_map(own)).unwrap_or_default();
    let extent = |range: &IdRange| Extent {
        inside: range.inside,
        // As the host reads it.
        outside: own.and_then(|own| procs.id_outside(range.inside, own)).unwrap_or(range.outside),
        count: range.count,
    };
    let mounted = |line: &str| {
        let (before, after) = line.split_once(" - ")?;
        let mut words = before.split(' ').skip(4);
        let (path, options) = (words.next()?.to_owned(), words.next()?);
        let kind = after.split(' ').next()?.to_owned();
        Some(Mounted { path, kind, read_only: options.split(',').any(|one| one == "ro") })
    };
    Newborn {
        pids: procs.pids(proc).to_vec(),
        namespaces: Namespace::ALL.map(space),
        host_uid: first.map_or(0, |first| procs.uid_in(proc, first)),
        uids: map.iter().map(extent).collect(),
        mounts: kernel.mountinfo(proc).lines().filter_map(mounted).take(MOUNTS).collect(),
        ..Newborn::default()
    }
}
