//! Files inside, as both vendors' servers read and write them.

use std::fs::Metadata;
use std::os::unix::fs::MetadataExt;
use std::path::Path;

use serde_json::{Value, json};

pub(super) fn write(path: &Path, content: &[u8]) -> std::io::Result<()> {
    if let Some(parent) = path.parent() {
        std::fs::create_dir_all(parent)?;
    }
    std::fs::write(path, content)
}

/// As envd describes a file.
pub(super) fn entry(path: &Path) -> std::io::Result<Value> {
    let found = path.symlink_metadata()?;
    let kind = if found.is_dir() {
        "FILE_TYPE_DIRECTORY"
    } else if found.is_symlink() {
        "FILE_TYPE_SYMLINK"
    } else {
        "FILE_TYPE_FILE"
    };
    Ok(json!({
        "name": name(path),
        "type": kind,
        "path": path.to_string_lossy(),
        "size": found.len().to_string(),
        "mode": found.mode() & 0o7777,
        "permissions": permissions(&found),
        "owner": "user",
        "group": "user",
        "modifiedTime": "2026-11-22T06:47:51.771584434Z",
    }))
}

/// As Daytona's toolbox describes one.
pub(super) fn facts(path: &Path) -> std::io::Result<Value> {
    let found = path.metadata()?;
    Ok(json!({
        "name": name(path),
        "size": found.len(),
        "mode": permissions(&found),
        "modTime": "2026-11-22 06:43:08.887577031 +0000 UTC",
        "modifiedAt": "2026-11-22T06:43:08.887577031Z",
        "isDir": found.is_dir(),
        "owner": found.uid().to_string(),
        "group": found.gid().to_string(),
        "permissions": format!("{:04o}", found.mode() & 0o7777),
    }))
}

fn name(path: &Path) -> String {
    path.file_name().unwrap_or_default().to_string_lossy().into_owned()
}

fn permissions(found: &Metadata) -> String {
    let mode = found.mode();
    let bits = (0..9).rev().map(|bit| {
        let letter = ['x', 'w', 'r'].get(bit % 3).copied().unwrap();
        if mode >> bit & 1 == 1 { letter } else { '-' }
    });
    format!("{}{}", if found.is_dir() { 'd' } else { '-' }, bits.collect::<String>())
}
