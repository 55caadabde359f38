//! What stands in `schemas/` is what the binary says.

use std::path::Path;

use crate::install::Install;

fn check(name: &str) {
    let file = Path::new(env!("CARGO_MANIFEST_DIR")).join("../schemas").join(format!("{name}.json"));
    let written = std::fs::read_to_string(file).unwrap_or_default();
    let said = Install::new().regatta(&["schema", name]).exits(0).out;
    assert!(written == said, "schemas/{name}.json is not what the types say; write it anew: cargo xtask schemas");
}

#[test]
fn the_written_openapi_document_is_that_of_the_handlers() {
    check("openapi");
}

#[test]
fn the_written_schema_of_events_is_that_of_the_types() {
    check("events");
}

#[test]
fn the_written_schema_of_the_configuration_is_that_of_the_keys() {
    check("config");
}
