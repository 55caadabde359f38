//! The description of the API as OpenAPI 3.1, made from the handlers themselves. What is true of every route (problems,
//! the idempotency key) is added here once. Knows nothing of what any route does.
//!
//! One convention makes nullability exact: an answer writes every field, so a field that may be `null` is always there.
//! A field that is left out instead (`skip_serializing_if`) says `#[schema(nullable = false)]`.

use std::collections::BTreeSet;
use std::sync::LazyLock;

use bytes::Bytes;
use serde_json::{Value, json};
use utoipa::PartialSchema as _;

use crate::{IDEMPOTENCY_HEADER, Problem, routes};

/// Where the API stands.
const PREFIX: &str = "/api/v1";

static DOCUMENT: LazyLock<Bytes> = LazyLock::new(|| pretty(&document()).into());

/// The description as it is served and as it stands in `schemas/openapi.json`.
#[must_use]
pub fn json() -> Bytes {
    DOCUMENT.clone()
}

fn pretty(document: &Value) -> String {
    format!("{document:#}\n")
}

fn document() -> Value {
    let described = routes::described().into_openapi();
    let mut document = serde_json::to_value(described).unwrap_or_default();
    set(
        &mut document,
        "info",
        json!({
            "title": "Regatta",
            "description": "Races coding agents: one task, many attempts, one log. Every error is a problem (RFC 9457).",
            "version": env!("CARGO_PKG_VERSION"),
            "license": { "name": env!("CARGO_PKG_LICENSE") },
        }),
    );
    set(&mut document, "servers", json!([{ "url": PREFIX }]));
    if let Some(schemas) = document.pointer_mut("/components/schemas") {
        set(schemas, "Problem", serde_json::to_value(Problem::schema()).unwrap_or_default());
    }
    add_door(&mut document);
    for operation in operations(&mut document) {
        complete(operation);
    }
    name_rests(&mut document);
    require_nullable(&mut document);
    plain(&mut document);
    document
}

/// The doors to gateways stand beside the API, and say so.
fn add_door(document: &mut Value) {
    let door = serde_json::to_value(routes::door::routes().into_openapi()).unwrap_or_default();
    let paths = document.get_mut("paths").and_then(Value::as_object_mut);
    let (Some(paths), Some(doors)) = (paths, door.get("paths").and_then(Value::as_object)) else { return };
    for (path, item) in doors {
        let mut item = item.clone();
        set(&mut item, "servers", json!([{ "url": routes::door::PREFIX }]));
        paths.insert(path.clone(), item);
    }
}

/// A path's rest is `{*path}` for the router and `{path}` in a description.
fn name_rests(document: &mut Value) {
    let Some(paths) = document.get_mut("paths").and_then(Value::as_object_mut) else { return };
    *paths = std::mem::take(paths).into_iter().map(|(path, item)| (path.replace("{*", "{"), item)).collect();
}

/// Links of our own documentation lead nowhere in a description of the API.
fn plain(value: &mut Value) {
    match value {
        Value::Object(fields) => {
            if let Some(Value::String(text)) = fields.get_mut("description") {
                *text = text.replace("[`", "`").replace("`]", "`");
            }
            fields.values_mut().for_each(plain);
        }
        Value::Array(values) => values.iter_mut().for_each(plain),
        Value::Null | Value::Bool(_) | Value::Number(_) | Value::String(_) => {}
    }
}

fn set(object: &mut Value, name: &str, value: Value) {
    if let Some(fields) = object.as_object_mut() {
        fields.insert(name.to_owned(), value);
    }
}

/// Every operation, with its method.
fn operations(document: &mut Value) -> Vec<(String, &mut Value)> {
    let paths = document.get_mut("paths").and_then(Value::as_object_mut);
    let paths = paths.into_iter().flat_map(|paths| paths.values_mut());
    let operations = paths.filter_map(Value::as_object_mut).flatten();
    operations.map(|(method, operation)| (method.clone(), operation)).collect()
}

/// Adds what every operation has.
fn complete((method, operation): (String, &mut Value)) {
    let problem = json!({
        "description": "A problem.",
        "content": { "application/problem+json": { "schema": { "$ref": "#/components/schemas/Problem" } } },
    });
    if let Some(responses) = operation.get_mut("responses") {
        set(responses, "default", problem);
    }
    if method == "post"
        && let Some(fields) = operation.as_object_mut()
    {
        let parameters = fields.entry("parameters").or_insert_with(|| json!([]));
        parameters.as_array_mut().into_iter().for_each(|parameters| {
            parameters.push(json!({
                "name": IDEMPOTENCY_HEADER,
                "in": "header",
                "description": "The same key again returns the first answer and does nothing.",
                "required": false,
                "schema": { "type": "string", "minLength": 1, "maxLength": routes::IDEMPOTENCY_KEY_BYTES_MAX },
            }));
        });
    }
}

/// In answers, a field that may be `null` is always there.
fn require_nullable(document: &mut Value) {
    let asked = asked_for(document);
    let schemas = document.pointer_mut("/components/schemas").and_then(Value::as_object_mut);
    for (name, schema) in schemas.into_iter().flatten() {
        if !asked.contains(name) {
            require_in(schema);
        }
    }
}

fn require_in(schema: &mut Value) {
    for within in ["oneOf", "allOf"] {
        let parts = schema.get_mut(within).and_then(Value::as_array_mut);
        parts.into_iter().flatten().for_each(require_in);
    }
    let Some(fields) = schema.as_object_mut() else { return };
    let Some(properties) = fields.get_mut("properties").and_then(Value::as_object_mut) else { return };
    let nullable: Vec<String> =
        properties.iter().filter(|(_, property)| may_be_null(property)).map(|(name, _)| name.clone()).collect();
    properties.values_mut().for_each(require_in);
    let required = fields.entry("required").or_insert_with(|| json!([]));
    let Some(required) = required.as_array_mut() else { return };
    for name in nullable {
        if !required.iter().any(|known| *known == name) {
            required.push(name.into());
        }
    }
    if required.is_empty() {
        fields.remove("required");
    }
}

fn may_be_null(property: &Value) -> bool {
    let is_null = |schema: &Value| match schema.get("type") {
        Some(Value::String(name)) => name == "null",
        Some(Value::Array(names)) => names.iter().any(|name| name == "null"),
        Some(_) | None => false,
    };
    is_null(property) || property.get("oneOf").and_then(Value::as_array).is_some_and(|any| any.iter().any(is_null))
}

/// Names of the schemas that requests are made of.
fn asked_for(document: &mut Value) -> BTreeSet<String> {
    let mut names = BTreeSet::new();
    let bodies: Vec<Value> =
        operations(document).into_iter().filter_map(|(_, operation)| operation.get("requestBody").cloned()).collect();
    let schemas = document.pointer("/components/schemas").cloned().unwrap_or_default();
    bodies.iter().for_each(|body| name_refs(body, &schemas, &mut names));
    names
}

fn name_refs(value: &Value, schemas: &Value, names: &mut BTreeSet<String>) {
    match value {
        Value::Object(fields) => {
            let named = fields.get("$ref").and_then(Value::as_str).and_then(|path| path.rsplit('/').next());
            if let Some(name) = named
                && names.insert(name.to_owned())
                && let Some(schema) = schemas.get(name)
            {
                name_refs(schema, schemas, names);
            }
            fields.values().for_each(|value| name_refs(value, schemas, names));
        }
        Value::Array(values) => values.iter().for_each(|value| name_refs(value, schemas, names)),
        Value::Null | Value::Bool(_) | Value::Number(_) | Value::String(_) => {}
    }
}
