//! Every event as JSON Schema, as `GET /events/{seq}` and the live streams give it. Knows nothing of what events mean.

use regatta_core::Kind;
use regatta_core::event::codec::payload_schemas;
use schemars::generate::SchemaSettings;
use schemars::{JsonSchema as _, Schema, SchemaGenerator};
use serde_json::{Map, Value, json};

use crate::event_body::FrameBody;
use crate::{EventBody, OutputBody};

/// The schema of an event, one alternative per kind, and one for kinds that came later.
#[must_use]
pub fn schema() -> Value {
    let mut generator = SchemaSettings::draft2020_12().for_serialize().into_generator();
    let envelope = EventBody::json_schema(&mut generator);
    let kinds = alternatives(&mut generator);
    let definitions: Map<String, Value> = generator.take_definitions(true);
    let mut schema = serde_json::to_value(envelope).unwrap_or_default();
    if let Some(fields) = schema.as_object_mut() {
        fields.insert("$schema".to_owned(), "https://json-schema.org/draft/2020-12/schema".into());
        fields.insert("title".to_owned(), "Event".into());
        fields.insert("oneOf".to_owned(), kinds);
        fields.insert("$defs".to_owned(), definitions.into());
    }
    schema
}

fn alternatives(generator: &mut SchemaGenerator) -> Value {
    let mut kinds: Vec<(Kind, Value)> = payload_schemas(generator)
        .into_iter()
        .map(|(kind, version, payload)| (kind, alternative(kind, version, "fields", payload)))
        .collect();
    let output = generator.subschema_for::<OutputBody>();
    kinds.push((Kind::ATTEMPT_OUTPUT, alternative(Kind::ATTEMPT_OUTPUT, 1, "output", output)));
    let frame = generator.subschema_for::<FrameBody>();
    kinds.push((Kind::GATEWAY_FRAME, alternative(Kind::GATEWAY_FRAME, 1, "frame", frame)));
    kinds.sort_by_key(|(kind, _)| kind.0);
    let known: Vec<u16> = kinds.iter().map(|(kind, _)| kind.0).collect();
    let mut alternatives: Vec<Value> = kinds.into_iter().map(|(_, alternative)| alternative).collect();
    alternatives.push(json!({
        "title": "a kind or version this description does not know",
        "properties": { "number": { "not": { "enum": known } } },
    }));
    alternatives.into()
}

fn alternative(kind: Kind, version: u16, form: &str, payload: Schema) -> Value {
    json!({
        "title": kind.to_string(),
        "properties": {
            "kind": { "const": kind.to_string() },
            "number": { "const": kind.0 },
            "version": { "const": version },
            "payload": { "type": "object", "required": [form], "properties": { form: payload } },
        },
    })
}
