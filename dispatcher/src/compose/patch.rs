//! Reads a patch as git writes it with `--binary --full-index --no-renames`: files, hunks, and the lines each hunk
//! really replaces.

/// Digits of a hunk's hash.
const HASH_DIGITS: usize = 16;

/// A patch that git did not write so.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("a patch cannot be read at byte {offset}: {reason}")]
pub struct BrokenPatch {
    /// Where.
    pub offset: usize,
    /// Why.
    pub reason: &'static str,
}

/// One path of a patch.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct FilePatch<'p> {
    /// The path, any bytes.
    pub path: Vec<u8>,
    /// Why it goes as a whole or not at all; nothing when its hunks can be chosen one by one.
    pub whole: Option<&'static str>,
    /// Its mode before and after in octal, when that changed.
    pub mode: Option<(&'p [u8], &'p [u8])>,
    /// The hunks, in order; none in a binary file.
    pub hunks: Vec<Hunk<'p>>,
    /// The names as they stand after `diff --git`.
    pub(super) names: &'p [u8],
    /// Every line about the path.
    pub(super) raw: Vec<&'p [u8]>,
}

/// One hunk.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Hunk<'p> {
    /// `@@ -41,3 +41,3 @@`, without what git shows behind it.
    pub header: String,
    /// Names its content: the first digits of a hash over it.
    pub hash: String,
    /// What it replaces.
    pub(super) edits: Vec<Edit<'p>>,
}

/// Lines replaced by lines. Each holds its line end, when it has one.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Edit<'p> {
    /// Lines of the base before it.
    pub(super) at: u64,
    pub(super) removed: Vec<&'p [u8]>,
    pub(super) added: Vec<&'p [u8]>,
}

impl FilePatch<'_> {
    /// The path as text; bytes that are not UTF-8 are shown as U+FFFD.
    #[must_use]
    pub fn shown(&self) -> String {
        String::from_utf8_lossy(&self.path).into_owned()
    }
}

/// Reads a patch.
///
/// # Errors
/// When git did not write it so.
pub fn read(patch: &[u8]) -> Result<Vec<FilePatch<'_>>, BrokenPatch> {
    let mut files: Vec<FilePatch<'_>> = Vec::new();
    let mut lines = Lines { rest: patch, offset: 0 };
    while let Some(line) = lines.next() {
        let Some(names) = line.strip_prefix(b"diff --git ") else { return Err(lines.broken("a file is expected")) };
        let names = ended(names);
        let path = path_of(names).ok_or_else(|| lines.broken("a path cannot be read"))?;
        let start = lines.offset - line.len();
        let mut file = FilePatch { path, whole: None, mode: None, hunks: vec![], names, raw: vec![] };
        file.read(&mut lines)?;
        file.raw = vec![patch.get(start..lines.offset).unwrap_or_default()];
        match files.last_mut() {
            // A file that became a link is a removal and an addition.
            Some(last) if last.path == file.path => {
                last.raw.append(&mut file.raw);
                last.hunks.append(&mut file.hunks);
                last.whole = Some("it became something else");
            }
            Some(_) | None => files.push(file),
        }
    }
    Ok(files)
}

impl<'p> FilePatch<'p> {
    /// Everything behind `diff --git`, up to the next file.
    fn read(&mut self, lines: &mut Lines<'p>) -> Result<(), BrokenPatch> {
        let mut mode_before: &[u8] = b"";
        while let Some(line) = lines.peek() {
            if line.starts_with(b"diff --git ") {
                break;
            }
            if line.starts_with(b"@@ ") {
                self.hunks.push(hunk(lines)?);
                continue;
            }
            lines.next();
            if let Some(mode) = line.strip_prefix(b"old mode ") {
                mode_before = ended(mode);
            } else if let Some(mode) = line.strip_prefix(b"new mode ") {
                self.mode = Some((mode_before, ended(mode)));
            } else if line.starts_with(b"new file mode ") {
                self.whole = Some("it is new");
            } else if line.starts_with(b"deleted file mode ") {
                self.whole = Some("it is deleted");
            } else if line.starts_with(b"GIT binary patch") {
                self.whole.get_or_insert("it is binary");
            }
        }
        Ok(())
    }
}

