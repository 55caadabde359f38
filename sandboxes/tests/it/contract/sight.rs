//! What a command sees of this machine, and what it can do to it.

use std::fs;
use std::net::TcpListener;
use std::path::Path;

use regatta_sandboxes::{HomeLink, InboxFile, Stdio};

use super::crash::Server;
use super::promises;
use crate::place::{Place, all, ended, sh};

promises! { near:
    the_environment_is_private
    the_inbox_and_links_in_the_home_are_readable
}

mod here {
    crate::contract::promises! { here: what_is_made_is_for_this_user_alone }

    use super::what_is_made_is_for_this_user_alone;
}

mod fenced {
    crate::contract::promises! { fenced:
        writing_outside_is_refused
        hidden_paths_cannot_be_read
        nothing_in_a_home_can_be_read_but_tools
        programs_in_a_home_start
        programs_in_a_home_find_what_they_need
        what_is_shown_cannot_be_written
        no_network_is_no_network
        other_processes_cannot_be_touched
    }

    use super::{
        hidden_paths_cannot_be_read, no_network_is_no_network, nothing_in_a_home_can_be_read_but_tools,
        other_processes_cannot_be_touched, programs_in_a_home_find_what_they_need, programs_in_a_home_start,
        what_is_shown_cannot_be_written, writing_outside_is_refused,
    };
}

async fn the_environment_is_private(place: Place) {
    place.provider.create(&place.spec("a")).await.unwrap();
    let mut exec = sh("main", "env");
    exec.env.insert("PLAIN".to_owned(), "two words".to_owned());
    exec.env.insert("REGATTA_SANDBOX".to_owned(), "disguise".to_owned());
    let ran = place.ran("a", &exec).await;
    let mut names: Vec<&str> = ran.out.lines().filter_map(|line| line.split_once('=')).map(|(name, _)| name).collect();
    names.retain(|name| !matches!(*name, "PWD" | "_" | "SHLVL" | "OLDPWD" | "TZ" | "USER" | "LOGNAME"));
    names.retain(|name| !name.starts_with("LC_"));
    // Where tools are that this user has.
    names.retain(|name| !["_HOME", "_ROOT", "_DATA_DIR"].iter().any(|end| name.ends_with(end)));
    names.sort_unstable();
    let ours = ["ARTIFACTS", "EXEC", "INBOX", "OUTBOX", "SANDBOX", "WORKSPACE"].map(|name| format!("REGATTA_{name}"));
    let mut expected: Vec<&str> = vec!["HOME", "LANG", "PATH", "PLAIN", "TERM", "TMPDIR"];
    expected.extend(ours.iter().map(String::as_str));
    expected.sort_unstable();
    assert_eq!(names, expected);
    let folder = place.inside("a");
    for line in [
        format!("HOME={}", folder.join("home").display()),
        format!("TMPDIR={}", folder.join("tmp").display()),
        format!("REGATTA_OUTBOX={}", folder.join("execs/main/outbox").display()),
        format!("REGATTA_ARTIFACTS={}", folder.join("artifacts/main").display()),
        "REGATTA_SANDBOX=a".to_owned(),
        "PLAIN=two words".to_owned(),
    ] {
        assert!(ran.out.lines().any(|found| found == line), "{line} in {}", ran.out);
    }
    let ran = place.ran("a", &sh("write", "touch $HOME/a $TMPDIR/b $REGATTA_OUTBOX/c $REGATTA_WORKSPACE/d; pwd")).await;
    assert_eq!((ran.err.as_str(), ran.out), ("", format!("{}\n", folder.join("work").display())));
}

