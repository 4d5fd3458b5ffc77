//! What the shell does itself: everything that changes the shell, and what is quicker so.

use super::super::procs::{Proc, Signal};
use super::programs::text::{self, test};
use super::run::{Flow, Shell};

/// The built-in commands.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum BuiltIn {
    Nothing,
    Bracket,
    Break,
    Cd,
    Continue,
    Echo,
    Exec,
    Exit,
    Export,
    False,
    Jobs,
    Kill,
    Printf,
    Pwd,
    Read,
    Set,
    Shift,
    Test,
    Type,
    Unset,
    Wait,
}

const NAMES: [(&str, BuiltIn); 22] = [
    (":", BuiltIn::Nothing),
    ("true", BuiltIn::Nothing),
    ("[", BuiltIn::Bracket),
    ("break", BuiltIn::Break),
    ("cd", BuiltIn::Cd),
    ("continue", BuiltIn::Continue),
    ("echo", BuiltIn::Echo),
    ("exec", BuiltIn::Exec),
    ("exit", BuiltIn::Exit),
    ("export", BuiltIn::Export),
    ("false", BuiltIn::False),
    ("jobs", BuiltIn::Jobs),
    ("kill", BuiltIn::Kill),
    ("printf", BuiltIn::Printf),
    ("pwd", BuiltIn::Pwd),
    ("read", BuiltIn::Read),
    ("set", BuiltIn::Set),
    ("shift", BuiltIn::Shift),
    ("test", BuiltIn::Test),
    ("type", BuiltIn::Type),
    ("unset", BuiltIn::Unset),
    ("wait", BuiltIn::Wait),
];

/// The built-in of that name.
pub(super) fn named(name: &str) -> Option<BuiltIn> {
    NAMES.iter().find(|(known, _)| *known == name).map(|(_, built_in)| *built_in)
}

/// The names of all of them.
pub(super) fn names() -> impl Iterator<Item = &'static str> {
    NAMES.iter().map(|(name, _)| *name)
}

/// Runs one; its status is the shell's.
pub(super) async fn run(shell: &mut Shell, built_in: BuiltIn, argv: &[String]) -> Flow {
    let args = &argv[1..];
    let first = args.first().map(String::as_str);
    let levels = || first.and_then(|word| word.parse().ok()).unwrap_or(1);
    shell.status = match built_in {
        BuiltIn::Break => return Flow::Break(levels()),
        BuiltIn::Continue => return Flow::Continue(levels()),
        BuiltIn::Exec => return exec(shell, args).await,
        BuiltIn::Exit => return exit(shell, first).await,
        BuiltIn::Nothing => 0,
        BuiltIn::False => 1,
        BuiltIn::Cd => cd(shell, first).await,
        BuiltIn::Echo => say(shell, "echo", &text::echo(args)).await,
        BuiltIn::Printf => say(shell, "printf", &text::printf(args)).await,
        BuiltIn::Pwd => pwd(shell).await,
        BuiltIn::Export => {
            let set = args.iter().filter_map(|arg| arg.split_once('='));
            let set = set.map(|(name, value)| (name.to_owned(), value.to_owned()));
            shell.variables.extend(set);
            0
        }
        BuiltIn::Unset => {
            args.iter().for_each(|name| drop(shell.variables.remove(name)));
            0
        }
        BuiltIn::Read => read(shell, args).await,
        BuiltIn::Set => set(shell, args).await,
        BuiltIn::Shift => {
            let count = usize::try_from(levels()).unwrap_or(usize::MAX);
            shell.args.drain(..count.min(shell.args.len()));
            0
        }
        BuiltIn::Test => tested(shell, "test", args).await,
        BuiltIn::Bracket => match args.split_last() {
            Some((last, args)) if last == "]" => tested(shell, "[", args).await,
            _ => {
                shell.complain("[: missing ]").await;
                2
            }
        },
        BuiltIn::Type => kind(shell, args).await,
        BuiltIn::Jobs => jobs(shell).await,
        BuiltIn::Kill => kill(shell, args).await,
        BuiltIn::Wait => wait(shell, args).await,
    };
    Flow::Next
}

