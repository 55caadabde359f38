//! What a hostile attempt may leave behind. A canary program is planted wherever git could be made to run one; it must
//! never run, and the changes must be collected all the same.

use std::os::unix::fs::symlink;
use std::time::{Duration, SystemTime};

use regatta_dispatcher::repository::PATCH_BYTES_MAX;

use super::*;

/// A program that leaves a mark when it runs.
struct Canary {
    program: PathBuf,
    mark: PathBuf,
}

impl Canary {
    fn plant(world: &World) -> Self {
        let (program, mark) = (world.folder.path().join("program"), world.folder.path().join("canary"));
        fs::write(&program, format!("#!/bin/sh\ntouch {}\ncat\n", mark.display())).expect("writes");
        make_executable(&program);
        Self { program, mark }
    }

    /// Every configuration key and attribute by which git runs a program.
    fn config(&self) -> String {
        let program = self.program.display();
        format!(
            "[core]\n\tfsmonitor = {program}\n\thooksPath = {hooks}\n\tsshCommand = {program}\n\tpager = {program}\n\teditor = {program}\n\
             \talternateRefsCommand = {program}\n\
             [diff]\n\texternal = {program}\n[diff \"evil\"]\n\tcommand = {program}\n\ttextconv = {program}\n\
             [filter \"evil\"]\n\tclean = {program}\n\tsmudge = {program}\n\tprocess = {program}\n\trequired = true\n\
             [merge \"evil\"]\n\tdriver = {program}\n[submodule]\n\trecurse = true\n[status]\n\tsubmoduleSummary = true\n\
             [uploadpack]\n\tpackObjectsHook = {program}\n[alias]\n\tread-tree = !{program}\n[include]\n\tpath = more\n",
            hooks = self.program.parent().expect("folder").join("hooks").display(),
        )
    }

    fn hooks(&self, folder: &Path) {
        for hook in
            ["pre-commit", "post-index-change", "post-checkout", "reference-transaction", "pre-auto-gc", "update"]
        {
            fs::create_dir_all(folder).expect("folder");
            fs::copy(&self.program, folder.join(hook)).expect("hook");
        }
    }

    /// Shows that the trap is live: git run without care in that work tree does run the program.
    fn is_live(&self, workspace: &Workspace) {
        drop(Command::new("git").args(["status"]).current_dir(&workspace.path).output().expect("runs"));
        assert!(self.mark.exists(), "the canary would have run");
        fs::remove_file(&self.mark).expect("removes");
    }
}

#[tokio::test]
async fn nothing_the_attempt_configures_ever_runs() {
    let world = World::small();
    let canary = Canary::plant(&world);
    let workspace = world.workspace("attempt").await;
    fs::write(workspace.path.join(".git/config"), canary.config()).expect("writes");
    canary.hooks(&workspace.path.join(".git/hooks"));
    canary.hooks(&world.folder.path().join("hooks"));
    for home in [workspace.home.join(".gitconfig"), workspace.home.join(".config/git/config")] {
        write(Path::new("/"), home, canary.config().as_bytes());
    }
    let attributes = b"* filter=evil diff=evil merge=evil text\n";
    write(&workspace.home, ".config/git/attributes", attributes);
    write(&workspace.home, ".config/git/ignore", b"*\n");
    write(&workspace.path, ".git/info/attributes", attributes);
    write(&workspace.path, ".git/info/exclude", b"*\n");
    workspace.write(".gitattributes", attributes);
    workspace.write("src/lib.txt", b"one\n2\nthree\n");
    workspace.write("new.txt", b"new\n");
    canary.is_live(&workspace);
    let collected = workspace.collect();
    assert!(!canary.mark.exists());
    assert_eq!(collected.paths(), [".gitattributes", "new.txt", "src/lib.txt"]);
    assert_eq!(world.delivered(&workspace, &collected).await, tree_at(&workspace.path));
    assert!(!canary.mark.exists());
}

