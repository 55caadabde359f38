//! Mirrors and the work trees made from them.

use super::*;

fn list(folder: &Path) -> Vec<String> {
    let mut names: Vec<String> = fs::read_dir(folder)
        .expect("lists")
        .map(|entry| entry.expect("entry").file_name().to_string_lossy().into_owned())
        .collect();
    names.sort();
    names
}

#[tokio::test]
async fn a_copy_of_a_seed_is_clean_and_has_its_history() {
    let world = World::small();
    world.write("run.sh", b"#!/bin/sh\n");
    make_executable(&world.user().join("run.sh"));
    std::os::unix::fs::symlink("run.sh", world.user().join("link")).expect("link");
    world.commit("second");
    let workspace = world.workspace("attempt").await;
    assert_eq!(tree_at(&workspace.path), tree_at(&world.user()));
    assert_eq!(git(&workspace.path, &["status", "--porcelain"]), "");
    assert_eq!(git(&workspace.path, &["log", "--format=%s"]), "second\nfirst");
    assert_eq!(git(&workspace.path, &["branch", "--show-current"]), "regatta");
    workspace.write("fix.txt", b"fix\n");
    workspace.agent("git", &["add", "-A"]);
    workspace.agent("git", &["commit", "-q", "-m", "an agent's own commit"]);
    git(&workspace.path, &["fsck", "--full", "--strict"]);
}

#[tokio::test]
async fn no_file_of_a_copy_has_to_be_read_to_know_that_it_is_clean() {
    let world = World::small();
    let workspace = world.workspace("attempt").await;
    // Other bytes under the recorded size and time pass for unchanged: git did not look inside.
    let file = workspace.path.join("README.md");
    let modified = fs::metadata(&file).expect("exists").modified().expect("time");
    fs::write(&file, b"# SMALL\n").expect("writes");
    fs::File::options().write(true).open(&file).expect("opens").set_modified(modified).expect("time");
    assert_eq!(git(&workspace.path, &["status", "--porcelain"]), "");
    // Whereas an honest edit is seen, also within the second in which the seed was made.
    workspace.write("src/lib.txt", b"one\nTWO\nthree\n");
    assert_eq!(git(&workspace.path, &["status", "--porcelain"]), " M src/lib.txt");
}

#[tokio::test]
async fn a_seed_is_made_once_and_found_again() {
    let world = World::small();
    let commit = world.rev("HEAD");
    let mirror = world.mirror();
    mirror.ensure(&commit, run()).await.expect("ensures");
    let seed = mirror.seed(&commit).await.expect("seed");
    let before = fingerprint(&seed.path);
    // The repository may be gone by now: neither the commit nor the seed is looked for over there.
    fs::remove_dir_all(world.user()).expect("removes");
    mirror.ensure(&commit, RunId::from_bits(11)).await.expect("ensures again");
    assert_eq!(mirror.seed(&commit).await.expect("seed again"), seed);
    check_same(&before, &seed.path);
    assert_eq!(seed.read_only, [mirror.objects()]);
}

#[tokio::test]
async fn many_runs_at_once_make_one_mirror_and_one_seed() {
    let world = World::small();
    let commit = world.rev("HEAD");
    let mut tasks = tokio::task::JoinSet::new();
    for n in 0..8 {
        let (mirror, commit) = (world.repositories.mirror(&world.user()), commit.clone());
        tasks.spawn(async move {
            mirror.ensure(&commit, RunId::from_bits(n)).await?;
            mirror.seed(&commit).await
        });
    }
    while let Some(made) = tasks.join_next().await {
        made.expect("joins").expect("seed");
    }
    let data = world.folder.path().join("data");
    let mirrors = list(&data.join("repositories"));
    assert_eq!(mirrors.iter().filter(|name| name.ends_with(".git")).count(), 1, "{mirrors:?}");
    assert_eq!(list(&data.join("seeds")).len(), 2, "one seed and the boot marker");
    assert!(!mirrors.iter().any(|name| name.starts_with(".unfinished")), "{mirrors:?}");
    let refs = git(
        &data.join("repositories").join(mirrors.iter().find(|name| name.ends_with(".git")).expect("one")),
        &["for-each-ref", "refs/regatta"],
    );
    assert_eq!(refs.lines().count(), 8, "every run pins its base");
}

#[tokio::test]
async fn a_later_commit_is_fetched_and_a_base_outlives_the_repository_forgetting_it() {
    let world = World::small();
    let mirror = world.mirror();
    mirror.ensure(&world.rev("HEAD"), run()).await.expect("ensures");
    world.write("README.md", b"# doomed\n");
    let doomed = world.commit("doomed");
    mirror.ensure(&doomed, RunId::from_bits(11)).await.expect("fetches");
    git(&world.user(), &["reset", "-q", "--hard", "HEAD~1"]);
    git(&world.user(), &["reflog", "expire", "--expire=now", "--all"]);
    git(&world.user(), &["gc", "-q", "--prune=now"]);
    let workspace = world.workspace_of("attempt", &doomed).await;
    assert_eq!(fs::read(workspace.path.join("README.md")).expect("reads"), b"# doomed\n");
    git(&workspace.path, &["fsck", "--full"]);
}

