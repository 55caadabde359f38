//! What is said about what attempts left behind. Plain data, stable JSON.

use regatta_core::Slot;
use regatta_dispatcher::compose::{FilePatch, Hunk};
use regatta_dispatcher::repository::{Changed, How};
use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

/// The files an attempt changed.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct FilesBody {
    /// Sorted by path.
    pub rows: Vec<ChangedFile>,
}

/// One file an attempt changed.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct ChangedFile {
    /// Path in the repository; bytes that are not UTF-8 are shown as U+FFFD.
    pub path: String,
    /// What was done to it.
    pub status: FileChangeHow,
    /// Its mode after, in octal: `100644`, `100755`, `120000` for a link; nothing when it was deleted.
    pub mode: Option<String>,
    /// Its mode in the base; nothing when it is new.
    pub mode_before: Option<String>,
    /// Lines added; nothing for a binary file.
    pub added: Option<u64>,
    /// Lines removed; nothing for a binary file.
    pub removed: Option<u64>,
    /// Whether git shows no lines of it.
    pub binary: bool,
}

/// What was done to a file.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "snake_case")]
pub enum FileChangeHow {
    /// It is new.
    Added,
    /// Its content or mode is another.
    Modified,
    /// It is gone.
    Deleted,
    /// A file became a link, or the other way round.
    Retyped,
}

impl From<Changed> for ChangedFile {
    fn from(changed: Changed) -> Self {
        Self {
            binary: changed.added.is_none(),
            path: changed.path,
            status: match changed.how {
                How::Added => FileChangeHow::Added,
                How::Modified => FileChangeHow::Modified,
                How::Deleted => FileChangeHow::Deleted,
                How::Retyped => FileChangeHow::Retyped,
            },
            mode: changed.mode,
            mode_before: changed.mode_before,
            added: changed.added,
            removed: changed.removed,
        }
    }
}

/// What merging each attempt's work would come to.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct MergePreview {
    /// The branch, tag or commit it was tried with.
    pub into: String,
    /// The commit that name stands for now.
    pub commit: String,
    /// One per attempt, in slot order.
    pub rows: Vec<MergeRow>,
}

/// What merging one attempt's work would come to.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct MergeRow {
    /// Whose.
    pub slot: Slot,
    /// What it comes to.
    pub state: MergeState,
    /// Paths in which somebody has to decide.
    pub conflicts: Vec<String>,
    /// How many commits that branch has that the attempt did not start from.
    pub behind: u64,
    /// When it could not be tried: why.
    pub reason: Option<String>,
}

/// What a merge comes to.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "snake_case")]
pub enum MergeState {
    /// Git can do it alone.
    Clean,
    /// Somebody has to decide.
    Conflicts,
    /// It could not be tried.
    Unknown,
}

/// What can be taken of an attempt.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct HunksBody {
    /// In the order of the patch.
    pub rows: Vec<HunkRow>,
}

/// A hunk, or a file that goes as a whole.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct HunkRow {
    /// Path in the repository.
    pub path: String,
    /// Which hunk of that path, from 1; nothing when the file goes as a whole.
    pub hunk: Option<u32>,
    /// `@@ -41,3 +41,3 @@`; empty when the file goes as a whole.
    pub header: String,
    /// Names the hunk's content.
    pub hash: Option<String>,
    /// Why the file goes as a whole.
    pub whole: Option<String>,
}

impl HunkRow {
    /// What can be taken of one file.
    pub(super) fn of(file: &FilePatch<'_>) -> Vec<Self> {
        let path = file.shown();
        let why = file.whole.or(file.hunks.is_empty().then_some("its mode is changed"));
        if let Some(why) = why {
            return vec![Self { path, hunk: None, header: String::new(), hash: None, whole: Some(why.to_owned()) }];
        }
        let row = |(hunk, of): (u32, &Hunk<'_>)| Self {
            path: path.clone(),
            hunk: Some(hunk),
            header: of.header.clone(),
            hash: Some(of.hash.clone()),
            whole: None,
        };
        (1..).zip(&file.hunks).map(row).collect()
    }
}
