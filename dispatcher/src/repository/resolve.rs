//! Where a run starts from: which repository, which commit, and what about changes nobody committed. Two git commands
//! when all is well.

use std::path::{Path, PathBuf};

use super::error::{DIRTY_NAMED_MAX, Error};
use super::git::{Git, Said, is_object};
use super::{Repositories, snapshot, status};
use crate::Uncommitted;

/// Longest name of a base, in bytes.
pub const REF_BYTES_MAX: usize = 255;
/// Branches and tags looked at for a suggestion.
const NAMES_LOOKED_AT_MAX: usize = 2_000;
/// Suggestions made.
const NEAR_NAMES_MAX: usize = 3;
/// How alike a name must be to be suggested, from 0 to 1.
const NEAR_ENOUGH: f64 = 0.75;

/// Where a run starts from.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Base {
    /// The top of the work tree, or the bare repository: absolute, without symbolic links, UTF-8.
    pub repository: PathBuf,
    /// The branch, tag or commit it was given as; the checked-out branch (or commit) when nothing was asked for.
    pub base_ref: String,
    /// The commit every attempt starts from.
    pub base_commit: String,
    /// How many uncommitted paths are in that commit.
    pub uncommitted_included: u32,
}

/// A repository as git sees it.
pub(super) struct Opened {
    /// The top of the work tree, or the bare repository.
    pub(super) top: PathBuf,
    /// Its private folder: `.git`, or that of a linked work tree.
    pub(super) git_dir: PathBuf,
    /// Where its objects are.
    pub(super) objects: PathBuf,
    is_bare: bool,
    /// The commit of the base asked for.
    base: Option<String>,
    /// The commit checked out.
    pub(super) head: Option<String>,
    /// Full name of the branch checked out.
    branch: Option<String>,
}

impl Repositories {
    /// Finds the repository at `repository` (or above it) and the commit a run starts from. Only reads it, except that
    /// [`Uncommitted::Include`] writes one commit into our mirror, signed with `at_ms`.
    ///
    /// # Errors
    /// Whatever is wrong with the repository, the base or the work tree, each with what to do.
    pub async fn resolve(
        &self,
        repository: &Path,
        base_ref: Option<&str>,
        uncommitted: Uncommitted,
        at_ms: u64,
    ) -> Result<Base, Error> {
        if let Some(base_ref) = base_ref {
            check_ref(base_ref)?;
        }
        let opened = open(repository, base_ref).await?;
        let Some(base_commit) = opened.base.clone() else { return Err(missing(&opened, base_ref).await) };
        let base_ref = base_ref.map_or_else(|| opened.checked_out(&base_commit), str::to_owned);
        let on_head = opened.head.as_ref() == Some(&base_commit);
        let clean = Base { repository: opened.top.clone(), base_ref, base_commit, uncommitted_included: 0 };
        match uncommitted {
            Uncommitted::Ignore => return Ok(clean),
            Uncommitted::Include if !on_head => {
                return Err(Error::UncommittedElsewhere { base_ref: clean.base_ref });
            }
            _ if opened.is_bare || !on_head => return Ok(clean),
            Uncommitted::Refuse | Uncommitted::Include => {}
        }
        let changes = status::parse(&opened.status(uncommitted).await?.stdout);
        if changes.is_empty() {
            return Ok(clean);
        }
        let count = u32::try_from(changes.len()).unwrap_or(u32::MAX);
        if uncommitted == Uncommitted::Refuse {
            let shown = |change: &status::Change| String::from_utf8_lossy(&change.path).replace('\n', "\\n");
            let first = changes.iter().take(DIRTY_NAMED_MAX).map(shown).collect();
            return Err(Error::Dirty { path: opened.top, count, first });
        }
        let base_commit = snapshot::make(&self.mirror(&opened.top), &opened, &changes, at_ms).await?;
        Ok(Base { base_commit, uncommitted_included: count, ..clean })
    }
}

