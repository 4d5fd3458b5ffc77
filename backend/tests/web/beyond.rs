//! Beyond loopback: trusted proxies, TLS, and how many connections one address may have.

use std::net::SocketAddr;
use std::sync::{Arc, LazyLock};
use std::time::Duration;

use futures_util::StreamExt as _;
use tokio::io::{AsyncRead, AsyncReadExt as _, AsyncWrite, AsyncWriteExt as _};
use tokio::net::{TcpSocket, TcpStream};
use tokio_rustls::TlsConnector;
use tokio_rustls::client::TlsStream;
use tokio_rustls::rustls::crypto::ring;
use tokio_rustls::rustls::pki_types::ServerName;
use tokio_rustls::rustls::{
    ClientConfig, ProtocolVersion, RootCertStore, SupportedProtocolVersion, version,
};
use tokio_tungstenite::tungstenite::client::IntoClientRequest as _;
use tokio_tungstenite::tungstenite::{Message, http::HeaderValue};
use vitrine::ipc::{TlsSetup, WebSetup};
use vitrine_shared::limits::{CONNECTIONS_PER_ADDRESS, TOKEN_TRIES};
use vitrine_shared::message::ServerMessage;
use vitrine_shared::wire::{self, JSON};

use crate::client::{Reply, cookie, get, raw};
use crate::stage::{Stage, TEACHER, TOKEN, soon};

static CERTIFICATE: LazyLock<rcgen::CertifiedKey<rcgen::KeyPair>> =
    LazyLock::new(|| rcgen::generate_simple_self_signed(vec!["localhost".into()]).unwrap());

fn behind_a_proxy(setup: &mut WebSetup) {
    setup.trusted_proxies = vec!["127.0.0.1/32".parse().unwrap(), "10.0.0.0/8".parse().unwrap()];
    setup.host.plain_http = true;
}

fn with_tls(setup: &mut WebSetup) {
    setup.tls = Some(TlsSetup {
        certificate: CERTIFICATE.cert.pem().into_bytes(),
        key: CERTIFICATE.signing_key.serialize_pem().into_bytes(),
    });
}

