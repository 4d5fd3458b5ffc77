//! Programs for files, directories and mounts.

use super::super::super::errno::Errno;
use super::super::super::kernel::{Entry, Kind};
use super::{Shell, fail, options, say};

pub(super) async fn cat(shell: Shell, argv: Vec<String>) -> u8 {
    let (_, paths) = options(&argv[1..]);
    if paths.is_empty() || paths == ["-"] {
        while let Some(line) = shell.io.input.read_some(&shell.world).await {
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
/// too, `-d` a directory itself. Files come before directories, which are named if there are several.
pub(super) async fn ls(shell: Shell, argv: Vec<String>) -> u8 {
    let (letters, mut paths) = options(&argv[1..]);
    if paths.is_empty() {
        paths.push(".");
    }
    let mut status = 0;
    let (mut files, mut directories) = (Vec::new(), Vec::new());
    for path in &paths {
        let kind = shell.world.look(|kernel| kernel.kind(shell.proc, path));
        match kind {
            Ok(Kind::Directory) if !letters.contains(&'d') => directories.push(*path),
            Ok(kind) => files.push(Entry { name: (*path).to_owned(), kind }),
            Err(errno) => {
                fail(&shell, "ls", &format!("cannot access '{path}': {errno}")).await;
                status = 2;
            }
        }
    }
    let mut text = shown(&shell, &letters, "", &files);
    for path in directories {
        if !text.is_empty() {
            text.push('\n');
        }
        if paths.len() > 1 {
            text += &format!("{path}:\n");
        }
        let entries = shell.world.look(|kernel| kernel.list(shell.proc, path)).unwrap_or_default();
        let seen = |entry: &Entry| letters.contains(&'a') || !entry.name.starts_with('.');
        text +=
            &shown(&shell, &letters, path, &entries.into_iter().filter(seen).collect::<Vec<_>>());
    }
    status.max(say(&shell, "ls", &text).await)
}

fn shown(shell: &Shell, letters: &[char], dir: &str, entries: &[Entry]) -> String {
    let terminal = matches!(shell.io.output, super::super::io::Sink::Terminal(_));
    if letters.contains(&'l') {
        entries.iter().map(|entry| long(shell, dir, entry)).collect()
    } else if terminal && !letters.contains(&'1') {
        columns(&entries.iter().map(|entry| entry.name.as_str()).collect::<Vec<_>>())
    } else {
        entries.iter().map(|entry| format!("{}\n", entry.name)).collect()
    }
}

fn long(shell: &Shell, dir: &str, entry: &Entry) -> String {
    let path = if dir.is_empty() { entry.name.clone() } else { format!("{dir}/{}", entry.name) };
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

fn with_parents(shell: &Shell, path: &str) -> Result<(), Errno> {
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
            Err(Errno::Enoent) if letters.contains(&'f') => {}
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
