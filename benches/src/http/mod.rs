//! `cargo xtask bench http`: what issue "the web" asks of the server, measured on the real binary over loopback with a
//! real token. The peer stands in a process of its own, too: a bare server (axum, as ours) that answers the same bytes
//! and tells the same events after one `fdatasync`, in the same rounds.

mod fan;
mod get;
mod idle;
mod load;
pub(crate) mod peer;
mod wire;

use std::path::Path;

use crate::Outcome;
use crate::place::{Place, raise_files_max};
use crate::rows::{Rows, print_table};

/// What can be measured alone.
const PARTS: [&str; 3] = ["get", "fan", "idle"];

/// Measures everything, or only the parts named.
pub(crate) fn run(regatta: &Path, words: &[&str]) -> Outcome<()> {
    let is_quick = words.contains(&"--quick");
    let parts: Vec<&str> = words.iter().take_while(|word| !word.starts_with("--")).copied().collect();
    if let Some(unknown) = parts.iter().find(|part| !PARTS.contains(part)) {
        return Err(format!("there is no part {unknown}; there are {}", PARTS.join(", ")).into());
    }
    let is_asked = |part: &str| parts.is_empty() || parts.contains(&part);
    let regatta = std::fs::canonicalize(regatta)?;
    raise_files_max();
    let runtime = tokio::runtime::Builder::new_multi_thread().worker_threads(2).enable_all().build()?;
    let mut rows = Rows::create("http")?;
    let mut lines = Vec::new();
    if is_asked("fan") {
        lines.extend(runtime.block_on(fan::measure(&regatta, is_quick, &mut rows))?);
    }
    if is_asked("idle") {
        lines.extend(runtime.block_on(idle::measure(&regatta, is_quick, &mut rows))?);
    }
    if is_asked("get") {
        lines.extend(runtime.block_on(get::measure(&regatta, is_quick, &mut rows))?);
    }
    print_table(lines);
    Ok(())
}
