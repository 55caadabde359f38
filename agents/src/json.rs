//! Output of one JSON value per line, and small ways to look into such a value.

use serde_json::Value;

use crate::lines::Lines as Cut;
use crate::said::{Reader, Said};

/// Longest detail of a tool, in characters.
const DETAIL_CHARS_MAX: usize = 200;
/// Lines that are kept of what a failed tool answered, each as short as a detail.
const FAILURE_LINES_MAX: usize = 8;

/// Reads one JSON value per line. A line that is none is kept as it came.
pub(crate) struct Lines {
    lines: Cut,
    understand: fn(&Value) -> Vec<Said>,
}

impl Lines {
    pub(crate) fn new(understand: fn(&Value) -> Vec<Said>) -> Self {
        Self { lines: Cut::default(), understand }
    }
}

impl Reader for Lines {
    fn read(&mut self, bytes: &[u8]) -> Vec<Said> {
        let (mut said, understand) = (Vec::new(), self.understand);
        self.lines.push(bytes, |line| said.extend(one(line, understand)));
        said
    }

    fn end(&mut self) -> Vec<Said> {
        self.lines.end().map(|line| one(&line, self.understand)).unwrap_or_default()
    }
}

fn one(line: &[u8], understand: fn(&Value) -> Vec<Said>) -> Vec<Said> {
    match serde_json::from_slice::<Value>(line) {
        Ok(value) if value.is_object() => understand(&value),
        _ if line.trim_ascii().is_empty() => Vec::new(),
        _ => vec![Said::Other(String::from_utf8_lossy(line).into_owned())],
    }
}

pub(crate) fn text_at<'a>(value: &'a Value, pointer: &str) -> Option<&'a str> {
    value.pointer(pointer).and_then(Value::as_str)
}

pub(crate) fn number(value: &Value, pointer: &str) -> u64 {
    value.pointer(pointer).and_then(Value::as_u64).unwrap_or(0)
}

/// The end of what a failed tool answered: there it says why.
pub(crate) fn last_lines(text: &str) -> String {
    let lines: Vec<&str> = text.trim_end().lines().collect();
    let last = lines.get(lines.len().saturating_sub(FAILURE_LINES_MAX)..).unwrap_or_default();
    let short = last.iter().map(|line| line.chars().take(DETAIL_CHARS_MAX).collect::<String>());
    short.collect::<Vec<_>>().join("\n")
}

/// Dollars as micro-dollars.
pub(crate) fn micros(value: &Value, pointer: &str) -> Option<u64> {
    let dollars = value.pointer(pointer).and_then(Value::as_f64)?;
    // A float's conversion saturates, and a negative cost is none.
    (dollars >= 0.0).then_some((dollars * 1e6).round() as u64)
}

/// The first text among these places, as one short line.
pub(crate) fn strings(value: &Value, pointers: &[&str]) -> String {
    let found = pointers.iter().find_map(|pointer| text_at(value, pointer)).unwrap_or_default();
    found.lines().next().unwrap_or_default().chars().take(DETAIL_CHARS_MAX).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn of_a_failure_the_last_lines_are_kept_and_short() {
        let long = (1..=20).map(|number| format!("{number} {}\n", "x".repeat(300))).collect::<String>();
        let kept = last_lines(&long);
        assert_eq!(kept.lines().next().map(|line| line.chars().take(3).collect::<String>()), Some("13 ".to_owned()));
        assert!(kept.lines().count() == FAILURE_LINES_MAX && kept.lines().all(|line| line.len() == DETAIL_CHARS_MAX));
        assert_eq!((last_lines(""), last_lines("no\n\n")), (String::new(), "no".to_owned()));
    }
}