#[tokio::test]
async fn a_git_folder_that_is_gone_broken_or_a_trap_does_not_matter() {
    let world = World::small();
    type Spoil = fn(&Path);
    let spoil: [(&str, Spoil); 6] = [
        ("gone", |git_dir| fs::remove_dir_all(git_dir).expect("removes")),
        ("no head", |git_dir| fs::remove_file(git_dir.join("HEAD")).expect("removes")),
        ("broken index", |git_dir| fs::write(git_dir.join("index"), b"DIRCgarbage").expect("writes")),
        ("broken config", |git_dir| fs::write(git_dir.join("config"), b"[core\n").expect("writes")),
        ("points elsewhere", |git_dir| {
            fs::remove_dir_all(git_dir).expect("removes");
            fs::write(git_dir, b"gitdir: /nonexistent\n").expect("writes");
        }),
        ("a link", |git_dir| {
            fs::remove_dir_all(git_dir).expect("removes");
            symlink("/", git_dir).expect("link");
        }),
    ];
    for (name, spoil) in spoil {
        let workspace = world.workspace(name).await;
        workspace.write("src/lib.txt", b"one\n2\nthree\n");
        spoil(&workspace.path.join(".git"));
        assert_eq!(workspace.collect().paths(), ["src/lib.txt"], "{name}");
    }
}

#[tokio::test]
async fn forged_times_and_sizes_do_not_hide_a_change() {
    let world = World::small();
    let workspace = world.workspace("attempt").await;
    let forge = |name: &str, content: &[u8], time: SystemTime| {
        workspace.write(name, content);
        let file = fs::File::options().write(true).open(workspace.path.join(name)).expect("opens");
        file.set_modified(time).expect("time");
    };
    let seeded = fs::metadata(workspace.path.join("README.md")).expect("exists").modified().expect("time");
    forge("README.md", b"# SMALL\n", seeded);
    forge("src/lib.txt", b"one\nTWO\nthree\n", SystemTime::UNIX_EPOCH);
    assert_eq!(git(&workspace.path, &["status", "--porcelain", "README.md"]), "", "git itself is fooled");
    assert_eq!(workspace.collect().paths(), ["README.md", "src/lib.txt"]);
    fs::remove_dir_all(&workspace.outbox).expect("empties");
    fs::create_dir(&workspace.outbox).expect("outbox");
    forge("README.md", b"# sMALL\n", seeded + Duration::from_secs(100 * 365 * 86_400));
    assert_eq!(workspace.collect().paths(), ["README.md", "src/lib.txt"]);
}

#[tokio::test]
async fn index_flags_that_hide_files_do_not_matter() {
    let world = World::small();
    let workspace = world.workspace("attempt").await;
    workspace.agent("git", &["update-index", "--assume-unchanged", "README.md"]);
    workspace.agent("git", &["update-index", "--skip-worktree", "src/lib.txt"]);
    workspace.agent("git", &["config", "core.sparseCheckout", "true"]);
    workspace.write("README.md", b"# changed\n");
    workspace.write("src/lib.txt", b"changed\n");
    assert_eq!(workspace.collect().paths(), ["README.md", "src/lib.txt"]);
}

#[tokio::test]
async fn repositories_inside_are_collected_as_plain_files_and_nothing_of_theirs_runs() {
    let world = World::small();
    let canary = Canary::plant(&world);
    let workspace = world.workspace("attempt").await;
    // One with commits, one without, one inside another, one around tracked files, one with a strange name.
    for folder in ["app", "empty", "app/deep/er", "src", "new\nline", "with space"] {
        workspace.write(&format!("{folder}/file.txt"), b"inside\n");
        workspace.agent("git", &["init", "-q", folder]);
    }
    workspace.write("app/.gitignore", b"node_modules\n");
    workspace.write("app/node_modules/big.js", b"big\n");
    workspace.agent("git", &["-C", "app", "add", "file.txt"]);
    workspace.agent("git", &["-C", "app", "-c", "user.name=a", "-c", "user.email=b", "commit", "-q", "-m", "inner"]);
    for folder in ["app", "src", "app/deep/er"] {
        fs::write(workspace.path.join(folder).join(".git/config"), canary.config()).expect("writes");
        canary.hooks(&workspace.path.join(folder).join(".git/hooks"));
    }
    workspace.write("app/.gitattributes", b"* filter=evil diff=evil\n");
    let collected = workspace.collect();
    assert!(!canary.mark.exists());
    let expected = [
        "app/.gitattributes",
        "app/.gitignore",
        "app/deep/er/file.txt",
        "app/file.txt",
        "empty/file.txt",
        "new\nline/file.txt",
        "src/file.txt",
        "with space/file.txt",
    ];
    assert_eq!(collected.paths(), expected);
    let delivered = world.delivered(&workspace, &collected).await;
    assert_eq!(delivered.get(&b"app/deep/er/file.txt"[..]), Some(&(0o100_644, b"inside\n".to_vec())));
}

