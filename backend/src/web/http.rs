//! Connections: accepted, bounded in number, header size and time, and what every answer carries.

use std::io::Write as _;
use std::net::IpAddr;
use std::sync::Arc;
use std::time::Duration;

use axum::Router;
use axum::extract::{Request, State};
use axum::http::header::{self, HeaderName, HeaderValue};
use axum::middleware::Next;
use axum::response::{IntoResponse, Response};
use hyper::server::conn::http1;
use hyper::service::{Service, service_fn};
use hyper_util::rt::{TokioIo, TokioTimer};
use hyper_util::service::TowerToHyperService;
use tokio::io::{AsyncRead, AsyncWrite};
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::Semaphore;
use tokio::time::{sleep, timeout};
use vitrine_shared::limits::{CONNECTIONS, CONNECTIONS_PER_ADDRESS};

use super::addresses::Addresses;
use super::{Web, tls};

/// A request's head must be there within this time, and an idle connection is closed after it.
const HEAD: Duration = Duration::from_secs(10);
/// Bytes of a request's head.
const HEAD_BYTES: usize = 16 * 1024;
/// Headers of a request.
const HEADERS: usize = 64;
/// How long a connection may live that has not become a WebSocket.
const LIFE: Duration = Duration::from_secs(300);

/// What every connection needs.
pub(crate) struct Door {
    /// Everybody else's part.
    pub(crate) web: Arc<Web>,
    /// What is served.
    pub(crate) router: Router,
    /// With TLS: plain HTTP is then only told where to go.
    pub(crate) tls: Option<tls::Acceptor>,
}

/// Accepts connections for good.
pub(crate) async fn serve(listener: TcpListener, door: Door) {
    let room = usize::try_from(CONNECTIONS.value).unwrap_or(Semaphore::MAX_PERMITS);
    let room = Arc::new(Semaphore::new(room));
    let (door, addresses) = (Arc::new(door), Arc::new(Addresses::default()));
    loop {
        let permit = room.clone().acquire_owned().await;
        match listener.accept().await {
            Ok((stream, peer)) => {
                let address = peer.ip().to_canonical();
                let guest = addresses.admit(address);
                // A proxy is many people.
                if guest.is_none() && !door.web.proxies.trusts(address) {
                    turn_away(stream, door.tls.is_some());
                    continue;
                }
                let door = door.clone();
                tokio::spawn(async move {
                    connection(stream, address, &door).await;
                    drop((permit, guest));
                });
            }
            Err(err) => {
                // Such as no more descriptors: some will come free.
                tracing::warn!("accept: {err}");
                sleep(Duration::from_millis(100)).await;
            }
        }
    }
}

/// A few words, if they can be had at once: nobody is waited for.
fn turn_away(stream: TcpStream, tls: bool) {
    if tls {
        return;
    }
    let limit = CONNECTIONS_PER_ADDRESS;
    let body = format!(
        r#"{{"error":"the limit {} is reached: {} {}","hint":"close other pages, or wait"}}"#,
        limit.name, limit.value, limit.unit
    );
    let text = format!(
        "HTTP/1.1 429 Too Many Requests\r\nContent-Type: application/json\r\n\
         Content-Length: {}\r\nConnection: close\r\n\r\n{body}",
        body.len()
    );
    // Whoever does not hear it is turned away all the same.
    let _ = stream.into_std().and_then(|mut stream| stream.write(text.as_bytes()));
}

async fn connection(stream: TcpStream, address: IpAddr, door: &Door) {
    // Keys are small and must not wait for each other.
    if let Err(err) = stream.set_nodelay(true) {
        tracing::debug!("TCP_NODELAY: {err}");
    }
    let Some(acceptor) = &door.tls else {
        return speak(stream, address, false, &door.web, door.router.clone()).await;
    };
    match tls::begins(&stream, HEAD).await {
        Some(true) => match timeout(HEAD, acceptor.now().accept(stream)).await {
            Ok(Ok(stream)) => speak(stream, address, true, &door.web, door.router.clone()).await,
            Ok(Err(err)) => tracing::debug!("TLS: {err}"),
            Err(_) => tracing::debug!("TLS: the handshake takes too long"),
        },
        Some(false) => speak(stream, address, false, &door.web, tls::plain(door.web.clone())).await,
        None => tracing::debug!("connection: nothing is said"),
    }
}

async fn speak<S>(stream: S, address: IpAddr, tls: bool, web: &Arc<Web>, router: Router)
where
    S: AsyncRead + AsyncWrite + Unpin + Send + 'static,
{
    let router = TowerToHyperService::new(router);
    let web = web.clone();
    let service = service_fn(move |mut request: hyper::Request<hyper::body::Incoming>| {
        let peer = web.proxies.peer(address, tls, request.headers());
        request.extensions_mut().insert(peer);
        router.call(request)
    });
    let connection = http1::Builder::new()
        .timer(TokioTimer::new())
        .header_read_timeout(HEAD)
        .max_buf_size(HEAD_BYTES)
        .max_headers(HEADERS)
        .serve_connection(TokioIo::new(stream), service)
        .with_upgrades();
    match timeout(LIFE, connection).await {
        Ok(Ok(())) => {}
        Ok(Err(err)) => tracing::debug!("connection: {err}"),
        Err(_) => tracing::debug!("connection: open for too long"),
    }
}

const HEADERS_OF_ALL: [(HeaderName, &str); 6] = [
    (
        header::CONTENT_SECURITY_POLICY,
        "default-src 'none'; script-src 'self' 'wasm-unsafe-eval'; style-src 'self'; \
         style-src-elem 'self' 'unsafe-inline'; img-src 'self' data:; font-src 'self'; \
         connect-src 'self'; worker-src 'self'; manifest-src 'self'; base-uri 'self'; \
         form-action 'self'; frame-ancestors 'none'",
    ),
    (header::X_CONTENT_TYPE_OPTIONS, "nosniff"),
    (header::REFERRER_POLICY, "no-referrer"),
    (HeaderName::from_static("cross-origin-opener-policy"), "same-origin"),
    (HeaderName::from_static("cross-origin-resource-policy"), "same-origin"),
    (
        HeaderName::from_static("permissions-policy"),
        "camera=(), microphone=(), geolocation=(), clipboard-write=(self)",
    ),
];

/// Refuses other hosts on every route, and adds the headers that everything carries.
pub(crate) async fn guard(State(web): State<Arc<Web>>, request: Request, next: Next) -> Response {
    let mut response = match web.origins.check_host(request.headers(), request.uri()) {
        Ok(()) => next.run(request).await,
        Err(problem) => problem.into_response(),
    };
    let headers = response.headers_mut();
    for (name, value) in HEADERS_OF_ALL {
        headers.insert(name, HeaderValue::from_static(value));
    }
    headers.entry(header::CACHE_CONTROL).or_insert(HeaderValue::from_static("no-store"));
    response
}