async fn the_inbox_and_links_in_the_home_are_readable(place: Place) {
    let secret = place.folder.path().join("secret");
    fs::write(secret.join("login"), "token\n").unwrap();
    let mut spec = place.spec("a");
    spec.inbox = vec![InboxFile { name: "prompt".to_owned(), content: b"do it\n".to_vec() }];
    let link = |source: &str, target: &str| HomeLink { source: secret.join(source), target: target.into() };
    spec.home_links = vec![link("login", ".config/tool/login"), link("absent", ".absent")];
    let created = place.provider.create(&spec).await.unwrap();
    let script = "cat $REGATTA_INBOX/prompt ~/.config/tool/login; ls -A ~; echo >> $REGATTA_INBOX/new";
    let ran = place.ran("a", &sh("main", script)).await;
    assert_eq!(ran.out, "do it\ntoken\n.config\n");
    assert_eq!(created.inbox, place.inside("a").join("inbox").to_string_lossy());
    if place.is_here() {
        let home = place.root().join("a/home/.config/tool");
        let copied = fs::symlink_metadata(home.join("login")).unwrap();
        assert!(copied.is_symlink() || copied.len() == 0, "{copied:?}");
    }
}

async fn what_is_made_is_for_this_user_alone(place: Place) {
    use std::os::unix::fs::PermissionsExt;
    let root = place.root();
    fs::set_permissions(&root, PermissionsExt::from_mode(0o755)).unwrap();
    let mut place = place;
    place.provider = place.again();
    fs::set_permissions(place.folder.path().join("seed"), PermissionsExt::from_mode(0o755)).unwrap();
    fs::write(place.folder.path().join("secret/login"), "token").unwrap();
    let mut spec = place.spec("a");
    spec.inbox = vec![InboxFile { name: "prompt".to_owned(), content: b"do it".to_vec() }];
    let source = place.folder.path().join("secret/login");
    spec.home_links = vec![HomeLink { source, target: ".config/tool/login".into() }];
    place.provider.create(&spec).await.unwrap();
    place.ran("a", &sh("main", "echo out")).await;
    place.provider.kill("a", "main", 0).await.unwrap();
    let (mut open, mut folders) = (Vec::new(), vec![root]);
    while let Some(folder) = folders.pop() {
        let entries = fs::read_dir(&folder).unwrap().map(|entry| entry.unwrap().path());
        for path in entries.chain([folder.clone()]) {
            let metadata = fs::symlink_metadata(&path).unwrap();
            if !metadata.is_symlink() && metadata.permissions().mode() & 0o077 != 0 {
                open.push(path.clone());
            }
            // In the workspace modes are the seed's; in the home lies what is shown there, and nothing of ours.
            if metadata.is_dir() && path != folder && !path.ends_with("work") && !path.ends_with("home") {
                folders.push(path);
            }
        }
    }
    assert_eq!(open, [""; 0].map(std::path::PathBuf::from));
}

async fn writing_outside_is_refused(place: Place) {
    let outside = place.folder.path();
    place.provider.create(&place.spec("b")).await.unwrap();
    let script = format!(
        "echo x > {0}/new; echo x >> {0}/seed/README.md; rm -f {0}/seed/README.md; chmod 777 {0}/seed; \
         echo x > {1}/b/work/new; echo x > /etc/regatta-test; echo x > /usr/regatta-test; mount -t tmpfs none /mnt; exit 0",
        outside.display(),
        place.root().display(),
    );
    place.run("a", &script).await;
    assert_eq!(fs::read_to_string(outside.join("seed/README.md")).unwrap(), "hello\n");
    for path in
        [outside.join("new"), place.root().join("b/work/new"), "/etc/regatta-test".into(), "/usr/regatta-test".into()]
    {
        assert!(!path.exists(), "{}", path.display());
    }
}

async fn hidden_paths_cannot_be_read(place: Place) {
    fs::write(place.folder.path().join("secret/key"), "hush").unwrap();
    fs::write(place.folder.path().join("data/log"), "hush").unwrap();
    place.provider.create(&place.spec("b")).await.unwrap();
    let folder = place.folder.path().display().to_string();
    let root = place.root().display().to_string();
    let script = format!(
        "cat {folder}/secret/key {folder}/data/log {root}/b/spec.json {root}/b/work/README.md; ls {root}/b; ls {folder}/secret"
    );
    let ran = place.run("a", &script).await;
    assert_eq!(ran.out, "", "{ran:?}");
}

