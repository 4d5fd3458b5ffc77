//! What a spec asks for, as far as the model has it: its root, its directory, its init.

use super::Not;
use super::machine::at;
use super::steps::Steps;
use crate::message::StepName;
use crate::namespace::Namespace;
use crate::refusal::{Lacking, Refusal, Unmodelled};
use crate::sim::errno::Errno;
use crate::sim::kernel::Kernel;
use crate::sim::procs::Proc;
use crate::sim::shell::program_names;
use crate::sim::shell::run::status_of;
use crate::sim::shell::world::{Program, World};
use crate::spec::{ContainerSpec, Rootfs};
use crate::truth::ProcView;

/// What the model has of a spec.
pub(super) fn modelled(spec: &ContainerSpec) -> Result<(), Not> {
    has_view(spec.proc_view)?;
    let not = |what| Err(Refusal::NotModelled { what }.into());
    if let Rootfs::Image(name) = &spec.rootfs {
        return Err(Refusal::Missing { what: Lacking::Image { name: name.clone() } }.into());
    }
    if spec.time_offset_secs != 0 {
        return not(Unmodelled::Clocks);
    }
    match spec.user.as_deref() {
        None | Some("root" | "0" | "root:root" | "0:0") => Ok(()),
        Some(_) => not(Unmodelled::User),
    }
}

pub(super) fn has_view(view: ProcView) -> Result<(), Not> {
    match view {
        ProcView::Host => Ok(()),
        ProcView::Lxcfs => Err(Refusal::Missing { what: Lacking::Lxcfs }.into()),
        ProcView::Own => Err(Refusal::NotModelled { what: Unmodelled::ProcView }.into()),
    }
}

/// Its own root, and what is on it; where that had to be mounted in the machine, if it had.
pub(super) fn enter_root(
    kernel: &mut Kernel,
    init: Proc,
    first: Proc,
    name: &str,
    spec: &ContainerSpec,
    steps: &mut Steps,
) -> Result<Option<String>, Not> {
    let system = kernel.new_system(&program_names());
    // Without one of its own the machine's /proc stays in view.
    let whose = if spec.remount_proc { first } else { init };
    let mounted =
        if spec.remount_proc { "mount(proc)" } else { "mount(/proc of the machine, MS_BIND)" };
    if spec.namespaces.has(Namespace::Mount) {
        let done = kernel.switch_root(first, system, Some(whose));
        at(StepName::Rootfs, "mount the root", done)?;
        steps.done(StepName::Rootfs, "mount(overlay)");
        steps.done(StepName::Proc, mounted);
        steps.done(StepName::PivotRoot, "pivot_root(\".\", \".\"); umount2(\".\", MNT_DETACH)");
        return Ok(None);
    }
    let root = format!("/run/{name}");
    // It may be there from an earlier one of that name.
    let _ = kernel.mkdir(init, &root);
    at(StepName::Rootfs, "mount the root", kernel.mount(init, "overlay", &root, system))?;
    steps.done(StepName::Rootfs, "mount(overlay)");
    let space = kernel.procs().space_of(whose, Namespace::Pid).ok_or(Errno::Esrch);
    let done = space.and_then(|space| {
        let what = crate::sim::kernel::MountWhat::Proc(space);
        kernel.mount(init, "proc", &format!("{root}/proc"), what)
    });
    at(StepName::Proc, mounted, done)?;
    steps.done(StepName::Proc, mounted);
    at(StepName::PivotRoot, "chroot", kernel.chroot(first, &root))?;
    steps.done(StepName::PivotRoot, "chroot(root)");
    Ok(Some(root))
}

/// Goes to a directory, which is made if it is not there.
pub(super) fn go_to(kernel: &mut Kernel, proc: Proc, path: &str) -> Result<(), Errno> {
    let mut at = String::new();
    for name in path.split('/').filter(|name| !name.is_empty()) {
        at += "/";
        at += name;
        match kernel.mkdir(proc, &at) {
            Ok(()) | Err(Errno::Eexist) => {}
            Err(errno) => return Err(errno),
        }
    }
    kernel.chdir(proc, path)
}

/// What an init does: it waits for its child, and ends as that did.
pub(super) fn init_of(world: World, proc: Proc, child: Proc) -> Program {
    Box::pin(async move {
        let end = world.wait(proc, child).await;
        end.map_or(1, status_of)
    })
}
