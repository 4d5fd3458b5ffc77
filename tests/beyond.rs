//! `vitrine serve` beyond loopback: TLS by the confined web, warnings, names.

use std::io::{BufRead as _, BufReader, Read, Write};
use std::net::TcpStream;
use std::process::{Child, Command, Stdio};
use std::sync::Arc;
use std::time::Duration;

use nix::sys::signal::{Signal, kill};
use nix::unistd::Pid;
use rustls::crypto::ring;
use rustls::pki_types::ServerName;
use rustls::{ClientConfig, ClientConnection, RootCertStore, StreamOwned};

use crate::harness::command::{Outcome, spawn};
use crate::harness::{binary, data, proc, wait_for};

const PATIENCE: Duration = Duration::from_secs(20);

/// Certificate and key in files.
struct Files {
    dir: tempfile::TempDir,
    made: rcgen::CertifiedKey<rcgen::KeyPair>,
}

impl Files {
    fn new() -> Self {
        let made = rcgen::generate_simple_self_signed(vec!["localhost".into()]).unwrap();
        let dir = tempfile::tempdir().unwrap();
        std::fs::write(dir.path().join("cert.pem"), made.cert.pem()).unwrap();
        std::fs::write(dir.path().join("key.pem"), made.signing_key.serialize_pem()).unwrap();
        Files { dir, made }
    }

    fn path(&self, name: &str) -> String {
        self.dir.path().join(name).display().to_string()
    }
}

fn serve(words: &[&str]) -> Command {
    let mut command = Command::new(binary());
    command.args(["serve", "--data"]).arg(data()).args(words).stdin(Stdio::null());
    command
}

/// A server, and what it has printed.
struct Running {
    child: Child,
    url: String,
    token: String,
}

impl Running {
    fn start(words: &[&str]) -> Self {
        let mut child = serve(words).stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().unwrap();
        let mut line = String::new();
        BufReader::new(child.stdout.take().unwrap()).read_line(&mut line).unwrap();
        let (url, token) = line.trim().split_once("/#token=").expect(&line);
        Running { url: url.into(), token: token.into(), child }
    }

    fn port(&self) -> u16 {
        self.url.rsplit(':').next().unwrap().parse().unwrap()
    }

    /// Ends it; gives its log.
    fn stop(mut self) -> String {
        kill(Pid::from_raw(self.child.id().cast_signed()), Signal::SIGTERM).unwrap();
        let mut log = String::new();
        self.child.stderr.take().unwrap().read_to_string(&mut log).unwrap();
        assert_eq!(self.child.wait().unwrap().code(), Some(0), "{log}");
        log
    }

    fn web(&self) -> u32 {
        wait_for("web", PATIENCE, || {
            let children = proc::children(self.child.id()).into_iter();
            let is_web = |pid: &u32| proc::read(*pid, "cmdline").starts_with("vitrine-web\0");
            children.into_iter().find(is_web)
        })
    }
}

impl Drop for Running {
    fn drop(&mut self) {
        if matches!(self.child.try_wait(), Ok(None)) {
            // A test has failed; the next start sweeps.
            let _ = self.child.kill();
            let _ = self.child.wait();
        }
    }
}

/// What the server answers; none while it is not there.
fn ask(mut stream: impl Read + Write, text: &str) -> Option<String> {
    stream.write_all(text.replace('\n', "\r\n").as_bytes()).ok()?;
    let mut bytes = Vec::new();
    // Whoever closes without a last word of TLS has said everything too.
    let _ = stream.read_to_end(&mut bytes);
    (!bytes.is_empty()).then(|| String::from_utf8_lossy(&bytes).into_owned())
}

fn connect(port: u16) -> Option<TcpStream> {
    let stream = TcpStream::connect(("127.0.0.1", port)).ok()?;
    stream.set_read_timeout(Some(Duration::from_secs(5))).unwrap();
    Some(stream)
}

