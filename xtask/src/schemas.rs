//! `cargo xtask schemas`: writes `schemas/` anew from what the binary says. A test fails when they differ.

use std::fs;
use std::process::{Command, ExitCode, Stdio};

use crate::command::{cargo, root, target};

/// Writes every schema.
pub(crate) fn run() -> Result<ExitCode, String> {
    let folder = root().join("schemas");
    fs::create_dir_all(&folder).map_err(|error| format!("failed to make {}: {error}", folder.display()))?;
    // The same build as that of the tests.
    crate::command::run(&mut cargo(&["build", "--quiet", "--workspace", "--bin", "regatta"]))?;
    for name in ["openapi", "events", "config"] {
        let mut command = Command::new(target().join("debug/regatta"));
        command.args(["schema", name]).current_dir(root());
        let said = command.stderr(Stdio::inherit()).output();
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
