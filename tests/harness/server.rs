//! A real `vitrine serve` on a free port.

use std::io::{BufRead as _, BufReader, Read as _, Write as _};
use std::net::TcpStream;
use std::process::{Child, Command, Stdio};
use std::sync::{Arc, Mutex};
use std::time::{Duration, Instant};

use nix::sys::signal::{Signal, kill};
use nix::unistd::Pid;

use super::client::{Client, Codec};
use super::{binary, data, proc, wait_for};

/// A server. Killed when it is dropped.
pub(crate) struct Server {
    child: Child,
    /// `127.0.0.1:PORT`
    pub(crate) address: String,
    /// The session cookie, as a browser sends it back.
    pub(crate) cookie: String,
    log: Arc<Mutex<String>>,
}

impl Server {
    /// Starts one and exchanges its token for a cookie.
    pub(crate) fn start() -> Self {
        Server::start_with(&[])
    }

    /// The same with more flags.
    pub(crate) fn start_with(flags: &[&str]) -> Self {
        let (mut server, url) = Server::untouched(flags);
        server.exchange(url.rsplit_once("#token=").expect("a token").1);
        server
    }

    /// Starts one whose token is still good; gives the line that it printed.
    pub(crate) fn untouched(flags: &[&str]) -> (Self, String) {
        let mut command = Command::new(binary());
        command.args(["serve", "--listen", "127.0.0.1:0", "--data"]).arg(data()).args(flags);
        Server::spawn(&mut command)
    }

    /// Starts one by this command, and comes in with its token.
    pub(crate) fn start_by(command: &mut Command) -> Self {
        let (mut server, url) = Server::spawn(command);
        server.exchange(url.rsplit_once("#token=").expect("a token").1);
        server
    }

    fn spawn(command: &mut Command) -> (Self, String) {
        let mut child = command
            .stdin(Stdio::null())
            .stdout(Stdio::piped())
            .stderr(Stdio::piped())
            .spawn()
            .expect("start vitrine serve");
        let log = Arc::new(Mutex::new(String::new()));
        keep_log(child.stderr.take().expect("piped"), &log);
        let mut line = String::new();
        let mut out = BufReader::new(child.stdout.take().expect("piped"));
        out.read_line(&mut line).expect("read the URL");
        let (url, _) = line
            .trim()
            .split_once("/#token=")
            .unwrap_or_else(|| panic!("no URL in {line:?}: {}", log.lock().expect("the log")));
        let address = url.strip_prefix("http://").expect("an http URL").to_string();
        (Server { child, address, cookie: String::new(), log }, line.trim().to_string())
    }

    /// Comes in with the token.
    #[track_caller]
    pub(crate) fn exchange(&mut self, token: &str) {
        self.cookie = wait_for("the token is exchanged", Duration::from_secs(20), || {
            exchange(&self.address, token)
        });
    }

    /// A page, with JSON.
    pub(crate) fn client(&self) -> Client {
        Client::connect(self, Codec::Json)
    }

    /// The launcher's PID.
    pub(crate) fn pid(&self) -> u32 {
        self.child.id()
    }

    /// The PID of web or of the observer.
    #[track_caller]
    pub(crate) fn service(&self, name: &str) -> u32 {
        wait_for(name, Duration::from_secs(10), || {
            proc::children(self.pid())
                .into_iter()
                .find(|&pid| proc::read(pid, "cmdline").split('\0').next() == Some(name))
        })
    }

    /// Kills one of the three with SIGKILL.
    pub(crate) fn kill(pid: u32) {
        kill(Pid::from_raw(pid.cast_signed()), Signal::SIGKILL).expect("kill -9");
    }

    /// What it has logged.
    pub(crate) fn log(&self) -> String {
        self.log.lock().expect("the log").clone()
    }

    /// Ends it as `systemctl stop` would; gives the exit code.
    #[track_caller]
    pub(crate) fn stop(&mut self) -> Option<i32> {
        kill(Pid::from_raw(self.pid().cast_signed()), Signal::SIGTERM).expect("SIGTERM");
        self.wait()
    }

    /// Waits until it has ended.
    #[track_caller]
    pub(crate) fn wait(&mut self) -> Option<i32> {
        let deadline = Instant::now() + super::bound(Duration::from_secs(20));
        loop {
            if let Some(status) = self.child.try_wait().expect("wait") {
                return status.code();
            }
            assert!(Instant::now() < deadline, "the server does not end: {}", self.log());
            std::thread::sleep(Duration::from_millis(5));
        }
    }
}

impl Drop for Server {
    #[allow(clippy::print_stderr, reason = "shown with the test that fails")]
    fn drop(&mut self) {
        if std::thread::panicking() {
            eprintln!("the server's log:\n{}", self.log());
        }
        if matches!(self.child.try_wait(), Ok(None)) {
            // It cleans up after itself when it is asked; else the next one does.
            let _ = kill(Pid::from_raw(self.pid().cast_signed()), Signal::SIGTERM);
            for _ in 0..1_000 {
                if !matches!(self.child.try_wait(), Ok(None)) {
                    return;
                }
                std::thread::sleep(Duration::from_millis(5));
            }
            let _ = self.child.kill();
            let _ = self.child.wait();
        }
    }
}

fn keep_log(from: impl std::io::Read + Send + 'static, log: &Arc<Mutex<String>>) {
    let log = Arc::clone(log);
    std::thread::spawn(move || {
        for line in BufReader::new(from).lines().map_while(Result::ok) {
            let mut log = log.lock().expect("the log");
            log.push_str(&line);
            log.push('\n');
        }
    });
}

/// Exchanges the token; none while web is not there yet.
fn exchange(address: &str, token: &str) -> Option<String> {
    let body = format!(r#"{{"token":"{token}"}}"#);
    let head = format!("Content-Type: application/json\r\nContent-Length: {}\r\n", body.len());
    let answer = request(address, "POST", "/api/session", &head, &body)?;
    assert!(answer.starts_with("HTTP/1.1 200"), "the token is refused: {answer}");
    let cookie = answer.lines().find_map(|line| line.strip_prefix("set-cookie: "));
    let cookie = cookie.unwrap_or_else(|| panic!("no cookie in {answer}"));
    assert!(cookie.contains("HttpOnly") && cookie.contains("SameSite=Strict"), "{cookie}");
    cookie.split(';').next().map(str::to_string)
}

/// One HTTP request with an `Origin`; the answer's text, or none when nobody listens.
pub(crate) fn request(
    address: &str,
    method: &str,
    path: &str,
    head: &str,
    body: &str,
) -> Option<String> {
    let mut stream = TcpStream::connect(address).ok()?;
    stream.set_read_timeout(Some(Duration::from_secs(10))).expect("timeout");
    let text = format!(
        "{method} {path} HTTP/1.1\r\nHost: {address}\r\nOrigin: http://{address}\r\n{head}Connection: close\r\n\r\n{body}"
    );
    stream.write_all(text.as_bytes()).ok()?;
    let mut answer = Vec::new();
    stream.read_to_end(&mut answer).ok()?;
    (!answer.is_empty()).then(|| String::from_utf8_lossy(&answer).into_owned())
}
