//! `web`: HTTP and WebSockets, who may do what, and the terminals. No privilege at all.
//!
//! ```text
//! launcher ── channel ─► serve ─┬─► hub ──► outboxes ──► /api/ws      ◄── observer's samples
//!                               ├─► terminals: PTY ─► ring ──► /api/term/{id}
//!          ◄─ requests ─────────┴── commands, checked
//! ```
//!
//! In reading order: `link`, `requests`, `observe` (the other processes); `hub`,
//! `outbox`, `codec` (what pages hear); `session`, `origin`, `proxies`,
//! `addresses`, `sockets`, `bucket` (who gets in, how much); `http`, `tls`, `routes`, `assets`, `problem` (HTTP); `upgrade`,
//! `socket`, `commands` (`/api/ws`); `pty`, `ring`, `terminal` (`/api/term/{id}`).
//!
//! **Invariant:** everything comes through descriptors that were inherited or received: nothing
//! here opens a socket or a file (but below [`WebSetup::assets`], for development), connects or
//! executes. The process is confined before [`run`] begins and holds nothing that the next one
//! would miss: it may be killed at any time.

mod addresses;
mod assets;
mod bucket;
mod codec;
mod commands;
mod http;
mod hub;
mod link;
mod observe;
mod origin;
mod outbox;
mod problem;
mod proxies;
mod pty;
mod requests;
mod ring;
mod routes;
pub mod session;
mod socket;
mod sockets;
mod terminal;
mod tls;
mod upgrade;

use std::os::fd::OwnedFd;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use anyhow::{Context, Result, bail, ensure};
use tokio::task::JoinHandle;
use vitrine_shared::message::HostInfo;

use crate::ipc::{Channel, FromWeb, Inbox, ToWeb, WebSetup};
use assets::Assets;
use hub::Hub;
use link::Link;
use origin::Origins;
pub(crate) use origin::checked as checked_origin;
use proxies::Proxies;
use requests::Requests;
use session::Sessions;
use sockets::Sockets;
use terminal::Terminals;
pub(crate) use tls::acceptor as tls_acceptor;

/// How often pages hear how many they are, at most.
const VIEWERS: Duration = Duration::from_millis(250);

/// Everything that a connection may need.
struct Web {
    hub: Arc<Hub>,
    terminals: Terminals,
    requests: Requests,
    sessions: Sessions,
    origins: Origins,
    proxies: Proxies,
    sockets: Arc<Sockets>,
    assets: Assets,
    host: HostInfo,
    /// The images that there are now; the others of `host` stay as they are.
    images: Mutex<Vec<String>>,
}

/// Serves until the launcher closes its channel.
pub fn run(channel: Channel) -> Result<()> {
    let runtime = tokio::runtime::Builder::new_current_thread()
        .enable_all()
        .build()
        .context("start the runtime")?;
    runtime.block_on(serve(channel))
}

async fn serve(channel: Channel) -> Result<()> {
    let link = Arc::new(Link::new(channel).context("watch the launcher's channel")?);
    let mut inbox = Inbox::default();
    let first = link.recv(&mut inbox).await.context("receive the first message")?;
    let Some((ToWeb::Hello(setup), fds)) = first else { bail!("the first message is not Hello") };
    let Ok([listener, observer]) = <[OwnedFd; 2]>::try_from(fds) else {
        bail!("Hello carries a listening socket and a channel");
    };
    let (requests, messages) = Requests::new();
    let tls = setup.tls.as_ref().map(tls::Acceptor::new).transpose().context("TLS")?;
    let mut server = Server { web: Arc::new(Web::new(*setup, requests)), tls, observing: None };
    server.observe(observer);
    let mut listener = Some(listener);
    tokio::spawn({
        let link = link.clone();
        async move { requests::send_all(&link, messages).await }
    });
    tokio::spawn(count_viewers(server.web.hub.clone()));
    while let Some((message, fds)) = link.recv(&mut inbox).await.context("hear the launcher")? {
        if message == ToWeb::Synced {
            let listener = listener.take().context("the launcher says Synced once")?;
            server.open(listener).await?;
        } else {
            server.hear(message, fds);
        }
    }
    Ok(())
}

async fn count_viewers(hub: Arc<Hub>) {
    loop {
        hub.viewers_changed.notified().await;
        hub.tell_viewers();
        tokio::time::sleep(VIEWERS).await;
    }
}