/// What a plain attempt once could read, and what lies beside tools that are shown.
const PRIVATE: [&str; 34] = [
    ".bash_history",
    ".env",
    ".pgpass",
    ".vault-token",
    ".ssh/id_ed25519",
    ".aws/credentials",
    ".netrc",
    ".npmrc",
    ".git-credentials",
    ".mozilla/firefox/a/cookies.sqlite",
    ".config/google-chrome/Default/Cookies",
    ".config/rclone/rclone.conf",
    ".config/git/credentials",
    ".config/gh/hosts.yml",
    ".local/share/keyrings/login.keyring",
    ".local/share/opencode/auth.json",
    ".m2/settings.xml",
    ".terraformrc",
    ".gem/credentials",
    ".cargo/credentials",
    ".cargo/credentials.toml",
    ".cargo/config.toml",
    ".claude/.credentials.json",
    ".claude/history.jsonl",
    ".codex/auth.json",
    ".gemini/oauth_creds.json",
    ".npm-global/.npmrc",
    ".nvm/.npmrc",
    ".unheard-of/token",
    "notes.txt",
    "go/src/private.go",
    "project/.env",
    "project/main.py",
    "secret/key",
];

/// Links in a home, and what they say.
type Links = &'static [(&'static str, &'static str)];

/// A home with programs as their installers put them there: a name on `PATH`, the links behind it, the program.
const PROGRAMS: [(&str, Links, &str); 11] = [
    (".local/bin/plain", &[], ".local/bin/plain"),
    (
        ".local/bin/claude",
        &[(".local/bin/claude", "@/.local/share/claude/versions/1.0")],
        ".local/share/claude/versions/1.0",
    ),
    (
        ".npm-global/bin/codex",
        &[(".npm-global/bin/codex", "../lib/node_modules/codex/bin/codex.js")],
        ".npm-global/lib/node_modules/codex/bin/codex.js",
    ),
    (
        ".local/bin/gemini",
        &[(".local/bin/gemini", "../lib/node_modules/gemini/dist/index.js")],
        ".local/lib/node_modules/gemini/dist/index.js",
    ),
    (
        ".local/bin/aider",
        &[(".local/bin/aider", "@/.local/share/pipx/venvs/aider/bin/aider")],
        ".local/share/pipx/venvs/aider/bin/aider",
    ),
    (".pyenv/shims/python9", &[], ".pyenv/shims/python9"),
    (".volta/bin/node9", &[(".volta/bin/node9", "volta-shim")], ".volta/bin/volta-shim"),
    (".bun/bin/bun", &[], ".bun/bin/bun"),
    (".deno/bin/deno", &[(".deno", "elsewhere/deno")], "elsewhere/deno/bin/deno"),
    (
        ".local/bin/tool",
        &[(".local/bin/tool", "@/.tool/current/bin/tool"), (".tool/current", "releases/3")],
        ".tool/releases/3/bin/tool",
    ),
    ("project/bin/own", &[(".local/bin/own", "@/project/bin/own")], "project/bin/own"),
];

const ON_PATH: [&str; 8] = [
    ".local/bin",
    ".npm-global/bin",
    ".pyenv/shims",
    ".volta/bin",
    ".bun/bin",
    ".deno/bin",
    ".cargo/bin",
    "project/bin",
];

fn write(path: &Path, content: &str) {
    fs::create_dir_all(path.parent().unwrap()).unwrap();
    fs::write(path, content).unwrap();
    fs::set_permissions(path, std::os::unix::fs::PermissionsExt::from_mode(0o755)).unwrap();
}

/// What a script prints that a server runs whose home is the place's folder, where its sandboxes are too.
async fn at_home(place: &Place, script: &str) -> String {
    let home = place.folder.path();
    PRIVATE.iter().for_each(|name| write(&home.join(name), "hush"));
    fs::create_dir_all(home.join("project/.git")).unwrap();
    for (name, links, program) in PROGRAMS {
        write(&home.join(program), &format!("#!/bin/sh\necho runs {}\n", name.rsplit('/').next().unwrap()));
        for (link, target) in links {
            let link = home.join(link);
            fs::create_dir_all(link.parent().unwrap()).unwrap();
            std::os::unix::fs::symlink(target.replace('@', home.to_str().unwrap()), link).unwrap();
        }
    }
    let path = ON_PATH.map(|name| home.join(name).display().to_string()).join(":") + ":/usr/bin:/bin";
    place.provider.create(&place.spec("a")).await.unwrap();
    let _server = Server::start(place, "a", script, &[("HOME", home.to_str().unwrap()), ("PATH", &path)]).await;
    ended(&*place.provider, "a", "main").await;
    let out = all(&*place.provider, "a", "main", Stdio::Out).await;
    String::from_utf8(out).unwrap()
}

