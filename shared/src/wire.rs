//! How messages look on a WebSocket.
//!
//! Two subprotocols carry the same types: [`POSTCARD`] in binary frames for the page, [`JSON`] in
//! text frames for people, scripts and other languages. The version is in the name, so a page and
//! a server that do not fit find out at the handshake.

use serde::Serialize;
use serde::de::DeserializeOwned;

/// Subprotocol of the page: postcard in binary frames.
pub const POSTCARD: &str = "vitrine.v1.postcard";
/// Subprotocol of scripts: JSON in text frames.
pub const JSON: &str = "vitrine.v1.json";

/// Close codes of our own (RFC 6455 leaves 4000 to 4999 to applications).
pub mod close {
    /// Nobody with this cookie.
    pub const UNAUTHORIZED: u16 = 4401;
    /// No such terminal, or none of yours.
    pub const NOT_FOUND: u16 = 4404;
    /// Too many sockets.
    pub const TOO_MANY: u16 = 4429;
    /// Too many unreadable or refused messages in a row.
    pub const FLOOD: u16 = 4430;
    /// The page reads too slowly to be told everything; come back for a fresh snapshot.
    pub const BEHIND: u16 = 4431;
    /// The server is going away; come back in a moment.
    pub const RESTART: u16 = 1012;
}

/// The bytes cannot be read as the message they should be.
#[derive(Debug, thiserror::Error)]
#[error("{0}")]
pub struct Unreadable(pub String);

/// Writes a message as postcard.
pub fn to_postcard<T: Serialize>(message: &T) -> Vec<u8> {
    postcard::to_stdvec(message).expect("our messages have no maps of unknown length")
}

/// Reads a message from postcard; bytes left over are an error.
pub fn from_postcard<T: DeserializeOwned>(bytes: &[u8]) -> Result<T, Unreadable> {
    match postcard::take_from_bytes(bytes) {
        Ok((message, [])) => Ok(message),
        Ok((_, rest)) => Err(Unreadable(format!("{} bytes too many", rest.len()))),
        Err(err) => Err(Unreadable(err.to_string())),
    }
}

/// Writes a message as JSON.
#[cfg(feature = "json")]
pub fn to_json<T: Serialize>(message: &T) -> String {
    serde_json::to_string(message).expect("our messages have string keys only")
}

/// Reads a message from JSON.
#[cfg(feature = "json")]
pub fn from_json<T: DeserializeOwned>(text: &str) -> Result<T, Unreadable> {
    serde_json::from_str(text).map_err(|err| Unreadable(err.to_string()))
}
