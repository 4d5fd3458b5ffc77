//! A tiny launcher and observer around a web process that runs in a thread.

use std::io;
use std::net::{SocketAddr, TcpListener};
use std::os::fd::{AsFd, AsRawFd, OwnedFd};
use std::process::Child;
use std::sync::Arc;
use std::thread::JoinHandle;
use std::time::Duration;

use nix::fcntl::{FcntlArg, OFlag, fcntl};
use nix::poll::{PollFd, PollFlags, PollTimeout, poll};
use nix::pty::openpty;
use nix::sys::memfd::{MFdFlags, memfd_create};
use nix::sys::socket::{Shutdown, shutdown};
use nix::sys::termios::{SetArg, cfmakeraw, tcgetattr, tcsetattr};
use tokio::sync::mpsc;
use vitrine::ipc::{Channel, FromWeb, Inbox, RING_FILE_BYTES, ToWeb, WebSetup, WebToObserver};
use vitrine::web;
use vitrine_shared::cgroup::Dialect;
use vitrine_shared::id::{ContainerId, MachineId, ParticipantId, TerminalId};
use vitrine_shared::message::{Answer, Command, HostInfo, Machine, Profile};
use vitrine_shared::role::{Identity, Role};

pub(crate) const KEY: [u8; 32] = [42; 32];
pub(crate) const TOKEN: &str = "0123456789abcdef0123456789abcdef";
pub(crate) const ANN: ParticipantId = ParticipantId(1);
pub(crate) const BOB: ParticipantId = ParticipantId(2);
pub(crate) const TEACHER: Identity =
    Identity { participant: ParticipantId(99), role: Role::Teacher };
pub(crate) const VIEWER: Identity = Identity { participant: ParticipantId(98), role: Role::Viewer };
pub(crate) const STUDENT: Identity = Identity { participant: ANN, role: Role::Student };
pub(crate) const OTHER: Identity = Identity { participant: BOB, role: Role::Student };
pub(crate) const ANNS: MachineId = MachineId(10);
pub(crate) const BOBS: MachineId = MachineId(20);
/// Ann's terminal, when there is one.
pub(crate) const TERMINAL: TerminalId = TerminalId(0xfeed);

/// Everything in these tests happens at once or is broken.
pub(crate) async fn soon<F: Future>(what: &str, future: F) -> F::Output {
    match tokio::time::timeout(Duration::from_secs(20), future).await {
        Ok(output) => output,
        Err(_) => panic!("waited too long for {what}"),
    }
}

/// A web process, or one in a thread.
enum Web {
    Thread(JoinHandle<anyhow::Result<()>>),
    Process(Child),
}

pub(crate) struct Stage {
    pub(crate) address: SocketAddr,
    pub(crate) requests: mpsc::UnboundedReceiver<FromWeb>,
    pub(crate) watches: mpsc::UnboundedReceiver<WebToObserver>,
    pub(crate) observer: Arc<Channel>,
    launcher: Arc<Channel>,
    listener: TcpListener,
    web: Option<Web>,
    token: Option<String>,
    terminals: Vec<(TerminalId, OwnedFd, OwnedFd)>,
    change: fn(&mut WebSetup),
}

impl Stage {
    /// A web process with two machines.
    pub(crate) async fn new() -> Stage {
        Stage::with(|_| {}).await
    }

    /// The same, set up another way.
    pub(crate) async fn with(change: fn(&mut WebSetup)) -> Stage {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let (launcher, _) = Channel::pair().unwrap();
        let (observer, _) = Channel::pair().unwrap();
        let mut stage = Stage {
            address: listener.local_addr().unwrap(),
            requests: mpsc::unbounded_channel().1,
            watches: mpsc::unbounded_channel().1,
            observer: Arc::new(observer),
            launcher: Arc::new(launcher),
            listener,
            web: None,
            token: Some(TOKEN.into()),
            terminals: Vec::new(),
            change,
        };
        stage.start(thread).await;
        stage
    }

    async fn start(&mut self, run: fn(Channel) -> Web) {
        let (launcher, web_end) = Channel::pair().unwrap();
        self.launcher = Arc::new(launcher);
        self.requests = hear(self.launcher.clone());
        let observer_end = self.new_observer();
        self.web = Some(run(web_end));
        let mut setup = WebSetup {
            cookie_key: KEY,
            token: self.token.clone(),
            teacher: TEACHER.participant,
            listen: self.address,
            allowed_origins: vec!["https://lab.example".into()],
            trusted_proxies: Vec::new(),
            tls: None,
            assets: None,
            host: HostInfo {
                version: "0".into(),
                kernel: "6".into(),
                cpus: 2,
                memory_bytes: 1 << 30,
                cpu_dialect: Dialect::V1,
                profiles: vec![Profile::Strict],
                images: Vec::new(),
                rootless: false,
                lxcfs: false,
                plain_http: false,
                missing: Vec::new(),
                simulated: false,
            },
        };
        (self.change)(&mut setup);
        let fds = [self.listener.as_fd(), observer_end.as_fd()];
        send(&self.launcher, &ToWeb::Hello(Box::new(setup)), &fds);
        for (id, owner) in [(ANNS, ANN), (BOBS, BOB)] {
            self.tell(&ToWeb::Machine(Box::new(machine(id, owner))));
        }
        for (terminal, master, ring) in &self.terminals {
            announce(&self.launcher, *terminal, master, ring);
        }
        self.tell(&ToWeb::Synced);
        assert_eq!(soon("Ready", self.requests.recv()).await, Some(FromWeb::Ready));
    }