fn hunk<'p>(lines: &mut Lines<'p>) -> Result<Hunk<'p>, BrokenPatch> {
    let from = lines.rest;
    let title = lines.next().unwrap_or_default();
    let broken = |lines: &Lines<'_>| lines.broken("a hunk's head cannot be read");
    let (header, old, new) = head(title).ok_or_else(|| broken(lines))?;
    let (mut left_old, mut left_new) = (old.1, new.1);
    // An empty side names the line before it.
    let mut at = if old.1 == 0 { old.0 } else { old.0.saturating_sub(1) };
    let mut edits: Vec<Edit<'p>> = Vec::new();
    let mut is_open = false;
    while left_old > 0 || left_new > 0 {
        let line = lines.next().ok_or_else(|| lines.broken("a hunk ends too early"))?;
        let (sign, text) = line.split_first().ok_or_else(|| lines.broken("a hunk has an empty line"))?;
        // The line end belongs to the patch alone when this follows.
        let text = if lines.peek().is_some_and(|next| next.starts_with(b"\\ ")) { ended(text) } else { text };
        if *sign == b' ' {
            is_open = false;
            (left_old, left_new) = (less(left_old, lines)?, less(left_new, lines)?);
            at += 1;
        } else {
            if !is_open {
                edits.push(Edit { at, removed: vec![], added: vec![] });
                is_open = true;
            }
            let Some(edit) = edits.last_mut() else { continue };
            match sign {
                b'-' => {
                    left_old = less(left_old, lines)?;
                    at += 1;
                    edit.removed.push(text);
                }
                b'+' => {
                    left_new = less(left_new, lines)?;
                    edit.added.push(text);
                }
                _ => return Err(lines.broken("a line of a hunk is neither kept, nor removed, nor added")),
            }
        }
        if lines.peek().is_some_and(|next| next.starts_with(b"\\ ")) {
            lines.next();
        }
    }
    let content = from.get(title.len()..from.len() - lines.rest.len()).unwrap_or_default();
    let mut hasher = blake3::Hasher::new();
    hasher.update(header.as_bytes()).update(b"\n").update(content);
    let hash = hasher.finalize().to_hex().chars().take(HASH_DIGITS).collect();
    Ok(Hunk { header, hash, edits })
}

fn less(left: u64, lines: &Lines<'_>) -> Result<u64, BrokenPatch> {
    left.checked_sub(1).ok_or_else(|| lines.broken("a hunk has more lines than it says"))
}

type Range = (u64, u64);

/// `@@ -41,3 +41,3 @@ …`
fn head(title: &[u8]) -> Option<(String, Range, Range)> {
    let text = str::from_utf8(title.strip_prefix(b"@@ -")?.split(|byte| *byte == b'@').next()?).ok()?;
    let (old, new) = text.trim_end().split_once(" +")?;
    let range = |text: &str| -> Option<Range> {
        match text.split_once(',') {
            Some((start, count)) => Some((start.parse().ok()?, count.parse().ok()?)),
            None => Some((text.parse().ok()?, 1)),
        }
    };
    Some((format!("@@ -{old} +{new} @@"), range(old)?, range(new)?))
}

/// `a/x b/x` as `x`; both halves are the same, since renames are not shown.
fn path_of(names: &[u8]) -> Option<Vec<u8>> {
    let half = names.len().checked_sub(1)? / 2;
    let (old, new) = (names.get(..half)?, names.get(half + 1..)?);
    let (old, new) = (unquoted(old)?, unquoted(new)?);
    let path = old.strip_prefix(b"a/")?;
    (new.strip_prefix(b"b/")? == path && !path.is_empty()).then(|| path.to_vec())
}

/// A name as git quotes it when it holds anything strange.
fn unquoted(name: &[u8]) -> Option<Vec<u8>> {
    let Some(inner) = name.strip_prefix(b"\"") else { return Some(name.to_vec()) };
    let mut inner = inner.strip_suffix(b"\"")?.iter().copied();
    let mut plain = Vec::new();
    while let Some(byte) = inner.next() {
        if byte != b'\\' {
            plain.push(byte);
            continue;
        }
        plain.push(match inner.next()? {
            b'a' => 7,
            b'b' => 8,
            b't' => b'\t',
            b'n' => b'\n',
            b'v' => 11,
            b'f' => 12,
            b'r' => b'\r',
            high @ b'0'..=b'3' => {
                let digit = |byte: u8| matches!(byte, b'0'..=b'7').then(|| byte - b'0');
                digit(high)? << 6 | digit(inner.next()?)? << 3 | digit(inner.next()?)?
            }
            other => other,
        });
    }
    Some(plain)
}

/// Without its line end.
fn ended(line: &[u8]) -> &[u8] {
    line.strip_suffix(b"\n").unwrap_or(line)
}

/// Lines with their ends, and how many bytes were read.
struct Lines<'p> {
    rest: &'p [u8],
    offset: usize,
}

impl<'p> Lines<'p> {
    fn peek(&self) -> Option<&'p [u8]> {
        if self.rest.is_empty() {
            return None;
        }
        let end = self.rest.iter().position(|byte| *byte == b'\n').map_or(self.rest.len(), |end| end + 1);
        self.rest.get(..end)
    }

    fn next(&mut self) -> Option<&'p [u8]> {
        let line = self.peek()?;
        self.rest = self.rest.get(line.len()..).unwrap_or_default();
        self.offset += line.len();
        Some(line)
    }

    fn broken(&self, reason: &'static str) -> BrokenPatch {
        BrokenPatch { offset: self.offset, reason }
    }
}
