//! `vitrine run` as a process of its own, with a time limit.

use std::io::Write as _;
use std::os::unix::process::ExitStatusExt as _;
use std::process::{Child, Command, ExitStatus, Stdio};
use std::thread::JoinHandle;
use std::time::{Duration, Instant};

use super::{binary, data};

/// How long anything may take.
pub(crate) const PATIENCE: Duration = Duration::from_secs(30);

/// How a command ended.
#[derive(Debug)]
pub(crate) struct Outcome {
    /// As a shell writes it: 128 + n for signal n.
    pub(crate) status: i32,
    /// What it wrote.
    pub(crate) out: String,
    /// What it wrote to standard error.
    pub(crate) err: String,
}

/// A command that runs. Killed when it is dropped.
pub(crate) struct Running {
    child: Child,
    out: Option<JoinHandle<String>>,
    err: Option<JoinHandle<String>>,
}

/// `vitrine run` with these words: flags, `--`, program.
pub(crate) fn run(words: &[&str]) -> Outcome {
    start(words, None).end()
}

/// The same, when it must succeed; gives its output.
#[track_caller]
pub(crate) fn output(words: &[&str]) -> String {
    let outcome = run(words);
    assert_eq!(outcome.status, 0, "vitrine run {}: {outcome:?}", words.join(" "));
    outcome.out
}

/// Starts `vitrine run`, with this on its standard input.
pub(crate) fn start(words: &[&str], input: Option<&[u8]>) -> Running {
    let mut command = Command::new(binary());
    command.arg("run").env("VITRINE_DATA", data()).args(words);
    spawn(&mut command, input)
}

/// Starts any command.
pub(crate) fn spawn(command: &mut Command, input: Option<&[u8]>) -> Running {
    let stdin = if input.is_some() { Stdio::piped() } else { Stdio::null() };
    command.stdin(stdin).stdout(Stdio::piped()).stderr(Stdio::piped());
    let mut child = command.spawn().unwrap_or_else(|err| panic!("start {command:?}: {err}"));
    if let (Some(bytes), Some(mut stdin)) = (input, child.stdin.take()) {
        // It may end before it has read everything.
        let _ = stdin.write_all(bytes);
    }
    let out = child.stdout.take().map(collect);
    let err = child.stderr.take().map(collect);
    Running { child, out, err }
}

fn collect(mut from: impl std::io::Read + Send + 'static) -> JoinHandle<String> {
    std::thread::spawn(move || {
        let mut bytes = Vec::new();
        from.read_to_end(&mut bytes).expect("read the output");
        String::from_utf8_lossy(&bytes).into_owned()
    })
}

impl Running {
    /// Its PID.
    pub(crate) fn pid(&self) -> u32 {
        self.child.id()
    }

    /// Sends a signal to it.
    pub(crate) fn signal(&self, signal: nix::sys::signal::Signal) {
        let pid = nix::unistd::Pid::from_raw(self.pid().cast_signed());
        nix::sys::signal::kill(pid, signal).expect("kill");
    }

    /// Has it ended?
    pub(crate) fn ended(&mut self) -> bool {
        self.child.try_wait().expect("wait").is_some()
    }

    /// Waits until it ends.
    #[track_caller]
    pub(crate) fn end(mut self) -> Outcome {
        let status = self.wait(PATIENCE);
        let text = |thread: &mut Option<JoinHandle<String>>| {
            thread.take().map(|thread| thread.join().expect("the reader")).unwrap_or_default()
        };
        let (out, err) = (text(&mut self.out), text(&mut self.err));
        Outcome { status: number(status), out, err }
    }

    #[track_caller]
    fn wait(&mut self, patience: Duration) -> ExitStatus {
        let deadline = Instant::now() + super::bound(patience);
        loop {
            if let Some(status) = self.child.try_wait().expect("wait") {
                return status;
            }
            assert!(Instant::now() < deadline, "PID {} does not end", self.child.id());
            std::thread::sleep(Duration::from_millis(2));
        }
    }
}

impl Drop for Running {
    fn drop(&mut self) {
        // By its own handle; it may have ended.
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

fn number(status: ExitStatus) -> i32 {
    status.code().unwrap_or_else(|| 128 + status.signal().unwrap_or(0))
}
