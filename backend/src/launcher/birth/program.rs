//! The last of a birth: the environment, where the program is, and `execve`.

use std::ffi::{CStr, CString};
use std::os::fd::{AsFd as _, AsRawFd as _};

use nix::errno::Errno;
use nix::unistd::{AccessFlags, access, execve};
use vitrine_shared::message::StepName;

use super::run_as::Person;
use super::{Plan, Program, Stdio};
use crate::launcher::memfd;
use crate::launcher::step::{At as _, StepError};
use crate::launcher::sys;
use crate::launcher::talk::Talk;

pub(super) const HOME: &str = "/root";
const DEFAULT_PATH: &str = "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin";

/// What is given here, and above that what the plan says: a name is there once.
pub(super) fn environment(plan: &Plan<'_>, person: Option<&Person>) -> Vec<(String, String)> {
    let home = person.map_or(HOME, |person| &person.home);
    let mut env = vec![
        ("PATH".to_string(), DEFAULT_PATH.to_string()),
        ("HOME".to_string(), home.to_string()),
    ];
    if plan.stdio == Stdio::Terminal {
        env.push(("TERM".into(), "xterm-256color".into()));
    }
    for (name, value) in &plan.env {
        env.retain(|(other, _)| other != name);
        env.push((name.clone(), value.clone()));
    }
    env
}

/// Where programs are looked for, as a shell with this environment would.
pub(super) fn search_path(env: &[(String, String)]) -> &str {
    env.iter().find(|(name, _)| name == "PATH").map_or(DEFAULT_PATH, |(_, value)| value)
}

pub(super) fn lines(env: &[(String, String)]) -> Vec<CString> {
    let lines = env.iter().map(|(name, value)| format!("{name}={value}"));
    lines.filter_map(|line| CString::new(line).ok()).collect()
}

/// Finds the program in its own root, as a shell would; with an init it is the init's argument.
pub(super) fn resolve(
    program: &Program<'_>,
    path: &str,
) -> Result<(Option<CString>, Vec<CString>), StepError> {
    let step = StepName::Execve;
    let words = match program {
        Program::Argv(words) | Program::Init(_, words) => *words,
    };
    let c = |word: &str| {
        CString::new(word).map_err(|_| StepError::new(step, "a NUL in argv", Errno::EINVAL))
    };
    let mut argv = words.iter().map(|word| c(word)).collect::<Result<Vec<_>, _>>()?;
    let found = match words.first() {
        None => None,
        Some(name) => Some(c(&find(name, path).at(step, format!("execve({name:?})"))?)?),
    };
    match program {
        Program::Argv(_) => Ok((found, argv)),
        Program::Init(..) => {
            if let (Some(first), Some(path)) = (argv.first_mut(), found) {
                *first = path;
            }
            argv.insert(0, c"init".into());
            Ok((None, argv))
        }
    }
}

fn find(name: &str, path: &str) -> nix::Result<String> {
    if name.contains('/') {
        return access(name, AccessFlags::F_OK).map(|()| name.to_string());
    }
    let mut refused = Errno::ENOENT;
    for dir in path.split(':') {
        let path = format!("{dir}/{name}");
        match access(path.as_str(), AccessFlags::X_OK) {
            Ok(()) => return Ok(path),
            Err(Errno::EACCES) => refused = Errno::EACCES,
            Err(_) => {}
        }
    }
    Err(refused)
}

pub(super) fn execute(
    plan: &Plan<'_>,
    talk: &Talk,
    path: Option<&CStr>,
    argv: &[CString],
    env: &[CString],
) -> Result<std::convert::Infallible, StepError> {
    let step = StepName::Execve;
    let mut keep = vec![0, 1, 2, talk.as_raw_fd()];
    match (&plan.program, path) {
        (Program::Init(init, _), _) => {
            // Both stay open until the moment of execve, which closes them.
            keep.push(init.as_raw_fd());
            sys::close_all_but(&keep).at(step, "close_range")?;
            memfd::execute(init.as_fd(), argv, env).at(step, "execveat(init)")
        }
        (Program::Argv(_), Some(path)) => {
            sys::close_all_but(&keep).at(step, "close_range")?;
            execve(path, argv, env).at(step, format!("execve({})", path.to_string_lossy()))
        }
        (Program::Argv(_), None) => Err(StepError::new(step, "no program", Errno::ENOENT)),
    }
}