impl Web {
    fn new(setup: WebSetup, requests: Requests) -> Web {
        Web {
            hub: Arc::default(),
            terminals: Terminals::default(),
            requests,
            sessions: Sessions::new(setup.cookie_key, setup.teacher, setup.token),
            origins: Origins::new(setup.listen, setup.tls.is_some(), &setup.allowed_origins),
            proxies: Proxies::new(setup.trusted_proxies),
            sockets: Arc::default(),
            assets: Assets::new(setup.assets),
            images: Mutex::new(setup.host.images.clone()),
            host: setup.host,
        }
    }
}

impl Web {
    fn set_images(&self, names: Vec<String>) {
        *self.images.lock().unwrap_or_else(PoisonError::into_inner) = names;
    }

    /// What a page is told of the host when it comes.
    fn host(&self) -> HostInfo {
        let images = self.images.lock().unwrap_or_else(PoisonError::into_inner).clone();
        HostInfo { images, ..self.host.clone() }
    }
}

/// The part that listens to the launcher.
struct Server {
    web: Arc<Web>,
    tls: Option<tls::Acceptor>,
    observing: Option<JoinHandle<()>>,
}

impl Server {
    /// Everything is known: let the pages in. Those that came early wait in the backlog.
    async fn open(&self, listener: OwnedFd) -> Result<()> {
        let listener = std::net::TcpListener::from(listener);
        listener.set_nonblocking(true).context("make the listening socket non-blocking")?;
        let listener = tokio::net::TcpListener::from_std(listener);
        let listener = listener.context("watch the listening socket")?;
        ensure!(listener.local_addr().is_ok(), "the listening socket has no address");
        let (web, router) = (self.web.clone(), routes::router(self.web.clone()));
        tokio::spawn(http::serve(listener, http::Door { web, router, tls: self.tls.clone() }));
        self.web.requests.tell(FromWeb::Ready).await;
        Ok(())
    }

    fn hear(&mut self, message: ToWeb, fds: Vec<OwnedFd>) {
        let web = &self.web;
        match message {
            ToWeb::Machine(machine) => {
                web.hub.machine(*machine);
                web.terminals
                    .retain(|terminal| web.hub.has_container(terminal.machine, terminal.container));
            }
            ToWeb::MachineGone { machine } => {
                web.hub.gone(machine);
                web.terminals.gone(machine);
            }
            ToWeb::Feed { machine, entries } => web.hub.feed(machine, entries),
            ToWeb::Terminal { terminal, machine, container } => {
                let Ok([master, ring]) = <[OwnedFd; 2]>::try_from(fds) else {
                    tracing::error!(%terminal, "a terminal comes with a PTY and a ring");
                    return;
                };
                if let Err(err) = web.terminals.add(terminal, machine, container, master, &ring) {
                    tracing::error!(%terminal, "serve a terminal: {err}");
                }
            }
            ToWeb::TerminalEnded { terminal, status } => web.terminals.ended(terminal, status),
            ToWeb::Answer { request, answer } => web.requests.answer(request, answer),
            ToWeb::Images { names } => web.set_images(names),
            ToWeb::Tls(setup) => match self.tls.as_ref().map(|tls| tls.renew(&setup)) {
                Some(Ok(())) => {}
                Some(Err(err)) => tracing::error!("the new certificate: {err:#}"),
                None => tracing::error!("a certificate for a server without TLS"),
            },
            ToWeb::Observer => match <[OwnedFd; 1]>::try_from(fds) {
                Ok([channel]) => self.observe(channel),
                Err(_) => tracing::error!("a new observer comes with its channel"),
            },
            ToWeb::Hello(_) | ToWeb::Synced => tracing::error!("the launcher repeats itself"),
        }
    }

    /// Listens to an observer, and no longer to the one before.
    fn observe(&mut self, channel: OwnedFd) {
        if let Some(old) = self.observing.take() {
            old.abort();
        }
        match Link::new(Channel::from_fd(channel)) {
            Ok(link) => {
                let hub = self.web.hub.clone();
                let observing = tokio::spawn(async move { observe::observe(&hub, link).await });
                self.observing = Some(observing);
            }
            Err(err) => tracing::error!("watch the observer's channel: {err}"),
        }
    }
}
