//! The JSON Schema says of every message, whole or damaged, what serde says of it.

use jsonschema::Validator;
use serde::de::DeserializeOwned;
use serde_json::{Value, json};
use vitrine_shared::message::{ClientMessage, ServerMessage};
use vitrine_shared::{schema, wire};

use super::{answers, commands, events, samples, welcome};

/// The schema with one of its two roots only.
fn validator(root: &str) -> Validator {
    let mut document = schema::protocol();
    document["anyOf"] = json!([{ "$ref": format!("#/$defs/{root}") }]);
    jsonschema::validator_for(&document).unwrap()
}

fn client_messages() -> Vec<Value> {
    let messages = (0..).zip(commands()).map(|(id, command)| ClientMessage { id, command });
    messages.map(|message| serde_json::to_value(message).unwrap()).collect()
}

fn server_messages() -> Vec<Value> {
    let answers = (0..).zip(answers()).map(|(id, answer)| ServerMessage::Answer { id, answer });
    let unreadable = samples().into_iter().map(|reason| ServerMessage::Unreadable { reason });
    let events = events().into_iter().map(ServerMessage::Event);
    let all = answers.chain(unreadable).chain(events).chain([welcome()]);
    all.map(|message| serde_json::to_value(message).unwrap()).collect()
}

/// The message with one place changed, for every place and every change; places that are alike in
/// a long message are all visited.
fn damaged(message: &Value) -> Vec<Value> {
    let mut found = Vec::new();
    for pointer in places(message) {
        for other in [
            json!(null),
            json!(true),
            json!(-1),
            json!(1.5),
            json!(300),
            json!(1_u64 << 40),
            json!("x"),
            json!("no such variant"),
            json!([]),
            json!({}),
            json!({ "NoSuchVariant": {} }),
        ] {
            let mut copy = message.clone();
            *copy.pointer_mut(&pointer).unwrap() = other;
            found.push(copy);
        }
        let keys = message.pointer(&pointer).unwrap().as_object().into_iter().flatten();
        for (key, _) in keys {
            let change = |act: &dyn Fn(&mut serde_json::Map<String, Value>)| {
                let mut copy = message.clone();
                act(copy.pointer_mut(&pointer).unwrap().as_object_mut().unwrap());
                copy
            };
            found.push(change(&|map| drop(map.remove(key))));
            found.push(change(&|map| drop(map.insert("unknown".into(), json!(1)))));
            found.push(change(&|map| {
                let value = map.remove(key).unwrap();
                map.insert(format!("{key}x"), value);
            }));
        }
    }
    found
}

/// JSON pointers to everything in it.
fn places(value: &Value) -> Vec<String> {
    let below = |key: &str, value| {
        places(value).into_iter().map(move |rest| format!("/{key}{rest}")).collect::<Vec<_>>()
    };
    let mut found = vec![String::new()];
    match value {
        Value::Object(map) => found.extend(map.iter().flat_map(|(key, value)| below(key, value))),
        Value::Array(list) => found
            .extend(list.iter().enumerate().flat_map(|(i, value)| below(&i.to_string(), value))),
        _ => {}
    }
    found
}

#[track_caller]
fn agrees<T: DeserializeOwned>(root: &str, messages: &[Value]) {
    let validator = validator(root);
    let (mut good, mut bad) = (0, 0);
    for message in messages {
        if let Err(error) = validator.validate(message) {
            panic!("{error}: {message}");
        }
        for changed in damaged(message) {
            let read = wire::from_json::<T>(&changed.to_string());
            assert_eq!(validator.is_valid(&changed), read.is_ok(), "{read:?}", read = read.err());
            if validator.is_valid(&changed) { good += 1 } else { bad += 1 }
        }
    }
    // Both verdicts were seen, and often: neither side says the same to everything.
    assert!(good > 100 && bad > 1_000, "{good} {bad}");
}

#[test]
fn commands_as_serde_reads_them() {
    agrees::<ClientMessage>("ClientMessage", &client_messages());
}

#[test]
fn answers_and_events_as_serde_reads_them() {
    agrees::<ServerMessage>("ServerMessage", &server_messages());
}

#[test]
fn the_two_roots_are_told_apart() {
    let both = jsonschema::validator_for(&schema::protocol()).unwrap();
    let (client, server) = (validator("ClientMessage"), validator("ServerMessage"));
    for message in client_messages() {
        assert!(both.is_valid(&message) && !server.is_valid(&message), "{message}");
    }
    for message in server_messages() {
        assert!(both.is_valid(&message) && !client.is_valid(&message), "{message}");
    }
    assert!(!both.is_valid(&json!({ "id": 1, "command": { "Reboot": {} } })));
}

#[test]
fn every_type_is_described() {
    let document = schema::protocol();
    assert_eq!(document["version"], "vitrine.v1.json");
    for (name, schema) in document["$defs"].as_object().unwrap() {
        let text = schema["description"].as_str().unwrap_or_default();
        assert!(!text.is_empty() && !text.contains("[`"), "{name}: {text:?}");
    }
}

#[test]
fn the_file_in_docs_is_of_today() {
    let path = concat!(env!("CARGO_MANIFEST_DIR"), "/../docs/schema.json");
    let kept = std::fs::read_to_string(path).unwrap_or_default();
    let now = format!("{:#}\n", schema::protocol());
    assert!(
        kept == now,
        "docs/schema.json is not of today. Look at what changed for other people's programs, then: \
         cargo run -p vitrine -- schema > docs/schema.json"
    );
}
