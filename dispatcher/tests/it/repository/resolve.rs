//! Where a run starts from, and every clear "no" on the way.

use super::*;

/// Resolves, and checks what is said when it is refused.
async fn refused(world: &World, base_ref: Option<&str>, uncommitted: Uncommitted, says: &[&str]) {
    let error = world.resolve(base_ref, uncommitted).await.expect_err("refused");
    let told = format!("{error}\n{}", error.hint().unwrap_or_default());
    for says in says {
        assert!(told.contains(says), "{told:?} should say {says:?}");
    }
}

#[tokio::test]
async fn a_clean_repository_starts_from_its_branch() {
    let world = World::small();
    let base = world.resolve(None, Uncommitted::Refuse).await.expect("resolves");
    let expected = Base {
        repository: world.user(),
        base_ref: "main".to_owned(),
        base_commit: world.rev("HEAD"),
        uncommitted_included: 0,
    };
    assert_eq!(base, expected);
}

#[tokio::test]
async fn a_folder_inside_the_git_folder_and_a_link_to_it_all_mean_the_repository() {
    let world = World::small();
    let link = world.folder.path().join("link");
    std::os::unix::fs::symlink(world.user(), &link).expect("link");
    for given in [world.user().join("src"), world.user().join(".git"), link] {
        let base = world.repositories.resolve(&given, None, Uncommitted::Refuse, AT_MS).await.expect("resolves");
        assert_eq!(base.repository, world.user(), "{given:?}");
    }
}

#[tokio::test]
async fn branches_tags_and_commits_are_found() {
    let world = World::small();
    let (first, short) = (world.rev("HEAD"), git(&world.user(), &["rev-parse", "--short=10", "HEAD"]));
    git(&world.user(), &["tag", "-a", "v1", "-m", "one"]);
    git(&world.user(), &["branch", "topic/a"]);
    world.write("README.md", b"# later\n");
    world.commit("second");
    for base_ref in ["v1", "topic/a", "HEAD~1", first.as_str(), short.as_str()] {
        let base = world.resolve(Some(base_ref), Uncommitted::Refuse).await.expect("resolves");
        assert_eq!((base.base_ref.as_str(), base.base_commit), (base_ref, first.clone()));
    }
}

#[tokio::test]
async fn a_detached_head_is_named_by_its_commit() {
    let world = World::small();
    git(&world.user(), &["checkout", "-q", "--detach"]);
    let base = world.resolve(None, Uncommitted::Refuse).await.expect("resolves");
    assert_eq!(base.base_ref, world.rev("HEAD"));
}

#[tokio::test]
async fn a_linked_work_tree_is_a_repository_of_its_own() {
    let world = World::small();
    let linked = world.folder.path().canonicalize().expect("path").join("linked");
    git(&world.user(), &["worktree", "add", "-q", "-b", "side", linked.to_str().expect("utf-8")]);
    write(&linked, "new.txt", b"new\n");
    let base = world.repositories.resolve(&linked, None, Uncommitted::Include, AT_MS).await.expect("resolves");
    assert_eq!((base.repository, base.base_ref.as_str(), base.uncommitted_included), (linked, "side", 1));
}

#[tokio::test]
async fn a_bare_repository_has_nothing_uncommitted() {
    let world = World::small();
    let bare = world.folder.path().canonicalize().expect("path").join("bare.git");
    git(&world.user(), &["clone", "-q", "--bare", ".", bare.to_str().expect("utf-8")]);
    for uncommitted in [Uncommitted::Refuse, Uncommitted::Ignore, Uncommitted::Include] {
        let base = world.repositories.resolve(&bare, None, uncommitted, AT_MS).await.expect("resolves");
        assert_eq!((base.repository, base.base_ref.as_str()), (bare.clone(), "main"));
    }
}

#[tokio::test]
async fn a_bare_repository_whose_head_points_nowhere_starts_from_a_named_branch() {
    let world = World::small();
    let bare = world.folder.path().canonicalize().expect("path").join("bare.git");
    git(&world.user(), &["clone", "-q", "--bare", ".", bare.to_str().expect("utf-8")]);
    git(&bare, &["symbolic-ref", "HEAD", "refs/heads/trunk"]);
    let base = world.repositories.resolve(&bare, Some("main"), Uncommitted::Refuse, AT_MS).await.expect("resolves");
    assert_eq!(base.base_commit, world.rev("main"));
    let error = world.repositories.resolve(&bare, None, Uncommitted::Refuse, AT_MS).await.expect_err("refused");
    assert_eq!(error.hint().as_deref(), Some("did you mean main?"));
}

