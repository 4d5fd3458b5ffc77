//! Messages as WebSocket frames, in the two subprotocols.

use std::sync::OnceLock;

use axum::extract::ws::Message;
use vitrine_shared::message::{ClientMessage, Event, ServerMessage};
use vitrine_shared::wire;

/// One of the two subprotocols.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Codec {
    Postcard,
    Json,
}

/// Why a frame is not a command.
#[derive(Debug, PartialEq, Eq)]
pub(crate) enum BadFrame {
    /// Text where bytes belong, or the other way round.
    WrongKind,
    /// Not a message.
    Unreadable(String),
}

impl Codec {
    /// The subprotocol's name.
    pub(crate) const fn name(self) -> &'static str {
        match self {
            Codec::Postcard => wire::POSTCARD,
            Codec::Json => wire::JSON,
        }
    }

    /// The frame of a message.
    pub(crate) fn encode(self, message: &ServerMessage) -> Message {
        match self {
            Codec::Postcard => Message::Binary(wire::to_postcard(message).into()),
            Codec::Json => Message::Text(wire::to_json(message).into()),
        }
    }

    /// The command in a frame.
    pub(crate) fn decode(self, frame: &Message) -> Result<ClientMessage, BadFrame> {
        let message = match (self, frame) {
            (Codec::Postcard, Message::Binary(bytes)) => wire::from_postcard(bytes),
            (Codec::Json, Message::Text(text)) => wire::from_json(text),
            _ => return Err(BadFrame::WrongKind),
        };
        message.map_err(|err| BadFrame::Unreadable(err.0.chars().take(400).collect()))
    }
}

/// An event for many pages, encoded once for each subprotocol that wants it.
pub(crate) struct Told {
    message: ServerMessage,
    postcard: OnceLock<Message>,
    json: OnceLock<Message>,
}

impl Told {
    /// An event to tell.
    pub(crate) fn new(event: Event) -> Told {
        let message = ServerMessage::Event(event);
        Told { message, postcard: OnceLock::new(), json: OnceLock::new() }
    }

    /// Its frame; a clone shares the bytes.
    pub(crate) fn frame(&self, codec: Codec) -> Message {
        let slot = match codec {
            Codec::Postcard => &self.postcard,
            Codec::Json => &self.json,
        };
        slot.get_or_init(|| codec.encode(&self.message)).clone()
    }

    /// The event.
    #[cfg(test)]
    pub(crate) fn event(&self) -> &Event {
        match &self.message {
            ServerMessage::Event(event) => event,
            other => panic!("{other:?}"),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use vitrine_shared::message::Command;

    #[test]
    fn frames_of_the_wrong_kind_and_junk() {
        let text = Message::Text(r#"{"id":1,"command":{"Ping":{"token":7}}}"#.into());
        let read = ClientMessage { id: 1, command: Command::Ping { token: 7 } };
        assert_eq!(Codec::Json.decode(&text), Ok(read.clone()));
        assert_eq!(Codec::Postcard.decode(&text), Err(BadFrame::WrongKind));
        let bytes = Message::Binary(wire::to_postcard(&read).into());
        assert_eq!(Codec::Postcard.decode(&bytes), Ok(read));
        assert_eq!(Codec::Json.decode(&bytes), Err(BadFrame::WrongKind));
        let junk = Message::Binary(vec![0xFF; 40].into());
        assert!(matches!(Codec::Postcard.decode(&junk), Err(BadFrame::Unreadable(_))));
        let unknown = Message::Text(r#"{"id":1,"command":{"Reboot":{}}}"#.into());
        let Err(BadFrame::Unreadable(why)) = Codec::Json.decode(&unknown) else { panic!() };
        assert!(why.contains("Reboot") && why.contains("StartContainer"), "{why}");
    }

    #[test]
    fn deep_json_is_an_error() {
        let deep = Message::Text("[".repeat(15_000).into());
        assert!(matches!(Codec::Json.decode(&deep), Err(BadFrame::Unreadable(_))));
    }
}