/// The commit a name stands for in the user's repository now.
pub(super) async fn commit(repository: &Path, name: &str) -> Result<String, Error> {
    check_ref(name)?;
    if !repository.exists() {
        return Err(Error::RepositoryGone { path: repository.to_owned() });
    }
    let opened = open(repository, Some(name)).await?;
    match &opened.base {
        Some(commit) => Ok(commit.clone()),
        None => Err(missing(&opened, Some(name)).await),
    }
}

impl Opened {
    fn checked_out(&self, commit: &str) -> String {
        let short = self.branch.as_deref().and_then(|name| name.strip_prefix("refs/heads/"));
        short.unwrap_or(commit).to_owned()
    }

    async fn status(&self, uncommitted: Uncommitted) -> Result<Said, Error> {
        // A new folder counts once when it is only complained about.
        let untracked = if uncommitted == Uncommitted::Include { "all" } else { "normal" };
        let git = Git::users(&self.top, "look for uncommitted changes");
        let git = git.args(["status", "--porcelain=v2", "-z", "--no-renames", "--ignore-submodules=dirty"]);
        let said = git.args([format!("--untracked-files={untracked}")]).said().await?;
        if !said.ok {
            return Err(said.failure("look for uncommitted changes"));
        }
        if said.cut && uncommitted == Uncommitted::Include {
            let reason = "there are too many; commit them, or extend .gitignore".to_owned();
            return Err(Error::Git { what: "include uncommitted changes", reason });
        }
        Ok(said)
    }
}

/// Names that git could take for an option, a range or a search are refused before git sees them.
fn check_ref(base_ref: &str) -> Result<(), Error> {
    let strange =
        |byte: u8| byte.is_ascii_control() || byte.is_ascii_whitespace() || matches!(byte, b'\\' | b'*' | b'?' | b'[');
    let refused = base_ref.is_empty()
        || base_ref.len() > REF_BYTES_MAX
        || base_ref.starts_with(['-', ':', '^'])
        || base_ref.contains("..")
        || base_ref.contains("^!")
        || base_ref.bytes().any(strange);
    if refused { Err(Error::InvalidRef { base_ref: base_ref.chars().take(80).collect() }) } else { Ok(()) }
}

/// Opens a repository, asking git everything at once.
pub(super) async fn open(repository: &Path, base_ref: Option<&str>) -> Result<Opened, Error> {
    let given = canonical(repository)?;
    let mut folder = given.clone();
    // Somebody may point at the `.git` itself; then the work tree beside it is meant.
    for _ in 0..2 {
        let said = ask(&folder, base_ref).await?;
        let text = String::from_utf8_lossy(&said.stdout);
        let mut lines = text.lines();
        let (Some(bare), Some(inside), Some(git_dir), Some(common)) =
            (lines.next(), lines.next(), lines.next(), lines.next())
        else {
            return Err(unopened(given, &said));
        };
        let (is_bare, git_dir) = (bare == "true", PathBuf::from(git_dir));
        let objects = canonical(&folder.join(common))?.join("objects");
        if !is_bare && inside != "true" {
            match git_dir.parent() {
                Some(parent) if git_dir.ends_with(".git") && parent != folder => folder = parent.to_owned(),
                _ => break,
            }
            continue;
        }
        let top = if is_bare { git_dir.clone() } else { folder.join(lines.next().unwrap_or_default()) };
        let mut object = || lines.next().filter(|name| is_object(name)).map(str::to_owned);
        let (base, head) = (object(), object());
        let branch = lines.next().filter(|name| name.starts_with("refs/heads/")).map(str::to_owned);
        return Ok(Opened { top: canonical(&top)?, git_dir, objects, is_bare, base, head, branch });
    }
    Err(Error::NotARepository { path: given })
}