/// Tries a token, with these lines in the head.
async fn guess(stage: &Stage, token: &str, lines: &str) -> Reply {
    let (address, body) = (stage.address, format!(r#"{{"token":"{token}"}}"#));
    let head = format!(
        "POST /api/session HTTP/1.1\nHost: {address}\nOrigin: http://{address}\n{lines}\
         Content-Length: {}",
        body.len()
    );
    raw(stage, &format!("{head}\n\n{body}")).await
}

#[tokio::test]
async fn tries_are_counted_by_the_address_that_a_trusted_proxy_names() {
    for (setup, forged_helps) in [(behind_a_proxy as fn(&mut WebSetup), true), (|_| {}, false)] {
        let stage = Stage::with(setup).await;
        let from = |address: &str| format!("X-Forwarded-For: 1.1.1.1, {address}\n");
        for _ in 0..TOKEN_TRIES.value {
            assert_eq!(guess(&stage, "no", &from("192.0.2.1")).await.status, 401);
        }
        assert_eq!(guess(&stage, "no", &from("192.0.2.1")).await.status, 429);
        // What the client itself wrote, on the left, is of no use.
        let forged = "X-Forwarded-For: 9.9.9.9, 192.0.2.1\n";
        assert_eq!(guess(&stage, "no", forged).await.status, 429);
        let another = guess(&stage, "no", &from("192.0.2.2")).await.status;
        assert_eq!(another, if forged_helps { 401 } else { 429 });
    }
}

#[tokio::test]
async fn a_cookie_is_for_tls_alone_when_it_came_over_tls() {
    for (setup, lines, secure) in [
        (behind_a_proxy as fn(&mut WebSetup), "X-Forwarded-Proto: https\n", true),
        (behind_a_proxy, "Forwarded: for=192.0.2.1;proto=https\n", true),
        (behind_a_proxy, "X-Forwarded-Proto: http\n", false),
        (behind_a_proxy, "", false),
        // From a stranger it means nothing.
        (|_| {}, "X-Forwarded-Proto: https\n", false),
    ] {
        let stage = Stage::with(setup).await;
        let reply = guess(&stage, TOKEN, lines).await;
        assert_eq!(reply.status, 200, "{reply:?}");
        assert_eq!(reply.head.contains("; secure"), secure, "{lines:?}: {}", reply.head);
        assert!(reply.head.contains("httponly; samesite=strict"));
    }
}

/// What the welcome says about the way.
async fn is_plain<S: AsyncRead + AsyncWrite + Unpin>(
    stream: S,
    url: &str,
    origin: &str,
    more: &[(&'static str, &str)],
) -> bool {
    let mut request = url.into_client_request().unwrap();
    let cookie = cookie(TEACHER);
    let usual = [("origin", origin), ("cookie", &cookie), ("sec-websocket-protocol", JSON)];
    for (name, value) in usual.iter().chain(more) {
        request.headers_mut().insert(*name, HeaderValue::from_str(value).unwrap());
    }
    let upgraded = soon("an upgrade", tokio_tungstenite::client_async(request, stream)).await;
    let (mut socket, _) = upgraded.unwrap();
    loop {
        let Some(Ok(Message::Text(text))) = soon("a welcome", socket.next()).await else {
            panic!()
        };
        if let ServerMessage::Welcome { host, .. } = wire::from_json(&text).unwrap() {
            return host.plain_http;
        }
    }
}

#[tokio::test]
async fn a_page_behind_a_proxy_with_tls_is_not_warned() {
    let stage = Stage::with(behind_a_proxy).await;
    let (url, origin) =
        (format!("ws://{}/api/ws", stage.address), format!("http://{}", stage.address));
    for (more, plain) in [(&[][..], true), (&[("x-forwarded-proto", "https")], false)] {
        let stream = TcpStream::connect(stage.address).await.unwrap();
        assert_eq!(is_plain(stream, &url, &origin, more).await, plain, "{more:?}");
    }
}

async fn handshake(
    stage: &Stage,
    versions: &[&'static SupportedProtocolVersion],
) -> std::io::Result<TlsStream<TcpStream>> {
    let mut roots = RootCertStore::empty();
    roots.add(CERTIFICATE.cert.der().clone()).unwrap();
    let mut config = ClientConfig::builder_with_provider(Arc::new(ring::default_provider()))
        .with_protocol_versions(versions)
        .unwrap()
        .with_root_certificates(roots)
        .with_no_client_auth();
    config.alpn_protocols = vec![b"h2".to_vec(), b"http/1.1".to_vec()];
    let stream = TcpStream::connect(stage.address).await.unwrap();
    let name = ServerName::try_from("localhost").unwrap();
    soon("a handshake", TlsConnector::from(Arc::new(config)).connect(name, stream)).await
}

async fn say<S: AsyncRead + AsyncWrite + Unpin>(mut stream: S, text: &str) -> String {
    stream.write_all(text.replace('\n', "\r\n").as_bytes()).await.unwrap();
    let mut bytes = Vec::new();
    // Whoever closes without a last word of TLS has said everything too.
    let _ = soon("an answer", stream.read_to_end(&mut bytes)).await;
    String::from_utf8_lossy(&bytes).into_owned()
}

#[tokio::test]
async fn both_versions_of_tls_are_spoken_and_http_over_them() {
    let stage = Stage::with(with_tls).await;
    let port = stage.address.port();
    for (versions, expected) in [
        (&[&version::TLS13], ProtocolVersion::TLSv1_3),
        (&[&version::TLS12], ProtocolVersion::TLSv1_2),
    ] {
        let stream = handshake(&stage, versions).await.unwrap();
        let (_, connection) = stream.get_ref();
        assert_eq!(connection.protocol_version(), Some(expected));
        assert_eq!(connection.alpn_protocol(), Some(&b"http/1.1"[..]));
        let answer = say(
            stream,
            &format!("GET /api/session HTTP/1.1\nHost: localhost:{port}\nConnection: close\n\n"),
        )
        .await;
        assert!(answer.starts_with("HTTP/1.1 401"), "{answer}");
    }
}

#[tokio::test]
async fn a_page_over_tls_has_its_socket_and_a_secure_cookie() {
    let stage = Stage::with(with_tls).await;
    let port = stage.address.port();
    let tls = || async { handshake(&stage, &[&version::TLS13]).await.unwrap() };
    let body = format!(r#"{{"token":"{TOKEN}"}}"#);
    let post = |origin: &str| {
        format!(
            "POST /api/session HTTP/1.1\nHost: localhost:{port}\nOrigin: {origin}\n\
             Connection: close\nContent-Length: {}\n\n{body}",
            body.len()
        )
    };
    let origin = format!("https://localhost:{port}");
    let plain = say(tls().await, &post(&format!("http://localhost:{port}"))).await;
    assert!(plain.starts_with("HTTP/1.1 403"), "{plain}");
    let answer = say(tls().await, &post(&origin)).await;
    assert!(answer.starts_with("HTTP/1.1 200"), "{answer}");
    assert!(answer.contains("; Secure"), "{answer}");
    let url = format!("wss://localhost:{port}/api/ws");
    assert!(!is_plain(tls().await, &url, &origin, &[]).await);
}

#[tokio::test]
async fn plain_http_on_the_tls_port_hears_where_to_go() {
    let stage = Stage::with(with_tls).await;
    let host = stage.address;
    let reply = get(&stage, "/a/path?q=1", "").await;
    assert_eq!(reply.status, 307, "{reply:?}");
    assert!(reply.head.contains(&format!("location: https://{host}/a/path?q=1")), "{}", reply.head);
    assert!(reply.body.contains("this port speaks TLS"), "{}", reply.body);
    let post = raw(&stage, &format!("POST /api/session HTTP/1.1\nHost: {host}\n\n")).await;
    assert_eq!(post.status, 400, "{post:?}");
    assert!(post.body.contains(&format!("https://{host}")), "{}", post.body);
    // Nobody is sent to a host that is not ours.
    let evil = raw(&stage, "GET / HTTP/1.1\nHost: evil.example\n\n").await;
    assert_eq!(evil.status, 421, "{evil:?}");
    // Not TLS and not HTTP: the connection ends, and the next one is served.
    let stream = TcpStream::connect(stage.address).await.unwrap();
    say(stream, "\u{16}\u{3}\u{1} this is no hello\n\n").await;
    assert!(handshake(&stage, &[&version::TLS13]).await.is_ok());
}

/// A connection from this address of the loopback network.
async fn connect_from(from: &str, to: SocketAddr) -> TcpStream {
    let socket = TcpSocket::new_v4().unwrap();
    socket.bind(format!("{from}:0").parse().unwrap()).unwrap();
    socket.connect(to).await.unwrap()
}

async fn ask(mut stream: TcpStream, host: SocketAddr) -> String {
    // Whoever is turned away may have been closed to already.
    let text = format!("GET /api/session HTTP/1.1\r\nHost: {host}\r\nConnection: close\r\n\r\n");
    let _ = stream.write_all(text.as_bytes()).await;
    let mut bytes = Vec::new();
    let _ = soon("an answer", stream.read_to_end(&mut bytes)).await;
    String::from_utf8_lossy(&bytes).into_owned()
}

#[tokio::test]
async fn one_address_cannot_take_all_connections() {
    let stage = Stage::new().await;
    let mut held = Vec::new();
    for _ in 0..CONNECTIONS_PER_ADDRESS.value {
        held.push(connect_from("127.0.0.2", stage.address).await);
    }
    let mut away = connect_from("127.0.0.2", stage.address).await;
    let mut text = String::new();
    soon("a refusal", away.read_to_string(&mut text)).await.unwrap();
    assert!(text.starts_with("HTTP/1.1 429"), "{text}");
    assert!(text.contains("connections-per-address"), "{text}");
    // Others do not notice.
    let other = ask(connect_from("127.0.0.3", stage.address).await, stage.address).await;
    assert!(other.starts_with("HTTP/1.1 401"), "{other}");
    drop(held);
    let again = async {
        loop {
            let stream = connect_from("127.0.0.2", stage.address).await;
            if ask(stream, stage.address).await.starts_with("HTTP/1.1 401") {
                return;
            }
            tokio::time::sleep(Duration::from_millis(20)).await;
        }
    };
    soon("room again", again).await;
}

#[tokio::test]
async fn a_trusted_proxy_is_many_people() {
    let stage = Stage::with(|setup| setup.trusted_proxies = vec!["127.0.0.2/32".parse().unwrap()]);
    let stage = stage.await;
    let mut held = Vec::new();
    for _ in 0..=CONNECTIONS_PER_ADDRESS.value {
        held.push(connect_from("127.0.0.2", stage.address).await);
    }
    let answer = ask(connect_from("127.0.0.2", stage.address).await, stage.address).await;
    assert!(answer.starts_with("HTTP/1.1 401"), "{answer}");
}