#[tokio::test]
async fn what_is_no_repository_is_said() {
    let world = World::small();
    let elsewhere = world.folder.path().canonicalize().expect("path");
    write(&elsewhere, "plain/file", b"x");
    for (name, says) in [("plain", "is not a git repository"), ("plain/file", "is not a git"), ("no", "does not exist")]
    {
        let given = elsewhere.join(name);
        let error = world.repositories.resolve(&given, None, Uncommitted::Refuse, AT_MS).await.expect_err("refused");
        assert!(error.to_string().contains(says) && error.to_string().contains(name), "{error}");
    }
}

#[tokio::test]
async fn a_path_that_cannot_be_an_event_is_said() {
    let world = World::small();
    for name in [OsStr::new("new\nline"), OsStr::from_bytes(b"not\xffutf8")] {
        let given = world.folder.path().join(name);
        fs::rename(world.user(), &given).expect("moves");
        let refused = world.repositories.resolve(&given, None, Uncommitted::Refuse, AT_MS).await;
        assert!(matches!(refused, Err(Error::PathUnsupported { .. })), "{refused:?}");
        fs::rename(&given, world.user()).expect("moves back");
    }
}

#[tokio::test]
async fn no_commits_yet_is_said() {
    let world = World::new();
    world.write("README.md", b"# small\n");
    refused(&world, None, Uncommitted::Include, &["has no commits yet", "commit something first"]).await;
}

#[tokio::test]
async fn a_base_that_does_not_exist_is_said_with_names_like_it() {
    let world = World::small();
    git(&world.user(), &["branch", "develop"]);
    refused(&world, Some("mian"), Uncommitted::Refuse, &["no commit \"mian\"", "did you mean main?"]).await;
    refused(&world, Some("qqqq"), Uncommitted::Refuse, &["no commit \"qqqq\"", "git branch -a"]).await;
    // A file of that name is no commit.
    refused(&world, Some("README.md"), Uncommitted::Refuse, &["no commit \"README.md\""]).await;
    refused(&world, Some("HEAD:src"), Uncommitted::Refuse, &["no commit"]).await;
    refused(&world, Some("--help"), Uncommitted::Refuse, &["cannot be a base"]).await;
}

#[tokio::test]
async fn a_dirty_tree_is_refused_with_a_number_a_few_names_and_the_way_out() {
    let world = World::small();
    world.write("src/lib.txt", b"changed\n");
    refused(
        &world,
        None,
        Uncommitted::Refuse,
        &["1 uncommitted change:", "src/lib.txt", "--uncommitted include|ignore"],
    )
    .await;
    for n in 0..10 {
        world.write(&format!("new-{n}.txt"), b"new\n");
    }
    refused(&world, None, Uncommitted::Refuse, &["11 uncommitted changes", "new-0.txt", "and 6 more"]).await;
    let base = world.resolve(None, Uncommitted::Ignore).await.expect("resolves");
    assert_eq!(base.base_commit, world.rev("HEAD"));
}

#[tokio::test]
async fn ignored_files_are_no_changes() {
    let world = World::small();
    world.write(".gitignore", b"target\n");
    world.commit("ignore");
    world.write("target/big", b"x");
    assert_eq!(world.resolve(None, Uncommitted::Include).await.expect("resolves").base_commit, world.rev("HEAD"));
}

#[tokio::test]
async fn another_base_than_what_is_checked_out_does_not_care_about_uncommitted_changes() {
    let world = World::small();
    let first = world.rev("HEAD");
    world.write("README.md", b"# later\n");
    world.commit("second");
    world.write("README.md", b"# dirty\n");
    let base = world.resolve(Some(&first), Uncommitted::Refuse).await.expect("resolves");
    assert_eq!(base.base_commit, first);
    refused(&world, Some(&first), Uncommitted::Include, &["leave out the base"]).await;
}

