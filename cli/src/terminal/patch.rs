//! A patch for people: coloured, one column, or two side by side when there is room. What git wrote is read here just
//! as far as that needs; bytes for programs never pass here.

use console::{pad_str, truncate_str};

use super::escape;
use super::paint::Paint;

/// Columns from which old and new stand side by side.
pub(crate) const SPLIT_WIDTH_MIN: usize = 160;
/// Largest patch shown on a terminal; larger ones go to a pipe or a file.
pub(crate) const SHOWN_BYTES_MAX: usize = 16 << 20;

/// What one line of a patch is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Mark {
    /// About the file: `diff --git`, `index`, `Binary files`, …
    File,
    /// `@@ … @@`
    Hunk,
    Context,
    Added,
    Removed,
}

#[derive(Debug, Clone, PartialEq, Eq)]
struct Line {
    mark: Mark,
    /// Escaped, without the leading sign.
    text: String,
}

/// The lines of one path.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct FilePatch {
    /// As it stands after `diff --git`; escaped.
    pub(crate) path: String,
    lines: Vec<Line>,
}

/// Reads a patch, file by file. Bytes that are not UTF-8 are shown as U+FFFD.
pub(crate) fn read(patch: &[u8]) -> Vec<FilePatch> {
    let mut files: Vec<FilePatch> = Vec::new();
    let mut in_hunk = false;
    let mut is_binary = false;
    for raw in patch.split(|byte| *byte == b'\n') {
        let text = String::from_utf8_lossy(raw);
        if let Some(names) = text.strip_prefix("diff --git ") {
            (in_hunk, is_binary) = (false, false);
            files.push(FilePatch { path: path_of(names), lines: Vec::new() });
            continue;
        }
        let Some(file) = files.last_mut() else { continue };
        if text.starts_with("GIT binary patch") {
            is_binary = true;
            file.lines.push(Line { mark: Mark::File, text: "binary file changed".to_owned() });
        }
        if is_binary || raw.is_empty() {
            continue;
        }
        in_hunk |= text.starts_with("@@ ");
        file.lines.push(line(&text, in_hunk));
    }
    files
}

/// `a/x b/x` as `x`; a rename keeps both names.
fn path_of(names: &str) -> String {
    let half = names.len() / 2;
    let same = names.split_at_checked(half).and_then(|(old, new)| {
        let (old, new) = (old.strip_prefix("a/")?, new.strip_prefix(" b/")?);
        (old == new).then_some(old)
    });
    escape::line(same.unwrap_or(names)).into_owned()
}

fn line(text: &str, in_hunk: bool) -> Line {
    let (mark, text) = match text.chars().next() {
        Some('@') if text.starts_with("@@ ") => (Mark::Hunk, text),
        Some('+') if in_hunk => (Mark::Added, text.get(1..).unwrap_or_default()),
        Some('-') if in_hunk => (Mark::Removed, text.get(1..).unwrap_or_default()),
        Some(' ') if in_hunk => (Mark::Context, text.get(1..).unwrap_or_default()),
        _ => (Mark::File, text),
    };
    Line { mark, text: escape::line(text).into_owned() }
}

impl Line {
    fn sign(&self) -> &'static str {
        match self.mark {
            Mark::Added => "+",
            Mark::Removed => "-",
            Mark::Context => " ",
            Mark::File | Mark::Hunk => "",
        }
    }

    fn painted(&self, text: &str, paint: Paint) -> String {
        match self.mark {
            Mark::Added => paint.good(text),
            Mark::Removed => paint.bad(text),
            Mark::Hunk => paint.busy(text),
            Mark::File => paint.dim(text),
            Mark::Context => text.to_owned(),
        }
    }

    /// Cut or filled to exactly `width` columns.
    fn column(&self, width: usize, paint: Paint) -> String {
        let text = format!("{}{}", self.sign(), self.text);
        let cut = truncate_str(&text, width, "…");
        self.painted(&pad_str(&cut, width, console::Alignment::Left, None), paint)
    }
}

impl FilePatch {
    fn shown(&self) -> impl Iterator<Item = &Line> {
        // The names are told by our own heading.
        self.lines.iter().filter(|line| {
            line.mark != Mark::File || !["index ", "--- ", "+++ "].iter().any(|start| line.text.starts_with(start))
        })
    }

    /// One column, whole lines.
    pub(crate) fn unified(&self, paint: Paint) -> String {
        let mut text = paint.strong(&self.path);
        for line in self.shown() {
            text.push('\n');
            text.push_str(&line.painted(&format!("{}{}", line.sign(), line.text), paint));
        }
        text
    }

    /// Old on the left, new on the right.
    pub(crate) fn split(&self, width: usize, paint: Paint) -> String {
        let (mut left, mut right, mut rows) = (Vec::new(), Vec::new(), Vec::new());
        for line in self.shown() {
            match line.mark {
                Mark::Removed => left.push(line),
                Mark::Added => right.push(line),
                Mark::Context | Mark::File | Mark::Hunk => {
                    rows.extend(pairs(&left, &right));
                    rows.push((Some(line), Some(line)));
                    left.clear();
                    right.clear();
                }
            }
        }
        rows.extend(pairs(&left, &right));
        side_by_side(&self.path, &rows, width, paint)
    }
}

/// What stands left and right on one line of the terminal.
type Row<'a> = (Option<&'a Line>, Option<&'a Line>);

fn pairs<'a>(left: &[&'a Line], right: &[&'a Line]) -> Vec<Row<'a>> {
    (0..left.len().max(right.len())).map(|place| (left.get(place).copied(), right.get(place).copied())).collect()
}

fn side_by_side(path: &str, rows: &[Row<'_>], width: usize, paint: Paint) -> String {
    let column = width.saturating_sub(3) / 2;
    let mut text = paint.strong(path);
    for (left, right) in rows {
        let side = |line: &Option<&Line>| line.map_or_else(|| " ".repeat(column), |line| line.column(column, paint));
        let row = format!("{} {} {}", side(left), paint.dim("│"), side(right));
        text.push('\n');
        text.push_str(row.trim_end());
    }
    text
}

#[cfg(test)]
mod tests {
    use super::*;

    const PLAIN: Paint = Paint(false);
    const PATCH: &[u8] = b"diff --git a/src/lib.rs b/src/lib.rs\nindex 1111111..2222222 100644\n--- a/src/lib.rs\n+++ b/src/lib.rs\n@@ -1,3 +1,3 @@ fn main\n one\n-two \x1b[31mred\n+zwei\n+--- more\n three\ndiff --git a/x.bin b/x.bin\nnew file mode 100644\nindex 0000000..3333333\nGIT binary patch\nliteral 3\nKcmZ\n\n";

    #[test]
    fn a_patch_is_shown_in_one_column() {
        let files = read(PATCH);
        let shown: Vec<String> = files.iter().map(|file| file.unified(PLAIN)).collect();
        insta::assert_snapshot!(shown.join("\n"), @r"
        src/lib.rs
        @@ -1,3 +1,3 @@ fn main
         one
        -two \u{1b}[31mred
        +zwei
        +--- more
         three
        x.bin
        new file mode 100644
        binary file changed
        ");
    }

    #[test]
    fn old_and_new_stand_side_by_side() {
        let files = read(PATCH);
        insta::assert_snapshot!(files[0].split(45, PLAIN), @r"
        src/lib.rs
        @@ -1,3 +1,3 @@ fn m… │ @@ -1,3 +1,3 @@ fn m…
         one                  │  one
        -two \u{1b}[31mred    │ +zwei
                              │ +--- more
         three                │  three
        ");
    }
}
