//! Every route is described, and stands in the table of rights: the document, the table and the sources say the same.

use std::collections::BTreeSet;

use regatta_http::auth::RIGHTS;
use regatta_http::openapi;
use serde_json::Value;

use crate::world::{World, text};

const METHODS: [&str; 5] = ["get", "post", "put", "patch", "delete"];
/// Routes that are no part of the API proper, and explain themselves.
const OUTSIDE: [&str; 5] = ["/sign-in", "/problems/{name}", "/healthz", "/readyz", "/metrics"];

#[test]
fn the_document_and_the_table_of_rights_have_the_same_routes() {
    let document: Value = serde_json::from_slice(&openapi::json()).expect("a document");
    let mut described = BTreeSet::new();
    for (path, item) in document["paths"].as_object().expect("paths") {
        for method in METHODS.iter().filter(|method| item.get(**method).is_some()) {
            let at = item["servers"][0]["url"].as_str().unwrap_or("/api/v1");
            described.insert((method.to_uppercase(), format!("{at}{path}")));
        }
    }
    let in_table = |path: &str| path.replace("{*", "{");
    let rights: BTreeSet<(String, String)> = RIGHTS
        .iter()
        .filter(|(_, path, _)| !OUTSIDE.contains(path))
        .map(|(method, path, _)| ((*method).to_owned(), in_table(path)))
        .collect();
    assert_eq!(described, rights);
}

/// A route that is added without `routes!` is in no document; the few that are stand in the table.
#[test]
fn every_route_that_is_added_by_hand_is_one_outside_the_api() {
    let mut folders = vec![std::path::Path::new(env!("CARGO_MANIFEST_DIR")).join("src")];
    let mut found = BTreeSet::new();
    while let Some(folder) = folders.pop() {
        for entry in std::fs::read_dir(folder).expect("folder") {
            let path = entry.expect("entry").path();
            if path.is_dir() {
                folders.push(path);
                continue;
            }
            let source = std::fs::read_to_string(&path).expect("source");
            let own = source.split("#[cfg(test)]").next().unwrap_or_default();
            for call in own.split(".route(\"").skip(1) {
                found.insert(call.split('"').next().unwrap_or_default().to_owned());
            }
        }
    }
    assert_eq!(found, OUTSIDE.map(str::to_owned).into());
}

#[tokio::test]
async fn the_document_is_served_as_it_is_written() {
    let (_, served) = text(World::new().get("/openapi.json").await).await;
    assert!(served.as_bytes() == openapi::json(), "another document is served");
}

#[test]
fn what_is_answered_is_described() {
    let document: Value = serde_json::from_slice(&openapi::json()).expect("a document");
    for (path, method, schema) in [
        ("/config", "get", "ConfigRow"),
        ("/config/history", "get", "ConfigChange"),
        ("/config/{key}", "put", "ConfigRow"),
        ("/doctor", "get", "Finding"),
    ] {
        let answer = &document["paths"][path][method]["responses"]["200"]["content"]["application/json"]["schema"];
        assert!(answer.to_string().contains(&format!("#/components/schemas/{schema}")), "{path}: {answer}");
        assert!(document["components"]["schemas"][schema]["properties"].is_object(), "{schema}");
    }
}
