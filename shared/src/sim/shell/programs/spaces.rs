//! Programs for namespaces: `unshare`, `nsenter`, `lsns`, `chroot`, `pivot_root`.

use super::super::super::errno::Errno;
use super::super::super::kernel::MountWhat;
use super::super::super::procs::{IdRange, Proc};
use super::super::super::shell::run::status_of;
use super::super::world::Program;
use super::{Missing, Shell, fail, find, options, say};
use crate::namespace::{Namespace, NamespaceSet};

/// The options of `unshare(1)` and `nsenter(1)` that name a type.
const TYPES: [(char, &str, Namespace); 8] = [
    ('p', "--pid", Namespace::Pid),
    ('m', "--mount", Namespace::Mount),
    ('u', "--uts", Namespace::Uts),
    ('i', "--ipc", Namespace::Ipc),
    ('U', "--user", Namespace::User),
    ('n', "--net", Namespace::Net),
    ('C', "--cgroup", Namespace::Cgroup),
    ('T', "--time", Namespace::Time),
];

/// What was asked for in front of the program.
#[derive(Default)]
struct Asked {
    new: NamespaceSet,
    fork: bool,
    mount_proc: bool,
    map_root: bool,
    all: bool,
    target: Option<u32>,
    root: Option<String>,
    program: Vec<String>,
}

/// Reads options up to the first word that is none, or `--`.
fn asked(args: &[String]) -> Result<Asked, String> {
    let mut asked = Asked::default();
    let mut at = 0;
    while at < args.len() {
        let arg = args[at].as_str();
        if arg == "--" {
            at += 1;
            break;
        }
        if !arg.starts_with('-') {
            break;
        }
        at += 1;
        if let Some((_, _, kind)) = TYPES.iter().find(|(_, long, _)| *long == arg) {
            asked.new = asked.new.with(*kind, true);
            continue;
        }
        if arg.starts_with("--") {
            match arg {
                "--fork" => asked.fork = true,
                "--mount-proc" => asked.mount_proc = true,
                "--map-root-user" => asked.map_root = true,
                "--all" => asked.all = true,
                "--target" => {
                    asked.target = args.get(at).and_then(|pid| pid.parse().ok());
                    at += 1;
                }
                other => match other.split_once('=') {
                    Some(("--root", dir)) => asked.root = Some(dir.to_owned()),
                    Some(("--target", pid)) => asked.target = pid.parse().ok(),
                    _ => return Err(format!("unrecognized option '{other}'")),
                },
            }
            continue;
        }
        for letter in arg[1..].chars() {
            match letter {
                'f' => asked.fork = true,
                'r' => asked.map_root = true,
                'a' => asked.all = true,
                't' => {
                    asked.target = args.get(at).and_then(|pid| pid.parse().ok());
                    at += 1;
                }
                'R' => {
                    asked.root = args.get(at).cloned();
                    at += 1;
                }
                letter => match TYPES.iter().find(|(short, _, _)| *short == letter) {
                    Some((_, _, kind)) => asked.new = asked.new.with(*kind, true),
                    None => return Err(format!("invalid option -- '{letter}'")),
                },
            }
        }
    }
    asked.program = args.get(at..).unwrap_or_default().to_vec();
    if asked.program.is_empty() {
        asked.program = vec!["sh".into()];
    }
    Ok(asked)
}

/// The program of a command line, to be run by a process.
fn program(shell: Shell, argv: Vec<String>) -> Result<Program, String> {
    let run = find(&shell, &argv[0]).map_err(|missing| match missing {
        Missing::NotFound => format!("failed to execute {}: No such file or directory", argv[0]),
        Missing::NoProgram => format!("failed to execute {}: {missing}", argv[0]),
    })?;
    Ok(run(shell, argv))
}

