//! What the shell does itself: everything that changes the shell, and what is quicker so.

use super::super::procs::{Proc, Signal};
use super::programs::text::{self, test};
use super::run::{Flow, Shell};

/// The built-in commands.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum BuiltIn {
    Nothing,
    Break,
    Cd,
    Continue,
    Echo,
    Exit,
    Export,
    False,
    Jobs,
    Kill,
    Printf,
    Pwd,
    Read,
    Test,
    Type,
    Unset,
    Wait,
}

const NAMES: [(&str, BuiltIn); 19] = [
    (":", BuiltIn::Nothing),
    ("true", BuiltIn::Nothing),
    ("break", BuiltIn::Break),
    ("cd", BuiltIn::Cd),
    ("continue", BuiltIn::Continue),
    ("echo", BuiltIn::Echo),
    ("exit", BuiltIn::Exit),
    ("export", BuiltIn::Export),
    ("false", BuiltIn::False),
    ("jobs", BuiltIn::Jobs),
    ("kill", BuiltIn::Kill),
    ("printf", BuiltIn::Printf),
    ("pwd", BuiltIn::Pwd),
    ("read", BuiltIn::Read),
    ("test", BuiltIn::Test),
    ("[", BuiltIn::Test),
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
pub(super) async fn run(shell: &mut Shell, built_in: BuiltIn, args: &[String]) -> Flow {
    let first = args.first().map(String::as_str);
    let levels = || first.and_then(|word| word.parse().ok()).unwrap_or(1);
    shell.status = match built_in {
        BuiltIn::Break => return Flow::Break(levels()),
        BuiltIn::Continue => return Flow::Continue(levels()),
        BuiltIn::Exit => {
            if let Some(status) = first.and_then(|word| word.parse().ok()) {
                shell.status = status;
            }
            return Flow::Exit;
        }
        BuiltIn::Nothing => 0,
        BuiltIn::False => 1,
        BuiltIn::Cd => cd(shell, first).await,
        BuiltIn::Echo => say(shell, "echo", &text::echo(args)).await,
        BuiltIn::Printf => say(shell, "printf", &text::printf(args)).await,
        BuiltIn::Pwd => {
            let cwd = shell.world.look(|kernel| kernel.cwd(shell.proc)) + "\n";
            say(shell, "pwd", &cwd).await
        }
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
        BuiltIn::Test => match test(shell, args) {
            Ok(is) => u8::from(!is),
            Err(what) => {
                shell.complain(&format!("test: {what}")).await;
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
    let to = if to == "-" { shell.variable("OLDPWD").unwrap_or_default() } else { to };
    let before = shell.world.look(|kernel| kernel.cwd(shell.proc));
    match shell.world.act(|kernel| kernel.chdir(shell.proc, &to)) {
        Ok(()) => {
            shell.variables.insert("OLDPWD".into(), before);
            0
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
        } else if super::programs::named(name).is_some() {
            format!("{name} is /bin/{name}\n")
        } else {
            status = 127;
            format!("{name}: not found\n")
        };
        status = status.max(say(shell, "type", &text).await);
    }
    status
}

async fn jobs(shell: &mut Shell) -> u8 {
    shell.look_at_jobs().await;
    let line = |job: &super::run::Job| {
        let how = if job.status.is_some() { "Done" } else { "Running" };
        format!("[{}] {how:<10} {}\n", job.number, job.text)
    };
    let text: String = shell.jobs.iter().map(line).collect();
    say(shell, "jobs", &text).await
}

/// Whom a word of `kill` or `wait` means: `%1`, or a PID of the shell's PID namespace.
fn target(shell: &Shell, word: &str) -> Result<Vec<Proc>, String> {
    if let Some(number) = word.strip_prefix('%') {
        let number: usize = number.parse().map_err(|_| format!("No such job: {word}"))?;
        let job = shell.jobs.iter().find(|job| job.number == number);
        return job.map(|job| job.procs.clone()).ok_or_else(|| format!("No such job: {word}"));
    }
    let pid: u32 = word.parse().map_err(|_| format!("Illegal number: {word}"))?;
    let found = shell.world.look(|kernel| {
        let space = kernel.procs().space_of(shell.proc, crate::namespace::Namespace::Pid)?;
        kernel.procs().find(space, pid)
    });
    found.map(|proc| vec![proc]).ok_or_else(|| "No such process".into())
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
        let sent = target(shell, word).and_then(|procs| {
            let each = procs.into_iter().map(|proc| shell.world.kill(shell.proc, proc, signal));
            each.collect::<Result<Vec<()>, _>>().map_err(|errno| errno.to_string())
        });
        if let Err(what) = sent {
            shell.complain(&format!("kill: {what}")).await;
            status = 1;
        }
    }
    status
}

async fn wait(shell: &mut Shell, args: &[String]) -> u8 {
    if args.is_empty() {
        for job in std::mem::take(&mut shell.jobs) {
            for proc in job.procs {
                shell.world.wait(shell.proc, proc).await;
            }
        }
        return 0;
    }
    let mut status = 127;
    for word in args {
        for proc in target(shell, word).unwrap_or_default() {
            if let Some(end) = shell.world.wait(shell.proc, proc).await {
                status = super::run::status_of(end);
            }
            shell.jobs.retain(|job| !job.procs.contains(&proc));
        }
    }
    status
}
