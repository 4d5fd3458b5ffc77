//! `mount` and `umount`.

use super::super::super::errno::Errno;
use super::super::super::kernel::MountWhat;
use super::{Shell, fail, options, say};
use crate::cgroup::{Controller, Dialect};
use crate::namespace::Namespace;

/// Without arguments, or with `-t` alone: what is mounted.
pub(super) async fn mount(shell: Shell, argv: Vec<String>) -> u8 {
    let (mut kind, mut options, mut bind, mut words) = (None, String::new(), false, Vec::new());
    let mut args = argv[1..].iter();
    while let Some(arg) = args.next() {
        match arg.as_str() {
            "-t" => kind = args.next().map(String::as_str),
            "-o" => options = args.next().cloned().unwrap_or_default(),
            "--bind" | "-B" | "--rbind" | "-R" => bind = true,
            // Every mount is private here.
            "--make-private" | "--make-rprivate" => return 0,
            other if other.starts_with('-') => {
                return fail(&shell, "mount", &format!("the simulator has no option {other}"))
                    .await;
            }
            other => words.push(other),
        }
    }
    if words.is_empty() {
        return list(&shell, kind).await;
    }
    let has = |word: &str| options.split(',').any(|option| option == word);
    if let Some(target) = words.last().filter(|_| has("remount")) {
        let made = shell.world.act(|kernel| kernel.remount(shell.proc, target, has("ro")));
        return told(&shell, target, made).await;
    }
    let [source, target] = words[..] else {
        let what = format!("{}: can't find in /etc/fstab.", words.join(" "));
        return fail(&shell, "mount", &what).await;
    };
    let what = if bind || has("bind") {
        shell.world.look(|kernel| kernel.bind_of(shell.proc, source))
    } else {
        match new_mount(&shell, kind, &options) {
            Some(what) => Ok(what),
            None => {
                let kind = kind.unwrap_or("(none)");
                return failed(&shell, target, &format!("unknown filesystem type '{kind}'.")).await;
            }
        }
    };
    let made = what
        .and_then(|what| shell.world.act(|kernel| kernel.mount(shell.proc, source, target, what)));
    told(&shell, target, made).await
}

fn new_mount(shell: &Shell, kind: Option<&str>, options: &str) -> Option<MountWhat> {
    shell.world.act(|kernel| match kind? {
        "tmpfs" => Some(kernel.new_tmpfs()),
        "sysfs" => Some(MountWhat::Sys),
        "proc" => kernel.procs().space_of(shell.proc, Namespace::Pid).map(MountWhat::Proc),
        "cgroup2" if kernel.groups().dialect() == Dialect::V2 => {
            Some(MountWhat::Cgroup { hierarchy: 0 })
        }
        "cgroup" if kernel.groups().dialect() == Dialect::V1 => {
            let named = options.split(',').find_map(Controller::named)?;
            let hierarchies = kernel.groups().hierarchies();
            let hierarchy = hierarchies.iter().position(|all| all.contains(&named))?;
            Some(MountWhat::Cgroup { hierarchy })
        }
        _ => None,
    })
}

async fn told(shell: &Shell, target: &str, made: Result<(), Errno>) -> u8 {
    match made {
        Ok(()) => 0,
        Err(Errno::Eperm) if shell.world.look(|kernel| kernel.uid_inside(shell.proc)) != 0 => {
            failed(shell, target, "must be superuser to use mount.").await
        }
        Err(Errno::Eperm) => failed(shell, target, "permission denied.").await,
        Err(Errno::Enoent) => failed(shell, target, "mount point does not exist.").await,
        Err(Errno::Enotdir) => failed(shell, target, "mount point is not a directory.").await,
        Err(Errno::Einval) => failed(shell, target, "mount point not mounted or bad option.").await,
        Err(errno) => failed(shell, target, &format!("{errno}.")).await,
    }
}

/// Where more is said of it is a line of the real one's too.
async fn failed(shell: &Shell, target: &str, what: &str) -> u8 {
    fail(shell, "mount", &format!("{target}: {what}")).await;
    let more = "       dmesg(1) may have more information after failed mount system call.\n";
    shell.say_error(more).await;
    32
}

async fn list(shell: &Shell, kind: Option<&str>) -> u8 {
    let text = shell.world.look(|kernel| kernel.read(shell.proc, "/proc/self/mounts"));
    let Ok(text) = text else { return fail(shell, "mount", "/proc is not mounted").await };
    let line = |line: &str| match line.split(' ').collect::<Vec<_>>()[..] {
        [source, at, is, options, ..] if kind.is_none_or(|kind| kind == is) => {
            Some(format!("{source} on {at} type {is} ({options})\n"))
        }
        _ => None,
    };
    say(shell, "mount", &text.lines().filter_map(line).collect::<String>()).await
}

pub(super) async fn umount(shell: Shell, argv: Vec<String>) -> u8 {
    let (_, paths) = options(&argv[1..]);
    let mut status = 0;
    for path in paths {
        let done = shell.world.act(|kernel| kernel.umount(shell.proc, path));
        let what = match done {
            Ok(()) => continue,
            Err(Errno::Einval) => "not mounted.".to_owned(),
            Err(Errno::Enoent) => "no mount point specified.".to_owned(),
            Err(Errno::Ebusy) => "target is busy.".to_owned(),
            Err(Errno::Eperm) => "must be superuser to unmount.".to_owned(),
            Err(errno) => errno.to_string(),
        };
        fail(&shell, "umount", &format!("{path}: {what}")).await;
        status = 32;
    }
    status
}
