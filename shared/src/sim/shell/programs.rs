//! The programs of the simulated machine.

mod docker;
mod files;
mod filters;
mod grep;
mod machine;
mod mounts;
mod pattern;
mod ps;
mod spaces;
pub(super) mod text;

use std::future::Future;
use std::pin::Pin;

use super::super::kernel::Kind;
use super::super::procs::OVERFLOW_ID;
use super::run::Shell;

/// What a program does: it has the shell that its process is a copy of, and its command line.
pub(super) type Run = fn(Shell, Vec<String>) -> Pin<Box<dyn Future<Output = u8>>>;

/// A program as a function that gives a future.
macro_rules! program {
    ($path:path) => {
        |shell, argv| Box::pin($path(shell, argv))
    };
}

const PROGRAMS: [(&str, Run); 51] = [
    ("bash", program!(machine::sh)),
    ("busybox", program!(machine::busybox)),
    ("cat", program!(files::cat)),
    ("chroot", program!(spaces::chroot)),
    ("cmp", program!(filters::cmp)),
    ("cut", program!(filters::cut)),
    ("date", program!(machine::date)),
    ("docker", program!(docker::docker)),
    ("echo", program!(text::echo_program)),
    ("env", program!(machine::env)),
    ("false", program!(text::failure)),
    ("free", program!(machine::free)),
    ("getconf", program!(machine::getconf)),
    ("grep", program!(grep::grep)),
    ("head", program!(text::head)),
    ("hostname", program!(machine::hostname)),
    ("id", program!(machine::id)),
    ("ip", program!(machine::ip)),
    ("ls", program!(files::ls)),
    ("lsns", program!(spaces::lsns)),
    ("mkdir", program!(files::mkdir)),
    ("mount", program!(mounts::mount)),
    ("nproc", program!(machine::nproc)),
    ("nsenter", program!(spaces::nsenter)),
    ("pivot_root", program!(spaces::pivot_root)),
    ("printf", program!(text::printf_program)),
    ("ps", program!(ps::ps)),
    ("pwd", program!(machine::pwd)),
    ("readlink", program!(files::readlink)),
    ("rm", program!(files::rm)),
    ("rmdir", program!(files::rmdir)),
    ("seq", program!(text::seq)),
    ("sh", program!(machine::sh)),
    ("sleep", program!(machine::sleep)),
    ("sort", program!(text::sort)),
    ("stress", program!(machine::stress)),
    ("tail", program!(text::tail)),
    ("tee", program!(filters::tee)),
    ("test", program!(text::test_program)),
    ("top", program!(ps::top)),
    ("touch", program!(files::touch)),
    ("tr", program!(filters::tr)),
    ("true", program!(text::nothing)),
    ("umount", program!(mounts::umount)),
    ("uname", program!(machine::uname)),
    ("uniq", program!(filters::uniq)),
    ("unshare", program!(spaces::unshare)),
    ("uptime", program!(machine::uptime)),
    ("wc", program!(text::wc)),
    ("whoami", program!(machine::whoami)),
    ("yes", program!(filters::yes)),
];

/// Why there is no program.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub(super) enum Missing {
    /// No such file.
    #[error("not found")]
    NotFound,
    /// A file, but none that runs.
    #[error("Permission denied")]
    NoProgram,
}

impl Missing {
    /// The status of a shell that did not find it.
    pub(super) fn status(self) -> u8 {
        match self {
            Missing::NotFound => 127,
            Missing::NoProgram => 126,
        }
    }
}

/// The program that a process means by a name or a path: its file must be there, for that process.
pub(super) fn find(shell: &Shell, name: &str) -> Result<Run, Missing> {
    let path = if name.contains('/') { name.to_owned() } else { format!("/bin/{name}") };
    let kind = shell.world.look(|kernel| kernel.kind(shell.proc, &path));
    match kind {
        Err(_) => Err(Missing::NotFound),
        Ok(Kind::File) => named(&path).ok_or(Missing::NoProgram),
        Ok(_) if name.contains('/') => Err(Missing::NoProgram),
        Ok(_) => Err(Missing::NotFound),
    }
}

/// The program of that name; with its directory it must be one of programs.
pub(super) fn named(name: &str) -> Option<Run> {
    let bare = match name.rsplit_once('/') {
        Some((above, bare)) if above.ends_with("bin") => bare,
        Some(_) => return None,
        None => name,
    };
    PROGRAMS.iter().find(|(known, _)| *known == bare).map(|(_, run)| *run)
}

/// All of them.
pub(super) fn names() -> Vec<&'static str> {
    PROGRAMS.iter().map(|(name, _)| *name).collect()
}

/// Writes a text to standard output; the status says whether that went well.
async fn say(shell: &Shell, name: &str, text: &str) -> u8 {
    match shell.say(text).await {
        Ok(()) => 0,
        Err(Some(errno)) => fail(shell, name, &format!("write error: {errno}")).await,
        // SIGPIPE.
        Err(None) => 141,
    }
}

/// Says what went wrong; the status for it.
async fn fail(shell: &Shell, name: &str, what: &str) -> u8 {
    shell.say_error(&format!("{name}: {what}\n")).await;
    1
}

/// The arguments that are no options, and the letters of those that are.
fn options(args: &[String]) -> (Vec<char>, Vec<&str>) {
    let (mut letters, mut words) = (Vec::new(), Vec::new());
    for arg in args {
        match arg.strip_prefix('-') {
            Some(flags) if !flags.is_empty() && !flags.starts_with('-') => {
                letters.extend(flags.chars())
            }
            _ => words.push(arg.as_str()),
        }
    }
    (letters, words)
}

/// The name of a user of `/etc/passwd`, or the number.
fn user_name(uid: u32) -> String {
    match uid {
        0 => "root".into(),
        OVERFLOW_ID => "nobody".into(),
        uid => uid.to_string(),
    }
}

/// A number of `/proc/meminfo`; 0 where it is not there.
fn kib(meminfo: &str, name: &str) -> u64 {
    let line = meminfo.lines().find_map(|line| line.strip_prefix(name)?.strip_prefix(':'));
    line.and_then(|line| line.split_whitespace().next()?.parse().ok()).unwrap_or(0)
}
