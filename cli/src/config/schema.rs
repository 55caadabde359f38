//! `regatta.toml` as JSON Schema, from the table of keys. Pure.

use serde_json::{Map, Value as Json, json};

use super::environment;
use super::key::{Key, Shape, Value};
use super::keys::KEYS;

/// The schema of `regatta.toml`.
pub(crate) fn schema() -> Json {
    let mut sections = Map::new();
    for key in KEYS {
        let (section, name) = key.name.split_once('.').unwrap_or(("", key.name));
        let section = sections
            .entry(section)
            .or_insert_with(|| json!({ "type": "object", "additionalProperties": false, "properties": {} }));
        if let Some(properties) = section.get_mut("properties").and_then(Json::as_object_mut) {
            properties.insert(name.to_owned(), of(key));
        }
    }
    sections.insert(environment::SECTION.to_owned(), variables());
    json!({
        "$schema": "https://json-schema.org/draft/2020-12/schema",
        "title": "regatta.toml",
        "description": "Configuration of Regatta. A variable REGATTA_<SECTION>_<KEY> says the same.",
        "type": "object",
        "additionalProperties": false,
        "properties": sections,
    })
}

/// The one section whose keys are anybody's.
fn variables() -> Json {
    let part = json!({ "type": "string", "enum": ["setup", "agent", "checks"] });
    let full = |word: &str, about: &str| {
        json!({
            "type": "object",
            "additionalProperties": false,
            "required": [word],
            "properties": {
                word: { "type": "string", "description": about },
                "for": { "description": "which commands get it; all when absent", "anyOf": [part, { "type": "array", "items": part }] },
            },
        })
    };
    json!({
        "type": "object",
        "description": "Variables that a run's commands get. A secret is named, never written here: regatta secret set NAME.",
        "additionalProperties": {
            "anyOf": [
                { "type": ["string", "number", "boolean"] },
                full("secret", "the name of a secret in the vault"),
                full("value", "the text"),
            ],
        },
    })
}

fn of(key: &Key) -> Json {
    let mut schema = shape(key.shape);
    let Some(fields) = schema.as_object_mut() else { return schema };
    fields.insert("description".to_owned(), key.about.into());
    let default = match (key.default)() {
        Value::Text(text) => Some(text.into()),
        Value::Flag(flag) => Some(flag.into()),
        // How many attempts run at once is measured on the machine.
        Value::Count(_) if matches!(key.name, "limits.attempts" | "limits.docker") => None,
        Value::Count(count) => Some(count.into()),
        Value::Milli(milli) => Some((milli as f64 / 1_000.0).into()),
        Value::List(texts) => Some(json!(texts)),
        written @ (Value::Ms(_) | Value::Bytes(_)) => Some(written.to_toml().trim_matches('"').into()),
        Value::Unset | Value::Address(_) => None,
    };
    fields.extend(default.map(|default| ("default".to_owned(), default)));
    schema
}

fn shape(shape: Shape) -> Json {
    match shape {
        Shape::Text | Shape::Folder | Shape::Address => json!({ "type": "string" }),
        Shape::Credential => {
            json!({ "type": "string", "examples": ["secret:nats", "env:NATS_CREDENTIALS", "~/nats.creds"] })
        }
        Shape::Word(words) => json!({ "type": "string", "enum": words }),
        Shape::Flag => json!({ "type": "boolean" }),
        Shape::Count(min, max) => json!({ "type": "integer", "minimum": min, "maximum": max }),
        Shape::Decimal(min, max) => {
            json!({ "type": "number", "minimum": min as f64 / 1_000.0, "maximum": max as f64 / 1_000.0 })
        }
        Shape::Duration => json!({ "type": "string", "examples": ["90s", "10m", "1h 30m"] }),
        Shape::Size => json!({ "type": ["string", "integer"], "examples": ["512MB", "8GiB"] }),
        Shape::List => json!({ "type": "array", "items": { "type": "string" } }),
    }
}
