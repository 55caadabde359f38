//! What attempts left behind, as git trees of our mirror: what one holds, and how two differ. The user's repository is
//! not touched; trees are made from the base and a patch, and stay among the mirror's objects.

use super::error::Error;
use super::git::{Git, SLOW, is_object};
use super::mirror::Mirror;
use super::on_disk;

/// Largest comparison of two trees in bytes: it is made for people and held in memory.
pub const DIFF_BYTES_MAX: u64 = 16 << 20;
/// Largest file that is shown, in bytes.
pub const FILE_BYTES_MAX: u64 = 8 << 20;
/// Longest path that is looked for, in bytes: what Linux takes.
const PATH_BYTES_MAX: usize = 4_096;
/// Trees remembered by the patch they were made with; past it all are forgotten, and made again when wanted.
const TREES_KNOWN_MAX: usize = 1_024;

/// One path two trees differ in.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub struct Changed {
    /// Path in the repository; bytes that are not UTF-8 are shown as U+FFFD.
    pub path: String,
    /// What was done to it.
    pub how: How,
    /// Its mode before, in octal: `100644`, `100755`, `120000` for a link; nothing when it is new.
    pub mode_before: Option<String>,
    /// Its mode after; nothing when it was deleted.
    pub mode: Option<String>,
    /// Lines added; nothing for a binary file.
    pub added: Option<u64>,
    /// Lines removed; nothing for a binary file.
    pub removed: Option<u64>,
}

/// What was done to a path.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum How {
    /// It is new.
    Added,
    /// Its content or mode is another.
    Modified,
    /// It is gone.
    Deleted,
    /// A file became a link, or the other way round.
    Retyped,
}

/// A file of a tree.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct TreeFile {
    /// Its mode, in octal. A link (`120000`) is not followed: its content is its target.
    pub mode: String,
    /// Its bytes.
    pub content: Vec<u8>,
}

impl Mirror {
    /// The tree a patch makes of its base. Made once, then remembered.
    ///
    /// # Errors
    /// When the mirror cannot get the base, or the patch does not apply to it.
    pub async fn tree(&self, base_commit: &str, patch: &[u8]) -> Result<String, Error> {
        let made_of = format!("{}/{base_commit}/{}", self.name(), blake3::hash(patch).to_hex());
        if let Some(tree) = self.places().trees.lock().ok().and_then(|trees| trees.get(&made_of).cloned()) {
            return Ok(tree);
        }
        self.bring(base_commit).await?;
        let tree = self.patched(base_commit, patch, &[]).await?;
        if let Ok(mut trees) = self.places().trees.lock() {
            if trees.len() >= TREES_KNOWN_MAX {
                trees.clear();
            }
            trees.insert(made_of, tree.clone());
        }
        Ok(tree)
    }

    /// Makes the tree of a base with a patch on it; `apply` goes to `git apply`.
    pub(super) async fn patched(&self, base_commit: &str, patch: &[u8], apply: &[&str]) -> Result<String, Error> {
        if patch.is_empty() {
            let tree = self.git("look at the base").args(["rev-parse", &format!("{base_commit}^{{tree}}")]);
            return tree.object().await;
        }
        let places = self.places();
        let scratch = on_disk("apply the patch", move || places.unfinished(&places.mirrors)).await?;
        let git = || self.git("apply the patch").env("GIT_INDEX_FILE", scratch.path.join("index")).deadline(SLOW);
        git().args(["read-tree", base_commit]).output().await?;
        let onto = git().args(["apply", "--cached", "--binary", "--whitespace=nowarn"]).args(apply).args(["-"]);
        let applied = onto.stdin(patch.to_vec()).said().await?;
        if !applied.ok {
            let base_commit = base_commit.to_owned();
            return Err(Error::PatchRefused { base_commit, reason: applied.reason() });
        }
        git().args(["write-tree"]).object().await
    }

    /// How `to` differs from `from`, as git's patch; renames are a removal and an addition.
    ///
    /// # Errors
    /// When it is larger than [`DIFF_BYTES_MAX`].
    pub async fn diff(&self, from: &str, to: &str) -> Result<Vec<u8>, Error> {
        let said = self.differ("compare two trees", from, to, &["--patch", "--binary", "--full-index"]).said().await?;
        match (said.ok, said.cut) {
            (_, true) => Err(Error::TooLarge { what: "the comparison".to_owned(), bytes_max: DIFF_BYTES_MAX }),
            (false, false) => Err(said.failure("compare two trees")),
            (true, false) => Ok(said.stdout),
        }
    }

    /// Every path `to` differs from `from` in, sorted.
    ///
    /// # Errors
    /// When there are too many of them.
    pub async fn changes(&self, from: &str, to: &str) -> Result<Vec<Changed>, Error> {
        const WHAT: &str = "list changed files";
        let said = self.differ(WHAT, from, to, &["--raw", "--numstat", "-z", "--no-abbrev"]).said().await?;
        match (said.ok, said.cut) {
            (_, true) => Err(Error::TooLarge { what: "the list of files".to_owned(), bytes_max: DIFF_BYTES_MAX }),
            (false, false) => Err(said.failure(WHAT)),
            (true, false) => {
                let broken = || Error::Git { what: WHAT, reason: "git printed something else than a list".to_owned() };
                parse(&said.stdout).ok_or_else(broken)
            }
        }
    }

    fn differ(&self, what: &'static str, from: &str, to: &str, form: &[&str]) -> Git {
        let git = self.git(what).args(["diff-tree", "-r", "--no-renames", "--no-ext-diff", "--no-textconv"]);
        git.args(["--ignore-submodules=all"]).args(form).args([from, to])
    }