pub(super) async fn unshare(shell: Shell, argv: Vec<String>) -> u8 {
    let mut asked = match asked(&argv[1..]) {
        Ok(asked) => asked,
        Err(what) => return fail(&shell, "unshare", &what).await,
    };
    // As the real one has it.
    if asked.map_root {
        asked.new = asked.new.with(Namespace::User, true);
    }
    if asked.mount_proc {
        asked.new = asked.new.with(Namespace::Mount, true);
    }
    let outside = shell.world.look(|kernel| kernel.uid_inside(shell.proc));
    if let Err(errno) = shell.world.act(|kernel| kernel.unshare(shell.proc, asked.new)) {
        return fail(&shell, "unshare", &format!("unshare failed: {errno}")).await;
    }
    if asked.map_root {
        let map = [IdRange { inside: 0, outside, count: 1 }];
        let written = shell.world.act(|kernel| kernel.map_own(shell.proc, &map));
        if let Err(errno) = written {
            return fail(&shell, "unshare", &format!("write failed /proc/self/uid_map: {errno}"))
                .await;
        }
    }
    if asked.fork {
        let mount_proc = asked.mount_proc;
        return forked(&shell, asked.program, mount_proc).await;
    }
    in_place(shell, asked.program, asked.mount_proc).await
}

/// The process itself becomes the program.
async fn in_place(shell: Shell, argv: Vec<String>, mount_proc: bool) -> u8 {
    if mount_proc && let Err(errno) = mount_own_proc(&shell) {
        return fail(&shell, "unshare", &format!("mount /proc failed: {errno}")).await;
    }
    match program(shell.clone(), argv.clone()) {
        Ok(program) => shell.world.become_program(shell.proc, &argv, program).await,
        Err(what) => {
            fail(&shell, "unshare", &what).await;
            127
        }
    }
}

/// A child becomes the program, and its end is waited for.
async fn forked(shell: &Shell, argv: Vec<String>, mount_proc: bool) -> u8 {
    let copy = shell.clone();
    let started = shell.world.spawn(shell.proc, NamespaceSet::NONE, &argv.clone(), move |proc| {
        Box::pin(in_place(copy.copy(proc, copy.io.clone()), argv, mount_proc))
    });
    match started {
        Ok(child) => {
            shell.set_foreground(vec![child]);
            shell.world.wait(shell.proc, child).await.map_or(1, status_of)
        }
        Err(errno) => fail(shell, "unshare", &format!("fork failed: {errno}")).await,
    }
}

fn mount_own_proc(shell: &Shell) -> Result<(), Errno> {
    shell.world.act(|kernel| {
        let pids = kernel.procs().space_of(shell.proc, Namespace::Pid).ok_or(Errno::Esrch)?;
        kernel.mount(shell.proc, "proc", "/proc", MountWhat::Proc(pids))
    })
}

pub(super) async fn nsenter(shell: Shell, argv: Vec<String>) -> u8 {
    let asked = match asked(&argv[1..]) {
        Ok(asked) => asked,
        Err(what) => return fail(&shell, "nsenter", &what).await,
    };
    let found = asked.target.and_then(|pid| {
        shell.world.look(|kernel| {
            let space = kernel.procs().space_of(shell.proc, Namespace::Pid)?;
            kernel.procs().find(space, pid)
        })
    });
    let Some(target) = found else {
        let wanted = Namespace::ALL.into_iter().find(|kind| asked.all || asked.new.has(*kind));
        let what = match (asked.target, wanted) {
            (None, _) => "no target PID specified".to_owned(),
            (Some(pid), kind) => {
                let name = kind.unwrap_or(Namespace::Mount).proc_name();
                format!("cannot open /proc/{pid}/ns/{name}: No such file or directory")
            }
        };
        return fail(&shell, "nsenter", &what).await;
    };
    // The user namespace first: what it owns is open then.
    let order = [Namespace::User]
        .into_iter()
        .chain(Namespace::ALL.into_iter().filter(|kind| *kind != Namespace::User));
    for kind in order.filter(|kind| asked.all || asked.new.has(*kind)) {
        if let Err(what) = enter(&shell, target, kind, asked.all) {
            return fail(&shell, "nsenter", &what).await;
        }
    }
    // A PID namespace is for the children.
    if asked.all || asked.new.has(Namespace::Pid) {
        return forked(&shell, asked.program, false).await;
    }
    in_place(shell, asked.program, false).await
}

