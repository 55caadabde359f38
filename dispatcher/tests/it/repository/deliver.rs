//! The winner comes home as a branch, and nothing else moves.

use super::*;

const BRANCH: &str = "regatta/0000000a/a";

/// A patch that changes `src/lib.txt` of the small repository.
const PATCH: &[u8] =
    b"diff --git a/src/lib.txt b/src/lib.txt\n--- a/src/lib.txt\n+++ b/src/lib.txt\n@@ -1,3 +1,3 @@\n one\n-two\n+2\n three\n";

async fn deliver(world: &World, repository: &Path, patch: &[u8]) -> Result<String, Error> {
    let mirror = world.repositories.mirror(repository);
    let base_commit = world.rev("main");
    mirror.ensure(&base_commit, run()).await?;
    mirror.deliver(Delivery { base_commit: &base_commit, patch, branch: BRANCH, message: "fix", at_ms: AT_MS }).await
}

/// What was there before is there still, to the byte and the second; what is new lies among objects and branches.
fn check_untouched(before: &BTreeMap<PathBuf, Found>, git_dir: &Path, top: &Path) {
    let after = fingerprint(top);
    let is_ours = |path: &Path| {
        let name = path.strip_prefix(git_dir).unwrap_or(Path::new(""));
        name.starts_with("objects") || name.starts_with("refs/heads") || name.starts_with("logs/refs/heads")
    };
    for (path, found) in before.iter().filter(|(path, found)| !(is_ours(path) && found.mode & 0o040_000 != 0)) {
        assert_eq!(after.get(path), Some(found), "{path:?}");
    }
    for path in after.keys().filter(|path| !before.contains_key(*path)) {
        assert!(is_ours(path), "{path:?} is new");
    }
}

#[tokio::test]
async fn a_dirty_work_tree_index_and_head_are_untouched() {
    let world = World::small();
    world.write("src/lib.txt", b"dirty\n");
    world.write("staged.txt", b"staged\n");
    git(&world.user(), &["add", "staged.txt"]);
    world.write("untracked.txt", b"untracked\n");
    let before = fingerprint(&world.user());
    let commit = deliver(&world, &world.user(), PATCH).await.expect("delivers");
    check_untouched(&before, &world.user().join(".git"), &world.user());
    assert_eq!(world.rev(BRANCH), commit);
    assert_eq!(world.rev(&format!("{BRANCH}~1")), world.rev("main"));
    assert_eq!(tree_of(&world.user(), BRANCH)[&b"src/lib.txt"[..]].1, b"one\n2\nthree\n");
    assert_eq!(
        git(&world.user(), &["log", "-1", "--format=%an <%ae> %at %s", BRANCH]),
        "Regatta <regatta@localhost> 1700000000 fix"
    );
    git(&world.user(), &["fsck", "--full", "--strict"]);
}

#[tokio::test]
async fn a_bare_repository_gets_the_branch_too() {
    let world = World::small();
    let bare = world.folder.path().canonicalize().expect("path").join("bare.git");
    git(&world.user(), &["clone", "-q", "--bare", ".", bare.to_str().expect("utf-8")]);
    let before = fingerprint(&bare);
    let commit = deliver(&world, &bare, PATCH).await.expect("delivers");
    check_untouched(&before, &bare, &bare);
    assert_eq!(git(&bare, &["rev-parse", BRANCH]), commit);
}

#[tokio::test]
async fn delivering_again_does_nothing() {
    let world = World::small();
    let commit = deliver(&world, &world.user(), PATCH).await.expect("delivers");
    git(&world.user(), &["checkout", "-q", BRANCH]);
    let before = fingerprint(&world.user());
    assert_eq!(deliver(&world, &world.user(), PATCH).await.expect("delivers again"), commit);
    check_same(&before, &world.user());
}

#[tokio::test]
async fn a_branch_that_points_elsewhere_is_never_moved() {
    let world = World::small();
    git(&world.user(), &["branch", BRANCH]);
    let before = fingerprint(&world.user());
    let error = deliver(&world, &world.user(), PATCH).await.expect_err("refused");
    assert!(error.to_string().contains("already exists and points to"), "{error}");
    check_same(&before, &world.user());
}

#[tokio::test]
async fn a_branch_somebody_stands_on_without_a_commit_is_not_made() {
    let world = World::small();
    git(&world.user(), &["checkout", "-q", "--orphan", BRANCH]);
    let error = deliver(&world, &world.user(), PATCH).await.expect_err("refused");
    assert!(matches!(error, Error::BranchCheckedOut { .. }), "{error}");
}

#[tokio::test]
async fn a_branch_in_the_way_is_said_with_gits_words() {
    let world = World::small();
    git(&world.user(), &["branch", "regatta"]);
    let error = deliver(&world, &world.user(), PATCH).await.expect_err("refused");
    assert!(
        matches!(error, Error::BranchRefused { .. }) && error.to_string().contains("refs/heads/regatta"),
        "{error}"
    );
}

#[tokio::test]
async fn a_repository_that_moved_or_is_one_no_more_is_said() {
    let world = World::small();
    let mirror = world.mirror();
    let base_commit = world.rev("main");
    mirror.ensure(&base_commit, run()).await.expect("ensures");
    let delivery = Delivery { base_commit: &base_commit, patch: PATCH, branch: BRANCH, message: "fix", at_ms: AT_MS };
    fs::rename(world.user().join(".git"), world.folder.path().join("elsewhere")).expect("moves");
    assert!(matches!(mirror.deliver(delivery).await, Err(Error::RepositoryGone { .. })));
    fs::remove_dir_all(world.user()).expect("removes");
    let error = mirror.deliver(delivery).await.expect_err("refused");
    assert!(error.to_string().contains("is gone"), "{error}");
    assert!(!error.is_transient());
}

#[tokio::test]
async fn a_patch_that_is_empty_broken_or_reaches_out_is_refused() {
    let world = World::small();
    assert!(matches!(deliver(&world, &world.user(), b"").await, Err(Error::PatchEmpty)));
    let reaching = |path: &str| {
        format!("diff --git a/{path} b/{path}\nnew file mode 100644\n--- /dev/null\n+++ b/{path}\n@@ -0,0 +1 @@\n+x\n")
    };
    let stale = String::from_utf8_lossy(PATCH).replace("-two", "-zwei");
    for patch in ["garbage".to_owned(), stale, reaching("../escape"), reaching(".git/hooks/pre-commit")] {
        let error = deliver(&world, &world.user(), patch.as_bytes()).await.expect_err("refused");
        assert!(matches!(error, Error::PatchRefused { .. }), "{patch}: {error}");
    }
    assert_eq!(git(&world.user(), &["branch", "--list"]), "* main");
}

#[tokio::test]
async fn a_submodule_that_would_run_a_command_is_not_brought_home() {
    let world = World::small();
    let patch = "diff --git a/.gitmodules b/.gitmodules\nnew file mode 100644\n--- /dev/null\n+++ b/.gitmodules\n@@ -0,0 +1,3 @@\n\
                 +[submodule \"a\"]\n+\tpath = a\n+\turl = -u./payload\n";
    let error = deliver(&world, &world.user(), patch.as_bytes()).await.expect_err("refused");
    assert!(error.to_string().contains("gitmodules"), "{error}");
    assert_eq!(git(&world.user(), &["branch", "--list"]), "* main");
}