#[tokio::test]
async fn uncommitted_changes_are_included_and_the_repository_is_not_touched() {
    let world = World::small();
    world.write("gone.txt", b"gone\n");
    world.write("folder/in.txt", b"in\n");
    world.write("staged.txt", b"old\n");
    world.commit("more");
    world.write("src/lib.txt", b"one\ntwo!\nthree\n");
    world.write("new folder/\u{fc}n\nicode", b"\0binary\xff");
    world.write("staged.txt", b"staged and nowhere else\n");
    git(&world.user(), &["add", "staged.txt"]);
    fs::remove_file(world.user().join("gone.txt")).expect("removes");
    fs::remove_dir_all(world.user().join("folder")).expect("removes");
    std::os::unix::fs::symlink("src", world.user().join("folder")).expect("link");
    make_executable(&world.user().join("README.md"));
    git(&world.user(), &["init", "-q", "inner"]);
    let before = fingerprint(&world.user());

    let base = world.resolve(None, Uncommitted::Include).await.expect("resolves");
    assert_eq!(base.uncommitted_included, 7);
    let again = world.resolve(None, Uncommitted::Include).await.expect("resolves again");
    assert_eq!(base, again, "the same changes at the same time are the same commit");
    let workspace = world.workspace_of("attempt", &base.base_commit).await;

    check_same(&before, &world.user());
    assert_eq!(tree_at(&workspace.path), tree_at(&world.user()));
    assert_eq!(git(&workspace.path, &["rev-parse", "HEAD~1"]), world.rev("HEAD"));
    assert_eq!(
        git(&workspace.path, &["log", "-1", "--format=%an <%ae> %at"]),
        "Regatta <regatta@localhost> 1700000000"
    );
    git(&workspace.path, &["fsck", "--full", "--strict"]);
}

#[tokio::test]
async fn a_conflict_is_included_as_it_lies_in_the_work_tree() {
    let world = World::small();
    git(&world.user(), &["checkout", "-q", "-b", "other"]);
    world.write("README.md", b"# theirs\n");
    world.commit("theirs");
    git(&world.user(), &["checkout", "-q", "main"]);
    world.write("README.md", b"# ours\n");
    world.commit("ours");
    let merge = command("git").current_dir(world.user()).args(["merge", "-q", "other"]).output().expect("runs");
    assert!(!merge.status.success(), "there is a conflict");
    let before = fingerprint(&world.user());
    let base = world.resolve(None, Uncommitted::Include).await.expect("resolves");
    let workspace = world.workspace_of("attempt", &base.base_commit).await;
    assert!(fs::read_to_string(workspace.path.join("README.md")).expect("reads").contains("<<<<<<<"));
    check_same(&before, &world.user());
}

#[tokio::test]
async fn a_change_in_the_same_second_with_the_same_size_is_still_included() {
    let world = World::small();
    world.write("src/lib.txt", b"one\nTWO\nthree\n");
    let base = world.resolve(None, Uncommitted::Include).await.expect("resolves");
    let workspace = world.workspace_of("attempt", &base.base_commit).await;
    assert_eq!(fs::read(workspace.path.join("src/lib.txt")).expect("reads"), b"one\nTWO\nthree\n");
}

#[tokio::test]
async fn hooks_and_monitors_of_the_repository_do_not_run() {
    let world = World::small();
    let canary = world.folder.path().join("canary");
    let program = world.folder.path().join("program");
    fs::write(&program, format!("#!/bin/sh\ntouch {}\n", canary.display())).expect("writes");
    make_executable(&program);
    git(&world.user(), &["config", "core.fsmonitor", program.to_str().expect("utf-8")]);
    for hook in ["post-index-change", "reference-transaction", "pre-commit", "post-checkout", "post-update"] {
        fs::copy(&program, world.user().join(".git/hooks").join(hook)).expect("hook");
    }
    world.write("new.txt", b"new\n");
    let base = world.resolve(None, Uncommitted::Include).await.expect("resolves");
    let workspace = world.workspace_of("attempt", &base.base_commit).await;
    workspace.write("fix.txt", b"fix\n");
    let collected = workspace.collect();
    world.delivered(&workspace, &collected).await;
    assert!(!canary.exists());
}