fn enter(shell: &Shell, target: Proc, kind: Namespace, all: bool) -> Result<(), String> {
    shell.world.act(|kernel| {
        let to = kernel.procs().space_of(target, kind);
        let own = kernel.procs().space_of(shell.proc, kind);
        let Some(to) = to else { return Err("the target has gone".into()) };
        if all && Some(to) == own {
            return Ok(());
        }
        let entered = kernel.setns(shell.proc, to, kind);
        entered.map_err(|errno| format!("reassociate to namespaces failed: {errno}"))
    })
}

/// The namespaces that `/proc` tells of, with how many processes are in each.
pub(super) async fn lsns(shell: Shell, argv: Vec<String>) -> u8 {
    let only = argv.iter().position(|arg| arg == "-t").and_then(|at| argv.get(at + 1));
    let text = shell.world.look(|kernel| {
        let mut text = format!("{:>10} {:<6} {:>6} {:>6} COMMAND\n", "NS", "TYPE", "NPROCS", "PID");
        let pids: Vec<u32> = kernel
            .list(shell.proc, "/proc")
            .unwrap_or_default()
            .into_iter()
            .filter_map(|entry| entry.name.parse().ok())
            .collect();
        for kind in Namespace::ALL {
            let name = kind.proc_name();
            if only.is_some_and(|only| only != name) {
                continue;
            }
            let link =
                |pid: &u32| kernel.readlink(shell.proc, &format!("/proc/{pid}/ns/{name}")).ok();
            let mut seen: Vec<(String, u32, usize)> = Vec::new();
            let mut sorted = pids.clone();
            sorted.sort_unstable();
            for pid in &sorted {
                let Some(link) = link(pid) else { continue };
                match seen.iter_mut().find(|(other, _, _)| *other == link) {
                    Some((_, _, count)) => *count += 1,
                    None => seen.push((link, *pid, 1)),
                }
            }
            for (link, pid, count) in seen {
                let inode =
                    link.trim_start_matches(|c: char| !c.is_ascii_digit()).trim_end_matches(']');
                let command =
                    kernel.read(shell.proc, &format!("/proc/{pid}/cmdline")).unwrap_or_default();
                let command = command.trim_end_matches('\0').replace('\0', " ");
                text += &format!("{inode:>10} {name:<6} {count:>6} {pid:>6} {command}\n");
            }
        }
        text
    });
    say(&shell, "lsns", &text).await
}

pub(super) async fn chroot(shell: Shell, argv: Vec<String>) -> u8 {
    let (_, words) = options(&argv[1..]);
    let Some((dir, rest)) = words.split_first() else {
        return fail(&shell, "chroot", "missing operand").await;
    };
    if let Err(errno) = shell.world.act(|kernel| kernel.chroot(shell.proc, dir)) {
        fail(&shell, "chroot", &format!("cannot change root directory to '{dir}': {errno}")).await;
        return 125;
    }
    let argv: Vec<String> = match rest {
        [] => vec!["sh".into()],
        rest => rest.iter().map(|word| (*word).to_owned()).collect(),
    };
    // A root without the program cannot run it.
    if let Err(missing) = find(&shell, &argv[0]) {
        let why = if missing == Missing::NotFound {
            "No such file or directory"
        } else {
            "Permission denied"
        };
        fail(&shell, "chroot", &format!("failed to run command '{}': {why}", argv[0])).await;
        return missing.status();
    }
    in_place(shell, argv, false).await
}

pub(super) async fn pivot_root(shell: Shell, argv: Vec<String>) -> u8 {
    let (_, words) = options(&argv[1..]);
    let [new, old] = words[..] else {
        return fail(&shell, "pivot_root", "takes the new root and a place for the old one").await;
    };
    match shell.world.act(|kernel| kernel.pivot_root(shell.proc, new, old)) {
        Ok(()) => 0,
        Err(errno) => {
            let what = format!("failed to change root from `{new}' to `{old}': {errno}");
            fail(&shell, "pivot_root", &what).await
        }
    }
}
