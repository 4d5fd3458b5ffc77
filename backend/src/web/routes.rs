//! The routes: session, the two kinds of socket, and the page.

use std::sync::Arc;
use std::time::{Duration, Instant};

use axum::extract::ws::WebSocketUpgrade;
use axum::extract::ws::rejection::WebSocketUpgradeRejection;
use axum::extract::{Path, Request, State};
use axum::http::{HeaderMap, Method, StatusCode, Uri, header};
use axum::response::{AppendHeaders, IntoResponse, Response};
use axum::routing::{any, get};
use axum::{Extension, Json, Router, middleware};
use serde::{Deserialize, Serialize};
use tokio::time::timeout;
use vitrine_shared::id::{ParticipantId, TerminalId};
use vitrine_shared::limits::{COMMAND_BYTES, TERMINAL_FRAME_BYTES};
use vitrine_shared::role::{Identity, Role};
use vitrine_shared::terminal::SUBPROTOCOL;

use super::codec::Codec;
use super::http::guard;
use super::problem::Problem;
use super::proxies::Peer;
use super::upgrade::{admit, goodbye, permit, prepare};
use super::{Web, socket, terminal};
use crate::ipc::FromWeb;

/// Bytes of a body.
const BODY_BYTES: usize = 4096;
/// How long a body may take.
const BODY: Duration = Duration::from_secs(10);
/// What may wait in a telemetry socket's write buffer: one message, a large sample as JSON.
const TELEMETRY_WRITE_BYTES: usize = 4 << 20;
/// The same for a terminal's: a few frames.
const TERMINAL_WRITE_BYTES: usize = 256 << 10;

type Upgrade = Result<WebSocketUpgrade, WebSocketUpgradeRejection>;

/// Everything that is served.
pub(crate) fn router(web: Arc<Web>) -> Router {
    Router::new()
        .route("/api/session", get(who).post(exchange))
        .route("/api/ws", any(telemetry))
        .route("/api/term/{id}", any(one_terminal))
        .fallback(page)
        .layer(middleware::from_fn_with_state(web.clone(), guard))
        .with_state(web)
}

#[derive(Serialize)]
struct Session {
    role: Role,
    participant: ParticipantId,
}

fn session(Identity { participant, role }: Identity) -> Json<Session> {
    Json(Session { role, participant })
}

#[derive(Deserialize)]
struct Exchange {
    token: String,
}

/// `GET /api/session`: who am I?
async fn who(State(web): State<Arc<Web>>, headers: HeaderMap) -> Result<Json<Session>, Problem> {
    web.sessions.identify(&headers).map(session)
}

/// `POST /api/session`: a token becomes a cookie.
async fn exchange(State(web): State<Arc<Web>>, request: Request) -> Result<Response, Problem> {
    web.origins.check_origin(request.headers())?;
    let Some(&Peer { address, secure }) = request.extensions().get::<Peer>() else {
        let status = StatusCode::INTERNAL_SERVER_ERROR;
        return Err(Problem::new(status, "a request from nowhere", "this is a bug"));
    };
    let hint = r#"send {"token": "..."}, at most 4096 bytes"#;
    let body = timeout(BODY, axum::body::to_bytes(request.into_body(), BODY_BYTES))
        .await
        .map_err(|_| Problem::new(StatusCode::REQUEST_TIMEOUT, "the body took too long", hint))?
        .map_err(|_| Problem::new(StatusCode::PAYLOAD_TOO_LARGE, "the body is too large", hint))?;
    let Exchange { token } = serde_json::from_slice(&body)
        .map_err(|err| Problem::new(StatusCode::BAD_REQUEST, format!("the body: {err}"), hint))?;
    let (identity, cookie) = web.sessions.exchange(address, secure, &token, Instant::now())?;
    web.requests.tell(FromWeb::TokenSpent).await;
    Ok((AppendHeaders([(header::SET_COOKIE, cookie)]), session(identity)).into_response())
}

/// `/api/ws`
async fn telemetry(
    State(web): State<Arc<Web>>,
    Extension(peer): Extension<Peer>,
    headers: HeaderMap,
    upgrade: Upgrade,
) -> Result<Response, Problem> {
    let identity = admit(&web, &headers)?;
    let names = [Codec::Postcard, Codec::Json].map(Codec::name);
    let upgrade = prepare(upgrade, &names, COMMAND_BYTES, TELEMETRY_WRITE_BYTES)?;
    let json = upgrade.selected_protocol().is_some_and(|name| name == Codec::Json.name());
    let codec = if json { Codec::Json } else { Codec::Postcard };
    let permit = permit(&web, identity)?;
    Ok(upgrade.on_upgrade(async move |socket| match permit {
        Ok(_permit) => socket::serve(socket, web, identity, peer.secure, codec).await,
        Err(end) => turn_away(socket, end).await,
    }))
}

/// `/api/term/{id}`
async fn one_terminal(
    State(web): State<Arc<Web>>,
    Path(id): Path<String>,
    headers: HeaderMap,
    upgrade: Upgrade,
) -> Result<Response, Problem> {
    let identity = admit(&web, &headers)?;
    let found = id.parse::<TerminalId>().ok().and_then(|id| web.terminals.get(id));
    let found = found.and_then(|terminal| {
        let owner = web.hub.owner(terminal.machine)?;
        identity.may_watch(owner).then_some((terminal, owner))
    });
    let Some((terminal, owner)) = found else {
        // The same words for none and for somebody else's.
        let hint = "open it from the page: its container may have ended";
        return Err(Problem::new(StatusCode::NOT_FOUND, "there is no such terminal here", hint));
    };
    let upgrade = prepare(upgrade, &[SUBPROTOCOL], TERMINAL_FRAME_BYTES, TERMINAL_WRITE_BYTES)?;
    let permit = permit(&web, identity)?;
    let (may_type, own) = (identity.may_change(owner), identity.participant == owner);
    Ok(upgrade.on_upgrade(async move |socket| match permit {
        Ok(_permit) => terminal::socket::serve(socket, terminal, identity, may_type, own).await,
        Err(end) => turn_away(socket, end).await,
    }))
}

async fn turn_away(socket: axum::extract::ws::WebSocket, end: super::upgrade::End) {
    let (mut sink, mut stream) = futures_util::StreamExt::split(socket);
    goodbye(&mut sink, &mut stream, end).await;
}

/// Everything else: the page's files.
async fn page(
    State(web): State<Arc<Web>>,
    method: Method,
    uri: Uri,
    headers: HeaderMap,
) -> Result<Response, Problem> {
    if uri.path().starts_with("/api/") || uri.path() == "/api" {
        let hint = "known are /api/session, /api/ws and /api/term/{id}";
        return Err(Problem::new(StatusCode::NOT_FOUND, "there is no such route", hint));
    }
    if method != Method::GET && method != Method::HEAD {
        return Err(Problem::new(
            StatusCode::METHOD_NOT_ALLOWED,
            "only GET and HEAD here",
            "use GET",
        ));
    }
    web.assets.answer(uri.path(), &headers)
}
