//! A log of ten million events: replayed, opened, its index rebuilt, its size. Each step is a process of its own (the
//! core's example `replay`), so that its memory is its own too. Beside it, the same files read by nobody who cares.

use std::io::Read as _;
use std::path::Path;
use std::time::Instant;

use serde_json::{Value, json};

use super::{Line, child};
use crate::Outcome;
use crate::rows::{Rows, median};

const PAYLOAD_BYTES: &str = "250";

/// A figure of a step's answer.
fn figure(answer: &Value, name: &str) -> Outcome<f64> {
    answer.get(name).and_then(Value::as_f64).ok_or_else(|| format!("the step gave no {name}: {answer}").into())
}

/// Bytes per second of reading the journal's files from end to end: the limit of any replay on this disk and cache.
fn read_through(journal: &Path) -> Outcome<f64> {
    let began = Instant::now();
    let mut bytes = 0;
    let mut buffer = vec![0; 1 << 20];
    for entry in std::fs::read_dir(journal)? {
        let mut file = std::fs::File::open(entry?.path())?;
        loop {
            let read = file.read(&mut buffer)?;
            if read == 0 {
                break;
            }
            bytes += u64::try_from(read)?;
        }
    }
    Ok(super::rate(bytes, began.elapsed().as_secs_f64()))
}

pub(crate) fn measure(folder: &Path, is_quick: bool, rows: &mut Rows) -> Outcome<Vec<Line>> {
    let (rounds, events) = if is_quick { (1, "1000000") } else { (3, "10000000") };
    let live = {
        let dir = tempfile::tempdir_in(folder)?;
        let (place, events) =
            (dir.path().to_str().ok_or("the folder's name is not text")?, if is_quick { "50000" } else { "500000" });
        child("replay", &["live", place, events, PAYLOAD_BYTES])?
    };
    rows.add(&json!({ "bench": "long", "answer": live }))?;
    let dir = tempfile::tempdir_in(folder)?;
    let place = dir.path().to_str().ok_or("the folder's name is not text")?;
    let filled = child("replay", &["fill", place, events, PAYLOAD_BYTES])?;
    rows.add(&json!({ "bench": "long", "answer": filled }))?;
    let mut answers: Vec<(&str, Value)> = Vec::new();
    for number in 0..rounds {
        for step in ["headers", "decoded", "open", "rebuild"] {
            let answer = child("replay", &[step, place])?;
            eprintln!("{answer}");
            rows.add(&json!({ "bench": "long", "round": number, "answer": answer }))?;
            answers.push((step, answer));
        }
        let limit = read_through(&dir.path().join("journal"))?;
        rows.add(&json!({ "bench": "long", "round": number, "step": "read through", "bytes_per_second": limit }))?;
    }
    lines(events, &live, &filled, &answers)
}

fn lines(events: &str, live: &Value, filled: &Value, answers: &[(&str, Value)]) -> Outcome<Vec<Line>> {
    let all = |step: &str, name: &str| -> Outcome<Vec<f64>> {
        answers.iter().filter(|(of, _)| *of == step).map(|(_, answer)| figure(answer, name)).collect()
    };
    let millions = |step| Outcome::Ok(format!("{:.2} M/s", median(&all(step, "events_per_second")?) / 1e6));
    let seconds = |step, name| Outcome::Ok(format!("{:.2} s", median(&all(step, name)?)));
    let memory = all("headers", "peak_memory_mb")?.into_iter().chain(all("decoded", "peak_memory_mb")?);
    let memory = memory.fold(0.0, f64::max);
    let against_payload = |of: &Value, bytes| Outcome::Ok(figure(of, bytes)? / figure(of, "payload_bytes_per_event")?);
    let times = |of: &Value, bytes| Outcome::Ok(format!("{:.2}x", against_payload(of, bytes)?));
    let filling = format!("{:.0} MB", figure(filled, "peak_memory_mb")?);
    let line = |what: String, must, aim, measured| Line { what, must, aim, measured };
    Ok(vec![
        line(format!("replay of {events} events, headers only"), "3 M/s", "5 M/s", millions("headers")?),
        line("the same, every payload decoded".to_owned(), "0.8 M/s", "1.5 M/s", millions("decoded")?),
        line("memory while replaying them".to_owned(), "150 MB", "60 MB", format!("{memory:.0} MB")),
        line("opening the log after a clean stop".to_owned(), "1 s", "0.3 s", seconds("open", "seconds")?),
        line("rebuild of the index".to_owned(), "60 s", "30 s", seconds("rebuild", "until_closed_seconds")?),
        line("memory while filling it, 256 appends under way".to_owned(), "–", "–", filling),
        line(
            "disk, live, 64 producers, against payload bytes".to_owned(),
            "1.1x",
            "1.05x",
            times(live, "bytes_per_event")?,
        ),
        line(
            "disk, sealed, against payload bytes".to_owned(),
            "0.4x",
            "0.3x",
            times(filled, "sealed_bytes_per_event")?,
        ),
    ])
}
