//! What the two kinds of WebSocket share: who is let in, and how a connection ends.

use std::time::Duration;

use axum::extract::ws::{CloseFrame, Message, WebSocketUpgrade, rejection};
use axum::http::{HeaderMap, StatusCode};
use futures_util::{Sink, SinkExt, Stream, StreamExt};
use tokio::time::timeout;
use vitrine_shared::limits::{Limit, SOCKETS};
use vitrine_shared::role::Identity;
use vitrine_shared::wire::close;

use super::Web;
use super::problem::Problem;
use super::sockets::Permit;

/// How often an idle page is pinged.
pub(crate) const PING: Duration = Duration::from_secs(30);
/// A page that gives no sign of life for so long, or takes so long to read a frame, is gone.
pub(crate) const DEAD: Duration = Duration::from_secs(75);
/// How long a close frame may take to be read.
const LAST_WORDS: Duration = Duration::from_secs(2);
/// Bytes that a WebSocket reads at once; the default of the library is 128 KiB for each.
const READ_BUFFER_BYTES: usize = 4 * 1024;

/// How a connection ends.
#[derive(Debug, PartialEq, Eq)]
pub(crate) enum End {
    /// The other side has gone, or is as good as gone.
    Gone,
    /// We close it.
    Close(u16, String),
}

impl End {
    /// We close it, and say why (at most 123 bytes of it fit into the frame).
    pub(crate) fn close(code: u16, reason: &str) -> End {
        let end = (0..=reason.len().min(123)).rev().find(|&at| reason.is_char_boundary(at));
        End::Close(code, reason[..end.unwrap_or(0)].to_string())
    }

    /// The end that an error of the library means. It does not show its type, so its text is
    /// looked at.
    pub(crate) fn of_error(err: &axum::Error) -> End {
        let text = err.to_string();
        if text.contains("Message too long") {
            return End::close(1009, &text);
        }
        if text.contains("UTF-8") {
            return End::close(1007, &text);
        }
        End::close(1002, &text)
    }
}

/// Ends a connection. Reads on for a moment, so that the reset that unread bytes cause does not
/// overtake the close frame.
pub(crate) async fn goodbye<E>(
    sink: &mut (impl Sink<Message, Error = E> + Unpin),
    stream: &mut (impl Stream<Item = Result<Message, E>> + Unpin),
    end: End,
) {
    let last = async {
        if let End::Close(code, reason) = end {
            let frame = CloseFrame { code, reason: reason.into() };
            if sink.send(Message::Close(Some(frame))).await.is_err() {
                return;
            }
        }
        while let Some(Ok(_)) = stream.next().await {}
    };
    // Whoever does not read in time misses it.
    let _ = timeout(LAST_WORDS, last).await;
}

/// Lets a WebSocket in: first where it comes from, then who it is. The host was checked before.
pub(crate) fn admit(web: &Web, headers: &HeaderMap) -> Result<Identity, Problem> {
    web.origins.check_origin(headers)?;
    web.sessions.identify(headers)
}

/// Chooses the subprotocol and the buffers of an upgrade.
pub(crate) fn prepare(
    upgrade: Result<WebSocketUpgrade, rejection::WebSocketUpgradeRejection>,
    protocols: &[&'static str],
    message_bytes: Limit,
    write_bytes: usize,
) -> Result<WebSocketUpgrade, Problem> {
    let known = protocols.join(", ");
    let upgrade = upgrade.map_err(|err| {
        let hint = format!("connect a WebSocket with one of the subprotocols {known}");
        Problem::new(StatusCode::BAD_REQUEST, err.to_string(), hint)
    })?;
    let upgrade = upgrade.protocols(protocols.iter().copied());
    if upgrade.selected_protocol().is_none() {
        return Err(Problem::new(
            StatusCode::BAD_REQUEST,
            "no known subprotocol",
            format!("ask for one of {known}"),
        ));
    }
    // Longer messages are read up to here and refused in words; the library refuses what is
    // longer still without reading it, and the reset may overtake the words.
    let message_bytes = usize::try_from(4 * message_bytes.value).unwrap_or(usize::MAX);
    Ok(upgrade
        .read_buffer_size(READ_BUFFER_BYTES)
        .write_buffer_size(0)
        .max_write_buffer_size(write_bytes)
        .max_message_size(message_bytes)
        .max_frame_size(message_bytes))
}

/// A permit for one more socket. The server's limit refuses the upgrade (429); a participant's
/// lets it happen and closes it with a code that a page can read (a browser hides the status).
pub(crate) fn permit(web: &Web, identity: Identity) -> Result<Result<Permit, End>, Problem> {
    match web.sockets.permit(identity.participant) {
        Ok(permit) => Ok(Ok(permit)),
        Err(limit) => {
            let text =
                format!("the limit {} is reached: {} {}", limit.name, limit.value, limit.unit);
            if limit == SOCKETS {
                let status = StatusCode::TOO_MANY_REQUESTS;
                return Err(Problem::new(status, text, "close another page, or wait"));
            }
            Ok(Err(End::close(close::TOO_MANY, &text)))
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn reasons_fit_into_a_close_frame() {
        let End::Close(_, reason) = End::close(1000, &"é".repeat(100)) else { panic!() };
        assert_eq!(reason, "é".repeat(61));
        assert_eq!(End::close(1000, "ok"), End::Close(1000, "ok".into()));
    }
}
