//! `[environment]` of a `regatta.toml`: variables that a run's commands get, plain or out of the vault. Pure.
//!
//! ```toml
//! [environment]
//! NODE_ENV = "test"
//! OPENAI_API_KEY = { secret = "openai", for = ["agent"] }
//! DATABASE_URL = { value = "postgres://localhost/test", for = ["checks"] }
//! ```

use std::collections::{BTreeMap, BTreeSet};

use regatta_core::event::run::{Content, Part, Variable};

use super::Written;

/// The section.
pub(super) const SECTION: &str = "environment";
/// What one variable may say.
const WORDS: &str =
    "a text, { secret = \"NAME\" } or { value = \"TEXT\" }, each with for = [\"setup\", \"agent\", \"checks\"]";

/// A variable as far as it is read.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(crate) struct Declared {
    value: Option<String>,
    secret: Option<String>,
    parts: BTreeSet<Part>,
}

/// Variables by name.
pub(crate) type Environment = BTreeMap<String, Declared>;

/// The rest of a dotted name, when it stands in the section.
pub(super) fn within(name: &str) -> Option<&str> {
    name.strip_prefix(SECTION)?.strip_prefix('.')
}

/// Takes in `NAME`, `NAME.secret`, `NAME.value` or `NAME.for`, or says what is wrong with it.
pub(super) fn read(environment: &mut Environment, name: &str, written: &Written) -> Result<(), String> {
    let (variable, word) = name.split_once('.').unwrap_or((name, ""));
    let declared = environment.entry(variable.to_owned()).or_default();
    let wrong = || format!("the variable {variable} should be {WORDS}");
    match (word, written) {
        ("" | "value", Written::One(text)) => declared.value = Some(text.clone()),
        ("secret", Written::One(text)) => declared.secret = Some(text.clone()),
        ("for", Written::One(text)) => declared.parts = [part(text).ok_or_else(wrong)?].into(),
        ("for", Written::Many(texts)) => {
            declared.parts = texts.iter().map(|text| part(text)).collect::<Option<_>>().ok_or_else(wrong)?;
        }
        _ => return Err(wrong()),
    }
    Ok(())
}

fn part(text: &str) -> Option<Part> {
    match text {
        "setup" => Some(Part::Setup),
        "agent" => Some(Part::Agent),
        "checks" => Some(Part::Checks),
        _ => None,
    }
}

/// The variables, or which one says too much or too little.
pub(super) fn variables(environment: &Environment) -> Result<Vec<Variable>, String> {
    let one = |(name, declared): (&String, &Declared)| {
        let content = match (&declared.value, &declared.secret) {
            (Some(value), None) => Content::Value(value.clone()),
            (None, Some(secret)) => Content::Secret(secret.clone()),
            (Some(_), Some(_)) | (None, None) => {
                return Err(format!("the variable {name} should be {WORDS}"));
            }
        };
        Ok(Variable { name: name.clone(), content, parts: declared.parts.clone() })
    };
    environment.iter().map(one).collect()
}