async fn nothing_in_a_home_can_be_read_but_tools(place: Place) {
    let Some(place) = Place::in_the_open(place.kind).await else { return };
    let home = place.folder.path().display().to_string();
    let paths = PRIVATE.map(|name| format!("{home}/{name}")).join(" ");
    let script = format!("cat README.md; for path in {paths}; do cat $path 2>/dev/null && echo $path; done");
    assert_eq!(at_home(&place, &script).await, "hello\n");
}

async fn programs_in_a_home_start(place: Place) {
    let Some(place) = Place::in_the_open(place.kind).await else { return };
    let names = PROGRAMS.map(|(name, ..)| name.rsplit('/').next().unwrap());
    let out = at_home(&place, &names.map(|name| format!("{name} 2>&1")).join(";")).await;
    assert_eq!(out, names.map(|name| format!("runs {name}\n")).concat());
}

async fn programs_in_a_home_find_what_they_need(place: Place) {
    let Some(place) = Place::in_the_open(place.kind).await else { return };
    write(&place.folder.path().join(".rbenv/version"), "stable\n");
    let script = "cat $RBENV_ROOT/version; ls $VOLTA_HOME/bin; echo ${GOENV_ROOT-absent}";
    assert_eq!(at_home(&place, script).await, "stable\nnode9\nvolta-shim\nabsent\n");
}

async fn what_is_shown_cannot_be_written(place: Place) {
    let folder = place.folder.path();
    fs::create_dir(folder.join("secret/objects")).unwrap();
    for name in ["secret/login", "secret/objects/one", "secret/other"] {
        fs::write(folder.join(name), "one\n").unwrap();
    }
    let mut spec = place.spec("a");
    spec.read_only = vec![folder.join("secret/objects"), folder.join("absent")];
    spec.home_links = vec![HomeLink { source: folder.join("secret/login"), target: "login".into() }];
    spec.inbox = vec![InboxFile { name: "prompt".to_owned(), content: b"one\n".to_vec() }];
    place.provider.create(&spec).await.unwrap();
    let objects = folder.join("secret/objects");
    let script = format!(
        "cat {0}/one; echo two > {0}/one; echo two > ~/login; rm -f $REGATTA_INBOX/prompt; echo two > $REGATTA_INBOX/prompt; cat {1}",
        objects.display(),
        folder.join("secret/other").display(),
    );
    let ran = place.ran("a", &sh("main", &script)).await;
    assert_eq!(ran.out, "one\n", "{ran:?}");
    for path in [objects.join("one"), folder.join("secret/login"), place.root().join("a/inbox/prompt")] {
        assert_eq!(fs::read_to_string(&path).unwrap(), "one\n", "{}", path.display());
    }
}

async fn no_network_is_no_network(place: Place) {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let script = format!("exec bash -c 'exec 3<>/dev/tcp/127.0.0.1/{}'", listener.local_addr().unwrap().port());
    assert_eq!(place.run("on", &script).await.ended.exit, regatta_sandboxes::Exit::Code(0));
    let mut spec = place.spec("off");
    spec.network = false;
    place.provider.create(&spec).await.unwrap();
    assert_eq!(place.ran("off", &sh("main", &script)).await.ended.exit, regatta_sandboxes::Exit::Code(1));
}

async fn other_processes_cannot_be_touched(place: Place) {
    let own = std::process::id();
    let ran = place.run("a", &format!("kill -0 {own}; cat /proc/{own}/environ /proc/$PPID/environ | head -c 10")).await;
    assert!(ran.err.contains("kill"), "{ran:?}");
    // Behind bubblewrap the parent is the sandbox's own first process.
    assert!(ran.out.is_empty() || place.provider.probe().await.unwrap() == "bubblewrap", "{ran:?}");
}
