//! `docs/protocol.md` says what the types say: every message, frame, limit and close code in it.

#![allow(clippy::unwrap_used, reason = "a test fails by panicking")]

use serde::Serialize;
use serde::de::DeserializeOwned;
use vitrine_shared::limits;
use vitrine_shared::message::{ClientMessage, ServerMessage};
use vitrine_shared::terminal::{Input, Output, SUBPROTOCOL};
use vitrine_shared::wire::{self, close};

const DOC: &str = include_str!("../../docs/protocol.md");

/// The contents of the code blocks that are marked so.
fn blocks(mark: &str) -> Vec<&'static str> {
    let fence = format!("\n```{mark}\n");
    let blocks: Vec<&str> =
        DOC.split(&fence).skip(1).map(|rest| rest.split("\n```").next().unwrap()).collect();
    assert!(!blocks.is_empty(), "no block is marked {mark:?}");
    blocks
}

/// What is quoted is read, and everything that is quoted is known: nothing is passed over.
fn quoted<T: Serialize + DeserializeOwned>(mark: &str) -> Vec<T> {
    let mut messages = Vec::new();
    for block in blocks(mark) {
        for value in serde_json::Deserializer::from_str(block).into_iter::<serde_json::Value>() {
            let value = value.unwrap_or_else(|err| panic!("{err} in {block}"));
            let message: T = serde_json::from_value(value.clone())
                .unwrap_or_else(|err| panic!("{err}: {value}"));
            let again = serde_json::to_value(&message).unwrap();
            assert!(is_part_of(&value, &again), "{value}\nis read as\n{again}");
            messages.push(message);
        }
    }
    messages
}

/// The same, but for `null` where a field is left out.
fn is_part_of(quoted: &serde_json::Value, whole: &serde_json::Value) -> bool {
    match (quoted.as_object(), whole.as_object()) {
        (Some(quoted), Some(whole)) => {
            quoted.iter().all(|(k, v)| whole.get(k).is_some_and(|w| is_part_of(v, w)))
                && whole.iter().all(|(k, w)| quoted.contains_key(k) || w.is_null())
        }
        _ => match (quoted.as_array(), whole.as_array()) {
            (Some(quoted), Some(whole)) => {
                quoted.len() == whole.len()
                    && quoted.iter().zip(whole).all(|(q, w)| is_part_of(q, w))
            }
            _ => quoted == whole,
        },
    }
}

#[test]
fn messages_are_read() {
    let commands = quoted::<ClientMessage>("json client");
    let server = quoted::<ServerMessage>("json server");
    assert!(commands.len() >= 9 && server.len() >= 10, "{} {}", commands.len(), server.len());
    for kind in ["Welcome", "Answer", "Event", "Unreadable"] {
        let of_kind = |message: &ServerMessage| format!("{message:?}").starts_with(kind);
        assert!(server.iter().any(of_kind), "no example of {kind}");
    }
}

#[test]
fn no_json_is_left_unread() {
    let fences = DOC.lines().filter(|line| line.starts_with("```json"));
    for fence in fences {
        assert!(["```json client", "```json server"].contains(&fence), "{fence}");
    }
}

#[track_caller]
fn frames(mark: &str, decode: impl Fn(&[u8]) -> String) {
    for line in blocks(mark).into_iter().flat_map(str::lines) {
        let (digits, meaning) = line.split_once(';').unwrap_or_else(|| panic!("no `;` in {line}"));
        let digits: Vec<u8> = digits.bytes().filter(|byte| !byte.is_ascii_whitespace()).collect();
        let bytes: Vec<u8> = digits
            .chunks(2)
            .map(|pair| u8::from_str_radix(std::str::from_utf8(pair).unwrap(), 16).unwrap())
            .collect();
        assert_eq!(decode(&bytes), meaning.trim(), "{line}");
    }
}

#[test]
fn frames_mean_what_is_said() {
    frames("hex server", |bytes| format!("{:?}", Output::decode(bytes).unwrap()));
    frames("hex client", |bytes| format!("{:?}", Input::decode(bytes).unwrap()));
}

/// The first two cells of the rows of tables, without the back-ticks.
fn rows() -> Vec<(String, String)> {
    DOC.lines()
        .filter(|line| line.starts_with("| "))
        .map(|line| {
            let cell =
                |at| line.split('|').nth(at).unwrap_or("").replace('`', "").trim().to_string();
            (cell(1), cell(2))
        })
        .collect()
}

#[test]
fn limits_have_their_values() {
    let rows = rows();
    let concern_a_connection =
        ["command-", "bad-", "sockets", "connections", "token-", "terminal-"];
    for limit in limits::ALL {
        let told = rows.iter().find(|(name, _)| name == limit.name);
        match told {
            Some((_, value)) => assert_eq!(*value, limit.value.to_string(), "{}", limit.name),
            None => assert!(
                !concern_a_connection.iter().any(|start| limit.name.starts_with(start)),
                "docs/protocol.md does not name the limit {}",
                limit.name
            ),
        }
    }
}

#[test]
fn names_and_close_codes_are_told() {
    for name in [wire::JSON, wire::POSTCARD, SUBPROTOCOL] {
        assert!(DOC.contains(&format!("`{name}`")), "{name}");
    }
    let codes = [
        close::UNAUTHORIZED,
        close::NOT_FOUND,
        close::TOO_MANY,
        close::FLOOD,
        close::BEHIND,
        close::RESTART,
    ];
    for code in codes {
        assert!(DOC.contains(&code.to_string()), "close code {code}");
    }
}