#[tokio::test]
async fn a_submodule_made_a_trap_is_not_entered() {
    let world = World::small();
    git(&world.user(), &["-c", "protocol.file.allow=always", "submodule", "add", "-q", "./.git", "sub"]);
    world.commit("submodule");
    let canary = Canary::plant(&world);
    let workspace = world.workspace("attempt").await;
    workspace.agent("git", &["init", "-q", "sub"]);
    workspace.write("sub/file.txt", b"inside\n");
    workspace.agent("git", &["-C", "sub", "add", "-A"]);
    workspace.agent("git", &["-C", "sub", "-c", "user.name=a", "-c", "user.email=b", "commit", "-q", "-m", "inner"]);
    fs::write(workspace.path.join("sub/.git/config"), canary.config()).expect("writes");
    workspace.write("sub/file.txt", b"dirty\n");
    canary.is_live(&workspace);
    assert_eq!(workspace.collect().paths(), [""; 0]);
    assert!(!canary.mark.exists());
}

#[tokio::test]
async fn attributes_of_the_attempt_do_not_hide_lines_from_people() {
    let world = World::small();
    let workspace = world.workspace("attempt").await;
    workspace.write(".gitattributes", b"*.txt binary -diff\n");
    workspace.write("src/.gitattributes", b"*.txt binary -diff\n");
    workspace.write("src/lib.txt", b"one\n2\nthree\n");
    let collected = workspace.collect();
    assert_eq!(collected.stat, DiffStat { files: 3, added: 3, removed: 1 });
    assert_eq!(world.delivered(&workspace, &collected).await, tree_at(&workspace.path));
}

#[tokio::test]
async fn pipes_sockets_and_names_git_keeps_for_itself_are_left_out() {
    let world = World::small();
    let workspace = world.workspace("attempt").await;
    workspace.agent("mkfifo", &["pipe"]);
    let socket = std::os::unix::net::UnixListener::bind(workspace.path.join("socket")).expect("socket");
    workspace.write("deep/.git/hooks/x", b"x\n");
    workspace.write("git~1/config", b"x\n");
    workspace.write("fine.txt", b"fine\n");
    assert_eq!(workspace.collect().paths(), ["fine.txt"]);
    drop(socket);
}

#[tokio::test]
async fn a_patch_that_is_too_large_is_said_with_the_bound() {
    let world = World::small();
    let workspace = world.workspace("attempt").await;
    let mut noise = Vec::with_capacity(usize::try_from(PATCH_BYTES_MAX).expect("fits"));
    let mut state = 1_u64;
    while noise.len() < noise.capacity() {
        state = state.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1);
        noise.extend_from_slice(&state.to_le_bytes());
    }
    workspace.write("huge.bin", &noise);
    let (exit, complaints) = workspace.run_collect();
    let failure = collect_failure(&exit, &complaints).expect("fails");
    assert!(failure.contains("larger than 64 MiB"), "{failure}");
    assert!(!workspace.outbox.join(PATCH_FILE).exists(), "no part of it is taken for the whole");
}

#[tokio::test]
async fn a_mirror_without_the_base_is_a_failure_with_gits_words() {
    let world = World::small();
    let mut workspace = world.workspace("attempt").await;
    workspace.base_commit = "0123456789012345678901234567890123456789".to_owned();
    let (exit, complaints) = workspace.run_collect();
    let failure = collect_failure(&exit, &complaints).expect("fails");
    assert!(failure.starts_with("failed to collect the changes: exit code"), "{failure}");
    assert!(failure.contains("fatal:"), "{failure}");
}