fn tls(files: &Files, port: u16) -> Option<StreamOwned<ClientConnection, TcpStream>> {
    let mut roots = RootCertStore::empty();
    roots.add(files.made.cert.der().clone()).unwrap();
    let config = ClientConfig::builder_with_provider(Arc::new(ring::default_provider()))
        .with_safe_default_protocol_versions()
        .unwrap()
        .with_root_certificates(roots)
        .with_no_client_auth();
    let name = ServerName::try_from("localhost").unwrap();
    let connection = ClientConnection::new(Arc::new(config), name).unwrap();
    Some(StreamOwned::new(connection, connect(port)?))
}

#[test]
fn tls_is_spoken_by_the_confined_web_and_by_the_next_one() {
    let files = Files::new();
    let (cert, key) = (files.path("cert.pem"), files.path("key.pem"));
    let server = Running::start(&[
        "--listen",
        "127.0.0.1:0",
        "--tls-cert",
        &cert,
        "--tls-key",
        &key,
        "--log",
        "info",
    ]);
    assert!(server.url.starts_with("https://127.0.0.1:"), "{}", server.url);
    let port = server.port();
    let body = format!(r#"{{"token":"{}"}}"#, server.token);
    let post = format!(
        "POST /api/session HTTP/1.1\nHost: localhost:{port}\nOrigin: https://localhost:{port}\n\
         Connection: close\nContent-Length: {}\n\n{body}",
        body.len()
    );
    let answer = wait_for("an answer over TLS", PATIENCE, || ask(tls(&files, port)?, &post));
    assert!(answer.starts_with("HTTP/1.1 200"), "{answer}");
    let cookie = answer.lines().find_map(|line| line.strip_prefix("set-cookie: ")).unwrap();
    assert!(cookie.contains("; Secure"), "{cookie}");
    let plain = ask(connect(port).unwrap(), &format!("GET / HTTP/1.1\nHost: localhost:{port}\n\n"));
    assert!(plain.as_ref().unwrap().starts_with("HTTP/1.1 307"), "{plain:?}");
    // The next web has the key again, and the same sessions.
    let web = server.web();
    kill(Pid::from_raw(web.cast_signed()), Signal::SIGKILL).unwrap();
    let cookie = cookie.split(';').next().unwrap();
    let get = format!(
        "GET /api/session HTTP/1.1\nHost: localhost:{port}\nCookie: {cookie}\nConnection: close\n\n"
    );
    let answer = wait_for("the next web", PATIENCE, || {
        ask(tls(&files, port)?, &get).filter(|answer| answer.starts_with("HTTP/1.1 200"))
    });
    assert!(answer.contains(r#""role":"Teacher""#), "{answer}");
    assert_ne!(server.web(), web);
    let log = server.stop();
    assert!(log.contains("others on this host can read the private key"), "{log}");
    assert!(!log.contains("plain HTTP"), "{log}");
}

#[test]
fn wrong_files_are_named_before_anything_starts() {
    let (files, others) = (Files::new(), Files::new());
    let (cert, key) = (files.path("cert.pem"), files.path("key.pem"));
    for (words, said) in [
        (vec!["--tls-cert", &cert], "go together"),
        (vec!["--tls-key", &key], "go together"),
        (vec!["--tls-cert", "/no/such.pem", "--tls-key", &key], "--tls-cert /no/such.pem"),
        (vec!["--tls-cert", &key, "--tls-key", &key], "no certificate in --tls-cert"),
        (vec!["--tls-cert", &cert, "--tls-key", &cert], "no private key in --tls-key"),
        (vec!["--tls-cert", &cert, "--tls-key", &others.path("key.pem")], "belong together"),
    ] {
        let outcome: Outcome = spawn(serve(&["--listen", "127.0.0.1:0"]).args(&words), None).end();
        assert_eq!(outcome.status, 1, "{words:?}: {outcome:?}");
        assert!(outcome.err.contains(said), "{words:?}: {}", outcome.err);
        assert_eq!(outcome.out, "", "{words:?}");
    }
}

#[test]
fn beyond_loopback_without_tls_it_warns_and_only_names_that_are_ours_are_served() {
    let server =
        Running::start(&["--listen", "0.0.0.0:0", "--allowed-origin", "http://lab.test:80"]);
    let address = wait_for("the port", PATIENCE, || {
        // The name that was allowed is what is printed.
        assert_eq!(server.url, "http://lab.test:80");
        proc::listening_port(server.child.id())
    });
    let get = |host: &str| {
        let text = format!("GET /api/session HTTP/1.1\nHost: {host}\nConnection: close\n\n");
        wait_for("an answer", PATIENCE, || ask(connect(address)?, &text))
    };
    for ours in ["lab.test", &format!("localhost:{address}"), &format!("127.0.0.1:{address}")] {
        assert!(get(ours).starts_with("HTTP/1.1 401"), "{ours}");
    }
    for foreign in [&format!("0.0.0.0:{address}"), "evil.test", "lab.test:81"] {
        let answer = get(foreign);
        assert!(answer.starts_with("HTTP/1.1 421"), "{foreign}: {answer}");
        assert!(answer.contains("--allowed-origin"), "{answer}");
    }
    let log = server.stop();
    let lines: Vec<_> = log.lines().filter(|line| line.contains("plain HTTP")).collect();
    assert_eq!(lines.len(), 1, "{log}");
    assert!(lines[0].contains("--tls-cert") && lines[0].contains("--trusted-proxy"), "{log}");
}

#[test]
fn what_cannot_be_allowed_or_trusted_is_refused_in_words() {
    for (words, said) in [
        (["--allowed-origin", "https://*.example.org"], "wildcards are not allowed"),
        (["--allowed-origin", "lab.example.org"], "http://"),
        (["--allowed-origin", "https://lab.example.org/x"], "a path"),
        (["--trusted-proxy", "proxy.example.org"], "10.0.0.0/8"),
        (["--trusted-proxy", "10.0.0.0/33"], "10.0.0.0/8"),
    ] {
        let outcome: Outcome = spawn(&mut serve(&words), None).end();
        assert_eq!(outcome.status, 2, "{words:?}: {outcome:?}");
        assert!(outcome.err.contains(said), "{words:?}: {}", outcome.err);
    }
}

#[test]
fn a_hang_up_reads_the_certificate_again_and_a_bad_one_changes_nothing() {
    let (old, new) = (Files::new(), Files::new());
    let (cert, key) = (old.path("cert.pem"), old.path("key.pem"));
    let listen = ["--listen", "127.0.0.1:0", "--log", "info"];
    let server = Running::start(&[&listen[..], &["--tls-cert", &cert, "--tls-key", &key]].concat());
    let port = server.port();
    let get = format!("GET / HTTP/1.1\nHost: localhost:{port}\nConnection: close\n\n");
    let speaks =
        |files: &Files| ask(tls(files, port)?, &get).filter(|said| said.contains("200 OK"));
    let hang_up = || kill(Pid::from_raw(server.child.id().cast_signed()), Signal::SIGHUP).unwrap();
    wait_for("the old certificate", PATIENCE, || speaks(&old));
    assert_eq!(speaks(&new), None, "nobody has that one yet");

    // The key of another: refused, and the old pair stays.
    std::fs::copy(new.path("key.pem"), &key).unwrap();
    hang_up();
    std::thread::sleep(Duration::from_millis(300));
    assert!(speaks(&old).is_some(), "the old certificate stays");

    std::fs::copy(new.path("cert.pem"), &cert).unwrap();
    hang_up();
    wait_for("the new certificate", PATIENCE, || speaks(&new));
    assert_eq!(speaks(&old), None, "the old one is not used any more");
    // The next web has it too.
    kill(Pid::from_raw(server.web().cast_signed()), Signal::SIGKILL).unwrap();
    wait_for("the new certificate of the next web", PATIENCE, || speaks(&new));
    let log = server.stop();
    assert!(log.contains("the old TLS certificate and key stay"), "{log}");
    assert!(log.contains("read again"), "{log}");
}