/// The program takes the shell's place; without one the redirections stay.
async fn exec(shell: &mut Shell, args: &[String]) -> Flow {
    let Some(name) = args.first() else {
        shell.keeps_io = true;
        return Flow::Next;
    };
    if let Err(missing) = super::programs::find(shell, name) {
        shell.status = missing.status();
        shell.complain(&format!("exec: {name}: {missing}")).await;
        return if shell.interactive { Flow::Next } else { Flow::Exit };
    }
    shell.is_last = true;
    shell.program(args, Vec::new()).await
}

async fn exit(shell: &mut Shell, status: Option<&str>) -> Flow {
    match status.map(str::parse::<u32>) {
        None => {}
        // The kernel keeps eight bits.
        Some(Ok(status)) => shell.status = (status & 0xff) as u8,
        Some(Err(_)) => {
            let word = status.unwrap_or_default();
            shell.complain(&format!("exit: Illegal number: {word}")).await;
            shell.status = 2;
        }
    }
    Flow::Exit
}

async fn pwd(shell: &mut Shell) -> u8 {
    let cwd = shell.world.look(|kernel| kernel.cwd(shell.proc)) + "\n";
    say(shell, "pwd", &cwd).await
}

async fn tested(shell: &mut Shell, name: &str, args: &[String]) -> u8 {
    match test(shell, args) {
        Ok(is) => u8::from(!is),
        Err(what) => {
            shell.complain(&format!("{name}: {what}")).await;
            2
        }
    }
}

/// `set -- words`, and `-m`: jobs.
async fn set(shell: &mut Shell, args: &[String]) -> u8 {
    match args.split_first() {
        None => {
            let line = |(name, value): (&String, &String)| format!("{name}='{value}'\n");
            let text: String = shell.variables.iter().map(line).collect();
            say(shell, "set", &text).await
        }
        Some((first, words)) if first == "--" => {
            shell.args = words.to_vec();
            0
        }
        Some((first, [])) if first == "-m" => {
            shell.has_jobs = true;
            0
        }
        Some((first, _)) if first.starts_with(['-', '+']) => {
            shell.complain(&format!("set: the simulator's shell has no {first}")).await;
            2
        }
        Some(_) => {
            shell.args = args.to_vec();
            0
        }
    }
}

async fn say(shell: &mut Shell, name: &str, text: &str) -> u8 {
    match shell.say(text).await {
        Ok(()) => 0,
        Err(Some(errno)) => {
            shell.complain(&format!("{name}: write error: {errno}")).await;
            1
        }
        Err(None) => 141,
    }
}

async fn cd(shell: &mut Shell, to: Option<&str>) -> u8 {
    let to = to.map(str::to_owned).or_else(|| shell.variable("HOME")).unwrap_or_else(|| "/".into());
    let back = to == "-";
    let to = if back { shell.variable("OLDPWD").unwrap_or_default() } else { to };
    let before = shell.world.look(|kernel| kernel.cwd(shell.proc));
    match shell.world.act(|kernel| kernel.chdir(shell.proc, &to)) {
        Ok(()) => {
            shell.variables.insert("OLDPWD".into(), before);
            if back { pwd(shell).await } else { 0 }
        }
        Err(_) => {
            shell.complain(&format!("cd: can't cd to {to}")).await;
            2
        }
    }
}