#[tokio::test]
async fn a_commit_nobody_has_is_said() {
    let world = World::small();
    let nobodys = "0123456789012345678901234567890123456789";
    let error = world.mirror().ensure(nobodys, run()).await.expect_err("refused");
    assert!(matches!(&error, Error::CommitMissing { commit, .. } if commit == nobodys), "{error}");
    for strange in ["--all", "main", ""] {
        assert!(matches!(world.mirror().seed(strange).await, Err(Error::CommitMissing { .. })), "{strange:?}");
    }
    let gone = world.repositories.mirror(&world.folder.path().join("gone"));
    assert!(matches!(gone.ensure(nobodys, run()).await, Err(Error::RepositoryGone { .. })));
}

#[tokio::test]
async fn what_a_killed_server_left_half_made_is_removed_and_made_anew() {
    let world = World::small();
    let data = world.folder.path().join("data");
    for root in ["repositories", "seeds"] {
        write(&data.join(root), ".unfinished-1-0/clone/HEAD", b"half");
    }
    write(&data.join("repositories"), "0000000000000000.lock", b"");
    let repositories = Repositories::open(&data).expect("opens");
    let commit = world.rev("HEAD");
    let mirror = repositories.mirror(&world.user());
    mirror.ensure(&commit, run()).await.expect("ensures");
    mirror.seed(&commit).await.expect("seed");
    for root in ["repositories", "seeds"] {
        assert!(list(&data.join(root)).iter().all(|name| !name.starts_with(".unfinished")), "{root}");
    }
}

#[tokio::test]
async fn seeds_made_before_the_machine_last_started_are_made_anew() {
    let world = World::small();
    let workspace = world.workspace("attempt").await;
    let seeds = world.folder.path().join("data/seeds");
    let seed = world.mirror().seed(&workspace.base_commit).await.expect("seed").path;
    Repositories::open(&world.folder.path().join("data")).expect("opens");
    assert!(seed.exists(), "the machine did not start anew");
    fs::write(seeds.join(".boot"), b"another start").expect("writes");
    fs::write(seed.join("README.md"), b"").expect("damages");
    let repositories = Repositories::open(&world.folder.path().join("data")).expect("opens");
    assert!(!seed.exists());
    repositories.mirror(&world.user()).seed(&workspace.base_commit).await.expect("seed");
    assert_eq!(fs::read(seed.join("README.md")).expect("reads"), b"# small\n");
}

#[tokio::test]
async fn a_shallow_clone_works_from_base_to_branch() {
    let world = World::small();
    world.write("README.md", b"# second\n");
    world.commit("second");
    let shallow = world.folder.path().canonicalize().expect("path").join("shallow");
    let url = format!("file://{}", world.user().display());
    git(&world.user(), &["clone", "-q", "--depth=1", &url, shallow.to_str().expect("utf-8")]);
    let mirror = world.repositories.mirror(&shallow);
    let base = world.repositories.resolve(&shallow, None, Uncommitted::Refuse, AT_MS).await.expect("resolves");
    mirror.ensure(&base.base_commit, run()).await.expect("ensures");
    let seed = mirror.seed(&base.base_commit).await.expect("seed");
    assert_eq!(git(&seed.path, &["log", "--format=%s"]), "second");
    let patch = b"diff --git a/new b/new\nnew file mode 100644\n--- /dev/null\n+++ b/new\n@@ -0,0 +1 @@\n+new\n";
    let (base_commit, branch) = (base.base_commit.as_str(), "regatta/0000000a/a");
    let delivery = Delivery { base_commit, patch, branch, message: "new", at_ms: AT_MS };
    let commit = mirror.deliver(delivery).await.expect("delivers");
    assert_eq!(git(&shallow, &["rev-parse", branch]), commit);
}

#[tokio::test]
async fn a_repository_that_borrows_objects_is_copied_whole() {
    let world = World::small();
    let borrower = world.folder.path().canonicalize().expect("path").join("borrower");
    git(&world.user(), &["clone", "-q", "--shared", ".", borrower.to_str().expect("utf-8")]);
    let mirror = world.repositories.mirror(&borrower);
    mirror.ensure(&world.rev("HEAD"), run()).await.expect("ensures");
    fs::remove_dir_all(world.user()).expect("removes");
    fs::remove_dir_all(&borrower).expect("removes");
    git(mirror.objects().parent().expect("mirror"), &["fsck", "--full"]);
}

#[tokio::test]
async fn a_sha256_repository_works_from_base_to_branch() {
    let world = World::with(&["init", "-q", "-b", "main", "--object-format=sha256"]);
    world.write("README.md", b"# long names\n");
    world.commit("first");
    world.write("dirty.txt", b"dirty\n");
    let base = world.resolve(None, Uncommitted::Include).await.expect("resolves");
    assert_eq!(base.base_commit.len(), 64);
    let workspace = world.workspace_of("attempt", &base.base_commit).await;
    assert_eq!(git(&workspace.path, &["status", "--porcelain"]), "");
    workspace.write("README.md", b"# longer names\n");
    let collected = workspace.collect();
    assert_eq!(collected.paths(), ["README.md"]);
    assert_eq!(world.delivered(&workspace, &collected).await, tree_at(&workspace.path));
}
