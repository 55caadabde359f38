//! Raw rows and what is made of them: medians, percentiles.

use std::fs::File;
use std::io::{self, Write as _};
use std::path::Path;

use serde_json::Value;

/// Raw rows of one bench, kept as they come.
pub(crate) struct Rows {
    file: File,
}

impl Rows {
    pub(crate) fn create(name: &str) -> io::Result<Self> {
        let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("rows");
        std::fs::create_dir_all(&folder)?;
        Ok(Self { file: File::create(folder.join(format!("{name}.jsonl")))? })
    }

    pub(crate) fn add(&mut self, row: &Value) -> io::Result<()> {
        writeln!(self.file, "{row}")
    }
}

/// What one figure is, for the table.
#[cfg(any(feature = "gateway", feature = "http"))]
pub(crate) struct Line {
    pub(crate) what: String,
    pub(crate) must: &'static str,
    pub(crate) measured: String,
}

/// Prints the table.
#[cfg(any(feature = "gateway", feature = "http"))]
#[expect(clippy::print_stdout, reason = "the table is what a bench is for")]
pub(crate) fn print_table(lines: Vec<Line>) {
    println!("| what | must | measured |\n|---|---|---|");
    for Line { what, must, measured } in lines {
        println!("| {what} | {must} | {measured} |");
    }
}

/// The value below which `share` (0 to 1) of the values lie.
pub(crate) fn percentile(values: &[f64], share: f64) -> f64 {
    let mut sorted = values.to_vec();
    sorted.sort_by(f64::total_cmp);
    #[expect(
        clippy::cast_possible_truncation,
        clippy::cast_sign_loss,
        clippy::cast_precision_loss,
        reason = "a few thousand values"
    )]
    let place = ((sorted.len() as f64 * share).ceil() as usize).clamp(1, sorted.len().max(1)) - 1;
    sorted.get(place).copied().unwrap_or(f64::NAN)
}

pub(crate) fn median(values: &[f64]) -> f64 {
    percentile(values, 0.5)
}
