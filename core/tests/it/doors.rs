//! Doors: what may be named in one place only.

use std::fs;
use std::path::{Path, PathBuf};

/// Every Rust source file of the workspace.
fn sources(folder: &Path, found: &mut Vec<PathBuf>) {
    for entry in fs::read_dir(folder).expect("folder") {
        let path = entry.expect("entry").path();
        let name = path.file_name().unwrap_or_default().to_string_lossy().into_owned();
        if path.is_dir() && name != "target" && name != "node_modules" && !name.starts_with('.') {
            sources(&path, found);
        } else if name.ends_with(".rs") {
            found.push(path);
        }
    }
}

/// Lines of code (no comments) that name something, outside of a folder.
fn named_outside(folder: &str, text: &str) -> Vec<String> {
    let root = Path::new(env!("CARGO_MANIFEST_DIR")).parent().expect("workspace");
    let mut files = Vec::new();
    sources(root, &mut files);
    assert!(files.len() > 20, "the workspace was found");
    let mut found = Vec::new();
    for path in files {
        let within = path.strip_prefix(root).expect("within").to_string_lossy().into_owned();
        if within.starts_with(folder) || within.ends_with("tests/it/doors.rs") {
            continue;
        }
        let source = fs::read_to_string(&path).expect("source");
        let code = source.lines().filter(|line| !line.trim_start().starts_with("//"));
        found.extend(code.filter(|line| line.contains(text)).map(|line| format!("{within}: {line}")));
    }
    found
}

#[test]
fn only_the_index_names_sled() {
    assert_eq!(named_outside("core/src/log/index/", "sled::"), [""; 0]);
    assert_ne!(named_outside("nowhere", "sled::"), [""; 0], "the search finds it where it is");
}

#[test]
fn nobody_names_the_functions_of_sled_that_hang() {
    for function in ["flush_async", "watch_prefix"] {
        assert_eq!(named_outside("nowhere", function), [""; 0]);
    }
}

#[test]
fn in_the_journal_only_the_disk_names_files() {
    let journal = Path::new(env!("CARGO_MANIFEST_DIR")).join("src/log/journal");
    let mut files = Vec::new();
    sources(&journal, &mut files);
    let mut found = Vec::new();
    for path in files {
        let source = fs::read_to_string(&path).expect("source");
        let lines =
            source.lines().filter(|line| ["std::fs", "File::o", "rustix::fs"].iter().any(|fs| line.contains(fs)));
        let name = path.file_name().expect("a name").to_string_lossy().into_owned();
        found.extend(lines.map(|line| format!("{name}: {line}")));
    }
    // How the disk opens files is in a file of its own; the golden files of the journal's own tests are read as any file.
    let may = ["disk.rs", "regular.rs", "tests.rs"];
    let elsewhere = found.iter().filter(|line| !may.iter().any(|name| line.starts_with(name)));
    assert_eq!(elsewhere.collect::<Vec<_>>(), [""; 0]);
    assert!(found.iter().any(|line| line.starts_with("disk.rs")), "the search finds it where it is");
}
