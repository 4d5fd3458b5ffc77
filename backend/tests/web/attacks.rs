//! The attacks on web terminals of the last years, W1 to W12, tried here.

use tokio::io::AsyncWriteExt;
use tokio::net::TcpStream;
use vitrine::ipc::FromWeb;
use vitrine_shared::limits::TOKEN_TRIES;
use vitrine_shared::terminal::SUBPROTOCOL;
use vitrine_shared::wire::JSON;

use crate::client::{cookie, get, post_token, raw, read_reply, upgrade};
use crate::stage::{OTHER, STUDENT, Stage, TEACHER, TERMINAL, TOKEN, VIEWER, soon};

/// Every route that is upgraded.
fn sockets() -> [(String, &'static str); 2] {
    [("/api/ws".into(), JSON), (format!("/api/term/{TERMINAL}"), SUBPROTOCOL)]
}

#[tokio::test]
async fn w1_to_w4_foreign_origins() {
    let mut stage = Stage::new().await;
    let _program = stage.open_terminal();
    let cookie = cookie(TEACHER);
    let port = stage.address.port();
    for (path, protocol) in sockets() {
        let base = [("cookie", cookie.as_str()), ("sec-websocket-protocol", protocol)];
        let status = async |origin: &str| {
            let headers = [&base[..], &[("origin", origin)]].concat();
            upgrade(&stage, &path, &headers).await.map(drop).map_err(|(status, _)| status)
        };
        for bad in [
            "https://evil.example".to_string(),
            "null".into(),
            format!("http://127.0.0.1:{}", port ^ 1),
            format!("http://127.0.0.1:{port}.evil.example"),
            format!("http://evil.localhost:{port}"),
            format!("https://localhost:{port}"),
            "https://lab.example.evil.example".into(),
            "http://lab.example".into(),
            "http://127.0.0.1".into(),
        ] {
            assert_eq!(status(&bad).await, Err(403), "{path} {bad}");
        }
        assert_eq!(upgrade(&stage, &path, &base).await.unwrap_err().0, 403, "{path} no origin");
        for good in [format!("http://localhost:{port}"), "https://lab.example".into()] {
            assert_eq!(status(&good).await, Ok(()), "{path} {good}");
        }
    }
}

#[tokio::test]
async fn w3_dns_rebinding() {
    let stage = Stage::new().await;
    let address = stage.address;
    for path in ["/", "/api/session", "/api/ws", "/api/term/x", "/api/nothing"] {
        for host in ["attacker.example", "127.0.0.1", "localhost:1", ""] {
            let reply = raw(&stage, &format!("GET {path} HTTP/1.1\nHost: {host}")).await;
            assert_eq!(reply.status, 421, "{path} {host}: {reply:?}");
        }
        let absolute = format!("GET http://attacker.example{path} HTTP/1.1\nHost: {address}");
        assert_eq!(raw(&stage, &absolute).await.status, 421, "{path}");
        let two = format!("GET {path} HTTP/1.1\nHost: {address}\nHost: attacker.example");
        assert_eq!(raw(&stage, &two).await.status, 421, "{path}");
    }
}

#[tokio::test]
async fn w5_no_cookie() {
    let mut stage = Stage::new().await;
    let _program = stage.open_terminal();
    let origin = format!("http://{}", stage.address);
    let stolen = cookie(TEACHER);
    let (head, tail) = stolen.split_at(stolen.len() - 1);
    let forged = format!("{head}{}", if tail == "0" { "1" } else { "0" });
    for (path, protocol) in sockets() {
        let base = [("origin", origin.as_str()), ("sec-websocket-protocol", protocol)];
        assert_eq!(upgrade(&stage, &path, &base).await.unwrap_err().0, 401, "{path}");
        for bad in ["", "vitrine=", "other=1", &forged] {
            let headers = [&base[..], &[("cookie", bad)]].concat();
            assert_eq!(upgrade(&stage, &path, &headers).await.unwrap_err().0, 401, "{path} {bad}");
        }
    }
}

#[tokio::test]
async fn w6_somebody_elses_terminal() {
    let mut stage = Stage::new().await;
    let _program = stage.open_terminal();
    let origin = format!("http://{}", stage.address);
    let status = async |who, id: &str| {
        let cookie = cookie(who);
        let headers = [
            ("origin", origin.as_str()),
            ("sec-websocket-protocol", SUBPROTOCOL),
            ("cookie", &cookie),
        ];
        upgrade(&stage, &format!("/api/term/{id}"), &headers).await.map(drop)
    };
    let id = TERMINAL.to_string();
    for who in [STUDENT, TEACHER, VIEWER] {
        assert_eq!(status(who, &id).await, Ok(()));
    }
    let (code, his) = status(OTHER, &id).await.unwrap_err();
    assert_eq!(code, 404);
    let nothing = "0123456789abcdef0123456789abcdef";
    for bad in [nothing, "1", "..%2f..%2fetc%2fpasswd", "FEED", &id.to_uppercase()] {
        let same = status(OTHER, bad).await.unwrap_err();
        assert_eq!(same, (404, his.clone()), "{bad}: no hint that it exists");
    }
}

#[tokio::test]
async fn w7_paths() {
    let stage = Stage::new().await;
    for path in [
        "/../../etc/passwd",
        "/%2e%2e/%2e%2e/etc/passwd",
        "/..%5c..%5cetc",
        "//etc/passwd",
        "/index.html/../../x",
        "/api",
        "/api/",
        "/api/none",
    ] {
        let reply = get(&stage, path, "").await;
        assert_eq!(reply.status, 404, "{path}");
        assert!(reply.body.contains("\"hint\""), "{reply:?}");
    }
}

#[tokio::test]
async fn w10_and_w11_heads_and_bodies() {
    let stage = Stage::new().await;
    let long = "x".repeat(100_000);
    assert_eq!(get(&stage, "/", &format!("X: {long}")).await.status, 431);
    let many = (0..200).map(|n| format!("X{n}: 1")).collect::<Vec<_>>().join("\n");
    assert_eq!(get(&stage, "/", &many).await.status, 431);
    assert_eq!(post_token(&stage, &format!(r#"{{"token":"{long}"}}"#)).await.status, 413);
    // Whoever never ends a head holds up nobody else.
    let mut slow = TcpStream::connect(stage.address).await.unwrap();
    slow.write_all(b"GET / HTTP/1.1\r\nX: ").await.unwrap();
    assert_eq!(get(&stage, "/", "").await.status, 200);
    let reply = soon("the end of the slow one", read_reply(slow)).await;
    assert!([0, 408].contains(&reply.status), "{reply:?}");
}

#[tokio::test]
async fn the_token_becomes_a_cookie_once() {
    let mut stage = Stage::new().await;
    assert_eq!(get(&stage, "/api/session", "").await.status, 401);
    for (body, status) in [("", 400), ("{}", 400), (r#"{"token":"wrong"}"#, 401)] {
        let reply = post_token(&stage, body).await;
        assert_eq!(reply.status, status, "{body}");
        assert!(reply.body.contains("\"error\"") && reply.body.contains("\"hint\""));
        assert!(!reply.head.contains("set-cookie"));
    }
    let body = format!(r#"{{"token":"{TOKEN}"}}"#);
    let address = stage.address;
    let foreign = format!(
        "POST /api/session HTTP/1.1\nHost: {address}\nOrigin: https://evil.example\n\
         Content-Length: {}\n\n{body}",
        body.len()
    );
    assert_eq!(raw(&stage, &foreign).await.status, 403);
    let reply = post_token(&stage, &body).await;
    assert_eq!(reply.status, 200, "{reply:?}");
    assert_eq!(soon("TokenSpent", stage.requests.recv()).await, Some(FromWeb::TokenSpent));
    let set = reply.head.lines().find_map(|line| line.strip_prefix("set-cookie: ")).unwrap();
    for part in ["httponly", "samesite=strict", "path=/", "max-age=43200"] {
        assert!(set.contains(part), "{set}");
    }
    let pair = set.split(';').next().unwrap();
    let who = get(&stage, "/api/session", &format!("Cookie: {pair}")).await;
    assert_eq!(who.status, 200);
    assert!(who.body.contains(r#""role":"Teacher""#), "{}", who.body);
    assert!(who.body.contains(&TEACHER.participant.to_string()));
    let again = post_token(&stage, &body).await;
    assert_eq!(again.status, 401);
    assert!(again.body.contains("used"), "{}", again.body);
}

#[tokio::test]
async fn guesses_are_limited() {
    let stage = Stage::new().await;
    let mut statuses = Vec::new();
    for _ in 0..TOKEN_TRIES.value + 2 {
        statuses.push(post_token(&stage, r#"{"token":"guess"}"#).await);
    }
    assert_eq!(statuses[0].status, 401);
    let last = statuses.last().unwrap();
    assert_eq!(last.status, 429);
    assert!(last.body.contains("token-tries"), "{}", last.body);
}

#[tokio::test]
async fn every_answer_carries_the_headers() {
    let stage = Stage::new().await;
    for (path, status) in [("/", 200), ("/none", 404), ("/api/session", 401)] {
        let reply = get(&stage, path, "").await;
        assert_eq!(reply.status, status);
        for header in [
            "content-security-policy: default-src 'none'",
            "x-content-type-options: nosniff",
            "referrer-policy: no-referrer",
            "cross-origin-opener-policy: same-origin",
            "permissions-policy: camera=()",
            "cache-control: no-",
        ] {
            assert!(reply.head.contains(header), "{path} {header}: {}", reply.head);
        }
        assert!(!reply.head.contains("access-control-allow"));
    }
    let wrong = raw(&stage, "GET / HTTP/1.1\nHost: attacker.example").await;
    assert!(wrong.head.contains("content-security-policy"));
}

#[tokio::test]
async fn the_page_by_get_and_head_only() {
    let stage = Stage::new().await;
    let host = stage.address;
    let page = get(&stage, "/", "").await;
    assert!(page.body.contains("<html"), "{page:?}");
    let head = raw(&stage, &format!("HEAD / HTTP/1.1\nHost: {host}")).await;
    assert_eq!((head.status, head.body.as_str()), (200, ""));
    assert!(head.head.contains(&format!("content-length: {}", page.body.len())), "{}", head.head);
    for method in ["POST", "PUT", "DELETE", "OPTIONS"] {
        let reply = raw(&stage, &format!("{method} / HTTP/1.1\nHost: {host}")).await;
        assert_eq!(reply.status, 405, "{method}");
    }
    let headers = format!("Origin: http://{host}\nCookie: {}", cookie(TEACHER));
    let plain = get(&stage, "/api/ws", &headers);
    assert_eq!(plain.await.status, 400, "no upgrade");
}
