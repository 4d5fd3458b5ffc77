//! The JSON Schema of the protocol, for programs in other languages: what `vitrine schema` prints.
//!
//! It is derived from the types themselves, so it cannot differ from what the server reads and
//! writes; the descriptions are the types' own documentation. A test looks at every sample message
//! and at what becomes of it when it is damaged, and holds serde's verdict beside the schema's.

use schemars::generate::SchemaSettings;
use schemars::transform::{RecursiveTransform, Transform as _};
use schemars::{JsonSchema, Schema};
use serde_json::{Value, json};

use crate::message::{ClientMessage, ServerMessage};
use crate::wire;

/// One document (draft 2020-12): `ClientMessage` and `ServerMessage` are its two roots, and what
/// they are made of stands below `$defs`.
pub fn protocol() -> Value {
    let mut generator = SchemaSettings::draft2020_12().into_generator();
    generator.subschema_for::<ClientMessage>();
    generator.subschema_for::<ServerMessage>();
    let dialect = generator.settings().meta_schema.clone();
    let mut definitions = Value::Object(generator.take_definitions(true));
    if let Some(definitions) = definitions.as_object_mut() {
        for schema in definitions.values_mut() {
            if let Ok(schema) = <&mut Schema>::try_from(schema) {
                RecursiveTransform(plain_words).transform(schema);
                RecursiveTransform(whole_range).transform(schema);
            }
        }
    }
    let root = |name| json!({ "$ref": format!("#/$defs/{name}") });
    let mut document = json!({
        "$schema": dialect,
        "title": "Vitrine's protocol",
        "description": format!(
            "Text frames of the WebSocket /api/ws with subprotocol {}. A page sends \
             ClientMessage, the server ServerMessage; docs/protocol.md says what happens when.",
            wire::JSON
        ),
        "version": wire::JSON,
        "anyOf": [root(ClientMessage::schema_name()), root(ServerMessage::schema_name())],
        "$defs": definitions,
    });
    // The same text whatever features another crate asks of serde_json.
    document.sort_all_objects();
    document
}

/// Descriptions are written for rustdoc: its links become plain words.
fn plain_words(schema: &mut Schema) {
    if let Some(Value::String(text)) = schema.get_mut("description") {
        *text = text.replace("[`", "`").replace("`]", "`").replace("crate::", "");
    }
}

/// Integers of 32 and 64 bits have bounds too; schemars says only their format.
fn whole_range(schema: &mut Schema) {
    let (min, max) = match schema.get("format").and_then(Value::as_str) {
        Some("uint32") => (json!(0), json!(u32::MAX)),
        Some("int32") => (json!(i32::MIN), json!(i32::MAX)),
        Some("uint64") => (json!(0), json!(u64::MAX)),
        Some("int64") => (json!(i64::MIN), json!(i64::MAX)),
        _ => return,
    };
    schema.insert("minimum".into(), min);
    schema.insert("maximum".into(), max);
}
