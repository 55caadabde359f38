//! `cargo xtask schemas`: writes `schemas/` anew from what the binary says. A test fails when they differ.

use std::fs;
use std::process::ExitCode;

use crate::command::{cargo, root};

/// Writes every schema.
pub(crate) fn run() -> Result<ExitCode, String> {
    let folder = root().join("schemas");
    fs::create_dir_all(&folder).map_err(|error| format!("failed to make {}: {error}", folder.display()))?;
    for name in ["openapi", "events", "config"] {
        let mut command = cargo(&["run", "--quiet", "--package", "regatta", "--", "schema", name]);
        let said = command.stderr(std::process::Stdio::inherit()).output();
        let said = said.map_err(|error| format!("failed to run regatta schema {name}: {error}"))?;
        if !said.status.success() {
            return Err(format!("regatta schema {name} ended with {}", said.status));
        }
        let file = folder.join(format!("{name}.json"));
        fs::write(&file, said.stdout).map_err(|error| format!("failed to write {}: {error}", file.display()))?;
        eprintln!("wrote schemas/{name}.json");
    }
    Ok(ExitCode::SUCCESS)
}
