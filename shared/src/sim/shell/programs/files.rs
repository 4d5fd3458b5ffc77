//! Programs for files, directories and mounts.

use super::super::super::kernel::{Entry, Kind, MountWhat};
use super::{Shell, fail, options, say};
use crate::cgroup::{Controller, Dialect};
use crate::namespace::Namespace;

pub(super) async fn cat(shell: Shell, argv: Vec<String>) -> u8 {
    let (_, paths) = options(&argv[1..]);
    if paths.is_empty() || paths == ["-"] {
        while let Some(line) = shell.io.input.read_line(&shell.world).await {
            let status = say(&shell, "cat", &line).await;
            if status != 0 {
                return status;
            }
        }
        return 0;
    }
    let mut status = 0;
    for path in paths {
        status = match shell.world.look(|kernel| kernel.read(shell.proc, path)) {
            Ok(text) => status.max(say(&shell, "cat", &text).await),
            Err(errno) => fail(&shell, "cat", &format!("{path}: {errno}")).await,
        };
    }
    status
}

/// Names one below the other, or in columns on a terminal; `-l` with what they are, `-a` the hidden ones
/// too, `-d` a directory itself.
pub(super) async fn ls(shell: Shell, argv: Vec<String>) -> u8 {
    let (letters, mut paths) = options(&argv[1..]);
    if paths.is_empty() {
        paths.push(".");
    }
    let many = paths.len() > 1;
    let mut status = 0;
    for (at, path) in paths.iter().enumerate() {
        let listed = shell.world.look(|kernel| match kernel.kind(shell.proc, path)? {
            Kind::Directory if !letters.contains(&'d') => kernel.list(shell.proc, path),
            kind => Ok(vec![Entry { name: (*path).to_owned(), kind }]),
        });
        let entries = match listed {
            Ok(entries) => entries,
            Err(errno) => {
                fail(&shell, "ls", &format!("cannot access '{path}': {errno}")).await;
                status = 2;
                continue;
            }
        };
        let shown =
            entries.iter().filter(|entry| letters.contains(&'a') || !entry.name.starts_with('.'));
        let shown: Vec<&Entry> = shown.collect();
        let mut text = if many { format!("{path}:\n") } else { String::new() };
        let terminal = matches!(shell.io.output, super::super::io::Sink::Terminal(_));
        if letters.contains(&'l') {
            shown.iter().for_each(|entry| text += &long(&shell, path, entry));
        } else if terminal && !letters.contains(&'1') {
            text += &columns(&shown.iter().map(|entry| entry.name.as_str()).collect::<Vec<_>>());
        } else {
            shown.iter().for_each(|entry| text += &format!("{}\n", entry.name));
        }
        if many && at + 1 < paths.len() {
            text.push('\n');
        }
        status = status.max(say(&shell, "ls", &text).await);
    }
    status
}

fn long(shell: &Shell, dir: &str, entry: &Entry) -> String {
    let path = format!("{dir}/{}", entry.name);
    let link = shell.world.look(|kernel| kernel.readlink(shell.proc, &path));
    let (mode, arrow) = match entry.kind {
        Kind::Directory => ("drwxr-xr-x", String::new()),
        Kind::Link => ("lrwxrwxrwx", link.map(|to| format!(" -> {to}")).unwrap_or_default()),
        Kind::Device => ("crw-rw-rw-", String::new()),
        Kind::File => ("-rw-r--r--", String::new()),
    };
    format!("{mode} root root {}{arrow}\n", entry.name)
}

/// Names in columns of 80 characters, down first.
fn columns(names: &[&str]) -> String {
    const WIDTH: usize = 80;
    let widest = names.iter().map(|name| name.chars().count() + 2).max().unwrap_or(1);
    let across = (WIDTH / widest).max(1);
    let down = names.len().div_ceil(across);
    let row = |row: usize| {
        let cells = (0..across).filter_map(|column| names.get(column * down + row));
        let line: String = cells.map(|name| format!("{name:widest$}")).collect();
        format!("{}\n", line.trim_end())
    };
    (0..down).map(row).collect()
}

pub(super) async fn mkdir(shell: Shell, argv: Vec<String>) -> u8 {
    let (letters, paths) = options(&argv[1..]);
    let mut status = 0;
    for path in paths {
        let made = match letters.contains(&'p') {
            false => shell.world.act(|kernel| kernel.mkdir(shell.proc, path)),
            true => with_parents(&shell, path),
        };
        if let Err(errno) = made {
            let what = format!("cannot create directory '{path}': {errno}");
            status = fail(&shell, "mkdir", &what).await;
        }
    }
    status
}

