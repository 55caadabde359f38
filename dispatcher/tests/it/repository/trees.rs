//! Two attempts' results compared as trees, one file as an attempt left it, and what a merge would come to.

use regatta_dispatcher::compose::{self, Choice};
use regatta_dispatcher::repository::{Changed, How, Merge};
use regatta_dispatcher::source_control::SourceControl;

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
    assert_eq!(missing.hint().as_deref(), Some("did you mean main?"));
}

/// What attempt `name` changed, with `change` made in its work tree.
async fn attempt(world: &World, name: &str, change: impl FnOnce(&Workspace)) -> Vec<u8> {
    let workspace = world.workspace(name).await;
    change(&workspace);
    workspace.collect().patch
}

#[tokio::test]
#[expect(clippy::too_many_lines, reason = "every kind of file in one tree")]
async fn hunks_of_several_attempts_make_one_tree() {
    let world = World::new();
    let lines = |change: &dyn Fn(u32) -> String| (1..=30).map(|n| change(n) + "\n").collect::<String>();
    world.write("numbers", lines(&|n| n.to_string()).as_bytes());
    world.write("crlf end", b"one\r\ntwo\r\nthree");
    world.write("gone", b"gone\n");
    world.write("bytes", &[0, 1, 2, 255]);
    world.write("run.sh", b"echo\n");
    world.commit("base");
    let one = attempt(&world, "one", |tree| {
        tree.write(
            "numbers",
            lines(&|n| if n == 2 || n == 20 { format!("one {n}") } else { n.to_string() }).as_bytes(),
        );
        tree.write("crlf end", b"one\r\ntwo\r\nTHREE");
        tree.write("new \"file\"", b"new");
        fs::remove_file(tree.path.join("gone")).expect("removed");
    })
    .await;
    let two = attempt(&world, "two", |tree| {
        let inserted = |n: u32| if n == 5 { "5\ntwo inserted".to_owned() } else { n.to_string() };
        tree.write("numbers", (lines(&inserted) + "two at the end").as_bytes());
        tree.write("crlf end", b"ONE\r\ntwo\r\nthree");
        tree.write("bytes", &[9, 0, 9]);
        make_executable(&tree.path.join("run.sh"));
    })
    .await;
    let slot = |letter: &str| letter.parse().expect("slot");
    let patches = BTreeMap::from([
        (slot("a"), compose::read(&one).expect("a patch")),
        (slot("b"), compose::read(&two).expect("a patch")),
    ]);
    let take = |letter: &str, path: &str, hunk: Option<u32>| Choice {
        slot: slot(letter),
        path: path.into(),
        hunk,
        hash: None,
    };
    let chosen = [
        take("a", "numbers", Some(2)),
        take("b", "numbers", Some(1)),
        take("b", "numbers", Some(2)),
        take("a", "crlf end", Some(1)),
        take("b", "crlf end", None),
        take("a", "new \"file\"", None),
        take("a", "gone", None),
        take("b", "bytes", None),
        take("b", "run.sh", None),
    ];
    let composed = compose::compose(&patches, &chosen).expect("composes");
    let (repository, base) = (world.user().to_string_lossy().into_owned(), world.rev("main"));
    let written =
        SourceControl::compose(&world.repositories, &repository, &base, composed.patch).await.expect("applies");
    assert_eq!(written.stat, DiffStat { files: 6, added: 6, removed: 4 });
    let workspace = world.workspace("three").await;
    let collected = Collected { patch: written.patch, stat: written.stat, files: vec![] };
    let tree = world.delivered(&workspace, &collected).await;
    let content = |path: &str| String::from_utf8_lossy(&tree[path.as_bytes()].1).into_owned();
    let expected = lines(&|n| match n {
        5 => "5\ntwo inserted".to_owned(),
        20 => "one 20".to_owned(),
        _ => n.to_string(),
    });
    assert_eq!(content("numbers"), expected + "two at the end");
    assert_eq!(content("crlf end"), "ONE\r\ntwo\r\nTHREE");
    assert_eq!(content("new \"file\""), "new");
    assert_eq!(tree[&b"bytes"[..]].1, [9, 0, 9]);
    assert_eq!(tree[&b"run.sh"[..]].0, 0o100_755);
    assert!(!tree.contains_key(&b"gone"[..]));
}
