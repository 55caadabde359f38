//! What an honest attempt changed, and that it comes home exactly.

use std::os::unix::fs::symlink;

use super::*;

/// Lets an agent change a copy, collects, delivers, and checks that the branch holds what the agent left.
async fn check(world: &World, agent: impl FnOnce(&Workspace), expected: &[&str]) -> Collected {
    let workspace = world.workspace("attempt").await;
    agent(&workspace);
    let left = tree_at(&workspace.path);
    let collected = workspace.collect();
    assert_eq!(collected.paths(), expected);
    assert_eq!(collected.stat.files as usize, expected.len());
    if !expected.is_empty() {
        assert_eq!(world.delivered(&workspace, &collected).await, left);
    }
    collected
}

#[tokio::test]
async fn nothing_changed_is_an_empty_patch() {
    let collected = check(&World::small(), |_| {}, &[]).await;
    assert!(collected.patch.is_empty());
}

#[tokio::test]
async fn changed_new_and_removed_files_are_collected() {
    let agent = |workspace: &Workspace| {
        workspace.write("src/lib.txt", b"one\n2\nthree\nfour\n");
        workspace.write("src/new.txt", b"new\n");
        fs::remove_file(workspace.path.join("README.md")).expect("removes");
    };
    let collected = check(&World::small(), agent, &["README.md", "src/lib.txt", "src/new.txt"]).await;
    assert_eq!(collected.stat, DiffStat { files: 3, added: 3, removed: 2 });
}

#[tokio::test]
async fn binary_files_empty_files_and_missing_last_line_ends_are_collected() {
    let world = World::small();
    world.write("image.png", b"\x89PNG\0\0old\xff");
    world.write("empty", b"");
    world.commit("binary");
    let agent = |workspace: &Workspace| {
        workspace.write("image.png", b"\x89PNG\0\0\0new\xfe");
        workspace.write("new.bin", &(0..=255).cycle().take(100_000).collect::<Vec<u8>>());
        workspace.write("new-empty", b"");
        workspace.write("empty", b"no line end");
        workspace.write("crlf.txt", b"a\r\nb\r\n");
    };
    let collected = check(&world, agent, &["crlf.txt", "empty", "image.png", "new-empty", "new.bin"]).await;
    let binary: Vec<_> = collected.files.iter().filter(|file| file.added.is_none()).map(|file| &file.path).collect();
    assert_eq!(binary, ["image.png", "new.bin"]);
}

#[tokio::test]
async fn modes_and_symbolic_links_are_collected() {
    let world = World::small();
    symlink("README.md", world.user().join("link")).expect("link");
    world.write("tool.sh", b"#!/bin/sh\n");
    world.commit("link");
    let agent = |workspace: &Workspace| {
        make_executable(&workspace.path.join("tool.sh"));
        fs::remove_file(workspace.path.join("link")).expect("removes");
        symlink("/etc/passwd", workspace.path.join("link")).expect("link");
        symlink("nowhere", workspace.path.join("dangling")).expect("link");
        fs::remove_file(workspace.path.join("README.md")).expect("removes");
        symlink("tool.sh", workspace.path.join("README.md")).expect("link");
    };
    check(&world, agent, &["README.md", "dangling", "link", "tool.sh"]).await;
}

#[tokio::test]
async fn files_folders_and_links_may_take_each_others_place() {
    let world = World::small();
    world.write("file", b"file\n");
    world.write("folder/a", b"a\n");
    world.write("folder/b", b"b\n");
    world.write("linked/a", b"a\n");
    world.commit("more");
    let agent = |workspace: &Workspace| {
        fs::remove_file(workspace.path.join("file")).expect("removes");
        workspace.write("file/inside", b"inside\n");
        fs::remove_dir_all(workspace.path.join("folder")).expect("removes");
        workspace.write("folder", b"now a file\n");
        fs::remove_dir_all(workspace.path.join("linked")).expect("removes");
        symlink("src", workspace.path.join("linked")).expect("link");
    };
    check(&world, agent, &["file", "file/inside", "folder", "folder/a", "folder/b", "linked", "linked/a"]).await;
}

#[tokio::test]
async fn any_bytes_may_stand_in_a_name() {
    let agent = |workspace: &Workspace| {
        for name in
            [&b"new\nline"[..], b"not\xffutf8", b" space ", b"-dash", b"quote\"d", b"tab\t", b"a/\nb", b"*", b":(top)"]
        {
            write(&workspace.path, OsStr::from_bytes(name), b"x\n");
        }
    };
    let expected = [" space ", "*", "-dash", ":(top)", "a/\nb", "new\nline", "not\u{fffd}utf8", "quote\"d", "tab\t"];
    check(&World::small(), agent, &expected).await;
}

#[tokio::test]
async fn ignored_files_stay_behind_and_tracked_ones_do_not() {
    let world = World::small();
    world.write(".gitignore", b"*.log\ntarget/\n");
    world.write("kept.log", b"tracked although ignored\n");
    git(&world.user(), &["add", "-f", "kept.log"]);
    world.commit("ignore");
    let workspace = world.workspace("attempt").await;
    workspace.write("kept.log", b"changed\n");
    workspace.write("noise.log", b"noise\n");
    workspace.write("target/big", b"big\n");
    workspace.write("src/more.txt", b"more\n");
    assert_eq!(workspace.collect().paths(), ["kept.log", "src/more.txt"]);
}

#[tokio::test]
async fn an_agents_own_commits_branches_and_stash_do_not_matter() {
    let agent = |workspace: &Workspace| {
        workspace.agent("git", &["checkout", "-q", "-b", "mine"]);
        workspace.write("committed.txt", b"committed\n");
        workspace.agent("git", &["add", "-A"]);
        workspace.agent("git", &["commit", "-q", "-m", "mine"]);
        workspace.write("staged.txt", b"staged\n");
        workspace.agent("git", &["add", "-A"]);
        workspace.write("loose.txt", b"loose\n");
    };
    check(&World::small(), agent, &["committed.txt", "loose.txt", "staged.txt"]).await;
}

#[tokio::test]
async fn line_ends_that_attributes_ask_for_are_no_changes() {
    let world = World::small();
    world.write(".gitattributes", b"*.bat text eol=crlf\n");
    world.write("run.bat", b"one\r\ntwo\r\n");
    world.commit("crlf");
    let workspace = world.workspace("attempt").await;
    assert_eq!(fs::read(workspace.path.join("run.bat")).expect("reads"), b"one\r\ntwo\r\n");
    assert_eq!(workspace.collect().paths(), [""; 0]);
}

#[tokio::test]
async fn submodules_stay_as_they_are_in_the_base() {
    let world = World::small();
    git(&world.user(), &["-c", "protocol.file.allow=always", "submodule", "add", "-q", "./.git", "sub"]);
    world.commit("submodule");
    let workspace = world.workspace("attempt").await;
    workspace.write("sub/file.txt", b"inside\n");
    workspace.write("README.md", b"# changed\n");
    let collected = workspace.collect();
    assert_eq!(collected.paths(), ["README.md"]);
    let delivered = world.delivered(&workspace, &collected).await;
    assert_eq!(delivered.get(&b"sub"[..]), tree_of(&world.user(), "main").get(&b"sub"[..]));
}