async fn read(shell: &mut Shell, args: &[String]) -> u8 {
    let names: Vec<&String> = args.iter().filter(|arg| !arg.starts_with('-')).collect();
    let Some(line) = shell.io.input.read_line(&shell.world).await else { return 1 };
    let mut rest = line.trim().to_owned();
    for (at, name) in names.iter().enumerate() {
        let (value, left) = match rest.split_once(char::is_whitespace) {
            Some((value, left)) if at + 1 < names.len() => {
                (value.to_owned(), left.trim().to_owned())
            }
            _ => (std::mem::take(&mut rest), String::new()),
        };
        shell.variables.insert((*name).clone(), value);
        rest = left;
    }
    0
}

async fn kind(shell: &mut Shell, args: &[String]) -> u8 {
    let mut status = 0;
    for name in args {
        let text = if named(name).is_some() {
            format!("{name} is a shell builtin\n")
        } else if super::programs::find(shell, name).is_ok() {
            format!("{name} is /bin/{name}\n")
        } else {
            status = 127;
            format!("{name}: not found\n")
        };
        status = status.max(say(shell, "type", &text).await);
    }
    status
}

/// The newest first, and those that have ended for the last time.
async fn jobs(shell: &mut Shell) -> u8 {
    shell.look_at_jobs().await;
    let text: String = shell.jobs.iter().rev().map(|job| shell.line_of(job)).collect();
    shell.jobs.retain(|job| job.end.is_none());
    say(shell, "jobs", &text).await
}

/// Whom a word of `kill` means: `%1`, or a PID of the shell's PID namespace.
fn target(shell: &Shell, word: &str) -> Result<Proc, String> {
    if word.starts_with('%') {
        return shell.job(word).map(|job| job.proc).ok_or_else(|| format!("No such job: {word}"));
    }
    let pid: u32 = word.parse().map_err(|_| format!("Illegal number: {word}"))?;
    let found = shell.world.look(|kernel| {
        let space = kernel.procs().space_of(shell.proc, crate::namespace::Namespace::Pid)?;
        kernel.procs().find(space, pid)
    });
    found.ok_or_else(|| "No such process".into())
}

async fn kill(shell: &mut Shell, args: &[String]) -> u8 {
    let (mut signal, mut words) = (Signal::Term, args);
    if let Some((first, rest)) = args.split_first()
        && let Some(name) = first.strip_prefix('-')
    {
        let (name, rest) = match (name, rest.split_first()) {
            ("s", Some((name, rest))) => (name.as_str(), rest),
            ("l", _) => {
                let names: Vec<&str> = Signal::ALL.iter().map(|signal| signal.name()).collect();
                return say(shell, "kill", &(names.join(" ") + "\n")).await;
            }
            _ => (name, rest),
        };
        match Signal::named(name) {
            Some(known) => (signal, words) = (known, rest),
            // 0 asks whether somebody is there.
            None if name == "0" => {
                let there = rest.iter().all(|word| target(shell, word).is_ok());
                return u8::from(!there);
            }
            None => {
                shell.complain(&format!("kill: Illegal signal: {name}")).await;
                return 2;
            }
        }
    }
    if words.is_empty() {
        shell.complain("kill: Usage: kill [-s sigspec | -signum] pid | job …").await;
        return 2;
    }
    let mut status = 0;
    for word in words {
        let sent = target(shell, word).and_then(|proc| {
            shell.world.kill(shell.proc, proc, signal).map_err(|errno| errno.to_string())
        });
        if let Err(what) = sent {
            shell.complain(&format!("kill: {what}")).await;
            status = if what.starts_with("No such process") { 1 } else { 2 };
        }
    }
    status
}

async fn wait(shell: &mut Shell, args: &[String]) -> u8 {
    if args.is_empty() {
        for job in shell.jobs.clone() {
            let end = match job.end {
                Some(end) => Some(end),
                None => shell.world.wait(shell.proc, job.proc).await,
            };
            shell.waited_for(&job, end);
        }
        return 0;
    }
    let mut status = 127;
    for word in args {
        status = match shell.job(word).cloned() {
            Some(job) => shell.wait_for_job(job).await,
            None => 127,
        };
    }
    status
}
