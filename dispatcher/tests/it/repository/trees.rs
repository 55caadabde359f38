//! Two attempts' results compared as trees, one file as an attempt left it, and what a merge would come to.

use regatta_dispatcher::repository::{Changed, How, Merge};

use super::*;

const A: &[u8] =
    b"diff --git a/src/lib.txt b/src/lib.txt\n--- a/src/lib.txt\n+++ b/src/lib.txt\n@@ -1,3 +1,3 @@\n one\n-two\n+2\n three\n";
const B: &[u8] =
    b"diff --git a/src/lib.txt b/src/lib.txt\n--- a/src/lib.txt\n+++ b/src/lib.txt\n@@ -1,3 +1,3 @@\n one\n-two\n+zwei\n three\n\
      diff --git a/new.txt b/new.txt\nnew file mode 100755\n--- /dev/null\n+++ b/new.txt\n@@ -0,0 +1 @@\n+new\n\
      diff --git a/link b/link\nnew file mode 120000\n--- /dev/null\n+++ b/link\n@@ -0,0 +1 @@\n+/etc/passwd\n\\ No newline at end of file\n";

async fn trees(world: &World) -> (Mirror, String, String) {
    let mirror = world.mirror();
    let base = world.rev("main");
    let a = mirror.tree(&base, A).await.expect("a");
    let b = mirror.tree(&base, B).await.expect("b");
    (mirror, a, b)
}

#[tokio::test]
async fn two_results_are_compared_without_the_base_between_them() {
    let world = World::small();
    let (mirror, a, b) = trees(&world).await;
    let diff = String::from_utf8(mirror.diff(&a, &b).await.expect("compares")).expect("text");
    assert!(diff.contains("\n one\n-2\n+zwei\n three\n"), "{diff}");
    assert!(!diff.contains("-two"), "{diff}");
    assert_eq!(mirror.diff(&a, &a).await.expect("compares"), b"");
    assert_eq!(mirror.tree(&world.rev("main"), A).await.expect("again"), a);
    assert_eq!(mirror.tree(&world.rev("main"), b"").await.expect("base"), world.rev("main^{tree}"));
}

#[tokio::test]
async fn changed_files_have_how_mode_and_lines() {
    let world = World::small();
    let (mirror, _, b) = trees(&world).await;
    let mode = |mode: &str| Some(mode.to_owned());
    let new = |path: &str, to: &str| Changed {
        path: path.to_owned(),
        how: How::Added,
        mode_before: None,
        mode: mode(to),
        added: Some(1),
        removed: Some(0),
    };
    let lib = Changed {
        path: "src/lib.txt".to_owned(),
        how: How::Modified,
        mode_before: mode("100644"),
        mode: mode("100644"),
        added: Some(1),
        removed: Some(1),
    };
    let changes = mirror.changes(&world.rev("main"), &b).await.expect("lists");
    assert_eq!(changes, [new("link", "120000"), new("new.txt", "100755"), lib]);
}

#[tokio::test]
async fn a_file_is_read_from_the_tree_and_nothing_else_is() {
    let world = World::small();
    let (mirror, _, b) = trees(&world).await;
    let read = async |path: &str| mirror.file(&b, path).await.map(|file| (file.mode, file.content));
    assert_eq!(read("new.txt").await.expect("reads"), ("100755".to_owned(), b"new\n".to_vec()));
    // A link is never followed.
    assert_eq!(read("link").await.expect("reads"), ("120000".to_owned(), b"/etc/passwd".to_vec()));
    for path in
        ["", ".", "..", "/etc/passwd", "../data", "src", "src/", "src/../README.md", "link/x", "*", "a\0b", "-l"]
    {
        assert!(matches!(read(path).await, Err(Error::FileMissing { .. })), "{path:?}");
    }
}

#[tokio::test]
async fn a_file_too_large_to_show_is_refused() {
    let world = World::small();
    world.write(
        "large",
        &vec![b'x'; usize::try_from(regatta_dispatcher::repository::FILE_BYTES_MAX).expect("fits") + 1],
    );
    let base = world.commit("large");
    let mirror = world.mirror();
    let tree = mirror.tree(&base, b"").await.expect("base");
    assert!(matches!(mirror.file(&tree, "large").await, Err(Error::TooLarge { .. })));
}

#[tokio::test]
async fn a_patch_that_does_not_fit_is_said() {
    let world = World::small();
    let patch = String::from_utf8_lossy(A).replace("-two", "-three");
    let refused = world.mirror().tree(&world.rev("main"), patch.as_bytes()).await;
    assert!(matches!(refused, Err(Error::PatchRefused { .. })), "{refused:?}");
}

#[tokio::test]
async fn a_merge_is_tried_without_touching_the_users_repository() {
    let world = World::small();
    let base = world.rev("main");
    let mirror = world.mirror();
    mirror.ensure(&base, run()).await.expect("ensures");
    world.write("src/lib.txt", b"one\nTWO\nthree\n");
    world.commit("meanwhile");
    git(&world.user(), &["checkout", "-q", "-b", "elsewhere", &base]);
    world.write("other.txt", b"x\n");
    world.commit("other");
    world.write("src/lib.txt", b"dirty\n");
    let before = fingerprint(&world.user());
    let tree = mirror.tree(&base, A).await.expect("tree");
    for (name, behind, then) in [
        ("main", 1, Merge::Conflicts(vec!["src/lib.txt".to_owned()])),
        ("elsewhere", 1, Merge::Clean),
        (base.as_str(), 0, Merge::Clean),
    ] {
        let onto = mirror.onto(&base, name).await.expect("finds");
        assert_eq!(onto.behind, behind, "{name}");
        assert_eq!(mirror.merge(&base, &tree, &onto.commit).await.expect("tries"), then, "{name}");
    }
    check_same(&before, &world.user());
    let refused = mirror.onto(&base, "--output=x").await;
    assert!(matches!(refused, Err(Error::InvalidRef { .. })), "{refused:?}");
    let missing = mirror.onto(&base, "mian").await.expect_err("no such branch");
    assert!(missing.to_string().contains("did you mean main"), "{missing}");
}
