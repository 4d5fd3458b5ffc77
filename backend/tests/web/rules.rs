//! What a page does wrong, and what it gets for it (the table of `web::socket`).

use std::time::Duration;

use futures_util::{SinkExt, StreamExt};
use tokio_tungstenite::tungstenite::Message;
use vitrine_shared::limits::{BAD_MESSAGES, COMMAND_BURST, COMMAND_BYTES, SOCKETS_PER_PARTICIPANT};
use vitrine_shared::message::{Answer, Command, Refusal, ServerMessage};
use vitrine_shared::wire::{JSON, POSTCARD, close};

use crate::client::{Page, closed, connect, cookie, upgrade};
use crate::stage::{STUDENT, Stage, TEACHER, soon};

#[tokio::test]
async fn unreadable_messages_are_named_and_the_connection_stays() {
    let stage = Stage::new().await;
    let mut page = Page::new(&stage, TEACHER, true).await;
    for (text, expected) in [
        ("nonsense", "expected"),
        (r#"{"id":1}"#, "missing field"),
        (r#"{"id":1,"command":{"Reboot":{}}}"#, "StartContainer"),
        (r#"{"id":-1,"command":{"Ping":{"token":1}}}"#, "-1"),
    ] {
        page.socket.send(Message::Text(text.into())).await.unwrap();
        let ServerMessage::Unreadable { reason: Refusal::Unreadable { detail } } =
            unreadable(&mut page).await
        else {
            panic!()
        };
        assert!(detail.contains(expected), "{detail}");
    }
    page.ask(Command::Ping { token: 1 }).await;
    let mut page = Page::new(&stage, TEACHER, false).await;
    page.socket.send(Message::Binary(vec![0xFF; 99].into())).await.unwrap();
    unreadable(&mut page).await;
    page.ask(Command::Ping { token: 1 }).await;
}

async fn unreadable(page: &mut Page) -> ServerMessage {
    loop {
        let message = page.next().await;
        if matches!(message, ServerMessage::Unreadable { .. }) {
            return message;
        }
    }
}

#[tokio::test]
async fn the_wrong_kind_of_frame_closes() {
    let stage = Stage::new().await;
    let mut page = Page::new(&stage, TEACHER, true).await;
    page.socket.send(Message::Binary(vec![1].into())).await.unwrap();
    assert_eq!(closed(&mut page.socket).await.0, 1003);
    let mut page = Page::new(&stage, TEACHER, false).await;
    page.socket.send(Message::Text("{}".into())).await.unwrap();
    assert_eq!(closed(&mut page.socket).await.0, 1003);
}

#[tokio::test]
async fn a_frame_that_is_too_long_closes() {
    let stage = Stage::new().await;
    let most = usize::try_from(COMMAND_BYTES.value).unwrap();
    let mut page = Page::new(&stage, TEACHER, true).await;
    page.socket.send(Message::Text(" ".repeat(most + 1).into())).await.unwrap();
    assert_eq!(closed(&mut page.socket).await.0, 1009);
    // Far too long: not even read. The connection may break before the code arrives.
    let mut page = Page::new(&stage, TEACHER, true).await;
    let sent = page.socket.send(Message::Text(" ".repeat(100 * most).into())).await;
    let end = async {
        loop {
            match page.socket.next().await {
                Some(Ok(Message::Close(Some(frame)))) => return u16::from(frame.code),
                Some(Ok(_)) => {}
                Some(Err(_)) | None => return 1006,
            }
        }
    };
    let code = soon("the end", end).await;
    assert!(code == 1009 || code == 1006, "{code} {sent:?}");
    let mut page = Page::new(&stage, TEACHER, true).await;
    page.socket.send(Message::Text(" ".repeat(most).into())).await.unwrap();
    unreadable(&mut page).await;
}

#[tokio::test]
async fn a_subprotocol_must_be_known() {
    let stage = Stage::new().await;
    let origin = format!("http://{}", stage.address);
    let cookie = cookie(TEACHER);
    let right = [("origin", origin.as_str()), ("cookie", &cookie)];
    let mut refusals = vec![upgrade(&stage, "/api/ws", &right).await.err().unwrap()];
    for name in ["vitrine.v2.json", "vitrine.v1", "chat"] {
        let headers = [&right[..], &[("sec-websocket-protocol", name)]].concat();
        refusals.push(upgrade(&stage, "/api/ws", &headers).await.err().unwrap());
    }
    for (status, body) in refusals {
        assert_eq!(status, 400);
        assert!(body.contains(JSON) && body.contains(POSTCARD), "{body}");
    }
    let both = [&right[..], &[("sec-websocket-protocol", "chat, vitrine.v1.json")]].concat();
    assert!(upgrade(&stage, "/api/ws", &both).await.is_ok());
}

#[tokio::test]
async fn commands_too_fast_are_refused_one_by_one() {
    let stage = Stage::new().await;
    let mut page = Page::new(&stage, TEACHER, false).await;
    let sent = u32::try_from(COMMAND_BURST.value).unwrap() + 20;
    for token in 0..sent {
        page.send(Command::Ping { token: token.into() }).await;
    }
    let mut refused = 0;
    for id in 1..=sent {
        let (answered, answer) = page.answer().await;
        assert_eq!(answered, id, "each one once, in order");
        if let Answer::Refused { reason: Refusal::TooFast(limit), .. } = answer {
            assert_eq!(limit.name, "command-rate");
            refused += 1;
        }
    }
    assert!((1..=20).contains(&refused), "{refused}");
}

#[tokio::test]
async fn bad_messages_in_a_row_close() {
    let stage = Stage::new().await;
    let mut page = Page::new(&stage, TEACHER, true).await;
    for _ in 0..BAD_MESSAGES.value {
        page.socket.send(Message::Text("x".into())).await.unwrap();
    }
    let (code, reason) = closed(&mut page.socket).await;
    assert_eq!(code, close::FLOOD);
    assert!(reason.contains("bad-messages"), "{reason}");
}

#[tokio::test]
async fn a_flood_of_pings_closes() {
    let stage = Stage::new().await;
    let mut page = Page::new(&stage, TEACHER, true).await;
    let flood = async {
        for _ in 0..100_000 {
            if page.socket.feed(Message::Ping(vec![0; 100].into())).await.is_err() {
                break;
            }
            // Reads what comes, so that the server is never held up by its pongs.
            while let Ok(Some(message)) =
                tokio::time::timeout(Duration::ZERO, page.socket.next()).await
            {
                if let Ok(Message::Close(Some(frame))) = message {
                    return Some(u16::from(frame.code));
                }
            }
        }
        None
    };
    assert_eq!(soon("the end of the flood", flood).await, Some(close::FLOOD));
}

#[tokio::test]
async fn sockets_of_one_participant_are_counted() {
    let stage = Stage::new().await;
    let mut held = Vec::new();
    for _ in 0..SOCKETS_PER_PARTICIPANT.value {
        held.push(Page::new(&stage, TEACHER, true).await);
    }
    for _ in 0..20 {
        let mut one_more = connect(&stage, TEACHER, "/api/ws", JSON).await;
        let (code, reason) = closed(&mut one_more).await;
        assert_eq!(code, close::TOO_MANY);
        assert!(reason.contains("sockets-per-participant"), "{reason}");
    }
    // Others are not affected, and those that are there neither.
    Page::new(&stage, STUDENT, true).await.ask(Command::Ping { token: 1 }).await;
    held[0].ask(Command::Ping { token: 1 }).await;
    held.pop().unwrap().socket.close(None).await.unwrap();
    let retry = async {
        loop {
            let mut socket = connect(&stage, TEACHER, "/api/ws", JSON).await;
            if let Some(Ok(Message::Text(_))) = socket.next().await {
                return;
            }
        }
    };
    soon("a permit that came back", retry).await;
}