    /// A file of a tree. Only ever looked for in the tree, so no path leads out of it.
    ///
    /// # Errors
    /// When there is no such file, or it is larger than [`FILE_BYTES_MAX`].
    pub async fn file(&self, tree: &str, path: &str) -> Result<TreeFile, Error> {
        const WHAT: &str = "read a file";
        let missing = || Error::FileMissing { path: path.chars().take(200).collect() };
        let is_part = |part: &str| !matches!(part, "" | "." | "..");
        if path.len() > PATH_BYTES_MAX || path.contains('\0') || !path.split('/').all(is_part) {
            return Err(missing());
        }
        let listed = self.git(WHAT).args(["ls-tree", "-z", "-l", "--full-tree", tree, "--", path]).output().await?;
        let (mode, object, bytes) = entry(&listed, path).ok_or_else(missing)?;
        if bytes > FILE_BYTES_MAX {
            return Err(Error::TooLarge { what: format!("{path:?}"), bytes_max: FILE_BYTES_MAX });
        }
        let content = self.git(WHAT).args(["cat-file", "blob", &object]).output().await?;
        Ok(TreeFile { mode, content })
    }
}

/// Mode, object and size of the file that is listed by this path: `<mode> SP blob SP <object> SP+ <size> TAB <path> NUL`.
fn entry(listed: &[u8], path: &str) -> Option<(String, String, u64)> {
    let listed = String::from_utf8_lossy(listed);
    let mut records = listed.split('\0').filter_map(|record| record.split_once('\t'));
    let (fields, _) = records.find(|(_, name)| *name == path)?;
    let mut fields = fields.split_ascii_whitespace();
    let (mode, "blob", object, bytes) = (fields.next()?, fields.next()?, fields.next()?, fields.next()?) else {
        return None;
    };
    Some((mode.to_owned(), object.to_owned(), bytes.parse().ok()?))
}

/// Reads `git diff-tree --raw --numstat -z --no-abbrev`: first every path's modes, then every path's lines, in one order.
fn parse(printed: &[u8]) -> Option<Vec<Changed>> {
    let mut records = printed.split(|byte| *byte == 0).filter(|record| !record.is_empty()).peekable();
    let mut found: Vec<(Vec<u8>, Changed)> = Vec::new();
    while let Some(record) = records.next_if(|record| record.first() == Some(&b':')) {
        let path = records.next()?.to_vec();
        found.push((path.clone(), raw(record, &path)?));
    }
    for ((path, changed), record) in found.iter_mut().zip(records.by_ref()) {
        let mut fields = record.splitn(3, |byte| *byte == b'\t');
        (changed.added, changed.removed) =
            (super::numstat::lines(fields.next()?)?, super::numstat::lines(fields.next()?)?);
        if fields.next()? != path.as_slice() {
            return None;
        }
    }
    let mut changed: Vec<Changed> = found.into_iter().map(|(_, changed)| changed).collect();
    changed.sort();
    Some(changed)
}

/// `:<mode> <mode> <object> <object> <letter>`
fn raw(record: &[u8], path: &[u8]) -> Option<Changed> {
    let mut fields = str::from_utf8(record.get(1..)?).ok()?.split(' ');
    let mode = |text: &str| (text != "000000").then(|| text.to_owned());
    let (mode_before, mode_after) = (mode(fields.next()?), mode(fields.next()?));
    let is_name = |name: &str| is_object(name);
    if !fields.by_ref().take(2).all(is_name) {
        return None;
    }
    let how = match fields.next()? {
        "A" => How::Added,
        "D" => How::Deleted,
        "T" => How::Retyped,
        "M" => How::Modified,
        _ => return None,
    };
    let path = String::from_utf8_lossy(path).into_owned();
    Some(Changed { path, how, mode_before, mode: mode_after, added: None, removed: None })
}

#[cfg(test)]
mod tests {
    use super::*;

    const H: &str = "0123456789012345678901234567890123456789";

    fn changed(path: &str, how: How, modes: (Option<&str>, Option<&str>), lines: Option<(u64, u64)>) -> Changed {
        let (mode_before, mode) = (modes.0.map(str::to_owned), modes.1.map(str::to_owned));
        let (added, removed) = (lines.map(|lines| lines.0), lines.map(|lines| lines.1));
        Changed { path: path.to_owned(), how, mode_before, mode, added, removed }
    }

    fn check(printed: &str, then: Option<&[Changed]>) {
        assert_eq!(parse(printed.as_bytes()).as_deref(), then, "{printed:?}");
    }

    #[test]
    fn modes_and_lines_of_a_path_come_together() {
        let printed = format!(
            ":000000 100755 {H} {H} A\0new\n\t\0:120000 100644 {H} {H} T\0link\0:100644 000000 {H} {H} D\0old\0\
             3\t0\tnew\n\t\0-\t-\tlink\0000\t2\told\0"
        );
        let then = [
            changed("link", How::Retyped, (Some("120000"), Some("100644")), None),
            changed("new\n\t", How::Added, (None, Some("100755")), Some((3, 0))),
            changed("old", How::Deleted, (Some("100644"), None), Some((0, 2))),
        ];
        check(&printed, Some(&then));
        check("", Some(&[]));
    }

    #[test]
    fn anything_else_is_no_list() {
        for printed in [
            ":1 2\0a\0",
            &format!(":100644 100644 {H} {H} M\0a\x001\t0\tb\0"),
            ":\0",
            &format!(":100644 100644 {H} x M\0a\0"),
        ] {
            check(printed, None);
        }
    }
}
