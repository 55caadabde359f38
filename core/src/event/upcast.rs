//! How payloads of old versions become today's: one small step per version, chained. Golden files of every old
//! version stand in `core/tests/golden` and are never edited.

use super::Kind;

/// Turns the payload of `kind` at version `from` into version `from + 1`.
pub(super) struct Step {
    pub(super) kind: Kind,
    pub(super) from: u16,
    pub(super) apply: fn(serde_json::Value) -> Result<serde_json::Value, String>,
}

/// Every step there is.
pub(super) const STEPS: &[Step] = &[Step { kind: Kind::RUN_DECIDED, from: 1, apply: decided_1 }];

/// Nobody could choose without seeing who did what.
fn decided_1(mut decided: serde_json::Value) -> Result<serde_json::Value, String> {
    decided.as_object_mut().ok_or("not an object")?.insert("blind".to_owned(), false.into());
    Ok(decided)
}

/// Brings a payload from version `from` to version `to`.
pub(super) fn to_today(steps: &[Step], kind: Kind, from: u16, to: u16, payload: &[u8]) -> Result<Vec<u8>, String> {
    let mut value: serde_json::Value = serde_json::from_slice(payload).map_err(|error| error.to_string())?;
    for version in from..to {
        let step = steps
            .iter()
            .find(|step| step.kind == kind && step.from == version)
            .ok_or_else(|| format!("no step from version {version} to {}", version + 1))?;
        value = (step.apply)(value)?;
    }
    serde_json::to_vec(&value).map_err(|error| error.to_string())
}

#[cfg(test)]
mod tests {
    use serde_json::{Value, json};

    use super::*;

    const KIND: Kind = Kind(0xff01);

    fn rename(mut value: Value) -> Result<Value, String> {
        let object = value.as_object_mut().ok_or("not an object")?;
        let old = object.remove("secs").ok_or("no secs")?;
        object.insert("ms".to_owned(), json!(old.as_u64().ok_or("not a number")? * 1_000));
        Ok(value)
    }

    fn add(mut value: Value) -> Result<Value, String> {
        value.as_object_mut().ok_or("not an object")?.insert("reason".to_owned(), json!("unknown"));
        Ok(value)
    }

    const CHAIN: &[Step] = &[Step { kind: KIND, from: 1, apply: rename }, Step { kind: KIND, from: 2, apply: add }];

    fn check(from: u16, given: &Value, then: Result<Value, &str>) {
        let bytes = serde_json::to_vec(given).expect("json");
        let read =
            to_today(CHAIN, KIND, from, 3, &bytes).map(|bytes| serde_json::from_slice::<Value>(&bytes).expect("json"));
        assert_eq!(read, then.map_err(str::to_owned));
    }

    #[test]
    fn a_payload_walks_every_step_from_its_version_to_today() {
        check(1, &json!({"secs": 2}), Ok(json!({"ms": 2_000, "reason": "unknown"})));
        check(2, &json!({"ms": 5}), Ok(json!({"ms": 5, "reason": "unknown"})));
        check(3, &json!({"ms": 5, "reason": "x"}), Ok(json!({"ms": 5, "reason": "x"})));
    }

    #[test]
    fn a_missing_step_or_a_wrong_shape_is_said() {
        check(0, &json!({"secs": 2}), Err("no step from version 0 to 1"));
        check(1, &json!({"ms": 2}), Err("no secs"));
    }
}
