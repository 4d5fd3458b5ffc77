//! The written rules of the wire, over real sockets, with the real launcher behind web.

use std::time::Duration;

use tungstenite::Message;
use vitrine_shared::limits::{BAD_MESSAGES, COMMAND_BURST, COMMAND_BYTES};
use vitrine_shared::message::{Answer, Command, Refusal};
use vitrine_shared::spec::{ContainerSpec, SpecError};
use vitrine_shared::wire::close;

use crate::harness::client::{Client, Codec, open};
use crate::harness::server::{Server, request};

const BOTH: [Codec; 2] = [Codec::Json, Codec::Postcard];

#[test]
fn two_hundred_commands_have_two_hundred_answers() {
    let server = Server::start();
    let started = server.client().start(None, ContainerSpec::one_click());
    // In bursts that are allowed, on four pages, all at once: web and launcher both answer.
    let mut pages: Vec<Client> = (0..4).map(|i| Client::connect(&server, BOTH[i % 2])).collect();
    for i in 0..50 {
        for page in &mut pages {
            page.send(match i % 3 {
                0 => Command::Ping { token: i },
                1 => Command::StopExecs { machine: started.machine, container: started.container },
                _ => Command::Subscribe { machine: Some(started.machine), hertz: 1 },
            });
        }
    }
    for page in &mut pages {
        for id in 1..=50 {
            let answer = page.answer(id);
            assert!(matches!(answer, Answer::Done { .. }), "{id}: {answer:?}");
        }
        page.listen(Duration::from_millis(200));
        assert_eq!(page.answers.len(), 50);
        assert!(page.answers.values().all(|answers| answers.len() == 1), "answered twice");
    }
}

#[test]
fn a_flood_is_refused_by_name_and_then_closed() {
    let server = Server::start();
    for codec in BOTH {
        let mut page = Client::connect(&server, codec);
        for token in 0..200 {
            page.send(Command::Ping { token });
        }
        assert_eq!(page.listen_until_closed(), close::FLOOD, "{codec:?}");
        let done = page.answers.values().filter(|a| matches!(a[0], Answer::Done { .. })).count();
        let too_fast = page.answers.values().filter(|answers| {
            matches!(&answers[0], Answer::Refused { reason: Refusal::TooFast(_), .. })
        });
        let too_fast = too_fast.count() as u64;
        assert!(done as u64 >= COMMAND_BURST.value && done < 100, "{done}");
        assert!(too_fast + 1 >= BAD_MESSAGES.value, "{too_fast}");
        assert!(page.answers.values().all(|answers| answers.len() == 1), "answered twice");
    }
    // Others have not felt it.
    server.client().done(Command::Ping { token: 1 });
}

#[test]
fn what_cannot_be_read_is_named_and_the_connection_stays() {
    let server = Server::start();
    for codec in BOTH {
        let mut page = Client::connect(&server, codec);
        let nonsense: &[&[u8]] =
            &[b"", b"{}", b"[1,2", b"\xff\xff\xff\xff\xff", b"{\"id\":1,\"command\":{\"Fly\":{}}}"];
        for bytes in nonsense {
            page.send_frame(match codec {
                Codec::Json => Message::text(String::from_utf8_lossy(bytes).into_owned()),
                Codec::Postcard => Message::binary(bytes.to_vec()),
            });
        }
        page.listen(Duration::from_millis(500));
        assert_eq!(page.unreadable.len(), nonsense.len(), "{codec:?} {:?}", page.unreadable);
        page.done(Command::Ping { token: 1 });
    }
}

#[test]
fn a_frame_too_large_and_a_frame_of_the_wrong_kind_close() {
    let server = Server::start();
    let large = "x".repeat(usize::try_from(COMMAND_BYTES.value).unwrap() + 1);
    for codec in BOTH {
        let (right, wrong) = match codec {
            Codec::Json => (Message::text(large.clone()), Message::binary(vec![0])),
            Codec::Postcard => (Message::binary(large.clone()), Message::text("{}")),
        };
        let mut page = Client::connect(&server, codec);
        page.send_frame(right);
        assert_eq!(page.listen_until_closed(), 1009, "{codec:?}");
        let mut page = Client::connect(&server, codec);
        page.send_frame(wrong);
        assert_eq!(page.listen_until_closed(), 1003, "{codec:?}");
    }
}

#[test]
fn who_has_no_cookie_or_comes_from_elsewhere_stays_outside() {
    let server = Server::start();
    let upgrade = "Connection: Upgrade\r\nUpgrade: websocket\r\nSec-WebSocket-Version: 13\r\nSec-WebSocket-Key: x3JJHMbDL1EzLkh9GBhXDw==\r\nSec-WebSocket-Protocol: vitrine.v1.json\r\n";
    for path in ["/api/ws", "/api/term/00000000000000000000000000000001"] {
        let answer = request(&server.address, "GET", path, upgrade, "").unwrap();
        assert!(answer.starts_with("HTTP/1.1 401"), "{path}: {answer}");
    }
    let body = r#"{"token":"00000000000000000000000000000000"}"#;
    let head = format!("Content-Type: application/json\r\nContent-Length: {}\r\n", body.len());
    let answer = request(&server.address, "POST", "/api/session", &head, body).unwrap();
    assert!(answer.starts_with("HTTP/1.1 401"), "a spent token is taken: {answer}");
    // The cookie's bearer comes in.
    drop(open(&server, "/api/ws", "vitrine.v1.json"));
}

#[test]
fn a_machine_that_belongs_to_nobody_and_specs_that_cannot_be_are_refused() {
    let server = Server::start();
    let mut page = server.client();
    let mut spec = ContainerSpec::one_click();
    spec.rootfs = vitrine_shared::spec::Rootfs::Directory("/".into());
    let refused = page.refused(Command::StartContainer { machine: None, spec });
    assert!(
        matches!(refused, Refusal::NotAllowed { .. } | Refusal::Spec(SpecError::OnlyByRun)),
        "the host's own root was to be had: {refused:?}"
    );
    let mut spec = ContainerSpec::one_click();
    spec.argv = vec!["x".repeat(5_000)];
    assert!(matches!(
        page.refused(Command::StartContainer { machine: None, spec }),
        Refusal::Spec(_)
    ));
    let spec = ContainerSpec::one_click();
    let machine = Some(vitrine_shared::id::MachineId(1));
    let refused = page.refused(Command::StartContainer { machine, spec });
    assert!(matches!(refused, Refusal::Unknown { .. }), "{refused:?}");
}