async fn ask(folder: &Path, base_ref: Option<&str>) -> Result<Said, Error> {
    let commit = format!("{}^{{commit}}", base_ref.unwrap_or("HEAD"));
    let git = Git::users(folder, "open the repository").args([
        "rev-parse",
        "--is-bare-repository",
        "--is-inside-work-tree",
        "--absolute-git-dir",
        "--git-common-dir",
        "--show-cdup",
    ]);
    git.args([commit.as_str(), "HEAD^{commit}", "--symbolic-full-name", "HEAD"]).said().await
}

fn canonical(path: &Path) -> Result<PathBuf, Error> {
    let canonical = path.canonicalize().map_err(|_| Error::PathMissing { path: path.to_owned() })?;
    match canonical.to_str() {
        Some(text) if !text.contains(['\n', '\r']) => {}
        _ => return Err(Error::PathUnsupported { path: canonical }),
    }
    if canonical.is_dir() { Ok(canonical) } else { Err(Error::NotARepository { path: canonical }) }
}

fn unopened(path: PathBuf, said: &Said) -> Error {
    if said.stderr.contains("dubious ownership") {
        Error::NotOwned { path }
    } else if said.stderr.contains("not a git repository") {
        Error::NotARepository { path }
    } else {
        said.failure("open the repository")
    }
}

/// Why there is no such commit, with names that look like the one given.
async fn missing(opened: &Opened, base_ref: Option<&str>) -> Error {
    let path = opened.top.clone();
    let git = Git::users(&path, "list branches and tags");
    let git = git.args(["for-each-ref", "--format=%(refname:short)", &format!("--count={NAMES_LOOKED_AT_MAX}")]);
    let printed = match git.args(["refs/heads", "refs/tags", "refs/remotes"]).output().await {
        Ok(printed) => printed,
        Err(error) => return error,
    };
    let printed = String::from_utf8_lossy(&printed);
    let names: Vec<&str> = printed.lines().collect();
    match base_ref {
        _ if names.is_empty() && opened.head.is_none() => Error::NoCommits { path },
        None => Error::BaseMissing { path, base_ref: "HEAD".to_owned(), near: near("main", &names) },
        Some(base_ref) => Error::BaseMissing { path, base_ref: base_ref.to_owned(), near: near(base_ref, &names) },
    }
}

fn near(wanted: &str, names: &[&str]) -> Vec<String> {
    let wanted = wanted.to_lowercase();
    let likeness = |name: &str| {
        let name = name.to_lowercase();
        let last = name.rsplit('/').next().unwrap_or_default().to_owned();
        strsim::jaro_winkler(&wanted, &name).max(strsim::jaro_winkler(&wanted, &last))
    };
    let mut near: Vec<(f64, &str)> = names.iter().map(|name| (likeness(name), *name)).collect();
    near.retain(|(likeness, _)| *likeness >= NEAR_ENOUGH);
    near.sort_by(|(a, _), (b, _)| b.total_cmp(a));
    near.into_iter().take(NEAR_NAMES_MAX).map(|(_, name)| name.to_owned()).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_git_could_take_for_something_else_are_refused() {
        for base_ref in
            ["", "-h", "--output=x", ":/text", "^main", "a..b", "main^!", "a b", "a\nb", "a*", &"x".repeat(256)]
        {
            assert!(check_ref(base_ref).is_err(), "{base_ref:?}");
        }
        for base_ref in ["main", "origin/main", "v1.0", "HEAD~2", "main@{1}", "0123abc", "größe"] {
            assert!(check_ref(base_ref).is_ok(), "{base_ref:?}");
        }
    }

    #[test]
    fn the_nearest_names_are_suggested_best_first() {
        let names = ["main", "develop", "origin/main", "release-1"];
        assert_eq!(near("mian", &names), ["main", "origin/main"]);
        assert_eq!(near("Develop", &names), ["develop"]);
        assert!(near("zzz", &names).is_empty());
    }
}