fn with_parents(shell: &Shell, path: &str) -> Result<(), super::super::super::errno::Errno> {
    let ends = path.char_indices().skip(1).filter(|(_, c)| *c == '/').map(|(at, _)| at);
    for end in ends.chain([path.len()]) {
        let here = &path[..end];
        let there = shell.world.look(|kernel| kernel.kind(shell.proc, here));
        if there != Ok(Kind::Directory) {
            shell.world.act(|kernel| kernel.mkdir(shell.proc, here))?;
        }
    }
    Ok(())
}

pub(super) async fn rmdir(shell: Shell, argv: Vec<String>) -> u8 {
    let (_, paths) = options(&argv[1..]);
    let mut status = 0;
    for path in paths {
        if let Err(errno) = shell.world.act(|kernel| kernel.rmdir(shell.proc, path)) {
            status = fail(&shell, "rmdir", &format!("failed to remove '{path}': {errno}")).await;
        }
    }
    status
}

pub(super) async fn rm(shell: Shell, argv: Vec<String>) -> u8 {
    let (letters, paths) = options(&argv[1..]);
    let mut status = 0;
    for path in paths {
        let removed = shell.world.act(|kernel| kernel.unlink(shell.proc, path));
        match removed {
            Err(_) if letters.contains(&'f') => {}
            Err(errno) => {
                status = fail(&shell, "rm", &format!("cannot remove '{path}': {errno}")).await
            }
            Ok(()) => {}
        }
    }
    status
}

pub(super) async fn touch(shell: Shell, argv: Vec<String>) -> u8 {
    let (_, paths) = options(&argv[1..]);
    let mut status = 0;
    for path in paths {
        if let Err(errno) = shell.world.act(|kernel| kernel.create(shell.proc, path, true)) {
            status = fail(&shell, "touch", &format!("cannot touch '{path}': {errno}")).await;
        }
    }
    status
}

pub(super) async fn readlink(shell: Shell, argv: Vec<String>) -> u8 {
    let (_, paths) = options(&argv[1..]);
    let mut status = 0;
    for path in paths {
        status = match shell.world.look(|kernel| kernel.readlink(shell.proc, path)) {
            Ok(to) => status.max(say(&shell, "readlink", &format!("{to}\n")).await),
            Err(_) => 1,
        };
    }
    status
}

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
    if let [target] = words[..]
        && has("remount")
    {
        let made = shell.world.act(|kernel| kernel.remount(shell.proc, target, has("ro")));
        return told(&shell, target, made).await;
    }
    let [source, target] = words[..] else {
        return fail(&shell, "mount", "takes a source and a directory").await;
    };
    let what = if bind || has("bind") {
        shell.world.look(|kernel| kernel.bind_of(shell.proc, source))
    } else {
        match new_mount(&shell, kind, &options) {
            Some(what) => Ok(what),
            None => {
                let kind = kind.unwrap_or("(none)");
                let what = format!("{target}: unknown filesystem type '{kind}'");
                fail(&shell, "mount", &what).await;
                return 32;
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

async fn told(
    shell: &Shell,
    target: &str,
    made: Result<(), super::super::super::errno::Errno>,
) -> u8 {
    use super::super::super::errno::Errno;
    match made {
        Ok(()) => 0,
        Err(Errno::Eperm) => {
            fail(shell, "mount", &format!("{target}: permission denied.")).await;
            32
        }
        Err(Errno::Enoent) => {
            fail(shell, "mount", &format!("{target}: mount point does not exist.")).await;
            32
        }
        Err(errno) => {
            fail(shell, "mount", &format!("{target}: {errno}")).await;
            32
        }
    }
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
    use super::super::super::errno::Errno;
    let (_, paths) = options(&argv[1..]);
    for path in paths {
        let done = shell.world.act(|kernel| kernel.umount(shell.proc, path));
        let what = match done {
            Ok(()) => continue,
            Err(Errno::Einval) => "not mounted.".to_owned(),
            Err(Errno::Ebusy) => "target is busy.".to_owned(),
            Err(Errno::Eperm) => "must be superuser to unmount.".to_owned(),
            Err(errno) => errno.to_string(),
        };
        fail(&shell, "umount", &format!("{path}: {what}")).await;
        return 32;
    }
    0
}
