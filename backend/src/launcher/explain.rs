//! "Explain my click": what was really done, and the shell lines that do the same.

use vitrine_shared::message::{Act, Deed};
use vitrine_shared::script::quote;
pub(crate) use vitrine_shared::script::{born_deeds, nsenter_line};
use vitrine_shared::truth::{LXCFS_DIRECTORY, LXCFS_FILES, OWN_FILES, ProcView};

use super::cgroup::{Did, Wrote};

/// A write to a cgroup file.
pub(crate) fn wrote(wrote: &Wrote) -> Deed {
    let path = wrote.path.display().to_string();
    Deed {
        shell: echo(wrote),
        act: Act::Wrote { path, old: wrote.old.clone(), new: wrote.new.clone() },
    }
}

/// The shell line of a write.
pub(crate) fn echo(wrote: &Wrote) -> String {
    // The text is as the table of files takes it; names in the path are whoever's made the group.
    format!("echo {} > {}", wrote.text, quote(&wrote.path.display().to_string()))
}

/// What was done to make or remove a group.
pub(crate) fn did(did: &Did) -> Deed {
    let dir = |name: &str, path: &std::path::Path| {
        let path = path.display().to_string();
        call(format!("{name}({path:?}) = 0"), format!("{name} {}", quote(&path)))
    };
    match did {
        Did::Mkdir(path) => dir("mkdir", path),
        Did::Rmdir(path) => dir("rmdir", path),
        Did::Wrote(one) => wrote(one),
    }
}

/// A process that was killed, by its PID on the host.
pub(crate) fn killed(pid: i32) -> Deed {
    call(format!("kill({pid}, SIGKILL)"), format!("kill -9 {pid}"))
}

/// Other files were laid on those of a container's `/proc`, or taken away.
pub(crate) fn proc_view(pid: u32, view: ProcView) -> Vec<Deed> {
    let enter = format!("nsenter -t {pid} -m");
    let files: &[&str] = if view == ProcView::Lxcfs { &LXCFS_FILES } else { &OWN_FILES };
    let deed = |name: &&str| match view {
        ProcView::Host => call(
            format!("umount2(\"/proc/{name}\", MNT_DETACH|UMOUNT_NOFOLLOW)"),
            format!("{enter} umount -l /proc/{name}"),
        ),
        // From outside nobody but the launcher reaches these files: there is no line for it.
        ProcView::Own => call(format!("mount({name}, \"/proc/{name}\", MS_BIND|MS_RDONLY)"), ""),
        ProcView::Lxcfs => call(
            format!(
                "open_tree(\"{LXCFS_DIRECTORY}/proc/{name}\", OPEN_TREE_CLONE); \
                 mount_setattr(MOUNT_ATTR_RDONLY); move_mount(\"/proc/{name}\")"
            ),
            "",
        ),
    };
    let mut deeds = vec![call(format!("setns(pidfd of {pid}, CLONE_NEWNS)"), "")];
    deeds.extend(files.iter().map(deed));
    deeds
}

/// Single calls.
pub(crate) fn call(call: impl Into<String>, shell: impl Into<String>) -> Deed {
    Deed { act: Act::Syscall { call: call.into() }, shell: shell.into() }
}
