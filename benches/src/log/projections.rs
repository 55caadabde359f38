//! All projections rebuilt from a million mixed events of whole legal runs (the example `rebuild` of the projections).

use std::path::Path;

use serde_json::{Value, json};

use super::{Line, child};
use crate::Outcome;
use crate::rows::{Rows, median};

pub(crate) fn measure(folder: &Path, is_quick: bool, rows: &mut Rows) -> Outcome<Line> {
    let (rounds, events) = if is_quick { (1, "100000") } else { (3, "1000000") };
    let dir = tempfile::tempdir_in(folder)?;
    let place = dir.path().to_str().ok_or("the folder's name is not text")?;
    child("rebuild", &["fill", place, events])?;
    let mut took = Vec::new();
    for number in 0..rounds {
        let answer = child("rebuild", &["measure", place])?;
        eprintln!("{answer}");
        took.push(answer.get("rebuild_seconds").and_then(Value::as_f64).ok_or("the example gave no rebuild_seconds")?);
        rows.add(&json!({ "bench": "projections", "round": number, "answer": answer }))?;
    }
    Ok(Line {
        what: format!("rebuild of all projections from {events} mixed events"),
        must: "5 s",
        aim: "2 s",
        measured: format!("{:.2} s", median(&took)),
    })
}