    fn new_observer(&mut self) -> Channel {
        let (ours, theirs) = Channel::pair().unwrap();
        self.observer = Arc::new(ours);
        self.watches = hear(self.observer.clone());
        theirs
    }

    /// The observer dies, and another one comes.
    pub(crate) fn restart_observer(&mut self) {
        close(&self.observer);
        let theirs = self.new_observer();
        send(&self.launcher, &ToWeb::Observer, &[theirs.as_fd()]);
    }

    /// Web ends, and another one takes over.
    pub(crate) async fn restart(&mut self) {
        self.stop();
        self.token = None;
        self.start(thread).await;
    }

    /// Web is killed, if it is a process, and another process takes over.
    pub(crate) async fn restart_as_process(&mut self) {
        self.stop();
        self.token = None;
        self.start(|channel| Web::Process(crate::killed::spawn(channel))).await;
    }

    fn stop(&mut self) {
        match self.web.take().unwrap() {
            Web::Thread(web) => {
                close(&self.launcher);
                let ended = web.join().unwrap();
                assert!(ended.is_ok(), "{ended:?}");
            }
            Web::Process(mut web) => {
                web.kill().unwrap();
                web.wait().unwrap();
                close(&self.launcher);
            }
        }
        close(&self.observer);
    }

    /// Tells web something, as the launcher.
    pub(crate) fn tell(&self, message: &ToWeb) {
        send(&self.launcher, message, &[]);
    }

    /// The next request of a page.
    pub(crate) async fn request(&mut self) -> (u64, Identity, Command) {
        match soon("a request", self.requests.recv()).await {
            Some(FromWeb::Request { request, by, command }) => (request, by, command),
            other => panic!("{other:?}"),
        }
    }

    /// Answers a request.
    pub(crate) fn answer(&self, request: u64, answer: Answer) {
        self.tell(&ToWeb::Answer { request, answer });
    }

    /// Gives Ann's machine a terminal, raw; the result is the side of the program.
    pub(crate) fn open_terminal(&mut self) -> OwnedFd {
        let pty = openpty(None, None).unwrap();
        let mut modes = tcgetattr(&pty.slave).unwrap();
        cfmakeraw(&mut modes);
        tcsetattr(&pty.slave, SetArg::TCSANOW, &modes).unwrap();
        for fd in [&pty.master, &pty.slave] {
            fcntl(fd.as_fd(), FcntlArg::F_SETFL(OFlag::O_NONBLOCK | OFlag::O_RDWR)).unwrap();
        }
        let ring = memfd_create("ring", MFdFlags::MFD_CLOEXEC).unwrap();
        nix::unistd::ftruncate(&ring, RING_FILE_BYTES.try_into().unwrap()).unwrap();
        announce(&self.launcher, TERMINAL, &pty.master, &ring);
        self.terminals.push((TERMINAL, pty.master, ring));
        pty.slave
    }
}

impl Drop for Stage {
    fn drop(&mut self) {
        if self.web.is_some() && !std::thread::panicking() {
            self.stop();
        }
    }
}

fn thread(channel: Channel) -> Web {
    Web::Thread(std::thread::spawn(move || web::run(channel)))
}

fn announce(launcher: &Channel, terminal: TerminalId, master: &OwnedFd, ring: &OwnedFd) {
    let message = ToWeb::Terminal { terminal, machine: ANNS, container: ContainerId(1) };
    send(launcher, &message, &[master.as_fd(), ring.as_fd()]);
}

pub(crate) fn machine(id: MachineId, owner: ParticipantId) -> Machine {
    Machine {
        id,
        owner,
        profile: Profile::Strict,
        init_pid: 1,
        uid_base: 100_000,
        cgroup_path: "vitrine/m".into(),
        born_msec: 0,
        newborn: vitrine_shared::birth::Newborn::default(),
        steps: Vec::new(),
        containers: Vec::new(),
    }
}

fn close(channel: &Channel) {
    shutdown(channel.as_raw_fd(), Shutdown::Both).unwrap();
}

/// Sends, and waits for room.
pub(crate) fn send<T: serde::Serialize>(
    channel: &Channel,
    message: &T,
    fds: &[std::os::fd::BorrowedFd<'_>],
) {
    loop {
        match channel.send(message, fds) {
            Err(err) if err.kind() == io::ErrorKind::WouldBlock => {
                wait(channel, PollFlags::POLLOUT);
            }
            other => return other.unwrap(),
        }
    }
}

fn hear<T: serde::de::DeserializeOwned + Send + 'static>(
    channel: Arc<Channel>,
) -> mpsc::UnboundedReceiver<T> {
    let (sender, receiver) = mpsc::unbounded_channel();
    std::thread::spawn(move || {
        let mut inbox = Inbox::default();
        loop {
            match channel.recv::<T>(&mut inbox) {
                Ok(Some((message, _))) => drop(sender.send(message)),
                Err(err) if err.kind() == io::ErrorKind::WouldBlock => {
                    wait(&channel, PollFlags::POLLIN);
                }
                _ => return,
            }
        }
    });
    receiver
}

/// Waits until something can be read or written; false after the time is over.
pub(crate) fn ready(fd: &impl AsFd, flags: PollFlags, msec: u16) -> bool {
    poll(&mut [PollFd::new(fd.as_fd(), flags)], PollTimeout::from(msec)).unwrap() > 0
}

fn wait(fd: &impl AsFd, flags: PollFlags) {
    poll(&mut [PollFd::new(fd.as_fd(), flags)], PollTimeout::NONE).unwrap();
}
