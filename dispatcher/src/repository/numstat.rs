//! Reads `git diff --numstat -z --no-renames`. Pure.

use regatta_core::event::attempt::{DiffStat, FILES_LISTED_MAX, FileChange};

/// A record of another shape than git's.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{record:?} is no line of git's numstat")]
pub struct BrokenNumstat {
    /// The record, cut.
    pub record: String,
}

/// Sums over all changed paths, and the first [`FILES_LISTED_MAX`] of them, sorted. Any bytes may stand in a path.
///
/// # Errors
/// When a record does not have the shape git writes.
pub fn parse_numstat(printed: &[u8]) -> Result<(DiffStat, Vec<FileChange>), BrokenNumstat> {
    let mut stat = DiffStat::default();
    let mut files = Vec::new();
    for record in printed.split(|byte| *byte == 0).filter(|record| !record.is_empty()) {
        let broken = || BrokenNumstat { record: String::from_utf8_lossy(record).chars().take(80).collect() };
        let file = file_change(record).ok_or_else(broken)?;
        stat.files = stat.files.saturating_add(1);
        stat.added = stat.added.saturating_add(file.added.unwrap_or(0));
        stat.removed = stat.removed.saturating_add(file.removed.unwrap_or(0));
        files.push(file);
    }
    files.sort();
    files.truncate(FILES_LISTED_MAX);
    Ok((stat, files))
}

fn file_change(record: &[u8]) -> Option<FileChange> {
    let mut fields = record.splitn(3, |byte| *byte == b'\t');
    let (added, removed, path) = (lines(fields.next()?)?, lines(fields.next()?)?, fields.next()?);
    (!path.is_empty()).then(|| FileChange { path: String::from_utf8_lossy(path).into_owned(), added, removed })
}

/// A number of lines; `-` stands for a binary file.
pub(super) fn lines(field: &[u8]) -> Option<Option<u64>> {
    match field {
        b"-" => Some(None),
        digits => str::from_utf8(digits).ok()?.parse().ok().map(Some),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn file(path: &str, added: Option<u64>, removed: Option<u64>) -> FileChange {
        FileChange { path: path.to_owned(), added, removed }
    }

    #[test]
    fn nothing_changed_is_nothing() {
        assert_eq!(parse_numstat(b""), Ok((DiffStat::default(), Vec::new())));
    }

    #[test]
    fn lines_are_summed_and_binary_files_count_as_files() {
        let (stat, files) = parse_numstat(b"3\t1\tsrc/b.rs\0-\t-\ta.png\x000\t4\told\0").expect("parses");
        assert_eq!(stat, DiffStat { files: 3, added: 3, removed: 5 });
        assert_eq!(
            files,
            [file("a.png", None, None), file("old", Some(0), Some(4)), file("src/b.rs", Some(3), Some(1))]
        );
    }

    #[test]
    fn a_path_may_hold_tabs_line_breaks_and_broken_utf8() {
        let (_, files) = parse_numstat(b"1\t0\ta\tb\nc\xff\0").expect("parses");
        assert_eq!(files, [file("a\tb\nc\u{fffd}", Some(1), Some(0))]);
    }

    #[test]
    fn the_list_is_cut_but_the_sums_are_not() {
        let printed: String = (0..FILES_LISTED_MAX + 10).map(|n| format!("1\t0\tfile-{n:06}\0")).collect();
        let (stat, files) = parse_numstat(printed.as_bytes()).expect("parses");
        assert_eq!((stat.files as usize, files.len()), (FILES_LISTED_MAX + 10, FILES_LISTED_MAX));
    }

    #[test]
    fn anything_else_is_refused() {
        for printed in ["1\t2", "x\t0\ta\0", "1\t0\t\0", "-1\t0\ta\0"] {
            assert!(parse_numstat(printed.as_bytes()).is_err(), "{printed:?}");
        }
    }
}
