//! Trying things: in a short-lived child, or by a program, and always with a time limit.

use std::fs;
use std::io::Read as _;
use std::os::fd::AsFd as _;
use std::os::unix::process::CommandExt as _;
use std::process::{Command, Stdio};
use std::time::{Duration, Instant};

use nix::errno::Errno;
use nix::fcntl::{FcntlArg, OFlag, fcntl};
use nix::sched::{CloneFlags, unshare};
use nix::sys::signal::{Signal, killpg};
use nix::unistd::{Pid, getegid, geteuid};

use crate::launcher::{confine, sys};

/// How long a child may take.
const PATIENCE: Duration = Duration::from_secs(5);
/// What is kept of a program's output.
const MOST_BYTES: usize = 64 * 1024;

/// Runs `attempt` in a child that dies with us, and gives the error that it met.
///
/// This process has one thread, so the child may run ordinary Rust.
pub(super) fn child(attempt: impl FnOnce() -> nix::Result<()>) -> nix::Result<()> {
    match sys::clone3(0)? {
        sys::Side::Child => {
            let result = confine::die_with_parent().and_then(|()| attempt());
            sys::exit_now(result.err().map_or(0, |errno| errno as i32));
        }
        sys::Side::Parent { pidfd, .. } => {
            let ended = sys::wait_pidfd_within(pidfd.as_fd(), PATIENCE);
            if ended.is_err() {
                // It hangs: not even then may it be left behind.
                let _ = sys::pidfd_signal(pidfd.as_fd(), libc::SIGKILL);
                let _ = sys::wait_pidfd_within(pidfd.as_fd(), PATIENCE);
            }
            match ended?.status {
                0 => Ok(()),
                status @ 1..128 => Err(Errno::from_raw(status)),
                // By a signal.
                _ => Err(Errno::ECHILD),
            }
        }
    }
}

/// In a child: enters new namespaces as whoever this is. An ordinary user needs a user namespace
/// for any other, and an id in it to own files.
pub(super) fn enter(flags: CloneFlags) -> nix::Result<()> {
    let (uid, gid) = (geteuid(), getegid());
    if uid.is_root() {
        return unshare(flags);
    }
    unshare(flags | CloneFlags::CLONE_NEWUSER)?;
    write("/proc/self/setgroups", "deny")?;
    write("/proc/self/gid_map", &format!("0 {gid} 1"))?;
    write("/proc/self/uid_map", &format!("0 {uid} 1"))
}

/// A write whose error keeps its number.
pub(super) fn write(path: &str, text: &str) -> nix::Result<()> {
    fs::write(path, text).map_err(|err| errno(&err))
}

/// The number of an error.
pub(super) fn errno(err: &std::io::Error) -> Errno {
    Errno::from_raw(err.raw_os_error().unwrap_or(libc::EIO))
}

/// How a program ended.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum Ran {
    /// By itself: its exit code (none for a signal), and what it said.
    Ended(Option<i32>, String),
    /// It did not end in time and was killed.
    TimedOut,
    /// It did not start.
    NotStarted(String),
}

/// Runs a program and everything that it starts, for so long at most.
pub(super) fn program(command: &mut Command, patience: Duration) -> Ran {
    let deadline = Instant::now() + patience;
    let (mut pipe, writer) = match std::io::pipe() {
        Ok(pipe) => pipe,
        Err(err) => return Ran::NotStarted(err.to_string()),
    };
    // A group of its own, to be ended as a whole.
    command.stdin(Stdio::null()).process_group(0);
    let copy = writer.try_clone().map_or_else(|_| Stdio::null(), Stdio::from);
    let spawned = command.stdout(writer).stderr(copy).spawn();
    // The command holds the writing ends.
    command.stdout(Stdio::null()).stderr(Stdio::null());
    let mut child = match spawned {
        Ok(child) => child,
        Err(err) => return Ran::NotStarted(err.to_string()),
    };
    let group = Pid::from_raw(child.id().cast_signed());
    let _ = fcntl(pipe.as_fd(), FcntlArg::F_SETFL(OFlag::O_NONBLOCK));
    let mut said = Vec::new();
    let ended = loop {
        drain(&mut pipe, &mut said);
        match child.try_wait() {
            Ok(Some(status)) => break Some(status),
            Ok(None) if Instant::now() < deadline => {}
            _ => break None,
        }
        std::thread::sleep(Duration::from_millis(5));
    };
    // What it has started goes too.
    let _ = killpg(group, Signal::SIGKILL);
    let Some(status) = ended else {
        // Killed, it is reaped at once.
        let _ = child.wait();
        return Ran::TimedOut;
    };
    drain(&mut pipe, &mut said);
    Ran::Ended(status.code(), String::from_utf8_lossy(&said).into_owned())
}

fn drain(pipe: &mut std::io::PipeReader, said: &mut Vec<u8>) {
    let mut buffer = [0; 4096];
    // Bounded in each turn: whoever writes without end meets the deadline.
    for _ in 0..64 {
        let Ok(len @ 1..) = pipe.read(&mut buffer) else { return };
        let room = MOST_BYTES.saturating_sub(said.len());
        said.extend_from_slice(&buffer[..len.min(room)]);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn sh(script: &str, msec: u64) -> Ran {
        program(Command::new("sh").args(["-c", script]), Duration::from_millis(msec))
    }

    #[test]
    fn a_program_that_hangs_is_ended_with_what_it_started() {
        let began = Instant::now();
        assert_eq!(sh("sleep 1000 & sleep 1000", 200), Ran::TimedOut);
        assert_eq!(sh("yes", 200), Ran::TimedOut);
        assert!(began.elapsed() < Duration::from_secs(5));
    }

    #[test]
    fn what_it_says_and_how_it_ends() {
        assert_eq!(
            sh("echo out; echo err >&2; exit 3", 5000),
            Ran::Ended(Some(3), "out\nerr\n".into())
        );
        assert_eq!(sh("kill -9 $$", 5000), Ran::Ended(None, String::new()));
        assert!(matches!(program(&mut Command::new("/no/such"), PATIENCE), Ran::NotStarted(_)));
    }
}
